"""What observations must be made of: ids, days in a row, whole counts."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import pairwise

import numpy as np

from planner.errors import InputError
from planner.inputs.fields import shown
from planner.observing.rows import MAX_COUNT, MAX_DAYS, RANGE, is_id
from planner.vocabulary import Floats, whole

MAX_PROVIDERS = 1000


def check_providers(providers: tuple[str, ...]) -> None:
    """Refuse what is no id, and the same id twice."""
    if not 1 <= len(providers) <= MAX_PROVIDERS:
        raise InputError(f"There are {len(providers)} providers. Give 1 to {MAX_PROVIDERS}.", field="providers")
    strange = next((name for name in providers if not is_id(name)), None)
    if strange is not None:
        text = "A provider's name is no id of letters, digits and hyphens, such as gmail. Write it so."
        raise InputError(text, field="providers")
    twice = next((name for name in providers if providers.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"The provider {shown(twice)} is named twice. Keep one.", field="providers")


def check_days(days: tuple[date, ...]) -> None:
    """Refuse days that do not follow one another."""
    if not all(map(_is_day, days)):
        raise InputError("days must be days without a time. Use datetime.date.", field="days")
    if len(days) > MAX_DAYS:
        raise InputError(f"There are {whole(len(days))} days. Give {MAX_DAYS} at most.", field="days")
    gap = next((pair for pair in pairwise(days) if (pair[1] - pair[0]).days != 1), None)
    if gap is not None:
        text = f"days jumps from {gap[0]} to {gap[1]}. Give every day in order, NaN where nothing is known."
        raise InputError(text, field="days")


def _is_day(day: object) -> bool:
    return isinstance(day, date) and not isinstance(day, datetime)


def checked_counts(
    given: object, shape: tuple[int, ...], name: str, providers: tuple[str, ...], days: tuple[date, ...]
) -> Floats:
    """Copy counts into a read-only array; None becomes NaN, and what is no whole number is refused."""
    try:
        array = np.full(shape, np.nan) if given is None else np.array(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{name} holds what is no number. Give counts, NaN where unknown.", field=name) from None
    if array.shape != shape:
        raise InputError(f"{name} has shape {array.shape}, its labels {shape}. Match them.", field=name)
    fine = np.isnan(array) | ((array >= 0) & (array <= MAX_COUNT) & (array == np.floor(array)))
    if not fine.all():
        at = tuple(int(i[0]) for i in np.nonzero(~fine))
        place = f"{providers[at[0]]}, {days[at[1]]}"
        raise InputError(f"{name} is {array[at]:g} ({place}). {RANGE}", field=name)
    array += 0.0  # no negative zero
    array.flags.writeable = False
    return array


def between(first: date, last: date) -> tuple[date, ...]:
    """Give the days from one to another, 1000 at most."""
    n = (last - first).days + 1
    if n > MAX_DAYS:
        text = f"The days run from {first} to {last}, {whole(n)} of them. Give {MAX_DAYS} at most: check the years."
        raise InputError(text, field="date")
    return tuple(first + timedelta(days=d) for d in range(n))
