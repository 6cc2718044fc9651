"""Refusals: which causes make up most of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plotly.graph_objects import Bar, Figure, Scatter

from planner.figures import look

if TYPE_CHECKING:
    import pandas as pd


def pareto(frame: pd.DataFrame) -> Figure:
    """Draw how often each cause was met by which provider, the most frequent on top, and how much they add up to.

    Parameters
    ----------
    frame : frame with columns provider, title (of the cause), count (replies)

    Returns
    -------
    Figure
    """
    sums = frame.groupby("title", sort=False)["count"].sum().sort_values(ascending=False, kind="stable")
    names, total = dict(zip(sums.index, look.lines(sums.index), strict=True)), max(1, int(sums.sum()))
    figure = look.figure("", "Replies", height=170 + 44 * max(len(names), 1), hovermode="y unified")
    for number, (name, rows) in enumerate(look.groups(frame, "provider")):
        figure.add_trace(
            Bar(
                x=list(rows["count"]),
                y=[names[title] for title in rows["title"]],
                orientation="h",
                name=name,
                marker={
                    "color": look.PALETTE[number % len(look.PALETTE)],
                    "pattern": {"shape": look.PATTERNS[number % len(look.PATTERNS)]},
                },
                hovertemplate="%{x:,.0f}",
            )
        )
    figure.add_trace(
        Scatter(
            x=list(100.0 * sums.cumsum() / total),
            y=list(names.values()),
            xaxis="x2",
            name="Together, from the top (in 100)",
            mode="lines+markers",
            line={"color": look.NEUTRAL, "dash": "dot"},
            marker={"symbol": "diamond", "size": 8},
            hovertemplate="%{x:.0f} in 100",
        )
    )
    figure.update_layout(
        barmode="stack",
        margin={"t": 48},
        xaxis={"range": [0, 1.05 * total], "tickformat": ",d", "hoverformat": "", "dtick": 1 if total < 10 else None},
        xaxis2={  # its 100 stands above the sum of all bars
            **look.AXIS,
            "overlaying": "x",
            "side": "top",
            "range": [0, 105],
            "showgrid": False,
            "tickvals": [0, 25, 50, 75, 100],
        },
    )
    figure.update_yaxes(
        title=None, tickformat="", type="category", categoryorder="array", categoryarray=list(names.values())[::-1]
    )
    return look.told(figure, frame)
