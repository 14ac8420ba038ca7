"""LightGBM as it is used here: one set of parameters, the same trees every time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from features.as_of import BoolArray, FloatArray
from features.columns import Column, Float32Array

if TYPE_CHECKING:
    import lightgbm as lgb


_SIZES = ((500_000, 31, 16), (100_000, 15, 8))
_ROWS_TO_SHARE = 50_000  # below, threads wait for one another longer than they work


DOUBT = 0.3
"""What a split's gain counts in columns that are doubted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Belief:
    """What is believed of columns before any row is seen.

    Attributes:
        rising: Names of columns in which the chance may only rise.
        doubted: Names of columns whose splits must gain more than others to be taken.
        unseen: Names of columns that are not looked at.
        alone: Names of columns that share no tree with another column.
    """

    rising: frozenset[str] = frozenset()
    doubted: frozenset[str] = frozenset()
    unseen: frozenset[str] = frozenset()
    alone: frozenset[str] = frozenset()

    def to_lightgbm(self, columns: Sequence[Column]) -> dict[str, Any]:
        """In LightGBM's own words, for those columns."""
        names = [column.name for column in columns]
        words: dict[str, Any] = {}
        if self.rising.intersection(names):
            words["monotone_constraints"] = [int(n in self.rising) for n in names]
            words["monotone_constraints_method"] = "intermediate"
        if self.alone.intersection(names):
            rest = [k for k, name in enumerate(names) if name not in self.alone]
            each = [[k] for k, name in enumerate(names) if name in self.alone]
            words["interaction_constraints"] = [*each, *([rest] if rest else [])]
        worth = [
            0.0 if name in self.unseen else DOUBT if name in self.doubted else 1.0
            for name in names
        ]
        if min(worth, default=1.0) < 1.0:
            words["feature_contri"] = worth
        return words


@dataclass(frozen=True, kw_only=True, slots=True)
class Rows:
    """What a booster is fitted to or stopped by.

    Attributes:
        columns: float32 (n_rows, n_columns).
        won: bool (n_rows,).
        weight: float64 (n_rows,).
    """

    columns: Float32Array
    won: BoolArray
    weight: FloatArray


@dataclass(frozen=True, kw_only=True, slots=True)
class Trees:
    """Parameters of a booster.

    Attributes:
        n_trees: Most trees; positive.
        learning_rate: Shrinkage of each tree; in (0, 1].
        n_leaves: Most leaves of a tree that looks at the lead; at least 2.
        n_pair_leaves: Most leaves of a tree that looks at lead and rep; at least 2.
        min_rows: Fewest rows in a leaf; positive.
        l2: Penalty on leaf values; not negative.
        column_share: Share of columns each tree looks at; in (0, 1].
        patience: Trees without improvement after which to stop; positive.
        n_threads: Threads; 0 takes all where there are rows enough to share out, and
            one where there are not. The trees do not depend on it.
        seed: Seed of every draw.
    """

    n_trees: int = 600
    learning_rate: float = 0.05
    n_leaves: int = 7
    n_pair_leaves: int = 4
    min_rows: int = 40
    l2: float = 5.0
    column_share: float = 0.7
    patience: int = 40
    n_threads: int = 0
    seed: int = 0

    @classmethod
    def usual(cls, n_rows: int) -> "Trees":
        """Larger trees where there are more rows to fill them."""
        for at_least, leaves, pair_leaves in _SIZES:
            if n_rows >= at_least:
                return cls(n_leaves=leaves, n_pair_leaves=pair_leaves)
        return cls()

    def to_lightgbm(self, n_rows: int) -> dict[str, Any]:
        """In LightGBM's own words, for that many rows."""
        few = self.n_threads == 0 and n_rows < _ROWS_TO_SHARE
        return {
            "objective": "binary",
            "learning_rate": self.learning_rate,
            "num_leaves": self.n_leaves,
            "min_data_in_leaf": self.min_rows,
            "lambda_l2": self.l2,
            "feature_fraction": self.column_share,
            "cat_l2": 20.0,
            "cat_smooth": 20.0,
            "min_data_per_group": self.min_rows,
            "num_threads": 1 if few else self.n_threads,
            "seed": self.seed,
            "deterministic": True,
            "force_row_wise": True,
            "max_bin": 127,
            "verbosity": -1,
        }


def fit_booster(
    rows: Rows,
    columns: Sequence[Column],
    trees: Trees,
    *,
    stop: Rows | None = None,
    start: "lgb.Booster | None" = None,
    belief: Belief | None = None,
) -> "lgb.Booster":
    """Fit trees; with ``stop``, only as many as help on those later rows.

    Args:
        rows: What to fit; its arrays are left as they are.
        columns: What each column of ``rows`` is.
        trees: Parameters.
        stop: Later rows that decide how many trees there are; ``trees.n_trees``
            without.
        start: Trees over the same columns to begin with; new ones come on top of them.
        belief: What is believed of the columns.
    """
    import lightgbm as lgb

    parameters = trees.to_lightgbm(rows.won.size)
    parameters |= (belief or Belief()).to_lightgbm(columns)
    names = [f"c{k}" for k in range(len(columns))]  # any text is a name for us
    codes = [name for name, one in zip(names, columns, strict=True) if one.categorical]

    def dataset(part: Rows, reference: "lgb.Dataset | None") -> "lgb.Dataset":
        return lgb.Dataset(
            part.columns,
            label=part.won.astype(np.float32),
            weight=part.weight,
            reference=reference,
            feature_name=names,
            categorical_feature=codes,
            params=parameters,
            free_raw_data=True,
        )

    data = dataset(rows, None)
    patience: Callable[..., Any] = lgb.early_stopping(trees.patience, verbose=False)
    return lgb.train(
        parameters,
        data,
        num_boost_round=trees.n_trees,
        valid_sets=None if stop is None else [dataset(stop, data)],
        init_model=start,
        callbacks=None if stop is None else [patience],
    )


def raw_scores(booster: "lgb.Booster", columns: Float32Array) -> FloatArray:
    """Log odds of feature rows; float64 (n_rows,)."""
    few = columns.shape[0] < _ROWS_TO_SHARE
    raw = booster.predict(columns, raw_score=True, num_threads=1 if few else 0)
    return np.asarray(raw, dtype=np.float64)


def from_text(text: str) -> "lgb.Booster":
    """A booster from LightGBM's own text.

    Raises:
        ValueError: It is not the text of a booster.
    """
    import lightgbm as lgb

    try:
        return lgb.Booster(model_str=text)
    except lgb.basic.LightGBMError as error:
        raise ValueError(str(error)) from error


def text_of(booster: "lgb.Booster") -> str:
    """LightGBM's own text of a booster, of the trees that helped."""
    return str(booster.model_to_string())


def widened(text: str, n_columns: int) -> str:
    """The same trees in a feature row with more columns, which no tree looks at.

    Args:
        text: LightGBM's text of a booster over the first columns of the row.
        n_columns: Columns of the wider row.
    """
    lines = text.split("\n")
    for k, line in enumerate(lines):
        if line.startswith("max_feature_idx="):
            present = int(line.partition("=")[2]) + 1
            lines[k] = f"max_feature_idx={n_columns - 1}"
        elif line.startswith("feature_names="):
            more = " ".join(f"c{j}" for j in range(present, n_columns))
            lines[k] = f"{line} {more}".rstrip()
        elif line.startswith("feature_infos="):
            lines[k] = line + " none" * (n_columns - present)
        elif line.startswith("tree_sizes="):
            break
    return "\n".join(lines)


def importances(booster: "lgb.Booster", columns: Sequence[Column]) -> dict[str, float]:
    """Share of the total gain of each column, in [0, 1], largest first."""
    gain: NDArray[np.float64] = np.asarray(booster.feature_importance("gain"), float)
    total = gain.sum() or 1.0
    order = np.argsort(-gain, kind="stable")
    return {columns[k].name: float(gain[k] / total) for k in order}
