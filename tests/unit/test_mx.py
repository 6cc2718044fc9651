"""Mail exchangers, asked of a small DNS server on this computer."""

import io
import json
import os
import socket
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.resolver
import dns.rrset
import pytest

import planner as wp
from planner.inputs import mx
from planner.inputs.mx import look_up, provider_of

ROOT = Path(__file__).parents[2]
ZONE = {
    "company.example": ["10 aspmx.l.google.com.", "20 alt1.aspmx.l.google.com."],
    "firm.example": ["0 firm-example.mail.protection.outlook.com."],
    "bank.example": ["20 backup.example.", "10 MX1.bank.iphmx.com."],
    "mixed.example": ["20 aspmx.l.google.com.", "10 mx.mixed.example.", "15 eu-smtp-inbound-1.mimecast.com."],
    "own.example": ["10 mail.own.example."],
    "null.example": ["0 ."],
}


class Server:
    """Answers MX questions; says nothing to `silent`, nonsense to `garbage`."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.asked = []
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        while True:
            wire, who = self.socket.recvfrom(4096)
            if wire == b"end":
                return
            if answer := self.answer(dns.message.from_wire(wire)):
                self.socket.sendto(answer, who)

    def answer(self, query):
        name = query.question[0].name
        domain = name.to_text(omit_final_dot=True)
        self.asked.append(domain)
        if domain.startswith("silent"):
            return None
        if domain.startswith("garbage"):
            return query.to_wire()[:2] + b"\xff" * 40
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.RA
        if domain in ZONE:
            reply.answer.append(dns.rrset.from_text(name, 60, "IN", "MX", *ZONE[domain]))
        elif domain.startswith("broken"):
            reply.set_rcode(dns.rcode.SERVFAIL)
        elif domain != "address-only.example":
            reply.set_rcode(dns.rcode.NXDOMAIN)
        return reply.to_wire()

    def close(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"end", ("127.0.0.1", self.port))
        self.thread.join()
        self.socket.close()


@pytest.fixture
def server():
    one = Server()
    yield one
    one.close()


@pytest.fixture
def how(server, tmp_path):
    """Questions to the server on this computer; answers are kept in an own file."""
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers = ["127.0.0.1"]
    resolver.port = server.port
    return mx.MxLookup(resolver=resolver, cache=tmp_path / "cache" / "mx.json", timeout_seconds=0.5, total_seconds=10)


def changed(how, **fields):
    return mx.MxLookup(**(vars(how) | fields))


def forget():
    """What a new session does not know."""
    mx._session.clear()


# --- who answers


@pytest.mark.parametrize(
    ("host", "provider"),
    [
        ("aspmx.l.google.com", "google-workspace"),
        ("aspmx2.googlemail.com", "google-workspace"),
        ("smtp.google.com", "google-workspace"),
        ("gmail-smtp-in.l.google.com", "gmail"),
        ("firm-com.mail.protection.outlook.com", "microsoft-365"),
        ("firm-com.p-v1.mx.microsoft", "microsoft-365"),
        ("outlook-com.olc.protection.outlook.com", "microsoft"),
        ("mta5.am0.yahoodns.net", "yahoo"),
        ("mxa-00123.gslb.pphosted.com", "corporate-gateways"),
        ("us-smtp-inbound-1.mimecast.com", "corporate-gateways"),
        ("d12345a.ess.barracudanetworks.com", "corporate-gateways"),
        ("cluster5.us.messagelabs.com", "corporate-gateways"),
        ("mx1.hc123-45.eu.iphmx.com", "corporate-gateways"),
        ("mx.example.net", None),
        ("notgoogle.com", None),
        ("google.com.evil.example", None),
    ],
)
def test_the_provider_of_a_host(host, provider):
    assert provider_of([host]) == provider


def test_the_look_up(server, how):
    wanted = [*ZONE, "address-only.example", "gone.example", "broken.example", "garbage.example", "silent.example"]
    found = look_up([*wanted, "company.example"], how)
    assert found.providers == {
        "company.example": "google-workspace",
        "firm.example": "microsoft-365",
        "bank.example": "corporate-gateways",
        "mixed.example": "corporate-gateways",  # of those that are known the most preferred
    }
    assert found.no_mail == ("null.example", "gone.example")
    assert (found.asked, found.unanswered, found.from_cache) == (len(wanted), 3, 0)
    assert sorted(set(server.asked)) == sorted(wanted)


def test_only_the_first_are_asked_for(server, how):
    found = look_up(list(ZONE), changed(how, domains=2))
    assert found.asked == 2
    assert set(server.asked) == set(list(ZONE)[:2])


@pytest.mark.alone
def test_silence_costs_a_bounded_time(how):
    begin = time.monotonic()
    found = look_up([f"silent{i}.example" for i in range(200)], changed(how, total_seconds=1.0, threads=4))
    assert time.monotonic() - begin < 4
    assert (found.unanswered, found.providers) == (200, {})


def test_a_cancel_ends_the_questions(server, how):
    def stop(share):
        raise wp.Cancelled

    with pytest.raises(wp.Cancelled):
        look_up([f"silent{i}.example" for i in range(200)], changed(how, threads=2), progress=stop)
    assert len(set(server.asked)) < 20


# --- remembering


def test_answers_are_kept_in_the_session_and_on_disk(server, how):
    look_up(["company.example", "gone.example", "silent.example"], how)
    kept = how.cache.read_bytes()
    how.cache.unlink()
    assert look_up(["company.example"], how).from_cache == 1
    how.cache.write_bytes(kept)
    forget()
    server.asked.clear()
    again = look_up(["company.example", "gone.example", "silent.example"], how)
    assert again.providers == {"company.example": "google-workspace"}
    assert (again.no_mail, again.from_cache, again.unanswered) == (("gone.example",), 2, 1)
    assert set(server.asked) == {"silent.example"}  # silence is no answer to keep


def test_the_file_holds_domains_and_hosts_only(how):
    look_up(["company.example", "null.example"], how)
    stored = json.loads(how.cache.read_text())
    assert stored["format"] == 1
    assert {domain: hosts for domain, (_, hosts) in stored["domains"].items()} == {
        "company.example": ["aspmx.l.google.com", "alt1.aspmx.l.google.com"],
        "null.example": [],
    }
    assert [path.name for path in how.cache.parent.iterdir()] == ["mx.json"]


def test_old_answers_are_asked_for_again(how, monkeypatch):
    look_up(["company.example"], how)
    today = mx._today()
    for days, known in ((30, 1), (31, 0), (-1, 0)):  # a clock that was wrong is not believed for ever
        forget()
        monkeypatch.setattr(mx, "_today", lambda days=days: today + timedelta(days=days))
        assert len(mx._fresh(how.cache)) == known


@pytest.mark.parametrize(
    "damage",
    [
        *("", "{", "[]", "null", '{"format": 2, "domains": {}}', '{"format": 1}', '{"format": 1, "domains": []}'),
        '{"format": 1, "domains": {"company.example": 7}}',
        '{"format": 1, "domains": {"company.example": ["2026-11-25"]}}',
        '{"format": 1, "domains": {"company.example": ["x", 7]}}',
        *("\ud800", "[" * 100_000),
    ],
)
def test_a_damaged_file_holds_nothing(how, damage):
    how.cache.parent.mkdir()
    how.cache.write_bytes(damage.encode("utf-8", "surrogatepass"))
    assert look_up(["company.example"], how).providers == {"company.example": "google-workspace"}
    forget()
    assert look_up(["company.example"], how).from_cache == 1


def test_what_cannot_be_written_is_known_in_this_session(how, tmp_path):
    (tmp_path / "file").touch()
    blocked = changed(how, cache=tmp_path / "file" / "mx.json")
    assert look_up(["company.example"], blocked).from_cache == 0
    assert look_up(["company.example"], blocked).from_cache == 1


def test_the_newest_answers_stay(how, monkeypatch):
    monkeypatch.setattr(mx, "MAX_KEPT", 2)
    look_up(["company.example", "firm.example"], how)
    forget()
    today = mx._today()
    monkeypatch.setattr(mx, "_today", lambda: today + timedelta(days=1))
    look_up(["bank.example"], how)
    assert "bank.example" in json.loads(how.cache.read_text())["domains"]
    assert len(json.loads(how.cache.read_text())["domains"]) == 2


# --- a list with it

LIST = b"""\
email
qzcanary1@company.example
qzcanary2@company.example
qzcanary3@bank.example
qzcanary4@own.example
qzcanary5@gone.example
a@gmail.com
"""


def test_a_list_is_mapped_by_mail_exchangers(server, how):
    told = []
    found = wp.read_audience(io.BytesIO(LIST), lookup_mx=how, progress=lambda share, text: told.append((share, text)))
    assert found.audience.providers == {"google-workspace": 2, "other": 2, "corporate-gateways": 1, "gmail": 1}
    assert found.audience.domains == {"other": 2, "corporate-gateways": 1}
    assert list(found.other_domains) == ["gone.example", "own.example"]
    assert "Of 4 domains looked up, 2 belong to a known provider, 1 take no mail or do not exist, 0" in found.summary()
    assert "gmail.com" not in server.asked
    assert [share for share, _ in told] == sorted(share for share, _ in told)
    assert "canary" not in "".join([repr(found), found.to_json(), how.cache.read_text(), *server.asked])


def test_a_persons_mapping_goes_before_the_dns(server, how):
    found = wp.read_audience(io.BytesIO(LIST), mapping={"company.example": "yahoo"}, lookup_mx=how)
    assert found.audience.providers["yahoo"] == 2
    assert "company.example" not in server.asked


def test_nobody_is_asked_unless_you_agree(monkeypatch):
    monkeypatch.setattr("planner.inputs.address_list.look_up", lambda *_: pytest.fail("the DNS was asked"))
    assert wp.read_audience(io.BytesIO(LIST)).mailers is None


def test_without_dnspython_the_extra_is_named(tmp_path):
    (tmp_path / "dns.py").write_text("raise ImportError('no dns here')\n")
    code = "import io, planner as wp; wp.read_audience(io.BytesIO(b'a@b.example'), lookup_mx=True)"
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}", "XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=60, check=False
    )
    assert "pip install 'warmup-planner[dns]'" in done.stderr
