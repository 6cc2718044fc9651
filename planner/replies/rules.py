"""Rules that say what a reply means, as files in ``data/replies`` and a person's own ``replies`` hold them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Self

from pydantic import BeforeValidator, Field, model_validator

from planner.errors import InputError
from planner.inputs.checking import Marks, validated
from planner.inputs.fields import Checked, Whole, refusal, shown
from planner.inputs.provider import LongText
from planner.inputs.retry import RetryPolicy, Seconds
from planner.inputs.yamlfile import read
from planner.resources import data_folder, user_catalogue
from planner.vocabulary import Cause, Confidence, ReplyCause, Verdict

FOLDER = "replies"
CAUSES, CODES = "causes", "codes"

_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_ENHANCED = re.compile(r"([245]\.)?\d{1,3}\.\d{1,3}")


def _listed(value: Any) -> Any:
    """One thing stands for a list of one."""
    return value if isinstance(value, list | tuple) else (value,)


def _id(value: Any) -> Any:
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise refusal("not an id. Use lower-case letters, digits and hyphens.")
    return value


def _enhanced(value: Any) -> Any:
    if not isinstance(value, str) or not _ENHANCED.fullmatch(value):
        raise refusal('not an enhanced code. Write it in quotes: "4.7.28", or "7.28" for every class.')
    return value


Id = Annotated[str, BeforeValidator(_id)]
Enhanced = Annotated[str, BeforeValidator(_enhanced)]
Texts = Annotated[tuple[LongText, ...], BeforeValidator(_listed)]


class Rule(Checked):
    """What one wording, key or code means.

    `says` are words in their order, compared in lower case: ``…`` stands for anything between, ``<n>`` for
    digits. A rule without them goes by its codes alone.
    """

    says: Texts = ()
    token: bool = Field(False, description="The speaker's own key, which beats every wording.")
    hint: bool = Field(False, description="Vague wording, weaker than a precise enhanced code.")
    client: bool = Field(False, description="Said by the sending side, not by the server.")
    code: Annotated[tuple[Whole, ...], BeforeValidator(_listed)] = ()
    enhanced: Annotated[tuple[Enhanced, ...], BeforeValidator(_listed)] = ()
    cause: ReplyCause
    temporary: bool | None = None
    provider: Id | None = None
    software: Id | None = None
    title: LongText = ""
    means: LongText = ""
    do: Texts = ()
    check: Texts = ()
    tomorrow: Verdict | None = None
    tomorrow_says: LongText = ""
    wait_seconds: Seconds | None = None
    escalate: LongText = ""
    source: LongText = ""
    confidence: Confidence = Confidence.PRACTITIONER
    example: LongText = ""
    scored: bool = Field(False, description="Written after the held-out replies were scored.")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not self.says and not self.enhanced:
            raise refusal("says is missing. Write the words that reveal it, or an enhanced code.", "says")
        if self.token and self.hint:
            raise refusal("hint is true, but so is token. Keep one.", "hint")
        if (self.tomorrow is None) != (not self.tomorrow_says):
            raise refusal("tomorrow and tomorrow_says go together. Write both, or none.", "tomorrow")
        return self


class RuleFile(Checked):
    """Rules of a provider or a mail server, or of wording that many use."""

    name: LongText = ""
    provider: Id | None = None
    software: Id | None = None
    escalate: LongText = ""
    hosts: Texts = ()
    marks: Texts = ()
    rules: tuple[Rule, ...] = ()


class Waits(Checked):
    """Backoff that suits a cause."""

    first_seconds: Seconds
    growth: float = Field(2.0, ge=1, le=100)
    cap_seconds: Seconds = 14_400.0
    lifetime_seconds: Seconds = 259_200.0


class Advice(Checked):
    """What to do about a cause, and why we say so."""

    title: LongText
    simulated: Cause | None = None
    means: LongText
    means_permanent: LongText = ""
    do: Texts
    check: Texts = ()
    retry: Waits | None = None
    retry_says: LongText
    escalate: LongText
    tomorrow: Verdict
    tomorrow_says: LongText
    confidence: Confidence = Confidence.DEFAULT
    source: LongText = ""

    def policy(self, first_seconds: float | None = None) -> RetryPolicy | None:
        """The backoff as a policy; None where trying again is pointless."""
        if self.retry is None:
            return None
        first = self.retry.first_seconds if first_seconds is None else first_seconds
        return RetryPolicy(
            first_seconds=dict.fromkeys(Cause, first),
            growth=self.retry.growth,
            cap_seconds=max(first, self.retry.cap_seconds),
            lifetime_seconds=max(first, self.retry.lifetime_seconds),
        )


class Code(Checked):
    """What a code means when nothing else is said."""

    cause: ReplyCause
    vague: bool = False
    name: LongText
    source: LongText = ""


class _Causes(Checked):
    causes: dict[ReplyCause, Advice]


class _Codes(Checked):
    enhanced: dict[Enhanced, Code]
    reply: dict[str, Code]


class Rulebook(NamedTuple):
    """Everything that the files say."""

    rules: tuple[Rule, ...]
    names: dict[str, str]
    """Of providers and software, by id."""
    pages: dict[str, str]
    """Where to write to a provider, by id."""
    hosts: dict[str, tuple[str | None, str | None]]
    """Provider and software by the end of a host's name."""
    marks: tuple[tuple[str, str | None, str | None], ...]
    """Words that reveal provider and software whatever else is said."""
    advice: dict[ReplyCause, Advice]
    enhanced: dict[str, Code]
    reply: dict[int, Code]


def rulebook(folder: str | Path | None = None) -> Rulebook:
    """Read the rules that come with the project, and a person's own over them.

    Parameters
    ----------
    folder : str or Path, optional
        A person's own catalogue; see `planner.resources.user_catalogue`.

    Raises
    ------
    InputError
        When a file is wrong: which one, in which line, and what to do.
    """
    own = user_catalogue(folder)
    advice: dict[ReplyCause, Advice] = {}
    enhanced: dict[str, Code] = {}
    reply: dict[str, Code] = {}
    files: dict[str, RuleFile] = {}
    for path in _paths([data_folder()] if own is None else [data_folder(), own]):
        data, marks = read(path)
        if path.stem == CAUSES:
            advice |= validated(_Causes, data, marks, path).causes
        elif path.stem == CODES:
            codes = validated(_Codes, data, marks, path)
            enhanced, reply = enhanced | codes.enhanced, reply | codes.reply
        else:
            files[path.stem] = _rule_file(data, marks, path)  # one's own file of that name replaces ours
    named = {one: file for file in files.values() for one in (file.provider, file.software) if one and file.name}
    return Rulebook(
        rules=tuple(_owned(rule, file) for file in files.values() for rule in file.rules),
        names={one: file.name for one, file in named.items()},
        pages={one: file.escalate for one, file in named.items() if file.escalate},
        hosts={host: (file.provider, file.software) for file in files.values() for host in file.hosts},
        marks=tuple((mark, file.provider, file.software) for file in files.values() for mark in file.marks),
        advice=advice,
        enhanced=enhanced,
        reply={int(code): meaning for code, meaning in reply.items()},
    )


@lru_cache(maxsize=2)
def rulebook_kept(folder: str = "") -> Rulebook:
    """The same, read once in a process; an empty `folder` stands for the project's rules alone."""
    return rulebook(folder or None)


def _paths(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        yield from sorted(path for path in (folder / FOLDER).glob("*.yaml") if not path.name.startswith("."))


def _rule_file(data: Any, marks: Marks, path: Path) -> RuleFile:
    if not isinstance(data, dict):
        raise InputError(f"holds {shown(data)}, not rules. Write rules: and a list.", file=path, line=1)
    return validated(RuleFile, data, marks, path)


def _owned(rule: Rule, file: RuleFile) -> Rule:
    """The rule with what its file says for all of them."""
    told = rule.model_fields_set
    ours = {name: getattr(file, name) for name in ("provider", "software") if name not in told}
    return rule.model_copy(update=ours)
