"""The slot loop of the simulation, compiled: arrays in, arrays out, one scenario and provider at a time.

Messages are counts, never objects. Those that wait lie in a ring of future slots, by attempt number and class. A
class is a fate drawn at birth (good address, bad address, hopeless mailbox) and the wait before the first
retry, on which the lifetime depends; greylisted mail has a class of its own until the provider's delay is over.
Mail to hopeless mailboxes, which no limiter ever sees, is tried again in hourly rounds: half the work otherwise.
Cost depends on slots, not on messages.

Random numbers are hashed from (seed, scenario, provider, slot, what for): every plan meets the same luck,
and the bits do not depend on threads or chunks.
"""

from typing import Any

import numpy as np

from planner.simulation.compiling import compiled, inlined
from planner.simulation.layout import (
    ALLOWANCE,
    BLOCKED,
    DELIVERED,
    ESTABLISHED,
    EXPIRED,
    FIRST_TROUBLE,
    HARD_BOUNCED,
    HOLD,
    INJECTED,
    N_ROWS,
    OVERFLOW,
    QUEUED,
    REPUTATION,
    SKIP,
    SPREAD,
    W_BLOCK_BELOW,
    W_ESTABLISHED,
    W_GREYLISTING_FADE,
    W_GREYLISTING_PROBABILITY,
    Inputs,
    Retries,
    Today,
)
from planner.simulation.memory import overnight, reputation_deferral, tolerated_today
from planner.simulation.queueing import clear, empty_queue
from planner.simulation.slots import OLDEST, days_held, run_day
from planner.vocabulary import HALF

POINTER, STEP, GOOD_POINTER, ANY_GOOD, RESTING = range(5)
"""The reaction's state: stage pointer, step, last good pointer, was there one, rest days to come."""


def run_chunk(first: int, last: int, inputs: Inputs, out: Any, delays: Any) -> None:
    """Simulate scenarios first..last-1; see `layout.Inputs` for what goes in.

    Parameters
    ----------
    out : (N_ROWS, scenarios, providers, days) float array, written
        Rows `layout.COUNTS`, then deferrals by cause in the order of `vocabulary.Cause`.
    delays : (scenarios, providers, N_DELAY_BINS) float array, written
        Delivered messages that were deferred at first, by delay.
    """
    _chunk(first, last, inputs, out, delays)


@compiled
def _chunk(first, last, inp, out, delays):  # type: ignore[no-untyped-def]
    queue, rounds, due = empty_queue(inp.attempts.shape[1], inp.nominal.shape[2], inp.ring_slots, inp.n_rounds)
    held = np.zeros(inp.volume.shape[1])
    for s in range(first, last):
        for p in range(inp.volume.shape[0]):
            _provider(s, p, inp, out, delays[s, p], queue, rounds, due, held)


@compiled
def _provider(s, p, inp, out, delays, queue, rounds, due, held):  # type: ignore[no-untyped-def]
    """All days of one scenario at one provider."""
    w = inp.world[s]
    memory = (w[W_ESTABLISHED, p], 1.0, 0.0, 0.0, 0.0)
    clear(queue, rounds)
    retries = Retries(
        inp.attempts[p],
        inp.class_of_cause[p],
        inp.wait_first[p],
        inp.wait_n[p],
        inp.wait_share[p],
        inp.wait_seconds[p],
        inp.wait_mean[p],
        inp.wait_rounds[p],
        inp.nominal[p],
        inp.early[s, p],
        inp.pause_slots[p],
        inp.round_slots,
    )
    day = np.zeros(N_ROWS)
    limiter = np.array([-1.0, -1.0, 0.0, 0.0, 0.0])
    begins = float(inp.first_stage[p])
    mind = np.array([begins, 1.0, max(0.0, begins - 1.0), min(1.0, begins), 0.0])
    backlog = np.zeros(1)
    last_seven = np.zeros(7)
    segment_peaks = np.zeros(inp.mix.shape[2])
    complaint_rate = 0.0
    queued = 0.0
    active_days = 0.0

    for d in range(inp.volume.shape[1]):
        day[:] = 0.0
        established, reputation = memory[0], memory[1]
        tolerated = tolerated_today(w, p, established, reputation)
        day[REPUTATION] = reputation
        day[ALLOWANCE] = tolerated
        day[ESTABLISHED] = established
        happened = d < inp.seen.shape[1]
        held[d] = inp.demand[p, d]
        if happened:
            volume = _days_counts(p, d, inp, backlog, limiter, held, day)
        else:
            volume = _todays_volume(p, d, inp, mind, backlog, day)
        bad_share = 0.0
        if volume > 0.0:
            bad_share, complaint_rate = _todays_rates(p, d, inp, mind, volume, segment_peaks, happened)
        by_reputation = reputation < w[W_BLOCK_BELOW, p]
        today = Today(
            tolerated,
            reputation_deferral(reputation),
            w[W_GREYLISTING_PROBABILITY, p] * np.exp(-w[W_GREYLISTING_FADE, p] * active_days),
            by_reputation or d < inp.opens[p],
            volume,
            bad_share,
            inp.overflow == HOLD,
        )
        if happened:
            complaint_rate = inp.seen_complaint_rate[p, d]
        else:
            run_day(
                d, p, w, today, retries, inp.keys[s, p], inp.sampled, inp.slot_seconds, inp.pace[p], limiter, held,
                queue, rounds, due, day, delays,
            )  # fmt: skip

        queued += day[INJECTED] - day[DELIVERED] - day[HARD_BOUNCED] - day[BLOCKED] - day[EXPIRED]
        day[QUEUED] = max(0.0, queued)
        for row in range(N_ROWS):
            out[row, s, p, d] = day[row]
        last_seven[d % 7] = day[DELIVERED]
        memory = overnight(
            w,
            p,
            memory,
            day[DELIVERED],
            day[HARD_BOUNCED],
            volume,
            tolerated,
            complaint_rate,
            last_seven.max(),
        )
        if day[DELIVERED] >= 0.5:
            active_days += 1.0

        trouble_share = min(1.0, day[FIRST_TROUBLE] / volume) if volume > 0.0 else 0.0
        if inp.reaction.shape[0] > 0 and volume > 0.0 and not happened:
            _react(
                inp.reaction,
                inp.n_stages[p],
                trouble_share,
                day[FIRST_TROUBLE],
                by_reputation and day[BLOCKED] > 0.0,
                mind,
            )


@compiled
def _todays_volume(p, d, inp, mind, backlog, day):  # type: ignore[no-untyped-def]
    """The day's new messages."""
    demand = inp.demand[p, d]
    wanted = demand
    if demand > 0.0 and inp.overflow == SPREAD:
        wanted = max(demand, min(inp.target[p], demand + backlog[0]))
    elif demand > 0.0 and inp.overflow == HOLD:
        wanted = demand + backlog[0]
    volume = inp.volume[p, d]
    if inp.reaction.shape[0] > 0 and volume > 0.0:
        if mind[RESTING] > 0.0:
            mind[RESTING] -= 1.0
            volume = 0.0
        else:
            stage = _stage(inp.stage_volume[p], inp.n_stages[p], mind[POINTER])
            volume = min(stage, min(wanted, inp.ceiling[p, d]))
    if inp.sampled:
        volume = np.floor(volume + HALF)
    day[INJECTED] = volume
    _leave_over(demand, volume, inp.overflow, backlog, day)
    return volume


@compiled
def _days_counts(p, d, inp, backlog, limiter, held, day):  # type: ignore[no-untyped-def]
    """Enter the counts of a day that happened; returns its new messages."""
    for row in range(N_ROWS):
        if row < REPUTATION or row > ESTABLISHED:
            day[row] = inp.seen[p, d, row]
    volume = day[INJECTED]
    _leave_over(inp.demand[p, d], volume, inp.overflow, backlog, day)
    if inp.overflow == HOLD and volume > 0.0:
        _, oldest = days_held(held, int(limiter[OLDEST]), d, volume)
        limiter[OLDEST] = oldest
    return volume


@inlined
def _leave_over(demand, volume, overflow, backlog, day):  # type: ignore[no-untyped-def]
    """Note what of the day's demand is not sent."""
    if demand > 0.0:
        backlog[0] = max(0.0, backlog[0] + demand - volume)
    day[OVERFLOW] = max(0.0, demand - volume) if overflow == SKIP else backlog[0]


@compiled
def _stage(stages, n_stages, pointer):  # type: ignore[no-untyped-def]
    """Volume at a real-valued pointer: geometric between two stages, halved below the first."""
    if pointer < 0.0:
        return max(1.0, stages[0] / 2.0 ** (-pointer))
    low = int(pointer)
    if low >= n_stages - 1:
        return stages[n_stages - 1]
    x = pointer - low
    return stages[low] if x == 0.0 else stages[low] ** (1.0 - x) * stages[low + 1] ** x


@compiled
def _todays_rates(p, d, inp, mind, volume, peaks, happened):  # type: ignore[no-untyped-def]
    """Share of bad addresses and complaint rate of the segments that are mailed today."""
    low = high = d
    between = 0.0
    if inp.reaction.shape[0] > 0 and not happened:
        last = inp.n_stages[p] - 1
        position = min(max(mind[POINTER], 0.0), float(last))
        low = inp.stage_day[p, int(position)]
        high = inp.stage_day[p, min(last, int(position) + 1)]
        between = position - int(position)
    bad = 0.0
    complaints = 0.0
    for g in range(peaks.shape[0]):
        share = (1.0 - between) * inp.mix[p, low, g] + between * inp.mix[p, high, g]
        first_contacts = volume * share if inp.transactional else max(0.0, volume * share - peaks[g])
        peaks[g] = max(peaks[g], volume * share)
        bad += first_contacts * inp.hard_bounce_rate[p, g]
        complaints += share * inp.complaint_rate[p, g]
    return bad / volume, complaints


@compiled
def _react(reaction, n_stages, share, troubled, blocked, mind):  # type: ignore[no-untyped-def]
    """Move the stage pointer the morning after a day with mail; `reaction` as `Reaction.to_array`."""
    hold_above, hold_messages, back_above, back_stages, cut, recovery, rest_days = (
        reaction[0],
        reaction[1],
        reaction[2],
        reaction[3],
        reaction[4],
        reaction[5],
        reaction[6],
    )
    if not blocked and not (share > hold_above and troubled >= hold_messages):
        mind[GOOD_POINTER] = mind[POINTER]
        mind[ANY_GOOD] = 1.0
        mind[POINTER] = min(n_stages - 1.0, mind[POINTER] + mind[STEP])
        mind[STEP] = min(1.0, recovery * mind[STEP])
        return
    if mind[ANY_GOOD] == 0.0:
        mind[POINTER] -= 1.0
    else:
        if blocked or share > back_above:
            mind[GOOD_POINTER] -= back_stages
        mind[POINTER] = mind[GOOD_POINTER]
    mind[STEP] *= cut
    if blocked:
        mind[RESTING] = rest_days
