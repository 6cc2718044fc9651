"""Is a relief worth the days that the explanation says? Applies each to the sender file and plans again.

Examples and seeds by `--examples newsletter b2b`, `--seeds 101 102`. Prints a line per relief; exits with 1 if one is
more than a day off. The search was not tuned on these seeds.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

import planner as wp

ROOT = Path(__file__).parent.parent
EXAMPLES = ("newsletter", "weekly-newsletter", "b2b", "saas-transactional", "shop-migration")
SEEDS = (4711, 90210)
WITHIN_DAYS = 1.0


class Checked(NamedTuple):
    """A relief as it is told, and as a plan of the changed sender has it; days, inf or -inf where one never arrives."""

    name: str
    told: float
    found: float

    @property
    def holds(self) -> bool:
        """Whether the two are at most a day apart."""
        return self.told == self.found or abs(self.told - self.found) <= WITHIN_DAYS


def checked(plan: wp.Plan, explanation: wp.Explanation) -> Iterator[Checked]:
    """Plan each changed sender again with the plan's seed."""
    before = _day(plan)
    for row in explanation.reliefs.itertuples():
        after = _day(wp.optimize(plan.sender.changed(row.changes), seed=plan.seed))
        yield Checked(str(row.name), float(row.days), 0.0 if after == before else after - before)


def _day(plan: wp.Plan) -> float:
    """Date of the median on which all providers have reached the target, as a number; inf for never."""
    days = np.sort(plan.forecast.reached_by_all)
    return plan.sender.start.toordinal() + float(days[(len(days) - 1) // 2])


def main() -> int:
    """Check every relief of every example and seed; 1 if one does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", nargs="+", choices=EXAMPLES, default=list(EXAMPLES))
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS))
    options = parser.parse_args()
    wp.warm_up()
    n = failed = 0
    for example in options.examples:
        for seed in options.seeds:
            plan = wp.optimize(wp.Sender.load(ROOT / f"data/examples/{example}.yaml"), seed=seed)
            began = time.process_time()
            explanation = wp.explain(plan)
            print(f"{example}, seed {seed}: explained in {time.process_time() - began:.1f} s of processor", flush=True)
            for each in checked(plan, explanation):
                n, failed = n + 1, failed + (not each.holds)
                mark = "" if each.told == each.found else "  off" if each.holds else "  FAILS"
                print(f"  {each.name:18} told {each.told:+.0f}, found {each.found:+.0f}{mark}", flush=True)
    print(f"{n - failed} of {n} reliefs within a day")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
