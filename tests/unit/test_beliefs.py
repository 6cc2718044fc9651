"""Draws from the priors: where they lie, and how strictness ties them together."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import norm, rankdata

from planner.errors import InputError
from planner.inputs.catalogue import catalogue
from planner.inputs.provider import PARAMETERS, Prior
from planner.inputs.sender import Sender
from planner.simulation.beliefs import Beliefs, draw, prior_values

NAMES = ("gmail", "google-workspace", "microsoft", "microsoft-365", "yahoo", "qq", "other")
N = 20_000
Z95 = 1.6448536269514722


def mailing(*names: str) -> Sender:
    return Sender.from_dict(
        {
            "audience": {"providers": dict.fromkeys(names, 1)},
            "target": {"volume": 1000},
            "send_days": "daily",
            "n_ips": 1,
            "domain": "new",
            "start": "2027-01-11",
        }
    )


@pytest.fixture(scope="module")
def beliefs() -> Beliefs:
    return draw(mailing(*NAMES), N, seed=11)


def prior(low: float, typical: float, high: float, shape: str) -> Prior:
    return Prior(low=low, typical=typical, high=high, shape=shape, unit="")


# --- one prior


@pytest.mark.parametrize(
    ("low", "typical", "high", "shape"),
    [
        (100, 700, 4000, "lognormal"),
        (1.09, 1.3, 1.84, "lognormal_above_one"),
        (0.25, 0.6, 0.9, "logit-normal"),
        (1, 1, 5, "lognormal"),
        (0.2, 0.9, 0.9, "logit-normal"),
    ],
)
def test_scores_of_5_50_and_95_percent_give_the_points(low, typical, high, shape):
    values = prior_values(prior(low, typical, high, shape), np.array([-Z95, 0.0, Z95]))
    assert_allclose(values, [low, typical, high])


def test_tails_are_clipped_at_two_and_a_half():
    one = prior(100, 700, 4000, "lognormal")
    ends = prior_values(one, np.array([-2.5, 2.5]))
    assert_allclose(ends, [700 * (100 / 700) ** (2.5 / Z95), 700 * (4000 / 700) ** (2.5 / Z95)])
    assert_array_equal(prior_values(one, np.array([-9.0, 9.0])), ends)


def test_a_fixed_prior_has_one_value():
    assert_array_equal(prior_values(prior(0, 0, 0, "fixed"), np.linspace(-3, 3, 7)), np.zeros(7))
    assert_array_equal(prior_values(prior(0.3, 0.3, 0.3, "logit-normal"), np.linspace(-3, 3, 7)), np.full(7, 0.3))


@pytest.mark.parametrize("shape", ["lognormal", "lognormal_above_one", "logit-normal"])
def test_values_rise_with_their_score_and_keep_their_bounds(shape):
    points = (0.1, 0.5, 0.95) if shape == "logit-normal" else (1.1, 2.0, 9.0)
    values = prior_values(prior(*points, shape), np.linspace(-4, 4, 101))
    assert (np.diff(values) >= 0).all()
    assert values.min() > (1 if shape == "lognormal_above_one" else 0)
    assert values.max() < (1 if shape == "logit-normal" else np.inf)


# --- draws


def test_draws_hit_the_points_of_every_prior(beliefs):
    facts = catalogue()
    for p, name in enumerate(NAMES):
        for k, parameter in enumerate(PARAMETERS):
            one, values = facts.provider(name).priors[parameter], beliefs.values[:, p, k]
            where = f"{parameter} of {name}"
            if one.low == one.high:
                assert (values == one.typical).all(), where
                continue
            for point, share in ((one.low, 0.05), (one.typical, 0.5), (one.high, 0.95)):
                if (point == one.typical) == (share == 0.5):  # else half of the draws are the point
                    below = (values <= point).mean()
                    assert abs(below - share) < 5 * np.sqrt(share * (1 - share) / N), f"{where}: {point:g}"


def test_draws_stay_within_the_clipped_tails(beliefs):
    facts = catalogue()
    for p, name in enumerate(NAMES):
        for k, parameter in enumerate(PARAMETERS):
            least, most = prior_values(facts.provider(name).priors[parameter], np.array([-2.5, 2.5]))
            values = beliefs.values[:, p, k]
            assert least <= values.min()
            assert values.max() <= most


# --- strictness


def scores(beliefs: Beliefs, provider: str, parameter: str) -> np.ndarray:
    """Draws as normal scores, by rank."""
    values = beliefs.parameter(parameter)[:, beliefs.providers.index(provider)]
    return norm.ppf((rankdata(values) - 0.5) / len(values))


def correlation(beliefs: Beliefs, one: tuple[str, str], other: tuple[str, str]) -> float:
    return float(np.corrcoef(scores(beliefs, *one), scores(beliefs, *other))[0, 1])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("cold_allowance", "daily_growth"),
        ("cold_allowance", "penalty_chance"),
        ("daily_growth", "rejection_cost"),
        ("penalty_chance", "penalty_hours"),
        ("cold_allowance", "ip_weight"),
    ],
)
def test_a_strict_provider_is_strict_in_everything(beliefs, one, other):
    loadings = catalogue().loadings
    expected = loadings.get(one, 0.0) * loadings.get(other, 0.0)
    assert correlation(beliefs, ("gmail", one), ("gmail", other)) == pytest.approx(expected, abs=0.03)


def test_loadings_point_the_right_way():
    loadings = catalogue().loadings
    for lax in ("cold_allowance", "daily_growth", "growth_fades_at", "hourly_share", "complaint_limit"):
        assert loadings[lax] < 0, lax
    for harsh in ("penalty_chance", "penalty_hours", "rejection_cost", "reputation_sensitivity", "block_below"):
        assert loadings[harsh] > 0, harsh


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ("gmail", "google-workspace", 1.0),  # one operator, wholly
        ("microsoft", "microsoft-365", 0.25 + 0.75 * np.sqrt(0.6)),
        ("gmail", "yahoo", 0.25),  # the world alone
        ("qq", "other", 0.25),
    ],
)
def test_operators_share_their_strictness(beliefs, one, other, shared):
    loading = catalogue().loadings["cold_allowance"]
    found = correlation(beliefs, (one, "cold_allowance"), (other, "cold_allowance"))
    assert found == pytest.approx(loading**2 * shared, abs=0.03)


def test_a_provider_s_draws_do_not_hang_on_the_others(beliefs):
    few = draw(mailing("yahoo", "gmail"), 100, seed=11)
    assert_array_equal(few.values, beliefs.for_providers(("yahoo", "gmail")).values[:100])
    assert (draw(mailing("gmail"), 100, seed=12).values != few.values[:, 1:]).any()


# --- frames and parts


def test_values_are_read_only(beliefs):
    with pytest.raises(ValueError, match="read-only"):
        beliefs.values[0, 0, 0] = 1.0


def test_resampling_follows_the_weights():
    few = draw(mailing("gmail"), 3, seed=1)
    weighted = Beliefs(few.providers, few.values, np.array([0.7, 0.3, 0.0]))
    found = weighted.resampled(10, seed=5)
    cold = found.parameter("cold_allowance")[:, 0]
    counts = [int((cold == value).sum()) for value in few.parameter("cold_allowance")[:, 0]]
    assert counts == [7, 3, 0]
    assert_allclose(found.weights, 0.1)
    assert found.seed is None


def test_a_provider_without_beliefs_is_named(beliefs):
    with pytest.raises(InputError, match="lack the provider 'icloud'"):
        beliefs.for_providers(("gmail", "icloud"))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda frame: frame.drop(columns="weight"), "lacks the column 'weight'"),
        (lambda frame: frame.replace({"parameter": {"idle_decay": "idle_decoy"}}), "Unknown parameter 'idle_decoy'"),
        (lambda frame: frame.iloc[1:], "no finite value for 'cold_allowance' of 'gmail' in scenario 0"),
        (lambda frame: frame.iloc[[0, *range(len(frame))]], "two values"),
        (lambda frame: frame.assign(weight=0.0), "not all 0"),
        (lambda frame: frame.assign(weight=-1.0), "from 0 up"),
        (lambda frame: frame.assign(value=np.inf), "no finite value"),
        (
            lambda frame: frame.assign(value=frame["value"].where(frame["parameter"] != "trouble_every_days", 0.0)),
            "'trouble_every_days' of 'gmail' is 0 in scenario 0. It lies between 0.01 and 1e.06",
        ),
    ],
)
def test_frames_that_tell_no_beliefs_are_refused(spoil, message):
    frame = draw(mailing("gmail"), 2, seed=1).to_frame()
    with pytest.raises(InputError, match=message):
        Beliefs.from_frame(spoil(frame))


def test_every_bit_of_the_seed_counts():
    seeds = (0, 1, -1, -2, 2**53, 2**53 + 1, 2**63, 2**63 + 1)
    drawn = [draw(mailing("gmail"), 2, seed).parameter("cold_allowance")[0, 0] for seed in seeds]
    assert len(set(drawn)) == len(seeds)


def test_weights_need_not_sum_to_one_in_a_frame():
    beliefs = draw(mailing("gmail"), 2, seed=1)
    frame = beliefs.to_frame()
    frame["weight"] = np.where(frame["scenario"] == 0, 3.0, 1.0)
    assert_allclose(Beliefs.from_frame(frame).weights, [0.75, 0.25])


# --- assumptions of somebody's own

OWN = {"gmail": {"daily_growth": {"low": 1.1, "typical": 1.2, "high": 1.4}}}


def test_own_priors_move_their_parameter_and_no_other():
    mailer = mailing(*NAMES)
    usual, own = draw(mailer, 400, 3), draw(mailer, 400, 3, priors=OWN)
    changed = (usual.values != own.values).any(axis=0)
    assert np.argwhere(changed).tolist() == [[0, PARAMETERS.index("daily_growth")]]
    growth = own.parameter("daily_growth")[:, 0]
    assert_allclose(np.quantile(growth, [0.05, 0.5, 0.95]), [1.1, 1.2, 1.4], rtol=0.03)
    # the same luck: a scenario with much growth still has much
    assert_array_equal(rankdata(growth), rankdata(usual.parameter("daily_growth")[:, 0]))


def test_own_priors_that_are_fixed_or_were_fixed():
    mailer = mailing(*NAMES)
    sure = draw(mailer, 50, 3, priors={"gmail": {"daily_growth": {"low": 1.2, "typical": 1.2, "high": 1.2}}})
    assert (sure.parameter("daily_growth")[:, 0] == 1.2).all()
    none = {"low": 0.01, "typical": 0.1, "high": 0.3}
    fixed = next(name for name, row in catalogue().provider("gmail").priors.items() if row.shape == "fixed")
    spread = draw(mailer, 50, 3, priors={"gmail": {fixed: none}})
    assert np.unique(spread.parameter(fixed)[:, 0]).size > 10


def test_own_priors_are_kept_when_a_plan_is_saved():
    beliefs = draw(mailing(*NAMES), 5, 3, priors=OWN)
    assert beliefs.seed is None


@pytest.mark.parametrize(
    ("priors", "field", "message"),
    [
        ({"gmial": {}}, None, "Unknown provider 'gmial'"),
        ({"gmail": {"growth": {}}}, "priors.gmail.growth", "Unknown parameter 'growth'"),
        (
            {"gmail": {"daily_growth": {"low": 1.5, "typical": 1.2, "high": 1.4}}},
            "priors.gmail.daily_growth.typical",
            "which is below low",
        ),
        (
            {"gmail": {"daily_growth": {"low": 0.5, "typical": 1.2, "high": 1.4}}},
            "priors.gmail.daily_growth.shape",
            "needs numbers above 1",
        ),
        ({"gmail": {"ip_weight": {"low": "x", "typical": 0.2, "high": 0.3}}}, "priors.gmail.ip_weight.low", "'x'"),
    ],
)
def test_own_priors_that_cannot_be_are_refused(priors, field, message):
    with pytest.raises(InputError, match=message) as refused:
        catalogue().changed(priors)
    assert refused.value.field == field
