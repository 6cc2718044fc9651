"""Days that happened: what was observed of them, in the sender's order and without gaps, ready for the simulation.

A day that happened is not simulated. Its counts are the observed ones in every scenario, and each scenario remembers
them as its own parameters say. Whatever the observations do not tell is filled in here, once, so that all
that simulates reads the same; docs/model.md says how.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from planner.errors import InputError
from planner.inputs.catalogue import catalogue
from planner.observing.observations import Observations
from planner.simulation import layout
from planner.simulation.trouble import wrong_days_of
from planner.vocabulary import Bools, Cause, Floats, agreeing, whole

if TYPE_CHECKING:
    from planner.inputs.sender import Sender

MOST_DAYS = 365
"""Days that may have happened."""

_CAUSES = tuple(Cause)
_TROUBLE = [_CAUSES.index(cause) for cause in (Cause.LIMIT, Cause.PENALTY, Cause.REPUTATION)]
_AT_FIRST = [_CAUSES.index(cause) for cause in (Cause.GREYLISTING, Cause.SYSTEM, Cause.AUTHENTICATION)]
"""Causes of trouble (servers word their limits as reputation, too), and others that meet a message's first attempt."""


@dataclass(frozen=True, eq=False)
class Seen:
    """The first days from the sender's start, as they were; P providers of the sender.

    Attributes
    ----------
    rows : (layout.N_ROWS, P, days) float array
        The result of these days; `layout.OVERFLOW`, `QUEUED` and what a scenario remembers stay 0.
    complaint_rate : (P, days) float array
        Of each day's deliveries: counted complaints, else what the sender says of the segments.
    notes : tuple of str
        What was left out or filled in.
    """

    rows: Floats
    complaint_rate: Floats
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return int(self.rows.shape[2])

    @property
    def sent(self) -> Floats:
        """New messages, (P, days) float array."""
        return np.asarray(self.rows[layout.INJECTED])

    def wrong_days(self) -> Bools:
        """Days that went wrong, (P, days) bool array; see `wrong_days_of`."""
        return wrong_days_of(self.sent, self.rows[layout.FIRST_TROUBLE])

    def climbed(self) -> Floats:
        """What was sent on the last days in a row that went well, (P, days) float array; 0 on all others."""
        with_mail, wrong = self.sent > 0.0, self.wrong_days()
        climbed = np.zeros_like(self.sent)
        for p in range(len(climbed)):
            well = np.flatnonzero(with_mail[p] & ~wrong[p])
            if len(well):
                before = np.flatnonzero(wrong[p, : well[-1]])
                days = well[well > (before[-1] if len(before) else -1)]
                climbed[p, days] = self.sent[p, days]
        return climbed

    def first(self, n_days: int) -> Seen:
        """Return the first days only."""
        return self if n_days >= len(self) else Seen(self.rows[:, :, :n_days], self.complaint_rate[:, :n_days])

    def memory(self, p: int) -> SeenDays:
        """Return what one provider remembers."""
        parts = (self.rows[layout.INJECTED, p], self.rows[layout.DELIVERED, p], self.rows[layout.HARD_BOUNCED, p])
        return SeenDays(*(np.ascontiguousarray(part) for part in (*parts, self.complaint_rate[p])))


class SeenDays(NamedTuple):
    """What a provider remembers of the days that happened; (days,) float arrays, messages and a rate."""

    sent: Floats
    delivered: Floats
    hard_bounced: Floats
    complaint_rate: Floats


NO_DAYS = SeenDays(*(np.zeros(0) for _ in SeenDays._fields))


def seen_days(sender: Sender, observed: Observations | None) -> Seen | None:
    """Return what was observed from the sender's start on, None where that is nothing.

    Days up to the last one with a count that have none count as days without mail.

    Raises
    ------
    InputError
        If the observations are none, or of more than a year.
    """
    if observed is None:
        return None
    if not isinstance(observed, Observations):
        raise InputError("observed holds no Observations. Give what wp.read_log or Observations.from_frame returns.")
    mine = observed.for_sender(sender)
    known = np.flatnonzero(~(np.isnan(mine.sent) & np.isnan(mine.delivered)).all(axis=0))
    n_days = int(known[-1]) + 1 if len(known) else 0
    if n_days == 0:
        return None
    if n_days > MOST_DAYS:
        text = (
            f"The last observed day, {mine.days[n_days - 1]}, is number {whole(n_days)} from the start {sender.start}."
        )
        raise InputError(f"{text} A warmup has {MOST_DAYS} at most: check the years, or move the start.", field="start")
    return _filled_in(sender, mine.until(mine.days[n_days - 1]), mine.notes[len(observed.notes) :])


def _filled_in(sender: Sender, mine: Observations, notes: tuple[str, ...]) -> Seen:
    """Fill in what is not known; `mine` in the sender's order."""
    by_cause = np.nan_to_num(mine.deferred_by_cause)
    blocked = np.nan_to_num(mine.blocked)
    sent = np.where(
        np.isnan(mine.sent), np.nan_to_num(mine.delivered) + np.nan_to_num(mine.hard_bounced) + blocked, mine.sent
    )
    delivered, bounced, blocked, expired = _fates(sender, sent, mine)
    first, troubled = _first_attempts(sender, mine, sent, delivered, sent - delivered - bounced - blocked)
    rows = np.zeros((layout.N_ROWS, *sent.shape))
    rows[layout.INJECTED], rows[layout.DELIVERED] = sent, delivered
    rows[layout.HARD_BOUNCED], rows[layout.BLOCKED], rows[layout.EXPIRED] = bounced, blocked, expired
    rows[layout.FIRST_4XX] = first
    rows[layout.FIRST_TROUBLE] = np.minimum(sent, troubled + blocked)
    rows[layout.DEFERRED :] = np.moveaxis(by_cause, 2, 0)
    rows[layout.ATTEMPTS] = delivered + bounced + blocked + by_cause.sum(axis=2)
    return Seen(rows, _complaint_rate(sender, mine, sent, delivered), (*notes, *_silent(sender, mine)))


def _fates(sender: Sender, sent: Floats, mine: Observations) -> tuple[Floats, Floats, Floats, Floats]:
    """Return what was delivered, hard bounced, blocked and expired: no more than was handed over until then.

    Hard bounces that nobody counted are those that the sender's list lets expect, as far as mail is missing; mail of
    which no fate is known was delivered.
    """
    expected = _expected_bounces(sender, sent)
    parts = [np.nan_to_num(part) for part in (mine.delivered, mine.hard_bounced, mine.blocked, mine.expired)]
    delivered, bounced, blocked, expired = parts
    waiting = np.zeros(len(sent))
    for d in range(sent.shape[1]):
        waiting = waiting + sent[:, d]
        for part in (blocked, bounced, expired, delivered):
            part[:, d] = np.minimum(part[:, d], waiting)
            waiting = waiting - part[:, d]
        for part, counted, guess in ((bounced, mine.hard_bounced, expected[:, d]), (delivered, mine.delivered, np.inf)):
            filled = np.where(np.isnan(counted[:, d]), np.minimum(guess, waiting), 0.0)
            part[:, d] += filled
            waiting = waiting - filled
    return delivered, bounced, blocked, expired


def _expected_bounces(sender: Sender, sent: Floats) -> Floats:
    """Return how many hard bounces the first contacts of each day let expect, (P, days), whole messages."""
    rates = sender.mix(sent) @ np.array([segment.hard_bounce_rate for segment in sender.audience.segments])
    most = np.maximum.accumulate(sent, axis=1)
    known = np.concatenate([np.zeros((len(sent), 1)), most[:, :-1]], axis=1)
    contacts = sent if sender.kind == "transactional" else np.maximum(0.0, sent - known)
    return np.asarray(np.floor(contacts * rates + 0.5))


def _first_attempts(
    sender: Sender, mine: Observations, sent: Floats, delivered: Floats, missing: Floats
) -> tuple[Floats, Floats]:
    """Return how many first attempts were deferred, and how many of them for trouble; (P, days) each."""
    known_causes = ~np.isnan(mine.deferred_by_cause).all(axis=2)
    by_cause = np.nan_to_num(mine.deferred_by_cause)
    trouble, others = by_cause[:, :, _TROUBLE].sum(axis=2), by_cause[:, :, _AT_FIRST].sum(axis=2)
    deferred = np.where(np.isnan(mine.deferred) & known_causes, by_cause.sum(axis=2), mine.deferred)
    counted = ~np.isnan(mine.first_deferred)
    at_most = np.where(counted, mine.first_deferred, deferred)
    nothing = np.isnan(at_most)
    first = np.minimum(sent, np.where(nothing, np.maximum(0.0, missing), at_most))
    noise, stuck = _unavoidable(sender, delivered)
    unexplained = np.maximum(0.0, first - np.where(nothing, stuck, noise) * sent)
    by_their_cause = np.minimum(trouble, np.where(counted, np.maximum(0.0, first - others), sent))
    return first, np.where(known_causes, by_their_cause, unexplained)


def _unavoidable(sender: Sender, delivered: Floats) -> tuple[Floats, Floats]:
    """Return which share of first attempts is deferred whatever one sends, and which of the mail is never delivered.

    (P, days) and (P, 1): greylisting, noise and stuck mailboxes as the catalogue has them, typically.
    """
    priors = [catalogue().provider(name).priors for name in sender.provider_names]
    names = ("greylisting_probability", "greylisting_fade", "base_deferral", "stuck_share")
    greylisting, fade, base, stuck = (np.array([[each[name].typical] for each in priors]) for name in names)
    with_mail = delivered >= 0.5
    active_days: Floats = np.cumsum(with_mail, axis=1) - with_mail
    passing = (1.0 - base) * (1.0 - greylisting * np.exp(-fade * active_days)) * (1.0 - stuck)
    return np.asarray(1.0 - passing), stuck


def _complaint_rate(sender: Sender, mine: Observations, sent: Floats, delivered: Floats) -> Floats:
    """Return each day's complaint rate, (P, days); days without new mail have that of the day before."""
    rates = sender.mix(sent) @ np.array([segment.complaint_rate for segment in sender.audience.segments])
    counted = ~np.isnan(mine.complaints) & (delivered > 0.0)
    rate = np.where(counted, mine.complaints / np.maximum(delivered, 1.0), rates)
    usual = np.zeros(len(sent))
    for d in range(sent.shape[1]):
        usual = np.where(sent[:, d] > 0.0, rate[:, d], usual)
        rate[:, d] = np.where(counted[:, d], rate[:, d], usual)
    return rate


def _silent(sender: Sender, mine: Observations) -> tuple[str, ...]:
    """Tell of send days without a count."""
    silent = np.isnan(mine.sent) & np.isnan(mine.delivered) & (sender.demand(len(mine.days)) > 0.0)
    found = []
    for p in np.flatnonzero(silent.any(axis=1)):
        name = catalogue().provider(sender.provider_names[p]).name
        n = int(silent[p].sum())
        days = f"{n} send day{'s' * (n != 1)}"
        found.append(f"{name} {agreeing(name, 'has', 'have')} no counts on {days}: taken as days without mail.")
    return tuple(found)
