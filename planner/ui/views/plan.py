"""Plan: what to send tomorrow, when the target is reached and how sure that is."""

from __future__ import annotations

import streamlit as st

import planner as wp
from planner.ui import questions, results, state, widgets
from planner.ui.wording import plain


def render() -> None:
    """Draw the page: one sentence, tomorrow's table, pictures, and everything else folded."""
    asked = questions.ask()
    sentence, slider = st.columns([3, 1], gap="medium")
    with slider:
        asked.take("risk", widgets.risk(asked.old("risk")))
    with sentence:
        plan = _planned(asked)
        if plan is None:
            return
        results.sentence(plan)
    results.tomorrow(plan)
    results.ramp(plan)
    results.deferrals(plan)
    results.frontier(plan)
    results.assumptions(plan)
    results.downloads(plan)


def _planned(asked: questions.Questions) -> wp.Plan | None:
    """Plan for the answers; where they do not fit or somebody stopped, keep the last good plan."""
    try:
        sender = asked.sender()
        with widgets.working(lambda: state.stop(sender)) as report:
            return state.plan(sender, report)
    except wp.Cancelled:
        st.warning("Below stays the plan for the answers before.", title="Stopped")
        st.button("Plan it after all", on_click=state.go_on)
    except wp.PlannerError as error:
        st.warning(plain(str(error)), title="Not used yet; below stays the plan for the answers before")
    return state.last_plan()
