"""Finds the most specific rule that a reply meets, by words first and patterns second."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
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
_ASCII_WORD = re.compile(r"[a-z]++|\d++")
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


class Part(NamedTuple):
    """Words that stand together."""

    words: str
    starts_word: bool
    ends_word: bool
    pattern: re.Pattern[str] | None
    """Where digits of any value are among them."""

    def end_in(self, text: str, at: int) -> int:
        """Where they end in a text from `at` on, -1 if they are not there."""
        if self.pattern is not None:
            found = self.pattern.search(text, at)
            return -1 if found is None else found.end()
        start = text.find(self.words, at)
        while start >= 0:
            end = start + len(self.words)
            inside = (self.starts_word and text[start - 1 : start].isalnum()) or (
                self.ends_word and text[end : end + 1].isalnum()
            )
            if not inside:
                return end
            start = text.find(self.words, start + 1)
        return -1


class Phrase(NamedTuple):
    """One wording of a rule, ready to be looked for."""

    rank: tuple[int, ...]
    words: str
    needs: frozenset[str]
    """Every word of it: without all of them in a text there is nothing to look for."""
    parts: tuple[Part, ...]
    rule: Rule
    reveals: bool
    """Whether it tells who speaks."""

    def found_in(self, text: str) -> bool:
        """Tell whether the parts follow one another in a text in lower case; linear in its length."""
        at = 0
        for part in self.parts:
            at = part.end_in(text, at)
            if at < 0:
                return False
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
    words = frozenset((_ASCII_WORD if text.isascii() else _WORD).findall(text))
    near = _near(words, asked.client if said.speaker is Speaker.CLIENT else asked.server)
    best = next(_met(near, said, text), None)
    revealing = [phrase for phrase in near if phrase is not best and phrase.reveals] + _near(words, asked.marks)
    provider, software = _speaker(said, best, _met(revealing, said, text), asked.book)
    rule = asked.coded.get((provider, said.enhanced)) if provider and said.enhanced else None
    code = _meaning(said.enhanced, asked.book)
    basis = _BASES[best.rank[0]] if best is not None else Basis.NOTHING
    if best is not None and basis > Basis.PROVIDER_CODE:
        return Match(basis, best.rule.cause, best.rule, best.words, provider, software)
    if rule is not None:
        return Match(Basis.PROVIDER_CODE, rule.cause, rule, said.enhanced or "", provider, software)
    if code is not None and not code.vague:
        return Match(Basis.ENHANCED_CODE, code.cause, None, said.enhanced or "", provider, software)
    if best is not None:
        return Match(basis, best.rule.cause, best.rule, best.words, provider, software)
    if code is not None:
        return Match(Basis.VAGUE_CODE, code.cause, None, said.enhanced or "", provider, software)
    if said.code in asked.book.reply:
        return Match(Basis.REPLY_CODE, asked.book.reply[said.code].cause, None, str(said.code), provider, software)
    return Match(Basis.NOTHING, ReplyCause.OTHER, None, "", provider, software)


def _near(words: frozenset[str], index: dict[str, tuple[Phrase, ...]]) -> list[Phrase]:
    """Phrases all of whose words a text holds, the strongest first."""
    near = [phrase for word in words & index.keys() for phrase in index[word] if words.issuperset(phrase.needs)]
    if len(near) > 1:
        near.sort(key=_RANK, reverse=True)
    return near


def _met(near: Iterable[Phrase], said: Said, text: str) -> Iterator[Phrase]:
    """Those of them that stand in the text, and whose conditions it meets."""
    return (phrase for phrase in near if _allowed(phrase.rule, said) and phrase.found_in(text))


def _allowed(rule: Rule, said: Said) -> bool:
    if rule.code and said.code not in rule.code and (said.code or 0) // 100 not in rule.code:
        return False
    return not rule.enhanced or (said.enhanced is not None and _any_class(said.enhanced, rule.enhanced))


def _any_class(enhanced: str, among: Iterable[str]) -> bool:
    return enhanced in among or enhanced[2:] in among


def _speaker(
    said: Said, best: Phrase | None, revealing: Iterable[Phrase], book: Rulebook
) -> tuple[str | None, str | None]:
    """Provider and software, when the host or the words tell: the host first, then the strongest wording."""
    provider, software = _by_host(said.host, book.hosts) if said.host else (None, None)
    if best is not None:
        provider, software = provider or best.rule.provider, software or best.rule.software
    for phrase in revealing:
        if provider and software:
            break
        provider, software = provider or phrase.rule.provider, software or phrase.rule.software
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
_BASES = tuple(Basis)


def _phrase(rule: Rule, words: str) -> Phrase:
    lower = words.lower()
    parts = [part.strip() for part in lower.split(_GAP) if part.strip()]
    letters = sum(c.isalnum() for c in lower.replace(_DIGITS, ""))
    basis = Basis.TOKEN if rule.token else Basis.HINT if rule.hint else Basis.PHRASE
    conditions = bool(rule.code) + 2 * bool(rule.enhanced)
    needs = frozenset(_WORD.findall(lower.replace(_DIGITS, " ")))
    if not needs:
        raise InputError(f"says is {words!r}, without any word. Write words.", field="says")
    reveals = bool(rule.provider or rule.software)
    rank = (basis, letters, conditions, bool(rule.provider))
    return Phrase(rank, words, needs, tuple(map(_part, parts)), rule, reveals)


def _part(words: str) -> Part:
    """Words between ends of words; digits at ``<n>``."""
    starts = words.startswith(_DIGITS) or _LETTER.match(words[0]) is not None
    ends = words.endswith(_DIGITS) or _LETTER.match(words[-1]) is not None
    if _DIGITS not in words:
        return Part(words, starts, ends, None)
    digits = r"\d++".join(re.escape(piece) for piece in words.split(_DIGITS))
    before, after = r"(?<![^\W_])" if starts else "", r"(?![^\W_])" if ends else ""
    return Part(words, starts, ends, re.compile(before + digits + after))


def _indexed(phrases: list[Phrase]) -> dict[str, tuple[Phrase, ...]]:
    """Phrases by the word that fewest replies hold, as far as the rules' own examples tell."""
    examples = {phrase.rule.example for phrase in phrases}
    common = Counter(word for text in examples for word in set(_WORD.findall(text.lower())))
    index: dict[str, list[Phrase]] = defaultdict(list)
    for phrase in phrases:
        index[min(phrase.needs, key=lambda word: (common[word], -len(word), word))].append(phrase)
    return {word: tuple(found) for word, found in index.items()}
