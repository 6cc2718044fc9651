"""The world's strictness, which all providers share: each scenario takes from every provider a particle that fits.

Given how strict the whole world is, and each operator of several providers, providers are independent. What is shared
is found on a grid, from how well each provider's particles fit there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from planner.learning.posterior import N_SCORES, STRICTNESS, Particles, distinct
from planner.simulation.beliefs import stream
from planner.vocabulary import Floats

if TYPE_CHECKING:
    from planner.inputs.catalogue import Catalogue

_GRID = np.linspace(-3.75, 3.75, 61)
_LEAST_OWN = 0.04
"""Variance of strictness that stays a provider's own, or particles of one operator's providers would never match."""


def joined(
    facts: Catalogue, names: tuple[str, ...], particles: list[Particles], scenarios: int, seed: int
) -> list[Particles]:
    """Give every scenario a particle of each provider, so that strictness is shared as the prior has it.

    A provider of which nothing was seen is drawn from its prior, given what is shared.
    """
    groups = _groups(facts, names)
    strictness = [each.scores[:, STRICTNESS] for each in particles]
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
                scores[:, STRICTNESS] = mean + np.sqrt(variance) * scores[:, STRICTNESS]
                doors = np.zeros((scenarios, particles[p].doors.shape[1]))
                chosen[p] = Particles(scores, doors, False, float(scenarios))
                continue
            log_weight = _log_ratio(strictness[p][None, :], mean[:, None], variance)
            weights = np.cumsum(np.exp(log_weight - log_weight.max(axis=1, keepdims=True)), axis=1)
            at = (luck.permutation(scenarios) + luck.random()) / scenarios * weights[:, -1]
            places = (weights < at[:, None]).sum(axis=1).clip(max=len(strictness[p]) - 1)
            scores = particles[p].scores[places]
            chosen[p] = Particles(scores, particles[p].doors[places], True, distinct(scores))
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
