"""qmail: what qmail-send writes, with the stamps of multilog, of tai64nlocal or of splogger.

https://manpages.debian.org/unstable/qmail/qmail-log.5.en.html; TAI64N: https://cr.yp.to/libtai/tai64.html.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple, TypeVar

from planner.observing.logs.blocks import Block
from planner.observing.logs.formats.base import CUT_OFF
from planner.observing.logs.formats.base import Reader as Base
from planner.observing.logs.replies import ACCEPTED
from planner.observing.logs.tally import LOCAL, Tally, domain_of

_MOST_KEPT = 100_000
_TAI_EPOCH = (1 << 62) + 10

_STAMP = (
    rb"(?:@([0-9a-f]{24}) |(?:[A-Z][^\n]{1,100}? qmail[\w-]*(?:\[\d+\])?: )?"
    rb"(?:(\d{9,10})\.\d{6} |(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\S* ))"
)
_EVENT = re.compile(
    _STAMP
    + rb"(?:starting delivery (\d+): msg (\d+) to (local|remote) (\S+)|delivery (\d+): (success|failure|deferral): "
    rb"(.*)|(end|new) msg (\d+))"
)
_LIKE = re.compile(rb"starting delivery|delivery \d+:|end msg \d|new msg \d")
_LINE = re.compile(_STAMP + rb"(?:starting delivery \d|delivery \d|status: local|info msg|new msg|end msg)")
_OVER = b"I'm_not_going_to_try_again;_this_message_has_been_in_the_queue_too_long"
_MARKS = "<>()[]'\".,:;…"
_HOST = re.compile(rb"(?:^|_)(\d+\.\d+\.\d+\.\d+)_(?:accepted|failed|does|could|but)")
_SAID = re.compile(r"Remote host said: (.*)")

Value = TypeVar("Value")


class _Begun(NamedTuple):
    """A delivery under way; its recipient and the recipient's local part are numbers, as `Queue` gives them."""

    message: bytes
    domain: bytes
    where: bytes
    recipient: int
    local: int


def recognises(sample: Sequence[bytes]) -> int:
    """How many of these lines look like qmail's."""
    return sum(_LINE.match(line) is not None for line in sample)


class Reader(Base):
    """Counts deliveries when they end."""

    def __init__(self, tally: Tally) -> None:
        super().__init__(tally)
        self._begun: dict[bytes, _Begun] = {}
        self._entered: dict[bytes, int] = {}

    def read(self, block: Block) -> None:
        """Count the deliveries of whole lines."""
        for start, line in block.lines():
            found = _EVENT.match(line)
            if not found:
                if _LIKE.search(line):
                    self.tally.problem(CUT_OFF, block.place(start))
                continue
            try:
                second = self._second(found)
            except ValueError:
                self.tally.problem("no such time", block.place(start))
                continue
            if self.tally.began is None:
                self.tally.began = second
            self._event(second, found)

    def _event(self, second: int, found: re.Match[bytes]) -> None:
        starting, message, where, address, ending, how, text, turn, other = found.groups()[3:]
        if starting:
            number = self.tally.queue.recipient
            begun = _Begun(message, domain_of(address), where, number(address), number(address.rpartition(b"@")[0]))
            self._keep(self._begun, starting, begun)
        elif ending and ending in self._begun:
            self._ended(second, self._begun.pop(ending), how, text)
        elif turn == b"new":
            self.tally.queue.forget(other)
            self._keep(self._entered, other, second)
        elif turn == b"end":
            self._entered.pop(other, None)
            self.tally.queue.forget(other)

    def _ended(self, second: int, begun: _Begun, how: bytes, text: bytes) -> None:
        tally = self.tally
        host = _HOST.search(text)
        provider = tally.provider(b"@" + begun.domain, host[1] if host else b"")
        if begun.where == b"local" or provider == LOCAL:
            tally.passed_over["local"] += 1
            return
        number = tally.queue.recipient
        reply = " ".join(word for word in _words(text) if number(word.strip(_MARKS).encode()) != begun.local)
        entered = self._entered.get(begun.message)
        waited = None if entered is None else float(second - entered)
        over = _OVER in text
        if how == b"success":
            answer = ACCEPTED
        else:
            answer = tally.replies.deferred(reply) if how == b"deferral" or over else tally.replies.refused(reply)
        tally.attempt_of(second, begun.message, begun.recipient, provider, answer, waited=waited)
        if over:
            tally.recipient_expired(second, begun.message, begun.recipient, provider)

    @staticmethod
    def _keep(kept: dict[bytes, Value], key: bytes, value: Value) -> None:
        kept[key] = value
        if len(kept) > _MOST_KEPT:
            for old in list(islice(kept, _MOST_KEPT // 10)):
                del kept[old]

    def _second(self, found: re.Match[bytes]) -> int:
        if found[1]:
            return self.tally.clock.epoch_second(int(found[1][:16], 16) - _TAI_EPOCH)
        if found[2]:
            return self.tally.clock.epoch_second(int(found[2]))
        return self.tally.clock.iso_second(found[3])


def _words(text: bytes) -> list[str]:
    """What the host said; qmail writes underscores for spaces and slashes for line ends."""
    words = text.partition(_OVER)[0].decode("utf-8", "replace").replace("_", " ")
    words = words.partition("/Giving up on ")[0].strip("/ ")  # qmail's own, after whatever the host said
    said = _SAID.search(words)
    return (said[1].replace("/", " ") if said else words).split()
