"""Starts the app and photographs it in light and dark: docs/app-light.png and app-dark.png."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Error, Page, sync_playwright

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs"
MAX_BYTES = 400_000
WIDTH, HEIGHT = 1440, 1480
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
PATIENCE_SECONDS = 180
DRAWN = """
    () => document.querySelectorAll(".js-plotly-plot .main-svg").length >= 6
        && document.querySelector("[data-testid=stTable] table")
        && document.querySelector("[data-testid=stApp]").dataset.testScriptState === "notRunning"
        && !document.querySelector("[data-testid=stSkeleton], [data-testid=stProgress]")
"""


@contextmanager
def app() -> Iterator[str]:
    """Run the app on a free port of this computer."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)


def opened(browser: Browser, url: str, scheme: str) -> Page:
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme=scheme)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            page.goto(url)
            break
        except Error:  # the server is not there yet
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
    page.wait_for_function(DRAWN, timeout=1000 * PATIENCE_SECONDS)
    page.wait_for_timeout(1000)  # for fonts and the last animation
    return page


def main() -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("The program chromium is missing. On Debian: apt-get install chromium.")
    with app() as url, sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        for scheme in ("light", "dark"):
            picture = PICTURES / f"app-{scheme}.png"
            opened(browser, url, scheme).screenshot(path=picture)
            size = picture.stat().st_size
            if size > MAX_BYTES:
                raise SystemExit(f"{picture.name} has {size:,} bytes, more than {MAX_BYTES:,}. Make it smaller.")
            print(f"{picture.relative_to(ROOT)}: {size:,} bytes")
        browser.close()


if __name__ == "__main__":
    main()
