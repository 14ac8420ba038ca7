"""What is said of limits that cannot be kept together."""

import numpy as np

from optimizer.collisions import quality_collision
from optimizer.problem import Problem
from optimizer.shares import Fairness, Shares


def test_a_rep_at_the_very_end_of_the_quality_band_is_not_named_as_outside() -> None:
    n_reps = 5
    problem = Problem(
        np.ones((20, n_reps)),
        np.ones((20, n_reps), np.bool_),
        np.full(n_reps, 4),
        np.zeros(n_reps, np.int64),
        quality=np.ones(20),
    )
    at_the_end = 0.24 * (1 + 1e-12)
    given = np.array([at_the_end, 0.2, 0.2, 0.26 - 1e-12, 0.1])
    error = quality_collision(
        Shares.of(problem), Fairness(quality_band=0.2), given, ["Wait."]
    )
    assert error.reps == (3, 4)
    assert "rep 3" in str(error)
    assert "rep 0" not in str(error)
    assert error.remedies == ("Wait.", "Make more leads eligible for these reps.")
