"""Retry policies and reactions, worked by hand."""

import numpy as np
import pytest
from pydantic import ValidationError

from planner.errors import InputError
from planner.inputs.reaction import DEFAULT_REACTION, Reaction
from planner.inputs.retry import DEFAULT_RETRY, RetryPolicy
from planner.inputs.yamlfile import validated
from planner.vocabulary import Cause

BY_CAUSE = RetryPolicy(
    first_seconds={"greylisting": 600, "limit": 3600},
    growth=2.0,
    cap_seconds=14_400,
    jitter=0.2,
    lifetime_seconds=172_800,
)


def test_causes_not_named_wait_the_longest_first_wait():
    assert BY_CAUSE.first(Cause.GREYLISTING) == 600
    assert {BY_CAUSE.first(cause) for cause in Cause if cause != Cause.GREYLISTING} == {3600}
    assert list(BY_CAUSE.first_seconds) == list(Cause)
    assert BY_CAUSE.first_array().tolist() == [3600, 3600, 600, 3600, 3600, 3600, 3600]


def test_later_waits_grow_from_the_longest_first_wait_to_the_cap():
    assert [BY_CAUSE.interval(k) for k in range(1, 5)] == [7200, 14_400, 14_400, 14_400]
    assert BY_CAUSE.interval(10_000) == 14_400


def test_attempts_fit_the_lifetime():
    # ages: 0, 3600, +7200, then +14400 each; 172800 - 10800 = 162000 = 11.25 × 14400
    assert BY_CAUSE.attempts(Cause.LIMIT) == 3 + 11
    assert BY_CAUSE.attempt_ages(Cause.LIMIT)[:4] == [0, 3600, 10_800, 25_200]
    # 600 + 7200 = 7800; (172800 - 7800) / 14400 = 11.46
    assert BY_CAUSE.attempts(Cause.GREYLISTING) == 3 + 11


def test_an_attempt_exactly_at_the_lifetime_still_counts():
    policy = RetryPolicy(first_seconds=3600, growth=1, cap_seconds=3600, lifetime_seconds=7200)
    assert policy.attempt_ages(Cause.LIMIT) == [0, 3600, 7200]


def test_a_first_wait_beyond_the_lifetime_leaves_one_attempt():
    policy = RetryPolicy(first_seconds=7200, cap_seconds=7200, lifetime_seconds=3600)
    assert policy.attempts(Cause.LIMIT) == 1


def test_listed_waits_replace_growth_and_cap_and_the_last_one_repeats():
    policy = RetryPolicy(
        first_seconds={"greylisting": 60, "limit": 300},
        growth=3,
        cap_seconds=60,
        intervals_seconds=[600, 120, 3600],
        lifetime_seconds=8000,
    )
    assert [policy.interval(k) for k in range(1, 6)] == [600, 120, 3600, 3600, 3600]
    assert policy.attempt_ages(Cause.LIMIT) == [0, 300, 900, 1020, 4620]  # the next one would come at 8220
    assert policy.attempt_ages(Cause.GREYLISTING) == [0, 60, 660, 780, 4380, 7980]
    assert RetryPolicy.model_validate_json(policy.model_dump_json()) == policy


def test_the_default_is_patient_but_quick_after_greylisting():
    assert DEFAULT_RETRY.first(Cause.GREYLISTING) < DEFAULT_RETRY.first(Cause.LIMIT)
    assert 10 <= DEFAULT_RETRY.attempts(Cause.LIMIT) <= 30


def test_one_number_stands_for_every_cause_and_comes_back():
    policy = RetryPolicy(first_seconds=900)
    assert set(policy.first_seconds.values()) == {900.0}
    assert RetryPolicy.model_validate_json(policy.model_dump_json()) == policy


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"first_seconds": 0}, "at least 1"),
        ({"first_seconds": {}}, "first_seconds is empty"),
        ({"first_seconds": {"greylist": 600}}, "Did you mean 'greylisting'?"),
        ({"first_seconds": {"limit": -5}}, "first_seconds.limit is -5, which is too small"),
        ({"first_seconds": "soon"}, "not a number"),
        ({"first_seconds": 900, "growth": 0.5}, "growth is 0.5, which is too small"),
        ({"first_seconds": 900, "growth": float("nan")}, "not a finite number"),
        ({"first_seconds": 900, "jitter": 0.95}, "at most 0.9"),
        ({"first_seconds": 900, "lifetime_seconds": 31 * 86_400}, "at most 2,592,000"),
        ({"first_seconds": 1, "growth": 1, "lifetime_seconds": 86_400}, "more than 1,000 attempts"),
        ({"first_seconds": 900, "intervals_seconds": [600, 0]}, "intervals_seconds[1] is 0, which is too small"),
        ({"first_seconds": 900, "intervals_seconds": 600}, "intervals_seconds is 600, not a list"),
        ({"first_seconds": 900, "intervals_seconds": [60]}, "more than 1,000 attempts"),
        ({"first_seconds": 900, "lifetime": 86_400}, "Did you mean 'lifetime_seconds'?"),
    ],
)
def test_absurd_policies_are_refused_with_a_remedy(fields, says):
    with pytest.raises(InputError) as refused:
        validated(RetryPolicy, fields)
    assert says in str(refused.value)


def test_reaction_goes_to_the_kernel_in_a_fixed_order():
    assert DEFAULT_REACTION.to_array().tolist() == [0.10, 5, 0.60, 1.0, 0.5, 1.2, 3]
    assert DEFAULT_REACTION.to_array().dtype == np.float64


def test_reaction_that_steps_back_before_it_holds_is_refused():
    with pytest.raises(ValidationError, match="below hold_above"):
        Reaction(hold_above=0.5, back_above=0.2)
