"""Retry policies: what each trades for what, and when each tries again."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Any

import numpy as np
from plotly.graph_objects import Figure, Scatter

from planner.figures import look

if TYPE_CHECKING:
    import pandas as pd


def retry_trade_off(frame: pd.DataFrame) -> Figure:
    """Draw the retry policies of one provider: attempts for nothing against delay, what expires as colour.

    Parameters
    ----------
    frame : frame with columns policy, kind, mean_delay (seconds), wasted (attempts per message), expired (share),
        on_curve
        Kinds: advised, default, yours, mta, advice, searched.

    Returns
    -------
    Figure
    """
    figure = look.figure(
        "Mean delay of mail deferred at first", "Attempts for nothing per delivered message", height=520
    )
    figure.update_layout(hovermode="closest")
    curve = frame[frame["on_curve"]].sort_values("wasted")
    line = {"color": look.NEUTRAL, "dash": "dot", "width": 1.5}
    figure.add_trace(
        Scatter(
            x=list(curve["wasted"]),
            y=_hours(curve["mean_delay"]),
            mode="lines",
            line=line,
            name="None is better in both",
            hoverinfo="skip",
        )
    )
    most = max([0.01, *frame["expired"]])
    named = _with_room(frame)
    for number, (kind, name, symbol) in enumerate(_POLICY_KINDS):
        rows = frame[frame["kind"] == kind]
        if not rows.empty:
            figure.add_trace(_policies(rows, name, symbol, most, named, bar=number == 0))
    chosen = frame[frame["kind"] == "advised"]
    ring = {"symbol": "circle-open", "size": 24, "color": look.ALARM, "line": {"width": 3}}
    x, y = list(chosen["wasted"]), _hours(chosen["mean_delay"])
    figure.add_trace(Scatter(x=x, y=y, mode="markers", marker=ring, showlegend=False, hoverinfo="skip"))
    steps = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20]
    figure.update_xaxes(
        type="log", tickformat="", tickvals=steps, ticktext=[f"{x:g}" for x in steps], rangemode="normal"
    )
    ticks = {hours: text for hours, text in _HOURS.items() if hours <= 1.5 * max([1.0, *_hours(frame["mean_delay"])])}
    figure.update_yaxes(type="log", tickformat="", tickvals=list(ticks), ticktext=list(ticks.values()))
    return look.told(figure, frame)


def retry_timeline(frame: pd.DataFrame, at: str = "") -> Figure:
    """Draw the attempts of one message that is deferred, a row per policy, and who still waits after each.

    Parameters
    ----------
    frame : frame with columns policy, kind, attempt (from 0), age_seconds, clock (text), still_waiting (share or nan)
    at : str
        Time of the first attempt.

    Returns
    -------
    Figure
    """
    groups = list(look.groups(frame, "policy"))
    since = f"Time since the first attempt{f' at {look.text(at)}' if at else ''}"
    figure = look.figure("", since, height=170 + 60 * max(len(groups), 1), hovermode="closest")
    for number, (name, rows) in enumerate(groups):
        later = rows[rows["attempt"] > 0]
        colour = look.PALETTE[number % len(look.PALETTE)]
        waiting = [None if isnan(share) else 100.0 * share for share in later["still_waiting"]]
        figure.add_trace(
            Scatter(
                x=_hours(later["age_seconds"]),
                y=[name] * len(later),
                customdata=list(zip(later["attempt"], later["clock"], waiting, strict=True)),
                name=name,
                mode="lines+markers+text",
                # every other number would lie over its neighbour
                text=_spaced(list(later["age_seconds"]), waiting),
                textposition="top center",
                line={"color": colour, "width": 1, "dash": look.DASHES[number % len(look.DASHES)]},
                marker={"symbol": _SYMBOLS[number % len(_SYMBOLS)], "size": 9, "color": colour},
                hovertemplate="attempt %{customdata[0]} at %{customdata[1]}"
                "<br>then %{customdata[2]:.0f} in 100 still wait",
                showlegend=False,
            )
        )
    last = 1.3 * max([1.0, *_hours(frame["age_seconds"])])
    ticks = {hours: text for hours, text in _HOURS.items() if hours <= last}
    figure.update_xaxes(type="log", tickformat="", tickvals=list(ticks), ticktext=list(ticks.values()))
    figure.update_yaxes(autorange="reversed", title=None, tickformat="", type="category")
    figure.add_annotation(
        text="numbers: how many in 100 still wait after this attempt",
        showarrow=False, xref="paper", yref="paper", x=0, y=1, xanchor="left", yanchor="bottom",
    )  # fmt: skip
    return look.told(figure, frame)


_POLICY_KINDS = (
    ("mta", "Comes with an MTA or service", "square"),
    ("searched", "Tried in the search", "circle"),
    ("advice", "Advice", "x"),
    ("default", "Our default", "diamond"),
    ("yours", "Yours", "triangle-up"),
    ("advised", "Advised", "star"),
)
_SYMBOLS = ("star", "square", "diamond", "triangle-up", "x", "circle")
_HOURS = {
    1 / 60: "1 min", 5 / 60: "5 min", 0.25: "15 min", 0.5: "30 min", 1.0: "1 h", 2.0: "2 h", 4.0: "4 h", 12.0: "12 h",
    24.0: "1 day", 48.0: "2 days", 120.0: "5 days",
}  # fmt: skip
_NAME_WIDE, _NAME_HIGH = 0.14, 0.04
"""Room that a name takes, as a share of the axes."""
_SPACE = 1.6
"""Times are written beside attempts that lie this factor apart."""


def _with_room(frame: pd.DataFrame) -> set[str]:
    """Names that can stand beside their policies without covering one another, the weightiest first."""
    if frame.empty:
        return set()
    x, y = (np.log(np.maximum(frame[column].to_numpy(dtype=float), 1e-9)) for column in ("wasted", "mean_delay"))
    x, y = ((each - each.min()) / max(1e-9, each.max() - each.min()) for each in (x, y))
    weight = {kind: rank for rank, kind in enumerate(("advised", "yours", "default", "advice", "mta"))}
    rows = list(zip(frame["kind"], frame["on_curve"], frame["policy"], x, y, strict=True))
    shown: list[tuple[str, float, float]] = []
    candidates = sorted((row for row in rows if row[0] in weight), key=lambda row: (weight[row[0]], not row[1]))
    for _, _, name, a, b in candidates:
        if all(abs(a - c) > _NAME_WIDE or abs(b - d) > _NAME_HIGH for _, c, d in shown):
            shown.append((name, a, b))
    return {name for name, _, _ in shown}


def _policies(rows: pd.DataFrame, name: str, symbol: str, most: float, named: set[str], *, bar: bool) -> Scatter:
    """Draw policies of one kind, those that are to be named with their names."""
    names = [look.text(policy) for policy in rows["policy"]]
    colours = {
        "color": [100.0 * share for share in rows["expired"]],
        "cmin": 0.0,
        "cmax": 100.0 * most,
        "colorscale": [[0, look.PALETTE[0]], [1, look.ALARM]],
        "showscale": bar,
        "colorbar": {"title": {"text": "expired,<br>in 100"}, "thickness": 10},
    }
    size = 14 if symbol == "star" else 9 if symbol != "circle" else 6
    return Scatter(
        x=list(rows["wasted"]),
        y=_hours(rows["mean_delay"]),
        customdata=list(zip(names, 100.0 * rows["expired"], strict=True)),
        text=[look.text(policy) if policy in named else "" for policy in rows["policy"]],
        textposition="top center",
        textfont={"size": 10},
        name=name,
        mode="markers+text",
        marker={"symbol": symbol, "size": size, **colours},
        hovertemplate="%{customdata[0]}<br>%{y:.2~r} hours late on average"
        "<br>%{x:.2~r} attempts for nothing per message<br>%{customdata[1]:.2~r} in 100 expire<extra></extra>",
    )


def _hours(seconds: Any) -> list[float]:
    return [float(each) / 3600.0 for each in seconds]


def _spaced(ages: list[float], waiting: list[float | None]) -> list[str]:
    """Write a share beside an attempt where there is room for it on a logarithmic axis."""
    texts, last = [], 0.0
    for age, share in zip(ages, waiting, strict=True):
        free = age >= _SPACE * last
        last = age if free else last
        texts.append("" if share is None or not free else f"{share:.0f}" if share >= 1.0 or share == 0.0 else "<1")
    return texts
