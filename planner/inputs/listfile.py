"""Rows of a list of any size, block by block: gzip, encodings, line ends, separators and quotes as people have them."""

from __future__ import annotations

import codecs
import csv
import re
import zlib
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from planner.errors import InputError
from planner.inputs.columns import knows_names

BLOCK = 1 << 17
SAMPLE = 200
"""Lines that tell separator and columns."""

MAX_LINE = 1 << 16
MAX_LINES_OF_A_ROW = 100
"""A quote that stays open for longer has no partner."""

MAX_RATIO = 200
HARMLESS_BYTES = 100_000_000
"""What unpacks to more bytes than this, and to `MAX_RATIO` times its size, is no list."""

TOO_LONG = "line too long"
OPEN_QUOTE = "quote without its partner"

_SEPARATORS = "\t;,|"
_NO_SEPARATOR = "\x1f"
_QUOTED = re.compile(r'"[^"]*+"?')
_GZIP = b"\x1f\x8b"
_FOREIGN = {b"PK\x03\x04": "a zip or Excel file", b"\xd0\xcf\x11\xe0": "an old Excel file", b"%PDF": "a PDF"}

Line = str | None  # None: too long to be kept


@dataclass(frozen=True)
class Batch:
    """Some rows of the list; letters of ASCII are in lower case.

    Parameters
    ----------
    rows : list of list of str
        Cells; an empty list for a blank line.
    lines : sequence of int
        Number of each row's first line, from 1.
    problems : list of (int, str)
        Line and kind of what could not be read as it stands.
    share : float, in [0, 1]
        Share of the file that is read by now; 0 where its size is not known.
    """

    rows: list[list[str]]
    lines: Sequence[int]
    problems: list[tuple[int, str]]
    share: float


def batches(source: str | Path | BinaryIO) -> Generator[Batch, None, None]:
    """Read a list; the first batch holds its first `SAMPLE` lines, or all of a shorter one.

    Parameters
    ----------
    source : path, or file opened for reading bytes
        Plain or gzip. UTF-8 or UTF-16; a line that is no UTF-8 counts as Windows-1252. Lines end in LF, CR LF
        or CR, cells at a tab, semicolon, comma or bar.

    Raises
    ------
    InputError
        When the source cannot be read, is damaged, or is no text.
    """
    with _opened(source) as (stream, size):
        meter = _Meter(size)
        carried: list[Line] = []
        separator, number = "", 1
        for lines in _gathered(_lines(_utf8(_plain(_blocks(stream, meter))))):
            if not separator:
                separator = _separator(lines)
            known = carried + lines
            batch, used = _parsed(known, number, separator, meter.share)
            number, carried = number + used, known[used:]
            yield batch
        if carried:
            yield _parsed(carried, number, separator, 1.0, final=True)[0]


# --- bytes


@dataclass
class _Meter:
    size: int | None
    read: int = 0

    @property
    def share(self) -> float:
        return min(self.read / self.size, 1.0) if self.size else 0.0


@contextmanager
def _opened(source: str | Path | BinaryIO) -> Iterator[tuple[BinaryIO, int | None]]:
    if not isinstance(source, str | Path):
        yield source, _size_ahead(source)
        return
    if not Path(source).is_file():  # a pipe or a device might never end
        raise InputError("is no file. Check the name.")
    with _open(Path(source)) as stream:
        yield stream, _size_ahead(stream)


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}.") from None


def _size_ahead(stream: BinaryIO) -> int | None:
    try:
        here = stream.tell()
        end = stream.seek(0, 2)
        stream.seek(here)
    except (OSError, AttributeError):  # a stream without places: nobody knows how much is to come
        return None
    return end - here


def _blocks(stream: BinaryIO, meter: _Meter) -> Iterator[bytes]:
    while block := _filled(stream):
        meter.read += len(block)
        yield block


def _filled(stream: BinaryIO) -> bytes:
    """Read a whole block, if a pipe gives it in pieces; a shorter one is the last."""
    pieces: list[bytes] = []
    missing = BLOCK
    while missing > 0:
        try:
            piece: object = stream.read(missing)
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror}.") from None
        if not isinstance(piece, bytes | bytearray | None):
            raise InputError("is opened as text. Open it as bytes: open(path, 'rb').")
        if not piece:
            break
        pieces.append(bytes(piece))
        missing -= len(piece)
    return b"".join(pieces)


def _plain(blocks: Iterator[bytes]) -> Iterator[bytes]:
    head = next(blocks, b"")
    if what := next((what for magic, what in _FOREIGN.items() if head.startswith(magic)), None):
        raise InputError(f"is {what}, not text. Save the table as CSV.")
    whole = chain([head], blocks)
    yield from _unzipped(whole) if head.startswith(_GZIP) else whole


def _unzipped(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Unpack gzip, also of several parts, never more than a block at a time."""
    taken = given = 0
    unzip = zlib.decompressobj(31)
    for block in blocks:
        taken += len(block)
        ahead, more = block, True
        while ahead or more:
            if unzip.eof:
                ahead = ahead.lstrip(b"\0")  # tapes pad with them
                if not ahead:
                    break
                unzip = zlib.decompressobj(31)
            try:
                out = unzip.decompress(ahead, BLOCK)
            except zlib.error:
                raise InputError("is damaged: gzip cannot unpack it. Copy it again.") from None
            given += len(out)
            if given > max(HARMLESS_BYTES, MAX_RATIO * taken):
                raise InputError(f"unpacks to more than {MAX_RATIO} times its size. Is it a list? Unpack it yourself.")
            yield out
            ahead, more = (unzip.unused_data if unzip.eof else unzip.unconsumed_tail), len(out) == BLOCK
    if not unzip.eof:
        raise InputError("is cut off: its gzip data do not end. Copy it again.")


def _utf8(blocks: Iterator[bytes]) -> Iterator[bytes]:
    head = next(blocks, b"")
    encoding = _utf16(head)
    if encoding is None:
        yield from chain([head.removeprefix(codecs.BOM_UTF8)], blocks)
        return
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    for block in chain([head], blocks):
        yield decoder.decode(block).encode()


def _utf16(head: bytes) -> str | None:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    zeros = "".join("0" if byte == 0 else "x" for byte in head[:4])
    return {"x0x0": "utf-16-le", "0x0x": "utf-16-be"}.get(zeros)


# --- lines


def _lines(blocks: Iterable[bytes]) -> Iterator[list[Line]]:
    """Cut blocks into whole lines; of one that does not end only the number is kept."""
    rest, too_long = b"", False
    for block in blocks:
        block = rest + block
        half = b"\r" if block.endswith(b"\r") else b""  # the line end's other half may be in the next block
        block = block[: len(block) - len(half)]
        if b"\r" in block:
            block = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        whole, newline, rest = block.rpartition(b"\n")
        if newline:
            lines = _decoded(whole)
            if too_long:
                lines[0], too_long = None, False
            yield lines
        if len(rest) > 4 * MAX_LINE:  # bytes of a character, at most
            rest, too_long = b"", True
        rest += half
    if rest or too_long:
        yield [None] if too_long else _decoded(rest.removesuffix(b"\r"))


def _decoded(block: bytes) -> list[Line]:
    block = block.lower()
    try:
        lines = block.decode().split("\n")
    except UnicodeDecodeError:  # line by line, so that it does not matter where a block ends
        lines = [_decoded_line(line) for line in block.split(b"\n")]
    if max(map(len, lines)) > MAX_LINE:
        return [line if len(line) <= MAX_LINE else None for line in lines]
    return [*lines]


def _decoded_line(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("cp1252", "replace")


def _gathered(blocks: Iterator[list[Line]]) -> Iterator[list[Line]]:
    """Put the first `SAMPLE` lines into one block, however small the blocks are."""
    first: list[Line] = []
    for lines in blocks:
        first += lines
        if len(first) >= SAMPLE:
            break
    if first:
        yield first
    yield from blocks


# --- rows


def _separator(lines: list[Line]) -> str:
    """Find what parts known names of columns, or what most lines have equally often outside quotes."""
    opening = lines[0] or ""
    if opening.startswith("sep=") and len(opening) == 5:  # so Excel says it
        lines[0] = ""
        return opening[4]
    if mark := next((mark for mark in _SEPARATORS if mark in opening and knows_names(_unquoted(opening, mark))), ""):
        return mark
    unquoted = [_QUOTED.sub("", line) for line in lines[:SAMPLE] if line]
    agreeing = {mark: _most([line.count(mark) for line in unquoted]) for mark in _SEPARATORS}
    best = max(_SEPARATORS, key=agreeing.__getitem__)
    return best if 2 * agreeing[best] > len(unquoted) else _NO_SEPARATOR


def _most(counts: list[int]) -> int:
    return max(Counter(n for n in counts if n).values(), default=0)


def _parsed(known: list[Line], number: int, separator: str, share: float, *, final: bool = False) -> tuple[Batch, int]:
    """Parse lines, the first of which has this number; also tell how many, for a row may end in the next block."""
    lines = [line or "" for line in known]
    try:
        rows = list(csv.reader(lines, delimiter=separator, skipinitialspace=True, strict=True))
    except csv.Error:
        rows = []
    problems: list[tuple[int, str]] = []
    if len(rows) == len(lines):  # one line each
        starts: Sequence[int] = range(number, number + len(lines))
        used = len(lines)
    else:
        rows, offsets, open_quotes, used = _row_by_row(lines, separator, final)
        starts = [number + i for i in offsets]
        problems += [(number + i, OPEN_QUOTE) for i in open_quotes]
    if None in known:
        problems += [(number + i, TOO_LONG) for i, line in enumerate(known[:used]) if line is None]
    return Batch(rows, starts, problems, share), used


def _row_by_row(lines: list[str], separator: str, final: bool) -> tuple[list[list[str]], list[int], list[int], int]:
    """Parse rows of several lines, and lines with a stray quote; gives rows, their lines, stray quotes, lines used."""
    rows, starts, stray = [], [], []
    i = 0
    while i < len(lines):
        ahead = lines[i : i + MAX_LINES_OF_A_ROW]
        reader = csv.reader(ahead, delimiter=separator, skipinitialspace=True, strict=True)
        try:
            row, used = next(reader), reader.line_num
        except csv.Error:
            if reader.line_num == len(ahead) < MAX_LINES_OF_A_ROW and not final:
                break
            row, used = _unquoted(ahead[0], separator), 1
            stray.append(i)
        rows.append(row)
        starts.append(i)
        i += used
    return rows, starts, stray, i


def _unquoted(line: str, separator: str) -> list[str]:
    """Split a line in which a quote is a letter like others; at the ends of a cell it is dropped."""
    return [cell.strip(' "') for cell in line.split(separator)]
