"""What all readers of logs share."""

from __future__ import annotations

from abc import ABC, abstractmethod

from planner.observing.logs.blocks import Block
from planner.observing.logs.tally import Tally
from planner.observing.rows import CAUSES

CUT_OFF = "delivery line cut off or damaged"
COMPLAINTS_NOT_KNOWN = ("complaints",)
ATTEMPTS_NOT_KNOWN = ("attempts", "deferred", "first_deferred", *(f"deferred_{cause}" for cause in CAUSES))


class Reader(ABC):
    """Reads the files of one log, one behind the other, into a tally."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally

    @abstractmethod
    def read(self, block: Block) -> None:
        """Count what a block tells."""

    def end(self) -> None:  # noqa: B027 (most have nothing left)
        """Count what is left when a file ends."""

    def not_known(self) -> tuple[str, ...]:
        """Names of the counts that this log does not tell."""
        return COMPLAINTS_NOT_KNOWN
