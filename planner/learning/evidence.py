"""What the counts say of one provider, as the likelihood reads it: which days met the limit, and how much."""

from __future__ import annotations

import math
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from planner.learning.likelihood import CLEAN, TROUBLED, UNSURE, Seen
from planner.simulation.simulator import opening_days
from planner.vocabulary import Bools, Cause, Floats

if TYPE_CHECKING:
    from planner.inputs.sender import Sender
    from planner.observing.observations import Observations

SLOT_MINUTES = 15

_BOUNCES_STRAY = 0.15
"""How far uncounted hard bounces stray from the rate that the sender expects: a list is hardly known better."""

_CALM = 0.1
"""Largest share of first attempts turned away, or of the mail that did not pass, on a day without trouble."""

_CAUSES = tuple(Cause)
_LIMITER = [_CAUSES.index(Cause.LIMIT), _CAUSES.index(Cause.PENALTY)]
_PASSING = [_CAUSES.index(cause) for cause in (Cause.GREYLISTING, Cause.SYSTEM)]
_DOUBT = _CAUSES.index(Cause.REPUTATION)


class Evidence(NamedTuple):
    """What is known of each of the sender's providers, and of which days nothing is though mail was due.

    `seen` (providers,) of `likelihood.Seen`; `informed` (providers,) days with mail of which something is known;
    `unknown` (providers,) tuples of send days without counts, between days that have them; `left_out` says what the
    sender has nothing to do with.
    """

    days: tuple[date, ...]
    seen: tuple[Seen, ...]
    informed: tuple[int, ...]
    unknown: tuple[tuple[date, ...], ...]
    left_out: tuple[str, ...]


def evidence_of(sender: Sender, observations: Observations) -> Evidence:
    """Bring observations into the sender's order and the likelihood's terms, from the first day on."""
    known = observations.for_sender(sender)
    n_days = len(known.days)
    sent = np.nan_to_num(known.sent)
    complaint_rates, bounces = _expected_rates(sender, sent)
    has_rate = ~np.isnan(known.complaints) & (np.nan_to_num(known.delivered) > 0.0)
    complaint_rates = np.where(has_rate, known.complaints / np.maximum(known.delivered, 1.0), complaint_rates)
    uncounted = np.isnan(known.hard_bounced)
    bounced = np.where(uncounted, bounces, known.hard_bounced)
    variance = np.where(uncounted, bounces + (_BOUNCES_STRAY * bounces) ** 2, 0.0)
    pace = np.cumsum(sender.pace(SLOT_MINUTES))
    pace = pace / pace[-1]
    due = sender.send_mask(n_days)
    opens = opening_days(sender, n_days)
    if n_days:  # a gate that mail has passed is open, whatever the sender says
        passed = np.nan_to_num(known.delivered) > 0.0
        opens = np.where(passed.any(axis=1), np.minimum(opens, passed.argmax(axis=1)), opens)
    seen, informed, unknown = [], [], []
    for p in range(len(sender.provider_names)):
        causes = known.deferred_by_cause[p]
        blocked = np.nan_to_num(known.blocked[p])
        turned_away = _turned_away(known.first_deferred[p], known.deferred[p], blocked)
        verdicts = _verdicts(causes, known.deferred[p], blocked)
        passed = known.delivered[p] + np.minimum(bounced[p], sent[p])
        calm = _calm(sent[p], known.delivered[p], turned_away, blocked, verdicts)
        seen.append(
            Seen(
                sent[p].copy(),
                known.delivered[p].copy(),
                np.minimum(bounced[p], sent[p]),
                turned_away,
                verdicts,
                _noisy(causes, known.attempts[p]),
                variance[p].copy(),
                _ways(sent[p], turned_away),
                calm,
                _stuck(sent[p], passed, calm | np.isnan(turned_away)),
                complaint_rates[p].copy(),
                int(opens[p]),
                pace,
                burst_hours(pace, SLOT_MINUTES / 60.0),
                float(sender.window_hours),
                60.0 * SLOT_MINUTES,
            )
        )
        told = (sent[p] > 0.0) & ~(np.isnan(known.delivered[p]) & np.isnan(seen[p].turned_away))
        informed.append(int(told.sum()))
        has = np.flatnonzero(~np.isnan(known.sent[p]))
        blank = [d for d in range(has[0], has[-1]) if due[d] and np.isnan(known.sent[p, d])] if len(has) else []
        unknown.append(tuple(known.days[d] for d in blank))
    left_out = known.notes[len(observations.notes) :]
    return Evidence(known.days, tuple(seen), tuple(informed), tuple(unknown), left_out)


def burst_hours(pace: Floats, slot_hours: float) -> float:
    """Hours of its hourly share that a limiter grants before a day's fullest hours are over, per such hours' share.

    With a full bucket of one hour's share, refilled slot by slot, all `n` messages of a day pass if
    `n <= hourly_share * allowance * burst_hours(...)`.

    Parameters
    ----------
    pace : (slots,) float array
        Cumulative share of the day's mail.
    slot_hours : float, h

    Examples
    --------
    >>> burst_hours(np.linspace(1 / 48, 1.0, 48), 0.25)
    12.75
    """
    starts = np.concatenate([[0.0], pace[:-1]])
    share = pace[None, :] - starts[:, None]
    grants = 1.0 + slot_hours * (np.arange(len(pace))[None, :] - np.arange(len(pace))[:, None])
    sends = np.triu(share) > 1e-12
    return float((grants[sends] / share[sends]).min())


def _turned_away(first_deferred: Floats, deferred: Floats, blocked: Floats) -> Floats:
    """First attempts that were not let in: deferred, or blocked; no deferral at all is known to be none at first."""
    first = np.where(np.isnan(first_deferred) & (deferred == 0.0), 0.0, first_deferred)
    return np.asarray(first + blocked)


def _verdicts(causes: Floats, deferred: Floats, blocked: Floats) -> Floats:
    """Say whether the limit was met, where the causes tell.

    A deferral without a cause may have been the limit's, and so may one that names the sender's reputation: servers
    use these words for whoever sends too fast. A block may be the limiter's 5xx or doubt about the sender. Without a
    deferral by limit or penalty nobody knows.
    """
    limiter = causes[:, _LIMITER].sum(axis=1)
    open_question = np.nan_to_num(deferred) - np.nansum(causes, axis=1) > 0.5
    clean = (limiter == 0.0) & (causes[:, _DOUBT] == 0.0) & ~open_question & (blocked == 0.0)
    troubled = np.nansum(causes[:, _LIMITER], axis=1) > 0.0
    return np.where(troubled, TROUBLED, np.where(clean, CLEAN, UNSURE))


def _ways(n: Floats, k: Floats) -> Floats:
    """Logarithm of the binomial coefficients, NaN where one is not known."""
    pairs = zip(n, np.minimum(k, n), strict=True)
    return np.array(
        [
            x if math.isnan(x) else math.lgamma(y + 1.0) - math.lgamma(x + 1.0) - math.lgamma(y - x + 1.0)
            for y, x in pairs
        ]
    )


def _calm(sent: Floats, delivered: Floats, turned_away: Floats, blocked: Floats, verdicts: Floats) -> Bools:
    """Tell on which days hardly any mail was turned away, nor the day before: what is missing is in stuck mailboxes.

    On others the deliveries say again what first attempts do, how much the limit let pass.
    """
    well = (turned_away <= _CALM * sent) & (blocked == 0.0) & (verdicts != TROUBLED)
    before = np.concatenate([np.ones(min(1, len(well)), dtype=bool), well[:-1]])
    return np.asarray(well & before & ~np.isnan(delivered))


def _stuck(sent: Floats, passed: Floats, quiet: Bools) -> float:
    """Share of the mail that never passes, from quiet days on which nearly all did."""
    quiet = quiet & (passed >= (1.0 - _CALM) * sent)
    total = float(sent[quiet].sum())
    return max(0.0, 1.0 - float(passed[quiet].sum()) / total) if total > 0.0 else 0.0


def _noisy(causes: Floats, attempts: Floats) -> Floats:
    """Share of the attempts that were deferred for causes that meet first attempts and retries alike."""
    return np.asarray(causes[:, _PASSING].sum(axis=1) / np.maximum(attempts, 1.0))


def _expected_rates(sender: Sender, sent: Floats) -> tuple[Floats, Floats]:
    """Complaint rate and hard bounces of each day, as the sender expects them, (providers, days)."""
    mix = sender.mix(sent)
    segments = sender.audience.segments
    complaint = mix @ np.array([segment.complaint_rate for segment in segments])
    volumes = sent[:, :, None] * mix
    before = np.maximum.accumulate(np.pad(volumes, ((0, 0), (1, 0), (0, 0))), axis=1)[:, :-1]
    fresh = volumes if sender.kind == "transactional" else np.maximum(0.0, volumes - before)
    return complaint, np.round(fresh @ np.array([segment.hard_bounce_rate for segment in segments]))
