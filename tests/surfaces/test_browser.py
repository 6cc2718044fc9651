"""The app in a browser, as a new user meets it: nothing but this computer is asked for anything."""

import csv
import io
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlparse

import pytest
from playwright.sync_api import Page, expect, sync_playwright

ROOT = Path(__file__).parents[2]
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
FIRST_SECONDS = 120
"""For a first plan on a slow and busy machine; it takes a few."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/_stcore/health", timeout=1) as reply:  # noqa: S310 - our own server
            return reply.status == 200
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Address of a running app."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    log = tmp_path_factory.mktemp("app") / "log.txt"
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out, env={**os.environ, "CI": ""})
    try:
        deadline = time.monotonic() + FIRST_SECONDS
        while not answers(url):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=20)
    assert "Traceback" not in log.read_text()


@pytest.fixture(scope="module")
def browser(needs):
    chromium = needs("chromium")
    with sync_playwright() as tools:
        running = tools.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture(scope="module")
def desktop(browser, server):
    """A page that is only looked at."""
    page = opened(browser, server)
    yield page
    page.close()


def opened(browser, server, *, width: int = 1440, height: int = 1000, dark: bool = False) -> Page:
    """Open the app and wait for the whole page; every host that is asked is noted in `page.hosts`."""
    scheme = "dark" if dark else "light"
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    page.hosts = set()
    page.on("request", lambda request: page.hosts.add(urlparse(request.url).hostname))
    page.goto(server)
    expect(sentence(page)).to_contain_text("a day", timeout=1000 * FIRST_SECONDS)
    settled(page)
    return page


def settled(page: Page) -> None:
    expect(page.get_by_text("What these numbers rest on")).to_be_visible(timeout=1000 * FIRST_SECONDS)
    expect(page.locator(".js-plotly-plot")).to_have_count(3, timeout=1000 * FIRST_SECONDS)
    script = page.get_by_test_id("stApp")
    expect(script).to_have_attribute("data-test-script-state", "notRunning", timeout=1000 * FIRST_SECONDS)


def sentence(page: Page):
    return page.get_by_test_id("stMain").get_by_role("heading", level=3).first


def download(page: Page, button: str) -> str:
    with page.expect_download() as waiting:
        page.get_by_role("button", name=button, exact=True).click()
    return Path(waiting.value.path()).read_text(encoding="utf-8")


def test_new_user_opens_edits_and_downloads(browser, server):
    page = opened(browser, server)
    expect(sentence(page)).to_contain_text("100,000 a day")
    expect(page.get_by_test_id("stTable")).to_contain_text("Outlook.com and Hotmail")

    volume = page.get_by_role("textbox", name="Target volume (messages/day)")
    volume.fill("50,000")
    volume.press("Enter")
    expect(sentence(page)).to_contain_text("50,000 a day", timeout=1000 * FIRST_SECONDS)
    settled(page)

    rows = list(csv.DictReader(io.StringIO(download(page, "Plan as CSV"))))
    assert {"provider", "date", "volume"} <= set(rows[0])
    assert {row["provider"] for row in rows} >= {"gmail", "yahoo"}
    plan = json.loads(download(page, "Plan as JSON"))
    assert plan["forecast"]["sender"]["target"]["volume"] == 50_000
    assert "volume: 50000" in download(page, "Sender as YAML")
    page.close()


def test_wrong_answer_is_said_beside_its_field(browser, server):
    page = opened(browser, server)
    before = sentence(page).inner_text()
    volume = page.get_by_role("textbox", name="Target volume (messages/day)")
    volume.fill("12,O00")
    volume.press("Enter")
    beside = page.get_by_test_id("stSidebar").get_by_role("alert")
    expect(beside).to_contain_text("Write digits only: 12000.", timeout=1000 * FIRST_SECONDS)
    settled(page)
    assert sentence(page).inner_text() == before
    page.close()


def test_stop_keeps_the_plan_before(browser, server):
    page = opened(browser, server)
    before = sentence(page).inner_text()
    volume = page.get_by_role("textbox", name="Target volume (messages/day)")
    volume.fill("71,000")
    volume.press("Enter")
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_text("Stopped")).to_be_visible(timeout=1000 * FIRST_SECONDS)
    settled(page)
    assert sentence(page).inner_text() == before
    expect(page.get_by_role("button", name="Plan it after all")).to_be_visible()
    page.close()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_light_and_dark(browser, server, dark):
    page = opened(browser, server, dark=dark)
    assert luminance(page, "background-color") < 0.2 if dark else luminance(page, "background-color") > 0.8
    assert luminance(page, "color") > 0.7 if dark else luminance(page, "color") < 0.3
    axis = page.locator(".js-plotly-plot .ytitle").first.evaluate("node => getComputedStyle(node).fill")
    assert abs(brightness(axis) - luminance(page, "background-color")) > 0.3
    page.close()


def luminance(page: Page, kind: str) -> float:
    return brightness(
        page.get_by_test_id("stApp").evaluate("(node, kind) => getComputedStyle(node).getPropertyValue(kind)", kind)
    )


def brightness(colour: str) -> float:
    """Between 0 for black and 1 for white, of a colour as browsers write it."""
    return sum(map(float, re.findall(r"[\d.]+", colour)[:3])) / 765


def test_phone_scrolls_one_way_and_begins_with_the_sentence(browser, server):
    page = opened(browser, server, width=390, height=844)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    wide = "node => node.scrollWidth - node.clientWidth"
    assert page.get_by_test_id("stMain").evaluate(wide) <= 0
    assert sentence(page).bounding_box()["y"] < 844 / 2
    expect(page.get_by_test_id("stSidebar")).to_have_attribute("data-collapsed", "true")
    page.close()


def test_page_asks_no_other_host(desktop):
    assert desktop.hosts == {"127.0.0.1"}


def test_keyboard_reaches_the_first_answers(desktop):
    page = desktop
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.getAttribute('aria-label') ?? ''"))
    assert "Target volume (messages/day)" in reached
