"""How far one sample lies from another, whatever the shape of both.

The Hodges-Lehmann estimate is the median of all differences between the two samples,
and Moses' interval has the differences at the ranks of the rank sum test at its ends
(Hollander and Wolfe, "Nonparametric Statistical Methods", 2nd edition, 4.2 and 4.3; in
the normal approximation). Values that are capped at one common limit do no harm as long
as fewer than half are.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

FloatArray = NDArray[np.float64]

MOST = 500
"""A larger sample is stood for by so many of its quantiles."""


class Shift(NamedTuple):
    """How much larger the values of one sample are.

    Attributes:
        estimate: Hodges-Lehmann.
        low: Lower end of the interval.
        high: Upper end.
    """

    estimate: float
    low: float
    high: float


def shift(own: FloatArray, others: FloatArray, *, level: float) -> Shift | None:
    """How much larger the values of ``own`` are.

    Args:
        own: A sample; float64 (n_own,).
        others: Another one; float64 (n_others,).
        level: Share of intervals that hold the true shift, in (0, 1).

    Returns:
        None where there are too few values for an interval of this level.
    """
    n, m = own.size, others.size
    if not n or not m:
        return None
    z = norm.ppf(0.5 + level / 2.0)
    rank = 0.5 - z * np.sqrt((n + m + 1) / (12.0 * n * m))
    if rank * n * m < 1.0:
        return None
    apart = np.subtract.outer(_thin(own), _thin(others)).ravel()
    low, estimate, high = np.quantile(apart, [rank, 0.5, 1.0 - rank]).tolist()
    return Shift(estimate, low, high)


def _thin(sample: FloatArray) -> FloatArray:
    """The sample, or as many of its quantiles as are handled quickly."""
    if sample.size <= MOST:
        return sample
    # Sorting is several times as fast as a partition at so many places.
    places = ((np.arange(MOST) + 0.5) / MOST * sample.size).astype(np.int64)
    quantiles: FloatArray = np.sort(sample)[places]
    return quantiles
