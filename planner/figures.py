"""Tidy frames in, Plotly figures out; knows none of our classes.

Fonts and backgrounds stand in a template, which a surface with a theme of its own (Streamlit, light or dark)
replaces. No line, area or mark is told apart by its colour alone: patterns, dashes and shapes repeat it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from html import escape
from math import isfinite, isnan
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np
from plotly.graph_objects import Bar, Figure, Heatmap, Scatter
from plotly.subplots import make_subplots

from planner.vocabulary import day_text

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "DEFERRED_ABOVE",
    "Figure",
    "bands",
    "comparison",
    "date_ranges",
    "deferral_heat_map",
    "deferrals_by_cause",
    "delays",
    "densities",
    "frontier",
    "pareto",
    "planned_and_observed",
    "ramp",
    "reliefs",
    "retry_timeline",
    "retry_trade_off",
    "tornado",
]

DEFERRED_ABOVE = 0.1
"""A published day is marked when it would be deferred with more than this probability."""

# Okabe and Ito's colours without their yellow and black, which vanish on white and on black; then four more.
PALETTE = (
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9",
    "#d55e00", "#a39a00", "#888888", "#8c7ae6", "#b0485f",
)  # fmt: skip
PATTERNS = ("", "/", ".", "\\", "x", "-", "|", "+")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")

_ALARM = "#d55e00"
_NEUTRAL = "#808080"  # reads on white and on black
_FAINT = "rgba(128, 128, 128, 0.25)"
_DAY, _TICK = "%a %-d %b %Y", "%a<br>%-d %b"

_BEYOND = {"symbol": "triangle-right", "size": 11, "color": _ALARM}

_AXIS = {"gridcolor": _FAINT, "zerolinecolor": _FAINT, "linecolor": _FAINT, "automargin": True}
_TEMPLATE = {
    "layout": {
        "colorway": PALETTE,
        "font": {"color": _NEUTRAL},
        "paper_bgcolor": "rgba(0, 0, 0, 0)",
        "plot_bgcolor": "rgba(0, 0, 0, 0)",
        "hoverlabel": {"namelength": -1},
        "separators": ".,",
        "xaxis": _AXIS,
        "yaxis": _AXIS,
    }
}

_UNITS = {
    "attempts": "Attempts a day",
    "allowance": "Allowance (messages a day)",
    "established": "Established volume (messages a day)",
    "reputation": "Reputation (0 to 1)",
    "delay_seconds": "Delay (seconds, summed over messages)",
    "rested_seconds": "Rest before the first attempt (seconds, summed over messages)",
    "trouble_share": "Trouble share of the day",
    "p_421": "First attempts deferred (share)",
    "wrong_days": "Chance of a wrong day",
}
_DENSITY_COLUMNS = 3
_DAYS = ("q10", "q50", "q80", "q90")
_SHARES = {"trouble_share", "p_421", "wrong_days"}


# --- the plan


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
    figure = _figure("Messages a day", height=500)
    for number, (name, rows) in enumerate(_groups(volumes, "provider")):
        figure.add_trace(_area(name, rows, number))
    _add_total(figure, total)
    if other is not None:
        _add_other(figure, other, _text(other_name))
    if target is not None:
        _add_level(figure, target, f"Target {target:,.0f}")
    if deadline is not None:
        _add_deadline(figure, deadline)
    if today is not None:
        _add_past(figure, volumes["date"].min(), today)
    return _told(figure, volumes)


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
    names = [_text(name) for name in mean.index]
    figure = _figure("", height=150 + 30 * max(len(names), 1), hovermode="closest")
    figure.add_trace(
        Heatmap(
            x=list(mean.columns),
            y=names,
            z=mean.to_numpy(),
            customdata=np.stack([low, high], axis=-1),
            text=[[f"<br>mostly {_text(why)}" if why else "" for why in row] for row in causes.to_numpy()],
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
            hovertemplate=f"%{{y}}, %{{x|{_DAY}}}<br>%{{z:.0f}} in 100 first attempts deferred"
            "<br>8 times in 10 between %{customdata[0]:.0f} and %{customdata[1]:.0f}%{text}<extra></extra>",
        )
    )
    figure.update_yaxes(autorange="reversed", title=None, tickformat="", showgrid=False)
    figure.update_xaxes(showgrid=False)
    return _told(figure, frame)


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
    figure = _figure("Days until the target is reached", "Accepted risk of a throttled day (in 100, per provider)")
    percent = [100 * risk for risk in rows["risk"]]
    top = 1.15 * max([1.0, *(day for column in _DAYS for day in map(_finite, rows[column]) if day)])
    figure.add_trace(_edge(percent, [_finite(day) or top for day in rows["q90"]], None, None))
    figure.add_trace(_edge(percent, [_finite(day) or top for day in rows["q10"]], "tonexty", "8 times in 10"))
    figure.add_trace(_times(percent, rows["q50"], "Median", "solid", "circle"))
    figure.add_trace(_times(percent, rows["q80"], "8 in 10 are there by", "dash", "square"))
    _add_chosen(figure, rows[rows["chosen"].astype(bool)])
    if plan_days is not None and isfinite(plan_days):
        _add_level(figure, plan_days, f"This plan, median: {plan_days:.0f} days")
    _add_never(figure, percent, rows["q90"], top)
    figure.update_xaxes(tickformat="", tickvals=percent, ticktext=[f"{value:.0f}" for value in percent])
    figure.update_yaxes(range=[0, 1.03 * top])
    return _told(figure, rows)


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
    groups = list(_groups(frame, "name"))
    figure = _multiples([name for name, _ in groups], "Messages a day")
    for number, (name, rows) in enumerate(groups):
        dash = DASHES[number % len(DASHES)]
        _add_other(figure, rows, name, row=number + 1, colour=PALETTE[number % len(PALETTE)], dash=dash)
        if target is not None:
            text = (
                {"annotation_text": f"Target {target:,.0f}", "annotation_position": "top left"} if number == 0 else {}
            )
            figure.add_hline(
                target, line={"color": _NEUTRAL, "dash": "dash", "width": 1}, row=number + 1, col=1, **text
            )
    if deadline is not None and groups:
        _add_deadline(figure, deadline)
    highest = max([1.0, target or 0.0, *frame["volume"]])
    figure.update_yaxes(range=[0, 1.1 * highest])
    figure.update_layout(showlegend=False)
    return _told(figure, frame)


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
    names = [_text(name) for name in dict.fromkeys(frame["name"])]
    height = 190 + 44 * max(len(names), 1)
    figure = _figure("", "Day the target is reached", height=height, hovermode="closest")
    for reacts, label, symbol, dash in (
        (True, "with reaction", "circle", "solid"),
        (False, "if nobody reacts", "x", "dot"),
    ):
        rows = frame[frame["reaction"].astype(bool) == reacts]
        places = [names.index(_text(name)) + (-0.15 if reacts else 0.15) for name in rows["name"]]
        if places:
            _add_ranges(figure, rows, places, end, dash, f"8 times in 10, {label}")
            _add_medians(figure, rows, places, end, label, symbol)
    _add_beyond(figure, end)
    if deadline is not None:
        _add_deadline(figure, deadline)
    figure.update_yaxes(
        title=None, tickformat="", tickvals=list(range(len(names))), ticktext=names, range=[len(names) - 0.4, -0.6]
    )
    return _told(figure, frame)


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
    figure = _figure("", "Days earlier (left) or later (right)", height=140 + 34 * len(frame), hovermode="closest")
    reach = _reach(frame["days"])
    figure.add_trace(
        Bar(
            x=[_capped(day, reach) for day in frame["days"]],
            y=_lines(frame["text"]),
            orientation="h",
            text=[_text(effect) for effect in frame["effect"]],
            textposition="auto",
            marker={
                "color": [PALETTE[2] if day < 0 else PALETTE[5] for day in frame["days"]],
                "pattern": {"shape": ["" if isfinite(day) else "/" for day in frame["days"]]},
            },
            hovertemplate="%{y}<br>%{text}<extra></extra>",
        )
    )
    _sideways(figure, reach)
    return _told(figure, frame)


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
    figure = _figure("", "Days earlier (left) or later (right)", height=160 + 34 * len(frame), hovermode="closest")
    names = [f"{_text(row.title)}, {_text(row.provider)}" for row in frame.itertuples()]
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
                    [f"{value:,.4g} {_text(unit)}", _text(confidence)]
                    for value, unit, confidence in zip(frame[end], frame["unit"], frame["confidence"], strict=True)
                ],
                opacity=0.8,  # both may lie on one side
                marker={"color": PALETTE[number], "pattern": {"shape": PATTERNS[number]}},
                hovertemplate="%{y}: %{x:+.0f} days at %{customdata[0]} (%{customdata[1]})",
            )
        )
    figure.update_layout(barmode="overlay")
    _sideways(figure, reach)
    return _told(figure, frame)


def densities(frame: pd.DataFrame, names: tuple[str, str] = ("Catalogue", "Yours")) -> Figure:
    """Draw what is believed of parameters as small curves, each on a scale of its own; somebody's own are dashed.

    Parameters
    ----------
    frame : frame with columns parameter, title, own (bool), shape, unit, low, typical, high, value, density (peak 1)
        The curve of a ``lognormal`` is drawn over the logarithm of its values.
    names : tuple of str
        What the curves that are not own, and those that are, are called.

    Returns
    -------
    Figure
    """
    parameters = list(dict.fromkeys(frame["parameter"]))
    n_rows = max(1, -(-len(parameters) // _DENSITY_COLUMNS))
    titles = [_density_title(frame[frame["parameter"] == name].iloc[0]) for name in parameters]
    figure = make_subplots(
        rows=n_rows, cols=_DENSITY_COLUMNS, subplot_titles=titles or None, vertical_spacing=0.55 / n_rows
    )
    figure.update_layout(
        template=_TEMPLATE,
        height=70 + 150 * n_rows,
        margin={"l": 8, "r": 8, "t": 48, "b": 8},
        legend={"orientation": "h", "yref": "container", "yanchor": "bottom", "y": 0},
    )
    named: set[str] = set()
    for place, parameter in enumerate(parameters):
        where = {"row": place // _DENSITY_COLUMNS + 1, "col": place % _DENSITY_COLUMNS + 1}
        rows = frame[frame["parameter"] == parameter]
        for own, curve in rows.groupby("own", sort=True):
            figure.add_trace(_density(curve, bool(own), names[bool(own)], named), **where)
        last = rows.iloc[-1]
        marks = sorted({float(last["low"]), float(last["typical"]), float(last["high"])})
        figure.update_xaxes(
            type="log" if last["shape"] == "lognormal" else "linear",
            tickvals=marks,
            ticktext=[_short_number(mark) for mark in marks],
            tickformat="",
            **where,
        )
    figure.update_yaxes(visible=False, range=[0, 1.1])
    figure.update_annotations(font={"size": 12})
    return _told(figure, frame)


def _density_title(row: Any) -> str:
    return f"{_text(row['title'])}<br><span style='font-size:10px'>{_text(row['unit'])}</span>"


def _density(curve: pd.DataFrame, own: bool, name: str, named: set[str]) -> Scatter:
    first = name not in named
    named.add(name)
    x, y = list(curve["value"]), list(curve["density"])
    if len(x) == 1:  # the value is known: a line up to the peak
        x, y = [x[0], x[0]], [0.0, 1.0]
    colour = PALETTE[5] if own else PALETTE[0]
    return Scatter(
        x=x,
        y=y,
        mode="lines",
        line={"color": colour, "width": 2, "dash": "dash" if own else "solid"},
        fill=None if own else "tozeroy",
        fillcolor=_see_through(colour, 0.2),
        name=name,
        legendgroup=name,
        showlegend=first,
        hovertemplate="%{x:,.3~r}",
    )


def _short_number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


# --- a forecast


def bands(frame: pd.DataFrame, what: str) -> Figure:
    """Draw one aspect of a forecast by provider and day: median and 10–90 % band.

    Parameters
    ----------
    frame : frame with columns provider, date, mean, q10, q50, q90
    what : str
        The aspect, such as ``delivered``; names the axis and its unit.

    Returns
    -------
    Figure
    """
    groups = list(_groups(frame, "provider"))
    label = _UNITS.get(what, f"{what.replace('_', ' ').capitalize()} (messages a day)")
    figure = _multiples([name for name, _ in groups], label, tickformat=".0%" if what in _SHARES else ",")
    for number, (name, rows) in enumerate(groups):
        for trace in _band_of(rows, name, number, ".0%" if what in _SHARES else ",.3~r"):
            figure.add_trace(trace, row=number + 1, col=1)
    figure.update_layout(showlegend=False)
    return _told(figure, frame)


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
    groups = list(_groups(frame, "provider"))
    figure = _multiples([name for name, _ in groups], "Messages a day")
    for number, (_, rows) in enumerate(groups):
        for trace in _planned_and_observed(rows, number == 0):
            figure.add_trace(trace, row=number + 1, col=1)
    figure.update_layout(legend={"orientation": "h", "yref": "container", "yanchor": "bottom", "y": 0})
    figure.update_layout(height=160 + 150 * max(len(groups), 1), margin={"b": 8})
    if today is not None:
        start = datetime.combine(today, time()) - timedelta(hours=12)  # a day's point stands at its midnight
        for row in range(len(groups)):
            line = {"color": _NEUTRAL, "width": 1.5, "dash": "dashdot"}
            figure.add_vline(x=start, line=line, row=row + 1, col=1)
        if groups:
            figure.add_annotation(
                x=start, yref="y domain", y=0, text="Today", showarrow=False, xanchor="left", yanchor="bottom", xshift=4
            )
    return _told(figure, frame)


def deferrals_by_cause(frame: pd.DataFrame) -> Figure:
    """Draw deferred attempts a day, stacked by cause, summed over the providers.

    Parameters
    ----------
    frame : frame with columns provider, date, cause, mean (attempts)

    Returns
    -------
    Figure
    """
    figure = _figure("Deferred attempts a day", height=400)
    for number, (cause, rows) in enumerate(_groups(frame, "cause")):
        sums = rows.groupby("date", sort=True)["mean"].sum()
        figure.add_trace(
            Bar(
                x=list(sums.index),
                y=list(sums),
                name=cause,
                marker={
                    "color": PALETTE[number % len(PALETTE)],
                    "pattern": {"shape": PATTERNS[number % len(PATTERNS)]},
                },
                hovertemplate="%{y:,.0f}",
            )
        )
    figure.update_layout(barmode="stack")
    return _told(figure, frame)


def delays(frame: pd.DataFrame) -> Figure:
    """Draw how long mail is late that was deferred at first, by provider.

    Parameters
    ----------
    frame : frame with columns provider, messages, mean, q10, q50, q90, q95 (seconds)

    Returns
    -------
    Figure
    """
    rows = frame[frame["messages"] > 0]
    figure = _figure("", "Delay of mail that was deferred at first", height=150 + 30 * len(rows), hovermode="closest")
    for row in rows.itertuples():
        figure.add_trace(
            _edge(
                [row.q10, row.q90],
                [_text(row.provider)] * 2,
                None,
                None,
                line={"color": _NEUTRAL, "width": 8},
            )
        )
    for column, name, symbol in (
        ("q50", "Median", "circle"),
        ("mean", "Mean", "line-ns-open"),
        ("q95", "95 in 100 are through by", "diamond"),
    ):
        figure.add_trace(_ticks(rows, column, name, symbol))
    ticks = {
        60: "1 min",
        600: "10 min",
        3600: "1 h",
        14_400: "4 h",
        43_200: "12 h",
        86_400: "1 day",
        259_200: "3 days",
    }
    figure.update_xaxes(type="log", tickformat="", tickvals=list(ticks), ticktext=list(ticks.values()))
    figure.update_yaxes(autorange="reversed", title=None, tickformat="", type="category")
    return _told(figure, rows)


# --- retries


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
    figure = _figure("Mean delay of mail deferred at first", "Attempts for nothing per delivered message", height=520)
    figure.update_layout(hovermode="closest")
    curve = frame[frame["on_curve"]].sort_values("wasted")
    line = {"color": _NEUTRAL, "dash": "dot", "width": 1.5}
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
    ring = {"symbol": "circle-open", "size": 24, "color": _ALARM, "line": {"width": 3}}
    x, y = list(chosen["wasted"]), _hours(chosen["mean_delay"])
    figure.add_trace(Scatter(x=x, y=y, mode="markers", marker=ring, showlegend=False, hoverinfo="skip"))
    steps = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20]
    figure.update_xaxes(
        type="log", tickformat="", tickvals=steps, ticktext=[f"{x:g}" for x in steps], rangemode="normal"
    )
    ticks = {hours: text for hours, text in _HOURS.items() if hours <= 1.5 * max([1.0, *_hours(frame["mean_delay"])])}
    figure.update_yaxes(type="log", tickformat="", tickvals=list(ticks), ticktext=list(ticks.values()))
    return _told(figure, frame)


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
    groups = list(_groups(frame, "policy"))
    since = f"Time since the first attempt{f' at {_text(at)}' if at else ''}"
    figure = _figure("", since, height=170 + 60 * max(len(groups), 1), hovermode="closest")
    for number, (name, rows) in enumerate(groups):
        later = rows[rows["attempt"] > 0]
        colour = PALETTE[number % len(PALETTE)]
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
                line={"color": colour, "width": 1, "dash": DASHES[number % len(DASHES)]},
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
    return _told(figure, frame)


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
    names = [_text(policy) for policy in rows["policy"]]
    colours = {
        "color": [100.0 * share for share in rows["expired"]],
        "cmin": 0.0,
        "cmax": 100.0 * most,
        "colorscale": [[0, PALETTE[0]], [1, _ALARM]],
        "showscale": bar,
        "colorbar": {"title": {"text": "expired,<br>in 100"}, "thickness": 10},
    }
    size = 14 if symbol == "star" else 9 if symbol != "circle" else 6
    return Scatter(
        x=list(rows["wasted"]),
        y=_hours(rows["mean_delay"]),
        customdata=list(zip(names, 100.0 * rows["expired"], strict=True)),
        text=[_text(policy) if policy in named else "" for policy in rows["policy"]],
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


# --- refusals


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
    names, total = dict(zip(sums.index, _lines(sums.index), strict=True)), max(1, int(sums.sum()))
    figure = _figure("", "Replies", height=170 + 44 * max(len(names), 1), hovermode="y unified")
    for number, (name, rows) in enumerate(_groups(frame, "provider")):
        figure.add_trace(
            Bar(
                x=list(rows["count"]),
                y=[names[title] for title in rows["title"]],
                orientation="h",
                name=name,
                marker={
                    "color": PALETTE[number % len(PALETTE)],
                    "pattern": {"shape": PATTERNS[number % len(PATTERNS)]},
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
            line={"color": _NEUTRAL, "dash": "dot"},
            marker={"symbol": "diamond", "size": 8},
            hovertemplate="%{x:.0f} in 100",
        )
    )
    figure.update_layout(
        barmode="stack",
        margin={"t": 48},
        xaxis={"range": [0, 1.05 * total], "tickformat": ",d", "hoverformat": "", "dtick": 1 if total < 10 else None},
        xaxis2={  # its 100 stands above the sum of all bars
            **_AXIS,
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
    return _told(figure, frame)


# --- parts


def _figure(y: str, x: str = "Day", *, height: int = 380, hovermode: str = "x unified") -> Figure:
    figure = Figure(layout={"template": _TEMPLATE, "height": height, "hovermode": hovermode})
    figure.update_layout(
        margin={"l": 8, "r": 8, "t": 24, "b": 8},
        legend={"orientation": "h", "traceorder": "normal", "yref": "container", "yanchor": "bottom", "y": 0},
    )
    figure.update_xaxes(title={"text": x, "standoff": 12}, tickformat=_TICK, hoverformat=_DAY)
    figure.update_yaxes(title={"text": y}, tickformat=",", rangemode="tozero")
    return figure


def _multiples(names: list[str], y: str, tickformat: str = ",") -> Figure:
    """Make one row of axes per name over a common time axis."""
    n = max(len(names), 1)
    figure = make_subplots(rows=n, cols=1, shared_xaxes=True, subplot_titles=names or None, vertical_spacing=0.25 / n)
    figure.update_layout(
        template=_TEMPLATE,
        height=100 + 150 * n,
        hovermode="x unified",
        margin={"l": 8, "r": 8, "t": 32, "b": 8},
    )
    figure.update_xaxes(tickformat=_TICK, hoverformat=_DAY)
    figure.update_xaxes(title={"text": "Day"}, row=n, col=1)
    figure.update_yaxes(tickformat=tickformat, rangemode="tozero", nticks=4)
    figure.update_yaxes(title={"text": y}, row=(n + 1) // 2, col=1)  # once, at the middle
    return figure


def _groups(frame: pd.DataFrame, column: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """Give the frame's parts in the order in which they first appear."""
    for name in dict.fromkeys(frame[column]):
        yield _text(name), frame[frame[column] == name]


def _grid(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """Shares in percent: a row per provider, as they first appear, and a column per day."""
    wide = frame.pivot(index="provider", columns="date", values=column)
    return 100.0 * wide.loc[list(dict.fromkeys(frame["provider"]))]


def _area(name: str, rows: pd.DataFrame, number: int) -> Scatter:
    colour = PALETTE[number % len(PALETTE)]
    pale = _see_through(colour, 0.45)
    return Scatter(
        x=list(rows["date"]),
        y=list(rows["volume"]),
        name=name,
        stackgroup="plan",
        mode="lines",
        line={"width": 1, "color": colour, "shape": "hvh"},
        fillcolor=pale,
        fillpattern={
            "shape": PATTERNS[number % len(PATTERNS)],
            "fgcolor": colour,
            "bgcolor": pale,
            "fgopacity": 0.6,
            "size": 8,
            "solidity": 0.2,
        },
        hovertemplate="%{y:,.0f}",
    )


def _add_total(figure: Figure, total: pd.DataFrame) -> None:
    days = list(total["date"])
    figure.add_trace(_edge(days, list(total["q90"]), None, None))
    figure.add_trace(_edge(days, list(total["q10"]), "tonexty", "Sent with reaction, 8 times in 10"))
    figure.add_trace(
        Scatter(
            x=days,
            y=list(total["q50"]),
            customdata=list(zip(total["q10"], total["q90"], strict=True)),
            name="Sent with reaction, median",
            mode="lines",
            line={"color": _NEUTRAL, "width": 2, "dash": "dot"},
            hovertemplate="%{y:,.2~r}, 8 times in 10 %{customdata[0]:,.2~r} to %{customdata[1]:,.2~r}",
        )
    )


def _edge(
    x: list[Any], y: list[Any], fill: str | None, name: str | None, line: dict[str, Any] | None = None
) -> Scatter:
    """Draw an edge of a band: the first without fill, the second filled back to it."""
    return Scatter(
        x=x,
        y=y,
        mode="lines",
        line=line or {"color": _NEUTRAL, "width": 1},
        fill=fill,
        fillcolor=_FAINT if fill else None,
        name=name,
        showlegend=name is not None,
        hoverinfo="skip",
    )


def _add_ranges(figure: Figure, rows: pd.DataFrame, places: list[float], end: date, dash: str, name: str) -> None:
    """Draw from the 10 % to the 90 % day, with an arrow at the end of what was simulated where that lies beyond."""
    line = {"color": _NEUTRAL, "width": 4, "dash": dash}
    for number, (row, place) in enumerate(zip(rows.itertuples(), places, strict=True)):
        low, high = (end if _missing(day) else day for day in (row.q10, row.q90))
        figure.add_trace(_edge([low, high], [place] * 2, None, name if number == 0 else None, line=line))
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
        f"{_text(row.name)}, {label}<br>median {_said(row.q50)}"
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
            marker={"symbol": symbol, "size": 10, "color": PALETTE[0]},
            hovertemplate="%{customdata}<extra></extra>",
        )
    )


def _missing(day: object) -> bool:
    return not isinstance(day, date) or day != day  # pandas' missing date is not itself


def _said(day: Any) -> str:
    return "later or never" if _missing(day) else day_text(day)


def _add_other(
    figure: Figure,
    other: pd.DataFrame,
    name: str,
    row: int | None = None,
    colour: str = _ALARM,
    dash: str = "dash",
) -> None:
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
        marker={"symbol": "x", "size": 8, "color": _ALARM},
        hoverinfo="skip",
    )
    figure.add_trace(marks, **place)


def _add_level(figure: Figure, value: float, text: str) -> None:
    line = {"color": _NEUTRAL, "dash": "dash", "width": 1}
    figure.add_shape(type="line", xref="paper", x0=0, x1=1, y0=value, y1=value, line=line)
    figure.add_annotation(xref="paper", x=0, y=value, text=text, showarrow=False, xanchor="left", yanchor="bottom")


def _add_deadline(figure: Figure, deadline: date) -> None:
    day = deadline.isoformat()
    line = {"color": _NEUTRAL, "dash": "dashdot", "width": 1.5}
    figure.add_shape(type="line", yref="paper", y0=0, y1=1, x0=day, x1=day, line=line)
    figure.add_annotation(yref="paper", y=1, x=day, text="Deadline", showarrow=False, xanchor="right", yanchor="bottom")


def _add_past(figure: Figure, first: date, today: date) -> None:
    """Shade the days that happened; a day's point stands at its midnight."""
    start, end = (datetime.combine(day, time()) - timedelta(hours=12) for day in (first, today))
    figure.add_vrect(x0=start, x1=end, fillcolor=_FAINT, line_width=0, layer="below")
    figure.add_annotation(yref="paper", y=1, x=end, text="Observed", showarrow=False, xanchor="right", yanchor="bottom")


def _times(percent: list[float], days: Any, name: str, dash: str, symbol: str) -> Scatter:
    return Scatter(
        x=percent,
        y=[_finite(day) for day in days],
        name=name,
        mode="lines+markers",
        line={"dash": dash, "color": PALETTE[0]},
        marker={"symbol": symbol, "size": 7},
        connectgaps=False,
        hovertemplate="%{y:,.0f} days",
    )


def _add_chosen(figure: Figure, chosen: pd.DataFrame) -> None:
    ring = {"symbol": "circle-open", "size": 18, "color": _ALARM, "line": {"width": 3}}
    x, y = [100 * risk for risk in chosen["risk"]], [_finite(day) for day in chosen["q50"]]
    if x:
        figure.add_trace(Scatter(x=x, y=y, name="This plan", mode="markers", marker=ring, hoverinfo="skip"))


def _add_never(figure: Figure, percent: list[float], q90: Any, top: float) -> None:
    """Mark where the target is missed one time in ten: there the band has no upper edge."""
    never = [x for x, day in zip(percent, q90, strict=True) if _finite(day) is None]
    if never:
        mark = {"symbol": "triangle-up-open", "size": 10, "color": _ALARM, "line": {"width": 2}}
        name = "1 time in 10 beyond the horizon, or never"
        figure.add_trace(
            Scatter(x=never, y=[top] * len(never), name=name, mode="markers", marker=mark, hoverinfo="skip")
        )


def _band_of(rows: pd.DataFrame, name: str, number: int, form: str) -> list[Scatter]:
    days, colour = list(rows["date"]), PALETTE[number % len(PALETTE)]
    middle = Scatter(
        x=days,
        y=list(rows["q50"]),
        customdata=list(zip(rows["q10"], rows["q90"], strict=True)),
        name=name,
        mode="lines",
        line={"color": colour, "dash": DASHES[number % len(DASHES)]},
        hovertemplate=f"%{{y:{form}}}, 8 times in 10 %{{customdata[0]:{form}}} to %{{customdata[1]:{form}}}",
    )
    return [
        _edge(days, list(rows["q90"]), None, None),
        _edge(days, list(rows["q10"]), "tonexty", None),
        middle,
    ]


def _planned_and_observed(rows: pd.DataFrame, named: bool) -> list[Scatter]:
    days, colour = list(rows["date"]), PALETTE[0]
    traces = [
        _edge(days, list(rows["q90"]), None, None),
        _edge(days, list(rows["q10"]), "tonexty", "Forecast, 8 times in 10" if named else None),
        Scatter(
            x=days,
            y=list(rows["volume"]),
            customdata=list(zip(rows["q10"], rows["q90"], strict=True)),
            name="Planned",
            mode="lines",
            line={"color": _NEUTRAL, "width": 2, "dash": "dot"},
            hovertemplate="%{y:,.0f}, 8 times in 10 %{customdata[0]:,.2~r} to %{customdata[1]:,.2~r}",
        ),
    ]
    for column, name, symbol, shade in (
        ("sent", "Sent", "circle-open", colour),
        ("delivered", "Delivered", "x-thin", _ALARM),
    ):
        traces.append(
            Scatter(
                x=days,
                y=[_finite(count) for count in rows[column]],
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
    traces[1].update(fillcolor=_see_through(colour, 0.2))
    for trace in traces[2:]:
        trace.update(legendgroup=trace.name, showlegend=named)
    return traces


def _ticks(rows: pd.DataFrame, column: str, name: str, symbol: str) -> Scatter:
    return Scatter(
        x=list(rows[column]),
        y=[_text(name) for name in rows["provider"]],
        customdata=[seconds / 3600 for seconds in rows[column]],
        name=name,
        mode="markers",
        marker={"symbol": symbol, "size": 10, "line": {"width": 2}},
        hovertemplate="%{y}: %{customdata:.2~r} hours",
    )


def _reach(days: Any) -> float:
    """Return how far bars may reach, days: a little beyond the longest that ends."""
    return 1.25 * max([4.0, *(abs(float(day)) for day in days if isfinite(day))])


def _capped(day: float, reach: float) -> float:
    return float(np.clip(day, -reach, reach))


def _sideways(figure: Figure, reach: float) -> None:
    figure.update_xaxes(range=[-1.05 * reach, 1.05 * reach], tickformat="+,d", zeroline=True, hoverformat="")
    figure.update_yaxes(autorange="reversed", title=None, tickformat="", type="category")


def _lines(texts: Any) -> list[str]:
    """Break long names of bars into lines, or they would leave no room for the bars."""
    return ["<br>".join(map(_text, wrap(str(text), 44))) for text in texts]


def _told(figure: Figure, frame: pd.DataFrame) -> Figure:
    """Say so where there is nothing to draw."""
    if frame.empty:
        figure.add_annotation(text="Nothing to show", showarrow=False, xref="paper", yref="paper", x=0.5, y=0.5)
    return figure


def _text(name: object) -> str:
    """Keep Plotly from taking a name for markup."""
    return escape(str(name), quote=False)


def _finite(day: float) -> float | None:
    return float(day) if isfinite(day) else None


def _see_through(colour: str, alpha: float) -> str:
    red, green, blue = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {alpha})"
