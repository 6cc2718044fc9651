"""The repository is whole, and tells nothing of the machine it was written on."""

import re
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# the brackets keep this file from matching itself
MACHINE_PATH = re.compile(r"(?<![\w.~-])/(?:wor[k]|far[m]|roo[t]|tm[p]|home/[a-z]+|Users/[A-Za-z]+)/")
REGISTRY_HOST = re.compile(
    r"py[p]i\.org|py[p]i\.python\.org|python[h]osted\.org|deb\.debia[n]\.org|registry\.np[m]js\.org"
)
UNFINISHED = re.compile(r"\b(?:TO[D]O|FI[X]ME|X[X]X|HA[C]K|NotImplemented[E]rror)\b")
PICTURES = {".png", ".ico", ".gif"}


@pytest.fixture(scope="module")
def files(needs: Callable[[str], Path], lacking: Callable[[str], None]) -> list[Path]:
    """What is committed or could be, without what .gitignore names."""
    git = needs("git")
    if not (ROOT / ".git").exists():
        lacking("these files came without their repository")
    listed = subprocess.run(
        [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def places(files: list[Path], pattern: re.Pattern[str]) -> list[str]:
    """File and line of each match."""
    found = []
    for file in files:
        if file.suffix not in PICTURES:
            lines = file.read_text(encoding="utf-8").splitlines()
            found += [
                f"{file.relative_to(ROOT)}:{n}: {line[:120]}" for n, line in enumerate(lines, 1) if pattern.search(line)
            ]
    return found


def test_no_path_of_a_machine(files: list[Path]) -> None:
    assert places(files, MACHINE_PATH) == []


def test_no_host_of_a_registry(files: list[Path]) -> None:
    assert places(files, REGISTRY_HOST) == []


def test_nothing_unfinished(files: list[Path]) -> None:
    assert places([file for file in files if file.suffix != ".txt"], UNFINISHED) == []


def test_one_list_of_pins(files: list[Path]) -> None:
    others = {"uv.lock", "poetry.lock", "Pipfile.lock", "requirements.txt"}
    assert [file for file in files if file.name in others] == []


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + [line for extra in project["optional-dependencies"].values() for line in extra]
    names = {re.split(r"[\[<>=;! ]", line)[0].lower() for line in wanted} - {"warmup-planner"}
    pins = (ROOT / "constraints.txt").read_text()
    assert names - set(re.findall(r"^([a-z0-9-]+)==", pins, re.MULTILINE)) == set()
    assert "://" not in pins


def test_pins_carry_hashes() -> None:
    blocks = re.split(r"\n(?=\S)", (ROOT / "constraints.txt").read_text().strip())
    assert [block.splitlines()[0] for block in blocks if "--hash=sha256:" not in block] == []
