"""Laws of the envelope, on the same scenarios: what is larger tenfold, what never comes later, what never earlier."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import planner as wp
from planner.inputs.provider import PARAMETERS
from planner.optimizer import referee
from tests.certificates.worlds import sender

few = settings(max_examples=12)  # a pair of ramps takes some hundredths of a second

N_DAYS, SCENARIOS = 60, 48
PROVIDERS = ("gmail", "microsoft", "other")
START = date(2027, 1, 11)
BASE = {
    "audience": {
        "providers": {"gmail": 50, "microsoft": 30, "other": 20},
        "domains": {"other": 400},
        "segments": [{"name": "all", "share": 1, "complaint_rate": 0.0003, "hard_bounce_rate": 0.002}],
    },
    "target": {"volume": 60_000},
}

days = st.sampled_from([["tue"], ["tue", "fri"], "weekdays", "daily"])
history = st.fixed_dictionaries(
    {"domain": st.integers(0, 20_000), "ip": st.integers(0, 20_000), "idle_days": st.integers(0, 30)}
)


@st.composite
def mailers(draw):
    domain, past = draw(st.sampled_from(["new", "used"])), draw(history)
    return sender(
        **BASE,
        send_days=draw(days),
        domain=domain,
        n_ips=draw(st.integers(1, 4)),
        history=past if domain == "used" else past | {"domain": 0},
        authentication={"dkim": draw(st.sampled_from(["no", "yes"]))},
        window=draw(st.sampled_from(["08:00-20:00", "09:00-11:00"])),
    )


@pytest.fixture(scope="module")
def beliefs():
    return wp.draw(sender(**BASE), SCENARIOS, 11)


def least_allowed(mailer, beliefs):
    """The ramp that all scenarios tolerate, (providers, days)."""
    nested = referee.ramps(mailer, beliefs, N_DAYS)
    return referee.volumes_at(nested, np.zeros(len(nested)))


def assert_no_lower(better, worse, beliefs, *, on=slice(None)):
    """The better sender's ramp is nowhere lower, and so its target never later.

    Without drops: which scenarios to give up is a greedy choice, and for a given number of them it may turn out worse.
    """
    assert (least_allowed(better, beliefs)[:, on] >= least_allowed(worse, beliefs)[:, on]).all()


def magnified(beliefs, factor):
    """The same worlds with every volume larger."""
    values = beliefs.values.copy()
    for name in ("cold_allowance", "growth_fades_at"):
        values[:, :, PARAMETERS.index(name)] *= factor
    return wp.Beliefs(beliefs.providers, values, beliefs.weights)


# --- no volume is special


@pytest.mark.parametrize("send_days", [["tue"], "weekdays", "daily"])
@pytest.mark.parametrize("past", [{}, {"domain": 3_000_000, "ip": 1_000_000, "idle_days": 10}])
def test_everything_tenfold_gives_the_ramp_tenfold(beliefs, send_days, past):
    # from volumes so large that whole messages are a thousandth of a percent
    one = sender(**(BASE | {"target": {"volume": 6_000_000}}), send_days=send_days, history=past)
    more = {name: 10 * value if name != "idle_days" else value for name, value in past.items()}
    ten = one.changed({"target.volume": 60_000_000, "history": more})
    small = referee.ramps(one, magnified(beliefs, 100), N_DAYS)
    large = referee.ramps(ten, magnified(beliefs, 1000), N_DAYS)
    for p, (a, b) in enumerate(zip(small, large, strict=True)):
        assert a.dropped[:6].tolist() == b.dropped[:6].tolist(), PROVIDERS[p]
        np.testing.assert_allclose(b.volume[:7], 10 * a.volume[:7], rtol=1e-3, atol=10)


# --- what never comes later


@given(mailer=mailers(), more=st.integers(1, 30_000), of=st.sampled_from(["domain", "ip"]))
@few
def test_more_history_is_never_later(beliefs, mailer, more, of):
    of = "ip" if mailer.domain == "new" else of
    better = mailer.changed({f"history.{of}": getattr(mailer.history, of) + more})
    assert_no_lower(better, mailer, beliefs)


@given(mailer=mailers(), more=st.integers(1, 4))
@few
def test_another_ip_is_never_later(beliefs, mailer, more):
    assert_no_lower(mailer.changed({"n_ips": mailer.n_ips + more}), mailer, beliefs)


@given(mailer=mailers())
@few
def test_a_signature_is_never_later_than_none(beliefs, mailer):
    signed, bare = (mailer.changed({"authentication.dkim": answer}) for answer in ("yes", "no"))
    assert_no_lower(signed, bare, beliefs)


# --- what never comes earlier


@given(mailer=mailers(), day=st.integers(0, N_DAYS - 1))
@few
def test_a_day_off_is_never_earlier(beliefs, mailer, day):
    less = mailer.changed({"blackout": [(START + timedelta(days=day)).isoformat()]})
    assert_no_lower(mailer, less, beliefs)


# --- cells that are decided already


@few
@given(mailer=mailers(), cells=st.lists(st.tuples(st.integers(0, 2), st.integers(0, N_DAYS - 1)), max_size=20))
def test_deciding_what_is_planned_anyway_changes_nothing(beliefs, mailer, cells):
    ramp = least_allowed(mailer, beliefs)
    decided = np.full(ramp.shape, -1.0)
    for p, d in cells:
        decided[p, d] = ramp[p, d]
    again = referee.ramps(mailer, beliefs, N_DAYS, decided)
    np.testing.assert_array_equal(referee.volumes_at(again, np.zeros(3)), ramp)


@few
@given(
    mailer=mailers(),
    cells=st.dictionaries(st.tuples(st.integers(0, 2), st.integers(0, N_DAYS - 1)), st.integers(0, 50_000), max_size=9),
)
def test_decided_cells_come_back_at_every_risk(beliefs, mailer, cells):
    decided = np.full((3, N_DAYS), -1.0)
    for (p, d), messages in cells.items():
        decided[p, d] = messages
    for p, nested in enumerate(referee.ramps(mailer, beliefs, N_DAYS, decided)):
        for ramp in nested.volume:
            np.testing.assert_array_equal(ramp[decided[p] >= 0], decided[p][decided[p] >= 0])
        assert (nested.binding[:, decided[p] >= 0] == -1).all()
