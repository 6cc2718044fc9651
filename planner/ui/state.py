"""What a visit remembers and what all share: the only code that touches Streamlit's state and caches."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
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
SEASON = "season"
"""Name of the entry that holds the name of the season that is followed."""
MOST_HISTORIES = 8


# --- one visit


@dataclass(frozen=True)
class Order:
    """All that a plan depends on, the catalogue apart."""

    sender: wp.Sender
    priors: Changes = field(default_factory=dict)
    retry: Mapping[str, wp.RetryPolicy] | None = None
    locked: Cells = field(default_factory=dict)

    def name(self) -> Name:
        """Return the name of the job that makes this plan."""
        retry = links.written(self.retry or {})
        locked = {one: {str(day): n for day, n in sorted(days.items())} for one, days in sorted(self.locked.items())}
        rest = json.dumps([self.priors, retry, locked], sort_keys=True)
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
    priors_edition: int = 0
    shown_priors: tuple[str, pd.DataFrame] | None = None
    retry: Mapping[str, wp.RetryPolicy] = field(default_factory=dict)
    histories: dict[Name, History] = field(default_factory=dict)
    edited: bool = False
    told: tuple[Name, Edits, tuple[str, ...]] | None = None
    sheet: tuple[Name, wp.Sender, pd.DataFrame] | None = None
    jobs: dict[str, Job] = field(default_factory=dict)
    stopped: dict[str, Name] = field(default_factory=dict)
    awaited: set[str] = field(default_factory=set)
    parts: dict[Name, int] = field(default_factory=dict)
    wishes: set[str] = field(default_factory=set)
    pages: Mapping[str, Any] = field(default_factory=dict)
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


def take_audience(counted: wp.AddressList) -> None:
    """Give the sender the audience that a list holds (callback)."""
    _open(counted.for_sender(_visit().answered), origin())


def take_sender(sender: wp.Sender, name: str) -> None:
    """Put another sender's answers into the inputs (callback)."""
    _open(sender, name)


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
    visit.priors, visit.retry = inputs.priors, inputs.retry
    edits = Edits(inputs.locked, inputs.typed)
    if edits:
        visit.histories[order(inputs.sender).name()] = History((edits,), edits)


def order(sender: wp.Sender) -> Order:
    """Return what this visit wants planned for a sender; all retry by default where one lacks a policy."""
    visit = _visit()
    covered = visit.retry and all(name in visit.retry for name in sender.provider_names)
    retry = {name: visit.retry[name] for name in sender.provider_names} if covered else None
    return Order(sender, _applying(visit.priors, sender), retry)


def _applying(priors: Changes, sender: wp.Sender) -> Changes:
    return {name: rows for name, rows in priors.items() if name in sender.provider_names}


def write_link(sender: wp.Sender) -> bool:
    """Keep the inputs in the page's address; tells whether they are small enough for it."""
    visit = _visit()
    now = history(order(sender).name()).now
    inputs = links.Inputs(sender, now.locked, now.typed, visit.priors, visit.retry)
    untouched = inputs == links.Inputs(_example(FIRST_EXAMPLE))
    text = "" if untouched else links.packed(inputs)
    if text:
        if st.query_params.get(LINK) != text:
            st.query_params[LINK] = text
    elif LINK in st.query_params:
        del st.query_params[LINK]
    visit.link = text or None
    return text is not None


def season_in_link() -> str | None:
    """Return the name of the season in the page's address."""
    return st.query_params.get(SEASON)


def link_season(name: str | None) -> None:
    """Keep the name of a season in the page's address, so that a reload opens it again."""
    if name is None:
        st.query_params.pop(SEASON, None)
    elif st.query_params.get(SEASON) != name:
        st.query_params[SEASON] = name


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


def change(plan: Name, cells: Cells, told: Sequence[str]) -> None:
    """Change cells of a plan's schedule, and keep what is to be said about it."""
    changed = history(plan).changed(cells)
    _rewrite(plan, changed)
    _visit().told = plan, changed.now, tuple(told)


def told(plan: Name) -> tuple[str, ...]:
    """Return what is to be said about the last change, as long as nothing else was changed since."""
    said = _visit().told
    return said[2] if said is not None and said[:2] == (plan, history(plan).now) else ()


def lock(plan: Name) -> None:
    """Keep the edited cells and plan the rest again (callback)."""
    _rewrite(plan, history(plan).locked())


def undo(plan: Name) -> None:
    """Take the last edit back (callback)."""
    _rewrite(plan, history(plan).undone())


def drop_edits(plan: Name) -> None:
    """Go back to the plan (callback)."""
    _rewrite(plan, history(plan).dropped())


# --- lists and tables of one's own


def list_name(upload: Any, mapping: Mapping[str, str], lookup: bool) -> Name:
    """Name what the counts of an uploaded list depend on: nobody else's job has this name."""
    return "list", _visit().number, upload.file_id, tuple(sorted(mapping.items())), lookup


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


def reading_name(upload: Any, form: str | None, sender: wp.Sender) -> Name:
    """Name what the counts of an uploaded or pasted log depend on: nobody else's job has this name."""
    return "read", _visit().number, upload, form, sender.fingerprint()


# --- assumptions


def priors() -> Changes:
    """Return the changed assumptions."""
    return _visit().priors


def priors_edition() -> int:
    """Return the number of the tables of assumptions: going back draws new ones."""
    return _visit().priors_edition


def assume(changes: Changes) -> None:
    """Change assumptions, all of them (callback)."""
    visit = _visit()
    visit.priors = changes
    visit.priors_edition += 1
    visit.refused.pop("assumptions", None)


def show_priors(provider: str, frame: pd.DataFrame) -> None:
    """Note which table people type into: low, typical and high by parameter."""
    _visit().shown_priors = provider, frame


def take_priors(widget: str) -> None:
    """Note what was typed into the table (callback); what cannot be is said and not used."""
    visit = _visit()
    if visit.shown_priors is None:
        return
    provider, frame = visit.shown_priors
    usual = wp.catalogue().provider(provider).priors
    own = dict(visit.priors.get(provider, {}))
    for row, points in st.session_state[widget]["edited_rows"].items():
        name = str(frame.index[int(row)])
        own[name] = {point: points.get(point, frame.loc[name, point]) for point in ("low", "typical", "high")}
        if all(value == getattr(usual[name], point) for point, value in own[name].items()):
            del own[name]
    changes = {name: rows for name, rows in {**visit.priors, provider: own}.items() if rows}
    visit.refused.pop("assumptions", None)

    def use() -> None:
        wp.catalogue().changed(changes)
        visit.priors = changes

    _try("assumptions", use)


def retry() -> Mapping[str, wp.RetryPolicy]:
    """Return the retry policies that the plan uses, by provider; none for the default."""
    return _visit().retry


def use(policies: Mapping[str, wp.RetryPolicy]) -> None:
    """Use these retry policies in the plan (callback); none for the default."""
    _visit().retry = policies


# --- pasted replies


def paste(widget: str, text: str) -> None:
    """Put a text into a box (callback)."""
    st.session_state[widget] = text


# --- pages


def note_pages(pages: Mapping[str, Any]) -> None:
    """Note the pages of this run by title."""
    _visit().pages = pages


def page(title: str) -> Any:
    """Return a page to go to."""
    return _visit().pages[title]


# --- what is computed when somebody asks


def wish(what: str) -> None:
    """Ask for something that is not computed unasked (callback)."""
    _visit().wishes.add(what)


def wished(what: str) -> bool:
    """Tell whether it was asked for."""
    return what in _visit().wishes


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


def news(jobs: Mapping[str, Job]) -> bool:
    """Tell, once, whether any job has handed over more of its result since this was asked last."""
    parts = {job.name: job.parts for job in jobs.values()}
    visit = _visit()
    more = any(visit.parts.get(name, n) != n for name, n in parts.items())
    visit.parts = parts
    return more


def await_(what: str) -> None:
    """Note that the page is drawn without the result of a job."""
    _visit().awaited.add(what)


def awaited() -> set[str]:
    """Tell, once, without the results of which jobs the page was drawn."""
    visit = _visit()
    awaited, visit.awaited = visit.awaited, set()
    return awaited


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
