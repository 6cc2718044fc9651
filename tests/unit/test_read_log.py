"""Logs that programs wrote themselves, counted and compared with what the receiver knows; formats as documented."""

from __future__ import annotations

import gzip
import io
import json
import logging
import math
import os
import re
import shutil
import sys
from datetime import date, datetime
from pathlib import Path

import pytest

import planner as wp
from planner.observing.logs import reading
from planner.observing.logs.queue import Queue
from planner.observing.logs.recent import Recent
from planner.observing.logs.replies import Replies
from planner.observing.logs.sources import sources
from planner.observing.logs.stamps import Clock
from planner.observing.logs.tally import Tally

LOGS = Path(__file__).parents[1] / "fixtures" / "logs"
REAL = ("postfix", "postfix-out", "exim", "sendmail")
DOCUMENTED = {
    "qmail.log": {"complaints"},
    "exchange.log": {"complaints"},
    "powermta.csv": {"complaints"},
    "powermta-default.csv": {"complaints", "attempts", "deferred", "first_deferred", "deferred_by_cause"},
    "kumomta.jsonl": set(),
    "ses.jsonl": {"attempts"},
    "sendgrid.json": set(),
    "mailgun.json": set(),
}
ALL = sorted(
    path for path in LOGS.iterdir() if path.suffix in (".log", ".csv", ".json", ".jsonl") and "truth" not in path.name
)
PROVIDERS = {
    "gmail.com": "gmail",
    "outlook.com": "microsoft",
    "yahoo.com": "yahoo",
    "gmx.de": "gmx-webde",
    "example.org": "google-workspace",  # a company's own domain: its host tells
}
SIMULATED = {
    "rate_limit": "limit",
    "reputation": "reputation",
    "greylisting": "greylisting",
    "overload": "system",
    "network": "system",
    "mailbox_full": "stuck",
}
CANARY = "canary-7f3a9c"
SENDER = {
    "name": "Test",
    "audience": {"size": 1000, "providers": {"gmail": 0.6, "yahoo": 0.2, "other": 0.2}},
    "target": {"volume": 1000},
    "domain": "used",
    "n_ips": 1,
    "start": "2026-11-20",
    "send_days": "daily",
}


def truth(name: str) -> dict[str, dict]:
    return json.loads((LOGS / f"{name}.truth.json").read_text(encoding="utf-8"))


def text_of(name: str) -> str:
    return (LOGS / name).read_text(encoding="utf-8")


def read(text: str | bytes, **how: object) -> wp.Observations:
    data = text.encode() if isinstance(text, str) else text
    return wp.read_log(io.BytesIO(data), **how)


def counts(observed: wp.Observations, provider: str, day: date | None = None) -> dict[str, float]:
    frame = observed.to_frame()
    rows = frame[frame.provider == provider]
    if day is not None:
        rows = rows[rows.date.dt.date == day]
    return rows.drop(columns=["date", "provider"]).sum(min_count=1).to_dict()


def assert_told(found: dict[str, float], known: dict, unknown: set[str] = frozenset()) -> None:
    """Every count equals the true one, or is said to be unknown where it must be."""
    for name, count in known.items():
        if name in unknown:
            measures = [key for key in found if key.startswith("deferred_")] if name == "deferred_by_cause" else [name]
            assert all(math.isnan(found[measure]) for measure in measures), name
        elif name == "deferred_by_cause":
            causes = dict.fromkeys(SIMULATED.values(), 0)
            for cause, times in count.items():
                causes[SIMULATED[cause]] += times
            assert {cause: found[f"deferred_{cause}"] for cause in causes} == causes
        else:
            assert found[name] == count, name


def totals(observed: wp.Observations) -> dict[str, dict[str, float]]:
    """What is known, by provider."""
    rows = observed.totals().set_index("provider").to_dict("index")
    return {name: {key: count for key, count in row.items() if not math.isnan(count)} for name, row in rows.items()}


# --- what programs wrote, and what the receiver knows


@pytest.mark.parametrize("name", REAL)
def test_a_program_s_own_log_tells_what_the_receiver_saw(name: str) -> None:
    observed, known = wp.read_log(LOGS / f"{name}.log"), truth(name)
    for domain, provider in PROVIDERS.items():
        assert_told(counts(observed, provider), known[domain])
    # under other: a domain that nobody lists, and one whose host nobody answers at
    other, listed = counts(observed, "other"), known["example.net"]
    for measure in ("delivered", "hard_bounced", "blocked"):
        assert other[measure] == listed[measure]
    assert other["expired"] == listed["expired"] + len(
        set(re.findall(r"away-(\d+)@example\.edu", text_of(f"{name}.log")))
    )
    assert other["deferred_greylisting"] == listed["deferred_by_cause"]["greylisting"]
    assert observed.n_problems == 0


@pytest.mark.parametrize("name", DOCUMENTED)
def test_a_documented_format_tells_what_happened_day_by_day(name: str) -> None:
    observed, known = wp.read_log(LOGS / name, timezone="UTC"), truth(Path(name).stem)
    assert observed.days == (date(2026, 11, 24), date(2026, 11, 25))
    for domain in known:
        for day in observed.days:
            found = counts(observed, PROVIDERS[domain], day)
            assert_told(found, known[domain][day.isoformat()], DOCUMENTED[name])
    assert observed.n_problems == 0


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_the_format_is_found_and_can_be_named(path: Path) -> None:
    study = wp.study_log(path, timezone="UTC")
    assert study.formats == (path.name.split(".")[0].split("-")[0],)
    assert study.observations.notes[0].endswith(f": {path.name}.")
    assert wp.read_log(path, format=study.formats[0], timezone="UTC") == study.observations


def test_another_format_finds_nothing_and_says_so() -> None:
    for name, one in reading._FORMATS.items():
        for path in ALL:
            if not path.name.startswith(name):
                with pytest.raises(wp.InputError, match=f"No line of it looks like {one.title}"):
                    wp.read_log(path, format=name)


def test_a_format_that_is_named_is_taken_where_nothing_was_sent() -> None:
    observed = read("Nov 25 10:00:00 mail postfix/qmgr[9]: AAA: removed\n", format="postfix")
    assert observed.days == ()


# --- days, zones, years


def in_rfc3339(text: str, offset: str = "+01:00", fraction: str = ".123456") -> str:
    def stamp(found: re.Match[str]) -> str:
        at = datetime.strptime(f"2026 {found[0]}", "%Y %b %d %H:%M:%S")
        return at.isoformat() + fraction + offset

    return re.sub(r"^\w{3} [ \d]\d \d\d:\d\d:\d\d", stamp, text, flags=re.MULTILINE)


@pytest.mark.parametrize(("offset", "fraction"), [("+01:00", ".123456"), ("Z", ""), ("-0330", "")])
@pytest.mark.parametrize("name", ["postfix.log", "sendmail.log"])
def test_rfc_3339_stamps_tell_the_same(name: str, offset: str, fraction: str) -> None:
    classic = wp.read_log(LOGS / name, year=2026)
    modern = read(in_rfc3339(text_of(name), offset, fraction))
    assert totals(modern) == totals(classic)


def test_days_begin_at_the_sender_s_midnight() -> None:
    sender = wp.Sender.model_validate(SENDER | {"timezone": "Asia/Tokyo"})
    text = in_rfc3339(text_of("postfix.log"), "+00:00")  # half past nine in the evening in UTC
    assert read(text).days == (date(2026, 11, 25),)
    assert read(text, sender=sender).days == (date(2026, 11, 26),)
    # a stamp without a zone is in the sender's, unless somebody says where it was written
    assert wp.read_log(LOGS / "postfix.log", sender).days == (date(2026, 11, 25),)
    assert wp.read_log(LOGS / "postfix.log", sender, timezone="UTC").days == (date(2026, 11, 26),)


def test_hours_that_are_cut_by_midnight_elsewhere() -> None:
    text = "".join(
        f"Nov 25 05:{minute}:00 mail postfix/smtp[1]: A{minute}: to=<a@gmail.com>, relay=mx[142.250.1.27]:25, "
        f"delay=1, delays=0/0/0/0, dsn=2.0.0, status=sent (250 OK)\n"
        for minute in (10, 29, 31, 50)
    )
    sender = wp.Sender.model_validate(SENDER | {"timezone": "UTC"})
    observed = read(text, sender=sender, timezone="Asia/Kolkata", year=2026)  # half past five there is midnight in UTC
    assert observed.days == (date(2026, 11, 24), date(2026, 11, 25))
    assert observed.delivered[observed.providers.index("gmail")].tolist() == [2.0, 2.0]


def test_what_the_sender_does_not_mail_counts_as_other() -> None:
    sender = wp.Sender.model_validate(SENDER)
    observed, everybody = wp.read_log(LOGS / "postfix.log", sender), wp.read_log(LOGS / "postfix.log")
    assert set(observed.providers) == {"gmail", "yahoo", "other"}
    assert totals(observed)["gmail"] == totals(everybody)["gmail"]
    assert wp.read_log(LOGS / "postfix.log", sender).for_sender(sender).sent[:, -1].min() > 0
    only_gmail = "".join(line for line in text_of("postfix.log").splitlines(keepends=True) if "gmail.com" in line)
    assert totals(read(only_gmail, sender=sender))["yahoo"]["sent"] == 0  # which is known, since the log was read
    assert observed.delivered.sum() == everybody.delivered.sum()


def over_new_year(text: str) -> str:
    """Two halves: the last evening of December, and the first morning of January."""
    lines = text.splitlines(keepends=True)
    half = len(lines) // 2
    return "".join(
        re.sub(r"^\w{3} [ \d]\d \d\d", "Dec 31 23" if n < half else "Jan  1 00", line) for n, line in enumerate(lines)
    )


def test_the_year_turns_with_the_log(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    log.write_text(over_new_year(text_of("postfix.log")), encoding="utf-8")
    os.utime(log, (datetime(2025, 1, 3).timestamp(),) * 2)
    observed = wp.read_log(log)
    assert observed.days == (date(2024, 12, 31), date(2025, 1, 1))
    assert "2024" in " ".join(observed.notes)
    assert wp.read_log(log, year=2019).days == (date(2019, 12, 31), date(2020, 1, 1))
    whole = wp.read_log(LOGS / "postfix.log")
    assert observed.delivered.sum() == whole.delivered.sum()
    assert observed.expired.sum() == whole.expired.sum()


def test_lines_out_of_order_around_new_year_stay_in_their_years() -> None:
    clock = Clock(None, None)
    clock.begin(2026, datetime(2027, 1, 2))
    stamps = [b"Dec 31 23:59:59", b"Jan  1 00:00:00", b"Dec 31 23:59:59", b"Jan  1 00:00:01"]
    days = [datetime.fromordinal(719163 + clock.classic_second(stamp) // 86_400).year for stamp in stamps]
    assert days == [2026, 2027, 2026, 2027]


# --- who is mailed


@pytest.mark.parametrize("mask", ["<hidden>", "<>", "<***>", ""])
def test_the_host_tells_where_recipients_are_hidden(mask: str) -> None:
    hidden = re.sub(r" to=<[^>]*>", f" to={mask}", text_of("postfix-out.log"))
    observed, known = read(hidden), truth("postfix-out")
    for provider, domains in {"microsoft": ["outlook.com"], "yahoo": ["yahoo.com"], "gmx-webde": ["gmx.de"]}.items():
        assert counts(observed, provider)["delivered"] == sum(known[domain]["delivered"] for domain in domains)


def test_hops_within_the_own_machines_are_no_attempts() -> None:
    known = truth("postfix")
    study = wp.study_log(LOGS / "postfix.log")
    assert sum(known[domain]["attempts"] for domain in PROVIDERS) == sum(
        counts(study.observations, provider)["attempts"] for provider in PROVIDERS.values()
    )
    text = text_of("postfix-out.log").replace("[198.51.100.11]", "[10.1.2.3]")  # a relay in the own network
    assert "gmail" not in read(text).providers


def test_a_relay_that_passes_mail_on_is_pointed_out() -> None:
    text = re.sub(r"relay=[\w.-]+\[198", "relay=smtp.relay.example[198", text_of("postfix-out.log"))
    assert any(note.startswith("smtp.relay.example takes mail for several") for note in read(text).notes)
    assert not any("several providers" in note for note in wp.read_log(LOGS / "postfix-out.log").notes)


INBOUND = (
    "smtpd[11]: connect from mail-sor-f41.google.com[209.85.220.41]",
    "smtpd[11]: 1A2B3C: client=mail-sor-f41.google.com[209.85.220.41]",
    (
        "smtpd[11]: NOQUEUE: reject: RCPT from x[192.0.2.9]: 550 5.1.1 <a@gmail.com>: no; from=<b@gmail.com> "
        "to=<a@gmail.com> proto=ESMTP"
    ),
    (
        "lmtp[12]: 1A2B3C: to=<a@gmail.com>, relay=mail.example.com[private/dovecot-lmtp], delay=1, delays=1/0/0/0, "
        "dsn=2.0.0, status=sent (250 OK)"
    ),
    "virtual[13]: 1A2B3D: to=<a@gmail.com>, relay=virtual, delay=1, delays=1/0/0/0, dsn=2.0.0, status=sent (delivered)",
    (
        "smtp[14]: 1A2B3E: to=<a@gmail.com>, relay=127.0.0.1[127.0.0.1]:10024, delay=1, delays=1/0/0/0, dsn=2.0.0, "
        "status=sent (250 OK)"
    ),
    (
        "cleanup[15]: 1A2B3F: warning: header Subject: x/smtp[1]: F: to=<a@gmail.com>, relay=x[142.250.1.27]:25, "
        "delay=1, dsn=2.0.0, status=sent (250) from x; from=<b@gmail.com>"
    ),
    "dovecot/imap[16]: Login: user=<a@gmail.com>",
)


def test_mail_that_comes_in_is_not_mistaken_for_mail_that_goes_out() -> None:
    observed = read("".join(f"Nov 25 10:00:00 mail postfix/{line}\n" for line in INBOUND))
    assert observed.days == ()
    assert observed.n_problems == 0


def postfix_line(second: int, message: str, address: str, delay: str, how: str) -> str:
    minute, rest = divmod(second, 60)
    return (
        f"Nov 25 10:{minute:02d}:{rest:02d} mail postfix/smtp[1]: {message}: to=<{address}>, "
        f"relay=gmail-smtp-in.l.google.com[142.250.1.27]:25, delay={delay}, delays=0/0/0/0, dsn=2.0.0, status={how}\n"
    )


def test_what_was_queued_before_the_log_begins_is_tried_again() -> None:
    text = postfix_line(0, "AAA", "a@gmail.com", "5000", "sent (250 OK)")  # waited before the first line
    text += postfix_line(1, "BBB", "b@gmail.com", "0.5", "sent (250 OK)")
    text += postfix_line(900, "CCC", "c@gmail.com", "700", "sent (250 OK)")  # slow, but it came in while we watched
    found = counts(read(text), "gmail")
    assert (found["attempts"], found["sent"], found["delivered"]) == (3, 2, 3)


@pytest.mark.parametrize(
    "fields",
    [
        "relay=mx.google.com[142.250.1.27], delay=3, status=sent (250 OK)",
        "relay=mx.google.com[142.250.1.27]:25, conn_use=4, delay=3, delays=0/0/1/2, dsn=2.0.0, status=sent (250 OK)",
        "relay=mx.google.com[2a00:1450:4001::1b]:25, delay=3, delays=0/0/1/2, tls=none, dsn=2.0.0, status=sent (250)",
        "orig_to=<all@example.com>, relay=mx.google.com[142.250.1.27]:25, delay=3, delays=0/0/1/2, status=sent (250)",
    ],
)
@pytest.mark.parametrize("address", ["a@gmail.com", '"a, b>c"@gmail.com', "a+b=c@GMail.com"])
def test_postfix_old_and_new(fields: str, address: str) -> None:
    observed = read(f"Nov 25 10:00:00 mail postfix-slow/smtp[1]: AAA: to=<{address}>, {fields}\n")
    assert counts(observed, "gmail")["delivered"] == 1
    assert observed.n_problems == 0


EXIM = (
    '=> a@gmail.com R=dnslookup T=remote_smtp H=mx.google.com [142.250.1.27]:25 X=TLS1.3 CV=yes K C="250 OK" QT=3s',
    "=> a@gmail.com <list@example.com> F=<b@example.com> R=dnslookup T=remote_smtp H=mx [142.250.1.27]",
    '-> a@gmail.com R=dnslookup T=remote_smtp H=[142.250.1.27] C="250 OK"',
    '=> "a b"@gmail.com R=dnslookup T=remote_smtp H=mx.google.com [142.250.1.27]',
)


@pytest.mark.parametrize("event", EXIM)
@pytest.mark.parametrize("start", ["", "+0100 ", "[123] "])
@pytest.mark.parametrize("message", ["1oIC2q-0006b8-1X", "1wN9t2-00000002BQv-3hr9"])
def test_exim_old_and_new(event: str, start: str, message: str) -> None:
    observed = read(f"2026-11-25 10:00:00 {start}{message} {event}\n")
    assert counts(observed, "gmail")["delivered"] == 1
    assert observed.n_problems == 0


def test_a_message_number_is_used_again_after_it_was_deleted() -> None:
    text = postfix_line(
        0, "AAA", "a@gmail.com", "1", "deferred (host x[192.0.2.1] said: 451 4.3.2 busy (in reply to RCPT TO command))"
    )
    text += "Nov 25 10:00:01 mail postfix/postsuper[9]: AAA: removed\n"
    text += postfix_line(2, "AAA", "a@gmail.com", "1", "sent (250 OK)")
    found = counts(read(text), "gmail")
    assert (found["sent"], found["attempts"], found["expired"]) == (2, 2, 0)


def test_each_recipient_of_a_message_is_counted() -> None:
    busy = "deferred (host x[192.0.2.1] said: 451 4.3.2 busy (in reply to RCPT TO command))"
    text = "".join(postfix_line(i, "AAA", f"{name}@gmail.com", "1", busy) for i, name in enumerate("abc"))
    text += postfix_line(30, "AAA", "b@gmail.com", "31", "sent (250 OK)")
    text += "Nov 25 10:00:40 mail postfix/qmgr[9]: AAA: from=<n@example.com>, status=expired, returned to sender\n"
    found = counts(read(text), "gmail")
    assert (found["sent"], found["attempts"], found["delivered"], found["expired"]) == (3, 4, 1, 2)


@pytest.mark.parametrize(
    ("reply", "measure"),
    [
        ("550 5.1.1 <x@gmail.com> user unknown", "hard_bounced"),
        ("552 5.2.2 mailbox full", "hard_bounced"),
        ("550 5.7.1 blocked using zen.spamhaus.org", "blocked"),
        ("554 5.7.9 message not accepted for policy reasons", "blocked"),
        ("550 5.7.26 unauthenticated email", "blocked"),
        ("550 4f2a", "hard_bounced"),
        ("554 4f2a", "blocked"),
    ],
)
def test_refusals_are_the_recipient_s_or_the_sender_s(reply: str, measure: str) -> None:
    text = postfix_line(
        0, "AAA", "a@gmail.com", "1", f"bounced (host x[192.0.2.1] said: {reply} (in reply to RCPT TO command))"
    )
    found = counts(read(text), "gmail")
    assert {name for name in ("hard_bounced", "blocked", "delivered", "deferred") if found[name]} == {measure}


@pytest.mark.parametrize(
    ("dsn", "stat", "relay", "measure"),
    [
        ("5.7.1", "Service unavailable", "mx.gmail.com. [192.0.2.1]", "blocked"),
        ("5.1.1", "Service unavailable", "mx.gmail.com. [192.0.2.1]", "hard_bounced"),
        ("5.1.1", "User unknown", "mx.gmail.com. [192.0.2.1]", "hard_bounced"),
        ("5.1.2", "Host unknown (Name server: nowhere.example: host not found)", "nowhere.example", "hard_bounced"),
    ],
)
def test_sendmail_without_the_reply_has_its_code(dsn: str, stat: str, relay: str, measure: str) -> None:
    text = (
        "Nov 25 00:29:04 mx1 sendmail[2004]: 4AOMw0aB002013: to=<a@gmail.com>, delay=00:00:03, xdelay=00:00:01, "
        f"mailer=esmtp, pri=211200, relay={relay}, dsn={dsn}, stat={stat}\n"
    )
    found = counts(read(text), "gmail")
    assert {name for name in ("hard_bounced", "blocked", "delivered", "deferred") if found[name]} == {measure}


EXCHANGE = "#Fields: date-time,server-hostname,source,event-id,network-message-id,recipient-address,recipient-status\n"


@pytest.mark.parametrize(
    ("source", "status", "measure"),
    [
        ("ROUTING", "[{LED=550 5.4.310 DNS domain gmail.com does not exist};{FQDN=gmail.com}]", "hard_bounced"),
        ("DNS", "550 5.4.4 SMTPSEND.DNS.InvalidData", "hard_bounced"),
        ("SMTP", "550 5.7.1 blocked using zen.spamhaus.org", "blocked"),
        ("ROUTING", "550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found", None),
        ("SMTP", "550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found", "hard_bounced"),
        ("DSN", "250 2.1.5", None),
    ],
)
def test_what_exchange_gives_up_by_itself_is_no_block(source: str, status: str, measure: str | None) -> None:
    text = f"{EXCHANGE}2026-11-24T23:30:02.100Z,gmail.com,{source},FAIL,guid,a@gmail.com,{status}\n"
    observed = read(text)
    assert observed.days or measure is None
    if measure is not None:
        found = counts(observed, "gmail")
        assert {name for name in ("hard_bounced", "blocked", "delivered", "deferred") if found[name]} == {measure}
    else:
        assert not observed.days


def test_postfix_lines_without_a_recipient_are_counted_as_damaged() -> None:
    whole = postfix_line(0, "AAA", "a@gmail.com", "1", "sent (250 OK)")
    cut = postfix_line(1, "BBB", "a@gmail.com", "1", "sent (250 OK)").replace("to=<a@gmail.com>, ", "")
    observed = read(whole + cut + postfix_line(2, "CCC", "a@gmail.com", "1", "sent (250 OK)"))
    assert (counts(observed, "gmail")["delivered"], observed.n_problems) == (2, 1)
    assert observed.problems[0].line == 2


def test_mail_that_loops_back_is_said_to_be_left_out() -> None:
    own = "bounced (mail for gmail.com loops back to myself)"
    observed = read(
        postfix_line(0, "AAA", "a@gmail.com", "1", own) + postfix_line(1, "B", "a@gmail.com", "1", "sent (250 OK)")
    )
    assert counts(observed, "gmail")["hard_bounced"] == 0
    assert any("within your own machines" in note for note in observed.notes)


# --- services: what they tell twice, and what comes back


def of_ses(kind: str, second: int, **told: object) -> str:
    mail = {"messageId": "m1", "timestamp": "2026-11-24T09:58:00.000Z", "destination": ["a@gmail.com"]}
    stamp = {"timestamp": f"2026-11-24T09:58:{second:02d}.000Z"}
    return json.dumps({"eventType": kind, "mail": mail, kind.lower(): {**stamp, **told}}) + "\n"


def ses_bounce(second: int, kind: str, subtype: str, said: str = "") -> str:
    one = {"emailAddress": "a@gmail.com", **({"diagnosticCode": said} if said else {})}
    return of_ses("Bounce", second, bounceType=kind, bounceSubType=subtype, bouncedRecipients=[one])


SES_DELIVERY = of_ses("Delivery", 1, recipients=["a@gmail.com"])
SENDGRID = {"email": "a@gmail.com", "sg_message_id": "m1.x"}
SENDGRID_DELIVERY = json.dumps({**SENDGRID, "event": "delivered", "timestamp": 1764000000, "sg_event_id": "1"})
SENDGRID_BOUNCE = json.dumps(
    {**SENDGRID, "event": "bounce", "timestamp": 1764003600, "sg_event_id": "2", "reason": "550 5.1.1 no such user"}
)
MAILGUN = {"recipient": "a@gmail.com", "message": {"headers": {"message-id": "m1"}}}
MAILGUN_DELIVERY = json.dumps({**MAILGUN, "event": "delivered", "timestamp": 1764000000.5, "id": "1"})
MAILGUN_BOUNCE = json.dumps(
    {
        **MAILGUN,
        "event": "failed",
        "severity": "permanent",
        "timestamp": 1764003600.5,
        "id": "2",
        "delivery-status": {"code": 550, "message": "5.1.1 no such user"},
    }
)


@pytest.mark.parametrize(
    ("delivery", "bounce"),
    [
        (SES_DELIVERY, ses_bounce(9, "Permanent", "General", "smtp; 550 5.1.1 no such user")),
        (SENDGRID_DELIVERY, SENDGRID_BOUNCE),
        (MAILGUN_DELIVERY, MAILGUN_BOUNCE),
    ],
    ids=["ses", "sendgrid", "mailgun"],
)
def test_a_bounce_that_comes_back_replaces_the_delivery(delivery: str, bounce: str) -> None:
    for text in (f"{delivery}\n{bounce}", f"{delivery}\n{delivery}\n{bounce}\n{bounce}", f"{bounce}\n{delivery}"):
        found = counts(read(text), "gmail")
        assert (found["sent"], found["delivered"], found["hard_bounced"]) == (1, 0, 1)
    alone = counts(read(bounce), "gmail")
    assert (alone["sent"], alone["hard_bounced"]) == (1, 1)


@pytest.mark.parametrize(
    ("subtype", "said", "measure"),
    [
        ("General", "", "expired"),
        ("General", "smtp; 451 4.4.7 expired", "expired"),
        ("MailboxFull", "", "hard_bounced"),
        ("MessageTooLarge", "", "hard_bounced"),
        ("ContentRejected", "", "blocked"),
        ("AttachmentRejected", "", "blocked"),
        ("General", "smtp; 550 5.7.1 blocked using zen.spamhaus.org", "blocked"),
    ],
)
def test_transient_bounces_of_ses(subtype: str, said: str, measure: str) -> None:
    found = counts(read(ses_bounce(9, "Transient", subtype, said)), "gmail")
    assert {name for name in ("hard_bounced", "blocked", "delivered", "expired") if found[name]} == {measure}


def test_an_automatic_answer_is_no_bounce() -> None:
    observed = read(SES_DELIVERY + ses_bounce(9, "Transient", "General"))
    found = counts(observed, "gmail")
    assert (found["sent"], found["delivered"], found["hard_bounced"], found["expired"]) == (1, 1, 0, 0)
    assert any("automatic answers" in note for note in observed.notes)


def test_what_services_tell_is_matched_across_files(tmp_path: Path) -> None:
    (tmp_path / "aaa.json").write_text(SENDGRID_DELIVERY)
    (tmp_path / "bbb.json").write_text(f"{SENDGRID_BOUNCE}\n{SENDGRID_DELIVERY}\n")
    found = counts(wp.read_log(tmp_path), "gmail")
    assert (found["sent"], found["delivered"], found["hard_bounced"]) == (1, 0, 1)


def test_sendgrid_s_temporary_bounce_of_what_was_delivered_is_an_answer() -> None:
    late = json.dumps({**json.loads(SENDGRID_BOUNCE), "reason": "452 4.2.2 mailbox full"})
    found = counts(read(f"{SENDGRID_DELIVERY}\n{late}"), "gmail")
    assert (found["sent"], found["delivered"], found["expired"]) == (1, 1, 0)


def test_a_damaged_event_does_not_hide_its_repetition() -> None:
    damaged = json.dumps({**json.loads(SENDGRID_DELIVERY), "timestamp": "soon"})
    observed = read(f"{damaged}\n{SENDGRID_DELIVERY}")
    assert (counts(observed, "gmail")["delivered"], observed.n_problems) == (1, 1)


def test_events_told_twice_count_once_however_far_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("planner.observing.logs.tally.Recent", lambda: Recent(100))
    lines = [SENDGRID_DELIVERY.replace('"1"', f'"e{n}"').replace("m1.x", f"m{n}.x") for n in range(150)]
    observed = read("\n".join([*lines, *lines[60:]]))
    assert counts(observed, "gmail")["delivered"] == 150
    assert any("told twice: 90" in note for note in observed.notes)


# --- other stamps of qmail, other wrappings of events


@pytest.mark.parametrize(
    "stamp",
    ["@40000000692566b80000007b ", "2026-11-25 08:21:02.123456 ", "Nov 25 08:21:02 mx qmail: 1764058862.123456 "],
)
def test_qmail_s_stamps(stamp: str) -> None:
    text = (
        f"{stamp}new msg 5\n{stamp}starting delivery 1: msg 5 to remote a@gmail.com\n"
        f"{stamp}delivery 1: success: 142.250.1.27_accepted_message./Remote_host_said:_250_OK/\n{stamp}end msg 5\n"
    )
    observed = read(text)
    assert counts(observed, "gmail")["delivered"] == 1
    assert observed.days == (date(2025, 11, 25) if stamp[0] != "2" else date(2026, 11, 25),)


def test_a_damaged_event_costs_itself_only() -> None:
    lines = text_of("ses.jsonl").splitlines(keepends=True)
    lines[10] = lines[10][:40] + "\n"
    lines.insert(20, "not json\n")
    lines.insert(30, '{"eventType": "Delivery", "mail": {"messageId": 5}, "delivery": {"recipients": [7]}}\n')
    observed = read("".join(lines))
    assert [one.line for one in observed.problems] == [11, 21, 31]
    whole = wp.read_log(LOGS / "ses.jsonl")
    assert 0 <= whole.delivered.sum() - observed.delivered.sum() <= 1


def test_events_in_small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = {name: wp.read_log(LOGS / name) for name in ("sendgrid.json", "mailgun.json", "postfix.log")}
    monkeypatch.setattr("planner.observing.logs.blocks.SIZE", 3000)
    for name, observed in whole.items():
        assert wp.read_log(LOGS / name) == observed


# --- files, folders, packing


def parts_of(name: str, n: int) -> list[str]:
    lines = text_of(name).splitlines(keepends=True)
    size = len(lines) // n + 1
    return ["".join(lines[i : i + size]) for i in range(0, len(lines), size)]


def test_rotations_are_read_in_order_and_once(tmp_path: Path) -> None:
    old, middle, new = parts_of("postfix.log", 3)
    (tmp_path / "mail.log").write_text(new, encoding="utf-8")
    (tmp_path / "mail.log.1").write_text(middle, encoding="utf-8")
    with gzip.open(tmp_path / "mail.log.1.gz", "wt", encoding="utf-8") as packed:
        packed.write(middle)
    with gzip.open(tmp_path / "mail.log.2.gz", "wt", encoding="utf-8") as packed:
        packed.write(old)
    shutil.copy(tmp_path / "mail.log", tmp_path / "mail.info")  # as Debian writes them
    (tmp_path / "auth.log").write_text("Nov 25 10:00:00 mail sshd[1]: Accepted\n", encoding="utf-8")
    (tmp_path / ".hidden").write_text("x", encoding="utf-8")
    observed = wp.read_log(tmp_path)
    assert totals(observed) == totals(wp.read_log(LOGS / "postfix.log"))
    assert "Left out files that begin like another one: 2." in observed.notes
    assert "Left out files that look like no mail log: 1." in observed.notes


def test_one_file_that_cannot_be_read_leaves_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(LOGS / "exim.log", tmp_path / "mainlog")
    (tmp_path / "mainlog.1.xz").write_bytes(b"\xfd7zXZ\x00 and more")
    secret = tmp_path / "mainlog.2"
    shutil.copy(LOGS / "postfix.log", secret)
    opened = Path.open

    def denied(self: Path, *how: str) -> io.IOBase:
        if self == secret:
            raise PermissionError(13, "Permission denied")
        return opened(self, *how)

    monkeypatch.setattr(Path, "open", denied)
    observed = wp.read_log(tmp_path)
    assert totals(observed) == totals(wp.read_log(LOGS / "exim.log"))
    assert sorted(one.file for one in observed.problems) == ["mainlog.1.xz", "mainlog.2"]
    with pytest.raises(wp.InputError, match=r"mainlog\.2: It cannot be opened: Permission denied"):
        wp.read_log(secret)


def test_the_order_of_rotations() -> None:
    from planner.observing.logs.sources import _place

    names = ["mail.log", "mail.log.1", "mail.log.10.gz", "mail.log.2.gz"]
    assert sorted(names, key=_place) == ["mail.log.10.gz", "mail.log.2.gz", "mail.log.1", "mail.log"]
    names = ["maillog", "maillog-20261124", "maillog-20261117.zst"]
    assert sorted(names, key=_place) == ["maillog-20261117.zst", "maillog-20261124", "maillog"]
    names = ["MSGTRK2026112510-1.LOG", "MSGTRK2026112509-2.LOG", "MSGTRK2026112509-1.LOG"]
    assert sorted(names, key=_place) == names[::-1]


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_packed_logs_tell_the_same(path: Path, tmp_path: Path) -> None:
    packed = tmp_path / f"{path.name}.gz"
    data = path.read_bytes()
    packed.write_bytes(gzip.compress(data[:5000]) + gzip.compress(data[5000:]))  # several members, as some tools write
    os.utime(packed, (path.stat().st_mtime,) * 2)
    assert totals(wp.read_log(packed, timezone="UTC")) == totals(wp.read_log(path, timezone="UTC"))


def test_a_packed_file_that_is_cut_off_tells_what_it_has() -> None:
    packed = gzip.compress((LOGS / "postfix.log").read_bytes())
    observed = read(packed[: len(packed) // 2])
    assert 0 < observed.delivered.sum() < wp.read_log(LOGS / "postfix.log").delivered.sum()
    assert "packed file is damaged or cut off: the rest is lost" in [one.text for one in observed.problems]


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_logs_packed_with_zstd_tell_the_same(path: Path, tmp_path: Path) -> None:
    import zstandard

    packed = tmp_path / f"{path.name}.zst"
    data = path.read_bytes()
    packed.write_bytes(zstandard.compress(data[:5000]) + zstandard.compress(data[5000:]))  # two frames
    os.utime(packed, (path.stat().st_mtime,) * 2)
    assert totals(wp.read_log(packed, timezone="UTC")) == totals(wp.read_log(path, timezone="UTC"))


def test_without_zstd_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("compression", "zstandard"):  # of Python 3.14 and later; of the extra
        monkeypatch.setitem(sys.modules, module, None)
    # one frame that holds "hello\n", as `zstd --no-check` writes it
    with pytest.raises(wp.InputError, match=r"packed with zstd.*pip install 'warmup-planner\[logs\]'"):
        read(bytes.fromhex("28b52ffd200631000068656c6c6f0a"))


# --- what cannot be read


def test_damaged_lines_are_counted_and_named() -> None:
    lines = text_of("postfix.log").splitlines(keepends=True)
    sent = [
        n for n, line in enumerate(lines) if "postfix/smtp[" in line and "relay=gmail" in line and "status=sent" in line
    ]
    lines[sent[3]] = lines[sent[3]][:120] + "\n"  # cut off by a full disk
    lines[sent[5]] = "\x00\x00\xff garbage\n"
    observed = read("".join(lines).encode("utf-8", "surrogateescape") + b"\xff\xfe\n")
    assert observed.n_problems == 3
    assert {(one.line, one.text) for one in observed.problems} == {
        (sent[3] + 1, "delivery line cut off or damaged"),
        (sent[5] + 1, "no time stamp"),
        (len(lines) + 1, "no time stamp"),
    }
    whole = wp.read_log(LOGS / "postfix.log")
    assert counts(observed, "gmail")["delivered"] == counts(whole, "gmail")["delivered"] - 2


@pytest.mark.parametrize("name", ["exim", "sendmail"])
def test_damaged_deliveries_of_other_programs(name: str) -> None:
    mark = " => " if name == "exim" else ": to=<"
    lines = text_of(f"{name}.log").splitlines(keepends=True)
    at = next(n for n, line in enumerate(lines) if mark in line and "gmail.com" in line)
    lines[at] = lines[at][: lines[at].index(mark) + len(mark)] + "\n"
    observed = read("".join(lines))
    assert [(one.line, one.text) for one in observed.problems] == [(at + 1, "delivery line cut off or damaged")]


def test_a_line_of_many_megabytes_is_passed_over() -> None:
    text = text_of("postfix.log").encode()
    observed = read(text + b"Nov 25 10:00:00 " + b"x" * 5_000_000 + b"\n" + text)
    assert [one.text for one in observed.problems] == ["line longer than a megabyte"]
    assert observed.delivered.sum() == 2 * wp.read_log(LOGS / "postfix.log").delivered.sum()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (b"", "It is empty"),
        (b"\n\n", "It is empty"),
        (b"hello\n", "None of the formats"),
        (b"PK\x03\x04....", "a zip or Excel file"),
    ],
)
def test_what_is_no_log_is_said(given: bytes, message: str) -> None:
    with pytest.raises(wp.InputError, match=message):
        read(given)


def test_wrong_arguments_are_said(tmp_path: Path) -> None:
    for call, message in (
        (lambda: wp.read_log(tmp_path / "missing.log"), "no such file"),
        (lambda: wp.read_log(tmp_path), "no files"),
        (lambda: wp.read_log(7), "not int"),
        (lambda: wp.read_log(io.StringIO("x")), "mode 'rb'"),
        (lambda: wp.read_log(LOGS / "exim.log", format="exmi"), "exim"),
        (lambda: wp.read_log(LOGS / "exim.log", timezone="Mars/Olympus"), "no time zone"),
        (lambda: wp.read_log(LOGS / "exim.log", year=26), "26 is no year"),
    ):
        with pytest.raises(wp.InputError, match=message):
            call()


def test_a_clock_that_was_wrong_for_a_while_hides_nothing() -> None:
    text = in_rfc3339(text_of("postfix-out.log"), "Z")
    lines = text.splitlines(keepends=True)
    at = next(n for n, line in enumerate(lines) if "relay=gmail" in line and "status=sent" in line)
    lines[at] = lines[at].replace("2026-", "1970-")
    observed, right = read("".join(lines)), read(text)
    assert observed.days == right.days
    assert counts(observed, "gmail")["delivered"] == counts(right, "gmail")["delivered"] - 1
    assert (observed.n_problems, observed.problems[0].text) == (
        1,
        "date that cannot be: far from all others, or of another century",
    )


def test_progress_is_told_and_may_stop(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    log.write_text(text_of("postfix.log") * 20, encoding="utf-8")
    told: list[float] = []
    wp.read_log(log, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert len(told) >= 3

    def stop(share: float) -> None:
        raise wp.Cancelled

    with pytest.raises(wp.Cancelled):
        wp.read_log(log, progress=stop)


# --- hours and delays


def test_hours_add_up_to_days() -> None:
    study = wp.study_log(LOGS / "kumomta.jsonl", timezone="UTC")
    hours = study.hours()
    assert hours.hour.nunique() > 3
    for provider in study.observations.providers:
        mine = hours[hours.provider == provider]
        assert mine.delivered.sum() == counts(study.observations, provider)["delivered"]


def test_delays_are_told() -> None:
    frame = wp.study_log(LOGS / "powermta.csv", timezone="UTC").delays()
    first, second = frame[frame.provider == "gmx-webde"].itertuples()
    assert (first.delivered, second.delivered) == (4, 3)
    assert first.within_50 == pytest.approx(2, rel=0.25)  # seconds: accepted at once
    assert second.within_50 == pytest.approx(4502, rel=0.25)  # greylisted


# --- bounds


def test_a_long_queue_forgets_the_oldest_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "Queue", lambda: Queue(most=50))
    busy = "deferred (host x[192.0.2.1] said: 451 4.3.2 busy (in reply to RCPT TO command))"
    text = "".join(postfix_line(i, f"A{i:03d}", "a@gmail.com", "1", busy) for i in range(200))
    observed = read(text)
    assert counts(observed, "gmail")["deferred"] == 200
    assert any("Messages forgotten" in note for note in observed.notes)
    assert any("still in the queue" in note for note in observed.notes)


def test_what_somebody_made_long_is_kept_short() -> None:
    queue = Queue()
    assert queue.defer("m" * 100_000, 1, provider=3)
    assert not queue.defer("m" * 100_000, 1, provider=3)
    assert max(map(len, queue.messages)) <= 64
    assert queue.expire("m" * 100_000) == [3]


def test_hours_without_end_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("planner.observing.logs.tally.MAX_HOURS", 10)
    stamps = [f"2026-11-{day:02d}T{hour:02d}:00:00Z" for day in (1, 2) for hour in range(24)]
    line = in_rfc3339(postfix_line(0, "AAA", "a@gmail.com", "1", "sent (250 OK)"), "Z", "")
    observed = read("".join(line.replace("2026-11-25T10:00:00Z", stamp) for stamp in stamps))
    assert observed.delivered.sum() == 10
    assert observed.n_problems == 38


def test_wordings_are_asked_about_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    plain = Replies._diagnosed
    monkeypatch.setattr(
        Replies, "_diagnosed", staticmethod(lambda final, text: asked.append(text) or plain(final, text))
    )
    busy = "deferred (host x[192.0.2.1] said: 421 4.7.0 [TSS04] try later {} - gsmtp (in reply to RCPT TO command))"
    read(
        "".join(
            postfix_line(i, f"A{i:03d}", "a@gmail.com", "1", busy.format(f"d94{i}c01a7336-1a2b")) for i in range(50)
        )
    )
    assert len(asked) == 1


@pytest.mark.parametrize("said", ["550 5.1.1 {}... User unknown", "550 unknown user {}", "550 5.1.1 '{}'"])
def test_a_name_that_a_reply_repeats_on_its_own_is_not_kept(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Replies] = []
    plain = Replies.__init__
    monkeypatch.setattr(Replies, "__init__", lambda self: seen.append(self) or plain(self))
    name = "annette"
    how = f"bounced (host x[192.0.2.1] said: {said.format(name)} (in reply to RCPT TO command))"
    read(postfix_line(0, "AAA", f"{name}@gmail.com", "1", how))
    stamp = "@40000000692566b80000007b "
    answer = f"Remote_host_said:_{said.format(name)}/".replace(" ", "_")
    read(
        f"{stamp}starting delivery 1: msg 5 to remote {name}@gmail.com\n"
        f"{stamp}delivery 1: failure: 142.250.1.27_does_not_like_recipient./{answer}\n"
    )
    assert len(seen) == 2
    assert not [one for one in seen if name in held(one)]


def test_a_provider_s_keys_stay_in_a_wording() -> None:
    text = "421 4.7.0 [TSS04] S3150 RP-001 OFR005_104 HL:ICC G28 IB007 from 192.0.2.1 by ann@example.org"
    assert Replies().wording(text) == "421 4.7.0 [TSS04] S3150 RP-001 OFR005_104 HL:ICC G28 IB007 from by"


def test_what_was_wrong_is_said_where_nothing_was_counted() -> None:
    inbound = "Nov 25 08:00:00 mx postfix/smtpd[1]: 4ABCDEF123: client=unknown[192.0.2.1]\n"
    cut_off = "Nov 25 08:00:01 mx postfix/smtp[1]: 4ABCDEF124: to=<a@gmail.com>, rel\n"
    said = read(inbound + cut_off, year=2026).summary()
    assert said.startswith("Nothing observed yet")
    assert "Read as Postfix" in said
    assert "cut off or damaged: 1, first in line 2" in said


def test_a_domain_that_nobody_finds_is_nothing_that_authentication_mends() -> None:
    line = (
        "Nov 25 08:00:00 mx postfix/smtp[1]: 4ABCDEF123: to=<a@gone.example>, relay=none, delay=9, delays=9/0/0/0, "
        "dsn=4.4.3, status=deferred (Host or domain name not found. Name service error for name=gone.example type=MX: "
        "Host not found, try again)\n"
    )
    found = counts(read(line, year=2026), "other")
    assert found["deferred_system"] == 1
    assert found["deferred_authentication"] == 0


def test_what_qmail_adds_to_a_reply_is_not_the_host_s() -> None:
    stamp = "2026-11-25 08:21:02.123456 "
    said = "192.0.2.33_does_not_like_recipient./Remote_host_said:_550_5.1.1_User_unknown/Giving_up_on_192.0.2.33./"
    text = f"{stamp}starting delivery 4: msg 503 to remote b@hotmail.com\n{stamp}delivery 4: failure: {said}\n"
    found = counts(read(text), "microsoft")
    assert (found["hard_bounced"], found["blocked"]) == (1, 0)


# --- nobody's name


def held(thing: object, depth: int = 0) -> str:
    """Everything that an object holds, as text."""
    if depth > 6 or isinstance(thing, str | bytes | int | float | type(None)):
        return repr(thing)
    if isinstance(thing, dict):
        return " ".join(held(one, depth + 1) for pair in thing.items() for one in pair)
    if isinstance(thing, list | tuple | set | frozenset):
        return " ".join(held(one, depth + 1) for one in thing)
    return held(vars(thing), depth + 1) if hasattr(thing, "__dict__") else repr(thing)


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_no_name_is_kept_anywhere(
    path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    tallies: list[Tally] = []
    plain = Tally.__init__

    def noted(self: Tally, *args: object) -> None:
        tallies.append(self)
        plain(self, *args)

    monkeypatch.setattr(Tally, "__init__", noted)
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "TMPDIR"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    caplog.set_level(logging.DEBUG)
    data = path.read_bytes()
    assert CANARY.encode() in data
    lines = data.splitlines(keepends=True)
    cut = b"".join(line[: 1 + len(line) * (n % 7) // 6] + b"\n" if n % 5 == 0 else line for n, line in enumerate(lines))
    for text in (data, cut, data[: len(data) // 2], cut.replace(b"@", b" ")):
        try:
            study = wp.study_log(io.BytesIO(text), format=path.name.split(".")[0].split("-")[0])
        except wp.PlannerError as error:
            seen = [str(error), repr(error)]
        else:
            observed = study.observations
            seen = [observed.to_json(), repr(observed), observed.summary(), observed._repr_html_(), repr(study)]
            seen += [*map(str, observed.problems), study.hours().to_csv(), study.delays().to_csv()]
        assert not [one for one in seen if CANARY[:8] in one]
    assert len(tallies) == 4
    assert not [one for one in tallies if CANARY[:8] in held(one)]
    assert CANARY[:8] not in caplog.text
    assert "".join(capfd.readouterr()) == ""
    assert list(tmp_path.iterdir()) == []


def test_a_file_s_name_that_is_an_address_is_not_kept(tmp_path: Path) -> None:
    log = tmp_path / f"{CANARY}@example.org.log"
    shutil.copy(LOGS / "exim.log", log)
    assert CANARY not in wp.read_log(log).to_json()
    assert CANARY not in sources(log)[0].name
    with pytest.raises(wp.InputError) as caught:
        wp.read_log(tmp_path / f"{CANARY}@example.net.log")
    assert CANARY not in str(caught.value)


def test_recipients_are_numbered_anew_in_each_run() -> None:
    address = f"{CANARY}@gmail.com".encode()
    assert Queue().recipient(address) != Queue().recipient(address)
