"""Days that happened beside those that were planned."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

from plotly.graph_objects import Figure, Scatter

from planner.figures import look

if TYPE_CHECKING:
    import pandas as pd


def planned_and_observed(frame: pd.DataFrame, today: date | None = None) -> Figure:
    """Draw what was planned by provider and day, how much of it was forecast to be sent, and what was observed.

    Parameters
    ----------
    frame : frame with columns provider, date, volume, q10, q50, q90, sent, delivered (messages a day)
        As `Season.planned_days` gives it; what is not known is NaN.
    today : date, optional
        Marked with a line: what lies before it was observed.

    Returns
    -------
    Figure
    """
    groups = list(look.groups(frame, "provider"))
    figure = look.multiples([name for name, _ in groups], "Messages a day")
    for number, (_, rows) in enumerate(groups):
        for trace in _planned_and_observed(rows, number == 0):
            figure.add_trace(trace, row=number + 1, col=1)
    figure.update_layout(legend={"orientation": "h", "yref": "container", "yanchor": "bottom", "y": 0})
    figure.update_layout(height=160 + 150 * max(len(groups), 1), margin={"b": 8})
    if today is not None:
        start = datetime.combine(today, time()) - timedelta(hours=12)  # a day's point stands at its midnight
        for row in range(len(groups)):
            line = {"color": look.NEUTRAL, "width": 1.5, "dash": "dashdot"}
            figure.add_vline(x=start, line=line, row=row + 1, col=1)
        if groups:
            figure.add_annotation(
                x=start, yref="y domain", y=0, text="Today", showarrow=False, xanchor="left", yanchor="bottom", xshift=4
            )
    return look.told(figure, frame)


def _planned_and_observed(rows: pd.DataFrame, named: bool) -> list[Scatter]:
    days, colour = list(rows["date"]), look.PALETTE[0]
    band = "Forecast, 8 times in 10" if named else None
    traces = look.banded(rows, "volume", name="Planned", band=band, digits=",.0f")
    for column, name, symbol, shade in (
        ("sent", "Sent", "circle-open", colour),
        ("delivered", "Delivered", "x-thin", look.ALARM),
    ):
        traces.append(
            Scatter(
                x=days,
                y=[look.finite(count) for count in rows[column]],
                name=name,
                mode="markers",
                marker={
                    "symbol": symbol,
                    "size": 9 if column == "sent" else 6,
                    "color": shade,
                    "line": {"width": 2, "color": shade},
                },
                hovertemplate="%{y:,.0f}",
            )
        )
    traces[1].update(fillcolor=look.see_through(colour, 0.2))
    for trace in traces[2:]:
        trace.update(legendgroup=trace.name, showlegend=named)
    return traces
