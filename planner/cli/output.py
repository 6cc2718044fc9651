"""What commands print and write: data to stdout, messages to stderr, tables that read the same everywhere."""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

import planner as wp
from planner.tables import csv_text

if TYPE_CHECKING:
    import pandas as pd

INTERRUPTED = 130


def check_places(given: Path | None, *places: Path | None, what: str = "sender") -> None:
    """Refuse before the work what could not be written after it."""
    wanted = [place for place in places if place is not None]
    for place in wanted:
        if place.is_dir() or place.name == "-":
            raise wp.InputError("is no file name. Name a file; --json prints to stdout.", file=place)
        if not place.parent.is_dir():
            raise wp.InputError("cannot be written: there is no such folder. Make it first.", file=place)
        if not os.access(place.parent, os.W_OK):
            raise wp.InputError("cannot be written: the folder is read-only. Choose another.", file=place)
        if given is not None and place.resolve() == given.resolve():
            raise wp.InputError(f"is the {what} itself. Choose another name for the result.", file=place)
    if len({place.resolve() for place in wanted}) < len(wanted):
        raise wp.InputError("is named for two results. Give each its own file.", file=wanted[0])


def write_table(path: Path, frame: pd.DataFrame) -> None:
    """Write a CSV file whole or not at all; no cell is taken for a formula by a spreadsheet."""
    text = csv_text(frame)
    draft = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}.tmp")
    try:
        draft.write_text(text, encoding="utf-8", newline="\n")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise wp.InputError(f"cannot be written: {error.strerror}. Choose another place.", file=path) from None
    say(f"Wrote {path}.")


def print_out(text: str) -> None:
    """Print data."""
    typer.echo(text)


def say(text: str, style: str | None = None) -> None:
    """Tell a person something that is not data."""
    Console(stderr=True).print(text, style=style, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[..., None]]:
    """Show long work on a terminal, and nowhere else; an interrupt ends it with a word."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(what, total=1.0)

        def report(share: float, text: str = "") -> None:
            bar.update(task, completed=share, description=text or what)

        try:
            yield report
        except KeyboardInterrupt:
            bar.stop()
            say("Stopped; nothing was written.")
            raise typer.Exit(INTERRUPTED) from None


# --- tables and words


def aligned(headers: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """Align columns, the first `left` of them to the left; the same text on a terminal and in a file."""
    lines = [tuple(headers), *(tuple(row) for row in rows)]
    widths = [max(len(line[c]) for line in lines) for c in range(len(headers))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if c < left else cell.rjust(width)
            for c, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def whole_said(value: float) -> str:
    """Say a count."""
    return f"{value:,.0f}"


def number_said(value: float) -> str:
    """Say any number with three digits."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def percent_said(share: float) -> str:
    """Say a share in percent."""
    return f"{100 * share:.1f} %" if share < 0.1 else f"{100 * share:.0f} %"


def day_said(day: date, since: date | None = None) -> str:
    """Say a date in full, or briefly beside a date that tells the year."""
    from planner.vocabulary import day_text, short_day

    return day_text(day) if since is None else short_day(day, since)


def reached_said(start: date, days: float) -> str:
    """Say the date so many days after the start."""
    return day_said(start + timedelta(days=int(days)), start) if isfinite(days) else "never"


def days_said(days: float) -> str:
    """Say a number of days."""
    return f"{days:.0f}" if isfinite(days) else "never"


def records_of(frame: pd.DataFrame) -> str:
    """Return a table as JSON."""
    return str(frame.to_json(orient="split", index=False, double_precision=15))


def documents_of(known: dict[str, Any]) -> str:
    """Return entries of the catalogue as JSON."""
    return json.dumps([known[key].model_dump(mode="json") for key in sorted(known)], ensure_ascii=False)
