"""Which column of a list holds what: by the words people write above them, or by what stands in them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from planner.errors import InputError
from planner.inputs.engagement import looks_like_date
from planner.inputs.fields import shown

Rows = Sequence[Sequence[str]]

DOMAIN = r"(?!.{255})((?:[a-z0-9_-]{1,63}+\.)+[a-z][a-z0-9-]{1,62}+)"
_LOCAL = r"[^\x00-\x20\x7f@<>\",;:()\[\]\\]"
_ADDRESS_CELL = re.compile(rf" *+{_LOCAL}{{1,255}}+@{DOMAIN}\.? *")
_DOMAIN_CELL = re.compile(rf" *+(?:{_LOCAL}{{0,255}}+@)?{DOMAIN}\.? *")
_DOMAIN_ALONE = re.compile(DOMAIN)
_LOCAL_ALONE = re.compile(rf"{_LOCAL}{{1,255}}")
_MAX_CELL = 1000

# As they read without accents, blanks and marks; the first that is there counts.
_ADDRESSES = (
    *("email", "emailaddress", "emailadresse", "emailaddresses", "emails", "mail", "mailaddress", "mailadresse"),
    *("primaryemail", "primaryemailaddress", "contactemail", "customeremail", "subscriberemail", "useremail"),
    *("recipientemail", "recipient", "recipientaddress", "rcpt", "rcptto", "to", "subscriber", "subscriberkey"),
    *("email1", "email1value", "emailaddress1", "workemail", "personalemail", "empfanger", "empfaenger"),
    *("emailid", "adresseemail", "adressemail", "courriel", "correo", "correoelectronico", "email adres", "emailadres"),
    *("indirizzoemail", "eposta", "epost", "address", "adresse"),
)
_DOMAINS = ("domain", "domainname", "emaildomain", "maildomain", "recipientdomain", "domane", "domaene", "domaine")
_LAST = re.compile(r"last|latest|recent|letzt|derni|ultim")
_ENGAGED = re.compile(r"open|click|clic|klick|engag|activ|aktiv|interact|interakt|seen|offn|oeffn|ouver|apert")
_OTHER_FACTS = {
    *("campaign", "city", "client", "count", "country", "device", "id", "ip", "link", "name", "source", "status"),
    *("subject", "type", "url", "kampagne", "anzahl", "betreff"),
}


@dataclass(frozen=True)
class Columns:
    """Where a list says what; columns count from 0.

    Parameters
    ----------
    address : int
    bare : bool
        The column may hold domains without anybody's name.
    engaged : tuple of int
        Columns of last opens and clicks.
    header : bool
        The first row names the columns.
    by_content : bool
        Found by what the columns hold.
    """

    address: int
    bare: bool
    engaged: tuple[int, ...]
    header: bool
    by_content: bool = False


def columns_of(rows: Rows, column: str | None = None) -> Columns:
    """Find the columns of a list.

    Parameters
    ----------
    rows : sequence of sequences of str
        Its first rows.
    column : str, optional
        Name of the column of addresses or domains.

    Raises
    ------
    InputError
        When there is no such column.

    Examples
    --------
    >>> columns_of([["Name", "E-Mail", "Letzte Öffnung"], ["Ann", "ann@example.com", "2026-11-25"]])
    Columns(address=1, bare=False, engaged=(2,), header=True, by_content=False)
    """
    filled = [row for row in rows if any(cell.strip() for cell in row)]
    if not filled:
        raise InputError("The list holds no address. Give one address or domain a line.")
    names = [plain_name(cell) for cell in filled[0]]
    if column is not None:
        place = _named(column, names)
        return Columns(place, _bare(filled[1:], place, names[place]), _engaged(filled[0]), True)
    for known, bare in ((_ADDRESSES, False), (_DOMAINS, True)):
        if found := next((name for name in known if name in names), None):
            return Columns(names.index(found), bare, _engaged(filled[0]), True)
    return _by_content(filled)


def knows_names(cells: Sequence[str]) -> bool:
    """Tell whether one of these cells is a usual name for the column of addresses or domains."""
    return not {plain_name(cell) for cell in cells}.isdisjoint((*_ADDRESSES, *_DOMAINS))


def plain_name(text: str) -> str:
    """Write a column's name without what people write differently.

    Examples
    --------
    >>> plain_name("E-Mail Address"), plain_name("letzte_Öffnung")
    ('emailaddress', 'letzteoffnung')
    """
    letters = unicodedata.normalize("NFKD", text[:200]).casefold()
    return "".join(letter for letter in letters if letter.isalnum())


def domains_in(cells: Sequence[str], bare: bool) -> list[str | None]:
    """Find the recipient domain of each cell, as `domain_in` does."""
    match = (_DOMAIN_CELL if bare else _ADDRESS_CELL).fullmatch
    return [found[1] if (found := match(cell)) else _dressed(cell, bare) for cell in cells]


def domain_in(cell: str, bare: bool) -> str | None:
    """Find the recipient domain of a cell, in lower case and as the DNS writes it.

    Parameters
    ----------
    cell : str
        In lower case, as far as letters are ASCII.
    bare : bool
        A domain without anybody's name will do.

    Examples
    --------
    >>> domain_in("Ann <ann@bücher.example.>", bare=False), domain_in("ann", bare=False)
    ('xn--bcher-kva.example', None)
    """
    return domains_in([cell], bare)[0]


def _dressed(cell: str, bare: bool) -> str | None:
    """Read what is written in another way: "Name <a@b>", mailto:a@b, quotes, letters beyond ASCII."""
    if len(cell) > _MAX_CELL or not cell:
        return None
    text = cell.strip(" \t\r\n\ufeff\u200b\xa0")
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1].strip()
    if text.endswith(">"):
        text = text[text.rfind("<") + 1 : -1].strip()
    local, at, domain = text.removeprefix("mailto:").rpartition("@")
    if not at and not bare:
        return None
    if at and (local or not bare) and not _LOCAL_ALONE.fullmatch(local):
        return None
    return _as_the_dns_writes_it(domain.removesuffix("."))


def _as_the_dns_writes_it(domain: str) -> str | None:
    if not domain.isascii():
        try:
            domain = domain[:255].encode("idna").decode()
        except UnicodeError:  # no domain has such letters
            return None
    domain = domain.lower()
    return domain if _DOMAIN_ALONE.fullmatch(domain) else None


# --- by name


def _named(column: str, names: list[str]) -> int:
    wanted = plain_name(column)
    if wanted not in names:
        # the first line may be somebody's: it is not shown
        text = f"The list has no column {shown(column)}: none of the {len(names)} cells of its first line reads so."
        raise InputError(f"{text} Check the name; without one, the column is found by what it holds.")
    return names.index(wanted)


def _bare(rows: Rows, column: int, name: str) -> bool:
    """Tell whether a column holds domains; elsewhere a word with a point in it may be somebody's name."""
    cells = [row[column] for row in rows if column < len(row)]
    n_addresses = sum(domain_in(cell, bare=False) is not None for cell in cells)
    return name in _DOMAINS or (name not in _ADDRESSES and not n_addresses)


def _engaged(header: Sequence[str]) -> tuple[int, ...]:
    return tuple(i for i, name in enumerate(header) if _tells_engagement(name))


def _tells_engagement(name: str) -> bool:
    plain = plain_name(name)
    words = re.split(r"[^a-z]+", name.lower()[:200])
    return bool(_LAST.search(plain) and _ENGAGED.search(plain)) and not _OTHER_FACTS & set(words)


# --- by content


def _by_content(rows: Rows) -> Columns:
    width = max(map(len, rows))
    for bare, enough in ((False, 0.5), (True, 0.8)):
        fitting = [sum(domain_in(row[c], bare) is not None for row in rows if c < len(row)) for c in range(width)]
        best = max(range(width), key=fitting.__getitem__)
        header = domain_in(rows[0][best], bare) is None if best < len(rows[0]) else False
        below = len(rows) - header
        if fitting[best] and fitting[best] >= enough * below:
            engaged = _engaged(rows[0]) if header else _dates(rows, width)
            return Columns(best, bare, engaged, header, by_content=True)
    text = "The list has no column of addresses or domains. Give one address a line, or name the column"
    raise InputError(f"{text} email or domain in the first line.")


def _dates(rows: Rows, width: int) -> tuple[int, ...]:
    """Find the one column of dates, when there are no names to go by."""
    found = []
    for c in range(width):
        cells = [row[c] for row in rows if c < len(row) and row[c].strip()]
        if cells and sum(map(looks_like_date, cells)) >= 0.8 * len(cells):
            found.append(c)
    return tuple(found) if len(found) == 1 else ()
