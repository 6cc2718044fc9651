"""Amazon SES: its events and notifications, bare or as SNS, EventBridge and Firehose wrap them.

https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html and
https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-examples.html. SES tells of delays, not of
each attempt: a notice of a delay counts as one deferral, and how many attempts there were is not known.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from planner.observing.logs.formats.json_values import Event, Values, bytes_of, first_events

_PARTICULARS = {
    "Delivery": "delivery",
    "DeliveryDelay": "deliveryDelay",
    "Bounce": "bounce",
    "Complaint": "complaint",
}
_SAID_BY_SUBTYPE = {
    "mailboxfull": "552 5.2.2 mailbox full",
    "messagetoolarge": "552 5.3.4 message too big",
    "contentrejected": "550 5.6.0 content rejected",
    "attachmentrejected": "550 5.6.0 attachment rejected",
}
"""Bounces that SES calls transient, for the address is a good one; this mail is lost all the same."""

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

    def identity(self, event: Event) -> str:
        """Message and particulars: SES numbers no events."""
        kind = _kind(event)
        told = event.get(_PARTICULARS.get(kind, ""))
        return json.dumps([event["mail"]["messageId"], kind, told], sort_keys=True) if told else ""

    def event(self, event: Event) -> None:
        """Count one event."""
        kind = _kind(event)
        if kind not in _PARTICULARS:
            return
        message, told = str(event["mail"]["messageId"]), event[_PARTICULARS[kind]]
        second = self.tally.clock.iso_second(str(told["timestamp"]).encode())
        if kind == "Delivery":
            millis = told.get("processingTimeMillis")
            waited = None if millis is None else float(millis) / 1000.0
            for one in told["recipients"]:
                address = bytes_of(one)
                self.accepted(second, message, address, self.tally.provider(address), waited=waited)
        elif kind == "DeliveryDelay":
            for one in told["delayedRecipients"]:
                address = bytes_of(one["emailAddress"])
                answer = self.put_off(_text(one), address)
                self.tally.attempt(second, message, address, self.tally.provider(address), answer)
        elif kind == "Bounce":
            for one in told["bouncedRecipients"]:
                self._bounce(second, message, bytes_of(one["emailAddress"]), told, _text(one))
        else:
            for one in told["complainedRecipients"]:
                self.complaint(second, self.tally.provider(bytes_of(one["emailAddress"])))

    def _bounce(self, second: int, message: str, address: bytes, told: Event, text: str) -> None:
        tally, subtype = self.tally, str(told.get("bounceSubType", "")).lower()
        text = text or _SAID_BY_SUBTYPE.get(subtype, "")
        if "suppress" in subtype:
            tally.passed_over["suppressed"] += 1
        elif told.get("bounceType") != "Transient" or (text and not _TEMPORARY.search(text)):
            self.refused(second, message, address, tally.provider(address), text)
        else:
            self.given_up(second, message, address, tally.provider(address))


def _kind(event: Event) -> str:
    return str(event.get("eventType") or event["notificationType"])


def _text(recipient: Event) -> str:
    return str(recipient.get("diagnosticCode") or recipient.get("status") or "").removeprefix("smtp;").strip()
