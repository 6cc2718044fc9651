"""What holds a ramp back on which days: who binds, and in which respect."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from planner.inputs.catalogue import catalogue
from planner.optimizer.allocation import ceilings, placeable
from planner.optimizer.envelope import BOUNCES, Nested, tolerated_along
from planner.optimizer.referee import mailed_rates, ramps, usable_hours
from planner.simulation.equations import RISE
from planner.simulation.layout import (
    W_AUTH,
    W_COLD,
    W_COMPLAINT_LIMIT,
    W_ESTABLISHED,
    W_FADES_AT,
    W_HARD_BOUNCE_LIMIT,
    W_HOURLY_SHARE,
    W_IDLE_DECAY,
    W_JUMP,
)
from planner.simulation.simulator import worlds
from planner.vocabulary import Floats, dates_text, rounded

if TYPE_CHECKING:
    from planner.inputs.sender import Sender
    from planner.optimizer.resolving import Base

DEMAND, GATE, SEGMENT = "demand", "gate", "segment"
OWN_LIMITS = {
    "frequency_caps": "your frequency caps",
    "complaint_limit": "your own limit on complaints",
    "hard_bounce_limit": "your own limit on hard bounces",
    "capacity": "your capacity",
}
_STAYS = 0.85
"""A respect goes on to be named while it matters at least this much of what the most important one does."""


class Respect(NamedTuple):
    """One respect in which a scenario can be strict: the row of its world, and what it says in a phase's worlds."""

    kind: str
    row: int
    verb: tuple[str, str]
    rest: str


RESPECTS = (
    Respect("cold_allowance", W_COLD, ("takes", "take"), "at most {value} messages a day from a stranger"),
    Respect("growth", W_JUMP, ("tolerates", "tolerate"), "less than ×{value} from one send to the next"),
    Respect("fading", W_FADES_AT, ("lets", "let"), "growth halve at {value} messages a day"),
    Respect("hourly_share", W_HOURLY_SHARE, ("takes", "take"), "at most {value} of a day's allowance in an hour"),
    Respect("history", W_ESTABLISHED, ("counts", "count"), "at most {value} messages a day of what you sent before"),
    Respect("cooling", W_IDLE_DECAY, ("forgets", "forget"), "{value} a day of what a quiet week does not confirm"),
    Respect("authentication", W_AUTH, ("leaves", "leave"), "{value} of the allowance where authentication is missing"),
    Respect("complaints", W_COMPLAINT_LIMIT, ("tolerates", "tolerate"), "less than {value} complaints"),
    Respect("hard_bounces", W_HARD_BOUNCE_LIMIT, ("tolerates", "tolerate"), "less than {value} hard bounces"),
)
"""The kinds beside `demand` and `gate`."""


@dataclass(frozen=True)
class Phase:
    """Consecutive send days on which one respect binds; day indices, both included."""

    kind: str
    first: int
    last: int
    value: float = np.nan


def binding_rows(base: Base) -> list[dict[str, Any]]:
    """Return what binds, phase by phase: provider, first, last, kind, text."""
    sender, n_days = base.plan.sender, len(base.plan.schedule.dates)
    most = int(np.ceil(base.drops.max(initial=0.0)))
    nested = ramps(sender, base.fit, base.n_days, base.task.decided, most)
    world = worlds(sender, base.fit, 3600.0)
    demand = sender.demand(base.n_days)
    complaint, bounce = mailed_rates(sender, demand)
    limits = _limiting(sender, n_days)
    rows = []
    for p, name in enumerate(sender.provider_names):
        own = np.ascontiguousarray(world[:, :, p].T)
        rates = (np.ascontiguousarray(complaint[p]), np.ascontiguousarray(bounce[p]))
        phases = _gate_phases(sender, name, n_days)
        if demand[p, :n_days].any():
            phases += _phases(nested[p], int(base.drops[p]), own, rates, usable_hours(sender), demand[p], n_days)
            phases = _own_limits(phases, limits[p])
            phases += _exhausted(base.plan.schedule.volume[p])
        rows += [_row(sender, name, phase) for phase in phases]
    return rows


def _phases(
    nested: Nested, drops: int, world: Floats, rates: tuple[Floats, Floats], hours: float, demand: Floats, n_days: int
) -> list[Phase]:
    j = min(drops, len(nested.volume) - 1)
    volume, who = nested.volume[j], nested.binding[j]
    sends = np.flatnonzero(demand[:n_days] > 0.0)
    held = sends[who[sends] >= 0]
    free = sends[sends > held[-1]] if len(held) else sends
    phases: list[Phase] = []
    if len(held):
        scenarios = np.unique(who[held])
        gains = _gains(world, scenarios, volume, rates, hours)  # (days, scenarios, respects)
        names = _steady(gains[held, np.searchsorted(scenarios, who[held])])
        cuts = [0, *(np.flatnonzero(np.diff(names)) + 1).tolist(), len(names)]
        for a, b in pairwise(cuts):
            respect = RESPECTS[names[a]]
            values = world[respect.row, who[held[a:b]]]
            value = values.min() if respect.kind == "cooling" else values.max()
            last = held[b] - 1 if b < len(held) else held[-1]
            last = int(sends[sends <= last][-1])
            phases.append(Phase(respect.kind, int(held[a]), last, float(value)))
    if len(free):
        bounce = free[who[free] == BOUNCES]
        if len(bounce):
            phases.append(Phase("hard_bounce_limit", int(bounce[0]), int(bounce[-1])))
            free = free[free > bounce[-1]]
    if len(free):
        phases.append(Phase(DEMAND, int(free[0]), int(free[-1])))
    return phases


def _limiting(sender: Sender, n_days: int) -> Any:
    """Name the sender's own limit that is below the demand, (providers, days) array of text, "" for none."""
    demand = sender.demand(n_days)
    names = np.where(placeable(sender, n_days) < demand, "capacity", "").astype(object)
    for name, most in ceilings(sender, n_days).items():
        names[most < demand] = name
    return names


def _own_limits(phases: list[Phase], limits: Any) -> list[Phase]:
    """Name what the sender forbids itself, on days on which no provider does."""
    found: list[Phase] = []
    for phase in phases:
        if phase.kind != DEMAND:
            found.append(phase)
            continue
        days = np.arange(phase.first, phase.last + 1)
        kinds = [limits[d] or DEMAND for d in days]
        cuts = [0, *(k for k in range(1, len(kinds)) if kinds[k] != kinds[k - 1]), len(kinds)]
        # a day without mail between two of a kind is none of its own
        found += [Phase(kinds[a], int(days[a]), int(days[b - 1])) for a, b in pairwise(cuts)]
    return found


def _exhausted(volume: Floats) -> list[Phase]:
    """Tell from when on the most engaged segment does not suffice; volume (segments, days)."""
    beyond = np.flatnonzero(volume[1:].sum(axis=0) > 0.0) if len(volume) > 1 else []
    full = [d for d in beyond if volume[0, d] > 0.0]
    if not full or volume[1:, : full[0]].any() or full[0] == 0:
        return []
    return [Phase(SEGMENT, int(full[0]), volume.shape[1] - 1)]


def _gains(world: Floats, scenarios: Any, volume: Floats, rates: tuple[Floats, Floats], hours: float) -> Floats:
    """Return by what factor each day would take more, were a scenario ordinary in one respect.

    Returns
    -------
    (days, scenarios, len(RESPECTS)) float array
    """
    ordinary = np.median(world, axis=1)
    n = len(RESPECTS) + 1
    columns = np.repeat(world[:, scenarios], n, axis=1)  # each scenario as it is, then ordinary in each respect
    for k, respect in enumerate(RESPECTS):
        columns[respect.row, k + 1 :: n] = ordinary[respect.row]
    for row in (W_COMPLAINT_LIMIT, W_HARD_BOUNCE_LIMIT):  # what the rates cost at all, not beside others
        k = next(k for k, respect in enumerate(RESPECTS) if respect.row == row)
        columns[row, k + 1 :: n] = 1.0
    k = next(k for k, respect in enumerate(RESPECTS) if respect.row == W_AUTH)
    columns[W_AUTH, k + 1 :: n] = 1.0
    tolerated = tolerated_along(np.ascontiguousarray(columns), volume, *rates, hours)
    tolerated = tolerated.reshape(len(volume), len(scenarios), n)
    return np.asarray(tolerated[:, :, 1:] / np.maximum(tolerated[:, :, :1], 1e-9) - 1.0)


def _steady(gains: Floats) -> Any:
    """Return the most important respect of each day, without change for little; gains (days, respects)."""
    best = gains.argmax(axis=1)
    for d in range(1, len(best)):
        if gains[d, best[d - 1]] >= _STAYS * gains[d].max():
            best[d] = best[d - 1]
    return best


def _gate_phases(sender: Sender, name: str, n_days: int) -> list[Phase]:
    if catalogue().provider(name).gate is None:
        return []
    admitted = sender.admissions.get(name)
    shut = n_days if admitted is None else min(n_days, (admitted - sender.start).days)
    return [Phase(GATE, 0, shut - 1)] if shut > 0 else []


def _row(sender: Sender, provider: str, phase: Phase) -> dict[str, Any]:
    days = sender.dates(phase.last + 1)
    first, last = days[phase.first], days[phase.last]
    text = _text(sender, catalogue().provider(provider).name, phase, first, last)
    return {"provider": provider, "first": first, "last": last, "kind": phase.kind, "text": text}


def _text(sender: Sender, name: str, phase: Phase, first: date, last: date) -> str:
    several = " and " in name or name.startswith("All ")
    if phase.kind == DEMAND:
        since = "From the start" if first == sender.start else f"From {dates_text(first, first, sender.start)}"
        return f"{since} nothing holds it: {name} {'take' if several else 'takes'} all you want to send."
    span = dates_text(first, last, sender.start)
    if phase.kind == GATE:
        return f"{span}: {name} {'take' if several else 'takes'} no mail before somebody there says yes."
    if phase.kind in OWN_LIMITS:
        return f"{span}: {OWN_LIMITS[phase.kind]} {'hold' if phase.kind == 'frequency_caps' else 'holds'} {name} back."
    if phase.kind == SEGMENT:
        segment = sender.audience.segments[0].name
        return (
            f"From {dates_text(first, first, sender.start)}: '{segment}' is used up at {name}; the next ones get mail."
        )
    respect = next(respect for respect in RESPECTS if respect.kind == phase.kind)
    what = respect.rest.format(value=_value(phase))
    return f"{span}: the worlds in which {name} {respect.verb[several]} {what} hold the ramp."


def _value(phase: Phase) -> str:
    value = phase.value
    if phase.kind == "growth":
        return f"{np.ceil(100.0 * (1.0 + (value - 1.0) * RISE)) / 100.0:.2f}"
    if phase.kind in ("cold_allowance", "fading", "history"):
        return rounded(value)
    return f"{100.0 * value:.2g} %"
