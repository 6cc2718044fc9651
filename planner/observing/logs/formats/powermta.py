"""PowerMTA: its accounting files, by their header.

PowerMTA User's Guide, "Accounting": record types, RFC 4180, a header line that names the columns; by default only
``d`` (delivered) and ``b`` (bounced) are written, ``t`` (transient) on demand. https://hackmd.io/@z3d3m0n/Pmta_records
"""

from __future__ import annotations

from collections.abc import Sequence

from planner.observing.logs.blocks import Block
from planner.observing.logs.formats.base import ATTEMPTS_NOT_KNOWN, COMPLAINTS_NOT_KNOWN, CUT_OFF
from planner.observing.logs.formats.table import Table
from planner.observing.logs.replies import ACCEPTED
from planner.observing.logs.tally import COMPLAINTS, LOCAL, LONG, SENT_APART, Tally


def recognises(sample: Sequence[bytes]) -> int:
    """Whether the first line is a header of accounting columns."""
    first = sample[0].removeprefix(b"\xef\xbb\xbf").lower() if sample else b""
    return len(sample) if first.startswith((b"type,", b'"type",')) and b"timelogged" in first else 0


class Reader(Table):
    """Counts records."""

    comments = b"\0"

    def __init__(self, tally: Tally) -> None:
        super().__init__(tally)
        self._transient = self._feedback = False

    def header(self, line: bytes) -> list[str] | None:
        """The line that begins with type."""
        if line.partition(b",")[0].strip(b'"').lower() != b"type":
            return None
        return [name.strip().strip('"').lower() for name in line.decode("utf-8", "replace").split(",")]

    def not_known(self) -> tuple[str, ...]:
        """Deferrals, unless transient records are written; complaints, unless feedback is."""
        return (*(() if self._transient else ATTEMPTS_NOT_KNOWN), *(() if self._feedback else COMPLAINTS_NOT_KNOWN))

    def read(self, block: Block) -> None:
        """Count the records of whole lines."""
        for start, row in self.rows(block):
            try:
                self._record(row)
            except ValueError:
                self.tally.problem(CUT_OFF, block.place(start))

    def _record(self, row: dict[str, str]) -> None:
        tally = self.tally
        kind = row["type"].strip().lower()
        if kind not in ("d", "b", "t", "f"):
            return
        second = self.second(row.get("timelogged", ""))
        address = row.get("rcpt", "").strip("<>").encode()
        name, ip = row.get("dsnmta", "").split(" ")[0], row.get("dlvdestinationip", "")
        provider = tally.provider(address, (f"{name}[{ip}]" if ip else name).encode())
        if kind == "f":
            self._feedback = True
            tally.count(second, max(provider, 0) if provider != LOCAL else tally.number("other"), COMPLAINTS)
            return
        if provider == LOCAL:
            tally.passed_over["local"] += 1
            return
        queued = self.second(row["timequeued"]) if row.get("timequeued") else None
        message = f"{row.get('timequeued')} {row.get('jobid')} {row.get('envid')}"
        waited = None if queued is None else float(max(second - queued, 0))
        text = row.get("dsndiag", "").removeprefix("smtp;").strip() or row.get("dsnstatus", "")
        if kind == "t":
            self._transient = True
            tally.attempt(second, message, address, provider, tally.replies.deferred(text, address), waited=waited)
            return
        recipient = tally.queue.recipient(address)
        if kind == "b" and _expired(row):
            if not self._transient and not tally.queue.tried(message, recipient):
                tally.count(queued or second, provider, SENT_APART)
            tally.recipient_expired(second, message, recipient, provider)
            return
        answer = ACCEPTED if kind == "d" else tally.replies.refused(text, address)
        begun = self.second(row["timefirstattempt"]) if row.get("timefirstattempt") else queued
        if not self._transient and begun is not None and second - begun > LONG:
            # earlier attempts were not written down: the message was sent when it was first tried
            tally.count(begun, provider, SENT_APART)
            tally.attempt_of(second, message, recipient, provider, answer, waited=waited, first=False)
        else:
            tally.attempt_of(second, message, recipient, provider, answer, waited=waited)


def _expired(row: dict[str, str]) -> bool:
    return row.get("bouncecat", "") == "message-expired" or row.get("dsnstatus", "").startswith(("4.4.7", "5.4.7"))
