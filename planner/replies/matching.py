"""Finds the most specific rule that a reply meets, by words first and patterns second."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from enum import IntEnum
from operator import attrgetter
from typing import NamedTuple

from planner.errors import InputError
from planner.replies.reading import Said, Speaker
from planner.replies.rules import Code, Rule, Rulebook
from planner.vocabulary import ReplyCause

# Scripts without spaces between words: each of their characters is a word.
_CJK = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_WORD = re.compile(rf"[{_CJK}]|[^\W\d_{_CJK}]++|\d++")
_LETTER = re.compile(rf"[^\W_{_CJK}]")
_GAP, _DIGITS = "…", "<n>"


class Basis(IntEnum):
    """What an answer rests on; the larger wins."""

    NOTHING = 0
    REPLY_CODE = 1
    VAGUE_CODE = 2
    HINT = 3
    ENHANCED_CODE = 4
    PROVIDER_CODE = 5
    PHRASE = 6
    TOKEN = 7


class Match(NamedTuple):
    """What a reply meets."""

    basis: Basis
    cause: ReplyCause
    rule: Rule | None
    words: str
    """The rule's words that decided, or the code."""
    provider: str | None
    software: str | None


class Phrase(NamedTuple):
    """One wording of a rule, ready to be looked for."""

    rank: tuple[int, ...]
    words: str
    needs: frozenset[str]
    """Every word of it: without all of them in a text there is nothing to look for."""
    parts: tuple[re.Pattern[str], ...]
    rule: Rule

    def found_in(self, text: str) -> bool:
        """Tell whether the parts follow one another in a text in lower case; linear in its length."""
        at = 0
        for part in self.parts:
            found = part.search(text, at)
            if found is None:
                return False
            at = found.end()
        return True


class Matcher(NamedTuple):
    """A rulebook, ready to be asked."""

    book: Rulebook
    server: dict[str, tuple[Phrase, ...]]
    """Phrases by their rarest word, so that a reply meets few of them."""
    client: dict[str, tuple[Phrase, ...]]
    marks: dict[str, tuple[Phrase, ...]]
    coded: dict[tuple[str, str], Rule]
    """Rules that go by a provider's enhanced code alone."""


def matcher(book: Rulebook) -> Matcher:
    """Prepare a rulebook."""
    phrases = [phrase for rule in book.rules for phrase in phrases_of(rule)]
    marks = [
        _phrase(Rule(says=(words,), cause=ReplyCause.OTHER, provider=provider, software=software), words)
        for words, provider, software in book.marks
    ]
    return Matcher(
        book=book,
        server=_indexed([phrase for phrase in phrases if not phrase.rule.client]),
        client=_indexed([phrase for phrase in phrases if phrase.rule.client]),
        marks=_indexed(marks),
        coded={(rule.provider, code): rule for rule in book.rules if not rule.says for code in rule.enhanced
               if rule.provider},
    )  # fmt: skip


def phrases_of(rule: Rule) -> list[Phrase]:
    """Each wording of a rule."""
    return [_phrase(rule, words) for words in rule.says]


def match(said: Said, asked: Matcher) -> Match:
    """Find the rule that decides, by the order of `Basis`, and who speaks.

    Among wordings the one with the most letters wins; a condition on a code that is met breaks ties.
    """
    text = said.text.lower()
    words = frozenset(_WORD.findall(text))
    met = _met(said, text, words, asked.client if said.speaker is Speaker.CLIENT else asked.server)
    provider, software = _speaker(said, text, words, met, asked)
    best = met[0] if met else None
    rule = asked.coded.get((provider or "", said.enhanced or ""))
    basis = Basis.NOTHING if best is None else Basis(best.rank[0])
    if best is not None and basis > Basis.PROVIDER_CODE:
        return Match(basis, best.rule.cause, best.rule, best.words, provider, software)
    if rule is not None:
        return Match(Basis.PROVIDER_CODE, rule.cause, rule, said.enhanced or "", provider, software)
    code = _meaning(said.enhanced, asked.book)
    if code is not None and not code.vague:
        return Match(Basis.ENHANCED_CODE, code.cause, None, said.enhanced or "", provider, software)
    if best is not None:
        return Match(basis, best.rule.cause, best.rule, best.words, provider, software)
    if code is not None:
        return Match(Basis.VAGUE_CODE, code.cause, None, said.enhanced or "", provider, software)
    if said.code in asked.book.reply:
        return Match(Basis.REPLY_CODE, asked.book.reply[said.code].cause, None, str(said.code), provider, software)
    return Match(Basis.NOTHING, ReplyCause.OTHER, None, "", provider, software)


def _met(said: Said, text: str, words: frozenset[str], index: dict[str, tuple[Phrase, ...]]) -> list[Phrase]:
    """Phrases that the text holds and whose conditions it meets, the strongest first."""
    near = [phrase for word in words if word in index for phrase in index[word] if phrase.needs <= words]
    found = [phrase for phrase in near if _allowed(phrase.rule, said) and phrase.found_in(text)]
    if len(found) > 1:
        found.sort(key=_RANK, reverse=True)
    return found


def _allowed(rule: Rule, said: Said) -> bool:
    if rule.code and said.code not in rule.code and (said.code or 0) // 100 not in rule.code:
        return False
    return not rule.enhanced or (said.enhanced is not None and _any_class(said.enhanced, rule.enhanced))


def _any_class(enhanced: str, among: Iterable[str]) -> bool:
    return enhanced in among or enhanced[2:] in among


def _speaker(
    said: Said, text: str, words: frozenset[str], met: list[Phrase], asked: Matcher
) -> tuple[str | None, str | None]:
    """Provider and software, when the host or the words tell: the host first, then the strongest wording."""
    by_host = _by_host(said.host, asked.book.hosts) if said.host else (None, None)
    told = [by_host, *((phrase.rule.provider, phrase.rule.software) for phrase in met)]
    told += [(phrase.rule.provider, phrase.rule.software) for phrase in _met(said, text, words, asked.marks)]
    provider = next((provider for provider, _ in told if provider), None)
    software = next((software for _, software in told if software), None)
    return provider, software


def _by_host(host: str, known: dict[str, tuple[str | None, str | None]]) -> tuple[str | None, str | None]:
    while host:
        if host in known:
            return known[host]
        _, _, host = host.partition(".")
    return None, None


def _meaning(enhanced: str | None, book: Rulebook) -> Code | None:
    if enhanced is None:
        return None
    return book.enhanced.get(enhanced) or book.enhanced.get(enhanced[2:])


# --- preparing


_RANK = attrgetter("rank")


def _phrase(rule: Rule, words: str) -> Phrase:
    lower = words.lower()
    parts = [part.strip() for part in lower.split(_GAP) if part.strip()]
    letters = sum(c.isalnum() for c in lower.replace(_DIGITS, ""))
    basis = Basis.TOKEN if rule.token else Basis.HINT if rule.hint else Basis.PHRASE
    conditions = bool(rule.code) + 2 * bool(rule.enhanced)
    needs = frozenset(_WORD.findall(lower.replace(_DIGITS, " ")))
    if not needs:
        raise InputError(f"says is {words!r}, without any word. Write words.", field="says")
    return Phrase((basis, letters, conditions, bool(rule.provider)), words, needs, tuple(map(_pattern, parts)), rule)


def _pattern(part: str) -> re.Pattern[str]:
    """Words between ends of words; digits at ``<n>``."""
    pattern = r"\d++".join(re.escape(piece) for piece in part.split(_DIGITS))
    before = r"(?<![^\W_])" if part.startswith(_DIGITS) or _LETTER.match(part[0]) else ""
    after = r"(?![^\W_])" if part.endswith(_DIGITS) or _LETTER.match(part[-1]) else ""
    return re.compile(before + pattern + after)


def _indexed(phrases: list[Phrase]) -> dict[str, tuple[Phrase, ...]]:
    common = Counter(word for phrase in phrases for word in phrase.needs)
    index: dict[str, list[Phrase]] = defaultdict(list)
    for phrase in phrases:
        index[min(phrase.needs, key=lambda word: (common[word], -len(word), word))].append(phrase)
    return {word: tuple(found) for word, found in index.items()}
