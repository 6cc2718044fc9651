"""The slots of one day at one provider, compiled: mail meets the provider, what is deferred waits for its next attempt.

All attempts of a slot share their chances, so a chance is drawn once on the sum and shared out in proportion.
"""

import numpy as np

from planner.simulation.compiling import borrowing, inlined
from planner.simulation.layout import (
    ATTEMPTS,
    BINS_PER_DOUBLING,
    BLOCKED,
    DEFERRED,
    DELAY_SECONDS,
    DELAYED,
    DELIVERED,
    DOUBT,
    EXPIRED,
    FIRST_4XX,
    FIRST_TROUBLE,
    GREYLISTING,
    HARD_BOUNCED,
    HOPELESS,
    LIMIT,
    N_CAUSES,
    N_DELAY_BINS,
    N_FATES,
    PENALTY,
    RESTED_SECONDS,
    SHORTEST_DELAY,
    STUCK,
    SYSTEM,
    W_AUTH_REFUSED,
    W_BASE_DEFERRAL,
    W_EXCESS_REJECTED,
    W_GREYLISTING_DELAY_SECONDS,
    W_HOURLY_SHARE,
    W_PENALTY_CHANCE,
    W_PENALTY_SLOTS,
    W_REJECTION_COST,
    W_STUCK_SHARE,
    W_TROUBLE_DEFERRAL,
    W_TROUBLE_ENDS,
    W_TROUBLE_STARTS,
)
from planner.simulation.luck import GOLDEN, MIX1, MIX2, mixed, part, uniform
from planner.simulation.queueing import join_round, postpone, put, share_out, take
from planner.vocabulary import HALF

_TROUBLE, _HOPELESS, _BAD, _SPLIT, _PENALTY, _AUTH, _GREY, _REJECT, _SHARE, _WAIT, _ONE = range(11)
_NOISE = 11
"""What luck is for; the cause is added to the noise."""

BUCKET, CLOSED_UNTIL, REST_UNTIL, TROUBLE, OLDEST = range(5)
"""What is carried over midnight: tokens, ends of penalty and rest (slots), is there trouble, oldest day held back."""

PENALTY_FROM = 0.02
"""Share of the day's allowance above which refusals may close the door."""

_NEGLIGIBLE = 1e-9
_MOST_PASSES = 64
_MOST_PARTS = 4
_FEW = 8


@borrowing
def run_day(  # type: ignore[no-untyped-def]
    d, p, w, today, retries, luck, sampled, slot_seconds, pace, limiter, held, queue, rounds, due, day, delays
):
    """Run the slots of day d at provider p.

    `w` (len(layout.WORLD), providers) one scenario's world; `today`, `retries`, `queue`, `rounds`, `due` as in
    `layout`; `pace` (slots,) cumulative shares of the day's mail; `limiter` (5,) see `BUCKET`, changed;
    `held` (days,) demand that may still wait, changed; `day` (N_ROWS,) and `delays` (N_DELAY_BINS,) are added to.
    """
    n_slots = pace.shape[0]
    length = queue.occupied.shape[0]
    pause_slots = retries.pause_slots
    closing, rejection_cost = w[W_PENALTY_SLOTS, p], w[W_REJECTION_COST, p]
    trouble_starts, trouble_ends = w[W_TROUBLE_STARTS, p], w[W_TROUBLE_ENDS, p]
    size = max(1.0, w[W_HOURLY_SHARE, p] * today.tolerated)
    refill = w[W_HOURLY_SHARE, p] * today.tolerated * slot_seconds / 3600.0
    bucket = size if limiter[BUCKET] < 0.0 else min(limiter[BUCKET], size)
    closed_until = limiter[CLOSED_UNTIL]
    rest_until = int(limiter[REST_UNTIL])
    trouble = limiter[TROUBLE] > 0.0
    oldest = int(limiter[OLDEST])
    used = 0.0
    refusals = 0.0
    injected = 0.0
    day_key = mixed(luck + np.uint64(d + 1) * MIX1)
    penalty_waits = uniform(day_key, _PENALTY) < w[W_PENALTY_CHANCE, p]

    start = d * n_slots
    next_round = start + (retries.round_slots // 2 - start) % retries.round_slots
    at = start % length - 1
    for i in range(n_slots):
        now = start + i
        at = at + 1 if at + 1 < length else 0
        slot_key = mixed(day_key + np.uint64(i + 1) * MIX2)
        flip = uniform(slot_key, _TROUBLE)
        trouble = flip >= trouble_ends if trouble else flip < trouble_starts
        system = w[W_TROUBLE_DEFERRAL, p] if trouble else w[W_BASE_DEFERRAL, p]
        bucket = min(size, bucket + refill)
        closed = now < closed_until
        hurt = False

        upto = today.volume * pace[i]
        if sampled:
            upto = np.floor(upto + HALF)
        new = upto - injected
        injected = upto
        if new > 0.0:
            age = 0.0
            if today.holds:
                held_days, oldest = days_held(held, oldest, d, new)
                age = 86400.0 * held_days
            hopeless = part(new, w[W_STUCK_SHARE, p], slot_key, _HOPELESS, sampled)
            for fate in range(N_FATES):
                n = hopeless if fate == HOPELESS else new - hopeless
                if n > 0.0:
                    put(queue, at, fate, n, age, age, today.bad_share)

        if now == next_round:
            next_round += retries.round_slots
            at_round = now // retries.round_slots % rounds.total.shape[0]
            if rounds.total[at_round] > 0.0 and now < rest_until:
                _leave_round(rounds, at_round, queue, at, retries)
            elif rounds.total[at_round] > 0.0:
                hurt = closed and not today.blocks
                _run_round(
                    rounds, at_round, today, closed, w[W_AUTH_REFUSED, p], system, retries, mixed(slot_key),
                    sampled, day,
                )  # fmt: skip

        if queue.occupied[at] > 0 and now < rest_until:
            postpone(queue, at, rest_until % length, (rest_until - now) * slot_seconds)
        passes = 0
        while queue.occupied[at] > 0:  # mail whose wait ends within the slot is due again
            passes += 1
            if passes > _MOST_PASSES and not sampled:  # flows shrink for ever
                postpone(queue, at, (at + 1) % length, slot_seconds)
                break
            key = mixed(slot_key + np.uint64(passes) * GOLDEN)
            n_cells, undecided = take(queue, at, due)
            day[ATTEMPTS] += undecided
            due.first_deferred[:] = 0.0
            if today.blocks:
                _block(due, n_cells, undecided, day)
                continue
            if closed:
                hurt = True
                _turn_away(due, n_cells, undecided, day)
            else:
                undecided = _defer(
                    due, n_cells, undecided, today, w[W_AUTH_REFUSED, p], system, w[W_GREYLISTING_DELAY_SECONDS, p],
                    retries, slot_seconds, key, sampled, day,
                )  # fmt: skip
                if undecided > _NEGLIGIBLE:
                    room = max(0.0, min(bucket, today.tolerated - used))
                    if sampled:
                        room = np.floor(room + 1e-9)
                    passing = min(undecided, room)
                    over = undecided - passing
                    _accept(due, n_cells, passing, undecided, key, sampled, day, delays)
                    bucket = max(0.0, bucket - passing - rejection_cost * over)
                    used = min(today.tolerated, used + passing + rejection_cost * over)
                    if over > 0.0:
                        refusals += over
                        rejected = _refuse(due, n_cells, over, w[W_EXCESS_REJECTED, p], key, sampled, day)
                        hurt = hurt or rejected < over
            _retry_later(due, n_cells, now, at, queue, rounds, retries, slot_seconds, key, sampled, day)

        if penalty_waits and refusals > PENALTY_FROM * today.tolerated:
            penalty_waits = False
            closed_until = now + 1 + closing
        if hurt and pause_slots > 0:
            rest_until = now + 1 + pause_slots

    limiter[BUCKET] = bucket
    limiter[CLOSED_UNTIL] = closed_until
    limiter[REST_UNTIL] = rest_until
    limiter[TROUBLE] = 1.0 if trouble else 0.0
    limiter[OLDEST] = oldest


@inlined
def days_held(held, oldest, d, n):  # type: ignore[no-untyped-def]
    """How long n messages were held back on average, first in first out, and the oldest day that still waits."""
    days = 0.0
    left = n
    while left > 0.0 and oldest <= d:
        sent = min(left, held[oldest])
        days += sent * (d - oldest)
        held[oldest] -= sent
        left -= sent
        if held[oldest] <= 1e-9:
            oldest += 1
    return days / n, min(oldest, d)


@inlined
def _block(due, n_cells, undecided, day):  # type: ignore[no-untyped-def]
    """Answer everything 5xx."""
    day[BLOCKED] += undecided
    for j in range(n_cells):
        if due.cell[j] < N_FATES:
            day[FIRST_TROUBLE] += due.left[j]


@inlined
def _turn_away(due, n_cells, undecided, day):  # type: ignore[no-untyped-def]
    """Defer everything: the provider's door is closed."""
    day[DEFERRED + PENALTY] += undecided
    for j in range(n_cells):
        cell = due.cell[j]
        n = due.left[j]
        due.deferred[j] = n
        due.again[j] = n
        due.left[j] = 0.0
        if cell < N_FATES:
            due.first_deferred[cell, PENALTY] = n
            day[FIRST_TROUBLE] += n


@inlined
def _defer(  # type: ignore[no-untyped-def]
    due, n_cells, undecided, today, refused_share, system, grey_delay, retries, slot_seconds, key, sampled, day
):
    """Refuse and defer all that never meets the limiter; returns how many messages do."""
    for j in range(n_cells):
        due.deferred[j] = 0.0
    refused = part(undecided, refused_share, key, _AUTH, sampled)
    if refused > 0.0:
        share_out(due.left, n_cells, refused, undecided, uniform(key, _SHARE), sampled, due.part)
        day[BLOCKED] += refused
        undecided -= refused
    for cause in (SYSTEM, DOUBT):
        n = part(undecided, system if cause == SYSTEM else today.doubt, key, _NOISE + cause, sampled)
        if n > 0.0:
            share_out(due.left, n_cells, n, undecided, uniform(key, _SHARE + 16 * cause), sampled, due.part)
            day[DEFERRED + cause] += n
            undecided -= n
            for j in range(n_cells):
                due.deferred[j] += due.part[j]
                if due.cell[j] < N_FATES:
                    due.first_deferred[due.cell[j], cause] += due.part[j]
    for j in range(n_cells):
        due.again[j] = due.deferred[j]
        if due.left[j] <= 0.0:
            continue
        cell = due.cell[j]
        chance = 0.0
        if cell < N_FATES:
            chance = today.greylisting
        elif due.group[cell] == retries.attempts.shape[0]:
            chance = _still_grey(due, j, grey_delay, retries, slot_seconds)
        if chance > 0.0:
            n = part(due.left[j], chance, key, _GREY + 16 * due.luck[cell], sampled)
            day[DEFERRED + GREYLISTING] += n
            due.deferred[j] += n
            due.again[j] += n
            due.left[j] -= n
            undecided -= n
            if cell < N_FATES:
                due.first_deferred[cell, GREYLISTING] += n
        if cell % N_FATES == HOPELESS:
            n = due.left[j]
            day[DEFERRED + STUCK] += n
            due.deferred[j] += n
            due.left[j] = 0.0
            undecided -= n
            if cell < N_FATES:
                due.first_deferred[cell, STUCK] += n
    return undecided


@inlined
def _still_grey(due, j, grey_delay, retries, slot_seconds):  # type: ignore[no-untyped-def]
    """Chance that mail greylisted before comes too early again."""
    k = due.attempt[due.cell[j]]
    chance = retries.early[k]
    if retries.pause_slots == 0:
        return chance
    # some of it may have rested on the way, a slot or more; both ends of the rest lie anywhere in their slots
    nominal = retries.nominal[retries.class_of_cause[GREYLISTING], k]
    extra = due.age[j] - due.start[j] - nominal
    rested = min(1.0, max(0.0, extra) / slot_seconds)
    ahead = grey_delay - nominal - max(slot_seconds, extra)
    spread = min(1.0, max(-1.0, ahead / slot_seconds))
    late = 0.5 * (1.0 + spread) ** 2 if spread < 0.0 else 1.0 - 0.5 * (1.0 - spread) ** 2
    return (1.0 - rested) * chance + rested * late


@inlined
def _accept(due, n_cells, passing, undecided, key, sampled, day, delays):  # type: ignore[no-untyped-def]
    """Let as many messages pass as the limiter has room for: they are delivered, or the address is bad."""
    if passing < undecided:
        share_out(due.left, n_cells, passing, undecided, uniform(key, _SPLIT), sampled, due.part)
    else:
        for j in range(n_cells):
            due.part[j] = due.left[j]
            due.left[j] = 0.0
    expected = 0.0
    for j in range(n_cells):
        expected += due.part[j] * due.bad[j]
    bounced = part(passing, expected / passing, key, _BAD, sampled) if expected > 0.0 else 0.0
    v = uniform(key, _SHARE + 16 * _BAD) if bounced > 0.0 else 0.0
    seen = 0.0
    before = 0.0
    for j in range(n_cells):
        n = due.part[j]
        if n <= 0.0:
            continue
        if bounced > 0.0:
            seen += n * due.bad[j]
            upto = bounced * (seen / expected)
            if sampled:
                upto = np.floor(upto + v) if seen < expected * (1.0 - 1e-12) else bounced
            gone = min(n, upto - before)
            before += gone
            day[HARD_BOUNCED] += gone
            n -= gone
        day[DELIVERED] += n
        if due.cell[j] >= N_FATES:
            day[DELAYED] += n
            day[DELAY_SECONDS] += n * due.age[j]
            delays[_delay_bin(due.age[j])] += n
        else:
            day[RESTED_SECONDS] += n * (due.age[j] - due.start[j])


@inlined
def _refuse(due, n_cells, over, rejected_share, key, sampled, day):  # type: ignore[no-untyped-def]
    """Defer what is above the limit, but for the part that is answered 5xx; returns that part."""
    for j in range(n_cells):
        if due.cell[j] < N_FATES:
            day[FIRST_TROUBLE] += due.left[j]
    rejected = part(over, rejected_share, key, _REJECT, sampled)
    if rejected > 0.0:
        share_out(due.left, n_cells, rejected, over, uniform(key, _SHARE + 16 * _REJECT), sampled, due.part)
        day[BLOCKED] += rejected
    day[DEFERRED + LIMIT] += over - rejected
    for j in range(n_cells):
        due.deferred[j] += due.left[j]
        if due.cell[j] < N_FATES:
            due.first_deferred[due.cell[j], LIMIT] += due.left[j]
    return rejected


@inlined
def _retry_later(due, n_cells, now, at, queue, rounds, retries, slot_seconds, key, sampled, day):  # type: ignore[no-untyped-def]
    """Put what was deferred where its next attempt is due; it expires if that would come too late."""
    n_firsts = retries.attempts.shape[0]
    n_classes = (n_firsts + 1) * N_FATES
    grey_class = retries.class_of_cause[GREYLISTING]
    for j in range(n_cells):
        total = due.deferred[j]
        if total <= 0.0:
            continue
        cell = due.cell[j]
        k = due.attempt[cell]
        group = due.group[cell]
        if k == 0:
            day[FIRST_4XX] += total
        # after a first attempt the cause decides wait and class; later only greylisted mail has two ways
        for way in range(DOUBT + 1 if k == 0 else 1 if group < n_firsts else 2):
            row = N_CAUSES - 1 + k
            to_group = group
            n = total
            if k == 0:
                row = way
                n = due.first_deferred[cell, way]
                to_group = n_firsts if way == GREYLISTING else retries.class_of_cause[way]
            elif group == n_firsts and way == 0:
                n = due.again[j]
            elif group == n_firsts:
                n = total - due.again[j]
                to_group = grey_class
            if n <= 0.0:
                continue
            if k + 1 >= retries.attempts[grey_class if to_group == n_firsts else to_group]:
                day[EXPIRED] += n
            elif cell % N_FATES == HOPELESS and to_group < n_firsts and retries.rounds[row] >= 1.0:
                due_round = (now - retries.round_slots // 2) / retries.round_slots + retries.rounds[row]
                u = uniform(key, _WAIT + 16 * (due.luck[cell] * 8 + way))
                join_round(rounds, due_round, (k + 1) * n_firsts + to_group, n, u, sampled)
            else:
                to = (k + 1) * n_classes + to_group * N_FATES + cell % N_FATES
                start = due.age[j] if k == 0 else due.start[j]
                lucky = due.luck[cell] * 8
                if sampled:
                    _wait(queue, at, to, n, row, retries, due.age[j], start, due.bad[j], key, lucky, way)
                else:
                    _wait_on_average(queue, at, to, n, row, retries, due.age[j], start, due.bad[j], slot_seconds)


@inlined
def _wait(queue, at, to, n, row, retries, age, start, bad, key, lucky, way):  # type: ignore[no-untyped-def]
    """Draw when n messages are due: systematic sampling of the due slots, every message's own law in a few parts."""
    n_due = retries.n[row]
    # where the destination rests, single messages decide when: they then get luck of their own
    one_by_one = retries.pause_slots > 0 and n <= _FEW and n_due > 1
    by_slot = n_due <= _MOST_PARTS and not one_by_one
    n_parts = n_due
    u = 0.0
    v = 0.0
    if n_due > 1:
        u = uniform(key, _WAIT + 16 * (lucky + way))
        if by_slot:
            v = u
        else:
            n_parts = int(n if one_by_one else min(n, _MOST_PARTS))
            v = uniform(key, _WAIT + 16 * (lucky + 6)) if n_parts > 1 else 0.0
    before = 0.0
    o = 0
    for number in range(n_parts):
        upto = (number + 1) / n_parts
        if by_slot:
            o = number
            upto = retries.share[row, o]
        elif one_by_one:
            o = _slot_of(retries.share[row], uniform(key, _ONE + 16 * (lucky * 16 + way * 8 + number)), 0)
        else:
            o = _slot_of(retries.share[row], (number + u) / n_parts, o)
        upto = n if number == n_parts - 1 else np.floor(n * upto + v)
        if upto > before:
            later = at + retries.first[row] + o
            put(
                queue, later % queue.occupied.shape[0], to, upto - before, age + retries.seconds[row, o], start, bad
            )  # fmt: skip
            before = upto


@inlined
def _wait_on_average(queue, at, to, n, row, retries, age, start, bad, slot_seconds):  # type: ignore[no-untyped-def]
    """Split n messages over the two slots around their mean wait."""
    mean = retries.mean[row]
    share = mean - np.floor(mean)
    for later, moved in ((int(mean), n * (1.0 - share)), (int(mean) + 1, n * share)):
        if moved > 0.0:
            put(queue, (at + later) % queue.occupied.shape[0], to, moved, age + mean * slot_seconds, start, bad)


@inlined
def _slot_of(shares, quantile, o):  # type: ignore[no-untyped-def]
    """Which due slot, from the o-th on, holds this quantile of the messages."""
    while o < shares.shape[0] - 1 and shares[o] <= quantile:
        o += 1
    return o


@borrowing
def _run_round(rounds, at, today, closed, refused_share, system, retries, key, sampled, day):  # type: ignore[no-untyped-def]
    """Try the hopeless mail of one round again: all of it fails, and waits for a later round or expires."""
    n_firsts = retries.attempts.shape[0]
    n_cells = rounds.count.shape[1]
    undecided = rounds.total[at]
    day[ATTEMPTS] += undecided
    if today.blocks:
        day[BLOCKED] += undecided
    elif closed:
        day[DEFERRED + PENALTY] += undecided
    else:
        if refused_share > 0.0:
            for cell in range(n_firsts, n_cells):
                lucky = cell // n_firsts * 64 + cell % n_firsts
                refused = part(rounds.count[at, cell], refused_share, key, _AUTH + 16 * lucky, sampled)
                rounds.count[at, cell] -= refused
                day[BLOCKED] += refused
                undecided -= refused
        for cause, chance in ((SYSTEM, system), (DOUBT, today.doubt)):
            n = part(undecided, chance, key, _NOISE + cause, sampled)
            day[DEFERRED + cause] += n
            undecided -= n
        day[DEFERRED + STUCK] += undecided
    rounds.total[at] = 0.0
    for cell in range(n_firsts, n_cells):
        n = rounds.count[at, cell]
        rounds.count[at, cell] = 0.0
        if n <= 0.0 or today.blocks:
            continue
        k = cell // n_firsts
        if k + 1 >= retries.attempts[cell % n_firsts]:
            day[EXPIRED] += n
        else:
            u = uniform(key, _WAIT + 16 * (k * 64 + cell % n_firsts))
            join_round(rounds, at + retries.rounds[N_CAUSES - 1 + k], cell + n_firsts, n, u, sampled)


@inlined
def _leave_round(rounds, at_round, queue, at, retries):  # type: ignore[no-untyped-def]
    """Move a round's mail to the queue, which finds the first slot after the rest."""
    n_firsts = retries.attempts.shape[0]
    for cell in range(n_firsts, rounds.count.shape[1]):
        n = rounds.count[at_round, cell]
        rounds.count[at_round, cell] = 0.0
        if n > 0.0:
            to = cell // n_firsts * (n_firsts + 1) * N_FATES + cell % n_firsts * N_FATES + HOPELESS
            put(queue, at, to, n, 0.0, 0.0, 0.0)
    rounds.total[at_round] = 0.0


@inlined
def _delay_bin(seconds):  # type: ignore[no-untyped-def]
    if seconds <= SHORTEST_DELAY:
        return 0
    return min(N_DELAY_BINS - 1, int(np.log2(seconds / SHORTEST_DELAY) * BINS_PER_DOUBLING) + 1)
