"""Calibration: beliefs that have learnt from what was seen, and how much they have learnt."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from planner.errors import InputError
from planner.inputs.catalogue import catalogue
from planner.inputs.provider import PARAMETER_INFO, PARAMETERS
from planner.inputs.yamlfile import parse_json, save_text
from planner.simulation.beliefs import Beliefs, density_of, scores_of
from planner.simulation.forecast import (
    FORMAT,
    MODEL_VERSION,
    QUANTILES,
    assumptions_of,
    check_kind,
    packed_beliefs,
    quantiles,
    read_text,
    undamaged,
    unpacked_beliefs,
)
from planner.vocabulary import Floats, agreeing, brief, rounded

if TYPE_CHECKING:
    import pandas as pd

    from planner.figures import Figure

DECISIVE = ("daily_growth", "cold_allowance", "hourly_share", "growth_fades_at", "penalty_chance", "penalty_hours")
"""What the length of a ramp hangs on, the most important first."""

WORTH_SAYING = 0.2
"""Share of a range that must be gone before a sentence says so: sampling alone may take some."""

MOST_SAID = 2
"""Sentences about one provider in a summary."""


@dataclass(frozen=True, eq=False)
class Calibration(Beliefs):
    """Result of `calibrate`: the posterior, to be used wherever beliefs are, and what it knows about itself.

    Attributes
    ----------
    days : tuple of date
        Observed days, from the sender's start.
    informed : tuple of int, by provider
        Days with mail of which something is known; a provider with 0 has learnt from the others only.
    prior, posterior : (providers, parameters, 3) float array
        10, 50 and 90 % points.
    learnt : (providers, parameters) float array, in [0, 1]
        Share of the prior's range, on its own scale, that is gone; 0 where nothing was learnt.
    effective_sample_sizes : (providers,) float array
        How many different scenarios the posterior is worth. Where most days were bad, two runs of the sampler differ
        by more than as many independent ones would (docs/learning.md).
    spread : (providers, 3) float array
        How far the limit strays from day to day, as a factor less 1: 10, 50 and 90 % points.
    warnings : tuple of str
        What to doubt, in sentences.
    """

    days: tuple[date, ...] = field(kw_only=True)
    informed: tuple[int, ...] = field(kw_only=True)
    prior: Floats = field(kw_only=True)
    learnt: Floats = field(kw_only=True)
    effective_sample_sizes: Floats = field(kw_only=True)
    spread: Floats = field(kw_only=True)
    warnings: tuple[str, ...] = field(kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        for array in (self.prior, self.learnt, self.effective_sample_sizes, self.spread):
            array.setflags(write=False)

    @property
    def beliefs(self) -> Beliefs:
        """The posterior without what is known about it."""
        return Beliefs(self.providers, self.values, self.weights, self.seed)

    @property
    def effective_sample_size(self) -> float:
        """That of the provider which has the fewest."""
        return float(self.effective_sample_sizes.min())

    @cached_property
    def posterior(self) -> Floats:
        """10, 50 and 90 % points, (providers, parameters, 3) float array."""
        return np.moveaxis(quantiles(self.values, self.weights, QUANTILES), 0, -1)

    def parameters(self) -> pd.DataFrame:
        """Before and after: a row per provider and parameter.

        Returns
        -------
        frame
            provider, parameter, title, unit, prior_q10, prior_q50, prior_q90, posterior_q10, …, learnt.
        """
        import pandas as pd

        names = [(provider, parameter) for provider in self.providers for parameter in PARAMETERS]
        frame = pd.DataFrame(names, columns=["provider", "parameter"])
        frame["title"] = [PARAMETER_INFO[name].title for name in frame["parameter"]]
        frame["unit"] = [PARAMETER_INFO[name].unit for name in frame["parameter"]]
        for what, points in (("prior", self.prior), ("posterior", self.posterior)):
            for i, q in enumerate(QUANTILES):
                frame[f"{what}_q{round(100 * q)}"] = points[:, :, i].ravel()
        return frame.assign(learnt=self.learnt.ravel())

    def to_frame(self, what: str = "beliefs") -> pd.DataFrame:
        """Return 'beliefs' (scenario, provider, parameter, value, weight), or 'parameters' before and after.

        Raises
        ------
        InputError
            If there is no such aspect.
        """
        if what == "beliefs":
            return super().to_frame()
        if what == "parameters":
            return self.parameters()
        raise InputError(f"A calibration has no '{what}'. It has: beliefs, parameters.")

    def densities(self, provider: str | None = None) -> pd.DataFrame:
        """Curves of a provider's decisive parameters before and after, for a figure; as `Plan.densities`.

        `own` marks those after; before is the catalogue. The provider that has learnt most where left out.

        Raises
        ------
        InputError
            If there are no beliefs about the provider.
        """
        import pandas as pd

        if provider is not None:
            self.for_providers((provider,))
        decisive = [PARAMETERS.index(name) for name in DECISIVE]
        p = int(self.learnt[:, decisive].sum(axis=1).argmax()) if provider is None else self.providers.index(provider)
        parts = []
        for k in decisive:
            name = PARAMETERS[k]
            prior = catalogue().provider(self.providers[p]).priors[name]
            before, density = density_of(prior)
            curves = [(False, before, density)]
            if prior.low < prior.high:
                scores = scores_of(prior, self.values[:, p, k])
                curves.append((True, before, _smoothed(scores, self.weights, scores_of(prior, before))))
            for own, values, heights in curves:
                curve = pd.DataFrame({"value": values, "density": heights})
                told: dict[str, Any] = {
                    "title": PARAMETER_INFO[name].title,
                    "own": own,
                    "shape": prior.shape,
                    "unit": prior.unit,
                }
                told |= {"low": prior.low, "typical": prior.typical, "high": prior.high}
                parts.append(curve.assign(parameter=name, **told))
        return pd.concat(parts, ignore_index=True).assign(provider=self.providers[p])

    def plot(self, provider: str | None = None) -> Figure:
        """Return a Plotly figure of a provider's decisive parameters before and after, not yet shown."""
        from planner import figures

        return figures.densities(self.densities(provider), ("Before", "After"))

    def sentences(self) -> tuple[str, ...]:
        """Say what was learnt, a sentence for every decisive parameter whose range has shrunk."""
        return tuple(self._sentences(len(DECISIVE)))

    def __repr__(self) -> str:
        return brief(self)

    def summary(self) -> str:
        """Say from what was learnt, what, and what to doubt; one line each."""
        return "\n".join([self._heading(), *self._sentences(MOST_SAID), *self.warnings])

    def assumptions(self) -> pd.DataFrame:
        """Priors the posterior started from, as `Forecast.assumptions`."""
        return assumptions_of(self.providers)

    def to_dict(self) -> dict[str, Any]:
        """Return what `to_json` writes."""
        return {
            "format": FORMAT,
            "kind": "calibration",
            "model": MODEL_VERSION,
            "beliefs": packed_beliefs(self) | {"seed": self.seed},
            "days": [day.isoformat() for day in self.days],
            "informed": list(self.informed),
            "prior": self.prior.tolist(),
            "learnt": self.learnt.tolist(),
            "effective_sample_sizes": self.effective_sample_sizes.tolist(),
            "spread": self.spread.tolist(),
            "warnings": list(self.warnings),
        }

    def to_json(self) -> str:
        """Return the calibration as JSON: every scenario, and what is known about them."""
        return json.dumps(self.to_dict(), ensure_ascii=False)

    @classmethod
    def from_dict(cls, data: Any) -> Calibration:
        """Return the calibration that `to_dict` described.

        Raises
        ------
        InputError
            If it is none, or damaged.
        """
        check_kind(data, "calibration")
        with undamaged("calibration"):
            if data["model"] != MODEL_VERSION:
                raise InputError(
                    f"This calibration was computed by model {data['model']}, this is model {MODEL_VERSION}. "
                    "Its numbers would change; calibrate again."
                )
            beliefs = unpacked_beliefs(data["beliefs"])
            n = len(beliefs.providers)
            shapes = {
                "prior": (n, len(PARAMETERS), 3),
                "learnt": (n, len(PARAMETERS)),
                "effective_sample_sizes": (n,),
                "spread": (n, 3),
            }
            arrays = {name: np.array(data[name], dtype=float).reshape(shape) for name, shape in shapes.items()}
            informed = tuple(int(days) for days in data["informed"])
            if len(informed) != n or not all(np.isfinite(array).all() for array in arrays.values()):
                raise ValueError("its tables lack a number")
            return cls(
                beliefs.providers,
                beliefs.values,
                beliefs.weights,
                data["beliefs"]["seed"],
                days=tuple(date.fromisoformat(day) for day in data["days"]),
                informed=informed,
                warnings=tuple(str(text) for text in data["warnings"]),
                **arrays,
            )

    @classmethod
    def from_json(cls, text: str) -> Calibration:
        """Return the calibration that `to_json` wrote; errors as `from_dict`."""
        return cls.from_dict(parse_json(text, what="calibration"))

    def save(self, path: str | Path) -> None:
        """Write `to_json` to a file, atomically."""
        save_text(path, self.to_json())

    @classmethod
    def load(cls, path: str | Path) -> Calibration:
        """Read what `save` wrote."""
        return cls.from_json(read_text(path, "calibration"))

    def _repr_html_(self) -> str:
        return "".join(f"<p>{escape(line)}</p>" for line in self.summary().splitlines())

    def _heading(self) -> str:
        with_mail = sum(days > 0 for days in self.informed)
        if not with_mail:
            return "Nothing was learnt, for no day with mail was seen: the beliefs are what they were."
        most = max(self.informed)
        days = f"{most} day{'s' * (most != 1)} with mail"
        return (
            f"Learnt from {days} at {with_mail} of {len(self.providers)} providers; "
            f"the {len(self)} scenarios are worth at least {rounded(self.effective_sample_size)} different ones."
        )

    def _sentences(self, most: int) -> Iterator[str]:
        for p, provider in enumerate(self.providers):
            name = catalogue().provider(provider).name
            known = [k for k in DECISIVE if self.learnt[p, PARAMETERS.index(k)] >= WORTH_SAYING]
            for parameter in known[:most]:
                k = PARAMETERS.index(parameter)
                yield _sentence(name, parameter, self.posterior[p, k], self.prior[p, k])
            if not known and self.informed[p]:
                yield f"{name}: nothing yet that narrows what you assumed of its limits."


def _smoothed(scores: Floats, weights: Floats, at: Floats) -> Floats:
    """Density of scores on a grid, peak 1: normal kernels a third as wide as the scores' own spread."""
    middle = float(weights @ scores)
    spread = float(np.sqrt(weights @ (scores - middle) ** 2))
    z = (at[:, None] - scores[None, :]) / max(0.3 * spread, 0.03)
    density = np.exp(-0.5 * z * z) @ weights
    return np.asarray(density / max(float(density.max()), 1e-300))


def _sentence(name: str, parameter: str, now: Floats, before: Floats) -> str:
    low, middle, high = (_said(parameter, x) for x in now)
    range_before = f"{_said(parameter, before[0])}–{_said(parameter, before[2])}"
    tolerates = agreeing(name, "tolerates", "tolerate")
    if parameter == "daily_growth":
        said = f"{name} {tolerates} ×{middle} a day"
    elif parameter == "cold_allowance":
        said = f"{name} {tolerates} {middle} messages a day per IP from a sender without history"
    elif parameter == "hourly_share":
        said = f"{name} {tolerates} {middle} of a day's allowance in an hour"
    else:
        said = {
            "growth_fades_at": f"Growth at {name} slows down from {middle} messages a day per IP",
            "penalty_chance": f"Excess closes the door of {name} on {middle} of the days",
            "penalty_hours": f"A closed door of {name} opens again after {middle} h",
        }[parameter]
    return f"{said}, 8 times in 10 between {low} and {high}; you assumed {range_before}."


def _said(parameter: str, value: float) -> str:
    if parameter in ("hourly_share", "penalty_chance"):
        return f"{100 * value:.2g} %"
    if parameter == "daily_growth":
        return f"{value:.2f}"
    return rounded(value) if value >= 10 else f"{value:.2g}"
