"""scikit-learn transformers that features are made with."""

from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from features.codes import codes_of

OTHER = 0
"""Code of a category that was rare in training, or not seen."""


class CategoryEncoder(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Categories as codes: the more frequent, the smaller; rare and new ones are 0.

    A missing value stays missing (NaN), which a tree treats as its own case. Codes
    start at 1, ties of frequency go by the value's text, so that the same rows in any
    order give the same codes.

    Attributes:
        categories_: After ``fit``: the categories of each column in code order.
    """

    def __init__(self, *, max_categories: int = 60, min_count: int = 5) -> None:
        """Set the limits.

        Args:
            max_categories: Most categories with a code of their own; positive.
            min_count: Fewest rows for a code of one's own; positive.
        """
        self.max_categories = max_categories
        self.min_count = min_count

    def fit(self, X: ArrayLike, y: object = None) -> Self:  # noqa: N803, ARG002
        """Learn the codes.

        Args:
            X: Categories; (n_rows, n_columns).
            y: Not looked at.
        """
        columns = self._columns(X, reset=True)
        self.categories_ = [self._ranked(column) for column in columns]
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.float32]:  # noqa: N803
        """Codes of categories; float32 (n_rows, n_columns), NaN where missing."""
        check_is_fitted(self)
        columns = self._columns(X, reset=False)
        return np.column_stack(
            [
                encode(column, categories)
                for column, categories in zip(columns, self.categories_, strict=True)
            ]
        )

    def _columns(self, X: ArrayLike, *, reset: bool) -> list[pd.Series]:  # noqa: N803
        rows = validate_data(
            self, X, dtype=None, ensure_all_finite="allow-nan", reset=reset
        )
        return [pd.Series(rows[:, k]) for k in range(rows.shape[1])]

    def _ranked(self, column: pd.Series) -> pd.Index:
        counts = column.value_counts(sort=False, dropna=True)
        kept = counts[counts >= self.min_count]
        frame = pd.DataFrame({"count": kept.to_numpy(), "text": kept.index.astype(str)})
        order = frame.sort_values(["count", "text"], ascending=[False, True]).index
        return kept.index[order[: self.max_categories]]

    def __sklearn_tags__(self) -> Tags:
        """Categories and missing values are welcome; codes are always float32."""
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = []
        return tags


def encode(
    values: pd.Series | pd.Index | NDArray[np.object_], categories: pd.Index
) -> NDArray[np.float32]:
    """Codes of values: 1 and up in the order of categories, ``OTHER``, or missing."""
    code = (codes_of(categories, values) + 1).astype(np.float32)
    code[np.asarray(pd.isna(values))] = np.nan
    return code
