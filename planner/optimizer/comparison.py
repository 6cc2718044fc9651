"""compare(): several schedules before the same referee, with and without reaction."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from planner.errors import InputError
from planner.inputs.catalogue import catalogue
from planner.inputs.reaction import DEFAULT_REACTION, Reaction
from planner.inputs.retry import RetryPolicy
from planner.inputs.schedule import Schedule, for_sender, published
from planner.inputs.sender import Sender
from planner.optimizer.plan import Plan
from planner.simulation.beliefs import Beliefs, draw
from planner.simulation.forecast import FORMAT, MODEL_VERSION, Forecast, check_kind, quantiles, records, undamaged
from planner.simulation.simulator import Progress, Retry, policies_of, simulate
from planner.vocabulary import Floats, brief, day_text, in_100

if TYPE_CHECKING:
    import pandas as pd

    from planner.figures import Figure
    from planner.observing.observations import Observations

MEDIAN, LATE = 0.5, 0.9

APART = 2.0
"""Two schedules are told apart when their paired difference is above so many standard errors."""

CIRCULAR = (
    "Our beliefs were adjusted until the gentle published tables mostly work: that such a table does well here is no "
    "evidence for it, and that a plan does better is none for the plan."
)

_MEASURES = ("days", "wrong_days", "lost")


@dataclass(frozen=True)
class Candidate:
    """A schedule with its own reaction or retry policies; what is left out is that of the whole comparison.

    Parameters
    ----------
    schedule : Schedule
    reaction : Reaction, optional
    retry : RetryPolicy or mapping of provider to RetryPolicy, optional
    """

    schedule: Schedule
    reaction: Reaction | None = None
    retry: Retry = None


@dataclass(frozen=True, eq=False)
class Comparison:
    """Result of `compare`: the same scenarios and luck for every schedule.

    Attributes
    ----------
    sender : Sender
    reacting, blind : mapping of name to Forecast
        Each schedule with reaction, and if nobody reacts.
    """

    sender: Sender
    reacting: Mapping[str, Forecast]
    blind: Mapping[str, Forecast]

    def to_frame(self) -> pd.DataFrame:
        """Return a row per schedule, with reaction and without.

        Columns: name, reaction (bool), q10, q50, q90 (days to the target from the start, inf for never), missing
        (probability of missing the horizon), by_deadline (probability, nan without a deadline), throttled_providers
        (expected number with a wrong day), wrong_days (mean number of throttled days, summed over providers), p_421
        (share of first attempts deferred, whatever the cause), delay (hours, mean of the mail deferred at first and
        delivered in the end), delayed, lost (shares of the mail), lost_messages (mean number), risk (the largest of
        any provider).
        """
        import pandas as pd

        rows = [
            _row(name, forecasts is self.reacting, forecast)
            for forecasts in (self.reacting, self.blind)
            for name, forecast in forecasts.items()
        ]
        return pd.DataFrame(rows)

    def hit(self) -> pd.DataFrame:
        """Tell who is hit: a row per schedule and provider, with reaction and without.

        Columns: name, provider, reaction (bool), risk (probability of a wrong day), wrong_days (mean number), lost,
        delayed (shares of the provider's mail), first_wrong (date of the first wrong day: the median of the scenarios
        that have one; None where none has).
        """
        import pandas as pd

        rows = [
            row
            for forecasts in (self.reacting, self.blind)
            for name, forecast in forecasts.items()
            for row in _hits(name, forecasts is self.reacting, forecast)
        ]
        return pd.DataFrame(rows)

    def deferred_days(self, name: str) -> pd.DataFrame:
        """Return a schedule day by day if nobody reacts: date, volume (messages), p_deferred.

        `p_deferred` is the probability that the day is wrong at one provider or more.
        """
        import pandas as pd

        forecast = self._forecast(name)
        p = forecast.weights @ forecast.wrong_days().any(axis=1)
        volume = forecast.schedule.total.sum(axis=0)
        return pd.DataFrame({"date": forecast.days, "volume": volume, "p_deferred": p})

    def differences(self, against: str | None = None) -> pd.DataFrame:
        """Return how far each schedule lies from one of them, scenario by scenario, with reaction.

        Parameters
        ----------
        against : str, optional
            The earliest on average when left out.

        Returns
        -------
        frame
            name, against, what (days to the target, at most the horizon; wrong_days; lost, a share), mean, error
            (standard error of the mean over the scenarios, whose luck both meet), apart (bool: the mean is above two
            standard errors).
        """
        import pandas as pd

        measured = {name: _measured(forecast) for name, forecast in self.reacting.items()}
        other = self._earliest(measured)[0] if against is None else self._known(against)
        rows = []
        for name in self.reacting:
            for what in _MEASURES:
                mean, error = self._difference(measured, name, other, what)
                row = {"name": name, "against": other, "what": what, "mean": mean, "error": error}
                rows.append({**row, "apart": abs(mean) > APART * error})
        return pd.DataFrame(rows)

    def verdict(self) -> str:
        """Say in a sentence which schedule is there first and at which price, judged with reaction.

        No schedule is called better than another unless their difference in the same scenarios exceeds two standard
        errors.
        """
        measured = {name: _measured(forecast) for name, forecast in self.reacting.items()}
        order = self._earliest(measured)
        best = order[0]
        tied = [name for name in order if name == best or not self._apart(measured, name, best, "days")]
        later = [name for name in order if name not in tied]
        if len(tied) > 1:
            return self._draw(measured, tied, later)
        text = f"{best} {'is there first' if later else 'is there'}, {self._arrival(best)}"
        if not later:
            return f"{text}."
        gap = self._gap(measured, best, later[0])
        also = f"; {_others(len(later) - 1)} after {best}, too" if len(later) > 1 else ""
        return f"{text}: {gap} before {later[0]}, {self._price(measured, best, later[0])}{also}."

    def note(self) -> str:
        """Say what stands beside published tables; empty when none is compared."""
        return CIRCULAR if any(_is_published(each.schedule, self.sender) for each in self.blind.values()) else ""

    def __repr__(self) -> str:
        return brief(self)

    def summary(self) -> str:
        """Say the verdict, and what happens to each schedule."""
        lines = [self.verdict()]
        lines += [f"{name}: {forecast.headline()}" for name, forecast in self.reacting.items()]
        return "\n".join([*lines, *filter(None, [self.note()])])

    def plot(self, what: str = "schedules") -> Figure:
        """Return a Plotly figure, not yet shown.

        Parameters
        ----------
        what : str
            'schedules': small multiples on one time axis, each marked where it would be deferred; 'dates': when the
            target is reached, 8 times in 10, with reaction and without.
        """
        import pandas as pd

        from planner import figures

        if what == "schedules":
            parts = [self.deferred_days(name).assign(name=name) for name in self.blind]
            target = float(self.sender.targets().sum())
            return figures.comparison(pd.concat(parts, ignore_index=True), target, self.sender.target.by)
        if what == "dates":
            forecast = next(iter(self.blind.values()))
            frame = self.to_frame()
            for q in ("q10", "q50", "q90"):
                frame[q] = [_date(forecast.days[0], day) for day in frame[q]]
            return figures.date_ranges(frame, forecast.days[-1], self.sender.target.by)
        raise InputError(f"A comparison has no plot '{what}'. It has: schedules, dates.")

    def assumptions(self) -> pd.DataFrame:
        """Priors the numbers rest on, with source and confidence."""
        return next(iter(self.reacting.values())).assumptions()

    def to_json(self) -> str:
        """Return the comparison as JSON: each forecast's recipe, and the table."""
        return json.dumps(
            {
                "format": FORMAT,
                "kind": "comparison",
                "model": MODEL_VERSION,
                "verdict": self.verdict(),
                "table": records(self.to_frame()),
                "reacting": {name: forecast.to_dict() for name, forecast in self.reacting.items()},
                "blind": {name: forecast.to_dict() for name, forecast in self.blind.items()},
            },
            ensure_ascii=False,
        )

    @classmethod
    def from_json(cls, text: str) -> Comparison:
        """Return the comparison that `to_json` wrote, simulated again."""
        from planner.inputs.yamlfile import parse_json

        data = parse_json(text, what="comparison")
        check_kind(data, "comparison")
        with undamaged("comparison"):
            reacting = {name: Forecast.from_dict(each) for name, each in data["reacting"].items()}
            blind = {name: Forecast.from_dict(each) for name, each in data["blind"].items()}
            if not reacting or reacting.keys() != blind.keys():
                raise ValueError("its schedules are not all there with reaction and without")
        return cls(next(iter(reacting.values())).sender, reacting, blind)

    def _forecast(self, name: str) -> Forecast:
        return self.blind[self._known(name)]

    def _known(self, name: str) -> str:
        if name not in self.blind:
            raise InputError(f"The comparison has no '{name}'. It has: {', '.join(self.blind)}.")
        return name

    # --- the verdict's parts

    def _earliest(self, measured: Mapping[str, Mapping[str, Floats]]) -> list[str]:
        """Names, the earliest on average first; whatever the order in which they were given."""
        mean = {name: float(self.reacting[name].weights @ each["days"]) for name, each in measured.items()}
        return sorted(mean, key=lambda name: (mean[name], name))

    def _difference(
        self, measured: Mapping[str, Mapping[str, Floats]], name: str, other: str, what: str
    ) -> tuple[float, float]:
        return paired(measured[name][what], measured[other][what], self.reacting[name].weights)

    def _apart(self, measured: Mapping[str, Mapping[str, Floats]], name: str, other: str, what: str) -> bool:
        mean, error = self._difference(measured, name, other, what)
        return abs(mean) > APART * error

    def _arrival(self, name: str) -> str:
        forecast = self.reacting[name]
        late = _days(forecast, LATE)
        if np.isfinite(late):
            return f"nine times in ten by {day_text(forecast.days[int(late)])}"
        share = float(forecast.weights @ np.isfinite(forecast.reached_by_all))
        return f"within the horizon in {in_100(share)} scenarios"

    def _gap(self, measured: Mapping[str, Mapping[str, Floats]], best: str, other: str) -> str:
        mean, error = self._difference(measured, other, best, "days")
        never = not np.isfinite(self.reacting[other].reached_by_all).all()
        least = "at least " if never else ""  # who never arrives is counted as arriving when the horizon ends
        unit = "day" if _number(mean) == "1" else "days"
        return f"{least}{_number(mean)} {unit} on average (± {_number(APART * error)})"

    def _price(self, measured: Mapping[str, Mapping[str, Floats]], best: str, other: str) -> str:
        mine, theirs = (_row(name, True, self.reacting[name]) for name in (best, other))
        days, theirs_days = (f"{row['wrong_days']:.1f}" for row in (mine, theirs))
        lost, theirs_lost = (_share(row["lost"]) for row in (mine, theirs))
        text = f"with {days} throttled days against {theirs_days}"
        if days == theirs_days or not self._apart(measured, best, other, "wrong_days"):
            text = f"with about as many throttled days ({days})"
        if lost == theirs_lost or not self._apart(measured, best, other, "lost"):
            return f"{text} and about as much lost mail ({lost})"
        return f"{text} and {lost} of the mail lost against {theirs_lost}"

    def _draw(self, measured: Mapping[str, Mapping[str, Floats]], tied: Sequence[str], later: Sequence[str]) -> str:
        """Say that some cannot be told apart by their day, and by what else they can."""
        text = f"{_listed(tied)} cannot be told apart by the day they reach the target ({self._arrival(tied[0])})"
        for what, says in (("wrong_days", "has the fewest throttled days"), ("lost", "loses the least mail")):
            value = {name: float(self.reacting[name].weights @ measured[name][what]) for name in tied}
            gentle, *others = sorted(tied, key=lambda name: (value[name], name))
            if all(self._apart(measured, gentle, other, what) for other in others):
                rows = [_row(name, True, self.reacting[name]) for name in (gentle, others[0])]
                mine, theirs = (_share(row[what]) if what == "lost" else f"{row[what]:.1f}" for row in rows)
                text += f", but {gentle} {says}: {mine} against {theirs}"
                break
        else:
            text += ", nor by throttled days or lost mail"
        if later:
            text += f"; {later[0]} comes {self._gap(measured, tied[0], later[0])} after {tied[0]}"
            text += f", and {_others(len(later) - 1)} after {tied[0]}, too" if len(later) > 1 else ""
        return f"{text}."


def compare(
    sender: Sender,
    candidates: Mapping[str, Plan | Schedule | Candidate],
    *,
    reaction: Reaction = DEFAULT_REACTION,
    retry: Retry = None,
    beliefs: Beliefs | None = None,
    scenarios: int = 500,
    seed: int = 0,
    progress: Progress | None = None,
) -> Comparison:
    """Judge schedules on the same scenarios, with reaction and without.

    Parameters
    ----------
    sender : Sender
    candidates : mapping of name to Plan, Schedule or Candidate
        A plan comes with its own retry policies and reaction, a candidate with those that it names. Where days had
        happened before a plan was made, they have happened to all: the schedules differ only after them.
    reaction : Reaction
        For the bare schedules.
    retry : RetryPolicy or mapping, optional
        For the bare schedules.
    beliefs : Beliefs, optional
        Where left out, what the plans had learnt from days that happened, else the catalogue's priors.
    scenarios : int
    seed : int
    progress : callable, optional
        Called with the share done.

    Returns
    -------
    Comparison
        All schedules over the longest horizon among them; a shorter one holds its largest day.

    Raises
    ------
    InputError
        If there is nothing to compare, a schedule does not fit the sender, or plans were made after different days.
    """
    if not candidates:
        raise InputError("There is nothing to compare. Give at least one plan or schedule.")
    plans = [each for each in candidates.values() if isinstance(each, Plan)]
    observed = _observed(plans)
    learnt = next((plan.beliefs for plan in plans if plan.observed is not None), None)
    believed = beliefs or (draw(sender, scenarios, seed) if learnt is None else learnt.resampled(scenarios, seed))
    given = {name: _candidate(each, sender) for name, each in candidates.items()}
    n_days = max(len(each.schedule.dates) for each in given.values())
    judged: list[tuple[Schedule, dict[str, RetryPolicy], Reaction | None, Forecast]] = []
    reacting: dict[str, Forecast] = {}
    blind: dict[str, Forecast] = {}
    for i, (name, each) in enumerate(given.items()):
        schedule = extended(each.schedule, sender, n_days)
        policies = policies_of(sender, retry if each.retry is None else each.retry)
        own = reaction if each.reaction is None else each.reaction
        for j, (forecasts, reacts) in enumerate(((reacting, own), (blind, None))):
            same = next((known[3] for known in judged if known[:3] == (schedule, policies, reacts)), None)
            forecasts[name] = same or simulate(
                sender,
                schedule,
                policies,
                reaction=reacts,
                beliefs=believed,
                seed=seed,
                observed=observed,
                progress=_part(progress, 2 * i + j, 2 * len(given)),
            )
            judged.append((schedule, policies, reacts, forecasts[name]))
            if progress is not None and same is not None:
                progress((2 * i + j + 1) / (2 * len(given)))
    return Comparison(sender, reacting, blind)


def extended(schedule: Schedule, sender: Sender, n_days: int) -> Schedule:
    """Return a schedule of at least this many days: after its end it holds its largest day, within the demand."""
    have = len(schedule.dates)
    if have >= n_days:
        return schedule
    demand = sender.demand(n_days)[:, have:]
    peak = schedule.total.max(axis=1)
    share = schedule.volume[:, :, -1] / np.maximum(schedule.volume[:, :, -1].sum(axis=1, keepdims=True), 1e-9)
    if len(schedule.segments) == 1:
        share = np.ones_like(share)
    held = np.minimum(demand, peak[:, None])[:, None, :] * share[:, :, None]
    volume = np.concatenate([schedule.volume, held], axis=2)
    return Schedule(schedule.providers, schedule.segments, sender.dates(n_days), volume)


def paired(values: Floats, others: Floats, weights: Floats) -> tuple[float, float]:
    """Mean difference of two results of the same scenarios, and its standard error.

    Parameters
    ----------
    values, others : (scenarios,) float arrays
    weights : (scenarios,) float array, sum 1

    Returns
    -------
    mean, error : float
        The error is that of a weighted mean of independent scenarios, infinite for a single one.

    Examples
    --------
    >>> paired(np.array([3.0, 5.0]), np.array([1.0, 1.0]), np.array([0.5, 0.5]))
    (3.0, 1.0)
    """
    difference = values - others
    mean = float(weights @ difference)
    spread = float((weights**2) @ (difference - mean) ** 2)
    left = 1.0 - float(weights @ weights)
    if spread == 0.0 and left > 0.0:
        return mean, 0.0
    return mean, float(np.sqrt(spread / left)) if left > 0.0 else float("inf")


def _observed(plans: Sequence[Plan]) -> Observations | None:
    """Return the days that had happened before the plans were made."""
    seen = [plan.observed for plan in plans if plan.observed is not None]
    if any(each != seen[0] for each in seen):
        raise InputError("The plans were made after different days. Compare plans of the same morning.")
    return seen[0] if seen else None


def _candidate(each: Plan | Schedule | Candidate, sender: Sender) -> Candidate:
    """Bring whatever is compared into one form, in the sender's order."""
    if isinstance(each, Plan):
        return Candidate(for_sender(each.schedule, sender), each.reaction, each.retry)
    if isinstance(each, Schedule):
        return Candidate(for_sender(each, sender))
    if isinstance(each, Candidate):
        return Candidate(for_sender(each.schedule, sender), each.reaction, each.retry)
    raise InputError(f"Cannot compare a {type(each).__name__}. Give a plan, a schedule or a Candidate.")


def _is_published(schedule: Schedule, sender: Sender) -> bool:
    """Tell whether a schedule is a published table of the catalogue as the sender would follow it."""
    for name, one in catalogue().schedules.items():
        n = min(one.length, len(schedule.dates))
        table = published(name, sender, n).total
        if np.array_equal(schedule.total[:, :n], table) and not np.array_equal(table, sender.demand(n)):
            return True  # where nothing rises, every table is the same
    return False


def _measured(forecast: Forecast) -> dict[str, Floats]:
    """What each scenario says of a schedule, (scenarios,) float arrays by measure."""
    injected = forecast.injected.sum(axis=(1, 2))
    return {
        "days": np.minimum(forecast.reached_by_all, float(len(forecast.days))),
        "wrong_days": forecast.wrong_days().sum(axis=(1, 2)).astype(float),
        "lost": (forecast.blocked + forecast.expired).sum(axis=(1, 2)) / np.maximum(injected, 1.0),
    }


def _row(name: str, reaction: bool, forecast: Forecast) -> dict[str, Any]:
    totals = forecast.totals()
    sent = max(1.0, float(totals["injected"].sum()))
    q10, q50, q90 = quantiles(forecast.reached_by_all, forecast.weights, (0.1, MEDIAN, LATE))
    by = forecast.sender.target.by
    lost = float((totals["blocked"] + totals["expired"]).sum())
    delays = forecast.delay()
    late = float(delays["messages"].sum())
    hours = float((delays["messages"] * delays["mean"]).sum()) / 3600
    return {
        "name": name,
        "reaction": reaction,
        "q10": float(q10),
        "q50": float(q50),
        "q90": float(q90),
        "missing": float(forecast.weights @ ~np.isfinite(forecast.reached_by_all)),
        "by_deadline": float("nan") if by is None else forecast.p_by(by),
        "throttled_providers": float(totals["risk"].sum()),
        "wrong_days": float(totals["wrong_days"].sum()),
        "p_421": float(totals["first_4xx"].sum()) / sent,
        "delay": hours / late if late else 0.0,
        "delayed": float(totals["delayed"].sum()) / sent,
        "lost": lost / sent,
        "lost_messages": lost,
        "risk": float(totals["risk"].max()),
    }


def _hits(name: str, reaction: bool, forecast: Forecast) -> list[dict[str, Any]]:
    totals = forecast.totals()
    wrong = forecast.wrong_days()
    sent = np.maximum(1.0, totals["injected"].to_numpy())
    lost = (totals["blocked"] + totals["expired"]).to_numpy() / sent
    return [
        {
            "name": name,
            "provider": provider,
            "reaction": reaction,
            "risk": float(totals["risk"][p]),
            "wrong_days": float(totals["wrong_days"][p]),
            "lost": float(lost[p]),
            "delayed": float(totals["delayed"][p] / sent[p]),
            "first_wrong": _first_wrong(wrong[:, p], forecast),
        }
        for p, provider in enumerate(forecast.providers)
    ]


def _first_wrong(wrong: Any, forecast: Forecast) -> date | None:
    """Median date of the first wrong day among the scenarios that have one; wrong (scenarios, days)."""
    some = wrong.any(axis=1)
    if not (some & (forecast.weights > 0.0)).any():
        return None
    weights = forecast.weights[some] / forecast.weights[some].sum()
    return forecast.days[int(quantiles(wrong[some].argmax(axis=1), weights, (MEDIAN,))[0])]


def _date(start: date, days: float) -> date | None:
    return start + timedelta(days=int(days)) if np.isfinite(days) else None


def _days(forecast: Forecast, q: float) -> float:
    return float(quantiles(forecast.reached_by_all, forecast.weights, (q,))[0])


def _number(value: float) -> str:
    """Two digits of a number of days."""
    return f"{value:.0f}" if abs(value) >= 10 else f"{value:.2g}"


def _share(share: float) -> str:
    if 0.0 < share < 0.0005:
        return "less than 0.1 %"
    return f"{100 * share:.1f} %"


def _others(n: int) -> str:
    return "the other one comes" if n == 1 else f"the other {n} come"


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _part(progress: Progress | None, i: int, n: int) -> Progress | None:
    if progress is None:
        return None
    return lambda share: progress((i + share) / n)
