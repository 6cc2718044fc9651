"""Reads the errors that mail libraries raise: PHPMailer, nodemailer, smtplib, .NET; others hold a whole reply."""

from __future__ import annotations

import re
from itertools import islice

from planner.replies.said import Said
from planner.replies.wording import nobody, recorded

# a megabyte of recipients
_MOST = 10_000
_PAIR = re.compile(r"\(([2-5]\d\d), ?b?(?:'((?:[^'\\]|\\.){0,4000}+)'|\"((?:[^\"\\]|\\.){0,4000}+)\")", re.DOTALL)
_PAIR_OF = re.compile(r"['\"]([^'\"\s]{1,320})['\"]: ?\Z")
_HEX = re.compile(r"\\x([0-9a-fA-F]{2})")
_PHPMAILER = re.compile(r"SMTP code: ?([2-5]\d\d)(?:\s{0,4}Additional SMTP info: ?([245]\.\d{1,3}\.\d{1,3}))?")
_NODE = re.compile(
    r"\bresponse['\"]?: ?(?:'((?:[^'\\]|\\.){0,4000}+)'|\"((?:[^\"\\]|\\.){0,4000}+)\"|`([^`]{0,4000}+)`)", re.DOTALL
)
_NODE_CODE = re.compile(r"\bresponseCode['\"]?: ?([2-5]\d\d)")
_DOTNET = "server response was: "
# what .NET calls the reply codes
_DOTNET_NAMES = (
    ("service not available, closing transmission channel", 421),
    ("error in processing", 451),
    ("insufficient system storage", 452),
    ("exceeded storage allocation", 552),
    ("mailbox name not allowed", 553),
    ("transaction failed", 554),
    ("mailbox unavailable", 550),
    ("secure connection or the client was not authenticated", 530),
    ("bad sequence of commands", 503),
)


def said_in(text: str) -> list[Said]:
    """What an exception's text says; empty when it is none whose reply stands apart from its code."""
    if "SMTP code:" in text:
        return _phpmailer(text)
    if "responseCode" in text and (found := _NODE.findall(text)):
        return _once([recorded(_plain(one or two or three), "exception") for one, two, three in found])
    if _DOTNET in text:
        return _dotnet(text)
    if ", b'" in text or ", '" in text or ', b"' in text or ', "' in text:
        return _pairs(text)
    if "responseCode" in text and (code := _NODE_CODE.search(text)):
        first = text.lstrip().split("\n", 1)[0]
        return [recorded(first.partition(": ")[2] or first, "exception", code=int(code[1]))]
    return []


def _pairs(text: str) -> list[Said]:
    found = []
    for pair in islice(_PAIR.finditer(text), _MOST):
        start = pair.start()
        recipient = (
            _PAIR_OF.search(text[max(0, start - 400) : start])
            if text[max(0, start - 1) : start] in {" ", ":"}
            else None
        )
        words = _plain(pair[2] or pair[3] or "")
        if not words.startswith(pair[1]):
            # every line of the reply, without its code
            words = f"{pair[1]}-{words}".replace("\n", f"\n{pair[1]} ")
        found.append(recorded(words, "exception", None, recipient[1] if recipient else None))
    return found


def _phpmailer(text: str) -> list[Said]:
    found, start = [], 0
    for one in islice(_PHPMAILER.finditer(text), _MOST):
        before = text[start : one.start()]
        at = before.rfind("Detail: ")
        words = before[at + 8 :] if at >= 0 else before.rpartition("SMTP server error:")[2]
        parts = (one[1], one[2] or "", words.strip())
        found.append(recorded(" ".join(part for part in parts if part), "exception"))
        start = one.end()
    return _once(found)


def _dotnet(text: str) -> list[Said]:
    found = []
    before, *rest = text.split(_DOTNET, _MOST)
    for words in rest:
        words = re.split(r"\n\s{0,8}at |\s--->|\n\n", words, maxsplit=1)[0]
        lower = before[-400:].lower()
        code = next((code for name, code in _DOTNET_NAMES if name in lower), None)
        words = words.strip()
        if code and not re.match(r"[2-5]\d\d[- ]", words):
            words = f"{code} {words}"
        found.append(recorded(words, "exception") if words else nobody(before, "garbage", "exception"))
        before = words
    return _once(found)


def _plain(words: str) -> str:
    """A literal's escapes replaced."""
    if "\\x" in words:
        octets = _HEX.sub(lambda found: bytes([int(found[1], 16)]).decode("latin-1"), words)
        words = octets.encode("latin-1", "replace").decode("utf-8", "replace")
    return re.sub(r"\\(?:r\\n|n|r|t)", "\n", words).replace("\\'", "'").replace('\\"', '"')


def _once(found: list[Said]) -> list[Said]:
    return list(dict.fromkeys(found))
