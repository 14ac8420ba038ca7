"""A backtest from the terminal: a table with intervals, and a run in MLflow."""

import sys
import warnings
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from experiments.simulate import ZONE, MarketSettings, simulate, write_exports
from features.history import History
from rightrep.errors import InvalidInput
from serving import cli
from training.backtest import backtest, refit_instants
from training.boosting import Trees

pytestmark = pytest.mark.long

SETTINGS = MarketSettings(
    n_leads=2_500,
    n_reps=8,
    days=360,
    seed=2,
    conversion=0.35,
    label_window_days=30,
    activities_per_lead=0.0,
    end=datetime(2026, 6, 30, 2, 0, tzinfo=UTC),
)


def test_a_backtest_prints_both_sides_with_intervals_and_logs_them(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("RIGHTREP_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("RIGHTREP_DATABASE_URL", raising=False)
    files = write_exports(simulate(SETTINGS), tmp_path)

    def run(*words: str) -> list[str]:
        monkeypatch.setattr(sys, "argv", ["rightrep", *words])
        with pytest.raises(SystemExit) as left:
            cli.main()
        assert left.value.code == 0
        return capsys.readouterr().out.splitlines()

    for kind in ("reps", "leads", "decisions", "outcomes"):
        run("import", kind, str(files[kind]))
    lines = run("backtest", "--refits", "3", "--as-of", "2026-06-30")

    assert lines[0].startswith("refit as of")
    assert len(lines) == 1 + 3 + 1 + 4 + 2
    names = [line.split()[0] for line in lines[5:9]]
    assert names == ["lead_only", "rep_only", "pair", "answer"]
    assert all("[" in line for line in lines[5:10])
    _check_logged(tmp_path / "home", lines[-1].removeprefix("MLflow run "))


def _check_logged(home: Path, run_id: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlflow import MlflowClient

        client = MlflowClient(f"sqlite:///{home / 'mlflow.db'}")
        run = client.get_run(run_id)
        assert run.data.params["n_refits"] == "3"
        assert {"pair.auc.low", "lead_only.log_loss.mean"} <= set(run.data.metrics)
        assert len(client.get_metric_history(run_id, "refit.pair.auc")) == 3
        logged = {one.path for one in client.list_artifacts(run_id)}
        assert {"backtest.txt", "calibration.png"} <= logged


def history() -> History:
    return simulate(SETTINGS).history()


def test_refits_leave_equally_many_decisions_to_judge_each() -> None:
    end = pd.Timestamp(SETTINGS.end)
    starts = refit_instants(history(), 4, end, label_window_days=30, zone=ZONE)

    found = backtest(
        history(),
        starts,
        end,
        label_window_days=30,
        zone=ZONE,
        trees=Trees(n_trees=20, n_threads=1),
    )

    judged = [refit.pair.n_rows for refit in found.refits]
    assert len(judged) == 4
    assert max(judged) - min(judged) <= 0.05 * max(judged)
    assert found.pair.auc.low < found.pair.auc.mean < found.pair.auc.high
    assert found.pair.metrics.auc == pytest.approx(found.pair.auc.mean)
    assert sum(one.n_rows for one in found.calibration) == sum(judged)


@pytest.mark.parametrize(
    "days", [["2026-03-01", "2026-02-01"], ["2026-02-01", "2026-07-01"]]
)
def test_refits_that_do_not_go_forward_in_time_are_refused(days: list[str]) -> None:
    instants = [pd.Timestamp(day, tz="UTC") for day in days]

    with pytest.raises(InvalidInput, match="ascending"):
        backtest(history(), instants, pd.Timestamp(SETTINGS.end))


def test_a_refit_before_the_first_wins_is_refused_by_its_day() -> None:
    starts = [pd.Timestamp(day, tz="UTC") for day in ("2025-07-20", "2026-03-01")]

    with pytest.raises(InvalidInput, match="2025-07-20 has too little to learn from"):
        backtest(history(), starts, pd.Timestamp(SETTINGS.end), label_window_days=30)


def test_a_refit_that_nothing_judges_is_refused_by_its_day() -> None:
    starts = [pd.Timestamp(day, tz="UTC") for day in ("2026-03-01", "2026-06-25")]

    with pytest.raises(InvalidInput, match="Nothing judges the refit of 2026-06-25"):
        backtest(
            history(),
            starts,
            pd.Timestamp(SETTINGS.end),
            label_window_days=30,
            trees=Trees(n_trees=5, n_threads=1),
        )


def test_one_refit_is_no_backtest() -> None:
    with pytest.raises(InvalidInput, match="at least 2"):
        refit_instants(history(), 1, pd.Timestamp(SETTINGS.end))
