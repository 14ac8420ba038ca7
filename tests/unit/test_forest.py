"""Reading trees: every split asks in float32 what LightGBM asks in float64."""

import lightgbm as lgb
import numpy as np
import pytest
from numpy.typing import NDArray

from features.columns import Column, Contract, Side
from rightrep.errors import InvalidInput
from training.forest import AT_MOST, IN_SET, NOT_ABOVE, read_forest
from training.leaf_words import WORD, split_by_side

QUIET = {
    "objective": "binary",
    "verbosity": -1,
    "num_threads": 1,
    "min_data_in_leaf": 5,
}


def trained(
    rows: NDArray[np.float64],
    won: NDArray[np.bool_],
    n_trees: int = 3,
    **more: str | float,
) -> lgb.Booster:
    parameters = QUIET | more
    return lgb.train(parameters, lgb.Dataset(rows, won, params=parameters), n_trees)


def drawn(
    n_columns: int = 2, n_rows: int = 500
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    draw = np.random.default_rng(7)
    rows = draw.normal(size=(n_rows, n_columns))
    return rows, rows.sum(axis=1) + draw.normal(size=n_rows) > 0


def leads_only(n_columns: int) -> Contract:
    return Contract(
        tuple(
            Column(name=f"lead_{k}", side=Side.LEAD, unit="", meaning="")
            for k in range(n_columns)
        )
    )


TENTH = np.float32(0.1)


@pytest.mark.parametrize(
    ("asked", "down"),
    [
        # Rounded to nearest, 0.1 would pass a threshold that lies just below it.
        (float(np.nextafter(float(TENTH), 0.0)), np.nextafter(TENTH, np.float32(0))),
        (float(TENTH), TENTH),
        (1e300, np.finfo(np.float32).max),
        (-1e300, -np.inf),
        (0.5, 0.5),
        (1e-60, 0.0),
        (-1e-60, -np.finfo(np.float32).smallest_subnormal),
    ],
)
def test_a_threshold_is_the_largest_float32_at_most_lightgbms(
    asked: float, down: float
) -> None:
    rows, won = drawn(1)
    booster = trained(rows, won, 1, num_leaves=2)
    text = booster.model_to_string()
    found = next(line for line in text.splitlines() if line.startswith("threshold="))

    forest = read_forest(
        lgb.Booster(model_str=text.replace(found, f"threshold={asked!r}"))
    )

    assert forest.threshold[0] == np.float32(down)


def test_leaves_keep_lightgbms_values_and_numbers() -> None:
    rows, won = drawn()
    booster = trained(rows, won, 4, num_leaves=9)
    forest = read_forest(booster)

    assert forest.n_trees == booster.num_trees()
    for tree in range(forest.n_trees):
        run = slice(forest.leaf_start[tree], forest.leaf_start[tree + 1])
        assert sorted(forest.leaf_index[run]) == list(range(run.stop - run.start))
        for leaf, value in zip(
            forest.leaf_index[run], forest.leaf_value[run], strict=True
        ):
            assert value == booster.get_leaf_output(tree, int(leaf))


def test_missing_goes_where_the_trees_learned_to_send_it() -> None:
    rows, won = drawn(1)
    rows[won, 0] = np.where(np.arange(won.sum()) % 2, np.nan, rows[won, 0])

    forest = read_forest(trained(rows, won, 1, num_leaves=2))

    assert forest.kind[0] in (AT_MOST, NOT_ABOVE)
    assert {AT_MOST, NOT_ABOVE} >= set(forest.kind.tolist())


def test_sets_of_categories_are_told_apart_from_thresholds() -> None:
    draw = np.random.default_rng(3)
    rows = draw.integers(0, 50, (800, 1)).astype(np.float64)
    won = (rows[:, 0] % 3 == 0) ^ (draw.random(800) < 0.1)
    parameters = QUIET | {"min_data_per_group": 1, "cat_smooth": 1.0}
    data = lgb.Dataset(rows, won, categorical_feature=[0], params=parameters)

    forest = read_forest(lgb.train(parameters, data, 2))

    assert set(forest.kind.tolist()) == {IN_SET}
    assert (forest.set_stop > forest.set_start).all()
    assert forest.set_stop[-1] <= forest.sets.size


def test_a_tree_of_one_leaf_is_a_constant() -> None:
    rows, won = drawn()

    forest = read_forest(trained(rows, won, min_data_in_leaf=10_000))

    assert forest.n_trees == 1
    assert forest.column.size == 0
    assert forest.leaf_value.size == 1


def test_only_trees_up_to_the_best_iteration_are_read() -> None:
    rows, won = drawn()
    booster = trained(rows, won, 9)
    booster.best_iteration = 4

    assert read_forest(booster).n_trees == 4


def test_linear_leaves_are_refused() -> None:
    rows, won = drawn()

    with pytest.raises(InvalidInput, match="linear leaves"):
        read_forest(trained(rows, won, linear_tree=True))


def test_several_classes_are_refused() -> None:
    rows, _ = drawn()
    booster = lgb.train(
        QUIET | {"objective": "multiclass", "num_class": 3},
        lgb.Dataset(rows, np.arange(500) % 3),
        2,
    )

    with pytest.raises(InvalidInput, match="several classes"):
        read_forest(booster)


def test_averaged_trees_are_refused() -> None:
    rows, won = drawn()
    averaged: dict[str, str | float] = {
        "boosting": "rf",
        "bagging_freq": 1,
        "bagging_fraction": 0.5,
    }

    with pytest.raises(InvalidInput, match="averages its trees"):
        read_forest(trained(rows, won, 3, **averaged))


def test_a_model_over_other_columns_is_refused() -> None:
    rows, won = drawn(3)

    with pytest.raises(InvalidInput, match="3 columns, the contract 2"):
        split_by_side(read_forest(trained(rows, won)), leads_only(2))


@pytest.mark.parametrize("n_leaves", [2, 31, 32, 62, 90])
def test_a_tree_has_as_many_words_as_its_leaves_fill(n_leaves: int) -> None:
    rows, won = drawn(4, 4000)
    booster = trained(rows, won, 1, num_leaves=n_leaves)
    forest = read_forest(booster)

    words = split_by_side(forest, leads_only(4))

    n_found = forest.leaf_value.size
    assert n_found == n_leaves
    assert words.n_words == -(-n_leaves // WORD)
    assert sum(int(word).bit_count() for word in words.leaves) == n_leaves
    assert (
        np.sort(words.value[words.known]).tolist()
        == np.sort(forest.leaf_value).tolist()
    )
    assert not words.known[:, 0].any()


def test_small_trees_share_a_word_as_long_as_their_combinations_fit() -> None:
    rows, won = drawn(4)
    forest = read_forest(trained(rows, won, 5, num_leaves=4))

    words = split_by_side(forest, leads_only(4))

    assert words.group.tolist() == [0, 0, 1, 1, 2]
    assert [int(word).bit_count() for word in words.leaves] == [16, 16, 4]
    first, second = (
        forest.leaf_value[forest.leaf_start[t] : forest.leaf_start[t + 1]]
        for t in (0, 1)
    )
    sums = np.sort(np.add.outer(first, second), axis=None)
    assert np.sort(words.value[0][words.known[0]]).tolist() == sums.tolist()


def test_words_of_lead_splits_alone_leave_nothing_open_to_reps() -> None:
    rows, won = drawn(4)

    words = split_by_side(read_forest(trained(rows, won)), leads_only(4))

    assert not words.span.any()
