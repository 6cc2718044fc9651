"""What holds a plan back, what relief is worth, and what its date hangs on: cases worked by hand."""

from __future__ import annotations

import json
from datetime import date, timedelta

import numpy as np
import pytest

import planner as wp
from planner.optimizer import planning, reliefs, resolving
from planner.optimizer.binding import binding_rows
from planner.optimizer.envelope import tolerated_along
from planner.optimizer.reliefs import candidates, promising, spread
from planner.optimizer.resolving import arrival, base_of, mailing_only
from planner.simulation import layout
from tests.certificates.worlds import CALM, FLOOR, RISE, known, sender, tolerated

START = date(2027, 1, 11)


@pytest.fixture(scope="module", autouse=True)
def _few_scenarios():
    """What is told matters here, not how well it was searched."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "N_FIT", 24)
        patch.setattr(planning, "N_CHOOSE", 24)
        patch.setattr(planning, "N_KEEP", 24)
        yield


def phases(mailer, **parameters):
    """Kinds and first days of what binds at a provider that is known to the last figure."""
    beliefs = known(mailer.provider_names, **parameters)
    rows = binding_rows(base_of(wp.optimize(mailer, beliefs=beliefs, scenarios=4, seed=1)))
    return [(row["kind"], (row["first"] - START).days, row["text"]) for row in rows]


# --- what binds


def test_the_cold_allowance_binds_where_nothing_grows():
    """Growth of 1 % a day adds less to 400 than these 400 as long as less than 400 / (0.01 / 0.35) is established."""
    (first, *others) = phases(sender(2_000), daily_growth=1.01)
    assert first[:2] == ("cold_allowance", 0)
    assert "at most 400 messages a day from a stranger" in first[2]
    assert [kind for kind, _, _ in others] == ["demand"]


def test_growth_binds_once_it_gives_more_than_the_cold_allowance():
    """Followed by hand, the headroom of growth outdoes the cold allowance from one day on."""
    cold, growth, target = 50.0, 1.3, 5_000
    established, volume, growing, d = 0.0, 0.0, None, 0
    while volume < target * 0.995:
        headroom = tolerated(established, 0.0, growth, CALM["growth_fades_at"]) - established
        if growing is None and 0.85 * headroom > cold:
            growing = d
        volume = min(target, np.floor(tolerated(established, cold, growth, CALM["growth_fades_at"])))
        established += RISE * (volume - established)
        d += 1
    found = phases(sender(target), cold_allowance=cold)
    assert [each[:2] for each in found] == [("cold_allowance", 0), ("growth", growing), ("demand", d - 1)]
    assert "×1.30" in found[1][2]
    assert found[2][2].startswith(f"From {(START + timedelta(days=d - 1)).day} ")


def test_the_hour_binds_where_little_may_pass_in_one():
    kinds = [kind for kind, _, _ in phases(sender(3_000), hourly_share=0.02, daily_growth=1.05)]
    assert kinds[0] == "hourly_share"


def test_nothing_binds_where_strangers_may_send_everything():
    assert phases(sender(3_000), cold_allowance=10_000.0) == [
        ("demand", 0, "From the start nothing holds it: Gmail takes all you want to send.")
    ]


def test_a_gate_binds_until_it_opens():
    shut = sender(100, audience={"providers": {"t-online": 1}}, admissions={"t-online": "2027-01-15"})
    kind, first, text = phases(shut, cold_allowance=10_000.0)[0]
    assert (kind, first) == ("gate", 0)
    assert text.startswith("11–14 Jan: T-Online")


def test_a_quiet_sunday_on_the_way_up_is_no_relief():
    quiet = sender(3_000, target={"volume": 3_000, "weekday_shape": {"sun": 0.01}})
    kinds = [kind for kind, _, _ in phases(quiet, daily_growth=1.01)]
    assert kinds == ["cold_allowance", "demand"]


def test_complaints_bind_where_they_cost_the_reputation():
    segments = [{"name": "all", "share": 1, "complaint_rate": 0.02, "hard_bounce_rate": 0}]
    mailer = sender(8_000, audience={"providers": {"gmail": 1}, "segments": segments})
    kinds = {kind for kind, _, _ in phases(mailer, reputation_sensitivity=0.5, cold_allowance=2_000.0)}
    assert "complaints" in kinds


def test_what_is_tolerated_along_a_ramp_is_the_allowance_by_hand():
    world = np.zeros((len(layout.WORLD), 1))
    values = {"cold": 50.0, "jump": 1.0 + 0.3 / RISE, "fades_at": 1_000.0, "hourly_share": 1.0, "auth": 1.0}
    limits = {"complaint_limit": 1.0, "hard_bounce_limit": 1.0, "excess_limit": 1.0}
    for name, value in (values | limits).items():
        world[layout.WORLD.index(name)] = value
    found = tolerated_along(world, np.array([40.0, 60.0, 0.0]), np.zeros(3), np.zeros(3), 12.0)[:, 0]
    first = RISE * 40.0
    second = first + RISE * (60.0 - first)
    expected = [50.0] + [
        each + 50.0 + 0.3 / RISE * each * (FLOOR + (1 - FLOOR) / (1 + each / 1_000.0)) for each in (first, second)
    ]
    np.testing.assert_allclose(found, expected)


# --- what relief is worth

TWO = {
    "audience": {"providers": {"gmail": 60, "yahoo": 40}, "size": 5_000},
    "target": {"volume": 3_000, "by": "2027-01-25"},
    "send_days": "weekdays",
    "n_ips": 1,
    "domain": "used",
    "start": "2027-01-11",
    "overflow": "old_path",
    "authentication": {
        "spf": "yes", "dkim": "no", "dmarc": "yes", "ptr": "unknown", "tls": "yes", "one_click": "yes"
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def plan():
    return wp.optimize(wp.Sender.from_dict(TWO), seed=31, scenarios=60)


@pytest.fixture(scope="module")
def explained(plan):
    parts = []
    return wp.explain(plan, on_part=parts.append), parts


def day_of(plan):
    days = np.sort(plan.forecast.reached_by_all)
    return plan.sender.start.toordinal() + days[(len(days) - 1) // 2]


def test_a_changed_sender_arrives_as_told(plan, explained):
    """Each printed relief, applied to the sender and planned again, shifts the median by as many days, one at most."""
    frame = explained[0].reliefs
    assert len(frame) >= 8
    for row in frame.itertuples():
        again = wp.optimize(plan.sender.changed(row.changes), seed=plan.seed, scenarios=60)
        before, after = day_of(plan), day_of(again)
        assert row.days == after - before or abs(row.days - (after - before)) <= 1, row.name


def test_reliefs_are_those_that_apply_and_come_sorted(explained):
    frame = explained[0].reliefs
    assert frame["days"].is_monotonic_increasing
    assert {"ip", "weekends", "dkim", "missing_ptr", "start_1", "start_2"} <= set(frame["name"])
    assert not {"spf", "missing_spf", "spread", "segment", "cleaner"} & set(frame["name"])
    dkim = frame.set_index("name").loc["dkim"]
    assert dkim["text"].startswith("Sign every message")
    assert dkim["changes"] == {"authentication.dkim": "yes"}


def test_a_week_earlier_is_a_week_earlier_for_the_deadline(explained):
    explanation, _ = explained
    rows = explanation.reliefs.set_index("name")
    assert rows.loc["start_1", "days"] == -7  # weekdays: the same days of the week follow
    assert rows.loc["start_2", "days"] == -14
    assert explanation.chance <= rows.loc["start_1", "chance"] <= rows.loc["start_2", "chance"]


def test_solving_again_without_a_change_finds_the_plan_itself(plan, monkeypatch):
    """All providers solved once more, by the way that reliefs are."""
    monkeypatch.setattr(resolving, "_touched", lambda *_: np.ones(2, dtype=bool))
    base = base_of(plan)
    never_known = np.full(2, np.inf)
    n_days = len(plan.schedule.dates)
    found = arrival(base, plan.sender, plan.risk, never_known, n_days, lambda share, text: None)
    assert found.days == base.days
    # without stuck mail a few scenarios have other luck; most are the same to the day
    assert (found.reached == plan.forecast.reached).mean() > 0.9


def test_a_change_that_touches_nothing_is_worth_nothing(plan):
    base = base_of(plan)
    renamed = plan.sender.changed({"name": "another", "timezone": "Europe/Berlin"})
    found = arrival(base, renamed, plan.risk, np.ones(2), 0, lambda share, text: pytest.fail("was solved again"))
    assert found.days == base.days


def test_a_plan_from_a_file_is_explained_alike(plan, explained):
    again = wp.Plan.from_json(plan.to_json())
    assert again.explanation.to_json() == explained[0].to_json()


def test_a_plan_that_kept_nothing_of_its_search_is_searched_again(plan):
    data = json.loads(plan.to_json())
    for broken in ({"scenarios": 60}, {"drops": [1e9, "x"], "search_days": 30}, {"drops": [1.0], "search_days": True}):
        old = wp.Plan.from_json(json.dumps(data | {"options": broken}))
        assert base_of(old).drops.tolist() == base_of(plan).drops.tolist()


def test_what_is_left_out_keeps_its_share(plan):
    only = mailing_only(plan.sender, [1])
    assert only.targets().tolist() == [0.0, plan.sender.targets()[1]]
    np.testing.assert_array_equal(only.shares(), plan.sender.shares())


@pytest.mark.parametrize(
    ("days", "volume", "less"),
    [(["tue"], 5_000, 1_000), (["tue", "thu"], 5_000, 2_000), (["tue"], {"gmail": 50, "yahoo": 0}, None)],
)
def test_a_week_spread_over_weekdays_stays_the_same_week(days, volume, less):
    mailer = wp.Sender.from_dict(TWO).changed({"send_days": days, "target.volume": volume})
    changed = mailer.changed(spread(mailer))
    assert changed.demand(364).sum() == pytest.approx(mailer.demand(364).sum(), rel=0.01)
    assert less is None or changed.target.volume == less


def test_a_larger_segment_takes_from_the_others():
    segments = [{"name": "a", "share": 3}, {"name": "b", "share": 5}, {"name": "c", "share": 2, "complaint_rate": 0.01}]
    audience = {**TWO["audience"], "segments": segments}
    plan = wp.optimize(wp.Sender.from_dict(TWO).changed({"audience": audience}), seed=1, scenarios=4)
    wanted = {relief.name: relief for relief in candidates(plan)}
    shares = plan.sender.changed(wanted["segment"].changes).audience.segment_shares()
    np.testing.assert_allclose(shares, [0.6, 0.4 * 5 / 7, 0.4 * 2 / 7])
    cleaner = plan.sender.changed(wanted["cleaner"].changes).audience.segments
    assert [one.complaint_rate for one in cleaner] == [0.0003, 0.0003, 0.001]


def test_the_old_path_is_kept_until_eight_in_ten_are_there():
    late = wp.Sender.from_dict(TWO).changed({"target": {"volume": 3_000, "by": "2027-01-13"}})
    plan = wp.optimize(late, seed=3, scenarios=40)
    (relief,) = [each for each in candidates(plan) if each.name == "old_path"]
    until = date.fromisoformat(relief.changes["target.by"])
    assert plan.forecast.p_by(until) >= 0.8 > plan.forecast.p_by(until - timedelta(days=1))
    assert f"{(until - date(2027, 1, 13)).days} days longer" in relief.text


def test_nobody_waits_for_a_closed_gate():
    audience = {"providers": {"gmail": 60, "t-online": 40}}
    plan = wp.optimize(wp.Sender.from_dict(TWO).changed({"audience": audience}), seed=3, scenarios=40)
    base = base_of(plan)
    assert np.isinf(plan.forecast.reached_by_all).all()
    assert np.isfinite(base.days)
    found = arrival(base, plan.sender.changed({"n_ips": 4}), plan.risk, np.ones(2), 0, lambda share, text: None)
    assert found.days < base.days
    assert (found.reached[:, 1] == 0.0).all()


def test_of_a_large_sender_s_reliefs_the_most_promising_are_solved(plan, monkeypatch):
    base, wanted = base_of(plan), candidates(plan)
    assert promising(base, wanted) == wanted
    monkeypatch.setattr(reliefs, "LARGE", 0)
    monkeypatch.setattr(reliefs, "ENOUGH", 1)
    left = [relief.name for relief in promising(base, wanted)]
    always = {"ip", "missing_ptr", "start_1", "start_2"}  # no more cautious risk: the frontier shows it
    assert always < set(left)
    assert len(left) == len(always) + len({"old_path"} & set(left)) + 1
    assert "dkim" in left  # which is missing, and gives the ramp most


def test_tiny_senders_have_reliefs_too():
    tiny = wp.Sender.from_dict(TWO).changed({"target.volume": {"gmail": 1, "yahoo": 0}, "send_days": ["tue"]})
    rows = wp.explain(wp.optimize(tiny, seed=3, scenarios=4)).relief_rows
    assert "spread" in {row["name"] for row in rows}


# --- what the date hangs on


def test_known_worlds_leave_no_assumption(plan):
    beliefs = known(plan.sender.provider_names)
    certain = wp.explain(wp.optimize(plan.sender, beliefs=beliefs, seed=1, scenarios=4))
    assert certain.assumptions.empty


def test_assumptions_are_sourced_and_sorted_by_swing(explained):
    frame = explained[0].assumptions
    assert frame["swing"].is_monotonic_decreasing
    assert (frame["low"] < frame["high"]).all()
    assert {"official", "practitioner", "inferred", "default"} >= set(frame["confidence"])
    assert not set(frame["parameter"]) & {"history_carried", "new_domain_factor"}  # there is neither
    growth = frame[frame["parameter"].isin(["cold_allowance", "daily_growth"])]
    assert (growth["days_low"] >= growth["days_high"]).all()


# --- the result


def test_parts_grow_into_the_whole(explained):
    whole, parts = explained
    sizes = [(len(part.relief_rows) > 0, len(part.assumption_rows)) for part in parts]
    assert len(parts[0].binding_rows) > 0 == len(parts[0].relief_rows)
    assert sizes == sorted(sizes)
    assert parts[-1].to_json() == whole.to_json()


def test_explaining_can_be_stopped(plan):
    said = []

    def stop(share, text):
        said.append((share, text))
        if share > 0.2:
            raise wp.Cancelled

    with pytest.raises(wp.Cancelled):
        wp.explain(plan, progress=stop)
    shares = [share for share, _ in said]
    assert shares == sorted(shares)
    assert all(text for _, text in said)


def test_progress_never_falls_back(plan):
    shares = []
    wp.explain(plan, progress=lambda share, text: shares.append(share))
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)


def test_json_comes_back(explained, tmp_path):
    explanation, _ = explained
    text = explanation.to_json()
    assert json.loads(text, parse_constant=pytest.fail)["kind"] == "explanation"
    again = wp.Explanation.from_json(text)
    assert again.to_json() == text
    for what in ("binding", "reliefs", "assumptions"):
        assert again.to_frame(what).equals(explanation.to_frame(what))
    explanation.save(tmp_path / "why.json")
    assert wp.Explanation.load(tmp_path / "why.json").to_json() == text


def test_damage_is_refused(explained):
    data = json.loads(explained[0].to_json())
    for key in set(data) - {"summary"}:
        for broken in ({k: v for k, v in data.items() if k != key}, data | {key: [[]]}, data | {key: "nonsense"}):
            if key == "holds_back" and key in broken:
                continue  # any word may be a name
            with pytest.raises(wp.InputError):
                wp.Explanation.from_json(json.dumps(broken))
    for what in ("nonsense", ""):
        with pytest.raises(wp.InputError, match="It has"):
            explained[0].to_frame(what)
        with pytest.raises(wp.InputError, match="It has"):
            explained[0].plot(what)


def test_the_summary_says_who_binds_and_what_helps(plan, explained):
    lines = explained[0].summary().splitlines()
    assert lines[0].startswith("11")
    assert any("days earlier (deadline" in line for line in lines)
    assert lines[-1].startswith("Find this out first. ")


def test_where_nothing_is_sent_nothing_is_sought():
    shut = wp.optimize(sender(100, audience={"providers": {"t-online": 1}}), seed=1, scenarios=4)
    explanation = wp.explain(shut)
    assert explanation.binding["kind"].tolist() == ["gate"]
    assert explanation.reliefs.empty
    assert explanation.assumptions.empty
    assert len(explanation.plot().layout.annotations) == 1
