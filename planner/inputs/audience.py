"""Audience and its engagement segments: who gets the mail, from shares or from a list of addresses."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Annotated, Any, Self

import numpy as np
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from planner.errors import InputError
from planner.inputs.catalogue import catalogue
from planner.inputs.fields import Checked, Number, Text, Whole, nothing_as, refusal, unknown
from planner.vocabulary import Floats

DEFAULT_DOMAINS = 20
MAX_PROVIDERS = 200
MAX_SEGMENTS = 50


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

    def n_domains(self, provider: str) -> int:
        """Recipient domains of the audience behind a provider."""
        return self.domains.get(provider, DEFAULT_DOMAINS)

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
        behind = {provider: len(names) for provider, names in domains.items() if len(names) > 1}
        return cls(providers=counts, size=sum(counts.values()), domains=behind, **others)


def refuse_strangers(given: Iterable[str], known: Iterable[str], what: str, *path: str) -> None:
    """Refuse a provider that the audience does not hold (for validators)."""
    names = list(known)
    for name in given:
        if name not in names:
            raise refusal(f"{what} names a provider without a share. {unknown('provider', name, names)}", *path, name)


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
