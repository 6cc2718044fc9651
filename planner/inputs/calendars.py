"""Send days, blackout dates, sending windows and time zones as people write them."""

from __future__ import annotations

import re
from datetime import date, timedelta
from functools import cache
from typing import Annotated, Any, NamedTuple, Self
from zoneinfo import available_timezones

import numpy as np
from pydantic import BeforeValidator, Field, PlainSerializer, model_serializer, model_validator

from planner.errors import InputError
from planner.inputs.fields import Checked, Day, day_of, nearest, refusal, unknown
from planner.vocabulary import WEEKDAYS, Floats, Weekday, whole

MAX_DAYS = 730
DAY_MINUTES = 1440

_GROUPS = {"daily": WEEKDAYS, "weekdays": WEEKDAYS[:5], "weekends": WEEKDAYS[5:]}
_FULL_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_BY_NAME = dict(zip((*WEEKDAYS, *_FULL_NAMES), WEEKDAYS * 2, strict=True))
_SPAN = re.compile(r"\s*(\d{1,2}):(\d{2})\s*(?:-|–|to)\s*(\d{1,2}):(\d{2})\s*", re.ASCII)


# --- days of the week


def _weekday(value: object) -> Weekday:
    found = _BY_NAME.get(value.strip().lower().removesuffix("s")) if isinstance(value, str) else None
    if found is None:
        raise refusal(unknown("weekday", value, WEEKDAYS))
    return found


def _weekdays(value: object) -> tuple[Weekday, ...]:
    if isinstance(value, str) and value.strip().lower() in _GROUPS:
        return _GROUPS[value.strip().lower()]
    names = re.split(r"[,\s]+", value.strip()) if isinstance(value, str) else value
    if not isinstance(names, list | tuple | set | frozenset) or not names or len(names) > 7:
        raise refusal("which is no set of weekdays. Write daily, weekdays, weekends or a list such as [tue, thu].")
    if isinstance(value, str) and len(names) == 1 and (guess := nearest(value, _GROUPS)):
        raise refusal(f"which is no set of weekdays. Did you mean '{guess}'?")
    chosen = set(map(_weekday, names))
    return tuple(day for day in WEEKDAYS if day in chosen)


def _said(days: tuple[Weekday, ...]) -> str | list[str]:
    group = next((name for name, members in _GROUPS.items() if members == tuple(days)), None)
    return group or [str(day) for day in days]


WeekdayName = Annotated[Weekday, BeforeValidator(_weekday)]
SendDays = Annotated[tuple[Weekday, ...], BeforeValidator(_weekdays), PlainSerializer(_said)]


# --- blackout


class Blackout(Checked):
    """Days without mail: one date, or from one date to another, both included."""

    first: Day = Field(alias="from", title="From", description="First day without mail.", examples=["2026-12-24"])
    last: Day = Field(alias="to", title="To", description="Last day without mail.", examples=["2026-12-26"])

    @model_validator(mode="before")
    @classmethod
    def _one_day(cls, data: Any) -> Any:
        if not isinstance(data, str | date | int):
            return data
        day = day_of(data)
        return {"from": day, "to": day}

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if self.last < self.first:
            raise refusal(f"which ends ({self.last}) before it begins ({self.first}). Swap the two dates.")
        if (self.last - self.first).days >= MAX_DAYS:
            raise refusal(f"which is longer than {MAX_DAYS} days. Shorten it.")
        return self

    @model_serializer
    def _said(self) -> str | dict[str, str]:
        first, last = self.first.isoformat(), self.last.isoformat()
        return first if first == last else {"from": first, "to": last}

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last


# --- the sending window


class Span(NamedTuple):
    """A sending window in minutes after midnight; it closes after it opens, if need be on the next day."""

    opens: int
    closes: int

    @property
    def crosses_midnight(self) -> bool:
        """Whether it closes on the next day (closing at midnight is still the same day)."""
        return self.closes > DAY_MINUTES

    @property
    def day_start(self) -> int:
        """Minute at which the simulated day begins: midnight, or the opening of a window over midnight."""
        return self.opens if self.crosses_midnight else 0


def span_of(window: str) -> Span:
    """Read a checked window.

    Examples
    --------
    >>> span_of("08:00-20:00"), span_of("22:00-06:00").closes
    (Span(opens=480, closes=1200), 1800)
    """
    opens, closes = (int(part[:2]) * 60 + int(part[3:]) for part in window.split("-"))
    return Span(opens, closes if closes > opens else closes + DAY_MINUTES)


def _window(value: object) -> str:
    found = _SPAN.fullmatch(value[:40]) if isinstance(value, str) else None
    if found is None:
        raise refusal("not a window of the day. Write it as 08:00-20:00, or 00:00-24:00 for the whole day.")
    h1, m1, h2, m2 = map(int, found.groups())
    if h1 > 23 or m1 > 59 or m2 > 59 or h2 * 60 + m2 > DAY_MINUTES:
        raise refusal("which has a time that no clock shows. Write it as 08:00-20:00.")
    if (h1, m1) == (h2, m2):
        raise refusal("which opens and closes at once. Write 00:00-24:00 for the whole day.")
    text = f"{h1:02}:{m1:02}-{h2:02}:{m2:02}"
    span = span_of(text)
    if span.closes - span.opens < 60:
        raise refusal("which is shorter than an hour. Write at least one hour.")
    return text


Window = Annotated[str, BeforeValidator(_window)]


def pace(span: Span, slot_minutes: int) -> Floats:
    """Share of the day's mail in each slot of the simulated day when it flows evenly through the window.

    Returns
    -------
    (slots,) float array that sums to 1
    """
    edges = np.arange(slot_count(slot_minutes) + 1) * slot_minutes + span.day_start
    open_minutes = np.diff(np.clip(edges, span.opens, span.closes)).astype(float)
    return np.asarray(open_minutes / open_minutes.sum())


def slots_touched(span: Span, slot_minutes: int) -> tuple[int, int]:
    """First slot of the simulated day in which the window is open, and how many there are."""
    slot_count(slot_minutes)
    first = (span.opens - span.day_start) // slot_minutes
    return first, -(-(span.closes - span.day_start) // slot_minutes) - first


def slot_count(slot_minutes: int) -> int:
    """Slots of a day.

    Raises
    ------
    InputError
        When they do not fill the day evenly.
    """
    if slot_minutes < 1 or DAY_MINUTES % slot_minutes:
        raise InputError(f"slot_minutes is {slot_minutes}; it must divide a day. Use 5, 10, 15, 30 or 60.")
    return DAY_MINUTES // slot_minutes


# --- days and zones


def days_from(start: date, n: int) -> tuple[date, ...]:
    """Consecutive days.

    Raises
    ------
    InputError
        When the horizon is negative or beyond `MAX_DAYS`.
    """
    if not 0 <= n <= MAX_DAYS:
        text = f"A horizon of {whole(n)} days is out of reach; the planner looks 1 to {MAX_DAYS} days ahead."
        raise InputError(f"{text} Ask for fewer days.", field="days")
    return tuple(start + timedelta(days=d) for d in range(n))


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones() | {"UTC"})


def _zone(value: object) -> str:
    if not isinstance(value, str):
        raise refusal("which is no time zone. Write its name, for example Europe/Berlin.")
    name = value.strip()
    if name not in _zones():
        guess = _zone_guess(name[:60])
        meant = f"Did you mean {guess}?" if guess else "Write it as Europe/Berlin or America/New_York."
        raise refusal(f"which is no time zone. {meant}")
    return name


def _zone_guess(name: str) -> str | None:
    """Find the zone by its city, whatever the continent, or by its spelling."""
    cities = {zone.rpartition("/")[2].lower(): zone for zone in sorted(_zones(), key=_seniority)}
    city = name.rpartition("/")[2].lower().replace(" ", "_")
    if city in cities:
        return cities[city]
    return nearest(name, sorted(_zones())) or cities.get(nearest(city, cities) or "")


def _seniority(zone: str) -> tuple[bool, str]:
    return "/" in zone and not zone.startswith(("Etc/", "US/")), zone


Zone = Annotated[str, BeforeValidator(_zone)]
