"""From a tenant's history to a trained model in its file, with a report on it.

Nothing here talks to the store: whoever calls has read the history, and publishes the
file's path and hash.
"""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from features.history import History
from training.boosting import Trees, importances
from training.leakage import leaks_in, refuse
from training.model import ConversionModel
from training.model_file import save_model
from training.origin import Origin
from training.reference import reference_of
from training.report import TrainingReport, report_on
from training.rows import training_rows
from training.tuning import Tuning, tune


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """A model in its file, and the report on it.

    Attributes:
        report: What was learnt, and how well it predicts.
        model: The model.
        path: Its file.
        sha256: The file's hash, 64 hex digits.
        tuning: How its parameters were found; None where they are the usual ones.
    """

    report: TrainingReport
    model: ConversionModel
    path: Path
    sha256: str
    tuning: Tuning | None = None


def train(
    history: History,
    as_of: pd.Timestamp,
    folder: Path,
    *,
    label_window_days: int | None = None,
    zone: str = "UTC",
    trees: Trees | None = None,
    refuse_leaks: bool = False,
    n_trials: int = 0,
) -> TrainedModel:
    """Train a model on what was known at an instant, and write it to a file.

    Args:
        history: The tenant's history; rows later than ``as_of`` are not seen.
        as_of: Aware instant.
        folder: Where the file goes; its name is its hash.
        label_window_days: Days after a decision in which a win counts; the usual time
            to win when not given.
        zone: IANA zone of the tenant.
        trees: Parameters of the boosters; by the number of rows when not given.
        refuse_leaks: Whether columns that may know the outcome stop the training.
        n_trials: Sets of parameters that tuning tries; 0 takes ``trees`` as they are.

    Raises:
        TooFewOutcomes: There is not enough to learn from.
        InvalidInput: A column may know the outcome, and that is to be refused; or
            tuning is asked for and cannot be done.
    """
    rows = training_rows(
        history, as_of, label_window_days=label_window_days, zone=zone, trees=trees
    )
    leaks = leaks_in(rows)
    if refuse_leaks:
        refuse(leaks)
    labels = rows.labels
    tuning = tune(rows, n_trials, trees=trees) if n_trials else None
    trees = tuning.trees if tuning else trees or Trees.usual(labels.n_rows)
    model = ConversionModel(rows.contract, trees=trees)
    model.fit(
        rows.columns,
        labels.won,
        sample_weight=labels.weight,
        rep=labels.rep,
        week=labels.week,
        propensity=labels.propensity,
    )
    data_hash = rows.data_hash()
    model.origin = Origin(
        recipe=rows.recipe,
        slices=rows.slices,
        as_of=as_of,
        data_hash=data_hash,
        reference=reference_of(
            rows.columns,
            rows.contract,
            labels,
            rows.known.own.decisions,
            importances(model.booster, rows.contract.columns),
            model.p_later,
        ),
        n_rows=labels.n_rows,
        n_won=int(labels.won.sum()),
    )
    report = report_on(model, rows, trees, data_hash, leaks)
    sha256 = save_model(model, folder / "latest.zip")
    path = (folder / "latest.zip").replace(folder / f"{sha256[:16]}.zip")
    return TrainedModel(report, model, path, sha256, tuning)
