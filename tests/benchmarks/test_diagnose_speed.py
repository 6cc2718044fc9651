"""Is a diagnosis as fast as promised? A ratio within one run: seconds are the machine's."""

import pytest

from benchmarks.diagnose import timed

pytestmark = pytest.mark.alone

FASTER = 20.0
"""At least so many times as fast as searching the same wordings one after the other."""


def test_a_diagnosis_is_faster_than_a_loop_over_the_patterns():
    best = max((timed(2_000) for _ in range(3)), key=lambda speed: speed.diagnosed / speed.bare_loop)
    assert best.diagnosed > FASTER * best.bare_loop
