"""simulate(): a schedule against many scenarios, on as many threads as the machine has."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from copy import copy
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np

from planner.errors import InputError
from planner.inputs.allocation import room
from planner.inputs.catalogue import catalogue
from planner.inputs.provider import PARAMETERS
from planner.inputs.reaction import Reaction
from planner.inputs.retry import DEFAULT_RETRY, RetryPolicy
from planner.inputs.schedule import for_sender
from planner.simulation import equations, layout
from planner.simulation.beliefs import Beliefs, draw, name_key
from planner.simulation.forecast import MOST_SCENARIOS, Forecast
from planner.simulation.seen import Seen, seen_days
from planner.vocabulary import Floats

if TYPE_CHECKING:
    from planner.inputs.schedule import Schedule
    from planner.inputs.sender import Sender
    from planner.observing.observations import Observations

Progress = Callable[[float], None]
"""Called with the share done; stops the work by raising, for instance `Cancelled`."""

Retry = RetryPolicy | Mapping[str, RetryPolicy] | None

_OVERFLOW = {"skip": 0, "old_path": 0, "spread": 1, "hold": 2}
_ITEMS = ("spf", "dkim", "dmarc", "ptr", "tls", "one_click")


def simulate(
    sender: Sender,
    schedule: Schedule,
    retry: Retry = None,
    *,
    reaction: Reaction | None = None,
    beliefs: Beliefs | None = None,
    scenarios: int | None = None,
    seed: int = 0,
    slot_minutes: int = 15,
    observed: Observations | None = None,
    progress: Progress | None = None,
) -> Forecast:
    """Simulate a schedule in many scenarios.

    Parameters
    ----------
    sender : Sender
    schedule : Schedule
        Messages by provider, segment and day; must name the sender's providers.
    retry : RetryPolicy or mapping of provider to RetryPolicy, optional
        The default policy where left out.
    reaction : Reaction, optional
        What the sender does the morning after trouble; without one the schedule is followed blindly.
    beliefs : Beliefs, optional
        Drawn from the catalogue's priors where left out.
    scenarios : int, optional
        500 for the prior; all of `beliefs`, which are resampled if another number is asked for.
    seed : int
        The same seed gives the same forecast, bit for bit, on any number of threads.
    slot_minutes : int
        Length of a slot; divides the day.
    observed : Observations, optional
        Days that happened: they are taken as they were, and the reaction begins on the day after them.
    progress : callable, optional
        Called with the share done, from the calling thread.

    Returns
    -------
    Forecast

    Raises
    ------
    InputError
        If schedule, policies, beliefs or observations do not fit the sender.
    """
    check_run(scenarios, seed, reaction)
    checked = for_sender(schedule, sender)
    believed = _beliefs(sender, beliefs, scenarios, seed)
    policies = policies_of(sender, retry)
    run = Run(sender, believed, policies, seed, slot_minutes, seen=seen_days(sender, observed))
    rows, delays = run.counts(checked.volume, reaction, progress=progress)
    return Forecast(sender, checked, policies, reaction, believed, seed, slot_minutes, rows, delays, observed)


def check_run(scenarios: object, seed: object, reaction: object) -> None:
    """Refuse what only a program can get wrong.

    Raises
    ------
    InputError
        If scenarios or seed are no whole numbers, or reaction is no Reaction.
    """
    if scenarios is not None and not (isinstance(scenarios, Integral) and 1 <= int(scenarios) <= MOST_SCENARIOS):
        raise InputError(f"scenarios is {scenarios!r}. Ask for 1 to {MOST_SCENARIOS:,}.")
    if not isinstance(seed, Integral):
        raise InputError(f"seed is {seed!r}. Give a whole number, such as 0.")
    if reaction is not None and not isinstance(reaction, Reaction):
        raise InputError(f"reaction is {reaction!r}. Give a Reaction, such as catalogue().reaction('default').")


def policies_of(sender: Sender, retry: Retry) -> dict[str, RetryPolicy]:
    """Return one policy per provider of the sender.

    Raises
    ------
    InputError
        If a mapping lacks a provider.
    """
    if retry is None or isinstance(retry, RetryPolicy):
        return dict.fromkeys(sender.provider_names, retry or DEFAULT_RETRY)
    missing = [name for name in sender.provider_names if name not in retry]
    if missing:
        raise InputError(f"No retry policy for '{missing[0]}'. Give one per provider, or one for all.")
    return {name: retry[name] for name in sender.provider_names}


def _beliefs(sender: Sender, beliefs: Beliefs | None, scenarios: int | None, seed: int) -> Beliefs:
    if beliefs is None:
        return draw(sender, scenarios or 500, seed)
    known = beliefs.for_providers(sender.provider_names)
    return known if scenarios in (None, len(known)) else known.resampled(scenarios or len(known), seed)


class Run:
    """What does not depend on the schedule, prepared once: a search judges many schedules by one run."""

    def __init__(
        self,
        sender: Sender,
        beliefs: Beliefs,
        policies: Mapping[str, RetryPolicy],
        seed: int,
        slot_minutes: int = 15,
        *,
        sampled: bool = True,
        seen: Seen | None = None,
    ) -> None:
        if slot_minutes < 1 or 1440 % slot_minutes:
            raise InputError(f"slot_minutes is {slot_minutes}. Choose a length that divides the day, such as 15.")
        self.sender = sender
        self.beliefs = beliefs
        self.sampled = sampled
        self.seen = seen
        self.slot_seconds = 60.0 * slot_minutes
        self._retry(policies)
        self._world = worlds(sender, beliefs, self.slot_seconds)
        self._keys = luck_keys(sender.provider_names, len(beliefs), seed)
        pace = np.cumsum(sender.pace(slot_minutes))
        self._pace = np.tile(pace / pace[-1], (len(sender.provider_names), 1))

    def retrying(self, policies: Mapping[str, RetryPolicy]) -> Run:
        """Return the same scenarios and luck with other retry policies."""
        other = copy(self)
        other._retry(policies)
        return other

    def _retry(self, policies: Mapping[str, RetryPolicy]) -> None:
        from planner.simulation import backoff

        own = [policies[name] for name in self.sender.provider_names]
        self._backoff = backoff.tabulate(own, self.slot_seconds)
        n_attempts = self._backoff.nominal.shape[2]
        delays = self.beliefs.parameter("greylisting_delay_seconds")
        greylists = (self.beliefs.parameter("greylisting_probability") > 0.0).any(axis=0)
        self._early = np.zeros((*delays.shape, n_attempts))
        for p in np.flatnonzero(greylists):
            self._early[:, p] = backoff.still_early(own[p], delays[:, p], n_attempts)

    def counts(
        self, volume: Floats, reaction: Reaction | None, *, progress: Progress | None = None
    ) -> tuple[Floats, Floats]:
        """Run a schedule.

        Parameters
        ----------
        volume : (providers, segments, days) float array, messages
        reaction : Reaction or None
        progress : callable, optional

        Returns
        -------
        rows : (layout.N_ROWS, scenarios, providers, days) float array
        delays : (scenarios, providers, layout.N_DELAY_BINS) float array
        """
        from planner.simulation import kernel

        inputs = self._inputs(volume, reaction)
        n_scenarios, n_providers = self._keys.shape
        n_days = volume.shape[2]
        rows = np.zeros((layout.N_ROWS, n_scenarios, n_providers, n_days))
        delays = np.zeros((n_scenarios, n_providers, layout.N_DELAY_BINS))
        steps = _chunks(n_scenarios, n_providers * n_days * self._pace.shape[1])
        with ThreadPoolExecutor(n_threads()) as pool:
            jobs = [pool.submit(kernel.run_chunk, a, b, inputs, rows, delays) for a, b in steps]
            try:
                for done, job in enumerate(as_completed(jobs), start=1):
                    job.result()
                    if progress is not None:
                        progress(done / len(jobs))
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        return rows, delays

    def _inputs(self, volume: Floats, reaction: Reaction | None) -> Any:
        """Return the slot loop's inputs; volume (providers, segments, days)."""
        sender, table = self.sender, self._backoff
        total = volume.sum(axis=1)
        mix = _mix(sender, volume)
        n_days = total.shape[1]
        demand = sender.demand(n_days)
        seen = None if self.seen is None else self.seen.first(n_days)
        if seen is not None and mix.shape[2] == len(sender.audience.segments):  # whom an unplanned day's mail went to
            unplanned = (total[:, : len(seen)] == 0.0)[:, :, None]
            mix[:, : len(seen)] = np.where(unplanned, sender.mix(seen.sent), mix[:, : len(seen)])
        climbed = np.zeros((len(total), 0)) if seen is None else seen.climbed()
        stages, stage_days, n_stages, first_stage, dips = stages_of(total, demand, climbed)
        segments = sender.audience.segments
        single = mix.shape[2] != len(segments)
        rates = np.array([[s.complaint_rate, s.hard_bounce_rate] for s in segments])
        if single:
            rates = np.array([[s.share for s in segments]]) @ rates / sum(s.share for s in segments)
        by_provider = np.tile(rates, (len(sender.provider_names), 1, 1))
        inputs: Any = layout.Inputs(
            world=self._world,
            keys=self._keys,
            volume=total,
            demand=demand,
            ceiling=np.minimum(dips, room(sender, n_days)),  # who reacts keeps to its own limits, too
            opens=opening_days(sender, n_days),
            mix=mix,
            complaint_rate=by_provider[:, :, 0].copy(),
            hard_bounce_rate=by_provider[:, :, 1].copy(),
            pace=self._pace,
            target=sender.targets(),
            stage_volume=stages,
            stage_day=stage_days,
            n_stages=n_stages,
            first_stage=first_stage,
            reaction=np.zeros(0) if reaction is None else reaction.to_array(),
            early=self._early,
            seen=np.zeros((len(total), 0, layout.N_ROWS)) if seen is None else seen.rows.transpose(1, 2, 0),
            seen_complaint_rate=np.zeros((len(total), 0)) if seen is None else seen.complaint_rate,
            transactional=sender.kind == "transactional",
            overflow=_OVERFLOW[sender.overflow],
            slot_seconds=self.slot_seconds,
            sampled=self.sampled,
            **table._asdict(),
        )
        # one memory layout, or the slot loop would be compiled once for each
        ordered: list[Any] = [np.array(x, order="C") if isinstance(x, np.ndarray) else x for x in inputs]
        return layout.Inputs(*ordered)


def worlds(sender: Sender, beliefs: Beliefs, slot_seconds: float) -> Floats:
    """Return the believed providers' parameters as the slot loop uses them, of all or some that the sender mails.

    Returns
    -------
    (scenarios, len(layout.WORLD), providers) float array
    """
    values = {name: beliefs.values[:, :, k] for k, name in enumerate(PARAMETERS)}
    slots_an_hour = 3600.0 / slot_seconds
    weight = values["ip_weight"]
    mailed = [sender.provider_names.index(name) for name in beliefs.providers]
    domains = limiter_domains(sender)[mailed]
    factor = values["new_domain_factor"] if sender.domain == "new" else np.ones_like(weight)
    auth, refused = _authentication(sender, values)
    derived = {
        "established": established_at_start(sender, values, mailed),
        "cold": equations.cold_volume(values["cold_allowance"], sender.n_ips, weight, factor, domains),
        "jump": equations.one_day_jump(values["daily_growth"]),
        "fades_at": values["growth_fades_at"] * domains * float(sender.n_ips) ** weight,
        "penalty_slots": values["penalty_hours"] * slots_an_hour,
        "trouble_starts": np.minimum(1.0, 1.0 / (values["trouble_every_days"] * 24.0 * slots_an_hour)),
        "trouble_ends": np.minimum(1.0, 1.0 / (values["trouble_hours"] * slots_an_hour)),
        "auth": auth,
        "auth_refused": refused,
    }
    return np.stack([derived[name] if name in derived else values[name] for name in layout.WORLD], axis=1).astype(float)


def established_at_start(sender: Sender, values: Mapping[str, Floats], mailed: Sequence[int] | None = None) -> Floats:
    """Established volume on the first day from the sender's history, (scenarios, providers), messages/day."""
    domain, ip, idle = (each if mailed is None else each[mailed] for each in sender.past())
    cooled = equations.cooling(values["idle_decay"], idle)
    return equations.history_established(values["ip_weight"], values["history_carried"], domain, ip, cooled)


def limiter_domains(sender: Sender) -> Floats:
    """Return how many limiters stand behind each provider, (providers,): 1, or its recipient domains."""
    facts = catalogue()
    many = [facts.provider(name).limiter_scope == "recipient_domain" for name in sender.provider_names]
    counts = [sender.audience.n_domains(name) if m else 1 for name, m in zip(sender.provider_names, many, strict=True)]
    return np.array(counts, dtype=float)


def luck_keys(providers: tuple[str, ...], scenarios: int, seed: int) -> Any:
    """Return the key of each scenario's and provider's luck, (scenarios, providers) uint64 array.

    A provider's luck hangs on its name, not on its place: mailing one more changes nothing for the others.
    """
    names = np.array([name_key(f"luck {name}") for name in providers], dtype=np.uint64)
    numbers = np.arange(scenarios, dtype=np.uint64)
    with np.errstate(over="ignore"):
        golden = np.uint64(0x9E3779B97F4A7C15)
        base = _mixed(np.uint64(seed % 2**64) + golden)
        of_scenario = _mixed(base + (numbers + np.uint64(1)) * golden)
        return _mixed(of_scenario[:, None] ^ names[None, :])


def n_threads() -> int:
    """Return how many threads to simulate on: the processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _mixed(x: Any) -> Any:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _chunks(n_scenarios: int, slots_each: int) -> list[tuple[int, int]]:
    """Cut the scenarios so that a chunk stays below about a tenth of a second."""
    size = max(1, min(-(-n_scenarios // n_threads()), 400_000 // slots_each))
    return [(a, min(a + size, n_scenarios)) for a in range(0, n_scenarios, size)]


def _authentication(sender: Sender, values: Mapping[str, Floats]) -> tuple[Floats, Floats]:
    """Return the factor on the allowance and the share refused for what is known to be missing."""
    factor = np.ones_like(values["ip_weight"])
    accepted = np.ones_like(factor)
    for item in _ITEMS:
        if getattr(sender.authentication, item) == "no":
            factor = factor * values[f"missing_{item}_factor"]
            accepted = accepted * (1.0 - values[f"missing_{item}_refused"])
    return factor, 1.0 - accepted


def _mix(sender: Sender, volume: Floats) -> Floats:
    """Return the share of each segment in the day's mail, (providers, days, segments)."""
    if volume.shape[1] == 1:
        return np.ascontiguousarray(sender.mix(volume[:, 0]))
    total = volume.sum(axis=1, keepdims=True)
    share = np.where(total > 0.0, volume / np.maximum(total, 1e-9), 1.0 / volume.shape[1])
    return np.ascontiguousarray(share.transpose(0, 2, 1))


def opening_days(sender: Sender, n_days: int) -> Any:
    """Return the day from which each provider takes mail at all: its gate's admission, else 0."""
    facts = catalogue()
    return np.array(
        [
            0
            if facts.provider(name).gate is None
            else n_days
            if name not in sender.admissions
            else max(0, (sender.admissions[name] - sender.start).days)
            for name in sender.provider_names
        ]
    )


def stages_of(total: Floats, demand: Floats, climbed: Floats | None = None) -> tuple[Floats, Any, Any, Any, Floats]:
    """Return what a reaction steps through, and the stage it begins with; see `layout.Inputs`.

    A stage is the running maximum of the schedule over its days with mail up to its largest, and the day that set it.
    Where the schedule dips below that maximum though the demand would not, the dip is a ceiling. The first days may
    have happened: `climbed` (providers, days) holds what went well of them, see `Seen.climbed`. As far as that lies
    below the first day that is left, these are the stages to fall back to.
    """
    n_providers, n_days = total.shape
    n_seen = 0 if climbed is None else climbed.shape[1]
    steps = total.copy()
    if climbed is not None and n_seen:
        ahead = total[:, n_seen:]
        next_one = np.take_along_axis(ahead, (ahead > 0.0).argmax(axis=1)[:, None], axis=1) if n_days > n_seen else 0.0
        steps[:, :n_seen] = np.where(climbed < next_one, climbed, 0.0)
    stages = np.zeros((n_providers, n_days))
    days = np.zeros((n_providers, n_days), dtype=np.int64)
    counts = np.zeros(n_providers, dtype=np.int64)
    for p in range(n_providers):
        sent = np.flatnonzero(steps[p] > 0.0)
        highest = np.maximum.accumulate(steps[p, sent])
        if len(sent):  # at the last volume the climb is over: a step back from there must be one
            counts[p] = int(np.argmax(highest >= highest[-1])) + 1
        stages[p, : len(sent)] = highest
        sets = np.where(steps[p, sent] >= highest, np.arange(len(sent)), 0)
        days[p, : len(sent)] = sent[np.maximum.accumulate(sets)] if len(sent) else 0
    highest = np.maximum.accumulate(steps, axis=1)
    dips = steps < np.minimum(highest, demand) * (1.0 - 1e-9) - 0.5
    return stages, days, counts, (steps[:, :n_seen] > 0.0).sum(axis=1), np.where(dips, steps, np.inf)
