"""What counts as trouble: the share of a day's mail that met it, and the days that went wrong."""

import numpy as np

from planner.vocabulary import Bools, Floats

WRONG_SHARE, WRONG_MESSAGES = 0.10, 5
"""A day is wrong above this share of trouble, and from this many messages."""


def trouble_share_of(injected: Floats, first_trouble: Floats) -> Floats:
    """Return the trouble share of every day, in [0, 1]; 0 on a day without new mail."""
    return np.asarray(np.minimum(1.0, first_trouble / np.maximum(injected, 1.0)) * (injected > 0.0))


def wrong_days_of(injected: Floats, first_trouble: Floats) -> Bools:
    """Return which days are wrong: a trouble share above 10 %, and at least 5 such messages."""
    share = trouble_share_of(injected, first_trouble)
    return np.asarray((share > WRONG_SHARE) & (first_trouble >= WRONG_MESSAGES))
