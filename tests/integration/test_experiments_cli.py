"""An experiment at the terminal, from its design to its end, and a past lottery."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from experiments.design import Design
from rightrep.domain.roles import Role
from rightrep.errors import InvalidInput
from rightrep.store.engine import Store
from rightrep.store.experiments import read_experiment
from serving.cli import app
from serving.usecases.experiments import Wanted
from serving.usecases.past_lottery import log_past_lottery
from tests import board_market, trial_parts
from tests.loop_market import MARKET, make_market, serve_market
from tests.serving_parts import ACME, NOON, serve


@pytest.fixture
def terminal(
    sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Store:
    url = f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'store.db')}"
    monkeypatch.setenv("RIGHTREP_DATABASE_URL", url)
    monkeypatch.setenv("RIGHTREP_HOME", str(tmp_path))
    monkeypatch.setenv("RIGHTREP_TENANT", ACME)
    return Store(url)


def said(*words: str) -> str:
    done = CliRunner().invoke(app, ["experiment", *words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_an_experiment_is_run_from_the_terminal(
    terminal: Store, tmp_path: Path
) -> None:
    serve(terminal, tmp_path)
    with terminal.write(ACME) as session:
        board_market.add_model(session, at=NOON)
    file = tmp_path / "design.json"
    file.write_text('{"horizon_days": 7, "strata": ["region"]}')

    assert "start it with" in said("design", "spring", "--file", str(file))
    assert "spring runs; model frozen: 2026-03-01-a1b2c3" in said("start", "spring")
    with terminal.read(ACME) as session:
        one = read_experiment(session, "spring")
    assert one.design["strata"] == ["region"]
    assert "optimal against round_robin_lot, 50% of leads; runs" in said("list")
    assert "Too early to say anything" in said("report", "spring")
    said("stop", "spring", "--because", "a trial")
    assert "a trial" in said("list")
    terminal.close()


def test_power_and_reports_are_told_from_the_history(
    terminal: Store, tmp_path: Path
) -> None:
    serve(terminal, tmp_path)
    with terminal.write(ACME) as session:
        one = trial_parts.running(
            session,
            Wanted(experiment="spring", design={"horizon_days": 7}),
            at=datetime.now(UTC) - timedelta(days=30),
        )
    trial_parts.run(terminal, ACME, one, days=10, per_day=30, won=(0.1, 0.6))

    file = tmp_path / "design.json"
    file.write_text('{"horizon_days": 7}')
    report = said("report", "spring")
    power = said("power", "--file", str(file))

    assert "The treatment is better" in report
    assert "CNY a lead" in report
    assert "figures that lie: pooled +" in report
    assert "An effect of 10% is" in power
    assert "after 30 days:" in power
    terminal.close()


def test_a_history_without_leads_of_late_says_so(
    terminal: Store, tmp_path: Path
) -> None:
    serve(terminal, tmp_path)

    with pytest.raises(InvalidInput, match="No lead was given in the last 90 days"):
        said("power")
    terminal.close()


def test_a_past_lottery_is_read_as_an_experiment(
    sqlite_template: Path, tmp_path: Path
) -> None:
    store = Store(f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'store.db')}")
    make_market(store, tmp_path)
    served = serve_market(store, tmp_path)

    with store.write(ACME) as session:
        n_leads = log_past_lottery(
            session,
            "past",
            Design(horizon_days=45, n_optimal=2_000),
            since=MARKET.end - timedelta(days=300),
            at=MARKET.end,
            because="it is over",
        )
    report = served.get("/v1/experiments/past/report", role=Role.ANALYST).json()

    drawn = report["n_drawn"]
    assert sum(drawn.values()) == n_leads
    assert drawn["control"] / n_leads == pytest.approx(MARKET.lottery_share, abs=0.03)
    assert not report["srm"]["mismatch"]
    effect = report["effects"]["conversions"]
    assert np.isfinite([effect["low"], effect["high"]]).all()
    store.close()
