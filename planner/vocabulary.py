"""The words of the field: enumerations, array aliases, and numbers and dates as people say them."""

from __future__ import annotations

import math
from datetime import date
from enum import StrEnum
from textwrap import shorten
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

HALF = 0.5 + 1e-9
"""Half messages round up, also those that arithmetic leaves a hair below."""

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


class Cause(StrEnum):
    """Why an attempt was answered 4xx; the order is that of every causes axis."""

    LIMIT = "limit"
    PENALTY = "penalty"
    GREYLISTING = "greylisting"
    SYSTEM = "system"
    STUCK = "stuck"
    REPUTATION = "reputation"
    AUTHENTICATION = "authentication"


class ReplyCause(StrEnum):
    """Why a server refused, as its reply tells."""

    GREYLISTING = "greylisting"
    RATE_LIMIT = "rate_limit"
    CONNECTION_LIMIT = "connection_limit"
    REPUTATION = "reputation"
    BLOCKLIST = "blocklist"
    AUTHENTICATION = "authentication"
    OVERLOAD = "overload"
    MAILBOX_FULL = "mailbox_full"
    UNKNOWN_RECIPIENT = "unknown_recipient"
    CONTENT = "content"
    POLICY = "policy"
    DNS = "dns"
    TLS = "tls"
    SIZE = "size"
    NETWORK = "network"
    OTHER = "other"


class Verdict(StrEnum):
    """What happens to the ramp tomorrow, the mildest first."""

    GO_ON = "go_on"
    HOLD = "hold"
    STEP_BACK = "step_back"
    STOP = "stop"

    @property
    def gravity(self) -> int:
        """Its place in the order, 0 for the mildest."""
        return tuple(Verdict).index(self)


class Confidence(StrEnum):
    """How far a number can be trusted, best first."""

    OFFICIAL = "official"
    PRACTITIONER = "practitioner"
    INFERRED = "inferred"
    DEFAULT = "default"


class Weekday(StrEnum):
    """Day of the week, Monday first as in ``date.weekday()``."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


WEEKDAYS: tuple[Weekday, ...] = tuple(Weekday)


def in_100(probability: float) -> str:
    """Say a probability in counts.

    Certainty is only said of certainty: 0.999 is "more than 99 in 100".

    Examples
    --------
    >>> in_100(0.7137), in_100(0.0), in_100(0.001), in_100(0.999)
    ('71 in 100', '0 in 100', 'less than 1 in 100', 'more than 99 in 100')
    """
    count = round(100 * probability)
    if count == 0 and probability > 0:
        return "less than 1 in 100"
    if count == 100 and probability < 1:
        return "more than 99 in 100"
    return f"{count} in 100"


def rounded(value: float) -> str:
    """Say a forecast number with two significant digits; below 100 to the whole message.

    Examples
    --------
    >>> rounded(49_731), rounded(1_250), rounded(57.0), rounded(0.0)
    ('50,000', '1,200', '57', '0')
    """
    if not math.isfinite(value) or abs(value) < 100:
        return whole(value)
    digits = 1 - math.floor(math.log10(abs(value)))
    return f"{round(value, digits):,.0f}"


def whole(value: float) -> str:
    """Say a count exactly, with thousands separators.

    Examples
    --------
    >>> whole(12345.2)
    '12,345'
    """
    return f"{round(value):,}" if math.isfinite(value) else "unknown"


def duration(seconds: float) -> str:
    """Say how long something takes, with two significant digits.

    Examples
    --------
    >>> duration(300.0), duration(5_400.0), duration(172_800.0), duration(45_000.0)
    ('5 min', '1.5 h', '2 days', '12 h')
    """
    if seconds < 59.5:
        return f"{seconds:.2g} s"
    if seconds < 59.5 * 60.0:
        return f"{seconds / 60.0:.2g} min"
    if seconds < 47.5 * 3600.0:
        return f"{seconds / 3600.0:.2g} h"
    return f"{seconds / 86_400.0:.2g} days"


def day_text(day: date) -> str:
    """Say a date with its weekday, in English whatever the machine's locale.

    Examples
    --------
    >>> day_text(date(2026, 11, 25))
    'Wednesday 25 November 2026'
    """
    return f"{_WEEKDAYS[day.weekday()]} {day.day} {_MONTHS[day.month - 1]} {day.year}"


def short_day(day: date, since: date | None = None) -> str:
    """Say a date briefly, for table columns; with its year where that is not the year of `since`.

    Examples
    --------
    >>> short_day(date(2026, 11, 25)), short_day(date(2027, 1, 2), since=date(2026, 11, 25))
    ('Wed 25 Nov', 'Sat 2 Jan 2027')
    """
    year = "" if since is None or day.year == since.year else f" {day.year}"
    return f"{_WEEKDAYS[day.weekday()][:3]} {day.day} {_MONTHS[day.month - 1][:3]}{year}"


def dates_text(first: date, last: date, since: date | None = None) -> str:
    """Say a span of days briefly; with the year where that is not the year of `since`.

    Examples
    --------
    >>> dates_text(date(2026, 12, 3), date(2026, 12, 9)), dates_text(date(2026, 11, 28), date(2026, 12, 3))
    ('3–9 Dec', '28 Nov–3 Dec')
    >>> dates_text(date(2027, 1, 2), date(2027, 1, 2), since=date(2026, 11, 25))
    '2 Jan 2027'
    """
    start, end = (f"{day.day} {_MONTHS[day.month - 1][:3]}" for day in (first, last))
    years = ["" if since is None or day.year == since.year else f" {day.year}" for day in (first, last)]
    if first == last:
        return f"{end}{years[1]}"
    if first.year != last.year:
        return f"{start}{years[0]}–{end}{years[1]}"
    if first.month == last.month:
        return f"{first.day}–{end}{years[1]}"
    return f"{start}–{end}{years[1]}"


def weekday_text(day: Weekday) -> str:
    """Say a weekday in the plural.

    Examples
    --------
    >>> weekday_text(Weekday.FRI)
    'Fridays'
    """
    return f"{_WEEKDAYS[WEEKDAYS.index(day)]}s"


def agreeing(name: str, one: str, many: str) -> str:
    """Return the verb that agrees with a name: some providers are several.

    Examples
    --------
    >>> agreeing("Gmail", "holds", "hold"), agreeing("Yahoo and AOL", "holds", "hold")
    ('holds', 'hold')
    """
    several = " and " in name or name.startswith("All ") or name.endswith("gateways")
    return many if several else one


class _Summed(Protocol):
    def summary(self) -> str: ...


def brief(result: _Summed) -> str:
    """Show a result in a line, the first of its summary: its fields would fill screens."""
    return f"<{type(result).__name__}: {shorten(result.summary().splitlines()[0], 150, placeholder=' …')}>"
