"""Round robin by lot: its propensities are the chances of what it does."""

from collections import Counter
from itertools import product

import numpy as np
import pytest
from scipy.stats import chisquare

from experiments.bucketing import arms_of_units, in_holdout
from optimizer.policies import POLICIES
from optimizer.problem import UNASSIGNED, BoolArray, Problem
from rightrep.domain.experiment import Arm

ELIGIBLE = np.array([[1, 1, 1], [1, 1, 0], [0, 1, 1], [1, 0, 1]], dtype=np.bool_)
CAPACITY = (2, 2, 1)
DRAWS = 4_000

Path = tuple[int, ...]


def batch(had_turn: BoolArray, seed: int) -> Problem:
    return Problem(
        np.ones(ELIGIBLE.shape),
        ELIGIBLE,
        np.array(CAPACITY),
        np.zeros(3, dtype=np.int64),
        had_turn=had_turn,
        seed=seed,
    )


def every_path(had_turn: BoolArray) -> dict[Path, list[float]]:
    """Chance of each step of every course that the lots can take, counted by hand."""
    found: dict[Path, list[float]] = {}
    for path in product((*range(3), UNASSIGNED), repeat=len(ELIGIBLE)):
        slots, had, chances = list(CAPACITY), had_turn.copy(), []
        for lead, rep in enumerate(path):
            there = [j for j in range(3) if ELIGIBLE[lead, j] and slots[j]]
            waiting = [j for j in there if not had[j]]
            if not waiting:
                had[there] = False
                waiting = there
            if rep not in (waiting or [UNASSIGNED]):
                break
            chances.append(1 / len(waiting) if waiting else float("nan"))
            if rep != UNASSIGNED:
                slots[rep] -= 1
                had[rep] = True
        else:
            found[path] = chances
    return found


@pytest.mark.parametrize("had", [(0, 0, 0), (1, 0, 0), (0, 1, 1)])
def test_propensities_are_the_chances_of_every_course_of_the_lots(
    had: tuple[int, ...],
) -> None:
    had_turn = np.array(had, dtype=np.bool_)
    paths = every_path(had_turn)
    chance = {path: float(np.nanprod(steps)) for path, steps in paths.items()}
    assert sum(chance.values()) == pytest.approx(1)

    seen: Counter[Path] = Counter()
    for seed in range(DRAWS):
        plan = POLICIES["round_robin_lot"](batch(had_turn, seed))
        path = tuple(plan.rep_of.tolist())
        seen[path] += 1
        assert np.allclose(plan.propensity, paths[path], equal_nan=True)

    order = sorted(chance)
    expected = [chance[path] * DRAWS for path in order]
    assert chisquare([seen[path] for path in order], expected).pvalue > 1e-4


@pytest.mark.parametrize("salt", ["spring", "autumn", "7f3a"])
def test_in_a_null_world_arms_are_of_their_planned_sizes(salt: str) -> None:
    names = [f"lead-{k}" for k in range(30_000)]
    arms = [
        Arm(arm=str(share), policy="random", share=share) for share in (0.2, 0.3, 0.5)
    ]
    kept = in_holdout(names, 0.1, salt="tenant")
    drawn = arms_of_units(names, arms, salt=salt)[~kept]
    sizes = [int(kept.sum()), *np.bincount(drawn, minlength=3).tolist()]
    shares = [0.1, 0.9 * 0.2, 0.9 * 0.3, 0.9 * 0.5]
    expected = [share * len(names) for share in shares]
    assert chisquare(sizes, expected).pvalue > 1e-3
