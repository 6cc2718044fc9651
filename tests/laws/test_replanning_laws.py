"""Laws of planning again, in worlds drawn from the prior itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import planner as wp
from planner.optimizer import planning, referee
from planner.simulation.beliefs import Beliefs
from planner.simulation.forecast import quantiles
from planner.simulation.seen import seen_days
from tests.oracle.seen_runs import observed

few = settings(max_examples=12)

ONE = {
    "audience": {"providers": {"gmail": 1}},
    "target": {"volume": 20_000},
    "send_days": "daily",
    "n_ips": 1,
    "domain": "used",
    "start": "2027-01-11",
}
N_DAYS = 40


def sender(**changes) -> wp.Sender:
    return wp.Sender.from_dict({**ONE, **changes})


def learnt(plan: wp.Plan, n_seen: int) -> tuple[wp.Observations, Beliefs]:
    """A clean beginning of a plan, and the scenarios of the prior in which it is clean: what a Bayesian would keep."""
    sent = plan.schedule.total[:, :n_seen]
    prior = wp.draw(plan.sender, 900, 41)
    schedule = wp.Schedule(plan.sender.provider_names, ("all",), plan.schedule.dates[:n_seen], sent[:, None, :])
    forecast = wp.simulate(plan.sender, schedule, plan.retry, beliefs=prior, seed=6)
    clean = np.flatnonzero(~forecast.wrong_days().any(axis=(1, 2)))
    kept = Beliefs(prior.providers, prior.values[clean], np.full(len(clean), 1.0 / len(clean)))
    return observed(forecast, int(clean[0]), n_seen), kept


@pytest.fixture(scope="module", params=[{}, {"n_ips": 3}, {"send_days": "weekdays", "target": {"volume": 9_000}}])
def plan(request) -> wp.Plan:
    return wp.optimize(sender(**request.param), scenarios=400, seed=3)


@pytest.mark.parametrize("n_seen", [3, 8, 13])
def test_a_plan_that_was_followed_without_trouble_is_not_slowed_down(plan: wp.Plan, n_seen: int) -> None:
    seen, beliefs = learnt(plan, n_seen)
    again = wp.optimize(plan.sender, beliefs=beliefs, observed=seen, scenarios=400, seed=3, retry=plan.retry)
    # the plan as it was, in the worlds that are left: from there the date moves by luck only, or for the better
    kept = wp.simulate(
        plan.sender, plan.schedule, plan.retry, reaction=plan.reaction, beliefs=beliefs, observed=seen, seed=3
    )
    for q in (0.5, 0.8):
        before = quantiles(kept.reached_by_all, kept.weights, (q,))[0]
        after = quantiles(again.forecast.reached_by_all, again.forecast.weights, (q,))[0]
        assert after <= before + max(2.0, 0.07 * before)


@pytest.mark.parametrize("n_seen", [4, 10])
def test_the_whole_risk_stays_within_the_limit(n_seen: int) -> None:
    limit = 0.2
    plan = wp.optimize(sender(), scenarios=400, seed=3, risk=limit)
    seen, beliefs = learnt(plan, n_seen)
    again = wp.optimize(
        plan.sender, beliefs=beliefs, observed=seen, scenarios=400, seed=3, retry=plan.retry, risk=limit
    )
    taken = again.options["risk_taken"]["gmail"]
    assert 0.0 < taken < limit
    left = float(again.forecast.risk()[0])
    assert left <= (limit - taken) / (1.0 - taken) + 0.05
    assert taken + (1.0 - taken) * left <= limit + 0.05
    # and it is used: who has come through may go on as fast as planned
    days = [float(quantiles(one.forecast.reached_by_all, one.forecast.weights, (0.5,))[0]) for one in (plan, again)]
    assert days[1] <= days[0] + 2.0


SOME = wp.draw(sender(), 30, 11)


def ramp_after(counts: list[int], share: float) -> np.ndarray:
    """The ramp that all scenarios tolerate after days on which a share was delivered."""
    sent = np.array([counts], dtype=float)
    seen = wp.Observations(("gmail",), sender().dates(len(counts)), sent=sent, delivered=np.floor(share * sent))
    nested = referee.ramps(sender(), SOME, N_DAYS, seen=seen_days(sender(), seen), most=0)
    return np.asarray(nested[0].volume[0, len(counts) :])


@few
@given(st.lists(st.integers(0, 200), min_size=1, max_size=20), st.sampled_from([0.5, 0.9]))
def test_who_delivered_more_within_what_all_tolerate_may_send_no_less(counts: list[int], share: float) -> None:
    free = referee.ramps(sender(), SOME, len(counts), most=0)[0].volume[0]
    within = np.minimum(counts, np.maximum.accumulate(free)[0]).astype(int).tolist()  # no excess on any day
    assert (ramp_after(within, 1.0) >= ramp_after(within, share) - 1.0).all()


@few
@given(st.lists(st.integers(0, 3_000), min_size=1, max_size=20), st.integers(0, 2**31))
def test_every_scenario_has_the_days_that_happened(counts: list[int], seed: int) -> None:
    sent = np.array([counts], dtype=float)
    seen = wp.Observations(("gmail",), sender().dates(len(counts)), sent=sent, delivered=sent // 2)
    schedule = wp.published("onesignal", sender(), len(counts) + 3)
    forecast = wp.simulate(sender(), schedule, reaction=wp.Reaction(), scenarios=3, seed=seed, observed=seen)
    assert (forecast.injected[:, :, : len(counts)] == sent).all()
    assert (forecast.delivered[:, :, : len(counts)] == sent // 2).all()
    assert forecast.n_seen == (len(counts))
    ends = forecast.delivered + forecast.hard_bounced + forecast.blocked + forecast.expired
    before = np.concatenate([np.zeros_like(ends[:, :, :1]), forecast.queued[:, :, :-1]], axis=2)
    np.testing.assert_array_equal(before + forecast.injected, ends + forecast.queued)


def test_the_seed_decides_everything(plan: wp.Plan) -> None:
    seen, beliefs = learnt(plan, 5)
    made = [
        wp.optimize(plan.sender, beliefs=beliefs, observed=seen, scenarios=20, seed=9, retry=plan.retry)
        for _ in range(2)
    ]
    assert made[0].to_json() == made[1].to_json()
    assert planning.task_of(made[0]).n_seen == 5
