"""Risk and frontier: which of the nested ramps to take, judged by the full simulation."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from planner.inputs.allocation import placeable, reachable, room
from planner.inputs.provider import PARAMETERS
from planner.optimizer.envelope import Contacts, Nested, nested_ramps
from planner.simulation import layout
from planner.simulation.beliefs import Beliefs
from planner.simulation.forecast import quantiles, reached_days
from planner.simulation.seen import NO_DAYS
from planner.simulation.simulator import Run, n_threads, worlds
from planner.simulation.trouble import wrong_days_of
from planner.vocabulary import Floats

if TYPE_CHECKING:
    from planner.inputs.reaction import Reaction
    from planner.inputs.sender import Sender
    from planner.simulation.seen import Seen

LEVELS = (0.02, 0.05, 0.10, 0.15, 0.20, 0.30, 0.40, 0.50)
"""Risk levels of the frontier: probability that a provider has a wrong day within the horizon."""

MOST_GIVEN_UP = 0.5
SLOT_HOURS = 0.25
HARDLY = 0.05
"""Days later, as a share, that count as hardly later; one day at least."""

Step = Callable[[float], None]


class Judged(NamedTuple):
    """What a level's ramps do with reaction; P providers.

    `days`, `first_wrong` (scenarios, P): day of reaching the target, and of the first wrong day, inf for never;
    `wrong_days`, `delayed`, `lost` (P,): mean number, shares of the injected mail that is not stuck. Days that happened
    may have reached the target; what goes wrong, and what becomes of the mail, is that of the days left. `full` is as
    `days`, but of the days that the ramp is free to choose.
    """

    days: Floats
    full: Floats
    first_wrong: Floats
    wrong_days: Floats
    delayed: Floats
    lost: Floats


def ramps(
    sender: Sender,
    beliefs: Beliefs,
    n_days: int,
    fixed: Floats | None = None,
    most: int | None = None,
    seen: Seen | None = None,
) -> list[Nested]:
    """Return the nested ramps of every provider, one entry per provider of the sender.

    The hourly share is folded in: a full bucket and the window's refill must carry the day. `fixed` (providers, at
    least n_days) holds cells that are decided already, negative where they are not. Half of the scenarios are given up
    one by one, or `most`. Days that were `seen` begin every ramp as they were.
    """
    world = worlds(sender, beliefs, 3600.0)
    demand = placeable(sender, n_days)
    complaint, bounce = mailed_rates(sender, demand)
    hours = usable_hours(sender)
    if most is None:
        most = int(MOST_GIVEN_UP * len(beliefs))
    targets = sender.targets()
    upto = {"spread": targets, "hold": np.full_like(targets, np.inf)}.get(sender.overflow, 0.0 * targets)
    upto = np.where((demand < sender.demand(n_days)).any(axis=1), 0.0, upto)  # what may not be sent is not made up for
    contacts = _contacts(sender, n_days)

    space = room(sender, n_days)
    decided = np.full(demand.shape, -1.0) if fixed is None else np.ascontiguousarray(fixed[:, :n_days])

    def of_provider(p: int) -> Nested:
        own, complaints, bounces = (np.ascontiguousarray(x) for x in (world[:, :, p].T, complaint[p], bounce[p]))
        days = NO_DAYS if seen is None else seen.memory(p)
        return nested_ramps(
            own, demand[p], complaints, bounces, hours, most, upto[p], contacts[p], decided[p], space[p], days
        )

    with ThreadPoolExecutor(n_threads()) as pool:
        return list(pool.map(of_provider, range(len(demand))))


def usable_hours(sender: Sender) -> float:
    """Hours of the hourly share that a day's mail can use, h."""
    # before the window opens the bucket fills; one that opens at midnight finds what yesterday left
    opens_hours = sender.window_slots(60)[0]
    return min(24.0, sender.window_hours + min(1.0, opens_hours)) - SLOT_HOURS


def _contacts(sender: Sender, n_days: int) -> list[Contacts | None]:
    """Return what the sender's limit on hard bounces needs, an entry per provider."""
    limit = sender.limits.hard_bounce_rate
    if limit is None or sender.kind == "transactional":
        return [None] * len(sender.provider_names)
    rates = np.array([segment.hard_bounce_rate for segment in sender.audience.segments])
    if sender.chooses:
        return [Contacts(np.ascontiguousarray(most), rates, limit) for most in sender.allotment(n_days)]
    mixed = sender.audience.segment_shares_by_provider() @ rates
    return [Contacts(np.full((1, n_days), np.inf), np.array([rate]), limit) for rate in mixed]


def volumes_at(nested: list[Nested], drops: Any) -> Floats:
    """Return the ramps after these drops, (providers, days) float array, whole messages.

    Between two numbers of drops lies a ramp between theirs.
    """
    return np.stack([_between(each.volume, float(j)) for each, j in zip(nested, drops, strict=True)])


def _between(ramps: Floats, drops: float) -> Floats:
    low = min(int(drops), len(ramps) - 1)
    high = min(low + 1, len(ramps) - 1)
    return np.asarray(ramps[low] + np.floor((drops - int(drops)) * (ramps[high] - ramps[low])))


def without_stuck_mail(beliefs: Beliefs) -> Beliefs:
    """Return the beliefs for a search: stuck mail never meets the limiter, moves no risk, and costs much time."""
    values = beliefs.values.copy()
    values[:, :, PARAMETERS.index("stuck_share")] = 0.0
    return Beliefs(beliefs.providers, values, beliefs.weights)


def judge(run: Run, volume: Floats, reaction: Reaction, fixed: Floats | None = None) -> Judged:
    """Simulate ramps with reaction; volume (providers, days), `fixed` as for `ramps`.

    Until its first wrong day a scenario follows the ramp to the letter, so the risk is the same as without reaction.
    """
    rows, _ = run.counts(volume[:, None, :], reaction)
    injected = rows[layout.INJECTED]
    wrong = wrong_days_of(injected, rows[layout.FIRST_TROUBLE])
    demand = placeable(run.sender, volume.shape[1])
    targets = reachable(run.sender, volume.shape[1]) * demand.any(axis=1)  # nobody waits for a closed gate
    days = reached_days(injected, wrong, demand, targets)
    weights = run.beliefs.weights
    n_seen = 0 if run.seen is None else min(len(run.seen), volume.shape[1])
    free = np.ones_like(demand) if fixed is None else (fixed[:, : volume.shape[1]] < 0.0).astype(float)
    free[:, :n_seen] = 0.0
    full = reached_days(injected, wrong, demand * free, targets)
    wrong[:, :, :n_seen] = False
    sums = np.einsum("s,kspd->kp", weights, rows[:, :, :, n_seen:])
    sent = np.maximum(sums[layout.INJECTED], 1.0)
    return Judged(
        days,
        full,
        np.where(wrong.any(axis=2), wrong.argmax(axis=2), np.inf),
        np.einsum("s,spd->p", weights, wrong.astype(float)),
        sums[layout.DELAYED] / sent,
        (sums[layout.BLOCKED] + sums[layout.EXPIRED]) / sent,
    )


def most_balanced(judged: list[Judged], weights: Floats) -> Any:
    """Return for each provider the level whose 80 % day is earliest, (providers,).

    The most cautious one of those that are hardly later: with so few scenarios they cannot be told apart. Days that
    happened or were decided by somebody else reach the target at every level, and speak for none.
    """
    at_80 = np.stack([quantiles(each.full, weights, (0.8,))[0] for each in judged])
    reaching = np.stack([weights @ np.isfinite(each.full) for each in judged])
    # where no level reaches it four times in five, the most likely to reach it at all
    at_80 = np.where(np.isfinite(at_80).any(axis=0), at_80, -reaching)
    best = at_80.min(axis=0)
    return np.argmax(at_80 <= best + np.where(best > 0.0, np.maximum(1.0, HARDLY * best), 0.0), axis=0)


def mailed_rates(sender: Sender, demand: Floats) -> tuple[Floats, Floats]:
    """Complaint and hard-bounce rate of the segments that the full demand would mail, (providers, days)."""
    segments = sender.audience.segments
    rates = np.array([[s.complaint_rate, s.hard_bounce_rate] for s in segments])
    mixed = sender.mix(demand) @ rates
    return mixed[:, :, 0], mixed[:, :, 1]
