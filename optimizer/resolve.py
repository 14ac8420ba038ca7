"""One batch shared again and again within different limits, each time exactly.

A flow over all pairs takes seconds for millions of them, and almost none could pay at
the right prices. So the first answer is a flow over all pairs; later ones are flows
over the few that came near paying before, priced against all pairs in whole units, and
repeated with those that pay until none does (column generation). The last answer is
optimal over all pairs: its prices prove it, as they would any other.
"""

import dataclasses

import numpy as np

from optimizer.kernels import add_paying_pairs, nearest_pairs
from optimizer.network import Limits, Pairs, Sharing, share_within
from optimizer.prices import Exchange, Prices, prices_of
from optimizer.problem import BoolArray, Problem

N_NEAREST = 12
"""Reps per lead that become arcs after a solve; more are added when they pay."""
WORTH_IT = 50_000
"""Below this many pairs a flow over all of them is quicker than pricing."""


class Resolver:
    """Shares one batch within one set of limits after another.

    Args:
        problem: The batch; its own limits count only where they are given again.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self._active: BoolArray | None = None
        self._scale: float | None = None

    def share(self, limits: Limits) -> tuple[Sharing, Prices] | None:
        """The most valuable sharing within the limits with its prices, if there is one.

        Raises:
            SolverStopped: The flow failed for a reason that is not the limits'.
        """
        sharing = self._near(limits)
        if sharing is None:
            sharing = share_within(Pairs(self.problem, scale=self._scale), limits)
        if sharing is None:
            return None
        prices = prices_of(self.problem, limits, sharing)
        self._remember(sharing, prices)
        return sharing, prices

    def _near(self, limits: Limits) -> Sharing | None:
        """The same over the pairs that came near paying; None when they do not do."""
        if self._active is None:
            return None
        problem, active = self.problem, self._active
        while True:
            part = dataclasses.replace(problem, eligible=active)
            sharing = share_within(Pairs(problem, active, self._scale), limits)
            if sharing is None:
                return None
            units = Exchange(part, limits, sharing).potentials()
            n_added = add_paying_pairs(
                problem.value,
                problem.eligible,
                sharing.rep_of,
                sharing.scale,
                units,
                active,
            )
            if n_added == 0:
                return sharing

    def _remember(self, sharing: Sharing, prices: Prices) -> None:
        problem = self.problem
        self._scale = sharing.scale
        if problem.eligible.sum() < WORTH_IT:
            return
        if self._active is None:
            self._active = np.zeros_like(problem.eligible)
        nearest_pairs(
            problem.value, problem.eligible, prices.rep, N_NEAREST, self._active
        )
        leads = np.flatnonzero(sharing.rep_of >= 0)
        self._active[leads, sharing.rep_of[leads]] = True
