"""The largest ramp that a set of scenarios tolerates, and the order in which to give scenarios up.

What a scenario tolerates today is nondecreasing in what was sent before, so the largest ramp of a set is found
forward in time: each day the least that any kept scenario tolerates, given the days before. (The least of each
scenario's own best ramp is not feasible: the memory was never built.) Exact for a uniform pace, windows up
to 23 hours and rates within their limits.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from planner.simulation.compiling import compiled
from planner.simulation.layout import W_BLOCK_BELOW, W_ESTABLISHED, W_HOURLY_SHARE, W_STUCK_SHARE
from planner.simulation.memory import overnight, tolerated_today
from planner.simulation.seen import NO_DAYS, SeenDays
from planner.vocabulary import Floats


class Nested(NamedTuple):
    """Ramps of one provider after 0, 1, 2 … scenarios were given up; each contains the one before.

    `volume` (drops + 1, days) float array, whole messages; `dropped` (drops,) scenario given up at each step;
    `binding` (drops + 1, days) int array: scenario that caps the day, `DEMAND` or `BOUNCES`.
    """

    volume: Floats
    dropped: Floats
    binding: Floats


DEMAND, BOUNCES = -1, -2
"""Who caps a day if no scenario does: what is wanted, or the sender's own limit on hard bounces."""


class Contacts(NamedTuple):
    """How a day's mail fills the segments, for the sender's own limit on hard bounces; G segments.

    `most` (G, days) float array, messages that a segment takes, most engaged first; `hard_bounce_rate` (G,) float
    array; `limit` share of the day's mail that may bounce, only first contacts do.
    """

    most: Floats
    hard_bounce_rate: Floats
    limit: float


def nested_ramps(
    world: Floats,
    demand: Floats,
    complaint_rate: Floats,
    hard_bounce_rate: Floats,
    hours: float,
    most: int,
    upto: float = 0.0,
    contacts: Contacts | None = None,
    fixed: Floats | None = None,
    room: Floats | None = None,
    seen: SeenDays = NO_DAYS,
) -> Nested:
    """Return the ramp of all scenarios, and of ever fewer.

    One scenario is given up at a time: among those that cap the ramp on some day, the one whose removal gains most
    volume over the horizon; on a tie the one that binds on most days, then the lowest index. Hence one
    pass holds the ramp for every risk.

    Parameters
    ----------
    world : (len(layout.WORLD), scenarios) float array
        One provider's parameters, see `simulation.simulator.worlds`.
    demand : (days,) float array, messages
    complaint_rate, hard_bounce_rate : (days,) float array
        Rates of the segments a day's ramp would mail.
    hours : float, h
        Hours of the hourly share that a day's mail can use: the window's refill and a full bucket.
    most : int
        How many scenarios to give up at most.
    upto : float, messages/day
        Mail that was not sent adds to the demand of later days up to this; 0 where it does not.
    contacts : Contacts, optional
        Where the sender limits its hard bounces.
    fixed : (days,) float array, messages, optional
        Volumes that are decided already, negative where they are not. What a scenario refuses of such a day
        counts as excess there; what it takes builds its memory.
    room : (days,) float array, messages, optional
        What the sender's own limits allow on a day, also for mail that is made up for.
    seen : SeenDays
        The first days, where they have happened: what was sent is their volume in every ramp, and what was delivered
        is what the scenarios remember.

    Returns
    -------
    Nested
        Ends early when the demand alone limits the ramp.
    """
    wish = Wish(
        demand,
        upto,
        np.full(len(demand), -1.0) if fixed is None else fixed,
        complaint_rate,
        hard_bounce_rate,
        hours,
        contacts or Contacts(np.full((1, len(demand)), np.inf), np.zeros(1), np.inf),
        np.full(len(demand), np.inf) if room is None else room,
    )
    volume, dropped, binding, n = _nested(world, wish, seen, most)
    return Nested(volume[: n + 1], dropped[:n], binding[: n + 1])


def tolerated_along(
    world: Floats,
    volume: Floats,
    complaint_rate: Floats,
    hard_bounce_rate: Floats,
    hours: float,
    seen: SeenDays = NO_DAYS,
) -> Floats:
    """Return what every scenario tolerates on each day of a ramp that is followed to the letter.

    Parameters
    ----------
    world, complaint_rate, hard_bounce_rate, hours, seen
        As for `nested_ramps`.
    volume : (days,) float array, messages

    Returns
    -------
    (days, scenarios) float array, messages
    """
    return np.asarray(_along(world, volume, complaint_rate, hard_bounce_rate, hours, seen))


class Wish(NamedTuple):
    """What is wanted of one provider; see the parameters of `nested_ramps`."""

    demand: Any
    upto: float
    decided: Any
    complaint_rate: Any
    hard_bounce_rate: Any
    hours: float
    contacts: Any
    room: Any


class _Track(NamedTuple):
    """One ramp and what every scenario remembers of it; a row per day.

    `volume`, `binding` (days,); `sure` (days,): the day's volume less first contacts that bounce; `memory` (days + 1,
    5, scenarios), see `simulation.memory.overnight`.
    """

    volume: Any
    binding: Any
    sure: Any
    memory: Any


@compiled
def _tolerated(world, s, memory, hours):  # type: ignore[no-untyped-def]
    """What a scenario tolerates of a day that begins with this `memory` (5, scenarios), messages."""
    today = tolerated_today(world, s, memory[0, s], memory[1, s])
    accepts = 1.0 if memory[1, s] >= world[W_BLOCK_BELOW, s] else 0.0
    return today * min(1.0, world[W_HOURLY_SHARE, s] * hours) * accepts


@compiled
def _sleep(world, d, sure, bounced, complaint_rate, decided, hours, seen, memory):  # type: ignore[no-untyped-def]
    """Write what every scenario remembers on the morning after day `d`; see `_Track`.

    Where the volume is `decided`, not negative, a scenario may tolerate less of it: the rest is excess.
    """
    peak = 0.0
    seen_peak = 0.0
    for before in range(max(0, d - 6), d + 1):
        if before < seen.sent.shape[0]:
            seen_peak = max(seen_peak, seen.delivered[before])
        else:
            peak = max(peak, sure[before])
    for s in range(world.shape[1]):
        arrives = 1.0 - world[W_STUCK_SHARE, s]
        morning = (memory[d, 0, s], memory[d, 1, s], memory[d, 2, s], memory[d, 3, s], memory[d, 4, s])
        through, new, allowed = sure[d], 0.0, 1.0
        if decided >= 0.0:
            new, allowed = decided, tolerated_today(world, s, memory[d, 0, s], memory[d, 1, s])
            through = min(through, allowed * min(1.0, world[W_HOURLY_SHARE, s] * hours))
        tomorrow = overnight(
            world,
            s,
            morning,
            through * arrives,
            bounced * arrives,
            new,
            allowed,
            complaint_rate[d],
            max(peak * arrives, seen_peak),
        )
        for i in range(5):
            memory[d + 1, i, s] = tomorrow[i]


@compiled
def _first_contacts(contacts, d, v, peaks):  # type: ignore[no-untyped-def]
    """Note the segments' largest days once v messages are sent on day d."""
    for g in range(peaks.shape[0]):
        taken = min(v, contacts.most[g, d])
        peaks[g] = max(peaks[g], taken)
        v -= taken


@compiled
def _within_bounces(contacts, d, v, peaks):  # type: ignore[no-untyped-def]
    """Largest volume up to v of which no more than the limit bounces; `peaks` (G,) the segments' largest days."""
    upto = bounces = best = 0.0
    for g in range(peaks.shape[0]):
        rate = contacts.hard_bounce_rate[g]
        taken = min(v - upto, contacts.most[g, d])
        known = min(taken, peaks[g])
        slack = contacts.limit * (upto + known) - bounces
        if slack >= 0.0:
            best = upto + known
        new = taken - known
        gain = contacts.limit - rate
        if slack + gain * new >= 0.0:
            best = upto + taken
        elif slack > 0.0:
            best = upto + known + min(new, slack / -gain)
        bounces += rate * new
        upto += taken
    # what goes beyond one message an address goes to addresses that are known by then
    return v if v > upto and contacts.limit * v >= bounces else best


@compiled
def _extend(world, lost, wish, seen, start, track, tolerated):  # type: ignore[no-untyped-def]
    """Find the ramp of the kept scenarios from day `start` on, the days before being given; returns its sum.

    `lost` (scenarios,) is 0 for a kept scenario and infinite for one that was given up.
    """
    n_scenarios = world.shape[1]
    demand, upto, decided, complaint_rate, hard_bounce_rate, hours, contacts, room = wish
    volume, binding, sure, memory = track
    most_before = 0.0
    total = 0.0
    backlog = 0.0
    limited = contacts.limit < np.inf
    peaks = np.zeros(contacts.most.shape[0])
    for d in range(start):
        most_before = max(most_before, volume[d])
        if limited:
            _first_contacts(contacts, d, volume[d], peaks)
        total += volume[d]
        backlog = max(0.0, backlog + demand[d] - volume[d])
    for d in range(start, demand.shape[0]):
        wanted = demand[d]
        if wanted > 0.0:
            wanted = max(wanted, np.floor(min(min(upto, room[d]), wanted + backlog) + 1e-9))
        least = wanted
        who = DEMAND
        if decided[d] >= 0.0:
            least = decided[d]
        elif least > 0.0:
            for s in range(n_scenarios):
                tolerated[s] = _tolerated(world, s, memory[d], hours) + lost[s]
            for s in range(n_scenarios):
                if tolerated[s] < least:
                    least = tolerated[s]
                    who = s
            if who >= 0:  # whole messages; a single one harms nobody
                least = min(wanted, max(1.0, np.floor(least + 1e-9)))
            if limited:
                within = min(least, max(1.0, np.floor(_within_bounces(contacts, d, least, peaks) + 1e-9)))
                if within < least:
                    least = within
                    who = BOUNCES
        if limited:
            _first_contacts(contacts, d, least, peaks)
        volume[d] = least
        binding[d] = who
        total += least
        backlog = max(0.0, backlog + demand[d] - least)
        bounced = max(0.0, least - most_before) * hard_bounce_rate[d]
        most_before = max(most_before, least)
        sure[d] = least - bounced
        _sleep(world, d, sure, bounced, complaint_rate, decided[d], hours, seen, memory)
    return total


@compiled
def _along(world, volume, complaint_rate, hard_bounce_rate, hours, seen):  # type: ignore[no-untyped-def]
    n_days, n_scenarios = volume.shape[0], world.shape[1]
    memory = _first_mornings(world, n_days, seen)
    sure = np.zeros(n_days)
    tolerated = np.zeros((n_days, n_scenarios))
    most_before = 0.0
    for d in range(n_days):
        for s in range(n_scenarios):
            tolerated[d, s] = _tolerated(world, s, memory[d], hours)
        bounced = max(0.0, volume[d] - most_before) * hard_bounce_rate[d]
        most_before = max(most_before, volume[d])
        sure[d] = volume[d] - bounced
        if d >= seen.sent.shape[0]:
            _sleep(world, d, sure, bounced, complaint_rate, -1.0, hours, seen, memory)
    return tolerated


@compiled
def _first_mornings(world, n_days, seen):  # type: ignore[no-untyped-def]
    """What every scenario remembers on the first morning, and after each day that happened; see `_Track`."""
    memory = np.zeros((n_days + 1, 5, world.shape[1]))
    memory[0, 0] = world[W_ESTABLISHED]
    memory[0, 1] = 1.0
    for d in range(min(n_days, seen.sent.shape[0])):
        peak = 0.0
        for before in range(max(0, d - 6), d + 1):
            peak = max(peak, seen.delivered[before])
        for s in range(world.shape[1]):
            morning = (memory[d, 0, s], memory[d, 1, s], memory[d, 2, s], memory[d, 3, s], memory[d, 4, s])
            tomorrow = overnight(
                world,
                s,
                morning,
                seen.delivered[d],
                seen.hard_bounced[d],
                seen.sent[d],
                tolerated_today(world, s, memory[d, 0, s], memory[d, 1, s]),
                seen.complaint_rate[d],
                peak,
            )
            for i in range(5):
                memory[d + 1, i, s] = tomorrow[i]
    return memory


@compiled
def _copy(source, target, start):  # type: ignore[no-untyped-def]
    """Copy the days before `start`, and the morning of it, from one track to another."""
    for d in range(start):
        target.volume[d] = source.volume[d]
        target.binding[d] = source.binding[d]
        target.sure[d] = source.sure[d]
    for i in range(source.memory.shape[1]):
        for s in range(source.memory.shape[2]):
            target.memory[start, i, s] = source.memory[start, i, s]


@compiled
def _nested(world, wish, seen, most):  # type: ignore[no-untyped-def]
    n_scenarios = world.shape[1]
    n_days = wish.demand.shape[0]
    memory = _first_mornings(world, n_days, seen)
    today = min(n_days, seen.sent.shape[0])
    base = _Track(np.zeros(n_days), np.full(n_days, -1), np.zeros(n_days), memory)
    trial = _Track(np.zeros(n_days), np.full(n_days, -1), np.zeros(n_days), memory.copy())
    tolerated = np.zeros(n_scenarios)
    lost = np.zeros(n_scenarios)
    volumes = np.zeros((most + 1, n_days))
    bindings = np.full((most + 1, n_days), -1)
    dropped = np.full(most, -1)
    binds = np.zeros(n_scenarios, dtype=np.int64)
    first_bind = np.zeros(n_scenarios, dtype=np.int64)
    base.volume[:today] = seen.sent[:today]
    _extend(world, lost, wish, seen, today, base, tolerated)
    volumes[0] = base.volume
    bindings[0] = base.binding
    n = 0
    while n < most:
        binds[:] = 0
        for d in range(n_days - 1, -1, -1):
            s = base.binding[d]
            if s >= 0:
                binds[s] += 1
                first_bind[s] = d
        best = -1
        best_total = -1.0
        for s in range(n_scenarios):
            if binds[s] == 0:
                continue
            lost[s] = np.inf
            start = first_bind[s]
            _copy(base, trial, start)
            total = _extend(world, lost, wish, seen, start, trial, tolerated)
            lost[s] = 0.0
            if total > best_total or (total == best_total and binds[s] > binds[best]):
                best = s
                best_total = total
        if best < 0:
            break
        lost[best] = np.inf
        start = first_bind[best]
        _extend(world, lost, wish, seen, start, base, tolerated)
        dropped[n] = best
        n += 1
        volumes[n] = base.volume
        bindings[n] = base.binding
    return volumes, dropped, bindings, n
