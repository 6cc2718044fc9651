"""The schedule day by day, to be changed: what is typed is judged again at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from planner.figures import DEFERRED_ABOVE
from planner.ui import edits, planned, state, wording
from planner.ui.planned import Shown
from planner.ui.wording import plain, prose, provider_name
from planner.vocabulary import in_100, short_day

HEIGHT = 420
LIKELY = "Likely throttled"


@st.fragment
def days(made: Shown) -> None:
    """Show the schedule to be edited, and what the edits do: first this part alone, then the whole page."""
    made = planned.again(made)
    st.subheader("Day by day", anchor=False)
    st.caption(prose("days"))
    _table(made)
    _buttons(made)
    _verdict(made)
    _likely(made)
    if state.edited_just_now():
        st.rerun()


def _verdict(made: Shown) -> None:
    """Say what the edits do to the plan."""
    history = made.history
    if not history.now:
        return
    said = planned.difference(made)
    how = "Judged in the plan's own forecast." if made.full else prose("glance")
    with st.container(border=True):
        st.markdown(f"**With {_count(history.now)}:** {plain(made.edited.headline())}")
        st.markdown("  \n".join(map(plain, said)))
        st.caption(how)


def _count(now: edits.Edits) -> str:
    """Count what was changed."""
    locked, typed = (sum(map(len, cells.values())) for cells in (now.locked, now.typed))
    parts = [f"{typed} changed {'cell' if typed == 1 else 'cells'}"] if typed else []
    parts += [f"{locked} locked {'cell' if locked == 1 else 'cells'}"] if locked else []
    return " and ".join(parts)


def _table(made: Shown) -> None:
    """Draw the table; its numbers stay those it was drawn from, for what is typed lies over them."""
    history, sender = made.history, made.plan.sender
    below = made.base.with_cells(history.shown.typed if made.settled else history.shown.cells)
    frame = edits.sheet(sender, below)
    state.show_sheet(made.order.name(), sender, frame)
    names = {name: provider_name(name) for name in frame.columns}
    shown = frame.set_axis([short_day(day, sender.start) for day in frame.index])
    most = sender.demand(len(below.dates)).max(axis=1)
    columns: dict[str, Any] = {
        name: st.column_config.NumberColumn(
            title, min_value=0, max_value=int(limit), step=1, required=True, format="localized", width=95
        )
        for (name, title), limit in zip(names.items(), most, strict=True)
    }
    columns["_index"] = st.column_config.TextColumn("Day", disabled=True)
    widget = state.key(f"days {history.edition} {abs(hash(made.order.name()))}")
    st.data_editor(
        shown,
        key=widget,
        num_rows="fixed",
        height=min(HEIGHT, 38 + 35 * len(shown)),
        column_config=columns,
        on_change=state.take_edits,
        args=(widget,),
        alt="Messages by day and provider, to be edited",
    )


def _likely(made: Shown) -> None:
    """Mark who is likely to throttle which day; beside the table, which must not change under people's hands."""
    forecast, cells = made.edited.forecast, made.history.now.cells
    chance = np.einsum("s,spd->dp", forecast.weights, forecast.wrong_days().astype(float))
    rows = {
        short_day(day, forecast.days[0]): {
            provider_name(name): _mark(float(share), day in cells.get(name, {}))
            for name, share in zip(forecast.providers, shares, strict=True)
        }
        for day, shares in zip(forecast.days, chance, strict=True)
        if (shares > DEFERRED_ABOVE).any()
    }
    st.caption(f"**{LIKELY}.** {prose('likely')}" if rows else prose("unlikely"))
    if rows:
        table = pd.DataFrame.from_dict(rows, orient="index").reset_index(names="Day")
        st.dataframe(table, hide_index=True, height=min(250, 38 + 35 * len(table)), alt=f"{LIKELY}: days and providers")


def _mark(share: float, edited: bool) -> str:
    """Say a chance where it is one, and whether somebody set the cell."""
    text = f"✕ {in_100(share)}" if share > DEFERRED_ABOVE else ""
    return f"{text} ✎" if edited else text


def _buttons(made: Shown) -> None:
    """Offer to plan the rest again, to take back, and to keep what is seen."""
    plan, history = made.order.name(), made.history
    with st.container(horizontal=True):
        st.button(
            "Undo",
            on_click=state.undo,
            args=(plan,),
            disabled=not history.steps,
            icon=":material/undo:",
            key="undo edit",
            help="Take the last change of the schedule back.",
        )
        st.button(
            "Plan the rest around my numbers",
            on_click=state.lock,
            args=(plan,),
            disabled=not history.now.typed,
            icon=":material/lock:",
            key="lock",
            help="Your numbers stay; all other days are planned again.",
        )
        st.button("Drop all changes", on_click=state.drop_edits, args=(plan,), disabled=not history.now, key="drop")
        st.download_button(
            "Download the schedule",
            lambda: wording.csv(made.edited.schedule.to_frame()),
            "schedule.csv",
            "text/csv",
            on_click="ignore",
        )
