"""Is what is learnt right? Simulation-based calibration of `calibrate`, and its predictions of days held out.

Worlds are drawn from the prior, each is mailed in the sampled simulator, and what its sender would have counted goes to
`calibrate`. If the posterior is right, the truth's rank among its scenarios is uniform, and 80 % intervals hold 80 % of
the days that were kept back. Writes docs/learning.md between its marks; `--sets 100` alone prints.
"""

from __future__ import annotations

import argparse
import subprocess
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

import planner as wp
from planner.inputs.provider import PARAMETERS

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/learning.md"
MARKS = "<!-- measured -->", "<!-- end -->"

SENDER = wp.Sender.from_dict(
    {
        "audience": {"providers": {"gmail": 55, "yahoo": 30, "comcast": 15}},
        "target": {"volume": 40_000},
        "send_days": "daily",
        "n_ips": 1,
        "domain": "used",
        "start": "2027-01-11",
    }
)
DAYS, HELD_OUT = 24, 4
TRUTH_SEED, LUCK_SEED = 20_261_125, 99
LOOKED_AT = (
    "daily_growth", "cold_allowance", "hourly_share", "growth_fades_at", "penalty_chance", "penalty_hours",
    "rejection_cost", "reputation_sensitivity", "base_deferral", "stuck_share",
)  # fmt: skip
DECISIVE = ("daily_growth", "cold_allowance", "hourly_share", "growth_fades_at")
KNOWN = ("causes", "first", "delivered")
"""What the sender counts: deferrals by cause; first attempts deferred; sent and delivered alone."""

PREDICTED = 100
"""Scenarios that predict the days held out."""

BAND = 1.628
"""99 % point of Kolmogorov's distribution: the largest distance from uniform, times the root of the number."""

JOINT_BAND = 1.973
"""The same for the largest of the twelve distances of decisive parameters, after Bonferroni."""

LEAST_KEPT, MOST_KEPT = 0.75, 0.85


def seen_in(forecast: wp.Forecast, scenario: int, days: int, known: str) -> wp.Observations:
    """Return what the sender of one scenario has counted after some days."""
    names = {
        "causes": ("attempts", "hard_bounced", "blocked", "expired"),
        "first": ("hard_bounced", "blocked"),
        "delivered": (),
    }[known]
    counts = {name: getattr(forecast, name)[scenario, :, :days] for name in names}
    by_cause = forecast.deferred[scenario, :, :days]
    if known != "delivered":
        counts["first_deferred"] = forecast.first_4xx[scenario, :, :days]
    if known == "causes":
        counts |= {"deferred": by_cause.sum(axis=2), "deferred_by_cause": by_cause}
    sent, delivered = (getattr(forecast, name)[scenario, :, :days] for name in ("injected", "delivered"))
    return wp.Observations(forecast.providers, forecast.days[:days], sent=sent, delivered=delivered, **counts)


def mailed(number: int, sender: wp.Sender = SENDER, days: int = DAYS) -> tuple[wp.Beliefs, wp.Forecast]:
    """Return a world from the prior, and what happens to a ramp there: one in four is mailed without reaction."""
    truth = wp.draw(sender, number + 1, TRUTH_SEED).scenarios(number, number + 1)
    luck = np.random.default_rng([TRUTH_SEED, number])
    blind = number % 4 == 1
    growth = luck.uniform(1.1, 1.35 if blind else 1.6)
    start = luck.uniform(0.005, 0.03)
    demand = sender.demand(days)
    volume = np.round(np.minimum(demand, sender.targets()[:, None] * start * growth ** np.arange(days)))
    rows = [
        (name, day, volume[p, d])
        for p, name in enumerate(sender.provider_names)
        for d, day in enumerate(sender.dates(days))
    ]
    schedule = wp.Schedule.from_frame(pd.DataFrame(rows, columns=["provider", "date", "volume"]))
    reaction = None if blind else wp.catalogue().reaction("default")
    return truth, wp.simulate(sender, schedule, reaction=reaction, beliefs=truth, seed=LUCK_SEED + number)


def judged(
    number: int, scenarios: int = 500, sender: wp.Sender = SENDER, days: int = DAYS, held_out: int = HELD_OUT
) -> tuple[np.ndarray, np.ndarray, dict[str, float]]:
    """Return ranks of the truth (providers, LOOKED_AT), quantiles at which held-out days fell, and diagnostics."""
    truth, forecast = mailed(number, sender, days)
    known = KNOWN[number % 3]
    luck = np.random.default_rng([LUCK_SEED, number])
    seen = seen_in(forecast, 0, days - held_out, known)
    started = time.perf_counter()
    learnt = wp.calibrate(sender, seen, scenarios=scenarios, seed=number)
    seconds = time.perf_counter() - started
    at = [PARAMETERS.index(name) for name in LOOKED_AT]
    ranks = _quantiles(learnt.values[:, :, at], truth.values[0][:, at], luck)
    sent = [
        (name, day, forecast.injected[0, p, d])
        for p, name in enumerate(forecast.providers)
        for d, day in enumerate(forecast.days)
    ]
    schedule = wp.Schedule.from_frame(pd.DataFrame(sent, columns=["provider", "date", "volume"]))
    expected = wp.simulate(
        sender, schedule, beliefs=learnt.beliefs, scenarios=min(PREDICTED, scenarios), seed=number, observed=seen
    )
    late = slice(days - held_out, days)
    quantiles = _quantiles(expected.delivered[:, :, late], forecast.delivered[0, :, late], luck)
    notes = {
        "seconds": seconds,
        "size": learnt.effective_sample_size,
        "warnings": len(learnt.warnings),
        "wrong": int(forecast.wrong_days()[0, :, : days - held_out].sum()),
        "known": known,
    }
    return ranks, quantiles, notes


def distance(ranks: np.ndarray) -> float:
    """Largest distance of ranks in [0, 1] from the uniform law, times the root of their number."""
    at = np.sort(ranks)
    n = len(at)
    return float(np.sqrt(n) * max((np.arange(1, n + 1) / n - at).max(), (at - np.arange(n) / n).max()))


def _quantiles(values: np.ndarray, truth: np.ndarray, luck: np.random.Generator) -> np.ndarray:
    """Return the share of values below the truth, ties and the truth's own place drawn."""
    below = (values < truth).sum(axis=0)
    ties = (values == truth).sum(axis=0)
    return (below + luck.random(truth.shape) * (ties + 1)) / (len(values) + 1)


def all_judged(numbers: range, scenarios: int, processes: int, keep: Path | None) -> list[tuple]:
    results = []
    with ProcessPoolExecutor(processes) as pool:
        for result in pool.map(partial(judged, scenarios=scenarios), numbers, chunksize=4):
            results.append(result)
            if len(results) % 100 == 0:
                print(report(results), flush=True)
                if keep:
                    np.savez(keep, ranks=[each[0] for each in results], held_out=[each[1] for each in results])
    return results


def report(results: list[tuple]) -> str:
    ranks = np.stack([each[0] for each in results])
    held_out = np.stack([each[1] for each in results])
    notes = pd.DataFrame([each[2] for each in results])
    lines = [f"{len(results):,} data sets, {ranks.shape[1]} providers, {DAYS - HELD_OUT} days each:", ""]
    lines += [
        "| parameter | " + " | ".join(SENDER.provider_names) + " | |",
        "| --- |" + " --- |" * (ranks.shape[1] + 1),
    ]
    for k, name in enumerate(LOOKED_AT):
        distances = [distance(ranks[:, p, k]) for p in range(ranks.shape[1])]
        said = "**fails**" if max(distances) > JOINT_BAND else "**edge**" if max(distances) > BAND else "holds"
        lines.append(f"| `{name}` | " + " | ".join(f"{x:.2f}" for x in distances) + f" | {said} |")
    decisive = [ranks[:, p, LOOKED_AT.index(name)] for name in DECISIVE for p in range(ranks.shape[1])]
    outside = sum(distance(one) > BAND for one in decisive)
    outer = np.mean([(one < 0.1) | (one > 0.9) for one in decisive])
    inside = (held_out >= 0.1) & (held_out <= 0.9)
    lines += [
        "",
        (
            f"{outside} of the {len(decisive)} distances of decisive parameters lie outside their 99 % band, "
            f"the largest is {max(map(distance, decisive)):.2f} ("
            f"99 in 100 right posteriors keep all below {JOINT_BAND:.2f}); "
            f"{outer:.1%} of their ranks lie in the outer tenths, where 20 % are due."
        ),
        "",
        "Held-out days within the 80 % interval of what is delivered (± a standard error over data sets):",
        "",
    ]
    for known in KNOWN:
        lines.append(f"- {_kept(inside[(notes['known'] == known).to_numpy()], known)}")
    lines.append(f"- {_kept(inside, 'all')}")
    lines += [
        "",
        (
            f"Median effective sample size {notes['size'].median():.0f}, least {notes['size'].min():.0f}; "
            f"{notes['seconds'].median():.1f} s a calibration, longest {notes['seconds'].max():.1f} s; "
            f"{(notes['warnings'] > 0).mean():.0%} of the data sets with a warning; "
            f"{notes['wrong'].mean():.1f} wrong days in each."
        ),
    ]
    return "\n".join(lines)


def _kept(inside: np.ndarray, what: str) -> str:
    """Say how many held-out days (sets, providers, days) were in their interval, with its error.

    Days of a data set share one truth and one posterior: the standard error is that of means of sets.
    """
    of_set = inside.mean(axis=(1, 2))
    share, error = of_set.mean(), of_set.std(ddof=1) / np.sqrt(len(of_set))
    said = "holds" if LEAST_KEPT <= share <= MOST_KEPT else "**fails**"
    return f"{said}: {what}: {100 * share:.1f} ± {100 * error:.1f} %"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="number of the first; others are other worlds")
    parser.add_argument("--scenarios", type=int, default=500)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="write ranks here as .npz, every hundred sets")
    options = parser.parse_args()
    wp.warm_up()
    results = all_judged(
        range(options.first, options.first + options.sets), options.scenarios, options.processes, options.keep
    )
    text = report(results)
    print(text)
    if options.sets >= 1000 and not options.first:
        revision = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.strip()
        page = PAGE.read_text(encoding="utf-8")
        before, after = page.split(MARKS[0])[0], page.split(MARKS[1])[1]
        heading = f"Written by `make calibration` on {date.today()}, revision {revision}."
        PAGE.write_text(f"{before}{MARKS[0]}\n{heading}\n\n{text}\n{MARKS[1]}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
