"""Why a plan takes as long as it does: what would relieve it, and which assumptions move its date."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np
from plotly.graph_objects import Bar, Figure

from planner.figures import look

if TYPE_CHECKING:
    import pandas as pd


def reliefs(frame: pd.DataFrame) -> Figure:
    """Draw what each relief is worth in days: bars to the left are earlier.

    Parameters
    ----------
    frame : frame with columns text, days (earlier below 0; inf and -inf where the relief decides whether the target is
        reached at all), effect (text)

    Returns
    -------
    Figure
    """
    figure = look.figure("", "Days earlier (left) or later (right)", height=140 + 34 * len(frame), hovermode="closest")
    reach = _reach(frame["days"])
    figure.add_trace(
        Bar(
            x=[_capped(day, reach) for day in frame["days"]],
            y=look.lines(frame["text"]),
            orientation="h",
            text=[look.text(effect) for effect in frame["effect"]],
            textposition="auto",
            marker={
                "color": [look.PALETTE[2] if day < 0 else look.PALETTE[5] for day in frame["days"]],
                "pattern": {"shape": ["" if isfinite(day) else "/" for day in frame["days"]]},
            },
            hovertemplate="%{y}<br>%{text}<extra></extra>",
        )
    )
    _sideways(figure, reach)
    return look.told(figure, frame)


def tornado(frame: pd.DataFrame) -> Figure:
    """Draw how far each assumption moves the date, the widest on top.

    Parameters
    ----------
    frame : frame with columns provider, title, unit, low, high (10 % and 90 % points), days_low, days_high (days, inf
        and -inf where it decides whether the target is reached), confidence

    Returns
    -------
    Figure
    """
    figure = look.figure("", "Days earlier (left) or later (right)", height=160 + 34 * len(frame), hovermode="closest")
    names = [f"{look.text(row.title)}, {look.text(row.provider)}" for row in frame.itertuples()]
    reach = _reach([*frame["days_low"], *frame["days_high"]])
    for number, (end, name) in enumerate((("low", "At its 10 % point"), ("high", "At its 90 % point"))):
        days = frame[f"days_{end}"]
        figure.add_trace(
            Bar(
                x=[_capped(day, reach) for day in days],
                y=names,
                orientation="h",
                name=name,
                customdata=[
                    [f"{value:,.4g} {look.text(unit)}", look.text(confidence)]
                    for value, unit, confidence in zip(frame[end], frame["unit"], frame["confidence"], strict=True)
                ],
                opacity=0.8,  # both may lie on one side
                marker={"color": look.PALETTE[number], "pattern": {"shape": look.PATTERNS[number]}},
                hovertemplate="%{y}: %{x:+.0f} days at %{customdata[0]} (%{customdata[1]})",
            )
        )
    figure.update_layout(barmode="overlay")
    _sideways(figure, reach)
    return look.told(figure, frame)


def _reach(days: Any) -> float:
    """Return how far bars may reach, days: a little beyond the longest that ends."""
    return 1.25 * max([4.0, *(abs(float(day)) for day in days if isfinite(day))])


def _capped(day: float, reach: float) -> float:
    return float(np.clip(day, -reach, reach))


def _sideways(figure: Figure, reach: float) -> None:
    figure.update_xaxes(range=[-1.05 * reach, 1.05 * reach], tickformat="+,d", zeroline=True, hoverformat="")
    figure.update_yaxes(autorange="reversed", title=None, tickformat="", type="category")
