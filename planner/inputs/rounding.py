"""Whole messages: rounding that keeps the day's total."""

from __future__ import annotations

import numpy as np

from planner.vocabulary import Floats


def whole_messages(volume: Floats) -> Floats:
    """Round each day's volumes to whole messages whose sum is the day's rounded total.

    Largest remainder: everybody gets the whole part, and what is left goes to the largest remainders (ties: to the
    first).

    Parameters
    ----------
    volume : (providers, days) float array, messages

    Returns
    -------
    (providers, days) float array, messages
        Whole numbers, each less than one message away.

    Examples
    --------
    >>> whole_messages(np.array([[33.4], [33.3], [33.3]]))[:, 0]
    array([34., 33., 33.])
    """
    floor = np.floor(volume)
    left = np.floor(volume.sum(axis=0) + 0.5) - floor.sum(axis=0)
    rank = np.argsort(np.argsort(floor - volume, axis=0, kind="stable"), axis=0)
    return np.asarray(floor + (rank < left), dtype=np.float64)
