"""A plan: its daily volumes, where it would be deferred, and what more risk buys."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np
from plotly.graph_objects import Figure, Heatmap, Scatter

from planner.figures import look

if TYPE_CHECKING:
    import pandas as pd

_DAYS = ("q10", "q50", "q80", "q90")


def ramp(
    volumes: pd.DataFrame,
    total: pd.DataFrame,
    other: pd.DataFrame | None = None,
    other_name: str = "",
    target: float | None = None,
    deadline: date | None = None,
    today: date | None = None,
) -> Figure:
    """Draw daily volumes as areas stacked by provider, and what is really sent when trouble is reacted to.

    Parameters
    ----------
    volumes : frame with columns provider, date, volume (messages/day)
    total : frame with columns date, mean, q10, q50, q90 (messages/day)
        Sum over the providers that is sent with reaction.
    other : frame with columns date, volume (messages/day), p_deferred (in [0, 1]), optional
        Another schedule, drawn as a line and marked where it is likely to be deferred.
    other_name : str
    target : float, messages/day, optional
    deadline : date, optional
    today : date, optional
        The first planned day: what lies before it happened and is drawn as it was.

    Returns
    -------
    Figure
    """
    figure = look.figure("Messages a day", height=500)
    for number, (name, rows) in enumerate(look.groups(volumes, "provider")):
        figure.add_trace(_area(name, rows, number))
    _add_total(figure, total)
    if other is not None:
        look.add_other(figure, other, look.text(other_name))
    if target is not None:
        _add_level(figure, target, f"Target {target:,.0f}")
    if deadline is not None:
        look.add_deadline(figure, deadline)
    if today is not None:
        _add_past(figure, volumes["date"].min(), today)
    return look.told(figure, volumes)


def deferral_heat_map(frame: pd.DataFrame) -> Figure:
    """Draw the share of first attempts answered 4xx, by provider and day.

    Parameters
    ----------
    frame : frame with columns provider, date, mean, q10, q90 (shares in [0, 1]), cause (text)
        A day without mail has no value (NaN) and stays empty.

    Returns
    -------
    Figure
    """
    mean, low, high = (_grid(frame, column) for column in ("mean", "q10", "q90"))
    causes = frame.pivot(index="provider", columns="date", values="cause").reindex(mean.index).fillna("")
    names = [look.text(name) for name in mean.index]
    figure = look.figure("", height=150 + 30 * max(len(names), 1), hovermode="closest")
    figure.add_trace(
        Heatmap(
            x=list(mean.columns),
            y=names,
            z=mean.to_numpy(),
            customdata=np.stack([low, high], axis=-1),
            text=[[f"<br>mostly {look.text(why)}" if why else "" for why in row] for row in causes.to_numpy()],
            zmin=0,
            zmax=100,
            xgap=1,
            ygap=1,
            hoverongaps=False,
            # from see-through to opaque: the same scale on a white page and on a black one
            colorscale=[
                [0, "rgba(213, 94, 0, 0.04)"],
                [0.1, "rgba(213, 94, 0, 0.4)"],
                [1, "rgba(213, 94, 0, 1)"],
            ],
            colorbar={"title": {"text": "in 100"}, "thickness": 10, "tickvals": [0, 25, 50, 75, 100]},
            hovertemplate=f"%{{y}}, %{{x|{look.DAY}}}<br>%{{z:.0f}} in 100 first attempts deferred"
            "<br>8 times in 10 between %{customdata[0]:.0f} and %{customdata[1]:.0f}%{text}<extra></extra>",
        )
    )
    figure.update_yaxes(autorange="reversed", title=None, tickformat="", showgrid=False)
    figure.update_xaxes(showgrid=False)
    return look.told(figure, frame)


def frontier(frame: pd.DataFrame, provider: str = "all", plan_days: float | None = None) -> Figure:
    """Draw how late the target is reached against the risk that the plan accepts.

    Parameters
    ----------
    frame : frame with columns provider, risk (in [0, 1]), q10, q50, q80, q90 (days, inf for never), chosen
        Days count from the start.
    provider : str
        Whose rows are drawn; ``all`` for the sender as a whole.
    plan_days : float, days, optional
        Median of the plan itself, whose providers may each have a risk of their own.

    Returns
    -------
    Figure
    """
    rows = frame[frame["provider"] == provider].sort_values("risk")
    figure = look.figure("Days until the target is reached", "Accepted risk of a throttled day (in 100, per provider)")
    percent = [100 * risk for risk in rows["risk"]]
    top = 1.15 * max([1.0, *(day for column in _DAYS for day in map(look.finite, rows[column]) if day)])
    figure.add_trace(look.edge(percent, [look.finite(day) or top for day in rows["q90"]], None, None))
    figure.add_trace(look.edge(percent, [look.finite(day) or top for day in rows["q10"]], "tonexty", "8 times in 10"))
    figure.add_trace(_times(percent, rows["q50"], "Median", "solid", "circle"))
    figure.add_trace(_times(percent, rows["q80"], "8 in 10 are there by", "dash", "square"))
    _add_chosen(figure, rows[rows["chosen"].astype(bool)])
    if plan_days is not None and isfinite(plan_days):
        _add_level(figure, plan_days, f"This plan, median: {plan_days:.0f} days")
    _add_never(figure, percent, rows["q90"], top)
    figure.update_xaxes(tickformat="", tickvals=percent, ticktext=[f"{value:.0f}" for value in percent])
    figure.update_yaxes(range=[0, 1.03 * top])
    return look.told(figure, rows)


def _grid(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """Shares in percent: a row per provider, as they first appear, and a column per day."""
    wide = frame.pivot(index="provider", columns="date", values=column)
    return 100.0 * wide.loc[list(dict.fromkeys(frame["provider"]))]


def _area(name: str, rows: pd.DataFrame, number: int) -> Scatter:
    colour = look.PALETTE[number % len(look.PALETTE)]
    pale = look.see_through(colour, 0.45)
    return Scatter(
        x=list(rows["date"]),
        y=list(rows["volume"]),
        name=name,
        stackgroup="plan",
        mode="lines",
        line={"width": 1, "color": colour, "shape": "hvh"},
        fillcolor=pale,
        fillpattern={
            "shape": look.PATTERNS[number % len(look.PATTERNS)],
            "fgcolor": colour,
            "bgcolor": pale,
            "fgopacity": 0.6,
            "size": 8,
            "solidity": 0.2,
        },
        hovertemplate="%{y:,.0f}",
    )


def _add_total(figure: Figure, total: pd.DataFrame) -> None:
    band = "Sent with reaction, 8 times in 10"
    figure.add_traces(look.banded(total, "q50", name="Sent with reaction, median", band=band, digits=",.2~r"))


def _add_level(figure: Figure, value: float, text: str) -> None:
    line = {"color": look.NEUTRAL, "dash": "dash", "width": 1}
    figure.add_shape(type="line", xref="paper", x0=0, x1=1, y0=value, y1=value, line=line)
    figure.add_annotation(xref="paper", x=0, y=value, text=text, showarrow=False, xanchor="left", yanchor="bottom")


def _add_past(figure: Figure, first: date, today: date) -> None:
    """Shade the days that happened; a day's point stands at its midnight."""
    start, end = (datetime.combine(day, time()) - timedelta(hours=12) for day in (first, today))
    figure.add_vrect(x0=start, x1=end, fillcolor=look.FAINT, line_width=0, layer="below")
    figure.add_annotation(yref="paper", y=1, x=end, text="Observed", showarrow=False, xanchor="right", yanchor="bottom")


def _times(percent: list[float], days: Any, name: str, dash: str, symbol: str) -> Scatter:
    return Scatter(
        x=percent,
        y=[look.finite(day) for day in days],
        name=name,
        mode="lines+markers",
        line={"dash": dash, "color": look.PALETTE[0]},
        marker={"symbol": symbol, "size": 7},
        connectgaps=False,
        hovertemplate="%{y:,.0f} days",
    )


def _add_chosen(figure: Figure, chosen: pd.DataFrame) -> None:
    ring = {"symbol": "circle-open", "size": 18, "color": look.ALARM, "line": {"width": 3}}
    x, y = [100 * risk for risk in chosen["risk"]], [look.finite(day) for day in chosen["q50"]]
    if x:
        figure.add_trace(Scatter(x=x, y=y, name="This plan", mode="markers", marker=ring, hoverinfo="skip"))


def _add_never(figure: Figure, percent: list[float], q90: Any, top: float) -> None:
    """Mark where the target is missed one time in ten: there the band has no upper edge."""
    never = [x for x, day in zip(percent, q90, strict=True) if look.finite(day) is None]
    if never:
        mark = {"symbol": "triangle-up-open", "size": 10, "color": look.ALARM, "line": {"width": 2}}
        name = "1 time in 10 beyond the horizon, or never"
        figure.add_trace(
            Scatter(x=never, y=[top] * len(never), name=name, mode="markers", marker=mark, hoverinfo="skip")
        )
