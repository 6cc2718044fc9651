"""Text for eyes: names, escaped text, tables as text, and the prose of `texts/`."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import planner as wp
from planner.tables import csv_text
from planner.vocabulary import Verdict

if TYPE_CHECKING:
    import pandas as pd

_TEXTS = Path(__file__).with_name("texts")
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")

CONFIDENCE = {
    "official": "published by the provider",
    "practitioner": "practitioners",
    "inferred": "inferred: our guess from what is published",
    "default": "default: our guess, no source",
}

ASSUMED = {
    "provider": "Provider",
    "title": "Parameter",
    "low": "Low (5 %)",
    "typical": "Typical",
    "high": "High (95 %)",
    "unit": "Unit",
    "confidence": "Confidence",
    "source": "Source",
    "note": "Note",
}
"""Columns of the table of assumptions, with their titles."""


CAUSES = {
    "limit": "the limit on volume",
    "penalty": "a penalty after too much",
    "greylisting": "greylisting",
    "system": "the provider's own trouble",
    "stuck": "mailboxes that refuse for now",
    "reputation": "doubtful reputation",
    "authentication": "authentication",
}

VERDICTS = {
    Verdict.GO_ON: "Go on",
    Verdict.HOLD: "Hold",
    Verdict.STEP_BACK: "Step back",
    Verdict.STOP: "Stop",
}


@cache
def prose(name: str) -> str:
    """Read a text of the screens, in Markdown."""
    return (_TEXTS / f"{name}.md").read_text(encoding="utf-8")


def plain(text: str) -> str:
    r"""Escape text that came from a file, so that Markdown shows it as it is.

    Examples
    --------
    >>> print(plain("*5* < 6 :red[x]"))
    \*5\* \< 6 \:red\[x\]
    """
    return _PUNCTUATION.sub(r"\\\1", text)


def provider_name(id: str) -> str:  # noqa: A002 - the provider's id, everywhere
    """Say a provider as people do; an id that nobody knows stays as it is.

    Examples
    --------
    >>> provider_name("gmail"), provider_name("all")
    ('Gmail', 'all')
    """
    known = wp.catalogue().providers
    return known[id].name if id in known else id


def named(frame: pd.DataFrame) -> pd.DataFrame:
    """Write names for the ids in the column ``provider``."""
    names = {name: provider_name(str(name)) for name in frame["provider"].unique()}
    return frame.assign(provider=frame["provider"].map(names))


def csv(frame: pd.DataFrame) -> bytes:
    """Write a table to be downloaded."""
    return csv_text(frame).encode("utf-8")


def tabbed(frame: pd.DataFrame) -> str:
    """Write a table to be copied and pasted into a spreadsheet."""
    return csv_text(frame, "\t").rstrip("\n")
