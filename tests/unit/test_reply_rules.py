"""The rules of data/replies hold what they promise, each by itself and all together."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from pathlib import Path

import pytest

import planner as wp
from benchmarks.diagnose import answers, replies
from planner.errors import InputError
from planner.replies.diagnosis import diagnosed, matcher_in_use, named_wait
from planner.replies.matching import Phrase, match, matcher, phrases_of
from planner.replies.reading import Said, Speaker, read
from planner.replies.rules import Rule, rulebook
from planner.vocabulary import ReplyCause

ROOT = Path(__file__).parents[2]
DISPUTED = 3
"""Labels of the second collection that the first one's conventions contradict."""
RULES = matcher_in_use().book.rules
PHRASES = [phrase for rule in RULES for phrase in phrases_of(rule)]
AMBIGUOUS = "451 4.7.1 Service unavailable - try again later"
"""Plesk greylists with these words, and iCloud is overloaded with them: no rule can tell which."""


def said_by(phrase: Phrase) -> Said:
    """The shortest reply that meets a wording and its conditions."""
    rule = phrase.rule
    code = next(iter(rule.code), None)
    enhanced = next(iter(rule.enhanced), None)
    if enhanced is not None and enhanced.count(".") == 1:
        enhanced = f"{(code or 5) // 100 if (code or 5) > 99 else code or 5}.{enhanced}"
    if code is not None and code < 10:
        code = 100 * code + 50
    words = phrase.words.replace("…", " , ").replace("<n>", "7")
    return Said(words, code, enhanced, Speaker.CLIENT if rule.client else Speaker.SERVER)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: " ".join(rule.says or rule.enhanced)[:60])
def test_a_rule_decides_about_its_own_example(rule: Rule):
    assert rule.example
    found = diagnosed(read(rule.example)[0], matcher_in_use())
    assert found.cause == rule.cause
    assert found.found is not None
    assert found.found.rule is rule
    assert rule.temporary in (None, found.temporary)
    assert found.provider == rule.provider or rule.provider is None


def test_no_wording_is_shadowed():
    shadowed = []
    for phrase in PHRASES:
        found = match(said_by(phrase), matcher_in_use())
        if found.rule is not phrase.rule:
            shadowed.append((phrase.words, found.words))
    assert shadowed == []


def test_no_wording_is_written_twice():
    seen: dict[tuple[object, ...], Rule] = {}
    for phrase in PHRASES:
        rule = phrase.rule
        key = (phrase.words.lower(), rule.code, rule.enhanced, rule.client)
        assert key not in seen, phrase.words
        seen[key] = rule


def test_every_published_reply_is_diagnosed_as_its_source_says():
    found = answers(matcher_in_use(), (reply for reply in replies() if reply.text != AMBIGUOUS))
    wrong = [
        (one.reply.text, one.reply.cause, one.diagnosis.cause)
        for one in found
        if not (one.cause_right and one.temporary_right)
    ]
    assert wrong == []
    assert [one.reply.text for one in found if one.provider_invented] == []


def test_the_second_collection_is_diagnosed_as_its_labels_say():
    with (ROOT / "benchmarks/replies_second.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found = [(row, wp.diagnose(row["text"])) for row in rows]
    wrong = [row["text"] for row, one in found if one.cause not in (row["cause"], *re.split(r"[;, ]+", row["also"]))]
    assert len(wrong) <= DISPUTED, wrong


def test_rules_have_a_source():
    assert [rule.says for rule in RULES if not rule.source] == []


def test_every_cause_has_advice():
    assert set(rulebook().advice) == set(ReplyCause)


# --- a person's own rules


def test_own_rules_are_added_to_ours(tmp_path, monkeypatch):
    folder = tmp_path / "replies"
    folder.mkdir()
    own = """\
name: Acme
provider: acme
rules:
- {says: the moon is full, cause: policy, source: us, example: 450 the moon is full}
"""
    (folder / "acme.yaml").write_text(own)
    monkeypatch.setenv("WARMUP_CATALOGUE", str(tmp_path))
    found = wp.diagnose("450 4.0.0 the moon is full tonight")
    assert (found.provider, found.cause, found.temporary) == ("acme", "policy", True)
    assert wp.diagnose("421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred").provider == "yahoo"


@pytest.mark.parametrize(
    ("text", "field", "line"),
    [
        ("rules:\n- {says: x y, cause: moon}\n", "rules[0].cause", 2),
        ("rules:\n- {cause: policy}\n", "says", 2),
        ("rules:\n- {says: '---', cause: policy}\n", "says", None),
        ("provider: No Such\nrules: []\n", "provider", 1),
        ("- 1\n", None, 1),
    ],
)
def test_a_wrong_rule_is_refused_with_its_place(tmp_path, text, field, line):
    folder = tmp_path / "replies"
    folder.mkdir()
    (folder / "own.yaml").write_text(text)
    with pytest.raises(InputError) as raised:
        matcher(rulebook(tmp_path))
    assert (raised.value.field or "").endswith(field or "")
    assert line is None or raised.value.line == line


# --- the words around a cause do not change it


@pytest.mark.parametrize("suffix", ["please try again in 5 minutes", "wait 300 seconds, see https://example.com/help"])
def test_a_named_wait_changes_no_cause(suffix):
    changed = []
    for rule in RULES:
        said = read(rule.example)[0]
        if rule.hint or not rule.says or said.speaker is not Speaker.SERVER:
            continue
        found = match(replace(said, text=f"{said.text} {suffix}"), matcher_in_use())
        if found.cause != rule.cause:
            changed.append((said.text, found.words))
    assert changed == []


def test_advice_is_made_of_whole_sentences():
    told = [text for rule in RULES for text in rule.do]
    assert [text for text in told if not (text[0].isupper() and text.endswith("."))] == []


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ("550 Service refused, please try again later", True),
        ("554 5.7.1 Temporarily refused for spam", True),
        ("550 Rejected for spam; please don't try again later", False),
        ("550 Permanently rejected for spam. Do not retry later", False),
        ("550 Rejected for spam; see our contemporary policy", False),
        ("550 5.1.1 User unknown; temporary alias expired", False),
        ("554 blocked using zen.spamhaus.org, try again later", False),
        ("550 too many messages this hour", True),
    ],
)
def test_a_5xx_passes_only_where_it_says_so(text, passes):
    assert wp.diagnose(text).temporary is passes


def test_a_code_alone_gives_no_advice_that_destroys():
    found = wp.diagnose("550 Intrusion prevention active")
    assert found.confidence == "low"
    assert found.tomorrow == "hold"
    assert not any("uppress" in text for text in found.do)
    assert "does not tell why" in found.meaning


@pytest.mark.parametrize(
    "text", ["220 mx.example.com ESMTP", "221 2.0.0 Bye", "235 2.7.0 OK", "334 VXNlcm5hbWU6", "354 End data with ."]
)
def test_a_step_of_a_session_is_no_refusal(text):
    found = wp.diagnose(text)
    assert found.kind == "accepted"
    assert "took the message" not in found.meaning


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("450 Greylisted for 5 minutes", 300),
        ("451 next try in 2 days", 172_800),
        ("450 4.7.1 rate limit exceeded; 500 messages within 1 hour allowed", None),
        ("421 timeout, waited for 300 seconds", None),
        ("450 too many messages in 1 hour", None),
        ("450 limit of 500 messages in 1 hour, try again later", None),
        ("421 connection closed after 300 seconds", None),
        ("451 We will accept this mail from you in 42 seconds", 42),
        ("450 wait 300 seconds before you retry", 300),
        ("421 IP temporarily blocked for 60 minutes", 3_600),
    ],
)
def test_only_an_instruction_names_a_wait(text, seconds):
    assert named_wait(text) == seconds


@pytest.mark.parametrize("text", [None, 421, ["421 try later"], bytearray(b"421")])
def test_what_is_no_text_is_refused_in_a_sentence(text):
    with pytest.raises(InputError, match="not text"):
        wp.diagnose(text)
