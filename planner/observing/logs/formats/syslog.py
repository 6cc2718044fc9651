"""Beginnings of lines that syslog writes: classic and RFC 3339 stamps."""

from __future__ import annotations

import re

from planner.observing.logs.blocks import Block
from planner.observing.logs.tally import Tally

_BAD_START = re.compile(
    rb"\n(?!\n|\Z|[A-Z][a-z]{2} [ 0-3]\d \d\d:\d\d:\d\d(?:\.\d+)? |\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)"
)


class Stamps:
    """Tells when a line was written, and counts those that do not say."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def check(self, block: Block) -> None:
        """Count lines that do not begin with a time stamp."""
        for found in _BAD_START.finditer(b"\n" + block.text):
            self._tally.problem("no time stamp", block.place(found.start()))

    def second(self, block: Block, start: int) -> int | None:
        """Second of the line that begins here; None when it has no stamp, which `check` counted."""
        clock, text = self._tally.clock, block.text
        try:
            if text[start : start + 1].isdigit():
                second = clock.iso_second(text[start : start + 40])
            else:
                second = clock.classic_second(text[start : start + 15])
        except ValueError:
            if not _BAD_START.match(b"\n" + text[start : start + 40]):
                self._tally.problem("no such date", block.place(start))
            return None
        if self._tally.began is None:
            self._tally.began = second
        return second
