"""The linear system of one step inside, made small before it is factored.

With e the ease of each column (how readily it changes), the step needs A e A' of the
rows in common, once those of the leads are eliminated. Two kinds of rows and columns
would keep it larger than it has to be, and are eliminated by hand as well: lean rows,
which no lead has a part in, and wide columns, the only ones that lean rows have in
common, so that without them the lean rows' part is diagonal.
"""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from optimizer.interior_kernels import sum_exchanges
from optimizer.problem import FloatArray, IntArray

SHIFTS = (1e-13, 1e-10, 1e-7)
"""Parts of its diagonal by which the dense part is made definite, as need be."""


class Pairs(NamedTuple):
    """The columns of the leads, ordered by lead.

    Attributes:
        first: First pair of each lead and the end; int64 (n_leads + 1,); no lead is
            without a pair.
        place: Place of each pair, a rep or being unassigned; int64 (n_pairs,).
        quality: Quality that the pair gives its place; float64 (n_pairs,).
        value: What the pair is worth, of size 1; float64 (n_pairs,).
    """

    first: IntArray
    place: IntArray
    quality: FloatArray
    value: FloatArray


class Rows(NamedTuple):
    """The rows that leads have in common.

    Attributes:
        of_place: What a lead and, in the other half of the columns, a unit of quality
            at each place count for; sparse (n_rows, 2 n_places).
        of_other: Coefficients of the other columns; sparse (n_rows, n_others). Rows
            that are empty in ``of_place`` may have a column in common.
        right: Right-hand sides; float64 (n_rows,).
        cost: Cost of the other columns; float64 (n_others,).
        most: Upper bounds of the other columns, may be infinite, positive;
            float64 (n_others,).
        start: Where the other columns may start, inside; float64 (n_others,).
    """

    of_place: sp.csr_array
    of_other: sp.csr_array
    right: FloatArray
    cost: FloatArray
    most: FloatArray
    start: FloatArray


class System:
    """The system of one linear program, factored again at every step.

    Args:
        pairs: The columns of the leads.
        rows: The rows in common.
    """

    def __init__(self, pairs: Pairs, rows: Rows) -> None:
        self.pairs = pairs
        n_places = rows.of_place.shape[1] // 2
        self.sums = np.empty((3, n_places, n_places))
        is_lean = np.diff(rows.of_place.indptr) == 0
        self.full, self.lean = np.flatnonzero(~is_lean), np.flatnonzero(is_lean)
        self.of_place = sp.csr_array(rows.of_place[self.full])
        n_lean = np.diff(rows.of_other[self.lean].tocsc().indptr)
        self.is_wide = n_lean > 1
        wide = rows.of_other[:, np.flatnonzero(self.is_wide)].toarray()
        self.full_wide, self.lean_wide = wide[self.full], wide[self.lean]
        narrow = sp.csr_array(rows.of_other * ~self.is_wide)
        self.of_full, self.of_lean = narrow[self.full], narrow[self.lean]

    def factor(self, ease: FloatArray) -> bool:
        """Factor it; False when it cannot be done.

        Args:
            ease: Of the pairs, then of the other columns; positive;
                float64 (n_pairs + n_others,).
        """
        of_pairs, of_others = np.split(ease, [len(self.pairs.place)])
        scaled = sp.csr_array(self.of_full * of_others)
        self.lean_part = self.of_lean.power(2) @ of_others
        self.between = sp.csr_array(scaled @ self.of_lean.T)
        through = sp.csr_array(self.between / self.lean_part) @ self.between.T
        dense = self._of_pairs(of_pairs)
        dense += (scaled @ self.of_full.T - through).toarray()
        # What is left of the wide columns once the lean rows are gone.
        self.wide_lean = self.lean_wide / self.lean_part[:, None]
        self.wide = self.full_wide - self.between @ self.wide_lean
        stiffness = np.diag(1.0 / of_others[self.is_wide])
        self.ease = np.linalg.inv(stiffness + self.lean_wide.T @ self.wide_lean)
        dense += self.wide @ self.ease @ self.wide.T
        return self._factor_dense(dense)

    def solve(self, right: FloatArray) -> FloatArray:
        """Multipliers of the rows in common; float64 (n_rows,)."""
        lean = right[self.lean] / self.lean_part
        through = self.ease @ (self.wide_lean.T @ right[self.lean])
        rest = right[self.full] - self.between @ lean - self.wide @ through
        full = cho_solve(self.dense, rest, check_finite=False)
        through += self.ease @ (self.wide.T @ full)
        found = np.empty_like(right)
        found[self.full] = full
        found[self.lean] = (
            lean - (self.between.T @ full) / self.lean_part - self.wide_lean @ through
        )
        return found

    def _of_pairs(self, ease: FloatArray) -> FloatArray:
        first, place, quality, _ = self.pairs
        sum_exchanges(first, place, quality, ease, self.sums)
        sums = self.sums
        places = np.block([[sums[0], sums[1]], [sums[1].T, sums[2]]])
        return np.asarray(self.of_place @ (self.of_place @ places).T)

    def _factor_dense(self, dense: FloatArray) -> bool:
        at = np.arange(len(dense))
        diagonal = dense[at, at].copy()
        for shift in SHIFTS:
            dense[at, at] = diagonal * (1.0 + shift) + shift
            try:
                self.dense = cho_factor(dense, lower=True, check_finite=False)
            except LinAlgError:
                continue
            return True
        return False
