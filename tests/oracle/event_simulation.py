"""A per-message event simulation of one mailbox provider in one scenario.

It is written from the text of the model alone, shares no code with the compiled kernel and is slow on
purpose: each message is an object that knows when it was born, which fate it drew and when it will be tried
again. Time runs in seconds since the start of day 0; a day has 24 hours and `len(pace)` slots. Messages come
due at continuous times; the limiter judges the attempts of a slot by its slot-level rule, pass by pass.

Where the text leaves a choice, the simplest reading was taken; such places are marked "Reading:".
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import deque
from dataclasses import dataclass, field

import numpy as np

RISE = 0.35  # share of the gap between delivered and established volume that closes in a day
PHI = 0.2  # part of the headroom that never fades with volume
DAY_SECONDS = 86_400.0
PSEUDO_MESSAGES = 2_000.0  # at half the limit, in the running rates of complaints and hard bounces
KEPT_A_DAY = 6 / 7  # of these running sums
PENALTY_SHARE = 0.02  # refusals above this share of the allowance close the door
WRONG_SHARE, WRONG_MESSAGES = 0.10, 5  # a wrong day by definition, whatever the reaction holds at
HAIR = 1e-6  # seconds; a retry that is late enough but for rounding is late enough

CAUSES = ("limit", "penalty", "greylisting", "system", "stuck", "reputation", "authentication")


@dataclass(frozen=True)
class World:
    """Parameters of one provider in one scenario, calm unless told otherwise."""

    cold_allowance: float = 1e9  # A0, messages/day/IP
    ip_weight: float = 0.5  # w
    history_carried: float = 0.5  # only used by `carried_history`; `established` is what counts
    new_domain_factor: float = 1.0  # f, of a new domain
    daily_growth: float = 1.3  # G
    growth_fades_at: float = math.inf  # F, messages/day/IP
    idle_decay: float = 0.1  # 1/day
    hourly_share: float = 1.0  # h, 1/hour
    rejection_cost: float = 0.0  # z
    penalty_chance: float = 0.0
    penalty_hours: float = 1.0
    excess_rejected: float = 0.0
    greylisting_probability: float = 0.0
    greylisting_delay_seconds: float = 300.0
    greylisting_fade: float = 0.0  # 1/active day
    base_deferral: float = 0.0
    stuck_share: float = 0.0
    trouble_deferral: float = 0.0
    trouble_every_days: float = 1e9
    trouble_hours: float = 1.0
    reputation_recovery: float = 0.1
    reputation_sensitivity: float = 0.0
    complaint_limit: float = 0.003
    hard_bounce_limit: float = 0.05
    excess_limit: float = 0.1
    block_below: float = 0.0
    auth: float = 1.0  # product of the factors of what is missing
    auth_refused: float = 0.0  # share answered 5xx because of what is missing
    n_ips: int = 1
    new_domain: bool = False
    established: float = 0.0  # E0, at the start
    limiter_domains: int = 1  # recipient domains where each has a limiter of its own
    opens: int = 0  # day on which the gate opens; before it everything is refused


@dataclass(frozen=True)
class Sending:
    """What the sender means to send: segments × days."""

    schedule: list[list[float]]  # messages, segments × days
    demand: list[float]  # messages wanted, per day
    complaint_rate: list[float]  # per segment
    hard_bounce_rate: list[float]  # per segment, of first contacts
    transactional: bool = False  # every message is a first contact
    pace: list[float] = field(default_factory=lambda: [1 / 96] * 96)  # share of the day per slot
    overflow: str = "skip"  # skip | old_path | spread | hold
    target: float = math.inf  # spread never lifts a day's demand above it


@dataclass(frozen=True)
class Policy:
    """When a deferred message is tried again."""

    first_seconds: dict[str, float]  # by cause; causes not named wait the largest
    growth: float = 1.5
    cap_seconds: float = 14_400.0
    jitter: float = 0.2
    lifetime_seconds: float = 259_200.0
    pause_seconds: float = 0.0
    intervals_seconds: tuple[float, ...] = ()  # after attempts 1, 2, …; the last one repeats

    def wait(self, attempt: int, cause: str) -> float:
        """Seconds from attempt number `attempt`, deferred by `cause`, to the next one, before jitter."""
        largest = max(self.first_seconds.values())
        if attempt == 0:
            return self.first_seconds.get(cause, largest)
        if self.intervals_seconds:
            return [*self.intervals_seconds, *[self.intervals_seconds[-1]] * attempt][attempt - 1]
        return min(self.cap_seconds, largest * self.growth**attempt)

    def attempts(self, first_cause: str) -> int:
        """Attempts, the first included, whose nominal age stays within the lifetime."""
        count, age = 1, self.wait(0, first_cause)
        while age <= self.lifetime_seconds:
            age += self.wait(count, first_cause)
            count += 1
        return count


@dataclass(frozen=True)
class Reacting:
    """What the sender does the morning after."""

    hold_above: float = 0.10
    hold_messages: int = 5
    back_above: float = 0.60
    back_stages: float = 1.0
    step_after_trouble: float = 0.5
    step_recovery: float = 1.2
    rest_days: int = 3


@dataclass
class Counts:
    """Results, one entry a day; `delays` has one entry per delivered message that was deferred at first."""

    injected: list[int] = field(default_factory=list)
    attempts: list[int] = field(default_factory=list)
    delivered: list[int] = field(default_factory=list)
    hard_bounced: list[int] = field(default_factory=list)
    blocked: list[int] = field(default_factory=list)
    expired: list[int] = field(default_factory=list)
    queued: list[int] = field(default_factory=list)  # at the end of the day, resting messages included
    first_4xx: list[int] = field(default_factory=list)
    first_trouble: list[int] = field(default_factory=list)
    deferred: dict[str, list[int]] = field(default_factory=lambda: {cause: [] for cause in CAUSES})
    # skip, old_path: the day's demand - volume. spread, hold: what waits at the end of the day.
    overflow: list[float] = field(default_factory=list)
    reputation: list[float] = field(default_factory=list)  # at midnight, before the day
    allowance: list[float] = field(default_factory=list)
    established: list[float] = field(default_factory=list)  # at midnight, before the day
    wrong_days: list[bool] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)  # seconds since hand-over (hold: since the intended day)

    def open_day(self) -> None:
        """Append a zero to every count of events."""
        for name in _EVENTS:
            getattr(self, name).append(0)
        for per_day in self.deferred.values():
            per_day.append(0)


_EVENTS = (
    "injected",
    "attempts",
    "delivered",
    "hard_bounced",
    "blocked",
    "expired",
    "first_4xx",
    "first_trouble",
)


@dataclass(slots=True)
class Message:
    """One message on its way."""

    fate: str  # "good", "bad" address or "stuck"
    held_days: int = 0  # days between the intended day and the day it was handed over
    age: float = 0.0  # seconds since it was handed over, at its next attempt; rests included
    attempt: int = 0  # number of the next attempt
    first_cause: str | None = None  # why the first attempt was deferred
    first_age: float = 0.0  # age at the first attempt


Attempt = tuple[float, Message]  # when (seconds), and which


def round_half_up(x: float) -> int:
    return math.floor(x + 0.5 + 1e-9)  # a half that arithmetic leaves a hair short is still a half


def dot(xs: list[float], ys: list[float]) -> float:
    return sum(x * y for x, y in zip(xs, ys, strict=True))


def clip(x: float, low: float, high: float) -> float:
    return max(low, min(high, x))


def uniform_pace(first_hour: float, last_hour: float, slots: int = 96) -> list[float]:
    """Equal shares for the slots between two hours after the start of the simulated day."""
    first, last = round(first_hour * slots / 24), round(last_hour * slots / 24)
    return [1 / (last - first) if first <= i < last else 0.0 for i in range(slots)]


def carried_history(world: World, domain_volume: float, ip_volume: float, idle_days: float) -> float:
    """Established volume at the start (`World.established`) from what domain and IPs sent before."""
    cooled = (1 - world.idle_decay) ** max(0.0, idle_days - 7)
    by_domain = (1 - world.ip_weight) * world.history_carried * domain_volume
    return (by_domain + world.ip_weight * ip_volume) * cooled


def allowance(world: World, established: float, reputation: float) -> float:
    """What the provider tolerates today."""
    ips = world.n_ips**world.ip_weight
    cold = world.cold_allowance * ips * world.limiter_domains
    if world.new_domain:
        cold *= world.new_domain_factor ** (1 - world.ip_weight)
    half = world.growth_fades_at * ips * world.limiter_domains
    jump = (world.daily_growth - 1) / RISE  # g - 1
    headroom = jump * established * (PHI + (1 - PHI) / (1 + established / half))
    return established + reputation * world.auth * (cold + headroom)


class Staircase:
    """The reaction: a real-valued pointer into the stages of the schedule."""

    def __init__(self, sending: Sending, reacting: Reacting) -> None:
        self.rules = reacting
        self.planned = [sum(day) for day in zip(*sending.schedule, strict=True)]
        self.demand = sending.demand
        peaks = list(itertools.accumulate(self.planned, max))
        sends = [day for day, planned in enumerate(self.planned) if planned > 0]
        self.peaks = peaks
        # At the largest volume the climb is over, so that one stage back from there means less mail.
        sends = [day for day in sends if day == sends[0] or peaks[day - 1] < peaks[-1]]
        self.stages = [peaks[day] for day in sends]
        self.mixes = [[row[day] / self.planned[day] for row in sending.schedule] for day in sends]
        self.pointer, self.step = 0.0, 1.0
        self.good: float | None = None
        self.days_off = 0

    def _between(self) -> tuple[int, int, float]:
        """The stages around the pointer and how far it is from the first to the second."""
        place = clip(self.pointer, 0.0, len(self.stages) - 1.0)
        lower = math.floor(place)
        return lower, min(lower + 1, len(self.stages) - 1), place - lower

    def stage_volume(self) -> float:
        if self.pointer < 0:
            return max(1.0, self.stages[0] / 2**-self.pointer)
        lower, upper, x = self._between()
        return self.stages[lower] ** (1 - x) * self.stages[upper] ** x

    def mix(self) -> list[float]:
        """Share of each segment, linear between the mixes of two stages (below the first: its own)."""
        lower, upper, x = self._between()
        return [(1 - x) * a + x * b for a, b in zip(self.mixes[lower], self.mixes[upper], strict=True)]

    def volume(self, day: int, wanted: float) -> int:
        """Messages to hand over on `day`, of `wanted` (the demand with what waits from earlier days)."""
        if self.planned[day] <= 0:  # Reading: a send day is a day with a planned volume
            return 0
        if self.days_off > 0:
            self.days_off -= 1
            return 0
        volume = min(float(round_half_up(self.stage_volume())), wanted)
        # Reading: a dip is a day planned below the maximum and below the day's own demand, without what waits.
        if self.planned[day] < min(self.peaks[day], self.demand[day]) - 0.5:
            volume = min(volume, self.planned[day])
        return round_half_up(volume)

    def judge(self, new: int, first_trouble: int, reputation_block: bool) -> None:
        """Move the pointer after a day."""
        if new == 0:
            return
        share = min(1.0, first_trouble / new)
        # Reading: "above back_above" is a worse kind of wrong day, so it needs `hold_messages` too.
        wrong = share > self.rules.hold_above and first_trouble >= self.rules.hold_messages
        if not wrong and not reputation_block:
            self.good = self.pointer
            self.pointer = min(len(self.stages) - 1.0, self.pointer + self.step)
            self.step = min(1.0, self.rules.step_recovery * self.step)
            return
        self.step *= self.rules.step_after_trouble
        if reputation_block:
            self.days_off = self.rules.rest_days
        if self.good is None:
            self.pointer -= 1  # Reading: one stage, whatever back_stages is
        elif reputation_block or share > self.rules.back_above:
            self.pointer = self.good = self.good - self.rules.back_stages
        else:
            self.pointer = self.good


class Overflow:
    """What was wanted but not handed over, first in first out."""

    def __init__(self, sending: Sending) -> None:
        self.kind, self.target = sending.overflow, sending.target
        self.demand = [round_half_up(demand) for demand in sending.demand]
        self.waiting: deque[list[int]] = deque()  # [intended day, messages]

    def wanted(self, day: int) -> int:
        """The day's demand with what waits, as far as the rule adds it."""
        own, backlog = self.demand[day], sum(messages for _, messages in self.waiting)
        if own <= 0:  # Reading: only days with a demand of their own are send days
            return own
        if self.kind == "hold":
            return own + backlog
        if self.kind == "spread":
            return round_half_up(max(own, min(self.target, own + backlog)))
        return own

    def hand_over(self, day: int, volume: int) -> list[int]:
        """The intended days of the day's `volume` messages, oldest first."""
        self.waiting.append([day, self.demand[day]])
        intended: list[int] = []
        while len(intended) < volume and self.waiting:
            oldest = self.waiting[0]
            taken = min(oldest[1], volume - len(intended))
            intended += [oldest[0]] * taken
            oldest[1] -= taken
            if oldest[1] == 0:
                self.waiting.popleft()
        # Reading: without reaction the schedule is sent even where it exceeds demand and backlog.
        return intended + [day] * (volume - len(intended))

    def close_day(self) -> int:
        """What is left over; kept for later days or only counted."""
        left = sum(messages for _, messages in self.waiting)
        if self.kind in ("skip", "old_path"):
            self.waiting.clear()
        return left


class Limiter:
    """Token bucket and day's allowance."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.bucket: float | None = None
        self.allowance = self.size = self.used = 0.0
        self.refusals = 0

    def midnight(self, allowance_today: float) -> None:
        self.allowance = allowance_today
        self.size = max(1.0, self.world.hourly_share * allowance_today)
        self.bucket = self.size if self.bucket is None else min(self.bucket, self.size)
        self.used, self.refusals = 0.0, 0

    def refill(self, hours: float) -> None:
        self.bucket = min(self.size, self.bucket + self.world.hourly_share * self.allowance * hours)

    def judge(self, attempts: list[Attempt]) -> tuple[list[Attempt], list[Attempt]]:
        """Which attempts of one pass, in the order given, pass and which are refused."""
        room = min(math.floor(self.bucket), math.floor(self.allowance - self.used))
        passed, refused = attempts[:room], attempts[room:]
        self.bucket -= len(passed)
        self.used += len(passed)
        self.refusals += len(refused)
        cost = self.world.rejection_cost * len(refused)
        self.bucket = max(0.0, self.bucket - cost)
        self.used = min(self.allowance, self.used + cost)
        return passed, refused


class Memory:
    """What the provider remembers from day to day."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.established, self.reputation = world.established, 1.0
        self.week: deque[int] = deque([0] * 7, maxlen=7)
        self.complaints = self.delivered = self.hard_bounces = 0.0  # running sums

    def evening(self, delivered: int, hard_bounced: int, complaint_rate: float, excess: float) -> None:
        """Learn from a day; `excess` is the share of its new messages above the allowance."""
        world = self.world
        self.week.append(delivered)
        gained = RISE * (1 - excess) * max(0.0, delivered - self.established)
        lost = world.idle_decay * max(0.0, self.established - max(self.week))
        self.established += gained - lost
        self.complaints = self.complaints * KEPT_A_DAY + delivered * complaint_rate
        self.delivered = self.delivered * KEPT_A_DAY + delivered
        self.hard_bounces = self.hard_bounces * KEPT_A_DAY + hard_bounced
        harm = (
            self._excess_of(self.complaints, self.delivered, world.complaint_limit)
            + self._excess_of(self.hard_bounces, self.delivered + self.hard_bounces, world.hard_bounce_limit)
            + clip(excess / world.excess_limit - 1, 0.0, 1.0)
        )
        recovered = self.reputation + world.reputation_recovery * (1 - self.reputation)
        self.reputation = clip(recovered - world.reputation_sensitivity * harm, 0.05, 1.0)

    @staticmethod
    def _excess_of(events: float, messages: float, limit: float) -> float:
        rate = (events + PSEUDO_MESSAGES * limit / 2) / (messages + PSEUDO_MESSAGES)
        return clip(rate / limit - 1, 0.0, 2.0)


class Simulation:
    """The sender's queue in front of the provider."""

    def __init__(
        self,
        world: World,
        sending: Sending,
        policy: Policy,
        reacting: Reacting | None,
        rng: np.random.Generator,
        *,
        times: str = "true",
        in_order: bool = False,
    ) -> None:
        self.world, self.sending, self.policy, self.rng = world, sending, policy, rng
        self.true_times, self.in_order = times == "true", in_order
        self.planned = [sum(day) for day in zip(*sending.schedule, strict=True)]
        self.staircase = Staircase(sending, reacting) if reacting else None
        self.overflow = Overflow(sending)
        self.limiter, self.memory = Limiter(world), Memory(world)
        self.counts = Counts()
        self.n_slots = len(sending.pace)
        self.slot_seconds = DAY_SECONDS / self.n_slots
        self.most_attempts = {cause: policy.attempts(cause) for cause in CAUSES}
        self.queue: list[tuple[float, int, Message]] = []  # due second, serial number, message
        self.serial = itertools.count()
        self.largest = [0.0] * len(sending.schedule)  # volume so far, per segment, for first contacts
        self.complaint_rate = 0.0  # of the last day with mail
        self.trouble = False
        self.closed_until = 0.0  # penalty, seconds
        self.resume_slot = 0  # first slot after a rest
        self.now = self.day = 0  # slot since the start; day
        self.active_days = 0

    # --- the calendar ---------------------------------------------------------------------------------------

    def run(self) -> Counts:
        for day in range(len(self.planned)):
            self.day = day
            self.midnight()
            self.hand_over()
            for slot in range(day * self.n_slots, (day + 1) * self.n_slots):
                self.now = slot
                self.slot()
            self.evening()
        return self.counts

    def midnight(self) -> None:
        world, memory = self.world, self.memory
        self.counts.open_day()
        today = allowance(world, memory.established, memory.reputation)
        self.limiter.midnight(today)
        self.counts.reputation.append(memory.reputation)
        self.counts.allowance.append(today)
        self.counts.established.append(memory.established)
        self.reputation_block = memory.reputation < world.block_below
        self.blocked_today = self.reputation_block or self.day < world.opens
        # Reading: a closed gate is trouble, but not a block after which the sender rests.
        self.blocked_by_reputation = False  # becomes true with the first message that meets a block
        faded = math.exp(-world.greylisting_fade * self.active_days)
        self.greylisting_today = world.greylisting_probability * faded
        self.penalty_today = self.rng.random() < world.penalty_chance
        self.penalty_taken = False

    def hand_over(self) -> None:
        """Draw the day's new messages and put them into the queue at their times of birth."""
        volume, per_segment = self.volumes()
        bad_share = self.bad_share(volume, per_segment)
        if volume:
            self.complaint_rate = dot(per_segment, self.sending.complaint_rate) / sum(per_segment)
        intended = iter(self.overflow.hand_over(self.day, volume))
        until = 0
        for slot, share_so_far in enumerate(itertools.accumulate(self.sending.pace)):
            before, until = until, round_half_up(volume * share_so_far)
            for _ in range(until - before):
                self.bear(slot, bad_share, self.day - next(intended))
        self.counts.injected[-1] = volume
        self.counts.overflow.append(self.overflow.close_day())

    def volumes(self) -> tuple[int, list[float]]:
        """The day's volume, and the same by segment."""
        planned = [row[self.day] for row in self.sending.schedule]
        if self.staircase is None:
            return round_half_up(sum(planned)), planned
        volume = self.staircase.volume(self.day, self.overflow.wanted(self.day))
        return volume, [volume * share for share in self.staircase.mix()] if volume else [0.0] * len(planned)

    def bad_share(self, volume: int, per_segment: list[float]) -> float:
        """Probability that a new message of today goes to a bad address; remembers the largest volumes."""
        known = [0.0] * len(per_segment) if self.sending.transactional else self.largest
        first_contacts = [max(0.0, v - most) for v, most in zip(per_segment, known, strict=True)]
        self.largest = [max(v, most) for v, most in zip(per_segment, self.largest, strict=True)]
        return dot(first_contacts, self.sending.hard_bounce_rate) / volume if volume else 0.0

    def bear(self, slot: int, bad_share: float, held_days: int) -> None:
        born = (self.day * self.n_slots + slot + self.rng.random()) * self.slot_seconds
        stuck, bad = self.chance(self.world.stuck_share), self.chance(bad_share)
        fate = "stuck" if stuck else "bad" if bad else "good"
        self.push(born, Message(fate, held_days if self.sending.overflow == "hold" else 0))

    def evening(self) -> None:
        counts = self.counts
        delivered, new, trouble = counts.delivered[-1], counts.injected[-1], counts.first_trouble[-1]
        counts.queued.append(len(self.queue))
        share = min(1.0, trouble / new) if new else 0.0
        counts.wrong_days.append(share > WRONG_SHARE and trouble >= WRONG_MESSAGES)
        self.active_days += delivered > 0
        excess = max(0.0, new - self.limiter.allowance) / new if new else 0.0
        self.memory.evening(delivered, counts.hard_bounced[-1], self.complaint_rate, excess)
        if self.staircase:
            self.staircase.judge(new, trouble, self.blocked_by_reputation)

    # --- a slot ---------------------------------------------------------------------------------------------

    def slot(self) -> None:
        hours = 24 / self.n_slots
        self.change_trouble(hours)
        self.limiter.refill(hours)
        if self.now < self.resume_slot:
            self.postpone()
            return
        self.throttled = False  # was any attempt of this slot deferred by limit or penalty?
        while due := self.take_due():  # a deferred message may come due again within the slot: a further pass
            self.one_pass(due)
        self.close_slot()

    def change_trouble(self, hours: float) -> None:
        if self.trouble:
            self.trouble = not self.chance(hours / self.world.trouble_hours)
        else:
            self.trouble = self.chance(hours / (24 * self.world.trouble_every_days))

    def postpone(self) -> None:
        """During a rest, move what comes due to the first slot after it."""
        for moment, message in self.take_due():
            later = (self.resume_slot + self.rng.random()) * self.slot_seconds
            message.age += later - moment
            self.push(later, message)

    def close_slot(self) -> None:
        end = self.now + 1
        if (
            self.penalty_today
            and not self.penalty_taken
            and self.limiter.refusals > PENALTY_SHARE * self.limiter.allowance
        ):
            self.penalty_taken = True
            self.closed_until = end * self.slot_seconds + self.world.penalty_hours * 3_600
        if self.throttled and self.policy.pause_seconds > 0:
            self.resume_slot = math.ceil(end + self.policy.pause_seconds / self.slot_seconds)

    def one_pass(self, due: list[Attempt]) -> None:
        """Answer the attempts of one pass; `due` is in the order of time."""
        self.counts.attempts[-1] += len(due)
        reaching = [attempt for attempt in due if not self.answered_before_limiter(*attempt)]
        if not self.in_order:
            self.rng.shuffle(reaching)
        passed, refused = self.limiter.judge(reaching)
        for _, message in passed:
            self.accept(message)
        for moment, message in refused:
            if self.chance(self.world.excess_rejected):
                self.block(message, trouble=True)
            else:
                self.defer(moment, message, "limit")

    def answered_before_limiter(self, moment: float, message: Message) -> bool:
        """Block or defer the attempt in the order of the text; False if it reaches the limiter."""
        world = self.world
        if self.blocked_today:
            self.blocked_by_reputation = self.reputation_block
            self.block(message, trouble=True)
        elif self.now * self.slot_seconds < self.closed_until:
            self.defer(moment, message, "penalty")
        elif self.chance(world.auth_refused):
            self.block(message, trouble=False)
        elif self.chance(world.trouble_deferral if self.trouble else world.base_deferral):
            self.defer(moment, message, "system")
        elif self.chance((1 - self.memory.reputation) ** 2):
            self.defer(moment, message, "reputation")
        elif self.greylisted(message):
            self.defer(moment, message, "greylisting")
        elif message.fate == "stuck":
            self.defer(moment, message, "stuck")
        else:
            return False
        return True

    def greylisted(self, message: Message) -> bool:
        # Reading: a message whose first attempt was deferred for another cause is never greylisted.
        if message.attempt == 0:
            return self.chance(self.greylisting_today)
        early = message.age - message.first_age < self.world.greylisting_delay_seconds - HAIR
        return message.first_cause == "greylisting" and early

    # --- the answers ----------------------------------------------------------------------------------------

    def accept(self, message: Message) -> None:
        if message.fate == "bad":
            self.counts.hard_bounced[-1] += 1
            return
        self.counts.delivered[-1] += 1
        if message.first_cause is not None:
            self.counts.delays.append(message.age + message.held_days * DAY_SECONDS)

    def block(self, message: Message, trouble: bool) -> None:
        self.counts.blocked[-1] += 1
        if trouble and message.attempt == 0:
            self.counts.first_trouble[-1] += 1

    def defer(self, moment: float, message: Message, cause: str) -> None:
        self.counts.deferred[cause][-1] += 1
        throttling = cause in ("limit", "penalty")
        self.throttled |= throttling
        if message.attempt == 0:
            message.first_cause, message.first_age = cause, message.age
            self.counts.first_4xx[-1] += 1
            self.counts.first_trouble[-1] += throttling
        wait = self.policy.wait(message.attempt, cause)
        message.attempt += 1
        if message.attempt >= self.most_attempts[message.first_cause]:
            self.counts.expired[-1] += 1
            return
        wait *= 1 + self.policy.jitter * (2 * self.rng.random() - 1)
        message.age += wait
        if not self.true_times:
            moment = (self.now + self.rng.random()) * self.slot_seconds
        self.push(moment + wait, message)

    # --- small tools ----------------------------------------------------------------------------------------

    def chance(self, probability: float) -> bool:
        return probability > 0 and self.rng.random() < probability

    def push(self, moment: float, message: Message) -> None:
        heapq.heappush(self.queue, (moment, next(self.serial), message))

    def take_due(self) -> list[Attempt]:
        """Remove and return what comes due before the end of the slot, in the order of time."""
        end, due = (self.now + 1) * self.slot_seconds, []
        while self.queue and self.queue[0][0] < end:
            moment, _, message = heapq.heappop(self.queue)
            due.append((moment, message))
        return due


def run(
    world: World,
    sending: Sending,
    policy: Policy,
    reacting: Reacting | None,
    rng: np.random.Generator,
    *,
    times: str = "true",
    in_order: bool = False,
) -> Counts:
    """Simulate one provider in one scenario, message by message.

    With `times="true"` every message is tried again at its true time. `times="slots"` is the letter of the
    text: a wait starts anywhere in the slot of the deferral, as if nobody knew where in it the attempt stood.
    The two differ by what slots cost in accuracy.

    Reading: which of a pass's attempts the limiter lets pass is random. With `in_order` it is the first ones.
    Since the bucket is filled at the slot's start, that favours what comes early in a slot: retries of what
    was refused late stay late, and new mail overtakes them. Continuous time knows no such favour.
    """
    return Simulation(world, sending, policy, reacting, rng, times=times, in_order=in_order).run()
