"""Encoders keep scikit-learn's contract and ours."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.estimator_checks import parametrize_with_checks

from features.encoders import CategoryEncoder


@parametrize_with_checks([CategoryEncoder(min_count=1)])  # type: ignore[untyped-decorator]
def test_encoders_are_scikit_learn_estimators(
    estimator: BaseEstimator, check: Callable[[BaseEstimator], None]
) -> None:
    check(estimator)


def encoded(texts: list[str | float], like: list[str | float]) -> list[float]:
    encoder = CategoryEncoder(max_categories=2, min_count=2)
    encoder.fit(pd.DataFrame({"c": pd.Series(like, dtype=object)}))
    found = encoder.transform(pd.DataFrame({"c": pd.Series(texts, dtype=object)}))
    return [float(code) for code in found[:, 0]]


def test_the_more_frequent_a_category_the_smaller_its_code() -> None:
    assert encoded(["a", "b"], like=["a", "a", "b", "b", "b"]) == [2.0, 1.0]


def test_rare_and_new_categories_are_other() -> None:
    assert encoded(["c", "z"], like=["a", "a", "b", "b", "c"]) == [0.0, 0.0]


def test_no_more_categories_than_asked_for_have_a_code() -> None:
    assert encoded(["c"], like=["a", "a", "b", "b", "c", "c"]) == [0.0]


def test_a_missing_category_stays_missing() -> None:
    assert np.isnan(encoded([np.nan], like=["a", "a", np.nan, np.nan])).all()


def test_codes_do_not_depend_on_the_order_of_rows() -> None:
    like: list[str | float] = ["b", "a", "b", "a", "c", "c"]

    assert encoded(["a", "b"], like) == encoded(["a", "b"], like[::-1])
