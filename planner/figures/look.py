"""What all figures share: colours, patterns, dashes, the template, axes and marks.

Fonts and backgrounds stand in a template, which a surface with a theme of its own (Streamlit, light or dark)
replaces. No line, area or mark is told apart by its colour alone: patterns, dashes and shapes repeat it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from html import escape
from math import isfinite
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from plotly.graph_objects import Figure, Scatter
from plotly.subplots import make_subplots

if TYPE_CHECKING:
    import pandas as pd

DEFERRED_ABOVE = 0.1
"""A published day is marked when it would be deferred with more than this probability."""

# Okabe and Ito's colours without their yellow and black, which vanish on white and on black; then four more.
PALETTE = (
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9",
    "#d55e00", "#a39a00", "#888888", "#8c7ae6", "#b0485f",
)  # fmt: skip
PATTERNS = ("", "/", ".", "\\", "x", "-", "|", "+")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")

ALARM = "#d55e00"
NEUTRAL = "#808080"  # reads on white and on black
FAINT = "rgba(128, 128, 128, 0.25)"
DAY, TICK = "%a %-d %b %Y", "%a<br>%-d %b"

AXIS = {"gridcolor": FAINT, "zerolinecolor": FAINT, "linecolor": FAINT, "automargin": True}
TEMPLATE = {
    "layout": {
        "colorway": PALETTE,
        "font": {"color": NEUTRAL},
        "paper_bgcolor": "rgba(0, 0, 0, 0)",
        "plot_bgcolor": "rgba(0, 0, 0, 0)",
        "hoverlabel": {"namelength": -1},
        "separators": ".,",
        "xaxis": AXIS,
        "yaxis": AXIS,
    }
}


def figure(y: str, x: str = "Day", *, height: int = 380, hovermode: str = "x unified") -> Figure:
    """Make an empty figure of days."""
    made = Figure(layout={"template": TEMPLATE, "height": height, "hovermode": hovermode})
    made.update_layout(
        margin={"l": 8, "r": 8, "t": 24, "b": 8},
        legend={"orientation": "h", "traceorder": "normal", "yref": "container", "yanchor": "bottom", "y": 0},
    )
    made.update_xaxes(title={"text": x, "standoff": 12}, tickformat=TICK, hoverformat=DAY)
    made.update_yaxes(title={"text": y}, tickformat=",", rangemode="tozero")
    return made


def multiples(names: list[str], y: str, tickformat: str = ",") -> Figure:
    """Make one row of axes per name over a common time axis."""
    n = max(len(names), 1)
    figure = make_subplots(rows=n, cols=1, shared_xaxes=True, subplot_titles=names or None, vertical_spacing=0.25 / n)
    figure.update_layout(
        template=TEMPLATE,
        height=100 + 150 * n,
        hovermode="x unified",
        margin={"l": 8, "r": 8, "t": 32, "b": 8},
    )
    figure.update_xaxes(tickformat=TICK, hoverformat=DAY)
    figure.update_xaxes(title={"text": "Day"}, row=n, col=1)
    figure.update_yaxes(tickformat=tickformat, rangemode="tozero", nticks=4)
    figure.update_yaxes(title={"text": y}, row=(n + 1) // 2, col=1)  # once, at the middle
    return figure


def groups(frame: pd.DataFrame, column: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """Give the frame's parts in the order in which they first appear."""
    for name in dict.fromkeys(frame[column]):
        yield text(name), frame[frame[column] == name]


def edge(x: list[Any], y: list[Any], fill: str | None, name: str | None, line: dict[str, Any] | None = None) -> Scatter:
    """Draw an edge of a band: the first without fill, the second filled back to it."""
    return Scatter(
        x=x,
        y=y,
        mode="lines",
        line=line or {"color": NEUTRAL, "width": 1},
        fill=fill,
        fillcolor=FAINT if fill else None,
        name=name,
        showlegend=name is not None,
        hoverinfo="skip",
    )


def banded(rows: pd.DataFrame, value: str, *, name: str, band: str | None, digits: str) -> list[Scatter]:
    """Draw a dotted line of a column by date, over a band from ``q10`` to ``q90``; `digits` as d3 writes them."""
    days = list(rows["date"])
    line = Scatter(
        x=days,
        y=list(rows[value]),
        customdata=list(zip(rows["q10"], rows["q90"], strict=True)),
        name=name,
        mode="lines",
        line={"color": NEUTRAL, "width": 2, "dash": "dot"},
        hovertemplate=f"%{{y:{digits}}}, 8 times in 10 %{{customdata[0]:,.2~r}} to %{{customdata[1]:,.2~r}}",
    )
    return [edge(days, list(rows["q90"]), None, None), edge(days, list(rows["q10"]), "tonexty", band), line]


def add_other(
    figure: Figure,
    other: pd.DataFrame,
    name: str,
    row: int | None = None,
    colour: str = ALARM,
    dash: str = "dash",
) -> None:
    """Add a rival's line, marked where it would be deferred."""
    place = {} if row is None else {"row": row, "col": 1}
    likely = other[other["p_deferred"] > DEFERRED_ABOVE]
    line = {"color": colour, "width": 2.5, "dash": dash}
    chance = [100 * p for p in other["p_deferred"]]
    figure.add_trace(
        Scatter(
            x=list(other["date"]),
            y=list(other["volume"]),
            customdata=chance,
            name=name,
            mode="lines",
            line=line,
            hovertemplate="%{y:,.0f}, deferred %{customdata:.0f} times in 100",
        ),
        **place,
    )
    marks = Scatter(
        x=list(likely["date"]),
        y=list(likely["volume"]),
        name=f"Deferred more than {100 * DEFERRED_ABOVE:.0f} times in 100",
        mode="markers",
        marker={"symbol": "x", "size": 8, "color": ALARM},
        hoverinfo="skip",
    )
    figure.add_trace(marks, **place)


def add_deadline(figure: Figure, deadline: date) -> None:
    """Mark the day by which the target is wanted."""
    day = deadline.isoformat()
    line = {"color": NEUTRAL, "dash": "dashdot", "width": 1.5}
    figure.add_shape(type="line", yref="paper", y0=0, y1=1, x0=day, x1=day, line=line)
    figure.add_annotation(yref="paper", y=1, x=day, text="Deadline", showarrow=False, xanchor="right", yanchor="bottom")


def lines(texts: Any) -> list[str]:
    """Break long names of bars into lines, or they would leave no room for the bars."""
    return ["<br>".join(map(text, wrap(str(each), 44))) for each in texts]


def told(figure: Figure, frame: pd.DataFrame) -> Figure:
    """Say so where there is nothing to draw."""
    if frame.empty:
        figure.add_annotation(text="Nothing to show", showarrow=False, xref="paper", yref="paper", x=0.5, y=0.5)
    return figure


def text(name: object) -> str:
    """Keep Plotly from taking a name for markup."""
    return escape(str(name), quote=False)


def finite(day: float) -> float | None:
    """Leave out what never happens."""
    return float(day) if isfinite(day) else None


def see_through(colour: str, alpha: float) -> str:
    """Return a colour as one that lets what lies behind shine through."""
    red, green, blue = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {alpha})"
