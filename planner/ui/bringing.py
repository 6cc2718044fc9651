"""Bringing numbers into a season: a day that is typed, pasted text, a log or a table."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, BinaryIO

import pandas as pd
import streamlit as st

import planner as wp
from planner.ui import following, state, waiting
from planner.ui.wording import plain, prose, provider_name
from planner.vocabulary import short_day, whole

if TYPE_CHECKING:
    from planner.ui.jobs import Progress

MEGABYTES = 200
TYPE, PASTE, UPLOAD = "Type a day", "Paste", "Upload"
COLUMNS = {
    "sent": "Sent",
    "delivered": "Delivered",
    "first_deferred": "Deferred at first",
    "blocked": "Blocked",
    "hard_bounced": "Hard bounces",
    "complaints": "Complaints",
}
_MOST = 1_000_000_000
_TABLE = "table"
_FORMATS = {
    "": "As its first lines tell",
    _TABLE: "Table (CSV, Excel)",
    "postfix": "Postfix",
    "exim": "Exim",
    "sendmail": "Sendmail",
    "qmail": "qmail",
    "exchange": "Exchange message tracking",
    "powermta": "PowerMTA accounting",
    "kumomta": "KumoMTA",
    "ses": "Amazon SES",
    "sendgrid": "SendGrid",
    "mailgun": "Mailgun",
}


@dataclass(frozen=True)
class Reading:
    """What a file or a text told, and what it was read as."""

    seen: wp.Observations
    form: str


def bring(season: wp.Season) -> None:
    """Ask how numbers come in, and take them."""
    how = st.segmented_control(
        "How", [TYPE, PASTE, UPLOAD], default=TYPE, required=True, key="bring", label_visibility="collapsed"
    )
    if how == TYPE:
        _typed(season)
    elif how == PASTE:
        _pasted(season)
    else:
        _uploaded(season)


# --- a day


def _typed(season: wp.Season) -> None:
    day = st.date_input(
        "Day", season.today, min_value=season.sender.start, key=_key(season, "day"), format="YYYY-MM-DD", width=200
    )
    known = _known(season, day)
    with st.form(_key(season, f"form {day}"), border=False):
        edited = st.data_editor(
            known.rename(index=provider_name, columns=COLUMNS),
            key=_key(season, f"numbers {day}"),
            column_config={
                "_index": st.column_config.TextColumn("Provider", disabled=True),
                **{
                    title: st.column_config.NumberColumn(title, min_value=0, max_value=_MOST, step=1)
                    for title in COLUMNS.values()
                },
            },
            placeholder="",
            alt=f"Counts of {short_day(day)} by provider, to be typed in",
        )
        st.caption(prose("type_day"))
        if st.form_submit_button(f"Bring in {short_day(day, season.sender.start)}", type="primary"):
            _take_day(season, day, edited.set_axis(known.columns, axis=1).set_axis(known.index), known)


def _known(season: wp.Season, day: date) -> pd.DataFrame:
    """Return what is known of a day: a row per provider of the sender, a column per count."""
    frame = season.observations.to_frame()
    rows = frame[frame["date"] == pd.Timestamp(day)].set_index("provider")[list(COLUMNS)]
    return rows.reindex(list(season.sender.provider_names)).astype("Float64").round().astype("Int64")


def _take_day(season: wp.Season, day: date, edited: pd.DataFrame, known: pd.DataFrame) -> None:
    if edited.equals(known) or edited.isna().all(axis=None):
        st.warning("Type at least what was sent, and how much of it was delivered, at one provider.")
        return
    try:
        seen = counted(edited, day)
    except wp.InputError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    _take(season, seen, None)


def counted(typed: pd.DataFrame, day: date) -> wp.Observations:
    """Make observations of a day's counts: a row per provider, a column per count; what is empty is not known.

    Raises
    ------
    InputError
        If a number cannot be right.
    """
    filled = typed[typed.notna().any(axis=1)].astype("Float64").astype(float)
    return wp.Observations.from_frame(filled.rename_axis("provider").reset_index().assign(date=pd.Timestamp(day)))


# --- a text, a file


def _pasted(season: wp.Season) -> None:
    text = st.text_area(
        "Lines of a log, or a table", key=_key(season, "pasted"), height=150, placeholder="date, provider, sent, …"
    )
    st.caption(prose("bring_file"))
    form = _form(season)
    if not (text or "").strip():
        return
    content = (text or "").encode()
    _reading(season, io.BytesIO(content), hashlib.sha256(content).hexdigest(), "what was pasted", form)


def _uploaded(season: wp.Season) -> None:
    upload = st.file_uploader("Log or table", key=_key(season, "log"), max_upload_size=MEGABYTES)
    st.caption(prose("bring_file"))
    form = _form(season)
    if upload is not None:
        _reading(season, upload, upload.file_id, upload.name, form)


def _form(season: wp.Season) -> str:
    return (
        st.selectbox("Format", list(_FORMATS), format_func=_FORMATS.__getitem__, key=_key(season, "format"), width=300)
        or ""
    )


def _reading(season: wp.Season, content: BinaryIO, number: Hashable, name: str, form: str) -> None:
    """Read in a job, show what came of it, and take it when told to."""
    sender = season.sender
    job = state.ask(
        "read", state.reading_name(number, form, sender), lambda report: read(content, name, sender, form, report)
    )
    reading: Reading | None = waiting.result("read", job)
    if reading is None:
        return
    seen = reading.seen
    st.markdown("  \n".join(map(plain, _said(reading))))
    if seen.problems:
        lines_text = "line" if seen.n_problems == 1 else "lines"
        st.warning(f"{whole(seen.n_problems)} {lines_text} could not be read or be right. The first:")
        lines = [(one.file, str(one.line or ""), one.text) for one in seen.problems]
        table = pd.DataFrame(lines, columns=["File", "Line", "What is wrong"])
        st.dataframe(table, hide_index=True, height=min(250, 38 + 35 * len(table)), alt="Lines that could not be read")
    days = f"{len(seen.days)} day{'s' * (len(seen.days) != 1)}"
    if seen.days and st.button(f"Bring in {days}", type="primary", key="bring in", icon=":material/input:"):
        _take(season, seen, name)


def _said(reading: Reading) -> list[str]:
    """Say what was read, and as what; problems have a table of their own."""
    lines = reading.seen.summary().splitlines()
    rest = [line for line in lines if not line.startswith(("Read as ", f"{whole(reading.seen.n_problems)} problem"))]
    return [f"Read as {reading.form}.", *rest]


def read(content: BinaryIO, name: str, sender: wp.Sender, form: str, report: Progress) -> Reading:
    """Read a log or a table: the work of a job.

    Raises
    ------
    InputError
        If it is neither, or not what it was said to be.
    """
    content.seek(0)
    table = name.lower().endswith((".xlsx", ".xlsm"))
    if form == _TABLE or table:
        return _table(content, name)
    try:
        study = wp.study_log(
            _named(content, name), sender, format=form or None, progress=lambda share: report(share, "Reading")
        )
    except wp.InputError as no_log:
        if form:
            raise
        content.seek(0)
        try:
            return _table(content, name)
        except wp.InputError as no_table:
            text = f"It is neither a log nor a table. As a table: {no_table} As a log: {no_log}"
            raise wp.InputError(text) from None
    return Reading(study.observations, ", ".join(_FORMATS.get(one, one) for one in study.formats))


def _table(content: BinaryIO, name: str) -> Reading:
    return Reading(wp.read_observations(content.read(), name=name), "a table")


def _named(content: BinaryIO, name: str) -> BinaryIO:
    copy: Any = io.BytesIO(content.read())
    copy.name = name
    return copy  # type: ignore[no-any-return] # a BytesIO that has a name


def _take(season: wp.Season, seen: wp.Observations, source: str | None) -> None:
    later = season.observed(seen, source=source)
    if later is season and season.revision:
        st.info("All of this is known already.")
        return
    following.keep(later)
    st.rerun()


def _key(season: wp.Season, what: str) -> str:
    """Name a widget; whatever was brought in empties them."""
    return f"{what} of {season.name} {season.revision}"
