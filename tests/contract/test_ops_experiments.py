"""Experiments: designs that stay, and units that stay in their first arm."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete
from sqlalchemy.exc import DBAPIError

from rightrep.domain.experiment import Arm, ArmOfUnit, Experiment, UnitKind
from rightrep.domain.ids import LeadId, TenantId
from rightrep.errors import Conflict, InvalidInput, NotFound
from rightrep.store.engine import Store
from rightrep.store.experiments import (
    UNITS,
    arms_of_leads,
    create_experiment,
    list_experiments,
    log_units,
    read_experiment,
    read_units,
    running_experiments,
    start_experiment,
    stop_experiment,
)
from rightrep.store.guard import of_tenant
from rightrep.store.schema_plans import experiment_units

ACME = TenantId("acme")
OTHER = TenantId("other")
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
SPRING = Experiment(
    experiment="spring",
    unit_kind=UnitKind.LEAD,
    salt="s1",
    arms=[
        Arm(arm="control", policy="round_robin", share=0.5),
        Arm(
            arm="treatment",
            policy="optimal",
            share=0.5,
            parameters={"min_candidates": 1},
        ),
    ],
    design={"horizon_days": 45, "metric": "conversion"},
    actor="k",
    created_at=NOW,
)


def created(store: Store, experiment: Experiment = SPRING) -> None:
    with store.write(ACME) as session:
        create_experiment(session, experiment)


def started(store: Store) -> None:
    created(store)
    with store.write(ACME) as session:
        start_experiment(session, "spring", at=NOW)


def logged(store: Store, *drawn: ArmOfUnit, at: datetime = NOW) -> dict[str, str]:
    with store.write(ACME) as session:
        return log_units(session, "spring", drawn, at=at)


def test_a_design_comes_back_as_it_was(store: Store) -> None:
    created(store)

    with store.read(ACME) as session:
        assert read_experiment(session, "spring") == SPRING
        assert list_experiments(session) == [SPRING]
        assert running_experiments(session) == []
    with store.read(OTHER) as session, pytest.raises(NotFound):
        read_experiment(session, "spring")


def test_a_name_is_used_once(store: Store) -> None:
    created(store)

    with pytest.raises(Conflict):
        created(store, replace(SPRING, salt="s2"))


@pytest.mark.parametrize(
    "arms",
    [
        [],
        [Arm(arm="control", policy="x", share=1.0)],
        [Arm(arm="control", policy=p, share=0.5) for p in ("x", "y")],
        [Arm(arm=a, policy="x", share=0.6) for a in ("control", "treatment")],
        [
            Arm(arm="control", policy="x", share=1.0),
            Arm(arm="treatment", policy="y", share=0.0),
        ],
    ],
    ids=["none", "one", "same name", "too much", "empty arm"],
)
def test_arms_that_cannot_be_compared_are_refused(arms: list[Arm]) -> None:
    with pytest.raises(InvalidInput):
        replace(SPRING, arms=arms)


@pytest.mark.parametrize(
    "changed",
    [
        {"arms": [replace(SPRING.arms[0], parameters={"dial": 1}), SPRING.arms[1]]},
        {
            "unit_kind": UnitKind.TIME_SLICE,
            "arms": [
                replace(arm, share=share)
                for arm, share in zip(SPRING.arms, (0.3, 0.7), strict=True)
            ],
        },
        {"standing": True, "unit_kind": UnitKind.TEAM_DAY},
        {
            "standing": True,
            "arms": [replace(SPRING.arms[0], arm="kept"), SPRING.arms[1]],
        },
    ],
    ids=["unknown parameter", "unequal slices", "kept teams", "no control"],
)
def test_what_could_not_be_run_is_not_kept(
    store: Store, changed: dict[str, Any]
) -> None:
    with pytest.raises(InvalidInput):
        created(store, replace(SPRING, **changed))
    with store.read(ACME) as session:
        assert list_experiments(session) == []


def test_an_experiment_starts_once_and_stops_once(store: Store) -> None:
    started(store)
    with store.read(ACME) as session:
        [running] = running_experiments(session)
    assert running.started_at == NOW

    with (
        store.write(ACME) as session,
        pytest.raises(Conflict, match="was started before"),
    ):
        start_experiment(session, "spring", at=NOW)
    for attempt in (1, 2):
        with store.write(ACME) as session:
            if attempt == 1:
                stop_experiment(session, "spring", at=NOW + HOUR, because="Enough.")
            else:
                with pytest.raises(Conflict, match="is not running"):
                    stop_experiment(session, "spring", at=NOW + HOUR, because="Twice.")

    with store.read(ACME) as session:
        assert running_experiments(session) == []
        stopped = read_experiment(session, "spring")
    assert (stopped.stopped_at, stopped.stopped_because) == (NOW + HOUR, "Enough.")
    with store.write(ACME) as session, pytest.raises(NotFound):
        start_experiment(session, "autumn", at=NOW)


def test_one_experiment_runs_at_a_time_and_a_holdout_beside_it(store: Store) -> None:
    started(store)
    autumn = replace(SPRING, experiment="autumn", salt="s2")
    created(store, autumn)
    created(store, replace(SPRING, experiment="holdout", salt="h", standing=True))

    with store.write(ACME) as session:
        with pytest.raises(Conflict, match="'spring' is running"):
            start_experiment(session, "autumn", at=NOW)
        start_experiment(session, "holdout", at=NOW)
    with store.read(ACME) as session:
        running = running_experiments(session)
    assert {one.experiment for one in running} == {"spring", "holdout"}

    with store.write(ACME) as session:
        stop_experiment(session, "spring", at=NOW + HOUR, because="Enough.")
        start_experiment(session, "autumn", at=NOW + HOUR)


def test_a_unit_stays_in_its_first_arm(store: Store) -> None:
    started(store)
    first = ArmOfUnit(
        unit="l1",
        arm="control",
        stratum="north",
        covariate=0.25,
        cluster="2026-03-02 north",
    )
    logged(store, first)

    again = logged(
        store,
        replace(first, arm="treatment"),
        ArmOfUnit(unit="l2", arm="treatment"),
        at=NOW + HOUR,
    )

    assert again == {"l1": "control", "l2": "treatment"}
    with store.read(ACME) as session:
        known = arms_of_leads(session, "spring", [LeadId("l2"), LeadId("l3")])
        assert known == {"l2": "treatment"}
        table = read_units(session, "spring")
    assert table.column_names == list(UNITS)
    assert table.to_pylist() == [
        {
            "unit": "l1",
            "arm": "control",
            "stratum": "north",
            "cluster": "2026-03-02 north",
            "covariate": 0.25,
            "logged_at": NOW,
        },
        {
            "unit": "l2",
            "arm": "treatment",
            "stratum": "",
            "cluster": "",
            "covariate": None,
            "logged_at": NOW + HOUR,
        },
    ]


def test_units_are_logged_while_the_experiment_runs_and_only_then(
    store: Store,
) -> None:
    unit = ArmOfUnit(unit="l1", arm="control")
    created(store)
    with pytest.raises(Conflict):
        logged(store, unit)
    with store.write(ACME) as session:
        start_experiment(session, "spring", at=NOW)

    assert logged(store) == {}
    assert logged(store, unit) == {"l1": "control"}
    with pytest.raises(InvalidInput):
        logged(store, replace(unit, arm="holdout"))

    with store.write(ACME) as session:
        stop_experiment(session, "spring", at=NOW, because="Enough.")
    with pytest.raises(Conflict):
        logged(store, unit)


def test_the_database_refuses_to_forget_a_unit(store: Store) -> None:
    started(store)
    logged(store, ArmOfUnit(unit="l1", arm="control"))

    with pytest.raises(DBAPIError), store.write(ACME) as session:
        session.execute(delete(experiment_units).where(of_tenant(experiment_units)))
