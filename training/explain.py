"""Why a pair got its chance: the largest contributions, in the words of the columns.

Costs about a millisecond per row and 100 trees: explain the pairs that are shown, not
those that are scored.
"""

from dataclasses import dataclass

import numpy as np

from features.columns import Column, Float32Array
from rightrep.errors import InvalidInput
from training.model import ConversionModel


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one column adds to a chance.

    Attributes:
        column: Name of the column.
        words: What the column says, with its value.
        log_odds: Added to the log odds, before calibration; positive helps.
    """

    column: str
    words: str
    log_odds: float


def explain(
    model: ConversionModel, rows: Float32Array, *, largest: int = 5
) -> list[list[Contribution]]:
    """The largest contributions to each row's chance, largest first.

    They are Shapley values of the trees (Lundberg, Erion and Lee, 2018, "Consistent
    individualized feature attribution for tree ensembles"), against the mean of the
    training rows.

    Args:
        model: A fitted model.
        rows: Feature rows of the pairs; float32 (n_rows, n_columns).
        largest: Most contributions per row; positive.

    Raises:
        InvalidInput: The model has no contract.
    """
    if model.contract is None:
        raise InvalidInput("A model without a contract cannot be explained.")
    columns = model.contract.columns
    added = np.asarray(model.booster.predict(rows, pred_contrib=True))[:, :-1]
    order = np.argsort(-np.abs(added), axis=1, kind="stable")[:, :largest]
    return [
        [
            Contribution(columns[k].name, _words(columns[k], row[k]), float(parts[k]))
            for k in chosen
            if parts[k] != 0.0
        ]
        for row, parts, chosen in zip(rows, added, order, strict=True)
    ]


def _words(column: Column, value: np.float32) -> str:
    if np.isnan(value):
        return f"{column.meaning}: not known ({column.missing})"
    if column.categorical:
        return f"{column.meaning}: {_category(column, int(value))}"
    return f"{column.meaning}: {_number(column.unit, float(value))}"


def _number(unit: str, value: float) -> str:
    if unit == "0 or 1":
        return "yes" if value else "no"
    if unit == "share":
        return f"{value:.1%}"
    if unit.startswith("log "):
        return f"{np.expm1(value):,.3g} {unit.removeprefix('log ')}"
    return f"{value:,.4g} {unit}"


def _category(column: Column, code: int) -> str:
    """The category's own text: the unit of such a column lists them by code."""
    categories = column.unit.removeprefix("code of ").split("|")
    return categories[code - 1] if 1 <= code <= len(categories) else "another one"
