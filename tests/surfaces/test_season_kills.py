"""A season survives kill -9 at every step of every write: what is found afterwards is the old season or the new."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import planner as wp

ROOT = Path(__file__).parents[2]
SENDER = wp.Sender.from_dict(
    {
        "name": "Shop",
        "audience": {"providers": {"gmail": 60, "yahoo": 40}},
        "target": {"volume": 400},
        "send_days": "daily",
        "n_ips": 1,
        "domain": "used",
        "start": "2026-10-05",
    }
)

# A process for each call that changes a file: before that call, or in the middle of it if it writes, it kills itself
# with a signal that nothing can catch. Pieces are made small, so that one file takes several writes.
WRITERS = """
import os, shutil, signal, sys
from pathlib import Path
import planner as wp
from planner.season import files

top = Path(sys.argv[1])
files._PIECE = 1500

def counted(call, in_the_middle=None):
    def wrapper(*arguments, **others):
        global count
        count += 1
        if count == fatal:
            if in_the_middle is not None:
                in_the_middle(*arguments)
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments, **others)
    return wrapper

fatal = status = 0
while status == signal.SIGKILL or fatal == 0:
    fatal += 1
    shutil.copytree(top / "start", top / str(fatal))
    season = wp.load_season("Shop", top / str(fatal)).changed(rules="google")
    writer = os.fork()
    if writer == 0:
        count = 0
        write = os.write
        for name in ("open", "fsync", "replace", "unlink", "close", "mkdir", "link", "rename"):
            setattr(os, name, counted(getattr(os, name)))
        os.write = counted(write, lambda stream, content: write(stream, content[: len(content) // 2]))
        wp.save_season(season, top / str(fatal))
        os._exit(0)
    status = os.waitpid(writer, 0)[1]
assert status == 0, status
"""


def lives_and_deaths(top: Path) -> list[Path]:
    """Let writers die at every step; return the folder that each left, that of the one who came through last."""
    subprocess.run(
        [sys.executable, "-c", WRITERS, str(top)],
        capture_output=True,
        timeout=120,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=True,
    )
    return sorted((folder for folder in top.iterdir() if folder.name.isdecimal()), key=lambda each: int(each.name))


@pytest.mark.skipif(os.name == "nt", reason="there is no kill -9")
def test_old_or_new_after_every_kill(tmp_path: Path) -> None:
    first = wp.save_season(wp.Season.begun(SENDER), tmp_path / "start")
    old = wp.save_season(first.changed(rules="brevo"), tmp_path / "start")  # so that a backup is replaced, too
    folders = lives_and_deaths(tmp_path)
    assert len(folders) > 12  # two files, each opened, written in pieces, settled and put in place
    found = []
    for folder in folders:
        survivor = wp.load_season("Shop", folder)
        found.append(survivor.rules)
        if survivor.rules == "brevo":
            assert survivor == old
        # the next start goes on from there, and nothing of the dead writer is left
        going_on = wp.save_season(survivor.changed(rules="sendgrid"), folder)
        assert wp.load_season("Shop", folder) == going_on
        assert sorted(path.name for path in folder.iterdir()) == [".lock", "Shop.backup.json", "Shop.json"]
        (folder / "Shop.json").write_text("{")  # and the backup is the one before
        assert wp.restore_season("Shop", folder) == survivor
    assert found == sorted(found)  # once the new one is there, it stays
    assert {"brevo", "google"} == set(found[:-1]) == {found[0], found[-1]}
