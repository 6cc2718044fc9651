"""Retry rules of mail servers as they come: the published attempt times, and the policies made of them."""

import csv
from pathlib import Path

import pytest

from planner.errors import InputError
from planner.inputs.catalogue import catalogue
from planner.inputs.mta import Mta, attempt_times
from planner.inputs.retry import MAX_ATTEMPTS
from planner.inputs.yamlfile import validated
from planner.vocabulary import Cause, Confidence

MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0
FACTS = catalogue()

lines = [line for line in (Path(__file__).parent / "mta_attempt_times.csv").read_text().splitlines() if line[0] != "#"]
PUBLISHED = list(csv.DictReader(lines))


def running(row: dict[str, str]) -> Mta:
    """The catalogue's MTA with the queue run and the length of an attempt that a row was computed for."""
    mta = FACTS.mta(row["mta"])
    own = {name: float(row[name]) for name in ("queue_run_seconds", "attempt_seconds")}
    return Mta.model_validate(mta.model_dump() | own)


def ruled(**fields) -> Mta:
    usual = {"id": "x", "name": "X", "kind": "software", "lifetime_seconds": DAY}
    return validated(Mta, usual | fields)


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: f"{row['mta']} {row['queue_run_seconds']}")
def test_attempts_come_when_the_published_rule_says(row):
    times = attempt_times(running(row))
    expected = [float(minutes) for minutes in row["attempt_times_minutes"].split()]
    assert [float(f"{time / MINUTE:.4g}") for time in times[: len(expected)]] == pytest.approx(expected, rel=6e-4)
    assert len(times) == int(row["retries"])
    assert times[-1] / HOUR == pytest.approx(float(row["last_retry_hours"]), abs=0.051)


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: f"{row['mta']} {row['queue_run_seconds']}")
def test_a_policy_makes_the_same_attempts(row):
    mta = running(row)
    for cause in Cause:
        assert mta.retry.attempt_ages(cause) == pytest.approx([0.0, *attempt_times(mta)])


@pytest.mark.parametrize("mta", FACTS.mtas.values(), ids=list(FACTS.mtas))
def test_every_mta_yields_a_policy_and_says_what_it_rests_on(mta):
    times = attempt_times(mta)
    assert mta.retry.attempts(Cause.LIMIT) == len(times) + 1 <= MAX_ATTEMPTS
    assert times == sorted(set(times))
    assert bool(mta.source) == (mta.confidence != Confidence.DEFAULT)
    assert mta.source or mta.note


def test_weak_ones_say_so():
    assert FACTS.mta("amazon-ses").confidence == FACTS.mta("twelve-hours").confidence == "default"
    assert FACTS.mta("sendgrid").confidence == "inferred"
    assert all("Weak" in FACTS.mta(name).note for name in ("amazon-ses", "sendgrid"))


def test_twelve_hours_are_twelve_hours():
    assert attempt_times(FACTS.mta("twelve-hours")) == [12 * HOUR * n for n in range(1, 11)]


def test_a_wait_drawn_out_by_the_queue_run_grows_as_it_was_meant():
    stages = [{"until_seconds": 10 * HOUR, "wait_seconds": 40 * MINUTE, "growth": 1.5}]
    mta = ruled(stages=stages, queue_run_seconds=HOUR, lifetime_seconds=None)
    # 40, 60, 90, 135, 202.5 minutes, each rounded up to the hour at which it ends: 1, 2, 4, 7, 11 hours
    assert attempt_times(mta) == [1 * HOUR, 2 * HOUR, 4 * HOUR, 7 * HOUR, 11 * HOUR]


def test_an_age_looked_at_when_an_attempt_fails_allows_one_more():
    waits = {"waits_seconds": [5 * HOUR], "lifetime_seconds": 12 * HOUR}
    assert attempt_times(ruled(**waits)) == [5 * HOUR, 10 * HOUR]
    assert attempt_times(ruled(**waits, once_more=True)) == [5 * HOUR, 10 * HOUR, 15 * HOUR]


def test_an_unknown_mta_is_named():
    with pytest.raises(InputError, match=r"Unknown MTA 'postfx'\. Did you mean 'postfix'"):
        FACTS.mta("postfx")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, "exactly one of waits_seconds, growing, quadratic, age, stages; found none"),
        ({"waits_seconds": [60], "quadratic": {"unit_seconds": 400}}, "found waits_seconds and quadratic"),
        ({"waits_seconds": [60], "lifetime_seconds": None}, "lifetime_seconds is missing"),
        ({"waits_seconds": [5]}, "more than 1,000 attempts"),
        ({"waits_seconds": [0]}, "waits_seconds[0] is 0, which is too small"),
        ({"age": {"shortest_seconds": 60, "longest_seconds": 30}}, "below shortest_seconds"),
        ({"waits_seconds": [600], "confidence": "official"}, "but source is empty"),
        ({"waits_seconds": [600], "retries": 3}, "Did you mean 'most_retries'?"),
    ],
)
def test_rules_that_cannot_be_are_refused_with_a_remedy(fields, says):
    with pytest.raises(InputError) as refused:
        ruled(**fields)
    assert says in str(refused.value)
