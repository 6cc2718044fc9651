"""Counts that people bring: tables filled in by hand and exports of ESPs, CSV or Excel, each assumption told."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, BinaryIO

from planner.errors import InputError
from planner.inputs.catalogue import catalogue
from planner.inputs.cells import NOTHING, days, is_day, numbers
from planner.inputs.fields import shown, unknown
from planner.inputs.provider_names import OTHER, ProviderNames, plain
from planner.inputs.spreadsheet import Grid, grids, read_bytes
from planner.observing.headings import Head, find_head, vocabulary
from planner.observing.observations import Observations, Problem
from planner.observing.rows import COLUMNS, MAX_COUNT, RANGE
from planner.observing.words import may_name, without_names
from planner.vocabulary import whole

_TOTAL = {
    "total", "totals", "sum", "summe", "gesamt", "insgesamt", "gesamtsumme", "somme", "totaux", "all", "allproviders",
    "grandtotal", "overall",
}  # fmt: skip
_NOT_KNOWN = {"n/a", "#n/a", "na", "nan", "null", "?"}
_REST = {
    "other",
    "others",
    "rest",
    "therest",
    "allothers",
    "otherproviders",
    "otherdomains",
    "otherisps",
    "misc",
    "unknown",
}
_TIME = re.compile(r"[T ]\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?: ?[AaPp][Mm])?(?: ?(?:Z|UTC|GMT|[+-]\d{2}:?\d{2}))?$")
_AT_MIDNIGHT = re.compile(r"[T ](?:0?0:00(?::00(?:\.0{1,9})?)?|12:00(?::00)? ?[Aa][Mm])")
_REMARKS = {"note", "notes", "comment", "comments", "remark", "remarks", "kommentar", "bemerkung", "notiz", "status"}
_LABELS = {
    "id", "campaignid", "sendid", "jobid", "messageid", "subaccount", "subaccountid", "subuser", "ip", "ips",
    "sendingip", "ipaddress", "server", "host", "stream",
}  # fmt: skip
_SHOWN = 5

Key = tuple[str, date]


def read_observations(
    source: str | Path | bytes | BinaryIO,
    *,
    name: str | None = None,
    provider: str | None = None,
    day: date | None = None,
    mapping: Mapping[str, str] | None = None,
    today: date | None = None,
) -> Observations:
    r"""Read counts from a table as people keep it, or as an ESP exports it.

    A row per provider and day, under headings anywhere in the sheet. `date, provider, sent, delivered` suffice; the
    headings in use, and the exports that are recognised (SendGrid, Mailgun, SparkPost, Amazon SES, Postmark,
    Mailchimp, Brevo), stand in ``data/observations/columns.yaml``. Providers go by id, name, brand or domain; brands
    of one provider, campaigns and hours of a day are added up. Empty cells are not known; ``-`` is 0. Opens, clicks
    and rates are left out. Every assumption is in the ``notes`` of the result, every number that cannot be right in
    its ``problems``.

    Parameters
    ----------
    source : str, Path, bytes or binary file object
        CSV with comma, semicolon or tab in UTF-8, UTF-16 or Windows-1252; or Excel (.xlsx). 10 MB at most.
    name : str, optional
        What messages call it.
    provider : str, optional
        Whose counts they are, where no column says so.
    day : date, optional
        Which day they are of, where no column says so.
    mapping : dict from name to provider, optional
        What you know of names that the catalogue does not.
    today : date, optional
        Days after it are pointed out; today in UTC, if left out.

    Raises
    ------
    InputError
        Names file and cell of the first thing that is wrong.

    Examples
    --------
    >>> seen = read_observations(b"Date;Mailbox provider;Sent;Delivered\n25.11.2026;Hotmail;1.200;1.187\n")
    >>> seen.providers, seen.sent, seen.delivered
    (('microsoft',), array([[1200.]]), array([[1187.]]))
    """
    content, file = read_bytes(source, name)
    now = datetime.now(UTC).date() if today is None else today
    try:
        sheets, notes = grids(content, file)
        table = _read(sheets, _Names(mapping or {}), provider, day)
    except InputError as error:
        text = without_names(error.message) if may_name(error.message) else error.message
        file = without_names(file) if file else file
        raise InputError(text, file=file, line=error.line, field=error.field) from None
    seen = Observations.from_cells(table.cells, notes=[*notes, *table.notes])
    problems = tuple(Problem(file or "", 0, text) for text in seen.doubts(today=now))
    return Observations.from_cells(table.cells, notes=seen.notes, problems=problems)


@dataclass
class _Table:
    cells: dict[Key, dict[str, float]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def _read(sheets: list[Grid], names: _Names, provider: str | None, day: date | None) -> _Table:
    heads = [(grid, head) for grid in sheets if (head := find_head(grid)) is not None]
    if not heads:
        known = ", ".join(one.name for one in vocabulary().exports.values())
        text = "has no row of headings that names counts, such as date, provider, sent, delivered. Exports known"
        raise InputError(f"{text}: {known}.", field="columns")
    grid, head = heads[0]
    table = _Table()
    if len(heads) > 1:
        table.notes.append(f"Sheet '{grid.sheet}' was read; {whole(len(heads) - 1)} more with counts were not.")
    if head.export is not None:
        if head.export.refusal:
            raise InputError(f"looks like a table of {head.export.name}. {head.export.refusal}", field="columns")
        table.notes.append(f"Read as {head.export.name}.{f' {head.export.note}' if head.export.note else ''}")
    _fill(table, grid, head, names, provider, day)
    table.notes += _left_out(head)
    return table


def _left_out(head: Head) -> Iterator[str]:
    for c, reason in head.reasons.items():
        yield f"'{head.titles[c]}' was left out: {reason}."
    rest = [f"'{head.titles[c]}'" for c in head.others if c not in head.reasons]
    if rest:
        yield f"Left out: {', '.join(rest[:_SHOWN])}{' …' if len(rest) > _SHOWN else ''}."


# --- rows


def _fill(table: _Table, grid: Grid, head: Head, names: _Names, provider: str | None, day: date | None) -> None:
    rows = _rows(grid, head, table.notes)
    if not rows:
        raise InputError("The table has 0 rows of counts. Give one for each provider and day.", field="sent")
    dates, hours = _dates(grid, head, rows, day, table.notes)
    providers = _providers(grid, head, rows, names, provider, table.notes)
    counts = _counts(grid, head, rows, table.notes)
    labels = _labels(grid, head, rows)
    seen: dict[tuple[object, ...], int] = {}
    together: dict[Key, list[int]] = {}
    for n, number in enumerate(rows):
        if providers[n] is None:
            continue
        own = _cell(grid, head, number, "provider")
        mark = (dates[n], hours[n], plain(str(own)), *(grid.rows[number][c] for c in labels))
        if mark in seen:
            text = f"Rows {seen[mark] + 1} and {number + 1} are for the same provider and day ({dates[n]})."
            raise InputError(f"{text} Add them up if they count different mail; else keep one.", field="provider")
        seen[mark] = number
        key = str(providers[n]), dates[n]
        together.setdefault(key, []).append(number)
        table.cells[key] = _added(table.cells.get(key), counts[n])
    if not table.cells:
        raise InputError("The table has totals only. Give a row for each provider and day.", field="provider")
    table.notes += _added_up(grid, head, labels, [group for group in together.values() if len(group) > 1])
    table.notes += _without_sent(table.cells, head)


def _labels(grid: Grid, head: Head, rows: Sequence[int]) -> list[int]:
    """Find the columns that tell rows of one provider and day apart: campaigns, IPs, subaccounts."""
    words = {c: plain(head.titles[c]) for c in head.others}
    return [
        c
        for c, word in words.items()
        if word in _LABELS or (word not in _REMARKS and any(_is_label(grid.rows[number][c]) for number in rows))
    ]


def _added_up(grid: Grid, head: Head, labels: Sequence[int], groups: Sequence[Sequence[int]]) -> Iterator[str]:
    if not groups:
        return
    differing = [c for c in labels if any(len({grid.rows[number][c] for number in group}) > 1 for group in groups)]
    by = f" (they differ in {', '.join(repr(head.titles[c]) for c in differing[:_SHOWN])})" if differing else ""
    yield f"Several rows for one provider and day were added up{by}; what one of them leaves empty is not known."


def _rows(grid: Grid, head: Head, notes: list[str]) -> list[int]:
    """Rows below the headings that hold counts; totals and titles are told."""
    rows = []
    for number in range(head.row + 1, len(grid.rows)):
        cells = grid.rows[number]
        given = [name for name, c in head.places.items() if cells[c] is not None]
        if not any(name in COLUMNS for name in given):
            if any(cell is not None for cell in cells) and not {"date", "provider"} <= set(given):
                notes.append(f"Row {number + 1} holds no counts; it was left out.")
            continue
        words = {
            plain(cell) for name in ("date", "provider") if isinstance(cell := _cell(grid, head, number, name), str)
        }
        if words & _TOTAL:
            notes.append(f"Row {number + 1} is a total; it was left out.")
            continue
        _check_width(cells, head, number)
        rows.append(number)
    return rows


def _check_width(cells: Sequence[Any], head: Head, number: int) -> None:
    """Refuse a row of text with numbers beyond the headings: its commas part thousands, and every count is another."""
    beyond = cells[max(head.titles) + 1 :]
    if any(isinstance(cell, str) and cell.strip().isdigit() for cell in beyond):
        text = f"Row {number + 1} goes on beyond the last heading ('{head.titles[max(head.titles)]}')."
        raise InputError(f"{text} Do its commas part thousands? Leave them out: 12000.", field="columns")


def _cell(grid: Grid, head: Head, number: int, name: str) -> Any:
    place = head.places.get(name)
    return None if place is None else grid.rows[number][place]


def _is_label(cell: object) -> bool:
    """Tell whether a cell names something, such as a campaign, rather than counts it."""
    return isinstance(cell, str) and not is_day(cell) and re.search(r"[^\W\d_]", cell) is not None and "%" not in cell


def _added(old: dict[str, float] | None, new: dict[str, float]) -> dict[str, float]:
    """Add counts; what one of both does not know is not known."""
    return new if old is None else {name: old[name] + new[name] for name in old.keys() & new.keys()}


def _without_sent(cells: dict[Key, dict[str, float]], head: Head) -> Iterator[str]:
    """Fill in `sent` where an export leaves it out; the sentence that says so."""
    parts = head.export.sent_is if head.export is not None else ()
    if "sent" in head.places or not parts or any(name not in head.places for name in parts):
        return
    for counts in cells.values():
        if all(name in counts for name in parts):
            counts["sent"] = sum(counts[name] for name in parts)
    yield f"No column says how many messages were sent: {' + '.join(parts).replace('_', ' ')} were added up."


# --- days


def _dates(
    grid: Grid, head: Head, rows: Sequence[int], day: date | None, notes: list[str]
) -> tuple[list[date], list[object]]:
    """Give each row's day, and its time of day where it has one."""
    place = head.places.get("date")
    if place is None:
        if day is None:
            raise InputError("The table has no column of days. Add a column date, or give `day`.", field="date")
        return [day] * len(rows), [None] * len(rows)
    given = [_day_and_time(grid.rows[number][place]) for number in rows]
    first = {cell: n for n, (cell, _) in reversed(list(enumerate(given)))}
    unique = list(dict.fromkeys(cell for cell, _ in given))
    found, said = _read_days(unique, lambda n: f"Cell {grid.address(rows[first[unique[n]]], place)}")
    notes += said
    if any(time is not None for _, time in given):
        notes.append("Times were left out: each row counts for the day that the file names, in the file's time zone.")
    by_cell = dict(zip(unique, found, strict=True))
    return [by_cell[cell] for cell, _ in given], [time for _, time in given]


def _day_and_time(cell: Any) -> tuple[Any, object]:
    if isinstance(cell, datetime):
        return cell.date(), cell.time() if cell.hour or cell.minute else None
    if isinstance(cell, str) and len(cell) < 60 and (found := _TIME.search(cell)):
        return cell[: found.start()].rstrip(","), None if _AT_MIDNIGHT.match(found[0]) else found[0]
    return cell, None


def _read_days(unique: list[Any], place: Callable[[int], str]) -> tuple[list[date], list[str]]:
    """Read the days in the order of the rows; newest first, if only that order tells which part is the month."""
    last = len(unique) - 1
    try:
        read = days(unique, place)
    except InputError as error:
        try:
            read = days(unique[::-1], lambda n: place(last - n))
        except InputError:
            raise error from None
        read_dates = None if read.dates is None else read.dates[::-1]
    else:
        read_dates = read.dates
    if read_dates is None:
        text = f"{place(0)} is {shown(unique[0])}, the number of a day. Write dates: year-month-day."
        raise InputError(text, field="date")
    return list(read_dates), list(read.notes)


# --- providers


class _Names:
    """Finds providers by what a table calls them."""

    def __init__(self, mapping: Mapping[str, str]) -> None:
        self._known = ProviderNames(catalogue())
        self._own = {plain(name): self._checked(provider) for name, provider in mapping.items()}

    def _checked(self, provider: str) -> str:
        if provider in catalogue().providers:
            return provider
        raise InputError(unknown("provider", provider, catalogue().providers, " in mapping"), field="mapping")

    def find(self, text: str) -> tuple[str, ...]:
        word = plain(text)
        if word in self._own:
            return (self._own[word],)
        if word in _REST:
            return (OTHER,)
        return self._known.find(text)


def _providers(
    grid: Grid, head: Head, rows: Sequence[int], names: _Names, provider: str | None, notes: list[str]
) -> list[str | None]:
    """Give each row's provider; None for a row that belongs to none."""
    if "provider" not in head.places:
        if provider is None:
            text = "The table has no column of mailbox providers. Export it by provider, add the column,"
            raise InputError(f"{text} or give `provider`, if all of it is one.", field="provider")
        found = names.find(provider)
        if len(found) != 1:
            raise InputError(unknown("provider", provider, catalogue().providers), field="provider")
        return [found[0]] * len(rows)
    known: dict[Any, str | None] = {}
    strange: list[str] = []
    together: dict[str, list[str]] = {}
    for number in rows:
        cell = _cell(grid, head, number, "provider")
        if cell not in known:
            place = f"Cell {grid.address(number, head.places['provider'])}"
            known[cell] = _provider(cell, place, names, strange, own=head.export is None)
            together.setdefault(str(known[cell]), []).append(f"'{without_names(str(cell))[:40]}'")
    if strange:
        more = " …" if len(strange) > _SHOWN else ""
        notes.append(
            f"Counted as {OTHER}, for no provider is known by these names: {', '.join(strange[:_SHOWN])}{more}."
        )
    notes += [
        f"{', '.join(texts[:_SHOWN])}{' …' if len(texts) > _SHOWN else ''} were added up as {name}."
        for name, texts in together.items()
        if len(texts) > 1 and name != OTHER
    ]
    return [known[_cell(grid, head, number, "provider")] for number in rows]


def _provider(cell: Any, place: str, names: _Names, strange: list[str], *, own: bool) -> str:
    if cell is None:
        raise InputError(f"{place} is empty. Name the provider.", field="provider")
    text = str(cell).strip()
    if "@" in text.strip("@"):
        raise InputError(f"{place} holds an address. Give counts by provider or domain, no list.", field="provider")
    found = names.find(text)
    if len(found) > 1:
        ask = f"Give each a row, or say which with mapping={{{shown(text)}: {shown(found[0])}}}."
        raise InputError(f"{place} is {shown(text)}, which is {' and '.join(found)}. {ask}", field="provider")
    if found:
        return found[0]
    if own:
        raise InputError(f"{place}: {unknown('provider', text, catalogue().providers)}", field="provider")
    strange.append(f"'{without_names(text)[:40]}'")
    return OTHER


# --- counts


def _counts(grid: Grid, head: Head, rows: Sequence[int], notes: list[str]) -> list[dict[str, float]]:
    """Give each row's counts; empty cells are left out."""
    lines: list[dict[str, float]] = [{} for _ in rows]
    for name, c in head.places.items():
        if name not in COLUMNS:
            continue
        at = [n for n, number in enumerate(rows) if not _is_unknown(grid.rows[number][c])]
        if blank := {str(cell) for number in rows if (cell := grid.rows[number][c]) is not None and _is_unknown(cell)}:
            notes.append(f"{head.titles[c]}: '{min(blank)}' was read as not known, and not as 0.")
        cells = [grid.rows[rows[n]][c] for n in at]
        place = _place(grid, head, [rows[n] for n in at], c)
        _check_no_shares(cells, place)
        found, said = numbers(cells, place)
        notes += said
        for k, (n, value) in enumerate(zip(at, found, strict=True)):
            if not 0 <= value <= MAX_COUNT or value != int(value):
                share = " It looks like a share." if 0 < value < 1 else ""
                raise InputError(f"{place(k)} is {shown(cells[k])}, not a count.{share} {RANGE}", field=name)
            lines[n][name] = value
    return lines


def _is_unknown(cell: object) -> bool:
    return cell is None or (isinstance(cell, str) and cell.strip().lower() in _NOT_KNOWN)


def _place(grid: Grid, head: Head, numbers_: Sequence[int], c: int) -> Callable[[int], str]:
    return lambda k: f"Cell {grid.address(numbers_[k], c)} ({head.titles[c]})"


def _check_no_shares(cells: Sequence[Any], place: Callable[[int], str]) -> None:
    for k, cell in enumerate(cells):
        if isinstance(cell, str) and "%" in cell and cell not in NOTHING:
            text = f"{place(k)} is {shown(cell)}, a share. Give counts: messages, not percent."
            raise InputError(text, field="sent")
