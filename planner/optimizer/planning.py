"""optimize(): from a sender to a plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from planner.errors import InputError
from planner.inputs.catalogue import Priors, own_rows
from planner.inputs.reaction import DEFAULT_REACTION, Reaction
from planner.inputs.schedule import Schedule, decided_cells
from planner.optimizer.plan import Plan
from planner.simulation.beliefs import Beliefs, draw, name_key
from planner.simulation.forecast import REACHED, quantiles
from planner.simulation.seen import Seen, seen_days
from planner.simulation.simulator import Retry, Run, check_run, policies_of, simulate
from planner.vocabulary import Floats

if TYPE_CHECKING:
    from planner.inputs.retry import RetryPolicy
    from planner.inputs.sender import Sender
    from planner.observing.observations import Observations
    from planner.optimizer.answers import Answer
    from planner.optimizer.envelope import Nested
    from planner.optimizer.referee import Judged

Progress = Callable[[float, str], None]
"""Called with the share done and what is being done; stops the work by raising, for instance `Cancelled`."""

Fixed = Mapping[str, Mapping[date, float]]
"""Messages that are decided already, by provider and day."""

N_FIT, N_CHOOSE, N_GLANCE, N_KEEP = 256, 112, 48, 512
GLANCE_RISK = 0.15
SEARCH_SLOT_MINUTES = 60
REACHING = 0.9
_USUAL_RATIO, _DOUBT = 1.5, 0.1
"""Risk on fresh scenarios over the share given up, before any is measured, and how much that guess weighs."""
_REFINEMENTS = 4
DAYS_LEFT = 28
_ALL_BUT_SURE = 1.0 - 1e-9
_CLOSE = 0.9
"""The risk is refined until it lies this close below the limit, a few times at most."""


def optimize(
    sender: Sender,
    *,
    risk: str | float | None = None,
    beliefs: Beliefs | None = None,
    scenarios: int = 200,
    seed: int = 0,
    retry: Retry = None,
    reaction: Reaction | None = None,
    priors: Priors | None = None,
    fixed: Fixed | None = None,
    observed: Observations | None = None,
    progress: Progress | None = None,
) -> Plan:
    """Propose a ramp, or what is left of one.

    Parameters
    ----------
    sender : Sender
    risk : 'balanced' or float in (0, 0.5], optional
        Probability, per provider, of a wrong day within the horizon; 'balanced' takes for each provider the risk with
        which it is reached earliest in eight of ten scenarios. The sender's own where left out.
    beliefs : Beliefs, optional
        Drawn from the catalogue's priors where left out.
    scenarios : int
        Scenarios of the published forecast; no choice has seen them.
    seed : int
        The same seed gives the same plan.
    retry : RetryPolicy or mapping, optional
        Searched for this sender where left out, in a few scenarios; the ramp is chosen and judged with it.
    reaction : Reaction, optional
        The default reaction where left out.
    priors : mapping of provider to mapping of parameter to Prior or its low, typical and high, optional
        Somebody's own assumptions instead of the catalogue's, on the same luck; see `draw`.
    fixed : mapping of provider to mapping of date to messages, optional
        Cells of the schedule that are decided already: they come back unchanged, and the rest is planned around them.
    observed : Observations, optional
        Days that happened: each scenario remembers them, and the days after the last of them are planned. Nothing is
        learnt here: give the calibrated `beliefs`. With them, the risk that was taken counts against a limit, see
        docs/model.md.
    progress : callable, optional
        Called with the share done and a text.

    Returns
    -------
    Plan
        Also where the target is out of reach: `Plan.answers` says why and what helps.

    Raises
    ------
    InputError
        If risk, beliefs, priors, fixed or observed make no sense, or priors and beliefs are both given.
    """
    from planner.inputs.allocation import filled
    from planner.optimizer.answers import above_capacity, cannot_grow, impossible
    from planner.optimizer.retries import quick_policies

    check_run(scenarios, seed, reaction)
    tell = progress or (lambda share, text: None)
    seen = seen_days(sender, observed)
    most_days = longest(sender, seen)
    task = Task(
        sender,
        _checked_risk(sender.risk if risk is None else risk),
        policies_of(sender, retry),
        reaction or DEFAULT_REACTION,
        seed,
        beliefs,
        _checked_priors(priors, beliefs),
        decided_cells(sender, fixed or {}, most_days),
        seen,
    )
    answers = impossible(sender, most_days if seen else sender.horizon_limit())
    if seen is not None and _counts_risk(task):
        tell(0.0, "Counting the risk that was taken")
        task = replace(task, taken=risk_taken(task, seen))

    tell(0.0, "Drawing scenarios")
    fit, choose = searched_scenarios(task)
    tell(0.04, "Looking how long it takes")
    n_days, glanced = glance(task, fit, choose)
    if retry is None:
        tell(0.07, "Choosing when to try again")
        task = replace(task, policies=quick_policies(sender, glanced, fit, task.reaction, seed, seen))
    chosen = chosen_ramps(task, fit, choose, n_days, tell)
    horizon, drops, levels = chosen.horizon, chosen.drops, chosen.levels
    rows = _frontier_rows(sender, chosen.search, choose.weights, horizon, levels, task.limit)
    volume = chosen.ramps[:, :horizon]
    segments = sender.audience.segment_names
    schedule = Schedule(sender.provider_names, segments, sender.dates(horizon), filled(sender, volume))
    forecast = simulate(
        sender,
        schedule,
        task.policies,
        reaction=task.reaction,
        beliefs=scenarios_for(task, scenarios, "fresh"),
        seed=seed_for(task, "fresh luck"),
        observed=observed,
        progress=lambda share: tell(0.7 + 0.3 * share, "Forecasting"),
    )
    answers += above_capacity(sender, np.where(np.arange(horizon) < task.n_seen, 0.0, volume))
    if not any(answer.name == "all_blacked_out" for answer in answers):
        few = fit.scenarios(0, min(N_GLANCE, len(fit)))
        answers += cannot_grow(sender, few, volume, drops / len(fit), horizon, seen)
    answers += _of_the_risk(task)
    options: dict[str, Any] = {
        "scenarios": scenarios,
        "drops": drops.tolist(),
        "search_days": chosen.n_days,
    }
    if priors:
        options["priors"] = own_rows(priors)
    if fixed:
        options["fixed"] = {name: {str(day): float(n) for day, n in days.items()} for name, days in fixed.items()}
    if seen is not None:
        options["seen_days"] = len(seen)
    if task.taken is not None:
        options["risk_taken"] = dict(zip(sender.provider_names, task.taken.tolist(), strict=True))
    return Plan(
        sender,
        schedule,
        task.policies,
        task.reaction,
        forecast,
        rows,
        dict(zip(sender.provider_names, levels, strict=True)),
        task.limit,
        answers,
        seed,
        options,
        beliefs,
    )


def warm_up() -> None:
    """Compile the simulation, the optimizer and the likelihood, or read their machine code from the cache.

    Later calls then start at once.
    """
    from planner.inputs.sender import Sender
    from planner.learning.updating import calibrate
    from planner.observing.observations import Observations

    tiny = {
        "audience": {"providers": {"gmail": 1}},
        "target": {"volume": 10},
        "send_days": "daily",
        "n_ips": 1,
        "domain": "used",
        "start": "2027-01-04",
    }
    sender = Sender.from_dict(tiny)
    optimize(sender, scenarios=2)
    ten = np.array([[10.0]])
    calibrate(sender, Observations(("gmail",), (sender.start,), sent=ten, delivered=ten), scenarios=2)


@dataclass(frozen=True)
class Task:
    """What a plan is asked for.

    `limit` the accepted risk; `policies` by provider; `decided` (providers, longest horizon) cells that are decided
    already, -1 where none is. `beliefs` or `priors` are None where the catalogue's priors count. `seen` the days that
    happened, `taken` (providers,) the risk that they took of a limit.
    """

    sender: Sender
    limit: str | float
    policies: Mapping[str, RetryPolicy]
    reaction: Reaction
    seed: int
    beliefs: Beliefs | None
    priors: Priors | None
    decided: Floats
    seen: Seen | None = None
    taken: Floats | None = None

    @property
    def n_seen(self) -> int:
        """How many of the first days have happened."""
        return 0 if self.seen is None else len(self.seen)

    @property
    def limits(self) -> Floats:
        """The risk that is left of the accepted one, (providers,); only where the limit is a number."""
        accepted = np.full(len(self.sender.provider_names), float(self.limit))
        return accepted if self.taken is None else np.maximum(0.0, (accepted - self.taken) / (1.0 - self.taken))


def task_of(plan: Plan) -> Task:
    """Return what a plan was asked for."""
    priors, fixed = plan.options.get("priors"), plan.options.get("fixed", {})
    beliefs = plan.beliefs
    if beliefs is None and priors is None and plan.forecast.beliefs.seed is None:
        beliefs = plan.forecast.beliefs  # all that a file keeps of beliefs that were given
    cells = {name: {date.fromisoformat(day): n for day, n in days.items()} for name, days in fixed.items()}
    seen = seen_days(plan.sender, plan.observed)
    decided = decided_cells(plan.sender, cells, longest(plan.sender, seen))
    shares = plan.options.get("risk_taken")
    taken = None if shares is None else np.array([shares.get(name, 0.0) for name in plan.sender.provider_names])
    return Task(plan.sender, plan.risk, plan.retry, plan.reaction, plan.seed, beliefs, priors, decided, seen, taken)


def changed_task(task: Task, sender: Sender, limit: str | float) -> Task:
    """Return the same question for a changed sender with the same providers; what is decided stays on its date.

    Where days have happened, the sender's start is no longer a question.
    """
    decided = np.full((len(sender.provider_names), longest(sender, task.seen)), -1.0)
    shift = (task.sender.start - sender.start).days
    for d in np.flatnonzero((task.decided >= 0.0).any(axis=0)):
        if 0 <= d + shift < decided.shape[1]:
            decided[:, d + shift] = task.decided[:, d]
    changed = replace(task, sender=sender, limit=limit, decided=decided)
    if task.seen is not None and _counts_risk(changed) and task.taken is None:
        return replace(changed, taken=risk_taken(task, task.seen))
    return changed


@dataclass(frozen=True)
class Search:
    """The nested ramps; the levels of risk, how many drops each takes (providers,), and what it does."""

    nested: list[Nested]
    levels: tuple[float, ...]
    drops: list[Any]
    judged: list[Judged]
    run: Run


class Chosen(NamedTuple):
    """What was searched, the horizon in days, and of each provider the drops and the level of risk."""

    search: Search
    horizon: int
    drops: Any
    levels: list[float]

    @property
    def n_days(self) -> int:
        """Days that were searched."""
        return int(self.search.nested[0].volume.shape[1])

    @property
    def ramps(self) -> Floats:
        """The ramps, (providers, n_days) float array, messages."""
        from planner.optimizer import referee

        return referee.volumes_at(self.search.nested, self.drops)

    @property
    def days(self) -> Floats:
        """Day on which all providers have reached the target in the scenarios to choose by, (scenarios,)."""
        return _days_of(self.search, [self.search.levels.index(level) for level in self.levels])


def longest(sender: Sender, seen: Seen | None = None) -> int:
    """Return the longest horizon of a plan, days; where there is nothing to plan, a fortnight of zeros says so.

    However many days have happened, some weeks are left.
    """
    n_seen = 0 if seen is None else len(seen)
    most_days = max(sender.horizon_limit(), n_seen + DAYS_LEFT) if n_seen else sender.horizon_limit()
    return most_days if sender.demand(most_days).any() else min(most_days, n_seen + 14)


def _counts_risk(task: Task) -> bool:
    """Tell whether risk that was taken counts against a limit.

    Not where nobody has learnt from the days that happened: then the worlds that they risked are believed in as before,
    and would be counted twice.
    """
    return task.limit != "balanced" and task.beliefs is not None


def risk_taken(task: Task, seen: Seen) -> Floats:
    """Return what the days that happened risked, (providers,): a wrong day with what was sent, as seen before.

    Measured in the prior, whatever is believed by now: who has come through knows that the strictest worlds are not
    his, but the risk was taken. After a wrong day nothing counts as taken: the whole limit is there for the days left.
    """
    from planner.optimizer import referee

    before = replace(task, beliefs=None, seen=None)  # the scenarios that the first plan of this seed was kept to
    run = _run(before, referee.without_stuck_mail(scenarios_for(before, N_KEEP, "keep")), "keep luck")
    judged = referee.judge(run, seen.sent, task.reaction)
    risk = run.beliefs.weights @ np.isfinite(judged.first_wrong)
    return np.where(seen.wrong_days().any(axis=1), 0.0, np.minimum(risk, _ALL_BUT_SURE))


def searched_scenarios(task: Task) -> tuple[Beliefs, Beliefs]:
    """Return the scenarios to fit ramps to, and those to choose among the ramps."""
    from planner.optimizer import referee

    return scenarios_for(task, N_FIT, "fit"), referee.without_stuck_mail(scenarios_for(task, N_CHOOSE, "choose"))


def looked_days(task: Task, fit: Beliefs, choose: Beliefs) -> int:
    """Return the days that a search begins with: the deadline and what is decided are among them."""
    return glance(task, fit, choose)[0]


def glance(task: Task, fit: Beliefs, choose: Beliefs) -> tuple[int, Schedule]:
    """Return how many days to search first, and a middling ramp: what a few scenarios tell."""
    from planner.inputs.allocation import filled
    from planner.optimizer import referee

    caution = GLANCE_RISK if task.limit == "balanced" else np.minimum(GLANCE_RISK, 0.6 * task.limits)
    sender, most_days = task.sender, task.decided.shape[1]
    few = fit.scenarios(0, min(N_GLANCE, len(fit)))
    nested = referee.ramps(sender, few, most_days, task.decided, seen=task.seen)
    run = _run(task, choose.scenarios(0, min(N_GLANCE, len(choose))), "glance luck")
    volume = referee.volumes_at(nested, np.broadcast_to(np.floor(caution * len(few)), len(nested)))
    judged = referee.judge(run, volume, task.reaction)
    latest = float(quantiles(judged.days.max(axis=1, initial=0.0), run.beliefs.weights, (REACHING,))[0])
    soon = task.n_seen + 14
    probably = int(min(most_days, max(soon, 1.2 * latest + 7))) if np.isfinite(latest) else most_days
    n_days = max(probably, _until(task))
    ramp = volume[:, :n_days]
    names = sender.audience.segment_names
    return n_days, Schedule(sender.provider_names, names, sender.dates(n_days), filled(sender, ramp))


def chosen_ramps(task: Task, fit: Beliefs, choose: Beliefs, n_days: int, tell: Progress) -> Chosen:
    """Choose every provider's ramp among the nested ones, looking first at `n_days` days."""
    from planner.optimizer import referee

    search, horizon = _search(task, fit, choose, n_days, tell)
    if task.limit == "balanced":
        picks = referee.most_balanced(search.judged, choose.weights)
        drops = np.array([search.drops[level][p] for p, level in enumerate(picks)])
        return Chosen(search, horizon, drops, [referee.LEVELS[level] for level in picks])
    tell(0.62, "Setting the risk")
    limit = float(task.limit)
    run = _run(task, referee.without_stuck_mail(scenarios_for(task, N_KEEP, "keep")), "keep luck")
    drops = _keeping(task.limits, search, run, horizon, choose.weights, task.reaction)
    return Chosen(_with(search, limit, drops, task.reaction), horizon, drops, [limit] * len(drops))


def _until(task: Task) -> int:
    """Return the days that a horizon must not end before: up to the deadline, and the last cell that is decided."""
    most_days = task.decided.shape[1]
    by = task.sender.target.by
    deadline = 0 if by is None else min(most_days, (by - task.sender.start).days + 1)
    decided = np.flatnonzero((task.decided >= 0.0).any(axis=0))
    return max(deadline, int(decided[-1]) + 1 if len(decided) else 0)


def _search(task: Task, fit: Beliefs, choose: Beliefs, n_days: int, tell: Progress) -> tuple[Search, int]:
    """Judge every risk level; returns also the horizon in which the wanted one arrives in nine scenarios of ten."""
    most_days = task.decided.shape[1]
    while True:
        search = _judged(task, fit, choose, n_days, tell)
        needed = _days_needed(search, task, choose.weights)
        if needed <= n_days or n_days == most_days:
            return search, int(min(n_days, max(task.n_seen + 7.0, needed, _until(task))))
        n_days = min(most_days, 2 * n_days)


def _judged(task: Task, fit: Beliefs, choose: Beliefs, n_days: int, tell: Progress) -> Search:
    from planner.optimizer import referee

    tell(0.12, "Finding the largest ramps")
    nested = referee.ramps(task.sender, fit, n_days, task.decided, seen=task.seen)
    run = _run(task, choose, "choose luck")
    drops: list[Any] = []
    judged: list[Judged] = []
    given_up = risk = np.zeros(len(nested))
    for i, level in enumerate(referee.LEVELS):
        tell(0.2 + 0.05 * i, f"Judging a risk of {round(100 * level)} in 100")
        # fresh worlds fail more often than were given up; how much more, the level before tells
        ratio = (risk + _DOUBT * _USUAL_RATIO) / (given_up + _DOUBT)
        given_up = np.maximum(given_up, np.minimum(referee.MOST_GIVEN_UP, level / ratio))
        drops.append((given_up * len(fit)).astype(int))
        judged.append(referee.judge(run, referee.volumes_at(nested, drops[-1]), task.reaction, task.decided))
        risk = choose.weights @ np.isfinite(judged[-1].first_wrong)
    return Search(nested, referee.LEVELS, drops, judged, run)


def _run(task: Task, beliefs: Beliefs, luck: str) -> Run:
    return Run(task.sender, beliefs, task.policies, seed_for(task, luck), SEARCH_SLOT_MINUTES, seen=task.seen)


def _with(search: Search, level: float, drops: Any, reaction: Reaction) -> Search:
    """Return the search with what a plan of its own risk does, in place of the level of that risk."""
    from planner.optimizer import referee

    judged = referee.judge(search.run, referee.volumes_at(search.nested, drops), reaction)
    others = [each for each in zip(search.levels, search.drops, search.judged, strict=True) if each[0] != level]
    rows = sorted([*others, (level, drops, judged)], key=lambda row: row[0])
    levels, every, judgements = map(list, zip(*rows, strict=True))
    return Search(search.nested, tuple(levels), every, judgements, search.run)


def _days_needed(search: Search, task: Task, weights: Floats) -> float:
    """Return in how many days the wanted levels arrive in nine scenarios of ten; inf if not within the search."""
    from planner.optimizer import referee

    picks = referee.most_balanced(search.judged, weights)
    wanted = [picks]
    if task.limit != "balanced":  # a more cautious plan may need longer
        kept = np.stack([weights @ np.isfinite(each.first_wrong) <= task.limits + 1e-9 for each in search.judged])
        wanted.append(np.maximum(0, len(kept) - 1 - kept[::-1].argmax(axis=0)) * kept.any(axis=0))
    return max(float(quantiles(_days_of(search, levels), weights, (REACHING,))[0]) + 1.0 for levels in wanted)


def _days_of(search: Search, picks: Any) -> Floats:
    """Day on which all providers have reached the target, each at its own level, (scenarios,)."""
    return np.asarray(np.stack([search.judged[level].days[:, p] for p, level in enumerate(picks)]).max(axis=0))


def _keeping(limits: Floats, search: Search, run: Run, horizon: int, weights: Floats, reaction: Reaction) -> Any:
    """Return the drops whose risk, measured within the horizon, comes closest to the limits from below, (providers,).

    The dropped share is not the risk. The frontier's measurements are interpolated; the result is measured on more
    scenarios, and these measurements are interpolated again.
    """
    from planner.optimizer import referee

    nothing = (np.zeros_like(search.drops[0]), np.zeros(len(search.drops[0])))
    glanced = [
        (drops, weights @ (each.first_wrong < horizon)) for drops, each in zip(search.drops, search.judged, strict=True)
    ]
    known = [nothing, *glanced]
    measured: list[tuple[Any, Floats]] = []
    aim = 0.5 * (1.0 + _CLOSE) * limits
    still = np.ones(len(nothing[0]), dtype=bool)
    for _ in range(_REFINEMENTS):
        drops = np.array([_interpolated(float(aim[p]), known, p) for p in range(len(still))])
        volume = referee.volumes_at(search.nested, drops)[:, :horizon]
        judged = referee.judge(run, np.where(still[:, None], volume, 0.0), reaction)  # providers are independent
        risk = run.beliefs.weights @ (judged.first_wrong < horizon)
        if measured:
            drops, risk = np.where(still, (drops, risk), measured[-1])
        measured.append((drops, risk))
        still &= (risk > limits + 1e-9) | (risk < _CLOSE * limits)
        if not still.any():
            break
        known = [nothing, *measured, glanced[-1]]  # the few scenarios of the frontier would mislead from here on
    keeping = np.stack([np.where(risk <= limits + 1e-9, drops, -1) for drops, risk in measured]).max(axis=0)
    most_careful = np.stack([drops for drops, _ in measured]).min(axis=0)
    return np.where(keeping >= 0, keeping, most_careful)


def _interpolated(limit: float, known: list[tuple[Any, Floats]], p: int) -> float:
    """Return how many drops give a risk at one provider, by monotone interpolation of known drops and their risks."""
    drops, measured = (np.array([each[p] for each in column]) for column in zip(*known, strict=True))
    order = np.argsort(drops, kind="stable")
    at, risk = drops[order], np.maximum.accumulate(measured[order])
    if risk[-1] <= limit:
        return float(at[-1])
    above = int(np.argmax(risk > limit))
    low, high = risk[above - 1], risk[above]
    part = (limit - low) / (high - low) if high > low else 0.0
    return float(at[above - 1] + part * (at[above] - at[above - 1]))


def _frontier_rows(
    sender: Sender, search: Search, weights: Floats, horizon: int, levels: list[float], limit: str | float
) -> tuple[dict[str, Any], ...]:
    from planner.inputs.allocation import placeable
    from planner.optimizer import referee

    by = None if sender.target.by is None else (sender.target.by - sender.start).days
    mailed = sender.demand(horizon).any(axis=1)
    shut = (sender.targets() > 0.0) & ~mailed
    rows = []
    for level, drops, judged in zip(search.levels, search.drops, search.judged, strict=True):
        volume = referee.volumes_at(search.nested, drops)[:, :horizon]
        demand = placeable(sender, horizon)  # as far as the sender's own limits allow, as the judged days have it
        full = (volume >= (1.0 - REACHED) * demand.max(axis=1, initial=0.0)[:, None] - 0.5) & (demand > 0.0)
        planned = np.where(full.any(axis=1), full.argmax(axis=1).astype(float), np.where(mailed, np.inf, 0.0))
        days = np.where(judged.days < horizon, judged.days, np.inf)
        risk = weights @ (judged.first_wrong < horizon)
        names = [*sender.provider_names, "all"]
        of_days = [*np.where(shut, np.inf, days).T, days.max(axis=1, initial=0.0)]
        for i, name in enumerate(names):
            q10, q50, q80, q90 = quantiles(of_days[i], weights, (0.1, 0.5, 0.8, 0.9))
            one = name != "all"
            rows.append(
                {
                    "provider": name,
                    "risk": level,
                    "planned_day": float(np.where(shut, np.inf, planned)[i] if one else planned.max(initial=0.0)),
                    "q10": float(q10),
                    "q50": float(q50),
                    "q80": float(q80),
                    "q90": float(q90),
                    "missing": min(1.0, float(weights @ ~np.isfinite(of_days[i]))),
                    "by_deadline": np.nan if by is None else min(1.0, float(weights @ (of_days[i] <= by))),
                    "measured_risk": float(risk[i] if one else risk.sum()),
                    "wrong_days": float(judged.wrong_days[i] if one else judged.wrong_days.sum()),
                    "delayed": float(judged.delayed[i] if one else judged.delayed @ sender.shares()),
                    "lost": float(judged.lost[i] if one else judged.lost @ sender.shares()),
                    "chosen": bool(levels[i] == level if one else level == limit),
                }
            )
    return tuple(rows)


def _of_the_risk(task: Task) -> tuple[Answer, ...]:
    """Tell what a limit on the risk means now that some days have happened."""
    from planner.optimizer.answers import after_trouble, all_risk_taken

    if task.seen is None or task.taken is None:
        return ()
    hit = np.asarray(task.seen.wrong_days().any(axis=1))
    spent = (task.taken > 0.0) & (task.limits <= 0.0)
    return (*after_trouble(task.sender, hit, float(task.limit)), *all_risk_taken(task.sender, spent, task.taken))


def _checked_risk(risk: str | float) -> str | float:
    if risk == "balanced":
        return "balanced"
    if isinstance(risk, bool) or not isinstance(risk, int | float) or not 0.0 < risk <= 0.5:
        raise InputError(f"risk is {risk!r}. Use 'balanced', or a probability above 0 and up to 0.5, such as 0.1.")
    return float(risk)


def _checked_priors(priors: Priors | None, beliefs: Beliefs | None) -> Priors | None:
    if priors and beliefs is not None:
        raise InputError("Give priors or beliefs, not both: beliefs were drawn already.")
    return priors


def scenarios_for(task: Task, n: int, purpose: str) -> Beliefs:
    """Return scenarios for one purpose, independent of those for another."""
    if task.beliefs is None:
        return draw(task.sender, n, seed_for(task, purpose), priors=task.priors)
    return task.beliefs.for_providers(task.sender.provider_names).resampled(n, seed_for(task, purpose))


def seed_for(task: Task, purpose: str) -> int:
    """Return a seed for one purpose."""
    return name_key(f"{task.seed} {purpose}") >> 1
