"""What all tests share."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

CI = os.environ.get("CI") == "true"

collect_ignore = ["fixtures"]
"""What wrote the fixtures runs mail servers; it is no test."""

# The first example may compile the kernel: no deadline holds. CI draws the same examples every time.
settings.register_profile("planner", deadline=None, derandomize=CI)
settings.load_profile("planner")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let `make proofs` ask for more than fits into every check."""
    parser.addoption("--oracle-times", type=int, default=1, help="times as many runs of the per-message simulation")


@pytest.fixture(scope="session")
def oracle_times(request: pytest.FixtureRequest) -> int:
    """Times as many runs of the per-message simulation as every check has time for."""
    times: int = request.config.getoption("--oracle-times")
    return times


@pytest.fixture(scope="session")
def lacking() -> Callable[[str], None]:
    """End a test for what not every machine has: a person's is skipped, CI's fails."""
    return pytest.fail if CI else pytest.skip


@pytest.fixture(scope="session")
def needs(lacking: Callable[[str], None]) -> Callable[[str], Path]:
    """Where a program lies that not every machine has."""

    def find(program: str) -> Path:
        found = shutil.which(program)
        if found is None:
            lacking(f"this test needs the program {program!r}, which is not installed")
        return Path(found)

    return find


@pytest.fixture(scope="session", autouse=True)
def _nobody_s_own_catalogue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Expectations hold for the facts in data/, not for those a person has laid over them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("WARMUP_CATALOGUE", raising=False)
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
        yield
