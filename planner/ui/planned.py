"""From the answers to what the page is about: the plan for them, and what people made of its schedule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

import planner as wp
from planner.ui import edits, state, waiting, wording
from planner.ui.jobs import Progress
from planner.ui.questions import Questions
from planner.ui.wording import plain
from planner.vocabulary import in_100

if TYPE_CHECKING:
    import pandas as pd

GLANCE_SCENARIOS, GLANCE_SLOT_MINUTES = 100, 60
"""An edit is judged on so many scenarios, in slots of an hour, as plans are searched: within a second."""
_MATTERS = 0.05
"""Change of a provider's risk that is worth a word."""


@dataclass(frozen=True, eq=False)
class Shown:
    """What a page is about.

    Attributes
    ----------
    order : Order
        What the plan was made from, nothing locked.
    plan : Plan
        For the answers alone.
    base : Plan
        What the edits lie upon: the plan around locked cells as soon as it is there.
    edited : Plan
        With what people changed; `plan` itself where nothing is.
    before, after : Forecast
        Both judged at a glance, on the same scenarios.
    full : bool
        Whether the edited plan has its full forecast already.
    """

    order: state.Order
    plan: wp.Plan
    base: wp.Plan
    edited: wp.Plan
    before: wp.Forecast
    after: wp.Forecast
    full: bool

    @cached_property
    def days(self) -> pd.DataFrame:
        """The edited plan's frame, names in place of ids."""
        return wording.named(self.edited.to_frame())

    @property
    def history(self) -> edits.History:
        """Edits of this plan."""
        return state.history(self.order.name())

    @property
    def settled(self) -> bool:
        """Whether the plan around the locked cells is there."""
        return self.base is not self.plan or not self.history.now.locked


def shown(asked: Questions) -> Shown | None:
    """Return what to show for the answers; the last good plan while they are wrong, or are being planned."""
    try:
        sender = asked.sender()
    except wp.InputError as error:
        st.warning(plain(str(error)), title="Not used yet; below stays the plan for the answers before")
        return _last()
    state.answered(sender)
    if not state.write_link(sender):
        st.caption("These inputs are too many for a link. Download the sender file to keep them.")
    order = state.order(sender)
    plan = done("plan", order, "Below stays the plan for the answers before.")
    if plan is None:
        return _last()
    made = _edited(order, plan)
    state.show(made)
    return made


def again(made: Shown) -> Shown:
    """Return the same with what was edited since."""
    now = _edited(made.order, made.plan)
    state.show(now)
    return now


def _last() -> Shown | None:
    last: Shown | None = state.last()
    return last


def done(what: str, order: state.Order, meanwhile: str) -> wp.Plan | None:
    """Return a plan when it is there; else say why it is not."""
    job = state.ask(what, order.name(), lambda report: optimized(order, report))
    plan: wp.Plan | None = waiting.result(what, job, meanwhile)
    return plan


def optimized(order: state.Order, report: Progress) -> wp.Plan:
    """Plan from scratch: the work of a job."""
    return wp.optimize(order.sender, priors=order.priors, retry=order.retry, fixed=order.locked, progress=report)


def _edited(order: state.Order, plan: wp.Plan) -> Shown:
    before = glance(order, plan, plan.schedule)
    now = state.history(order.name()).now
    if not now:
        return Shown(order, plan, plan, plan, before, before, True)
    base, cells, made_for = plan, now.cells, order
    if now.locked:
        around = replace(order, locked=now.locked)
        again = done("again", around, "Your numbers stand in the plan as it was.")
        if again is not None:
            base, cells, made_for = again, now.typed, around
    schedule = base.with_cells(cells)
    after = glance(made_for, base, schedule)
    name = ("forecast", made_for.name(), schedule)
    job = state.ask(
        "forecast", name, lambda report: base.forecast.rescheduled(schedule, progress=partly(report, "simulating"))
    )
    forecast = waiting.result("forecast", job)
    full = forecast is not None
    return Shown(order, plan, base, replace(base, schedule=schedule, forecast=forecast or after), before, after, full)


def glance(order: state.Order, plan: wp.Plan, schedule: wp.Schedule) -> wp.Forecast:
    """Judge a schedule in the scenarios of a plan, quickly; the plan's own first, of which an edit changes a part."""

    def judge() -> wp.Forecast:
        return wp.simulate(
            plan.sender,
            plan.schedule,
            plan.retry,
            reaction=plan.reaction,
            beliefs=plan.forecast.beliefs.scenarios(0, GLANCE_SCENARIOS),
            seed=plan.forecast.seed,
            slot_minutes=GLANCE_SLOT_MINUTES,
        )

    own: wp.Forecast = state.at_once(("glance", order.name()), judge)
    if schedule == plan.schedule:
        return own
    made: wp.Forecast = state.at_once(("glimpse", order.name(), schedule), lambda: own.rescheduled(schedule))
    return made


def partly(report: Progress, doing: str) -> Callable[[float], None]:
    """Report a share under one name."""
    return lambda share: report(share, doing)


# --- what the edits do, in words


def remarks(made: Shown) -> list[str]:
    """Name what is not the plain plan for the answers."""
    changed = sum(map(len, made.order.priors.values()))
    said = [f"with {changed} changed {'assumption' if changed == 1 else 'assumptions'}"] if changed else []
    if made.order.retry:
        said.append("with the retry intervals that you chose")
    elif state.retry():
        said.append("with default retry intervals: those you chose lack a provider")
    return said + (["with your changes of the schedule"] if made.history.now else [])


def difference(made: Shown) -> list[str]:
    """Say what the edits change, a sentence each."""
    before, after = made.before, made.after
    return [_date_text(before, after), _days_text(before, after), *_hit(before, after)]


def _date_text(before: wp.Forecast, after: wp.Forecast) -> str:
    was, now = (float(one.reach().query("provider == 'all'")["q50"].iloc[0]) for one in (before, after))
    if not np.isfinite(now):
        return "The target is not reached within these days." if np.isfinite(was) else "The target stays out of reach."
    if not np.isfinite(was):
        return "The target is reached now; without your changes it is not."
    days = abs(int(now - was))
    if not days:
        return "The target is reached on the same day as planned."
    return f"The target is reached {days} {'day' if days == 1 else 'days'} {'later' if now > was else 'earlier'}."


def _days_text(before: wp.Forecast, after: wp.Forecast) -> str:
    was, now = (float(one.totals()["wrong_days"].sum()) for one in (before, after))
    return f"Throttled days, summed over the providers: {now:.1f} instead of {was:.1f}."


def _hit(before: wp.Forecast, after: wp.Forecast) -> list[str]:
    """Name the providers whose risk moves, the most first."""
    was, now = before.risk(), after.risk()
    order: Callable[[int], Any] = lambda p: -abs(now[p] - was[p])  # noqa: E731 - a key
    moved = [p for p in sorted(range(len(was)), key=order) if abs(now[p] - was[p]) >= _MATTERS]
    facts = wp.catalogue()
    said = [f"{facts.provider(after.providers[p]).name} {in_100(was[p])} → {in_100(now[p])}" for p in moved]
    return [f"Chance of a throttled day: {', '.join(said)}."] if said else []
