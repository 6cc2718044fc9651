"""Senders: calendars, demand, history, segments and the day, worked by hand."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from planner.errors import InputError
from planner.inputs.audience import Audience
from planner.inputs.sender import Sender

EXAMPLES = sorted((Path(__file__).parents[2] / "data" / "examples").glob("*.yaml"))


def sender(**changes):
    """60 % Gmail, 40 % Yahoo, 1,000 a day from Monday 11 January 2027."""
    plain = Sender.from_dict(
        {
            "audience": {"providers": {"gmail": 60, "yahoo": 40}},
            "target": {"volume": 1000},
            "send_days": "daily",
            "n_ips": 1,
            "domain": "used",
            "start": "2027-01-11",
        }
    )
    return plain.changed({name.replace("__", "."): value for name, value in changes.items()})


# --- examples


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_load_and_come_back(path, tmp_path):
    example = Sender.load(path)
    for name in ("copy.yaml", "copy.yml", "copy.json"):
        example.save(tmp_path / name)
        assert Sender.load(tmp_path / name) == example
    assert Sender.from_json(example.to_json()) == example
    assert Sender.from_text(path.read_bytes(), "upload.yaml") == example


def test_examples_are_those_that_the_readme_names():
    assert [path.stem for path in EXAMPLES] == [
        "b2b",
        "newsletter",
        "saas-transactional",
        "shop-migration",
        "weekly-newsletter",
    ]


def test_the_newsletter():
    newsletter = Sender.load(EXAMPLES[1])
    assert newsletter.provider_names == (
        "gmail", "microsoft", "yahoo", "icloud", "microsoft-365", "comcast", "other",
    )  # fmt: skip
    assert newsletter.targets().tolist() == [46_000, 17_000, 17_000, 8_000, 5_000, 3_000, 4_000]
    assert newsletter.horizon_limit() == 90
    assert set(newsletter.authentication.model_dump().values()) == {"unknown"}


# --- calendars


@pytest.mark.parametrize(
    ("days", "first_week"),
    [
        ("daily", [1, 1, 1, 1, 1, 1, 1]),
        ("weekdays", [1, 1, 1, 1, 1, 0, 0]),
        ("weekends", [0, 0, 0, 0, 0, 1, 1]),
        ("Tuesday", [0, 1, 0, 0, 0, 0, 0]),
        ("mon, wed, Fri", [1, 0, 1, 0, 1, 0, 0]),
        (["sun", "tue"], [0, 1, 0, 0, 0, 0, 1]),
    ],
)
def test_send_days(days, first_week):
    assert sender(send_days=days).send_mask(7).tolist() == [bool(x) for x in first_week]


def test_send_days_are_said_as_people_say_them():
    assert sender(send_days=["mon", "tue", "wed", "thu", "fri"]).to_dict()["send_days"] == "weekdays"
    assert sender(send_days="tue").to_dict()["send_days"] == ["tue"]


def test_blackout_takes_single_days_and_spans():
    own = sender(blackout=["2027-01-12", {"from": "2027-01-14", "to": "2027-01-16"}])
    assert own.send_mask(7).tolist() == [True, False, True, False, False, False, True]
    assert own.to_dict()["blackout"] == ["2027-01-12", {"from": "2027-01-14", "to": "2027-01-16"}]


def test_dates_begin_at_the_start():
    assert sender().dates(2) == (date(2027, 1, 11), date(2027, 1, 12))


@pytest.mark.parametrize(
    ("changes", "days"),
    [
        ({}, 90),
        ({"send_days": "weekdays"}, 90),
        ({"send_days": "mon"}, 25 * 7 + 1),
        ({"send_days": "sun"}, 25 * 7 + 7),
        ({"send_days": "mon", "blackout": [{"from": "2027-01-11", "to": "2027-01-24"}]}, 27 * 7 + 1),
        ({"blackout": [{"from": "2027-01-11", "to": "2029-01-09"}]}, 90),  # 730 days: nothing to wait for
    ],
)
def test_the_horizon_waits_for_26_send_days(changes, days):
    assert sender(**changes).horizon_limit() == days


@pytest.mark.parametrize("n", [-1, 731, 3650, 10**9])
def test_long_horizons_are_refused(n):
    with pytest.raises(InputError, match="1 to 730 days ahead"):
        sender().demand(n)


# --- demand


def test_demand_is_split_into_whole_messages():
    own = sender(target__volume=1001)
    assert own.demand(1)[:, 0].tolist() == [601, 400]
    assert own.targets().tolist() == [601, 400]


def test_largest_remainders_keep_the_total():
    own = sender(audience={"providers": {"gmail": 1, "yahoo": 1, "icloud": 1}}, target__volume=100)
    assert own.demand(1)[:, 0].tolist() == [34, 33, 33]


def test_weekday_shape_and_days_without_mail():
    own = sender(send_days=["mon", "tue", "sat"], target__weekday_shape={"sat": 0.5})
    assert own.demand(7).sum(axis=0).tolist() == [1000, 1000, 0, 0, 0, 500, 0]
    assert own.demand(7)[:, 5].tolist() == [300, 200]


def test_the_target_is_the_largest_day_of_the_week():
    own = sender(send_days="weekends", target__weekday_shape={"sat": 0.5, "sun": 0.25})
    assert own.targets().tolist() == [300, 200]


def test_a_volume_per_provider_beats_the_shares():
    own = sender(target__volume={"yahoo": 70, "gmail": 0})
    assert own.demand(1)[:, 0].tolist() == [0, 70]


def test_gates_and_admissions():
    gated = {"providers": {"gmail": 60, "t-online": 40}}
    assert sender(audience=gated).demand(2).tolist() == [[600, 600], [0, 0]]
    assert sender(audience=gated).targets().tolist() == [600, 400]
    admitted = sender(audience=gated, admissions={"t-online": "2027-01-12"})
    assert admitted.demand(3).tolist() == [[600, 600, 600], [0, 400, 400]]


# --- history


def test_a_total_history_is_split_by_the_shares():
    domain, ip, idle = sender(history={"domain": 500, "ip": {"yahoo": 7}, "idle_days": 30}).past()
    assert (domain.tolist(), ip.tolist(), idle.tolist()) == ([300, 200], [0, 7], [30, 30])


@pytest.mark.parametrize("answer", [None, "unknown", {}, {"domain": None, "idle_days": "I don't know"}])
def test_not_knowing_the_history_is_an_answer(answer):
    assert all(not part.any() for part in sender(history=answer).past())


# --- authentication


@pytest.mark.parametrize(
    ("answer", "spf", "dkim"),
    [
        ("unknown", "unknown", "unknown"),
        ("I don't know", "unknown", "unknown"),
        (None, "unknown", "unknown"),
        ("yes", "yes", "yes"),
        ({"spf": True, "dkim": False}, "yes", "no"),
        ({"spf": "Yes"}, "yes", "unknown"),
        ({"spf": "off", "dkim": None}, "no", "unknown"),
    ],
)
def test_authentication_takes_every_form_of_yes_no_unknown(answer, spf, dkim):
    found = sender(authentication=answer).authentication
    assert (found.spf, found.dkim) == (spf, dkim)


# --- segments


def two_segments(**changes):
    segments = [{"name": "engaged", "share": 25}, {"name": "rest", "share": 75}]
    return sender(audience__segments=segments, **changes)


def test_the_day_is_filled_from_the_most_engaged_down():
    own = two_segments(audience__size=1000)  # Gmail 600: 150 engaged, 450 others
    volume = np.array([[0.0, 100.0, 150.0, 300.0, 600.0, 900.0], np.zeros(6)])
    engaged = own.mix(volume)[0, :, 0]
    assert_allclose(engaged, [1, 1, 1, 0.5, 0.25, 0.25])
    assert_array_equal(own.mix(volume)[1], [[1, 0]] * 6)


@pytest.mark.parametrize("changes", [{}, {"audience__size": 1000, "kind": "transactional"}])
def test_unknown_lists_and_transactional_mail_reach_everybody_alike(changes):
    assert_allclose(two_segments(**changes).mix(np.full((2, 3), 10.0))[:, :, 0], 0.25)


# --- the day


@pytest.mark.parametrize(
    ("window", "hours", "day_start", "slots"),
    [
        ("08:00-20:00", 12, "00:00", (32, 48)),
        ("8:00 - 20:00", 12, "00:00", (32, 48)),
        ("00:00-24:00", 24, "00:00", (0, 96)),
        ("20:00-00:00", 4, "00:00", (80, 16)),
        ("22:00-06:00", 8, "22:00", (0, 32)),
        ("08:10-09:20", 70 / 60, "00:00", (32, 6)),
        ("23:50-01:00", 70 / 60, "23:50", (0, 5)),
    ],
)
def test_windows(window, hours, day_start, slots):
    own = sender(window=window)
    assert (own.window_hours, own.day_start, own.window_slots()) == (hours, day_start, slots)
    pace = own.pace()
    assert pace.shape == (96,)
    assert_allclose(pace.sum(), 1.0)
    assert_array_equal(np.flatnonzero(pace), np.arange(slots[0], sum(slots)))


def test_slots_that_are_open_in_part_get_their_part():
    pace = sender(window="08:10-09:20").pace()
    assert_allclose(pace[32:38], np.array([5, 15, 15, 15, 15, 5]) / 70)


def test_slots_must_fill_the_day():
    with pytest.raises(InputError, match="must divide a day"):
        sender().pace(7)


# --- identity


def test_changes_reach_into_groups():
    own = sender(target__volume__gmail=7, target__volume__yahoo=8)
    assert own.targets().tolist() == [7, 8]
    with pytest.raises(InputError, match="Unknown field 'volumn' in target"):
        sender(target__volumn=7)


def test_saved_files_read_as_people_write(tmp_path):
    sender(name="2026-11-25", blackout=["2027-01-12"]).save(tmp_path / "a.yaml")
    text = (tmp_path / "a.yaml").read_text()
    assert "start: 2027-01-11\n" in text
    assert "gmail: 60\n" in text
    assert Sender.load(tmp_path / "a.yaml").name == "2026-11-25"


def test_senders_are_equal_by_what_they_say():
    assert sender() == sender()
    assert hash(sender()) == hash(sender())
    assert len({sender(), sender(n_ips=2)}) == 2
    assert sender().fingerprint() == sender().fingerprint() != sender(name="x").fingerprint()


def test_the_order_of_the_providers_is_part_of_the_sender():
    turned = sender(audience={"providers": {"yahoo": 40, "gmail": 60}})
    assert turned != sender()
    assert turned.provider_names == ("yahoo", "gmail")


def test_every_field_describes_itself():
    for model in (Sender, *(type(getattr(sender(), name)) for name in ("audience", "target", "history"))):
        for name, field in model.model_fields.items():
            assert field.title, name
            assert field.description, name


# --- a list of addresses


def test_a_list_becomes_shares_and_size():
    found = Audience.from_addresses(
        ["a@gmail.com", "B@Gmail.com ", "", "c@googlemail.com", "d@ymail.com", "e@a.example"]
    )
    assert found.providers == {"gmail": 3, "yahoo": 1, "other": 1}
    assert found.size == 5


def test_a_line_that_is_no_address_is_named_but_not_shown():
    with pytest.raises(InputError, match="Line 2 of the list") as refused:
        Audience.from_addresses(["a@gmail.com", "secret person"])
    assert "secret" not in str(refused.value)


# --- fields that must agree


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"target__volume": {"gmail": 5}}, "target.volume lacks the provider 'yahoo'"),
        ({"target__volume": {"gmail": 0, "yahoo": 0}}, "target.volume is 0 for every provider"),
        (
            {"target__volume": {"gmail": 1, "yahoo": 1, "icloud": 1}},
            "target.volume names a provider without a share",
        ),
        ({"history": {"ip": {"icloud": 1}}}, "history.ip names a provider without a share"),
        ({"admissions": {"t-online": "2027-01-12"}}, "admissions names a provider without a share"),
        ({"target__by": "2027-01-10"}, "before the start 2027-01-11"),
        ({"target__by": "2037-01-10"}, "Write a day up to 2029-01-10"),
        ({"domain": "new", "history": {"domain": 5}}, "but the domain is new"),
        ({"audience__providers": {}}, "audience.providers is empty"),
        ({"audience__domains": {"other": 5}}, "audience.domains names a provider without a share"),
        ({"audience__segments": [{"name": "a", "share": 1}] * 2}, "Two audience.segments are called 'a'"),
        ({"audience__segments": []}, "too short. Write at least 1"),
        ({"blackout": [{"from": "2027-02-02", "to": "2027-02-01"}]}, "before it begins"),
        ({"blackout": [{"from": "2027-01-01", "to": "2029-06-01"}]}, "longer than 730 days"),
    ],
)
def test_contradictions_are_named(changes, says):
    with pytest.raises(InputError) as refused:
        sender(**changes)
    assert says in str(refused.value)


def test_all_that_is_wrong_is_listed_at_once():
    with pytest.raises(InputError) as refused:
        sender(n_ips=0, domain="old", risk=0.9)
    assert [problem.field for problem in refused.value.problems] == ["n_ips", "domain", "risk"]
    assert len(str(refused.value).splitlines()) == 3
