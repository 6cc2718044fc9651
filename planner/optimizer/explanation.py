"""Explanation: what holds the plan back, what relief is worth, and which assumptions the date hangs on."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from planner.errors import InputError
from planner.inputs.catalogue import catalogue
from planner.inputs.sender import Sender
from planner.inputs.yamlfile import parse_json, save_text
from planner.optimizer.reliefs import effect_text
from planner.simulation.forecast import FORMAT, MODEL_VERSION, check_kind, read_text, undamaged
from planner.vocabulary import in_100

if TYPE_CHECKING:
    import pandas as pd

    from planner.figures import Figure
    from planner.optimizer.plan import Plan
    from planner.optimizer.planning import Progress

OnPart = Callable[["Explanation"], None]
"""Called with what is explained so far."""

STEPS = (
    "Measured by planning again. A balanced plan chooses each provider's risk in steps, so that a change can move "
    "the date by a few days in either direction through another choice."
)
"""How far to trust the days of a relief."""

MOST_USELESS = 3
"""So many reliefs are listed that change nothing."""

_COLUMNS = {
    "binding": ("provider", "first", "last", "kind", "text"),
    "reliefs": ("name", "text", "days", "effect", "chance", "changes"),
    "assumptions": (
        "provider",
        "parameter",
        "title",
        "low",
        "high",
        "unit",
        "days_low",
        "days_high",
        "swing",
        "source",
        "confidence",
        "text",
    ),
}


@dataclass(frozen=True, eq=False)
class Explanation:
    """Result of `explain`.

    Attributes
    ----------
    sender : Sender
    days : float
        Median day on which all providers have reached the target, from the start; inf for never.
    chance : float or None
        Probability of the sender's deadline, None without one.
    holds_back : str or None
        Provider that arrives last.
    seed : int
    binding_rows, relief_rows, assumption_rows : tuple of dict
        Rows of `binding`, `reliefs` and `assumptions`.
    """

    COSTS: ClassVar = ("missing_", "risk_down")
    """How names of changes begin that nobody wishes for: something is missing, or more caution is wanted."""

    sender: Sender
    days: float
    chance: float | None
    holds_back: str | None
    seed: int
    binding_rows: tuple[dict[str, Any], ...] = ()
    relief_rows: tuple[dict[str, Any], ...] = ()
    assumption_rows: tuple[dict[str, Any], ...] = ()

    @property
    def binding(self) -> pd.DataFrame:
        """What holds each provider's ramp back, phase by phase: provider, first, last (dates), kind, text.

        Kinds are 'gate', 'demand' where nothing holds it, the respect in which the binding worlds are strict
        ('cold_allowance', 'growth', 'fading' of growth with volume, 'hourly_share', 'history', 'cooling' of what is
        established, 'authentication', 'complaints', 'hard_bounces'), the sender's own limits ('frequency_caps',
        'complaint_limit', 'hard_bounce_limit', 'capacity'), and 'segment' where the most engaged segment is used up.
        """
        return self._frame("binding", self.binding_rows)

    @property
    def reliefs(self) -> pd.DataFrame:
        """What each change is worth: name, text, days, effect (in words), chance (of the deadline), changes.

        `days` shifts the median day on which all providers have reached the target, earlier below 0: inf where it is
        then never reached within the horizon, -inf where only then. `changes` fits `Sender.changed`; planned again with
        the same seed, the changed sender arrives that much earlier or later. Nobody waits for a provider whose gate
        stays closed. Earliest first.
        """
        return self._frame("reliefs", self.relief_rows)

    @property
    def assumptions(self) -> pd.DataFrame:
        """What the date hangs on: a row per decisive prior of the providers that hold it back, widest swing first.

        Columns: provider, parameter, title, low, high (10 % and 90 % points), unit, days_low, days_high (shift of the
        median day there, as in `reliefs`), swing, source, confidence, text.
        """
        return self._frame("assumptions", self.assumption_rows)

    def to_frame(self, what: str = "reliefs") -> pd.DataFrame:
        """Return 'binding', 'reliefs' or 'assumptions' as a frame."""
        if what not in _COLUMNS:
            raise InputError(f"An explanation has no '{what}'. It has: {', '.join(_COLUMNS)}.")
        return getattr(self, what)  # type: ignore[no-any-return]

    def summary(self) -> str:
        """Say what holds the plan back, what would help most, and what to find out first."""
        lines = [row["text"] for row in self.binding_rows if row["provider"] == self.holds_back]
        helps = [row for row in self.relief_rows if row["days"] < 0 and not row["name"].startswith("missing_")]
        lines += [f"{row['text'].removesuffix('.')}: {row['effect']}{self._chance_text(row)}." for row in helps[:3]]
        if self.relief_rows and not helps:
            lines.append("Nothing that was tried brings the date nearer.")
        lines += [f"Find this out first. {row['text']}" for row in self.assumption_rows[:1] if row["swing"] > 0]
        if not lines and not self.relief_rows:
            return "Nothing is mailed." if not self.binding_rows else "Nothing holds the plan back."
        return "\n".join(lines or ["Nothing holds the plan back."])

    def note(self) -> str:
        """Say how far to trust the days of the reliefs."""
        return STEPS

    def plot(self, what: str = "reliefs") -> Figure:
        """Return a Plotly figure, not yet shown: 'reliefs', or 'assumptions' as a tornado."""
        from planner import figures

        if what == "reliefs":
            return figures.reliefs(self.reliefs)
        if what == "assumptions":
            return figures.tornado(self.assumptions)
        raise InputError(f"An explanation has no plot '{what}'. It has: reliefs, assumptions.")

    def to_json(self) -> str:
        """Return the explanation as JSON; days are "inf" or "-inf" where a change decides whether it arrives."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False)

    def to_dict(self) -> dict[str, Any]:
        """Return what `to_json` writes."""
        return {
            "format": FORMAT,
            "kind": "explanation",
            "model": MODEL_VERSION,
            "seed": self.seed,
            "summary": self.summary(),
            "sender": self.sender.to_dict(),
            "days": _plain(self.days),
            "chance": self.chance,
            "holds_back": self.holds_back,
            "binding": [_plain_row(row) for row in self.binding_rows],
            "reliefs": [_plain_row(row) for row in self.relief_rows],
            "assumptions": [_plain_row(row) for row in self.assumption_rows],
        }

    @classmethod
    def from_json(cls, text: str) -> Explanation:
        """Return the explanation that `to_json` wrote; nothing is computed again.

        Raises
        ------
        InputError
            If the text is no explanation, or was written by another version of the model.
        """
        data = parse_json(text, what="explanation")
        check_kind(data, "explanation")
        with undamaged("explanation"):
            if data["model"] != MODEL_VERSION:
                raise InputError(f"This explanation was computed by model {data['model']}. Explain the plan again.")
            chance, holds_back = data["chance"], data["holds_back"]
            return cls(
                Sender.from_dict(data["sender"]),
                float(data["days"]),
                None if chance is None else float(chance),
                None if holds_back is None else str(holds_back),
                int(data["seed"]),
                tuple(_read_row("binding", row) for row in data["binding"]),
                tuple(_read_row("reliefs", row) for row in data["reliefs"]),
                tuple(_read_row("assumptions", row) for row in data["assumptions"]),
            )

    def save(self, path: str | Path) -> None:
        """Write `to_json` to a file, atomically."""
        save_text(path, self.to_json())

    @classmethod
    def load(cls, path: str | Path) -> Explanation:
        """Read what `save` wrote."""
        return cls.from_json(read_text(path, "explanation"))

    def _frame(self, what: str, rows: tuple[dict[str, Any], ...]) -> pd.DataFrame:
        import pandas as pd

        return pd.DataFrame(list(rows), columns=list(_COLUMNS[what]))

    def _chance_text(self, row: Mapping[str, Any]) -> str:
        if self.chance is None or not np.isfinite(row["chance"]) or in_100(row["chance"]) == in_100(self.chance):
            return ""
        return f" (deadline {in_100(row['chance'])} instead of {in_100(self.chance)})"


def explain(plan: Plan, *, progress: Progress | None = None, on_part: OnPart | None = None) -> Explanation:
    """Say what holds a plan back, what relief is worth and what its date hangs on.

    Nothing is read off multipliers: each relief is a changed sender that is planned again with the plan's own
    scenarios, luck and choices, and each assumption a prior that is moved to its 10 % and 90 % points.

    Parameters
    ----------
    plan : Plan
    progress : callable, optional
        Called with the share done and a text; stops the work by raising, for instance `Cancelled`.
    on_part : callable, optional
        Called with the explanation so far whenever there is more of it, so that a screen can show what is known.

    Returns
    -------
    Explanation
    """
    from planner.optimizer import resolving
    from planner.optimizer.binding import binding_rows
    from planner.optimizer.reliefs import candidates, measured, promising
    from planner.optimizer.sensitivity import assumption_rows

    tell = _rising(progress or (lambda share, text: None))
    show = on_part or (lambda part: None)
    tell(0.0, "Drawing the plan's scenarios")
    base = resolving.base_of(plan)
    by = plan.sender.target.by
    chance = None if by is None else plan.forecast.p_by(by)
    tell(0.03, "Looking who binds")
    part = Explanation(
        plan.sender, base.days, chance, plan.holds_back(), plan.seed, binding_rows=tuple(binding_rows(base))
    )
    show(part)
    if not base.order:
        return part  # nothing is mailed: the plan's answers say why
    wanted = promising(base, candidates(plan))
    for i, relief in enumerate(wanted):
        share = _within(tell, 0.08 + 0.62 * i / len(wanted), 0.62 / len(wanted), relief.text)
        share(0.0, "")
        row = measured(base, relief, share)
        part = replace(part, relief_rows=_ranked([*part.relief_rows, row]))
        show(part)
    for row in assumption_rows(base, _within(tell, 0.7, 0.3)):
        told = row | {"text": _assumption_text(row, bool(np.isfinite(base.days)))}
        part = replace(part, assumption_rows=_widest([*part.assumption_rows, told]))
        show(part)
    tell(1.0, "Explained")
    return part


def _rising(tell: Progress) -> Progress:
    """Return a progress that never falls back: how much is still to be solved only shows on the way."""
    most = [0.0]

    def rise(share: float, text: str) -> None:
        most[0] = max(most[0], share)
        tell(most[0], text)

    return rise


def _within(tell: Progress, start: float, width: float, what: str = "") -> Progress:
    """Return a progress that fills a part of another's bar, always with the same text if one is given."""
    return lambda share, text: tell(start + width * share, what or text)


def _ranked(rows: list[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
    """Sort by days, and keep only few that change nothing."""
    useless = [row["name"] for row in rows if row["days"] == 0][MOST_USELESS:]
    return tuple(sorted((row for row in rows if row["name"] not in useless), key=lambda row: row["days"]))


def _widest(rows: list[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
    return tuple(sorted(rows, key=lambda row: -row["swing"]))


def _assumption_text(row: Mapping[str, Any], arrives: bool) -> str:
    what = f"{row['title']}, {catalogue().provider(row['provider']).name}"
    if row["swing"] == 0:
        return f"{what}: the date does not hang on it."
    ends = [f"{effect_text(row[f'days_{end}'], arrives)} at {_number(row[end])}" for end in ("low", "high")]
    return f"{what} ({row['unit']}): {' and '.join(ends)}, {_TRUST[row['confidence']]}."


_TRUST = {
    "official": "as the provider says",
    "practitioner": "as practitioners say",
    "inferred": "as we infer",
    "default": "as we guess",
}


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2g}" if value < 1 else f"{value:.3g}"


# --- JSON: infinities as words, what is not known as null, dates as ISO

_DATES = ("first", "last")
_NUMBERS = ("days", "chance", "low", "high", "days_low", "days_high", "swing")


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and not np.isfinite(value):
        return None if np.isnan(value) else str(float(value))
    return value


def _plain_row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _plain(value) for key, value in row.items()}


def _read_row(what: str, row: Mapping[str, Any]) -> dict[str, Any]:
    return {column: _read(column, row[column]) for column in _COLUMNS[what]}


def _read(column: str, value: Any) -> Any:
    if column in _DATES:
        return date.fromisoformat(value)
    if column in _NUMBERS:
        return np.nan if value is None else float(value)
    if column == "changes":
        return dict(value)
    return str(value)
