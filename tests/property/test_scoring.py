"""Pair scoring is LightGBM's own answer, whatever the trees and whatever the values."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.scored_markets import Recipe, market, recipes
from training.calibration import BetaCalibration
from training.scoring import PairScorer


@settings(max_examples=150)
@given(recipe=recipes())
def test_every_pair_ends_in_the_leaf_that_lightgbm_puts_it_in(recipe: Recipe) -> None:
    made = market(recipe)
    scorer = PairScorer(made.model)

    leaves = scorer.leaves(made.leads, made.reps, made.affinity)

    n_trees = leaves.shape[2]
    assert leaves.shape == (len(made.leads), len(made.reps), n_trees)
    if leaves.size:
        theirs = made.predicted(pred_leaf=True)
        assert np.array_equal(leaves.reshape(-1, n_trees), theirs)


@settings(max_examples=150)
@given(recipe=recipes())
def test_raw_scores_are_lightgbms_within_the_proven_error(recipe: Recipe) -> None:
    made = market(recipe)
    scorer = PairScorer(made.model)

    raw = scorer.raw(made.leads, made.reps, made.affinity)

    if raw.size:
        theirs = made.predicted(raw_score=True)
        # With no calibration the slope of a chance is at most 1/4.
        assert np.abs(raw.ravel() - theirs).max() <= 4 * scorer.error + 1e-12


@settings(max_examples=50)
@given(
    recipe=recipes(),
    calibration=st.builds(
        BetaCalibration,
        a=st.floats(0.2, 3.0),
        b=st.floats(0.2, 3.0),
        c=st.floats(-3.0, 3.0),
    ),
)
def test_chances_are_the_calibrated_ones_within_a_millionth(
    recipe: Recipe, calibration: BetaCalibration
) -> None:
    made = market(recipe)
    made = replace(made, model=replace(made.model, calibration=calibration))
    scorer = PairScorer(made.model)

    chances = scorer.score(made.leads, made.reps, made.affinity)

    assert chances.dtype == np.float32
    assert chances.shape == (len(made.leads), len(made.reps))
    if chances.size:
        raw = made.predicted(raw_score=True)
        assert np.abs(chances.ravel() - calibration.apply(raw)).max() <= 1e-6


@settings(max_examples=50)
@given(recipe=recipes(), data=st.data())
def test_a_leads_answer_is_the_same_bits_in_any_company(
    recipe: Recipe, data: st.DataObject
) -> None:
    made = market(recipe).only(np.arange(recipe.n_leads))
    scorer = PairScorer(made.model)
    together = scorer.score(made.leads, made.reps, made.affinity)
    leads = data.draw(st.permutations(range(recipe.n_leads)))
    chosen = made.only(np.array(leads[: recipe.n_leads // 2 + 1], dtype=np.int64))

    apart = scorer.score(chosen.leads, chosen.reps, chosen.affinity)

    assert np.array_equal(apart, together[leads[: recipe.n_leads // 2 + 1]])
