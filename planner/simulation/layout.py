"""How the slot loop's arrays are laid out: rows of the result, columns of the world, inputs, the queue."""

from typing import Any, NamedTuple

COUNTS = (
    "injected",
    "attempts",
    "delivered",
    "hard_bounced",
    "blocked",
    "expired",
    "queued",
    "first_4xx",
    "first_trouble",
    "overflow",
    "reputation",
    "allowance",
    "established",
    "delayed",
    "delay_seconds",
    "rested_seconds",
)
"""Rows of the result; the deferrals by cause follow, in the order of `vocabulary.Cause`.

`delayed` counts deliveries of mail that was deferred at first, `delay_seconds` sums their delays;
`rested_seconds` sums how long mail that passed at its first attempt had waited for it while the destination rested.
`reputation`, `allowance` and `established` are those of the day's midnight.
"""

(
    INJECTED,
    ATTEMPTS,
    DELIVERED,
    HARD_BOUNCED,
    BLOCKED,
    EXPIRED,
    QUEUED,
    FIRST_4XX,
    FIRST_TROUBLE,
    OVERFLOW,
    REPUTATION,
    ALLOWANCE,
    ESTABLISHED,
    DELAYED,
    DELAY_SECONDS,
    RESTED_SECONDS,
) = range(len(COUNTS))
DEFERRED = len(COUNTS)
N_CAUSES = 7
LIMIT, PENALTY, GREYLISTING, SYSTEM, STUCK, DOUBT = range(N_CAUSES - 1)
N_ROWS = DEFERRED + N_CAUSES

WORLD = (
    "established",
    "cold",
    "jump",
    "fades_at",
    "idle_decay",
    "hourly_share",
    "rejection_cost",
    "penalty_chance",
    "penalty_slots",
    "excess_rejected",
    "greylisting_probability",
    "greylisting_delay_seconds",
    "greylisting_fade",
    "base_deferral",
    "stuck_share",
    "trouble_deferral",
    "trouble_starts",
    "trouble_ends",
    "reputation_recovery",
    "reputation_sensitivity",
    "complaint_limit",
    "hard_bounce_limit",
    "excess_limit",
    "block_below",
    "auth",
    "auth_refused",
)
"""A provider's parameters as the slot loop uses them: chances per slot, volumes over all IPs."""

(
    W_ESTABLISHED,
    W_COLD,
    W_JUMP,
    W_FADES_AT,
    W_IDLE_DECAY,
    W_HOURLY_SHARE,
    W_REJECTION_COST,
    W_PENALTY_CHANCE,
    W_PENALTY_SLOTS,
    W_EXCESS_REJECTED,
    W_GREYLISTING_PROBABILITY,
    W_GREYLISTING_DELAY_SECONDS,
    W_GREYLISTING_FADE,
    W_BASE_DEFERRAL,
    W_STUCK_SHARE,
    W_TROUBLE_DEFERRAL,
    W_TROUBLE_STARTS,
    W_TROUBLE_ENDS,
    W_REPUTATION_RECOVERY,
    W_REPUTATION_SENSITIVITY,
    W_COMPLAINT_LIMIT,
    W_HARD_BOUNCE_LIMIT,
    W_EXCESS_LIMIT,
    W_BLOCK_BELOW,
    W_AUTH,
    W_AUTH_REFUSED,
) = range(len(WORLD))

SKIP, SPREAD, HOLD = range(3)
"""What becomes of mail that is not sent today; `old_path` is counted as SKIP."""

HOPEFUL, HOPELESS = range(2)
N_FATES = 2
"""Drawn at a message's birth: a hopeless mailbox answers 4xx until the message expires."""

N_DELAY_BINS = 96
SHORTEST_DELAY = 30.0
BINS_PER_DOUBLING = 6.0


class Inputs(NamedTuple):
    """What one run needs; S scenarios, P providers, G segments, D days, n slots a day.

    `world` (S, len(WORLD), P); `keys` (S, P) uint64; `volume`, `demand`,
    `ceiling` (P, D) messages; `opens` (P,) day from which the provider takes mail; `mix` (P, D, G)
    shares; `complaint_rate`,
    `hard_bounce_rate` (P, G); `pace` (P, n) cumulative shares; `target` (P,) messages;
    `stage_volume`, `stage_day` (P, D), `n_stages`, `first_stage` (P,), the one to begin with; `reaction` (7,), empty
    without one; the tables of `backoff.Backoff`; `early` (S, P, A) chance that greylisted mail is still too early at
    attempt k. The first days may have happened: `seen` (P, H, N_ROWS) their counts, `seen_complaint_rate` (P, H); H is
    0 where none has.
    """

    world: Any
    keys: Any
    volume: Any
    demand: Any
    ceiling: Any
    opens: Any
    mix: Any
    complaint_rate: Any
    hard_bounce_rate: Any
    pace: Any
    target: Any
    stage_volume: Any
    stage_day: Any
    n_stages: Any
    first_stage: Any
    reaction: Any
    attempts: Any
    class_of_cause: Any
    wait_first: Any
    wait_n: Any
    wait_share: Any
    wait_seconds: Any
    wait_mean: Any
    wait_rounds: Any
    nominal: Any
    early: Any
    pause_slots: Any
    seen: Any
    seen_complaint_rate: Any
    transactional: bool
    overflow: int
    slot_seconds: float
    ring_slots: int
    round_slots: int
    n_rounds: int
    sampled: bool


COUNT, AGE, START, BAD = range(4)
"""A cell of the queue: messages, and over them the sums of age when due, age at the first attempt, bad addresses."""


class Queue(NamedTuple):
    """Mail that waits, as a ring of slots; L slots, N cells.

    A cell is an attempt number and a class: `attempt * n_classes + class`. `mail` (L, N, 4) is described at `COUNT`,
    ages in seconds; `cells` (L, N) the occupied cells of a slot, the first `occupied` (L,) of it.
    """

    mail: Any
    cells: Any
    occupied: Any


class Rounds(NamedTuple):
    """Hopeless mail that waits, by rounds an hour apart; R rounds, N cells.

    A cell is an attempt number and the class of the first wait: `attempt * n_firsts + class`. `count` (R, N)
    messages, `total` (R,) their sums.
    """

    count: Any
    total: Any


class Today(NamedTuple):
    """What a day brings: messages, chances, and whether the provider answers everything 5xx or mail was held back."""

    tolerated: float
    doubt: float
    greylisting: float
    blocks: bool
    volume: float
    bad_share: float
    holds: bool


class Retries(NamedTuple):
    """One provider's share of the tables of `backoff.Backoff`, and `early` (A,) of one scenario."""

    attempts: Any
    class_of_cause: Any
    first: Any
    n: Any
    share: Any
    seconds: Any
    mean: Any
    rounds: Any
    nominal: Any
    early: Any
    pause_slots: int
    round_slots: int


class Due(NamedTuple):
    """Mail attempted now; N cells.

    `cell` (N,); `left` (N,) messages not yet decided; their means `age` and `start`, seconds, and `bad` (N,); `part`
    (N,) what the last sharing out gave; `deferred` (N,) messages deferred so far, `again` (N,) those of them that stay
    greylisted; `first_deferred` (fates, causes) first attempts deferred so far. What a cell's number says: `attempt`,
    `group` of the first wait, and `luck` (N,), its number for its luck.
    """

    cell: Any
    left: Any
    age: Any
    start: Any
    bad: Any
    part: Any
    deferred: Any
    again: Any
    first_deferred: Any
    attempt: Any
    group: Any
    luck: Any
