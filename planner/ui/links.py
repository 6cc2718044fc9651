"""A visit's inputs as a short text in the address of the page, and back.

One entry of our own rather than one per widget (`bind="query-params"`): most answers are tables, which cannot be bound,
and a link has to mean the same when the example it began with has changed. It holds the whole sender, compressed.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import planner as wp
from planner.ui.edits import Cells

VERSION = "1"
MOST_CHARACTERS = 2_000
MOST_BYTES = 50_000
"""A few characters can unpack to more than the memory holds."""

Points = Mapping[str, float]
Changes = Mapping[str, Mapping[str, Points]]
"""Changed assumptions: low, typical and high by provider and parameter."""


@dataclass(frozen=True)
class Inputs:
    """What a plan is made from, as far as people say it."""

    sender: wp.Sender
    locked: Cells = field(default_factory=dict)
    typed: Cells = field(default_factory=dict)
    priors: Changes = field(default_factory=dict)
    retry: Mapping[str, wp.RetryPolicy] = field(default_factory=dict)


def packed(inputs: Inputs) -> str | None:
    """Return the text for a link, without the edits where it would be too long with them; None where it still is."""
    cells = {"locked": _plain(inputs.locked), "typed": _plain(inputs.typed)}
    changed = cells | {"priors": inputs.priors, "retry": written(inputs.retry)}
    whole = {"sender": inputs.sender.to_yaml(), **{name: value for name, value in changed.items() if value}}
    for data in (whole, {"sender": whole["sender"]}):
        content = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
        text = VERSION + base64.urlsafe_b64encode(zlib.compress(content, 9)).decode().rstrip("=")
        if len(text) <= MOST_CHARACTERS:
            return text
    return None


def unpacked(text: str) -> Inputs:
    """Return what `packed` packed.

    Raises
    ------
    InputError
        If the text is something else, or was cut off on its way.
    """
    if text[:1] != VERSION or len(text) > MOST_CHARACTERS:
        raise wp.InputError("The link was made by another version, or is no link of ours. Ask for the sender file.")
    try:
        code = text[1:] + "=" * (-len(text[1:]) % 4)
        unpacking = zlib.decompressobj()
        content = unpacking.decompress(base64.b64decode(code, altchars=b"-_", validate=True), MOST_BYTES)
        if not unpacking.eof:
            raise ValueError("cut off, or too long")
        data = json.loads(content)
        sender = wp.Sender.from_text(data["sender"], "the link")
        cells = [_cells(data.get(name, {})) for name in ("locked", "typed")]
        retry = {str(name): wp.RetryPolicy.model_validate(row) for name, row in data.get("retry", {}).items()}
        return Inputs(sender, cells[0], cells[1], _priors(data.get("priors", {})), retry)
    except wp.InputError:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, zlib.error, binascii.Error):
        text = "The link is damaged; perhaps a part of it was cut off. Copy the whole address, or open a sender file."
        raise wp.InputError(text) from None


def written(retry: Mapping[str, wp.RetryPolicy]) -> dict[str, Any]:
    """Return retry policies as plain values that JSON knows."""
    return {name: policy.model_dump(mode="json", exclude_defaults=True) for name, policy in retry.items()}


def _plain(cells: Cells) -> dict[str, dict[str, int]]:
    return {name: {day.isoformat(): messages for day, messages in days.items()} for name, days in cells.items()}


def _cells(data: Any) -> Cells:
    return {
        str(name): {date.fromisoformat(day): _messages(messages) for day, messages in days.items()}
        for name, days in data.items()
    }


def _messages(value: Any) -> int:
    if not isinstance(value, int) or not 0 <= value <= 1_000_000_000:
        raise ValueError("no number of messages")
    return value


def _priors(data: Any) -> Changes:
    points = ("low", "typical", "high")
    return {
        str(name): {str(one): {point: float(row[point]) for point in points} for one, row in rows.items()}
        for name, rows in data.items()
    }
