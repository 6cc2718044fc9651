"""The command's application, the options that commands share, and its end: an exit code that scripts can trust."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Annotated

import typer

import planner as wp
from planner.cli.output import print_out, say

MAX_SCENARIOS = 10_000
"""More would fill the memory of a laptop before they told anything new."""

BAD_INPUT, FAILED = 2, 1

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


@app.callback(invoke_without_command=True)
def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        print_out(wp.__version__)
        raise typer.Exit


def main() -> None:
    """Run the command line: what people got wrong becomes one message and exit code 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that knows no dash must not end the program
            stream.reconfigure(errors="backslashreplace")
    try:
        app(prog_name="warmup")
    except wp.PlannerError as error:
        say(str(error), style="red")
        sys.exit(BAD_INPUT if isinstance(error, wp.InputError) else FAILED)
