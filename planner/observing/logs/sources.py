"""Files of a log, in the order in which they were written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, cast

from planner.errors import InputError
from planner.observing.words import without_names

MAX_FILES = 10_000

_PACKED = re.compile(r"\.(?:gz|zst|zstd)$", re.IGNORECASE)
_NUMBERED = re.compile(r"(.+)\.(\d{1,4})")
_DATED = re.compile(r"(.+?)[-_.]\d{8}(?:[-_.T]?\d{2,6})?")
_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True)
class Source:
    """One file, or an open stream.

    Parameters
    ----------
    name : str
        Without folders and addresses.
    path : Path or None
    stream : binary file or None
    """

    name: str
    path: Path | None = None
    stream: BinaryIO | None = None

    @property
    def size(self) -> int:
        """Bytes as they lie there; 0 where that is not known."""
        return self.path.stat().st_size if self.path else 0

    @property
    def latest(self) -> datetime:
        """When the last line was written, at the latest."""
        now = datetime.now()
        if self.path is None:
            return now
        changed = datetime.fromtimestamp(self.path.stat().st_mtime)
        return changed if datetime(2000, 1, 1) < changed < now else now


def sources(what: object) -> list[Source]:
    """Give the files that are meant, in the order in which they were written.

    Raises
    ------
    InputError
        When there is nothing to read.
    """
    if hasattr(what, "read"):
        name = getattr(what, "name", "")
        named = without_names(Path(name).name) if isinstance(name, str) and name else "log"
        return [Source(named, stream=cast("BinaryIO", what))]
    if not isinstance(what, str | Path):
        raise InputError(f"A log is a file, a folder or an open binary file, not {type(what).__name__}.")
    path = Path(what)
    if path.is_dir():
        return _in_folder(path)
    if not path.is_file():
        raise InputError("There is no such file or folder. Check the name.", file=without_names(str(path)))
    return [Source(without_names(path.name), path)]


def _in_folder(folder: Path) -> list[Source]:
    try:
        files = [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
    except OSError as error:
        text = f"The folder cannot be read: {error.strerror}. Ask for the right to read it."
        raise InputError(text, file=without_names(str(folder))) from None
    if len(files) > MAX_FILES:
        raise InputError(
            f"The folder holds {len(files):,} files; at most {MAX_FILES:,} are read. Choose fewer.", file=str(folder)
        )
    if not files:
        raise InputError("The folder holds no files. Name the folder of the log.", file=without_names(str(folder)))
    return [Source(without_names(path.name), path) for path in sorted(files, key=lambda path: _place(path.name))]


def group_of(name: str) -> str:
    """Log that a rotated file belongs to.

    Examples
    --------
    >>> group_of("mail.log.2.gz"), group_of("mail.log-20261124"), group_of("MSGTRK2026112508-1.LOG")
    ('mail.log', 'mail.log', 'MSGTRK#-#.LOG')
    """
    return _place(name)[0]


def _place(name: str) -> tuple[str, int, tuple[int, ...], str]:
    """Group and place of a file: dated rotations, numbered ones from the highest number down, the current file."""
    bare = _PACKED.sub("", name)
    numbered, dated = _NUMBERED.fullmatch(bare), _DATED.fullmatch(bare)
    if numbered:
        return _DIGITS.sub("#", numbered[1]), 1, (-int(numbered[2]),), name
    numbers = tuple(int(digits) for digits in _DIGITS.findall(bare))
    if dated:
        return _DIGITS.sub("#", dated[1]), 0, numbers, name
    return _DIGITS.sub("#", bare), 2, numbers, name
