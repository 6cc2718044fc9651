"""Reads YAML or JSON without trusting it, remembers every field's line; writes files whole or not at all."""

from __future__ import annotations

import json
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import Any

import yaml

from planner.errors import InputError
from planner.inputs.checking import Marks, validated
from planner.inputs.fields import Place, dotted, nearest, shown

__all__ = ["Marks", "parse", "parse_json", "read", "save_text", "validated"]

MAX_BYTES = 1_000_000
MAX_DEPTH = 20
MAX_VALUES = 50_000

_TOO_DEEP = f"is nested deeper than {MAX_DEPTH} levels; a sender takes five. Flatten it."

# The C parser is fifty times faster; the other one stands in where PyYAML was built without it.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_NULL = {"", "~", "null", "Null", "NULL"}
_TRUE = {"true", "True", "TRUE"}
_FALSE = {"false", "False", "FALSE"}
_NOT_FINITE = re.compile(r"[-+]?(\.(inf|Inf|INF)|Infinity)|\.(nan|NaN|NAN)|NaN")
_WHOLE = re.compile(r"[-+]?[0-9]{1,25}")
# 12.000 is twelve thousand to some and twelve to others: it stays text, and a field of whole numbers asks.
_AMBIGUOUS = re.compile(r"[1-9][0-9]{0,2}(\.000)+")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SURROGATES = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")


def read(path: str | Path) -> tuple[Any, Marks]:
    """Read a YAML or JSON file without trusting it.

    Numbers follow YAML 1.2 (no octals, no 22:00 that means 1320), dates are dates, ``yes`` and ``no`` stay
    text that a yes-or-no field accepts, and keys are always text.

    Parameters
    ----------
    path : str or Path
        File of at most 1 MB; ``.json`` is read as JSON, anything else as YAML.

    Returns
    -------
    data : dict, list or scalar
        What the file holds.
    marks : dict from tuple of keys and positions to int
        Line of each field, from 1: ``marks[("audience", "providers", "gmail")]``.

    Raises
    ------
    InputError
        When the file is missing, is no plain text, is too large or too deep, repeats a key, or uses aliases,
        anchors, tags or numbers that are not finite.
    """
    path = Path(path)
    return parse(_bytes(path), file=path, as_json=path.suffix.lower() == ".json")


def parse(text: str | bytes, *, file: str | Path | None = None, as_json: bool = False) -> tuple[Any, Marks]:
    """Read YAML or JSON text as `read` does; `file` is only named in messages.

    Examples
    --------
    >>> parse("volume: 5")
    ({'volume': 5}, {(): 1, ('volume',): 1})
    """
    if len(text) > MAX_BYTES:
        raise _problem(_too_large(len(text)), file)
    content = _decoded(text, file) if isinstance(text, bytes) else text
    return _Document(_json_as_yaml(content) if as_json else content, file).read()


def parse_json(text: str, *, what: str, max_bytes: int = 20 * MAX_BYTES) -> Any:
    """Read JSON that this project wrote: larger than what people write, and without lines to remember.

    Raises
    ------
    InputError
        When it is too large, no JSON, too deep, or has numbers that are not finite; `what` names the text.
    """
    if len(text) > max_bytes:
        raise InputError(f"{what} {_too_large(len(text), max_bytes)}")
    try:
        return json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        message = f"{what} is no JSON: {error.msg}. Was it cut off, or edited by hand?"
        raise InputError(message, line=error.lineno) from None
    except (RecursionError, ValueError):  # too deep, NaN, or a number of thousands of digits
        raise InputError(f"{what} holds what no plan holds. Write it again from the planner.") from None


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def save_text(path: str | Path, text: str) -> None:
    """Write a file whole or not at all: a reader sees the old content or the new, never half of it.

    Raises
    ------
    InputError
        When the folder is missing or may not be written to.
    """
    target = Path(path)
    try:
        target = target.resolve()  # a link keeps pointing to the file
        draft = target.with_name(f".{target.name[:100]}.{secrets.token_hex(4)}.tmp")
        try:
            with draft.open("x", encoding="utf-8", newline="\n") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            draft.replace(target)
        finally:
            with suppress(OSError):  # gone already when all went well
                draft.unlink(missing_ok=True)
    except (OSError, ValueError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputError(f"cannot be written: {reason}. Choose another place.", file=path) from error


# --- bytes and text


def _bytes(path: Path) -> bytes:
    try:
        kind = path.stat()
        _refuse_odd(path, kind)
        with path.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise InputError(f"There is no such file.{_neighbour(path)}", file=path) from None
    except PermissionError:
        raise InputError("may not be read by you. Change its permissions, or copy it.", file=path) from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}. Check the path.", file=path) from None
    except ValueError:  # a NUL in the name
        raise InputError("is no file name. Check the path.", file=shown(str(path))) from None


def _refuse_odd(path: Path, kind: os.stat_result) -> None:
    if stat.S_ISDIR(kind.st_mode):
        raise InputError("is a folder. Name the file inside it.", file=path)
    if not stat.S_ISREG(kind.st_mode):
        raise InputError("is no plain file. Name a YAML or JSON file.", file=path)
    if kind.st_size > MAX_BYTES:
        raise InputError(_too_large(kind.st_size), file=path)


def _too_large(size: int, most: int = MAX_BYTES) -> str:
    return f"is {size / 1e6:,.1f} MB large; {most / 1e6:g} MB is the most. Is it a list of addresses or a log?"


def _neighbour(path: Path) -> str:
    try:
        names = [entry.name for entry in islice(os.scandir(path.parent), 1000)]
    except OSError:
        return " Its folder does not exist either."
    guess = nearest(path.name, names)
    return f" Did you mean '{guess}'?" if guess else " Check the path."


def _decoded(raw: bytes, file: str | Path | None) -> str:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")) or _every_other_is_nul(raw):
        raise _problem("is UTF-16, not UTF-8. Save it as UTF-8 text.", file)
    if raw.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise _problem("is a spreadsheet or an archive, not text. Write a YAML file.", file)
    if b"\0" in raw:
        raise _problem("is binary, not text. Write a YAML file in UTF-8.", file)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        what = f"has the byte 0x{raw[error.start]:02x}, which is not UTF-8. Save it as UTF-8 text."
        raise _problem(what, file, line) from None


def _every_other_is_nul(raw: bytes) -> bool:
    start = raw[:64]
    return len(start) >= 4 and (not any(start[0::2]) or not any(start[1::2]))


def _json_as_yaml(text: str) -> str:
    """JSON is YAML but for tabs between values and characters written as two escapes."""
    return _SURROGATES.sub(lambda pair: str(_json_string(pair.group())), text.replace("\t", " "))


def _json_string(escapes: str) -> str:
    high, low = int(escapes[2:6], 16), int(escapes[8:12], 16)
    return chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))


# --- events to values


class _Document:
    """One pass over the parser's events; stops at the first thing it does not want."""

    def __init__(self, text: str, file: str | Path | None) -> None:
        self.text, self.file = text, file
        self.marks: Marks = {}
        self.events: Iterator[yaml.Event] = iter(())
        self.count = 0

    def read(self) -> tuple[Any, Marks]:
        try:
            self.events = yaml.parse(self.text, Loader=_LOADER)
            data = self.document()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = None if mark is None else mark.line + 1
            raise self.error(_syntax(error, _line_of(self.text, line)), line) from None
        except (yaml.YAMLError, UnicodeError):  # control characters, half of a surrogate pair
            raise self.error(*self.unprintable()) from None
        return data, self.marks

    def document(self) -> Any:
        """Value of the one document."""
        next(self.events)
        event = next(self.events)
        if isinstance(event, yaml.StreamEndEvent):
            raise self.error("is empty. Start from one of the examples.")
        data = self.value(next(self.events), ())
        next(self.events)
        event = next(self.events)
        if not isinstance(event, yaml.StreamEndEvent):
            raise self.error("holds a second document behind '---'. Keep one.", _line(event))
        if data is None:
            raise self.error("is empty. Start from one of the examples.")
        return data

    def value(self, event: yaml.Event, place: Place) -> Any:
        """Scalar, list or dict that begins with this event."""
        line = _line(event)
        self.marks.setdefault(place, line)
        self.refuse_tricks(event, place, line)
        if isinstance(event, yaml.MappingStartEvent):
            return self.mapping(place)
        if isinstance(event, yaml.SequenceStartEvent):
            return self.sequence(place)
        return self.scalar(event, place, line)

    def refuse_tricks(self, event: yaml.Event, place: Place, line: int) -> None:
        self.count += 1
        if self.count > MAX_VALUES:
            raise self.error(f"holds more than {MAX_VALUES:,} values; a sender takes a few dozen.", line)
        if len(place) > MAX_DEPTH:
            raise self.error(_TOO_DEEP, line)
        name, anchor, tag = dotted(place), getattr(event, "anchor", None), getattr(event, "tag", None)
        if isinstance(event, yaml.AliasEvent):
            raise self.error(f"{name} refers to '*{anchor}'. Write the value out.", line, name)
        if anchor is not None:
            raise self.error(f"{name} sets the anchor '&{anchor}'. Remove it, or use quotes.", line, name)
        if tag is not None:
            raise self.error(f"{name} has the tag {shown(tag)}. Write the plain value.", line, name)

    def mapping(self, place: Place) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key, here = self.key(event, place), _line(event)
            if key in values:
                name, earlier = dotted((*place, key)), self.marks[*place, key]
                raise self.error(f"{name} is there twice, first in line {earlier}. Keep one.", here, name)
            self.marks[*place, key] = here
            values[key] = self.value(next(self.events), (*place, key))
        return values

    def key(self, event: yaml.Event, place: Place) -> str:
        self.refuse_tricks(event, place, _line(event))
        if not isinstance(event, yaml.ScalarEvent):
            what = f"A name in {dotted(place)} is a list or a group. Write a word before ':'."
            raise self.error(what, _line(event))
        return str(event.value)

    def sequence(self, place: Place) -> list[Any]:
        values: list[Any] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            values.append(self.value(event, (*place, len(values))))
        return values

    def scalar(self, event: Any, place: Place, line: int) -> Any:
        text = str(event.value)
        if not event.implicit[0]:  # in quotes
            return text
        value = _plain(text)
        if isinstance(value, float) and not isfinite(value):
            what = f"{dotted(place)} is {text[:50]}, not a finite number. Write a number, or leave it out."
            raise self.error(what, line, dotted(place))
        return value

    def unprintable(self) -> tuple[str, int | None]:
        bad = re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]", self.text)
        if bad is None:
            return "has characters that do not belong in text. Remove them.", None
        what = f"has the control character {bad.group()!r}. Remove it."
        return what, self.text.count("\n", 0, bad.start()) + 1

    def error(self, message: str, line: int | None = None, field: str | None = None) -> InputError:
        return _problem(message, self.file, line, field)


def _problem(message: str, file: str | Path | None, line: int | None = None, field: str | None = None) -> InputError:
    nameless = file is None and field is None and message[:1].islower()
    return InputError(f"The text {message}" if nameless else message, file=file, line=line, field=field)


def _line(event: yaml.Event) -> int:
    mark = event.start_mark
    return 1 if mark is None else mark.line + 1


def _plain(text: str) -> Any:
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _NOT_FINITE.fullmatch(text):
        return float("nan")
    if _WHOLE.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text) and not _AMBIGUOUS.fullmatch(text) and not text.lstrip("+-").isdecimal():
        return float(text)
    return _day(text) if _DAY.fullmatch(text) else text


def _day(text: str) -> date | str:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return text  # 2026-02-30: the field that wants a date says what is wrong


def _line_of(text: str, line: int | None) -> str:
    return "" if line is None else next(islice(text.splitlines(), line - 1, None), "")


def _syntax(error: yaml.MarkedYAMLError, line: str) -> str:
    problem = str(error.problem or error.context)
    if "nesting depth" in problem:
        return _TOO_DEEP
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return "has a tab where blanks belong. Indent with blanks."
    hints = "Look for a missing ':' or quote, or uneven indentation, here or just above"
    return f"cannot be understood ({problem}). {hints}."
