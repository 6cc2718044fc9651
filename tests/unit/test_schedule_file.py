"""Schedules that people bring: every layout worked by hand, every dialect, and what strangers make of them."""

import io
import re
import sys
import time
import zipfile
from datetime import date, datetime

import numpy as np
import openpyxl
import pytest

from planner.errors import InputError, PlannerError
from planner.inputs.schedule import Schedule
from planner.inputs.schedule_file import ScheduleFile, read_schedule, wide
from planner.inputs.sender import Sender
from planner.inputs.spreadsheet import MAX_BYTES, MAX_EXCEL_ROWS
from planner.tables import csv_text


def sender(providers=("gmail", "yahoo"), shares=(60, 40), **changes):
    """Friday 8 January 2027, weekdays only: send days 8, 11, 12, 13, 14, 15, 18 …"""
    data = {
        "audience": {"providers": dict(zip(providers, shares, strict=True))},
        "target": {"volume": 1000},
        "send_days": "weekdays",
        "n_ips": 1,
        "domain": "used",
        "start": "2027-01-08",
    }
    return Sender.from_dict({**data, **changes})


TWO = sender()
FIVE = sender(("gmail", "microsoft", "yahoo", "comcast", "other"), (50, 20, 20, 5, 5))


def read(text, own=TWO):
    return ScheduleFile.read(text.encode() if isinstance(text, str) else text, own, name="theirs.csv")


def totals(text, own=TWO):
    return read(text, own).schedule.total.tolist()


def refused(text, own=TWO):
    with pytest.raises(InputError) as caught:
        read(text, own)
    assert str(caught.value).startswith("theirs.csv:")
    assert len(str(caught.value)) < 600
    return str(caught.value)


def told(text, own=TWO):
    return " ".join(read(text, own).notes)


def excel(rows, title="Plan", merge=None, **others):
    """A workbook as bytes; further sheets by their name."""
    book = openpyxl.Workbook()
    sheets = [(book.active, title, rows), *((book.create_sheet(), name, more) for name, more in others.items())]
    for sheet, name, lines in sheets:
        sheet.title = name.replace("_", " ")
        for line in lines:
            sheet.append(line)
    if merge:
        book.active.merge_cells(merge)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


# --- long


def test_long_table_of_our_own():
    text = "provider,segment,date,volume\ngmail,all,2027-01-11,50\nyahoo,all,2027-01-12,20.5\n"
    found = read(text)
    assert found.schedule.dates[0] == date(2027, 1, 8)
    assert found.schedule.total.tolist() == [[0, 0, 0, 50, 0], [0, 0, 0, 0, 20.5]]
    assert found.notes == ()


def test_long_table_of_a_plan_leaves_out_what_the_plan_adds():
    text = "provider,date,volume,per_hour,p_421\ngmail,2027-01-08,50,5,0.1\nyahoo,2027-01-08,20,2,0.2\n"
    assert totals(text) == [[50], [20]]


def test_long_table_with_names_numbers_and_days_as_people_write_them():
    text = 'Provider;Date;Volume\nGoogle;Day 1;"1.000"\nAOL;Day 2;2 500\n'
    found = read(text)
    assert found.schedule.total.tolist() == [[1000, 0, 0, 0], [0, 0, 0, 2500]]
    assert "'AOL' was read as yahoo." in found.notes


# --- wide


@pytest.mark.parametrize(
    "days",
    [
        ("2027-01-08", "2027-01-11"),
        ("1", "2"),
        ("Day 1", "Day 2"),
        ("D1", "D2"),
        ("08.01.2027", "11.01.2027"),
        ("08/01/2027", "11/01/2027"),
        ("01/08/27", "01/11/27"),
        ("46395", "46398"),
        ("Fri 8 Jan 2027", "Mon 11 Jan 2027"),
        ("January 8 2027", "Jan 11 2027"),
        ("2027-01-08 00:00:00", "2027-01-11T00:00:00Z"),
    ],
)
def test_days_in_every_form(days):
    text = f"when\tGmail\tYahoo!\n{days[0]}\t50\t20\n{days[1]}\t100\t40\n"
    assert totals(text) == [[50, 0, 0, 100], [20, 0, 0, 40]]


def test_a_part_above_twelve_tells_day_and_month_apart():
    assert "day first" in told("Date,Volume\n12/01/2027,1\n13/01/2027,2\n")
    assert "month first" in told("Date,Volume\n01/12/2027,1\n01/13/2027,2\n")
    assert totals("Date,Volume\n01/12/2027,10\n01/13/2027,20\n")[0][4:] == [6, 12]


@pytest.mark.parametrize(
    "days", [("02/03/2027",), ("01/01/2028", "01/02/2028", "12/03/2028"), ("13/01/2027", "01/13/2027")]
)
def test_days_that_could_be_two_are_asked_for(days):
    text = "Date,Volume\n" + "".join(f"{day},5\n" for day in days)
    assert "Write year-month-day" in refused(text)


def test_numbers_count_send_days_and_spans_are_filled():
    text = "Day,Gmail,Others\n1-2,10,20\n4,30,40\n"
    found = read(text)  # Friday and Monday; Wednesday
    assert found.schedule.total.tolist() == [[10, 0, 0, 10, 0, 30], [20, 0, 0, 20, 0, 40]]
    assert "send day 3: nothing is sent there" in " ".join(found.notes)


def test_brands_of_one_provider_are_added_up_and_the_rest_is_split_by_shares():
    text = "Day,Gmail,Outlook.com and Hotmail,AOL,Yahoo!,Others\n1,10,8,3,4,11\n"
    found = read(text, FIVE)
    assert found.schedule.total.tolist() == [[10], [8], [7], [6], [5]]  # comcast and other share 11
    assert "'AOL' and 'Yahoo!' were added up as yahoo." in found.notes
    assert "'Others' was split over comcast, other by the audience's shares." in found.notes


def test_a_column_for_two_providers_is_split():
    found = read("Day,Google,Yahoo/AOL + Comcast,Rest\n1,10,25,5\n", FIVE)
    assert found.schedule.total.tolist() == [[10], [4], [20], [5], [1]]


def test_one_column_of_volumes_is_for_all_mail():
    found = read("Day,Volume\n1,1000\n2,2001\n")
    assert found.schedule.total.tolist() == [[600, 0, 0, 1201], [400, 0, 0, 800]]
    assert "'Volume' was split over your 2 providers by the audience's shares." in found.notes
    assert totals("volume\n10\n20\n") == [[6, 0, 0, 12], [4, 0, 0, 8]]


def test_a_table_by_provider_and_day_across_is_turned():
    text = "ISP,Day 1,Day 2\nGmail,100,200\nYahoo!,50,70\nTotal,150,270\n"
    assert totals(text) == [[100, 0, 0, 200], [50, 0, 0, 70]]
    assert "Cell B4 (Total) is 250, but its row adds up to 150" in refused(text.replace("150", "250"))


@pytest.mark.parametrize("corner", ["Provider", "Mailbox provider", "ISP", ""])
def test_whatever_stands_in_the_corner(corner):
    assert totals(f"{corner},Day 1,Day 2\nGmail,100,200\nYahoo!,50,70\n") == [[100, 0, 0, 200], [50, 0, 0, 70]]


def test_dates_win_over_numbers_of_days_beside_them():
    found = read("Day,Date,Run,Gmail,Yahoo\n1,2027-01-09,1,5,6\n2,2027-01-10,2,7,8\n")
    assert found.schedule.total.tolist() == [[0, 5, 7], [0, 6, 8]]
    assert found.notes == ("Left out: 'Day', 'Run'.",)


def test_titles_above_totals_below_and_notes_beside_are_left_out():
    text = "My warmup;;;\n;;;\nWeek;Day;Gmail;Yahoo;Notes\n1;1;50;20;slow\n;2;;-;\nTotal;;50;20;\n"
    found = read(text)
    assert found.schedule.total.tolist() == [[50, 0, 0, 0], [20, 0, 0, 0]]
    assert "Left out: 'Week', 'Notes'." in found.notes
    assert any(note.startswith("Row 6 ('Total') is no day") for note in found.notes)


@pytest.mark.parametrize(
    ("cells", "value"),
    [
        (["1,000"], 1000), (["1.000"], 1000), (["1 000"], 1000), (["1\u202f000"], 1000), (["1'000"], 1000),
        (["1,234,567"], 1_234_567), (["1.234.567"], 1_234_567), (["1,234.5"], 1234.5), (["1.234,5"], 1234.5),
        (["12,5"], 12.5), (["0.125"], 0.125), (["-"], 0), ([""], 0), (["1e3"], 1000),
        (["2.500", "0.5"], 2.5),  # the other value shows that the point is the decimal sign
        (["2,500", "0.5"], 2500),
    ],
)  # fmt: skip
def test_numbers_as_people_write_them(cells, value):
    rows = "".join(f"{n};{cell};{n}\n" for n, cell in enumerate(cells, 1))
    assert totals("Day;Gmail;Yahoo\n" + rows)[0][0] == value


def test_a_guessed_separator_is_told_and_a_contradiction_refused():
    assert "Cell B2 (Gmail) is '1.000': it was read as 1,000." in told("Day;Gmail;Yahoo\n1;1.000;2\n")
    said = refused("Day;Gmail;Yahoo\n1;1.5;1.000.000\n")
    assert "Cell B2 (Gmail) is '1.5', but Cell C2 (Yahoo) is '1.000.000'" in said


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_encodings_and_separators(encoding, separator):
    text = "Tag größer|Gmail|Yahoo\r\n1|50|20\r\n2|60|30\r\n".replace("|", separator)
    found = read(text.encode(encoding))
    assert found.schedule.total.tolist() == [[50, 0, 0, 60], [20, 0, 0, 30]]
    assert ("The file is not UTF-8; it was read as Windows-1252." in found.notes) == (encoding == "cp1252")


def test_sources_may_be_paths_bytes_and_open_files(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("Day,Gmail,Yahoo\n1,5,6\n")
    expected = read_schedule(path, TWO)
    assert read_schedule(str(path), TWO) == read_schedule(path.read_bytes(), TWO) == expected
    with path.open("rb") as stream:
        assert read_schedule(stream, TWO) == expected
    upload = io.BytesIO(path.read_bytes())
    assert read_schedule(upload, TWO) == read_schedule(upload, TWO) == expected
    path.write_text("Day,Gmail,Yahoo\n1,5,x\n")
    with path.open("rb") as stream, pytest.raises(InputError, match=r"a\.csv: Cell C2 \(Yahoo\) is 'x'"):
        read_schedule(stream, TWO)


# --- Adobe


GROUPS = [["Domain group", "Domains"], ["Hotmail", "hotmail.com", "hotmail.fr"], ["Luma", "luma.com", "luma.it"]]
HEAD = ["Phase", "Run", "Gmail", "Hotmail", "Yahoo", "Orange", "Luma", "Others", "Engagement Days"]


def test_adobe_plan_worked_by_hand():
    rows = [
        ["Properties", "Value"],
        HEAD,
        [1, 1, 100, 40, 50, 0, 3, 20, 30],
        [None, 2, 200, 80, 100, 0, 6, 40, 30],
        [2, 1, 400, 160, 200, 0, 12, 80, 60],
    ]
    found = read(excel(rows, "IP Warmup Plan", Custom_Domain_Group=GROUPS), FIVE)
    # Friday, Monday, Tuesday; Others over comcast and other alike, and Luma's domains are among the others
    assert found.schedule.total.tolist() == [
        [100, 0, 0, 200, 400],
        [40, 0, 0, 80, 160],
        [50, 0, 0, 100, 200],
        [10, 0, 0, 20, 40],
        [13, 0, 0, 26, 52],
    ]
    assert "Runs were counted as your send days from the start, one a day." in found.notes
    assert "'Luma' is the file's own group of domains: other." in found.notes
    assert "Left out: 'Phase', 'Engagement Days'." in found.notes


def test_adobe_phases_as_blocks_and_no_others():
    head = ["Run", "Gmail", "Microsoft", "Targeted", "Engagement Days"]
    rows = [["Phase 1"], head, [1, 10, 5, 15, 30], [2, 20, 10, 30, 30], [], ["Phase 2"], head, [1, 40, 20, 60, 60]]
    found = read(excel(rows), FIVE)
    assert found.schedule.total.tolist() == [[10, 0, 0, 20, 40], [5, 0, 0, 10, 20], *[[0] * 5] * 3]
    assert "No column for yahoo, comcast, other, and none called Others: they get no mail." in found.notes


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({(2, 1): 3}, "Cell B3 is run 3, after run 1. Number the runs one by one, from 1."),
        ({(0, 6): "Luna"}, "Column G ('Luna') names no provider"),
        ({(1, 5): 7}, "Column F ('Orange') is orange-fr, which is not in audience.providers"),
        ({(3, 2): -5}, "Cell C4 (Gmail) is -5. Write a number from 0"),
        ({(2, 3): True}, "Cell D3 (Hotmail) is true, not a number"),
    ],
)
def test_adobe_plans_are_refused_by_cell(change, says):
    rows = [list(HEAD), [1, 1, 1, 1, 1, 0, 0, 1, 30], [None, 2, 1, 1, 1, 0, 0, 1, 30], [2, 1, 1, 1, 1, 0, 0, 1, 30]]
    for (r, c), value in change.items():
        rows[r][c] = value
    assert says in refused(excel(rows, Custom_Domain_Group=GROUPS), FIVE)


# --- Excel


def test_excel_dates_merged_titles_and_other_sheets():
    rows = [["Our plan"], ["Date", "Gmail", "Yahoo"], [date(2027, 1, 8), 5, 6.5], [datetime(2027, 1, 11), 7, None]]
    found = read(excel(rows, merge="A1:C1", Remarks=[["nothing"]]))
    assert found.schedule.total.tolist() == [[5, 0, 0, 7], [6.5, 0, 0, 0]]
    assert found.notes == ("The sheet 'Plan' was read, and no other.",)
    assert read(excel([["hello"]], Table=rows)).schedule == found.schedule


def test_formulas_are_the_values_they_had():
    content = excel([["Day", "Gmail", "Yahoo"], [1, "=2+3", 6]])
    assert "Cell B2 of 'Plan' holds a formula that was never computed" in refused(content)
    computed = rewritten(content, lambda xml: re.sub(rb"<v ?/>|<v></v>", b"<v>5</v>", xml))
    assert totals(computed) == [[5], [6]]


def rewritten(content, change, member="xl/worksheets/sheet1.xml"):
    """The workbook with one part changed."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new:
        for item in old.infolist():
            data = old.read(item)
            new.writestr(item.filename, change(data) if item.filename == member else data)
    return stream.getvalue()


PLAIN = excel([["Day", "Gmail", "Yahoo"], [1, 5, 6]])
LAUGHS = b"".join(b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 10))
HOSTILE = {
    "a bomb": (rewritten(PLAIN, lambda xml: xml + b" " * 30_000_000), "unpacks to more than 25 MB"),
    "laughs": (
        rewritten(PLAIN, lambda xml: b'<!DOCTYPE l [<!ENTITY l0 "ha">%s]><worksheet><v>&l9;</v></worksheet>' % LAUGHS),
        "damaged",
    ),
    "a billion rows": (rewritten(PLAIN, lambda xml: xml.replace(b'<row r="2"', b'<row r="1000000000"')), "0 rows"),
    "a far column": (rewritten(PLAIN, lambda xml: xml.replace(b'r="C2"', b'r="ZZZZZZ2"')), "damaged"),
    "many columns": (excel([["Day", "Gmail", *["Yahoo"] * 300]]), "more than 250 columns"),
    "many rows": (excel([["Day", "Gmail", "Yahoo"], *[[1, 2, 3]] * MAX_EXCEL_ROWS]), "more than 20,000 rows"),
    "cut off": (PLAIN[:3000], "damaged"),
    "cut off inside": (rewritten(PLAIN, lambda xml: xml[:300]), "damaged"),
    "no workbook": (rewritten(PLAIN, lambda _: b"", "xl/workbook.xml"), "damaged"),
    "another archive": (zipfile.ZipFile(archive := io.BytesIO(), "w").close() or archive.getvalue(), "."),
    "no zip": (b"PK\x03\x04" + bytes(500), "damaged"),
    "old Excel": (b"\xd0\xcf\x11\xe0" + bytes(500), "old Excel file (.xls) or has a password"),
    "an error": (rewritten(PLAIN, lambda xml: xml.replace(b'r="C2" t="n"><v>6', b'r="C2" t="e"><v>#REF!')), "'#REF!'"),
    "large": (b"x" * (MAX_BYTES + 1), "is larger than 10 MB"),
    "nothing": (b"", "is no table"),
    "control characters": (b"Day,Gmail\n1,\x07\n", "holds a control character"),
    "a quote": (b'Day,Gmail\n"1,5\n', "is no table"),
    "a long cell": (b"Day,Gmail\n1," + b"9" * 200_000, "is no table"),
    "a long number": (b"Day,Gmail,Yahoo\n1,2," + b"9" * 100_000, "not a number"),
    "many groups": (b"Day,Gmail,Yahoo\n1,2," + b"1.000" * 20_000, "not a number"),
    "addresses": (b"email\na@example.org\nb@example.org\n", "Cell A2 holds an e-mail address"),
}


@pytest.mark.alone
@pytest.mark.parametrize("name", HOSTILE)
def test_files_of_strangers(name):
    content, says = HOSTILE[name]
    begin = time.process_time()
    assert says in refused(content)
    assert time.process_time() - begin < 4.0


def test_a_declared_size_is_not_believed():
    grown = rewritten(PLAIN, lambda xml: xml.replace(b'ref="A1:C2"', b'ref="A1:XFD1048576"'))
    assert totals(grown) == [[5], [6]]


def test_without_openpyxl_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(PlannerError, match=r"warmup-planner\[excel\]"):
        read(PLAIN)


# --- what is wrong


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Day,Gmial,Yahoo\n1,2,3\n", "Column B ('Gmial') names no provider. Did you mean 'gmail'?"),
        ("Day,Gmail\n1,2\n", "lacks the provider 'yahoo' that the sender mails. Add a column for it, or one called"),
        ("Day,Gmail,Yahoo,Hotmail\n1,2,3,4\n", "Column D ('Hotmail') is microsoft, which is not in audience.providers"),
        ("Day,Gmail,Gmail,Yahoo\n1,2,3,4\n", "Two columns are called 'Gmail'"),
        ("Day,Gmail,Others,Rest\n1,2,3,4\n", "'Others' and 'Rest' mean the same"),
        ("Day,Gmail,Yahoo,Others\n1,2,3,4\n", "'Others' is for no one"),
        ("Day,Total,Gmail,Others\n1,9,2,3\n", "Cell B2 (Total) is 9, but its row adds up to 5"),
        ("Day,Gmail,Yahoo\n1,2,12k\n", "Cell C2 (Yahoo) is '12k', not a number. Write digits only: 12000."),
        ("Day,Gmail,Yahoo\n1,2,3\ntomorrow,4,5\n", "Cell A3 is 'tomorrow', not a day"),
        ("Day,Gmail,Yahoo\n1,2,3\n2027-01-11,4,5\n", "but Cell A2 is '1': dates and numbers of days mix"),
        ("Day,Gmail,Yahoo\n1,2,3\n1,4,5\n", "Cell A3 is 2027-01-08, and so is cell A2"),
        ("Day,Gmail,Yahoo\n3-1,2,3\n", "Number the days from 1 to 730, upwards"),
        ("Day,Gmail,Yahoo\n700,2,3\n", "You have 521 send days within 730 days; the table wants 700"),
        ("Day,Gmail,Yahoo\n2027-01-07,2,3\n", "begins on 2027-01-07, before the sender's start 2027-01-08"),
        ("Day,Gmail,Yahoo\n2037-01-07,2,3\n", "check the years"),
        ("Day,Gmail,Yahoo\n2027-02-30,2,3\n", "Cell A2 is '2027-02-30', a day that no calendar has"),
        ("Day,Gmail,Yahoo\n", "0 rows of volumes"),
        ("provider,date,volume\ngmail,2027-01-08,5,6\n", "Cell D2 is '6', under no heading"),
        ("provider,date,volume\ngmial,2027-01-08,5\n", "lacks the provider 'gmail'"),
    ],
)  # fmt: skip
def test_tables_are_refused_by_cell(text, says):
    assert says in refused(text)


# --- and back


def test_our_own_comes_back_from_a_wide_table():
    volume = np.array([[[5, 0, 0, 7.125]], [[1, 2, 3, 1000]]])
    own = Schedule(("gmail", "yahoo"), ("all",), TWO.dates(4), volume)
    for separator in (",", ";"):
        assert read(csv_text(wide(own), separator)).schedule == own
