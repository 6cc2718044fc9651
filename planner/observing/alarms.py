"""Alarms: what to do at each provider this morning, with the evidence in numbers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from html import escape
from operator import attrgetter
from typing import TYPE_CHECKING, Any, overload

from planner.errors import InputError
from planner.inputs.catalogue import catalogue
from planner.inputs.fields import unknown
from planner.observing.measures import IDLE, Measure
from planner.vocabulary import Confidence, Verdict, brief, dates_text, day_text, short_day, whole

if TYPE_CHECKING:
    import pandas as pd

FORMAT = 1
_DONE = {Verdict.GO_ON: "go on", Verdict.HOLD: "hold", Verdict.STEP_BACK: "step back", Verdict.STOP: "stop"}


@dataclass(frozen=True)
class Alarm:
    """A rule whose limit was passed at one provider.

    Parameters
    ----------
    provider, rule : str
        Ids.
    title : str
        What was counted.
    measure : str
    certain : bool
        Chance alone does not explain it. Otherwise it is watched, and asks for nothing yet.
    over : bool
        The days of a stop have passed since the last mail: waiting longer teaches nothing, `lift` says how to start.
    count, of : float, messages
        Events, and among how many; for ``idle_days`` the days, and 1.
    what : str
        What `of` counts.
    at_least : float
        The share is this at least, as sure as `Alarms.level` says, all rules and providers considered.
    limit : float
    first, last : date
        Days counted.
    window_days : int or None
        Days that are counted together; None for the last send days, or idle days.
    action : Verdict
        What the rule asks for.
    days : int
    restart : float, in (0, 1]
        At most this share of the last day's messages when it goes on: 1 to hold, after a stop as its rule says.
    until : date
        First day on which to look whether it is lifted: a stop counts from the last day with mail, the others last
        until the next day with mail at least.
    advice, lift, source : str
    confidence : Confidence
        How far the limit can be trusted.
    ours : tuple of str
        Parts of the rule that its source does not say.
    """

    provider: str
    rule: str
    title: str
    measure: Measure
    certain: bool
    over: bool
    count: float
    of: float
    what: str
    at_least: float
    limit: float
    first: date
    last: date
    window_days: int | None
    action: Verdict
    days: int
    restart: float
    until: date
    advice: str
    lift: str
    source: str
    confidence: Confidence
    ours: tuple[str, ...]

    @property
    def share(self) -> float:
        """Events by trials, in [0, 1]; days without mail for ``idle_days``."""
        return self.count / self.of

    @property
    def asks(self) -> Verdict:
        """What it asks for today: its action if it is certain; to start again lower when a stop is over."""
        if self.over:
            return Verdict.STEP_BACK
        return self.action if self.certain else Verdict.GO_ON

    def evidence(self) -> str:
        """Say what was counted, in numbers, and what chance leaves of it."""
        span = dates_text(self.first, self.last, since=self.until)
        if self.measure == IDLE:
            missing = "" if self.certain else ", as far as is known"
            return f"{whole(self.count)} days without mail since {short_day(self.first)}{missing}; limit {self.limit:g}"
        counted = f"{self.title}: {whole(self.count)} of {whole(self.of)} {self.what} ({percent(self.share)}) on {span}"
        if self.certain:
            return f"{counted}, {percent(self.at_least)} at least, chance allowed for; limit {percent(self.limit)}"
        return f"{counted}; limit {percent(self.limit)}, and chance may explain it"

    def clean_messages(self) -> int:
        """Messages without such an event that bring the share of these days below the limit.

        0 where the next send day is judged for itself, and for idle days.
        """
        if self.window_days is None or self.limit == 0:
            return 0
        return max(int(self.count / self.limit - self.of) + 1, 0)


@dataclass(frozen=True)
class Alarms(Sequence[Alarm]):
    """Verdict on each provider, and the alarms it rests on: a sequence, the gravest first.

    Parameters
    ----------
    alarms : tuple of Alarm
        Certain ones and watched ones.
    providers : tuple of str
        All that were judged.
    today : date
    rules : str
        Whose rules.
    level : float
        Chance of a false alarm at any provider by any rule, this morning, if every true rate lay at its limit.
    n_judged : int
        Rules times providers that share this chance.
    unknown : dict from provider to tuple of str
        What could not be judged, since it is not known.
    notes : tuple of str
    """

    alarms: tuple[Alarm, ...]
    providers: tuple[str, ...]
    today: date
    rules: str
    level: float
    n_judged: int
    unknown: dict[str, tuple[str, ...]]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.alarms)

    @overload
    def __getitem__(self, index: int) -> Alarm: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Alarm, ...]: ...
    def __getitem__(self, index: int | slice) -> Alarm | tuple[Alarm, ...]:
        return self.alarms[index]

    def __hash__(self) -> int:
        return hash((self.alarms, self.providers, self.today, self.rules))

    # --- verdicts

    def of(self, provider: str) -> tuple[Alarm, ...]:
        """Alarms of one provider, the gravest first."""
        self._check(provider)
        return tuple(alarm for alarm in self.alarms if alarm.provider == provider)

    def certain(self, provider: str) -> list[Alarm]:
        """Alarms of one provider that chance does not explain, the gravest first, each count once."""
        return counted_once(alarm for alarm in self.of(provider) if alarm.certain)

    def verdict(self, provider: str) -> Verdict:
        """What to do at a provider: the gravest of what its alarms ask for today."""
        asked = [alarm.asks for alarm in self.of(provider)]
        return max(asked, key=attrgetter("gravity"), default=Verdict.GO_ON)

    @property
    def verdicts(self) -> dict[str, Verdict]:
        """What to do, by provider."""
        return {provider: self.verdict(provider) for provider in self.providers}

    @property
    def gravest(self) -> Verdict:
        """What the provider in most trouble asks for."""
        return max(self.verdicts.values(), key=attrgetter("gravity"), default=Verdict.GO_ON)

    def until(self, provider: str) -> date | None:
        """First day on which to look whether a provider's verdict is lifted; None where it may go on."""
        verdict = self.verdict(provider)
        days = [alarm.until for alarm in self.of(provider) if alarm.certain and alarm.asks == verdict]
        return max(days, default=None)

    def restart(self, provider: str) -> float:
        """Share of the last day's messages to step back to, or to start again with after a stop, in (0, 1]."""
        return min((alarm.restart for alarm in self.of(provider) if alarm.certain), default=1.0)

    def _check(self, provider: str) -> None:
        if provider not in self.providers:
            raise InputError(unknown("provider", provider, self.providers), field="provider")

    # --- for people

    def __repr__(self) -> str:
        return brief(self)

    def summary(self) -> str:
        """Say what to do at each provider, why, for how long, and what lifts it."""
        return "\n".join(self._sentences())

    def _sentences(self) -> Iterator[str]:
        yield f"{day_text(self.today)}, by {whose(self.rules)}: {self._count()}."
        graver = sorted(self.providers, key=lambda name: -self.verdict(name).gravity)
        for provider in graver:
            if self.of(provider):
                yield from self._about(provider)
        calm = [catalogue().title(name) for name in self.providers if not self.of(name)]
        if calm:
            yield f"No alarm: {', '.join(calm)}."
        for provider, what in self.unknown.items():
            yield f"{catalogue().title(provider)}: {_listed(what)} could not be judged, for the counts are not known."
        yield from self.notes

    def _count(self) -> str:
        verdicts = list(self.verdicts.values())
        parts = [f"{_DONE[one]} at {n}" for one in reversed(Verdict) if (n := verdicts.count(one))]
        return ", ".join(parts) or "no provider to judge"

    def _about(self, provider: str) -> Iterator[str]:
        verdict = self.verdict(provider)
        until = self.until(provider)
        end = "" if until is None else f" until {short_day(until)}"
        yield f"{catalogue().title(provider)}: {_DONE[verdict]}{end}."
        said: set[str] = set()
        certain = self.certain(provider)
        for alarm in self.of(provider):
            if alarm.certain and alarm not in certain:
                continue  # of several limits the gravest says it all
            again = alarm.measure in said
            said.add(alarm.measure)
            if again and not alarm.certain:
                limit = f"{whole(alarm.limit)} days" if alarm.measure == "idle_days" else percent(alarm.limit)
                yield f"- Watch. The same lies above {limit} too, which chance may explain."
                continue
            yield f"- {'Over. ' if alarm.over else '' if alarm.certain else 'Watch. '}{alarm.evidence()}."
            if alarm.over:
                yield f"  {alarm.lift}"
            elif alarm.certain and alarm.asks == verdict:
                yield f"  {alarm.advice} {alarm.lift}{_more(alarm)}"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(catalogue().title(name))}</td><td>{_DONE[self.verdict(name)]}</td>"
            f"<td>{'<br>'.join(escape(alarm.evidence()) for alarm in self.of(name)) or '–'}</td></tr>"
            for name in self.providers
        )
        head = f"<p>{escape(day_text(self.today))}: {escape(self._count())}</p>"
        said = "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        return f"{head}<table><tr><th>provider</th><th>verdict</th><th>evidence</th></tr>{rows}</table>{said}"

    # --- frames and JSON

    def to_frame(self, what: str = "verdicts") -> pd.DataFrame:
        """Give a table.

        Parameters
        ----------
        what : str
            ``verdicts``: a row per provider, columns provider, verdict, until, evidence, advice, lift.
            ``alarms``: a row per alarm, columns as the fields of `Alarm`, and share.
        """
        import pandas as pd

        if what == "verdicts":
            columns = ["provider", "verdict", "until", "evidence", "advice", "lift"]
            return pd.DataFrame([self._row(name) for name in self.providers], columns=columns)
        if what == "alarms":
            fields = list(Alarm.__dataclass_fields__)
            rows = [[*(getattr(alarm, name) for name in fields), alarm.share] for alarm in self.alarms]
            frame = pd.DataFrame(rows, columns=[*fields, "share"])
            return frame.assign(action=frame["action"].map(str), ours=frame["ours"].map(", ".join))
        raise InputError(unknown("table", what, ("verdicts", "alarms")), field="what")

    def _row(self, provider: str) -> list[object]:
        verdict = self.verdict(provider)
        asks = [alarm for alarm in self.of(provider) if alarm.certain and alarm.asks == verdict]
        evidence = "; ".join(alarm.evidence() for alarm in self.of(provider))
        advice = " ".join(dict.fromkeys(alarm.advice for alarm in asks if not alarm.over))
        lift = " ".join(dict.fromkeys(alarm.lift for alarm in asks))
        return [provider, str(verdict), self.until(provider), evidence, advice, lift]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values that JSON knows."""
        return {
            "format": FORMAT,
            "kind": "alarms",
            "today": self.today.isoformat(),
            "rules": self.rules,
            "level": self.level,
            "n_judged": self.n_judged,
            "verdicts": {
                name: {"verdict": str(verdict), "until": _iso(self.until(name))}
                for name, verdict in self.verdicts.items()
            },
            "alarms": [_plain(alarm) for alarm in self.alarms],
            "unknown": {name: list(what) for name, what in self.unknown.items()},
            "notes": list(self.notes),
        }

    def to_json(self) -> str:
        """Everything as JSON, with the number of its format."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False)


def counted_once(alarms: Iterable[Alarm]) -> list[Alarm]:
    """Return the first alarm of each count: where it is above several limits, the gravest says it all."""
    found: dict[Any, Alarm] = {}
    for alarm in alarms:
        found.setdefault((alarm.provider, alarm.measure, alarm.count, alarm.of, alarm.first, alarm.last), alarm)
    return list(found.values())


def whose(rules: str) -> str:
    """Say by whose rules; `rules` the title of a set.

    Examples
    --------
    >>> whose("Braze"), whose("Ours")
    ('the rules of Braze', 'our own rules')
    """
    return "our own rules" if rules == "Ours" else f"the rules of {rules}"


def percent(share: float) -> str:
    """Say a share in percent, with two significant digits.

    Examples
    --------
    >>> percent(0.00312), percent(0.041), percent(0.5), percent(1.0)
    ('0.31 %', '4.1 %', '50 %', '100 %')
    """
    value = 100.0 * share
    return f"{value:.2g} %" if value < 99.5 else "100 %"


_WAITED_FOR = 3
"""Times the messages counted: nobody waits for more of them without an event."""


def _more(alarm: Alarm) -> str:
    n = alarm.clean_messages()
    if not 0 < n <= _WAITED_FOR * alarm.of:
        return ""
    return f" ({whole(n)} more {alarm.what} without any would bring these days below the limit.)"


def _listed(what: Sequence[str]) -> str:
    return what[0] if len(what) == 1 else f"{', '.join(what[:-1])} and {what[-1]}"


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _plain(alarm: Alarm) -> dict[str, Any]:
    values = {name: getattr(alarm, name) for name in Alarm.__dataclass_fields__}
    texts = {name: values[name].isoformat() for name in ("first", "last", "until")}
    return values | texts | {"ours": list(alarm.ours), "share": alarm.share, "evidence": alarm.evidence()}
