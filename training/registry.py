"""MLflow: every training is a run, every model a version. Nothing else imports it.

The serving process does not: it reads the path and the hash that are published in the
store. MLflow's state is not global here, so threads and tests do not meet in it.
"""

import logging
import os
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rightrep.errors import InvalidInput
from training.backtest import Backtest
from training.evaluation import Bin, Metrics
from training.retrain import TrainedModel
from training.tuning import Tuning

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.models import ModelSignature

CHAMPION = "champion"
"""Alias of the version in use."""

REQUIREMENTS = (
    "numpy",
    "pandas",
    "scipy",
    "scikit-learn",
    "lightgbm",
    "numba",
    "orjson",
)
"""What a logged model needs; MLflow would start a process to find out, for 20 s."""

_SQLITE = "sqlite:///"
_NOISY = ("mlflow", "alembic")
_PARENT = "mlflow.parentRunId"


def log_training(trained: TrainedModel, *, tracking_uri: str, experiment: str) -> str:
    """Log a training as a run and register its model.

    The run has parameters, metrics, the hash of the data, a calibration plot, the
    columns' importances and the model's file; the model has a signature.

    Args:
        trained: The model and its report.
        tracking_uri: Where MLflow keeps its runs: ``sqlite:///PATH`` or a server.
        experiment: Name of the experiment, and of the registered model.

    Returns:
        The model's version.

    Raises:
        InvalidInput: MLflow is not installed.
    """
    with _client(tracking_uri) as client:
        run_id = client.create_run(
            _experiment(client, tracking_uri, experiment)
        ).info.run_id
        _log_report(client, run_id, trained)
        source = _log_model(client, run_id, trained)
        client.set_terminated(run_id)
        _ensure_registered(client, experiment)
        made = client.create_model_version(
            experiment, source, run_id, tags={"sha256": trained.sha256}
        )
        return str(made.version)


def log_backtest(
    found: Backtest, *, as_of: datetime, tracking_uri: str, experiment: str
) -> str:
    """Log a backtest as a run of its own, beside the trainings.

    Args:
        found: The backtest.
        as_of: Outcomes were taken as known then.
        tracking_uri: As in ``log_training``.
        experiment: Name of the experiment.

    Returns:
        The run's id.

    Raises:
        InvalidInput: MLflow is not installed.
    """
    with _client(tracking_uri) as client:
        run_id = client.create_run(
            _experiment(client, tracking_uri, experiment), run_name="backtest"
        ).info.run_id
        client.log_param(run_id, "as_of", as_of.isoformat())
        client.log_param(run_id, "n_refits", len(found.refits))
        for name, value in found.numbers().items():
            client.log_metric(run_id, name, value)
        for step, refit in enumerate(found.refits):
            client.log_metric(run_id, "refit.pair.auc", refit.pair.auc, step=step)
            loss = refit.pair.log_loss
            client.log_metric(run_id, "refit.pair.log_loss", loss, step=step)
        client.log_text(run_id, "\n".join(found.in_words()), "backtest.txt")
        client.log_figure(
            run_id, calibration_plot(found.calibration), "calibration.png"
        )
        client.set_terminated(run_id)
        return str(run_id)


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """One run to be logged, of anything that is not a training.

    Attributes:
        name: Name of the run.
        parameters: What it was done with.
        metrics: What was found.
        texts: Files by name.
        figures: Plots by file name.
    """

    name: str
    parameters: Mapping[str, object]
    metrics: Mapping[str, float]
    texts: Mapping[str, str]
    figures: Mapping[str, "Figure"]


def log_sheets(
    whole: Sheet, parts: Sequence[Sheet], *, tracking_uri: str, experiment: str
) -> str:
    """Log a run with runs inside it: a comparison, and each thing compared.

    Args:
        whole: The run around the others.
        parts: The runs inside it.
        tracking_uri: As in ``log_training``.
        experiment: Name of the experiment.

    Returns:
        The id of the run around the others.

    Raises:
        InvalidInput: MLflow is not installed.
    """
    with _client(tracking_uri) as client:
        place = _experiment(client, tracking_uri, experiment)
        parent = _log_sheet(client, place, whole, {})
        for part in parts:
            _log_sheet(client, place, part, {_PARENT: parent})
        return parent


@dataclass(frozen=True, kw_only=True)
class LoggedRun:
    """A run as it was logged.

    Attributes:
        name: Its name.
        parameters: What it was done with.
        metrics: What was found.
        files: Names of its files.
    """

    name: str
    parameters: Mapping[str, str]
    metrics: Mapping[str, float]
    files: Sequence[str]


def read_sheets(
    run_id: str, *, tracking_uri: str
) -> tuple[LoggedRun, Sequence[LoggedRun]]:
    """A run that ``log_sheets`` logged, and the runs inside it, as logged.

    Raises:
        InvalidInput: MLflow is not installed, or has no such run.
    """
    with _client(tracking_uri) as client:
        from mlflow.exceptions import MlflowException

        try:
            whole = client.get_run(run_id)
        except MlflowException as error:
            raise InvalidInput(f"MLflow has no run {run_id!r}.") from error
        parts = client.search_runs(
            [whole.info.experiment_id],
            filter_string=f"tags.`{_PARENT}` = '{run_id}'",
            order_by=["attributes.start_time"],
        )
        return _logged(client, whole), [_logged(client, one) for one in parts]


def _logged(client: "MlflowClient", run: "Run") -> LoggedRun:
    return LoggedRun(
        name=run.info.run_name,
        parameters=run.data.params,
        metrics=run.data.metrics,
        files=[one.path for one in client.list_artifacts(run.info.run_id)],
    )


def _log_sheet(
    client: "MlflowClient", place: str, sheet: Sheet, tags: Mapping[str, str]
) -> str:
    run = client.create_run(place, run_name=sheet.name, tags=dict(tags))
    run_id = str(run.info.run_id)
    for name, value in sheet.parameters.items():
        client.log_param(run_id, name, value)
    for name, number in sheet.metrics.items():
        client.log_metric(run_id, name, number)
    for name, text in sheet.texts.items():
        client.log_text(run_id, text, name)
    for name, figure in sheet.figures.items():
        client.log_figure(run_id, figure, name)
    client.set_terminated(run_id)
    return run_id


def set_champion(version: str, *, tracking_uri: str, experiment: str) -> None:
    """Move the alias ``champion`` to a version.

    Raises:
        InvalidInput: MLflow is not installed, or has no such version.
    """
    with _client(tracking_uri) as client:
        from mlflow.exceptions import MlflowException

        try:
            client.set_registered_model_alias(experiment, CHAMPION, version)
        except MlflowException as error:
            raise InvalidInput(
                f"MLflow has no version {version!r} of {experiment!r}.", field="version"
            ) from error


@contextmanager
def _client(tracking_uri: str) -> Iterator["MlflowClient"]:
    """A client that keeps quiet about itself and calls nobody."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    with warnings.catch_warnings():
        # Its warnings are about SQLAlchemy 2.1 and about a pip that our own
        # environment does not have; neither is the caller's to act upon.
        warnings.simplefilter("ignore")
        try:
            from mlflow import MlflowClient
        except ImportError as error:
            raise InvalidInput(
                "MLflow is not installed.", remedy="Install RightRep's extra 'train'."
            ) from error
        if tracking_uri.startswith(_SQLITE):
            _folder(tracking_uri).mkdir(parents=True, exist_ok=True)
        with _quiet():
            yield MlflowClient(tracking_uri, registry_uri=tracking_uri)


@contextmanager
def _quiet() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in _NOISY]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _folder(tracking_uri: str) -> Path:
    return Path(tracking_uri.removeprefix(_SQLITE)).absolute().parent


def _experiment(client: "MlflowClient", tracking_uri: str, name: str) -> str:
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    place = None
    if tracking_uri.startswith(_SQLITE):
        place = (_folder(tracking_uri) / "mlflow" / name).as_uri()
    return str(client.create_experiment(name, artifact_location=place))


def _ensure_registered(client: "MlflowClient", name: str) -> None:
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)


def _log_report(client: "MlflowClient", run_id: str, trained: TrainedModel) -> None:
    report = trained.report
    parameters = {
        "as_of": report.as_of.isoformat(),
        "label_window_days": report.label_window_days,
        "n_rows": report.n_rows,
        "n_won": report.n_won,
        "columns_version": report.columns_version,
        "data_hash": report.data_hash,
        "reps_differ": report.reps_differ,
    }
    for name, value in parameters.items():
        client.log_param(run_id, name, value)
    for name, value in _numbers(trained).items():
        client.log_metric(run_id, name, value)
    client.set_tag(run_id, "found", report.in_words())
    client.log_text(run_id, "\n".join(report.findings()), "findings.txt")
    _log_tuning(client, run_id, trained.tuning)
    client.log_dict(run_id, report.importances, "importances.json")
    client.log_figure(run_id, calibration_plot(report.calibration), "calibration.png")


def _numbers(trained: TrainedModel) -> dict[str, float]:
    report = trained.report
    sets: dict[str, Metrics] = {
        "lead_only": report.lead_only,
        "rep_only": report.rep_only,
        "pair": report.pair,
    }
    numbers = {
        f"{name}.{field}": float(value)
        for name, metrics in sets.items()
        for field, value in asdict(metrics).items()
    }
    return numbers | {f"gain.{k}": float(v) for k, v in asdict(report.gain).items()}


def _log_tuning(client: "MlflowClient", run_id: str, tuning: Tuning | None) -> None:
    if tuning is None:
        return
    for step, trial in enumerate(tuning.trials):
        client.log_metric(run_id, "tuning.log_loss", trial.log_loss, step=step)
    for name, value in asdict(tuning.gain).items():
        client.log_metric(run_id, f"tuning.gain.{name}", float(value))
    client.log_dict(
        run_id, {"trials": [asdict(one) for one in tuning.trials]}, "tuning.json"
    )


def _log_model(client: "MlflowClient", run_id: str, trained: TrainedModel) -> str:
    """Log the model so that MLflow can load it, without pickle; its place."""
    import mlflow.pyfunc

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "model"
        mlflow.pyfunc.save_model(
            place,
            loader_module="training.model_file",
            data_path=str(trained.path),
            signature=_signature(trained),
            pip_requirements=list(REQUIREMENTS),
        )
        client.log_artifacts(run_id, str(place), "model")
    return f"{client.get_run(run_id).info.artifact_uri}/model"


def _signature(trained: TrainedModel) -> "ModelSignature":
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    contract = trained.model.contract
    names: list[str] = [] if contract is None else contract.names
    columns: list[Any] = [
        ColSpec(DataType.float, name, required=False) for name in names
    ]
    return ModelSignature(
        inputs=Schema(columns), outputs=Schema([ColSpec(DataType.double, "p_convert")])
    )


def calibration_plot(bins: tuple[Bin, ...]) -> "Figure":
    """Predicted against observed, by tenths of the predictions."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    p = [one.p_mean for one in bins]
    top = 1.1 * max([*p, *(one.won_share for one in bins)])
    axes.plot([0, top], [0, top], color="0.7", linewidth=1)
    axes.errorbar(
        p,
        [one.won_share for one in bins],
        yerr=[1.96 * one.error for one in bins],
        fmt="o",
        capsize=3,
    )
    axes.set(
        xlabel="predicted chance",
        ylabel="share won",
        title="Later decisions, by tenths",
    )
    return figure
