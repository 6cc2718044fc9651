"""Logs in JSON: a value per line, one array of them, or pages, read piece by piece."""

from __future__ import annotations

import codecs
import json
import re
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

from planner.inputs.provider_names import OTHER
from planner.observing.logs.blocks import Block
from planner.observing.logs.formats.base import ATTEMPTS_NOT_KNOWN, COMPLAINTS_NOT_KNOWN, CUT_OFF
from planner.observing.logs.formats.base import Reader as Base
from planner.observing.logs.replies import ACCEPTED, Answer
from planner.observing.logs.tally import COMPLAINTS, LOCAL, Tally

MAX_VALUE = 1 << 24
"""Characters of one value."""

_TRIES = 20
_HOUR = 13  # bits for the provider and for whether it was a retry
_BETWEEN = re.compile(r"[\s,\[\]\ufeff]*+")
_DECODER = json.JSONDecoder()

Event = dict[str, Any]


def first_events(sample: Sequence[bytes]) -> list[Event]:
    """Events among the first lines of a log."""
    text = b"\n".join(sample).decode("utf-8", "replace")
    found: list[Event] = []
    at = text.find("{")
    for _ in range(_TRIES):  # the first value may be a page that ends far below: then its parts tell
        if at < 0:
            break
        try:
            value, end = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            at = text.find("{", at + 1)
        else:
            found += events_in(value)
            at = text.find("{", end)
    return found


def events_in(value: object) -> Iterator[Event]:
    """Take events out of what services wrap around them."""
    if not isinstance(value, dict):
        return
    if isinstance(value.get("items"), list):  # a page of Mailgun's API
        yield from (item for item in value["items"] if isinstance(item, dict))
    elif isinstance(value.get("event-data"), dict):  # its webhook
        yield value["event-data"]
    elif isinstance(value.get("Message"), str) and "TopicArn" in value:  # Amazon SNS
        try:
            yield from events_in(json.loads(value["Message"]))
        except (ValueError, RecursionError):
            return
    elif isinstance(value.get("detail"), dict) and "detail-type" in value:  # Amazon EventBridge
        yield value["detail"]
    else:
        yield value


class Values(Base):
    """Reads values wherever a block ends."""

    def __init__(self, tally: Tally) -> None:
        super().__init__(tally)
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._kept = ""
        self._line = 1
        self._file = ""
        self.deferrals = self.complaints = False
        """Whether any was seen: who subscribes to events chooses among them."""

    def not_known(self) -> tuple[str, ...]:
        """Kinds of events that never came."""
        return (*(() if self.deferrals else ATTEMPTS_NOT_KNOWN), *(() if self.complaints else COMPLAINTS_NOT_KNOWN))

    def complaint(self, second: int, provider: int) -> None:
        """Count a complaint, whatever host it came from."""
        self.complaints = True
        self.tally.count(second, self.tally.number(OTHER) if provider == LOCAL else provider, COMPLAINTS)

    def put_off(self, text: str, address: bytes) -> Answer:
        """Answer of an attempt that is to be made again."""
        self.deferrals = True
        return self.tally.replies.deferred(text, address)

    def accepted(
        self,
        second: int,
        message: str,
        address: bytes,
        provider: int,
        *,
        waited: float | None = None,
        first: bool | None = None,
    ) -> None:
        """Count an attempt that the server accepted; it may still come back, or have come back in an earlier line."""
        delivery = self._delivery(message, address)
        if delivery in self.tally.refused:
            self.tally.passed_over["returned"] += 1
            return
        retry = self.tally.attempt(second, message, address, provider, ACCEPTED, waited=waited, first=first)
        self.tally.accepted.note(delivery, (second // 3600 << _HOUR) + (provider << 1) + retry)

    def refused(
        self, second: int, message: str, address: bytes, provider: int, text: str, *, first: bool | None = None
    ) -> None:
        """Count a refusal for good: of an attempt, or of mail that the server had accepted and then sent back."""
        tally, delivery = self.tally, self._delivery(message, address)
        answer = tally.replies.refused(text, address)
        held = tally.accepted.take(delivery)
        if held is None:
            tally.attempt(second, message, address, provider, answer, first=first)
        else:
            tally.move(held >> _HOUR, held % (1 << _HOUR) >> 1, ACCEPTED.place + held % 2, answer.place + held % 2)
        tally.refused.note(delivery)

    def given_up(self, second: int, message: str, address: bytes, provider: int) -> None:
        """Count a message whose time was over; what was accepted before cannot be given up, and somebody answered."""
        if self._delivery(message, address) in self.tally.accepted:
            self.tally.passed_over["answers"] += 1
        else:
            self.tally.recipient_expired(second, message, self.tally.queue.recipient(address), provider)

    def _delivery(self, message: str, address: bytes) -> int:
        return self.tally.number_of(message.encode("utf-8", "replace"), address.lower())

    def identity(self, event: Event) -> str:
        """What is the same when a service tells of an event twice; empty where nothing is."""
        del event
        return ""

    @abstractmethod
    def event(self, event: Event) -> None:
        """Count one event.

        Raises
        ------
        ValueError, KeyError, TypeError, AttributeError, OverflowError
            When it is not made as it should be.
        """

    def read(self, block: Block) -> None:
        """Count the events that end in this block."""
        if not self._kept:
            self._line, self._file = block.line, block.file
        text = self._kept + self._decode(block.text)
        at = self._values(text)
        self._line += text.count("\n", 0, at)
        self._kept = text[at:]
        if len(self._kept) > MAX_VALUE:
            self._problem(0)
            self._kept = ""

    def end(self) -> None:
        """Count what is left when a file ends."""
        text = self._kept + self._decode(b"", final=True)
        self._kept = ""
        while text.strip():
            at = self._values(text)
            if at >= len(text):
                return
            self._problem(text.count("\n", 0, at))
            rest = text.find("\n", at) + 1
            self._line += text.count("\n", 0, rest)
            text = text[rest:] if rest else ""

    def _values(self, text: str) -> int:
        """Count values; gives where the first begins that is not whole."""
        at = 0
        while True:
            at = _end_of_gap(text, at)
            if at >= len(text):
                return at
            try:
                value, end = _DECODER.raw_decode(text, at)
            except json.JSONDecodeError as error:
                if error.msg.startswith("Unterminated string") or error.pos >= len(text) - 8:
                    return at  # it goes on in the next block
                end = self._damaged(text, at)
            except (ValueError, RecursionError):  # a number of thousands of digits; nested without end
                end = self._damaged(text, at)
            else:
                self._each(value, text, at)
            at = end

    def _each(self, value: object, text: str, at: int) -> None:
        if not isinstance(value, dict):
            self._problem(text.count("\n", 0, at))
        for event in events_in(value):
            try:
                self._once(event)
            except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
                self._problem(text.count("\n", 0, at))

    def _once(self, event: Event) -> None:
        """Count an event, unless it was counted before: services tell of each at least once."""
        identity = self.identity(event).encode("utf-8", "replace")
        number = self.tally.number_of(identity)
        if identity and number in self.tally.told:
            self.tally.passed_over["repeated"] += 1
            return
        self.event(event)
        if identity:
            self.tally.told.note(number)

    def _damaged(self, text: str, at: int) -> int:
        """Go on behind the line that cannot be read."""
        self._problem(text.count("\n", 0, at))
        end = text.find("\n", at)
        return len(text) if end < 0 else end + 1

    def _problem(self, lines: int) -> None:
        place = self._file, self._line + lines
        self.tally.problem(CUT_OFF, lambda: place)


def _end_of_gap(text: str, at: int) -> int:
    found = _BETWEEN.match(text, at)
    return found.end() if found else at


def bytes_of(address: object) -> bytes:
    """Address as bytes.

    Raises
    ------
    ValueError
        When it is none.
    """
    if not isinstance(address, str) or not address:
        raise ValueError("no address")
    return address.strip().strip("<>").encode("utf-8", "replace")
