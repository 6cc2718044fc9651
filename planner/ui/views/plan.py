"""Plan: what to send tomorrow, when the target is reached and how sure that is."""

from __future__ import annotations

import streamlit as st

from planner.ui import braking, holding, planned, results, sheet, state, widgets
from planner.ui.questions import Questions


def render(asked: Questions) -> None:
    """Draw the page: one sentence, tomorrow's table, pictures, and everything else folded."""
    sentence, slider = st.columns([3, 1], gap="medium")
    with slider:
        level = widgets.risk(state.risk())
        state.accept(level)
        asked.take("risk", level)
    with sentence:
        made = planned.shown(asked)
        if made is None:
            return
        results.sentence(made.edited, planned.remarks(made))
        braking.told(made)
    results.tomorrow(made.edited)
    results.ramp(made)
    sheet.days(made)
    results.deferrals(made)
    holding.back(made)
    results.frontier(made.plan)
    results.assumptions(made.edited)
    results.downloads(made.edited)
