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
    """Say the result in one sentence, and what else must be known in a few more."""
    st.caption(f"{plain(plan.sender.name or 'Your sender')} · change the answers in the panel on the left")
    st.subheader(plain(plan.headline()), anchor=False)
    rest = plan.summary().removeprefix(plan.headline()).strip()
    st.markdown("  \n".join(plain(line) for line in rest.splitlines()))
    for answer in plan.answers:
        st.warning(plain(f"{answer.text} {answer.remedy}"), icon=":material/report:")


def tomorrow(plan: wp.Plan) -> None:
    """Show one day's messages by provider, to be copied or downloaded."""
    title, pick = st.columns([7, 3], vertical_alignment="bottom")
    days = plan.schedule.dates
    with pick:
        day = st.date_input(
            "Day of the plan",
            _first_send_day(plan),
            min_value=days[0],
            max_value=days[-1],
            format="YYYY-MM-DD",
        )
    with title:
        st.subheader(
            f"{'First send day' if day == _first_send_day(plan) else 'To send on'}, {day_text(day)}",
            anchor=False,
        )
    frame = wording.named(plan.tomorrow(day))
    frame.columns = ["Provider", "Messages", "At most per hour"]
    st.table(
        frame.style.format("{:,.0f}", subset=["Messages", "At most per hour"]),
        border="horizontal",
        hide_index=True,
    )
    _pace(plan, int(frame["Messages"].sum()))
    _copies(frame, day)


def _first_send_day(plan: wp.Plan) -> date:
    sent = plan.schedule.total.sum(axis=0)
    first: date = plan.schedule.dates[int((sent > 0).argmax())]
    return first


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
    volumes = wording.named(plan.to_frame())
    other = _judged(plan, table) if table else None
    target = float(plan.sender.targets().sum())
    figure = figures.ramp(
        volumes,
        plan.forecast.total_band(),
        other,
        _table_name(table),
        target=target,
        deadline=plan.sender.target.by,
    )
    widgets.chart(figure, volumes, "ramp", f"Messages a day by provider. {plan.headline()}")
    if table:
        st.caption(plain(wp.catalogue().schedule(table).not_for))


def _table_choice() -> str:
    known = wp.catalogue().schedules
    options = [NO_TABLE, *sorted(known, key=lambda name: known[name].title.lower())]
    first = options.index(FIRST_TABLE) if FIRST_TABLE in options else 0
    return st.selectbox("Published table beside it", options, first, format_func=_table_name) or NO_TABLE


def _table_name(table: str) -> str:
    return wp.catalogue().schedule(table).title if table else "none"


def _judged(plan: wp.Plan, table: str) -> pd.DataFrame:
    with widgets.working() as report:
        return state.judged(plan, table, report)


def deferrals(plan: wp.Plan) -> None:
    """Draw the chance of a 421 by provider and day."""
    st.subheader("Chance of a 421, by provider and day", anchor=False)
    st.caption(prose("p_421"))
    frame = wording.named(plan.forecast.p_421())
    widgets.chart(
        figures.deferral_heat_map(frame),
        frame,
        "p_421",
        "Share of first attempts deferred, by provider and day",
    )


def frontier(plan: wp.Plan) -> None:
    """Draw what more or less risk does to the date."""
    st.subheader("What more or less risk does to the date", anchor=False)
    st.caption(prose("frontier"))
    frame = plan.frontier
    widgets.chart(
        figures.frontier(frame),
        wording.named(frame),
        "frontier",
        "Days until the target against accepted risk",
    )


def assumptions(plan: wp.Plan) -> None:
    """List the numbers that the plan rests on, with source and confidence."""
    with st.expander("What these numbers rest on"):
        st.markdown(prose("assumptions"))
        frame = wording.named(plan.assumptions())
        frame = frame.assign(confidence=[wording.CONFIDENCE[str(one)] for one in frame["confidence"]])
        st.dataframe(frame, hide_index=True)


def downloads(plan: wp.Plan) -> None:
    """Offer the plan and the sender as files."""
    with st.container(horizontal=True):
        st.download_button(
            "Plan as CSV", wording.csv(plan.to_frame()), "plan.csv", "text/csv", on_click="ignore"
        )
        st.download_button("Plan as JSON", plan.to_json(), "plan.json", "application/json", on_click="ignore")
        st.download_button(
            "Sender as YAML",
            state.sender_file(plan.sender),
            "sender.yaml",
            "application/yaml",
            on_click="ignore",
        )
