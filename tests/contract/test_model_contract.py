"""What every model of conversion must keep, whatever is inside."""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from features.columns import Column, Contract, Side
from features.profiles import contract_of
from features.recipe import Recipe
from rightrep.errors import InvalidInput, ModelUnavailable, TooFewOutcomes
from tests.made_history import SPAN_DAYS, START, made_history
from training.boosting import Trees, importances
from training.model import ConversionModel
from training.model_file import load_model, save_model
from training.origin import Origin
from training.reference import reference_of
from training.rows import TrainingRows, training_rows

TREES = Trees(n_trees=60, min_rows=10, n_threads=1)
CONTRACT = Contract(
    (
        Column(name="size", side=Side.LEAD, unit="number", meaning="size"),
        Column(
            name="kind",
            side=Side.LEAD,
            unit="code of a",
            meaning="kind",
            categorical=True,
        ),
        Column(name="rep_rating", side=Side.REP, unit="share", meaning="rating"),
        Column(name="fit", side=Side.PAIR, unit="share", meaning="fit"),
    )
)


@cache
def data(
    effect: float = 1.5,
) -> tuple[pd.DataFrame, NDArray[np.bool_], NDArray[np.int64]]:
    """Rows that can be learnt from: the rep matters by ``effect``."""
    rng = np.random.default_rng(5)
    n = 1_500
    rep = rng.integers(10, size=n)
    frame = pd.DataFrame(
        {
            "size": rng.normal(size=n),
            "kind": rng.integers(0, 4, n).astype(float),
            "rep_rating": np.linspace(-1, 1, 10)[rep],
            "fit": rng.normal(size=n),
        }
    ).astype(np.float32)
    frame.loc[rng.random(n) < 0.1, "size"] = np.nan
    odds = frame["size"].fillna(0.0) + (frame["kind"] == 2) - 1.0
    odds += effect * (frame["rep_rating"] + 0.5 * frame["fit"])
    won = rng.random(n) < 1.0 / (1.0 + np.exp(-odds.to_numpy()))
    return frame, won, rep


def test_a_base_rate_that_rose_is_not_counted_twice() -> None:
    """The trees fitted to all rows know part of the rise; calibration adds the rest."""
    rng = np.random.default_rng(3)
    n = 3_000
    frame, _, rep = data()
    frame = pd.concat([frame, frame], ignore_index=True)
    won = rng.random(n) < np.where(np.arange(n) < 0.6 * n, 0.1, 0.5)

    model = ConversionModel(CONTRACT, trees=TREES).fit(
        frame, won, rep=np.concatenate([rep, rep])
    )

    assert model.p_lead(frame.to_numpy(np.float32)[:, :2]).mean() == pytest.approx(
        0.5, abs=0.04
    )


@cache
def fitted(effect: float = 1.5) -> ConversionModel:
    rows, won, rep = data(effect)
    return ConversionModel(CONTRACT, trees=TREES).fit(rows, won, rep=rep)


def test_a_model_follows_scikit_learns_conventions() -> None:
    model = ConversionModel(CONTRACT, trees=TREES, refit=False)

    twin = clone(model)

    assert twin.get_params() == model.get_params()
    assert twin.set_params(refit=True).refit
    with pytest.raises(NotFittedError):
        model.predict_proba(data()[0])


def test_fitting_leaves_its_inputs_alone() -> None:
    rows, won, rep = data()
    before = rows.copy(), won.copy()

    ConversionModel(CONTRACT, trees=TREES).fit(rows, won, rep=rep)

    pd.testing.assert_frame_equal(rows, before[0])
    np.testing.assert_array_equal(won, before[1])


def test_the_same_rows_give_the_same_model() -> None:
    rows, won, rep = data()
    again = ConversionModel(CONTRACT, trees=TREES).fit(rows, won, rep=rep)

    np.testing.assert_array_equal(
        again.predict_proba(rows), fitted().predict_proba(rows)
    )


def test_chances_are_chances() -> None:
    p = fitted().predict_proba(data()[0])

    assert p.shape == (1_500, 2)
    np.testing.assert_allclose(p.sum(axis=1), 1.0)
    assert ((p > 0.0) & (p < 1.0)).all()
    assert fitted().classes_.tolist() == [False, True]


def test_the_order_of_a_frames_columns_does_not_matter() -> None:
    rows, won, rep = data()
    turned = rows[rows.columns[::-1]].assign(more=1.0)

    other = ConversionModel(CONTRACT, trees=TREES).fit(turned, won, rep=rep)

    np.testing.assert_array_equal(
        other.predict_proba(turned), fitted().predict_proba(rows)
    )


def test_a_column_that_is_not_there_is_named() -> None:
    with pytest.raises(InvalidInput, match="'fit'"):
        fitted().predict_proba(data()[0].drop(columns="fit"))
    with pytest.raises(InvalidInput, match="4 columns"):
        fitted().predict_proba(np.zeros((2, 3)))


def test_unseen_categories_and_missing_values_do_not_crash() -> None:
    odd = pd.DataFrame(
        {
            "size": [np.nan, np.inf],
            "kind": [99.0, np.nan],
            "rep_rating": [np.nan, 0.0],
            "fit": [-np.inf, np.nan],
        }
    )

    assert np.isfinite(fitted().predict_proba(odd)).all()


def test_a_better_rating_never_lowers_a_chance() -> None:
    rows = data()[0].head(200)
    worse = fitted().predict_proba(rows.assign(rep_rating=-0.7))[:, 1]
    better = fitted().predict_proba(rows.assign(rep_rating=0.7))[:, 1]

    assert (better >= worse).all()
    assert better.mean() > worse.mean() + 0.1


def test_chances_follow_a_market_that_turns() -> None:
    """Wins become half as likely in the last fifth of the rows."""
    rng = np.random.default_rng(2)
    n = 12_000
    rows = np.column_stack([rng.normal(size=n), *np.zeros((3, n))])
    usual, later = 0.4, 0.2
    won = rng.random(n) < np.where(np.arange(n) < 0.8 * n, usual, later)

    model = ConversionModel(CONTRACT, trees=TREES).fit(rows, won)

    p = model.predict_proba(rows)[:, 1].mean()
    of_judging_rows = (usual + later) / 2.0
    assert later - 0.03 < p < of_judging_rows - 0.02


def test_what_a_rep_is_worth_adds_up() -> None:
    """In log odds, a better rating adds the same to every pair of a lead's."""
    rows = data()[0].head(200)
    model = fitted()

    def odds(rating: float, fit: float) -> NDArray[np.float64]:
        pairs = rows.assign(rep_rating=rating, fit=fit).to_numpy(np.float32)
        return np.asarray(model.booster.predict(pairs, raw_score=True))

    added = odds(0.7, 1.0) - odds(-0.7, 1.0)

    assert added.min() > 0.0
    np.testing.assert_allclose(added, added[0], atol=1e-9)
    np.testing.assert_allclose(odds(0.7, -1.0) - odds(-0.7, -1.0), added, atol=1e-9)


def test_chances_come_true_as_often_as_they_say() -> None:
    rows, won, _ = data()

    assert fitted().predict_proba(rows)[:, 1].mean() == pytest.approx(
        won.mean(), abs=0.04
    )


def test_a_model_finds_out_that_reps_differ() -> None:
    model = fitted()

    assert model.reps_differ_
    assert model.gain_.low > 0.0


def test_where_reps_do_not_differ_every_rep_has_the_leads_own_chance() -> None:
    model = fitted(effect=0.0)
    rows = data(0.0)[0].head(50)

    p = model.predict_proba(rows)[:, 1]
    other = model.predict_proba(rows.assign(rep_rating=1.0, fit=3.0))[:, 1]

    assert not model.reps_differ_
    np.testing.assert_array_equal(p, other)
    np.testing.assert_array_equal(
        p, model.p_lead(rows[["size", "kind"]].to_numpy(np.float32))
    )


def favoured(
    n: int = 9_000,
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.int64]]:
    """Half the rows are drawn by lot; in the others some reps get promising leads."""
    rng = np.random.default_rng(8)
    rep = rng.integers(10, size=n)
    rating = np.linspace(-1, 1, 10)[rep]
    propensity = np.where(rng.random(n) < 0.5, 0.1, np.nan)
    hidden = np.where(np.isnan(propensity), 1.2 * rating, 0.0)
    rows = np.column_stack([rng.normal(size=n), np.ones(n), rating, np.zeros(n)])
    won = rng.random(n) < 1.0 / (1.0 + np.exp(1.0 - rows[:, 0] - hidden))
    return np.column_stack([rows, propensity]), won, rep


def test_decisions_drawn_by_lot_clear_up_what_favours_made_of_the_history() -> None:
    rows, won, rep = favoured()
    columns, propensity = rows[:, :4], rows[:, 4]

    naive = ConversionModel(CONTRACT, trees=TREES).fit(columns, won, rep=rep)
    told = ConversionModel(CONTRACT, trees=TREES).fit(
        columns, won, rep=rep, propensity=propensity
    )

    assert naive.reps_differ_
    assert naive.lottery_ is None
    assert told.lottery_ is not None
    assert told.lottery_.misled
    assert not told.reps_differ_


def test_without_enough_drawn_decisions_propensities_change_nothing() -> None:
    rows, won, rep = favoured(1_200)
    few = np.where(np.arange(len(rep)) % 20 == 0, 0.1, np.nan)

    naive = ConversionModel(CONTRACT, trees=TREES).fit(rows[:, :4], won, rep=rep)
    told = ConversionModel(CONTRACT, trees=TREES).fit(
        rows[:, :4], won, rep=rep, propensity=few
    )

    assert told.lottery_ is not None
    assert "Not enough" in told.lottery_.in_words()
    np.testing.assert_array_equal(
        told.predict_proba(rows[:, :4]), naive.predict_proba(rows[:, :4])
    )


def test_too_few_of_either_result_are_refused() -> None:
    rows, won, _ = data()
    few = np.flatnonzero(won)[:39]
    lost = np.flatnonzero(~won)
    chosen = np.sort(np.concatenate([few, lost]))

    with pytest.raises(TooFewOutcomes) as refused:
        ConversionModel(CONTRACT).fit(rows.iloc[chosen], won[chosen])

    assert refused.value.won == 39


def test_a_model_without_a_contract_is_refused() -> None:
    with pytest.raises(InvalidInput, match="contract"):
        ConversionModel().fit(*data()[:2])


def test_a_lead_score_says_how_many_of_100_leads_are_worse() -> None:
    leads = data()[0][["size", "kind"]].to_numpy(np.float32)

    scores = fitted().lead_score(leads)

    assert 0 <= scores.min() < scores.max() <= 100
    assert np.median(scores) == pytest.approx(50, abs=5)
    order = np.argsort(fitted().p_lead(leads), kind="stable")
    assert (np.diff(scores[order]) >= 0).all()


@cache
def trained() -> tuple[ConversionModel, TrainingRows]:
    """A model with its origin, made from a history."""
    history = made_history(seed=3, n_leads=900, skill=0.35, oddities=False)
    rows = training_rows(
        history,
        START + pd.Timedelta(days=SPAN_DAYS),
        label_window_days=60,
        trees=TREES,
    )
    model = ConversionModel(rows.contract, trees=TREES)
    model.fit(rows.columns, rows.labels.won, rep=rows.labels.rep)
    model.origin = Origin(
        recipe=rows.recipe,
        slices=rows.slices,
        as_of=rows.as_of,
        data_hash=rows.data_hash(),
        n_rows=rows.labels.n_rows,
        n_won=int(rows.labels.won.sum()),
        reference=reference_of(
            rows.columns,
            rows.contract,
            rows.labels,
            rows.known.own.decisions,
            importances(model.booster, rows.contract.columns),
            model.p_later,
        ),
    )
    return model, rows


def test_a_saved_model_says_the_same_when_it_is_loaded(tmp_path: Path) -> None:
    model, rows = trained()
    sha256 = save_model(model, tmp_path / "model.zip")

    loaded = load_model(tmp_path / "model.zip", sha256)

    np.testing.assert_array_equal(
        loaded.predict_proba(rows.columns), model.predict_proba(rows.columns)
    )
    leads = rows.columns[:, : len(rows.contract.of(Side.LEAD))]
    np.testing.assert_array_equal(loaded.p_lead(leads), model.p_lead(leads))
    np.testing.assert_array_equal(loaded.lead_score(leads), model.lead_score(leads))
    assert loaded.contract == model.contract
    assert loaded.reps_differ_ == model.reps_differ_
    assert loaded.gain_ == model.gain_


def test_a_loaded_model_gives_past_decisions_the_same_p_lead(tmp_path: Path) -> None:
    model, rows = trained()
    save_model(model, tmp_path / "model.zip")

    loaded = load_model(tmp_path / "model.zip")

    assert loaded.origin is not None
    assert model.origin is not None
    assert loaded.origin.recipe == model.origin.recipe
    np.testing.assert_array_equal(
        loaded.origin.slices.of_decisions(rows.known),
        model.origin.slices.of_decisions(rows.known),
    )


def test_the_same_model_is_the_same_file(tmp_path: Path) -> None:
    model, _ = trained()

    first = save_model(model, tmp_path / "one.zip")
    second = save_model(model, tmp_path / "two.zip")

    assert first == second
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_a_model_is_saved_without_anything_that_runs(tmp_path: Path) -> None:
    save_model(trained()[0], tmp_path / "model.zip")

    packed = (tmp_path / "model.zip").read_bytes()

    assert packed[:2] == b"PK"
    assert b"pickle" not in packed


def test_a_model_that_does_not_know_its_origin_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="origin"):
        save_model(fitted(), tmp_path / "model.zip")

    assert list(tmp_path.iterdir()) == []


def _cut(packed: bytes) -> bytes:
    return packed[: len(packed) // 2]


def _flip(packed: bytes) -> bytes:
    middle = len(packed) // 2
    return packed[:middle] + bytes([packed[middle] ^ 0xFF]) + packed[middle + 1 :]


@pytest.mark.parametrize("damage", [_cut, _flip, lambda _: b"", lambda _: b"PK"])
def test_a_damaged_file_is_refused(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "model.zip"
    sha256 = save_model(trained()[0], path)
    path.write_bytes(damage(path.read_bytes()))

    with pytest.raises(ModelUnavailable):
        load_model(path, sha256)
    with pytest.raises(ModelUnavailable):
        load_model(path)


def test_a_bit_flipped_anywhere_is_refused_or_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "model.zip"
    model, rows = trained()
    save_model(model, path)
    expected = model.predict_proba(rows.columns)
    packed = bytearray(path.read_bytes())
    for place in np.random.default_rng(0).integers(len(packed), size=60):
        packed[place] ^= 0x10
        path.write_bytes(packed)
        with contextlib.suppress(ModelUnavailable):
            again = load_model(path).predict_proba(rows.columns)
            np.testing.assert_array_equal(again, expected)
        packed[place] ^= 0x10


def test_another_file_than_the_one_published_is_refused(tmp_path: Path) -> None:
    save_model(trained()[0], tmp_path / "model.zip")

    with pytest.raises(ModelUnavailable, match="not the one published"):
        load_model(tmp_path / "model.zip", "0" * 64)
    with pytest.raises(ModelUnavailable, match="cannot be read"):
        load_model(tmp_path / "nothing.zip")


def test_a_model_whose_columns_mean_something_else_today_is_refused(
    tmp_path: Path,
) -> None:
    model, _ = trained()
    assert model.origin is not None
    other = replace(model.origin.recipe, categories={"industry": ("another",)})
    assert contract_of(other).version != contract_of(model.origin.recipe).version
    kept = model.origin
    try:
        model.origin = replace(kept, recipe=other)
        save_model(model, tmp_path / "model.zip")
    finally:
        model.origin = kept

    with pytest.raises(ModelUnavailable, match="Train again"):
        load_model(tmp_path / "model.zip")


def test_recipes_survive_their_own_json() -> None:
    recipe = trained()[1].recipe

    assert Recipe.from_json(recipe.to_json()) == recipe
    assert recipe.own_numbers == ("seats",)
    assert set(recipe.own_categories) == {"plan"}
