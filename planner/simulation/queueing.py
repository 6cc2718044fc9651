"""The sender's queue in the slot loop: messages put into future slots, taken out when due, shared out."""

import numpy as np

from planner.simulation.compiling import inlined

_NEGLIGIBLE = 1e-9


@inlined
def put(count, age, start, bad, cells, occupied, at, cell, n, mean_age, mean_start, mean_bad):  # type: ignore[no-untyped-def]
    """Add n messages of these means to a cell of a slot; the arrays are those of `layout.Queue`."""
    if count[at, cell] <= 0.0:
        cells[at, occupied[at]] = cell
        occupied[at] += 1
    count[at, cell] += n
    age[at, cell] += n * mean_age
    start[at, cell] += n * mean_start
    bad[at, cell] += n * mean_bad


@inlined
def take(count, age, start, bad, cells, occupied, at, due, n_due, mean_age, mean_start, mean_bad):  # type: ignore[no-untyped-def]
    """Empty a slot into `due` cells, their messages and means; returns how many cells and messages."""
    n_cells = occupied[at]
    total = 0.0
    for i in range(n_cells):
        cell = cells[at, i]
        n = count[at, cell]
        due[i] = cell
        n_due[i] = n
        mean_age[i] = age[at, cell] / n
        mean_start[i] = start[at, cell] / n
        mean_bad[i] = bad[at, cell] / n
        total += n
        count[at, cell] = 0.0
        age[at, cell] = 0.0
        start[at, cell] = 0.0
        bad[at, cell] = 0.0
    occupied[at] = 0
    return n_cells, total


@inlined
def postpone(count, age, start, bad, cells, occupied, at, later, waited):  # type: ignore[no-untyped-def]
    """Move everything of one slot to another, `waited` seconds older, attempt numbers unchanged."""
    for i in range(occupied[at]):
        cell = cells[at, i]
        n = count[at, cell]
        older = age[at, cell] / n + waited
        put(
            count,
            age,
            start,
            bad,
            cells,
            occupied,
            later,
            cell,
            n,
            older,
            start[at, cell] / n,
            bad[at, cell] / n,
        )
        count[at, cell] = 0.0
        age[at, cell] = 0.0
        start[at, cell] = 0.0
        bad[at, cell] = 0.0
    occupied[at] = 0


@inlined
def clear(count, age, start, bad, cells, occupied):  # type: ignore[no-untyped-def]
    """Empty the whole ring."""
    for at in range(occupied.shape[0]):
        for i in range(occupied[at]):
            count[at, cells[at, i]] = 0.0
            age[at, cells[at, i]] = 0.0
            start[at, cells[at, i]] = 0.0
            bad[at, cells[at, i]] = 0.0
        occupied[at] = 0


@inlined
def share_out(left, n_cells, amount, among, u, sampled, part):  # type: ignore[no-untyped-def]
    """Take `amount` of the `among` undecided messages out of `left`, in proportion; `part` is what each cell gave.

    Whole messages in sampled mode: systematic sampling with a random start keeps every cell's mean.
    """
    seen = 0.0
    before = 0.0
    share = amount / among
    for i in range(n_cells):
        n = left[i]
        part[i] = 0.0
        if n <= 0.0:
            continue
        seen += n
        upto = seen * share
        if sampled:
            upto = amount if seen >= among else np.floor(upto + u)
        given = min(n, upto - before)
        before = upto
        part[i] = given
        left[i] = n - given if n - given > _NEGLIGIBLE else 0.0
