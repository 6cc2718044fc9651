"""Beliefs about the providers: joint draws of every parameter, with weights."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from planner.errors import InputError
from planner.inputs.catalogue import Catalogue, Priors, catalogue
from planner.inputs.provider import PARAMETER_INFO, PARAMETERS, Prior, Provider
from planner.vocabulary import Floats

if TYPE_CHECKING:
    import pandas as pd

    from planner.inputs.sender import Sender

_TAIL = 1.6448536269514722
"""Normal quantile of 95 %: a prior's low and high are its 5 % and 95 % points."""

_CLIP = 2.5

_LOWEST = np.array([info.lowest for info in PARAMETER_INFO.values()], dtype=float)
_HIGHEST = np.array([info.highest for info in PARAMETER_INFO.values()], dtype=float)


@dataclass(frozen=True, eq=False)
class Beliefs:
    """What the providers may be like: prior, posterior and a user's own are one type.

    Attributes
    ----------
    providers : tuple of str
    values : (scenarios, providers, parameters) float array
        In the units of the catalogue, parameters in the order of `inputs.provider.PARAMETERS`.
    weights : (scenarios,) float array, sum 1
    seed : int or None
        Seed of the prior draw; None where the beliefs came from elsewhere.
    """

    providers: tuple[str, ...]
    values: Floats
    weights: Floats
    seed: int | None = None

    def __post_init__(self) -> None:
        self.values.setflags(write=False)
        self.weights.setflags(write=False)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Beliefs)
            and self.providers == other.providers
            and np.array_equal(self.values, other.values)
            and np.array_equal(self.weights, other.weights)
        )

    def __len__(self) -> int:
        return len(self.weights)

    def parameter(self, name: str) -> Floats:
        """Values of one parameter, (scenarios, providers) float array."""
        return self.values[:, :, PARAMETERS.index(name)]

    def scenarios(self, first: int, last: int) -> Beliefs:
        """Return the scenarios first..last-1 with their weights made to sum to 1."""
        weights = self.weights[first:last]
        even = (weights == weights[0]).all()  # equal weights come out equal to the last bit
        weights = np.full(len(weights), 1.0 / len(weights)) if even else weights / weights.sum()
        return Beliefs(self.providers, self.values[first:last].copy(), weights, None if first else self.seed)

    def for_providers(self, providers: tuple[str, ...]) -> Beliefs:
        """Return the beliefs about these providers, in this order.

        Raises
        ------
        InputError
            If one of the providers has no beliefs here.
        """
        missing = [name for name in providers if name not in self.providers]
        if missing:
            raise InputError(
                f"The beliefs lack the provider '{missing[0]}' that the sender mails. "
                f"They know: {', '.join(self.providers)}."
            )
        order = [self.providers.index(name) for name in providers]
        return Beliefs(providers, self.values[:, order], self.weights, self.seed)

    def resampled(self, scenarios: int, seed: int) -> Beliefs:
        """Return this many scenarios of equal weight, drawn by weight (systematic resampling)."""
        start = np.random.default_rng(seed).random()
        places = (np.arange(scenarios) + start) / scenarios
        chosen = np.searchsorted(np.cumsum(self.weights), places).clip(max=len(self) - 1)
        return Beliefs(self.providers, self.values[chosen], np.full(scenarios, 1.0 / scenarios))

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self):,} scenarios of {', '.join(self.providers)}>"

    def to_frame(self) -> pd.DataFrame:
        """Return the beliefs as a frame: scenario, provider, parameter, value, weight."""
        import pandas as pd

        n_scenarios, n_providers, n_parameters = self.values.shape
        return pd.DataFrame(
            {
                "scenario": np.repeat(np.arange(n_scenarios), n_providers * n_parameters),
                "provider": np.tile(np.repeat(self.providers, n_parameters), n_scenarios),
                "parameter": np.tile(PARAMETERS, n_scenarios * n_providers),
                "value": self.values.ravel(),
                "weight": np.repeat(self.weights, n_providers * n_parameters),
            }
        )

    @classmethod
    def from_frame(cls, frame: pd.DataFrame) -> Beliefs:
        """Return the beliefs a frame describes; the inverse of `to_frame`.

        Raises
        ------
        InputError
            If a column, a parameter or a cell is missing, doubled, no finite number, or one that cannot be.
        """
        columns = ["scenario", "provider", "parameter", "value", "weight"]
        missing = [column for column in columns if column not in frame.columns]
        if missing:
            raise InputError(f"The frame of beliefs lacks the column '{missing[0]}'. It needs: {', '.join(columns)}.")
        unknown = sorted(set(frame["parameter"]) - set(PARAMETERS))
        if unknown:
            raise InputError(f"Unknown parameter '{unknown[0]}' in the frame of beliefs.")
        if frame.duplicated(["scenario", "provider", "parameter"]).any():
            raise InputError("The frame of beliefs holds two values for one scenario, provider and parameter.")
        providers = tuple(dict.fromkeys(frame["provider"]))
        numbers = np.unique(frame["scenario"].to_numpy())
        rows = np.searchsorted(numbers, frame["scenario"].to_numpy())
        of_provider = frame["provider"].map({name: i for i, name in enumerate(providers)}).to_numpy()
        of_parameter = frame["parameter"].map({name: i for i, name in enumerate(PARAMETERS)}).to_numpy()
        values = np.full((len(numbers), len(providers), len(PARAMETERS)), np.nan)
        values[rows, of_provider, of_parameter] = frame["value"].to_numpy(dtype=float)
        weights = np.zeros(len(numbers))
        weights[rows] = frame["weight"].to_numpy(dtype=float)
        if not np.isfinite(values).all():
            s, p, k = np.argwhere(~np.isfinite(values))[0]
            raise InputError(
                f"The beliefs have no finite value for '{PARAMETERS[k]}' of '{providers[p]}' in scenario {numbers[s]}."
            )
        beyond = np.argwhere((values < _LOWEST) | (values > _HIGHEST))
        if len(beyond):
            s, p, k = beyond[0]
            raise InputError(
                f"'{PARAMETERS[k]}' of '{providers[p]}' is {values[s, p, k]:g} in scenario {numbers[s]}. "
                f"It lies between {_LOWEST[k]:g} and {_HIGHEST[k]:g}."
            )
        if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.sum() > 0):
            raise InputError("The weights of the beliefs must be numbers from 0 up, not all 0.")
        total = weights.sum()
        return cls(providers, values, weights if abs(total - 1.0) < 1e-9 else weights / total)


def draw(sender: Sender, scenarios: int = 500, seed: int = 0, *, priors: Priors | None = None) -> Beliefs:
    """Draw scenarios from the catalogue's priors.

    Strictness ties the draws together: a share of it belongs to the whole world, a share to the provider's
    operator, the rest to the provider alone; a strict provider has a low cold allowance, slow growth and long
    penalties. The first scenarios of a longer draw equal those of a shorter one, and a provider's draws do
    not depend on which others are mailed.

    Parameters
    ----------
    sender : Sender
    scenarios : int, > 0
    seed : int
    priors : mapping of provider to mapping of parameter to Prior or its low, typical and high, optional
        Somebody's own, instead of the catalogue's; all other parameters keep their draws.

    Returns
    -------
    Beliefs
        `scenarios` of equal weight.

    Raises
    ------
    InputError
        If the priors make no sense.
    """
    facts = catalogue().changed(priors) if priors else catalogue()
    names = sender.provider_names
    values = np.stack([_drawn(facts, facts.provider(name), scenarios, seed) for name in names], axis=1)
    return Beliefs(names, values, np.full(scenarios, 1.0 / scenarios), None if priors else seed)


def stream(seed: int, name: str) -> np.random.Generator:
    """Return the random stream of one purpose, independent of all others under the same seed."""
    key = np.array([seed % 2**64, name_key(name)], dtype=np.uint64)  # a list would pass through floats
    return np.random.Generator(np.random.Philox(key=key))


def name_key(name: str) -> int:
    """Return a stable 64-bit number for a name."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big")


def _drawn(facts: Catalogue, provider: Provider, scenarios: int, seed: int) -> Floats:
    """Return the draws of one provider, (scenarios, parameters)."""
    own = stream(seed, f"provider {provider.id}").standard_normal((scenarios, 1 + len(PARAMETERS)))
    world = stream(seed, "world").standard_normal(scenarios)
    alone = own[:, 0]
    if provider.operator is not None:
        operator = stream(seed, f"operator {provider.operator}").standard_normal(scenarios)
        alone = _blend(provider.operator_share, operator, alone)
    return Scale(facts, provider).values(_blend(facts.world_share, world, alone), own[:, 1:])


class Scale:
    """One provider's priors, ready to be asked often."""

    def __init__(self, facts: Catalogue, provider: Provider) -> None:
        priors = [provider.priors[name] for name in PARAMETERS]
        loading = np.array([facts.loadings.get(name, 0.0) for name in PARAMETERS])
        self._typical = np.array([prior.typical for prior in priors], dtype=float)
        self._shapes = []
        free = [_shape_of(prior) for prior in priors]
        for shape in dict.fromkeys(each for each in free if each is not None):
            at = np.array([k for k, each in enumerate(free) if each == shape])
            points = [(prior.low, prior.typical, prior.high) for prior in (priors[k] for k in at)]
            low, typical, high = (np.array([_to_scale(shape, point[i]) for point in points]) for i in range(3))
            shares = (loading[at], np.sqrt(1.0 - loading[at] ** 2))
            self._shapes.append((shape, at, *shares, typical, typical - low, high - typical))

    def values(self, strictness: Floats, rest: Floats) -> Floats:
        """Return what the parameters are where these standard normals fall, (scenarios, parameters).

        `strictness` (scenarios,), `rest` (scenarios, parameters) what each parameter has of its own.
        """
        values = np.tile(self._typical, (len(rest), 1))
        for shape, at, loading, own, typical, below, above in self._shapes:
            score = loading * strictness[:, None] + own * rest[:, at]
            z = np.clip(score, -_CLIP, _CLIP) / _TAIL
            values[:, at] = _from_scale(shape, typical + np.where(z < 0.0, below, above) * z)
        return np.asarray(np.clip(values, _LOWEST, _HIGHEST))


def _shape_of(prior: Prior) -> str | None:
    return None if prior.shape == "fixed" or prior.low == prior.high else prior.shape


def _blend(share: float, common: Floats, rest: Floats) -> Floats:
    return np.asarray(np.sqrt(share) * common + np.sqrt(1.0 - share) * rest)


def prior_values(prior: Prior, score: Floats) -> Floats:
    """Return a prior's values at normal scores: a split normal on the prior's own scale.

    Parameters
    ----------
    prior : Prior
    score : float array
        Standard normal; clipped to 2.5 either way, for nobody believes the far tails of a guess.

    Returns
    -------
    float array
        `prior.low`, `.typical`, `.high` at the scores of 5, 50 and 95 %.
    """
    if prior.shape == "fixed" or prior.low == prior.high:
        return np.full(np.shape(score), prior.typical)
    low, typical, high = (_to_scale(prior.shape, x) for x in (prior.low, prior.typical, prior.high))
    z = np.clip(score, -_CLIP, _CLIP) / _TAIL
    return _from_scale(prior.shape, typical + np.where(z < 0.0, typical - low, high - typical) * z)


def scores_of(prior: Prior, values: Floats) -> Floats:
    """Return the normal scores at which a prior has these values; the inverse of `prior_values`.

    Examples
    --------
    >>> prior = Prior(low=50, typical=100, high=200, shape="lognormal", unit="")
    >>> scores_of(prior, np.array([50.0, 100.0, 200.0]))
    array([-1.645,  0.   ,  1.645])
    """
    low, typical, high = (_to_scale(prior.shape, x) for x in (prior.low, prior.typical, prior.high))
    away = _to_scale(prior.shape, values) - typical
    return np.asarray(_TAIL * np.where(away < 0.0, away / (typical - low), away / (high - typical)))


def density_of(prior: Prior, points: int = 41) -> tuple[Floats, Floats]:
    """Return a prior as a curve over its own scale, where steps are even: values, and density with the peak at 1.

    Examples
    --------
    >>> values, density = density_of(Prior(low=50, typical=100, high=200, shape="lognormal", unit=""), 3)
    >>> values, density
    (array([ 34.9,  100. , 286.8]), array([0.04, 1.  , 0.04]))
    """
    if prior.low == prior.high:
        return np.array([prior.typical]), np.ones(1)
    low, typical, high = (_to_scale(prior.shape, x) for x in (prior.low, prior.typical, prior.high))
    below, above = max(typical - low, 1e-12) / _TAIL, max(high - typical, 1e-12) / _TAIL
    place = np.linspace(typical - _CLIP * below, typical + _CLIP * above, points)
    z = np.where(place < typical, (place - typical) / below, (place - typical) / above)
    return _from_scale(prior.shape, place), np.exp(-0.5 * z**2)


def _to_scale(shape: str, x: Any) -> Any:
    if shape == "logit-normal":
        return np.log(x / (1.0 - x))
    return np.log(x - 1.0 if shape == "lognormal_above_one" else x)


def _from_scale(shape: str, y: Any) -> Floats:
    if shape == "logit-normal":
        return np.asarray(1.0 / (1.0 + np.exp(-y)))
    return np.asarray(np.exp(y) + (1.0 if shape == "lognormal_above_one" else 0.0))
