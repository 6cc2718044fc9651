"""The questions about a sender: at most eight, and everything else folded, with its default."""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import Any
from zoneinfo import available_timezones

import pandas as pd
import streamlit as st

import planner as wp
from planner.ui import counting, state, widgets
from planner.ui.wording import plain, prose, provider_name

_WEEKDAYS = {"mon": "Mo", "tue": "Tu", "wed": "We", "thu": "Th", "fri": "Fr", "sat": "Sa", "sun": "Su"}
_ANSWERS = {"yes": "Yes", "no": "No", "unknown": widgets.DONT_KNOW}
_OVERFLOWS = {
    "skip": "is not sent",
    "spread": "is added to later days",
    "hold": "waits and is sent later",
    "old_path": "leaves on the old path",
}
_HISTORY = ("domain", "ip", "idle_days")


class Questions:
    """What was answered, as changes of the sender that was opened, and the place beside each input."""

    def __init__(self, base: wp.Sender) -> None:
        self.base = base
        self.data = base.to_dict()
        self.changes: dict[str, Any] = {}
        self.refused: wp.InputError | None = None
        self.places: dict[str, Any] = {"": st.empty()}

    def old(self, field: str) -> Any:
        """Value that the sender was opened with."""
        value: Any = self.data
        for name in field.split("."):
            value = value[name]
        return value

    def take(self, field: str, value: Any) -> None:
        """Note an answer; what is wrong with it will be said here."""
        self.changes[field] = value
        self.places[field] = st.empty()

    def sender(self) -> wp.Sender:
        """Return the sender that the answers make.

        Raises
        ------
        InputError
            When they do not fit; said beside the inputs, too.
        """
        try:
            if self.refused is not None:
                raise self.refused
            return self.base.changed(self.changes)
        except wp.InputError as error:
            widgets.beside(self.places, error)
            raise


def ask() -> Questions:
    """Ask everything, in the sidebar."""
    with st.sidebar:
        st.header("Warmup planner", anchor=False)
        _open()
        asked = Questions(state.base())
        _who(asked)
        _how_much(asked)
        _from_where(asked)
        _when(asked)
        st.caption(prose("defaults"))
        for title, group in _FOLDED.items():
            with st.expander(title):
                group(asked)
    asked.changes["risk"] = state.risk()  # its slider stands on one page and counts on all
    return asked


def _open() -> None:
    """Choose an example, open a file, go back."""
    names = state.examples()
    options = ({} if state.origin() in names else {state.origin(): state.origin()}) | names
    widget = state.key("example")
    st.selectbox(
        "Example, or your own file",
        list(options),
        list(options).index(state.origin()),
        format_func=options.__getitem__,
        key=widget,
        on_change=state.open_example,
        args=(widget,),
    )
    with st.expander("Count a list of addresses"):
        counting.audience()
    with st.expander("Open, or start again"):
        _upload("file", "Sender file", ["yaml", "yml", "json"], state.open_file, prose("sender_file"))
        st.button("Undo all answers", on_click=state.start_again, key=state.key("again"))
    for name in ("file", "link"):
        if error := state.refused(name):
            st.error(plain(str(error)), icon=":material/error:")


def _upload(name: str, label: str, kinds: list[str], action: Any, text: str) -> None:
    widget = state.key(name)
    st.file_uploader(label, kinds, key=widget, on_change=action, args=(widget,), help=text)


# --- the eight questions


def _who(asked: Questions) -> None:
    place, volume = st.container(), asked.old("target.volume")
    each = st.toggle("Own target per provider", isinstance(volume, dict), key=state.key("each"))
    with place:
        rows = widgets.table(
            f"providers {each}",
            _audience(asked.base, each),
            _audience_columns(each),
            title=widgets.label("audience.providers"),
            help_text=widgets.help_of("audience.providers"),
        )
        names = [str(row["provider"] or "") for row in rows]
        asked.take("audience.providers", dict(zip(names, (row["share"] for row in rows), strict=True)))
    if each:
        asked.take("target.volume", dict(zip(names, (row["volume"] for row in rows), strict=True)))
    if twice := next((name for name in names if names.count(name) > 1), None):
        text = f"{provider_name(twice)} stands in two rows. Keep one."
        asked.refused = wp.InputError(text, field="audience.providers")
    _forget_the_others(asked, names)


def _audience(base: wp.Sender, each: bool) -> pd.DataFrame:
    frame = pd.DataFrame({"provider": list(base.audience.providers), "share": list(base.audience.providers.values())})
    return frame.assign(volume=base.targets()) if each else frame


def _audience_columns(each: bool) -> dict[str, Any]:
    ids = sorted(wp.catalogue().providers, key=lambda name: provider_name(name).lower())
    names = {str(name): provider_name(name) for name in ids}
    columns = {
        "provider": st.column_config.SelectboxColumn(
            "Provider", options=ids, format_func=lambda name: names[str(name)]
        ),
        "share": st.column_config.NumberColumn("Share", min_value=0.0, width=70),
    }
    if each:
        columns["volume"] = st.column_config.NumberColumn("Target a day", min_value=0, step=1, format="localized")
    return columns


def _forget_the_others(asked: Questions, names: list[str]) -> None:
    """Drop what is known of providers that are not mailed any more."""
    for field in ("audience.domains", "audience.engagement", "admissions", *(f"history.{name}" for name in _HISTORY)):
        value = asked.old(field)
        if isinstance(value, dict):
            asked.changes[field] = {name: inner for name, inner in value.items() if name in names}


def _how_much(asked: Questions) -> None:
    left, right = st.columns([3, 2])
    with left:
        volume = _total(asked) if "target.volume" not in asked.changes else None
    with right:
        per = widgets.choice("target.per", asked.old("target.per"), {"day": "day", "send": "send"})
    if "target.volume" not in asked.changes:
        asked.take("target.volume", volume)
    asked.take("target.per", per)


def _total(asked: Questions) -> str | None:
    volume = asked.old("target.volume")
    total = int(asked.base.targets().sum()) if isinstance(volume, dict) else volume
    return widgets.number("target.volume", total, empty="100,000")


def _from_where(asked: Questions) -> None:
    left, right = st.columns(2)
    with left:
        size = widgets.number("audience.size", asked.old("audience.size"))
    with right:
        n_ips = widgets.whole("n_ips", asked.old("n_ips"))
    asked.take("audience.size", size)
    asked.take("n_ips", n_ips)
    names = {"used": "used: it has sent like this", "new": "new"}
    asked.take("domain", widgets.choice("domain", asked.old("domain"), names))


def _when(asked: Questions) -> None:
    days = st.segmented_control(
        widgets.label("send_days"),
        list(_WEEKDAYS),
        selection_mode="multi",
        default=[str(name) for name in asked.base.send_days],
        format_func=_WEEKDAYS.__getitem__,
        key=state.key("send_days"),
    )
    asked.take("send_days", days)
    left, right = st.columns(2)
    with left:
        start = widgets.day("start", asked.old("start"))
    with right:
        by = widgets.day("target.by", asked.old("target.by"))
    asked.take("start", start)
    asked.take("target.by", by)


# --- everything else, with its default


def _history(asked: Questions) -> None:
    old = {name: asked.old(f"history.{name}") for name in _HISTORY}
    each = st.toggle("Differs by provider", any(isinstance(v, dict) for v in old.values()), key=state.key("past"))
    if each:
        return _history_by_provider(asked)
    for name in _HISTORY:
        field = f"history.{name}"
        value = asked.changes.get(field, old[name])
        total = None if isinstance(value, dict) or not value else value
        asked.take(field, widgets.number(field, total))
    return None


def _history_by_provider(asked: Questions) -> None:
    domain, ip, idle = asked.base.past()
    frame = pd.DataFrame({"provider": asked.base.provider_names, "domain": domain, "ip": ip, "idle_days": idle})
    columns: dict[str, Any] = {
        name: st.column_config.NumberColumn(
            widgets.label(f"history.{name}"),
            help=widgets.help_of(f"history.{name}"),
            min_value=0,
            format="localized",
        )
        for name in _HISTORY
    }
    shown = frame.assign(provider=[provider_name(name) for name in frame["provider"]])
    rows = widgets.table("history", shown, columns, growing=False)
    mailed = asked.changes["audience.providers"]
    for name in _HISTORY:
        values = {one: row[name] or 0 for one, row in zip(frame["provider"], rows, strict=True) if one in mailed}
        asked.take(f"history.{name}", {one: round(n) for one, n in values.items()})


def _authentication(asked: Questions) -> None:
    for name in asked.data["authentication"]:
        field = f"authentication.{name}"
        asked.take(field, widgets.choice(field, asked.old(field), _ANSWERS))


def _engagement(asked: Questions) -> None:
    percent = ("complaint_rate", "hard_bounce_rate")
    frame = pd.DataFrame(asked.old("audience.segments")).astype({"max_per_week": float})
    frame[list(percent)] = (frame[list(percent)] * 100).round(10)
    columns = {
        "name": st.column_config.TextColumn("Segment", width=90),
        "share": st.column_config.NumberColumn("Share", min_value=0.0, width=55),
        "complaint_rate": st.column_config.NumberColumn(
            "Complaints %", format="%.3g", min_value=0.0, max_value=20.0, width=75
        ),
        "hard_bounce_rate": st.column_config.NumberColumn(
            "Bounces %", format="%.3g", min_value=0.0, max_value=20.0, width=75
        ),
        "max_per_week": st.column_config.NumberColumn("At most a week", min_value=0.0, max_value=100.0, width=75),
    }
    rows = widgets.table("segments", frame, columns, title=widgets.described("audience.segments").description or "")
    asked.take("audience.segments", [_segment(row, percent) for row in rows] or None)
    _forget_other_segments(asked, [str(row["name"]) for row in rows])
    for field in ("limits.complaint_rate", "limits.hard_bounce_rate"):
        asked.take(field, widgets.number(field, asked.old(field), empty="no limit"))


def _forget_other_segments(asked: Questions, names: list[str]) -> None:
    """Drop what is known of segments that are not there any more."""
    old = asked.changes["audience.engagement"]
    kept = {one: {name: part for name, part in parts.items() if name in names} for one, parts in old.items()}
    asked.changes["audience.engagement"] = {one: parts for one, parts in kept.items() if any(parts.values())}


def _segment(row: dict[str, Any], percent: tuple[str, ...]) -> dict[str, Any]:
    """Percent back to rates; what is left empty takes its default."""
    given = {name: cell for name, cell in row.items() if cell is not None}
    return given | {name: round(given[name] / 100, 12) for name in percent if name in given}


def _calendar(asked: Questions) -> None:
    asked.take("window", widgets.text("window", asked.old("window")))
    zones = _zones()
    zone = st.selectbox(
        widgets.label("timezone"),
        zones,
        zones.index(asked.old("timezone")),
        key=state.key("timezone"),
        help=widgets.help_of("timezone"),
    )
    asked.take("timezone", zone)
    spans = [{"from": span.first, "to": span.last} for span in asked.base.blackout]
    columns = {"from": st.column_config.DateColumn("From"), "to": st.column_config.DateColumn("To")}
    frame = pd.DataFrame(spans, columns=["from", "to"]).astype(object)
    rows = widgets.table("blackout", frame, columns, title=widgets.label("blackout"))
    asked.take("blackout", [_span(row) for row in rows])
    _shape(asked)


@cache
def _zones() -> list[str]:
    return sorted(available_timezones() | {"UTC"})


def _span(row: dict[str, Any]) -> dict[str, Any]:
    first, last = row["from"] or row["to"], row["to"] or row["from"]
    return {"from": str(first)[:10], "to": str(last)[:10]}


def _shape(asked: Questions) -> None:
    old = asked.old("target.weekday_shape")
    frame = pd.DataFrame({"day": _WEEKDAYS.values(), "share": [100.0 * old.get(day, 1.0) for day in _WEEKDAYS]})
    columns = {
        "day": st.column_config.TextColumn("Day", disabled=True),
        "share": st.column_config.NumberColumn("% of a full day", min_value=0.0, max_value=100.0),
    }
    title = f"{widgets.label('target.weekday_shape')}"
    rows = widgets.table("shape", frame, columns, title=title, growing=False)
    shares = {day: row["share"] for day, row in zip(_WEEKDAYS, rows, strict=True)}
    asked.take("target.weekday_shape", {d: round(s / 100, 6) for d, s in shares.items() if s not in (None, 100.0)})


def _kind_and_rest(asked: Questions) -> None:
    kinds = {"marketing": "Marketing", "transactional": "Transactional"}
    asked.take("kind", widgets.choice("kind", asked.old("kind"), kinds))
    overflow = st.selectbox(
        widgets.label("overflow"),
        list(_OVERFLOWS),
        list(_OVERFLOWS).index(asked.old("overflow")),
        format_func=_OVERFLOWS.__getitem__,
        key=state.key("overflow"),
        help=widgets.help_of("overflow"),
    )
    asked.take("overflow", overflow)
    asked.take("capacity", widgets.number("capacity", asked.old("capacity"), empty="no limit"))


def _special(asked: Questions) -> None:
    """Ask for recipient domains behind gateways, and for admissions where a provider must say yes first."""
    known = wp.catalogue().providers
    mailed = [known[name] for name in asked.changes["audience.providers"] if name in known]
    domains, admissions = asked.old("audience.domains"), asked.old("admissions")
    for one in mailed:
        if one.limiter_scope == "recipient_domain":
            n = st.text_input(
                f"{plain(one.name)}: recipient domains",
                domains.get(one.id, ""),
                key=state.key(f"domains {one.id}"),
                placeholder=f"{widgets.DONT_KNOW} (20)",
                help=widgets.help_of("audience.domains"),
            )
            domains = domains | {one.id: widgets.without_separators(n or "")}
        if one.gate:
            admissions = admissions | {one.id: _admission(one.id, one.name, one.gate, admissions.get(one.id))}
    names = [one.id for one in mailed]
    asked.take("audience.domains", {name: n for name, n in domains.items() if name in names and n != ""})
    asked.take("admissions", {name: day for name, day in admissions.items() if name in names and day})


def _admission(id: str, name: str, gate: str, old: str | None) -> str | None:  # noqa: A002 - the provider's
    first = None if old is None else date.fromisoformat(old)
    day = st.date_input(f"{plain(name)}: admitted from", first, key=state.key(f"gate {id}"), help=plain(gate))
    return str(day) if day else None


_FOLDED = {
    "Sent before": _history,
    "Authentication": _authentication,
    "Engagement, complaints, bounces": _engagement,
    "Hours, time zone, days off": _calendar,
    "Kind of mail, and what is left over": _kind_and_rest,
    "Gateways and providers with a gate": _special,
}
