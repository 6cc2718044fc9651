"""Tables of counts that people bring: by hand and from ESPs, each assumption told, no address kept."""

from __future__ import annotations

import io
from datetime import date, datetime

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import planner as wp
from planner.errors import InputError
from planner.observing.headings import vocabulary
from planner.observing.rows import COLUMNS

TODAY = date(2026, 12, 1)
NAN = float("nan")
CANARY = "canary.bird"


def read(text, **options):
    content = text.encode() if isinstance(text, str) else text
    return wp.read_observations(content, **({"today": TODAY} | options))


def has(seen, *words):
    return any(all(word in note for word in words) for note in seen.notes)


# --- tables by hand


@pytest.mark.parametrize(
    "text",
    [
        "date,provider,sent,delivered\n2026-11-25,gmail,1200,1187\n2026-11-26,gmail,1500,1500\n",
        "Datum;Anbieter;Verschickt;Zugestellt\n25.11.2026;Gmail;1.200;1.187\n26.11.2026;Gmail;1.500;1.500\n",
        "My warmup\n\nDay\tISP\tVolume\tAccepted\n11/25/2026\tGoogle\t1,200\t1,187\n11/26/2026\tGoogle\t1,500\t1,500\n",
        "Delivered,Sent,Date,Domain\n1187,1200,25 Nov 2026,gmail.com\n1500,1500,26 Nov 2026,@googlemail.com\n",
        "date,provider,sent,delivered\n26/11/2026,gmail,1 500,1 500\n25/11/2026,gmail,1 200,1 187\n",
        "Date;FAI;Envoyés;Délivrés\n25/11/2026;Gmail;1 200;1 187\n26/11/2026;Gmail;1 500;1 500\nTotal;;2 700;2 687\n",
    ],
)
def test_the_same_table_in_many_hands(text):
    seen = read(text)
    assert seen.providers == ("gmail",)
    assert seen.days == (date(2026, 11, 25), date(2026, 11, 26))
    assert_array_equal(seen.sent, [[1200, 1500]])
    assert_array_equal(seen.delivered, [[1187, 1500]])
    assert np.isnan(seen.complaints).all()
    assert seen.problems == ()


def test_everything_that_can_be_written_down():
    seen = read(
        "date,provider,sent,attempts,delivered,deferred,first deferred,hard bounces,blocks,expired,complaints,"
        "deferred penalty,deferred_reputation\n25 Nov 2026,yahoo,100,130,90,30,8,2,3,1,-,25,\n"
    )
    row = {name: seen.to_frame()[name].tolist() for name in COLUMNS}
    expected = {name: [NAN] for name in COLUMNS} | {
        "sent": [100], "attempts": [130], "delivered": [90], "deferred": [30], "first_deferred": [8],
        "hard_bounced": [2], "blocked": [3], "expired": [1], "complaints": [0], "deferred_penalty": [25],
    }  # fmt: skip
    for name in COLUMNS:
        assert_array_equal(row[name], expected[name], name)


def test_what_the_frame_says_can_be_read_back():
    from planner.tables import csv_text

    seen = read("date,provider,sent,delivered\n2026-11-25,gmail,12,\n2026-11-27,163,5,5\n")
    assert read(csv_text(seen.to_frame())) == seen


def test_newest_first_tells_the_order_of_day_and_month():
    seen = read(
        "date,provider,sent\n03/12/2026,gmail,3\n02/12/2026,gmail,2\n01/12/2026,gmail,1\n", today=date(2027, 1, 1)
    )
    assert seen.days[0] == date(2026, 12, 1)
    assert_array_equal(seen.sent, [[1, 2, 3]])
    assert has(seen, "read with the day first")


def test_excel(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["Date", "Mailbox provider", "Sent", "Delivered"])
    book.active.append([datetime(2026, 11, 25), "Outlook.com", 10, 9])
    stream = io.BytesIO()
    book.save(stream)
    assert_array_equal(read(stream.getvalue()).sent, [[10]])
    path = tmp_path / "yesterday.xlsx"
    path.write_bytes(stream.getvalue())
    assert wp.read_observations(path, today=TODAY) == read(stream.getvalue())


def test_brands_and_campaigns_of_a_day_add_up():
    seen = read(
        "date,provider,campaign,sent,delivered\n2026-11-25,Hotmail,news,10,9\n2026-11-25,Outlook.com,news,5,5\n"
        "2026-11-25,Hotmail,offer,1,\n"
    )
    assert_array_equal(seen.sent, [[16]])
    assert_array_equal(seen.delivered, [[NAN]])  # of one campaign nobody knows
    assert has(seen, "'Hotmail', 'Outlook.com' were added up as microsoft")
    assert has(seen, "added up", "they differ in 'campaign'")


def test_the_same_row_twice_is_refused():
    with pytest.raises(InputError, match=r"Rows 2 and 3 are for the same provider and day \(2026-11-25\)"):
        read("date,provider,sent\n2026-11-25,gmail,10\n2026-11-25,Gmail,10\n")


def test_ips_and_numbered_campaigns_are_other_mail():
    for title, a, b in (("Sending IP", "192.0.2.1", "192.0.2.2"), ("Campaign ID", "7", "8")):
        seen = read(f"date,provider,{title},sent\n2026-11-25,gmail,{a},10\n2026-11-25,gmail,{b},5\n")
        assert_array_equal(seen.sent, [[15]])
        assert has(seen, f"they differ in '{title}'")


def test_a_remark_does_not_make_another_row():
    with pytest.raises(InputError, match="Rows 2 and 3"):
        read("date,provider,sent,notes\n2026-11-25,gmail,10,good\n2026-11-25,gmail,10,again\n")


def test_totals_and_titles_are_left_out_and_told():
    seen = read("date,provider,sent\n2026-11-25,gmail,10\n2026-11-25,Total,10\nsaid Ann,,\n2026-11-25,Others,4\n")
    assert seen.providers == ("gmail", "other")
    assert has(seen, "Row 3 is a total")
    assert has(seen, "Row 4 holds no counts")


def test_a_mark_for_no_number_is_not_known_and_not_0():
    seen = read("date,provider,sent,delivered,complaints\n2026-11-25,gmail,10,9,n/a\n2026-11-26,gmail,12,12,0\n")
    assert_array_equal(seen.complaints, [[np.nan, 0]])
    assert has(seen, "complaints: 'n/a' was read as not known, and not as 0")


def test_a_remark_beyond_the_headings_is_no_number():
    seen = read("date,provider,sent\n2026-11-25,gmail,10,the first day\n2026-11-26,gmail,12,\n")
    assert_array_equal(seen.sent, [[10, 12]])


def test_provider_and_day_can_be_given():
    seen = read("sent,delivered,complaints\n10,9,1\n", provider="Gmail", day=date(2026, 11, 25))
    assert seen.providers == ("gmail",)
    assert_array_equal(seen.complaints, [[1]])


def test_a_mapping_names_what_the_catalogue_does_not():
    seen = read("date,provider,sent\n2026-11-25,Our partner,10\n", mapping={"our partner": "corporate-gateways"})
    assert seen.providers == ("corporate-gateways",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,age\nann,5\n", "no row of headings that names counts"),
        ("date,provider,sent\n", "0 rows of counts"),
        ("date,sent\n2026-11-25,5\n", "no column of mailbox providers. Export it by provider"),
        ("provider,sent\ngmail,5\n", "no column of days"),
        ("date,provider,sent\n1,gmail,5\n", "Cell A2 is '1', the number of a day"),
        ("date,provider,sent\n2026-11-31,gmail,5\n", "Cell A2 is '2026-11-31', a day that no calendar has"),
        ("date,provider,sent\n2026-11-25,gmial,5\n", "Cell B2: Unknown provider 'gmial'. Did you mean 'gmail'"),
        ("date,provider,sent\n2026-11-25,,5\n", "Cell B2 is empty. Name the provider"),
        ("date,provider,sent\n2026-11-25,Gmail + Yahoo,5\n", "Cell B2 is 'Gmail [+] Yahoo', which is gmail and yahoo"),
        ("date,provider,sent\n2026-11-25,gmail,-5\n", r"Cell C2 \(sent\) is '-5', not a count"),
        (
            "date,provider,sent\n2026-11-25,gmail,0.98\n",
            r"Cell C2 \(sent\) is '0.98', not a count. It looks like a share",
        ),
        ("date,provider,delivered\n2026-11-25,gmail,98 %\n", r"Cell C2 \(delivered\) is '98 %', a share"),
        ("date,provider,sent\n2026-11-25,gmail,5e11\n", "not a count"),
        ("date,provider,sent\n2026-11-25,gmail,five\n", r"Cell C2 \(sent\) is 'five', not a number"),
        ("date,provider,sent,sent\n2026-11-25,gmail,5,6\n", "Two columns are called 'sent'"),
        ("date,provider,sent\n2026-11-25,Total,5\n", "0 rows"),
        (
            "date,provider,sent,delivered\n2026-11-25,gmail,1,200,1,187\n",
            "Row 2 goes on beyond .* commas part thousands",
        ),
        ("date,provider,sent,delivered\n2026-11-25,gmail,1200,1,187\n", r"beyond the last heading \('delivered'\)"),
    ],
)
def test_refusals_name_the_cell(text, said):
    with pytest.raises(InputError, match=said) as caught:
        read(text, name="yesterday.csv")
    assert caught.value.file == "yesterday.csv"


def test_rates_beside_counts_are_left_out():
    seen = read("date,provider,sent,delivered %,delivered,bounce rate\n2026-11-25,gmail,10,90,9,1 %\n")
    assert_array_equal(seen.delivered, [[9]])
    assert has(seen, "Left out: 'delivered %', 'bounce rate'")


def test_what_cannot_be_right_is_a_problem():
    seen = read(
        "date,provider,sent,delivered,deferred,attempts\n2026-11-25,gmail,10,12,30,20\n2027-11-26,gmail,1,1,0,1\n",
        name="a.csv",
    )
    said = [str(one) for one in seen.problems]
    assert any("12 messages delivered or given up, but only 10 sent" in text for text in said)
    assert any("30 deferred attempts, but attempts is 20" in text for text in said)
    assert any("2027 is still to come" in text for text in said)
    assert all(text.startswith("a.csv: ") for text in said)


def test_today_is_not_to_come():
    text = "date,provider,sent\n2026-11-25,gmail,10\n"
    assert read(text, today=date(2026, 11, 25)).problems == ()
    assert len(read(text, today=date(2026, 11, 24)).problems) == 1


def test_a_day_that_dwarfs_all_others():
    seen = read("date,provider,sent\n2026-11-25,gmail,12\n2026-11-26,gmail,1301\n2026-11-27,gmail,13\n")
    assert [one.text for one in seen.problems] == [
        "Gmail, Thu 26 Nov: 1,301 messages, and never more than 13 on another day. Check it."
    ]


def test_doubts_about_a_sender():
    sender = wp.Sender.from_dict(
        {
            "audience": {"providers": {"gmail": 60, "yahoo": 40}},
            "target": {"volume": 400},
            "send_days": "daily",
            "start": "2026-11-25",
            "n_ips": 1,
            "domain": "used",
        }
    )
    seen = read("date,provider,sent\n2026-11-24,gmail,10\n2026-11-25,gmail,50000\n2026-11-25,icloud,5\n")
    said = seen.doubts(sender)
    assert any("1 day lies before" in text for text in said)
    assert any("does not mail iCloud" in text for text in said)
    assert any("50,000 messages, but the target is 240 a day" in text for text in said)
    assert seen.doubts() == ()


# --- exports


EXPORTS = {
    "sendgrid": (
        """\
Date,Name,Blocks,Bounces,Clicks,Deferred,Delivered,Drops,Opens,Spam Reports,Unique Clicks,Unique Opens
2026-11-25,Gmail,3,2,50,40,95,1,70,1,40,60
2026-11-25,Yahoo!,0,1,5,4,9,0,7,0,4,6
""",
        "sent delivered deferred hard_bounced blocked complaints",
        [[100, 95, 40, 2, 3, 1], [10, 9, 4, 1, 0, 0]],
    ),
    "mailgun": (
        """\
time,recipient_provider,accepted_outgoing_count,delivered_count,temporary_failed_count,hard_bounces_count,\
permanent_failed_count,complained_count
"Wed, 25 Nov 2026 00:00:00 +0000",gmail.com,100,95,40,2,5,1
"Wed, 25 Nov 2026 00:00:00 +0000",yahoo.com,10,9,4,1,1,0
""",
        "sent delivered deferred hard_bounced complaints",
        [[100, 95, 40, 2, 1], [10, 9, 4, 1, 0]],
    ),
    "sparkpost": (
        """\
Mailbox Provider,Date,Injected,Delivered,Delayed,Delayed 1st Attempt,Hard Bounces,Soft Bounces,Block Bounces,\
Admin Bounces,Spam Complaints
Gmail,2026-11-25,100,95,40,12,2,1,2,0,1
Yahoo / AOL,2026-11-25,10,9,4,3,1,0,0,0,0
""",
        "sent delivered deferred first_deferred hard_bounced blocked complaints",
        [[100, 95, 40, 12, 2, 2, 1], [10, 9, 4, 3, 1, 0, 0]],
    ),
    "ses": (
        """\
Date,ISP,Send,Delivery,Transient bounce,Permanent bounce,Complaint
2026-11-25T00:00:00Z,Gmail,100,95,3,2,1
2026-11-25T00:00:00Z,Yahoo,10,9,0,1,0
""",
        "sent delivered hard_bounced complaints",
        [[100, 95, 2, 1], [10, 9, 1, 0]],
    ),
    "postmark": (
        """\
Date,Sent,Bounced,SMTPApiErrors,SpamComplaints
2026-11-25,100,5,0,1
""",
        "sent complaints",
        [[100, 1]],
    ),
    "mailchimp": (
        """\
Title,Send Date,Domain,Total Recipients,Successful Deliveries,Soft Bounces,Hard Bounces,Total Bounces,Abuse Complaints
"News, first","Nov 25, 2026 06:00 am",gmail.com,100,95,3,2,5,1
News,"Nov 25, 2026 06:00 am",yahoo.com,10,9,0,1,1,0
""",
        "sent delivered hard_bounced complaints",
        [[100, 95, 2, 1], [10, 9, 1, 0]],
    ),
    "brevo": (
        """\
date,requests,delivered,hardBounces,softBounces,clicks,opens,spamReports,blocked,invalid
2026-11-25,100,95,2,3,1,1,1,4,0
""",
        "sent delivered hard_bounced complaints",
        [[100, 95, 2, 1]],
    ),
}


@pytest.mark.parametrize("export", EXPORTS)
def test_exports_are_recognised(export):
    text, known, expected = EXPORTS[export]
    seen = read(text, provider="gmail")
    assert has(seen, f"Read as {vocabulary().exports[export].name}.")
    assert seen.providers == ("gmail", "yahoo")[: len(expected)]
    assert seen.days == (date(2026, 11, 25),)
    frame = seen.to_frame().dropna(axis=1, how="all")
    assert list(frame.columns[2:]) == known.split()
    assert frame[known.split()].to_numpy().tolist() == expected


def test_the_longest_sign_tells_the_export():
    seen = read(
        "date,provider,requests,sent,delivered,bounce rate,hardBounces,softBounces\n"
        "2026-11-25,gmail,100,99,95,2 %,2,3\n"
    )
    assert has(seen, "Read as Brevo transactional statistics.")


def test_every_export_is_tried():
    assert {*EXPORTS, "google-postmaster"} == set(vocabulary().exports)


def test_why_a_column_is_left_out_is_said():
    assert has(read(EXPORTS["mailgun"][0]), "'permanent_failed_count' was left out: hard bounces, blocks")
    assert has(
        read(EXPORTS["brevo"][0], provider="gmail"), "'blocked' was left out: contacts that Brevo itself did not mail"
    )
    assert has(read(EXPORTS["sendgrid"][0]), "delivered + hard bounced + blocked were added up")


def test_hours_of_a_day_add_up():
    seen = read(
        "date,isp,send,delivery,permanent bounce\n"
        "2026-11-25T08:00:00Z,Gmail,60,55,1\n2026-11-25T09:00:00Z,Gmail,40,40,1\n"
    )
    assert_array_equal(seen.sent, [[100]])
    assert has(seen, "Times were left out")


def test_small_providers_of_an_export_are_other():
    text = "date,mailbox provider,blocks,bounces,deferred,delivered,spam reports\n"
    seen = read(
        f"{text}2026-11-25,Gmail,0,0,0,9,0\n2026-11-25,Somebody Else,0,0,0,5,0\n2026-11-25,isp.example,0,0,0,4,0\n"
    )
    assert seen.providers == ("gmail", "other")
    assert_array_equal(seen.delivered, [[9], [9]])
    assert has(seen, "no provider is known by these names: 'Somebody Else'")


def test_shares_of_google_postmaster_are_explained():
    with pytest.raises(InputError, match="Google shows shares, not counts"):
        read("date,userReportedSpamRatio,domainReputation\n2026-11-25,0.001,HIGH\n")


def test_words_are_written_as_they_are_compared():
    from planner.inputs.provider_names import plain

    groups = [vocabulary().words, *(one.columns for one in vocabulary().exports.values())]
    words = [word for group in groups for choice in group.values() for word in choice]
    words += [word for one in vocabulary().exports.values() for sign in one.signs for word in (*sign, *one.left_out)]
    assert [word for word in words if plain(word) != word] == []
    known = {"date", "provider", *COLUMNS}
    assert all(set(group) <= known for group in groups)
    assert all(one.source.startswith("https://") for one in vocabulary().exports.values())


# --- nobody's name


@pytest.mark.parametrize(
    "text",
    [
        f"date,provider,sent\n2026-11-25,{CANARY}@gmail.com,1\n",
        f"date,provider,sent\n{CANARY}@gmail.com,gmail,1\n",
        f"date,provider,sent\n2026-11-25,gmail,{CANARY}@gmail.com\n",
        f"date,provider,sent,{CANARY}@gmail.com\n2026-11-25,gmail,1,2\n",
        f"date,provider,sent,campaign\n2026-11-25,gmail,1,{CANARY}@gmail.com\n",
        f"date,provider,sent\n2026-11-25,gmail,1\n{CANARY}@gmail.com,,\n",
        f"date,provider,sent\n2026-11-25,{CANARY}%40gmail.com,1\n",
        f"date,provider,sent\n2026-11-25,gmail,{CANARY}\uff20gmail.com\n",
        f"date,provider,blocks,bounces,deferred,delivered\n2026-11-25,from {CANARY}@gmail.com,1,1,1,1\n",
    ],
)
def test_addresses_in_a_table_go_nowhere(text):
    assert CANARY not in said_of(text)


def test_an_address_in_a_file_s_name_goes_nowhere():
    with pytest.raises(InputError) as caught:
        read("date,provider,sent\n2026-11-25,gmail,five\n", name=f"{CANARY}@gmail.com.csv")
    assert CANARY not in str(caught.value)


def said_of(text):
    try:
        seen = read(text)
    except InputError as error:
        return str(error)
    return repr(seen) + seen.to_json() + seen.summary() + seen._repr_html_()
