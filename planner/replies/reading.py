"""Reads whatever people paste about a delivery: replies, log lines, bounces, exceptions, events; several at once."""

from __future__ import annotations

import re
from dataclasses import replace

from planner.replies import bounces, events, exceptions
from planner.replies.cleaning import MAX_LINES, MAX_REPLY, MAX_TEXT, clean, cut, truncated, unescaped
from planner.replies.log_lines import is_record, log_line, looks_logged, postfix, postfix_reason, records
from planner.replies.names import names_in, without_names
from planner.replies.said import Said, Speaker
from planner.replies.wording import FTP_SESSION, begins_reply, domain_of, nobody, plain_reply, quoted, spoken

__all__ = ["Said", "Speaker", "clean", "read", "truncated"]

_LINE_ENDS = ("\r\n", "\r", "\x0b", "\x0c", "\x85", "\u2028", "\u2029")
_ESCAPED_LINE_END = re.compile(r"\\r\\n|\\n|\\r")
_QUOTING = re.compile(r"^[ \t]{0,8}+(?:[>|](?:[ \t]|(?=[>|])|(?=[^<>|\s])))++", re.MULTILINE)
_BREAK = re.compile(
    r"<(?:br|/p|/div|/li|/tr|/h[1-6]|/pre|/blockquote|/td|p|div)(?=[\s/>])[^<>]{0,300}+>(?:[ \t]{0,8}+\n)?",
    re.IGNORECASE,
)
_SOFT_BREAK = re.compile(r"=\n(?<=[^\n]{60}=\n)")
_TRACE = re.compile(
    r"\s*+(?:at [\w.$<>\[\]/]{1,200}[ (:]|at [\w.$<>]{1,200}\Z|File \"|Traceback \(most|from /|"
    r"\.\.\. \d+ more|goroutine \d)"
)
# a line that begins something of its own although it holds no reply code at its start
_OPENS = re.compile(
    r"(?:[\w.$:]{0,120}(?:Error|Exception)\b|Caused by:|connect(?:ion)? (?:to|timed|refused|reset|lost|"
    r"closed|from)|lost connection|SMTP (?:error|connect)|"
    r"Diagnostic-Code|Remote host said|HTTP/\d|host \S{1,255} ?\[|"
    r"<?[^\s<>@]{1,256}@[\w.-]{1,255}>?:?(?:\s|\Z)|delivery temporarily|retry time|"
    r"getaddrinfo|dial tcp|Host or domain|\[Errno)",
    re.IGNORECASE,
)
_ADDRESS_FIRST = re.compile(r"\s{0,8}<?[^\s<>@]{1,256}@([\w.-]{1,255})>?(?::|\s|\Z)")
_OPEN_ADDRESS = re.compile(r"<[^\s<>@]{1,64}@?\Z")
# what surrounds a reply and says nothing of its own
_ASIDE = re.compile(
    r"\s{0,8}(?:[{}\]),;]{1,4}\s{0,4}\Z|(?:errno|syscall|command|address|port|hostname|host)['\"]?: |"
    r"code['\"]?: ['\"]?E[A-Z]|Giving up on |"
    r"(?:Received|Return-Path|Message-ID|From|To|Subject|Date|MIME-Version|Reply-To|References|In-Reply-To|DKIM-Signature|"
    r"Authentication-Results|ARC-[\w-]{1,40}|Content-[\w-]{1,40}|List-[\w-]{1,40}|Thread-[\w-]{1,40}|X-[\w-]{1,60}): |"
    r"\.{3} while talking to|[A-Z]{4} (?:TO|FROM|DATA)\b)",
    re.IGNORECASE,
)
_JOINED = re.compile(r"[ :;(\"]([45]\d\d)-(?=[^0-9\s]|[45]\.)")
_SESSION = re.compile(r"^\W{0,8}(?:C: )?(?:EHLO|HELO|MAIL FROM|RCPT TO)\b", re.IGNORECASE | re.MULTILINE)
_NESTED = "nested exception is:"
# numbers that a mail client's wrapping brought to the start of a line
_COUNTED = re.compile(
    r"\s{0,8}\d{3} (?:messages?|e?-?mails?|connections?|recipients?|seconds?|minutes?|hours?|days?|bytes|"
    r"[kKmM][bB]|per|times|users?|of|and|or|to|in|is)\b"
)
_HOST_SAID = re.compile(r"\bhost [\w.-]{1,255}\[[^\]]{1,60}\] (?:said|refused to talk to me): ")
_SPEAKS_LIKE = (("Remote host said:", "qmail"), ("SMTP error from remote", "exim"), ("Connected_to", "qmail"))
_PROGRAM_ERROR = re.compile(
    r"\b\w{0,60}(?:[a-z]error|Error|Exception)\b|\[Errno|dial tcp|Net::SMTP|lettre|\bat [\w.$]{1,100}\("
)


def read(text: str | bytes) -> tuple[Said, ...]:
    r"""Everything that a pasted text says about attempts to deliver mail; at least one, and no error for any text.

    Reads the first million characters and 20,000 lines, see `truncated`; addresses lose their local parts.

    >>> read("421-4.7.0 Try again\n421 4.7.0 later")[0].text
    '421 4.7.0 Try again later'
    """
    if isinstance(text, bytes):
        text = text[: 4 * MAX_TEXT].decode("utf-8", "replace")
    if len(text) < MAX_REPLY and "\n" not in text and "\r" not in text and "\\" not in text and "<br" not in text:
        if text[:3].isdecimal():
            said = plain_reply(text)
            if said is not None:
                return _unnamed((said,), text) if "@" in text or "@" in said.text else (said,)
        start = text.find(": to=<")
        if start > 0 and (found := postfix(text, start)) is not None:
            return _unnamed((found,), text)
    text = cut(text, MAX_TEXT)
    return _unnamed(_read(text), text)


def _unnamed(found: tuple[Said, ...], text: str) -> tuple[Said, ...]:
    """Without the names that the text they were read in tells anywhere."""
    names = names_in(text)
    # a log says the same again and again
    plain = {text: without_names(text, names) for text in {said.text for said in found}}
    return tuple(said if plain[said.text] == said.text else replace(said, text=plain[said.text]) for said in found)


def _read(text: str) -> tuple[Said, ...]:
    text = text.lstrip("\ufeff").replace("\x00", "")
    if not text.strip():
        return (nobody("", "empty"),)
    if text.lstrip()[0] in '{["':
        values = events.parsed(text)
        found = events.said_in(values) if values is not None else []
        if found:
            return tuple(found)
    text = _one_line_end(text)
    if ">" in text or "|" in text:
        text = _QUOTING.sub("", text)
    report = _bounce(text)
    if report:
        return report
    text = _unmarked(text)
    found = exceptions.said_in(text)
    if found:
        return tuple(found)
    form = "bounce" if bounces.is_for_people(text) else "reply"
    return _kept(_units(text, form), text, form)


def _bounce(text: str) -> tuple[Said, ...]:
    """What a bounce says, as its source or its status fields; empty when the text is none."""
    parts = bounces.bodies(text)
    if parts is not None:
        fields, words = parts
        found = bounces.reports(fields)
        if not found:
            words = _unmarked(_one_line_end(words))
            found = [
                said for said in _kept(_units(words, "bounce"), words, "bounce") if said.speaker is not Speaker.NOBODY
            ]
        if found:
            return _unnamed(tuple(dict.fromkeys(found)), "\n".join(parts))
    if bounces.is_report(text):
        return tuple(bounces.reports(_unmarked(text)))
    return ()


def _one_line_end(text: str) -> str:
    for end in _LINE_ENDS:
        if end in text:
            text = text.replace(end, "\n")
    return text


def _unmarked(text: str) -> str:
    """Without HTML, soft line breaks and escaped line ends."""
    if "=\n" in text:
        text = _SOFT_BREAK.sub("", text)
    if "&" in text:
        text = unescaped(text)
    if "<" in text:
        text = _BREAK.sub("\n", text)
    if "\\" in text:
        text = _ESCAPED_LINE_END.sub("\n", text)
    return text


def _kept(found: list[Said], text: str, form: str) -> tuple[Said, ...]:
    """What was said; words without meaning only where there is nothing else."""
    lower = text.lower()
    if ("ftp" in lower or "filezilla" in lower) and FTP_SESSION.search(text):
        found = [nobody(said.text, "ftp") if said.format == "reply" else said for said in found]
    if any(said.code and said.code >= 400 for said in found) and _SESSION.search(text):
        # a session's other replies say only that it went on
        found = [said for said in found if said.format != "reply" or not said.code or said.code >= 400]
    kept = [said for said in found if said.why_not not in {"garbage", "empty"}]
    if any(said.code or said.speaker is Speaker.CLIENT for said in kept):
        # prose around the replies speaks of "recipients" and "temporary" too
        kept = [
            said
            for said in kept
            if said.code or said.enhanced or said.format != "reply" or said.speaker is not Speaker.SERVER
        ]
    if form == "bounce" and any(said.code for said in kept):
        kept = [said for said in kept if said.code or said.speaker is Speaker.CLIENT]
    if any(said.why_not is None for said in kept):
        kept = [said for said in kept if said.why_not in {None, "ftp", "http"}]
    return tuple(kept) or (found[0] if found else nobody(text, "garbage"),)


def _units(text: str, form: str) -> list[Said]:
    """Cuts a text into what belongs together, and reads each."""
    if form == "bounce":
        text = bounces.before_copy(text)
    found: list[Said] = []
    unit: list[str] = []
    accounts: list[str] = []
    code, more, logged, nested = "", False, False, False
    domain: str | None = None

    def close() -> None:
        if unit:
            said = _unit(" ".join(unit), form, logged, domain)
            found.append(said)
            unit.clear()

    for line in text.split("\n", MAX_LINES)[:MAX_LINES]:
        bare = line.strip()
        if not bare:
            if not more:
                close()
            if form != "bounce":
                domain = None
            continue
        if unit and "<" in unit[-1][-66:] and _OPEN_ADDRESS.search(unit[-1][-66:]) and not looks_logged(bare):
            unit.append(bare)  # the address goes on, and the reply behind it
            continue
        if _TRACE.match(line):
            close()
            continue
        if _ASIDE.match(line) and not more:
            continue
        if bare.endswith(_NESTED):
            nested = True
            bare = bare.removesuffix(_NESTED).strip()
            if not bare:
                continue
        elif nested:
            nested = False
            if begins_reply(bare) or quoted(bare) is not None:
                close()
            elif unit:
                unit.append(bare)
                continue
        if bare[0] == "{" and bare[-1] == "}" and (values := events.parsed(bare)) is not None:
            close()
            found += events.said_in(values)
            continue
        if is_record(bare):
            close()
            accounts.append(bare)
            continue
        if looks_logged(bare):
            close()
            unit.append(bare)
            # a reply of several lines, with its line ends in the log
            joined = _JOINED.search(bare)
            code, more, logged = joined[1] if joined else "", bool(joined), True
            continue
        reply = begins_reply(bare)
        if reply and not _COUNTED.match(bare):
            same = reply["code"] == code and bool(unit)
            if not ((more and same) or (unit and unit[-1].endswith((":", "(", "smtp;"))) or (logged and same)):
                close()
                logged = False
            unit.append(bare)
            code, more = reply["code"], (reply["sign"] or "").startswith("-")
            continue
        address = _ADDRESS_FIRST.match(bare)
        if _OPENS.match(bare) and not logged and not (unit and unit[-1].endswith(":")):
            close()
            code, more = "", False
        if address:
            domain = domain_of(f"@{address[1]}")
        if not unit:
            logged, code, more = False, "", False
        unit.append(bare)
        if joined := _JOINED.search(bare):
            code, more = joined[1], True
    close()
    return found + records(accounts)


def _unit(text: str, form: str, logged: bool, domain: str | None) -> Said:
    said = log_line(text)
    if said is None and _HOST_SAID.search(text):
        said = postfix_reason(text, "postfix", None, domain, None)
    if said is not None:
        if form == "bounce" and not logged:
            said = replace(said, format=form)
        return replace(said, domain=domain) if said.domain is None and domain else said
    said = spoken(text, "reply", None, domain)
    if said.speaker is Speaker.NOBODY:
        return said
    if form != "reply":
        return replace(said, format=form)
    name = next((name for mark, name in _SPEAKS_LIKE if mark in text), None)
    if name:
        return replace(said, format=name)
    own = not begins_reply(text) and _PROGRAM_ERROR.search(text[:MAX_REPLY])
    return replace(said, format="exception") if own else said
