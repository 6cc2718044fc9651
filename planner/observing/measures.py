"""What rules compare with their limits: events of trials within a window, and how far chance explains them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Literal

import numpy as np

from planner.vocabulary import Bools, Cause, Floats

if TYPE_CHECKING:
    from planner.observing.observations import Observations

Measure = Literal[
    "complaint_rate",
    "hard_bounce_rate",
    "bounce_rate",
    "block_rate",
    "undelivered_share",
    "deferral_share",
    "reputation_share",
    "idle_days",
]
IDLE: Measure = "idle_days"

LOOK_BACK = 35
"""Days among which the last days with mail are sought."""

_CAUSES = tuple(Cause)
_NAMED = [_CAUSES.index(cause) for cause in (Cause.REPUTATION, Cause.PENALTY)]
_NOT_OURS = {Cause.GREYLISTING, Cause.SYSTEM, Cause.STUCK}
"""Deferrals that say nothing of the sender: any stranger, any hour of maintenance, any full mailbox gets them."""

_OURS = [n for n, cause in enumerate(_CAUSES) if cause not in _NOT_OURS]

Trials = tuple[Floats, Floats, str]
"""Events and trials, (days,) float arrays, NaN where either is not known; and what the trials are called."""


@dataclass(frozen=True)
class Evidence:
    """What was counted in a window.

    Parameters
    ----------
    count, of : float, messages
        Events, and among how many they were counted.
    what : str
        What the trials are: "delivered messages", for example.
    first, last : date
        Days counted.
    """

    count: float
    of: float
    what: str
    first: date
    last: date

    @property
    def share(self) -> float:
        """Events by trials; 0 where there were none to judge."""
        return self.count / self.of if self.of else 0.0


def lower_bound(count: float, of: float, level: float) -> float:
    """Share that the true one exceeds with probability 1 - level: one-sided, after Clopper and Pearson.

    Examples
    --------
    >>> lower_bound(1, 3, 0.05), lower_bound(100, 300, 0.05), lower_bound(0, 3, 0.05)
    (0.0170, 0.2883, 0.0)
    """
    from scipy.special import betaincinv  # loaded late: a quarter of a second

    return float(betaincinv(count, of - count + 1.0, level)) if count > 0 else 0.0


def evidence(
    seen: Observations, provider: str, measure: Measure, today: date, days: int | None, sends: int | None
) -> Evidence | None:
    """Count what a rule asks for; of nothing where no mail was sent, None where nothing of it is known.

    Parameters
    ----------
    days : int, optional
        The window: so many days before `today`, and what is known of `today`.
    sends : int, optional
        The window: the last days with mail, so many.
    """
    p = seen.providers.index(provider)
    inside = _window(seen, p, today, days, sends)
    for trials in _TRIALS[measure]:
        events, among, what = trials(seen, p)
        known = inside & ~np.isnan(events) & ~np.isnan(among)
        of = float(among[known].sum())
        if of > 0:
            at = np.flatnonzero(known & (among > 0))
            return Evidence(min(float(events[known].sum()), of), of, what, seen.days[at[0]], seen.days[at[-1]])
    window = _window(seen, p, today, days or LOOK_BACK, None)
    without_mail = np.where(np.isnan(seen.sent[p]), seen.delivered[p], seen.sent[p])[window] == 0
    return Evidence(0.0, 0.0, "messages", today, today) if without_mail.size and without_mail.all() else None


def idle_days(seen: Observations, provider: str, today: date) -> tuple[int, date, bool] | None:
    """Whole days without mail since the last with any; that day; and whether each of them is known to be empty."""
    sent = seen.sent[seen.providers.index(provider)]
    with_mail = [d for d in np.flatnonzero(np.nan_to_num(sent) > 0) if seen.days[d] <= today]
    if not with_mail:
        return None
    last = int(with_mail[-1])
    since = (today - seen.days[last]).days - 1
    covered = sent[last + 1 : last + 1 + since]
    return max(since, 0), seen.days[last], len(covered) >= since and not bool(np.isnan(covered).any())


def _window(seen: Observations, p: int, today: date, days: int | None, sends: int | None) -> Bools:
    age = np.array([(today - day).days for day in seen.days], dtype=int)
    if sends is None:
        return np.asarray((age >= 0) & (age <= (days or 0)))
    mailed = (age >= 0) & (age <= LOOK_BACK) & (np.nan_to_num(seen.sent[p]) > 0)
    last = np.flatnonzero(mailed)[-sends:]
    return np.asarray(np.isin(np.arange(len(seen.days)), last))


# --- events and trials


def _of_delivered(seen: Observations, p: int) -> Trials:
    return seen.complaints[p], seen.delivered[p], "delivered messages"


def _unknown_users(seen: Observations, p: int) -> Trials:
    return seen.hard_bounced[p], seen.delivered[p] + seen.hard_bounced[p], "messages delivered or bounced"


def _bounces(seen: Observations, p: int) -> Trials:
    bounced = seen.hard_bounced[p] + seen.blocked[p]
    return bounced, seen.delivered[p] + bounced, "messages delivered, bounced or blocked"


def _bounces_alone(seen: Observations, p: int) -> Trials:
    """Where blocks are not known apart, an ESP's hard bounces are what its rule counts."""
    return _unknown_users(seen, p)


def _blocks(seen: Observations, p: int) -> Trials:
    bounced = np.nan_to_num(seen.hard_bounced[p])
    return seen.blocked[p], seen.delivered[p] + bounced + seen.blocked[p], "messages delivered, bounced or blocked"


def _undelivered(seen: Observations, p: int) -> Trials:
    return np.maximum(seen.sent[p] - seen.delivered[p], 0.0), seen.sent[p], "messages sent"


def _left_over(seen: Observations, p: int) -> Trials:
    """Where nobody counts deferrals, mail that is neither delivered nor given up has been deferred."""
    return np.maximum(seen.sent[p] - _ended(seen, p), 0.0), seen.sent[p], "messages sent, not delivered that day"


def _ended(seen: Observations, p: int) -> Floats:
    return np.asarray(seen.delivered[p] + np.nan_to_num(seen.hard_bounced[p]) + np.nan_to_num(seen.blocked[p]))


def _own_deferrals(seen: Observations, p: int) -> Trials:
    return _per_message(seen, p, seen.deferred_by_cause[p][:, _OURS].sum(axis=1))


def _first_deferrals(seen: Observations, p: int) -> Trials:
    return seen.first_deferred[p], seen.sent[p], "first attempts"


def _deferrals(seen: Observations, p: int) -> Trials:
    return _per_message(seen, p, seen.deferred[p])


def _reputation(seen: Observations, p: int) -> Trials:
    named = seen.deferred_by_cause[p][:, _NAMED].sum(axis=1)
    return _per_message(seen, p, np.where(seen.deferred[p] == 0, 0.0, named))


def _per_message(seen: Observations, p: int, deferred: Floats) -> Trials:
    """Scale attempts down to messages: the tries of one message are no independent witnesses."""
    attempts = np.where(np.isnan(seen.attempts[p]), _ended(seen, p) + seen.deferred[p], seen.attempts[p])
    messages = np.where(seen.sent[p] > 0, np.fmin(attempts, seen.sent[p]), attempts)
    tries = np.where(messages > 0, attempts / np.where(messages > 0, messages, 1.0), 1.0)
    what = "messages, each with all its attempts" if (tries > 1.0).any() else "attempts"
    return np.minimum(deferred, attempts) / tries, messages, what


# By measure the ways to count it, the best first; the first that is known in the window is taken.
_TRIALS: dict[Measure, tuple[Callable[[Observations, int], Trials], ...]] = {
    "complaint_rate": (_of_delivered,),
    "hard_bounce_rate": (_unknown_users,),
    "bounce_rate": (_bounces, _bounces_alone),
    "block_rate": (_blocks,),
    "undelivered_share": (_undelivered,),
    "deferral_share": (_own_deferrals, _first_deferrals, _deferrals, _left_over),
    "reputation_share": (_reputation,),
}
