"""Schedules that people bring: CSV and Excel tables in the layouts in use, each assumption told."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np

from planner.errors import InputError
from planner.inputs.calendars import MAX_DAYS
from planner.inputs.catalogue import catalogue
from planner.inputs.cells import Place, days, is_day, is_named_day, numbers
from planner.inputs.fields import nearest, shown
from planner.inputs.provider_names import OTHER, ProviderNames, plain
from planner.inputs.rounding import whole_messages
from planner.inputs.schedule import MAX_VOLUME, Schedule, for_sender
from planner.inputs.spreadsheet import Grid, grids, read_bytes
from planner.vocabulary import Floats, whole

if TYPE_CHECKING:
    import pandas as pd

    from planner.inputs.sender import Sender

LONG = ("provider", "segment", "date", "volume")

_DATE = {"date", "dates", "senddate", "day", "days", "daynumber", "dayno", "sendday", "warmupday", "datum", "tag"}
_RUN = {"run", "runs", "runnumber", "runno"}
_PHASE = {"phase", "phases", "phasenumber"}
_ENGAGED = {"engagementdays", "engageddays", "engagement", "lastengaged", "lastengagement", "daysengaged"}
_SKIPPED = {
    "week", "weeks", "weeknumber", "weekday", "dayofweek", "note", "notes", "comment", "comments", "cumulative",
    "cumulativetotal", "cumulativevolume", "perhour", "properties", "property", "value", "campaign", "status",
}  # fmt: skip
_TOTAL = {
    "total", "totals", "sum", "volume", "volumes", "messages", "mail", "mails", "email", "emails", "sends", "all",
    "allproviders", "volumeperday", "messagesperday", "mailsperday", "emailsperday", "dailyvolume", "dailyvolumes",
    "dailytotal", "dailysends", "totalvolume", "totaldailyvolume", "totaldailyvolumes", "sendvolume", "targeted",
    "sendingvolume", "targetprofiles", "targetedprofiles", "totaltargetprofiles", "profiles", "recipients",
}  # fmt: skip
_REST = {
    "other", "others", "rest", "therest", "allothers", "otherdomains", "otherproviders", "otherisps", "remaining",
    "everythingelse", "misc",
}  # fmt: skip
_ELSEWHERE = {"bigpond", "softbank", "kddi", "italiaonline"}
"""Domain groups of Adobe that the catalogue has no provider for: their mail is part of ``other``."""

_ADDRESS = re.compile(r"[^\s@]@[^\s@]")
_GROUPS_SHEET = "customdomaingroup"
_HEAD_ROWS = 60
_NEAR = 0.001
"""A total may miss the sum of its providers by this share, or by a message a provider: people round."""


@dataclass(frozen=True)
class ScheduleFile:
    """A schedule read from a file, and what was assumed on the way.

    Parameters
    ----------
    schedule : Schedule
        In the sender's order, from its start.
    notes : tuple of str
        Sentences for whoever brought the file.
    """

    schedule: Schedule
    notes: tuple[str, ...]

    @classmethod
    def read(cls, source: str | Path | bytes | BinaryIO, sender: Sender, *, name: str | None = None) -> ScheduleFile:
        """Read a schedule as `read_schedule` does, and tell what was assumed."""
        content, file = read_bytes(source, name)
        try:
            sheets, notes = grids(content, file)
            schedule, more = _read(sheets, sender)
        except InputError as error:
            raise InputError(error.message, file=file, line=error.line, field=error.field) from None
        return cls(schedule, (*notes, *more))


def read_schedule(source: str | Path | bytes | BinaryIO, sender: Sender, *, name: str | None = None) -> Schedule:
    r"""Read a schedule from a table as people keep it.

    Layouts, recognized by their headings, wherever in the sheet the table begins:

    * *long*: columns provider, date, volume, and segment if there are any; what `Plan.to_frame` adds is left out;
    * *wide*: a row per day and a column per provider, or the other way round. Providers go by id, name, brand or
      domain; brands of one provider are added up; a column *Others* is the rest, every provider of the sender
      that has no column. A table with one column of volumes is for all mail. The rest, all mail, and a column for
      several providers are split by the audience's shares. Days are dates in any usual form, or numbers, which
      count the sender's send days from its start;
    * *runs*: the IP warmup plan that Adobe Journey Optimizer takes as Excel: a row per run, a column per domain
      group, phases as a column or as blocks of rows, a column of engagement days. Adobe: a run is a day; groups
      that are left out get no mail; *Others* holds the remaining addresses; further groups stand on a sheet
      *Custom Domain Group*, a row each, the name and then its domains. Run n is the n-th send day; engagement
      days are left out.

    Empty cells are 0. `ScheduleFile.read` also tells what was assumed.

    Parameters
    ----------
    source : str, Path, bytes or binary file object
        CSV with comma, semicolon or tab, in UTF-8, UTF-16 or Windows-1252; or Excel (.xlsx), whose formulas count
        as the values they had when the file was saved. At most 10 MB.
    sender : Sender
    name : str, optional
        What messages call the source; its own name when left out.

    Returns
    -------
    Schedule
        In the sender's order, from its start.

    Raises
    ------
    InputError
        Names the file, the cell, and what to write instead.
    PlannerError
        When it is an Excel file and openpyxl is not installed.

    Notes
    -----
    Source of the layout of runs: Adobe, *Create an IP warmup plan*, read in
    https://github.com/AdobeDocs/journey-optimizer.en/blob/17ddd9042b6fb4f078bf858c3a855e7fb604b0d2/help/using/configuration/ip-warmup-plan.md.
    The template itself comes with the product only: headings and their places are read from that description, so
    that the reader asks for no fixed place.

    Examples
    --------
    >>> from planner.inputs.sender import Sender
    >>> sender = Sender.from_dict({
    ...     "audience": {"providers": {"gmail": 60, "yahoo": 40}}, "target": {"volume": 1000},
    ...     "send_days": "weekdays", "n_ips": 1, "domain": "used", "start": "2027-01-08"})
    >>> read_schedule(b"Day,Gmail,Yahoo!\n1,50,20\n2,100,40\n", sender).total
    array([[ 50.,   0.,   0., 100.],
           [ 20.,   0.,   0.,  40.]])
    """
    return ScheduleFile.read(source, sender, name=name).schedule


def wide(schedule: Schedule) -> pd.DataFrame:
    """Return a schedule as people keep it: a row per date, a column per provider; segments are added up.

    Whole numbers are such; others are text in which no point can be taken for a thousands separator.
    """
    import pandas as pd

    columns = {name: list(map(_written, row)) for name, row in zip(schedule.providers, schedule.total, strict=True)}
    return pd.DataFrame({"date": [day.isoformat() for day in schedule.dates], **columns}, dtype=object)


def _written(volume: float) -> int | str:
    if volume == int(volume):
        return int(volume)
    return f"{volume}0" if len(str(volume).partition(".")[2]) == 3 else str(volume)


# --- which layout


def _read(sheets: Sequence[Grid], sender: Sender) -> tuple[Schedule, list[str]]:
    if not sheets:
        raise InputError("is no table: it is empty. Give a row of headings, and a row for each day.")
    _refuse_people(sheets)
    names = _Headings(ProviderNames(catalogue()), _custom_groups(sheets))
    tables = [sheet for sheet in sheets if plain(sheet.sheet) != _GROUPS_SHEET]
    for sheet in tables:
        for grid in (sheet, sheet.turn()):
            found = next(
                ((r, head) for r in range(min(_HEAD_ROWS, len(grid.rows))) if (head := names.head(grid, r))), None
            )
            if found is not None:
                schedule, notes = (_long if found[1].long else _wide)(grid, *found, names, sender)
                several = [f"The sheet '{sheet.sheet}' was read, and no other."] if len(tables) > 1 else []
                return for_sender(schedule, sender), several + notes
    wanted = "Columns: provider, date, volume; or a day first and a column for each provider, or one called volume."
    raise InputError(f"The table lacks the column 'provider', and no heading names one. {wanted}", field="provider")


def _refuse_people(sheets: Sequence[Grid]) -> None:
    """A list of addresses is no schedule, and none of them may stand in a message."""
    for sheet in sheets:
        for r, row in enumerate(sheet.rows):
            for c, cell in enumerate(row):
                if isinstance(cell, str) and "@" in cell and _ADDRESS.search(cell):
                    text = f"Cell {sheet.address(r, c)} holds an e-mail address."
                    raise InputError(f"{text} Give a table of volumes, without people in it.")


def _custom_groups(sheets: Sequence[Grid]) -> dict[str, tuple[str, ...]]:
    """Domains of the groups on Adobe's second sheet, by the reduced name of the group."""
    rows = (row for sheet in sheets if plain(sheet.sheet) == _GROUPS_SHEET for row in sheet.rows)
    groups = {plain(str(row[0])): tuple(str(cell) for cell in row[1:] if cell is not None) for row in rows if row[0]}
    return {name: domains for name, domains in groups.items() if domains and "." in domains[0]}


class _Column(NamedTuple):
    """A column of volumes: whose they are, and what the file calls it."""

    place: int
    heading: str
    providers: tuple[str, ...]


@dataclass(frozen=True)
class _Head:
    """What the headings of a table say."""

    long: bool = False
    date: int | None = None
    run: int | None = None
    adobe: bool = False
    total: tuple[_Column, ...] = ()
    rest: tuple[_Column, ...] = ()
    named: tuple[_Column, ...] = ()
    strange: tuple[_Column, ...] = ()
    ignored: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[_Column, ...]:
        return (*self.named, *self.rest, *self.total)


@dataclass
class _Headings:
    """Reads rows of headings."""

    names: ProviderNames
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def head(self, grid: Grid, r: int) -> _Head | None:
        """Give what a row says as headings, None where it is none."""
        texts = [self._text(cell) for cell in grid.rows[r]]
        if "" in texts or sum(text is not None for text in texts) < (1 if len(texts) == 1 and not grid.turned else 2):
            return None
        words = [plain(text) if text else "" for text in texts]
        if "provider" in words and len(set(words) & set(LONG)) > 1 and not grid.turned:
            return _Head(long=True)
        return self._wide(texts, words, grid.rows[r + 1 :])

    def _text(self, cell: Any) -> str | None:
        """Give a heading's text, None where the cell is empty, and nothing where no heading looks like this."""
        if cell is None:
            return None
        if isinstance(cell, int) and not isinstance(cell, bool) and self.names.find(str(cell)):
            return str(cell)  # the provider 163
        if not isinstance(cell, str) or len(cell) > 200:
            return ""
        named = any(map(str.isalpha, cell)) and not is_day(cell)
        return cell if named or self.names.find(cell) else ""

    def _wide(
        self, texts: Sequence[str | None], words: Sequence[str], below: Sequence[tuple[Any, ...]]
    ) -> _Head | None:
        of: dict[str, list[Any]] = {key: [] for key in ("date", "run", "total", "rest", "named", "strange", "ignored")}
        notes: list[str] = []
        for c, (text, word) in enumerate(zip(texts, words, strict=True)):
            if text is None:
                continue
            if word in _DATE | _RUN:
                of["run" if word in _RUN else "date"].append(c)
            elif word in _TOTAL | _REST:
                of["total" if word in _TOTAL else "rest"].append(_Column(c, text, ()))
            elif word in _PHASE | _ENGAGED | _SKIPPED:
                of["ignored"].append(text)
            else:
                providers, said = self._providers(text, word)
                of["named" if providers else "strange"].append(_Column(c, text, providers))
                notes += said
        if not (of["total"] or of["rest"] or of["named"]) or (len(of["strange"]) > len(words) / 2):
            return None
        adobe = bool(of["run"]) or any(word in _PHASE | _ENGAGED for word in words)
        # dates say more than the numbers of days beside them
        dated = sorted(of["date"], key=lambda c: not any(_is_dated(row[c]) for row in below))
        of["ignored"] += [texts[c] for c in (*dated[1:], *(of["run"] if dated else of["run"][1:]))]
        columns: dict[str, Any] = {key: tuple(of[key]) for key in ("total", "rest", "named", "strange", "ignored")}
        run = of["run"][0] if of["run"] and not dated else None
        return _Head(date=dated[0] if dated else None, run=run, adobe=adobe, notes=tuple(notes), **columns)

    def _providers(self, text: str, word: str) -> tuple[tuple[str, ...], list[str]]:
        if word in self.groups:
            found = Counter(self.names.of_domain(domain) for domain in self.groups[word])
            providers = tuple(sorted(found))
            return providers, [f"'{text}' is the file's own group of domains: {', '.join(providers)}."]
        if word in _ELSEWHERE:
            return (OTHER,), [f"'{text}' has no entry in the catalogue; it was counted as other."]
        providers = self.names.find(text)
        if providers == (OTHER,):
            return providers, [f"'{text}' is in no provider's list of domains; it was counted as other."]
        return providers, []


def _is_dated(cell: Any) -> bool:
    return isinstance(cell, date) or (isinstance(cell, str) and is_day(cell) and sum(map(str.isdigit, cell)) > 4)


# --- long


def _long(grid: Grid, r: int, head: _Head, names: _Headings, sender: Sender) -> tuple[Schedule, list[str]]:
    import pandas as pd

    words = [plain(str(cell)) if cell is not None else "" for cell in grid.rows[r]]
    titles = [word if word in LONG else str(cell) for word, cell in zip(words, grid.rows[r], strict=True) if word]
    kept = [c for c, word in enumerate(words) if word]
    rows = [[row[c] for c in kept] for row in _longs(grid, r, kept)]
    frame = pd.DataFrame(rows, columns=titles, dtype=object)
    if "perhour" in words:  # what a plan's table adds
        frame = frame.loc[:, [title in LONG for title in titles]]
    notes: list[str] = []
    for name, read in (("provider", _ids), ("date", _dates), ("volume", _volumes)):
        if titles.count(name) == 1 and rows:
            column, more = read(frame[name].tolist(), _row_place(name), names, sender)
            frame[name] = pd.Series(column, dtype=object)
            notes += more
    return Schedule.from_frame(frame), notes


def _row_place(column: str) -> Place:
    return lambda n: f"Row {whole(n + 1)}, column {column}"


def _longs(grid: Grid, r: int, kept: Sequence[int]) -> Iterator[tuple[Any, ...]]:
    for number, row in enumerate(grid.rows[r + 1 :], r + 1):
        if any(cell is not None for cell in row):
            strays = [c for c, cell in enumerate(row) if cell is not None and c not in kept]
            if strays:
                place = grid.address(number, strays[0])
                raise InputError(
                    f"Cell {place} is {shown(row[strays[0]])}, under no heading. Name its column, or clear it."
                )
            yield row


def _ids(values: list[Any], place: Place, names: _Headings, sender: Sender) -> tuple[list[Any], list[str]]:
    """Bring the providers' names to ids; unknown ones stay, and are refused by the sender."""
    found: dict[Any, Any] = {}
    notes = []
    for value in dict.fromkeys(values):
        providers = (value,) if value in sender.provider_names else names.names.find(str(value)) if value else ()
        found[value] = providers[0] if len(providers) == 1 else value
        if found[value] != value and str(value) != found[value]:
            notes.append(f"{shown(value)} was read as {found[value]}.")
    return [found[value] for value in values], notes


def _dates(values: list[Any], place: Place, names: _Headings, sender: Sender) -> tuple[list[Any], list[str]]:
    read = days(values, place)
    if read.dates is not None:
        return list(read.dates), list(read.notes)
    sent = _send_days(sender)
    dates = [_nth(sent, span, place(n)) for n, span in enumerate(read.numbers or ())]
    for n, each in enumerate(dates):
        if len(each) > 1:
            raise InputError(f"{place(n)} is {shown(values[n])}, several days. Give each a row.", field="date")
    return [each[0] for each in dates], [_COUNTED]


def _volumes(values: list[Any], place: Place, names: _Headings, sender: Sender) -> tuple[list[Any], list[str]]:
    found, notes = numbers(values, place)
    return list(found), notes


# --- wide, and runs


class _Row(NamedTuple):
    number: int
    head: _Head


def _wide(grid: Grid, r: int, head: _Head, names: _Headings, sender: Sender) -> tuple[Schedule, list[str]]:
    head = _with_days(grid, r, head)
    _check_columns(grid, head)
    rows, notes = _rows_below(grid, r, head, names)
    if not rows:
        raise InputError("The table has 0 rows of volumes. Give a row for each day.", field="volume")
    dates, more = _days_of(grid, rows, sender)
    volumes, most = _volumes_of(grid, rows)
    labels = {column.heading: column for row in rows for column in row.head.columns}
    per_row = {heading: np.array([line.get(heading, 0.0) for line in volumes]) for heading in labels}
    schedule, last = _shared(
        grid, list(labels.values()), per_row, dates, sender, adobe=any(row.head.adobe for row in rows)
    )
    ignored = dict.fromkeys(text for row in rows for text in row.head.ignored)
    told = [f"Left out: {', '.join(f'{text!r}' for text in ignored)}."] if ignored else []
    said = dict.fromkeys(note for row in rows for note in row.head.notes)
    return schedule, [*notes, *told, *said, *more, *most, *last]


def _with_days(grid: Grid, r: int, head: _Head) -> _Head:
    """Find the column of days where no heading says which: the first whose cells could all be such."""
    if head.date is not None or head.run is not None:
        return head
    taken = {column.place for column in head.columns}
    below = grid.rows[r + 1 :]
    for c, title in enumerate(grid.rows[r]):
        cells = [row[c] for row in below if row[c] is not None]
        if (
            c not in taken
            and cells
            and all(map(is_day, cells))
            and (title is None or any(map(is_named_day, cells)) or c == 0)
        ):
            strange = tuple(column for column in head.strange if column.place != c)
            return replace(head, date=c, strange=strange)
    return head


def _check_columns(grid: Grid, head: _Head) -> None:
    if head.strange:
        column = head.strange[0]
        known = (*catalogue().providers, "others", "volume")
        guess = nearest(column.heading, known)
        meant = f" Did you mean '{guess}'?" if guess else ""
        text = f"{_title(grid, column)} names no provider.{meant}"
        raise InputError(f"{text} Write a provider's id or domain, or 'Others'; or delete it.", field="provider")
    twice = next((column for column in head.columns if _count(head, column.heading) > 1), None)
    if twice is not None:
        raise InputError(f"Two columns are called '{twice.heading}'. Name each, or delete one.", field="provider")
    if len(head.rest) > 1 or (len(head.total) > 1 and not (head.named or head.rest)):
        a, b = (head.rest if len(head.rest) > 1 else head.total)[:2]
        raise InputError(f"'{a.heading}' and '{b.heading}' mean the same. Delete one.", field="provider")


def _count(head: _Head, heading: str) -> int:
    return sum(plain(column.heading) == plain(heading) for column in head.columns)


def _title(grid: Grid, column: _Column) -> str:
    name = grid.column_name(column.place)
    return f"{name[0].upper()}{name[1:]} ({shown(column.heading)})"


def _rows_below(grid: Grid, r: int, head: _Head, names: _Headings) -> tuple[list[_Row], list[str]]:
    """Rows that hold a day's volumes, each with the headings above it; what is left out is told."""
    rows: list[_Row] = []
    notes: list[str] = []
    for number in range(r + 1, len(grid.rows)):
        cells = grid.rows[number]
        if all(cell is None for cell in cells):
            continue
        again = names.head(grid, number)
        if again is not None and not again.long:
            head = _with_days(grid, number, again)
            _check_columns(grid, head)
            continue
        label = next((cell for cell in cells if isinstance(cell, str)), None)
        day = cells[head.date] if head.date is not None else cells[head.run] if head.run is not None else None
        empty = all(cells[column.place] is None for column in head.columns)
        titled = label is not None and plain(label) in _TOTAL and not is_day(day)
        if titled or (empty and not is_day(day)):
            if label is not None:
                notes.append(f"Row {number + 1} ({shown(label)}) is no day; it was left out.")
            continue
        rows.append(_Row(number, head))
    return rows, notes


_COUNTED = "Numbers of days were counted as your send days from the start."
_RUNS = "Runs were counted as your send days from the start, one a day."
_IN_ORDER = "No column names the days: rows were taken as your send days from the start, in their order."


def _days_of(grid: Grid, rows: list[_Row], sender: Sender) -> tuple[list[tuple[date, ...]], list[str]]:
    """Dates of each row."""
    head = rows[0].head
    at = [row.head.run if row.head.date is None else row.head.date for row in rows]
    cells = [(row.number, c) for row, c in zip(rows, at, strict=True) if c is not None]
    if not cells:
        return [(day,) for day in _first(_send_days(sender), len(rows))], [_IN_ORDER]
    if len(cells) < len(rows):
        number = next(row.number for row, c in zip(rows, at, strict=True) if c is None)
        raise InputError(f"Row {number + 1} has no column of days, others have. Give it one.", field="date")

    def place(n: int) -> str:
        return f"Cell {grid.address(*cells[n])}"

    values = [grid.rows[number][c] for number, c in cells]
    read = days(values, place)
    if read.dates is not None:
        return _unique([(day,) for day in read.dates], place), list(read.notes)
    spans = list(read.numbers or ())
    sent = _send_days(sender)
    if head.run is not None or (head.adobe and (1, 1) in spans[1:]):
        _check_runs(spans, place)
        return [(day,) for day in _first(sent, len(rows))], [_RUNS]
    dates = _unique([_nth(sent, span, place(n)) for n, span in enumerate(spans)], place)
    missing = sorted(set(range(1, max(last for _, last in spans) + 1)) - {n for a, b in spans for n in range(a, b + 1)})
    gaps = [f"The table does not name send day {_some(missing)}: nothing is sent there."] if missing else []
    return dates, [_COUNTED, *gaps]


def _some(numbers_: Sequence[int]) -> str:
    return ", ".join(map(str, numbers_[:5])) + (" …" if len(numbers_) > 5 else "")


def _check_runs(spans: Sequence[tuple[int, int]], place: Place) -> None:
    """Runs count on, or from 1 again in each phase."""
    before = 0
    for n, (first, last) in enumerate(spans):
        if first != last or first not in (before + 1, 1):
            text = f"{place(n)} is run {first}" + (f" to {last}" if first != last else "")
            raise InputError(f"{text}, after run {before}. Number the runs one by one, from 1.", field="date")
        before = first


def _send_days(sender: Sender) -> list[date]:
    return [day for day, sends in zip(sender.dates(MAX_DAYS), sender.send_mask(MAX_DAYS), strict=True) if sends]


def _first(sent: list[date], n: int) -> list[date]:
    if n > len(sent):
        raise InputError(_beyond(n, len(sent)), field="date")
    return sent[:n]


def _nth(sent: list[date], span: tuple[int, int], place: str) -> tuple[date, ...]:
    first, last = span
    if last > len(sent):
        raise InputError(f"{place}: {_beyond(last, len(sent))}", field="date")
    return tuple(sent[first - 1 : last])


def _beyond(n: int, most: int) -> str:
    return f"You have {whole(most)} send days within {MAX_DAYS} days; the table wants {whole(n)}. Cut it down."


def _unique(dates: list[tuple[date, ...]], place: Place) -> list[tuple[date, ...]]:
    seen: dict[date, int] = {}
    for n, each in enumerate(dates):
        for day in each:
            if day in seen:
                text = f"{place(n)} is {day}, and so is c{place(seen[day])[1:]}. Keep one, or add them up."
                raise InputError(text, field="date")
            seen[day] = n
    return dates


def _volumes_of(grid: Grid, rows: list[_Row]) -> tuple[list[dict[str, float]], list[str]]:
    """Volumes of each row by heading; totals beside their parts are checked and dropped."""
    places = [(row.number, column) for row in rows for column in row.head.columns]

    def place(n: int) -> str:
        number, column = places[n]
        return f"Cell {grid.address(number, column.place)} ({column.heading})"

    found, notes = numbers([grid.rows[number][column.place] for number, column in places], place)
    lines: dict[int, dict[str, float]] = {row.number: {} for row in rows}
    for n, ((number, column), volume) in enumerate(zip(places, found, strict=True)):
        if not 0 <= volume <= MAX_VOLUME:
            text = f"{place(n)} is {volume:g}. Write a number from 0 to {MAX_VOLUME:,.0f}."
            raise InputError(text, field="volume")
        lines[number][column.heading] = volume
    for row in rows:
        _check_totals(grid, row, lines[row.number])
    return [lines[row.number] for row in rows], notes


def _check_totals(grid: Grid, row: _Row, line: dict[str, float]) -> None:
    parts = [line[column.heading] for column in (*row.head.named, *row.head.rest)]
    if not parts:
        return
    for column in row.head.total:
        total = line.pop(column.heading)
        if grid.rows[row.number][column.place] is not None and abs(total - sum(parts)) > max(len(parts), _NEAR * total):
            place = grid.address(row.number, column.place)
            text = f"Cell {place} ({column.heading}) is {total:,.10g}, but its row adds up to {sum(parts):,.10g}."
            raise InputError(f"{text} Correct it, or delete the column.", field="volume")


# --- whose volume it is


def _shared(
    grid: Grid,
    columns: list[_Column],
    per_row: dict[str, Floats],
    dates: list[tuple[date, ...]],
    sender: Sender,
    *,
    adobe: bool,
) -> tuple[Schedule, list[str]]:
    """Give each of the sender's providers its part."""
    flat = [(day, n) for n, each in enumerate(dates) for day in each]
    first, last = min(flat)[0], max(flat)[0]
    if first < sender.start:
        text = f"The table begins on {first}, before the sender's start {sender.start}. Move one of them."
        raise InputError(text, field="start")
    n_days = (last - sender.start).days + 1
    if n_days > MAX_DAYS:
        text = (
            f"The table ends on {last}, {whole(n_days)} days after the start. Give {MAX_DAYS} at most: check the years."
        )
        raise InputError(text, field="date")
    owners, notes = _owners(grid, columns, per_row, sender, adobe=adobe)
    volume = np.zeros((len(sender.provider_names), n_days))
    at = np.array([(day - sender.start).days for day, _ in flat])
    taken = np.array([n for _, n in flat])
    for column in columns:
        mine = owners.get(column.heading, ())
        if mine:
            index = np.array([sender.provider_names.index(name) for name in mine])
            volume[np.ix_(index, at)] += _split(per_row[column.heading][taken], sender.shares()[index])
    return Schedule(sender.provider_names, ("all",), sender.dates(n_days), volume[:, None, :]), notes


def _split(volume: Floats, shares: Floats) -> Floats:
    """Split by shares, whole messages into whole ones: (providers, days)."""
    parts = np.outer(shares / shares.sum(), volume)
    return whole_messages(parts) if (volume == np.round(volume)).all() else parts


def _owners(
    grid: Grid, columns: list[_Column], per_row: dict[str, Floats], sender: Sender, *, adobe: bool
) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Providers of the sender behind each heading, and what that assumes."""
    notes: list[str] = []
    owners: dict[str, tuple[str, ...]] = {}
    named = [column for column in columns if column.providers]
    for column in named:
        mailed = tuple(name for name in column.providers if name in sender.provider_names)
        if not mailed and per_row[column.heading].any():
            text = f"{_title(grid, column)} is {' and '.join(column.providers)}, which is not in audience.providers."
            raise InputError(f"{text} Add it there, or delete the column.", field="provider")
        owners[column.heading] = mailed
        if len(mailed) > 1:
            notes.append(f"'{column.heading}' was split over {' and '.join(mailed)} by the audience's shares.")
        elif mailed and len(column.providers) > 1:
            notes.append(f"'{column.heading}' was taken as {mailed[0]} alone: the sender mails no other of them.")
    for name, n in Counter(mailed[0] for mailed in owners.values() if len(mailed) == 1).items():
        if n > 1:
            together = [f"'{heading}'" for heading, mailed in owners.items() if mailed == (name,)]
            notes.append(f"{' and '.join(together)} were added up as {name}.")
    # a group counted as other is but a part of it: a column for the rest still holds the remaining part
    part = (OTHER,) if any(plain(column.heading) in _REST for column in columns) else ()
    whole_ones = {name for mailed in owners.values() if mailed != part for name in mailed}
    left = tuple(name for name in sender.provider_names if name not in whole_ones)
    return owners | _rest(columns, per_row, left, sender, adobe, notes), notes


def _rest(
    columns: list[_Column],
    per_row: dict[str, Floats],
    left: tuple[str, ...],
    sender: Sender,
    adobe: bool,
    notes: list[str],
) -> dict[str, tuple[str, ...]]:
    """Who gets what is for all the others, or for all."""
    rest = next((column for column in columns if not column.providers and plain(column.heading) in _REST), None)
    if rest is not None:
        if not left and per_row[rest.heading].any():
            text = f"'{rest.heading}' is for no one: every provider of the sender has a column. Delete it."
            raise InputError(text, field="provider")
        if len(left) > 1 or (left and left != (OTHER,)):
            by = " by the audience's shares" if len(left) > 1 else ""
            notes.append(f"'{rest.heading}' was {'split over' if len(left) > 1 else 'taken as'} {', '.join(left)}{by}.")
        return {rest.heading: left}
    total = next((column for column in columns if not column.providers), None)
    if total is not None and len(left) == len(sender.provider_names):
        if len(left) > 1:
            notes.append(f"'{total.heading}' was split over your {len(left)} providers by the audience's shares.")
        return {total.heading: left}
    if left and adobe:
        notes.append(f"No column for {', '.join(left)}, and none called Others: they get no mail.")
    elif left:
        text = f"The table lacks the provider '{left[0]}' that the sender mails."
        raise InputError(f"{text} Add a column for it, or one called Others for all the rest.", field="provider")
    return {}
