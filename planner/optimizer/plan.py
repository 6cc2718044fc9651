"""Plan: the ramp we propose, what it rests on, and what it will probably do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from planner.errors import InputError
from planner.inputs.catalogue import catalogue
from planner.inputs.reaction import Reaction
from planner.inputs.retry import RetryPolicy
from planner.inputs.schedule import Schedule, decided_cells
from planner.inputs.sender import Sender
from planner.inputs.yamlfile import parse_json, save_text
from planner.optimizer.answers import Answer
from planner.simulation.forecast import (
    FORMAT,
    MODEL_VERSION,
    Forecast,
    assumptions_of,
    check_kind,
    densities_of,
    quantiles,
    read_text,
    records,
    undamaged,
)
from planner.simulation.seen import seen_days
from planner.simulation.simulator import simulate
from planner.vocabulary import HALF, agreeing, brief, day_text, in_100, short_day

if TYPE_CHECKING:
    import pandas as pd

    from planner.figures import Figure
    from planner.observing.observations import Observations
    from planner.optimizer.explanation import Explanation
    from planner.simulation.beliefs import Beliefs

_NUMBERS = (
    "risk",
    "planned_day",
    "q10",
    "q50",
    "q80",
    "q90",
    "missing",
    "by_deadline",
    "measured_risk",
    "wrong_days",
    "delayed",
    "lost",
)
"""Columns of the frontier that hold numbers, in their order."""

OWN_LIMITS = ("frequency_caps", "complaint_limit", "capacity")
"""Answers that say that the sender holds itself back."""

SURE = 0.8
"""How sure to be of a deadline when saying when to start."""


@dataclass(frozen=True, eq=False)
class Plan:
    """Result of `optimize`.

    Attributes
    ----------
    sender : Sender
    schedule : Schedule
        Messages by provider, engagement segment and day over the horizon.
    retry : mapping of provider to RetryPolicy
    reaction : Reaction
        What to do the morning after trouble; part of the plan.
    forecast : Forecast
        The plan with its reaction, on scenarios that no choice has seen.
    frontier_rows : tuple of dict
        One row per provider and risk level, see `frontier`.
    levels : mapping of provider to float
        Risk level chosen for each provider.
    risk : 'balanced' or float
        What was asked for.
    answers : tuple of Answer
        Wishes that cannot be met.
    seed : int
    options : mapping
        How it was made: `scenarios` of the forecast; `drops` of each provider, `search_days`; `priors` of one's own and
        `fixed` cells, where there are any. Where days have happened, `seen_days` how many, and `risk_taken` by them, by
        provider, of a risk that is a number.
    beliefs : Beliefs or None
        What it was planned on; None for the prior.
    """

    sender: Sender
    schedule: Schedule
    retry: Mapping[str, RetryPolicy]
    reaction: Reaction
    forecast: Forecast
    frontier_rows: tuple[dict[str, Any], ...]
    levels: Mapping[str, float]
    risk: str | float
    answers: tuple[Answer, ...]
    seed: int
    options: Mapping[str, Any] = field(default_factory=dict)
    beliefs: Beliefs | None = None

    @property
    def observed(self) -> Observations | None:
        """What was observed of the days that happened; None where it was not asked for."""
        return self.forecast.observed

    @property
    def n_seen(self) -> int:
        """How many of the schedule's first days have happened."""
        return self.forecast.n_seen

    @property
    def today(self) -> date:
        """First day that is planned: the sender's start, or the day after those that happened."""
        return self.sender.start + timedelta(days=self.n_seen)

    @property
    def frontier(self) -> pd.DataFrame:
        """What each risk level does: a row per provider, and one for 'all', at each level.

        Columns: provider, risk (limit), planned_day, q10, q50, q80, q90 (days from the start, inf for never), missing
        (probability of missing the horizon), by_deadline (probability, nan without one), measured_risk (probability
        of a wrong day; for 'all' the expected number of providers with one), wrong_days (mean number), delayed, lost
        (shares of the mail), chosen. 'all' leaves out who is not mailed within the horizon, for a closed gate say; no
        row of it is chosen where each provider has a risk of its own. Where days have happened, planned_day to
        by_deadline count from the start all the same; measured_risk to lost are those of the days left.
        """
        import pandas as pd

        return pd.DataFrame(list(self.frontier_rows)).replace({None: np.nan})

    @cached_property
    def blind(self) -> Forecast:
        """The same plan on the same scenarios if nobody reacts to trouble."""
        own = self.forecast
        return simulate(
            self.sender, self.schedule, self.retry, beliefs=own.beliefs, seed=own.seed, observed=self.observed
        )

    @cached_property
    def explanation(self) -> Explanation:
        """What binds, what relief is worth, and what the date hangs on; see `explain`."""
        from planner.optimizer.explanation import explain

        return explain(self)

    @property
    def pace(self) -> pd.DataFrame:
        """Share of the day's mail in each slot of 15 minutes: provider, slot_start, share; `slots` counts messages."""
        import pandas as pd

        share = self.sender.pace()
        hours, minutes = map(int, self.sender.day_start.split(":"))
        starts = [(hours * 60 + minutes + 15 * i) % 1440 for i in range(len(share))]
        slots = [(f"{m // 60:02}:{m % 60:02}", x) for m, x in zip(starts, share, strict=True) if x > 0.0]
        return pd.DataFrame(
            [(name, slot, x) for name in self.sender.provider_names for slot, x in slots],
            columns=["provider", "slot_start", "share"],
        )

    def tomorrow(self, day: date | None = None) -> pd.DataFrame:
        """What to send on a day, by default the next send day: provider, messages, per_hour (whole messages)."""
        import pandas as pd

        d = self._index(day)
        messages = self.schedule.total[:, d].astype(int)
        per_hour = np.ceil(messages / self.sender.window_hours).astype(int)
        return pd.DataFrame({"provider": self.sender.provider_names, "messages": messages, "per_hour": per_hour})

    def recipients(self, day: date | None = None) -> pd.DataFrame:
        """Whom to mail on a day, by default the next send day: provider, segment, messages (whole).

        The most engaged first; segments that get nothing are left out.
        """
        import pandas as pd

        d = self._index(day)
        messages = self.schedule.volume[:, :, d]
        names = np.array(self.schedule.providers), np.array(self.schedule.segments)
        p, g = np.nonzero(messages)
        return pd.DataFrame(
            {"provider": names[0][p], "segment": names[1][g], "messages": messages[p, g].astype(int)},
        )

    def slots(self, day: date | None = None) -> pd.DataFrame:
        """When to hand a day's mail over, by default the next send day: provider, slot_start, messages (whole).

        Even over the sending window: the slowest pace that a provider's hourly share can be given, and never a blast
        at the top of the hour.
        """
        d = self._index(day)
        pace = self.pace
        total = dict(zip(self.sender.provider_names, self.schedule.total[:, d], strict=True))
        upto = pace.groupby("provider", sort=False)["share"].cumsum()
        handed = np.floor(upto * pace["provider"].map(total) + HALF)
        before = handed.groupby(pace["provider"], sort=False).shift(fill_value=0.0)
        return pace[["provider", "slot_start"]].assign(messages=(handed - before).astype(int))

    def with_cells(self, cells: Mapping[str, Mapping[date, float]]) -> Schedule:
        """Return the schedule with some cells changed, divided over the segments anew: most engaged first.

        Parameters
        ----------
        cells : mapping of provider to mapping of date to messages

        Raises
        ------
        InputError
            If a provider or a day is not in the plan, or a volume makes no sense.
        """
        from planner.inputs.allocation import filled

        decided = decided_cells(self.sender, cells, len(self.schedule.dates))
        total = np.where(decided >= 0.0, decided, self.schedule.total)
        volume = filled(self.sender, total) if len(self.schedule.segments) > 1 else total[:, None, :]
        return Schedule(self.schedule.providers, self.schedule.segments, self.schedule.dates, volume)

    def first_day(self) -> date:
        """First planned day on which the plan sends."""
        return self.schedule.dates[self._index(None)]

    def holds_back(self) -> str | None:
        """Return the provider that reaches its target last, None where none is mailed or all start at the target."""
        days = quantiles(self.forecast.reached, self.forecast.weights, (0.5, 0.8, 0.9))
        if not days.size or not (days > 0).any() or not self.schedule.total[:, self.n_seen :].any():
            return None
        if any(answer.name in OWN_LIMITS for answer in self.answers):
            return None  # the sender itself does; the answers say so
        order = np.lexsort(np.nan_to_num(days[::-1], posinf=1e9))
        return self.sender.provider_names[int(order[-1])]

    def deadline(self) -> dict[str, Any] | None:
        """Answer the sender's deadline: by (date), p (probability), start_by (date that makes it 8 in 10, or None)."""
        by = self.sender.target.by
        if by is None:
            return None
        needed = float(quantiles(self.forecast.reached_by_all, self.forecast.weights, (SURE,))[0])
        start_by = by - timedelta(days=int(needed)) if np.isfinite(needed) else None
        return {"by": by, "p": self.forecast.p_by(by), "start_by": start_by}

    def headline(self) -> str:
        """One sentence: when the target is reached and how sure that is."""
        return self.forecast.headline()

    def __repr__(self) -> str:
        return brief(self)

    def summary(self) -> str:
        """Say the plan in a few sentences."""
        lines = [*self._standing(), self.headline(), self._trouble_text()]
        deadline = self.deadline()
        if deadline is not None:
            lines.append(self._deadline_text(deadline))
        lines += [f"{answer.text} {answer.remedy}" for answer in self.answers]
        return "\n".join(lines)

    def to_frame(self) -> pd.DataFrame:
        """Return one row per provider and date.

        Columns: provider, date, volume (planned), overflow (what the day asks for beyond it, left to the old path,
        say), per_hour, sent_q10, sent_q50, sent_q90 (what the reaction leaves of it), p_421, p_421_q90,
        risk_of_wrong_day, seen (bool: the day has happened, and every number is what was observed).
        """
        sent = self.forecast.to_frame("injected")
        p_421 = self.forecast.p_421()
        volume = self.schedule.total
        frame = sent[["provider", "date"]].copy()
        frame["volume"] = volume.ravel().astype(int)
        frame["overflow"] = np.maximum(0.0, self.sender.demand(volume.shape[1]) - volume).ravel().astype(int)
        frame["per_hour"] = np.ceil(volume / self.sender.window_hours).ravel().astype(int)
        for column in ("q10", "q50", "q90"):
            frame[f"sent_{column}"] = sent[column]
        frame["p_421"] = p_421["mean"]
        frame["p_421_q90"] = p_421["q90"]
        frame["risk_of_wrong_day"] = self.forecast.to_frame("wrong_days")["mean"]
        frame["seen"] = np.tile(np.arange(volume.shape[1]) < self.n_seen, len(volume))
        return frame

    def plot(self, what: str = "ramp") -> Figure:
        """Return a Plotly figure, not yet shown: 'ramp', 'p_421' or 'frontier'."""
        from planner import figures

        if what == "ramp":
            target = float(self.sender.targets().sum())
            volumes = self.to_frame()[["provider", "date", "volume"]]
            band = self.forecast.total_band()
            today = self.today if self.n_seen else None
            return figures.ramp(volumes, band, None, target=target, deadline=self.sender.target.by, today=today)
        if what == "p_421":
            return figures.deferral_heat_map(self.forecast.p_421())
        if what == "frontier":
            return figures.frontier(self.frontier)
        raise InputError(f"A plan has no plot '{what}'. It has: ramp, p_421, frontier.")

    def assumptions(self) -> pd.DataFrame:
        """Priors the plan rests on, somebody's own where it was made from them, with source and confidence."""
        return assumptions_of(self.forecast.providers, self.options.get("priors"))

    def densities(self) -> pd.DataFrame:
        """Priors as curves to be drawn, somebody's own beside the catalogue's.

        Columns: provider, parameter, title, own (bool), shape, unit, low, typical, high, value, density (peak 1, even
        steps on the prior's own scale; a single row where the value is known).
        """
        return densities_of(self.forecast.providers, self.options.get("priors"))

    def to_json(self) -> str:
        """Return the plan as JSON: what it was made from, what it says, and quantiles for other programs."""
        return json.dumps(self.to_dict(), ensure_ascii=False, separators=(",", ":"))

    def to_dict(self) -> dict[str, Any]:
        """Return what `to_json` writes."""
        return {
            "format": FORMAT,
            "kind": "plan",
            "model": MODEL_VERSION,
            "summary": self.summary(),
            "risk": self.risk,
            "seed": self.seed,
            "options": dict(self.options),
            "levels": dict(self.levels),
            "answers": [asdict(answer) for answer in self.answers],
            "frontier": records(self.frontier),
            "days": records(self.to_frame()),
            "forecast": {
                key: value for key, value in self.forecast.to_dict().items() if key != "p_421"
            },  # it is in days
        }

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """Return the plan that `to_json` wrote; its forecast is simulated again from the seed.

        Raises
        ------
        InputError
            If the text is no plan.
        """
        data = parse_json(text, what="plan")
        check_kind(data, "plan")
        with undamaged("plan"):
            answers = tuple(_answer(answer) for answer in data["answers"])
            if data["model"] != MODEL_VERSION:
                text = f"This plan was computed by model {data['model']}; its forecast is by model {MODEL_VERSION}."
                answers += (Answer("earlier_model", text, "Compute the plan again to compare."),)
                data["forecast"]["model"] = MODEL_VERSION
            forecast = Forecast.from_dict(data["forecast"])
            if forecast.reaction is None:
                raise ValueError("it holds no reaction")
            if data["options"].get("seen_days", 0) != forecast.n_seen:
                raise ValueError("what was observed is missing, or of other days")
            return cls(
                forecast.sender,
                forecast.schedule,
                forecast.retry,
                forecast.reaction,
                forecast,
                tuple(_row(row) for row in data["frontier"]),
                {name: float(data["levels"][name]) for name in forecast.providers},
                data["risk"] if data["risk"] == "balanced" else float(data["risk"]),
                answers,
                int(data["seed"]),
                _checked_options(data["options"]),
            )

    def save(self, path: str | Path) -> None:
        """Write `to_json` to a file, atomically."""
        save_text(path, self.to_json())

    @classmethod
    def load(cls, path: str | Path) -> Plan:
        """Read what `save` wrote."""
        return cls.from_json(read_text(path, "plan"))

    def _index(self, day: date | None) -> int:
        if day is None:
            sent = np.flatnonzero(self.schedule.total[:, self.n_seen :].sum(axis=0) > 0.0)
            return self.n_seen + (int(sent[0]) if len(sent) else 0)
        if day not in self.schedule.dates:
            first, last = self.schedule.dates[0], self.schedule.dates[-1]
            raise InputError(f"{day.isoformat()} is not in the plan, which runs from {first} to {last}.")
        return self.schedule.dates.index(day)

    def _standing(self) -> list[str]:
        """Say what has happened so far."""
        seen = seen_days(self.sender, self.observed)
        if seen is None:
            return []
        days = f"{len(seen)} day{'s' * (len(seen) != 1)} observed"
        hit = seen.wrong_days().sum(axis=1)
        facts = catalogue()
        said = [
            f"{facts.provider(name).name} throttled on {n}"
            for name, n in zip(self.sender.provider_names, hit, strict=True)
            if n
        ]
        lines = [f"Planned from {day_text(self.today)}: {days}, {', '.join(said) or 'none of them throttled'}."]
        return [*lines, *seen.notes]

    def _trouble_text(self) -> str:
        slowest = self.holds_back()
        alone = len(self.sender.provider_names) == 1
        held = "" if slowest is None or alone else f"{_holds_back_text(slowest)} "
        return held + self.forecast.trouble_text()

    def _deadline_text(self, deadline: Mapping[str, Any]) -> str:
        beyond = deadline["by"] > self.schedule.dates[-1]  # what comes after the horizon is not simulated
        text = f"Deadline {day_text(deadline['by'])}: {'at least ' if beyond else ''}{in_100(deadline['p'])}."
        if self.n_seen:
            return text
        if deadline["start_by"] is None:
            return f"{text} No start makes it {in_100(SURE)} at this volume; lower the target."
        if deadline["p"] < SURE:
            return f"{text} Start by {short_day(deadline['start_by'], self.sender.start)} for {in_100(SURE)}."
        return text


def _checked_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options from JSON; what an edit has left of them must still be what `optimize` wrote."""
    checked = dict(options)
    if "priors" in checked:
        catalogue().changed(checked["priors"])
    if "risk_taken" in checked:
        checked["risk_taken"] = {str(name): float(share) for name, share in checked["risk_taken"].items()}
        if not all(0.0 <= share < 1.0 for share in checked["risk_taken"].values()):
            raise ValueError("a risk that was taken is no share")
    if "fixed" in checked:
        checked["fixed"] = {
            str(name): {date.fromisoformat(day).isoformat(): float(n) for day, n in days.items()}
            for name, days in checked["fixed"].items()
        }
    return checked


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a frontier row from JSON, where null stands for never."""
    never = {key: np.inf for key in ("planned_day", "q10", "q50", "q80", "q90") if row[key] is None}
    unknown = {"by_deadline": np.nan} if row["by_deadline"] is None else {}
    numbers = {key: float(row[key]) for key in _NUMBERS if key not in never and key not in unknown}
    whole_row = {"provider": str(row["provider"]), **numbers, **never, **unknown, "chosen": bool(row["chosen"])}
    return {key: whole_row[key] for key in ("provider", *_NUMBERS, "chosen")}


def _answer(answer: Mapping[str, Any]) -> Answer:
    provider = answer["provider"]
    name, text, remedy = (str(answer[key]) for key in ("name", "text", "remedy"))
    return Answer(name, text, remedy, None if provider is None else str(provider))


def _holds_back_text(provider: str) -> str:
    name = catalogue().provider(provider).name
    return f"{name} {agreeing(name, 'holds', 'hold')} you back."
