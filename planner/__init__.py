"""The warmup planner: how fast a new sender may raise its volume, and how sure that is."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from planner.errors import Cancelled, InputError, PlannerError
    from planner.inputs.address_list import AddressList, read_audience
    from planner.inputs.audience import Audience
    from planner.inputs.catalogue import catalogue
    from planner.inputs.mx import MxLookup
    from planner.inputs.reaction import Reaction
    from planner.inputs.retry import RetryPolicy
    from planner.inputs.schedule import Schedule, published
    from planner.inputs.schedule_file import ScheduleFile, read_schedule
    from planner.inputs.sender import Sender
    from planner.learning.calibration import Calibration
    from planner.learning.updating import calibrate
    from planner.observing.alarms import Alarm, Alarms
    from planner.observing.judging import alarms
    from planner.observing.logs.reading import read_log, study_log
    from planner.observing.logs.study import LogStudy
    from planner.observing.observations import Observations
    from planner.observing.rules import alarm_rules
    from planner.observing.table_file import read_observations
    from planner.optimizer.comparison import Candidate, Comparison, compare
    from planner.optimizer.difference import Changes, changes
    from planner.optimizer.explanation import Explanation, explain
    from planner.optimizer.plan import Plan
    from planner.optimizer.planning import optimize, warm_up
    from planner.optimizer.retries import RetryAdvice, advise_retries
    from planner.replies.diagnosis import Diagnosis, diagnose
    from planner.replies.pile import Diagnoses, diagnose_all
    from planner.season.mornings import morning
    from planner.season.report import Morning
    from planner.season.season import Season
    from planner.season.store import KeptSeason, load_season, remove_season, restore_season, save_season, seasons
    from planner.simulation.beliefs import Beliefs, draw
    from planner.simulation.forecast import Forecast
    from planner.simulation.simulator import simulate

__version__ = "0.1.0"

__all__ = [
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
    "alarm_rules",
    "alarms",
    "calibrate",
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
]

# Each name and its module, loaded on first use: `import planner` must not wait for numba, pandas or Plotly.
_HOMES = {
    "AddressList": "planner.inputs.address_list",
    "Alarm": "planner.observing.alarms",
    "Alarms": "planner.observing.alarms",
    "Audience": "planner.inputs.audience",
    "Beliefs": "planner.simulation.beliefs",
    "Calibration": "planner.learning.calibration",
    "Cancelled": "planner.errors",
    "Candidate": "planner.optimizer.comparison",
    "Changes": "planner.optimizer.difference",
    "Comparison": "planner.optimizer.comparison",
    "Diagnoses": "planner.replies.pile",
    "Diagnosis": "planner.replies.diagnosis",
    "Explanation": "planner.optimizer.explanation",
    "Forecast": "planner.simulation.forecast",
    "InputError": "planner.errors",
    "KeptSeason": "planner.season.store",
    "LogStudy": "planner.observing.logs.study",
    "Morning": "planner.season.report",
    "MxLookup": "planner.inputs.mx",
    "Observations": "planner.observing.observations",
    "Plan": "planner.optimizer.plan",
    "PlannerError": "planner.errors",
    "Reaction": "planner.inputs.reaction",
    "RetryAdvice": "planner.optimizer.retries",
    "RetryPolicy": "planner.inputs.retry",
    "Schedule": "planner.inputs.schedule",
    "ScheduleFile": "planner.inputs.schedule_file",
    "Season": "planner.season.season",
    "Sender": "planner.inputs.sender",
    "advise_retries": "planner.optimizer.retries",
    "alarm_rules": "planner.observing.rules",
    "alarms": "planner.observing.judging",
    "calibrate": "planner.learning.updating",
    "catalogue": "planner.inputs.catalogue",
    "changes": "planner.optimizer.difference",
    "compare": "planner.optimizer.comparison",
    "diagnose": "planner.replies.diagnosis",
    "diagnose_all": "planner.replies.pile",
    "draw": "planner.simulation.beliefs",
    "explain": "planner.optimizer.explanation",
    "load_season": "planner.season.store",
    "morning": "planner.season.mornings",
    "optimize": "planner.optimizer.planning",
    "published": "planner.inputs.schedule",
    "read_audience": "planner.inputs.address_list",
    "read_log": "planner.observing.logs.reading",
    "read_observations": "planner.observing.table_file",
    "read_schedule": "planner.inputs.schedule_file",
    "remove_season": "planner.season.store",
    "restore_season": "planner.season.store",
    "save_season": "planner.season.store",
    "seasons": "planner.season.store",
    "simulate": "planner.simulation.simulator",
    "study_log": "planner.observing.logs.reading",
    "warm_up": "planner.optimizer.planning",
}


if not TYPE_CHECKING:  # a type checker would take every misspelt name for one that is loaded here

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value  # found directly from now on
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
