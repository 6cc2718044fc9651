"""Tidy frames in, Plotly figures out; knows none of our classes."""

from plotly.graph_objects import Figure

from planner.figures.beliefs import densities
from planner.figures.comparisons import comparison, date_ranges
from planner.figures.explanations import reliefs, tornado
from planner.figures.forecasts import bands, deferrals_by_cause, delays
from planner.figures.look import DEFERRED_ABOVE
from planner.figures.observations import planned_and_observed
from planner.figures.plans import deferral_heat_map, frontier, ramp
from planner.figures.refusals import pareto
from planner.figures.retries import retry_timeline, retry_trade_off

__all__ = [
    "DEFERRED_ABOVE",
    "Figure",
    "bands",
    "comparison",
    "date_ranges",
    "deferral_heat_map",
    "deferrals_by_cause",
    "delays",
    "densities",
    "frontier",
    "pareto",
    "planned_and_observed",
    "ramp",
    "reliefs",
    "retry_timeline",
    "retry_trade_off",
    "tornado",
]
