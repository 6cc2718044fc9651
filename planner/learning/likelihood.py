"""How well each scenario explains what one provider did, compiled: its own limiter meets the observed volumes.

Nothing but the day's verdict is random once the parameters are given: what was delivered is observed, so every
scenario's memory (established volume, reputation) runs along known numbers. A day on which mail meets the limit is
run slot by slot, with every noise switched off; on all others nothing needs to run.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from planner.simulation.compiling import compiled, inlined
from planner.simulation.layout import (
    W_AUTH_REFUSED,
    W_BASE_DEFERRAL,
    W_BLOCK_BELOW,
    W_ESTABLISHED,
    W_EXCESS_REJECTED,
    W_GREYLISTING_FADE,
    W_GREYLISTING_PROBABILITY,
    W_HOURLY_SHARE,
    W_PENALTY_CHANCE,
    W_PENALTY_SLOTS,
    W_REJECTION_COST,
    W_STUCK_SHARE,
    W_TROUBLE_DEFERRAL,
    W_TROUBLE_ENDS,
    W_TROUBLE_STARTS,
)
from planner.simulation.memory import overnight, reputation_deferral, tolerated_today
from planner.simulation.noiseless import clear_line, empty_line, run_limiter
from planner.simulation.slots import BUCKET, CLOSED_UNTIL

SPREAD, NOISE = range(2)
"""Columns of `habits`: how far the limit strays from day to day (log), how far the background does (share of it)."""

N_HABITS = 2

FIT, TAIL, RAN, FREE, PASSES, DOUBT, ACTIVE = range(7)
"""What is kept of each day: its log likelihood; the chance of a day as strange or stranger; 1 if its slots were run;
messages that the limit lets pass at once, and in all; share deferred for doubt; earlier days with mail."""

N_KEPT = 7

CLEAN, TROUBLED, UNSURE = range(3)
"""What the causes say of a day: nothing met the limit, something did, or nobody knows."""

_LEAST = 1e-30
_ROUNDING = 2.0
_LATE = 0.0003
"""Share of a day's mail that passes a day later or earlier, give or take: deferred once in the evening."""

_ODD = 0.03
"""Share of days on which what is lost strays three times as far."""

_KNOWN_NOISE = 0.3
"""How far the share of first attempts strays from that of all attempts which were deferred for other causes."""

_RETRIES_ONLY = 0.1
"""How likely the limit met nothing but retries, where it met something, mail waited or came back the same day, and
first attempts show no trace."""

_NO_REASON = 1e-3
"""How likely a limit is named though neither new mail nor retries met it."""


class Seen(NamedTuple):
    """What one provider did, D days; NaN where it is not known.

    `sent`, `delivered`, `bounced`, `turned_away` (first attempts deferred, and all blocks) (D,) messages; `verdict`
    (D,) as `CLEAN`; `noisy` (D,) share of the attempts that were deferred by greylisting, noise and trouble of the
    provider's own; `variance` (D,) messages², how far `bounced` strays where nobody counted; `ways` (D,) log of how
    many ways there are to turn away as many; `calm` (D,) whether first attempts went well and the deliveries tell
    of stuck mailboxes besides; `stuck` share of the mail that never passes and so never meets the limit;
    `complaint_rate` (D,); `opens` first day on which mail is taken; `pace` (slots,) cumulative; `burst` see
    `evidence.burst_hours`; `window_hours`, `slot_seconds`.
    """

    sent: Any
    delivered: Any
    bounced: Any
    turned_away: Any
    verdict: Any
    noisy: Any
    variance: Any
    ways: Any
    calm: Any
    stuck: float
    complaint_rate: Any
    opens: int
    pace: Any
    burst: float
    window_hours: float
    slot_seconds: float


class Waits(NamedTuple):
    """One provider's retries: the tables of `backoff.Backoff` that `noiseless` reads."""

    attempts: Any
    class_of_cause: Any
    wait_mean: Any
    pause_slots: int
    ring_slots: int


@compiled
def log_likelihoods(world, habits, doors, seen, waits, least, most, out, days):  # type: ignore[no-untyped-def]
    """Log likelihood of what was seen, for each particle.

    Parameters
    ----------
    world : (len(layout.WORLD), particles) float array
        One provider's parameters.
    habits : (particles, N_HABITS) float array
    doors : (particles, days) float array, in [0, 1)
        The provider closes the door on excess where this lies below its `penalty_chance`: replies do not tell.
    seen : Seen
    waits : Waits
    least : (particles,) float array
        A particle that can no longer reach this is given up: its likelihood is 0.
    most : (days,) float array
        The best that the days after each can add.
    out : (particles,) float array, written
    days : (particles, days, N_KEPT) float array, written
        See `FIT`; not beyond the day on which a particle is given up.
    """
    line, top, lives = empty_line(waits.attempts, waits.class_of_cause, waits.ring_slots)
    n_days, n_slots = seen.sent.shape[0], seen.pace.shape[0]
    limiter = np.zeros(5)
    last_seven = np.zeros(7)
    for i in range(world.shape[1]):
        clear_line(line, top)
        limiter[:] = 0.0
        limiter[BUCKET] = limiter[CLOSED_UNTIL] = -1.0
        last_seven[:] = 0.0
        memory = (world[W_ESTABLISHED, i], 1.0, 0.0, 0.0, 0.0)
        queued = 0.0
        active_days = 0.0
        total = 0.0
        for d in range(n_days):
            volume = seen.sent[d]
            load = volume * (1.0 - seen.stuck)
            tolerated = tolerated_today(world, i, memory[0], memory[1])
            room = tolerated * min(1.0, world[W_HOURLY_SHARE, i] * seen.burst)
            blocks = memory[1] < world[W_BLOCK_BELOW, i] or d < seen.opens
            kept = days[i, d]
            kept[:] = 0.0
            turned = 0.0
            passes = load
            if blocks or queued >= 0.5 or load > room or limiter[CLOSED_UNTIL] > d * n_slots:
                closes = doors[i, d] < world[W_PENALTY_CHANCE, i]
                delivered, blocked, expired, first_deferred = run_limiter(
                    d, load, tolerated, world[W_HOURLY_SHARE, i], world[W_REJECTION_COST, i],
                    world[W_EXCESS_REJECTED, i], world[W_PENALTY_SLOTS, i], closes, blocks, seen.slot_seconds,
                    seen.pace, waits.wait_mean, waits.pause_slots, limiter, line, top, lives,
                )  # fmt: skip
                turned = first_deferred + blocked
                queued += load - delivered - blocked - expired
                passes = delivered
                kept[RAN] = 1.0
            else:
                limiter[BUCKET] = -1.0  # full again by morning
            kept[FREE] = (load - turned if turned > 0.0 else max(room, load)) / (1.0 - seen.stuck)
            kept[PASSES] = passes
            kept[DOUBT] = reputation_deferral(memory[1])
            kept[ACTIVE] = active_days
            _judge_day(world, i, habits[i], seen, d, kept)
            total += kept[FIT]
            if total + most[d] < least[i]:
                total = -math.inf
                break
            delivered = seen.delivered[d]
            if math.isnan(delivered):
                delivered = passes
            last_seven[d % 7] = delivered
            memory = overnight(
                world, i, memory, delivered, seen.bounced[d], volume, tolerated, seen.complaint_rate[d],
                last_seven.max(),
            )  # fmt: skip
            if delivered >= 0.5:
                active_days += 1.0
        out[i] = total


@compiled
def background_likelihoods(world, habits, seen, out, days):  # type: ignore[no-untyped-def]
    """Log likelihood where nothing has changed that the limit depends on: no day needs to run again.

    Arguments as in `log_likelihoods`; `days` is what that kept, its first two columns are written.
    """
    for i in range(world.shape[1]):
        total = 0.0
        for d in range(seen.sent.shape[0]):
            _judge_day(world, i, habits[i], seen, d, days[i, d])
            total += days[i, d, FIT]
        out[i] = total


@inlined
def _judge_day(world, i, habits, seen, d, kept):  # type: ignore[no-untyped-def]
    """Write a day's log likelihood and the chance of one as strange to `kept`, from what else it holds."""
    volume, free, n_slots = seen.sent[d], kept[FREE], seen.pace.shape[0]
    day, tail = 0.0, 1.0
    if volume > 0.0:
        greylisting = world[W_GREYLISTING_PROBABILITY, i] * math.exp(-world[W_GREYLISTING_FADE, i] * kept[ACTIVE])
        never = 1.0 - (1.0 - world[W_STUCK_SHARE, i]) * (1.0 - world[W_AUTH_REFUSED, i])
        noisy = 1.0 - (1.0 - never) * (1.0 - seen.noisy[d]) * (1.0 - kept[DOUBT])
        system = 1.0 - (1.0 - world[W_BASE_DEFERRAL, i]) * (1.0 - kept[DOUBT])
        gone = never
        passed = seen.delivered[d] + seen.bounced[d]
        if seen.calm[d]:  # how many were in stuck mailboxes is known, what the share of them is, the deliveries say
            gone = min(1.0, max(0.0, 1.0 - passed / volume))
        background = 1.0 - (1.0 - gone) * (1.0 - system) * (1.0 - greylisting)
        trouble = (min(0.5, n_slots * world[W_TROUBLE_STARTS, i]), _share_in_trouble(world, i, seen))
        if not math.isnan(seen.turned_away[d]):
            day, tail = _first_attempts(
                volume, seen.turned_away[d], seen.ways[d], free, background, trouble, seen.verdict[d], noisy,
                kept[RAN] > 0.0, habits[SPREAD], habits[NOISE],
            )  # fmt: skip
        elif seen.verdict[d] != UNSURE:
            clean = _clean(volume, free, habits[SPREAD])
            likely = clean if seen.verdict[d] == CLEAN else 1.0 - clean
            day, tail = math.log(_LEAST + likely), likely
        if seen.calm[d] or (math.isnan(seen.turned_away[d]) and not math.isnan(passed)):
            extra = 1.0 + seen.variance[d] + (_LATE * volume) ** 2
            if kept[RAN] > 0.0 and not seen.calm[d]:
                variance = extra + never * kept[PASSES]
                fit, strange = _deliveries(passed, kept[PASSES], trouble, habits[SPREAD], variance)
            else:  # of a calm day's limit the first attempts say all
                fit, strange = _losses(volume, passed, never, extra, trouble)
            day, tail = day + fit, min(tail, strange)
    kept[FIT] = day
    kept[TAIL] = tail


@inlined
def _share_in_trouble(world, i, seen):  # type: ignore[no-untyped-def]
    """Share of a day's attempts that are deferred when the provider has trouble of its own."""
    hours = seen.slot_seconds / 3600.0 / world[W_TROUBLE_ENDS, i]
    return max(1e-3, world[W_TROUBLE_DEFERRAL, i] * min(1.0, hours / seen.window_hours))


@inlined
def _count(k, n, ways, share, noise):  # type: ignore[no-untyped-def]
    """Probability of k of n, beta-binomial: a share that itself strays by `noise` times itself."""
    share = min(1.0 - 1e-6, max(1e-6, share))
    size = max(0.5, (1.0 - share) / (share * noise * noise) - 1.0)
    a, b = share * size, (1.0 - share) * size
    return math.exp(
        ways + math.lgamma(k + a) + math.lgamma(n - k + b) - math.lgamma(n + a + b)
        + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    )  # fmt: skip


@inlined
def _first_attempts(  # type: ignore[no-untyped-def]
    n, turned_away, ways, free, background, trouble, verdict, noisy, ran, spread, noise
):
    """Log likelihood of how many of the day's n first attempts were turned away, and chance of what is as strange.

    `free` is how many the limit lets pass, known up to a factor exp(spread × normal): if that is n or more the day is
    clean, whatever the headroom (censored), and only the background defers.
    """
    k = min(turned_away, n)
    others = background
    if verdict == TROUBLED and not math.isnan(noisy):  # then the day's own share is known
        others, noise = noisy, _KNOWN_NOISE
    beyond = min(n, max(0.0 if verdict != TROUBLED else 1.0, (k - others * n) / (1.0 - min(others, 0.9))))
    left = max(n - beyond, 0.5)
    free = max(free, 0.5)
    around = others * n * (1.0 + others * n * noise * noise)
    likelihood, tail = _LEAST, 0.0
    if verdict != CLEAN and beyond > 0.0:
        width = math.sqrt(spread * spread + (_ROUNDING + around) / (left * left))
        z = (math.log(left) - math.log(free)) / width
        likelihood += _density(z) / (width * left)
        tail += 2.0 * _below(-abs(z))
    if verdict != TROUBLED or k <= others * n + 3.0 * math.sqrt(around + 1.0):
        clean = _clean(n, free, spread)
        if verdict == TROUBLED:
            clean *= _RETRIES_ONLY if ran or free < n * (1.0 + 2.0 * others) else _NO_REASON
        chance, share = trouble
        calm = (1.0 - chance) * _count(k, n, ways, others, noise)
        # how much of the day the provider's own trouble takes is anybody's guess
        troubled = chance * math.exp(-k / (n * share))
        likelihood += clean * (calm + troubled / (n * share))
        far = k - others * n
        ordinary = 1.0 if far <= 0.0 else math.exp(-0.5 * far * far / (around + 1.0))
        tail += clean * ((1.0 - chance) * ordinary + troubled)
    return math.log(likelihood), tail


@inlined
def _clean(n, free, spread):  # type: ignore[no-untyped-def]
    """Chance that the limit lets all n messages pass."""
    x = math.log(max(free, 0.5) / n) / math.sqrt(spread * spread + _ROUNDING / (n * n))
    return _below(x)


@inlined
def _density(x):  # type: ignore[no-untyped-def]
    """Student's density with 4 degrees of freedom: one odd day must not decide."""
    return 0.375 * (1.0 + 0.25 * x * x) ** -2.5


@inlined
def _below(x):  # type: ignore[no-untyped-def]
    """Distribution function of the same."""
    y = 1.0 + 0.25 * x * x
    return 0.5 + 0.375 * x / math.sqrt(y) * (1.0 - x * x / (12.0 * y))


@inlined
def _losses(n, passed, never, extra, trouble):  # type: ignore[no-untyped-def]
    """Log likelihood of how many of a day's n messages did not pass though the limit let all of them; and its tail.

    A Poisson count, to which `extra` is added on both sides: so much does its variance exceed its mean.
    """
    chance, share = trouble
    expected = never * n + extra
    lost = max(0.0, n - passed + extra)
    z = (lost - expected) / math.sqrt(expected)
    count = math.exp(lost * math.log(expected) - expected - math.lgamma(lost + 1.0))
    odd = _density(z / 3.0) / (3.0 * math.sqrt(expected))
    likelihood = (1.0 - chance) * ((1.0 - _ODD) * count + _ODD * odd) * n
    tail = 2.0 * _below(-abs(z))
    if lost > expected:
        troubled = chance * math.exp((expected - lost) / (n * share))
        likelihood += troubled / share
        tail += troubled
    return math.log(likelihood + _LEAST), tail


@inlined
def _deliveries(passed, passes, trouble, spread, variance):  # type: ignore[no-untyped-def]
    """Log likelihood of how many messages passed in a day, and its tail; `variance` in messages, beside the spread."""
    chance, share = trouble
    passes = max(passes, 0.5)
    width = math.sqrt(spread * spread + variance / passes**2)
    z = (math.log(max(passed, 0.5)) - math.log(passes)) / width
    likelihood = (1.0 - chance) * _density(z) / width
    tail = 2.0 * _below(-abs(z))
    if passed < passes:
        troubled = chance * math.exp((passed / passes - 1.0) / share)
        likelihood += troubled / share
        tail += troubled
    return math.log(likelihood + _LEAST), tail
