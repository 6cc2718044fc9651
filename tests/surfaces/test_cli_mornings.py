"""The commands of each morning: data on stdout, the season kept, and nothing written when something is wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

import planner as wp
from planner.cli import app

SENDER = """\
audience:
  providers: {gmail: 70, yahoo: 30}
target:
  volume: 3000
send_days: daily
n_ips: 1
domain: used
start: 2026-10-05
"""
TABLE = """\
date,provider,sent,attempts,delivered,deferred,hard bounces,blocked,complaints
2026-10-05,Gmail,700,700,695,0,5,0,0
2026-10-05,Yahoo,300,300,299,0,1,0,0
2026-10-06,Gmail,900,905,894,5,6,0,0
2026-10-06,Yahoo,400,560,238,320,2,0,0
"""
LOG = """\
2026-10-06T09:00:00+00:00 mx postfix/qmgr[1]: 4A0000000A: from=<news@example.org>, size=900, nrcpt=1 (queue active)
2026-10-06T09:00:01+00:00 mx postfix/smtp[2]: 4A0000000A: to=<canary.name@gmail.com>, relay=mx[192.0.2.1]:25, delay=1, \
delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)
2026-10-06T09:00:02+00:00 mx postfix/qmgr[1]: 4A0000000A: removed
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WARMUP_SEASONS", str(tmp_path / "seasons"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.yaml").write_text(SENDER)
    (tmp_path / "days.csv").write_text(TABLE)
    (tmp_path / "mail.log").write_text(LOG)
    return tmp_path


def run(*arguments: str) -> Any:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def refused(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, wp.InputError)
    return str(result.exception)


def test_a_table_begins_a_season() -> None:
    result = run("observe", "shop.yaml", "days.csv", "--csv", "counts.csv")
    assert "Yahoo and AOL: sent 700" in result.stdout
    assert "Kept in the season 'shop'" in result.stderr
    season = wp.load_season("shop")
    assert season.history[-1].by == "warmup observe"
    assert season.history[-1].text.startswith("2 days read from days.csv")
    assert pd.read_csv("counts.csv")["sent"].sum() == 2300
    again = run("observe", "shop", "days.csv")
    assert "Nothing new" in again.stderr
    assert wp.load_season("shop") == season


def test_a_log_counts_beside_a_table_and_keeps_no_name(folder: Path) -> None:
    text = run("observe", "shop.yaml", "mail.log", "--json").stdout
    assert json.loads(text)["counts"]["sent"] == [[1], [0]]
    kept = (folder / "seasons" / "shop.json").read_text()
    assert "canary" not in text + kept
    both = json.loads(run("observe", "shop", "mail.log", "days.csv", "--json", "--no-save").stdout)
    assert both["counts"]["sent"][both["providers"].index("gmail")] == [700, 900]  # the table lies over the log
    assert (folder / "seasons" / "shop.json").read_text() == kept


def test_logs_of_two_servers_add_up(folder: Path) -> None:
    shutil.copy("mail.log", "other.log")
    assert json.loads(run("observe", "shop.yaml", "mail.log", "other.log", "--json").stdout)["counts"]["sent"] == [
        [2],
        [0],
    ]


def test_the_morning_from_verdict_to_plan() -> None:
    run("observe", "shop.yaml", "days.csv")
    verdicts = json.loads(run("alarms", "shop", "--json").stdout)["verdicts"]
    assert (verdicts["gmail"]["verdict"], verdicts["yahoo"]["verdict"]) == ("go_on", "hold")
    assert "hold" in run("alarms", "shop", "--csv", "alarms.csv").stdout
    assert pd.read_csv("alarms.csv")["verdict"].tolist() == ["go_on", "hold"]
    assert "Learnt from 2 days" in run("calibrate", "shop", "--csv", "learnt.csv", "--save", "beliefs.json").stdout
    assert len(wp.Calibration.load("beliefs.json")) == 500
    made = json.loads(run("replan", "shop", "--json", "--csv", "today.csv", "--save", "plan.json").stdout)
    assert made["today"] == "2026-10-07"
    assert made["providers"][1]["messages"] <= 400
    assert pd.read_csv("today.csv")["messages"].sum() == made["messages"]
    season = wp.load_season("shop")
    assert season.plan.n_seen == 2
    assert season.plan.to_json() == wp.Plan.load("plan.json").to_json()
    text = run("replan", "shop", "--no-save", "--no-calibrate", "--today", "2026-10-06").stdout
    assert "Tuesday 6 October 2026, day 2 of shop" in text
    assert "next days" in text
    assert wp.load_season("shop") == season
    listed = run("seasons").stdout.splitlines()
    assert listed[1].split() == ["shop", "2026-10-06", "hold"]


def test_the_format_of_the_logs_is_not_that_of_the_tables_beside_them(folder: Path) -> None:
    both = run("observe", "shop.yaml", "mail.log", "days.csv", "--format", "postfix", "--json", "--no-save").stdout
    assert json.loads(both)["counts"]["sent"] == [[700.0, 900.0], [300.0, 400.0]]
    for name in ("powermta", "sendgrid"):
        table = run("observe", "shop.yaml", "days.csv", "--format", name, "--json", "--no-save").stdout
        assert json.loads(table)["counts"]["sent"] == [[700.0, 900.0], [300.0, 400.0]]


def test_what_is_wrong_is_said_and_nothing_is_kept(folder: Path) -> None:
    assert "No seasons are kept" in run("seasons").stdout
    assert "There is no season 'shop'" in refused("alarms", "shop")
    assert "Nothing was observed yet" in refused("alarms", "shop.yaml")
    assert "named twice" in refused("observe", "shop.yaml", "mail.log", "./mail.log")
    assert "no such file" in refused("observe", "shop.yaml", "nothing.csv")
    (folder / "odd.log").write_text("lorem ipsum\n" * 5)
    assert "None of the formats fits" in refused("observe", "shop.yaml", "odd.log")
    (folder / "empty.log").write_text("")
    assert "It is empty" in refused("observe", "shop.yaml", "empty.log")
    assert "looks like Exim" in refused("observe", "shop.yaml", "mail.log", "--format", "exim")
    (folder / "odd.csv").write_text("lorem ipsum\n" * 5)
    assert "looks like Exim" in refused("observe", "shop.yaml", "odd.csv", "--format", "exim")
    assert not (folder / "seasons").exists()
    run("observe", "shop.yaml", "days.csv")
    (folder / "shop.yaml").write_text(SENDER.replace("2026-10-05", "2026-11-05"))
    assert "begins on 2026-11-05; the season 'shop' begins on 2026-10-05" in refused("replan", "shop.yaml")


def test_a_season_is_undone_redone_removed_and_restored(folder):
    run("observe", "shop.yaml", "days.csv")
    assert "undone" in run("seasons", "undo", "shop").stderr
    assert wp.load_season("shop").last_day is None
    assert "redone" in run("seasons", "redo", "shop").stderr
    assert wp.load_season("shop").last_day is not None
    assert "nothing to do again" in refused("seasons", "redo", "shop")
    assert refused("seasons", "restore", "shop")
    (folder / "seasons" / "shop.json").write_text("{")
    assert "'shop'" in run("seasons", "restore", "shop").stderr
    assert wp.load_season("shop").name == "shop"
    run("seasons", "remove", "shop")
    assert "No seasons are kept" in run("seasons").stdout
    assert "shop" in refused("seasons", "remove", "shop")
