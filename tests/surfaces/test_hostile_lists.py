"""Whatever a stranger hands over as a list: bounded in time and memory, told in words, and nobody's name is kept."""

import gzip
import io
import json
import logging
import os
import random
import subprocess
import sys
import time
import traceback
import tracemalloc
from datetime import date
from pathlib import Path

import pytest

import planner as wp
from planner.inputs import listfile, tally
from planner.tables import csv_text

ROOT = Path(__file__).parents[2]
TODAY = date(2026, 11, 25)
GOOD = b"ann@gmail.com\n"

pytestmark = pytest.mark.alone
"""Every refusal is timed."""


def read(content, **options):
    return wp.read_audience(io.BytesIO(content), today=TODAY, **options)


def refused(content, **options):
    """Give the error: nothing else may come, and not later than two seconds."""
    begin = time.perf_counter()
    with pytest.raises(wp.InputError) as caught:
        read(content, **options)
    assert time.perf_counter() - begin < 2.0
    assert len(str(caught.value)) < 1000
    return str(caught.value)


def peak_of(action):
    tracemalloc.start()
    try:
        result = action()
        return result, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


class Zeros(io.RawIOBase):
    """A stream of so many equal bytes, made as they are read."""

    def __init__(self, n, byte=b"x", end=b""):
        self.left, self.byte, self.end = n, byte, end

    def read(self, size=-1):
        if self.left <= 0:
            out, self.end = self.end, b""
            return out
        size = min(size, self.left)
        self.left -= size
        return self.byte * size


# --- what is no list


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "holds no address"),
        (b"\n\n\r\n,,;\n", "no column of addresses or domains"),
        (b"\xef\xbb\xbf", "holds no address"),
        (b"secret\nperson\n", "no column of addresses or domains"),
        (b"email\nsecret\n", "holds no address: line 2 is none, for example"),
        (b"email,last_open\n", "holds no address"),
        (b"PK\x03\x04" + b"x" * 99, "is a zip or Excel file"),
        (b"%PDF-1.7", "is a PDF"),
        (bytes(random.Random(1).randbytes(300_000)), "no"),
        (b"\0" * 100_000, "no"),
        (gzip.compress(GOOD * 9)[:-9], "is cut off"),
        (gzip.compress(GOOD * 9)[:-8] + bytes(8), "is damaged"),
        (gzip.compress(GOOD) + b"secret", "is damaged"),
        (gzip.compress(b""), "holds no address"),
        (b"\xff\xfe", "holds no address"),
    ],
)
def test_what_is_no_list_is_told(content, says):
    text = refused(content)
    assert says in text
    assert "secret" not in text


def test_files_that_cannot_be_read(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere.csv", Path("/dev/zero")):
        with pytest.raises(wp.InputError, match="is no file") as caught:
            wp.read_audience(path)
        assert caught.value.file == str(path)
    text = tmp_path / "list.txt"
    text.write_bytes(GOOD)
    with text.open() as stream, pytest.raises(wp.InputError, match="opened as text"):
        wp.read_audience(stream)
    read_end, write_end = os.pipe()  # a stream without places, in pieces
    os.write(write_end, GOOD * 3)
    os.close(write_end)
    with os.fdopen(read_end, "rb", buffering=0) as stream:
        assert wp.read_audience(stream).rows == 3


# --- what would fill time or memory


def test_a_bomb_of_gzip_is_stopped(monkeypatch):
    monkeypatch.setattr(listfile, "HARMLESS_BYTES", 2_000_000)
    for row in (bytes(1000), b"a@b.example\n"):
        bomb = gzip.compress(row * (20_000_000 // len(row)), 9)
        with pytest.raises(wp.InputError, match="unpacks to more than 200 times its size"):
            read(bomb)


def test_a_bomb_of_gzip_is_never_unpacked_at_once():
    bomb = gzip.compress(bytes(90_000_000), 9)
    _, peak = peak_of(lambda: refused(bomb))
    assert peak < 20_000_000


def test_a_list_that_packs_well_is_no_bomb():
    assert read(gzip.compress(GOOD * 100_000, 9)).rows == 100_000


@pytest.mark.parametrize("byte", [b"x", b'"', b",", b"\0", b"\xff", b"@"])
def test_a_line_without_end_is_bounded(byte):
    stream = Zeros(100_000_000, byte, b"\nann@gmail.com\n")
    found, peak = peak_of(lambda: wp.read_audience(stream, today=TODAY))
    assert found.audience.providers == {"gmail": 1}
    assert found.problem_counts == {"line too long": 1}
    assert peak < 40_000_000


def test_lines_too_long_are_named_and_the_rest_is_read():
    text = GOOD + b"x" * 70_000 + b"@gmail.com\n" + GOOD + b"y" * 3_000_000
    found = read(text)
    assert found.problems.to_dict("records") == [{"line": n, "kind": "line too long"} for n in (2, 4)]
    assert found.audience.size == 2


@pytest.mark.parametrize(
    ("lines", "size", "stray"),
    [
        (["a@gmail.com,x", '"b@gmail.com,x', *["c@gmail.com,x"] * 300], 302, [2]),  # never closes
        (["a@gmail.com,x", 'b@gmail.com,"x', *["c@gmail.com,x"] * 300, '"d@gmail.com",x'], 303, [2]),  # closes far away
        (['a@gmail.com,5" disk', 'b@gmail.com,"5" disk"', "c@gmail.com,x"], 3, [2]),
        (['"a@gmail.com,x'] * 50, 50, list(range(1, 51))),
    ],
)
def test_stray_quotes_cost_their_own_line_at_most(lines, size, stray):
    text = ("email,note\n" + "\n".join(lines) + "\n").encode()
    found = read(text)
    assert (found.rows, found.audience.size) == (len(lines), size)
    assert [line - 1 for line, kind in found.problems.to_numpy() if kind == listfile.OPEN_QUOTE] == stray


@pytest.mark.parametrize(
    "line",
    [
        b'"' * 60_000,
        b"a@" + b"b." * 30_000,
        b"a" * 60_000 + b"@gmail.com",
        b"<" * 60_000 + b"a@gmail.com>",
        b"a@" + b"-" * 60_000,
        b" " * 60_000 + b"@",
        ("a@" + "ü" * 30_000 + ".com").encode(),
        b'""' + b'","' * 20_000,
        b"1/" * 30_000,
    ],
)
def test_no_line_takes_long(line):
    begin = time.process_time()
    read(b"email,last_open\n" + (line + b"\n" + b"x@gmail.com," + line + b"\n") * 20 + GOOD)
    assert time.process_time() - begin < 3


def test_nul_bytes_are_letters_that_no_address_has():
    found = read(b"email\na\0nn@gmail.com\nann@gm\0ail.com\n" + GOOD * 5)
    assert found.problems["line"].tolist() == [2, 3]
    assert found.audience.size == 5


def test_many_problems_are_counted_and_few_are_kept():
    found = read(b"email\n" + b"nobody\n" * 5000 + GOOD)
    assert found.problem_counts == {"no address": 5000}
    assert len(found.problems) == tally.MAX_LINES
    assert len(found.to_json()) < 5000


def test_domains_are_no_formulas():
    found = read(b"domain\n-1+2.example.com\n-cmd.example\n=1+1.example\n@sum.example\ngmail.com\n")
    table = csv_text(found.unmapped).splitlines()
    assert table[1:] == ["'-cmd.example,1", "sum.example,1"]
    assert found.problem_counts == {"no address": 2}
    assert read(b"domain\n-cmd.example\n", mapping={"'-cmd.example": "gmail"}).audience.providers == {"gmail": 1}


BIG = """
import re
from pathlib import Path
from planner.inputs.address_list import read_audience

class Rows:
    def __init__(self, blocks):
        self.left = blocks
    def read(self, size):
        self.left -= 1
        row = b"user%d@d%d.example,2026-0%d-1%d 10:%d\\n"
        some = range(20_000 * self.left, 20_000 * (self.left + 1)) if self.left >= 0 else ()
        return b"".join(row % (i, i % 400_000, 1 + i % 9, i % 9, i % 60) for i in some)

found = read_audience(Rows(50))
peak = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]
print(found.rows, len(found.other_domains), int(peak) // 1024)
"""


def test_a_million_rows_at_more_domains_than_are_told_apart_stay_below_300_mb(lacking):
    if not Path("/proc/self/status").exists():
        lacking("only Linux tells a process's largest memory there")
    command = [sys.executable, "-c", BIG]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, timeout=300)
    rows, domains, megabytes = map(int, done.stdout.split())
    assert (rows, domains) == (1_000_000, tally.MAX_DOMAINS)
    assert megabytes < 300


# --- nobody's name is kept

CANARY = "qzcanaryqz"
CANARIES = f"""\
{CANARY}0 header;{CANARY}x
{CANARY}1@gmail.com;2026-11-20
"{CANARY}2" <{CANARY}2@example.org>;2026-11-20
{CANARY}3;2026-11-20
{CANARY}4@example.org;{CANARY}
{CANARY}5@exa mple.org;2026-11-20
{CANARY}6@{CANARY.upper()}@example.org;
"{CANARY}7@example.net
{CANARY}8@bücher.example;2026-13-45
'{CANARY}9@example.com';31/31/2026
"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
def test_what_stands_before_the_at_is_nowhere(encoding, tmp_path, caplog, capfd):
    path = tmp_path / "list.csv"
    path.write_bytes(CANARIES.encode(encoding))
    caplog.set_level(logging.DEBUG)
    told = []
    found = wp.read_audience(path, progress=lambda share, text: told.append(text))
    assert found.audience.size >= 5
    kept = [
        repr(found),
        str(vars(found)),
        found.summary(),
        found.to_json(),
        found.to_frame().to_string(),
        found.problems.to_string(),
        found.unmapped.to_string(),
        json.dumps(found.audience.model_dump(mode="json")),
        *told,
        *capfd.readouterr(),
        caplog.text,
    ]
    assert CANARY not in "".join(kept).lower()
    others = [other.read_bytes() for other in tmp_path.rglob("*") if other.is_file() and other != path]
    assert not any(CANARY.encode() in other for other in others)


@pytest.mark.parametrize("column", [None, "E-Mail", "write to"])
def test_a_name_with_a_point_is_no_domain_among_addresses(column):
    text = f"{column or 'email'}\na@gmail.com\n{CANARY}.smith\n"
    found = read(text.encode(), column=column)
    assert found.audience.providers == {"gmail": 1}
    assert CANARY not in found.to_json()


@pytest.mark.parametrize(
    ("content", "options"),
    [
        (f"email\n{CANARY}\n", {}),
        (f"{CANARY}\n{CANARY} {CANARY}\n", {}),
        (f"{CANARY}\n", {"column": "email"}),
        (f"{CANARY};{CANARY}@gmail.com\n", {"column": "email"}),
        (f"a@gmail.com\n{CANARY}", {"mapping": {CANARY: "gmail"}}),
        (f"email\n{CANARY}\xff\n".encode("latin-1"), {}),
    ],
)
def test_errors_name_lines_and_never_their_text(content, options):
    with pytest.raises(wp.InputError) as caught:
        read(content if isinstance(content, bytes) else content.encode(), **options)
    shown = "".join(traceback.format_exception(caught.value))
    chain, error = [], caught.value
    while error is not None:
        chain.append(repr(error) + repr(error.args))
        error = error.__context__
    assert CANARY not in shown + "".join(chain)
