"""What a provider remembers from day to day, compiled: shared by the slot loop and the optimizer's envelope."""

from planner.simulation import equations
from planner.simulation.compiling import compiled, inlined
from planner.simulation.layout import (
    W_AUTH,
    W_COLD,
    W_COMPLAINT_LIMIT,
    W_EXCESS_LIMIT,
    W_FADES_AT,
    W_HARD_BOUNCE_LIMIT,
    W_IDLE_DECAY,
    W_JUMP,
    W_REPUTATION_RECOVERY,
    W_REPUTATION_SENSITIVITY,
)

_RISE, _KEEP = equations.RISE, equations.COMPLAINT_MEMORY

reputation_deferral = compiled(equations.reputation_deferral)
_allowance = compiled(equations.allowance)
_next_established = compiled(equations.next_established)
_excess_share = compiled(equations.excess_share)
_rate_strain = compiled(equations.rate_strain)
_excess_strain = compiled(equations.excess_strain)
_next_reputation = compiled(equations.next_reputation)


@inlined
def tolerated_today(world, i, established, reputation):  # type: ignore[no-untyped-def]
    """The day's allowance, messages; `world` (len(layout.WORLD), n) float array."""
    return _allowance(
        established, reputation, world[W_AUTH, i], world[W_COLD, i], world[W_JUMP, i], world[W_FADES_AT, i]
    )


@inlined
def overnight(world, i, memory, delivered, bounced, new, tolerated, complaint_rate, peak):  # type: ignore[no-untyped-def]
    """What the provider remembers the next morning, from `memory` of this one.

    A memory is (established volume, reputation, running sums of complaints, hard bounces, deliveries); `peak` is the
    largest delivered day of the last seven, today included.
    """
    established, reputation, complaints, bounces, deliveries = memory
    excess = _excess_share(new, tolerated)
    complaints = complaints * _KEEP + delivered * complaint_rate
    bounces = bounces * _KEEP + bounced
    deliveries = deliveries * _KEEP + delivered
    strain = (
        _rate_strain(complaints, deliveries, world[W_COMPLAINT_LIMIT, i])
        + _rate_strain(bounces, deliveries + bounces, world[W_HARD_BOUNCE_LIMIT, i])
        + _excess_strain(excess, world[W_EXCESS_LIMIT, i])
    )
    return (
        _next_established(established, delivered, peak, excess, world[W_IDLE_DECAY, i], _RISE),
        _next_reputation(reputation, strain, world[W_REPUTATION_RECOVERY, i], world[W_REPUTATION_SENSITIVITY, i]),
        complaints,
        bounces,
        deliveries,
    )
