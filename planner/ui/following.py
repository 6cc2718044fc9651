"""The season that this visit follows: opened, changed, and written after every change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import count

import numpy as np
import streamlit as st

import planner as wp
from planner.ui import state
from planner.ui.jobs import Name
from planner.ui.wording import plain

EXAMPLE = "Example"
EXAMPLE_DAYS = 10
_OPEN, _PROBLEM = "season", "season problem"


def current() -> wp.Season | None:
    """Return the season that is open; one named in the page's address is opened, once."""
    season: wp.Season | None = state.kept(_OPEN)
    named = state.season_in_link()
    if season is None and named and state.kept("season asked") != named:
        state.keep("season asked", named)
        follow(named)
        season = state.kept(_OPEN)
    return season


def follow(name: str) -> None:
    """Open a season (callback)."""
    _try(lambda: wp.load_season(name))


def leave() -> None:
    """Close the season; its file stays (callback)."""
    state.keep(_OPEN, None)
    state.keep(_PROBLEM, None)
    state.link_season(None)


def keep(season: wp.Season) -> None:
    """Write a season, and go on with it; what cannot be written is said, and nothing is lost (callback)."""
    _try(lambda: wp.save_season(season))


def undo(season: wp.Season) -> None:
    """Take the last change back (callback)."""
    _try(lambda: wp.save_season(season.undone()))


def redo(season: wp.Season) -> None:
    """Do the change again that was taken back (callback)."""
    _try(lambda: wp.save_season(season.redone()))


def restore(name: str) -> None:
    """Put the backup of a damaged season in its place (callback)."""
    _try(lambda: wp.restore_season(name))


def remove(name: str) -> None:
    """Remove a season for good (callback)."""
    leave()
    _try(lambda: wp.remove_season(name))


def try_example(plan: wp.Plan) -> None:
    """Follow the plan in one of its own scenarios, in which something goes wrong (callback).

    A season that somebody has called so stays: the example takes a free name.
    """

    def begun() -> wp.Season:
        taken = {one.name.casefold() for one in wp.seasons()}
        name = next(name for name in _example_names() if name.casefold() not in taken)
        season = wp.Season.begun(plan.sender, plan, name=name)
        return wp.save_season(season.observed(example(plan), source="an example"))

    _try(begun)


def problem() -> None:
    """Say what could not be opened or written."""
    said = state.kept(_PROBLEM)
    if said:
        st.error(plain(said), icon=":material/error:")
        season: wp.Season | None = state.kept(_OPEN)
        if season is not None:
            st.button("Open it again", on_click=follow, args=(season.name,), key="open season again")


def name_of(season: wp.Season) -> Name:
    """Name all that a morning depends on."""
    now = season.state
    return now.sender.fingerprint(), now.observations, now.rules, now.plan_json, now.earlier


def example(plan: wp.Plan, days: int = EXAMPLE_DAYS) -> wp.Observations:
    """Return the first days of a scenario of a plan, the smoothest of those that end with a wrong day.

    Half of `days` at least, and `days` at most.
    """
    forecast = plan.forecast
    wrong = forecast.wrong_days()[:, :, :days].sum(axis=1)  # (scenarios, days)
    before = np.cumsum(wrong, axis=1) - wrong
    misfit = np.where(wrong > 0, before, before + wrong.size).T[::-1][: max(1, days // 2)]  # the last day first
    d, s = np.unravel_index(int(np.argmin(misfit)), misfit.shape)
    n = wrong.shape[1] - int(d)
    counts = {
        "sent": forecast.injected,
        "attempts": forecast.attempts,
        "delivered": forecast.delivered,
        "deferred": forecast.deferred.sum(axis=-1),
        "first_deferred": forecast.first_4xx,
        "hard_bounced": forecast.hard_bounced,
        "blocked": forecast.blocked,
        "expired": forecast.expired,
    }
    dates = tuple(plan.sender.start + timedelta(days=d) for d in range(n))
    return wp.Observations(
        forecast.providers,
        dates,
        **{name: np.rint(values[s, :, :n]) for name, values in counts.items()},
        deferred_by_cause=np.rint(forecast.deferred[s, :, :n]),
    )


def is_example(name: str) -> bool:
    """Tell whether a season bears one of the names that examples take: 'Example', 'Example 2', …."""
    return name == EXAMPLE or (name.startswith(f"{EXAMPLE} ") and name.removeprefix(f"{EXAMPLE} ").isdecimal())


def _example_names() -> Iterator[str]:
    yield EXAMPLE
    for number in count(2):
        yield f"{EXAMPLE} {number}"


def _try(action: Callable[[], wp.Season | None]) -> None:
    try:
        season = action()
    except wp.InputError as error:  # said on the page; what is open stays open
        state.keep(_PROBLEM, str(error))
        return
    state.keep(_PROBLEM, None)
    if season is not None:
        state.keep(_OPEN, season)
        state.link_season(season.name)
