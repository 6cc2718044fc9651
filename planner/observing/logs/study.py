"""What a log tells, made of a tally: counts by day and hour, delays, and how it was read."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from planner.inputs.provider_names import OTHER
from planner.observing.logs.stamps import day_of
from planner.observing.logs.tally import (
    BLOCKED,
    CENTURY,
    COMPLAINTS,
    DEFERRED,
    DELIVERED,
    EXPIRED,
    HARD_BOUNCED,
    N_CAUSES,
    SENT_APART,
    Tally,
    delay_of,
)
from planner.observing.observations import FORMAT, Observations, Problem
from planner.observing.rows import CAUSES, COLUMNS, MAX_DAYS
from planner.vocabulary import brief, whole

if TYPE_CHECKING:
    import pandas as pd

_EPOCH = datetime(1970, 1, 1)
_PASSED_OVER = {
    "local": "deliveries within your own machines, which are no attempts",
    "held back": "tries that your server put off by itself, which are no attempts",
    "probes": "probes of addresses, which are no mail",
    "inbound": "events of mail that came in",
    "suppressed": "messages that the service did not try, for it knew the address",
    "repeated": "events that the service told twice",
    "answers": "notes that came back after the server had accepted the mail, such as automatic answers",
    "returned": "deliveries that an earlier line said had come back",
    "removed by hand": "messages that somebody removed from the queue",
}
_FAR_OFF = "date that cannot be: far from all others, or of another century"


@dataclass(frozen=True)
class LogStudy:
    """What a log tells.

    Attributes
    ----------
    observations : Observations
        Counts by provider and day; what could not be read; how it was read.
    formats : tuple of str
        What the files were read as.
    """

    observations: Observations
    formats: tuple[str, ...]
    _hours: dict[tuple[str, int], dict[str, float]]
    _delays: dict[tuple[str, int], tuple[int, ...]]

    def __repr__(self) -> str:
        return brief(self)

    def _repr_html_(self) -> str:
        return self.observations._repr_html_()

    def summary(self) -> str:
        """Say what was seen, and as what it was read."""
        return self.observations.summary()

    def to_frame(self) -> pd.DataFrame:
        """Counts by provider and day, as `Observations.to_frame`."""
        return self.observations.to_frame()

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values that JSON knows; delays in seconds."""
        delays = self.delays()
        return {
            "format": FORMAT,
            "kind": "log study",
            "formats": list(self.formats),
            "observations": self.observations.to_dict(),
            "hours": [
                {"hour": (_EPOCH + timedelta(hours=hour)).isoformat(), "provider": provider, **counts}
                for (provider, hour), counts in sorted(self._hours.items())
            ],
            "delays": [
                row | {"date": row["date"].date().isoformat()}
                for row in delays.astype(object).where(delays.notna(), None).to_dict("records")
            ],
        }

    def to_json(self) -> str:
        """Everything as JSON, with the number of its format."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False)

    def hours(self) -> pd.DataFrame:
        """Counts by hour: a row per provider and hour with any mail, columns hour, provider, the counts."""
        import pandas as pd

        rows = [
            {"hour": _EPOCH + timedelta(hours=hour), "provider": provider, **counts}
            for (provider, hour), counts in sorted(self._hours.items(), key=lambda item: (item[0][1], item[0][0]))
        ]
        return pd.DataFrame(rows, columns=["hour", "provider", *COLUMNS])

    def delays(self) -> pd.DataFrame:
        """How long delivered messages were under way, from hand-over to acceptance.

        A row per provider and day: date, provider, delivered (those whose delay the log tells), and the seconds below
        which half, nine tenths and 99 in 100 of them lie, exact to a fifth.
        """
        import pandas as pd

        rows = [
            {
                "date": pd.Timestamp(day_of(24 * day)),
                "provider": provider,
                "delivered": sum(bins),
                **{f"within_{share}": _quantile(bins, share / 100) for share in (50, 90, 99)},
            }
            for (provider, day), bins in sorted(self._delays.items(), key=lambda item: (item[0][1], item[0][0]))
        ]
        names = ["date", "provider", "delivered", "within_50", "within_90", "within_99"]
        return pd.DataFrame(rows, columns=names)


def studied(tally: Tally, formats: Sequence[str], not_known: set[str], notes: Sequence[str]) -> LogStudy:
    """Make the study of a log that was read to its end.

    Parameters
    ----------
    tally : Tally
    formats : sequence of str
    not_known : set of str
        Counts that a format does not tell.
    notes : sequence of str
        How it was read.
    """
    told = _days_told(tally)
    hours: dict[tuple[str, int], dict[str, float]] = {}
    far_off = sum(map(sum, tally.nowhen.values()))
    for hour, row in tally.hours.items():
        if hour // 24 in told:
            for number, cell in row.items():
                hours[tally.providers[number], hour] = _counts(cell, not_known)
        else:
            far_off += sum(map(sum, row.values()))
    if far_off:
        tally.problem(_FAR_OFF, lambda: ("", 0), far_off)
    delays = {
        (tally.providers[number], day): tuple(bins)
        for day, row in tally.delays.items()
        if day in told
        for number, bins in row.items()
    }
    observed = _by_day(hours, tally.among or (), _problems(tally), [*notes, *_notes(tally)])
    return LogStudy(observed, tuple(formats), hours, delays)


def _days_told(tally: Tally) -> range:
    """Days that can be told at once: those around the middle attempt, as many as observations hold.

    A clock that was wrong for a while must not hide all that is right.
    """
    days = Counter[int]()
    for hour, row in tally.hours.items():
        days[hour // 24] += sum(map(sum, row.values()))
    if not days or max(days) - min(days) < MAX_DAYS:
        return range(min(days, default=0), max(days, default=-1) + 1)
    seen, middle = 0, sum(days.values()) / 2
    for day in sorted(days):
        seen += days[day]
        if seen >= middle:
            break
    return range(max(day - MAX_DAYS // 2, CENTURY.start), min(day + MAX_DAYS // 2, CENTURY.stop))


def _counts(cell: list[int], not_known: set[str]) -> dict[str, float]:
    first = {place: cell[place] for place in range(0, EXPIRED, 2)}
    both = {place: cell[place] + cell[place + 1] for place in range(0, EXPIRED, 2)}
    by_cause = [both[DEFERRED + 2 * i] for i in range(N_CAUSES)]
    counts = {
        "sent": sum(first.values()) + cell[SENT_APART],
        "attempts": sum(both.values()),
        "delivered": both[DELIVERED],
        "deferred": sum(by_cause),
        "first_deferred": sum(first[DEFERRED + 2 * i] for i in range(N_CAUSES)),
        "hard_bounced": both[HARD_BOUNCED],
        "blocked": both[BLOCKED],
        "expired": cell[EXPIRED],
        "complaints": cell[COMPLAINTS],
        **{f"deferred_{cause}": count for cause, count in zip(CAUSES, by_cause, strict=True)},
    }
    return {name: float(count) for name, count in counts.items() if name not in not_known}


def _by_day(
    hours: dict[tuple[str, int], dict[str, float]],
    providers: tuple[str, ...],
    problems: tuple[list[Problem], int],
    notes: list[str],
) -> Observations:
    """Add up the hours; a day without mail to a provider is 0 of everything that the log tells."""
    found, n_problems = problems
    if not hours:
        return Observations(providers or (OTHER,), (), problems=tuple(found), n_problems=n_problems, notes=tuple(notes))
    days = [hour // 24 for _, hour in hours]
    measures = next(iter(hours.values()))
    cells = {
        (provider, day_of(24 * day)): dict.fromkeys(measures, 0.0)
        for provider in dict.fromkeys([*providers, *(provider for provider, _ in hours)])
        for day in range(min(days), max(days) + 1)
    }
    for (provider, hour), counts in hours.items():
        cell = cells[provider, day_of(hour)]
        for name, count in counts.items():
            cell[name] += count
    return Observations.from_cells(cells, problems=found, n_problems=n_problems, notes=notes)


def _problems(tally: Tally) -> tuple[list[Problem], int]:
    found = [Problem(file, line, kind) for kind, lines in tally.problem_lines.items() for file, line in lines]
    return found, sum(tally.problems.values())


def _notes(tally: Tally) -> Iterator[str]:
    if years := sorted(tally.clock.guessed_years):
        yield f"The stamps have no year: the first was taken for {' or '.join(map(str, years))}. year=… says otherwise."
    for kind, count in sorted(tally.problems.items()):
        places = ", ".join(whole(line) for _, line in tally.problem_lines[kind][:5] if line)
        yield f"{kind[0].upper()}{kind[1:]}: {whole(count)}{f', first in line {places}' if places else ''}."
    for kind, count in sorted(tally.passed_over.items()):
        if count:
            yield f"Left out {_PASSED_OVER[kind]}: {whole(count)}."
    for name in tally.relays()[:3]:
        yield f"{name} takes mail for several providers and passes it on: what became of it stands in its own log."


def _quantile(bins: Sequence[int], share: float) -> float:
    """Seconds below which a share lies, within its bin by the geometric mean of its ends."""
    wanted, seen = share * sum(bins), 0
    for place, count in enumerate(bins):
        seen += count
        if count and seen >= wanted:
            return round(delay_of(place + 0.5), 1) if place else 0.0
    return float("nan")
