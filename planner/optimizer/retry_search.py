"""The search for retry policies: numbers that people type, one score, the same scenarios and luck for all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from planner.inputs.reaction import Reaction
from planner.inputs.retry import DEFAULT_RETRY, MAX_ATTEMPTS, RetryPolicy
from planner.optimizer.referee import without_stuck_mail
from planner.simulation import layout
from planner.simulation.beliefs import Beliefs
from planner.simulation.simulator import Run
from planner.vocabulary import Cause, Floats

if TYPE_CHECKING:
    from planner.inputs.schedule import Schedule
    from planner.inputs.sender import Sender
    from planner.simulation.seen import Seen

Step = Callable[[float], None]
"""Called with the share done; stops the work by raising."""

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0

LONGEST_LIFETIME = 5 * DAY
"""What a message that expires counts as late; less, and giving up early would look good."""
MINUTES_AN_ATTEMPT = 10.0
"""An attempt for nothing weighs as much as so many minutes by which one message is late (confidence: default)."""
PER_P95 = 3.0
"""Where delays are exponential, 95 in 100 are below three times their mean."""

MOST_DAYS, DRAIN_DAYS = 45, 5
"""Days of the schedule that are simulated, and days without new mail after them in which the queue empties."""

HARDLY = 0.01
"""A change that betters the score by a smaller share is none."""
SURE = 3.0
"""A change that betters the score by fewer standard errors is luck."""


class Knobs(NamedTuple):
    """A policy as a search turns it, in seconds; `limit` is for penalties too, `system` for all that says neither."""

    limit: float = HOUR
    system: float = 15 * MINUTE
    greylisting: float = 15 * MINUTE
    growth: float = 1.5
    cap: float = 4 * HOUR
    lifetime: float = 3 * DAY
    jitter: float = 0.2
    pause: float = 0.0

    def policy(self) -> RetryPolicy:
        """Return the policy; with nothing turned it is the default one."""
        return RetryPolicy(
            first_seconds={
                Cause.GREYLISTING: self.greylisting,
                Cause.SYSTEM: self.system,
                Cause.LIMIT: self.limit,
                Cause.PENALTY: self.limit,
            },
            growth=self.growth,
            cap_seconds=self.cap,
            jitter=self.jitter,
            lifetime_seconds=self.lifetime,
            pause_seconds=self.pause,
        )

    @property
    def sensible(self) -> bool:
        """Whether no later wait is shorter than a first one, and a policy may make so many attempts."""
        longest = max(self.limit, self.system, self.greylisting)
        return self.cap >= longest and (self.growth > 1.0 or self.lifetime < longest * (MAX_ATTEMPTS - 2))


class Grid(NamedTuple):
    """Where a search looks: starting points, then the values of one knob after the other.

    So many times round for all providers together, then these knobs for each alone.
    """

    starts: tuple[Knobs, ...]
    values: Mapping[str, tuple[float, ...]]
    rounds: int
    alone: tuple[str, ...]


DOUBLING = Knobs(5 * MINUTE, 5 * MINUTE, 5 * MINUTE, growth=2.0, cap=24 * HOUR, lifetime=2 * DAY)
"""Good in all examples, and what a mail server can do that knows no causes; others must surely be better."""

STARTS = (
    DOUBLING,
    Knobs(),
    Knobs(5 * MINUTE, 5 * MINUTE, 15 * MINUTE, growth=2.0, cap=24 * HOUR, lifetime=3 * DAY),
    Knobs(15 * MINUTE, 15 * MINUTE, growth=2.0, cap=12 * HOUR, lifetime=2 * DAY),
    Knobs(30 * MINUTE, growth=3.0, cap=12 * HOUR, lifetime=2 * DAY),
    Knobs(limit=4 * HOUR, growth=1.0, cap=4 * HOUR, lifetime=2 * DAY),
    Knobs(limit=2 * HOUR, growth=2.0, cap=24 * HOUR, lifetime=5 * DAY),
)

LIFETIMES = (2 * DAY, 3 * DAY, 5 * DAY)
"""The model draws no outage of a day and more, against which a queue must hold out: no shorter ones are tried."""

FULL = Grid(
    STARTS,
    {
        "lifetime": LIFETIMES,
        "cap": (HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, 12 * HOUR, 24 * HOUR),
        "growth": (1.0, 1.5, 2.0, 3.0),
        "limit": tuple(x * MINUTE for x in (5, 10, 15, 30, 60, 120, 240, 480, 720)),
        "system": tuple(x * MINUTE for x in (5, 10, 15, 30, 60, 120)),
        "greylisting": tuple(x * MINUTE for x in (5, 10, 15, 30)),
        "pause": tuple(x * MINUTE for x in (0, 15, 30, 60, 120)),
        "jitter": (0.0, 0.2, 0.5),
    },
    2,
    ("limit", "system", "greylisting", "lifetime"),
)

QUICK = Grid(
    STARTS,
    {
        "limit": tuple(x * MINUTE for x in (5, 15, 60, 120)),
        "greylisting": (5 * MINUTE, 15 * MINUTE),
        "lifetime": LIFETIMES[:2],
    },
    1,
    (),
)


@dataclass(frozen=True)
class Bench:
    """What every policy is measured on.

    Attributes
    ----------
    run : Run
        Without stuck mail.
    volume : (providers, segments, days) float array, messages
        The days without mail at the end included.
    reaction : Reaction
    stuck : (scenarios, providers) float array, in [0, 1]
        Share of stuck mail.
    """

    run: Run
    volume: Floats
    reaction: Reaction
    stuck: Floats

    @property
    def providers(self) -> tuple[str, ...]:
        """Names along every providers axis."""
        return self.run.sender.provider_names

    def measure(self, policies: Sequence[RetryPolicy], step: Step | None = None) -> Measured:
        """Simulate one policy per provider."""
        run = self.run.retrying(dict(zip(self.providers, policies, strict=True)))
        rows, delays = run.counts(self.volume, self.reaction, progress=step)
        n_seen = 0 if self.run.seen is None else len(self.run.seen)
        sums = rows[:, :, :, n_seen:].sum(axis=3)
        lost = sums[layout.EXPIRED] + rows[layout.QUEUED][:, :, -1]
        if n_seen:  # what waited on the last day that happened is not simulated
            lost -= rows[layout.QUEUED][:, :, n_seen - 1]
        attempts = np.array([policy.attempts(Cause.STUCK) for policy in policies])
        hopeless = self.stuck * sums[layout.INJECTED] * attempts
        return Measured(
            sums[layout.DELIVERED],
            sums[layout.DELAYED] + lost,
            sums[layout.DELAY_SECONDS] + LONGEST_LIFETIME * lost,
            lost,
            sums[layout.RESTED_SECONDS],
            sums[layout.DEFERRED :].sum(axis=0) + hopeless,
            delays,
        )


class Measured(NamedTuple):
    """What a policy did; (scenarios, providers) float arrays, delays (scenarios, providers, bins).

    `late` are the messages deferred at first, `late_seconds` how late they were, `lost` those of them that expired
    (what is queued at the end counts too), `rested_seconds` how late others were because the destination rested,
    `wasted` the attempts that were deferred, those of stuck mail included.
    """

    delivered: Floats
    late: Floats
    late_seconds: Floats
    lost: Floats
    rested_seconds: Floats
    wasted: Floats
    delays: Floats


class Scored(NamedTuple):
    """A policy's figures under one or several weightings of the scenarios; (weightings, providers) float arrays.

    `score` minutes per delivered message; `mean_delay`, `p95_delay` seconds; `wasted` attempts per delivered message;
    `expired` share of the mail deferred at first.
    """

    score: Floats
    mean_delay: Floats
    p95_delay: Floats
    wasted: Floats
    expired: Floats


def scored(measured: Measured, weights: Floats) -> Scored:
    """Put a number on what a policy did.

    ``score = late share × (mean delay + p95 delay / 3) / 2 + rest + 10 min × wasted attempts``, each per delivered
    message, in minutes; delays are those of mail deferred at first, where what expires counts as five days late. The
    weights are ours (confidence: default).

    Parameters
    ----------
    measured : Measured
    weights : (weightings, scenarios) float array

    Returns
    -------
    Scored
    """
    delivered, late, seconds, lost, rested, wasted = (weights @ each for each in measured[:-1])
    delays = np.tensordot(weights, measured.delays, axes=1)
    per_message, per_late = 1.0 / np.maximum(delivered, 1e-9), 1.0 / np.maximum(late, 1e-9)
    mean, p95 = seconds * per_late, _p95(delays, lost)
    lateness = late * per_message * (mean + p95 / PER_P95) / 2.0 + rested * per_message
    score = lateness / MINUTE + MINUTES_AN_ATTEMPT * wasted * per_message
    mailed = delivered > 0.0
    return Scored(*(np.where(mailed, each, 0.0) for each in (score, mean, p95, wasted * per_message, lost * per_late)))


def bench(
    sender: Sender,
    schedule: Schedule,
    beliefs: Beliefs,
    reaction: Reaction,
    seed: int,
    providers: Sequence[str] | None = None,
    most_days: int = MOST_DAYS,
    seen: Seen | None = None,
) -> Bench:
    """Prepare what policies are measured on; providers that are left out get no mail.

    Days that were `seen` come first and are not measured.
    """
    if sender.overflow == "hold":  # what is held back is late whatever the policy
        sender = sender.changed({"overflow": "skip"})
    volume = schedule.volume[:, :, : most_days + (0 if seen is None else len(seen))]
    volume = np.concatenate([volume, np.zeros((*volume.shape[:2], DRAIN_DAYS))], axis=2)
    if providers is not None:
        volume = volume * np.isin(sender.provider_names, providers)[:, None, None]
    policies = dict.fromkeys(sender.provider_names, DEFAULT_RETRY)
    run = Run(sender, without_stuck_mail(beliefs), policies, seed, seen=seen)
    return Bench(run, volume, reaction, beliefs.parameter("stuck_share"))


@dataclass
class _Search:
    """What is known so far: for each provider a `Scored` of (1 + groups,) arrays by knobs, and the best."""

    on: Bench
    weights: Floats
    step: Step
    total: int
    tried: list[dict[Knobs, Scored]]
    best: list[Knobs]
    done: int = 0

    def measure(self, wanted: Sequence[Sequence[Knobs]]) -> None:
        """Measure what is wanted of each provider and new: the i-th of every one in one run."""
        new = [
            [knobs for knobs in dict.fromkeys(each) if knobs.sensible and knobs not in tried]
            for each, tried in zip(wanted, self.tried, strict=True)
        ]
        for i in range(max(map(len, new))):
            self.step(min(1.0, self.done / self.total))
            knobs = [each[i] if i < len(each) else best for each, best in zip(new, self.best, strict=True)]
            found = scored(self.on.measure([each.policy() for each in knobs]), self.weights)
            for p, each in enumerate(knobs):
                self.tried[p].setdefault(each, Scored(*(values[:, p] for values in found)))
            self.done += 1

    def scores(self, knobs: Knobs, providers: Sequence[int]) -> Floats:
        """Score as a share of the first start's, mean over these providers, (1 + groups,)."""
        first = next(iter(self.tried[0]))
        parts = [self.tried[p][knobs].score / self.tried[p][first].score for p in providers]
        return np.asarray(np.mean(parts, axis=0))

    def improve(self, wanted: Sequence[Knobs], providers: Sequence[int]) -> None:
        """Let these providers, who share their best so far, take the best of what is measured."""
        now = self.scores(self.best[providers[0]], providers)
        known = [knobs for knobs in wanted if all(knobs in self.tried[p] for p in providers)]
        scores = [self.scores(knobs, providers) for knobs in known]
        gains = [float(now[0] - each[0]) for each in scores]
        if gains and max(gains) > HARDLY * now[0]:
            i = int(np.argmax(gains))
            if gains[i] > SURE * standard_error(now - scores[i]):
                for p in providers:
                    self.best[p] = known[i]


def search(on: Bench, grid: Grid, step: Step) -> tuple[list[Knobs], list[dict[Knobs, Scored]]]:
    """Search the policy with the least score, for all providers at once: they are independent of one another.

    First one policy for all: the first start or one that betters it, then one knob after the other. From there each
    provider goes its own way. A step is taken where it betters the score by more than `HARDLY` and by more than `SURE`
    standard errors: among so many candidates luck alone would find a winner.

    Returns
    -------
    best : list of Knobs, by provider
    tried : list of dict, by provider
        Everything that was measured.
    """
    n = len(on.providers)
    values = grid.values
    turns = sum(len(each) - 1 for each in values.values())
    total = len(grid.starts) + grid.rounds * turns + sum(len(values.get(knob, ())) for knob in grid.alone)
    weights = jackknife(on.run.beliefs.weights)
    state = _Search(on, weights, step, total, [{} for _ in range(n)], [grid.starts[0]] * n)
    state.measure([grid.starts] * n)
    mailed = [p for p in range(n) if state.tried[p][grid.starts[0]].score[0] > 0.0]
    if not mailed:
        return state.best, state.tried
    state.improve(grid.starts, mailed)
    for _ in range(grid.rounds):
        for knob, each in values.items():
            wanted = [state.best[mailed[0]]._replace(**{knob: value}) for value in each]
            state.measure([wanted if p in mailed else [] for p in range(n)])
            state.improve(wanted, mailed)
    for p in mailed:
        state.improve(grid.starts, [p])
    for knob in grid.alone:
        alone = [[best._replace(**{knob: value}) for value in values.get(knob, ())] for best in state.best]
        state.measure([alone[p] if p in mailed else [] for p in range(n)])
        for p in mailed:
            state.improve(alone[p], [p])
    step(1.0)
    return state.best, state.tried


def jackknife(weights: Floats, groups: int = 20) -> Floats:
    """Return the scenarios' weights, and again without each group in turn, (1 + groups, scenarios)."""
    n = min(groups, len(weights))
    member = np.arange(len(weights)) % n
    kept = weights * (member[None] != np.arange(n)[:, None])
    return np.vstack([weights, kept / np.maximum(kept.sum(axis=1, keepdims=True), 1e-300)])


def standard_error(differences: Floats) -> Floats:
    """Return the standard error of a difference computed under the weights of `jackknife`; (1 + groups, ...)."""
    left_out = differences[1:]
    n = len(left_out)
    return np.asarray(np.sqrt((n - 1) / n * ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0)))


def _p95(delays: Floats, lost: Floats) -> Floats:
    """Delay below which 95 in 100 lie, seconds; what is lost lies beyond all."""
    cumulative = np.cumsum(delays, axis=-1)
    wanted = 0.95 * (cumulative[..., -1] + lost)
    b = np.minimum((cumulative < wanted[..., None]).sum(axis=-1), layout.N_DELAY_BINS - 1)[..., None]
    upto = np.take_along_axis(cumulative, b, axis=-1)[..., 0]
    inside = np.take_along_axis(delays, b, axis=-1)[..., 0]
    part = np.clip(1.0 - (upto - wanted) / np.maximum(inside, 1e-9), 0.0, 1.0)
    high = layout.SHORTEST_DELAY * 2.0 ** (b[..., 0] / layout.BINS_PER_DOUBLING)
    low = np.where(b[..., 0] == 0, 0.0, high / 2.0 ** (1.0 / layout.BINS_PER_DOUBLING))
    inner = np.minimum(low + part * (high - low), LONGEST_LIFETIME)
    return np.where(wanted > cumulative[..., -1], LONGEST_LIFETIME, inner)
