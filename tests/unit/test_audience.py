"""Who gets the mail: counts by provider and engagement segment."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from planner.errors import InputError
from planner.inputs.audience import Audience, Segment
from planner.inputs.checking import validated

SEGMENTS = [{"name": "engaged", "share": 30}, {"name": "rest", "share": 70}]


def audience(**changes):
    given = {"providers": {"gmail": 60, "yahoo": 40}, "segments": SEGMENTS}
    return validated(Audience, given | changes)


# --- how providers divide over the segments


def test_a_provider_divides_as_it_is_told_and_the_others_like_the_whole_list():
    found = audience(engagement={"yahoo": {"rest": 1, "engaged": 3}})
    assert_allclose(found.segment_shares_by_provider(), [[0.3, 0.7], [0.75, 0.25]])
    assert_allclose(found.segment_shares(), [0.3, 0.7])


def test_a_segment_that_is_not_named_holds_none():
    found = audience(engagement={"gmail": {"rest": 5}})
    assert_allclose(found.segment_shares_by_provider(), [[0, 1], [0.3, 0.7]])


def test_without_engagement_all_divide_alike():
    assert_allclose(audience().segment_shares_by_provider(), [[0.3, 0.7]] * 2)
    assert audience(engagement=None) == audience()


@pytest.mark.parametrize(
    ("engagement", "field", "says"),
    [
        ({"icloud": {"rest": 1}}, "engagement.icloud", "audience.engagement names a provider without a share"),
        ({"gmial": {"rest": 1}}, "engagement.gmial", "Did you mean 'gmail'?"),
        ({"gmail": {"rset": 1}}, "engagement.gmail.rset", "Unknown segment 'rset'. Did you mean 'rest'?"),
        ({"gmail": {"rest": -1}}, "engagement.gmail.rest", "at least 0"),
        ({"gmail": {"rest": "x"}}, "engagement.gmail.rest", "'x', not a number"),
        ({"gmail": {"rest": 0}}, "engagement.gmail", "no share above 0"),
        ({"gmail": {}}, "engagement.gmail", "no share above 0"),
        ({"gmail": 5}, "engagement.gmail", "not a group of fields"),
    ],
)
def test_what_engagement_may_not_say(engagement, field, says):
    with pytest.raises(InputError) as refused:
        audience(engagement=engagement)
    assert refused.value.field == field
    assert says in str(refused.value)


@pytest.mark.parametrize(("cap", "says"), [(0, "above 0"), (101, "at most 100"), ("often", "not a number")])
def test_a_frequency_cap_is_a_number_of_messages_a_week(cap, says):
    assert audience(size=100, segments=[SEGMENTS[0] | {"max_per_week": 3.5}]).segments[0].max_per_week == 3.5
    assert Segment(name="all", share=1, max_per_week="unknown").max_per_week is None
    with pytest.raises(InputError, match=says):
        audience(segments=[SEGMENTS[0] | {"max_per_week": cap}])


# --- counts


def test_counts_by_provider():
    found = Audience.from_counts({"gmail": 30, "icloud": 0, "other": 12})
    assert (found.providers, found.size) == ({"gmail": 30, "other": 12}, 42)
    assert found.segment_names == ("all",)


COUNTS = {"gmail": {"new": 30, "old": 10, "gone": 0}, "yahoo": {"old": 4}, "icloud": {"new": 0}}


def as_frame(counts):
    rows = [(name, segment, n) for name, parts in counts.items() for segment, n in parts.items()]
    return pd.DataFrame(rows, columns=["provider", "segment", "addresses"])


@pytest.mark.parametrize("counts", [COUNTS, as_frame(COUNTS)], ids=["dict", "frame"])
def test_counts_by_provider_and_segment(counts):
    found = Audience.from_counts(counts, domains={"yahoo": 3})
    assert (found.providers, found.size, found.domains) == ({"gmail": 40, "yahoo": 4}, 44, {"yahoo": 3})
    assert [(one.name, one.share) for one in found.segments] == [("new", 30), ("old", 14)]
    assert_allclose(found.segment_shares_by_provider(), [[0.75, 0.25], [0, 1]])
    # what the matrix says of the whole list is what the segments' shares say
    assert_allclose(found.provider_shares() @ found.segment_shares_by_provider(), found.segment_shares())


def test_a_frame_of_counts_needs_no_segments():
    frame = pd.DataFrame({"provider": [163, "gmail"], "addresses": np.array([2, 5])})
    assert Audience.from_counts(frame) == Audience.from_counts({"163": 2, "gmail": 5})


@pytest.mark.parametrize(
    ("counts", "says"),
    [
        ({}, "hold no address"),
        ({"gmail": 0}, "hold no address"),
        ({"gmail": -1}, "-1, not a count"),
        ({"gmail": "many"}, "'many', not a count"),
        ({"gmail": float("nan")}, "not a count"),
        ({"gmail": 1e13}, "from 0 to 1,000,000,000,000"),
        ({"gmial": 5}, "Did you mean 'gmail'?"),
        ({"gmail": {"new": 5}, "yahoo": 5}, "Name them for all, or for none"),
        (pd.DataFrame({"provider": ["gmail"] * 2, "addresses": [1, 2]}), "gmail twice"),
        (pd.DataFrame({"provider": ["gmail"], "segment": [np.nan], "addresses": [1]}), "no segment in row 1"),
        (pd.DataFrame({"provider": ["gmail"]}), "Give provider, segment, addresses"),
        (pd.DataFrame({"provider": ["gmail"], "addresses": [1], "email": ["x"]}), "Give provider, segment, addresses"),
    ],
)
def test_counts_that_are_none(counts, says):
    with pytest.raises(InputError) as refused:
        Audience.from_counts(counts)
    assert says in str(refused.value)
