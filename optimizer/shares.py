"""Who ought to be given how much: shares, bands in whole leads, the spread.

Only reps who take part count: those with an open slot and a lead of the batch that they
may take. Nobody else's share can be helped by this batch. Weights are shares of the
weights of those who take part, and a load is everything given in the window, before
this batch and in it.
"""

import dataclasses
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from optimizer.network import GroupLimits, Limits
from optimizer.problem import UNASSIGNED, BoolArray, FloatArray, IntArray, Problem
from rightrep.errors import InvalidInput

WHOLE = 1e-9
"""A limit this close to a whole number of leads is that number."""
OUTSIDE = 1e-5
"""Quality outside a band that is none, in leads of mean quality: HiGHS' rounding."""


@dataclass(frozen=True)
class Fairness:
    """How evenly leads have to be shared.

    A band of 0.2 lets every share be 20 % above or below its weight.

    Attributes:
        load_band: Width of each rep's band on leads, relative to its weight's share,
            >= 0; in whole leads, so even 0 leaves the two whole numbers around it.
            None for no band.
        quality_band: The same for each rep's share of the quality given.
        group_band: The same for each group's leads.
        dial: From 0, no more than the bands, to 1, load shares as near to the weights
            as eligibility allows.

    Raises:
        InvalidInput: A width or the dial is out of range.
    """

    load_band: float | None = None
    quality_band: float | None = None
    group_band: float | None = None
    dial: float = 0.0

    def __post_init__(self) -> None:
        for name in ("load_band", "quality_band", "group_band"):
            width = getattr(self, name)
            if width is not None and not 0 <= width < np.inf:
                raise InvalidInput(
                    f"{name} must be 0 or more, not {width}.", field=name
                )
        if not 0 <= self.dial <= 1:
            raise InvalidInput(
                f"dial must be between 0 and 1, not {self.dial}.", field="dial"
            )


class Band(NamedTuple):
    """Whole leads from low to high; int64 arrays of one shape."""

    low: IntArray
    high: IntArray


@dataclass(frozen=True, eq=False)
class Shares:
    """What every rep ought to be given of a batch.

    Attributes:
        takes_part: Reps with an open slot and an eligible lead; bool (n_reps,).
        weight: Wanted load share; float64 (n_reps,), sums to 1, 0 for the others.
        load: Leads given before in this window; int64 (n_reps,), 0 for the others.
        n_open: Leads of the batch that can be given: somebody who takes part may take
            them, and there are slots.
    """

    takes_part: BoolArray
    weight: FloatArray
    load: IntArray
    n_open: int

    @classmethod
    def of(cls, problem: Problem) -> "Shares":
        """The shares of a batch."""
        takes_part = (problem.capacity > 0) & problem.eligible.any(axis=0)
        wanted = np.ones(problem.n_reps) if problem.weight is None else problem.weight
        wanted = np.where(takes_part, wanted, 0.0)
        load = np.zeros(problem.n_reps, np.int64)
        if problem.load is not None:
            load = np.where(takes_part, problem.load, 0)
        n_reached = int(problem.eligible[:, takes_part].any(axis=1).sum())
        return cls(
            takes_part,
            wanted / max(wanted.sum(), np.finfo(np.float64).tiny),
            load,
            min(n_reached, int(problem.capacity[takes_part].sum())),
        )

    def target(self, n_given: int) -> FloatArray:
        """Leads each rep ought to have in all when so many of the batch are given."""
        return self.weight * float(self.load.sum() + n_given)

    def deviation(self, given: IntArray) -> FloatArray:
        """Leads above the target, or below it, after a batch; 0 for the others.

        Args:
            given: Leads of the batch given to each rep; int64 (n_reps,).
        """
        apart = self.load + given - self.target(int(given.sum()))
        return np.where(self.takes_part, apart, 0.0)

    def spread(self, given: IntArray) -> float:
        """Largest distance of a load share from its weight, in [0, 1]."""
        total = int(self.load.sum() + given.sum())
        if total == 0:
            return 0.0
        return float(np.abs(self.deviation(given)).max(initial=0.0)) / total

    def load_band(self, width: float) -> Band:
        """Leads of the batch that keep each load within weight x (1 -+ width).

        Rounded outward to whole leads. Who is above the band already is given nothing
        more.
        """
        target = self.target(self.n_open)
        return self._still(_around(target, target * width), self.load, self.takes_part)

    def group_band(self, group: IntArray, width: float) -> GroupLimits:
        """The same over groups of reps."""
        names, of_rep = np.unique(group, return_inverse=True)
        n_groups = len(names)
        target = np.zeros(n_groups)
        np.add.at(target, of_rep, self.target(self.n_open))
        load = np.bincount(of_rep, self.load, n_groups).astype(np.int64)
        takes_part = np.bincount(of_rep, self.takes_part, n_groups) > 0
        band = self._still(_around(target, target * width), load, takes_part)
        return GroupLimits(of_rep.astype(np.int64), band.low, band.high)

    def within(self, deviation: FloatArray, n_given: int) -> Band:
        """Leads of the batch that keep each load so near to its target, and no more."""
        return self._still(
            _inside(self.target(n_given), deviation), self.load, self.takes_part
        )

    def _still(self, band: Band, load: IntArray, counts: BoolArray) -> Band:
        """What is still to be given, load taken off; no limit for the others."""
        low = np.where(counts, np.maximum(band.low - load, 0), 0)
        most = np.iinfo(np.int64).max // 4
        return Band(low, np.where(counts, np.maximum(band.high - load, 0), most))


def _around(target: FloatArray, width: FloatArray) -> Band:
    return Band(
        np.floor(target - width + WHOLE).astype(np.int64),
        np.ceil(target + width - WHOLE).astype(np.int64),
    )


def _inside(target: FloatArray, width: FloatArray) -> Band:
    return Band(
        np.ceil(target - width - WHOLE).astype(np.int64),
        np.floor(target + width + WHOLE).astype(np.int64),
    )


class QualityBand(NamedTuple):
    """Least and largest quality share of each rep; float64 (n_reps,), in [0, 1]."""

    low: FloatArray
    high: FloatArray

    def excess(self, quality: FloatArray, rep_of: IntArray) -> FloatArray:
        """Quality of each rep outside the band, in leads of mean quality.

        Args:
            quality: Lead-only p; float64 (n_leads,).
            rep_of: The plan; int64 (n_leads,).

        Returns:
            Above the band positive, below it negative; float64 (n_reps,).
        """
        of_rep = quality_given(quality, rep_of, len(self.low))
        total = of_rep.sum()
        above = np.maximum(of_rep - self.high * total, 0.0)
        below = np.maximum(self.low * total - of_rep, 0.0)
        return np.asarray((above - below) / mean_quality(quality))

    def holds(self, quality: FloatArray, rep_of: IntArray) -> bool:
        """Whether every rep is within the band, up to rounding."""
        return bool((np.abs(self.excess(quality, rep_of)) <= OUTSIDE).all())


def limits_of(problem: Problem, fairness: Fairness) -> Limits:
    """The problem's own limits, and the bands on load and groups.

    Raises:
        InvalidInput: A band on groups, and reps without groups.
    """
    shares = Shares.of(problem)
    limits = Limits.of(problem)
    if fairness.load_band is not None:
        limits = stricter(limits, shares.load_band(fairness.load_band))
    if fairness.group_band is None:
        return limits
    if problem.group is None:
        raise InvalidInput("A group band needs each rep's group.", field="group")
    groups = shares.group_band(problem.group, fairness.group_band)
    return dataclasses.replace(limits, groups=groups)


def stricter(limits: Limits, band: Band) -> Limits:
    """The limits with each rep's leads within the band as well."""
    return dataclasses.replace(
        limits,
        low=np.maximum(limits.low, band.low),
        high=np.minimum(limits.high, band.high),
    )


def quality_band_of(problem: Problem, fairness: Fairness) -> QualityBand | None:
    """Quality shares around the weights of the reps who take part.

    Raises:
        InvalidInput: A band on quality, and leads without quality.
    """
    if fairness.quality_band is None:
        return None
    quality_of(problem)
    weight, width = Shares.of(problem).weight, fairness.quality_band
    low, high = weight * (1.0 - width), weight * (1.0 + width)
    return QualityBand(np.maximum(low, 0.0), np.minimum(high, 1.0))


def quality_of(problem: Problem) -> FloatArray:
    """Quality of each lead.

    Raises:
        InvalidInput: The problem has none.
    """
    if problem.quality is None:
        raise InvalidInput("A quality band needs each lead's quality.", field="quality")
    return problem.quality


def quality_given(quality: FloatArray, rep_of: IntArray, n_reps: int) -> FloatArray:
    """Quality a plan gives to each rep; float64 (n_reps,)."""
    given = rep_of != UNASSIGNED
    return np.bincount(rep_of[given], quality[given], n_reps).astype(np.float64)


def mean_quality(quality: FloatArray) -> float:
    """Mean over leads, 1 where there is no quality at all."""
    return float(quality.mean()) if quality.any() else 1.0
