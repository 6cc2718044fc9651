"""Diagnose: what a server's reply means, what to do now, and what it means for tomorrow."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import pandas as pd
import streamlit as st

import planner as wp
from planner.ui import braking, planned, state, widgets, wording
from planner.ui.planned import Shown
from planner.ui.questions import Questions
from planner.ui.wording import plain, prose, provider_name
from planner.vocabulary import Verdict

BOX = "replies"
LABEL = "What did the server say?"
ALL, NOT_TOLD = "all", "not told"
_GMAIL = "Gmail has detected an unusual rate of email originating from your IP address"
_RELAY = "gmail-smtp-in.l.google.com[192.0.2.26]"
EXAMPLES = {
    "A reply of Yahoo": (
        "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume or user complaints "
        "- 4.16.55.1; see https://postmaster.yahooinc.com/error-codes"
    ),
    "A line of a log": (
        f"Nov 25 09:00:12 mx postfix/smtp[4711]: 4F1B2C: to=<reader@example.com>, relay={_RELAY}:25, delay=1.2, "
        f"delays=0.1/0/0.6/0.5, dsn=4.7.28, status=deferred (host {_RELAY} said: 421-4.7.28 {_GMAIL} "
        "421 4.7.28 192.0.2.1. (in reply to end of DATA command))"
    ),
    "Several at once": f"""\
421 4.7.28 {_GMAIL} 192.0.2.1.
421 4.7.28 {_GMAIL} 192.0.2.2.
450 4.2.0 <reader@example.com>: Recipient address rejected: Greylisted, try again in 300 seconds
421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume or user complaints
550 5.1.1 <nobody@example.com>: Recipient address rejected: User unknown
connect to mx.example.com[192.0.2.80]:25: Connection timed out
""",
}

# Streamlit takes a text when its box is left, or on Ctrl+Enter; who has pasted waits for neither.
_AT_ONCE = """
export default function ({ data }) {
    const taken = (event) => {
        const box = event.target;
        if (box.tagName !== "TEXTAREA" || box.getAttribute("aria-label") !== data) return;
        const enter = { key: "Enter", code: "Enter", keyCode: 13, ctrlKey: true, bubbles: true };
        setTimeout(() => box.dispatchEvent(new KeyboardEvent("keydown", enter)), 50);
    };
    document.addEventListener("paste", taken);
    return () => document.removeEventListener("paste", taken);
}
"""


def render(asked: Questions) -> None:
    """Draw the page: the box, the answer below it, and what it changes in the plan."""
    st.header("Diagnose", anchor=False)
    text = st.text_area(
        LABEL,
        key=BOX,
        height=150,
        placeholder="421 4.7.0 …",
        persist_state="session",
        help=prose("diagnose"),
    )
    _taker()(data=LABEL, key="at once")
    if not (text or "").strip():
        _empty()
        return
    found = _found(text or "")
    place = _answer(found[0]) if len(found) == 1 else _pile(found)
    verdicts = {name: verdict for name, verdict in found.verdicts.items() if name != NOT_TOLD}
    with place:
        _brake(asked, verdicts, found.tomorrow)


@cache
def _taker() -> Any:
    return st.components.v2.component("take_pasted_text", js=_AT_ONCE)


def _found(text: str) -> wp.Diagnoses:
    """Diagnose once, not each time that the page is drawn; the text stays within this visit."""
    kept = state.kept("diagnosed")
    if kept is None or kept[0] != text:
        kept = text, wp.diagnose_all(text)
        state.keep("diagnosed", kept)
    found: wp.Diagnoses = kept[1]
    return found


def _empty() -> None:
    st.caption(prose("diagnose"))
    st.markdown(prose("no_reply_yet"))
    with st.container(horizontal=True):
        for title, text in EXAMPLES.items():
            st.button(title, on_click=state.paste, args=(BOX, text), key=f"example {title}")


# --- one reply


def _answer(one: wp.Diagnosis) -> Any:
    """Say what it means and what to do; returns the place for what it changes in the plan."""
    st.subheader(plain(one.answer), anchor=False)
    if one.next_step:
        st.markdown(f"**{plain(one.next_step)}**")
    for note in one.notes:
        st.markdown(plain(note))
    told = [one.provider_name, one.software_name, str(one.code or ""), one.enhanced, one.title]
    st.caption(plain(" · ".join(filter(None, told)) + (f". Told by {one.rests_on}" if one.rests_on else "")))
    place = st.container()
    if one.cause is not None:
        now, later = st.columns(2, gap="large")
        with now:
            _list("What to do now", one.do)
            _list("When to retry", (one.retry_says,))
            _list("Tomorrow's volume", (one.tomorrow_says,))
        with later:
            _list("What to check", one.check)
            _list("When it persists", (one.escalate,))
            if one.escalate_page:
                st.link_button("Where to write", one.escalate_page, icon=":material/open_in_new:")
        st.caption(plain(f"Confidence: {one.confidence}. Source: {one.source}"))
    _ticket(one)
    return place


def _list(title: str, lines: tuple[str, ...]) -> None:
    st.markdown(f"**{title}**")
    st.markdown("\n".join(f"- {plain(line)}" for line in lines) if len(lines) > 1 else plain("".join(lines)))


def _ticket(one: wp.Diagnosis) -> None:
    """Show all of it as text to be copied."""
    with st.expander("As text for a ticket"):
        st.code(one.ticket(), language=None, wrap_lines=True)
    st.download_button("Download the ticket text", one.ticket(), "reply.txt", "text/plain", on_click="ignore")


# --- many


def _pile(found: wp.Diagnoses) -> Any:
    """Show what many replies have in common, and one of them; returns the place for what they change in the plan."""
    lines = found.summary().splitlines()
    st.subheader(plain(lines[0]), anchor=False)
    st.markdown("\n".join(f"- {plain(line)}" for line in lines[1:]))
    place = st.container()
    st.dataframe(_table(found), hide_index=True, alt="Answers, the most frequent first")
    if found.refusals:
        st.caption(prose("pareto"))
        frame = wording.named(found.by_provider())
        widgets.chart(found.plot(), frame, "pareto", "Causes by provider, the most frequent on top")
    frame = found.to_frame()
    st.download_button("Download the table", lambda: wording.csv(frame), "replies.csv", "text/csv", on_click="ignore")
    gravest = found.gravest()
    picked = st.selectbox(
        "Look at",
        range(len(found)),
        found.answers.index(gravest) if gravest else 0,
        format_func=lambda number: _short(found[number]),
    )
    _answer(found[picked or 0])
    return place


def _table(found: wp.Diagnoses) -> pd.DataFrame:
    lasts = {True: "passes", False: "permanent", None: ""}
    return pd.DataFrame(
        {
            "Times": [one.count for one in found],
            "Provider": [one.provider_name or "" for one in found],
            "Code": [" ".join(filter(None, (str(one.code or ""), one.enhanced))) for one in found],
            "Lasts": [lasts[one.temporary] for one in found],
            "What it is": [one.title for one in found],
            "Tomorrow": [(one.tomorrow or "").replace("_", " ") for one in found],
            "The first of them": [one.text for one in found],
        }
    )


def _short(one: wp.Diagnosis) -> str:
    return f"{one.count:,} × {one.provider_name or one.title}: {one.text[:80]}"


# --- the plan


def _brake(asked: Questions, verdicts: Mapping[str, Verdict], overall: Verdict | None) -> None:
    """Offer to change tomorrow's volume in the plan as the answers say."""
    if overall not in braking.BUTTONS:
        return
    made = planned.shown(asked)
    if made is None:
        return
    names = made.plan.sender.provider_names
    wanted = {name: verdict for name, verdict in verdicts.items() if name in names and verdict in braking.BUTTONS}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if not wanted:
            foreign = [name for name, verdict in verdicts.items() if name not in names and verdict in braking.BUTTONS]
            wanted = dict.fromkeys(_whom(made, foreign), overall)
        kinds = set(wanted.values()) or {overall}
        label = "Slow tomorrow down as it says" if len(kinds) > 1 else braking.BUTTONS[kinds.pop()]
        if st.button(label, key="brake", icon=":material/front_hand:", help=prose("brake")):
            braking.brake(made, wanted)
            st.switch_page(state.page("Plan"))


def _whom(made: Shown, foreign: list[str]) -> list[str]:
    """Ask which provider is meant, where the text does not tell or the sender does not mail it."""
    names = list(made.plan.sender.provider_names)
    title = "At which provider?"
    if foreign:
        title = f"Your sender does not mail {', '.join(map(provider_name, foreign))}. At which provider?"
    picked = st.selectbox(title, [ALL, *names], format_func=_everybody, key="brake whom", width=300)
    return names if picked == ALL else [picked]


def _everybody(who: str) -> str:
    return "All providers" if who == ALL else provider_name(who)
