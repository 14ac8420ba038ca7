"""Drift is told where it is, and not where the market only goes its usual ways."""

from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from experiments.simulate import ZONE, Market, MarketSettings, simulate
from rightrep.domain.learning import Learning
from training.drift import as_read, column_drift, look
from training.model_file import load_model
from training.reference import ColumnReference, Reference, psi, shares_of
from training.retrain import TrainedModel, train

SINCE = pd.Timedelta(days=75)


def reference(**changed: Any) -> Reference:
    column: dict[str, Any] = {
        "name": "deal_value",
        "categorical": False,
        "edges": (10.0,),
        "shares": (0.5, 0.5),
        "missing": 0.2,
        "usual_psi": 0.0,
        "usual_missing": 0.0,
        "importance": 0.4,
    }
    return Reference(
        n_rows=1_000,
        columns=(ColumnReference(**(column | changed)),),
        outcome_days=20.0,
        outcome_share=0.4,
        usual_outcomes=0.0,
        usual_calibration=0.0,
    )


def values(low: int, high: int, missing: int) -> np.ndarray:
    """So many values below the edge, above it, and missing."""
    column = [5.0] * low + [50.0] * high + [np.nan] * missing
    return np.array(column, dtype=np.float32)[:, None]


def test_the_index_of_a_case_computed_by_hand() -> None:
    # (0.25 - 0.5) ln(0.25 / 0.5) + (0.75 - 0.5) ln(0.75 / 0.5)
    by_hand = 0.25 * np.log(2.0) + 0.25 * np.log(1.5)

    found = column_drift(reference(), values(20, 60, 20), Learning())[0]

    assert psi((0.5, 0.5), np.array([0.25, 0.75])) == pytest.approx(by_hand)
    assert by_hand == pytest.approx(0.27465, abs=1e-5)
    assert found.psi == pytest.approx(by_hand)
    assert found.missing == pytest.approx(0.2)
    assert found.alarms


def test_the_same_shares_have_not_drifted() -> None:
    found = column_drift(reference(), values(40, 40, 20), Learning())[0]

    assert found.psi == 0.0
    assert not found.drifted


def test_values_that_stay_away_are_drift() -> None:
    found = column_drift(reference(), values(20, 20, 60), Learning())[0]

    assert found.alarms
    assert found.in_words() == "deal_value: it is missing in 60%, before in 20%."


@pytest.mark.parametrize(
    ("changed", "drifted", "alarms"),
    [
        ({"usual_psi": 0.2}, False, False),
        ({"usual_psi": 3.0}, False, False),
        ({"importance": 0.001}, True, False),
    ],
    ids=["months differed as much", "it changes all the time", "hardly used"],
)
def test_what_is_usual_or_matters_to_nobody_raises_no_alarm(
    changed: dict[str, float], drifted: bool, alarms: bool
) -> None:
    found = column_drift(reference(**changed), values(20, 60, 20), Learning())[0]

    assert (found.drifted, found.alarms) == (drifted, alarms)


def test_a_new_code_is_a_share_of_its_own() -> None:
    codes = np.array([1.0, 1.0, 3.0, 2.5, 9.0])

    assert shares_of(codes, (1.0, 3.0), categorical=True).tolist() == [0.4, 0.2, 0.4]


def test_a_threshold_is_a_setting() -> None:
    limits = Learning(drift_psi=0.5)

    assert not column_drift(reference(), values(20, 60, 20), limits)[0].drifted


@cache
def market(seed: int, drift: float) -> Market:
    return simulate(MarketSettings(n_leads=5_000, n_reps=16, seed=seed, drift=drift))


def trained(found: Market, folder: Path) -> TrainedModel:
    as_of = pd.Timestamp(found.settings.end) - SINCE
    return train(found.history(), as_of, folder, zone=ZONE)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_market_that_stands_still_raises_no_alarm(seed: int, tmp_path: Path) -> None:
    found = market(seed, 0.0)
    model = trained(found, tmp_path).model

    report = look(model, found.history(), found.settings.end, Learning())

    assert report.alarms == ()
    assert report.in_words().startswith("No drift in ")
    assert report.calibration is not None
    assert report.outcomes is not None


@pytest.mark.parametrize("seed", [1, 3])
def test_a_market_that_changes_raises_the_alarm(seed: int, tmp_path: Path) -> None:
    found = market(seed, 6.0)
    model = trained(found, tmp_path).model

    report = look(model, found.history(), found.settings.end, Learning())

    assert report.alarmed
    assert as_read(report.to_json())[0] == report.in_words()


def test_outcomes_that_come_late_and_chances_that_are_off_raise_the_alarm(
    tmp_path: Path,
) -> None:
    found = market(1, 0.0)
    result = trained(found, tmp_path)
    history = found.history()
    late = history.outcomes["closed_at"] > found.settings.end - SINCE
    outcomes = history.outcomes.assign(
        result=np.where(late, "lost", history.outcomes["result"]),
        recorded_at=history.outcomes["recorded_at"]
        + pd.to_timedelta(np.where(late, 30, 0), unit="D"),
    )
    changed = type(history)(**{**vars(history), "outcomes": outcomes})

    report = look(result.model, changed, found.settings.end, Learning())

    assert report.calibration is not None
    assert report.outcomes is not None
    assert report.calibration.found < report.calibration.expected - 0.03
    assert report.outcomes.alarms
    assert any(alarm.startswith("Outcomes: ") for alarm in report.alarms)


def test_too_few_decisions_say_nothing(tmp_path: Path) -> None:
    found = market(1, 0.0)
    model = trained(found, tmp_path).model

    report = look(model, found.history(), found.settings.end, Learning(drift_days=2))

    assert not report.alarmed
    assert "Not enough decisions to say" in report.in_words()


def test_the_reference_is_in_the_models_file(tmp_path: Path) -> None:
    result = trained(market(1, 0.0), tmp_path)

    loaded = load_model(result.path, result.sha256)

    assert loaded.origin is not None
    assert result.model.origin is not None
    assert loaded.origin.reference == result.model.origin.reference
    names = [one.name for one in loaded.origin.reference.columns]
    assert loaded.contract is not None
    assert names == loaded.contract.names


def test_a_look_sees_nothing_later_than_it_says(tmp_path: Path) -> None:
    found = market(1, 0.0)
    model = trained(found, tmp_path).model
    early = found.settings.end - timedelta(days=20)
    history = found.history()
    known = {
        name: table[table["recorded_at"] <= early].reset_index(drop=True)
        for name, table in vars(history).items()
        if name in ("decisions", "outcomes")
    }

    whole = look(model, history, early, Learning())
    then = look(model, type(history)(**{**vars(history), **known}), early, Learning())

    assert whole.to_json() == then.to_json()


def test_columns_are_listed_by_how_much_the_trees_look_at_them() -> None:
    small = reference(name="channel", importance=0.1).columns
    large = reference(name="region", importance=0.9).columns
    both = replace(reference(), columns=small + large)

    rows = np.hstack([values(1, 1, 0)] * 2)

    names = [one.name for one in column_drift(both, rows, Learning())]
    assert names == ["region", "channel"]
