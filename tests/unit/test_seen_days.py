"""What was observed, filled in for the simulation: cases worked by hand."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

import planner as wp
from planner.inputs.catalogue import catalogue
from planner.simulation import layout
from planner.simulation.seen import seen_days
from planner.vocabulary import Cause

START = date(2027, 1, 11)
SENDER = wp.Sender.from_dict(
    {
        "audience": {
            "providers": {"gmail": 60, "yahoo": 40},
            "segments": [{"name": "all", "share": 1, "complaint_rate": 0.001, "hard_bounce_rate": 0.02}],
        },
        "target": {"volume": 10_000},
        "send_days": "daily",
        "n_ips": 1,
        "domain": "used",
        "start": START.isoformat(),
    }
)
CAUSES = tuple(Cause)


def seen(provider="gmail", start=START, **counts):
    """What is made of counts of one provider, (days,) each; the other one is silent."""
    n_days = len(next(iter(counts.values())))
    days = tuple(start + timedelta(days=d) for d in range(n_days))
    return seen_days(SENDER, wp.Observations((provider,), days, **{name: [each] for name, each in counts.items()}))


def row(made, name, p=0):
    return made.rows[layout.COUNTS.index(name), p].tolist()


def causes(**counts):
    return [[counts.get(str(cause), 0.0) for cause in CAUSES]]


# --- which days


def test_nothing_observed_is_nothing_seen():
    assert seen_days(SENDER, None) is None
    assert seen_days(SENDER, wp.Observations(("gmail",), ())) is None
    assert seen(sent=[np.nan, np.nan], delivered=[np.nan, np.nan]) is None
    assert seen(start=START - timedelta(days=3), sent=[5, 6, 7], delivered=[5, 6, 7]) is None


def test_days_before_the_start_and_other_providers_are_left_out_and_said():
    early = seen(start=START - timedelta(days=1), sent=[5, 6, 7], delivered=[5, 6, 7])
    assert row(early, "injected") == [6, 7]
    assert any("before the sender's start" in note for note in early.notes)
    days = (START, START + timedelta(days=1))
    strange = wp.Observations(("gmail", "icloud"), days, sent=[[1, 2], [30, 40]], delivered=[[1, 2], [30, 40]])
    made = seen_days(SENDER, strange)
    assert row(made, "injected") == [1, 2]
    assert any("70 messages to icloud" in note for note in made.notes)


def test_a_gap_is_a_day_without_mail_and_trailing_days_are_still_to_come():
    made = seen(sent=[100, np.nan, 200, np.nan], delivered=[98, np.nan, 196, np.nan])
    assert row(made, "injected") == [100, 0, 200]
    assert row(made, "delivered") == [98, 0, 196]
    assert row(made, "injected", p=1) == [0, 0, 0]
    assert "Gmail has no counts on 1 send day: taken as days without mail." in made.notes
    assert "Yahoo and AOL have no counts on 3 send days: taken as days without mail." in made.notes


@pytest.mark.parametrize("wrong", [[[1, 2]], {"gmail": 3}, "seen.csv"])
def test_only_observations_are_observations(wrong):
    with pytest.raises(wp.InputError, match="Observations"):
        seen_days(SENDER, wrong)


def test_days_beyond_all_plans_are_refused():
    with pytest.raises(wp.InputError, match="check the years"):
        seen(sent=[1.0] * 366, delivered=[1.0] * 366)


# --- what became of the mail


def test_counts_that_are_known_stay():
    made = seen(sent=[100, 50], delivered=[80, 60], hard_bounced=[3, 1], blocked=[2, 0], expired=[0, 4])
    for name, expected in (("delivered", [80, 60]), ("hard_bounced", [3, 1]), ("blocked", [2, 0]), ("expired", [0, 4])):
        assert row(made, name) == expected


def test_no_more_leaves_than_was_handed_over():
    made = seen(sent=[100, 10], delivered=[90, 500], hard_bounced=[5, 2], blocked=[0, 0], expired=[0, 0])
    assert row(made, "delivered") == [90, 13]  # 5 waited, 10 came, 2 bounced
    assert row(seen(sent=[10], delivered=[12], hard_bounced=[3], blocked=[20]), "blocked") == [10]


def test_unknown_bounces_are_those_expected_as_far_as_mail_is_missing():
    made = seen(sent=[1000, 1000, 3000], delivered=[900, 990, 2970])
    # 2 in 100 of those never mailed before: 20, none, and 40 of the 2,000 new ones
    assert row(made, "hard_bounced") == [20, 0, 40]
    assert row(seen(sent=[1000], delivered=[995]), "hard_bounced") == [5]


def test_unknown_deliveries_are_all_that_did_not_fail():
    assert row(seen(sent=[1000], hard_bounced=[30], blocked=[10]), "delivered") == [960]
    assert row(seen(delivered=[40], hard_bounced=[2]), "injected") == [42]


# --- trouble


def test_trouble_is_what_the_causes_say_of_first_attempts():
    made = seen(
        sent=[1000], delivered=[990], first_deferred=[350], deferred_by_cause=causes(limit=500, greylisting=300)
    )
    assert row(made, "first_trouble") == [50]  # 300 of the 350 were greylisted
    assert row(made, "first_4xx") == [350]
    assert not made.wrong_days().any()
    storm = seen(sent=[1000], delivered=[100], first_deferred=[900], deferred_by_cause=causes(limit=9000, stuck=50))
    assert row(storm, "first_trouble") == [900]
    assert storm.wrong_days().tolist() == [[True], [False]]


def test_servers_word_their_limits_as_reputation_too():
    made = seen(sent=[100], delivered=[80], first_deferred=[20], deferred_by_cause=causes(reputation=25))
    assert row(made, "first_trouble") == [20]


def test_without_causes_trouble_is_what_greylisting_and_noise_do_not_explain():
    made = seen(sent=[1000], delivered=[990], first_deferred=[400])
    typical = {name: prior.typical for name, prior in catalogue().provider("gmail").priors.items()}
    passing = (1 - typical["base_deferral"]) * (1 - typical["greylisting_probability"]) * (1 - typical["stuck_share"])
    assert row(made, "first_trouble") == pytest.approx([400 - 1000 * (1 - passing)])


def test_where_no_deferral_is_known_trouble_is_the_mail_that_is_missing():
    stuck = catalogue().provider("gmail").priors["stuck_share"].typical
    made = seen(sent=[1000], delivered=[700], hard_bounced=[20], blocked=[0])
    assert row(made, "first_trouble") == pytest.approx([280 - 1000 * stuck])
    assert made.wrong_days()[0, 0]


def test_blocks_are_trouble_and_never_more_than_was_sent():
    made = seen(sent=[100], delivered=[0], blocked=[100], first_deferred=[60], deferred_by_cause=causes(limit=60))
    assert row(made, "first_trouble") == [100]


def test_every_attempt_has_one_answer():
    made = seen(
        sent=[100], delivered=[90], hard_bounced=[4], blocked=[1], deferred_by_cause=causes(limit=7, greylisting=3)
    )
    assert row(made, "attempts") == [105]


# --- complaints


def test_complaints_that_were_counted_replace_the_rate_of_the_list():
    made = seen(sent=[1000, 0, 1000], delivered=[990, 5, 1000], complaints=[99, np.nan, np.nan])
    assert made.complaint_rate[0] == pytest.approx([0.1, 0.1, 0.001])
    assert made.complaint_rate[1].tolist() == [0, 0, 0]
