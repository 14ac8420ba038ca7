"""Plans: previewed, then committed lead by lead."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from sqlalchemy.exc import IntegrityError

from rightrep.domain.decision import RunnerUp
from rightrep.domain.eligibility import Exclusion
from rightrep.domain.ids import DecisionId, LeadId, RepId, TenantId
from rightrep.domain.plan import LineState, PlanRep, SettledLine, StoredPlan
from rightrep.errors import Conflict, InvalidInput, NotFound
from rightrep.store.engine import Store
from rightrep.store.exclusions import save_roster, spelled_out
from rightrep.store.plans import (
    LINES,
    begin_commit,
    count_lines,
    list_plans,
    purge_lines,
    read_lines,
    read_plan,
    read_plan_reps,
    save_lines,
    save_plan,
    settle_lines,
)
from rightrep.store.runner_ups import runner_ups_of, runner_ups_text

ACME = TenantId("acme")
OTHER = TenantId("other")
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
PLAN = StoredPlan(
    plan_id="p1",
    job_id="j1",
    policy="optimal",
    actor="j1",
    as_of=NOW - timedelta(minutes=1),
    created_at=NOW,
    value=1234.5,
    bound=1234.5,
    gap=0.0,
    model_version="3",
    columns_version="c1",
    rule_set=2,
    problem={"n_leads": 3, "n_reps": 2, "capacity": 4},
    baselines={"round_robin": {"value": 1000.0, "n_given": 3}},
)
REPS = [
    PlanRep(rep_id=RepId("ann"), capacity=1, floor=0, load=2, given=1, binding=True),
    PlanRep(
        rep_id=RepId("bob"),
        capacity=3,
        floor=1,
        load=0,
        given=1,
        shortfall=1,
        shadow_price=-2.5,
    ),
]
RUNNER_UPS = runner_ups_text(
    [
        RunnerUp(rep_id=RepId("bob"), p_convert=0.2, value=20.0, shadow_price=0.0),
        RunnerUp(rep_id=RepId("cy"), p_convert=None, value=None, shadow_price=None),
    ]
)
FEATURES = np.array([1.5, np.nan, -0.0], dtype="<f4").tobytes()
GIVEN = pa.table(
    {
        "lead_id": ["l1", "l2", "l3"],
        "rep_id": ["ann", "bob", None],
        "propensity": [float("nan"), 0.5, float("nan")],
        "p_convert": pa.array([0.25, 0.125, None], pa.float32()),
        "value": [25.0, 12.5, None],
        "runner_ups": [RUNNER_UPS, None, None],
        "feature_row": [FEATURES, None, None],
    }
)


def saved(store: Store, plan: StoredPlan = PLAN) -> None:
    with store.write(ACME) as session:
        save_plan(session, plan, REPS)
        save_lines(session, plan.plan_id, GIVEN)


def lines(store: Store, state: LineState | None = None) -> pa.Table:
    with store.read(ACME) as session:
        return read_lines(session, "p1", state=state)


def settled(store: Store, *settled_lines: SettledLine) -> None:
    with store.write(ACME) as session:
        settle_lines(session, "p1", settled_lines)


def test_a_plan_comes_back_as_it_was(store: Store) -> None:
    saved(store)

    with store.read(ACME) as session:
        assert read_plan(session, "p1") == PLAN
        assert read_plan_reps(session, "p1") == REPS
        with pytest.raises(NotFound):
            read_plan(session, "p2")


def test_another_tenant_sees_nothing_of_it(store: Store) -> None:
    saved(store)

    with store.read(OTHER) as session:
        assert list_plans(session) == []
        assert read_plan_reps(session, "p1") == []
        assert read_lines(session, "p1").num_rows == 0


def test_lines_come_back_in_order_and_nan_is_null(store: Store) -> None:
    saved(store)

    table = lines(store)

    assert table.schema == LINES
    rows = table.to_pylist()
    assert [row["line"] for row in rows] == [0, 1, 2]
    assert [row["lead_id"] for row in rows] == ["l1", "l2", "l3"]
    assert [row["state"] for row in rows] == ["previewed", "previewed", "unassigned"]
    assert [row["propensity"] for row in rows] == [None, 0.5, None]
    assert [row["p_convert"] for row in rows] == [0.25, 0.125, None]
    assert rows[0]["feature_row"] == FEATURES
    assert [r.rep_id for r in runner_ups_of(rows[0]["runner_ups"])] == ["bob", "cy"]
    assert runner_ups_of(rows[1]["runner_ups"]) == ()


def test_exclusions_can_be_spelled_out_from_the_roster(store: Store) -> None:
    roster = [RepId("ann"), RepId("bob")]
    codes = np.array([[0, Exclusion.LANGUAGE], [0, 0], [1, 2]], dtype=np.uint8)
    with store.write(ACME) as session:
        version = save_roster(session, roster)
        save_plan(session, replace(PLAN, roster=version))
        save_lines(session, "p1", GIVEN, exclusions=codes)

    packed = lines(store).column("exclusions").to_pylist()

    assert [spelled_out(roster, code) for code in packed] == [
        {"bob": "language"},
        {},
        {"ann": "left", "bob": "paused"},
    ]


def test_exclusions_must_be_one_row_per_line(store: Store) -> None:
    with store.write(ACME) as session:
        save_plan(session, PLAN)
        with pytest.raises(InvalidInput):
            save_lines(
                session, "p1", GIVEN, exclusions=np.zeros((2, 5), dtype=np.uint8)
            )


def test_a_large_plan_goes_in_and_comes_out_in_parts(store: Store) -> None:
    part = pa.table({"lead_id": [f"l{k}" for k in range(6000)], "rep_id": ["r"] * 6000})
    rest = pa.table({"lead_id": ["last"], "rep_id": ["r"]})
    with store.write(ACME) as session:
        save_plan(session, PLAN)
        save_lines(session, "p1", part)
        save_lines(session, "p1", rest, first=6000)

    with store.read(ACME) as session:
        page = read_lines(session, "p1", after=5998, limit=2)
        assert read_lines(session, "p1", after=6000).num_rows == 0
        assert count_lines(session, "p1") == {LineState.PREVIEWED: 6001}
    assert page.column("line").to_pylist() == [5999, 6000]
    assert page.column("lead_id").to_pylist() == ["l5999", "last"]


def test_every_line_says_what_became_of_it(store: Store) -> None:
    saved(store)

    settled(
        store,
        SettledLine(
            lead_id=LeadId("l1"),
            state=LineState.COMMITTED,
            decision_id=DecisionId("d1"),
        ),
        SettledLine(lead_id=LeadId("l2"), state=LineState.OWNED),
    )

    with store.read(ACME) as session:
        assert count_lines(session, "p1") == {
            LineState.COMMITTED: 1,
            LineState.OWNED: 1,
            LineState.UNASSIGNED: 1,
        }
    [committed] = lines(store, LineState.COMMITTED).to_pylist()
    assert (committed["lead_id"], committed["decision_id"]) == ("l1", "d1")
    assert lines(store, LineState.PREVIEWED).num_rows == 0


def test_a_settled_line_stays_as_it_is(store: Store) -> None:
    saved(store)
    settled(store, SettledLine(lead_id=LeadId("l1"), state=LineState.FULL))

    settled(
        store,
        SettledLine(
            lead_id=LeadId("l1"),
            state=LineState.COMMITTED,
            decision_id=DecisionId("d1"),
        ),
    )
    settled(store)

    assert lines(store, LineState.FULL).column("lead_id").to_pylist() == ["l1"]


def test_a_committed_line_must_name_its_decision(store: Store) -> None:
    saved(store)

    with pytest.raises(IntegrityError):
        settled(store, SettledLine(lead_id=LeadId("l1"), state=LineState.COMMITTED))


def test_a_plan_is_committed_by_one_actor_who_may_go_on(store: Store) -> None:
    saved(store)
    later = NOW + timedelta(hours=1)

    def begin(actor: str, at: datetime) -> None:
        with store.write(ACME) as session:
            begin_commit(session, "p1", actor=actor, at=at)

    begin("j2", NOW)
    begin("j2", later)

    with pytest.raises(Conflict):
        begin("j3", later)
    with store.write(ACME) as session, pytest.raises(NotFound):
        begin_commit(session, "p2", actor="j2", at=NOW)
    with store.read(ACME) as reading:
        plan = read_plan(reading, "p1")
    assert (plan.committed_by, plan.committed_at) == ("j2", NOW)


def test_plans_are_listed_newest_first(store: Store) -> None:
    saved(store)
    saved(store, replace(PLAN, plan_id="p2", created_at=NOW + timedelta(hours=1)))

    with store.read(ACME) as session:
        assert [plan.plan_id for plan in list_plans(session)] == ["p2", "p1"]
        assert [plan.plan_id for plan in list_plans(session, limit=1)] == ["p2"]


def test_old_lines_go_and_their_header_stays(store: Store) -> None:
    saved(store)
    saved(store, replace(PLAN, plan_id="p2", created_at=NOW + timedelta(hours=1)))

    with store.write(ACME) as session:
        assert purge_lines(session, before=NOW + timedelta(minutes=1)) == 3

    assert lines(store).num_rows == 0
    with store.read(ACME) as session:
        assert read_plan(session, "p1") == PLAN
        assert read_lines(session, "p2").num_rows == 3
