"""The app without a browser: what a visit shows first, and what happens after each kind of answer."""

import re
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

import planner as wp
from planner.ui import state, widgets, wording

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "data" / "examples"


def visit():
    return AppTest.from_file(str(ROOT / "app.py"), default_timeout=120).run()


@pytest.fixture(scope="module")
def first():
    """A visit that only looks."""
    return visit()


def unescaped(text):
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", text)


def sentence(app):
    return unescaped(app.main.subheader[0].value)


def table(app):
    return app.main.table[0].value


def shown(app):
    """Everything that is written in the page's main part."""
    kinds = (app.main.subheader, app.main.markdown, app.main.caption, app.main.warning, app.main.info)
    return unescaped("\n".join(element.value for kind in kinds for element in kind))


def errors(app):
    return [unescaped(error.value) for error in app.error]


def volume(app):
    return next(field for field in app.sidebar.text_input if field.label.startswith("Target volume"))


def charts(app):
    return app.main.get("plotly_chart")


# --- the first look


def test_first_look_is_the_example_s_plan(first):
    assert not first.exception
    assert not first.error
    sender = wp.Sender.load(EXAMPLES / "newsletter.yaml")
    assert sentence(first) == wp.optimize(sender).headline()
    assert sentence(first).startswith("100,000 a day")


def test_first_look_has_tomorrow_s_table(first):
    assert list(table(first).columns) == ["Provider", "Messages", "At most per hour"]
    assert table(first)["Provider"].tolist()[:2] == ["Gmail", "Outlook.com and Hotmail"]
    assert len(table(first)) == 7
    assert "Monday 11 January 2027" in shown(first)


def test_tomorrow_s_table_can_be_copied(first):
    lines = first.main.code[0].value.splitlines()
    assert lines[0] == "Provider\tMessages\tAt most per hour"
    assert len(lines) == 8
    assert lines[1].split("\t")[1].isdigit()


def test_first_look_has_its_pictures(first):
    assert len(charts(first)) == 3
    assert all(chart.proto.alt for chart in charts(first))
    assert "SendGrid automated warmup" in charts(first)[0].proto.spec


def test_first_look_asks_at_most_eight_questions(first):
    asked = [
        field.label
        for kind in ("text_input", "number_input", "date_input")
        for field in first.sidebar.get(kind)
    ]
    folded = [field.label for box in first.sidebar.expander for field in box.text_input]
    assert len(set(asked) - set(folded)) + len(["who", "domain", "days"]) <= 8


def test_labels_and_help_come_from_the_fields(first):
    assert volume(first).label == "Target volume (messages/day)"
    assert (
        unescaped(volume(first).help)
        == type(wp.Sender.load(EXAMPLES / "newsletter.yaml").target).model_fields["volume"].description
    )


def test_what_is_a_guess_is_called_one(first):
    frame = first.main.expander[0].dataframe[0].value
    assert set(frame["confidence"]) <= set(wording.CONFIDENCE.values())
    without_source = frame[frame["source"] == ""]
    assert set(without_source["confidence"]) == {"default: our guess, no source"}


# --- answers


def test_another_volume_gives_another_plan(first):
    app = visit()
    volume(app).set_value("50,000").run()
    assert not app.exception
    assert sentence(app).startswith("50,000 a day")
    assert sentence(app) != sentence(first)


def test_wrong_answer_keeps_the_plan_and_says_what_is_wrong(first):
    app = visit()
    volume(app).set_value("12,O00").run()
    assert not app.exception
    assert sentence(app) == sentence(first)
    assert table(app).equals(table(first))
    assert errors(app) == ["target.volume is '12,O00', not a whole number. Write digits only: 12000."]
    assert "This answer is not used yet" in [warning.proto.title for warning in app.warning]
    volume(app).set_value("100000").run()
    assert not app.error
    assert not app.warning


def test_several_wrong_answers_are_each_said_once():
    app = visit()
    volume(app).set_value("lots")
    app.sidebar.date_input[1].set_value(pd.Timestamp("2020-01-01").date()).run()
    assert len(errors(app)) >= 1
    assert not app.exception


def test_other_example():
    app = visit()
    app.sidebar.selectbox[0].select("weekly-newsletter").run()
    assert not app.exception
    assert volume(app).value == "20,000"
    assert sentence(app).startswith("20,000 a send")
    assert "Tuesday 12 January 2027" in shown(app)


def test_another_risk_gives_another_plan(first):
    app = visit()
    app.main.select_slider[0].set_value(0.05).run()
    assert not app.exception
    assert sentence(app).startswith("100,000 a day")
    assert table(app)["Messages"].sum() != table(first)["Messages"].sum()


def test_other_table_beside_the_plan():
    app = visit()
    app.main.selectbox[0].select("onesignal").run()
    assert not app.exception
    assert "OneSignal" in charts(app)[0].proto.spec


def test_data_behind_a_figure():
    app = visit()
    app.main.toggle[0].set_value(True).run()
    assert {"provider", "date", "volume"} <= set(app.main.dataframe[0].value.columns)


def test_stop_keeps_the_plan_before():
    app = visit()
    before = sentence(app)
    sender = wp.Sender.load(EXAMPLES / "newsletter.yaml").changed({"target.volume": "90000"})
    app.session_state["visit"].stopped = sender.fingerprint()
    volume(app).set_value("90000").run()
    assert sentence(app) == before
    assert "Stopped" in shown(app)


# --- hostile text


def test_text_from_files_is_no_markup():
    assert wording.plain("<b>:red[x] $y$ [a](http://b)") == r"\<b\>\:red\[x\] \$y\$ \[a\]\(http\:\/\/b\)"


def test_tables_hold_no_formulas():
    frame = pd.DataFrame({"provider": ["=cmd|x", "+1", "gmail"], "volume": [-1.0, 2.0, 3.0]})
    assert wording.csv(frame).decode().splitlines() == [
        "provider,volume",
        "'=cmd|x,-1.0",
        "'+1,2.0",
        "gmail,3.0",
    ]


def test_no_raw_html_anywhere():
    sources = [path.read_text() for path in (ROOT / "planner" / "ui").rglob("*.py")]
    assert not any("unsafe_allow" in text or "st.html" in text or "components" in text for text in sources)


def test_state_stays_in_its_module():
    others = [path for path in (ROOT / "planner" / "ui").rglob("*.py") if path.name != "state.py"]
    assert not any(
        re.search(r"session_state|cache_(data|resource)|query_params", path.read_text()) for path in others
    )


# --- parts


@pytest.mark.parametrize(
    ("field", "place"),
    [
        ("target.volume", "target.volume"),
        ("audience.segments[1].share", "audience.segments"),
        ("history.domain.gmail", "history.domain"),
        ("name", ""),
        ("", ""),
    ],
)
def test_problems_find_their_input(field, place):
    places = dict.fromkeys(["", "target.volume", "audience.segments", "history.domain"])
    assert widgets._nearest(field, places) == place


def test_results_are_kept_but_not_for_ever(monkeypatch):
    monkeypatch.setattr(state, "KEPT_RESULTS", 2)
    shelf, made = state._Shelf(), []
    for name in ("a", "b", "a", "c", "a", "b"):
        shelf.get((name,), lambda name=name: made.append(name))
    assert made == ["a", "b", "c", "b"]  # the least used is forgotten
