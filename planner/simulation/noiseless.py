"""The slots of one day at a provider of which nothing is known but its limiter, compiled: for `learning` to run often.

The same rules as in `slots`, with every noise off: all addresses are good, no mailbox is hopeless, and no chance is
drawn. Messages are fractions, and each waits as long as its policy waits on average: a fifth to a tenth of the cost.
"""

import numpy as np

from planner.simulation.compiling import borrowing, compiled, inlined
from planner.simulation.layout import LIMIT, N_CAUSES, PENALTY
from planner.simulation.slots import BUCKET, CLOSED_UNTIL, PENALTY_FROM, REST_UNTIL

_MOST_PASSES = 16
_NEGLIGIBLE = 0.02
"""Messages: fewer that are due at once pass in any case."""


@compiled
def empty_line(attempts, class_of_cause, ring_slots):  # type: ignore[no-untyped-def]
    """Make room for one provider's queue, used again for each scenario.

    Returns
    -------
    line : (ring slots, kinds × attempts) float array
        Messages due, by kind and attempt number. Kinds are what the limit deferred at first and what a closed door
        did, one where both live as long.
    top : (ring slots,) int array
        Cells of each slot that may hold any.
    lives : (kinds,) int array
        Attempts until a message expires.
    """
    lives = np.array([attempts[class_of_cause[LIMIT]], attempts[class_of_cause[PENALTY]]])
    if lives[0] == lives[1]:
        lives = lives[:1]
    return np.zeros((ring_slots, lives.shape[0] * lives.max())), np.zeros(ring_slots, np.int64), lives


@compiled
def clear_line(line, top):  # type: ignore[no-untyped-def]
    """Empty the whole queue."""
    for at in range(top.shape[0]):
        for cell in range(top[at]):
            line[at, cell] = 0.0
        top[at] = 0


@borrowing
def run_limiter(  # type: ignore[no-untyped-def]
    d, volume, tolerated, hourly_share, rejection_cost, rejected_share, closing, closes, blocks, slot_seconds, pace,
    wait_mean, pause_slots, limiter, line, top, lives,
):  # fmt: skip
    """Run day d: `volume` new messages meet a provider that tolerates so many.

    `closes` tells whether excess closes the door, for `closing` slots; `blocks` whether everything is answered 5xx;
    `wait_mean` (R,) slots as in `backoff.Backoff`; `limiter` (5,) see `slots.BUCKET`, `line`, `top` as `empty_line`
    returns them, changed.

    Returns
    -------
    delivered, blocked, expired, first_deferred : float, messages
        `first_deferred` first attempts deferred.
    """
    n_slots, length, n_attempts = pace.shape[0], top.shape[0], line.shape[1] // lives.shape[0]
    size = max(1.0, hourly_share * tolerated)
    refill = hourly_share * tolerated * slot_seconds / 3600.0
    bucket = size if limiter[BUCKET] < 0.0 else min(limiter[BUCKET], size)
    closed_until = limiter[CLOSED_UNTIL]
    rest_until = int(limiter[REST_UNTIL])
    used = 0.0
    refusals = 0.0
    before = 0.0
    delivered = blocked = expired = first_deferred = 0.0
    start = d * n_slots
    at = start % length - 1
    for i in range(n_slots):
        now = start + i
        at = at + 1 if at + 1 < length else 0
        bucket = min(size, bucket + refill)
        new = volume * (pace[i] - before)
        before = pace[i]
        if new > 0.0:
            line[at, 0] += new
            top[at] = max(top[at], 1)
        if top[at] == 0:
            continue
        if now < rest_until:
            _postpone(line, top, at, rest_until % length)
            continue
        closed = now < closed_until
        hurt = False
        passes = 0
        while top[at] > 0:
            passes += 1
            n_cells = top[at]
            top[at] = 0
            total = 0.0
            for cell in range(n_cells):
                total += line[at, cell]
            first = line[at, 0]
            over = 0.0
            if blocks:
                blocked += total
            elif closed:
                over = total
                hurt = True
                first_deferred += first
            elif total < _NEGLIGIBLE:
                delivered += total
            else:
                passing = min(total, max(0.0, min(bucket, tolerated - used)))
                over = total - passing
                delivered += passing
                bucket = max(0.0, bucket - passing - rejection_cost * over)
                used = min(tolerated, used + passing + rejection_cost * over)
                if over > 0.0:
                    refusals += over
                    blocked += rejected_share * over
                    over *= 1.0 - rejected_share
                    first_deferred += first * (over / total)
                    hurt = hurt or rejected_share < 1.0
            left = over / total if total > 0.0 else 0.0
            if left <= 0.0:
                for cell in range(n_cells):
                    line[at, cell] = 0.0
                continue
            if first > 0.0:
                line[at, 0] = 0.0
                kind = 1 if closed and lives.shape[0] > 1 else 0
                wait = wait_mean[PENALTY if closed else LIMIT]
                if lives[kind] > 1:
                    _wait(line, top, at, kind * n_attempts + 1, first * left, wait, passes)
                else:
                    expired += first * left
            for kind in range(lives.shape[0]):
                cell = kind * n_attempts
                last = cell + lives[kind] - 1
                if last < n_cells and last > 0:
                    expired += line[at, last] * left
                    line[at, last] = 0.0
                for k in range(1, min(lives[kind] - 1, n_cells - cell)):
                    n = line[at, cell + k]
                    if n > 0.0:
                        line[at, cell + k] = 0.0
                        _wait(line, top, at, cell + k + 1, n * left, wait_mean[N_CAUSES - 1 + k], passes)
        if closes and refusals > PENALTY_FROM * tolerated:
            closes = False
            closed_until = now + 1 + closing
        if hurt and pause_slots > 0:
            rest_until = now + 1 + pause_slots
    limiter[BUCKET] = bucket
    limiter[CLOSED_UNTIL] = closed_until
    limiter[REST_UNTIL] = rest_until
    return delivered, blocked, expired, first_deferred


@inlined
def _wait(line, top, at, cell, n, mean, passes):  # type: ignore[no-untyped-def]
    """Put n messages into the two slots around their mean wait."""
    length = top.shape[0]
    ahead = int(mean)
    share = mean - ahead
    if ahead == 0 and passes >= _MOST_PASSES:
        ahead, share = 1, 0.0
    later = at + ahead
    if later >= length:
        later -= length
    line[later, cell] += n * (1.0 - share)
    top[later] = max(top[later], cell + 1)
    if share > 0.0:
        later = later + 1 if later + 1 < length else 0
        line[later, cell] += n * share
        top[later] = max(top[later], cell + 1)


@inlined
def _postpone(line, top, at, later):  # type: ignore[no-untyped-def]
    """Move everything of one slot to another."""
    for cell in range(top[at]):
        line[later, cell] += line[at, cell]
        line[at, cell] = 0.0
    top[later] = max(top[later], top[at])
    top[at] = 0
