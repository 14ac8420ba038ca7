"""Which single band, widened how far, lets every quality band be kept.

That a width is too narrow is proved by prices, and the same prices tell from which
width on they prove nothing any more: the next width worth trying. So a few relaxations
are enough (the cutting planes of Kelley, J. SIAM 8, 1960, for one number). The width
found is tried with a whole plan before it is named. Large batches take long: when time
is up, the answer says which bands it does not know of.
"""

import dataclasses
import time
from collections.abc import Iterator

import numpy as np

from optimizer.collisions import NEAR, narrowest
from optimizer.dial import OutsideBands, Planner
from optimizer.prices import bound_within
from optimizer.problem import Plan, Problem
from optimizer.quality import Relaxed
from optimizer.shares import OUTSIDE, limits_of, quality_band_of
from optimizer.verify import total_value
from rightrep.errors import SolverStopped

BANDS = ("quality_band", "load_band", "group_band")
MOST_WIDTHS = 12
"""Widths tried before a band is not among the remedies."""
SECONDS = 120.0
"""Time after which no other width is tried."""
WIDER = 1.25
"""Factor by which a width grows that no whole plan was found for."""


def quality_remedies(planner: Planner, proof: Relaxed | None) -> Iterator[str]:
    """Each single band whose widening is enough, with what a plan is then worth.

    Args:
        planner: Whose quality bands cannot be kept at dial 0.
        proof: The relaxation whose prices prove it; None where only whole plans fail.
    """
    ends = time.monotonic() + SECONDS
    for field in BANDS:
        width = getattr(planner.fairness, field)
        if width is None:
            continue
        name = field.replace("_", " ")
        try:
            found = _enough(planner, field, proof, ends)
        except _TimeIsUpError:
            yield f"Time was up before it was known whether a wider {name} is enough."
            continue
        if found is not None:
            enough, worth = found
            yield (
                f"Widen the {name} from {width:g} to {enough:.2f}: "
                f"a plan is then worth {worth:,.0f}."
            )


class _TimeIsUpError(Exception):
    """No other width is tried."""


def _enough(
    planner: Planner, field: str, proof: Relaxed | None, ends: float
) -> tuple[float, float] | None:
    """A width that is enough, and what the plan found there is worth.

    Raises:
        _TimeIsUpError: It was past ``ends`` before one was found.
    """
    width = float(getattr(planner.fairness, field))
    known = None if proof is None else proof.active
    for _ in range(MOST_WIDTHS):
        wider = _beyond(planner, field, width, proof)
        if wider is None:
            return None
        if time.monotonic() > ends:
            raise _TimeIsUpError
        width = wider
        looser = dataclasses.replace(planner.fairness, **{field: width})
        trial = Planner(planner.problem, looser, planner.resolver)
        nearest = trial.nearest(known)
        proof = nearest if nearest.bound < -OUTSIDE else None
        known = nearest.active
        if proof is None:
            worth = _worth(trial)
            if worth is not None:
                return width, worth
    return None


def _beyond(
    planner: Planner, field: str, width: float, proof: Relaxed | None
) -> float | None:
    """The first width for which a proof does not hold; a wider one without a proof."""
    if proof is None:
        return _up(max(width * WIDER, width + NEAR))
    worthless = _worthless(planner.problem)

    def proves_nothing(width: float) -> bool:
        looser = dataclasses.replace(planner.fairness, **{field: width})
        limits = dataclasses.replace(
            limits_of(planner.problem, looser), n_given=planner.full.n_given
        )
        band = quality_band_of(planner.problem, looser)
        paid = None if band is None else proof.ends.paid(band)
        return bound_within(worthless, limits, proof.prices, paid) >= -OUTSIDE

    return narrowest(proves_nothing, width)


def _up(width: float) -> float:
    return float(np.ceil(width / NEAR - OUTSIDE) * NEAR)


def _worthless(problem: Problem) -> Problem:
    return dataclasses.replace(problem, value=np.zeros_like(problem.value))


def _worth(trial: Planner) -> float | None:
    """What a plan within these bands is worth; None when none was found."""
    try:
        answer = trial.at(0.0)
    except (OutsideBands, SolverStopped):
        return None
    return total_value(trial.problem, Plan.certain(answer.rep_of))
