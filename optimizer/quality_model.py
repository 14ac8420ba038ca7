"""Quality bands stated for HiGHS, over some of the pairs of a batch.

With q[i] the quality of lead i and a[j] <= b[j] the shares of rep j, the bands add

    quality[j]   a[j] Q <= sum over i of q[i] x[i,j] <= b[j] Q,   Q = all quality given

to the model of ``optimizer.network``. They are homogeneous: scaling all quality changes
nothing, and relaxing them at prices adds no constant to a bound.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.optimize import Bounds, LinearConstraint, linprog, milp

from optimizer.network import Limits
from optimizer.prices import Prices, QualityPrices
from optimizer.problem import UNASSIGNED, BoolArray, FloatArray, IntArray, Problem
from optimizer.shares import QualityBand, mean_quality, quality_of
from rightrep.errors import SolverStopped

HIGHS_TOLERANCE = 1e-7
"""What HiGHS' duals may be off by, for values of size 1."""
HALF = 0.5
"""Shares of a whole plan are 0 or 1 up to HiGHS' tolerance."""
WHOLE_GAP = 1e-4
"""Relative gap at which a whole plan is good enough: the rest takes most of the time.

60 leads and 3 reps take 0.3 s to here, and are not proven to 3e-5 in 20 s.
"""
INFEASIBLE = 2
"""``milp``'s status when no whole plan exists."""


@dataclass(frozen=True, eq=False)
class Answer:
    """The linear relaxation over some of the pairs, solved.

    Attributes:
        share: Part of each lead given to each rep; sparse (n_leads, n_reps).
        value: Its value, without the penalty.
        profit: Dual of each lead: what it keeps after prices; float64 (n_leads,).
        prices: Prices of the limits.
        ends: Prices of the ends of the quality bands.
        binds: Reps whose quality band has a price; bool (n_reps,).
        missing: Quality outside each rep's band, in leads of mean quality;
            float64 (n_reps,).
        slack: What the duals may be off by.
    """

    share: sp.csr_array
    value: float
    profit: FloatArray
    prices: Prices
    ends: QualityPrices
    binds: BoolArray
    missing: FloatArray
    slack: float


@dataclass(frozen=True, eq=False)
class Whole:
    """The best whole plan.

    Attributes:
        rep_of: Rep of each lead, or None when no whole plan was found.
        bound: Value that no whole plan over these pairs exceeds.
        impossible: Whether it is certain that there is no whole plan.
    """

    rep_of: IntArray | None
    bound: float
    impossible: bool


class QualityModel:
    """The model over some of the pairs.

    Columns are the pairs, then Q, then per rep the quality above and below its band, at
    a penalty in the relaxation, so that it always has an answer. Values and qualities
    are scaled to sizes of about 1.
    """

    def __init__(
        self, problem: Problem, limits: Limits, band: QualityBand, active: BoolArray
    ) -> None:
        self.limits, self.band = limits, band
        self.shape = active.shape
        self.lead, self.rep = np.nonzero(active)
        self.mean = mean_quality(quality_of(problem))
        self.quality = quality_of(problem)[self.lead] / self.mean
        value = problem.value[self.lead, self.rep].astype(np.float64)
        self.size = float(np.abs(value).max(initial=0.0)) or 1.0
        self.value = value / self.size
        self.at_most, self.most = self._at_most()
        self.exactly, self.right = self._exactly()

    def relaxed(self, penalty: float) -> Answer:
        """Solve the linear relaxation; duals become prices.

        Args:
            penalty: Value lost per mean lead's quality outside the bands.

        Raises:
            SolverStopped: HiGHS failed.
        """
        n_apart = 2 * self.limits.n_reps
        cost = np.concatenate(
            [-self.value, [0.0], np.full(n_apart, penalty / self.size)]
        )
        # The stubs know no sparse matrices.
        answer = linprog(  # type: ignore[call-overload]
            cost,
            self.at_most,
            self.most,
            self.exactly,
            self.right,
            bounds=(0, None),
            method="highs-ipm",
        )
        if answer.x is None:
            raise SolverStopped(f"HiGHS stopped: {answer.message}")
        dual = np.maximum(-answer.ineqlin.marginals, 0.0) * self.size
        return self._read(answer.x, dual, answer.eqlin.marginals * self.size)

    def whole(self, seconds: float) -> Whole:
        """Solve it in whole leads, every band kept.

        Args:
            seconds: Time limit.
        """
        n_pairs, n_apart = len(self.lead), 2 * self.limits.n_reps
        cost = np.concatenate([-self.value, np.zeros(1 + n_apart)])
        most = np.concatenate([np.ones(n_pairs), [np.inf], np.zeros(n_apart)])
        answer = milp(
            cost,
            constraints=[
                LinearConstraint(self.at_most, -np.inf, self.most),
                LinearConstraint(self.exactly, self.right, self.right),
            ],
            bounds=Bounds(0, most),
            integrality=(np.arange(len(cost)) < n_pairs).astype(np.int64),
            options={"time_limit": seconds, "mip_rel_gap": WHOLE_GAP},
        )
        if answer.x is None:
            return Whole(None, np.inf, bool(answer.status == INFEASIBLE))
        chosen = answer.x[:n_pairs] > HALF
        rep_of = np.full(self.shape[0], UNASSIGNED, np.int64)
        rep_of[self.lead[chosen]] = self.rep[chosen]
        # HiGHS has no bound to tell when presolve left nothing to solve.
        bound = -np.inf if answer.mip_dual_bound is None else answer.mip_dual_bound
        return Whole(rep_of, -float(bound) * self.size, False)

    def _at_most(self) -> tuple[sp.csr_array, FloatArray]:
        limits, n_leads, n_reps = self.limits, self.shape[0], self.limits.n_reps
        one = np.ones(len(self.lead))
        per_rep = _rows(self.rep, n_reps, one)
        quality = _rows(self.rep, n_reps, self.quality)
        apart, none = sp.eye_array(n_reps), sp.csr_array((n_reps, n_reps))
        blocks: list[list[sp.sparray | None]] = [
            [_rows(self.lead, n_leads, one), None, None, None],
            [per_rep, None, None, None],
            [-per_rep, None, None, None],
            [quality, sp.csr_array(-self.band.high[:, None]), -apart, none],
            [-quality, sp.csr_array(self.band.low[:, None]), none, -apart],
        ]
        most = [
            np.ones(n_leads),
            np.minimum(limits.high, n_leads),
            -limits.low,
            np.zeros(2 * n_reps),
        ]
        if limits.groups is not None:
            of_group = limits.groups.of_rep[self.rep]
            per_group = _rows(of_group, limits.n_groups, one)
            blocks += [[per_group, None, None, None], [-per_group, None, None, None]]
            most += [np.minimum(limits.groups.high, n_leads), -limits.groups.low]
        stacked = sp.block_array(blocks)
        return sp.csr_array(stacked), np.concatenate(most)

    def _exactly(self) -> tuple[sp.csr_array, FloatArray]:
        n_apart = 2 * self.limits.n_reps
        rows = [np.concatenate([self.quality, [-1.0], np.zeros(n_apart)])]
        right = [0.0]
        if self.limits.n_given is not None:
            ones = np.ones(len(self.lead))
            rows.append(np.concatenate([ones, np.zeros(1 + n_apart)]))
            right.append(float(self.limits.n_given))
        return sp.csr_array(np.stack(rows)), np.array(right)

    def _read(self, x: FloatArray, dual: FloatArray, exact: FloatArray) -> Answer:
        n_leads, n_reps = self.shape
        n_groups, n_pairs = self.limits.n_groups, len(self.lead)
        profit, high, low, above, below, group_high, group_low = np.split(
            dual, np.cumsum([n_leads, n_reps, n_reps, n_reps, n_reps, n_groups])
        )
        rep, group = high - low, group_high - group_low
        if self.limits.groups is not None:
            rep = rep + group[self.limits.groups.of_rep]
        stay = float(exact[1]) if self.limits.n_given is not None else 0.0
        pairs = (x[:n_pairs], (self.lead, self.rep))
        apart = x[n_pairs + 1 :]
        return Answer(
            share=sp.csr_array(pairs, shape=self.shape),
            value=float(self.value @ x[:n_pairs]) * self.size,
            profit=profit - stay,
            prices=Prices(rep, group, stay),
            ends=QualityPrices(above / self.mean, below / self.mean),
            binds=above + below > HIGHS_TOLERANCE * self.size,
            missing=apart[:n_reps] + apart[n_reps:],
            slack=HIGHS_TOLERANCE * self.size,
        )


def _rows(row: IntArray, n_rows: int, coefficient: FloatArray) -> sp.coo_array:
    """One row per name in ``row``, one column per entry."""
    return sp.coo_array((coefficient, (row, np.arange(len(row)))), (n_rows, len(row)))
