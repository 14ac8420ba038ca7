"""Sums that add: all that an effect needs of the units, by day, stratum and arm.

Two days' sums added are the sums of both days, so a report is made from a few hundred
rows whatever the number of leads, and a database can make them.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False, kw_only=True, slots=True)
class Moments:
    """Sums over groups of units; every field float64 of one shape.

    Attributes:
        n: Units.
        y: Sum of the metric.
        x: Sum of the covariate, known before the draw.
        yy: Sum of the metric's squares.
        xx: Sum of the covariate's squares.
        xy: Sum of metric times covariate.
    """

    n: FloatArray
    y: FloatArray
    x: FloatArray
    yy: FloatArray
    xx: FloatArray
    xy: FloatArray

    @classmethod
    def of(
        cls,
        metric: FloatArray,
        covariate: FloatArray | None = None,
        *,
        group: IntArray,
        n_groups: int,
    ) -> "Moments":
        """Sums of rows by group.

        Args:
            metric: What happened with each unit; float64 (n_units,).
            covariate: What is adjusted for; float64 (n_units,), or None for 0.
            group: Group of each unit; int64 (n_units,), in [0, n_groups).
            n_groups: Groups.
        """
        y = np.asarray(metric, dtype=np.float64)
        x = np.zeros_like(y) if covariate is None else np.asarray(covariate, np.float64)
        terms = {"n": np.ones_like(y), "y": y, "x": x}
        terms |= {"yy": y * y, "xx": x * x, "xy": x * y}
        return cls(
            **{
                name: np.bincount(group, term, n_groups).astype(np.float64)
                for name, term in terms.items()
            }
        )

    def __add__(self, other: "Moments") -> "Moments":
        return self._each(lambda name: getattr(self, name) + getattr(other, name))

    def regrouped(self, group: IntArray, n_groups: int) -> "Moments":
        """Sums over the groups of the first axis that get the same number.

        Args:
            group: New group of each; int64 (length of the first axis,).
            n_groups: New groups.
        """

        def added(name: str) -> FloatArray:
            values = getattr(self, name)
            sums = np.zeros((n_groups, *values.shape[1:]))
            np.add.at(sums, group, values)
            return sums

        return self._each(added)

    def reshape(self, *shape: int) -> "Moments":
        """The same groups in another shape."""
        return self._each(lambda name: getattr(self, name).reshape(shape))

    def running(self) -> "Moments":
        """Sums of each group of the first axis and of all before it."""
        return self._each(lambda name: getattr(self, name).cumsum(axis=0))

    def __getitem__(self, place: int) -> "Moments":
        """One group of the first axis."""
        return self._each(lambda name: getattr(self, name)[place])

    def total(self, axis: int) -> "Moments":
        """Sums over one axis."""
        return self._each(lambda name: getattr(self, name).sum(axis=axis))

    def mean(self) -> FloatArray:
        """Mean of the metric; NaN without units."""
        return _over(self.y, self.n)

    def covariate_mean(self) -> FloatArray:
        """Mean of the covariate; NaN without units."""
        return _over(self.x, self.n)

    def spread(self, slope: float = 0.0) -> FloatArray:
        """Sum of squares about the mean of ``metric - slope * covariate``."""
        yy = self.yy - _over(self.y, self.n) * self.y
        return np.maximum(
            yy - 2 * slope * self.shared() + slope**2 * self.covariate_spread(), 0.0
        )

    def shared(self) -> FloatArray:
        """Sum of products about the means of metric and covariate."""
        return self.xy - _over(self.x, self.n) * self.y

    def covariate_spread(self) -> FloatArray:
        """Sum of squares of the covariate about its mean."""
        return np.maximum(self.xx - _over(self.x, self.n) * self.x, 0.0)

    def _each(self, make: Callable[[str], FloatArray]) -> "Moments":
        return Moments(**{field.name: make(field.name) for field in fields(self)})


def _over(part: FloatArray, whole: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(part / whole)
