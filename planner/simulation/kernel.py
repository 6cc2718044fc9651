"""The slot loop of the simulation, compiled: arrays in, arrays out, one scenario and provider at a time.

Messages are counts, never objects. Those that wait lie in a ring of future slots, by attempt number and class. A
class is a fate drawn at birth (good address, bad address, hopeless mailbox) and the wait before the first
retry, on which the lifetime depends; greylisted mail has a class of its own until the provider's delay is over.
Mail to hopeless mailboxes, which no limiter ever sees, is tried again in hourly rounds: half the work otherwise.
Cost depends on slots, not on messages.

Random numbers are hashed from (seed, scenario, provider, slot, what for): every plan meets the same luck,
and the bits do not depend on threads or chunks. All attempts of a slot share their chances, so a chance is drawn
once on the sum and shared out in proportion.
"""

from typing import Any

import numpy as np

from planner.simulation.compiling import borrowing, compiled, inlined
from planner.simulation.layout import (
    ALLOWANCE,
    ATTEMPTS,
    BINS_PER_DOUBLING,
    BLOCKED,
    DEFERRED,
    DELAY_SECONDS,
    DELAYED,
    DELIVERED,
    DOUBT,
    ESTABLISHED,
    EXPIRED,
    FIRST_4XX,
    FIRST_TROUBLE,
    GREYLISTING,
    HARD_BOUNCED,
    HOLD,
    HOPELESS,
    INJECTED,
    LIMIT,
    N_CAUSES,
    N_DELAY_BINS,
    N_FATES,
    N_ROWS,
    OVERFLOW,
    PENALTY,
    QUEUED,
    REPUTATION,
    SHORTEST_DELAY,
    SKIP,
    SPREAD,
    STUCK,
    SYSTEM,
    W_AUTH_REFUSED,
    W_BASE_DEFERRAL,
    W_BLOCK_BELOW,
    W_ESTABLISHED,
    W_EXCESS_REJECTED,
    W_GREYLISTING_DELAY_SECONDS,
    W_GREYLISTING_FADE,
    W_GREYLISTING_PROBABILITY,
    W_HOURLY_SHARE,
    W_PENALTY_CHANCE,
    W_PENALTY_SLOTS,
    W_REJECTION_COST,
    W_STUCK_SHARE,
    W_TROUBLE_DEFERRAL,
    W_TROUBLE_ENDS,
    W_TROUBLE_STARTS,
    Due,
    Inputs,
    Queue,
    Rounds,
)
from planner.simulation.luck import GOLDEN, MIX1, MIX2, mixed, part, uniform
from planner.simulation.memory import overnight, reputation_deferral, tolerated_today
from planner.simulation.queueing import clear, join_round, postpone, put, share_out, take

_TROUBLE, _HOPELESS, _BAD, _SPLIT, _PENALTY, _AUTH, _GREY, _REJECT, _SHARE, _WAIT, _ONE = range(11)
_NOISE = 11

BUCKET, CLOSED_UNTIL, REST_UNTIL, TROUBLE, OLDEST = range(5)
"""What is carried over midnight: tokens, ends of penalty and rest (slots), is there trouble, oldest day held back."""

POINTER, STEP, GOOD_POINTER, ANY_GOOD, RESTING = range(5)
"""The reaction's state: stage pointer, step, last good pointer, was there one, rest days to come."""

_PENALTY_FROM = 0.02
_NEGLIGIBLE = 1e-9
_HALF = 0.5 + 1e-9
"""Half messages round up, also those that arithmetic leaves a hair below."""
_MOST_PASSES = 64
_MOST_PARTS = 4
_FEW = 8


def run_chunk(first: int, last: int, inputs: Inputs, out: Any, delays: Any) -> None:
    """Simulate scenarios first..last-1; see `layout.Inputs` for what goes in.

    Parameters
    ----------
    out : (N_ROWS, scenarios, providers, days) float array, written
        Rows `layout.COUNTS`, then deferrals by cause in the order of `vocabulary.Cause`.
    delays : (scenarios, providers, N_DELAY_BINS) float array, written
        Delivered messages that were deferred at first, by delay.
    """
    _chunk(first, last, inputs, out, delays)


@compiled
def _chunk(first, last, inp, out, delays):  # type: ignore[no-untyped-def]
    n_classes = (inp.attempts.shape[1] + 1) * N_FATES
    n_cells = inp.nominal.shape[2] * n_classes
    cells = np.arange(n_cells)
    queue = Queue(
        np.zeros((inp.ring_slots, n_cells, 4)),
        np.zeros((inp.ring_slots, n_cells), np.int32),
        np.zeros(inp.ring_slots, np.int64),
    )
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
        cells // n_classes,
        cells % n_classes // N_FATES,
        _lucky(cells, n_classes),
    )
    n_rounds = int(inp.wait_rounds.max()) + 3
    rounds = Rounds(np.zeros((n_rounds, inp.nominal.shape[2] * inp.attempts.shape[1])), np.zeros(n_rounds))
    held = np.zeros(inp.volume.shape[1])
    for s in range(first, last):
        for p in range(inp.volume.shape[0]):
            _provider(s, p, inp, out, delays[s, p], queue, rounds, due, held)


@compiled
def _provider(s, p, inp, out, delays, queue, rounds, due, held):  # type: ignore[no-untyped-def]
    """All days of one scenario at one provider."""
    w = inp.world[s]
    memory = (w[W_ESTABLISHED, p], 1.0, 0.0, 0.0, 0.0)
    clear(queue.mail, queue.cells, queue.occupied)
    rounds.count[:] = 0.0
    rounds.total[:] = 0.0
    day = np.zeros(N_ROWS)
    limiter = np.array([-1.0, -1.0, 0.0, 0.0, 0.0])
    mind = np.array([0.0, 1.0, 0.0, 0.0, 0.0])
    backlog = np.zeros(1)
    last_seven = np.zeros(7)
    segment_peaks = np.zeros(inp.mix.shape[2])
    complaint_rate = 0.0
    queued = 0.0
    active_days = 0.0

    for d in range(inp.volume.shape[1]):
        day[:] = 0.0
        established, reputation = memory[0], memory[1]
        tolerated = tolerated_today(w, p, established, reputation)
        day[REPUTATION] = reputation
        day[ALLOWANCE] = tolerated
        day[ESTABLISHED] = established
        volume = _todays_volume(p, d, inp, mind, backlog, day)
        held[d] = inp.demand[p, d]
        bad_share = 0.0
        if volume > 0.0:
            bad_share, complaint_rate = _todays_rates(p, d, inp, mind, volume, segment_peaks)
        by_reputation = reputation < w[W_BLOCK_BELOW, p]
        today = (
            tolerated,
            reputation_deferral(reputation),
            w[W_GREYLISTING_PROBABILITY, p] * np.exp(-w[W_GREYLISTING_FADE, p] * active_days),
            by_reputation or d < inp.opens[p],
            volume,
            bad_share,
            inp.overflow == HOLD,
        )
        _slots(
            d, p, w, today, inp.keys[s, p], inp.sampled, inp.slot_seconds, inp.pause_slots[p], inp.pace[p],
            inp.attempts[p], inp.class_of_cause[p], inp.wait_first[p], inp.wait_n[p], inp.wait_share[p],
            inp.wait_seconds[p], inp.wait_mean[p], inp.wait_rounds[p], inp.nominal[p], inp.early[s, p],
            inp.round_slots, limiter, held, queue, rounds, due, day, delays,
        )  # fmt: skip

        queued += day[INJECTED] - day[DELIVERED] - day[HARD_BOUNCED] - day[BLOCKED] - day[EXPIRED]
        day[QUEUED] = max(0.0, queued)
        for row in range(N_ROWS):
            out[row, s, p, d] = day[row]
        last_seven[d % 7] = day[DELIVERED]
        memory = overnight(
            w,
            p,
            memory,
            day[DELIVERED],
            day[HARD_BOUNCED],
            volume,
            tolerated,
            complaint_rate,
            last_seven.max(),
        )
        if day[DELIVERED] >= 0.5:
            active_days += 1.0

        trouble_share = min(1.0, day[FIRST_TROUBLE] / volume) if volume > 0.0 else 0.0
        if inp.reaction.shape[0] > 0 and volume > 0.0:
            _react(
                inp.reaction,
                inp.n_stages[p],
                trouble_share,
                day[FIRST_TROUBLE],
                by_reputation and day[BLOCKED] > 0.0,
                mind,
            )


@compiled
def _todays_volume(p, d, inp, mind, backlog, day):  # type: ignore[no-untyped-def]
    """The day's new messages."""
    demand = inp.demand[p, d]
    wanted = demand
    if demand > 0.0 and inp.overflow == SPREAD:
        wanted = max(demand, min(inp.target[p], demand + backlog[0]))
    elif demand > 0.0 and inp.overflow == HOLD:
        wanted = demand + backlog[0]
    volume = inp.volume[p, d]
    if inp.reaction.shape[0] > 0 and volume > 0.0:
        if mind[RESTING] > 0.0:
            mind[RESTING] -= 1.0
            volume = 0.0
        else:
            stage = _stage(inp.stage_volume[p], inp.n_stages[p], mind[POINTER])
            volume = min(stage, min(wanted, inp.ceiling[p, d]))
    if inp.sampled:
        volume = np.floor(volume + _HALF)
    day[INJECTED] = volume
    if demand > 0.0:
        backlog[0] = max(0.0, backlog[0] + demand - volume)
    day[OVERFLOW] = max(0.0, demand - volume) if inp.overflow == SKIP else backlog[0]
    return volume


@compiled
def _held_days(held, oldest, d, n):  # type: ignore[no-untyped-def]
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


@compiled
def _stage(stages, n_stages, pointer):  # type: ignore[no-untyped-def]
    """Volume at a real-valued pointer: geometric between two stages, halved below the first."""
    if pointer < 0.0:
        return max(1.0, stages[0] / 2.0 ** (-pointer))
    low = int(pointer)
    if low >= n_stages - 1:
        return stages[n_stages - 1]
    x = pointer - low
    return stages[low] if x == 0.0 else stages[low] ** (1.0 - x) * stages[low + 1] ** x


@compiled
def _todays_rates(p, d, inp, mind, volume, peaks):  # type: ignore[no-untyped-def]
    """Share of bad addresses and complaint rate of the segments that are mailed today."""
    low = high = d
    between = 0.0
    if inp.reaction.shape[0] > 0:
        last = inp.n_stages[p] - 1
        position = min(max(mind[POINTER], 0.0), float(last))
        low = inp.stage_day[p, int(position)]
        high = inp.stage_day[p, min(last, int(position) + 1)]
        between = position - int(position)
    bad = 0.0
    complaints = 0.0
    for g in range(peaks.shape[0]):
        share = (1.0 - between) * inp.mix[p, low, g] + between * inp.mix[p, high, g]
        first_contacts = volume * share if inp.transactional else max(0.0, volume * share - peaks[g])
        peaks[g] = max(peaks[g], volume * share)
        bad += first_contacts * inp.hard_bounce_rate[p, g]
        complaints += share * inp.complaint_rate[p, g]
    return bad / volume, complaints


@borrowing
def _slots(  # type: ignore[no-untyped-def]
    d, p, w, today, luck, sampled, slot_seconds, pause_slots, pace, attempts, class_of_cause, wait_first, wait_n,
    wait_share, wait_seconds, wait_mean, wait_rounds, nominal, early, round_slots, limiter, held, queue, rounds,
    due, day, delays,
):  # fmt: skip
    """All slots of one day: new mail and retries meet the provider, deferred mail goes back to the queue."""
    tolerated, doubt, greylisting, blocks, volume, bad_share, holds = today
    mail, cells, occupied = queue
    round_count, round_total = rounds
    (
        cell_of,
        left,
        mean_age,
        mean_start,
        mean_bad,
        part_of,
        deferred,
        again,
        first_deferred,
        attempt_of,
        group_of,
        luck_of,
    ) = due
    hourly_share, rejection_cost, penalty_slots, excess_rejected = (
        w[W_HOURLY_SHARE, p],
        w[W_REJECTION_COST, p],
        w[W_PENALTY_SLOTS, p],
        w[W_EXCESS_REJECTED, p],
    )
    grey_delay, base_deferral, hopeless_share, trouble_deferral = (
        w[W_GREYLISTING_DELAY_SECONDS, p],
        w[W_BASE_DEFERRAL, p],
        w[W_STUCK_SHARE, p],
        w[W_TROUBLE_DEFERRAL, p],
    )
    trouble_starts, trouble_ends, auth_refused = (
        w[W_TROUBLE_STARTS, p],
        w[W_TROUBLE_ENDS, p],
        w[W_AUTH_REFUSED, p],
    )
    n_firsts = attempts.shape[0]
    n_classes = (n_firsts + 1) * N_FATES
    grey_class = class_of_cause[GREYLISTING]
    length = occupied.shape[0]
    n_slots = pace.shape[0]
    size = max(1.0, hourly_share * tolerated)
    # where the destination rests, single messages decide when: they then get luck of their own
    few = _FEW if pause_slots > 0 else 0.0
    half_round = round_slots // 2
    refill = hourly_share * tolerated * slot_seconds / 3600.0
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

    for i in range(n_slots):
        now = d * n_slots + i
        at = now % length
        slot_key = mixed(day_key + np.uint64(i + 1) * MIX2)
        flip = uniform(slot_key, _TROUBLE)
        trouble = flip >= trouble_ends if trouble else flip < trouble_starts
        bucket = min(size, bucket + refill)
        upto = volume * pace[i]
        if sampled:
            upto = np.floor(upto + _HALF)
        new = upto - injected
        injected = upto
        if new > 0.0:
            age = 0.0
            if holds:
                held_days, oldest = _held_days(held, oldest, d, new)
                age = 86400.0 * held_days
            hopeless = part(new, hopeless_share, slot_key, _HOPELESS, sampled)
            for fate in range(N_FATES):
                n = hopeless if fate == HOPELESS else new - hopeless
                if n > 0.0:
                    put(mail, cells, occupied, at, fate, n, age, age, bad_share)
        hurt = False
        at_round = now // round_slots % round_total.shape[0]
        if now % round_slots == half_round and round_total[at_round] > 0.0:
            if now < rest_until:  # the ring finds the first slot after the rest
                for cell in range(n_firsts, round_count.shape[1]):
                    n = round_count[at_round, cell]
                    round_count[at_round, cell] = 0.0
                    if n > 0.0:
                        in_ring = cell // n_firsts * n_classes + cell % n_firsts * N_FATES + HOPELESS
                        put(mail, cells, occupied, at, in_ring, n, 0.0, 0.0, 0.0)
                round_total[at_round] = 0.0
            else:
                chance = trouble_deferral if trouble else base_deferral
                hurt = now < closed_until and not blocks
                _round(
                    round_count, round_total, at_round, blocks, now < closed_until, auth_refused, chance, doubt,
                    attempts, wait_rounds, mixed(slot_key), sampled, day,
                )  # fmt: skip
        if occupied[at] > 0 and now < rest_until:
            postpone(
                mail,
                cells,
                occupied,
                at,
                rest_until % length,
                (rest_until - now) * slot_seconds,
            )

        passes = 0
        while occupied[at] > 0:
            passes += 1
            if passes > _MOST_PASSES and not sampled:  # flows shrink for ever
                postpone(mail, cells, occupied, at, (at + 1) % length, slot_seconds)
                break
            key = mixed(slot_key + np.uint64(passes) * GOLDEN)
            n_cells, undecided = take(
                mail,
                cells,
                occupied,
                at,
                cell_of,
                left,
                mean_age,
                mean_start,
                mean_bad,
            )
            day[ATTEMPTS] += undecided
            first_deferred[:] = 0.0

            if blocks:
                day[BLOCKED] += undecided
                for j in range(n_cells):
                    if cell_of[j] < N_FATES:
                        day[FIRST_TROUBLE] += left[j]
                continue
            if now < closed_until:
                hurt = True
                day[DEFERRED + PENALTY] += undecided
                for j in range(n_cells):
                    cell = cell_of[j]
                    deferred[j] = left[j]
                    again[j] = left[j]
                    left[j] = 0.0
                    if cell < N_FATES:
                        first_deferred[cell, PENALTY] = deferred[j]
                        day[FIRST_TROUBLE] += deferred[j]
                undecided = 0.0
            else:
                for j in range(n_cells):
                    deferred[j] = 0.0
                refused = part(undecided, auth_refused, key, _AUTH, sampled)
                if refused > 0.0:
                    share_out(left, n_cells, refused, undecided, uniform(key, _SHARE), sampled, part_of)
                    day[BLOCKED] += refused
                    undecided -= refused
                for cause in (SYSTEM, DOUBT):
                    chance = doubt
                    if cause == SYSTEM:
                        chance = trouble_deferral if trouble else base_deferral
                    n = part(undecided, chance, key, _NOISE + cause, sampled)
                    if n > 0.0:
                        u = uniform(key, _SHARE + 16 * cause)
                        share_out(left, n_cells, n, undecided, u, sampled, part_of)
                        day[DEFERRED + cause] += n
                        undecided -= n
                        for j in range(n_cells):
                            deferred[j] += part_of[j]
                            if cell_of[j] < N_FATES:
                                first_deferred[cell_of[j], cause] += part_of[j]
                for j in range(n_cells):
                    again[j] = deferred[j]
                    if left[j] <= 0.0:
                        continue
                    cell = cell_of[j]
                    chance = 0.0
                    if cell < N_FATES:
                        chance = greylisting
                    elif group_of[cell] == n_firsts:
                        k = attempt_of[cell]
                        chance = early[k]
                        if pause_slots > 0:  # some of it may have rested on the way, a slot or more
                            extra = mean_age[j] - mean_start[j] - nominal[grey_class, k]
                            rested = min(1.0, max(0.0, extra) / slot_seconds)
                            # both ends of the rest lie anywhere in their slots
                            ahead = grey_delay - nominal[grey_class, k] - max(slot_seconds, extra)
                            spread = min(1.0, max(-1.0, ahead / slot_seconds))
                            late = 0.5 * (1.0 + spread) ** 2 if spread < 0.0 else 1.0 - 0.5 * (1.0 - spread) ** 2
                            chance = (1.0 - rested) * chance + rested * late
                    if chance > 0.0:
                        n = part(left[j], chance, key, _GREY + 16 * luck_of[cell], sampled)
                        day[DEFERRED + GREYLISTING] += n
                        deferred[j] += n
                        again[j] += n
                        left[j] -= n
                        undecided -= n
                        if cell < N_FATES:
                            first_deferred[cell, GREYLISTING] += n
                    if cell % N_FATES == HOPELESS:
                        n = left[j]
                        day[DEFERRED + STUCK] += n
                        deferred[j] += n
                        undecided -= n
                        left[j] = 0.0
                        if cell < N_FATES:
                            first_deferred[cell, STUCK] += n

            if undecided > _NEGLIGIBLE:  # the limiter
                room = max(0.0, min(bucket, tolerated - used))
                if sampled:
                    room = np.floor(room + 1e-9)
                passing = min(undecided, room)
                u = uniform(key, _SPLIT) if passing < undecided else 0.0
                if passing < undecided:
                    share_out(left, n_cells, passing, undecided, u, sampled, part_of)
                else:
                    for j in range(n_cells):
                        part_of[j] = left[j]
                expected = 0.0
                for j in range(n_cells):
                    expected += part_of[j] * mean_bad[j]
                bounced = part(passing, expected / passing, key, _BAD, sampled) if expected > 0.0 else 0.0
                day[HARD_BOUNCED] += bounced
                v = uniform(key, _SHARE + 16 * _BAD) if bounced > 0.0 else 0.0
                seen = 0.0
                before = 0.0
                for j in range(n_cells):
                    n = part_of[j]
                    cell = cell_of[j]
                    if n <= 0.0:
                        continue
                    if bounced > 0.0:
                        seen += n * mean_bad[j]
                        upto = bounced * (seen / expected)
                        if sampled:
                            upto = np.floor(upto + v) if seen < expected * (1.0 - 1e-12) else bounced
                        gone = min(n, upto - before)
                        before += gone
                        n -= gone
                    day[DELIVERED] += n
                    if cell >= N_FATES:
                        day[DELAYED] += n
                        day[DELAY_SECONDS] += n * mean_age[j]
                        delays[_delay_bin(mean_age[j])] += n
                over = undecided - passing
                bucket = max(0.0, bucket - passing - rejection_cost * over)
                used = min(tolerated, used + passing + rejection_cost * over)
                if over > 0.0:
                    refusals += over
                    for j in range(n_cells):
                        if cell_of[j] < N_FATES:
                            day[FIRST_TROUBLE] += left[j]
                    rejected = part(over, excess_rejected, key, _REJECT, sampled)
                    if rejected > 0.0:
                        u = uniform(key, _SHARE + 16 * _REJECT)
                        share_out(left, n_cells, rejected, over, u, sampled, part_of)
                        day[BLOCKED] += rejected
                    hurt = hurt or rejected < over
                    day[DEFERRED + LIMIT] += over - rejected
                    for j in range(n_cells):
                        deferred[j] += left[j]
                        if cell_of[j] < N_FATES:
                            first_deferred[cell_of[j], LIMIT] += left[j]

            # what was deferred waits for its next attempt, or expires if that would come too late
            for j in range(n_cells):
                total = deferred[j]
                if total <= 0.0:
                    continue
                cell = cell_of[j]
                lucky = luck_of[cell]
                k = attempt_of[cell]
                group = group_of[cell]
                if k == 0:
                    day[FIRST_4XX] += total
                # after a first attempt the cause decides wait and class; later only greylisted mail has two ways
                for cause in range(DOUBT + 1 if k == 0 else 1 if group < n_firsts else 2):
                    if k == 0:
                        n = first_deferred[cell, cause]
                        row = cause
                        to_group = n_firsts if cause == GREYLISTING else class_of_cause[cause]
                    else:
                        row = N_CAUSES - 1 + k
                        to_group = group
                        if group < n_firsts:
                            n = total if cause == 0 else 0.0
                        elif cause == 0:
                            n = again[j]
                        else:
                            n = total - again[j]
                            to_group = grey_class
                    if n <= 0.0:
                        continue
                    if k + 1 >= attempts[grey_class if to_group == n_firsts else to_group]:
                        day[EXPIRED] += n
                        continue
                    next_cell = (k + 1) * n_classes + to_group * N_FATES + cell % N_FATES
                    if cell % N_FATES == HOPELESS and to_group < n_firsts and wait_rounds[row] >= 1.0:
                        join_round(
                            round_count,
                            round_total,
                            (now - half_round) / round_slots + wait_rounds[row],
                            (k + 1) * n_firsts + to_group,
                            n,
                            uniform(key, _WAIT + 16 * (lucky * 8 + cause)),
                            sampled,
                        )
                        continue
                    # systematic sampling of the due slots: few puts, every message's own law
                    n_parts = 2
                    u = 0.0
                    v = 0.0
                    by_slot = sampled and wait_n[row] <= _MOST_PARTS and n > few
                    if not sampled:
                        mean = wait_mean[row]
                    elif wait_n[row] == 1:
                        n_parts = 1
                    elif by_slot:
                        n_parts = wait_n[row]
                        v = uniform(key, _WAIT + 16 * (lucky * 8 + cause))
                    else:
                        n_parts = int(n if n <= few else min(n, _MOST_PARTS))
                        u = uniform(key, _WAIT + 16 * (lucky * 8 + cause))
                        v = uniform(key, _WAIT + 16 * (lucky * 8 + 6)) if n_parts > 1 else 0.0
                    before = 0.0
                    o = 0
                    for part_number in range(n_parts):
                        if sampled:
                            upto = (part_number + 1) / n_parts
                            if by_slot:
                                o = part_number
                                upto = wait_share[row, o]
                            elif n <= few:  # one by one, each with its own luck
                                o = _due(
                                    wait_share[row],
                                    uniform(key, _ONE + 16 * (lucky * 128 + cause * 8 + part_number)),
                                    0,
                                )
                            else:
                                o = _due(wait_share[row], (part_number + u) / n_parts, o)
                            upto = n if part_number == n_parts - 1 else np.floor(n * upto + v)
                            offset = wait_first[row] + o
                            waited = wait_seconds[row, o]
                        else:
                            share = mean - np.floor(mean)
                            offset = int(mean) + part_number
                            waited = mean * slot_seconds
                            upto = n if part_number == 1 else n * (1.0 - share)
                        moved = upto - before
                        before = upto
                        if moved > 0.0:
                            later = at + offset if at + offset < length else at + offset - length
                            put(
                                mail,
                                cells,
                                occupied,
                                later,
                                next_cell,
                                moved,
                                mean_age[j] + waited,
                                mean_age[j] if k == 0 else mean_start[j],
                                mean_bad[j],
                            )

        if penalty_waits and refusals > _PENALTY_FROM * tolerated:
            penalty_waits = False
            closed_until = now + 1 + penalty_slots
        if hurt and pause_slots > 0:
            rest_until = now + 1 + pause_slots

    limiter[BUCKET] = bucket
    limiter[CLOSED_UNTIL] = closed_until
    limiter[REST_UNTIL] = rest_until
    limiter[TROUBLE] = 1.0 if trouble else 0.0
    limiter[OLDEST] = oldest


@inlined
def _due(shares, quantile, o):  # type: ignore[no-untyped-def]
    """Which due slot, from the o-th on, holds this quantile of the messages."""
    while o < shares.shape[0] - 1 and shares[o] <= quantile:
        o += 1
    return o


@compiled
def _lucky(cells, n_classes):  # type: ignore[no-untyped-def]
    """Cells' numbers for their luck: the same however many first waits the other providers' policies have."""
    place = cells % n_classes
    return cells // n_classes * 64 + np.where(place >= n_classes - N_FATES, 62 + place % N_FATES, place)


@borrowing
def _round(  # type: ignore[no-untyped-def]
    count, total, at, blocks, closed, auth_refused, system, doubt, attempts, wait_rounds, key, sampled, day
):  # fmt: skip
    """Try the hopeless mail of one round again: all of it fails, and waits for a later round or expires."""
    n_firsts = attempts.shape[0]
    n_cells = count.shape[1]
    undecided = total[at]
    day[ATTEMPTS] += undecided
    if blocks:
        day[BLOCKED] += undecided
    elif closed:
        day[DEFERRED + PENALTY] += undecided
    else:
        if auth_refused > 0.0:
            for cell in range(n_firsts, n_cells):
                k = cell // n_firsts
                refused = part(count[at, cell], auth_refused, key, _AUTH + 16 * (k * 64 + cell - k * n_firsts), sampled)
                count[at, cell] -= refused
                day[BLOCKED] += refused
                undecided -= refused
        for cause, chance in ((SYSTEM, system), (DOUBT, doubt)):
            n = part(undecided, chance, key, _NOISE + cause, sampled)
            day[DEFERRED + cause] += n
            undecided -= n
        day[DEFERRED + STUCK] += undecided
    total[at] = 0.0
    for cell in range(n_firsts, n_cells):
        n = count[at, cell]
        if n <= 0.0:
            continue
        count[at, cell] = 0.0
        k = cell // n_firsts
        if blocks:
            continue
        if k + 1 >= attempts[cell - k * n_firsts]:
            day[EXPIRED] += n
        else:
            u = uniform(key, _WAIT + 16 * (k * 64 + cell - k * n_firsts))
            join_round(count, total, at + wait_rounds[N_CAUSES - 1 + k], cell + n_firsts, n, u, sampled)


@compiled
def _delay_bin(seconds):  # type: ignore[no-untyped-def]
    if seconds <= SHORTEST_DELAY:
        return 0
    return min(N_DELAY_BINS - 1, int(np.log2(seconds / SHORTEST_DELAY) * BINS_PER_DOUBLING) + 1)


@compiled
def _react(reaction, n_stages, share, troubled, blocked, mind):  # type: ignore[no-untyped-def]
    """Move the stage pointer the morning after a day with mail; `reaction` as `Reaction.to_array`."""
    hold_above, hold_messages, back_above, back_stages, cut, recovery, rest_days = (
        reaction[0],
        reaction[1],
        reaction[2],
        reaction[3],
        reaction[4],
        reaction[5],
        reaction[6],
    )
    if not blocked and not (share > hold_above and troubled >= hold_messages):
        mind[GOOD_POINTER] = mind[POINTER]
        mind[ANY_GOOD] = 1.0
        mind[POINTER] = min(n_stages - 1.0, mind[POINTER] + mind[STEP])
        mind[STEP] = min(1.0, recovery * mind[STEP])
        return
    if mind[ANY_GOOD] == 0.0:
        mind[POINTER] -= 1.0
    else:
        if blocked or share > back_above:
            mind[GOOD_POINTER] -= back_stages
        mind[POINTER] = mind[GOOD_POINTER]
    mind[STEP] *= cut
    if blocked:
        mind[RESTING] = rest_days
