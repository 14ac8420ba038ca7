"""Small random markets with a model trained on them, as awkward as LightGBM allows."""

from dataclasses import dataclass, replace

import lightgbm as lgb
import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from features.columns import (
    Affinity,
    Column,
    Contract,
    Float32Array,
    IntArray,
    Side,
    feature_rows,
)
from training.calibration import BetaCalibration

AWKWARD = np.array(
    [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-36, -1e-36, 1.5e-35, 3.4e38, -3.4e38, 0.5],
    dtype=np.float32,
)
ODD_CATEGORIES = np.array(
    [np.nan, -1.0, -0.5, 0.5, 2.9, 31, 32, 127, 128, 4e3, 3e9, np.inf, -np.inf],
    dtype=np.float32,
)


UNCHANGED = BetaCalibration()


@dataclass(frozen=True)
class TrainedModel:
    """The least a scorer asks of a model."""

    booster: lgb.Booster
    contract: Contract | None
    calibration: BetaCalibration = UNCHANGED


@dataclass(frozen=True)
class Market:
    """Leads, reps, what is between them, and a model of it."""

    model: TrainedModel
    leads: Float32Array
    reps: Float32Array
    affinity: Affinity

    def rows(self) -> Float32Array:
        """Every pair's feature row, lead by lead."""
        n_leads, n_reps = len(self.leads), len(self.reps)
        return feature_rows(
            self.leads,
            self.reps,
            self.affinity,
            lead=np.repeat(np.arange(n_leads), n_reps),
            rep=np.tile(np.arange(n_reps), n_leads),
        )

    def predicted(self, **how: bool) -> NDArray[np.float64]:
        """What LightGBM predicts for every pair, lead by lead."""
        return np.asarray(self.model.booster.predict(self.rows(), **how))

    def only(self, leads: IntArray) -> "Market":
        """The same with some of the leads, in that order, and no exceptions."""
        none = np.empty(0, dtype=np.int64)
        chosen = replace(
            self.affinity,
            segment=self.affinity.segment[leads],
            exception_lead=none,
            exception_rep=none,
            exception_column=none,
            exception_value=none.astype(np.float32),
        )
        return replace(self, leads=self.leads[leads], affinity=chosen)


@dataclass(frozen=True)
class Recipe:
    """How a market is made; everything else is drawn by ``seed``.

    Attributes:
        seed: Of every draw.
        n_columns: Lead, rep and pair columns.
        categorical: Which columns are categories, cycled.
        n_leads: Leads to score.
        n_reps: Reps to score.
        n_exceptions: Pairs with a pair column of their own.
        n_categories: Categories of a categorical column.
        n_leaves: Leaves of a tree at most.
        n_trees: Trees at most.
        learning_rate: As LightGBM has it.
        zero_as_missing: As LightGBM has it.
        use_missing: As LightGBM has it.
    """

    seed: int = 0
    n_columns: tuple[int, int, int] = (3, 2, 2)
    categorical: tuple[bool, ...] = (False,)
    n_leads: int = 12
    n_reps: int = 9
    n_exceptions: int = 5
    n_categories: int = 8
    n_leaves: int = 15
    n_trees: int = 8
    learning_rate: float = 0.3
    zero_as_missing: bool = False
    use_missing: bool = True


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    """Any recipe: one side alone, no pair columns, one rep, no leads, long chains."""
    n_columns = draw(
        st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(0, 3)).filter(any)
    )
    return Recipe(
        seed=draw(st.integers(0, 2**32 - 1)),
        n_columns=n_columns,
        categorical=tuple(draw(st.lists(st.booleans(), min_size=1, max_size=5))),
        n_leads=draw(st.sampled_from([0, 1, 2, 12, 40])),
        n_reps=draw(st.sampled_from([1, 2, 16, 17, 33])),
        n_exceptions=draw(st.integers(0, 30)),
        n_categories=draw(st.sampled_from([2, 8, 31, 40, 140, 300])),
        n_leaves=draw(st.sampled_from([2, 3, 15, 31, 32, 33, 100])),
        n_trees=draw(st.integers(1, 12)),
        learning_rate=draw(st.sampled_from([0.05, 0.3, 1.0])),
        zero_as_missing=draw(st.booleans()),
        use_missing=draw(st.booleans()),
    )


def market(recipe: Recipe) -> Market:
    """Draw the market and train its model."""
    draw = np.random.default_rng(recipe.seed)
    contract = _contract(recipe)
    leads = _columns(draw, contract.of(Side.LEAD), recipe, recipe.n_leads)
    reps = _columns(draw, contract.of(Side.REP), recipe, recipe.n_reps)
    affinity = _affinity(draw, contract, recipe)
    return Market(
        TrainedModel(_trained(draw, contract, recipe), contract), leads, reps, affinity
    )


def _contract(recipe: Recipe) -> Contract:
    sides = [
        side for side, n in zip(Side, recipe.n_columns, strict=True) for _ in range(n)
    ]
    kinds = recipe.categorical
    return Contract(
        tuple(
            Column(
                name=f"{side}_{k}",
                side=side,
                unit="",
                meaning="",
                categorical=kinds[k % len(kinds)],
            )
            for k, side in enumerate(sides)
        )
    )


def _columns(
    draw: np.random.Generator, columns: tuple[Column, ...], recipe: Recipe, n: int
) -> Float32Array:
    """Values of columns; float32 (n, n_columns)."""
    out = np.empty((n, len(columns)), dtype=np.float32)
    for k, column in enumerate(columns):
        if column.categorical:
            values = draw.integers(0, recipe.n_categories, n).astype(np.float32)
            odd = ODD_CATEGORIES
        else:
            values = np.round(draw.normal(size=n), draw.integers(0, 4)).astype(
                np.float32
            )
            odd = AWKWARD
        out[:, k] = np.where(draw.random(n) < 0.25, draw.choice(odd, n), values)
    return out


def _affinity(
    draw: np.random.Generator, contract: Contract, recipe: Recipe
) -> Affinity:
    columns = contract.of(Side.PAIR)
    n_segments = draw.integers(1, 6, len(columns))
    tables = tuple(
        _columns(draw, (column,), recipe, n * recipe.n_reps).reshape(n, recipe.n_reps)
        for column, n in zip(columns, n_segments, strict=True)
    )
    segment = draw.integers(-1, n_segments, (recipe.n_leads, len(columns)))
    n = recipe.n_exceptions if recipe.n_leads and columns else 0
    column = draw.integers(0, max(len(columns), 1), n)
    values = [_columns(draw, (columns[k],), recipe, 1)[0, 0] for k in column]
    return Affinity(
        segment,
        tables,
        np.sort(draw.integers(0, max(recipe.n_leads, 1), n)),
        draw.integers(0, recipe.n_reps, n),
        column,
        np.array(values, dtype=np.float32),
    )


def _trained(
    draw: np.random.Generator, contract: Contract, recipe: Recipe
) -> lgb.Booster:
    n = 400
    rows = _columns(draw, contract.columns, recipe, n)
    signal = (
        np.nan_to_num(rows, nan=-1.0, posinf=2.0, neginf=-2.0).clip(-3, 3).sum(axis=1)
    )
    won = signal + draw.normal(size=n) > np.median(signal)
    parameters = {
        "objective": "binary",
        "num_leaves": recipe.n_leaves,
        "learning_rate": recipe.learning_rate,
        "min_data_in_leaf": 1,
        "min_sum_hessian_in_leaf": 1e-3,
        "min_data_per_group": 1,
        "cat_smooth": 1.0,
        "max_cat_to_onehot": 2,
        "zero_as_missing": recipe.zero_as_missing,
        "use_missing": recipe.use_missing,
        "min_data_in_bin": 1,
        "num_threads": 1,
        "seed": recipe.seed % 1000,
        "verbosity": -1,
    }
    rows[:, contract.categorical()] = _trainable(rows[:, contract.categorical()])
    data = lgb.Dataset(
        rows, label=won, categorical_feature=contract.categorical(), params=parameters
    )
    return lgb.train(parameters, data, recipe.n_trees)


def _trainable(codes: Float32Array) -> Float32Array:
    """Categories as LightGBM may be given them: whole, small or missing."""
    known = np.isfinite(codes) & (codes >= 0) & (codes < 1e4)
    return np.where(known, np.floor(codes), np.nan).astype(np.float32)
