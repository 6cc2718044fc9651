"""Tells from a few words who speaks: a mail server, our own side, another protocol, or nobody."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import islice

from planner.replies.cleaning import clean, cut
from planner.replies.said import Said, Speaker

MAX_UNIT = 20_000
"""Characters that are looked at of one log line or one reply."""

# --- a reply and its codes

# what may stand before a reply: bullets, numbers, brackets, arrows of debug output, names of what follows
_BEFORE = (
    r"(?:[\s>|*•·«\"'`“”‘’#~<←(\[{+=-]{0,12}+)"
    r"(?:(?:\d{1,3}[.)]|\[\d{1,3}\]|\(\d{1,3}\)|[Ss]:|[Ss]erver:|[Rr]emote:|RECV:|<-)[\s<\[(\"'`-]{1,4})?"
)
_REPLY = re.compile(
    _BEFORE + r"(?P<code>[2-5]\d\d)"
    r"(?:(?P<sign>[-\s#:;,)\]>\"'=|.]{1,4}+|\Z|(?=[(\[<\"']))"
    r"(?:\(?\[?#?(?P<enhanced>[245]\.\d{1,2}\.\d{1,3})(?![\d.]*\d))?)"
)
_SIGNS = frozenset(":;,)]>\"'=|.")
# Symfony: expected response code "250" but got code "421", with message "421 …"
_MESSAGE = 'with message "'
_CLOSES = {"'": "'", '"': '"', "[": "]", "(": ")", "<": ">"}
_ENHANCED_FIRST = re.compile(r"[\s(\[<#\"']{0,5}+([245]\.\d{1,2}\.\d{1,3})(?![\d.]*\d)[\])>\"':;,-]{0,3}(?:\s|\Z)")
_ENHANCED_LATER = re.compile(r"[45]\.(\d{1,2})\.\d{1,3}(?!\w|\.\d)")
# a number at the start of a line that is no reply code
_NO_CODE = re.compile(
    r"[-\s]?(?:\d{3,4}(?:[-\s]\d{1,5})*+\W{0,3}\Z|(?:€|\$|£|¥|%)|(?:euros?|dollars?|usd|eur|gbp|pounds?|"
    r"km|kg|people|persons?|"
    r"pages?|items?|years?|metres?|meters?)\b"
    r"|[A-Z][a-z]{1,20} (?:street|st\.|avenue|ave\b|road|rd\.|boulevard|blvd|lane|drive|square)\b)",
    re.IGNORECASE,
)
# where a reply begins within a sentence of our own software
_QUOTED = re.compile(
    r"(?:\bsaid:|talk to me:|respon(?:ded|se)[^:\n]{0,60}:|repl(?:y|ied)[^:\n]{0,40}:|returned[^:\n0-9]{0,40}:?|"
    r"\berror[^:\n]{0,40}:|fail(?:ed|ure)?[^:\n]{0,40}:|Deferred:|Diagnostic[- ]code:|\bsmtp ?;|"
    r"\bcode[ =:]|\bSMTP|\berror|<<<|\bstat=|"
    r"(?:Busy|Error|Exception|Command|Fatal|Unknown)[A-Za-z]{0,30}:|\bstatus[ =:]|"
    r"after [A-Z][A-Z :<>…@\w.=-]{1,200}:|\"|'|(?<!port)[:>]\s|(?<!\d)[,;\t|]\s?)"
    r"[\s\"'(\[b#:=<-]{0,8}(?=(?!465|587)[2-5][0-7]\d(?:[-\s#:;\"',)\]]|\Z))",
    re.IGNORECASE,
)
_CODE_AND_ENHANCED = re.compile(r"(?<![\w.])([2-5]\d\d)[-\s#]{1,2}#?([245])\.\d{1,2}\.\d{1,3}(?![\d.]*\d)")

_KIND = re.compile(r"\s{0,4}(?:smtp|dns|x[-\w]{0,40}|unix|rfc822)\s{0,4}\Z", re.IGNORECASE)

# --- our own side

_CLIENT = re.compile(
    r"timed? ?-?out\b|\btimeout|connection (?:was )?(?:refused|reset|lost|closed|aborted|dropped|failed|"
    r"died|could not|unexpectedly)|"
    r"(?:lost|refused|closed|lose|dropped|unexpected) connection|connection to \S{1,255} (?:failed|lost|closed)|"
    r"\bE(?:CONN[A-Z]{3,12}|TIMEDOUT|SOCKET|DNS|PIPE|HOSTUNREACH|NETUNREACH|NOTFOUND|AI_[A-Z]{3,10}|"
    r"SOCKETTIMEDOUT|PROTO|TLS)\b|"
    r"no route to host|network is unreachable|(?:host|network) (?:is )?(?:down|unreachable)|broken pipe|"
    r"unexpected(?:ly)? (?:eof|end of file|closed)|"
    r"(?:host|server) (?:has )?(?:unexpectedly )?closed|host or domain name not found|name service error|"
    r"nxdomain|servfail|no such host|"
    r"host(?:name)? (?:lookup|not found|unknown)|unknown (?:mail )?host|unknownhost|getaddrinfo|"
    r"nodename nor servname|name or service not known|"
    r"name resolution|couldn't find any host|find any host|\bdns\b|\bmx (?:record|host|lookup|resolv|"
    r"didn't)|no mx\b|mx records|lowest[- ]numbered mx|"
    r"all hosts|no answer from|retry time not reached|retry timeout exceeded|\btls|\bssl(?![a-z])|certificate|"
    r"handshake|starttls|"
    r"(?:could not|couldn't|cannot|can't|unable to|failed to|wasn't able to) (?:be )?(?:connect|establish|"
    r"look ?up|resolve|open|reach)|"
    r"connect(?:\(\))? failed|actively refused|winsock|socket ?error|getsockopt|loops back|not accept connection|"
    r"no servers? (?:available|responded)|"
    r"connect to \S{1,255}:|connectexception|message expired|too old|network error|in the queue too long|i/o error",
    re.IGNORECASE,
)

# one of these stands in whatever CLIENT finds, and is found faster
_CLIENT_WORDS = (
    "connect", "time", "dns", "tls", "ssl", "certificate", "handshake", "host", "econn", "esocket", "epipe",
    "enet", "enotfound",
    "eai_", "eproto", "network", "pipe", "server", "name", "mx", "unexpected", "getaddrinfo", "no answer",
    "retry", "could", "can't",
    "cannot", "unable", "failed to", "wasn't able", "winsock", "socket", "loops back", "expired", "too old",
    "queue", "i/o",
)  # fmt: skip

# --- other protocols

_FTP_STARTS = (
    "timeout.",
    "timeout - try typing",
    "timeout (",
    "there are too many connect",
    "too many users",
    "home directory",
    "login incorrect",
    "login timeout",
    "please login with",
    "user cannot log in",
    "not logged in",
    "login authentication failed",
    "maximum number of clients",
    "sorry, the maximum number of",
    "failed to change directory",
    "no such file or directory",
    "permission denied.",
    "can't open data connection",
    "no transfer timeout",
    "idle timeout (",
    "failed to open file",
    "could not create file",
    "can't change directory",
    "service not available, remote server has closed connection",
    "user limit reached",
)
_FTP_CODES = frozenset({220, 331, 421, 425, 426, 430, 450, 530, 550, 553})
_FTP_WORD = re.compile(
    r"(?<![\w./-])(?:s?ftpd?|vsftpd|proftpd|pure-ftpd|filezilla)(?![\w./-])|control connection|data connection",
    re.IGNORECASE,
)
FTP_SESSION = re.compile(
    r"^[^\w\n]{0,10}220[- ][^\n]{0,200}?ftp|^ftp>|\b(?:vsftpd|proftpd|pure-ftpd|filezilla)\b",
    re.IGNORECASE | re.MULTILINE,
)
_HTTP = re.compile(
    r"[\s<>*|-]{0,8}+(?:HTTP/\d|(?:error|status|code|http)[ :]{1,3}(?:code )?\d{3} misdirected)", re.IGNORECASE
)
_HTTP_PHRASES = {
    200: "ok", 201: "created", 204: "no content", 301: "moved permanently", 302: "found", 304: "not modified",
    400: "bad request", 401: "unauthorized", 403: "forbidden", 404: "not found", 405: "method not allowed",
    408: "request timeout", 409: "conflict", 410: "gone", 413: "payload too large", 415: "unsupported media type",
    418: "i'm a teapot", 421: "misdirected request", 422: "unprocessable", 429: "too many requests",
    500: "internal server error", 502: "bad gateway", 503: "service unavailable", 504: "gateway timeout",
    505: "http version not supported",
}  # fmt: skip

# words of mail, for texts without any code
_MAILISH = re.compile(
    r"mailbox|greylist|graylist|recipient|black ?list|block ?list|blocked|\bspam|throttl|\bdeferred|relay|"
    r"sender|rejected|rate.?limit|too many|"
    r"quota|user unknown|unknown user|no such user|\bdmarc\b|\bdkim\b|\bspf\b|\bptr\b|reverse dns|"
    r"reputation|undeliverable|temporar|"
    r"try again|try later|mail (?:server|loop|from)|e-?mail|\bsmtp\b|message (?:size|too large|rejected|"
    r"content)|policy|\bunsolicited\b|"
    r"\[(?:TSS?|BL|PH|S|AS)\d{2,5}\]|\((?:S|AS)\d{3,6}\)|closing transmission channel|postfach|boîte|буфер|почт|ящик",
    re.IGNORECASE,
)
_STRONG = re.compile(
    r"greylist|graylist|user unknown|unknown user|no such user|mailbox|recipient|black ?list|block ?list|"
    r"throttl|rate.?limit|"
    r"\bdmarc\b|\bdkim\b|\bspf\b|quota|relay|reputation|closing transmission channel|\[(?:TSS?|BL|"
    r"PH)\d{2}\]|\((?:S|AS)\d{3,6}\)|spam|deferred|"
    r"temporarily|too many (?:connections|messages|recipients)|(?:client|sender|address|message|"
    r"mail) (?:host )?(?:rejected|refused|blocked)|undeliverable",
    re.IGNORECASE,
)


def reply(
    text: str,
    form: str = "reply",
    host: str | None = None,
    domain: str | None = None,
    *,
    code: int | None = None,
    enhanced: str | None = None,
) -> Said:
    """What a server said, whose words `text` begins with; `code` and `enhanced` where a record holds them apart."""
    words = clean(text)
    found = _REPLY.match(words)
    if found:
        sign = found["sign"]
        if sign and not _SIGNS.isdisjoint(sign):
            words = f"{found['code']} {words[found.end('sign') :].strip()}".rstrip()
        elif found.start("code"):
            words = words[found.start("code") :]
        code = int(found["code"]) if code is None else code
        enhanced = enhanced or found["enhanced"]
    elif enhanced is None:
        first = _ENHANCED_FIRST.match(words)
        if first:
            enhanced = first[1]
    if enhanced is None and "." in words:
        enhanced = _later(words, code)
    return Said(words, code, enhanced, Speaker.SERVER, code is not None and code < 300, form, host, domain)


def spoken(
    text: str, form: str = "reply", host: str | None = None, domain: str | None = None, *, dsn: str | None = None
) -> Said:
    """Who says what in a line, or in the reason that a log gives; NOBODY where there is no word about mail.

    `dsn` is the status that our own software gave; it counts where no server spoke.
    """
    text = cut(text, MAX_UNIT)
    if _HTTP.match(text):
        return nobody(text, "http", form)
    plain = plain_reply(text, form, host, domain)
    if plain:
        return plain
    at = quoted(text)
    within = None if at is None else plain_reply(enclosed(text, at), form, host, domain)
    if within:
        return within
    if _ENHANCED_FIRST.match(text) and not own_trouble(text):
        return reply(text, form, host, domain)
    words = clean(text)
    if own_trouble(words):
        return Said(words, None, _status(dsn) or _later(words, None), Speaker.CLIENT, False, form, host, domain)
    if form != "reply" and words:
        later = _later(words, None)
        return Said(
            words, None, later or _status(dsn), Speaker.CLIENT if dsn else Speaker.SERVER, False, form, host, domain
        )
    if _STRONG.search(words) or (_later(words, None) and _MAILISH.search(words)):
        return Said(words, None, _later(words, None), Speaker.SERVER, False, form, host, domain)
    why_not = "garbage" if words else "empty"
    return Said(words, None, None, Speaker.NOBODY, False, form, None, domain, why_not)


def plain_reply(text: str, form: str = "reply", host: str | None = None, domain: str | None = None) -> Said | None:
    """A text that begins with a reply; None when it does not."""
    found = _REPLY.match(text)
    if not found or (not found["enhanced"] and _NO_CODE.match(text, found.end("code"))):
        return None
    code = int(found["code"])
    said = reply(enclosed(text, found.start("code")), form, host, domain)
    if not found["enhanced"]:
        other = _other_protocol(code, said.text[4:])
        if other:
            return nobody(said.text, other, form)
    return said


def quoted(text: str) -> int | None:
    """Where a server's reply begins within a sentence; None when there is none."""
    message = text.find(_MESSAGE) + len(_MESSAGE)
    if message >= len(_MESSAGE) and text[message : message + 3].isdecimal():
        return message
    both = _CODE_AND_ENHANCED.search(text)
    limit = both.start() + 4 if both else len(text)
    first = both.start() if both else None
    for found in islice(_QUOTED.finditer(text, 0, limit), 50):
        if text[found.end()] in "45":
            return found.end()
        # "expected 250 but got 421"
        first = found.end() if first is None else first
    return first


def enclosed(text: str, at: int) -> str:
    """The reply that begins at `at`, to the bracket or quotation mark that closes the one before it."""
    closes = _CLOSES.get(text[at - 1]) if at else None
    if closes is None:
        return text[at:]
    end = text.rfind(closes, at) if closes == "'" else text.find(closes, at)
    if end < 0:
        return text[at:]
    # behind brackets the reply goes on, behind quotation marks it does not
    return text[at:end] if closes in "'\"" else f"{text[at:end]} {text[end + 1 :]}".rstrip()


def recorded(
    words: str,
    form: str,
    host: str | None = None,
    address: str | None = None,
    *,
    code: int | None = None,
    status: str | None = None,
    accepted: bool = False,
) -> Said:
    """What a record of one attempt holds: `words`, with or without ``smtp;``; `code` and `status` where apart."""
    domain = domain_of(address)
    kind, semicolon, rest = words.partition(";")
    own = False
    if semicolon and _KIND.match(kind):
        own = kind.strip().lower() != "smtp"
        words = rest
    words = words.strip()
    plain = plain_reply(words, form, host, domain)
    if plain is None and (at := quoted(words)) is not None:
        plain = plain_reply(enclosed(words, at), form, host, domain)
    enhanced = _status(status)
    if plain is not None:
        said = plain
        # a status such as 5.0.0 only repeats the reply code
        if said.enhanced is None and enhanced and not enhanced.endswith(".0.0") and enhanced[0] == str(said.code)[0]:
            said = replace(said, enhanced=enhanced)
    elif code is None and (own or own_trouble(words[:MAX_UNIT])) and not accepted:
        text = clean(words)
        said = Said(text, None, enhanced or _later(text, None), Speaker.CLIENT, False, form, host, domain)
    else:
        said = reply(words, form, host, domain, code=code)
        if said.enhanced is None:
            said = replace(said, enhanced=enhanced)
        if not said.text and said.code is None and said.enhanced is None and not accepted:
            return nobody("", "event without a reply", form, domain)
    return replace(said, accepted=True, speaker=Speaker.SERVER, why_not=None) if accepted else said


def own_trouble(text: str) -> bool:
    """Whether a text without a reply speaks of time-outs, connections, names or TLS."""
    lower = text.lower()
    return any(word in lower for word in _CLIENT_WORDS) and bool(_CLIENT.search(text))


def nobody(text: str, why_not: str, form: str = "reply", domain: str | None = None) -> Said:
    """No mail reply at all."""
    return Said(clean(text), None, None, Speaker.NOBODY, False, form, None, domain, why_not)


def begins_reply(line: str) -> re.Match[str] | None:
    """The reply that a line begins with: groups code, sign (``-`` when another line follows) and enhanced."""
    return _REPLY.match(line)


def host_name(text: str | None) -> str | None:
    """A host as it is compared: lower case, no dot at the end; None for none."""
    if not text:
        return None
    name = text.strip().strip("[]<>()\"',;").rstrip(".").lower()[:255]
    return (
        name if name and name not in {"none", "unknown", "local", "-"} and "@" not in name and " " not in name else None
    )


def domain_of(address: str | None) -> str | None:
    """An address's domain in lower case; None when there is none."""
    if not address or "@" not in address:
        return None
    found = re.match(r"[\w.-]{1,255}+", address[address.rfind("@") + 1 :])
    return found[0].strip(".").lower() or None if found else None


def _later(words: str, code: int | None) -> str | None:
    """An enhanced code further on in the text, of the reply code's class."""
    for found in _ENHANCED_LATER.finditer(words):
        before = words[found.start() - 1] if found.start() else " "
        # a version or an IP address is none; qmail's and Cisco's # marks what is one
        if before != "#" and (before.isalnum() or before in "._" or found[1] > "7"):
            continue
        if code is None or code // 100 == int(found[0][0]):
            return found[0]
    return None


def _status(dsn: str | None) -> str | None:
    found = _ENHANCED_FIRST.match(dsn) if dsn else None
    return found[1] if found else None


def _other_protocol(code: int, rest: str) -> str | None:
    lower = rest.lower()
    if code in _FTP_CODES and (
        lower.startswith(_FTP_STARTS) or (("ftp" in lower or " connection" in lower) and _FTP_WORD.search(lower))
    ):
        return "ftp"
    phrase = _HTTP_PHRASES.get(code)
    if phrase and lower.rstrip(".! ") == phrase:
        return "http"
    return None
