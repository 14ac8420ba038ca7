"""One lead now, looking ahead: the rep with the highest value minus shadow price.

A slot given now is missing later. Its price is what it would earn over the rest of the
window, found by sampling futures: leads like those that came before, as many as are
still expected, shared out optimally over the slots still open (``price_futures``).
Re-solved as the window runs down, this is the bid-price control of revenue management
(Talluri and van Ryzin, 2004, ch. 3) with certainty-equivalent re-solving (Jasin and
Kumar, 2012). Between two solves a rep who gets leads faster than planned becomes
dearer, one step of dual mirror descent a lead (Balseiro, Lu and Mirrokni, 2023), so
that a run of leads does not fall on one rep.

With all prices 0 this is the greedy policy.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from optimizer.problem import (
    UNASSIGNED,
    BoolArray,
    FloatArray,
    IntArray,
    PricedPlan,
    Problem,
)

Solver = Callable[[Problem], PricedPlan]


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


@dataclass(frozen=True, kw_only=True, slots=True)
class LookAhead:
    """How futures are sampled.

    Attributes:
        futures: Futures sampled per solve; at least 1.
        max_leads: Leads in one future at most; a longer one is thinned, its slots with
            it; at least 1.
        balance: Step of the balance term, in mean net values per lead over the square
            root of the leads expected; 0 switches it off.
    """

    futures: int = 4
    max_leads: int = 2000
    balance: float = 1.0

    def __post_init__(self) -> None:
        if self.futures < 1 or self.max_leads < 1:
            raise ValueError("futures and max_leads are at least 1.")
        if self.balance < 0:
            raise ValueError("balance is at least 0.")


def price_futures(
    arrivals: FloatArray,
    expected_leads: float,
    open_slots: IntArray,
    *,
    solve: Solver,
    look_ahead: LookAhead,
    rng: np.random.Generator,
) -> FloatArray:
    """Shadow price of each rep's next slot over the rest of the window.

    Each future draws a Poisson number of leads from those that came before and shares
    them out optimally; the prices are averaged.

    Args:
        arrivals: Values of leads that arrived before now, the ones to draw futures
            from; float64 (n_arrivals, n_reps), NaN where the pair is not eligible.
        expected_leads: Leads still expected in this window, >= 0.
        open_slots: Slots left per rep; int64 (n_reps,).
        solve: An exact solver that prices slots.
        look_ahead: How futures are sampled.
        rng: Every draw.

    Returns:
        Prices in units of value per slot; float64 (n_reps,), >= 0. All 0 when no lead
        came before or none is expected.
    """
    total = np.zeros(open_slots.shape[0])
    if arrivals.shape[0] == 0 or expected_leads <= 0:
        return total
    for _ in range(look_ahead.futures):
        n_leads = int(rng.poisson(expected_leads))
        keep = min(1.0, look_ahead.max_leads / max(n_leads, 1))
        drawn = rng.integers(0, arrivals.shape[0], size=int(n_leads * keep))
        slots = _thinned(open_slots, keep, rng)
        future = arrivals[drawn]
        eligible = np.isfinite(future)
        problem = Problem(
            np.where(eligible, future, 0.0), eligible, slots, np.zeros_like(slots)
        )
        total += np.maximum(solve(problem).shadow_price, 0.0)
    return total / look_ahead.futures


def _thinned(slots: IntArray, keep: float, rng: np.random.Generator) -> IntArray:
    """Slots scaled by ``keep``; fractions by lot, so that the mean is right."""
    if keep >= 1.0:
        return slots
    exact = slots * keep
    whole = np.floor(exact)
    return (whole + (rng.random(slots.shape) < exact - whole)).astype(np.int64)


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
