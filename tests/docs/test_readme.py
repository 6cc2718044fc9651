"""What README.md shows can be typed as it stands, and what it points to is there."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TEXTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
OPENS_A_PAGE = "warmup app"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def commands() -> list[list[str]]:
    """Every `warmup` command of the shell blocks, without its comment."""
    lines = [shlex.split(line, comments=True) for block in blocks("sh") for line in block.splitlines()]
    wanted = [line for line in lines if line[:1] == ["warmup"]]
    return [line for line in wanted if line != OPENS_A_PAGE.split()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the examples, as a reader's clone has them."""
    place = tmp_path_factory.mktemp("reader")
    shutil.copytree(ROOT / "data" / "examples", place / "data" / "examples")
    return place


def run(folder: Path, *arguments: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "WARMUP_SEASONS": str(folder / "seasons")}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("number", range(len(blocks("python"))))
def test_python(folder: Path, number: int) -> None:
    run(folder, "-W", "error", "-c", blocks("python")[number])


def test_commands_in_their_order(folder: Path) -> None:
    assert {line[1] for line in commands()} == {
        "plan",
        "simulate",
        "compare",
        "audience",
        "retries",
        "explain",
        "diagnose",
        "draw",
        "schedules",
        "observe",
        "alarms",
        "calibrate",
        "replan",
        "seasons",
    }
    for line in commands():
        assert run(folder, "-m", "planner", *line[1:])
    for name in ("newsletter.plan.json", "ramp.csv", "cautious.json", "mine.yaml", "domains.csv", "today.csv"):
        assert (folder / name).stat().st_size > 0


def test_the_rest_is_shown_too() -> None:
    shell = "\n".join(blocks("sh"))
    for command in (OPENS_A_PAGE, "make app", "make test"):
        assert command in shell


@pytest.mark.parametrize("text", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(text: Path) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", text.read_text(encoding="utf-8"))
    local = [target.partition("#")[0] for target in targets if "://" not in target]
    assert [target for target in local if target and not (text.parent / target).exists()] == []
