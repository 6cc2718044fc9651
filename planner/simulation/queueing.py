"""The sender's queue in the slot loop: messages put into future slots, taken out when due, shared out."""

import numpy as np

from planner.simulation.compiling import inlined
from planner.simulation.layout import AGE, BAD, COUNT, START

_NEGLIGIBLE = 1e-9


@inlined
def _empty(mail, at, cell):  # type: ignore[no-untyped-def]
    mail[at, cell, COUNT] = 0.0
    mail[at, cell, AGE] = 0.0
    mail[at, cell, START] = 0.0
    mail[at, cell, BAD] = 0.0


@inlined
def put(mail, cells, occupied, at, cell, n, age, start, bad):  # type: ignore[no-untyped-def]
    """Add n messages of these means to a cell of a slot; the arrays are those of `layout.Queue`."""
    if mail[at, cell, COUNT] <= 0.0:
        cells[at, occupied[at]] = cell
        occupied[at] += 1
    mail[at, cell, COUNT] += n
    mail[at, cell, AGE] += n * age
    mail[at, cell, START] += n * start
    mail[at, cell, BAD] += n * bad


@inlined
def take(mail, cells, occupied, at, due, n_due, age, start, bad):  # type: ignore[no-untyped-def]
    """Empty a slot into `due` cells, their messages and means; returns how many cells and messages."""
    n_cells = occupied[at]
    total = 0.0
    for i in range(n_cells):
        cell = cells[at, i]
        n = mail[at, cell, COUNT]
        due[i] = cell
        n_due[i] = n
        age[i] = mail[at, cell, AGE] / n
        start[i] = mail[at, cell, START] / n
        bad[i] = mail[at, cell, BAD] / n
        total += n
        _empty(mail, at, cell)
    occupied[at] = 0
    return n_cells, total


@inlined
def postpone(mail, cells, occupied, at, later, waited):  # type: ignore[no-untyped-def]
    """Move everything of one slot to another, `waited` seconds older, attempt numbers unchanged."""
    for i in range(occupied[at]):
        cell = cells[at, i]
        n = mail[at, cell, COUNT]
        older = mail[at, cell, AGE] / n + waited
        put(mail, cells, occupied, later, cell, n, older, mail[at, cell, START] / n, mail[at, cell, BAD] / n)
        _empty(mail, at, cell)
    occupied[at] = 0


@inlined
def clear(mail, cells, occupied):  # type: ignore[no-untyped-def]
    """Empty the whole ring."""
    for at in range(occupied.shape[0]):
        for i in range(occupied[at]):
            _empty(mail, at, cells[at, i])
        occupied[at] = 0


@inlined
def join_round(count, total, due, cell, n, u, sampled):  # type: ignore[no-untyped-def]
    """Add n messages, due after this many rounds, to the round before or after so that the mean is kept."""
    before = int(due)
    over = due - before
    if sampled:
        over = 1.0 if u < over else 0.0
    for later, share in ((before, 1.0 - over), (before + 1, over)):
        if share > 0.0:
            at = later % total.shape[0]
            count[at, cell] += n * share
            total[at] += n * share


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
