"""The interior point method, held to HiGHS on small linear programs."""

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from optimizer.network import GroupLimits, Limits
from optimizer.prices import bound_within
from optimizer.problem import BoolArray, Problem
from optimizer.quality_inside import InsideModel
from optimizer.quality_model import Answer, QualityModel
from optimizer.shares import QualityBand

ACCURACY = 1e-7


class Case:
    """A batch with limits on leads that some plan keeps, with or without room."""

    def __init__(self, seed: int, tight: bool, counted: bool, grouped: bool) -> None:
        rng = np.random.default_rng(seed)
        n_leads, n_reps = int(rng.integers(2, 30)), int(rng.integers(2, 7))
        eligible = rng.random((n_leads, n_reps)) < 0.7
        rep_of = np.array([_any(rng, row) for row in eligible])
        load = np.bincount(rep_of[rep_of >= 0], minlength=n_reps)
        room = 0 if tight else 3
        group = np.unique(rng.integers(0, 2, n_reps), return_inverse=True)[1]
        of_group = np.bincount(group, load).astype(np.int64)
        groups = GroupLimits(
            group,
            np.maximum(of_group - rng.integers(0, room + 1, len(of_group)), 0),
            of_group + rng.integers(0, room + 1, len(of_group)),
        )
        self.limits = Limits(
            np.maximum(load - rng.integers(0, room + 1, n_reps), 0),
            load + rng.integers(0, room + 1, n_reps),
            groups if grouped else None,
            int(load.sum()) if counted else None,
        )
        low = rng.random(n_reps) / n_reps
        self.band = QualityBand(low, np.minimum(low + rng.random(n_reps), 1.0))
        self.problem = Problem(
            rng.normal(1.0, 1.0, (n_leads, n_reps)),
            eligible,
            np.full(n_reps, n_leads),
            np.zeros(n_reps, np.int64),
            quality=rng.choice([0.0, 0.1, 0.3, 0.9], n_leads),
        )


def _any(rng: np.random.Generator, row: BoolArray) -> int:
    reps = np.flatnonzero(row)
    return int(rng.choice(reps)) if len(reps) and rng.random() < 0.8 else -1


cases = st.builds(
    Case,
    st.integers(0, 2**32 - 1),
    tight=st.booleans(),
    counted=st.booleans(),
    grouped=st.booleans(),
)


def inside_and_highs(case: Case, penalty: float) -> tuple[Answer | None, Answer]:
    parts = (case.problem, case.limits, case.band, case.problem.eligible)
    return (
        InsideModel(*parts).relaxed(penalty, ACCURACY),
        QualityModel(*parts).relaxed(penalty),
    )


@given(case=cases, penalty=st.sampled_from([1.0, 10.0, 100.0]))
@settings(max_examples=200)
def test_from_the_inside_the_relaxation_is_that_of_highs(
    case: Case, penalty: float
) -> None:
    inside, highs = inside_and_highs(case, penalty)

    assume(inside is not None)
    assert inside is not None
    size = 1.0 + abs(highs.value) + penalty * highs.missing.sum()
    worth = inside.value - penalty * inside.missing.sum()
    assert abs(worth - (highs.value - penalty * highs.missing.sum())) <= 1e-5 * size
    price = inside.ends.paid(case.band)
    bound = bound_within(case.problem, case.limits, inside.prices, price)
    assert worth - 1e-6 * size <= bound <= worth + 1e-4 * size
