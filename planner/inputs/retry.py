"""RetryPolicy: when deferred mail is tried again, and when it is given up."""

from __future__ import annotations

from math import log
from typing import Annotated, Any, Self

import numpy as np
from pydantic import BeforeValidator, Field, TypeAdapter, model_validator

from planner.inputs.fields import Checked, Number, refusal, unknown
from planner.vocabulary import Cause, Floats

MAX_ATTEMPTS = 1000
MAX_LIFETIME = 30 * 86_400.0
MAX_PAUSE = 86_400.0

_NUMBER = TypeAdapter[float](Number)


def _cause(value: Any) -> Any:
    if value not in tuple(Cause):
        raise refusal(unknown("cause", value, Cause))
    return value


def _for_every_cause(value: Any) -> Any:
    """One number stands for every cause."""
    if isinstance(value, dict):
        return value
    seconds = _NUMBER.validate_python(value)
    return dict.fromkeys(Cause, seconds)


Seconds = Annotated[Number, Field(ge=1, le=MAX_LIFETIME)]
CauseName = Annotated[Cause, BeforeValidator(_cause)]


class RetryPolicy(Checked):
    """Backoff of one sender.

    Attempt 0 waits ``first(cause)``, attempt ``k >= 1`` waits ``interval(k)`` whatever the cause; jitter
    multiplies a wait by U(1-j, 1+j). A message whose next attempt would nominally come after its lifetime
    expires at once. Waits that form no geometric series are listed in ``intervals_seconds``.

    Examples
    --------
    >>> retry = RetryPolicy(
    ...     first_seconds={"greylisting": 600, "limit": 3600}, growth=2, lifetime_seconds=86_400
    ... )
    >>> retry.first(Cause.GREYLISTING), retry.first(Cause.STUCK), retry.attempts(Cause.LIMIT)
    (600.0, 3600.0, 8)
    """

    first_seconds: Annotated[
        dict[CauseName, Seconds],
        BeforeValidator(_for_every_cause),
        Field(
            title="First wait",
            description="After the first attempt: one number, or one per cause; others get the largest.",
            examples=[900],
            json_schema_extra={"unit": "seconds"},
        ),
    ]
    growth: Number = Field(
        1.5,
        ge=1,
        le=100,
        title="Growth",
        description="Factor from each wait to the next.",
        json_schema_extra={"unit": "factor"},
    )
    cap_seconds: Seconds = Field(
        14_400.0,
        title="Longest wait",
        description="Waits after the second attempt grow no longer than this.",
        json_schema_extra={"unit": "seconds"},
    )
    intervals_seconds: tuple[Seconds, ...] = Field(
        (),
        max_length=MAX_ATTEMPTS,
        title="Later waits, one by one",
        description="After each attempt from the second on; the last one repeats. Replaces growth and longest wait.",
        json_schema_extra={"unit": "seconds"},
    )
    jitter: Number = Field(
        0.2,
        ge=0,
        le=0.9,
        title="Jitter",
        description="Each wait is multiplied by a random factor this far around 1.",
        json_schema_extra={"unit": "share"},
    )
    lifetime_seconds: Seconds = Field(
        259_200.0,
        title="Queue lifetime",
        description="Age at which a message is given up.",
        json_schema_extra={"unit": "seconds"},
    )
    pause_seconds: Number = Field(
        0.0,
        ge=0,
        le=MAX_PAUSE,
        title="Pause of the whole destination",
        description="After a limit or penalty deferral nothing goes to this provider for so long.",
        json_schema_extra={"unit": "seconds"},
    )

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if not self.first_seconds:
            raise refusal("first_seconds is empty. Write a number of seconds, such as 900.", "first_seconds")
        largest = max(self.first_seconds.values())
        complete = {cause: self.first_seconds.get(cause, largest) for cause in Cause}
        object.__setattr__(self, "first_seconds", complete)  # frozen; still being made
        if max(map(self.attempts, Cause)) > MAX_ATTEMPTS:
            text = f"The policy makes more than {MAX_ATTEMPTS:,} attempts. Wait longer, or cut lifetime_seconds."
            raise refusal(text, "first_seconds")
        return self

    def first(self, cause: Cause) -> float:
        """Wait in seconds after a first attempt deferred for this cause."""
        return self.first_seconds[cause]

    def first_array(self) -> Floats:
        """First waits of all causes.

        Returns
        -------
        (causes,) float array, seconds
            In the order of `Cause`.
        """
        return np.array([self.first_seconds[cause] for cause in Cause])

    def interval(self, k: int) -> float:
        """Wait in seconds after attempt ``k >= 1``, before jitter.

        The k-th of the list, or its last, where there is one; else min(cap, largest first × growth**k).
        """
        if self.intervals_seconds:
            return self.intervals_seconds[min(k, len(self.intervals_seconds)) - 1]
        largest = max(self.first_seconds.values())
        grown = log(largest) + k * log(self.growth)  # a power of hundreds would overflow
        return self.cap_seconds if grown >= log(self.cap_seconds) else largest * self.growth**k

    def attempts(self, cause: Cause) -> int:
        """Attempts, the first included, that nominally fit the lifetime."""
        return len(self.attempt_ages(cause))

    def attempt_ages(self, cause: Cause) -> list[float]:
        """Age in seconds at each attempt of a message that is always deferred, first for this cause."""
        ages, age = [0.0], self.first(cause)
        for k in range(1, MAX_ATTEMPTS + 1):
            if age > self.lifetime_seconds:
                break
            ages.append(age)
            age += self.interval(k)
        return ages


DEFAULT_RETRY = RetryPolicy(
    first_seconds={
        Cause.GREYLISTING: 900.0,
        Cause.SYSTEM: 900.0,
        Cause.LIMIT: 3600.0,
        Cause.PENALTY: 3600.0,
    },
    growth=1.5,
    cap_seconds=14_400.0,
    jitter=0.2,
    lifetime_seconds=259_200.0,
    pause_seconds=0.0,
)
