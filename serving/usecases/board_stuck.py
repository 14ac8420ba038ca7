"""What is stuck: leads without a rep, leads about to drop, alarms that are open."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from rightrep.domain.followup import FollowUpTask, TaskState
from rightrep.domain.ids import RepId
from rightrep.domain.tenant import Tenant
from rightrep.store import followup
from rightrep.store.alarms import RaisedAlarm, count_open, list_alarms
from rightrep.store.customers import get_customers
from rightrep.store.health import CustomerHealth, count_alarmed, list_alarmed
from rightrep.store.recycling import Drop
from rightrep.store.service import service_reps_of
from rightrep.store.session import ReadSession
from rightrep.store.tenants import get_tenant
from serving.usecases.board import PlanView, find_plan, owners_of, view_plan
from serving.usecases.board_names import Names, read_names
from serving.usecases.board_reasons import Unassigned, read_unassigned
from serving.usecases.pool_views import coming_drops, team

DROPS_SHOWN = 100
OVERDUE_SHOWN = 100
ALARMS_SHOWN = 50
LEADS_LINKED = 10
"""Leads of an alarm that the page leads to."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Churning:
    """A customer whose churn alarm is on.

    Attributes:
        health: The record.
        name: The customer's name; None where it may not be said or is not known.
        rep_id: Who looks after the customer; None is nobody.
    """

    health: CustomerHealth
    name: str | None
    rep_id: RepId | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Stuck:
    """What needs somebody's hand.

    Attributes:
        tenant: Whose.
        at: When it was read.
        plan: The latest plan, or None.
        unassigned: Its leads that nobody gets, counted; None without a plan.
        drops: Leads that drop back soon if nothing happens, the first ones first.
        n_drops: How many there are.
        overdue: Follow-ups that should have been done by now, longest due first.
        n_overdue: How many there are.
        alarms: Open alarms about cheating, those seen last; None where the reader may
            not see them.
        n_alarms: How many there are; None likewise.
        churning: Customers whose churn alarm is on, the newest first.
        n_churning: How many there are.
        names: What to call the people on the page.
    """

    tenant: Tenant
    at: datetime
    plan: PlanView | None
    unassigned: Unassigned | None
    drops: Sequence[Drop]
    n_drops: int
    overdue: Sequence[FollowUpTask]
    n_overdue: int
    alarms: Sequence[RaisedAlarm] | None
    n_alarms: int | None
    churning: Sequence[Churning]
    n_churning: int
    names: Names


def read_stuck(session: ReadSession, *, at: datetime, named: bool) -> Stuck:
    """Everything that is stuck, in one snapshot.

    Args:
        session: Where to read.
        at: Now.
        named: Whether the reader may see names, and alarms about people.
    """
    header = find_plan(session, None)
    waiting = None if header is None else read_unassigned(session, header, limit=1)
    reps = team(session, None, at=at)
    coming = coming_drops(session, reps, at=at)
    tasks = _overdue(session, reps, at)
    overdue = tasks[:OVERDUE_SHOWN]
    drops = coming[:DROPS_SHOWN]
    alarms = list_alarms(session, limit=ALARMS_SHOWN) if named else None
    churning = _churning(session, named=named)
    accused = [rep_id for one in alarms or () for rep_id in one.alarm.reps]
    evidence = [lead for one in alarms or () for lead in one.alarm.leads[:LEADS_LINKED]]
    return Stuck(
        tenant=get_tenant(session),
        at=at,
        plan=None if header is None else view_plan(session, header),
        unassigned=waiting,
        drops=drops,
        n_drops=len(coming),
        overdue=overdue,
        n_overdue=len(tasks),
        alarms=alarms,
        n_alarms=count_open(session) if named else None,
        churning=churning,
        n_churning=count_alarmed(session),
        names=read_names(
            session,
            reps=[
                *(one.owner for one in drops),
                *(task.stretch.rep_id for task in overdue),
                *accused,
                *(one.rep_id for one in churning if one.rep_id),
                *owners_of(waiting),
            ],
            leads=[
                *(one.lead_id for one in drops),
                *(task.stretch.lead_id for task in overdue),
                *evidence,
            ],
            at=at,
            named=named,
        ),
    )


def _overdue(
    session: ReadSession, reps: Sequence[RepId], at: datetime
) -> list[FollowUpTask]:
    open_ones = followup.open_tasks_of(session, reps, at)
    late = [task for task in open_ones if task.state(at) is TaskState.OVERDUE]
    return sorted(late, key=lambda task: (task.due_at, task.stretch.task_id))


def _churning(session: ReadSession, *, named: bool) -> list[Churning]:
    alarmed = list_alarmed(session, limit=ALARMS_SHOWN)
    customer_ids = [one.customer_id for one in alarmed]
    served_by = service_reps_of(session, customer_ids)
    behind = get_customers(session, customer_ids) if named else []
    names = {customer.customer_id: customer.name for customer in behind}
    return [
        Churning(
            health=one,
            name=names.get(one.customer_id),
            rep_id=served.rep_id
            if (served := served_by.get(one.customer_id))
            else None,
        )
        for one in alarmed
    ]
