"""Tables as people keep them, CSV of any dialect or Excel: bytes in, a grid of cells out; nothing in it is run."""

from __future__ import annotations

import csv
import io
import re
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planner.errors import InputError, PlannerError
from planner.vocabulary import whole

if TYPE_CHECKING:
    from openpyxl.workbook import Workbook

MAX_BYTES = 10_000_000
MAX_UNPACKED = 25_000_000
"""An Excel file is a packed archive: a few bytes can unpack to more than the memory holds."""

MAX_MEMBERS = 2000
MAX_ROWS = 200_000
MAX_EXCEL_ROWS = 20_000
MAX_COLUMNS = 250

_SEPARATORS = ",;\t"
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"  # .xls, and every Excel file with a password

# What openpyxl raises on a broken or hostile file: it checks little, and trips where the structure ends.
_BROKEN = (
    ArithmeticError, AttributeError, EOFError, LookupError, OSError, RuntimeError, SyntaxError, TypeError, ValueError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip


@dataclass(frozen=True)
class Grid:
    """Cells of one sheet: text, numbers, dates, and None where a cell is empty.

    Parameters
    ----------
    rows : tuple of tuples
        Of equal length.
    sheet : str
        Its name; empty for CSV.
    turned : bool
        Whether rows and columns have changed places; addresses are still those of the file.
    """

    rows: tuple[tuple[Any, ...], ...]
    sheet: str = ""
    turned: bool = False

    def address(self, row: int, column: int) -> str:
        """Name a cell as spreadsheets do.

        Examples
        --------
        >>> Grid(()).address(4, 2), Grid((), turned=True).address(4, 27)
        ('C5', 'E28')
        """
        row, column = (column, row) if self.turned else (row, column)
        return f"{_letters(column)}{row + 1}"

    def column_name(self, column: int) -> str:
        """Name a column, or the row that it was before the grid was turned."""
        return f"row {column + 1}" if self.turned else f"column {_letters(column)}"

    def turn(self) -> Grid:
        """Let rows and columns change places."""
        return Grid(tuple(zip(*self.rows, strict=True)), self.sheet, not self.turned)


def _letters(column: int) -> str:
    text = ""
    number = column + 1
    while number:
        number, rest = divmod(number - 1, 26)
        text = chr(ord("A") + rest) + text
    return text


def read_bytes(source: Any, name: str | None = None) -> tuple[bytes, str | None]:
    """Read a path, bytes or an open binary file, 10 MB at most.

    Returns
    -------
    content : bytes
    name : str or None
        What messages call it.

    Raises
    ------
    InputError
        When it is no plain file, too large, or cannot be read.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        content, known = bytes(source), name
    elif hasattr(source, "read"):
        own = getattr(source, "name", None)
        # what a screen keeps of an upload may have been read before
        content = source.getvalue() if hasattr(source, "getvalue") else source.read(MAX_BYTES + 1)
        known = name or (own if isinstance(own, str) else None)
    else:
        content, known = _from_disk(Path(source)), name or str(source)
    if not isinstance(content, bytes):
        raise InputError("is opened as text. Open it as bytes: mode 'rb'.", file=known)
    if len(content) > MAX_BYTES:
        raise InputError(f"is larger than {MAX_BYTES // 1_000_000} MB. Cut it down.", file=known)
    return content, known


def _from_disk(path: Path) -> bytes:
    try:
        if not path.is_file():  # a pipe or a device might never end
            raise InputError("is no file. Check the name.", file=path)
        with path.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}.", file=path) from None
    except ValueError:  # a null character
        raise InputError("is no file. Check the name.", file=repr(str(path))[:100]) from None


def grids(content: bytes, file: str | None = None) -> tuple[list[Grid], list[str]]:
    """Read the sheets of a file, and say what was assumed about it.

    Parameters
    ----------
    content : bytes
        CSV with comma, semicolon or tab in UTF-8, UTF-16 or Windows-1252; or an Excel workbook (.xlsx, .xlsm).
    file : str, optional
        Named in messages.

    Returns
    -------
    grids : list of Grid
        Those that hold anything.
    notes : list of str

    Raises
    ------
    InputError
        When it is neither, damaged, or larger than people's tables are.
    PlannerError
        When it is an Excel file and openpyxl is not installed.
    """
    if content[:4] == _OLD_EXCEL:
        text = "is an old Excel file (.xls) or has a password. Save it as .xlsx without a password, or as CSV."
        raise InputError(text, file=file)
    if content[:2] == b"PK":
        return list(_sheets(content, file)), []
    text, notes = _decoded(content, file)
    grid = _csv(text, file)
    return ([grid] if grid.rows else []), notes


# --- CSV


def _decoded(content: bytes, file: str | None) -> tuple[str, list[str]]:
    encoding = _encoding(content)
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        text = "is not UTF-8, UTF-16 or Windows-1252 text, nor an Excel file. Save it as CSV UTF-8."
        raise InputError(text, file=file) from None
    if found := _CONTROL.search(text):
        line = text.count("\n", 0, found.start()) + 1
        text = "holds a control character, as binary files do; it is not UTF-8 text. Save it as CSV UTF-8."
        raise InputError(text, file=file, line=line)
    notes = ["The file is not UTF-8; it was read as Windows-1252."] if encoding == "cp1252" else []
    return text.lstrip("\ufeff"), notes


def _encoding(content: bytes) -> str:
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    head = content[:1000]
    if head[1::2].count(0) > len(head) // 4:  # plain text in two bytes a letter, without a mark
        return "utf-16-le"
    if head[::2].count(0) > len(head) // 4:
        return "utf-16-be"
    try:
        content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig"


def _csv(text: str, file: str | None) -> Grid:
    rows: list[list[Any]] = []
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text), strict=True)
    try:
        for row in lines:
            if len(rows) >= MAX_ROWS:
                raise InputError(f"has more than {whole(MAX_ROWS)} rows. Cut it down.", file=file)
            rows.append([cell.strip() or None for cell in row])
    except csv.Error as error:
        raise InputError(f"is no table: {error}. Look for a quote that is not closed.", file=file) from None
    return _grid(rows, "", file)


def _separator(text: str) -> str:
    """Find the separator that cuts most of the first lines into the same number of cells."""
    lines = [line for line in text[:20_000].splitlines() if line.strip()][:30]

    def regularity(separator: str) -> tuple[int, int]:
        counts = Counter(n for line in lines if (n := line.count(separator)))
        return max(((often, n) for n, often in counts.items()), default=(0, 0))

    return max(_SEPARATORS, key=regularity)


# --- Excel


def _sheets(content: bytes, file: str | None) -> Iterator[Grid]:
    _check_archive(content, file)
    values, formulas = (_workbook(content, file, values=wanted) for wanted in (True, False))
    for sheet, written in zip(values.worksheets, formulas.worksheets, strict=True):
        if sheet.sheet_state == "visible":
            grid = _grid(_cells(sheet, written, file), sheet.title, file)
            if grid.rows:
                yield grid


def _check_archive(content: bytes, file: str | None) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
    except (*_BROKEN,) as error:
        raise _damaged(error, file) from None
    if len(members) > MAX_MEMBERS or sum(member.file_size for member in members) > MAX_UNPACKED:
        text = f"unpacks to more than {MAX_UNPACKED // 1_000_000} MB. Save the table alone, or as CSV."
        raise InputError(text, file=file)
    if "xl/workbook.xml" not in {member.filename.lstrip("/") for member in members}:
        raise InputError("is an archive, but no Excel workbook (.xlsx). Save it as .xlsx or CSV.", file=file)


def _workbook(content: bytes, file: str | None, *, values: bool) -> Workbook:
    """Open a workbook twice: once for what its formulas gave when it was saved, once to see which cells are such."""
    try:
        from openpyxl import load_workbook
    except ImportError:
        remedy = "Install the extra: pip install 'warmup-planner[excel]'. Or save the table as CSV."
        raise PlannerError(f"Excel files need openpyxl, which is not installed. {remedy}") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # parts of Excel that openpyxl does not know are no concern of ours
            return load_workbook(io.BytesIO(content), read_only=True, data_only=values, keep_links=False)
    except _BROKEN as error:
        raise _damaged(error, file) from None


def _cells(sheet: Any, written: Any, file: str | None) -> list[list[Any]]:
    rows: list[list[Any]] = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # the size that a file declares is not to be trusted: rows are counted, columns cut off
            size = {"max_row": MAX_EXCEL_ROWS + 1, "max_col": MAX_COLUMNS + 1, "values_only": True}
            for sheet_ in (sheet, written):
                sheet_.reset_dimensions()
            for number, lines in enumerate(zip(sheet.iter_rows(**size), written.iter_rows(**size), strict=True), 1):
                cells, formulas = map(_trimmed, lines)
                never = [c for c, formula in enumerate(formulas) if formula is not None and _at(cells, c) is None]
                if never:
                    place = f"Cell {_letters(never[0])}{number} of '{sheet.title}'"
                    text = f"{place} holds a formula that was never computed. Open and save the file in Excel."
                    raise InputError(text, file=file)
                rows.append(cells)
    except _BROKEN as error:
        raise _damaged(error, file) from None
    while rows and not rows[-1]:
        rows.pop()
    if len(rows) > MAX_EXCEL_ROWS:
        raise InputError(f"has more than {whole(MAX_EXCEL_ROWS)} rows. Cut it down, or save it as CSV.", file=file)
    return rows


def _at(cells: list[Any], c: int) -> Any:
    return cells[c] if c < len(cells) else None


def _trimmed(row: tuple[Any, ...]) -> list[Any]:
    """Cells up to the last that holds anything."""
    end = len(row)
    while end and row[end - 1] is None:
        end -= 1
    cells = [cell.strip() or None if isinstance(cell, str) else cell for cell in row[:end]]
    return cells if not cells or cells[-1] is not None else _trimmed(tuple(cells))


def _damaged(error: BaseException, file: str | None) -> InputError:
    reason = str(error).split("\n", 1)[0][:100]
    return InputError(f"is no Excel file, or a damaged one ({reason}). Save it again as .xlsx, or as CSV.", file=file)


def _grid(rows: list[list[Any]], sheet: str, file: str | None) -> Grid:
    """Give every row the same length, without empty columns and rows at the end."""
    width = max((c + 1 for row in rows for c, cell in enumerate(row) if cell is not None), default=0)
    if width > MAX_COLUMNS:
        raise InputError(f"has more than {MAX_COLUMNS} columns. Cut it down.", file=file)
    while rows and all(cell is None for cell in rows[-1]):
        rows.pop()
    return Grid(tuple(tuple((row + [None] * width)[:width]) for row in rows), sheet)
