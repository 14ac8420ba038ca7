"""The only module that knows MLflow: runs, registered models, the champion's alias.

MLflow is where data scientists look; serving never does. It reads the path and hash
that a use case publishes in the store, and works when MLflow is away.
"""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.report import TrainingReport
from training.retrain import TrainedModel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CHAMPION = "champion"
REQUIREMENTS = ["lightgbm", "numpy", "scikit-learn"]
"""Given to MLflow, which would start a process to guess them."""


def log_training(trained: TrainedModel, *, tracking_uri: str, experiment: str) -> str:
    """Log a training run and register its model.

    Args:
        trained: Model, file and report.
        tracking_uri: MLflow's store: a server's URL, or a database of its own.
        experiment: Name of the experiment and of the registered model.

    Returns:
        Version of the registered model, unique within ``experiment``.
    """
    with _mlflow(tracking_uri) as mlflow:
        mlflow.set_experiment(experiment)
        with mlflow.start_run() as run:
            mlflow.log_params(_parameters(trained.report))
            mlflow.log_metrics(_metrics(trained.report))
            mlflow.set_tag("sha256", trained.sha256)
            mlflow.set_tag("found", trained.report.in_words())
            mlflow.log_dict(trained.report.importances, "importances.json")
            mlflow.log_figure(calibration_figure(trained.report), "calibration.png")
            mlflow.log_artifact(str(trained.path), "model_file")
            info = mlflow.lightgbm.log_model(
                trained.model.booster,
                name="model",
                signature=_signature(mlflow, trained),
                registered_model_name=experiment,
                pip_requirements=REQUIREMENTS,
            )
            client = mlflow.MlflowClient()
            version = str(info.registered_model_version)
            client.set_model_version_tag(experiment, version, "run_id", run.info.run_id)
    return version


def set_champion(version: str, *, tracking_uri: str, experiment: str) -> None:
    """Move the alias ``champion`` to a version."""
    with _mlflow(tracking_uri) as mlflow:
        mlflow.MlflowClient().set_registered_model_alias(experiment, CHAMPION, version)


def calibration_figure(report: TrainingReport) -> "Figure":
    """Predicted against observed chance, by tenth of the predictions."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    predicted = [one.p_mean for one in report.calibration]
    observed = [one.won_share for one in report.calibration]
    error = [2 * one.error for one in report.calibration]
    top = max([*predicted, *observed, 0.01]) * 1.1
    axes.plot([0, top], [0, top], color="0.7", linewidth=1)
    axes.errorbar(predicted, observed, yerr=error, fmt="o-", capsize=3)
    axes.set(
        xlabel="predicted chance",
        ylabel="share won",
        title="Calibration on later decisions",
        xlim=(0, top),
        ylim=(0, top),
    )
    return figure


def _parameters(report: TrainingReport) -> dict[str, Any]:
    return {
        "as_of": report.as_of.isoformat(),
        "label_window_days": report.label_window_days,
        "columns_version": report.columns_version,
        "data_hash": report.data_hash,
        "reps_differ": report.reps_differ,
    }


def _metrics(report: TrainingReport) -> dict[str, float]:
    found: dict[str, float] = {
        "n_rows": report.n_rows,
        "n_won": report.n_won,
        "gain_mean": report.gain.mean,
        "gain_low": report.gain.low,
        "gain_high": report.gain.high,
    }
    for name in ("lead_only", "rep_only", "pair"):
        for key, value in asdict(getattr(report, name)).items():
            found[f"{name}_{key}"] = float(value)
    return found


def _signature(mlflow: Any, trained: TrainedModel) -> Any:  # noqa: ANN401
    contract = trained.model.contract
    if contract is None:
        raise ValueError("A trained model has a contract.")
    columns = [
        mlflow.types.ColSpec("float", name, required=False) for name in contract.names
    ]
    output = mlflow.types.Schema([mlflow.types.ColSpec("double", "p_convert")])
    return mlflow.models.ModelSignature(mlflow.types.Schema(columns), output)


@contextmanager
def _mlflow(tracking_uri: str) -> Iterator[Any]:
    """MLflow at one store, without its banners and without its questions to Git."""
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow
        import mlflow.lightgbm

        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.ERROR)
        embedded = tracking_uri.startswith("sqlite:///")
        if embedded:
            folder = Path(tracking_uri.removeprefix("sqlite:///")).parent
            folder.mkdir(parents=True, exist_ok=True)
        mlflow.set_tracking_uri(tracking_uri)
        mlflow.set_registry_uri(tracking_uri)
        yield mlflow
