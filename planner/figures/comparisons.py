"""Schedules side by side: how their volumes rise, and when they reach the target."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from plotly.graph_objects import Figure, Scatter

from planner.figures import look
from planner.vocabulary import day_text

if TYPE_CHECKING:
    import pandas as pd

_BEYOND = {"symbol": "triangle-right", "size": 11, "color": look.ALARM}


def comparison(frame: pd.DataFrame, target: float | None = None, deadline: date | None = None) -> Figure:
    """Draw schedules as small multiples on one time axis and one scale, marked where they would be deferred.

    Parameters
    ----------
    frame : frame with columns name, date, volume (messages/day), p_deferred (in [0, 1])
    target : float, messages/day, optional
    deadline : date, optional

    Returns
    -------
    Figure
    """
    groups = list(look.groups(frame, "name"))
    figure = look.multiples([name for name, _ in groups], "Messages a day")
    for number, (name, rows) in enumerate(groups):
        dash = look.DASHES[number % len(look.DASHES)]
        look.add_other(figure, rows, name, row=number + 1, colour=look.PALETTE[number % len(look.PALETTE)], dash=dash)
        if target is not None:
            text = (
                {"annotation_text": f"Target {target:,.0f}", "annotation_position": "top left"} if number == 0 else {}
            )
            figure.add_hline(
                target, line={"color": look.NEUTRAL, "dash": "dash", "width": 1}, row=number + 1, col=1, **text
            )
    if deadline is not None and groups:
        look.add_deadline(figure, deadline)
    highest = max([1.0, target or 0.0, *frame["volume"]])
    figure.update_yaxes(range=[0, 1.1 * highest])
    figure.update_layout(showlegend=False)
    return look.told(figure, frame)


def date_ranges(frame: pd.DataFrame, end: date, deadline: date | None = None) -> Figure:
    """Draw when each schedule reaches the target: 8 times in 10 within the bar, half the time by the mark.

    Parameters
    ----------
    frame : frame with columns name, reaction (bool), q10, q50, q90 (dates, None for never)
    end : date
        Last day that was simulated; who arrives later or never is drawn up to there, with an arrow.
    deadline : date, optional

    Returns
    -------
    Figure
    """
    names = [look.text(name) for name in dict.fromkeys(frame["name"])]
    height = 190 + 44 * max(len(names), 1)
    figure = look.figure("", "Day the target is reached", height=height, hovermode="closest")
    for reacts, label, symbol, dash in (
        (True, "with reaction", "circle", "solid"),
        (False, "if nobody reacts", "x", "dot"),
    ):
        rows = frame[frame["reaction"].astype(bool) == reacts]
        places = [names.index(look.text(name)) + (-0.15 if reacts else 0.15) for name in rows["name"]]
        if places:
            _add_ranges(figure, rows, places, end, dash, f"8 times in 10, {label}")
            _add_medians(figure, rows, places, end, label, symbol)
    _add_beyond(figure, end)
    if deadline is not None:
        look.add_deadline(figure, deadline)
    figure.update_yaxes(
        title=None, tickformat="", tickvals=list(range(len(names))), ticktext=names, range=[len(names) - 0.4, -0.6]
    )
    return look.told(figure, frame)


def _add_ranges(figure: Figure, rows: pd.DataFrame, places: list[float], end: date, dash: str, name: str) -> None:
    """Draw from the 10 % to the 90 % day, with an arrow at the end of what was simulated where that lies beyond."""
    line = {"color": look.NEUTRAL, "width": 4, "dash": dash}
    for number, (row, place) in enumerate(zip(rows.itertuples(), places, strict=True)):
        low, high = (end if _missing(day) else day for day in (row.q10, row.q90))
        figure.add_trace(look.edge([low, high], [place] * 2, None, name if number == 0 else None, line=line))
    never = [place for day, place in zip(rows["q90"], places, strict=True) if _missing(day)]
    figure.add_trace(
        Scatter(x=[end] * len(never), y=never, mode="markers", marker=_BEYOND, showlegend=False, hoverinfo="skip")
    )


def _add_beyond(figure: Figure, end: date) -> None:
    """Explain the arrow, and leave it room, if one was drawn."""
    if any(trace.marker.symbol == _BEYOND["symbol"] and trace.x for trace in figure.data):
        name = "1 time in 10 later, or never"
        figure.add_trace(Scatter(x=[None], y=[None], mode="markers", marker=_BEYOND, name=name, hoverinfo="skip"))
        figure.update_xaxes(autorangeoptions={"include": (end + timedelta(days=1)).isoformat()})


def _add_medians(figure: Figure, rows: pd.DataFrame, places: list[float], end: date, label: str, symbol: str) -> None:
    said = [
        f"{look.text(row.name)}, {label}<br>median {_said(row.q50)}"
        f"<br>8 times in 10 from {_said(row.q10)} to {_said(row.q90)}"
        for row in rows.itertuples()
    ]
    figure.add_trace(
        Scatter(
            x=[end if _missing(day) else day for day in rows["q50"]],
            y=places,
            customdata=said,
            name=f"Median {label}",
            mode="markers",
            marker={"symbol": symbol, "size": 10, "color": look.PALETTE[0]},
            hovertemplate="%{customdata}<extra></extra>",
        )
    )


def _missing(day: object) -> bool:
    return not isinstance(day, date) or day != day  # pandas' missing date is not itself


def _said(day: Any) -> str:
    return "later or never" if _missing(day) else day_text(day)
