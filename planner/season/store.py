"""The seasons' files: one per sender, in the user's data folder; the only code that writes them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import platformdirs

from planner.errors import InputError
from planner.inputs.fields import nearest
from planner.observing.judging import alarms
from planner.season import document
from planner.season.files import locked, remove, write_whole
from planner.season.names import checked_name
from planner.season.season import Season
from planner.vocabulary import Verdict

VARIABLE = "WARMUP_SEASONS"
_SUFFIX, _BACKUP = ".json", ".backup.json"


@dataclass(frozen=True)
class KeptSeason:
    """A season in the folder: its last observed day, its gravest alarm, and what is wrong with its file, if anything.

    `last_day` and `verdict` are None where nothing is observed or the file cannot be read.
    """

    name: str
    last_day: date | None
    verdict: Verdict | None
    problem: str | None = None


def seasons_folder(folder: str | Path | None = None) -> Path:
    """Return the folder: the one given, the one that WARMUP_SEASONS names, or that of the user's data."""
    if folder is not None:
        return Path(folder)
    named = os.environ.get(VARIABLE)
    return Path(named) if named else platformdirs.user_data_path("warmup-planner", appauthor=False) / "seasons"


def seasons(folder: str | Path | None = None) -> tuple[KeptSeason, ...]:
    """List the seasons kept, by name.

    Parameters
    ----------
    folder : str or Path, optional
        `seasons_folder` says which, if left out.

    Returns
    -------
    tuple of KeptSeason
        Those whose file is damaged or of a later version are among them, with what is wrong.
    """
    place = seasons_folder(folder)
    return tuple(_kept(path) for path in _files(place))


def load_season(name: str, folder: str | Path | None = None) -> Season:
    """Open a season.

    Raises
    ------
    InputError
        When there is none of this name, or its file is damaged or of a later version; nothing is changed then.
    """
    path = _as_written(_path(name, folder))
    content = _content(path)
    if content is None:
        raise InputError(_missing(path))
    return replace(_season(content, path), name=path.name.removesuffix(_SUFFIX))


def save_season(season: Season, folder: str | Path | None = None) -> Season:
    """Write a season whole or not at all, and keep what was there as a backup.

    Returns
    -------
    Season
        The same with the number of its revision: go on with this one.

    Raises
    ------
    InputError
        When somebody else has saved it meanwhile, when another season has this name, or when what is there cannot be
        read; nothing is written then.
    """
    path = _path(season.name, folder)
    with _about_folder(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(path.parent):
            there = _content(path)
            _check_turn(season, path, there)
            saved = replace(season, revision=season.revision + 1)
            text = document.to_json(saved).encode()
            if there is not None:
                write_whole(_backup(path), there)
            write_whole(path, text)
    return saved


def remove_season(name: str, folder: str | Path | None = None) -> None:
    """Remove a season and its backup.

    Raises
    ------
    InputError
        When there is none of this name.
    """
    path = _path(name, folder)
    with _about_folder(path.parent):
        if not path.is_file():
            raise InputError(_missing(path))
        with locked(path.parent):
            remove(_backup(path))
            remove(path)


def restore_season(name: str, folder: str | Path | None = None) -> Season:
    """Put the backup of a season in the place of a damaged file, which stays beside it as NAME.damaged.

    Raises
    ------
    InputError
        When there is no backup that can be read, or nothing is wrong with the file.
    """
    path = _as_written(_path(name, folder))
    with _about_folder(path.parent):
        backup = _content(_backup(path))
        if backup is None:
            raise InputError("has no backup: it was saved once at most.", file=path)
        _season(backup, _backup(path))
        with locked(path.parent):
            there = _content(path)
            if there is not None:
                _refuse_healthy(there, path)
                write_whole(path.with_name(f"{path.name}.damaged"), there)
            write_whole(path, backup)
    return load_season(name, folder)


# --- whose turn it is


def _check_turn(season: Season, path: Path, there: bytes | None) -> None:
    """Refuse to write over what the season does not know."""
    if there is None:
        if season.revision:
            text = f"The season '{season.name}' was removed meanwhile. To keep it, save a copy: season.renamed(…)."
            raise InputError(text, file=path)
        same = _nearest_case(season.name, path.parent)
        if same is not None:
            raise InputError(f"There is a season '{same}' already. Choose another name.", field="name")
        return
    revision = _season(there, path).revision
    if season.revision == 0:
        raise InputError(f"There is a season '{season.name}' already. Open it, or choose another name.", field="name")
    if revision != season.revision:
        text = (
            f"The season '{season.name}' was changed meanwhile, by another window or command: it was saved "
            f"{revision} times, and you have seen {season.revision}. Nothing was written; open it again."
        )
        raise InputError(text, file=path)


def _nearest_case(name: str, folder: Path) -> str | None:
    """Find a season whose name differs in upper and lower case only: to some file systems it is the same."""
    names = (path.name.removesuffix(_SUFFIX) for path in _files(folder))
    return next((one for one in names if one.casefold() == name.casefold()), None)


def _refuse_healthy(there: bytes, path: Path) -> None:
    try:
        _season(there, path)
    except InputError:
        return
    raise InputError("can be read: nothing is wrong with it. Undo takes back changes.", file=path)


# --- reading


def _path(name: str, folder: str | Path | None) -> Path:
    return seasons_folder(folder) / f"{checked_name(name)}{_SUFFIX}"


def _as_written(path: Path) -> Path:
    """Return the season of this name; where there is none, the one that differs in letter case alone."""
    if path.exists():
        return path
    same = [one for one in _files(path.parent) if one.name.casefold() == path.name.casefold()]
    return same[0] if len(same) == 1 else path


def _backup(path: Path) -> Path:
    return path.with_name(path.name.removesuffix(_SUFFIX) + _BACKUP)


def _files(folder: Path) -> list[Path]:
    with _about_folder(folder):
        if not folder.is_dir():
            return []
        found = (path for path in folder.glob(f"*{_SUFFIX}") if not path.name.endswith(_BACKUP))
        return sorted(path for path in found if not path.name.startswith(".") and path.is_file())


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}. Look at its permissions.", file=path) from None


def _season(content: bytes, path: Path) -> Season:
    """Return a file's season; an error says how to get the last good one back."""
    try:
        return document.from_json(content.decode("utf-8"))
    except UnicodeDecodeError:
        problem = InputError("is no text. Was the disk full, or the file edited?")
    except InputError as error:
        problem = error
    way_back = ""
    if _backup(path).is_file():
        name = path.name.removesuffix(_SUFFIX)
        way_back = f" It stays as it is; the one before lies beside it: wp.restore_season({name!r}) brings it back."
    text = problem.message if problem.message[:1].islower() else f"cannot be read. {problem.message}"
    raise InputError(f"{text}{way_back}", file=path, line=problem.line, field=problem.field)


def _kept(path: Path) -> KeptSeason:
    name = path.name.removesuffix(_SUFFIX)
    try:
        season = load_season(name, path.parent)
        if season.last_day is None:
            return KeptSeason(name, None, None)
        judged = alarms(season.sender, season.observations, season.today, season.rules)
    except InputError as error:
        return KeptSeason(name, None, None, str(error))
    return KeptSeason(name, season.last_day, judged.gravest)


def _missing(path: Path) -> str:
    names = [one.name.removesuffix(_SUFFIX) for one in _files(path.parent)]
    name = path.name.removesuffix(_SUFFIX)
    if not names:
        return f"There is no season '{name}', nor any other in {path.parent}. Begin one."
    guess = nearest(name, names)
    meant = f" Did you mean '{guess}'?" if guess else ""
    return f"There is no season '{name}'.{meant} There are: {', '.join(names)}."


@contextmanager
def _about_folder(folder: Path) -> Iterator[None]:
    """Say in words what the file system refuses."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        text = f"The seasons cannot be kept in {folder}: {reason}. {VARIABLE} names another folder."
        raise InputError(text, file=folder) from error
