"""The warmup planner: how fast a new sender may raise its volume, and how sure that is."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from planner.errors import Cancelled, InputError, PlannerError
    from planner.inputs.catalogue import catalogue
    from planner.inputs.reaction import Reaction
    from planner.inputs.retry import RetryPolicy
    from planner.inputs.schedule import Schedule, published
    from planner.inputs.sender import Sender
    from planner.optimizer.comparison import Comparison, compare
    from planner.optimizer.explanation import Explanation, explain
    from planner.optimizer.plan import Plan
    from planner.optimizer.planning import optimize, warm_up
    from planner.simulation.beliefs import Beliefs, draw
    from planner.simulation.forecast import Forecast
    from planner.simulation.simulator import simulate

__version__ = "0.1.0"

__all__ = [
    "Beliefs",
    "Cancelled",
    "Comparison",
    "Explanation",
    "Forecast",
    "InputError",
    "Plan",
    "PlannerError",
    "Reaction",
    "RetryPolicy",
    "Schedule",
    "Sender",
    "__version__",
    "catalogue",
    "compare",
    "draw",
    "explain",
    "optimize",
    "published",
    "simulate",
    "warm_up",
]

# Each name and its module, loaded on first use: `import planner` must not wait for numba, pandas or Plotly.
_HOMES = {
    "Beliefs": "planner.simulation.beliefs",
    "Cancelled": "planner.errors",
    "Comparison": "planner.optimizer.comparison",
    "Explanation": "planner.optimizer.explanation",
    "Forecast": "planner.simulation.forecast",
    "InputError": "planner.errors",
    "Plan": "planner.optimizer.plan",
    "PlannerError": "planner.errors",
    "Reaction": "planner.inputs.reaction",
    "RetryPolicy": "planner.inputs.retry",
    "Schedule": "planner.inputs.schedule",
    "Sender": "planner.inputs.sender",
    "catalogue": "planner.inputs.catalogue",
    "compare": "planner.optimizer.comparison",
    "draw": "planner.simulation.beliefs",
    "explain": "planner.optimizer.explanation",
    "optimize": "planner.optimizer.planning",
    "published": "planner.inputs.schedule",
    "simulate": "planner.simulation.simulator",
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
