"""The slot loop's twin in C: compiled on the spot, run over the same inputs, compared with the kernel's results."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from planner.simulation import kernel, layout

SOURCE = Path(__file__).with_name("twin.c")

# as fast as gcc can without changing a result: no fused multiply-add, no reordering of sums
FLAGS = ("-std=c11", "-O3", "-march=native", "-ffp-contract=off", "-fno-math-errno")

TOLERANCE = 1e-3
"""A last bit of libm may turn a draw: so far may totals lie apart, relatively."""

EQUAL_SHARE = 0.999
"""At least so many cells must be equal."""

_SIZES = [
    "n_scenarios",
    "n_providers",
    "n_days",
    "n_slots",
    "n_segments",
    "n_firsts",
    "n_ages",
    "n_waits",
    "width",
    "ring_slots",
    "n_reaction",
    "transactional",
    "overflow",
]
_ARRAYS: dict[str, Any] = {
    "world": np.float64,
    "keys": np.uint64,
    "volume": np.float64,
    "demand": np.float64,
    "ceiling": np.float64,
    "opens": np.int64,
    "mix": np.float64,
    "complaint_rate": np.float64,
    "hard_bounce_rate": np.float64,
    "pace": np.float64,
    "target": np.float64,
    "stage_volume": np.float64,
    "stage_day": np.int64,
    "n_stages": np.int64,
    "reaction": np.float64,
    "attempts": np.int64,
    "class_of_cause": np.int64,
    "wait_first": np.int64,
    "wait_n": np.int64,
    "wait_share": np.float64,
    "wait_seconds": np.float64,
    "nominal": np.float64,
    "early": np.float64,
    "pause_slots": np.int64,
}

Result = tuple[np.ndarray, np.ndarray]
"""Rows (layout.N_ROWS, scenarios, providers, days) and delays (scenarios, providers, layout.N_DELAY_BINS)."""


class _Inputs(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_int64) for name in _SIZES),
        ("slot_seconds", ctypes.c_double),
        *((name, ctypes.c_void_p) for name in _ARRAYS),
    ]


def build(gcc: str | Path, folder: Path) -> ctypes.CDLL:
    """Compile the twin into a folder and load it."""
    library = folder / "twin.so"
    subprocess.run([gcc, *FLAGS, "-shared", "-fPIC", "-o", library, SOURCE, "-lm"], check=True)
    loaded = ctypes.CDLL(str(library))
    loaded.run_chunk.argtypes = [ctypes.c_int64, ctypes.c_int64, *3 * [ctypes.c_void_p]]
    loaded.run_chunk.restype = ctypes.c_int
    return loaded


def run_twin(library: ctypes.CDLL, inputs: layout.Inputs) -> Result:
    """Simulate all scenarios in C, on one thread."""
    rows, delays = _empty(inputs)
    arrays = {
        name: np.ascontiguousarray(getattr(inputs, name), dtype) for name, dtype in _ARRAYS.items()
    }  # alive until the call is over
    record = _Inputs(*_sizes(inputs), inputs.slot_seconds, *(array.ctypes.data for array in arrays.values()))
    n_scenarios = inputs.keys.shape[0]
    if library.run_chunk(0, n_scenarios, ctypes.addressof(record), rows.ctypes.data, delays.ctypes.data):
        raise MemoryError
    return rows, delays


def run_kernel(inputs: layout.Inputs) -> Result:
    """Simulate all scenarios by the kernel, on one thread."""
    rows, delays = _empty(inputs)
    kernel.run_chunk(0, inputs.keys.shape[0], inputs, rows, delays)
    return rows, delays


def check_equal(ours: Result, theirs: Result) -> float:
    """Assert that two results agree; returns the share of cells that are equal, bit for bit."""
    for one, other in zip(_totals(ours), _totals(theirs), strict=True):
        np.testing.assert_allclose(other, one, rtol=TOLERANCE, atol=0.5)
    equal = np.mean(ours[0] == theirs[0])
    assert equal >= EQUAL_SHARE, f"only {equal:.2%} of the kernel's cells equal the twin's"
    return float(equal)


def _totals(result: Result) -> Result:
    rows, delays = result
    return rows.sum(axis=(1, 2, 3)), delays.sum(axis=(0, 1))


def _empty(inputs: layout.Inputs) -> Result:
    n_scenarios, n_providers = inputs.keys.shape
    rows = np.zeros((layout.N_ROWS, n_scenarios, n_providers, inputs.volume.shape[1]))
    return rows, np.zeros((n_scenarios, n_providers, layout.N_DELAY_BINS))


def _sizes(inputs: layout.Inputs) -> tuple[int, ...]:
    assert inputs.sampled, "the twin knows the sampled mode only"
    return (
        *inputs.keys.shape,
        inputs.volume.shape[1],
        inputs.pace.shape[1],
        inputs.mix.shape[2],
        inputs.attempts.shape[1],
        inputs.nominal.shape[2],
        inputs.wait_n.shape[1],
        inputs.wait_share.shape[2],
        inputs.ring_slots,
        inputs.reaction.shape[0],
        int(inputs.transactional),
        inputs.overflow,
    )
