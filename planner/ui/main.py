"""The app: lists the screens."""

from functools import partial

import streamlit as st

from planner.ui import questions, state, waiting
from planner.ui.views import assumptions, compare, diagnose, plan, retries, track

VIEWS = {
    "Plan": plan.render,
    "Compare": compare.render,
    "Retries": retries.render,
    "Track": track.render,
    "Diagnose": diagnose.render,
    "Assumptions": assumptions.render,
}


def main() -> None:
    """Draw the page that is open: questions at its side, the bars of what is being done on top."""
    st.set_page_config(page_title="Warmup planner", layout="wide", initial_sidebar_state=410)
    state.open_link()
    state.awaited()
    # asked outside the page, so that the answers outlive it
    asked = questions.ask()
    pages = {
        title: st.Page(partial(render, asked), title=title, url_path=title.lower(), default=title == "Plan")
        for title, render in VIEWS.items()
    }
    state.note_pages(pages)
    page = st.navigation(list(pages.values()), position="top")
    place = st.container()
    page.run()
    waiting.bars(place)


if __name__ == "__main__":
    main()
