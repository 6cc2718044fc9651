"""Is the slot loop as fast as promised? Ratios within one run only: seconds are the machine's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import planner as wp
from benchmarks import twin
from benchmarks.speed import PER_MESSAGE, one_provider
from planner.simulation import kernel
from tests.oracle import event_simulation
from tests.oracle.compiled_loop import run_loop
from tests.oracle.scenarios import DETERMINISTIC, VARIED, Case
from tests.oracle.seen_runs import observed

pytestmark = pytest.mark.alone

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(path.stem for path in (ROOT / "data/examples").glob("*.yaml"))
RESTING = wp.RetryPolicy(first_seconds={"greylisting": 600, "limit": 1800}, jitter=0.5, pause_seconds=2400)
SCENARIOS, TIMES = 16, 15
"""Many short runs: on a busy machine some of them find it quiet."""

TRIES = 3


@pytest.fixture(scope="module")
def c_loop(needs) -> twin.RunChunk:
    return twin.compiled(needs("cc"))


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    """Compile before anything is timed, and keep the machine code for other processes."""
    wp.warm_up()


# --- the twin does the same work


@pytest.mark.parametrize("case", [*VARIED, *DETERMINISTIC], ids=lambda case: case.name)
def test_the_twin_counts_like_the_kernel_on_the_oracles_cases(c_loop, case: Case):
    inputs = twin.asked(lambda: run_loop(case.world, case.sending, case.policy, case.reacting, runs=20, seed=5))
    twin.assert_same(twin.run(kernel.run_chunk, inputs), twin.run(c_loop, inputs))


@pytest.mark.parametrize("example", EXAMPLES)
@pytest.mark.parametrize("reacts", [True, False])
def test_the_twin_counts_like_the_kernel_on_real_senders(c_loop, example: str, reacts: bool):
    sender = wp.Sender.load(ROOT / f"data/examples/{example}.yaml")
    schedule = wp.published("onesignal", sender, 60)
    reaction = wp.Reaction() if reacts else None
    for retry, slot_minutes in ((twin.RETRY, 15), (RESTING, 15), (RESTING, 18), (twin.RETRY, 60)):
        inputs = twin.asked(
            lambda retry=retry, slot_minutes=slot_minutes: wp.simulate(
                sender, schedule, retry, reaction=reaction, scenarios=4, slot_minutes=slot_minutes
            )
        )
        twin.assert_same(twin.run(kernel.run_chunk, inputs), twin.run(c_loop, inputs))


@pytest.mark.parametrize("overflow", ["skip", "spread", "hold"])
def test_the_twin_counts_like_the_kernel_after_days_that_happened(c_loop, overflow: str):
    sender = wp.Sender.load(ROOT / "data/examples/newsletter.yaml").changed({"overflow": overflow})
    schedule = wp.published("onesignal", sender, 40)
    seen = observed(wp.simulate(sender, schedule, scenarios=1, seed=2), 0, 13)
    for reaction in (None, wp.Reaction()):
        inputs = twin.asked(
            lambda reaction=reaction: wp.simulate(
                sender, schedule, RESTING, reaction=reaction, scenarios=8, seed=1, observed=seen
            )
        )
        assert inputs.seen.any()
        twin.assert_same(twin.run(kernel.run_chunk, inputs), twin.run(c_loop, inputs))


def test_the_twin_refuses_the_expected_mode(c_loop):
    case = VARIED[0]
    inputs = twin.asked(
        lambda: run_loop(case.world, case.sending, case.policy, case.reacting, runs=1, seed=1, sampled=False)
    )
    with pytest.raises(ValueError, match="sampled"):
        twin.run(c_loop, inputs)


# --- what it costs


def _slower_than_c() -> float:
    """Time of the kernel over that of its twin, in a new process.

    There the kernel's machine code comes from the cache, as nearly always. In the process that compiled it, its
    functions lie scattered in memory: up to a third slower.
    """
    command = [sys.executable, "-m", "benchmarks.twin", str(SCENARIOS), str(TIMES)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, check=True)
    ours, theirs, _ = map(float, done.stdout.split())
    return ours / theirs


def test_compiled_python_is_hardly_slower_than_c(needs):
    needs("cc")
    ratios: list[float] = []
    # where the code comes to lie is luck, a tenth of the time from process to process
    while len(ratios) < TRIES and min(ratios, default=np.inf) > twin.SLOWER:
        ratios.append(_slower_than_c())
    assert min(ratios) <= twin.SLOWER, ratios


def test_cost_hardly_grows_with_the_volume():
    few, many, most = (twin.constant(volume, SCENARIOS) for volume in (1e4, 1e6, 1e9))
    of_few, of_many, of_most = twin.in_turns(
        *(lambda inputs=inputs: twin.run(kernel.run_chunk, inputs) for inputs in (few, many, most)), times=TIMES
    )
    # measured: 1.25 and 1.8 times, the deferred share being the same; at 10**4 most late attempts have no message
    assert of_most <= 1.5 * of_many
    assert of_most <= 2.7 * of_few


def test_a_slot_costs_a_few_binomials_of_numpy():
    # Measured: 5. All that happens in a slot (trouble, greylisting, the limiter, bounces, when each deferred message
    # comes back) takes as long as numpy, vectorized, takes to draw five of the numbers that it needs.
    inputs = twin.shop(SCENARIOS)
    ours, theirs = twin.in_turns(
        lambda: twin.run(kernel.run_chunk, inputs), lambda: twin.numpy_binomials(inputs), times=TIMES
    )
    assert ours <= 9.0 * theirs


def test_a_message_costs_a_thousandth_of_the_oracles():
    case, messages = VARIED[0], 4e6
    rng = np.random.default_rng(1)
    sender, schedule = one_provider(messages / twin.DAYS, twin.DAYS)
    theirs, ours = twin.in_turns(
        lambda: event_simulation.run(case.world, case.sending, case.policy, case.reacting, rng),
        lambda: wp.simulate(sender, schedule, scenarios=1),
        times=3,
    )
    assert theirs / case.messages >= PER_MESSAGE * ours / messages
