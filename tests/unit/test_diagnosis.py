"""What follows from a reply: advice, waits, words, the verdict for tomorrow; and what many replies have in common."""

import io
import json
from collections.abc import Iterator
from datetime import date

import numpy as np
import pandas as pd
import pytest

import planner as wp
from planner import figures
from planner.replies.diagnosis import rulebook_in_use
from planner.resources import VARIABLE
from planner.ui.braking import braked
from planner.vocabulary import ReplyCause, Verdict

OWN = """\
name: Elephant Post
provider: elephant
escalate: https://post.example/senders
rules:
  - says: "[ELE1]"
    token: true
    cause: reputation
    means: "The elephants remember you."
    do: ["Feed them."]
    wait_seconds: 5400
    source: "The elephants' own page"
  - says: "trunk is full"
    cause: rate_limit
    escalate: "javascript:alert(1)"
  - says: "no passport"
    cause: authentication
  - says: "herd is asleep"
    cause: overload
  - says: "banned from the waterhole"
    cause: blocklist
"""
ELEPHANT = "421 4.7.0 [ELE1] Message from 192.0.2.1 deferred"


@pytest.fixture(scope="module", autouse=True)
def own_rules(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Rules whose words we know, over those of the project."""
    folder = tmp_path_factory.mktemp("catalogue")
    (folder / "replies").mkdir()
    (folder / "replies" / "elephant.yaml").write_text(OWN)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(folder))
        yield


# --- one reply


def test_a_reply_is_answered_in_words() -> None:
    found = wp.diagnose(ELEPHANT)
    assert (found.provider, found.code, found.enhanced) == ("elephant", 421, "4.7.0")
    assert (found.cause, found.temporary, found.confidence) == (ReplyCause.REPUTATION, True, "high")
    assert found.provider_name == "Elephant Post"
    assert found.do == ("Feed them.",)
    assert found.source == "The elephants' own page"
    assert found.escalate_page == "https://post.example/senders"
    assert found.tomorrow is Verdict.STEP_BACK
    said = found.summary()
    assert said.startswith("Temporary. The elephants remember you. Wait 90 minutes, send half")
    assert "Elephant Post's own key [ELE1] (confidence: high)" in said
    assert str(found) == said


def test_the_wait_that_a_reply_names_comes_before_the_rule_s() -> None:
    assert wp.diagnose(ELEPHANT).first_wait == 5_400
    named = wp.diagnose(f"{ELEPHANT}, try again in 3 hours")
    assert named.retry is not None
    assert set(named.retry.first_seconds.values()) == {10_800.0}
    assert named.retry_says.startswith("After 3 hours, then ")
    assert wp.diagnose(f"{ELEPHANT}, retry in 2 seconds").first_wait == 60


@pytest.mark.parametrize("cause", ReplyCause)
@pytest.mark.parametrize("seconds", [60.0, 172_800.0])
def test_every_cause_has_a_backoff_for_every_named_wait(cause: ReplyCause, seconds: float) -> None:
    policy = rulebook_in_use().advice[cause].policy(seconds)
    assert policy is None or set(policy.first_seconds.values()) == {seconds}


def test_what_is_permanent_is_not_retried() -> None:
    found = wp.diagnose("550 5.7.1 no passport")
    assert found.temporary is False
    assert found.retry is None
    assert found.retry_says.startswith("Do not retry")
    assert found.tomorrow is Verdict.STOP


def test_what_passes_after_a_5xx_must_be_queued_again() -> None:
    found = wp.diagnose("550 5.7.1 trunk is full")
    assert found.temporary is True
    assert found.retry is not None
    assert any("queue it again yourself" in note for note in found.notes)


def test_a_4xx_that_waiting_does_not_mend_says_so() -> None:
    found = wp.diagnose("451 4.7.1 no passport")
    assert "The same answer comes until it is repaired." in found.retry_says
    assert any("waiting alone will not help" in note for note in found.notes)


def test_a_recipient_unknown_for_now_gets_one_advice() -> None:
    found = wp.diagnose("450 4.1.1 <ann@example.com>: Recipient address rejected: user unknown")
    assert (found.cause, found.temporary, found.retry) == (ReplyCause.UNKNOWN_RECIPIENT, True, None)
    assert found.retry_says.startswith("Leave it to your mail server")
    assert found.next_step.startswith("Leave it to your mail server, go on")
    told = found.ticket().lower()
    assert not [words for words in ("do not retry", "at once and", "waiting alone") if words in told]
    assert wp.diagnose("550 5.1.1 user unknown").next_step.startswith("Do not retry")


def test_codes_that_disagree_are_named() -> None:
    assert any("421 and 5.7.1 disagree" in note for note in wp.diagnose("421 5.7.1 herd is asleep").notes)
    assert not wp.diagnose("421 4.7.1 herd is asleep").notes


def test_only_safe_pages_are_named() -> None:
    assert wp.diagnose("421 trunk is full").escalate_page == "https://post.example/senders"


def test_nothing_of_a_text_becomes_markup() -> None:
    shown = wp.diagnose(f"{ELEPHANT} <script>alert(1)</script> & co")._repr_html_()
    assert "<script" not in shown
    assert "alert(1)" in shown


def test_nobody_s_name_is_told() -> None:
    found = wp.diagnose(f"{ELEPHANT} for <jane.doe@example.com>, ask postmaster.bob@post.example")
    for told in (found.ticket(), found.to_json(), found._repr_html_(), repr(found), str(wp.diagnose_all(found.text))):
        assert "jane.doe" not in told
        assert "postmaster.bob" not in told
    assert "example.com" in found.ticket()


def test_json_holds_all_of_it() -> None:
    data = json.loads(wp.diagnose(ELEPHANT).to_json())
    assert (data["kind"], data["cause"], data["temporary"]) == ("diagnosis", "reputation", True)
    assert data["retry"]["growth"] >= 1
    assert data["tomorrow"] == "step_back"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no text"),
        ("hello world", "no reply code"),
        ("HTTP/1.1 421 Misdirected Request", "web server"),
    ],
)
def test_what_is_no_mail_reply_is_said_to_be_none(text: str, says: str) -> None:
    found = wp.diagnose(text)
    assert found.kind == "no reply"
    assert found.cause is found.temporary is found.tomorrow is found.retry is None
    assert says in found.summary()
    assert found.ticket()
    assert found.notes == ()


def test_one_s_own_side_is_told_apart() -> None:
    found = wp.diagnose("connect to mx.example.com[192.0.2.80]:25: Connection timed out")
    assert found.kind == "own side"
    assert found.notes[0].startswith("Your own side")


@pytest.mark.parametrize(
    ("event", "cause"),
    [
        (
            {
                "event": "failed",
                "recipient": "ann@example.com",
                "delivery-status": {"code": 605, "description": "Not delivering to previously bounced address"},
            },
            ReplyCause.UNKNOWN_RECIPIENT,
        ),
        (
            {
                "event": "failed",
                "recipient": "ann@example.com",
                "delivery-status": {"code": 498, "message": "No MX for example.com"},
            },
            ReplyCause.DNS,
        ),
        (
            {
                "notificationType": "Bounce",
                "bounce": {
                    "bounceType": "Permanent",
                    "bounceSubType": "Suppressed",
                    "bouncedRecipients": [{"emailAddress": "ann@example.com"}],
                },
                "mail": {},
            },
            ReplyCause.UNKNOWN_RECIPIENT,
        ),
        (
            {
                "notificationType": "Bounce",
                "bounce": {
                    "bounceType": "Permanent",
                    "bounceSubType": "OnAccountSuppressionList",
                    "bouncedRecipients": [{"emailAddress": "ann@example.com"}],
                },
                "mail": {},
            },
            ReplyCause.UNKNOWN_RECIPIENT,
        ),
        (
            {"email": "ann@example.com", "event": "dropped", "sg_event_id": "a", "reason": "Bounced Address"},
            ReplyCause.UNKNOWN_RECIPIENT,
        ),
        (
            {"email": "ann@example.com", "event": "dropped", "reason": "Bounced Address"},
            ReplyCause.UNKNOWN_RECIPIENT,
        ),
        (
            {"email": "ann@example.com", "event": "dropped", "sg_event_id": "a", "reason": "Invalid"},
            ReplyCause.UNKNOWN_RECIPIENT,
        ),
        (
            {"email": "ann@example.com", "event": "dropped", "sg_event_id": "a", "reason": "Spam Content"},
            ReplyCause.CONTENT,
        ),
        (
            {
                "type": "generation_rejection",
                "rcpt_to": "ann@example.com",
                "error_code": "554",
                "raw_reason": "554 5.7.1 recipient address suppressed due to customer policy",
            },
            ReplyCause.UNKNOWN_RECIPIENT,
        ),
        (
            {
                "RecordType": "Bounce",
                "Type": "ManuallyDeactivated",
                "Email": "ann@example.com",
                "Description": "The email has been deactivated.",
            },
            ReplyCause.UNKNOWN_RECIPIENT,
        ),
    ],
)
def test_what_a_service_did_not_even_send_no_provider_refused(event: dict[str, object], cause: ReplyCause) -> None:
    found = wp.diagnose(json.dumps(event))
    assert (found.kind, found.cause) == ("own side", cause)
    if cause != ReplyCause.DNS:
        assert found.temporary is False
        assert found.notes == ("Your own side said this, not the other server: the message never reached it.",)


def test_what_a_service_tells_of_a_server_is_a_refusal() -> None:
    status = {"code": 550, "message": "5.1.1 user unknown"}
    event = {"event": "failed", "recipient": "ann@example.com", "delivery-status": status}
    assert wp.diagnose(json.dumps(event)).kind == "refusal"
    event = {"email": "ann@example.com", "event": "bounce", "sg_event_id": "a", "reason": "550 5.1.1 user unknown"}
    assert wp.diagnose(json.dumps(event)).kind == "refusal"


def test_of_several_the_gravest_is_told() -> None:
    found = wp.diagnose(f"421 4.3.2 herd is asleep\n554 5.7.1 banned from the waterhole\n{ELEPHANT}\n250 2.0.0 Ok")
    assert found.cause is ReplyCause.BLOCKLIST
    assert found.notes[0].startswith("The text holds 4 different answers")


def test_a_text_that_was_cut_says_so() -> None:
    assert any("first part" in note for note in wp.diagnose(ELEPHANT + " la" * 1_000).notes)


# --- many


def test_equal_answers_are_counted_whatever_the_ip() -> None:
    texts = (f"421 4.7.0 [ELE1] Message from 192.0.2.{n} deferred" for n in range(200))
    found = wp.diagnose_all(texts)
    assert [one.count for one in found] == [200]
    assert next(texts, None) is None


def test_what_was_not_refused_is_counted_too() -> None:
    found = wp.diagnose_all([ELEPHANT, ELEPHANT, "250 2.0.0 Ok: queued as 4F1B2C", "hello", b"\xff\xfe\x00"])
    assert found.headline() == "2 refused by a server, 1 accepted, 2 no mail reply, 1 different answer."
    frame = found.to_frame()
    assert frame["count"].sum() == 5
    assert frame.loc[0, ["provider", "cause", "tomorrow"]].tolist() == ["elephant", "reputation", "step_back"]
    assert found[0].provider_name == "Elephant Post"


def test_a_long_text_is_read_in_blocks_of_whole_lines() -> None:
    lines = [ELEPHANT, "421 4.3.2 herd is asleep", "550 5.7.1 trunk is full"] * 6_000
    text = "\n".join(lines)
    assert len(text) > 500_000
    counts = {(one.cause, one.count) for one in wp.diagnose_all(text)}
    assert counts == {(cause, 6_000) for cause in ("reputation", "overload", "rate_limit")}
    assert {(one.cause, one.count) for one in wp.diagnose_all(text.encode())} == counts


def test_one_stray_reply_stops_no_ramp() -> None:
    stray = "554 5.7.1 banned from the waterhole"
    few = wp.diagnose_all([stray, *["421 4.3.2 herd is asleep"] * 20])
    assert few.verdicts == {"elephant": Verdict.STOP}
    assert few.tomorrow is Verdict.STOP
    gravest = few.gravest()
    assert gravest is not None
    assert gravest.cause is ReplyCause.BLOCKLIST
    many = wp.diagnose_all([stray, *["421 4.3.2 herd is asleep"] * 200])
    assert many.tomorrow is Verdict.GO_ON
    assert "Elephant Post: 201, mostly" in many.summary()


POSTFIX = "Jan 11 09:00:00 mx postfix/smtp[7]: 4F{n:04}: to=<ann@{domain}>, relay={relay}[192.0.2.7]:25, delay=1, dsn={dsn}, status={status} ({said})"  # noqa: E501
GMAIL_SAID = "host gmail-smtp-in.l.google.com[192.0.2.7] said: 550-5.7.26 This message is unauthenticated (in reply to end of DATA command)"  # noqa: E501


def log(taken: int, refused: int, domain: str = "gmail.com", relay: str = "gmail-smtp-in.l.google.com") -> str:
    """A log of mail that Gmail refused as unauthenticated, and of mail that a host took."""
    lines = [
        POSTFIX.format(n=n, domain=domain, relay=relay, dsn="2.0.0", status="sent", said="250 2.0.0 OK")
        for n in range(taken)
    ]
    gmail = {"domain": "gmail.com", "relay": "gmail-smtp-in.l.google.com", "dsn": "5.7.26", "status": "bounced"}
    return "\n".join([*lines, *(POSTFIX.format(n=n, said=GMAIL_SAID, **gmail) for n in range(refused))])


def test_accepted_mail_counts_for_its_provider_s_verdict() -> None:
    stray = wp.diagnose_all(log(9_999, 1))
    assert stray.verdicts == {"gmail": Verdict.GO_ON}
    assert stray.tomorrow is Verdict.GO_ON
    assert stray.gravest() is None
    assert "Tomorrow: go on" in stray.summary()
    assert (stray[0].kind, stray[0].provider, stray[0].count) == ("accepted", "gmail", 9_999)
    assert wp.diagnose_all(log(99, 1)).verdicts == {"gmail": Verdict.STOP}
    assert wp.diagnose_all(log(100, 1)).verdicts == {"gmail": Verdict.GO_ON}
    assert wp.diagnose_all(log(0, 1)).verdicts == {"gmail": Verdict.STOP}


def test_mail_that_another_provider_took_does_not_count() -> None:
    elsewhere = wp.diagnose_all(log(9_999, 1, domain="example.com", relay="mx.example.com"))
    assert elsewhere.verdicts == {"gmail": Verdict.STOP}
    by_domain = wp.diagnose_all(log(9_999, 1, relay="smarthost.example.com"))
    assert by_domain.verdicts == {"gmail": Verdict.GO_ON}


def test_refusals_in_many_wordings_count_together() -> None:
    found = wp.diagnose_all([f"550 5.7.1 nobody{'x' * n} knows" for n in range(150)])
    assert len(found) > 100
    assert found.verdicts == {"not told": Verdict.HOLD}
    assert found.gravest() is not None


def test_nothing_is_an_answer_too() -> None:
    found = wp.diagnose_all([])
    assert len(found) == 0
    assert found.tomorrow is found.gravest() is None
    assert found.summary() == "Nothing to diagnose."
    assert found.by_provider().empty
    assert found.to_frame().empty
    found.plot()


def test_a_pile_as_csv_holds_no_formula() -> None:
    pile = wp.diagnose_all(['=HYPERLINK("https://example.org") 550 mailbox full', "421 trunk is full"])
    frame = pile.to_frame()
    assert any(text.startswith("=") for text in frame["text"])
    read = pd.read_csv(io.StringIO(pile.to_csv()))
    assert list(read.columns) == list(frame.columns)
    assert list(read["text"]) == [text.replace("=HYPER", "'=HYPER") for text in frame["text"]]
    assert list(read["count"]) == [1, 1]


def test_a_pile_as_json_and_html() -> None:
    found = wp.diagnose_all([ELEPHANT, "421 trunk is full <b>now</b>"])
    data = json.loads(found.to_json())
    assert data["verdicts"] == {"elephant": "step_back"}
    assert len(data["answers"]) == 2
    assert "<b>" not in found._repr_html_()


def test_causes_are_drawn_by_how_often_they_were_met() -> None:
    frame = pd.DataFrame(
        {"provider": ["<a>", "b", "<a>"], "title": ["Rare", "Common", "Common"], "count": [1, 4, 5]},
    )
    figure = figures.pareto(frame)
    together = figure.data[-1]
    assert list(together.y) == ["Common", "Rare"]
    assert list(together.x) == [90.0, 100.0]
    assert {bar.name for bar in figure.data[:-1]} == {"&lt;a&gt;", "b"}
    assert list(figure.layout.yaxis.categoryarray) == ["Rare", "Common"]


# --- what it does to a plan

DAYS = tuple(date(2027, 1, day) for day in range(11, 17))


def schedule(*volumes: int) -> wp.Schedule:
    """A schedule of one provider, by day."""
    return wp.Schedule(("gmail",), ("all",), DAYS[: len(volumes)], np.array([[volumes]], dtype=float))


@pytest.mark.parametrize(
    ("today", "verdict", "cells"),
    [
        (date(2026, 11, 25), Verdict.HOLD, {DAYS[1]: 100, DAYS[3]: 200}),  # not begun: the second day as the first
        (date(2026, 11, 25), Verdict.STEP_BACK, {DAYS[1]: 50, DAYS[3]: 100}),
        (DAYS[0], Verdict.STOP, {DAYS[1]: 0, DAYS[3]: 200}),
        (DAYS[1], Verdict.HOLD, {DAYS[3]: 200}),  # a day without mail lies between
        (DAYS[1], Verdict.STEP_BACK, {DAYS[3]: 100}),
        (DAYS[1], Verdict.STOP, {DAYS[3]: 0}),
        (DAYS[2], Verdict.STOP, {DAYS[3]: 0}),
    ],
)
def test_tomorrow_follows_the_verdict(today: date, verdict: Verdict, cells: dict[date, int]) -> None:
    changed, said = braked(schedule(100, 200, 0, 400), today, {"gmail": verdict})
    assert changed == {"gmail": cells}
    assert len(said) == 1
    assert said[0].startswith("Gmail: ")
    assert ("the days after move back" in said[0]) == (len(cells) > 1)


@pytest.mark.parametrize(
    ("verdict", "ramp", "why", "by"),
    [
        (Verdict.HOLD, [400, 800, 1600], ", as many as on Wed 13 Jan", "a send day"),
        (Verdict.STEP_BACK, [200, 400, 800], ", half of those on Wed 13 Jan", "2 send days"),
        (Verdict.STOP, [0, 800, 1600], "", "a send day"),
    ],
)
def test_the_ramp_goes_on_from_the_changed_day(verdict: Verdict, ramp: list[int], why: str, by: str) -> None:
    changed, (said,) = braked(schedule(100, 200, 400, 800, 1600, 3200), DAYS[2], {"gmail": verdict})
    assert list(changed["gmail"].values()) == ramp
    rest = f"the days after move back by {by}; do it again tomorrow if it is not mended."
    assert said == f"Gmail: {ramp[0]} on Thu 14 Jan instead of 800{why}; {rest}"


def test_a_weak_day_is_not_where_a_ramp_goes_on_and_no_day_is_raised() -> None:
    changed, said = braked(schedule(100, 400, 50, 500, 900, 900), DAYS[3], {"gmail": Verdict.STEP_BACK})
    assert list(changed["gmail"].values()) == [250, 400]
    assert "none above its plan" not in said[0]
    changed, said = braked(schedule(100, 400, 800, 20, 900), DAYS[1], {"gmail": Verdict.STOP})
    assert changed["gmail"] == {DAYS[2]: 0, DAYS[4]: 20}
    assert "none above its plan" in said[0]


def test_never_more_than_planned_is_sent() -> None:
    changed, said = braked(schedule(200, 100, 100, 100), DAYS[0], {"gmail": Verdict.HOLD})
    assert changed == {}
    assert "anyway" in said[0]
    for today, volumes in ((DAYS[3], (1, 2, 3, 4)), (DAYS[0], (0, 0, 0, 0))):
        changed, said = braked(schedule(*volumes), today, {"gmail": Verdict.STOP})
        assert changed == {}
        assert "nothing is planned" in said[0]
