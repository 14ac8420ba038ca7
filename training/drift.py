"""Drift: do recent decisions still look like what the model was trained on?

Four things are watched, each against the training's own reference:

- shares of every column's values, by the population stability index;
- every column's share of missing values;
- calibration: chances against what came of decisions that training had not seen;
- outcomes: how many are known as soon as half of them used to be.

A column that the trees hardly look at is reported and raises no alarm.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from features.as_of import DAY, BoolArray, FloatArray, IntArray, instant
from features.columns import Float32Array
from features.history import History
from features.known import Known, Own
from features.profiles import lead_rows, rep_and_pair_rows
from rightrep.domain.learning import Learning
from training.dataset import Labelled, labelled
from training.model import ConversionModel
from training.origin import Origin
from training.reference import (
    ColumnReference,
    Reference,
    known_within,
    psi,
    shares_of,
)

FEWEST = 200
"""Fewest decisions to say anything by."""

MOST = 20_000
"""Recent decisions looked at, the latest ones."""

BEYOND_USUAL = 2.0
"""A month of the training data may be so far off; drift is more than this times it."""

TURNS_OVER = 1.0
"""Index of a month of the training data from which a column changes all the time, such
as campaigns and shares won: its values say nothing about drift."""

LEAST_IMPORTANT = 0.01
"""Share of the trees' gain from which a column's drift raises an alarm."""

SURE = 3.0
"""Standard errors by which a share is off before it counts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnDrift:
    """How one column changed.

    Attributes:
        name: The column.
        importance: Share of the trees' gain, in [0, 1].
        psi: Population stability index against the training data.
        psi_limit: From where on that is drift; None where values change all the time.
        missing: Share of missing values now.
        missing_before: The same in training.
        missing_limit: Change from where on that is drift.
        drifted: Whether either is.
        alarms: Whether it also matters to the trees.
    """

    name: str
    importance: float
    psi: float
    psi_limit: float | None
    missing: float
    missing_before: float
    missing_limit: float
    drifted: bool
    alarms: bool

    def in_words(self) -> str:
        """What changed, in a sentence."""
        words = []
        if self.psi_limit is not None and self.psi > self.psi_limit:
            words.append(f"its values shifted (PSI {self.psi:.2f})")
        if abs(self.missing - self.missing_before) > self.missing_limit:
            words.append(
                f"it is missing in {self.missing:.0%}, before in "
                f"{self.missing_before:.0%}"
            )
        return f"{self.name}: {' and '.join(words) or 'no drift'}."


@dataclass(frozen=True, kw_only=True, slots=True)
class ShareDrift:
    """A share now beside what it should be.

    Attributes:
        n_rows: Decisions it rests on.
        found: The share now.
        expected: What it should be.
        limit: Distance from where on that is drift.
        alarms: Whether it is, beyond chance.
    """

    n_rows: int
    found: float
    expected: float
    limit: float
    alarms: bool


@dataclass(frozen=True, kw_only=True)
class DriftReport:
    """One look at a model.

    Attributes:
        as_of: Aware instant; nothing later was seen.
        n_rows: Recent decisions looked at.
        columns: Every column, the most important first; empty below ``FEWEST``.
        calibration: Share won beside the mean prediction, on decisions whose label
            window ended after training; None below ``FEWEST`` of them.
        outcomes: Share of outcomes known within ``outcome_days``, beside training's;
            None below ``FEWEST``.
        outcome_days: Days within which half of the outcomes used to be known.
    """

    as_of: datetime
    n_rows: int
    columns: tuple[ColumnDrift, ...]
    calibration: ShareDrift | None
    outcomes: ShareDrift | None
    outcome_days: float

    @property
    def alarms(self) -> tuple[str, ...]:
        """What raises the alarm, a sentence each; empty when nothing does."""
        found = [one.in_words() for one in self.columns if one.alarms]
        if self.calibration is not None and self.calibration.alarms:
            found.append(
                f"Calibration: {self.calibration.found:.1%} are won where "
                f"{self.calibration.expected:.1%} were predicted."
            )
        if self.outcomes is not None and self.outcomes.alarms:
            found.append(
                f"Outcomes: {self.outcomes.found:.0%} are known after "
                f"{self.outcome_days:.0f} days, before {self.outcomes.expected:.0%}."
            )
        return tuple(found)

    @property
    def alarmed(self) -> bool:
        """Whether anything raises the alarm."""
        return bool(self.alarms)

    def in_words(self) -> str:
        """The whole in a sentence or two."""
        if not self.columns:
            return f"Not enough decisions to say: {self.n_rows} of {FEWEST} needed."
        return " ".join(self.alarms) or f"No drift in {self.n_rows:,} decisions."

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        values = asdict(self)
        values["as_of"] = self.as_of.isoformat()
        return values | {
            "alarms": list(self.alarms),
            "in_words": self.in_words(),
        }


def look(
    model: ConversionModel, history: History, as_of: datetime, limits: Learning
) -> DriftReport:
    """Compare recent decisions with what the model was trained on.

    Args:
        model: A model with its origin.
        history: The tenant's history; what is later than ``as_of`` is not looked at.
        as_of: Aware instant.
        limits: What counts as drift.

    Raises:
        ValueError: The model does not say what it was made by.
    """
    origin = model.origin
    if origin is None:
        raise ValueError("Only a model with an origin can be watched.")
    at = instant(pd.Timestamp(as_of))
    known = origin.known(history)
    reference = origin.reference
    recent = _recent(known.own, at, limits.drift_days)
    columns = _rows(known, *_asked(known.own, recent))
    return DriftReport(
        as_of=as_of,
        n_rows=recent.size,
        columns=column_drift(reference, columns, limits)
        if recent.size >= FEWEST
        else (),
        calibration=_calibration(model, origin, known, at, limits),
        outcomes=_outcomes(reference, known.own, at, limits),
        outcome_days=reference.outcome_days,
    )


def column_drift(
    reference: Reference, columns: Float32Array, limits: Learning
) -> tuple[ColumnDrift, ...]:
    """How every column changed, the most important first.

    Args:
        reference: What training data looked like.
        columns: Feature rows now; float32 (n_rows, n_columns), at least one row.
        limits: What counts as drift.
    """
    found = [
        _column(one, columns[:, k], limits) for k, one in enumerate(reference.columns)
    ]
    return tuple(sorted(found, key=lambda one: -one.importance))


def _column(
    before: ColumnReference, values: Float32Array, limits: Learning
) -> ColumnDrift:
    there = ~np.isnan(values)
    missing = float(1.0 - there.mean())
    index = 0.0
    # Without values on either side there is nothing to compare but what is missing.
    if there.any() and before.missing < 1.0:
        now = shares_of(values[there], before.edges, categorical=before.categorical)
        index = psi(before.shares, now)
    missing_limit = max(limits.drift_missing, BEYOND_USUAL * before.usual_missing)
    psi_limit = None
    if before.usual_psi < TURNS_OVER:
        psi_limit = max(limits.drift_psi, BEYOND_USUAL * before.usual_psi)
    drifted = abs(missing - before.missing) > missing_limit
    drifted |= psi_limit is not None and index > psi_limit
    return ColumnDrift(
        name=before.name,
        importance=before.importance,
        psi=index,
        psi_limit=psi_limit,
        missing=missing,
        missing_before=before.missing,
        missing_limit=missing_limit,
        drifted=drifted,
        alarms=drifted and before.importance >= LEAST_IMPORTANT,
    )


def _recent(own: Own, at: int, days: int) -> IntArray:
    """The latest decisions that stand, of known leads and reps."""
    decided = own.decisions.decided_at
    chosen = _standing(own, at) & (decided > at - days * DAY)
    rows = np.flatnonzero(chosen)
    return rows[np.argsort(decided[rows], kind="stable")][-MOST:]


def _standing(own: Own, at: int) -> BoolArray:
    made = own.decisions
    stands = (made.known_at <= at) & (made.void_at > at)
    return stands & (made.lead >= 0) & (made.rep >= 0)


def _asked(own: Own, rows: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    made = own.decisions
    return made.lead[rows], made.rep[rows], made.decided_at[rows]


def _rows(
    known: Known, lead: IntArray, rep: IntArray, decided_at: IntArray
) -> Float32Array:
    """Whole feature rows, each as of its decision."""
    return np.hstack(
        [
            lead_rows(known, lead, decided_at),
            rep_and_pair_rows(known, lead, rep, decided_at),
        ]
    )


def _calibration(
    model: ConversionModel, origin: Origin, known: Known, at: int, limits: Learning
) -> ShareDrift | None:
    """Chances of decisions judged since training, against what came of them."""
    labels = judged_since(origin, known, at)
    if labels.n_rows < FEWEST:
        return None
    rows = _rows(known, labels.lead, labels.rep, labels.decided_at)
    p: FloatArray = model.predict_proba(rows)[:, 1]
    error = float(np.sqrt((p * (1.0 - p)).sum()) / p.size)
    return _share(
        float(labels.won.mean()),
        float(p.mean()),
        error,
        max(
            limits.drift_calibration,
            BEYOND_USUAL * origin.reference.usual_calibration,
        ),
        labels.n_rows,
    )


def judged_since(origin: Origin, known: Known, at: int) -> Labelled:
    """The latest decisions whose label window ended after a model was trained."""
    labels = labelled(known.own, origin.recipe, at)
    new = np.flatnonzero(labels.window_end > instant(origin.as_of))
    return labels.where(new[-MOST:])


def _outcomes(
    reference: Reference, own: Own, at: int, limits: Learning
) -> ShareDrift | None:
    """Share of outcomes known in the usual time, of decisions just old enough."""
    made = own.decisions
    old_enough = made.decided_at + round(reference.outcome_days * DAY)
    since = at - limits.drift_days * DAY
    chosen = _standing(own, at) & (old_enough <= at) & (old_enough > since)
    rows = np.flatnonzero(chosen)
    if rows.size < FEWEST:
        return None
    known = known_within(rows, made.decided_at[rows], made, reference.outcome_days)
    before = reference.outcome_share
    return _share(
        float(known.mean()),
        before,
        float(np.sqrt(before * (1.0 - before) / rows.size)),
        max(limits.drift_outcomes, BEYOND_USUAL * reference.usual_outcomes),
        rows.size,
    )


def _share(
    found: float, expected: float, error: float, limit: float, n_rows: int
) -> ShareDrift:
    off = abs(found - expected)
    return ShareDrift(
        n_rows=n_rows,
        found=found,
        expected=expected,
        limit=limit,
        alarms=off > limit and off > SURE * error,
    )


def as_read(report: Mapping[str, Any]) -> list[str]:
    """What a stored report (``DriftReport.to_json``) says, line by line."""
    unheard = [
        f"{one['name']} drifted; the trees hardly look at it."
        for one in report["columns"]
        if one["drifted"] and not one["alarms"]
    ]
    return [str(report["in_words"]), *unheard]
