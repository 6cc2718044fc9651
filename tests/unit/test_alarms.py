"""Verdicts of a morning: what the counts prove, what they only suggest, and what is not known."""

from __future__ import annotations

import json
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

import planner as wp
from planner.errors import InputError
from planner.inputs.catalogue import catalogue
from planner.observing.judging import LEVEL
from planner.observing.measures import evidence, lower_bound
from planner.observing.observations import Observations
from planner.observing.rules import Rule, RuleSet
from planner.vocabulary import Cause, Verdict

FIRST = date(2026, 11, 16)
SENDER = wp.Sender.from_dict(
    {
        "audience": {"providers": {"gmail": 60, "yahoo": 40}},
        "target": {"volume": 4000},
        "send_days": "daily",
        "start": FIRST.isoformat(),
        "n_ips": 1,
        "domain": "used",
    }
)


def days(n):
    return tuple(FIRST + timedelta(days=d) for d in range(n))


def gmail(**counts):
    rows = {name: np.asarray([row], dtype=float) for name, row in counts.items()}
    return Observations(("gmail",), days(next(iter(rows.values())).shape[1]), **rows)


def judged(seen, **options):
    return wp.alarms(SENDER, seen, **options)


def rules_of(found, *, certain=True):
    return [alarm.rule for alarm in found if alarm.certain is certain]


# --- the bound


@pytest.mark.parametrize(("count", "of"), [(1, 3), (4, 1000), (30, 200), (7, 7)])
def test_bound_is_where_so_many_are_rare(count, of):
    bound = lower_bound(count, of, 0.01)
    assert binom.sf(count - 1, of, bound) == pytest.approx(0.01)


def test_bound_of_nothing_is_nothing():
    assert lower_bound(0, 10_000, 0.05) == 0.0


# --- small counts are small


@pytest.mark.parametrize(("complaints", "delivered"), [(1, 3), (1, 1), (2, 3), (2, 300)])
def test_a_complaint_or_two_stop_nobody(complaints, delivered):
    found = judged(gmail(sent=[delivered], delivered=[delivered], complaints=[complaints]))
    assert found.verdict("gmail") == Verdict.GO_ON
    assert rules_of(found, certain=False) == ["complaints-above-0-3", "complaints-above-0-1"]
    assert "chance may explain it" in found[0].evidence()


def test_the_same_rate_of_many_stops():
    found = judged(gmail(sent=[30_000], delivered=[30_000], complaints=[200]))
    assert found.verdict("gmail") == Verdict.STOP
    first = found[0]
    assert (first.count, first.of, first.limit) == (200, 30_000, 0.003)
    assert first.share == pytest.approx(200 / 30_000)
    assert first.limit < first.at_least < first.share
    assert first.at_least == pytest.approx(lower_bound(200, 30_000, LEVEL / found.n_judged))
    assert found.until("gmail") == found.today + timedelta(days=7)


def test_between_the_limits_is_a_hold_with_the_way_out():
    found = judged(gmail(sent=[30_000], delivered=[30_000], complaints=[60]))
    assert found.verdicts == {"gmail": Verdict.HOLD, "yahoo": Verdict.GO_ON}
    assert found[0].clean_messages() == 30_001  # 60 of 60,001 are fewer than one in a thousand
    assert "30,001 more delivered messages without any" in found.summary()
    assert found.summary().count("Complaints:") == 1


def test_healthy_goes_on():
    found = judged(gmail(sent=[10_000], delivered=[9_960], complaints=[2], hard_bounced=[20], blocked=[0]))
    assert list(found) == []
    assert found.gravest == Verdict.GO_ON
    assert found.until("gmail") is None


# --- each measure


@pytest.mark.parametrize(
    ("counts", "rule"),
    [
        ({"delivered": [900], "hard_bounced": [100]}, "hard-bounces-above-5"),
        ({"delivered": [960], "hard_bounced": [40]}, "hard-bounces-above-2"),
        ({"first_deferred": [800]}, "deferrals-above-60"),
        ({"first_deferred": [200]}, "deferrals-above-10"),
        ({"deferred": [600], "attempts": [1500]}, "deferrals-above-10"),
        ({"delivered": [900], "blocked": [100]}, "blocks-above-2"),
        ({"delivered": [1979], "blocked": [21]}, "blocks-above-half"),
    ],
)
def test_measures(counts, rule):
    found = judged(gmail(sent=[1000], **counts))
    assert rule in rules_of(found)
    expected = wp.alarm_rules()["ours"].rules[rule]
    assert found[0].rule == rule
    assert found.verdict("gmail") == expected.action
    assert found[0].lift == expected.lift


@pytest.mark.parametrize("cause", [Cause.GREYLISTING, Cause.SYSTEM, Cause.STUCK])
def test_what_meets_everybody_is_no_trouble(cause):
    by_cause = np.zeros((1, 1, len(Cause)))
    by_cause[0, 0, list(Cause).index(cause)] = 500
    counts = {"sent": [[1000]], "attempts": [[1500]], "deferred": [[500]], "first_deferred": [[500]]}
    assert list(judged(Observations(("gmail",), days(1), **counts, deferred_by_cause=by_cause))) == []
    by_cause[0, 0, list(Cause).index(Cause.PENALTY)] = 140
    found = judged(Observations(("gmail",), days(1), **counts, deferred_by_cause=by_cause))
    assert rules_of(found) == ["reputation-above-5"]
    assert found.verdict("gmail") == Verdict.STEP_BACK


def test_tries_of_one_message_are_one_witness():
    seen = gmail(sent=[10], attempts=[200], deferred=[195])
    counted = evidence(seen, "gmail", "deferral_share", days(2)[1], None, 1)
    assert counted is not None
    assert (counted.of, counted.count) == (10, pytest.approx(9.75))
    assert counted.what == "messages, each with all its attempts"


def test_bounces_of_publishers_count_blocks_where_known():
    counts = {"sent": [1000], "delivered": [920], "hard_bounced": [40]}
    assert rules_of(judged(gmail(**counts), rules="braze")) == []
    assert "bounces" in rules_of(judged(gmail(**counts, blocked=[60]), rules="braze"))


@pytest.mark.parametrize(
    ("idle", "expected"), [(5, Verdict.GO_ON), (7, Verdict.GO_ON), (8, Verdict.HOLD), (31, Verdict.STEP_BACK)]
)
def test_idle_days(idle, expected):
    found = judged(gmail(sent=[100, *[0] * idle]))
    assert found.verdict("gmail") == expected
    assert not found or found[-1].count == idle


def test_days_of_which_nothing_is_known_are_only_watched():
    found = judged(gmail(sent=[100]), today=FIRST + timedelta(days=12))
    assert found.verdict("gmail") == Verdict.GO_ON
    assert rules_of(found, certain=False) == ["idle-7"]
    assert "as far as is known" in found.summary()
    assert "Nothing is known after Mon 16 Nov" in found.summary()


def test_gaps_since_the_last_mail_are_not_idle_days():
    found = judged(gmail(sent=[100, 0, 0, 0, np.nan, 0, 0, 0, 0, 0]))
    assert rules_of(found) == []
    assert rules_of(found, certain=False) == ["idle-7"]


def test_a_provider_that_has_not_begun_is_not_idle():
    assert list(judged(gmail(sent=[0] * 20))) == []


# --- windows


def test_old_trouble_is_over():
    bad = [0, 0, 0, 100, *[0] * 7]
    seen = gmail(sent=[1000] * 11, delivered=[1000] * 11, complaints=bad)
    assert judged(seen, today=days(11)[-1]).verdict("gmail") == Verdict.STOP  # 7 days after
    assert judged(seen).verdict("gmail") == Verdict.GO_ON


def test_a_stop_is_not_prolonged_by_its_own_silence():
    seen = gmail(sent=[1000, 0, 0, 0], delivered=[900, 0, 0, 0], hard_bounced=[100, 0, 0, 0], complaints=[0, 0, 1, 0])
    for n in range(1, 4):
        found = judged(seen, today=days(9)[n])
        assert found.verdict("gmail") == Verdict.STOP
        assert found.until("gmail") == days(9)[4]
    found = judged(seen, today=days(9)[4])
    assert found.verdict("gmail") == Verdict.STEP_BACK
    assert found.until("gmail") == days(9)[5]
    assert "Over. Hard bounces: 100 of 1,000" in found.summary()
    assert "Start again at half the last good volume" in found.summary()


def test_a_hold_waits_for_the_next_mail():
    seen = gmail(sent=[1000, *[0] * 5], first_deferred=[500, *[0] * 5])
    found = judged(seen, today=days(9)[5])
    assert found.verdict("gmail") == Verdict.HOLD
    assert found.until("gmail") == days(9)[6]


def test_weekly_senders_are_judged_by_their_last_send():
    seen = gmail(sent=[1000, *[0] * 6], first_deferred=[500, *[0] * 6])
    found = judged(seen)
    assert rules_of(found) == ["deferrals-above-10"]
    assert (found[0].first, found[0].last) == (FIRST, FIRST)


def test_a_morning_in_the_past_knows_nothing_of_later_mail():
    seen = gmail(sent=[1000, 0, 1000], first_deferred=[0, 0, 900])
    assert list(judged(seen, today=days(3)[1])) == []
    assert rules_of(judged(seen)) == ["deferrals-above-60", "deferrals-above-10"]


def test_today_counts_as_far_as_it_is_known():
    seen = gmail(sent=[1000, 1000], delivered=[1000, 900], hard_bounced=[0, 100])
    assert judged(seen, today=FIRST).verdict("gmail") == Verdict.GO_ON
    assert judged(seen, today=days(2)[1]).verdict("gmail") == Verdict.HOLD


# --- what is not known


def test_what_cannot_be_judged_is_said():
    found = judged(gmail(sent=[100], delivered=[99]))
    assert set(found.unknown) == {"gmail"}
    assert "complaints" in found.unknown["gmail"]
    assert "Gmail: complaints, hard bounces" in found.summary()
    assert "deferrals" not in found.unknown["gmail"]  # what is neither delivered nor given up has been deferred
    assert "Nothing was observed of yahoo" in found.summary()


def test_mail_that_is_not_delivered_holds_where_nobody_counts_deferrals():
    found = judged(gmail(sent=[500], delivered=[40]))
    assert found.verdict("gmail") in ("hold", "step_back", "stop")
    assert "460 of 500 messages sent, not delivered that day" in found.summary()
    assert judged(gmail(sent=[500], delivered=[480])).verdict("gmail") == "go_on"


def test_deferrals_are_judged_without_a_count_of_attempts():
    found = judged(gmail(sent=[500], delivered=[3], deferred=[4800]))
    assert found.verdict("gmail") in ("hold", "step_back", "stop")
    assert judged(gmail(sent=[500], delivered=[495], deferred=[9])).verdict("gmail") == "go_on"


def test_nothing_observed_is_refused():
    with pytest.raises(InputError, match="Bring in a day first"):
        judged(Observations(("gmail",), ()))
    with pytest.raises(InputError, match="before the first day observed"):
        judged(gmail(sent=[1]), today=date(2025, 11, 16))


def test_providers_beside_the_sender_are_judged_too():
    seen = Observations(("icloud",), days(1), sent=[[1000]], delivered=[[800]], hard_bounced=[[200]])
    assert judged(seen).verdicts == {"gmail": "go_on", "yahoo": "go_on", "icloud": "stop"}


# --- rules as data


def test_google_speaks_for_itself_only():
    counts = {"sent": [[30_000]] * 2, "delivered": [[30_000]] * 2, "complaints": [[200]] * 2}
    found = judged(Observations(("gmail", "yahoo"), days(1), **counts), rules="google")
    assert found.providers == ("gmail",)
    assert found.rules == "Google"


@pytest.mark.parametrize("name", wp.alarm_rules())
def test_every_set_says_where_it_is_from(name):
    one = wp.alarm_rules()[name]
    for rule in one.rules.values():
        if "limit" not in rule.ours:
            assert one.source_of(rule).startswith(("https://", "http://"))
        assert rule.advice[0].isupper()
        assert rule.advice.endswith(".")
        assert rule.lift.endswith(".")
    assert set(one.providers) <= set(catalogue().providers)
    assert isinstance(wp.alarms(SENDER, gmail(sent=[10], delivered=[10]), rules=name).summary(), str)


def test_ours_come_first():
    assert next(iter(wp.alarm_rules())) == "ours"
    assert len(wp.alarm_rules()) >= 10


def test_unknown_rules_are_refused():
    with pytest.raises(InputError, match=r"Unknown set of rules 'googel'\. Did you mean 'google'"):
        judged(gmail(sent=[1]), rules="googel")


def test_rules_of_ones_own_from_a_file(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "name: Mine\nrules:\n  strict:\n    title: Complaints\n    measure: complaint_rate\n    limit: 0.0001\n"
        "    window_days: 7\n    action: stop\n    days: 2\n    advice: Stop.\n    lift: Ask Ann.\n"
        "    confidence: default\n"
    )
    found = judged(gmail(sent=[50_000], delivered=[50_000], complaints=[40]), rules=path)
    assert rules_of(found) == ["strict"]
    path.write_text(path.read_text().replace("0.0001", "12"))
    with pytest.raises(InputError, match=r"mine.yaml:6: .*limit is 12, but a share is below 1"):
        judged(gmail(sent=[1]), rules=path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"window_days": None}, "either window_days or window_sends"),
        ({"window_sends": 2}, "either window_days or window_sends"),
        ({"measure": "idle_days"}, "Leave the window out"),
        ({"action": "go_on"}, "go_on is no alarm"),
        ({"measure": "opens"}, "opens"),
        ({"ours": ["colour"]}, "Unknown field 'colour'"),
    ],
)
def test_rules_that_make_no_sense_are_refused(change, said):
    good = wp.alarm_rules()["ours"].rules["complaints-above-0-1"].model_dump()
    with pytest.raises(ValueError, match=said):
        Rule.model_validate(good | change)


def test_more_rules_ask_for_more_evidence():
    rule = wp.alarm_rules()["ours"].rules["complaints-above-0-1"]
    one, ten = (RuleSet(name="n", rules={f"r{k}": rule for k in range(n)}) for n in (1, 10))
    seen = gmail(sent=[10_000], delivered=[10_000], complaints=[18])
    assert judged(seen, rules=one).verdict("gmail") == Verdict.HOLD
    assert judged(seen, rules=ten).verdict("gmail") == Verdict.GO_ON


# --- the result


@pytest.fixture
def troubled():
    counts = {
        "sent": [[30_000], [1000]],
        "delivered": [[30_000], [900]],
        "complaints": [[200], [3]],
        "hard_bounced": [[0], [100]],
        "first_deferred": [[0], [200]],
    }
    return judged(Observations(("gmail", "yahoo"), days(1), **counts))


def test_it_is_a_sequence_gravest_first(troubled):
    assert len(troubled) == len(list(troubled)) == len(troubled[:])
    order = [-list(Verdict).index(one.asks) for one in troubled]
    assert order == sorted(order)
    assert troubled.of("yahoo")[0].provider == "yahoo"
    with pytest.raises(InputError, match="Unknown provider 'gmial'"):
        troubled.verdict("gmial")


def test_summary_says_what_to_do_why_and_until_when(troubled):
    text = troubled.summary()
    assert text.startswith("Tuesday 17 November 2026, by our own rules: stop at 2.")
    assert "Gmail: stop until Tue 24 Nov." in text
    assert "Complaints: 200 of 30,000 delivered messages (0.67 %) on 16 Nov, 0.5" in text
    assert "Start again at half the last good volume" in text
    assert "Watch. " in text
    assert "nan" not in text


def test_frames(troubled):
    verdicts = troubled.to_frame()
    assert verdicts["provider"].tolist() == ["gmail", "yahoo"]
    assert verdicts["verdict"].tolist() == ["stop", "stop"]
    alarms = troubled.to_frame("alarms")
    assert len(alarms) == len(troubled)
    assert isinstance(alarms, pd.DataFrame)
    with pytest.raises(InputError, match="Unknown table 'bans'"):
        troubled.to_frame("bans")


def test_json(troubled):
    stored = json.loads(troubled.to_json())
    assert stored["verdicts"]["gmail"] == {"verdict": "stop", "until": "2026-11-24"}
    assert len(stored["alarms"]) == len(troubled)
    assert stored["alarms"][0]["evidence"].startswith("Complaints: 200 of 30,000")


def test_html_is_escaped():
    rule = wp.alarm_rules()["ours"].rules["complaints-above-0-1"].model_copy(update={"title": "<b>Complaints</b>"})
    rules = RuleSet(name="<i>me</i>", rules={"r": rule})
    page = judged(gmail(sent=[30_000], delivered=[30_000], complaints=[200]), rules=rules)._repr_html_()
    assert "<b>" not in page
    assert "&lt;b&gt;Complaints" in page
    assert "hold" in page


def test_what_two_limits_say_of_one_count_is_said_once():
    deferred = [10, 10, 800]
    found = judged(gmail(sent=[1000] * 3, delivered=[990, 990, 200], deferred=deferred, first_deferred=deferred))
    rung = [alarm for alarm in found.of("gmail") if alarm.certain]
    assert len(rung) == 2
    assert found.certain("gmail") == [max(rung, key=lambda alarm: alarm.limit)]
    assert found.summary().count("800 of 1,000") == 1


def test_without_mail_there_is_nothing_to_judge_and_nothing_unknown():
    none = [0, 0, 0, 0]
    known = {"delivered": [900, *none], "hard_bounced": [0, *none], "blocked": [100, *none], "complaints": [0, *none]}
    found = judged(gmail(sent=[1000, *none], attempts=[1000, *none], deferred=[0, *none], **known))
    assert found.verdict("gmail") == Verdict.STEP_BACK
    assert found.unknown == {}
    assert found.restart("gmail") == 0.25
    assert judged(gmail(sent=[0] * 60)).unknown == {}
    assert "complaints" in judged(gmail(sent=[1000])).unknown["gmail"]
    assert "complaints" in judged(gmail(sent=[1000, np.nan])).unknown["gmail"]


@pytest.mark.parametrize("action", ["hold", "step_back"])
def test_only_a_stop_ends_with_a_restart(action, tmp_path):
    rules = tmp_path / "mine.yaml"
    rules.write_text(
        "name: Mine\nrules:\n  x:\n    title: Blocks\n    measure: block_rate\n    limit: 0.02\n    window_sends: 1\n"
        f"    action: {action}\n    days: 2\n    restart: 0.1\n    advice: Wait.\n    lift: Go on.\n"
        "    confidence: default\n"
    )
    with pytest.raises(InputError, match="restart is what a stop ends with"):
        judged(gmail(sent=[1000]), rules=rules)


def test_the_silence_of_a_stop_does_not_make_good_what_stopped_it():
    """The stop for complaints lasts as long as its window: on the day after, half is still the most."""
    none = [0] * 7
    seen = gmail(sent=[1000, *none], delivered=[1000, *none], complaints=[20, *none])
    found = judged(seen)
    assert found.today == days(9)[8]
    assert (found.verdict("gmail"), found.restart("gmail")) == (Verdict.STEP_BACK, 0.5)
    assert found[0].over
    went_on = gmail(sent=[1000, *none, 500], delivered=[1000, *none, 500], complaints=[20, *none, 0])
    assert judged(went_on).verdict("gmail") == Verdict.GO_ON
