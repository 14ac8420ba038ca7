"""Pair scoring, from the outside."""

from dataclasses import replace
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest

from features.columns import Affinity
from rightrep.errors import InvalidInput
from tests.scored_markets import Market, Recipe, TrainedModel, market
from training import scoring_kernels as kernels
from training.scoring import MOST_ERROR, PairScorer, warm

CROWD = Recipe(seed=5, n_leads=3000, n_reps=17, n_exceptions=200, n_trees=5)
FEW = Recipe(seed=9, n_leads=6, n_reps=4, n_exceptions=0)


@pytest.fixture(scope="module")
def crowd() -> Market:
    return market(CROWD)


@pytest.fixture(scope="module")
def few() -> Market:
    return market(FEW)


def test_a_large_batch_is_scored_as_lightgbm_does(crowd: Market) -> None:
    raw = PairScorer(crowd.model).raw(crowd.leads, crowd.reps, crowd.affinity)

    theirs = crowd.predicted(raw_score=True)

    assert np.abs(raw.ravel() - theirs).max() < 1e-6


def test_the_number_of_threads_changes_no_bit(crowd: Market) -> None:
    one, three = (PairScorer(crowd.model, n_threads=n) for n in (1, 3))

    assert np.array_equal(
        one.score(crowd.leads, crowd.reps, crowd.affinity),
        three.score(crowd.leads, crowd.reps, crowd.affinity),
    )


def test_other_reps_are_noticed(crowd: Market) -> None:
    scorer = PairScorer(crowd.model)
    before = scorer.score(crowd.leads, crowd.reps, crowd.affinity)
    changed = crowd.reps.copy()
    changed[:, :] = changed[::-1]

    after = scorer.score(crowd.leads, changed, crowd.affinity)

    fresh = PairScorer(crowd.model).score(crowd.leads, changed, crowd.affinity)
    assert np.array_equal(after, fresh)
    assert not np.array_equal(after, before)


def test_the_callers_arrays_are_left_as_they_are(few: Market) -> None:
    before = few.leads.tobytes(), few.reps.tobytes(), few.affinity.tables[0].tobytes()

    PairScorer(few.model).score(few.leads, few.reps, few.affinity)

    after = few.leads.tobytes(), few.reps.tobytes(), few.affinity.tables[0].tobytes()
    assert after == before


def test_read_only_and_strided_columns_are_welcome(few: Market) -> None:
    leads = np.asfortranarray(few.leads)
    leads.flags.writeable = False
    scorer = PairScorer(few.model)

    assert np.array_equal(
        scorer.score(leads, few.reps, few.affinity),
        scorer.score(few.leads, few.reps, few.affinity),
    )


def test_the_last_exception_of_a_pair_counts(few: Market) -> None:
    twice = replace(
        few.affinity,
        exception_lead=np.array([2, 2]),
        exception_rep=np.array([1, 1]),
        exception_column=np.array([0, 0]),
        exception_value=np.array([5.0, -5.0], dtype=np.float32),
    )
    once = replace(
        twice,
        exception_lead=np.array([2]),
        exception_rep=np.array([1]),
        exception_column=np.array([0]),
        exception_value=np.array([-5.0], dtype=np.float32),
    )
    scorer = PairScorer(few.model)

    assert np.array_equal(
        scorer.score(few.leads, few.reps, twice),
        scorer.score(few.leads, few.reps, once),
    )


@pytest.mark.parametrize(("n_leads", "n_reps"), [(0, 4), (6, 0), (0, 0)])
def test_nobody_on_one_side_gives_an_empty_answer(
    few: Market, n_leads: int, n_reps: int
) -> None:
    affinity = replace(
        few.affinity,
        segment=few.affinity.segment[:n_leads],
        tables=tuple(table[:, :n_reps] for table in few.affinity.tables),
    )

    found = PairScorer(few.model).score(
        few.leads[:n_leads], few.reps[:n_reps], affinity
    )

    assert found.shape == (n_leads, n_reps)
    assert found.dtype == np.float32


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("segment", np.full((6, 2), 9)),
        ("segment", np.full((6, 2), -2)),
        ("segment", np.zeros((5, 2), dtype=np.int64)),
        ("tables", ()),
        ("tables", (np.zeros((9, 3), dtype=np.float32),) * 2),
        ("exception_lead", np.array([6])),
        ("exception_rep", np.array([-1])),
        ("exception_column", np.array([2])),
    ],
)
def test_an_affinity_that_names_what_is_not_there_is_refused(
    few: Market, field: str, wrong: object
) -> None:
    one = {
        "exception_lead": np.array([0]),
        "exception_rep": np.array([0]),
        "exception_column": np.array([0]),
        "exception_value": np.zeros(1, dtype=np.float32),
    }
    affinity = replace(few.affinity, **(one | {field: wrong}))  # type: ignore[arg-type]

    with pytest.raises(InvalidInput) as caught:
        PairScorer(few.model).score(few.leads, few.reps, affinity)

    assert caught.value.field == f"affinity.{field}"


@pytest.mark.parametrize("side", ["leads", "reps"])
def test_another_number_of_columns_is_refused(few: Market, side: str) -> None:
    given = {"leads": few.leads, "reps": few.reps, side: few.leads[:, :1]}

    with pytest.raises(InvalidInput, match=f"{side} has shape"):
        PairScorer(few.model).score(given["leads"], given["reps"], few.affinity)


def test_a_model_without_a_contract_is_refused(few: Market) -> None:
    with pytest.raises(InvalidInput, match="contract"):
        PairScorer(replace(few.model, contract=None))


def test_the_error_of_a_chance_is_known_and_small(crowd: Market) -> None:
    scorer = PairScorer(crowd.model)

    assert 0.0 < scorer.error <= MOST_ERROR


def larger(model: TrainedModel, factor: float) -> TrainedModel:
    """The same trees with leaf values that many times larger."""
    booster = lgb.Booster(model_str=model.booster.model_to_string())
    for tree, tree_info in enumerate(booster.dump_model()["tree_info"]):
        for leaf in range(tree_info["num_leaves"]):
            value = booster.get_leaf_output(tree, leaf)
            booster.set_leaf_output(tree, leaf, factor * value)
    return replace(model, booster=booster)


def test_large_leaves_are_counted_in_finer_bands(few: Market) -> None:
    model = larger(few.model, 100.0)
    made = replace(few, model=model)

    raw = PairScorer(model).raw(few.leads, few.reps, few.affinity)

    assert np.abs(raw.ravel() - made.predicted(raw_score=True)).max() < 4 * MOST_ERROR


def test_leaves_too_large_for_a_known_error_are_refused(few: Market) -> None:
    with pytest.raises(InvalidInput, match="could be off by"):
        PairScorer(larger(few.model, 1e6))


def test_warming_compiles_all_that_scoring_needs(crowd: Market) -> None:
    warm()
    compiled: list[Any] = [
        kernels.sum_block,
        kernels.sum_pairs,
        kernels.leaves_left,
        kernels.fold,
        kernels.chances,
    ]
    before = [len(kernel.signatures) for kernel in compiled]

    PairScorer(crowd.model).score(crowd.leads, crowd.reps, crowd.affinity)

    after = [len(kernel.signatures) for kernel in compiled]
    assert after == before


def test_no_pair_columns_at_all() -> None:
    made = market(replace(FEW, n_columns=(2, 2, 0)))

    found = PairScorer(made.model).raw(
        made.leads, made.reps, Affinity.empty(len(made.leads))
    )

    assert np.abs(found.ravel() - made.predicted(raw_score=True)).max() < 1e-6
