"""Why a pair or a lead got its chance: the largest contributions, in columns' words.

Costs about a millisecond per row and 100 trees: explain what is shown, not what is
scored.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from features.columns import Column, Float32Array, Side
from rightrep.errors import InvalidInput
from training.model import ConversionModel
from training.words import MONEY, Language, say

if TYPE_CHECKING:
    import lightgbm as lgb


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
    model: ConversionModel,
    rows: Float32Array,
    *,
    largest: int = 5,
    language: Language = Language.ENGLISH,
    currency: str = MONEY,
) -> list[list[Contribution]]:
    """The largest contributions to each pair's chance, largest first.

    They are Shapley values of the trees (Lundberg, Erion and Lee, 2018, "Consistent
    individualized feature attribution for tree ensembles"), against the mean of the
    training rows.

    Args:
        model: A fitted model.
        rows: Feature rows of the pairs; float32 (n_rows, n_columns).
        largest: Most contributions per row; positive.
        language: Language of the words.
        currency: What money is in.

    Raises:
        InvalidInput: The model has no contract.
    """
    columns = _columns(model)
    say_one = partial(say, language=language, currency=currency)
    return _contributions(model.booster, columns, rows, largest, say_one)


def explain_lead(
    model: ConversionModel,
    leads: Float32Array,
    *,
    largest: int = 5,
    language: Language = Language.ENGLISH,
    currency: str = MONEY,
) -> list[list[Contribution]]:
    """The largest contributions to each lead's own chance, and so to its lead score.

    Args:
        model: A fitted model.
        leads: Lead columns; float32 (n_leads, n_lead_columns).
        largest: Most contributions per lead; positive.
        language: Language of the words.
        currency: What money is in.

    Raises:
        InvalidInput: The model has no contract.
    """
    columns = [one for one in _columns(model) if one.side is Side.LEAD]
    say_one = partial(say, language=language, currency=currency)
    return _contributions(model.lead_.booster, columns, leads, largest, say_one)


def _columns(model: ConversionModel) -> Sequence[Column]:
    if model.contract is None:
        raise InvalidInput("A model without a contract cannot be explained.")
    return model.contract.columns


def _contributions(
    booster: "lgb.Booster",
    columns: Sequence[Column],
    rows: Float32Array,
    largest: int,
    say_one: Callable[[Column, np.float32], str],
) -> list[list[Contribution]]:
    added = np.asarray(booster.predict(rows, pred_contrib=True))[:, :-1]
    order = np.argsort(-np.abs(added), axis=1, kind="stable")[:, :largest]
    return [
        [
            Contribution(columns[k].name, say_one(columns[k], row[k]), float(parts[k]))
            for k in chosen
            if parts[k] != 0.0
        ]
        for row, parts, chosen in zip(rows, added, order, strict=True)
    ]
