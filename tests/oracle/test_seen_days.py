"""Days that happened: is what the scenarios remember of them right, and does a run go on as it would have?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import planner as wp
from planner.optimizer import envelope, referee
from planner.simulation import equations, layout
from planner.simulation.seen import seen_days
from planner.simulation.simulator import Run, policies_of, worlds
from tests.certificates.worlds import known
from tests.oracle.seen_runs import observed

EXAMPLES = Path(__file__).parents[2] / "data/examples"
SENDER = wp.Sender.from_dict(
    {
        "audience": {
            "providers": {"gmail": 60, "qq": 40},
            "size": 40_000,
            "segments": [
                {"name": "new", "share": 1, "complaint_rate": 0.0002, "hard_bounce_rate": 0.01},
                {"name": "old", "share": 3, "complaint_rate": 0.004, "hard_bounce_rate": 0.06},
            ],
        },
        "target": {"volume": 20_000},
        "send_days": "daily",
        "n_ips": 1,
        "domain": "used",
        "start": "2027-01-11",
        "history": {"domain": 500, "ip": 200, "idle_days": 9},
    }
)
N_SEEN, N_DAYS = 12, 20
GROWING = np.floor(150 * 1.45 ** np.arange(N_SEEN))


def counted(**more) -> wp.Observations:
    """A ramp with a quiet spell in it, refused in part."""
    sent = np.stack([GROWING, 0.4 * GROWING // 1])
    sent[:, 5:8] = 0.0
    delivered, bounced = np.floor(0.9 * sent), np.floor(0.05 * sent)
    return wp.Observations(
        SENDER.provider_names,
        SENDER.dates(N_SEEN),
        sent=sent,
        delivered=delivered,
        hard_bounced=bounced,
        blocked=np.zeros_like(sent),
        expired=sent - delivered - bounced,
        complaints=np.floor(0.002 * delivered),
        **more,
    )


def remembered(seen: wp.Observations, world: np.ndarray, p: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Established volume, reputation and allowance of every morning, (days + 1,) each: a loop over the equations."""
    w = dict(zip(layout.WORLD, world, strict=True))
    established, reputation, complaints, bounces, deliveries = w["established"], 1.0, 0.0, 0.0, 0.0
    mornings = []
    for d in range(N_SEEN + 1):
        parts = (w["auth"], w["cold"], w["jump"], w["fades_at"])
        allowed = equations.allowance(established, reputation, *parts)
        mornings.append((established, reputation, allowed))
        if d == N_SEEN:
            break
        delivered, bounced = seen.delivered[p, d], seen.hard_bounced[p, d]
        excess = equations.excess_share(seen.sent[p, d], allowed)
        keep = equations.COMPLAINT_MEMORY
        complaints = keep * complaints + seen.complaints[p, d]
        bounces, deliveries = keep * bounces + bounced, keep * deliveries + delivered
        strain = equations.rate_strain(complaints, deliveries, w["complaint_limit"])
        strain += equations.rate_strain(bounces, deliveries + bounces, w["hard_bounce_limit"])
        strain += equations.excess_strain(excess, w["excess_limit"])
        peak = seen.delivered[p, max(0, d - 6) : d + 1].max()
        established = equations.next_established(established, delivered, peak, excess, w["idle_decay"])
        reputation = equations.next_reputation(
            reputation, strain, w["reputation_recovery"], w["reputation_sensitivity"]
        )
    return tuple(np.array(each) for each in zip(*mornings, strict=True))


@pytest.mark.parametrize("sampled", [True, False])
def test_every_scenario_remembers_what_the_equations_say(sampled: bool) -> None:
    seen, beliefs = counted(), wp.draw(SENDER, 40, 3)
    run = Run(SENDER, beliefs, policies_of(SENDER, None), 1, seen=seen_days(SENDER, seen), sampled=sampled)
    volume = np.full((2, 1, N_DAYS), 100.0)
    for reaction in (None, wp.Reaction()):
        rows, _ = run.counts(volume, reaction)
        for p in range(2):
            for s in range(len(beliefs)):
                expected = remembered(seen, worlds(SENDER, beliefs, 900.0)[s, :, p], p)
                for row, mornings in zip(
                    (layout.ESTABLISHED, layout.REPUTATION, layout.ALLOWANCE), expected, strict=True
                ):
                    np.testing.assert_allclose(rows[row, s, p, : N_SEEN + 1], mornings, rtol=1e-12)


def test_the_envelope_remembers_the_same() -> None:
    seen, beliefs = counted(), wp.draw(SENDER, 40, 3)
    own = worlds(SENDER, beliefs, 3600.0)
    rates = referee.mailed_rates(SENDER, SENDER.demand(N_DAYS))
    nested = referee.ramps(SENDER, beliefs, N_DAYS, seen=seen_days(SENDER, seen), most=0)
    for p in range(2):
        world = np.ascontiguousarray(own[:, :, p].T)
        volume = nested[p].volume[0]
        assert volume[:N_SEEN].tolist() == seen.sent[p].tolist()
        complaint, bounce = (np.ascontiguousarray(rate[p]) for rate in rates)
        days = seen_days(SENDER, seen).memory(p)
        tolerated = envelope.tolerated_along(world, volume, complaint, bounce, referee.usable_hours(SENDER), days)
        for s in range(len(beliefs)):
            _, reputation, allowed = remembered(seen, own[s, :, p], p)
            share = min(1.0, world[layout.W_HOURLY_SHARE, s] * referee.usable_hours(SENDER))
            opens = reputation >= world[layout.W_BLOCK_BELOW, s]
            np.testing.assert_allclose(tolerated[: N_SEEN + 1, s], share * (allowed * opens), rtol=1e-12)
        least = min(tolerated[N_SEEN].min(), SENDER.demand(N_DAYS)[p, N_SEEN])
        assert volume[N_SEEN] == max(1.0, np.floor(least + 1e-9))


QUIET = {"cold_allowance": 300.5, "daily_growth": 1.2, "hourly_share": 0.2, "reputation_sensitivity": 0.2}
SHORT = wp.RetryPolicy(first_seconds={"limit": 1200}, growth=1.0, cap_seconds=1200, jitter=0.2, lifetime_seconds=7200)
"""Mail that is refused is tried again for two hours: at midnight nothing waits."""


def test_a_run_that_saw_its_own_days_goes_on_as_before() -> None:
    schedule = wp.published("onesignal", SENDER, N_DAYS, scale=3)
    beliefs = known(SENDER.provider_names, 6, **QUIET, excess_rejected=0.3, rejection_cost=0.1)
    whole = wp.simulate(SENDER, schedule, SHORT, beliefs=beliefs, seed=4)
    assert whole.wrong_days()[:, :, :N_SEEN].any(axis=2).all()  # memory has more to tell than that all went well
    assert whole.first_trouble[:, :, N_SEEN:].sum() > 0
    assert not whole.queued[:, :, N_SEEN - 1].any()
    for s in range(len(beliefs)):
        seen = observed(whole, s, N_SEEN)
        again = wp.simulate(SENDER, schedule, SHORT, beliefs=beliefs, seed=4, observed=seen)
        kept = [row for row in range(layout.N_ROWS) if row not in _NOT_OBSERVED]
        np.testing.assert_array_equal(again.rows[kept][:, s, :, :N_SEEN], whole.rows[kept][:, s, :, :N_SEEN])
        np.testing.assert_allclose(again.rows[:, s, :, N_SEEN:], whole.rows[:, s, :, N_SEEN:], rtol=1e-9)
        assert (again.injected[:, :, :N_SEEN] == seen.sent).all()  # in every scenario, also in others


_NOT_OBSERVED = (layout.FIRST_TROUBLE, layout.DELAYED, layout.DELAY_SECONDS, layout.RESTED_SECONDS)
"""Nobody counts these; trouble is estimated from the causes."""


def test_noise_apart_a_run_goes_on_as_before_on_average() -> None:
    schedule = wp.published("onesignal", SENDER, N_DAYS)
    beliefs = known(SENDER.provider_names, 400, **QUIET, base_deferral=0.05, greylisting_probability=0.2)
    whole = wp.simulate(SENDER, schedule, beliefs=beliefs, seed=4)
    again = wp.simulate(SENDER, schedule, beliefs=beliefs, seed=4, observed=observed(whole, 0, N_SEEN))
    assert whole.queued[:, :, N_SEEN - 1].mean() < 0.02 * whole.injected[:, :, N_SEEN].mean()
    for name in ("delivered", "attempts", "hard_bounced", "allowance"):
        ours, theirs = (getattr(each, name)[:, :, N_SEEN + 1 :].mean(axis=0) for each in (again, whole))
        np.testing.assert_allclose(ours, theirs, rtol=0.02, err_msg=name)


def test_the_books_balance_over_midnight_of_today() -> None:
    schedule = wp.published("onesignal", SENDER, N_DAYS)
    whole = wp.simulate(SENDER, schedule, reaction=wp.Reaction(), scenarios=30, seed=4)
    for s in range(5):
        seen = observed(whole, s, N_SEEN)
        again = wp.simulate(SENDER, schedule, reaction=wp.Reaction(), scenarios=30, seed=4, observed=seen)
        ends = again.delivered + again.hard_bounced + again.blocked + again.expired
        before = np.concatenate([np.zeros_like(ends[:, :, :1]), again.queued[:, :, :-1]], axis=2)
        np.testing.assert_array_equal(before + again.injected, ends + again.queued)


def test_counted_causes_tell_nearly_all_wrong_days_and_no_others() -> None:
    sender = wp.Sender.load(EXAMPLES / "newsletter.yaml")
    schedule = wp.published("onesignal", sender, N_DAYS)
    forecast = wp.simulate(sender, schedule, reaction=wp.Reaction(), scenarios=200, seed=3)
    true = forecast.wrong_days()
    told = np.array([seen_days(sender, observed(forecast, s, N_DAYS)).wrong_days() for s in range(len(true))])
    assert true.sum() > 40
    assert (true & ~told).sum() <= 0.05 * true.sum()
    assert (told & ~true).sum() <= 0.05 * true.sum()


def test_the_reaction_begins_on_the_first_day_left() -> None:
    beliefs = known(SENDER.provider_names, 1, cold_allowance=1e6)  # nothing is ever refused
    schedule = wp.published("onesignal", SENDER, N_DAYS)
    trouble = counted(deferred=100 * np.ones((2, N_SEEN)), first_deferred=100 * np.ones((2, N_SEEN)))
    forecast = wp.simulate(SENDER, schedule, reaction=wp.Reaction(), beliefs=beliefs, observed=trouble)
    assert forecast.wrong_days()[0, 0, 0]
    np.testing.assert_array_equal(forecast.injected[0, :, N_SEEN:], schedule.total[:, N_SEEN:])


def test_a_reacting_run_that_went_well_goes_on_as_before() -> None:
    volume = np.tile(np.floor(120 * 1.35 ** np.arange(N_DAYS)), (2, 1))
    schedule = wp.Schedule(SENDER.provider_names, ("all",), SENDER.dates(N_DAYS), volume[:, None, :])
    beliefs = known(SENDER.provider_names, 6, **QUIET, penalty_chance=0.5, penalty_hours=3.0)
    whole = wp.simulate(SENDER, schedule, SHORT, reaction=wp.Reaction(), beliefs=beliefs, seed=4)
    n_seen = 6
    assert not whole.wrong_days()[:, :, :n_seen].any()
    assert whole.wrong_days()[:, :, n_seen:].any(axis=2).all()
    for s in range(len(beliefs)):
        seen = observed(whole, s, n_seen)
        again = wp.simulate(SENDER, schedule, SHORT, reaction=wp.Reaction(), beliefs=beliefs, seed=4, observed=seen)
        np.testing.assert_allclose(again.rows[:, s, :, n_seen:], whole.rows[:, s, :, n_seen:], rtol=1e-9)


def test_trouble_today_falls_back_to_what_went_well() -> None:
    beliefs = known(SENDER.provider_names, 1, cold_allowance=100.5, hourly_share=1.0, reputation_sensitivity=0.0)
    sent = np.array([[50.0, 90.0, 400.0, 60.0, 80.0], [50.0, 90.0, 40.0, 60.0, 80.0]])
    blocked = np.where(sent == 400.0, 200.0, 0.0)
    seen = wp.Observations(SENDER.provider_names, SENDER.dates(5), sent=sent, delivered=sent - blocked, blocked=blocked)
    volume = np.concatenate([sent, np.full((2, 3), 4_000.0)], axis=1)
    schedule = wp.Schedule(SENDER.provider_names, ("all",), SENDER.dates(8), volume[:, None, :])
    forecast = wp.simulate(
        SENDER, schedule, SHORT, reaction=wp.Reaction(back_stages=0.0), beliefs=beliefs, observed=seen
    )
    # at the first provider the days since the one that was throttled count, at the other one all of them
    assert forecast.injected[0, :, 5:7].tolist() == [[4_000, 80], [4_000, 90]]


def test_held_mail_that_went_out_waits_no_longer() -> None:
    holding = SENDER.changed({"overflow": "hold"})
    demand = holding.demand(4)
    sent = np.concatenate([demand[:, :1] // 2, demand[:, 1:2] + demand[:, :1] - demand[:, :1] // 2], axis=1)
    seen = wp.Observations(holding.provider_names, holding.dates(2), sent=sent, delivered=sent)
    schedule = wp.Schedule(holding.provider_names, ("all",), holding.dates(4), demand[:, None, :])
    beliefs = known(holding.provider_names, 1, cold_allowance=1e6, base_deferral=0.2)
    forecast = wp.simulate(holding, schedule, beliefs=beliefs, observed=seen)
    assert forecast.overflow[0, :, 0].tolist() == (demand[:, 0] - sent[:, 0]).tolist()
    assert not forecast.overflow[0, :, 1:].any()
    assert forecast.delayed[0, :, 2:].all()  # mail that was held counts from the day on which it was wanted
    assert (forecast.delay_seconds[0, :, 2:] / forecast.delayed[0, :, 2:] < 43_200).all()
