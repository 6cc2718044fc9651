"""What the columns of a table of counts hold, by the words that people and ESPs write above them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import Field

from planner.errors import InputError
from planner.inputs.fields import Checked, Text, shown
from planner.inputs.provider_names import plain
from planner.inputs.spreadsheet import Grid
from planner.inputs.yamlfile import read, validated
from planner.observing.rows import CAUSES, COLUMNS
from planner.observing.words import without_names
from planner.resources import data_folder

MAX_HEAD_ROWS = 60
_SHARES = ("rate", "ratio", "share", "percent", "quote")


class Export(Checked):
    """What one ESP hands out.

    Parameters
    ----------
    name, source : str
    signs : list of lists of words
        The export is recognised by all words of one of them.
    columns : dict from date, provider or count to words
    sent_is : list of counts
        Added up where no column says how many messages were sent.
    left_out : dict from word to reason
    note, refusal : str
    """

    name: Text
    source: Text
    signs: tuple[tuple[str, ...], ...]
    columns: dict[str, tuple[str, ...]]
    sent_is: tuple[str, ...] = ()
    left_out: dict[str, str] = Field(default_factory=dict)
    note: str = ""
    refusal: str = ""


class _Words(Checked):
    words: dict[str, tuple[str, ...]]
    exports: dict[str, Export]


@dataclass(frozen=True)
class Head:
    """The row of a sheet that names its columns.

    Parameters
    ----------
    row : int
    places : dict from date, provider or count to column
    titles : dict from column to heading
    export : Export or None
        None for a table of one's own.
    others : tuple of int
        Columns that hold none of these.
    reasons : dict from column to reason
        Why an export's column is not taken.
    """

    row: int
    places: dict[str, int]
    titles: dict[int, str]
    export: Export | None
    others: tuple[int, ...]
    reasons: dict[int, str]


@cache
def vocabulary() -> _Words:
    """Words for columns, with their sources, from ``data/observations/columns.yaml``."""
    path = data_folder() / "observations" / "columns.yaml"
    data, marks = read(path)
    return validated(_Words, data, marks, path)


def find_head(grid: Grid) -> Head | None:
    """Find the row that names the columns: the first with a count and another thing that is known."""
    for number, cells in enumerate(grid.rows[:MAX_HEAD_ROWS]):
        words = {c: plain(cell)[:100] for c, cell in enumerate(cells) if isinstance(cell, str) and plain(cell)}
        export = _export(set(words.values()))
        found = _places(words, cells, _words_of(export))
        counts = [name for name in found if name in COLUMNS]
        if (export is not None and export.refusal) or (counts and len(found) >= 2):
            return _head(grid, number, words, found, export)
    return None


def _export(words: set[str]) -> Export | None:
    signs = [(len(sign), one) for one in vocabulary().exports.values() for sign in one.signs if words >= set(sign)]
    return max(signs, key=lambda pair: pair[0])[1] if signs else None


def _words_of(export: Export | None) -> Mapping[str, Sequence[str]]:
    causes = {f"deferred_{cause}": (f"deferred{cause}", f"{cause}deferred") for cause in CAUSES}
    own: dict[str, tuple[str, ...]] = {**vocabulary().words, **causes}
    if export is None:
        return own
    taken = {word for words in export.columns.values() for word in words} | set(export.left_out)
    free = {name: tuple(word for word in words if word not in taken) for name, words in own.items()}
    return {name: (*export.columns.get(name, ()), *words) for name, words in free.items()}


def _places(words: Mapping[int, str], cells: Sequence[Any], known: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Find the column of each thing; of several the one whose word stands first in our list."""
    counts = {c: word for c, word in words.items() if not _is_share(str(cells[c]), word)}
    found: dict[str, int] = {}
    for name, choice in known.items():
        places = [(choice.index(word), c) for c, word in counts.items() if word in choice]
        free = [place for place in sorted(places) if place[1] not in found.values()]
        if free:
            found[name] = free[0][1]
    return found


def _is_share(title: str, word: str) -> bool:
    return "%" in title or word.endswith(_SHARES)


def _head(grid: Grid, number: int, words: Mapping[int, str], found: dict[str, int], export: Export | None) -> Head:
    titles = {c: without_names(str(grid.rows[number][c]))[:60] for c in words}
    counts = [word for c, word in words.items() if not _is_share(titles[c], word)]
    twice = next((c for c in found.values() if counts.count(words[c]) > 1), None)
    if twice is not None:
        raise InputError(f"Two columns are called {shown(titles[twice])}. Rename one, or delete it.", field="columns")
    others = tuple(c for c in words if c not in found.values())
    reasons = {c: export.left_out[words[c]] for c in others if export is not None and words[c] in export.left_out}
    return Head(row=number, places=found, titles=titles, export=export, others=others, reasons=reasons)
