"""Judges what was observed by rules: each limit against what chance leaves of the counts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from planner.errors import InputError
from planner.inputs.fields import shown
from planner.observing.alarms import Alarm, Alarms
from planner.observing.measures import IDLE, LOOK_BACK, Evidence, evidence, idle_days, lower_bound
from planner.observing.rules import Rule, RuleSet, rule_set
from planner.vocabulary import Verdict, short_day

if TYPE_CHECKING:
    from planner.inputs.sender import Sender
    from planner.observing.observations import Observations

LEVEL = 0.05
"""Chance of any false alarm in a morning, if every true rate lay at its limit."""

STALE_DAYS = 2
_RESTART = {Verdict.HOLD: 1.0, Verdict.STEP_BACK: 0.5, Verdict.STOP: 0.5}
"""Share of the last day's messages that is left, where a rule does not say."""


def alarms(
    sender: Sender, observations: Observations, today: date | None = None, rules: RuleSet | Path | str | None = None
) -> Alarms:
    """Say at which providers to go on, hold, step back or stop this morning, and why.

    A rule applies when chance alone does not explain what was counted: the one-sided Clopper-Pearson bound of the
    share lies above the limit. What passes the limit otherwise is watched. The bound's level is `LEVEL` divided by
    the number of rules and providers judged (Bonferroni), so that many looks raise no more false alarms than one.

    Parameters
    ----------
    sender : Sender
        Its providers are judged first; others that were observed, after them.
    observations : Observations
    today : date, optional
        The morning: windows count back from it. The day after the last one observed, if left out.
    rules : str, Path or RuleSet, optional
        Id of a set in ``data/alarms`` (``ours``, or a publisher: `alarm_rules`), or a file of your own.

    Raises
    ------
    InputError
        When nothing was observed until today, or the rules are unknown.

    Examples
    --------
    >>> import planner as wp
    >>> from datetime import date
    >>> sender = wp.Sender.from_dict({"audience": {"providers": {"gmail": 1}}, "target": {"volume": 5000},
    ...     "send_days": "daily", "n_ips": 1, "domain": "used", "start": "2026-11-24"})
    >>> seen = wp.Observations(("gmail",), (date(2026, 11, 24),), sent=[[1000]], delivered=[[990]], complaints=[[20]])
    >>> alarms(sender, seen).verdicts
    {'gmail': <Verdict.STOP: 'stop'>}
    """
    chosen = rule_set(rules)
    morning = _morning(observations, today)
    providers = tuple(dict.fromkeys([*sender.provider_names, *observations.providers]))
    judged = tuple(name for name in providers if chosen.holds_for(name))
    n_judged = len(judged) * sum(rule.measure != IDLE for rule in chosen.rules.values())
    level = LEVEL / max(n_judged, 1)
    found: list[Alarm] = []
    unknown: dict[str, tuple[str, ...]] = {}
    for name in (one for one in judged if one in observations.providers):
        missing: list[str] = []
        for key, rule in chosen.rules.items():
            outcome = _outcome(observations, name, key, rule, chosen, morning, level)
            if outcome is None:
                missing.append(rule.title.lower())
            elif isinstance(outcome, Alarm):
                found.append(outcome)
        if missing:
            unknown[name] = tuple(dict.fromkeys(missing))
    found.sort(key=lambda one: (-one.asks.gravity, not one.certain, -one.action.gravity, judged.index(one.provider)))
    notes = tuple(_notes(observations, judged, morning))
    return Alarms(tuple(found), judged, morning, chosen.name, LEVEL, n_judged, unknown, notes)


def _morning(seen: Observations, today: date | None) -> date:
    if not seen.days:
        raise InputError("Nothing was observed yet. Bring in a day first.", field="observations")
    morning = seen.days[-1] + timedelta(days=1) if today is None else today
    if morning < seen.days[0]:
        text = f"today is {shown(morning)}, before the first day observed, {seen.days[0]}. Check the year."
        raise InputError(text, field="today")
    return morning


def _outcome(
    seen: Observations, provider: str, key: str, rule: Rule, chosen: RuleSet, today: date, level: float
) -> Alarm | bool | None:
    """Give the alarm, True where there is none, None where it cannot be judged."""
    if rule.measure == IDLE:
        return _idle(seen, provider, key, rule, chosen, today)
    found = _judged(seen, provider, key, rule, chosen, today, today, level)
    if rule.action == Verdict.STOP and not (isinstance(found, Alarm) and found.certain):
        # the silence of a stop does not make good what stopped it: it is over, and what lifts it still to be kept
        earlier = _judged(seen, provider, key, rule, chosen, today, _after_last_mail(seen, provider, today), level)
        if isinstance(earlier, Alarm) and earlier.certain:
            return earlier
    return found


def _judged(
    seen: Observations,
    provider: str,
    key: str,
    rule: Rule,
    chosen: RuleSet,
    today: date,
    as_of: date,
    level: float,
) -> Alarm | bool | None:
    """As `_outcome`, with the windows of another morning."""
    counted = evidence(seen, provider, rule.measure, as_of, rule.window_days, rule.window_sends)
    if counted is None:
        return None
    if counted.share <= rule.limit:
        return True
    bound = lower_bound(counted.count, counted.of, level)
    certain = bound > rule.limit and counted.count >= rule.at_least
    return _alarm(provider, key, rule, chosen, today, counted, bound, certain=certain)


def _after_last_mail(seen: Observations, provider: str, today: date) -> date:
    """Return the morning after the last day with mail; today, if that is long ago."""
    mailed = np.nan_to_num(seen.sent[seen.providers.index(provider)]) > 0
    days = [day for day, any_mail in zip(seen.days, mailed, strict=True) if any_mail and day < today]
    return days[-1] + timedelta(days=1) if days and (today - days[-1]).days <= LOOK_BACK else today


def _idle(seen: Observations, provider: str, key: str, rule: Rule, chosen: RuleSet, today: date) -> Alarm | bool:
    found = idle_days(seen, provider, today)
    if found is None or found[0] <= rule.limit:
        return True  # a provider that never had mail is not idle, it has not begun
    days, last, certain = found
    counted = Evidence(float(days), 1.0, "days", last, today - timedelta(days=1))
    return _alarm(provider, key, rule, chosen, today, counted, float(days), certain=certain)


def _alarm(
    provider: str,
    key: str,
    rule: Rule,
    chosen: RuleSet,
    today: date,
    counted: Evidence,
    bound: float,
    *,
    certain: bool,
) -> Alarm:
    until = counted.last + timedelta(days=1 + rule.days)
    over = certain and rule.action == Verdict.STOP and until <= today
    return Alarm(
        provider=provider,
        rule=key,
        title=rule.title,
        measure=rule.measure,
        certain=certain,
        over=over,
        count=counted.count,
        of=counted.of,
        what=counted.what,
        at_least=bound,
        limit=rule.limit,
        first=counted.first,
        last=counted.last,
        window_days=rule.window_days,
        action=rule.action,
        days=rule.days,
        restart=_RESTART[rule.action] if rule.restart is None else rule.restart,
        until=max(until, today + timedelta(days=1)),
        advice=rule.advice,
        lift=rule.lift,
        source=chosen.source_of(rule),
        confidence=rule.confidence,
        ours=rule.ours,
    )


def _notes(seen: Observations, judged: tuple[str, ...], today: date) -> Iterator[str]:
    strangers = [name for name in judged if name not in seen.providers]
    if strangers:
        yield f"Nothing was observed of {', '.join(strangers)}."
    known = np.flatnonzero(~np.isnan(seen.sent).all(axis=0))
    last = seen.days[int(known[-1])] if len(known) else seen.days[-1]
    if (today - last).days > STALE_DAYS:
        yield f"Nothing is known after {short_day(last, since=today)}: bring in the days since."
