"""KumoMTA: its log records as JSON lines.

https://docs.kumomta.com/reference/log_record/: types, response, peer_address, timestamp and created in Unix time.
"""

from __future__ import annotations

from collections.abc import Sequence

from planner.observing.logs.formats.json_values import Event, Values, bytes_of, first_events
from planner.observing.logs.replies import ACCEPTED
from planner.observing.logs.tally import LOCAL

_TRIES = {"Delivery", "TransientFailure", "Bounce"}


def recognises(sample: Sequence[bytes]) -> int:
    """How many of the first events are log records."""
    return sum("type" in event and "timestamp" in event and "queue" in event for event in first_events(sample))


class Reader(Values):
    """Counts log records."""

    def event(self, event: Event) -> None:
        """Count one record."""
        tally, kind = self.tally, event["type"]
        if kind == "Feedback":
            self._complaint(event)
            return
        if kind not in _TRIES and kind not in ("Expiration", "AdminBounce"):
            return
        second, created = tally.clock.epoch_second(event["timestamp"]), event.get("created")
        if tally.began is None:
            tally.began = second
        waited = None if created is None else float(max(event["timestamp"] - created, 0))
        peer = event.get("peer_address") or {}
        host = f"{peer.get('name') or ''}[{peer.get('addr') or ''}]".encode()
        protocol = event.get("delivery_protocol")
        given = event["recipient"]
        for one in given if isinstance(given, list) else [given]:
            address = bytes_of(one)
            provider = tally.provider(address, host)
            if provider == LOCAL or (protocol and protocol not in ("ESMTP", "SMTP")):
                tally.passed_over["local"] += 1
                continue
            recipient, message = tally.queue.recipient(address), str(event["id"])
            if kind == "Expiration":
                tally.recipient_expired(second, message, recipient, provider)
                continue
            if kind == "AdminBounce":
                tally.passed_over["removed by hand"] += 1
                tally.queue.settle(message, recipient)
                continue
            text = _text(event.get("response") or {})
            answer = (
                ACCEPTED
                if kind == "Delivery"
                else self.put_off(text, address)
                if kind == "TransientFailure"
                else tally.replies.refused(text, address)
            )
            tally.attempt_of(second, message, recipient, provider, answer, waited=waited)

    def _complaint(self, event: Event) -> None:
        report = event.get("feedback_report") or {}
        trace = report.get("supplemental_trace") or {}
        named = [trace.get("recipient"), *(report.get("original_rcpto_to") or []), event.get("recipient")]
        address = next((bytes_of(one) for one in named if one), b"")
        provider = self.tally.provider(address)
        self.complaint(self.tally.clock.epoch_second(event["timestamp"]), provider)


def _text(response: Event) -> str:
    enhanced = response.get("enhanced_code") or {}
    code = ".".join(str(enhanced[part]) for part in ("class", "subject", "detail") if part in enhanced)
    return f"{response.get('code', '')} {code} {response.get('content', '')}".strip()
