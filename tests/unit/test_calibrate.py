"""Learning from counts: what is learnt, what is not, what is said about it, and what is refused."""

from __future__ import annotations

import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

import planner as wp
from planner.inputs.provider import PARAMETERS
from planner.learning import updating
from planner.learning.evidence import burst_hours, evidence_of
from planner.learning.likelihood import CLEAN, TROUBLED, UNSURE
from planner.learning.posterior import Target, particles_of
from planner.simulation.simulator import policies_of
from planner.vocabulary import Cause

SENDER = wp.Sender.from_dict(
    {
        "audience": {"providers": {"gmail": 50, "yahoo": 30, "comcast": 20}},
        "target": {"volume": 20_000},
        "send_days": "daily",
        "n_ips": 1,
        "domain": "used",
        "start": "2027-01-11",
    }
)
N = 120
GOOD = (200, 260, 340, 440, 570, 740)


def observed(sent, turned_away=None, provider="yahoo", **others):
    """Counts of one provider's days, by cause: `turned_away` met the limit at first and passed later that day."""
    sent = np.array([sent], dtype=float)
    turned = np.zeros_like(sent) if turned_away is None else np.array([turned_away], dtype=float)
    by_cause = np.zeros((*sent.shape, len(Cause)))
    by_cause[0, :, 0] = turned
    counts = {
        "delivered": sent - turned,
        "first_deferred": turned,
        "deferred": turned,
        "attempts": sent + turned,
        "deferred_by_cause": by_cause,
    }
    days = tuple(SENDER.start + timedelta(d) for d in range(sent.shape[1]))
    return wp.Observations((provider,), days, sent=sent, **(counts | others))


def calibrated(seen, **options):
    return wp.calibrate(SENDER, seen, **({"scenarios": N} | options))


def of(learnt, provider, parameter, what="learnt"):
    return getattr(learnt, what)[SENDER.provider_names.index(provider), PARAMETERS.index(parameter)]


@pytest.fixture(scope="module")
def good():
    return calibrated(observed(GOOD))


@pytest.fixture(scope="module")
def troubled():
    return calibrated(observed((500, 1000, 1500, 2000), (0, 100, 600, 900)))


# --- what is learnt


def test_good_days_take_the_strict_worlds_away_and_no_others(good) -> None:
    low, _, high = of(good, "yahoo", "daily_growth", "posterior")
    low_before, _, high_before = of(good, "yahoo", "daily_growth", "prior")
    assert low > low_before
    assert high > 0.9 * high_before
    allowed = [_tolerated(good, GOOD[:d], "yahoo") for d in range(len(GOOD))]
    for volume, tolerated in zip(GOOD, allowed, strict=True):
        assert np.mean(tolerated >= 0.9 * volume) > 0.97


def test_trouble_measures_the_limit(troubled) -> None:
    """1,400 of 2,000 messages passed at once, on the fourth day, where 900 and 1,000 had before."""
    tolerated = _tolerated(troubled, (500, 900, 900), "yahoo")
    assert of(troubled, "yahoo", "cold_allowance") > 0.3
    assert np.quantile(tolerated, 0.9) / np.quantile(tolerated, 0.1) < 2.5


def test_more_trouble_teaches_more() -> None:
    """As trouble is observed, the range of what is tolerated shrinks around the truth."""
    truth = wp.draw(SENDER, 4, seed=5).scenarios(3, 4)
    sent = np.round(np.minimum(SENDER.demand(24), 60 * 1.45 ** np.arange(24)))
    rows = [(p, d, sent[i, k]) for i, p in enumerate(SENDER.provider_names) for k, d in enumerate(SENDER.dates(24))]
    schedule = wp.Schedule.from_frame(pd.DataFrame(rows, columns=["provider", "date", "volume"]))
    reaction = wp.catalogue().reaction("default")
    forecast = wp.simulate(SENDER, schedule, reaction=reaction, beliefs=truth, seed=2)
    wrong = forecast.wrong_days()[0].sum(axis=1)
    p = int(wrong.argmax())
    assert wrong[p] >= 2
    name = SENDER.provider_names[p]
    first = int(forecast.wrong_days()[0, p].argmax())
    shares, inside = [], []
    for days in (first, first + 1, 24):
        seen = _seen(forecast, days)
        learnt = calibrated(seen, scenarios=300)
        shares.append(of(learnt, name, "daily_growth") + of(learnt, name, "cold_allowance"))
        growth = learnt.parameter("daily_growth")[:, p]
        inside.append(np.mean(growth < truth.parameter("daily_growth")[0, p]))
    assert shares[0] < shares[1] < shares[2]
    assert 0.005 < inside[2] < 0.995


def test_where_nothing_can_be_learnt_nothing_is_pretended(good, troubled) -> None:
    for learnt in (good, troubled):
        for parameter in ("missing_spf_factor", "history_carried", "penalty_hours", "reputation_recovery"):
            for provider in SENDER.provider_names:
                assert of(learnt, provider, parameter) < 0.3
        for provider in ("gmail", "comcast"):  # of which nothing was seen
            assert of(learnt, provider, "hourly_share") < 0.3


def test_what_nothing_depends_on_keeps_its_whole_prior() -> None:
    """A law fitted to the particles that it moves draws them together: so few of them by a fifth of their variance."""
    seen = evidence_of(SENDER, observed(GOOD)).seen[SENDER.provider_names.index("yahoo")]
    policy = policies_of(SENDER, None)["yahoo"]
    with ThreadPoolExecutor(1) as pool:
        target = Target(SENDER, wp.catalogue(), "yahoo", policy, seen, pool)
        clouds = [particles_of(target, True, 100, seed, lambda share: None).scores for seed in range(16)]
    names = ("penalty_hours", "penalty_chance", "rejection_cost", "reputation_recovery", "reputation_sensitivity")
    scores = np.stack(clouds)[:, :, [1 + PARAMETERS.index(name) for name in names]]
    assert scores.var(axis=1).mean() == pytest.approx(1.0, abs=0.08)
    assert scores.mean() == pytest.approx(0.0, abs=0.06)


def test_a_limit_that_is_named_was_met() -> None:
    """Five of a thousand messages met it: no scenario with twice the room explains that, and few would pass as many."""
    learnt = calibrated(observed((100, 200, 400, 1000), (0, 0, 0, 5)), scenarios=300)
    tolerated = _tolerated(learnt, (100, 200, 400), "yahoo")
    assert np.mean(tolerated > 2000) < 0.1


def test_without_counts_the_beliefs_are_the_prior() -> None:
    nothing = wp.Observations(("yahoo",), (SENDER.start,))
    learnt = calibrated(nothing, seed=3)
    assert learnt == wp.draw(SENDER, N, seed=3)
    assert not learnt.learnt.any()
    assert learnt.summary() == "Nothing was learnt, for no day with mail was seen: the beliefs are what they were."


def test_sent_and_delivered_suffice() -> None:
    seen = wp.Observations.from_frame(
        pd.DataFrame(
            {
                "date": [SENDER.start + timedelta(d) for d in range(4)],
                "provider": "yahoo",
                "sent": [500, 1000, 2000, 4000],
                "delivered": [498, 996, 1100, 1250],
            }
        )
    )
    learnt = calibrated(seen)
    assert of(learnt, "yahoo", "cold_allowance") > 0.3
    assert of(learnt, "yahoo", "daily_growth", "posterior")[1] < of(learnt, "yahoo", "daily_growth", "prior")[1]


def test_whatever_words_a_server_finds_for_its_limit_the_limit_is_learnt() -> None:
    """Yahoo's TSS04 names volume or complaints: it counts as reputation, and mostly means the limit."""
    sent, turned = (1000, 1500, 2000, 2500, 3000), (100, 400, 1000, 1400, 1700)
    learnt = {}
    for cause in (Cause.LIMIT, Cause.PENALTY, Cause.REPUTATION):
        by_cause = np.zeros((1, 5, len(Cause)))
        by_cause[0, :, tuple(Cause).index(cause)] = turned
        learnt[cause] = calibrated(observed(sent, turned, deferred_by_cause=by_cause))
    assert learnt[Cause.LIMIT] == learnt[Cause.PENALTY]
    prior, limit = (of(learnt[Cause.LIMIT], "yahoo", "daily_growth", what) for what in ("prior", "posterior"))
    doubt = of(learnt[Cause.REPUTATION], "yahoo", "daily_growth", "posterior")
    assert doubt[2] - doubt[0] < 0.6 * (prior[2] - prior[0])
    assert doubt[1] < prior[1] - 0.7 * (prior[1] - limit[1])


# --- who moves whom


def test_a_provider_moves_another_only_through_the_shared_world(monkeypatch, troubled, good) -> None:
    facts = dataclasses.replace(wp.catalogue(), world_share=0.0)
    monkeypatch.setattr(updating, "catalogue", lambda: facts)
    alone = [calibrated(observed((500, 1000, 1500), turned)) for turned in ((0, 0, 0), (100, 500, 900))]
    for provider in ("gmail", "comcast"):
        a, b = (learnt.for_providers((provider,)) for learnt in alone)
        assert a == b
    assert alone[0].for_providers(("yahoo",)) != alone[1].for_providers(("yahoo",))
    lenient, strict = (learnt.parameter("cold_allowance") for learnt in (good, troubled))
    for p in (0, 2):
        assert np.median(strict[:, p]) < np.median(lenient[:, p])


def test_order_of_rows_and_providers_is_irrelevant(troubled) -> None:
    both = observed((500, 1000, 1500, 2000), (0, 100, 600, 900)).merge(observed(GOOD, provider="gmail"))
    frame = both.to_frame()
    learnt = calibrated(both)
    shuffled = calibrated(wp.Observations.from_frame(frame.sample(frac=1.0, random_state=4)))
    assert shuffled == learnt
    assert shuffled.to_json() == learnt.to_json()


def test_the_same_seed_gives_the_same_and_another_one_much_the_same(good, monkeypatch) -> None:
    monkeypatch.setattr("planner.learning.posterior.n_threads", lambda: 1)
    assert calibrated(observed(GOOD)) == good
    other = calibrated(observed(GOOD), seed=1, scenarios=500)
    assert other != good
    many = calibrated(observed(GOOD), scenarios=500)
    np.testing.assert_allclose(
        of(other, "yahoo", "daily_growth", "posterior"), of(many, "yahoo", "daily_growth", "posterior"), rtol=0.1
    )


# --- evidence


def test_hours_of_a_burst() -> None:
    """In a window of 12 hours the bucket holds one and is refilled for all but the first slot."""
    assert burst_hours(np.cumsum(SENDER.pace(15)), 0.25) == pytest.approx(1 + SENDER.window_hours - 0.25)
    assert burst_hours(np.ones(96), 0.25) == pytest.approx(1.0)  # all at once


def test_verdicts() -> None:
    limit, system, doubt = np.zeros((3, len(Cause)))
    limit[0], system[3], doubt[tuple(Cause).index(Cause.REPUTATION)] = 5, 7, 9
    by_cause = np.stack([np.zeros(len(Cause)), limit, system, system, doubt, np.full(len(Cause), np.nan)])[None]
    seen = observed((100,) * 6, deferred_by_cause=by_cause, deferred=[[0, 5, 7, 20, 9, 3]])
    own = evidence_of(SENDER, seen).seen[SENDER.provider_names.index("yahoo")]
    assert own.verdict.tolist() == [CLEAN, TROUBLED, CLEAN, UNSURE, UNSURE, UNSURE]


def test_days_without_counts_are_said() -> None:
    frame = observed(GOOD).to_frame().drop(index=2)
    learnt = calibrated(wp.Observations.from_frame(frame))
    assert learnt.warnings == ("Yahoo and AOL: nothing is known of Wed 13 Jan; taken as days without mail.",)


def test_what_no_scenario_explains_is_named(troubled) -> None:
    """A tenth of what passed the day before is turned away by the limit, and the day after all is well."""
    sent = (1000, 1000, 1000, 1000, 1000, 100, 1000, 1000)
    learnt = calibrated(observed(sent, (0, 0, 0, 0, 0, 95, 0, 0)))
    assert any("no scenario explains Sat 16 Jan" in text for text in learnt.warnings)
    assert not troubled.warnings


# --- beliefs of somebody's own


def test_given_scenarios_are_weighted() -> None:
    own = wp.Beliefs.from_frame(wp.draw(SENDER, 200, seed=8).to_frame())
    learnt = calibrated(observed((500, 1000, 1500, 2000), (0, 100, 600, 900)), beliefs=own)
    assert (learnt.values == own.values).all()
    assert learnt.weights.sum() == pytest.approx(1.0)
    assert learnt.effective_sample_size < 100
    assert any("different scenarios" in text for text in learnt.warnings)
    assert learnt.weights.max() > 5 * own.weights[0]


def test_own_priors_count() -> None:
    priors = {"yahoo": {"daily_growth": {"low": 1.5, "typical": 1.6, "high": 1.7}}}
    learnt = calibrated(observed(GOOD), priors=priors)
    assert of(learnt, "yahoo", "daily_growth", "posterior")[0] > 1.4


def test_what_makes_no_sense_is_refused(good) -> None:
    with pytest.raises(wp.InputError, match="learnt from observations already"):
        calibrated(observed(GOOD), beliefs=good)
    with pytest.raises(wp.InputError, match="not both"):
        calibrated(observed(GOOD), beliefs=wp.draw(SENDER, 10), priors={"yahoo": {}} | {"gmail": {"hourly_share": {}}})
    with pytest.raises(wp.InputError, match="scenarios is 0"):
        calibrated(observed(GOOD), scenarios=0)


# --- the result


def test_it_serves_as_beliefs(good) -> None:
    assert isinstance(good, wp.Beliefs)
    assert good.beliefs == good
    assert wp.Beliefs.from_frame(good.to_frame()) == good.beliefs
    schedule = wp.published("onesignal", SENDER, 10)
    forecast = wp.simulate(SENDER, schedule, beliefs=good, seed=1)
    assert wp.Forecast.from_json(forecast.to_json()).beliefs == good.beliefs


def test_frame_of_parameters(good) -> None:
    frame = good.to_frame("parameters")
    assert len(frame) == len(SENDER.provider_names) * len(PARAMETERS)
    assert (frame["prior_q10"] <= frame["prior_q90"]).all()
    assert (frame["posterior_q10"] <= frame["posterior_q90"]).all()
    assert frame["learnt"].between(0, 1).all()
    with pytest.raises(wp.InputError, match="no 'nonsense'"):
        good.to_frame("nonsense")


def test_sentences(troubled) -> None:
    text = "\n".join(troubled.sentences())
    assert "Yahoo and AOL tolerate ×1." in text or "Yahoo and AOL tolerate" in text
    assert "8 times in 10 between" in text
    assert "; you assumed " in text
    assert troubled.summary().startswith(
        "Learnt from 4 days with mail at 1 of 3 providers; the 120 scenarios are worth"
    )


def test_json_round_trip_and_damage(troubled, tmp_path) -> None:
    again = wp.Calibration.from_json(troubled.to_json())
    assert again == troubled
    assert again.to_json() == troubled.to_json()
    assert again.summary() == troubled.summary()
    troubled.save(tmp_path / "learnt.json")
    assert wp.Calibration.load(tmp_path / "learnt.json") == troubled
    data = json.loads(troubled.to_json())
    for broken in ({}, data | {"kind": "plan"}, data | {"learnt": [1]}, data | {"informed": []}, data | {"days": [3]}):
        with pytest.raises(wp.InputError):
            wp.Calibration.from_json(json.dumps(broken))


def test_what_others_wrote_is_escaped(good) -> None:
    odd = dataclasses.replace(good, warnings=("<script>",))
    assert "<script>" not in odd._repr_html_()
    assert "&lt;script&gt;" in odd._repr_html_()


def test_progress_rises_and_stops_the_work() -> None:
    told = []
    calibrated(observed(GOOD), progress=told.append)
    assert told == sorted(told)
    assert 0.0 < told[0] < 1.0
    assert told[-1] == pytest.approx(1.0)

    def stop(share):
        raise wp.Cancelled

    with pytest.raises(wp.Cancelled):
        calibrated(observed(GOOD), progress=stop)


def _tolerated(beliefs, delivered, provider):
    """Allowance after these days, all of it within the limit: equations alone."""
    from planner.simulation import equations

    p = SENDER.provider_names.index(provider)
    value = {name: beliefs.parameter(name)[:, p] for name in PARAMETERS}
    cold = equations.cold_volume(value["cold_allowance"], 1, value["ip_weight"], 1.0, 1.0)
    jump = equations.one_day_jump(value["daily_growth"])
    established = np.zeros(len(beliefs))
    for volume in delivered:
        established = equations.next_established(established, volume, volume, 0.0, value["idle_decay"])
    return equations.allowance(established, 1.0, 1.0, cold, jump, value["growth_fades_at"])


def _seen(forecast, days):
    counts = ("attempts", "delivered", "hard_bounced", "blocked", "expired")
    own = {name: getattr(forecast, name)[0, :, :days] for name in counts}
    by_cause = forecast.deferred[0, :, :days]
    return wp.Observations(
        forecast.providers,
        forecast.days[:days],
        sent=forecast.injected[0, :, :days],
        first_deferred=forecast.first_4xx[0, :, :days],
        deferred=by_cause.sum(axis=2),
        deferred_by_cause=by_cause,
        **own,
    )


def test_who_counts_first_attempts_too_knows_no_less_of_what_is_lost() -> None:
    sent = tuple(1000.0 for _ in range(15))
    lost = {"delivered": np.array([sent]) * 0.99, "hard_bounced": np.zeros((1, 15))}
    few = dict.fromkeys(("attempts", "deferred", "deferred_by_cause"))
    alone = calibrated(observed(sent, **few, **lost, first_deferred=None))
    both = calibrated(observed(sent, **few, **lost, first_deferred=np.array([sent]) * 0.02))
    known = [of(each, "yahoo", "stuck_share", "posterior") for each in (alone, both)]
    widths = [low_high[2] / low_high[0] for low_high in known]
    assert widths[1] < 1.3 * widths[0]
    assert known[1][0] < 0.01 < known[1][2]


def test_days_before_the_start_teach_nothing_and_are_named() -> None:
    early = wp.Observations(("yahoo",), (SENDER.start - timedelta(days=3),), sent=[[100]], delivered=[[99]])
    learnt = calibrated(early, seed=3)
    assert learnt == wp.draw(SENDER, N, seed=3)
    assert "1 day before the sender's start" in learnt.summary()
