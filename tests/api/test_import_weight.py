"""`import planner` is quick, because what is heavy is loaded on first use."""

import json
import subprocess
import sys

import pytest

HEAVY = ("numba", "scipy.optimize", "pandas", "plotly", "streamlit")
PROBE = f"""
import json, sys, time
start = time.perf_counter()
import planner
seconds = time.perf_counter() - start
print(json.dumps({{"seconds": seconds, "heavy": [name for name in {HEAVY} if name in sys.modules]}}))
"""


def import_once() -> dict:
    run = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


@pytest.mark.alone
def test_import_is_light() -> None:
    runs = [import_once() for _ in range(5)]
    assert runs[0]["heavy"] == []
    assert min(run["seconds"] for run in runs) < 0.5
