"""Numbers and days as spreadsheets write them; what one cell leaves open, the others of its column decide."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

from planner.errors import InputError
from planner.inputs.calendars import MAX_DAYS
from planner.inputs.fields import EXAMPLE_DAY, no_number, shown

Place = Callable[[int], str]
"""Says where the n-th of some values stands: "Cell C5", for example."""

NOTHING = ("-", "–", "—")
"""How accountants write 0."""

_BLANKS = re.compile(r"(?<=\d)[ '’\u00a0\u202f](?=\d{3}(?!\d))")
_PLAIN = re.compile(r"[-+]?(?:\d{1,400}(?:\.\d{0,400})?|\.\d{1,400})(?:[eE][-+]?\d{1,3})?", re.ASCII)
_EITHER = re.compile(r"[1-9]\d{0,2}([.,])\d{3}", re.ASCII)
_GROUPS = re.compile(r"[1-9]\d{0,2}([.,])\d{3}(?:\1\d{3}){1,8}", re.ASCII)
_BOTH = re.compile(r"[1-9]\d{0,2}([.,])\d{3}(?:\1\d{3}){0,8}(?!\1)([.,])\d{1,20}", re.ASCII)
_ONE = re.compile(r"\d{0,25}([.,])\d{0,25}", re.ASCII)

_EPOCH = date(1899, 12, 30)
_SERIALS = range(36_526, 73_416)
"""Excel's numbers of the days from 2000 to 2100."""

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAY = re.compile(r"(?:mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6}[.,]?\s+", re.IGNORECASE)
_MIDNIGHT = re.compile(r"[ T]0?0:00(?::00(?:\.0{1,9})?)?Z?$")
_WORD = r"(?:days?|d|runs?|tag|no\.?|#)?\s*#?\s*"
_NUMBERED = re.compile(rf"{_WORD}(\d{{1,3}})\.?", re.IGNORECASE | re.ASCII)
_SPAN = re.compile(rf"{_WORD}(\d{{1,3}})\s*(?:-|–|to)\s*{_WORD}(\d{{1,3}})", re.IGNORECASE | re.ASCII)
_YEAR_FIRST = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})", re.ASCII)
_YEAR_LAST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d{2})", re.ASCII)
_DAY_NAMED = re.compile(r"(\d{1,2})\.?[ -]([a-z]{3,9})\.?,?[ -](\d{4}|\d{2})", re.IGNORECASE | re.ASCII)
_MONTH_NAMED = re.compile(r"([a-z]{3,9})\.? (\d{1,2}),? (\d{4})", re.IGNORECASE | re.ASCII)


# --- numbers


def numbers(values: Sequence[Any], place: Place) -> tuple[list[float], list[str]]:
    """Read volumes; empty is 0.

    A point or a comma before three digits (1.000) is taken for a thousands separator, unless another value shows
    that it is the decimal sign.

    Parameters
    ----------
    values : sequence of text, numbers and None
    place : callable
        Says where the n-th value stands.

    Returns
    -------
    numbers : list of float
    notes : list of str
        What was assumed.

    Raises
    ------
    InputError
        Names the place of the first value that is no number, or could be two.

    Examples
    --------
    >>> numbers(["1,000", "2 500", None, 7], "value {}".format)
    ([1000.0, 2500.0, 0.0, 7.0], ["value 0 is '1,000': it was read as 1,000."])
    """
    decimal = _decimal_sign(values, place)
    found: list[float] = []
    notes: list[str] = []
    for n, value in enumerate(values):
        number = _number(value, decimal)
        if number is None:
            raise InputError(f"{place(n)} is {shown(value)}, {no_number(value, whole_number=False)}")
        if not notes and decimal is None and isinstance(value, str) and _EITHER.fullmatch(value):
            notes.append(f"{place(n)} is {shown(value)}: it was read as {number:,.0f}.")
        found.append(number)
    return found, notes


def _decimal_sign(values: Sequence[Any], place: Place) -> str | None:
    """Find the sign that no reading but as a decimal sign explains, if there is one."""
    signs: dict[str, int] = {}
    for n, value in enumerate(values):
        sign = _sign_of(value) if isinstance(value, str) else None
        if sign is not None:
            signs.setdefault(sign, n)
    if len(signs) > 1:
        a, b = (f"{place(n)} is {shown(values[n])}" for n in sorted(signs.values()))
        raise InputError(f"{a}, but {b}: point and comma change their meaning. Write digits only, without separators.")
    return next(iter(signs), None)


def _sign_of(value: str) -> str | None:
    text = _BLANKS.sub("", value)
    if found := _BOTH.fullmatch(text):
        return found[2]
    if found := _GROUPS.fullmatch(text):
        return "." if found[1] == "," else ","
    if (found := _ONE.fullmatch(text)) and not _EITHER.fullmatch(text):
        return found[1]
    return None


def _number(value: Any, decimal: str | None) -> float | None:
    if value is None:
        return 0.0
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, int | float):
        return _finite(value)
    if value in NOTHING:
        return 0.0
    text = _BLANKS.sub("", value)
    if decimal is None and (found := _EITHER.fullmatch(text)):
        text = text.replace(found[1], "")
    elif decimal == ",":
        text = text.replace(".", "").replace(",", ".") if _separated(text, ",") else text
    elif decimal == ".":
        text = text.replace(",", "") if _separated(text, ".") else text
    return _finite(text) if _PLAIN.fullmatch(text) else None


def _separated(text: str, decimal: str) -> bool:
    """Tell whether point and comma stand where this decimal sign lets them."""
    other = "." if decimal == "," else ","
    pattern = rf"[-+]?(?:\d{{1,3}}(?:{re.escape(other)}\d{{3}}){{1,8}}|\d{{1,25}})?(?:{re.escape(decimal)}\d{{0,25}})?"
    return re.fullmatch(pattern, text) is not None


def _finite(value: int | float | str) -> float | None:
    try:
        number = float(value)
    except (OverflowError, ValueError):
        return None
    return number if abs(number) < float("inf") else None


# --- days


@dataclass(frozen=True)
class Days:
    """What a column of days says.

    Parameters
    ----------
    dates : tuple of date, or None
        One per value, when they are dates.
    numbers : tuple of (first, last), or None
        One per value, when they count days from 1.
    notes : tuple of str
        What was assumed.
    """

    dates: tuple[date, ...] | None
    numbers: tuple[tuple[int, int], ...] | None
    notes: tuple[str, ...] = ()


def is_day(value: object) -> bool:
    """Tell whether a cell could be a date or the number of a day.

    Examples
    --------
    >>> is_day("Day 1"), is_day("2027-01-11"), is_day(46398), is_day("Gmail")
    (True, True, True, False)
    """
    return _kind(value) is not None


def is_named_day(value: object) -> bool:
    """Tell whether a cell says that it is a day: no bare number does."""
    if isinstance(value, str):
        return _kind(value) is not None and not value.strip().rstrip(".").isdigit()
    return isinstance(value, date)


def days(values: Sequence[Any], place: Place) -> Days:
    """Read dates in any usual form, or numbers of days.

    ``11/01/2027`` leaves open which part is the month: a part above 12 anywhere in the column decides, else the
    reading in which the days follow one another.

    Parameters
    ----------
    values : sequence of text, numbers and dates
    place : callable
        Says where the n-th value stands.

    Raises
    ------
    InputError
        Names the place of the first value that is no day, of another kind than those before, or undecided.
    """
    kinds = [_kind(value) for value in values]
    for n, kind in enumerate(kinds):
        if kind is None:
            remedy = f"Write year-month-day, such as {EXAMPLE_DAY}, or number the days from 1."
            raise InputError(f"{place(n)} is {shown(values[n])}, not a day. {remedy}", field="date")
        if (kind == "number") != (kinds[0] == "number"):
            text = f"{place(n)} is {shown(values[n])}, but {place(0)} is {shown(values[0])}"
            raise InputError(f"{text}: dates and numbers of days mix. Keep one kind.", field="date")
    if kinds[:1] == ["number"]:
        return Days(None, tuple(_span(value, place(n)) for n, value in enumerate(values)))
    month_first, notes = _month_first(values, kinds, place)
    dates = tuple(_date(value, month_first, place(n)) for n, value in enumerate(values))
    if "serial" in kinds:
        n = kinds.index("serial")
        notes.append(f"{place(n)} is {shown(values[n])}: it was read as Excel's number of the day {dates[n]}.")
    return Days(dates, None, tuple(notes))


def _kind(value: object) -> str | None:
    """Tell what a cell is as a day: number, serial, open (day and month unclear), date, or None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, date):
        return "date"
    if isinstance(value, int | float):
        if value != value or abs(value) > 1e6 or value != int(value):
            return None
        return "number" if 1 <= value <= MAX_DAYS else "serial" if int(value) in _SERIALS else None
    if not isinstance(value, str) or len(value) > 40:
        return None
    text = _plain_day(value)
    if _NUMBERED.fullmatch(text) or _SPAN.fullmatch(text):
        return "number"
    if re.fullmatch(r"\d{5}(?:\.0)?", text, re.ASCII):
        return "serial" if int(text[:5]) in _SERIALS else None
    if found := _YEAR_LAST.fullmatch(text):
        return "date" if found[2] == "." else "open"
    named = (_DAY_NAMED.fullmatch(text), 2), (_MONTH_NAMED.fullmatch(text), 1)
    if any(found is not None and found[k][:3].lower() in _MONTHS for found, k in named):
        return "date"
    return "date" if _YEAR_FIRST.fullmatch(text) else None


def _plain_day(text: str) -> str:
    return _MIDNIGHT.sub("", _WEEKDAY.sub("", text.strip()))


def _span(value: Any, place: str) -> tuple[int, int]:
    if not isinstance(value, str):
        return int(value), int(value)
    text = _plain_day(value)
    found = _NUMBERED.fullmatch(text) or _SPAN.fullmatch(text)
    first, last = (int(found[1]), int(found[found.re.groups])) if found else (0, 0)
    if not 1 <= first <= last <= MAX_DAYS:
        raise InputError(f"{place} is {shown(value)}. Number the days from 1 to {MAX_DAYS}, upwards.", field="date")
    return first, last


def _month_first(values: Sequence[Any], kinds: Sequence[str | None], place: Place) -> tuple[bool, list[str]]:
    """Tell whether the month comes first in dates such as 11/01/2027, and say so."""
    undecided = [n for n, kind in enumerate(kinds) if kind == "open"]
    if not undecided:
        return False, []
    parts = [
        (int(found[1]), int(found[3])) for n in undecided if (found := _YEAR_LAST.fullmatch(_plain_day(values[n])))
    ]
    day_first, month_first = any(a > 12 for a, _ in parts), any(b > 12 for _, b in parts)
    if day_first == month_first:
        fits = [_follow([_tried(values[n], guess) for n in undecided]) for guess in (False, True)]
        same = all(a == b for a, b in parts)
        if day_first or (fits[0] == fits[1] and not same):
            text = f"{place(undecided[0])} is {shown(values[undecided[0]])}: which part is the month?"
            raise InputError(f"{text} Write year-month-day, such as {EXAMPLE_DAY}.", field="date")
        month_first = fits[1] and not fits[0]
    order = "month first" if month_first else "day first"
    return month_first, [f"{place(undecided[0])} is {shown(values[undecided[0]])}: it was read with the {order}."]


def _tried(value: str, month_first: bool) -> date | None:
    try:
        return _date(value, month_first, "")
    except InputError:
        return None


def _follow(found: Sequence[date | None]) -> bool:
    """Tell whether the dates go forward, never by more than a week."""
    if len(found) < 2:
        return False
    return all(a is not None and b is not None and 0 < (b - a).days <= 7 for a, b in pairwise(found))


def _date(value: Any, month_first: bool, place: str) -> date:
    if isinstance(value, datetime):
        if value.hour or value.minute:
            text = f"{place} is {value}, not a day. Write it without a time: {value.date()}."
            raise InputError(text, field="date")
        value = value.date()
    if isinstance(value, date):
        return _in_range(value, place)
    if isinstance(value, int | float):
        return _EPOCH + timedelta(days=int(value))
    text = _plain_day(value)
    if text[:5].isdigit():
        return _EPOCH + timedelta(days=int(text[:5]))
    year, month, day = _parts(text, month_first)
    try:
        return _in_range(date(year + 2000 if year < 100 else year, month, day), place)
    except ValueError:
        text = f"{place} is {shown(value)}, a day that no calendar has. Write year-month-day, such as {EXAMPLE_DAY}."
        raise InputError(text, field="date") from None


def _parts(text: str, month_first: bool) -> tuple[int, int, int]:
    if found := _YEAR_FIRST.fullmatch(text):
        return int(found[1]), int(found[3]), int(found[4])
    if found := _YEAR_LAST.fullmatch(text):
        a, b = int(found[1]), int(found[3])
        return int(found[4]), *((a, b) if month_first and found[2] != "." else (b, a))
    if found := _DAY_NAMED.fullmatch(text):
        return int(found[3]), _MONTHS.index(found[2][:3].lower()) + 1, int(found[1])
    found = _MONTH_NAMED.fullmatch(text)
    return (int(found[3]), _MONTHS.index(found[1][:3].lower()) + 1, int(found[2])) if found else (0, 0, 0)


def _in_range(day: date, place: str) -> date:
    if not 2000 <= day.year <= 2100:
        raise InputError(f"{place} is {day}, which is outside the years 2000 to 2100. Check the year.", field="date")
    return day
