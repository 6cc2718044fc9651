"""Worlds that a test knows to the last figure, and the model's memory written down once more for them."""

from __future__ import annotations

import numpy as np

from planner.inputs.provider import PARAMETERS
from planner.inputs.sender import Sender
from planner.simulation.beliefs import Beliefs

CALM = {
    "cold_allowance": 400.5,
    "ip_weight": 0.5,
    "history_carried": 0.4,
    "new_domain_factor": 0.5,
    "daily_growth": 1.3,
    "growth_fades_at": 40_000.0,
    "idle_decay": 0.1,
    "hourly_share": 1.0,
    "trouble_every_days": 1e6,
    "trouble_hours": 0.01,
    "reputation_recovery": 0.1,
    "reputation_sensitivity": 0.1,
    "complaint_limit": 0.003,
    "hard_bounce_limit": 0.02,
    "excess_limit": 0.2,
    **{name: 1.0 for name in PARAMETERS if name.endswith("_factor") and name.startswith("missing")},
}
"""Without greylisting, trouble, noise, stuck mailboxes, penalties and blocks: these are 0 where not named."""

RISE, FLOOR = 0.35, 0.2


def known(providers: tuple[str, ...] = ("gmail",), scenarios: int = 1, **changes: float) -> Beliefs:
    """Beliefs that know: the same parameters in every scenario and at every provider."""
    row = np.array([{**CALM, **changes}.get(name, 0.0) for name in PARAMETERS])
    values = np.tile(row, (scenarios, len(providers), 1))
    return Beliefs(providers, values, np.full(scenarios, 1.0 / scenarios))


def sender(volume: int = 50_000, **changes: object) -> Sender:
    """A plain sender of clean mail to one provider."""
    data = {
        "audience": {
            "providers": {"gmail": 1},
            "segments": [{"name": "all", "share": 1, "complaint_rate": 0.0, "hard_bounce_rate": 0.0}],
        },
        "target": {"volume": volume},
        "send_days": "daily",
        "n_ips": 1,
        "domain": "used",
        "start": "2027-01-11",
    }
    return Sender.from_dict({**data, **changes})


def tolerated(established: float, cold: float, growth: float, fades_at: float, auth: float = 1.0) -> float:
    """Allowance of a day at full reputation, messages."""
    headroom = (growth - 1) / RISE * established * (FLOOR + (1 - FLOOR) / (1 + established / fades_at))
    return established + auth * (cold + headroom)


def remembered(established: float, sent: list[float], idle_decay: float) -> float:
    """Established volume on the morning after the last day of `sent`."""
    lost = idle_decay * max(0.0, established - max(sent[-7:]))
    return established + RISE * max(0.0, sent[-1] - established) - lost
