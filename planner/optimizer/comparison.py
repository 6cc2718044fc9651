"""compare(): several schedules before the same referee, with and without reaction."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from planner.errors import InputError
from planner.inputs.reaction import DEFAULT_REACTION, Reaction
from planner.inputs.schedule import Schedule
from planner.inputs.sender import Sender
from planner.optimizer.plan import Plan
from planner.simulation.beliefs import Beliefs, draw
from planner.simulation.forecast import FORMAT, MODEL_VERSION, Forecast, check_kind, quantiles, records, undamaged
from planner.simulation.simulator import Progress, Retry, policies_of, simulate
from planner.vocabulary import day_text, in_100

if TYPE_CHECKING:
    import pandas as pd

    from planner.figures import Figure

MEDIAN, LATE = 0.5, 0.9


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
        (probability of missing the horizon), throttled_providers (expected number with a wrong day), wrong_days
        (mean number over providers), delayed, lost (shares of the mail), risk (the largest of any provider).
        """
        import pandas as pd

        rows = [
            _row(name, forecasts is self.reacting, forecast)
            for forecasts in (self.reacting, self.blind)
            for name, forecast in forecasts.items()
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

    def verdict(self) -> str:
        """Say in a sentence which schedule to take and why, judged with reaction."""
        late = {name: _days(forecast, LATE) for name, forecast in self.reacting.items()}
        median = {name: _days(forecast, MEDIAN) for name, forecast in self.reacting.items()}
        best = min(late, key=lambda name: (late[name], median[name]))
        if not np.isfinite(late[best]):
            reach = {name: float(f.weights @ np.isfinite(f.reached_by_all)) for name, f in self.reacting.items()}
            likely = max(reach, key=lambda name: reach[name])
            return f"None reaches the target nine times in ten; {likely} is the likeliest, {in_100(reach[likely])}."
        day = self.reacting[best].days[int(late[best])]
        others = [name for name in late if name != best]
        text = f"{best} is there nine times in ten by {day_text(day)}"
        if not others:
            return text + "."
        return f"{text}; {', '.join(_behind(name, late[name] - late[best]) for name in others)}."

    def summary(self) -> str:
        """Say the verdict, and what happens to each schedule."""
        lines = [self.verdict()]
        lines += [f"{name}: {forecast.headline()}" for name, forecast in self.reacting.items()]
        return "\n".join(lines)

    def plot(self) -> Figure:
        """Return small multiples on one time axis: each schedule, marked where it would be deferred."""
        import pandas as pd

        from planner import figures

        parts = [self.deferred_days(name).assign(name=name) for name in self.blind]
        return figures.comparison(pd.concat(parts, ignore_index=True))

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
        if name not in self.blind:
            raise InputError(f"The comparison has no '{name}'. It has: {', '.join(self.blind)}.")
        return self.blind[name]


def compare(
    sender: Sender,
    candidates: Mapping[str, Plan | Schedule],
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
    candidates : mapping of name to Plan or Schedule
        A plan comes with its own retry policies and reaction.
    reaction : Reaction
        For the bare schedules.
    retry : RetryPolicy or mapping, optional
        For the bare schedules.
    beliefs : Beliefs, optional
        Drawn from the catalogue's priors where left out.
    scenarios : int
    seed : int
    progress : callable, optional
        Called with the share done.

    Returns
    -------
    Comparison
        All schedules over the longest horizon among them; a shorter one holds its last week.

    Raises
    ------
    InputError
        If there is nothing to compare, or a schedule does not fit the sender.
    """
    if not candidates:
        raise InputError("There is nothing to compare. Give at least one plan or schedule.")
    believed = beliefs or draw(sender, scenarios, seed)
    n_days = max(len(_schedule(each).dates) for each in candidates.values())
    reacting: dict[str, Forecast] = {}
    blind: dict[str, Forecast] = {}
    for i, (name, each) in enumerate(candidates.items()):
        schedule = extended(_schedule(each), sender, n_days)
        own_retry = each.retry if isinstance(each, Plan) else policies_of(sender, retry)
        own_reaction = each.reaction if isinstance(each, Plan) else reaction
        for j, (forecasts, reacts) in enumerate(((reacting, own_reaction), (blind, None))):
            forecasts[name] = simulate(
                sender,
                schedule,
                own_retry,
                reaction=reacts,
                beliefs=believed,
                seed=seed,
                progress=_part(progress, 2 * i + j, 2 * len(candidates)),
            )
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


def _schedule(candidate: Plan | Schedule) -> Schedule:
    if isinstance(candidate, Plan):
        return candidate.schedule
    if isinstance(candidate, Schedule):
        return candidate
    raise InputError(f"Cannot compare a {type(candidate).__name__}. Give a plan or a schedule.")


def _row(name: str, reaction: bool, forecast: Forecast) -> dict[str, Any]:
    totals = forecast.totals()
    sent = max(1.0, float(totals["injected"].sum()))
    q10, q50, q90 = quantiles(forecast.reached_by_all, forecast.weights, (0.1, MEDIAN, LATE))
    return {
        "name": name,
        "reaction": reaction,
        "q10": float(q10),
        "q50": float(q50),
        "q90": float(q90),
        "missing": float(forecast.weights @ ~np.isfinite(forecast.reached_by_all)),
        "throttled_providers": float(totals["risk"].sum()),
        "wrong_days": float(totals["wrong_days"].sum()),
        "delayed": float(totals["delayed"].sum()) / sent,
        "lost": float((totals["blocked"] + totals["expired"]).sum()) / sent,
        "risk": float(totals["risk"].max()),
    }


def _days(forecast: Forecast, q: float) -> float:
    return float(quantiles(forecast.reached_by_all, forecast.weights, (q,))[0])


def _behind(name: str, days: float) -> str:
    if not np.isfinite(days):
        return f"{name} is not there that surely within the horizon"
    if days == 0:
        return f"{name} is there on the same day"
    return f"{name} needs {int(days)} more {'day' if days == 1 else 'days'}"


def _part(progress: Progress | None, i: int, n: int) -> Progress | None:
    if progress is None:
        return None
    return lambda share: progress((i + share) / n)
