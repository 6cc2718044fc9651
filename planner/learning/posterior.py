"""From the prior to the posterior: a tempered sampler for each provider, and the world's strictness that links them.

Given how strict the whole world is, providers are independent. So each is learnt alone, under the prior of its own
strictness; the shared part is then found on a grid and says how often each provider's particles are taken.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from planner.inputs.provider import PARAMETERS
from planner.learning.likelihood import FIT, N_HABITS, NOISE, SPREAD, Seen, Waits, log_likelihoods
from planner.simulation import backoff
from planner.simulation.beliefs import Beliefs, stream, values_at
from planner.simulation.simulator import n_threads, worlds
from planner.vocabulary import Floats

if TYPE_CHECKING:
    from planner.inputs.catalogue import Catalogue
    from planner.inputs.provider import Provider
    from planner.inputs.retry import RetryPolicy
    from planner.inputs.sender import Sender

_STRICTNESS = 0
_RESTS = slice(1, 1 + len(PARAMETERS))
_HABITS = slice(1 + len(PARAMETERS), 1 + len(PARAMETERS) + N_HABITS)
N_SCORES = 1 + len(PARAMETERS) + N_HABITS

_TYPICAL_SPREAD, _SPREAD_RANGE = 0.03, 1.0
_TYPICAL_NOISE, _NOISE_RANGE = 0.25, 0.8

_KEPT = 0.4
"""Effective share of the particles that a tempering step keeps."""

_ENOUGH, _ENOUGH_AT_LAST = 0.25, 1.0
"""How far particles move after a tempering step, and after the last: 1 where as much is drawn anew as there is."""

_MOST_MOVES, _MOST_MOVES_AT_LAST = 8, 30
_MARGIN = 3.0
"""Log likelihood by which the days to come may surpass all particles before a proposal is given up wrongly."""

_GRID = np.linspace(-3.75, 3.75, 61)
_LEAST_OWN = 0.04
"""Variance of strictness that stays a provider's own, or particles of one operator's providers would never match."""


class Particles(NamedTuple):
    """What may be true of one provider: n particles of equal weight.

    `scores` (n, N_SCORES) standard normals under the prior: strictness, every parameter's own, habits; `doors` (n,
    days); `informed` whether anything was seen; `size` how many independent particles they are worth.
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
        self.sender, self.facts, self.name, self.seen = sender, facts, name, seen
        self.provider: Provider = facts.provider(name)
        self.waits = _waits(policy, seen.slot_seconds)
        self._pool = pool

    def values(self, scores: Floats) -> Floats:
        """Parameters, (particles, parameters)."""
        return values_at(self.facts, self.provider, scores[:, _STRICTNESS], scores[:, _RESTS])

    def judge(
        self, values: Floats, habits: Floats, doors: Floats, least: Floats | None = None, most: Floats | None = None
    ) -> tuple[Floats, Floats]:
        """Judge particles by what was seen, see `likelihood.log_likelihoods`.

        Returns
        -------
        fit : (particles,) float array
            Log likelihood; -inf for those that cannot reach `least`, given `most` that each day's successors add.
        days : (particles, days, 2) float array
        """
        n = len(values)
        beliefs = Beliefs((self.name,), values[:, None, :], np.full(n, 1.0 / n))
        world = worlds(self.sender, beliefs, self.seen.slot_seconds)[:, :, 0].T
        out, days = np.zeros(n), np.zeros((*doors.shape, 2))
        goal = np.full(n, -np.inf) if least is None else least
        rest = np.zeros(doors.shape[1]) if most is None else most

        def run(a: int, b: int) -> None:
            part = np.ascontiguousarray(world[:, a:b])
            log_likelihoods(part, habits[a:b], doors[a:b], self.seen, self.waits, goal[a:b], rest, out[a:b], days[a:b])

        step = -(-n // (2 * n_threads()))
        for job in [self._pool.submit(run, a, min(a + step, n)) for a in range(0, n, step)]:
            job.result()
        return out, days

    def moving(self) -> Any:
        """Which scores the likelihood knows, (size,) bool array: a fixed parameter's is none of them."""
        priors = self.provider.priors
        used = {
            f"missing_{item}_{what}"
            for item in ("spf", "dkim", "dmarc", "ptr", "tls", "one_click")
            if getattr(self.sender.authentication, item) == "no"
            for what in ("factor", "refused")
        }
        moves = np.ones(N_SCORES, dtype=bool)
        for k, name in enumerate(PARAMETERS):
            known = not name.startswith("missing_") or name in used
            moves[1 + k] = known and priors[name].low < priors[name].high
        return moves


def _waits(policy: RetryPolicy, slot_seconds: float) -> Waits:
    """Return a policy's tables; nothing is greylisted where the limit alone is asked."""
    table = backoff.tabulate([policy], slot_seconds)
    rows: dict[str, Any] = {
        name: value[0] if isinstance(value, np.ndarray) else value for name, value in table._asdict().items()
    }
    rows |= {"pause_slots": int(rows["pause_slots"]), "early": np.zeros(table.nominal.shape[2])}
    ordered: dict[str, Any] = {
        name: np.array(x, order="C") if isinstance(x, np.ndarray) else x for name, x in rows.items()
    }
    return Waits(**ordered)


def habits_of(scores: Floats) -> Floats:
    """How far limit and background stray from day to day, (particles, N_HABITS)."""
    habits = np.zeros((len(scores), N_HABITS))
    own = scores[:, _HABITS]
    habits[:, SPREAD] = np.clip(_TYPICAL_SPREAD * np.exp(_SPREAD_RANGE * own[:, SPREAD]), 0.002, 1.0)
    habits[:, NOISE] = np.clip(_TYPICAL_NOISE * np.exp(_NOISE_RANGE * own[:, NOISE]), 0.01, 1.0)
    return habits


def particles_of(target: Target, informed: bool, n: int, seed: int, tick: Callable[[float], None]) -> Particles:
    """Draw n particles from one provider's posterior under the prior of its own strictness.

    A sequential Monte Carlo sampler: the likelihood is let in by degrees, each as large as leaves half the particles
    effective; resampled particles then move by proposals that leave the current target as it is. `tick` is told the
    power of the likelihood that has been reached.
    """
    luck = stream(seed, f"learning {target.name}")
    scores = luck.standard_normal((n, N_SCORES))
    doors = luck.random((n, target.seen.sent.shape[0]))
    if not informed:
        return Particles(scores, doors, False, float(n))
    moves = target.moving()
    cloud = Cloud(scores, doors, *target.judge(target.values(scores), habits_of(scores), doors))
    power = 0.0
    while power < 1.0:
        step = _next_step(cloud.fit, 1.0 - power)
        before, power = power, 1.0 if step >= 1.0 - power else power + step
        chosen = _resampled(step * (cloud.fit - cloud.fit.max()), luck)
        cloud = Cloud(*(each[chosen] for each in cloud))
        enough, most = (_ENOUGH_AT_LAST, _MOST_MOVES_AT_LAST) if power == 1.0 else (_ENOUGH, _MOST_MOVES)
        come, tries = 0.0, 0
        while come < enough and tries < most:
            cloud, way = _moved(target, cloud, power, moves, luck, together=tries % 2 == 0)
            come += way
            tries += 1
            tick(before + (power - before) * min(1.0, come / enough))
    return Particles(cloud.scores, cloud.doors, True, _distinct(cloud.scores))


class Cloud(NamedTuple):
    """Particles on their way: `scores`, `doors` as in `Particles`, `fit` (n,), `days` (n, days, 2), see `judge`."""

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
    target: Target, cloud: Cloud, power: float, moves: Any, luck: np.random.Generator, *, together: bool
) -> tuple[Cloud, float]:
    """Try one move of every particle; scores that the likelihood does not know are drawn anew.

    A move is reversible under a normal law fitted to the particles: of all scores together, which follows ridges, or
    of some scores, each by itself, which renews what little is known of. Returns how far particles have come: the
    share of the law that was drawn anew, over all scores.
    """
    scores, doors, fit, days = cloud
    n = len(scores)
    scores = np.where(moves, scores, luck.standard_normal(scores.shape))
    proposed = scores.copy()
    own = scores[:, moves]
    noise = luck.standard_normal(own.shape)
    centre = own.mean(axis=0)
    spread = 0.9 * np.cov(own, rowvar=False) + 0.1 * np.eye(own.shape[1])
    if together:
        length = np.array([0.15, 0.3, 0.6, 1.0])[luck.integers(4, size=n)][:, None]
        root: Any = np.linalg.cholesky(spread)
        part: Any = length**2
    else:
        length = np.array([0.4, 0.7, 1.0])[luck.integers(3, size=n)][:, None]
        root = np.diag(np.sqrt(np.diag(spread)))
        length = length * (luck.random(own.shape) < np.array([0.1, 0.25, 0.5])[luck.integers(3, size=n)][:, None])
        part = (length**2).mean(axis=1, keepdims=True)
    moved = centre + np.sqrt(1.0 - length**2) * (own - centre) + length * (noise @ root.T)
    proposed[:, moves] = moved
    correction = _surprise(own, centre, root) - _surprise(moved, centre, root)
    fresh = luck.random(doors.shape) < np.array([0.0, 0.1, 0.5])[luck.integers(3, size=n)][:, None]
    new_doors = np.where(fresh, luck.random(doors.shape), doors)
    least = fit + (np.log(luck.random(n)) - correction) / power
    best = days[:, :, FIT].max(axis=0)
    most = best[::-1].cumsum()[::-1] - best + _MARGIN
    new_fit, new_days = target.judge(target.values(proposed), habits_of(proposed), new_doors, least, most)
    taken = new_fit > least
    moved_cloud = Cloud(
        np.where(taken[:, None], proposed, scores),
        np.where(taken[:, None], new_doors, doors),
        np.where(taken, new_fit, fit),
        np.where(taken[:, None, None], new_days, days),
    )
    return moved_cloud, float((taken * part[:, 0]).mean())


def _surprise(scores: Floats, centre: Floats, root: Floats) -> Floats:
    """Log density under the fitted law less that under the prior, but for a constant."""
    z = np.asarray(np.linalg.solve(root, (scores - centre).T))
    return np.asarray(0.5 * (scores * scores).sum(axis=1) - 0.5 * (z * z).sum(axis=0))


def _distinct(scores: Floats) -> float:
    """Effective number of particles that differ."""
    _, counts = np.unique(scores[:, _STRICTNESS : _STRICTNESS + 3], axis=0, return_counts=True)
    return float(counts.sum() ** 2 / (counts @ counts))


# --- all providers together


def joined(
    facts: Catalogue, names: tuple[str, ...], particles: list[Particles], scenarios: int, seed: int
) -> list[Particles]:
    """Give every scenario a particle of each provider, so that strictness is shared as the prior has it.

    A provider of which nothing was seen is drawn from its prior, given what is shared.
    """
    groups = _groups(facts, names)
    strictness = [each.scores[:, _STRICTNESS] for each in particles]
    by_group = []
    for members, share in groups:
        log_chance = -0.5 * np.broadcast_to(_GRID, (len(_GRID), len(_GRID))) ** 2  # (world, operator)
        for p in members:
            if particles[p].informed:
                log_chance = log_chance + _log_fit(facts.world_share, share[p], strictness[p])
        by_group.append(log_chance)
    totals = [np.log(np.exp(each).sum(axis=1)) for each in by_group]
    world_chance = np.exp(-0.5 * _GRID**2 + sum(total - total.max() for total in totals))
    luck = stream(seed, "learning world")
    even = (luck.permutation(scenarios) + 0.5) / scenarios
    world = _on_grid(np.broadcast_to(world_chance, (scenarios, len(_GRID))), even)
    chosen = list(particles)
    for (members, share), log_chance in zip(groups, by_group, strict=True):
        rows = np.abs(_GRID[None, :] - world[:, None]).argmin(axis=1)
        own = stream(seed, f"learning with {names[members[0]]}")
        operator = _on_grid(
            np.exp(log_chance[rows] - log_chance[rows].max(axis=1, keepdims=True)), own.random(scenarios)
        )
        for p in members:
            mean, variance = _given(facts.world_share, share[p], world, operator)
            luck = stream(seed, f"learning choice {names[p]}")
            if not particles[p].informed:
                scores = luck.standard_normal((scenarios, N_SCORES))
                scores[:, _STRICTNESS] = mean + np.sqrt(variance) * scores[:, _STRICTNESS]
                doors = np.zeros((scenarios, particles[p].doors.shape[1]))
                chosen[p] = Particles(scores, doors, False, float(scenarios))
                continue
            log_weight = _log_ratio(strictness[p][None, :], mean[:, None], variance)
            weights = np.cumsum(np.exp(log_weight - log_weight.max(axis=1, keepdims=True)), axis=1)
            at = (luck.permutation(scenarios) + luck.random()) / scenarios * weights[:, -1]
            places = (weights < at[:, None]).sum(axis=1).clip(max=len(strictness[p]) - 1)
            scores = particles[p].scores[places]
            chosen[p] = Particles(scores, particles[p].doors[places], True, _distinct(scores))
    return chosen


def _groups(facts: Catalogue, names: tuple[str, ...]) -> list[tuple[list[int], dict[int, float]]]:
    """Return providers of one operator together, with the share of own strictness that they have in common."""
    by_operator: dict[str, list[int]] = {}
    for p, name in enumerate(names):
        by_operator.setdefault(facts.provider(name).operator or f"none but {name}", []).append(p)
    largest = 1.0 - _LEAST_OWN / (1.0 - facts.world_share)
    return [
        (
            members,
            {p: min(facts.provider(names[p]).operator_share, largest) if len(members) > 1 else 0.0 for p in members},
        )
        for members in by_operator.values()
    ]


def _given(world_share: float, share: float, world: Floats, operator: Floats) -> tuple[Floats, float]:
    """Mean and variance of a provider's strictness, given the world's and its operator's."""
    mean = np.sqrt(world_share) * world + np.sqrt((1.0 - world_share) * share) * operator
    return np.asarray(mean), (1.0 - world_share) * (1.0 - share)


def _log_ratio(strictness: Floats, mean: Floats, variance: float) -> Floats:
    """Log density of strictness given what is shared, over its density under the provider's own prior."""
    return np.asarray(0.5 * strictness**2 - 0.5 * (strictness - mean) ** 2 / variance - 0.5 * np.log(variance))


def _log_fit(world_share: float, share: float, strictness: Floats) -> Floats:
    """Log of how well what was seen of a provider fits every (world, operator) of the grid."""
    mean, variance = _given(world_share, share, _GRID[:, None], _GRID[None, :] if share > 0.0 else np.zeros((1, 1)))
    log_ratio = _log_ratio(strictness[:, None, None], mean[None], variance)
    most = log_ratio.max(axis=0)
    return np.asarray(most + np.log(np.exp(log_ratio - most).mean(axis=0)))


def _on_grid(chances: Floats, at: Floats) -> Floats:
    """Points at these quantiles of laws on the grid, each cell even; chances (n, grid), at (n,)."""
    sums = np.cumsum(chances, axis=1)
    below = np.concatenate([np.zeros((len(sums), 1)), sums[:, :-1]], axis=1)
    wanted = at * sums[:, -1]
    cell = (sums < wanted[:, None]).sum(axis=1).clip(max=len(_GRID) - 1)
    rows = np.arange(len(sums))
    within = (wanted - below[rows, cell]) / np.maximum(chances[rows, cell], 1e-300)
    return np.asarray(_GRID[cell] + (np.clip(within, 0.0, 1.0) - 0.5) * (_GRID[1] - _GRID[0]))
