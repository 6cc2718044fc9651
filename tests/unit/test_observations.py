"""Counts by provider and day: what can be known, what is refused, and that no address gets in."""

from __future__ import annotations

import json
import pickle
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

import planner as wp
from planner.errors import InputError
from planner.observing.observations import MAX_PROBLEMS, Observations, Problem
from planner.vocabulary import Cause

DAYS = (date(2026, 11, 25), date(2026, 11, 26))
CANARY = "canary.bird"
NAN = float("nan")


def frame(*rows, columns=("date", "provider", "sent", "delivered")):
    return pd.DataFrame(list(rows), columns=list(columns))


def seen(**counts):
    return Observations(("gmail", "yahoo"), DAYS, **counts)


# --- the value


def test_what_is_not_given_is_not_known():
    one = seen(sent=[[1, 2], [3, NAN]])
    assert_array_equal(one.sent, [[1, 2], [3, NAN]])
    assert np.isnan(one.delivered).all()
    assert one.deferred_by_cause.shape == (2, 2, len(Cause))
    assert np.isnan(one.deferred_by_cause).all()


def test_counts_are_copied_and_read_only():
    given = np.ones((2, 2))
    one = seen(sent=given)
    given[0, 0] = 7
    assert one.sent[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        one.sent[0, 0] = 2


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"sent": [[1, 2]]}, r"sent has shape \(1, 2\), its labels \(2, 2\)"),
        ({"sent": [[1, 2], [3, -4]]}, r"sent is -4 \(yahoo, 2026-11-26\)"),
        ({"delivered": [[1, 2], [0.5, 4]]}, r"delivered is 0.5 \(yahoo, 2026-11-25\)"),
        ({"sent": [[1, 2], [3, 1e12]]}, r"sent is 1e\+12"),
        ({"sent": [[1, 2], [3, float("inf")]]}, "sent is inf"),
        ({"sent": [["a", 2], [3, 4]]}, "sent holds what is no number"),
        ({"deferred_by_cause": np.zeros((2, 2, 3))}, "deferred_by_cause has shape"),
    ],
)
def test_wrong_counts_are_refused_with_their_place(counts, said):
    with pytest.raises(InputError, match=said):
        seen(**counts)


@pytest.mark.parametrize(
    ("providers", "days", "said"),
    [
        ((), DAYS, "0 providers"),
        (("gmail", "gmail"), DAYS, "'gmail' is named twice"),
        ((f"{CANARY}@gmail.com",), DAYS, "no id of letters"),
        (("gmail",), (DAYS[1], DAYS[0]), "jumps from 2026-11-26 to 2026-11-25"),
        (("gmail",), (pd.Timestamp("2026-11-25"),), "days without a time"),
    ],
)
def test_wrong_labels_are_refused(providers, days, said):
    with pytest.raises(InputError, match=said) as caught:
        Observations(providers, days)
    assert CANARY not in str(caught.value)


def test_equal_when_the_same_is_known_whatever_the_order():
    one = Observations(("gmail", "yahoo"), DAYS, sent=[[1, 2], [3, NAN]])
    other = Observations(("yahoo", "gmail"), DAYS, sent=[[3, NAN], [1, 2]])
    assert one == other
    assert hash(one) == hash(other)
    assert one != Observations(("yahoo", "gmail"), DAYS, sent=[[3, 0], [1, 2]])
    assert one != "gmail"


def test_survives_pickling_read_only():
    one = seen(sent=[[1, 2], [3, NAN]], deferred_by_cause=np.ones((2, 2, len(Cause))), notes=("Said.",))
    copy = pickle.loads(pickle.dumps(one))  # noqa: S301
    assert copy == one
    assert not copy.sent.flags.writeable


# --- tables


def test_frame_needs_little():
    one = Observations.from_frame(frame(("2026-11-25", "gmail", 50, 49), ("2026-11-27", "yahoo", 10, None)))
    assert one.providers == ("gmail", "yahoo")
    assert one.days[0] == date(2026, 11, 25)
    assert_array_equal(one.sent, [[50, NAN, NAN], [NAN, NAN, 10]])
    assert_array_equal(one.delivered, [[49, NAN, NAN], [NAN, NAN, NAN]])


def test_frame_resolves_names():
    rows = frame((DAYS[0], "Hotmail", 5, 5), (DAYS[0], "googlemail.com", 6, 6), (DAYS[0], 163, 7, 7))
    assert Observations.from_frame(rows).providers == ("microsoft", "gmail", "163")


def test_frame_round_trip_keeps_the_order():
    by_cause = np.arange(28.0).reshape(2, 2, 7)
    one = Observations(("yahoo", "gmail"), DAYS, sent=[[1, NAN], [3, 4]], deferred_by_cause=by_cause)
    again = Observations.from_frame(one.to_frame())
    assert again == one
    assert again.providers == one.providers
    assert list(one.to_frame().columns[:4]) == ["date", "provider", "sent", "attempts"]
    assert one.to_frame()["deferred_penalty"].tolist() == by_cause[:, :, 1].ravel().tolist()


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (("2026-11-31", "gmail", 1, 1), "Row 2, column date is '2026-11-31', not a date"),
        ((DAYS[0], "gmial", 1, 1), "Row 2: Unknown provider 'gmial'. Did you mean 'gmail'"),
        ((DAYS[0], "Gmail + Yahoo", 1, 1), "Row 2: 'Gmail [+] Yahoo' is gmail and yahoo: give each a row"),
        ((DAYS[0], "", 1, 1), "Row 2, column provider is '', not a name"),
        ((DAYS[0], "gmail", -1, 1), "Row 2, column sent is -1, not a count"),
        ((DAYS[0], "gmail", 1, 0.98), "Row 2, column delivered is 0.98, not a count. It looks like a share"),
        ((DAYS[0], "gmail", "many", 1), "Row 2, column sent is 'many', not a number"),
        ((DAYS[0], "gmail", True, 1), "Row 2, column sent"),
        ((DAYS[1], "gmail", 5, 5), "Rows 1 and 2 both give gmail on 2026-11-26. Add them up if"),
    ],
)
def test_wrong_cells_are_refused_with_row_and_column(row, said):
    with pytest.raises(InputError, match=said):
        Observations.from_frame(frame((DAYS[1], "Gmail", 1, 1), row))


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (("date", "provider", "send", "delivered"), "lacks the column 'sent'. Is it 'send'"),
        (("date", "provider", "sent", "delivred"), "Unknown column 'delivred'. Did you mean 'delivered'"),
        (("date", "provider", "sent", "sent"), "column 'sent' twice"),
    ],
)
def test_wrong_columns_are_refused(columns, said):
    with pytest.raises(InputError, match=said):
        Observations.from_frame(frame((DAYS[0], "gmail", 1, 1), columns=columns))


def test_empty_table_is_refused():
    with pytest.raises(InputError, match="0 rows"):
        Observations.from_frame(frame())


def test_years_apart_are_refused():
    with pytest.raises(InputError, match="check the years"):
        Observations.from_frame(frame((DAYS[0], "gmail", 1, 1), ("2062-11-25", "gmail", 1, 1)))


def test_totals_are_sums_of_what_is_known():
    totals = seen(sent=[[1, 2], [0, NAN]], delivered=[[NAN, NAN], [3, NAN]]).totals().set_index("provider")
    assert totals["days"].tolist() == [2, 0]
    assert totals["sent"].tolist() == [3, 0]
    assert_array_equal(totals["delivered"], [NAN, 3])


# --- several readings


def test_later_reading_counts_where_it_knows():
    first = Observations(("gmail",), DAYS, sent=[[10, 20]], delivered=[[9, 19]])
    typed = Observations(("gmail", "yahoo"), DAYS[1:], complaints=[[2], [1]], delivered=[[20], [NAN]])
    both = first.merge(typed)
    assert both.providers == ("gmail", "yahoo")
    assert_array_equal(both.sent, [[10, 20], [NAN, NAN]])
    assert_array_equal(both.delivered, [[9, 20], [NAN, NAN]])
    assert_array_equal(both.complaints, [[NAN, 2], [NAN, 1]])


def test_same_log_twice_does_not_double():
    one = seen(sent=[[1, 2], [3, NAN]], problems=[Problem("a.log", 3, "cut off")])
    assert one.merge(one) == one


def test_later_reading_of_a_part_is_pointed_out():
    noted = Observations(("gmail",), DAYS, sent=[[10, 20]]).merge(Observations(("gmail",), DAYS, sent=[[10, 5]])).notes
    assert len(noted) == 1
    assert "Thursday 26 November 2026 the later reading has 5 messages to Gmail, the earlier 20" in noted[0]


def test_counts_of_other_mail_add_up():
    one = Observations(("gmail",), DAYS, sent=[[10, NAN]], complaints=[[1, NAN]])
    other = Observations(("gmail",), DAYS, sent=[[5, 7]])
    both = one.add(other)
    assert_array_equal(both.sent, [[15, 7]])
    assert_array_equal(both.complaints, [[NAN, NAN]])  # the second server's complaints are not known


def test_until_is_the_end_of_a_day():
    one = seen(sent=[[1, 2], [3, 4]])
    assert one.until(DAYS[0]).days == DAYS[:1]
    assert_array_equal(one.until(DAYS[0]).sent, [[1], [3]])
    assert one.until(date(2027, 1, 1)) == one
    nothing = one.until(date(2026, 11, 1))
    assert nothing.days == ()
    assert Observations.from_json(nothing.to_json()) == nothing
    assert nothing.merge(one) == one


def test_for_a_sender_in_its_order():
    sender = wp.Sender.from_dict(
        {
            "audience": {"providers": {"yahoo": 40, "gmail": 60}},
            "target": {"volume": 400},
            "send_days": "daily",
            "start": "2026-11-26",
            "n_ips": 1,
            "domain": "used",
        }
    )
    days = tuple(date(2026, 11, d) for d in (24, 25, 26, 27))
    one = Observations(("gmail", "icloud"), days, sent=[[1, 2, 3, 4], [5, 6, 7, 8]]).for_sender(sender)
    assert one.providers == ("yahoo", "gmail")
    assert one.days == days[2:]
    assert_array_equal(one.sent, [[NAN, NAN], [3, 4]])
    assert one.notes == (
        "2 days before the sender's start 2026-11-26 were left out.",
        "15 messages to icloud were left out: not in audience.providers.",
    )
    late = Observations(("gmail",), days[3:], sent=[[4]]).for_sender(sender)
    assert_array_equal(late.sent, [[NAN, NAN], [NAN, 4]])
    assert Observations(("gmail",), days[:1], sent=[[4]]).for_sender(sender).days == ()
    far = tuple(date(2028, 11, 24) + timedelta(days=d) for d in range(3))
    cut = Observations(("gmail",), far, sent=[[1, 2, 3]]).for_sender(sender)
    assert len(cut.days) == 730
    assert cut.sent[1, -1] == 1
    assert cut.notes == ("2 days more than 730 days after the start were left out.",)


# --- JSON


def test_json_is_short_and_readable():
    stored = json.loads(seen(sent=[[1, 2], [3, NAN]]).to_json())
    assert stored["format"] == 1
    assert stored["start"] == "2026-11-25"
    assert stored["counts"] == {"sent": [[1, 2], [3, None]]}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 2}, "reads format 1"),
        ({"kind": "plan"}, "kind is 'plan', not observations"),
        ({"counts": {"sent": [[1, 2]]}}, "counts.sent is not 2 rows of 2 days"),
        ({"counts": {"sent": [[1, 2], [3]]}}, "counts.sent is not 2 rows of 2 days"),
        ({"counts": {"opens": [[1, 2], [3, 4]]}}, "unknown entry 'opens'"),
        ({"counts": {"sent": [[1, 2], [3, -4]]}}, "sent is -4"),
        ({"n_days": 10**9}, "n_days is 1000000000"),
        ({"start": None}, "does not go with start"),
        ({"providers": ["gmail", "no one@example.org"]}, "no id of letters"),
        ({"surplus": 1}, "Unknown field 'surplus'"),
    ],
)
def test_damaged_json_is_refused(change, said):
    stored = seen(sent=[[1, 2], [3, NAN]]).to_dict() | change
    with pytest.raises(InputError, match=said):
        Observations.from_dict(stored)


# --- other people's text


def test_no_address_gets_in():
    text = f'cannot read to=<{CANARY}@example.org> or "{CANARY}"@example.org, {CANARY}+tag@[192.0.2.1]\x00\u202e'
    one = seen(
        sent=[[1, 2], [3, 4]],
        problems=[Problem(f"{CANARY}@host.log", 7, text)],
        notes=(f"Read from {CANARY}@example.org.",),
    )
    for shown in (
        repr(one),
        str(one),
        one.to_json(),
        one.summary(),
        one._repr_html_(),
        pickle.dumps(one).decode("latin-1"),
    ):
        assert CANARY not in shown
    assert "…@example.org" in one.summary()
    assert one.problems[0].text.isprintable()


@pytest.mark.parametrize(
    "text",
    [
        f"to={CANARY}@example.org",
        f"{CANARY}=example.org@bounces.example.net",
        f"o'{CANARY}@example.org",
        f"/unsubscribe?u={CANARY}%40example.org",
        f"{'x' * 400}{CANARY}@example.org",
        "ann@example.org " * 79 + f"{CANARY}{'x' * 40}@example.org",
        f"<{CANARY}@[192.0.2.1]>",
        f'"{CANARY} lee"@example.org',
    ],
)
def test_text_loses_names_in_all_their_forms(text):
    assert CANARY not in Problem("a.log", 1, text).text


def test_refusals_do_not_repeat_addresses():
    rows = [
        (DAYS[0], f"{CANARY}@gmail.com", 1, 1),
        (DAYS[0], "gmail", f"{CANARY}@gmail.com", 1),
        (f"{CANARY}@gmail.com", "gmail", 1, 1),
    ]
    for row in rows:
        with pytest.raises(InputError) as caught:
            Observations.from_frame(frame(row))
        assert CANARY not in str(caught.value)
    with pytest.raises(InputError) as caught:
        Observations.from_frame(
            frame((DAYS[0], "gmail", 1, 1), columns=("date", "provider", "sent", f"{CANARY}@a.org"))
        )
    assert CANARY not in str(caught.value)


def test_problems_are_capped_and_counted():
    one = seen(problems=[Problem("a.log", n, "cut off") for n in range(1, 301)])
    assert len(one.problems) == MAX_PROBLEMS
    assert one.n_problems == 300
    assert Observations.from_json(one.to_json()) == one
    assert "300 problems; the first: a.log:1: cut off" in one.summary()


def test_html_is_escaped():
    page = seen(sent=[[1, 2], [3, 4]], notes=("<script>alert(1)</script>",))._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "gmail" in page


@pytest.mark.parametrize("given", [[1, 2], None, {"date": []}, "counts.csv"])
def test_what_is_no_table_is_said(given):
    with pytest.raises(InputError, match=f"not {type(given).__name__}. For a file"):
        Observations.from_frame(given)


def test_blanks_around_the_at_hide_no_name():
    with pytest.raises(InputError) as caught:
        Observations.from_frame(frame((DAYS[0], "gmail", f"{CANARY} @ gmail.com", 1)))
    assert CANARY not in str(caught.value)
