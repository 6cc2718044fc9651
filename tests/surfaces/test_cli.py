"""The `warmup` command: data on stdout, messages on stderr, exit codes that scripts can trust."""

import inspect
import io
import json
import os
import signal
import subprocess
import sys
import time
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest
from typer.testing import CliRunner

import planner as wp
from planner import cli
from planner.cli import commands, given, output

SENDER = """\
name: small
audience:
  providers: {gmail: 70, other: 30}
target:
  volume: 400
send_days: daily
n_ips: 1
domain: used
start: 2027-01-11
"""
ROOT = Path(__file__).parents[2]
HEAVY = ("numpy", "pydantic", "numba", "pandas", "plotly", "scipy")
FEW = ("--scenarios", "60")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own folder with one sender in it; every command runs there."""
    (tmp_path / "small.yaml").write_text(SENDER)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def plan_json(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A saved plan for the small sender."""
    place = tmp_path_factory.mktemp("plan")
    (place / "small.yaml").write_text(SENDER)
    run("plan", str(place / "small.yaml"), *FEW, "--seed", "7", "--save", str(place / "plan.json"))
    return (place / "plan.json").read_text()


def run(*arguments: str) -> Any:
    """Run a command that must succeed."""
    result = CliRunner().invoke(cli.app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def names(folder: Path) -> list[str]:
    """Everything in a folder, hidden files included."""
    return sorted(path.name for path in folder.iterdir())


def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 2) -> str:
    """Run `main` on something wrong; gives the message, and finds nothing printed or left behind."""
    before = {path: path.read_bytes() for path in Path.cwd().rglob("*") if path.is_file()}
    monkeypatch.setattr(sys, "argv", ["warmup", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (code, "")
    assert "Traceback" not in err
    assert {path: path.read_bytes() for path in Path.cwd().rglob("*") if path.is_file()} == before
    return err


def program(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """The command as a process of its own."""
    command = [sys.executable, "-m", "planner", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, check=False, **options)


# --- plan


def test_plan_prints_and_keeps_what_the_library_plans(folder: Path) -> None:
    result = run("plan", "small.yaml", *FEW, "--seed", "3")
    ours = wp.optimize(wp.Sender.load("small.yaml"), scenarios=60, seed=3)
    kept = wp.Plan.load("small.plan.json")
    assert kept.schedule == ours.schedule
    assert ours.headline() in result.stdout
    assert "Saved small.plan.json." in result.stderr
    assert names(folder) == ["small.plan.json", "small.yaml"]


def test_defaults_are_those_of_the_library_and_the_app(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = inspect.signature(wp.optimize).parameters
    asked: dict[str, Any] = {}

    def noted(_: wp.Sender, **options: Any) -> None:
        asked.update(options)
        raise wp.Cancelled

    monkeypatch.setattr(wp, "optimize", noted)
    with pytest.raises(wp.Cancelled):
        run("plan", "small.yaml")
    for name in ("seed", "scenarios", "risk"):
        assert asked.get(name, usual[name].default) == usual[name].default


def test_plan_as_json_is_the_plan_and_nothing_else(folder: Path) -> None:
    result = run("plan", "small.yaml", *FEW, "--json")
    assert json.loads(result.stdout)
    assert wp.Plan.from_json(result.stdout).sender == wp.Sender.load("small.yaml")
    assert names(folder) == ["small.yaml"]


def test_plan_table_can_be_simulated(folder: Path) -> None:
    run("plan", "small.yaml", *FEW, "--no-save", "--csv", "ramp.csv")
    assert names(folder) == ["ramp.csv", "small.yaml"]
    table = pd.read_csv("ramp.csv")
    assert {"provider", "date", "volume"} <= set(table.columns)
    assert table["volume"].sum() > 0
    out = run("simulate", "small.yaml", "--schedule", "ramp.csv", *FEW, "--json").stdout
    forecast = json.loads(out)
    assert forecast["schedule"]["providers"] == ["gmail", "other"]


def test_a_table_that_does_not_fit_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("part.csv").write_text("provider,date,volume\ngmail,2027-01-11,10\n")
    said = refused(monkeypatch, capsys, "simulate", "small.yaml", "--schedule", "part.csv", *FEW)
    assert said.startswith("part.csv: ")


def test_risk_of_the_command_wins_over_the_file(folder: Path) -> None:
    Path("small.yaml").write_text(SENDER + "risk: balanced\n")
    plan = wp.Plan.from_json(run("plan", "small.yaml", *FEW, "--risk", "0.1", "--json").stdout)
    assert plan.risk == pytest.approx(0.1)


def test_a_target_out_of_reach_is_an_answer(folder: Path) -> None:
    Path("small.yaml").write_text(SENDER.replace("other", "t-online"))  # whose gate nobody opened
    result = run("plan", "small.yaml", *FEW, "--no-save")
    assert "T-Online" in result.stdout
    plan = json.loads(run("plan", "small.yaml", *FEW, "--json").stdout)
    assert "gate_closed" in {answer["name"] for answer in plan["answers"]}


# --- simulate, compare, draw and the lists


def test_simulate_a_published_schedule() -> None:
    text = run("simulate", "small.yaml", "--published", "onesignal", *FEW).stdout
    assert "gmail" in text
    data = json.loads(run("simulate", "small.yaml", "--published", "onesignal", *FEW, "--json").stdout)
    assert data["reaction"]["name"] == "default"


def test_simulate_blindly_or_by_another_rule() -> None:
    blind = run("simulate", "small.yaml", "--published", "onesignal", "--days", "5", "--no-reaction", *FEW, "--json")
    data = json.loads(blind.stdout)
    assert data["reaction"] is None
    assert len(data["schedule"]["volume"][0][0]) == 5
    other = run("simulate", "small.yaml", "--published", "onesignal", "--reaction", "owlat", *FEW, "--json").stdout
    assert json.loads(other)["reaction"]["name"] == "Owlat"


def test_simulate_a_plan_with_its_own_reaction(folder: Path, plan_json: str) -> None:
    Path("plan.json").write_text(plan_json)
    data = json.loads(run("simulate", "small.yaml", "--plan", "plan.json", *FEW, "--json").stdout)
    assert data["schedule"] == wp.Plan.load("plan.json").schedule.to_dict()
    assert data["reaction"] is not None


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_simulate_a_table_from_a_spreadsheet(separator: str) -> None:
    rows = [("provider", "date", "volume"), ("gmail", "2027-01-11", "50"), ("other", "2027-01-12", "20")]
    Path("mine.csv").write_text("\ufeff" + "\r\n".join(separator.join(row) for row in rows))
    data = json.loads(run("simulate", "small.yaml", "--schedule", "mine.csv", *FEW, "--json").stdout)
    assert data["schedule"]["volume"] == [[[50.0, 0.0]], [[0.0, 20.0]]]


def test_compare_with_published_schedules(folder: Path, plan_json: str) -> None:
    Path("plan.json").write_text(plan_json)
    arguments = (
        "compare",
        "small.yaml",
        "--plan",
        "plan.json",
        "--published",
        "onesignal, sendgrid-auto",
        *FEW,
    )
    result = run(*arguments)
    for name in ("ours", "onesignal", "sendgrid-auto", "blindly", "reacts"):
        assert name in result.stdout
    assert json.loads(run(*arguments, "--json").stdout)


WIDE = "Day;Gmail;Others\n1;50;20\n2;1.000;40\n"


def test_simulate_a_wide_table_and_say_what_was_assumed() -> None:
    Path("mine.csv").write_text(WIDE, encoding="utf-16")
    result = run("simulate", "small.yaml", "--schedule", "mine.csv", *FEW, "--json")
    assert json.loads(result.stdout)["schedule"]["volume"] == [[[50.0, 1000.0]], [[20.0, 40.0]]]
    assert "mine.csv: Numbers of days were counted as your send days from the start." in result.stderr
    assert "mine.csv: Cell B3 (Gmail) is '1.000': it was read as 1,000." in result.stderr


def test_simulate_an_excel_table() -> None:
    book = openpyxl.Workbook()
    for row in (["Day", "Gmail", "Others"], [1, 50, 20], [2, 100, 40]):
        book.active.append(row)
    book.save("mine.xlsx")
    data = json.loads(run("simulate", "small.yaml", "--schedule", "mine.xlsx", *FEW, "--json").stdout)
    assert data["schedule"]["volume"] == [[[50.0, 100.0]], [[20.0, 40.0]]]


def test_compare_with_tables_of_ones_own_and_another_reaction(folder: Path, plan_json: str) -> None:
    Path("plan.json").write_text(plan_json)
    Path("mine.csv").write_text(WIDE.replace("1.000", "100"))
    name = "a table with a very long name of theirs"
    Path(f"{name}.csv").write_text(WIDE.replace("1.000", "200"))
    files = ("--schedule", "mine.csv", "--schedule", f"{name}.csv")
    arguments = ("compare", "small.yaml", "--plan", "plan.json", *files, "--reaction", "owlat", *FEW)
    result = run(*arguments, "--csv", "table.csv")
    table = result.stdout.split("\n\n")[1].splitlines()
    assert len(table) == 1 + 2 * 3
    assert max(map(len, table)) <= 120
    assert "421s" in table[0]
    assert "in time" not in table[0]
    assert set(pd.read_csv("table.csv")["name"]) == {"ours", "mine", name}
    reacting = json.loads(run(*arguments, "--json").stdout)["reacting"]
    assert [reacting[each]["reaction"]["name"] for each in ("ours", "mine")] == ["default", "Owlat"]


def test_compare_shows_the_deadline_where_there_is_one(folder: Path, plan_json: str) -> None:
    Path("small.yaml").write_text(SENDER.replace("volume: 400", "volume: 400\n  by: 2027-02-01"))
    Path("plan.json").write_text(plan_json)
    result = run("compare", "small.yaml", "--plan", "plan.json", "--published", "sendgrid-marketing-campaigns", *FEW)
    table = result.stdout.split("\n\n")[1].splitlines()
    assert "in time" in table[0]
    assert max(map(len, table)) <= 120


def test_retries_prints_what_the_library_advises(plan_json: str) -> None:
    Path("plan.json").write_text(plan_json)
    arguments = ("retries", "small.yaml", "--plan", "plan.json", "--scenarios", "4", "--seed", "3")
    result = run(*arguments, "--provider", "other", "--csv", "retries.csv")
    plan = wp.Plan.from_json(plan_json)
    asked = {"reaction": plan.reaction, "scenarios": 4, "seed": 3}
    ours = wp.advise_retries(plan.sender, plan.schedule, providers=["other"], **asked)
    assert ours.summary() in result.stdout
    for name in ("Advised", "Our default", "Postfix", "Wait twelve hours"):
        assert name in result.stdout
    assert "gmail" not in result.stdout
    table = pd.read_csv("retries.csv")
    assert table["policy"].tolist() == ours.to_frame()["policy"].tolist()
    assert set(table["provider"]) == {"other"}
    text = run(*arguments, "--json").stdout
    assert wp.RetryAdvice.from_json(text).to_frame()["provider"].unique().tolist() == ["gmail", "other"]


def test_retries_plans_first_where_no_plan_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    planned: list[wp.Sender] = []

    def noted(sender: wp.Sender, **_: Any) -> None:
        planned.append(sender)
        raise wp.Cancelled

    monkeypatch.setattr(wp, "optimize", noted)
    with pytest.raises(wp.Cancelled):
        run("retries", "small.yaml")
    assert planned == [wp.Sender.load("small.yaml")]


def test_explain_a_plan_as_the_library_does(folder: Path, plan_json: str) -> None:
    Path("plan.json").write_text(plan_json)
    arguments = ("explain", "small.yaml", "--plan", "plan.json")
    explanation = wp.Plan.load("plan.json").explanation
    result = run(*arguments, "--csv", "reliefs.csv")
    assert explanation.summary() in result.stdout
    for text in explanation.reliefs["text"]:
        assert text in result.stdout
    assert pd.read_csv("reliefs.csv")["name"].tolist() == explanation.reliefs["name"].tolist()
    out = run(*arguments, "--json").stdout
    assert wp.Explanation.from_json(out).to_json() == explanation.to_json()


def test_a_plan_of_another_sender_is_not_explained(
    plan_json: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("plan.json").write_text(plan_json)
    Path("small.yaml").write_text(SENDER.replace("400", "500"))
    said = refused(monkeypatch, capsys, "explain", "small.yaml", "--plan", "plan.json")
    assert "planned for another sender" in said


def test_explain_plans_first_where_no_plan_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[wp.Plan] = []

    def noted(plan: wp.Plan, **_: Any) -> None:
        asked.append(plan)
        raise wp.Cancelled

    monkeypatch.setattr(wp, "explain", noted)
    with pytest.raises(wp.Cancelled):
        run("explain", "small.yaml", *FEW, "--seed", "4")
    assert asked[0].schedule == wp.optimize(wp.Sender.load("small.yaml"), scenarios=60, seed=4).schedule


def test_draw_tells_what_is_not_known() -> None:
    result = run("draw", "small.yaml", *FEW, "--seed", "3", "--csv", "beliefs.csv")
    assert "cold_allowance" in result.stdout
    table = pd.read_csv("beliefs.csv")
    assert wp.Beliefs.from_frame(table).values.shape[:2] == (60, 2)
    data = json.loads(run("draw", "small.yaml", "--scenarios", "3", "--json").stdout)
    assert data["columns"] == ["scenario", "provider", "parameter", "value", "weight"]
    frame = pd.read_json(io.StringIO(json.dumps(data)), orient="split")
    assert frame["scenario"].max() == 2


@pytest.mark.parametrize("what", ["schedules", "providers"])
def test_lists(what: str) -> None:
    known = getattr(wp.catalogue(), what)
    data = json.loads(run(what, "--json").stdout)
    assert {one["id"] for one in data} == set(known)
    lines = run(what).stdout.splitlines()
    assert len(lines) == len(known) + 1


def test_same_seed_same_words() -> None:
    arguments = ("simulate", "small.yaml", "--published", "sendgrid-auto", *FEW)
    first, again, other = (run(*arguments, "--seed", seed, "--json").stdout for seed in ("5", "5", "6"))
    assert first == again
    assert first != other


def test_same_seed_same_plan(plan_json: str) -> None:
    run("plan", "small.yaml", *FEW, "--seed", "7", "--save", "again.json")
    assert Path("again.json").read_text() == plan_json


# --- diagnose

YAHOO = "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume or user complaints"
PILE = f"{YAHOO}\n{YAHOO}\n550 5.1.1 <jane.doe@example.com>: Recipient address rejected: User unknown\n"


def test_diagnose_says_what_the_library_says() -> None:
    assert run("diagnose", YAHOO).stdout.rstrip() == wp.diagnose(YAHOO).ticket()
    assert run("diagnose", YAHOO, "--json").stdout.rstrip() == wp.diagnose(YAHOO).to_json()
    assert run("diagnose", "hello").stdout.rstrip() == wp.diagnose("hello").ticket()


def test_diagnose_counts_many(folder: Path) -> None:
    done = CliRunner().invoke(cli.app, ["diagnose", "-", "--csv", "causes.csv"], input=PILE, catch_exceptions=False)
    assert done.exit_code == 0
    assert wp.diagnose_all(PILE).summary() in done.stdout
    assert "jane.doe" not in done.stdout + (folder / "causes.csv").read_text()
    assert pd.read_csv("causes.csv")["count"].tolist() == [2, 1]
    Path("mail.log").write_text(PILE)
    assert run("diagnose", "--file", "mail.log").stdout == done.stdout
    data = json.loads(run("diagnose", "--file", "mail.log", "--json").stdout)
    assert [one["count"] for one in data["answers"]] == [2, 1]


def test_a_long_log_is_read_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(given, "BLOCK_BYTES", 1_000)
    Path("mail.log").write_text(PILE * 50)
    data = json.loads(run("diagnose", "--file", "mail.log", "--json").stdout)
    assert [one["count"] for one in data["answers"]] == [100, 50]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "exactly one of TEXT, --file"),
        (("-", "--file", "mail.log"), "exactly one of TEXT, --file"),
        (("--file", "no.log"), "no.log: is no file"),
        ((YAHOO, "--csv", "none/causes.csv"), "no such folder"),
    ],
)
def test_what_cannot_be_diagnosed_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], says: str
) -> None:
    assert says in refused(monkeypatch, capsys, "diagnose", *arguments)


# --- audience

LIST = """\
E-Mail;Last Open
qzcanary1@gmail.com;2020-01-01
qzcanary2@gmail.com;
qzcanary3@example.org;
qzcanary4@=1+1.example;
qzcanary5@-x.example;
qzcanary6;
"""


@pytest.fixture
def addresses(folder: Path) -> Path:
    """A list beside the sender."""
    (folder / "list.csv").write_text(LIST)
    return folder / "list.csv"


@pytest.mark.usefixtures("addresses")
def test_audience_prints_counts_what_is_unknown_and_what_is_wrong(folder: Path) -> None:
    result = run("audience", "list.csv")
    lines = result.stdout.splitlines()
    assert lines[0] == "4 addresses of 6 rows, at 2 providers."
    assert ["gmail", "2", "50", "%", "1", "1"] in [line.split() for line in lines]
    assert ["example.org", "1"] in [line.split() for line in lines]
    assert "2 lines with no address (first: 5), not counted." in lines
    assert names(folder) == ["list.csv", "small.yaml"]
    assert "canary" not in result.output


@pytest.mark.usefixtures("addresses")
def test_audience_as_json_is_the_librarys() -> None:
    result = run("audience", "list.csv", "--json")
    assert result.stdout.rstrip("\n") == wp.read_audience("list.csv").to_json()
    assert "canary" not in result.output


@pytest.mark.usefixtures("addresses")
def test_audience_goes_into_a_sender_beside_the_old_one(folder: Path) -> None:
    run("audience", "list.csv", "--sender", "small.yaml", "--save", "new.yaml")
    saved = wp.Sender.load("new.yaml")
    assert saved == wp.read_audience("list.csv").for_sender(wp.Sender.load("small.yaml"))
    assert saved.audience.providers == {"gmail": 2, "other": 2}
    assert (folder / "small.yaml").read_text() == SENDER


@pytest.mark.usefixtures("addresses")
def test_unknown_domains_are_written_filled_in_and_read_again(folder: Path) -> None:
    run("audience", "list.csv", "--unmapped", "domains.csv", "--csv", "counts.csv")
    table = (folder / "domains.csv").read_text()
    assert table.splitlines() == ["domain,addresses,provider", "'-x.example,1,", "example.org,1,"]
    counted = pd.read_csv("counts.csv")
    assert counted["addresses"].sum() == 4
    filled = table.replace("'-x.example,1,", "'-x.example,1,yahoo").replace(",", ";")
    (folder / "mine.csv").write_text("\ufeff" + filled)
    data = json.loads(run("audience", "list.csv", "--map", "mine.csv", "--json").stdout)
    assert data["audience"]["providers"] == {"gmail": 2, "other": 1, "yahoo": 1}


def test_order_of_day_and_month_and_the_column_can_be_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wp, "read_audience", partial(wp.read_audience, today=date(2026, 11, 25)))
    (folder / "list.csv").write_text("write to,last open\na@gmail.com,11/01/2026\n")
    result = run("audience", "list.csv", "--column", "Write to")
    assert "(--month-first)" in result.stdout
    assert "engaged in 365 days 100 %" in result.stdout
    assert "engaged in 30 days 100 %" in run("audience", "list.csv", "--month-first").stdout


@pytest.mark.usefixtures("addresses")
def test_the_dns_is_asked_only_when_it_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    def noted(*_: Any, lookup_mx: bool, **__: Any) -> None:
        asked.append(lookup_mx)
        raise wp.Cancelled

    monkeypatch.setattr(wp, "read_audience", noted)
    for options in ([], ["--lookup-mx"]):
        with pytest.raises(wp.Cancelled):
            run("audience", "list.csv", *options)
    assert asked == [False, True]


@pytest.mark.usefixtures("addresses")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nowhere.csv",), "nowhere.csv: is no file. Check the name."),
        (("list.csv", "--save", "new.yaml"), "--sender and --save go together"),
        (("list.csv", "--sender", "small.yaml"), "--sender and --save go together"),
        (("list.csv", "--sender", "small.yaml", "--save", "small.yaml"), "small.yaml: is the sender itself"),
        (("list.csv", "--csv", "list.csv"), "list.csv: is the list itself"),
        (("list.csv", "--map", "list.csv", "--unmapped", "list.csv"), "itself"),
        (("list.csv", "--sender", "small.yaml", "--save", "new.txt"), "new.txt: is no sender file"),
        (("list.csv", "--column", "where"), "list.csv: The list has no column 'where'"),
        (("list.csv", "--map", "list.csv"), "list.csv: lacks a column. Columns: domain, provider."),
        (("small.yaml",), "small.yaml: "),
    ],
)
def test_audience_says_what_is_wrong_and_writes_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], says: str
) -> None:
    said = refused(monkeypatch, capsys, "audience", *arguments)
    assert says in said
    assert "canary" not in said


def test_a_mapping_that_is_wrong_is_named(
    folder: Path, addresses: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "mine.csv").write_text("domain,provider\nexample.org,gmial\n")
    said = refused(monkeypatch, capsys, "audience", "list.csv", "--map", "mine.csv")
    assert said.startswith("mine.csv: Entry 1 of the mapping: Unknown provider 'gmial'. Did you mean 'gmail'?")


# --- tables are no programs


def test_no_cell_is_a_formula(folder: Path) -> None:
    frame = pd.DataFrame({"provider": ["=1+1", "@x", "+x", "-x", "\tx", "gmail"], "volume": [-1.0] * 6})
    output.write_table(Path("table.csv"), frame)
    table = pd.read_csv("table.csv")
    assert table["provider"].tolist() == ["'=1+1", "'@x", "'+x", "'-x", "'\tx", "gmail"]
    assert table["volume"].tolist() == [-1.0] * 6
    assert names(folder) == ["small.yaml", "table.csv"]


# --- what is wrong

WRONG = {
    "no such sender": (("plan", "smal.yaml"), "Did you mean 'small.yaml'?"),
    "no option": (("plan", "small.yaml", "--wat"), "--wat"),
    "no command": (("plam",), "plam"),
    "risk": (("plan", "small.yaml", "--risk", "0.9"), "Write balanced, or a number above 0 up to 0.5"),
    "seed": (("plan", "small.yaml", "--seed", "-1"), "--seed"),
    "huge seed": (("plan", "small.yaml", "--seed", "9" * 50), "--seed"),
    "scenarios": (("plan", "small.yaml", "--scenarios", "0"), "--scenarios"),
    "too many scenarios": (("draw", "small.yaml", "--scenarios", "999999999"), "--scenarios"),
    "two wishes": (("plan", "small.yaml", "--save", "a", "--no-save"), "--no-save"),
    "over the sender": (("plan", "small.yaml", "--save", "./small.yaml"), "is the sender itself"),
    "one file for two": (("plan", "small.yaml", "--save", "a", "--csv", "./a"), "is named for two results"),
    "no such folder": (("plan", "small.yaml", "--save", "no/plan.json"), "no such folder"),
    "a folder": (("plan", "small.yaml", "--save", "."), "is no file name"),
    "standard output": (("plan", "small.yaml", "--save", "-"), "--json prints"),
    "nothing to simulate": (("simulate", "small.yaml"), "exactly one of --published, --schedule, --plan"),
    "two schedules": (
        ("simulate", "small.yaml", "--published", "onesignal", "--schedule", "x.csv"),
        "found --published and --schedule",
    ),
    "unknown schedule": (("simulate", "small.yaml", "--published", "onesignl"), "Did you mean 'onesignal'?"),
    "unknown rival": (("compare", "small.yaml", "--published", "onesignal,bogus"), "'bogus'"),
    "no rival": (("compare", "small.yaml", "--published", " , "), "--published is empty"),
    "nothing to compare": (("compare", "small.yaml"), "Give --published ID, --schedule FILE, or both."),
    "no such table": (("compare", "small.yaml", "--schedule", "none.xlsx"), "none.xlsx: is no file"),
    "two of a name": (
        ("compare", "small.yaml", "--published", "onesignal", "--schedule", "onesignal.csv"),
        "Two schedules are called 'onesignal'",
    ),
    "no such reaction": (
        ("compare", "small.yaml", "--published", "onesignal", "--reaction", "panic"),
        "Unknown reaction 'panic'",
    ),
    "unknown reaction": (
        ("simulate", "small.yaml", "--published", "onesignal", "--reaction", "panic"),
        "Unknown reaction 'panic'",
    ),
    "two reactions": (
        ("simulate", "small.yaml", "--published", "onesignal", "--reaction", "owlat", "--no-reaction"),
        "exclude each other",
    ),
    "absurd days": (("simulate", "small.yaml", "--published", "onesignal", "--days", "3650"), "--days"),
    "days of a table": (
        ("simulate", "small.yaml", "--schedule", "small.yaml", "--days", "5"),
        "--days goes with",
    ),
    "retries for a stranger": (("retries", "small.yaml", "--provider", "yahoo"), "It mails: gmail, other"),
    "no plan": (("simulate", "small.yaml", "--plan", "none.json"), "none.json"),
    "no plan to explain": (("explain", "small.yaml", "--plan", "none.json"), "none.json"),
    "a sender for a plan": (("simulate", "small.yaml", "--plan", "small.yaml"), "small.yaml"),
}


@pytest.mark.parametrize("name", WRONG)
def test_one_message_and_exit_code_2(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments, says = WRONG[name]
    monkeypatch.setenv("COLUMNS", "200")  # usage errors come in a box
    assert says in refused(monkeypatch, capsys, *arguments)


TABLES = {
    "empty": (b"", "is no table"),
    "only a head": (b"provider,date,volume\n", "has 0 rows"),
    "no head": (b"gmail,2027-01-11,50\n", "lacks the column 'provider'"),
    "misspelt head": (b"provider,date,volum\ngmail,2027-01-11,5\n", "Is it 'volum'?"),
    "surplus column": (b"provider,date,volume,segmnt\ngmail,2027-01-11,5,a\n", "Did you mean 'segment'?"),
    "no number": (b"provider,date,volume\ngmail,2027-01-11,much\n", "Row 1, column volume is 'much'"),
    "negative": (b"provider,date,volume\ngmail,2027-01-11,-5\n", "Write a number from 0"),
    "nan": (b"provider,date,volume\ngmail,2027-01-11,nan\n", "column volume is 'nan'"),
    "no date": (b"provider,date,volume\ngmail,tomorrow,5\n", "column date is 'tomorrow'"),
    "years": (b"provider,date,volume\ngmail,2027-01-11,5\ngmail,2037-01-11,5\n", "check the years"),
    "stranger": (b"provider,date,volume\ngmail,2027-01-11,5\nyahoo,2027-01-11,5\n", "provider 'other'"),
    "ragged": (b"provider,date,volume\ngmail,2027-01-11,5,6,7\na\n", "mine.csv"),
    "quotes": (b'provider,date,volume\n"gmail,2027-01-11,5\n', "mine.csv"),
    "half a utf-16": ("provider,date,volume\ngmail,2027-01-11,5\n".encode("utf-16")[:-1], "is not UTF-8"),
    "binary": (bytes(range(256)) * 20, "is not UTF-8"),
    "nul": (b"provider,date,volume\ngmail,2027-01-11,\0\n", "mine.csv"),
    "addresses": (b"email,volume\nann@example.org,5\n", "Cell A2 holds an e-mail address"),
    "large": (b"provider,date,volume\n" + b"gmail,2027-01-11,5\n" * 600_000, "is larger than 10 MB"),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_of_strangers(name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    content, says = TABLES[name]
    Path("mine.csv").write_bytes(content)
    assert says in refused(monkeypatch, capsys, "simulate", "small.yaml", "--schedule", "mine.csv", *FEW)


PLANS = {
    "nothing of a plan": '{"kind": "plan", "format": 1}',
    "strange answers": '{"kind": "plan", "format": 1, "model": "1", "answers": [{"x": 1}]}',
    "a list for a forecast": '{"kind": "plan", "format": 1, "model": "1", "answers": [], "forecast": []}',
    "a list": "[]",
    "another kind": '{"kind": "forecast", "format": 1}',
    "a later format": '{"kind": "plan", "format": 99}',
    "cut off": '{"kind": "plan", ',
    "not finite": '{"kind": NaN}',
}


@pytest.mark.parametrize("name", PLANS)
def test_plans_of_strangers(name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.json").write_text(PLANS[name])
    message = refused(monkeypatch, capsys, "simulate", "small.yaml", "--plan", "bad.json")
    assert message.startswith("bad.json:")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_a_pipe_for_a_table_does_not_hang(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo("mine.csv")
    monkeypatch.setattr(Path, "read_bytes", lambda _: b"")  # nor must this test read it
    assert "is no file" in refused(monkeypatch, capsys, "simulate", "small.yaml", "--schedule", "mine.csv")


def test_what_fails_for_another_reason_is_no_bad_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise wp.PlannerError("No.")

    monkeypatch.setattr(wp, "simulate", fail)
    assert "No." in refused(monkeypatch, capsys, "simulate", "small.yaml", "--published", "onesignal", code=1)


def test_markup_in_names_is_text(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert "[red]x[/].yaml" in refused(monkeypatch, capsys, "plan", "[red]x[/].yaml")


# --- stopping


def test_an_interrupt_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(wp, "optimize", interrupted)
    assert "Stopped" in refused(monkeypatch, capsys, "plan", "small.yaml", code=130)


@pytest.mark.alone
@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signal")
def test_a_running_plan_can_be_stopped(folder: Path) -> None:
    sender = ROOT / "data" / "examples" / "shop-migration.yaml"
    command = [sys.executable, "-m", "planner", "plan", str(sender), "--scenarios", "10000"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as job:
        time.sleep(4)
        job.send_signal(signal.SIGINT)
        out, err = job.communicate(timeout=60)
    assert (job.returncode, out) == (130, "")
    assert err == "Stopped; nothing was written.\n"
    assert names(folder) == ["small.yaml"]


# --- as a program


def test_program_prints_data_only() -> None:
    done = program("simulate", "small.yaml", "--published", "onesignal", *FEW, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["kind"] == "forecast"


@pytest.mark.alone
def test_program_refuses_in_time() -> None:
    Path("bad.yaml").write_text(SENDER.replace("400", "lots"))
    seconds = []
    for _ in range(3):
        begin = time.perf_counter()
        done = program("plan", "bad.yaml")
        seconds.append(time.perf_counter() - begin)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("bad.yaml:5: target.volume is 'lots', not a whole number.")
        assert "Traceback" not in done.stderr
    assert min(seconds) < 2.0


@pytest.mark.alone
def test_help_is_quick_and_light() -> None:
    probe = f"import sys, planner.cli; print([name for name in {HEAVY} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True, cwd=ROOT)
    assert loaded.stdout.strip() == "[]"
    seconds = []
    for _ in range(3):
        begin = time.perf_counter()
        done = program("--help")
        seconds.append(time.perf_counter() - begin)
        assert done.returncode == 0
        for command in ("plan", "simulate", "compare", "audience", "diagnose", "draw", "app"):
            assert command in done.stdout
    assert min(seconds) < 1.0


def test_version() -> None:
    assert run("--version").stdout.strip() == wp.__version__


def test_a_closed_pipe_is_no_crash() -> None:
    command = f'"{sys.executable}" -m planner draw small.yaml | head -n 1'
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, shell=True, capture_output=True, text=True, env=environment, check=False)  # noqa: S602
    assert "scenarios" in done.stdout
    assert "Traceback" not in done.stderr


# --- the app


@pytest.mark.skipif(os.name == "nt", reason="Windows starts it otherwise")
def test_app_listens_on_this_computer_only(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _, command: started.append(command))
    run("app", "--port", "8600")
    (command,) = started
    script = Path(command[command.index("run") + 1])
    assert script.is_file()
    assert (script.parent / ".streamlit" / "config.toml").is_file()
    assert command[command.index("--server.address") + 1] == "127.0.0.1"
    assert command[command.index("--server.port") + 1] == "8600"


def test_app_without_streamlit_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(commands, "find_spec", lambda _: None)
    assert "warmup-planner[app]" in refused(monkeypatch, capsys, "app", code=1)
