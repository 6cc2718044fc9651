"""Reads bounce messages: delivery status notifications (RFC 3464), whole or in part, and those in words only."""

from __future__ import annotations

import email
import email.errors
import re
from collections.abc import Iterator
from email.message import Message

from planner.replies.cleaning import MAX_TEXT
from planner.replies.said import Said
from planner.replies.wording import host_name, recorded

_FIELD = re.compile(
    r"[-•*\s]{0,4}(Final-Recipient|Original-Recipient|Action|Status|Remote-MTA|Diagnostic-Code|"
    r"Reporting-MTA|Last-Attempt-Date|"
    r"Will-Retry-Until|Final-Log-ID|Received-From-MTA|Arrival-Date|X-[\w-]{1,60})[ \t]{0,4}:",
    re.IGNORECASE,
)
_REPORT = re.compile(r"^[-•*\s]{0,4}(?:Final-Recipient|Diagnostic-Code)[ \t]{0,4}:", re.IGNORECASE | re.MULTILINE)
_MAIL = re.compile(r"\A\s{0,20}(?:(?:From |>)[^\n]{0,300}\n)?[A-Za-z][\w-]{1,60}:[^\n]*\n")
_FOR_PEOPLE = (
    "qmail-send program", "created automatically by mail delivery software", "this is the mail system at host",
    "response from the remote server was", "delivery to the following recipient", "transcript of session follows",
    "had permanent fatal errors",
    "undelivered mail", "delivery failed", "delivery has failed", "could not be delivered",
    "couldn't be delivered", "wasn't delivered", "delivery status notification", "mail delivery subsystem",
    "the following address failed", "the following addresses failed", "the following address(es) failed",
    "remote server returned",
)  # fmt: skip
_COPY = re.compile(
    r"^(?:Original message headers:|[- ]{2,10}(?:Below this line is a copy|This is a copy of|Original message|"
    r"Message header follows|Undelivered message follows|The body of the message|Enclosed is a copy|"
    r"Forwarded message))",
    re.IGNORECASE | re.MULTILINE,
)
# parts within parts within parts are no bounce, and the library's time grows with their depth
_MAX_BOUNDARIES = 12


def is_report(text: str) -> bool:
    """Whether a text holds the fields of a delivery status notification."""
    lower = text.lower()
    return ("final-recipient" in lower or "diagnostic-code" in lower) and bool(_REPORT.search(text))


def is_for_people(text: str) -> bool:
    """Whether a text is a bounce in words."""
    lower = text.lower()
    return any(words in lower for words in _FOR_PEOPLE)


def bodies(source: str) -> tuple[str, str] | None:
    """Status fields and words of a message's source; None when the text is no such source."""
    if (
        not _MAIL.match(source)
        or "\n\n" not in source
        or not re.search(r"^content-type:", source[:20_000], re.IGNORECASE | re.MULTILINE)
    ):
        return None
    if source.lower().count("boundary=") > _MAX_BOUNDARIES:
        return None
    try:
        message = email.message_from_string(source.lstrip())
        fields, words = [], []
        for part in _parts(message, 0):
            kind = part.get_content_type()
            if kind == "message/delivery-status" or kind == "message/global-delivery-status":
                fields.append(_status_text(part))
            elif kind in {"text/plain", "text/html"}:
                words.append(_decoded(part))
    except (email.errors.MessageError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        # the library trips over some malformed sources; they are read as plain text instead
        return None
    return "\n\n".join(fields)[:MAX_TEXT], "\n\n".join(words)[:MAX_TEXT]


def reports(text: str) -> list[Said]:
    """One per recipient of a delivery status notification."""
    return [_recipient(group) for group in _groups(text)]


def before_copy(text: str) -> str:
    """A bounce's words without the copy of the message that came back."""
    found = _COPY.search(text)
    return text[: found.start()] if found else text


def _parts(message: Message, depth: int) -> Iterator[Message]:
    if message.get_content_maintype() == "multipart" and message.is_multipart() and depth < 10:
        for part in message.get_payload():
            if isinstance(part, Message):
                yield from _parts(part, depth + 1)
    else:
        yield message


def _status_text(part: Message) -> str:
    payload = part.get_payload()
    if isinstance(payload, list):
        groups = [
            "\n".join(f"{key}: {value}" for key, value in one.items()) for one in payload if isinstance(one, Message)
        ]
        return "\n\n".join(groups)
    return _decoded(part)


def _decoded(part: Message) -> str:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return str(payload or "")
    charset = part.get_content_charset() or "utf-8"
    try:
        return payload.decode(charset, "replace")
    except (LookupError, ValueError):
        # an encoding that Python does not know
        return payload.decode("utf-8", "replace")


def _groups(text: str) -> Iterator[dict[str, str]]:
    group: dict[str, str] = {}
    last = ""
    for line in text.split("\n"):
        field = _FIELD.match(line)
        if field:
            name = field[1].lower()
            if (
                name in group
                and (name == "final-recipient" or _says(group))
                and name in {"final-recipient", "original-recipient", "action"}
            ):
                yield from _told(group)
                group = {}
            last = name
            group[name] = line[field.end() :].strip()
        elif not line.strip():
            if _says(group):
                yield from _told(group)
                group = {}
            last = ""
        elif last and (line[0] in " \t" or (last == "diagnostic-code" and not re.match(r"[\w-]{2,40}:(?!//)", line))):
            group[last] = f"{group[last]} {line.strip()}"
        else:
            last = ""
    yield from _told(group)


def _says(group: dict[str, str]) -> bool:
    return "diagnostic-code" in group or ("status" in group and "action" in group)


def _told(group: dict[str, str]) -> Iterator[dict[str, str]]:
    if _says(group):
        yield group


def _recipient(group: dict[str, str]) -> Said:
    address = group.get("final-recipient") or group.get("original-recipient") or ""
    action = group.get("action", "").lower()
    host = host_name(group.get("remote-mta", "").split(";")[-1].split("(")[0].split("[")[0])
    words = group.get("diagnostic-code", "")
    return recorded(
        words,
        "bounce",
        host,
        address.partition(";")[2].strip() or address,
        status=group.get("status"),
        accepted=action.startswith(("delivered", "relayed")),
    )
