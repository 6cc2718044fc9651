"""`read_log` and `study_log`: which files, in which format, in which order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from zoneinfo import ZoneInfo

from planner.errors import InputError
from planner.inputs.catalogue import catalogue
from planner.inputs.fields import unknown
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
from planner.observing.logs.stamps import Clock
from planner.observing.logs.study import LogStudy, studied
from planner.observing.logs.tally import Tally
from planner.observing.observations import Observations
from planner.vocabulary import whole

if TYPE_CHECKING:
    from planner.inputs.sender import Sender

_SAMPLE_LINES = 20_000
_YEARS = range(2000, 2100)


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
        2000 to 2099: of the first line, where stamps have none; otherwise the last year in which they do not lie in
        the future of the file.
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
    if year is not None and year not in _YEARS:
        raise InputError(f"{year} is no year of a log. Give one from {_YEARS[0]} to {_YEARS[-1]}.", field="year")
    written_in = _zone(timezone)
    zone = _zone(sender.timezone) if sender is not None else written_in
    among = sender.provider_names if sender is not None else None
    tally = Tally(catalogue(), Clock(zone, written_in), among, Replies())
    found = list(sources(source))
    kept = _once(found) if len(found) > 1 else found
    formats: dict[str, list[str]] = {}
    not_known: list[set[str]] = []
    ledger = _Ledger(sum(one.size for one in kept), progress or (lambda share: None), len(found) == 1)
    for _, group in groupby(kept, key=lambda one: group_of(one.name)):
        not_known += _read_group(list(group), format, year, tally, ledger, formats)
    if not formats or (format is not None and tally.is_empty() and not ledger.fits):
        raise InputError(_no_log(format, ledger), file=found[0].name)
    notes = [*_read_as(formats), *_left_out(len(found) - len(kept), ledger)]
    return studied(tally, tuple(formats), set[str]().union(*not_known), notes)


@dataclass
class _Ledger:
    """What is told while and after reading."""

    total: int
    progress: Progress
    alone: bool
    """There is one file only."""
    done: int = 0
    strangers: int = 0
    empty: int = 0
    fits: bool = False
    """Whether the first lines of a file fit the format that was named."""
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
        try:
            with feed(source) as opened:
                found = name or _recognised(opened.head)
                ledger.fits |= name is not None and _FORMATS[name].recognises(_lines(opened.head)) > 0
                if not opened.head.strip():
                    ledger.empty += 1
                elif found is None:
                    ledger.strangers += 1
                else:
                    if found not in readers:
                        readers[found] = _FORMATS[found].reader(tally)
                    formats.setdefault(found, []).append(source.name)
                    _read(opened, _FORMATS[found].whole_lines, readers[found], tally, ledger)
        except InputError as error:
            if ledger.alone:
                raise
            tally.problem(error.message, partial(_place, source.name, 0))  # one file of many: the others are read
        ledger.done += source.size
    ledger.queued += sum(1 if isinstance(held, int) else len(held) for held in tally.queue.messages.values())
    ledger.forgotten += tally.queue.forgotten
    return [set(reader.not_known()) for reader in readers.values()]


def _recognised(head: bytes) -> str | None:
    """Name of the format that most of the first lines fit."""
    lines = _lines(head)
    scores = {name: one.recognises(lines) for name, one in _FORMATS.items()}
    best = max(scores, key=scores.__getitem__)
    return best if scores[best] else None


def _lines(head: bytes) -> list[bytes]:
    return head.split(b"\n", _SAMPLE_LINES)[:_SAMPLE_LINES]


def _no_log(name: str | None, ledger: _Ledger) -> str:
    """Say why nothing was read."""
    if ledger.empty and not ledger.strangers:
        return "It is empty. Name the log that your server writes."
    if name is None:
        return f"None of the formats fits the first lines. Name it with format=…: {', '.join(_FORMATS)}."
    return f"No line of it looks like {_FORMATS[name].title}. Leave out the format, and it is found from the lines."


def _read(opened: Feed, whole_lines: bool, reader: Reader, tally: Tally, ledger: _Ledger) -> None:
    for block in opened.whole_lines() if whole_lines else opened.pieces():
        for kind, line in block.problems:
            tally.problem(kind, partial(_place, block.file, line))
        if block.text:
            reader.read(block)
        ledger.tell(block.read)
    reader.end()


def _place(file: str, line: int) -> tuple[str, int]:
    return file, line


def _read_as(formats: dict[str, list[str]]) -> Iterator[str]:
    for name, files in formats.items():
        which = files[0] if len(files) == 1 else f"{files[0]} and {whole(len(files) - 1)} more"
        yield f"Read as {_FORMATS[name].title}: {which}."


def _left_out(copies: int, ledger: _Ledger) -> Iterator[str]:
    if copies:
        yield f"Left out files that begin like another one: {whole(copies)}."
    if ledger.strangers:
        yield f"Left out files that look like no mail log: {whole(ledger.strangers)}."
    if ledger.queued:
        yield f"Messages still in the queue at the end: {whole(ledger.queued)}."
    if ledger.forgotten:
        yield (
            f"Messages forgotten, for the queue was too long to remember: {whole(ledger.forgotten)}. Later attempts at "
            "them count as first ones, and their expiry is not seen."
        )


def _zone(name: str | None) -> ZoneInfo | None:
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise InputError(
            f"There is no time zone '{name[:50]}'. Write one as Europe/Berlin.", field="timezone"
        ) from None
