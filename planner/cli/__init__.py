"""The `warmup` command: reads files and options, calls `planner`, prints data; messages go to stderr."""

from planner.cli import commands, mornings
from planner.cli.application import app, main

__all__ = ["app", "commands", "main", "mornings"]
