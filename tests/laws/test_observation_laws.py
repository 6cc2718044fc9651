"""Whatever was counted: no way out and back changes it, and neither does its order or reading it again."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from planner.errors import InputError
from planner.observing.observations import Observations, Problem
from planner.observing.rows import CAUSES, MEASURES
from planner.observing.table_file import read_observations

PROVIDERS = ("gmail", "yahoo", "microsoft", "163")
counts = st.one_of(st.just(float("nan")), st.integers(0, 10_000_000).map(float))
problems = st.builds(Problem, st.text(max_size=9), st.integers(0, 99), st.text(max_size=40))


@st.composite
def observations(draw, least_days=0, most_problems=130):
    providers = draw(st.lists(st.sampled_from(PROVIDERS), min_size=1, max_size=4, unique=True))
    first = date(2026, 11, 25) + timedelta(days=draw(st.integers(0, 5)))
    days = tuple(first + timedelta(days=d) for d in range(draw(st.integers(least_days, 4))))
    known = draw(st.lists(st.sampled_from(MEASURES), unique=True, max_size=4))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)

    def some(*shape):
        values = rng.integers(0, 10 ** rng.integers(1, 8, shape)).astype(float)
        return np.where(rng.random(shape) < 0.2, np.nan, values)

    shape = len(providers), len(days)
    arrays = {name: some(*shape) for name in known}
    if draw(st.booleans()):
        arrays["deferred_by_cause"] = some(*shape, len(CAUSES))
    told = [Problem("a.log", n, "cut off") for n in range(draw(st.integers(0, most_problems)))]
    notes = draw(st.lists(st.text(max_size=20), max_size=3))
    return Observations(tuple(providers), days, **arrays, problems=told, notes=notes)


def bare(seen):
    return Observations.from_dict(seen.to_dict() | {"problems": [], "n_problems": 0, "notes": []})


@given(seen=observations())
def test_json_round_trip(seen):
    assert Observations.from_json(seen.to_json()) == seen


@given(seen=observations(least_days=1))
def test_frame_round_trip(seen):
    assert Observations.from_frame(seen.to_frame()) == bare(seen)


@given(seen=observations(least_days=1), seed=st.integers(0, 2**32 - 1))
def test_order_of_rows_is_irrelevant(seen, seed):
    shuffled = seen.to_frame().sample(frac=1.0, random_state=seed)
    assert Observations.from_frame(shuffled) == bare(seen)


@given(a=observations(), b=observations())
def test_merging_twice_equals_once(a, b):
    once = a.merge(b)
    assert once.merge(b) == once
    assert a.merge(a) == a


@given(a=observations(), b=observations(), c=observations())
def test_merging_counts_does_not_depend_on_brackets(a, b, c):
    assert bare(a.merge(b).merge(c)) == bare(a.merge(b.merge(c)))


@given(a=observations(), b=observations())
def test_adding_does_not_depend_on_the_order(a, b):
    assert bare(a.add(b)) == bare(b.add(a))


@given(seen=observations(least_days=1), cut=st.integers(0, 12))
def test_days_apart_merge_into_the_whole(seen, cut):
    before = seen.until(seen.days[0] + timedelta(days=cut))
    assert bare(before.merge(seen)) == bare(seen)
    assert bare(seen.merge(before)) == bare(seen)


@given(one=problems)
def test_problems_say_one_line_and_are_stable(one):
    assert Problem(one.file, one.line, one.text) == one
    assert len(one.text) <= 300
    assert "\n" not in str(one)


heads = st.lists(
    st.sampled_from(["date", "provider", "sent", "delivered", "name", "blocks", "opens %", ""]), max_size=6
)
cells = st.one_of(
    st.sampled_from(
        ["2026-11-25", "1/2/2027", "3", "gmail", "Hotmail", "1.000", "1,5", "-", "Total", "12 %", "a@b.org"]
    ),
    st.text(max_size=6),
)


@given(rows=st.lists(st.lists(cells, max_size=6), max_size=6), head=heads, noise=st.binary(max_size=20))
def test_any_table_is_read_or_refused_in_words(rows, head, noise):
    text = "\n".join(",".join(row) for row in [head, *rows])
    for content in (text.encode("utf-8", "replace"), noise, text.encode("utf-8", "replace") + noise):
        with suppress(InputError):
            seen = read_observations(content, provider="gmail", day=date(2026, 11, 25))
            assert Observations.from_json(seen.to_json()) == seen
