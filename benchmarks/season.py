"""Does it pay to learn and plan again? Hidden worlds are followed day by day, each strategy in the same world and luck.

200 worlds are drawn from the prior that every plan believes in, 200 from shifted ones that it does not know. A strategy
sees what a mail log tells of the days before, and nothing of the world. Writes docs/evidence.md; `--worlds 8` alone
prints. `--keep FILE` writes every result as it comes, and goes on from there when it was stopped.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd

import planner as wp
from benchmarks.calibration import seen_in
from planner.inputs.provider import PARAMETER_INFO
from planner.optimizer.comparison import extended

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/evidence.md"

WHOLE = wp.Sender.from_dict(
    {
        "audience": {"providers": {"gmail": 40, "yahoo": 25, "microsoft": 20, "comcast": 15}},
        "target": {"volume": 60_000},
        "send_days": "daily",
        "n_ips": 1,
        "domain": "new",
        "start": "2027-01-11",
    }
)
WORLDS = 200
HORIZON = 60
"""Days that a season is followed; a target that is not reached by then counts as reached on the day after."""

EVERY = {"weekly": 7, "daily": 1}
"""Days from one plan to the next."""

PLANS: dict[str | float, tuple[str, ...]] = {"balanced": ("weekly", "daily"), 0.1: ("weekly",)}
"""How often a plan of each risk is made anew."""

WORLD_SEED, LUCK_SEED, PLAN_SEED = 20_270_601, 7, 1
"""No plan draws its scenarios from the first."""

OURS = "ours"
CHANCE = 2.0
"""Standard errors by which a mean may lie on the wrong side of nothing."""

LEARNT = 300
"""Scenarios of what has been learnt; the first plan has its own number, as always."""

SHIFTS: dict[str, dict[str, float]] = {
    "stricter": {"cold_allowance": 0.33, "daily_growth": 0.6, "growth_fades_at": 0.5},
    "more generous": {"cold_allowance": 3.0, "daily_growth": 1.6, "growth_fades_at": 2.0},
    "noisier": {"base_deferral": 5.0, "trouble_every_days": 0.2, "stuck_share": 3.0},
    "harsher": {"penalty_chance": 2.5, "penalty_hours": 3.0, "rejection_cost": 2.0, "reputation_sensitivity": 3.0},
}
"""Worlds that no plan expects: what a prior's low, typical and high are multiplied by, of growth the part above 1."""

OWN_REACTION = {
    "alecrae": "alecrae",
    "braze-conservative": "braze-auto",
    "braze-moderate": "braze-auto",
    "onesignal": "onesignal",
    "owlat": "owlat",
    "salesforce-mc-next": "salesforce-mc-next",
    "sparkpost": "sparkpost-auto",
}
"""Publishers who say what to do after trouble; the others' tables react as our plans do."""


@dataclass(frozen=True)
class World:
    """A provider that nobody knows, and its sender: one of WHOLE's providers by itself, since they are independent."""

    number: int
    kind: str
    sender: wp.Sender
    truth: wp.Beliefs

    @property
    def provider(self) -> str:
        return self.sender.provider_names[0]

    def mailed(
        self,
        schedule: wp.Schedule,
        reaction: wp.Reaction | None,
        retry: wp.RetryPolicy | Mapping[str, wp.RetryPolicy] | None,
        observed: wp.Observations | None = None,
    ) -> wp.Forecast:
        """Return what happens to a schedule here."""
        return wp.simulate(
            self.sender,
            schedule,
            retry,
            reaction=reaction,
            beliefs=self.truth,
            seed=LUCK_SEED + self.number,
            observed=observed,
        )


def world(number: int, kind: str) -> World:
    """Return one of the hidden worlds; `kind` "prior" or one of SHIFTS."""
    name = WHOLE.provider_names[number % len(WHOLE.provider_names)]
    sender = one_provider(name)
    priors = None if kind == "prior" else {name: shifted(name, SHIFTS[kind])}
    truth = wp.draw(sender, number + 1, WORLD_SEED, priors=priors).scenarios(number, number + 1)
    return World(number, kind, sender, truth)


def shift_of(number: int) -> str:
    """Return the kind of a shifted world: each provider meets all kinds in turn."""
    kinds = list(SHIFTS)
    return kinds[number // len(WHOLE.provider_names) % len(kinds)]


@cache
def one_provider(name: str) -> wp.Sender:
    """Return WHOLE's mail to one provider."""
    p = WHOLE.provider_names.index(name)
    alone = {"audience": {"providers": {name: 1}}, "target": {"volume": float(WHOLE.targets()[p])}}
    return wp.Sender.from_dict(WHOLE.to_dict() | alone)


def shifted(provider: str, factors: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Return a provider's priors, moved."""
    own = wp.catalogue().provider(provider).priors
    moved = {}
    for name, factor in factors.items():
        least, most = (1.0 if name == "daily_growth" else 0.0), 0.95 if PARAMETER_INFO[name].highest == 1 else np.inf
        points = (own[name].low, own[name].typical, own[name].high)
        low, typical, high = (min(most, least + factor * (point - least)) for point in points)
        moved[name] = {"low": low, "typical": typical, "high": high}
    return moved


# --- strategies


def fixed(world: World, plan: wp.Plan, reaction: wp.Reaction | None) -> wp.Forecast:
    """Follow the first plan to its end, and hold its largest day then."""
    return world.mailed(held(plan.schedule, world.sender), reaction, plan.retry)


def replanned(world: World, plan: wp.Plan, risk: str | float, every: int) -> wp.Forecast:
    """Learn and plan again every so many days, until the target is reached; between the plans the sender reacts.

    The world runs in one go from the first day each time, on what was really handed over: nothing of it is restarted.
    """
    steered = fixed(world, plan, plan.reaction).injected[0]
    for day in range(every, HORIZON, every):
        happened = blindly(world, steered[:, :day], plan)
        if happened.reached_by_all[0] < day:
            break
        seen = seen_in(happened, 0, day, "causes")
        learnt = wp.calibrate(world.sender, seen, scenarios=LEARNT, seed=PLAN_SEED + day, retry=plan.retry)
        anew = wp.optimize(
            world.sender,
            risk=risk,
            beliefs=learnt.beliefs,
            observed=seen,
            retry=plan.retry,
            reaction=plan.reaction,
            scenarios=2,
            seed=PLAN_SEED,
        )
        steered = world.mailed(held(anew.schedule, world.sender), plan.reaction, plan.retry, seen).injected[0]
    return blindly(world, steered, plan)


def blindly(world: World, sent: np.ndarray, plan: wp.Plan) -> wp.Forecast:
    """Return what happens to these days, (1, days) messages handed over."""
    return world.mailed(by_day(world.sender, sent), None, plan.retry)


def held(schedule: wp.Schedule, sender: wp.Sender) -> wp.Schedule:
    """Return a schedule over all of HORIZON; after its end it holds its largest day."""
    return by_day(sender, extended(schedule, sender, HORIZON).total[:, :HORIZON])


def by_day(sender: wp.Sender, volume: np.ndarray) -> wp.Schedule:
    days = sender.dates(volume.shape[1])
    rows = [
        (name, day, n)
        for name, of_provider in zip(sender.provider_names, volume, strict=True)
        for day, n in zip(days, of_provider, strict=True)
    ]
    return wp.Schedule.from_frame(pd.DataFrame(rows, columns=["provider", "date", "volume"]))


@cache
def first_plan(provider: str, risk: str | float) -> wp.Plan:
    """Return the plan that everybody begins with."""
    return wp.optimize(one_provider(provider), risk=risk, seed=PLAN_SEED)


@cache
def table(key: str, provider: str) -> wp.Schedule:
    """Return one provider's part of a published table for all of WHOLE's mail."""
    whole = wp.published(key, WHOLE, HORIZON)
    p = whole.providers.index(provider)
    return by_day(one_provider(provider), whole.total[p : p + 1])


def voices() -> list[str]:
    """Return the published tables that are no copy of another."""
    return [key for key, each in wp.catalogue().schedules.items() if each.same_as is None]


def strategies(world: World) -> Iterator[tuple[str, Callable[[], wp.Forecast]]]:
    """Yield every strategy's name and how to follow it."""
    for risk, often in PLANS.items():
        plan = first_plan(world.provider, risk)
        yield f"{said(risk)}: fixed, no reaction", partial(fixed, world, plan, None)
        yield f"{said(risk)}: fixed", partial(fixed, world, plan, plan.reaction)
        for name in often:
            yield f"{said(risk)}: {name}", partial(replanned, world, plan, risk, EVERY[name])
    retry = first_plan(world.provider, "balanced").retry
    for key in voices():
        reaction = wp.catalogue().reaction(OWN_REACTION.get(key, "default"))
        yield f"table: {key}", partial(world.mailed, table(key, world.provider), reaction, retry)


def is_slow(strategy: str) -> bool:
    """Tell whether a strategy takes longer than all others together."""
    return strategy.endswith("daily")


def said(risk: str | float) -> str:
    """Return what plans of a risk are called."""
    return f"ours, {risk}" if isinstance(risk, str) else f"ours, risk {risk:g}"


def followed(number: int, kind: str, slow: bool) -> pd.DataFrame:
    """Return what became of strategies in one world, a row each: of those that plan anew daily, or of all others."""
    hidden = world(number, kind)
    rows = []
    for name, follow in strategies(hidden):
        if is_slow(name) != slow:
            continue
        began = time.perf_counter()
        forecast = follow()
        reached = float(forecast.reached_by_all[0])
        sent = float(forecast.injected.sum())
        rows.append(
            {
                "kind": kind,
                "world": number,
                "provider": hidden.provider,
                "strategy": name,
                "day": min(reached + 1.0, HORIZON + 1.0),
                "never": not np.isfinite(reached),
                "wrong": int(forecast.wrong_days().sum()),
                "lost": 100.0 * float((forecast.blocked + forecast.expired).sum()) / max(1.0, sent),
                "sent": sent,
                "seconds": time.perf_counter() - began,
            }
        )
    return pd.DataFrame(rows)


# --- the page


def by_strategy(rows: pd.DataFrame) -> pd.DataFrame:
    """Return means and their standard errors, a row per strategy; `rows` of worlds that are to be taken together."""
    groups = rows.groupby("strategy", sort=False)[["day", "never", "wrong", "lost"]]
    return pd.concat([groups.mean(), groups.sem().add_suffix("_error")], axis=1)


def differences(rows: pd.DataFrame, name: str, other: str) -> dict[str, tuple[float, float]]:
    """Mean of what one strategy has more than another in the same world, and its standard error."""
    found = {}
    for what in ("day", "wrong", "lost"):
        wide = rows.pivot_table(index=["kind", "world"], columns="strategy", values=what)
        apart = wide[name] - wide[other]
        found[what] = (float(apart.mean()), float(apart.sem()))
    return found


def promises(rows: pd.DataFrame) -> Iterator[tuple[bool, str]]:
    """Yield whether planning again is neither slower nor goes wrong more often, and by how much."""
    for risk, often in PLANS.items():
        for name in often:
            apart = differences(rows, f"{said(risk)}: {name}", f"{said(risk)}: fixed")
            # what chance alone would give in one of forty cases is no delay
            holds = all(mean <= CHANCE * error + 1e-9 for mean, error in (apart["day"], apart["wrong"]))
            worlds = int((rows["strategy"] == f"{said(risk)}: {name}").sum())
            yield holds, f"{said(risk)}, {name}, {worlds} worlds: {_apart(apart)}"


def _apart(apart: dict[str, tuple[float, float]]) -> str:
    units = {"day": "days", "wrong": "wrong days", "lost": "% of the mail lost"}
    return ", ".join(f"{mean:+.2f} ± {error:.2f} {units[what]}" for what, (mean, error) in apart.items())


def table_of(rows: pd.DataFrame) -> list[str]:
    """Return a table in Markdown: our plans, then the tables, the earliest first."""
    lines = [
        "| strategy | days to the target | not within 60 days | wrong days | mail lost |",
        "| --- | --- | --- | --- | --- |",
    ]
    found = by_strategy(rows)
    worlds = rows.groupby("strategy").size()
    tables = found[~found.index.str.startswith(OURS)].sort_values("day").index
    for name in [*found.index[found.index.str.startswith(OURS)], *tables]:
        each = found.loc[name]
        few = f" ({worlds[name]} of the worlds)" if worlds[name] < worlds.max() else ""
        lines.append(
            f"| {name}{few} | {each['day']:.1f} ± {each['day_error']:.1f} | {100 * each['never']:.0f} % "
            f"| {each['wrong']:.2f} ± {each['wrong_error']:.2f} | {each['lost']:.2f} ± {each['lost_error']:.2f} % |"
        )
    return lines


def main() -> None:
    options = _options()
    wp.warm_up()
    tasks = [
        (number, kind, slow)
        for slow in (False, True)
        for number in range(options.daily_worlds if slow else options.worlds)
        for kind in ("prior", shift_of(number))
    ]
    known = pd.read_csv(options.keep) if options.keep and options.keep.exists() else pd.DataFrame()
    done = (
        set() if known.empty else set(zip(known["world"], known["kind"], known["strategy"].map(is_slow), strict=True))
    )
    left = [task for task in tasks if task not in done]
    frames = [known] if done else []
    with ProcessPoolExecutor(options.processes) as pool:
        for frame in pool.map(followed, *zip(*left, strict=True)) if left else ():  # in order, so any stop is balanced
            frames.append(frame)
            if options.keep:
                frame.to_csv(options.keep, mode="a", header=not options.keep.exists(), index=False)
            print(f"{len(frames)}: {frame['kind'][0]} {frame['world'][0]}: {frame['seconds'].sum():.0f} s", flush=True)
    text = page(pd.concat(frames, ignore_index=True))
    print(text)
    if options.worlds >= WORLDS:
        PAGE.write_text(text, encoding="utf-8")


def page(rows: pd.DataFrame) -> str:
    """Return docs/evidence.md."""
    revision = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    prior, shifted_ = rows[rows["kind"] == "prior"], rows[rows["kind"] != "prior"]
    parts: list[str] = [
        _INTRODUCTION.format(
            day=date.today(),
            revision=revision,
            prior=prior["world"].nunique(),
            shifted=len(shifted_[["kind", "world"]].drop_duplicates()),
            horizon=HORIZON,
            learnt=LEARNT,
        ),
        *(f"- {'holds' if holds else '**fails**'}: {text}" for holds, text in promises(prior)),
        _PRIOR,
        *table_of(prior),
        _SHIFTED,
        *(f"- {text}" for _, text in promises(shifted_)),
        "",
        *table_of(shifted_),
    ]
    for kind, factors in SHIFTS.items():
        moved = ", ".join(f"`{name}` × {factor:g}" for name, factor in factors.items())
        mine = rows[(rows["kind"] == kind) & rows["strategy"].str.startswith(OURS)]
        parts += [f"\n### {kind.capitalize()}: {moved}\n", *table_of(mine)]
    return "\n".join(parts) + "\n"


_INTRODUCTION = """# Does it pay to learn and plan again?

Written by `make season` on {day}, revision {revision}: {prior} hidden worlds from the prior that every plan
believes in, {shifted} from shifted ones. A world is one provider that nobody knows, in turn Gmail, Yahoo, Microsoft and
Comcast, of a sender with one IP and a new domain that wants 60,000 messages a day over all four: 24,000, 15,000, 12,000
and 9,000. Every strategy meets the same world and the same luck. Each is followed for {horizon} days; a target that is
not reached by then counts as reached on the day after, which flatters whoever is often late.

* **fixed** follows the first plan to its end, with the default reaction to wrong days, or without one.
* **weekly**, **daily**: what a mail log tells of all days so far (sent, attempts, deferrals by cause, bounces, blocks)
  goes to `calibrate` ({learnt} scenarios), and `optimize(observed=)` plans the days left at the same risk. Between two
  plans the sender reacts as with the fixed one. This ends when the target is reached. Alarms play no part.
* **table** follows a published table, of which the provider gets the share that it has of the sender's mail, with the
  publisher's own reaction where one is published, and ours where none is. It retries as our plans do.

A wrong day is one on which more than a tenth of the new messages, and at least five, met a limit. Lost is what was
blocked or expired, mail to mailboxes that never accept among it. After ± stands one standard error.

## Is it worth it?

Planned anew against the fixed plan with reaction, in the same worlds of the prior. Promised: no slower, and no more
wrong days, within two standard errors.
"""

_PRIOR = """
## Worlds from the prior
"""

_SHIFTED = """
## Shifted worlds

A quarter each is stricter, more generous, noisier and harsher than the prior lets expect, which no plan knows. Nothing
is promised here; planned anew against the fixed plan with reaction:
"""


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=WORLDS, help="of each kind, the prior and shifted")
    parser.add_argument("--daily-worlds", type=int, default=WORLDS, help="the same for what plans anew each day")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--keep", type=Path, help="a CSV file of all results")
    return parser.parse_args()


if __name__ == "__main__":
    main()
