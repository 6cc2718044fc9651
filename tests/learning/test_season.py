"""A few hidden worlds of the season that `make season` follows in hundreds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import planner as wp
from benchmarks import season

COUNTS = ("injected", "attempts", "delivered", "blocked", "expired", "hard_bounced", "first_4xx", "deferred")


@pytest.mark.parametrize("kind", ["prior", *season.SHIFTS])
def test_what_was_handed_over_meets_the_same_fate_without_the_reaction(kind) -> None:
    """Or a world would change whenever its sender plans again."""
    wrong = 0
    for number in range(16):
        world = season.world(number, kind)
        plan = season.first_plan(world.provider, "balanced")
        steep = season.by_day(world.sender, 6.0 * season.held(plan.schedule, world.sender).total)
        steered = world.mailed(steep, plan.reaction, plan.retry)
        again = season.blindly(world, steered.injected[0], plan)
        assert all(np.array_equal(getattr(steered, name), getattr(again, name)) for name in COUNTS)
        wrong += int(steered.wrong_days().sum())
    assert wrong > 10


def test_shifted_worlds_are_what_they_are_called() -> None:
    def median(kind: str, parameter: str) -> float:
        return float(np.median([season.world(n, kind).truth.parameter(parameter)[0, 0] for n in range(0, 80, 4)]))

    for kind, factors in season.SHIFTS.items():
        for parameter, factor in factors.items():
            assert (median(kind, parameter) > median("prior", parameter)) == (factor > 1.0), (kind, parameter)


def test_a_plan_made_anew_leaves_the_days_before_as_they_were() -> None:
    world = season.world(0, "stricter")
    plan = season.first_plan(world.provider, "balanced")
    before, after = season.fixed(world, plan, plan.reaction), season.replanned(world, plan, "balanced", 7)
    assert np.array_equal(before.injected[0, :, :7], after.injected[0, :, :7])
    assert not np.array_equal(before.injected[0], after.injected[0])


def test_planning_again_each_week_pays_in_a_generous_world() -> None:
    earlier = []
    for number in range(4):
        world = season.world(number, "more generous")
        plan = season.first_plan(world.provider, "balanced")
        weekly = season.replanned(world, plan, "balanced", 7)
        earlier.append(season.fixed(world, plan, plan.reaction).reached_by_all[0] - weekly.reached_by_all[0])
    assert np.mean(earlier) >= 3.0


def test_a_promise_that_is_not_kept_is_told() -> None:
    def rows(weekly: float) -> pd.DataFrame:
        days = {"fixed": 20.0, "weekly": weekly, "daily": 15.0}
        return pd.DataFrame(
            {
                "kind": "prior",
                "world": number,
                "strategy": f"{season.said(risk)}: {name}",
                "day": day + number % 3,
                "wrong": 0,
                "lost": 0.1,
            }
            for risk in season.PLANS
            for name, day in days.items()
            for number in range(10)
        )

    assert all(holds for holds, _ in season.promises(rows(weekly=15.0)))
    assert [holds for holds, _ in season.promises(rows(weekly=21.0))] == [False, True, False]


def test_a_strategy_that_met_fewer_worlds_says_so() -> None:
    rows = pd.DataFrame(
        {"strategy": name, "day": 9.0 + number, "never": False, "wrong": 0, "lost": 0.1}
        for name, worlds in (("ours, balanced: fixed", 5), ("ours, balanced: daily", 3), ("table: onesignal", 5))
        for number in range(worlds)
    )
    shown = [line.split("|")[1].strip() for line in season.table_of(rows)[2:]]
    assert shown == ["ours, balanced: fixed", "ours, balanced: daily (3 of the worlds)", "table: onesignal"]


def test_a_table_is_the_share_of_the_whole_mail() -> None:
    whole = wp.published("onesignal", season.WHOLE, season.HORIZON)
    parts = [season.table("onesignal", name).total[0] for name in season.WHOLE.provider_names]
    assert np.array_equal(np.stack(parts), whole.total)
