"""What a comparison and a table that comes back owe to any input."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import planner as wp
from planner.inputs.schedule_file import wide
from planner.optimizer.comparison import APART, paired
from planner.simulation import layout
from planner.tables import csv_text

NAMES = ("gmail", "microsoft", "163", "t-online", "corporate-gateways", "other")


def sender(names, start=date(2027, 1, 8)):
    return wp.Sender.from_dict(
        {
            "audience": {"providers": dict.fromkeys(names, 1)},
            "target": {"volume": 100},
            "send_days": "weekdays",
            "n_ips": 1,
            "domain": "used",
            "start": start.isoformat(),
        }
    )


@st.composite
def schedules(draw):
    """Volumes as we plan them (whole) or not, from a sender's start."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
    n_days = draw(st.integers(1, 12))
    whole = st.integers(0, 10**7).map(float)
    volume = draw(st.sampled_from([whole, whole | st.floats(0, 1e9), st.integers(0, 10**6).map(lambda n: n / 1000)]))
    cells = draw(st.lists(volume, min_size=len(names) * n_days, max_size=len(names) * n_days))
    own = sender(names)
    return own, wp.Schedule(names, ("all",), own.dates(n_days), np.reshape(cells, (len(names), 1, n_days)))


@given(case=schedules(), separator=st.sampled_from(",;\t"), encoding=st.sampled_from(["utf-8", "utf-16", "cp1252"]))
@settings(max_examples=60)
def test_a_schedule_comes_back_from_a_wide_table(case, separator, encoding):
    own, schedule = case
    text = csv_text(wide(schedule), separator)
    assert wp.read_schedule(text.encode(encoding), own, name="a.csv") == schedule


@given(case=schedules(), separator=st.sampled_from(",;\t"))
@settings(max_examples=40)
def test_and_the_long_table_says_the_same(case, separator):
    own, schedule = case
    frame = schedule.to_frame().assign(volume=lambda rows: [f"{value!r}0" for value in rows["volume"].tolist()])
    tiny = frame["volume"].str.contains("e")
    frame.loc[tiny, "volume"] = "0.0"
    found = wp.read_schedule(csv_text(frame, separator).encode(), own)
    np.testing.assert_allclose(found.volume, schedule.volume, atol=1e-4)


@given(
    text=st.text(alphabet="Day,Gmail;Other\n\t\"'0123456789.-/ \u00a0€@=\x00", max_size=300) | st.binary(max_size=300)
)
@settings(max_examples=150)
def test_whatever_comes_is_read_or_refused(text):
    content = text.encode() if isinstance(text, str) else text
    said, volume = outcome(content, sender(("gmail", "other")))
    assert np.isfinite(volume).all()
    assert said == "" or (said.startswith("theirs:") and len(said) < 1000)


def outcome(content, own):
    """What a file is refused with, or its volumes."""
    try:
        return "", wp.read_schedule(content, own, name="theirs").volume
    except wp.InputError as error:
        return str(error), np.zeros(1)


SMALL = sender(("gmail",))
N_DAYS = 12
BASE = {n: wp.simulate(SMALL, wp.published("onesignal", SMALL, N_DAYS), scenarios=n, seed=1) for n in (2, 3, 8)}


def arriving(days):
    """A forecast whose scenarios reach the target on these days."""
    base = BASE[len(days)]
    rows = np.zeros_like(base.rows)
    demand = SMALL.demand(N_DAYS)
    for s, day in enumerate(days):
        rows[layout.INJECTED, s] = np.where(np.arange(N_DAYS) >= day, demand, demand / 2)
    return wp.Forecast(SMALL, base.schedule, base.retry, None, base.beliefs, 1, 15, rows, base.delays)


@given(
    case=st.sampled_from(sorted(BASE)).flatmap(
        lambda n: st.lists(st.lists(st.integers(0, N_DAYS + 3), min_size=n, max_size=n), min_size=2, max_size=4)
    )
)
@settings(max_examples=60)
def test_the_verdict_claims_no_more_than_two_standard_errors(case):
    forecasts = {f"s{k}": arriving(days) for k, days in enumerate(case)}
    verdict = wp.Comparison(SMALL, forecasts, forecasts).verdict()
    capped = {name: np.minimum(forecast.reached_by_all, N_DAYS) for name, forecast in forecasts.items()}
    best = min(capped, key=lambda name: (capped[name].mean(), name))
    weights = forecasts[best].weights
    gaps = {name: paired(days, capped[best], weights) for name, days in capped.items() if name != best}
    clear = [name for name, (mean, error) in gaps.items() if mean > APART * error]
    if len(clear) == len(gaps):
        assert verdict.startswith(f"{best} is there first, ")
    else:
        tied = [name for name in capped if name not in clear]
        assert "cannot be told apart by the day they reach the target" in verdict
        assert "first" not in verdict
        assert all(name in verdict.partition(" cannot")[0] for name in tied)


@pytest.mark.parametrize("n", sorted(BASE))
def test_crafted_forecasts_arrive_when_they_should(n):
    days = [d for d in range(N_DAYS) if SMALL.send_mask(N_DAYS)[d]][:n]
    assert arriving(days).reached_by_all.tolist() == days
