"""Hypothesis strategies for small problems, the awkward ones included."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from optimizer.problem import Problem
from optimizer.transport import max_kept_floors

MOST_LEADS = 7
MOST_REPS = 4
NEXT_TO_NOTHING = 1e-200
"""Money below this is 0: no power of two makes whole units of it."""


@st.composite
def problems(
    draw: st.DrawFn, *, floors: bool = False, max_leads: int = MOST_LEADS
) -> Problem:
    """Small problems: empty, no slots, ties, losses, leads that nobody may take.

    Args:
        draw: Given by hypothesis.
        floors: Whether reps are owed leads; what they are owed can then be given.
        max_leads: Most leads of a problem.
    """
    n_leads = draw(st.integers(0, max_leads))
    n_reps = draw(st.integers(0, MOST_REPS))
    capacity = draw(hnp.arrays(np.int64, n_reps, elements=st.integers(0, 4)))
    problem = Problem(
        draw(values(n_leads, n_reps)),
        draw(hnp.arrays(np.bool_, (n_leads, n_reps), fill=st.nothing())),
        capacity,
        np.minimum(draw(counts(n_reps)), capacity) * floors,
        load=draw(st.none() | counts(n_reps)),
        weight=draw(st.none() | weights(n_reps)),
        waited=draw(st.none() | weights(n_reps)),
        seed=draw(st.integers(0, 2**32 - 1)),
    )
    return with_kept_floors(problem)


def with_kept_floors(problem: Problem) -> Problem:
    """The same with the largest part of its floors that can be kept."""
    return with_changes(problem, floor=max_kept_floors(problem).kept)


def with_changes(problem: Problem, **changes: NDArray[np.generic] | int) -> Problem:
    """The same with some fields replaced."""
    fields = {name: getattr(problem, name) for name in Problem.__dataclass_fields__}
    return Problem(**{**fields, **changes})


@st.composite
def values(draw: st.DrawFn, n_leads: int, n_reps: int) -> NDArray[np.floating]:
    """Whole numbers (many ties), money, or float32; some below 0."""
    shape = (n_leads, n_reps)
    whole = hnp.arrays(np.float64, shape, elements=st.integers(-2, 4))
    money = hnp.arrays(np.float64, shape, elements=st.floats(-1e3, 1e6))
    short = hnp.arrays(np.float32, shape, elements=st.floats(-1, 1, width=32))
    drawn = draw(whole | money | short)
    return np.where(np.abs(drawn) < NEXT_TO_NOTHING, drawn * 0, drawn)


def counts(n_reps: int) -> st.SearchStrategy[NDArray[np.int64]]:
    """Leads or seconds per rep."""
    return hnp.arrays(np.int64, n_reps, elements=st.integers(0, 5))


def weights(n_reps: int) -> st.SearchStrategy[NDArray[np.float64]]:
    """Wanted loads relative to one another."""
    return hnp.arrays(
        np.float64, n_reps, elements=st.sampled_from([0.5, 1.0, 2.0, 3.0])
    )
