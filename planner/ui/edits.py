"""What people change in a planned schedule: cells typed over it, cells kept while the rest is planned again; undo."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

import planner as wp

if TYPE_CHECKING:
    import pandas as pd

Cells = Mapping[str, Mapping[date, int]]
"""Messages by provider and day."""

MOST_STEPS = 100


@dataclass(frozen=True)
class Edits:
    """Changes of a plan's schedule.

    Attributes
    ----------
    locked : mapping of provider to mapping of date to messages
        The rest was planned again around these.
    typed : likewise
        Typed over that since.
    """

    locked: Cells = field(default_factory=dict)
    typed: Cells = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.locked or self.typed)

    @property
    def cells(self) -> Cells:
        """All cells that somebody has set."""
        return over(self.locked, self.typed)


@dataclass(frozen=True)
class History:
    """Edits one after another.

    Attributes
    ----------
    steps : tuple of Edits
        The last one counts; without any the plan stays as it is.
    shown : Edits
        What the table on screen was drawn from: it must not change while people type into it.
    edition : int
        Number of that table.
    """

    steps: tuple[Edits, ...] = ()
    shown: Edits = field(default_factory=Edits)
    edition: int = 0

    @property
    def now(self) -> Edits:
        """What counts."""
        return self.steps[-1] if self.steps else Edits()

    def typed(self, cells: Cells) -> History:
        """Note what was typed into the table on screen, all of it since it was drawn."""
        now = replace(self.shown, typed=over(self.shown.typed, cells))
        return self if now == self.now else replace(self, steps=(*self.steps, now)[-MOST_STEPS:])

    def changed(self, cells: Cells) -> History:
        """Change cells from elsewhere, as one more step."""
        now = replace(self.now, typed=over(self.now.typed, cells))
        return self if now == self.now else self._drawn_again((*self.steps, now))

    def locked(self) -> History:
        """Keep every cell that was set, and plan the rest again."""
        return self._drawn_again((*self.steps, Edits(locked=self.now.cells)))

    def undone(self) -> History:
        """Take the last step back."""
        return self._drawn_again(self.steps[:-1])

    def dropped(self) -> History:
        """Go back to the plan, as one more step."""
        return self._drawn_again((*self.steps, Edits())) if self.now else self

    def _drawn_again(self, steps: tuple[Edits, ...]) -> History:
        return History(steps[-MOST_STEPS:], steps[-1] if steps else Edits(), self.edition + 1)


def over(below: Cells, above: Cells) -> Cells:
    """Lay cells over others."""
    return {name: {**below.get(name, {}), **above.get(name, {})} for name in {**below, **above}}


def sheet(sender: wp.Sender, schedule: wp.Schedule) -> pd.DataFrame:
    """Return the table that is edited: a row per day with mail by its date, a column per provider, whole messages."""
    import pandas as pd

    asked = np.flatnonzero(sender.demand(len(schedule.dates)).any(axis=0))
    days = [schedule.dates[d] for d in asked]
    return pd.DataFrame(schedule.total.T[asked].astype(int), index=days, columns=list(schedule.providers))


def read(sender: wp.Sender, frame: pd.DataFrame, edited_rows: Mapping[int, Mapping[str, Any]]) -> Cells:
    """Return the cells that a person typed into the table, each at most what that day asks for, or held before."""
    last = frame.index[-1] if len(frame) else sender.start
    demand = sender.demand((last - sender.start).days + 1)
    cells: dict[str, dict[date, int]] = {}
    for row, values in edited_rows.items():
        day = frame.index[int(row)]
        for name, value in values.items():
            if name in sender.provider_names:
                asked = demand[sender.provider_names.index(name), (day - sender.start).days]
                most = max(int(asked), int(frame.loc[day, name]))
                cells.setdefault(name, {})[day] = min(max(0, round(value or 0)), most)
    return cells
