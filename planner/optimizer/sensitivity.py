"""Which assumptions the date hangs on: each decisive prior moved through its range, everything else as drawn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from planner.inputs.catalogue import Catalogue, catalogue
from planner.inputs.provider import PARAMETER_INFO, PARAMETERS
from planner.optimizer import planning, referee
from planner.optimizer.reliefs import time_enough
from planner.optimizer.resolving import mailing_only, median
from planner.simulation.beliefs import Beliefs, prior_values
from planner.simulation.forecast import quantiles
from planner.simulation.simulator import Run, worlds
from planner.vocabulary import Floats

if TYPE_CHECKING:
    from planner.inputs.sender import Sender
    from planner.optimizer.planning import Progress
    from planner.optimizer.resolving import Base

DECISIVE = (
    "cold_allowance",
    "daily_growth",
    "growth_fades_at",
    "hourly_share",
    "ip_weight",
    "history_carried",
    "new_domain_factor",
    "idle_decay",
    "reputation_sensitivity",
    "rejection_cost",
)
MOST_PROVIDERS = 2
_SCORE = 1.2815515655446004
"""Normal quantile of 90 %."""


def assumption_rows(base: Base, tell: Progress) -> Iterator[dict[str, Any]]:
    """Yield a row for each decisive prior of the providers that hold the date back.

    Columns: provider, parameter, title, low, high (the 10 % and 90 % points), unit, days_low, days_high (shift of the
    median day there), swing, source, confidence.
    """
    sender, plan = base.plan.sender, base.plan
    run = _run(base, sender, base.choose)
    usual = referee.judge(run, plan.schedule.total, plan.reaction).days
    middle = median(usual, base.choose.weights)
    most = MOST_PROVIDERS if time_enough(base) > 1 else 1
    wanted = [(p, parameter) for p in base.order[: min(base.n_decisive, most)] for parameter in DECISIVE]
    for i, (p, parameter) in enumerate(wanted):
        name = sender.provider_names[p]
        provider = _facts(base).provider(name)
        tell(i / len(wanted), f"Moving an assumption: {PARAMETER_INFO[parameter].title}, {provider.name}")
        prior = provider.priors[parameter]
        points = _points(base, p, parameter)
        if points[0] >= points[1]:
            continue
        fixed = [[_fixed(each, p, parameter, point) for each in (base.fit, base.choose)] for point in points]
        if _same(base, fixed[0][1], p, parameter):
            continue
        days = [median(_moved(base, p, usual, *beliefs), base.choose.weights) for beliefs in fixed]
        low, high = (0.0 if each == middle else each - middle for each in days)
        yield {
            "provider": name,
            "parameter": parameter,
            "title": PARAMETER_INFO[parameter].title,
            "low": points[0],
            "high": points[1],
            "unit": prior.unit,
            "days_low": low,
            "days_high": high,
            "swing": max(low, high, 0.0) - min(low, high, 0.0),
            "source": prior.source,
            "confidence": str(prior.confidence.value),
        }


def _run(base: Base, sender: Sender, beliefs: Beliefs) -> Run:
    plan = base.plan
    minutes = planning.SEARCH_SLOT_MINUTES
    return Run(sender, beliefs, plan.retry, plan.forecast.seed, minutes, seen=base.task.seen)


def _facts(base: Base) -> Catalogue:
    """Return the catalogue, with the priors that are somebody's own."""
    return catalogue().changed(base.task.priors) if base.task.priors else catalogue()


def _points(base: Base, p: int, parameter: str) -> list[float]:
    """Return the 10 % and 90 % points of what is believed."""
    if base.task.beliefs is None:
        name = base.plan.sender.provider_names[p]
        prior = _facts(base).provider(name).priors[parameter]
        return [float(prior_values(prior, np.array(z))) for z in (-_SCORE, _SCORE)]
    own = base.task.beliefs.for_providers(base.plan.sender.provider_names)
    low, high = quantiles(own.parameter(parameter)[:, p], own.weights, (0.1, 0.9))
    return [float(low), float(high)]


def _fixed(beliefs: Beliefs, p: int, parameter: str, value: float) -> Beliefs:
    values = beliefs.values.copy()
    values[:, p, PARAMETERS.index(parameter)] = value
    return Beliefs(beliefs.providers, values, beliefs.weights)


def _same(base: Base, beliefs: Beliefs, p: int, parameter: str) -> bool:
    """Tell whether a parameter says nothing to this sender, such as the share of a history that it does not have."""
    sender = base.plan.sender
    if parameter == "rejection_cost":
        return False
    moved, usual = (worlds(sender, each, 3600.0)[:, :, p] for each in (beliefs, base.choose))
    return bool(np.allclose(moved, usual, rtol=1e-9))


def _moved(base: Base, p: int, usual: Floats, fit: Beliefs, choose: Beliefs) -> Floats:
    """Return the days of all providers when one of them is better known, (scenarios, providers).

    Its ramp is found again and gives up as many scenarios as before.
    """
    plan = base.plan
    sender = plan.sender if plan.sender.capacity else mailing_only(plan.sender, [p])
    nested = referee.ramps(sender, fit, base.n_days, base.task.decided, int(np.ceil(base.drops[p])), base.task.seen)
    volume = referee.volumes_at(nested, base.drops)[:, : len(plan.schedule.dates)]
    run = _run(base, sender, choose)
    days = usual.copy()
    days[:, p] = referee.judge(run, volume, plan.reaction).days[:, p]
    return days
