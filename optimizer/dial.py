"""One batch within one set of bands, at one dial after another.

The dial d keeps the number of leads given, and lets every rep stray from its target by
(1 - d) times what the worst one strays at 0, or by what it strays in the fairest plan
where that is more. Of equally good plans the one of least spread is taken. So the
spread never rises with the dial: a plan found at d1 that strays less than the one at
d2 > d1 would be allowed at d2, is worth no less, and would be taken there too; and once
the allowance is below the least that any plan strays, the spread stays at that.
"""

import dataclasses
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from optimizer.collisions import collision
from optimizer.network import Limits, Pairs, fairest_within
from optimizer.prices import Prices, bound_within
from optimizer.problem import UNASSIGNED, BoolArray, FloatArray, IntArray, Problem
from optimizer.quality import (
    Relaxed,
    near_pairs,
    relax,
    stray_least,
    trade_until_whole,
    whole_plan,
)
from optimizer.resolve import Resolver
from optimizer.shares import (
    WHOLE,
    Fairness,
    QualityBand,
    Shares,
    limits_of,
    quality_band_of,
    quality_given,
    quality_of,
    stricter,
)
from rightrep.errors import InvalidInput, RightRepError, SolverStopped


@dataclass(frozen=True, eq=False)
class Answer:
    """A plan within limits, with its prices.

    Attributes:
        rep_of: Rep of each lead; int64 (n_leads,).
        limits: Limits on leads that it keeps.
        prices: Prices of these limits.
        quality_price: What a rep pays per unit of quality; float64 (n_reps,).
        bound: Value that no plan within the limits (and quality bands) exceeds.
        units: Its exact value in the flow's units; 0 where quality is banded.
        quality_binds: Reps whose quality band costs value; bool (n_reps,). None where
            quality is not banded.
    """

    rep_of: IntArray
    limits: Limits
    prices: Prices
    quality_price: FloatArray
    bound: float
    units: int = 0
    quality_binds: BoolArray | None = None

    @property
    def load(self) -> IntArray:
        """Leads of each rep; int64 (n_reps,)."""
        given = self.rep_of[self.rep_of != UNASSIGNED]
        return np.bincount(given, minlength=self.limits.n_reps)


class OutsideBands(RightRepError):
    """No plan keeps the quality bands together with the other limits.

    Attributes:
        given: Quality of each rep in a plan that strays little; float64 (n_reps,).
        proof: The relaxation whose prices prove it; None where only whole plans fail.
    """

    def __init__(self, given: FloatArray, proof: Relaxed | None) -> None:
        super().__init__("No plan keeps every quality band.")
        self.given, self.proof = given, proof


class Planner:
    """Plans one batch within one set of bands.

    Args:
        problem: The batch.
        fairness: The bands; its dial is not looked at.
        resolver: One that has shared the batch before, or None.

    Raises:
        InvalidInput: A quality band without quality, a group band without groups.
    """

    def __init__(
        self, problem: Problem, fairness: Fairness, resolver: Resolver | None = None
    ) -> None:
        self.problem, self.fairness = problem, fairness
        self.shares = Shares.of(problem)
        self.limits = limits_of(problem, fairness)
        self.band = quality_band_of(problem, fairness)
        self.resolver = resolver or Resolver(problem)
        self._near: Relaxed | None = None

    def at(self, dial: float) -> Answer:
        """The plan at this dial, in [0, 1].

        Raises:
            InfeasiblePlan: The limits on leads collide.
            OutsideBands: The quality bands cannot be kept as well.
            SolverStopped: No whole plan within the quality band was found in time.
        """
        if dial == 0.0 or self._n_given == 0:
            return self._free
        allowance = (1.0 - dial) * self._off(self._free)
        if self.band is None:
            return self._of_least_spread(allowance)
        return self._of_spread(allowance, self.band)

    @cached_property
    def _free(self) -> Answer:
        """The best plan within the bands alone."""
        if self.band is None:
            return self._best
        return self._with_quality(self.full, self.full, self.band)

    @cached_property
    def _best(self) -> Answer:
        """The best plan within the bands on leads."""
        return self._solved(self.limits)

    @property
    def full(self) -> Limits:
        """The bands on leads, as many given as in the best plan within them.

        Without this the emptiest plan keeps every quality share.
        """
        return dataclasses.replace(self.limits, n_given=int(self._best.load.sum()))

    def nearest(self, also: BoolArray | None = None) -> Relaxed:
        """The relaxation that leaves nearly least quality outside the bands at dial 0.

        Args:
            also: Pairs to begin with beside those of the best plan;
                bool (n_leads, n_reps).

        Raises:
            InfeasiblePlan: The limits on leads collide.
            InvalidInput: No quality band.
        """
        if self.band is None:
            raise InvalidInput("There is no quality band.", field="quality_band")
        active = near_pairs(self.problem, self._best.rep_of, self._best.prices.rep)
        if also is not None:
            active |= also
        return stray_least(self.problem, self.full, self.band, active)

    @cached_property
    def _n_given(self) -> int:
        return int(self._free.load.sum())

    def _off(self, answer: Answer) -> float:
        """Leads by which the worst rep is off its target."""
        return float(np.abs(self.shares.deviation(answer.load)).max(initial=0.0))

    @cached_property
    def _least(self) -> FloatArray:
        """Leads by which each rep is off its target in the fairest plan."""
        wanted = self.shares.target(self._n_given) - self.shares.load
        limits = dataclasses.replace(self.limits, n_given=self._n_given)
        load = fairest_within(Pairs(self.problem), limits, wanted)
        if load is None:
            raise SolverStopped("The best plan is not within its own limits.")
        return np.abs(self.shares.deviation(load))

    def _within(self, allowance: float) -> Limits:
        """The bands, and nobody further off than this or than in the fairest plan."""
        band = self.shares.within(np.maximum(self._least, allowance), self._n_given)
        limits = stricter(self.limits, band)
        return dataclasses.replace(limits, n_given=self._n_given)

    def _solved(self, limits: Limits) -> Answer:
        """The best plan within limits on leads, exactly."""
        solved = self.resolver.share(limits)
        if solved is None:
            raise collision(self.problem, self.fairness)
        sharing, prices = solved
        bound = bound_within(self.problem, limits, prices)
        free = np.zeros(self.problem.n_reps)
        return Answer(sharing.rep_of, limits, prices, free, bound, sharing.units)

    def _of_least_spread(self, allowance: float) -> Answer:
        """The best plan within the allowance, and of the best the fairest."""
        best, least = self._solved(self._within(allowance)), float(self._least.max())
        if self._off(best) <= least + WHOLE or self._is_held(best):
            return best
        fairest = self._solved(self._within(least))
        if fairest.units == best.units:
            return fairest
        return self._narrowed(best, least)

    def _narrowed(self, best: Answer, low: float) -> Answer:
        """The fairest plan worth as much, where one that is only ``low`` off is not."""
        steps = self._steps()
        while not self._is_held(best):
            high = self._off(best)
            steps = steps[(steps > low + WHOLE) & (steps < high - WHOLE)]
            if len(steps) == 0:
                break
            middle = float(steps[len(steps) // 2])
            other = self._solved(self._within(middle))
            if other.units == best.units:
                best = other
            else:
                low = middle
        return best

    def _is_held(self, best: Answer) -> bool:
        """Whether a price proves that less spread would cost value.

        That of a rep who is furthest off and pays for it: by weak duality every plan
        that brings this rep nearer is worth less.
        """
        own = best.prices.rep
        if best.limits.groups is not None:
            own = own - best.prices.group[best.limits.groups.of_rep]
        off = self.shares.deviation(best.load)
        furthest = np.abs(off) >= self._off(best) - WHOLE
        return bool((furthest & (off * own > 0)).any())

    def _steps(self) -> FloatArray:
        """Every number of leads by which some rep can be off, ascending."""
        part = np.flatnonzero(self.shares.takes_part)
        most = np.minimum(self.problem.capacity[part], self._n_given) + 1
        nth = np.arange(most.sum()) - np.repeat(np.cumsum(most) - most, most)
        rep = np.repeat(part, most)
        off = self.shares.load[rep] + nth - self.shares.target(self._n_given)[rep]
        return np.unique(np.abs(off))

    def _of_spread(self, allowance: float, band: QualityBand) -> Answer:
        """A good plan of the largest spread allowed, quality bands kept.

        Without exact optima nothing orders the spreads of two plans, so the rep who is
        furthest off at dial 0 is held at the end of the allowance, or nearer where the
        others leave too few leads for that.
        """
        off = self.shares.deviation(self._free.load)
        rep, least = int(np.argmax(np.abs(off))), float(self._least.max())
        furthest = float(abs(off[rep]))
        steps = int(np.ceil(furthest - allowance - WHOLE))
        while furthest - steps >= least - WHOLE:
            limits = self._within(furthest - steps)
            at = int(self._free.load[rep] - steps * np.sign(off[rep]))
            held = _held_at(limits, rep, at)
            if self.resolver.share(held) is not None:
                return self._with_quality(limits, held, band)
            steps += 1
        limits = self._within(min(allowance, least))
        return self._with_quality(limits, limits, band)

    def _with_quality(self, limits: Limits, held: Limits, band: QualityBand) -> Answer:
        """A whole plan within ``held``, near the best one within ``limits``."""
        relaxed = self._relaxed(limits, band)
        quality = quality_of(self.problem)
        if not relaxed.keeps_the_bands:
            raise OutsideBands(relaxed.share.T @ quality, relaxed)
        whole = whole_plan(self.problem, held, band, relaxed)
        if whole is None:
            nearest = trade_until_whole(self.problem, held, band, relaxed)
            given = quality_given(quality, nearest, self.problem.n_reps)
            raise OutsideBands(given, None)
        rep_of, bound = whole
        return Answer(
            rep_of,
            limits,
            relaxed.prices,
            relaxed.quality_price,
            bound,
            quality_binds=relaxed.binds,
        )

    def _relaxed(self, limits: Limits, band: QualityBand) -> Relaxed:
        first = self._solved(limits)
        active = near_pairs(self.problem, first.rep_of, first.prices.rep)
        if self._near is not None:
            active |= near_pairs(
                self.problem,
                first.rep_of,
                self._near.prices.rep,
                self._near.quality_price,
            )
        relaxed = relax(self.problem, limits, band, active)
        # Only what the plan at 0 found, so that no plan depends on those before it.
        self._near = self._near or relaxed
        return relaxed


def _held_at(limits: Limits, rep: int, at: int) -> Limits:
    """The same, one rep's leads fixed."""
    low, high = limits.low.copy(), limits.high.copy()
    low[rep] = high[rep] = at
    return dataclasses.replace(limits, low=low, high=high)
