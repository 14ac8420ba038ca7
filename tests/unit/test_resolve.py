"""Sharing one batch again gives what sharing it afresh gives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer import resolve
from optimizer.network import GroupLimits, Limits, Pairs, share_within
from optimizer.prices import bound_within
from optimizer.problem import IntArray, Problem
from optimizer.resolve import Resolver


@pytest.fixture(autouse=True)
def _price_small_batches_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolve, "WORTH_IT", 0)
    monkeypatch.setattr(resolve, "N_NEAREST", 2)


@st.composite
def batches(draw: st.DrawFn) -> tuple[Problem, list[Limits]]:
    """A batch with many ties and several sets of limits, some of them impossible."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_leads, n_reps = int(rng.integers(1, 30)), int(rng.integers(1, 8))
    none = np.zeros(n_reps, np.int64)
    value = rng.integers(0, draw(st.sampled_from([3, 1000])), (n_leads, n_reps))
    eligible = rng.random((n_leads, n_reps)) < 0.7
    problem = Problem(value * 1.0, eligible, none + n_leads, none)
    return problem, [_limits(rng, n_leads, n_reps) for _ in range(4)]


def _limits(rng: np.random.Generator, n_leads: int, n_reps: int) -> Limits:
    fair = n_leads // n_reps
    low = rng.integers(0, fair // 2 + 1, n_reps)
    groups = GroupLimits(
        rng.integers(0, 2, n_reps), np.zeros(2, np.int64), np.full(2, n_leads)
    )
    n_given = int(rng.integers(low.sum(), n_leads + 1)) if rng.random() < 0.5 else None
    return Limits(low, low + rng.integers(0, fair + 2, n_reps), groups, n_given)


def value_of(problem: Problem, rep_of: IntArray) -> float:
    leads = np.flatnonzero(rep_of >= 0)
    return float(problem.value[leads, rep_of[leads]].sum())


@given(batch=batches())
def test_every_answer_is_the_best_over_all_pairs(
    batch: tuple[Problem, list[Limits]],
) -> None:
    problem, many = batch
    resolver = Resolver(problem)

    for limits in many:
        solved = resolver.share(limits)

        afresh = share_within(Pairs(problem), limits)
        assert (solved is None) == (afresh is None)
        if solved is not None and afresh is not None:
            assert solved[0].units == afresh.units


@given(batch=batches())
def test_the_prices_of_every_answer_prove_it(
    batch: tuple[Problem, list[Limits]],
) -> None:
    """Primal equals dual with limits on groups and on the number of leads given."""
    problem, many = batch
    resolver = Resolver(problem)

    for limits in many:
        solved = resolver.share(limits)
        if solved is not None:
            sharing, prices = solved
            worth = value_of(problem, sharing.rep_of)
            assert bound_within(problem, limits, prices) == pytest.approx(worth)
