"""Compare: the plan, what was made of it, published tables and tables of one's own, before the same referee."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import streamlit as st

import planner as wp
from planner.ui import planned, state, waiting, widgets, wording
from planner.ui.planned import Shown
from planner.ui.wording import plain, prose
from planner.vocabulary import in_100, rounded, short_day

if TYPE_CHECKING:
    import pandas as pd

    from planner.figures import Figure
    from planner.ui.jobs import Progress
    from planner.ui.questions import Questions

PLAN, EDITED, OWN = "your plan", "your changed plan", "your own table"
FIRST = ("sendgrid-auto", "onesignal")
MOST_TABLES = 6


@dataclass(frozen=True)
class Compared:
    """What the page shows of a comparison."""

    verdict: str
    note: str
    schedules: Figure
    dates: Figure
    days: pd.DataFrame
    table: pd.DataFrame
    hit: pd.DataFrame


def render(asked: Questions) -> None:
    """Draw the page: the verdict, the schedules on one time axis, the numbers, and who is hit."""
    st.header("Compare", anchor=False)
    made = planned.shown(asked)
    tables, reaction = _choices()
    own = _own(made)
    if made is None:
        return
    compared = _compared(made, tables, own, reaction)
    if compared is None:
        return
    st.subheader(plain(compared.verdict), anchor=False)
    if compared.note:
        st.caption(plain(compared.note))
    widgets.chart(compared.schedules, compared.days, "compare", f"Messages a day by schedule. {compared.verdict}")
    st.subheader("When the target is reached", anchor=False)
    widgets.chart(compared.dates, compared.table, "dates", "When each schedule reaches the target")
    _numbers(made.plan, compared)
    _hit(compared)


def _choices() -> tuple[list[str], str]:
    """Ask which published tables, and how their senders react to trouble."""
    known, reactions = wp.catalogue().schedules, wp.catalogue().reactions
    options = sorted(known, key=lambda name: known[name].title.lower())
    left, right = st.columns([3, 2])
    with left:
        tables = st.multiselect(
            "Published tables",
            options,
            [name for name in FIRST if name in known],
            format_func=lambda name: known[name].title,
            max_selections=MOST_TABLES,
            key="compare tables",
            persist_state="session",
        )
    with right:
        reaction = st.selectbox(
            "What their senders do the morning after trouble",
            list(reactions),
            list(reactions).index("default"),
            format_func=lambda name: reactions[name].name,
            key="compare reaction",
            persist_state="session",
            help=prose("reaction"),
        )
    return tables, reaction or "default"


def _own(made: Shown | None) -> wp.Schedule | None:
    """Take a table of the person's own; what is wrong with it is said here."""
    with st.expander("A table of your own"):
        st.markdown(prose("own_table"))
        widget = "own table"
        st.file_uploader(
            "CSV or Excel", ["csv", "tsv", "txt", "xlsx"], key=widget, on_change=state.keep_table, args=(widget,)
        )
        kept = state.own_table()
        if kept is None or made is None:
            return None
        name, content = kept
        left, right = st.columns([4, 1], vertical_alignment="center")
        right.button("Remove", on_click=state.drop_table, key="drop table")
        try:
            found: Any = wp.ScheduleFile.read(content, made.plan.sender, name=name)
        except wp.InputError as error:
            left.error(plain(str(error)), icon=":material/error:")
            return None
        left.markdown(f"**{plain(name)}** is compared below.")
        for note in found.notes:
            st.caption(plain(note))
    schedule: wp.Schedule = found.schedule
    return schedule


def _compared(made: Shown, tables: list[str], own: wp.Schedule | None, reaction: str) -> Compared | None:
    """Compare in a job; while it runs, what was compared before stays."""
    edited = None if made.edited is made.plan else made.edited.schedule
    name = ("compare", made.order.name(), edited, tuple(tables), own, reaction)
    job = state.ask("compare", name, lambda report: compared(made, tables, own, reaction, report))
    result = waiting.result("compare", job, "Below stays the comparison before.")
    if result is not None:
        state.keep("compared", result)
    before: Compared | None = state.kept("compared")
    return before


def compared(made: Shown, tables: list[str], own: wp.Schedule | None, reaction: str, report: Progress) -> Compared:
    """Compare all that was chosen: the work of a job."""
    plan, facts = made.plan, wp.catalogue()
    n_days = len(plan.schedule.dates)
    candidates: dict[str, Any] = {PLAN: plan}
    if made.edited is not plan:
        candidates[EDITED] = made.edited
    candidates |= {facts.schedule(name).title: wp.published(name, plan.sender, n_days) for name in tables}
    if own is not None:
        candidates[OWN] = own
    comparison = wp.compare(
        plan.sender,
        candidates,
        reaction=facts.reaction(reaction),
        retry=plan.retry,
        beliefs=plan.forecast.beliefs,
        seed=plan.forecast.seed,
        progress=planned.partly(report, "judging every schedule twice"),
    )
    import pandas as pd

    days = pd.concat([comparison.deferred_days(name).assign(name=name) for name in candidates], ignore_index=True)
    return Compared(
        _sentence(comparison.verdict()),
        comparison.note(),
        comparison.plot("schedules"),
        comparison.plot("dates"),
        days,
        comparison.to_frame(),
        wording.named(comparison.hit()),
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _numbers(plan: wp.Plan, compared: Compared) -> None:
    """Show the numbers, with reaction or without."""
    title, pick = st.columns([3, 2], vertical_alignment="bottom")
    title.subheader("In numbers", anchor=False)
    with pick:
        reacts = not st.toggle("If nobody reacts to trouble", key="compare blind", persist_state="session")
    rows = compared.table[compared.table["reaction"] == reacts]
    start, last = plan.schedule.dates[0], compared.days["date"].max()
    shown = {
        "Schedule": [plain(_sentence(str(name))) for name in rows["name"]],
        "Median": [_day(start, day, last) for day in rows["q50"]],
        "8 times in 10": [
            f"{_day(start, a, last)} – {_day(start, b, last)}" for a, b in zip(rows["q10"], rows["q90"], strict=True)
        ],
        "Throttled days": [f"{n:.1f}" for n in rows["wrong_days"]],
        "Deferred at first": [in_100(share) for share in rows["p_421"]],
        "Then late by": [f"{hours:.1f} h" for hours in rows["delay"]],
        "Lost": [rounded(n) for n in rows["lost_messages"]],
    }
    if plan.sender.target.by is not None:
        shown["By the deadline"] = [in_100(share) for share in rows["by_deadline"]]
    import pandas as pd

    st.table(pd.DataFrame(shown), border="horizontal", hide_index=True)
    st.download_button(
        "Download the numbers", lambda: wording.csv(compared.table), "comparison.csv", "text/csv", on_click="ignore"
    )


def _day(start: date, days: float, last: date) -> str:
    """Say a day, or that it never comes."""
    return "later or never" if days == float("inf") else short_day(start + timedelta(days=int(days)), start)


def _hit(compared: Compared) -> None:
    """Show which provider throttles which schedule."""
    st.subheader("Who is hit", anchor=False)
    st.caption(prose("hit"))
    rows = compared.hit[~compared.hit["reaction"].astype(bool)]
    wide = rows.pivot(index="provider", columns="name", values="risk")
    wide = wide.loc[list(dict.fromkeys(rows["provider"])), list(dict.fromkeys(rows["name"]))]
    shown = (
        wide.map(in_100)
        .rename(index=plain, columns=lambda name: plain(_sentence(str(name))))
        .rename_axis(columns=None)
        .reset_index(names="Provider")
    )
    st.table(shown, border="horizontal", hide_index=True)
