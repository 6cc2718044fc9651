"""Speed and memory of reading logs: a synthetic Postfix log against a bare loop, pflogsumm, and 300 MB.

    python benchmarks/logs.py [GIGABYTES]

pflogsumm is measured where it is installed; GIGABYTES (10) are streamed from a generator, never written down.
"""

from __future__ import annotations

import io
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import planner as wp

ROOT = Path(__file__).parent.parent
MEGABYTE = 1_000_000
FILE = 200
MEMORY = 300
BARE = re.compile(
    rb"^(\w{3} [ \d]\d \d\d:\d\d:\d\d) \S+ (\S+)\[\d+\]: (\w+): to=<([^>]*)>, relay=([^,]*),.* dsn=([\d.]+), "
    rb"status=(\w+)"
)
"""What somebody would write who wants the deliveries of a log."""

START = datetime(2026, 11, 1)
_STAMP, _BLOCK = b"#STAMP#########", b"#BLK"
_HOSTS = {
    "gmail.com": "gmail-smtp-in.l.google.com[142.250.1.27]:25",
    "outlook.com": "outlook-com.olc.protection.outlook.com[52.101.1.1]:25",
    "yahoo.com": "mta5.am0.yahoodns.net[67.195.1.1]:25",
    "firm{n}.example": "mx.firm{n}.example[203.0.113.9]:25",
}
_RATE = (
    "421-4.7.28 [192.0.2.25      15] Our system has detected an unusual rate of 421-4.7.28 unsolicited mail "
    "originating from your IP address. To protect our 421 4.7.28 users review our Bulk Email Senders Guidelines. "
    "d9443c{n}a7336-1a2b3c4d5e6 - gsmtp"
)


def usual() -> Iterator[str]:
    """Lines of messages as they come: one in twelve is deferred once."""
    for n in range(1000):
        domain, host = (part.format(n=n) for part in list(_HOSTS.items())[n % 4])
        name, queue_id = f"user{n}@{domain}", f"#BLK{n:05X}"
        yield f"postfix/smtpd[{2000 + n}]: connect from app.example.com[10.0.0.4]"
        yield f"postfix/smtpd[{2000 + n}]: {queue_id}: client=app.example.com[10.0.0.4]"
        yield f"postfix/cleanup[1235]: {queue_id}: message-id=<{n}.#BLK@news.example.com>"
        yield f"postfix/qmgr[1100]: {queue_id}: from=<bounce-{n}@news.example.com>, size=48213, nrcpt=1 (queue active)"
        start = f"postfix/smtp[{3000 + n}]: {queue_id}: to=<{name}>, relay={host}"
        if n % 12 == 0:
            said = f"host {host[:-3]} said: {_RATE.format(n=n)} (in reply to end of DATA command)"
            yield f"{start}, delay=1.4, delays=0.03/0.01/0.6/0.8, dsn=4.7.28, status=deferred ({said})"
        delay = f"{n % 300 / 100:.2f}"
        yield f"{start}, delay={delay}, delays=0.03/0.01/0.6/0.8, dsn=2.0.0, status=sent (250 2.0.0 OK  {n}#BLK)"
        yield f"postfix/qmgr[1100]: {queue_id}: removed"
        yield f"postfix/smtpd[{2000 + n}]: disconnect from app.example.com[10.0.0.4] ehlo=1 mail=1 rcpt=1 commands=3"


def worst() -> Iterator[str]:
    """Nothing but deferrals, each of another message, none of them ever settled."""
    for n in range(3000):
        host = f"mx.f{n}.example[203.0.113.9]:25"
        yield (
            f"postfix/smtp[30]: #BLK{n:05X}: to=<user{n}@f{n}.example>, relay={host}, delay=1.4, "
            f"delays=0.03/0.01/0.6/0.8, dsn=4.3.2, status=deferred (host {host[:-3]} said: 451 4.3.2 Server #BLK busy)"
        )


class Stream(io.RawIOBase):
    """A log that is made while it is read: a block a minute, of other messages each."""

    def __init__(self, lines: Iterator[str], size: int) -> None:
        self._template = "".join(f"{_STAMP.decode()} mail {line}\n" for line in lines).encode()
        self._left, self._number = size, 0
        self._kept = b""

    def read(self, size: int = -1) -> bytes:
        """Give at most as many bytes as asked for."""
        while len(self._kept) < size and self._left > 0:
            at = START + timedelta(minutes=self._number)
            text = self._template.replace(_STAMP, at.strftime("%b %e %H:%M:%S").encode())
            text = text.replace(_BLOCK, b"%04X" % (self._number % 65_536))
            self._kept += text
            self._left -= len(text)
            self._number += 1
        piece, self._kept = self._kept[:size], self._kept[size:]
        return piece


def written(folder: Path, megabytes: int) -> Path:
    """A usual log in a file."""
    path = folder / "mail.log"
    stream = Stream(usual(), megabytes * MEGABYTE)
    with path.open("wb") as file:
        while piece := stream.read(MEGABYTE):
            file.write(piece)
    return path


def bare_loop(path: Path) -> int:
    """Deliveries that a regular expression finds line by line."""
    with path.open("rb") as file:
        return sum(BARE.match(line) is not None for line in file)


def seconds_of(call: object, *given: object) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    call(*given)  # type: ignore[operator]
    return time.perf_counter() - start


def in_turns(pflogsumm: Path, log: Path, *, times: int) -> tuple[float, float]:
    """Seconds of processor that pflogsumm and `read_log` take at best, one after the other."""
    theirs, ours = [], []
    for _ in range(times):
        theirs.append(processor_of(lambda: subprocess.run([pflogsumm, log], stdout=subprocess.DEVNULL, check=True)))
        ours.append(processor_of(lambda: wp.read_log(log, year=2026)))
    return min(theirs), min(ours)


def processor_of(call: Callable[[], object]) -> float:
    """Seconds of processor of one call and of the programs that it runs."""

    def spent() -> float:
        kept = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(one.ru_utime + one.ru_stime for one in kept)

    start = spent()
    call()
    return spent() - start


MEASURED = """
import sys, time
from pathlib import Path
from benchmarks.logs import MEGABYTE, Stream, usual, worst
import planner as wp
stream = Stream({"usual": usual, "worst": worst}[sys.argv[1]](), int(sys.argv[2]) * MEGABYTE)
start = time.perf_counter()
observed = wp.read_log(stream, format="postfix", year=2026)
seconds = time.perf_counter() - start
# of this program alone: ru_maxrss begins with what the one held that started it
held = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
print(int(held.split()[1]) // 1024, seconds, int(observed.attempts.sum()), observed.n_problems)
"""


def streamed(what: str, megabytes: int) -> tuple[int, float, int]:
    """Megabytes that a process held at most while it read a stream, its seconds, and the attempts that it found."""
    command = [sys.executable, "-c", MEASURED, what, str(megabytes)]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert told[3] == "0"
    return int(told[0]), float(told[1]), int(told[2])


def main() -> None:
    """Measure and print."""
    gigabytes = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder), FILE)
        wp.read_log(ROOT / "tests/fixtures/logs/postfix.log")  # the rules are read once in a process
        ours = min(seconds_of(wp.read_log, path) for _ in range(3))
        bare = min(seconds_of(bare_loop, path) for _ in range(3))
        print(
            f"{FILE} MB of Postfix: {ours:.2f} s, {FILE / ours:.0f} MB/s; {bare / ours:.2f} times a bare loop's speed"
        )
        program = shutil.which("pflogsumm")
        if program:
            theirs, ours = in_turns(Path(program), path, times=3)
            print(f"pflogsumm: {theirs:.2f} s of processor; read_log is {theirs / ours:.1f} times as fast")
    for what, size in (("usual", int(1000 * gigabytes)), ("worst", 1000)):
        held, took, attempts = streamed(what, size)
        print(f"{size:,} MB streamed ({what}): {took:.0f} s, {attempts:,} attempts, at most {held} MB of memory")


if __name__ == "__main__":
    main()
