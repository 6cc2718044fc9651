"""Three limiters that receivers really run, written from their published rules.

Each answers one message of one sender at a time: `answer(time_seconds)` says whether it is accepted. Times
must not go backwards. A message has one recipient, so messages and recipients are the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass
class EximRate:
    """The smoothed rate of Exim's ACL condition `ratelimit` (per_mail, or per_rcpt with one recipient).

    The rate is measured in messages per period. After an interval i since the last recorded message,
    a = exp(-i / period) and rate = (1 - a) / (i / period) + a * last rate, at least 1. A message is over the
    limit when the rate, itself included, has reached the limit. `strict` records every message, so trying
    again keeps a sender out (z = 1); leaky records only those within the limit (z = 0), rate and time alike.
    """

    limit: float
    period_seconds: float
    strict: bool = False
    rate: float = field(default=0.0, init=False)
    last: float | None = field(default=None, init=False)

    def answer(self, time_seconds: float) -> bool:
        rate = self._rate_at(time_seconds)
        accepted = rate < self.limit
        if accepted or self.strict:
            self.rate, self.last = rate, time_seconds
        return accepted

    def _rate_at(self, time_seconds: float) -> float:
        if self.last is None:
            return 1.0
        x = max(1e-9, time_seconds - self.last) / self.period_seconds  # no interval: a tiny one
        instantaneous = -math.expm1(-x) / x  # (1 - a) / x, exact also for tiny x
        return max(1.0, instantaneous + math.exp(-x) * self.rate)


@dataclass
class RspamdBucket:
    """rspamd's leaky bucket.

    The bucket leaks at a constant rate. A message is refused when what is in the bucket and the message
    itself are more than the burst; refused messages do not fill it (z = 0). A bucket not used for two days is
    forgotten.

    With `good` told for accepted messages the limits move: ×1.01 for the rate and ×1.02 for the burst with
    each good message, ×0.99 and ×0.98 with each bad one, within a fifth to 5 times and a tenth to 10 times.
    """

    rate_per_second: float
    burst: float
    content: float = field(default=0.0, init=False)
    last: float = field(default=-math.inf, init=False)
    rate_factor: float = field(default=1.0, init=False)
    burst_factor: float = field(default=1.0, init=False)

    FORGOTTEN_AFTER = 2 * 86_400.0

    def answer(self, time_seconds: float, good: bool | None = None) -> bool:
        if time_seconds - self.last > self.FORGOTTEN_AFTER:
            self.content, self.rate_factor, self.burst_factor = 0.0, 1.0, 1.0
        else:
            leaked = (time_seconds - self.last) * self.rate_per_second * self.rate_factor
            self.content = max(0.0, self.content - leaked)
        self.last = time_seconds
        if self.content + 1 > self.burst * self.burst_factor:
            return False
        self.content += 1
        if good is not None:
            self.rate_factor = _moved(self.rate_factor, 1.01 if good else 0.99, 5.0)
            self.burst_factor = _moved(self.burst_factor, 1.02 if good else 0.98, 10.0)
        return True


def _moved(factor: float, by: float, most: float) -> float:
    return min(most, max(1 / most, factor * by))


@dataclass
class BarracudaWindow:
    """Barracuda's rate control: so many messages in each half hour of the clock.

    Once over, everything is deferred until the next half hour, so what is tried in vain costs nothing more
    (z = 0) and where in the window one stands decides. (That a 4xx is repeated from memory for 5 minutes is
    taken to concern the same message only and left out.)
    """

    limit: int
    window_seconds: float = 1_800.0
    window: int = field(default=-1, init=False)
    accepted: int = field(default=0, init=False)

    def answer(self, time_seconds: float) -> bool:
        window = math.floor(time_seconds / self.window_seconds)
        if window != self.window:
            self.window, self.accepted = window, 0
        if self.accepted >= self.limit:
            return False
        self.accepted += 1
        return True
