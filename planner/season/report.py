"""Morning: what to do at each provider today, what changed and why, and what to tell the boss."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from planner.errors import InputError
from planner.inputs.catalogue import catalogue
from planner.inputs.fields import unknown
from planner.inputs.schedule import Schedule
from planner.learning.calibration import Calibration
from planner.observing.alarms import Alarms
from planner.optimizer.difference import Changes, changes
from planner.optimizer.plan import Plan
from planner.simulation.forecast import records
from planner.vocabulary import Verdict, brief, day_text, short_day, whole

if TYPE_CHECKING:
    import pandas as pd

FORMAT = 1
DONE = {Verdict.GO_ON: "go on", Verdict.HOLD: "hold", Verdict.STEP_BACK: "step back", Verdict.STOP: "stop"}
_MOST_LEARNT = 5
_TABLES = ("today", "recipients", "changes", "beliefs")


@dataclass(frozen=True)
class Today:
    """What to do at one provider today.

    Attributes
    ----------
    provider : str
    verdict : Verdict
    until : date or None
        First day on which to look whether the verdict is lifted.
    messages : int
        What to send today.
    planned : int
        What the plan would send without the verdict.
    per_hour : int
        `messages` over the sending window, rounded up.
    last_sent : int or None
        Messages on the last day with mail; None before it.
    last_day : date or None
    why : str
        Where the number comes from.
    """

    provider: str
    verdict: Verdict
    until: date | None
    messages: int
    planned: int
    per_hour: int
    last_sent: int | None
    last_day: date | None
    why: str


@dataclass(frozen=True, eq=False)
class Morning:
    """Result of `morning`.

    Attributes
    ----------
    name : str
        The season's.
    today : date
    rows : tuple of Today
        One for each of the sender's providers.
    schedule : Schedule
        The plan's, with today's volumes after the verdicts.
    alarms : Alarms or None
        None where nothing was observed yet.
    before : Plan or None
        The plan in force until now.
    plan : Plan
        The one to go on with: `Season.planned` puts it in force.
    calibration : Calibration or None
        What is believed now; None where nothing was to be learnt.
    look_up : tuple of str
        What to look up, and where.
    doubts : tuple of str
        Numbers that cannot be right, beliefs that the days contradict.
    unseen : str
        Which days before today are not known, and what they were taken for; empty where all are.
    """

    name: str
    today: date
    rows: tuple[Today, ...]
    schedule: Schedule
    alarms: Alarms | None
    before: Plan | None
    plan: Plan
    calibration: Calibration | None
    look_up: tuple[str, ...]
    doubts: tuple[str, ...]
    unseen: str

    @property
    def verdicts(self) -> dict[str, Verdict]:
        """What to do, by provider."""
        return {row.provider: row.verdict for row in self.rows}

    @property
    def day_number(self) -> int:
        """Today's number, the sender's first day being 1; below that the warmup has not begun."""
        return (self.today - self.plan.sender.start).days + 1

    @property
    def messages(self) -> int:
        """What to send today, over all providers."""
        return sum(row.messages for row in self.rows)

    @cached_property
    def changes(self) -> Changes | None:
        """What the plan does differently from the one before, and why; None where it is the same, or the first."""
        if self.before is None or self.before is self.plan:
            return None
        return changes(self.before, self.plan, tuple(self.alarms or ()))

    # --- for people

    def boss(self) -> str:
        """One line for those who pay: today, trouble, the date and how it moved."""
        graver = [row for row in self.rows if row.verdict != Verdict.GO_ON]
        trouble = "; ".join(
            f"{DONE[verdict]} at {_listed(names)}"
            for verdict in reversed(Verdict)
            if (names := [catalogue().title(row.provider) for row in graver if row.verdict == verdict])
        )
        parts = [
            f"{self.name}, day {self.day_number}: {whole(self.messages)} messages today",
            trouble or "no alarm",
        ]
        unseen = f" {self.unseen.partition(':')[0]}." if self.unseen else ""
        return f"{', '.join(parts)}. {self.plan.headline()}{self._moved()}{unseen}"

    def _moved(self) -> str:
        by = self.changes.later_by if self.changes is not None else 0.0
        if not np.isfinite(by) or by == 0:
            return ""
        side = "later" if by > 0 else "earlier"
        return f" That is {whole(abs(by))} day{'s' * (abs(by) != 1)} {side} than planned before."

    def __repr__(self) -> str:
        return brief(self)

    def summary(self) -> str:
        """Say it in two minutes: verdicts and evidence, today's volumes, what changed and why, what to look up."""
        return "\n".join(self._sentences())

    def _sentences(self) -> Iterator[str]:
        yield f"{day_text(self.today)}, day {self.day_number} of {self.name}: {self._count()}."
        if self.unseen:
            yield self.unseen
        if self.alarms is not None:
            for row in self.rows:
                yield from self._evidence(row)
        yield ""
        yield f"Today {whole(self.messages)} messages: {' · '.join(self._volume(row) for row in self.rows)}."
        yield ""
        yield from self._news()
        if self.look_up:
            yield ""
            yield from (f"Look up {'all' if line.startswith('All ') else line[:3]}{line[3:]}" for line in self.look_up)
        if self.doubts:
            yield ""
            yield from self.doubts
        yield ""
        yield f"For the boss: {self.boss()}"

    def _count(self) -> str:
        verdicts = [row.verdict for row in self.rows]
        return ", ".join(f"{DONE[one]} at {n}" for one in reversed(Verdict) if (n := verdicts.count(one)))

    def _evidence(self, row: Today) -> Iterator[str]:
        if self.alarms is None or row.provider not in self.alarms.providers:
            return
        asks = self.alarms.certain(row.provider)
        if row.verdict == Verdict.GO_ON or not asks:
            return
        end = "" if row.until is None else f" until {short_day(row.until, since=self.today)}"
        yield f"{catalogue().title(row.provider)}: {DONE[row.verdict]}{end}. {row.why}"
        for alarm in asks:
            yield f"- {alarm.evidence()}."
        first = next((alarm for alarm in asks if alarm.asks == row.verdict), None)
        if first is not None:
            yield f"  {first.lift if first.over else f'{first.advice} {first.lift}'}"

    def _volume(self, row: Today) -> str:
        pace = f" ({whole(row.per_hour)}/hour)" if row.messages else ""
        return f"{catalogue().title(row.provider)} {whole(row.messages)}{pace}"

    def _news(self) -> Iterator[str]:
        if self.changes is not None:
            yield from self.changes.summary().splitlines()
        yield from self.plan.summary().splitlines()
        learnt = self.learnt()
        yield from learnt[:_MOST_LEARNT]
        if len(learnt) > _MOST_LEARNT:
            yield f"{len(learnt) - _MOST_LEARNT} more things were learnt: calibration.summary() tells them."

    def learnt(self) -> tuple[str, ...]:
        """Sentences on what was learnt of the providers' limits."""
        said = () if self.calibration is None else self.calibration.sentences()
        return tuple(line for line in said if "; you assumed " in line)

    def _repr_html_(self) -> str:
        cells = "".join(
            f"<tr><td>{escape(catalogue().title(row.provider))}</td><td>{DONE[row.verdict]}</td><td>{whole(row.messages)}</td>"
            f"<td>{whole(row.per_hour)}</td><td>{escape(row.why)}</td></tr>"
            for row in self.rows
        )
        heads = "<tr><th>provider</th><th>verdict</th><th>messages</th><th>per hour</th><th>why</th></tr>"
        said = "".join(f"<p>{escape(line)}</p>" for line in self.summary().splitlines() if line)
        return f"<table>{heads}{cells}</table>{said}"

    # --- frames and JSON

    def to_frame(self, what: str = "today") -> pd.DataFrame:
        """Return a table.

        Parameters
        ----------
        what : str
            ``today``: a row per provider, columns provider, verdict, until, messages, planned, per_hour, last_sent,
            last_day, why, evidence. ``recipients``: provider, segment, messages, the most engaged first. ``changes``:
            as `Changes.to_frame`. ``beliefs``: as `Calibration.parameters`.

        Raises
        ------
        InputError
            If there is no such table, or nothing to put into it.
        """
        import pandas as pd

        if what == "today":
            columns = [*Today.__dataclass_fields__, "evidence"]
            rows = [[*(getattr(row, name) for name in columns[:-1]), self._said_of(row.provider)] for row in self.rows]
            frame = pd.DataFrame(rows, columns=columns)
            return frame.assign(verdict=frame["verdict"].map(str), last_sent=frame["last_sent"].astype("Int64"))
        if what == "recipients":
            return self._recipients()
        if what == "changes" and self.changes is not None:
            return self.changes.to_frame()
        if what == "beliefs" and self.calibration is not None:
            return self.calibration.parameters()
        if what in _TABLES:
            nothing = "it is the same plan, or the first" if what == "changes" else "nothing was to be learnt"
            raise InputError(f"This morning has no {what}: {nothing}.", field="what")
        raise InputError(unknown("table", what, _TABLES), field="what")

    def _recipients(self) -> pd.DataFrame:
        import pandas as pd

        d = nearest_day(self.schedule, self.today)
        volume = np.zeros(self.schedule.volume.shape[:2]) if d is None else self.schedule.volume[:, :, d]
        rows = [
            (provider, segment, int(volume[p, g]))
            for p, provider in enumerate(self.schedule.providers)
            for g, segment in enumerate(self.schedule.segments)
            if volume[p, g] > 0
        ]
        return pd.DataFrame(rows, columns=["provider", "segment", "messages"])

    def _said_of(self, provider: str) -> str:
        if self.alarms is None or provider not in self.alarms.providers:
            return ""
        return "; ".join(alarm.evidence() for alarm in self.alarms.of(provider))

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values that JSON knows; the plan in its headline only."""
        return {
            "format": FORMAT,
            "kind": "morning",
            "season": self.name,
            "today": self.today.isoformat(),
            "day": self.day_number,
            "messages": self.messages,
            "providers": records(self.to_frame()),
            "recipients": records(self._recipients()),
            "alarms": None if self.alarms is None else self.alarms.to_dict(),
            "headline": self.plan.headline(),
            "changes": None if self.changes is None else records(self.changes.to_frame()),
            "changed": [] if self.changes is None else self.changes.summary().splitlines(),
            "learnt": list(self.learnt()),
            "look_up": list(self.look_up),
            "doubts": list(self.doubts),
            "unseen": self.unseen,
            "boss": self.boss(),
        }

    def to_json(self) -> str:
        """Everything as JSON, with the number of its format."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False)


def nearest_day(schedule: Schedule, day: date) -> int | None:
    """Return the place of a day in a schedule, past its end that of the last same weekday; None before it."""
    d, n_days = (day - schedule.dates[0]).days, len(schedule.dates)
    if d < 0:
        return None
    back = d if d < n_days else d - 7 * -(-(d - n_days + 1) // 7)
    return min(max(back, 0), n_days - 1)


def _listed(what: list[str]) -> str:
    return what[0] if len(what) == 1 else f"{', '.join(what[:-1])} and {what[-1]}"
