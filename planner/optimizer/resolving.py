"""When a changed sender arrives: the plan solved again, as far as the answer needs it.

The same scenarios, luck and choices as in `optimize`, so that the difference is the change's doing. Providers are
independent of each other, and the median day of the slowest is asked for: the latest are solved first, and the others
left out once they can no longer move it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from planner.inputs.calendars import MAX_DAYS
from planner.inputs.rounding import whole_messages
from planner.optimizer import planning, referee
from planner.simulation.forecast import quantiles, reached_days
from planner.simulation.layout import FIRST_TROUBLE, INJECTED
from planner.simulation.simulator import Run, worlds
from planner.simulation.trouble import wrong_days_of
from planner.vocabulary import Bools, Floats

if TYPE_CHECKING:
    from planner.inputs.sender import Sender
    from planner.optimizer.plan import Plan
    from planner.optimizer.planning import Progress
    from planner.simulation.beliefs import Beliefs

SLOT_MINUTES = 15
_MORE = 2
"""How many providers are solved at once after the first ones."""


@dataclass(frozen=True)
class Base:
    """A plan and what it was chosen with; S scenarios, P providers.

    Attributes
    ----------
    plan : Plan
    task : Task
        What it was asked for.
    fit, choose, fresh : Beliefs
        Scenarios that ramps are fitted to, chosen by and published with; the last two without stuck mail.
    drops : (P,) float array
        How many scenarios each provider's ramp gives up.
    looked, n_days : int
        Days that the search began with, and ended with.
    reached : (S, P) float array
        Day of reaching the target in the published scenarios, inf for never; 0 where a gate stays closed.
    order : tuple of int
        Providers that are mailed, the latest first.
    n_decisive : int
        How many of these alone set the median day.
    """

    plan: Plan
    task: planning.Task
    fit: Beliefs
    choose: Beliefs
    fresh: Beliefs
    drops: Floats
    looked: int
    n_days: int
    reached: Floats
    order: tuple[int, ...]
    n_decisive: int

    @property
    def days(self) -> float:
        """Median day on which all providers have reached the target, inf for never."""
        return median(self.reached, self.fresh.weights)


class Arrival(NamedTuple):
    """Median day from the start on which all providers have reached the target; (scenarios, providers) of each."""

    days: float
    reached: Floats


def base_of(plan: Plan) -> Base:
    """Return what a plan was chosen with, drawn again from its seed."""
    sender, task = plan.sender, planning.task_of(plan)
    fit, choose = planning.searched_scenarios(task)
    looked = planning.looked_days(task, fit, choose)
    kept = _kept(plan.options, len(sender.provider_names), len(plan.schedule.dates))
    if kept is None:
        chosen = planning.chosen_ramps(task, fit, choose, looked, lambda share, text: None)
        kept = np.asarray(chosen.drops, dtype=float), chosen.n_days
    reached = np.where(_mailed(sender), plan.forecast.reached, 0.0)
    order, n_decisive = _latest_first(reached, plan.forecast.weights, plan.schedule.total.max(axis=1) > 0.0)
    fresh = referee.without_stuck_mail(plan.forecast.beliefs)
    return Base(plan, task, fit, choose, fresh, kept[0], looked, kept[1], reached, order, n_decisive)


def arrival(base: Base, sender: Sender, risk: str | float, slower: Floats, until: int, tell: Progress) -> Arrival:
    """Return when a changed sender arrives, as a new plan of the same seed would forecast it.

    Parameters
    ----------
    sender : Sender
        With the providers of the plan.
    risk : 'balanced' or float
    slower : (providers,) float array, >= 1
        By what factor a provider may come to take longer, at most; infinite where that is not known.
    until : int
        Days that must be looked at, whenever the target is reached.
    """
    weights = base.fresh.weights
    task = planning.changed_task(base.task, sender, risk)
    most_days = task.decided.shape[1]
    n_days = planning.looked_days(task, base.fit, base.choose)
    mailed = _mailed(sender)
    solved = ~(mailed & _touched(base, sender, risk, n_days))
    reached = np.where(mailed, base.reached, 0.0)
    ramps = np.zeros((reached.shape[1], most_days))
    again: list[int] = []
    horizon = shown = 0
    n_next = base.n_decisive if sender.capacity is None else len(base.order)  # shared by all
    with np.errstate(invalid="ignore"):  # day 0 times infinity
        latest = np.where(np.isfinite(slower), base.reached * slower, np.inf)
    while not solved.all():
        new = _next(base.order, solved, n_next)
        only = replace(task, sender=mailing_only(sender, new))
        chosen = planning.chosen_ramps(only, base.fit, base.choose, n_days, tell)
        n_days = chosen.n_days
        ramps[new, :n_days] = chosen.ramps[new]
        horizon = max(horizon, chosen.horizon)
        again, stale = again + new, new
        solved[new] = True
        shown = min(horizon, max(shown, until, _expected(chosen, base.choose.weights)))
        while True:
            tell(0.9, "Forecasting")
            reached[:, stale] = _forecast(base, mailing_only(sender, stale), ramps[:, :shown])[:, stale]
            low = median(reached[:, solved], weights)
            if low < shown or shown >= horizon:
                break
            shown, stale = min(horizon, 2 * shown), again
        if median(np.where(solved, reached, latest), weights) < low + 1.0 or not np.isfinite(low):
            break  # days are whole
        n_next = _MORE
    return Arrival(median(reached, weights), reached)


def mailing_only(sender: Sender, providers: list[int]) -> Sender:
    """Return the sender with a target at these providers only; everything else stays, each one's share too."""
    names, volume = sender.provider_names, sender.target.volume
    if isinstance(volume, dict):
        wanted = [volume[name] for name in names]
    else:
        wanted = whole_messages(volume * sender.shares()[:, None])[:, 0].astype(int).tolist()
    return sender.changed({"target.volume": {name: wanted[p] if p in providers else 0 for p, name in enumerate(names)}})


def median(reached: Floats, weights: Floats) -> float:
    """Return the median day of the latest provider; reached (scenarios, providers)."""
    return float(quantiles(reached.max(axis=1, initial=0.0), weights, (0.5,))[0])


def _kept(options: Mapping[str, Any], n_providers: int, least: int) -> tuple[Floats, int] | None:
    """Return the drops and the days of the search that a plan has kept; None where it is too old for that."""
    drops, n_days = options.get("drops"), options.get("search_days")
    if not isinstance(n_days, int) or not least <= n_days <= MAX_DAYS:
        return None
    if not isinstance(drops, list) or len(drops) != n_providers:
        return None
    if not all(isinstance(each, int | float) and 0 <= each <= planning.N_FIT for each in drops):
        return None
    return np.array(drops, dtype=float), n_days


def _latest_first(reached: Floats, weights: Floats, mailed: Bools) -> tuple[tuple[int, ...], int]:
    days = quantiles(reached, weights, (0.5, 0.8, 0.9))
    ranked = np.lexsort(np.nan_to_num(days[::-1], posinf=1e9))[::-1]
    order = tuple(int(p) for p in ranked if mailed[p])
    whole = median(reached[:, list(order)], weights)
    alone = (n for n in range(1, len(order) + 1) if median(reached[:, list(order[:n])], weights) == whole)
    return order, next(alone, 0)


def _mailed(sender: Sender) -> Bools:
    """Tell which providers get mail within the longest horizon, (providers,): nobody waits for a closed gate."""
    return np.asarray(sender.demand(planning.longest(sender)).any(axis=1))


def _next(order: tuple[int, ...], solved: Bools, n: int) -> list[int]:
    """Return the next providers to solve: the latest, at last those that were never mailed."""
    waiting = [p for p in order if not solved[p]]
    return waiting[: max(n, _MORE)] if waiting else np.flatnonzero(~solved).tolist()


def _touched(base: Base, sender: Sender, risk: str | float, n_days: int) -> Bools:
    """Tell at which providers the change can move anything, (providers,)."""
    plan, old = base.plan, base.plan.sender
    everywhere = risk != plan.risk or n_days != base.looked
    for field in ("window", "overflow", "kind", "limits", "capacity"):
        everywhere |= getattr(sender, field) != getattr(old, field)
    everywhere |= sender.audience != old.audience
    worlds_differ = (worlds(sender, base.choose, 3600.0) != worlds(old, base.choose, 3600.0)).any(axis=(0, 1))
    demand_differs = (sender.demand(n_days) != old.demand(n_days)).any(axis=1)
    return np.asarray(everywhere | worlds_differ | demand_differs)


def _expected(chosen: planning.Chosen, weights: Floats) -> int:
    """Return a few days more than the target will probably take."""
    middle = float(quantiles(chosen.days, weights, (0.5,))[0])
    return int(1.15 * middle) + 4 if np.isfinite(middle) else chosen.horizon


def _forecast(base: Base, sender: Sender, volume: Floats) -> Floats:
    """Return when each provider reaches its target as in a published forecast, (scenarios, providers)."""
    plan = base.plan
    run = Run(sender, base.fresh, plan.retry, plan.forecast.seed, SLOT_MINUTES, seen=base.task.seen)
    mailed = sender.targets() > 0.0
    rows, _ = run.counts(np.where(mailed[:, None], volume, 0.0)[:, None, :], plan.reaction)
    wrong = wrong_days_of(rows[INJECTED], rows[FIRST_TROUBLE])
    return reached_days(rows[INJECTED], wrong, sender.demand(volume.shape[1]), sender.targets())
