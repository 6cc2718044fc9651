"""Whom the plan mails: segments, frequency caps, the sender's own limits, capacity; worked by hand."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import planner as wp
from planner.inputs.allocation import filled, placeable, reachable
from planner.optimizer import referee
from planner.optimizer.answers import impossible
from planner.optimizer.envelope import BOUNCES, Contacts, nested_ramps
from planner.simulation.simulator import worlds
from tests.certificates.worlds import known

ENGAGED = {"name": "engaged", "share": 30, "complaint_rate": 0.0002, "hard_bounce_rate": 0.001}
SLEEPY = {"name": "sleepy", "share": 70, "complaint_rate": 0.0012, "hard_bounce_rate": 0.02}


def sender(**changes):
    data = {
        "audience": {"providers": {"gmail": 60, "yahoo": 40}, "size": 10_000, "segments": [ENGAGED, SLEEPY]},
        "target": {"volume": 5_000},
        "send_days": "daily",
        "n_ips": 1,
        "domain": "used",
        "start": "2027-01-11",
    }
    return wp.Sender.from_dict(data).changed(changes)


def capped(engaged=None, sleepy=None):
    return [ENGAGED | {"max_per_week": engaged}, SLEEPY | {"max_per_week": sleepy}]


def test_most_engaged_first_in_whole_messages():
    volume = np.array([[1_000.0, 2_000.0, 7_000.0], [1_200.0, 1_201.0, 0.0]])
    parts = filled(sender(), volume)
    # Gmail has 6,000 addresses: 1,800 engaged; beyond the list it goes to everybody alike
    assert_array_equal(parts[0], [[1_000, 1_800, 2_100], [0, 200, 4_900]])
    assert_array_equal(parts[1], [[1_200, 1_200, 0], [0, 1, 0]])
    assert_array_equal(parts.sum(axis=1), volume)


def test_without_limits_the_demand_is_placeable():
    assert_array_equal(placeable(sender(), 10), sender().demand(10))
    assert_array_equal(reachable(sender(), 10), sender().targets())


def test_frequency_cap_is_spread_over_the_week_as_the_demand_is():
    own = sender(**{"audience.segments": capped(3.5, 1.4)})
    # daily: half of the 3,000 engaged, a fifth of the 7,000 others
    assert_allclose(own.allotment(7)[:, :, 0].sum(axis=0), [1_500, 1_400])
    assert_allclose(placeable(own, 7).sum(axis=0), 2_900)
    weekly = sender(**{"audience.segments": capped(1, 1), "send_days": ["tue"]})
    assert_allclose(placeable(weekly, 14).sum(axis=0), weekly.demand(14).sum(axis=0))


def test_capped_segment_leaves_the_rest_to_the_next():
    own = sender(**{"audience.segments": capped(3.5)})
    assert_array_equal(filled(own, np.array([[2_000.0] * 7, [0.0] * 7]))[0, :, 3], [900, 1_100])


def test_limit_on_complaints_stops_where_the_mix_reaches_it():
    own = sender(**{"limits.complaint_rate": 0.0005})
    # 0.0002 * 3000 + 0.0012 * x = 0.0005 * (3000 + x)
    assert_allclose(placeable(own, 1)[:, 0], np.floor(np.array([0.6, 0.4]) * (3_000 + 900_0 / 7)), atol=1)
    assert sender(**{"limits.complaint_rate": 0.0009}).limits.complaint_rate == 0.0009
    assert_array_equal(placeable(sender(**{"limits.complaint_rate": 0.0009}), 1), own.demand(1))


def test_capacity_is_shared_in_proportion():
    own = sender(capacity=1_000)
    assert_array_equal(placeable(own, 3), [[600] * 3, [400] * 3])


@pytest.mark.parametrize(
    ("changes", "name", "figure"),
    [
        ({"audience.segments": capped(3.5, 1.4)}, "frequency_caps", "2,900"),
        ({"limits.complaint_rate": 0.0005}, "complaint_limit", "4,285"),
        ({"capacity": 1_000}, "capacity", "1,000"),
        ({"limits.hard_bounce_rate": 0.0005}, "hard_bounce_limit", "0.10%"),
    ],
)
def test_own_limits_below_the_target_are_named(changes, name, figure):
    answers = impossible(sender(**changes), 30)
    assert [answer.name for answer in answers] == [name]
    assert figure in answers[0].text


def test_limits_that_do_not_bind_are_not_named():
    roomy = {"capacity": 5_000, "limits": {"complaint_rate": 0.002, "hard_bounce_rate": 0.02}}
    assert impossible(sender(**roomy), 30) == ()


def test_frequency_cap_needs_the_size_of_the_list():
    with pytest.raises(wp.InputError, match=r"max_per_week needs audience\.size"):
        sender(**{"audience.segments": capped(3), "audience.size": None})


# --- hard bounces depend on who was mailed before


def bounces(volume, most, rates):
    """Share of each day's mail that bounces: only addresses mailed for the first time do."""
    peaks, shares = np.zeros(len(most)), []
    for d, v in enumerate(volume):
        parts = np.clip(v - (np.cumsum(most[:, d]) - most[:, d]), 0.0, most[:, d])
        shares.append(float(rates @ np.maximum(0.0, parts - peaks)) / max(v, 1.0))
        peaks = np.maximum(peaks, parts)
    return np.array(shares)


@pytest.mark.parametrize("limit", [0.0005, 0.002, 0.005, 0.03])
def test_ramp_keeps_the_limit_on_hard_bounces_and_wastes_none_of_it(limit):
    own = sender(**{"target.volume": 6_000})
    beliefs = known(("gmail", "yahoo"), 1, cold_allowance=700.0, daily_growth=1.5)
    world = np.ascontiguousarray(worlds(own, beliefs, 3600.0)[:, :, 0].T)
    n_days, rates = 40, np.array([0.001, 0.02])
    most = np.ascontiguousarray(own.allotment(n_days)[0])
    zeros = np.zeros(n_days)
    demand = own.demand(n_days)[0]
    free = nested_ramps(world, demand, zeros, zeros, 12.0, 0)
    held = nested_ramps(world, demand, zeros, zeros, 12.0, 0, 0.0, Contacts(most, rates, limit))
    volume, who = held.volume[0], held.binding[0]
    assert (bounces(volume, most, rates)[volume > 1] <= limit + 1e-12).all()
    for d in np.flatnonzero(who == BOUNCES):  # one message more would break it
        more = volume[: d + 1].copy()
        more[d] += 1.0
        assert bounces(more, most, rates)[d] > limit
    assert (who == BOUNCES).any() == (limit < 0.01)
    assert (volume <= free.volume[0]).all()
    if limit > 0.01:
        assert_array_equal(volume, free.volume[0])


def test_plan_keeps_what_the_sender_allows_itself():
    own = sender(
        **{
            "audience.segments": capped(5, 3),
            "limits": {"complaint_rate": 0.0009, "hard_bounce_rate": 0.004},
            "capacity": 4_000,
            "target.volume": 4_000,
        }
    )
    plan = wp.optimize(own, seed=3, scenarios=20)
    schedule = plan.schedule
    assert schedule.segments == ("engaged", "sleepy")
    total = schedule.total
    assert total.sum(axis=0).max() <= 4_000
    weeks = np.lib.stride_tricks.sliding_window_view(schedule.volume, 7, axis=2).sum(axis=3)
    assert (weeks <= own.audience.addresses()[:, :, None] * np.array([5, 3])[:, None] + 7).all()
    complaints = np.einsum("pgd,g->pd", schedule.volume, [0.0002, 0.0012]) / np.maximum(total, 1)
    assert complaints.max() <= 0.0009 + 1e-6
    for p in range(2):
        shares = bounces(total[p], own.allotment(total.shape[1])[p], np.array([0.001, 0.02]))
        assert shares[total[p] > 1].max() <= 0.004 + 1e-9


def test_plan_says_whom_and_when():
    plan = wp.optimize(sender(), seed=3, scenarios=20)
    day = plan.schedule.dates[9]
    whom, when, one = plan.recipients(day), plan.slots(day), plan.tomorrow(day)
    assert whom["messages"].sum() == when["messages"].sum() == one["messages"].sum() > 0
    assert set(whom["segment"]) <= {"engaged", "sleepy"}
    frame = plan.to_frame()
    wanted = plan.sender.demand(len(plan.schedule.dates)).ravel()
    assert_array_equal(frame["volume"] + frame["overflow"], wanted)
    assert frame["overflow"].iloc[0] > 0
    by_slot = when[when["provider"] == "gmail"]["messages"].to_numpy()
    assert by_slot.max() - by_slot.min() <= 1  # never a blast
    assert when["slot_start"].iloc[0] == "08:00"


def test_beyond_the_couplings_a_target_counts_as_reached_at_what_they_allow():
    own = sender(capacity=1_000)
    run_demand = reachable(own, 30)
    assert_array_equal(run_demand, [600, 400])
    plan = wp.optimize(own, seed=3, scenarios=20)
    assert plan.schedule.total[:, -1].sum() == 1_000
    assert [answer.name for answer in plan.answers] == ["capacity"]


def test_shut_out_by_complaints_when_the_sender_cannot_choose():
    own = sender(kind="transactional", **{"limits.complaint_rate": 0.0005})
    assert_array_equal(placeable(own, 5), 0.0)
    assert referee.ramps(own, wp.draw(own, 4), 5)[0].volume.max() == 0.0


# --- caps and limits on numbers that divide evenly, and on mail that is made up for

DIVIDED = [
    {"name": "a", "share": 20, "complaint_rate": 0.0003, "max_per_week": 3},
    {"name": "b", "share": 30, "complaint_rate": 0.001, "max_per_week": 1},
    {"name": "c", "share": 50, "complaint_rate": 0.003, "max_per_week": 0.5},
]


def three(**changes):
    data = {
        "audience": {"providers": {"gmail": 60, "microsoft": 25, "yahoo": 15}, "size": 60_000, "segments": DIVIDED},
        "target": {"volume": 30_000},
        "send_days": "weekdays",
        "n_ips": 1,
        "domain": "used",
        "start": "2027-01-11",
    }
    return wp.Sender.from_dict(data).changed(changes)


def weekly(volume, own):
    """Messages per address of any seven days, (providers, segments)."""
    weeks = np.lib.stride_tricks.sliding_window_view(volume, 7, axis=2).sum(axis=3).max(axis=2)
    return weeks / own.audience.addresses()


@pytest.mark.parametrize("changes", [{}, {"limits.complaint_rate": 0.0011}, {"n_ips": 4}])
def test_a_day_that_uses_every_allotment_up_keeps_the_caps(changes):
    own = three(**changes)
    volume = filled(own, placeable(own, 21))
    assert (weekly(volume, own) <= np.array([3, 1, 0.5]) + 1e-3).all()
    complaints = np.einsum("pgd,g->pd", volume, [0.0003, 0.001, 0.003]) / np.maximum(volume.sum(axis=1), 1)
    assert complaints.max() <= 0.00107 + 1e-5


def test_only_what_exceeds_the_allotments_goes_to_everybody_alike():
    own = three()
    most = own.allotment(1)[0, :, 0]
    mix = own.mix(np.full((3, 1), most.sum() + 100.0))[0, 0]
    assert_allclose(mix * (most.sum() + 100.0), most + 100.0 * np.array([0.2, 0.3, 0.5]))


@pytest.mark.parametrize("overflow", ["hold", "spread"])
def test_mail_that_is_made_up_for_keeps_to_the_capacity_too(overflow):
    own = three(capacity=30_000, overflow=overflow, **{"audience.segments": None})
    plan = wp.optimize(own, seed=3, scenarios=20)
    assert plan.schedule.total.sum(axis=0).max() <= 30_000
    assert plan.forecast.injected.sum(axis=1).max() <= 30_000


def test_those_who_follow_a_table_and_react_keep_to_the_capacity():
    own = three(capacity=20_000)
    schedule = wp.published("onesignal", own, 60)
    assert schedule.total.sum(axis=0).max() > 20_000
    reacting = wp.simulate(own, schedule, reaction=wp.Reaction(), scenarios=10, seed=1)
    assert reacting.injected.sum(axis=1).max() <= 20_000


def test_beyond_the_list_the_limit_on_hard_bounces_lets_known_addresses_get_more():
    own = three(**{"audience.size": 10_000, "audience.segments": None, "limits.hard_bounce_rate": 0.02})
    plan = wp.optimize(own, seed=3, scenarios=20)
    assert plan.schedule.total[:, -3:].sum(axis=0).max() == 30_000


def test_only_limits_that_are_set_are_blamed():
    own = three(kind="transactional", **{"limits.hard_bounce_rate": 0.001})
    assert [answer.name for answer in impossible(own, 30)] == ["hard_bounce_limit"]


def test_capacity_is_handed_out_to_the_last_message():
    assert_array_equal(placeable(three(capacity=1_000), 1).sum(axis=0), 1_000)
    assert_array_equal(placeable(three(capacity=1), 1).sum(axis=0), 1)


def test_who_holds_itself_back_is_held_back_by_nobody_else():
    plan = wp.optimize(three(capacity=15_000, **{"audience.segments": None}), seed=3, scenarios=20)
    assert plan.holds_back() is None
    assert "hold you back" not in plan.summary()
    assert {"capacity"} <= {row["name"] for row in plan.explanation.relief_rows if row["days"] < 0}


def test_fixed_cells_above_the_capacity_are_told():
    own = three(capacity=20_000)
    plan = wp.optimize(
        own, seed=3, scenarios=20, fixed={"gmail": {"2027-01-21": 15_000}, "yahoo": {"2027-01-21": 9_000}}
    )
    (found,) = (answer for answer in plan.answers if answer.name == "fixed_above_capacity")
    assert "2027-01-21" in found.text
