"""Provider behind a column's heading: brands, domains and groups as other people's tables write them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping

from planner.inputs.catalogue import Catalogue

OTHER = "other"

_ALIASES = {
    "gmail": ("google", "googlemail"),
    "google-workspace": ("gsuite", "workspace", "googleapps"),
    "microsoft": ("outlook", "hotmail", "live"),
    "microsoft-365": ("office365", "o365", "m365", "exchangeonline"),
    "icloud": ("apple", "applemail"),
    "gmx-webde": ("unitedinternet", "gmx", "webde"),
    "t-online": ("telekom", "deutschetelekom"),
    "corporate-gateways": ("corporate", "gateways", "b2b"),
}
_NOT_A_NAME = {"france", "all", "others", "mail", "email"}
_JOINTS = re.compile(r"\s*[/+,;&]\s*|\s+and\s+", re.IGNORECASE)
_DOMAIN = re.compile(r"@?(?:[a-z0-9-]{1,63}\.){1,8}[a-z]{2,24}", re.IGNORECASE | re.ASCII)


def plain(text: str) -> str:
    """Reduce a heading to its letters and digits.

    Examples
    --------
    >>> plain(" Yahoo! "), plain("United Internet")
    ('yahoo', 'unitedinternet')
    """
    return "".join(filter(str.isalnum, text.casefold()))


class ProviderNames:
    """Finds providers by the names that a catalogue knows for them.

    Examples
    --------
    >>> from planner.inputs.catalogue import catalogue
    >>> names = ProviderNames(catalogue())
    >>> names.find("Hotmail"), names.find("Yahoo!/AOL"), names.find("Gmail + Google Workspace"), names.find("Gmial")
    (('microsoft',), ('yahoo',), ('gmail', 'google-workspace'), ())
    """

    def __init__(self, facts: Catalogue) -> None:
        self._facts = facts
        self._known: dict[str, str] = {}
        for level in (_ids(facts), _aliases(facts), _brands(facts), _first_labels(facts)):
            self._known |= {name: one for name, one in _unique(level).items() if name not in self._known}

    def find(self, heading: str) -> tuple[str, ...]:
        """Give the ids of the providers that a heading names; empty when a part of it is unknown."""
        if len(heading) > 200:
            return ()
        for text in (heading, re.sub(r"[(\[][^()\[\]]{0,100}[)\]]", "", heading)):
            whole = self._one(text)
            if whole is not None:
                return (whole,)
            parts = [self._one(part) for part in _JOINTS.split(text.strip()) if plain(part)]
            if parts and None not in parts:
                return tuple(dict.fromkeys(part for part in parts if part is not None))
        return ()

    def of_domain(self, domain: str) -> str:
        """Give the provider of a recipient domain: ``other`` for those in nobody's list."""
        return self._facts.provider_of_domain(domain.strip().removeprefix("@")) or OTHER

    def _one(self, text: str) -> str | None:
        if _DOMAIN.fullmatch(text.strip()):
            return self.of_domain(text)
        return self._known.get(plain(text))


def _ids(facts: Catalogue) -> Iterator[tuple[str, str]]:
    for one in facts.providers.values():
        yield plain(one.id), one.id
        yield plain(one.name), one.id


def _aliases(facts: Catalogue) -> Iterator[tuple[str, str]]:
    for provider, names in _ALIASES.items():
        if provider in facts.providers:
            yield from ((name, provider) for name in names)


def _brands(facts: Catalogue) -> Iterator[tuple[str, str]]:
    """Parts of the names in the catalogue: "Outlook.com and Hotmail" are two."""
    for one in facts.providers.values():
        for part in re.split(r"[(),/]|\s+and\s+", one.name):
            if plain(part) and plain(part) not in _NOT_A_NAME:
                yield plain(part), one.id


def _first_labels(facts: Catalogue) -> Iterator[tuple[str, str]]:
    """What stands before the first dot of a domain: ymail, msn, googlemail."""
    for one in facts.providers.values():
        for domain in one.domains:
            label = plain(domain.split(".")[0])
            if label not in _NOT_A_NAME:
                yield label, one.id


def _unique(pairs: Iterator[tuple[str, str]]) -> Mapping[str, str]:
    """Keep the names that mean one provider only."""
    meant: defaultdict[str, set[str]] = defaultdict(set)
    for name, provider in pairs:
        meant[name].add(provider)
    return {name: next(iter(providers)) for name, providers in meant.items() if len(providers) == 1}
