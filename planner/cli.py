"""The `warmup` command: reads files and options, calls `planner`, prints data; messages go to stderr."""

from __future__ import annotations

import io
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from importlib.util import find_spec
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

import planner as wp
from planner.tables import csv_text

if TYPE_CHECKING:
    import pandas as pd

MAX_SCENARIOS = 10_000
"""More would fill the memory of a laptop before they told anything new."""

SHOWN_DOMAINS = SHOWN_ANSWERS = 20
BLOCK_BYTES = 400_000
BAD_INPUT, FAILED, INTERRUPTED = 2, 1, 130

app = typer.Typer(
    help="Plan how fast a new IP, domain or sender may raise its mail volume, and how sure that is.",
    epilog="Exit codes: 0 done (a target out of reach is an answer), 1 failed, 2 bad input, 130 interrupted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

SenderFile = Annotated[Path, typer.Argument(metavar="SENDER.yaml", help="The sender: .yaml, .yml or .json.")]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="The same seed gives the same numbers.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
PlanFile = Annotated[Path | None, typer.Option("--plan", metavar="plan.json", help="A plan saved before.")]
Published = Annotated[str | None, typer.Option("--published", metavar="ID", help="See `warmup schedules`.")]
CsvFile = Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write a table, too.")]


Scenarios = Annotated[
    int | None,
    typer.Option(min=1, max=MAX_SCENARIOS, help="Joint draws of the unknowns; as many as the app's if left out."),
]


# --- commands


@app.command()
def plan(
    sender_file: SenderFile,
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="plan.json",
            help="Where to keep the plan; else SENDER.plan.json in this folder, or nowhere with --json.",
        ),
    ] = None,
    no_save: Annotated[bool, typer.Option("--no-save", help="Keep nothing.")] = False,
    csv: CsvFile = None,
    risk: Annotated[
        str | None,
        typer.Option(
            metavar="balanced|0.10",
            help="balanced, or the accepted chance of a throttled day per provider; else the file's.",
        ),
    ] = None,
    seed: Seed = 0,
    scenarios: Scenarios = None,
    as_json: AsJson = False,
) -> None:
    """Compute the ramp: what to send to whom on which day, and how sure it is to reach the target."""
    sender = wp.Sender.load(sender_file)
    accepted = None if risk is None else sender.changed({"risk": risk}).risk
    kept = _kept(sender_file, save, no_save=no_save, as_json=as_json)
    _check_places(sender_file, kept, csv)
    with _progress("Planning") as progress:
        made = wp.optimize(sender, risk=accepted, seed=seed, progress=progress, **_asked(scenarios))
    if kept is not None:
        made.save(kept)
        _say(f"Saved {kept}.")
    if csv is not None:
        _write_table(csv, made.to_frame().round(6))
    _print(made.to_json() if as_json else _plan_report(made))


@app.command()
def simulate(
    sender_file: SenderFile,
    published: Published = None,
    schedule: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="CSV or Excel: a row per day and a column per provider, or our own table."),
    ] = None,
    plan_file: PlanFile = None,
    days: Annotated[
        int | None, typer.Option(min=1, max=730, help="Length of the simulation, with --published.")
    ] = None,
    reaction: Annotated[
        str | None, typer.Option(metavar="ID", help="What the sender does the morning after trouble.")
    ] = None,
    no_reaction: Annotated[bool, typer.Option("--no-reaction", help="Follow the schedule blindly.")] = False,
    csv: CsvFile = None,
    seed: Seed = 0,
    scenarios: Scenarios = None,
    as_json: AsJson = False,
) -> None:
    """Tell what happens to a schedule: a published one, one of your own, or a plan's."""
    sender = wp.Sender.load(sender_file)
    _check_places(sender_file, csv)
    _exactly_one({"--published": published, "--schedule": schedule, "--plan": plan_file})
    if days is not None and published is None:
        raise wp.InputError("--days goes with --published. Other schedules bring their own days.")
    if no_reaction and reaction is not None:
        raise wp.InputError("--reaction and --no-reaction exclude each other. Keep one.")
    loaded = None if plan_file is None else _load_plan(plan_file, sender)
    followed = loaded.schedule if loaded else _schedule(sender, published, schedule, days)
    with _progress("Simulating") as progress, _about(schedule):
        forecast = wp.simulate(
            sender,
            followed,
            loaded.retry if loaded else None,
            reaction=None if no_reaction else _reaction(reaction, loaded),
            seed=seed,
            progress=progress,
            **_asked(scenarios),
        )
    if csv is not None:
        _write_table(csv, forecast.to_frame().round(6))
    _print(forecast.to_json() if as_json else _forecast_report(forecast))


@app.command()
def compare(
    sender_file: SenderFile,
    published: Annotated[
        str, typer.Option(metavar="ID,ID,...", help="Published schedules; see `warmup schedules`.")
    ] = "",
    schedule: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="A table of yours, CSV or Excel; may be given several times."),
    ] = None,
    plan_file: PlanFile = None,
    reaction: Annotated[
        str | None, typer.Option(metavar="ID", help="What follows trouble, for all but our plan, which has its own.")
    ] = None,
    csv: CsvFile = None,
    seed: Seed = 0,
    scenarios: Scenarios = None,
    as_json: AsJson = False,
) -> None:
    """Judge published schedules and your own beside our plan, on the same scenarios, with and without reaction."""
    sender = wp.Sender.load(sender_file)
    _check_places(sender_file, csv)
    rivals = _rivals(sender, published, schedule or [])
    reacts = _reaction(reaction, None)
    ours = _load_plan(plan_file, sender) if plan_file else _planned(sender, seed)
    with _progress("Comparing") as progress:
        comparison = wp.compare(
            sender, {"ours": ours, **rivals}, reaction=reacts, seed=seed, progress=progress, **_asked(scenarios)
        )
    if csv is not None:
        _write_table(csv, comparison.to_frame().round(6))
    _print(comparison.to_json() if as_json else _comparison_report(comparison))


@app.command()
def retries(
    sender_file: SenderFile,
    plan_file: PlanFile = None,
    provider: Annotated[
        str | None, typer.Option(metavar="ID", help="Only this mailbox provider; see `warmup providers`.")
    ] = None,
    csv: CsvFile = None,
    seed: Seed = 0,
    scenarios: Scenarios = None,
    as_json: AsJson = False,
) -> None:
    """Advise when to try deferred mail again, beside what mail servers do by default."""
    sender = wp.Sender.load(sender_file)
    _check_places(sender_file, csv)
    only = None if provider is None else _mailed(sender, provider)
    ours = _load_plan(plan_file, sender) if plan_file else _planned(sender, seed)
    with _progress("Searching") as progress:
        advice = wp.advise_retries(
            sender,
            ours.schedule,
            reaction=ours.reaction,
            seed=seed,
            providers=only,
            progress=progress,
            **_asked(scenarios),
        )
    if csv is not None:
        _write_table(csv, advice.to_frame().round(6))
    _print(advice.to_json() if as_json else _retries_report(advice))


@app.command()
def explain(
    sender_file: SenderFile,
    plan_file: PlanFile = None,
    csv: CsvFile = None,
    seed: Seed = 0,
    scenarios: Scenarios = None,
    as_json: AsJson = False,
) -> None:
    """Tell what holds the plan back, what would help by how many days, and what the date hangs on."""
    sender = wp.Sender.load(sender_file)
    _check_places(sender_file, csv)
    if plan_file is not None:
        made = _load_plan(plan_file)
        if made.sender != sender:
            raise wp.InputError("was planned for another sender. Plan again, or leave --plan out.", file=plan_file)
    else:
        with _progress("Planning") as progress:
            made = wp.optimize(sender, seed=seed, progress=progress, **_asked(scenarios))
    with _progress("Explaining") as progress:
        explanation = wp.explain(made, progress=progress)
    if csv is not None:
        _write_table(csv, explanation.to_frame().drop(columns="changes").round(6))
    _print(explanation.to_json() if as_json else _explanation_report(explanation, made))


@app.command()
def diagnose(
    text: Annotated[
        str | None, typer.Argument(metavar="TEXT", help="What the server said, in quotes; - reads many from stdin.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A log, a bounce message, or replies one a line.")
    ] = None,
    csv: CsvFile = None,
    as_json: AsJson = False,
) -> None:
    """Tell what a reply such as 421 means and what to do, or count the causes of many; no address is kept."""
    _exactly_one({"TEXT": text, "--file": file})
    _check_places(file, csv, what="file of replies")
    if text is not None and text != "-":
        found, one = wp.diagnose_all(text), wp.diagnose(text)
    else:
        with _progress("Diagnosing"), _opened(file) as stream:
            found = wp.diagnose_all(_blocks(stream))
        one = None
    if csv is not None:
        _write_table(csv, found.to_frame())
    if as_json:
        _print((one or found).to_json())
    else:
        _print(found[0].ticket() if len(found) == 1 else _diagnoses_report(found))


@app.command()
def draw(
    sender_file: SenderFile,
    csv: CsvFile = None,
    seed: Seed = 0,
    scenarios: Scenarios = None,
    as_json: AsJson = False,
) -> None:
    """Draw beliefs about the providers, and show how far each unknown reaches."""
    sender = wp.Sender.load(sender_file)
    _check_places(sender_file, csv)
    frame = wp.draw(sender, seed=seed, **_asked(scenarios)).to_frame()
    if csv is not None:
        _write_table(csv, frame)
    _print(_records(frame) if as_json else _beliefs_report(frame))


@app.command()
def audience(
    list_file: Annotated[
        Path, typer.Argument(metavar="LIST", help="Addresses or domains: CSV, TSV or one a line; gzip, too.")
    ],
    sender_file: Annotated[
        Path | None, typer.Option("--sender", metavar="SENDER.yaml", help="The sender that gets this audience.")
    ] = None,
    save: Annotated[
        Path | None, typer.Option(metavar="SENDER.yaml", help="Where to write the sender with this audience.")
    ] = None,
    column: Annotated[str | None, typer.Option(metavar="NAME", help="Column of addresses or domains.")] = None,
    lookup_mx: Annotated[
        bool, typer.Option("--lookup-mx", help="Ask the DNS who takes the mail of unknown domains.")
    ] = False,
    map_file: Annotated[
        Path | None,
        typer.Option("--map", metavar="FILE", help="CSV or Excel with columns domain, provider: what you know."),
    ] = None,
    unmapped: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="Write the unknown domains, to be filled in for --map.")
    ] = None,
    day_first: Annotated[
        bool | None, typer.Option("--day-first/--month-first", help="How to read 03/04/2026, if the list cannot tell.")
    ] = None,
    csv: CsvFile = None,
    as_json: AsJson = False,
) -> None:
    """Count a list of addresses by provider and engagement; nobody's name is kept."""
    if (sender_file is None) != (save is None):
        raise wp.InputError("--sender and --save go together: the sender to change, and where to write it.")
    for what, given in (("list", list_file), ("sender", sender_file), ("mapping", map_file)):
        _check_places(given, save, csv, unmapped, what=what)
    sender = None if sender_file is None else wp.Sender.load(sender_file)
    with _progress("Reading the list") as progress:
        found = wp.read_audience(
            list_file, column=column, mapping=map_file, lookup_mx=lookup_mx, day_first=day_first, progress=progress
        )
    if sender is not None and save is not None:
        found.for_sender(sender).save(save)
        rates = " Segments that are new have usual rates of complaints and hard bounces: write yours, if you know them."
        _say(f"Wrote {save}.{rates if found.has_dates else ''}")
    if csv is not None:
        _write_table(csv, found.to_frame())
    if unmapped is not None:
        _write_table(unmapped, found.unmapped.assign(provider=""))
    _print(found.to_json() if as_json else _audience_report(found))


@app.command()
def schedules(as_json: AsJson = False) -> None:
    """List the published schedules."""
    known = wp.catalogue().schedules
    rows = [
        (key, one.publisher, one.authority, f"per {one.per}", f"{one.length} days", one.same_as or "")
        for key, one in sorted(known.items())
    ]
    headers = ("id", "publisher", "authority", "volumes", "length", "copy of")
    _print(_documents(known) if as_json else _table(headers, rows, left=6))


@app.command()
def providers(as_json: AsJson = False) -> None:
    """List the mailbox providers."""
    known = wp.catalogue().providers
    rows = [
        (key, one.name, one.limiter_scope.replace("_", " "), "asks first" if one.gate else "")
        for key, one in sorted(known.items())
    ]
    headers = ("id", "name", "one limit per", "gate")
    _print(_documents(known) if as_json else _table(headers, rows, left=4))


@app.command("app")
def open_app(
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port on this computer.")] = 8501,
) -> None:
    """Open the planner in the browser; it listens on this computer only."""
    if find_spec("streamlit") is None:
        remedy = "Install the extra: pip install 'warmup-planner[app]'."
        raise wp.PlannerError(f"The app needs Streamlit, which is not installed. {remedy}")
    address = ["--server.address", "127.0.0.1", "--server.port", str(port)]
    command = [sys.executable, "-m", "streamlit", "run", str(_script()), *address]
    if os.name == "nt":  # there, a program cannot take another's place
        raise typer.Exit(subprocess.call(command))  # noqa: S603 - our own script, and a port that is a number
    os.execv(sys.executable, command)  # noqa: S606 - as above; signals then reach the app itself


def _script() -> Path:
    """Find the app with its settings beside it: in the package, or at the top of a clone."""
    package = Path(wp.__file__).parent
    screens = package / "ui"
    return screens / "main.py" if (screens / ".streamlit").is_dir() else package.parent / "app.py"


@app.callback(invoke_without_command=True)
def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        _print(wp.__version__)
        raise typer.Exit


def main() -> None:
    """Run the command line: what people got wrong becomes one message and exit code 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that knows no dash must not end the program
            stream.reconfigure(errors="backslashreplace")
    try:
        app(prog_name="warmup")
    except wp.PlannerError as error:
        _say(str(error), style="red")
        sys.exit(BAD_INPUT if isinstance(error, wp.InputError) else FAILED)


# --- what comes in


def _asked(scenarios: int | None) -> dict[str, Any]:
    """Leave the number to the library where nobody asks for one: the app does the same."""
    return {} if scenarios is None else {"scenarios": scenarios}


def _planned(sender: wp.Sender, seed: int) -> wp.Plan:
    """Plan where no plan was given."""
    with _progress("Planning") as progress:
        return wp.optimize(sender, seed=seed, progress=progress)


def _mailed(sender: wp.Sender, provider: str) -> list[str]:
    if provider not in sender.provider_names:
        known = ", ".join(sender.provider_names)
        raise wp.InputError(f"--provider is '{provider}', whom the sender does not mail. It mails: {known}.")
    return [provider]


def _rivals(sender: wp.Sender, published: str, files: Sequence[Path]) -> dict[str, wp.Schedule]:
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
        rivals[path.stem] = _read_schedule(path, sender)
    return rivals


def _exactly_one(given: dict[str, object]) -> None:
    named = [option for option, value in given.items() if value is not None]
    if len(named) != 1:
        found = " and ".join(named) if named else "none"
        raise wp.InputError(f"Give exactly one of {', '.join(given)}; found {found}.")


def _schedule(sender: wp.Sender, published: str | None, schedule: Path | None, days: int | None) -> wp.Schedule:
    if schedule is not None:
        return _read_schedule(schedule, sender)
    return wp.published(published or "", sender, days)


def _reaction(name: str | None, loaded: wp.Plan | None) -> wp.Reaction:
    if name is not None:
        return wp.catalogue().reaction(name)
    return loaded.reaction if loaded else wp.Reaction()


@contextmanager
def _opened(path: Path | None) -> Iterator[BinaryIO]:
    """Open a file of replies, or what comes from stdin."""
    if path is None:
        if sys.stdin.isatty():
            _say("Paste the replies, then end the input (Ctrl-D).")
        yield sys.stdin.buffer
        return
    _check_file(path)
    try:
        with path.open("rb") as stream:
            yield stream
    except OSError as error:
        raise wp.InputError(f"cannot be read: {error.strerror}.", file=path) from None


def _blocks(stream: BinaryIO) -> Iterator[bytes]:
    """Read whole lines, many at once: a reply may be longer than one."""
    while block := stream.read(BLOCK_BYTES):
        yield block + stream.readline(BLOCK_BYTES)


def _load_plan(path: Path, sender: wp.Sender | None = None) -> wp.Plan:
    _check_file(path)
    try:
        with _about(path):
            loaded = wp.Plan.load(path)
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # whatever an edit left of a plan
        raise wp.InputError("is no whole plan. Save it again; was it edited by hand?", file=path) from error
    for answer in loaded.answers:
        if answer.name == "earlier_model":
            _say(f"{path}: {answer.text} {answer.remedy}")
    if sender is not None and loaded.sender != sender:
        _say(f"{path} was planned for another version of the sender; it is judged for this one.")
    return loaded


def _read_schedule(path: Path, sender: wp.Sender) -> wp.Schedule:
    """Read a table of theirs, and say what was assumed on the way."""
    read = wp.ScheduleFile.read(path, sender)
    for note in read.notes:
        _say(f"{path}: {note}")
    return read.schedule


def _check_file(path: Path) -> None:
    if not path.is_file():  # a pipe or a device might never end
        raise wp.InputError("is no file. Check the name.", file=path)


@contextmanager
def _about(path: Path | None) -> Iterator[None]:
    """Name the file, if there is one, in what is wrong with its content."""
    try:
        yield
    except wp.InputError as error:
        if path is None:
            raise
        raise wp.InputError(error.message, file=path, line=error.line, field=error.field) from None


# --- where results go


def _kept(sender_file: Path, save: Path | None, *, no_save: bool, as_json: bool) -> Path | None:
    """Tell where the plan goes: in text mode it is kept, as the app keeps it."""
    if no_save and save is not None:
        raise wp.InputError("--save and --no-save exclude each other. Keep one.")
    if no_save or (as_json and save is None):
        return None
    return save or Path(f"{sender_file.stem}.plan.json")


def _check_places(given: Path | None, *places: Path | None, what: str = "sender") -> None:
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


def _write_table(path: Path, frame: pd.DataFrame) -> None:
    """Write a CSV file whole or not at all; no cell is taken for a formula by a spreadsheet."""
    text = csv_text(frame)
    draft = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}.tmp")
    try:
        draft.write_text(text, encoding="utf-8", newline="\n")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise wp.InputError(f"cannot be written: {error.strerror}. Choose another place.", file=path) from None
    _say(f"Wrote {path}.")


def _print(text: str) -> None:
    typer.echo(text)


def _say(text: str, style: str | None = None) -> None:
    """Tell a person something that is not data."""
    Console(stderr=True).print(text, style=style, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _progress(what: str) -> Iterator[Callable[..., None]]:
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
            _say("Stopped; nothing was written.")
            raise typer.Exit(INTERRUPTED) from None


# --- what people read


def _plan_report(made: wp.Plan) -> str:
    first = made.tomorrow()
    names = [str(name) for name in first["provider"]]
    headers = [_day(made.first_day()), "messages", "per hour"]
    columns = [names, map(_whole, first["messages"]), map(_whole, first["per_hour"])]
    if len(made.schedule.segments) > 1:  # whom, most engaged first
        whom = made.recipients().pivot(index="provider", columns="segment", values="messages")
        for segment in made.schedule.segments:
            if segment in whom:
                headers.append(segment)
                columns.append(map(_whole, whom[segment].reindex(names, fill_value=0).fillna(0)))
    day = _table(headers, list(zip(*columns, strict=True)))
    return "\n\n".join([made.summary(), day, _ramp(made.schedule)])


def _ramp(schedule: wp.Schedule) -> str:
    """Daily volumes until nothing rises any more."""
    total = schedule.total  # (providers, days)
    sent = [d for d in range(len(schedule.dates)) if total[:, d].any()]
    rising = [d for d in sent if d == 0 or (total[:, d] > total[:, :d].max(axis=1)).any()]
    shown = [d for d in sent if d <= max(rising, default=-1)]
    start = schedule.dates[0]
    rows = [
        (_day(schedule.dates[d], start), _whole(total[:, d].sum()), *map(_whole, total[:, d].tolist())) for d in shown
    ]
    if not rows:
        return "Nothing can be sent."
    rest = f"\nFrom then on nothing rises, up to {_day(schedule.dates[-1])}." if sent[-1] > shown[-1] else ""
    return _table(("ramp", "all", *schedule.providers), rows) + rest


def _forecast_report(forecast: wp.Forecast) -> str:
    start = forecast.days[0]
    reach = forecast.reach().to_dict("records")  # one row more: all providers together
    rows = []
    for days, sums in zip(reach, forecast.totals().to_dict("records"), strict=False):
        sent = max(sums["injected"], 1.0)
        dates = (_reached(start, days[q]) for q in ("q10", "q50", "q90"))
        shares = (sums["risk"], sums["delayed"] / sent, (sums["blocked"] + sums["expired"]) / sent)
        rows.append((sums["provider"], *dates, *map(_percent, shares)))
    headers = ("provider", "target: 10 %", "50 %", "90 %", "throttled day", "mail late", "mail lost")
    return "\n\n".join([forecast.summary(), _table(headers, rows)])


def _comparison_report(comparison: wp.Comparison) -> str:
    frame = comparison.to_frame()
    deadline = bool(frame["by_deadline"].notna().any())
    rows = [
        (
            _short(str(row["name"])),
            "reacts" if row["reaction"] else "blindly",
            *(_days(row[q]) for q in ("q10", "q50", "q90")),
            _percent(row["missing"]),
            *((_percent(row["by_deadline"]),) if deadline else ()),
            f"{row['wrong_days']:.1f}",
            f"{row['throttled_providers']:.1f}",
            _percent(row["p_421"]),
            f"{row['delay']:.1f} h",
            _percent(row["delayed"]),
            _percent(row["lost"]),
        )
        for row in frame.to_dict("records")
    ]
    by = ("in time",) if deadline else ()
    when = ("days: 10 %", "50 %", "90 %", "never", *by)
    headers = ("schedule", "sender", *when, "throttled", "at", "421s", "delay", "late", "lost")
    legend = "throttled: days, summed over the providers; at: providers; 421s: first attempts; late, lost: of all mail"
    return "\n\n".join([comparison.summary(), _table(headers, rows, left=2), legend])


def _short(name: str) -> str:
    return name if len(name) <= 24 else f"{name[:23]}…"


def _audience_report(found: wp.AddressList) -> str:
    """Providers by segments; below it the domains that somebody may know."""
    table = found.to_frame().pivot_table("addresses", "provider", "segment", sort=False)
    size = found.audience.size or 1
    sums = [(str(name), [float(n) for n in parts]) for name, parts in zip(table.index, table.to_numpy(), strict=True)]
    rows = [
        (name, _whole(sum(n)), _percent(sum(n) / size), *map(_whole, n if found.has_dates else ())) for name, n in sums
    ]
    segments = [str(name).removeprefix("engaged in ") for name in table.columns] if found.has_dates else []
    counts = _table(("provider", "addresses", "share", *segments), rows)
    parts = [found.summary(), counts]
    if found.other_domains:
        first = list(found.other_domains.items())[:SHOWN_DOMAINS]
        more = len(found.other_domains) - len(first)
        rest = f"\nand {_whole(more)} more domains; --unmapped FILE.csv writes them all." if more else ""
        parts.append(_table(("of no known provider", "addresses"), [(name, _whole(n)) for name, n in first]) + rest)
    return "\n\n".join(parts)


def _retries_report(advice: wp.RetryAdvice) -> str:
    """The advice in words, and below it how the policies do, provider by provider."""
    from planner.vocabulary import duration

    frame = advice.to_frame()
    tables = []
    for name, own in frame[frame["kind"] != "searched"].groupby("provider", sort=False):
        rows = [
            (
                row["policy"],
                duration(row["mean_delay"]),
                duration(row["p95_delay"]),
                _number(row["wasted"]),
                _percent(row["expired"]),
                f"{row['score']:.2f}",
                "" if row["kind"] == "advised" else f"{row['score_more']:+.2f} ± {row['se']:.2f}",
            )
            for row in own.sort_values("score").to_dict("records")
        ]
        headers = (str(name), "late, mean", "late, 95 %", "wasted", "expired", "score", "to the advised")
        tables.append(_table(headers, rows))
    legend = (
        "late: mail deferred at first, expired mail as five days; wasted: deferred attempts per delivered message;\n"
        "score: minutes per delivered message, less is better; judged on fresh scenarios"
    )
    return "\n\n".join([advice.summary(), *tables, legend])


def _explanation_report(explanation: wp.Explanation, made: wp.Plan) -> str:
    held = [(str(row["provider"]), str(row["text"])) for row in explanation.binding.to_dict("records")]
    rows = [
        (
            row,
            (
                str(row["text"]),
                str(row["effect"]),
                *([_percent(row["chance"])] if explanation.chance is not None else []),
            ),
        )
        for row in explanation.reliefs.to_dict("records")
    ]
    helps = [cells for row, cells in rows if not row["name"].startswith(wp.Explanation.COSTS)]
    costs = [cells for row, cells in rows if row["name"].startswith(wp.Explanation.COSTS)]
    hangs = [
        (*(str(row[key]) for key in ("provider", "title", "unit", "confidence")), *_ends(row))
        for row in explanation.assumptions.to_dict("records")
        if row["swing"] > 0
    ]
    deadline = ("deadline kept",) if explanation.chance is not None else ()
    parts = [
        explanation.summary(),
        _table(("what holds it back", ""), held, left=2),
        _table(("what a change is worth", "the target", *deadline), helps, left=2) + f"\n{explanation.note()}",
        _table(("what it would cost", "the target", *deadline), costs, left=2),
        _table(("find out first", "", "unit", "confidence", "10 %", "days", "90 %", "days"), hangs, left=4),
    ]
    tables = (rows for rows in ([()], held, helps, costs, hangs))
    return "\n\n".join([made.headline(), *(part for part, rows in zip(parts, tables, strict=True) if rows)])


def _ends(row: Mapping[Any, Any]) -> Iterator[str]:
    """Say a prior's 10 % and 90 % points, each with the days it adds."""
    for end in ("low", "high"):
        days = row[f"days_{end}"]
        yield _number(row[end])
        yield f"{days:+.0f}" if isfinite(days) else "never" if days > 0 else "at all"


def _diagnoses_report(found: wp.Diagnoses) -> str:
    """Count the answers, the most frequent first."""
    rows = [
        (
            _whole(one.count),
            one.provider_name or "",
            " ".join(filter(None, (str(one.code or ""), one.enhanced))),
            {True: "passes", False: "permanent", None: ""}[one.temporary],
            str(one.cause or one.kind),
            (one.tomorrow or "").replace("_", " "),
            one.text if len(one.text) <= 60 else f"{one.text[:59]}…",
        )
        for one in found[:SHOWN_ANSWERS]
    ]
    more = len(found) - len(rows)
    rest = f"\nand {_whole(more)} more; --csv FILE writes them all." if more else ""
    headers = ("times", "provider", "code", "", "cause", "tomorrow", "the first of them")
    return "\n\n".join([found.summary(), _table(headers, rows, left=7) + rest])


def _beliefs_report(frame: pd.DataFrame) -> str:
    """One line for each unknown; what has no spread is none."""
    values = frame.groupby(["provider", "parameter"], sort=False)["value"]
    table = [(*names, *group.quantile([0.05, 0.5, 0.95])) for names, group in values]
    facts = wp.catalogue()
    rows = []
    for name, parameter, low, middle, high in table:
        if low < high:
            prior = facts.provider(name).priors[parameter]
            points = map(_number, (low, middle, high))
            rows.append((name, parameter, prior.unit, prior.confidence.value, *points))
    headers = ("provider", "parameter", "unit", "confidence", "5 %", "50 %", "95 %")
    title = f"{frame['scenario'].nunique():,} scenarios; 5, 50 and 95 % points of what is not known for certain"
    return "\n\n".join([title, _table(headers, rows, left=4)])


def _table(headers: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
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


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share < 0.1 else f"{100 * share:.0f} %"


def _day(day: date, since: date | None = None) -> str:
    """Say a date in full, or briefly beside a date that tells the year."""
    from planner.vocabulary import day_text, short_day

    return day_text(day) if since is None else short_day(day, since)


def _reached(start: date, days: float) -> str:
    return _day(start + timedelta(days=int(days)), start) if isfinite(days) else "never"


def _days(days: float) -> str:
    return f"{days:.0f}" if isfinite(days) else "never"


def _records(frame: pd.DataFrame) -> str:
    return str(frame.to_json(orient="split", index=False, double_precision=15))


def _documents(known: dict[str, Any]) -> str:
    return json.dumps([known[key].model_dump(mode="json") for key in sorted(known)], ensure_ascii=False)
