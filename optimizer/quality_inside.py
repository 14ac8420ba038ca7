"""Quality bands stated for ``optimizer.interior``, over some of the pairs of a batch.

The same relaxation as ``optimizer.quality_model``. With Y[j] the quality given to rep j
and Q that given to all, the rows that leads have in common are

    load[j]     leads of j - room                         = low[j]
    group[g]    leads of g - room                         = low[g]
    least[j]    Y[j] - a[j] Q - over[j] + below[j]        = 0
    most[j]     over[j] + under[j] - above[j]             = (b[j] - a[j]) Q
    total       sum of Y[j] - Q                           = 0
    stay        leads given to nobody                     = n_leads - n_given

where the room is bounded and ``below`` and ``above`` are paid for. Being unassigned is
a place like the reps, the last one.
"""

import numpy as np
import scipy.sparse as sp

from optimizer.interior import Inside, solve_inside
from optimizer.interior_system import Pairs, Rows
from optimizer.network import Limits
from optimizer.prices import Prices, QualityPrices
from optimizer.problem import BoolArray, FloatArray, IntArray, Problem
from optimizer.quality_model import Answer
from optimizer.shares import QualityBand, mean_quality, quality_of

INSIDE = 1e-2
"""Quality outside a band where that starts, in leads of mean quality."""
BINDS = 1e-5
"""Quality prices below this, for values of size 1, are none."""


class InsideModel:
    """The relaxation over some of the pairs, for the interior point method.

    Values are scaled to a mean size of 1, qualities to a mean of 1.

    Args:
        problem: The batch, with ``quality``.
        limits: Limits of reps and groups; reps of no slots keep no pairs.
        band: Limits of quality shares.
        active: Pairs to use, a plan within the limits among them.
    """

    def __init__(
        self, problem: Problem, limits: Limits, band: QualityBand, active: BoolArray
    ) -> None:
        self.problem, self.limits, self.band = problem, limits, band
        n_leads, n_reps = problem.n_leads, problem.n_reps
        self.shape = (n_leads, n_reps)
        self.n_stay = n_leads - (0 if limits.n_given is None else limits.n_given)
        usable = np.zeros((n_leads, n_reps + 1), np.bool_)
        usable[:, :n_reps] = active & (limits.high > 0)
        usable[:, n_reps] = self.n_stay > 0
        self.lead, place = np.nonzero(usable)
        given = place < n_reps
        value = np.zeros(len(place))
        value[given] = problem.value[self.lead[given], place[given]]
        self.size = float(np.abs(value).mean()) or 1.0
        self.mean = mean_quality(quality_of(problem))
        quality = np.where(given, quality_of(problem)[self.lead] / self.mean, 0.0)
        self.mean_of_pairs = float(quality[given].mean()) if given.any() else 1.0
        first = np.searchsorted(self.lead, np.arange(n_leads + 1))
        self.pairs = Pairs(first, place, quality, value / self.size)

    def relaxed(self, penalty: float, accuracy: float) -> Answer | None:
        """Solve the linear relaxation; None when the method got stuck.

        Args:
            penalty: Value lost per mean lead's quality outside the bands.
            accuracy: Gap over the value.
        """
        if (np.diff(self.pairs.first) == 0).any():
            return None
        inside = solve_inside(self.pairs, self._rows(penalty / self.size), accuracy)
        return None if inside is None else self._read(inside, accuracy)

    def _rows(self, penalty: float) -> Rows:
        """The rows in common, and the columns beside the pairs."""
        n_leads, n_reps = self.shape
        low, room = self._low_and_room()
        wide = room > 0
        total = max(n_leads * self.mean_of_pairs, INSIDE)
        middle = (self.band.high - self.band.low) * total / 2 + INSIDE
        free, dear = np.zeros(n_reps), np.full(n_reps, penalty)
        paid, unbounded = np.full(n_reps, INSIDE), np.full(4 * n_reps + 1, np.inf)
        stay = [self.n_stay] if self._counts_staying else []
        return Rows(
            of_place=self._of_place(),
            of_other=self._of_other(wide),
            right=np.concatenate([low, np.zeros(2 * n_reps + 1), stay]),
            cost=np.concatenate([np.zeros(wide.sum()), free, dear, free, dear, [0.0]]),
            most=np.concatenate([room[wide], unbounded]),
            start=np.concatenate([room[wide] / 2, middle, paid, middle, paid, [total]]),
        )

    @property
    def _counts_staying(self) -> bool:
        return self.limits.n_given is not None and self.n_stay > 0

    def _low_and_room(self) -> tuple[FloatArray, FloatArray]:
        """Lower limits of reps and groups, and how far the upper ones are from them."""
        low, high, groups = self.limits.low, self.limits.high, self.limits.groups
        if groups is not None:
            low = np.concatenate([low, groups.low])
            high = np.concatenate([high, groups.high])
        room = np.minimum(high, self.shape[0]) - low
        return low.astype(np.float64), np.maximum(room, 0).astype(np.float64)

    def _of_place(self) -> sp.csr_array:
        n_reps, groups = self.shape[1], self.limits.groups
        n_places = n_reps + 1
        each = sp.eye_array(n_reps, n_places)
        blocks: list[list[sp.sparray | None]] = [
            [each, None],
            [None, each],
            [None, sp.csr_array((n_reps, n_places))],
        ]
        if groups is not None:
            member = (groups.of_rep, np.arange(n_reps))
            shape = (self.limits.n_groups, n_places)
            blocks.insert(1, [sp.coo_array((np.ones(n_reps), member), shape), None])
        nobody = (np.arange(n_places) == n_reps).astype(np.float64)[None]
        blocks.append([None, sp.csr_array(1.0 - nobody)])
        if self._counts_staying:
            blocks.append([sp.csr_array(nobody), None])
        return sp.csr_array(sp.block_array(blocks))

    def _of_other(self, wide: BoolArray) -> sp.csr_array:
        """Columns: the room that there is, over, below, under, above, Q."""
        n_reps = self.shape[1]
        each, low = sp.eye_array(n_reps), self.band.low[:, None]
        width = sp.csr_array(self.band.high[:, None] - low)
        room = -sp.eye_array(len(wide)).tocsc()[:, wide]
        one = sp.csr_array([[-1.0]])
        blocks: list[list[sp.sparray | None]] = [
            [room, None, None, None, None, sp.csr_array((len(wide), 1))],
            [None, -each, each, None, None, sp.csr_array(-low)],
            [None, each, None, each, -each, -width],
            [None, None, None, None, None, one],
        ]
        if self._counts_staying:
            blocks.append([None, None, None, None, None, 0.0 * one])
        return sp.csr_array(sp.block_array(blocks))

    def _read(self, inside: Inside, accuracy: float) -> Answer:
        n_reps = self.shape[1]
        n_groups = self.limits.n_groups
        rep, group, least, most, rest = np.split(
            inside.price * self.size,
            np.cumsum([n_reps, n_groups, n_reps, n_reps]),
        )
        if self.limits.groups is not None:
            rep = rep + group[self.limits.groups.of_rep]
        above, below = np.maximum(most, 0.0), np.maximum(most - least, 0.0)
        ends = QualityPrices(above / self.mean, below / self.mean)
        profit = inside.profit * self.size
        closed = np.flatnonzero(self.limits.high == 0)
        rep[closed] = self._most_paid(closed, ends.paid(self.band), profit)
        # Where everybody has to be given somebody, nobody is tempted to stay.
        stay = float(rest[1]) if self._counts_staying else 0.0
        if self.n_stay == 0:
            stay = -float(profit.min(initial=0.0))
        given = self.pairs.place < n_reps
        pairs = (inside.share[given], (self.lead[given], self.pairs.place[given]))
        missing = inside.other[-4 * n_reps - 1 : -1].reshape(4, n_reps)[[1, 3]]
        return Answer(
            share=sp.csr_array(pairs, shape=self.shape),
            value=float(self.pairs.value @ inside.share) * self.size,
            profit=profit,
            prices=Prices(rep, group, stay),
            ends=ends,
            binds=above + below > BINDS * self.size,
            missing=missing.sum(axis=0),
            slack=accuracy * self.size,
        )

    def _most_paid(
        self, closed: IntArray, quality_price: FloatArray, profit: FloatArray
    ) -> FloatArray:
        """The lowest price at which no lead wants a slot of these reps, 0 or more."""
        problem = self.problem
        cost = np.multiply.outer(quality_of(problem), quality_price[closed])
        gain = problem.value[:, closed] - cost - profit[:, None]
        where = problem.eligible[:, closed]
        return np.asarray(gain.max(axis=0, initial=0.0, where=where))
