"""From a market's history to a published model, on the demo market's truth."""

import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments.simulate import ZONE, Market, MarketSettings, simulate
from features.columns import feature_rows
from features.history import History
from features.profiles import batch
from rightrep.errors import InvalidInput, TooFewOutcomes
from training.backtest import Backtest, backtest
from training.explain import explain
from training.model_file import load_model
from training.registry import log_training, set_champion
from training.retrain import TrainedModel, train

pytestmark = pytest.mark.long

EXPERIMENT = "rightrep-test"


@cache
def market(rep_effect: float) -> Market:
    return simulate(
        MarketSettings(n_leads=5_000, n_reps=16, rep_effect=rep_effect, seed=4)
    )


def after(history: History, share: float) -> pd.Timestamp:
    """The instant by which a share of all decisions was made."""
    decided = history.decisions["decided_at"].sort_values()
    return pd.Timestamp(decided.iloc[round(share * (len(decided) - 1))])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def trained(folder: Path) -> TrainedModel:
    found = market(3.0)
    return train(found.history(), pd.Timestamp(found.settings.end), folder, zone=ZONE)


def test_training_finds_reps_that_differ_and_says_so(trained: TrainedModel) -> None:
    report = trained.report

    assert report.reps_differ
    assert report.in_words().startswith("Knowing the rep helps")
    assert report.pair.log_loss < report.lead_only.log_loss
    assert report.answer == report.pair
    assert report.pair.auc > max(0.6, report.rep_only.auc)
    assert sum(report.importances.values()) == pytest.approx(1.0)


def test_training_in_the_null_world_finds_nothing_and_says_so(folder: Path) -> None:
    found = market(0.0)

    result = train(found.history(), pd.Timestamp(found.settings.end), folder, zone=ZONE)

    assert not result.report.reps_differ
    assert result.report.in_words().startswith("Reps do not differ measurably")
    assert result.report.answer == result.report.lead_only


def test_training_twice_on_the_same_history_gives_the_same_file(
    trained: TrainedModel, tmp_path: Path
) -> None:
    found = market(3.0)

    again = train(
        found.history(), pd.Timestamp(found.settings.end), tmp_path, zone=ZONE
    )

    assert again.sha256 == trained.sha256
    assert again.path.name == trained.path.name


def test_training_sees_nothing_later_than_it_says(
    trained: TrainedModel, tmp_path: Path
) -> None:
    """Trained half way, on the whole history and on the half of it."""
    found = market(3.0).history()
    middle = after(found, 0.6)
    names = {
        "decisions": "recorded_at",
        "outcomes": "recorded_at",
        "activities": "recorded_at",
        "lead_versions": "recorded_at",
        "ownership": "happened_at",
    }
    half = type(found)(
        **vars(found)
        | {
            name: _until(getattr(found, name), column, middle)
            for name, column in names.items()
        }
    )

    whole = train(found, middle, tmp_path / "whole", zone=ZONE)
    alone = train(half, middle, tmp_path / "half", zone=ZONE)

    assert whole.report.data_hash == alone.report.data_hash
    assert whole.sha256 == alone.sha256
    assert whole.report.n_rows < trained.report.n_rows


def _until(table: pd.DataFrame, column: str, at: pd.Timestamp) -> pd.DataFrame:
    return table[table[column] <= at].reset_index(drop=True)


def test_the_best_rep_by_the_model_wins_more_than_a_random_one(
    trained: TrainedModel,
) -> None:
    found = market(3.0)
    model = load_model(trained.path, trained.sha256)
    assert model.origin is not None
    known = model.origin.known(found.history())
    leads, reps = found.unassigned, np.arange(found.reps.n_reps)
    today = batch(
        known,
        pd.Timestamp(found.settings.end),
        list(found.lead_ids.iloc[leads]),
        list(found.rep_ids.iloc[reps]),
    )
    lead, rep = np.divmod(np.arange(leads.size * reps.size), reps.size)
    rows = feature_rows(today.leads, today.reps, today.affinity, lead=lead, rep=rep)

    best = model.predict_proba(rows)[:, 1].reshape(leads.size, reps.size).argmax(axis=1)

    truth = found.truth.grid(leads, reps, day=found.today)
    assert truth[np.arange(leads.size), best].mean() > 1.2 * truth.mean()


def test_a_chance_is_explained_in_the_columns_words(trained: TrainedModel) -> None:
    columns = 0 if trained.model.contract is None else len(trained.model.contract.names)
    row = np.full((1, columns), np.nan, dtype=np.float32)

    parts = explain(trained.model, row, largest=3)[0]

    assert 0 < len(parts) <= 3
    sizes = [abs(part.log_odds) for part in parts]
    assert sizes == sorted(sizes, reverse=True)
    assert all("not known" in part.words for part in parts)


def test_too_young_a_history_is_refused(folder: Path) -> None:
    found = market(3.0)
    early = found.history().decisions["decided_at"].min() + pd.Timedelta(days=70)

    with pytest.raises(TooFewOutcomes):
        train(found.history(), early, folder, label_window_days=60, zone=ZONE)


@pytest.fixture(scope="module")
def backtested() -> Backtest:
    found = market(3.0).history()
    return backtest(
        found,
        [after(found, 0.5), after(found, 0.7)],
        after(found, 1.0),
        label_window_days=40,
        zone=ZONE,
    )


def test_a_backtest_judges_every_refit_by_later_decisions(backtested: Backtest) -> None:
    first, second = backtested.refits

    assert first.n_rows < second.n_rows
    assert first.as_of < second.as_of
    n_judged = first.pair.n_rows + second.pair.n_rows
    assert backtested.pair.metrics.n_rows == n_judged > 500
    assert backtested.gain.n_clusters <= 16


def test_a_training_is_logged_registered_and_made_champion(
    trained: TrainedModel, tmp_path: Path
) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"

    first = log_training(trained, tracking_uri=uri, experiment=EXPERIMENT)
    second = log_training(trained, tracking_uri=uri, experiment=EXPERIMENT)
    set_champion(second, tracking_uri=uri, experiment=EXPERIMENT)

    assert (first, second) == ("1", "2")
    with pytest.raises(InvalidInput, match="no version '9'"):
        set_champion("9", tracking_uri=uri, experiment=EXPERIMENT)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _check_logged(trained, uri)


def _check_logged(trained: TrainedModel, uri: str) -> None:
    import mlflow
    from mlflow import MlflowClient

    client = MlflowClient(uri, registry_uri=uri)
    version = client.get_model_version_by_alias(EXPERIMENT, "champion")
    assert str(version.version) == "2"
    run = client.get_run(str(version.run_id))
    assert run.data.params["data_hash"] == trained.report.data_hash
    assert run.data.metrics["pair.auc"] == pytest.approx(trained.report.pair.auc)
    logged = {one.path for one in client.list_artifacts(run.info.run_id)}
    assert {"calibration.png", "importances.json", "model"} <= logged
    loaded = mlflow.pyfunc.load_model(f"{run.info.artifact_uri}/model")
    contract = trained.model.contract
    assert contract is not None
    rows = pd.DataFrame(
        np.zeros((3, len(contract.names)), dtype=np.float32), columns=contract.names
    )
    np.testing.assert_array_equal(
        loaded.predict(rows), trained.model.predict_proba(rows)[:, 1]
    )
