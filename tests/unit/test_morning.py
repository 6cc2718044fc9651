"""A morning: verdicts become volumes, the rest is planned around them, and everything is said with its reason."""

from __future__ import annotations

import json
from datetime import date, timedelta

import numpy as np
import pytest

import planner as wp
from planner.observing.rows import MEASURES
from planner.season.report import nearest_day
from planner.vocabulary import Verdict

START = date(2026, 10, 5)
SENDER = wp.Sender.from_dict(
    {
        "name": "Shop",
        "audience": {"providers": {"gmail": 60, "yahoo": 40}},
        "target": {"volume": 20_000},
        "send_days": "daily",
        "n_ips": 1,
        "domain": "used",
        "start": START.isoformat(),
    }
)
N_DAYS = 6
TODAY = START + timedelta(days=N_DAYS)


@pytest.fixture(scope="module")
def plan() -> wp.Plan:
    return wp.optimize(SENDER, scenarios=40)


def season(plan: wp.Plan, *, deferred: float = 0.0, complained: float = 0.0, blocked: float = 0.0) -> wp.Season:
    """Six days as planned; on the last a share of Yahoo's mail is deferred, complained about or blocked."""
    sent = plan.schedule.total[:, :N_DAYS]
    held, angry, refused = np.zeros_like(sent), np.zeros_like(sent), np.zeros_like(sent)
    held[1, -1], angry[1, -1] = np.floor(deferred * sent[1, -1]), np.floor(complained * sent[1, -1])
    refused[1, -1] = np.floor(blocked * sent[1, -1])
    by_cause = np.zeros((*sent.shape, 7))
    by_cause[:, :, 0] = held
    none = np.zeros_like(sent)
    seen = wp.Observations(
        SENDER.provider_names,
        SENDER.dates(N_DAYS),
        sent=sent,
        attempts=sent,
        delivered=sent - held - refused,
        deferred=held,
        first_deferred=held,
        hard_bounced=none,
        blocked=refused,
        complaints=angry,
        deferred_by_cause=by_cause,
    )
    return wp.Season.begun(SENDER, plan).observed(seen, source="mail.log")


def cheap(season: wp.Season) -> wp.Morning:
    return wp.morning(season, calibrate=False, replan=False)


def cheap_on(season: wp.Season, today: date) -> wp.Morning:
    return wp.morning(season, today, calibrate=False, replan=False)


def test_nothing_wrong_goes_on_as_planned(plan: wp.Plan) -> None:
    made = cheap(season(plan))
    assert (made.today, made.day_number) == (TODAY, N_DAYS + 1)
    assert set(made.verdicts.values()) == {Verdict.GO_ON}
    assert [row.messages for row in made.rows] == plan.schedule.total[:, N_DAYS].tolist()
    assert made.plan is plan
    assert made.changes is None
    assert "no alarm" in made.boss()


def test_held_is_what_was_sent_on_the_last_day(plan: wp.Plan) -> None:
    row = cheap(season(plan, deferred=0.4)).rows[1]
    assert row.verdict == Verdict.HOLD
    assert row.messages == min(plan.schedule.total[1, N_DAYS - 1], row.planned)
    assert (row.last_day, row.last_sent) == (TODAY - timedelta(days=1), plan.schedule.total[1, N_DAYS - 1])
    assert row.why == f"As many as on Sat 10 Oct, instead of {row.planned:,}."


def test_stepping_back_is_half_of_it(plan: wp.Plan) -> None:
    row = cheap(season(plan, deferred=0.8)).rows[1]
    assert row.verdict == Verdict.STEP_BACK
    assert row.messages == plan.schedule.total[1, N_DAYS - 1] // 2


def test_a_stop_sends_nothing_until_it_is_over(plan: wp.Plan) -> None:
    made = cheap(season(plan, complained=0.05))
    row = made.rows[1]
    assert (row.verdict, row.messages) == (Verdict.STOP, 0)
    days = (row.until - TODAY).days
    assert days >= 1
    assert not made.schedule.total[1, N_DAYS : N_DAYS + days].any()
    assert made.schedule.total[1, N_DAYS + days] > 0
    assert any("Yahoo Sender Hub" in line for line in made.look_up)
    assert "stop at Yahoo and AOL" in made.boss()


def test_after_a_stop_it_starts_again_at_the_share_that_its_rule_says(plan: wp.Plan) -> None:
    blocked = season(plan, blocked=0.3)
    last = int(plan.schedule.total[1, N_DAYS - 1])
    for replan in (False, True):
        made = wp.morning(blocked, calibrate=False, replan=replan)
        days = (made.rows[1].until - TODAY).days
        volumes = made.schedule.total[1, N_DAYS : N_DAYS + days + 1]
        assert not volumes[:-1].any()
        assert 0 < volumes[-1] <= last // 4
    # the days of the stop have passed, and nothing was sent
    over = made.rows[1].until
    none = {name: np.zeros((2, days)) for name in MEASURES}
    silence = wp.Observations(SENDER.provider_names, tuple(TODAY + timedelta(days=d) for d in range(days)), **none)
    made = cheap(blocked.observed(silence, source="mail.log"))
    row = made.rows[1]
    assert (made.today, row.verdict, row.messages) == (over, Verdict.STEP_BACK, last // 4)
    assert row.why.startswith("A quarter of those on Sat 10 Oct")
    assert made.alarms.unknown == {}


def test_rules_for_one_provider_leave_the_others_as_planned(plan: wp.Plan) -> None:
    made = cheap(season(plan, complained=0.05).changed(rules="google"))
    assert made.verdicts == {"gmail": Verdict.GO_ON, "yahoo": Verdict.GO_ON}
    assert [row.messages for row in made.rows] == plan.schedule.total[:, N_DAYS].tolist()


def test_days_of_which_nothing_is_known_are_said_first_and_taken_as_planned(plan: wp.Plan) -> None:
    known = season(plan)
    late = TODAY + timedelta(days=3)
    made = wp.morning(known, late, calibrate=False)
    assert made.unseen == (
        "Nothing is known of 11–13 Oct: they count as days with the mail that was planned. Bring in what was sent."
    )
    assert made.summary().splitlines()[1] == made.unseen
    assert made.to_dict()["unseen"] == made.unseen
    past = slice(N_DAYS, N_DAYS + 3)
    assert (made.plan.schedule.total[:, past] == plan.schedule.total[:, past]).all()
    assert "fixed" not in wp.morning(known.planned(made.plan), TODAY, calibrate=False).plan.options
    without = wp.morning(wp.Season.begun(SENDER).observed(known.observations, source="mail.log"), late, calibrate=False)
    assert "they count as days without mail." in without.unseen
    assert not without.plan.schedule.total[:, past].any()
    assert cheap(known).unseen == ""


def test_a_weekend_without_mail_is_nothing_that_is_not_known(plan: wp.Plan) -> None:
    weekdays = wp.Sender.from_dict({**SENDER.to_dict(), "send_days": "weekdays"})
    steady = wp.optimize(weekdays, scenarios=24)
    counted = steady.schedule.total[:, :5]
    week = wp.Observations(weekdays.provider_names, weekdays.dates(5), sent=counted, delivered=counted)
    season = wp.Season.begun(weekdays, steady).observed(week, source="mail.log")
    assert cheap_on(season, START + timedelta(days=7)).unseen == ""
    assert "known of 12 Oct: they" in cheap_on(season, START + timedelta(days=8)).unseen


def test_past_the_end_of_the_plan_the_days_left_begin_today(plan: wp.Plan) -> None:
    late = plan.schedule.dates[-1] + timedelta(days=9)
    made = wp.morning(season(plan), late, calibrate=False)
    first = (late - START).days
    assert made.plan.today == late
    assert made.plan.schedule.dates[-1] >= late + timedelta(days=6)
    assert (made.plan.schedule.total[:, first:] >= 0.5 * SENDER.targets()[:, None]).all()


def test_a_stop_before_the_start_moves_nothing(plan: wp.Plan) -> None:
    later = wp.Sender.from_dict({**SENDER.to_dict(), "start": (START + timedelta(days=20)).isoformat()})
    made = wp.morning(season(plan, blocked=0.3).changed(later), TODAY, calibrate=False)
    assert made.verdicts["yahoo"] == Verdict.STOP
    assert made.messages == 0
    assert made.plan.schedule.total[1, 0] > 0


def test_planned_again_around_the_verdict_with_reasons(plan: wp.Plan) -> None:
    said = []
    made = wp.morning(season(plan, deferred=0.4), progress=lambda share, text: said.append((share, text)))
    shares = [share for share, _ in said]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)
    assert made.plan.today == TODAY
    assert made.rows[1].messages <= plan.schedule.total[1, N_DAYS - 1]
    assert made.plan.schedule.total[1, N_DAYS] == made.rows[1].messages
    text = made.summary()
    for part in ("hold at 1", "Yahoo and AOL throttled on 1", "Deferrals:", "For the boss: Shop, day 7", "Today "):
        assert part in text
    assert any("Yahoo" in line for line in made.learnt())
    # tomorrow, with a good day behind it, today's verdict binds no more
    again = wp.morning(season(plan).planned(made.plan), calibrate=False)
    assert "fixed" not in again.plan.options


def test_cells_decided_by_hand_stay(plan: wp.Plan) -> None:
    by_hand = {"gmail": {TODAY + timedelta(days=2): 1234}}
    mine = wp.optimize(SENDER, scenarios=8, retry=plan.retry, fixed=by_hand)
    made = wp.morning(season(plan, complained=0.05).planned(mine), calibrate=False)
    assert made.plan.schedule.total[0, N_DAYS + 2] == 1234
    assert made.plan.options["verdicts"].keys() == {"yahoo"}


def test_before_the_first_day_there_is_a_plan_and_no_alarm() -> None:
    made = wp.morning(wp.Season.begun(SENDER))
    assert (made.today, made.alarms, made.calibration, made.before) == (START, None, None, None)
    assert made.messages == made.plan.schedule.total[:, 0].sum()
    for what in ("changes", "beliefs"):
        with pytest.raises(wp.InputError, match=f"no {what}"):
            made.to_frame(what)


def test_counts_of_today_and_later_are_left_aside(plan: wp.Plan) -> None:
    made = wp.morning(season(plan, complained=0.05), TODAY - timedelta(days=1), calibrate=False, replan=False)
    assert set(made.verdicts.values()) == {Verdict.GO_ON}


def test_tables_and_json_hold_the_same(plan: wp.Plan) -> None:
    made = cheap(season(plan, deferred=0.4))
    frame = made.to_frame()
    assert frame["messages"].tolist() == [row.messages for row in made.rows]
    assert made.to_frame("recipients")["messages"].sum() == made.messages
    data = json.loads(made.to_json())
    assert [one["verdict"] for one in data["providers"]] == ["go_on", "hold"]
    assert data["boss"] == made.boss()
    assert "<script" not in made._repr_html_()
    with pytest.raises(wp.InputError, match=r"Unknown table 'tody'. Did you mean 'today'"):
        made.to_frame("tody")


def test_past_the_end_of_a_plan_the_last_same_weekday_counts(plan: wp.Plan) -> None:
    schedule = plan.schedule
    last = schedule.dates[-1]
    for ahead in range(1, 20):
        d = nearest_day(schedule, last + timedelta(days=ahead))
        assert schedule.dates[d].weekday() == (last + timedelta(days=ahead)).weekday()
    assert nearest_day(schedule, START - timedelta(days=1)) is None
