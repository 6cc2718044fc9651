"""Exim: its main log.

https://www.exim.org/exim-html-current/doc/html/spec_html/ch-log_files.html (delivery flags, deferred and failed
deliveries, message ids that hold the time); tests/fixtures/logs/exim.log was written by Exim itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from planner.observing.logs.blocks import Block
from planner.observing.logs.formats.base import CUT_OFF
from planner.observing.logs.formats.syslog import Syslog, alike
from planner.observing.logs.replies import ACCEPTED
from planner.observing.logs.tally import LOCAL, Tally

_ID = rb"[0-9A-Za-z]{6}-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4}"
_LINE = re.compile(
    rb"(?:^|: )(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\S* (?:[+-]\d{4} )?)?(?:\[\d+\] )?"
    + _ID
    + rb" (?:<=|=>|->|==|\*\*|Completed)"
)
_EVENT = re.compile(
    rb" (" + _ID + rb") (?:(Completed)|(=>|->|>>|==|\*\*|\*>) "
    rb"((?:\"[^\"\n]*\"|[^\s\"<>]++)(?:@[^\s<>:]*)?)(?: \(([^()\n]*)\))?(?: <([^>\n]*)>)?(:?)([^\n]*))"
)
_ARRIVED = re.compile(rb" (" + _ID + rb") <= ")
_FLAGGED = re.compile(rb" " + _ID + rb" (?:=>|->|>>|==|\*\*|\*>)")
_TRANSPORT = re.compile(rb" T=(\S+)")
_HOST = re.compile(rb" H=([^\s\[]*) ?(\[[^\]\s]*\])")
_DEFER = re.compile(rb" defer \((-?\d+)\)(?: H=\S+ \[[^\]]*\](?::\d+)?)?:? ?(.*)")
_NO_ATTEMPT = (b"retry time not reached", b"remote host address is the local host", b"connection limit reached")
_EXPIRED = (b"retry timeout exceeded", b"have been failing for a long time")
_SAID = re.compile(
    r"SMTP error from remote mail server after .{1,40}?(?::<[^>]*>(?: SIZE=\d+)?(?: \S+=\S+)*)?: (\d\d\d[ -].*)"
)
_LONGEST = 40 * 86_400
_DIGITS = {c: i for i, c in enumerate(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")}


def recognises(sample: Sequence[bytes]) -> int:
    """How many of these lines look like Exim's."""
    return alike(sample, _LINE)


class Reader(Syslog):
    """Counts the lines of a block."""

    def __init__(self, tally: Tally) -> None:
        super().__init__(tally)
        self._ahead: int | None = None
        """Seconds that the stamps are ahead of the times in message ids: the zone that neither names."""

    def read(self, block: Block) -> None:
        """Count the deliveries, deferrals and failures of whole lines."""
        text, tally = block.text, self.tally
        self._stamps.check(block)
        self._compare_clocks(block)
        matched = 0
        for found in _EVENT.finditer(text):
            if found[2]:
                tally.queue.forget(found[1])
                continue
            matched += 1
            self._event(block, found)
        if sum(1 for _ in _FLAGGED.finditer(text)) != matched:
            good = {found.start() for found in _EVENT.finditer(text)}
            for found in _FLAGGED.finditer(text):
                if found.start() not in good:
                    tally.problem(CUT_OFF, block.place(found.start()))

    def _event(self, block: Block, found: re.Match[bytes]) -> None:
        tally = self.tally
        message, flag, address, parents, original, rest = (found[i] for i in (1, 3, 4, 5, 6, 8))
        del parents
        whole = original if b"@" not in address and original else address
        transport, host = _TRANSPORT.search(rest), _HOST.search(rest)
        if flag in (b"=>", b"->", b">>") and not host:
            tally.passed_over["local"] += 1
            return
        provider = tally.provider(whole.rstrip(b":"), host[1] + host[2] if host else b"")
        if provider == LOCAL:
            tally.passed_over["local"] += 1
            return
        second = self._stamps.second(block, block.text.rfind(b"\n", 0, found.start()) + 1)
        if second is None:
            return
        waited = self._waited(message, second)
        if flag in (b"=>", b"->", b">>"):
            tally.attempt(second, message, whole, provider, ACCEPTED, waited=waited)
        elif flag == b"==":
            self._deferred(second, message, whole, provider, rest, waited)
        elif flag == b"**":
            if any(words in rest for words in _EXPIRED):
                tally.recipient_expired(second, message, tally.queue.recipient(whole), provider)
            elif host or not transport:
                tally.attempt(
                    second, message, whole, provider, tally.replies.refused(_reply(rest), whole), waited=waited
                )
            else:
                tally.passed_over["local"] += 1

    def _deferred(
        self, second: int, message: bytes, address: bytes, provider: int, rest: bytes, waited: float | None
    ) -> None:
        tally = self.tally
        defer = _DEFER.search(rest)
        why = defer[2] if defer else rest
        if any(words in why for words in _NO_ATTEMPT):
            tally.passed_over["held back"] += 1
            tally.queue.wait(message, tally.queue.recipient(address), provider)
            return
        tally.attempt(second, message, address, provider, tally.replies.deferred(_reply(why), address), waited=waited)

    def _compare_clocks(self, block: Block) -> None:
        arrived = _ARRIVED.search(block.text)
        second = self._stamps.second(block, block.text.rfind(b"\n", 0, arrived.start()) + 1) if arrived else None
        if arrived and second is not None:
            self._ahead = round((second - _entered(arrived[1])) / 900) * 900

    def _waited(self, message: bytes, second: int) -> float | None:
        """Seconds since the message came in."""
        if self._ahead is None:
            return None
        waited = second - self._ahead - _entered(message)
        return float(waited) if 0 <= waited < _LONGEST else None


def _entered(message: bytes) -> int:
    """Unix time at which a message came in: its id begins with it."""
    value = 0
    for digit in message[:6]:
        value = value * 62 + _DIGITS.get(digit, 0)
    return value


def _reply(rest: bytes) -> str:
    text = rest.decode("utf-8", "replace").replace("\\n", " ").strip()
    said = _SAID.search(text)
    return said[1] if said else text
