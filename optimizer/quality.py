"""Quality bands: no network, so a bound, a plan and the gap between them.

The linear relaxation (``optimizer.quality_model``) is solved by HiGHS over the pairs
near paying, priced against all pairs and repeated with those that pay. Its duals make
one number per rep, the quality price m[j]: at the values v[i,j] - q[i] m[j] the bands
take care of themselves, and the bound of these values bounds every plan. The relaxation
splits few leads, about one per band that binds. A flow over the pairs it used gives
each of them to one rep, within the limits of reps and groups, and then leads are traded
at a rising penalty until every quality band holds as well. What that costs is the gap.

Small batches are handed to HiGHS whole: the answer is exact, or it is certain that no
whole plan keeps the bands.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from optimizer.kernels import nearest_pairs
from optimizer.network import GroupLimits, Limits, Pairs, share_within
from optimizer.prices import Prices, QualityPrices, bound_within
from optimizer.problem import BoolArray, FloatArray, IntArray, Problem
from optimizer.quality_inside import InsideModel
from optimizer.quality_model import Answer, QualityModel
from optimizer.shares import OUTSIDE, QualityBand, mean_quality, quality_of
from optimizer.trade_kernel import Rules, trade
from optimizer.verify import net_of_quality
from rightrep.errors import SolverStopped

N_NEAREST = 8
"""Reps per lead that the first relaxation may use."""
N_PAYING = 2
"""Reps per lead that each further one may add."""
CLOSE_ENOUGH = 2e-5
"""The relaxation is solved when its bound is this near, over the bound."""
ACCURACY = 1e-6
"""Gap to which the interior point method solves each relaxation, over its value."""
NEARLY = 0.5
"""Part of what is left outside that has to be proved necessary."""
MOST_ROUNDS = 40
"""Relaxations solved before the bound is taken as it is."""
BLOCK_LEADS = 2048
"""Leads priced at once."""
PENALTY, LAST_PENALTY = 1e1, 1e4
"""What a mean lead outside its band costs, in leads of the highest value: at first,
and where the bands are known to be kept and that was too little."""
SPLIT = 1e-9
"""Shares of a lead below this are none."""
SMALL_PAIRS = 1000
"""Batches up to this many pairs are tried out whole."""
WHOLE_SECONDS = 20.0
"""Time for trying everything."""
N_TRADED = 16
"""Reps per lead that trades may use, beside those of the relaxation."""
LEAST_DEAR = 0.01
"""What quality outside a band weighs at least, where the dearest weighs 1."""
DEARER = 2.0
"""Factor by which the penalty of trading rises."""
MOST_RISES = 40
"""Times it rises before trading is given up."""
TRADE_ROUNDS = 3
"""Rounds of trading at one penalty."""
LEAST_GAIN = 1e-9
"""Trades that gain less than this part of the highest value are not made."""


@dataclass(frozen=True, eq=False)
class Relaxed:
    """The linear relaxation, solved over all pairs.

    Attributes:
        share: Part of each lead given to each rep; sparse (n_leads, n_reps).
        active: Pairs it used; bool (n_leads, n_reps).
        prices: Prices of the limits.
        ends: Prices of the ends of the quality bands.
        quality_price: What a rep pays per unit of quality; float64 (n_reps,).
        binds: Reps whose quality band costs value; bool (n_reps,).
        bound: Value that no plan within limits and bands exceeds.
        missing: Quality left outside each rep's band, in leads of mean quality;
            float64 (n_reps,).
    """

    share: sp.csr_array
    active: BoolArray
    prices: Prices
    ends: QualityPrices
    quality_price: FloatArray
    binds: BoolArray
    bound: float
    missing: FloatArray

    @property
    def keeps_the_bands(self) -> bool:
        """Whether nothing is left outside."""
        return bool((self.missing <= OUTSIDE).all())


def near_pairs(
    problem: Problem,
    rep_of: IntArray,
    price: FloatArray,
    quality_price: FloatArray | None = None,
) -> BoolArray:
    """The pairs of a plan and those near paying, to begin a relaxation with.

    Args:
        problem: The batch.
        rep_of: A plan within the limits of reps and groups; int64 (n_leads,).
        price: Price of each rep, the nearer to the best the sooner done.
        quality_price: Price of each rep per unit of quality, or None for 0.

    Returns:
        bool (n_leads, n_reps).
    """
    active = np.zeros_like(problem.eligible)
    leads = np.flatnonzero(rep_of >= 0)
    active[leads, rep_of[leads]] = True
    _add_nearest(problem, price, quality_price, N_NEAREST, active)
    return active


def relax(
    problem: Problem, limits: Limits, band: QualityBand, active: BoolArray
) -> Relaxed:
    """Solve the linear relaxation over all pairs.

    Args:
        problem: The batch, with ``quality``.
        limits: Limits of reps and groups.
        band: Limits of quality shares.
        active: Pairs to begin with, a plan within ``limits`` among them.

    Returns:
        The relaxation; where it does not keep the bands, no plan does, and it is the
        one that strays least from them, values not looked at.

    Raises:
        SolverStopped: HiGHS failed, or the bands can just be kept, at prices too high
            for numbers.
    """
    highest = _highest(problem)
    relaxed = price_out(
        problem, limits, band, active, PENALTY * highest, settled=_is_outside
    )
    if relaxed.keeps_the_bands:
        return relaxed
    nearest = stray_least(problem, limits, band, relaxed.active)
    if nearest.bound < -OUTSIDE:
        return nearest
    for penalty in (PENALTY, LAST_PENALTY):
        relaxed = price_out(problem, limits, band, nearest.active, penalty * highest)
        if relaxed.keeps_the_bands:
            return relaxed
    raise SolverStopped("The quality bands can only just be kept: widen them.")


def _is_outside(answer: Answer, _bound: float) -> bool:
    """Whether it is doubtful that any plan keeps the bands."""
    return bool((answer.missing > OUTSIDE).any())


def _is_proved(answer: Answer, bound: float) -> bool:
    """Whether the bands are kept, or nearly as much as is outside has to be."""
    missing = float(answer.missing.sum())
    return not _is_outside(answer, bound) or bound <= -NEARLY * missing


def stray_least(
    problem: Problem, limits: Limits, band: QualityBand, active: BoolArray
) -> Relaxed:
    """The relaxation that leaves nearly least quality outside, whatever its value.

    No plan keeps the bands when its bound is below ``-OUTSIDE``.

    Raises:
        SolverStopped: HiGHS failed.
    """
    worthless = dataclasses.replace(problem, value=np.zeros_like(problem.value))
    return price_out(worthless, limits, band, active, 1.0, settled=_is_proved)


def price_out(
    problem: Problem,
    limits: Limits,
    band: QualityBand,
    active: BoolArray,
    penalty: float,
    *,
    settled: Callable[[Answer, float], bool] = lambda _answer, _bound: False,
) -> Relaxed:
    """Solve relaxations over more and more pairs until no other pair would pay.

    Args:
        problem: The batch, with ``quality``.
        limits: Limits of reps and groups.
        band: Limits of quality shares.
        active: Pairs to begin with; left as they are.
        penalty: Value lost per mean lead's quality outside the bands.
        settled: Told of each answer and the bound so far: whether that is enough.

    Raises:
        SolverStopped: HiGHS failed.
    """
    active, best = active.copy(), np.inf
    for _ in range(MOST_ROUNDS):
        answer = _solved(problem, limits, band, active, penalty)
        price = answer.ends.paid(band)
        bound = bound_within(problem, limits, answer.prices, price)
        if bound < best:
            best, proof = bound, answer
        reached = answer.value - penalty * float(answer.missing.sum())
        near = best - reached <= CLOSE_ENOUGH * abs(best)
        if near or settled(answer, best):
            break
        if _add_paying(problem, answer, price, active) == 0:
            break
    return Relaxed(
        share=answer.share,
        active=active,
        prices=proof.prices,
        ends=proof.ends,
        quality_price=proof.ends.paid(band),
        binds=proof.binds,
        bound=best,
        missing=answer.missing,
    )


def _solved(
    problem: Problem,
    limits: Limits,
    band: QualityBand,
    active: BoolArray,
    penalty: float,
) -> Answer:
    """The relaxation over some of the pairs, from the inside where they are many."""
    answer = None
    if active.sum() > SMALL_PAIRS:
        model = InsideModel(problem, limits, band, active)
        answer = model.relaxed(penalty, ACCURACY)
    return answer or QualityModel(problem, limits, band, active).relaxed(penalty)


def _add_paying(
    problem: Problem, answer: Answer, quality_price: FloatArray, active: BoolArray
) -> int:
    """Mark the pairs that pay more than their lead's profit, a few per lead."""
    n_added = 0
    for first in range(0, problem.n_leads, BLOCK_LEADS):
        block = slice(first, first + BLOCK_LEADS)
        value = net_of_quality(problem, quality_price, block)
        found = np.zeros_like(active[block])
        nearest_pairs(
            value, problem.eligible[block], answer.prices.rep, N_PAYING, found
        )
        profit = value - answer.prices.rep
        found &= profit > answer.profit[block, None] + answer.slack
        found &= ~active[block]
        active[block] |= found
        n_added += int(found.sum())
    return n_added


def whole_plan(
    problem: Problem, limits: Limits, band: QualityBand, relaxed: Relaxed
) -> tuple[IntArray, float] | None:
    """A whole plan near the relaxation, and what no whole plan exceeds.

    Returns:
        ``rep_of`` and the bound; None when it is certain that no whole plan keeps the
        bands.

    Raises:
        SolverStopped: No whole plan was found, and none was ruled out.
    """
    if problem.eligible.sum() > SMALL_PAIRS:
        rep_of = trade_until_whole(problem, limits, band, relaxed)
        if band.holds(quality_of(problem), rep_of):
            return rep_of, relaxed.bound
        pairs = relaxed.active
    else:
        pairs = problem.eligible
    whole = QualityModel(problem, limits, band, pairs).whole(WHOLE_SECONDS)
    if whole.rep_of is not None:
        exact = pairs is problem.eligible
        return whole.rep_of, min(relaxed.bound, whole.bound if exact else np.inf)
    if whole.impossible and pairs is problem.eligible:
        return None
    raise SolverStopped("No whole plan within the quality bands was found in time.")


def trade_until_whole(
    problem: Problem, limits: Limits, band: QualityBand, relaxed: Relaxed
) -> IntArray:
    """Round the relaxation, then trade leads until the bands hold.

    Returns:
        A plan within ``limits`` and, where trading got so far, the bands;
        int64 (n_leads,).
    """
    rep_of = _rounded(problem, limits, relaxed)
    active = relaxed.active.copy()
    _add_nearest(problem, relaxed.prices.rep, relaxed.quality_price, N_TRADED, active)
    mean, highest = mean_quality(quality_of(problem)), _highest(problem)
    quality = quality_of(problem) / mean
    price = np.abs(relaxed.quality_price)
    dearest = float(price.max(initial=0.0))
    # Who hardly pays for quality would be held to it too dearly at one price for all.
    dear = np.maximum(price / (dearest or 1.0), LEAST_DEAR)
    rules = _rules(limits, band, problem.n_leads, dear)
    penalty = dearest * mean or LEAST_GAIN * highest
    for _ in range(MOST_RISES):
        outside = trade(
            problem.value,
            quality,
            active,
            rules,
            rep_of,
            penalty,
            LEAST_GAIN * highest,
            TRADE_ROUNDS,
        )
        if outside <= LEAST_DEAR * OUTSIDE:
            break
        penalty *= DEARER
    return rep_of


def _rules(limits: Limits, band: QualityBand, n_leads: int, dear: FloatArray) -> Rules:
    groups = limits.groups
    if groups is None:
        of_rep = np.zeros(limits.n_reps, np.int64)
        groups = GroupLimits(of_rep, np.array([0]), np.array([n_leads]))
    return Rules(
        limits.low,
        limits.high,
        groups.of_rep,
        groups.low,
        groups.high,
        band.low,
        band.high,
        dear,
        limits.n_given is None,
    )


def _rounded(problem: Problem, limits: Limits, relaxed: Relaxed) -> IntArray:
    """The whole plan within the limits that keeps the largest shares."""
    share = relaxed.share.toarray()
    parts = dataclasses.replace(problem, value=share, eligible=share > SPLIT)
    sharing = share_within(Pairs(parts), limits)
    if sharing is None:
        by_price = dataclasses.replace(
            problem, value=net_of_quality(problem, relaxed.quality_price, slice(None))
        )
        sharing = share_within(Pairs(by_price), limits)
    if sharing is None:
        raise SolverStopped("The relaxation has no whole plan within the limits.")
    return sharing.rep_of


def _add_nearest(
    problem: Problem,
    price: FloatArray,
    quality_price: FloatArray | None,
    n_nearest: int,
    active: BoolArray,
) -> None:
    for first in range(0, problem.n_leads, BLOCK_LEADS):
        block = slice(first, first + BLOCK_LEADS)
        value = net_of_quality(problem, quality_price, block)
        nearest_pairs(value, problem.eligible[block], price, n_nearest, active[block])


def _highest(problem: Problem) -> float:
    """Size of the largest value of an eligible pair; 1 when all are 0."""
    sizes = np.abs(problem.value).max(where=problem.eligible, initial=0.0)
    return float(sizes) or 1.0
