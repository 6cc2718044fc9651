"""Postfix: what its delivery agents and its queue manager write, also under the names of several instances.

https://www.postfix.org/postconf.5.html (syslog_name, enable_long_queue_ids) and https://www.postfix.org/qmgr.8.html;
tests/fixtures/logs/postfix.log was written by Postfix itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from planner.observing.logs.blocks import Block
from planner.observing.logs.formats.base import CUT_OFF
from planner.observing.logs.formats.syslog import Syslog, alike
from planner.observing.logs.replies import ACCEPTED
from planner.observing.logs.tally import LOCAL, LONG, Tally, delay_bin

_MOST_DELAYS = 50_000

_LINE = re.compile(rb" [\w.-]+(?:/[\w.-]+)*/(?:smtp|lmtp|local|error|qmgr|cleanup|smtpd|pickup|bounce|scache)\[\d+\]: ")

# possessive wherever nothing shorter could fit: a tenth of the time
_ATTEMPT = (
    rb"to=<?+(\"[^\n]*?\"|[^<>@,\n]*+)(?:@([^<>,\n]*+))?+>?+, (?:orig_to=[^\n]*?, )?relay=([^,\n]*+), "
    rb"(?:conn_use=\d++, )?+delay=([\d.]++), (?:\w++=[^,\n]*+, ){0,6}?status=(\w++)(?: \(([^\n]*+))?+"
)
_BY_SMTP = re.compile(rb"/smtp\[\d++\]: ([0-9A-Za-z]++): " + _ATTEMPT)
_BY_ANY = re.compile(rb": " + _ATTEMPT)
_HEAD = re.compile(rb"[^\n]*/([a-z]+)\[\d+\]: ([0-9A-Za-z]*)")
_OWN_AGENTS = (b"lmtp", b"local", b"virtual", b"pipe", b"discard")
_PUTTING_OFF = (b"error", b"retry")
_REMOVED = b"/postsuper["
_LEAVES = re.compile(rb"[^\n]*?\]: ([0-9A-Za-z]+): (?:(from=<)|removed)")
_NAMED_HOST = re.compile(rb"(?:connect to|host|lost connection with|conversation with) ([^\s\[]+\[[^\]\s]*\])")
_STATUS = b", status="
_LOOP = b"loops back to myself"


def recognises(sample: Sequence[bytes]) -> int:
    """How many of these lines look like Postfix's."""
    return alike(sample, _LINE)


class Reader(Syslog):
    """Counts the lines of a block."""

    def __init__(self, tally: Tally) -> None:
        super().__init__(tally)
        self._bins: dict[bytes, int] = {}
        self._quick = delay_bin(LONG)

    def read(self, block: Block) -> None:
        """Count the deliveries and expiries of whole lines.

        Nearly all lines are of mail that is accepted at once: they are counted here, with as few steps as Python can.
        """
        hour = self._stamps.check(block)
        text, tally, stamps, bins = block.text, self.tally, self._stamps, self._bins
        found = list(_BY_SMTP.finditer(text))
        others = self._others(text, found)
        next_other = others[-1] if others else len(text)
        queue, routes, quick, local = tally.queue.messages, tally.routes, self._quick, 0
        last = b""
        if hour is not None:
            cells, delays = tally.cells(hour // 3600), tally.bins(hour // 86_400)
        for match in found:
            at = match.start()
            if at > next_other:
                next_other = self._other(block, others, at)
            start = text.rfind(b"\n", 0, at) + 1
            if hour is None and (key := stamps.key(text, start)) != last:
                second = stamps.second(block, start)
                if second is None:
                    continue
                cells, delays, last = tally.cells(second // 3600), tally.bins(second // 86_400), key
            message, _, domain, relay, delay, status, _ = match.groups()
            provider = routes.get((domain, relay))
            place = bins.get(delay, quick)
            if provider is None or place >= quick or status != b"sent" or message in queue:
                self._carefully(block, start, match, hour)
            elif text.find(b"]: ", start, at) >= 0:
                continue  # a header that a log quotes
            elif provider >= 0:
                cells[provider][0] += 1
                delays[provider][place] += 1
            else:
                local += 1
        tally.passed_over["local"] += local
        while others:
            self._other(block, others, len(text))

    def _carefully(self, block: Block, start: int, match: re.Match[bytes], hour: int | None) -> None:
        """Count one attempt of which more is to be known."""
        text, tally = block.text, self.tally
        message, _, _, relay, delay, status, said = match.groups()
        said = said or b""
        if text.find(b"]: ", start, match.start()) >= 0:
            return  # a header that a log quotes
        if _LOOP in said:
            tally.passed_over["local"] += 1
            return
        self._bins[delay] = delay_bin(waited := _number(delay))
        if len(self._bins) > _MOST_DELAYS:
            self._bins.clear()
        address = text[match.start(2) : max(match.end(2), match.end(3))]
        provider = tally.provider(address, relay) if relay != b"none" else self._named(address, said)
        if provider == LOCAL:
            tally.passed_over["local"] += 1
            return
        second = hour if waited <= LONG else None  # the minute matters for what waited only
        if second is None:
            second = self._stamps.second(block, start)
        if second is None:
            return
        if status == b"sent":
            answer = ACCEPTED
        elif status == b"bounced":
            answer = tally.replies.refused(_reply(said), address)
        elif status in (b"deferred", b"SOFTBOUNCE"):
            answer = tally.replies.deferred(_reply(said), address)
        else:
            tally.passed_over["probes"] += 1
            return
        tally.attempt(second, message, address, provider, answer, waited=waited)

    def _named(self, address: bytes, said: bytes) -> int:
        """Provider of a try that found no connection: the host is named in the text."""
        named = _NAMED_HOST.search(said)
        return self.tally.provider(address, named[1] if named else b"")

    # --- what is rare

    def _others(self, text: bytes, found: list[re.Match[bytes]]) -> list[int]:
        """Positions of lines that are no attempts by smtp, the last first."""
        places = []
        at = text.find(_REMOVED)
        while at >= 0:
            places.append(text.rfind(b"\n", 0, at) + 1)
            at = text.find(_REMOVED, at + 1)
        if text.count(b": to=") != len(found) or text.count(_STATUS) != len(found):
            taken = {match.end() for match in found}
            places += [*self._not_taken(text, b": to=", taken), *self._not_taken(text, _STATUS, taken)]
        return sorted(set(places), reverse=True)

    def _not_taken(self, text: bytes, mark: bytes, taken: set[int]) -> Iterator[int]:
        """Where lines begin that have a mark and were not counted."""
        at = text.find(mark)
        while at >= 0:
            end = text.find(b"\n", at)
            end = len(text) if end < 0 else end
            if not {end, end - 1} & taken:
                yield text.rfind(b"\n", 0, at) + 1
            at = text.find(mark, end)

    def _other(self, block: Block, others: list[int], until: int) -> int:
        """Count such lines before a position; gives the place of the next one."""
        while others and others[-1] < until:
            self._line(block, others.pop())
        return others[-1] if others else len(block.text)

    def _line(self, block: Block, start: int) -> None:
        text, tally = block.text, self.tally
        leaves = _LEAVES.match(text, start)
        if leaves:
            second = self._stamps.second(block, start)
            if leaves[2] and second is not None:
                tally.expired(second, leaves[1])
            tally.queue.forget(leaves[1])
            return
        head = _HEAD.match(text, start)
        agent = head[1] if head else b""
        end = text.find(b"\n", start)
        match = _BY_ANY.search(text, start, len(text) if end < 0 else end)
        if agent in _PUTTING_OFF and match and head:
            tally.passed_over["held back"] += 1
            address = text[match.start(1) : max(match.end(1), match.end(2))]
            provider = self._named(address, match[6] or b"")
            if match[5] == b"deferred" and provider != LOCAL:
                tally.queue.wait(head[2], tally.queue.recipient(address), provider)
        elif agent in _OWN_AGENTS and match:
            tally.passed_over["local"] += 1
        elif agent == b"smtp" or agent in _OWN_AGENTS or agent in _PUTTING_OFF:
            tally.problem(CUT_OFF, block.place(start))


def _reply(said: bytes) -> str:
    """What the server said, or what our own side says of the trouble."""
    if said.startswith(b"host "):
        _, _, spoken = said.partition(b" said: ")
        said = spoken or said.partition(b" to me: ")[2] or said
    end = said.rfind(b" (in reply to ")
    return (said[:end] if end >= 0 else said.removesuffix(b")")).decode("utf-8", "replace")


def _number(text: bytes) -> float:
    try:
        return float(text)
    except ValueError:  # two dots
        return 0.0
