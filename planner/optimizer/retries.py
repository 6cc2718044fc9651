"""advise_retries(): which retry policy for which provider, beside those that mail servers come with."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from planner.errors import InputError
from planner.inputs.catalogue import catalogue
from planner.inputs.fields import unknown
from planner.inputs.provider import PARAMETER_INFO, PARAMETERS
from planner.inputs.reaction import DEFAULT_REACTION, Reaction
from planner.inputs.retry import DEFAULT_RETRY, RetryPolicy
from planner.inputs.schedule import Schedule, for_sender
from planner.inputs.sender import Sender
from planner.inputs.yamlfile import parse_json, save_text
from planner.optimizer import retry_search
from planner.optimizer.retry_search import MINUTE, Bench, Knobs, Scored, jackknife, scored, standard_error
from planner.simulation import layout
from planner.simulation.beliefs import Beliefs, draw, name_key
from planner.simulation.forecast import (
    FORMAT,
    MODEL_VERSION,
    assumptions_of,
    beliefs_from_recipe,
    beliefs_recipe,
    check_kind,
    read_text,
    records,
    undamaged,
)
from planner.simulation.simulator import Retry, check_run, policies_of
from planner.vocabulary import Cause, Floats, brief, duration

if TYPE_CHECKING:
    import pandas as pd

    from planner.figures import Figure
    from planner.simulation.seen import Seen

Progress = Callable[[float, str], None]
"""Called with the share done and what is being done; stops the work by raising, for instance `Cancelled`."""

ADVISED, OURS, YOURS = "Advised", "Our default", "Yours"
REJECTION_COSTS = (0.0, 0.3, 1.0)
"""At which `rejection_cost` the advice is looked at again: forgotten, counted in part, counted in full."""
FRESH = 2
"""Fresh scenarios for each one of the search."""
MOST_SEARCHED = 8
"""Policies of the search that are judged again for the trade-off curve."""
QUICK_SCENARIOS, QUICK_DAYS = 24, 30
AGAINST = ("postfix", "powermta")
_NAMED = 3
"""Defaults that are as good and named in the summary."""


class _Candidate(NamedTuple):
    """A policy to judge, for each provider its own or the same; `names` are empty where a provider has none."""

    kind: str
    names: Sequence[str]
    policies: Sequence[RetryPolicy]


@dataclass(frozen=True, eq=False)
class RetryAdvice:
    """Result of `advise_retries`.

    Attributes
    ----------
    sender : Sender
    schedule : Schedule
    reaction : Reaction
    policies : mapping of provider to RetryPolicy
        What is advised.
    beliefs : Beliefs
        Fresh scenarios on which everything was judged; no choice has seen them.
    seed : int
    rows : tuple of dict
        See `to_frame`.
    """

    sender: Sender
    schedule: Schedule
    reaction: Reaction
    policies: Mapping[str, RetryPolicy]
    beliefs: Beliefs
    seed: int
    rows: tuple[dict[str, Any], ...]

    def to_frame(self) -> pd.DataFrame:
        """Return one row per provider and policy, judged on fresh scenarios.

        Columns: provider, policy (name), kind ('advised', 'default', 'yours', 'mta', 'advice', 'searched'), mean_delay,
        p95_delay (seconds, of mail deferred at first; what expires counts as five days), wasted (deferred attempts per
        delivered message), expired (share of the mail deferred at first), score (minutes per delivered message, see
        `retry_search.scored`), on_curve (whether none is better in both mean delay and wasted attempts), score_more
        (score less that of the advised policy), se (its standard error over the scenarios).
        """
        import pandas as pd

        return pd.DataFrame(list(self.rows))

    def as_good(self, provider: str) -> list[str]:
        """Names of the defaults whose score is not above the advised one by more than a standard error, best first."""
        rows = [row for row in self._rows_of(provider) if row["kind"] in ("default", "mta", "advice", "yours")]
        good = [row for row in rows if row["score_more"] <= row["se"]]
        return [row["policy"] for row in sorted(good, key=lambda row: row["score"])]

    def __repr__(self) -> str:
        return brief(self)

    def summary(self) -> str:
        """Say for each provider what to set, why, and which default is as good."""
        return "\n".join(self._line(provider) for provider in self._advised())

    @cached_property
    def _sensitivity(self) -> tuple[dict[str, Any], ...]:
        return tuple(_sensitivity(self, lambda share, text: None))

    def sensitivity(self, progress: Progress | None = None) -> pd.DataFrame:
        """Return how much of the advice is owed to the unknown `rejection_cost`: search and judge where it is known.

        Columns: provider, rejection_cost, wins (policy), score (of the winner), score_advised (minutes per delivered
        message), se (standard error of the difference).

        Parameters
        ----------
        progress : callable, optional
            Called with the share done and a text.
        """
        import pandas as pd

        if "_sensitivity" not in self.__dict__ and progress is not None:
            self.__dict__["_sensitivity"] = tuple(_sensitivity(self, progress))
        return pd.DataFrame(list(self._sensitivity))

    def timeline(
        self, provider: str | None = None, cause: str = "limit", at: str = "09:00", against: Sequence[str] = AGAINST
    ) -> pd.DataFrame:
        """Return what happens to one message that is deferred at a time of day: attempt after attempt.

        Parameters
        ----------
        provider : str, optional
            The first one that gets mail, if left out.
        cause : str
            Why the first attempt was deferred, a `Cause`.
        at : str
            Time of the first attempt.
        against : sequence of str
            MTAs of the catalogue to compare with.

        Returns
        -------
        frame
            policy, kind, attempt (from 0), age_seconds (nominal), clock (text), still_waiting: share of the mail
            deferred at first for this cause that this attempt has not delivered either. Limit and penalty are
            simulated together, greylisting and system alone; other causes have no number (nan).

        Raises
        ------
        InputError
            If provider, cause, time or an MTA is unknown.
        """
        import pandas as pd

        name = self._provider(provider)
        if cause not in tuple(Cause):
            raise InputError(unknown("cause", cause, Cause))
        minute = _minute_of(at)
        known = [catalogue().mta(each) for each in against]
        shown = [(ADVISED, "advised", self.policies[name]), *((one.name, "mta", one.retry) for one in known)]
        rows = []
        for policy_name, kind, policy in shown:
            ages = policy.attempt_ages(Cause(cause))
            waiting = self._waiting(name, policy, Cause(cause), ages)
            rows += [
                {
                    "policy": policy_name,
                    "kind": kind,
                    "attempt": k,
                    "age_seconds": age,
                    "clock": _clock(minute, age),
                    "still_waiting": share,
                }
                for k, (age, share) in enumerate(zip(ages, waiting, strict=True))
            ]
        return pd.DataFrame(rows)

    def plot(self, provider: str | None = None) -> Figure:
        """Return the trade-off of one provider (the first, if left out) as a figure, not yet shown."""
        from planner import figures

        name = self._provider(provider)
        frame = self.to_frame()
        return figures.retry_trade_off(frame[frame["provider"] == name])

    def plot_timeline(
        self, provider: str | None = None, cause: str = "limit", at: str = "09:00", against: Sequence[str] = AGAINST
    ) -> Figure:
        """Return the `timeline` as a figure, not yet shown."""
        from planner import figures

        return figures.retry_timeline(self.timeline(provider, cause, at, against), at)

    def assumptions(self) -> pd.DataFrame:
        """Priors the numbers rest on, with source and confidence."""
        return assumptions_of(self.sender.provider_names)

    def to_json(self) -> str:
        """Return the advice as JSON: what it was made from, and the table."""
        return json.dumps(
            {
                "format": FORMAT,
                "kind": "retryadvice",
                "model": MODEL_VERSION,
                "summary": self.summary(),
                "sender": self.sender.to_dict(),
                "schedule": self.schedule.to_dict(),
                "reaction": self.reaction.model_dump(mode="json"),
                "retry": {name: policy.model_dump(mode="json") for name, policy in self.policies.items()},
                "beliefs": beliefs_recipe(self.sender, self.beliefs),
                "seed": self.seed,
                "table": records(self.to_frame()),
            },
            ensure_ascii=False,
        )

    @classmethod
    def from_json(cls, text: str) -> RetryAdvice:
        """Return the advice that `to_json` wrote.

        Raises
        ------
        InputError
            If the text is no advice on retries.
        """
        data = parse_json(text, what="advice on retries")
        check_kind(data, "retryadvice")
        with undamaged("advice on retries"):
            if data["model"] != MODEL_VERSION:
                raise InputError(
                    f"This advice was computed by model {data['model']}, this is model {MODEL_VERSION}. "
                    "Its numbers would change; compute it again."
                )
            sender = Sender.from_dict(data["sender"])
            policies = {name: RetryPolicy.model_validate(data["retry"][name]) for name in sender.provider_names}
            return cls(
                sender,
                for_sender(Schedule.from_dict(data["schedule"]), sender),
                Reaction.model_validate(data["reaction"]),
                policies,
                beliefs_from_recipe(sender, data["beliefs"]),
                int(data["seed"]),
                tuple(_checked_row(row, policies) for row in data["table"]),
            )

    def save(self, path: str | Path) -> None:
        """Write `to_json` to a file, atomically."""
        save_text(path, self.to_json())

    @classmethod
    def load(cls, path: str | Path) -> RetryAdvice:
        """Read what `save` wrote."""
        return cls.from_json(read_text(path, "advice on retries"))

    def _advised(self) -> list[str]:
        return [row["provider"] for row in self.rows if row["kind"] == "advised"]

    def _rows_of(self, provider: str) -> list[dict[str, Any]]:
        return [row for row in self.rows if row["provider"] == provider]

    def _provider(self, name: str | None) -> str:
        advised = self._advised()
        if not advised:
            raise InputError("The advice is about no provider: none gets mail.")
        if name is not None and name not in advised:
            raise InputError(unknown("provider", name, advised))
        return name or advised[0]

    def _line(self, provider: str) -> str:
        rows = {row["kind"]: row for row in self._rows_of(provider) if row["kind"] in ("advised", "default")}
        ours, usual = rows["advised"], rows["default"]
        name = catalogue().provider(provider).name
        text = f"{name}: {policy_text(self.policies[provider])} {_why(ours, usual)}"
        good = self.as_good(provider)
        more = f" and {len(good) - _NAMED} more" if len(good) > _NAMED else ""
        return f"{text} As good: {', '.join(good[:_NAMED])}{more}." if good else f"{text} No default is as good."

    def _waiting(self, provider: str, policy: RetryPolicy, cause: Cause, ages: list[float]) -> Floats:
        """Share of the mail deferred for this cause that is still undelivered after each attempt."""
        beliefs = _only(self.beliefs, cause)
        if beliefs is None:
            return np.full(len(ages), np.nan)
        on = retry_search.bench(self.sender, self.schedule, beliefs, self.reaction, self.seed, [provider])
        measured = on.measure([policy] * len(on.providers))
        p = on.providers.index(provider)
        weights = beliefs.weights
        late, lost, delays = (weights @ each[:, p] for each in (measured.late, measured.lost, measured.delays))
        if late <= 0.0:
            return np.full(len(ages), np.nan)
        edges = layout.SHORTEST_DELAY * 2.0 ** (np.arange(layout.N_DELAY_BINS) / layout.BINS_PER_DOUBLING)
        between = [(a * b) ** 0.5 for a, b in pairwise(ages[1:])]  # jitter smears what lies at them
        through = np.interp(np.log(between), np.log(edges), np.cumsum(delays)) if between else np.zeros(0)
        left = 1.0 - through / late
        return np.array([1.0, *left, lost / late][: len(ages)])


def advise_retries(
    sender: Sender,
    schedule: Schedule,
    *,
    reaction: Reaction = DEFAULT_REACTION,
    beliefs: Beliefs | None = None,
    retry: Retry = None,
    scenarios: int = 40,
    seed: int = 0,
    providers: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> RetryAdvice:
    """Search the retry policy of each provider, and judge it beside what mail servers come with.

    Parameters
    ----------
    sender : Sender
    schedule : Schedule
        What is sent; its first 45 days count.
    reaction : Reaction
        What the sender does the morning after trouble.
    beliefs : Beliefs, optional
        Drawn from the catalogue's priors where left out.
    retry : RetryPolicy or mapping, optional
        Your present policies, judged beside the others.
    scenarios : int
        Of the search; twice as many fresh ones judge.
    seed : int
        The same seed gives the same advice.
    providers : sequence of str, optional
        Only these; others keep the default policy.
    progress : callable, optional
        Called with the share done and a text; stops the work by raising.

    Returns
    -------
    RetryAdvice

    Raises
    ------
    InputError
        If schedule, policies, beliefs or a provider's name do not fit the sender.
    """
    check_run(scenarios, seed, reaction)
    checked = for_sender(schedule, sender)
    names = _checked_providers(sender, providers)
    tell = progress or (lambda share, text: None)
    searched = _scenarios(sender, beliefs, scenarios, seed, "search")
    on = retry_search.bench(sender, checked, searched, reaction, _seed(seed, "search luck"), names)
    best, tried = retry_search.search(
        on, retry_search.FULL, lambda share: tell(0.5 * share, "Searching retry policies")
    )
    judges = _scenarios(sender, beliefs, FRESH * scenarios, seed, "judge")
    fresh = retry_search.bench(sender, checked, judges, reaction, _seed(seed, "judge luck"), names)
    candidates = [_Candidate("advised", [ADVISED] * len(best), [knobs.policy() for knobs in best]), *_known(sender)]
    if retry is not None:
        candidates.append(_Candidate("yours", [YOURS] * len(best), list(policies_of(sender, retry).values())))
    candidates += _along_the_curve(best, tried)
    rows = _judged(fresh, candidates, names, lambda share: tell(0.5 + 0.5 * share, "Judging on fresh scenarios"))
    policies = {
        name: knobs.policy() if name in names else DEFAULT_RETRY
        for name, knobs in zip(sender.provider_names, best, strict=True)
    }
    return RetryAdvice(sender, checked, reaction, policies, judges, seed, tuple(rows))


def quick_policies(
    sender: Sender,
    schedule: Schedule,
    beliefs: Beliefs | None = None,
    reaction: Reaction = DEFAULT_REACTION,
    seed: int = 0,
    seen: Seen | None = None,
) -> dict[str, RetryPolicy]:
    """Return policies from a few scenarios and candidates, all providers alike: what a plan can wait for.

    Parameters
    ----------
    sender : Sender
    schedule : Schedule
        Its first 30 days count, or those after the ones that happened.
    beliefs : Beliefs, optional
        Resampled; drawn from the catalogue's priors where left out.
    reaction : Reaction
    seed : int
    seen : Seen, optional
        The days that happened.

    Returns
    -------
    dict of provider to RetryPolicy
    """
    few = _scenarios(sender, beliefs, QUICK_SCENARIOS, seed, "quick")
    on = retry_search.bench(sender, schedule, few, reaction, _seed(seed, "quick luck"), most_days=QUICK_DAYS, seen=seen)
    best, _ = retry_search.search(on, retry_search.QUICK, lambda share: None)
    return {name: knobs.policy() for name, knobs in zip(sender.provider_names, best, strict=True)}


# --- judging


def _known(sender: Sender) -> list[_Candidate]:
    """Our default, and every MTA and piece of advice in the catalogue, the same for all providers."""
    n = len(sender.provider_names)
    ours = _Candidate("default", [OURS] * n, [DEFAULT_RETRY] * n)
    kinds = {"advice": "advice", "software": "mta", "service": "mta"}
    return [ours, *(_Candidate(kinds[one.kind], [one.name] * n, [one.retry] * n) for one in catalogue().mtas.values())]


def _along_the_curve(best: list[Knobs], tried: list[dict[Knobs, Scored]]) -> list[_Candidate]:
    """A few policies of the search that none beat in both mean delay and wasted attempts, each provider's own."""
    of_provider = []
    for winner, all_tried in zip(best, tried, strict=True):
        knobs = [each for each in all_tried if each != winner]
        points = [(float(all_tried[each].wasted[0]), float(all_tried[each].mean_delay[0])) for each in knobs]
        front = [each for each, on in zip(knobs, _undominated(points), strict=True) if on]
        front.sort(key=lambda each, tried=all_tried: float(tried[each].wasted[0]))  # type: ignore[misc]
        places = np.linspace(0, len(front) - 1, min(len(front), MOST_SEARCHED)).astype(int).tolist()
        of_provider.append([front[i] for i in places])
    return [
        _Candidate(
            "searched",
            [_short(own[i]) if i < len(own) else "" for own in of_provider],
            [own[i].policy() if i < len(own) else DEFAULT_RETRY for own in of_provider],
        )
        for i in range(max(map(len, of_provider)))
    ]


def _judged(
    on: Bench, candidates: Sequence[_Candidate], names: Sequence[str], step: Callable[[float], None]
) -> list[dict[str, Any]]:
    """Rows of `RetryAdvice.to_frame`, provider by provider; the first candidate is the one that others are held to."""
    weights = jackknife(on.run.beliefs.weights)
    found = []
    for i, candidate in enumerate(candidates):
        step(i / len(candidates))
        found.append(scored(on.measure(candidate.policies), weights))
    step(1.0)
    rows: list[dict[str, Any]] = []
    for p, provider in enumerate(on.providers):
        if provider not in names or not found[0].score[0, p]:
            continue
        own = [i for i, candidate in enumerate(candidates) if candidate.names[p]]
        points = [(float(found[i].wasted[0, p]), float(found[i].mean_delay[0, p])) for i in own]
        for i, on_curve in zip(own, _undominated(points), strict=True):
            more = found[i].score[:, p] - found[0].score[:, p]
            rows.append(
                {
                    "provider": provider,
                    "policy": candidates[i].names[p],
                    "kind": candidates[i].kind,
                    "mean_delay": _six(found[i].mean_delay[0, p]),
                    "p95_delay": _six(found[i].p95_delay[0, p]),
                    "wasted": _six(found[i].wasted[0, p]),
                    "expired": _six(found[i].expired[0, p]),
                    "score": _six(found[i].score[0, p]),
                    "on_curve": on_curve,
                    "score_more": _six(more[0]),
                    "se": _six(standard_error(more)),
                }
            )
    return rows


def _six(value: Any) -> float:
    """Six digits, as JSON keeps them."""
    return float(f"{float(value):.6g}")


def _sensitivity(advice: RetryAdvice, tell: Progress) -> Iterator[dict[str, Any]]:
    """Rows of `RetryAdvice.sensitivity`."""
    sender, names = advice.sender, advice._advised()
    n = len(REJECTION_COSTS)
    for i, cost in enumerate(REJECTION_COSTS):
        text = f"Looking at a rejection cost of {cost:g}"
        half = len(advice.beliefs) // 2 or 1
        fixed = _fixed(advice.beliefs, {"rejection_cost": cost})
        parts = (fixed.scenarios(0, half), fixed.scenarios(len(fixed) - half, len(fixed)))
        seeds = (_seed(advice.seed, "sensitivity"), _seed(advice.seed, "sensitivity luck"))  # the same for every cost
        on, fresh = (
            retry_search.bench(sender, advice.schedule, part, advice.reaction, seed, names)
            for part, seed in zip(parts, seeds, strict=True)
        )
        best, _ = retry_search.search(
            on,
            retry_search.QUICK,
            lambda share, i=i, text=text: tell((i + 0.3 * share) / n, text),  # type: ignore[misc]
        )
        candidates = [
            _Candidate("advised", [ADVISED] * len(best), list(advice.policies.values())),
            *_known(sender),
            _Candidate("searched", [_short(knobs) for knobs in best], [knobs.policy() for knobs in best]),
        ]
        rows = _judged(
            fresh,
            candidates,
            names,
            lambda share, i=i, text=text: tell((i + 0.3 + 0.7 * share) / n, text),  # type: ignore[misc]
        )
        for name in names:
            own = [row for row in rows if row["provider"] == name]
            winner = min(own, key=lambda row: row["score"])
            yield {
                "provider": name,
                "rejection_cost": cost,
                "wins": winner["policy"],
                "score": winner["score"],
                "score_advised": own[0]["score"],
                "se": winner["se"],
            }


def _undominated(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Tell for each point whether no other is at most as large in both, and smaller in one."""
    xy = np.array(points, dtype=float).reshape(-1, 2)
    below = np.asarray((xy[None] <= xy[:, None]).all(axis=2) & (xy[None] < xy[:, None]).any(axis=2))
    return [not row.any() for row in below]


# --- scenarios


def _scenarios(sender: Sender, beliefs: Beliefs | None, n: int, seed: int, purpose: str) -> Beliefs:
    """Return scenarios for one purpose, independent of those for another."""
    if beliefs is None:
        return draw(sender, n, _seed(seed, purpose))
    return beliefs.for_providers(sender.provider_names).resampled(n, _seed(seed, purpose))


def _seed(seed: int, purpose: str) -> int:
    return name_key(f"{seed} retries {purpose}") >> 1


def _fixed(beliefs: Beliefs, known: Mapping[str, float]) -> Beliefs:
    values = beliefs.values.copy()
    for name, value in known.items():
        values[:, :, PARAMETERS.index(name)] = value
    return Beliefs(beliefs.providers, values, beliefs.weights)


def _only(beliefs: Beliefs, cause: Cause) -> Beliefs | None:
    """Return the beliefs with every cause of deferrals but this one switched off; None where that cannot be."""
    quiet = {"greylisting_probability": 0.0, "base_deferral": 0.0, "trouble_deferral": 0.0}
    open_doors = {"cold_allowance": PARAMETER_INFO["cold_allowance"].highest, "hourly_share": 1.0}
    if cause in (Cause.LIMIT, Cause.PENALTY):
        return _fixed(beliefs, quiet)
    if cause == Cause.GREYLISTING:
        return _fixed(beliefs, {"base_deferral": 0.0, "trouble_deferral": 0.0, **open_doors})
    if cause == Cause.SYSTEM:
        return _fixed(beliefs, {"greylisting_probability": 0.0, **open_doors})
    return None


# --- saying it


def policy_text(policy: RetryPolicy) -> str:
    """Say a policy as one would type it.

    Examples
    --------
    >>> policy_text(RetryPolicy(first_seconds={"greylisting": 300, "limit": 3600}, growth=2, lifetime_seconds=172_800))
    'wait 1 h first (5 min after greylisting), then 2 times as long each time, up to 4 h; give up after 2 days.'
    """
    firsts = policy.first_seconds
    usual = firsts[Cause.LIMIT]
    others = {cause: firsts[cause] for cause in (Cause.GREYLISTING, Cause.SYSTEM) if firsts[cause] != usual}
    words = {Cause.GREYLISTING: "after greylisting", Cause.SYSTEM: "after other trouble"}
    said = ", ".join(f"{duration(wait)} {words[cause]}" for cause, wait in others.items())
    text = f"wait {duration(usual)} first{f' ({said})' if said else ''}, then "
    if policy.intervals_seconds:
        more = " …" if len(policy.intervals_seconds) > 6 else ""
        text += f"{', '.join(map(duration, policy.intervals_seconds[:6]))}{more}"
    elif policy.growth == 1.0:
        text += f"every {duration(policy.interval(1))}"
    else:
        text += f"{policy.growth:g} times as long each time, up to {duration(policy.cap_seconds)}"
    if policy.pause_seconds:
        text += f"; after a limit rest the whole destination for {duration(policy.pause_seconds)}"
    return f"{text}; give up after {duration(policy.lifetime_seconds)}."


def _why(ours: Mapping[str, Any], usual: Mapping[str, Any]) -> str:
    """Say what the advised policy does, against our default."""
    late, wasted = duration(ours["mean_delay"]), f"{100 * ours['wasted']:.2g}"
    text = f"What is deferred at first is {late} late on average, and 100 messages cost {wasted} attempts for nothing"
    if usual["score_more"] == 0.0:
        return f"{text}: our default, and nothing is surely better."
    return f"{text}; with our default {duration(usual['mean_delay'])} and {100 * usual['wasted']:.2g}."


def _short(knobs: Knobs) -> str:
    """Name a policy of the search by its numbers."""
    firsts = "/".join(duration(x) for x in (knobs.limit, knobs.system, knobs.greylisting))
    pause = f", rest {duration(knobs.pause)}" if knobs.pause else ""
    jitter = "" if knobs.jitter == Knobs().jitter else f", jitter {knobs.jitter:g}"
    return f"{firsts} ×{knobs.growth:g} to {duration(knobs.cap)}, {duration(knobs.lifetime)}{pause}{jitter}"


def _clock(minute: int, age: float) -> str:
    """Time of day an age after a minute of the day, with the day where it is another one."""
    total = minute + round(age / MINUTE)
    day = f" day {total // 1440 + 1}" if total >= 1440 else ""
    return f"{total // 60 % 24:02}:{total % 60:02}{day}"


def _minute_of(at: str) -> int:
    hours, colon, minutes = at.partition(":")
    if not (colon and hours.isdecimal() and minutes.isdecimal() and int(hours) < 24 and int(minutes) < 60):
        raise InputError(f"at is {at!r}, not a time of day. Write hours and minutes, such as 09:00.")
    return 60 * int(hours) + int(minutes)


def _checked_providers(sender: Sender, providers: Sequence[str] | None) -> tuple[str, ...]:
    names = sender.provider_names if providers is None else tuple(providers)
    for name in names:
        if name not in sender.provider_names:
            raise InputError(unknown("provider", name, sender.provider_names))
    return names


_TEXTS, _BOOLS = ("provider", "policy", "kind"), ("on_curve",)
_NUMBERS = ("mean_delay", "p95_delay", "wasted", "expired", "score", "score_more", "se")


def _checked_row(row: Mapping[str, Any], known: Mapping[str, RetryPolicy]) -> dict[str, Any]:
    """Return a row from JSON, in the order of `_judged`."""
    if row["provider"] not in known:
        raise ValueError(f"its table has a provider {row['provider']!r} that the sender does not mail")
    made = {key: str(row[key]) for key in _TEXTS} | {key: float(row[key]) for key in _NUMBERS}
    made |= {key: bool(row[key]) for key in _BOOLS}
    return {key: made[key] for key in (*_TEXTS, *_NUMBERS[:5], *_BOOLS, *_NUMBERS[5:])}
