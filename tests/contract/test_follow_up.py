"""Follow-up: a task per assignment, everything told once, on both databases."""

import threading
from dataclasses import replace
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from rightrep.domain.activity import ActivityKind
from rightrep.domain.followup import TaskState
from rightrep.domain.ids import LeadId, RepId
from rightrep.domain.lead import LeadKind
from rightrep.domain.outcome import Outcome, Result
from rightrep.domain.rep import Leave, RepAttributes, Shift
from rightrep.errors import InvalidInput
from rightrep.store import followup, reps
from rightrep.store.aliases import RecordKind
from rightrep.store.engine import Store
from rightrep.store.erasure import erase_lead
from rightrep.store.guard import of_tenant
from rightrep.store.merges import merge
from rightrep.store.outcomes import record_outcome
from rightrep.store.remarks import list_remarks
from rightrep.store.schema_ops import events
from serving.usecases.followup import (
    BREACHED,
    REMINDER,
    Looked,
    look,
    tasks_to_do,
)
from serving.usecases.followup_weeks import WEEK, responses, week_summaries
from serving.usecases.remarks import DUE, make_remark
from tests.contract.test_pools_untouched import draw
from tests.pool_parts import START, Sales, sales

PLAIN = {"follow_up": {"counting": "hours", "hours": {"follow_up": 24}}}
OFFICE = tuple(Shift(day, time(9), time(17)) for day in range(5))


@pytest.fixture
def shop(store: Store, tmp_path: Path) -> Sales:
    """A tenant without a model: every lead is in the tier `follow_up`."""
    return sales(store, tmp_path, settings=PLAIN)


def looked(shop: Sales) -> Looked:
    return look(shop.context, shop.tenant_id)


def told(shop: Sales, what: str) -> list[dict[str, Any]]:
    query = select(events.c.data).where(of_tenant(events), events.c.type == what)
    with shop.read() as session:
        return list(session.execute(query.order_by(events.c.event_id)).scalars())


def states(shop: Sales, rep: RepId) -> list[TaskState]:
    """What became of every task a rep ever had, oldest first."""
    with shop.read() as session:
        found = followup.tasks_opened(
            session, [rep], since=START, until=shop.now + timedelta(1), at=shop.now
        )[rep]
    in_order = sorted(found, key=lambda task: task.stretch.opened_at)
    return [task.state(shop.now) for task in in_order]


def to_do(shop: Sales, *whose: RepId) -> list[LeadId]:
    found = tasks_to_do(shop.context, shop.tenant_id, whose)
    return [task.stretch.lead_id for task in found]


def close(shop: Sales, lead: LeadId, result: Result = Result.LOST) -> None:
    outcome = Outcome(
        event_id=f"{lead} {result}", lead_id=lead, decision_id=None, result=result,
        closed_at=shop.now, recorded_at=shop.now,
    )  # fmt: skip
    with shop.write() as session:
        record_outcome(session, outcome)


def remark(shop: Sales, lead: LeadId, rep: RepId | None, day: date) -> str:
    with shop.write() as session:
        return make_remark(
            session, lead, "budget frozen", day, rep_id=rep, at=shop.now, actor="k"
        )


def test_a_lead_that_comes_to_a_rep_is_a_task_at_once_and_after_the_look(
    shop: Sales,
) -> None:
    (lead, _), (rep, other) = shop.add_leads(2), shop.add_reps(2)
    shop.assign(lead, rep)

    before = tasks_to_do(shop.context, shop.tenant_id, [rep])
    assert looked(shop).opened == 1
    after = tasks_to_do(shop.context, shop.tenant_id, [rep])

    assert before == after
    assert [task.due_at for task in after] == [START + timedelta(hours=24)]
    assert to_do(shop, other) == []


def test_the_owners_follow_up_closes_the_task_and_nobody_elses_does(
    shop: Sales,
) -> None:
    (lead,), (rep, other) = shop.add_leads(1), shop.add_reps(2)
    shop.assign(lead, rep)
    looked(shop)

    shop.wait(hours=1)
    shop.follow_up(lead, other)
    shop.follow_up(lead, rep, ActivityKind.PAGE_VIEW)
    assert to_do(shop, rep) == [lead]
    shop.follow_up(lead, rep)

    assert to_do(shop, rep) == []
    assert states(shop, rep) == [TaskState.DONE]


def test_a_follow_up_before_the_lead_came_back_does_not_count(shop: Sales) -> None:
    (lead,), (rep, other) = shop.add_leads(1), shop.add_reps(2)
    shop.assign(lead, rep)
    shop.follow_up(lead, rep)
    shop.wait(hours=1)
    shop.transfer(lead, other)
    shop.wait(hours=1)
    shop.transfer(lead, rep)
    looked(shop)

    assert to_do(shop, rep) == [lead]
    assert states(shop, rep) == [TaskState.DONE, TaskState.OPEN]
    assert states(shop, other) == [TaskState.PASSED_ON]


def test_a_new_owner_has_a_task_of_their_own_with_a_time_of_its_own(
    shop: Sales,
) -> None:
    (lead,), (rep, other) = shop.add_leads(1), shop.add_reps(2)
    shop.assign(lead, rep)
    looked(shop)
    shop.wait(hours=10)
    shop.transfer(lead, other)
    looked(shop)

    (task,) = tasks_to_do(shop.context, shop.tenant_id, [rep, other])

    assert task.stretch.rep_id == other
    assert task.due_at == START + timedelta(hours=34)


def test_what_is_dropped_or_lost_is_nobodys_task(shop: Sales) -> None:
    leads, (rep,) = shop.add_leads(2), shop.add_reps(1)
    for lead in leads:
        shop.assign(lead, rep)
    looked(shop)
    shop.wait(hours=1)
    shop.drop(leads[0])
    close(shop, leads[1])
    shop.wait(days=2)

    assert to_do(shop, rep) == []
    assert looked(shop).breached == 0
    assert sorted(states(shop, rep)) == [TaskState.CLOSED, TaskState.PASSED_ON]


def test_reminder_and_breach_are_told_once_however_often_it_is_looked(
    shop: Sales,
) -> None:
    (lead,), (rep,) = shop.add_leads(1), shop.add_reps(1)
    shop.assign(lead, rep)
    for _ in range(30):
        looked(shop)
        shop.wait(hours=1)

    (reminder,), (breach,) = told(shop, REMINDER), told(shop, BREACHED)
    assert (reminder["lead_id"], reminder["rep_id"]) == (lead, rep)
    assert breach["due_at"] == (START + timedelta(hours=24)).isoformat()
    assert breach["touched_at"] is None


def test_a_late_look_tells_the_breach_and_no_reminder_of_what_has_passed(
    shop: Sales,
) -> None:
    leads, (rep,) = shop.add_leads(2), shop.add_reps(1)
    for lead in leads:
        shop.assign(lead, rep)
    shop.wait(hours=30)
    shop.follow_up(leads[0], rep)
    shop.wait(days=4)

    looked(shop)

    assert told(shop, REMINDER) == []
    assert {one["lead_id"] for one in told(shop, BREACHED)} == set(leads)
    assert states(shop, rep).count(TaskState.DONE) == 1


def test_a_follow_up_in_time_is_no_breach_even_when_the_look_is_late(
    shop: Sales,
) -> None:
    (lead,), (rep,) = shop.add_leads(1), shop.add_reps(1)
    shop.assign(lead, rep)
    shop.wait(hours=23)
    shop.follow_up(lead, rep)
    shop.wait(days=3)

    assert looked(shop) == Looked(opened=1)
    assert told(shop, BREACHED) == []


def test_looks_at_the_same_time_tell_each_thing_once(shop: Sales) -> None:
    leads, (rep,) = shop.add_leads(6), shop.add_reps(1)
    for lead in leads:
        shop.assign(lead, rep)
    remark(shop, leads[0], rep, shop.now.date())
    shop.wait(hours=25)
    threads = [threading.Thread(target=looked, args=(shop,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(told(shop, BREACHED)) == len(leads) - 1  # a remark is a follow-up
    assert len(told(shop, DUE)) == 1


def test_a_lead_that_came_long_before_the_first_look_is_no_news(shop: Sales) -> None:
    (lead,), (rep,) = shop.add_leads(1), shop.add_reps(1)
    shop.assign(lead, rep)
    shop.wait(days=8)

    assert looked(shop).opened == 0
    assert to_do(shop, rep) == []


def test_leave_that_is_told_later_moves_the_due_time(
    store: Store, tmp_path: Path
) -> None:
    shop = sales(store, tmp_path)
    (lead,) = shop.add_leads(1)
    known = RepAttributes(shifts=OFFICE)
    (rep,) = shop.add_reps(1, shifts=OFFICE)
    shop.assign(lead, rep)
    looked(shop)
    (before,) = tasks_to_do(shop.context, shop.tenant_id, [rep])
    shop.wait(hours=1)
    away = Leave(date(2026, 3, 26), date(2026, 3, 27))
    with shop.write() as session:
        found = reps.get_rep(session, rep, as_of=shop.now)
        changed = replace(found, attributes=replace(known, leave=(away,)))
        reps.upsert_reps(session, [changed], at=shop.now)

    assert looked(shop).moved == 1
    (after,) = tasks_to_do(shop.context, shop.tenant_id, [rep])

    assert before.due_at.date() == date(2026, 3, 30)
    assert after.due_at.date() == date(2026, 4, 1)
    assert looked(shop).moved == 0


@pytest.mark.parametrize(
    ("lead_score", "tier", "hours"),
    [(80, "opportunity", 24), (79, "follow_up", 72), (39, "nurture", 240)],
)
def test_the_lead_score_sets_the_tier_and_the_tier_the_hours(
    store: Store, tmp_path: Path, lead_score: int, tier: str, hours: int
) -> None:
    shop = sales(store, tmp_path, settings={"follow_up": {"counting": "hours"}})
    (lead,), (rep,) = shop.add_leads(1), shop.add_reps(1)
    draw(shop, 0.5, score=lead_score)
    shop.assign(lead, rep)
    looked(shop)

    (task,) = tasks_to_do(shop.context, shop.tenant_id, [rep])

    assert (task.tier, task.lead_score) == (tier, lead_score)
    assert task.due_at == START + timedelta(hours=hours)


def test_a_merge_gives_the_survivors_new_owner_the_task(shop: Sales) -> None:
    (kept, gone), (rep,) = shop.add_leads(2), shop.add_reps(1)
    shop.assign(gone, rep)
    looked(shop)
    shop.wait(hours=1)
    with shop.write() as session:
        merge(
            session, RecordKind.LEAD, gone, kept,
            at=shop.now, cause="same", actor="boss",
        )  # fmt: skip
    looked(shop)

    assert to_do(shop, rep) == [kept]


def test_a_remark_reminds_the_owner_of_the_day_once_and_without_its_words(
    shop: Sales,
) -> None:
    (lead,), (rep, other) = shop.add_leads(1), shop.add_reps(2)
    shop.assign(lead, rep)
    made = remark(shop, lead, rep, date(2026, 4, 1))
    shop.transfer(lead, other)
    shop.wait(days=6)
    assert looked(shop).remarks == 0
    shop.wait(days=1)

    assert [looked(shop).remarks for _ in range(3)] == [1, 0, 0]
    (event,) = told(shop, DUE)
    assert event == {
        "remark_id": made, "lead_id": lead, "rep_id": other, "remind_on": "2026-04-01",
    }  # fmt: skip


def test_a_remark_waits_for_an_owner_and_for_the_owner_to_work(
    store: Store, tmp_path: Path
) -> None:
    shop = sales(store, tmp_path)
    (lead,) = shop.add_leads(1)
    (rep,) = shop.add_reps(1, shifts=OFFICE)
    remark(shop, lead, None, date(2026, 3, 27))
    shop.wait(days=1, hours=15)  # Friday 01:00 in Berlin
    assert looked(shop).remarks == 0
    shop.assign(lead, rep)
    assert looked(shop).remarks == 0

    shop.wait(hours=8)

    assert looked(shop).remarks == 1


def test_a_remark_on_a_lost_lead_stays_silent(shop: Sales) -> None:
    (lead,), (rep,) = shop.add_leads(1), shop.add_reps(1)
    shop.assign(lead, rep)
    remark(shop, lead, rep, shop.now.date())
    close(shop, lead)

    assert looked(shop).remarks == 0


def test_an_erasure_takes_a_remarks_words_and_leaves_the_day(shop: Sales) -> None:
    (lead,) = shop.add_leads(1)
    remark(shop, lead, None, shop.now.date())
    with shop.write() as session:
        erase_lead(session, lead, actor="admin", at=shop.now)

    with shop.read() as session:
        (found,) = list_remarks(session, lead)
    assert (found.text, found.remind_on) == (None, shop.now.date())


def test_a_day_that_has_passed_is_refused(shop: Sales) -> None:
    (lead,) = shop.add_leads(1)

    with pytest.raises(InvalidInput, match="has passed"):
        remark(shop, lead, None, date(2026, 3, 24))


def test_response_times_count_every_task_and_say_how_many(shop: Sales) -> None:
    leads, (rep, idle) = shop.add_leads(3), shop.add_reps(2)
    for lead in leads:
        shop.assign(lead, rep)
    shop.wait(hours=2)
    shop.follow_up(leads[0], rep)
    shop.wait(hours=28)
    shop.follow_up(leads[1], rep)
    looked(shop)

    with shop.read() as session:
        found = responses(session, [rep, idle], days=30, at=shop.now)

    assert found[rep].median_hours == 30
    assert (found[rep].n_tasks, found[rep].n_judged, found[rep].n_in_time) == (3, 3, 1)
    assert found[idle].n_tasks == 0


def test_a_week_is_told_once_after_it_ended_and_the_idle_are_left_out(
    shop: Sales,
) -> None:
    leads, (rep, _) = shop.add_leads(2), shop.add_reps(2)
    for lead in leads:
        shop.assign(lead, rep)
    shop.follow_up(leads[0], rep)
    shop.follow_up(leads[0], rep, ActivityKind.VISIT)
    close(shop, leads[0])
    looked(shop)
    assert told(shop, WEEK) == []
    shop.wait(days=5)  # Monday

    assert [looked(shop).weeks for _ in range(2)] == [1, 0]
    (event,) = told(shop, WEEK)
    assert event["activities"] == {"call": 1, "visit": 1}
    assert (event["leads_touched"], event["leads_received"]) == (1, 2)
    assert (event["won"], event["lost"], event["week"]) == (0, 1, "2026-03-23")
    with shop.read() as session:
        (present,) = week_summaries(session, [rep], shop.now.date(), at=shop.now)
    assert present.is_empty


def test_a_week_counts_work_orders_apart_from_leads(shop: Sales) -> None:
    (lead,), (rep,) = shop.add_leads(1), shop.add_reps(1)
    done, left = shop.add_leads(2, LeadKind.TICKET)
    for one in (lead, done, left):
        shop.assign(one, rep)
        shop.follow_up(one, rep)
    close(shop, lead)
    close(shop, done, Result.RESOLVED)
    close(shop, left, Result.UNRESOLVED)

    with shop.read() as session:
        (week,) = week_summaries(session, [rep], shop.now.date(), at=shop.now)

    assert (week.leads_touched, week.leads_received) == (1, 1)
    assert (week.tickets_touched, week.tickets_received) == (2, 2)
    assert (week.won, week.lost, week.resolved, week.unresolved) == (0, 1, 1, 1)
