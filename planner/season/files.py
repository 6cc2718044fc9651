"""Files that survive whatever happens while they are written: whole or not at all, and one writer at a time."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from planner.errors import InputError

LOCK = ".lock"
PATIENCE_SECONDS = 10.0
_PIECE = 1 << 16


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that whoever reads it, even after a crash, finds the old content or the new.

    A draft that a killed writer left is removed: nobody else writes while the folder is locked.
    """
    draft = path.with_name(f".{path.name}.tmp")
    draft.unlink(missing_ok=True)
    stream = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    try:
        for start in range(0, len(content), _PIECE):
            _write(stream, content[start : start + _PIECE])
        os.fsync(stream)
    except BaseException:
        os.close(stream)
        with suppress(OSError):
            draft.unlink()
        raise
    os.close(stream)
    os.replace(draft, path)  # noqa: PTH105 - as the calls around it
    _settle(path.parent)


def remove(path: Path) -> None:
    """Remove a file, if it is there, for good."""
    path.unlink(missing_ok=True)
    _settle(path.parent)


def _write(stream: int, content: bytes) -> None:
    while content:
        content = content[os.write(stream, content) :]


def _settle(folder: Path) -> None:
    """Make the names in a folder last through a power failure, where the system can."""
    if os.name == "nt":  # folders cannot be opened there
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other writers out of a folder; the system lets go of it when the process ends, however it ends.

    Raises
    ------
    InputError
        When another process does not let go for ten seconds.
    """
    stream = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        until = time.monotonic() + PATIENCE_SECONDS
        while not _taken(stream):
            if time.monotonic() > until:
                text = "is being written by another process that does not finish. End it, or try again."
                raise InputError(text, file=folder)
            time.sleep(0.02)
        yield
    finally:
        os.close(stream)


if sys.platform == "win32":
    import msvcrt

    def _taken(stream: int) -> bool:
        try:
            msvcrt.locking(stream, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _taken(stream: int) -> bool:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
