"""From the prior to the posterior of one provider: a tempered sampler, under the prior of its own strictness."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from planner.inputs.provider import ITEMS, PARAMETERS
from planner.learning.likelihood import (
    FIT,
    N_HABITS,
    N_KEPT,
    NOISE,
    RAN,
    SPREAD,
    Seen,
    Waits,
    background_likelihoods,
    log_likelihoods,
)
from planner.simulation import backoff
from planner.simulation.beliefs import Beliefs, Scale, stream
from planner.simulation.simulator import n_threads, worlds
from planner.vocabulary import Floats

if TYPE_CHECKING:
    from planner.inputs.catalogue import Catalogue
    from planner.inputs.provider import Provider
    from planner.inputs.retry import RetryPolicy
    from planner.inputs.sender import Sender

BACKGROUND = frozenset(
    {
        "base_deferral", "stuck_share", "greylisting_probability", "greylisting_fade", "trouble_deferral",
        "trouble_every_days", "trouble_hours",
    }
)  # fmt: skip
"""Parameters on which no limit depends."""

UNKNOWN = frozenset({"greylisting_delay_seconds"})
"""Parameters that leave no trace in counts of a day."""

STRICTNESS = 0
_RESTS = slice(1, 1 + len(PARAMETERS))
_HABITS = slice(1 + len(PARAMETERS), 1 + len(PARAMETERS) + N_HABITS)
N_SCORES = 1 + len(PARAMETERS) + N_HABITS

_LEAST_SPREAD, _TYPICAL_SPREAD, _SPREAD_RANGE = 0.015, 0.02, 1.25
"""The least is what rounding and the luck of retries leave in the simulator, see docs/learning.md."""

_TYPICAL_NOISE, _NOISE_RANGE = 0.25, 0.8

_KEPT = 0.4
"""Effective share of the particles that a tempering step keeps."""

_ENOUGH, _ENOUGH_AT_LAST = 0.4, 3.0
"""How far particles move after a tempering step, and after the last: 1 where as much is drawn anew as there is.

With half of it, the truth came to lie beyond nearly all particles too often (docs/learning.md).
"""

_FEWEST_MOVES, _MOST_MOVES, _MOST_MOVES_AT_LAST = 6, 16, 60
_MOST_RUN = 800_000.0
"""Days to run for one provider: where all of them are bad, particles move less rather than people wait long."""

_LENGTHS = (0.15, 0.3, 0.6, 1.0)
"""How far moves of all scores together go: 1 draws from the fitted law anew."""

_LOOSENED = 0.03
"""Share of the fitted law's correlations that is not believed: it is fitted to a few hundred particles."""

_MARGIN = 3.0
"""Log likelihood by which the days to come may surpass all particles before a proposal is given up wrongly."""


class Particles(NamedTuple):
    """What may be true of one provider: n particles of equal weight.

    `scores` (n, N_SCORES) standard normals under the prior: strictness, every parameter's own, habits; `doors` (n,
    days); `informed` whether anything was seen; `size` how many different particles they are worth.
    """

    scores: Floats
    doors: Floats
    informed: bool
    size: float


class Target:
    """One provider's likelihood over the scores of the prior."""

    def __init__(
        self, sender: Sender, facts: Catalogue, name: str, policy: RetryPolicy, seen: Seen, pool: ThreadPoolExecutor
    ) -> None:
        self.sender, self.name, self.seen = sender, name, seen
        self.provider: Provider = facts.provider(name)
        self.waits = _waits(policy, seen.slot_seconds)
        self._scale = Scale(facts, self.provider)
        self._pool = pool

    def values(self, scores: Floats) -> Floats:
        """Parameters, (particles, parameters)."""
        return self._scale.values(scores[:, STRICTNESS], scores[:, _RESTS])

    def judge(
        self, values: Floats, habits: Floats, doors: Floats, least: Floats | None = None, most: Floats | None = None
    ) -> tuple[Floats, Floats]:
        """Judge particles by what was seen, see `likelihood.log_likelihoods`.

        Returns
        -------
        fit : (particles,) float array
            Log likelihood; -inf for those that cannot reach `least`, given `most` that each day's successors add.
        days : (particles, days, N_KEPT) float array
        """
        world = self._world(values)
        n = len(values)
        out, days = np.zeros(n), np.zeros((*doors.shape, N_KEPT))
        goal = np.full(n, -np.inf) if least is None else least
        rest = np.zeros(doors.shape[1]) if most is None else most

        def run(a: int, b: int) -> None:
            part = np.ascontiguousarray(world[:, a:b])
            log_likelihoods(part, habits[a:b], doors[a:b], self.seen, self.waits, goal[a:b], rest, out[a:b], days[a:b])

        step = -(-n // (2 * n_threads()))
        for job in [self._pool.submit(run, a, min(a + step, n)) for a in range(0, n, step)]:
            job.result()
        return out, days

    def judge_background(self, values: Floats, habits: Floats, days: Floats) -> tuple[Floats, Floats]:
        """Judge particles that differ in `BACKGROUND` and habits alone from those for which `judge` gave `days`."""
        out, again = np.zeros(len(values)), days.copy()
        background_likelihoods(np.ascontiguousarray(self._world(values)), habits, self.seen, out, again)
        return out, again

    def _world(self, values: Floats) -> Floats:
        beliefs = Beliefs((self.name,), values[:, None, :], np.full(len(values), 1.0 / len(values)))
        return np.asarray(worlds(self.sender, beliefs, self.seen.slot_seconds)[:, :, 0].T)

    def moving(self) -> tuple[Any, Any]:
        """Which scores decide about the limit, and which about the background alone, (N_SCORES,) bool arrays.

        A fixed parameter's is none of them, nor is one that the likelihood does not know.
        """
        priors = self.provider.priors
        used = {
            f"missing_{item}_{what}"
            for item in ITEMS
            if getattr(self.sender.authentication, item) == "no"
            for what in ("factor", "refused")
        }
        limit, background = np.zeros((2, N_SCORES), dtype=bool)
        limit[STRICTNESS] = True
        for k, name in enumerate(PARAMETERS):
            known = name not in UNKNOWN and (not name.startswith("missing_") or name in used)
            moves = known and priors[name].low < priors[name].high
            limit[1 + k] = moves and name not in BACKGROUND
            background[1 + k] = moves and name in BACKGROUND
        limit[_HABITS.start + SPREAD] = True
        background[_HABITS] = True
        return limit, background


def _waits(policy: RetryPolicy, slot_seconds: float) -> Waits:
    table = backoff.tabulate([policy], slot_seconds)
    attempts, of_cause, mean = (
        np.array(each[0], order="C") for each in (table.attempts, table.class_of_cause, table.wait_mean)
    )
    return Waits(attempts, of_cause, mean, int(table.pause_slots[0]), table.ring_slots)


def habits_of(scores: Floats) -> Floats:
    """How far limit and background stray from day to day, (particles, N_HABITS)."""
    habits = np.zeros((len(scores), N_HABITS))
    own = scores[:, _HABITS]
    more = _TYPICAL_SPREAD * np.exp(_SPREAD_RANGE * own[:, SPREAD])
    habits[:, SPREAD] = np.minimum(1.0, np.hypot(_LEAST_SPREAD, more))
    habits[:, NOISE] = np.clip(_TYPICAL_NOISE * np.exp(_NOISE_RANGE * own[:, NOISE]), 0.01, 1.0)
    return habits


def particles_of(target: Target, informed: bool, n: int, seed: int, tick: Callable[[float], None]) -> Particles:
    """Draw n particles from one provider's posterior under the prior of its own strictness.

    A sequential Monte Carlo sampler: the likelihood is let in by degrees, each as large as leaves `_KEPT` of the
    particles effective; resampled particles then move by proposals that leave the current target as it is. `tick` is
    told the power of the likelihood that has been reached.
    """
    luck = stream(seed, f"learning {target.name}")
    scores = luck.standard_normal((n, N_SCORES))
    doors = luck.random((n, target.seen.sent.shape[0]))
    if not informed:
        return Particles(scores, doors, False, float(n))
    limit, background = target.moving()
    unused = ~(limit | background)
    cloud = Cloud(scores, doors, *target.judge(target.values(scores), habits_of(scores), doors))
    power = ran = 0.0
    while power < 1.0:
        step = _next_step(cloud.fit, 1.0 - power)
        before, power = power, 1.0 if step >= 1.0 - power else power + step
        chosen = _resampled(step * (cloud.fit - cloud.fit.max()), luck)
        cloud = Cloud(*(each[chosen] for each in cloud))
        enough, most = (_ENOUGH_AT_LAST, _MOST_MOVES_AT_LAST) if power == 1.0 else (_ENOUGH, _MOST_MOVES)
        come, tries, pays = 0.0, 0, np.ones(len(_LENGTHS))
        while come < enough and tries < most and (tries < _FEWEST_MOVES or ran < _MOST_RUN):
            together = tries % 2 == 0
            cloud, ways, days_run = _moved(target, cloud, power, limit, luck, pays if together else None)
            come += float(np.mean(ways[0]))
            ran += days_run
            if together:  # lengths that bring particles far are tried more often
                pays = np.array(
                    [np.mean(ways[0][ways[1] == k]) if (ways[1] == k).any() else 0.0 for k in range(len(_LENGTHS))]
                )
            own = np.ones(len(_LENGTHS)) if together else None
            cloud, _, _ = _moved(target, cloud, power, background, luck, own, limit=False)
            tries += 1
            tick(before + (power - before) * min(1.0, come / enough))
    scores = np.where(unused, luck.standard_normal(cloud.scores.shape), cloud.scores)
    return Particles(scores, cloud.doors, True, distinct(cloud.scores))


class Cloud(NamedTuple):
    """Particles on their way: `scores`, `doors` as in `Particles`; `fit` (n,), `days` (n, days, N_KEPT) of `judge`."""

    scores: Floats
    doors: Floats
    fit: Floats
    days: Floats


def _next_step(fit: Floats, left: float) -> float:
    """Return the largest step of the power that keeps `_KEPT` of the particles effective."""
    away = fit - fit.max()

    def kept(step: float) -> float:
        weights = np.exp(step * away)
        return float(weights.sum() ** 2 / (weights @ weights) / len(weights))

    if kept(left) >= _KEPT:
        return left
    low, high = 0.0, left
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if kept(middle) >= _KEPT else (low, middle)
    return max(low, 1e-9)


def _resampled(log_weights: Floats, luck: np.random.Generator) -> Any:
    """Systematic resampling: which particle stands in each place."""
    weights = np.exp(log_weights)
    places = (np.arange(len(weights)) + luck.random()) / len(weights)
    return np.searchsorted(np.cumsum(weights / weights.sum()), places).clip(max=len(weights) - 1)


def _moved(
    target: Target,
    cloud: Cloud,
    power: float,
    moves: Any,
    luck: np.random.Generator,
    pays: Floats | None,
    *,
    limit: bool = True,
) -> tuple[Cloud, tuple[Floats, Any], float]:
    """Try one move of every particle's scores that are named by `moves`; `limit` tells whether limits hang on them.

    A move is reversible under a normal law fitted to particles: of all scores together, which follows ridges, or of
    some scores, each by itself, which renews what little is known of. One half moves by the law of the other: fitted to
    the particles that it moves, it would draw them together. Returns how far particles have come: the share of the law
    that was drawn anew, over all scores; and how many days were run for it.
    """
    n = len(cloud.scores)
    order = luck.permutation(n)
    halves = order[: n // 2], order[n // 2 :]
    share, which, ran = np.zeros(n), np.zeros(n, dtype=int), 0.0
    for mine, others in (halves, halves[::-1]):
        best = cloud.days[:, :, FIT].max(axis=0)
        most = best[::-1].cumsum()[::-1] - best + _MARGIN
        part = Cloud(*(each[mine] for each in cloud))
        moved, (share[mine], which[mine]), days_run = _tried(
            target, part, cloud.scores[others][:, moves], most, power, moves, luck, pays, limit=limit
        )
        for whole, own in zip(cloud, moved, strict=True):
            whole[mine] = own
        ran += days_run
    return cloud, (share, which), ran


def _tried(
    target: Target,
    cloud: Cloud,
    others: Floats,
    most: Floats,
    power: float,
    moves: Any,
    luck: np.random.Generator,
    pays: Floats | None,
    *,
    limit: bool,
) -> tuple[Cloud, tuple[Floats, Any], float]:
    """Try one move of every particle by a law fitted to `others`; as `_moved`."""
    scores, doors, fit, days = cloud
    n = len(scores)
    own = scores[:, moves]
    noise = luck.standard_normal(own.shape)
    centre = others.mean(axis=0)
    spread = np.cov(others, rowvar=False)
    spread = (1.0 - _LOOSENED) * spread + np.diag(_LOOSENED * np.diag(spread) + 1e-6)
    which = np.zeros(n, dtype=int)
    if pays is not None:
        chances = 0.1 + pays / max(float(pays.sum()), 1e-9)
        which = luck.choice(len(_LENGTHS), size=n, p=chances / chances.sum())
        length = np.array(_LENGTHS)[which][:, None]
        root: Any = np.linalg.cholesky(spread)
        part: Any = length**2
    else:
        length = np.array([0.4, 0.7, 1.0])[luck.integers(3, size=n)][:, None]
        root = np.diag(np.sqrt(np.diag(spread)))
        length = length * (luck.random(own.shape) < np.array([0.1, 0.25, 0.5])[luck.integers(3, size=n)][:, None])
        part = (length**2).mean(axis=1, keepdims=True)
    moved = centre + np.sqrt(1.0 - length**2) * (own - centre) + length * (noise @ root.T)
    proposed = scores.copy()
    proposed[:, moves] = moved
    correction = _surprise(own, centre, root) - _surprise(moved, centre, root)
    least = fit + (np.log(luck.random(n)) - correction) / power
    if limit:
        fresh = luck.random(doors.shape) < np.array([0.0, 0.1, 0.5])[luck.integers(3, size=n)][:, None]
        new_doors = np.where(fresh, luck.random(doors.shape), doors)
        new_fit, new_days = target.judge(target.values(proposed), habits_of(proposed), new_doors, least, most)
    else:
        new_doors = doors
        new_fit, new_days = target.judge_background(target.values(proposed), habits_of(proposed), days)
    taken = new_fit > least
    moved_cloud = Cloud(
        np.where(taken[:, None], proposed, scores),
        np.where(taken[:, None], new_doors, doors),
        np.where(taken, new_fit, fit),
        np.where(taken[:, None, None], new_days, days),
    )
    return moved_cloud, (taken * part[:, 0], which), float(new_days[:, :, RAN].sum())


def _surprise(scores: Floats, centre: Floats, root: Floats) -> Floats:
    """Log density under the fitted law less that under the prior, but for a constant."""
    z = np.asarray(np.linalg.solve(root, (scores - centre).T))
    return np.asarray(0.5 * (scores * scores).sum(axis=1) - 0.5 * (z * z).sum(axis=0))


def distinct(scores: Floats) -> float:
    """Effective number of particles that differ."""
    _, counts = np.unique(scores[:, STRICTNESS : STRICTNESS + 3], axis=0, return_counts=True)
    return float(counts.sum() ** 2 / (counts @ counts))
