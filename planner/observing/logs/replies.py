"""What an answer means for the counts: accepted, refused for good, or put off, and why."""

from __future__ import annotations

import re
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from planner.vocabulary import Cause, ReplyCause

MAX_KEPT = 20_000
_MOST_READ = 2_000

_CAUSES = tuple(Cause)
_MASKED = re.compile(r"<[^<>]*>|\S*@\S*|\S*\d\S*")
_CODE = re.compile(r"(?:^|[\s:(])([245]\d\d)[ -]")
_OF_RECIPIENT = frozenset({ReplyCause.UNKNOWN_RECIPIENT, ReplyCause.MAILBOX_FULL, ReplyCause.SIZE, ReplyCause.DNS})


class Outcome(IntEnum):
    """How an attempt ended; the number is its first place among the counters of an hour."""

    DELIVERED = 0
    HARD_BOUNCED = 2
    BLOCKED = 4
    DEFERRED = 6


class Answer(NamedTuple):
    """How an attempt ended, and its place among the counters."""

    outcome: Outcome
    place: int


ACCEPTED = Answer(Outcome.DELIVERED, int(Outcome.DELIVERED))
HARD_BOUNCED = Answer(Outcome.HARD_BOUNCED, int(Outcome.HARD_BOUNCED))
BLOCKED = Answer(Outcome.BLOCKED, int(Outcome.BLOCKED))


def deferred(cause: Cause) -> Answer:
    """Put off for a cause."""
    return Answer(Outcome.DEFERRED, int(Outcome.DEFERRED) + 2 * _CAUSES.index(cause))
