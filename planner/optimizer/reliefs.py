"""What each relief is worth in days: changes that people could make, measured by solving again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from planner.inputs.calendars import MAX_DAYS
from planner.inputs.catalogue import catalogue
from planner.inputs.provider import ITEM_TITLES, ITEMS, Item
from planner.optimizer.answers import CLEAN, NEARLY, another_day, cleaner_list, lifted_limits, missing_items
from planner.optimizer.referee import LEVELS, ramps, volumes_at
from planner.optimizer.resolving import arrival, mailing_only
from planner.simulation.forecast import quantiles
from planner.vocabulary import WEEKDAYS, Floats, day_text, in_100, weekday_text, whole

if TYPE_CHECKING:
    from planner.inputs.sender import Sender
    from planner.optimizer.plan import Plan
    from planner.optimizer.planning import Progress
    from planner.optimizer.resolving import Base

MANY_WEEKDAYS = 5
WEEKS_EARLIER = (1, 2)
SURE = 0.8
MOST_IPS = 1000
LARGE, ENOUGH = 500, 1_300
"""Providers times send days: from where on reliefs are screened first, and how much of it is solved of those that
are."""
MOST_SCREENED = 4
"""So many providers, the latest, say whether a relief is promising."""
_ASKED_FOR = (
    "ip",
    "frequency_caps",
    "complaint_limit",
    "hard_bounce_limit",
    "capacity",
    "missing_",
    "start_",
    "old_path",
    "risk_down",
)
_NOISE = 1.15
"""A provider may take so much longer, as a factor, because another level of risk happens to be chosen for it."""

_IMPERATIVES: dict[Item, str] = {
    "spf": "List your sending IPs in SPF",
    "dkim": "Sign every message with DKIM",
    "dmarc": "Publish a DMARC policy",
    "ptr": "Give each IP a reverse DNS name that leads back to it",
    "tls": "Encrypt connections with TLS",
    "one_click": "Add one-click unsubscribe to the header",
}
_ORDINALS = ("", "", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


class Relief(NamedTuple):
    """A change that may bring the date nearer, or tells what something is worth; `changes` for `Sender.changed`."""

    name: str
    text: str
    changes: dict[str, Any]


def candidates(plan: Plan) -> list[Relief]:
    """Return the reliefs that apply to a plan's sender, the most asked for first."""
    sender = plan.sender
    return [
        *_own_limits(plan),
        *_ips(sender),
        *_send_days(sender),
        *_window(sender),
        *_segment(sender),
        *_cleaner(sender),
        *_authentication(sender),
        *_earlier(plan),
        *_old_path(plan),
        *_risk(plan),
    ]


def promising(base: Base, wanted: list[Relief]) -> list[Relief]:
    """Return the reliefs that are worth solving: all of them, unless the sender is so large that it takes long.

    There a few must do beside those that everybody asks for: the ones that move most the day on which the ramps reach
    the target, as the envelope has it at the plan's own caution. A bolder risk comes last: the frontier shows it. Where
    there is least time, a more cautious risk is none of those that everybody gets.
    """
    sender, enough = base.plan.sender, time_enough(base)
    if enough >= len(wanted):
        return wanted
    usual = _planned(base, sender)
    asked_for = tuple(name for name in _ASKED_FOR if enough > 1 or name != "risk_down")
    others = [each for each in wanted if not each.name.startswith(asked_for)]
    shift = {each.name: abs(_shift(_planned(base, sender.changed(each.changes)), usual)) for each in others}
    best = sorted(others, key=lambda each: (-shift[each.name], each.name.startswith("risk_")))[:enough]
    return [each for each in wanted if each not in others or each in best]


def time_enough(base: Base) -> int:
    """Return for how many reliefs beside those that everybody asks for there is time: many, unless much is mailed."""
    size = len(base.order) * int(base.plan.sender.send_mask(base.n_days).sum())
    return max(1, ENOUGH // size) if size > LARGE else 1_000


def _planned(base: Base, sender: Sender) -> float:
    """Return the day on which the latest of the ramps reaches its target, each giving up as many scenarios as now."""
    latest = list(base.order[:MOST_SCREENED])
    only = mailing_only(sender, latest)
    most = int(np.ceil(base.drops[latest].max()))
    nested = ramps(only, base.fit, base.n_days, most=most, seen=base.task.seen)
    volume = volumes_at(nested, base.drops)
    targets = only.targets()
    there = volume >= NEARLY * targets[:, None] - 0.5
    return float(np.where(there.any(axis=1), there.argmax(axis=1), np.inf)[targets > 0.0].max(initial=0.0))


def measured(base: Base, relief: Relief, tell: Progress) -> dict[str, Any]:
    """Return a relief's row: name, text, days, effect, chance, changes.

    `days` is the shift of the median day on which all providers have reached the target, earlier below 0; inf where
    it is then never reached within the horizon, -inf where only then.
    """
    plan, old = base.plan, base.plan.sender
    changed = old.changed(relief.changes)
    by = None if changed.target.by is None else (changed.target.by - changed.start).days
    risk = relief.changes.get("risk", plan.risk)
    found = arrival(base, changed, risk, _slower(plan, relief), 0 if by is None else by + 1, tell)
    days = _shift(found.days + (changed.start - old.start).days, base.days)
    chance = np.nan
    if by is not None:
        chance = float(base.fresh.weights @ (found.reached.max(axis=1, initial=0.0) <= by))
    return {
        "name": relief.name,
        "text": relief.text,
        "days": days,
        "effect": effect_text(days, bool(np.isfinite(base.days))),
        "chance": chance,
        "changes": relief.changes,
    }


def effect_text(days: float, arrives: bool) -> str:
    """Say a shift in days; `arrives` tells whether the target is reached as things are.

    Examples
    --------
    >>> effect_text(-6.0, True), effect_text(1.0, True), effect_text(0.0, True)
    ('6 days earlier', '1 day later', 'changes nothing')
    >>> effect_text(float("-inf"), False), effect_text(float("inf"), True), effect_text(0.0, False)
    ('arrives at all', 'no longer arrives', 'still does not arrive')
    """
    if days == 0:
        return "changes nothing" if arrives else "still does not arrive"
    if not np.isfinite(days):
        return "arrives at all" if days < 0 else "no longer arrives"
    return f"{abs(days):.0f} {'day' if abs(days) == 1 else 'days'} {'earlier' if days < 0 else 'later'}"


def _shift(new: float, old: float) -> float:
    return 0.0 if new == old else new - old


def _slower(plan: Plan, relief: Relief) -> Floats:
    """Return by what factor each provider may come to take longer, (providers,).

    What helps is never much later. What the plan's frontier knows of another risk is enough to tell who matters. What
    is asked of authentication differs so much from provider to provider that nothing is known before.
    """
    names = plan.sender.provider_names
    if relief.name.startswith("missing_"):
        return np.full(len(names), np.inf)
    if "risk" not in relief.changes:
        return np.full(len(names), _NOISE)
    at_80 = {(row["provider"], row["risk"]): row["q80"] for row in plan.frontier_rows}
    wanted = relief.changes["risk"]
    pairs = [(at_80.get((name, plan.levels[name]), np.nan), at_80.get((name, wanted), np.inf)) for name in names]
    return np.array([max(_NOISE, _NOISE * new / max(old, 1.0)) if np.isfinite(new) else np.inf for old, new in pairs])


# --- the changes


def _ips(sender: Sender) -> Iterator[Relief]:
    n = sender.n_ips + 1
    if n <= MOST_IPS:
        text = f"a {_ORDINALS[n]} IP" if n < len(_ORDINALS) else f"{n} IPs, one more than now"
        yield Relief("ip", f"Send from {text}.", {"n_ips": n})


def _send_days(sender: Sender) -> Iterator[Relief]:
    own = sender.send_days
    n = len(own)
    if set(own) == set(WEEKDAYS[:5]):
        yield Relief("weekends", "Send at weekends too.", {"send_days": "daily"})
    elif n < len(WEEKDAYS):
        day = another_day(own)
        days = [str(each) for each in WEEKDAYS if each in own or each == day]
        yield Relief("another_day", f"Send as much on {weekday_text(day)} too.", {"send_days": days})
    if n < MANY_WEEKDAYS:
        yield Relief("spread", "Spread the same weekly volume over the weekdays.", spread(sender))


def spread(sender: Sender) -> dict[str, Any]:
    """Return the changes that spread a week's volume over five weekdays."""
    shape, volume = sender.target.shape(), sender.target.volume
    week = sum(shape[WEEKDAYS.index(day)] for day in sender.send_days)
    share = week / float(shape[:MANY_WEEKDAYS].sum())
    if isinstance(volume, dict):
        less: Any = {name: max(min(1, each), round(share * each)) for name, each in volume.items()}
    else:
        less = max(1, round(share * volume))
    return {"send_days": "weekdays", "target.volume": less}


def _window(sender: Sender) -> Iterator[Relief]:
    if sender.window_hours < 24:
        yield Relief("window", "Send around the clock.", {"window": "00:00-24:00"})


def _segment(sender: Sender) -> Iterator[Relief]:
    """Twice as many in the most engaged segment, at the expense of all others."""
    audience = sender.audience
    if len(audience.segments) < 2 or audience.size is None or sender.kind == "transactional":
        return
    segments = [
        one.model_dump() | {"share": share}
        for one, share in zip(audience.segments, _twice_the_first(audience.segment_shares()), strict=True)
    ]
    changes: dict[str, Any] = {"audience.segments": segments}
    if audience.engagement:  # a provider that divides in its own way goes on doing so
        rows = dict(zip(sender.provider_names, audience.segment_shares_by_provider(), strict=True))
        changes["audience.engagement"] = {
            name: dict(zip(audience.segment_names, _twice_the_first(rows[name]), strict=True))
            for name in audience.engagement
        }
    before, after = (float(one.audience.addresses()[:, 0].sum()) for one in (sender, sender.changed(changes)))
    if after > before:
        first = audience.segments[0].name
        text = f"Win readers back first: from {whole(before)} to {whole(after)} of them in '{first}'."
        yield Relief("segment", text, changes)


def _twice_the_first(shares: Floats) -> list[float]:
    """Return shares in percent of which the first is twice as large, at most half way to all."""
    if shares[0] >= 1.0:
        return [100.0 * float(share) for share in shares]
    first = min(2.0 * shares[0], 0.5 * (1.0 + shares[0]))
    others = shares[1:] * (1.0 - first) / (1.0 - shares[0])
    return [100.0 * float(share) for share in (first, *others)]


def _own_limits(plan: Plan) -> Iterator[Relief]:
    """What the sender forbids itself, lifted, where it keeps the target out of reach."""
    lifted = lifted_limits(plan.sender)
    for name in dict.fromkeys(answer.name for answer in plan.answers):
        if name in lifted and name in _LIFTED:
            yield Relief(name, _LIFTED[name], lifted[name])


_LIFTED = {
    "frequency_caps": "Do without the frequency caps.",
    "complaint_limit": "Do without your own limit on complaints.",
    "hard_bounce_limit": "Do without your own limit on hard bounces.",
    "capacity": "Raise your capacity to the target.",
}


def _cleaner(sender: Sender) -> Iterator[Relief]:
    if changes := cleaner_list(sender):
        yield Relief("cleaner", f"Clean the list: at most {CLEAN}.", changes)


def _authentication(sender: Sender) -> Iterator[Relief]:
    for item in missing_items(sender):
        yield Relief(item, f"{_IMPERATIVES[item]}.", {f"authentication.{item}": "yes"})
    for item in ITEMS:
        if getattr(sender.authentication, item) == "unknown" and _asked_for(sender, item):
            text = f"Check {ITEM_TITLES[item]}: this is what it costs if it is missing."
            yield Relief(f"missing_{item}", text, {f"authentication.{item}": "no"})


def _asked_for(sender: Sender, item: Item) -> bool:
    mailed = [name for name, target in zip(sender.provider_names, sender.targets(), strict=True) if target > 0.0]
    priors = [catalogue().provider(name).priors for name in mailed]
    return any(
        each[f"missing_{item}_factor"].low < 1.0 or each[f"missing_{item}_refused"].high > 0.0 for each in priors
    )


def _earlier(plan: Plan) -> Iterator[Relief]:
    sender = plan.sender
    if sender.target.by is None or plan.n_seen:
        return
    for weeks in WEEKS_EARLIER:
        if (sender.target.by - sender.start).days + 7 * weeks > MAX_DAYS:
            return
        start = (sender.start - timedelta(weeks=weeks)).isoformat()
        text = f"Start {'a week' if weeks == 1 else 'two weeks'} earlier."
        yield Relief(f"start_{weeks}", text, {"start": start})


def _old_path(plan: Plan) -> Iterator[Relief]:
    """Until when the old path is needed, where it was to end too early."""
    by = plan.sender.target.by
    if by is None or plan.sender.overflow != "old_path":
        return
    day = float(quantiles(plan.forecast.reached_by_all, plan.forecast.weights, (SURE,))[0])
    if np.isfinite(day) and (until := plan.sender.start + timedelta(days=int(day))) > by:
        longer = (until - by).days
        days = "1 day" if longer == 1 else f"{longer} days"
        text = f"Keep the old path {days} longer, until {day_text(until)}: then {in_100(SURE)} are there."
        yield Relief("old_path", text, {"target.by": until.isoformat()})


def _risk(plan: Plan) -> Iterator[Relief]:
    slowest = plan.holds_back()
    if slowest is None:
        return
    now = plan.levels[slowest]
    bolder, safer = (next(iter(levels), None) for levels in (_above(now), _below(now)))
    if bolder is not None:
        yield Relief("risk_up", f"Accept a throttled day at each provider with {in_100(bolder)}.", {"risk": bolder})
    if safer is not None:
        yield Relief("risk_down", f"Risk a throttled day at each provider only with {in_100(safer)}.", {"risk": safer})


def _above(level: float) -> list[float]:
    return [each for each in LEVELS if each > level + 1e-9]


def _below(level: float) -> list[float]:
    return [each for each in reversed(LEVELS) if each < level - 1e-9]
