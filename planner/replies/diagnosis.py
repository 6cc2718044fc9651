"""Diagnosis: what a server's reply means, what to do about it, and what it means for tomorrow's volume."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import lru_cache

from planner.inputs.catalogue import Catalogue, catalogue
from planner.replies.matching import Basis, Match, Matcher, match, matcher
from planner.replies.reading import Said, Speaker, read
from planner.replies.rules import rulebook
from planner.resources import VARIABLE
from planner.vocabulary import ReplyCause

# Words with which a 5xx says that it passes with time.
_PASSES = re.compile(
    r"try(?:ing)?(?: it| this| again| sending| once more)*+ (?:again|later|in )|retry (?:again |later|in )|temporar|"
    r"later time|in a while|this hour|for the day|réessayer|essayer plus tard|später|más tarde|mais tarde|più tardi|"
    r"позже|временно|稍后|稍後|後で|しばらく"
)
_PASSING = frozenset({ReplyCause.RATE_LIMIT, ReplyCause.CONNECTION_LIMIT})
_NAMED_WAIT = re.compile(
    r"\b(?:in|after|for|within|wait|of|next)\s(?:at least |about |another |the )?"
    r"(?:(\d{1,6})|(an?|one))\s?(s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?)\b"
)
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_LONGEST_WAIT = 2 * 86_400
_SURE = {Basis.TOKEN: "high", Basis.PROVIDER_CODE: "high", Basis.PHRASE: "medium", Basis.ENHANCED_CODE: "medium"}
_LONG_PHRASE = 18


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What one reply means.

    Whatever the text does not tell is None: `provider` and `software` are never guessed, and what is no
    refusal at all has no `cause`.

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
    """

    said: Said
    found: Match | None
    cause: ReplyCause | None
    temporary: bool | None
    provider: str | None
    software: str | None
    confidence: str | None

    @property
    def text(self) -> str:
        return self.said.text

    @property
    def code(self) -> int | None:
        return self.said.code

    @property
    def enhanced(self) -> str | None:
        return self.said.enhanced


def diagnose(text: str | bytes) -> Diagnosis:
    """Tell what a reply, a log line, a bounce or an exception means.

    Parameters
    ----------
    text : str or bytes
        Whatever somebody pasted. Of several replies the gravest is diagnosed: a refusal before a success,
        a server's words before the sender's own, and the earlier before the later. `diagnose_all` has all.

    Returns
    -------
    Diagnosis
        Also of what is no mail reply: it says so.
    """
    asked = _asked()
    said = read(text)
    return diagnosed(said[0] if len(said) == 1 else min(said, key=_gravity), asked)


def _gravity(said: Said) -> tuple[bool, bool, bool]:
    return said.accepted, said.speaker is Speaker.NOBODY, said.speaker is not Speaker.SERVER


def diagnosed(said: Said, asked: Matcher) -> Diagnosis:
    """Diagnose what was said on one attempt."""
    if said.accepted or said.speaker is Speaker.NOBODY:
        return Diagnosis(said, None, None, None, None, None, None)
    found = match(said, asked)
    provider = found.provider or _hosting(said)
    return Diagnosis(said, found, found.cause, _temporary(said, found), provider, found.software, _confidence(found))


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
        return found.cause in _PASSING or _PASSES.search(said.text.lower()) is not None
    if first == 4:
        return True
    return True if said.speaker is Speaker.CLIENT else None


def _confidence(found: Match) -> str:
    if found.basis is Basis.PHRASE and (found.provider or len(found.words) >= _LONG_PHRASE):
        return "high"
    return _SURE.get(found.basis, "low")


# Files are read once in a process: looking at their dates costs more than a diagnosis.


def _asked() -> Matcher:
    return _prepared(_own_folder())


def _own_folder() -> str:
    return os.environ.get(VARIABLE, "")


@lru_cache(maxsize=2)
def _prepared(folder: str) -> Matcher:
    return matcher(rulebook(folder or None))


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
