"""What commands are given: files, schedules and plans, opened or refused in words."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import planner as wp
from planner.cli.output import progress_bar, say

BLOCK_BYTES = 400_000


def asked_scenarios(scenarios: int | None) -> dict[str, Any]:
    """Leave the number to the library where nobody asks for one: the app does the same."""
    return {} if scenarios is None else {"scenarios": scenarios}


def planned_anew(sender: wp.Sender, seed: int) -> wp.Plan:
    """Plan where no plan was given."""
    with progress_bar("Planning") as progress:
        return wp.optimize(sender, seed=seed, progress=progress)


def mailed_only(sender: wp.Sender, provider: str) -> list[str]:
    """Return the one provider to look at; the sender must mail it."""
    if provider not in sender.provider_names:
        known = ", ".join(sender.provider_names)
        raise wp.InputError(f"--provider is '{provider}', whom the sender does not mail. It mails: {known}.")
    return [provider]


def rivals_of(sender: wp.Sender, published: str, files: Sequence[Path]) -> dict[str, wp.Schedule]:
    """Schedules by name: published ones by their id, files by theirs."""
    names = list(dict.fromkeys(name.strip() for name in published.split(",") if name.strip()))
    if published and not names:
        raise wp.InputError("--published is empty. Name schedules, for example onesignal,sendgrid-auto.")
    if not names and not files:
        raise wp.InputError("There is nothing to compare with. Give --published ID, --schedule FILE, or both.")
    rivals = {name: wp.published(name, sender) for name in names}
    for path in files:
        if path.stem in rivals or path.stem == "ours":
            raise wp.InputError(f"Two schedules are called '{path.stem}'. Rename the file.", file=path)
        rivals[path.stem] = read_schedule(path, sender)
    return rivals


def exactly_one(given: dict[str, object]) -> None:
    """Refuse none and several of options that exclude each other."""
    named = [option for option, value in given.items() if value is not None]
    if len(named) != 1:
        found = " and ".join(named) if named else "none"
        raise wp.InputError(f"Give exactly one of {', '.join(given)}; found {found}.")


def schedule_of(sender: wp.Sender, published: str | None, schedule: Path | None, days: int | None) -> wp.Schedule:
    """Return the schedule to follow: a file's, or a published one."""
    if schedule is not None:
        return read_schedule(schedule, sender)
    return wp.published(published or "", sender, days)


def reaction_of(name: str | None, loaded: wp.Plan | None) -> wp.Reaction:
    """Return the reaction that is named, or else the plan's."""
    if name is not None:
        return wp.catalogue().reaction(name)
    return loaded.reaction if loaded else wp.Reaction()


@contextmanager
def opened(path: Path | None) -> Iterator[BinaryIO]:
    """Open a file of replies, or what comes from stdin."""
    if path is None:
        if sys.stdin.isatty():
            say("Paste the replies, then end the input (Ctrl-D).")
        yield sys.stdin.buffer
        return
    check_file(path)
    try:
        with path.open("rb") as stream:
            yield stream
    except OSError as error:
        raise wp.InputError(f"cannot be read: {error.strerror}.", file=path) from None


def blocks_of(stream: BinaryIO) -> Iterator[bytes]:
    """Read whole lines, many at once: a reply may be longer than one."""
    while block := stream.read(BLOCK_BYTES):
        yield block + stream.readline(BLOCK_BYTES)


def load_plan(path: Path, sender: wp.Sender | None = None) -> wp.Plan:
    """Open a saved plan, and say what is old about it."""
    check_file(path)
    try:
        with naming(path):
            loaded = wp.Plan.load(path)
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # whatever an edit left of a plan
        raise wp.InputError("is no whole plan. Save it again; was it edited by hand?", file=path) from error
    for answer in loaded.answers:
        if answer.name == "earlier_model":
            say(f"{path}: {answer.text} {answer.remedy}")
    if sender is not None and loaded.sender != sender:
        say(f"{path} was planned for another version of the sender; it is judged for this one.")
    return loaded


def read_schedule(path: Path, sender: wp.Sender) -> wp.Schedule:
    """Read a table of theirs, and say what was assumed on the way."""
    read = wp.ScheduleFile.read(path, sender)
    for note in read.notes:
        say(f"{path}: {note}")
    return read.schedule


def check_file(path: Path) -> None:
    """Refuse what is no plain file."""
    if not path.is_file():  # a pipe or a device might never end
        raise wp.InputError("is no file. Check the name.", file=path)


@contextmanager
def naming(path: Path | None) -> Iterator[None]:
    """Name the file, if there is one, in what is wrong with its content."""
    try:
        yield
    except wp.InputError as error:
        if path is None:
            raise
        raise wp.InputError(error.message, file=path, line=error.line, field=error.field) from None


def place_of_plan(sender_file: Path, save: Path | None, *, no_save: bool, as_json: bool) -> Path | None:
    """Tell where the plan goes: in text mode it is kept, as the app keeps it."""
    if no_save and save is not None:
        raise wp.InputError("--save and --no-save exclude each other. Keep one.")
    if no_save or (as_json and save is None):
        return None
    return save or Path(f"{sender_file.stem}.plan.json")
