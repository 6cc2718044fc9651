"""Logs that are tables with a header: rows as dictionaries, whatever columns somebody chose."""

from __future__ import annotations

import csv
from abc import abstractmethod
from collections.abc import Iterator

from planner.observing.logs.blocks import Block
from planner.observing.logs.formats.base import CUT_OFF
from planner.observing.logs.formats.base import Reader as Base
from planner.observing.logs.tally import Tally


class Table(Base):
    """Rows below the last header that was seen."""

    comments = b"#"

    def __init__(self, tally: Tally) -> None:
        super().__init__(tally)
        self._names: list[str] = []

    @abstractmethod
    def header(self, line: bytes) -> list[str] | None:
        """Names of the columns, if this line gives them."""

    def rows(self, block: Block) -> Iterator[tuple[int, dict[str, str]]]:
        """Position and cells of each row; rows that are too short are counted as damaged."""
        for start, whole in block.lines():
            line = whole.removeprefix(b"\xef\xbb\xbf")
            names = self.header(line)
            if names is not None:
                self._names = names
                continue
            if line.startswith(self.comments):
                continue
            try:
                cells = next(csv.reader([line.decode("utf-8", "replace")], strict=True))
            except (csv.Error, StopIteration):
                cells = []
            if not self._names or len(cells) < len(self._names):
                self.tally.problem(CUT_OFF, block.place(start))
                continue
            yield start, dict(zip(self._names, cells, strict=False))

    def second(self, text: str) -> int:
        """Second of a stamp: a Unix time, or a date and a time.

        Raises
        ------
        ValueError
            When it is neither.
        """
        clock = self.tally.clock
        plain = text.strip()
        if plain.isdecimal() and plain.isascii():
            return clock.epoch_second(int(plain[:12]))
        return clock.iso_second(plain.encode("ascii", "replace"))
