"""Counts addresses by recipient domain and engagement in bounded memory."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from planner.inputs.catalogue import Catalogue
from planner.inputs.columns import Columns, domains_in
from planner.inputs.engagement import Dates, Reading
from planner.inputs.listfile import Batch

MAX_DOMAINS = 300_000
"""Domains that are told apart; the addresses at further ones are counted, their domains only estimated."""

MAX_LINES = 100
NO_ADDRESS = "no address"

Counts = np.ndarray[tuple[int, int], np.dtype[np.int64]]


@dataclass
class Known:
    """Providers of domains: the catalogue's, then a person's, then those that the DNS tells."""

    facts: Catalogue
    mapping: dict[str, str]
    by_mx: dict[str, str]

    def provider(self, domain: str) -> str | None:
        """Provider of a domain in lower case; None where nobody knows it."""
        return self.facts.provider_of_domain(domain) or self.mapping.get(domain) or self.by_mx.get(domain)


class Problems:
    """How many lines have which problem, and the numbers of the first."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.lines: dict[str, list[int]] = {}

    def add(self, line: int, kind: str) -> None:
        """Note one more."""
        self.counts[kind] += 1
        lines = self.lines.setdefault(kind, [])
        if len(lines) < MAX_LINES:
            lines.append(line)


class Tally:
    """Addresses by domain and by what their date reads as, in bounded memory."""

    def __init__(self, columns: Columns, dates: Dates, known: Known) -> None:
        self.columns = columns
        self.problems = {True: Problems(), False: Problems()}  # with the day first, with the month first
        self.rows = 0
        self.addresses = 0
        self.places = {"": 0}  # row 0 holds the domains that are not told apart
        self.beyond = DistinctCount()
        self.n_by_code: Counter[int] = Counter()
        self._dates, self._known = dates, known
        self._columns: dict[tuple[int, int], int] = {}
        self._table = np.zeros((1024, 1), dtype=np.uint32)
        self._header = columns.header

    def add(self, batch: Batch) -> None:
        """Count the rows of a batch."""
        for line, kind in batch.problems:
            self._note(line, kind, kind)
        rows, lines = batch.rows, batch.lines
        filled = [i for i, row in enumerate(rows) if row] if self._header or not all(rows) else None
        if filled is not None:
            if self._header and filled:
                del filled[0]
                self._header = False
            rows, lines = [rows[i] for i in filled], [lines[i] for i in filled]
        self._count(rows, lines)

    def _count(self, rows: list[list[str]], lines: Sequence[int]) -> None:
        domains = domains_in(_cells(rows, self.columns.address), self.columns.bare)
        self.rows += len(rows)
        if None in domains:
            self._note_no_address(rows, lines, domains)
        codes = self._codes(rows)
        self._note_dates(codes, lines, domains)
        self._merge(Counter(zip(domains, codes, strict=True)))

    def _codes(self, rows: list[list[str]]) -> list[int]:
        if not self.columns.engaged:
            return self._dates.codes([[""] * len(rows)])
        return self._dates.codes([_cells(rows, c) for c in self.columns.engaged])

    def _note(self, line: int, day_first: str, month_first: str) -> None:
        for order, kind in ((True, day_first), (False, month_first)):
            if kind:
                self.problems[order].add(line, kind)

    def _note_no_address(self, rows: list[list[str]], lines: Sequence[int], domains: list[str | None]) -> None:
        for row, line, domain in zip(rows, lines, domains, strict=True):
            if domain is None:
                if any(cell.strip() for cell in row):
                    self._note(line, NO_ADDRESS, NO_ADDRESS)
                else:
                    self.rows -= 1  # nothing but separators

    def _note_dates(self, codes: list[int], lines: Sequence[int], domains: list[str | None]) -> None:
        readings = self._dates.readings
        bad = {code for code, one in enumerate(readings) if one.day_first_problem or one.month_first_problem}
        if bad.isdisjoint(codes):
            return
        for code, line, domain in zip(codes, lines, domains, strict=True):
            if code in bad and domain is not None:
                self._note(line, readings[code].day_first_problem, readings[code].month_first_problem)

    def _merge(self, pairs: Counter[tuple[str | None, int]]) -> None:
        places, columns, counts = [], [], []
        for (domain, code), n in pairs.items():
            if domain is not None:
                places.append(self._place(domain))
                columns.append(self._column(self._dates.readings[code]))
                counts.append(n)
                self.n_by_code[code] += n
        self.addresses += sum(counts)
        self._grow()
        np.add.at(self._table, (places, columns), counts)

    def _place(self, domain: str) -> int:
        place = self.places.get(domain)
        if place is None:
            place = len(self.places)
            if place > MAX_DOMAINS and self._known.provider(domain) is None:
                self.beyond.add(domain)
                return 0
            self.places[domain] = place
        return place

    def _column(self, reading: Reading) -> int:
        return self._columns.setdefault((reading.day_first, reading.month_first), len(self._columns))

    def _grow(self) -> None:
        rows, columns = self._table.shape
        if len(self.places) > rows or len(self._columns) > columns:
            larger = np.zeros((max(rows, len(self.places) * 3 // 2), max(columns, len(self._columns))), dtype=np.uint32)
            larger[:rows, :columns] = self._table
            self._table = larger

    def by_segment(self, day_first: bool) -> Counts:
        """Addresses by place and segment, (places, segments) array."""
        found = np.zeros((len(self.places), self._dates.never + 1), dtype=np.int64)
        for readings, column in self._columns.items():
            found[:, readings[not day_first]] += self._table[: len(self.places), column]
        return found


def _cells(rows: list[list[str]], column: int) -> list[str]:
    try:
        return [row[column] for row in rows]
    except IndexError:  # rows that end early
        return [row[column] if column < len(row) else "" for row in rows]


class DistinctCount:
    """How many different texts there were, from one bit each: linear counting (Whang et al., 1990)."""

    N_BITS = 1 << 24

    def __init__(self) -> None:
        self._bits: bytearray | None = None

    def add(self, text: str) -> None:
        """See one more text, new or not."""
        if self._bits is None:
            self._bits = bytearray(self.N_BITS >> 3)
        bit = int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) % self.N_BITS
        self._bits[bit >> 3] |= 1 << (bit & 7)

    def estimate(self) -> int:
        """Tell how many different ones there were; within a thousandth or so for millions."""
        ones = 0 if self._bits is None else int.from_bytes(self._bits).bit_count()
        return round(-self.N_BITS * math.log1p(-min(ones, self.N_BITS - 1) / self.N_BITS))


@dataclass(frozen=True)
class Order:
    """Whether the day stands first in dates such as 03/04/2026."""

    day_first: bool
    matters: bool
    is_a_guess: bool

    @classmethod
    def of(cls, tally: Tally, dates: Dates, asked: bool | None) -> Order:
        """Take the order in which fewer dates are impossible; where both are as good, the day first."""
        found = [(dates.readings[code], n) for code, n in tally.n_by_code.items()]
        matters = any((one[0], one[2]) != (one[1], one[3]) for one, _ in found)
        wrong = [sum(n for one, n in found if one[2 + order]) for order in (0, 1)]
        if asked is not None:
            return cls(asked, matters, False)
        return cls(wrong[0] <= wrong[1], matters, matters and wrong[0] == wrong[1])
