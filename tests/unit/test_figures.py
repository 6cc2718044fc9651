"""Figures: what is drawn, with which units, and that nothing hangs on colour alone."""

import json
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from planner import figures

START = date(2027, 1, 11)
DAYS = [START + timedelta(days=d) for d in range(4)]


def by_provider(**columns):
    """Two providers on four days, each column as given for the first and doubled for the second."""
    rows = {name: [*values, *(2 * v for v in values)] for name, values in columns.items()}
    return pd.DataFrame({"provider": ["gmail"] * 4 + ["yahoo"] * 4, "date": DAYS * 2} | rows)


def banded(scale=1.0):
    return by_provider(
        mean=[0.11 * scale] * 4, q10=[0.1 * scale] * 4, q50=[0.2 * scale] * 4, q90=[0.3 * scale] * 4
    ).assign(cause="<limit>")


VOLUMES = by_provider(volume=[100.0, 200.0, 400.0, 800.0])
TOTAL = pd.DataFrame({"date": DAYS, "mean": [290.0] * 4, "q10": [250.0] * 4, "q50": [300.0] * 4, "q90": [310.0] * 4})
OTHER = pd.DataFrame({"date": DAYS, "volume": [50.0, 500.0, 5000.0, 9000.0], "p_deferred": [0.0, 0.1, 0.11, 0.9]})
FRONTIER = pd.DataFrame(
    {
        "provider": ["all", "all", "all", "gmail"],
        "risk": [0.2, 0.1, 0.5, 0.1],
        "q10": [18.0, 20.0, 30.0, 5.0],
        "q50": [25.0, 30.0, 60.0, 6.0],
        "q80": [30.0, 36.0, np.inf, 7.0],
        "q90": [33.0, 40.0, np.inf, 8.0],
        "chosen": [True, False, False, False],
    }
)
DELAYS = pd.DataFrame(
    {"provider": ["gmail", "yahoo"], "messages": [10.0, 20.0], "mean": [900.0, 1800.0]}
    | {name: [60.0, 7200.0] for name in ("q10", "q50", "q90", "q95")}
)
CAUSES = pd.concat([banded(10).assign(cause="limit"), banded(20).assign(cause="greylisting")])
COMPARED = pd.concat([OTHER.assign(name="ours", p_deferred=0.0), OTHER.assign(name="theirs")])


def named(figure, name):
    return next(trace for trace in figure.data if trace.name == name)


def y_title(figure):
    return next(axis.title.text for axis in figure.select_yaxes() if axis.title.text)


RETRIES = pd.DataFrame(
    {
        "policy": ["Advised", "Our default", "<Postfix>", "PowerMTA", "Wait", "5 min"],
        "kind": ["advised", "default", "mta", "mta", "advice", "searched"],
        "mean_delay": [3600.0, 5400.0, 4000.0, 3500.0, 43_200.0, 3000.0],
        "wasted": [0.06, 0.1, 0.5, 2.0, 0.05, 0.2],
        "expired": [0.0, 0.0, 0.0, 0.0, 0.02, 0.01],
        "on_curve": [True, False, False, False, True, True],
    }
)
TIMELINE = pd.DataFrame(
    {
        "policy": ["Advised"] * 3 + ["<Postfix>"] * 3,
        "attempt": [0, 1, 2] * 2,
        "age_seconds": [0.0, 300.0, 3600.0, 0.0, 600.0, 700.0],
        "clock": ["09:00", "09:05", "10:00", "09:00", "09:10", "09:11"],
        "still_waiting": [1.0, 0.25, 0.001, 1.0, np.nan, np.nan],
    }
)


# --- the ramp


def test_ramp_stacks_the_providers():
    figure = figures.ramp(VOLUMES, TOTAL)
    areas = [trace for trace in figure.data if trace.stackgroup]
    assert [trace.name for trace in areas] == ["gmail", "yahoo"]
    assert list(areas[1].y) == [200.0, 400.0, 800.0, 1600.0]
    assert list(areas[0].x) == DAYS


def test_ramp_holds_the_band_between_its_quantiles():
    figure = figures.ramp(VOLUMES, TOTAL)
    low = next(number for number, trace in enumerate(figure.data) if trace.fill == "tonexty")
    assert list(figure.data[low].y) == [250.0] * 4
    assert list(figure.data[low - 1].y) == [310.0] * 4  # what the fill reaches back to
    assert list(named(figure, "Sent with reaction, median").y) == [300.0] * 4


def test_other_schedule_is_marked_where_it_is_deferred_more_than_one_day_in_ten():
    figure = figures.ramp(VOLUMES, TOTAL, OTHER, "SendGrid")
    marks = next(trace for trace in figure.data if trace.mode == "markers")
    assert list(marks.x) == DAYS[2:]
    assert list(marks.y) == [5000.0, 9000.0]
    assert marks.marker.symbol == "x"
    assert named(figure, "SendGrid").line.dash == "dash"


def test_target_and_deadline_are_lines_with_a_word():
    figure = figures.ramp(VOLUMES, TOTAL, target=100_000, deadline=date(2027, 1, 13))
    assert [note.text for note in figure.layout.annotations] == ["Target 100,000", "Deadline"]
    assert figure.layout.shapes[0].y0 == figure.layout.shapes[0].y1 == 100_000
    assert figure.layout.shapes[1].x0 == figure.layout.shapes[1].x1 == "2027-01-13"


def test_providers_differ_without_colour():
    many = pd.concat([VOLUMES.assign(provider=f"p{n}") for n in range(8)]).drop_duplicates(["provider", "date"])
    areas = [trace for trace in figures.ramp(many, TOTAL).data if trace.stackgroup]
    assert len({trace.fillpattern.shape for trace in areas}) == 8
    assert len({trace.fillcolor for trace in areas}) == 8


# --- deferrals


def test_heat_map_counts_in_a_hundred():
    figure = figures.deferral_heat_map(banded())
    (cells,) = figure.data
    assert list(cells.y) == ["gmail", "yahoo"]
    assert np.asarray(cells.z) == pytest.approx(np.array([[11.0] * 4, [22.0] * 4]))
    assert np.asarray(cells.customdata)[1, 0] == pytest.approx([20.0, 60.0])
    assert (cells.zmin, cells.zmax) == (0, 100)


def test_heat_map_says_why():
    (cells,) = figures.deferral_heat_map(banded().assign(cause=["<limit>"] * 7 + [""])).data
    assert cells.text[0][0] == "<br>mostly &lt;limit&gt;"
    assert cells.text[1][3] == ""
    assert "%{text}" in cells.hovertemplate


def test_heat_map_leaves_days_without_mail_empty():
    frame = banded().assign(mean=[np.nan] * 4 + [0.5] * 4)
    drawn = json.loads(figures.deferral_heat_map(frame).to_json())["data"][0]
    assert drawn["hoverongaps"] is False
    assert "NaN" not in figures.deferral_heat_map(frame).to_json()


def test_causes_are_summed_over_the_providers():
    figure = figures.deferrals_by_cause(CAUSES)
    assert [bar.name for bar in figure.data] == ["limit", "greylisting"]
    assert list(figure.data[0].y) == pytest.approx([3.3] * 4)
    assert figure.data[0].marker.pattern.shape != figure.data[1].marker.pattern.shape


def test_delays_leave_out_who_has_none():
    figure = figures.delays(DELAYS.assign(messages=[0.0, 5.0]))
    assert list(named(figure, "Median").y) == ["yahoo"]
    assert list(named(figure, "Median").x) == [7200.0]


def test_names_are_no_markup():
    frame = VOLUMES.assign(provider="<a href='https://example.com'>x</a>").drop_duplicates(["provider", "date"])
    assert "<a" not in figures.ramp(frame, TOTAL, OTHER, "<b>bold</b>").to_json()
    assert "<b>bold" not in figures.ramp(frame, TOTAL, OTHER, "<b>bold</b>").to_json()


# --- risk


def test_frontier_runs_from_cautious_to_fast_and_rings_the_plan():
    figure = figures.frontier(FRONTIER)
    assert list(named(figure, "Median").x) == [10.0, 20.0, 50.0]
    assert list(named(figure, "Median").y) == [30.0, 25.0, 60.0]
    assert (list(named(figure, "This plan").x), list(named(figure, "This plan").y)) == ([20.0], [25.0])


def test_frontier_marks_where_one_in_ten_never_arrives():
    figure = figures.frontier(FRONTIER)
    marks = named(figure, "1 time in 10 beyond the horizon, or never")
    assert list(marks.x) == [50.0]
    assert marks.y[0] > 60.0
    assert named(figure, "8 in 10 are there by").y[2] is None


def test_frontier_of_one_provider():
    assert list(named(figures.frontier(FRONTIER, "gmail"), "Median").y) == [6.0]


def test_frontier_where_nobody_arrives():
    frame = FRONTIER.assign(q10=np.inf, q50=np.inf, q80=np.inf, q90=np.inf)
    assert "Infinity" not in figures.frontier(frame).to_json()


# --- all of them


def followed():
    """Two providers, of whose four days the first two were observed."""
    nan = float("nan")
    counts = {"volume": [100, 200, 300, 400], "q10": [90, 150, 200, 300], "q50": [100, 200, 300, 400]}
    counts |= {"q90": [100, 200, 300, 400], "sent": [100, 180, nan, nan], "delivered": [99, 120, nan, nan]}
    return pd.concat([pd.DataFrame({"provider": name, "date": DAYS[:4], **counts}) for name in ("gmail", "<b>")])


def test_planned_and_observed_marks_what_is_known_and_today():
    figure = figures.planned_and_observed(followed(), DAYS[2])
    sent = next(trace for trace in figure.data if trace.name == "Sent")
    assert sent.y == (100.0, 180.0, None, None)
    assert [trace.name for trace in figure.data if trace.showlegend] == [
        "Forecast, 8 times in 10", "Planned", "Sent", "Delivered",
    ]  # fmt: skip
    texts = [note.text for note in figure.layout.annotations]
    assert {"Today", "&lt;b&gt;"} <= set(texts)
    assert len(figure.layout.shapes) == 2
    assert "NaN" not in figure.to_json()


ALL = {
    "followed": lambda rows: figures.planned_and_observed(followed()[:rows], DAYS[2]),
    "ramp": lambda rows: figures.ramp(VOLUMES[:rows], TOTAL[:rows], OTHER[:rows], "SendGrid"),
    "heat map": lambda rows: figures.deferral_heat_map(banded()[:rows]),
    "frontier": lambda rows: figures.frontier(FRONTIER[:rows]),
    "comparison": lambda rows: figures.comparison(COMPARED[:rows]),
    "date_ranges": lambda rows: figures.date_ranges(RANGES[:rows], DAYS[3]),
    "bands": lambda rows: figures.bands(banded()[:rows], "delivered"),
    "causes": lambda rows: figures.deferrals_by_cause(CAUSES[:rows]),
    "delays": lambda rows: figures.delays(DELAYS[:rows]),
    "retries": lambda rows: figures.retry_trade_off(RETRIES[:rows]),
    "timeline": lambda rows: figures.retry_timeline(TIMELINE[:rows]),
}


@pytest.mark.parametrize("name", ALL)
def test_nothing_to_draw_is_said(name):
    figure = ALL[name](0)
    assert "Nothing to show" in [note.text for note in figure.layout.annotations]
    assert figure.to_json()


@pytest.mark.parametrize("name", ALL)
def test_full_figures_do_not_say_so(name):
    figure = ALL[name](None)
    assert "Nothing to show" not in [note.text for note in figure.layout.annotations]
    assert figure.layout.template.layout.paper_bgcolor == "rgba(0, 0, 0, 0)"  # readable in light and dark
    assert figure.layout.template.layout.separators == ".,"


@pytest.mark.parametrize(
    ("name", "y"),
    [
        ("ramp", "Messages a day"),
        ("comparison", "Messages a day"),
        ("bands", "Delivered (messages a day)"),
        ("followed", "Messages a day"),
        ("causes", "Deferred attempts a day"),
        ("frontier", "Days until the target is reached"),
        ("retries", "Mean delay of mail deferred at first"),
    ],
)
def test_axes_have_units(name, y):
    figure = ALL[name](None)
    assert y_title(figure) == y
    assert all(axis.title.text for axis in figure.select_xaxes(selector=lambda axis: axis.matches is None))


@pytest.mark.parametrize(
    ("what", "title"), [("p_421", "First attempts deferred (share)"), ("reputation", "Reputation (0 to 1)")]
)
def test_aspects_have_their_unit(what, title):
    assert y_title(figures.bands(banded(), what)) == title


RANGES = pd.DataFrame(
    {
        "name": ["ours", "<b>", "ours", "<b>"],
        "reaction": [True, True, False, False],
        "q10": [DAYS[0], DAYS[1], DAYS[1], None],
        "q50": [DAYS[1], DAYS[2], None, None],
        "q90": [DAYS[2], None, None, None],
    }
)


def test_date_ranges_reach_from_the_10_to_the_90_percent_day():
    figure = figures.date_ranges(RANGES, DAYS[3], deadline=DAYS[2])
    bars = [(list(trace.x), trace.line.dash) for trace in figure.data if trace.mode == "lines"]
    assert bars[:2] == [([DAYS[0], DAYS[2]], "solid"), ([DAYS[1], DAYS[3]], "solid")]
    assert bars[2:] == [([DAYS[1], DAYS[3]], "dot"), ([DAYS[3], DAYS[3]], "dot")]
    medians = named(figure, "Median if nobody reacts")
    assert list(medians.x) == [DAYS[3], DAYS[3]]
    assert "median later or never" in medians.customdata[0]
    assert "&lt;b&gt;" in medians.customdata[1]
    assert named(figure, "1 time in 10 later, or never") is not None
    assert list(figure.layout.yaxis.ticktext) == ["ours", "&lt;b&gt;"]


def test_comparison_shows_target_and_dashes_on_one_scale():
    figure = figures.comparison(COMPARED, target=20_000.0, deadline=DAYS[2])
    assert len({trace.line.dash for trace in figure.data if trace.mode == "lines"}) == 2
    assert [shape.y0 for shape in figure.layout.shapes if shape.y0 == shape.y1] == [20_000.0] * 2
    assert len({tuple(axis.range) for axis in figure.select_yaxes()}) == 1
    assert figure.layout.yaxis.range[1] > 20_000


def test_comparison_has_one_row_per_schedule_and_one_time_axis():
    figure = figures.comparison(COMPARED)
    assert [note.text for note in figure.layout.annotations] == ["ours", "theirs"]
    assert len({trace.yaxis for trace in figure.data}) == 2
    assert {axis.matches for axis in figure.select_xaxes()} <= {None, "x2"}


def test_days_may_be_timestamps():
    frame = VOLUMES.assign(date=pd.to_datetime(VOLUMES["date"]))
    assert figures.ramp(frame, TOTAL.assign(date=pd.to_datetime(TOTAL["date"]))).to_json()


# --- retries


def test_trade_off_shows_every_policy_with_its_kind_as_a_shape():
    figure = figures.retry_trade_off(RETRIES)
    marks = [trace for trace in figure.data if trace.name and "markers" in (trace.mode or "")]
    assert sum(len(trace.x) for trace in marks) == len(RETRIES)
    assert len({trace.marker.symbol for trace in marks}) == len(marks) == 5
    known = named(figure, "Comes with an MTA or service")
    assert (list(known.x), list(known.y)) == ([0.5, 2.0], [4000 / 3600, 3500 / 3600])
    assert list(known.text) == ["&lt;Postfix&gt;", "PowerMTA"]
    assert list(named(figure, "Tried in the search").text) == [""]
    assert {trace.marker.cmax for trace in marks} == {2.0}
    assert list(named(figure, "Advice").marker.color) == [2.0]
    assert figure.layout.xaxis.type == figure.layout.yaxis.type == "log"


def test_names_that_would_cover_one_another_are_left_to_the_pointer():
    crowded = RETRIES.assign(
        wasted=[0.1, 0.1001, 0.1002, 2.0, 0.05, 0.2], mean_delay=[3600.0, 3601.0, 3602.0, 3500, 43_200, 3000]
    )
    figure = figures.retry_trade_off(crowded)
    texts = {text for trace in figure.data for text in trace.text or ()}
    assert texts == {"", "Advised", "PowerMTA", "Wait"}
    assert named(figure, "Our default").customdata[0][0] == "Our default"


def test_trade_off_rings_the_advised_and_draws_the_curve():
    figure = figures.retry_trade_off(RETRIES)
    ring = next(trace for trace in figure.data if trace.marker.symbol == "circle-open")
    assert (list(ring.x), list(ring.y)) == ([0.06], [1.0])
    curve = named(figure, "None is better in both")
    assert (list(curve.x), curve.line.dash) == ([0.05, 0.06, 0.2], "dot")


def test_timeline_says_how_many_still_wait_where_there_is_room():
    figure = figures.retry_timeline(TIMELINE, "09:00")
    ours, theirs = figure.data
    assert (list(ours.x), list(ours.text)) == ([300 / 3600, 1.0], ["25", "<1"])
    assert list(theirs.text) == ["", ""]  # nothing is known
    assert list(theirs.y) == ["&lt;Postfix&gt;"] * 2
    assert ours.marker.symbol != theirs.marker.symbol
    assert ours.line.dash != theirs.line.dash
    assert figure.layout.xaxis.title.text == "Time since the first attempt at 09:00"


def test_numbers_that_would_lie_over_one_another_are_left_out():
    frame = TIMELINE.assign(still_waiting=0.5)
    assert list(figures.retry_timeline(frame).data[1].text) == ["50", ""]


# --- an explanation

RELIEFS = pd.DataFrame(
    {
        "text": ["Send from a second <b>IP</b>.", "Send around the clock.", "Check TLS."],
        "days": [-np.inf, -6.0, np.inf],
        "effect": ["arrives at all", "6 days earlier", "no longer arrives"],
    }
)
HANGS = pd.DataFrame(
    {
        "provider": ["yahoo"],
        "title": ["Daily growth"],
        "unit": ["factor/day"],
        "low": [1.1],
        "high": [1.6],
        "days_low": [9.0],
        "days_high": [-np.inf],
        "confidence": ["inferred"],
    }
)


def test_bars_of_reliefs_end_even_where_days_do_not():
    (bars,) = figures.reliefs(RELIEFS).data
    assert bars.orientation == "h"
    assert list(bars.x) == [-7.5, -6.0, 7.5]
    assert list(bars.marker.pattern.shape) == ["/", "", "/"]
    assert list(bars.text) == RELIEFS["effect"].tolist()
    assert bars.y[0] == "Send from a second &lt;b&gt;IP&lt;/b&gt;."


def test_a_tornado_has_a_bar_for_each_end():
    low, high = figures.tornado(HANGS).data
    assert (low.x[0], high.x[0]) == (9.0, -1.25 * 9.0)
    assert low.y == high.y == ("Daily growth, yahoo",)
    assert low.marker.pattern.shape != high.marker.pattern.shape
    assert low.customdata[0][0] == "1.1 factor/day"


def test_nothing_explained_is_said():
    for figure in (figures.reliefs(RELIEFS[:0]), figures.tornado(HANGS[:0])):
        assert figure.layout.annotations[0].text == "Nothing to show"


def test_densities_have_a_scale_each_and_own_ones_beside():
    row = {"parameter": "a", "title": "A <b>", "own": False, "shape": "lognormal", "unit": "h"}
    row |= {"low": 1.0, "typical": 10.0, "high": 100.0}
    curve = [row | {"value": x, "density": y} for x, y in ((1.0, 0.2), (10.0, 1.0), (100.0, 0.2))]
    own = [one | {"own": True, "low": 2.0} for one in curve]
    known = row | {
        "parameter": "b",
        "shape": "fixed",
        "low": 5.0,
        "typical": 5.0,
        "high": 5.0,
        "value": 5.0,
        "density": 1.0,
    }
    figure = figures.densities(pd.DataFrame([*curve, *own, known]))
    assert [trace.name for trace in figure.data] == ["Catalogue", "Yours", "Catalogue"]
    assert [trace.line.dash for trace in figure.data] == ["solid", "dash", "solid"]
    assert [trace.showlegend for trace in figure.data] == [True, True, False]
    assert figure.layout.xaxis.type == "log"
    assert list(figure.layout.xaxis.ticktext) == ["2", "10", "100"]
    assert list(figure.data[2].x) == [5.0, 5.0]  # what is known is a line
    assert "<b>" not in figure.layout.annotations[0].text.removeprefix("A &lt;b&gt;")
    assert figures.densities(pd.DataFrame([row | {"value": 1.0, "density": 1.0}]).head(0)).layout.annotations
