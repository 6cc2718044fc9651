"""The model's equations, one function each; the compiled kernel runs these same functions.

Every function takes numbers or arrays of any shape that broadcast, and holds no loop over time.
None of the equations is published by a provider: their shapes are inferred from published rules
(confidence: inferred), see docs/model.md.
"""

import numpy as np

from planner.vocabulary import Floats

RISE = 0.35
"""Share of the gap to today's delivered volume by which the memory rises, 1/day."""

HEADROOM_FLOOR = 0.2
"""Share of the headroom that volume never takes away: growth slows but does not stop."""

COMPLAINT_MEMORY = 6.0 / 7.0
"""Share of the running sums of complaints and bounces that a day keeps."""

PSEUDO_MESSAGES = 2000.0
"""Messages at half the limit in every running rate: one complaint must not ruin a small sender."""


def one_day_jump(daily_growth: Floats, rise: float = RISE) -> Floats:
    """Factor over the established volume that is tolerated on one day.

    Parameters
    ----------
    daily_growth : float array, factor/day, > 1
        Growth that is tolerated from send to send, for ever.
    rise : float, 1/day

    Returns
    -------
    float array, factor

    Examples
    --------
    >>> round(one_day_jump(1.35), 3)
    2.0
    """
    return 1.0 + (daily_growth - 1.0) / rise


def cold_volume(
    cold_allowance: Floats, n_ips: float, ip_weight: Floats, new_domain_factor: Floats, n_domains: Floats
) -> Floats:
    """Volume tolerated from a sender without history, over all its IPs.

    Parameters
    ----------
    cold_allowance : float array, messages/day/IP
    n_ips : float
    ip_weight : float array, in [0, 1]
        1 where the provider judges IPs, 0 where it judges the domain.
    new_domain_factor : float array, in [0, 1]
        What is left for a domain that never mailed; 1 for a domain that has.
    n_domains : float array
        Limiters behind the provider; 1 unless every recipient domain has its own.

    Returns
    -------
    float array, messages/day

    Examples
    --------
    >>> float(cold_volume(1000.0, 4.0, 0.5, 1.0, 1.0))
    2000.0
    """
    return cold_allowance * n_domains * n_ips**ip_weight * new_domain_factor ** (1.0 - ip_weight)


def history_established(
    ip_weight: Floats, history_carried: Floats, domain_volume: Floats, ip_volume: Floats, cooled: Floats
) -> Floats:
    """Established volume on the first day, messages/day.

    Parameters
    ----------
    ip_weight, history_carried : float array, in [0, 1]
    domain_volume, ip_volume : float array, messages/day
        What the domain, and what these IPs, sent to the provider before.
    cooled : float array, in [0, 1]
        What idle days left, see `cooling`.

    Examples
    --------
    >>> float(history_established(0.25, 0.5, 800.0, 400.0, 1.0))
    400.0
    """
    return ((1.0 - ip_weight) * history_carried * domain_volume + ip_weight * ip_volume) * cooled


def cooling(idle_decay: Floats, idle_days: Floats) -> Floats:
    """Share of the established volume that idle days leave, in [0, 1].

    The first week costs nothing: the peak of the last seven days holds the memory up.

    Examples
    --------
    >>> round(float(cooling(0.1, 9.0)), 2)
    0.81
    """
    return (1.0 - idle_decay) ** np.maximum(0.0, idle_days - 7.0)


def allowance(
    established: Floats, reputation: Floats, auth: Floats, cold: Floats, jump: Floats, fades_at: Floats
) -> Floats:
    """Volume the provider tolerates today.

    Parameters
    ----------
    established : float array, messages/day
    reputation : float array, in [0, 1]
    auth : float array, in [0, 1]
        Product of the factors of what is missing among SPF, DKIM, DMARC, reverse DNS, TLS, one-click.
    cold : float array, messages/day
        See `cold_volume`.
    jump : float array, factor
        See `one_day_jump`.
    fades_at : float array, messages/day
        Established volume at which the headroom has halved.

    Returns
    -------
    float array, messages/day

    Notes
    -----
    Concave and nondecreasing in `established`. Doubt slows growth; it takes nothing established away.

    Examples
    --------
    >>> float(allowance(1000.0, 1.0, 1.0, 200.0, 2.0, np.inf))
    2200.0
    """
    fading = HEADROOM_FLOOR + (1.0 - HEADROOM_FLOOR) / (1.0 + established / fades_at)
    return established + reputation * auth * (cold + (jump - 1.0) * established * fading)


def next_established(
    established: Floats,
    delivered: Floats,
    peak: Floats,
    excess: Floats,
    idle_decay: Floats,
    rise: float = RISE,
) -> Floats:
    """Established volume after one more day.

    Parameters
    ----------
    established : float array, messages/day
    delivered : float array, messages
        Delivered during the day.
    peak : float array, messages
        Largest delivered volume of the last seven days, today included.
    excess : float array, in [0, 1]
        Share of the day's new messages above the allowance.
    idle_decay : float array, 1/day
        Share of the gap to the peak that is lost.
    rise : float, 1/day

    Returns
    -------
    float array, messages/day

    Examples
    --------
    >>> next_established(1000.0, np.array([2000.0, 0.0]), np.array([2000.0, 500.0]), 0.0, 0.1, rise=0.2)
    array([1200.,  950.])
    """
    risen = rise * (1.0 - excess) * np.maximum(delivered - established, 0.0)
    return established + risen - idle_decay * np.maximum(established - peak, 0.0)


def excess_share(new: Floats, tolerated: Floats) -> Floats:
    """Share of the day's new messages above the allowance, in [0, 1]; 0 on a day without new mail.

    Examples
    --------
    >>> excess_share(np.array([200.0, 50.0, 0.0]), 100.0)
    array([0.5, 0. , 0. ])
    """
    return np.maximum(0.0, new - tolerated) / np.maximum(new, 1e-9)


def rate_strain(events: Floats, trials: Floats, limit: Floats) -> Floats:
    """How far a complaint or bounce rate stands above its limit, in [0, 2].

    Parameters
    ----------
    events, trials : float array, messages
        Running sums that keep `COMPLAINT_MEMORY` a day.
    limit : float array, rate

    Examples
    --------
    >>> float(rate_strain(0.0, 0.0, 0.002))
    0.0
    >>> float(rate_strain(39.0, 8000.0, 0.002))
    1.05
    """
    rate = (events + 0.5 * PSEUDO_MESSAGES * limit) / (trials + PSEUDO_MESSAGES)
    return np.minimum(2.0, np.maximum(0.0, rate / limit - 1.0))


def excess_strain(excess: Floats, excess_limit: Floats) -> Floats:
    """How far the day's excess stands above what is forgiven, in [0, 1].

    Examples
    --------
    >>> float(excess_strain(0.3, 0.2))
    0.5
    """
    return np.minimum(1.0, np.maximum(0.0, excess / excess_limit - 1.0))


def next_reputation(reputation: Floats, strain: Floats, recovery: Floats, sensitivity: Floats) -> Floats:
    """Reputation after one more day, in [0.05, 1].

    Parameters
    ----------
    reputation : float array, in [0.05, 1]
    strain : float array
        Sum of `rate_strain` of complaints and of hard bounces, and `excess_strain`.
    recovery, sensitivity : float array, 1/day

    Examples
    --------
    >>> float(next_reputation(0.8, 0.5, 0.1, 0.2))
    0.72
    """
    moved = reputation + recovery * (1.0 - reputation) - sensitivity * strain
    return np.minimum(1.0, np.maximum(0.05, moved))


def reputation_deferral(reputation: Floats) -> Floats:
    """Share of attempts deferred for doubtful reputation, in [0, 1].

    Examples
    --------
    >>> round(float(reputation_deferral(0.8)), 2)
    0.04
    """
    return (1.0 - reputation) ** 2
