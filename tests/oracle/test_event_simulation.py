"""The oracles themselves against small cases worked out by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest

from tests.oracle.event_simulation import (
    CAUSES,
    Counts,
    Memory,
    Overflow,
    Policy,
    Reacting,
    Sending,
    Simulation,
    Staircase,
    World,
    allowance,
    carried_history,
    run,
    uniform_pace,
)
from tests.oracle.published_limiters import BarracudaWindow, EximRate, RspamdBucket
from tests.oracle.scenarios import DETERMINISTIC, VARIED, Case

HOUR, DAY = 3_600.0, 86_400.0
IN_ONE_SLOT = [1.0]
TOMORROW = Policy({"limit": DAY}, growth=1.0, cap_seconds=DAY, jitter=0.0, lifetime_seconds=30 * DAY)
HOURLY = Policy({"limit": HOUR}, growth=1.0, cap_seconds=HOUR, jitter=0.0, lifetime_seconds=3.5 * HOUR)


def hours(*shares: float) -> list[float]:
    """A pace in slots of an hour from its first hours."""
    return [*shares, *[0.0] * (24 - len(shares))]


def sending(volumes: list[float], **options) -> Sending:
    usual = {"demand": volumes, "complaint_rate": [0.0], "hard_bounce_rate": [0.0], "pace": hours(1.0)}
    return Sending(schedule=[volumes], **(usual | options))


def play(world: World, volumes: list[float], policy: Policy = TOMORROW, seed: int = 1, **options) -> Counts:
    return run(world, sending(volumes, **options), policy, None, np.random.default_rng(seed))


# --- the limiter


def test_an_allowance_of_ten_lets_ten_of_fifteen_pass():
    world = World(cold_allowance=10, daily_growth=1.35)
    counts = play(world, [15, 15], pace=IN_ONE_SLOT)
    # Day 0: A = 10 and the bucket holds 1 * A = 10, so 10 pass and 5 wait until tomorrow.
    assert (counts.delivered[0], counts.deferred["limit"][0], counts.queued[0]) == (10, 5, 5)
    assert (counts.first_4xx[0], counts.first_trouble[0]) == (5, 5)
    # Excess O = (15 - 10) / 15 = 1/3, so E = 0.35 * 2/3 * 10 = 7/3. With G = 1.35, g - 1 = 1 and, F being
    # infinite, A = E + 10 + E = 44/3 = 14.67: of 15 new and 5 old messages 14 pass.
    assert counts.established[1] == pytest.approx(7 / 3)
    assert counts.allowance[1] == pytest.approx(44 / 3)
    assert (counts.attempts[1], counts.delivered[1], counts.queued[1]) == (20, 14, 6)


@pytest.mark.parametrize(("cost", "delivered"), [(0.0, 100), (1.0, 70)])
def test_refusals_use_up_the_day_when_they_cost(cost, delivered):
    # A = 100, bucket and hourly refill 10, 15 messages an hour. Without cost 10 an hour pass until the
    # hundred is used after 10 hours. With z = 1 each hour takes 15 from the day: after 6 hours 60 have passed
    # and 90 are used; the 7th hour lets 10 more pass and its 5 refusals end the day.
    world = World(cold_allowance=100, hourly_share=0.1, rejection_cost=cost)
    counts = play(world, [360], pace=uniform_pace(0, 24, 24))
    assert counts.delivered == [delivered]
    assert counts.deferred["limit"] == [360 - delivered]


def test_the_bucket_is_full_only_on_the_first_morning():
    # A = 4.9 and h = 0.05: the bucket holds max(1, 0.245) = 1 and gains 0.245 an hour. One message in each of
    # the hours 0 to 5: the first passes from the full bucket, the last after five refills (0.98 < 1 < 1.225).
    world = World(cold_allowance=4.9, hourly_share=0.05)
    counts = play(world, [6], pace=hours(*[1 / 6] * 6))
    assert counts.delivered == [2]


def test_all_passes_of_a_slot_share_its_bucket():
    # 15 messages in the first quarter of an hour, 10 allowed, tried again every 5 minutes for an hour: 0, 5,
    # …, 60 minutes are 13 attempts. 10 pass at once, 5 fail 13 times.
    policy = Policy({"limit": 300}, growth=1.0, cap_seconds=300, jitter=0.0, lifetime_seconds=HOUR)
    counts = play(World(cold_allowance=10), [15], policy, pace=[1.0] + [0.0] * 95)
    assert (counts.delivered, counts.expired, counts.attempts) == ([10], [5], [10 + 5 * 13])


def test_rejected_excess_is_lost_and_counts_as_trouble():
    counts = play(World(cold_allowance=10, excess_rejected=1.0), [15])
    assert (counts.delivered, counts.blocked, counts.queued) == ([10], [5], [0])
    assert (counts.first_trouble, counts.first_4xx) == ([5], [0])
    assert counts.wrong_days == [True]  # 5 / 15 is above a tenth, and there are five of them


def test_four_refused_messages_are_no_wrong_day():
    assert play(World(cold_allowance=10), [14]).wrong_days == [False]


# --- penalty and rest


def test_a_penalty_closes_the_door_once_a_day():
    # 12 messages an hour for 6 hours, 10 pass. After hour 0 there are 2 refusals, not more than 2 % of 100;
    # after hour 1 there are 4: hours 2 and 3 are closed (24 messages). Hours 4 and 5 refuse 2 each and close
    # nothing.
    world = World(cold_allowance=100, hourly_share=0.1, penalty_chance=1.0, penalty_hours=2.0)
    counts = play(world, [72], pace=hours(*[1 / 6] * 6))
    assert (counts.delivered, counts.deferred["limit"], counts.deferred["penalty"]) == ([40], [8], [24])
    assert (counts.first_4xx, counts.first_trouble) == ([32], [32])


def test_a_penalty_lasts_over_midnight():
    # 12 messages at 22 h, 12 at 23 h, retries hourly. 22 h: 10 pass, 2 refused. 23 h: 14 attempts, 10 pass, 4
    # refused; 6 refusals in all close the door until 2 h. The 4 are deferred at 0 h and 1 h and pass at 2 h,
    # their third or fourth retry.
    world = World(cold_allowance=100, hourly_share=0.1, penalty_chance=1.0, penalty_hours=2.0)
    policy = replace(HOURLY, lifetime_seconds=DAY)
    counts = play(world, [24, 0], policy, pace=[0.0] * 22 + [0.5, 0.5])
    assert counts.deferred["limit"] == [6, 0]
    assert counts.deferred["penalty"] == [0, 8]
    assert (counts.delivered, counts.queued) == ([20, 4], [4, 0])


@pytest.mark.parametrize("pause", [1.5 * HOUR, 2 * HOUR])
def test_a_rest_moves_everything_to_the_first_slot_after_it(pause):
    # 12, 6 and 6 messages in hours 0, 1, 2; ten pass an hour; retry after two hours. Hour 0 refuses 2, so
    # nothing is attempted until 2.5 h or 3 h: either way hour 3 is the first. It gets 6 + 6 new messages and
    # the 2 retries: 10 pass, 4 are refused and due at 5 h, but rest until hour 6 and pass.
    world = World(cold_allowance=100, hourly_share=0.1)
    policy = Policy({"limit": 2 * HOUR}, 1.0, 2 * HOUR, jitter=0.0, lifetime_seconds=DAY, pause_seconds=pause)
    counts = play(world, [24], policy, pace=hours(0.5, 0.25, 0.25))
    assert (counts.attempts, counts.deferred["limit"], counts.delivered) == ([12 + 14 + 4], [6], [24])


# --- the queue


def test_attempts_that_fit_the_lifetime():
    # Intervals 1 h, then 1 h * 2**k but at most 4 h: ages 0, 1, 3, 7, 11, 15, 19, 23 h fit a day, not 27 h.
    policy = Policy({"limit": HOUR}, growth=2.0, cap_seconds=4 * HOUR, lifetime_seconds=DAY)
    assert policy.attempts("limit") == 8
    # A first interval of 10 minutes by cause, then the largest first * growth as before: the 8th attempt has
    # an age of 10 min + 22 h, a 9th would have 10 min + 26 h.
    policy = replace(policy, first_seconds={"limit": HOUR, "greylisting": 600.0})
    assert policy.attempts("greylisting") == 8
    assert policy.wait(0, "system") == HOUR  # not named: the largest


def test_mail_expires_on_the_day_of_its_last_attempt():
    # Everything deferred, attempts at 22, 23, 0 and 1 h; the fifth would have an age of 4 h, beyond 3.5 h.
    counts = play(World(base_deferral=1.0), [10, 0], HOURLY, pace=[0.0] * 22 + [1.0, 0.0])
    assert (counts.attempts, counts.expired, counts.queued) == ([20, 20], [0, 10], [10, 0])


def test_constant_deferral():
    # q = 1/2 and K = 4 attempts: q**K = 1/16 expires, (1 - q**K) / (1 - q) = 15/8 attempts a message, and
    # delivered mail that was deferred waited 1, 2 or 3 hours with weights 1/4, 1/8, 1/16: 11/7 h on average.
    n = 8_000
    counts = play(World(base_deferral=0.5), [n], HOURLY)
    assert counts.expired[0] == pytest.approx(n / 16, abs=4 * math.sqrt(n * 15 / 256))
    assert counts.attempts[0] == pytest.approx(n * 15 / 8, abs=4 * math.sqrt(n * 1.11))  # variance 71/64
    waited = np.array(counts.delays) / HOUR
    assert np.allclose(waited, waited.round(), atol=1e-6)
    # second moment (1/4 + 4/8 + 9/16) / (7/16) = 3, so the variance is 3 - (11/7)**2 = 26/49
    assert waited.mean() == pytest.approx(11 / 7, abs=4 * math.sqrt(26 / 49 / len(waited)))


def test_jitter_does_not_change_the_number_of_attempts():
    counts = play(World(base_deferral=1.0), [100, 0], replace(HOURLY, jitter=0.9))
    assert sum(counts.attempts) == 400


def test_greylisting_wants_its_delay():
    # Attempts every 10 minutes; 10 and 20 are too early for 30 minutes, the fourth attempt is just in time.
    policy = Policy({"greylisting": 600}, growth=1.0, cap_seconds=600, jitter=0.0, lifetime_seconds=DAY)
    world = World(greylisting_probability=1.0, greylisting_delay_seconds=1_800)
    counts = play(world, [50], policy)
    assert (counts.deferred["greylisting"], counts.first_4xx, counts.delivered) == ([150], [50], [50])
    assert np.allclose(counts.delays, 1_800)


def test_greylisting_fades_with_active_days():
    # fade = log 2: 1, 1/2, 1/4 of first attempts after 0, 1, 2 days with a delivery; day 1 is without mail.
    world = World(greylisting_probability=1.0, greylisting_delay_seconds=0.0, greylisting_fade=math.log(2))
    n = 4_000
    counts = play(world, [n, 0, n, n], HOURLY)
    assert counts.first_4xx[:2] == [n, 0]
    assert counts.first_4xx[2] == pytest.approx(n / 2, abs=4 * math.sqrt(n / 4))
    assert counts.first_4xx[3] == pytest.approx(n / 4, abs=4 * math.sqrt(n * 3 / 16))


def test_stuck_mail_costs_no_allowance():
    counts = play(World(cold_allowance=2, stuck_share=1.0), [10], HOURLY)
    assert (counts.deferred["stuck"], counts.deferred["limit"], counts.expired) == ([40], [0], [10])


def test_trouble_has_its_share_of_the_time():
    # Entered with 0.25 h / 24 h = 1/96 a slot, left with 0.25 h / 2 h = 1/8: on for (1/96) / (1/96 + 1/8) =
    # 1/13.
    world = World(trouble_every_days=1.0, trouble_hours=2.0)
    simulation = Simulation(world, sending([1.0]), TOMORROW, None, np.random.default_rng(2))
    on = 0
    for _ in range(100_000):
        simulation.change_trouble(0.25)
        on += simulation.trouble
    assert on / 100_000 == pytest.approx(1 / 13, abs=0.013)  # 4 standard errors, 15 slots being one independent one


# --- blocks


def test_a_closed_gate_and_a_low_reputation_refuse_everything():
    counts = play(World(opens=1), [10, 10])
    assert (counts.blocked, counts.delivered) == ([10, 0], [0, 10])
    assert (counts.first_trouble, counts.first_4xx) == ([10, 0], [0, 0])
    assert play(World(block_below=1.01), [10]).blocked == [10]


def test_missing_authentication_is_no_trouble():
    counts = play(World(auth_refused=1.0), [10])
    assert (counts.blocked, counts.first_trouble) == ([10], [0])


def test_doubt_defers():
    # Complaints at 5 times the limit on day 0: c = ((10 + 2) / 3000) / 0.002 - 1 = 1, so rho = 1 - 0.6 = 0.4
    # and day 1 defers (1 - 0.4)**2 = 0.36 of its attempts; there is one attempt a message on that day.
    world = World(complaint_limit=0.002, reputation_sensitivity=0.6)
    counts = play(world, [1_000, 5_000], complaint_rate=[0.01])
    assert counts.reputation == pytest.approx([1.0, 0.4])
    assert counts.deferred["reputation"][1] == pytest.approx(1_800, abs=4 * math.sqrt(5_000 * 0.36 * 0.64))


# --- memory


def test_the_allowance_of_a_sender_with_everything():
    # k = 4**0.5 = 2; cold 100 * 2 * 3 domains * 0.25**0.5 = 300; F = 100 * 2 * 3 = 600, so 1 + E/F = 3 and
    # the headroom is 1 * 1200 * (0.2 + 0.8 / 3) = 560; A = 1200 + 0.5 * 0.8 * (300 + 560) = 1544.
    world = World(
        cold_allowance=100,
        ip_weight=0.5,
        new_domain_factor=0.25,
        new_domain=True,
        n_ips=4,
        limiter_domains=3,
        growth_fades_at=100,
        daily_growth=1.35,
        auth=0.8,
    )
    assert allowance(world, established=1_200, reputation=0.5) == pytest.approx(1_544)


@pytest.mark.parametrize(("reputation", "auth", "growth"), [(1.0, 1.0, 1.3), (0.5, 0.8, 1.12)])
def test_following_the_allowance_grows_by_its_factor(reputation, auth, growth):
    # A0 = 0, F infinite: A = E * (1 + rho * auth * 0.3 / 0.35), and E' - E = 0.35 * (A - E) = rho * auth *
    # 0.3 * E.
    world = World(cold_allowance=0.0, daily_growth=1.3, auth=auth, established=1_000)
    memory = Memory(world)
    memory.evening(allowance(world, 1_000, reputation), 0, 0.0, excess=0.0)
    assert memory.established == pytest.approx(1_000 * growth)


def test_memory_rises_by_a_third_of_the_gap_and_cools_after_a_week():
    memory = Memory(World(established=100, idle_decay=0.1))
    seen = []
    for delivered, excess in [(200, 0.0), (50, 0.0), (335, 0.5), *[(0, 0.0)] * 8]:
        memory.evening(delivered, 0, 0.0, excess)
        seen.append(memory.established)
    # 100 + 0.35 * 100; below E but above neither the week's peak nor E: unchanged; 135 + 0.35 * 0.5 * 200 =
    # 170; six idle days within the week of the 335 change nothing; then a tenth of the gap to a peak of 0
    # goes a day.
    assert seen == pytest.approx([135, 135, 170, *[170] * 6, 153, 137.7])


def test_complaints_hurt_and_are_forgotten_by_a_seventh_a_day():
    memory = Memory(World(complaint_limit=0.002, reputation_sensitivity=0.2, reputation_recovery=0.1))
    memory.evening(1_000, 0, 0.01, excess=0.0)
    # 10 complaints and 2 pseudo ones of 3000 messages are twice the limit: c = 1.
    assert memory.reputation == pytest.approx(0.8)
    memory.evening(0, 0, 0.01, excess=0.0)
    # (60/7 + 2) / (6000/7 + 2000) = 74 / 20000 = 0.0037: c = 0.85; 0.8 + 0.1 * 0.2 - 0.2 * 0.85 = 0.65.
    assert memory.reputation == pytest.approx(0.65)


def test_hard_bounces_and_excess_hurt():
    world = World(hard_bounce_limit=0.05, excess_limit=0.1, reputation_sensitivity=0.3)
    memory = Memory(world)
    memory.evening(900, 100, 0.0, excess=0.1)
    assert memory.reputation == 1.0  # (100 + 50) / (1000 + 2000) is the limit, and so is the excess
    memory = Memory(world)
    memory.evening(800, 200, 0.0, excess=0.15)
    # b = (250 / 3000) / 0.05 - 1 = 2/3; o = 0.15 / 0.1 - 1 = 1/2
    assert memory.reputation == pytest.approx(1 - 0.3 * (2 / 3 + 1 / 2))
    memory.evening(0, 10_000, 0.0, excess=1.0)
    assert memory.reputation == 0.05


def test_history_that_is_carried():
    # (0.75 * 0.5 * 1000 + 0.25 * 400) * 0.9**2 = 475 * 0.81, nine idle days being two beyond the week
    world = World(ip_weight=0.25, history_carried=0.5, idle_decay=0.1)
    assert carried_history(world, 1_000, 400, 9) == pytest.approx(384.75)
    assert carried_history(world, 1_000, 400, 7) == pytest.approx(475)


def test_first_contacts():
    both = Sending([[10, 10, 12], [0, 5, 4]], [10, 15, 16], [0.0, 0.0], [0.1, 0.4])
    simulation = Simulation(World(), both, TOMORROW, None, np.random.default_rng(1))
    # Day 0: 10 first contacts of 10 at 0.1. Day 1: none of the first segment, 5 of the second at 0.4: 2 of 15
    # bad. Day 2: 2 more of the first (0.2 bad of 16), none of the second.
    assert simulation.bad_share(10, [10, 0]) == pytest.approx(0.1)
    assert simulation.bad_share(15, [10, 5]) == pytest.approx(2 / 15)
    assert simulation.bad_share(16, [12, 4]) == pytest.approx(0.2 / 16)
    both = replace(both, transactional=True)
    simulation = Simulation(World(), both, TOMORROW, None, np.random.default_rng(1))
    simulation.bad_share(10, [10, 0])
    assert simulation.bad_share(15, [10, 5]) == pytest.approx(3 / 15)  # transactional: all are first contacts


def test_bad_addresses_bounce_once():
    counts = play(World(), [10, 10], hard_bounce_rate=[1.0])
    assert (counts.hard_bounced, counts.delivered) == ([10, 0], [0, 10])


# --- the reaction

DOUBLING = [100.0, 200.0, 400.0, 800.0, 1_600.0]


def staircase(volumes: list[float], demand: float = 1e6, **options) -> Staircase:
    return Staircase(sending(volumes, demand=[demand] * len(volumes), **options), Reacting())


def test_a_pointer_that_steps_forward_holds_and_goes_back():
    stairs = staircase(DOUBLING)
    assert stairs.volume(0, 1e6) == 100
    stairs.judge(100, 0, reputation_block=False)
    assert stairs.volume(1, 1e6) == 200
    stairs.judge(200, 40, reputation_block=False)  # a fifth: back to the last good stage, half steps
    assert stairs.volume(2, 1e6) == 100
    stairs.judge(100, 0, reputation_block=False)  # pointer 0.5, step 0.6
    assert stairs.volume(3, 1e6) == 141  # 100 * sqrt(2)
    stairs.judge(141, 14, reputation_block=False)  # 14 / 141 is no more than a tenth: pointer 1.1, step 0.72
    assert stairs.volume(4, 1e6) == 214  # 200 * 2**0.1 = 214.4
    stairs.judge(214, 150, reputation_block=False)  # above 60 %: one below the last good 0.5
    assert (stairs.pointer, stairs.good) == pytest.approx((-0.5, -0.5))
    assert stairs.step == pytest.approx(0.36)
    assert stairs.volume(4, 1e6) == 71  # 100 / sqrt(2)


def test_trouble_before_any_clean_day_halves():
    stairs = staircase(DOUBLING)
    volumes = []
    for day in range(3):
        volumes.append(stairs.volume(day, 1e6))
        stairs.judge(volumes[-1], 15, reputation_block=False)
    assert volumes == [100, 50, 25]
    assert (stairs.pointer, stairs.good, stairs.step) == (-3, None, 0.125)
    stairs.judge(12, 0, reputation_block=False)
    assert (stairs.good, stairs.pointer) == (-3, -2.875)
    stairs.pointer = -20.0
    assert stairs.volume(0, 1e6) == 1  # at least one message


def test_a_block_rests_for_three_send_days():
    stairs = staircase([100.0, 200.0, 0.0, 400.0, 800.0, 800.0])
    stairs.judge(100, 0, reputation_block=False)
    stairs.judge(200, 3, reputation_block=True)  # good = pointer = 0 - 1
    # day 2 is no send day and does not count; days 1, 3 and 4 are the rest
    assert [stairs.volume(day, 1e6) for day in (1, 2, 3, 4, 5)] == [0, 0, 0, 0, 50]
    stairs.judge(0, 0, reputation_block=False)
    assert stairs.pointer == -1  # days without new mail change nothing


def test_few_messages_are_no_trouble():
    stairs = staircase(DOUBLING)
    stairs.judge(4, 4, reputation_block=False)
    assert stairs.pointer == 1


def test_the_day_never_exceeds_demand_nor_a_dip_that_was_planned():
    stairs = staircase([100.0, 200.0, 150.0, 400.0], demand=400)
    stairs.pointer = 2.0  # the stage is the running maximum, 200
    assert stairs.volume(2, wanted=400) == 150  # the plan dips although demand would allow 200
    assert stairs.volume(2, wanted=120) == 120
    stairs = staircase([100.0, 200.0, 150.0, 400.0], demand=180)
    stairs.pointer = 2.0
    assert stairs.volume(2, wanted=180) == 150  # planned below what the demand of 180 asks for
    stairs = staircase([100.0, 200.0, 150.0, 400.0], demand=150)
    stairs.pointer = 2.0
    assert stairs.volume(2, wanted=160) == 160  # demand explains the dip; what waits may fill it


def test_the_mix_between_two_stages():
    both = Sending([[100, 100], [0, 300]], [400, 400], [0.0, 0.0], [0.0, 0.0])
    stairs = Staircase(both, Reacting())
    stairs.pointer = 0.5
    # mixes (1, 0) and (1/4, 3/4); volume 100**0.5 * 400**0.5
    assert stairs.mix() == pytest.approx([0.625, 0.375])
    assert stairs.volume(1, 400) == 200


def react(world: World, volumes: list[float], demand: float) -> Counts:
    wanted = sending(volumes, demand=[demand] * len(volumes), pace=IN_ONE_SLOT)
    return run(world, wanted, TOMORROW, Reacting(), np.random.default_rng(1))


def test_a_wrong_day_is_followed_by_the_last_good_volume():
    # A = 12, and 10 pass. E = 3.5, so A = 3.5 + 12 + 3.5 = 19 (G = 1.35): 21 of 40 are refused, 52.5 %. Back
    # to 10.
    counts = react(World(cold_allowance=12, daily_growth=1.35), [10, 40, 80], demand=100)
    assert (counts.injected, counts.overflow) == ([10, 40, 10], [90, 60, 90])
    assert counts.wrong_days[:2] == [False, True]


def test_a_block_rests_and_a_closed_gate_only_steps_back():
    assert react(World(block_below=1.01), [10, 20, 40, 80, 80], demand=100).injected == [10, 0, 0, 0, 5]
    assert react(World(opens=1), [10, 20, 40, 80], demand=100).injected == [10, 5, 7, 11]
    # pointer -1 and step 0.5; clean days to -0.5 (10 / 2**0.5 = 7.1) and, step 0.6, to 0.1 (10 * 2**0.1 =
    # 10.7)


# --- overflow


def test_hold_is_first_in_first_out_and_delay_counts_from_the_intended_day():
    # Everything is greylisted once and passes an hour later. Day 0 sends 4 of its 10; day 1 sends 4 of day 0;
    # day 2 sends the last 2 of day 0, 10 of day 1 and its own 10.
    world = World(greylisting_probability=1.0, greylisting_delay_seconds=60.0)
    counts = play(world, [4, 4, 22], HOURLY, demand=[10, 10, 10], overflow="hold")
    assert counts.overflow == [6, 12, 0]
    days_late = sorted((np.array(counts.delays) - HOUR) / DAY)
    assert days_late == pytest.approx([0] * 14 + [1] * 14 + [2] * 2, abs=1e-6)


def test_spread_joins_send_days_up_to_the_target():
    overflow = Overflow(sending([0.0] * 4, demand=[10, 10, 0, 10], overflow="spread", target=12))
    wanted, left = [], []
    for day, volume in enumerate([4, 12, 0, 12]):
        wanted.append(overflow.wanted(day))
        overflow.hand_over(day, volume)
        left.append(overflow.close_day())
    assert wanted == [10, 12, 0, 12]  # 10 + 6 and 10 + 4 are above the target
    assert left == [6, 4, 4, 2]


def test_skipped_mail_is_only_counted():
    counts = play(World(), [4, 12], demand=[10, 10])
    assert (counts.overflow, counts.injected) == ([6, 0], [4, 12])


# --- the committed cases


@pytest.mark.parametrize("case", VARIED + DETERMINISTIC, ids=lambda case: case.name)
def test_nothing_is_lost_in_any_case(case: Case):
    counts = run(case.world, case.sending, case.policy, case.reacting, np.random.default_rng(5))
    queued = 0
    for day in range(len(counts.injected)):
        ended = counts.delivered[day] + counts.hard_bounced[day] + counts.blocked[day] + counts.expired[day]
        assert queued + counts.injected[day] == ended + counts.queued[day]
        queued = counts.queued[day]
        deferred = sum(counts.deferred[cause][day] for cause in CAUSES)
        accepted = counts.delivered[day] + counts.hard_bounced[day]
        assert counts.attempts[day] == accepted + counts.blocked[day] + deferred
    assert sum(counts.injected) == pytest.approx(case.messages, rel=0.2)


@pytest.mark.parametrize("case", DETERMINISTIC, ids=lambda case: case.name)
def test_no_luck_is_left(case: Case):
    def result(seed: int, nudge: float = 1.0, **options) -> Counts:
        world = replace(case.world, cold_allowance=case.world.cold_allowance * nudge)
        counts = run(world, case.sending, case.policy, case.reacting, np.random.default_rng(seed), **options)
        return replace(counts, delays=[], allowance=[], established=[])

    expected = result(1)
    assert sum(expected.deferred["limit"]) > 100
    assert result(2) == result(3, times="slots") == result(4, in_order=True) == expected
    # nor does rounding decide: no whole number of messages lies within a billionth of an allowance
    assert result(1, 1 + 1e-9) == result(1, 1 - 1e-9) == expected


# --- published limiters


def test_exim_by_hand():
    # Limit 3 a minute, a message every 6 s: a = exp(-0.1) = 0.904837, (1 - a) / 0.1 = 0.951626. Rates 1,
    # 1.856463, 2.631423, then 3.332636: over.
    leaky, strict = EximRate(3, 60), EximRate(3, 60, strict=True)
    for time, rate in [(0, 1.0), (6, 1.856463), (12, 2.631423)]:
        assert leaky.answer(time)
        assert strict.answer(time)
        assert leaky.rate == strict.rate == pytest.approx(rate, abs=1e-6)
    assert not leaky.answer(18)
    assert not strict.answer(18)
    assert strict.rate == pytest.approx(3.332636, abs=1e-6)
    # Leaky still stands at 2.631423 of 12 s. At 24 s: 0.906346 + exp(-0.2) * 2.631423 = 3.060773, over; at 30
    # s: 0.863939 + exp(-0.3) * 2.631423 = 2.813346, accepted. Strict climbs to 3.967120 and 4.541224.
    assert [leaky.answer(24), leaky.answer(30)] == [False, True]
    assert leaky.rate == pytest.approx(2.813346, abs=1e-6)
    assert [strict.answer(24), strict.answer(30)] == [False, False]
    assert strict.rate == pytest.approx(4.541224, abs=1e-6)
    # After an hour of silence the smoothed rate would be 1/60; an isolated message counts as 1.
    assert strict.answer(3_630)
    assert strict.rate == 1.0


def test_exim_lets_its_limit_pass_at_once():
    # Messages at one instant add 1 each (a tiny bit less): of 150 at a limit of 100, a hundred pass.
    for strict in (False, True):
        exim = EximRate(100, 3_600, strict)
        assert sum(exim.answer(0.0) for _ in range(150)) == 100


def test_hammering_keeps_out_at_a_strict_limit_only():
    # A message a second at 3 a minute: leaky lets one through about every 20 s, where the rate 60 / 20 is
    # reached; strict sees a rate that climbs towards 60 and never comes down.
    leaky, strict = EximRate(3, 60), EximRate(3, 60, strict=True)
    passed = [sum(limiter.answer(time) for time in range(6_000)) for limiter in (leaky, strict)]
    assert passed[0] == pytest.approx(300, rel=0.06)
    assert passed[1] == 3


def test_rspamd_by_hand():
    # Burst 3, one leaks a minute: of four at once three pass; after 30 s the bucket holds 2.5, too much for
    # another; after 60 s it holds 2, so the fifth fits. The refused ones have not filled it.
    bucket = RspamdBucket(1 / 60, 3)
    answers = [bucket.answer(time) for time in (0, 0, 0, 0, 30, 60, 60)]
    assert answers == [True, True, True, False, False, True, False]
    assert bucket.answer(3 * DAY)
    assert bucket.content == 1  # forgotten


def test_rspamd_learns():
    # Bad messages shrink the burst by 2 % each: the 42nd still fits (41 + 1 <= 100 * 0.98**41 = 43.7), the
    # 43rd does not (42 + 1 > 100 * 0.98**42 = 42.8).
    bucket = RspamdBucket(0.0, 100)
    assert sum(bucket.answer(0.0, good=False) for _ in range(100)) == 42
    bucket = RspamdBucket(1.0, 1)
    for time in range(0, 4_000, 10):
        assert bucket.answer(time, good=True)
    assert (bucket.rate_factor, bucket.burst_factor) == (5.0, 10.0)


def test_barracuda_by_hand():
    window = BarracudaWindow(2)
    times = (0, 10, 20, 1_799, 1_800, 3_599, 3_599.5, 3_600)
    assert [window.answer(time) for time in times] == [True, True, False, False, True, True, False, True]
