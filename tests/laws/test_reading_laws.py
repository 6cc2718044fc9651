"""Laws of reading: no text raises, none takes more than linear time, and nobody's name is left."""

import csv
import io
import json
import time
from dataclasses import astuple
from email.message import EmailMessage

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from planner.replies.cleaning import MAX_REPLY, clean
from planner.replies.reading import Said, Speaker, read, truncated

some = settings(max_examples=150, deadline=None)

# a name that no word of a reply contains
names = st.sampled_from(
    ["zqxjohn", "zqx.jane", "zqx+tag", "zqx-o'neil", "zqx_1", "Zqx%20x", "zqx=x", "zqxé", "zqx/y", "zqx{y}"]
)
domains = st.sampled_from(["example.com", "Example.ORG", "mail.example.net", "bücher.example", "[192.0.2.7]"])
replies = st.sampled_from(
    [
        "421 4.7.0 Try again later",
        "550-5.1.1 {} does not exist. 550 5.1.1 See https://example.org/help",
        "450 4.2.1 <{}>: Recipient address rejected",
        "452 mailbox of {} is full",
        "554 (#5.7.1) {}: blocked, see https://example.org/?a={}&b=1",
    ]
)
written = st.sampled_from(
    [
        "{name}@{domain}",
        "<{name}@{domain}>",
        "({name}@{domain})",
        "[{name}@{domain}]",
        '"{name} b"@{domain}',
        '"b {name}"@{domain}',
        '"{name}\\" b"@{domain}',
        "mailto:{name}@{domain}",
        "bounce-{name}=example.com@{domain}",
        "SRS0=HHH=TT=example.com={name}@{domain}",
        "prvs=123={name}@{domain}",
        "https://example.org/u?m={name}@{domain}&x=1",
        "https://example.org/u/{name}%40{domain}",
        "https://example.org/u?m={name}%2540{domain}",
        "http://{name}:secret@{domain}/",
        "{name}＠{domain}",
        "{name}&#64;{domain}",
        "&lt;{name}@{domain}&gt;",
        "{name} [at] {domain}",
        "'{name}@{domain}'",
        "<@relay.example:{name}@{domain}>",
        "rfc822;{name}@{domain}",
    ]
)
noise = st.text(max_size=300) | st.binary(max_size=300)
pieces = st.sampled_from(
    [
        "421", "421-", "4.7.0", " ", "\n", "\r\n", "<", ">", "@", "ann@example.com", ": to=<",
        "status=deferred (", ")", "said: ", "{", "}",
        "[", '"', "'", "&", "&lt;", "%40", "{LED=", "Diagnostic-Code:", "Final-Recipient:", "smtp;", "== ",
        "defer (-44)", "stat=", "dsn=",
        "delivery 1: deferral: ", "b,1178807915,", "1178807915@a@b@c@", "(421, b'", "SMTP code:",
        "responseCode:", "HTTP/1.1 421", "220 ftp",
        "Content-Type: multipart/report; boundary=x\n\n--x\n", "é", "\x00", "\ud800", "\\n", "=\n", "<br>",
        "server response was: ",
        '{"response":', '{"event":"bounce","email":"a@b"}', "2026-01-01 10:00:00 ", "1wN9t2-00000002BQv-3hr9 ",
    ]
)  # fmt: skip


def words(said: Said) -> str:
    return " ".join(str(field) for field in astuple(said))


def well_formed(said: Said) -> bool:
    assert len(said.text) <= MAX_REPLY
    assert said.text.isprintable()
    assert said.text == " ".join(said.text.split())
    assert said.code is None or 200 <= said.code <= 599
    assert (said.speaker is Speaker.NOBODY) == (said.why_not is not None)
    assert said.host is None or (
        said.host == said.host.lower() and not said.host.endswith(".") and "@" not in said.host
    )
    assert said.domain is None or (said.domain == said.domain.lower() and "@" not in said.domain)
    return True


@some
@given(text=noise | st.lists(pieces | st.text(max_size=10), max_size=40).map("".join))
@example(text=b"")
@example(text="&#" + "9" * 5_000 + ";")
@example(text="[" * 100_000)
@example(text='{"a":' * 50_000)
@example(text="Content-Type: multipart/report; boundary=\n\n--\n--")
@example(
    text="From: a\nContent-Type: text/plain; charset=nonsense\nContent-Transfer-Encoding: base64\n\nFinal-Recipient: !!"
)
def test_any_text_is_read(text):
    found = read(text)
    assert found
    assert all(map(well_formed, found))
    assert read(text) == found


@some
@given(text=st.text(max_size=200) | st.lists(pieces, max_size=20).map("".join))
def test_clean_text_is_clean_already(text):
    once = clean(text)
    # two tags within each other, or an entity of an entity, leave a tag or an entity behind: harmless, and not
    # again unwrapped
    if not set("<>&") & set(once):
        assert clean(once) == once or "40" in once or "(at)" in once.lower()


def as_reply(text, address, domain):
    return text


def as_postfix(text, address, domain):
    return (
        f"Oct 28 12:19:32 mail postfix/smtp[39032]: 213A0C01A2: to=<{address}>, orig_to=<{address}>, "
        f"relay=mx.example.com[192.0.2.9]:25, "
        f"delay=1, delays=0/0/1/0, dsn=4.7.0, status=deferred (host mx.example.com[192.0.2.9] said: "
        f"{text} (in reply to RCPT TO command))"
    )


def as_exim(text, address, domain):
    return (
        f"2026-05-14 17:49:33 1wN9t2-00000002BQv-3hr9 == {address} R=dnslookup T=remote_smtp defer (-44) "
        f"H=mx.example.com [192.0.2.9]: "
        f"SMTP error from remote mail server after RCPT TO:<{address}>: {text}"
    )


def as_exim_bounce(text, address, domain):
    return (
        f"A message could not be delivered.\n\n  {address}\n    SMTP error from remote mail server after "
        f"RCPT TO:<{address}>:\n    {text}\n"
    )


def as_sendmail(text, address, domain):
    return (
        f"Apr 20 16:35:51 host sm-mta[6555]: n3K: to=<{address}>, mailer=esmtp, relay=mx.example.com. "
        f"[192.0.2.9], dsn=4.0.0, stat=Deferred: {text}"
    )


def as_qmail(text, address, domain):
    reply = text.replace(" ", "_")
    return (
        f"@400000004a1b2c3d12345678 delivery 23: deferral: "
        f"192.0.2.9_does_not_like_recipient./Remote_host_said:_{reply}/"
    )


def as_exchange(text, address, domain):
    return f"[{{LED={text}}};{{MSG=}};{{FQDN=mx.example.com}};{{IP=192.0.2.9}};{{LRT=1/21/2025 3:45:12 AM}}] {address}"


def as_powermta(text, address, domain):
    row = io.StringIO()
    csv.writer(row).writerow(
        ["b", "2026-11-25 10:00:00", address, address, "5.1.1 (bad)", f"smtp;{text}", "mx.example.com (192.0.2.9)"]
    )
    return row.getvalue()


def as_kumomta(text, address, domain):
    response = {"code": 421, "enhanced_code": {"class": 4, "subject": 7, "detail": 0}, "content": text}
    return json.dumps({"type": "TransientFailure", "sender": address, "recipient": address, "response": response})


def as_ses(text, address, domain):
    bounced = [{"emailAddress": address, "status": "5.1.1", "diagnosticCode": f"smtp; {text}"}]
    message = json.dumps(
        {"notificationType": "Bounce", "bounce": {"bouncedRecipients": bounced}, "mail": {"source": address}}
    )
    return json.dumps({"Type": "Notification", "Message": message})


def as_other_events(text, address, domain):
    return "\n".join(
        json.dumps(event)
        for event in (
            {"email": address, "event": "deferred", "sg_event_id": "x", "response": text},
            {
                "event-data": {
                    "event": "failed",
                    "recipient": address,
                    "delivery-status": {"message": text, "code": 421},
                }
            },
            {"msys": {"message_event": {"type": "delay", "rcpt_to": address, "raw_reason": text}}},
            {"RecordType": "Bounce", "Details": f"smtp;{text}", "Email": address},
            {"Email": address, "error": text},
        )
    )


def as_report(text, address, domain):
    return (
        f"Reporting-MTA: dns; mail.example.org\n\nFinal-Recipient: rfc822; "
        f"{address}\nOriginal-Recipient: rfc822;{address}\n"
        f"Action: failed\nStatus: 5.1.1\nRemote-MTA: dns; mx.example.net\nDiagnostic-Code: smtp; {text}\n"
    )


def as_mail(text, address, domain):
    message = EmailMessage()
    message["Subject"] = "Undelivered Mail"
    message.set_content(
        f"<{address}>: host mx.example.com[192.0.2.9] said: {text} (in reply to RCPT TO command)\n", cte="base64"
    )
    return message.as_string()


def as_tuple(text, address, domain):
    return f"smtplib.SMTPRecipientsRefused: { ({address: (450, text.encode())})!r}"


def as_php(text, address, domain):
    return (
        f"SMTP Error: The following recipients failed: {address}: {text}SMTP server error: DATA END "
        f"command failed Detail: {text} SMTP code: 421"
    )


def as_node(text, address, domain):
    return (
        f"Error: Can't send mail - all recipients were rejected: {text}\n    at x ({address}) "
        f"{{\n  response: {text!r},\n  responseCode: 421\n}}"
    )


def as_prose(text, address, domain):
    return f"Hello {address},\n\nthis came back today:\n\n> {text}\n\nRegards, {address}"


formats = st.sampled_from(
    [
        as_reply, as_postfix, as_exim, as_exim_bounce, as_sendmail, as_qmail, as_exchange, as_powermta,
        as_kumomta, as_ses,
        as_other_events, as_report, as_mail, as_tuple, as_php, as_node, as_prose,
    ]
)  # fmt: skip


@settings(max_examples=1000, deadline=None)
@given(name=names, domain=domains, form=written, reply=replies, paste=formats)
def test_nobody_is_named(name, domain, form, reply, paste):
    assume("/" not in name or "://" not in form)  # in a URL that would be the path
    address = form.format(name=name, domain=domain)
    text = paste(reply.replace("{}", address), f"{name}@{domain}", domain)
    for said in read(text):
        assert "zqx" not in words(said).lower(), (text, said)


@some
@given(
    name=st.sampled_from(["zqxjohn", "zqx.jane", "zqx_1", "zqx-o'neil", "Zqxé"]),
    written=st.sampled_from([str.lower, str.upper, str.title, "{}+tag".format, "({}),".format, "'{}'".format]),
    paste=formats,
)
def test_a_repeated_name_is_left_out(name, written, paste):
    text = paste(f"550 <{name}@example.com>: {written(name)} unknown", f"{name}@example.com", "example.com")
    for said in read(text):
        assert "zqx" not in words(said).lower(), (text, said)


@some
@given(name=names, before=st.integers(MAX_REPLY - 60, MAX_REPLY + 10), blank=st.sampled_from([" ", "  ", "<br>"]))
def test_a_cut_leaves_no_half_of_an_address(name, before, blank):
    for scale in (1, 4, 10):
        text = "421 " + f"x{blank}" * (scale * before // (1 + len(blank))) + f"{name}@example.com y"
        assert "zqx" not in words(read(text)[0]).lower()


@some
@given(
    lines=st.lists(
        st.sampled_from(["421 4.7.0 later", "450 4.2.1 too fast", "550 5.1.1 unknown"]), min_size=1, max_size=20
    )
)
def test_each_reply_of_a_list_is_read_as_alone(lines):
    assert read("\n".join(lines)) == tuple(read(line)[0] for line in lines)
    assert read("\r\n".join(f"> {line}" for line in lines)) == read("\n".join(lines))


def seconds_to_read(text):
    times = []
    for _ in range(2):
        start = time.process_time()
        read(text)
        times.append(time.process_time() - start)
    return min(times)


@pytest.fixture(scope="module")
def plain_seconds():
    """A megabyte of plain replies."""
    return seconds_to_read("421 4.7.0 try again later\n" * 40_000)


@pytest.mark.alone
@pytest.mark.parametrize(
    "unit",
    [
        "421-", "<", "@", "said: ", "{", "((((", "421 4.7.0 ", "421\n", "&lt;", "&", "&#1", '"', '"@', "'a@",
        "> ", "<br>", "=\n", ": to=<",
        "status=", "Final-Recipient: ", "(421, b'", "SMTP code: 421", "responseCode: 4", "{LED=", "== a@b ",
        "host a[1] said: ", "error ",
        "after RCPT TO:<", "%40", "(at)", "a@b.c\n", "550-5.1.1 \n", "http://a", '{"a":', "connection to ",
        "\u200b", "x: y\n",
        "to=<a", "** a <", "Original-Recipient: a", "Ann ", "Ann <a@b.c> ", "van ", "<a\n550 ", "@\n550 a.",
        "/cn=recipients/cn=", "a.", "a-", "ann@b.c ann\n", "550 ann <ann@b.c>\n",
    ],
)  # fmt: skip
def test_a_megabyte_takes_linear_time(unit, plain_seconds):
    half, whole = (seconds_to_read(unit * (size // len(unit))) for size in (500_000, 1_000_000))
    assert whole < 3 * half + 0.05
    assert whole < max(1.0, 3 * plain_seconds)  # a second, unless a machine is too slow for plain replies, too


def test_long_texts_say_that_they_are_cut():
    assert not truncated("421 " + "x" * 999_000)
    assert truncated("421 " + "x" * 1_000_000)
    assert truncated(b"421 \n" * 30_000)
