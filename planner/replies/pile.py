"""Many replies at once: equal answers counted together, and what they mean for tomorrow."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from html import escape
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar, overload

from planner.replies import report
from planner.replies.cleaning import MAX_TEXT, truncated
from planner.replies.diagnosis import Diagnosis, diagnosed, matcher_in_use
from planner.replies.matching import Basis
from planner.replies.reading import Speaker, read
from planner.tables import csv_text
from planner.vocabulary import Verdict

if TYPE_CHECKING:
    import pandas as pd

    from planner.figures import Figure

NOT_TOLD = "not told"
"""Stands for the provider where no reply reveals one."""
MATTERS = 0.01
"""Share of all that a provider answered, accepted mail included, that makes its verdict: one stray reply does not."""
MOST_DIFFERENT = 10_000
"""Answers that are told apart by their wording; what comes after them is by cause and codes alone."""

COLUMNS = (
    "kind", "provider", "software", "code", "enhanced", "temporary", "cause", "confidence", "tomorrow", "count",
    "meaning", "text",
)  # fmt: skip
"""Of the frame."""

_BLOCK = MAX_TEXT // 2
_WITH_DIGITS = re.compile(r"\S*\d\S*")
_MOST_WORDS = 120
_MOST_PROVIDERS = 12
_SAID_WORDS = frozenset({Basis.TOKEN, Basis.PHRASE, Basis.PROVIDER_CODE})

Key = tuple[object, ...]
T = TypeVar("T")


@dataclass(frozen=True)
class Diagnoses(Sequence[Diagnosis]):
    """What a pile of replies means: each different answer once, with how often it came, the most frequent first.

    Attributes
    ----------
    answers : tuple of Diagnosis
        The text of each is that of its first reply.
    cut : bool
        Whether a part of the texts was too long to be read.
    """

    answers: tuple[Diagnosis, ...]
    cut: bool = False

    @overload
    def __getitem__(self, at: int) -> Diagnosis: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Diagnosis, ...]: ...
    def __getitem__(self, at: int | slice) -> Diagnosis | tuple[Diagnosis, ...]:
        return self.answers[at]

    def __len__(self) -> int:
        return len(self.answers)

    @property
    def refusals(self) -> tuple[Diagnosis, ...]:
        """Those that refuse, one's own side included."""
        return tuple(one for one in self.answers if one.cause is not None)

    @property
    def verdicts(self) -> dict[str, Verdict]:
        """What happens to each refusing provider's volume tomorrow: what one answer in a hundred calls for, or worse.

        The hundred are all that the provider answered, accepted mail included; graver answers count with milder ones.
        """
        refused = _counted((_whose(one), one.count) for one in self.refusals)
        answered = refused + _counted((_whose(one), one.count) for one in self.answers if one.kind == "accepted")
        calls = _counted(((_whose(one), one.tomorrow), one.count) for one in self.refusals)
        found: dict[str, Verdict] = {}
        for who, _ in refused.most_common():
            so_far = 0
            found[who] = Verdict.GO_ON
            for verdict in sorted(Verdict, key=attrgetter("gravity"), reverse=True):
                so_far += calls[who, verdict]
                if so_far >= MATTERS * answered[who]:
                    found[who] = verdict
                    break
        return found

    @property
    def tomorrow(self) -> Verdict | None:
        """The gravest of the providers' verdicts; None where there is no reply at all."""
        if any(one.kind == "accepted" for one in self.answers) or self.refusals:
            return max(self.verdicts.values(), key=attrgetter("gravity"), default=Verdict.GO_ON)
        return None

    def gravest(self) -> Diagnosis | None:
        """The answer behind the gravest verdict, the most frequent of them; None where no refusal counts."""
        verdicts = self.verdicts
        behind = [one for one in self.refusals if one.tomorrow == verdicts[_whose(one)]]
        return max(behind, key=lambda one: (verdicts[_whose(one)].gravity, one.count), default=None)

    def summary(self) -> str:
        """Say what was refused by whom, and what follows, in a few lines."""
        return "\n".join([self.headline(), *self._by_provider_lines()])

    def headline(self) -> str:
        """One sentence: how many of what."""
        sums = _counted((one.kind, one.count) for one in self.answers)
        names = (
            ("refusal", "refused by a server"),
            ("own side", "failed on your own side"),
            ("accepted", "accepted"),
            ("no reply", "no mail reply"),
        )
        told = ", ".join(f"{sums[kind]:,} {name}" for kind, name in names if sums[kind])
        cut = " A part was too long to be read." if self.cut else ""
        n = len(self.refusals)
        different = f", {n:,} different {'answer' if n == 1 else 'answers'}" if n else ""
        return f"{told or 'Nothing to diagnose'}{different}.{cut}"

    def _by_provider_lines(self) -> Iterator[str]:
        verdicts = self.verdicts
        for number, (who, verdict) in enumerate(verdicts.items()):
            if number == _MOST_PROVIDERS:
                yield f"and {len(verdicts) - number:,} more providers"
                return
            own = [one for one in self.refusals if _whose(one) == who]
            first, count = _counted((one.title, one.count) for one in own).most_common(1)[0]
            total = sum(one.count for one in own)
            mostly = report.uncapped(first) if count == total else f"mostly {report.uncapped(first)} ({count:,})"
            name = own[0].provider_name or "Provider not told"
            yield f"{name}: {total:,}, {mostly}. Tomorrow: {report.TITLES[verdict].lower()}."

    def to_frame(self) -> pd.DataFrame:
        """Return one row per answer.

        Columns: kind, provider, software, code, enhanced, temporary, cause, confidence, tomorrow, count, meaning, text.
        `text` holds other servers' words as they are, a leading ``=`` too, which a spreadsheet would take for a
        formula: use `to_csv` of this class, not the frame's own, for a file that people open.
        """
        import pandas as pd

        rows = [[_plain(getattr(one, name)) for name in COLUMNS] for one in self.answers]
        frame = pd.DataFrame(rows, columns=list(COLUMNS))
        return frame.astype({"code": "Int64", "temporary": "boolean", "count": "int64"})

    def to_csv(self) -> str:
        """Return the frame as CSV for spreadsheets: a cell that begins like a formula gets an apostrophe before it."""
        return csv_text(self.to_frame())

    def by_provider(self) -> pd.DataFrame:
        """Count refusals: provider (id, or 'not told'), cause, title, count; the most frequent cause first."""
        import pandas as pd

        counts = _counted(((_whose(one), str(one.cause), one.title), one.count) for one in self.refusals)
        causes = _counted((str(one.cause), one.count) for one in self.refusals)
        rows = [(*names, count) for names, count in counts.most_common()]
        rows.sort(key=lambda row: (-causes[row[1]], row[1], -row[3]))
        return pd.DataFrame(rows, columns=["provider", "cause", "title", "count"])

    def plot(self) -> Figure:
        """Return a Pareto chart of the causes, divided by provider, not yet shown."""
        from planner import figures

        names = {_whose(one): one.provider_name or NOT_TOLD for one in self.refusals}
        frame = self.by_provider()
        return figures.pareto(frame.assign(provider=frame["provider"].map(names)))

    def to_dict(self) -> dict[str, Any]:
        """Return what `to_json` writes."""
        return {
            "format": report.FORMAT,
            "kind": "diagnoses",
            "summary": self.summary(),
            "tomorrow": self.tomorrow,
            "verdicts": self.verdicts,
            "answers": [one.to_dict() for one in self.answers],
        }

    def to_json(self) -> str:
        """Return all of it as JSON."""
        return json.dumps(self.to_dict(), ensure_ascii=False)

    def __str__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        said = "".join(f"<p>{escape(line)}</p>" for line in self.summary().splitlines())
        return f"<div>{said}{self.to_frame().to_html(index=False, na_rep='', escape=True, max_rows=60)}</div>"


def diagnose_all(texts: str | bytes | Iterable[str | bytes]) -> Diagnoses:
    """Tell what many replies mean.

    Parameters
    ----------
    texts : str, bytes, or an iterable of them
        One text, such as a log, is read in blocks of whole lines. Of an iterable, each item is a text of its
        own and may hold several replies. It is consumed as it comes, and only counts are kept.

    Returns
    -------
    Diagnoses
        Equal answers counted together: the same wording, codes and provider, whatever the IP or the queue id.
    """
    asked = matcher_in_use()
    first: dict[Key, Diagnosis] = {}
    counts: Counter[Key] = Counter()
    cut = False
    for block in _blocks(texts):
        cut = cut or truncated(block)
        for said, n in Counter(read(block)).items():
            one = diagnosed(said, asked)
            key = _key(one, by_wording=len(first) < MOST_DIFFERENT)
            first.setdefault(key, one)
            counts[key] += n
    return Diagnoses(tuple(replace(first[key], count=n) for key, n in counts.most_common()), cut)


def _blocks(texts: str | bytes | Iterable[str | bytes]) -> Iterator[str | bytes]:
    """Divide texts that are longer than what is read at once, after whole lines."""
    for text in [texts] if isinstance(texts, str | bytes) else texts:
        yield from _pieces(text) if len(text) > _BLOCK else (text,)


def _pieces(text: str | bytes) -> Iterator[str | bytes]:
    start, size = 0, len(text)
    while size - start > _BLOCK:
        stop = _line_end(text, start + _BLOCK)
        yield text[start:stop]
        start = stop
    if start < size or not size:
        yield text[start:]


def _line_end(text: str | bytes, at: int) -> int:
    found = text.find("\n", at) if isinstance(text, str) else text.find(b"\n", at)
    return len(text) if found < 0 else found + 1


def _key(one: Diagnosis, *, by_wording: bool) -> Key:
    """What equal answers have in common."""
    said = one.said
    if one.found is None:
        return one.kind, one.provider, said.why_not
    words = one.found.words
    if by_wording and one.found.basis not in _SAID_WORDS:
        words = _WITH_DIGITS.sub("#", one.text)[:_MOST_WORDS]
    client = said.speaker is Speaker.CLIENT
    return client, one.provider, one.software, said.code, said.enhanced, one.temporary, one.cause, words


def _whose(one: Diagnosis) -> str:
    return one.provider or NOT_TOLD


def _plain(value: object) -> object:
    return str(value) if isinstance(value, str) else value


def _counted(pairs: Iterable[tuple[T, int]]) -> Counter[T]:
    sums: Counter[T] = Counter()
    for name, count in pairs:
        sums[name] += count
    return sums
