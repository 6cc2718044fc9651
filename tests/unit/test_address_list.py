"""Lists of addresses as people export them: encodings, columns, dates, and who stands behind a domain."""

import gzip
import io
import json
from datetime import date

import pytest

import planner as wp
from planner.inputs import listfile, tally
from planner.inputs.columns import columns_of, domain_in

TODAY = date(2026, 11, 25)


def read(text, **options):
    content = text.encode() if isinstance(text, str) else text
    return wp.read_audience(io.BytesIO(content), **({"today": TODAY} | options))


def counts(found):
    """Addresses by provider and segment, without the empty cells."""
    rows = found.to_frame().to_dict("records")
    return {(row["provider"], row["segment"]): row["addresses"] for row in rows if row["addresses"]}


# --- what is counted

PLAIN = "ann@gmail.com\nBO@GoogleMail.com\n\ncy@hotmail.com\ndee@example.org\neve@example.org\nfay@shop.example.net\n"


def test_one_address_a_line():
    found = read(PLAIN)
    assert found.audience.providers == {"other": 3, "gmail": 2, "microsoft": 1}
    assert list(found.audience.providers) == ["other", "gmail", "microsoft"]
    assert (found.audience.size, found.rows) == (6, 6)
    assert found.audience.domains == {"other": 2}
    assert found.unmapped.to_dict("list") == {"domain": ["example.org", "shop.example.net"], "addresses": [2, 1]}
    assert not found.has_dates
    assert found.problems.empty
    assert "nobody knows who is engaged" in found.summary()
    assert found.audience == wp.Audience.from_addresses(PLAIN.splitlines()).model_copy(
        update={"providers": found.audience.providers}
    )


def test_segments_by_days_since_the_last_open():
    rows = ["2026-11-25", "2026-10-26", "2026-10-25", "2026-08-27", "2026-08-26", "2025-11-25", "2025-11-24", ""]
    found = read("email,last_open\n" + "".join(f"p{i}@gmail.com,{day}\n" for i, day in enumerate(rows)))
    assert counts(found) == {
        ("gmail", "engaged in 30 days"): 2,  # today, and 30 days ago
        ("gmail", "engaged in 90 days"): 2,
        ("gmail", "engaged in 365 days"): 2,
        ("gmail", "engaged before"): 1,
        ("gmail", "never engaged"): 1,
    }
    assert found.audience.segment_names == tuple(dict.fromkeys(found.to_frame()["segment"]))


def test_engagement_of_each_provider():
    found = read("email,last_open\na@gmail.com,2026-11-20\nb@gmail.com,\nc@aol.com,2026-11-20\n", engaged_days=[7])
    assert found.audience.engagement == {
        "gmail": {"engaged in 7 days": 1, "never engaged": 1},
        "yahoo": {"engaged in 7 days": 1, "never engaged": 0},
    }
    assert found.audience.segment_shares_by_provider().tolist() == [[0.5, 0.5], [1, 0]]


def test_the_latest_of_opens_and_clicks_counts():
    found = read("E-Mail;Last Open;Last Click\na@gmail.com;2020-01-01;2026-11-20\nb@gmail.com;2026-11-20;\n")
    assert counts(found) == {("gmail", "engaged in 30 days"): 2}


# --- how it is written

LINES = ["Name;E-Mail-Adresse;Letzte Öffnung", 'Müller, "Bö";a@gmail.com;2026-11-20', "Ann;b@example.org;"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_encodings_line_ends_separators(end, encoding, pack, separator):
    cells = [[cell.replace('"', "") for cell in line.split(";")] for line in LINES]
    quoted = [[f'"{cell}"' for cell in row] for row in cells]
    content = pack((end.join(separator.join(row) for row in quoted) + end).encode(encoding))
    assert counts(read(content)) == {("gmail", "engaged in 30 days"): 1, ("other", "never engaged"): 1}


def test_a_path_a_gzip_of_two_parts_and_no_last_line_end(tmp_path):
    path = tmp_path / "list.csv.gz"
    path.write_bytes(gzip.compress(b"email\na@gmail.com\nb@gm") + gzip.compress(b"ail.com\nc@aol.com") + b"\0" * 512)
    assert wp.read_audience(path).audience.providers == {"gmail": 2, "yahoo": 1}
    assert wp.read_audience(str(path)).rows == 3


def test_cells_of_several_lines_and_excels_first_line():
    found = read('sep=;\nnote;email\n"two\nlines; of text";a@gmail.com\n"""quoted""";b@gmail.com\nx;nobody\n')
    assert found.audience.providers == {"gmail": 2}
    assert found.problems.to_dict("records") == [{"line": 6, "kind": "no address"}]


@pytest.mark.parametrize(
    ("cell", "domain"),
    [
        ("ann@gmail.com", "gmail.com"),
        ("  ann@gmail.com ", "gmail.com"),
        ("ann@gmail.com.", "gmail.com"),
        ("ann smith <ann@gmail.com>", "gmail.com"),
        ("<ann@gmail.com>", "gmail.com"),
        ("mailto:ann@gmail.com", "gmail.com"),
        ("'ann@gmail.com'", "gmail.com"),
        ("jörg+x@bücher.example", "xn--bcher-kva.example"),
        ("a@XN--BCHER-KVA.example", "xn--bcher-kva.example"),
        ("a@BÜCHER。example", "xn--bcher-kva.example"),
        ("a_b.c-d'e@sub_1.example.co.uk", "sub_1.example.co.uk"),
        *((bad, None) for bad in ("", "ann", "ann@", "@gmail.com", "ann@gmail", "a b@gmail.com", "a@b@gmail.com")),
        *((bad, None) for bad in ("a@gmail..com", "a@.com", "a@[192.0.2.1]", "a@192.0.2.1", "a@gmail.com, b@aol.com")),
        *((bad, None) for bad in ("a\0b@gmail.com", "a@gm\0ail.com", f"a@{'x' * 64}.com", f"a@{'x.' * 130}com")),
        *((bad, None) for bad in ("a@gmail.c", "a@" + "ü" * 300 + ".com", "a@-ü.-", "=cmd|' /c calc'!a0")),
    ],
)
def test_the_domain_of_an_address(cell, domain):
    assert domain_in(cell.lower(), bare=False) == domain


@pytest.mark.parametrize("cell", ["gmail.com", "@gmail.com", "ann@gmail.com", " gmail.com. "])
def test_a_column_of_domains_takes_addresses_too(cell):
    assert domain_in(cell, bare=True) == "gmail.com"


# --- columns


@pytest.mark.parametrize(
    "name",
    [
        "email",
        "E-Mail",
        "Email Address",
        "EMAIL_ADDRESS",
        "e-mail address",
        "mail",
        "Adresse",
        "recipient",
        "E-Mail-Adresse",
    ],
)
def test_names_of_the_column_of_addresses(name):
    found = columns_of([["id", name], ["7", "x@y.example"]])
    assert (found.address, found.bare, found.header) == (1, False, True)


@pytest.mark.parametrize("name", ["domain", "Domain Name", "EMAIL DOMAIN", "Domäne"])
def test_names_of_the_column_of_domains(name):
    found = columns_of([[name, "n"], ["y.example", "7"]])
    assert (found.address, found.bare, found.header) == (0, True, True)


@pytest.mark.parametrize(
    ("name", "engaged"),
    [
        *((name, True) for name in ("last_engaged", "Last Open", "last_open_date", "LAST CLICK", "letzte Öffnung")),
        *(
            (name, True)
            for name in ("Last marketing email open date", "lastClickedAt", "Dernière ouverture", "last seen")
        ),
        *(
            (name, False)
            for name in ("opens", "last name", "last_open_campaign", "Last click URL", "signup date", "last")
        ),
    ],
)
def test_names_of_columns_of_engagement(name, engaged):
    assert columns_of([["email", name], ["x@y.example", ""]]).engaged == ((1,) if engaged else ())


def test_addresses_go_before_domains_whatever_the_order():
    assert columns_of([["domain", "email"], ["y.example", "x@y.example"]]).address == 1


def test_columns_without_names_are_known_by_what_they_hold():
    found = read("7,a@gmail.com,Ann,2026-11-20\n8,b@gmail.com,Bo,\n9,c@aol.com,Cy,2026-11-21\n")
    assert counts(found) == {
        ("gmail", "engaged in 30 days"): 1,
        ("gmail", "never engaged"): 1,
        ("yahoo", "engaged in 30 days"): 1,
    }
    assert "The column of dates was taken for last opens or clicks." in found.notes


def test_two_unnamed_columns_of_dates_tell_nothing():
    found = read("a@gmail.com,2026-11-20,2024-01-01\nb@aol.com,2026-11-20,2024-01-01\n")
    assert not found.has_dates


def test_an_unusual_name_is_said_by_the_person():
    text = "private,write to\na@gmail.com,b@aol.com\n"
    assert read(text, column="Write To").audience.providers == {"yahoo": 1}
    with pytest.raises(wp.InputError, match="no column 'where'") as refused:
        read(text, column="where")
    assert "private" not in str(refused.value)


def test_domains_alone():
    assert read("gmail.com\nexample.org\nGMAIL.com\n").audience.providers == {"gmail": 2, "other": 1}


# --- dates


@pytest.mark.parametrize(
    "day",
    [
        *("2026-11-20", "2026-11-20 23:59:59", "2026-11-20T08:00:00.123Z", "2026/11/20", "20261120", "20.11.2026"),
        *("20.11.26", "20 Nov 2026", "Nov 20, 2026", "November 20, 2026 8:15 PM", "20-Nov-26", "20. November 2026"),
        *("Fri, 20 Nov 2026 10:00:00 +0000", "1795132800", "1795132800123", " 2026-11-20 ", "11/20/2026 9:05"),
    ],
)
def test_dates_as_exports_write_them(day):
    found = read(f'email;last_open\na@gmail.com;"{day}"\n', engaged_days=[4, 5])
    assert counts(found) == {("gmail", "engaged in 5 days"): 1}


@pytest.mark.parametrize("cell", ["", "-", "NULL", "n/a", "never", "0000-00-00 00:00:00", "1970-01-01", r"\N"])
def test_what_stands_for_never(cell):
    found = read(f"email;last_open\na@gmail.com;{cell}\nb@gmail.com;2026-11-20\n")
    assert counts(found) == {("gmail", "engaged in 30 days"): 1, ("gmail", "never engaged"): 1}
    assert found.problem_counts == {}


def test_dates_that_do_not_exist_or_lie_ahead_count_as_never():
    text = "email;last_open\na@gmail.com;2026-02-30\nb@gmail.com;2026-12-24\nc@gmail.com;soon\nd@gmail.com;2026-11-26\n"
    found = read(text)
    assert counts(found) == {("gmail", "never engaged"): 3, ("gmail", "engaged in 30 days"): 1}
    assert found.problems.to_dict("list") == {
        "line": [2, 3, 4],
        "kind": ["no such date", "date in the future", "no such date"],
    }
    assert "2 lines with no such date (first: 2), counted as never engaged." in found.summary()


def dated(*days):
    return "email,last_open\n" + "".join(f"p{i}@gmail.com,{day}\n" for i, day in enumerate(days))


@pytest.mark.parametrize(
    ("days", "order", "guess", "recent"),
    [
        (["01/11/2026", "25/10/2026"], "day first", False, 1),  # 25 is no month; 1 November was 24 days ago
        (["11/01/2026", "10/25/2026"], "month first", False, 1),
        (["11/12/2026", "11/12/2026"], "month first", False, 2),  # 11 December is yet to come
        (["11/01/2026", "11/01/2026"], "day first", True, 0),  # 11 January or 1 November: nobody knows
        (["11/11/2026", "11/11/2026"], "", False, 2),  # both read alike
        (["01.11.2026", "2026-11-01"], "", False, 2),  # points are European
    ],
)
def test_the_order_of_day_and_month_is_the_lists(days, order, guess, recent):
    found = read(dated(*days))
    assert (found.date_order, found.order_is_a_guess) == (order, guess)
    assert counts(found).get(("gmail", "engaged in 30 days"), 0) == recent
    assert any("day_first=False" in note for note in found.notes) is guess


def test_the_person_knows_the_order():
    found = read(dated("11/01/2026"), day_first=False)
    assert counts(found) == {("gmail", "engaged in 30 days"): 1}
    assert not found.order_is_a_guess


def test_problems_are_those_of_the_order_that_is_meant():
    found = read(dated("13/10/2026", "14/10/2026", "10/13/2026"))
    assert found.date_order == "day first"
    assert found.problems["line"].tolist() == [4]


# --- whose domain it is


def test_a_mapping_knows_what_the_catalogue_does_not():
    mapping = {
        "Example.ORG": "google-workspace",
        "shop.example.net.": "corporate-gateways",
        "gmail.com": "yahoo",
        "x.example": "",
    }
    found = read(PLAIN, mapping=mapping)
    assert found.audience.providers == {"gmail": 2, "google-workspace": 2, "corporate-gateways": 1, "microsoft": 1}
    assert found.audience.domains == {"corporate-gateways": 1}
    assert found.unmapped.empty
    assert "Every domain belongs to a provider that is known." in found.summary()


@pytest.mark.parametrize(
    ("mapping", "says"),
    [
        ({"example.org": "gmial"}, "Entry 1 of the mapping: Unknown provider 'gmial'. Did you mean 'gmail'?"),
        ({"example.org": "gmail", "secret person": "gmail"}, "Entry 2 of the mapping names no domain"),
    ],
)
def test_a_mapping_that_makes_no_sense(mapping, says):
    with pytest.raises(wp.InputError, match="mapping") as refused:
        read(PLAIN, mapping=mapping)
    assert says in str(refused.value)
    assert "secret" not in str(refused.value)


def test_more_domains_than_can_be_told_apart_are_counted(monkeypatch):
    monkeypatch.setattr(tally, "MAX_DOMAINS", 10)
    found = read("".join(f"p@d{i % 500}.example\n" for i in range(1000)) + "a@gmail.com\n")
    assert found.audience.providers == {"other": 1000, "gmail": 1}
    assert len(found.unmapped) == 10
    assert found.unnamed == 980
    assert found.audience.domains["other"] == pytest.approx(500, abs=2)


def test_the_estimate_of_many_domains():
    seen = tally.DistinctCount()
    for i in range(300_000):
        seen.add(f"d{i % 150_000}.example")
    assert seen.estimate() == pytest.approx(150_000, rel=0.005)


# --- what is made of it

SENDER = {
    "audience": {
        "providers": {"gmail": 6, "yahoo": 3, "t-online": 1},
        "size": 1000,
        "segments": [
            {"name": "engaged in 30 days", "share": 1, "complaint_rate": 0.0001, "max_per_week": 2},
            {"name": "rest", "share": 4},
        ],
        "engagement": {"t-online": {"rest": 1}, "gmail": {"rest": 1}},
    },
    "target": {"volume": {"gmail": 60, "yahoo": 40, "t-online": 10}},
    "send_days": "daily",
    "n_ips": 1,
    "domain": "used",
    "start": "2027-01-11",
    "history": {"ip": {"gmail": 5, "t-online": 5}, "domain": 7},
    "admissions": {"t-online": "2027-02-01"},
}


def test_a_sender_gets_the_audience_and_keeps_what_still_fits():
    before = wp.Sender.from_dict(SENDER)
    after = read("email,last_open\na@gmail.com,2026-11-20\nb@aol.com,\n").for_sender(before)
    assert after.audience.providers == {"gmail": 1, "yahoo": 1}
    assert after.target.volume == 110
    assert (after.history.ip, after.history.domain, after.admissions) == ({"gmail": 5}, 7, {})
    first, last = after.audience.segments
    assert (first.name, first.share, first.complaint_rate, first.max_per_week) == ("engaged in 30 days", 1, 0.0001, 2)
    assert (last.name, last.complaint_rate, last.max_per_week) == ("never engaged", 0.0003, None)
    assert after.audience.segment_shares_by_provider().tolist() == [[1, 0], [0, 1]]
    assert (after.start, after.send_days) == (before.start, before.send_days)


def test_without_dates_the_segments_stay():
    after = read("a@gmail.com\nb@aol.com\n").for_sender(wp.Sender.from_dict(SENDER))
    assert after.audience.segment_names == ("engaged in 30 days", "rest")
    assert after.audience.engagement == {"gmail": {"rest": 1}}


def test_json_is_plain():
    found = read("email,last_open\na@gmail.com,2026-11-20\nnobody,\nc@example.org,\n")
    data = json.loads(found.to_json())
    assert wp.Audience.model_validate(data["audience"]) == found.audience
    assert data["problems"] == {"no address": {"rows": 1, "lines": [3]}}
    assert data["unmapped"] == {"example.org": 1}


def test_progress_and_cancel(monkeypatch):
    monkeypatch.setattr(listfile, "BLOCK", 64)
    shares = []
    read(PLAIN * 100, progress=lambda share, text: shares.append(share))
    assert shares == sorted(shares)
    assert (len(shares) > 20, shares[-1]) == (True, 1.0)

    def stop(share, text):
        raise wp.Cancelled

    with pytest.raises(wp.Cancelled):
        read(PLAIN, progress=stop)


@pytest.mark.parametrize("days", [(), (0,), (30.5,), ("30",), (1, 2, 3, 4, 5, 6, 7)])
def test_days_that_make_no_segments(days):
    with pytest.raises(wp.InputError, match="engaged_days"):
        read(PLAIN, engaged_days=days)


def test_todays_date_is_a_day():
    with pytest.raises(wp.InputError, match="today is 'tomorrow', not a date"):
        read(PLAIN, today="tomorrow")
