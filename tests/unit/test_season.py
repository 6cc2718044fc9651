"""A season: what each change keeps, undo, and the file that holds it."""

from __future__ import annotations

import json
import multiprocessing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import planner as wp
from planner.season import store
from planner.season.names import checked_name, name_for
from planner.season.season import MAX_HISTORY, MAX_UNDO

START = date(2026, 10, 5)
SENDER = wp.Sender.from_dict(
    {
        "name": "Shop: EU",
        "audience": {"providers": {"gmail": 60, "yahoo": 40}},
        "target": {"volume": 400},
        "send_days": "daily",
        "n_ips": 1,
        "domain": "used",
        "start": START.isoformat(),
    }
)
AT = datetime(2026, 10, 8, 7, 30, tzinfo=UTC)


def seen(n_days: int, first: int = 0, share: float = 1.0) -> wp.Observations:
    days = tuple(START + timedelta(days=first + d) for d in range(n_days))
    sent = np.array([[60.0 + first + d for d in range(n_days)], [40.0 + first + d for d in range(n_days)]])
    return wp.Observations(("gmail", "yahoo"), days, sent=sent, delivered=np.floor(share * sent))


@pytest.fixture(scope="module")
def plan() -> wp.Plan:
    return wp.optimize(SENDER, scenarios=8)


@pytest.fixture
def begun(tmp_path: Path) -> wp.Season:
    return wp.save_season(wp.Season.begun(SENDER, by="test", at=AT), tmp_path)


def by_day(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(date=pd.to_datetime(frame["date"])).set_index(["provider", "date"])


# --- changes


def test_begins_with_nothing_and_says_so() -> None:
    season = wp.Season.begun(SENDER, at=AT)
    assert (season.name, season.last_day, season.today, season.plan) == ("Shop EU", None, START, None)
    assert "nothing observed yet" in season.summary()
    assert str(season.history[0]) == "Thursday 8 October 2026, 07:30 UTC: begun"


def test_the_same_days_again_double_nothing() -> None:
    once = wp.Season.begun(SENDER).observed(seen(3), source="mail.log", by="warmup observe", at=AT)
    again = once.observed(seen(3), source="mail.log")
    assert again is once
    assert once.observations.totals()["sent"].tolist() == [60 + 61 + 62, 40 + 41 + 42]
    assert once.history[-1].text == "3 days read from mail.log: Mon 5 Oct to Wed 7 Oct"
    assert once.today == START + timedelta(days=3)


def test_a_later_reading_of_a_day_counts() -> None:
    season = wp.Season.begun(SENDER).observed(seen(2)).observed(seen(2, share=0.5))
    assert season.observations.delivered[0].tolist() == [30, 30]
    assert season.history[-1].text.startswith("2 days typed in")


def test_files_are_named_without_people() -> None:
    season = wp.Season.begun(SENDER).observed(seen(1), source="ann.lee@example.org.log", by="ann.lee@example.org")
    text = season.summary() + str(season.history)
    assert "example.org" in text
    assert "ann" not in text


def test_undo_and_redo_walk_the_same_states(plan: wp.Plan) -> None:
    states = [wp.Season.begun(SENDER)]
    states.append(states[-1].observed(seen(2)))
    states.append(states[-1].planned(plan))
    states.append(states[-1].changed(rules="google"))
    back = states[-1]
    for earlier in reversed(states[:-1]):
        back = back.undone()
        assert back.state == earlier.state
    with pytest.raises(wp.InputError, match=r"nothing to undo"):
        back.undone()
    for later in states[1:]:
        back = back.redone()
        assert back.state == later.state
    with pytest.raises(wp.InputError, match="nothing to do again"):
        back.redone()
    assert [entry.text for entry in back.history[-3:]] == [f"redone: {one.text}" for one in back.past]


def test_a_change_after_undo_forgets_what_was_undone() -> None:
    season = wp.Season.begun(SENDER).observed(seen(2)).undone().observed(seen(3))
    assert season.future == ()


def test_history_and_undo_are_bounded() -> None:
    season = wp.Season.begun(SENDER)
    for _ in range(MAX_HISTORY):
        season = season.changed(rules="google").changed(rules="ours")
    assert (len(season.history), len(season.past)) == (MAX_HISTORY, MAX_UNDO)
    assert season.changed(rules="ours") is season
    with pytest.raises(wp.InputError, match=r"Unknown set of rules 'gogle'. Did you mean 'google'"):
        season.changed(rules="gogle")


def test_what_was_planned_for_past_days_stays_known(plan: wp.Plan) -> None:
    season = wp.Season.begun(SENDER, plan).observed(seen(3))
    again = season.planned(wp.optimize(SENDER, scenarios=8, observed=season.observations, retry=plan.retry))
    frame = by_day(again.planned_days())
    assert frame.index.is_unique
    old = by_day(plan.to_frame())
    third = ("gmail", pd.Timestamp(START + timedelta(days=2)))
    promised = old.loc[third, ["volume", "sent_q10", "sent_q90"]]
    assert frame.loc[third, ["volume", "q10", "q90"]].tolist() == promised.tolist()
    assert frame.loc[third, "sent"] == 62
    new = by_day(again.plan.to_frame())
    fourth = ("gmail", pd.Timestamp(START + timedelta(days=3)))
    assert frame.loc[fourth, "volume"] == new.loc[fourth, "volume"]
    assert np.isnan(frame.loc[fourth, "sent"])


# --- names


@pytest.mark.parametrize(
    "name", ["", "../x", "a/b", "a\\b", ".hidden", "a.", "CON", "lpt1", "x" * 41, "a\nb", "a:b", " a"]
)
def test_names_that_are_no_file_names_are_refused(name: str) -> None:
    with pytest.raises(wp.InputError, match="no safe file name"):
        checked_name(name)


def test_any_text_makes_a_name() -> None:
    for text in ("Müller & Söhne", "新闻 2026", "../../etc/passwd", "CON", "", "x" * 300):
        assert checked_name(name_for(text)) == name_for(text)


# --- the file


def test_reloads_equal(begun: wp.Season, plan: wp.Plan, tmp_path: Path) -> None:
    season = begun.observed(seen(3), at=AT).planned(plan, at=AT).changed(rules="google", at=AT).undone(at=AT)
    saved = wp.save_season(season, tmp_path)
    assert wp.load_season("Shop EU", tmp_path) == saved
    assert wp.load_season("Shop EU", tmp_path).plan.to_json() == plan.to_json()
    assert wp.load_season("Shop EU", tmp_path).redone(at=AT).state == season.redone(at=AT).state


def test_file_is_json_that_people_can_read(begun: wp.Season, tmp_path: Path) -> None:
    text = (tmp_path / "Shop EU.json").read_text(encoding="utf-8")
    assert json.loads(text)["format"] == 1
    assert '  ["2026-10-08T07:30:00+00:00", "test", "begun"]' in text.splitlines()


def test_list_tells_last_day_and_verdict(begun: wp.Season, tmp_path: Path) -> None:
    bad = wp.Observations(("gmail",), (START,), sent=[[1000]], delivered=[[900]], complaints=[[30]])
    wp.save_season(begun.observed(bad), tmp_path)
    wp.save_season(wp.Season.begun(SENDER, name="a"), tmp_path)
    (tmp_path / "broken.json").write_text("{")
    listed = {one.name: one for one in wp.seasons(tmp_path)}
    assert list(listed) == ["Shop EU", "a", "broken"]
    assert (listed["Shop EU"].last_day, str(listed["Shop EU"].verdict)) == (START, "stop")
    assert (listed["a"].last_day, listed["a"].verdict, listed["a"].problem) == (None, None, None)
    assert "no JSON" in listed["broken"].problem
    assert wp.seasons(tmp_path / "none") == ()


def test_folder_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WARMUP_SEASONS", str(tmp_path / "deep" / "down"))
    wp.save_season(wp.Season.begun(SENDER))
    assert [one.name for one in wp.seasons()] == ["Shop EU"]
    assert (tmp_path / "deep" / "down" / "Shop EU.json").is_file()


def test_the_second_of_two_writers_is_refused(begun: wp.Season, tmp_path: Path) -> None:
    first = wp.save_season(begun.observed(seen(1)), tmp_path)
    with pytest.raises(wp.InputError, match=r"was changed meanwhile.*saved 2 times, and you have seen 1"):
        wp.save_season(begun.observed(seen(2)), tmp_path)
    assert wp.load_season(begun.name, tmp_path) == first


def test_a_new_season_never_replaces_another(begun: wp.Season, tmp_path: Path) -> None:
    for name in ("Shop EU", "shop eu"):
        with pytest.raises(wp.InputError, match=r"There is a season 'Shop EU' already"):
            wp.save_season(wp.Season.begun(SENDER, name=name), tmp_path)
    assert wp.load_season("Shop EU", tmp_path) == begun


def test_removed_stays_removed(begun: wp.Season, tmp_path: Path) -> None:
    wp.save_season(begun.observed(seen(1)), tmp_path)
    wp.remove_season("Shop EU", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]
    with pytest.raises(wp.InputError, match=r"removed meanwhile"):
        wp.save_season(begun, tmp_path)
    wp.save_season(begun.renamed("Shop 2"), tmp_path)
    for call in (wp.load_season, wp.remove_season):
        with pytest.raises(wp.InputError, match=r"There is no season 'Shop 3'. Did you mean 'Shop 2'\?"):
            call("Shop 3", tmp_path)


def test_letter_case_of_a_name_is_forgiven(tmp_path: Path) -> None:
    wp.save_season(wp.Season.begun(SENDER, name="Shop 2"), tmp_path)
    assert wp.load_season("shop 2", tmp_path).name == "Shop 2"
    wp.save_season(wp.load_season("SHOP 2", tmp_path), tmp_path)
    (tmp_path / "Shop 2.json").write_text("{")
    assert wp.restore_season("shop 2", tmp_path).name == "Shop 2"
    with pytest.raises(wp.InputError, match="Did you mean 'Shop 2'"):
        wp.remove_season("shop 2", tmp_path)  # what cannot be taken back asks for the name as it is
    (tmp_path / "shop 2.json").write_text((tmp_path / "Shop 2.json").read_text())
    with pytest.raises(wp.InputError, match="There are: Shop 2, shop 2"):
        wp.load_season("SHOP 2", tmp_path)


DAMAGED = {
    "cut": lambda text: text[: len(text) // 2],
    "empty": lambda text: "",
    "another kind": lambda text: '{"kind": "plan"}',
    "a later version": lambda text: text.replace('"format": 1', '"format": 2', 1),
    "a wrong place": lambda text: text.replace('"now": {"sender": 0', '"now": {"sender": 7', 1),
    "a strange field": lambda text: text.replace('"name"', '"nmae"', 1),
    "a day that is none": lambda text: text.replace("2026-10-08T07", "2026-13-08T07", 1),
}


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED)
def test_damaged_files_are_told_and_kept(damage, begun: wp.Season, tmp_path: Path) -> None:
    saved = wp.save_season(begun.observed(seen(1), at=AT), tmp_path)
    path = tmp_path / "Shop EU.json"
    broken = damage(path.read_text(encoding="utf-8"))
    path.write_text(broken, encoding="utf-8")
    for call in (lambda: wp.load_season("Shop EU", tmp_path), lambda: wp.save_season(saved, tmp_path)):
        with pytest.raises(wp.InputError, match=r"wp.restore_season\('Shop EU'\) brings it back") as caught:
            call()
        assert caught.value.file == str(path)
    assert path.read_text(encoding="utf-8") == broken
    assert wp.restore_season("Shop EU", tmp_path) == begun
    assert (tmp_path / "Shop EU.json.damaged").read_text(encoding="utf-8") == broken


def test_later_version_is_named(begun: wp.Season, tmp_path: Path) -> None:
    path = tmp_path / "Shop EU.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 2'))
    with pytest.raises(wp.InputError, match=r"format 2, which a later version of the planner writes; .*Update"):
        wp.load_season("Shop EU", tmp_path)


def test_nothing_is_restored_over_a_healthy_file(begun: wp.Season, tmp_path: Path) -> None:
    with pytest.raises(wp.InputError, match="no backup"):
        wp.restore_season("Shop EU", tmp_path)
    wp.save_season(begun.observed(seen(1)), tmp_path)
    with pytest.raises(wp.InputError, match="nothing is wrong with it"):
        wp.restore_season("Shop EU", tmp_path)


def test_long_files_lose_steps_back_only(begun: wp.Season, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    season = begun
    for n in range(1, 9):
        season = season.observed(seen(n), at=AT)
    monkeypatch.setattr(store.document, "MOST_CHARS", 4000)
    wp.save_season(season, tmp_path)
    found = wp.load_season("Shop EU", tmp_path)
    assert found.state == season.state
    assert 0 < len(found.past) < len(season.past)
    assert found.past == season.past[-len(found.past) :]
    assert (tmp_path / "Shop EU.json").stat().st_size <= 4000


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(wp.InputError, match="WARMUP_SEASONS names another folder"):
        wp.save_season(wp.Season.begun(SENDER), tmp_path / "file")


# --- many at once


def _add_a_day(folder: Path, first: int) -> int:
    """Bring in one day, again and again until nobody else has come between; return how often it was refused."""
    for refused in range(1000):
        try:
            wp.save_season(wp.load_season("Shop EU", folder).observed(seen(1, first)), folder)
        except wp.InputError as error:
            if "changed meanwhile" not in error.message:
                raise
        else:
            return refused
    raise AssertionError("never its turn")


def test_writers_at_once_lose_nothing(begun: wp.Season, tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        pool.starmap(_add_a_day, [(tmp_path, first) for first in range(12)])
    season = wp.load_season("Shop EU", tmp_path)
    assert season.revision == 13
    assert season.observations.sent[0].tolist() == [60.0 + d for d in range(12)]
