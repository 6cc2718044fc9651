"""Whoever is mailed: what binds fills the send days in order, and what changes nothing is worth nothing."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import planner as wp
from planner.optimizer import planning
from planner.optimizer.binding import binding_rows
from planner.optimizer.resolving import arrival, base_of

few = settings(max_examples=8)


@pytest.fixture(scope="module", autouse=True)
def _few_scenarios():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "N_FIT", 16)
        patch.setattr(planning, "N_CHOOSE", 12)
        patch.setattr(planning, "N_KEEP", 12)
        yield


@st.composite
def plans(draw):
    names = draw(
        st.lists(st.sampled_from(["gmail", "yahoo", "icloud", "t-online"]), min_size=1, max_size=3, unique=True)
    )
    data = {
        "audience": {"providers": {name: draw(st.integers(1, 9)) for name in names}},
        "target": {"volume": draw(st.integers(5, 3_000))},
        "send_days": draw(st.sampled_from(["daily", "weekdays", ["tue"], ["mon", "thu"]])),
        "n_ips": draw(st.integers(1, 3)),
        "domain": draw(st.sampled_from(["used", "new"])),
        "start": "2027-01-11",
        "blackout": draw(st.sampled_from([[], [{"from": "2027-01-18", "to": "2027-01-26"}]])),
    }
    risk = draw(st.sampled_from(["balanced", 0.2]))
    return wp.optimize(wp.Sender.from_dict(data), risk=risk, seed=draw(st.integers(0, 99)), scenarios=10)


@given(plan=plans())
@few
def test_phases_are_in_order_and_cover_every_send_day(plan):
    demand = plan.sender.demand(len(plan.schedule.dates))
    rows = binding_rows(base_of(plan))
    for p, name in enumerate(plan.sender.provider_names):
        own = [row for row in rows if row["provider"] == name]
        assert all(row["first"] <= row["last"] for row in own)
        assert all(a["last"] < b["first"] for a, b in pairwise(own))
        for d in np.flatnonzero(demand[p]):
            covered = [row for row in own if row["first"] <= plan.schedule.dates[d] <= row["last"]]
            assert len(covered) == 1
            if covered[0]["kind"] == "demand":
                assert plan.schedule.total[p, d] >= 0.995 * demand[p, d] - 1.0


@given(plan=plans(), name=st.text("abc", max_size=5))
@few
def test_a_relief_without_a_change_is_worth_no_day(plan, name):
    base = base_of(plan)
    same = plan.sender.changed({"name": name})
    found = arrival(base, same, plan.risk, np.ones(len(base.reached[0])), 0, lambda share, text: None)
    assert found.days == base.days
