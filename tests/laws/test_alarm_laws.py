"""Laws of alarms: more trouble is never milder, order is irrelevant, and a healthy sender is left in peace."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import planner as wp
from planner.observing.judging import LEVEL
from planner.observing.observations import Observations
from planner.observing.rules import GRAVITY
from planner.vocabulary import Cause

FIRST = date(2026, 11, 16)
SEVEN = ("gmail", "yahoo", "microsoft", "icloud", "gmx-webde", "comcast", "other")
SENDER = wp.Sender.from_dict(
    {
        "audience": {"providers": dict.fromkeys(SEVEN, 1)},
        "target": {"volume": 4000},
        "send_days": "daily",
        "start": FIRST.isoformat(),
        "n_ips": 1,
        "domain": "used",
    }
)
CAUSES = list(Cause)


def days(n):
    return tuple(FIRST + timedelta(days=d) for d in range(n))


@st.composite
def counts(draw, n_days=3):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sent = rng.integers(1, 10 ** rng.integers(1, 6, (7, n_days)) + 1).astype(float)
    rate = 10.0 ** rng.uniform(-4, -0.3, (5, 7, 1))
    delivered, hard, blocked, deferred, complained = (rng.binomial(sent.astype(int), r).astype(float) for r in rate)
    by_cause = np.stack([np.floor(deferred / 7)] * 7, axis=2)
    return {
        "sent": sent,
        "delivered": np.maximum(sent - hard - blocked - delivered, 0),
        "hard_bounced": hard,
        "blocked": blocked,
        "attempts": sent + deferred,
        "deferred": deferred,
        "first_deferred": deferred,
        "complaints": complained,
        "deferred_by_cause": by_cause,
    }


def gravity(found, provider):
    return GRAVITY[found.verdict(provider)]


WORSE = ("complaints", "hard_bounced", "blocked", "deferred", "first_deferred", "deferred_by_cause")


@settings(max_examples=60)
@given(
    case=counts(),
    name=st.sampled_from(WORSE),
    rules=st.sampled_from(list(wp.alarm_rules())),
    factor=st.sampled_from([1.5, 3.0, 30.0]),
    provider=st.integers(0, 6),
)
def test_more_trouble_is_never_milder(case, name, rules, factor, provider):
    before = wp.alarms(SENDER, Observations(SEVEN, days(3), **case), rules=rules)
    worse = case[name].copy()
    worse[provider] = np.ceil(worse[provider] * factor) + 1
    after = wp.alarms(SENDER, Observations(SEVEN, days(3), **case | {name: worse}), rules=rules)
    for other in before.providers:
        assert gravity(after, other) >= gravity(before, other)
        if other != SEVEN[provider]:
            assert after.of(other) == before.of(other)


@settings(max_examples=40)
@given(case=counts(), seed=st.randoms(use_true_random=False))
def test_order_of_providers_is_irrelevant(case, seed):
    order = list(range(7))
    seed.shuffle(order)
    plain = wp.alarms(SENDER, Observations(SEVEN, days(3), **case))
    turned = Observations(tuple(SEVEN[p] for p in order), days(3), **{name: rows[order] for name, rows in case.items()})
    assert wp.alarms(SENDER, turned) == plain


@settings(max_examples=40)
@given(case=counts(), days_ago=st.integers(60, 200))
def test_what_happened_long_ago_is_forgotten(case, days_ago):
    quiet = {name: np.where(np.isnan(rows), rows, 0.0) for name, rows in case.items()}
    lead = np.zeros((7, days_ago))
    padded = {
        name: np.concatenate([rows, lead if rows.ndim == 2 else np.zeros((7, days_ago, 7)), quiet[name]], axis=1)
        for name, rows in case.items()
    }
    found = wp.alarms(SENDER, Observations(SEVEN, days(days_ago + 6), **padded))
    assert {alarm.measure for alarm in found} <= {"idle_days"}


# --- false alarms, counted


def season(rng, n_days, complaint, bounce, block, reputation, deferral):
    """Days of a growing sender whose true rates are these, drawn message by message."""
    sent = np.tile(np.round(200 * 1.12 ** np.arange(n_days)), (7, 1))
    n = sent.astype(int)
    named = rng.binomial(n, reputation)
    others = rng.binomial(n - named, (deferral - reputation) / (1 - reputation))
    blocked = rng.binomial(n, block)
    hard = rng.binomial(n - blocked, bounce)
    delivered = n - blocked - hard
    by_cause = np.zeros((7, n_days, len(CAUSES)))
    by_cause[:, :, CAUSES.index(Cause.REPUTATION)] = named
    by_cause[:, :, CAUSES.index(Cause.LIMIT)] = others
    return Observations(
        SEVEN,
        days(n_days),
        sent=sent,
        attempts=sent,
        delivered=delivered,
        hard_bounced=hard,
        blocked=blocked,
        complaints=rng.binomial(delivered, complaint),
        deferred=named + others,
        deferred_by_cause=by_cause,
    )


def share_of_alarmed_mornings(n_seasons, seed, **rates):
    rng = np.random.default_rng(seed)
    seasons = [season(rng, 42, **rates) for _ in range(n_seasons)]
    mornings = [wp.alarms(SENDER, one.until(day)) for one in seasons for day in one.days[2::5]]
    return np.mean([any(alarm.certain for alarm in found) for found in mornings]), len(mornings)


AT_THE_LIMIT = {"complaint": 0.001, "bounce": 0.02, "block": 0.005, "reputation": 0.05, "deferral": 0.10}


def test_a_healthy_sender_is_left_in_peace():
    half = {name: rate / 2 for name, rate in AT_THE_LIMIT.items()}
    share, n = share_of_alarmed_mornings(40, seed=1, **half)
    assert n >= 300
    assert share == 0.0


def test_even_at_every_limit_false_alarms_keep_the_level():
    share, n = share_of_alarmed_mornings(60, seed=2, **AT_THE_LIMIT)
    assert n >= 400
    assert share <= LEVEL


@pytest.mark.parametrize("name", AT_THE_LIMIT)
def test_trouble_far_above_a_limit_is_found_in_a_day(name):
    half = {key: rate / 2 for key, rate in AT_THE_LIMIT.items()}
    sick = half | {name: 6 * AT_THE_LIMIT[name]}
    sick["deferral"] = max(sick["deferral"], sick["reputation"])
    one = season(np.random.default_rng(3), 30, **sick)
    found = wp.alarms(SENDER, one)
    assert all(found.verdict(provider) != "go_on" for provider in SEVEN)


def test_alarms_see_what_the_simulation_calls_a_wrong_day():
    sender = wp.Sender.load("data/examples/newsletter.yaml")
    forecast = wp.simulate(sender, wp.published("onesignal", sender), scenarios=25, seed=3)
    counts = {"sent": "injected", "first_deferred": "first_4xx"} | {
        name: name for name in ("attempts", "delivered", "hard_bounced", "blocked", "expired")
    }
    wrong, asked = [], []
    for s in range(25):
        arrays = {name: getattr(forecast, row)[s] for name, row in counts.items()}
        by_cause = forecast.deferred[s]
        seen = Observations(
            sender.provider_names,
            forecast.schedule.dates,
            **arrays,
            deferred=by_cause.sum(axis=2),
            deferred_by_cause=by_cause,
            complaints=np.zeros_like(arrays["sent"]),
        )
        assert seen.doubts() == ()
        for d, day in enumerate(seen.days[:35]):
            trouble = forecast.first_trouble[s, :, d]
            wrong += list((trouble >= 5) & (trouble > 0.1 * seen.sent[:, d]))
            asked += [verdict != "go_on" for verdict in wp.alarms(sender, seen.until(day)).verdicts.values()]
    hit, other = np.array(asked)[np.array(wrong)], np.array(asked)[~np.array(wrong)]
    assert len(hit) > 50
    assert hit.mean() > 0.97
    assert other.mean() < 0.02
