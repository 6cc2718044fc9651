"""The slot loop's twin in C, compiled on the spot: what the same steps cost without Python.

`python -m benchmarks.twin 512 3` prints the seconds of the kernel, of the twin and of `numpy_binomials` on so many
scenarios, the best of so many runs.
"""

from __future__ import annotations

import ctypes
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import numpy as np

import planner as wp
from benchmarks.speed import one_provider
from planner.inputs.retry import DEFAULT_RETRY
from planner.simulation import kernel, layout

ROOT = Path(__file__).parent.parent
SOURCE = Path(__file__).with_name("twin.c")

# as fast as the compiler can without changing a result: no fused multiply-add, no reordering of sums
FLAGS = ("-std=c11", "-O3", "-march=native", "-ffp-contract=off", "-shared", "-fPIC")

DAYS, ATTEMPTS = 45, 12
RETRY = DEFAULT_RETRY.model_copy(update={"lifetime_seconds": 38 * 3600.0})
"""Twelve attempts."""

SLOWER = 1.3
"""Bound: how much longer than its twin the kernel may take."""

RunChunk = Callable[[int, int, layout.Inputs, np.ndarray, np.ndarray], None]
"""What `kernel.run_chunk` is."""

Counts = tuple[np.ndarray, np.ndarray]
"""Rows (layout.N_ROWS, scenarios, providers, days) and delays (scenarios, providers, layout.N_DELAY_BINS)."""

_SIZES = {
    "n_scenarios": ("keys", 0),
    "n_providers": ("keys", 1),
    "n_days": ("volume", 1),
    "n_slots": ("pace", 1),
    "n_segments": ("mix", 2),
    "n_firsts": ("attempts", 1),
    "n_attempts": ("nominal", 2),
    "n_waits": ("wait_share", 1),
    "width": ("wait_share", 2),
    "n_reaction": ("reaction", 0),
    "n_seen": ("seen", 1),
}
"""Which axis of which array tells each."""

_NUMBERS = ("transactional", "overflow", "ring_slots", "round_slots", "n_rounds")
_REAL = (
    *("world", "volume", "demand", "ceiling", "mix", "complaint_rate", "hard_bounce_rate", "pace", "target"),
    *("stage_volume", "reaction", "wait_share", "wait_seconds", "wait_rounds", "nominal", "early"),
    *("seen", "seen_complaint_rate"),
)
_WHOLE = (
    *("opens", "stage_day", "n_stages", "first_stage"),
    *("attempts", "class_of_cause", "wait_first", "wait_n", "pause_slots"),
)
_ARRAYS = {"keys": np.uint64, **dict.fromkeys(_REAL, np.float64), **dict.fromkeys(_WHOLE, np.int64)}


class _Inputs(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int64) for name in (*_SIZES, *_NUMBERS)),
        ("slot_seconds", ctypes.c_double),
        *((name, ctypes.c_void_p) for name in _ARRAYS),
    )


def main() -> None:
    """Time all three on the shop example, on one thread."""
    scenarios, times = map(int, sys.argv[1:])
    inputs, twin = shop(scenarios), compiled()
    assert_same(run(kernel.run_chunk, inputs), run(twin, inputs))
    loops = (lambda: run(kernel.run_chunk, inputs), lambda: run(twin, inputs), lambda: numpy_binomials(inputs))
    print(*in_turns(*loops, times=times))


def compiled(cc: str | Path = "cc") -> RunChunk:
    """Compile the twin; what comes back can stand in for `kernel.run_chunk`, in sampled mode."""
    with TemporaryDirectory() as folder:
        library = Path(folder) / "twin.so"
        subprocess.run([cc, *FLAGS, "-o", library, SOURCE, "-lm"], check=True)
        loop = ctypes.CDLL(str(library)).run_chunk
    loop.argtypes = [ctypes.c_int64, ctypes.c_int64, *3 * [ctypes.c_void_p]]
    loop.restype = ctypes.c_int

    def run_chunk(first: int, last: int, inputs: layout.Inputs, out: np.ndarray, delays: np.ndarray) -> None:
        if not inputs.sampled:
            raise ValueError("The twin knows the sampled mode only.")
        assert out.flags.c_contiguous
        assert delays.flags.c_contiguous
        arrays = [np.ascontiguousarray(getattr(inputs, name), kind) for name, kind in _ARRAYS.items()]
        record = _Inputs(
            *(getattr(inputs, name).shape[axis] for name, axis in _SIZES.values()),
            *(int(getattr(inputs, name)) for name in _NUMBERS),
            inputs.slot_seconds,
            *(array.ctypes.data for array in arrays),
        )
        if loop(first, last, ctypes.addressof(record), out.ctypes.data, delays.ctypes.data):
            raise MemoryError

    return run_chunk


def asked(call: Callable[[], object]) -> layout.Inputs:
    """Return what a call would have the kernel run, without running it."""
    with mock.patch.object(kernel, "run_chunk") as loop:
        call()
    inputs: layout.Inputs = loop.call_args.args[2]
    return inputs


def shop(scenarios: int) -> layout.Inputs:
    """Return the shop example with reaction: 8 providers, 45 days of 96 slots, a table that meets some trouble."""
    sender = wp.Sender.load(ROOT / "data/examples/shop-migration.yaml")
    schedule = wp.published("onesignal", sender, DAYS)
    inputs = asked(lambda: wp.simulate(sender, schedule, RETRY, reaction=wp.Reaction(), scenarios=scenarios, seed=1))
    assert inputs.attempts.max() == ATTEMPTS
    return inputs


def constant(volume: float, scenarios: int) -> layout.Inputs:
    """Return a constant volume to one provider, for 45 days; the provider does not take all of it.

    A million a day, and all volumes of the world multiplied: what the provider does with the mail stays the same.
    """
    usual = 1e6
    sender, schedule = one_provider(usual, DAYS)
    inputs = asked(lambda: wp.simulate(sender, schedule, RETRY, scenarios=scenarios, seed=1))
    world = inputs.world.copy()
    world[:, [layout.W_ESTABLISHED, layout.W_COLD, layout.W_FADES_AT]] *= volume / usual
    volumes = ("volume", "demand", "ceiling", "target", "stage_volume")
    return inputs._replace(world=world, **{name: getattr(inputs, name) * (volume / usual) for name in volumes})


def run(run_chunk: RunChunk, inputs: layout.Inputs) -> Counts:
    """Run all scenarios on this thread."""
    n_scenarios, n_providers = inputs.keys.shape
    rows = np.zeros((layout.N_ROWS, n_scenarios, n_providers, inputs.volume.shape[1]))
    delays = np.zeros((n_scenarios, n_providers, layout.N_DELAY_BINS))
    run_chunk(0, n_scenarios, inputs, rows, delays)
    return rows, delays


def assert_same(ours: Counts, theirs: Counts) -> None:
    """Both must have done the same work."""
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)


def in_turns(*calls: Callable[[], object], times: int) -> list[float]:
    """Best seconds of each call; they take turns, so that other work on the machine meets all of them."""
    best = [np.inf] * len(calls)
    for _ in range(times):
        for i, call in enumerate(calls):
            start = time.perf_counter()
            call()
            best[i] = min(best[i], time.perf_counter() - start)
    return [float(each) for each in best]


def numpy_binomials(inputs: layout.Inputs) -> np.ndarray:
    """How many of each slot's new messages meet noise, drawn by numpy: a single binomial a slot, (scenarios,) sums."""
    rng = np.random.default_rng(1)
    n_slots = inputs.pace.shape[1]
    messages = np.repeat(inputs.volume.astype(np.int64) // n_slots, n_slots, axis=1)  # (providers, days * slots)
    noise = inputs.world[:, layout.W_BASE_DEFERRAL, :, None]
    return np.array([rng.binomial(messages, chance).sum() for chance in noise])


if __name__ == "__main__":
    main()
