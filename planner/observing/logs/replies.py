"""What an answer means for the counts: accepted, refused for good, or put off, and why."""

from __future__ import annotations

import os
import re
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from planner.replies.diagnosis import diagnosed
from planner.replies.matching import Matcher, matcher
from planner.replies.reading import read
from planner.replies.rules import rulebook
from planner.replies.said import Said, Speaker
from planner.resources import VARIABLE
from planner.vocabulary import Cause, ReplyCause

MAX_KEPT = 20_000
_MOST_READ = 2_000

_CAUSES = tuple(Cause)
# words that are another one each time: addresses, times, long numbers, names of sessions (but not S3150, TSS04, RP-001)
_VARIABLE = re.compile(
    r"[^@]*+@|\D{0,3}+\d{5}|[^\s\d]{0,3}+\d\d?:\d\d|\D{0,8}+\d{1,3}\.\d{1,3}\.\d{1,3}\.\d|"
    r"(?=\D*+\d)(?:.{11}|(?=[^a-z]*+[a-z]).{6}|\S*?\d[A-Za-z]++\d++[A-Za-z]++\d)"
)
_OF_RECIPIENT = frozenset({ReplyCause.UNKNOWN_RECIPIENT, ReplyCause.MAILBOX_FULL, ReplyCause.SIZE})
_OF_MAILBOX = re.compile(r"5\.[12]\.")
_MAILBOX_CODES = frozenset({550, 551, 553})


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


def put_off(cause: Cause) -> Answer:
    """Answer of an attempt that is to be made again."""
    return Answer(Outcome.DEFERRED, int(Outcome.DEFERRED) + 2 * _CAUSES.index(cause))


class Replies:
    """Diagnoses of replies, each wording once.

    Wordings are kept without addresses and numbers, at most `MAX_KEPT` of them.

    Examples
    --------
    >>> replies = Replies()
    >>> replies.refused("550 5.1.1 ann... no such user", b"ann@example.org").outcome.name
    'HARD_BOUNCED'
    >>> replies.deferred("421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred") == put_off(Cause.REPUTATION)
    True
    """

    def __init__(self) -> None:
        self._known: dict[tuple[bool, str], Answer] = {}
        self._words: set[str] = set()

    def deferred(self, text: str, address: bytes = b"") -> Answer:
        """Answer of an attempt that the sender's server will make again, by what it says of it.

        `address` is the recipient's: some servers repeat its local part on its own.
        """
        return self._answer(False, _nameless(text, address))

    def refused(self, text: str, address: bytes = b"") -> Answer:
        """Answer of an attempt that the sender's server gave up at once."""
        return self._answer(True, _nameless(text, address))

    def _answer(self, final: bool, text: str) -> Answer:
        key = final, self.wording(text)
        answer = self._known.get(key)
        if answer is None:
            if len(self._known) >= MAX_KEPT:
                self._known.clear()
            answer = self._known[key] = self._diagnosed(final, text[:_MOST_READ])
        return answer

    def wording(self, text: str) -> str:
        """Give the words of a reply without addresses, dates and the names of single sessions.

        Examples
        --------
        >>> Replies().wording("421 4.7.0 [TSS04] Messages from 192.0.2.1 deferred <ann@example.org> d9443c01-1a2b3c")
        '421 4.7.0 [TSS04] Messages from deferred'
        """
        known = self._words
        return " ".join([word for word in text[:_MOST_READ].split() if word in known or self._stays(word)])

    def _stays(self, word: str) -> bool:
        if _VARIABLE.match(word):
            return False
        if len(self._words) >= MAX_KEPT:
            self._words.clear()
        self._words.add(word)
        return True

    @staticmethod
    def _diagnosed(final: bool, text: str) -> Answer:
        asked = _asked(os.environ.get(VARIABLE, ""))
        said = read(text)
        one = next((part for part in said if not part.accepted and part.speaker is not Speaker.NOBODY), said[0])
        cause = diagnosed(one, asked).cause
        if final:
            return _finally(one, cause)
        if cause is None or cause is ReplyCause.UNKNOWN_RECIPIENT:  # the latter with a 4xx: it will say so to the end
            return put_off(Cause.SYSTEM if cause is None else Cause.STUCK)
        if cause is ReplyCause.DNS and one.speaker is not Speaker.SERVER:  # a recipient's domain that nobody finds
            return put_off(Cause.SYSTEM)
        return put_off(asked.book.advice[cause].simulated or Cause.SYSTEM)


@lru_cache(maxsize=2)
def _asked(folder: str) -> Matcher:
    return matcher(rulebook(folder or None))


def _finally(said: Said, cause: ReplyCause | None) -> Answer:
    """Whose fault a refusal is: the recipient's, or the sender's."""
    if cause in _OF_RECIPIENT or said.speaker is not Speaker.SERVER:
        return HARD_BOUNCED
    if cause is None or cause is ReplyCause.OTHER:
        of_mailbox = _OF_MAILBOX.match(said.enhanced) is not None if said.enhanced else said.code in _MAILBOX_CODES
        return HARD_BOUNCED if of_mailbox else BLOCKED
    return BLOCKED


def _nameless(text: str, address: bytes) -> str:
    local = address.rpartition(b"@")[0].decode("utf-8", "replace")
    return text.replace(local, "…") if len(local) > 1 and local in text else text
