"""When somebody last opened or clicked, as exports write it: dates in any order, and which order a list means."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

NO_DATE = "no such date"
FUTURE = "date in the future"

_PREFIX = 11  # a date in figures and what ends it, so that all times of a day are one text
_UNCLEAR = -1
_MAX_KEPT = 200_000
_NOBODY_MAILED = 1980  # earlier dates, such as 1970-01-01, stand for none
_END = r"(?=[t ,]|$)"
_YEAR_FIRST = re.compile(rf"(\d{{4}})([-/.])(\d{{1,2}})\2(\d{{1,2}}){_END}", re.ASCII)
_ONLY_FIGURES = re.compile(rf"(\d{{4}})()(\d\d)(\d\d){_END}", re.ASCII)
_YEAR_LAST = re.compile(rf"(\d{{1,2}})([-/.])(\d{{1,2}})\2(\d{{4}}|\d\d){_END}", re.ASCII)
_DAY_MONTH = re.compile(
    r"(?:[a-z]{2,10}[.,]{0,2} )?(\d{1,2})(?:st|nd|rd|th|\.)?[ -]{1,2}"
    rf"([a-zä]{{3,10}})\.?[ ,-]{{1,2}}(\d{{4}}|\d\d){_END}",
    re.ASCII,
)
_MONTH_DAY = re.compile(rf"([a-zä]{{3,10}})\.? (\d{{1,2}})(?:st|nd|rd|th)?,? (\d{{4}}){_END}", re.ASCII)
_SECONDS = re.compile(r"(\d{10})(?:\d{3})?", re.ASCII)
_NEVER = {
    "",
    "-",
    "0",
    "null",
    "none",
    "nil",
    "n/a",
    "na",
    "#n/a",
    "nan",
    "nat",
    "\\n",
    "never",
    "nie",
    "jamais",
    "nunca",
}
_MONTHS = {
    "jan": 1, "jän": 1, "feb": 2, "mar": 3, "mär": 3, "mrz": 3, "apr": 4, "may": 5, "mai": 5, "jun": 6,
    "jul": 7, "aug": 8, "sep": 9, "oct": 10, "okt": 10, "nov": 11, "dec": 12, "dez": 12,
}  # fmt: skip


class Reading(NamedTuple):
    """A cell as it reads with the day first, and with the month first.

    A segment counts from the most engaged, 0; the last is never. A problem is empty where there is none.
    """

    day_first: int
    month_first: int
    day_first_problem: str = ""
    month_first_problem: str = ""


class Dates:
    """Reads cells that say when somebody last opened or clicked; each text once.

    Parameters
    ----------
    today : date
        Days are counted back from here.
    limits : sequence of int, days, rising
        Segment `i` holds those whose date is at most ``limits[i]`` days old; then follow those engaged before,
        and never.
    """

    def __init__(self, today: date, limits: Sequence[int]) -> None:
        self.never = len(limits) + 1
        self.readings: list[Reading] = []
        self._today, self._limits = today, list(limits)
        self._codes: dict[Reading, int] = {}
        self._short = _Kept(self._read_start)
        self._whole = _Kept(self._read_cell)
        self._pairs = _Kept(self._read_several)

    def codes(self, columns: Sequence[list[str]]) -> list[int]:
        """Number of each row's reading, the latest date of the row's columns."""
        each = [self._column(cells) for cells in columns]
        return each[0] if len(each) == 1 else [self._pairs[codes] for codes in zip(*each, strict=True)]

    def _column(self, cells: list[str]) -> list[int]:
        short = self._short
        codes = [short[cell[:_PREFIX]] for cell in cells]
        if _UNCLEAR in codes:
            whole = self._whole
            codes = [whole[cell[:80]] if code == _UNCLEAR else code for cell, code in zip(cells, codes, strict=True)]
        return codes

    def _read_start(self, text: str) -> int:
        found = _figures(text.lstrip())
        if found is None:
            return self._code(None) if text.strip() in _NEVER and len(text) < _PREFIX else _UNCLEAR
        return self._code(found)

    def _read_cell(self, text: str) -> int:
        text = text.strip()
        return self._code(None if text in _NEVER else _figures(text) or _words(text) or (None, None))

    def _read_several(self, codes: tuple[int, ...]) -> int:
        found = [self.readings[code] for code in codes]
        segments = min(one.day_first for one in found), min(one.month_first for one in found)
        problems = max(one.day_first_problem for one in found), max(one.month_first_problem for one in found)
        return self._number(Reading(*segments, *problems))

    def _code(self, days: _Days | None) -> int:
        if days is None:
            return self._number(Reading(self.never, self.never))
        (first, problem), (second, other) = map(self._segment, days)
        return self._number(Reading(first, second, problem, other))

    def _number(self, reading: Reading) -> int:
        if reading not in self._codes:
            self._codes[reading] = len(self.readings)
            self.readings.append(reading)
        return self._codes[reading]

    def _segment(self, day: date | None) -> tuple[int, str]:
        if day is None:
            return self.never, NO_DATE
        if day.year < _NOBODY_MAILED:
            return self.never, ""
        age = (self._today - day).days
        if age < -1:  # tomorrow has begun elsewhere
            return self.never, FUTURE
        return bisect_left(self._limits, age), ""


class _Kept(dict):  # type: ignore[type-arg]
    """Answers of a function, as long as they are not too many."""

    def __init__(self, function: Callable[[Any], int]) -> None:
        super().__init__()
        self._function = function

    def __missing__(self, key: object) -> int:
        if len(self) >= _MAX_KEPT:
            self.clear()
        self[key] = self._function(key)
        return int(self[key])


def looks_like_date(text: str) -> bool:
    """Tell whether a cell holds a day that exists, however it is written."""
    text = text.strip()[:80]
    return any(day is not None for day in _figures(text) or _words(text) or ())


# --- what is written: (the day if the day stands first, the day if the month does)

_Days = tuple[date | None, date | None]


def _figures(text: str) -> _Days | None:
    if found := _YEAR_FIRST.match(text) or _ONLY_FIGURES.match(text):
        return _twice(_day(found[1], found[3], found[4]))
    if found := _YEAR_LAST.match(text):
        first, mark, second, year = found.groups()
        day_first = _day(year, second, first)
        return (day_first, day_first if mark == "." else _day(year, first, second))
    return None


def _words(text: str) -> _Days | None:
    if found := _DAY_MONTH.match(text):
        return _twice(_day(found[3], _MONTHS.get(found[2][:3], 0), found[1]))
    if found := _MONTH_DAY.match(text):
        return _twice(_day(found[3], _MONTHS.get(found[1][:3], 0), found[2]))
    if found := _SECONDS.fullmatch(text):
        return _twice(datetime.fromtimestamp(int(found[1]), UTC).date())
    return None


def _twice(day: date | None) -> _Days:
    return day, day


def _day(year: str, month: str | int, day: str) -> date | None:
    try:
        return date(int(year) + 2000 * (len(year) == 2), int(month), int(day))
    except ValueError:  # no such day: told as that
        return None if int(year) else date.min
