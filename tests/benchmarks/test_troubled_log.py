"""The synthetic log says what the simulator counted, and reading it gives all of that back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import planner as wp
from benchmarks import troubled_log
from planner.vocabulary import Cause

COUNTS = {
    "sent": "injected",
    "attempts": "attempts",
    "delivered": "delivered",
    "hard_bounced": "hard_bounced",
    "blocked": "blocked",
    "expired": "expired",
    "first_deferred": "first_4xx",
}
"""Counts of observations, and what the simulator calls them. Which cause met a first attempt neither of them tells."""

CAUSES = tuple(Cause)
LUCK_OF_A_CLOSED_DOOR = 5


@pytest.fixture(scope="module")
def run() -> wp.Forecast:
    return troubled_log.happened()


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory, run: wp.Forecast) -> Path:
    return troubled_log.write(tmp_path_factory.mktemp("log") / "mail.log", run)


@pytest.fixture(scope="module")
def seen(log: Path) -> wp.Observations:
    return wp.read_log(log, troubled_log.SENDER)


@pytest.mark.parametrize("name", COUNTS)
def test_counts_come_back(run: wp.Forecast, seen: wp.Observations, name: str) -> None:
    assert (seen.providers, seen.days) == (run.providers, run.days)
    assert getattr(seen, name).sum() > 0
    np.testing.assert_array_equal(getattr(seen, name), getattr(run, COUNTS[name])[0])


def test_causes_come_back(run: wp.Forecast, seen: wp.Observations) -> None:
    np.testing.assert_array_equal(seen.deferred_by_cause, run.deferred[0])
    met = [CAUSES[c] for c in np.flatnonzero(run.deferred[0].any(axis=(0, 1)))]
    assert met == [Cause.LIMIT, Cause.GREYLISTING, Cause.SYSTEM, Cause.STUCK, Cause.REPUTATION]


def test_a_closed_door_reads_as_reputation(tmp_path: Path) -> None:
    """Not exact, and cannot be: no known reply says that a door is closed, only that the sender is not liked."""
    run = troubled_log.happened(LUCK_OF_A_CLOSED_DOOR)
    seen = wp.read_log(troubled_log.write(tmp_path / "mail.log", run), troubled_log.SENDER)
    expected = run.deferred[0].copy()
    closed = expected[:, :, CAUSES.index(Cause.PENALTY)]
    assert closed.sum() > 0
    expected[:, :, CAUSES.index(Cause.REPUTATION)] += closed
    closed[:] = 0.0
    np.testing.assert_array_equal(seen.deferred_by_cause, expected)
    np.testing.assert_array_equal(seen.attempts, run.attempts[0])


def test_what_else_is_in_it_is_told_apart(log: Path, seen: wp.Observations) -> None:
    text = log.read_text()
    assert text.count("NOQUEUE: reject") == troubled_log.DAYS
    assert text.count("relay=local") > troubled_log.DAYS
    assert seen.n_problems == 2
    assert any("your own machines" in note for note in seen.notes)


def test_a_table_followed_blindly_meets_limits(run: wp.Forecast) -> None:
    assert run.wrong_days()[0].sum(axis=1).tolist() == [1, 3, 0]


def test_it_is_the_same_each_time(tmp_path: Path, log: Path, run: wp.Forecast) -> None:
    assert troubled_log.write(tmp_path / "again.log", run).read_bytes() == log.read_bytes()
    assert troubled_log.write(tmp_path / "other.log", run, seed=1).read_bytes() != log.read_bytes()
