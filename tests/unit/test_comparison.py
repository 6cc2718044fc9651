"""Comparisons: the same luck for all, who is hit, and a verdict that claims no more than the scenarios show."""

from datetime import timedelta
from itertools import permutations

import numpy as np
import pandas as pd
import pytest

import planner as wp
from planner.optimizer import planning
from planner.optimizer.comparison import CIRCULAR, paired
from planner.simulation import layout

SENDER = wp.Sender.from_dict(
    {
        "audience": {"providers": {"gmail": 60, "yahoo": 40}},
        "target": {"volume": 40_000, "by": "2027-01-26"},
        "send_days": "daily",
        "n_ips": 1,
        "domain": "used",
        "start": "2027-01-11",
    }
)
N_DAYS = 24
TABLE = wp.published("onesignal", SENDER, N_DAYS)
BOLD = wp.Schedule(TABLE.providers, TABLE.segments, TABLE.dates, np.minimum(8 * TABLE.volume, [[[24_000]], [[16_000]]]))
FEW = {"scenarios": 24, "seed": 3}
RETRY = wp.RetryPolicy(first_seconds=600)


@pytest.fixture(scope="module")
def compared():
    return wp.compare(SENDER, {"table": TABLE, "bold": BOLD}, **FEW)


def row(comparison, name, reaction=True):
    frame = comparison.to_frame()
    return frame[(frame["name"] == name) & (frame["reaction"] == reaction)].iloc[0]


# --- numbers, worked from the counts of the scenarios


def test_a_row_says_what_the_counts_say(compared):
    forecast = compared.reacting["bold"]
    injected, weights = forecast.injected.sum(axis=(1, 2)), forecast.weights
    found = row(compared, "bold")
    assert found["p_421"] == pytest.approx(weights @ forecast.first_4xx.sum(axis=(1, 2)) / (weights @ injected))
    lost = weights @ (forecast.blocked + forecast.expired).sum(axis=(1, 2))
    assert found["lost_messages"] == pytest.approx(lost)
    assert found["lost"] == pytest.approx(lost / (weights @ injected))
    late = weights @ forecast.delayed.sum(axis=(1, 2))
    assert found["delay"] == pytest.approx(weights @ forecast.delay_seconds.sum(axis=(1, 2)) / late / 3600)
    assert found["by_deadline"] == pytest.approx((forecast.reached_by_all <= 15).mean())
    assert found["wrong_days"] == pytest.approx(forecast.wrong_days().sum(axis=(1, 2)).mean())
    assert found["wrong_days"] > row(compared, "table")["wrong_days"]


def test_without_a_deadline_there_is_no_chance_of_keeping_it():
    free = SENDER.changed({"target.by": None})
    assert wp.compare(free, {"a": TABLE}, scenarios=4).to_frame()["by_deadline"].isna().all()


def test_who_is_hit_and_when_first(compared):
    hit = compared.hit()
    assert len(hit) == 2 * 2 * 2
    found = hit[(hit["name"] == "bold") & (hit["provider"] == "yahoo") & ~hit["reaction"]].iloc[0]
    forecast = compared.blind["bold"]
    wrong = forecast.wrong_days()[:, 1]
    firsts = sorted(int(days.argmax()) for days in wrong if days.any())
    assert found["risk"] == pytest.approx(len(firsts) / len(wrong))
    assert found["first_wrong"] == SENDER.start + timedelta(days=firsts[(len(firsts) - 1) // 2])
    sent = forecast.injected[:, 1].sum()
    assert found["lost"] == pytest.approx((forecast.blocked + forecast.expired)[:, 1].sum() / sent)
    assert found["delayed"] == pytest.approx(forecast.delayed[:, 1].sum() / sent)


def test_nobody_is_hit_where_nothing_is_sent():
    none = wp.Schedule(TABLE.providers, TABLE.segments, TABLE.dates, 0 * TABLE.volume)
    comparison = wp.compare(SENDER, {"none": none}, scenarios=4)
    assert comparison.hit()["first_wrong"].isna().all()
    assert comparison.verdict() == "none is there, within the horizon in 0 in 100 scenarios."


@pytest.mark.parametrize(
    ("values", "others", "weights", "mean", "error"),
    [
        ([3, 5], [1, 1], [0.5, 0.5], 3, 1),  # the differences 2 and 4: deviation sqrt(2), over sqrt(2)
        ([5, 5, 5], [3, 3, 3], [1 / 3] * 3, 2, 0),
        ([1, 2, 9], [0, 0, 0], [0.5, 0.5, 0], 1.5, 0.5),
        ([4], [1], [1], 3, np.inf),
    ],
)
def test_paired_differences_by_hand(values, others, weights, mean, error):
    found = paired(np.array(values, float), np.array(others, float), np.array(weights))
    assert found == (pytest.approx(mean), pytest.approx(error))


# --- candidates


def test_equal_schedules_have_equal_rows_and_cannot_be_told_apart():
    again = wp.Schedule(TABLE.providers, TABLE.segments, TABLE.dates, TABLE.volume)
    comparison = wp.compare(SENDER, {"one": TABLE, "two": wp.Candidate(again)}, **FEW)
    frame = comparison.to_frame().drop(columns="name")
    for reacts in (True, False):
        one, two = frame[frame["reaction"] == reacts].to_dict("records")
        assert one == two
    verdict = comparison.verdict()
    assert verdict.startswith("one and two cannot be told apart by the day they reach the target")
    assert verdict.endswith("nor by throttled days or lost mail.")
    assert not comparison.differences()["apart"].any()


def test_a_plan_beside_itself(monkeypatch):
    monkeypatch.setattr(planning, "N_FIT", 20)
    monkeypatch.setattr(planning, "N_CHOOSE", 20)
    plan = wp.optimize(SENDER.changed({"target.volume": 400}), seed=2, scenarios=20)
    parts = wp.Candidate(plan.schedule, plan.reaction, plan.retry)
    comparison = wp.compare(plan.sender, {"plan": plan, "parts": parts}, scenarios=20)
    assert "parts and plan cannot be told apart" in comparison.verdict()
    assert comparison.note() == ""


def test_every_reaction_of_the_catalogue_can_be_compared():
    reactions = wp.catalogue().reactions
    done = []
    candidates = {name: wp.Candidate(BOLD, one) for name, one in reactions.items()}
    comparison = wp.compare(SENDER, candidates, scenarios=8, progress=done.append)
    assert done == sorted(done)
    assert done[-1] == 1
    assert {name: forecast.reaction for name, forecast in comparison.reacting.items()} == reactions
    blind = list(comparison.blind.values())
    assert all(each is blind[0] for each in blind)  # nobody reacts: one simulation serves all
    alone = wp.compare(SENDER, {"bold": BOLD}, reaction=reactions["owlat"], scenarios=8).reacting["bold"]
    assert np.array_equal(comparison.reacting["owlat"].rows, alone.rows)
    assert len({round(value, 6) for value in comparison.to_frame()["wrong_days"]}) > 3


def test_candidates_may_bring_their_own_retries():
    patient = wp.RetryPolicy(first_seconds=43_200, growth=1, cap_seconds=43_200)
    comparison = wp.compare(SENDER, {"a": BOLD, "b": wp.Candidate(BOLD, retry=patient)}, scenarios=8)
    assert comparison.reacting["b"].retry["gmail"] == patient
    assert row(comparison, "b")["delay"] > row(comparison, "a")["delay"]


def test_days_that_happened_before_a_plan_have_happened_to_all():
    def planned(delivered):
        seen = wp.Observations(("gmail", "yahoo"), SENDER.dates(2), sent=np.full((2, 2), 300.0), delivered=delivered)
        learnt = wp.calibrate(SENDER, seen, scenarios=24)
        return wp.optimize(SENDER, beliefs=learnt, observed=seen, retry=RETRY, scenarios=4)

    again = planned(np.full((2, 2), 297.0))
    found = wp.compare(SENDER, {"again": again, "table": TABLE}, **FEW)
    for forecast in (*found.reacting.values(), *found.blind.values()):
        assert (forecast.injected[:, :, :2] == 300.0).all()
        assert forecast.n_seen == 2
        assert not np.array_equal(forecast.beliefs.values, wp.draw(SENDER, FEW["scenarios"], FEW["seed"]).values)
    with pytest.raises(wp.InputError, match="made after different days"):
        wp.compare(SENDER, {"a": again, "b": planned(np.full((2, 2), 290.0))}, **FEW)


def test_schedules_meet_the_sender_by_name_and_date():
    turned = wp.Schedule(("yahoo", "gmail"), ("all",), TABLE.dates[2:], TABLE.volume[::-1, :, 2:])
    found = wp.compare(SENDER, {"a": TABLE, "b": turned}, scenarios=4).blind["b"].schedule
    assert found.total[:, :2].sum() == 0
    assert np.array_equal(found.total[:, 2:], TABLE.total[:, 2:])


def test_what_is_no_schedule_is_refused():
    with pytest.raises(wp.InputError, match="Cannot compare a str"):
        wp.compare(SENDER, {"a": "onesignal"})
    with pytest.raises(wp.InputError, match="nothing to compare"):
        wp.compare(SENDER, {})


def test_order_makes_no_difference():
    given = {"table": TABLE, "bold": BOLD, "again": wp.Candidate(TABLE), "owlat": wp.Candidate(BOLD, OWLAT)}
    seen = set()
    for names in [*permutations(given)][::5]:
        comparison = wp.compare(SENDER, {name: given[name] for name in names}, scenarios=6)
        frame = comparison.to_frame().sort_values(["name", "reaction"], ignore_index=True)
        seen.add((comparison.verdict(), frame.to_json(double_precision=15)))
    assert len(seen) == 1


OWLAT = wp.catalogue().reaction("owlat")


# --- the verdict


def arriving(days, wrong=0, lost=0.0):
    """A comparison's forecast in which scenario s reaches its target on day days[s]: crafted counts."""
    base = wp.simulate(SENDER, TABLE, scenarios=len(days), seed=1)
    rows = np.zeros_like(base.rows)
    demand = SENDER.demand(N_DAYS)
    for s, day in enumerate(days):
        rows[layout.INJECTED, s] = np.where(np.arange(N_DAYS) >= day, demand, demand / 2)
        rows[layout.FIRST_TROUBLE, s, 0, :wrong] = demand[0, :wrong] / 4
        rows[layout.EXPIRED, s, 0, 0] = lost * rows[layout.INJECTED, s].sum()
    return wp.Forecast(SENDER, TABLE, base.retry, None, base.beliefs, 1, 15, rows, base.delays)


def verdict(**forecasts):
    return wp.Comparison(SENDER, forecasts, forecasts).verdict()


def test_a_clear_difference_has_its_days_and_its_price():
    text = verdict(a=arriving([6, 8, 10, 12], wrong=3, lost=0.02), b=arriving([10, 12, 14, 16]))
    assert text == (
        "a is there first, nine times in ten by Saturday 23 January 2027: 4 days on average (± 0) before b, "
        "with 3.0 throttled days against 0.0 and 2.0 % of the mail lost against 0.0 %."
    )


def test_who_never_arrives_makes_it_at_least():
    text = verdict(a=arriving([6, 8, 10, 12]), b=arriving([99, 99, 99, 99]))
    assert "at least 15 days on average" in text
    assert "with about as many throttled days (0.0) and about as much lost mail (0.0 %)" in text


def test_a_difference_within_its_error_is_none():
    text = verdict(a=arriving([6, 12, 6, 12]), b=arriving([12, 6, 14, 5]))
    assert text.startswith("a and b cannot be told apart by the day they reach the target")


def test_what_comes_at_the_same_time_may_differ_in_price():
    text = verdict(a=arriving([6, 12, 6, 12], wrong=4), b=arriving([12, 6, 14, 5], wrong=1), c=arriving([20] * 4))
    assert "but b has the fewest throttled days: 1.0 against 4.0; c comes 11 days on average" in text
    text = verdict(a=arriving([6, 12], lost=0.1), b=arriving([12, 6]))
    assert "but b loses the least mail: 0.0 % against 10.0 %" in text


def test_one_alone_is_compared_with_nothing():
    assert verdict(a=arriving([6, 8])) == "a is there, nine times in ten by Tuesday 19 January 2027."


def test_differences_name_what_they_are_against():
    forecasts = {"a": arriving([6, 8]), "b": arriving([9, 11])}
    comparison = wp.Comparison(SENDER, forecasts, forecasts)
    frame = comparison.differences("b")
    days = frame[frame["what"] == "days"].set_index("name")
    assert days["mean"].to_dict() == {"a": -3, "b": 0}
    assert days["apart"].to_dict() == {"a": True, "b": False}
    assert set(comparison.differences()["against"]) == {"a"}
    with pytest.raises(wp.InputError, match="no 'c'"):
        comparison.differences("c")


def test_published_tables_come_with_a_note(compared):
    assert compared.note() == CIRCULAR
    assert CIRCULAR in compared.summary()
    assert wp.compare(SENDER, {"bold": BOLD}, scenarios=4).note() == ""


# --- figures


def test_both_figures_show_every_schedule(compared):
    small = compared.plot()
    assert {trace.name for trace in small.data if trace.mode == "lines"} == {"table", "bold"}
    ranges = compared.plot("dates")
    medians = [trace for trace in ranges.data if str(trace.name).startswith("Median")]
    assert [trace.name for trace in medians] == ["Median with reaction", "Median if nobody reacts"]
    assert [len(trace.x) for trace in medians] == [2, 2]
    with pytest.raises(wp.InputError, match="It has: schedules, dates"):
        compared.plot("frontier")


def test_frames_survive_json(compared):
    again = wp.Comparison.from_json(compared.to_json())
    pd.testing.assert_frame_equal(again.hit(), compared.hit())
    assert again.verdict() == compared.verdict()
