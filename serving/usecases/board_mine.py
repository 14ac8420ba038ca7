"""A rep's own leads: what has to be done with them, and how long they are kept."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from rightrep.domain.followup import FollowUpTask
from rightrep.domain.ids import RepId, TenantId
from rightrep.domain.tenant import Tenant
from rightrep.store.tenants import get_tenant
from serving.usecases.board_names import Names, read_names
from serving.usecases.context import Context
from serving.usecases.followup import tasks_to_do
from serving.usecases.pool_views import PrivateLead, private_view

_DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnLead:
    """One lead of the rep.

    Attributes:
        lead: The lead in the private pool.
        task: What has to be done with it, or None.
        days_left: Whole days until it drops back if nothing happens, counted up; None
            where it never does.
    """

    lead: PrivateLead
    task: FollowUpTask | None
    days_left: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Mine:
    """What a rep sees.

    Attributes:
        tenant: Whose.
        at: When it was read.
        leads: The rep's leads, those that are due or drop first at the top; leads that
            others share at the end.
        n_overdue: How many tasks should have been done by now.
        names: What to call the leads.
    """

    tenant: Tenant
    at: datetime
    leads: Sequence[OwnLead]
    n_overdue: int
    names: Names


def read_mine(
    context: Context, tenant_id: TenantId, rep_id: RepId, *, at: datetime
) -> Mine:
    """The leads of one rep; leads that are closed are left out."""
    tasks = {
        task.stretch.lead_id: task for task in tasks_to_do(context, tenant_id, [rep_id])
    }
    with context.store.read(tenant_id) as session:
        held = private_view(session, [rep_id], at=at)
        leads = [
            OwnLead(
                lead=one,
                task=tasks.get(one.lead_id),
                days_left=_days(one.drops_at, at),
            )
            for one in held
            if one.pool is not None
        ]
        return Mine(
            tenant=get_tenant(session),
            at=at,
            leads=sorted(leads, key=_urgency),
            n_overdue=sum(1 for one in leads if one.task and one.task.due_at <= at),
            names=read_names(
                session,
                reps=[one.lead.owner for one in leads],
                leads=[one.lead.lead_id for one in leads],
                at=at,
                named=True,
            ),
        )


def _days(drops_at: datetime | None, at: datetime) -> int | None:
    return None if drops_at is None else max(0, math.ceil((drops_at - at) / _DAY))


def _urgency(one: OwnLead) -> tuple[bool, float, str]:
    """Shared leads last, then what has to be done or drops first."""
    ends = [one.lead.drops_at, one.task and one.task.due_at]
    first = min((end.timestamp() for end in ends if end), default=math.inf)
    return one.lead.shared_until is not None, first, one.lead.lead_id
