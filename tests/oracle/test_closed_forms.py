"""The slot loop against formulas that can be written on a napkin."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest

from planner.inputs.sender import Sender
from planner.simulation.beliefs import draw
from planner.simulation.simulator import established_at_start
from tests.oracle.compiled_loop import named, run_loop
from tests.oracle.event_simulation import RISE, Policy, Sending, World, uniform_pace

MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0
STANDARD_ERRORS = 4.0
AT_ONCE = Policy({"system": MINUTE}, growth=1.0, cap_seconds=MINUTE, jitter=0.0, lifetime_seconds=50 * MINUTE)


def good_mail(volumes, *, complaint_rate: float = 0.0, pace=None) -> Sending:
    """No bad addresses, all day long."""
    return Sending(
        schedule=[list(volumes)],
        demand=list(volumes),
        complaint_rate=[complaint_rate],
        hard_bounce_rate=[0.0],
        pace=pace or uniform_pace(0, 24),
    )


def expected_days(world: World, sending: Sending) -> dict[str, np.ndarray]:
    """Rows of the loop in expected mode, (days,) each."""
    rows, _ = run_loop(world, sending, AT_ONCE, None, 1, 1, sampled=False)
    return {name: row[0] for name, row in named(rows).items()}


# --- growth: following the allowance multiplies it by 1 + rho * auth * (G - 1) a day


@pytest.mark.parametrize("slots", [96, 24])
@pytest.mark.parametrize(("growth", "auth"), [(1.1, 1.0), (1.3, 1.0), (2.0, 1.0), (1.3, 0.6), (1.5, 0.05)])
def test_following_the_allowance_grows_by_the_daily_growth(growth: float, auth: float, slots: int) -> None:
    world = World(cold_allowance=0.0, daily_growth=growth, growth_fades_at=math.inf, auth=auth, established=1_000.0)
    factor = 1.0 + auth * (growth - 1.0)
    first = 1_000.0 * (1.0 + auth * (growth - 1.0) / RISE)
    volumes = first * factor ** np.arange(15)
    rows = expected_days(world, good_mail(volumes, pace=uniform_pace(0, 24, slots)))
    np.testing.assert_allclose(rows["allowance"], volumes, rtol=1e-9)
    np.testing.assert_allclose(rows["allowance"][1:] / rows["allowance"][:-1], factor, rtol=1e-9)
    np.testing.assert_allclose(rows["delivered"], volumes, rtol=1e-9)
    assert (rows["deferred_limit"] <= 1e-9 * volumes).all()


def test_doubt_slows_growth_in_proportion() -> None:
    # A recovery of 1 forgets what was: from day 1 on rho = 1 - sensitivity * (rate / limit - 1) = 1 - 0.2 * 0.5.
    # At a million million messages the pseudo-messages no longer count.
    rho, auth, growth, established = 0.9, 0.8, 1.4, 1e12
    world = World(
        cold_allowance=0.0,
        daily_growth=growth,
        growth_fades_at=math.inf,
        auth=auth,
        established=established,
        reputation_recovery=1.0,
        reputation_sensitivity=0.2,
        complaint_limit=0.002,
    )
    jump = auth * (growth - 1.0) / RISE
    factor = 1.0 + rho * auth * (growth - 1.0)
    second = established * (1.0 + auth * (growth - 1.0)) * (1.0 + rho * jump)
    volumes = np.append(established * (1.0 + jump), second * factor ** np.arange(12))
    # an evening without new mail, for what is deferred, (1 - rho)**2, must arrive on its day
    rows = expected_days(world, good_mail(volumes, complaint_rate=0.003, pace=uniform_pace(8, 20)))
    np.testing.assert_allclose(rows["reputation"][1:], rho, rtol=1e-7)
    np.testing.assert_allclose(rows["allowance"][2:] / rows["allowance"][1:-1], factor, rtol=1e-6)


def test_one_message_in_ten_more_than_allowed_is_refused_in_that_share() -> None:
    # The same ramp at 1.1 times: the limiter refuses a tenth of the allowance, from the first day on.
    world = World(cold_allowance=0.0, daily_growth=1.3, established=1_000.0)
    allowed = 1_000.0 * (1.0 + 0.3 / RISE)
    rows = expected_days(world, good_mail([1.1 * allowed]))
    assert rows["first_trouble"][0] == pytest.approx(0.1 * allowed, rel=1e-6)


# --- memory


@pytest.mark.parametrize("decay", [0.05, 0.1, 0.15])
def test_idle_days_cool_once_the_last_week_is_empty(decay: float) -> None:
    # Nine days of 1,000: E = 1000 * (1 - 0.65**9). The last of them is the week's peak on six idle days;
    # each idle day after that takes its share.
    world = World(idle_decay=decay)
    rows = expected_days(world, good_mail([1_000.0] * 9 + [0.0] * 40))
    warm = 1_000.0 * (1.0 - (1.0 - RISE) ** 9)
    idle = np.arange(40)  # on the morning of day 9 + n there were n idle days
    np.testing.assert_allclose(rows["established"][9:], warm * (1.0 - decay) ** np.maximum(0, idle - 6), rtol=1e-9)


def test_a_smaller_volume_cools_towards_itself() -> None:
    # E = 10,000 from earlier days of which the loop saw none, then 2,000 a day.
    world = World(idle_decay=0.1, established=10_000.0)
    rows = expected_days(world, good_mail([2_000.0] * 30))
    np.testing.assert_allclose(rows["established"], 2_000.0 + 8_000.0 * 0.9 ** np.arange(30), rtol=1e-9)


@pytest.mark.parametrize("gap", [2, 3, 7])
def test_gaps_of_a_week_or_less_lose_nothing(gap: int) -> None:
    volumes = [1_000.0 if day % gap == 0 else 0.0 for day in range(10 * gap)]
    rows = expected_days(World(idle_decay=0.15), good_mail(volumes))
    sends = (np.arange(10 * gap) + gap - 1) // gap  # before this morning
    np.testing.assert_allclose(rows["established"], 1_000.0 * (1.0 - 0.65**sends), rtol=1e-9)


@pytest.mark.parametrize(("idle_days", "cold_days"), [(0, 0), (7, 0), (8, 1), (37, 30)])
def test_history_is_cooled_by_idle_days(idle_days: int, cold_days: int) -> None:
    sender = Sender.from_dict(
        {
            "audience": {"providers": {"gmail": 3, "yahoo": 1}},
            "target": {"volume": 10_000},
            "send_days": "daily",
            "n_ips": 1,
            "domain": "used",
            "start": "2027-01-11",
            "history": {"domain": 8_000, "ip": {"yahoo": 400}, "idle_days": idle_days},
        }
    )
    beliefs = draw(sender, 20, seed=3)
    value = {name: beliefs.parameter(name) for name in ("ip_weight", "history_carried", "idle_decay")}
    w, decay = value["ip_weight"], value["idle_decay"]
    domain, ip = np.array([6_000.0, 2_000.0]), np.array([0.0, 400.0])
    warm = (1.0 - w) * value["history_carried"] * domain + w * ip
    np.testing.assert_allclose(established_at_start(sender, value), warm * (1.0 - decay) ** cold_days)


# --- a constant chance q of a deferral, and no limiter: a message makes one more attempt with probability q


@dataclass(frozen=True)
class Constant:
    """A policy and a chance of deferral; how many attempts the policy makes is counted by hand."""

    name: str
    q: float
    policy: Policy
    attempts: int


CONSTANT = [
    # after 0, 2, ..., 12 hours
    Constant("equal waits", 0.6, Policy({"limit": 2 * HOUR}, 1.0, 2 * HOUR, 0.0, 12 * HOUR), 7),
    # after 0, 1/2, 1 1/2, 3 1/2, 7 1/2, 11 1/2, 15 1/2, 19 1/2, 23 1/2 hours
    Constant("doubling up to 4 hours", 0.7, Policy({"limit": HOUR / 2}, 2.0, 4 * HOUR, 0.2, DAY), 9),
    # the first wait depends on the cause: after 0, 1/3, 1/3 + 1.5, 1/3 + 1.5 + 2.25, 1/3 + 1.5 + 2.25 + 3.375 hours
    Constant("a quick first retry", 0.5, Policy({"limit": HOUR, "system": HOUR / 3}, 1.5, 6 * HOUR, 0.3, 8 * HOUR), 5),
    # three attempts in a slot of a quarter of an hour
    Constant("every 5 minutes", 0.8, Policy({"limit": 5 * MINUTE}, 1.0, DAY, 0.5, HOUR), 13),
    # fifteen of them
    Constant("every minute", 0.9, Policy({"limit": MINUTE}, 1.0, DAY, 0.0, 30 * MINUTE), 31),
    # waits of 7, 11.9, 20.2, 34.4, 58.5, 99.4, 120 minutes: the eighth attempt after 351.4
    Constant("from half a slot to many", 0.6, Policy({"limit": 7 * MINUTE}, 1.7, 2 * HOUR, 0.9, 6 * HOUR), 8),
    Constant("only one attempt", 0.3, Policy({"limit": 2 * HOUR}, 1.0, 2 * HOUR, 0.2, HOUR), 1),
]


def ages(policy: Policy, attempts: int) -> np.ndarray:
    """Mean age at each attempt of a message that noise defers, seconds; jitter does not move a mean."""
    return np.cumsum([0.0] + [policy.wait(k, "system") for k in range(attempts - 1)])


def mean_delay(case: Constant) -> float:
    """Delay of mail that was deferred at first and delivered in the end: q**k * (1 - q) arrive at attempt k."""
    arriving = case.q ** np.arange(case.attempts)
    return float((arriving[1:] @ ages(case.policy, case.attempts)[1:]) / arriving[1:].sum())


def days_of(case: Constant, runs: int, messages: float, *, sampled: bool) -> dict[str, np.ndarray]:
    """One day's mail followed to its end, summed over the days, (runs,) each."""
    rows, _ = run_loop(
        World(base_deferral=case.q),
        good_mail([messages, 0.0, 0.0], pace=uniform_pace(8, 20)),
        case.policy,
        None,
        runs,
        7,
        sampled=sampled,
    )
    return {name: row.sum(axis=1) for name, row in named(rows).items()}


@pytest.mark.parametrize("case", CONSTANT, ids=lambda case: case.name)
def test_a_constant_deferral_in_expected_mode(case: Constant) -> None:
    messages = 1_000.0
    rows = days_of(case, 1, messages, sampled=False)
    lost = case.q**case.attempts
    assert rows["attempts"][0] / messages == pytest.approx((1.0 - lost) / (1.0 - case.q), rel=1e-6)
    assert rows["expired"][0] / messages == pytest.approx(lost, rel=1e-6)
    assert rows["delivered"][0] / messages == pytest.approx(1.0 - lost, rel=1e-6)
    assert rows["first_4xx"][0] / messages == pytest.approx(case.q, rel=1e-6)
    assert rows["deferred_system"][0] == pytest.approx(rows["attempts"][0] - rows["delivered"][0], rel=1e-6)
    if case.attempts > 1:
        assert rows["delay_seconds"][0] / rows["delayed"][0] == pytest.approx(mean_delay(case), rel=1e-6)


@pytest.mark.parametrize("messages", [7, 3_000])
@pytest.mark.parametrize("case", CONSTANT, ids=lambda case: case.name)
def test_a_constant_deferral_in_sampled_mode(case: Constant, messages: int) -> None:
    runs = 600
    rows = days_of(case, runs, float(messages), sampled=True)
    lost = case.q**case.attempts
    expected = {
        "attempts": messages * (1.0 - lost) / (1.0 - case.q),
        "expired": messages * lost,
        "delivered": messages * (1.0 - lost),
        "first_4xx": messages * case.q,
    }
    for name, value in expected.items():
        error = rows[name].std(ddof=1) / math.sqrt(runs)
        assert abs(rows[name].mean() - value) <= STANDARD_ERRORS * error + 1e-9, name
    if case.attempts > 1:
        delay = mean_delay(case)
        beyond = rows["delay_seconds"] - delay * rows["delayed"]  # of mean 0 if the delay is right
        error = beyond.std(ddof=1) / math.sqrt(runs)
        assert abs(beyond.mean()) <= STANDARD_ERRORS * error


@pytest.mark.parametrize("case", CONSTANT, ids=lambda case: case.name)
def test_hopeless_mail_makes_every_attempt_and_expires(case: Constant) -> None:
    rows, _ = run_loop(
        World(stuck_share=1.0), good_mail([500.0, 0.0, 0.0], pace=uniform_pace(8, 20)), case.policy, None, 3, 7
    )
    for run in range(3):
        rows_of = {name: row[run].sum() for name, row in named(rows).items()}
        # stuck mail waits its own first time, the longest: one attempt fewer may fit
        assert rows_of["expired"] == 500.0
        assert rows_of["attempts"] == rows_of["deferred_stuck"] == 500.0 * case.policy.attempts("stuck")
