"""Retention: what a tenant keeps no longer than it said."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    Table,
    and_,
    bindparam,
    delete,
    or_,
    select,
)

from rightrep.domain.erasure import Erasure, ErasureCause, Retention
from rightrep.domain.ids import TenantId, new_id
from rightrep.store.aliases import RecordKind
from rightrep.store.engine import Store
from rightrep.store.erasure import log_erasure, remove_subject
from rightrep.store.guard import of_tenant
from rightrep.store.idempotency import purge_answers
from rightrep.store.jobs import purge_jobs
from rightrep.store.outbox import purge_events
from rightrep.store.plans import purge_lines
from rightrep.store.schema import (
    activities,
    contacts,
    customers,
    lead_versions,
    leads,
    notes,
    outcomes,
)
from rightrep.store.schema_ops import import_originals
from rightrep.store.session import ReadSession, WriteSession
from rightrep.store.sets import any_of, batches
from rightrep.store.sign_ins import purge_sign_ins
from rightrep.store.subjects import Subject, subject_of
from rightrep.store.tenants import get_tenant
from rightrep.store.tries import purge_tries

AT_ONCE = 200
"""Customers whose personal data goes in one transaction, so that it stays short."""


def apply_retention(
    store: Store, tenant_id: TenantId, *, actor: str, at: datetime
) -> dict[str, int]:
    """Remove what is older than the tenant keeps it, in several short transactions.

    Personal data that goes is logged as an erasure, once per transaction.

    Args:
        store: Where.
        tenant_id: Whose.
        actor: Who asked: the job.
        at: Now.

    Returns:
        Rows removed, by what they held.

    Raises:
        NotFound: No such tenant.
        InvalidInput: Its settings say no days.
    """
    with store.read(tenant_id) as session:
        keep = Retention.of(get_tenant(session).settings)
    removed = Counter[str]()
    if keep.customers is not None:
        since = at - timedelta(days=keep.customers)
        for counts in _forget_idle(store, tenant_id, since, actor, at):
            removed.update(counts)
    with store.write(tenant_id) as session:
        personal = _forget_old(session, keep, at)
        _log(session, personal, actor, at)
        removed.update(personal)
        removed.update(_purge_work(session, keep, at))
    return dict(removed)


def _forget_idle(
    store: Store, tenant_id: TenantId, since: datetime, actor: str, at: datetime
) -> Iterator[dict[str, int]]:
    """Remove personal data of those whose leads gave no sign of life, by the page."""
    for kind, query in _IDLE.items():
        page: list[str] = [""]
        while page:
            with store.write(tenant_id) as session:
                asked = {"since": since, "after": page[-1], "limit": AT_ONCE}
                page = list(session.execute(query, asked).scalars())
                counts = Counter[str]()
                for own_id in page:
                    subject = subject_of(session, kind, own_id)
                    if not _is_alive(session, subject, since):
                        counts.update(remove_subject(session, subject))
                _log(session, dict(counts), actor, at)
            yield dict(counts)


def _forget_old(session: WriteSession, keep: Retention, at: datetime) -> dict[str, int]:
    counts: dict[str, int] = {}
    if keep.notes is not None:
        before = {"before": at - timedelta(days=keep.notes)}
        counts["notes"] = session.execute(_OLD_NOTES, before).rowcount
    if keep.originals is not None:
        before = {"before": at - timedelta(days=keep.originals)}
        counts["originals"] = session.execute(_OLD_ORIGINALS, before).rowcount
    return counts


def _purge_work(session: WriteSession, keep: Retention, at: datetime) -> dict[str, int]:
    purged = {
        "answers": purge_answers(session, at=at),
        "sign_ins": purge_sign_ins(session, at=at) + purge_tries(session, at=at),
    }
    for name, days, purge in (
        ("jobs", keep.jobs, purge_jobs),
        ("events", keep.events, purge_events),
        ("plan_lines", keep.plan_lines, purge_lines),
    ):
        if days is not None:
            purged[name] = purge(session, before=at - timedelta(days=days))
    return purged


def _log(
    session: WriteSession, counts: dict[str, int], actor: str, at: datetime
) -> None:
    if not any(counts.values()):
        return
    erased = Erasure(
        erasure_id=new_id(at),
        cause=ErasureCause.RETENTION,
        subject_id=None,
        actor=actor,
        erased_at=at,
        counts=counts,
    )
    log_erasure(session, erased)


def _is_alive(session: ReadSession, subject: Subject, since: datetime) -> bool:
    mine = select(leads.c.lead_id).where(leads.c.lead_id.in_(any_of("ids")), _ALIVE)
    return any(
        session.execute(mine, {"ids": list(batch), "since": since}).first() is not None
        for batch in batches(sorted(subject.ids[RecordKind.LEAD]))
    )


def _told(table: Table) -> "ColumnElement[bool]":
    """That something was recorded of the lead since then."""
    return (
        select(table.c.lead_id)
        .where(
            table.c.tenant_id == leads.c.tenant_id,
            table.c.lead_id == leads.c.lead_id,
            table.c.recorded_at >= _SINCE,
        )
        .exists()
    )


def _idle(table: Table, own_id: str, *others: "ColumnElement[bool]") -> "Select[Any]":
    """Records made before then, on no living lead, in the order of their ids."""
    living = select(leads.c.lead_id).where(leads.c[own_id] == table.c[own_id], _ALIVE)
    return (
        select(table.c[own_id])
        .where(
            of_tenant(table),
            table.c.created_at < _SINCE,
            table.c[own_id] > bindparam("after"),
            ~living.exists(),
            *others,
        )
        .order_by(table.c[own_id])
        .limit(bindparam("limit"))
    )


_SINCE = bindparam("since", type_=leads.c.created_at.type)
_ALIVE = and_(
    of_tenant(leads),
    or_(
        leads.c.created_at >= _SINCE,
        *(_told(table) for table in (lead_versions, activities, outcomes)),
    ),
)
_IDLE = {
    RecordKind.CUSTOMER: _idle(customers, "customer_id"),
    RecordKind.CONTACT: _idle(contacts, "contact_id", contacts.c.customer_id.is_(None)),
}
_OLD_NOTES = delete(notes).where(
    of_tenant(notes),
    notes.c.event_id.in_(
        select(activities.c.event_id).where(
            of_tenant(activities),
            activities.c.recorded_at
            < bindparam("before", type_=activities.c.recorded_at.type),
        )
    ),
)
_OLD_ORIGINALS = delete(import_originals).where(
    of_tenant(import_originals),
    import_originals.c.kept_at
    < bindparam("before", type_=import_originals.c.kept_at.type),
)
