"""Retries: how long deferred mail should wait, and what that costs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import streamlit as st

import planner as wp
from planner.ui import planned, state, waiting, widgets, wording
from planner.ui.planned import Shown
from planner.ui.wording import plain, prose, provider_name

if TYPE_CHECKING:
    import pandas as pd

    from planner.figures import Figure
    from planner.ui.jobs import Progress
    from planner.ui.questions import Questions

AT = "09:00"
SCENARIOS = 400


@dataclass(frozen=True)
class Advised:
    """What the page shows of an advice."""

    advice: Any
    trade_off: Figure
    policies: pd.DataFrame
    timeline: Figure
    attempts: pd.DataFrame


def render(asked: Questions) -> None:
    """Draw the page: the advice, the curve it lies on, and one message that meets a 421."""
    st.header("Retries", anchor=False)
    st.caption(prose("retries"))
    made = planned.shown(asked)
    if made is None:
        return
    who = _provider(made.plan)
    advised = _advised(made, who)
    if advised is None:
        return
    _advice(made.plan, advised, who)
    st.subheader("Delay against attempts for nothing", anchor=False)
    st.caption(prose("trade_off"))
    alt = f"Retry policies for {provider_name(who)}: delay of deferred mail against attempts for nothing"
    widgets.chart(advised.trade_off, advised.policies, "trade-off", alt)
    st.subheader(f"One message that meets a 421 at {AT}", anchor=False)
    st.caption(prose("timeline"))
    widgets.chart(advised.timeline, advised.attempts, "timeline", "Attempts of one deferred message, by policy")
    _costs(made, advised.advice, who)


def _provider(plan: wp.Plan) -> str:
    """Ask which provider; the one that arrives last first."""
    names = [name for name, n in zip(plan.schedule.providers, plan.schedule.total.sum(axis=1), strict=True) if n]
    first = plan.holds_back()
    return (
        st.selectbox(
            "Provider",
            names or list(plan.schedule.providers),
            names.index(first) if first in names else 0,
            format_func=provider_name,
            key=state.key("retries of"),
            persist_state="session",
        )
        or plan.schedule.providers[0]
    )


def _advised(made: Shown, who: str) -> Advised | None:
    # of one provider there is one advice, whichever policies the plan uses meanwhile
    name = ("retries", replace(made.order, retry=None).name(), who)
    job = state.ask("retries", name, lambda report: advised(made, who, report))
    result: Advised | None = waiting.so_far("retries", name, job)
    return result


def advised(made: Shown, who: str, report: Progress) -> Advised:
    """Search one provider's retry policy: the work of a job."""
    plan = made.plan
    beliefs = wp.draw(plan.sender, SCENARIOS, plan.seed, priors=made.order.priors) if made.order.priors else None
    advice = wp.advise_retries(
        plan.sender,
        plan.schedule,
        reaction=plan.reaction,
        beliefs=beliefs,
        retry=made.order.retry,
        seed=plan.seed,
        providers=[who],
        progress=lambda share, text: report(0.9 * share, text),
    )
    report(0.9, "Following one message")
    attempts = advice.timeline(who, at=AT)
    frame = advice.to_frame()
    return Advised(
        advice,
        advice.plot(who),
        wording.named(frame[frame["provider"] == who]),
        advice.plot_timeline(who, at=AT),
        attempts,
    )


def _advice(plan: wp.Plan, advised: Advised, who: str) -> None:
    """Say what to set and why, and let the plan use it."""
    st.markdown("\n\n".join(f"**{plain(line)}**" for line in advised.advice.summary().splitlines()))
    used = state.retry().get(who) == advised.advice.policies[who]
    with st.container(horizontal=True):
        st.button(
            "The plan uses it" if used else "Use it in the plan",
            on_click=state.use,
            args=(dict(plan.retry) | {who: advised.advice.policies[who]},),
            disabled=used,
            key="use retry",
            help="Ramp and retries are then judged together; the page Plan says so.",
        )
        st.button(
            "Back to the default for all",
            on_click=state.use,
            args=({},),
            disabled=not state.retry(),
            key="usual retry",
        )
        st.download_button(
            "Download the policies", lambda: wording.csv(advised.policies), "retries.csv", "text/csv", on_click="ignore"
        )


def _costs(made: Shown, advice: Any, who: str) -> None:
    """Tell how much of the advice is owed to what nobody knows: whether refused attempts count."""
    st.subheader("What if refused attempts count?", anchor=False)
    st.caption(prose("rejection_cost"))
    wish = f"sensitivity {who}"
    if not state.wished(wish):
        st.button("Find out", on_click=state.wish, args=(wish,), key="find out costs", icon=":material/search:")
        return
    name = ("costs", replace(made.order, retry=None).name(), who)
    job = state.ask("costs", name, lambda report: advice.sensitivity(report))
    frame = waiting.so_far("costs", name, job)
    if frame is None:
        return
    import pandas as pd

    shown = pd.DataFrame(
        {
            "Of a refused attempt counts": [f"{100 * cost:.0f} %" for cost in frame["rejection_cost"]],
            "Best": frame["wins"].map(plain),
            "Its score": [f"{score:.2f}" for score in frame["score"]],
            "Score of the advice": [f"{score:.2f}" for score in frame["score_advised"]],
            "±": [f"{2 * error:.2f}" for error in frame["se"]],
        }
    )
    st.table(shown, border="horizontal", hide_index=True)
