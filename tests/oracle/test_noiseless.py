"""The limiter without noise that `calibrate` runs, against the simulation with noise switched off in its worlds."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import planner as wp
from benchmarks.calibration import seen_in
from planner.inputs.provider import PARAMETERS
from planner.inputs.retry import DEFAULT_RETRY
from planner.learning.evidence import evidence_of
from planner.learning.likelihood import FREE, PASSES, RAN
from planner.learning.posterior import N_HABITS, Target
from planner.simulation import layout

SENDER = wp.Sender.from_dict(
    {
        "audience": {
            "providers": {"gmail": 50, "yahoo": 30, "microsoft": 20},
            "segments": [{"name": "all", "share": 1, "hard_bounce_rate": 0.0, "complaint_rate": 0.0001}],
        },
        "target": {"volume": 60_000},
        "send_days": "daily",
        "n_ips": 1,
        "domain": "used",
        "start": "2027-01-11",
    }
)
QUIET = {"base_deferral": 0.0, "stuck_share": 0.0, "greylisting_probability": 0.0, "trouble_every_days": 1e6}
A_DAY = wp.RetryPolicy(first_seconds=600, growth=1.5, jitter=0.5, lifetime_seconds=86_400)
DAYS, WORLDS = 14, 40


def limited(door: float, retry: wp.RetryPolicy) -> np.ndarray:
    """Days on which a limit was met: what it lets pass in all, computed and simulated; the same at once; what was sent.

    "At once" is what is left of the day's mail after first attempts deferred and all blocks. (days, 5) float array.
    """
    beliefs = wp.draw(SENDER, WORLDS, 11)
    values = beliefs.values.copy()
    for name, value in (QUIET | {"penalty_chance": door}).items():
        values[:, :, PARAMETERS.index(name)] = value
    steep = np.round(np.minimum(SENDER.demand(DAYS), SENDER.targets()[:, None] * 0.02 * 1.5 ** np.arange(DAYS)))
    schedule = wp.Schedule(SENDER.provider_names, ("all",), SENDER.dates(DAYS), steep[:, None, :])
    hidden = wp.Beliefs(beliefs.providers, values, beliefs.weights)
    forecast = wp.simulate(SENDER, schedule, retry, beliefs=hidden, seed=3)
    found = []
    with ThreadPoolExecutor(2) as pool:
        for scenario in range(WORLDS):
            evidence = evidence_of(SENDER, seen_in(forecast, scenario, DAYS, "causes"))
            for p, name in enumerate(SENDER.provider_names):
                target = Target(SENDER, wp.catalogue(), name, retry, evidence.seen[p], pool)
                _, days = target.judge(values[scenario, p][None], np.full((1, N_HABITS), 0.05), np.full((1, DAYS), 0.5))
                for d in np.flatnonzero(days[0, :, RAN] > 0.0):
                    at_once = steep[p, d] - evidence.seen[p].turned_away[d]
                    delivered = forecast.rows[layout.DELIVERED, scenario, p, d]
                    found.append((days[0, d, PASSES], delivered, days[0, d, FREE], at_once, steep[p, d]))
    return np.array(found)


@pytest.mark.parametrize("door", [0.0, 1.0], ids=["the door stays open", "excess closes the door"])
@pytest.mark.parametrize(("retry", "away_at_once"), [(DEFAULT_RETRY, 0.05), (A_DAY, 0.15)], ids=["default", "a day"])
def test_what_the_limit_lets_pass_is_what_the_simulation_delivers(
    door: float, retry: wp.RetryPolicy, away_at_once: float
) -> None:
    computed, simulated, first, at_once, sent = limited(door, retry).T
    assert len(computed) > 300
    away = np.abs(computed - simulated) / np.maximum(simulated, 0.02 * sent)
    assert np.median(away) < 0.02
    assert np.quantile(away, 0.9) < 0.10
    assert computed.sum() == pytest.approx(simulated.sum(), rel=0.02)

    # first attempts, where enough of them passed for a ratio
    some = at_once > np.maximum(50.0, 0.1 * sent)
    away = np.minimum(first, sent)[some] / at_once[some] - 1.0
    assert some.sum() > 150
    assert abs(np.median(away)) < 0.005
    assert np.quantile(np.abs(away), 0.9) < away_at_once
