"""What training found, as a record."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.as_of import FloatArray
from features.columns import Side
from training.boosting import Rows, Trees, importances
from training.evaluation import Bin, Gain, Metrics, calibration_by_tenth, metrics_of
from training.leakage import Leak
from training.model import ConversionModel
from training.rows import TrainingRows
from training.trial import try_part
from training.weighting import Lottery


@dataclass(frozen=True, kw_only=True)
class TrainingReport:
    """What was learnt from what, and how well it predicts later decisions.

    Attributes:
        as_of: Aware instant; nothing later was seen.
        n_rows: Training rows.
        n_won: Won ones among them.
        label_window_days: Days after a decision in which a win counts.
        columns_version: Version of the columns' contract.
        data_hash: SHA-256 of the training rows.
        reps_differ: Whether knowing the rep measurably helps; without, every rep gets
            the lead's own chance.
        gain: Fall of log loss from lead-only to pair, on later decisions.
        lead_only: Metrics on later decisions, the rep not known.
        rep_only: The same with rep columns alone.
        pair: The same with all columns.
        calibration: Predicted against observed, in tenths, of what the model answers.
        importances: Share of the trees' gain by column, largest first.
        lottery: What decisions drawn by lot say of the choice of reps.
        leaks: Columns that probably know the outcome.
    """

    as_of: pd.Timestamp
    n_rows: int
    n_won: int
    label_window_days: int
    columns_version: str
    data_hash: str
    reps_differ: bool
    gain: Gain
    lead_only: Metrics
    rep_only: Metrics
    pair: Metrics
    calibration: tuple[Bin, ...]
    importances: dict[str, float]
    lottery: Lottery | None = None
    leaks: tuple[Leak, ...] = ()

    @property
    def answer(self) -> Metrics:
        """Metrics of what the model answers with."""
        return self.pair if self.reps_differ else self.lead_only

    def in_words(self) -> str:
        """Whether reps differ, in a sentence or two."""
        gain = f"{self.gain.mean:+.4f} [{self.gain.low:+.4f}, {self.gain.high:+.4f}]"
        if self.reps_differ:
            return f"Knowing the rep helps: log loss falls by {gain}."
        return (
            f"Reps do not differ measurably: log loss falls by {gain}. "
            "Every rep gets the lead's own chance."
        )

    def findings(self) -> list[str]:
        """Whether reps differ, what lotteries say, and every warning; a line each."""
        lottery = [] if self.lottery is None else [self.lottery.in_words()]
        leaks = [
            f"WARNING, may know the outcome: {leak.in_words()}" for leak in self.leaks
        ]
        return [self.in_words(), *lottery, *leaks]


def report_on(
    model: ConversionModel,
    rows: TrainingRows,
    trees: Trees,
    data_hash: str,
    leaks: tuple[Leak, ...],
) -> TrainingReport:
    """What the later rows of a model fitted just now say about it."""
    later = model.later_
    if later is None:
        raise ValueError("Only a model that was just fitted has later rows.")
    return TrainingReport(
        as_of=rows.as_of,
        n_rows=rows.labels.n_rows,
        n_won=int(rows.labels.won.sum()),
        label_window_days=rows.recipe.label_window_days,
        columns_version=rows.contract.version,
        data_hash=data_hash,
        reps_differ=model.reps_differ_,
        gain=model.gain_,
        lead_only=metrics_of(later.won, later.p_lead),
        rep_only=metrics_of(later.won, _rep_only(rows, trees)),
        pair=metrics_of(later.won, later.p_pair),
        calibration=calibration_by_tenth(later.won, model.p_later),
        importances=importances(model.booster, rows.contract.columns),
        lottery=model.lottery_,
        leaks=leaks,
    )


def _rep_only(rows: TrainingRows, trees: Trees) -> FloatArray:
    """Chances of the later rows from the rep columns alone."""
    n_leads = len(rows.contract.of(Side.LEAD))
    reps = rows.contract.of(Side.REP)
    columns = rows.columns[:, n_leads : n_leads + len(reps)]
    alone = Rows(
        columns=np.ascontiguousarray(columns),
        won=rows.labels.won,
        weight=rows.labels.weight,
    )
    return try_part(alone, reps, trees).chance
