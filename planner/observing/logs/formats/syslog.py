"""Beginnings of lines that syslog writes: classic and RFC 3339 stamps."""

from __future__ import annotations

import re

from planner.observing.logs.blocks import Block
from planner.observing.logs.tally import Tally

_DAY = rb"[A-Z][a-z]{2} [ 0-3]\d |\d{4}-\d\d-\d\d[T ]"
_GOOD_START = re.compile(_DAY)
_BAD_START = re.compile(rb"\n(?!\r?\n|\Z|" + _DAY + rb")")


class Stamps:
    """Tells when a line was written, and counts those that do not say."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def check(self, block: Block) -> None:
        """Count lines that do not begin with a day; note when the log begins."""
        text, tally = block.text, self._tally
        begins = _GOOD_START.match(text)
        # most blocks are of one day: counting a fixed text is three times as fast as looking at each line
        if not begins or text.count(b"\n" + begins[0]) != block.n_lines - text.endswith(b"\n"):
            for found in _BAD_START.finditer(b"\n" + text):
                tally.problem("no time stamp", block.place(found.start()))
        if tally.began is None and begins:
            tally.began = self._second(text, 0)

    def key(self, text: bytes, start: int) -> bytes:
        """Part of a stamp that decides on the hour."""
        if text[start : start + 1].isdigit():
            end = text.find(b" ", start + 11)
            return text[start : start + 16] + text[end - 6 : end]
        return text[start : start + 9]

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
