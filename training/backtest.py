"""Backtests in time: refit on what was known then, judge by what came after.

Every refit sees strictly earlier history. The decisions between one refit and the next
are predicted as serving would have: with that model, and with profiles as of each
decision.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.as_of import BoolArray, FloatArray, IntArray, instant
from features.columns import Side
from features.history import History
from features.profiles import lead_rows, rep_and_pair_rows
from rightrep.errors import TooFewOutcomes
from training.boosting import Rows, Trees
from training.dataset import labelled
from training.evaluation import Gain, Metrics, gain_of, metrics_of
from training.model import ConversionModel
from training.rows import TrainingRows, training_rows
from training.trial import Part, try_part


@dataclass(frozen=True, kw_only=True)
class Refit:
    """One refit and the decisions it was judged by.

    Attributes:
        as_of: When it was made.
        n_rows: Training rows.
        reps_differ: Whether it answers by rep.
        lead_only: Metrics without knowing the rep.
        rep_only: Metrics from rep columns alone.
        pair: Metrics knowing both, whether or not the model answers so.
        answer: Metrics of what the model answers.
    """

    as_of: pd.Timestamp
    n_rows: int
    reps_differ: bool
    lead_only: Metrics
    rep_only: Metrics
    pair: Metrics
    answer: Metrics


@dataclass(frozen=True, kw_only=True)
class Backtest:
    """All refits, and the gain over all decisions that judged them.

    Attributes:
        refits: In order of time.
        lead_only: Metrics over all of them.
        rep_only: Likewise.
        pair: Likewise.
        gain: Fall of log loss from lead-only to pair, clustered by rep.
    """

    refits: tuple[Refit, ...]
    lead_only: Metrics
    rep_only: Metrics
    pair: Metrics
    gain: Gain


@dataclass(frozen=True, eq=False)
class _Judged:
    """Predictions of the decisions that judge a refit."""

    won: BoolArray
    rep: IntArray
    week: IntArray
    lead_only: FloatArray
    rep_only: FloatArray
    pair: FloatArray
    answer: FloatArray


def backtest(
    history: History,
    refits: Sequence[pd.Timestamp],
    as_of: pd.Timestamp,
    *,
    label_window_days: int | None = None,
    zone: str = "UTC",
    trees: Trees | None = None,
) -> Backtest:
    """Refit at each instant, and judge by the decisions up to the next.

    Args:
        history: The tenant's history.
        refits: Aware instants, ascending.
        as_of: Outcomes are taken as known then; decisions whose label window has not
            ended by then judge nothing.
        label_window_days: As in ``training.retrain.train``.
        zone: IANA zone of the tenant.
        trees: Parameters of the boosters.

    Raises:
        TooFewOutcomes: A refit has too little to learn from, or nothing judges it.
    """
    found: list[Refit] = []
    judged: list[_Judged] = []
    for start, end in zip(refits, [*refits[1:], as_of], strict=True):
        rows = training_rows(
            history, start, label_window_days=label_window_days, zone=zone, trees=trees
        )
        model = ConversionModel(rows.contract, trees=trees, by_rep_anyway=True)
        labels = rows.labels
        model.fit(
            rows.columns,
            labels.won,
            sample_weight=labels.weight,
            rep=labels.rep,
            week=labels.week,
        )
        later = _predict(model, rows, end, as_of, trees)
        judged.append(later)
        found.append(_refit(start, labels.n_rows, model.reps_differ_, later))
    every = _Judged(
        *(
            np.concatenate([getattr(one, name) for one in judged])
            for name in _Judged.__dataclass_fields__
        )
    )
    return Backtest(
        refits=tuple(found),
        lead_only=metrics_of(every.won, every.lead_only),
        rep_only=metrics_of(every.won, every.rep_only),
        pair=metrics_of(every.won, every.pair),
        gain=gain_of(every.won, every.lead_only, every.pair, every.rep, every.week),
    )


def _predict(
    model: ConversionModel,
    rows: TrainingRows,
    end: pd.Timestamp,
    as_of: pd.Timestamp,
    trees: Trees | None,
) -> _Judged:
    """Predict the decisions from a refit to the next one.

    Raises:
        TooFewOutcomes: There is none whose label window has ended.
    """
    known = rows.known.rated(rows.slices.of_decisions(rows.known))
    labels = labelled(known.own, rows.recipe, instant(as_of))
    between = labels.decided_at > instant(rows.as_of)
    labels = labels.where(between & (labels.decided_at <= instant(end)))
    if labels.n_rows == 0:
        raise TooFewOutcomes(won=0, lost=0, needed=1)
    at = labels.decided_at
    of_leads = lead_rows(known, labels.lead, at)
    others = rep_and_pair_rows(known, labels.lead, labels.rep, at)
    p_lead = model.p_lead(of_leads)
    p_pair = model.predict_proba(np.hstack([of_leads, others]))[:, 1]
    n_rep = len(rows.contract.of(Side.REP))
    return _Judged(
        won=labels.won,
        rep=labels.rep,
        week=labels.week,
        lead_only=p_lead,
        rep_only=_rep_only(rows, trees).chance(np.ascontiguousarray(others[:, :n_rep])),
        pair=p_pair,
        answer=p_pair if model.reps_differ_ else p_lead,
    )


def _rep_only(rows: TrainingRows, trees: Trees | None) -> Part:
    reps = rows.contract.of(Side.REP)
    first = len(rows.contract.of(Side.LEAD))
    alone = Rows(
        columns=np.ascontiguousarray(rows.columns[:, first : first + len(reps)]),
        won=rows.labels.won,
        weight=rows.labels.weight,
    )
    return try_part(alone, reps, trees or Trees.usual(rows.labels.n_rows)).part


def _refit(
    as_of: pd.Timestamp, n_rows: int, reps_differ: bool, later: _Judged
) -> Refit:
    return Refit(
        as_of=as_of,
        n_rows=n_rows,
        reps_differ=reps_differ,
        lead_only=metrics_of(later.won, later.lead_only),
        rep_only=metrics_of(later.won, later.rep_only),
        pair=metrics_of(later.won, later.pair),
        answer=metrics_of(later.won, later.answer),
    )
