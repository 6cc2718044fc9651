"""The value that reading gives: one thing a text says about one attempt."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Speaker(StrEnum):
    """Whose words a text holds."""

    SERVER = "server"
    CLIENT = "client"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Said:
    """One thing a text says about one attempt, without anybody's address.

    Parameters
    ----------
    text : str
        The words, cleaned, at most 2,000 characters, in their original case.
    code : int or None
        Reply code, 200 to 599.
    enhanced : str or None
        Enhanced status code such as ``4.7.28``.
    speaker : Speaker
        The receiving server; our own side (time-out, refused connection, DNS, TLS); or nobody: no mail reply at all.
    accepted : bool
        The message was taken.
    format : str
        What the text was read as: ``reply``, ``postfix``, ``bounce``, ``exception``, ``ses`` …
    host : str or None
        The host that answered, in lower case.
    domain : str or None
        The recipient's domain, in lower case.
    why_not : str or None
        Why nobody spoke: ``empty``, ``ftp``, ``http``, ``garbage``, ``log line without a reply``,
        ``event without a reply``.
    """

    text: str
    code: int | None
    enhanced: str | None
    speaker: Speaker
    accepted: bool = False
    format: str = "reply"
    host: str | None = None
    domain: str | None = None
    why_not: str | None = None
