"""What a visit remembers and what all share: the only code that touches Streamlit's state and caches."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import streamlit as st

import planner as wp
from planner.resources import data_folder
from planner.ui import links
from planner.ui.edits import Cells, Edits, History, read
from planner.ui.jobs import Job, Jobs, Name, Work
from planner.ui.links import Changes

if TYPE_CHECKING:
    import pandas as pd

FIRST_EXAMPLE = "newsletter"
LINK = "s"
"""Name of the entry in the page's address that holds the inputs."""
MOST_HISTORIES = 8


# --- one visit


@dataclass(frozen=True)
class Order:
    """All that a plan depends on, the catalogue apart."""

    sender: wp.Sender
    priors: Changes = field(default_factory=dict)
    locked: Cells = field(default_factory=dict)

    def name(self) -> Name:
        """Return the name of the job that makes this plan."""
        locked = {one: {str(day): n for day, n in sorted(days.items())} for one, days in sorted(self.locked.items())}
        rest = json.dumps([self.priors, locked], sort_keys=True)
        return "plan", self.sender.fingerprint(), rest


@dataclass
class _Visit:
    base: wp.Sender
    origin: str
    answered: wp.Sender
    edition: int = 0
    number: str = field(default_factory=lambda: uuid4().hex)
    risk: str | float | None = None
    priors: Changes = field(default_factory=dict)
    histories: dict[Name, History] = field(default_factory=dict)
    edited: bool = False
    sheet: tuple[Name, wp.Sender, pd.DataFrame] | None = None
    jobs: dict[str, Job] = field(default_factory=dict)
    stopped: dict[str, Name] = field(default_factory=dict)
    last: Any = None
    table: tuple[str, bytes] | None = None
    kept: dict[str, Any] = field(default_factory=dict)
    link: str | None = None
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
    """Return what is wrong with the file that a widget took last, or with the link."""
    return _visit().refused.get(name)


def risk() -> str | float:
    """Return the accepted risk: the slider is not on every page, its answer counts on all."""
    visit = _visit()
    return visit.base.risk if visit.risk is None else visit.risk


def accept(level: str | float) -> None:
    """Note the accepted risk."""
    _visit().risk = level


def answered(sender: wp.Sender) -> None:
    """Note the sender that the answers make."""
    _visit().answered = sender


def last() -> Any:
    """Return what was on screen last."""
    return _visit().last


def show(what: Any) -> None:
    """Note what is on screen."""
    _visit().last = what


def keep(what: str, value: Any) -> None:
    """Keep something on screen for as long as nothing newer has come."""
    _visit().kept[what] = value


def kept(what: str) -> Any:
    """Return what was kept, None where nothing was."""
    return _visit().kept.get(what)


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
    """Forget all answers."""
    _open(base(), origin())


def _open(sender: wp.Sender, name: str) -> None:
    visit = _visit()
    visit.base, visit.origin, visit.answered, visit.risk = sender, name, sender, None
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


# --- the link


def open_link() -> None:
    """Open what the page's address holds, unless it is what this visit wrote there itself."""
    text = st.query_params.get(LINK)
    visit = _visit()
    if not text or text == visit.link:
        return
    visit.link = text
    _try("link", lambda: _take(links.unpacked(text)))


def _take(inputs: links.Inputs) -> None:
    visit = _visit()
    _open(inputs.sender, "link")
    visit.priors = inputs.priors
    edits = Edits(inputs.locked, inputs.typed)
    if edits:
        visit.histories[Order(inputs.sender, inputs.priors).name()] = History((edits,), edits)


def write_link(sender: wp.Sender) -> bool:
    """Keep the inputs in the page's address; tells whether they are small enough for it."""
    visit = _visit()
    now = history(Order(sender, visit.priors).name()).now
    inputs = links.Inputs(sender, now.locked, now.typed, visit.priors)
    untouched = inputs == links.Inputs(_example(FIRST_EXAMPLE))
    text = "" if untouched else links.packed(inputs)
    if text:
        if st.query_params.get(LINK) != text:
            st.query_params[LINK] = text
    elif LINK in st.query_params:
        del st.query_params[LINK]
    visit.link = text or None
    return text is not None


# --- edits of the schedule


def history(plan: Name) -> History:
    """Return the edits of a plan."""
    return _visit().histories.get(plan, History())


def _rewrite(plan: Name, edits: History) -> None:
    histories = _visit().histories
    histories.pop(plan, None)
    histories[plan] = edits
    _visit().edited = True
    while len(histories) > MOST_HISTORIES:
        del histories[next(iter(histories))]


def show_sheet(plan: Name, sender: wp.Sender, frame: pd.DataFrame) -> None:
    """Note which table people type into."""
    _visit().sheet = plan, sender, frame


def take_edits(widget: str) -> None:
    """Note what was typed into the table (callback)."""
    sheet = _visit().sheet
    if sheet is not None:
        plan, sender, frame = sheet
        cells = read(sender, frame, st.session_state[widget]["edited_rows"])
        _rewrite(plan, history(plan).typed(cells))


def edited_just_now() -> bool:
    """Tell, once, whether the schedule was edited since this was asked last."""
    visit = _visit()
    just_now, visit.edited = visit.edited, False
    return just_now


def lock(plan: Name) -> None:
    """Keep the edited cells and plan the rest again (callback)."""
    _rewrite(plan, history(plan).locked())


def undo(plan: Name) -> None:
    """Take the last edit back (callback)."""
    _rewrite(plan, history(plan).undone())


def drop_edits(plan: Name) -> None:
    """Go back to the plan (callback)."""
    _rewrite(plan, history(plan).dropped())


# --- a table of one's own


def keep_table(widget: str) -> None:
    """Keep the table that a widget took (callback)."""
    upload = st.session_state[widget]
    if upload is not None:
        _visit().table = upload.name, upload.getvalue()


def own_table() -> tuple[str, bytes] | None:
    """Return name and content of the table that was brought."""
    return _visit().table


def drop_table() -> None:
    """Forget it (callback)."""
    _visit().table = None


# --- assumptions


def priors() -> Changes:
    """Return the changed assumptions."""
    return _visit().priors


def assume(changes: Changes) -> None:
    """Change assumptions."""
    _visit().priors = {name: rows for name, rows in changes.items() if rows}


# --- long work


@st.cache_resource(max_entries=1, show_spinner=False)
def _jobs() -> Jobs:
    return Jobs()


def ask(what: str, name: Name, work: Work) -> Job | None:
    """Return this visit's job for something, begun now if need be; None when it was stopped here.

    A visit waits for one job of a kind at a time: another name leaves the one before.
    """
    visit, jobs = _visit(), _jobs()
    if visit.stopped.get(what) == name:
        return None
    visit.stopped.pop(what, None)
    facts = wp.catalogue()
    job = visit.jobs.get(what)
    if job is None or job.name != name or job.facts is not facts or job.given_up:
        if job is not None:
            jobs.leave(job, visit.number)
        job = visit.jobs[what] = jobs.ask(name, work, visit.number, facts)
    jobs.touch(job, visit.number)
    return job


def at_once(name: Name, work: Callable[[], Any]) -> Any:
    """Return a result that takes less than a second to make, shared by all."""
    return _jobs().at_once(name, work, wp.catalogue())


def running() -> Mapping[str, Job]:
    """Return this visit's jobs that are not done."""
    return {what: job for what, job in _visit().jobs.items() if job.running}


def stay(jobs: Mapping[str, Job]) -> None:
    """Give a sign of life to the jobs that the screen waits for."""
    for job in jobs.values():
        _jobs().touch(job, _visit().number)


def stop(what: str) -> None:
    """Stop a job for this visit (callback); whoever else asked for it still gets it."""
    visit = _visit()
    job = visit.jobs.pop(what, None)
    if job is not None:
        _jobs().leave(job, visit.number)
        visit.stopped[what] = job.name


def go_on(what: str) -> None:
    """Do it after all (callback)."""
    _visit().stopped.pop(what, None)


def leave(what: str) -> None:
    """Wait for this no longer."""
    visit = _visit()
    job = visit.jobs.pop(what, None)
    if job is not None:
        _jobs().leave(job, visit.number)
