"""Makes other people's text fit to be compared and shown: one line, plain signs, nobody's name."""

from __future__ import annotations

import html
import re
from functools import lru_cache

MAX_REPLY = 2_000
"""Characters of one reply."""
MAX_TEXT = 1_000_000
"""Characters of one pasted text."""
MAX_LINES = 20_000
"""Lines of one pasted text."""
MARK = "…"
"""Stands for what was left out."""

# what is read of one reply before it is cut: markup and blanks shrink
_ROOM = 4 * MAX_REPLY

_SIGNS = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′", "'"),
        **dict.fromkeys("“”„‟″", '"'),
        **dict.fromkeys("‐‑‒", "-"),
        **dict.fromkeys("＠﹫", "@"),
        **dict.fromkeys("\u200b\u200c\u200d\u200e\u200f\u2060\u2061\u2062\u2063\u2064\ufeff\xad"),
        **dict.fromkeys("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"),
    }
)
_HUGE_REFERENCE = re.compile(r"&#[0-9]{8,}+;?")
_NAMES = (
    "a|b|big|blockquote|body|br|center|code|dd|div|dl|dt|em|font|h[1-6]|head|hr|html|i|img|li|link|meta|"
    "ol|p|pre|s|small"
    "|span|strong|style|sub|sup|table|tbody|td|th|thead|title|tr|tt|u|ul|wbr"
)
_TAG = re.compile(rf"</?(?:{_NAMES})(?=[\s/>])[^<>]{{0,500}}+>", re.IGNORECASE)
_SOFT_BREAK = re.compile(r"=[ \t]{0,8}+\r?\n")
_QUOTING = re.compile(r"^[ \t]{0,8}+(?:[>|][ \t]?+){1,20}+", re.MULTILINE)
# one of these stands in whatever _HIDDEN_AT finds, and is found faster
_HIDDEN = ("%40", "2540", "0040", "=40", *(f"{at}{end}" for at in ("at", "AT", "At", "aT") for end in "])}"))
_HIDDEN_AT = re.compile(
    r"%(?:25)?40|\\u0040|=40(?=[A-Za-z0-9-]{1,63}\.[A-Za-z])|[ _]?[\[({]at[\])}][ _]?", re.IGNORECASE
)
# what stands in quotes before an address is a person's name
_DISPLAY_NAME = re.compile(rf'"[^"<>@]{{1,100}}"\s?<(?={MARK}@)')
# an address that goes on in the reply's next line
_WRAPPED = re.compile(
    r"(<[^\s<>@]{1,64}+)\s{1,4}+(?:([2-5]\d\d)[ -](?:#?[245]\.\d{1,3}\.\d{1,3} )?)?(?=[^\s<>@]{0,64}+@)"
)
_WRAPPED_BEHIND = re.compile(r"@\s{1,4}+[2-5]\d\d[ -](?:#?[245]\.\d{1,3}\.\d{1,3} )?(?=[\w-]{1,63}\.[A-Za-z])")
# how Exchange names a mailbox without an @
_LEGACY = re.compile(r"(/cn=recipients/cn=)[^\s/<>\"';,()]{1,256}+", re.IGNORECASE)
# an address that a line's end has cut
_OPEN_END = re.compile(r"<[\w.+=-]{1,64}+$")
_APART = re.compile(r"(?<!\w)(?!(?:at|for|from|in|of|on|the|to|with) )([\w.+-]{1,64}) @ ?(?=[\w-]{1,63}\.[A-Za-z])")
_BACK_LOCAL = re.compile(r"""[^\s<>()\[\],;:"@]*+""")
_DOMAIN = re.compile(r"\[[0-9A-Za-z:.]{1,60}+\]|[\w-]++(?:\.[\w-]++)*+")
_LEAD = re.compile(r"([2-5]\d\d)(-| )(?=(#?[245]\.\d{1,3}\.\d{1,3}(?= ))?)")


def truncated(text: str | bytes) -> bool:
    """Whether a pasted text is longer than what is read of it."""
    lines = text.count("\n") if isinstance(text, str) else text.count(b"\n")
    return len(text) > MAX_TEXT or lines >= MAX_LINES


def clean(text: str) -> str:
    r"""One line of at most 2,000 characters without markup, quoting, repeated reply codes and local parts of addresses.

    >>> clean("550-5.1.1 <ann@example.com>&nbsp; unknown.<br>\n> 550 5.1.1 See https://example.org/")
    '550 5.1.1 <…@example.com> unknown. See https://example.org/'
    """
    if len(text) > _ROOM:
        text = cut(text, _ROOM)
    if "&" in text:
        text = unescaped(text)
    if "<" in text:
        text = _TAG.sub(" ", text)
    if "\n" in text:
        if "=" in text:
            text = _SOFT_BREAK.sub("", text)
        if ">" in text or "|" in text:
            text = _QUOTING.sub("", text)
    if not text.isascii():
        text = text.translate(_SIGNS)
    text = " ".join(text.split())
    if not text.isprintable():
        text = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    text = masked(text)
    if "<" in text:
        text = _OPEN_END.sub(f"<{MARK}", text)
    lead = _LEAD.match(text)
    if lead:
        text = _once(text, lead)
    if "  " in text or text[:1] == " " or text[-1:] == " ":
        # what was taken out stood between blanks
        text = " ".join(text.split())
    return text if len(text) <= MAX_REPLY else cut(text, MAX_REPLY - 1).rstrip() + MARK


def cut(text: str, n: int) -> str:
    """At most the first `n` characters, ending before a word that would be cut: half an address is somebody's name."""
    if len(text) <= n:
        return text
    kept = text[:n]
    if not text[n].isspace():
        kept = kept[: max(map(kept.rfind, " \n\t\r<>()[],;:")) + 1]
    if kept.count('"') % 2 and '"@' in text[n : n + MAX_REPLY]:
        kept = kept[: kept.rfind('"')]
    return kept


def unescaped(text: str) -> str:
    """HTML's character references replaced, also those written twice (``&amp;lt;``)."""
    if "&#" in text:
        # Python refuses to make a number of thousands of digits
        text = _HUGE_REFERENCE.sub("", text)
    plain = html.unescape(text)
    if "&" in plain and plain != text:
        return html.unescape(_HUGE_REFERENCE.sub("", plain))
    return plain


def masked(text: str) -> str:
    """Each address's local part replaced; the domain stays.

    >>> masked("to ann@example.com: https://example.org/u?m=ann%40example.com")
    'to <…@example.com>: https://example.org/<…@example.com>'
    """
    text = with_signs(text)
    if "/" in text and "=" in text:
        text = _LEGACY.sub(rf"\1{MARK}", text)
    if "@" not in text:
        return text
    text = rejoined(text)
    if " @" in text:
        text = _APART.sub(r"\1@", text)
    before, *rest = text.split("@")
    out = []
    for after in rest:
        kept = _without_local(before)
        if kept is None:
            out.append(before)
            out.append("@")
            before = after
            continue
        if kept.endswith("\x00"):
            # a quoted local part that holds an @ itself began further ahead
            kept = kept[:-1]
            if out and '"' in out[-1]:
                out[-1] = out[-1][: out[-1].rfind('"')]
        domain = _DOMAIN.match(after)
        end = domain.end() if domain else 0
        bracketed = kept.endswith("<")
        out.append(kept)
        out.append(f"{MARK}@" if bracketed or not end else f"<{MARK}@")
        if bracketed or not end:
            before = after
        elif len(out) > 2 and end == len(after):
            before = after + ">"
        else:
            before = f"{after[:end]}>{after[end:]}"
    out.append(before)
    hidden = "".join(out)
    return _DISPLAY_NAME.sub("<", hidden) if '"' in hidden else hidden


def rejoined(text: str) -> str:
    r"""The text with each address whole that a reply of several lines has wrapped.

    >>> rejoined("550-no <an\n550 n@example.com> here")
    '550-no <ann@example.com> here'
    """
    if "<" in text:
        text = _WRAPPED.sub(lambda found: found[1] if found[2] else "<", text)
    return _WRAPPED_BEHIND.sub("@", text) if "@ " in text or "@\n" in text else text


def with_signs(text: str) -> str:
    """Each @ that is written in another way, as in URLs, made one."""
    if any(sign in text for sign in _HIDDEN):
        return _HIDDEN_AT.sub("@", text)
    return text


def _without_local(before: str) -> str | None:
    """What stands before an address's local part; None when there is no local part."""
    if before.endswith('"'):
        end = len(before) - 1
        start = before.rfind('"', 0, end)
        while start > 0 and before[start - 1] == "\\":
            start = before.rfind('"', 0, start)
        if start >= 0:
            return before[:start].rstrip("\\")
        return "\x00"
    found = _BACK_LOCAL.match(before[::-1])
    size = found.end() if found else 0
    if not size:
        return None
    kept, local = before[:-size], before[-size:]
    opened = kept.rfind("<", max(0, len(kept) - 80))
    if opened >= 0 and kept.endswith((". ", "- ", "_ ", "+ ")) and " " not in kept[opened:-1]:
        return kept[: opened + 1]  # a local part that was wrapped
    if local.startswith("//") and kept.endswith(":"):
        # an address within a URL: the host stays
        slash = local.find("/", 2)
        question = local.find("?", 2)
        at = min((n for n in (slash, question) if n > 0), default=1)
        return kept + local[: at + 1]
    if local[0] in "'`":
        return kept + local[0]
    if kept.endswith(":"):
        # name and password of a URL
        start = kept.rfind("//", max(0, len(kept) - _ROOM))
        if start > 0 and not (set(kept[start + 2 :]) & set("/ <>")):
            return kept[: start + 2]
    return kept


def _once(text: str, lead: re.Match[str]) -> str:
    """A reply of several lines says its code once."""
    code, sign, enhanced = lead.group(1, 2, 3)
    if text.find(code, 4) < 0:
        return text if sign == " " else f"{code} {text[4:].lstrip()}".rstrip()
    again = _repeated(code, enhanced is None, sign == "-")
    rest = again.sub("", text[4:])
    if ": //" in rest:
        rest = rest.replace(": //", "://")
    return f"{code} {rest.lstrip()}".rstrip()


@lru_cache(maxsize=1_000)
def _repeated(code: str, plain: bool, joined: bool) -> re.Pattern[str]:
    enhanced = r"#?[245]\.\d{1,3}\.\d{1,3}(?:[ ]|$)"
    if joined:
        return re.compile(rf"(?<=[ ]){code}(?:-|[ ]|$)(?:{enhanced})?")
    return re.compile(rf"(?<=[ ]){code}(?:-{'' if plain else '(?=[0-9])'}|[ ](?=[245]\.\d{{1,3}}\.\d))(?:{enhanced})?")
