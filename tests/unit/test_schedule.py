"""Schedules: checks, frames, JSON, meeting a sender, and published tables worked by hand."""

import json
import pickle
from datetime import date

import numpy as np
import pandas as pd
import pytest

from planner.errors import InputError
from planner.inputs import schedule as module
from planner.inputs.catalogue import PublishedSchedule, catalogue
from planner.inputs.schedule import Schedule, for_sender, published
from planner.inputs.sender import Sender

DAYS = (date(2027, 1, 11), date(2027, 1, 12), date(2027, 1, 13))
TWO = Schedule(("gmail", "yahoo"), ("all",), DAYS, np.arange(6.0).reshape(2, 1, 3))


def sender(**changes):
    data = {
        "audience": {"providers": {"gmail": 60, "yahoo": 40}},
        "target": {"volume": 1000},
        "send_days": "daily",
        "n_ips": 1,
        "domain": "used",
        "start": "2027-01-11",
    }
    return Sender.from_dict({**data, **changes})


# --- the value itself


def test_schedules_are_equal_by_value_and_read_only():
    again = Schedule(["gmail", "yahoo"], ["all"], list(DAYS), TWO.volume.tolist())
    assert again == TWO
    assert hash(again) == hash(TWO)
    assert Schedule(TWO.providers, TWO.segments, DAYS, TWO.volume + 1) != TWO
    assert TWO.total.tolist() == [[0, 1, 2], [3, 4, 5]]
    with pytest.raises(ValueError, match="read-only"):
        TWO.volume[0, 0, 0] = 9


def test_copies_in_other_processes_stay_read_only():
    again = pickle.loads(pickle.dumps(TWO))  # noqa: S301 - our own bytes
    assert again == TWO
    assert not again.volume.flags.writeable


def test_a_schedule_keeps_its_own_copy():
    volume = np.ones((1, 1, 1))
    own = Schedule(("gmail",), ("all",), DAYS[:1], volume)
    volume[:] = 7
    assert own.volume.item() == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"volume": np.ones((2, 1, 2))}, "has shape (2, 1, 2), its labels (2, 1, 3)"),
        ({"volume": np.full((2, 1, 3), np.nan)}, "volume is nan (gmail, all, 2027-01-11)"),
        ({"volume": np.full((2, 1, 3), -1.0)}, "Write a number from 0 to 10,000,000,000"),
        ({"volume": np.full((2, 1, 3), np.inf)}, "volume is inf"),
        ({"providers": ("gmail", "gmail")}, "names 'gmail' twice"),
        ({"providers": ()}, "has no providers"),
        ({"providers": ("gmail", 7)}, "must be words"),
        ({"dates": (DAYS[0], DAYS[2], DAYS[1])}, "jumps from 2027-01-11 to 2027-01-13"),
        ({"dates": ()}, "has 0 days"),
    ],
)
def test_what_does_not_fit_is_refused(change, says):
    parts = {"providers": TWO.providers, "segments": TWO.segments, "dates": DAYS, "volume": TWO.volume}
    with pytest.raises(InputError) as refused:
        Schedule(**{**parts, **change})
    assert says in str(refused.value)


# --- frames and JSON


def test_frames_and_json_come_back():
    assert TWO.to_frame().columns.tolist() == ["provider", "segment", "date", "volume"]
    assert Schedule.from_frame(TWO.to_frame()) == TWO
    assert Schedule.from_json(TWO.to_json()) == TWO


def test_a_csv_with_gaps_numbers_and_no_segment():
    frame = pd.DataFrame(
        {
            "date": ["2027-01-11", "2027-01-13", "2027-01-12"],
            "provider": ["gmail", "gmail", 163],
            "volume": [5, "20", 7.5],
        }
    )
    found = Schedule.from_frame(frame)
    assert found.providers == ("gmail", "163")
    assert found.total.tolist() == [[5, 0, 20], [0, 7.5, 0]]


def rows(**columns):
    plain = {"provider": ["gmail", "gmail"], "date": ["2027-01-11", "2027-01-12"], "volume": [5, 6]}
    return pd.DataFrame({**plain, **columns})


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (
            rows(volume=[5, "12,O00"]),
            "Row 2, column volume is '12,O00', not a number. Write digits only: 12000.",
        ),
        (rows(volume=[5, np.nan]), "Row 2, column volume is nan, not a finite number"),
        (rows(volume=[-5, 1]), "Row 1, column volume is -5. Write a number from 0"),
        (rows(volume=[True, False]), "Row 1, column volume is true, not a number"),
        (
            rows(date=["2027-01-11", "2027-02-30"]),
            "Row 2, column date is '2027-02-30', not a date: February 2027",
        ),
        (rows(date=pd.to_datetime(["2027-01-11", None])), "Row 2, column date is NaT, missing"),
        (rows(date=["2027-01-11", "2037-01-11"]), "3,654 days. Give 1 to 730"),
        (rows(date=["2027-01-11", "2027-01-11"]), "Rows 1 and 2 both give gmail, all, 2027-01-11"),
        (rows(provider=["gmail", None]), "Row 2, column provider is"),
        (rows().rename(columns={"volume": "volumes"}), "lacks the column 'volume'. Is it 'volumes'?"),
        (rows().drop(columns="date"), "lacks the column 'date'"),
        (rows(segmnt=["a", "b"]), "Unknown column 'segmnt'. Did you mean 'segment'?"),
        (rows().iloc[:0], "The table has 0 rows"),
    ],
)
def test_tables_are_refused_by_row_and_column(frame, says):
    with pytest.raises(InputError) as refused:
        Schedule.from_frame(frame)
    assert says in str(refused.value)


def stored(**changes):
    plain = {"format": 1, "providers": ["a"], "segments": ["all"], "start": "2027-01-11", "volume": [[[1]]]}
    return json.dumps({**plain, **changes})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{}", "format is missing"),
        ("{", "The schedule is no JSON"),
        ('{"volume": NaN}', "The schedule holds what no plan holds"),
        ("[" * 100_000, "The schedule holds what no plan holds"),
        ("[1]", "the file is [1], not a group of fields"),
        (stored(format=2), "format is 2; this version reads format 1"),
        (stored(volume=[[[1], [1, 2]]]), "the same length"),
        (stored(volume=[[["x"]]]), "volume[0][0][0] is 'x', not a number"),
    ],
)
def test_json_is_refused_by_field(text, says):
    with pytest.raises(InputError) as refused:
        Schedule.from_json(text)
    assert says in str(refused.value)


# --- meeting a sender


def test_providers_meet_by_name():
    turned = Schedule(("yahoo", "gmail"), ("all",), DAYS, TWO.volume[::-1])
    assert for_sender(turned, sender()) == TWO


def test_missing_and_surplus_providers_are_named():
    gmail = Schedule(("gmail",), ("all",), DAYS, TWO.volume[:1])
    with pytest.raises(InputError, match="Schedule lacks the provider 'yahoo' that the sender mails"):
        for_sender(gmail, sender())
    with pytest.raises(InputError, match="Schedule mails 'yahoo', which is not in"):
        for_sender(TWO, sender(audience={"providers": {"gmail": 1}}))


def test_days_meet_by_date():
    later = sender(start="2027-01-09")
    assert for_sender(TWO, later).total.tolist() == [[0, 0, 0, 1, 2], [0, 0, 3, 4, 5]]
    with pytest.raises(InputError, match="before the sender's start 2027-01-12"):
        for_sender(TWO, sender(start="2027-01-12"))


def test_segments_meet_by_name():
    segments = [{"name": "engaged", "share": 1}, {"name": "rest", "share": 1}]
    own = sender(audience={"providers": {"gmail": 1}, "segments": segments})
    volume = np.array([[[1.0], [2.0]]])
    found = for_sender(Schedule(("gmail",), ("rest", "engaged"), DAYS[:1], volume), own)
    assert (found.segments, found.volume.tolist()) == (("engaged", "rest"), [[[2], [1]]])
    with pytest.raises(InputError, match="lacks the segment 'rest'"):
        for_sender(Schedule(("gmail",), ("engaged",), DAYS[:1], volume[:, :1]), own)


# --- published tables


@pytest.fixture
def table(monkeypatch):
    """Put one table of our own in the place of the published ones."""

    def put(per="sender", **steps):
        columns = {
            name.replace("_", "-"): [{"days": 1, "volume": v} if not isinstance(v, dict) else v for v in volumes]
            for name, volumes in steps.items()
        }
        plain = next(iter(catalogue().schedules.values())).model_dump()
        made = PublishedSchedule.model_validate({**plain, "id": "own", "same_as": None, "per": per, "steps": columns})
        monkeypatch.setattr(module, "_published", lambda _: made)

    return put


def test_a_table_for_all_is_split_by_shares_and_held(table):
    table(all=[10, {"days": 2, "volume": 21}])
    assert published("own", sender(), 5).total.tolist() == [[6, 13, 13, 13, 13], [4, 8, 8, 8, 8]]


def test_a_table_per_ip_is_multiplied_and_scaled(table):
    table(per="ip", all=[10])
    assert published("own", sender(n_ips=2), 1).total.tolist() == [[12], [8]]
    assert published("own", sender(n_ips=2), 1, scale=0.5).total.tolist() == [[6], [4]]


def test_nothing_exceeds_the_demand(table):
    table(all=[10, 1_000_000])
    assert published("own", sender(), 2).total.tolist() == [[6, 600], [4, 400]]


def test_days_without_mail_do_not_use_up_steps(table):
    table(all=[10, 20, 30])
    own = sender(send_days=["mon", "thu"])
    assert published("own", own, 9).total.sum(axis=0).tolist() == [10, 0, 0, 20, 0, 0, 0, 30, 0]


def test_columns_others_and_the_rest(table):
    table(gmail=[5], other=[7])
    assert published("own", sender(), 1).total.tolist() == [[5], [7]]
    table(gmail=[6])  # 6 for 60 % of the mail: 4 for 40 %
    assert published("own", sender(), 1).total.tolist() == [[6], [4]]
    table(icloud=[6], comcast=[8])  # none of ours: the mean column
    assert published("own", sender(), 1).total.tolist() == [[7], [7]]


def test_a_provider_admitted_later_begins_at_the_first_step(table):
    table(gmail=[5, 6, 7], t_online=[1, 2, 3])
    own = sender(audience={"providers": {"gmail": 1, "t-online": 1}}, admissions={"t-online": "2027-01-12"})
    assert published("own", own, 3).total.tolist() == [[5, 6, 7], [0, 1, 2]]


def test_every_published_table_fits_every_length():
    for name in catalogue().schedules:
        found = published(name, sender())
        assert found.volume.shape == (2, 1, 90)
        assert (found.total == np.round(found.total)).all()
        assert found.total.sum() > 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("one-signal", 5, 1.0), "Did you mean 'onesignal'?"),
        (("onesignal", 0, 1.0), "days is 0"),
        (("onesignal", 3650, 1.0), "out of reach"),
        (("onesignal", 5, -1.0), "scale is -1"),
        (("onesignal", 5, float("nan")), "scale is nan"),
    ],
)
def test_published_refuses_what_makes_no_sense(arguments, says):
    name, days, scale = arguments
    with pytest.raises(InputError) as refused:
        published(name, sender(), days, scale=scale)
    assert says in str(refused.value)
