"""Edits of a schedule, their undo, and the link that carries them."""

import base64
import json
import re
import zlib
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import planner as wp
from planner.ui import edits, links
from planner.ui.edits import Edits, History
from planner.ui.links import Inputs, packed, unpacked

DAY = date(2027, 1, 11)
NEXT = DAY + timedelta(days=1)


def sender(**changes):
    data = {
        "audience": {"providers": {"gmail": 60, "yahoo": 40}},
        "target": {"volume": 3_000},
        "send_days": "weekdays",
        "n_ips": 1,
        "domain": "used",
        "start": "2027-01-11",
    }
    return wp.Sender.from_dict({**data, **changes})


# --- undo


def test_each_step_can_be_taken_back():
    typed = History().typed({"gmail": {DAY: 5}}).typed({"gmail": {DAY: 5, NEXT: 7}})
    assert typed.now == Edits(typed={"gmail": {DAY: 5, NEXT: 7}})
    assert typed.edition == 0  # the table on screen stays while people type
    locked = typed.locked()
    assert locked.now == Edits(locked={"gmail": {DAY: 5, NEXT: 7}})
    again = locked.typed({"yahoo": {DAY: 1}})
    assert again.now == Edits(locked={"gmail": {DAY: 5, NEXT: 7}}, typed={"yahoo": {DAY: 1}})
    back = again.undone()
    assert back.now == locked.now
    assert back.undone().now == typed.now
    assert back.undone().undone().now == Edits(typed={"gmail": {DAY: 5}})
    assert not back.undone().undone().undone().now
    assert not History().undone().now


def test_a_change_from_elsewhere_is_a_step_of_its_own():
    changed = History().typed({"gmail": {DAY: 5}}).changed({"yahoo": {NEXT: 1}})
    assert changed.now == Edits(typed={"gmail": {DAY: 5}, "yahoo": {NEXT: 1}})
    assert changed.shown == changed.now  # the table is drawn again
    assert changed.changed({"yahoo": {NEXT: 1}}) is changed
    assert changed.undone().now == Edits(typed={"gmail": {DAY: 5}})


def test_after_an_undo_the_table_is_drawn_from_what_is_left():
    back = History().typed({"gmail": {DAY: 5}}).typed({"gmail": {DAY: 5, NEXT: 7}}).undone()
    assert back.shown == back.now
    assert back.edition == 1
    assert back.typed({"gmail": {NEXT: 9}}).now.typed == {"gmail": {DAY: 5, NEXT: 9}}


def test_what_changes_nothing_is_no_step():
    history = History().typed({"gmail": {DAY: 5}})
    assert history.typed({"gmail": {DAY: 5}}) is history
    assert History().dropped() == History()
    assert not history.dropped().now
    assert history.dropped().undone().now == history.now


# --- the table


def test_the_table_has_days_with_mail_and_what_is_typed_stays_within_what_is_asked():
    mailer = sender()
    volume = np.full((2, 1, 8), 100.0)
    frame = edits.sheet(mailer, wp.Schedule(("gmail", "yahoo"), ("all",), mailer.dates(8), volume))
    assert [day.weekday() for day in frame.index] == [0, 1, 2, 3, 4, 0]
    rows = {0: {"gmail": 5_000, "yahoo": None}, 5: {"gmail": 30.4, "note": "x"}}
    assert edits.read(mailer, frame, rows) == {
        "gmail": {DAY: 1_800, DAY + timedelta(days=7): 30},
        "yahoo": {DAY: 0},
    }


# --- the link

PRIORS = {"gmail": {"daily_growth": {"low": 1.1, "typical": 1.2, "high": 1.4}}}
RETRY = {"gmail": wp.RetryPolicy(first_seconds=600), "yahoo": wp.RetryPolicy(first_seconds=900, growth=2)}


def test_a_link_carries_everything():
    inputs = Inputs(sender(), {"gmail": {DAY: 3}}, {"yahoo": {NEXT: 0}}, PRIORS, RETRY)
    text = packed(inputs)
    assert unpacked(text) == inputs
    assert re.fullmatch(r"[\w-]+", text)
    assert len(text) < 900


def test_too_many_edits_stay_behind_and_too_large_a_sender_has_no_link():
    days = {DAY + timedelta(days=n): 1_000_003 * n % 999_983 for n in range(400)}
    assert unpacked(packed(Inputs(sender(), {"gmail": days}))) == Inputs(sender())
    noise = np.random.default_rng(1)
    segments = [{"name": noise.bytes(60).hex(), "share": 1} for _ in range(20)]
    large = sender(audience={"providers": {"gmail": 1}, "segments": segments})
    assert packed(Inputs(large)) is None


def link(data):
    return links.VERSION + base64.urlsafe_b64encode(zlib.compress(json.dumps(data).encode())).decode().rstrip("=")


GOOD = {"sender": sender().to_yaml()}
BOMB = links.VERSION + base64.urlsafe_b64encode(zlib.compress(b"[" * 900_000)).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "9abc",
        "1",
        "1!!!",
        "1é",
        "1" * 5_000,
        packed(Inputs(sender()))[:-9],
        BOMB,
        link([]),
        link("[" * 30_000),
        link({}),
        link({"sender": 5}),
        link({"sender": "audience: ["}),
        link({"sender": "&a [*a, *a]"}),
        link(GOOD | {"typed": {"gmail": {"yesterday": 1}}}),
        link(GOOD | {"typed": {"gmail": {"2027-01-11": -1}}}),
        link(GOOD | {"typed": {"gmail": {"2027-01-11": "=1"}}}),
        link(GOOD | {"locked": 1}),
        link(GOOD | {"priors": {"gmail": {"daily_growth": {"low": "x"}}}}),
        link(GOOD | {"retry": {"gmail": {"first_seconds": -1}}}),
    ],
    ids=range(20),
)
def test_a_wrong_link_is_refused_in_words(text):
    with pytest.raises(wp.InputError, match=r"[Ll]ink|audience|sender"):
        unpacked(text)


@given(st.text(max_size=60))
def test_no_text_breaks_the_reader(text):
    with pytest.raises(wp.InputError):
        unpacked("1" + text)


def test_a_link_of_another_sender_is_that_sender():
    assert unpacked(link(GOOD)) == Inputs(sender())
    assert replace(Inputs(sender()), typed={"gmail": {DAY: 1}}) != Inputs(sender())
