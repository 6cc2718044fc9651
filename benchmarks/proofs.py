"""The long evidence: is the promised risk kept on fresh scenarios, and does any published table do better?

Writes docs/proofs.md. Parts by themselves: `--only risk`, `--only tables`, `--examples newsletter b2b`,
`--risks 0.1`, `--scenarios 1000`, `--tables onesignal`; a part run alone prints, and writes only with `--write`.
"""

from __future__ import annotations

import argparse
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

import planner as wp

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/proofs.md"
EXAMPLES = ("newsletter", "weekly-newsletter", "shop-migration", "saas-transactional", "b2b")
RISKS = (0.05, 0.10, 0.20)
SCALES = (0.1, 0.3, 1.0, 3.0, 10.0)
RIVALS_OF = "newsletter"

BATCH = 500
"""Scenarios simulated at once: the whole of 4,000 would not fit a small machine's memory."""
PLAN_SEED, FRESH_SEED = 1, 20_270_111
"""No choice of the planner draws its scenarios or luck from the second."""

OVER_IN_MEAN, OVER_IN_ONE = 0.01, 0.04
AT_LEAST = 0.5
BINDS = 0.1
"""The allowance binds where the plan reaches the demand later than the first send day in this share of its days."""
DAYS_EARLIER = 1.0


@dataclass(frozen=True)
class Kept:
    """What became of one promised risk: measured without reaction, (providers,), and whom the allowance holds back."""

    example: str
    limit: float
    providers: tuple[str, ...]
    risk: np.ndarray
    binds: np.ndarray
    days: int
    seconds: float

    def findings(self) -> Iterator[tuple[bool, str]]:
        """Yield each promise, whether it holds, and by how much."""
        where = f"{self.example} at {self.limit:.2f}"
        over = float(self.risk.mean()) - self.limit
        yield over <= OVER_IN_MEAN, f"{where}: mean over providers {self.risk.mean():.3f} ({over:+.3f})"
        for name, risk in zip(self.providers, self.risk, strict=True):
            if risk > self.limit + OVER_IN_ONE:
                yield False, f"{where}: {name} has {risk:.3f} ({risk - self.limit:+.3f})"
        yield True, f"{where}: largest {self.risk.max():.3f} at {self.providers[int(self.risk.argmax())]}"
        for name, risk, binds in zip(self.providers, self.risk, self.binds, strict=True):
            if binds and risk < AT_LEAST * self.limit:
                yield False, f"{where}: {name} uses only {risk:.3f} of it, though its allowance binds"


@dataclass(frozen=True)
class Judged:
    """A schedule with reaction on fresh scenarios: days of reaching the target (scenarios,), risk (providers,)."""

    name: str
    days: np.ndarray
    risk: np.ndarray
    lost: float

    @property
    def median(self) -> float:
        """Day, from 0, by which half of the scenarios have reached the target; inf for never."""
        return float(np.sort(self.days)[(len(self.days) - 1) // 2])


# --- the promised risk


def kept_risk(example: str, limit: float, scenarios: int, slot_minutes: int) -> Kept:
    """Plan an example at a risk and measure it on fresh scenarios, nobody reacting."""
    began = time.perf_counter()
    sender = _sender(example)
    plan = wp.optimize(sender, risk=limit, seed=PLAN_SEED)
    judged = _judge(f"{example} {limit}", sender, plan.schedule, scenarios, slot_minutes, None)
    volume = plan.schedule.total
    demand = sender.demand(volume.shape[1])
    capped = (volume < demand - 0.5).sum(axis=1) > BINDS * (demand > 0.0).sum(axis=1)
    mailed = demand.max(axis=1) > 0.0
    providers = tuple(np.array(sender.provider_names)[mailed].tolist())
    spent = time.perf_counter() - began
    return Kept(example, limit, providers, judged.risk[mailed], capped[mailed], volume.shape[1], spent)


# --- published tables


def tables(scenarios: int, slot_minutes: int, ids: tuple[str, ...] = ()) -> tuple[list[Judged], list[Judged]]:
    """Judge our plans and every independent published table at every scale, both with reaction, on one horizon."""
    sender = _sender(RIVALS_OF)
    plans = {f"ours at {risk:g}": wp.optimize(sender, risk=risk, seed=PLAN_SEED) for risk in RISKS}
    plans["ours, balanced"] = wp.optimize(sender, risk="balanced", seed=PLAN_SEED)
    reaction = wp.catalogue().reactions["default"]
    n_days = sender.horizon_limit()
    ours = []
    for name, plan in plans.items():
        schedule = _held(plan.schedule, sender, n_days)
        ours.append(_judge(name, sender, schedule, scenarios, slot_minutes, plan.reaction))
    voices = [key for key, table in wp.catalogue().schedules.items() if table.same_as is None]
    rivals = []
    for key in ids or voices:
        for scale in SCALES:
            schedule = wp.published(key, sender, n_days, scale=scale)
            rivals.append(_judge(f"{key} x{scale:g}", sender, schedule, scenarios, slot_minutes, reaction))
            print(_line(rivals[-1]), flush=True)
    return ours, rivals


def rival_findings(ours: list[Judged], rivals: list[Judged]) -> Iterator[tuple[bool, str]]:
    """Yield for each of our plans the tables that beat it: no more risk anywhere, and earlier by more than a day."""
    for plan in ours:
        for measure, how in ((np.mean, "mean"), (np.max, "largest")):
            as_safe = [each for each in rivals if measure(each.risk) <= measure(plan.risk)]
            better = [each for each in as_safe if each.median < plan.median - DAYS_EARLIER]
            for each in better:
                text = f"{each.name} (median day {_day(each.median)}, {how} risk {measure(each.risk):.3f})"
                said = f"median day {_day(plan.median)}, {how} risk {measure(plan.risk):.3f}"
                yield False, f"{plan.name} ({said}) is beaten by {text}"
            if not better:
                text = f"median day {_day(plan.median)}, {how} risk {measure(plan.risk):.3f}"
                yield True, f"{plan.name} ({text}): none of {len(as_safe)} tables of no more risk is earlier"


def _held(schedule: wp.Schedule, sender: wp.Sender, n_days: int) -> wp.Schedule:
    from planner.optimizer.comparison import extended

    return extended(schedule, sender, n_days)


# --- the measurement both share


def _judge(
    name: str,
    sender: wp.Sender,
    schedule: wp.Schedule,
    scenarios: int,
    slot_minutes: int,
    reaction: wp.Reaction | None,
) -> Judged:
    fresh = wp.draw(sender, scenarios, FRESH_SEED)
    days, wrong, lost, sent = [], [], 0.0, 0.0
    for first in range(0, scenarios, BATCH):
        forecast = wp.simulate(
            sender,
            schedule,
            reaction=reaction,
            beliefs=fresh.scenarios(first, min(first + BATCH, scenarios)),
            seed=FRESH_SEED + first,
            slot_minutes=slot_minutes,
        )
        days.append(forecast.reached_by_all)
        wrong.append(forecast.wrong_days().any(axis=2))
        lost += float((forecast.blocked + forecast.expired).sum())
        sent += float(forecast.injected.sum())
    return Judged(name, np.concatenate(days), np.concatenate(wrong).mean(axis=0), lost / max(1.0, sent))


def _sender(example: str) -> wp.Sender:
    return wp.Sender.load(ROOT / f"data/examples/{example}.yaml")


# --- the page


def _day(day: float) -> str:
    return f"{day + 1:.0f}" if np.isfinite(day) else "never"


def _line(judged: Judged) -> str:
    never = float((~np.isfinite(judged.days)).mean())
    numbers = f"{_day(judged.median)} | {100 * never:.0f} | {judged.risk.mean():.3f} | {judged.risk.max():.3f}"
    return f"| {judged.name} | {numbers} | {100 * judged.lost:.2f} |"


def _risk_table(kept: list[Kept]) -> list[str]:
    lines = ["| example | limit | days | mean | by provider (* its allowance binds) |", "|---|---|---|---|---|"]
    for each in kept:
        cells = [
            f"{name} {risk:.3f}{'*' if binds else ''}"
            for name, risk, binds in zip(each.providers, each.risk, each.binds, strict=True)
        ]
        lines.append(
            f"| {each.example} | {each.limit:.2f} | {each.days} | {each.risk.mean():.3f} | {', '.join(cells)} |"
        )
    return lines


def _table_lines(ours: list[Judged], rivals: list[Judged]) -> list[str]:
    head = ["| schedule | median day | never, % | mean risk | largest risk | lost, % |", "|---|---|---|---|---|---|"]
    ranked = sorted(rivals, key=lambda each: (each.median, float(each.risk.mean())))
    return [*head, *(_line(each) for each in (*ours, *ranked))]


def _bullets(findings: list[tuple[bool, str]]) -> list[str]:
    return [f"- {'holds' if holds else '**fails**'}: {text}" for holds, text in findings]


def _introduction(options: argparse.Namespace) -> str:
    revision = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=ROOT, check=False
    ).stdout.strip()
    return _INTRODUCTION.format(
        day=date.today().isoformat(),
        revision=revision or "unknown",
        scenarios=f"{options.scenarios:,}",
        minutes=options.slot_minutes,
        table_scenarios=f"{options.table_scenarios:,}",
        table_minutes=options.table_slot_minutes,
    )


_INTRODUCTION = """# Proofs

Written by `make proofs` on {day}, revision {revision}, on scenarios that no choice has seen: {scenarios} for the risk,
in slots of {minutes} minutes; {table_scenarios} for the tables, in slots of {table_minutes}. What fails is listed as it
is.
"""

_RISK = f"""
## Is the promised risk kept?

Every example is planned at each risk and followed blindly. Risk is the probability of a wrong day within the plan's
horizon. Promised: the mean over the providers is at most {OVER_IN_MEAN} above the limit, no provider more than
{OVER_IN_ONE} above it, and where the allowance binds (more than {BINDS:.0%} of the send days below the demand) at
least {AT_LEAST:.0%} of the limit is used.
"""

_TABLES = f"""
## Does a published table do better?

The newsletter, everybody reacting in the same way, over the longest horizon; every independent table at
x{", x".join(f"{scale:g}" for scale in SCALES)}. A table beats a plan if it has no more measured risk and its median
day of reaching the target at all providers is earlier by more than {DAYS_EARLIER:.0f} day. Risk of several providers is
compared by mean and by largest. Tables that moved the priors are no evidence that ours is better: see priors.md.
"""


def main(arguments: list[str] | None = None) -> bool:
    """Run what is asked for; True if everything holds."""
    options = _options(arguments)
    parts: list[str] = [_introduction(options)]
    every: list[tuple[bool, str]] = []
    if options.only in (None, "risk"):
        kept = []
        for example in options.examples:
            for limit in options.risks:
                kept.append(kept_risk(example, limit, options.scenarios, options.slot_minutes))
                print(f"{example} {limit}: {kept[-1].risk.round(3).tolist()} {kept[-1].seconds:.0f} s", flush=True)
        findings = [finding for each in kept for finding in each.findings()]
        parts += [_RISK, *_bullets(findings), "", *_risk_table(kept)]
        every += findings
    if options.only in (None, "tables"):
        ours, rivals = tables(options.table_scenarios, options.table_slot_minutes, tuple(options.tables))
        findings = list(rival_findings(ours, rivals))
        parts += [_TABLES, *_bullets(findings), "", *_table_lines(ours, rivals)]
        every += findings
    page = "\n".join(parts) + "\n"
    if options.write or not _partial(options):
        PAGE.write_text(page, encoding="utf-8")
    else:
        print(page)
    for holds, text in every:
        print("holds " if holds else "FAILS ", text)
    return all(holds for holds, _ in every)


def _options(arguments: list[str] | None) -> Any:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["risk", "tables"])
    parser.add_argument("--examples", nargs="+", choices=EXAMPLES, default=list(EXAMPLES))
    parser.add_argument("--risks", nargs="+", type=float, default=list(RISKS))
    parser.add_argument("--tables", nargs="+", default=[], help="ids of published schedules; all where left out")
    parser.add_argument("--scenarios", type=int, default=4000)
    parser.add_argument("--slot-minutes", type=int, default=30)
    parser.add_argument("--table-scenarios", type=int, default=1000)  # a hundred tables and more: hours otherwise
    parser.add_argument("--table-slot-minutes", type=int, default=60)
    parser.add_argument("--write", action="store_true", help="write docs/proofs.md even if only a part was run")
    return parser.parse_args(arguments)


def _partial(options: Any) -> bool:
    whole = _options([])
    return any(vars(options)[name] != value for name, value in vars(whole).items() if name != "write")


if __name__ == "__main__":
    main()
