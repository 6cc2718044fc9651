"""Season: a warmup as it is followed, the plan in force, what was observed, and who did what when."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from planner.errors import InputError
from planner.inputs.fields import unknown
from planner.inputs.sender import Sender
from planner.observing.alarms import whose
from planner.observing.observations import Observations
from planner.observing.rules import OURS, alarm_rules
from planner.observing.words import without_names
from planner.optimizer.plan import Plan
from planner.season.names import checked_name, name_for
from planner.vocabulary import brief, day_text, short_day, whole

if TYPE_CHECKING:
    import pandas as pd

MAX_HISTORY = 200
MAX_UNDO = 20
TEXT = 200


@dataclass(frozen=True)
class Entry:
    """A line of the history: when (UTC, to the second), by whom or what, and what was done."""

    at: datetime
    by: str
    text: str

    def __str__(self) -> str:
        by = f" ({self.by})" if self.by else ""
        return f"{day_text(self.at.date())}, {self.at:%H:%M} UTC: {self.text}{by}"


@dataclass(frozen=True)
class PlannedDay:
    """What the plan in force on a day said of a provider: messages planned; 10, 50, 90 % points of those sent."""

    provider: str
    day: date
    volume: float
    q10: float
    q50: float
    q90: float


@dataclass(frozen=True)
class State:
    """All that undo brings back.

    Attributes
    ----------
    sender : Sender
    observations : Observations
    rules : str
        Id of the set of alarm rules.
    plan_json : str or None
        The plan in force, as `Plan.to_json` wrote it; None before the first.
    earlier : tuple of PlannedDay
        Days before those of the plan in force, as the plans in force then said.
    """

    sender: Sender
    observations: Observations
    rules: str
    plan_json: str | None = None
    earlier: tuple[PlannedDay, ...] = ()

    @cached_property
    def plan(self) -> Plan | None:
        """The plan in force, its forecast simulated again."""
        return None if self.plan_json is None else Plan.from_json(self.plan_json)

    def with_plan(self, plan: Plan, earlier: tuple[PlannedDay, ...]) -> State:
        """Return the state with a plan in force; what was planned for days before it stays known."""
        made = replace(self, sender=plan.sender, plan_json=plan.to_json(), earlier=earlier)
        made.__dict__["plan"] = plan  # it is at hand: no need to simulate it again
        return made


@dataclass(frozen=True)
class Step:
    """A state that was left, or gone back from, and what was done then."""

    text: str
    state: State


@dataclass(frozen=True)
class Season:
    """A sender's warmup from day to day; every change returns a new one.

    Attributes
    ----------
    name : str
        Also the name of its file, see `save_season`.
    state : State
        What counts now.
    past, future : tuple of Step
        What `undone` and `redone` bring back, the nearest last; the last 20.
    history : tuple of Entry
        Who did what when, the latest last; the last 200.
    revision : int
        How often it was saved: tells whether somebody else has saved meanwhile. 0 for never.

    Examples
    --------
    >>> sender = Sender.from_dict({"audience": {"providers": {"gmail": 1}}, "target": {"volume": 5000},
    ...     "send_days": "daily", "n_ips": 1, "domain": "used", "start": "2026-11-24"})
    >>> season = Season.begun(sender, name="Shop")
    >>> seen = Observations(("gmail",), (date(2026, 11, 24),), sent=[[1000]], delivered=[[990]])
    >>> later = season.observed(seen, source="mail.log")
    >>> later.history[-1].text, later.observed(seen) == later, later.undone().last_day
    ('1 day read from mail.log: Tue 24 Nov', True, None)
    """

    name: str
    state: State
    past: tuple[Step, ...] = ()
    future: tuple[Step, ...] = ()
    history: tuple[Entry, ...] = ()
    revision: int = field(default=0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", checked_name(self.name))
        object.__setattr__(self, "past", self.past[-MAX_UNDO:])
        object.__setattr__(self, "future", self.future[-MAX_UNDO:])
        object.__setattr__(self, "history", self.history[-MAX_HISTORY:])

    @classmethod
    def begun(
        cls,
        sender: Sender,
        plan: Plan | None = None,
        *,
        name: str | None = None,
        rules: str = OURS,
        by: str = "",
        at: datetime | None = None,
    ) -> Season:
        """Begin to follow a sender's warmup.

        Parameters
        ----------
        sender : Sender
        plan : Plan, optional
            The one to follow.
        name : str, optional
            The sender's own name, if left out; either way what no file name takes goes from it.
        rules : str, optional
            Id of a set of `alarm_rules`.
        by : str, optional
            Who does it, for the history.
        at : datetime, optional
            When; now, if left out.

        Raises
        ------
        InputError
            If the rules are unknown.
        """
        nothing = Observations(sender.provider_names, ())
        begun = cls(
            name_for(sender.name if name is None else name), State(sender, nothing, _checked_rules(rules))
        )._told("begun", by, at)
        return begun if plan is None else begun.planned(plan, by=by, at=at)

    # --- what counts now

    @property
    def sender(self) -> Sender:
        """The sender."""
        return self.state.sender

    @property
    def observations(self) -> Observations:
        """All that was observed."""
        return self.state.observations

    @property
    def rules(self) -> str:
        """Id of the set of alarm rules."""
        return self.state.rules

    @property
    def plan(self) -> Plan | None:
        """The plan in force; the first access after loading simulates its forecast again."""
        return self.state.plan

    @property
    def last_day(self) -> date | None:
        """Last day of which something is known."""
        seen = self.observations
        known = np.flatnonzero(~(np.isnan(seen.sent) & np.isnan(seen.delivered)).all(axis=0))
        return seen.days[int(known[-1])] if known.size else None

    @property
    def today(self) -> date:
        """The morning after the last day of which something is known; the sender's start before the first."""
        last = self.last_day
        return self.sender.start if last is None else max(self.sender.start, last + timedelta(days=1))

    def planned_days(self) -> pd.DataFrame:
        """What was planned for each day by the plan then in force, beside what was observed.

        Columns: provider, date, volume (planned), q10, q50, q90 (of what was forecast to be sent), sent, delivered
        (NaN where not known).
        """
        import pandas as pd

        rows = [*self.state.earlier, *_days_of(self.plan, self.plan.today if self.plan else None, None)]
        seen = self.observations
        place = {name: p for p, name in enumerate(seen.providers)}
        first = seen.days[0] if seen.days else date.max

        def known(row: PlannedDay, counts: np.ndarray) -> float:
            d = (row.day - first).days
            inside = row.provider in place and 0 <= d < len(seen.days)
            return float(counts[place[row.provider], d]) if inside else np.nan

        return pd.DataFrame(
            {
                "provider": [row.provider for row in rows],
                "date": [row.day for row in rows],
                "volume": [row.volume for row in rows],
                "q10": [row.q10 for row in rows],
                "q50": [row.q50 for row in rows],
                "q90": [row.q90 for row in rows],
                "sent": [known(row, seen.sent) for row in rows],
                "delivered": [known(row, seen.delivered) for row in rows],
            }
        )

    # --- changes

    def observed(
        self, seen: Observations, *, source: str | None = None, by: str = "", at: datetime | None = None
    ) -> Season:
        """Bring in what was observed; the same days again double nothing, and where both know a count the later counts.

        Parameters
        ----------
        seen : Observations
        source : str, optional
            Name of the file it was read from; typed in, if left out.
        by, at : str, datetime, optional
            As for `begun`.

        Returns
        -------
        Season
            The same one when nothing of it is new.
        """
        merged = self.observations.merge(seen)
        if merged == self.observations:
            return self
        days = [day for d, day in enumerate(seen.days) if not np.isnan(seen.sent[:, d] + seen.delivered[:, d]).all()]
        span = "" if not days else f": {short_day(days[0])}"
        if len(days) > 1:
            span += f" to {short_day(days[-1], since=days[0])}"
        how = "typed in" if source is None else f"read from {source}"
        text = f"{whole(len(days))} day{'s' * (len(days) != 1)} {how}{span}"
        return self._stepped(replace_with(self.state, observations=merged), text, by, at)

    def planned(self, plan: Plan, *, by: str = "", at: datetime | None = None) -> Season:
        """Put a plan in force, and with it its sender; what was planned for the days before it stays known."""
        before = self.plan
        kept = [row for row in self.state.earlier if row.day < plan.today]
        earlier = (*kept, *_days_of(before, before.today if before else None, plan.today))
        text = "planned" if before is None else f"planned again from {short_day(plan.today, since=plan.sender.start)}"
        return self._stepped(self.state.with_plan(plan, earlier), f"{text}: {plan.headline()}", by, at)

    def changed(
        self, sender: Sender | None = None, *, rules: str | None = None, by: str = "", at: datetime | None = None
    ) -> Season:
        """Change the answers about the sender, or the set of alarm rules; the same one when neither is new.

        Raises
        ------
        InputError
            If the rules are unknown.
        """
        said = []
        state = self.state
        if sender is not None and sender != state.sender:
            state = replace_with(state, sender=sender)
            said.append("the answers about the sender changed")
        if rules is not None and rules != state.rules:
            state = replace_with(state, rules=_checked_rules(rules))
            said.append(f"alarms by {whose(alarm_rules()[rules].name)}")
        return self._stepped(state, " and ".join(said), by, at) if said else self

    def renamed(self, name: str) -> Season:
        """Return a copy under another name, never saved yet."""
        return replace(self, name=name, revision=0)

    def undone(self, *, by: str = "", at: datetime | None = None) -> Season:
        """Go back by one change.

        Raises
        ------
        InputError
            If there is nothing to undo.
        """
        if not self.past:
            raise InputError("There is nothing to undo.")
        *past, last = self.past
        future = (*self.future, Step(last.text, self.state))
        return replace(self, state=last.state, past=tuple(past), future=future)._told(f"undone: {last.text}", by, at)

    def redone(self, *, by: str = "", at: datetime | None = None) -> Season:
        """Do again what was undone last.

        Raises
        ------
        InputError
            If nothing was undone since the last change.
        """
        if not self.future:
            raise InputError("There is nothing to do again.")
        *future, last = self.future
        past = (*self.past, Step(last.text, self.state))
        return replace(self, state=last.state, past=past, future=tuple(future))._told(f"redone: {last.text}", by, at)

    def _stepped(self, state: State, text: str, by: str, at: datetime | None) -> Season:
        past = (*self.past, Step(_said(text), self.state))
        return replace(self, state=state, past=past, future=())._told(text, by, at)

    def _told(self, text: str, by: str, at: datetime | None) -> Season:
        when = (datetime.now(UTC) if at is None else at.astimezone(UTC)).replace(microsecond=0)
        return replace(self, history=(*self.history, Entry(when, _said(by), _said(text))))

    # --- frames and JSON

    def to_frame(self) -> pd.DataFrame:
        """Return `planned_days`."""
        return self.planned_days()

    def to_json(self) -> str:
        """Return what `save_season` writes, steps back and history with it."""
        from planner.season import document

        return document.to_json(self)

    @classmethod
    def from_json(cls, text: str) -> Season:
        """Read what `to_json` wrote; InputError when it is no season, or damaged."""
        from planner.season import document

        return document.from_json(text)

    # --- for people

    def __repr__(self) -> str:
        return brief(self)

    def summary(self) -> str:
        """Say what is followed, what is known, and what was done last."""
        last = self.last_day
        known = "nothing observed yet" if last is None else f"observed until {day_text(last)}"
        plan = "no plan yet" if self.state.plan_json is None else "a plan in force"
        lines = [f"{self.name}: {known}, {plan}, alarms by {whose(alarm_rules()[self.rules].name)}."]
        return "\n".join([*lines, *map(str, self.history[-5:])])

    def _repr_html_(self) -> str:
        return "".join(f"<p>{escape(line)}</p>" for line in self.summary().splitlines())


def replace_with(state: State, **changes: object) -> State:
    """Return a changed state that keeps the plan at hand."""
    made = replace(state, **changes)  # type: ignore[arg-type] # each caller names a field
    if "plan" in state.__dict__:
        made.__dict__["plan"] = state.plan
    return made


def _days_of(plan: Plan | None, first: date | None, end: date | None) -> list[PlannedDay]:
    """Return what a plan says of the days from `first` on, before `end`."""
    if plan is None or first is None:
        return []
    frame = plan.to_frame()
    rows = zip(
        frame["provider"],
        frame["date"],
        *(frame[name] for name in ("volume", "sent_q10", "sent_q50", "sent_q90")),
        strict=True,
    )
    days = [PlannedDay(str(name), day_of(day), *map(float, numbers)) for name, day, *numbers in rows]
    return [row for row in days if first <= row.day and (end is None or row.day < end)]


def day_of(value: date) -> date:
    """Return the bare date of a date or a time stamp."""
    return date(value.year, value.month, value.day)


def _checked_rules(rules: str) -> str:
    if rules not in alarm_rules():
        raise InputError(unknown("set of rules", rules, alarm_rules()), field="rules")
    return rules


def _said(text: str) -> str:
    plain = without_names(text)
    return plain if len(plain) <= TEXT else f"{plain[: TEXT - 1]}…"
