"""Reading YAML and JSON: values, lines, and files written whole or not at all."""

import os
import pickle
from datetime import date

import pytest

from planner.errors import InputError
from planner.inputs.yamlfile import parse, read, save_text


def value_of(text):
    return parse(f"x: {text}")[0]["x"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("-3", -3),
        ("010", 10),  # no octals
        ("1.5", 1.5),
        ("1e6", 1e6),
        (".5", 0.5),
        ("12.000", "12.000"),  # twelve, or twelve thousand? A field of whole numbers asks.
        ("12,000", "12,000"),
        ("1_000", "1_000"),
        ("22:00", "22:00"),  # no sexagesimals
        ("08:00-20:00", "08:00-20:00"),
        ("2026-11-25", date(2026, 11, 25)),
        ("2026-02-30", "2026-02-30"),
        ("'2026-11-25'", "2026-11-25"),
        ("yes", "yes"),
        ("no", "no"),
        ("true", True),
        ("null", None),
        ("", None),
        ("'12'", "12"),
        ("[a, 1]", ["a", 1]),
    ],
)
def test_scalars_mean_what_people_mean(text, value):
    found = value_of(text)
    assert found == value
    assert type(found) is type(value)


def test_keys_are_text():
    data, marks = parse("providers:\n  163: 5\n  no: 1\n")
    assert data == {"providers": {"163": 5, "no": 1}}
    assert marks["providers", "163"] == 2


def test_marks_tell_the_line_of_every_field():
    providers = "# a comment\naudience:\n  providers:\n    gmail: 1\n"
    text = providers + "  segments:\n    - name: a\n      share: 1\n    - name: b\n"
    marks = parse(text)[1]
    assert marks["audience", "providers", "gmail"] == 4
    assert marks["audience", "segments", 0, "share"] == 7
    assert marks["audience", "segments", 1] == 8


def test_json_with_tabs_and_escaped_pairs():
    data, marks = parse('{\n\t"name": "\\ud83d\\ude00 \\u00e9",\n\t"n": 1e3\n}', as_json=True)
    assert data == {"name": "😀 é", "n": 1000.0}
    assert marks["n",] == 3


def test_a_byte_order_mark_of_utf_8_is_fine(tmp_path):
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbfn: 1\r\nm: 2\r\n")
    assert read(tmp_path / "a.yaml")[0] == {"n": 1, "m": 2}


def test_save_replaces_whole_files_and_leaves_nothing_else(tmp_path):
    target = tmp_path / "a.yaml"
    target.write_text("old")
    save_text(target, "new é\n")
    assert target.read_text(encoding="utf-8") == "new é\n"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.yaml"]


def test_a_failed_save_keeps_the_old_file(tmp_path, monkeypatch):
    target = tmp_path / "a.yaml"
    target.write_text("old")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="No space left"):
        save_text(target, "new")
    assert target.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.yaml"]


def test_save_into_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be written"):
        save_text(tmp_path / "missing" / "a.yaml", "x")


def test_errors_survive_pickling():
    inner = InputError("two", file="a.yaml", line=2)
    error = InputError("one", file="a.yaml", line=1, field="x", others=[inner])
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert str(again) == str(error) == "a.yaml:1: one\na.yaml:2: two"
    assert (again.field, again.line, len(again.problems)) == ("x", 1, 2)
