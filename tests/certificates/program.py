"""The ramp as a linear program: whom to mail on which day, all days at once, solved by HiGHS.

The planner goes forward in time and fills each day from the most engaged segment down. This program sees the whole
horizon: it may hold engaged addresses back for a day that needs them, or meet new addresses before they are needed.
What a provider remembers is piecewise linear in what was sent, what it tolerates concave in that: with the piece of the
memory taken from the last solution and a tangent for the headroom each round is a linear program, repeated until its
solution stays. Variables: x (segments x days) messages, f first contacts, and E (scenarios x days) established volume.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import coo_array

from planner.simulation import equations
from planner.simulation import layout as at

EARLIER, ENGAGED = 0.1, 1e-3
"""What a message is worth more on the first day than on the last, and in the first segment than in the last."""
ROUNDS = 30


@dataclass(frozen=True)
class Problem:
    """One provider: `world` (len(WORLD), scenarios) of those kept; `most` (segments, days), and what is wanted."""

    world: np.ndarray
    demand: np.ndarray
    most: np.ndarray
    per_week: np.ndarray
    """(segments,) messages of any seven days, infinite where nothing caps them."""
    complaint_rate: np.ndarray
    hard_bounce_rate: np.ndarray
    hours: float
    complaint_limit: float = np.inf
    bounce_limit: float = np.inf


@dataclass(frozen=True)
class Solution:
    """`parts` (segments, days); the program that was solved last, with HiGHS's answer."""

    parts: np.ndarray
    cost: np.ndarray
    upper: np.ndarray
    at_most: tuple
    equal: tuple
    """Matrix and right side of the rows, those with ≤ and those with =."""
    answer: object
    rounds: int

    @property
    def volume(self):
        return self.parts.sum(axis=0)


def replay(problem, volume):
    """What every scenario remembers and tolerates each day, given the volumes: E, tolerated, both (scenarios, days)."""
    w = problem.world
    n_days = len(volume)
    established = np.zeros((w.shape[1], n_days + 1))
    established[:, 0] = w[at.W_ESTABLISHED]
    tolerated = np.zeros((w.shape[1], n_days))
    arriving = np.outer(1.0 - w[at.W_STUCK_SHARE], volume)
    share = np.minimum(1.0, w[at.W_HOURLY_SHARE] * problem.hours)
    for d in range(n_days):
        now = established[:, d]
        allowed = equations.allowance(now, 1.0, w[at.W_AUTH], w[at.W_COLD], w[at.W_JUMP], w[at.W_FADES_AT])
        tolerated[:, d] = share * allowed
        peak = arriving[:, max(0, d - 6) : d + 1].max(axis=1)
        established[:, d + 1] = equations.next_established(now, arriving[:, d], peak, 0.0, w[at.W_IDLE_DECAY])
    return established[:, :-1], tolerated, arriving


def solve(problem, start):
    """Solve from the volumes `start` (days,) on; reputation stays 1: rates lie within the providers' limits."""
    volume, parts = start, None
    tangents, scenarios = {}, set()
    for count in range(1, ROUNDS + 1):
        established, tolerated, arriving = replay(problem, volume)
        tight = np.argsort(tolerated - volume, axis=0)[:3, problem.demand > 0.0]
        scenarios |= {int(s) for s in tight.ravel()}
        for s in scenarios:
            for d in range(len(volume)):
                tangents.setdefault((s, d), set()).add(float(established[s, d]))
        peaks = _peaks(parts, problem.most)
        solution = _program(problem, sorted(scenarios), tangents, established, arriving, peaks, count)
        step = np.abs(solution.volume - volume).max()
        volume, parts = solution.volume, solution.parts
        if step <= max(1.0, 1e-4 * volume.max()):
            break
    return solution


def _peaks(parts, most):
    """The segments' largest day before each day, (segments, days)."""
    if parts is None:
        return None
    return np.pad(np.maximum.accumulate(parts, axis=1), ((0, 0), (1, 0)))[:, :-1]


def _program(problem, scenarios, tangents, established, arriving, peaks, count):
    w, demand, most = problem.world, problem.demand, problem.most
    n_segments, n_days = most.shape
    n_x = n_segments * n_days
    n = 2 * n_x + len(scenarios) * n_days
    x = np.arange(n_x).reshape(n_segments, n_days)
    first = x + n_x
    E = 2 * n_x + np.arange(len(scenarios) * n_days).reshape(len(scenarios), n_days)
    entries, right, equal = [], [], []

    def row(terms, bound, equality=False):
        entries.append(terms)
        right.append(bound)
        equal.append(equality)

    for d in range(n_days):
        row([(i, 1.0) for i in x[:, d]], demand[d])
        if np.isfinite(problem.complaint_limit):
            row(list(zip(x[:, d], problem.complaint_rate - problem.complaint_limit, strict=True)), 0.0)
        if np.isfinite(problem.bounce_limit) and peaks is not None:
            for g in range(n_segments):  # at least what exceeds the largest day before
                row([(x[g, d], 1.0), (first[g, d], -1.0)], peaks[g, d])
            terms = list(zip(first[:, d], problem.hard_bounce_rate, strict=True))
            row([*terms, *((i, -problem.bounce_limit) for i in x[:, d])], 0.0)
    for g in range(n_segments):
        if np.isfinite(problem.per_week[g]):
            for d in range(max(1, n_days - 6)):
                row([(i, 1.0) for i in x[g, d : d + 7]], problem.per_week[g])
    for k, s in enumerate(scenarios):
        share = min(1.0, w[at.W_HOURLY_SHARE, s] * problem.hours)
        arrives, decay = 1.0 - w[at.W_STUCK_SHARE, s], w[at.W_IDLE_DECAY, s]
        growth, floor, fades = w[at.W_JUMP, s] - 1.0, equations.HEADROOM_FLOOR, w[at.W_FADES_AT, s]
        row([(E[k, 0], 1.0)], w[at.W_ESTABLISHED, s], equality=True)
        for d in range(n_days):
            for e in tangents[s, d]:
                slope = floor + (1.0 - floor) / (1.0 + e / fades) ** 2
                value = e * (floor + (1.0 - floor) / (1.0 + e / fades))
                auth = w[at.W_AUTH, s]
                constant = share * auth * (w[at.W_COLD, s] + growth * (value - slope * e))
                row(
                    [*((i, 1.0) for i in x[:, d]), (E[k, d], -share * (1.0 + auth * growth * slope))],
                    constant,
                )
            if d + 1 < n_days:
                row(_remembering(x, E[k], d, established[s], arriving[s], arrives, decay), 0.0, equality=True)
    data = [(r, c, v) for r, terms in enumerate(entries) for c, v in terms]
    r, c, v = (np.array(part) for part in zip(*data, strict=True))
    matrix = coo_array((v, (r, c)), shape=(len(entries), n)).tocsr()
    right, equal = np.array(right), np.array(equal)
    value = 1.0 + EARLIER * (n_days - np.arange(n_days)) / n_days
    worth = value[None, :] + ENGAGED * (n_segments - np.arange(n_segments))[:, None] / n_segments
    cost = np.zeros(n)
    cost[:n_x] = -worth.ravel()
    upper = np.full(n, np.inf)
    upper[:n_x] = most.ravel()
    at_most, equal_to = (matrix[~equal], right[~equal]), (matrix[equal], right[equal])
    answer = linprog(
        cost,
        *at_most,
        *equal_to,
        bounds=np.column_stack([np.zeros(n), upper]),
        method="highs",
    )
    assert answer.status == 0, answer.message
    parts = answer.x[:n_x].reshape(n_segments, n_days)
    return Solution(parts, cost, upper, at_most, equal_to, answer, count)


def _remembering(x, E, d, established, arriving, arrives, decay):
    """The morning after, E[d + 1] = …, on the piece on which the last solution lay; a row with right side 0."""
    now, came = established[d], arriving[d]
    rise = equations.RISE
    if came > now:
        return [(E[d + 1], 1.0), (E[d], -(1.0 - rise)), *((i, -rise * arrives) for i in x[:, d])]
    days = np.arange(max(0, d - 6), d + 1)
    best = int(days[np.argmax(arriving[days])])
    if arriving[best] < now:
        return [(E[d + 1], 1.0), (E[d], -(1.0 - decay)), *((i, -decay * arrives) for i in x[:, best])]
    return [(E[d + 1], 1.0), (E[d], -1.0)]
