"""The wheel is all that is needed: it plans far from the repository, where no home can be written to."""

import json
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
NO_HOME = "/dev/null/home"  # cannot be made, not even by root, whom permission bits do not stop


def run(*command: str | Path, cwd: Path, **options: Any) -> str:
    """What the command prints; it must succeed."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=400, **options)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout.strip()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty environment with the wheel; its dependencies are this one's, so that nothing is fetched."""
    place = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", place, cwd=place)
    python = place / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python]
    run(*pip, "install", "--no-deps", "--no-index", "--no-compile", wheel, cwd=place)

    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=place))
    dependencies = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (site / "dependencies.pth").write_text("\n".join(sorted(dependencies)))
    make_read_only(site / "planner")
    return place


def make_read_only(package: Path) -> None:
    """Leave no room for caches beside the code: not even root can write into a folder that is a file."""
    for folder in {file.parent for file in package.rglob("*.py")}:
        (folder / "__pycache__").touch()


def test_wheel_holds_what_runs(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for wanted in ("planner/py.typed", "planner/ui/main.py", "planner/data/examples/newsletter.yaml"):
        assert wanted in names
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"planner"}


def test_wheel_plans_anywhere(environment: Path, tmp_path: Path) -> None:
    programs = environment / "bin"
    bare = {"PATH": f"{programs}:/usr/bin:/bin", "HOME": NO_HOME, "LANG": "C.UTF-8"}
    found = run(programs / "python", "-c", "import planner; print(planner.__file__)", cwd=tmp_path, env=bare)
    package = Path(found).parent
    assert package.is_relative_to(environment)

    example = package / "data" / "examples" / "newsletter.yaml"
    options = ("--seed", "7", "--save", "plan.json")
    assert run(programs / "warmup", "plan", example, *options, cwd=tmp_path, env=bare)
    assert json.loads((tmp_path / "plan.json").read_text(encoding="utf-8"))
    assert [file.name for file in tmp_path.iterdir()] == ["plan.json"]
