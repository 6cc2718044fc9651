"""Is the posterior right on sixty small worlds? `make calibration` asks a thousand larger ones."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import planner as wp
from benchmarks.calibration import BAND, DECISIVE, LEAST_KEPT, LOOKED_AT, MOST_KEPT, distance, judged

SETS = 60
SENDER = wp.Sender.from_dict(
    {
        "audience": {"providers": {"gmail": 55, "yahoo": 45}},
        "target": {"volume": 30_000},
        "send_days": "daily",
        "n_ips": 1,
        "domain": "used",
        "start": "2027-01-11",
    }
)


@pytest.fixture(scope="module")
def judgements():
    def one(number):
        return judged(number, scenarios=120, sender=SENDER, days=14, held_out=3)

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(one, range(SETS)))


@pytest.mark.parametrize("parameter", DECISIVE)
def test_ranks_of_the_truth_are_uniform(judgements, parameter) -> None:
    ranks = np.stack([ranks[:, LOOKED_AT.index(parameter)] for ranks, _, _ in judgements])
    for of_provider in ranks.T:
        assert distance(of_provider) < BAND


def test_intervals_hold_as_many_held_out_days_as_they_say(judgements) -> None:
    """360 days of 120 ramps: their own chance is about three in a hundred."""
    at = np.stack([held_out for _, held_out, _ in judgements])
    assert LEAST_KEPT <= np.mean((at >= 0.1) & (at <= 0.9)) <= MOST_KEPT


def test_there_was_something_to_learn(judgements) -> None:
    wrong = [notes["wrong"] for _, _, notes in judgements]
    assert np.mean(np.array(wrong) > 0) > 0.2
    assert {notes["known"] for _, _, notes in judgements} == {"causes", "first", "delivered"}
