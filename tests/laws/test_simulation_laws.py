"""Laws of the simulation that hold for any sender, schedule, policy and reaction."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import planner as wp
from planner.inputs.catalogue import catalogue
from planner.inputs.provider import PARAMETERS
from planner.inputs.reaction import Reaction
from planner.inputs.retry import RetryPolicy
from planner.inputs.schedule import Schedule, for_sender
from planner.inputs.sender import Sender
from planner.simulation import layout, simulator
from planner.simulation.beliefs import Beliefs, draw
from planner.simulation.forecast import Forecast
from planner.simulation.simulator import Run, policies_of
from planner.vocabulary import WEEKDAYS, Cause

many = settings(max_examples=50)
some = settings(max_examples=25)
few = settings(max_examples=12)

PROVIDERS = ("gmail", "google-workspace", "microsoft", "yahoo", "qq", "t-online", "corporate-gateways", "other")
START = date(2027, 1, 11)
MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0
WHOLE = (
    *("injected", "attempts", "delivered", "hard_bounced", "blocked", "expired", "queued"),
    *("first_4xx", "first_trouble", "overflow", "delayed"),
)


@dataclass(frozen=True)
class Trial:
    """What `simulate` is asked."""

    sender: Sender
    schedule: Schedule
    retry: dict[str, RetryPolicy]
    reaction: Reaction | None
    seed: int

    def beliefs(self, scenarios: int) -> Beliefs:
        return draw(self.sender, scenarios, self.seed)

    def forecast(self, scenarios: int = 4, **options) -> Forecast:
        return wp.simulate(
            self.sender,
            self.schedule,
            self.retry,
            reaction=self.reaction,
            scenarios=scenarios,
            seed=self.seed,
            **options,
        )


# one message a day matters as much as a million
volumes = st.one_of(st.integers(1, 30), st.integers(1, 3_000), st.integers(1, 1_000_000))


@st.composite
def senders(draw, names: list[str] | None = None, **fixed) -> Sender:
    names = names or draw(st.lists(st.sampled_from(PROVIDERS), min_size=1, max_size=4, unique=True))
    wanted = {name: draw(volumes | st.just(0)) for name in names}
    wanted[names[0]] = wanted[names[0]] or draw(volumes)
    share = st.floats(0.1, 10.0)
    segments = [
        {
            "name": str(g),
            "share": draw(share),
            "complaint_rate": draw(st.sampled_from([0.0, 0.0003, 0.005, 0.2])),
            "hard_bounce_rate": draw(st.sampled_from([0.0, 0.005, 0.08, 0.2])),
        }
        for g in range(draw(st.integers(1, 3)))
    ]
    past = {name: draw(st.integers(0, 10_000)) for name in names}
    data = {
        "audience": {
            "providers": {name: draw(share) for name in names},
            "size": draw(st.none() | st.integers(1, 10_000_000)),
            "segments": segments,
        },
        "target": {"volume": wanted},
        "send_days": draw(st.just("daily") | st.lists(st.sampled_from(WEEKDAYS), min_size=1, unique=True)),
        "n_ips": draw(st.integers(1, 8)),
        "domain": draw(st.sampled_from(["new", "used"])),
        "start": START,
        "kind": draw(st.sampled_from(["marketing", "transactional"])),
        "history": {"ip": past, "idle_days": draw(st.sampled_from([0, 3, 60]))},
        "authentication": draw(st.sampled_from(["yes", "no", "unknown"])),
        "blackout": draw(
            st.sampled_from(
                [[], ["2027-01-13"], [{"from": "2027-01-01", "to": "2027-12-31"}]],
            )
        ),
        "window": draw(st.sampled_from(["08:00-20:00", "00:00-24:00", "22:00-06:00", "09:10-10:25", "12:00-11:00"])),
        "overflow": draw(st.sampled_from(["skip", "spread", "hold", "old_path"])),
        "admissions": draw(st.sampled_from([{}, {names[0]: "2027-01-14"}])),
    }
    return Sender.from_dict(data | fixed)


WAITS = (30.0, 5 * MINUTE, 20 * MINUTE, HOUR, 7 * HOUR, 2 * DAY)


@st.composite
def policies(draw, waits: tuple[float, ...] = WAITS) -> RetryPolicy:
    """Short and long waits; no more attempts than a few hundred, for the test's sake."""
    seconds = st.sampled_from(waits)
    causes = st.sampled_from(Cause)
    first = draw(st.dictionaries(causes, seconds, min_size=1, max_size=4))
    shortest = min(first.values())
    cap = max(shortest, draw(seconds))
    return RetryPolicy(
        first_seconds=first,
        growth=draw(st.sampled_from([1.0, 1.3, 2.0])),
        cap_seconds=cap,
        jitter=draw(st.sampled_from([0.0, 0.2, 0.9])),
        lifetime_seconds=min(150 * shortest, draw(st.sampled_from([MINUTE, HOUR, DAY, 5 * DAY]))),
        pause_seconds=draw(st.sampled_from([0.0, 0.0, MINUTE, 50 * MINUTE, 24 * HOUR])),
    )


def reactions() -> st.SearchStrategy[Reaction | None]:
    return st.none() | st.builds(
        Reaction,
        hold_above=st.sampled_from([0.0, 0.1, 0.4]),
        hold_messages=st.sampled_from([0, 5, 100]),
        back_above=st.sampled_from([0.4, 0.6, 1.0]),
        back_stages=st.sampled_from([0.0, 0.5, 1.0, 3.0]),
        step_after_trouble=st.sampled_from([0.3, 0.5, 1.0]),
        step_recovery=st.sampled_from([1.0, 1.2, 3.0]),
        rest_days=st.integers(0, 5),
    )


@st.composite
def schedules(draw, sender: Sender) -> Schedule:
    """Ramps and arbitrary days, on send days and off them, in whole messages or not."""
    n_days = draw(st.just(1) | st.integers(1, 16))
    shape = (len(sender.provider_names), n_days)
    if draw(st.booleans()):
        first, factor = draw(st.floats(1.0, 2_000.0)), draw(st.sampled_from([1.0, 1.3, 2.0]))
        total = np.minimum(first * factor ** np.arange(n_days), sender.demand(n_days))
    else:
        days = st.lists(st.just(0.0) | volumes.map(float) | st.floats(0.0, 5.0), min_size=n_days, max_size=n_days)
        total = np.array([draw(days) for _ in sender.provider_names]).reshape(shape)
    if draw(st.booleans()):
        return Schedule(sender.provider_names, ("all",), sender.dates(n_days), total[:, None, :])
    shares = sender.audience.segment_shares()[None, :, None]
    return Schedule(sender.provider_names, sender.audience.segment_names, sender.dates(n_days), total[:, None] * shares)


@st.composite
def trials(draw, waits: tuple[float, ...] = WAITS) -> Trial:
    sender = draw(senders())
    retry = {name: draw(policies(waits)) for name in sender.provider_names}
    return Trial(sender, draw(schedules(sender)), retry, draw(reactions()), draw(st.integers(0, 2**32)))


def drained(trial: Trial) -> Trial:
    """The same trial with days without new mail at the end, until every message has met its fate."""
    longest = max(
        policy.lifetime_seconds * (1.0 + policy.jitter) + policy.attempts(cause) * policy.pause_seconds
        for policy in trial.retry.values()
        for cause in Cause
    )
    idle = 2 + math.ceil(longest / DAY)
    volume = np.pad(trial.schedule.volume, ((0, 0), (0, 0), (0, idle)))
    schedule = Schedule(
        trial.schedule.providers,
        trial.schedule.segments,
        trial.sender.dates(volume.shape[2]),
        volume,
    )
    return Trial(trial.sender, schedule, trial.retry, trial.reaction, trial.seed)


def check_conserved(rows: np.ndarray, tolerance: float) -> None:
    """Rows (N_ROWS, scenarios, providers, days); `tolerance` is relative to all mail handed over."""
    named = dict(zip(layout.COUNTS, rows, strict=False))
    scale = tolerance * np.maximum(1.0, named["injected"].sum(axis=2, keepdims=True)) if tolerance else 0.0
    assert (rows >= 0.0).all()
    ends = named["delivered"] + named["hard_bounced"] + named["blocked"] + named["expired"]
    before = np.concatenate([np.zeros_like(ends[:, :, :1]), named["queued"][:, :, :-1]], axis=2)
    assert (np.abs(before + named["injected"] - ends - named["queued"]) <= scale).all()
    # every attempt has one answer
    deferred = rows[layout.DEFERRED :].sum(axis=0)
    answered = named["delivered"] + named["hard_bounced"] + named["blocked"] + deferred
    many = tolerance * np.maximum(1.0, named["attempts"].sum(axis=2, keepdims=True)) if tolerance else 0.0
    assert (np.abs(named["attempts"] - answered) <= many).all()
    assert (named["expired"] <= deferred + scale).all()
    assert (named["delayed"] <= named["delivered"] + scale).all()
    # first attempts are made once
    handed_over = named["injected"].cumsum(axis=2)
    assert (named["first_4xx"].cumsum(axis=2) <= handed_over + scale).all()
    assert (named["first_trouble"].cumsum(axis=2) <= handed_over + scale).all()
    assert ((named["reputation"] >= 0.05) & (named["reputation"] <= 1.0)).all()
    assert (named["allowance"] >= named["established"]).all()


# --- conservation


@many
@given(trials())
def test_no_message_is_lost_or_made(trial: Trial) -> None:
    forecast = trial.forecast()
    check_conserved(forecast.rows, 0.0)
    for name in WHOLE:
        if name != "overflow" or trial.reaction is None:
            counts = getattr(forecast, name)
            assert_array_equal(counts, np.floor(counts), err_msg=name)
    assert_array_equal(forecast.deferred, np.floor(forecast.deferred))
    assert_array_equal(forecast.delays.sum(axis=2), forecast.delayed.sum(axis=2))
    if trial.reaction is None:
        volume = for_sender(trial.schedule, trial.sender).total
        assert_array_equal(forecast.injected, np.broadcast_to(np.floor(volume + 0.5 + 1e-9), forecast.injected.shape))


def test_few_bad_addresses_behind_many_retries_are_counted_once() -> None:
    segments = [
        {"name": "old", "share": 1, "hard_bounce_rate": 0.0},
        {"name": "new", "share": 1, "hard_bounce_rate": 0.2},
    ]
    sender = Sender.from_dict(
        {
            "audience": {"providers": {"gmail": 1}, "segments": segments},
            "target": {"volume": 20_000},
            "send_days": "daily",
            "n_ips": 1,
            "domain": "used",
            "start": "2027-01-11",
        }
    )
    volume = np.zeros((1, 2, 20))
    volume[0, 0, 0] = 20_000.0
    volume[0, 1, 1:8] = 20.0 * np.arange(1, 8)
    forecast = wp.simulate(
        sender, Schedule(("gmail",), ("old", "new"), sender.dates(20), volume), scenarios=200, seed=1
    )
    left = (forecast.delivered + forecast.hard_bounced + forecast.blocked + forecast.expired).sum(axis=2)
    np.testing.assert_array_equal(left, forecast.injected.sum(axis=2))


@many
@given(trials())
def test_in_the_end_nothing_waits(trial: Trial) -> None:
    # `queued` is booked from the other counts; that it ends at 0 says that they tell of the same messages
    forecast = drained(trial).forecast(3)
    check_conserved(forecast.rows, 0.0)
    assert not forecast.queued[:, :, -1].any()


@few
@given(trials(WAITS[2:]))  # flows never quite end: those that come back within a slot take long
def test_flows_are_conserved_too(trial: Trial) -> None:
    longer = drained(trial)
    run = Run(trial.sender, trial.beliefs(3), trial.retry, trial.seed, sampled=False)
    rows, delays = run.counts(longer.schedule.volume, trial.reaction)
    check_conserved(rows, 1e-6)
    handed_over = rows[layout.INJECTED].sum(axis=2)
    assert (rows[layout.QUEUED][:, :, -1] <= 1e-6 * np.maximum(1.0, handed_over)).all()
    assert_allclose(delays.sum(axis=2), rows[layout.DELAYED].sum(axis=2), rtol=1e-6, atol=1e-6)


@few
@given(trials(), st.sampled_from([5, 30, 60, 360]))
def test_slots_of_any_length_conserve(trial: Trial, slot_minutes: int) -> None:
    check_conserved(trial.forecast(2, slot_minutes=slot_minutes).rows, 0.0)


def test_a_year_that_is_blacked_out_is_a_year_of_nothing() -> None:
    sender = Sender.from_dict(PLAIN | {"blackout": [{"from": "2027-01-01", "to": "2028-12-01"}]})
    demand = sender.demand(365)
    forecast = wp.simulate(sender, Schedule(sender.provider_names, ("all",), sender.dates(365), demand[:, None]))
    assert not forecast.injected.any()
    assert not forecast.attempts.any()


# --- the same luck for everybody

PLAIN = {
    "audience": {"providers": {"gmail": 1, "yahoo": 1, "qq": 1, "other": 1}},
    "target": {"volume": {"gmail": 5_000, "yahoo": 3_000, "qq": 400, "other": 900}},
    "send_days": "daily",
    "n_ips": 1,
    "domain": "used",
    "start": "2027-01-11",
}


@pytest.mark.parametrize(("threads", "size"), [(1, 100), (2, 7), (5, 1), (3, 4)])
@pytest.mark.parametrize("reaction", [None, Reaction()], ids=["blindly", "reacting"])
def test_threads_and_chunks_change_no_bit(
    monkeypatch: pytest.MonkeyPatch, threads: int, size: int, reaction: Reaction | None
) -> None:
    sender = Sender.from_dict(PLAIN)
    schedule = ramp(sender, 12)
    usual = wp.simulate(sender, schedule, reaction=reaction, scenarios=24, seed=5)
    monkeypatch.setattr(simulator, "n_threads", lambda: threads)
    monkeypatch.setattr(simulator, "_chunks", lambda n, _: [(a, min(n, a + size)) for a in range(0, n, size)][::-1])
    other = wp.simulate(sender, schedule, reaction=reaction, scenarios=24, seed=5)
    assert_array_equal(other.rows, usual.rows)
    assert_array_equal(other.delays, usual.delays)
    assert (wp.simulate(sender, schedule, reaction=reaction, scenarios=24, seed=6).rows != usual.rows).any()


@pytest.mark.parametrize("threads", [1, 2, 7, 64])
@pytest.mark.parametrize("scenarios", [1, 2, 13, 500])
@pytest.mark.parametrize("slots", [96, 40_000, 10_000_000])
def test_chunks_cover_every_scenario_once(
    monkeypatch: pytest.MonkeyPatch, threads: int, scenarios: int, slots: int
) -> None:
    monkeypatch.setattr(simulator, "n_threads", lambda: threads)
    covered = [s for first, last in simulator._chunks(scenarios, slots) for s in range(first, last)]
    assert covered == list(range(scenarios))


@few
@given(trials())
def test_a_seed_tells_everything(trial: Trial) -> None:
    once, again = trial.forecast(2), trial.forecast(2)
    assert_array_equal(once.rows, again.rows)
    assert_array_equal(once.delays, again.delays)


@few
@given(trials(), st.data())
def test_an_edited_schedule_is_judged_as_if_from_scratch(trial: Trial, data: st.DataObject) -> None:
    volume = np.array(trial.schedule.volume)
    for p in data.draw(st.sets(st.integers(0, len(volume) - 1))):
        volume[p, :, data.draw(st.integers(0, volume.shape[2] - 1))] *= data.draw(st.sampled_from([0.0, 0.5, 3.0]))
    edited = Schedule(trial.schedule.providers, trial.schedule.segments, trial.schedule.dates, volume)
    again = trial.forecast(2).rescheduled(edited)
    scratch = replace(trial, schedule=edited).forecast(2)
    assert_array_equal(again.rows, scratch.rows)
    assert_array_equal(again.delays, scratch.delays)
    assert again.schedule == scratch.schedule


def ramp(sender: Sender, n_days: int, first: float = 150.0, factor: float = 1.6) -> Schedule:
    """A steep ramp up to the demand: some days are wrong."""
    total = np.floor(np.minimum(first * factor ** np.arange(n_days), sender.demand(n_days)))
    return Schedule(sender.provider_names, ("all",), sender.dates(n_days), total[:, None])


def only(trial: Trial, names: list[str]) -> Trial:
    """The trial with these providers alone, in this order."""
    data = trial.sender.to_dict()
    audience = data["audience"] | {"providers": {name: data["audience"]["providers"][name] for name in names}}
    changed = {
        "audience": audience | {"domains": {}},
        "target": data["target"] | {"volume": {name: data["target"]["volume"][name] for name in names}},
        "history": data["history"] | {"ip": {name: data["history"]["ip"][name] for name in names}},
        "admissions": {name: day for name, day in data["admissions"].items() if name in names},
    }
    sender = Sender.from_dict(data | changed)
    rows = [trial.schedule.providers.index(name) for name in names]
    schedule = Schedule(tuple(names), trial.schedule.segments, trial.schedule.dates, trial.schedule.volume[rows])
    return Trial(sender, schedule, {name: trial.retry[name] for name in names}, trial.reaction, trial.seed)


@st.composite
def crowds(draw) -> Trial:
    """Two to four providers, each with mail, and one policy; a list of unknown size mixes segments alike."""
    names = draw(st.lists(st.sampled_from(PROVIDERS), min_size=2, max_size=4, unique=True))
    wanted = {name: draw(volumes) for name in names}
    sender = draw(senders(names, target={"volume": wanted}, blackout=[]))
    plain = Sender.from_dict(sender.to_dict() | {"audience": sender.to_dict()["audience"] | {"size": None}})
    retry = dict.fromkeys(names, draw(policies()))
    return Trial(plain, draw(schedules(plain)), retry, draw(reactions()), draw(st.integers(0, 2**32)))


def check_same_fate(trial: Trial, other: Trial) -> None:
    """Providers that both trials mail see the same counts in both."""
    a, b = trial.forecast(3), other.forecast(3)
    for name in set(a.providers) & set(b.providers):
        i, j = a.providers.index(name), b.providers.index(name)
        assert_array_equal(a.rows[:, :, i], b.rows[:, :, j], err_msg=name)
        assert_array_equal(a.delays[:, i], b.delays[:, j], err_msg=name)


@some
@given(crowds(), st.randoms(use_true_random=False))
def test_the_order_of_providers_is_irrelevant(trial: Trial, random) -> None:
    names = list(trial.sender.provider_names)
    random.shuffle(names)
    check_same_fate(trial, only(trial, names))


@some
@given(crowds(), st.data())
def test_one_provider_more_changes_nothing_for_the_others(trial: Trial, data: st.DataObject) -> None:
    left_out = data.draw(st.sampled_from(trial.sender.provider_names))
    check_same_fate(trial, only(trial, [name for name in trial.sender.provider_names if name != left_out]))


@few
@given(trials(), st.integers(1, 5))
def test_halves_of_the_scenarios_are_the_whole(trial: Trial, n: int) -> None:
    whole = trial.forecast(6)
    first = trial.forecast(n)
    assert_array_equal(first.rows, whole.rows[:, :n])
    assert_array_equal(first.delays, whole.delays[:n])
    sliced = wp.simulate(
        trial.sender,
        trial.schedule,
        trial.retry,
        reaction=trial.reaction,
        beliefs=trial.beliefs(6).scenarios(0, n),
        seed=trial.seed,
    )
    assert_array_equal(sliced.rows, first.rows)


@few
@given(trials())
def test_a_longer_schedule_begins_like_a_shorter_one(trial: Trial) -> None:
    n_days = len(trial.schedule.dates)
    longer = drained(trial).forecast(2)
    if trial.reaction is None:
        assert_array_equal(longer.rows[..., :n_days], trial.forecast(2).rows)


# --- what is read from a forecast


@few
@given(trials())
def test_shares_and_quantiles_make_sense(trial: Trial) -> None:
    forecast = trial.forecast(5)
    frame = forecast.p_421()
    values = frame[["mean", "q10", "q50", "q90"]].to_numpy()
    assert ((values >= 0.0) & (values <= 1.0 + 1e-12)).all()
    assert (np.diff(values[:, 1:], axis=1) >= 0.0).all()
    assert len(frame) == len(forecast.providers) * len(forecast.days)
    share = forecast.trouble_share()
    assert ((share >= 0.0) & (share <= 1.0)).all()
    assert not share[forecast.injected == 0.0].any()
    assert ((forecast.risk() >= 0.0) & (forecast.risk() <= 1.0 + 1e-12)).all()
    assert (forecast.wrong_days() <= (forecast.first_trouble >= 5)).all()


@few
@given(trials(), st.booleans())
def test_forecasts_come_back_from_json(trial: Trial, own_beliefs: bool) -> None:
    forecast = trial.forecast(3)
    if own_beliefs:
        own = Beliefs.from_frame(trial.beliefs(3).to_frame())
        forecast = trial.forecast(7, beliefs=own)
    back = Forecast.from_json(forecast.to_json())
    assert_array_equal(back.rows, forecast.rows)
    assert_array_equal(back.delays, forecast.delays)
    assert back.sender == forecast.sender
    assert back.schedule == forecast.schedule
    assert back.beliefs == forecast.beliefs
    assert back.to_json() == forecast.to_json()


# --- beliefs


@few
@given(senders(), st.integers(1, 6), st.integers(0, 2**64 - 1), st.randoms(use_true_random=False))
def test_beliefs_come_back_from_a_frame(sender: Sender, scenarios: int, seed: int, random) -> None:
    beliefs = draw(sender, scenarios, seed)
    frame = beliefs.to_frame()
    assert list(frame.columns) == ["scenario", "provider", "parameter", "value", "weight"]
    assert len(frame) == beliefs.values.size
    assert Beliefs.from_frame(frame) == beliefs
    order = list(range(len(frame)))
    random.shuffle(order)
    assert Beliefs.from_frame(frame.iloc[order]).for_providers(beliefs.providers) == beliefs


@few
@given(senders(), st.integers(1, 5), st.integers(0, 5), st.integers(0, 2**32))
def test_a_longer_draw_begins_like_a_shorter_one(sender: Sender, n: int, more: int, seed: int) -> None:
    longer = draw(sender, n + more, seed)
    assert_array_equal(longer.values[:n], draw(sender, n, seed).values)
    assert longer.scenarios(0, n) == draw(sender, n, seed)
    facts = catalogue()
    for k, name in enumerate(PARAMETERS):
        for p, provider in enumerate(sender.provider_names):
            prior = facts.provider(provider).priors[name]
            if prior.shape == "fixed":
                assert (longer.values[:, p, k] == prior.typical).all()


@few
@given(st.lists(st.floats(0.0, 1.0), min_size=2, max_size=9).filter(any), st.integers(1, 60), st.integers(0, 99))
def test_another_number_of_scenarios_is_drawn_by_weight(weights: list[float], n: int, seed: int) -> None:
    sender = Sender.from_dict(PLAIN)
    share = np.array(weights) / sum(weights)
    beliefs = Beliefs(sender.provider_names, draw(sender, len(share), 4).values, share)
    forecast = wp.simulate(sender, ramp(sender, 2), beliefs=beliefs, scenarios=n, seed=seed)
    assert forecast.injected.shape[0] == n
    if n == len(share):  # nothing to draw
        assert forecast.beliefs == beliefs
        return
    assert_allclose(forecast.weights, 1.0 / n)
    key = PARAMETERS.index("cold_allowance")
    for s, weight in enumerate(share):
        times = (forecast.beliefs.values[:, 0, key] == beliefs.values[s, 0, key]).sum()
        assert math.floor(n * weight - 1e-9) <= times <= math.ceil(n * weight + 1e-9)


def test_one_policy_for_all_is_the_same_as_one_each() -> None:
    sender = Sender.from_dict(PLAIN)
    policy = RetryPolicy(first_seconds=1800, pause_seconds=600)
    one = wp.simulate(sender, ramp(sender, 5), policy, scenarios=5, seed=2)
    each = wp.simulate(sender, ramp(sender, 5), policies_of(sender, policy), scenarios=5, seed=2)
    assert_array_equal(one.rows, each.rows)


def test_dates_of_a_forecast_are_those_of_the_schedule() -> None:
    sender = Sender.from_dict(PLAIN)
    forecast = wp.simulate(sender, ramp(sender, 3), scenarios=2)
    assert forecast.days == tuple(START + timedelta(days=d) for d in range(3))
