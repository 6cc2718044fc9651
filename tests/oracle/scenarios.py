"""Named cases on which the fast simulation must agree with the message-by-message one.

`VARIED` holds cases with luck in them: their means are compared. `DETERMINISTIC` holds cases where no luck
is left: their counts are compared exactly. There the window has 15 slots (an odd number: no half messages to
round), a retry comes after 6 hours whatever the attempt, and four attempts fit the lifetime; so attempts of
different number never meet in one slot, and it does not matter which of them the limiter lets pass.
Allowances are no whole numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tests.oracle.event_simulation import Policy, Reacting, Sending, World, round_half_up, uniform_pace

MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0


@dataclass(frozen=True)
class Case:
    """What to run, and roughly how many messages one run hands over."""

    name: str
    world: World
    sending: Sending
    policy: Policy
    reacting: Reacting | None
    messages: int


def growing(first: float, factor: float, days: int, most: float = 1e9) -> list[float]:
    """Whole volumes that grow by a factor a day up to the most."""
    return [float(min(most, round_half_up(first * factor**day))) for day in range(days)]


def one_segment(volumes: list[float], *, demand: float | None = None, **options) -> Sending:
    """One segment of decent mail, 8 to 20 hours after the day begins unless told otherwise."""
    usual = {"complaint_rate": [0.0003], "hard_bounce_rate": [0.005], "pace": uniform_pace(8, 20)}
    wanted = volumes if demand is None else [demand] * len(volumes)
    return Sending(schedule=[volumes], demand=wanted, **(usual | options))


USUAL = Policy({"greylisting": 15 * MINUTE, "limit": HOUR}, growth=1.5, cap_seconds=4 * HOUR, lifetime_seconds=3 * DAY)


# --- with luck


def calm() -> Case:
    """A huge allowance; a little noise, short trouble, some mail refused for missing authentication."""
    world = World(
        base_deferral=0.02, trouble_deferral=0.5, trouble_every_days=2.0, trouble_hours=2.0, auth_refused=0.01
    )
    return Case("calm", world, one_segment(growing(600, 1.25, 10)), USUAL, None, 20_000)


def overload() -> Case:
    """Too much from the sixth day on; reputation and memory pay for it."""
    world = World(
        cold_allowance=400.5,
        daily_growth=1.4,
        growth_fades_at=5_000.0,
        hourly_share=0.15,
        rejection_cost=0.2,
        reputation_sensitivity=0.15,
        auth=0.9,
        base_deferral=0.01,
    )
    return Case("overload", world, one_segment(growing(300, 1.5, 8)), USUAL, None, 14_777)


def retry_storm() -> Case:
    """Refused mail that counts half and comes back every half hour keeps the door shut."""
    world = World(cold_allowance=500.5, hourly_share=0.1, rejection_cost=0.5)
    policy = Policy({"limit": 30 * MINUTE}, growth=1.0, cap_seconds=DAY, jitter=0.2, lifetime_seconds=16 * HOUR)
    return Case("retry storm", world, one_segment([700.0] * 5), policy, None, 3_500)


def listed_intervals() -> Case:
    """Waits that follow no series, the shortest last, at a limiter that lets little pass in an hour."""
    world = World(cold_allowance=300.5, hourly_share=0.1, base_deferral=0.05, greylisting_probability=0.2)
    policy = Policy(
        {"greylisting": 10 * MINUTE, "limit": 20 * MINUTE},
        lifetime_seconds=20 * HOUR,
        intervals_seconds=(2 * HOUR, 50 * MINUTE, 7 * HOUR, 65 * MINUTE),
    )
    return Case("listed intervals", world, one_segment([350.0] * 5), policy, None, 1_750)


def short_intervals() -> Case:
    """Every 5 minutes, three times a slot, at a limiter that forgets refusals."""
    world = World(cold_allowance=400.5, daily_growth=1.15, hourly_share=0.07, base_deferral=0.05)
    policy = Policy({"limit": 5 * MINUTE}, growth=1.0, cap_seconds=DAY, jitter=0.3, lifetime_seconds=5 * HOUR)
    return Case("short intervals", world, one_segment([700.0] * 4), policy, None, 2_800)


def late_greylisting() -> Case:
    """The first retry comes before the greylisting delay is over, a jittered second one sometimes too."""
    world = World(
        greylisting_probability=0.7,
        greylisting_delay_seconds=42 * MINUTE,
        greylisting_fade=0.15,
        base_deferral=0.03,
    )
    policy = Policy({"greylisting": 10 * MINUTE, "system": 20 * MINUTE}, growth=1.5, jitter=0.25)
    return Case("late greylisting", world, one_segment([1_500.0] * 7), policy, None, 10_500)


def certain_penalties() -> Case:
    """Each day of excess closes the door for four hours."""
    world = World(cold_allowance=350.5, daily_growth=1.2, hourly_share=0.15, penalty_chance=1.0, penalty_hours=4.0)
    policy = Policy({"limit": HOUR, "penalty": 2 * HOUR}, growth=1.4, cap_seconds=6 * HOUR, lifetime_seconds=2 * DAY)
    return Case("certain penalties", world, one_segment(growing(600, 1.25, 7)), policy, None, 9_045)


def uncertain_penalties() -> Case:
    """Every other day of excess closes the door for three hours."""
    world = World(
        cold_allowance=250.5,
        daily_growth=1.15,
        hourly_share=0.12,
        rejection_cost=0.1,
        penalty_chance=0.5,
        penalty_hours=3.0,
    )
    policy = Policy({"limit": 40 * MINUTE, "penalty": 2 * HOUR}, growth=1.5, lifetime_seconds=DAY)
    return Case("uncertain penalties", world, one_segment([900.0] * 8), policy, None, 7_200)


def weekly() -> Case:
    """A newsletter every seventh day: nothing cools, retries come on days without a send."""
    volumes = [3_000.0 * 1.3 ** (day // 7) if day % 7 == 0 else 0.0 for day in range(23)]
    world = World(
        cold_allowance=900.5,
        daily_growth=1.3,
        hourly_share=0.2,
        reputation_sensitivity=0.1,
        established=500.0,
    )
    policy = Policy({"limit": 2 * HOUR}, growth=1.5, cap_seconds=8 * HOUR, lifetime_seconds=2 * DAY)
    return Case("weekly", world, one_segment([float(round(v)) for v in volumes]), policy, None, 18_561)


def two_ips() -> Case:
    """Two IPs and a domain that never mailed, behind five recipient domains with a limiter each."""
    world = World(
        cold_allowance=35.0,
        ip_weight=0.6,
        new_domain_factor=0.4,
        new_domain=True,
        n_ips=2,
        limiter_domains=5,
        growth_fades_at=400.0,
        hourly_share=0.12,
        rejection_cost=0.1,
        reputation_sensitivity=0.1,
    )
    return Case("two IPs", world, one_segment(growing(200, 1.4, 9)), USUAL, None, 9_829)


def stuck_mail() -> Case:
    """Mailboxes that never answer, and noise; all of it expires after a day."""
    world = World(stuck_share=0.06, base_deferral=0.2)
    policy = Policy({"system": 20 * MINUTE, "stuck": HOUR}, growth=1.3, cap_seconds=3 * HOUR, lifetime_seconds=DAY)
    return Case("stuck mail", world, one_segment([2_000.0] * 5), policy, None, 10_000)


def bad_rates() -> Case:
    """Bought addresses: complaints and bounces drive reputation down until the provider blocks."""
    world = World(
        cold_allowance=6_000.5,
        reputation_sensitivity=0.2,
        reputation_recovery=0.2,
        complaint_limit=0.002,
        hard_bounce_limit=0.03,
        block_below=0.5,
    )
    sending = one_segment(growing(900, 1.07, 16), complaint_rate=[0.005], hard_bounce_rate=[0.09])
    return Case("bad rates", world, sending, USUAL, None, 25_100)


def resting() -> Case:
    """After each deferral by the limiter the destination rests; some of the excess is rejected."""
    world = World(
        cold_allowance=250.5,
        daily_growth=1.15,
        hourly_share=0.12,
        excess_rejected=0.15,
        rejection_cost=0.3,
        base_deferral=0.02,
    )
    policy = Policy({"limit": 40 * MINUTE}, growth=1.5, lifetime_seconds=DAY, pause_seconds=50 * MINUTE)
    return Case("resting", world, one_segment([800.0] * 6), policy, None, 4_800)


def night_window() -> Case:
    """Sending from 20:00 to 08:00: the day begins when the window opens. Penalty and rests cross its end."""
    world = World(
        cold_allowance=400.5,
        daily_growth=1.2,
        hourly_share=0.1,
        penalty_chance=1.0,
        penalty_hours=16.0,
        base_deferral=0.02,
    )
    policy = Policy({"limit": 3 * HOUR}, growth=1.2, lifetime_seconds=2 * DAY, pause_seconds=HOUR)
    return Case("night window", world, one_segment([900.0] * 6, pace=uniform_pace(0, 12)), policy, None, 5_400)


def late_evening() -> Case:
    """Sending until midnight: retries, penalties and rests of one day run into the next."""
    world = World(
        cold_allowance=250.5,
        hourly_share=0.25,
        daily_growth=1.15,
        penalty_chance=1.0,
        penalty_hours=5.0,
        rejection_cost=0.1,
    )
    policy = Policy({"limit": 90 * MINUTE}, growth=1.5, lifetime_seconds=30 * HOUR, pause_seconds=20 * MINUTE)
    sending = one_segment(growing(600, 1.1, 6), pace=uniform_pace(19, 24))
    return Case("late evening", world, sending, policy, None, 4_630)


def tiny() -> Case:
    """One to twenty messages a day; a bucket of one; a reaction that rarely sees five of them refused."""
    world = World(
        cold_allowance=1.7,
        daily_growth=1.25,
        hourly_share=0.05,
        greylisting_probability=0.3,
        base_deferral=0.05,
    )
    sending = one_segment([float(1 + day % 20) for day in range(25)], demand=20.0, hard_bounce_rate=[0.1])
    return Case("tiny", world, sending, USUAL, Reacting(), 150)


def repeated_trouble() -> Case:
    """A doubling table that the provider does not follow: the pointer goes back again and again."""
    world = World(
        cold_allowance=150.5,
        daily_growth=1.25,
        growth_fades_at=10_000.0,
        hourly_share=0.15,
        rejection_cost=0.2,
        reputation_sensitivity=0.1,
    )
    sending = one_segment(growing(150, 2, 20, most=3_000), demand=3_000.0)
    return Case("repeated trouble", world, sending, USUAL, Reacting(), 23_000)


def trouble_from_the_start() -> Case:
    """Too much on the first day: stages below the first; later a block with days of rest."""
    world = World(
        cold_allowance=80.5,
        daily_growth=1.5,
        hourly_share=0.3,
        excess_rejected=0.2,
        reputation_sensitivity=0.2,
        reputation_recovery=0.3,
        excess_limit=0.1,
        block_below=0.72,
    )
    sending = one_segment(growing(500, 1.6, 22, most=4_000), demand=4_000.0)
    return Case("trouble from the start", world, sending, USUAL, Reacting(), 14_000)


def _throttled(overflow: str, volumes: list[float], demand: float, target: float) -> Sending:
    return one_segment(volumes, demand=demand, overflow=overflow, target=target)


def held() -> Case:
    """What is not sent waits, first in first out; nothing caps the day but the stage."""
    world = World(cold_allowance=230.5, daily_growth=1.2, hourly_share=0.15, reputation_sensitivity=0.05)
    sending = _throttled("hold", growing(300, 1.6, 14, most=2_500), 1_200.0, 1_200.0)
    return Case("held", world, sending, USUAL, Reacting(), 13_000)


def spread() -> Case:
    """What is not sent joins later send days up to the target; weekends are free."""
    volumes = [0.0 if day % 7 in (5, 6) else v for day, v in enumerate(growing(300, 1.5, 18, most=2_500))]
    demand = [0.0 if day % 7 in (5, 6) else 900.0 for day in range(18)]
    world = World(cold_allowance=250.5, daily_growth=1.2, hourly_share=0.15, base_deferral=0.03)
    usual = one_segment(volumes)
    sending = Sending(
        [volumes],
        demand,
        usual.complaint_rate,
        usual.hard_bounce_rate,
        pace=usual.pace,
        overflow="spread",
        target=1_500.0,
    )
    return Case("spread", world, sending, USUAL, Reacting(), 12_000)


def two_segments() -> Case:
    """Engaged readers first, then old addresses that bounce and complain; back and forth through the mix."""
    engaged = growing(300, 1.4, 14, most=1_200)
    old = [0.0] * 3 + growing(150, 1.7, 11, most=3_000)
    world = World(
        cold_allowance=350.5,
        daily_growth=1.2,
        hourly_share=0.14,
        reputation_sensitivity=0.2,
        complaint_limit=0.001,
        hard_bounce_limit=0.015,
        block_below=0.7,
        stuck_share=0.01,
    )
    sending = Sending(
        schedule=[engaged, old],
        demand=[4_200.0] * 14,
        complaint_rate=[0.0005, 0.004],
        hard_bounce_rate=[0.005, 0.15],
        pace=uniform_pace(8, 20),
    )
    return Case("two segments", world, sending, USUAL, Reacting(), 20_000)


def everything() -> Case:
    """All mechanisms at once, a gate that opens on day 1, transactional mail around the clock."""
    world = World(
        cold_allowance=100.5,
        daily_growth=1.15,
        growth_fades_at=3_000.0,
        hourly_share=0.08,
        rejection_cost=0.15,
        penalty_chance=0.4,
        penalty_hours=2.0,
        excess_rejected=0.05,
        greylisting_probability=0.3,
        greylisting_delay_seconds=20 * MINUTE,
        greylisting_fade=0.1,
        base_deferral=0.03,
        stuck_share=0.02,
        trouble_deferral=0.7,
        trouble_every_days=0.5,
        trouble_hours=0.6,
        reputation_sensitivity=0.1,
        block_below=0.2,
        auth=0.8,
        auth_refused=0.02,
        established=200.0,
        opens=1,
    )
    sending = one_segment(
        growing(400, 1.15, 8),
        transactional=True,
        complaint_rate=[0.007],
        hard_bounce_rate=[0.02],
        pace=uniform_pace(0, 24),
    )
    policy = Policy(
        {"greylisting": 10 * MINUTE, "limit": HOUR, "penalty": 2 * HOUR, "system": 20 * MINUTE},
        growth=1.4,
        cap_seconds=5 * HOUR,
        jitter=0.2,
        lifetime_seconds=2 * DAY,
        pause_seconds=15 * MINUTE,
    )
    return Case("everything", world, sending, policy, None, 5_491)


# --- without luck

EVERY_SIX_HOURS = Policy({"limit": 6 * HOUR}, growth=1.0, cap_seconds=6 * HOUR, jitter=0.0, lifetime_seconds=20 * HOUR)


def one_morning(volumes: list[float], **options) -> Sending:
    """Good addresses only, in 15 slots."""
    return one_segment(volumes, hard_bounce_rate=[0.0], pace=uniform_pace(8, 11.75), **options)


def sure_limiter() -> Case:
    """A limiter that forgets refusals; days of excess build less memory."""
    world = World(cold_allowance=503.7, hourly_share=0.083, growth_fades_at=2_000.0, auth=0.9)
    sending = one_morning(growing(400, 1.3, 8))
    return Case("sure limiter", world, sending, EVERY_SIX_HOURS, None, 9_543)


def sure_strict_limiter() -> Case:
    """A limiter at which refusals count in full."""
    world = World(cold_allowance=503.7, hourly_share=0.083, rejection_cost=1.0)
    sending = one_morning(growing(150, 1.25, 10))
    return Case("sure strict limiter", world, sending, EVERY_SIX_HOURS, None, 4_988)


def sure_penalty() -> Case:
    """Each day of excess closes the door until the small hours of the next."""
    world = World(cold_allowance=503.7, hourly_share=0.083, rejection_cost=0.37, penalty_chance=1.0, penalty_hours=18.0)
    sending = one_morning(growing(300, 1.3, 8))
    return Case("sure penalty", world, sending, EVERY_SIX_HOURS, None, 7_157)


def sure_reaction() -> Case:
    """A doubling table, a reaction that steps back and holds, overflow that waits."""
    world = World(cold_allowance=303.7, daily_growth=1.25, hourly_share=0.183)
    sending = one_morning(growing(200, 2, 18, most=3_000), demand=2_000.0, overflow="hold")
    return Case("sure reaction", world, sending, EVERY_SIX_HOURS, Reacting(), 27_389)


def sure_rest() -> Case:
    """The destination rests an hour after each deferral by the limiter."""
    world = World(cold_allowance=253.7, daily_growth=1.15, hourly_share=0.183, rejection_cost=0.2)
    policy = replace(EVERY_SIX_HOURS, pause_seconds=HOUR)
    return Case("sure rest", world, one_morning(growing(300, 1.3, 8)), policy, None, 7_157)


_VARIED = (
    *(calm, overload, retry_storm, short_intervals, late_greylisting, certain_penalties, uncertain_penalties),
    *(listed_intervals, weekly, two_ips, stuck_mail, bad_rates, resting, night_window, late_evening, tiny),
    *(repeated_trouble, trouble_from_the_start, held, spread, two_segments, everything),
)
_SURE = (sure_limiter, sure_strict_limiter, sure_penalty, sure_reaction, sure_rest)

VARIED: list[Case] = [case() for case in _VARIED]
DETERMINISTIC: list[Case] = [case() for case in _SURE]
