"""Tuning looks at earlier rows only, and is taken only where it pays."""

from functools import cache

import numpy as np
import pandas as pd
import pytest

from experiments.simulate import ZONE, MarketSettings, simulate
from rightrep.errors import InvalidInput
from training.boosting import Trees
from training.evaluation import Gain
from training.rows import TrainingRows, training_rows
from training.trial import Cut
from training.tuning import Trial, Tuning, tune

USUAL = Trees(n_trees=20, min_rows=10, n_threads=1)


@cache
def rows() -> TrainingRows:
    found = simulate(MarketSettings(n_leads=4_000, n_reps=12, rep_effect=3.0, seed=4))
    end = pd.Timestamp(found.settings.end)
    return training_rows(found.history(), end, zone=ZONE, trees=USUAL)


def test_tuning_begins_with_the_usual_parameters_and_repeats_itself() -> None:
    found, again = tune(rows(), 3, trees=USUAL), tune(rows(), 3, trees=USUAL)

    assert len(found.trials) == 3
    assert found.trials[0].trees == USUAL
    assert found.trials == again.trials
    assert found.gain.mean >= 0.0


def test_parameters_that_stop_everything_are_replaced() -> None:
    """A tree whose every leaf must hold all rows learns nothing."""
    useless = Trees(n_trees=60, min_rows=100_000, n_threads=1)

    found = tune(rows(), 12, trees=useless)

    assert found.taken
    assert found.gain.mean > 0.0
    assert found.trees.min_rows < 100_000
    assert "took" in found.in_words()


def test_rows_that_judge_the_model_are_not_looked_at_by_tuning() -> None:
    one = rows()
    won = one.labels.won.copy()
    won[Cut.of(won.size).later] ^= True
    other = TrainingRows(**(vars(one) | {"labels": _with(one, won)}))

    assert tune(one, 2, trees=USUAL).trials == tune(other, 2, trees=USUAL).trials


def _with(one: TrainingRows, won: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> object:
    return type(one.labels)(**(vars(one.labels) | {"won": won}))


def test_a_gain_within_chance_keeps_the_usual_parameters_and_says_so() -> None:
    gain = Gain(mean=0.001, low=-0.002, high=0.004, n_clusters=8)

    found = Tuning(trials=(Trial(trees=USUAL, log_loss=0.4),), gain=gain, trees=USUAL)

    assert not found.taken
    assert "kept the usual parameters" in found.in_words()


def test_one_trial_is_no_tuning() -> None:
    with pytest.raises(InvalidInput, match="at least 2"):
        tune(rows(), 1)
