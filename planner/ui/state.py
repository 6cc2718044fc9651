"""What a visit remembers and what all share: the only code that touches Streamlit's state and caches."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

import streamlit as st

import planner as wp
from planner.resources import data_folder

if TYPE_CHECKING:
    import pandas as pd

Progress = Callable[[float, str], None]

FIRST_EXAMPLE = "newsletter"
KEPT_RESULTS = 8
"""How many plans, and judged tables, all visits keep together; the least used goes first."""


# --- one visit


@dataclass
class _Visit:
    base: wp.Sender
    origin: str
    answered: wp.Sender
    edition: int = 0
    last_plan: wp.Plan | None = None
    stopped: str | None = None
    refused: dict[str, wp.InputError] = field(default_factory=dict)


def _visit() -> _Visit:
    if "visit" not in st.session_state:
        first = _example(FIRST_EXAMPLE)
        st.session_state["visit"] = _Visit(first, FIRST_EXAMPLE, first)
    visit: _Visit = st.session_state["visit"]
    return visit


def base() -> wp.Sender:
    """Return the sender that the inputs started from."""
    return _visit().base


def origin() -> str:
    """Return the name of the example or file that the inputs started from."""
    return _visit().origin


def key(name: str) -> str:
    """Name a widget; opening another sender gives all of them new names, and so new values."""
    return f"{name}#{_visit().edition}"


def refused(name: str) -> wp.InputError | None:
    """Return what is wrong with the file that a widget took last."""
    return _visit().refused.get(name)


def last_plan() -> wp.Plan | None:
    """Return the plan that was on screen last."""
    return _visit().last_plan


# --- opening a sender (callbacks of widgets)


@st.cache_data(max_entries=1, show_spinner=False)
def examples() -> dict[str, str]:
    """Title of each example sender by the name of its file, the one that is open at first in front."""
    found = sorted(path.stem for path in (data_folder() / "examples").glob("*.yaml"))
    found.sort(key=lambda name: name != FIRST_EXAMPLE)
    return {name: _example(name).name for name in found}


def open_example(widget: str) -> None:
    """Open the example that a widget chose."""
    name = st.session_state[widget]
    if name in examples():
        _open(_example(name), name)


def open_file(widget: str) -> None:
    """Open the sender file that a widget took."""
    upload = st.session_state[widget]
    if upload is not None:
        _try("file", lambda: _open(wp.Sender.from_text(upload.getvalue(), upload.name), upload.name))


def count_list(widget: str) -> None:
    """Count the list of addresses that a widget took; only the counts are kept."""
    upload = st.session_state[widget]
    if upload is not None:
        _try("list", lambda: _open(_counted(upload.getvalue()), origin()))


def start_again() -> None:
    """Forget all edits."""
    _open(base(), origin())


def _open(sender: wp.Sender, name: str) -> None:
    visit = _visit()
    visit.base, visit.origin, visit.answered = sender, name, sender
    visit.edition += 1
    visit.refused.clear()


def _try(name: str, action: Callable[[], None]) -> None:
    try:
        action()
    except wp.InputError as error:  # said beside the widget; what was open stays open
        _visit().refused[name] = error


def _example(name: str) -> wp.Sender:
    return wp.Sender.load(data_folder() / "examples" / f"{name}.yaml")


def _counted(content: bytes) -> wp.Sender:
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise wp.InputError("The list is no plain text. Save it as text (UTF-8), one address a line.") from None
    before = _visit().answered
    old = before.to_dict()
    audience = type(before.audience).from_addresses(lines).model_dump(mode="json")
    totals = {name: past for name, past in old["history"].items() if not isinstance(past, dict)}
    return before.changed(
        {
            "audience": audience | {"segments": old["audience"]["segments"]},
            "target.volume": int(before.targets().sum()),
            "history": totals,
            "admissions": {},
        }
    )


# --- results


@dataclass
class _Shelf:
    """Results by key, least used first; only as long as the catalogue is the same."""

    results: OrderedDict[tuple[str, ...], tuple[object, Any]] = field(default_factory=OrderedDict)
    lock: Lock = field(default_factory=Lock)

    def get(self, name: tuple[str, ...], make: Callable[[], Any]) -> Any:
        facts = wp.catalogue()
        with self.lock:
            if name in self.results and self.results[name][0] is facts:
                self.results.move_to_end(name)
                return self.results[name][1]
        made = make()  # outside the lock: nobody waits for another's plan
        with self.lock:
            self.results[name] = facts, made
            while len(self.results) > KEPT_RESULTS:
                self.results.popitem(last=False)
        return made


@st.cache_resource(max_entries=1, show_spinner=False)
def _shelf() -> _Shelf:
    return _Shelf()


def plan(sender: wp.Sender, progress: Progress) -> wp.Plan:
    """Return the plan for a sender, computed now or kept from before; it becomes the last plan.

    Raises
    ------
    Cancelled
        When somebody has stopped this plan.
    PlannerError
        When there is no plan for this sender.
    """
    visit = _visit()
    visit.answered = sender
    if visit.stopped == sender.fingerprint():
        raise wp.Cancelled
    made: wp.Plan = _shelf().get(("plan", sender.fingerprint()), lambda: wp.optimize(sender, progress=progress))
    visit.last_plan, visit.stopped = made, None
    return made


@dataclass(frozen=True)
class Judged:
    """A published table beside a plan: date, volume, p_deferred if nobody reacts; the sentence if we do."""

    days: pd.DataFrame
    sentence: str


def judged(plan: wp.Plan, schedule: str, progress: Progress) -> Judged:
    """Tell how a published table would fare in the scenarios of a plan."""
    name = ("judged", plan.sender.fingerprint(), schedule)
    result: Judged = _shelf().get(name, lambda: _judged(plan, schedule, progress))
    return result


def _judged(plan: wp.Plan, schedule: str, progress: Progress) -> Judged:
    comparison = wp.compare(
        plan.sender,
        {schedule: wp.published(schedule, plan.sender, len(plan.schedule.dates))},
        reaction=plan.reaction,
        retry=plan.retry,
        beliefs=plan.forecast.beliefs,
        seed=plan.forecast.seed,
        progress=lambda share: progress(share, "Judging the published table"),
    )
    return Judged(comparison.deferred_days(schedule), comparison.reacting[schedule].headline())


def stop(sender: wp.Sender) -> None:
    """Stop planning for a sender (callback of a button: the run that computes ends at its next word)."""
    _visit().stopped = sender.fingerprint()


def go_on() -> None:
    """Plan after all."""
    _visit().stopped = None
