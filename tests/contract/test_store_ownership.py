"""Ownership and capacity: one owner per lead, no rep over a limit."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import orjson
import pytest
from sqlalchemy import Table, delete, func, insert, select, update
from sqlalchemy.exc import DBAPIError

from rightrep.domain.decision import Decision, RunnerUp
from rightrep.domain.ids import LeadId, RepId
from rightrep.domain.ownership import OwnershipEvent, OwnershipKind
from rightrep.errors import AlreadyOwned, CapacityReached, Conflict, NotFound
from rightrep.store.bulk_capacity import take_columns
from rightrep.store.capacity import NO_LIMITS, Limits, take_lead, take_leads
from rightrep.store.decisions import get_decision, list_decisions
from rightrep.store.engine import Store
from rightrep.store.exclusions import Exclusions
from rightrep.store.guard import of_tenant
from rightrep.store.ownership import (
    add_ownership_events,
    close_leads,
    get_events,
    get_owner,
    get_owners,
    leads_of,
    release_lead,
    set_owners,
)
from rightrep.store.projection import rebuild_projection
from rightrep.store.reps import roster
from rightrep.store.rows import MANY
from rightrep.store.runner_ups import runner_ups_text
from rightrep.store.schema import (
    APPEND_ONLY,
    decisions,
    ownership,
    ownership_events,
    rep_day,
    rep_load,
)
from rightrep.store.session import ReadSession, WriteSession
from tests import store_records as records
from tests.store_records import ACME, NOON, TODAY, add_leads, add_reps, at, decision


def take(session: WriteSession, lead_id: LeadId, rep_id: RepId) -> Decision:
    made = decision(lead_id, rep_id)
    take_lead(session, made, limits=NO_LIMITS, local_day=TODAY)
    return made


def columns_of(made: Sequence[Decision]) -> dict[str, list[Any]]:
    """The same as a plan's lines give them."""
    elsewhere = {"tenant_id", "roster", "exclusions"}
    names = [own.name for own in decisions.c if own.name not in elsewhere]
    columns = {name: [getattr(one, name) for one in made] for name in names}
    rows, ranked = columns["feature_row"], columns["runner_ups"]
    return {
        **columns,
        "feature_row": [row.tobytes() for row in rows],
        "runner_ups": [orjson.Fragment(runner_ups_text(one)) for one in ranked],
    }


@pytest.mark.parametrize("by_column", [False, True])
def test_many_leads_are_taken_at_once_as_they_are_one_by_one(
    store: Store, by_column: bool
) -> None:
    """Many rows go another way into the database than few."""
    records.add_tenant(store)
    n_leads = 3 * MANY
    with store.write(ACME) as session:
        reps = add_reps(session, 3)
        leads = add_leads(session, n_leads)
        other = RunnerUp(rep_id=reps[2], p_convert=0.5, value=None, shadow_price=None)
        made = [
            replace(
                one,
                propensity=0.25,
                feature_row=np.arange(3, dtype=np.float32),
                runner_ups=(other,),
            )
            for one in records.decisions(leads, reps)
        ]
        codes = np.zeros((n_leads, len(reps)), dtype=np.uint8)
        codes[::2, 1] = 7
        limits = {reps[0]: Limits(holding=n_leads // 4)}
        asked: dict[str, Any] = {"limits": limits, "local_day": TODAY}
        asked["exclusions"] = Exclusions(reps, codes)
        returned = (
            take_columns(session, columns_of(made), **asked)
            if by_column
            else take_leads(session, made, **asked)
        )
        kept = {
            one.decision_id: one
            for one in list_decisions(session, limit=n_leads, reasons=True).decisions
        }
        before = projection(session)
        rebuild_projection(session)
        after = projection(session)

    full = [one.decision for one in returned]
    assert {one.rep_id for one in full} == {reps[0]}
    assert len(full) == n_leads // 3 - n_leads // 4
    assert set(kept) == {one.decision_id for one in made} - {
        one.decision_id for one in full
    }
    assert before == after
    for k, one in enumerate(made):
        if one.decision_id in kept:
            found = kept[one.decision_id]
            assert found.excluded == ({reps[1]: "language"} if k % 2 == 0 else {})
            assert found.feature_row is not None
            assert found.feature_row.tolist() == [0, 1, 2]
            told = replace(found, excluded={}, roster=None, feature_row=None)
            assert told == replace(one, feature_row=None)


def load(session: ReadSession) -> dict[RepId, tuple[int, int]]:
    return {
        entry.rep_id: (entry.held, entry.taken_today)
        for entry in roster(session, as_of=at(9), local_day=TODAY)
    }


def projection(session: ReadSession) -> list[list[tuple[object, ...]]]:
    return [
        sorted(
            tuple(row) for row in session.execute(select(table).where(of_tenant(table)))
        )
        for table in (ownership, rep_load)
    ] + [
        sorted(
            tuple(row)
            for row in session.execute(
                select(rep_day).where(of_tenant(rep_day), rep_day.c.taken > 0)
            )
        )
    ]


def release(
    session: WriteSession, lead_id: LeadId, kind: OwnershipKind, **more: object
) -> None:
    release_lead(
        session,
        lead_id,
        kind,
        at=at(1),
        actor="key-1",
        cause="test",
        **more,  # type: ignore[arg-type]
    )


def test_a_taken_lead_has_its_owner_its_event_and_its_decision(store: Store) -> None:
    with store.write(ACME) as session:
        (lead_id,) = add_leads(session, 1)
        (rep_id,) = add_reps(session, 1)

        made = take(session, lead_id, rep_id)

    with store.read(ACME) as reading:
        owner = get_owner(reading, lead_id)
        (event,) = get_events(reading, lead_id)
        assert owner is not None
        assert (owner.owner, owner.since, owner.holding) == (rep_id, NOON, True)
        assert (event.kind, event.owner) == (OwnershipKind.ASSIGNED, rep_id)
        assert owner.decision_id == event.decision_id == made.decision_id
        assert get_decision(reading, made.decision_id) == made
        assert load(reading) == {rep_id: (1, 1)}
        assert [o.lead_id for o in leads_of(reading, rep_id)] == [lead_id]


def test_a_lead_with_an_owner_is_refused_with_the_owner_s_name(store: Store) -> None:
    with store.write(ACME) as session:
        (lead_id,) = add_leads(session, 1)
        first, second = add_reps(session, 2)
        take(session, lead_id, first)

        with pytest.raises(AlreadyOwned) as refused:
            take(session, lead_id, second)

        assert refused.value.owner == first
        assert load(session) == {first: (1, 1), second: (0, 0)}


@pytest.mark.parametrize(
    ("limits", "name"),
    [
        (Limits(holding=2), "holding"),
        (Limits(intake_per_day=2), "intake"),
        (Limits(intake_per_month=2), "month"),
    ],
)
def test_a_full_rep_is_refused_and_nothing_is_left_behind(
    store: Store, limits: Limits, name: str
) -> None:
    with store.write(ACME) as session:
        leads = add_leads(session, 3)
        (rep_id,) = add_reps(session, 1)
        for lead_id in leads[:2]:
            take_lead(
                session, decision(lead_id, rep_id), limits=limits, local_day=TODAY
            )

        with pytest.raises(CapacityReached) as refused:
            take_lead(
                session, decision(leads[2], rep_id), limits=limits, local_day=TODAY
            )

        assert refused.value.limit == name
        assert get_owner(session, leads[2]) is None
        assert get_events(session, leads[2]) == []
        assert list_decisions(session, limit=9, lead_id=leads[2]).decisions == []
        assert load(session) == {rep_id: (2, 2)}


def test_intake_counts_the_leads_of_one_day_only(store: Store) -> None:
    limits = Limits(intake_per_day=1)
    with store.write(ACME) as session:
        leads = add_leads(session, 2)
        (rep_id,) = add_reps(session, 1)
        take_lead(session, decision(leads[0], rep_id), limits=limits, local_day=TODAY)

        take_lead(
            session,
            decision(leads[1], rep_id, at(24)),
            limits=limits,
            local_day=TODAY + timedelta(days=1),
        )

        assert load(session) == {rep_id: (2, 1)}


def test_ten_a_month_are_ten_over_daily_runs_and_begin_anew(store: Store) -> None:
    """Three leads are offered every day of June, and on the first of July."""
    limits = Limits(intake_per_month=10)
    days = [date(2026, 6, 1) + timedelta(days=n) for n in range(31)]
    with store.write(ACME) as session:
        leads = iter(add_leads(session, 3 * len(days)))
        (rep_id,) = add_reps(session, 1)

        taken = {
            day: 3
            - len(
                take_leads(
                    session,
                    [decision(next(leads), rep_id) for _ in range(3)],
                    limits={rep_id: limits},
                    local_day=day,
                )
            )
            for day in days
        }

    assert sum(taken[day] for day in days[:-1]) == 10
    assert taken[days[-1]] == 3


@pytest.mark.parametrize("unknown", ["lead", "rep"])
def test_what_is_not_there_cannot_be_taken(store: Store, unknown: str) -> None:
    with store.write(ACME) as session:
        (lead_id,) = add_leads(session, 1)
        (rep_id,) = add_reps(session, 1)
        pair = {"lead": (LeadId("x"), rep_id), "rep": (lead_id, RepId("x"))}[unknown]

        with pytest.raises(NotFound):
            take(session, *pair)


def test_a_plan_is_carried_out_as_far_as_it_still_can_be(store: Store) -> None:
    with store.write(ACME) as session:
        leads = add_leads(session, 6)
        reps = add_reps(session, 2)
        take(session, leads[0], reps[0])
        plan = [decision(lead_id, reps[0]) for lead_id in leads[:4]]
        plan += [decision(leads[4], RepId("gone")), decision(LeadId("gone"), reps[1])]
        plan += [decision(leads[5], reps[1]), decision(leads[5], reps[0])]

        returned = take_leads(
            session, plan, limits={reps[0]: Limits(holding=3)}, local_day=TODAY
        )

        assert [(back.decision, type(back.why)) for back in returned] == [
            (plan[0], AlreadyOwned),
            (plan[3], CapacityReached),
            (plan[4], NotFound),
            (plan[5], NotFound),
            (plan[7], AlreadyOwned),
        ]
        owners = get_owners(session, leads)
        assert {lead: o.owner for lead, o in owners.items()} == {
            **dict.fromkeys(leads[:3], reps[0]),
            leads[5]: reps[1],
        }
        assert load(session) == {reps[0]: (3, 3), reps[1]: (1, 1)}


def test_the_reasons_of_a_plan_go_with_the_decisions_that_stand(store: Store) -> None:
    with store.write(ACME) as session:
        leads = add_leads(session, 3)
        reps = add_reps(session, 3)
        take(session, leads[0], reps[2])
        plan = records.decisions(leads, reps[:1])
        codes = np.array([[0, 1, 2], [0, 3, 0], [0, 0, 4]], dtype=np.uint8)

        take_leads(
            session,
            plan,
            limits={},
            local_day=TODAY,
            exclusions=Exclusions(reps, codes),
        )

        reasons = [get_decision(session, d.decision_id).excluded for d in plan[1:]]
        assert reasons == [{reps[1]: "on_leave"}, {reps[2]: "holding_limit"}]


@pytest.mark.parametrize(
    ("kind", "left"),
    [
        (OwnershipKind.DECLINED, (0, 0)),
        (OwnershipKind.OVERRIDDEN, (0, 0)),
        (OwnershipKind.DROPPED, (0, 1)),
        (OwnershipKind.RECYCLED, (0, 1)),
    ],
)
def test_a_lead_given_back_frees_the_slot_and_a_refusal_the_day_s_intake_too(
    store: Store, kind: OwnershipKind, left: tuple[int, int]
) -> None:
    with store.write(ACME) as session:
        (lead_id,) = add_leads(session, 1)
        (rep_id,) = add_reps(session, 1)
        take(session, lead_id, rep_id)

        release(session, lead_id, kind)

        assert get_owner(session, lead_id) is None
        assert load(session) == {rep_id: left}


def test_an_override_moves_the_load_whatever_the_limit(store: Store) -> None:
    with store.write(ACME) as session:
        (lead_id,) = add_leads(session, 1)
        ours, theirs = add_reps(session, 2)
        take(session, lead_id, ours)

        release(
            session, lead_id, OwnershipKind.OVERRIDDEN, owner=theirs, local_day=TODAY
        )

        assert load(session) == {ours: (0, 0), theirs: (1, 1)}
        assert get_events(session, lead_id)[-1].previous_owner == ours


def test_a_refusal_of_a_lead_that_changed_hands_is_a_conflict(store: Store) -> None:
    with store.write(ACME) as session:
        (lead_id,) = add_leads(session, 1)
        mine, other = add_reps(session, 2)
        take(session, lead_id, mine)

        with pytest.raises(Conflict):
            release(session, lead_id, OwnershipKind.DECLINED, held_by=other)
        with pytest.raises(NotFound):
            release(session, lead_id, OwnershipKind.OVERRIDDEN, owner=RepId("x"))
        with pytest.raises(NotFound):
            release(session, LeadId("x"), OwnershipKind.DROPPED)


def test_a_closed_lead_keeps_its_owner_and_frees_the_slot(store: Store) -> None:
    with store.write(ACME) as session:
        (lead_id,) = add_leads(session, 1)
        (rep_id,) = add_reps(session, 1)
        take(session, lead_id, rep_id)

        freed = close_leads(session, {lead_id: at(2)}, actor="crm", cause="won")
        again = close_leads(session, {lead_id: at(3)}, actor="crm", cause="won")

        assert (freed, again) == (1, 0)
        owner = get_owner(session, lead_id)
        assert owner is not None
        assert (owner.owner, owner.holding) == (rep_id, False)
        assert load(session) == {rep_id: (0, 1)}
        assert leads_of(session, rep_id, holding=True) == []


def test_a_closed_lead_that_is_handed_over_stays_closed(store: Store) -> None:
    with store.write(ACME) as session:
        (lead_id,) = add_leads(session, 1)
        first, second = add_reps(session, 2)
        take(session, lead_id, first)
        close_leads(session, {lead_id: at(2)}, actor="crm", cause="won")

        changed = set_owners(
            session, {lead_id: second}, at=at(3), actor="boss", cause="handover"
        )

        assert changed == 1
        assert load(session) == {first: (0, 1), second: (0, 0)}


def test_owners_told_by_a_crm_become_ours_where_they_differ(store: Store) -> None:
    with store.write(ACME) as session:
        leads = add_leads(session, 3)
        first, second = add_reps(session, 2)
        take(session, leads[0], first)
        take(session, leads[1], first)
        told = {leads[0]: first, leads[1]: None, leads[2]: second}

        changed = set_owners(session, told, at=at(1), actor="crm", cause="sync")

        assert changed == 2
        assert load(session) == {first: (1, 2), second: (1, 0)}
        with pytest.raises(NotFound):
            set_owners(session, {leads[0]: RepId("x")}, at=NOON, actor="a", cause="b")
        with pytest.raises(NotFound):
            set_owners(session, {LeadId("x"): None}, at=NOON, actor="a", cause="b")


def event(
    number: int, lead_id: LeadId, owner: RepId | None, hours: float
) -> OwnershipEvent:
    return OwnershipEvent(
        event_id=f"event-{number}",
        lead_id=lead_id,
        kind=OwnershipKind.ASSIGNED if owner else OwnershipKind.DROPPED,
        owner=owner,
        previous_owner=None,
        decision_id=None,
        cause="import",
        actor="import",
        happened_at=at(hours),
    )


def test_an_imported_event_counts_once_and_history_does_not_change_the_present(
    store: Store,
) -> None:
    with store.write(ACME) as session:
        (lead_id,) = add_leads(session, 1)
        first, second = add_reps(session, 2)
        told = [event(1, lead_id, first, 1), event(2, lead_id, second, 3)]

        assert add_ownership_events(session, told[::-1]) == 2
        assert add_ownership_events(session, told) == 0
        late = [event(3, lead_id, None, 2)]
        assert add_ownership_events(session, late) == 1

        owner = get_owner(session, lead_id)
        assert owner is not None
        assert owner.owner == second
        assert load(session) == {first: (0, 0), second: (1, 0)}
        with pytest.raises(NotFound):
            add_ownership_events(session, [event(4, LeadId("x"), None, 2)])


def test_the_projection_is_what_the_events_add_up_to(store: Store) -> None:
    rng = np.random.default_rng(7)
    with store.write(ACME) as session:
        leads = add_leads(session, 12)
        reps = add_reps(session, 4)
        for step in range(150):
            lead_id, rep_id = leads[rng.integers(12)], reps[rng.integers(4)]
            kind = list(OwnershipKind)[rng.integers(len(OwnershipKind))]
            if kind is OwnershipKind.ASSIGNED:
                take_leads(
                    session,
                    [decision(lead_id, rep_id, at(step / 60))],
                    limits={rep_id: Limits(4, 30)},
                    local_day=TODAY,
                )
            elif kind is OwnershipKind.SHARED:
                told = [event(step, lead_id, rep_id, rng.random() * step / 60)]
                add_ownership_events(session, told)
            else:
                moves = kind in (OwnershipKind.OVERRIDDEN, OwnershipKind.TRANSFERRED)
                release(
                    session,
                    lead_id,
                    kind,
                    owner=rep_id if moves else None,
                    local_day=TODAY if moves else None,
                )
        written = projection(session)

        rebuild_projection(session)

        assert projection(session) == written
        held = session.execute(
            select(ownership.c.owner, func.count().label("n_held"))
            .where(of_tenant(ownership), ownership.c.holding)
            .group_by(ownership.c.owner)
        )
        counted: dict[str, int] = {row.owner: row.n_held for row in held}
        assert {k: v[0] for k, v in load(session).items() if v[0]} == counted


@pytest.mark.parametrize("table", APPEND_ONLY, ids=lambda table: table.name)
@pytest.mark.parametrize("change", ["update", "delete"])
def test_what_was_logged_is_never_changed(
    store: Store, table: Table, change: str
) -> None:
    with store.write(ACME) as session:
        (lead_id,) = add_leads(session, 1)
        (rep_id,) = add_reps(session, 1)
        take(session, lead_id, rep_id)
        fill(session, lead_id)

    statements = {
        "update": update(table).where(of_tenant(table)).values(lead_id=lead_id),
        "delete": delete(table).where(of_tenant(table)),
    }
    with store.write(ACME) as session, pytest.raises(DBAPIError, match="never changed"):
        session.execute(statements[change])


def fill(session: WriteSession, lead_id: LeadId) -> None:
    _, _, activities, outcomes = APPEND_ONLY
    common = {"event_id": "e", "digest": "d", "lead_id": lead_id, "recorded_at": NOON}
    session.execute(insert(activities), {**common, "kind": "call", "happened_at": NOON})
    session.execute(insert(outcomes), {**common, "result": "won", "closed_at": NOON})


def test_an_event_decided_before_the_last_one_is_not_written_as_history(
    store: Store,
) -> None:
    with store.write(ACME) as session:
        (lead_id,) = add_leads(session, 1)
        first, second = add_reps(session, 2)
        take(session, lead_id, first)
        release(session, lead_id, OwnershipKind.DROPPED)

        take_lead(
            session,
            replace(decision(lead_id, second), decided_at=at(0.5), recorded_at=at(2)),
            limits=NO_LIMITS,
            local_day=TODAY,
        )

        owner = get_owner(session, lead_id)
        assert owner is not None
        assert (owner.owner, owner.since) == (second, at(1))


def test_a_lead_is_logged_with_every_revision(store: Store) -> None:
    with store.write(ACME) as session:
        (lead_id,) = add_leads(session, 1)
        (rep_id,) = add_reps(session, 1)
        take(session, lead_id, rep_id)
        release(session, lead_id, OwnershipKind.DROPPED)
        take(session, lead_id, rep_id)

        revisions = session.execute(
            select(ownership_events.c.revision)
            .where(of_tenant(ownership_events))
            .order_by("revision")
        )

        assert revisions.scalars().all() == [1, 2, 3]
        count = session.execute(
            select(func.count()).select_from(decisions).where(of_tenant(decisions))
        )
        assert count.scalar_one() == 2
