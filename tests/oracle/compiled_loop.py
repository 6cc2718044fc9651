"""The slot loop on a case of the message-by-message oracle: the same words, put into the loop's arrays."""

from __future__ import annotations

import numpy as np

from planner.inputs.retry import RetryPolicy
from planner.simulation import backoff, equations, kernel, layout
from planner.simulation.simulator import luck_keys, stages_of
from planner.vocabulary import Cause
from tests.oracle.event_simulation import Policy, Reacting, Sending, World

_OVERFLOW = {"skip": layout.SKIP, "old_path": layout.SKIP, "spread": layout.SPREAD, "hold": layout.HOLD}


def policy_of(policy: Policy) -> RetryPolicy:
    """The case's retry policy as the project's own."""
    return RetryPolicy(
        first_seconds=policy.first_seconds,
        growth=policy.growth,
        cap_seconds=policy.cap_seconds,
        jitter=policy.jitter,
        lifetime_seconds=policy.lifetime_seconds,
        pause_seconds=policy.pause_seconds,
        intervals_seconds=policy.intervals_seconds,
    )


def world_row(world: World, slot_seconds: float) -> np.ndarray:
    """The provider's parameters as the slot loop uses them, (len(layout.WORLD),)."""
    slots_an_hour = 3600.0 / slot_seconds
    factor = world.new_domain_factor if world.new_domain else 1.0
    domains = float(world.limiter_domains)
    derived = {
        "cold": equations.cold_volume(world.cold_allowance, world.n_ips, world.ip_weight, factor, domains),
        "jump": equations.one_day_jump(world.daily_growth),
        "fades_at": world.growth_fades_at * domains * world.n_ips**world.ip_weight,
        "penalty_slots": world.penalty_hours * slots_an_hour,
        "trouble_starts": min(1.0, 1.0 / (world.trouble_every_days * 24.0 * slots_an_hour)),
        "trouble_ends": min(1.0, 1.0 / (world.trouble_hours * slots_an_hour)),
    }
    return np.array([float(derived.get(name, getattr(world, name, np.nan))) for name in layout.WORLD])


def run_loop(
    world: World,
    sending: Sending,
    policy: Policy,
    reacting: Reacting | None,
    runs: int,
    seed: int,
    *,
    sampled: bool = True,
) -> tuple[np.ndarray, np.ndarray]:
    """Rows (layout.N_ROWS, runs, days) and delay bins (runs, bins) of the slot loop on one case."""
    volume = np.array(sending.schedule, dtype=float)  # (segments, days)
    total = volume.sum(axis=0)[None]
    n_days = total.shape[1]
    demand = np.array([sending.demand], dtype=float)
    mix = np.where(total[0] > 0.0, volume / np.maximum(total[0], 1e-9), 1.0 / len(volume)).T[None]
    slot_seconds = 86_400.0 / len(sending.pace)
    table = backoff.tabulate([policy_of(policy)], slot_seconds)
    row = world_row(world, slot_seconds)
    delays = np.array([row[layout.W_GREYLISTING_DELAY_SECONDS]])
    early = backoff.still_early(policy_of(policy), delays, table.nominal.shape[2])
    stage_volume, stage_day, n_stages, first_stage, ceiling = stages_of(total, demand)
    rules = np.zeros(0)
    if reacting is not None:
        rules = np.array(
            [
                reacting.hold_above,
                reacting.hold_messages,
                reacting.back_above,
                reacting.back_stages,
                reacting.step_after_trouble,
                reacting.step_recovery,
                reacting.rest_days,
            ],
            dtype=float,
        )
    inputs = layout.Inputs(
        world=np.tile(row[None, :, None], (runs, 1, 1)),
        keys=luck_keys(("oracle",), runs, seed),
        volume=total,
        demand=demand,
        ceiling=ceiling,
        opens=np.array([world.opens]),
        mix=np.ascontiguousarray(mix),
        complaint_rate=np.array([sending.complaint_rate], dtype=float),
        hard_bounce_rate=np.array([sending.hard_bounce_rate], dtype=float),
        pace=np.cumsum(sending.pace)[None] / sum(sending.pace),
        target=np.array([float(sending.target)]),
        stage_volume=stage_volume,
        stage_day=stage_day,
        n_stages=n_stages,
        first_stage=first_stage,
        reaction=rules,
        early=np.tile(early[:, None, :], (runs, 1, 1)),
        seen=np.zeros((1, 0, layout.N_ROWS)),
        seen_complaint_rate=np.zeros((1, 0)),
        transactional=sending.transactional,
        overflow=_OVERFLOW[sending.overflow],
        slot_seconds=slot_seconds,
        sampled=sampled,
        **table._asdict(),
    )
    rows = np.zeros((layout.N_ROWS, runs, 1, n_days))
    bins = np.zeros((runs, 1, layout.N_DELAY_BINS))
    kernel.run_chunk(0, runs, inputs, rows, bins)
    return rows[:, :, 0], bins[:, 0]


def named(rows: np.ndarray) -> dict[str, np.ndarray]:
    """Each row by its name, deferrals as 'deferred_<cause>', (runs, days)."""
    names = (*layout.COUNTS, *(f"deferred_{cause}" for cause in Cause))
    return dict(zip(names, rows, strict=True))
