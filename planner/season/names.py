"""Names of seasons: what every file system takes as a file name, and nobody mistakes for a path."""

from __future__ import annotations

import re
import unicodedata

from planner.errors import InputError
from planner.inputs.fields import shown

MAX_NAME = 40
_OF_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
_REMEDY = f"Write up to {MAX_NAME} letters, digits, blanks, '-' or '_', a letter or digit first and last."


def checked_name(name: str) -> str:
    """Return a season's name in its one spelling.

    Raises
    ------
    InputError
        If it is no safe file name.

    Examples
    --------
    >>> checked_name("Newsletter 2")
    'Newsletter 2'
    """
    if not isinstance(name, str):
        raise InputError(f"name is {shown(name)}, not a name. {_REMEDY}", field="name")
    one = unicodedata.normalize("NFC", name)
    fits = 0 < len(one) <= MAX_NAME and all(char.isalnum() or char in " -_" for char in one)
    if not fits or not (one[0].isalnum() and one[-1].isalnum()) or _OF_DEVICES.fullmatch(one):
        raise InputError(f"name is {shown(name)}, which is no safe file name. {_REMEDY}", field="name")
    return one


def name_for(text: str) -> str:
    """Make a name of any text, such as a sender's or a file's.

    Examples
    --------
    >>> name_for("Ann's shop: EU/US"), name_for("…"), name_for("nul")
    ('Ann s shop EU US', 'season', 'nul season')
    """
    plain = "".join(char if char.isalnum() or char in "-_" else " " for char in unicodedata.normalize("NFC", text))
    short = " ".join(plain.split())[:MAX_NAME].strip(" -_") or "season"
    return f"{short} season" if _OF_DEVICES.fullmatch(short) else short
