"""Whatever a stranger hands over as a sender file: one InputError that says where and what to do, at once."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from planner.errors import InputError
from planner.inputs.sender import Sender

pytestmark = pytest.mark.alone
"""Every refusal is timed."""

GOOD = """\
audience:
  providers: {gmail: 46, other: 54}
  segments:
    - {name: engaged, share: 30}
    - {name: rest, share: 70}
target:
  volume: 100000
send_days: daily
n_ips: 1
domain: used
start: 2027-01-11
"""


def refused(path):
    """Load the file and give the error: nothing else may come, and not later than two seconds."""
    begin = time.perf_counter()
    with pytest.raises(InputError) as caught:
        Sender.load(path)
    assert time.perf_counter() - begin < 2.0
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 4000
    assert str(caught.value).encode()  # can be printed anywhere
    return caught.value


def refused_text(tmp_path, text, name="newsletter.yaml"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return refused(path)


def test_the_file_that_all_others_spoil_is_good(tmp_path):
    path = tmp_path / "good.yaml"
    path.write_text(GOOD)
    assert Sender.load(path).n_ips == 1


# --- fields: (old text, new text, field, line, words of the message)

FIELDS = [
    # what is written
    ("volume: 100000", "volume: '12,O00'", "target.volume", 7,
     "'12,O00', not a whole number. Write digits only: 12000."),
    ("volume: 100000", "volume: 12,000", "target.volume", 7,
     "'12,000', not a whole number. Write digits only: 12000."),
    ("volume: 100000", "volume: 12.000", "target.volume", 7,
     "'12.000', not a whole number. Write digits only: 12000."),
    ("volume: 100000", "volume: 100k", "target.volume", 7, "Write digits only: 100000."),
    ("volume: 100000", "volume: 1.5", "target.volume", 7, "not a whole number. Write 1 or 2."),
    ("volume: 100000", "volume: a lot", "target.volume", 7, "'a lot', not a whole number"),
    ("volume: 100000", "volume: true", "target.volume", 7, "true, not a whole number"),
    ("volume: 100000", "volume:", "target.volume", 7, "target.volume is empty, not a whole number"),
    ("volume: 100000", "volume: [5]", "target.volume", 7, "[5], not a whole number"),
    ("volume: 100000", "volume: {gmail: x, other: 1}", "target.volume.gmail", 7, "'x', not a whole number"),
    ("volume: 100000", "volume: {gmial: 5}", "target.volume.gmial", 7, "Did you mean 'gmail'?"),
    # how large it is
    ("volume: 100000", "volume: -5", "target.volume", 7,
     "-5, which is too small. Write a number of at least 1."),
    ("volume: 100000", "volume: 0", "target.volume", 7, "at least 1"),
    ("volume: 100000", "volume: 5000000000", "target.volume", 7,
     "too large. Write a number of at most 1,000,000,000."),
    ("volume: 100000", "volume: " + "9" * 5000, "target.volume", 7, "a number of 5,000 digits"),
    ("volume: 100000", "volume: 1e999", "target.volume", 7, "not a finite number"),
    ("n_ips: 1", "n_ips: 0", "n_ips", 9, "at least 1"),
    ("n_ips: 1", "n_ips: 5000", "n_ips", 9, "at most 1,000"),
    ("gmail: 46", "gmail: -1", "audience.providers.gmail", 2, "too small. Write a number above 0."),
    ("gmail: 46", "gmail: 0", "audience.providers.gmail", 2, "above 0"),
    ("gmail: 46", "gmail: .nan", "audience.providers.gmail", 2, ".nan, not a finite number"),
    ("gmail: 46", "gmail: -.inf", "audience.providers.gmail", 2, "-.inf, not a finite number"),
    ("gmail: 46", "gmail: nan", "audience.providers.gmail", 2, "'nan', not a number"),
    ("gmail: 46", "gmail: 46 %", "audience.providers.gmail", 2, "Write digits only: 0.46."),
    ("gmail: 46", "gmail: '0,46'", "audience.providers.gmail", 2, "Write digits only: 0.46."),
    ("share: 30", "share: 30, complaint_rate: 0.5", "audience.segments[0].complaint_rate", 4, "at most 0.2"),
    ("share: 30", "share: 30, hard_bounce_rate: -0.1", "audience.segments[0].hard_bounce_rate", 4,
     "at least 0"),
    ("share: 70", "share: x", "audience.segments[1].share", 5, "'x', not a number"),
    ("n_ips: 1", "n_ips: 1\nrisk: 0", "risk", 10,
     "not a risk. Write balanced, or a number above 0 up to 0.5"),
    ("n_ips: 1", "n_ips: 1\nrisk: 0.6", "risk", 10, "0.6, not a risk"),
    ("n_ips: 1", "n_ips: 1\nrisk: brave", "risk", 10, "'brave', not a risk"),
    ("volume: 100000", "volume: 1\n  weekday_shape: {sat: 0}", "target.weekday_shape.sat", 8, "above 0"),
    ("volume: 100000", "volume: 1\n  weekday_shape: {sat: 1.5}", "target.weekday_shape.sat", 8, "at most 1"),
    ("volume: 100000", "volume: 1\n  weekday_shape: {sta: 1}", "target.weekday_shape.sta", 8,
     "Did you mean 'sat'?"),
    # names
    ("  volume:", "  volumn:", "target.volumn", 7,
     "Unknown field 'volumn' in target. Did you mean 'volume'?"),
    ("n_ips: 1", "n_ips: 1\nsend_day: mon", "send_day", 10, "Did you mean 'send_days'?"),
    ("name: engaged", "nmae: engaged", "audience.segments[0].nmae", 4, "Did you mean 'name'?"),
    ("gmail: 46", "gmial: 46", "audience.providers.gmial", 2,
     "audience.providers: Unknown provider 'gmial'. Did you mean 'gmail'?"),
    ("domain: used", "domain: old", "domain", 10, "'old', which is not one of: new, used."),
    ("send_days: daily", "send_days: dayly", "send_days", 8, "Did you mean 'daily'?"),
    ("send_days: daily", "send_days: [mon, teu]", "send_days", 8, "Did you mean 'tue'?"),
    ("send_days: daily", "send_days: []", "send_days", 8, "no set of weekdays"),
    ("send_days: daily", "send_days: 5", "send_days", 8, "no set of weekdays"),
    ("n_ips: 1", "n_ips: 1\noverflow: spred", "overflow", 10, "Did you mean 'spread'?"),
    ("n_ips: 1", "n_ips: 1\nauthentication: {spf: perhaps}", "authentication.spf", 10, "yes, no, unknown"),
    ("n_ips: 1", "n_ips: 1\nname: \"a\\x1b[31m\"", "name", 10, "control characters"),
    ("n_ips: 1", "n_ips: 1\nname: " + "x" * 5000, "name", 10, "at most 200 characters"),
    ("n_ips: 1", "n_ips: 1\n\"\\e[31m\": 1", None, 10, "Unknown field"),
    # days and hours
    ("2027-01-11", "2026-02-30", "start", 11, "February 2026 has 28 days"),
    ("2027-01-11", "2026-13-01", "start", 11, "there is no month 13"),
    ("2027-01-11", "11.01.2027", "start", 11, "Write year-month-day: 2027-01-11."),
    ("2027-01-11", "tomorrow", "start", 11, "Write year-month-day, for example"),
    ("2027-01-11", "20270111", "start", 11, "not a date"),
    ("2027-01-11", "1999-12-31", "start", 11, "outside the years 2000 to 2100"),
    ("2027-01-11", "9999-12-31", "start", 11, "outside the years 2000 to 2100"),
    ("2027-01-11", "0000-01-01", "start", 11, "outside the years 2000 to 2100"),
    ("2027-01-11", "2027-01-11 10:30", "start", 11, "not a date"),
    ("volume: 100000", "volume: 1\n  by: 2037-01-11", "target.by", 8, "more than 730 days after the start"),
    ("n_ips: 1", "n_ips: 1\nblackout: [2026-02-30]", "blackout[0]", 10, "February 2026 has 28 days"),
    ("n_ips: 1", "n_ips: 1\nblackout: [{from: 2027-01-01, to: 2037-01-01}]", "blackout[0]", 10,
     "longer than 730"),
    ("n_ips: 1", "n_ips: 1\nblackout: 2027-01-01", "blackout", 10, "not a list"),
    ("n_ips: 1", "n_ips: 1\ntimezone: Berlin", "timezone", 10, "Did you mean Europe/Berlin?"),
    ("n_ips: 1", "n_ips: 1\ntimezone: Europe/Berln", "timezone", 10, "Did you mean Europe/Berlin?"),
    ("n_ips: 1", "n_ips: 1\ntimezone: europe/berlin", "timezone", 10, "Did you mean Europe/Berlin?"),
    ("n_ips: 1", "n_ips: 1\ntimezone: ../../../etc/passwd", "timezone", 10, "which is no time zone"),
    ("n_ips: 1", "n_ips: 1\ntimezone: 2", "timezone", 10, "which is no time zone"),
    ("n_ips: 1", "n_ips: 1\nwindow: 8-20", "window", 10, "Write it as 08:00-20:00"),
    ("n_ips: 1", "n_ips: 1\nwindow: 08:00-25:00", "window", 10, "no clock shows"),
    ("n_ips: 1", "n_ips: 1\nwindow: 08:00-08:30", "window", 10, "shorter than an hour"),
    ("n_ips: 1", "n_ips: 1\nwindow: 08:00-08:00", "window", 10, "00:00-24:00 for the whole day"),
    # structure
    ("n_ips: 1\n", "", "n_ips", 1, "n_ips is missing (From how many IPs?). Add it, for example n_ips: 1."),
    ("  volume: 100000", "  per: day", "target.volume", 6, "target.volume is missing (Target volume)"),
    ("target:\n  volume: 100000", "target: 5", "target", 6,
     "not a group of fields. Write them indented below it: volume"),
    ("{gmail: 46, other: 54}", "[gmail, other]", "audience.providers", 2, "not a group of fields"),
    ("{gmail: 46, other: 54}", "{}", "audience.providers", 2, "audience.providers is empty"),
    ("n_ips: 1", "n_ips: 1\nn_ips: 2", "n_ips", 10, "n_ips is there twice, first in line 9"),
    ("gmail: 46", "gmail: 46, gmail: 2", "audience.providers.gmail", 2, "is there twice"),
    ("gmail: 46", "gmail: &a 46", "audience.providers.gmail", 2, "sets the anchor '&a'"),
    ("gmail: 46", "gmail: *a", "audience.providers.gmail", 2, "refers to '*a'"),
    ("n_ips: 1", "n_ips: !!python/object/apply:os.system [echo]", "n_ips", 9, "has the tag"),
    ("n_ips: 1", "n_ips: !env SECRET", "n_ips", 9, "has the tag"),
    ("n_ips: 1", "n_ips: 1\n<<: {a: 1}", "<<", 10, "Unknown field '<<'"),
    ("n_ips: 1", "n_ips: 1\n? [a, b]\n: 1", None, 10, "is a list or a group"),
    ("n_ips: 1", "n_ips: 1\nformat: 99", "format", 10, "this version reads format 1"),
    ("n_ips: 1", "n_ips: 1\nformat: {}", "format", 10, "this version reads format 1"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "field", "line", "says"), FIELDS, ids=lambda part: str(part)[:30])
def test_one_wrong_field(tmp_path, old, new, field, line, says):
    assert old in GOOD
    error = refused_text(tmp_path, GOOD.replace(old, new, 1))
    assert says in str(error)
    assert error.line == line
    assert str(error).startswith(f"{tmp_path}/newsletter.yaml:{line}: ")
    assert field is None or error.field == field
    assert "\x1b" not in str(error)


# --- whole files

FILES = {
    "empty": (b"", "is empty"),
    "only comments": (b"# nothing\n\n", "is empty"),
    "only null": (b"null\n", "is empty"),
    "a word": (b"hello\n", "not a group of fields"),
    "a list": (b"- 1\n- 2\n", "not a group of fields"),
    "two documents": (GOOD.encode() + b"---\na: 1\n", "second document"),
    "tabs": (b"audience:\n\tproviders: 1\n", "Indent with blanks"),
    "broken quotes": (b'name: "abc\nn_ips: 1\n', "cannot be understood"),
    "unbalanced": (b"a: [1, 2\nb: }\n", "cannot be understood"),
    "utf-16 with mark": (GOOD.encode("utf-16"), "is UTF-16"),
    "utf-16 without mark": (GOOD.encode("utf-16-le"), "is UTF-16"),
    "utf-16 big-endian": (GOOD.encode("utf-16-be"), "is UTF-16"),
    "utf-32": (GOOD.encode("utf-32"), "UTF-16"),
    "latin-1": ("name: Grüße\n".encode("latin-1"), "0xfc, which is not UTF-8"),
    "binary": (bytes(range(256)) * 20, "binary"),
    "a spreadsheet": (b"PK\x03\x04" + bytes(500), "spreadsheet"),
    "control characters": (b"name: a\x07b\n", "control character"),
    "deep lists": (b"a: " + b"[" * 5000 + b"]" * 5000, "nested deeper than 20"),
    "deep groups": (b"{a: " * 300 + b"1" + b"}" * 300, "nested deeper than 20"),
    "deep blocks": ("\n".join(" " * n + "a:" for n in range(500)).encode(), "nested deeper than 20"),
    "bombs of aliases": (b"a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "sets the anchor"),
    "half a megabyte of values": (b"a:\n" + b"- 1\n" * 120_000, "more than 50,000 values"),
    "a megabyte of keys": (b"".join(b"k%d: 1\n" % n for n in range(49_000 // 2)), "more problems"),
    "a very long line": (b"a: " + b"x" * 900_000, "Unknown field 'a'"),
    "a very long key": (b"x" * 900 + b": 1", "Unknown field"),
    "two megabytes": (b"# comment\n" * 200_000, "1 MB is the most"),
    "many brackets": (b"]" * 100_000, "cannot be understood"),
    "many colons": (b": " * 400_000, "."),
    "many quotes": (b"'" * 900_000, "."),
    "many dashes": (b"- " * 400_000, "."),
    "many question marks": (b"? " * 400_000, "."),
}


@pytest.mark.parametrize("name", FILES)
def test_one_wrong_file(tmp_path, name):
    content, says = FILES[name]
    assert says in str(refused_text(tmp_path, content))


JSON = {
    "nan": ('{"n_ips": NaN}', "not a finite number"),
    "infinity": ('{"n_ips": -Infinity}', "not a finite number"),
    "twice": ('{"n_ips": 1, "n_ips": 1}', "is there twice"),
    "cut off": ('{"n_ips": 1,', "cannot be understood"),
    "half a pair": ('{"name": "\\ud800"}', "."),
    "nul": ('{"name": "\\u0000"}', "control characters"),
    "deep": ("[" * 3000 + "]" * 3000, "nested deeper than 20"),
    "a string": ('"x"', "not a group of fields"),
}


@pytest.mark.parametrize("name", JSON)
def test_wrong_json(tmp_path, name):
    text, says = JSON[name]
    assert says in str(refused_text(tmp_path, text, "sender.json"))


# --- no file at all


def test_a_missing_file_suggests_its_neighbour(tmp_path):
    (tmp_path / "newsletter.yaml").write_text(GOOD)
    assert "Did you mean 'newsletter.yaml'?" in str(refused(tmp_path / "newsleter.yaml"))


def test_a_missing_folder(tmp_path):
    assert "no such file" in str(refused(tmp_path / "nowhere" / "a.yaml"))


def test_a_folder(tmp_path):
    folder = tmp_path / "a.yaml"
    folder.mkdir()
    assert "is a folder" in str(refused(folder))
    assert "is a folder" in str(refused(tmp_path))


def test_another_kind_of_file(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b\n")
    assert "ends in .yaml, .yml or .json" in str(refused(path))


def test_a_hundred_megabytes(tmp_path):
    path = tmp_path / "a.yaml"
    with path.open("wb") as stream:
        stream.truncate(100_000_000)
    assert "is 100.0 MB large" in str(refused(path))


def test_a_file_in_a_file(tmp_path):
    (tmp_path / "a").write_text("x")
    assert "cannot be read" in str(refused(tmp_path / "a" / "b.yaml"))


def test_a_name_that_is_too_long(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        Sender.load(tmp_path / ("x" * 5000 + ".yaml"))


def test_a_name_with_nul():
    with pytest.raises(InputError, match="is no file name"):
        Sender.load("a\0b.yaml")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_a_pipe_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "a.yaml")
    assert "no plain file" in str(refused(tmp_path / "a.yaml"))


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="this system has no /dev/zero")
def test_a_device_does_not_hang(tmp_path):
    (tmp_path / "a.yaml").symlink_to("/dev/zero")
    assert "no plain file" in str(refused(tmp_path / "a.yaml"))


def test_a_link_to_itself(tmp_path):
    (tmp_path / "a.yaml").symlink_to(tmp_path / "a.yaml")
    assert "cannot be read" in str(refused(tmp_path / "a.yaml"))


def test_no_permission(tmp_path, monkeypatch):
    path = tmp_path / "a.yaml"
    path.write_text(GOOD)

    def forbidden(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", forbidden)  # the superuser may read everything
    assert "may not be read by you" in str(refused(path))


# --- dicts, from screens and programs


class Odd:
    def __repr__(self):
        return "<odd>" * 1000


def cyclic():
    value = {}
    value["audience"] = value
    return value


def nested():
    value = 1
    for _ in range(5000):
        value = {"audience": value}
    return value


@pytest.mark.parametrize(
    "data",
    [
        None,
        5,
        "x",
        [],
        {},
        {1: 2},
        {"n_ips": 10**6000},
        {"n_ips": object()},
        {"audience": Odd()},
        {"audience": {"providers": {5: 5}}},
        {"audience": {"providers": {"\ud800": 5}}},
        {"\ud800": 5},
        {"start": float("nan")},
        {"start": 10**400},
        {"risk": 10**400},
        {"risk": [1]},
        {"window": b"x"},
        {"send_days": [["mon"]]},
        {"format": float("nan")},
        cyclic(),
        nested(),
    ],
    ids=lambda data: type(data).__name__,
)
def test_wrong_dicts(data):
    with pytest.raises(InputError) as caught:
        Sender.from_dict(data)
    assert len(str(caught.value)) < 4000
    assert str(caught.value).encode()


def test_text_that_was_uploaded():
    with pytest.raises(InputError, match=r"upload.yaml:9: n_ips is 0"):
        Sender.from_text(GOOD.replace("n_ips: 1", "n_ips: 0").encode(), "upload.yaml")


def test_text_without_a_name():
    with pytest.raises(InputError, match="The text is empty"):
        Sender.from_text("")
    with pytest.raises(InputError, match=r"The text is 2\.0 MB large"):
        Sender.from_text(bytes(2_000_000))


def test_nothing_is_run_by_a_tag(tmp_path):
    text = f"n_ips: !!python/object/apply:os.system ['touch {tmp_path}/ran']\n"
    refused_text(tmp_path, text)
    assert not (tmp_path / "ran").exists()


def test_light_import():
    heavy = {"pandas", "numba", "plotly", "scipy"}
    program = f"import sys, planner.inputs.schedule; assert not {heavy} & set(sys.modules)"
    root = Path(__file__).parents[2]
    subprocess.run([os.sys.executable, "-c", program], check=True, cwd=root)
