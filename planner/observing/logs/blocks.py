"""Logs block by block: unpacked, in whole lines, and where in their file they stand."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from planner.errors import InputError
from planner.observing.logs.sources import Source

SIZE = 1 << 20
MAX_LINE = 1 << 20
TOO_LONG = "line longer than a megabyte"
DAMAGED = "packed file is damaged or cut off: the rest is lost"

_SIGNATURE = 1 << 12
_FEW = 1 << 11
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_FOREIGN = {b"PK\x03\x04": "a zip or Excel file", b"BZh": "a bzip2 file", b"\xfd7zXZ": "an xz file", b"%PDF": "a PDF"}

Place = Callable[[], tuple[str, int]]


class Block(NamedTuple):
    """Whole lines of a file.

    Parameters
    ----------
    text : bytes
        Each line ends with a line feed, but perhaps the last of the file.
    file : str
        Name without folders.
    line : int
        Number of the first line, from 1.
    n_lines : int
        Line feeds in it.
    read : int
        Bytes of the file, as it lies there, that were read by now.
    problems : tuple of (kind, line)
        What is wrong between these lines.
    """

    text: bytes
    file: str
    line: int
    n_lines: int
    read: int = 0
    problems: tuple[tuple[str, int], ...] = ()

    def place(self, at: int) -> Place:
        """Give a function that tells file and line of a position: counting lines is for those who ask."""
        return lambda: (self.file, self.line + self.text.count(b"\n", 0, at))

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Position and content of each line that is not empty."""
        text, start = self.text, 0
        while start < len(text):
            end = text.find(b"\n", start)
            end = len(text) if end < 0 else end
            line = text[start:end].rstrip(b"\r")
            if line:
                yield start, line
            start = end + 1


class Feed:
    """An open log, unpacked piece by piece.

    Attributes
    ----------
    head : bytes
        Its first piece.
    """

    def __init__(self, name: str, pieces: Iterator[tuple[bytes, int]]) -> None:
        self._name, self._pieces = name, pieces
        self._damaged = False
        self.head, self._read = self._next()
        while len(self.head) < SIZE // 4:  # the first of several gzip members may be short
            piece, read = self._next()
            if not piece:
                break
            self.head, self._read = self.head + piece, read

    def _next(self) -> tuple[bytes, int]:
        """Give the next piece; an empty one at the end."""
        try:
            piece, read = next(self._pieces, (b"", 0))
        except _Damaged:
            self._damaged = True
            return b"", 0
        return piece, read

    def pieces(self) -> Iterator[Block]:
        """Blocks that end anywhere."""
        piece, read, line = self.head, self._read, 1
        while piece:
            n_lines = piece.count(b"\n")
            yield Block(piece, self._name, line, n_lines, read)
            line += n_lines
            piece, read = self._next()
        if self._damaged:
            yield Block(b"", self._name, line, 0, read, ((DAMAGED, line),))

    def whole_lines(self) -> Iterator[Block]:
        """Blocks of whole lines."""
        kept, line, skipping = b"", 1, False
        problems: list[tuple[str, int]] = []
        piece, read = self.head, self._read
        while piece:
            text, kept = kept + piece, b""
            if skipping:
                end = text.find(b"\n") + 1
                text, skipping, line = text[end:] if end else b"", not end, line + bool(end)
            end = text.rfind(b"\n") + 1
            whole, kept = text[:end], text[end:]
            n_lines = whole.count(b"\n")
            if len(kept) > MAX_LINE:
                problems.append((TOO_LONG, line + n_lines))
                kept, skipping = b"", True
            if whole or problems:
                yield Block(whole, self._name, line, n_lines, read, tuple(problems))
                problems.clear()
                line += n_lines
            piece, read = self._next()
        if self._damaged:
            problems.append((DAMAGED, line))
        if kept or problems:
            yield Block(kept, self._name, line, 0, read, tuple(problems))


@contextmanager
def feed(source: Source) -> Iterator[Feed]:
    """Open a log.

    Raises
    ------
    InputError
        When it cannot be opened, is no text, or is packed in a way that nothing here can unpack.
    """
    if source.stream is not None:
        yield Feed(source.name, _pieces(source.name, source.stream, SIZE))
    elif source.path is not None:
        with _opened(source.path, source.name) as file:
            yield Feed(source.name, _pieces(source.name, file, SIZE))


def _opened(path: Path, name: str) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise InputError(f"It cannot be opened: {error.strerror}. Ask for the right to read it.", file=name) from None


def signature(source: Source) -> bytes:
    """Digest of the first bytes of a file on disk: what begins alike is the same log."""
    if source.path is None:
        return b""
    head = b""
    with suppress(_Damaged, InputError), _opened(source.path, source.name) as file:
        for piece, _ in _pieces(source.name, file, 1 << 14):
            head += piece
            if len(head) >= _SIGNATURE:
                break
    return blake2b(head[:_SIGNATURE]).digest() if head else b""


# --- unpacking


class _Damaged(Exception):
    """A packed file ends or breaks in the middle; what came before was read."""


class _Counted:
    """Reads on from a file whose first bytes were looked at, and counts."""

    def __init__(self, file: BinaryIO, head: bytes) -> None:
        self._file, self._head = file, head
        self.read_bytes = 0

    def read(self, size: int = -1) -> bytes:
        data, self._head = self._head or self._file.read(size), b""
        self.read_bytes += len(data)
        return data


def _pieces(name: str, file: BinaryIO, size: int) -> Iterator[tuple[bytes, int]]:
    """Plain bytes, and how many were read of the file as it lies there."""
    head = file.read(size)
    if not isinstance(head, bytes):
        raise InputError("The log is open as text. Open it with mode 'rb'.", file=name)
    for start, kind in _FOREIGN.items():
        if head.startswith(start):
            raise InputError(f"This is {kind}. Unpack it, or name the log itself.", file=name)
    counted = _Counted(file, head)
    unpack = _gzip if head.startswith(_GZIP) else _zstd if head.startswith(_ZSTD) else _plain
    for plain in unpack(name, counted, size):
        yield plain, counted.read_bytes


def _plain(name: str, file: _Counted, size: int) -> Iterator[bytes]:
    del name
    while piece := file.read(size):
        yield piece


def _gzip(name: str, file: _Counted, size: int) -> Iterator[bytes]:
    del name
    unpacker, inside = zlib.decompressobj(wbits=31), False
    while raw := file.read(size):
        try:
            while raw:
                plain = unpacker.decompress(raw, SIZE)
                if plain:
                    yield plain
                inside = not unpacker.eof
                if unpacker.eof:  # some rotations are several members, one behind the other
                    raw = unpacker.unused_data.lstrip(b"\0")
                    unpacker = zlib.decompressobj(wbits=31)
                else:
                    raw = unpacker.unconsumed_tail
        except zlib.error:
            raise _Damaged from None
    if inside:
        raise _Damaged


def _zstd(name: str, file: _Counted, size: int) -> Iterator[bytes]:
    new, error = _zstd_of_this_python(name)
    unpacker, inside, plain = new(), False, b""
    while raw := file.read(size):
        for at in range(0, len(raw), _FEW):  # few bytes at a time: a hostile frame holds 30,000 times as many
            rest = raw[at : at + _FEW]
            try:
                while rest:
                    plain += unpacker.decompress(rest)
                    inside, rest = not unpacker.eof, unpacker.unused_data if unpacker.eof else b""
                    if not inside:
                        unpacker = new()
            except error:
                yield plain
                raise _Damaged from None
            if len(plain) >= SIZE:
                yield plain
                plain = b""
    if plain:
        yield plain
    if inside:
        raise _Damaged


def _zstd_of_this_python(name: str) -> tuple[Callable[[], Any], type[Exception]]:
    try:
        from compression import zstd  # type: ignore[import-not-found,unused-ignore] # Python 3.14 and later
    except ImportError:
        pass
    else:
        return zstd.ZstdDecompressor, zstd.ZstdError
    try:
        import zstandard
    except ImportError:
        remedy = "Unpack it with `unzstd`, or install the extra: pip install 'warmup-planner[logs]'."
        raise InputError(f"It is packed with zstd, which this Python cannot read. {remedy}", file=name) from None
    return lambda: zstandard.ZstdDecompressor().decompressobj(), zstandard.ZstdError
