"""Schedule: volumes by provider, segment and day, ours or a published table scaled to the sender."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from planner.errors import InputError
from planner.inputs.calendars import MAX_DAYS
from planner.inputs.catalogue import PublishedSchedule, catalogue
from planner.inputs.checking import validated
from planner.inputs.fields import Checked, Day, Number, nearest, shown, unknown
from planner.inputs.rounding import whole_messages
from planner.inputs.yamlfile import parse_json
from planner.vocabulary import Floats, dates_text, whole

if TYPE_CHECKING:
    import pandas as pd

    from planner.inputs.sender import Sender

FORMAT = 1
MAX_VOLUME = 1e10
MAX_ROWS = 1_000_000

COLUMNS = ("provider", "segment", "date", "volume")
_NEEDED = ("provider", "date", "volume")

_DAY = TypeAdapter[date](Day)
_NUMBER = TypeAdapter[float](Number)


@dataclass(frozen=True, eq=False)
class Schedule:
    """Volumes by provider, segment and day; equal when all of it is equal.

    Parameters
    ----------
    providers : tuple of str
    segments : tuple of str
        ``("all",)`` when the schedule does not say which segment is mailed.
    dates : tuple of date
        Consecutive days.
    volume : (providers, segments, days) float array, messages/day
        Copied and read-only.

    Raises
    ------
    InputError
        When shape, labels or numbers do not fit.

    Examples
    --------
    >>> days = (date(2027, 1, 11), date(2027, 1, 12))
    >>> schedule = Schedule(("gmail",), ("all",), days, np.array([[[50.0, 100.0]]]))
    >>> schedule.total
    array([[ 50., 100.]])
    """

    providers: tuple[str, ...]
    segments: tuple[str, ...]
    dates: tuple[date, ...]
    volume: Floats

    def __post_init__(self) -> None:
        for name in ("providers", "segments", "dates"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        volume = np.array(self.volume, dtype=np.float64)
        _check_labels(self.providers, "providers")
        _check_labels(self.segments, "segments")
        _check_dates(self.dates)
        _check_volume(volume, self)
        volume.flags.writeable = False
        object.__setattr__(self, "volume", volume)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Schedule):
            return NotImplemented
        return self._labels == other._labels and np.array_equal(self.volume, other.volume)

    def __hash__(self) -> int:
        return hash((self._labels, self.volume.tobytes()))

    def __reduce__(self) -> tuple[object, ...]:
        """Stay read-only in other processes: a copy is made and checked like the first."""
        return Schedule, (*self._labels, self.volume)

    @property
    def _labels(self) -> tuple[tuple[str, ...], tuple[str, ...], tuple[date, ...]]:
        return self.providers, self.segments, self.dates

    @property
    def total(self) -> Floats:
        """Messages of all segments, (providers, days) float array."""
        return np.asarray(self.volume.sum(axis=1))

    # --- frames and JSON

    def __repr__(self) -> str:
        days = dates_text(self.dates[0], self.dates[-1])
        return f"<Schedule: {whole(self.total.sum())} messages to {', '.join(self.providers)}, {days}>"

    def to_frame(self) -> pd.DataFrame:
        """One row per provider, segment and day: columns provider, segment, date, volume."""
        import pandas as pd

        index = pd.MultiIndex.from_product(
            [self.providers, self.segments, pd.DatetimeIndex(self.dates)], names=COLUMNS[:3]
        )
        return pd.DataFrame({"volume": self.volume.ravel()}, index=index).reset_index()

    @classmethod
    def from_frame(cls, frame: pd.DataFrame) -> Schedule:
        """Read a table with columns provider, segment (optional), date and volume.

        Days and cells that are not there are 0. Providers and segments keep the order in which they appear.

        Raises
        ------
        InputError
            Names row (from 1, below the header) and column of the first thing that is wrong.
        """
        _check_columns([str(column) for column in frame.columns])
        if not 0 < len(frame) <= MAX_ROWS:
            raise InputError(f"The table has {whole(len(frame))} rows. Give 1 to {whole(MAX_ROWS)}.")
        columns = [frame[name].tolist() if name in frame else ["all"] * len(frame) for name in COLUMNS]
        return cls._from_rows(list(zip(*columns, strict=True)))

    @classmethod
    def _from_rows(cls, rows: list[tuple[Any, Any, Any, Any]]) -> Schedule:
        cells: dict[tuple[str, str, date], tuple[int, float]] = {}
        for number, (provider, segment, day, volume) in enumerate(rows, 1):
            key = (
                _label(provider, number, "provider"),
                _label(segment, number, "segment"),
                _day(day, number),
            )
            if key in cells:
                text = f"Rows {whole(cells[key][0])} and {whole(number)} both give {key[0]}, {key[1]}, {key[2]}."
                raise InputError(f"{text} Keep one, or add them up.", field="volume")
            cells[key] = number, _volume(volume, number)
        providers, segments, days = (list(dict.fromkeys(part)) for part in zip(*cells, strict=True))
        dates = _between(min(days), max(days))
        filled = np.zeros((len(providers), len(segments), len(dates)))
        places = [{label: i for i, label in enumerate(labels)} for labels in (providers, segments, dates)]
        for key, (_, value) in cells.items():
            filled[places[0][key[0]], places[1][key[1]], places[2][key[2]]] = value
        return cls(tuple(providers), tuple(segments), dates, filled)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values that JSON knows, with the number of this format."""
        return {
            "format": FORMAT,
            "providers": list(self.providers),
            "segments": list(self.segments),
            "start": self.dates[0].isoformat(),
            "volume": self.volume.tolist(),
        }

    @classmethod
    def from_dict(cls, data: object) -> Schedule:
        """Check what `to_dict` gave.

        Raises
        ------
        InputError
            Names the field of what is wrong.
        """
        stored = validated(_Stored, data)
        if stored.format != FORMAT:
            text = f"format is {stored.format}; this version reads format {FORMAT}. Update the warmup planner."
            raise InputError(text, field="format")
        try:
            volume = np.array(stored.volume, dtype=np.float64)
            n_days = volume.shape[2]
        except (ValueError, IndexError):
            text = "volume is not a block of providers, segments and days. Give every list the same length."
            raise InputError(text, field="volume") from None
        if not 1 <= n_days <= MAX_DAYS:
            raise InputError(_too_long(n_days), field="volume")
        dates = _between(stored.start, stored.start + timedelta(days=n_days - 1))
        return cls(stored.providers, stored.segments, dates, volume)

    def to_json(self) -> str:
        """Give everything as JSON with the number of this format."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Schedule:
        """Read what `to_json` wrote."""
        return cls.from_dict(parse_json(text, what="The schedule"))


class _Stored(Checked):
    format: int
    providers: tuple[str, ...]
    segments: tuple[str, ...]
    start: Day
    volume: list[list[list[float]]]


# --- checks


def _check_labels(labels: tuple[str, ...], what: str) -> None:
    if not labels:
        raise InputError(f"The schedule has no {what}. Give at least one.", field=what)
    if not all(map(_is_word, labels)):
        raise InputError(f"The schedule's {what} must be words. Name each.", field=what)
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        raise InputError(f"The schedule names {shown(twice)} twice among its {what}. Keep one.", field=what)


def _is_word(label: object) -> bool:
    return isinstance(label, str) and label != ""


def _is_day(day: object) -> bool:
    return isinstance(day, date) and not isinstance(day, datetime)


def _check_dates(dates: tuple[date, ...]) -> None:
    if not 1 <= len(dates) <= MAX_DAYS:
        raise InputError(_too_long(len(dates)), field="dates")
    if not all(map(_is_day, dates)):
        raise InputError("The schedule's dates must be days without a time. Use datetime.date.", field="dates")
    gap = next((pair for pair in pairwise(dates) if (pair[1] - pair[0]).days != 1), None)
    if gap is not None:
        text = f"The schedule jumps from {gap[0]} to {gap[1]}. Give every day in order, 0 where nothing is sent."
        raise InputError(text, field="dates")


def _check_volume(volume: Floats, schedule: Schedule) -> None:
    expected = len(schedule.providers), len(schedule.segments), len(schedule.dates)
    if volume.shape != expected:
        text = f"The schedule's volume has shape {volume.shape}, its labels {expected}. Match them."
        raise InputError(text, field="volume")
    fine = (volume >= 0) & (volume <= MAX_VOLUME)  # not so for NaN
    if not fine.all():
        p, g, d = (int(i[0]) for i in np.nonzero(~fine))
        place = f"{schedule.providers[p]}, {schedule.segments[g]}, {schedule.dates[d]}"
        raise InputError(f"volume is {volume[p, g, d]:g} ({place}). {_RANGE}", field="volume")


_RANGE = f"Write a number from 0 to {MAX_VOLUME:,.0f}."


def _too_long(n_days: int) -> str:
    return f"The schedule has {whole(n_days)} days. Give 1 to {MAX_DAYS}."


def _between(first: date, last: date) -> tuple[date, ...]:
    n_days = (last - first).days + 1
    if n_days > MAX_DAYS:
        raise InputError(f"{_too_long(n_days)} It runs from {first} to {last}: check the years.", field="date")
    return tuple(first + timedelta(days=d) for d in range(n_days))


def _check_columns(columns: list[str]) -> None:
    missing = [name for name in _NEEDED if name not in columns]
    if missing:
        guess = nearest(missing[0], [name for name in columns if name not in COLUMNS])
        meant = f" Is it '{guess}'? Rename it." if guess else " Add it."
        text = f"The table lacks the column '{missing[0]}'.{meant}"
        raise InputError(f"{text} Columns: {', '.join(COLUMNS)} (segment optional).", field=missing[0])
    surplus = [name for name in columns if name not in COLUMNS]
    if surplus:
        raise InputError(unknown("column", surplus[0], COLUMNS), field=surplus[0][:50])
    twice = [name for name in COLUMNS if columns.count(name) > 1]
    if twice:
        raise InputError(f"The table has the column '{twice[0]}' twice. Keep one.", field=twice[0])


def _label(value: Any, row: int, column: str) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)  # the provider 163
    if not isinstance(value, str) or not value.strip() or len(value) > 200:
        raise _in_cell(row, column, value, "not a name. Write a word.")
    return value.strip()


def _day(value: Any, row: int) -> date:
    try:
        return _DAY.validate_python(value)
    except ValidationError as error:
        raise _in_cell(row, "date", value, _reason(error)) from None


def _volume(value: Any, row: int) -> float:
    try:
        number = _NUMBER.validate_python(value)
    except ValidationError as error:
        raise _in_cell(row, "volume", value, _reason(error)) from None
    if not 0 <= number <= MAX_VOLUME:
        raise _in_cell(row, "volume", value, _RANGE)
    return number


def _reason(error: ValidationError) -> str:
    detail = error.errors(include_url=False)[0]
    return str(detail.get("ctx", {}).get("text", detail["msg"]))


def _in_cell(row: int, column: str, value: Any, reason: str) -> InputError:
    joint = "." if reason[:1].isupper() else ","
    return InputError(f"Row {whole(row)}, column {column} is {shown(value)}{joint} {reason}", field=column)


# --- a schedule meets a sender


def for_sender(schedule: Schedule, sender: Sender) -> Schedule:
    """Bring a schedule into the sender's order: its providers, its segments, its start as the first day.

    Days before the schedule's first are 0; days before the sender's start must be.

    Raises
    ------
    InputError
        When a provider or a segment is missing or unknown, or mail is planned before the start.
    """
    providers = _rows(schedule.providers, sender.provider_names)
    segments = _segment_rows(schedule.segments, sender)
    early = (sender.start - schedule.dates[0]).days
    volume = schedule.volume[np.ix_(providers, segments)]
    if early > 0 and volume[:, :, :early].any():
        text = f"Schedule begins on {schedule.dates[0]}, before the sender's start {sender.start}."
        raise InputError(f"{text} Move one of them.", field="start")
    if early >= len(schedule.dates):
        raise InputError(f"Schedule ends before the sender's start {sender.start}. Move one of them.", field="start")
    shifted = np.concatenate([np.zeros((*volume.shape[:2], max(0, -early))), volume[:, :, max(0, early) :]], axis=2)
    names = tuple(schedule.segments[i] for i in segments)
    return Schedule(sender.provider_names, names, sender.dates(shifted.shape[2]), shifted)


def _rows(given: tuple[str, ...], wanted: tuple[str, ...]) -> list[int]:
    for name in wanted:
        if name not in given:
            text = f"Schedule lacks the provider '{name}' that the sender mails."
            raise InputError(f"{text} Add a row, or drop it from audience.providers.", field="provider")
    for name in given:
        if name not in wanted:
            text = f"Schedule mails {shown(name)}, which is not in audience.providers."
            raise InputError(f"{text} {unknown('provider', name, wanted)}", field="provider")
    return [given.index(name) for name in wanted]


def _segment_rows(given: tuple[str, ...], sender: Sender) -> list[int]:
    wanted = sender.audience.segment_names
    if given == ("all",):
        return [0]
    for name in given:
        if name not in wanted:
            raise InputError(unknown("segment", name, wanted), field="segment")
    for name in wanted:
        if name not in given:
            text = f"Schedule lacks the segment '{name}'. Add its rows, with 0 where nothing is sent."
            raise InputError(text, field="segment")
    return [given.index(name) for name in wanted]


def decided_cells(sender: Sender, cells: Mapping[str, Mapping[Any, Any]], n_days: int) -> Floats:
    """Check cells of a schedule that are decided already.

    Parameters
    ----------
    cells : mapping of provider to mapping of date to messages

    Returns
    -------
    (providers, n_days) float array, whole messages
        -1 where nothing is decided.

    Raises
    ------
    InputError
        When a provider or day is unknown, a volume makes no sense, or the day takes no mail.
    """
    found = np.full((len(sender.provider_names), n_days), -1.0)
    takes = sender.demand(n_days) > 0.0
    for name, days in cells.items():
        if name not in sender.provider_names:
            raise InputError(unknown("provider", name, sender.provider_names), field="fixed")
        p = sender.provider_names.index(name)
        for written, volume in days.items():
            place = f"fixed.{name}.{written}"
            try:
                d = (_DAY.validate_python(written) - sender.start).days
                messages = _NUMBER.validate_python(volume)
            except ValidationError as error:
                raise InputError(f"{place} is {shown(volume)}, {_reason(error)}", field=place) from None
            if not 0 <= d < n_days:
                last = sender.dates(n_days)[-1]
                raise InputError(f"{place} lies outside the days from {sender.start} to {last}. Drop it.", field=place)
            if not 0 <= messages <= MAX_VOLUME or messages != int(messages):
                text = f"{place} is {messages:g}. Write a whole number of messages from 0 up."
                raise InputError(text, field=place)
            if messages and not takes[p, d]:
                raise InputError(f"{place} is {messages:g}, but that day takes no mail. Write 0.", field=place)
            found[p, d] = messages
    return found


# --- published tables


def published(id: str, sender: Sender, days: int | None = None, *, scale: float = 1.0) -> Schedule:  # noqa: A002
    """Scale a published table to a sender.

    The table moves one step on every send day of the sender (days without mail are skipped), separately
    for each provider, so that one admitted later begins at the first step. After the last step its volume
    is held: tables end where their authors stopped, most of them short of a large target. Nothing exceeds
    the sender's demand.

    Tables per IP are multiplied by the number of IPs. A table for all mail is split by the audience's
    shares. In a table by provider each takes its own column, else the column ``other``, else the table's
    volume per share: what the columns of the sender's other providers carry, divided by their shares,
    times its own share (or the mean column when the sender mails none of them).

    Parameters
    ----------
    id : str
        Of a published schedule in the catalogue, such as ``onesignal``.
    sender : Sender
    days : int, optional
        Length; the sender's `horizon_limit` when left out.
    scale : float, optional
        Multiplies the table before it is capped by the demand.

    Returns
    -------
    Schedule
        Whole messages, one segment ``all``, from the sender's start.

    Raises
    ------
    InputError
        When no schedule has this id, or days or scale make no sense.
    """
    table = _published(id)
    if not 0 < scale <= 1e6:
        raise InputError(f"scale is {scale:g}. Write a number above 0 up to 1,000,000.", field="scale")
    demand = sender.demand(_checked_days(days, sender))
    factor = scale * (sender.n_ips if table.per == "ip" else 1)
    steps = np.stack([factor * column for column in _columns(table, sender)])
    step = np.minimum(np.cumsum(demand > 0, axis=1) - 1, steps.shape[1] - 1)
    volume = np.where(demand > 0, np.take_along_axis(steps, np.maximum(step, 0), axis=1), 0.0)
    capped = np.minimum(whole_messages(np.minimum(volume, MAX_VOLUME)), demand)
    return Schedule(sender.provider_names, ("all",), sender.dates(demand.shape[1]), capped[:, None, :])


def _checked_days(days: int | None, sender: Sender) -> int:
    n_days = sender.horizon_limit() if days is None else days
    if n_days < 1:
        raise InputError(f"days is {n_days}. Ask for at least 1.", field="days")
    return n_days


def _published(id: str) -> PublishedSchedule:  # noqa: A002
    schedules = catalogue().schedules
    if id not in schedules:
        raise InputError(unknown("published schedule", id, schedules), field="schedule")
    return schedules[id]


def _columns(table: PublishedSchedule, sender: Sender) -> list[Floats]:
    """Volume of each of the sender's providers at each send day of the table, equally long arrays."""
    length = max(sum(step.days for step in steps) for steps in table.steps.values())
    columns = {name: _held(steps, length) for name, steps in table.steps.items()}
    shares = dict(zip(sender.provider_names, sender.shares(), strict=True))
    if "other" in columns:
        return [columns.get(name, columns["other"]) for name in shares]
    if "all" in columns:
        return [columns[name] if name in columns else columns["all"] * share for name, share in shares.items()]
    mean, per_share = np.mean(list(columns.values()), axis=0), _per_share(columns, shares)
    rest = {name: mean if per_share is None else per_share * share for name, share in shares.items()}
    return [columns.get(name, rest[name]) for name in shares]


def _per_share(columns: Mapping[str, Floats], shares: Mapping[str, float]) -> Floats | None:
    known = [name for name in shares if name in columns]
    if not known:
        return None
    return np.asarray(sum(columns[name] for name in known) / sum(shares[name] for name in known))


def _held(steps: Any, length: int) -> Floats:
    """Volume on each send day, the last one held."""
    volumes = np.repeat([step.volume for step in steps], [step.days for step in steps])
    return np.concatenate([volumes, np.full(length - len(volumes), volumes[-1])]).astype(np.float64)
