"""The page Diagnose without a browser: a reply is pasted, read, and slows the ramp down."""

import re
import time
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

import planner as wp
from planner.ui import links
from planner.ui.views.diagnose import BOX, EXAMPLES

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 300
GREYLISTED = "450 4.2.0 <jane.doe@example.com>: Recipient address rejected: Greylisted"
MARKUP = "550 5.7.1 **bold** [x](https://evil.example) <b>spam</b> :red[see] $x$ rejected as spam"


def settled(app):
    """Wait for the jobs of a visit, as the page's own clock would."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while any(button.label == "Stop" for button in app.button):
        assert time.monotonic() < deadline
        time.sleep(0.1)
        app.run()
    return app


@pytest.fixture
def page():
    """The page with nothing pasted."""
    app = settled(AppTest.from_file(str(ROOT / "app.py"), default_timeout=PATIENCE_SECONDS).run())
    app._page_hash = calc_hash("diagnose")  # pages that are functions have no path to switch to
    app.run()
    app._page_hash = ""  # from now on the page that a run ended on
    return app


def pasted(app, text):
    return settled(app.text_area(key=BOX).set_value(text).run())


def shown(app):
    kinds = (app.main.subheader, app.main.markdown, app.main.caption, app.main.warning, app.main.info)
    text = "\n".join(element.value for kind in kinds for element in kind)
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", text)


def typed(app):
    """Cells that were changed in the plan."""
    seen = app.session_state["visit"]
    return seen.histories[seen.last.order.name()].now.typed


def test_an_example_is_answered(page):
    assert not page.exception
    labels = [button.label for button in page.main.button]
    assert labels == list(EXAMPLES)
    app = settled(page.main.button[0].click().run())
    assert not app.exception
    one = wp.diagnose(EXAMPLES[labels[0]])
    for said in (one.answer, one.next_step, *one.do, *one.check, one.retry_says, one.tomorrow_says):
        assert said in shown(app)
    assert app.main.code[-1].value == one.ticket()


def test_several_are_counted(page):
    app = pasted(page, EXAMPLES["Several at once"])
    assert not app.exception
    found = wp.diagnose_all(EXAMPLES["Several at once"])
    assert app.main.subheader[0].value.replace("\\", "") == found.headline()
    assert app.main.dataframe[0].value["Times"].tolist() == [one.count for one in found]
    assert len(app.main.get("plotly_chart")) == 1
    gravest = found.gravest()
    assert gravest is not None
    assert gravest.answer in shown(app)


def test_what_is_no_reply_is_said(page):
    app = pasted(page, "hello")
    assert not app.exception
    assert app.main.subheader[0].value.startswith("No mail reply")


def test_text_of_others_is_no_markup_and_nobody_is_named(page):
    app = pasted(page, f"{MARKUP}\n{GREYLISTED}")
    assert not app.exception
    written = [element.value for kind in (app.main.subheader, app.main.markdown, app.main.caption) for element in kind]
    for raw in ("**bold**", "](https://evil.example)", "<b>", ":red["):
        assert not any(raw in text for text in written)
    assert "jane.doe" not in shown(app) + app.main.code[-1].value + str(app.main.dataframe[0].value.to_dict())
    link = app.query_params.get("s")
    assert link is None or GREYLISTED not in links.unpacked(link[0]).sender.to_yaml()


def test_a_reply_holds_tomorrow_s_ramp_and_undo_takes_it_back(page):
    app = pasted(page, EXAMPLES["A line of a log"])
    button = next(one for one in app.main.button if one.key == "brake")
    assert button.label == "Hold tomorrow's ramp"
    before = app.session_state["visit"].last.plan.schedule
    row = before.providers.index("gmail")
    app = settled(button.click().run())
    assert not app.exception
    assert not app.main.header  # the page Plan has none
    held = app.session_state["visit"].last.edited.schedule.total[row]
    number = before.dates.index(min(typed(app)["gmail"]))
    assert held[number] == held[number - 1] < before.total[row, number]
    mailed = [day for day in range(number, len(held)) if before.total[row, day]]
    planned = before.total[row, mailed]
    assert held[mailed[1:]].tolist() == np.minimum(planned[:-1], planned[1:]).tolist()
    assert app.main.info[0].value.startswith("Gmail")
    assert "move back by a send day" in app.main.info[0].value
    next(one for one in app.main.button if one.key == "undo brake").click()
    app = settled(app.run())
    assert app.session_state["visit"].last.edited.schedule == before
    assert not app.main.info


def test_who_is_meant_is_asked_where_the_text_does_not_tell(page):
    app = pasted(page, "421 too many messages from your address, slow down")
    one = wp.diagnose("421 too many messages from your address, slow down")
    assert (one.provider, one.tomorrow) == (None, "hold")
    whom = next(box for box in app.main.selectbox if box.key == "brake whom")
    assert whom.value == "all"
    app = settled(whom.select("yahoo").run())
    app = settled(next(one for one in app.main.button if one.key == "brake").click().run())
    assert set(typed(app)) == {"yahoo"}
