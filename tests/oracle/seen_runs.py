"""Runs of which some days are taken for happened: what a postmaster would have counted of them."""

from __future__ import annotations

import numpy as np

import planner as wp
from planner.simulation import layout


def observed(forecast: wp.Forecast, scenario: int, n_days: int) -> wp.Observations:
    """Everything that one scenario's first days let count, as whole messages."""
    rows = forecast.rows[:, scenario, :, :n_days]
    by_cause = np.moveaxis(rows[layout.DEFERRED :], 0, -1)
    names = ("sent", "attempts", "delivered", "hard_bounced", "blocked", "expired", "first_deferred")
    of = (*range(layout.EXPIRED + 1), layout.FIRST_4XX)  # in the order of layout.COUNTS, which begins with injected
    counts = {name: rows[row] for name, row in zip(names, of, strict=True)}
    return wp.Observations(
        forecast.providers,
        forecast.days[:n_days],
        deferred=by_cause.sum(axis=2),
        deferred_by_cause=by_cause,
        **counts,
    )
