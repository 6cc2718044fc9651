"""A diagnosis in words: sentences, a ticket, HTML."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING, Any

from planner.replies.matching import Basis
from planner.replies.rules import Code, Rulebook
from planner.vocabulary import ReplyCause, Verdict

if TYPE_CHECKING:
    from planner.inputs.retry import RetryPolicy
    from planner.replies.diagnosis import Diagnosis

FORMAT = 1

# The same answer comes until somebody has mended something.
NEEDS_REPAIR = frozenset({ReplyCause.AUTHENTICATION, ReplyCause.BLOCKLIST, ReplyCause.DNS, ReplyCause.TLS})

# Nothing is to be retried, and yet a temporary answer may pass: the look-up of the address failed.
MAY_PASS = frozenset({ReplyCause.UNKNOWN_RECIPIENT})

# What one's own side, or its service, refuses before anything is sent.
UNSENT = frozenset({ReplyCause.UNKNOWN_RECIPIENT, ReplyCause.CONTENT, ReplyCause.POLICY, ReplyCause.RATE_LIMIT})

NO_REPLY = {
    "empty": "There is no text.",
    "ftp": "It looks like a reply of an FTP server, whose codes mean other things.",
    "http": "It looks like a status of a web server, whose codes mean other things.",
    "log line without a reply": "It looks like a line of a mail log that quotes no reply.",
    "event without a reply": "It looks like an event of a mail service that quotes no reply.",
}
NO_REPLY_AT_ALL = "It holds no reply code, and no words that a mail server or a mail program is known to say."
PASTE = "Paste the reply itself, the log line that quotes it, or the bounce message."

TAKEN = "The server took the message. Whether it lands in the inbox, a reply does not tell."
STEPS = {
    220: "The server greets, and waits for the sender.",
    211: "The server tells how it is. No message is concerned.",
    214: "The server explains itself. No message is concerned.",
    235: "The login worked.",
    221: "The server says good-bye. What became of the message, an earlier reply tells.",
    252: "The server does not tell whether the address exists, and takes mail for it.",
    334: "The server asks for the next part of the login.",
    354: "The server asks for the message itself.",
}
"""Replies of a session that goes on."""

VERDICTS = {
    Verdict.GO_ON: "go on as planned tomorrow",
    Verdict.HOLD: "hold tomorrow's volume at today's",
    Verdict.STEP_BACK: "send half of today's volume tomorrow",
    Verdict.STOP: "stop this mail until it is mended",
}
TITLES = {
    Verdict.GO_ON: "Go on",
    Verdict.HOLD: "Hold",
    Verdict.STEP_BACK: "Step back",
    Verdict.STOP: "Stop",
}

_MOST_CHECKS = 3
_LONGEST_LABEL = 50
_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
_DETAIL = re.compile(r"[:(;]| which ")


# --- each answer in words


def title(d: Diagnosis, book: Rulebook) -> str:
    """Say the cause in a few words."""
    rule = d.found.rule if d.found else None
    if rule and rule.title:
        return rule.title
    if d.cause:
        return book.advice[d.cause].title
    return "Accepted" if d.kind == "accepted" else "No mail reply"


def meaning(d: Diagnosis) -> str:
    """Say what it means: the rule's own words before the cause's."""
    if d.advice is None:
        if d.kind == "accepted":
            return STEPS.get(d.code or 0, TAKEN)
        return f"{NO_REPLY.get(d.said.why_not or '', NO_REPLY_AT_ALL)} {PASTE}"
    if d.found and d.found.rule and d.found.rule.means:
        return d.found.rule.means
    if d.by_code_alone and d.found and d.found.words:
        return f"The text does not tell why. Of what {d.found.words} stands for, most likely: {uncapped(d.title)}."
    return d.advice.means_permanent if d.temporary is False and d.advice.means_permanent else d.advice.means


def lasting(d: Diagnosis) -> str:
    """Say in a word or two whether it passes."""
    if d.advice is None:
        return d.title
    if d.temporary is None:
        return "Whether it passes is not said"
    return "Temporary" if d.temporary else "Permanent"


def retry_says(d: Diagnosis) -> str:
    """Say when to try again, how often and for how long."""
    if d.advice is None:
        return ""
    if d.temporary is False:
        mended = "Send the next message once it is mended." if d.cause in NEEDS_REPAIR else ""
        return f"Do not retry: the answer is permanent. {mended}".strip()
    policy = d.retry
    if policy is None or d.first_wait is None:
        said = d.advice.retry_says
    else:
        first, rest = f"After {spoken(d.first_wait)}", _backoff(policy)
        said = f"{rest[:1].upper()}{rest[1:]}." if policy.interval(1) == d.first_wait else f"{first}, then {rest}."
    repair = " The same answer comes until it is repaired." if d.cause in NEEDS_REPAIR else ""
    return said + repair


def _backoff(policy: RetryPolicy) -> str:
    growth = policy.growth
    if growth == 1.0 or policy.interval(1) == policy.interval(2):
        waits = f"every {spoken(policy.interval(1))}"
    else:
        times = "at doubling intervals" if growth == 2.0 else f"each wait {growth:g} times as long"
        waits = f"{times} up to {spoken(policy.cap_seconds)}"
    return f"{waits}, for {spoken(policy.lifetime_seconds)}"


def tomorrow_says(d: Diagnosis) -> str:
    """Say what becomes of tomorrow's volume."""
    if d.kind == "accepted":
        return "Go on as planned."
    rule = d.found.rule if d.found else None
    return (rule.tomorrow_says if rule else "") or (d.advice.tomorrow_says if d.advice else "")


def rests_on(d: Diagnosis, book: Rulebook) -> str:
    """Say what told the cause."""
    if d.found is None:
        return ""
    words, code = quoted(d.found.words), code_alone(d, book)
    name = f": {code.name}" if code else ""
    if d.found.basis is Basis.TOKEN:
        whose = f"{d.provider_name or d.software_name}'s" if d.provider or d.software else "the server's"
        return f"{whose} own key {d.found.words}"
    return {
        Basis.PHRASE: f"the words {words}",
        Basis.PROVIDER_CODE: f"what {d.provider_name} means by {d.found.words}",
        Basis.ENHANCED_CODE: f"the enhanced code {d.found.words}{name}",
        Basis.HINT: f"the vague words {words}",
        Basis.VAGUE_CODE: f"the enhanced code {d.found.words} alone, which has many meanings{name}",
        Basis.REPLY_CODE: f"the reply code {d.found.words} alone, which has many meanings{name}",
        Basis.NOTHING: "nothing that we know",
    }[d.found.basis]


def code_alone(d: Diagnosis, book: Rulebook) -> Code | None:
    """Return the meaning of the code that decided, None where words did."""
    if d.found is None or d.found.rule is not None:
        return None
    if d.found.basis is Basis.REPLY_CODE:
        return book.reply.get(d.code or 0)
    if d.found.basis in (Basis.ENHANCED_CODE, Basis.VAGUE_CODE) and d.enhanced:
        return book.enhanced.get(d.enhanced) or book.enhanced.get(d.enhanced[2:])
    return None


def notes(d: Diagnosis) -> Iterator[str]:
    """Say what else there is to know."""
    if d.several > 1 and d.kind != "no reply":
        yield f"The text holds {d.several} different answers; this is the gravest."
    if d.kind == "own side":
        follows = "the message never reached it" if d.cause in UNSENT else "look at your network, DNS and TLS first"
        yield f"Your own side said this, not the other server: {follows}."
    first = d.code // 100 if d.code else None
    if first and d.enhanced and int(d.enhanced[0]) != first:
        yield f"The codes {d.code} and {d.enhanced} disagree; your mail server goes by {d.code}, and so does this."
    if d.advice is not None and first == 5 and d.temporary:
        yield "It passes, but after a 5xx your mail server has given the message up: queue it again yourself."
    if d.advice is not None and first == 4:
        if d.temporary is False:
            yield "After a 4xx your mail server tries again until the message expires: take it out of the queue."
        elif d.cause in NEEDS_REPAIR or (d.retry is None and d.cause not in MAY_PASS):
            yield "Your mail server tries again by itself, but waiting alone will not help."
    if d.cut:
        yield "The text is very long: only its first part was read."


# --- the whole of it


def headline(d: Diagnosis) -> str:
    """Say it in one go: whether it passes, what it means, what to do."""
    return " ".join(filter(None, (answer(d), next_step(d))))


def answer(d: Diagnosis) -> str:
    """Say whether it passes, and what it means."""
    return f"{lasting(d)}. {meaning(d)}"


def next_step(d: Diagnosis) -> str:
    """Say when to retry, what becomes of tomorrow, and what to look at."""
    if d.advice is None or d.tomorrow is None:
        return ""
    policy = d.retry
    if policy:
        first = f"wait {spoken(next(iter(policy.first_seconds.values())))}"
    else:
        first = "leave it to your mail server" if d.temporary else "do not retry"
    labels = list(filter(None, map(_label, d.check)))[:_MOST_CHECKS]
    checks = f" Check: {'; '.join(labels)}." if labels else ""
    return f"{_sentence(f'{first}, {VERDICTS[d.tomorrow]}')}{checks}"


def _label(check: str) -> str:
    """Shorten what to check to its name."""
    name = _DETAIL.split(check, maxsplit=1)[0].strip().rstrip(",.")
    if len(name) > _LONGEST_LABEL:
        return ""
    return uncapped(name)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def summary(d: Diagnosis) -> str:
    """Say it in a few lines."""
    return "\n".join([headline(d), *notes(d), *_trust(d)])


def _trust(d: Diagnosis) -> list[str]:
    """Say how far to trust it, and why."""
    if not d.rests_on:
        return []
    return [f"Told by {d.rests_on} (confidence: {d.confidence})."]


def facts(d: Diagnosis) -> dict[str, str]:
    """What the text tells, by name; what it does not tell is left out."""
    known = {
        "Provider": d.provider_name,
        "Software": d.software_name,
        "Reply code": str(d.code) if d.code else None,
        "Enhanced code": d.enhanced,
        "Cause": f"{d.title} ({d.cause})" if d.cause else None,
        "Met": f"{d.count:,} times" if d.count > 1 else None,
    }
    return {name: value for name, value in known.items() if value}


def parts(d: Diagnosis) -> dict[str, tuple[str, ...]]:
    """What to do about it, by heading; each part a list of sentences."""
    if d.advice is None:
        return {}
    page = f"{d.escalate} {d.escalate_page}" if d.escalate_page else d.escalate
    verdict = f"Tomorrow's volume: {TITLES[d.tomorrow].lower()}" if d.tomorrow else "Tomorrow's volume"
    found = {
        "Do now": d.do,
        "Check": d.check,
        "Retry": (d.retry_says,),
        "Escalate": (page,),
        verdict: (d.tomorrow_says,),
        "Source": (d.source,),
    }
    return {heading: lines for heading, lines in found.items() if any(lines)}


def ticket(d: Diagnosis) -> str:
    """Write it as plain text."""
    told = "; ".join(f"{name.lower()}: {value}" for name, value in facts(d).items())
    blocks = [quoted(d.text) if d.text else "", _sentence(told) if told else "", summary(d)]
    for heading, lines in parts(d).items():
        text = lines[0] if len(lines) == 1 else "\n".join(f"- {line}" for line in lines)
        blocks.append(f"{heading}\n{text}")
    return "\n\n".join(filter(None, blocks))


def html(d: Diagnosis) -> str:
    """Write it for a notebook; nothing of it is taken for markup, and only https pages become links."""
    said = "".join(f"<p>{escape(line)}</p>" for line in summary(d).splitlines())
    told = " · ".join(f"{escape(name)}: {escape(value)}" for name, value in facts(d).items())
    rows = "".join(
        f"<dt><b>{escape(heading)}</b></dt><dd>{'<br>'.join(map(escape, lines))}</dd>"
        for heading, lines in parts(d).items()
    )
    page = d.escalate_page
    link = f'<p><a href="{escape(page)}" rel="noopener noreferrer">{escape(page)}</a></p>' if page else ""
    return f"<div><pre>{escape(d.text)}</pre><p>{told}</p>{said}<dl>{rows}</dl>{link}</div>"


def as_dict(d: Diagnosis) -> dict[str, Any]:
    """Return all of it as plain values that JSON knows."""
    policy = d.retry
    return {
        "format": FORMAT,
        "kind": "diagnosis",
        "reply": d.kind,
        "summary": headline(d),
        "provider": d.provider,
        "provider_name": d.provider_name,
        "software": d.software,
        "software_name": d.software_name,
        "code": d.code,
        "enhanced": d.enhanced,
        "temporary": d.temporary,
        "cause": d.cause,
        "title": d.title,
        "simulated": d.simulated,
        "confidence": d.confidence,
        "rests_on": d.rests_on,
        "meaning": d.meaning,
        "notes": list(d.notes),
        "do": list(d.do),
        "check": list(d.check),
        "retry": None if policy is None else policy.model_dump(mode="json"),
        "retry_says": d.retry_says,
        "escalate": d.escalate,
        "escalate_page": d.escalate_page,
        "tomorrow": d.tomorrow,
        "tomorrow_says": d.tomorrow_says,
        "source": d.source,
        "count": d.count,
        "text": d.text,
    }


def quoted(text: str) -> str:
    """Quote somebody's words.

    Examples
    --------
    >>> quoted("421 slow down")
    '“421 slow down”'
    """
    return f"“{text}”"


def spoken(seconds: float) -> str:
    """Say how long to wait, in words.

    Examples
    --------
    >>> spoken(300), spoken(7_200), spoken(5_400), spoken(259_200), spoken(3_600)
    ('5 minutes', '2 hours', '90 minutes', '3 days', '1 hour')
    """
    if seconds >= 600:
        seconds = 60 * round(seconds / 60)
    unit, size = next(one for one in _UNITS if one[1] == 1 or (seconds >= one[1] and seconds % one[1] == 0))
    count = round(seconds / size)
    return f"{count} {unit}{'' if count == 1 else 's'}"


def uncapped(text: str) -> str:
    """Write words within a sentence; names in capitals stay.

    Examples
    --------
    >>> uncapped("Reverse DNS"), uncapped("SPF, DKIM")
    ('reverse DNS', 'SPF, DKIM')
    """
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]
