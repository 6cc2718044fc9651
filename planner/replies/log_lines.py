"""Reads one line of a mail server's log: Postfix, Exim, Sendmail, qmail, Exchange, PowerMTA, Momentum and their kin."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from planner.replies.cleaning import MARK, clean, cut, unescaped, with_signs
from planner.replies.said import Said, Speaker
from planner.replies.wording import MAX_UNIT, domain_of, enclosed, host_name, nobody, plain_reply, quoted, reply, spoken

_SAID = (" said: ", " talk to me: ")
_IN_REPLY = " (in reply to "
_STAMP = re.compile(
    r"[\s>|*]{0,8}+(?:\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d|"
    r"(?:<\d{1,3}>)?(?:[A-Z][a-z]{2},? )?[A-Z][a-z]{2}  ?\d{1,2} (?:\d{4} )?\d\d:\d\d:\d\d"
    r"|@4000[0-9a-f]{20}|\d{10}(?:\.\d+)?[@ :,]|\[?\d\d?[/-][A-Za-z0-9]{2,3}[/-]\d{2,4}[ :]\d\d:\d\d|"
    r"(?:==|\*\*|=>|->) \S{1,320}@|\[(?:NOTICE|INFO|WARN|ERROR|CRIT|DEBUG|PROTOCOL)\] \[)"
)
_POSTFIX = re.compile(r"\bpostfix[\w-]{0,30}/[\w/-]{1,40}\[\d+\]")
_EXIM_FLAG = re.compile(r"(?:^|\s)(==|\*\*|=>|->|>>) (?:[^\s<>]{0,320}<)?([^\s<>]{1,320})")
_EXIM_HOST = re.compile(r"\bH=([\w.-]{1,255})|\bhost ([\w.-]{1,255}) \[")
_EXIM_REASON = re.compile(r"\bdefer \(-?\d{1,5}\)|\bR=\S{1,100}(?: P=\S{1,300})?(?: T=\S{1,100})?")
_EXIM_AFTER = re.compile(r"SMTP error from remote (?:mail server|mailer) after ")
_FROM_TO = re.compile(r"\b(?:to|rcpt|recipient)\s?=\s?[<\"]{0,2}([^\s<>,;\"]{1,320}@[\w.-]{1,255})", re.IGNORECASE)
_HOST_SAID = re.compile(r"\bhost ([\w.-]{1,255})(?:\[| \[)[^\]]{1,60}\] (?:said|refused)")
_CONNECT_TO = re.compile(
    r"(?:connect to|lost connection with|conversation with|connection to) ([\w.-]{1,255}?)(?:\[|:| |$)"
)
_NAMED_HOST = re.compile(r"\b(?:host(?:name)?|relay|mx|peer)\s?=\s?\"?([\w.-]{1,255})", re.IGNORECASE)
_EXIM_ID = re.compile(
    r"\d\d:\d\d:\d\d\S{0,10}(?: [+-]\d{4})?(?: \[\d+\])? [0-9A-Za-z]{6}-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4} "
)
_REST_OF_STAMP = re.compile(r"[\d:.,+\-TZ\]]{0,30}+\s{0,4}+")
_QMAIL = re.compile(r"\bdelivery \d+: (deferral|failure|success): ")
# written as qmail writes blanks
_NAME_WITH_BLANK = re.compile(r"<([^<>@\s_]{1,64}+_[^<>@\s]{1,64}+)@")
_QMAIL_LINE_END = re.compile(r"/(?=Remote_host|Giving_up|STARTTLS|[2-5]\d\d[-_]|\s*\Z)")
_CODE_PIECE = re.compile(r"(?:[2-5]\d\d-?)?(?:#?[245]\.\d{1,3}\.\d{1,3})?\Z")
_FIELD = {name: re.compile(rf"\{{{name}=([^}}]{{0,300}})\}}") for name in ("FQDN", "IP")}
_POWERMTA = re.compile(r"[\s\"]{0,4}(?:b|d|t|tq|rb|rs|r|f)\"?,\"?(?:\d{4}-\d\d-\d\d[ T]\d\d:\d\d|\d{9,11}\b)")
_POWERMTA_HEADER = re.compile(r"\"?type\"?,\"?time(?:Logged|Queued)", re.IGNORECASE)
_DSN_STATUS = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?: \(|$)")
_MOMENTUM = re.compile(r"\d{9,11}(?:\.\d+)?@[0-9A-Za-z/.:@-]")
_KEYED_CODE = re.compile(r"\b(?:code|status|smtpcode|response_code)\s?=\s?\"?([2-5]\d\d)\b")
_KEYED_TEXT = re.compile(r"\b(?:details?|reason|response|text|message|diag|reply)\s?=\s?\"([^\"]{1,4000})\"?")
_SENT = re.compile(
    r"\bdelivered\b|\bcompleted\b|status=sent|\bstat=Sent|result=\"?Ok\b|delivery\.delivered|accepted message",
    re.IGNORECASE,
)


def looks_logged(line: str) -> bool:
    """Whether a line begins as a log's lines do, so that it belongs to no earlier one."""
    return bool(_STAMP.match(line) or _POWERMTA.match(line) or ": to=<" in line[:300] or "{LED=" in line[:400])


def postfix(line: str, start: int) -> Said | None:
    """A delivery of Postfix, whose ``: to=<`` begins at `start`; None when the line has no status."""
    at = line.find("status=", start)
    if at < 0:
        return None
    end = line.find(">", start)
    address = line[start + 6 : end]
    status_end = line.find(" (", at)
    if status_end < 0:
        status_end = len(line)
    status = line[at + 7 : status_end]
    reason = line[status_end + 2 :].rstrip().removesuffix(")")
    host = None
    relay = line.find("relay=", end, at)
    if relay >= 0:
        stop = line.find(",", relay)
        host = host_name(line[relay + 6 : stop].split("[", 1)[0])
    dsn = line.find("dsn=", end, at)
    enhanced = line[dsn + 4 : line.find(",", dsn)] if dsn >= 0 else None
    return postfix_reason(reason, "postfix", host, domain_of(address), enhanced, sent=status.startswith("sent"))


def postfix_reason(
    reason: str, form: str, host: str | None, domain: str | None, dsn: str | None, *, sent: bool = False
) -> Said:
    """Why Postfix did not deliver, as in its log and in its bounces."""
    if sent:
        said = reply(reason, form, host, domain)
        return replace(said, accepted=True, why_not=None, enhanced=said.enhanced or dsn)
    cut_at = -1
    for words in _SAID:
        cut_at = reason.find(words)
        if cut_at >= 0:
            cut_at += len(words)
            break
    if cut_at >= 0:
        named = _HOST_SAID.search(reason[:cut_at]) if "host " in reason[:cut_at] else None
        end = reason.rfind(_IN_REPLY)
        words = reason[cut_at : end if end > cut_at else len(reason)]
        return reply(words, form, host_name(named[1]) if named else host, domain)
    plain = plain_reply(reason, form, host, domain)
    if plain:
        return plain
    named = _CONNECT_TO.search(reason)
    words = clean(reason)
    enhanced = dsn if dsn and _DSN_STATUS.match(dsn) else None
    return Said(words, None, enhanced, Speaker.CLIENT, False, form, host_name(named[1]) if named else host, domain)


def log_line(line: str) -> Said | None:
    """One attempt of a log line; None when the line is no log's."""
    line = cut(line, MAX_UNIT)
    start = line.find(": to=<")
    if start >= 0 and ", relay=" in line and "stat=" not in line.partition("status=")[0]:
        found = postfix(line, start)
        if found:
            return found
    if "{LED=" in line:
        return _exchange(line)
    qmail = _QMAIL.search(line)
    if qmail:
        return _qmail(line[qmail.end() :], qmail[1])
    if "stat=" in line and ("dsn=" in line or "mailer=" in line or "relay=" in line or "result=" in line):
        return _sendmail(line)
    if "postfix" in line and _POSTFIX.search(line):
        return _other_postfix(line)
    flag = _EXIM_FLAG.search(line)
    if flag and "@" in flag[2]:
        return _exim(line, flag)
    if _EXIM_AFTER.search(line) or " T=remote_smtp" in line:
        return _exim(line, None)
    numbered = _EXIM_ID.search(line[:200])
    if numbered:
        return _exim_message(line[numbered.end() :])
    if line.count("@") >= 4 and _MOMENTUM.match(line):
        return _momentum(line)
    if _STAMP.match(line):
        return _stamped(line)
    return None


def records(lines: Sequence[str]) -> list[Said]:
    """PowerMTA's accounting records; lines that are none are left out."""
    found: list[Said] = []
    header: list[str] = []
    for line in lines:
        if len(line) > MAX_UNIT:
            continue
        if _POWERMTA_HEADER.match(line):
            header = _cells(line)
        elif _POWERMTA.match(line):
            cells = _cells(line)
            found.append(_powermta(dict(zip(header, cells, strict=False)) if header else _guessed(cells)))
    return found


def is_record(line: str) -> bool:
    """Whether a line is a record, or the column names, of PowerMTA's accounting file."""
    return bool(_POWERMTA.match(line) or _POWERMTA_HEADER.match(line))


# --- each in turn


def _exchange(line: str) -> Said:
    start = line.find("{LED=") + 5
    end = line.find("};{", start)
    words = line[start:end] if end >= 0 else line[start:].rstrip("}] ")
    fqdn = _FIELD["FQDN"].search(line)
    ip = _FIELD["IP"].search(line)
    host = host_name(fqdn[1] if fqdn else None) or host_name(ip[1] if ip else None)
    return exchange_reason(words, host, None)


def exchange_reason(words: str, host: str | None, domain: str | None, form: str = "exchange") -> Said:
    """What Exchange notes of an attempt: it puts reply codes of its own before what happened to it."""
    responded = words.find("responded with")
    if responded >= 0:
        at = quoted(words[responded:])
        if at is not None:
            return reply(enclosed(words[responded:], at), form, host, domain)
    said = spoken(words, form, host, domain)
    own = re.search(
        r"winsock|socket ?error|win32 error|dns query failed|error encountered while communicating",
        words,
        re.IGNORECASE,
    )
    if own or (said.enhanced or "").startswith(("4.4.31", "5.4.31")):
        return replace(said, speaker=Speaker.CLIENT, why_not=None)
    return said


def _qmail(words: str, result: str) -> Said:
    hidden = _without_names(words)
    for name in dict.fromkeys(_NAME_WITH_BLANK.findall(words)):  # it may stand alone further on
        hidden = re.sub(rf"(?<![^\W_]){re.escape(name)}(?![^\W_])", MARK, hidden, flags=re.IGNORECASE)
    words = _QMAIL_LINE_END.sub(" ", hidden).replace("_", " ").strip()
    host = re.match(r"([\w.-]{1,255}) (?:does not like|failed after|accepted)", words)
    at = words.find("Remote host said:")
    named = host_name(host[1]) if host else None
    if at >= 0:
        end = words.find("Giving up on ", at)
        said = reply(words[at + 17 : end if end >= 0 else len(words)], "qmail", named)
    else:
        said = spoken(words, "qmail", named, dsn="")
        said = replace(said, speaker=Speaker.CLIENT, why_not=None)
    return replace(said, accepted=True, speaker=Speaker.SERVER, why_not=None) if result == "success" else said


def _without_names(words: str) -> str:
    """Words with underscores between them: where a bare address begins is unknown, so more than enough is left out."""
    parts = with_signs(unescaped(words).replace("＠", "@")).split("@")
    for n, part in enumerate(parts[:-1]):
        if part.endswith('"'):
            continue
        start = max(map(part.rfind, '<([:;,"')) + 1
        pieces = part[start:].split("_")
        scheme = part.rfind("//")
        if scheme >= 0 and "/" not in part[scheme + 2 :]:
            start, pieces = scheme + 2, []
        elif start and part[start - 1] in "<(":
            pieces = []
        for _ in range(3):
            if pieces and not _CODE_PIECE.match(pieces[-1]):
                pieces.pop()
        parts[n] = f"{part[:start]}{'_'.join(pieces)}{'_' if pieces else ''}x"
    return "@".join(parts)


def _sendmail(line: str) -> Said:
    to = _FROM_TO.search(line)
    domain = domain_of(to[1]) if to else None
    at = line.find("stat=")
    words = line[at + 5 :]
    if words.startswith('"'):
        # OpenSMTPD
        form = "opensmtpd"
        words = words[1:].split('"', 1)[0]
    else:
        form = "sendmail"
    relay = re.search(r"\brelay=\"?([^\s,\"]{1,255})(?: \(([\w.-]{1,255})\))?", line)
    host = host_name(relay[2] or relay[1]) if relay else None
    dsn = re.search(r"\bdsn=([245]\.\d{1,3}\.\d{1,3})", line)
    if words.startswith("Sent") or 'result="Ok' in line:
        said = spoken(words.partition("(")[2].rstrip(")") or words, form, host, domain)
        return replace(said, accepted=True, speaker=Speaker.SERVER, why_not=None)
    status = dsn[1] if dsn else None
    reason = words.removeprefix("Deferred: ").removeprefix("Deferred").lstrip(": ") or words
    plain = plain_reply(reason, form, host, domain)
    if plain:
        return plain
    said = spoken(words, form, host, domain, dsn=status)
    if said.speaker is Speaker.SERVER and said.code:
        return said
    # without a code these are sendmail's own names of a reply; time-outs and names are its own troubles
    own = re.match(
        r"Deferred(?:: (?:Connection|Name server|Operation|No route|Network)|\Z)|Host unknown|"
        r"Service unavailable|I/O error",
        words,
    )
    own = own or re.search(r"timed out|refused by|reset by|timeout|host map", words)
    if status and not said.enhanced:
        said = replace(said, enhanced=status)
    return replace(said, speaker=Speaker.CLIENT if own else Speaker.SERVER, why_not=None)


def _other_postfix(line: str) -> Said:
    to = _FROM_TO.search(line)
    domain = domain_of(to[1]) if to else None
    program = _POSTFIX.search(line)
    rest = line[program.end() :] if program else line
    rejected = re.search(r"\b(?:milter-)?reject: [A-Z][\w -]{1,40} from [^\s:]{1,300}: ", rest)
    if rejected:
        words = rest[rejected.end() :]
        end = words.rfind("; from=<")
        return reply(words[: end if end > 0 else len(words)], "postfix", None, domain)
    at = max(
        rest.find(words)
        for words in (
            ": host ",
            ": connect to ",
            ": lost connection",
            ": conversation with",
            ": TLS ",
            ": SSL_",
            ": warning: ",
        )
    )
    if at >= 0:
        return postfix_reason(rest[at + 2 :], "postfix", None, domain, None)
    said = spoken(rest, "postfix", None, domain)
    if said.code or said.speaker is Speaker.CLIENT:
        return said
    return nobody(rest, "log line without a reply", "postfix", domain)


def _exim(line: str, flag: re.Match[str] | None) -> Said:
    domain = domain_of(flag[2]) if flag else None
    hosts = _EXIM_HOST.search(line)
    host = host_name(hosts[1] or hosts[2]) if hosts else None
    if flag and flag[1] in {"=>", "->", ">>"}:
        confirmed = line.find('C="')
        words = line[confirmed + 3 :].split('"', 1)[0] if confirmed >= 0 else line[flag.start(1) :]
        said = reply(words, "exim", host, domain)
        return replace(said, accepted=True)
    after = _EXIM_AFTER.search(line)
    start = after.start() if after else (flag.end() if flag else 0)
    if not after:
        for reason in _EXIM_REASON.finditer(line, start):
            start = reason.end()
    words = line[start:].lstrip(": ")
    at = quoted(words)
    if at is not None:
        return reply(words[at:], "exim", host, domain)
    plain = plain_reply(words, "exim", host, domain)
    if plain:
        return plain
    told = clean(words)
    if not told:
        return nobody(line, "log line without a reply", "exim", domain)
    return Said(told, None, None, Speaker.CLIENT, False, "exim", host, domain)


def _exim_message(words: str) -> Said:
    """A line of Exim's main log that names no recipient."""
    hosts = _EXIM_HOST.search(words)
    host = host_name(hosts[1] or hosts[2]) if hosts else None
    said = spoken(words, "reply", host)
    if said.code or said.speaker is Speaker.CLIENT:
        return replace(said, format="exim")
    return nobody(words, "log line without a reply", "exim")


def _momentum(line: str) -> Said:
    fields = line.split("@")
    kind = next((field for field in fields[1:8] if len(field) == 1 and field.isalpha()), "")
    domain = next(
        (
            f.lower()
            for f in fields
            if re.fullmatch(r"[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,8}\.[A-Za-z]{2,24}", f)
        ),
        None,
    )
    for n in range(len(fields) - 1, 0, -1):
        if re.match(r"[2-5]\d\d[- ]\D|[2-5]\d\d [245]\.", fields[n]):
            said = reply("@".join(fields[n:]), "momentum", None, domain)
            own = "[internal]" in said.text
            return replace(said, speaker=Speaker.CLIENT, why_not=None) if own else said
    if kind == "D":
        return Said("", None, None, Speaker.SERVER, True, "momentum", None, domain)
    said = spoken(clean(" ".join(fields[n] for n in range(len(fields)) if " " in fields[n])), "momentum", None, domain)
    return said if said.speaker is not Speaker.NOBODY else nobody("", "log line without a reply", "momentum", domain)


def _stamped(line: str) -> Said:
    lower = line[:400].lower()
    form = next((name for name in ("halon", "stalwart", "haraka", "opensmtpd", "sendgrid") if name in lower), "")
    if not form:
        form = "haraka" if "[outbound]" in lower else "stalwart" if "(delivery." in lower else "log"
    to = _FROM_TO.search(line)
    domain = domain_of(to[1]) if to else None
    named = _NAMED_HOST.search(line)
    host = host_name(named[1]) if named else None
    code, text = _KEYED_CODE.search(line), _KEYED_TEXT.search(line)
    if code and text:
        return reply(text[1] if text[1].startswith(code[1]) else f"{code[1]} {text[1]}", form, host, domain)
    stamp = _STAMP.match(line)
    rest = line
    if stamp and (time := _REST_OF_STAMP.match(line, stamp.end())):
        rest = line[time.end() :]
    said = spoken(rest, "reply", host, domain)
    if said.speaker is Speaker.NOBODY or (said.speaker is Speaker.SERVER and not said.code and not said.enhanced):
        if _SENT.search(rest):
            return Said(clean(text[1] if text else rest), None, None, Speaker.SERVER, True, form, host, domain)
        return nobody(rest, "log line without a reply", form, domain)
    return replace(said, format=form)


def _powermta(record: Mapping[str, str]) -> Said:
    diag = record.get("dsnDiag", "")
    kind = record.get("type", "")
    domain = domain_of(record.get("rcpt"))
    mta = record.get("dsnMta", "")
    host = host_name(mta.split("(", 1)[0].split(";")[-1])
    status = _DSN_STATUS.match(record.get("dsnStatus", ""))
    enhanced = status[1] if status else None
    words = diag.partition(";")[2] if diag.lower().startswith(("smtp;", "x-")) else diag
    if not words.strip():
        words = record.get("dsnStatus", "").partition("(")[2].rstrip(")") or record.get("bounceCat", "")
    plain = plain_reply(words.strip(), "powermta", host, domain)
    if plain:
        return replace(plain, accepted=True) if kind == "d" else plain
    text = clean(words)
    if kind == "d":
        return Said(text, None, enhanced, Speaker.SERVER, True, "powermta", host, domain)
    if not text and not enhanced:
        return nobody("", "log line without a reply", "powermta", domain)
    said = spoken(words, "powermta", host, domain, dsn=enhanced)
    return replace(
        said,
        enhanced=said.enhanced or enhanced,
        why_not=None,
        speaker=said.speaker if said.speaker is not Speaker.NOBODY else Speaker.SERVER,
    )


def _guessed(cells: Sequence[str]) -> dict[str, str]:
    """Fields of a record without column names, by what they look like."""
    record = {"type": cells[0]}
    addresses = [cell for cell in cells if re.fullmatch(r"[^\s@]{1,256}@[\w.-]{1,255}", cell)]
    if addresses:
        record["rcpt"] = addresses[1] if len(addresses) > 1 else addresses[0]
    for cell in cells:
        if "dsnStatus" not in record and _DSN_STATUS.match(cell):
            record["dsnStatus"] = cell
        elif cell.lower().startswith(("smtp;", "x-unix;", "x-pmta")):
            record["dsnDiag"] = cell
        elif re.fullmatch(r"[\w.-]{1,255} \([0-9a-f.:]{2,45}\)", cell):
            record["dsnMta"] = cell
        elif re.fullmatch(r"[a-z]{3,12}-[a-z-]{3,20}", cell):
            record["bounceCat"] = cell
    return record


def _cells(line: str) -> list[str]:
    try:
        return next(csv.reader([line]), [])
    except csv.Error:
        # a field longer than the reader takes
        return line.split(",")
