"""Rows of a table of counts, checked one by one: what a frame or a file says of a provider's day."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from planner.errors import InputError
from planner.inputs.catalogue import catalogue
from planner.inputs.fields import Day, Number, nearest, shown, unknown
from planner.inputs.provider_names import ProviderNames
from planner.observing.words import without_names
from planner.vocabulary import Cause, whole

if TYPE_CHECKING:
    import pandas as pd

CAUSES: tuple[Cause, ...] = tuple(Cause)
MEASURES = (
    "sent", "attempts", "delivered", "deferred", "first_deferred",
    "hard_bounced", "blocked", "expired", "complaints",
)  # fmt: skip
COLUMNS = (*MEASURES, *(f"deferred_{cause}" for cause in CAUSES))
"""Counts of a provider's day, in the order of every table."""

MAX_COUNT = 1e10
MAX_DAYS = 1000
MAX_ROWS = 1_000_000
RANGE = f"Write a whole number from 0 to {MAX_COUNT:,.0f}."

_NEEDED = ("date", "provider", "sent")
_ID = re.compile(r"(?=.{1,64}$)[a-z0-9]+(-[a-z0-9]+)*")
_DAY = TypeAdapter[date](Day)
_NUMBER = TypeAdapter[float](Number)

Cells = dict[tuple[str, date], dict[str, float]]


def is_id(name: object) -> bool:
    """Tell whether this can be a provider's id; no address can.

    Examples
    --------
    >>> is_id("gmx-webde"), is_id("163"), is_id("ann@example.org")
    (True, True, False)
    """
    return isinstance(name, str) and _ID.fullmatch(name) is not None


def cells_of(frame: pd.DataFrame) -> Cells:
    """Read a table as `Observations.from_frame` does: counts by provider and day, without those not known."""
    if not hasattr(frame, "columns"):
        raise InputError(
            f"A table is a pandas DataFrame, not {type(frame).__name__}. For a file: `wp.read_observations(path)`."
        )
    _check_columns([str(column) for column in frame.columns])
    if not 0 < len(frame) <= MAX_ROWS:
        raise InputError(f"The table has {whole(len(frame))} rows. Give 1 to {whole(MAX_ROWS)}.")
    names = ProviderNames(catalogue())
    known: dict[str, str] = {}
    cells: Cells = {}
    seen: dict[tuple[str, date], int] = {}
    given = [name for name in COLUMNS if name in frame]
    lines = zip(*(frame[name].tolist() for name in ("date", "provider", *given)), strict=True)
    for number, (day, provider, *counts) in enumerate(lines, 1):
        key = _provider(provider, number, names, known), _day(day, number)
        if key in seen:
            text = f"Rows {whole(seen[key])} and {whole(number)} both give {key[0]} on {key[1]}."
            raise InputError(f"{text} Add them up if they count different mail; else keep one.", field="provider")
        seen[key] = number
        values = {name: count(value, number, name) for name, value in zip(given, counts, strict=True)}
        cells[key] = {name: value for name, value in values.items() if value is not None}
    return cells


def count(value: Any, row: int, column: str) -> float | None:
    """Read one count; None where the cell is empty."""
    if value is None or value != value or (isinstance(value, str) and not value.strip()):  # NaN differs from itself
        return None
    if type(value).__name__ in ("NaTType", "NAType"):
        return None
    try:
        number = _NUMBER.validate_python(value)
    except ValidationError as error:
        raise in_cell(row, column, value, _reason(error)) from None
    if not 0 <= number <= MAX_COUNT or number != int(number):
        share = " It looks like a share." if 0 < number < 1 else ""
        raise in_cell(row, column, value, f"not a count.{share} {RANGE}")
    return number


def in_cell(row: int, column: str, value: object, reason: str) -> InputError:
    """Say what is wrong in a cell, without anybody's address."""
    joint = "." if reason[:1].isupper() else ","
    text = without_names(f"Row {whole(row)}, column {column} is {shown(value)}{joint} {reason}")
    return InputError(text, field=column)


def _provider(value: Any, row: int, names: ProviderNames, known: dict[str, str]) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)  # the provider 163
    if not isinstance(value, str) or not value.strip():
        raise in_cell(row, "provider", value, "not a name. Write a provider's id, such as gmail.")
    word = value.strip()
    if word not in known:
        if "@" in word:
            raise InputError(f"Row {whole(row)}, column provider holds an address. Write its provider or domain.")
        found = names.find(word)
        if len(found) != 1:
            several = f" is {' and '.join(found)}: give each a row." if found else None
            text = f"Row {whole(row)}: {shown(word)}{several}" if several else _stranger(row, word)
            raise InputError(text, field="provider")
        known[word] = found[0]
    return known[word]


def _stranger(row: int, word: str) -> str:
    return f"Row {whole(row)}: {unknown('provider', word, catalogue().providers)}"


def _day(value: Any, row: int) -> date:
    try:
        return _DAY.validate_python(value)
    except ValidationError as error:
        raise in_cell(row, "date", value, _reason(error)) from None


def _reason(error: ValidationError) -> str:
    detail = error.errors(include_url=False)[0]
    return str(detail.get("ctx", {}).get("text", detail["msg"]))


def _check_columns(columns: Sequence[str]) -> None:
    known = ("date", "provider", *COLUMNS)
    missing = next((name for name in _NEEDED if name not in columns), None)
    if missing is not None:
        guess = nearest(missing, [name for name in columns if name not in known])
        meant = f" Is it '{without_names(guess)}'? Rename it." if guess else " Add it."
        raise InputError(f"The table lacks the column '{missing}'.{meant} Columns: {', '.join(known)}.", field=missing)
    surplus = next((name for name in columns if name not in known), None)
    if surplus is not None:
        raise InputError(without_names(unknown("column", surplus, known)), field=without_names(surplus)[:50])
    twice = next((name for name in known if columns.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"The table has the column '{twice}' twice. Keep one.", field=twice)
