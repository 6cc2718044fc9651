"""Sendmail: what its queue runners write through syslog.

Sendmail Installation and Operation Guide, "Log levels" and "The system log"; tests/fixtures/logs/sendmail.log was
written by Sendmail itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from planner.observing.logs.blocks import Block
from planner.observing.logs.formats.base import CUT_OFF
from planner.observing.logs.formats.syslog import Syslog, alike
from planner.observing.logs.replies import ACCEPTED
from planner.observing.logs.tally import LOCAL

_ID = rb"[0-9A-Za-z]{12,16}"
_LINE = re.compile(rb"(?:sendmail|sm-mta|sm-msp-queue|sm-que)\[\d+\]: " + _ID + rb": (?:to|from|clone)=")
_DELIVERY = re.compile(
    rb": (" + _ID + rb"): to=([^\n]*?), (?:ctladdr=[^\n]*?, )?delay=((?:\d{1,4}\+)?\d\d:\d\d:\d\d)(?:, xdelay=[\d+:]+)?"
    rb"(?:, mailer=([^,\n]*))?"
    rb"(?:, pri=\d+)?(?:, relay=([^\n]*?))?(?:, dsn=([\d.]+))?(?:, reply=([^\n]*?))?, stat=([^\n]*)"
)
_BEGUN = re.compile(rb": " + _ID + rb": to=")
_EXPIRED = re.compile(
    rb": ("
    + _ID
    + rb"): "
    + _ID
    + rb": (?:DSN|return to sender): (?:Cannot send message|Message could not be delivered) for"
)
_OWN_MAILERS = (b"local", b"prog", b"*file*", b"*include*", b"cyrus", b"cyrusv2", b"lmtp", b"procmail", b"discard")
_ADDRESS = re.compile(rb"<([^<>\n]*)>|([^\s,<>]+@[^\s,<>]+)")


def recognises(sample: Sequence[bytes]) -> int:
    """How many of these lines look like Sendmail's."""
    return alike(sample, _LINE)


class Reader(Syslog):
    """Counts the lines of a block."""

    def read(self, block: Block) -> None:
        """Count the deliveries and expiries of whole lines."""
        text, tally = block.text, self.tally
        self._stamps.check(block)
        expiries = list(_EXPIRED.finditer(text))[::-1]
        matched = 0
        for found in _DELIVERY.finditer(text):
            matched += 1
            while expiries and expiries[-1].start() < found.start():
                self._expired(block, expiries.pop())
            self._delivery(block, found)
        while expiries:
            self._expired(block, expiries.pop())
        if sum(1 for _ in _BEGUN.finditer(text)) != matched:
            good = {found.start() for found in _DELIVERY.finditer(text)}
            for found in _BEGUN.finditer(text):
                if found.start() not in good:
                    tally.problem(CUT_OFF, block.place(found.start()))

    def _expired(self, block: Block, found: re.Match[bytes]) -> None:
        second = self._stamps.second(block, block.text.rfind(b"\n", 0, found.start()) + 1)
        if second is not None:
            self.tally.expired(second, found[1])

    def _delivery(self, block: Block, found: re.Match[bytes]) -> None:
        tally = self.tally
        message, to, delay, mailer, relay, dsn, reply, stat = found.groups()
        if mailer in _OWN_MAILERS or mailer is None or stat.startswith(b"queued"):
            tally.passed_over["local"] += 1
            return
        second = self._stamps.second(block, block.text.rfind(b"\n", 0, found.start()) + 1)
        if second is None:
            return
        relay = relay or b""
        host = relay.partition(b"]")[0].replace(b" ", b"") + b"]" if b"[" in relay else relay
        waited = _seconds(delay)
        if b"[more]" in to:
            tally.problem("recipients left out by Sendmail", block.place(found.start()))
        for one in _ADDRESS.finditer(to):
            address = one[1] if one[1] is not None else one[2]
            provider = tally.provider(address, host)
            if provider == LOCAL:
                tally.passed_over["local"] += 1
            elif stat.startswith(b"Sent"):
                tally.attempt(second, message, address, provider, ACCEPTED, waited=waited)
            elif stat.startswith(b"Deferred"):
                if b"[" not in relay:  # the host failed a moment ago: no connection was tried for this message
                    tally.passed_over["held back"] += 1
                    tally.queue.wait(message, tally.queue.recipient(address), provider)
                    continue
                answer = tally.replies.deferred(_reply(reply, stat), address)
                tally.attempt(second, message, address, provider, answer, waited=waited)
            else:
                # where sendmail.cf leaves out the reply, its code is left, if a server spoke at all
                said = reply or (b"%b %b" % (dsn, stat) if dsn and b"[" in relay else stat)
                answer = tally.replies.refused(_reply(said, stat), address)
                tally.attempt(second, message, address, provider, answer, waited=waited)


def _reply(reply: bytes | None, stat: bytes) -> str:
    text = reply or stat.removeprefix(b"Deferred").removeprefix(b":")
    return text.decode("utf-8", "replace").strip() or "connection lost"


def _seconds(delay: bytes) -> float:
    """Seconds of ``00:00:05`` or ``1+02:03:04``."""
    days, _, clock = delay.rpartition(b"+")
    parts = [int(part) for part in clock.split(b":") if part]
    seconds = 0
    for part in parts:
        seconds = seconds * 60 + part
    return float(seconds + 86_400 * int(days or 0))
