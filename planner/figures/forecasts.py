"""A forecast: bands of any count, deferrals by cause, delays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plotly.graph_objects import Bar, Figure, Scatter

from planner.figures import look

if TYPE_CHECKING:
    import pandas as pd

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
_SHARES = {"trouble_share", "p_421", "wrong_days"}


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
    groups = list(look.groups(frame, "provider"))
    label = _UNITS.get(what, f"{what.replace('_', ' ').capitalize()} (messages a day)")
    figure = look.multiples([name for name, _ in groups], label, tickformat=".0%" if what in _SHARES else ",")
    for number, (name, rows) in enumerate(groups):
        for trace in _band_of(rows, name, number, ".0%" if what in _SHARES else ",.3~r"):
            figure.add_trace(trace, row=number + 1, col=1)
    figure.update_layout(showlegend=False)
    return look.told(figure, frame)


def deferrals_by_cause(frame: pd.DataFrame) -> Figure:
    """Draw deferred attempts a day, stacked by cause, summed over the providers.

    Parameters
    ----------
    frame : frame with columns provider, date, cause, mean (attempts)

    Returns
    -------
    Figure
    """
    figure = look.figure("Deferred attempts a day", height=400)
    for number, (cause, rows) in enumerate(look.groups(frame, "cause")):
        sums = rows.groupby("date", sort=True)["mean"].sum()
        figure.add_trace(
            Bar(
                x=list(sums.index),
                y=list(sums),
                name=cause,
                marker={
                    "color": look.PALETTE[number % len(look.PALETTE)],
                    "pattern": {"shape": look.PATTERNS[number % len(look.PATTERNS)]},
                },
                hovertemplate="%{y:,.0f}",
            )
        )
    figure.update_layout(barmode="stack")
    return look.told(figure, frame)


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
    figure = look.figure(
        "", "Delay of mail that was deferred at first", height=150 + 30 * len(rows), hovermode="closest"
    )
    for row in rows.itertuples():
        figure.add_trace(
            look.edge(
                [row.q10, row.q90],
                [look.text(row.provider)] * 2,
                None,
                None,
                line={"color": look.NEUTRAL, "width": 8},
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
    return look.told(figure, rows)


def _band_of(rows: pd.DataFrame, name: str, number: int, form: str) -> list[Scatter]:
    days, colour = list(rows["date"]), look.PALETTE[number % len(look.PALETTE)]
    middle = Scatter(
        x=days,
        y=list(rows["q50"]),
        customdata=list(zip(rows["q10"], rows["q90"], strict=True)),
        name=name,
        mode="lines",
        line={"color": colour, "dash": look.DASHES[number % len(look.DASHES)]},
        hovertemplate=f"%{{y:{form}}}, 8 times in 10 %{{customdata[0]:{form}}} to %{{customdata[1]:{form}}}",
    )
    return [
        look.edge(days, list(rows["q90"]), None, None),
        look.edge(days, list(rows["q10"]), "tonexty", None),
        middle,
    ]


def _ticks(rows: pd.DataFrame, column: str, name: str, symbol: str) -> Scatter:
    return Scatter(
        x=list(rows[column]),
        y=[look.text(name) for name in rows["provider"]],
        customdata=[seconds / 3600 for seconds in rows[column]],
        name=name,
        mode="markers",
        marker={"symbol": symbol, "size": 10, "line": {"width": 2}},
        hovertemplate="%{y}: %{customdata:.2~r} hours",
    )
