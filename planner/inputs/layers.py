"""Files of facts, one laid over the other, that remember which line of which file says what."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from planner.errors import InputError
from planner.inputs.checking import validated
from planner.inputs.fields import Place, dotted, shown, unknown
from planner.inputs.yamlfile import read

Model = TypeVar("Model", bound=BaseModel)
Result = TypeVar("Result")

KINDS = ("providers", "schedules", "mtas")
SINGLE = ("reactions", "strictness")
SUFFIXES = (".yaml", ".yml", ".json")
_ELSEWHERE = ("examples", "replies")  # in data/, but no concern of this module
_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_REQUIRED, _RECOMMENDED = "authentication_required", "authentication_recommended"
# Groups that are laid over one another key by key, so many levels deep; other fields are replaced as a whole.
_BY_KEY = {"priors": 1, _REQUIRED: 1, _RECOMMENDED: 1, "loadings": 1, "reactions": 2}


def files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Catalogue files of a folder, each with its kind."""
    for kind in KINDS:
        yield from ((kind, path) for path in sorted((folder / kind).glob("*")) if _is_data(path))
    for kind in SINGLE:
        yield from ((kind, path) for path in sorted(folder.glob(f"{kind}.*")) if _is_data(path))


def _is_data(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def strangers(folder: Path) -> Iterator[InputError]:
    """Files that nobody would read because of a slip in their name or place."""
    known = (*KINDS, *(f"{kind}.yaml" for kind in SINGLE))
    for path in _listed(folder):
        if path.is_dir() and path.name not in (*KINDS, *_ELSEWHERE) and not path.name.startswith("."):
            yield InputError(unknown("folder of a catalogue", path.name, known), file=path)
        if not path.is_dir() and _is_data(path) and path.stem not in SINGLE:
            yield InputError(unknown("file of a catalogue", path.name, known), file=path)


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}. Check the folder.", file=folder) from None


@dataclass
class Entry:
    """What the files say about one thing, and which line of which file says it."""

    id: str
    data: dict[str, Any] = field(default_factory=dict)
    origin: dict[Place, tuple[Path, int]] = field(default_factory=dict)

    def lay(self, path: Path) -> None:
        """Lay a file over what is there."""
        data, marks = read(path)
        if not isinstance(data, dict):
            raise InputError(f"holds {shown(data)}, not fields. Write name: … and so on.", file=path, line=1)
        if str(data.get("id", self.id)) != self.id:
            text = f"id is {shown(data['id'])}, but the file's name says {self.id}. Leave it out."
            raise InputError(text, file=path, line=marks["id",], field="id")
        self._decide_items(data)
        self._describe_rows(data)
        self._merge(self.data, {"id": self.id, **data}, ())
        self.origin.update({place: (path, line) for place, line in marks.items()})

    def _decide_items(self, above: dict[str, Any]) -> None:
        """What a later file requires or recommends is decided anew, with what it costs when it is missing."""
        for item in _group(above, _REQUIRED):
            self._drop((_RECOMMENDED, item))
        for item in _group(above, _RECOMMENDED):
            self._drop((_REQUIRED, item))
            self._drop(("priors", f"missing_{item}_factor"))
            self._drop(("priors", f"missing_{item}_refused"))

    def _describe_rows(self, above: dict[str, Any]) -> None:
        """A new row replaces the old one and its source, but keeps its unit, and its shape of spread."""
        rows, old_rows = _group(above, "priors"), self.group("priors")
        for name in rows.keys() & old_rows.keys():
            if isinstance(rows[name], dict) and isinstance(old := old_rows[name], dict):
                kept = {key: old[key] for key in ("shape", "unit") if old.get(key, "fixed") != "fixed"}
                rows[name] = kept | rows[name]

    def _merge(self, below: dict[str, Any], above: dict[str, Any], place: Place) -> None:
        for key, value in above.items():
            here, old = (*place, key), below.get(key)
            by_key = len(here) <= _BY_KEY.get(str(here[0]), 0)
            if by_key and isinstance(old, dict) and isinstance(value, dict):
                self._merge(old, value, here)
            else:
                self._forget(here)
                below[key] = value

    def _drop(self, place: tuple[str, str]) -> None:
        if _group(self.data, place[0]).pop(place[1], None) is not None:
            self._forget(place)

    def _forget(self, place: Place) -> None:
        for old in [old for old in self.origin if old[: len(place)] == place]:
            del self.origin[old]

    def group(self, name: str) -> dict[str, Any]:
        """Fields of a group; empty when it is no group, which the model then refuses."""
        return _group(self.data, name)

    def spot(self, place: Place) -> tuple[Path, int]:
        """File and line that say this, or what it is part of."""
        parts = (place[:n] for n in range(len(place), -1, -1))
        return next(self.origin[part] for part in parts if part in self.origin)

    def problem(self, place: Place, message: str) -> InputError:
        """Error at a place of this entry."""
        path, line = self.spot(place)
        return InputError(message, file=path, line=line, field=dotted(place))

    def checked(self, model: type[Model], data: dict[str, Any]) -> Model:
        """Make the model; an error names the file that wrote the field, whichever it was."""
        places = list(self.origin)
        try:
            return validated(model, data, {place: n for n, place in enumerate(places)})
        except InputError as error:
            raise joined([self._located(one, places) for one in error.problems]) from None

    def _located(self, error: InputError, places: list[Place]) -> InputError:
        path, line = self.origin[() if error.line is None else places[error.line]]
        return InputError(error.message, file=path, line=line, field=error.field)


def _group(data: dict[str, Any], name: str) -> dict[str, Any]:
    value = data.get(name)
    return value if isinstance(value, dict) else {}


class Problems(list[InputError]):
    """What went wrong so far; one broken file does not hide the next."""

    def attempt(self, call: Callable[..., Result], *arguments: object) -> Result | None:
        """Result of a call, or None after noting what is wrong."""
        try:
            return call(*arguments)
        except InputError as error:
            self.extend(error.problems)
            return None


def joined(found: list[InputError]) -> InputError:
    """One error for all."""
    first, *others = found
    return InputError(first.message, file=first.file, line=first.line, field=first.field, others=others)


def gathered(folders: Iterable[Path], found: Problems) -> dict[str, dict[str, Entry]]:
    """Everything that the folders say, by kind and id, later folders over earlier ones."""
    entries: dict[str, dict[str, Entry]] = {kind: {} for kind in (*KINDS, *SINGLE)}
    for kind, path in ((kind, path) for folder in folders for kind, path in files(folder)):
        if not _ID.fullmatch(path.stem) or path.stem == "all":
            text = f"The name {shown(path.stem)} cannot be an id. Use lower-case letters, digits and hyphens."
            found.append(InputError(text, file=path))
            continue
        found.attempt(entries[kind].setdefault(path.stem, Entry(path.stem)).lay, path)
    return {kind: dict(sorted(group.items())) for kind, group in entries.items()}
