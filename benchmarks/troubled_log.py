"""A Postfix log of a warmup in trouble, made of a simulated run: the counts are the simulator's, the lines Postfix's.

    python benchmarks/troubled_log.py [FILE]

A bookshop with a new domain follows a published table blindly, one that its publisher gives to known domains only. The
simulator counts by day. Which message it was, and when within the day, is made up here so that the counts come out:
mail beyond the limit comes late in the day, retries lie evenly between a deferral and midnight.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from operator import itemgetter
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

import planner as wp
from planner.vocabulary import Cause

SENDER = wp.Sender.from_dict(
    {
        "name": "Bookshop",
        "audience": {"providers": {"gmail": 50, "yahoo": 30, "comcast": 20}},
        "target": {"volume": 10_000},
        "send_days": "weekdays",
        "n_ips": 1,
        "domain": "new",
        "start": "2026-09-07",
        "timezone": "America/New_York",
    }
)
TABLE = "owlat"
DAYS = 18
WORLD, WORLD_SEED, LUCK_SEED = 15, 20_261_126, 10
"""One world of the prior, taken for its troubles: limits at two providers, doubt, greylisting, blocks."""

_BROKEN = (6, 13)
"""Days after which somebody wrote a line of their own into the log."""

OWN = "news.bookshop.example"
IP = "192.0.2.25"
ACCEPTED, UNKNOWN_USER, BLOCKED = "accepted", "unknown user", "blocked"

DOMAINS = {
    "gmail": ("gmail.com", "gmail.com", "gmail.com", "googlemail.com"),
    "yahoo": ("yahoo.com", "yahoo.com", "aol.com", "ymail.com", "rocketmail.com"),
    "comcast": ("comcast.net",),
}
HOSTS = {
    "gmail": ("gmail-smtp-in.l.google.com[198.51.100.26]", "alt1.gmail-smtp-in.l.google.com[198.51.100.27]"),
    "yahoo": ("mta5.am0.yahoodns.net[198.51.100.41]", "mta6.am0.yahoodns.net[198.51.100.42]"),
    "comcast": ("mx1.comcast.net[198.51.100.61]", "mx2.comcast.net[198.51.100.62]"),
}

_GREYLISTED = "450 4.2.0 <{to}>: Recipient address rejected: Greylisted"
_GMAIL_DOUBT = (
    "421 4.7.28 Gmail has detected an unusual amount of unsolicited email originating from your IP address. To protect "
    "our users from spam, email sent from your IP address has been temporarily blocked. To review our bulk email "
    "senders guidelines, go to Email sender guidelines."
)
_GMAIL_BLOCK = (
    f"550-5.7.1 [{IP} 18] Our system has detected that this message is 550-5.7.1 likely suspicious due to the very low "
    "reputation of the sending IP 550-5.7.1 address. To best protect our users from spam, the message has been "
    "550-5.7.1 blocked. Please visit 550 5.7.1 https://support.google.com/mail/answer/188131 - gsmtp"
)
_TSS04 = (
    f"421 4.7.0 [TSS04] Messages from {IP} temporarily deferred due to unexpected volume or user complaints - "
    "4.16.55.1; see https://postmaster.yahooinc.com/error-codes"
)
_COMCAST = "https://postmaster.comcast.net/smtp-error-codes.php"
_THROTTLED = f"421 4.1.0 {IP} Throttled - try again later. Please see {_COMCAST}#RL000003"
REPLIES: dict[str, dict[str, str]] = {
    "gmail": {
        ACCEPTED: "250 2.0.0 OK  {number} d9443c01a7336-1a2b3c4d5e6si{number}ybh.1 - gsmtp",
        UNKNOWN_USER: (
            "550-5.1.1 The email account that you tried to reach does not exist. Please try 550-5.1.1 "
            "double-checking the recipient's email address for typos or 550-5.1.1 unnecessary spaces. For more "
            "information, go to 550 5.1.1 "
            "https://support.google.com/mail/?p=NoSuchUser - gsmtp"
        ),
        BLOCKED: _GMAIL_BLOCK,
        Cause.LIMIT: (
            "421-4.7.28 Gmail has detected an unusual rate of email originating from your IP 421-4.7.28 address. To "
            "protect our users from spam, email sent from your IP address has 421-4.7.28 been temporarily rate "
            "limited. To review our bulk email senders guidelines, 421 4.7.28 go to "
            "https://support.google.com/mail/?p=UnsolicitedRateLimitError - gsmtp"
        ),
        Cause.PENALTY: _GMAIL_DOUBT,
        Cause.GREYLISTING: _GREYLISTED,
        Cause.SYSTEM: "421 4.3.0 Temporary System Problem. Try again later. - gsmtp",
        Cause.STUCK: (
            "452 4.2.2 The recipient's inbox is out of storage space. Please direct the recipient to "
            "https://support.google.com/mail/?p=OverQuotaTemp - gsmtp"
        ),
        Cause.REPUTATION: _GMAIL_DOUBT,
        Cause.AUTHENTICATION: (
            "421 4.7.26 This email has been rate limited because it is unauthenticated. Gmail requires all senders to "
            "authenticate with either SPF or DKIM. - gsmtp"
        ),
    },
    "yahoo": {
        ACCEPTED: "250 ok dirdel",
        UNKNOWN_USER: "554 30 Sorry, your message to {to} cannot be delivered. This mailbox is disabled (554.30)",
        BLOCKED: "554 5.7.9 Message not accepted for policy reasons. See https://postmaster.yahooinc.com/error-codes",
        Cause.LIMIT: "421 4.7.1 : (DYN:T1) http://postmaster.info.aol.com/errors/421dynt1.html",
        Cause.PENALTY: _TSS04,
        Cause.GREYLISTING: _GREYLISTED,
        Cause.SYSTEM: "451 Resources temporarily not available - Please try again later",
        Cause.STUCK: "452 4.2.2 The email account is over quota",
        Cause.REPUTATION: _TSS04,
        Cause.AUTHENTICATION: "421 (DNS:NR) http://postmaster.info.aol.com/errors/421dnsnr.html",
    },
    "comcast": {
        ACCEPTED: "250 2.0.0 {number} mail accepted for delivery",
        UNKNOWN_USER: "550 5.1.1 <{to}>: Recipient address rejected: User unknown",
        BLOCKED: f"554 resimta-po-09v.sys.comcast.net comcast {IP} Comcast block for spam. See {_COMCAST}#BL000000",
        Cause.LIMIT: _THROTTLED,
        Cause.PENALTY: _THROTTLED,
        Cause.GREYLISTING: _GREYLISTED,
        Cause.SYSTEM: "421 4.3.2 resimta-po-09v.sys.comcast.net Service not available, closing transmission channel",
        Cause.STUCK: "452 4.2.2 Mailbox full",
        Cause.REPUTATION: f"421 4.7.0 {IP} temporarily deferred because of its low reputation",
        Cause.AUTHENTICATION: "421 - [Reverse DNS failure : Try again later]",
    },
}
"""What servers say, by cause, in wordings of data/replies. No provider says of a closed door that it is one."""

_CAUSES = tuple(Cause)
_LIMIT, _PENALTY, _STUCK = (_CAUSES.index(cause) for cause in (Cause.LIMIT, Cause.PENALTY, Cause.STUCK))
_ENDS = (ACCEPTED, UNKNOWN_USER, BLOCKED)
_OUTCOMES = (*_ENDS, *_CAUSES)
_N_ENDS = len(_ENDS)

_MIDNIGHT = 86_390.0
"""Second of the day after which nothing happens: every attempt is of the day that the simulator says."""

_LATE = 0.3
"""How far the mail that meets a limit is spread towards the morning, in days' mail."""

_REST = 300.0
"""Seconds from a deferral to the next attempt, at least."""

Line = tuple[float, str]
"""Second of the day, and what follows the stamp."""


def truth() -> wp.Beliefs:
    """Return the hidden world: one scenario."""
    return wp.draw(SENDER, WORLD + 1, WORLD_SEED).scenarios(WORLD, WORLD + 1)


def happened(luck: int = LUCK_SEED) -> wp.Forecast:
    """Return what became of the table in the hidden world, with nobody reacting."""
    table = wp.published(TABLE, SENDER, DAYS)
    return wp.simulate(SENDER, table, beliefs=truth(), seed=luck)


def write(path: Path, run: wp.Forecast | None = None, seed: int = 0) -> Path:
    """Write the log of a run's first scenario; the same seed writes the same bytes."""
    run = happened() if run is None else run
    traffic = [_Traffic(run, p, seed) for p in range(len(run.providers))]
    with path.open("w", encoding="ascii", newline="\n") as file:
        for d, day in enumerate(run.days):
            lines = [line for provider in traffic for line in provider.day(d)]
            lines += _inbound(d, np.random.default_rng([seed, d, len(traffic)]))
            lines.sort(key=itemgetter(0))
            midday = datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(run.sender.timezone))
            zone = midday.isoformat()[-6:]
            file.writelines(f"{day}T{_clock(second)}{zone} mx1 {text}\n" for second, text in lines)
            if d in _BROKEN:
                file.write("--- log rotated ---\n")
    return path


@dataclass
class _Message:
    """A message that waits."""

    number: int
    to: str
    since: float
    """Second of the whole log at which it was handed over."""
    tried: float
    stuck: bool


class _Traffic:
    """A provider's part of the log, day by day."""

    def __init__(self, run: wp.Forecast, p: int, seed: int) -> None:
        self._run, self._p, self._seed = run, p, seed
        self._name = run.providers[p]
        self._pace = np.cumsum(run.sender.pace())
        self._queue: list[_Message] = []
        self._number = 0

    def day(self, d: int) -> list[Line]:
        """Lines of a day, in no order but that of each message."""
        luck = np.random.default_rng([self._seed, d, self._p])
        first, later = self._divided(d, luck)
        lines: list[Line] = []
        self._send(d, first, luck, lines)
        self._try_again(d, later, luck, lines)
        assert len(self._queue) == self._count("queued", d)
        return lines

    def _count(self, name: str, d: int) -> int:
        return int(getattr(self._run, name)[0, self._p, d])

    def _divided(self, d: int, luck: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return what became of first attempts and of retries, each (outcomes,): the simulator adds most of it up."""
        count = partial(self._count, d=d)
        causes = self._run.deferred[0, self._p, d].astype(int)
        ends = np.array([count("delivered"), count("hard_bounced"), count("blocked")])
        deferred, trouble = count("first_4xx"), count("first_trouble")
        settled = len(self._queue) + deferred - count("expired") - count("queued")
        own = np.isin(np.arange(len(causes)), (_LIMIT, _PENALTY))
        at_limit = _within(trouble, deferred - causes[~own].sum(), min(deferred, causes[own].sum()))
        stuck_share = self._run.beliefs.parameter("stuck_share")[0, self._p]
        others = np.where(own, 0, causes)
        rest = deferred - at_limit
        stuck = _within(
            round(count("injected") * stuck_share), rest - others.sum() + others[_STUCK], min(rest, others[_STUCK])
        )
        by_cause = _part(luck, np.where(own, causes, 0), at_limit)
        by_cause += _part(luck, np.where(np.arange(len(causes)) == _STUCK, 0, others), rest - stuck)
        by_cause[_STUCK] += stuck
        passed = count("injected") - deferred
        blocked = _within(trouble - at_limit, ends[2] - settled, min(passed, ends[2]))
        first = np.array([*_part(luck, ends[:2], passed - blocked), blocked, *by_cause])
        return first, np.array([*ends, *causes]) - first

    def _send(self, d: int, first: np.ndarray, luck: np.random.Generator, lines: list[Line]) -> None:
        """First attempts: handed over at the sender's pace, what exceeds a limit late."""
        n = int(first.sum())
        by_slot = np.diff(np.floor(n * self._pace + 0.5), prepend=0.0).astype(int)
        slot = 86_400.0 / len(by_slot)
        handed = np.sort(np.repeat(np.arange(len(by_slot)) * slot, by_slot) + luck.random(n) * (slot - 5.0))
        taken, domains = 0.5 + 2.0 * luck.random(n), luck.integers(0, len(DOMAINS[self._name]), n)
        for k, outcome in enumerate(_in_order(first, luck)):
            self._number += 1
            to = f"r{self._number:06}@{DOMAINS[self._name][domains[k]]}"
            since, now = float(handed[k]), float(handed[k] + taken[k])
            queue_id = self._queue_id(self._number)
            lines.append((since, f"postfix/smtpd[2101]: {queue_id}: client=shop.bookshop.example[10.0.0.4]"))
            lines.append((since + 0.01, f"postfix/cleanup[2107]: {queue_id}: message-id=<{queue_id}@{OWN}>"))
            lines.append((since + 0.02, _active(queue_id)))
            message = _Message(self._number, to, 86_400.0 * d + since, now, _OUTCOMES[outcome] == Cause.STUCK)
            self._attempt(message, d, now, outcome, lines)
            if outcome >= _N_ENDS:
                self._queue.append(message)

    def _try_again(self, d: int, later: np.ndarray, luck: np.random.Generator, lines: list[Line]) -> None:
        """Retries: who has waited longest is settled first, full mailboxes never, if it can be helped."""
        noise = 43_200.0 * luck.random(len(self._queue))
        places = sorted(range(len(self._queue)), key=lambda i: (self._queue[i].stuck, self._queue[i].since + noise[i]))
        n_settled = int(later[:_N_ENDS].sum())
        ends = luck.permutation(np.repeat(np.arange(_N_ENDS), later[:_N_ENDS]))
        settled = {place: int(end) for place, end in zip(places[:n_settled], ends, strict=True)}
        left = sorted(places[n_settled:], key=lambda i: self._queue[i].since)
        expired = set(left[: self._count("expired", d)])
        deferred = self._deferrals(later[_N_ENDS:], expired, luck)
        for i, message in enumerate(self._queue):
            answers = [*deferred.get(i, ()), *([settled[i]] if i in settled else [])]
            begin = min(max(message.tried + _REST, 1.0), _MIDNIGHT - 60.0)
            times = begin + np.sort(luck.random(len(answers))) * (_MIDNIGHT - begin)
            for now, outcome in zip(times.tolist(), answers, strict=True):
                lines.append((now - 0.6, _active(self._queue_id(message.number))))
                self._attempt(message, d, now, outcome, lines)
            last = times[-1] if answers else _MIDNIGHT
            message.tried = float(last) - 86_400.0 if answers else -_REST
            if i in expired:
                queue_id = self._queue_id(message.number)
                text = f"postfix/qmgr[1100]: {queue_id}: from=<bounces@{OWN}>, status=expired, returned to sender"
                lines.append((last + 0.01, text))
                lines.extend(self._returned(message.number, last + 0.02))
        self._queue = [one for i, one in enumerate(self._queue) if i not in settled and i not in expired]

    def _deferrals(self, causes: np.ndarray, expired: set[int], luck: np.random.Generator) -> dict[int, list[int]]:
        """Share the day's deferred retries out: full mailboxes answer as such; what expires was tried a last time."""
        stuck = [i for i, message in enumerate(self._queue) if message.stuck]
        others = [i for i, message in enumerate(self._queue) if not message.stuck]
        shared: dict[int, list[int]] = {}
        for cause in luck.permutation(np.repeat(np.arange(len(causes)), causes)).tolist():
            among = (stuck or others) if cause == _STUCK else (others or stuck)
            untried = [i for i in among if i in expired and i not in shared] if expired else []
            chosen = untried[0] if untried else among[int(luck.integers(len(among)))]
            shared.setdefault(chosen, []).append(cause + _N_ENDS)
        return shared

    def _attempt(self, message: _Message, d: int, now: float, outcome: int, lines: list[Line]) -> None:
        queue_id, hosts = self._queue_id(message.number), HOSTS[self._name]
        host = hosts[message.number % len(hosts)]
        what = _OUTCOMES[outcome]
        said = REPLIES[self._name][what].format(to=message.to, number=message.number)
        status = "sent" if what == ACCEPTED else "bounced" if outcome < _N_ENDS else "deferred"
        whole = f"({said})" if what == ACCEPTED else f"(host {host} said: {said} (in reply to RCPT TO command))"
        delay = 86_400.0 * d + now - message.since
        agent = f"postfix/smtp[{3000 + message.number % 20}]"
        waited = f"delay={_short(delay)}, delays={_short(max(delay - 0.5, 0.0))}/0.01/0.2/0.3"
        end = f"dsn={_dsn(said, status)}, status={status} {whole}"
        lines.append((now, f"{agent}: {queue_id}: to=<{message.to}>, relay={host}:25, {waited}, {end}"))
        if status == "bounced":
            lines.extend(self._returned(message.number, now + 0.01))
        elif status == "sent":
            lines.append((now + 0.01, f"postfix/qmgr[1100]: {queue_id}: removed"))

    def _returned(self, number: int, at: float) -> Iterator[Line]:
        """Yield the lines of a notice to the sender, which stays on this machine."""
        queue_id, notice = self._queue_id(number), self._queue_id(number, notice=True)
        yield at, f"postfix/bounce[2120]: {queue_id}: sender non-delivery notification: {notice}"
        yield at, f"postfix/qmgr[1100]: {queue_id}: removed"
        yield at, f"postfix/qmgr[1100]: {notice}: from=<>, size=5210, nrcpt=1 (queue active)"
        yield at, _local(notice, f"bounces@{OWN}")
        yield at, f"postfix/qmgr[1100]: {notice}: removed"

    def _queue_id(self, number: int, *, notice: bool = False) -> str:
        """Name a message as Postfix might: the numbers 0, 1, 2 are scattered, and no two meet."""
        return f"{(number + (2 * self._p + notice) * 2**24) * 0x9E3779B1 % 2**40:010X}"


def _within(value: int, least: int, most: int) -> int:
    return int(min(max(value, least, 0), most))


def _part(luck: np.random.Generator, counts: np.ndarray, n: int) -> np.ndarray:
    """Take n of what was counted, at random."""
    return luck.multivariate_hypergeometric(counts, n)


def _in_order(first: np.ndarray, luck: np.random.Generator) -> np.ndarray:
    """Return the day's first attempts by outcome, the earliest first: a limit comes late, a closed door after it."""
    n = int(first.sum())
    late = np.isin(np.arange(len(first)), (_ENDS.index(BLOCKED), _N_ENDS + _LIMIT))
    closed = np.arange(len(first)) == _N_ENDS + _PENALTY
    kinds = np.arange(len(first))
    early = [luck.permutation(np.repeat(kinds, np.where(which, first, 0))) for which in (~late & ~closed, late, closed)]
    places = np.argsort(np.arange(n) / max(n, 1) + _LATE * luck.random(n))
    outcomes = np.zeros(n, dtype=int)
    outcomes[places] = np.concatenate(early)
    return outcomes


def _inbound(d: int, luck: np.random.Generator) -> Iterator[Line]:
    """Yield what else stands in a mail server's log: readers who answer, strangers who try to send through it."""
    for k in range(int(luck.integers(2, 6))):
        at = float(luck.uniform(0.0, _MIDNIGHT))
        queue_id = f"{(d * 8 + k) * 0x9E3779B1 % 2**36:09X}"
        client = "mail-yw1-f172.google.com[198.51.100.172]"
        yield at, f"postfix/smtpd[2102]: connect from {client}"
        yield at, f"postfix/smtpd[2102]: {queue_id}: client={client}"
        yield at, f"postfix/qmgr[1100]: {queue_id}: from=<r{d:06}@gmail.com>, size=3120, nrcpt=1 (queue active)"
        yield at, _local(queue_id, "hello@bookshop.example")
        yield at, f"postfix/qmgr[1100]: {queue_id}: removed"
    stranger = "unknown[203.0.113.77]"
    text = (
        "554 5.7.1 <r999999@gmail.com>: Relay access denied; from=<r0@example.org> to=<r999999@gmail.com> proto=ESMTP"
    )
    yield float(luck.uniform(0.0, _MIDNIGHT)), f"postfix/smtpd[2103]: NOQUEUE: reject: RCPT from {stranger}: {text}"


def _active(queue_id: str) -> str:
    return f"postfix/qmgr[1100]: {queue_id}: from=<bounces@{OWN}>, size=48213, nrcpt=1 (queue active)"


def _local(queue_id: str, to: str) -> str:
    return (
        f"postfix/local[2130]: {queue_id}: to=<{to}>, relay=local, delay=0.02, delays=0.01/0/0/0.01, dsn=2.0.0, "
        "status=sent (delivered to mailbox)"
    )


def _dsn(said: str, status: str) -> str:
    """Return the enhanced code of a reply, or the general one that Postfix writes in its place."""
    found = re.match(r"[245]\d\d[ -]([245]\.\d{1,3}\.\d{1,3})", said)
    return found[1] if found else {"sent": "2.0.0", "deferred": "4.0.0", "bounced": "5.0.0"}[status]


def _short(seconds: float) -> str:
    """Write a delay as Postfix does, with two digits, and never as a power."""
    return f"{seconds:.0f}" if seconds >= 10.0 else f"{seconds:.1f}"


def _clock(second: float) -> str:
    millionths = round(second * 1e6)
    minutes, rest = divmod(millionths, 60_000_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1_000_000:02}.{rest % 1_000_000:06}"


if __name__ == "__main__":
    print(write(Path(sys.argv[1] if len(sys.argv) > 1 else "troubled.log")))
