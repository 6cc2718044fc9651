"""Observations: what was sent and what came of it, in counts by provider and day; nobody's name can get in."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from planner.errors import InputError
from planner.inputs.calendars import MAX_DAYS as MOST_PLANNED
from planner.inputs.catalogue import catalogue
from planner.inputs.checking import validated
from planner.inputs.fields import Checked, Day, shown
from planner.inputs.yamlfile import parse_json
from planner.observing import rows
from planner.observing.checks import between, check_days, check_providers, checked_counts
from planner.observing.doubts import doubts
from planner.observing.rows import CAUSES, COLUMNS, MAX_DAYS, MEASURES
from planner.observing.words import without_names
from planner.vocabulary import Floats, brief, dates_text, day_text, whole

if TYPE_CHECKING:
    import pandas as pd

    from planner.inputs.sender import Sender

FORMAT = 1
MAX_PROBLEMS = 100
MAX_NOTES = 50


@dataclass(frozen=True)
class Problem:
    """A line that could not be read, or a number that cannot be right.

    Parameters
    ----------
    file : str
        Empty where it came from no file.
    line : int
        From 1; 0 where it has none.
    text : str
        What is wrong. Addresses lose what stands before the @, control characters go, 300 characters stay.

    Examples
    --------
    >>> str(Problem("mail.log", 7, "cut off after 'to=<ann@example.org>'"))
    "mail.log:7: cut off after 'to=<…@example.org>'"
    """

    file: str
    line: int
    text: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "file", without_names(str(self.file)))
        object.__setattr__(self, "line", max(int(self.line), 0))
        object.__setattr__(self, "text", without_names(str(self.text)))

    def __str__(self) -> str:
        place = ":".join(part for part in (self.file, str(self.line) if self.line else "") if part)
        return f"{place}: {self.text}" if place else self.text


@dataclass(frozen=True, eq=False)
class Observations:
    """Counts of messages by provider and day; equal when the same is known, in whatever order of providers.

    A message to three recipients counts as three. Every count is a (providers, days) float array of whole numbers,
    read-only; NaN where it is not known, which is not 0. `docs/observations.md` defines each in full.

    Parameters
    ----------
    providers : tuple of str
        Ids as in the catalogue.
    days : tuple of date
        Consecutive, in the sender's time zone; empty before the first day.
    sent : messages whose first attempt was that day
    attempts : tries of any age that the provider answered, or that never reached it
    delivered : messages accepted that day (2xx), whenever they were sent
    deferred : attempts answered 4xx, or that found no connection
    first_deferred : messages whose first attempt was deferred
    hard_bounced : messages refused for good because of the recipient (5xx: unknown, disabled)
    blocked : messages refused for good because of the sender (5xx: reputation, policy, blocklist)
    expired : messages given up after the queue lifetime
    complaints : reports of spam that arrived that day
    deferred_by_cause : (providers, days, causes) float array
        Deferred attempts in the order of `planner.vocabulary.Cause`.
    problems : tuple of Problem
        The first 100.
    n_problems : int
        How many there were; of several readings, at least.
    notes : tuple of str
        How it was read, in sentences.

    Raises
    ------
    InputError
        When shapes, labels or numbers do not fit.

    Examples
    --------
    >>> days = (date(2026, 11, 25), date(2026, 11, 26))
    >>> seen = Observations(("gmail",), days, sent=[[50, 100]], delivered=[[50, 97]])
    >>> seen.sent, seen.complaints
    (array([[ 50., 100.]]), array([[nan, nan]]))
    """

    providers: tuple[str, ...]
    days: tuple[date, ...]
    sent: Floats = None  # type: ignore[assignment] # None stands for "not known" until __post_init__ has seen it
    attempts: Floats = None  # type: ignore[assignment]
    delivered: Floats = None  # type: ignore[assignment]
    deferred: Floats = None  # type: ignore[assignment]
    first_deferred: Floats = None  # type: ignore[assignment]
    hard_bounced: Floats = None  # type: ignore[assignment]
    blocked: Floats = None  # type: ignore[assignment]
    expired: Floats = None  # type: ignore[assignment]
    complaints: Floats = None  # type: ignore[assignment]
    deferred_by_cause: Floats = None  # type: ignore[assignment]
    problems: tuple[Problem, ...] = ()
    n_problems: int = field(default=0)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "providers", tuple(self.providers))
        object.__setattr__(self, "days", tuple(self.days))
        check_providers(self.providers)
        check_days(self.days)
        shape = len(self.providers), len(self.days)
        for name in MEASURES:
            object.__setattr__(self, name, checked_counts(getattr(self, name), shape, name, self.providers, self.days))
        by_cause = checked_counts(
            self.deferred_by_cause, (*shape, len(CAUSES)), "deferred_by_cause", self.providers, self.days
        )
        object.__setattr__(self, "deferred_by_cause", by_cause)
        problems = tuple(self.problems)
        object.__setattr__(self, "n_problems", max(int(self.n_problems), len(problems)))
        object.__setattr__(self, "problems", problems[:MAX_PROBLEMS])
        notes = dict.fromkeys(without_names(str(note)) for note in self.notes)
        object.__setattr__(self, "notes", tuple(notes)[:MAX_NOTES])

    # --- sameness

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Observations):
            return NotImplemented
        return self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    @cached_property
    def _identity(self) -> tuple[object, ...]:
        order = sorted(range(len(self.providers)), key=self.providers.__getitem__)
        block = np.nan_to_num(self._block()[order], nan=-1.0) + 0.0  # one NaN, one zero
        names = tuple(self.providers[p] for p in order)
        return names, self.days, block.tobytes(), self.problems, self.n_problems, self.notes

    def __reduce__(self) -> tuple[object, ...]:
        """Stay read-only in other processes: a copy is made and checked like the first."""
        arrays = tuple(getattr(self, name) for name in MEASURES)
        rest = self.deferred_by_cause, self.problems, self.n_problems, self.notes
        return Observations, (self.providers, self.days, *arrays, *rest)

    def _block(self) -> Floats:
        """Give all counts as one (providers, days, columns) array, the causes last."""
        parts = np.stack([getattr(self, name) for name in MEASURES], axis=2)
        return np.concatenate([parts, self.deferred_by_cause], axis=2)

    def _with(self, providers: Sequence[str], days: Sequence[date], block: Floats, **others: Any) -> Observations:
        """Make observations of these counts; what is said beside them stays, unless given."""
        counts: dict[str, Any] = {name: block[:, :, i] for i, name in enumerate(MEASURES)}
        by_cause = block[:, :, len(MEASURES) :]
        return replace(
            self, providers=tuple(providers), days=tuple(days), deferred_by_cause=by_cause, **counts, **others
        )

    # --- tables

    def to_frame(self) -> pd.DataFrame:
        """One row per provider and day: date, provider, the counts, deferred_limit … deferred_authentication."""
        import pandas as pd

        index = pd.MultiIndex.from_product([self.providers, pd.DatetimeIndex(self.days)], names=["provider", "date"])
        block = self._block().reshape(len(index), len(COLUMNS))
        frame = pd.DataFrame(block, index=index, columns=list(COLUMNS)).reset_index()
        return frame[["date", "provider", *COLUMNS]]

    @classmethod
    def from_frame(cls, frame: pd.DataFrame) -> Observations:
        """Read a table with a row per provider and day.

        Parameters
        ----------
        frame : DataFrame
            Columns date, provider, sent and delivered suffice; further ones are those of `to_frame`. Providers by
            id, name, brand or domain. Empty cells and days between that have no row are not known.

        Raises
        ------
        InputError
            Names row (from 1, below the header) and column of the first thing that is wrong. Two rows for the same
            provider and day are refused: only you know whether to add them up or to drop one.

        Examples
        --------
        >>> import pandas as pd
        >>> rows = [("2026-11-25", "Gmail", 50, 50), ("2026-11-26", "Gmail", 100, 97)]
        >>> Observations.from_frame(pd.DataFrame(rows, columns=["date", "provider", "sent", "delivered"])).sent
        array([[ 50., 100.]])
        """
        return cls.from_cells(rows.cells_of(frame))

    @classmethod
    def from_cells(
        cls,
        cells: dict[tuple[str, date], dict[str, float]],
        *,
        problems: Sequence[Problem] = (),
        n_problems: int = 0,
        notes: Sequence[str] = (),
    ) -> Observations:
        """Make observations of counts by provider and day, named as in `to_frame`; what is missing is not known."""
        if not cells:
            raise InputError("There are no counts. Give a row for each provider and day.")
        providers = tuple(dict.fromkeys(provider for provider, _ in cells))
        days = between(min(day for _, day in cells), max(day for _, day in cells))
        block = np.full((len(providers), len(days), len(COLUMNS)), np.nan)
        place = {name: p for p, name in enumerate(providers)}
        column = {name: i for i, name in enumerate(COLUMNS)}
        for (provider, day), counts in cells.items():
            for name, count in counts.items():
                block[place[provider], (day - days[0]).days, column[name]] = count
        bare = cls(providers, days)
        return bare._with(providers, days, block, problems=tuple(problems), n_problems=n_problems, notes=tuple(notes))

    def totals(self) -> pd.DataFrame:
        """Sums over the days that are known: a row per provider, columns provider, days (with mail), the counts.

        A count that is known on no day is NaN.
        """
        import pandas as pd

        block = self._block()
        sums = np.where(np.isnan(block).all(axis=1), np.nan, np.nansum(block, axis=1))
        with_mail = (np.nan_to_num(self.sent) > 0).sum(axis=1)
        frame = pd.DataFrame(sums, columns=list(COLUMNS))
        frame.insert(0, "provider", list(self.providers))
        frame.insert(1, "days", with_mail)
        return frame

    # --- several readings

    def merge(self, later: Observations) -> Observations:
        """Lay a later reading over this one: where it knows a count, it counts; merging twice equals once.

        So the same log read again, or read again when the day is over, doubles nothing; complaints typed by hand
        come beside a log's counts. Counts of *different* mail (two servers, two ESPs) are for `add`. A later
        reading that saw fewer messages is pointed out: it may have seen a part of the day only.
        """
        mine, theirs, providers, days = _aligned(self, later)
        fewer = [
            f"On {day_text(days[d])} the later reading has {whole(theirs[p, d, 0])} messages to "
            f"{catalogue().title(providers[p])}, the earlier {whole(mine[p, d, 0])}; the later one counts. "
            "Did it see the whole day?"
            for p, d in np.argwhere(theirs[:, :, 0] < mine[:, :, 0])
        ]
        return self._with(providers, days, np.where(np.isnan(theirs), mine, theirs), **_told(self, later, fewer))

    def add(self, other: Observations) -> Observations:
        """Add the counts of other mail, such as that of a second server.

        Where only one of both knows a provider's day its counts stand. Where both do, a count that one of them does
        not know is not known.
        """
        mine, theirs, providers, days = _aligned(self, other)
        has, had = (~np.isnan(block).all(axis=2, keepdims=True) for block in (mine, theirs))
        summed = np.where(has & had, mine + theirs, np.where(has, mine, theirs))
        return self._with(providers, days, summed, **_told(self, other, []))

    def until(self, day: date) -> Observations:
        """Give what was known at the end of a day: that day and those before it."""
        n = sum(one <= day for one in self.days)
        return self._with(self.providers, self.days[:n], self._block()[:, :n])

    def for_sender(self, sender: Sender) -> Observations:
        """Bring the counts into the sender's order: its providers, its start as the first day.

        What lies before the start or 730 days after it, or went to providers that the audience lacks, is left out, and
        said. Days of the sender's providers that no reading covers are not known.
        """
        n_days = min(max((self.days[-1] - sender.start).days + 1, 0), MOST_PLANNED) if self.days else 0
        days = sender.dates(n_days)
        block = np.full((len(sender.provider_names), n_days, len(COLUMNS)), np.nan)
        early = min(max((sender.start - self.days[0]).days, 0), len(self.days)) if self.days else 0
        offset = max((self.days[0] - sender.start).days, 0) if self.days else 0
        mine = self._block()
        for p, name in enumerate(sender.provider_names):
            if name in self.providers and n_days:
                block[p, offset:] = mine[self.providers.index(name), early : early + max(n_days - offset, 0)]
        return self._with(
            sender.provider_names, days, block, notes=(*self.notes, *_left_out(self, mine, early, sender))
        )

    def doubts(self, sender: Sender | None = None, today: date | None = None) -> tuple[str, ...]:
        """Say which numbers cannot be right, or probably are not: `planner.observing.doubts`."""
        return doubts(self, sender, today)

    # --- JSON

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values that JSON knows, with the number of this format; what is unknown is null."""
        block = self._block()
        counts = {
            name: [[_plain(value) for value in row] for row in block[:, :, i]]
            for i, name in enumerate(COLUMNS)
            if not np.isnan(block[:, :, i]).all()
        }
        return {
            "format": FORMAT,
            "kind": "observations",
            "providers": list(self.providers),
            "start": self.days[0].isoformat() if self.days else None,
            "n_days": len(self.days),
            "counts": counts,
            "problems": [[one.file, one.line, one.text] for one in self.problems],
            "n_problems": self.n_problems,
            "notes": list(self.notes),
        }

    @classmethod
    def from_dict(cls, data: object) -> Observations:
        """Check what `to_dict` gave.

        Raises
        ------
        InputError
            Names the field of what is wrong.
        """
        stored = validated(_Stored, data)
        if stored.kind != "observations":
            raise InputError(f"kind is {shown(stored.kind)}, not observations. Open another file.", field="kind")
        if stored.format != FORMAT:
            text = f"format is {stored.format}; this version reads format {FORMAT}. Update the warmup planner."
            raise InputError(text, field="format")
        strange = next((name for name in stored.counts if name not in COLUMNS), None)
        if strange is not None:
            raise InputError(f"counts has the unknown entry {shown(strange)}. Known: {', '.join(COLUMNS)}.")
        if not 0 <= stored.n_days <= MAX_DAYS or (stored.start is None) != (stored.n_days == 0):
            raise InputError(f"n_days is {stored.n_days}, which does not go with start.", field="n_days")
        days = () if stored.start is None else between(stored.start, stored.start + timedelta(stored.n_days - 1))
        shape = len(stored.providers), len(days)
        block = np.full((*shape, len(COLUMNS)), np.nan)
        for name, table in stored.counts.items():
            if len(table) != shape[0] or any(len(line) != shape[1] for line in table):
                raise InputError(f"counts.{name} is not {shape[0]} rows of {shape[1]} days.", field="counts")
            block[:, :, COLUMNS.index(name)] = np.array(table, dtype=np.float64).reshape(shape)
        problems = tuple(Problem(*one) for one in stored.problems)
        bare = cls(stored.providers, days)
        return bare._with(
            stored.providers, days, block, problems=problems, n_problems=stored.n_problems, notes=stored.notes
        )

    def to_json(self) -> str:
        """Give everything as JSON with the number of this format."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Observations:
        """Read what `to_json` wrote."""
        return cls.from_dict(parse_json(text, what="The observations"))

    # --- for people

    def __repr__(self) -> str:
        return brief(self)

    def summary(self) -> str:
        """Say what was seen, provider by provider, and what could not be read."""
        if self.days:
            span = dates_text(self.days[0], self.days[-1])
            lines = [f"{span}: {len(self.days)} day{'s' * (len(self.days) != 1)}."]
        else:
            n_providers = len(self.providers)
            lines = [f"Nothing observed yet of {n_providers} provider{'s' * (n_providers != 1)}."]
        for row in self.totals().itertuples(index=False) if self.days else ():
            known = [(name, getattr(row, name)) for name in MEASURES]
            parts = [f"{name.replace('_', ' ')} {whole(n)}" for name, n in known if n == n]
            lines.append(f"{catalogue().title(str(row.provider))}: {', '.join(parts) or 'nothing known'}.")
        if self.n_problems:
            first = f"; the first: {self.problems[0]}" if self.problems else ""
            lines.append(f"{whole(self.n_problems)} problem{'s' * (self.n_problems != 1)}{first}")
        return "\n".join([*lines, *self.notes])

    def _repr_html_(self) -> str:
        table = (
            self.totals().dropna(axis=1, how="all").to_html(index=False, escape=True, na_rep="–", float_format=whole)
        )
        said = "".join(f"<p>{escape(line)}</p>" for line in (*map(str, self.problems[:5]), *self.notes))
        span = escape(dates_text(self.days[0], self.days[-1])) if self.days else "no days yet"
        return f"<p>Observations, {span}</p>{table}{said}"


class _Stored(Checked):
    format: int
    kind: str
    providers: tuple[str, ...]
    start: Day | None
    n_days: int
    counts: dict[str, list[list[float | None]]]
    problems: list[tuple[str, int, str]]
    n_problems: int
    notes: tuple[str, ...]


def _plain(value: float) -> int | None:
    return None if np.isnan(value) else int(value)


# --- bringing two together


def _aligned(a: Observations, b: Observations) -> tuple[Floats, Floats, tuple[str, ...], tuple[date, ...]]:
    """Give both blocks over all providers and days of either."""
    providers = tuple(dict.fromkeys([*a.providers, *b.providers]))
    ends = [*a.days[:1], *a.days[-1:], *b.days[:1], *b.days[-1:]]
    days = between(min(ends), max(ends)) if ends else ()
    blocks = []
    for one in (a, b):
        block = np.full((len(providers), len(days), len(COLUMNS)), np.nan)
        if one.days:
            at = [providers.index(name) for name in one.providers]
            first = (one.days[0] - days[0]).days
            block[at, first : first + len(one.days)] = one._block()
        blocks.append(block)
    return blocks[0], blocks[1], providers, days


def _told(a: Observations, b: Observations, more: Sequence[str]) -> dict[str, Any]:
    """Give the problems and notes of both, each once; of those beyond the first 100 nobody knows which are the same."""
    problems = tuple(dict.fromkeys([*a.problems, *b.problems]))
    n_problems = max(a.n_problems, b.n_problems, len(problems))
    return {"problems": problems, "n_problems": n_problems, "notes": (*a.notes, *b.notes, *more)}


def _left_out(seen: Observations, block: Floats, early: int, sender: Sender) -> list[str]:
    notes = []
    late = sum((day - sender.start).days >= MOST_PLANNED for day in seen.days)
    if late:
        notes.append(f"{late} day{'s' * (late != 1)} more than {MOST_PLANNED} days after the start were left out.")
    if early:
        notes.append(f"{early} day{'s' * (early != 1)} before the sender's start {sender.start} were left out.")
    strange = [name for name in seen.providers if name not in sender.provider_names]
    if strange:
        n = np.nansum(block[[seen.providers.index(name) for name in strange], early:, 0])
        names = ", ".join(strange[:5]) + (" …" if len(strange) > 5 else "")
        notes.append(f"{whole(n)} messages to {names} were left out: not in audience.providers.")
    return notes
