"""Whom to mail: the most engaged first, under what the sender allows itself.

Three couplings tie a provider's day to more than its own demand: frequency caps, the sender's own limit on complaints,
and its capacity over all providers. None of them depends on what was sent before, so each is a ceiling on the day.
(The limit on hard bounces does, since only first contacts bounce: the envelope keeps it. Transactional mail meets new
addresses every day: there the limit allows all or nothing.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from planner.inputs.rounding import whole_messages
from planner.vocabulary import Floats

if TYPE_CHECKING:
    from planner.inputs.sender import Sender


def placeable(sender: Sender, n_days: int) -> Floats:
    """Return the most that can go to each provider on each day, (providers, days) float array, whole messages.

    The demand, less what frequency caps, the limits on complaints and hard bounces and the capacity forbid.
    """
    most = np.minimum.reduce(list(ceilings(sender, n_days).values()))
    wanted = np.floor(np.minimum(sender.demand(n_days), most) + 1e-9)
    if sender.capacity is None:
        return np.asarray(wanted)
    return whole_messages(wanted * np.minimum(1.0, sender.capacity / np.maximum(wanted.sum(axis=0), 1.0)))


def room(sender: Sender, n_days: int) -> Floats:
    """Return what a day may carry whatever was left over, (providers, days) float array; infinite without any limit."""
    most = np.asarray(np.minimum.reduce(list(ceilings(sender, n_days).values())), dtype=float)
    if sender.capacity is not None:
        demand = sender.demand(n_days)
        share = whole_messages(sender.capacity * demand / np.maximum(demand.sum(axis=0), 1.0))
        most = np.minimum(most, np.where(demand > 0.0, share, np.inf))
    return most


def ceilings(sender: Sender, n_days: int) -> dict[str, Floats]:
    """Return what each of the sender's own limits leaves of a day, (providers, days) float arrays, infinite for all."""
    return {
        "frequency_caps": supply(sender, n_days),
        "complaint_limit": _within_complaints(sender, n_days),
        "hard_bounce_limit": _within_bounces(sender, n_days),
    }


def reachable(sender: Sender, n_days: int) -> Floats:
    """Return the target, or the largest day below it that the couplings allow, (providers,) float array, messages."""
    most, demand = placeable(sender, n_days), sender.demand(n_days)
    held = (most < demand).any(axis=1)
    return np.where(held, np.minimum(sender.targets(), most.max(axis=1, initial=0.0)), sender.targets())


def supply(sender: Sender, n_days: int) -> Floats:
    """Return what the frequency caps leave, (providers, days) float array, messages; infinite without any."""
    if all(segment.max_per_week is None for segment in sender.audience.segments):
        return np.full((len(sender.provider_names), n_days), np.inf)
    return np.asarray(sender.allotment(n_days).sum(axis=1))


def filled(sender: Sender, volume: Floats) -> Floats:
    """Divide volumes over the segments, most engaged first.

    Parameters
    ----------
    volume : (providers, days) float array, whole messages

    Returns
    -------
    (providers, segments, days) float array, whole messages
    """
    parts = sender.mix(volume).transpose(0, 2, 1) * volume[:, None, :]
    return np.stack([whole_messages(each) for each in parts])


def _within_complaints(sender: Sender, n_days: int) -> Floats:
    """Largest volume whose mix keeps the sender's limit on complaints, (providers, days); infinite where any does."""
    limit = sender.limits.complaint_rate
    n_providers = len(sender.provider_names)
    if limit is None:
        return np.full((n_providers, n_days), np.inf)
    rates = np.array([segment.complaint_rate for segment in sender.audience.segments])
    if not sender.chooses:
        mixed = sender.audience.segment_shares_by_provider() @ rates
        return np.repeat(np.where(mixed <= limit, np.inf, 0.0)[:, None], n_days, axis=1)
    best = upto = slack = np.zeros((n_providers, n_days))
    for most, rate in zip(sender.allotment(n_days).transpose(1, 0, 2), rates, strict=True):
        gain = limit - rate
        partly = upto + (np.minimum(most, slack / -gain) if gain < 0.0 else most)
        best = np.where(slack >= 0.0, partly, best)
        slack, upto = slack + gain * most, upto + most
        best = np.where(slack >= 0.0, upto, best)
    return np.where(slack >= 0.0, np.inf, best)


def _within_bounces(sender: Sender, n_days: int) -> Floats:
    """Return 0 where the sender's own limit on hard bounces lets it mail nobody, else infinite, (providers, days)."""
    limit = sender.limits.hard_bounce_rate
    if limit is None or sender.kind == "marketing":
        return np.full((len(sender.provider_names), n_days), np.inf)
    rates = np.array([segment.hard_bounce_rate for segment in sender.audience.segments])
    allowed = sender.audience.segment_shares_by_provider() @ rates <= limit
    return np.repeat(np.where(allowed, np.inf, 0.0)[:, None], n_days, axis=1)
