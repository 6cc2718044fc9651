"""The score of a retry policy worked by hand, and searches whose best policy is known."""

import numpy as np
import pytest

import planner as wp
from planner.inputs.retry import DEFAULT_RETRY, MAX_ATTEMPTS, RetryPolicy
from planner.optimizer import retries, retry_search
from planner.optimizer.retry_search import DAY, FULL, HOUR, LONGEST_LIFETIME, MINUTE, Knobs, Measured, scored
from planner.simulation import layout
from planner.simulation.beliefs import Beliefs
from planner.vocabulary import Cause

SENDER = wp.Sender.from_dict(
    {
        "audience": {
            "providers": {"gmail": 60, "other": 40},
            "segments": [{"name": "all", "share": 1, "complaint_rate": 0, "hard_bounce_rate": 0}],
        },
        "target": {"volume": 2000},
        "send_days": "daily",
        "n_ips": 1,
        "domain": "used",
        "start": "2027-01-11",
    }
)
QUIET = {
    "cold_allowance": 1e9,
    "hourly_share": 1.0,
    "penalty_chance": 0.0,
    "greylisting_probability": 0.0,
    "base_deferral": 0.0,
    "trouble_deferral": 0.0,
    "stuck_share": 0.0,
}
"""No limit, and nothing that defers."""


def world(scenarios=6, **known):
    """Beliefs with what is known in every scenario."""
    drawn = wp.draw(SENDER, scenarios, 1)
    return retries._fixed(drawn, QUIET | known)


def on_bench(beliefs, days=6):
    volume = np.full((2, 1, days), 400.0)
    schedule = wp.Schedule(SENDER.provider_names, ("all",), SENDER.dates(days), volume)
    return retry_search.bench(SENDER, schedule, beliefs, wp.Reaction(), seed=3)


def searched(beliefs):
    best, _ = retry_search.search(on_bench(beliefs), FULL, lambda share: None)
    return best


# --- the score


def measured(**own):
    """One scenario and provider: 1,000 delivered, 40 of them late by an hour each."""
    delays = np.zeros((1, 1, layout.N_DELAY_BINS))
    delays[0, 0, 50] = 40
    usual = {
        "delivered": 1000.0,
        "late": 40.0,
        "late_seconds": 40 * HOUR,
        "lost": 0.0,
        "rested_seconds": 0.0,
        "wasted": 60.0,
    }
    return Measured(**{name: np.array([[value]]) for name, value in (usual | own).items()}, delays=delays)


def score(**own):
    return [float(each[0, 0]) for each in scored(measured(**own), np.ones((1, 1)))]


def test_a_score_worked_by_hand():
    total, mean, p95, wasted, expired = score()
    # 95 % into the bin from 30 × 2**(49/6) to 30 × 2**(50/6) seconds
    low, high = 30 * 2 ** (49 / 6), 30 * 2 ** (50 / 6)
    assert p95 == pytest.approx(low + 0.95 * (high - low))
    assert (mean, wasted, expired) == (3600.0, 0.06, 0.0)
    # 4 in 100 are late; ten minutes for each of 0.06 attempts
    assert total == pytest.approx(0.04 * (60 + p95 / 60 / 3) / 2 + 10 * 0.06)


def test_what_expires_is_five_days_late():
    _, mean, p95, _, expired = score(late=44.0, lost=4.0, late_seconds=40 * HOUR + 4 * LONGEST_LIFETIME)
    assert mean == pytest.approx((40 * 3600 + 4 * 5 * 86_400) / 44)
    assert p95 == LONGEST_LIFETIME  # more than 5 in 100
    assert expired == pytest.approx(1 / 11)


def test_rest_of_a_destination_counts_for_mail_that_was_never_deferred():
    assert score(rested_seconds=1000 * 30.0)[0] - score()[0] == pytest.approx(0.5)


def test_a_provider_without_mail_has_no_score():
    assert score(delivered=0.0, late=0.0, late_seconds=0.0, wasted=0.0) == [0.0] * 5


def test_wasted_attempts_are_those_of_the_whole_simulation_stuck_mail_included():
    stuck = world(40, base_deferral=0.05, stuck_share=0.03)
    on = on_bench(stuck, days=20)
    found = scored(on.measure([DEFAULT_RETRY] * 2), on.run.beliefs.weights[None])
    days = 20 + retry_search.DRAIN_DAYS
    schedule = wp.Schedule(SENDER.provider_names, ("all",), SENDER.dates(days), on.volume)
    whole = wp.simulate(SENDER, schedule, beliefs=stuck, reaction=wp.Reaction(), seed=9)
    assert tuple(on.providers) == SENDER.provider_names
    for p in range(2):
        deferred, delivered = whole.deferred[:, p].sum(), whole.delivered[:, p].sum()
        # stuck mail is no part of what the bench delivers
        assert found.wasted[0, p] == pytest.approx(deferred / delivered * (1 - 0.03), rel=0.02)


def test_jackknife_of_a_mean_is_the_textbook_s_standard_error():
    values = np.random.default_rng(1).normal(size=60)
    means = retry_search.jackknife(np.full(60, 1 / 60), groups=60) @ values
    assert means[0] == pytest.approx(values.mean())
    assert retry_search.standard_error(means) == pytest.approx(values.std(ddof=1) / np.sqrt(60))


# --- knobs


def test_nothing_turned_is_the_default_policy():
    assert Knobs().policy() == DEFAULT_RETRY


def test_every_policy_of_the_grid_is_one_and_nobody_is_tried_before_five_minutes():
    values = FULL.values
    some = [
        knobs
        for limit in values["limit"]
        for cap in values["cap"]
        for growth in values["growth"]
        for lifetime in values["lifetime"]
        if (
            knobs := Knobs(limit=limit, cap=cap, growth=growth, lifetime=lifetime, system=300, greylisting=300)
        ).sensible
    ]
    assert len(some) > 500
    for knobs in (*some, *FULL.starts):
        policy = knobs.policy()
        assert policy.attempts(Cause.LIMIT) <= MAX_ATTEMPTS
        assert min(np.diff(policy.attempt_ages(Cause.SYSTEM)[:50])) >= 5 * MINUTE


# --- searches whose answer is known


def test_with_constant_deferrals_and_no_limit_the_shortest_waits_win():
    # An attempt fails with q whenever it comes: q / (1 - q) attempts are wasted per message by every policy, the delay
    # is the sum of q**k times the k-th wait, and a shorter wait is better, whichever it is.
    q = 0.3
    on = on_bench(world(base_deferral=q, trouble_deferral=q))
    best, tried = retry_search.search(on, FULL, lambda share: None)
    for knobs, found in zip(best, tried, strict=True):
        assert (knobs.system, knobs.limit, knobs.growth) == (5 * MINUTE, 5 * MINUTE, 1.0)
        ours = found[knobs]
        assert ours.wasted[0] == pytest.approx(q / (1 - q), rel=0.03)
        # given one deferral: 5 minutes, and again with each further one
        assert ours.mean_delay[0] == pytest.approx(5 * MINUTE / (1 - q), rel=0.03)
        assert ours.score[0] <= 1.01 * min(each.score[0] for each in found.values())


@pytest.mark.parametrize(("delay", "first"), [(4, 5), (14, 15), (22, 30)])
def test_a_greylisted_message_waits_the_shortest_time_that_is_long_enough(delay, first):
    # Everybody is greylisted once, for a known time. Too early costs an attempt and the rest of the next wait.
    beliefs = world(greylisting_probability=1.0, greylisting_delay_seconds=delay * MINUTE, greylisting_fade=0.0)
    for knobs in searched(beliefs):
        assert knobs.greylisting == first * MINUTE
        # with 15 minutes and a delay of 14, waits must not be shortened by chance
        assert knobs.greylisting * (1 - knobs.jitter) >= delay * MINUTE


def test_a_stuck_mailbox_is_tried_less_often_the_more_there_are():
    few, many = (searched(world(stuck_share=share, base_deferral=0.02))[0] for share in (1e-5, 0.05))
    assert many.policy().attempts(Cause.STUCK) < few.policy().attempts(Cause.STUCK)


# --- the advice


@pytest.fixture(scope="module")
def newsletter():
    return wp.Sender.load("data/examples/newsletter.yaml")


@pytest.fixture(scope="module")
def advice(newsletter):
    table = wp.published("onesignal", newsletter, 40)
    return wp.advise_retries(newsletter, table, scenarios=24, seed=4, providers=["yahoo", "other"])


def test_no_default_is_surely_better_on_fresh_scenarios(newsletter, advice):
    fresh = wp.draw(newsletter, 60, 20_270_111)
    on = retry_search.bench(newsletter, advice.schedule, fresh, wp.Reaction(), 99, ["yahoo", "other"])
    n = len(newsletter.provider_names)
    ours = retries._Candidate("advised", ["Advised"] * n, list(advice.policies.values()))
    rows = retries._judged(on, [ours, *retries._known(newsletter)], ["yahoo", "other"], lambda share: None)
    assert {row["provider"] for row in rows} == {"yahoo", "other"}
    for row in rows:
        assert row["score_more"] > -2.0 * row["se"] - 1e-12 or row["policy"] in advice.as_good(row["provider"]), row
        if row["policy"] in ("Wait twelve hours", "PowerMTA", "Exchange", "Spotler"):
            assert row["score_more"] > row["se"], row


def test_the_frame_has_a_row_per_policy_and_marks_the_curve(advice):
    frame = advice.to_frame()
    for _, own in frame.groupby("provider"):
        assert list(own["kind"][:2]) == ["advised", "default"]
        assert own["policy"].is_unique
        assert len(own) > len(wp.catalogue().mtas) + 2
        for row in own.itertuples():
            better = own[(own["wasted"] <= row.wasted) & (own["mean_delay"] <= row.mean_delay)]
            better = better[(better["wasted"] < row.wasted) | (better["mean_delay"] < row.mean_delay)]
            assert row.on_curve == better.empty
    assert set(frame["kind"]) == {"advised", "default", "mta", "advice", "searched"}


def test_only_asked_providers_get_advice(advice):
    assert set(advice.to_frame()["provider"]) == {"yahoo", "other"}
    assert advice.policies["gmail"] == DEFAULT_RETRY
    assert [line.split(":")[0] for line in advice.summary().splitlines()] == ["Yahoo and AOL", "All others"]
    with pytest.raises(wp.InputError, match="Unknown provider 'gmail'"):
        advice.plot("gmail")


def test_the_summary_names_the_defaults_that_are_as_good(advice):
    for name, line in zip(("yahoo", "other"), advice.summary().splitlines(), strict=True):
        good = advice.as_good(name)
        assert ("No default is as good" in line) == (not good)
        assert all(each in line for each in good[:3])


def test_the_same_seed_gives_the_same_advice(newsletter):
    table = wp.published("onesignal", newsletter, 6)
    one, two = (wp.advise_retries(newsletter, table, scenarios=3, seed=4, providers=["other"]) for _ in range(2))
    assert one.to_json() == two.to_json()


def test_a_policy_of_one_s_own_is_judged_too(newsletter):
    table = wp.published("onesignal", newsletter, 15)
    mine = RetryPolicy(first_seconds=12 * HOUR, cap_seconds=12 * HOUR, growth=1, lifetime_seconds=5 * DAY)
    asked = {"scenarios": 4, "seed": 4, "providers": ["other"]}
    frame = wp.advise_retries(newsletter, table, retry=mine, **asked).to_frame()
    yours = frame[frame["kind"] == "yours"].iloc[0]
    folk = frame[frame["policy"] == "Wait twelve hours"].iloc[0]
    assert yours["wasted"] == pytest.approx(folk["wasted"], rel=0.05)


def test_a_timeline_shows_each_attempt_and_who_still_waits(advice):
    frame = advice.timeline("yahoo", at="22:00", against=["kumomta"])
    assert list(dict.fromkeys(frame["policy"])) == ["Advised", "KumoMTA"]
    kumo = frame[frame["policy"] == "KumoMTA"]
    assert list(kumo["clock"][:4]) == ["22:00", "22:20", "23:00", "00:20 day 2"]
    for _, own in frame.groupby("policy"):
        waiting = own["still_waiting"].to_numpy()
        assert waiting[0] == 1.0
        assert (np.diff(waiting) <= 1e-9).all()
        assert (waiting >= 0.0).all()
    assert advice.timeline("yahoo", cause="stuck")["still_waiting"].isna().all()


def test_a_timeline_of_greylisted_mail_ends_when_the_delay_is_over(newsletter):
    own = retries._fixed(
        wp.draw(newsletter, 4, 1), {"greylisting_probability": 0.5, "greylisting_delay_seconds": 240.0}
    )
    table = wp.published("onesignal", newsletter, 8)
    advice = wp.advise_retries(newsletter, table, beliefs=own, scenarios=2, providers=["gmail"])
    frame = advice.timeline("gmail", cause="greylisting", against=["exim"])
    exim = frame[frame["policy"] == "Exim"]["still_waiting"]
    assert exim.iloc[1] == pytest.approx(0.0, abs=0.02)  # half an hour later all pass


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"cause": "weather"}, "Unknown cause 'weather'"),
        ({"at": "9"}, "not a time of day"),
        ({"at": "24:00"}, "not a time of day"),
        ({"against": ["postfx"]}, "Did you mean 'postfix'"),
    ],
)
def test_what_a_timeline_cannot_show_is_refused(advice, asked, says):
    with pytest.raises(wp.InputError, match=says):
        advice.timeline("yahoo", **asked)


def test_sensitivity_has_a_row_per_provider_and_cost(newsletter, advice):
    short = wp.Schedule(
        advice.schedule.providers, ("all",), advice.schedule.dates[:6], advice.schedule.volume[:, :, :6]
    )
    small = wp.advise_retries(newsletter, short, scenarios=4, seed=4, providers=["other"])
    frame = small.sensitivity()
    assert list(frame["rejection_cost"]) == [0.0, 0.3, 1.0]
    assert (frame["score"] <= frame["score_advised"]).all()
    assert set(frame["wins"]) <= {*small.to_frame()["policy"], *(name for name in frame["wins"] if "×" in name)}


def test_a_cancelled_search_stops(newsletter, advice):
    calls = []

    def stop(share, text):
        calls.append((share, text))
        if len(calls) == 3:
            raise wp.Cancelled

    with pytest.raises(wp.Cancelled):
        wp.advise_retries(newsletter, advice.schedule, scenarios=2, progress=stop)
    assert len(calls) == 3


def test_unknown_providers_are_refused(newsletter, advice):
    with pytest.raises(wp.InputError, match=r"Unknown provider 'gmial'\. Did you mean 'gmail'"):
        wp.advise_retries(newsletter, advice.schedule, providers=["gmial"])


def test_quick_policies_are_for_every_provider_and_better_than_the_default(newsletter, advice):
    quick = retries.quick_policies(newsletter, advice.schedule, seed=2)
    assert tuple(quick) == newsletter.provider_names
    assert quick == retries.quick_policies(newsletter, advice.schedule, seed=2)
    on = retry_search.bench(newsletter, advice.schedule, wp.draw(newsletter, 40, 77), wp.Reaction(), 78)
    weights = on.run.beliefs.weights[None]
    ours, usual = (
        scored(on.measure(policies), weights).score[0]
        for policies in (list(quick.values()), [DEFAULT_RETRY] * len(quick))
    )
    assert (ours / usual).mean() < 0.9


def test_beliefs_of_one_s_own_are_used():
    sure = world(6, base_deferral=0.3, trouble_deferral=0.3)
    assert isinstance(sure, Beliefs)
    volume = np.full((2, 1, 6), 400.0)
    schedule = wp.Schedule(SENDER.provider_names, ("all",), SENDER.dates(6), volume)
    frame = wp.advise_retries(SENDER, schedule, beliefs=sure, scenarios=6).to_frame()
    assert frame[frame["kind"] == "advised"]["wasted"].tolist() == pytest.approx([3 / 7] * 2, rel=0.05)
