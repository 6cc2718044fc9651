"""The sender's queue in the slot loop: messages put into future slots, taken out when due, shared out."""

import numpy as np

from planner.simulation.compiling import compiled, inlined
from planner.simulation.layout import AGE, BAD, COUNT, N_CAUSES, N_FATES, START, Due, Queue, Rounds

_NEGLIGIBLE = 1e-9


@inlined
def _empty(mail, at, cell):  # type: ignore[no-untyped-def]
    mail[at, cell, COUNT] = 0.0
    mail[at, cell, AGE] = 0.0
    mail[at, cell, START] = 0.0
    mail[at, cell, BAD] = 0.0


@inlined
def put(queue, at, cell, n, age, start, bad):  # type: ignore[no-untyped-def]
    """Add n messages of these means to a cell of a slot of a `layout.Queue`."""
    mail = queue.mail
    if mail[at, cell, COUNT] <= 0.0:
        queue.cells[at, queue.occupied[at]] = cell
        queue.occupied[at] += 1
    mail[at, cell, COUNT] += n
    mail[at, cell, AGE] += n * age
    mail[at, cell, START] += n * start
    mail[at, cell, BAD] += n * bad


@inlined
def take(queue, at, due):  # type: ignore[no-untyped-def]
    """Empty a slot into a `layout.Due`; returns how many cells and messages."""
    mail = queue.mail
    n_cells = queue.occupied[at]
    total = 0.0
    for i in range(n_cells):
        cell = queue.cells[at, i]
        n = mail[at, cell, COUNT]
        due.cell[i] = cell
        due.left[i] = n
        due.age[i] = mail[at, cell, AGE] / n
        due.start[i] = mail[at, cell, START] / n
        due.bad[i] = mail[at, cell, BAD] / n
        total += n
        _empty(mail, at, cell)
    queue.occupied[at] = 0
    return n_cells, total


@inlined
def postpone(queue, at, later, waited):  # type: ignore[no-untyped-def]
    """Move everything of one slot to another, `waited` seconds older, attempt numbers unchanged."""
    mail = queue.mail
    for i in range(queue.occupied[at]):
        cell = queue.cells[at, i]
        n = mail[at, cell, COUNT]
        older = mail[at, cell, AGE] / n + waited
        put(queue, later, cell, n, older, mail[at, cell, START] / n, mail[at, cell, BAD] / n)
        _empty(mail, at, cell)
    queue.occupied[at] = 0


@inlined
def clear(queue, rounds):  # type: ignore[no-untyped-def]
    """Empty the whole queue, rounds included."""
    for at in range(queue.occupied.shape[0]):
        for i in range(queue.occupied[at]):
            _empty(queue.mail, at, queue.cells[at, i])
        queue.occupied[at] = 0
    for at in range(rounds.total.shape[0]):
        rounds.total[at] = 0.0
        for cell in range(rounds.count.shape[1]):
            rounds.count[at, cell] = 0.0


@inlined
def join_round(rounds, due, cell, n, u, sampled):  # type: ignore[no-untyped-def]
    """Add n messages, due after this many rounds, to the round before or after so that the mean is kept."""
    before = int(due)
    over = due - before
    if sampled:
        over = 1.0 if u < over else 0.0
    for later, share in ((before, 1.0 - over), (before + 1, over)):
        if share > 0.0:
            at = later % rounds.total.shape[0]
            rounds.count[at, cell] += n * share
            rounds.total[at] += n * share


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


@compiled
def empty_queue(n_firsts, n_attempts, ring_slots, n_rounds):  # type: ignore[no-untyped-def]
    """Make room for one provider's queue, used again for each scenario; returns Queue, Rounds and Due."""
    n_classes = (n_firsts + 1) * N_FATES
    n_cells = n_attempts * n_classes
    queue = Queue(
        np.zeros((ring_slots, n_cells, 4)),
        np.zeros((ring_slots, n_cells), np.int32),
        np.zeros(ring_slots, np.int64),
    )
    rounds = Rounds(np.zeros((n_rounds, n_attempts * n_firsts)), np.zeros(n_rounds))
    due = Due(
        np.zeros(n_cells, np.int64),
        np.zeros(n_cells),
        np.zeros(n_cells),
        np.zeros(n_cells),
        np.zeros(n_cells),
        np.zeros(n_cells),
        np.zeros(n_cells),
        np.zeros(n_cells),
        np.zeros((N_FATES, N_CAUSES)),
        np.zeros(n_cells, np.int64),
        np.zeros(n_cells, np.int64),
        np.zeros(n_cells, np.int64),
    )
    for cell in range(n_cells):
        place = cell % n_classes
        due.attempt[cell] = cell // n_classes
        due.group[cell] = place // N_FATES
        # the same luck however many first waits the other providers' policies have
        due.luck[cell] = cell // n_classes * 64 + (62 + place % N_FATES if due.group[cell] == n_firsts else place)
    return queue, rounds, due
