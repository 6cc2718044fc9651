"""Counts of attempts by provider and hour, as a log is read; bounded memory, nobody's name."""

from __future__ import annotations

import ipaddress
import math
import re
import secrets
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import date
from functools import lru_cache

from planner.inputs.catalogue import Catalogue
from planner.inputs.provider_names import OTHER
from planner.observing.logs.queue import Queue
from planner.observing.logs.recent import Recent
from planner.observing.logs.replies import Answer, Outcome, Replies
from planner.observing.logs.stamps import Clock
from planner.vocabulary import Cause

LOCAL = -1
"""In place of a provider: the sender's own programs and machines."""

MAX_LINES = 20
MAX_HOURS = 40_000
CENTURY = range((date(2000, 1, 1) - date(1970, 1, 1)).days, (date(2100, 1, 1) - date(1970, 1, 1)).days)
"""Days that can be told, counted from 1970."""

_MOST_ROUTES = 50_000

_CAUSES = tuple(Cause)
N_CAUSES = len(_CAUSES)
DELIVERED, HARD_BOUNCED, BLOCKED, DEFERRED = 0, 2, 4, 6
EXPIRED = DEFERRED + 2 * N_CAUSES
COMPLAINTS = EXPIRED + 1
SENT_APART = EXPIRED + 2
WIDTH = EXPIRED + 3
"""Counters of a provider's hour: first attempts at the even places up to `EXPIRED`, retries after each; `SENT_APART`
counts first attempts that are known from later ones only."""

LONG = 60.0
"""Seconds: what waited longer and was already there when the log began had been tried before."""

N_DELAYS = 44
_DELAYS_PER_DOUBLING = 2
_LONGEST = 2.0 ** ((N_DELAYS - 1) / _DELAYS_PER_DOUBLING) - 1.0

_RELAYS = 3
_DOMAIN = re.compile(rb"[^\s@<>\"'(),;:\\]{1,255}")
_HOST = re.compile(rb"(?=[^\n]{0,300}[.\[])[^\s@<>\"'(),;\[\]]{0,255}(?:\[[0-9A-Fa-f:.]{1,50}\](?::\d{1,5})?)?")
_BRACKETED = re.compile(r"\[([0-9A-Fa-f:.]+)\]")


class Tally:
    """What the readers of all formats count into.

    Parameters
    ----------
    facts : Catalogue
    clock : Clock
    among : tuple of str or None
        Providers to tell apart; None for those of the catalogue. What goes to others counts under ``other``.
    replies : Replies
    """

    def __init__(self, facts: Catalogue, clock: Clock, among: tuple[str, ...] | None, replies: Replies) -> None:
        self.clock = clock
        self.replies = replies
        self.queue = Queue()
        self.problems: Counter[str] = Counter()
        self.problem_lines: dict[str, list[tuple[str, int]]] = {}
        self.passed_over: Counter[str] = Counter()
        self.told, self.accepted, self.refused = Recent(), Recent(), Recent()
        """What services told of late, in any file: their events, and what became of deliveries; by `number_of`."""
        self._salt = secrets.token_bytes(16)
        self.hours: dict[int, dict[int, list[int]]] = {}
        self.delays: dict[int, dict[int, list[int]]] = {}
        self.nowhen: dict[int, list[int]] = defaultdict(_no_counts)
        """What lies in no hour that can be told."""
        self.providers: list[str] = []
        self.began: int | None = None
        """Wall-clock second of the first line of this group of files."""
        self._numbers: dict[str, int] = {}
        self.among = among
        self._facts = facts
        self.routes: dict[tuple[bytes, bytes], int] = {}
        """Numbers of providers by recipient domain and host, as the log writes them."""

    # --- who is mailed

    def provider(self, address: bytes, host: bytes = b"") -> int:
        """Number of the provider behind a recipient's domain, or behind the host that takes its mail.

        `LOCAL` when the host is one of the sender's own. `host` is a name, a name with ``[address]``, or empty.
        """
        key = domain_of(address), host if _HOST.fullmatch(host) else b""
        number = self.routes.get(key)
        if number is None:
            if len(self.routes) > _MOST_ROUTES:
                self.routes.clear()
            number = self.routes[key] = self._route(_text(key[0]), _text(key[1]))
        return number

    def _route(self, domain: str, host: str) -> int:
        found = _BRACKETED.search(host)
        address = found[1] if found else host
        name = host[: found.start()] if found else host
        if _is_own(address) or name.rstrip(". ") == "localhost":
            return LOCAL
        return self.number(self._facts.provider_of_domain(domain) or self._facts.provider_of_mx(name.strip()) or OTHER)

    def number(self, provider: str) -> int:
        """Number of a provider by its id."""
        if self.among is not None and provider not in self.among:
            provider = OTHER
        if provider not in self._numbers:
            self._numbers[provider] = len(self.providers)
            self.providers.append(provider)
        return self._numbers[provider]

    def relays(self) -> list[str]:
        """Hosts that take the mail of three or more providers: they pass it on, and know what became of it."""
        served: dict[str, set[str]] = defaultdict(set)
        for domain, host in self.routes:
            provider = self._facts.provider_of_domain(_text(domain)) if domain else None
            name = _text(host).partition("[")[0].rstrip(". ")
            if provider and name:
                served[name].add(provider)
        return sorted(name for name, providers in served.items() if len(providers) >= _RELAYS)

    # --- what happened

    def number_of(self, *words: bytes) -> int:
        """Number in place of words that nobody keeps, the same all through one reading."""
        return hash((self._salt, words))

    def cells(self, hour: int) -> dict[int, list[int]]:
        """Counters of an hour, by provider."""
        found = self.hours.get(hour)
        if found is None:
            if len(self.hours) >= MAX_HOURS or hour // 24 not in CENTURY:
                return self.nowhen
            found = self.hours[hour] = defaultdict(_no_counts)
        return found

    def bins(self, day: int) -> dict[int, list[int]]:
        """Histograms of the delays of a day's deliveries, by provider."""
        found = self.delays.get(day)
        if found is None:
            found = defaultdict(_no_delays)
            if len(self.delays) < MAX_HOURS and day in CENTURY:
                self.delays[day] = found
        return found

    def count(self, second: int, provider: int, place: int) -> None:
        """Count into one of the counters of an hour."""
        self.cells(second // 3600)[provider][place] += 1

    def attempt(
        self,
        second: int,
        message: bytes | str,
        address: bytes,
        provider: int,
        answer: Answer,
        *,
        waited: float | None = None,
        first: bool | None = None,
    ) -> int:
        """Count one attempt.

        Parameters
        ----------
        second : int
            On the wall clock of `Clock`.
        message : bytes or str
            What names the message in the log; together with the recipient's address it tells retries.
        address : bytes
            Not kept.
        provider : int
        answer : Answer
        waited : float or None
            Seconds since the message was handed over, if the log tells.
        first : bool or None
            Whether it was the first attempt, if the log tells by itself.

        Returns
        -------
        int
            1 for a retry, 0 for a first attempt.
        """
        recipient = self.queue.recipient(address)
        return self.attempt_of(second, message, recipient, provider, answer, waited=waited, first=first)

    def attempt_of(
        self,
        second: int,
        message: bytes | str,
        recipient: int,
        provider: int,
        answer: Answer,
        *,
        waited: float | None = None,
        first: bool | None = None,
    ) -> int:
        """Count one attempt, by the number that `Queue.recipient` gave for its recipient."""
        if answer.outcome is Outcome.DEFERRED:
            seen = self.queue.defer(message, recipient, provider)
        else:
            seen = self.queue.settle(message, recipient)
        if first is None:
            first = seen and not self._queued_before(second, waited)
        self.count(second, provider, answer.place + (not first))
        if waited is not None and answer.outcome is Outcome.DELIVERED:
            self.bins(second // 86_400)[provider][delay_bin(waited)] += 1
        return int(not first)

    def _queued_before(self, second: int, waited: float | None) -> bool:
        """Whether a message that is new to us waited in the queue when the log began: it was tried then."""
        return waited is not None and waited > LONG and self.began is not None and second - waited < self.began

    def move(self, hour: int, provider: int, counted: int, instead: int) -> None:
        """Count an attempt of an hour elsewhere: it ended otherwise than was told at first."""
        cell = self.cells(hour)[provider]
        cell[counted] -= 1
        cell[instead] += 1

    def expired(self, second: int, message: bytes | str) -> None:
        """Count the recipients of a message that is given up."""
        for provider in self.queue.expire(message):
            self.count(second, provider, EXPIRED)

    def recipient_expired(self, second: int, message: bytes | str, recipient: int, provider: int) -> None:
        """Count one recipient that is given up."""
        self.queue.settle(message, recipient)
        self.count(second, provider, EXPIRED)

    def is_empty(self) -> bool:
        """Whether not one line was understood."""
        return not (any(self.hours.values()) or self.nowhen or self.passed_over.total())

    # --- what could not be read

    def problem(self, kind: str, line: Callable[[], tuple[str, int]], times: int = 1) -> None:
        """Count lines that could not be read; `line` tells file and number and is asked for the first ones only."""
        self.problems[kind] += times
        lines = self.problem_lines.setdefault(kind, [])
        if len(lines) < MAX_LINES:
            lines.append(line())


def _no_counts() -> list[int]:
    return [0] * WIDTH


def _no_delays() -> list[int]:
    return [0] * N_DELAYS


def delay_bin(seconds: float) -> int:
    """Place of a delay in a histogram whose bins double every two.

    Examples
    --------
    >>> delay_bin(0.0), delay_bin(1.0), delay_bin(3600.0), delay_bin(1e9)
    (0, 2, 23, 43)
    """
    return int(_DELAYS_PER_DOUBLING * math.log2(1.0 + min(max(seconds, 0.0), _LONGEST)))


def delay_of(place: float) -> float:
    """Give the seconds at which a bin begins.

    Examples
    --------
    >>> delay_of(delay_bin(1.0))
    1.0
    """
    return float(2.0 ** (place / _DELAYS_PER_DOUBLING) - 1.0)


def domain_of(address: bytes) -> bytes:
    """Recipient domain of an address; empty where there is none, for half an address is somebody's name.

    Examples
    --------
    >>> domain_of(b"ann@Example.org"), domain_of(b"ann"), domain_of(b"ann@")
    (b'Example.org', b'', b'')
    """
    _, at, domain = address.rpartition(b"@")
    return domain if at and _DOMAIN.fullmatch(domain) else b""


def _text(part: bytes) -> str:
    return part.decode("utf-8", "replace").strip().lower()


@lru_cache(maxsize=4096)
def _is_own(address: str) -> bool:
    """Whether an IP address is of this machine or of a private network."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    own = (*_OWN_V4, *_OWN_V6)
    return any(ip.version == net.version and ip in net for net in own)


_OWN_V4 = tuple(ipaddress.ip_network(net) for net in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
_OWN_V6 = tuple(ipaddress.ip_network(net) for net in ("::1/128", "fc00::/7", "fe80::/10"))
