"""`read_log` and `study_log`: from the files of a log to counts by provider and day, hour by hour, and delays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from zoneinfo import ZoneInfo

from planner.errors import InputError
from planner.inputs.catalogue import catalogue
from planner.inputs.fields import unknown
from planner.inputs.provider_names import OTHER
from planner.observing.logs.blocks import Feed, feed, signature
from planner.observing.logs.formats import (
    exchange,
    exim,
    kumomta,
    mailgun,
    postfix,
    powermta,
    qmail,
    sendgrid,
    sendmail,
    ses,
)
from planner.observing.logs.formats.base import Reader
from planner.observing.logs.queue import Queue
from planner.observing.logs.replies import Replies
from planner.observing.logs.sources import Source, group_of, sources
from planner.observing.logs.stamps import Clock, day_of
from planner.observing.logs.tally import (
    BLOCKED,
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
from planner.observing.observations import Observations, Problem
from planner.observing.rows import CAUSES, COLUMNS, MAX_DAYS
from planner.vocabulary import whole

if TYPE_CHECKING:
    import pandas as pd

    from planner.inputs.sender import Sender

_SAMPLE_LINES = 2_000
_EPOCH = datetime(1970, 1, 1)


@dataclass(frozen=True)
class _Format:
    title: str
    recognises: Callable[[Sequence[bytes]], int]
    reader: Callable[[Tally], Reader]
    whole_lines: bool = True


_FORMATS = {
    "postfix": _Format("Postfix", postfix.recognises, postfix.Reader),
    "exim": _Format("Exim", exim.recognises, exim.Reader),
    "sendmail": _Format("Sendmail", sendmail.recognises, sendmail.Reader),
    "qmail": _Format("qmail", qmail.recognises, qmail.Reader),
    "exchange": _Format("Exchange message tracking", exchange.recognises, exchange.Reader),
    "powermta": _Format("PowerMTA accounting", powermta.recognises, powermta.Reader),
    "kumomta": _Format("KumoMTA", kumomta.recognises, kumomta.Reader, whole_lines=False),
    "ses": _Format("Amazon SES", ses.recognises, ses.Reader, whole_lines=False),
    "sendgrid": _Format("SendGrid", sendgrid.recognises, sendgrid.Reader, whole_lines=False),
    "mailgun": _Format("Mailgun", mailgun.recognises, mailgun.Reader, whole_lines=False),
}

Progress = Callable[[float], None]


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
        which half, nine tenths and 99 in 100 of them lie, exact to a quarter.
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


def read_log(
    source: str | Path | BinaryIO,
    sender: Sender | None = None,
    *,
    format: str | None = None,  # noqa: A002 (what people call it)
    timezone: str | None = None,
    year: int | None = None,
    progress: Progress | None = None,
) -> Observations:
    """Count what a mail log tells of attempts, by provider and day.

    Parameters
    ----------
    source : str, Path or binary file
        A file, an open one, or the folder of a log and its rotations; plain, gzip or zstd.
    sender : Sender, optional
        Its providers are told apart, others count as ``other``; its time zone says when days begin.
    format : str, optional
        When the first lines do not tell: postfix, exim, sendmail, qmail, exchange, powermta, kumomta, ses, sendgrid,
        mailgun.
    timezone : str, optional
        Zone of stamps that name none, as IANA calls it; the sender's, if left out.
    year : int, optional
        Of the first line, where stamps have none; otherwise the last year in which they do not lie in the future of
        the file.
    progress : callable, optional
        Told the share of the work that is done; may raise `Cancelled`.

    Returns
    -------
    Observations
        docs/observations.md says what each count means, and what a format does not tell.

    Raises
    ------
    InputError
        When there is no log to read. Damaged lines are counted in the result's problems.
    """
    return study_log(source, sender, format=format, timezone=timezone, year=year, progress=progress).observations


def study_log(
    source: str | Path | BinaryIO,
    sender: Sender | None = None,
    *,
    format: str | None = None,  # noqa: A002 (what people call it)
    timezone: str | None = None,
    year: int | None = None,
    progress: Progress | None = None,
) -> LogStudy:
    """Read a log as `read_log` does; gives its hours and delays too."""
    if format is not None and format not in _FORMATS:
        raise InputError(unknown("format", format, _FORMATS), field="format")
    written_in = _zone(timezone)
    zone = _zone(sender.timezone) if sender is not None else written_in
    among = sender.provider_names if sender is not None else None
    tally = Tally(catalogue(), Clock(zone, written_in), among, Replies())
    found = list(sources(source))
    kept = _once(found) if len(found) > 1 else found
    notes = [f"{whole(len(found) - len(kept))} files hold what another one holds too, and were left out."] * (
        len(kept) < len(found)
    )
    formats: dict[str, list[str]] = {}
    not_known: list[set[str]] = []
    ledger = _Ledger(sum(one.size for one in kept), progress or (lambda share: None))
    for _, group in groupby(kept, key=lambda one: group_of(one.name)):
        not_known += _read_group(list(group), format, year, tally, ledger, formats)
    if not formats:
        names = ", ".join(_FORMATS)
        raise InputError(
            f"None of the formats fits the first lines. Name it with format=…: {names}.", file=found[0].name
        )
    return _study(tally, formats, set[str]().union(*not_known), notes, ledger)


@dataclass
class _Ledger:
    """What is told while and after reading."""

    total: int
    progress: Progress
    done: int = 0
    strangers: int = 0
    queued: int = 0
    forgotten: int = 0

    def tell(self, read: int) -> None:
        if self.total:
            self.progress(min((self.done + read) / self.total, 1.0))


def _once(found: list[Source]) -> list[Source]:
    """Leave out files that begin like another: copies that were packed, and the mail.info beside a mail.log."""
    rotations = Counter(group_of(one.name) for one in found)
    best: dict[bytes, tuple[tuple[int, bool, int], Source]] = {}
    for one in found:
        key = signature(one) or one.name.encode()
        rank = rotations[group_of(one.name)], not one.name.endswith((".gz", ".zst", ".zstd")), one.size
        if key not in best or rank > best[key][0]:
            best[key] = rank, one
    chosen = {id(one) for _, one in best.values()}
    return [one for one in found if id(one) in chosen]


def _read_group(
    group: list[Source],
    name: str | None,
    year: int | None,
    tally: Tally,
    ledger: _Ledger,
    formats: dict[str, list[str]],
) -> list[set[str]]:
    """Read the rotations of one log one behind the other; gives what each reader does not know."""
    tally.queue, tally.began = Queue(), None
    tally.clock.begin(year, group[0].latest)
    readers: dict[str, Reader] = {}
    for source in group:
        with feed(source) as opened:
            found = name or _recognised(opened.head)
            if found is None:
                ledger.strangers += 1
            else:
                form = _FORMATS[found]
                if found not in readers:
                    readers[found] = form.reader(tally)
                formats.setdefault(found, []).append(source.name)
                _read(opened, form, readers[found], tally, ledger)
        ledger.done += source.size
    ledger.queued += sum(1 if isinstance(held, int) else len(held) for held in tally.queue.messages.values())
    ledger.forgotten += tally.queue.forgotten
    return [set(reader.not_known()) for reader in readers.values()]


def _recognised(head: bytes) -> str | None:
    """Name of the format that most of the first lines fit."""
    lines = head.split(b"\n", _SAMPLE_LINES)[:_SAMPLE_LINES]
    scores = {name: one.recognises(lines) for name, one in _FORMATS.items()}
    best = max(scores, key=scores.__getitem__)
    return best if scores[best] else None


def _read(opened: Feed, form: _Format, reader: Reader, tally: Tally, ledger: _Ledger) -> None:
    for block in opened.whole_lines() if form.whole_lines else opened.pieces():
        for kind, line in block.problems:
            tally.problem(kind, partial(_place, block.file, line))
        if block.text:
            reader.read(block)
        ledger.tell(block.read)
    reader.end()


def _place(file: str, line: int) -> tuple[str, int]:
    return file, line


# --- the result


def _study(
    tally: Tally, formats: dict[str, list[str]], not_known: set[str], notes: list[str], ledger: _Ledger
) -> LogStudy:
    cells: dict[tuple[str, int], dict[str, float]] = {}
    for hour, row in tally.hours.items():
        for number, cell in row.items():
            cells[tally.providers[number], hour] = _counts(cell, not_known)
    problems, n_problems = _problems(tally)
    said = [*_read_as(formats), *notes, *_notes(tally, ledger)]
    observed = _by_day(cells, problems, n_problems, said, tally.among or (OTHER,))
    delays = {
        (tally.providers[number], day): tuple(bins) for day, row in tally.delays.items() for number, bins in row.items()
    }
    return LogStudy(observed, tuple(formats), cells, delays)


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
    problems: list[Problem],
    n_problems: int,
    notes: list[str],
    providers: tuple[str, ...],
) -> Observations:
    """Add up the hours; a day without mail to a provider is 0 of everything that the log tells."""
    if not hours:
        return Observations(providers, (), problems=tuple(problems), n_problems=n_problems, notes=tuple(notes))
    days = sorted({hour // 24 for _, hour in hours})
    if days[-1] - days[0] >= MAX_DAYS:
        first, last = day_of(24 * days[0]), day_of(24 * days[-1])
        raise InputError(
            f"The log reaches from {first} to {last}; at most {MAX_DAYS:,} days are read. Is a clock wrong?"
        )
    measures = next(iter(hours.values()))
    mailed = dict.fromkeys(provider for provider, _ in hours)
    cells = {
        (provider, day_of(24 * day)): dict.fromkeys(measures, 0.0)
        for provider in mailed
        for day in range(days[0], days[-1] + 1)
    }
    for (provider, hour), counts in hours.items():
        cell = cells[provider, day_of(hour)]
        for name, count in counts.items():
            cell[name] += count
    return Observations.from_cells(cells, problems=problems, n_problems=n_problems, notes=notes)


def _problems(tally: Tally) -> tuple[list[Problem], int]:
    found = [Problem(file, line, kind) for kind, lines in tally.problem_lines.items() for file, line in lines]
    return found, sum(tally.problems.values())


def _read_as(formats: dict[str, list[str]]) -> Iterator[str]:
    for name, files in formats.items():
        which = files[0] if len(files) == 1 else f"{files[0]} and {whole(len(files) - 1)} more"
        yield f"Read as {_FORMATS[name].title}: {which}."


def _notes(tally: Tally, ledger: _Ledger) -> Iterator[str]:
    if tally.clock.guessed_year is not None:
        yield f"The stamps have no year: the first was taken for {tally.clock.guessed_year}. year=… says otherwise."
    if ledger.strangers:
        yield f"Files that look like no mail log: {whole(ledger.strangers)}, left out."
    for kind, count in sorted(tally.problems.items()):
        places = ", ".join(f"{whole(line)}" for _, line in tally.problem_lines[kind][:5])
        yield f"{whole(count)} times: {kind}, first in line {places}."
    said = {
        "local": "deliveries within your own machines, which are no attempts",
        "held back": "tries that your server put off by itself, which are no attempts",
        "probes": "probes of addresses, which are no mail",
        "inbound": "events of mail that came in",
        "suppressed": "messages that the service did not try, for it knew the address",
    }
    for kind, count in sorted(tally.passed_over.items()):
        yield f"Left out: {whole(count)} {said.get(kind, kind)}."
    if ledger.queued:
        yield f"Still in the queue at the end: {whole(ledger.queued)} messages."
    if ledger.forgotten:
        yield (
            f"The queue was too long to remember: {whole(ledger.forgotten)} messages were forgotten; later attempts at "
            "them count as first ones, and their expiry is not seen."
        )


def _quantile(bins: Sequence[int], share: float) -> float:
    """Seconds below which a share lies, within its bin by the geometric mean of its ends."""
    wanted, seen = share * sum(bins), 0
    for place, count in enumerate(bins):
        seen += count
        if count and seen >= wanted:
            return round(delay_of(place + 0.5), 1) if place else 0.0
    return float("nan")


def _zone(name: str | None) -> ZoneInfo | None:
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise InputError(
            f"There is no time zone '{name[:50]}'. Write one as Europe/Berlin.", field="timezone"
        ) from None
