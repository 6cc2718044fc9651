"""Amazon SES: its events and notifications, bare or as SNS, EventBridge and Firehose wrap them.

https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html and
https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-examples.html. SES tells of delays, not of
each attempt: a notice of a delay counts as one deferral, and how many attempts there were is not known.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from planner.observing.logs.formats.json_values import Event, Values, bytes_of, domain_of, first_events
from planner.observing.logs.replies import ACCEPTED
from planner.observing.logs.tally import COMPLAINTS

_TEMPORARY = re.compile(r"4\d\d[ -]|4\.\d|[45]\.4\.7")


def recognises(sample: Sequence[bytes]) -> int:
    """How many of the first events are of SES."""
    return sum(
        "mail" in event and ("eventType" in event or "notificationType" in event) for event in first_events(sample)
    )


class Reader(Values):
    """Counts events."""

    def not_known(self) -> tuple[str, ...]:
        """Attempts: SES makes them without saying so."""
        return ("attempts",)

    def event(self, event: Event) -> None:
        """Count one event."""
        kind = event.get("eventType") or event["notificationType"]
        message = event["mail"]["messageId"]
        if kind == "Delivery":
            told = event["delivery"]
            waited = told.get("processingTimeMillis")
            for one in told["recipients"]:
                self._attempt(told, message, bytes_of(one), "", None if waited is None else float(waited) / 1000.0)
        elif kind == "DeliveryDelay":
            told = event["deliveryDelay"]
            for one in told["delayedRecipients"]:
                self._attempt(told, message, bytes_of(one["emailAddress"]), f"deferred {_text(one)}", None)
        elif kind == "Bounce":
            self._bounce(event["bounce"], message)
        elif kind == "Complaint":
            told = event["complaint"]
            for one in told["complainedRecipients"]:
                provider = self.tally.provider(domain_of(bytes_of(one["emailAddress"])))
                self.tally.count(self._second(told), provider, COMPLAINTS)

    def _bounce(self, told: Event, message: str) -> None:
        suppressed = "suppress" in str(told.get("bounceSubType", "")).lower()
        for one in told["bouncedRecipients"]:
            address, text = bytes_of(one["emailAddress"]), _text(one)
            if suppressed:
                self.tally.passed_over["suppressed"] += 1
            elif told.get("bounceType") == "Transient" and _TEMPORARY.search(f"{text} {one.get('status', '')}"):
                provider = self.tally.provider(domain_of(address))
                recipient = self.tally.queue.recipient(address)
                self.tally.recipient_expired(self._second(told), message, recipient, provider)
            else:
                self._attempt(told, message, address, f"refused {text or one.get('status', '')}", None)

    def _attempt(self, told: Event, message: str, address: bytes, what: str, waited: float | None) -> None:
        tally = self.tally
        how, _, text = what.partition(" ")
        if how == "deferred":
            answer = tally.replies.deferred(text)
        else:
            answer = tally.replies.refused(text) if how else ACCEPTED
        tally.attempt(self._second(told), message, address, tally.provider(domain_of(address)), answer, waited=waited)

    def _second(self, told: Event) -> int:
        return self.tally.clock.iso_second(str(told["timestamp"]).encode())


def _text(recipient: Event) -> str:
    return str(recipient.get("diagnosticCode") or "").removeprefix("smtp;").strip()
