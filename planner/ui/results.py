"""The parts of a plan as screens show them: sentence, table, figures, downloads."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import streamlit as st

import planner as wp
from planner import figures
from planner.ui import state, widgets, wording
from planner.ui.wording import plain, prose
from planner.vocabulary import day_text, whole

if TYPE_CHECKING:
    import pandas as pd

NO_TABLE = ""
FIRST_TABLE = "sendgrid-auto"


def sentence(plan: wp.Plan) -> None:
    """Say the result in a sentence, what else to know in a few more, and which wishes cannot be met."""
    st.caption(f"{plain(plan.sender.name or 'Your sender')} · change the answers in the panel on the left")
    st.subheader(plain(plan.headline()), anchor=False)
    answers = [f"{answer.text} {answer.remedy}" for answer in plan.answers]
    rest = [line for line in plan.summary().splitlines() if line not in (plan.headline(), *answers)]
    st.markdown("  \n".join(map(plain, rest)))
    for answer in answers:
        st.warning(plain(answer), icon=":material/report:")


def tomorrow(plan: wp.Plan) -> None:
    """Show one day's messages by provider, to be copied or downloaded."""
    title, pick = st.columns([7, 3], vertical_alignment="bottom")
    days = plan.schedule.dates
    with pick:
        day = st.date_input(
            "Day of the plan",
            plan.first_day(),
            min_value=days[0],
            max_value=days[-1],
            format="YYYY-MM-DD",
        )
    with title:
        st.subheader(
            f"{'First send day' if day == plan.first_day() else 'To send on'}, {day_text(day)}",
            anchor=False,
        )
    frame = wording.named(plan.tomorrow(day))
    frame.columns = ["Provider", "Messages", "At most per hour"]
    shown = frame.assign(Provider=frame["Provider"].map(plain))  # cells are Markdown
    st.table(shown.style.format("{:,.0f}", subset=list(frame.columns[1:])), border="horizontal", hide_index=True)
    _pace(plan, int(frame["Messages"].sum()))
    _copies(frame, day)


def _pace(plan: wp.Plan, total: int) -> None:
    sender = plan.sender
    segments = ", most engaged first" if len(sender.audience.segments) > 1 else ""
    hours = f"{sender.window.replace('-', ' and ')} ({sender.timezone})"
    text = f"{whole(total)} messages in all, evenly between {hours}{segments}."
    st.caption(plain(text))


def _copies(frame: pd.DataFrame, day: date) -> None:
    with st.container(horizontal=True):
        with st.popover("Copy"):
            st.code(wording.tabbed(frame), language=None)
        name = f"send-{day.isoformat()}.csv"
        st.download_button("Download the day", wording.csv(frame), name, "text/csv", on_click="ignore")


def ramp(plan: wp.Plan) -> None:
    """Draw the ramp, and a published table in the same chart."""
    title, pick = st.columns([5, 5], vertical_alignment="bottom")
    title.subheader("The ramp", anchor=False)
    with pick:
        table = _table_choice()
    st.caption(prose("ramp"))
    other = _judged(plan, table) if table else None
    volumes = wording.named(plan.to_frame())
    figure = figures.ramp(
        volumes,
        plan.forecast.total_band(),
        other.days if other else None,
        _table_name(table),
        target=float(plan.sender.targets().sum()),
        deadline=plan.sender.target.by,
    )
    widgets.chart(figure, volumes, "ramp", f"Messages a day by provider. {plan.headline()}")
    if other:
        text = f"{_table_name(table)}, with the same reaction: {other.sentence}"
        st.markdown(f"{plain(text)} {prose('tables')}")
        st.caption(plain(f"What it is not for: {wp.catalogue().schedule(table).not_for}"))


def _table_choice() -> str:
    known = wp.catalogue().schedules
    options = [NO_TABLE, *sorted(known, key=lambda name: known[name].title.lower())]
    first = options.index(FIRST_TABLE) if FIRST_TABLE in options else 0
    return st.selectbox("Published table beside it", options, first, format_func=_table_name) or NO_TABLE


def _table_name(table: str) -> str:
    return wp.catalogue().schedule(table).title if table else "none"


def _judged(plan: wp.Plan, table: str) -> state.Judged:
    with widgets.working() as report:
        return state.judged(plan, table, report)


def deferrals(plan: wp.Plan) -> None:
    """Draw the chance of a 421 by provider and day; days without mail stay empty."""
    st.subheader("Chance of a 421, by provider and day", anchor=False)
    st.caption(prose("p_421"))
    sent = plan.to_frame().query("volume > 0")[["provider", "date"]]
    every = plan.to_frame()[["provider", "date"]]
    frame = wording.named(every.merge(sent.merge(plan.forecast.p_421()), how="left"))
    frame = frame.assign(cause=frame["cause"].map(wording.CAUSES).fillna(""))
    alt = "Share of first attempts deferred, by provider and day"
    widgets.chart(figures.deferral_heat_map(frame), frame, "p_421", alt)


def frontier(plan: wp.Plan) -> None:
    """Draw what more or less risk does to the date, for all providers together or for one."""
    title, pick = st.columns([7, 3], vertical_alignment="bottom")
    title.subheader("What more or less risk does to the date", anchor=False)
    with pick:
        who = st.selectbox("Provider", ["all", *plan.sender.provider_names], format_func=_everybody)
    st.caption(prose("frontier"))
    frame = plan.frontier
    reach = plan.forecast.reach()
    median = float(reach.loc[reach["provider"] == who, "q50"].iloc[0])
    figure = figures.frontier(frame, who, median)
    widgets.chart(figure, wording.named(frame), "frontier", "Days until the target, against accepted risk")


def _everybody(who: str) -> str:
    return "All together" if who == "all" else wording.provider_name(who)


def assumptions(plan: wp.Plan) -> None:
    """List the numbers that the plan rests on, with source and confidence."""
    with st.expander("What these numbers rest on"):
        st.markdown(prose("assumptions"))
        frame = wording.named(plan.assumptions())[list(wording.ASSUMED)]
        frame = frame.assign(
            confidence=frame["confidence"].map(wording.CONFIDENCE),
        )
        st.dataframe(frame.rename(columns=wording.ASSUMED), hide_index=True)


def downloads(plan: wp.Plan) -> None:
    """Offer the plan and the sender as files."""
    with st.container(horizontal=True):
        st.download_button("Plan as CSV", wording.csv(plan.to_frame()), "plan.csv", "text/csv", on_click="ignore")
        st.download_button("Plan as JSON", plan.to_json(), "plan.json", "application/json", on_click="ignore")
        st.download_button(
            "Sender as YAML",
            plan.sender.to_yaml(),
            "sender.yaml",
            "application/yaml",
            on_click="ignore",
        )
