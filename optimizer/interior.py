"""Linear programs over leads with many choices and few common rows, from the inside.

Sets        i in leads, k in the pairs of a lead, t among a few thousand other columns
Maximize    sum of v[k] x[k] - sum of d[t] y[t]
Such that   lead[i]   sum over the pairs k of i of x[k] = 1
            row[r]    sum of A[r,k] x[k] + sum of B[r,t] y[t] = b[r]
            x >= 0,   0 <= y[t] <= u[t]

A general solver factors all rows at every step. Here those of the leads, however many,
are eliminated by hand: each has its own columns. What is left is one dense symmetric
system of the common rows, about three per rep. The method is Mehrotra's predictor and
corrector (On the implementation of a primal-dual interior point method, SIAM J. Optim.
2, 1992), both sides infeasible at first, with upper bounds (Wright, Primal-Dual
Interior-Point Methods, 1997, chapter 10).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from optimizer.interior_system import Pairs, Rows, System
from optimizer.problem import FloatArray

MOST_STEPS = 100
"""Steps before the method is taken to have failed."""
TO_THE_EDGE = 0.9995
"""Part of the way to the edge that a step may go."""
MOST_SOLVES = 3
"""Solves for one step: after the first for what rounding left of the rows."""
ROUNDING = 1e-9
"""What is left of the rows is none below this, over their right-hand sides."""
SHORTEST = 1e-5
"""Steps shorter than this lead nowhere."""


@dataclass(frozen=True, eq=False)
class Inside:
    """The optimum, up to the accuracy asked.

    Attributes:
        share: Part of each lead given to each of its pairs; float64 (n_pairs,).
        other: The other columns; float64 (n_others,).
        profit: Dual of each lead; float64 (n_leads,).
        price: Dual of each common row; float64 (n_rows,).
    """

    share: FloatArray
    other: FloatArray
    profit: FloatArray
    price: FloatArray


def solve_inside(pairs: Pairs, rows: Rows, accuracy: float) -> Inside | None:
    """Solve it; None when the method got stuck.

    Args:
        pairs: The columns of the leads.
        rows: The common rows.
        accuracy: Gap over the value, and residuals over the right-hand sides.
    """
    point = _Point(pairs, rows)
    # Threads that wait for each other cost more than they bring at this size, and ten
    # times as much on a busy machine.
    with threadpool_limits(1, user_api="blas"):
        for _ in range(MOST_STEPS):
            if point.error() <= accuracy:
                share, other = np.split(point.x, [len(pairs.place)])
                return Inside(share, other, -point.lead, -point.row)
            if not point.advance():
                break
    return None


class _Step(NamedTuple):
    """A change of each part of a point; arrays as in ``_Point``."""

    x: FloatArray
    lead: FloatArray
    row: FloatArray
    z: FloatArray
    room: FloatArray
    v: FloatArray


class _Point:
    """A point inside, on its way.

    Attributes:
        x: Pairs, then other columns; positive; float64 (n_pairs + n_others,).
        lead: Multiplier of each lead's row; float64 (n_leads,).
        row: Multiplier of each common row; float64 (n_rows,).
        z: Reduced cost of each column; positive, as ``x``.
        room: How far each bounded column is below its bound; positive;
            float64 (n_bounded,).
        v: Multiplier of each upper bound; positive; float64 (n_bounded,).
    """

    def __init__(self, pairs: Pairs, rows: Rows) -> None:
        self.pairs, self.rows, self.system = pairs, rows, System(pairs, rows)
        self.right = 1.0 + float(np.abs(rows.right).max(initial=0.0))
        n_of_lead = np.diff(pairs.first)
        self.lead_of = np.repeat(np.arange(len(n_of_lead)), n_of_lead)
        self.n_places = rows.of_place.shape[1] // 2
        self.cost = np.concatenate([-pairs.value, rows.cost])
        bounded = np.flatnonzero(np.isfinite(rows.most))
        self.bounded, self.most = len(pairs.place) + bounded, rows.most[bounded]
        self.x = np.concatenate([1.0 / n_of_lead[self.lead_of], rows.start])
        self.room = self.most - rows.start[bounded]
        self.lead = np.minimum.reduceat(-pairs.value, pairs.first[:-1]) - 1.0
        self.row = np.zeros(len(rows.right))
        reduced = np.concatenate([-pairs.value - self.lead[self.lead_of], rows.cost])
        self.z, self.v = np.maximum(reduced, 1.0), np.ones(len(bounded))
        self._measure()

    def error(self) -> float:
        """The largest of the gap and the residuals, each over its own size."""
        return max(
            self.gap / (1.0 + abs(float(self.cost @ self.x))),
            float(np.abs(self.off_lead).max()),
            float(np.abs(self.off_row).max(initial=0.0)) / self.right,
            float(np.abs(self.off_room).max(initial=0.0)) / self.right,
            float(np.abs(self.off_cost).max()),
        )

    def advance(self) -> bool:
        """Take one step; False when it led nowhere."""
        if not self._factor():
            return False
        straight = self._step(-self.x * self.z, -self.room * self.v)
        primal, dual = self._reach(straight)
        left = (self.x + primal * straight.x) @ (self.z + dual * straight.z)
        left += (self.room + primal * straight.room) @ (self.v + dual * straight.v)
        mean = self.gap / (len(self.x) + len(self.room))
        aim = mean * (float(left) / self.gap) ** 3
        step = self._step(
            aim - straight.x * straight.z - self.x * self.z,
            aim - straight.room * straight.v - self.room * self.v,
        )
        primal, dual = self._reach(step)
        self.x += TO_THE_EDGE * primal * step.x
        self.room += TO_THE_EDGE * primal * step.room
        self.lead += TO_THE_EDGE * dual * step.lead
        self.row += TO_THE_EDGE * dual * step.row
        self.z += TO_THE_EDGE * dual * step.z
        self.v += TO_THE_EDGE * dual * step.v
        self._measure()
        return min(primal, dual) > SHORTEST

    def _measure(self) -> None:
        """Find what each equation still lacks, and the gap."""
        self.off_lead = 1.0 - self._per_lead(self.x)
        self.off_row = self.rows.right - self._per_row(self.x)
        self.off_room = self.most - self.x[self.bounded] - self.room
        self.off_cost = self.cost - self._per_column(self.lead, self.row) - self.z
        self.off_cost[self.bounded] += self.v
        self.gap = float(self.x @ self.z + self.room @ self.v)

    def _factor(self) -> bool:
        """Factor the system of this point; False when it cannot be done."""
        ease = self.z / self.x
        ease[self.bounded] += self.v / self.room
        self.ease = 1.0 / ease
        self.weight = self._per_lead(self.ease)
        return self.system.factor(self.ease)

    def _step(self, to_x: FloatArray, to_room: FloatArray) -> _Step:
        """The step that makes up what is lacking and changes the products so much."""
        n_pairs = len(self.lead_of)
        against = self.off_cost - to_x / self.x
        against[self.bounded] += (to_room - self.v * self.off_room) / self.room
        lead = (self.off_lead + self._per_lead(self.ease * against)) / self.weight
        row = np.zeros_like(self.row)
        x = self.ease * (self._per_column(lead, row) - against)
        off = self.off_row - self._per_row(x)
        for _ in range(MOST_SOLVES):
            more = self.system.solve(off)
            along = self._per_column(np.zeros_like(lead), more)
            back = self._per_lead(self.ease * along) / self.weight
            along[:n_pairs] -= back[self.lead_of]
            x += self.ease * along
            lead, row = lead - back, row + more
            off = self.off_row - self._per_row(x)
            if np.abs(off).max(initial=0.0) <= ROUNDING * self.right:
                break
        room = self.off_room - x[self.bounded]
        z = (to_x - self.z * x) / self.x
        return _Step(x, lead, row, z, room, (to_room - self.v * room) / self.room)

    def _reach(self, step: _Step) -> tuple[float, float]:
        """Parts of a step that stay inside, in ``x`` and in the multipliers."""
        return (
            min(1.0, _to_edge(self.x, step.x), _to_edge(self.room, step.room)),
            min(1.0, _to_edge(self.z, step.z), _to_edge(self.v, step.v)),
        )

    def _per_lead(self, x: FloatArray) -> FloatArray:
        return np.add.reduceat(x[: len(self.lead_of)], self.pairs.first[:-1])

    def _per_row(self, x: FloatArray) -> FloatArray:
        share, other = np.split(x, [len(self.lead_of)])
        place, quality = self.pairs.place, self.pairs.quality
        leads = np.bincount(place, share, self.n_places)
        given = np.bincount(place, quality * share, self.n_places)
        of_place = self.rows.of_place @ np.concatenate([leads, given])
        return np.asarray(of_place + self.rows.of_other @ other)

    def _per_column(self, lead: FloatArray, row: FloatArray) -> FloatArray:
        place, quality = self.pairs.place, self.pairs.quality
        per_lead, per_quality = np.split(self.rows.of_place.T @ row, 2)
        of_pair = lead[self.lead_of] + per_lead[place] + quality * per_quality[place]
        return np.concatenate([of_pair, self.rows.of_other.T @ row])


def _to_edge(at: FloatArray, step: FloatArray) -> float:
    """How many such steps lead to the edge."""
    down = step < 0.0
    return float((-at[down] / step[down]).min(initial=np.inf))
