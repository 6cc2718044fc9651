"""Retry policies as the slot loop needs them: due slots, lifetimes, ages, and who is still greylisted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from planner.inputs.retry import RetryPolicy
from planner.vocabulary import Cause, Floats

_CAUSES = tuple(Cause)

_GREY_STEP = 2.0
"""Grid for ages of greylisted mail, seconds; the same for all scenarios, so that none depends on the others."""


class Backoff(NamedTuple):
    """Tables of all providers' policies; P providers, F distinct first waits, A attempts.

    `attempts` (P, F) attempts within the lifetime; `class_of_cause` (P, causes); `wait_first`, `wait_n`
    (P, R) and `wait_share` (P, R, W): cumulative shares of the due slots, row = cause at the first
    attempt, causes - 1 + k after attempt k; `wait_seconds` (P, R, W) the mean wait of those due in each;
    `wait_mean` (P, R) slots; `wait_rounds` (P, R) the same in rounds of hopeless mail;
    `nominal` (P, F, A) nominal age at each attempt, seconds;
    `pause_slots` (P,); `ring_slots` and `n_rounds` longest look ahead; `round_slots` slots between two rounds.
    """

    attempts: Any
    class_of_cause: Any
    wait_first: Any
    wait_n: Any
    wait_share: Any
    wait_seconds: Any
    wait_mean: Any
    wait_rounds: Any
    nominal: Any
    pause_slots: Any
    ring_slots: int
    round_slots: int
    n_rounds: int


def tabulate(policies: Sequence[RetryPolicy], slot_seconds: float) -> Backoff:
    """Return the tables for one policy per provider."""
    firsts = [sorted({policy.first(cause) for cause in _CAUSES}) for policy in policies]
    n_firsts = max(map(len, firsts))
    of_cause = np.array(
        [[own.index(policy.first(cause)) for cause in _CAUSES] for policy, own in zip(policies, firsts, strict=True)]
    )
    counts = [[_attempts(policy, first) for first in own] for policy, own in zip(policies, firsts, strict=True)]
    attempts = np.array([own + [1] * (n_firsts - len(own)) for own in counts])
    n_attempts = int(attempts.max())
    ages = np.zeros((len(policies), n_firsts, n_attempts + 1))
    waits: list[list[tuple[int, Floats, Floats]]] = []
    for p, (policy, own) in enumerate(zip(policies, firsts, strict=True)):
        intervals = [policy.interval(k) for k in range(1, n_attempts)]
        for f, first in enumerate(own):
            ages[p, f, 1:] = np.cumsum([first, *intervals])[:n_attempts]
        seconds = [policy.first(cause) for cause in _CAUSES] + intervals
        waits.append([due_slots(wait / slot_seconds, policy.jitter) for wait in seconds])
    width = max(len(shares) for rows in waits for _, shares, _ in rows)
    share = np.ones((len(policies), len(waits[0]), width))
    seconds_of = np.zeros_like(share)
    for p, rows in enumerate(waits):
        for r, (_, shares, slots) in enumerate(rows):
            share[p, r, : len(shares)] = np.cumsum(shares)
            seconds_of[p, r, : len(shares)] = slots * slot_seconds
    first_due = np.array([[first for first, _, _ in rows] for rows in waits])
    n_due = np.array([[len(shares) for _, shares, _ in rows] for rows in waits])
    pause = np.array([int(np.ceil(policy.pause_seconds / slot_seconds)) for policy in policies])
    ring = int(max((first_due + n_due).max(), pause.max() + 1)) + 2
    mean = np.array([[first + float(shares @ np.arange(len(shares))) for first, shares, _ in rows] for rows in waits])
    round_slots = max(1, int(3600.0 / slot_seconds))
    rounds = np.round(mean / round_slots, 9)
    n_rounds = int(rounds.max()) + 3
    return Backoff(
        attempts, of_cause, first_due, n_due, share, seconds_of, mean, rounds, ages, pause, ring, round_slots, n_rounds
    )


def due_slots(wait: float, jitter: float) -> tuple[int, Floats, Floats]:
    """Return after how many slots a message is due.

    The attempt lies anywhere in its slot, so a wait of x slots is due floor(u + x) slots later, u
    uniform: the mean is kept and a wait shorter than a slot may fall into the same slot.

    Parameters
    ----------
    wait : float, slots
    jitter : float, in [0, 1)
        The wait is multiplied by a uniform number within 1 ± jitter.

    Returns
    -------
    first : int
        The first offset; the arrays are for it and those that follow.
    shares : float array, sum 1
    waits : float array, slots
        Mean wait of those due at each offset.

    Examples
    --------
    >>> due_slots(1.25, 0.0)
    (1, array([0.75, 0.25]), array([1.25, 1.25]))
    """
    low, high = wait * (1.0 - jitter), wait * (1.0 + jitter)
    first, last = int(np.floor(low)), int(np.floor(high)) + 1
    offsets = np.arange(first, last + 1)
    if high - low < 1e-9:
        shares = np.maximum(0.0, 1.0 - np.abs(wait - offsets))
    else:
        shares = (_triangle_below(high - offsets) - _triangle_below(low - offsets)) / (high - low)
    kept = np.flatnonzero(shares > 1e-12)
    shares, offsets = shares[kept], offsets[kept]
    return int(offsets[0]), shares / shares.sum(), _mean_waits(low, high, offsets)


def still_early(policy: RetryPolicy, delays: Floats, n_attempts: int) -> Floats:
    """Return the chance that greylisted mail is too early at attempt k, given that it was at attempt k - 1.

    Parameters
    ----------
    policy : RetryPolicy
    delays : (scenarios,) float array, seconds
        How long the provider greylists.
    n_attempts : int

    Returns
    -------
    (scenarios, n_attempts) float array, in [0, 1]
    """
    chance = np.zeros((len(delays), n_attempts))
    chance[:, 0] = 1.0
    step = _GREY_STEP
    age = np.zeros(int(np.ceil(delays.max() / step)) + 2)
    age[0] = 1.0
    before = np.ones(len(delays))
    for k in range(1, n_attempts):
        wait = policy.first(Cause.GREYLISTING) if k == 1 else policy.interval(k - 1)
        age = np.convolve(age, _spread(wait, policy.jitter, step))[: len(age)]
        places = np.ceil(delays / step - 1e-9).astype(int)
        below = np.concatenate([[0.0], np.cumsum(age)])[places]
        chance[:, k] = np.where(before > 1e-12, np.minimum(1.0, below / np.maximum(before, 1e-12)), 0.0)
        before = below
        if not below.any():
            break
    return chance


def _attempts(policy: RetryPolicy, first: float) -> int:
    cause = next(cause for cause in _CAUSES if policy.first(cause) == first)
    return policy.attempts(cause)


def _mean_waits(low: float, high: float, offsets: Any) -> Floats:
    """Mean of a wait uniform in [low, high] given the slot in which it ends, slots."""
    n = max(400, 8 * int(high - low))
    wait = low + (high - low) * (np.arange(n) + 0.5) / n
    weight = np.maximum(1e-12, 1.0 - np.abs(wait - offsets[:, None]))
    return np.asarray((weight @ wait) / weight.sum(axis=1))


def _triangle_below(y: Any) -> Any:
    """Integral of the triangle max(0, 1 - |t|) up to y."""
    y = np.clip(y, -1.0, 1.0)
    return np.where(y < 0.0, 0.5 * (y + 1.0) ** 2, 1.0 - 0.5 * (1.0 - y) ** 2)


def _spread(wait: float, jitter: float, step: float) -> Floats:
    """Probabilities of one wait on a grid of this step."""
    low, high = wait * (1.0 - jitter) / step, wait * (1.0 + jitter) / step
    grid = np.zeros(int(np.round(high)) + 1)
    first = int(np.round(low))
    grid[first:] = 1.0 / (len(grid) - first)
    return grid
