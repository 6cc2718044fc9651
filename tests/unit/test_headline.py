"""The line that says when the target is reached: the median date, and how sure it is."""

import numpy as np
import pytest

import planner as wp

SENDER = wp.Sender.from_dict(
    {
        "audience": {"providers": {"gmail": 1}},
        "target": {"volume": 3_000},
        "send_days": "daily",
        "n_ips": 1,
        "domain": "used",
        "start": "2026-12-24",
    }
)


@pytest.fixture(scope="module")
def forecast():
    return wp.simulate(SENDER, wp.published("onesignal", SENDER, 24), scenarios=10, seed=1)


TUESDAY, MONDAY = "Tuesday 29 December 2026", "Monday 28 December 2026"
EDGE = "20 in 100 later than Sat 16 Jan 2027 or never."
SAID = {
    f"about {TUESDAY}; 8 times in 10 between Mon 28 Dec and Sat 2 Jan 2027.": [4, 4, 5, 5, 5, 5, 6, 7, 9, 20],
    f"about {MONDAY}; 8 times in 10 between Mon 28 Dec and Mon 4 Jan 2027.": [4, 4, 4, 4, 4, 4, 5, 6, 11, 20],
    f"on {MONDAY}, at least 8 times in 10.": [4] * 10,
    f"about {TUESDAY}; 9 times in 10 not before Sun 27 Dec, {EDGE}": [3, 4, *[5] * 6, np.inf, np.inf],
}


@pytest.mark.parametrize(("text", "reached"), SAID.items())
def test_the_median_comes_first_and_its_range_after_it(forecast, monkeypatch, text, reached):
    monkeypatch.setattr(wp.Forecast, "reached_by_all", np.array(reached, dtype=float))
    assert forecast.headline() == f"3,000 a day {text}"
