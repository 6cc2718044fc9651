"""What is under way: messages that were tried and not yet settled, in bounded memory and without anybody's name."""

from __future__ import annotations

import secrets
from hashlib import blake2b
from itertools import islice

MAX_MESSAGES = 400_000
"""Deferred messages that are remembered; beyond them the longest untouched are forgotten, which is counted."""

_LONG_NAME = 64
_PROVIDERS = 1 << 12
_TRIED = 1 << 12
_SHIFT = 13


class Queue:
    """Recipients that were deferred, by message.

    A recipient is a number hashed from its address with a salt of this run; a message is whatever names it in the
    log. What is accepted or refused at its first attempt never gets in here.

    Examples
    --------
    >>> queue = Queue()
    >>> one = queue.recipient(b"ann@example.org")
    >>> queue.defer(b"4F2A", one, provider=3)
    True
    >>> queue.defer(b"4F2A", one, provider=3)
    False
    >>> queue.expire(b"4F2A"), queue.expire(b"4F2A")
    ([3], [])
    """

    def __init__(self, most: int = MAX_MESSAGES) -> None:
        self.messages: dict[bytes | str, int | dict[int, int]] = {}
        self.forgotten = 0
        self._most = most
        self._salt = secrets.token_bytes(16)

    def recipient(self, address: bytes) -> int:
        """Tell recipients of a message apart without keeping them."""
        return hash(self._salt + address) & 0xFFFFFFFFFF

    def tried(self, message: bytes | str, recipient: int) -> bool:
        """Tell whether this recipient's message was attempted before."""
        held = self.messages.get(_short(message))
        if held is None:
            return False
        if isinstance(held, int):
            return held >> _SHIFT == recipient and bool(held & _TRIED)
        return bool(held.get(recipient, 0) & _TRIED)

    def defer(self, message: bytes | str, recipient: int, provider: int) -> bool:
        """Note a deferred attempt; tell whether it was the first."""
        first = not self.tried(message, recipient)
        self._hold(message, recipient, provider | _TRIED)
        return first

    def wait(self, message: bytes | str, recipient: int, provider: int) -> None:
        """Note that a recipient waits and was not attempted now."""
        self._hold(message, recipient, provider | (_TRIED if self.tried(message, recipient) else 0))

    def settle(self, message: bytes | str, recipient: int) -> bool:
        """Forget a recipient that was accepted or refused; tell whether this was its first attempt."""
        message = _short(message)
        held = self.messages.get(message)
        if held is None:
            return True
        if isinstance(held, int):
            if held >> _SHIFT != recipient:
                return True
            del self.messages[message]
            return not held & _TRIED
        value = held.pop(recipient, 0)
        if not held:
            del self.messages[message]
        return not value & _TRIED

    def expire(self, message: bytes | str) -> list[int]:
        """Forget a message; give the provider of each recipient that it was still to be delivered to."""
        held = self.messages.pop(_short(message), None)
        if held is None:
            return []
        values = [held] if isinstance(held, int) else list(held.values())
        return [value % _PROVIDERS for value in values]

    def forget(self, message: bytes | str) -> None:
        """Forget a message that has left the queue."""
        self.messages.pop(_short(message), None)

    def _hold(self, message: bytes | str, recipient: int, value: int) -> None:
        message = _short(message)
        held = self.messages.pop(message, None)  # put back as the latest
        if held is None:
            self.messages[message] = recipient << _SHIFT | value
            if len(self.messages) > self._most:
                self._make_room()
        elif isinstance(held, int) and held >> _SHIFT == recipient:
            self.messages[message] = recipient << _SHIFT | value
        else:
            if isinstance(held, int):
                held = {held >> _SHIFT: held & (1 << _SHIFT) - 1}
            held[recipient] = value
            self.messages[message] = held

    def _make_room(self) -> None:
        # many at once: the first key of a dict is slow to find while those before it have just gone
        oldest = list(islice(self.messages, max(self._most // 10, 1)))
        for message in oldest:
            del self.messages[message]
        self.forgotten += len(oldest)


def _short(message: bytes | str) -> bytes | str:
    """Something of bounded length in place of a name that somebody made long."""
    if len(message) <= _LONG_NAME:
        return message
    return blake2b(
        message if isinstance(message, bytes) else message.encode("utf-8", "replace"), digest_size=16
    ).digest()
