"""What is believed of the providers' parameters, before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plotly.graph_objects import Figure, Scatter
from plotly.subplots import make_subplots

from planner.figures import look

if TYPE_CHECKING:
    import pandas as pd

_DENSITY_COLUMNS = 3


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
        template=look.TEMPLATE,
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
    return look.told(figure, frame)


def _density_title(row: Any) -> str:
    return f"{look.text(row['title'])}<br><span style='font-size:10px'>{look.text(row['unit'])}</span>"


def _density(curve: pd.DataFrame, own: bool, name: str, named: set[str]) -> Scatter:
    first = name not in named
    named.add(name)
    x, y = list(curve["value"]), list(curve["density"])
    if len(x) == 1:  # the value is known: a line up to the peak
        x, y = [x[0], x[0]], [0.0, 1.0]
    colour = look.PALETTE[5] if own else look.PALETTE[0]
    return Scatter(
        x=x,
        y=y,
        mode="lines",
        line={"color": colour, "width": 2, "dash": "dash" if own else "solid"},
        fill=None if own else "tozeroy",
        fillcolor=look.see_through(colour, 0.2),
        name=name,
        legendgroup=name,
        showlegend=first,
        hovertemplate="%{x:,.3~r}",
    )


def _short_number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
