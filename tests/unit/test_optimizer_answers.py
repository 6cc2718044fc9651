"""What a plan answers: wishes that cannot be met, deadlines, caution; and what it hands over for tomorrow."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta

import numpy as np
import pytest

import planner as wp
from planner.optimizer import planning, referee
from planner.optimizer.answers import cannot_grow, impossible
from planner.vocabulary import in_100, short_day

TWO = {
    "audience": {"providers": {"gmail": 60, "yahoo": 40}},
    "target": {"volume": 3_000},
    "send_days": "daily",
    "n_ips": 1,
    "domain": "used",
    "start": "2027-01-11",
}
WEEKLY = {**TWO, "send_days": ["tue"], "start": "2027-01-12"}
NO_DAY = [{"from": "2027-01-01", "to": "2028-06-30"}, {"from": "2028-07-01", "to": "2029-12-31"}]
BY = date(2027, 1, 18)


def sender(data=TWO, **changes):
    return wp.Sender.from_dict({**data, **changes})


@pytest.fixture(scope="module", autouse=True)
def _few_scenarios():
    """What is said matters here, not how well it was searched."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "N_FIT", 40)
        patch.setattr(planning, "N_CHOOSE", 40)
        yield


def plan_of(mailer, **options):
    return wp.optimize(mailer, **{"scenarios": 50, "seed": 3, **options})


def named(plan, name):
    (answer,) = [each for each in plan.answers if each.name == name]
    assert answer.text in plan.summary()
    assert answer.remedy in plan.summary()
    return answer


@pytest.fixture(scope="module")
def hurried():
    """A plan with a deadline that is too near."""
    return plan_of(sender(target={"volume": 20_000, "by": BY.isoformat()}), risk=0.1)


# --- wishes that cannot be met


def test_a_possible_wish_has_no_answer(hurried):
    assert impossible(sender(), 90) == ()
    assert hurried.answers == ()


def test_target_above_the_list():
    audience = {**TWO["audience"], "size": 2_000}
    plan = plan_of(sender(audience=audience))
    answer = named(plan, "target_above_list")
    assert "2,000" in answer.remedy
    assert impossible(plan.sender.changed({"target.volume": 2_000}), 90) == ()
    assert impossible(sender(audience=audience, kind="transactional"), 90) == ()


def test_all_days_blacked_out():
    plan = plan_of(sender(blackout=NO_DAY))
    answer = named(plan, "all_blacked_out")
    assert "blackout" in answer.remedy
    assert plan.schedule.total.sum() == 0.0
    assert plan.tomorrow()["messages"].tolist() == [0, 0]
    assert json.loads(plan.to_json())["answers"][0]["name"] == "all_blacked_out"
    freed = sender(blackout=[{"from": "2027-01-01", "to": "2027-03-31"}])
    assert impossible(freed, freed.horizon_limit()) == ()


def test_a_closed_gate_is_named_and_an_admission_opens_it():
    shut = sender(audience={"providers": {"gmail": 60, "t-online": 40}}, target={"volume": 1_000})
    plan = plan_of(shut)
    answer = named(plan, "gate_closed")
    assert answer.provider == "t-online"
    assert "admissions: {t-online: YYYY-MM-DD}" in answer.remedy
    assert plan.schedule.total[1].sum() == 0.0 < plan.schedule.total[0].sum()

    admitted = plan_of(shut.changed({"admissions": {"t-online": "2027-01-15"}}))
    assert not any(each.name == "gate_closed" for each in admitted.answers)
    assert admitted.schedule.total[1, :4].sum() == 0.0 < admitted.schedule.total[1, 4]


@pytest.mark.parametrize("nothing", [{"blackout": NO_DAY}, {"audience": {"providers": {"t-online": 1}}}])
def test_where_nothing_can_be_sent_no_target_is_reached(nothing):
    plan = plan_of(sender(**nothing))
    assert "3,000 a day by" not in plan.headline()


# --- the target that is never reached, and the change with which it is


def growth_of(mailer, share=0.1, n_days=91):
    """The ramp at a share of scenarios given up, and what is answered."""
    beliefs = wp.draw(mailer, 40, 5)
    drops = np.full(len(mailer.provider_names), int(share * len(beliefs)))
    volume = referee.volumes_at(referee.ramps(mailer, beliefs, n_days), drops)
    return volume, cannot_grow(mailer, beliefs, volume, drops / len(beliefs), n_days)


def helped(mailer, remedy):
    """The sender with the remedy's change."""
    days = re.match(r"With \d send days a week \((.*)\) it is reached", remedy)
    ips = re.match(r"With (\d+) IPs it is reached", remedy)
    target = re.match(r"A target of ([\d,]+) a day is reached", remedy)
    if days:
        return mailer.changed({"send_days": days[1].split(", ")})
    if ips:
        return mailer.changed({"n_ips": int(ips[1])})
    return mailer.changed({"target.volume": int(target[1].replace(",", ""))})


GROWTH = {
    "another day": (sender(WEEKLY, target={"volume": 20_000}), "send days"),
    "two more days": (sender(WEEKLY, target={"volume": 50_000}), "send days"),
    "another IP": (sender(target={"volume": 600_000}), "IPs"),
    "a lower target": (sender(target={"volume": 300_000_000}), "target"),
    "a lower target, weekly": (sender(WEEKLY, target={"volume": 300_000_000}), "target"),
    "a lower target, tuesdays and fridays": (
        sender(WEEKLY, send_days=["tue", "fri"], target={"volume": 900_000_000}, history={"domain": 3000}),
        "target",
    ),
}


@pytest.mark.parametrize("case", GROWTH)
def test_a_sender_that_cannot_grow_is_told_a_change_that_helps(case):
    mailer, kind = GROWTH[case]
    volume, (answer,) = growth_of(mailer)
    assert answer.name == "cannot_grow"
    assert answer.provider in mailer.provider_names
    assert (volume.max(axis=1) < mailer.targets()).any()
    assert kind in answer.remedy
    reached, answers = growth_of(helped(mailer, answer.remedy))
    assert answers == ()
    assert (reached.max(axis=1) >= 0.995 * helped(mailer, answer.remedy).targets() - 0.5).all()


def test_a_lower_target_is_not_rounded_above_what_is_reached():
    mailer = sender(target={"volume": 300_000_000}, history={"domain": 700})
    _, (answer,) = growth_of(mailer, n_days=40)
    assert growth_of(helped(mailer, answer.remedy), n_days=40)[1] == ()


@pytest.mark.parametrize(("case", "n"), [("another day", 2), ("two more days", 3)])
def test_the_smallest_change_is_named(case, n):
    mailer, _ = GROWTH[case]
    _, (answer,) = growth_of(mailer)
    days = [str(day) for day in helped(mailer, answer.remedy).send_days]
    assert len(days) == n
    for day in set(days) - {"tue"}:
        one_less = mailer.changed({"send_days": [each for each in days if each != day]})
        assert growth_of(one_less)[1] != ()


def test_a_plan_says_that_the_target_is_out_of_reach():
    plan = plan_of(sender(WEEKLY, audience={"providers": {"gmail": 1}}, target={"volume": 50_000_000}), scenarios=20)
    assert named(plan, "cannot_grow").provider == "gmail"
    assert "0 in 100" in plan.headline()


def test_a_cautious_weekly_sender_gets_the_days_it_needs():
    """Out of reach is only what the longest horizon cannot hold."""
    mailer = sender(WEEKLY, audience={"providers": {"gmail": 60, "microsoft": 40}})
    _, answers = growth_of(mailer, share=0.05, n_days=mailer.horizon_limit())
    assert answers == ()
    assert not any(each.name == "cannot_grow" for each in plan_of(mailer, risk=0.05).answers)


def test_missing_authentication_is_what_helps():
    bare = sender(authentication={"spf": "no", "dkim": "no", "ptr": "no"})
    _, (answer,) = growth_of(bare)
    assert "SPF, DKIM, reverse DNS" in answer.remedy
    repaired = bare.changed({f"authentication.{item}": "yes" for item in ("spf", "dkim", "ptr")})
    assert growth_of(repaired)[1] == ()


def test_a_dirty_list_is_told_to_clean_up():
    segments = [{"name": "all", "share": 1, "complaint_rate": 0.02, "hard_bounce_rate": 0.15}]
    _, (answer,) = growth_of(sender(audience={**TWO["audience"], "segments": segments}))
    assert "complaints" in answer.remedy
    clean = [{"name": "all", "share": 1, "complaint_rate": 0.001, "hard_bounce_rate": 0.01}]
    assert growth_of(sender(audience={**TWO["audience"], "segments": clean}))[1] == ()


def test_a_gate_that_opens_after_the_horizon_keeps_the_target_out_of_reach():
    late = sender(audience={"providers": {"gmail": 50, "t-online": 50}}, admissions={"t-online": "2029-01-01"})
    plan = plan_of(late, scenarios=20)
    assert "0 in 100" in plan.headline()
    rows = plan.frontier.set_index("provider")
    assert np.isinf(rows.loc["t-online", ["planned_day", "q50"]].to_numpy(dtype=float)).all()
    assert np.isfinite(rows.loc["all", "q50"]).any()


def test_a_share_of_no_message_leaves_no_gap_in_the_frontier():
    plan = plan_of(sender(audience={"providers": {"gmail": 1_000_000, "yahoo": 1}}), scenarios=20)
    assert plan.frontier.drop(columns="by_deadline").notna().all(axis=None)


# --- the deadline


def test_a_deadline_is_answered(hurried):
    deadline = hurried.deadline()
    assert deadline["by"] == BY
    assert 0.0 <= deadline["p"] < 0.8
    assert deadline["p"] == hurried.forecast.p_by(BY)
    assert deadline["start_by"] < hurried.sender.start
    assert "Deadline" in hurried.summary()
    assert in_100(deadline["p"]) in hurried.summary()
    assert short_day(deadline["start_by"]) in hurried.summary()


def test_starting_earlier_by_as_much_makes_the_deadline(hurried):
    needed = BY - hurried.deadline()["start_by"]
    assert hurried.forecast.p_by(hurried.sender.start + needed) >= 0.8
    assert hurried.forecast.p_by(hurried.sender.start + needed - timedelta(days=1)) < 0.8


def test_the_horizon_reaches_the_deadline():
    plan = plan_of(sender(target={"volume": 500, "by": "2027-03-01"}), scenarios=20)
    assert plan.schedule.dates[-1] >= date(2027, 3, 1)
    beyond = plan_of(sender(target={"volume": 500, "by": "2028-12-31"}), scenarios=20)
    assert "at least" in beyond.summary()


def test_without_a_deadline_nothing_is_said_of_one():
    plan = plan_of(sender(target={"volume": 500}), scenarios=20)
    assert plan.deadline() is None
    assert "Deadline" not in plan.summary()
    assert np.isnan(plan.frontier["by_deadline"]).all()


# --- caution


def test_the_argument_wins_over_the_file(hurried):
    written = sender(target={"volume": 500}, risk=0.3)
    assert plan_of(written, scenarios=20).risk == 0.3
    plan = plan_of(written, risk=0.05, scenarios=20)
    assert plan.risk == 0.05
    assert set(plan.levels.values()) == {0.05}
    assert hurried.sender.risk == "balanced" != hurried.risk


@pytest.mark.parametrize("risk", [0, -0.1, 0.51, 1, float("nan"), float("inf"), "bold", True, [0.1]])
def test_a_risk_that_makes_no_sense_is_refused(risk):
    with pytest.raises(wp.InputError, match="risk is"):
        wp.optimize(sender(), risk=risk)


def test_the_row_of_the_chosen_risk_is_the_plan(hurried):
    planned = np.array([np.argmax(row >= 0.995 * row.max()) for row in hurried.schedule.total])
    chosen = hurried.frontier.query("chosen").set_index("provider")
    assert chosen.index.tolist() == ["gmail", "yahoo", "all"]
    assert chosen["planned_day"].tolist() == [*planned, planned.max()]


@pytest.mark.parametrize("given", [{"scenarios": 0}, {"scenarios": 2.5}, {"seed": "a"}, {"reaction": "default"}])
def test_a_program_that_asks_for_nonsense_is_told_so(given):
    (name,) = given
    with pytest.raises(wp.InputError, match=f"{name} is"):
        wp.optimize(sender(), **given)


def test_balanced_levels_are_levels_of_the_frontier():
    plan = plan_of(sender(), risk="balanced")
    assert set(plan.levels) == {"gmail", "yahoo"}
    assert set(plan.levels.values()) <= set(referee.LEVELS)
    chosen = plan.frontier.query("chosen and provider != 'all'")
    assert dict(zip(chosen["provider"], chosen["risk"], strict=True)) == plan.levels


def test_the_frontier_has_a_row_per_provider_and_level(hurried):
    rows = hurried.frontier
    days = ["planned_day", "q10", "q50", "q80", "q90"]
    shares = ["missing", "by_deadline", "measured_risk", "wrong_days", "delayed", "lost"]
    assert rows.columns.tolist() == ["provider", "risk", *days, *shares, "chosen"]
    assert len(rows) == 3 * len(referee.LEVELS)
    assert set(rows["provider"]) == {"gmail", "yahoo", "all"}
    assert tuple(rows.query("provider == 'all'")["risk"]) == referee.LEVELS
    one = rows.query("provider == 'gmail'")
    assert one["planned_day"].is_monotonic_decreasing
    assert one["measured_risk"].is_monotonic_increasing
    for column in ("missing", "by_deadline", "delayed", "lost"):
        assert rows[column].between(0.0, 1.0).all()
    assert (rows["q10"] <= rows["q50"]).all()
    assert (rows["q50"] <= rows["q90"]).all()


# --- what is handed over


def test_the_same_seed_gives_the_same_plan(hurried):
    again = plan_of(hurried.sender, risk=0.1)
    assert again.to_json() == hurried.to_json()
    other = plan_of(hurried.sender, risk=0.1, seed=4)
    assert other.schedule != hurried.schedule


def test_a_plan_comes_back_from_json(hurried):
    text = hurried.to_json()
    assert len(text.encode()) < 1_000_000
    again = wp.Plan.from_json(text)
    assert again.to_json() == text
    assert again.schedule == hurried.schedule
    assert (again.forecast.rows == hurried.forecast.rows).all()
    assert again.deadline() == hurried.deadline()


def test_tomorrow_is_the_first_day_of_the_frame(hurried):
    tomorrow = hurried.tomorrow()
    frame = hurried.to_frame()
    today = frame[frame["date"] == hurried.first_day()]
    assert tomorrow["provider"].tolist() == today["provider"].tolist() == ["gmail", "yahoo"]
    assert tomorrow["messages"].tolist() == today["volume"].tolist()
    assert tomorrow["per_hour"].tolist() == today["per_hour"].tolist()
    with pytest.raises(wp.InputError, match="not in the plan"):
        hurried.tomorrow(date(2030, 1, 1))


def test_per_hour_carries_the_day(hurried):
    frame = hurried.to_frame()
    hours = hurried.sender.window_hours
    assert (frame["per_hour"] * hours >= frame["volume"]).all()
    assert ((frame["per_hour"] - 1) * hours < frame["volume"]).all()


@pytest.mark.parametrize("window", ["08:00-20:00", "22:00-06:00", "00:00-24:00", "09:10-11:25"])
def test_the_pace_carries_the_day(hurried, window):
    plan = wp.Plan(**{**vars(hurried), "sender": hurried.sender.changed({"window": window})})
    pace = plan.pace
    assert pace.groupby("provider")["share"].sum().to_numpy() == pytest.approx(1.0)
    first = pace.query("provider == 'gmail'")
    opens = int(window[:2]) * 60 + int(window[3:5])
    assert first["slot_start"].iloc[0] == f"{opens // 60:02}:{opens % 60 // 15 * 15:02}"
    assert len(first) == -(-(plan.sender.window_hours * 60 + opens % 15) // 15)


# --- cells that are decided already


def test_locked_cells_come_back_and_the_rest_is_planned_around_them():
    days = sender().dates(60)
    locked = {"gmail": {days[3]: 40, days[40]: 1_000}, "yahoo": {days[1]: 0}}
    free, bound = plan_of(sender()), plan_of(sender(), fixed=locked)
    for name, cells in locked.items():
        p = bound.schedule.providers.index(name)
        for day, messages in cells.items():
            assert bound.schedule.total[p, bound.schedule.dates.index(day)] == messages
    assert len(bound.schedule.dates) > 40
    assert bound.schedule.total[0, 4] < free.schedule.total[0, 4]
    assert (bound.schedule.total[0, :3] > 0).all()


def test_without_locked_cells_nothing_changes():
    assert plan_of(sender(), fixed={}).schedule == plan_of(sender(), fixed={"gmail": {}}).schedule


@pytest.mark.parametrize(
    ("fixed", "message"),
    [
        ({"gmial": {BY: 1}}, "Unknown provider 'gmial'. Did you mean 'gmail'?"),
        ({"gmail": {date(2026, 1, 1): 1}}, "fixed.gmail.2026-01-01 lies outside the days from 2027-01-11 to "),
        ({"gmail": {BY: -1}}, "fixed.gmail.2027-01-18 is -1. Write a whole number"),
        ({"gmail": {BY: 0.5}}, "fixed.gmail.2027-01-18 is 0.5. Write a whole number"),
        ({"gmail": {BY: float("nan")}}, "fixed.gmail.2027-01-18 is nan, not a finite number"),
        ({"gmail": {date(2027, 1, 17): 5}}, "fixed.gmail.2027-01-17 is 5, but that day takes no mail."),
    ],
)
def test_cells_that_cannot_be_are_refused(fixed, message):
    with pytest.raises(wp.InputError, match=re.escape(message)):
        plan_of(sender(send_days="weekdays"), fixed=fixed)


# --- assumptions of somebody's own

SLOW = {"gmail": {"daily_growth": {"low": 1.02, "typical": 1.04, "high": 1.06}}}


def test_a_plan_names_its_own_assumptions_and_keeps_them():
    plan = plan_of(sender(), priors=SLOW)
    kept = wp.Plan.from_json(plan.to_json())
    for each in (plan, kept):
        rows = each.assumptions().set_index(["provider", "parameter"])
        assert rows.loc[("gmail", "daily_growth"), "typical"] == 1.04
        assert rows.loc[("gmail", "daily_growth"), "confidence"] == "default"
        assert rows.loc[("yahoo", "daily_growth"), "typical"] > 1.04
    assert kept.forecast.reached.tolist() == plan.forecast.reached.tolist()


def test_assumptions_move_the_plan_of_their_provider_alone():
    usual, slow = plan_of(sender(), risk=0.1), plan_of(sender(), risk=0.1, priors=SLOW)
    n_days = min(len(usual.schedule.dates), len(slow.schedule.dates), 7)
    assert slow.schedule.total[0, :n_days].sum() < usual.schedule.total[0, :n_days].sum()


def test_priors_and_beliefs_are_one_or_the_other():
    with pytest.raises(wp.InputError, match="not both"):
        plan_of(sender(), priors=SLOW, beliefs=wp.draw(sender(), 20, 1))


# --- cells typed over a plan


def test_changed_cells_are_filled_from_the_most_engaged():
    plan = plan_of(sender(audience={"providers": {"gmail": 60, "yahoo": 40}, "size": 10_000}))
    day = plan.schedule.dates[4]
    edited = plan.with_cells({"gmail": {day: 1_700}})
    other = np.ones(plan.schedule.total.shape, dtype=bool)
    other[0, 4] = False
    assert edited.total[0, 4] == 1_700
    assert (edited.total[other] == plan.schedule.total[other]).all()
    assert (edited.volume == np.floor(edited.volume)).all()
    engaged = plan.sender.audience.segments[0]
    assert edited.volume[0, 0, 4] == min(1_700, plan.sender.audience.size * 0.6 * engaged.share)
    assert plan.with_cells({}) == plan.schedule


@pytest.mark.parametrize(
    ("cells", "message"),
    [({"gmial": {BY: 1}}, "Unknown provider"), ({"gmail": {date(2026, 1, 1): 1}}, "lies outside the days")],
)
def test_cells_outside_the_plan_are_refused(cells, message):
    with pytest.raises(wp.InputError, match=message):
        plan_of(sender()).with_cells(cells)
