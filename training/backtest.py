"""Backtests in time: refit on what was known then, judge by what came after.

Every refit sees strictly earlier history. The decisions between one refit and the next
are predicted as serving would have: with that model, and with profiles as of each
decision.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Self

import numpy as np
import pandas as pd

from features.as_of import BoolArray, FloatArray, IntArray, instant
from features.columns import Float32Array, Side
from features.history import History
from features.known import Own
from features.learn import learn_recipe
from features.profiles import lead_rows, rep_and_pair_rows
from rightrep.errors import InvalidInput, TooFewOutcomes
from training.boosting import Rows, Trees
from training.dataset import Labelled, labelled
from training.evaluation import (
    Bin,
    Gain,
    Interval,
    Metrics,
    auc_of,
    calibration_by_tenth,
    gain_of,
    log_loss_of,
    mean_of,
    metrics_of,
)
from training.model import ConversionModel
from training.rows import TrainingRows, training_rows
from training.trial import Part, try_part

FEWEST_REFITS = 2
"""Refits below which a backtest says nothing of time."""

_FIRST_SHARE = 0.4  # of the judged decisions, before the first refit


@dataclass(frozen=True, kw_only=True)
class Judged:
    """How good one set of predictions was, with intervals clustered by rep and week.

    Attributes:
        metrics: The metrics.
        log_loss: Mean log loss in nats.
        auc: Area under the ROC curve.
        off: Mean prediction less the share won; 0 where chances come true.
    """

    metrics: Metrics
    log_loss: Interval
    auc: Interval
    off: Interval


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
    """All refits, and the decisions that judged them taken together.

    Attributes:
        refits: In order of time.
        lead_only: Without knowing the rep, over all of them.
        rep_only: From rep columns alone, likewise.
        pair: Knowing both, likewise.
        answer: What the models answer, likewise.
        gain: Fall of log loss from lead-only to pair, clustered by rep and week.
        calibration: Predicted against observed, in tenths, of what the models answer.
    """

    refits: tuple[Refit, ...]
    lead_only: Judged
    rep_only: Judged
    pair: Judged
    answer: Judged
    gain: Gain
    calibration: tuple[Bin, ...]

    @property
    def sides(self) -> Mapping[str, Judged]:
        """What is compared, by name."""
        return {
            "lead_only": self.lead_only,
            "rep_only": self.rep_only,
            "pair": self.pair,
            "answer": self.answer,
        }

    def numbers(self) -> dict[str, float]:
        """Every figure by name, as MLflow wants them."""
        found = {
            f"{name}.{field}.{end}": float(value)
            for name, side in self.sides.items()
            for field in ("log_loss", "auc", "off")
            for end, value in asdict(getattr(side, field)).items()
        }
        return found | {f"gain.{k}": float(v) for k, v in asdict(self.gain).items()}

    def in_words(self) -> list[str]:
        """The table, line by line: each refit, then all of them with intervals."""
        lines = [
            f"{'refit as of':<14}{'learnt':>8}{'judged':>8}{'won':>8}"
            f"{'AUC lead':>10}{'rep':>8}{'pair':>8}{'log loss lead':>15}{'rep':>8}"
            f"{'pair':>8}  reps differ"
        ]
        for one in self.refits:
            lead, rep, pair = one.lead_only, one.rep_only, one.pair
            lines.append(
                f"{one.as_of:%Y-%m-%d}    {one.n_rows:>8,}{lead.n_rows:>8,}"
                f"{lead.won_share:>8.1%}{lead.auc:>10.3f}{rep.auc:>8.3f}"
                f"{pair.auc:>8.3f}{lead.log_loss:>15.4f}{rep.log_loss:>8.4f}"
                f"{pair.log_loss:>8.4f}  {'yes' if one.reps_differ else 'no'}"
            )
        lines.append(f"{'all':<14}{'AUC':<24}{'log loss':<28}predicted less observed")
        lines += [
            f"{name:<14}{_said(side.auc, 3):<24}{_said(side.log_loss, 4):<28}"
            f"{_said(side.off, 3, sign='+')}"
            for name, side in self.sides.items()
        ]
        lines.append(
            f"knowing the rep lowers log loss by {_said(self.gain, 4, sign='+')}"
        )
        return lines


@dataclass(frozen=True, eq=False)
class _Predicted:
    """Predictions of the decisions that judge a refit."""

    won: BoolArray
    rep: IntArray
    week: IntArray
    lead_only: FloatArray
    rep_only: FloatArray
    pair: FloatArray
    answer: FloatArray

    @classmethod
    def joined(cls, parts: Sequence["_Predicted"]) -> Self:
        """All of them, in order."""
        return cls(
            *(
                np.concatenate([getattr(one, name) for one in parts])
                for name in cls.__dataclass_fields__
            )
        )

    def judged(self, p: FloatArray) -> Judged:
        """How good one of the predictions was."""
        clusters = self.rep, self.week
        return Judged(
            metrics=metrics_of(self.won, p),
            log_loss=log_loss_of(self.won, p, *clusters),
            auc=auc_of(self.won, p, *clusters),
            off=mean_of(p - self.won, *clusters),
        )


def refit_instants(
    history: History,
    n_refits: int,
    as_of: pd.Timestamp,
    *,
    label_window_days: int | None = None,
    zone: str = "UTC",
) -> list[pd.Timestamp]:
    """Instants between which equally many decisions are there to judge.

    The first two fifths of the decisions that can judge are left to the first refit.

    Args:
        history: The tenant's history.
        n_refits: Refits wanted; at least 2.
        as_of: Outcomes are taken as known then.
        label_window_days: As in ``training.retrain.train``.
        zone: IANA zone of the tenant.

    Raises:
        InvalidInput: Fewer than 2 refits are wanted.
        TooFewOutcomes: Nothing can judge yet.
    """
    if n_refits < FEWEST_REFITS:
        raise InvalidInput(
            f"A backtest needs at least {FEWEST_REFITS} refits.", field="refits"
        )
    own, at = Own.of(history), instant(as_of)
    recipe = learn_recipe(own, at, label_window_days=label_window_days, zone=zone)
    labels = labelled(own, recipe, at)
    labels.require()
    shares = _FIRST_SHARE + (1.0 - _FIRST_SHARE) * np.arange(n_refits) / n_refits
    starts = np.quantile(labels.decided_at, shares, method="lower")
    return [pd.Timestamp(int(one), unit="us", tz="UTC") for one in starts]


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
        InvalidInput: The instants are not ascending, or later than ``as_of``; a refit
            has too little to learn from, or nothing judges it.
    """
    times = [*refits, as_of]
    if any(one >= other for one, other in itertools.pairwise(times)):
        raise InvalidInput(
            "Refits must be ascending and earlier than the day outcomes are known at.",
            field="refits",
        )
    found: list[Refit] = []
    parts: list[_Predicted] = []
    for start, end in zip(refits, times[1:], strict=True):
        try:
            rows = training_rows(
                history,
                start,
                label_window_days=label_window_days,
                zone=zone,
                trees=trees,
            )
        except TooFewOutcomes as error:
            raise InvalidInput(
                f"The refit of {start:%Y-%m-%d} has too little to learn from.",
                field="refits",
                remedy=f"Begin later: {error}",
            ) from error
        model = _fitted(rows, trees)
        later = _predict(model, rows, end, as_of, trees)
        parts.append(later)
        found.append(_refit(start, rows.labels.n_rows, model.reps_differ_, later))
    every = _Predicted.joined(parts)
    return Backtest(
        refits=tuple(found),
        lead_only=every.judged(every.lead_only),
        rep_only=every.judged(every.rep_only),
        pair=every.judged(every.pair),
        answer=every.judged(every.answer),
        gain=gain_of(every.won, every.lead_only, every.pair, every.rep, every.week),
        calibration=calibration_by_tenth(every.won, every.answer),
    )


def _said(found: Interval, digits: int, *, sign: str = "") -> str:
    one = f"{sign}.{digits}f"
    return f"{found.mean:{one}} [{found.low:{one}}, {found.high:{one}}]"


def _fitted(rows: TrainingRows, trees: Trees | None) -> ConversionModel:
    labels = rows.labels
    model = ConversionModel(rows.contract, trees=trees, by_rep_anyway=True)
    return model.fit(
        rows.columns,
        labels.won,
        sample_weight=labels.weight,
        rep=labels.rep,
        week=labels.week,
        propensity=labels.propensity,
    )


def later_rows(
    rows: TrainingRows, end: pd.Timestamp, as_of: pd.Timestamp
) -> tuple[Labelled, Float32Array, Float32Array]:
    """What judges a refit: later decisions, with their feature rows as served then.

    Args:
        rows: What the refit was made of.
        end: The next refit; later decisions are left to it.
        as_of: Outcomes are taken as known then.

    Returns:
        The decisions; their lead columns, float32 (n_rows, n_lead_columns); their rep
        and pair columns, float32 (n_rows, n_other_columns).

    Raises:
        InvalidInput: There is none whose label window has ended.
    """
    known = rows.known.rated(rows.slices.of_decisions(rows.known))
    labels = labelled(known.own, rows.recipe, instant(as_of))
    between = labels.decided_at > instant(rows.as_of)
    labels = labels.where(between & (labels.decided_at <= instant(end)))
    if labels.n_rows == 0:
        raise InvalidInput(
            f"Nothing judges the refit of {rows.as_of:%Y-%m-%d}: no decision between "
            f"it and {end:%Y-%m-%d} has ended its label window.",
            field="refits",
            remedy="Refit earlier, or less often.",
        )
    at = labels.decided_at
    others = rep_and_pair_rows(known, labels.lead, labels.rep, at)
    return labels, lead_rows(known, labels.lead, at), others


def _predict(
    model: ConversionModel,
    rows: TrainingRows,
    end: pd.Timestamp,
    as_of: pd.Timestamp,
    trees: Trees | None,
) -> _Predicted:
    """Predict the decisions from a refit to the next one."""
    labels, of_leads, others = later_rows(rows, end, as_of)
    p_lead = model.p_lead(of_leads)
    p_pair = model.predict_proba(np.hstack([of_leads, others]))[:, 1]
    n_rep = len(rows.contract.of(Side.REP))
    return _Predicted(
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
    as_of: pd.Timestamp, n_rows: int, reps_differ: bool, later: _Predicted
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
