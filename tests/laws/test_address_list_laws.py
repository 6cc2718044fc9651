"""Laws of counted lists: cut into blocks or not, in any order, nothing is lost, and it is what a slow count says."""

import csv
import io
from collections import Counter
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import planner as wp
from planner.inputs import listfile

TODAY = date(2026, 11, 25)
few = settings(max_examples=60)

locals_ = st.text("abcdefghijklmnopqrstuvwxyz0123456789.+_'é", min_size=1, max_size=12)
domains = st.sampled_from(["gmail.com", "Hotmail.com", "aol.com", "EXAMPLE.org", "bücher.example", "a-b.example.net"])
addresses = st.builds("{}@{}".format, locals_, domains)
rubbish = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=15)
notes = st.text("ab \",;\n'é", max_size=8)
days = st.none() | st.integers(0, 2000).map(lambda n: (TODAY - timedelta(days=n)).isoformat())


def read(content, **options):
    return wp.read_audience(io.BytesIO(content), today=TODAY, **options)


@st.composite
def tables(draw):
    rows = draw(st.lists(st.tuples(addresses | rubbish, notes, days | rubbish), min_size=1, max_size=30))
    text = io.StringIO()
    writer = csv.writer(
        text, delimiter=draw(st.sampled_from(",;\t")), lineterminator=draw(st.sampled_from(["\n", "\r\n", "\r"]))
    )
    writer.writerow(["email", "note", "last_open"])
    writer.writerows([("ann@gmail.com", "", ""), *rows])
    return text.getvalue().encode(draw(st.sampled_from(["utf-8", "utf-16"])))


@few
@given(
    content=tables() | st.binary(max_size=300).map(lambda noise: b"email\nann@gmail.com\n" + noise),
    block=st.integers(4, 100),
)
def test_blocks_do_not_matter(content, block):
    whole = read(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listfile, "BLOCK", block)
        assert read(content) == whole


@few
@given(
    rows=st.lists(st.tuples(addresses | rubbish.filter(lambda t: t.strip(" ") and '"' not in t), days), min_size=1),
    seed=st.randoms(use_true_random=False),
)
def test_the_order_of_rows_does_not_matter(rows, seed):
    def counted(some):
        lines = [f"{address.replace(',', '').replace(chr(9), '')},{day or ''}" for address, day in some]
        return read("\n".join(["email,last_open", "ann@gmail.com,", *lines]).encode())

    first = counted(rows)
    seed.shuffle(rows)
    again = counted(rows)
    assert again.audience == first.audience
    assert again.other_domains == first.other_domains
    assert again.problem_counts == first.problem_counts


@few
@given(rows=st.lists(st.tuples(locals_, domains, st.none() | st.integers(0, 2000)), min_size=1))
def test_a_slow_count_says_the_same(rows):
    def segment(age):
        if age is None:
            return "never engaged"
        return next((f"engaged in {n} days" for n in (30, 90, 365) if age <= n), "engaged before")

    provider = {"gmail.com": "gmail", "Hotmail.com": "microsoft", "aol.com": "yahoo"}
    expected = Counter((provider.get(domain, "other"), segment(age)) for _, domain, age in rows)
    lines = [f"{local}@{domain};{'' if age is None else TODAY - timedelta(days=age)}" for local, domain, age in rows]
    found = read("\n".join(["email;last_open", *lines]).encode())
    frame = found.to_frame()
    assert {(p, s): n for p, s, n in frame.to_numpy() if n} == dict(expected)
    assert found.rows == found.audience.size == len(rows)
    assert sum(found.other_domains.values()) == found.audience.providers.get("other", 0)


@few
@given(content=st.binary(max_size=2000))
def test_noise_is_counted_or_refused_in_words(content):
    try:
        found = read(content)
    except wp.InputError:
        return
    assert found.audience.size + found.problem_counts.get("no address", 0) == found.rows
