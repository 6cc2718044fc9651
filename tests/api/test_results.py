"""Every result answers the same calls; what was damaged on its way is refused in words."""

from __future__ import annotations

import base64
import json
import tracemalloc
import zlib
from copy import deepcopy
from dataclasses import FrozenInstanceError, fields

import numpy as np
import pandas as pd
import plotly.io
import pytest
from plotly.graph_objects import Figure

import planner as wp
from planner.optimizer import planning

SENDER = wp.Sender.from_dict(
    {
        "audience": {"providers": {"gmail": 60, "yahoo": 40}},
        "target": {"volume": 400, "by": "2027-02-01"},
        "send_days": "daily",
        "n_ips": 1,
        "domain": "used",
        "start": "2027-01-11",
    }
)
SEEN = wp.Observations(
    ("gmail", "yahoo"),
    SENDER.dates(2),
    sent=np.array([[100.0, 200.0], [90.0, 400.0]]),
    delivered=np.array([[100.0, 199.0], [90.0, 310.0]]),
)


@pytest.fixture(scope="module")
def results():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "N_FIT", 20)
        patch.setattr(planning, "N_CHOOSE", 20)
        plan = wp.optimize(SENDER, seed=2, scenarios=20)
        days = plan.schedule.dates[:3]
        sent = plan.schedule.total[:, :3]
        seen = wp.Observations(("gmail", "yahoo"), days, sent=sent, delivered=np.floor(0.98 * sent))
        beliefs = wp.draw(SENDER, 30, 4).resampled(20, 1)
        again = wp.optimize(SENDER, seed=2, scenarios=20, risk=0.2, beliefs=beliefs, observed=seen, retry=plan.retry)
    table = wp.published("onesignal", SENDER, len(plan.schedule.dates))
    return {
        "plan": plan,
        "replanned": again,
        "forecast": wp.simulate(SENDER, plan.schedule, scenarios=20, seed=1),
        "believed": wp.simulate(SENDER, table, beliefs=wp.draw(SENDER, 10).resampled(12, 4), seed=1),
        "comparison": wp.compare(SENDER, {"ours": plan, "OneSignal": table}, scenarios=20, seed=1),
        "retries": wp.advise_retries(SENDER, table, scenarios=4, seed=1),
        "calibration": wp.calibrate(SENDER, SEEN, scenarios=20, seed=1),
    }


@pytest.fixture(params=["plan", "replanned", "forecast", "believed", "comparison", "retries", "calibration"])
def result(request, results):
    return results[request.param]


PLOTS = {
    wp.Plan: ("ramp", "p_421", "frontier"),
    wp.Forecast: ("injected", "delivered", "p_421", "deferred", "delay"),
    wp.Comparison: (None,),
    wp.RetryAdvice: (None,),
    wp.Calibration: (None, "yahoo"),
}


# --- the calls that all answer


def test_frames(result):
    frame = result.to_frame()
    assert isinstance(frame, pd.DataFrame)
    assert len(frame) > 0
    assert not frame.duplicated().any()


def test_summary_is_returned_and_nothing_printed(result, capsys):
    text = result.summary()
    assert isinstance(text, str)
    assert len(text.splitlines()) >= 2
    assert "nan" not in text
    assert capsys.readouterr() == ("", "")


def test_shown_in_a_line(result):
    assert len(repr(result)) < 200
    assert repr(result).startswith(f"<{type(result).__name__}: ")


MORNING = ("Observations", "Alarms", "LogStudy", "Season", "Morning", "Changes", "Beliefs", "Schedule")
LOG = """\
2027-01-11T08:00:00+00:00 mx postfix/smtp[1]: 4ABC: to=<canary.name@gmail.com>, relay=mx.example[192.0.2.1]:25, \
delay=1, dsn=2.0.0, status=sent (250 ok <b>)
"""


@pytest.fixture(scope="module")
def given(results, tmp_path_factory):
    """What a morning gives, by the name of its class."""
    plan, again = results["plan"], results["replanned"]
    log = tmp_path_factory.mktemp("logs") / "mail.log"
    log.write_text(LOG)
    season = wp.Season.begun(SENDER, plan, name="<b>").observed(again.observed, source="<b>")
    every = [
        again.observed,
        wp.alarms(SENDER, again.observed),
        wp.study_log(log, SENDER),
        season,
        wp.morning(season.planned(again), calibrate=False),
        wp.changes(plan, again),
        again.beliefs,
        plan.schedule,
    ]
    return {type(one).__name__: one for one in every}


@pytest.mark.parametrize("kind", MORNING)
def test_what_a_morning_gives_is_shown_in_a_line_and_as_a_page(given, kind):
    one = given[kind]
    assert len(repr(one)) < 200
    assert repr(one).startswith(f"<{kind}: ")
    if kind not in {"Beliefs", "Schedule"}:
        assert one.summary()
        assert "<b>" not in one._repr_html_()


@pytest.mark.parametrize("kind", MORNING)
def test_what_a_morning_gives_stays_as_it_is(given, kind):
    one = given[kind]
    before = one.to_frame()
    assert len(before) > 0
    changed = one.to_frame()
    changed.loc[:, changed.select_dtypes("number").columns] = 0
    pd.testing.assert_frame_equal(one.to_frame(), before)
    for field in fields(one):
        with pytest.raises(FrozenInstanceError):
            setattr(one, field.name, None)
        value = getattr(one, field.name)
        if isinstance(value, np.ndarray):
            assert not value.flags.writeable, field.name


@pytest.mark.parametrize("kind", [kind for kind in MORNING if kind != "Beliefs"])
def test_what_a_morning_gives_is_json_that_names_nobody(given, kind):
    one = given[kind]
    text = one.to_json()
    data = json.loads(text, parse_constant=lambda name: pytest.fail(name))
    assert text == one.to_json()
    assert "canary" not in text
    if kind != "Schedule":
        assert data["format"] == 1
        assert data["kind"].replace(" ", "") == kind.lower()
    if hasattr(one, "from_json"):
        assert type(one).from_json(text) == one
    with pytest.raises(wp.InputError):
        wp.Season.from_json(text[: len(text) // 2])


def test_json_of_changes_and_log_studies_says_what_their_frames_say(given):
    changes, study = given["Changes"], given["LogStudy"]
    rows = json.loads(changes.to_json())["providers"]
    assert [row["after"] for row in rows] == pytest.approx(changes.to_frame()["after"], rel=1e-5)
    told = json.loads(study.to_json())
    assert (told["hours"][0]["hour"], told["hours"][0]["sent"]) == ("2027-01-11T08:00:00", 1)
    assert told["delays"][0]["date"] == "2027-01-11"


def test_plots_are_returned_and_not_shown(result, monkeypatch, capsys):
    def shown(*_args, **_options):
        pytest.fail("the figure was shown")

    monkeypatch.setattr(plotly.io, "show", shown)
    for what in PLOTS[type(result)]:
        figure = result.plot() if what is None else result.plot(what)
        assert isinstance(figure, Figure)
        assert len(figure.data) > 0
    assert capsys.readouterr().out == ""


def test_an_unknown_aspect_is_refused(results):
    for result in (results["plan"], results["forecast"]):
        with pytest.raises(wp.InputError, match="no "):
            result.plot("nonsense")
    with pytest.raises(wp.InputError, match="It has: injected"):
        results["forecast"].to_frame("nonsense")


def test_json_round_trip(result):
    text = result.to_json()
    assert isinstance(text, str)
    again = type(result).from_json(text)
    assert again.to_json() == text
    pd.testing.assert_frame_equal(again.to_frame(), result.to_frame())


def test_json_names_format_kind_and_model(result):
    data = json.loads(result.to_json(), parse_constant=lambda name: pytest.fail(name))
    assert data["format"] == 1
    assert data["kind"] == type(result).__name__.lower()
    assert data["model"]


def test_assumptions_have_source_and_confidence(result):
    frame = result.assumptions()
    assert {"provider", "parameter", "low", "typical", "high", "unit", "confidence", "source"} <= set(frame.columns)
    assert set(frame["provider"]) == {"gmail", "yahoo"}
    assert (frame.loc[frame["source"] == "", "confidence"] == "default").all()


def test_results_come_back_from_files(results, tmp_path):
    for name in ("plan", "forecast", "retries", "calibration"):
        path = tmp_path / f"{name}.json"
        results[name].save(path)
        assert type(results[name]).load(path).to_json() == results[name].to_json()
        with pytest.raises(wp.InputError, match=r"nowhere\.json"):
            type(results[name]).load(tmp_path / "nowhere.json")


# --- damage


def of(result, data):
    return type(result).from_json(json.dumps(data))


def places(data, depth=2, where=()):
    """Paths of the fields down to a depth."""
    for key, value in data.items():
        yield (*where, key)
        if isinstance(value, dict) and depth > 1:
            yield from places(value, depth - 1, (*where, key))


def inside(data, where):
    for key in where:
        data = data[key]
    return data


# what people and other programs read; it is made anew from the recipe
SHOWN = {"summary", "days", "verdict", "table", "reach", "totals", "p_421"}


def recipe_places(result):
    data = json.loads(result.to_json())
    own = {"sender", "retry", "reaction", "options"}  # these have defaults, and tests of their own
    wheres = [where for where in places(data) if not SHOWN & set(where) and not own & set(where[:-1])]
    if isinstance(result, wp.Comparison):
        wheres.remove(("model",))  # each forecast in it names its own
    return data, wheres


def test_a_missing_field_is_named(result):
    data, wheres = recipe_places(result)
    for where in wheres:
        damaged = deepcopy(data)
        del inside(damaged, where[:-1])[where[-1]]
        with pytest.raises(wp.InputError) as error:
            of(result, damaged)
        assert len(str(error.value)) < 500, where


@pytest.mark.parametrize("wrong", [None, "nonsense", -1.5, [], {}, [[]], {"x": 1}])
def test_a_field_of_the_wrong_kind_is_refused_or_harmless(result, wrong):
    data, wheres = recipe_places(result)
    for where in wheres:
        damaged = deepcopy(data)
        inside(damaged, where[:-1])[where[-1]] = wrong
        try:
            again = of(result, damaged)
        except wp.InputError:
            continue
        for answer in (again.summary, again.to_frame, again.plot, again.to_json):
            answer()


@pytest.mark.parametrize("kind", ["plan", "forecast", "comparison"])
def test_a_stump_is_refused(results, kind):
    result = results[kind]
    for data in ({"kind": kind, "format": 1}, {"kind": kind}, {}, [], None, 7, "plan", {"kind": kind, "format": 99}):
        with pytest.raises(wp.InputError):
            of(result, data)
    for text in ("", "{", result.to_json()[:-40], "\ufeff{}", "NaN", "[" * 100_000):
        with pytest.raises(wp.InputError):
            type(result).from_json(text)


def test_one_kind_is_not_another(results):
    for name, result in results.items():
        for other in (wp.Plan, wp.Forecast, wp.Comparison, wp.RetryAdvice):
            if not isinstance(result, other):
                with pytest.raises(wp.InputError, match=f"no {other.__name__.lower()}"):
                    other.from_json(result.to_json())
        assert name in results


def test_beliefs_unpack_to_no_more_than_they_should(results):
    data = json.loads(results["believed"].to_json())
    packed = zlib.compress(np.ones(20_000_000).tobytes(), 9)
    data["beliefs"]["values"] = base64.b64encode(packed).decode()
    assert len(data["beliefs"]["values"]) < 1_000_000
    tracemalloc.start()
    wp.Forecast.from_json(json.dumps(data))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 100_000_000


@pytest.mark.parametrize("scenarios", [0, -1, 10**12, "many", None, 2.5])
def test_absurd_numbers_of_scenarios_are_refused(results, scenarios):
    for name in ("forecast", "believed"):
        data = json.loads(results[name].to_json())
        data["beliefs"]["scenarios"] = scenarios
        with pytest.raises(wp.InputError, match="damaged"):
            wp.Forecast.from_json(json.dumps(data))


def test_an_earlier_model_s_plan_opens_and_says_so(results):
    data = json.loads(results["plan"].to_json())
    data["model"] = data["forecast"]["model"] = "0"
    again = of(results["plan"], data)
    assert again.answers[-1].name == "earlier_model"
    assert "compute" in again.answers[-1].remedy.lower()
