"""Reps, decisions, outcomes and activities landed on both databases."""

import csv
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest

from rightrep.clock import FixedClock
from rightrep.domain.decision import Cause
from rightrep.domain.ids import LeadId, RepId
from rightrep.domain.money import Money
from rightrep.domain.rep import Leave, RepStatus, Shift
from rightrep.intake.fields import Kind
from rightrep.store.activities import list_activities
from rightrep.store.aliases import RecordKind, resolve
from rightrep.store.decisions import list_decisions
from rightrep.store.engine import Store
from rightrep.store.outcomes import list_outcomes, standing_outcome
from rightrep.store.ownership import get_events, get_owner
from rightrep.store.reps import get_rep, get_rep_versions
from rightrep.store.session import ReadSession
from serving.usecases.import_reps import ALWAYS
from serving.usecases.imports import ImportReport, import_file
from tests.intake_files import NOW, written
from tests.store_records import ACME, add_tenant

LEADS = "external_id,created_at\nL1,2026-01-02\nL2,2026-01-02\nL3,2026-01-02\n"
REPS = "external_id,name\nR1,Ann\nR2,Bob\n"
DECISIONS = "lead,rep,decided_at\nL1,R1,2026-01-03\nL2,R2,2026-01-04\n"


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture(autouse=True)
def _records(store: Store, clock: FixedClock, tmp_path: Path) -> None:
    add_tenant(store)
    land(store, clock, tmp_path, REPS, Kind.REPS)
    land(store, clock, tmp_path, LEADS, Kind.LEADS)


def land(
    store: Store, clock: FixedClock, folder: Path, text: str, kind: Kind
) -> ImportReport:
    path = written(folder, f"{kind}.csv", text)
    return import_file(store, ACME, kind, path, clock=clock)


def lead(session: ReadSession, name: str) -> LeadId:
    return LeadId(resolve(session, RecordKind.LEAD, name))


def rep(session: ReadSession, name: str) -> RepId:
    return RepId(resolve(session, RecordKind.REP, name))


def answered(report: ImportReport) -> tuple[int, int, int]:
    return report.landed, report.unchanged, report.refused


def reasons(report: ImportReport) -> list[str]:
    assert report.rejects is not None
    with report.rejects.open(encoding="utf-8-sig") as file:
        return [row["rejected_reason"] for row in csv.DictReader(file)]


def test_a_rep_has_always_been_so_or_since_the_day_of_hiring(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    text = (
        "external_id,hired_on,languages,shifts,leave,holding_limit,status,time_zone\n"
        "R3,2025-05-01,zh;en,mon-tue 9:00-18:00,2026-02-16/2026-02-22,15,paused,"
        "Asia/Shanghai\n"
    )

    report = land(store, clock, tmp_path, text, Kind.REPS)

    assert answered(report) == (1, 0, 0)
    with store.read(ACME) as session:
        (always,) = get_rep_versions(session, rep(session, "R1"))
        (hired,) = get_rep_versions(session, rep(session, "R3"))
    assert always.valid_from == always.recorded_at == ALWAYS
    assert hired.valid_from == datetime(2025, 4, 30, 16, tzinfo=UTC)
    what = hired.attributes
    assert what.hired_on == date(2025, 5, 1)
    assert what.languages == {"zh", "en"}
    assert what.shifts[1] == Shift(1, time(9), time(18))
    assert what.leave == (Leave(date(2026, 2, 16), date(2026, 2, 22)),)
    assert (what.holding_limit, what.status) == (15, RepStatus.PAUSED)


def test_a_rep_may_pause_come_back_and_be_renamed(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    header = "external_id,name,status\n"
    seen = []
    for row in ("R1,Ann,paused", "R1,Ann,active", "R1,Anna,active", "R1,Anna,active"):
        clock.move(timedelta(days=1))
        report = land(store, clock, tmp_path, f"{header}{row}\n", Kind.REPS)
        seen.append(answered(report)[0])

    with store.read(ACME) as session:
        known = get_rep(session, rep(session, "R1"), as_of=clock.now())
        versions = get_rep_versions(session, known.rep_id)
    assert known.name == "Anna"
    assert [v.attributes.status for v in versions] == ["active", "paused", "active"]
    assert seen == [1, 1, 1, 0]


def test_a_planned_change_of_a_rep_is_known_today(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    text = "external_id,valid_from,status\nR1,2026-06-01,left\n"

    land(store, clock, tmp_path, text, Kind.REPS)

    with store.read(ACME) as session:
        own = rep(session, "R1")
        now = get_rep(session, own, as_of=NOW)
        then = get_rep(session, own, as_of=datetime(2026, 6, 2, tzinfo=UTC))
        versions = get_rep_versions(session, own)
    assert (now.attributes.status, then.attributes.status) == ("active", "left")
    assert versions[-1].recorded_at == NOW


def test_decisions_land_as_imported_and_give_their_leads(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    report = land(store, clock, tmp_path, DECISIONS, Kind.DECISIONS)
    again = land(store, clock, tmp_path, DECISIONS, Kind.DECISIONS)

    assert answered(report) == (2, 0, 0)
    assert answered(again) == (0, 2, 0)
    with store.read(ACME) as session:
        page = list_decisions(session, limit=10)
        owned = get_owner(session, lead(session, "L1"))
        ann = rep(session, "R1")
        events = get_events(session, lead(session, "L1"))
    assert [(d.cause, d.policy, d.propensity) for d in page.decisions] == [
        (Cause.IMPORT, "imported", None)
    ] * 2
    first = page.decisions[1]
    assert first.decided_at == first.recorded_at == datetime(2026, 1, 3, tzinfo=UTC)
    assert owned is not None
    assert (owned.owner, owned.holding) == (ann, True)
    assert owned.decision_id == first.decision_id
    assert len(events) == 1


def test_a_decision_drawn_by_lot_keeps_its_propensity(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    text = (
        "external_id,lead,rep,decided_at,policy,propensity\n"
        "D1,L1,R1,2026-01-03,round_robin,0.25\nD2,L2,R2,2026-01-03,round_robin,1.5\n"
    )

    report = land(store, clock, tmp_path, text, Kind.DECISIONS)

    assert answered(report) == (1, 0, 1)
    with store.read(ACME) as session:
        (decision,) = list_decisions(session, limit=10).decisions
        assert resolve(session, RecordKind.DECISION, "D1") == decision.decision_id
    assert (decision.policy, decision.propensity) == ("round_robin", 0.25)


def test_decisions_of_unknown_leads_and_reps_are_refused(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    text = "lead,rep,decided_at\nL9,R1,2026-01-03\nL1,R9,2026-01-03\nL1,R1,2026-01-03\n"

    report = land(store, clock, tmp_path, text, Kind.DECISIONS)

    assert answered(report) == (1, 0, 2)
    assert reasons(report) == [
        "There is no lead 'L9'. Import the leads first.",
        "There is no rep 'R9'. Import the reps first.",
    ]


@pytest.mark.parametrize(
    "other", ["D1,L1,R2,2026-01-03", "D1,L2,R1,2026-01-03", "D1,L1,R1,2026-01-04"]
)
def test_a_decisions_id_with_other_values_is_refused(
    store: Store, clock: FixedClock, tmp_path: Path, other: str
) -> None:
    header = "external_id,lead,rep,decided_at\n"
    land(store, clock, tmp_path, f"{header}D1,L1,R1,2026-01-03\n", Kind.DECISIONS)

    report = land(store, clock, tmp_path, f"{header}{other}\n", Kind.DECISIONS)

    assert answered(report) == (0, 0, 1)
    assert "told before with other values" in reasons(report)[0]


def test_the_last_decision_owns_the_lead(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    text = "lead,rep,decided_at\nL1,R2,2026-01-05\nL1,R1,2026-01-03\n"

    land(store, clock, tmp_path, text, Kind.DECISIONS)

    with store.read(ACME) as session:
        owned = get_owner(session, lead(session, "L1"))
        ann, bob = rep(session, "R1"), rep(session, "R2")
        events = get_events(session, lead(session, "L1"))
    assert owned is not None
    assert owned.owner == bob
    assert [(e.owner, e.previous_owner) for e in events] == [(ann, None), (bob, ann)]


def test_outcomes_judge_their_decisions_and_free_the_slot(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    land(store, clock, tmp_path, DECISIONS, Kind.DECISIONS)
    text = (
        "lead,result,closed_at,value,currency,reason\n"
        "L1,Won,2026-02-01,12.50,CNY,Good fit\nL2,lost,2026-02-02,,,\n"
    )

    report = land(store, clock, tmp_path, text, Kind.OUTCOMES)
    again = land(store, clock, tmp_path, text, Kind.OUTCOMES)

    assert answered(report) == (2, 0, 0)
    assert answered(again) == (0, 2, 0)
    with store.read(ACME) as session:
        (outcome,) = list_outcomes(session, lead(session, "L1"))
        decisions = list_decisions(session, limit=9, lead_id=outcome.lead_id).decisions
        owned = get_owner(session, lead(session, "L1"))
    assert outcome.decision_id == decisions[0].decision_id
    assert (outcome.value, outcome.reason) == (Money(1250, "CNY"), "good_fit")
    assert outcome.recorded_at == outcome.closed_at
    assert owned is not None
    assert not owned.holding


def test_outcomes_may_come_before_their_decisions(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    text = "lead,result,closed_at\nL1,won,2026-02-01\n"
    land(store, clock, tmp_path, text, Kind.OUTCOMES)

    land(store, clock, tmp_path, DECISIONS, Kind.DECISIONS)

    with store.read(ACME) as session:
        closed = get_owner(session, lead(session, "L1"))
        still = get_owner(session, lead(session, "L2"))
    assert closed is not None
    assert still is not None
    assert (closed.holding, still.holding) == (False, True)


def test_a_correction_replaces_an_outcome_in_any_order_of_rows(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    land(store, clock, tmp_path, DECISIONS, Kind.DECISIONS)
    text = (
        "event_id,lead,result,closed_at,replaces\n"
        "E2,L1,lost,2026-02-01,E1\nE1,L1,won,2026-02-01,\n"
    )

    report = land(store, clock, tmp_path, text, Kind.OUTCOMES)

    assert answered(report) == (2, 0, 0)
    with store.read(ACME) as session:
        outcome = standing_outcome(session, lead(session, "L1"))
    assert outcome is not None
    assert outcome.event_id == "E2"


def test_outcomes_that_cannot_be_are_refused_and_the_others_land(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    land(store, clock, tmp_path, DECISIONS, Kind.DECISIONS)
    header = "event_id,lead,result,closed_at,replaces,decision\n"
    land(store, clock, tmp_path, f"{header}E1,L1,won,2026-02-01,,\n", Kind.OUTCOMES)
    text = (
        f"{header}E1,L1,lost,2026-02-01,,\nE2,L2,lost,2026-02-01,E9,\n"
        "E3,L2,lost,2026-02-01,E1,\nE4,L2,lost,2026-02-01,,D9\n"
        "E5,L9,lost,2026-02-01,,\nE6,L2,lost,2026-02-01,,\nE6,L2,won,2026-02-01,,\n"
        "E7,L3,lost,2026-02-01,,\n"
    )

    report = land(store, clock, tmp_path, text, Kind.OUTCOMES)

    assert answered(report) == (1, 0, 7)
    assert [reason.split(".")[0] for reason in reasons(report)] == [
        "event_id 'E1' was told before with other values",
        "There is no outcome 'E9'",
        "Outcome E3 cannot replace E1: it is about another lead, or itself",
        "There is no decision 'D9'",
        "There is no lead 'L9'",
        "event_id 'E6' was told before with other values",
        "event_id 'E6' was told before with other values",
    ]


def test_activities_land_once_with_their_notes(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    text = (
        "lead,rep,kind,happened_at,result,score,latitude,longitude,note\n"
        "L1,R1,call,2026-01-05T09:00,reached,,,,prefers mornings\n"
        "L1,,page_view,2026-01-05T10:00,,,,,\n"
        "L2,R2,visit,2026-01-06T10:00,,,31.2,121.5,\n"
        "L2,R2,survey,2026-01-07T10:00,,9.5,,,\n"
        "L2,R2,dance,2026-01-07T10:00,,,,,\n"
        "L2,R2,visit,2026-01-07T10:00,,,91,0,\n"
    )

    report = land(store, clock, tmp_path, text, Kind.ACTIVITIES)
    again = land(store, clock, tmp_path, text, Kind.ACTIVITIES)

    assert answered(report) == (4, 0, 2)
    assert answered(again) == (0, 4, 2)
    with store.read(ACME) as session:
        view, call = list_activities(session, lead(session, "L1"))
        survey, visit = list_activities(session, lead(session, "L2"))
    assert (call.note, call.result) == ("prefers mornings", "reached")
    assert view.rep_id is None
    assert (survey.score, visit.latitude) == (9.5, 31.2)


def test_an_activity_told_otherwise_is_refused(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    header = "event_id,lead,kind,happened_at\n"
    land(store, clock, tmp_path, f"{header}A1,L1,call,2026-01-05\n", Kind.ACTIVITIES)

    report = land(
        store, clock, tmp_path, f"{header}A1,L1,visit,2026-01-05\n", Kind.ACTIVITIES
    )

    assert answered(report) == (0, 0, 1)
