"""Sender: who mails whom, how much, on which days and from where; loaded, checked and saved."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
import yaml
from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from planner.errors import InputError
from planner.inputs.audience import Audience, ProviderName, refuse_strangers
from planner.inputs.calendars import (
    MAX_DAYS,
    Blackout,
    SendDays,
    Span,
    WeekdayName,
    Window,
    Zone,
    days_from,
    pace,
    slots_touched,
    span_of,
)
from planner.inputs.catalogue import catalogue
from planner.inputs.fields import (
    BY_PROVIDER,
    ONE_NUMBER,
    Checked,
    Day,
    Number,
    Text,
    Whole,
    nothing_as,
    refusal,
    shown,
    unknown_answer,
)
from planner.inputs.rounding import whole_messages
from planner.inputs.yamlfile import Marks, parse, read, save_text, validated
from planner.vocabulary import WEEKDAYS, Bools, Floats

FORMAT = 1
MAX_VOLUME = 1_000_000_000
SHORT_HORIZON = 90
MANY_SEND_DAYS = 26

_ISO_DAY = re.compile(r"20[0-9]{2}-[01][0-9]-[0-3][0-9]")
_SUFFIXES = {".yaml", ".yml", ".json"}


def _kind(value: Any) -> str:
    return BY_PROVIDER if isinstance(value, dict) else ONE_NUMBER


_ByProvider = Discriminator(_kind)
Messages = Annotated[Whole, Field(ge=1, le=MAX_VOLUME)]
MessagesOrNone = Annotated[Whole, Field(ge=0, le=MAX_VOLUME)]
RateOrNone = Annotated[
    Annotated[Number, Field(gt=0, le=0.2)] | None,
    BeforeValidator(nothing_as(None)),
]
Past = Annotated[Number, Field(ge=0, le=MAX_VOLUME)]
Idle = Annotated[Whole, Field(ge=0, le=3650)]
PastVolume = Annotated[
    Annotated[Past, Tag(ONE_NUMBER)] | Annotated[dict[ProviderName, Past], Tag(BY_PROVIDER)],
    _ByProvider,
]
IdleDays = Annotated[
    Annotated[Idle, Tag(ONE_NUMBER)] | Annotated[dict[ProviderName, Idle], Tag(BY_PROVIDER)],
    _ByProvider,
]
Volume = Annotated[
    Annotated[Messages, Tag(ONE_NUMBER)] | Annotated[dict[ProviderName, MessagesOrNone], Tag(BY_PROVIDER)],
    _ByProvider,
]


class Target(Checked):
    """How much is to be sent when the ramp is over."""

    volume: Volume = Field(
        title="Target volume",
        description="Messages on a full send day when the ramp is over: one number, or one per provider.",
        examples=[100_000],
        json_schema_extra={"unit": "messages/day"},
    )
    per: Literal["day", "send"] = Field(
        "day",
        title="Counted per",
        description="A daily volume or the size of a send: either way it is what one send day takes.",
    )
    by: Day | None = Field(
        None,
        title="Deadline",
        description="Day by which the target should be reached, if there is one.",
        json_schema_extra={"unit": "date"},
    )
    weekday_shape: dict[WeekdayName, Annotated[Number, Field(gt=0, le=1)]] = Field(
        default_factory=dict,
        title="Weekday shape",
        description="Share of the target volume sent on a weekday, above 0 up to 1; 1 where not named.",
        json_schema_extra={"unit": "share"},
    )

    def shape(self) -> Floats:
        """Share of the target on each weekday, (7,) float array, Monday first."""
        return np.array([self.weekday_shape.get(day, 1.0) for day in WEEKDAYS])


class History(Checked):
    """What was sent before to these providers; leave out what you do not know."""

    domain: Annotated[PastVolume, BeforeValidator(nothing_as(0.0))] = Field(
        0.0,
        title="Volume of the domain",
        description="Messages a day that this domain sent until now, from any IP: in total or per provider.",
        json_schema_extra={"unit": "messages/day"},
    )
    ip: Annotated[PastVolume, BeforeValidator(nothing_as(0.0))] = Field(
        0.0,
        title="Volume of the IPs",
        description="Messages a day that these IPs together sent until now: in total or per provider.",
        json_schema_extra={"unit": "messages/day"},
    )
    idle_days: Annotated[IdleDays, BeforeValidator(nothing_as(0))] = Field(
        0,
        title="Idle days",
        description="Days without mail before the start: for all, or per provider.",
        json_schema_extra={"unit": "days"},
    )


def _answer(value: Any) -> Any:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "unknown"
    word = value.strip().lower() if isinstance(value, str) else value
    if isinstance(word, str) and unknown_answer(word):
        return "unknown"
    return {"on": "yes", "true": "yes", "off": "no", "false": "no"}.get(word, word) if word in _WORDS else value


_WORDS = ("yes", "no", "on", "off", "true", "false")
Answer = Annotated[Literal["yes", "no", "unknown"], BeforeValidator(_answer)]


class Authentication(Checked):
    """What the mail proves about its sender; ``unknown`` counts as present and is listed."""

    spf: Answer = Field("unknown", title="SPF", description="The domain lists the sending IPs (TXT record v=spf1).")
    dkim: Answer = Field("unknown", title="DKIM", description="Every message is signed for the domain.")
    dmarc: Answer = Field("unknown", title="DMARC", description="The domain publishes a DMARC policy.")
    ptr: Answer = Field("unknown", title="Reverse DNS", description="Each IP has a name that leads back to the IP.")
    tls: Answer = Field("unknown", title="TLS", description="Connections are encrypted.")
    one_click: Answer = Field(
        "unknown",
        title="One-click unsubscribe",
        description="List-Unsubscribe-Post stands in the header (RFC 8058).",
    )

    @model_validator(mode="before")
    @classmethod
    def _one_word_for_all(cls, data: Any) -> Any:
        word = _answer(data)
        return dict.fromkeys(cls.model_fields, word) if word in ("yes", "no", "unknown") else data


class Limits(Checked):
    """What the sender itself does not want to exceed, at any provider on any day."""

    complaint_rate: RateOrNone = Field(
        None,
        title="Most complaints",
        description="The day's mail goes to segments whose mixed complaint rate stays below this.",
        examples=[0.001],
        json_schema_extra={"unit": "complaints / delivered"},
    )
    hard_bounce_rate: RateOrNone = Field(
        None,
        title="Most hard bounces",
        description="No day mails so many addresses for the first time that more than this share bounces.",
        examples=[0.02],
        json_schema_extra={"unit": "hard bounces / messages"},
    )


def _risk(value: Any) -> Any:
    if isinstance(value, str) and value.strip().lower() == "balanced":
        return "balanced"
    what = "not a risk. Write balanced, or a number above 0 up to 0.5, such as 0.10."
    try:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else 0.0
    except (ValueError, OverflowError):
        raise refusal(what) from None
    if not 0 < number <= 0.5:
        raise refusal(what)
    return number


def _as_people_write(value: Any) -> Any:
    """Dates without quotes and whole numbers without a point; both are read as what they were."""
    if isinstance(value, dict):
        return {key: _as_people_write(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_as_people_write(inner) for inner in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return int(value)
    return date.fromisoformat(value) if isinstance(value, str) and _ISO_DAY.fullmatch(value) else value


class Sender(Checked):
    """One sender and its wishes: required are the provider shares, the volume and five short answers.

    Examples
    --------
    >>> sender = Sender.from_dict({
    ...     "audience": {"providers": {"gmail": 60, "yahoo": 40}}, "target": {"volume": 1001},
    ...     "send_days": "weekdays", "n_ips": 1, "domain": "used", "start": "2027-01-08"})
    >>> sender.demand(4)
    array([[601.,   0.,   0., 601.],
           [400.,   0.,   0., 400.]])
    """

    name: Text = Field("", title="Name", description="How you call this sender.")
    audience: Audience = Field(
        title="Audience",
        description="Who gets the mail.",
        examples=["{providers: {gmail: 46, microsoft: 17, other: 37}}"],
    )
    target: Target = Field(
        title="Target",
        description="How much is to be sent when the ramp is over.",
        examples=["{volume: 100000}"],
    )
    send_days: SendDays = Field(
        title="Send days",
        description="daily, weekdays, weekends, or a list of weekdays.",
        examples=["daily"],
    )
    n_ips: Whole = Field(
        ge=1,
        le=1000,
        title="From how many IPs?",
        description="IP addresses that send this mail when the ramp begins.",
        examples=[1],
        json_schema_extra={"unit": "IPs"},
    )
    domain: Literal["new", "used"] = Field(
        title="Is the domain known?",
        description="used when it has sent mail like this before, from whatever IP; else new.",
        examples=["used"],
    )
    start: Day = Field(
        title="Start",
        description="First day of the ramp, in the sender's time zone.",
        examples=["2027-01-11"],
        json_schema_extra={"unit": "date"},
    )
    kind: Literal["marketing", "transactional"] = Field(
        "marketing",
        title="Kind of mail",
        description="Transactional mail cannot choose its recipients, and meets new addresses every day.",
    )
    history: Annotated[History, BeforeValidator(nothing_as({}))] = Field(
        default_factory=History,
        title="History",
        description="What the domain and the IPs sent before; leave out what you do not know.",
    )
    authentication: Authentication = Field(
        default_factory=Authentication,
        title="Authentication",
        description="yes, no or unknown for each item, or one word for all.",
    )
    blackout: Annotated[tuple[Blackout, ...], BeforeValidator(nothing_as(()))] = Field(
        (),
        max_length=MAX_DAYS,
        title="Blackout dates",
        description="Days without mail: dates, or {from: ..., to: ...}.",
    )
    timezone: Zone = Field("UTC", title="Time zone", description="IANA name of the zone whose midnight begins a day.")
    window: Window = Field(
        "08:00-20:00",
        title="Sending window",
        description="Hours in which mail goes out; may cross midnight. 00:00-24:00 is the whole day.",
        json_schema_extra={"unit": "hh:mm-hh:mm"},
    )
    overflow: Literal["skip", "spread", "hold", "old_path"] = Field(
        "skip",
        title="What the ramp does not take",
        description="skip: not sent; spread: added to later send days; hold: sent later, first in, "
        "first out; old_path: sent from the old IPs or the old provider.",
    )
    capacity: Annotated[Annotated[Whole, Field(ge=1, le=MAX_VOLUME)] | None, BeforeValidator(nothing_as(None))] = Field(
        None,
        title="Capacity",
        description="Most messages a day over all providers that the IPs or the contract carry; empty for no limit.",
        json_schema_extra={"unit": "messages/day"},
    )
    limits: Annotated[Limits, BeforeValidator(nothing_as({}))] = Field(
        default_factory=Limits,
        title="Own limits",
        description="Complaint and hard-bounce rate that no provider's day may exceed.",
    )
    admissions: Annotated[dict[ProviderName, Day], BeforeValidator(nothing_as({}))] = Field(
        default_factory=dict,
        title="Admissions",
        description="Date from which a provider takes the mail, where somebody there must first say yes.",
        json_schema_extra={"unit": "date"},
    )
    risk: Annotated[Literal["balanced"] | float, BeforeValidator(_risk)] = Field(
        "balanced",
        title="Risk",
        description="balanced, or the accepted chance of a throttled day per provider, above 0 up to 0.5.",
        json_schema_extra={"unit": "probability"},
    )

    # --- what fields must agree on

    @model_validator(mode="after")
    def _about_known_providers(self) -> Self:
        for what, given in self._by_provider().items():
            refuse_strangers(given, self.audience.providers, what, *what.split("."))
        volume = self.target.volume
        if isinstance(volume, dict):
            missing = [name for name in self.provider_names if name not in volume]
            if missing:
                text = f"target.volume lacks the provider '{missing[0]}'."
                raise refusal(f"{text} Add it, or drop it from audience.providers.", "target", "volume")
            if not any(volume.values()):
                raise refusal("target.volume is 0 for every provider. Write one above 0.", "target", "volume")
        return self

    @model_validator(mode="after")
    def _about_time(self) -> Self:
        by = self.target.by
        if by is not None and by < self.start:
            text = f"target.by is {by}, before the start {self.start}. Write a later deadline, or start earlier."
            raise refusal(text, "target", "by")
        last = self.start + timedelta(days=MAX_DAYS)
        if by is not None and by > last:
            text = f"target.by is {by}, more than {MAX_DAYS} days after the start. Write a day up to {last}."
            raise refusal(text, "target", "by")
        return self

    @model_validator(mode="after")
    def _about_history(self) -> Self:
        if self.domain == "new" and np.any(self.past()[0] > 0):
            value = shown(self.history.domain)
            text = f"history.domain is {value}, but the domain is new. Write domain: used, or leave it out."
            raise refusal(text, "history", "domain")
        return self

    def _by_provider(self) -> dict[str, dict[str, Any]]:
        given = {
            "target.volume": self.target.volume,
            "history.domain": self.history.domain,
            "history.ip": self.history.ip,
            "history.idle_days": self.history.idle_days,
            "admissions": self.admissions,
        }
        return {what: values for what, values in given.items() if isinstance(values, dict)}

    # --- load and save

    @classmethod
    def load(cls, path: str | Path) -> Sender:
        """Read a sender from a .yaml, .yml or .json file.

        Raises
        ------
        InputError
            Names file, line and field of everything that is wrong, and what to do about it.
        """
        path = Path(path)
        if path.suffix.lower() not in _SUFFIXES and not path.is_dir():
            raise InputError("is no sender file. Name one that ends in .yaml, .yml or .json.", file=path)
        data, marks = read(path)
        return cls._checked(data, marks, path)

    @classmethod
    def from_text(cls, text: str | bytes, file: str | None = None) -> Sender:
        """Read a sender from YAML or JSON text, such as an upload; `file` is only named in messages."""
        opening = text[:200].lstrip()
        data, marks = parse(text, file=file, as_json=opening[:1] in ("{", b"{"))
        return cls._checked(data, marks, file)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Sender:
        """Check a dict as `to_dict` gives it, or as people write it.

        Raises
        ------
        InputError
            Names the field of everything that is wrong, and what to do about it.
        """
        return cls._checked(data, {}, None)

    @classmethod
    def from_json(cls, text: str) -> Sender:
        """Read what `to_json` wrote."""
        data, marks = parse(text, as_json=True)
        return cls._checked(data, marks, None)

    @classmethod
    def _checked(cls, data: Any, marks: Marks, file: str | Path | None) -> Sender:
        if isinstance(data, Mapping):
            data = dict(data)
            version = data.pop("format", FORMAT)
            if version != FORMAT or isinstance(version, bool):
                text = f"format is {shown(version)}; this version reads format {FORMAT}."
                raise InputError(
                    f"{text} Update the warmup planner.",
                    file=file,
                    line=marks.get(("format",)),
                    field="format",
                )
        return validated(cls, data, marks, file)

    def to_dict(self) -> dict[str, Any]:
        """Everything, defaults included, as plain values that JSON and YAML know."""
        return self.model_dump(mode="json")

    def to_json(self) -> str:
        """Everything as JSON with the number of this format; the same sender gives the same text."""
        return json.dumps({"format": FORMAT, **self.to_dict()}, ensure_ascii=False, indent=2, allow_nan=False)

    def to_yaml(self) -> str:
        """Everything as YAML, as people write it: a file that `load` reads."""
        plain = _as_people_write(self.to_dict())
        return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, default_flow_style=False)

    def save(self, path: str | Path) -> None:
        """Write the sender to a .yaml, .yml or .json file, whole or not at all."""
        suffix = Path(path).suffix.lower()
        if suffix not in _SUFFIXES:
            raise InputError("is no sender file. End its name in .yaml, .yml or .json.", file=path)
        save_text(path, self.to_json() + "\n" if suffix == ".json" else self.to_yaml())

    def changed(self, changes: Mapping[str, Any]) -> Sender:
        """Make another sender with some fields changed.

        Parameters
        ----------
        changes : dict from dotted field to value
            ``{"n_ips": 2, "target.volume": 200_000}``.

        Raises
        ------
        InputError
            When the changed sender makes no sense.
        """
        data = self.to_dict()
        for field, value in changes.items():
            *groups, last = field.split(".")
            inner = data
            for group in groups:
                if not isinstance(inner.get(group), dict):
                    inner[group] = {}
                inner = inner[group]
            inner[last] = value
        return self.from_dict(data)

    def fingerprint(self) -> str:
        """SHA-256 of everything that this sender says, the order of the providers included."""
        return hashlib.sha256(json.dumps(self.to_dict(), separators=(",", ":")).encode()).hexdigest()

    def __eq__(self, other: object) -> bool:
        return self.fingerprint() == other.fingerprint() if isinstance(other, Sender) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.fingerprint())

    # --- who and when

    @property
    def provider_names(self) -> tuple[str, ...]:
        """Ids of the mailbox providers, in the order of the file: the order of every providers axis."""
        return tuple(self.audience.providers)

    def shares(self) -> Floats:
        """Share of each provider in the audience, (providers,) float array that sums to 1."""
        return self.audience.provider_shares()

    def dates(self, n: int) -> tuple[date, ...]:
        """First n days from the start (730 at most)."""
        return days_from(self.start, n)

    def send_mask(self, n: int) -> Bools:
        """Tell which of the first n days take mail, (days,) bool array: send days not blacked out."""
        return np.array([self._sends_on(day) for day in self.dates(n)], dtype=bool)

    def _sends_on(self, day: date) -> bool:
        return WEEKDAYS[day.weekday()] in self.send_days and not any(day in span for span in self.blackout)

    def horizon_limit(self) -> int:
        """Longest horizon in days: 90, or until the 26th send day if that is later, at most 730.

        Where there are fewer than 26 send days in 730 days, the last one ends it.
        """
        send_days = np.flatnonzero(self.send_mask(MAX_DAYS))[:MANY_SEND_DAYS]
        return max(SHORT_HORIZON, int(send_days[-1]) + 1 if len(send_days) else 0)

    # --- how much

    def targets(self) -> Floats:
        """Largest day of a full week, (providers,) float array of whole messages; gates are not asked."""
        send_days = [WEEKDAYS.index(day) for day in self.send_days]
        week = self._week()[:, send_days]
        return np.asarray(week[:, np.argmax(week.sum(axis=0))])

    def demand(self, n: int) -> Floats:
        """Messages wanted of each provider on each of the first n days.

        Returns
        -------
        (providers, n) float array, messages
            Whole numbers; a day's sum is the target times the weekday's shape. 0 on days that take no
            mail, before a provider's admission, and for a provider with a gate and no admission.
        """
        days = self.dates(n)
        weekday = np.array([day.weekday() for day in days], dtype=int)
        return self._week()[:, weekday] * self.send_mask(n) * self._open(days)

    def _week(self) -> Floats:
        """Messages by weekday, (providers, 7) float array, as if every day were a send day."""
        volume = self.target.volume
        if isinstance(volume, dict):
            wanted = np.array([volume[name] for name in self.provider_names], dtype=float)
        else:
            wanted = volume * self.shares()
        return whole_messages(np.outer(wanted, self.target.shape()))

    def _open(self, days: tuple[date, ...]) -> Bools:
        """Tell which provider takes mail on which day, (providers, days) bool array."""
        opens = np.array([self._opens(name).toordinal() for name in self.provider_names])
        return np.asarray(opens[:, None] <= np.array([day.toordinal() for day in days]))

    def _opens(self, provider: str) -> date:
        """First day on which a provider takes mail; the end of time where nobody opened its gate."""
        if provider in self.admissions:
            return self.admissions[provider]
        return date.min if catalogue().provider(provider).gate is None else date.max

    def past(self) -> tuple[Floats, Floats, Floats]:
        """History by provider.

        Returns
        -------
        domain, ip : (providers,) float arrays, messages/day
            A total is split by the audience's shares; a provider not named sent nothing.
        idle_days : (providers,) float array, days
        """
        past = self.history
        return (
            self._spread(past.domain, self.shares()),
            self._spread(past.ip, self.shares()),
            self._spread(past.idle_days, np.ones(len(self.provider_names))),
        )

    def _spread(self, value: float | dict[str, float] | dict[str, int], weights: Floats) -> Floats:
        if isinstance(value, dict):
            return np.array([float(value.get(name, 0)) for name in self.provider_names])
        return np.asarray(value * weights, dtype=float)

    @property
    def chooses(self) -> bool:
        """Can the sender choose whom to mail? Not transactional mail, nor a list of unknown size."""
        return self.audience.size is not None and self.kind == "marketing"

    def allotment(self, n: int) -> Floats:
        """Most messages that each segment takes on each of the first n days.

        One message per address and day. A frequency cap is spread over the week as the demand is, so that
        any seven days keep it.

        Returns
        -------
        (providers, segments, n) float array, messages
            Infinite where the sender cannot choose.
        """
        n_providers, n_segments = len(self.provider_names), len(self.audience.segments)
        if not self.chooses:
            return np.full((n_providers, n_segments, n), np.inf)
        addresses = self.audience.addresses()[:, :, None]
        per_week = np.array([segment.max_per_week or np.inf for segment in self.audience.segments])
        demand = self.demand(n)
        busiest = _busiest_week(self.demand(max(n, self.horizon_limit())))
        share = demand / np.maximum(busiest, 1.0)[:, None]  # of the week, on each day
        capped = addresses * np.where(np.isinf(per_week), 1.0, per_week)[:, None] * share[:, None, :]
        return np.where(np.isinf(per_week)[:, None], addresses, np.minimum(addresses, capped))

    def mix(self, volume: Floats) -> Floats:
        """Share of each engagement segment in a day's mail, filled from the most engaged down.

        A segment takes its allotment. Mail beyond all of them goes to everybody alike, and so does mail of a
        sender that cannot choose. Days without mail count as the most engaged segment's.

        Parameters
        ----------
        volume : (providers, days) float array, messages
            On the first days from the start.

        Returns
        -------
        (providers, days, segments) float array
            Sums to 1 over the segments.
        """
        shares = self.audience.segment_shares_by_provider()[:, None, :]
        everybody = np.broadcast_to(shares, (*volume.shape, shares.shape[2]))
        if not self.chooses:
            return np.array(everybody)
        most = self.allotment(volume.shape[1]).transpose(0, 2, 1)
        taken = np.clip(volume[:, :, None] - (np.cumsum(most, axis=2) - most), 0.0, most)
        taken[volume <= 0] = np.eye(shares.shape[2])[0]
        total = taken.sum(axis=2, keepdims=True)
        beyond = np.maximum(0.0, volume[:, :, None] - total) * (volume[:, :, None] > 0.0)
        placed = taken + beyond * everybody
        return np.asarray(placed / placed.sum(axis=2, keepdims=True))

    # --- the day

    @property
    def _span(self) -> Span:
        return span_of(self.window)

    @property
    def window_hours(self) -> float:
        """Hours in which mail goes out each day."""
        return (self._span.closes - self._span.opens) / 60

    @property
    def day_start(self) -> str:
        """Time at which the simulated day begins: 00:00, or the opening of a window over midnight."""
        start = self._span.day_start
        return f"{start // 60:02}:{start % 60:02}"

    def window_slots(self, slot_minutes: int = 15) -> tuple[int, int]:
        """First slot of the simulated day in which the window is open, and how many there are."""
        return slots_touched(self._span, slot_minutes)

    def pace(self, slot_minutes: int = 15) -> Floats:
        """Share of the day's mail in each slot of the simulated day, (slots,) float array that sums to 1."""
        return pace(self._span, slot_minutes)


def _busiest_week(demand: Floats) -> Floats:
    """Largest sum of seven days in a row, (providers,), messages."""
    sums = np.cumsum(demand, axis=1)
    return np.asarray((sums - np.pad(sums, ((0, 0), (7, 0)))[:, : sums.shape[1]]).max(axis=1, initial=0.0))
