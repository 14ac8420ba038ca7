"""Customer health: looked at by a job, told of where a churn alarm turns."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import numpy as np
import pandas as pd

from features.health import Health, customer_health
from features.history import History
from rightrep.domain.health import HealthPart, HealthRules
from rightrep.domain.ids import CustomerId, TenantId
from rightrep.store import bulk, health, outbox
from rightrep.store.aliases import RecordKind, resolve_many
from rightrep.store.health import CustomerHealth
from rightrep.store.merges import list_merges
from rightrep.store.session import ReadSession, WriteSession
from rightrep.store.tenants import get_tenant
from serving.usecases.context import Context
from serving.worker import Effect, Handler, Task

HEALTH = "health"
"""Kind of the job."""

CHURN_ALARM = "rightrep.customer.churn_alarm"
ALL_CLEAR = "rightrep.customer.all_clear"


@dataclass(frozen=True, eq=False)
class Looked:
    """One look at every customer, not yet kept.

    Attributes:
        at: As of when; aware UTC.
        rules: The tenant's weights and thresholds.
        customers: Health of everybody who bought, by our id.
    """

    at: datetime
    rules: HealthRules
    customers: Mapping[CustomerId, CustomerHealth]


class Kept(NamedTuple):
    """What a look came to."""

    customers: int
    alarmed: int
    """Customers whose alarm is on now."""
    told: int
    """Alarms and all-clears that were told of."""


def handlers(context: Context) -> Mapping[str, Handler]:
    """What to do, by kind of job."""
    return {HEALTH: lambda task: _look(context, task)}


def _look(context: Context, task: Task) -> Effect:
    looked = look_at_customers(context, task.tenant_id)
    return lambda session: keep_look(session, looked)._asdict()


def look_at_customers(context: Context, tenant_id: TenantId) -> Looked:
    """Health of every customer as of now; nothing is written.

    Raises:
        InvalidInput: The tenant's settings of health make no sense.
    """
    at = context.clock.now()
    with context.store.read(tenant_id) as session:
        rules = HealthRules.of(get_tenant(session).settings)
        history = History.of(bulk.read_history(session, recorded_until=at))
        standing = _standing(session)
    if standing:
        history.leads["customer_id"] = history.leads["customer_id"].replace(standing)
    found = customer_health(history, pd.Timestamp(at), rules)
    return Looked(at, rules, _by_customer(found, rules, at))


def keep_look(session: WriteSession, looked: Looked) -> Kept:
    """Write scores down, move alarms, and tell of each that moved.

    The first look of a tenant moves alarms without a word: what fell below the
    threshold long ago is no news.
    """
    before = health.alarms(session)
    first = not before
    health.keep_health(session, list(looked.customers.values()))
    told, alarmed = 0, 0
    for customer_id, one in looked.customers.items():
        was = before.get(customer_id) is not None
        now = looked.rules.alarms(one.score, alarmed=was)
        alarmed += now
        if now != was:
            since = looked.at if now else None
            moved = health.set_alarm(session, customer_id, since)
            told += moved and not first and _tell(session, looked, one, alarmed=now)
    told += _forget(session, looked, before)
    return Kept(len(looked.customers), alarmed, told)


def _forget(
    session: WriteSession,
    looked: Looked,
    before: Mapping[CustomerId, datetime | None],
) -> int:
    """Drop who is no customer any more (merged, or the sale was taken back)."""
    gone = [one for one in before if one not in looked.customers]
    cleared = [
        one
        for one in gone
        if before[one] is not None and health.set_alarm(session, one, None)
    ]
    for customer_id in cleared:
        outbox.emit(
            session,
            ALL_CLEAR,
            {"customer_id": customer_id, "score": None},
            at=looked.at,
            subject=customer_id,
        )
    health.forget_health(session, gone)
    return len(cleared)


def _tell(
    session: WriteSession, looked: Looked, one: CustomerHealth, *, alarmed: bool
) -> bool:
    outbox.emit(
        session,
        CHURN_ALARM if alarmed else ALL_CLEAR,
        {
            "customer_id": one.customer_id,
            "score": one.score,
            "parts": {name: part["points"] for name, part in one.parts.items()},
        },
        at=looked.at,
        subject=one.customer_id,
    )
    return True


def _standing(session: ReadSession) -> dict[str, str]:
    """The customer that stands for each merged one today."""
    merged = [
        made.merged_id
        for made in list_merges(session, RecordKind.CUSTOMER)
        if made.undone_at is None
    ]
    return resolve_many(session, RecordKind.CUSTOMER, merged)


def _by_customer(
    found: Health, rules: HealthRules, at: datetime
) -> dict[CustomerId, CustomerHealth]:
    points, most = found.points(rules), found.most(rules)
    return {
        CustomerId(customer_id): CustomerHealth(
            customer_id=CustomerId(customer_id),
            score=round(float(found.score[k]), 1),
            looked_at=at,
            parts={
                part.value: {
                    "points": round(float(points[part][k]), 1),
                    "most": round(most[part], 1),
                    "fact": _known(found.facts[part][k]),
                }
                for part in HealthPart
            },
        )
        for k, customer_id in enumerate(found.customer_ids)
    }


def _known(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 2)
