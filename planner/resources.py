"""Finds the project's data and a person's own catalogue; the only code that knows where they lie."""

from __future__ import annotations

import os
from pathlib import Path

from planner.errors import InputError, PlannerError

VARIABLE = "WARMUP_CATALOGUE"
_PACKAGE = Path(__file__).resolve().parent
_KNOWN = Path("providers", "default.yaml")


def data_folder() -> Path:
    """Folder of the facts that come with the project.

    Returns
    -------
    Path
        ``planner/data`` of an installed package, or ``data`` beside ``planner`` in the repository.

    Examples
    --------
    >>> (data_folder() / "reactions.yaml").is_file()
    True
    """
    places = (_PACKAGE / "data", _PACKAGE.parent / "data")
    found = next((place for place in places if (place / _KNOWN).is_file()), None)
    if found is None:
        raise PlannerError(f"The catalogue is missing: no {places[0] / _KNOWN}. Install the package again.")
    return found


def user_catalogue(folder: str | Path | None = None) -> Path | None:
    """Folder of a person's own facts, laid over the project's.

    Parameters
    ----------
    folder : str or Path, optional
        Taken before everything else; then what the environment variable ``WARMUP_CATALOGUE`` names, then
        ``catalogue`` in the user's configuration folder of ``warmup-planner``, if there is one.

    Returns
    -------
    Path or None
        None when nobody has laid down own facts.

    Raises
    ------
    InputError
        When the folder that was named is none.
    """
    named = folder if folder is not None else os.environ.get(VARIABLE)
    if not named:
        return _configured()
    if not Path(named).is_dir():
        by = "" if folder is not None else f" (from {VARIABLE})"
        raise InputError(f"There is no such catalogue folder{by}. Make it, or name another.", file=named)
    return Path(named)


def _configured() -> Path | None:
    from platformdirs import user_config_path  # only those who have not named a folder pay for it

    place = user_config_path("warmup-planner", appauthor=False) / "catalogue"
    return place if place.is_dir() else None
