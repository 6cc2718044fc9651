"""Leaves out of a reply the names of mailboxes that the text around it tells."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from planner.replies.cleaning import MARK, rejoined, unescaped, with_signs
from planner.replies.rules import rulebook_kept

MAX_NAME: Final = 256
"""Characters of a name that is looked for."""

# before an @; it begins where no such sign stands before it, so that no part of a text is read twice
_SIGN = r"[^\s<>()\[\],;:\"@\\/?&]"
_LOCAL = re.compile(rf"(?<!{_SIGN})({_SIGN}++)@")
_QUOTED = re.compile(r'"([^"@\n]{1,64}+)"@')
_ESCAPED = re.compile(r"\\{1,4}+u([0-9a-fA-F]{4})")
_VERP = frozenset("-+=")
_RETURN_PATH = re.compile(r"[-+=]")
# where programs record a mailbox that may have no domain
_RECORDED = (
    ("to=<", re.compile(r"to=<([^<>@\s]{1,64}+)>")),
    (
        "ecipient",
        re.compile(
            r"-Recipient[ \t]{0,4}:[ \t]{0,4}(?:[\w-]{1,20};)?[ \t]{0,4}([^\s;:@<>]{1,64}+)(?!\S)", re.IGNORECASE
        ),
    ),
    ("** ", re.compile(r"\*\* [^\s<>]{1,320}+ <([^<>@\s]{1,64}+)>")),
    ("== ", re.compile(r"== [^\s<>]{1,320}+ <([^<>@\s]{1,64}+)>")),
)
_WORD = re.compile(r"[\w.+'&%{}~-]++")
_EDGES = ".+'&{}~-"
_PIECE = re.compile(r"[^\W_]++")
# keys that a rule looks for with any number behind them
_NUMBERED = re.compile(r"([^\W\d_]++)<n>")
_NUMBERS = re.compile(r"\d+")
_NUMBER = re.compile(r"\d{1,3}|[\d.]*\.[\d.]*")
# a person's name before an address: at most six words before it are looked at
_BEFORE_ADDRESS = re.compile(rf"(?<=[\w.,]) ?<{MARK}@")
_PARTICLES = frozenset(
    ["al", "ben", "bin", "da", "das", "de", "del", "della", "den", "der", "di", "dos", "du", "el", "la", "le", "san",
     "ten", "ter", "van", "von", "zu"]
)  # fmt: skip
_MOST_BEFORE = 6
# looked for one after the other
_FEW = 16
_LONGEST_BEFORE = 120
# mailboxes of an office and not of a person
_OFFICES = frozenset(
    [
        "account", "address", "admin", "administrator", "blocked", "bounce", "client", "connection", "contact",
        "content", "domain", "email", "error", "hello", "help", "host", "info", "mail", "mailbox", "mailer",
        "message", "network", "news", "newsletter", "noreply", "office", "policy", "postmaster", "rate", "recipient",
        "reply", "root", "sales", "sender", "server", "service", "smtp", "spam", "support", "system", "team", "test",
        "that", "this", "unknown", "user", "webmaster",
    ]
)  # fmt: skip


def names_in(text: str) -> frozenset[str]:
    """Names of mailboxes that a text tells, in lower case, without a ``+tag``: what stands before an @ or is recorded.

    >>> sorted(names_in("to=<Ann.B+news@example.com>, orig_to=<zoe>"))
    ['ann.b', 'zoe']
    """
    if "&" in text:
        text = unescaped(text)
    if "\\" in text:
        text = _ESCAPED.sub(lambda sign: chr(int(sign[1], 16)), text)
    text = rejoined(with_signs(text).replace("＠", "@"))
    found = set(_LOCAL.findall(text))
    if '"@' in text:
        found.update(word for words in _QUOTED.findall(text) for word in words.split())
    for mark, pattern in _RECORDED:
        if mark in text:
            found.update(pattern.findall(text))
    return frozenset(name for word in found if _is_name(name := _untagged(_recipient(word))))


def without_names(text: str, names: frozenset[str]) -> str:
    """A cleaned text without these names as words of their own, and without people's names before addresses.

    Words that replies are made of stay: see `ordinary`. In angle brackets only an office's name stays.
    """
    if len(names) <= _FEW:
        lower = text.lower()
        names = frozenset(name for name in names if name in lower)
    if names:
        text = _WORD.sub(lambda found: _left_out(found, names), text)
    return _without_people(text) if f"<{MARK}@" in text else text


def ordinary(name: str) -> bool:
    """Whether a name is made of words that a rule of ``data/replies`` looks for, or is that of an office.

    Whatever else is left out of a reply cannot change what it means.
    """
    words = _words_of_rules()
    pieces = [piece for piece in _PIECE.findall(name) if not piece.isdigit()]
    return (
        name in _OFFICES
        or name in words
        or (bool(pieces) and all(piece in words or _NUMBERS.sub("<n>", piece) in words for piece in pieces))
    )


@lru_cache(maxsize=1)
def _words_of_rules() -> frozenset[str]:
    book = rulebook_kept()
    says = [words.lower() for rule in book.rules for words in rule.says]
    says += [mark.lower() for mark, _, _ in book.marks]
    found = {word.strip(_EDGES) for words in says for word in _WORD.findall(words)}
    found.update(f"{key}<n>" for words in says for key in _NUMBERED.findall(words))
    return frozenset(found.union(*(_PIECE.findall(words) for words in says)))


def _recipient(local: str) -> str:
    """The name that a local part is about, without a key before it (``rcpt=ann``)."""
    if local.startswith("_"):  # qmail writes blanks so
        local = local.rpartition("_")[2]
    if "=" not in local:
        return local
    before, _, name = local.rpartition("=")
    if "." in name and not _VERP.isdisjoint(before):
        # bounces-ann=example.com@…: a return path holds the recipient's address
        return _RETURN_PATH.split(before)[-1]
    return name


def _untagged(word: str) -> str:
    name = word.lower().strip(_EDGES)
    return name.partition("+")[0] or name


def _is_name(name: str) -> bool:
    return len(name) > 1 and not _NUMBER.fullmatch(name)


def _left_out(found: re.Match[str], names: frozenset[str]) -> str:
    word = found[0]
    core = word.strip(_EDGES)
    name = _untagged(core)
    if name not in names:
        return word
    text, start, end = found.string, found.start(), found.end()
    if text[start - 1 : start] == "@":  # a domain
        return word
    if ordinary(name):
        bracketed = text[start - 1 : start] == "<" and text[end : end + 1] == ">"
        if not bracketed or name in _OFFICES:
            return word
    at = word.find(core)
    return f"{word[:at]}{MARK}{word[at + len(core) :]}"


def _without_people(text: str) -> str:
    """Without the words in capitals that stand before an address and that no rule looks for."""
    out, start = [], 0
    for found in _BEFORE_ADDRESS.finditer(text):
        before = text[start : found.start()]
        tail = before[-_LONGEST_BEFORE:]
        words = tail.split(" ")[-_MOST_BEFORE:]
        kept = len(words)
        while kept and _is_of_a_person(words, kept - 1):
            kept -= 1
        while kept < len(words) and words[kept][:1].islower():  # a particle begins no name
            kept += 1
        dropped = words[kept:]
        out.append(before[: len(before) - len(" ".join(dropped))] if dropped else before)
        start = found.start()
    out.append(text[start:])
    return " ".join("".join(out).split())


def _is_of_a_person(words: list[str], at: int) -> bool:
    word = words[at].rstrip(",.")
    last = at == len(words) - 1
    if word in _PARTICLES:
        return not last
    if not word[:1].isupper() or not word.replace("-", "").replace("'", "").replace(".", "").isalpha():
        return False
    return not ordinary(word.lower())
