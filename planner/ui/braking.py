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
    Verdict.HOLD: "as many as on {day}",
    Verdict.STEP_BACK: "half of those on {day}",
    Verdict.STOP: "until it is mended",
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

    Held is the volume of the day before: today's, or the first day's of a plan that has not begun. Never
    is more sent than planned.
    """
    cells: dict[str, dict[date, int]] = {}
    said = []
    for name, verdict in verdicts.items():
        volumes = schedule.total[schedule.providers.index(name)]
        mailed = np.flatnonzero(volumes > 0)
        begun = mailed[mailed <= (now - schedule.dates[0]).days]
        last = begun[-1] if begun.size else mailed[0] if mailed.size else -1
        after = mailed[mailed > last]
        if not after.size:
            said.append(f"{provider_name(name)}: nothing is planned that could be changed.")
            continue
        before, planned = int(volumes[last]), int(volumes[after[0]])
        wanted = {Verdict.HOLD: before, Verdict.STEP_BACK: before // 2, Verdict.STOP: 0}.get(verdict, planned)
        day = schedule.dates[after[0]]
        on = short_day(day, schedule.dates[0])
        if wanted >= planned:
            said.append(f"{provider_name(name)}: the plan sends no more than that on {on} anyway.")
            continue
        cells[name] = {day: wanted}
        why = _WHY[verdict].format(day=short_day(schedule.dates[last], schedule.dates[0]))
        said.append(f"{provider_name(name)}: {whole(wanted)} on {on} instead of {whole(planned)}, {why}.")
    return cells, said
