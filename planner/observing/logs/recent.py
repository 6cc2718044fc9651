"""What was noted of late, in bounded memory."""

from __future__ import annotations

MAX_NOTES = 200_000


class Recent:
    """Numbers noted under numbers: at least the last `most` of them, at most twice as many.

    Examples
    --------
    >>> recent = Recent(most=2)
    >>> for key in range(5):
    ...     recent.note(key, 10 * key)
    >>> recent.take(0), recent.take(3), recent.take(3)
    (None, 30, None)
    """

    def __init__(self, most: int = MAX_NOTES) -> None:
        self._most = most
        self._new: dict[int, int] = {}
        self._old: dict[int, int] = {}

    def __contains__(self, key: int) -> bool:
        return key in self._new or key in self._old

    def note(self, key: int, value: int = 0) -> None:
        """Remember a number; those of before the last `most` may be forgotten."""
        if len(self._new) >= self._most:
            self._old, self._new = self._new, {}
        self._new[key] = value

    def take(self, key: int) -> int | None:
        """Give what was noted under a key, and forget it."""
        found = self._new.pop(key, None)
        return self._old.pop(key, None) if found is None else found
