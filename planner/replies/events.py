"""Reads the events that sending services post: SES, SendGrid, Mailgun, SparkPost, Postmark, KumoMTA."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from planner.replies.said import Said, Speaker
from planner.replies.wording import domain_of, host_name, nobody, recorded

_DEPTH = 12
_LISTS = ("results", "items", "events", "Records", "Bounces", "Messages", "records", "data")
_WORDS = (
    "diagnosticCode", "diagnostic_code", "diagnostic", "diag", "smtp_response", "smtpResponse",
    "smtp-response", "response",
    "raw_reason", "reason", "bounce_description", "error", "message", "description", "details", "Details", "text",
)  # fmt: skip
_RECIPIENTS = ("recipient", "rcpt_to", "email", "emailAddress", "Email", "Recipient", "to", "rcpt")
_TAKEN = {"delivered", "delivery", "Delivery", "DELIVERED", "sent"}

# what a service notes when it did not even try to deliver
_SES_SUPPRESSED = {"Suppressed", "OnAccountSuppressionList"}
_SENDGRID_UNSENT = "dropped"
_MAILGUN_NO_MX, _MAILGUN_UNSENT = 498, 600
_SPARKPOST_UNSENT = {"generation_rejection", "generation_failure", "policy_rejection"}
_POSTMARK_UNSENT = "ManuallyDeactivated"

Record = dict[str, Any]


def parsed(text: str) -> list[Any] | None:
    """The values of a text that is JSON as a whole; None when it is not."""
    try:
        return [json.loads(text)]
    except (ValueError, RecursionError):
        # RecursionError: brackets nested by the thousand, which no event is
        return None


def said_in(value: object) -> list[Said]:
    """What an event, or a list of them, says: one per event and recipient."""
    return list(_walk(value, 0))


def _walk(value: object, depth: int) -> Iterator[Said]:
    if depth > _DEPTH:
        return
    if isinstance(value, list):
        for one in value:
            yield from _walk(one, depth + 1)
    elif isinstance(value, dict):
        yield from _event(value, depth)


def _event(event: Record, depth: int) -> Iterator[Said]:
    for wrapper in ("Message", "body", "Body"):
        inner = event.get(wrapper)
        if isinstance(inner, str) and inner.lstrip()[:1] in {"{", "["} and (values := parsed(inner)) is not None:
            yield from _walk(values, depth + 1)
            return
    for wrapper in ("Sns", "detail", "event-data", "message_event", "track_event", "msys"):
        inner = event.get(wrapper)
        if isinstance(inner, dict):
            yield from _event(inner, depth + 1) if depth < _DEPTH else ()
            return
    if _ses(event):
        yield from _ses_event(event)
    elif isinstance(event.get("response"), dict) and "type" in event:
        yield from _kumomta(event)
    elif "delivery-status" in event:
        yield _mailgun(event)
    elif _of_sendgrid(event):
        yield _sendgrid(event)
    elif "RecordType" in event or "TypeCode" in event or ("ErrorCode" in event and "Message" in event):
        yield _postmark(event)
    elif "raw_reason" in event or "bounce_class" in event or ("type" in event and "rcpt_to" in event):
        yield _sparkpost(event)
    elif any(isinstance(event.get(name), list) for name in _LISTS):
        for name in _LISTS:
            yield from _walk(event.get(name), depth + 1)
    else:
        yield _other(event)


def _of_sendgrid(event: Record) -> bool:
    return (
        "sg_event_id" in event
        or "sg_message_id" in event
        or {"event", "email", "response"} <= event.keys()
        or (event.get("event") == _SENDGRID_UNSENT and {"email", "reason"} <= event.keys())
    )


def _ses(event: Record) -> bool:
    return ("notificationType" in event or "eventType" in event) and isinstance(event.get("mail", {}), dict)


def _ses_event(event: Record) -> Iterator[Said]:
    kind = str(event.get("eventType") or event.get("notificationType"))
    name = kind[:1].lower() + kind[1:].replace(" ", "")
    part = _part(event, name)
    if name == "delivery":
        words = _text(part.get("smtpResponse"))
        host = host_name(_text(part.get("remoteMtaHost")) or _text(part.get("remoteMtaIp")))
        for address in _list(part.get("recipients")) or [None]:
            yield recorded(words, "ses", host, _text(address), accepted=True)
    elif name in {"bounce", "deliveryDelay"}:
        host = host_name(_text(part.get("remoteMtaIp")))
        why = " ".join(_text(part.get(key)) for key in ("bounceType", "bounceSubType", "delayType")).strip()
        for one in _list(part.get("bouncedRecipients") or part.get("delayedRecipients")) or [{}]:
            recipient = one if isinstance(one, dict) else {}
            words = _text(recipient.get("diagnosticCode")) or why
            said = recorded(
                words,
                "ses",
                host,
                _text(recipient.get("emailAddress")),
                status=_text(recipient.get("status")),
            )
            yield _unsent(said) if part.get("bounceSubType") in _SES_SUPPRESSED else said
    elif name == "complaint":
        for one in _list(part.get("complainedRecipients")) or [{}]:
            domain = domain_of(_text(one.get("emailAddress"))) if isinstance(one, dict) else None
            yield nobody(
                f"complaint {_text(part.get('complaintFeedbackType'))}", "event without a reply", "ses", domain
            )
    else:
        yield nobody(f"{kind} {_text(part.get('reason'))}", "event without a reply", "ses")


def _kumomta(record: Record) -> Iterator[Said]:
    response = _part(record, "response")
    code = _code(response.get("code"))
    parts = response.get("enhanced_code")
    enhanced = None
    if isinstance(parts, dict):
        numbers = [parts.get(key) for key in ("class", "subject", "detail")]
        if all(isinstance(n, int) and 0 <= n < 1000 for n in numbers):
            enhanced = ".".join(map(str, numbers))
    words = " ".join(part for part in (str(code or ""), enhanced or "", _text(response.get("content"))) if part)
    peer = _part(record, "peer_address")
    host = host_name(_text(peer.get("name")) or _text(peer.get("addr")))
    own = not peer and record.get("type") != "Delivery" and "kumo" in words.lower()
    for address in _list(record.get("recipient")) or [None]:
        said = recorded(
            words,
            "kumomta",
            host,
            _text(address),
            status=enhanced,
            accepted=record.get("type") == "Delivery",
        )
        if said.why_not is None and (
            own or (host is None and not said.accepted and code in _OWN_CODES and enhanced in _OWN_STATUS)
        ):
            said = replace(said, speaker=Speaker.CLIENT, why_not=None)
        yield said


# what KumoMTA itself notes when nobody answered
_OWN_CODES = {400, 451, 551, 550}
_OWN_STATUS = {"4.4.1", "4.4.2", "4.4.4", "5.4.4", "5.4.7", "4.4.7"}


def _mailgun(event: Record) -> Said:
    status = _part(event, "delivery-status")
    number = status.get("code")
    own = isinstance(number, int) and (number == _MAILGUN_NO_MX or number >= _MAILGUN_UNSENT)
    code = None if own else _code(number)
    words = _text(status.get("message")) or _text(status.get("description")) or _text(event.get("reason"))
    host = host_name(_text(status.get("mx-host")))
    said = recorded(
        words,
        "mailgun",
        host,
        _text(event.get("recipient")),
        code=code,
        status=_text(status.get("enhanced-code")),
        accepted=event.get("event") == "delivered",
    )
    return _unsent(said) if own else said


def _sendgrid(event: Record) -> Said:
    kind = _text(event.get("event"))
    words = _text(event.get("reason")) or _text(event.get("response"))
    address = _text(event.get("email"))
    if not words or kind in {"open", "click", "spamreport", "unsubscribe", "processed"}:
        return nobody(f"{kind} {words}", "event without a reply", "sendgrid", domain_of(address))
    if kind == _SENDGRID_UNSENT:
        return _unsent(recorded(f"{kind}: {words}", "sendgrid", None, address, status=_text(event.get("status"))))
    return recorded(words, "sendgrid", None, address, status=_text(event.get("status")), accepted=kind == "delivered")


def _postmark(event: Record) -> Said:
    address = _text(event.get("Email") or event.get("Recipient"))
    kind = _text(event.get("RecordType"))
    words = _text(event.get("Details"))
    if kind == "Delivery":
        return recorded(words, "postmark", None, address, accepted=True)
    if not words:
        words = " ".join(part for part in (_text(event.get("Description")), _text(event.get("Message"))) if part)
    if kind and kind not in {"Bounce", "SMTPApiError"}:
        return nobody(f"{kind} {words}", "event without a reply", "postmark", domain_of(address))
    said = recorded(words, "postmark", None, address)
    return _unsent(said) if event.get("Type") == _POSTMARK_UNSENT or "ErrorCode" in event else said


def _sparkpost(event: Record) -> Said:
    words = _text(event.get("raw_reason")) or _text(event.get("reason"))
    address = _text(event.get("rcpt_to")) or f"@{_text(event.get('recipient_domain'))}"
    kind = _text(event.get("type"))
    if kind == "delivery":
        return recorded(words, "sparkpost", None, address, accepted=True)
    if not words:
        return nobody(kind, "event without a reply", "sparkpost", domain_of(address))
    said = recorded(
        words, "sparkpost", host_name(_text(event.get("mx_host"))), address, code=_code(event.get("error_code"))
    )
    return _unsent(said) if "[internal]" in said.text or kind in _SPARKPOST_UNSENT else said


def _other(event: Record) -> Said:
    kind = _text(event.get("event") or event.get("type") or event.get("Type"))
    inner = event.get("msg")
    source = inner if isinstance(inner, dict) else event
    address = next((found for key in _RECIPIENTS if domain_of(found := _text(source.get(key)))), None)
    code = next(
        (
            n
            for key in ("responseCode", "smtp_code", "code", "error_code", "statusCode")
            if (n := _code(source.get(key)))
        ),
        None,
    )
    words = next((found for key in _WORDS if (found := _text(source.get(key)))), "")
    status = next(
        (found for key in ("enhanced_code", "enhancedCode", "status", "dsn") if (found := _text(source.get(key)))), None
    )
    accepted = kind in _TAKEN
    if not words and not code:
        return nobody(kind, "event without a reply", "event", domain_of(address))
    return recorded(words, "event", None, address, code=code, status=status, accepted=accepted)


def _unsent(said: Said) -> Said:
    """What a service says itself, instead of trying to deliver."""
    return replace(said, speaker=Speaker.CLIENT, accepted=False, why_not=None)


def _part(event: Record, name: str) -> Record:
    part = event.get(name)
    return part if isinstance(part, dict) else {}


def _list(value: object) -> list[Any]:
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def _code(value: object) -> int | None:
    if isinstance(value, str) and len(value) == 3 and value.isdecimal():
        value = int(value)
    return value if isinstance(value, int) and 200 <= value <= 599 else None
