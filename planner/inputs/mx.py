"""Which provider stands behind a domain, by its mail exchangers: asked of the DNS only when somebody agrees."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from planner.errors import PlannerError
from planner.inputs.catalogue import catalogue

if TYPE_CHECKING:
    from dns.resolver import Resolver

FORMAT = 1
MAX_KEPT = 50_000
MAX_CACHE_BYTES = 20_000_000
MAX_HOSTS = 10
GOOD_FOR = timedelta(days=30)

Hosts = tuple[str, ...]


@dataclass(frozen=True)
class MxLookup:
    """How to ask for mail exchangers.

    Parameters
    ----------
    domains : int
        Only the domains with most addresses are asked for.
    timeout_seconds, total_seconds : float
        For one domain, and for all of them; what is not answered by then stays unknown.
    threads : int
        Questions at a time.
    resolver : dns.resolver.Resolver, optional
        The system's, if left out.
    cache : Path, optional
        File in which answers are kept for 30 days: domains and their mail exchangers, nothing else. Without one,
        ``mx.json`` in the user's cache folder of ``warmup-planner``.
    """

    domains: int = 1000
    timeout_seconds: float = 3.0
    total_seconds: float = 60.0
    threads: int = 16
    resolver: Resolver | None = None
    cache: Path | None = None


@dataclass(frozen=True)
class Mailers:
    """What the look-up found.

    Parameters
    ----------
    providers : dict from domain to provider
        Domains whose mail exchanger belongs to a known provider.
    asked : int
        Domains that were to be looked up.
    from_cache : int
        Those that had been asked before.
    no_mail : tuple of str
        Domains that do not exist, or take no mail: their addresses will bounce.
    unanswered : int
        Time-outs and failures.
    """

    providers: dict[str, str] = field(repr=False)
    asked: int
    from_cache: int
    no_mail: tuple[str, ...] = field(repr=False)
    unanswered: int

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values that JSON knows."""
        return {
            "providers": self.providers,
            "asked": self.asked,
            "from_cache": self.from_cache,
            "no_mail": list(self.no_mail),
            "unanswered": self.unanswered,
        }


def look_up(
    domains: Sequence[str], how: MxLookup | None = None, *, progress: Callable[[float], None] | None = None
) -> Mailers:
    """Find the providers that take the mail of domains.

    Parameters
    ----------
    domains : sequence of str
        In lower case; the first ``how.domains`` are looked up.
    how : MxLookup, optional
    progress : callable, optional
        Told the share of the work that is done; may raise `Cancelled`.

    Raises
    ------
    PlannerError
        When dnspython is not installed.
    """
    how = how or MxLookup()
    wanted = list(dict.fromkeys(domains))[: how.domains]
    place = how.cache or _usual_place()
    kept = _fresh(place)
    known = {domain: kept[domain] for domain in wanted if domain in kept}
    missing = [domain for domain in wanted if domain not in known]
    answers = _asked(missing, how, progress or (lambda share: None)) if missing else {}
    found = {domain: hosts for domain, hosts in answers.items() if hosts is not None}
    _keep(found, place)
    hosts_of = known | found
    providers = {domain: name for domain, hosts in hosts_of.items() if (name := provider_of(hosts))}
    no_mail = tuple(domain for domain in wanted if hosts_of.get(domain) == ())
    return Mailers(providers, len(wanted), len(known), no_mail, len(missing) - len(found))


def provider_of(hosts: Iterable[str]) -> str | None:
    """Provider that the most preferred of these mail exchangers belongs to, if any does.

    Examples
    --------
    >>> provider_of(["mx1.example.net", "alt1.aspmx.l.google.com"])
    'google-workspace'
    """
    facts = catalogue()
    return next((name for host in hosts if (name := facts.provider_of_mx(host))), None)


# --- asking


def _asked(domains: list[str], how: MxLookup, progress: Callable[[float], None]) -> dict[str, Hosts | None]:
    """Hosts by domain; None where nobody answered."""
    resolver = how.resolver or _system_resolver()
    end = time.monotonic() + how.total_seconds
    answers: dict[str, Hosts | None] = {}

    def ask(domain: str) -> Hosts | None:
        left = min(how.timeout_seconds, end - time.monotonic())
        return _hosts(resolver, domain, left) if left > 0 else None

    pool = ThreadPoolExecutor(how.threads, thread_name_prefix="mx")
    try:
        for n, (domain, hosts) in enumerate(zip(domains, pool.map(ask, domains), strict=True), 1):
            answers[domain] = hosts
            progress(n / len(domains))
    finally:
        pool.shutdown(cancel_futures=True)  # nobody asks on after a cancel; what is under way soon times out
    return answers


def _system_resolver() -> Resolver:
    try:
        import dns.exception
        import dns.resolver
    except ImportError:
        remedy = "Install the extra: pip install 'warmup-planner[dns]'."
        raise PlannerError(f"Looking up mail exchangers needs dnspython, which is not installed. {remedy}") from None
    try:
        return dns.resolver.Resolver()
    except (dns.exception.DNSException, OSError) as error:
        raise PlannerError(
            f"This system names no DNS server ({type(error).__name__}). Go on without a look-up."
        ) from None


def _hosts(resolver: Resolver, domain: str, seconds: float) -> Hosts | None:
    """Mail exchangers, most preferred first; none where the domain takes no mail; None where nobody answers."""
    import dns.exception
    import dns.resolver

    try:
        answer = resolver.resolve(f"{domain}.", "MX", lifetime=seconds, search=False)
    except dns.resolver.NXDOMAIN:
        return ()
    except dns.resolver.NoAnswer:  # its address is its mail exchanger (RFC 5321, 5.1): one of its own
        return (domain,)
    except (dns.exception.DNSException, OSError, ValueError):  # silence, garbage, refusals: it stays unknown
        return None
    try:
        records = sorted((int(record.preference), str(record.exchange)) for record in answer)
    except (AttributeError, ValueError, UnicodeError):  # no MX records after all
        return None
    hosts = tuple(host.rstrip(".").lower() for _, host in records[:MAX_HOSTS])
    return () if hosts == ("",) else tuple(host for host in hosts if host)  # a lone dot: no mail (RFC 7505)


# --- remembering

_session: dict[Path, dict[str, tuple[str, Hosts]]] = {}
_lock = Lock()


def _usual_place() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("warmup-planner", appauthor=False) / "mx.json"


def _today() -> date:
    return datetime.now(UTC).date()


def _fresh(place: Path) -> dict[str, Hosts]:
    """Hosts by domain, as far as they are not too old; all of them of this session are."""
    oldest = (_today() - GOOD_FOR).isoformat()
    with _lock:
        known = _read(place) | _session.get(place, {})
    return {domain: hosts for domain, (day, hosts) in known.items() if oldest <= day <= _today().isoformat()}


def _keep(found: Mapping[str, Hosts], place: Path) -> None:
    if not found:
        return
    today = _today().isoformat()
    with _lock:
        session = _session.setdefault(place, {})
        session.update({domain: (today, hosts) for domain, hosts in found.items()})
        known = _read(place) | session  # another process may have written meanwhile
        newest = sorted(known.items(), key=lambda item: item[1][0])[-MAX_KEPT:]
        _write(place, dict(newest))


def _read(place: Path) -> dict[str, tuple[str, Hosts]]:
    """Read the file of answers; a damaged one holds none."""
    try:
        if place.stat().st_size > MAX_CACHE_BYTES:
            return {}
        stored = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):  # no file yet, or not what we wrote: ask again
        return {}
    if not isinstance(stored, dict) or stored.get("format") != FORMAT or not isinstance(stored.get("domains"), dict):
        return {}
    return {domain: (entry[0], tuple(entry[1])) for domain, entry in stored["domains"].items() if _whole_entry(entry)}


def _whole_entry(entry: object) -> bool:
    match entry:
        case [str(), [*hosts]]:
            return len(hosts) <= MAX_HOSTS and all(isinstance(host, str) for host in hosts)
    return False


def _write(place: Path, known: Mapping[str, tuple[str, Hosts]]) -> None:
    text = json.dumps({"format": FORMAT, "domains": known}, ensure_ascii=True)
    draft = place.with_name(f".{place.name}.{secrets.token_hex(4)}.tmp")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(text, encoding="utf-8")
        draft.replace(place)
    except OSError:  # a read-only home: the answers are known in this session only
        with suppress(OSError):
            draft.unlink(missing_ok=True)
