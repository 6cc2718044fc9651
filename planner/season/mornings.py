"""morning(): from a season to what to do today."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from planner.learning.updating import calibrate as learn
from planner.observing.alarms import percent
from planner.observing.judging import alarms as judge
from planner.observing.observations import Observations
from planner.optimizer.planning import Progress, longest, optimize
from planner.season.lookups import look_ups
from planner.season.report import Morning, Today, nearest_day
from planner.simulation.seen import seen_days
from planner.vocabulary import HALF, Verdict, dates_text, short_day, whole

if TYPE_CHECKING:
    from planner.inputs.schedule import Schedule
    from planner.inputs.sender import Sender
    from planner.learning.calibration import Calibration
    from planner.observing.alarms import Alarms
    from planner.optimizer.plan import Plan
    from planner.season.season import Season

Cells = dict[str, dict[date, int]]
Last = dict[str, tuple[date, int]]
"""By provider, the last day with mail and its messages."""

_VERDICTS = "verdicts"
"""Option of a plan: cells that are decided by verdicts, dates by provider."""

_HOW_MANY = {1.0: "As many as", 0.5: "Half of those", 0.25: "A quarter of those"}
_LOOKED_AHEAD = 60
_HALF_WAY = 0.5
"""Share of the work that learning takes; planning takes the rest."""


def morning(
    season: Season,
    today: date | None = None,
    *,
    calibrate: bool = True,
    replan: bool = True,
    progress: Progress | None = None,
) -> Morning:
    """Say what to do today: the verdict on each provider, today's volumes, a plan for the days left, and why.

    Held is the volume of a provider's last day with mail; stepping back sends half of it; a stop sends nothing until
    its days are over, and then at most the share of it that the rule starts again with. Never is more sent than
    planned. Such volumes are decided, and the days after them planned around them. Days before today of which nothing
    is known are taken to have been mailed as the plan in force says; without one, to have had no mail.

    Parameters
    ----------
    season : Season
        Nothing of it is changed: `Season.planned` puts the new plan in force.
    today : date, optional
        What was observed of that day and later is left aside. The day after the last one observed, if left out.
    calibrate : bool
        Learn from what was observed, always from all of it and from the priors that the plan in force was made with.
        Otherwise nothing is learnt; the days that happened are remembered all the same.
    replan : bool
        Plan the days left again; otherwise the plan in force stays, except for today's volumes. Without a plan in
        force there is a plan in any case.
    progress : callable, optional
        Called with the share done and a text; stops the work by raising, for instance `Cancelled`.

    Returns
    -------
    Morning

    Raises
    ------
    InputError
        If today is no day of the season.
    """
    tell = progress or (lambda share, text: None)
    day = season.today if today is None else today
    seen = season.observations.until(day - timedelta(days=1))
    before = season.plan
    found = judge(season.sender, seen, day, season.rules) if seen.days else None
    believed = None
    if calibrate and seen.days:
        tell(0.0, "Learning from what was observed")
        believed = _learnt(season.sender, seen, before, lambda share: tell(_HALF_WAY * share, "Learning"))
    last = _last_days(seen)
    mailer = season.sender if before is None or replan else before.sender
    caps = _caps(mailer, found, last, day)
    unseen = _unseen(mailer, seen, day)
    if before is not None and not replan:
        plan = wished = before
    else:
        start = _HALF_WAY if believed is not None else 0.0
        rest = partial(_later, tell, start)
        wished, plan = _replanned(season, before, _with_unseen(seen, before, unseen), believed, caps, day, rest)
    cells = _cut(plan.schedule, caps, day)
    schedule = plan.with_cells(cells) if cells else plan.schedule
    return Morning(
        season.name,
        day,
        tuple(_rows(plan.sender, found, schedule, wished, before or wished, last, day)),
        schedule,
        found,
        before,
        plan,
        believed,
        () if found is None else tuple(look_ups(found, season.rules)),
        tuple(dict.fromkeys(_doubts(season.sender, seen, found, believed, day))),
        _unseen_said(mailer, unseen, before, day),
    )


def _later(tell: Progress, start: float, share: float, text: str) -> None:
    tell(start + (1.0 - start) * share, text)


# --- beliefs and plans


def _learnt(sender: Sender, seen: Observations, before: Plan | None, tell: Callable[[float], None]) -> Calibration:
    """Learn from all observations, from the priors that the plan in force was made with."""
    if before is None:
        return learn(sender, seen, progress=tell)
    return learn(sender, seen, priors=before.options.get("priors"), retry=before.retry, seed=before.seed, progress=tell)


def _replanned(
    season: Season,
    before: Plan | None,
    seen: Observations,
    believed: Calibration | None,
    caps: Cells,
    day: date,
    tell: Progress,
) -> tuple[Plan, Plan]:
    """Return what would be planned without verdicts that only lower a day's volume, and with all of them.

    A stop is decided at once. Whether holding, stepping back or starting again with less takes anything away shows
    when the days left are planned; only then are they planned again around it.
    """
    asked = _asked(season.sender, before, believed)
    observed = seen if seen.days else None
    last = season.sender.start + timedelta(days=longest(season.sender, seen_days(season.sender, observed)) - 1)
    by_hand = _by_hand(season.sender, before, day, last)
    start = season.sender.start
    stops = {name: {d: n for d, n in days.items() if n == 0 and start <= d <= last} for name, days in caps.items()}
    stops = {name: days for name, days in stops.items() if days}
    twice = any(any(days.values()) for days in caps.values())
    share_of_first = 0.5 if twice else 1.0
    first = optimize(
        season.sender,
        observed=observed,
        fixed=_joined(by_hand, stops),
        progress=lambda share, text: tell(share_of_first * share, text),
        **asked,
    )
    cells = _cut(first.schedule, caps, day)
    if not cells:
        tell(1.0, "No verdict lowers what is planned")
        return first, _marked(first, stops)
    asked["retry"] = first.retry  # the search for it is the longest part
    again = optimize(
        season.sender,
        observed=observed,
        fixed=_joined(by_hand, stops, cells),
        progress=partial(_later, tell, share_of_first),
        **asked,
    )
    return first, _marked(again, _joined(stops, cells))


def _marked(plan: Plan, cells: Cells) -> Plan:
    """Note which decided cells are a verdict's: tomorrow they are decided anew."""
    if not cells:
        return plan
    noted = {name: [d.isoformat() for d in days] for name, days in cells.items()}
    return replace(plan, options={**plan.options, _VERDICTS: noted})


def _asked(sender: Sender, before: Plan | None, believed: Calibration | None) -> dict[str, Any]:
    """Return what the plan in force was asked for, as far as nothing newer is known."""
    if before is None:
        return {"beliefs": believed}
    same = before.sender.provider_names == sender.provider_names
    risk = before.risk if before.sender.risk == sender.risk else sender.risk
    priors = None if believed is not None else before.options.get("priors")
    return {
        "risk": risk,
        "beliefs": believed,
        "scenarios": before.options.get("scenarios", 200),
        "seed": before.seed,
        "retry": before.retry if same else None,
        "reaction": before.reaction,
        "priors": priors,
    }


def _by_hand(sender: Sender, before: Plan | None, day: date, last: date) -> Cells:
    """Return the cells from today on that somebody has decided in the plan in force, but for a verdict's."""
    if before is None or before.sender != sender:
        return {}
    noted = before.options.get(_VERDICTS, {})
    cells: Cells = {}
    for name, days in before.options.get("fixed", {}).items():
        own = {date.fromisoformat(d): int(n) for d, n in days.items() if d not in noted.get(name, ())}
        cells[name] = {d: n for d, n in own.items() if day <= d <= last}
    return {name: days for name, days in cells.items() if days}


def _unseen(sender: Sender, seen: Observations, day: date) -> list[date]:
    """Return the days before today, after the last with a count, of which nothing is known."""
    days = seen_days(sender, seen if seen.days else None)
    first = 0 if days is None else len(days)
    return [sender.start + timedelta(days=d) for d in range(first, (day - sender.start).days)]


def _with_unseen(seen: Observations, before: Plan | None, unseen: list[date]) -> Observations:
    """Return the counts with those days mailed as the plan in force says; without one, not at all."""
    if not unseen:
        return seen
    names = seen.providers if before is None else before.schedule.providers
    sent = [[0 if before is None else _volume(before.schedule, name, day) for day in unseen] for name in names]
    return seen.merge(Observations(names, tuple(unseen), sent=np.array(sent, dtype=float)))


def _unseen_said(sender: Sender, unseen: list[date], before: Plan | None, day: date) -> str:
    """Say which days are not known, of those on which mail was due."""
    if not unseen:
        return ""
    due = sender.send_mask((day - sender.start).days)
    missing = [d for d in unseen if due[(d - sender.start).days]]
    if before is not None:
        missing = [d for d in missing if any(_volume(before.schedule, name, d) for name in before.schedule.providers)]
    if not missing:
        return ""
    how = "without mail" if before is None else "with the mail that was planned"
    return f"Nothing is known of {_days_said(missing, day)}: they count as days {how}. Bring in what was sent."


def _days_said(days: list[date], today: date) -> str:
    """Say days that follow one another as a range, others by their number."""
    if (days[-1] - days[0]).days == len(days) - 1:
        return dates_text(days[0], days[-1], since=today)
    return f"{len(days)} days of mail on {dates_text(days[0], days[-1], since=today)}"


def _joined(*many: Mapping[str, Mapping[date, int]]) -> Cells:
    """Lay cells over each other; the smaller volume counts."""
    joined: Cells = {}
    for cells in many:
        for name, days in cells.items():
            own = joined.setdefault(name, {})
            for d, n in days.items():
                own[d] = min(n, own.get(d, n))
    return joined


# --- verdicts and volumes


def _last_days(seen: Observations) -> Last:
    """Return each provider's last day with mail; what was delivered, where nobody counted what was sent."""
    last: Last = {}
    for p, name in enumerate(seen.providers):
        sent = np.where(np.isnan(seen.sent[p]), np.nan_to_num(seen.delivered[p]), seen.sent[p])
        mailed = np.flatnonzero(sent > 0)
        if mailed.size:
            last[name] = seen.days[int(mailed[-1])], int(sent[mailed[-1]])
    return last


def _caps(sender: Sender, found: Alarms | None, last: Last, day: date) -> Cells:
    """Return what verdicts allow at most: on the days of a stop nothing, else and after it on the next mail day."""
    caps: Cells = {}
    for name in sender.provider_names:
        verdict = _verdict(found, name)
        if verdict == Verdict.GO_ON or found is None:
            continue
        again = int(last[name][1] * _restart(found, name)) if name in last else None
        if verdict == Verdict.STOP:
            until = found.until(name) or day + timedelta(days=1)
            caps[name] = {day + timedelta(days=d): 0 for d in range((until - day).days)}
            if again is not None:
                caps[name][_next_day(sender, name, until)] = again
        elif again is not None:
            caps[name] = {_next_day(sender, name, day): again}
    return caps


def _verdict(found: Alarms | None, name: str) -> Verdict:
    return found.verdict(name) if found is not None and name in found.providers else Verdict.GO_ON


def _restart(found: Alarms | None, name: str) -> float:
    """Share of the last day's messages that verdicts leave."""
    return found.restart(name) if found is not None and name in found.providers else 1.0


def _next_day(sender: Sender, name: str, day: date) -> date:
    """Return the first day from `day` on that takes mail to a provider; `day` itself where none does."""
    d = max((day - sender.start).days, 0)
    takes = sender.demand(d + _LOOKED_AHEAD)[sender.provider_names.index(name), d:] > 0
    return day + timedelta(days=int(np.argmax(takes))) if takes.any() else day


def _cut(schedule: Schedule, caps: Cells, today: date) -> Cells:
    """Return the cells of a schedule that lie above what verdicts allow, lowered to it.

    Past its end the schedule still says what today takes, but has no days to lower.
    """
    cells: Cells = {}
    for name, days in caps.items():
        own = schedule.total[schedule.providers.index(name)]
        for day, most in days.items():
            d = nearest_day(schedule, day)
            if d is not None and own[d] > most and day in (schedule.dates[d], today):
                cells.setdefault(name, {})[schedule.dates[d]] = most
    return cells


def _rows(
    sender: Sender, found: Alarms | None, schedule: Schedule, wished: Plan, before: Plan, last: Last, day: date
) -> Iterator[Today]:
    for name in sender.provider_names:
        verdict = _verdict(found, name)
        messages = _volume(schedule, name, day)
        planned = _volume((before if verdict == Verdict.STOP else wished).schedule, name, day)
        last_day, sent = last.get(name, (None, None))
        yield Today(
            name,
            verdict,
            None if found is None or verdict == Verdict.GO_ON else found.until(name),
            messages,
            planned,
            int(np.ceil(messages / sender.window_hours)),
            sent,
            last_day,
            _why(verdict, messages, planned, last_day, day, _restart(found, name)),
        )


def _volume(schedule: Schedule, name: str, day: date) -> int:
    d = nearest_day(schedule, day)
    if d is None or name not in schedule.providers:
        return 0
    return int(schedule.total[schedule.providers.index(name), d] + HALF)


def _why(verdict: Verdict, messages: int, planned: int, last_day: date | None, day: date, restart: float) -> str:
    """Say where today's number comes from."""
    if verdict == Verdict.STOP:
        return f"Nothing until it is mended{f', instead of {whole(planned)}' if planned else ''}."
    if planned == 0:
        return "No mail is planned for today."
    if verdict == Verdict.GO_ON or last_day is None:
        return "As planned."
    how = _HOW_MANY.get(restart) or f"{percent(restart)} of those"
    if messages >= planned:
        return "The plan sends no more than that anyway."
    return f"{how} on {short_day(last_day, since=day)}, instead of {whole(planned)}."


# --- doubts


def _doubts(
    sender: Sender, seen: Observations, found: Alarms | None, believed: Calibration | None, day: date
) -> Iterator[str]:
    yield from () if found is None else found.notes
    yield from seen.doubts(sender, day) if seen.days else ()
    if seen.n_problems:
        first = f" The first: {seen.problems[0]}" if seen.problems else ""
        yield f"{whole(seen.n_problems)} problem{'s' * (seen.n_problems != 1)} in what was brought in.{first}"
    yield from () if believed is None else believed.warnings
