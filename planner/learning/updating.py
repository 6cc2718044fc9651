"""calibrate(): from what was seen, and what was believed before, to what is believed now."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from planner.errors import InputError
from planner.inputs.catalogue import Catalogue, Priors, catalogue
from planner.inputs.provider import PARAMETERS
from planner.learning.calibration import Calibration
from planner.learning.evidence import Evidence, evidence_of
from planner.simulation.beliefs import Beliefs, draw, prior_values, scores_of, stream
from planner.simulation.forecast import QUANTILES, quantiles
from planner.simulation.simulator import Progress, Retry, check_run, n_threads, policies_of
from planner.vocabulary import Floats, short_day

if TYPE_CHECKING:
    from planner.inputs.sender import Sender
    from planner.learning.posterior import Target
    from planner.observing.observations import Observations

N_SCENARIOS = 500
LEAST_PARTICLES = 600
_TENTH = 1.2815515655446004

FEW = 100.0
STRANGE = 1e-3
"""Days of which the posterior expects so few as strange contradict it."""

UNSTEADY = 0.16
"""Spread of a limit from day to day that one provider in 20 surpasses: more is no explanation but a finding."""

_CHANCES = 16
"""Draws of what no parameter decides, for each scenario of beliefs that somebody gave."""


def calibrate(
    sender: Sender,
    observations: Observations,
    beliefs: Beliefs | None = None,
    *,
    priors: Priors | None = None,
    retry: Retry = None,
    scenarios: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Calibration:
    """Learn from what was seen: which scenarios explain it, always from all observations at once.

    Parameters
    ----------
    sender : Sender
    observations : Observations
        Counts by provider and day since the sender's start; sent and delivered suffice.
    beliefs : Beliefs, optional
        What was believed before, instead of the catalogue's priors. Scenarios that somebody gave are weighted, since
        nothing says what lies between them; a draw from the priors is drawn anew where the posterior lies.
    priors : mapping, optional
        Somebody's own priors, as for `draw`.
    retry : RetryPolicy or mapping of provider to RetryPolicy, optional
        How deferred mail was retried; the default policy where left out.
    scenarios : int, optional
        500, or as many as `beliefs`.
    seed : int
        The same seed gives the same result, on any number of threads.
    progress : callable, optional
        Called with the share done, from the calling thread; stops the work by raising.

    Returns
    -------
    Calibration
        Beliefs, to be given to `optimize` or `simulate`.

    Raises
    ------
    InputError
        If beliefs or priors make no sense, or the beliefs have learnt from observations before.
    """
    check_run(scenarios, seed, None)
    if isinstance(beliefs, Calibration):
        raise InputError("These beliefs have learnt from observations already. Give all observations and no beliefs.")
    if priors and beliefs is not None:
        raise InputError("Give priors or beliefs, not both: beliefs were drawn already.")
    from planner.learning.posterior import Target

    facts = catalogue().changed(priors) if priors else catalogue()
    policies = policies_of(sender, retry)
    evidence = evidence_of(sender, observations)
    tell = progress or (lambda share: None)
    names = sender.provider_names
    with ThreadPoolExecutor(n_threads()) as pool:
        targets = [
            Target(sender, facts, name, policies[name], seen, pool)
            for name, seen in zip(names, evidence.seen, strict=True)
        ]
        if beliefs is not None and beliefs.seed is None:
            return _weighted(targets, beliefs.for_providers(names), evidence, seed)
        n = scenarios or (len(beliefs) if beliefs is not None else N_SCENARIOS)
        return _sampled(facts, targets, evidence, draw(sender, n, seed, priors=priors), seed, tell)


def _sampled(
    facts: Catalogue, targets: list[Target], evidence: Evidence, prior: Beliefs, seed: int, tell: Progress
) -> Calibration:
    """Return the posterior under the catalogue's priors, or somebody's own."""
    from planner.learning.likelihood import SPREAD, TAIL
    from planner.learning.posterior import habits_of, particles_of
    from planner.learning.sharing import joined

    names = prior.providers
    points = np.stack([_prior_points(facts, name) for name in names])
    if not any(evidence.informed):
        habits = np.zeros((len(names), 3))
        return _calibration(
            prior, evidence, points, np.zeros(points.shape[:2]), np.full(len(names), 1.0 * len(prior)), habits, []
        )
    n = max(LEAST_PARTICLES, len(prior))
    work = max(1, sum(days > 0 for days in evidence.informed))
    done = 0
    particles = []
    for target, days in zip(targets, evidence.informed, strict=True):
        particles.append(particles_of(target, days > 0, n, seed, partial(_tell_part, tell, done, work)))
        if days:
            done += 1
            tell(done / work)
    chosen = joined(facts, names, particles, len(prior), seed)
    values = np.stack([target.values(each.scores) for target, each in zip(targets, chosen, strict=True)], axis=1)
    posterior = Beliefs(names, _shortened(values), np.full(len(prior), 1.0 / len(prior)))
    sizes = np.array([each.size for each in chosen])
    spread = np.zeros((len(names), 3))
    strange: list[tuple[str, date]] = []
    for p, (target, each) in enumerate(zip(targets, chosen, strict=True)):
        if not evidence.informed[p]:
            continue
        habits = habits_of(each.scores)
        spread[p] = np.quantile(habits[:, SPREAD], QUANTILES)
        steady = np.minimum(habits, np.array([UNSTEADY, np.inf]))
        _, by_day = target.judge(posterior.values[:, p], steady, each.doors)
        strange += [(names[p], evidence.days[d]) for d in np.flatnonzero(by_day[:, :, TAIL].mean(axis=0) < STRANGE)]
    learnt = _learnt(facts, posterior)
    return _calibration(posterior, evidence, points, learnt, sizes, spread, strange)


def _tell_part(tell: Progress, done: int, parts: int, share: float) -> None:
    tell((done + share) / parts)


def _weighted(targets: list[Target], beliefs: Beliefs, evidence: Evidence, seed: int) -> Calibration:
    """Return somebody's scenarios with the weights that the observations give them."""
    from planner.learning.likelihood import SPREAD, TAIL
    from planner.learning.posterior import N_SCORES, habits_of

    n, names = len(beliefs), beliefs.providers
    log_weights = np.log(np.maximum(beliefs.weights, 1e-300))
    spread = np.zeros((len(names), 3))
    strange: list[tuple[str, date]] = []
    judged: list[Any] = []
    for p, (target, days) in enumerate(zip(targets, evidence.informed, strict=True)):
        if not days:
            judged.append(None)
            continue
        luck = stream(seed, f"learning {names[p]}")
        habits = habits_of(luck.standard_normal((n * _CHANCES, N_SCORES)))
        doors = luck.random((n * _CHANCES, len(evidence.days)))
        fit, by_day = target.judge(np.repeat(beliefs.values[:, p], _CHANCES, axis=0), habits, doors)
        fits = fit.reshape(n, _CHANCES)
        most = fits.max(axis=1, keepdims=True)
        log_weights = log_weights + most[:, 0] + np.log(np.exp(fits - most).mean(axis=1))
        judged.append((fit, habits[:, SPREAD], by_day[:, :, TAIL]))
    weights = np.exp(log_weights - log_weights.max())
    weights /= weights.sum()
    for p, each in enumerate(judged):
        if each is None:
            continue
        fit, own, tails = each
        fits = fit.reshape(n, _CHANCES)
        share = np.exp(fits - fits.max(axis=1, keepdims=True))
        of_draw = (weights[:, None] * share / share.sum(axis=1, keepdims=True)).ravel()
        spread[p] = quantiles(own, of_draw, QUANTILES)
        strange += [(names[p], evidence.days[d]) for d in np.flatnonzero(of_draw @ tails < STRANGE)]
    posterior = Beliefs(names, beliefs.values, weights)
    points = np.moveaxis(quantiles(beliefs.values, beliefs.weights, QUANTILES), 0, -1)
    now = np.moveaxis(quantiles(beliefs.values, weights, QUANTILES), 0, -1)
    width = points[..., 2] - points[..., 0]
    learnt = np.where(width > 0.0, 1.0 - (now[..., 2] - now[..., 0]) / np.where(width > 0.0, width, 1.0), 0.0)
    sizes = np.full(len(names), 1.0 / float(weights @ weights))
    return _calibration(posterior, evidence, points, np.clip(learnt, 0.0, 1.0), sizes, spread, strange)


def _calibration(
    beliefs: Beliefs,
    evidence: Evidence,
    points: Floats,
    learnt: Floats,
    sizes: Floats,
    spread: Floats,
    strange: list[tuple[str, date]],
) -> Calibration:
    return Calibration(
        beliefs.providers,
        beliefs.values,
        beliefs.weights,
        beliefs.seed,
        days=evidence.days,
        informed=evidence.informed,
        prior=points,
        learnt=learnt,
        effective_sample_sizes=sizes,
        spread=spread,
        warnings=tuple(_warnings(beliefs, evidence, sizes, spread, strange)),
    )


def _warnings(
    beliefs: Beliefs, evidence: Evidence, sizes: Floats, spread: Floats, strange: list[tuple[str, date]]
) -> list[str]:
    n_scenarios = len(beliefs)
    since = evidence.days[0] if evidence.days else None
    texts = []
    for p, name in enumerate(beliefs.providers):
        title = catalogue().provider(name).name
        odd = [short_day(day, since) for provider, day in strange if provider == name]
        if odd:
            texts.append(
                f"{title}: no scenario explains {_listed(odd)}. Look at these days: something else was "
                "wrong then, or this provider is not what the beliefs allow."
            )
        if spread[p, 1] > UNSTEADY:
            texts.append(
                f"{title}: its limit strays by about {100 * spread[p, 1]:.0f} % from day to day, more than the "
                "simulation knows. Leave room."
            )
        if sizes[p] < min(FEW, 0.2 * n_scenarios):
            texts.append(
                f"{title}: only about {sizes[p]:.0f} different scenarios explain what was seen. Ask for more "
                "scenarios, or widen the beliefs."
            )
        if evidence.unknown[p]:
            blank = [short_day(day, since) for day in evidence.unknown[p]]
            texts.append(f"{title}: nothing is known of {_listed(blank)}; taken as days without mail.")
    return texts if any(evidence.informed) else [*texts, *evidence.left_out]


def _listed(days: list[str]) -> str:
    return ", ".join(days[:5]) + (f" and {len(days) - 5} more days" if len(days) > 5 else "")


def _prior_points(facts: Catalogue, name: str) -> Floats:
    """10, 50 and 90 % points of a provider's priors, (parameters, 3)."""
    at = np.array([-_TENTH, 0.0, _TENTH])
    return np.stack([prior_values(facts.provider(name).priors[parameter], at) for parameter in PARAMETERS])


def _learnt(facts: Catalogue, posterior: Beliefs) -> Floats:
    """Share of each prior's range that is gone, on the scale where the prior is normal, (providers, parameters)."""
    shares = np.zeros(posterior.values.shape[1:])
    for p, name in enumerate(posterior.providers):
        for k, parameter in enumerate(PARAMETERS):
            prior = facts.provider(name).priors[parameter]
            if prior.low < prior.high:
                low, high = np.quantile(scores_of(prior, posterior.values[:, p, k]), (0.1, 0.9))
                shares[p, k] = 1.0 - (high - low) / (2.0 * _TENTH)
    return np.clip(shares, 0.0, 1.0)


def _shortened(values: Floats) -> Floats:
    """Keep four digits: files of beliefs are then half as long, and no belief is better than that."""
    bits = values.astype(np.float32).view(np.uint32)
    return np.asarray((bits + np.uint32(1 << 9) & np.uint32(0xFFFFFC00)).view(np.float32).astype(float))
