"""One lead now, looking ahead: the rep with the highest value minus shadow price.

A slot given now is missing later. Its price is what it would earn over the rest of the
window (``optimizer.futures``); taking it off the value is the bid-price control of
revenue management (Talluri and van Ryzin, 2004, ch. 3). Between two solves a rep who
gets leads faster than planned becomes dearer, one step of dual mirror descent a lead
(Balseiro, Lu and Mirrokni, 2023), so that a run of leads does not fall on one rep
(``Pacer``). With all prices 0 this is the greedy policy.

The exploration lottery is here too: some leads are given by lot, with the chance known,
so that later any policy can be judged from what happened (``draw_lottery``).
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from optimizer.kernels import give_by_lot
from optimizer.problem import (
    UNASSIGNED,
    BoolArray,
    FloatArray,
    IntArray,
    Plan,
    Problem,
)


class Choice(NamedTuple):
    """What one lead gets now.

    Attributes:
        rep: The chosen rep, or ``UNASSIGNED`` when nobody may take the lead or every
            open slot is worth more than the lead.
        ranking: Eligible reps with an open slot, best first; int64 (n_open,).
        net: Value minus price of each rep in ``ranking``; float64 (n_open,).
    """

    rep: int
    ranking: IntArray
    net: FloatArray


def choose(
    value: FloatArray,
    eligible: BoolArray,
    open_slots: IntArray,
    price: FloatArray,
    *,
    waited: FloatArray | None = None,
    rng: np.random.Generator | None = None,
    keep_losing: bool = True,
) -> Choice:
    """The best rep for one lead: highest value minus price.

    Ties go to who waited longest, then to a draw, so that a rep's place in the arrays
    changes nobody's expected share.

    Args:
        value: Expected value with each rep; float64 (n_reps,), finite where eligible.
        eligible: Reps who may take the lead; bool (n_reps,).
        open_slots: Slots left per rep; int64 (n_reps,).
        price: Shadow price per slot, same unit as ``value``; float64 (n_reps,).
        waited: Seconds since each rep was last given a lead; float64 (n_reps,).
        rng: Draws among full ties; the first of them in the arrays when not given.
        keep_losing: Leave the lead unassigned when every net value is negative.
    """
    candidates = np.flatnonzero(eligible & (open_slots > 0))
    net = np.asarray(value[candidates] - price[candidates], dtype=np.float64)
    since = np.zeros(candidates.size) if waited is None else waited[candidates]
    lot = np.arange(candidates.size) if rng is None else rng.permutation(net.size)
    order = np.lexsort((lot, -since, -net))
    ranking, net = candidates[order], net[order]
    losing = net.size == 0 or (keep_losing and net[0] < 0)
    return Choice(UNASSIGNED if losing else int(ranking[0]), ranking, net)


class Pacer:
    """Prices between two solves: dearer where leads come faster than planned.

    Attributes:
        price: Prices now; float64 (n_reps,), >= 0.
    """

    def __init__(
        self,
        price: FloatArray,
        open_slots: IntArray,
        expected_leads: float,
        *,
        step: float,
    ) -> None:
        """Start from solved prices.

        Args:
            price: Prices of the last solve; float64 (n_reps,).
            open_slots: Slots left at the solve; int64 (n_reps,).
            expected_leads: Leads expected from then on, > 0.
            step: Change of price per lead ahead of plan, in units of value.
        """
        self.price = price.copy()
        self._planned = np.minimum(open_slots / max(expected_leads, 1.0), 1.0)
        self._step = step
        self._priced = price > 0

    def note(self, rep: int) -> None:
        """One lead went to ``rep``, or to nobody (``UNASSIGNED``)."""
        if self._step == 0:
            return
        self.price -= self._step * self._planned * self._priced
        if rep != UNASSIGNED:
            self.price[rep] += self._step
        np.maximum(self.price, 0.0, out=self.price)


def paced(
    price: FloatArray, planned: FloatArray, given: IntArray, step: float
) -> FloatArray:
    """Prices after leads were given since the solve, whatever their order.

    What a ``Pacer`` comes to where no price touches 0 on the way: any process can tell
    it from counts alone.

    Args:
        price: Prices of the last solve; float64 (n_reps,), >= 0.
        planned: Part of the leads expected from then on that each rep has slots for;
            float64 (n_reps,), in [0, 1].
        given: Leads given to each rep since; int64 (n_reps,).
        step: Change of price per lead ahead of plan, in units of value.

    Returns:
        float64 (n_reps,), >= 0.
    """
    if step == 0:
        return price
    due = planned * given.sum() * (price > 0)
    return np.asarray(np.maximum(price + step * (given - due), 0.0))


def draw_lottery(
    problem: Problem, in_lottery: BoolArray, rng: np.random.Generator
) -> tuple[Plan, Problem]:
    """Draw a rep for each lead of the lottery, before the others are shared out.

    In random order each draws among its eligible reps with an open slot, all equally
    likely. The propensity is that chance given the draws before it.

    Args:
        problem: The whole batch.
        in_lottery: Leads that entered the lottery; bool (n_leads,).
        rng: Every draw.

    Returns:
        The lottery's part of the plan, and what is left to solve: the same leads and
        reps, the lottery's leads eligible for nobody, and what each rep drew taken off
        its slots and its floor and put on its load.
    """
    order = rng.permutation(np.flatnonzero(in_lottery))
    open_slots = problem.capacity.copy()
    drawn, chance = np.empty(order.size, np.int64), np.empty(order.size)
    give_by_lot(
        problem.eligible[order], open_slots, rng.random(order.size), drawn, chance
    )
    rep_of = np.full(problem.n_leads, UNASSIGNED, dtype=np.int64)
    propensity = np.full(problem.n_leads, np.nan)
    rep_of[order], propensity[order] = drawn, chance
    taken = problem.capacity - open_slots
    rest = replace(
        problem,
        eligible=problem.eligible & ~in_lottery[:, None],
        capacity=open_slots,
        floor=np.maximum(problem.floor - taken, 0),
        load=taken if problem.load is None else problem.load + taken,
    )
    return Plan(rep_of, propensity), rest
