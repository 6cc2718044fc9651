"""What holds a ramp back on which days: who binds, and in which respect."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from planner.inputs.allocation import ceilings, placeable
from planner.inputs.catalogue import catalogue
from planner.optimizer import envelope
from planner.optimizer.envelope import BOUNCES, Nested, tolerated_along
from planner.optimizer.referee import mailed_rates, ramps, usable_hours
from planner.simulation.equations import RISE
from planner.simulation.forecast import REACHED
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
from planner.simulation.seen import NO_DAYS, SeenDays
from planner.simulation.simulator import worlds
from planner.vocabulary import Floats, agreeing, dates_text, rounded

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


_CLEARLY = 0.25
"""By so much, as a share, a parameter is made milder that is ordinary already."""
_NOBODY = -1


_OWN = tuple(OWN_LIMITS)


class Respect(NamedTuple):
    """One respect in which a scenario can be strict: the row of its world, and what it says in a phase's worlds."""

    kind: str
    row: int
    verb: tuple[str, str]
    rest: str


RESPECTS = (
    Respect("cold_allowance", W_COLD, ("takes", "take"), "at most {value} messages a day from a stranger"),
    Respect("growth", W_JUMP, ("tolerates", "tolerate"), "less than ×{value} from one send to the next"),
    Respect("fading", W_FADES_AT, ("lets", "let"), "growth halve once {value} messages a day are established"),
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
    nested = ramps(sender, base.fit, base.n_days, base.task.decided, most, base.task.seen)
    world = worlds(sender, base.fit, 3600.0)
    demand = sender.demand(base.n_days)
    complaint, bounce = mailed_rates(sender, demand)
    limits = _limiting(sender, n_days)
    rows = []
    for p, name in enumerate(sender.provider_names):
        own = np.ascontiguousarray(world[:, :, p].T)
        rates = (np.ascontiguousarray(complaint[p]), np.ascontiguousarray(bounce[p]))
        phases = _gate_phases(sender, name, n_days)
        if demand[p, base.task.n_seen : n_days].any():
            phases += _phases(base, nested[p], p, own, rates, demand[p], limits[p])
        rows += [_row(sender, name, phase, phase is phases[-1]) for phase in phases]
        rows += [_row(sender, name, phase, True) for phase in _exhausted(base.plan.schedule.volume[p])]
    return rows


def _phases(
    base: Base, nested: Nested, p: int, world: Floats, rates: tuple[Floats, Floats], demand: Floats, limits: Any
) -> list[Phase]:
    """Return the phases of one provider on the days left; `limits` (days,) as `_limiting`."""
    j, n_days = min(int(base.drops[p]), len(nested.volume) - 1), len(limits)
    limits = np.where(nested.binding[j, :n_days] == BOUNCES, _own("hard_bounce_limit"), limits)
    volume = nested.volume[j]
    full = volume >= (1.0 - REACHED) * demand - 0.5
    who = np.where(full, envelope.DEMAND, nested.binding[j])
    sends = np.flatnonzero((demand[:n_days] > 0.0) & (np.arange(n_days) >= base.task.n_seen))
    there = sends[volume[sends] >= (1.0 - REACHED) * demand.max() - 0.5]
    # a quiet weekday on the way up is no relief
    held = sends[who[sends] >= 0]
    arrived = sends >= (there[0] if len(there) else n_days)
    named = sends[(who[sends] >= 0) | (limits[sends] != _NOBODY) | arrived | (len(held) == 0)]
    names = limits[named].copy()
    if len(held):
        scenarios = np.unique(who[held])
        seen = NO_DAYS if base.task.seen is None else base.task.seen.memory(p)
        gains = _gains(
            world, scenarios, volume, rates, usable_hours(base.plan.sender), seen
        )  # (days, scenarios, respects)
        names[who[named] >= 0] = _steady(gains[held, np.searchsorted(scenarios, who[held])])
    phases = []
    for a, b in pairwise([0, *(np.flatnonzero(np.diff(names)) + 1).tolist(), len(names)]):
        until = named[b] if b < len(named) else n_days
        first, last = int(named[a]), int(sends[sends < until][-1])
        if names[a] < 0:
            phases.append(Phase(DEMAND if names[a] == _NOBODY else _OWN[-2 - names[a]], first, last))
        else:
            respect = RESPECTS[names[a]]
            values = world[respect.row, who[named[a:b]]]
            value = values.min() if respect.kind == "cooling" else values.max()
            phases.append(Phase(respect.kind, first, last, float(value)))
    return phases


def _limiting(sender: Sender, n_days: int) -> Any:
    """Tell which of the sender's own limits is below the demand, (providers, days) int array: `_own`, or `_NOBODY`."""
    demand = sender.demand(n_days)
    names = np.where(placeable(sender, n_days) < demand, _own("capacity"), _NOBODY)
    for name, most in ceilings(sender, n_days).items():
        names[most < demand] = _own(name)
    return names


def _own(name: str) -> int:
    """Number one of the sender's own limits, below `_NOBODY`."""
    return -2 - _OWN.index(name)


def _exhausted(volume: Floats) -> list[Phase]:
    """Tell from when on the most engaged segment does not suffice; volume (segments, days)."""
    beyond = np.flatnonzero(volume[1:].sum(axis=0) > 0.0)
    full = [d for d in beyond if volume[0, d] > 0.0]
    if not full or volume[1:, : full[0]].any() or full[0] == 0:
        return []
    return [Phase(SEGMENT, int(full[0]), volume.shape[1] - 1)]


def _gains(
    world: Floats, scenarios: Any, volume: Floats, rates: tuple[Floats, Floats], hours: float, seen: SeenDays
) -> Floats:
    """Return by what share each day would take more, were a scenario milder in one respect.

    Returns
    -------
    (days, scenarios, len(RESPECTS)) float array
    """
    n = len(RESPECTS) + 1
    columns = np.repeat(world[:, scenarios], n, axis=1)  # each scenario as it is, then milder in each respect
    for k, respect in enumerate(RESPECTS):
        columns[respect.row, k + 1 :: n] = _milder(respect, world[respect.row], scenarios)
    tolerated = tolerated_along(np.ascontiguousarray(columns), volume, *rates, hours, seen)
    tolerated = tolerated.reshape(len(volume), len(scenarios), n)
    return np.asarray(tolerated[:, :, 1:] / np.maximum(tolerated[:, :, :1], 1e-9) - 1.0)


def _milder(respect: Respect, values: Floats, scenarios: Any) -> Any:
    """Return what a parameter would be, were a scenario ordinary in this respect, or clearly milder if it is that."""
    own, ordinary = values[scenarios], np.median(values)
    if respect.kind in ("authentication", "complaints", "hard_bounces"):
        return 1.0  # what they cost at all
    if respect.kind == "cooling":
        return np.minimum(own * (1.0 - _CLEARLY), ordinary)
    least = 1.0 if respect.kind == "growth" else 0.0
    return np.maximum(least + (own - least) * (1.0 + _CLEARLY), ordinary)


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


def _row(sender: Sender, provider: str, phase: Phase, lasts: bool) -> dict[str, Any]:
    days = sender.dates(phase.last + 1)
    first, last = days[phase.first], days[phase.last]
    text = _text(sender, catalogue().provider(provider).name, phase, first, last, lasts)
    return {"provider": provider, "first": first, "last": last, "kind": phase.kind, "text": text}


def _text(sender: Sender, name: str, phase: Phase, first: date, last: date, lasts: bool) -> str:
    span = dates_text(first, last, sender.start)
    if phase.kind == DEMAND:
        since = "From the start" if first == sender.start else f"From {dates_text(first, first, sender.start)}"
        takes = f"{name} {agreeing(name, 'takes', 'take')} all you want to send."
        return f"{since} nothing holds it: {takes}" if lasts else f"{span}: nothing holds it, {takes}"
    if phase.kind == GATE:
        return f"{span}: {name} {agreeing(name, 'takes', 'take')} no mail before somebody there says yes."
    if phase.kind in OWN_LIMITS:
        return f"{span}: {OWN_LIMITS[phase.kind]} {'hold' if phase.kind == 'frequency_caps' else 'holds'} {name} back."
    if phase.kind == SEGMENT:
        segment = sender.audience.segments[0].name
        return (
            f"From {dates_text(first, first, sender.start)}: '{segment}' is used up at {name}; the next ones get mail."
        )
    respect = next(respect for respect in RESPECTS if respect.kind == phase.kind)
    what = respect.rest.format(value=_value(phase))
    return f"{span}: the worlds in which {name} {agreeing(name, *respect.verb)} {what} hold the ramp."


def _value(phase: Phase) -> str:
    value = phase.value
    if phase.kind == "growth":
        return f"{np.ceil(100.0 * (1.0 + (value - 1.0) * RISE)) / 100.0:.2f}"
    if phase.kind in ("cold_allowance", "fading", "history"):
        return rounded(value)
    return f"{100.0 * value:.2g} %"
