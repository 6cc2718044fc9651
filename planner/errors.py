"""What can go wrong, as one tree of exceptions.

PlannerError        anything this project raises on purpose
├── InputError      what people wrote cannot be understood: says where, and what to do
└── Cancelled       a progress callback asked long work to stop
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path


class PlannerError(Exception):
    """Anything this project raises on purpose."""


class InputError(PlannerError):
    """What people wrote cannot be understood.

    Parameters
    ----------
    message : str
        What is wrong, with the value and the field, and what to do about it.
    file : str or Path, optional
        Where it was read; shown before the message.
    line : int, optional
        Line of the file, from 1.
    field : str, optional
        Dotted name such as ``audience.segments[1].share``, for a screen that shows the message beside it.
    others : sequence of InputError, optional
        Further problems of the same input, each shown on a line of its own.

    Examples
    --------
    >>> str(InputError("target.volume is -5. Write a number above 0.", file="newsletter.yaml", line=14))
    'newsletter.yaml:14: target.volume is -5. Write a number above 0.'
    """

    def __init__(
        self,
        message: str,
        *,
        file: str | Path | None = None,
        line: int | None = None,
        field: str | None = None,
        others: Sequence[InputError] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.file = None if file is None else str(file)
        self.line = line
        self.field = field
        self.others = tuple(others)

    def __str__(self) -> str:
        """Give the message behind ``file:line:``, as far as they are known, and further problems below."""
        return "\n".join([self._place() + self.message, *map(str, self.others)])

    def __reduce__(self) -> tuple[object, ...]:
        """Survive pickling, since work runs in many processes."""
        make = partial(type(self), file=self.file, line=self.line, field=self.field, others=self.others)
        return make, (self.message,)

    @property
    def problems(self) -> tuple[InputError, ...]:
        """Each problem on its own, for a screen that shows it beside its field."""
        return (InputError(self.message, file=self.file, line=self.line, field=self.field), *self.others)

    def _place(self) -> str:
        if self.file is None:
            return "" if self.line is None else f"line {self.line}: "
        return f"{self.file}: " if self.line is None else f"{self.file}:{self.line}: "


class Cancelled(PlannerError):
    """A progress callback raises this to stop long work."""
