"""Audience and its engagement segments: who gets the mail, from shares or from a list of addresses."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Self

import numpy as np
from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter, ValidationError, model_validator

from planner.errors import InputError
from planner.inputs.catalogue import catalogue
from planner.inputs.checking import validated
from planner.inputs.fields import Checked, Number, Text, Whole, nothing_as, refusal, shown, unknown
from planner.vocabulary import Floats

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_DOMAINS = 20
MAX_PROVIDERS = 200
MAX_SEGMENTS = 50
MAX_COUNT = 1e12

_NUMBER = TypeAdapter(Number)


def _known_provider(name: str) -> str:
    facts = catalogue()
    try:
        facts.provider(name)
    except InputError as error:
        raise refusal(error.message) from None
    return name


ProviderName = Annotated[Text, AfterValidator(_known_provider)]
Share = Annotated[Number, Field(gt=0, le=1e12)]
DomainCount = Annotated[Whole, Field(ge=1, le=100_000_000)]
Part = Annotated[Number, Field(ge=0, le=1e12)]


class Segment(Checked):
    """Part of the audience that opens and clicks about equally often."""

    name: Text = Field(title="Segment", description="How screens call it.", examples=["opened in 30 days"])
    share: Share = Field(
        title="Share of the audience",
        description="In any unit: percent or addresses; only the proportions count.",
        examples=[30],
        json_schema_extra={"unit": "any"},
    )
    complaint_rate: Number = Field(
        0.0003,
        ge=0,
        le=0.2,
        title="Complaint rate",
        description="Complaints per delivered message, between 0 and 0.2.",
        json_schema_extra={"unit": "complaints / delivered"},
    )
    hard_bounce_rate: Number = Field(
        0.005,
        ge=0,
        le=0.2,
        title="Hard-bounce rate",
        description="Share of addresses that no longer exist, between 0 and 0.2.",
        json_schema_extra={"unit": "hard bounces / addresses"},
    )
    max_per_week: Annotated[Number | None, BeforeValidator(nothing_as(None))] = Field(
        None,
        gt=0,
        le=100,
        title="Frequency cap",
        description="Messages that an address of this segment gets a week at most; no cap when left out.",
        json_schema_extra={"unit": "messages / address and week"},
    )


EVERYONE = Segment(name="all", share=1.0)


class Audience(Checked):
    """Who gets the mail."""

    providers: dict[ProviderName, Share] = Field(
        title="Who gets your mail?",
        description="Share of each mailbox provider in any unit: percent, or addresses counted in the list.",
        examples=["{gmail: 46, microsoft: 17, other: 37}"],
        json_schema_extra={"unit": "any"},
    )
    size: Annotated[Whole | None, BeforeValidator(nothing_as(None))] = Field(
        None,
        ge=1,
        le=10_000_000_000,
        title="Addresses in the list",
        description="Tells how far each segment reaches; leave it out when you do not know.",
        json_schema_extra={"unit": "addresses"},
    )
    domains: Annotated[dict[ProviderName, DomainCount], BeforeValidator(nothing_as({}))] = Field(
        default_factory=dict,
        title="Recipient domains",
        description="How many domains stand behind corporate gateways, other and their like, each with a "
        f"limit of its own; {DEFAULT_DOMAINS} where not named.",
        json_schema_extra={"unit": "domains"},
    )
    segments: Annotated[tuple[Segment, ...], BeforeValidator(nothing_as((EVERYONE,)))] = Field(
        (EVERYONE,),
        min_length=1,
        max_length=MAX_SEGMENTS,
        title="Engagement segments",
        description="Most engaged first; the ramp fills the day from the top.",
    )
    engagement: Annotated[dict[ProviderName, dict[Text, Part]], BeforeValidator(nothing_as({}))] = Field(
        default_factory=dict,
        title="Engagement by provider",
        description="How each provider's addresses divide over the segments, in any unit; a segment not named holds "
        "none of them, and providers not named divide like the whole list.",
        examples=["{gmail: {opened in 30 days: 40, never seen to open: 5}}"],
        json_schema_extra={"unit": "any"},
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.providers:
            raise refusal("audience.providers is empty. Add a share, for example gmail: 46.", "providers")
        if len(self.providers) > MAX_PROVIDERS:
            text = f"audience.providers holds {len(self.providers):,} providers. Keep {MAX_PROVIDERS} at most."
            raise refusal(text, "providers")
        refuse_strangers(self.domains, self.providers, "audience.domains", "domains")
        names = Counter(segment.name for segment in self.segments)
        for number, segment in enumerate(self.segments):
            if names[segment.name] > 1:
                text = f"Two audience.segments are called '{segment.name}'. Give each its own name."
                raise refusal(text, "segments", number, "name")
        return self

    @model_validator(mode="after")
    def _capped_where_counted(self) -> Self:
        for number, segment in enumerate(self.segments):
            if segment.max_per_week is not None and self.size is None:
                text = (
                    f"audience.segments[{number}].max_per_week needs audience.size. Write how many addresses there are."
                )
                raise refusal(text, "size")
        return self

    @model_validator(mode="after")
    def _divided_over_known_segments(self) -> Self:
        refuse_strangers(self.engagement, self.providers, "audience.engagement", "engagement")
        for provider, parts in self.engagement.items():
            place = f"audience.engagement.{provider}"
            for name in parts:
                if name not in self.segment_names:
                    text = f"{place}: {unknown('segment', name, self.segment_names)}"
                    raise refusal(text, "engagement", provider, name)
            if not any(parts.values()):
                text = f"{place} has no share above 0. Add one, or drop the provider from audience.engagement."
                raise refusal(text, "engagement", provider)
        return self

    @property
    def segment_names(self) -> tuple[str, ...]:
        """Names of the segments, most engaged first."""
        return tuple(segment.name for segment in self.segments)

    def provider_shares(self) -> Floats:
        """Share of each provider, (providers,) float array that sums to 1."""
        return _normalised(self.providers.values())

    def segment_shares(self) -> Floats:
        """Share of each segment, (segments,) float array that sums to 1."""
        return _normalised(segment.share for segment in self.segments)

    def segment_shares_by_provider(self) -> Floats:
        """Share of each segment in each provider's addresses, (providers, segments) float array, rows sum to 1.

        Providers that `engagement` does not name divide like the whole list.

        Examples
        --------
        >>> audience = Audience.from_counts({"gmail": {"new": 30, "old": 10}, "yahoo": {"old": 4}})
        >>> audience.segment_shares_by_provider()
        array([[0.75, 0.25],
               [0.  , 1.  ]])
        """
        everybody = self.segment_shares()
        rows = [self._row(self.engagement[name]) if name in self.engagement else everybody for name in self.providers]
        return np.array(rows)

    def _row(self, parts: dict[str, float]) -> Floats:
        return _normalised(parts.get(name, 0.0) for name in self.segment_names)

    def addresses(self) -> Floats:
        """Addresses by provider and segment, (providers, segments) float array; infinite where the size is unknown."""
        size = np.inf if self.size is None else float(self.size)
        shares = self.provider_shares()[:, None] * self.segment_shares_by_provider()
        return np.where(shares > 0.0, size * np.maximum(shares, 1e-300), 0.0)

    def n_domains(self, provider: str) -> int:
        """Recipient domains of the audience behind a provider."""
        return self.domains.get(provider, DEFAULT_DOMAINS)

    @classmethod
    def from_counts(cls, counts: Counts | pd.DataFrame, **others: Any) -> Audience:
        """Make an audience from addresses counted by provider, and by engagement segment if you can.

        Parameters
        ----------
        counts : dict or DataFrame
            ``{"gmail": 400, "yahoo": 100}``; or with segments, most engaged first,
            ``{"gmail": {"30 days": 150, "older": 250}, "yahoo": {"30 days": 20, "older": 80}}``; or a frame with
            columns provider, segment (optional) and addresses, one row each. Providers and segments without an
            address are left out.
        **others
            Further fields of the audience, such as ``domains``.

        Raises
        ------
        InputError
            When a count is none, a provider is unknown, or all counts are 0.

        Examples
        --------
        >>> audience = Audience.from_counts({"gmail": {"30 days": 30, "older": 10}, "yahoo": {"older": 4}})
        >>> audience.providers, audience.size, [(one.name, one.share) for one in audience.segments]
        ({'gmail': 40.0, 'yahoo': 4.0}, 44, [('30 days', 30.0), ('older', 14.0)])
        """
        return validated(cls, _from_table(_table_of(counts)) | others)

    @classmethod
    def from_addresses(cls, addresses: Iterable[str], **others: Any) -> Audience:
        """Count a list of addresses by mailbox provider; the addresses themselves are not kept.

        Domains that the catalogue does not know count as ``other``. Most of them are companies whose mail
        exchanger, which only the DNS tells, may belong to a provider after all.

        Parameters
        ----------
        addresses : iterable of str
            One address each; blank lines are skipped.
        **others
            Further fields of the audience, such as ``segments``.

        Raises
        ------
        InputError
            When a line is no address, or there is none.

        Examples
        --------
        >>> Audience.from_addresses(["ann@gmail.com", "bo@gmail.com", "cy@example.org"]).providers
        {'gmail': 2.0, 'other': 1.0}
        """
        counts, domains = _counted(addresses)
        many = catalogue().providers
        behind = {name: len(found) for name, found in domains.items() if many[name].limiter_scope == "recipient_domain"}
        return cls(providers=counts, size=sum(counts.values()), domains=behind, **others)


def refuse_strangers(given: Iterable[str], known: Iterable[str], what: str, *path: str) -> None:
    """Refuse a provider that the audience does not hold (for validators)."""
    names = list(known)
    for name in given:
        if name not in names:
            raise refusal(f"{what} names a provider without a share. {unknown('provider', name, names)}", *path, name)


# --- from counts

_COUNTED = ("provider", "segment", "addresses")
Counts = Mapping[str, float] | Mapping[str, Mapping[str, float]]


def _table_of(counts: Counts | pd.DataFrame) -> dict[str, dict[str | None, float]]:
    """Addresses by provider and segment, as written; the segment is None where counts name none."""
    table: dict[str, dict[str | None, float]] = {}
    for provider, segment, count in _cells(counts):
        parts = table.setdefault(provider, {})
        if segment in parts:
            where = provider if segment is None else f"{provider}, {segment}"
            raise InputError(f"counts give {where} twice. Add them up.", field="audience.providers")
        parts[segment] = _count(count, provider)
    if len({segment is None for parts in table.values() for segment in parts}) > 1:
        text = "counts name segments for some providers only. Name them for all, or for none."
        raise InputError(text, field="audience.engagement")
    if not any(sum(parts.values()) for parts in table.values()):
        raise InputError("counts hold no address. Give numbers above 0.", field="audience.providers")
    return table


def _cells(counts: Counts | pd.DataFrame) -> Iterator[tuple[str, str | None, object]]:
    if not isinstance(counts, Mapping):
        yield from _rows(counts)
        return
    for provider, given in counts.items():
        if isinstance(given, Mapping):
            yield from ((str(provider), str(segment), count) for segment, count in given.items())
        else:
            yield str(provider), None, given


def _rows(frame: pd.DataFrame) -> Iterator[tuple[str, str | None, object]]:
    names = [str(name) for name in getattr(frame, "columns", ())]
    if sorted({*names, "segment"}) != sorted(_COUNTED) or len(names) > len(_COUNTED):
        found = ", ".join(names[:10]) or "none"
        text = f"counts have the columns {shown(found)[1:-1]}. Give {', '.join(_COUNTED)} (segment optional)."
        raise InputError(text, field="audience.providers")
    segments = frame["segment"].tolist() if "segment" in names else [None] * len(frame)
    cells = zip(frame["provider"].tolist(), segments, frame["addresses"].tolist(), strict=True)
    for number, (provider, segment, count) in enumerate(cells, 1):
        if segment != segment:  # pandas' missing value is unlike itself
            raise InputError(f"counts name no segment in row {number:,}. Name one.", field="audience.engagement")
        yield str(provider), None if segment is None else str(segment), count


def _count(value: object, provider: str) -> float:
    try:
        count = _NUMBER.validate_python(value)
    except ValidationError:
        count = -1.0
    if not 0 <= count <= MAX_COUNT:
        text = (
            f"counts for {shown(provider)} hold {shown(value)}, not a count. Write a number from 0 to {MAX_COUNT:,.0f}."
        )
        raise InputError(text, field="audience.providers")
    return count


def _from_table(table: Mapping[str, Mapping[str | None, float]]) -> dict[str, Any]:
    """Fields of the audience; what holds no address is left out."""
    providers = {name: sum(parts.values()) for name, parts in table.items() if any(parts.values())}
    fields: dict[str, Any] = {"providers": providers, "size": max(1, round(sum(providers.values())))}
    totals: Counter[str] = Counter()
    for parts in table.values():
        totals.update({name: count for name, count in parts.items() if name is not None})
    if totals:
        kept = [name for name, count in totals.items() if count > 0]
        fields["segments"] = [{"name": name, "share": totals[name]} for name in kept]
        fields["engagement"] = {name: {one: table[name].get(one, 0) for one in kept} for name in providers}
    return fields


def _normalised(shares: Iterable[float]) -> Floats:
    values = np.array(list(shares), dtype=float)
    return np.asarray(values / values.sum())


def _counted(addresses: Iterable[str]) -> tuple[dict[str, int], dict[str, set[str]]]:
    """Addresses and recipient domains by provider, most addresses first."""
    facts = catalogue()
    by_domain = Counter(_domain(line, number) for number, line in enumerate(addresses, 1) if line.strip())
    if not by_domain:
        raise InputError("The list holds no address. Give one address a line.", field="audience.providers")
    counts: Counter[str] = Counter()
    domains: defaultdict[str, set[str]] = defaultdict(set)
    for domain, n in by_domain.items():
        provider = facts.provider_of_domain(domain) or "other"
        counts[provider] += n
        domains[provider].add(domain)
    return dict(counts.most_common()), domains


def _domain(line: str, number: int) -> str:
    name, at, domain = line.strip().rpartition("@")
    if not (name and at and "." in domain) or len(line) > 400 or any(map(str.isspace, line.strip())):
        text = f"Line {number:,} of the list is no address. Give one address a line, and nothing else."
        raise InputError(text, field="audience.providers")
    return domain.lower()
