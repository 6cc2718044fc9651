"""What a change of plans says of beliefs: numbers only for what a person can look up."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from planner.optimizer.difference import Changes
from planner.simulation.beliefs import PARAMETERS


def plan(values):
    beliefs = SimpleNamespace(
        providers=("gmail",), values=values[:, None, :], weights=np.full(len(values), 1 / len(values))
    )
    return SimpleNamespace(forecast=SimpleNamespace(beliefs=beliefs))


@pytest.mark.parametrize(("factor", "word"), [(4.0, "more"), (0.25, "less")])
def test_reputation_is_a_reason_in_words_without_a_number(factor, word):
    values = np.ones((50, len(PARAMETERS)))
    k = PARAMETERS.index("reputation_sensitivity")
    values[:, k] = np.linspace(0.05, 0.2, 50)
    moved = values.copy()
    moved[:, k] *= factor
    (text,) = Changes(plan(values), plan(moved))._believed("gmail")
    assert text == f"Believed now: reputation suffers from trouble {word} than assumed before."
