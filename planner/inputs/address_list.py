"""Counts a list of addresses or domains by mailbox provider and engagement; nobody's name is kept."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from planner.errors import InputError
from planner.inputs import listfile
from planner.inputs.audience import Audience
from planner.inputs.catalogue import catalogue
from planner.inputs.columns import Columns, columns_of, domain_in, plain_name
from planner.inputs.engagement import Dates
from planner.inputs.fields import day_of, shown, unknown
from planner.inputs.mx import Mailers, MxLookup, look_up
from planner.inputs.spreadsheet import grids, read_bytes
from planner.inputs.tally import MAX_DOMAINS, NO_ADDRESS, Counts, Known, Order, Tally
from planner.vocabulary import whole

if TYPE_CHECKING:
    import pandas as pd

    from planner.inputs.sender import Sender

Progress = Callable[[float, str], None]

FORMAT = 1
MAX_LIMITS = 6
READING = 0.7
"""Share of the work, when mail exchangers are looked up too."""

OTHER = "other"
DATES = {True: "day first", False: "month first"}
_EVERYBODY = "all"
_MAPPING = ("domain", "provider")
_OWN = {"complaint_rate", "hard_bounce_rate", "max_per_week"}
_HINTS = {
    NO_ADDRESS: "not counted",
    listfile.TOO_LONG: "not counted",
    listfile.OPEN_QUOTE: "read without it",
    "no such date": "counted as never engaged",
    "date in the future": "counted as never engaged",
}


# --- the result


@dataclass(frozen=True)
class AddressList:
    """What a list of addresses says of an audience: counts and domains, and nobody's name.

    Parameters
    ----------
    audience : Audience
        Providers, size, recipient domains; with dates in the list also its segments and `engagement`.
    rows : int
        Rows that are not blank, without the column names.
    other_domains : dict from domain to int
        Addresses at the domains that no provider is known for, most addresses first.
    unnamed : int
        Addresses at domains beyond the first 300,000 different ones: counted under ``other`` as well.
    problem_counts : dict from kind to int
        Rows that could not be read as they stand.
    problem_lines : dict from kind to tuple of int
        Lines of the first of them.
    date_order : str
        ``day first`` or ``month first`` where the list has dates that read both ways; else empty.
    order_is_a_guess : bool
        Nothing in the list tells which of both is meant, and it matters.
    mailers : Mailers or None
        What the look-up of mail exchangers found.
    notes : tuple of str
        Sentences on how the list was read.
    """

    audience: Audience
    rows: int
    other_domains: dict[str, int] = field(repr=False)
    unnamed: int
    problem_counts: dict[str, int]
    problem_lines: dict[str, tuple[int, ...]] = field(repr=False)
    date_order: str
    order_is_a_guess: bool
    mailers: Mailers | None
    notes: tuple[str, ...]

    @property
    def has_dates(self) -> bool:
        """Whether the list says who is engaged."""
        return bool(self.audience.engagement)

    @property
    def unmapped(self) -> pd.DataFrame:
        """Domains counted under ``other``: columns domain, addresses, most addresses first."""
        import pandas as pd

        return pd.DataFrame(list(self.other_domains.items()), columns=["domain", "addresses"])

    @property
    def problems(self) -> pd.DataFrame:
        """Lines that could not be read as they stand: columns line, kind; at most 100 of a kind."""
        import pandas as pd

        found = sorted((line, kind) for kind, lines in self.problem_lines.items() for line in lines)
        return pd.DataFrame(found, columns=["line", "kind"])

    def to_frame(self) -> pd.DataFrame:
        """One row per provider and segment: columns provider, segment, addresses."""
        import pandas as pd

        rows = [(name, segment, n) for name, parts in self._counts().items() for segment, n in parts.items()]
        return pd.DataFrame(rows, columns=["provider", "segment", "addresses"])

    def _counts(self) -> dict[str, dict[str, int]]:
        if not self.has_dates:
            return {name: {_EVERYBODY: round(n)} for name, n in self.audience.providers.items()}
        parts = self.audience.engagement
        return {name: {one: round(n) for one, n in parts[name].items()} for name in self.audience.providers}

    def summary(self) -> str:
        """Say what the list holds, what could not be mapped or read, and what the counts do not know."""
        return "\n".join(self._sentences())

    def _sentences(self) -> Iterator[str]:
        size = self.audience.size or 0
        n_providers = len(self.audience.providers)
        yield f"{_of(size, 'address')} of {_of(self.rows, 'row')}, at {_of(n_providers, 'provider')}."
        if self.has_dates:
            parts = (f"{one.name} {_percent(one.share / size)}" for one in self.audience.segments)
            yield f"{', '.join(parts)}."
        yield self._rest(size)
        yield from self.notes
        yield from (
            f"{_of(n, 'line')} with {_with_article(kind)} (first: {self.problem_lines[kind][0]:,}), {_HINTS[kind]}."
            for kind, n in self.problem_counts.items()
        )
        yield "Addresses are not kept, so one that stands in the list twice counts twice."

    def _rest(self, size: int) -> str:
        n = sum(self.other_domains.values()) + self.unnamed
        if not n:
            return "Every domain belongs to a provider that is known."
        domains = _of(len(self.other_domains), "domain")
        more = f" and more, beyond the first {whole(MAX_DOMAINS)}" if self.unnamed else ""
        return (
            f"No provider is known for {_of(n, 'address')} ({_percent(n / size)}) at {domains}{more}: counted as other."
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values that JSON knows."""
        mailers = None if self.mailers is None else self.mailers.to_dict()
        return {
            "audience": self.audience.model_dump(mode="json"),
            "rows": self.rows,
            "unmapped": self.other_domains,
            "unnamed": self.unnamed,
            "problems": {
                kind: {"rows": n, "lines": list(self.problem_lines[kind])} for kind, n in self.problem_counts.items()
            },
            "date_order": self.date_order,
            "order_is_a_guess": self.order_is_a_guess,
            "mailers": mailers,
            "notes": list(self.notes),
        }

    def to_json(self) -> str:
        """Everything as JSON, with the number of its format."""
        return json.dumps({"format": FORMAT, "kind": "addresslist", **self.to_dict()}, ensure_ascii=False)

    def for_sender(self, sender: Sender) -> Sender:
        """Give a sender this audience.

        What the sender says per provider stays for those that are still there; a target per provider becomes
        its total. Segments are the list's, if it has dates; rates and caps stay with segments of the same name.
        """
        names = self.audience.providers
        old = sender.to_dict()
        history = {
            key: {name: value for name, value in past.items() if name in names} if isinstance(past, dict) else past
            for key, past in old["history"].items()
        }
        target = sender.target.volume
        return sender.changed(
            {
                "audience": self._beside(sender.audience).model_dump(mode="json"),
                "target.volume": sum(target.values()) if isinstance(target, dict) else target,
                "history": history,
                "admissions": {name: day for name, day in old["admissions"].items() if name in names},
            }
        )

    def _beside(self, old: Audience) -> Audience:
        """Lay the counts over an older audience."""
        if self.has_dates:
            known = {one.name: one.model_dump(include=_OWN) for one in old.segments}
            segments = tuple(one.model_copy(update=known.get(one.name, {})) for one in self.audience.segments)
            return self.audience.model_copy(update={"segments": segments})
        parts = {name: part for name, part in old.engagement.items() if name in self.audience.providers}
        return self.audience.model_copy(update={"segments": old.segments, "engagement": parts})


def _of(n: int, what: str) -> str:
    plural = "es" if what.endswith("s") else "s"
    return f"{whole(n)} {what}{plural if n != 1 else ''}"


def _with_article(kind: str) -> str:
    return kind if kind.startswith("no ") else f"a {kind}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share < 0.1 else f"{100 * share:.0f} %"


# --- reading


def read_audience(
    source: str | Path | BinaryIO,
    *,
    column: str | None = None,
    mapping: Mapping[str, str] | str | Path | None = None,
    lookup_mx: bool | MxLookup = False,
    engaged_days: Sequence[int] = (30, 90, 365),
    day_first: bool | None = None,
    today: date | None = None,
    progress: Progress | None = None,
) -> AddressList:
    r"""Count a list of addresses or domains by provider and engagement, however long it is.

    The list is read in blocks; what stands before the @ is never kept. Domains are mapped by the catalogue, then
    by `mapping`, then, if you agree to ask the DNS, by their mail exchangers; the rest counts as ``other``.

    Parameters
    ----------
    source : path, or file opened for reading bytes
        CSV, TSV or one address a line, plain or gzip, in any usual encoding. Columns are known by their usual names
        (email, domain, last_open, last_click …), or by what they hold.
    column : str, optional
        Name of the column of addresses or domains, if it is an unusual one.
    mapping : dict from domain to provider, or path, optional
        What you know of domains that the catalogue does not list; a domain without a provider is passed over. A file
        is CSV or Excel, with columns domain and provider.
    lookup_mx : bool or MxLookup
        Ask the DNS for the mail exchangers of the domains that are left: tells the DNS server which domains you
        mail. Needs dnspython.
    engaged_days : sequence of int, days, 6 at most
        Segments: last opened or clicked within so many days.
    day_first : bool, optional
        How to read 03/04/2026; without it, the whole list decides.
    today : date, optional
        Days are counted back from here; today in UTC, if left out.
    progress : callable, optional
        Told the share that is done and what is being done; may raise `Cancelled`.

    Raises
    ------
    InputError
        When the source cannot be read, or holds no address.

    Examples
    --------
    >>> from io import BytesIO
    >>> source = BytesIO(b"E-Mail;Last open\nann@gmail.com;2026-11-20\nbo@aol.com;\n")
    >>> read_audience(source, today=date(2026, 11, 25)).to_frame()
      provider              segment  addresses
    0    gmail  engaged in 30 days          1
    1    gmail       never engaged          0
    2    yahoo  engaged in 30 days          0
    3    yahoo       never engaged          1
    """
    limits = _checked_limits(engaged_days)
    known = Known(catalogue(), _mapping_of(mapping), {})
    dates = Dates(datetime.now(UTC).date() if today is None else _checked_day(today), limits)
    tell = progress or (lambda share, text: None)
    reading = READING if lookup_mx else 1.0
    try:
        with closing(listfile.batches(source)) as batches:
            tally = _counted(batches, column, dates, known, lambda share: tell(reading * share, "Reading the list"))
    except InputError as error:
        raise InputError(error.message, file=_name(source), line=error.line, field="audience.providers") from None
    order = Order.of(tally, dates, day_first)
    table = tally.by_segment(order.day_first)
    mailers = None
    if lookup_mx:
        how = lookup_mx if isinstance(lookup_mx, MxLookup) else MxLookup()
        mailers = look_up(
            list(_unmapped(tally, table, known)),
            how,
            progress=lambda share: tell(READING + (1 - READING) * share, "Looking up mail exchangers"),
        )
        known.by_mx = mailers.providers
    tell(1.0, "Done")
    return _result(tally, table, known, order, mailers, limits)


def _checked_limits(days: Sequence[int]) -> list[int]:
    given: list[object] = list(days)
    limits = sorted({n for n in given if isinstance(n, int) and 1 <= n <= 3650})
    if not 1 <= len(limits) <= MAX_LIMITS or not set(given) <= set(limits):
        text = f"engaged_days is {shown(tuple(days))}. Give 1 to {MAX_LIMITS} whole numbers of days from 1 to 3650."
        raise InputError(text, field="engaged_days")
    return limits


def _checked_day(today: date) -> date:
    try:
        return day_of(today)
    except ValueError as error:  # the refusal of a field
        raise InputError(f"today is {shown(today)}, {error}", field="today") from None


def _mapping_of(given: Mapping[str, str] | str | Path | None) -> dict[str, str]:
    if isinstance(given, str | Path):
        return _checked_mapping(_read_mapping(given), str(given))
    return _checked_mapping(list((given or {}).items()), None)


def _read_mapping(path: str | Path) -> list[tuple[object, object]]:
    content, name = read_bytes(path)
    sheets, _ = grids(content, name)
    for grid in sheets:
        names = [plain_name(str(cell)) for cell in grid.rows[0]]
        if all(column in names for column in _MAPPING):
            domain, provider = map(names.index, _MAPPING)
            return [(row[domain], row[provider]) for row in grid.rows[1:] if row[domain] is not None]
    raise InputError(f"lacks a column. Columns: {', '.join(_MAPPING)}.", file=name, field="mapping")


def _checked_mapping(entries: Sequence[tuple[object, object]], file: str | None) -> dict[str, str]:
    known = catalogue().providers
    checked = {}
    for number, (written, named) in enumerate(entries, 1):
        domain = domain_in(str(written).strip().removeprefix("'").lower(), bare=True)
        provider = "" if named is None else str(named).strip()
        if domain is None:
            text = f"Entry {number:,} of the mapping names no domain. Write it as example.com."
            raise InputError(text, file=file, field="mapping")
        if provider and provider not in known:
            wrong = "an address is no provider." if "@" in provider else unknown("provider", provider, known)
            text = f"Entry {number:,} of the mapping: {wrong}"
            raise InputError(text, file=file, field="mapping")
        if provider:
            checked[domain] = provider
    return checked


def _name(source: str | Path | BinaryIO) -> str | None:
    name = source if isinstance(source, str | Path) else getattr(source, "name", None)
    return str(name) if isinstance(name, str | Path) else None


# --- counting


def _counted(
    batches: Iterable[listfile.Batch],
    column: str | None,
    dates: Dates,
    known: Known,
    progress: Callable[[float], None],
) -> Tally:
    tally = None
    for batch in batches:
        if tally is None:
            sample = [row for row, line in zip(batch.rows, batch.lines, strict=True) if line <= listfile.SAMPLE]
            tally = Tally(columns_of(sample, column), dates, known)
        tally.add(batch)
        progress(batch.share)
    if tally is None or not tally.addresses:
        raise InputError(_no_address(tally))
    return tally


def _no_address(tally: Tally | None) -> str:
    lines = [] if tally is None else tally.problems[True].lines.get(NO_ADDRESS, [])
    at = f": line {lines[0]:,} is none, for example" if lines else ""
    return f"The list holds no address{at}. Give one address or domain a line."


# --- what the counts say


def _unmapped(tally: Tally, table: Counts, known: Known) -> dict[str, int]:
    """Addresses at domains that no provider is known for, most first."""
    totals = table.sum(axis=1).tolist()
    found = [(domain, totals[place]) for domain, place in tally.places.items() if domain and not known.provider(domain)]
    return dict(sorted(found, key=lambda item: (-item[1], item[0])))


def _result(
    tally: Tally, table: Counts, known: Known, order: Order, mailers: Mailers | None, limits: Sequence[int]
) -> AddressList:
    problems = tally.problems[order.day_first]
    return AddressList(
        audience=_audience(tally, table, known, limits),
        rows=tally.rows,
        other_domains=_unmapped(tally, table, known),
        unnamed=int(table[0].sum()),
        problem_counts=dict(sorted(problems.counts.items())),
        problem_lines={kind: tuple(lines) for kind, lines in sorted(problems.lines.items())},
        date_order=DATES[order.day_first] if order.matters else "",
        order_is_a_guess=order.is_a_guess,
        mailers=mailers,
        notes=tuple(_notes(tally.columns, order, mailers)),
    )


def _audience(tally: Tally, table: Counts, known: Known, limits: Sequence[int]) -> Audience:
    counts: dict[str, Any] = {}
    domains: Counter[str] = Counter()
    for domain, place in tally.places.items():
        provider = known.provider(domain) or OTHER
        counts[provider] = counts.get(provider, 0) + table[place]
        domains[provider] += bool(domain)
    domains[OTHER] += tally.beyond.estimate()
    filled = {name: parts for name, parts in counts.items() if parts.sum()}
    names = sorted(filled, key=lambda name: (-filled[name].sum(), name))
    many = known.facts.providers
    behind = {name: domains[name] for name in names if many[name].limiter_scope == "recipient_domain"}
    if not tally.columns.engaged:
        return Audience.from_counts({name: int(filled[name].sum()) for name in names}, domains=behind)
    segments = segment_names(limits)
    divided = {name: dict(zip(segments, filled[name].tolist(), strict=True)) for name in names}
    return Audience.from_counts(divided, domains=behind)


def segment_names(limits: Sequence[int]) -> list[str]:
    """Name the segments of a list with dates, most engaged first.

    Examples
    --------
    >>> segment_names([30, 90])
    ['engaged in 30 days', 'engaged in 90 days', 'engaged before', 'never engaged']
    """
    return [*(f"engaged in {n} days" for n in limits), "engaged before", "never engaged"]


def _notes(columns: Columns, order: Order, mailers: Mailers | None) -> Iterator[str]:
    if columns.header and columns.by_content:
        yield "The first line holds no address and was taken for column names."
    if columns.engaged and not columns.header:
        yield "The column of dates was taken for last opens or clicks."
    if not columns.engaged:
        yield "No column tells last opens or clicks (last_open, last_click …), so nobody knows who is engaged."
    if order.is_a_guess:
        yield (
            "Dates such as 03/04/2026 were read with the day first, but nothing in the list tells the order. "
            "If the month stands first, say day_first=False (--month-first)."
        )
    if mailers is not None:
        yield (
            f"Of {_of(mailers.asked, 'domain')} looked up, {whole(len(mailers.providers))} belong to a known provider, "
            f"{whole(len(mailers.no_mail))} take no mail or do not exist, {whole(mailers.unanswered)} gave no answer."
        )
