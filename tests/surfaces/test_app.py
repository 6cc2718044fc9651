"""The app without a browser: what a visit shows first, and what happens after each kind of answer."""

import io
import re
import time
import zipfile
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

import planner as wp
from planner.ui import overlay, results, state, widgets, wording
from planner.ui.jobs import Job

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "data" / "examples"


PATIENCE_SECONDS = 300


def visit():
    return settled(AppTest.from_file(str(ROOT / "app.py"), default_timeout=PATIENCE_SECONDS).run())


def settled(app):
    """Wait for the jobs of a visit, as the page's own clock would."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while any(button.label == "Stop" for button in app.button):
        assert time.monotonic() < deadline
        time.sleep(0.1)
        app.run()
    return app


@pytest.fixture(scope="module")
def first():
    """A visit that only looks."""
    return visit()


def unescaped(text):
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", text)


def sentence(app):
    return unescaped(app.main.subheader[0].value)


def table(app):
    shown = app.main.table[0].value
    return shown.assign(Provider=shown["Provider"].map(unescaped))


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
    plan = first.session_state["visit"].last.plan
    assert plan.sender == wp.Sender.load(EXAMPLES / "newsletter.yaml")
    assert sentence(first) == plan.headline()
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
    asked = [field.label for kind in ("text_input", "number_input", "date_input") for field in first.sidebar.get(kind)]
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
    assert set(frame["Confidence"]) <= set(wording.CONFIDENCE.values())
    without_source = frame[frame["Source"] == ""]
    assert set(without_source["Confidence"]) == {"default: our guess, no source"}


# --- answers


def test_another_volume_gives_another_plan(first):
    app = visit()
    settled(volume(app).set_value("50,000").run())
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
    assert app.warning[0].proto.title.startswith("Not used yet")
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
    settled(app.sidebar.selectbox[0].select("weekly-newsletter").run())
    assert not app.exception
    assert volume(app).value == "20,000"
    assert sentence(app).startswith("20,000 a send")
    assert "Tuesday 12 January 2027" in shown(app)


def test_another_risk_gives_another_plan(first):
    app = visit()
    settled(app.main.select_slider[0].set_value(0.05).run())
    assert not app.exception
    assert sentence(app).startswith("100,000 a day")
    assert table(app)["Messages"].sum() != table(first)["Messages"].sum()


def test_other_table_beside_the_plan():
    app = visit()
    settled(app.main.selectbox[0].select("onesignal").run())
    assert not app.exception
    assert "OneSignal" in charts(app)[0].proto.spec


def test_data_behind_a_figure():
    app = visit()
    app.main.toggle[0].set_value(True).run()
    assert {"provider", "date", "volume"} <= set(app.main.dataframe[0].value.columns)


def test_stop_keeps_the_plan_before():
    app = visit()
    before = sentence(app)
    volume(app).set_value("90000").run()
    next(button for button in app.button if button.label == "Stop").click().run()
    assert sentence(app) == before
    assert app.warning[0].proto.title == "Stopped"
    assert not app.session_state["visit"].jobs.keys() & {"plan"}
    next(button for button in app.button if button.label == "Plan it after all").click().run()
    assert sentence(settled(app)).startswith("90,000 a day")


# --- each input reaches its field


@pytest.fixture
def at_once(first, monkeypatch):
    """Every sender gets the first plan, so that only the answers take time."""
    plan = first.session_state["visit"].last.plan
    made = {"plan": plan, "table": results.Judged(NO_DAYS, "")}

    def ask(what, name, work):
        job = Job(name, None)
        job.result = made[what]
        job.finish()
        return job

    monkeypatch.setattr(state, "ask", ask)
    monkeypatch.setattr(state, "at_once", lambda name, work: plan.forecast)
    return made


NO_DAYS = pd.DataFrame({"date": [], "volume": [], "p_deferred": []})


def text(field, value):
    return lambda app: app.text_input(key=f"{field}#0").set_value(value)


def choose(field, value):
    return lambda app: app.segmented_control(key=f"{field}#0").set_value(value)


def pick(field, value):
    return lambda app: app.selectbox(key=f"{field}#0").set_value(value)


def on(day, field):
    return lambda app: app.date_input(key=f"{field}#0").set_value(date.fromisoformat(day))


def edit(name, edited=None, added=(), deleted=()):
    edits = {"edited_rows": edited or {}, "added_rows": list(added), "deleted_rows": list(deleted)}
    return lambda app: app.session_state.__setitem__(f"{name}#0", edits)


INPUTS = [
    (text("target.volume", "1 500 000"), "target.volume", 1_500_000),
    (text("audience.size", ""), "audience.size", None),
    (choose("target.per", "send"), "target.per", "send"),
    (choose("domain", "new"), "domain", "new"),
    (choose("send_days", ["mon", "thu"]), "send_days", ["mon", "thu"]),
    (on("2027-02-01", "start"), "start", "2027-02-01"),
    (on("2027-03-01", "target.by"), "target.by", "2027-03-01"),
    (lambda app: app.number_input(key="n_ips#0").set_value(3), "n_ips", 3),
    (lambda app: app.select_slider(key="risk#0").set_value(0.3), "risk", 0.3),
    (text("history.domain", "250,000"), "history.domain", 250_000.0),
    (text("history.idle_days", "9"), "history.idle_days", 9),
    (choose("authentication.dkim", "no"), "authentication.dkim", "no"),
    (text("window", "22:00-06:00"), "window", "22:00-06:00"),
    (pick("timezone", "Europe/Berlin"), "timezone", "Europe/Berlin"),
    (pick("overflow", "spread"), "overflow", "spread"),
    (choose("kind", "transactional"), "kind", "transactional"),
    (text("domains other", "600"), "audience.domains", {"other": 600}),
    (edit("providers False", {0: {"share": 40}}), "audience.providers.gmail", 40.0),
    (edit("providers False", added=[{"provider": "qq", "share": 5}]), "audience.providers.qq", 5.0),
    (edit("segments", {0: {"complaint_rate": 0.1}}), "audience.segments.0.complaint_rate", 0.001),
    (edit("shape", {6: {"share": 40}}), "target.weekday_shape", {"sun": 0.4}),
    (
        edit("blackout", added=[{"from": "2027-01-20", "to": "2027-01-22"}]),
        "blackout",
        [{"from": "2027-01-20", "to": "2027-01-22"}],
    ),
    (edit("blackout", added=[{"from": "2027-01-20"}]), "blackout", ["2027-01-20"]),
]


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(("act", "field", "expected"), INPUTS, ids=[f"{n}-{row[1]}" for n, row in enumerate(INPUTS)])
def test_input_reaches_its_field(act, field, expected):
    app = visit()
    act(app)
    app.run()
    assert not app.exception
    assert not app.error
    value = app.session_state["visit"].answered.to_dict()
    for name in field.split("."):
        value = value[int(name) if name.isdigit() else name]
    assert value == expected


@pytest.mark.usefixtures("at_once")
def test_untouched_inputs_change_nothing():
    for name in state.examples():
        app = visit()
        app.sidebar.selectbox[0].select(name).run()
        assert not app.exception
        assert not app.error
        assert app.session_state["visit"].answered == wp.Sender.load(EXAMPLES / f"{name}.yaml")


@pytest.mark.usefixtures("at_once")
def test_own_targets_and_own_history_per_provider():
    app = visit()
    app.toggle(key="each#0").set_value(True)
    app.toggle(key="past#0").set_value(True).run()
    app.session_state["providers True#0"] = {
        "edited_rows": {0: {"volume": 7}},
        "added_rows": [],
        "deleted_rows": [],
    }
    app.session_state["history#0"] = {"edited_rows": {1: {"ip": 900}}, "added_rows": [], "deleted_rows": []}
    app.run()
    assert not app.error
    answered = app.session_state["visit"].answered
    assert answered.target.volume["gmail"] == 7
    assert answered.target.volume["yahoo"] == 17_000
    assert answered.history.ip["microsoft"] == 900


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(
    ("edits", "message"),
    [
        (edit("providers False", {0: {"provider": "yahoo"}}), "Yahoo and AOL stands in two rows. Keep one."),
        (
            edit("providers False", added=[{"provider": "qq"}]),
            "audience.providers.qq is empty, not a number.",
        ),
        (edit("providers False", added=[{"share": 5}]), "Unknown provider ''."),
        (edit("providers False", deleted=range(7)), "audience.providers is empty."),
        (edit("segments", {0: {"complaint_rate": 90}}), "audience.segments[0].complaint_rate is 0.9"),
        (choose("send_days", []), "send_days is []"),
    ],
)
def test_wrong_tables_are_refused_in_words(edits, message):
    app = visit()
    edits(app)
    app.run()
    assert not app.exception
    assert [error for error in errors(app) if message in error]
    assert sentence(app)


def test_wishes_that_cannot_be_met_are_answered(at_once):
    answer = SimpleNamespace(name="target_above_list", text="The target is above the list.", remedy="Lower it.")
    at_once["plan"] = replace(at_once["plan"], answers=(answer,))
    assert "The target is above the list. Lower it." in shown(visit())


@pytest.mark.usefixtures("at_once")
def test_undo_forgets_all_answers():
    app = visit()
    volume(app).set_value("70000").run()
    next(button for button in app.sidebar.button if button.label == "Undo all answers").click().run()
    assert volume(app).value == "100,000"


# --- files


@pytest.fixture
def upload(monkeypatch):
    """A visit whose state can be used without a browser."""
    monkeypatch.setattr(state.st, "session_state", {})

    def of(content, name="mine.yaml"):
        state.st.session_state["upload"] = SimpleNamespace(getvalue=lambda: content, name=name)
        return "upload"

    return of


def test_own_file_is_opened(upload):
    state.open_file(
        upload(
            b"{audience: {providers: {gmail: 1}}, target: {volume: 10}, send_days: daily, "
            b"n_ips: 1, domain: used, start: 2027-01-11}"
        )
    )
    assert state.origin() == "mine.yaml"
    assert state.base().provider_names == ("gmail",)
    assert state.refused("file") is None


def test_broken_file_is_refused_and_changes_nothing(upload):
    state.open_file(upload(b"audience: [", "<b>.yaml"))
    assert state.base().name == "Newsletter"
    assert str(state.refused("file")).startswith("<b>.yaml:2: ")


def test_sender_can_be_saved_and_opened_again(upload):
    state.open_file(upload(wp.Sender.load(EXAMPLES / "shop-migration.yaml").to_yaml().encode()))
    assert state.base() == wp.Sender.load(EXAMPLES / "shop-migration.yaml")


def test_counted_list_becomes_the_audience(upload):
    counted = wp.read_audience(io.BytesIO(b"ann@gmail.com\nbo@gmail.com\ncy@example.org\n"))
    state.take_audience(counted)
    assert state.base().audience.providers == {"gmail": 2.0, "other": 1.0}
    assert state.base().audience.size == 3
    assert state.base().target.volume == 100_000


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
    # the one component is a constant script that listens for a paste; it draws nothing
    forbidden = re.compile(r"unsafe_allow|st\.html|components\.v1|\bhtml=|innerHTML")
    assert not any(forbidden.search(text) for text in sources)


def test_state_stays_in_its_module():
    others = [path for path in (ROOT / "planner" / "ui").rglob("*.py") if path.name != "state.py"]
    assert not any(re.search(r"session_state|cache_(data|resource)|query_params", path.read_text()) for path in others)


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


# --- assumptions


@pytest.fixture
def typed(monkeypatch):
    """Type points over Gmail's daily growth, as the table's callback gets them."""
    monkeypatch.setattr(state.st, "session_state", {})
    priors = wp.catalogue().provider("gmail").priors
    frame = pd.DataFrame({name: priors["daily_growth"].model_dump() for name in ["daily_growth"]}).T
    state.show_priors("gmail", frame[["low", "typical", "high"]])

    def over(**points):
        state.st.session_state["table"] = {"edited_rows": {0: points}}
        state.take_priors("table")

    return over


def test_changed_assumptions_are_kept_until_they_are_the_catalogue_s_again(typed):
    growth = wp.catalogue().provider("gmail").priors["daily_growth"]
    typed(low=1.05)
    assert state.priors() == {"gmail": {"daily_growth": {"low": 1.05, "typical": growth.typical, "high": growth.high}}}
    order = state.order(wp.Sender.load(EXAMPLES / "newsletter.yaml"))
    assert order.priors == state.priors()
    typed(low=growth.low)
    assert state.priors() == {}


def test_impossible_assumptions_are_said_and_not_used(typed):
    typed(low=1.05)
    typed(low=9.0)
    assert "Gmail" in str(state.refused("assumptions"))
    assert state.priors()["gmail"]["daily_growth"]["low"] == 1.05
    typed(low=1.06)
    assert state.refused("assumptions") is None


def test_downloaded_assumptions_lie_over_the_catalogue(tmp_path):
    greylisting = {"low": 0.01, "typical": 0.1, "high": 0.3}
    changes = {
        "gmail": {
            "daily_growth": {"low": 1.1, "typical": 1.2, "high": 1.4},
            "greylisting_probability": greylisting,
        },
        "yahoo": {"ip_weight": {"low": 0.5, "typical": 0.5, "high": 0.5}},
    }
    content = overlay.archive(changes)
    assert content == overlay.archive(changes)
    zipfile.ZipFile(io.BytesIO(content)).extractall(tmp_path)
    own, usual = wp.catalogue(tmp_path), wp.catalogue()
    assert own.providers["gmail"].priors["daily_growth"].typical == 1.2
    assert own.providers["yahoo"].priors["ip_weight"].shape == "fixed"
    expected = usual.changed(changes)
    for name in ("gmail", "yahoo", "microsoft"):
        assert own.providers[name].priors == expected.providers[name].priors


# --- the table of one's own


def test_own_table_is_kept_over_pages_and_dropped(upload):
    state.keep_table(upload(b"date,gmail\n", "mine.csv"))
    assert state.own_table() == ("mine.csv", b"date,gmail\n")
    state.drop_table()
    assert state.own_table() is None
