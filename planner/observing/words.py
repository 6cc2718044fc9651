"""Text of other people's making, so that no name and no trick of theirs is kept."""

from __future__ import annotations

import re

MAX_TEXT = 300
_MOST_READ = 4 * MAX_TEXT

_AT = r"(?:@|＠|%40|=40|&#64;)"
_PART = r"[^\s@<>\",;()\[\]]"  # also of VERP senders, which put one address into another: bounce-ann=example.org@…
_LOCAL = re.compile(rf"{_PART}+?\s{{0,3}}{_AT}|\"[^\"]*\"{_AT}")
_CUT = re.compile(rf"{_PART}*$")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]+")


def may_name(text: str) -> bool:
    """Tell whether a text has an @, in any of the ways that people write it."""
    return re.search(_AT, text) is not None


def without_names(text: str) -> str:
    r"""Drop what stands before each @, control characters, and what goes beyond 300 characters.

    Examples
    --------
    >>> without_names("to=<ann.lee@example.org>\x07, relay=mx.example.org")
    'to=<…@example.org> , relay=mx.example.org'
    """
    if len(text) > _MOST_READ:
        text = _CUT.sub("", text[:_MOST_READ])  # half an address does not show that it is one
    text = _LOCAL.sub("…@", _CONTROL.sub(" ", text)).strip()
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
