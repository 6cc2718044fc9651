"""Wishes that cannot be met, answered by name, each with the smallest change that helps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from planner.inputs.allocation import placeable, reachable
from planner.inputs.catalogue import catalogue
from planner.inputs.provider import ITEM_TITLES, ITEMS, Item
from planner.optimizer.referee import ramps
from planner.simulation.forecast import REACHED
from planner.vocabulary import WEEKDAYS, Bools, Floats, Weekday, agreeing, in_100, rounded, whole

if TYPE_CHECKING:
    from planner.inputs.sender import Sender
    from planner.simulation.beliefs import Beliefs
    from planner.simulation.seen import Seen

NEARLY = 1.0 - REACHED

COMPLAINTS, HARD_BOUNCES = 0.001, 0.01  # what providers' postmasters and ESPs ask for
CLEAN = f"{COMPLAINTS:.1%} complaints and {HARD_BOUNCES:.0%} hard bounces"


@dataclass(frozen=True)
class Answer:
    """One wish that cannot be met.

    Attributes
    ----------
    name : str
        'all_blacked_out', 'gate_closed', 'target_above_list', 'frequency_caps', 'complaint_limit', 'capacity',
        'hard_bounce_limit', 'fixed_above_capacity', 'cannot_grow', 'limit_anew' or 'risk_taken'.
    text : str
        What stands in the way.
    remedy : str
        The smallest change that helps.
    provider : str or None
        Whom it concerns; None for the sender as a whole.
    """

    name: str
    text: str
    remedy: str
    provider: str | None = None


def impossible(sender: Sender, n_days: int) -> tuple[Answer, ...]:
    """Return what the sender file alone shows to be impossible."""
    return (
        *_blacked_out(sender, n_days),
        *_closed_gates(sender),
        *_above_list(sender),
        *_above_own_limits(sender, n_days),
        *_bouncing_from_the_start(sender),
    )


def cannot_grow(
    sender: Sender, beliefs: Beliefs, volume: Floats, drops: Floats, n_days: int, seen: Seen | None = None
) -> tuple[Answer, ...]:
    """Return why the target is not reached within the horizon, and the smallest change with which it would be.

    Changes are tried on the envelope at the same caution: what is missing of the authentication, cleaner addresses, one
    more send day a week, then one more, then more IPs, then a lower target.

    Parameters
    ----------
    volume : (providers, days) float array, messages
        The planned ramp.
    drops : (providers,) float array, in [0, 1]
        Share of scenarios given up for it.
    seen : Seen, optional
        The days that happened.
    """
    targets = reachable(sender, n_days)  # what the sender's own limits forbid is answered by name
    slow = (volume.max(axis=1) < NEARLY * targets - 0.5) & (sender.demand(n_days).max(axis=1) > 0.0)
    if not slow.any():
        return ()
    reached = np.where(slow, volume.max(axis=1) / np.maximum(targets, 1.0), np.inf)
    p = int(np.argmin(reached))
    per = "a send" if sender.target.per == "send" else "a day"
    name = catalogue().provider(sender.provider_names[p]).name
    planned = f"{name} {agreeing(name, 'is', 'are')} planned up to {rounded(float(volume[p].max()))} {per}"
    text = f"The target is not reached within {n_days} days: at this caution {planned} of {rounded(float(targets[p]))}."
    changes = (_authenticated, _cleaner, _more_days, _more_ips)
    remedy = next((found for change in changes if (found := change(sender, beliefs, drops, n_days, seen))), "")
    if not remedy:
        lower = _two_digits_below(float(reached[p]) * float(targets.sum()))
        remedy = f"A target of {whole(lower)} {per} is reached."
    return (Answer("cannot_grow", text, remedy, sender.provider_names[p]),)


def after_trouble(sender: Sender, hit: Bools, limit: float) -> tuple[Answer, ...]:
    """Tell where the limit begins anew, since a day went wrong; hit (providers,)."""
    names = [catalogue().provider(name).name for name, one in zip(sender.provider_names, hit, strict=True) if one]
    if not names:
        return ()
    text = f"A day was throttled at {_listed(names)}: the limit of {in_100(limit)} now applies to the days left."
    return (Answer("limit_anew", text, "Calibrate on what was seen, or lower the risk, if another one hurts."),)


def all_risk_taken(sender: Sender, spent: Bools, taken: Floats) -> tuple[Answer, ...]:
    """Tell where the days that happened risked as much as is accepted for all; spent, taken (providers,)."""
    names = [catalogue().provider(name).name for name, one in zip(sender.provider_names, spent, strict=True) if one]
    if not names:
        return ()
    text = f"The days that happened risked all that you accept at {_listed(names)} ({in_100(float(taken[spent].max()))}"
    text += "): the days left are planned as carefully as can be."
    return (Answer("risk_taken", text, "Accept more risk, or 'balanced', to go faster."),)


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _blacked_out(sender: Sender, n_days: int) -> tuple[Answer, ...]:
    if sender.send_mask(n_days).any():
        return ()
    text = f"No mail can go out in the {n_days} days from {sender.start.isoformat()}: every send day is blacked out."
    days = ", ".join(str(day) for day in sender.send_days)
    return (Answer("all_blacked_out", text, f"Free at least one {days} in 'blackout', or add another send day."),)


def _closed_gates(sender: Sender) -> tuple[Answer, ...]:
    facts = catalogue()
    closed = [
        facts.provider(name)
        for name in sender.provider_names
        if facts.provider(name).gate is not None and name not in sender.admissions
    ]
    return tuple(
        Answer(
            "gate_closed",
            f"{provider.name} admits new senders by hand, so nothing is planned there. {provider.gate}",
            f"Ask for admission, then write the date as 'admissions: {{{provider.id}: YYYY-MM-DD}}'.",
            provider.id,
        )
        for provider in closed
    )


def _above_list(sender: Sender) -> tuple[Answer, ...]:
    size = sender.audience.size
    target = float(sender.targets().sum())
    per = "a send" if sender.target.per == "send" else "a day"
    if size is None or sender.kind == "transactional" or target <= size:
        return ()
    return (
        Answer(
            "target_above_list",
            f"The target of {whole(target)} messages {per} is above the list of {whole(size)} addresses: "
            f"some people would get more than one message {per}.",
            f"Set target.volume to {whole(size)} or less, or correct audience.size.",
        ),
    )


def _above_own_limits(sender: Sender, n_days: int) -> tuple[Answer, ...]:
    """Tell which of the sender's own limits keeps the target out of reach, each tried alone."""
    per = "a send" if sender.target.per == "send" else "a day"
    targets = sender.targets()
    found = []
    lifted = lifted_limits(sender)
    for name, (what, remedy) in _OWN_LIMITS.items():
        if name not in lifted:
            continue
        others = {field: value for other, fields in lifted.items() if other != name for field, value in fields.items()}
        alone = sender.changed(others)
        most = reachable(alone, n_days)
        short = most < NEARLY * targets - 0.5
        if short.any():
            worst = int(np.argmin(np.where(targets > 0.0, most / np.maximum(targets, 1.0), 1.0)))
            provider = catalogue().provider(sender.provider_names[worst])
            text = (
                f"{what} at most {whole(float(placeable(alone, n_days).sum(axis=0).max()))} messages {per} of "
                f"{whole(float(targets.sum()))}; {provider.name} {agreeing(provider.name, 'gets', 'get')} at most "
                f"{whole(float(most[worst]))} of {whole(float(targets[worst]))}."
            )
            found.append(Answer(name, text, remedy, provider.id))
    return tuple(found)


def lifted_limits(sender: Sender) -> dict[str, dict[str, Any]]:
    """Return for each of its own limits that a sender has set the changes that lift it."""
    limits, segments = sender.limits, sender.audience.segments
    lifted: dict[str, dict[str, Any]] = {}
    if any(segment.max_per_week is not None for segment in segments):
        free = [segment.model_dump() | {"max_per_week": None} for segment in segments]
        lifted["frequency_caps"] = {"audience.segments": free}
    if limits.complaint_rate is not None:
        lifted["complaint_limit"] = {"limits.complaint_rate": None}
    if limits.hard_bounce_rate is not None:
        lifted["hard_bounce_limit"] = {"limits.hard_bounce_rate": None}
    if sender.capacity is not None:
        lifted["capacity"] = {"capacity": None}
    return lifted


def above_capacity(sender: Sender, volume: Floats) -> tuple[Answer, ...]:
    """Tell where cells that were decided already exceed the capacity; volume (providers, days)."""
    over = np.flatnonzero(volume.sum(axis=0) > (sender.capacity or np.inf) + 0.5)
    if not len(over):
        return ()
    day = sender.dates(int(over[0]) + 1)[-1]
    text = (
        f"With the cells that you fixed, {whole(float(volume[:, over[0]].sum()))} messages leave on {day.isoformat()}"
    )
    days = f", and {len(over) - 1} more days are above it" if len(over) > 1 else ""
    return (
        Answer(
            "fixed_above_capacity",
            f"{text}, above your capacity of {whole(float(sender.capacity or 0))}{days}.",
            "Fix less, or raise capacity.",
        ),
    )


def _bouncing_from_the_start(sender: Sender) -> tuple[Answer, ...]:
    limit = sender.limits.hard_bounce_rate
    rates = [segment.hard_bounce_rate for segment in sender.audience.segments]
    first = rates[0] if sender.chooses else float(sender.audience.segment_shares() @ np.array(rates))
    if limit is None or first <= limit:
        return ()
    text = f"On the first day every address is new, and {first:.2%} of those mailed first would bounce, above your own "
    text += f"limit of {limit:.2%}: "
    text += "nothing can be sent." if sender.kind == "transactional" else "the ramp begins with single messages."
    return (Answer("hard_bounce_limit", text, "Clean this part of the list, or raise limits.hard_bounce_rate."),)


_OWN_LIMITS = {
    "frequency_caps": (
        "The frequency caps of the segments allow",
        "Raise max_per_week, or lower target.volume to what they allow.",
    ),
    "complaint_limit": (
        "Your own limit on complaints allows",
        "Clean the segments that complain most, or raise limits.complaint_rate.",
    ),
    "capacity": ("Your capacity carries", "Raise capacity, or lower target.volume to it."),
}


def _authenticated(sender: Sender, beliefs: Beliefs, drops: Floats, n_days: int, seen: Seen | None) -> str:
    missing = missing_items(sender)
    if not missing:
        return ""
    changed = sender.changed({f"authentication.{item}": "yes" for item in missing})
    names = ", ".join(ITEM_TITLES[item] for item in missing)
    if _reaches(changed, beliefs, drops, n_days, seen):
        return f"With {names} in order it is reached."
    return f"Put {names} in order first: nothing else helps as much."


def _cleaner(sender: Sender, beliefs: Beliefs, drops: Floats, n_days: int, seen: Seen | None) -> str:
    changes = cleaner_list(sender)
    if not changes or not _reaches(sender.changed(changes), beliefs, drops, n_days, seen):
        return ""
    return f"With at most {CLEAN} it is reached: clean the list."


def _more_days(sender: Sender, beliefs: Beliefs, drops: Floats, n_days: int, seen: Seen | None) -> str:
    own = list(sender.send_days)
    while len(own) < len(WEEKDAYS):
        own.append(another_day(own))
        changed = sender.changed({"send_days": [str(day) for day in own]})
        if _reaches(changed, beliefs, drops, n_days, seen):
            return f"With {len(own)} send days a week ({', '.join(sorted(map(str, own), key=_order))}) it is reached."
    return ""


def _more_ips(sender: Sender, beliefs: Beliefs, drops: Floats, n_days: int, seen: Seen | None) -> str:
    for factor in (2, 4, 8):
        changed = sender.changed({"n_ips": min(1000, sender.n_ips * factor)})
        if _reaches(changed, beliefs, drops, n_days, seen):
            return f"With {changed.n_ips} IPs it is reached."
    return ""


def missing_items(sender: Sender) -> list[Item]:
    """Return what the sender says to be missing of the authentication."""
    return [item for item in ITEMS if getattr(sender.authentication, item) == "no"]


def cleaner_list(sender: Sender) -> dict[str, Any]:
    """Return the changes to a sender whose list is as clean as postmasters and ESPs ask for; none where it is."""
    segments = sender.audience.segments
    if all(one.complaint_rate <= COMPLAINTS and one.hard_bounce_rate <= HARD_BOUNCES for one in segments):
        return {}
    cleaner = [
        one.model_dump()
        | {
            "complaint_rate": min(one.complaint_rate, COMPLAINTS),
            "hard_bounce_rate": min(one.hard_bounce_rate, HARD_BOUNCES),
        }
        for one in segments
    ]
    return {"audience.segments": cleaner}


def another_day(own: Sequence[Weekday]) -> Weekday:
    """Return the weekday that lies farthest from those that are there, to spread the days over the week."""
    others = [day for day in WEEKDAYS if day not in own]
    return max(others, key=lambda day: min(_apart(day, have) for have in own))


def _reaches(sender: Sender, beliefs: Beliefs, drops: Floats, n_days: int, seen: Seen | None) -> bool:
    nested = ramps(sender, beliefs, n_days, seen=seen)
    targets = reachable(sender, n_days)
    peaks = [
        each.volume[min(int(j * len(beliefs)), len(each.volume) - 1)].max()
        for each, j in zip(nested, drops, strict=True)
    ]
    mailed = sender.demand(n_days).max(axis=1) > 0.0
    return bool((np.array(peaks) >= NEARLY * targets - 0.5)[mailed].all())


def _two_digits_below(volume: float) -> float:
    """Round down to two significant digits: a promise must not be rounded up."""
    unit = 10.0 ** max(0, int(np.floor(np.log10(max(volume, 1.0)))) - 1)
    return float(np.floor(volume / unit) * unit)


def _order(day: str) -> int:
    return [str(each) for each in WEEKDAYS].index(day)


def _apart(one: str, other: str) -> int:
    gap = abs(_order(str(one)) - _order(str(other)))
    return min(gap, 7 - gap)
