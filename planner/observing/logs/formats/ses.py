"""Amazon SES: its events and notifications, bare or as SNS, EventBridge and Firehose wrap them.

https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html and
https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-examples.html. SES tells of delays, not of
each attempt: a notice of a delay counts as one deferral, and how many attempts there were is not known.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from planner.observing.logs.formats.json_values import Event, Values, bytes_of, first_events
from planner.observing.logs.replies import ACCEPTED, Answer

_TEMPORARY = re.compile(r"\b(?:4\d\d[ -]|4\.\d|[45]\.4\.7)")


def recognises(sample: Sequence[bytes]) -> int:
    """How many of the first events are of SES."""
    return sum(
        "mail" in event and ("eventType" in event or "notificationType" in event) for event in first_events(sample)
    )


class Reader(Values):
    """Counts events."""

    def not_known(self) -> tuple[str, ...]:
        """Attempts: SES makes them without saying so."""
        return (*super().not_known(), "attempts")

    def event(self, event: Event) -> None:
        """Count one event."""
        kind = event.get("eventType") or event["notificationType"]
        message, replies = str(event["mail"]["messageId"]), self.tally.replies
        if kind == "Delivery":
            told = event["delivery"]
            millis = told.get("processingTimeMillis")
            for one in told["recipients"]:
                self._attempt(
                    told, message, bytes_of(one), ACCEPTED, None if millis is None else float(millis) / 1000.0
                )
        elif kind == "DeliveryDelay":
            told = event["deliveryDelay"]
            for one in told["delayedRecipients"]:
                address = bytes_of(one["emailAddress"])
                self._attempt(told, message, address, self.put_off(_text(one), address))
        elif kind == "Bounce":
            told = event["bounce"]
            for one in told["bouncedRecipients"]:
                address, text = bytes_of(one["emailAddress"]), _text(one)
                if "suppress" in str(told.get("bounceSubType", "")).lower():
                    self.tally.passed_over["suppressed"] += 1
                elif told.get("bounceType") == "Transient" and _TEMPORARY.search(text):
                    recipient = self.tally.queue.recipient(address)
                    self.tally.recipient_expired(self._second(told), message, recipient, self._provider(address))
                else:
                    self._attempt(told, message, address, replies.refused(text, address))
        elif kind == "Complaint":
            told = event["complaint"]
            for one in told["complainedRecipients"]:
                self.complaint(self._second(told), self._provider(bytes_of(one["emailAddress"])))

    def _attempt(self, told: Event, message: str, address: bytes, answer: Answer, waited: float | None = None) -> None:
        self.tally.attempt(self._second(told), message, address, self._provider(address), answer, waited=waited)

    def _provider(self, address: bytes) -> int:
        return self.tally.provider(address)

    def _second(self, told: Event) -> int:
        return self.tally.clock.iso_second(str(told["timestamp"]).encode())


def _text(recipient: Event) -> str:
    return str(recipient.get("diagnosticCode") or recipient.get("status") or "").removeprefix("smtp;").strip()
