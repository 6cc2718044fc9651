"""Exchange: message tracking logs.

https://learn.microsoft.com/en-us/exchange/mail-flow/transport-logs/message-tracking: fields, event types and sources;
times are UTC; the header names the fields.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from planner.observing.logs.blocks import Block
from planner.observing.logs.formats.base import CUT_OFF
from planner.observing.logs.formats.table import Table
from planner.observing.logs.replies import ACCEPTED, HARD_BOUNCED
from planner.observing.logs.tally import LOCAL

_FIELDS = b"#Fields: "
_OWN_SOURCES = ("ROUTING", "DNS")
"""Components that give mail up before a server is asked, though with an SMTP code: nobody finds the recipient."""

_LAST_ERROR = re.compile(r"\{?LED=(.*?)(?:\};|\}|$)")
_EXPIRED = re.compile(r"QUEUE\.Expired|\b[45]\.4\.7\b")


def recognises(sample: Sequence[bytes]) -> int:
    """Whether the header names the fields of message tracking."""
    return len(sample) if any(line.startswith(_FIELDS) and b"recipient-status" in line for line in sample[:20]) else 0


class Reader(Table):
    """Counts events of the component that speaks SMTP with others."""

    def header(self, line: bytes) -> list[str] | None:
        """The line of #Fields."""
        if not line.startswith(_FIELDS):
            return None
        return [name.strip().lower() for name in line[len(_FIELDS) :].decode("utf-8", "replace").split(",")]

    def read(self, block: Block) -> None:
        """Count the events of whole lines."""
        for start, row in self.rows(block):
            try:
                self._event(row)
            except ValueError:
                self.tally.problem(CUT_OFF, block.place(start))

    def _event(self, row: dict[str, str]) -> None:
        tally = self.tally
        event, source = row.get("event-id", "").upper(), row.get("source", "").upper()
        if event not in ("SEND", "SENDEXTERNAL", "DEFER", "FAIL") or source not in (*_OWN_SOURCES, "SMTP", "QUEUE"):
            return
        second = self.second(row.get("date-time", "").rstrip("Z") + "Z")
        if tally.began is None:
            tally.began = second
        host = f"{row.get('server-hostname', '')}[{row.get('server-ip', '')}]"
        inside = "intra-organization" in row.get("connector-id", "").lower()
        if inside or row.get("directionality", "").lower() == "incoming":
            tally.passed_over["inbound" if not inside else "local"] += 1
            return
        message = row.get("network-message-id") or row.get("internal-message-id", "")
        addresses = row.get("recipient-address", "").split(";")
        statuses = row.get("recipient-status", "").split(";") if event != "DEFER" else [row.get("recipient-status", "")]
        for i, one in enumerate(addresses):
            address = one.strip().encode()
            provider = tally.provider(address, host.encode())
            if provider == LOCAL:
                tally.passed_over["local"] += 1
                continue
            said = statuses[i] if i < len(statuses) and len(statuses) == len(addresses) else ";".join(statuses)
            said = said or row.get("source-context", "")
            if source == "ROUTING" and "RESOLVER." in said:  # an address of the organisation itself
                tally.passed_over["local"] += 1
                continue
            text = _text(said)
            if event.startswith("SEND"):
                tally.attempt(second, message, address, provider, ACCEPTED)
            elif event == "FAIL" and _EXPIRED.search(said):
                tally.recipient_expired(second, message, tally.queue.recipient(address), provider)
            elif event == "DEFER":
                tally.attempt(second, message, address, provider, tally.replies.deferred(text, address))
            else:
                answer = HARD_BOUNCED if source in _OWN_SOURCES else tally.replies.refused(text, address)
                tally.attempt(second, message, address, provider, answer)


def _text(status: str) -> str:
    found = _LAST_ERROR.search(status)
    return (found[1] if found else status).strip()
