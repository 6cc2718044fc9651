"""Filling day by day against a linear program over all days: what the simple rule gives away, certified."""

import numpy as np
import pytest

from benchmarks.couplings import EXAMPLES, coupled, first_full, problems
from tests.certificates.program import replay, solve

ONE_DAY_ONLY = "complaints 0.035 %, caps 5, 5, 3, 1"
"""Here the program saves engaged addresses for a single full day, which filling evenly never has."""


def certified(solution):
    """Feasible, dual feasible and no gap: no other solution of this linear program is better."""
    answer, cost = solution.answer, solution.cost
    (at_most, right), (equal, value) = solution.at_most, solution.equal
    scale = 1.0 + np.abs(right).max()
    assert (at_most @ answer.x - right).max() <= 1e-7 * scale
    assert np.abs(equal @ answer.x - value).max() <= 1e-7 * scale
    assert answer.x.min() >= -1e-7 * scale
    y, z = answer.ineqlin.marginals, answer.eqlin.marginals
    low, high = answer.lower.marginals, answer.upper.marginals
    assert y.max() <= 1e-9
    assert low.min() >= -1e-9
    assert high.max() <= 1e-9
    assert np.abs(cost - at_most.T @ y - equal.T @ z - low - high).max() <= 1e-7
    bounded = np.isfinite(solution.upper)
    dual = y @ right + z @ value + high[bounded] @ solution.upper[bounded]
    assert dual == pytest.approx(cost @ answer.x, rel=1e-8)


@pytest.mark.parametrize("coupling", ["none", "caps 4 a week, two busy days", "hard bounces 0.11 %", ONE_DAY_ONLY])
@pytest.mark.parametrize("example", EXAMPLES)
def test_filling_gives_next_to_nothing_away(example, coupling):
    for name, problem, volume in list(problems(coupled(example, coupling)))[:3]:
        if not problem.demand.any():  # receipts that complain or bounce too much for the sender's own limit
            assert not volume.any()
            continue
        solution = solve(problem, volume)
        certified(solution)
        best = solution.volume
        # the program's ramp is one that every kept scenario tolerates
        assert (best <= np.maximum(replay(problem, best)[1].min(axis=0), 1.0) + 1.0).all(), name
        assert volume.sum() >= best.sum() / 1.01 - len(volume), name  # whole messages cost up to one a day
        if coupling != ONE_DAY_ONLY:
            assert first_full(volume, problem.demand) <= first_full(best, problem.demand) + 2, name
