"""Laws of reading logs: whatever the bytes, however the files are cut."""

from __future__ import annotations

import gzip
import io
import math
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import planner as wp
from planner.observing.logs import reading
from planner.observing.logs.queue import Queue
from planner.observing.logs.replies import Replies
from planner.observing.logs.tally import N_DELAYS, delay_bin, delay_of

LOGS = Path(__file__).parents[1] / "fixtures" / "logs"
SYSLOG = ("postfix.log", "postfix-out.log", "exim.log", "sendmail.log")
LINED = (*SYSLOG, "qmail.log", "kumomta.jsonl", "ses.jsonl")
NAMES = (*LINED, "exchange.log", "powermta.csv", "sendgrid.json", "mailgun.json")
FORMATS = tuple(reading._FORMATS)
TEXTS = {name: (LOGS / name).read_bytes() for name in NAMES}

quick = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


def format_of(name: str) -> str:
    return name.split(".")[0].split("-")[0]


def totals(observed: wp.Observations) -> dict[str, dict[str, float]]:
    rows = observed.totals().set_index("provider").to_dict("index")
    return {name: {key: count for key, count in row.items() if not math.isnan(count)} for name, row in rows.items()}


@pytest.fixture(scope="module")
def whole() -> dict[str, dict[str, dict[str, float]]]:
    return {name: totals(wp.read_log(LOGS / name, timezone="UTC")) for name in NAMES}


@quick
@given(st.binary(max_size=3000), st.sampled_from(FORMATS))
def test_any_bytes_are_read_or_refused_in_words(data: bytes, name: str) -> None:
    try:
        observed = wp.read_log(io.BytesIO(data), format=name)
    except wp.PlannerError:
        return
    assert wp.Observations.from_json(observed.to_json()) == observed


@settings(max_examples=80)
@given(st.sampled_from(NAMES), st.data())
def test_damage_anywhere_breaks_nothing(name: str, data: st.DataObject) -> None:
    text = bytearray(TEXTS[name][: data.draw(st.integers(0, 12_000), "cut")])
    for _ in range(data.draw(st.integers(0, 8), "damages")):
        at = data.draw(st.integers(0, max(len(text) - 1, 0)), "at")
        text[at : at + data.draw(st.integers(0, 30), "gone")] = data.draw(st.binary(max_size=20), "instead")
    try:
        observed = wp.read_log(io.BytesIO(bytes(text)), format=format_of(name), timezone="UTC")
    except wp.PlannerError:
        return  # a stamp that was made to lie centuries away, or bytes that look like another kind of file
    assert "canary" not in observed.to_json()


@quick
@given(st.sampled_from(LINED), st.data())
def test_a_log_in_two_files_tells_what_it_tells_in_one(whole, tmp_path_factory, name: str, data: st.DataObject) -> None:
    lines = TEXTS[name].splitlines(keepends=True)
    at = data.draw(st.integers(1, len(lines) - 1), "at")
    folder = tmp_path_factory.mktemp("split")
    (folder / "mail.log.1").write_bytes(b"".join(lines[:at]))
    (folder / "mail.log").write_bytes(b"".join(lines[at:]))
    observed = wp.read_log(folder, format=format_of(name), timezone="UTC")
    assert observed.n_problems == 0
    assert totals(observed) == whole[name]
    shutil.rmtree(folder)


@quick
@given(st.sampled_from(LINED), st.permutations(range(4)), st.sets(st.integers(0, 3)), st.sets(st.integers(0, 3)))
def test_rotations_may_be_written_in_any_order_and_twice(
    whole, tmp_path_factory, name: str, order: list[int], packed: set[int], twice: set[int]
) -> None:
    lines = TEXTS[name].splitlines(keepends=True)
    size = len(lines) // 4 + 1
    folder = tmp_path_factory.mktemp("rotated")
    for i in order:  # the oldest has the highest number
        part, file = b"".join(lines[i * size : (i + 1) * size]), folder / f"mail.log.{4 - i}"
        if i in packed or i in twice:
            file.with_name(f"{file.name}.gz").write_bytes(gzip.compress(part))
        if i not in packed or i in twice:
            file.write_bytes(part)
    observed = wp.read_log(folder, format=format_of(name), timezone="UTC")
    assert totals(observed) == whole[name]
    shutil.rmtree(folder)


@quick
@given(st.sampled_from(NAMES), st.integers(64, 4000))
def test_pieces_of_any_size_tell_the_same(whole, name: str, size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("planner.observing.logs.blocks.SIZE", size)
        observed = wp.read_log(io.BytesIO(TEXTS[name]), format=format_of(name), timezone="UTC", year=2026)
    assert totals(observed) == whole[name]
    assert observed.n_problems == 0


@pytest.mark.parametrize("name", NAMES)
def test_every_message_has_one_first_attempt_and_one_end(whole, name: str) -> None:
    for provider, row in whole[name].items():
        if "attempts" in row:
            assert row["attempts"] == row["delivered"] + row["deferred"] + row["hard_bounced"] + row["blocked"]
        ends = row["delivered"] + row["hard_bounced"] + row["blocked"] + row["expired"]
        # messages to a host that is never there may be given up without having been tried once
        assert ends == row["sent"] or (provider == "other" and row["sent"] < ends <= row["sent"] + row["expired"])
        assert row["first_deferred"] <= min(row["deferred"], row["sent"])


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.sampled_from("dwse")), max_size=60), st.integers(1, 6)
)
def test_the_queue_agrees_with_a_plain_one_and_stays_small(steps: list[tuple[int, int, str]], most: int) -> None:
    queue, plain, tried = Queue(most), {}, set()
    for number, recipient, step in steps:
        message = f"message {number}"
        key = (message, recipient)
        if step == "d":
            assert queue.defer(message, recipient, 7) == (key not in tried) or queue.forgotten
            plain[key] = True
            tried.add(key)
        elif step == "w":
            queue.wait(message, recipient, 7)
            plain[key] = True
        elif step == "s":
            assert queue.settle(message, recipient) == (key not in tried) or queue.forgotten
            plain.pop(key, None)
            tried.discard(key)
        else:
            left = [one for one in plain if one[0] == message]
            assert queue.expire(message) == [7] * len(left) or queue.forgotten
            for one in left:
                del plain[one]
            tried = {one for one in tried if one[0] != message}
        assert len(queue.messages) <= most


@given(st.text(max_size=300))
def test_wordings_hold_no_address(text: str) -> None:
    assert "@" not in Replies().wording(text)


@given(st.floats(0, 1e9))
def test_delays_lie_in_their_bins(seconds: float) -> None:
    place = delay_bin(seconds)
    assert delay_of(place) <= seconds * (1 + 1e-9) + 1e-9
    assert place == N_DELAYS - 1 or seconds < delay_of(place + 1) * (1 + 1e-9) + 1e-9
