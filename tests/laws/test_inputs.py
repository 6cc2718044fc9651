"""Laws of senders and schedules that hold for any input."""

from datetime import date, timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose

from planner.inputs.retry import MAX_ATTEMPTS, RetryPolicy
from planner.inputs.rounding import whole_messages
from planner.inputs.schedule import Schedule, for_sender, published
from planner.inputs.sender import Sender
from planner.vocabulary import WEEKDAYS, Cause

few = settings(max_examples=50)  # a sender takes some milliseconds to draw

PROVIDERS = ("gmail", "microsoft", "yahoo", "icloud", "t-online", "163", "corporate-gateways", "other")
TABLES = ("onesignal", "sendgrid-auto", "oracle-responsys", "lyris-listmanager", "braze-conservative")

days = st.dates(date(2026, 1, 1), date(2028, 12, 31))
shares = st.floats(0.001, 1e6)
rates = st.floats(0, 0.2)
minutes = st.integers(0, 1439)


@st.composite
def windows(draw):
    opens = draw(minutes)
    closes = opens + draw(st.integers(60, 1440))
    text = [f"{m // 60:02}:{m % 60:02}" for m in (opens, closes if closes == 1440 else closes % 1440)]
    return "00:00-24:00" if text[0] == text[1] else "-".join(text)


@st.composite
def spans(draw):
    first = draw(days)
    last = first + timedelta(days=draw(st.integers(0, 60)))
    return first.isoformat() if first == last else {"from": first.isoformat(), "to": last.isoformat()}


@st.composite
def senders(draw):
    names = draw(st.lists(st.sampled_from(PROVIDERS), min_size=1, unique=True))
    start = draw(days)
    volumes = st.dictionaries(st.just(names[0]), st.integers(1, 10**9), min_size=1)
    per_provider = volumes.map(lambda first: {**dict.fromkeys(names, 7), **first})
    some = st.sampled_from(names)
    segments = [
        {"name": str(g), "share": draw(shares), "complaint_rate": draw(rates)} for g in range(draw(st.integers(1, 4)))
    ]
    return Sender.from_dict(
        {
            "name": draw(st.sampled_from(["", "Grüße 😀", "yes", "2026-11-25", "- {a: &b 1}"])),
            "audience": {
                "providers": {name: draw(shares) for name in names},
                "size": draw(st.none() | st.integers(1, 10**9)),
                "domains": draw(st.dictionaries(some, st.integers(1, 5000))),
                "segments": segments,
            },
            "target": {
                "volume": draw(st.integers(1, 10**9) | per_provider),
                "per": draw(st.sampled_from(["day", "send"])),
                "by": draw(st.none() | st.integers(0, 730).map(lambda n: start + timedelta(days=n))),
                "weekday_shape": draw(st.dictionaries(st.sampled_from(WEEKDAYS), st.floats(0.01, 1))),
            },
            "send_days": draw(st.lists(st.sampled_from(WEEKDAYS), min_size=1, unique=True)),
            "n_ips": draw(st.integers(1, 1000)),
            "domain": draw(st.sampled_from(["new", "used"])),
            "start": start,
            "kind": draw(st.sampled_from(["marketing", "transactional"])),
            "history": {"ip": draw(st.floats(0, 1e9) | st.dictionaries(some, st.floats(0, 1e9)))},
            "authentication": draw(st.dictionaries(st.sampled_from(["spf", "ptr", "one_click"]), st.booleans())),
            "blackout": draw(st.lists(spans(), max_size=3)),
            "timezone": draw(st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"])),
            "window": draw(windows()),
            "overflow": draw(st.sampled_from(["skip", "spread", "hold", "old_path"])),
            "admissions": draw(st.dictionaries(some, days)),
            "risk": draw(st.just("balanced") | st.floats(0.001, 0.5)),
        }
    )


@few
@given(senders())
def test_senders_come_back_from_dicts_and_json(sender):
    assert Sender.from_dict(sender.to_dict()) == sender
    assert Sender.from_json(sender.to_json()) == sender
    assert Sender.from_dict(sender.to_dict()).fingerprint() == sender.fingerprint()


@few
@given(senders())
def test_yaml_comes_back(sender):
    assert Sender.from_text(sender.to_yaml()) == sender


@few
@given(senders(), st.integers(0, 60))
def test_demand_is_whole_and_sums_to_the_wanted_total(sender, n):
    demand = sender.demand(n)
    assert demand.shape == (len(sender.provider_names), n)
    assert (demand == np.floor(demand)).all()
    assert (demand >= 0).all()
    assert not demand[:, ~sender.send_mask(n)].any()
    every_gate_open = sender.changed({"admissions": dict.fromkeys(sender.provider_names, sender.start.isoformat())})
    volume = sender.target.volume
    for d, day in enumerate(sender.dates(n)):
        if sender.send_mask(n)[d]:
            shape = sender.target.weekday_shape.get(WEEKDAYS[day.weekday()], 1.0)
            wanted = (sum(volume.values()) if isinstance(volume, dict) else volume) * shape
            assert abs(every_gate_open.demand(n)[:, d].sum() - wanted) <= 0.5 + 1e-6
    assert (every_gate_open.demand(n) >= demand).all()


@few
@given(senders())
def test_the_largest_day_of_the_week_is_the_target(sender):
    open_now = dict.fromkeys(sender.provider_names, sender.start.isoformat())
    free = sender.changed({"admissions": open_now, "blackout": []})
    assert (free.demand(7).max(axis=1) == free.targets()).all()


@few
@given(senders(), st.integers(1, 60))
def test_calendars_agree(sender, n):
    mask = sender.send_mask(n)
    for sends, day in zip(mask, sender.dates(n), strict=True):
        assert sends == (WEEKDAYS[day.weekday()] in sender.send_days and not any(day in b for b in sender.blackout))
    assert (sender.send_mask(n + 5)[:n] == mask).all()
    limit = sender.horizon_limit()
    assert 90 <= limit <= 730
    assert limit == 90 or sender.send_mask(limit).sum() == min(26, sender.send_mask(730).sum())


@few
@given(senders(), st.sampled_from([1, 5, 10, 15, 30, 60]))
def test_the_pace_is_a_day_of_mail(sender, slot_minutes):
    pace = sender.pace(slot_minutes)
    first, n_slots = sender.window_slots(slot_minutes)
    assert pace.shape == (1440 // slot_minutes,)
    assert_allclose(pace.sum(), 1.0)
    assert (np.flatnonzero(pace) == np.arange(first, first + n_slots)).all()
    assert pace.max() <= slot_minutes / 60 / sender.window_hours + 1e-12


@few
@given(senders(), st.data())
def test_the_mix_is_a_share_and_more_mail_is_never_more_engaged(sender, data):
    volume = np.sort(data.draw(arrays(float, (len(sender.provider_names), 4), elements=st.floats(0, 1e9))), axis=1)
    mix = sender.mix(volume)
    assert_allclose(mix.sum(axis=2), 1.0)
    assert (mix >= 0).all()
    assert (np.diff(mix[:, :, 0], axis=1) <= 1e-9).all()


@few
@given(senders(), st.sampled_from(TABLES), st.integers(1, 60), st.floats(0.01, 100))
def test_published_tables_stay_below_the_demand(sender, name, n, scale):
    found = published(name, sender, n, scale=scale)
    assert found.dates == sender.dates(n)
    assert (found.total <= sender.demand(n)).all()
    assert (found.total == np.floor(found.total)).all()
    assert for_sender(found, sender) == found


@given(arrays(float, st.tuples(st.integers(1, 8), st.integers(1, 8)), elements=st.floats(0, 1e8)))
def test_rounding_keeps_totals(volume):
    found = whole_messages(volume)
    assert (found == np.floor(found)).all()
    assert (np.abs(found - volume) < 1 + 1e-6).all()
    assert (np.abs(found.sum(axis=0) - volume.sum(axis=0)) <= 0.5 + 1e-6).all()


@st.composite
def schedules(draw):
    names = draw(st.lists(st.sampled_from(PROVIDERS), min_size=1, unique=True))
    segments = draw(st.lists(st.sampled_from(["all", "engaged", "rest"]), min_size=1, unique=True))
    start, n = draw(days), draw(st.integers(1, 8))
    dates = tuple(start + timedelta(days=d) for d in range(n))
    elements = st.floats(0, 1e10, allow_subnormal=False)
    return Schedule(
        tuple(names),
        tuple(segments),
        dates,
        draw(arrays(float, (len(names), len(segments), n), elements=elements)),
    )


@given(schedules())
def test_schedules_come_back_from_frames_and_json(schedule):
    assert Schedule.from_json(schedule.to_json()) == schedule
    assert Schedule.from_frame(schedule.to_frame()) == schedule


seconds = st.floats(1, 86_400)


@given(
    st.dictionaries(st.sampled_from(Cause), seconds, min_size=1),
    st.floats(1, 100),
    seconds,
    st.floats(1, 30 * 86_400),
)
def test_attempts_are_those_that_fit_the_lifetime(first, growth, cap, lifetime):
    lifetime = min(lifetime, 900 * min(cap, *first.values()))  # else it makes too many attempts, and is refused
    policy = RetryPolicy(first_seconds=first, growth=growth, cap_seconds=cap, lifetime_seconds=max(1.0, lifetime))
    for cause in Cause:
        ages = policy.attempt_ages(cause)
        assert len(ages) == policy.attempts(cause) <= MAX_ATTEMPTS
        assert ages == sorted(ages)
        assert all(age <= policy.lifetime_seconds for age in ages[1:])
        following = policy.first(cause) if len(ages) == 1 else ages[-1] + policy.interval(len(ages) - 1)
        assert following > policy.lifetime_seconds
    assert all(policy.interval(k) <= cap for k in range(1, 20))
    assert RetryPolicy.model_validate_json(policy.model_dump_json()) == policy
