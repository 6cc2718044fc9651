"""Tables of retry policies, worked by hand."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from planner.inputs.retry import DEFAULT_RETRY, RetryPolicy
from planner.simulation.backoff import due_slots, still_early, tabulate
from planner.vocabulary import Cause

MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0
QUARTER = 15 * MINUTE

POLICIES = (
    DEFAULT_RETRY,
    RetryPolicy(first_seconds=HOUR, growth=1, cap_seconds=HOUR, jitter=0, lifetime_seconds=7.5 * HOUR),
    RetryPolicy(first_seconds={"greylisting": 5 * MINUTE, "limit": 2 * HOUR, "penalty": 6 * HOUR}, jitter=0.9),
    RetryPolicy(
        first_seconds={"greylisting": 5 * MINUTE, "limit": HOUR},
        intervals_seconds=(3 * HOUR, 20 * MINUTE, DAY, 40 * MINUTE),
    ),
    RetryPolicy(first_seconds=2 * DAY, cap_seconds=DAY, lifetime_seconds=DAY),
    RetryPolicy(first_seconds=30, growth=1, cap_seconds=30, lifetime_seconds=HOUR, pause_seconds=20 * MINUTE),
)


# --- due slots


@pytest.mark.parametrize("jitter", [0.0, 1e-6, 0.05, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("wait", [0.001, 0.07, 0.33, 0.5, 1.0, 1.25, 2.0, 3.9, 16.0, 100.3])
def test_the_mean_wait_is_kept(wait, jitter):
    first, shares, waits = due_slots(wait, jitter)
    offsets = first + np.arange(len(shares))
    assert shares.sum() == pytest.approx(1.0)
    assert (shares >= 0).all()
    assert shares @ offsets == pytest.approx(wait, rel=1e-6)
    assert shares @ waits == pytest.approx(wait, rel=1e-3)
    assert first >= 0
    # an attempt of the slot and its next one, both anywhere in their slots
    assert (np.abs(waits - offsets) <= 1 + 1e-9).all()
    assert (waits >= wait * (1 - jitter) - 1e-9).all()
    assert (waits <= wait * (1 + jitter) + 1e-9).all()


@pytest.mark.parametrize(
    ("wait", "jitter", "first", "shares"),
    [
        (1.0, 0.0, 1, [1.0]),  # exactly the next slot, wherever in it
        (1.25, 0.0, 1, [0.75, 0.25]),  # over into the second with a quarter of the slot
        (0.5, 0.0, 0, [0.5, 0.5]),
        (4.0, 0.0, 4, [1.0]),
        # 1/2 to 3/2: below 1 the share 1 - x stays in the slot, mean 1/4 of half the waits, and so at the other end
        (1.0, 0.5, 0, [1 / 8, 3 / 4, 1 / 8]),
        # 0 to 2, were jitter 1: 1/4, 1/2, 1/4; at 0.9 waits below 0.1 are missing: (0.5 - 0.095) / 1.8
        (1.0, 0.9, 0, [0.225, 0.55, 0.225]),
    ],
)
def test_shares_worked_by_hand(wait, jitter, first, shares):
    found = due_slots(wait, jitter)
    assert found[0] == first
    assert_allclose(found[1], shares, atol=1e-9)


@pytest.mark.parametrize(("wait", "jitter"), [(0.3, 0.9), (1.7, 0.2), (10.4, 0.5)])
def test_shares_are_those_of_drawn_times(wait, jitter):
    rng = np.random.default_rng(1)
    n = 200_000
    waits = wait * rng.uniform(1 - jitter, 1 + jitter, n)
    due = np.floor(rng.uniform(0, 1, n) + waits).astype(int)
    first, shares, means = due_slots(wait, jitter)
    for i, share in enumerate(shares):
        there = due == first + i
        assert there.mean() == pytest.approx(share, abs=5 * np.sqrt(share / n) + 1e-6)
        if there.sum() > 1000:
            assert waits[there].mean() == pytest.approx(means[i], abs=5 * waits.std() / np.sqrt(there.sum()))


# --- tables


@pytest.mark.parametrize("slot_seconds", [5 * MINUTE, QUARTER, HOUR])
def test_tables_hold_each_policy_s_attempts_and_ages(slot_seconds):
    table = tabulate(POLICIES, slot_seconds)
    for p, policy in enumerate(POLICIES):
        for c, cause in enumerate(Cause):
            f = table.class_of_cause[p, c]
            ages = policy.attempt_ages(cause)
            assert table.attempts[p, f] == policy.attempts(cause) == len(ages)
            assert_allclose(table.nominal[p, f, : len(ages)], ages)
            assert table.wait_mean[p, c] * slot_seconds == pytest.approx(policy.first(cause), rel=1e-6)
        for k in range(1, max(policy.attempts(cause) for cause in Cause)):
            row = len(Cause) - 1 + k
            assert table.wait_mean[p, row] * slot_seconds == pytest.approx(policy.interval(k), rel=1e-6)


def test_shares_are_cumulative_and_the_ring_is_long_enough():
    table = tabulate(POLICIES, QUARTER)
    assert (np.diff(table.wait_share, axis=2) >= -1e-12).all()
    last = np.take_along_axis(table.wait_share, table.wait_n[:, :, None] - 1, axis=2)
    assert_allclose(last, 1.0)
    assert ((table.wait_first + table.wait_n) < table.ring_slots).all()
    assert (table.pause_slots < table.ring_slots).all()


def test_a_pause_is_rounded_up_to_slots():
    policies = [RetryPolicy(first_seconds=HOUR, pause_seconds=seconds) for seconds in (0, 1, 900, 901)]
    assert tabulate(policies, QUARTER).pause_slots.tolist() == [0, 1, 1, 2]


def test_causes_with_equal_first_waits_share_a_class():
    policy = RetryPolicy(first_seconds={"greylisting": 600, "system": 600, "limit": 3600})
    classes = dict(zip(Cause, tabulate([policy], QUARTER).class_of_cause[0], strict=True))
    assert classes[Cause.GREYLISTING] == classes[Cause.SYSTEM] == 0
    assert {classes[cause] for cause in Cause} == {0, 1}


# --- greylisting


def early(policy, *delays):
    return still_early(policy, np.array(delays, dtype=float), 4)


def test_certain_waits_are_early_or_not():
    policy = RetryPolicy(first_seconds=600, growth=2, cap_seconds=DAY, jitter=0)
    # retries after 600, 600 + 1200, 600 + 1200 + 2400 seconds; exactly at the delay is late enough
    assert_allclose(early(policy, 300.0)[0], [1, 0, 0, 0])
    assert_allclose(early(policy, 600.0)[0], [1, 0, 0, 0])
    assert_allclose(early(policy, 601.0)[0], [1, 1, 0, 0])
    assert_allclose(early(policy, 1800.0)[0], [1, 1, 0, 0])
    assert_allclose(early(policy, 3000.0)[0], [1, 1, 1, 0])
    assert_allclose(early(policy, 7200.0)[0], [1, 1, 1, 1])


def test_jittered_waits_are_early_by_chance():
    # waits uniform between 300 and 900 seconds
    policy = RetryPolicy(first_seconds=600, growth=1, cap_seconds=600, jitter=0.5)
    # 600: half of the first retries; two waits last longer
    assert_allclose(early(policy, 600.0)[0], [1, 1 / 2, 0, 0], atol=0.003)
    # 900: every first retry; two waits are shorter together with 300**2 / 2 / 600**2
    assert_allclose(early(policy, 900.0)[0], [1, 1, 1 / 8, 0], atol=0.005)
    # 1200: two waits with 1/2
    assert_allclose(early(policy, 1200.0)[0], [1, 1, 1 / 2, 1 / 6 * (300 / 600) ** 3 / (1 / 2)], atol=0.005)


def test_the_first_retry_waits_what_greylisting_waits_and_later_ones_the_backoff():
    policy = RetryPolicy(first_seconds={"greylisting": 600, "limit": 3600}, growth=1, cap_seconds=DAY, jitter=0)
    assert_allclose(early(policy, 599.0, 610.0, 4190.0), [[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0]])
    assert_allclose(early(policy, 4210.0, 7790.0), [[1, 1, 1, 0], [1, 1, 1, 0]])


def test_scenarios_with_different_delays_are_judged_each_by_its_own():
    policy = RetryPolicy(first_seconds=600, growth=1.5, jitter=0.3)
    delays = np.array([100.0, 500.0, 640.0, 2000.0, 20_000.0])
    together = still_early(policy, delays, 6)
    for i, delay in enumerate(delays):
        assert_allclose(together[i], still_early(policy, delays[i : i + 1], 6)[0], atol=0.03, err_msg=str(delay))
    assert (np.diff(together[:, 1]) >= 0).all()  # a longer delay is never less early
