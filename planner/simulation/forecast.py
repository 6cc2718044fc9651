"""Forecast: what happens to a schedule in every scenario, and what that means in counts, shares and dates."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from planner.errors import InputError
from planner.inputs.catalogue import Priors, catalogue
from planner.inputs.provider import PARAMETER_INFO, PARAMETERS
from planner.inputs.reaction import Reaction
from planner.inputs.retry import RetryPolicy
from planner.inputs.schedule import Schedule, for_sender
from planner.inputs.sender import Sender
from planner.inputs.yamlfile import parse_json, save_text
from planner.observing.observations import Observations
from planner.simulation import layout
from planner.simulation.beliefs import Beliefs, density_of, draw
from planner.simulation.seen import seen_days
from planner.simulation.trouble import trouble_share_of, wrong_days_of
from planner.vocabulary import Bools, Cause, Confidence, Floats, brief, day_text, in_100, rounded, short_day

if TYPE_CHECKING:
    import pandas as pd

    from planner.figures import Figure

FORMAT = 1
MODEL_VERSION = "1"
"""Changes whenever the same inputs and seed give other numbers."""

REACHED = 0.005
"""Share of the week's largest demand that may be missing on the day the target counts as reached."""

QUANTILES = (0.1, 0.5, 0.9)

MOST_SCENARIOS = 1_000_000

_NEXT_TO_NOTHING = 1e-9


@dataclass(frozen=True, eq=False)
class Forecast:
    """Result of `simulate`.

    Counts are (scenarios, providers, days) float arrays: `injected`, `attempts`, `delivered`,
    `hard_bounced`, `blocked`, `expired`, `queued` (at the day's end), `first_4xx`, `first_trouble`,
    `overflow` (demand that was not sent), `delayed` (delivered after a deferral); `reputation`,
    `allowance` and `established` are those of the day's beginning. `deferred` has a last axis of causes.

    Attributes
    ----------
    sender, schedule, retry, reaction, beliefs, seed, slot_minutes
        What was simulated.
    rows : (layout.N_ROWS, scenarios, providers, days) float array
    delays : (scenarios, providers, layout.N_DELAY_BINS) float array
    observed : Observations or None
        Days that happened: their counts are the observed ones in every scenario.
    """

    sender: Sender
    schedule: Schedule
    retry: Mapping[str, RetryPolicy]
    reaction: Reaction | None
    beliefs: Beliefs
    seed: int
    slot_minutes: int
    rows: Floats
    delays: Floats
    observed: Observations | None = None

    def __post_init__(self) -> None:
        self.rows.setflags(write=False)
        self.delays.setflags(write=False)

    def __getattr__(self, name: str) -> Floats:
        if name in layout.COUNTS:
            return np.asarray(self.rows[layout.COUNTS.index(name)])
        raise AttributeError(name)

    @property
    def deferred(self) -> Floats:
        """Deferrals by cause, (scenarios, providers, days, causes) float array, messages' attempts."""
        return np.moveaxis(self.rows[layout.DEFERRED :], 0, -1)

    @property
    def causes(self) -> tuple[str, ...]:
        """Names along the last axis of `deferred`."""
        return tuple(str(cause) for cause in Cause)

    @property
    def providers(self) -> tuple[str, ...]:
        """Names along the providers axis."""
        return self.sender.provider_names

    @property
    def days(self) -> tuple[date, ...]:
        """Dates along the days axis."""
        return self.schedule.dates

    @cached_property
    def n_seen(self) -> int:
        """How many of the first days have happened."""
        seen = seen_days(self.sender, self.observed)
        return 0 if seen is None else min(len(seen), len(self.days))

    @property
    def weights(self) -> Floats:
        """Weights of the scenarios, (scenarios,) float array, sum 1."""
        return self.beliefs.weights

    def rescheduled(self, schedule: Schedule, *, progress: Callable[[float], None] | None = None) -> Forecast:
        """Return the forecast of another schedule in the same scenarios: what `simulate` would give.

        Providers do not meet, so only those whose volumes differ are simulated.

        Raises
        ------
        InputError
            If the schedule does not fit the sender.
        """
        from planner.simulation.simulator import simulate

        def run(part: Schedule) -> Forecast:
            return simulate(
                self.sender,
                part,
                self.retry,
                reaction=self.reaction,
                beliefs=self.beliefs,
                seed=self.seed,
                slot_minutes=self.slot_minutes,
                observed=self.observed,
                progress=progress,
            )

        whole = for_sender(schedule, self.sender)
        if (whole.segments, whole.dates) != (self.schedule.segments, self.schedule.dates):
            return run(whole)
        same = (whole.volume == self.schedule.volume).all(axis=(1, 2))
        moved = Schedule(whole.providers, whole.segments, whole.dates, np.where(same[:, None, None], 0.0, whole.volume))
        part = run(moved)
        rows = np.where(same[:, None], self.rows, part.rows)
        delays = np.where(same[:, None], self.delays, part.delays)
        return replace(part, schedule=whole, rows=rows, delays=delays)

    def trouble_share(self) -> Floats:
        """First attempts answered by limit, penalty or sender block / new messages, (scenarios, providers, days)."""
        return trouble_share_of(self.injected, self.first_trouble)

    def wrong_days(self) -> Bools:
        """Days with a trouble share above 10 % and at least 5 such messages, (scenarios, providers, days)."""
        return wrong_days_of(self.injected, self.first_trouble)

    def risk(self) -> Floats:
        """Probability of a wrong day within what is left of the horizon, (providers,) float array."""
        return np.asarray(self.weights @ self.wrong_days()[:, :, self.n_seen :].any(axis=2))

    @cached_property
    def reached(self) -> Floats:
        """First day on which the target is reached, (scenarios, providers) float array, inf for never."""
        demand = self.sender.demand(len(self.days))
        return reached_days(self.injected, self.wrong_days(), demand, self.sender.targets())

    @property
    def reached_by_all(self) -> Floats:
        """Day on which the slowest provider reaches its target, (scenarios,) float array, inf for never."""
        return np.asarray(self.reached.max(axis=1, initial=0.0))

    def reach(self) -> pd.DataFrame:
        """Day (from 0) and date of reaching the target: one row per provider and one for 'all'.

        Returns
        -------
        frame
            provider, q10, q50, q80, q90 (days, inf for never), missing (probability of never within the horizon).
        """
        import pandas as pd

        rows = []
        for name, days in [*zip(self.providers, self.reached.T, strict=True), ("all", self.reached_by_all)]:
            q10, q50, q80, q90 = quantiles(days, self.weights, (0.1, 0.5, 0.8, 0.9))
            missing = float(self.weights @ ~np.isfinite(days))
            rows.append({"provider": name, "q10": q10, "q50": q50, "q80": q80, "q90": q90, "missing": missing})
        return pd.DataFrame(rows)

    def p_by(self, day: date) -> float:
        """Probability that the target is reached on or before a date."""
        return float(self.weights @ (self.reached_by_all <= (day - self.days[0]).days))

    def p_421(self) -> pd.DataFrame:
        """Share of first attempts answered 4xx for any cause: provider, date, mean, q10, q50, q90, cause.

        The cause is that of most deferrals of the day, retries included; stuck mailboxes count where nothing else does.
        """
        share = np.minimum(1.0, self.first_4xx / np.maximum(self.injected, 1.0)) * (self.injected > 0.0)
        by_cause = np.einsum("s,kspd->kpd", self.weights, self.rows[layout.DEFERRED :])
        by_cause[layout.STUCK] *= _NEXT_TO_NOTHING
        names = np.array([*self.causes, ""])
        most = np.where(by_cause.any(axis=0), by_cause.argmax(axis=0), len(self.causes))
        return self._bands(share).assign(cause=names[most].ravel())

    def delay(self) -> pd.DataFrame:
        """Delay of delivered mail that was deferred at first: provider, messages, mean, q10, q50, q90, q95; seconds."""
        import pandas as pd

        total = np.einsum("s,spb->pb", self.weights, self.delays)
        messages = np.einsum("s,spd->p", self.weights, self.delayed)
        seconds = np.einsum("s,spd->p", self.weights, self.delay_seconds)
        rows = []
        for p, name in enumerate(self.providers):
            row = {
                "provider": name,
                "messages": messages[p],
                "mean": seconds[p] / messages[p] if messages[p] else 0.0,
            }
            row |= {f"q{round(100 * q)}": _histogram_quantile(total[p], q) for q in (0.1, 0.5, 0.9, 0.95)}
            rows.append(row)
        return pd.DataFrame(rows)

    def totals(self) -> pd.DataFrame:
        """Mean counts over the horizon, a row per provider, with deferrals by cause and the risk of a wrong day."""
        import pandas as pd

        sums = np.einsum("s,kspd->kp", self.weights, self.rows)
        frame = pd.DataFrame({"provider": self.providers})
        for k, name in enumerate(layout.COUNTS):
            if name in ("reputation", "allowance", "established", "delay_seconds", "rested_seconds"):
                continue
            last = np.einsum("s,sp->p", self.weights, self.rows[k][:, :, -1])
            frame[name] = last if name == "queued" else sums[k]
        for c, cause in enumerate(self.causes):
            frame[f"deferred_{cause}"] = sums[layout.DEFERRED + c]
        frame["wrong_days"] = np.einsum("s,spd->p", self.weights, self.wrong_days().astype(float))
        frame["risk"] = self.risk()
        return frame

    def to_frame(self, what: str = "injected") -> pd.DataFrame:
        """Return one aspect as a tidy frame.

        Parameters
        ----------
        what : str
            A count by its name, 'deferred' (a row per cause too), 'trouble_share', 'p_421', 'wrong_days', 'delay',
            'reach' or 'totals'.

        Raises
        ------
        InputError
            If there is no such aspect.
        """
        if what in ("p_421", "delay", "reach", "totals"):
            return getattr(self, what)()  # type: ignore[no-any-return]
        if what in layout.COUNTS:
            return self._bands(getattr(self, what))
        if what == "trouble_share":
            return self._bands(self.trouble_share())
        if what == "wrong_days":
            return self._bands(self.wrong_days().astype(float))
        if what == "deferred":
            import pandas as pd

            parts = [self._bands(self.deferred[..., c]).assign(cause=cause) for c, cause in enumerate(self.causes)]
            return pd.concat(parts, ignore_index=True)
        known = (
            *layout.COUNTS,
            "deferred",
            "trouble_share",
            "p_421",
            "wrong_days",
            "delay",
            "reach",
            "totals",
        )
        raise InputError(f"A forecast has no '{what}'. It has: {', '.join(known)}.")

    def plot(self, what: str = "injected") -> Figure:
        """Return a Plotly figure of one aspect, not yet shown: a count, 'p_421', 'deferred' or 'delay'."""
        from planner import figures

        if what == "p_421":
            return figures.deferral_heat_map(self.p_421())
        if what == "deferred":
            return figures.deferrals_by_cause(self.to_frame("deferred"))
        if what == "delay":
            return figures.delays(self.delay())
        return figures.bands(self.to_frame(what), what)

    def total_band(self, what: str = "injected") -> pd.DataFrame:
        """Sum of a count over the providers: date, mean, q10, q50, q90."""
        import pandas as pd

        total = getattr(self, what).sum(axis=1)
        low, middle, high = quantiles(total, self.weights, QUANTILES)
        mean = np.einsum("s,sd->d", self.weights, total)
        return pd.DataFrame({"date": self.days, "mean": mean, "q10": low, "q50": middle, "q90": high})

    def __repr__(self) -> str:
        return brief(self)

    def summary(self) -> str:
        """Say in a few sentences when the target is reached, what trouble to expect and what is lost."""
        return "\n".join([self.headline(), self.trouble_text(), self._loss_text()])

    def headline(self) -> str:
        """Say when the target is reached: about the median date, and between which days 8 times in 10."""
        target = rounded(float(self.sender.targets().sum()))
        per = "a send" if self.sender.target.per == "send" else "a day"
        low, middle, high = quantiles(self.reached_by_all, self.weights, QUANTILES)
        last = short_day(self.days[-1], self.days[0])
        if not np.isfinite(middle):
            share = in_100(float(self.weights @ np.isfinite(self.reached_by_all)))
            return f"{target} {per} is reached by {last} in {share} scenarios."
        if self.reached_by_all.max() < self.n_seen:
            return f"{target} {per} was reached on {day_text(self.days[int(middle)])}."
        day = day_text(self.days[int(middle)])
        if low == high:
            return f"{target} {per} on {day}, at least 8 times in 10."
        text = f"{target} {per} about {day}"
        if np.isfinite(high):
            return f"{text}; 8 times in 10 between {self._short(low)} and {self._short(high)}."
        late = in_100(float(self.weights @ ~np.isfinite(self.reached_by_all)))
        return f"{text}; 9 times in 10 not before {self._short(low)}, {late} later than {last} or never."

    def assumptions(self) -> pd.DataFrame:
        """Priors the numbers rest on: provider, parameter, low, typical, high, unit, confidence, source, note."""
        return assumptions_of(self.providers)

    def to_json(self) -> str:
        """Return the forecast as JSON: its recipe (a seed reproduces every number), and its quantiles to read."""
        return json.dumps(self.to_dict(), ensure_ascii=False)

    def to_dict(self) -> dict[str, Any]:
        """Return what `to_json` writes."""
        return {
            "format": FORMAT,
            "kind": "forecast",
            "model": MODEL_VERSION,
            "sender": self.sender.to_dict(),
            "schedule": self.schedule.to_dict(),
            "retry": {name: policy.model_dump(mode="json") for name, policy in self.retry.items()},
            "reaction": None if self.reaction is None else self.reaction.model_dump(mode="json"),
            "beliefs": beliefs_recipe(self.sender, self.beliefs),
            "seed": self.seed,
            "slot_minutes": self.slot_minutes,
            **({} if self.observed is None else {"observed": self.observed.to_dict()}),
            "reach": records(self.reach()),
            "totals": records(self.totals()),
            "p_421": records(self.p_421()),
        }

    @classmethod
    def from_json(cls, text: str) -> Forecast:
        """Return the forecast that `to_json` wrote, simulated again from its recipe.

        Raises
        ------
        InputError
            If the text is no forecast, or was written by another version of the model.
        """
        data = parse_json(text, what="forecast")
        return cls.from_dict(data)

    @classmethod
    def from_dict(cls, data: Any) -> Forecast:
        """Return the forecast that `to_dict` described."""
        from planner.simulation.simulator import simulate

        check_kind(data, "forecast")
        with undamaged("forecast"):
            if data["model"] != MODEL_VERSION:
                raise InputError(
                    f"This forecast was computed by model {data['model']}, this is model {MODEL_VERSION}. "
                    "Its numbers would change; compute it again to compare."
                )
            sender = Sender.from_dict(data["sender"])
            retry = {name: RetryPolicy.model_validate(policy) for name, policy in data["retry"].items()}
            reaction = None if data["reaction"] is None else Reaction.model_validate(data["reaction"])
            return simulate(
                sender,
                Schedule.from_dict(data["schedule"]),
                retry,
                reaction=reaction,
                beliefs=beliefs_from_recipe(sender, data["beliefs"]),
                seed=index(data["seed"]),
                slot_minutes=index(data["slot_minutes"]),
                observed=Observations.from_dict(data["observed"]) if "observed" in data else None,
            )

    def save(self, path: str | Path) -> None:
        """Write `to_json` to a file, atomically."""
        save_text(path, self.to_json())

    @classmethod
    def load(cls, path: str | Path) -> Forecast:
        """Read what `save` wrote."""
        return cls.from_json(read_text(path, "forecast"))

    def _bands(self, values: Floats) -> pd.DataFrame:
        import pandas as pd

        n_days = len(self.days)
        low, middle, high = quantiles(values, self.weights, QUANTILES)
        mean = np.einsum("s,spd->pd", self.weights, values)
        return pd.DataFrame(
            {
                "provider": np.repeat(self.providers, n_days),
                "date": self.days * len(self.providers),
                "mean": mean.ravel(),
                "q10": low.ravel(),
                "q50": middle.ravel(),
                "q90": high.ravel(),
            }
        )

    def _short(self, day: float) -> str:
        return short_day(self.days[0] + timedelta(days=int(day)), self.days[0])

    def trouble_text(self) -> str:
        """Say how many providers will probably throttle on some day."""
        n = int((self.schedule.total[:, self.n_seen :].max(axis=1, initial=0.0) > 0.0).sum())
        if n == 0:
            return "Nothing is sent."
        if n == 1:
            return f"A throttled day: {in_100(float(self.risk().max()))}."
        return f"Expect a throttled day at {about(float(self.risk().sum()))} of your {n} providers."

    def _loss_text(self) -> str:
        totals = self.totals()
        injected = float(totals["injected"].sum())
        lost = float((totals["blocked"] + totals["expired"]).sum())
        late = float(totals["delayed"].sum())
        return f"Of {rounded(injected)} messages about {rounded(late)} arrive late and {rounded(lost)} are lost."


def reached_days(injected: Floats, wrong: Bools, demand: Floats, targets: Floats) -> Floats:
    """Return the first day on which each provider's target is reached, (scenarios, providers), inf for never.

    Parameters
    ----------
    injected : (scenarios, providers, days) float array, messages
    wrong : (scenarios, providers, days) bool array
    demand : (providers, days) float array, messages
        Only days that ask for the target count, so that a quiet Sunday proves nothing.
    targets : (providers,) float array, messages
        The week's largest demand.

    Returns
    -------
    (scenarios, providers) float array, days from 0
        0 for a provider without a target.
    """
    full = (demand >= targets[:, None] * (1.0 - REACHED)) & (demand > 0.0)
    # a whole message of rounding is forgiven, or tiny senders would never arrive
    there = full & (injected >= np.minimum(demand * (1.0 - REACHED), demand - 0.5)) & ~wrong
    first = np.where(there.any(axis=2), there.argmax(axis=2).astype(float), np.inf)
    return np.where(targets > 0.0, first, 0.0)


def quantiles(values: Floats, weights: Floats, at: tuple[float, ...]) -> Floats:
    """Return weighted quantiles over the first axis, (quantiles, ...); infinities sort last and stay.

    Examples
    --------
    >>> quantiles(np.array([1.0, 2.0, np.inf]), np.full(3, 1 / 3), (0.5, 0.9))
    array([ 2., inf])
    """
    order = np.argsort(values, axis=0)
    cumulative = np.cumsum(weights[order], axis=0)
    picked = [np.argmax(cumulative >= min(q, 1.0) - 1e-12, axis=0) for q in at]
    ordered = np.take_along_axis(values, order, axis=0)
    return np.stack([np.take_along_axis(ordered, index[None], axis=0)[0] for index in picked])


def assumptions_of(providers: tuple[str, ...], priors: Priors | None = None) -> pd.DataFrame:
    """Return the catalogue's priors, or somebody's own, for these providers as a frame; see `Forecast.assumptions`."""
    import pandas as pd

    facts = catalogue().changed(priors) if priors else catalogue()
    rows = []
    for name in providers:
        provider = facts.provider(name)
        for parameter in PARAMETERS:
            prior = provider.priors[parameter]
            info = PARAMETER_INFO[parameter]
            row = {"provider": name, "parameter": parameter, "title": info.title, **prior.model_dump()}
            rows.append(row | {"confidence": str(Confidence(prior.confidence))})
    return pd.DataFrame(rows)


def densities_of(providers: tuple[str, ...], priors: Priors | None = None) -> pd.DataFrame:
    """Return the priors as curves to be drawn, and somebody's own beside the catalogue's; see `Plan.densities`."""
    import pandas as pd

    facts = catalogue()
    own = facts.changed(priors) if priors else facts
    rows = []
    for name in providers:
        for parameter in PARAMETERS:
            versions = [(False, facts.provider(name).priors[parameter])]
            if parameter in (priors or {}).get(name, {}):
                versions.append((True, own.provider(name).priors[parameter]))
            for is_own, prior in versions:
                title, labels = PARAMETER_INFO[parameter].title, ("provider", "parameter", "title", "own")
                row = dict(zip(labels, (name, parameter, title, is_own), strict=True))
                row |= {"shape": prior.shape, "unit": prior.unit}
                row |= {"low": prior.low, "typical": prior.typical, "high": prior.high}
                curve = zip(*density_of(prior), strict=True)
                rows += [row | {"value": float(x), "density": float(y)} for x, y in curve]
    return pd.DataFrame(rows)


def check_kind(data: Any, kind: str) -> None:
    """Raise InputError unless parsed JSON is a document of ours of this kind and format."""
    if not isinstance(data, dict) or data.get("kind") != kind:
        raise InputError(f"This is no {kind} saved by the planner.")
    if data.get("format") != FORMAT:
        raise InputError(f"This {kind} has format {data.get('format')}; this version reads format {FORMAT}.")


@contextmanager
def undamaged(kind: str) -> Iterator[None]:
    """Turn whatever goes wrong while a document of ours is read into an InputError: somebody has edited or cut it."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, zlib.error) as error:
        what = f"it lacks {error}" if isinstance(error, KeyError) else str(error).split("\n", 1)[0]
        raise InputError(f"This {kind} is damaged: {what}. Save it again with the planner.") from error


def read_text(path: str | Path, kind: str) -> str:
    """Return a file's text; errors name the file."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The {kind} cannot be read: {error}.", file=path) from error


def about(expected: float) -> str:
    """Say an expected count of providers as people do.

    Examples
    --------
    >>> about(1.4), about(2.05), about(0.03)
    ('1–2', '2', 'none')
    """
    low = int(np.floor(expected))
    if expected < 0.1:
        return "none"
    return str(low) if abs(expected - low) < 0.1 else f"{low}–{low + 1}"


def _histogram_quantile(counts: Floats, q: float) -> float:
    """Return the delay below which a share q lies, seconds, from the bins of the slot loop."""
    total = counts.sum()
    if total <= 0.0:
        return 0.0
    b = int(np.searchsorted(np.cumsum(counts), q * total))
    return float(layout.SHORTEST_DELAY * 2.0 ** (max(0, b - 0.5) / layout.BINS_PER_DOUBLING))


def beliefs_recipe(sender: Sender, beliefs: Beliefs) -> dict[str, Any]:
    """Return the prior's seed and size where these draw the same beliefs again, else the whole beliefs, packed."""
    if beliefs.seed is not None and beliefs == draw(sender, len(beliefs), beliefs.seed):
        return {"prior": True, "seed": beliefs.seed, "scenarios": len(beliefs)}
    return {"prior": False} | packed_beliefs(beliefs)


def beliefs_from_recipe(sender: Sender, recipe: dict[str, Any]) -> Beliefs:
    """Return the beliefs that `beliefs_recipe` describes."""
    from planner.simulation.beliefs import draw

    if recipe["prior"]:
        return draw(sender, _scenarios_of(recipe), index(recipe["seed"]))
    return unpacked_beliefs(recipe)


def packed_beliefs(beliefs: Beliefs) -> dict[str, Any]:
    """Return whole beliefs as JSON knows them, the values compressed."""
    packed = zlib.compress(np.ascontiguousarray(beliefs.values).tobytes(), 9)
    return {
        "providers": list(beliefs.providers),
        "scenarios": len(beliefs),
        "weights": beliefs.weights.tolist(),
        "values": base64.b64encode(packed).decode(),
    }


def unpacked_beliefs(data: dict[str, Any]) -> Beliefs:
    """Return the beliefs that `packed_beliefs` wrote; ValueError where they are damaged."""
    shape = (_scenarios_of(data), len(data["providers"]), len(PARAMETERS))
    # a few bytes can unpack to more than the memory holds
    raw = zlib.decompressobj().decompress(base64.b64decode(data["values"]), 8 * int(np.prod(shape)))
    values = np.frombuffer(raw).reshape(shape).copy()
    weights = np.array(data["weights"], dtype=float)
    if weights.shape != shape[:1] or not (np.isfinite(values).all() and (weights >= 0.0).all() and weights.sum() > 0.0):
        raise ValueError("its beliefs are no numbers, or lack a weight")
    return Beliefs(tuple(data["providers"]), values, weights)


def _scenarios_of(recipe: dict[str, Any]) -> int:
    if not 1 <= recipe["scenarios"] <= MOST_SCENARIOS:
        raise ValueError(f"it wants {recipe['scenarios']} scenarios")
    return index(recipe["scenarios"])


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a frame's rows for JSON: six digits are plenty, dates as ISO, never as null."""
    return [{str(key): _plain(value) for key, value in row.items()} for row in frame.to_dict("records")]


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        return float(f"{value:.6g}") if np.isfinite(value) else None
    return value
