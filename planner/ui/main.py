"""The app: lists the screens."""

import streamlit as st

from planner.ui.views import plan


def main() -> None:
    """Draw the page that is open."""
    st.set_page_config(page_title="Warmup planner", layout="wide", initial_sidebar_state=410)
    st.navigation([st.Page(plan.render, title="Plan", url_path="plan", default=True)], position="hidden").run()


if __name__ == "__main__":
    main()
