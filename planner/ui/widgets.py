"""Inputs made from the fields of `Sender`, and what every screen shows in the same way."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import streamlit as st

import planner as wp
from planner.ui import state
from planner.ui.wording import plain

if TYPE_CHECKING:
    import pandas as pd
    from pydantic.fields import FieldInfo

    from planner.figures import Figure

DONT_KNOW = "I don't know"
_SPOKEN_UNITS = {"any", "date", "hh:mm-hh:mm"}  # said by the input itself
_GROUPED = re.compile(r"\d{1,3}(?:[,\s'’\u00a0\u202f]\d{3})+")


# --- what a field says of itself


def described(field: str) -> FieldInfo:
    """Find the field of the sender at a dotted place, such as ``target.volume``."""
    model: Any = wp.Sender
    *groups, last = field.split(".")
    for group in groups:
        model = model.model_fields[group].annotation
    info: FieldInfo = model.model_fields[last]
    return info


def label(field: str) -> str:
    """Title and unit of a field."""
    info = described(field)
    extra = info.json_schema_extra
    unit = str(extra.get("unit", "")) if isinstance(extra, dict) else ""
    said = unit in _SPOKEN_UNITS or unit.lower() in (info.title or "").lower()
    return f"{info.title}" if said else f"{info.title} ({unit})"


def help_of(field: str) -> str:
    """Give the description of a field."""
    return plain(described(field).description or "")


# --- inputs


def number(field: str, value: float | None, *, empty: str = DONT_KNOW) -> str | None:
    """Ask for a number as people write it, with thousands separators; None where it is left empty."""
    shown = "" if value is None else f"{value:,.15g}"
    text = st.text_input(label(field), shown, key=state.key(field), help=help_of(field), placeholder=empty)
    return without_separators(text or "") or None


def without_separators(text: str) -> str:
    """Drop the separators of thousands where they stand where they belong.

    Examples
    --------
    >>> without_separators("100,000"), without_separators("1 500 000"), without_separators("12,50")
    ('100000', '1500000', '12,50')
    """
    text = text.strip()
    return re.sub(r"\D", "", text) if _GROUPED.fullmatch(text) else text


def whole(field: str, value: int) -> int:
    """Ask for a small whole number, between the field's bounds."""
    limits = described(field).metadata
    low, high = (next((int(getattr(one, name)) for one in limits if hasattr(one, name)), None) for name in ("ge", "le"))
    return int(st.number_input(label(field), low, high, value, key=state.key(field), help=help_of(field)))


def choice(field: str, value: str, names: dict[str, str]) -> str | None:
    """Ask for one of a few words."""
    return st.segmented_control(
        label(field),
        list(names),
        default=value,
        required=True,
        format_func=names.__getitem__,
        key=state.key(field),
        help=help_of(field),
    )


def day(field: str, value: str | None) -> str | None:
    """Ask for a date; None where it is left empty."""
    given = st.date_input(
        label(field),
        None if value is None else date.fromisoformat(value),
        min_value=date(2000, 1, 1),
        max_value=date(2100, 12, 31),
        key=state.key(field),
        help=help_of(field),
        format="YYYY-MM-DD",
    )
    return given.isoformat() if isinstance(given, date) else None


def text(field: str, value: str) -> str:
    """Ask for a word."""
    return st.text_input(label(field), value, key=state.key(field), help=help_of(field)) or ""


def risk(value: str | float) -> str | float:
    """Ask how much risk is accepted, from cautious to fast."""
    levels: list[str | float] = sorted(
        {0.02, 0.05, 0.10, 0.30, 0.50} | ({value} if isinstance(value, float) else set())
    )
    levels.insert(sum(isinstance(level, float) and level <= 0.15 for level in levels), "balanced")
    title = described("risk").title or ""
    chosen: str | float = st.select_slider(
        title, levels, value, format_func=_risk_name, key=state.key("risk"), help=help_of("risk")
    )
    with st.container(horizontal=True, horizontal_alignment="distribute"):
        st.caption("cautious", width="content")
        st.caption("fast", width="content")
    return chosen


def _risk_name(level: str | float) -> str:
    return level if isinstance(level, str) else f"{100 * level:g} in 100"


def table(
    name: str,
    frame: pd.DataFrame,
    columns: dict[str, Any],
    *,
    title: str = "",
    help_text: str | None = None,
    growing: bool = True,
) -> list[dict[str, Any]]:
    """Let a small table be edited; rows without any entry are left out."""
    if title:
        st.markdown(title, help=help_text)
    edited = st.data_editor(
        frame,
        key=state.key(name),
        num_rows="dynamic" if growing else "fixed",
        hide_index=True,
        column_config=columns,
        alt=title or name,
    )
    rows = edited.astype(object).where(edited.notna(), None).to_dict("records")
    filled = (row for row in rows if any(cell is not None for cell in row.values()))
    return [{str(name): cell for name, cell in row.items()} for row in filled]


# --- what every screen shows


def chart(figure: Figure, frame: pd.DataFrame, name: str, alt: str) -> None:
    """Show a figure, and the numbers behind it for those who ask or cannot see it."""
    st.plotly_chart(figure, key=f"chart {name}", alt=alt, config={"displaylogo": False})
    if st.toggle("Data", key=f"data {name}", help="The numbers behind this figure."):
        st.dataframe(frame, hide_index=True, alt=f"The numbers behind: {alt}")


def beside(places: dict[str, Any], error: wp.InputError) -> None:
    """Say each problem beside the input that it is about, or in the place of the whole."""
    said: dict[str, list[str]] = {}
    for one in error.problems:
        said.setdefault(_nearest(one.field or "", places), []).append(plain(one.message))
    for place, messages in said.items():
        places[place].error("\n\n".join(messages), icon=":material/error:")


def _nearest(field: str, places: Sequence[str] | dict[str, Any]) -> str:
    """Find the input for a field: its own, or that of the group it stands in; else "" for the whole."""
    while field and field not in places:
        field = re.sub(r"(\.[^.\[]*|\[[^\[]*|^[^.\[]*)$", "", field)
    return field
