"""The long evidence about retries: on fresh scenarios, is any default surely better than what is advised?

Writes docs/retries.md. Parts by themselves: `--examples newsletter b2b`, `--scenarios 100`; a part run alone prints,
and writes only with `--write`.
"""

from __future__ import annotations

import argparse
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

import planner as wp
from planner.inputs.retry import DEFAULT_RETRY, RetryPolicy
from planner.optimizer import retries, retry_search
from planner.optimizer.retry_search import jackknife, scored, standard_error

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/retries.md"
EXAMPLES = ("newsletter", "weekly-newsletter", "shop-migration", "saas-transactional", "b2b")
PLAN_SEED, FRESH_SEED = 1, 20_270_111
"""No choice draws its scenarios or luck from the second."""
SURE = 3.0
"""A default counts as better beyond so many standard errors: with some 24 of them at each provider luck wins often."""

_SAYS = {True: "names it", False: "does not name it"}


@dataclass(frozen=True)
class Judged:
    """Scores of one example's policies on fresh scenarios, as shares of our default's; (1 + groups, providers)."""

    example: str
    providers: tuple[str, ...]
    advice: wp.RetryAdvice
    shares: dict[str, np.ndarray]

    def findings(self) -> Iterator[tuple[bool, str]]:
        """Yield for each provider whether a default is surely better than the advised policy, and which is best."""
        for p, provider in enumerate(self.providers):
            ours = self.shares["Advised"][:, p]
            if not np.isfinite(ours[0]):
                continue
            more = {name: each[:, p] - ours for name, each in self.shares.items()}
            better = [name for name, each in more.items() if each[0] < -SURE * standard_error(each) - 1e-12]
            best = min(more, key=lambda name, more=more: more[name][0])
            where = f"{self.example}, {provider}"
            if better:
                named = set(better) <= set(self.advice.as_good(provider))
                yield named, f"{where}: surely better is {', '.join(better)}; the advice {_SAYS[named]}"
            else:
                yield (
                    True,
                    f"{where}: no default is surely better; best is {best} ({more[best][0]:+.2f} of our default's)",
                )


def judged(example: str, scenarios: int) -> Judged:
    """Plan an example, search its policies, and judge all on fresh scenarios."""
    sender = wp.Sender.load(ROOT / f"data/examples/{example}.yaml")
    plan = wp.optimize(sender, seed=PLAN_SEED)
    advice = wp.advise_retries(sender, plan.schedule, reaction=plan.reaction, seed=PLAN_SEED)
    quick = retries.quick_policies(sender, plan.schedule, reaction=plan.reaction, seed=PLAN_SEED)
    fresh = wp.draw(sender, scenarios, FRESH_SEED)
    on = retry_search.bench(sender, plan.schedule, fresh, plan.reaction, FRESH_SEED)
    weights = jackknife(fresh.weights)
    n = len(sender.provider_names)
    policies: dict[str, list[RetryPolicy]] = {
        "Our default": [DEFAULT_RETRY] * n,
        "Advised": list(advice.policies.values()),
        "Quick search": list(quick.values()),
        "Start of the search": [retry_search.DOUBLING.policy()] * n,
        **{mta.name: [mta.retry] * n for mta in wp.catalogue().mtas.values()},
    }
    scores = {name: scored(on.measure(each), weights).score for name, each in policies.items()}
    with np.errstate(all="ignore"):  # nobody mails a closed gate
        shares = {name: each / scores["Our default"] for name, each in scores.items()}
    return Judged(example, sender.provider_names, advice, shares)


def _table(every: list[Judged]) -> list[str]:
    head = " | ".join(each.example for each in every)
    lines = [f"| policy | {head} |", "|---|" + "---|" * len(every)]
    names = sorted(every[0].shares, key=lambda name: np.mean([np.nanmean(each.shares[name][0]) for each in every]))
    for name in names:
        cells = []
        for each in every:
            mean = np.nanmean(each.shares[name], axis=1)
            cells.append(f"{mean[0]:.2f} ± {standard_error(mean):.2f}")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _advice(every: list[Judged]) -> Iterator[str]:
    for each in every:
        texts: dict[str, list[str]] = {}
        for name, policy in each.advice.policies.items():
            texts.setdefault(retries.policy_text(policy), []).append(name)
        yield from (f"- {each.example}, {', '.join(names)}: {text}" for text, names in texts.items())


def _revision() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False).stdout.strip() or "unknown"


_INTRODUCTION = """# Retry policies on fresh scenarios

Written by `make proofs` on {day}, revision {revision}, on {scenarios:,} scenarios that no choice has seen. Every
example is planned and searched; then all policies are judged with its reaction. The table holds scores as shares of our
default policy's, mean over the providers, with the standard error over the scenarios: less is better. What fails is
listed as it is. A default counts as surely better beyond {sure:g} standard errors. Some give up within hours, which the
model, without outages of a day, does not hold against them; the search tries no lifetime below two days.
"""


def main(arguments: list[str] | None = None) -> bool:
    """Run what is asked for; True if everything holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", nargs="+", choices=EXAMPLES, default=list(EXAMPLES))
    parser.add_argument("--scenarios", type=int, default=300)
    parser.add_argument("--write", action="store_true", help="write docs/retries.md even if only a part was run")
    options = parser.parse_args(arguments)
    every = []
    for example in options.examples:
        every.append(judged(example, options.scenarios))
        print(example, "judged", flush=True)
    findings = [finding for each in every for finding in each.findings()]
    bullets = [f"- {'holds' if holds else '**fails**'}: {text}" for holds, text in findings]
    parts = [
        _INTRODUCTION.format(day=date.today(), revision=_revision(), scenarios=options.scenarios, sure=SURE),
        *_table(every),
        "\n## What is advised\n",
        *_advice(every),
        "\n## Provider by provider\n",
        *bullets,
    ]
    page = "\n".join(parts) + "\n"
    if options.write or (options.examples == list(EXAMPLES) and options.scenarios == 300):
        PAGE.write_text(page, encoding="utf-8")
    else:
        print(page)
    return all(holds for holds, _ in findings)


if __name__ == "__main__":
    main()
