"""What holds the plan back, what would help, and what the date hangs on: found out in a job, shown as it comes in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

import planner as wp
from planner import figures
from planner.ui import state, waiting, widgets, wording
from planner.ui.planned import Shown
from planner.ui.wording import plain, prose, provider_name
from planner.vocabulary import in_100

if TYPE_CHECKING:
    import pandas as pd

    from planner.ui.jobs import Progress

WHAT = "explain"


def back(made: Shown) -> None:
    """Show what holds the plan back beside what would help."""
    st.subheader("What holds you back", anchor=False)
    explained = _explained(made)
    if explained is None:
        return
    binds, helps = st.columns(2, gap="large")
    with binds:
        _binding(explained)
    with helps:
        _reliefs(explained)
    if explained.assumption_rows:
        _hangs_on(explained)


def _explained(made: Shown) -> Any:
    """Explain in a job once somebody has asked for it; from then on for every plan."""
    if not state.wished(WHAT):
        st.caption(prose("explain"))
        st.button("Find out", on_click=state.wish, args=(WHAT,), key="find out", icon=":material/search:")
        return None
    name = (WHAT, made.order.name())
    job = state.ask(WHAT, name, lambda report: explained(made.plan, report))
    return waiting.so_far(WHAT, name, job)


def explained(plan: wp.Plan, report: Progress) -> Any:
    """Explain a plan: the work of a job, which hands over what it knows as it goes."""
    return wp.explain(plan, progress=report, on_part=report.so_far)


def _binding(explained: Any) -> None:
    """Show for each provider what binds when; the one that arrives last first."""
    frame = explained.binding
    first = [explained.holds_back] if explained.holds_back else []
    who = st.selectbox(
        "Provider",
        list(dict.fromkeys([*first, *frame["provider"]])),
        format_func=provider_name,
        key=state.key("binding"),
        persist_state="session",
    )
    lines = [plain(str(text)) for text in frame.loc[frame["provider"] == who, "text"]]
    st.markdown("\n\n".join(lines) or "Nothing: it is at its target from the start.")


def _reliefs(explained: Any) -> None:
    """Show what would help and by how many days, the most first."""
    frame = explained.reliefs
    if frame.empty:
        st.markdown("What would help")
        st.caption("Each change is planned again; the first one comes soon.")
        return
    costs = frame["name"].str.startswith(wp.Explanation.COSTS)
    for title, rows in (("What a change is worth", frame[~costs]), ("What it would cost", frame[costs])):
        if len(rows):
            st.markdown(title)
            _changes(explained, rows)
    st.caption(plain(explained.note()))
    st.download_button(
        "Download what would help", lambda: wording.csv(frame), "reliefs.csv", "text/csv", on_click="ignore"
    )


def _changes(explained: Any, rows: pd.DataFrame) -> None:
    """List changes with what they do to the date, and to the deadline if there is one."""
    import pandas as pd

    shown = pd.DataFrame({"Change": rows["text"].map(plain), "Target reached": rows["effect"].map(plain)})
    if explained.chance is not None:
        shown[f"By the deadline (now {in_100(explained.chance)})"] = rows["chance"].map(in_100)
    st.table(shown, border="horizontal", hide_index=True)


def _hangs_on(explained: Any) -> None:
    """Draw how far the date moves with each decisive assumption."""
    st.markdown("What the date hangs on")
    st.caption(prose("hangs_on"))
    frame: pd.DataFrame = wording.named(explained.assumptions)
    widgets.chart(
        figures.tornado(frame[frame["swing"] > 0]), frame, "hangs on", "Days that the date moves with each assumption"
    )
