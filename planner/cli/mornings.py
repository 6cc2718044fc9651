"""The commands of each morning: bring in yesterday, what to do today, what was learnt, the plan for the days left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

import planner as wp
from planner.cli.application import AsJson, CsvFile, app
from planner.cli.given import load_plan
from planner.cli.output import (
    aligned,
    check_places,
    day_said,
    print_out,
    progress_bar,
    say,
    whole_said,
    write_table,
)

if TYPE_CHECKING:
    from planner.vocabulary import Verdict

SHOWN_DAYS = 7
_SENDERS = {".yaml", ".yml", ".json"}
_TABLES = {".csv", ".tsv", ".txt", ".xlsx", ".xlsm"}
_PACKED_TABLES = {".xlsx", ".xlsm"}

SeasonName = Annotated[
    str,
    typer.Argument(metavar="SEASON", help="Name of a season, see `warmup seasons`; or the sender's file."),
]
Today = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%d"],
        metavar="DATE",
        help="The morning it is about; the day after the last one observed, if left out.",
    ),
]
RulesId = Annotated[str | None, typer.Option(metavar="ID", help="Whose alarm rules: ours, google, sendgrid, ...")]
NoSave = Annotated[bool, typer.Option("--no-save", help="Keep nothing.")]


@app.command()
def observe(
    season_name: SeasonName,
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Logs, folders of logs and their rotations, or tables (CSV, Excel)."),
    ],
    log_format: Annotated[
        str | None, typer.Option("--format", metavar="ID", help="Of the logs, if it is not recognised: postfix, ...")
    ] = None,
    year: Annotated[int | None, typer.Option(help="Of a log's first line, where stamps have none.")] = None,
    provider: Annotated[
        str | None, typer.Option(metavar="ID", help="Whose counts, where a table does not say.")
    ] = None,
    day: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], metavar="DATE", help="Which day, where a table does not say."),
    ] = None,
    plan_file: Annotated[
        Path | None, typer.Option("--plan", metavar="plan.json", help="The plan that is followed, to put it in force.")
    ] = None,
    no_save: NoSave = False,
    csv: CsvFile = None,
    as_json: AsJson = False,
) -> None:
    """Bring in what was sent and what came of it; nobody's name is kept.

    Logs are added up, as of several servers; tables tell what they know over them. What was known of a day before is
    replaced, never doubled.
    """
    season = _season(season_name)
    check_places(None, csv)
    _refuse_twice(files)
    with progress_bar("Reading") as progress:
        seen = _read(files, season.sender, log_format, year, provider, day and day.date(), progress)
    if plan_file is not None:
        season = season.planned(load_plan(plan_file, season.sender), by="warmup observe")
    first = files[0].name or str(files[0])
    source = first if len(files) == 1 else f"{first} and {len(files) - 1} more"
    known = season.observed(seen, source=source, by="warmup observe")
    if not no_save:
        _save(known)
    if csv is not None:
        write_table(csv, seen.to_frame())
    if as_json:
        print_out(seen.to_json())
        return
    for doubt in seen.doubts(season.sender):
        say(doubt)
    print_out(seen.summary())


@app.command()
def alarms(
    season_name: SeasonName,
    rules: RulesId = None,
    today: Today = None,
    csv: CsvFile = None,
    as_json: AsJson = False,
) -> None:
    """Tell where to go on, hold, step back or stop this morning, with the evidence in numbers."""
    season = _season(season_name)
    check_places(None, csv)
    found = wp.alarms(season.sender, season.observations, _morning_of(season, today), rules or season.rules)
    if csv is not None:
        write_table(csv, found.to_frame())
    print_out(found.to_json() if as_json else found.summary())


@app.command()
def calibrate(
    season_name: SeasonName,
    save: Annotated[
        Path | None, typer.Option(metavar="beliefs.json", help="Where to keep what is believed now.")
    ] = None,
    csv: CsvFile = None,
    as_json: AsJson = False,
) -> None:
    """Tell what was learnt of the providers' limits, and what to doubt."""
    season = _season(season_name)
    check_places(None, save, csv)
    before = season.plan
    with progress_bar("Learning") as progress:
        learnt = wp.calibrate(
            season.sender,
            season.observations,
            priors=None if before is None else before.options.get("priors"),
            retry=None if before is None else before.retry,
            seed=0 if before is None else before.seed,
            progress=progress,
        )
    if save is not None:
        learnt.save(save)
        say(f"Saved {save}.")
    if csv is not None:
        write_table(csv, learnt.to_frame("parameters").round(6))
    print_out(learnt.to_json() if as_json else learnt.summary())


@app.command()
def replan(
    season_name: SeasonName,
    rules: RulesId = None,
    today: Today = None,
    no_calibrate: Annotated[
        bool, typer.Option("--no-calibrate", help="Remember what happened, but learn nothing from it.")
    ] = False,
    save: Annotated[Path | None, typer.Option(metavar="plan.json", help="Where to keep the plan, too.")] = None,
    no_save: NoSave = False,
    csv: CsvFile = None,
    as_json: AsJson = False,
) -> None:
    """Plan the days left again: today's volumes after the alarms, what changes and why, what to look up."""
    season = _season(season_name)
    check_places(None, save, csv)
    if rules is not None:
        season = season.changed(rules=rules, by="warmup replan")
    with progress_bar("Planning again") as progress:
        made = wp.morning(season, _morning_of(season, today), calibrate=not no_calibrate, progress=progress)
    if not no_save:
        _save(season.planned(made.plan, by="warmup replan"))
    if save is not None:
        made.plan.save(save)
        say(f"Saved {save}.")
    if csv is not None:
        write_table(csv, made.to_frame())
    print_out(made.to_json() if as_json else _report(made))


seasons_app = typer.Typer()
app.add_typer(seasons_app, name="seasons")
KeptName = Annotated[str, typer.Argument(metavar="NAME", help="Name of a season, see `warmup seasons`.")]


@seasons_app.callback(invoke_without_command=True)
def seasons(context: typer.Context) -> None:
    """List the seasons that are kept: last day observed, and the gravest alarm; or change one."""
    if context.invoked_subcommand is not None:
        return
    rows = [
        (
            one.name,
            "nothing yet" if one.last_day is None else one.last_day.isoformat(),
            "" if one.verdict is None else _done(one.verdict),
            one.problem or "",
        )
        for one in wp.seasons()
    ]
    print_out(aligned(("season", "observed until", "alarms", ""), rows, left=4) if rows else "No seasons are kept.")


@seasons_app.command()
def undo(name: KeptName) -> None:
    """Go back by one change of a season."""
    saved = wp.save_season(wp.load_season(name).undone(by="warmup"))
    _say_last(saved)


@seasons_app.command()
def redo(name: KeptName) -> None:
    """Do again what was undone last."""
    saved = wp.save_season(wp.load_season(name).redone(by="warmup"))
    _say_last(saved)


@seasons_app.command()
def remove(name: KeptName) -> None:
    """Remove a season and its backup, for good."""
    wp.remove_season(name)
    say(f"Removed the season '{name}'.")


@seasons_app.command()
def restore(name: KeptName) -> None:
    """Put a season's backup in the place of its damaged file."""
    say(f"Restored the season '{wp.restore_season(name).name}' from its backup.")


# --- the season


def _season(name: str) -> wp.Season:
    """Open a season by its name, or that of a sender's file; the first time it begins."""
    path = Path(name)
    if path.suffix.lower() not in _SENDERS:
        return wp.load_season(name)
    sender = wp.Sender.load(path)
    begun = wp.Season.begun(sender, name=sender.name or path.stem, by="warmup")
    if begun.name not in [one.name for one in wp.seasons()]:
        return begun
    kept = wp.load_season(begun.name)
    if kept.sender.start != sender.start and kept.last_day is not None:
        text = f"begins on {sender.start}; the season '{kept.name}' begins on {kept.sender.start}."
        raise wp.InputError(f"{text} Give the sender another name, to begin another season.", file=path)
    return kept.changed(sender, by="warmup")


def _save(season: wp.Season) -> None:
    if season.revision and season == wp.load_season(season.name):
        say(f"Nothing new for the season '{season.name}'.")
        return
    saved = wp.save_season(season)
    say(f"Kept in the season '{saved.name}'.")


def _say_last(season: wp.Season) -> None:
    text = season.history[-1].text
    say(f"Season '{season.name}' {text.rstrip('.')}.")


def _morning_of(season: wp.Season, today: datetime | None) -> date | None:
    """Return the day that was asked for; the real one where counts of today are in already; else leave it open."""
    if today is not None:
        return today.date()
    now = datetime.now(ZoneInfo(season.sender.timezone)).date()
    days, last = season.observations.days, season.last_day
    return now if last is not None and days[0] < now <= last else None


# --- what was observed


def _refuse_twice(files: Sequence[Path]) -> None:
    places = [path.resolve() for path in files]
    twice = next((path for path, place in zip(files, places, strict=True) if places.count(place) > 1), None)
    if twice is not None:
        raise wp.InputError("is named twice. Name each file once.", file=twice)


def _read(
    files: Sequence[Path],
    sender: wp.Sender,
    log_format: str | None,
    year: int | None,
    provider: str | None,
    day: date | None,
    progress: Callable[[float], None],
) -> wp.Observations:
    """Read all files: logs add up, then tables lie over them."""
    logs: list[wp.Observations] = []
    tables: list[wp.Observations] = []
    for n, path in enumerate(files):

        def tell(share: float, n: int = n) -> None:
            progress((n + share) / len(files))

        suffix = path.suffix.lower()
        if log_format is None and suffix in _PACKED_TABLES:
            tables.append(wp.read_observations(path, provider=provider, day=day))
            continue
        try:
            logs.append(wp.read_log(path, sender, format=log_format, year=year, progress=tell))
        except wp.InputError as no_log:
            if suffix not in _TABLES or not path.is_file():
                raise
            try:
                tables.append(wp.read_observations(path, provider=provider, day=day))
            except wp.InputError as no_table:
                raise (no_table if log_format is None else no_log) from None
    seen = reduce(wp.Observations.add, logs) if logs else tables.pop(0)
    return reduce(wp.Observations.merge, tables, seen)


# --- what people read


def _report(made: wp.Morning) -> str:
    """Say the morning, and below it the volumes of the next days."""
    schedule = made.schedule
    first = max((made.today - schedule.dates[0]).days, 0)
    days = range(first, min(first + SHOWN_DAYS, len(schedule.dates)))
    rows = []
    for d in days:
        volumes = schedule.total[:, d].tolist()
        rows.append((day_said(schedule.dates[d], made.today), *map(whole_said, (sum(volumes), *volumes))))
    return "\n\n".join([made.summary(), aligned(("next days", "all", *schedule.providers), rows)])


def _done(verdict: Verdict) -> str:
    return str(verdict).replace("_", " ")
