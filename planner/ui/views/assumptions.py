"""Assumptions: what is believed of each provider, on whose word; change it and the plan moves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

import planner as wp
from planner import figures
from planner.ui import overlay, planned, state, widgets, wording
from planner.ui.planned import Shown
from planner.ui.wording import plain, prose, provider_name

if TYPE_CHECKING:
    import pandas as pd

    from planner.ui.questions import Questions

POINTS = ("low", "typical", "high")
DECISIVE = (
    "cold_allowance",
    "daily_growth",
    "growth_fades_at",
    "hourly_share",
    "ip_weight",
    "rejection_cost",
    "penalty_chance",
    "reputation_sensitivity",
    "complaint_limit",
)
"""Drawn for every provider, besides those that were changed; the table holds all."""


def render(asked: Questions) -> None:
    """Draw the page: what your changes do to the date, then one provider's priors."""
    st.header("Assumptions", anchor=False)
    st.caption(prose("assumptions"))
    made = planned.shown(asked)
    if made is None:
        return
    _effect(made)
    who = st.selectbox(
        "Provider",
        made.plan.sender.provider_names,
        format_func=provider_name,
        key=state.key("assumed"),
        persist_state="session",
    )
    curves = made.plan.densities().query("provider == @who", local_dict={"who": who})
    _curves(curves, who)
    _table(made.plan, curves, who)
    _keep()


def _effect(made: Shown) -> None:
    """Say what the changes do to the plan; one wrong change is said here, too."""
    if error := state.refused("assumptions"):
        st.error(plain(str(error)), icon=":material/error:")
    changes = state.priors()
    if not changes:
        st.info(prose("no_changes"))
        return
    st.markdown(f"**You changed:** {plain('; '.join(_said(changes)))}.")
    without = planned.done("before", state.Order(made.plan.sender, {}, made.order.retry), "")
    before, after = st.columns(2)
    with after.container(border=True):
        st.caption("With your assumptions")
        st.markdown(plain(made.plan.headline()))
    if without is not None:
        with before.container(border=True):
            st.caption("With the catalogue's")
            st.markdown(plain(without.headline()))
        st.markdown(f"**{plain(_days(without, made.plan))}**")


def _said(changes: Any) -> list[str]:
    titles = _titles()
    return [f"{provider_name(name)} {titles[one].lower()}" for name, rows in changes.items() for one in rows]


def _titles() -> dict[str, str]:
    frame = state.last().plan.assumptions()
    return dict(zip(frame["parameter"], frame["title"], strict=True))


def _days(without: wp.Plan, plan: wp.Plan) -> str:
    """Say how far the median moves."""
    was, now = (float(one.forecast.reach().query("provider == 'all'")["q50"].iloc[0]) for one in (without, plan))
    if not np.isfinite(was) or not np.isfinite(now):
        return "The date stays open." if not np.isfinite(now) else "The target is reached now."
    days = abs(int(now - was))
    if not days:
        return "The date does not move."
    return f"The target is reached {days} {'day' if days == 1 else 'days'} {'later' if now > was else 'earlier'}."


def _curves(curves: pd.DataFrame, who: str) -> None:
    """Draw the decisive priors, and those that were changed."""
    spread = curves.groupby("parameter")["value"].transform("size") > 1
    drawn = curves[(curves["parameter"].isin(DECISIVE) & spread) | curves.groupby("parameter")["own"].transform("any")]
    alt = f"What is believed of {provider_name(who)}: low, typical and high of each parameter stand in the table below"
    widgets.chart(figures.densities(drawn), drawn, "densities", alt)


def _table(plan: wp.Plan, curves: pd.DataFrame, who: str) -> None:
    """Show all priors of a provider, points to be changed."""
    frame = plan.assumptions()
    rows = frame[frame["provider"] == who].set_index("parameter")
    shapes = {name: list(one["density"]) for name, one in curves[~curves["own"]].groupby("parameter")}
    shown = rows[["title", *POINTS, "unit", "confidence", "source", "note"]].copy()
    shown["confidence"] = shown["confidence"].map(wording.CONFIDENCE)
    shown.insert(1, "density", [shapes[name] if len(shapes[name]) > 1 else None for name in shown.index])
    state.show_priors(who, rows[list(POINTS)])
    number: dict[str, Any] = {
        point: st.column_config.NumberColumn(wording.ASSUMED[point], format="%.4g", required=True, width=90)
        for point in POINTS
    }
    columns: dict[str, Any] = number | {
        "title": st.column_config.TextColumn("Parameter", pinned=True),
        "density": st.column_config.AreaChartColumn("Density", width=90, y_min=0, y_max=1),
        "unit": "Unit",
        "confidence": "Confidence",
        "source": st.column_config.TextColumn("Source", width="large"),
        "note": st.column_config.TextColumn("Note", width="large"),
    }
    widget = state.key(f"priors {who} {state.priors_edition()}")
    st.caption(prose("priors"))
    st.data_editor(
        shown,
        key=widget,
        num_rows="fixed",
        hide_index=True,
        height=420,
        column_config=columns,
        disabled=[name for name in shown.columns if name not in POINTS],
        on_change=state.take_priors,
        args=(widget,),
        alt=f"Priors of {provider_name(who)}, low, typical and high to be changed",
    )


def _keep() -> None:
    """Offer to go back, and to keep the changes as files."""
    changes = state.priors()
    with st.container(horizontal=True):
        st.button(
            "Back to the catalogue", on_click=state.assume, args=({},), disabled=not changes, icon=":material/undo:"
        )
        st.download_button(
            "Download your assumptions",
            lambda: overlay.archive(changes),
            "catalogue.zip",
            "application/zip",
            disabled=not changes,
            on_click="ignore",
            help=prose("overlay"),
        )
        st.download_button(
            "Download all assumptions",
            lambda: wording.csv(state.last().plan.assumptions()),
            "assumptions.csv",
            "text/csv",
            on_click="ignore",
        )
