"""Mailgun: events of its API and of its webhooks.

https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhook-payloads and …/events/event-types: event,
severity, reason, delivery-status, recipient, timestamp in Unix time.
"""

from __future__ import annotations

from collections.abc import Sequence

from planner.inputs.provider_names import OTHER
from planner.observing.logs.formats.json_values import Event, Values, bytes_of, first_events

_EVENTS = {"accepted", "delivered", "failed", "complained", "rejected", "opened", "clicked", "unsubscribed", "stored"}


def recognises(sample: Sequence[bytes]) -> int:
    """How many of the first events are of Mailgun."""
    return sum(
        event.get("event") in _EVENTS and "recipient" in event and "sg_event_id" not in event
        for event in first_events(sample)
    )


class Reader(Values):
    """Counts events."""

    def identity(self, event: Event) -> str:
        """Kind and the event's own id."""
        number = event.get("id")
        return f"{event['event']} {number}" if number else ""

    def event(self, event: Event) -> None:
        """Count one event."""
        tally, kind = self.tally, event["event"]
        if kind not in ("delivered", "failed", "complained"):
            return
        address, status = bytes_of(event["recipient"]), event.get("delivery-status") or {}
        provider = tally.provider(address, str(status.get("mx-host") or "").encode())
        second = tally.clock.epoch_second(float(event["timestamp"]))
        provider = tally.number(OTHER) if provider < 0 else provider
        if kind == "complained":
            self.complaint(second, provider)
            return
        headers = (event.get("message") or {}).get("headers") or {}
        message, reason = str(headers.get("message-id", "")), str(event.get("reason") or "")
        attempt = status.get("attempt-no")
        first = attempt == 1 if isinstance(attempt, int) else None
        text = f"{status.get('code') or ''} {status.get('message') or status.get('description') or ''}".strip()
        if kind == "delivered":
            self.accepted(second, message, address, provider, first=first)
        elif reason.startswith("suppress"):
            tally.passed_over["suppressed"] += 1
        elif reason == "old":
            self.given_up(second, message, address, provider)
        elif event.get("severity") == "temporary":
            tally.attempt(second, message, address, provider, self.put_off(text, address), first=first)
        else:
            self.refused(second, message, address, provider, text, first=first)
