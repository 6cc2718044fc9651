"""The commands that plan, judge and explain."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

import planner as wp
from planner.cli.application import AsJson, CsvFile, PlanFile, Published, Scenarios, Seed, SenderFile, app
from planner.cli.given import (
    asked_scenarios,
    blocks_of,
    exactly_one,
    load_plan,
    mailed_only,
    naming,
    opened,
    place_of_plan,
    planned_anew,
    reaction_of,
    rivals_of,
    schedule_of,
)
from planner.cli.output import (
    aligned,
    check_places,
    documents_of,
    print_out,
    progress_bar,
    records_of,
    say,
    write_table,
)
from planner.cli.reports import (
    audience_report,
    beliefs_report,
    comparison_report,
    diagnoses_report,
    explanation_report,
    forecast_report,
    plan_report,
    retries_report,
)


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
    kept = place_of_plan(sender_file, save, no_save=no_save, as_json=as_json)
    check_places(sender_file, kept, csv)
    with progress_bar("Planning") as progress:
        made = wp.optimize(sender, risk=accepted, seed=seed, progress=progress, **asked_scenarios(scenarios))
    if kept is not None:
        made.save(kept)
        say(f"Saved {kept}.")
    if csv is not None:
        write_table(csv, made.to_frame().round(6))
    print_out(made.to_json() if as_json else plan_report(made))


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
    check_places(sender_file, csv)
    exactly_one({"--published": published, "--schedule": schedule, "--plan": plan_file})
    if days is not None and published is None:
        raise wp.InputError("--days goes with --published. Other schedules bring their own days.")
    if no_reaction and reaction is not None:
        raise wp.InputError("--reaction and --no-reaction exclude each other. Keep one.")
    loaded = None if plan_file is None else load_plan(plan_file, sender)
    followed = loaded.schedule if loaded else schedule_of(sender, published, schedule, days)
    with progress_bar("Simulating") as progress, naming(schedule):
        forecast = wp.simulate(
            sender,
            followed,
            loaded.retry if loaded else None,
            reaction=None if no_reaction else reaction_of(reaction, loaded),
            seed=seed,
            progress=progress,
            **asked_scenarios(scenarios),
        )
    if csv is not None:
        write_table(csv, forecast.to_frame().round(6))
    print_out(forecast.to_json() if as_json else forecast_report(forecast))


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
    check_places(sender_file, csv)
    rivals = rivals_of(sender, published, schedule or [])
    reacts = reaction_of(reaction, None)
    ours = load_plan(plan_file, sender) if plan_file else planned_anew(sender, seed)
    with progress_bar("Comparing") as progress:
        comparison = wp.compare(
            sender,
            {"ours": ours, **rivals},
            reaction=reacts,
            seed=seed,
            progress=progress,
            **asked_scenarios(scenarios),
        )
    if csv is not None:
        write_table(csv, comparison.to_frame().round(6))
    print_out(comparison.to_json() if as_json else comparison_report(comparison))


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
    check_places(sender_file, csv)
    only = None if provider is None else mailed_only(sender, provider)
    ours = load_plan(plan_file, sender) if plan_file else planned_anew(sender, seed)
    with progress_bar("Searching") as progress:
        advice = wp.advise_retries(
            sender,
            ours.schedule,
            reaction=ours.reaction,
            seed=seed,
            providers=only,
            progress=progress,
            **asked_scenarios(scenarios),
        )
    if csv is not None:
        write_table(csv, advice.to_frame().round(6))
    print_out(advice.to_json() if as_json else retries_report(advice))


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
    check_places(sender_file, csv)
    if plan_file is not None:
        made = load_plan(plan_file)
        if made.sender != sender:
            raise wp.InputError("was planned for another sender. Plan again, or leave --plan out.", file=plan_file)
    else:
        with progress_bar("Planning") as progress:
            made = wp.optimize(sender, seed=seed, progress=progress, **asked_scenarios(scenarios))
    with progress_bar("Explaining") as progress:
        explanation = wp.explain(made, progress=progress)
    if csv is not None:
        write_table(csv, explanation.to_frame().drop(columns="changes").round(6))
    print_out(explanation.to_json() if as_json else explanation_report(explanation, made))


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
    exactly_one({"TEXT": text, "--file": file})
    check_places(file, csv, what="file of replies")
    if text is not None and text != "-":
        found, one = wp.diagnose_all(text), wp.diagnose(text)
    else:
        with progress_bar("Diagnosing"), opened(file) as stream:
            found = wp.diagnose_all(blocks_of(stream))
        one = None
    if csv is not None:
        write_table(csv, found.to_frame())
    if as_json:
        print_out((one or found).to_json())
    else:
        print_out(found[0].ticket() if len(found) == 1 else diagnoses_report(found))


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
    check_places(sender_file, csv)
    frame = wp.draw(sender, seed=seed, **asked_scenarios(scenarios)).to_frame()
    if csv is not None:
        write_table(csv, frame)
    print_out(records_of(frame) if as_json else beliefs_report(frame))


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
        check_places(given, save, csv, unmapped, what=what)
    sender = None if sender_file is None else wp.Sender.load(sender_file)
    with progress_bar("Reading the list") as progress:
        found = wp.read_audience(
            list_file, column=column, mapping=map_file, lookup_mx=lookup_mx, day_first=day_first, progress=progress
        )
    if sender is not None and save is not None:
        found.for_sender(sender).save(save)
        rates = " Segments that are new have usual rates of complaints and hard bounces: write yours, if you know them."
        say(f"Wrote {save}.{rates if found.has_dates else ''}")
    if csv is not None:
        write_table(csv, found.to_frame())
    if unmapped is not None:
        write_table(unmapped, found.unmapped.assign(provider=""))
    print_out(found.to_json() if as_json else audience_report(found))


@app.command()
def schedules(as_json: AsJson = False) -> None:
    """List the published schedules."""
    known = wp.catalogue().schedules
    rows = [
        (key, one.publisher, one.authority, f"per {one.per}", f"{one.length} days", one.same_as or "")
        for key, one in sorted(known.items())
    ]
    headers = ("id", "publisher", "authority", "volumes", "length", "copy of")
    print_out(documents_of(known) if as_json else aligned(headers, rows, left=6))


@app.command()
def providers(as_json: AsJson = False) -> None:
    """List the mailbox providers."""
    known = wp.catalogue().providers
    rows = [
        (key, one.name, one.limiter_scope.replace("_", " "), "asks first" if one.gate else "")
        for key, one in sorted(known.items())
    ]
    headers = ("id", "name", "one limit per", "gate")
    print_out(documents_of(known) if as_json else aligned(headers, rows, left=4))


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
