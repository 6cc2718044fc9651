"""The settings that keep the app on this computer, each seen at work on a running server."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlparse

import pytest
from playwright.sync_api import expect, sync_playwright

ROOT = Path(__file__).parents[2]
SETTINGS = ROOT / ".streamlit" / "config.toml"
SECONDS = 60
"""For the server and each answer, on a slow and busy machine."""

PROBE = """\
import streamlit as st

"a line that only magic would show"
st.title("Probe")
st.markdown("<b id='raw'>raw</b><img src='x' onerror='window.ran = 1'>")
upload = st.file_uploader("File")
st.write("Size", 0 if upload is None else upload.size)
if st.button("Fail"):
    raise RuntimeError("what only the terminal may show")
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Running(NamedTuple):
    """A server's port, and what it says to the terminal."""

    port: int
    log: Path


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A small app that runs with our settings."""
    folder = tmp_path_factory.mktemp("probe")
    shutil.copytree(SETTINGS.parent, folder / ".streamlit")
    (folder / "probe.py").write_text(PROBE)
    number = free_port()
    command = [sys.executable, "-m", "streamlit", "run", "probe.py", "--server.port", str(number)]
    # a person's own settings and variables must not stand in for ours
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STREAMLIT_")}
    log = folder / "log.txt"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=folder, stdout=out, stderr=out, env={**environment, "HOME": str(folder), "CI": ""}
        )
    try:
        deadline = time.monotonic() + SECONDS
        while not connects("127.0.0.1", number) or status(number, "/_stcore/health") != 200:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        yield Running(number, log)
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.fixture(scope="module")
def port(server):
    return server.port


def connects(address, port):
    try:
        with socket.create_connection((address, port), timeout=2):
            return True
    except OSError:
        return False


def status(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as reply:
            return reply.status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.fixture(scope="module")
def page(port, needs):
    """The probe in a browser; hosts and upload addresses that the page asks for are noted."""
    chromium = needs("chromium")
    with sync_playwright() as tools:
        browser = tools.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu", "--no-first-run"]
        )
        page = browser.new_page()
        page.hosts, page.uploads = set(), []
        page.on("request", lambda request: page.hosts.add(urlparse(request.url).hostname))
        page.on("request", lambda request: page.uploads.append(request) if "upload_file" in request.url else None)
        page.goto(f"http://127.0.0.1:{port}")
        expect(page.get_by_role("heading", name="Probe")).to_be_visible(timeout=1000 * SECONDS)
        yield page
        browser.close()


# --- who may come in


def own_addresses():
    """Addresses of this machine apart from 127.0.0.1."""
    names = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    return sorted((names | {"127.0.0.2"}) - {"127.0.0.1"})


def test_it_listens_on_the_loopback_address_only(port):
    assert connects("127.0.0.1", port)
    for address in own_addresses():
        assert not connects(address, port), address


def handshake(port, host):
    """What the server answers to the opening of a WebSocket, through which all of an app passes."""
    lines = [
        "GET /_stcore/stream HTTP/1.1",
        f"Host: {host}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    ]
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        return int(connection.recv(200).split()[1])


@pytest.mark.parametrize(
    ("host", "answer"),
    [
        ("127.0.0.1:{port}", 101),
        ("localhost:{port}", 101),
        ("evil.example:{port}", 403),  # a stranger's name that points to this computer
        ("127.0.0.1.evil.example:{port}", 403),
        ("localhost@evil.example", 403),
    ],
)
def test_another_site_s_name_gets_no_session(port, host, answer):
    assert handshake(port, host.format(port=port)) == answer


def test_what_needs_no_session_holds_nothing_of_a_person(port):
    # Streamlit checks the name of the host for sessions only: its own page goes to whoever asks
    foreign = {"Host": "evil.example"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/", headers=foreign)
    with urllib.request.urlopen(request, timeout=5) as reply:  # noqa: S310 - our own server
        assert "Probe" not in reply.read().decode()
    upload = f"http://127.0.0.1:{port}/_stcore/upload_file/anybody/anything"
    request = urllib.request.Request(upload, data=b"x", headers=foreign, method="PUT")
    with pytest.raises(urllib.error.HTTPError, match=r"40[03]"):
        urllib.request.urlopen(request, timeout=5)  # noqa: S310 - our own server


# --- what may come in


def test_too_large_a_file_is_refused_by_page_and_server(page):
    limit = tomllib.loads(SETTINGS.read_text())["server"]["maxUploadSize"]
    chooser = page.locator("input[type=file]")
    chooser.set_input_files({"name": "small.csv", "mimeType": "text/csv", "buffer": b"x" * 1000})
    expect(page.get_by_text("Size 1000")).to_be_visible(timeout=1000 * SECONDS)
    used_up = page.uploads[0]
    large = page.evaluate(
        """async ([url, method, size, headers]) => {
            const form = new FormData();
            form.append("file", new Blob([new Uint8Array(size)]), "large.csv");
            return (await fetch(url, {method, body: form, headers, credentials: "include"})).status;
        }""",
        [used_up.url, used_up.method, limit * 1024 * 1024 + 1, xsrf(used_up)],
    )
    assert large == 413
    chooser.set_input_files({"name": "large.csv", "mimeType": "text/csv", "buffer": b"x" * (limit * 1024 * 1024 + 1)})
    expect(page.get_by_text(re.compile(rf"{limit}(\.0)? ?MB or smaller"))).to_be_visible(timeout=1000 * SECONDS)


def xsrf(request):
    return {name: value for name, value in request.headers.items() if name.lower() == "x-xsrftoken"}


# --- what may go out


def test_nobody_else_is_told(page):
    assert page.hosts == {"127.0.0.1"}


def test_html_is_text(page):
    expect(page.get_by_test_id("stMarkdown").first).to_contain_text("<b id='raw'>raw</b>")
    assert page.locator("#raw").count() == 0
    assert page.evaluate("window.ran") is None


def test_a_bare_line_shows_nothing(page):
    expect(page.get_by_text("a line that only magic would show")).to_have_count(0)


def test_the_menu_has_nothing_for_developers(page):
    assert page.get_by_test_id("stAppDeployButton").count() == 0
    page.get_by_test_id("stMainMenu").get_by_role("button").click()
    menu = page.get_by_test_id("stMainMenuPopover")
    expect(menu).to_be_visible()
    for option in ("Rerun", "Clear cache", "Deploy"):
        assert option not in menu.inner_text()
    page.keyboard.press("Escape")


def test_errors_tell_the_page_nothing(page, server):
    page.get_by_role("button", name="Fail", exact=True).click()
    expect(page.get_by_test_id("stException")).to_be_visible(timeout=1000 * SECONDS)
    for secret in ("RuntimeError", "what only the terminal may show", "probe.py", "Traceback", "Ask Google"):
        assert secret not in page.content()
    assert "what only the terminal may show" in server.log.read_text()


# --- what no setting can keep out


def test_screens_write_no_html_and_keep_no_pickles():
    files = [*(ROOT / "planner" / "ui").rglob("*.py"), ROOT / "app.py"]
    source = "\n".join(file.read_text(encoding="utf-8") for file in files)
    for danger in ("unsafe_allow_html", "unsafe_allow_javascript", "st.html", "components.v1", "persist=", "pickle"):
        assert danger not in source
