"""Work that takes longer than a moment: how far it is, Stop, and what is said when nothing came of it."""

from __future__ import annotations

from typing import Any

import streamlit as st

from planner.ui import state
from planner.ui.jobs import Job, Name
from planner.ui.wording import plain

LABELS = {
    "plan": "Planning",
    "before": "Planning without changed assumptions",
    "again": "Planning around your numbers",
    "forecast": "Full forecast of your schedule",
    "list": "Counting the list",
    "table": "Judging the published table",
    "compare": "Comparing",
    "retries": "Searching retry intervals",
    "costs": "Asking what refusals cost",
    "morning": "Looking at this morning",
    "replan": "Planning the remaining days",
    "read": "Reading",
    "explain": "Looking what holds you back",
}
MOMENT_SECONDS = 0.1
EVERY_SECONDS = 0.5


def result(what: str, job: Job | None, meanwhile: str = "") -> Any:
    """Return what a job has made; None where it has not yet, and where it will not: then say why."""
    if job is None:
        st.warning(meanwhile or "Nothing was computed.", title="Stopped")
        label = "Plan it after all" if what in ("plan", "again") else "Do it after all"
        st.button(label, on_click=state.go_on, args=(what,), key=f"go on {what}")
        return None
    job.wait(MOMENT_SECONDS)  # what is nearly there need not flicker
    if job.running or job.given_up:
        state.await_(what)
        return None
    if job.error is not None:
        st.warning(plain(str(job.error)), title=f"{LABELS[what]} failed. {meanwhile}")
        return None
    return job.result


def so_far(what: str, name: Name, job: Job | None) -> Any:
    """Return what a job of this name has made, or as much as is known already, after a stop too."""
    made = result(what, job)
    if job is not None and (made is not None or job.part is not None):
        state.keep(what, (name, job.part if made is None else made))
    kept = state.kept(what)
    return kept[1] if kept and kept[0] == name else None


def bars(place: Any) -> None:
    """Show what is being done for this visit, with a button each that stops it."""
    jobs = state.running()
    if state.awaited() - set(jobs):  # done since the page looked for its result
        st.rerun()
    if not jobs:
        return
    rows = {}
    state.news(jobs)
    with place.container():
        for what in jobs:
            bar, button = st.columns([6, 1], vertical_alignment="center")
            rows[what] = bar.empty()
            rows[what].progress(0.0, _text(what, jobs[what]))
            button.button("Stop", on_click=state.stop, args=(what,), key=f"stop {what}")
        _poll(rows)


@st.fragment(run_every=EVERY_SECONDS)
def _poll(rows: dict[str, Any]) -> None:
    """Look how far the jobs are; when one is done the page is drawn again with what came of it."""
    jobs = state.running()
    if set(jobs) != set(rows) or state.news(jobs):
        st.rerun()
    state.stay(jobs)
    for what, job in jobs.items():
        rows[what].progress(job.share, _text(what, job))


def _text(what: str, job: Job) -> str:
    doing = job.doing if job.doing != LABELS[what] else ""
    return plain(f"{LABELS[what]}: {doing[:1].lower()}{doing[1:]} …" if doing else f"{LABELS[what]} …")
