"""Mta: when a mail server, a sending service or a piece of advice tries deferred mail again."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from math import ceil
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from planner.inputs.fields import Checked, Number, Text, Whole, refusal
from planner.inputs.provider import LongText
from planner.inputs.retry import MAX_ATTEMPTS, MAX_LIFETIME, RetryPolicy, Seconds
from planner.vocabulary import Cause, Confidence

Pause = Annotated[Number, Field(ge=0, le=MAX_LIFETIME)]


class Growing(Checked):
    """A geometric series: each wait is so many times the one before."""

    first_seconds: Seconds = Field(title="First wait")
    growth: Number = Field(2.0, ge=1, le=100, title="Growth")
    longest_seconds: Seconds | None = Field(None, title="Longest wait", description="Waits grow without end if empty.")


class Quadratic(Checked):
    """The n-th retry comes so many seconds times n² after the first attempt."""

    unit_seconds: Seconds = Field(title="Unit")


class Age(Checked):
    """A message waits as long again as it is old, within two bounds."""

    shortest_seconds: Seconds = Field(title="Shortest wait")
    longest_seconds: Seconds = Field(title="Longest wait")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.longest_seconds < self.shortest_seconds:
            text = f"longest_seconds is {self.longest_seconds:g}, below shortest_seconds. Swap them."
            raise refusal(text, "longest_seconds")
        return self


class Stage(Checked):
    """Waits while the message is no older than this: even ones, or growing from the first by a factor."""

    until_seconds: Seconds = Field(title="Until")
    wait_seconds: Seconds = Field(title="Wait")
    growth: Number | None = Field(None, ge=1, le=100, title="Growth", description="Even waits if empty.")


Rule = Growing | Quadratic | Age | tuple[Stage, ...] | tuple[float, ...]

RULES = ("waits_seconds", "growing", "quadratic", "age", "stages")


class Mta(Checked):
    """Retry rule of a mail server or sending service as it comes, or of a piece of advice.

    Exactly one of `waits_seconds`, `growing`, `quadratic`, `age` and `stages` says how long it waits.

    Examples
    --------
    >>> qmail = Mta(
    ...     id="q", name="qmail", kind="software", quadratic={"unit_seconds": 400}, lifetime_seconds=3600
    ... )
    >>> attempt_times(qmail)
    [400.0, 1600.0, 3600.0]
    """

    id: Text
    name: Text = Field(title="Name", examples=["Postfix"])
    kind: Literal["software", "service", "advice"] = Field(title="Kind")
    waits_seconds: tuple[Seconds, ...] = Field(
        (), max_length=MAX_ATTEMPTS, title="Waits", description="One by one; the last one repeats."
    )
    growing: Growing | None = Field(None, title="Growing waits")
    quadratic: Quadratic | None = Field(None, title="Quadratic times")
    age: Age | None = Field(None, title="Waits by age")
    stages: tuple[Stage, ...] = Field((), max_length=50, title="Stages of waiting")
    queue_run_seconds: Pause = Field(
        0.0, title="Queue run", description="What is due is attempted at the next multiple of this; 0: at once."
    )
    attempt_seconds: Pause = Field(0.0, title="Length of an attempt", description="Waits count from its end.")
    lifetime_seconds: Seconds | None = Field(
        None, title="Queue lifetime", description="Age at which a message is given up; empty: see most_retries."
    )
    once_more: bool = Field(
        False, title="Once more", description="Age is looked at when an attempt fails: one comes after the lifetime."
    )
    most_retries: Whole | None = Field(None, ge=1, lt=MAX_ATTEMPTS, title="Retries at most")
    jitter: Number = Field(0.0, ge=0, le=0.9, title="Jitter", description="Random factor around 1 on each wait.")
    confidence: Confidence = Field(Confidence.DEFAULT, title="Confidence")
    source: LongText = Field("", title="Source")
    note: LongText = Field("", title="Note")

    @model_validator(mode="after")
    def _one_rule_that_ends(self) -> Self:
        given = [name for name in RULES if getattr(self, name)]
        if len(given) != 1:
            found = " and ".join(given) if given else "none"
            raise refusal(f"An MTA waits by exactly one of {', '.join(RULES)}; found {found}.", *given[1:])
        if self.lifetime_seconds is None and self.most_retries is None and not self.stages:
            raise refusal("lifetime_seconds is missing. Add it, or most_retries.", "lifetime_seconds")
        if self.confidence != Confidence.DEFAULT and not self.source:
            text = f"confidence is '{self.confidence}', but source is empty. Name the source, or write default."
            raise refusal(text, "confidence")
        if len(attempt_times(self)) >= MAX_ATTEMPTS:
            text = f"{given[0]} makes more than {MAX_ATTEMPTS:,} attempts. Wait longer, or cut lifetime_seconds."
            raise refusal(text, given[0])
        return self

    @property
    def rule(self) -> Rule:
        """The one rule that is given."""
        return next(filter(None, (getattr(self, name) for name in RULES)))  # type: ignore[no-any-return]

    @property
    def retry(self) -> RetryPolicy:
        """The same attempts as a `RetryPolicy`: every cause waits alike, the exact waits are listed.

        Its lifetime ends with the last attempt.
        """
        times = attempt_times(self)
        waits = [b - a for a, b in pairwise(times)] or [times[0]]
        while len(waits) > 1 and abs(waits[-1] - waits[-2]) < 1e-6:  # the last one repeats
            waits.pop()
        return RetryPolicy(
            first_seconds=dict.fromkeys(Cause, times[0]),
            intervals_seconds=tuple(waits),
            jitter=self.jitter,
            lifetime_seconds=float(ceil(times[-1] - 1e-6)),
        )


def attempt_times(mta: Mta) -> list[float]:
    """Return when a message that is always deferred is tried again.

    Parameters
    ----------
    mta : Mta

    Returns
    -------
    list of float, seconds after the first attempt
        Retries only, at most `MAX_ATTEMPTS`; the last one is the last attempt before the message is given up.
    """
    times: list[float] = []
    most = min(mta.most_retries or MAX_ATTEMPTS, MAX_ATTEMPTS)
    for due in _due(mta):
        if len(times) == most or _given_up(mta, times[-1] if times else 0.0, due):
            break
        times.append(due)
    return times


def _given_up(mta: Mta, age: float, due: float) -> bool:
    """Whether a message of this age at its last attempt expires rather than meets the next one."""
    lifetime = mta.lifetime_seconds
    if lifetime is None:
        return False
    return age >= lifetime if mta.once_more else due > lifetime


def _due(mta: Mta) -> Iterator[float]:
    """Times of the retries without end, but for stages, which end."""
    rule = mta.rule
    age, gap, n = 0.0, 0.0, 0
    while True:
        failed = age + mta.attempt_seconds
        match rule:
            case Growing():
                gap = rule.first_seconds if n == 0 else gap * rule.growth
                gap = min(gap, rule.longest_seconds or gap, 10.0 * MAX_LIFETIME)
            case Quadratic():
                gap = rule.unit_seconds * (n + 1) ** 2 - failed
            case Age():
                gap = min(max(failed, rule.shortest_seconds), rule.longest_seconds)
            case _:
                wait = rule[min(n, len(rule) - 1)]
                gap = wait if isinstance(wait, float) else _staged(rule, age, gap)  # type: ignore[arg-type]
                if gap <= 0.0:
                    return
        age = _at_queue_run(failed + gap, mta.queue_run_seconds)
        n += 1
        yield age


def _staged(stages: tuple[Stage, ...], age: float, gap: float) -> float:
    """Wait of the first stage that reaches this age, 0 when none does; growing ones build on the wait before.

    As Exim has it: a wait that the queue run has drawn out counts as it was meant.
    """
    stage = next((stage for stage in stages if age <= stage.until_seconds), None)
    if stage is None:
        return 0.0
    if stage.growth is None or gap < stage.wait_seconds:
        return stage.wait_seconds
    return gap * stage.growth


def _at_queue_run(due: float, every: float) -> float:
    return due if every <= 0.0 else every * ceil(due / every - 1e-9)
