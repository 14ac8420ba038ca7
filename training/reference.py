"""What training data looked like, stored with the model: drift is measured against it.

Shares of a column's values are never quite the same from month to month. So the
reference also says how far months of the training data themselves were from the whole;
only what goes beyond that is drift.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.as_of import DAY, FloatArray, IntArray
from features.columns import Column, Contract, Float32Array
from features.decision_facts import FOREVER, DecisionFacts
from training.dataset import Labelled

N_BINS = 10
MOST_CODES = 20
"""Codes of a categorical column with a share of their own; the others are one."""

SMALLEST_SHARE = 1e-4
"""Shares are kept this far from 0, so that the index stays finite."""

WINDOW_DAYS = 28
FEWEST_IN_WINDOW = 50
"""Windows of the training data with fewer decisions say nothing of what is usual."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnReference:
    """What one column looked like.

    Attributes:
        name: Its name in the contract.
        categorical: Whether values are codes without an order.
        edges: Ends of the bins but the last, ascending, each bin with its end; of a
            categorical column the codes that have a share of their own.
        shares: Share of each bin among the values that are there; sums to 1.
        missing: Share of missing values, in [0, 1].
        usual_psi: Largest index of a window of the training data against the whole.
        usual_missing: Largest distance of a window's share of missing values.
        importance: Share of the trees' gain, in [0, 1].
    """

    name: str
    categorical: bool
    edges: tuple[float, ...]
    shares: tuple[float, ...]
    missing: float
    usual_psi: float
    usual_missing: float
    importance: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """What a model's training data looked like.

    Attributes:
        n_rows: Training rows.
        columns: One entry for each column of the contract, in its order.
        outcome_days: Days within which half of the outcomes were known that were
            known by the end of the label window; positive.
        outcome_share: Share of decisions whose outcome was known in those days.
        usual_outcomes: Largest distance of a window from that share.
        usual_calibration: Largest distance of mean prediction and share won in a
            window of the later rows that judged the model.
    """

    n_rows: int
    columns: tuple[ColumnReference, ...]
    outcome_days: float
    outcome_share: float
    usual_outcomes: float
    usual_calibration: float

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Reference":
        """From what ``to_json`` gave, read back from a file."""
        columns = tuple(
            ColumnReference(
                **{
                    **one,
                    "edges": tuple(one["edges"]),
                    "shares": tuple(one["shares"]),
                }
            )
            for one in values["columns"]
        )
        return cls(**{**values, "columns": columns})


def psi(expected: Sequence[float] | FloatArray, found: FloatArray) -> float:
    """Population stability index: sum of (found - expected) ln(found / expected).

    0 where shares are the same; by custom, from 0.1 on a shift and from 0.25 on a large
    one (Siddiqi, 2006, "Credit Risk Scorecards").

    Args:
        expected: Shares of the reference; (n_bins,).
        found: Shares now, over the same bins; float64 (n_bins,).
    """
    e = np.maximum(np.asarray(expected, dtype=np.float64), SMALLEST_SHARE)
    a = np.maximum(found, SMALLEST_SHARE)
    return float(np.sum((a - e) * np.log(a / e)))


def shares_of(
    values: NDArray[np.floating[Any]], edges: Sequence[float], *, categorical: bool
) -> FloatArray:
    """Share of each bin among values, none of them missing; zeros without values."""
    ends = np.asarray(edges, dtype=np.float64)
    place = np.searchsorted(ends, values, side="left")
    if categorical and ends.size:
        known = ends[np.minimum(place, ends.size - 1)] == values
        place = np.where(known, place, ends.size)
    count = np.bincount(place, minlength=ends.size + 1).astype(np.float64)
    return count / max(values.size, 1)


def reference_of(
    columns: Float32Array,
    contract: Contract,
    labels: Labelled,
    decisions: DecisionFacts,
    importances: Mapping[str, float],
    p_later: FloatArray,
) -> Reference:
    """What training rows look like, and how much their windows differ.

    Args:
        columns: Feature rows; float32 (n_rows, n_columns).
        contract: What the columns are.
        labels: The decisions of these rows.
        decisions: All decisions, with what became of them.
        importances: Share of the trees' gain by column.
        p_later: Predictions of the last rows by trees that had not seen them;
            float64 (n_later,).
    """
    windows = _windows(labels.decided_at)
    days = _usual_days(labels, decisions)
    known = known_within(labels.decision, labels.decided_at, decisions, days)
    share = float(known.mean())
    return Reference(
        n_rows=labels.n_rows,
        columns=tuple(
            _column(columns[:, k], column, windows, importances.get(column.name, 0.0))
            for k, column in enumerate(contract.columns)
        ),
        outcome_days=days,
        outcome_share=share,
        usual_outcomes=max(
            (abs(float(known[rows].mean()) - share) for rows in windows), default=0.0
        ),
        usual_calibration=_usual_calibration(labels, p_later),
    )


def known_within(
    decision: IntArray, decided_at: IntArray, decisions: DecisionFacts, days: float
) -> NDArray[np.bool_]:
    """Whether each decision's outcome was known so many days after it."""
    return decisions.results.closed_by(decision, decided_at + round(days * DAY))


def _windows(decided_at: IntArray) -> list[IntArray]:
    """Rows of each window of ``WINDOW_DAYS``, thin ones left out."""
    code = (decided_at - decided_at.min()) // (WINDOW_DAYS * DAY)
    rows = [np.flatnonzero(code == one) for one in np.unique(code)]
    return [one for one in rows if one.size >= FEWEST_IN_WINDOW]


def _usual_days(labels: Labelled, decisions: DecisionFacts) -> float:
    """Median days to a known outcome, of those known by their window's end."""
    first = np.full(decisions.ids.size, FOREVER, dtype=np.int64)
    log = decisions.results.log
    np.minimum.at(first, log.key, log.known_at)
    first = first[labels.decision]
    known = first <= labels.window_end
    return float(np.median(first[known] - labels.decided_at[known])) / DAY


def _usual_calibration(labels: Labelled, p_later: FloatArray) -> float:
    first = labels.n_rows - p_later.size
    off = p_later - labels.won[first:]
    windows = _windows(labels.decided_at[first:])
    return max((abs(float(off[rows].mean())) for rows in windows), default=0.0)


def _column(
    values: Float32Array, column: Column, windows: list[IntArray], importance: float
) -> ColumnReference:
    there = ~np.isnan(values)
    edges = _edges(values[there], categorical=column.categorical)

    def shares(rows: NDArray[np.bool_] | IntArray) -> FloatArray:
        some = values[rows]
        return shares_of(some[~np.isnan(some)], edges, categorical=column.categorical)

    whole = shares(there)
    missing = float(1.0 - there.mean())
    return ColumnReference(
        name=column.name,
        categorical=column.categorical,
        edges=edges,
        shares=tuple(whole.tolist()),
        missing=missing,
        usual_psi=max(
            (psi(whole, shares(rows)) for rows in windows if there[rows].any()),
            default=0.0,
        ),
        usual_missing=max(
            (abs(float(1.0 - there[rows].mean()) - missing) for rows in windows),
            default=0.0,
        ),
        importance=importance,
    )


def _edges(values: Float32Array, *, categorical: bool) -> tuple[float, ...]:
    if values.size == 0:
        return ()
    if categorical:
        codes, count = np.unique(values, return_counts=True)
        most = np.argsort(-count, kind="stable")[:MOST_CODES]
        return tuple(np.sort(codes[most]).tolist())
    inner = np.arange(1, N_BINS) / N_BINS
    # One of the values each time, so that ties fall on the same side now and later.
    ends = np.quantile(values, inner, method="inverted_cdf")
    return tuple(np.unique(ends).tolist())
