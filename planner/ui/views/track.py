"""Track: alarms, what to send today, planned against actual, what was learnt, and a plan for the days left."""

from __future__ import annotations

from datetime import date
from typing import Any

import streamlit as st

import planner as wp
from planner.ui import braking, bringing, following, mornings, planned, state
from planner.ui.questions import Questions
from planner.ui.wording import VERDICTS, plain, prose
from planner.vocabulary import day_text, short_day


def render(asked: Questions) -> None:
    """Draw the page: the season that is open, else how to begin one."""
    st.header("Track", anchor=False)
    season = following.current()
    if season is None:
        _empty(asked)
        return
    state.link_season(season.name)
    today = _head(season)
    following.problem()
    _answers(asked, season)
    unknown = season.last_day is None
    with st.expander("Bring in numbers", expanded=unknown, icon=":material/input:", key=f"bring {season.name}"):
        bringing.bring(season)
    if unknown:
        st.info("No day is known yet: below is what the plan says of the first.")
    mornings.show(season, today)


# --- no season yet


def _empty(asked: Questions) -> None:
    st.caption(prose("track"))
    following.problem()
    _kept()
    st.markdown(prose("no_season"))
    made = planned.shown(asked)
    if made is None:
        return
    plan = made.edited
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    name = left.text_input("Name of the season", _free_name(plan.sender), key=state.key("season name"), max_chars=40)
    right.button(
        "Try an example season",
        on_click=following.try_example,
        args=(plan,),
        key="example season",
        icon=":material/science:",
        help="Ten days of one of the plan's own scenarios, in which something goes wrong. It touches no other season.",
    )
    try:
        season = wp.Season.begun(plan.sender, plan, name=name or "")
    except wp.InputError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    bringing.bring(season)


def _free_name(sender: wp.Sender) -> str:
    return wp.Season.begun(sender).name


def _kept() -> None:
    """List the seasons that are kept, to go on with one."""
    try:
        kept = wp.seasons()
    except wp.InputError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    if not kept:
        return
    st.subheader("Go on with", anchor=False)
    for one in kept:
        with st.container(horizontal=True, vertical_alignment="center"):
            if one.problem is None:
                st.button(plain(one.name), on_click=following.follow, args=(one.name,), key=f"open season {one.name}")
                st.caption(plain(_about(one)))
            else:
                st.error(plain(f"{one.name}: {one.problem}"), icon=":material/error:")
                st.button(
                    "Bring the one before back",
                    on_click=following.restore,
                    args=(one.name,),
                    key=f"restore season {one.name}",
                )


def _about(one: wp.KeptSeason) -> str:
    if one.last_day is None or one.verdict is None:
        return "nothing observed yet"
    return f"observed until {short_day(one.last_day)}; at worst: {VERDICTS[one.verdict].lower()}"


# --- the season that is open


def _head(season: wp.Season) -> date:
    """Name the season and its morning; offer undo, history, and others."""
    left, right = st.columns([4, 1], vertical_alignment="bottom")
    with right:
        today = st.date_input(
            "Morning of",
            season.today,
            min_value=season.sender.start,
            format="YYYY-MM-DD",
            key=f"morning of {season.name} {season.revision}",
            help="What was observed of that day and later is left aside.",
        )
    number = (today - season.sender.start).days + 1
    left.subheader(f"{day_text(today)}, day {number} of {plain(season.name)}", anchor=False)
    with st.container(horizontal=True):
        _buttons(season)
    missing = (braking.today(season.sender) - season.today).days
    if missing > 0 and not following.is_example(season.name):
        days = "day is" if missing == 1 else f"{missing} days are"
        st.caption(plain(f"The last {days} not brought in yet. Days without mail may be left out."))
    if season.history:
        st.caption(plain(f"Last: {season.history[-1]}"))
    return today


def _buttons(season: wp.Season) -> None:
    st.button(
        "Undo",
        on_click=following.undo,
        args=(season,),
        disabled=not season.past,
        icon=":material/undo:",
        key="undo season",
        help=plain(season.past[-1].text) if season.past else None,
    )
    st.button(
        "Redo",
        on_click=following.redo,
        args=(season,),
        disabled=not season.future,
        icon=":material/redo:",
        key="redo season",
        help=plain(season.future[-1].text) if season.future else None,
    )
    with st.popover("History"):
        st.markdown("\n".join(f"- {plain(str(entry))}" for entry in reversed(season.history[-30:])))
    st.button("Other seasons", on_click=following.leave, key="leave season", icon=":material/folder_open:")
    with st.popover("Remove"):
        st.markdown("The season's file and its backup go. Nothing brings them back.")
        st.button(f"Remove {plain(season.name)}", on_click=following.remove, args=(season.name,), key="remove season")


def _answers(asked: Questions, season: wp.Season) -> None:
    """Point out where the answers on the left are not the season's, and let one take the other's."""
    try:
        sender: Any = asked.sender()
    except wp.InputError:
        return  # said beside the answer, and on the page Plan
    state.answered(sender)
    state.write_link(sender)
    if sender == season.sender:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption("The season follows other answers than those on the left.")
        st.button(
            "Show the season's answers",
            on_click=state.take_sender,
            args=(season.sender, season.name),
            key="its answers",
        )
        st.button(
            "Use those on the left from now on",
            on_click=following.keep,
            args=(season.changed(sender),),
            key="new answers",
            help="The days left are then planned for them.",
        )
