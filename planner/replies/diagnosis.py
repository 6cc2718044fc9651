"""Diagnosis: what a server's reply means, what to do about it, and what it means for tomorrow's volume."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from planner.errors import InputError
from planner.inputs.catalogue import Catalogue, catalogue
from planner.inputs.retry import RetryPolicy
from planner.replies import report
from planner.replies.cleaning import MAX_REPLY, truncated
from planner.replies.matching import Basis, Match, Matcher, match, matcher
from planner.replies.reading import Said, Speaker, read
from planner.replies.rules import Advice, Rule, Rulebook, rulebook_kept
from planner.resources import VARIABLE
from planner.vocabulary import Cause, ReplyCause, Verdict

# Words with which a 5xx says that it passes with time, and words that take it back.
_PASSES = re.compile(
    r"\btry(?:ing)?(?: it| this| again| sending| once more)*+ (?:again|later|in )|\bretry (?:again |later|in )|"
    r"\btemporar(?:y|ily)\b|\blater time|\bin a while|\bthis hour|\bfor the day|"
    r"réessayer|essayer plus tard|später|más tarde|mais tarde|più tardi|позже|временно|稍后|稍後|後で|しばらく"
)
_NEVER = re.compile(r"(?:\bnot|n't|\bnever) (?:re)?try|\bpermanent(?:ly)?\b|\bnever be\b|\bforever\b")
_PASSING = frozenset({ReplyCause.RATE_LIMIT, ReplyCause.CONNECTION_LIMIT})
_STAYING = frozenset({ReplyCause.UNKNOWN_RECIPIENT, ReplyCause.BLOCKLIST})
"""Where a "try again later" in a 5xx is politeness: the address is no better tomorrow, nor is a listed one."""
# A number of minutes is a wait where a verb asks for it: "500 messages in an hour" is a limit.
_NAMED_WAIT = re.compile(
    r"\b(?:try|retry|again|wait|back|resend|accept(?:ed)?|grey-?listed|gray-?listed|deferred|blocked)\b[^\d,;]{0,60}?"
    r"\b(?:in |after |for |next |(?<=wait ))(?:at least |about |another |the )?"
    r"(?:(\d{1,6})|(an?|one))\s?(s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)\b"
)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_LONGEST_WAIT = 2 * 86_400
_SHORTEST_WAIT = 60.0
_SURE = {Basis.TOKEN: "high", Basis.PROVIDER_CODE: "high", Basis.PHRASE: "medium", Basis.ENHANCED_CODE: "medium"}
_LONG_PHRASE = 18


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What one reply means, and what follows from it.

    Whatever the text does not tell is None: `provider` and `software` are never guessed, and what is no
    refusal at all has no `cause`. Advice is looked up when it is asked for.

    Attributes
    ----------
    text : str
        The words it rests on, with nobody's address.
    provider, software : str or None
        Ids.
    code : int or None
        Reply code.
    enhanced : str or None
        Enhanced status code, as ``"4.7.28"``.
    temporary : bool or None
        Whether it passes; see docs/diagnose.md for the rule where codes and words disagree.
    cause : ReplyCause or None
    confidence : {"high", "medium", "low"} or None
        How far the cause can be trusted.
    count : int
        How often it was said.
    several : int
        Different answers in the text that it was the gravest of.
    cut : bool
        Whether only the first part of the text was read.
    """

    said: Said = field(repr=False)
    found: Match | None = field(repr=False)
    cause: ReplyCause | None
    temporary: bool | None
    provider: str | None
    software: str | None
    confidence: str | None
    count: int = 1
    several: int = field(default=1, repr=False)
    cut: bool = field(default=False, repr=False)

    @property
    def text(self) -> str:
        """The words it rests on."""
        return self.said.text

    @property
    def code(self) -> int | None:
        """The reply code."""
        return self.said.code

    @property
    def enhanced(self) -> str | None:
        """The enhanced code."""
        return self.said.enhanced

    @property
    def kind(self) -> str:
        """``refusal`` by a server, ``own side``, ``accepted``, or ``no reply``."""
        if self.said.speaker is Speaker.NOBODY:
            return "no reply"
        if self.said.accepted or _asks_on(self.said):
            return "accepted"
        return "own side" if self.said.speaker is Speaker.CLIENT else "refusal"

    @property
    def advice(self) -> Advice | None:
        """What the catalogue advises: about the cause, or about none where only a code that means many things tells."""
        if self.cause is None:
            return None
        return rulebook_in_use().advice[ReplyCause.OTHER if self.by_code_alone else self.cause]

    @property
    def by_code_alone(self) -> bool:
        """Whether nothing tells the cause but a code that means many things."""
        return self.found is not None and self.found.basis <= Basis.VAGUE_CODE

    @property
    def simulated(self) -> Cause | None:
        """The simulator's cause that behaves like this one."""
        return None if self.cause is None else rulebook_in_use().advice[self.cause].simulated

    @property
    def provider_name(self) -> str | None:
        """How people call the provider."""
        return _name(self.provider)

    @property
    def software_name(self) -> str | None:
        """How people call the software."""
        return _name(self.software)

    @property
    def title(self) -> str:
        """The cause in a few words."""
        return report.title(self, rulebook_in_use())

    @property
    def meaning(self) -> str:
        """What the reply means, in plain words."""
        return report.meaning(self)

    @property
    def do(self) -> tuple[str, ...]:
        """What to do now."""
        return (self._rule.do if self._rule else ()) or (self.advice.do if self.advice else ())

    @property
    def check(self) -> tuple[str, ...]:
        """What to look at."""
        return (self._rule.check if self._rule else ()) or (self.advice.check if self.advice else ())

    @property
    def first_wait(self) -> float | None:
        """First wait in seconds that the reply names, or else its rule; None leaves it to the cause."""
        named = None if self.kind != "refusal" else named_wait(self.text)
        seconds = named or (self._rule.wait_seconds if self._rule else None)
        return None if seconds is None else max(_SHORTEST_WAIT, seconds)

    @property
    def retry(self) -> RetryPolicy | None:
        """The backoff to retry with; None where trying again is pointless."""
        if self.advice is None or self.temporary is False:
            return None
        return self.advice.policy(self.first_wait)

    @property
    def retry_says(self) -> str:
        """When to try again, with which backoff and for how long."""
        return report.retry_says(self)

    @property
    def escalate(self) -> str:
        """When and how to write to the other side."""
        return self.advice.escalate if self.advice else ""

    @property
    def escalate_page(self) -> str | None:
        """Where to write, when a page is known."""
        if self.cause is None:
            return None
        pages = rulebook_in_use().pages
        known = (self._rule.escalate if self._rule else "", *(pages.get(one or "") for one in self._speakers))
        return next((page for page in known if page and page.startswith("https://")), None)

    @property
    def tomorrow(self) -> Verdict | None:
        """What it means for the volume to this provider tomorrow; None where there is no reply."""
        if self.kind == "accepted":
            return Verdict.GO_ON
        if self._rule and self._rule.tomorrow:
            return self._rule.tomorrow
        return self.advice.tomorrow if self.advice else None

    @property
    def tomorrow_says(self) -> str:
        """The same in words."""
        return report.tomorrow_says(self)

    @property
    def rests_on(self) -> str:
        """What the cause was told by."""
        return report.rests_on(self, rulebook_in_use())

    @property
    def notes(self) -> tuple[str, ...]:
        """What else to know: contradictions, what a mail server will not do by itself, what was left out."""
        return tuple(report.notes(self))

    @property
    def source(self) -> str:
        """Where the meaning, or else the advice, is published."""
        code = report.code_alone(self, rulebook_in_use())
        told = (self._rule.source if self._rule else "", code.source if code else "")
        return next(filter(None, (*told, self.advice.source if self.advice else "")), "")

    @property
    def _rule(self) -> Rule | None:
        return self.found.rule if self.found else None

    @property
    def _speakers(self) -> tuple[str | None, str | None]:
        return self.provider, self.software

    @property
    def answer(self) -> str:
        """Whether it passes, and what it means, in words."""
        return report.answer(self)

    @property
    def next_step(self) -> str:
        """When to retry, what becomes of tomorrow and what to look at, in a sentence or two."""
        return report.next_step(self)

    def summary(self) -> str:
        """Say what it means, what to do and what it rests on, in a few sentences."""
        return report.summary(self)

    def ticket(self) -> str:
        """Return all of it as plain text to be pasted into a ticket; it holds nobody's address."""
        return report.ticket(self)

    def to_dict(self) -> dict[str, Any]:
        """Return what `to_json` writes."""
        return report.as_dict(self)

    def to_json(self) -> str:
        """Return all of it as JSON."""
        return json.dumps(self.to_dict(), ensure_ascii=False)

    def __str__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return report.html(self)


def diagnose(text: str | bytes) -> Diagnosis:
    """Tell what a reply, a log line, a bounce or an exception means.

    Parameters
    ----------
    text : str or bytes
        Whatever somebody pasted. Of several replies the gravest is diagnosed: a refusal before a success,
        a server's words before the sender's own, what stops mail before what only delays it, and the earlier
        before the later. `diagnose_all` has all.

    Returns
    -------
    Diagnosis
        Also of what is no mail reply: it says so.

    Raises
    ------
    InputError
        If `text` is neither str nor bytes.
    """
    if not isinstance(text, str | bytes):
        raise InputError(f"text is {type(text).__name__}, not text. Give a str or bytes; diagnose_all takes many.")
    asked = matcher_in_use()
    said = read(text)
    found = [diagnosed(one, asked) for one in (dict.fromkeys(said) if len(said) > 1 else said)]
    gravest = found[0] if len(found) == 1 else min(found, key=gravity)
    cut = truncated(text) or _is_cut(gravest.text)
    return replace(gravest, several=len(found), cut=cut) if cut or len(found) > 1 else gravest


def gravity(diagnosis: Diagnosis) -> tuple[bool, bool, bool, int]:
    """Sort key: the gravest first."""
    said, verdict = diagnosis.said, diagnosis.tomorrow
    rank = -verdict.gravity if verdict else 0
    return said.accepted, said.speaker is Speaker.NOBODY, said.speaker is not Speaker.SERVER, rank


def _is_cut(reply: str) -> bool:
    return len(reply) > MAX_REPLY // 2 and reply.endswith("…")


def diagnosed(said: Said, asked: Matcher) -> Diagnosis:
    """Diagnose what was said on one attempt."""
    if said.accepted or said.speaker is Speaker.NOBODY or _asks_on(said):
        return Diagnosis(said, None, None, None, _hosting(said) if said.accepted else None, None, None)
    found = match(said, asked)
    provider = found.provider or _hosting(said)
    return Diagnosis(said, found, found.cause, _temporary(said, found), provider, found.software, _confidence(found))


def _asks_on(said: Said) -> bool:
    """Whether the server only asks for the rest."""
    return said.code is not None and said.code // 100 == 3


def _hosting(said: Said) -> str | None:
    """Provider of the host that answered, or of the recipient's domain."""
    if not said.host and not said.domain:
        return None
    facts = _facts(_own_folder())
    by_host = facts.provider_of_mx(said.host) if said.host else None
    return by_host or (facts.provider_of_domain(said.domain) if said.domain else None)


def _temporary(said: Said, found: Match) -> bool | None:
    """Whether it passes: the rule's word, else the code's class, with the exceptions in docs/diagnose.md."""
    if found.rule is not None and found.rule.temporary is not None:
        return found.rule.temporary
    first = said.code // 100 if said.code else int(said.enhanced[0]) if said.enhanced else None
    if first == 5:
        return found.cause in _PASSING or (found.cause not in _STAYING and _passes(said.text.lower()))
    if first == 4:
        return True
    return True if said.speaker is Speaker.CLIENT else None


def _passes(text: str) -> bool:
    return _PASSES.search(text) is not None and _NEVER.search(text) is None


def _confidence(found: Match) -> str:
    if found.basis is Basis.PHRASE and (found.provider or len(found.words) >= _LONG_PHRASE):
        return "high"
    return _SURE.get(found.basis, "low")


# Files are read once in a process: looking at their dates costs more than a diagnosis.


def matcher_in_use() -> Matcher:
    """The rules that diagnoses rest on, ready to be asked."""
    return _prepared(_own_folder())


def rulebook_in_use() -> Rulebook:
    """The same as they were read."""
    return matcher_in_use().book


def _name(one: str | None) -> str | None:
    """How people call a provider or a mail server."""
    return None if one is None else rulebook_in_use().names.get(one, one)


def _own_folder() -> str:
    return os.environ.get(VARIABLE, "")


@lru_cache(maxsize=2)
def _prepared(folder: str) -> Matcher:
    return matcher(rulebook_kept(folder))


@lru_cache(maxsize=2)
def _facts(folder: str) -> Catalogue:
    return catalogue(folder or None)


def named_wait(text: str) -> float | None:
    """Seconds that a reply names as a wait, None when it names none.

    Examples
    --------
    >>> named_wait("Greylisted for 5 minutes"), named_wait("try again in an hour"), named_wait("later")
    (300.0, 3600.0, None)
    """
    found = _NAMED_WAIT.search(text.lower())
    if found is None:
        return None
    seconds = float(found[1] or 1) * _SECONDS[found[3][0]]
    return seconds if 0 < seconds <= _LONGEST_WAIT else None
