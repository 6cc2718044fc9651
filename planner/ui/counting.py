"""An audience from a list of addresses: counted in a job, looked at, then used."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import streamlit as st

import planner as wp
from planner.ui import state, waiting, wording
from planner.ui.jobs import Progress
from planner.ui.wording import plain, prose, provider_name

LARGEST_MB = 400
MOST_DOMAINS = 200


def audience() -> None:
    """Take a list, tell what it holds, and offer to plan for it."""
    upload = st.file_uploader(
        "A list of addresses or domains",
        ["csv", "tsv", "txt", "gz"],
        key="list",
        max_upload_size=LARGEST_MB,
        help=prose("list"),
    )
    if upload is None:
        return
    lookup = st.checkbox("Ask the DNS about unknown domains", key="mx", help=prose("mx"))
    mapping = _mapping(upload.file_id)
    name = state.list_name(upload, mapping, lookup)
    job = state.ask("list", name, lambda report: counted(upload.getvalue(), mapping, lookup, report))
    found: wp.AddressList | None = waiting.result("list", job)
    if found is None:
        return
    st.markdown("  \n".join(plain(line) for line in found.summary().splitlines()))
    st.button("Plan for this audience", on_click=state.take_audience, args=(found,), type="primary", key="take list")
    with st.container(horizontal=True):
        st.download_button(
            "Download the counts", lambda: wording.csv(found.to_frame()), "audience.csv", "text/csv", on_click="ignore"
        )
    _ask_for_domains(upload.file_id, found)


def counted(content: bytes, mapping: dict[str, str], lookup: bool, report: Progress) -> wp.AddressList:
    """Count a list: the work of a job."""
    return wp.read_audience(BytesIO(content), mapping=mapping or None, lookup_mx=lookup, progress=report)


def _mapping(file: str) -> dict[str, str]:
    """Return what was said of unknown domains of this file so far."""
    kept: Any = state.kept("mapping")
    return dict(kept[1]) if kept and kept[0] == file else {}


def _ask_for_domains(file: str, found: wp.AddressList) -> None:
    """Offer the unknown domains to be given to a provider; those of the first count, for the table must not move."""
    kept: Any = state.kept("unmapped")
    if not kept or kept[0] != file:
        kept = file, found.unmapped.head(MOST_DOMAINS).assign(provider=None)
        state.keep("unmapped", kept)
    frame = kept[1]
    if frame.empty:
        return
    st.caption(prose("unmapped"))
    ids = sorted(wp.catalogue().providers, key=lambda one: provider_name(one).lower())
    edited = st.data_editor(
        frame,
        key=f"unmapped {file}",
        num_rows="fixed",
        hide_index=True,
        height=min(280, 38 + 35 * len(frame)),
        disabled=["domain", "addresses"],
        column_config={
            "domain": "Domain",
            "addresses": st.column_config.NumberColumn("Addresses", format="localized"),
            "provider": st.column_config.SelectboxColumn(
                "Provider", options=ids, format_func=lambda one: provider_name(str(one))
            ),
        },
        alt="Domains that no provider is known for",
    )
    said = edited.dropna(subset=["provider"])
    mapping = dict(zip(said["domain"], said["provider"], strict=True))
    if mapping != _mapping(file):
        state.keep("mapping", (file, mapping))
        st.rerun()
