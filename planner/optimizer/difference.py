"""changes(): what a later plan does differently from an earlier one, in words, with the reasons."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from planner.errors import InputError
from planner.inputs.catalogue import catalogue
from planner.inputs.provider import PARAMETER_INFO, PARAMETERS
from planner.observing.alarms import counted_once
from planner.optimizer.plan import Plan
from planner.simulation.forecast import quantiles, records
from planner.simulation.seen import seen_days
from planner.vocabulary import brief, day_text, in_100, rounded, whole

if TYPE_CHECKING:
    import pandas as pd

    from planner.observing.alarms import Alarm
    from planner.vocabulary import Floats

FORMAT = 1
DAYS = 7
BELIEFS = (
    "daily_growth",
    "cold_allowance",
    "hourly_share",
    "growth_fades_at",
    "idle_decay",
    "penalty_chance",
    "penalty_hours",
    "reputation_sensitivity",
)
"""Parameters that move a ramp, the most important first."""

_MOVED = 0.25
"""A belief has moved when its median has, by so much of the range of 8 in 10 that it had: less is luck."""

_UNSEEN = {"reputation_sensitivity": "reputation suffers from trouble"}
"""Beliefs about what nobody can look up: said in words, without a number."""

_MOST_BELIEFS = 2
_HARDLY = 0.05
"""Share by which a week's volume may differ without being worth a word: other scenarios were drawn."""


@dataclass(frozen=True, eq=False)
class Changes:
    """Result of `changes`.

    Attributes
    ----------
    before, after : Plan
    alarms : tuple of Alarm
        Those that were given.
    days : int
        How many days from `after.today` on are compared.
    """

    before: Plan
    after: Plan
    alarms: tuple[Alarm, ...] = ()
    days: int = DAYS

    @property
    def later_by(self) -> float:
        """Days by which the median date of the target moves, earlier below 0.

        inf where it is no longer reached within the horizon, -inf where only now.
        """
        return _later(*(self._date(plan, None) for plan in (self.before, self.after)))

    @property
    def providers(self) -> tuple[str, ...]:
        """Providers of either plan."""
        return tuple(dict.fromkeys([*self.before.sender.provider_names, *self.after.sender.provider_names]))

    @cached_property
    def reasons(self) -> dict[str, tuple[str, ...]]:
        """Why each provider's days change, in sentences; none where nothing is known."""
        return {name: tuple(self._reasons(name)) for name in self.providers}

    def to_frame(self) -> pd.DataFrame:
        """Return a row per provider, and one for 'all'.

        Columns: provider, before, after (messages planned over the next `days` days), change (share of before, nan
        where nothing was planned), date_before, date_after (median dates of the target, None for never), later_by
        (days), reasons (text).
        """
        import pandas as pd

        rows = []
        for name in (*self.providers, "all"):
            was, now = (float(self._volumes(plan, name).sum()) for plan in (self.before, self.after))
            dates = [self._date(plan, None if name == "all" else name) for plan in (self.before, self.after)]
            rows.append(
                {
                    "provider": name,
                    "before": was,
                    "after": now,
                    "change": now / was - 1.0 if was else np.nan,
                    "date_before": dates[0],
                    "date_after": dates[1],
                    "later_by": _later(*dates),
                    "reasons": " ".join(self._overall() if name == "all" else self.reasons[name]),
                }
            )
        return pd.DataFrame(rows)

    def by_day(self) -> pd.DataFrame:
        """Return the volumes of the next days: provider, date, before, after (messages)."""
        import pandas as pd

        dates = [self.after.today + timedelta(days=d) for d in range(self.days)]
        was, now = (
            np.concatenate([self._volumes(plan, name) for name in self.providers]) for plan in (self.before, self.after)
        )
        names = np.repeat(self.providers, self.days)
        return pd.DataFrame({"provider": names, "date": dates * len(self.providers), "before": was, "after": now})

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values that JSON knows; None for never."""
        return {
            "format": FORMAT,
            "kind": "changes",
            "today": self.after.today.isoformat(),
            "days": self.days,
            "providers": records(self.to_frame()),
            "by_day": records(self.by_day()),
            "summary": self.summary().splitlines(),
        }

    def to_json(self) -> str:
        """Return everything as JSON, with the number of its format."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False)

    def __repr__(self) -> str:
        return brief(self)

    def _repr_html_(self) -> str:
        return "".join(f"<p>{escape(line)}</p>" for line in self.summary().splitlines())

    def summary(self) -> str:
        """Say what changes and why: the date, then the providers whose next days change, the most first."""
        rows = self.to_frame().set_index("provider")
        lines = [self._date_text(), *self._overall()]
        difference = (rows["after"] - rows["before"]).abs()
        same = []
        for name in sorted(self.providers, key=lambda name: -difference[name]):
            if self._moves(name) or self.reasons[name]:
                volumes = self._volume_text(name, rows["before"][name], rows["after"][name])
                lines.append(" ".join([volumes, *self.reasons[name]]))
            else:
                same.append(catalogue().provider(name).name)
        if same:
            lines.append(f"As planned: {', '.join(same)}.")
        return "\n".join(lines)

    # --- what

    def _volumes(self, plan: Plan, name: str) -> Floats:
        """Planned messages of the next days, (days,); 0 where a plan ends before."""
        first = (self.after.today - plan.sender.start).days
        total = plan.schedule.total
        if name == "all":
            own = total.sum(axis=0)
        elif name in plan.schedule.providers:
            own = total[plan.schedule.providers.index(name)]
        else:
            own = np.zeros(total.shape[1])
        there = np.concatenate([own, np.full(max(0, first + self.days - len(own)), own[-1])])  # it goes on as it ends
        return np.asarray(there[max(0, first) : max(0, first) + self.days])

    def _date(self, plan: Plan, name: str | None) -> date | None:
        """Median date of reaching the target; None for never, or for a provider that a plan lacks."""
        forecast = plan.forecast
        if name is not None and name not in forecast.providers:
            return None
        days = forecast.reached_by_all if name is None else forecast.reached[:, forecast.providers.index(name)]
        middle = float(quantiles(days, forecast.weights, (0.5,))[0])
        return plan.sender.start + timedelta(days=int(middle)) if np.isfinite(middle) else None

    def _date_text(self) -> str:
        was, now = self._date(self.before, None), self._date(self.after, None)
        if now is None and was is None:
            return "The target stays out of sight within the plan's days."
        if now is None or was is None:
            planned = "" if was is None else f": planned before was about {day_text(was)}"
            return (
                f"The target is in sight now: about {day_text(now)}."
                if now
                else f"The target is out of sight{planned}."
            )
        if now == was:
            return f"The target is reached about {day_text(now)}, as planned before."
        n = abs((now - was).days)
        side = "later" if now > was else "earlier"
        return f"The target is reached about {day_text(now)}, {n} day{'s' * (n != 1)} {side} than planned before."

    def _volume_text(self, name: str, was: float, now: float) -> str:
        shown = catalogue().provider(name).name
        if not self._moves(name):
            return f"{shown}: {rounded(now)} messages in the next {self.days} days, as planned."
        return f"{shown}: {rounded(now)} messages in the next {self.days} days instead of {rounded(was)}."

    # --- why

    def _overall(self) -> list[str]:
        """Say what changed for all providers at once."""
        said = []
        if self.before.sender != self.after.sender:
            said.append("The answers about the sender have changed.")
        if self.before.risk != self.after.risk:
            was, now = (_risk_text(plan.risk) for plan in (self.before, self.after))
            said.append(f"The accepted risk is now {now}; it was {was}.")
        return said

    def _reasons(self, name: str) -> Iterator[str]:
        yield from self._happened(name)
        for alarm in counted_once(alarm for alarm in self.alarms if alarm.provider == name and alarm.certain):
            yield f"{alarm.evidence()}."
        if self._moves(name):
            yield from self._believed(name)
            yield from self._dared(name)

    def _moves(self, name: str) -> float:
        """Return by how many messages the next days' volume changes; 0 where luck explains it."""
        was, now = (float(self._volumes(plan, name).sum()) for plan in (self.before, self.after))
        return now - was if abs(now - was) > _HARDLY * max(was, now) else 0.0

    def _dared(self, name: str) -> Iterator[str]:
        """Say which risk arrives earliest now, where that differs."""
        was, now = (plan.levels.get(name) for plan in (self.before, self.after))
        if was is not None and now is not None and was != now and self.before.risk == self.after.risk:
            yield f"The ramp that arrives earliest risks a throttled day with {in_100(now)}, before with {in_100(was)}."

    def _happened(self, name: str) -> Iterator[str]:
        """Say how the days between the two plans went."""
        seen = seen_days(self.after.sender, self.after.observed)
        names = self.after.sender.provider_names
        if seen is None or name not in names:
            return
        p = names.index(name)
        first = max(0, (self.before.today - self.after.sender.start).days)
        hit = seen.wrong_days()[p, first:]
        if hit.any():
            days = [self.after.sender.start + timedelta(days=first + int(d)) for d in np.flatnonzero(hit)]
            more = f" and {len(days) - 1} more day{'s' * (len(days) != 2)}" if len(days) > 1 else ""
            yield f"Throttled on {day_text(days[0])}{more}."
        elif (seen.sent[p, first:] > 0.0).any() and self._moves(name) > 0.0:
            n = int((seen.sent[p, first:] > 0.0).sum())
            yield f"{n} day{'s' * (n != 1)} with mail went well."
        sent = float(seen.sent[p, first:].sum())
        planned = self._planned_between(name, first, len(seen))
        if planned is not None and abs(sent - planned) > _HARDLY * max(sent, planned):
            if self._counted(name):
                yield f"You sent {whole(sent)} of {whole(planned)} planned until now."
            else:
                yield f"Nothing is known of the {whole(planned)} planned until now; they count as not sent."

    def _counted(self, name: str) -> bool:
        """Tell whether anything was observed of a provider: what nobody counted is not what nobody sent."""
        seen = self.after.observed
        if seen is None or name not in seen.providers:
            return False
        p = seen.providers.index(name)
        return not bool((np.isnan(seen.sent[p]) & np.isnan(seen.delivered[p])).all())

    def _planned_between(self, name: str, first: int, until: int) -> float | None:
        plan = self.before
        shift = (self.after.sender.start - plan.sender.start).days
        if name not in plan.schedule.providers:
            return None
        own = plan.schedule.total[plan.schedule.providers.index(name)]
        return float(own[max(0, first + shift) : max(0, until + shift)].sum())

    def _believed(self, name: str) -> Iterator[str]:
        """Say which beliefs moved, the most important first."""
        both = [plan.forecast.beliefs for plan in (self.before, self.after)]
        if any(name not in beliefs.providers for beliefs in both):
            return
        found = []
        for parameter in BELIEFS:
            k = PARAMETERS.index(parameter)
            (low, was, high), (_, now, _) = (
                quantiles(beliefs.values[:, beliefs.providers.index(name), k], beliefs.weights, (0.1, 0.5, 0.9))
                for beliefs in both
            )
            if high > low and abs(now - was) > _MOVED * (high - low):
                if parameter in _UNSEEN:
                    found.append(f"{_UNSEEN[parameter]} {'more' if now > was else 'less'} than assumed before")
                    continue
                title, unit = PARAMETER_INFO[parameter].title.lower(), PARAMETER_INFO[parameter].unit
                found.append(f"{title} {_said(float(was), float(now), unit)}")
        if found:
            yield f"Believed now: {', '.join(found[:_MOST_BELIEFS])}."


def changes(before: Plan, after: Plan, alarms: Sequence[Alarm] = (), *, days: int = DAYS) -> Changes:
    """Compare two plans of a sender: the date, the next days' volumes by provider, and why they differ.

    Parameters
    ----------
    before, after : Plan
        The later one says from which day on: `after.today`.
    alarms : sequence of Alarm, optional
        Of the same morning; the certain ones are named as reasons.
    days : int, > 0
        How many days are compared.

    Returns
    -------
    Changes

    Raises
    ------
    InputError
        If days makes no sense.
    """
    if not 1 <= days <= 90:
        raise InputError(f"days is {days!r}. Write a whole number from 1 to 90.", field="days")
    return Changes(before, after, tuple(alarms), days)


def _later(was: date | None, now: date | None) -> float:
    if was is None or now is None:
        return 0.0 if was is now else np.inf if now is None else -np.inf
    return float((now - was).days)


def _risk_text(risk: str | float) -> str:
    return f"'{risk}'" if isinstance(risk, str) else in_100(float(risk))


def _said(was: float, now: float, unit: str) -> str:
    """Say what a parameter's value has become.

    Examples
    --------
    >>> _said(1.274, 1.151, "factor/day"), _said(0.28, 0.42, "chance/day")
    ('×1.15 instead of ×1.27 a day', '42 % instead of 28 % a day')
    >>> _said(1248.0, 199.0, "messages/day/IP")
    '200 instead of 1,200 messages a day and IP'
    """
    if unit == "factor/day":
        return f"×{now:.2f} instead of ×{was:.2f} a day"
    if unit in _PER:
        return f"{100.0 * now:.2g} % instead of {100.0 * was:.2g} % {_PER[unit]}"
    new, old = (rounded(value) if value >= 10.0 else f"{value:.2g}" for value in (now, was))
    return f"{new} instead of {old} {_UNITS.get(unit, unit)}"


_PER = {"chance/day": "a day", "1/day": "a day", "1/hour": "an hour"}
_UNITS = {"messages/day/IP": "messages a day and IP"}
