"""What a linear program over all days buys beyond filling each day from the most engaged segment down.

`python benchmarks/couplings.py` prints the table of docs/decisions/filling-instead-of-a-program.md.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

import planner as wp
from planner.inputs.allocation import placeable
from planner.optimizer import referee
from planner.resources import data_folder
from planner.simulation.simulator import worlds
from tests.certificates.program import Problem, replay, solve

EXAMPLES = ("newsletter", "weekly-newsletter", "b2b", "saas-transactional", "shop-migration")
SEGMENTS = (
    ("opened in 30 days", 35, 0.0001, 0.001),
    ("opened in 90 days", 30, 0.0003, 0.003),
    ("opened in a year", 25, 0.0008, 0.008),
    ("never seen to open", 10, 0.0015, 0.015),
)
N_SCENARIOS, N_DAYS, GIVEN_UP = 128, 60, 0.15


def segments(*caps):
    """The shop's segments, with frequency caps."""
    caps = caps or (None,) * len(SEGMENTS)
    return [
        {"name": name, "share": share, "complaint_rate": complaints, "hard_bounce_rate": bounces, "max_per_week": cap}
        for (name, share, complaints, bounces), cap in zip(SEGMENTS, caps, strict=True)
    ]


WEEKEND = dict.fromkeys(("sat", "sun"), 0.3)
TWO_BUSY_DAYS = dict.fromkeys(("mon", "wed", "fri", "sat", "sun"), 0.4)
COUPLINGS = {
    "none": {},
    "caps 7, 5, 3, 1 a week": {"audience.segments": segments(7, 5, 3, 1)},
    "caps 5 a week, quiet weekend": {"audience.segments": segments(5, 5, 5, 5), "target.weekday_shape": WEEKEND},
    "caps 4 a week, two busy days": {"audience.segments": segments(4, 4, 4, 4), "target.weekday_shape": TWO_BUSY_DAYS},
    "hard bounces 0.11 %": {"limits.hard_bounce_rate": 0.0011},
    "complaints 0.03 %": {"limits.complaint_rate": 0.0003},
    "hard bounces 0.13 %, caps 7, 5, 3, 1": {
        "limits.hard_bounce_rate": 0.0013,
        "audience.segments": segments(7, 5, 3, 1),
    },
    "complaints 0.035 %, caps 5, 5, 3, 1": {
        "limits.complaint_rate": 0.00035,
        "audience.segments": segments(5, 5, 3, 1),
    },
}


def coupled(example, coupling):
    """The example with the shop's segments and a list that is large enough for the caps, under a coupling."""
    sender = wp.Sender.load(data_folder() / "examples" / f"{example}.yaml")
    return sender.changed(
        {
            "audience.size": int(1.6 * sender.targets().sum()),
            "audience.segments": segments(),
            **COUPLINGS[coupling],
        }
    )


def problems(sender, seed=11):
    """Each provider as a linear program's problem, and the ramp that filling found for it."""
    beliefs = wp.draw(sender, N_SCENARIOS, seed)
    nested = referee.ramps(sender, beliefs, N_DAYS)
    world = worlds(sender, beliefs, 3600.0)
    audience, limits = sender.audience, sender.limits
    rates = np.array([[one.complaint_rate, one.hard_bounce_rate] for one in audience.segments])
    caps = np.array([one.max_per_week or np.inf for one in audience.segments])
    for p, ramps in enumerate(nested):
        drops = min(int(GIVEN_UP * N_SCENARIOS), len(ramps.dropped))
        kept = np.setdiff1d(np.arange(N_SCENARIOS), ramps.dropped[:drops])
        addresses = audience.addresses()[p]
        most, per_week, complaints, bounces = addresses, caps * addresses, *rates.T
        if not sender.chooses:  # everybody alike is one segment
            mixed = audience.segment_shares_by_provider()[p] @ rates
            most, per_week, complaints, bounces = np.full(1, np.inf), np.full(1, np.inf), mixed[:1], mixed[1:]
        yield (
            sender.provider_names[p],
            Problem(
                np.ascontiguousarray(world[kept, :, p].T),
                (sender.demand(N_DAYS) if sender.chooses else placeable(sender, N_DAYS))[p],
                np.repeat(most[:, None], N_DAYS, axis=1),
                per_week,
                complaints,
                bounces,
                referee.usable_hours(sender),
                limits.complaint_rate or np.inf,
                (sender.chooses and limits.hard_bounce_rate) or np.inf,
            ),
            ramps.volume[drops],
        )


def first_full(volume, demand):
    """First day with the largest demand on which it is met; inf for never."""
    full = (demand >= 0.995 * demand.max()) & (volume >= 0.995 * demand - 0.5)
    return float(full.argmax()) if full.any() else np.inf


def main():
    """Print a row per example and coupling."""
    print("| example | coupling | full volume earlier, days | more mail in 60 days |")
    print("| --- | --- | --- | --- |")
    for example in EXAMPLES:
        for coupling in COUPLINGS:
            earlier, more = [], []
            for _, problem, volume in problems(coupled(example, coupling)):
                if not problem.demand.any():
                    continue
                best = solve(problem, volume).volume
                assert (best <= np.maximum(replay(problem, best)[1].min(axis=0), 1.0) + 1.0).all()
                then, now = first_full(volume, problem.demand), first_full(best, problem.demand)
                earlier.append("0" if then == now else f"{then:g} to {now:g}")
                more.append(100 * (best.sum() / volume.sum() - 1))
            if not more:
                print(f"| {example} | {coupling} | nothing can be sent | |")
                continue
            days = ", ".join(dict.fromkeys(earlier)).replace("inf", "never")
            print(f"| {example} | {coupling} | {days} | {min(more):.2f}–{max(more):.2f} % |", flush=True)


if __name__ == "__main__":
    main()
