"""Beginnings of lines that syslog writes: classic and RFC 3339 stamps."""

from __future__ import annotations

import re
from collections.abc import Sequence

from planner.observing.logs.blocks import Block
from planner.observing.logs.formats.base import Reader
from planner.observing.logs.tally import Tally

_DAY = rb"[A-Z][a-z]{2} [ 0-3]\d |\d{4}-\d\d-\d\d[T ]"
_GOOD_START = re.compile(_DAY)
_BAD_START = re.compile(rb"\n(?!\r?\n|\Z|" + _DAY + rb")")
_ZONE = re.compile(rb"\d{4}-\d\d-\d\d[T ][\d:.,]*+(\s?(?:Z|[+-]\d\d:?\d\d))?(?=\s)")


def alike(sample: Sequence[bytes], line: re.Pattern[bytes]) -> int:
    """How many lines have the words of a program near their beginning."""
    return sum(line.search(one, 0, 200) is not None for one in sample)


class Stamps:
    """Tells when a line was written, and counts those that do not say."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def check(self, block: Block) -> int | None:
        """Count lines that do not begin with a day; note when the log begins.

        Returns
        -------
        int or None
            Second at which the hour of all lines begins; None when they are not of one hour.
        """
        text, tally = block.text, self._tally
        begins = _GOOD_START.match(text)
        second = self._second(text, 0) if begins else None
        if tally.began is None:
            tally.began = second
        # nearly all blocks are of one hour: counting a fixed text is three times as fast as looking at each line
        rest = block.n_lines - text.endswith(b"\n")
        if begins and second is not None:
            hour = text[: begins.end() + 2]
            if text.count(b"\n" + hour) == rest:
                start = self._second(hour + b":00:00" + _zone(text), 0)
                return start if start is not None and start % 3600 == 0 else None
        if not begins or text.count(b"\n" + begins[0]) != rest:
            for found in _BAD_START.finditer(b"\n" + text):
                tally.problem("no time stamp", block.place(found.start()))
        return None

    def key(self, text: bytes, start: int) -> bytes:
        """Part of a stamp that decides on the hour."""
        if text[start : start + 1].isdigit():
            return text[start : start + 16] + _zone(text, start)
        return text[start : start + (9 if self._tally.clock.whole_hours else 12)]

    def second(self, block: Block, start: int) -> int | None:
        """Second of the line that begins here; None when it has no stamp, which is counted."""
        second = self._second(block.text, start)
        if second is None and _GOOD_START.match(block.text, start):
            self._tally.problem("no such time", block.place(start))
        return second

    def _second(self, text: bytes, start: int) -> int | None:
        try:
            if text[start : start + 1].isdigit():
                return self._tally.clock.iso_second(text[start : start + 40])
            return self._tally.clock.classic_second(text[start : start + 15])
        except ValueError:
            return None


def _zone(text: bytes, start: int = 0) -> bytes:
    """What an RFC 3339 stamp says of its zone; empty for a classic one."""
    if not text[start : start + 1].isdigit():
        return b""
    found = _ZONE.match(text, start)
    return (found[1] or b"") if found else b""


class Syslog(Reader):
    """Reads lines that begin with a stamp."""

    def __init__(self, tally: Tally) -> None:
        super().__init__(tally)
        self._stamps = Stamps(tally)
