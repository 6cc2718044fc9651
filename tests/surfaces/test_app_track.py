"""The page Track without a browser: a season is begun, numbers come in, alarms come first, undo takes back."""

import io
import re
import time
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

import planner as wp
from planner.ui import bringing, following, links

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 300
START = date(2026, 11, 10)
SENDER = wp.Sender.from_dict(
    {
        "name": "Small shop",
        "audience": {"providers": {"gmail": 0.6, "yahoo": 0.4}},
        "target": {"volume": 4000},
        "send_days": "daily",
        "n_ips": 1,
        "domain": "used",
        "start": START.isoformat(),
    }
)
TABLE = """date,provider,sent,delivered,first deferred,deferred,attempts,blocked,hard bounced
2026-11-10,gmail,400,400,0,0,400,0,0
2026-11-10,yahoo,300,120,180,180,300,0,0
"""
MARKUP = "**bold** <b>x</b> :red[see]"


def settled(app):
    """Wait for the jobs of a visit, as the page's own clock would."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while any(button.label == "Stop" for button in app.button):
        assert time.monotonic() < deadline
        time.sleep(0.1)
        app.run()
    assert not app.exception
    return app


@pytest.fixture(scope="module")
def plan():
    return wp.optimize(SENDER)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("WARMUP_SEASONS", str(tmp_path))
    return tmp_path


def opened(**query):
    """The page, in a visit of its own."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=PATIENCE_SECONDS)
    app.query_params["s"] = links.packed(links.Inputs(SENDER))
    for name, value in query.items():
        app.query_params[name] = value
    app._page_hash = calc_hash("track")  # pages that are functions have no path to switch to
    app.run()
    app._page_hash = ""
    return settled(app)


def shown(app):
    kinds = (
        app.main.subheader,
        app.main.markdown,
        app.main.caption,
        app.main.warning,
        app.main.error,
        app.main.success,
    )
    text = "\n".join(element.value for kind in kinds for element in kind)
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", text)


def pressed(app, key):
    return settled(app.button(key=key).click().run())


def troubled(plan):
    """Three quiet days, then one on which Yahoo deferred most."""
    days = tuple(START + timedelta(days=d) for d in range(4))
    sent = np.tile(plan.schedule.total[:, :1], (1, 4))
    first = np.array([[0, 0, 0, 0], [0, 0, 0, 0.7 * sent[1, 3]]]).round()
    return wp.Observations(
        SENDER.provider_names,
        days,
        sent=sent,
        attempts=sent,
        delivered=sent - first,
        deferred=first,
        first_deferred=first,
    )


def test_an_empty_page_says_what_goes_there_and_a_pasted_table_begins_a_season(folder):
    app = opened()
    assert "Your first day's numbers go here: paste, upload a log, or type three numbers" in shown(app)
    assert not list(folder.iterdir())
    app.segmented_control(key="bring").set_value(bringing.PASTE).run()
    settled(app.main.text_area[0].set_value(TABLE).run())
    assert "Read as a table." in shown(app)
    pressed(app, "bring in")
    season = wp.load_season("Small shop")
    assert season.last_day == START
    assert season.plan is not None
    said = shown(app)
    assert "Wednesday 11 November 2026, day 2 of Small shop" in said
    assert "at Yahoo" in said
    assert "180 of 300" in said


def test_a_season_survives_a_reload_with_its_alarms_and_undo(plan):
    season = wp.Season.begun(SENDER, plan).observed(troubled(plan), source="mail.log")
    wp.save_season(season)
    app = opened(season=season.name)
    said = shown(app)
    found = wp.alarms(SENDER, season.observations, season.today, season.rules)
    certain = found.certain("yahoo")
    assert certain
    for alarm in certain:  # of several limits that one count is above, the gravest is shown
        assert alarm.evidence() in said
    assert found.of("yahoo")[0].advice in said
    assert "Go on: Gmail" in said
    morning = wp.morning(season, calibrate=False, replan=False)
    assert f"To send today: {morning.messages:,} messages" in said
    assert morning.boss() in [code.value for code in app.main.code]

    pressed(app, "undo season")
    assert wp.load_season(season.name).last_day is None
    pressed(app, "redo season")
    assert wp.load_season(season.name).observations == season.observations


def test_other_rules_are_kept(plan):
    season = wp.save_season(wp.Season.begun(SENDER, plan).observed(troubled(plan)))
    app = opened(season=season.name)
    other = next(name for name in wp.alarm_rules() if name != season.rules)
    box = next(box for box in app.main.selectbox if box.label == "Whose rules")
    settled(box.set_value(other).run())
    assert wp.load_season(season.name).rules == other


def test_the_days_left_are_planned_and_followed_when_told_to(plan):
    season = wp.save_season(wp.Season.begun(SENDER, plan).observed(troubled(plan)))
    app = opened(season=season.name)
    pressed(app, "replan")
    said = shown(app)
    assert "What changed, and why" in said
    assert "you assumed" in said
    assert wp.load_season(season.name).state.plan_json == season.state.plan_json
    pressed(app, "follow plan")
    again = wp.load_season(season.name)
    assert again.plan.today == season.today
    assert again.history[-1].text.startswith("planned again")
    assert "What changed, and why" in shown(app)


def test_a_change_in_another_window_is_said_and_not_overwritten(plan):
    season = wp.save_season(wp.Season.begun(SENDER, plan).observed(troubled(plan)))
    app = opened(season=season.name)
    other = wp.save_season(season.undone())
    pressed(app, "undo season")
    assert "changed meanwhile" in shown(app)
    assert wp.load_season(season.name).revision == other.revision
    pressed(app, "open season again")
    assert "changed meanwhile" not in shown(app)


def test_a_damaged_season_is_brought_back(plan, folder):
    season = wp.save_season(wp.Season.begun(SENDER, plan))
    wp.save_season(season.observed(troubled(plan)))
    (folder / "Small shop.json").write_text("{", encoding="utf-8")
    app = opened()
    assert "cannot be read" in shown(app)
    pressed(app, "restore season Small shop")
    assert wp.load_season("Small shop").last_day is None


def test_the_example_takes_a_free_name(plan):
    mine = wp.save_season(wp.Season.begun(SENDER, name="Example"))
    for name in ("Example 2", "Example 3"):
        following.try_example(plan)
        assert wp.load_season(name).state.observations
        assert following.is_example(name)
    assert wp.load_season("Example") == mine
    assert not following.is_example("Example shop")


def test_the_example_season_ends_on_a_bad_day(plan):
    seen = following.example(plan)
    assert following.EXAMPLE_DAYS // 2 < len(seen.days) <= following.EXAMPLE_DAYS
    trouble = (seen.first_deferred / np.maximum(seen.sent, 1)).max(axis=0)
    assert trouble[-1] > 0.1
    assert np.median(trouble) < 0.1
    assert not seen.doubts(SENDER, START + timedelta(days=10))


def test_three_typed_numbers_are_a_day_and_empty_cells_are_not_known():
    typed = pd.DataFrame(pd.NA, index=["gmail", "yahoo"], columns=list(bringing.COLUMNS), dtype="Int64")
    typed.loc["yahoo", ["sent", "delivered", "complaints"]] = 300, 280, 0
    seen = bringing.counted(typed, START)
    assert seen.providers == ("yahoo",)
    assert (seen.sent.item(), seen.delivered.item(), seen.complaints.item()) == (300, 280, 0)
    assert np.isnan(seen.blocked.item())


def test_nothing_typed_begins_nothing(folder):
    app = opened()
    button = next(button for button in app.main.button if button.label == "Bring in Tue 10 Nov")
    settled(button.click().run())
    assert "Type at least what was sent" in shown(app)
    assert not list(folder.iterdir())


def test_broken_lines_are_told_with_their_numbers_and_names_stay_out(folder):
    log = (ROOT / "data" / "examples" / "mail.log").read_bytes() + b"garbage <ann.canary@example.com>\n"
    content = io.BytesIO(log)
    reading = bringing.read(content, f"{MARKUP}.log", SENDER, "", lambda share, doing="": None)
    assert reading.form == "Postfix"
    assert reading.seen.problems[-1].line == log.count(b"\n")
    assert "canary" not in repr(reading)
    with pytest.raises(wp.InputError, match="neither a log nor a table"):
        bringing.read(io.BytesIO(b"hello\nworld\n"), "x.txt", SENDER, "", lambda share, doing="": None)
