"""Intervals that hold however often one looks: asymptotic confidence sequences.

A fixed interval promises 95 % to whoever looks once. Looked at every morning until it
excludes 0, it is wrong far more often. A confidence sequence covers the truth at all
looks together; it is wider by a factor that depends on how much evidence it is tuned
for.

Source: Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit
theory and asymptotic confidence sequences", Annals of Statistics 52 (2024), section 2.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import lambertw

FloatArray = NDArray[np.float64]

FEWEST_UNITS = 100
"""Units before which a confidence sequence says nothing: its promise is a limit's."""


def best_rho(n_optimal: float, alpha: float) -> float:
    """Parameter whose sequence is the tightest there is at ``n_optimal`` units.

    Args:
        n_optimal: Units at which the interval should be shortest; positive.
        alpha: One minus the coverage, in (0, 1).
    """
    return math.sqrt((-lambertw(-(alpha**2) / math.e, -1).real - 1) / n_optimal)


def widening(
    n: float | FloatArray, *, alpha: float, n_optimal: float
) -> float | FloatArray:
    """What a standard error is multiplied by, in place of 1.96.

    Args:
        n: Independent units (leads, clusters, pairs of slices) seen so far.
        alpha: One minus the coverage over all looks together.
        n_optimal: Units that the sequence is tuned for.

    Returns:
        The factor; infinite below ``FEWEST_UNITS`` units.
    """
    v = np.asarray(n, dtype=np.float64) * best_rho(n_optimal, alpha) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.sqrt(2 * (v + 1) / v * np.log(np.sqrt(v + 1) / alpha))
    factor = np.where(np.asarray(n) < FEWEST_UNITS, np.inf, factor)
    return factor if np.ndim(n) else float(factor)
