"""Assumptions: to be drawn."""

from __future__ import annotations

from planner.ui import planned
from planner.ui.questions import Questions


def render(asked: Questions) -> None:
    """Draw the page."""
    planned.shown(asked)
