"""How far does the model's limiter refuse what three published limiters refuse?

A sender mails one day, evenly over twelve hours and without retries: exactly what the limiter tolerates, a fifth
more, or twice as much. `deviations()` counts what Exim's smoothed rate, rspamd's bucket and Barracuda's half hours
refuse of it, message by message, and what the slot loop refuses with matched parameters. Measured differences, in
percentage points of the messages, at a fifth more and at twice as much:

* Exim leaky, by the hour: -3.0, -0.2; by the day: +16.7, +18.1.
* Exim strict, by the hour: -73.6, -47.4 (the model's `z` takes from a bucket that is empty already); by the day: +16.7,
  +7.5 (the model counts from midnight, Exim over the last 24 hours).
* rspamd: +1.7, +1.0 (a refill of one slot that the full bucket cannot hold).
* Barracuda: -5.2, -3.1 (the model forgives an hour's mail in the morning, half hours of the clock forgive nothing).

docs/limiters.md shows the whole table; `python -m tests.oracle.test_published_limiters` brings it up to date there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.oracle.compiled_loop import named, run_loop
from tests.oracle.event_simulation import Policy, Sending, World
from tests.oracle.published_limiters import BarracudaWindow, EximRate, RspamdBucket

PAGE = Path(__file__).parents[2] / "docs" / "limiters.md"
HOUR, DAY = 3_600.0, 86_400.0
FIRST_HOUR, HOURS = 8, 12
SLOTS = 96
PER_HOUR = 120
OVER = (0.0, 0.2, 1.0)
NO_RETRY = Policy({"limit": 2 * HOUR}, growth=1.0, cap_seconds=2 * HOUR, jitter=0.0, lifetime_seconds=HOUR)
WIDE_DAY = 1e9  # messages: only the hour binds


@dataclass(frozen=True)
class Pair:
    """A published limiter and the model with matched parameters."""

    name: str
    limiter: Callable[[], EximRate | RspamdBucket | BarracudaWindow]
    world: World
    matched: str
    steady: bool
    """Do both let the same through once the sender has been over the limit for hours?"""

    within: tuple[float, float, float]
    """Points by which the model may differ at each of `OVER`: what was measured, rounded up."""


def hourly(z: float) -> World:
    """A huge day, of which PER_HOUR may pass in an hour."""
    return World(cold_allowance=WIDE_DAY, hourly_share=PER_HOUR / WIDE_DAY, rejection_cost=z)


def daily(z: float) -> World:
    """A day of as much as twelve hours, and no limit by the hour."""
    return World(cold_allowance=float(PER_HOUR * HOURS), hourly_share=1.0, rejection_cost=z)


PER_WINDOW = PER_HOUR * HOURS
PAIRS = (
    Pair(
        "Exim, leaky, 120 / 1h",
        lambda: EximRate(PER_HOUR, HOUR),
        hourly(0.0),
        "`hourly_share` = 120 messages, `z` = 0",
        True,
        (0.0, 3.1, 0.5),
    ),
    Pair(
        "Exim, strict, 120 / 1h",
        lambda: EximRate(PER_HOUR, HOUR, strict=True),
        hourly(1.0),
        "`hourly_share` = 120 messages, `z` = 1",
        False,
        (0.0, 74.0, 48.0),
    ),
    Pair(
        "Exim, leaky, 1,440 / 1d",
        lambda: EximRate(PER_WINDOW, DAY),
        daily(0.0),
        "`A` = 1,440, `z` = 0",
        False,
        (0.0, 17.0, 18.5),
    ),
    Pair(
        "Exim, strict, 1,440 / 1d",
        lambda: EximRate(PER_WINDOW, DAY, strict=True),
        daily(1.0),
        "`A` = 1,440, `z` = 1",
        False,
        (0.0, 17.0, 8.0),
    ),
    Pair(
        "rspamd, 120 / 1h, burst 120",
        lambda: RspamdBucket(PER_HOUR / HOUR, float(PER_HOUR)),
        hourly(0.0),
        "`hourly_share` = 120 messages, `z` = 0",
        True,
        (0.0, 1.8, 1.1),
    ),
    Pair(
        "Barracuda, 60 in half an hour",
        lambda: BarracudaWindow(PER_HOUR // 2),
        hourly(0.0),
        "`hourly_share` = 120 messages, `z` = 0",
        True,
        (0.0, 5.3, 3.2),
    ),
)


@dataclass(frozen=True)
class Deviation:
    """Shares of the messages refused, in the whole window and in its second half, in percent."""

    limiter: str
    matched: str
    over: float
    messages: int
    refused: float
    by_model: float
    refused_late: float
    by_model_late: float

    @property
    def points(self) -> float:
        """What the model refuses more, percentage points."""
        return self.by_model - self.refused

    @property
    def points_late(self) -> float:
        return self.by_model_late - self.refused_late


def by_limiter(pair: Pair, messages: int) -> tuple[int, int]:
    """Messages refused, evenly spaced: in the first half of the window, and in all of it."""
    limiter = pair.limiter()
    gap = HOURS * HOUR / messages
    refused = [not limiter.answer(FIRST_HOUR * HOUR + (i + 0.5) * gap) for i in range(messages)]
    return sum(refused[: messages // 2]), sum(refused)


def by_model(pair: Pair, messages: int) -> tuple[int, int]:
    """The same, of the slot loop; nothing is random, so half a day is the first half of the day."""
    return _refused(pair, messages // 2, HOURS // 2), _refused(pair, messages, HOURS)


def _refused(pair: Pair, messages: int, hours: int) -> int:
    open_slots = range(FIRST_HOUR * SLOTS // 24, (FIRST_HOUR + hours) * SLOTS // 24)
    pace = [1.0 / len(open_slots) if i in open_slots else 0.0 for i in range(SLOTS)]
    sending = Sending([[float(messages)]], [float(messages)], [0.0], [0.0], pace=pace)
    counts = named(run_loop(pair.world, sending, NO_RETRY, None, 1, 1)[0])
    assert counts["expired"].sum() == counts["deferred_limit"].sum()
    return int(counts["deferred_limit"].sum())


def deviations() -> list[Deviation]:
    """Every limiter at every volume."""
    rows = []
    for pair in PAIRS:
        for over in OVER:
            messages = round(PER_WINDOW * (1.0 + over))
            (half, whole), (model_half, model_whole) = by_limiter(pair, messages), by_model(pair, messages)
            late = messages - messages // 2
            rows.append(
                Deviation(
                    pair.name,
                    pair.matched,
                    over,
                    messages,
                    100.0 * whole / messages,
                    100.0 * model_whole / messages,
                    100.0 * (whole - half) / late,
                    100.0 * (model_whole - model_half) / late,
                )
            )
    return rows


def table() -> str:
    """The deviations in Markdown."""
    lines = [
        (
            "| limiter | matched by | sent | it refuses | the model | difference "
            "| it, after six hours | the model | difference |"
        ),
        "| --- | --- | --: | --: | --: | --: | --: | --: | --: |",
    ]
    for row in deviations():
        sent = "what it tolerates" if row.over == 0 else f"+{100 * row.over:.0f} %"
        shares = [
            f"{row.refused:.1f} %",
            f"{row.by_model:.1f} %",
            f"{row.points:+.1f}",
            f"{row.refused_late:.1f} %",
            f"{row.by_model_late:.1f} %",
            f"{row.points_late:+.1f}",
        ]
        lines.append(f"| {row.limiter} | {row.matched} | {sent} | {' | '.join(shares)} |")
    return "\n".join(lines)


def shown() -> str:
    """The table as the page has it."""
    return "\n".join(line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|"))


@pytest.fixture(scope="module")
def found() -> list[Deviation]:
    return deviations()


@pytest.mark.parametrize("number", range(len(PAIRS)), ids=[pair.name for pair in PAIRS])
def test_the_model_refuses_what_the_limiter_refuses_within_what_was_measured(
    found: list[Deviation], number: int
) -> None:
    pair, rows = PAIRS[number], found[number * len(OVER) : (number + 1) * len(OVER)]
    for row, within in zip(rows, pair.within, strict=True):
        assert abs(row.points) <= within, row
        if pair.steady:
            assert abs(row.points_late) <= 0.5, row


def test_neither_refuses_mail_within_the_limit(found: list[Deviation]) -> None:
    within = [row for row in found if row.over == 0.0]
    assert len(within) == len(PAIRS)
    assert all(row.refused == row.by_model == 0.0 for row in within)


def test_the_page_shows_what_is_computed() -> None:
    assert shown() == table()


if __name__ == "__main__":
    PAGE.write_text(PAGE.read_text(encoding="utf-8").replace(shown(), table()), encoding="utf-8")
