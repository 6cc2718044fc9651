"""Luck for the slot loop: uniforms hashed from what they are for, binomials from one uniform.

The same seed, scenario, provider, slot and purpose give the same luck to every plan, whatever the number of threads.
"""

import numpy as np

from planner.simulation.compiling import compiled

MIX1 = np.uint64(0xBF58476D1CE4E5B9)
MIX2 = np.uint64(0x94D049BB133111EB)
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_S30, _S27, _S31, _S11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)
_UNIT = 2.0**-53


@compiled
def mixed(x):  # type: ignore[no-untyped-def]
    """Splitmix64's finalizer: every input bit reaches every output bit."""
    x = (x ^ (x >> _S30)) * MIX1
    x = (x ^ (x >> _S27)) * MIX2
    return x ^ (x >> _S31)


@compiled
def uniform(key, purpose):  # type: ignore[no-untyped-def]
    """Uniform in [0, 1) for one purpose under one key."""
    return np.float64(mixed(key + np.uint64(purpose + 1) * GOLDEN) >> _S11) * _UNIT


@compiled
def _normal_quantile(u):  # type: ignore[no-untyped-def]
    """Standard normal quantile, Wichura's AS 241 (PPND7): seven figures, enough for whole messages."""
    q = u - 0.5
    if abs(q) <= 0.425:
        r = 0.180625 - q * q
        top = ((59.10937472 * r + 159.29113202) * r + 50.434271938) * r + 3.3871327179
        return q * top / (((67.1875636 * r + 78.757757664) * r + 17.895169469) * r + 1.0)
    r = np.sqrt(-np.log(max(min(u, 1.0 - u), 1e-300)))
    if r <= 5.0:
        r -= 1.6
        value = ((0.17023821103 * r + 1.3067284816) * r + 2.7568153900) * r + 1.4234372777
        value /= (0.12021132975 * r + 0.73700164250) * r + 1.0
    else:
        r -= 5.0
        value = ((0.017337203997 * r + 0.42868294337) * r + 3.0812263860) * r + 6.6579051150
        value /= (0.012258202635 * r + 0.24197894225) * r + 1.0
    return -value if q < 0.0 else value


@compiled
def binomial(n, p, u):  # type: ignore[no-untyped-def]
    """Binomial count from one uniform: inversion for small means, Cornish-Fisher for large ones."""
    if n <= 0.0 or p <= 0.0:
        return 0.0
    if p >= 1.0:
        return n
    if p > 0.5:
        return n - _binomial_lower(n, 1.0 - p, 1.0 - u)
    return _binomial_lower(n, p, u)


@compiled
def _binomial_lower(n, p, u):  # type: ignore[no-untyped-def]
    mean = n * p
    if u < 1.0 - mean:  # none: (1 - p)**n is at least 1 - n * p
        return 0.0
    if mean < 15.0:
        odds = p / (1.0 - p)
        share = np.exp(n * np.log1p(-p))
        below = share
        count = 0.0
        while u >= below and count < n:
            share *= odds * (n - count) / (count + 1.0)
            count += 1.0
            below += share
            if share < 1e-18 and count > mean:
                break
        return count
    deviation = np.sqrt(mean * (1.0 - p))
    z = _normal_quantile(u)
    skew = (1.0 - 2.0 * p) / 6.0
    third = z * ((z * z - 3.0) * (1.0 - 6.0 * p * (1.0 - p)) / 24.0 - (2.0 * z * z - 5.0) * skew * skew)
    count = np.floor(mean + deviation * z + (z * z - 1.0) * skew + third / deviation + 0.5)
    return min(n, max(0.0, count))


@compiled
def part(n, p, key, purpose, sampled):  # type: ignore[no-untyped-def]
    """How many of n messages meet an event of probability p: drawn, or the mean."""
    if n <= 0.0 or p <= 0.0:
        return 0.0
    if sampled:
        return binomial(n, p, uniform(key, purpose))
    return n * p
