"""optimize(observed=): the days that are left, and what is said of those that happened."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

import planner as wp
from planner.optimizer import planning
from tests.oracle.seen_runs import observed

TWO = {
    "audience": {"providers": {"gmail": 60, "yahoo": 40}},
    "target": {"volume": 6_000},
    "send_days": "daily",
    "n_ips": 1,
    "domain": "used",
    "start": "2027-01-11",
}
START = date(2027, 1, 11)
N_SEEN = 6


def sender(**changes):
    return wp.Sender.from_dict({**TWO, **changes})


@pytest.fixture(scope="module", autouse=True)
def _few_scenarios():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "N_FIT", 40)
        patch.setattr(planning, "N_CHOOSE", 40)
        patch.setattr(planning, "N_KEEP", 60)
        yield


def plan_of(mailer, **options):
    return wp.optimize(mailer, **{"scenarios": 50, "seed": 3, **options})


def counted(sent, delivered=None, providers=("gmail", "yahoo"), start=START, **more):
    sent = np.array(sent, dtype=float)
    days = tuple(start + timedelta(days=d) for d in range(sent.shape[1]))
    return wp.Observations(providers, days, sent=sent, delivered=sent if delivered is None else delivered, **more)


@pytest.fixture(scope="module")
def plan():
    return plan_of(sender())


@pytest.fixture(scope="module")
def seen(plan):
    """Some days of the plan in a scenario in which all went well."""
    clean = np.flatnonzero(~plan.forecast.wrong_days()[:, :, :N_SEEN].any(axis=(1, 2)))
    return observed(plan.forecast, int(clean[0]), N_SEEN)


@pytest.fixture(scope="module")
def again(plan, seen):
    return plan_of(sender(), observed=seen, retry=plan.retry)


def same(one, other):
    assert one.to_json() == other.to_json()
    np.testing.assert_array_equal(one.forecast.rows, other.forecast.rows)


# --- nothing observed


def test_nothing_observed_is_the_plan_itself(plan):
    for nothing in (
        None,
        wp.Observations(("gmail",), ()),
        counted([[5, 6], [7, 8]], start=START - timedelta(days=9)),
        counted([[np.nan], [np.nan]]),
    ):
        other = plan_of(sender(), observed=nothing)
        assert other.today == START
        assert other.schedule == plan.schedule
        np.testing.assert_array_equal(other.forecast.rows, plan.forecast.rows)
        assert other.summary() == plan.summary()
        if nothing is None:
            same(other, plan)


# --- the days that happened stand, the others are planned


def test_days_that_happened_stand_and_the_next_ones_are_planned(plan, seen, again):
    assert again.schedule.total[:, :N_SEEN].tolist() == seen.sent.tolist()
    assert again.n_seen == N_SEEN
    assert again.today == START + timedelta(days=N_SEEN) == again.first_day()
    assert again.schedule.total[:, N_SEEN:].any(axis=1).all()
    assert (again.forecast.injected[:, :, :N_SEEN] == seen.sent).all()
    tomorrow = again.tomorrow()
    assert tomorrow["messages"].tolist() == again.schedule.total[:, N_SEEN].astype(int).tolist()
    assert again.recipients()["messages"].sum() == tomorrow["messages"].sum() == again.slots()["messages"].sum()
    assert again.retry == plan.retry


def test_frame_and_figure_tell_what_has_happened(again, plan):
    frame = again.to_frame()
    happened = frame[frame["seen"]]
    assert happened["date"].max() < again.today <= frame.loc[~frame["seen"], "date"].min()
    assert (happened["sent_q10"] == happened["volume"]).all()
    assert (happened["sent_q90"] == happened["volume"]).all()
    assert not plan.to_frame()["seen"].any()
    texts = [note.text for note in again.plot().layout.annotations]
    assert "Observed" in texts
    assert "Observed" not in [note.text for note in plan.plot().layout.annotations]


def test_the_summary_says_where_it_stands(again, plan):
    first = again.summary().splitlines()[0]
    assert first == "Planned from Sunday 17 January 2027: 6 days observed, none of them throttled."
    assert "observed" not in plan.summary()


def test_a_replanned_plan_comes_back_from_json(again):
    back = wp.Plan.from_json(again.to_json())
    same(back, again)
    assert back.observed == again.observed
    assert back.today == again.today
    pd.testing.assert_frame_equal(back.to_frame(), again.to_frame())
    blind = back.blind
    assert (blind.injected[:, :, :N_SEEN] == again.observed.sent).all()


def test_other_schedules_keep_the_days_that_happened(again):
    more = again.with_cells({"gmail": {again.today: 1_234}})
    forecast = again.forecast.rescheduled(more)
    assert forecast.observed == again.observed
    assert (forecast.injected[:, :, :N_SEEN] == again.observed.sent).all()
    assert (forecast.injected[:, 0, N_SEEN] == 1_234).all()


def test_fixed_cells_go_on_working_for_days_ahead(plan, seen):
    day = START + timedelta(days=N_SEEN + 2)
    fixed = {"gmail": {day: 77, START: 9}}  # the first day has happened: it was otherwise
    made = plan_of(sender(), observed=seen, retry=plan.retry, fixed=fixed)
    assert made.schedule.total[0, N_SEEN + 2] == 77
    assert made.schedule.total[0, 0] == seen.sent[0, 0]


def test_the_order_of_providers_and_of_reading_does_not_matter(plan, seen, again):
    frame = seen.to_frame().sample(frac=1.0, random_state=1)
    shuffled = wp.Observations.from_frame(frame[::-1])
    halves = wp.Observations.from_frame(frame[frame["date"] > "2027-01-13"]).merge(
        wp.Observations.from_frame(frame[frame["date"] <= "2027-01-13"])
    )
    for other in (shuffled, halves):
        made = plan_of(sender(), observed=other, retry=plan.retry)
        assert made.schedule == again.schedule
        np.testing.assert_array_equal(made.forecast.rows, again.forecast.rows)


def test_the_horizon_reaches_beyond_today_however_late_it_is():
    small = np.full((2, 100), 20.0)
    made = plan_of(sender(), observed=counted(small))
    assert made.today == START + timedelta(days=100)
    assert len(made.schedule.dates) >= 107
    assert made.schedule.total[:, 100:].any()


def test_more_mail_than_planned_and_on_days_off_is_taken_as_it_was():
    weekdays = sender(send_days="weekdays")
    sent = np.tile([[9_000.0], [5_000.0]], 7)
    made = plan_of(weekdays, observed=counted(sent))
    assert (made.forecast.injected[:, :, :7] == sent).all()
    assert made.schedule.total[:, 7:].any()
    assert not any(answer.name == "fixed_above_capacity" for answer in made.answers)


def test_a_target_that_was_reached_is_said_in_the_past_and_kept():
    full = np.tile(sender().demand(1), 9)
    made = plan_of(sender(history={"domain": 6_000, "ip": 6_000}), observed=counted(full))
    assert made.headline() == "6,000 a day was reached on Monday 11 January 2027."
    reached = made.frontier.query("chosen")
    assert (reached["q90"] == 0).all()
    assert (made.schedule.total[:, 9:] == full[:, :1]).all()


def test_left_out_observations_are_told(seen):
    strange = seen.add(counted([[40] * N_SEEN], providers=("icloud",)))
    text = plan_of(sender(), observed=strange).summary()
    assert "240 messages to icloud were left out" in text


def test_start_is_no_question_any_more(seen):
    late = sender(target={"volume": 6_000, "by": "2027-01-20"})
    made = plan_of(late, observed=seen)
    assert "Deadline" in made.summary()
    assert "Start by" not in made.summary()
    assert not {"start_1", "start_2"} & set(made.explanation.reliefs["name"])
    assert all(row["first"] >= made.today for row in made.explanation.binding_rows if row["kind"] != "segment")


# --- the risk that was taken


def test_risk_taken_counts_while_all_goes_well(plan, seen):
    beliefs = wp.draw(sender(), 60, 8).resampled(60, 1)
    made = plan_of(sender(), observed=seen, retry=plan.retry, risk=0.3, beliefs=beliefs)
    taken = made.options["risk_taken"]
    assert 0.0 < max(taken.values()) < 0.3
    task = planning.task_of(made)
    assert task.limits == pytest.approx([(0.3 - taken[name]) / (1.0 - taken[name]) for name in ("gmail", "yahoo")])
    # it is the share of the prior's worlds in which what was sent goes wrong
    prior = planning.scenarios_for(planning.task_of(plan), planning.N_KEEP, "keep")
    schedule = wp.Schedule(("gmail", "yahoo"), ("all",), seen.days, seen.sent[:, None, :])
    forecast = wp.simulate(sender(), schedule, plan.retry, beliefs=prior, slot_minutes=60, seed=5)
    assert list(taken.values()) == pytest.approx(forecast.risk(), abs=0.1)


def test_after_a_throttled_day_the_limit_applies_to_the_days_left(plan, seen):
    trouble = seen.merge(counted([[seen.sent[0, 2]]], [[0.5 * seen.sent[0, 2] // 1]], ("gmail",), seen.days[2]))
    block = trouble.merge(
        wp.Observations(("gmail",), seen.days[2:3], blocked=[[0.5 * seen.sent[0, 2] // 1]])  # half of it
    )
    beliefs = wp.draw(sender(), 60, 8).resampled(60, 1)
    made = plan_of(sender(), observed=block, retry=plan.retry, risk=0.3, beliefs=beliefs)
    assert made.options["risk_taken"]["gmail"] == 0.0 < made.options["risk_taken"]["yahoo"]
    (answer,) = [each for each in made.answers if each.name == "limit_anew"]
    assert "Gmail" in answer.text
    assert "Yahoo" not in answer.text
    assert answer.text in made.summary()
    assert "Gmail throttled on 1" in made.summary()
    assert made.forecast.wrong_days()[:, 0, 2].all()
    assert (made.forecast.risk() < 1.0).all()  # of the days left
    assert (made.frontier["measured_risk"] < 2.0).all()


def test_where_all_risk_is_taken_the_rest_is_as_careful_as_can_be(plan):
    reckless = counted(np.full((2, 4), 5_000.0))
    beliefs = wp.draw(sender(), 60, 8).resampled(60, 1)
    made = plan_of(sender(), observed=reckless, retry=plan.retry, risk=0.02, beliefs=beliefs)
    assert (planning.task_of(made).limits == 0.0).any()
    assert any(answer.name == "risk_taken" for answer in made.answers)


def test_where_nothing_was_learnt_no_risk_is_counted_twice(plan, seen):
    made = plan_of(sender(), observed=seen, retry=plan.retry, risk=0.3)
    assert "risk_taken" not in made.options
    assert planning.task_of(made).limits.tolist() == [0.3, 0.3]


# --- the difference of two plans


def test_the_same_plan_changes_nothing(plan):
    same_plan = wp.changes(plan, plan)
    assert same_plan.later_by == 0
    assert (same_plan.to_frame()["change"] == 0).all()
    assert "as planned before" in same_plan.summary()
    assert "As planned: Gmail, Yahoo and AOL." in same_plan.summary()


def test_changes_name_volumes_dates_and_reasons(plan, seen):
    half = seen.merge(counted([seen.sent[0] // 2, seen.sent[1]]))
    tight = wp.draw(sender(), 100, 8)
    values = tight.values.copy()
    values[:, 0, list(wp.catalogue().provider("gmail").priors).index("daily_growth")] = 1.02
    slow = wp.Beliefs(tight.providers, values, tight.weights)
    after = plan_of(sender(), observed=half, beliefs=slow, retry=plan.retry)
    found = wp.changes(plan, after)
    frame = found.to_frame().set_index("provider")
    assert frame.loc["gmail", "after"] == after.schedule.total[0, N_SEEN : N_SEEN + 7].sum()
    assert frame.loc["gmail", "before"] == plan.schedule.total[0, N_SEEN : N_SEEN + 7].sum()
    assert frame.loc["gmail", "change"] < -0.2
    assert frame.loc["all", "later_by"] == found.later_by > 0
    days = found.by_day()
    assert days.groupby("provider")["after"].sum().to_dict() == frame["after"].drop("all").to_dict()
    assert days["date"].min() == after.today
    text = found.summary()
    assert "You sent" in frame.loc["gmail", "reasons"]
    assert "Believed now: daily growth ×1.02 instead of ×" in frame.loc["gmail", "reasons"]
    assert "growth" not in frame.loc["yahoo", "reasons"]
    assert frame.loc["gmail", "reasons"] in text
    assert "later than planned before" in text or "out of sight" in text


def test_what_nobody_counted_is_not_said_to_be_unsent(plan, seen):
    after = plan_of(sender(), observed=counted(seen.sent[:1], providers=("gmail",)), retry=plan.retry)
    planned = plan.schedule.total[1, :N_SEEN].sum()
    reasons = wp.changes(plan, after).reasons["yahoo"]
    assert f"Nothing is known of the {planned:,.0f} planned until now; they count as not sent." in reasons
    assert not any("You sent" in each for each in reasons)


def test_changes_name_throttled_days_and_alarms(plan, seen):
    sent = seen.sent.copy()
    bad = seen.merge(wp.Observations(("yahoo",), seen.days[3:4], sent=[[sent[1, 3]]], blocked=[[sent[1, 3] // 2]]))
    after = plan_of(sender(), observed=bad, retry=plan.retry)
    alarms = wp.alarms(sender(), bad)
    found = wp.changes(plan, after, alarms)
    reasons = found.reasons["yahoo"]
    assert any("Throttled on Thursday 14 January 2027." in each for each in reasons)
    certain = [alarm for alarm in alarms if alarm.certain and alarm.provider == "yahoo"]
    assert certain
    assert all(any(alarm.evidence() in each for each in reasons) for alarm in certain)


@pytest.mark.parametrize("days", [0, -1, 91])
def test_days_that_make_no_sense_are_refused(plan, days):
    with pytest.raises(wp.InputError, match="days is"):
        wp.changes(plan, plan, days=days)


# --- a target that was reached before the days left, or by a day that somebody decided


def test_who_has_reached_the_target_stays_there(plan) -> None:
    """Days that happened reach it at every level of risk, so that the most careful one, of one message, would do."""
    n_days = len(plan.schedule.dates)
    steady = plan_of(sender(), observed=counted(plan.schedule.total), retry=plan.retry)
    left = steady.schedule.total[:, n_days:]
    assert left.shape[1] >= 7
    assert (left >= 0.5 * sender().targets()[:, None]).all()


def test_decided_days_at_the_target_do_not_end_the_ramp(plan) -> None:
    n_days = 10
    well = counted(plan.schedule.total[:, :n_days])
    days = [(START + timedelta(days=n_days + d)).isoformat() for d in range(3)]
    fixed = {
        name: dict.fromkeys(days, float(n)) for name, n in zip(("gmail", "yahoo"), sender().targets(), strict=True)
    }
    bold = plan_of(sender(), observed=well, fixed=fixed, retry=plan.retry)
    left = bold.schedule.total[:, n_days + len(days) :]
    assert left.shape[1] >= 4
    assert (left >= 0.2 * sender().targets()[:, None]).all()
