"""SendGrid: events of its webhook, in arrays as they are posted or one per line.

https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event: event, email, timestamp in Unix time,
response, reason, status, type of a bounce, attempt.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from planner.observing.logs.formats.json_values import Event, Values, bytes_of, first_events

_TEMPORARY = re.compile(r"\s*(?:4\d\d[ -]|4\.\d)")


def recognises(sample: Sequence[bytes]) -> int:
    """How many of the first events are of SendGrid."""
    return sum("sg_event_id" in event or "sg_message_id" in event for event in first_events(sample))


class Reader(Values):
    """Counts events."""

    def identity(self, event: Event) -> str:
        """Kind, and the number that SendGrid gives for telling repetitions."""
        number = event.get("sg_event_id")
        return f"{event['event']} {number}" if number else ""

    def event(self, event: Event) -> None:
        """Count one event."""
        tally, kind = self.tally, event["event"]
        if kind not in ("delivered", "deferred", "bounce", "blocked", "spamreport", "dropped"):
            return
        if kind == "dropped":
            tally.passed_over["suppressed"] += 1
            return
        address = bytes_of(event["email"])
        second, provider = tally.clock.epoch_second(int(event["timestamp"])), tally.provider(address)
        if kind == "spamreport":
            self.complaint(second, provider)
            return
        message = str(event.get("sg_message_id") or event.get("smtp-id") or "").partition(".")[0]
        text = str(event.get("response") or event.get("reason") or "")
        if kind == "deferred":
            attempt = event.get("attempt")
            first = str(attempt) == "1" if attempt is not None else None
            tally.attempt(second, message, address, provider, self.put_off(text, address), first=first)
        elif kind == "delivered":
            self.accepted(second, message, address, provider)
        elif _TEMPORARY.match(text) or _TEMPORARY.match(str(event.get("status") or "")):
            self.given_up(second, message, address, provider)
        else:
            self.refused(second, message, address, provider, text)
