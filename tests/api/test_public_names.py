"""The promise: what `import planner` offers, no more and no less."""

import ast
import inspect
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pytest

import planner

PUBLIC = {
    "AddressList",
    "Alarm",
    "Alarms",
    "Audience",
    "Beliefs",
    "Calibration",
    "Cancelled",
    "Candidate",
    "Changes",
    "Comparison",
    "Diagnoses",
    "Diagnosis",
    "Explanation",
    "Forecast",
    "InputError",
    "KeptSeason",
    "LogStudy",
    "Morning",
    "MxLookup",
    "Observations",
    "Plan",
    "PlannerError",
    "Reaction",
    "RetryAdvice",
    "RetryPolicy",
    "Schedule",
    "ScheduleFile",
    "Season",
    "Sender",
    "__version__",
    "advise_retries",
    "calibrate",
    "alarm_rules",
    "alarms",
    "catalogue",
    "changes",
    "compare",
    "diagnose",
    "diagnose_all",
    "draw",
    "explain",
    "load_season",
    "morning",
    "optimize",
    "published",
    "read_audience",
    "read_log",
    "read_observations",
    "read_schedule",
    "remove_season",
    "restore_season",
    "save_season",
    "seasons",
    "simulate",
    "study_log",
    "warm_up",
}
FUNCTIONS = {name for name in PUBLIC if name.islower() and name != "__version__"}


def typed_homes() -> dict[str, str]:
    """Names and modules as a type checker sees them: the imports of `planner/__init__.py`."""
    tree = ast.parse(Path(planner.__file__).read_text())
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return {alias.name: node.module for node in imports for alias in node.names if node.module.startswith("planner.")}


def test_the_list_is_the_promise() -> None:
    assert set(planner.__all__) == PUBLIC
    assert set(planner.__all__) <= set(dir(planner))


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_name_is_there_and_explained(name: str) -> None:
    value = getattr(planner, name)
    assert name == "__version__" or inspect.getdoc(value)


@pytest.mark.parametrize("name", sorted(PUBLIC - {"__version__"}))
def test_type_checkers_and_python_find_the_same(name: str) -> None:
    assert getattr(import_module(typed_homes()[name]), name) is getattr(planner, name)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_verbs_are_functions(name: str) -> None:
    assert callable(getattr(planner, name))


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="optimise"):
        _ = planner.optimise


def test_version_is_that_of_the_package() -> None:
    assert planner.__version__ == version("warmup-planner")
