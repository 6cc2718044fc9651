"""What must hold of the likelihood whatever was seen."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import planner as wp
from planner.inputs.provider import PARAMETERS
from planner.inputs.retry import DEFAULT_RETRY
from planner.learning.evidence import evidence_of
from planner.learning.likelihood import FIT
from planner.learning.posterior import N_SCORES, Target, habits_of

SENDER = wp.Sender.from_dict(
    {
        "audience": {"providers": {"yahoo": 1}},
        "target": {"volume": 20_000},
        "send_days": "daily",
        "n_ips": 1,
        "domain": "used",
        "start": "2027-01-11",
    }
)
N = 40
POOL = ThreadPoolExecutor(2)

volumes = st.lists(st.integers(0, 5000), min_size=1, max_size=8)


def target_of(sent, turned_away, by_cause):
    """One provider's likelihood; what was turned away was the limit's doing and passed later that day."""
    sent = np.array([sent], dtype=float)
    turned = np.minimum(np.array([turned_away], dtype=float), sent)
    counts = {"first_deferred": turned}
    if by_cause:
        causes = np.zeros((*sent.shape, 7))
        causes[:, :, 0] = turned
        counts |= {"deferred": turned, "deferred_by_cause": causes, "attempts": sent + turned}
    days = tuple(SENDER.start + timedelta(d) for d in range(sent.shape[1]))
    seen = wp.Observations(("yahoo",), days, sent=sent, delivered=sent, **counts)
    return Target(SENDER, wp.catalogue(), "yahoo", DEFAULT_RETRY, evidence_of(SENDER, seen).seen[0], POOL)


def particles(target, seed):
    luck = np.random.default_rng(seed)
    scores = luck.standard_normal((N, N_SCORES))
    return target.values(scores), habits_of(scores), luck.random((N, len(target.seen.sent)))


@settings(max_examples=25, deadline=None)
@given(sent=volumes, seed=st.integers(0, 1000), by_cause=st.booleans())
def test_good_days_never_speak_against_a_larger_allowance(sent, seed, by_cause) -> None:
    target = target_of(sent, [0] * len(sent), by_cause)
    values, habits, doors = particles(target, seed)
    more = values.copy()
    more[:, PARAMETERS.index("cold_allowance")] *= 1.5
    fit, richer = (target.judge(each, habits, doors)[0] for each in (values, more))
    assert (richer >= fit - 1e-9).all()


@settings(max_examples=25, deadline=None)
@given(sent=volumes, share=st.floats(0, 1), seed=st.integers(0, 1000), by_cause=st.booleans())
def test_every_day_has_a_likelihood_and_particles_do_not_meet(sent, share, seed, by_cause) -> None:
    target = target_of(sent, [round(share * each) for each in sent], by_cause)
    values, habits, doors = particles(target, seed)
    fit, days = target.judge(values, habits, doors)
    assert np.isfinite(fit).all()
    assert np.isfinite(days[:, :, FIT]).all()
    order = np.random.default_rng(seed).permutation(N)
    np.testing.assert_array_equal(target.judge(values[order], habits[order], doors[order])[0], fit[order])
    single, _ = target.judge(values[:1], habits[:1], doors[:1])
    assert single[0] == fit[0]


@settings(max_examples=25, deadline=None)
@given(sent=volumes, share=st.floats(0, 1), seed=st.integers(0, 1000), quantile=st.floats(0.1, 0.9))
def test_giving_up_early_refuses_only_what_is_too_unlikely(sent, share, seed, quantile) -> None:
    target = target_of(sent, [round(share * each) for each in sent], by_cause=True)
    values, habits, doors = particles(target, seed)
    fit, days = target.judge(values, habits, doors)
    best = days[:, :, FIT].max(axis=0)
    least = np.full(N, np.quantile(fit, quantile))
    early, _ = target.judge(values, habits, doors, least, best[::-1].cumsum()[::-1] - best)
    given_up = np.isneginf(early)
    np.testing.assert_array_equal(early[~given_up], fit[~given_up])
    assert (fit[given_up] < least[given_up] + 1e-9).all()
