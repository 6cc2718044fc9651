"""From what servers answered to tomorrow's volumes in the plan: hold, step back, stop."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import streamlit as st

import planner as wp
from planner.ui import state
from planner.ui.edits import Cells
from planner.ui.planned import Shown
from planner.ui.wording import plain, provider_name
from planner.vocabulary import Verdict, short_day, whole

BUTTONS = {
    Verdict.HOLD: "Hold tomorrow's ramp",
    Verdict.STEP_BACK: "Step back tomorrow",
    Verdict.STOP: "Stop tomorrow's mail",
}
_WHY = {
    Verdict.HOLD: ", as many as on {day}",
    Verdict.STEP_BACK: ", half of those on {day}",
    Verdict.STOP: "",
}


def told(made: Shown) -> None:
    """Say what a button on another page has changed, until something else is."""
    plan = made.order.name()
    said = state.told(plan)
    if said:
        st.info("  \n".join(map(plain, said)), icon=":material/front_hand:")
        st.button("Undo", on_click=state.undo, args=(plan,), icon=":material/undo:", key="undo brake")


def brake(made: Shown, verdicts: Mapping[str, Verdict]) -> None:
    """Change tomorrow's volumes by provider, and say so on the page Plan."""
    plan = made.edited
    cells, said = braked(plan.schedule, today(plan.sender), verdicts)
    state.change(made.order.name(), cells, said)


def today(sender: wp.Sender) -> date:
    """Return the date in the sender's zone."""
    return datetime.now(ZoneInfo(sender.timezone)).date()


def braked(schedule: wp.Schedule, now: date, verdicts: Mapping[str, Verdict]) -> tuple[Cells, list[str]]:
    """Return the cells that follow from verdicts, and a sentence for each provider.

    Tomorrow is the next day with mail, today the last one: the first day of a plan that has not begun. A ramp
    that is held or stopped goes on a send day later; one that steps back goes on from where the plan first
    went above the new volume. On no day is more sent than planned.
    """
    cells: dict[str, dict[date, int]] = {}
    said = []
    for name, verdict in verdicts.items():
        volumes = schedule.total[schedule.providers.index(name)].astype(int)
        mailed = np.flatnonzero(volumes > 0)
        tomorrow = max(1, int(np.searchsorted(mailed, (now - schedule.dates[0]).days, side="right")))
        if tomorrow >= mailed.size:
            said.append(f"{provider_name(name)}: nothing is planned that could be changed.")
            continue
        planned = volumes[mailed]
        before, first = int(planned[tomorrow - 1]), int(planned[tomorrow])
        wanted = {Verdict.HOLD: before, Verdict.STEP_BACK: before // 2, Verdict.STOP: 0}.get(verdict, first)
        on, day = (short_day(schedule.dates[mailed[n]], schedule.dates[0]) for n in (tomorrow, tomorrow - 1))
        if wanted >= first:
            said.append(f"{provider_name(name)}: the plan sends no more than that on {on} anyway.")
            continue
        again = int(np.argmax(planned > wanted)) if verdict is Verdict.STEP_BACK else tomorrow
        by = tomorrow + 1 - again
        later = planned[again : planned.size - by]
        moved = np.minimum(later, planned[tomorrow + 1 :])
        ramp = np.concatenate([[wanted], moved])
        cells[name] = {
            schedule.dates[mailed[n]]: int(ramp[n - tomorrow])
            for n in range(tomorrow, planned.size)
            if ramp[n - tomorrow] < planned[n]
        }
        why = _WHY[verdict].format(day=day)
        rest = _rest(by, any_moved=len(cells[name]) > 1, capped=bool((moved < later).any())) if later.size else ""
        said.append(f"{provider_name(name)}: {whole(wanted)} on {on} instead of {whole(first)}{why}{rest}.")
    return cells, said


def _rest(by: int, *, any_moved: bool, capped: bool) -> str:
    """Say what becomes of the days after."""
    days = "a send day" if by == 1 else f"{by} send days"
    moved = f"; the days after move back by {days}{', none above its plan' if capped else ''}" if any_moved else ""
    return f"{moved}; do it again tomorrow if it is not mended"
