"""Numbers that cannot be right together: more answers than attempts, days to come, a separator read as a digit."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from planner.inputs.catalogue import catalogue
from planner.observing.rows import CAUSES
from planner.vocabulary import Bools, Floats, short_day, whole

if TYPE_CHECKING:
    from planner.inputs.sender import Sender
    from planner.observing.observations import Observations

MOST = 50
FAR_ABOVE = 10.0
"""A day above so many times the target, or above so many times every other day, is probably a slip."""

_MANY = 100.0

# What a day's count can never exceed on the same day.
_WITHIN = (
    ("first_deferred", "sent", "messages deferred at first"),
    ("first_deferred", "deferred", "messages deferred at first"),
    ("deferred", "attempts", "deferred attempts"),
    ("sent", "attempts", "messages sent"),
)


def doubts(seen: Observations, sender: Sender | None = None, today: date | None = None) -> tuple[str, ...]:
    """Say what cannot be right, or probably is not; 50 sentences at most.

    Parameters
    ----------
    seen : Observations
    sender : Sender, optional
        Counts far above its target, days before its start and providers that it does not mail are pointed out.
    today : date, optional
        Days after it are pointed out.
    """
    return tuple(islice(_all(seen, sender, today), MOST))


def _all(seen: Observations, sender: Sender | None, today: date | None) -> Iterator[str]:
    yield from _days_to_come(seen, today)
    yield from _within(seen)
    yield from _out_of_the_queue(seen)
    yield from _far_above(seen)
    if sender is not None:
        yield from _outside(seen, sender)


def _days_to_come(seen: Observations, today: date | None) -> Iterator[str]:
    empty = np.isnan(seen.sent) & np.isnan(seen.delivered)
    late = [day for d, day in enumerate(seen.days) if today is not None and day > today and not empty[:, d].all()]
    if late:
        yield f"{short_day(late[0])} {late[0].year} is still to come. Check the year, and the order of day and month."


def _within(seen: Observations) -> Iterator[str]:
    for part, total, what in _WITHIN:
        yield from _above(seen, getattr(seen, part), getattr(seen, total), what, total)
    by_cause = np.where(np.isnan(seen.deferred_by_cause), 0.0, seen.deferred_by_cause).sum(axis=2)
    yield from _above(seen, by_cause, seen.deferred, f"deferred attempts by cause ({len(CAUSES)} columns)", "deferred")


def _above(seen: Observations, part: Floats, total: Floats, what: str, name: str) -> Iterator[str]:
    for p, d in np.argwhere(part > total):
        place = f"{catalogue().title(seen.providers[p])}, {short_day(seen.days[d])}"
        yield f"{place}: {whole(part[p, d])} {what}, but {name.replace('_', ' ')} is {whole(total[p, d])}."


def _out_of_the_queue(seen: Observations) -> Iterator[str]:
    """Messages that ended must have been sent before, or been queued when the counts began."""
    ended = np.stack([seen.delivered, seen.hard_bounced, seen.blocked, seen.expired])
    none = np.isnan(seen.delivered) | np.isnan(seen.sent)
    out = np.cumsum(np.where(none, 0.0, np.nansum(ended, axis=0)), axis=1)
    into = np.cumsum(np.where(none, 0.0, seen.sent), axis=1)
    whole_story = ~np.maximum.accumulate(none, axis=1)
    for p in range(len(seen.providers)):
        wrong = np.flatnonzero(whole_story[p] & (out[p] > into[p]))
        if len(wrong):
            first = int(wrong[0])
            place = f"{catalogue().title(seen.providers[p])}, until {short_day(seen.days[first])}"
            counts = f"{whole(out[p, first])} messages delivered or given up, but only {whole(into[p, first])} sent"
            text = f"{place}: {counts}."
            yield f"{text} Were the others still queued when the counts began?"
    complaints = np.cumsum(np.nan_to_num(seen.complaints), axis=1)
    accepted = np.cumsum(np.nan_to_num(seen.delivered), axis=1)
    wrong_days: Bools = whole_story & (complaints > accepted)
    for name, mine, given, taken in zip(seen.providers, wrong_days, complaints, accepted, strict=True):
        if mine.any():
            d = int(np.argmax(mine))
            place = f"{catalogue().title(name)}, until {short_day(seen.days[d])}"
            yield f"{place}: {whole(given[d])} complaints about {whole(taken[d])} delivered messages."


def _far_above(seen: Observations) -> Iterator[str]:
    """Point out a day that dwarfs all others of its provider: 1.200 read as 1200 beside 1,3."""
    for p, row in enumerate(np.nan_to_num(seen.sent)):
        if len(row) < 3:
            continue
        top = int(np.argmax(row))
        rest = np.delete(row, top).max()
        if rest > 0 and row[top] > _MANY * rest:
            place = f"{catalogue().title(seen.providers[p])}, {short_day(seen.days[top])}"
            yield f"{place}: {whole(row[top])} messages, and never more than {whole(rest)} on another day. Check it."


def _outside(seen: Observations, sender: Sender) -> Iterator[str]:
    early = [day for day in seen.days if day < sender.start]
    if early:
        some = "1 day lies" if len(early) == 1 else f"{len(early)} days lie"
        yield f"{some} before the sender's start, {sender.start}."
    strange = [name for name in seen.providers if name not in sender.provider_names]
    if strange:
        names = ", ".join(catalogue().title(name) for name in strange[:5])
        yield f"The sender does not mail {names}{' …' if len(strange) > 5 else ''}."
    targets = dict(zip(sender.provider_names, sender.targets(), strict=True))
    for p, name in enumerate(seen.providers):
        most = np.nanmax(seen.sent[p], initial=0.0)
        if name in targets and most > FAR_ABOVE * max(targets[name], _MANY):
            d = int(np.nanargmax(seen.sent[p]))
            place = f"{catalogue().title(name)}, {short_day(seen.days[d])}"
            yield f"{place}: {whole(most)} messages, but the target is {whole(targets[name])} a day. Check the number."
