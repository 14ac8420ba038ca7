"""Why a chance is what it is: the largest contributions, in the columns' words.

LightGBM's own contributions (``pred_contrib``) are exact Shapley values of the trees
(Lundberg and others, 2020); they cost milliseconds a row, so only the pairs that
somebody looks at are explained.
"""

from dataclasses import dataclass

import numpy as np

from features.columns import Float32Array
from training.model import ConversionModel

LARGEST = 5


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one column adds to one chance.

    Attributes:
        column: Name of the column.
        words: What the column says, in a manager's words.
        value: The column's value in the feature row; NaN is missing.
        log_odds: Added to the trees' log odds, before calibration; positive helps.
    """

    column: str
    words: str
    value: float
    log_odds: float


def explain(
    model: ConversionModel, rows: Float32Array, *, largest: int = LARGEST
) -> list[list[Contribution]]:
    """The columns that matter most to each row's chance.

    Args:
        model: A fitted model.
        rows: Feature rows; float32 (n_rows, n_columns).
        largest: Columns named per row at most; those that add nothing are left out.

    Returns:
        Contributions of each row, the largest in size first.
    """
    contract = model.contract
    if contract is None:
        raise ValueError("A model without contract has no words for its columns.")
    added = np.asarray(model.booster.predict(rows, pred_contrib=True))[:, :-1]
    order = np.argsort(-np.abs(added), axis=1, kind="stable")[:, :largest]
    return [
        [
            Contribution(
                column=contract.columns[k].name,
                words=contract.columns[k].meaning,
                value=float(rows[i, k]),
                log_odds=float(added[i, k]),
            )
            for k in order[i].tolist()
            if added[i, k] != 0
        ]
        for i in range(rows.shape[0])
    ]
