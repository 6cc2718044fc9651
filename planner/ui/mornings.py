"""A season's morning as the page Track shows it: alarms first, then today, the figure, and the days left."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

import planner as wp
from planner import figures
from planner.ui import following, state, waiting, widgets, wording
from planner.ui.wording import VERDICTS, plain, prose, provider_name
from planner.vocabulary import Verdict, short_day, whole

if TYPE_CHECKING:
    from planner.ui.jobs import Progress

ICONS = {
    Verdict.GO_ON: ":material/play_arrow:",
    Verdict.HOLD: ":material/pause:",
    Verdict.STEP_BACK: ":material/fast_rewind:",
    Verdict.STOP: ":material/front_hand:",
}
_AHEAD_DAYS = 7
_REPLANNED = "replanned"


@dataclass(frozen=True)
class Looked:
    """A morning by the plan in force, and what was planned beside what was observed."""

    morning: wp.Morning
    days: pd.DataFrame


def show(season: wp.Season, today: date) -> None:
    """Draw a morning."""
    if season.observations.days:
        _alarms(season, today)
    name = ("morning", following.name_of(season), today)
    job = state.ask("morning", name, lambda report: looked(season, today, report))
    made: Looked | None = waiting.result("morning", job)
    if made is None:
        return
    if made.morning.unseen:
        st.warning(plain(made.morning.unseen), icon=":material/help:")
    _today(made.morning)
    _doubts(made.morning)
    _planned_and_observed(made, today)
    _days_left(season, today)


def looked(season: wp.Season, today: date, report: Progress) -> Looked:
    """Look at a morning by the plan in force: the work of a job."""
    report(0.0, "Simulating the plan in force")
    morning = wp.morning(season, today, calibrate=False, replan=False, progress=report)
    return Looked(morning, season.planned_days())


# --- alarms


def _alarms(season: wp.Season, today: date) -> None:
    title, pick = st.columns([5, 3], vertical_alignment="bottom")
    sets = wp.alarm_rules()
    with pick:
        rules = st.selectbox(
            "Whose rules",
            list(sets),
            list(sets).index(season.rules),
            format_func=lambda one: sets[one].name,
            key=f"rules of {season.name} {season.revision}",
            help="When to hold, step back or stop: our rules, or those of one publisher.",
        )
    if rules and rules != season.rules:
        following.keep(season.changed(rules=rules))
        st.rerun()
    found = wp.alarms(season.sender, season.observations, today, season.rules)
    verdicts = found.verdicts
    title.subheader(_counted(list(verdicts.values())), anchor=False)
    for name in sorted(verdicts, key=lambda one: -verdicts[one].gravity):
        if verdicts[name] != Verdict.GO_ON:
            _alarm(found, name, today)
    calm = [provider_name(name) for name in verdicts if verdicts[name] == Verdict.GO_ON]
    if calm:
        st.success(plain(f"Go on: {', '.join(calm)}."), icon=ICONS[Verdict.GO_ON])
    _watched(found)


def _counted(verdicts: list[Verdict]) -> str:
    """Say how many providers stop, step back, hold and go on, the gravest first."""
    parts = [f"{VERDICTS[one].lower()} at {n}" for one in reversed(Verdict) if (n := verdicts.count(one))]
    return f"{', '.join(parts).capitalize()} of {len(verdicts)} provider{'s' * (len(verdicts) != 1)}"


def _alarm(found: wp.Alarms, name: str, today: date) -> None:
    """Say what to do at a provider, why, for how long, and what lifts it."""
    verdict, until = found.verdict(name), found.until(name)
    end = f" until {short_day(until, today)}" if until is not None else ""
    certain = found.certain(name)
    lines = [f"- {plain(alarm.evidence())}." for alarm in certain]
    asks = [alarm for alarm in certain if alarm.asks == verdict]
    advice = dict.fromkeys(alarm.advice for alarm in asks if not alarm.over)
    lift = dict.fromkeys(alarm.lift for alarm in asks)
    said = [
        f"**{VERDICTS[verdict]} at {plain(provider_name(name))}{end}**",
        "\n".join(lines),
        *([f"**Do:** {plain(' '.join(advice))}"] if advice else []),
        *([f"**What lifts it:** {plain(' '.join(lift))}"] if lift else []),
    ]
    box = st.error if verdict == Verdict.STOP else st.warning
    box("\n\n".join(said), icon=ICONS[verdict])


def _watched(found: wp.Alarms) -> None:
    watched = [alarm for alarm in found if not alarm.certain]
    if not (watched or found.unknown or found.notes):
        return
    with st.expander("Watched, and not judged"):
        lines = [f"{provider_name(alarm.provider)}: {alarm.evidence()}." for alarm in watched]
        lines += [f"{provider_name(name)}: {', '.join(what)} not known." for name, what in found.unknown.items()]
        st.markdown("\n".join(f"- {plain(line)}" for line in [*lines, *found.notes]))


# --- today


def _today(morning: wp.Morning) -> None:
    st.subheader(f"To send today: {whole(morning.messages)} messages", anchor=False)
    frame = pd.DataFrame(
        {
            "Provider": [provider_name(row.provider) for row in morning.rows],
            "Messages": [row.messages for row in morning.rows],
            "At most per hour": [row.per_hour for row in morning.rows],
            "Verdict": [VERDICTS[row.verdict] for row in morning.rows],
            "Why": [row.why for row in morning.rows],
        }
    )
    texts = ["Provider", "Verdict", "Why"]
    shown = frame.assign(**{name: frame[name].map(plain) for name in texts})  # cells are Markdown
    st.table(
        shown.style.format("{:,.0f}", subset=["Messages", "At most per hour"]), border="horizontal", hide_index=True
    )
    day = morning.today.isoformat()
    with st.container(horizontal=True):
        with st.popover("Copy"):
            st.code(wording.tabbed(frame), language=None)
        st.download_button("Download today", wording.csv(frame), f"send-{day}.csv", "text/csv", on_click="ignore")
        st.download_button(
            "Who gets it",
            lambda: wording.csv(wording.named(morning.to_frame("recipients"))),
            f"recipients-{day}.csv",
            "text/csv",
            on_click="ignore",
            help="Messages by provider and segment, the most engaged first.",
        )
        with st.popover("For the boss"):
            st.code(morning.boss(), language=None, wrap_lines=True)


def _doubts(morning: wp.Morning) -> None:
    if morning.look_up:
        with st.expander("Look up", icon=":material/search:"):
            st.markdown("\n".join(f"- {plain(line)}" for line in morning.look_up))
    if morning.doubts:
        with st.expander("Numbers to doubt", icon=":material/help:"):
            st.markdown("\n".join(f"- {plain(line)}" for line in morning.doubts))


def _planned_and_observed(made: Looked, today: date) -> None:
    st.subheader("Planned and observed", anchor=False)
    far = st.toggle("All days of the plan", key="all days")
    frame = wording.named(made.days)
    if not far:
        frame = frame[[(day - today).days < _AHEAD_DAYS for day in frame["date"]]]
    alt = "Messages a day by provider: planned, forecast 8 times in 10, sent and delivered"
    widgets.chart(figures.planned_and_observed(frame, today), frame, "planned and observed", alt)


# --- the days left


def _days_left(season: wp.Season, today: date) -> None:
    st.subheader("The days left", anchor=False)
    plan = season.plan
    if plan is not None:
        st.markdown(f"In force: {plain(plan.headline())}")
    new = _replanned(season, today)
    if new is not None:
        _changes(season, new)
        _beliefs(new)


def _replanned(season: wp.Season, today: date) -> wp.Morning | None:
    """Plan the days left in a job once somebody has asked for it; what came of it stays until more is known."""
    name = ("replan", following.name_of(season), today)
    wish = f"replan {season.name} {season.revision} {today}"
    kept = state.kept(_REPLANNED)
    if not state.wished(wish):
        st.caption(prose("replan"))
        st.button("Plan the remaining days", on_click=state.wish, args=(wish,), key="replan", type="primary")
        same = kept is not None and kept[0] == (season.name, season.observations, today)
        return kept[1] if same else None
    job = state.ask("replan", name, lambda report: wp.morning(season, today, progress=report))
    made: wp.Morning | None = waiting.result("replan", job, "The plan in force stays.")
    if made is not None:
        state.keep(_REPLANNED, ((season.name, season.observations, today), made))
    return made


def _changes(season: wp.Season, new: wp.Morning) -> None:
    """Say what a new plan does differently and why, and let it be followed."""
    st.markdown(f"**New plan: {plain(new.plan.headline())}**")
    if new.changes is not None:
        st.markdown("What changed, and why")
        st.markdown("\n".join(f"- {plain(line)}" for line in new.changes.summary().splitlines()))
    followed = season.state.plan_json == new.plan.to_json()
    with st.container(horizontal=True):
        st.button(
            "Followed" if followed else "Follow the new plan",
            on_click=following.keep,
            args=(season if followed else season.planned(new.plan),),
            disabled=followed,
            key="follow plan",
            icon=":material/check:",
            help="It is in force from today; undo brings the one before back.",
        )
        st.download_button(
            "Download the plan",
            lambda: wording.csv(wording.named(new.plan.to_frame())),
            "plan.csv",
            "text/csv",
            on_click="ignore",
        )


def _beliefs(new: wp.Morning) -> None:
    """Say what is believed now, and what was before."""
    believed: Any = new.calibration
    if believed is None:
        return
    st.subheader("What we believe now, and believed before", anchor=False)
    said = believed.sentences()
    st.markdown("\n".join(f"- {plain(line)}" for line in said) or "Nothing was learnt yet.")
    for line in believed.warnings:
        st.warning(plain(line), icon=":material/help:")
    frame = wording.named(believed.parameters())
    if st.toggle("Data", key="data beliefs", help="All that is believed of the providers, before and after."):
        st.dataframe(frame, hide_index=True, alt="What is believed of each provider, before and after")
