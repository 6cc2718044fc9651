"""Numbers, dates and text as people write them, and the sentences that refuse them."""

from __future__ import annotations

import calendar
import difflib
import re
import reprlib
from collections.abc import Callable, Iterable
from datetime import date, datetime
from math import floor, isfinite
from numbers import Integral, Real
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic_core import PydanticCustomError

Place = tuple[str | int, ...]

# How a validator names its branches, for fields that take one number or one per provider: no part of a place.
ONE_NUMBER, BY_PROVIDER = "<one number>", "<by provider>"

EXAMPLE_DAY = "2026-11-25"
_DECIMAL = re.compile(r"\s*[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?\s*", re.ASCII)
_WHOLE = re.compile(r"\s*[-+]?[0-9]{1,25}\s*")


class Checked(BaseModel):
    """What people write: frozen, unknown fields refused, numbers finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True)


# --- saying values and places


class _Short(reprlib.Repr):
    """Values as messages show them: one short line, whatever they are."""

    def repr_int(self, x: int, level: int) -> str:
        return repr(x) if x.bit_length() < 200 else "a number of hundreds of digits"

    def repr_date(self, x: date, level: int) -> str:
        return x.isoformat()

    def repr_NoneType(self, x: None, level: int) -> str:  # noqa: N802 - reprlib finds it by the type's name
        return "empty"

    def repr_bool(self, x: bool, level: int) -> str:
        return str(x).lower()


_SHORT = _Short()
_SHORT.maxstring = _SHORT.maxother = 50
_SHORT.maxlevel = 2
_SHORT.maxdict = _SHORT.maxlist = _SHORT.maxtuple = 3


def shown(value: object) -> str:
    """Write a value as messages show it, shortened.

    Examples
    --------
    >>> shown("12,O00"), shown(date(2026, 11, 25)), shown(None)
    ("'12,O00'", '2026-11-25', 'empty')
    """
    return _SHORT.repr(value)


def dotted(place: Iterable[str | int]) -> str:
    """Write the place of a field.

    Examples
    --------
    >>> dotted(("audience", "segments", 1, "share"))
    'audience.segments[1].share'
    """
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{_name(key)}" for key in place)
    return text.removeprefix(".") or "the file"


def _name(key: str) -> str:
    return key if len(key) <= 50 and key.isprintable() else shown(key)[1:-1]


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Find the known word that was probably meant.

    Examples
    --------
    >>> nearest("gmial", ["gmail", "yahoo"]), nearest("Gmail", ["gmail"])
    ('gmail', 'gmail')
    """
    by_lower = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.lower()[:50], by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def unknown(what: str, word: object, known: Iterable[str], where: str = "") -> str:
    """Say that a name is unknown, which one was probably meant, and which there are.

    Examples
    --------
    >>> unknown("provider", "gmial", ["gmail", "yahoo"])
    "Unknown provider 'gmial'. Did you mean 'gmail'? Known: gmail, yahoo."
    """
    names = list(known)
    guess = nearest(word, names) if isinstance(word, str) else None
    meant = f" Did you mean '{guess}'?" if guess else ""
    return f"Unknown {what} {shown(word)}{where}.{meant} Known: {', '.join(names)}."


# --- refusing


def refusal(text: str, *path: str | int) -> PydanticCustomError:
    """Make the error that a validator raises: ``text`` follows "<field> is <value>, ".

    When it begins with a capital letter it follows "<field>: ", and with a `path` (relative to the model) it
    is the whole sentence.
    """
    return PydanticCustomError("planner", "{text}", {"text": text, "path": path})


def nothing_as(default: Any) -> Callable[[Any], Any]:
    """Make a validator that takes "I don't know" in its forms (empty, ``unknown``) for the default."""

    def validator(value: Any) -> Any:
        return default if value is None or (isinstance(value, str) and unknown_answer(value)) else value

    return validator


def unknown_answer(text: str) -> bool:
    """Tell whether somebody answered that they do not know.

    Examples
    --------
    >>> unknown_answer("I don't know"), unknown_answer("no")
    (True, False)
    """
    return text.strip().lower().replace("’", "'") in {"unknown", "i don't know", "don't know", "?"}


# --- numbers, dates and text as people write them


def no_number(value: object, *, whole_number: bool) -> str:
    """Say that a value is no number, and which one was probably meant.

    Examples
    --------
    >>> no_number("12,O00", whole_number=True)
    'not a whole number. Write digits only: 12000.'
    """
    kind = "not a whole number" if whole_number else "not a number"
    if isinstance(value, float) and isfinite(value) and abs(value) < 1e15:
        return f"{kind}. Write {floor(value)} or {floor(value) + 1}."
    guess = _guessed_number(value, whole_number) if isinstance(value, str) else None
    if guess is not None:
        return f"{kind}. Write digits only: {guess}."
    return f"{kind}. Write digits only, for example {'12000' if whole_number else '12000 or 0.05'}."


def _guessed_number(text: str, whole_number: bool) -> str | None:
    """Read what was probably meant: a letter for a digit, separators, a decimal comma, a percentage, 100k."""
    plain = text.strip()[:40].translate(str.maketrans("OolI", "0011"))
    plain = re.sub(r"(?<=\d)[\s'’_\u00a0\u202f](?=\d)", "", plain)
    if found := re.fullmatch(r"(\d{1,3}(?:\.\d+)?)\s*%", plain):
        return f"{float(found[1]) / 100:g}"
    if found := re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kKmM])", plain):
        return f"{float(found[1]) * (1e3 if found[2] in 'kK' else 1e6):.0f}"
    if re.fullmatch(r"[1-9]\d{0,2}([.,]\d{3})+", plain):
        return re.sub(r"[.,]", "", plain)
    if not whole_number and re.fullmatch(r"\d+,\d+", plain):
        return plain.replace(",", ".")
    return plain if re.fullmatch(r"\d+", plain) else None


def _whole_number(value: Any) -> int:
    if _is(Integral, value):
        return int(value)
    if isinstance(value, float) and isfinite(value) and value == floor(value):
        return int(value)
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value)
    if isinstance(value, str) and value.strip().isdecimal():
        raise refusal(f"which is too large: a number of {len(value.strip()):,} digits. Write a smaller one.")
    raise refusal(no_number(value, whole_number=True))


def _number(value: Any) -> float:
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        return _finite(value[:400])
    if _is(Real, value):
        return _finite(value)
    raise refusal(no_number(value, whole_number=False))


def _is(kind: type, value: object) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)  # true is no 1 here


def _finite(value: Any) -> float:
    try:
        number = float(value)
    except OverflowError:  # a whole number of hundreds of digits
        number = float("inf")
    if not isfinite(number):
        raise refusal("not a finite number. Write a number, or leave it out.")
    return number


def day_of(value: object) -> date:
    """Read a day, or raise the refusal that says how to write one.

    Examples
    --------
    >>> day_of("2026-11-25")
    datetime.date(2026, 11, 25)
    """
    if type(value).__name__ == "NaTType":  # pandas' missing date calls itself a datetime
        raise refusal("missing. Write year-month-day.")
    if isinstance(value, datetime):
        if value != datetime(value.year, value.month, value.day, tzinfo=value.tzinfo):
            raise refusal(f"not a day. Write it without a time: {value.date().isoformat()}.")
        value = value.date()
    if isinstance(value, str):
        value = _day_of_text(value.strip())
    if not isinstance(value, date):
        raise refusal(f"not a date. Write year-month-day, for example {EXAMPLE_DAY}.")
    if not 2000 <= value.year <= 2100:
        raise refusal("which is outside the years 2000 to 2100. Check the year.")
    return value


def _day_of_text(text: str) -> date:
    if found := re.fullmatch(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})", text):
        return _existing(*map(int, found.groups()))
    if found := re.fullmatch(r"([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4})", text):
        day, month, year = map(int, found.groups())
        raise refusal(f"not a date. Write year-month-day: {year}-{month:02}-{day:02}.")
    raise refusal(f"not a date. Write year-month-day, for example {EXAMPLE_DAY}.")


def _existing(year: int, month: int, day: int) -> date:
    if not 1 <= month <= 12:
        raise refusal(f"not a date: there is no month {month}. Write year-month-day, such as {EXAMPLE_DAY}.")
    if not 2000 <= year <= 2100:
        raise refusal("which is outside the years 2000 to 2100. Check the year.")
    days = calendar.monthrange(year, month)[1]
    if not 1 <= day <= days:
        raise refusal(f"not a date: {calendar.month_name[month]} {year} has {days} days. Write another day.")
    return date(year, month, day)


def _text(value: object) -> str:
    if isinstance(value, int | float | date) and not isinstance(value, bool):
        value = shown(value)  # a list named 2026
    if not isinstance(value, str):
        raise refusal("not text. Write a word, in quotes if need be.")
    if not value.isprintable():
        raise refusal("which has control characters. Write it on one line of plain text.")
    if len(value) > 200:
        raise refusal("which is too long. Write at most 200 characters.")
    return value.strip()


Whole = Annotated[int, BeforeValidator(_whole_number)]
Number = Annotated[float, BeforeValidator(_number)]
Day = Annotated[date, BeforeValidator(day_of)]
Text = Annotated[str, BeforeValidator(_text)]
