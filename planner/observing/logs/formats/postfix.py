"""Postfix: what its delivery agents and its queue manager write, also under the names of several instances.

https://www.postfix.org/ADDRESS_VERIFICATION_README.html shows the lines, https://www.postfix.org/postconf.5.html
(syslog_name, enable_long_queue_ids) their names; tests/fixtures/logs/postfix.log was written by Postfix itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from planner.observing.logs.blocks import Block
from planner.observing.logs.formats.syslog import Stamps
from planner.observing.logs.replies import ACCEPTED
from planner.observing.logs.tally import LOCAL, Tally

_LINE = re.compile(
    rb"[\w.-]+(?:/[\w.-]+)*/(?:smtp|qmgr|cleanup|smtpd|pickup|bounce|local|lmtp|error|postfix-script)\[\d+\]: "
)
_SMTP, _OWN_AGENTS, _NO_ATTEMPT = b"smtp", (b"lmtp", b"local", b"virtual", b"pipe", b"discard"), (b"error", b"retry")

_DELIVERY = re.compile(
    rb": to=(?:<((?:\"[^\n]*?\"@)?[^>\n]*)>|([^,\n]*)), (?:orig_to=[^\n]*?, )?relay=([^,\n]*), (?:conn_use=\d+, )?"
    rb"delay=([\d.]+), (?:delays=[\d./]+, )?(?:dsn=([\d.]+), )?status=(\w+)([^\n]*)"
)
_EXPIRED = re.compile(rb": ([0-9A-Za-z]+): from=<[^\n]*>, status=(?:force-)?expired")
_NAMED_HOST = re.compile(rb"\((?:connect to|host|lost connection with|conversation with) ([^\s\[]+\[[^\]\s]*\])")
_SAID = re.compile(r"(?:said|refused to talk to me): (.*?)(?: \(in reply to [^()]*\))?\)?$")


def recognises(sample: Sequence[bytes]) -> int:
    """How many of these lines look like Postfix's."""
    return sum(_LINE.search(line, 0, 200) is not None for line in sample)


class Reader:
    """Counts the lines of a block."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._stamps = Stamps(tally)

    def read(self, block: Block) -> None:
        """Count the deliveries and expiries of whole lines."""
        text, tally = block.text, self._tally
        self._stamps.check(block)
        left = _positions(text, b": removed\n") if tally.queue.messages or b"status=deferred" in text else []
        events = [(found.start(), found) for found in _EXPIRED.finditer(text)] + left
        events.sort(key=_first, reverse=True)
        matched = 0
        for found in _DELIVERY.finditer(text):
            matched += 1
            while events and events[-1][0] < found.start():
                self._leave(block, *events.pop())
            self._delivery(block, found)
        while events:
            self._leave(block, *events.pop())
        if text.count(b": to=") != matched:
            self._cut_off(block)

    def _delivery(self, block: Block, found: re.Match[bytes]) -> None:
        text, at, tally = block.text, found.start(), self._tally
        start = text.rfind(b"\n", 0, at) + 1
        head = text[start:at]
        agent = head[head.rfind(b"/") + 1 : head.rfind(b"[")]
        address, hidden, relay, delay, _, status, said = found.groups()
        if agent != _SMTP:
            if agent in _OWN_AGENTS:
                tally.passed_over["local"] += 1
            elif agent in _NO_ATTEMPT:
                self._without_attempt(block, found, start, head, address or hidden)
            return
        if address is None:
            address = hidden
        domain = address[address.rfind(b"@") + 1 :] if b"@" in address else b""
        if relay == b"none":
            named = _NAMED_HOST.search(said)
            relay = named[1] if named else b""
        provider = tally.provider(domain, relay.partition(b"]")[0] + b"]" if b"[" in relay else relay)
        if provider == LOCAL:
            tally.passed_over["local"] += 1
            return
        second = self._stamps.second(block, start)
        if second is None:
            return
        if status == b"sent":
            answer = ACCEPTED
        elif status == b"deferred":
            answer = tally.replies.deferred(_reply(said))
        elif status == b"bounced":
            answer = tally.replies.refused(_reply(said))
        else:  # deliverable, undeliverable: probes of addresses
            tally.passed_over["probes"] += 1
            return
        message = head[head.rfind(b" ") + 1 :]
        tally.attempt(second, message, address, provider, answer, waited=_number(delay))

    def _without_attempt(self, block: Block, found: re.Match[bytes], start: int, head: bytes, address: bytes) -> None:
        """The server puts mail off by itself after trouble with the destination: no attempt, but it waits."""
        tally = self._tally
        message, domain = head[head.rfind(b" ") + 1 :], address[address.rfind(b"@") + 1 :]
        named = _NAMED_HOST.search(found[7].replace(b"suspended: ", b"suspended: ("))
        provider = tally.provider(domain, named[1] if named else b"")
        tally.passed_over["held back"] += 1
        if found[6] == b"deferred" and provider != LOCAL:
            tally.queue.wait(message, tally.queue.recipient(address), provider)

    def _leave(self, block: Block, at: int, found: re.Match[bytes] | None) -> None:
        """A message expires, or leaves the queue."""
        text, tally = block.text, self._tally
        if found is None:
            tally.queue.forget(text[text.rfind(b" ", 0, at) + 1 : at])
            return
        second = self._stamps.second(block, text.rfind(b"\n", 0, at) + 1)
        if second is not None:
            tally.expired(second, found[1])

    def _cut_off(self, block: Block) -> None:
        """Count lines of delivery agents that do not say how it ended."""
        text = block.text
        good = {found.start() for found in _DELIVERY.finditer(text)}
        ends = {text.find(b"\n", at) for at in good}
        for at, _ in _positions(text, b": to="):
            start = text.rfind(b"\n", 0, at) + 1
            head = text[start:at]
            agent = head[head.rfind(b"/") + 1 : head.rfind(b"[")]
            known = agent == _SMTP or agent in _OWN_AGENTS or agent in _NO_ATTEMPT
            if known and at not in good and text.find(b"\n", at) not in ends:
                self._tally.problem("delivery line cut off or damaged", block.place(start))


def _positions(text: bytes, what: bytes) -> list[tuple[int, re.Match[bytes] | None]]:
    found, at = [], text.find(what)
    while at >= 0:
        found.append((at, None))
        at = text.find(what, at + len(what))
    return found


def _first(event: tuple[int, re.Match[bytes] | None]) -> int:
    return event[0]


def _reply(said: bytes) -> str:
    """What the server said, or what our own side says of the trouble."""
    text = said.decode("utf-8", "replace").strip()
    found = _SAID.search(text)
    return found[1] if found else text.removeprefix("(").removesuffix(")")


def _number(text: bytes) -> float:
    try:
        return float(text)
    except ValueError:  # two dots
        return 0.0
