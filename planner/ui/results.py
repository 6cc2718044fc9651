"""The parts of a plan as screens show them: sentence, table, figures, downloads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import streamlit as st

import planner as wp
from planner import figures
from planner.ui import state, waiting, widgets, wording
from planner.ui.jobs import Progress
from planner.ui.planned import Shown, partly
from planner.ui.wording import plain, prose
from planner.vocabulary import day_text, whole

if TYPE_CHECKING:
    import pandas as pd

NO_TABLE = ""
FIRST_TABLE = "sendgrid-auto"


def sentence(plan: wp.Plan, remarks: list[str]) -> None:
    """Say the result in a sentence, what else to know in a few more, and which wishes cannot be met."""
    said = [plan.sender.name or "Your sender", *remarks, "change the answers in the panel on the left"]
    st.caption(plain(" · ".join(said)))
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
    frame = _lists(plan, day)
    shown = frame.assign(Provider=frame["Provider"].map(plain)).rename(columns=plain)  # cells and titles are Markdown
    st.table(shown.style.format("{:,.0f}", subset=list(shown.columns[1:])), border="horizontal", hide_index=True)
    _pace(plan, int(frame["Messages"].sum()))
    _copies(plan, frame, day)


def _lists(plan: wp.Plan, day: date) -> pd.DataFrame:
    """Messages of a day by provider, and whom they go to: a column per segment that gets any, most engaged first."""
    frame = plan.tomorrow(day)
    names = list(frame["provider"])
    whom = plan.recipients(day).pivot(index="provider", columns="segment", values="messages").reindex(names).fillna(0)
    frame = wording.named(frame)
    frame.columns = ["Provider", "Messages", "At most per hour"]
    if len(plan.schedule.segments) > 1:
        for segment in plan.schedule.segments:
            if segment in whom:
                frame[f"To: {segment}"] = whom[segment].to_numpy()
    if plan.sender.overflow == "old_path":
        rest = plan.to_frame()
        frame["On the old path"] = rest.loc[rest["date"] == day, "overflow"].to_numpy()
    return frame


def _pace(plan: wp.Plan, total: int) -> None:
    sender = plan.sender
    segments = ", most engaged first" if len(sender.audience.segments) > 1 else ""
    hours = f"{sender.window.replace('-', ' and ')} ({sender.timezone})"
    text = f"{whole(total)} messages in all, evenly between {hours}{segments}."
    st.caption(plain(text))


def _copies(plan: wp.Plan, frame: pd.DataFrame, day: date) -> None:
    with st.container(horizontal=True):
        with st.popover("Copy"):
            st.code(wording.tabbed(frame), language=None)
        name = f"send-{day.isoformat()}.csv"
        st.download_button("Download the day", wording.csv(frame), name, "text/csv", on_click="ignore")
        st.download_button(
            "By quarter hour",
            lambda: wording.csv(plan.slots(day)),
            f"slots-{day.isoformat()}.csv",
            "text/csv",
            on_click="ignore",
            help="When to hand how many messages over: evenly, never a blast at the top of the hour.",
        )


def ramp(made: Shown) -> None:
    """Draw the ramp, and a published table in the same chart."""
    plan = made.edited
    title, pick = st.columns([5, 5], vertical_alignment="bottom")
    title.subheader("The ramp", anchor=False)
    with pick:
        table = _table_choice()
    st.caption(prose("ramp"))
    other = _judged(made, table) if table else None
    volumes = made.days
    figure = figures.ramp(
        volumes,
        plan.forecast.total_band(),
        other.days if other else None,
        _table_name(table) if other else "",
        target=float(plan.sender.targets().sum()),
        deadline=plan.sender.target.by,
    )
    widgets.chart(figure, volumes, "ramp", f"Messages a day by provider. {plan.headline()}")
    if table and other:
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


@dataclass(frozen=True)
class Judged:
    """A published table beside a plan: date, volume, p_deferred if nobody reacts; the sentence if we do."""

    days: pd.DataFrame
    sentence: str


def _judged(made: Shown, table: str) -> Judged | None:
    plan = made.plan
    job = state.ask("table", ("table", made.order.name(), table), lambda report: judged(plan, table, report))
    result: Judged | None = waiting.result("table", job)
    return result


def judged(plan: wp.Plan, table: str, report: Progress) -> Judged:
    """Tell how a published table would fare in the scenarios of a plan: the work of a job."""
    comparison = wp.compare(
        plan.sender,
        {table: wp.published(table, plan.sender, len(plan.schedule.dates))},
        reaction=plan.reaction,
        retry=plan.retry,
        beliefs=plan.forecast.beliefs,
        seed=plan.forecast.seed,
        progress=partly(report, "simulating"),
    )
    return Judged(comparison.deferred_days(table), comparison.reacting[table].headline())


def deferrals(made: Shown) -> None:
    """Draw the chance of a 421 by provider and day; days without mail stay empty."""
    st.subheader("Chance of a 421, by provider and day", anchor=False)
    st.caption(prose("p_421"))
    frame = wording.named(made.edited.forecast.p_421())
    frame.loc[made.days["volume"].to_numpy() <= 0, ["mean", "q10", "q50", "q90", "cause"]] = None
    frame = frame.assign(cause=frame["cause"].map(wording.CAUSES).fillna(""))
    alt = "Share of first attempts deferred, by provider and day"
    widgets.chart(figures.deferral_heat_map(frame), frame, "p_421", alt)


def frontier(plan: wp.Plan) -> None:
    """Draw what more or less risk does to the date, for all providers together or for one; edits apart."""
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
        # made when they are asked for: a plan's JSON takes a quarter of a second
        table, text, sender = lambda: wording.csv(plan.to_frame()), plan.to_json, plan.sender.to_yaml
        st.download_button("Plan as CSV", table, "plan.csv", "text/csv", on_click="ignore")
        st.download_button("Plan as JSON", text, "plan.json", "application/json", on_click="ignore")
        st.download_button("Sender as YAML", sender, "sender.yaml", "application/yaml", on_click="ignore")
