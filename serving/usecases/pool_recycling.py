"""The recycling job: what is due drops back, what is coming is told, once each.

The tenant's owned leads are looked at page by page, each page in a short snapshot;
what is due is written in transactions of a few hundred leads. There is nothing to undo
when the job is killed, and nothing to remember: the next run looks again.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime

import numpy as np

from rightrep.domain.event import Event
from rightrep.domain.ids import LeadId, TenantId, new_id
from rightrep.domain.pools import Pool
from rightrep.domain.protection import PrivateLeads, untouched, warned_until
from rightrep.store import outbox
from rightrep.store.pools import pools_in_force
from rightrep.store.private_pools import held_in_all, private_page
from rightrep.store.recycling import Drop, drop_due, drops_until, note_warnings
from rightrep.store.sets import batches
from rightrep.store.tenants import get_tenant
from serving.usecases.context import Context
from serving.usecases.pool_retaking import pass_untouched
from serving.worker import Effect, Task

RECYCLE = "recycle"
"""The kind of job."""
PAGE = 20_000
AT_ONCE = 200
"""Leads written in one transaction, so that nobody waits long for it."""


@dataclass
class Recycled:
    """What one run did.

    Attributes:
        looked_at: Owned leads that are neither won nor lost.
        dropped: Of these, went back to their public pool.
        warned: Drops told ahead for the first time.
        passed_on: Untouched leads of a high score that went to another rep.
        kept: Untouched leads of a high score that nobody else could take.
        unscored: Why no untouched lead was passed on, or None.
    """

    looked_at: int = 0
    dropped: int = 0
    warned: int = 0
    passed_on: int = 0
    kept: int = 0
    unscored: str | None = None


def recycle(
    context: Context,
    tenant_id: TenantId,
    *,
    actor: str,
    report: Callable[[float, str], None] = lambda _share, _words: None,
) -> Recycled:
    """Look at every owned lead once; see the module.

    Args:
        context: The parts of this process.
        tenant_id: Whose leads.
        actor: Who does it: the job.
        report: Told how far it is.
    """
    with context.store.read(tenant_id) as session:
        pools, zone = pools_in_force(session), get_tenant(session).time_zone
        total = held_in_all(session)
    run = _Run(context, tenant_id, pools, zone, actor)
    next_page: str | None = "" if any(map(_asks, pools)) else None
    while next_page is not None:
        at = context.clock.now()
        with context.store.read(tenant_id) as session:
            leads, next_page = private_page(
                session, pools, as_of=at, after=next_page, limit=PAGE
            )
        run.look_at(leads, at)
        done = run.done
        words = f"{done.looked_at:,} leads looked at, {done.dropped:,} dropped"
        report(min(0.9, done.looked_at / max(total, 1)), words)
    run.pass_on_untouched()
    return run.done


def job(context: Context, task: Task) -> Effect:
    """The job: its work is done in many small transactions, its end in one."""
    done = recycle(context, task.tenant_id, actor=task.job_id, report=task.report)
    return lambda _session: asdict(done)


@dataclass
class _Run:
    """One run over a tenant's owned leads."""

    context: Context
    tenant_id: TenantId
    pools: Sequence[Pool]
    zone: str
    actor: str
    done: Recycled = field(default_factory=Recycled)
    untouched: list[LeadId] = field(default_factory=list)

    def look_at(self, leads: PrivateLeads, at: datetime) -> None:
        """Drop what is due in a page, tell what is coming, note what is untouched."""
        horizon = [warned_until(pool, at, self.zone) for pool in self.pools]
        coming = drops_until(leads, self.pools, horizon, self.zone)
        due = [drop.lead_id for drop in coming if drop.drops_at <= at]
        for batch in batches(due, AT_ONCE):
            self._drop(batch)
        for soon in batches([drop for drop in coming if drop.drops_at > at], AT_ONCE):
            self._warn(soon, at)
        rows = np.flatnonzero(untouched(leads, self.pools, at)).tolist()
        gone = set(due)
        self.untouched += [
            leads.lead_id[row] for row in rows if leads.lead_id[row] not in gone
        ]
        self.done.looked_at += len(leads.lead_id)

    def pass_on_untouched(self) -> None:
        """Give what nobody touched to the next best reps."""
        passed = pass_untouched(
            self.context, self.tenant_id, self.untouched, self.pools, actor=self.actor
        )
        self.done.passed_on, self.done.kept = passed.passed_on, passed.kept
        self.done.unscored = passed.unscored

    def _drop(self, due: Sequence[LeadId]) -> None:
        at = self.context.clock.now()
        with self.context.store.write(self.tenant_id) as session:
            dropped = drop_due(
                session, self.pools, due, at=at, zone=self.zone, actor=self.actor
            )
            outbox.emit_all(session, _told("recycled", dropped, at), at=at)
        self.done.dropped += len(dropped)

    def _warn(self, soon: Sequence[Drop], at: datetime) -> None:
        with self.context.store.write(self.tenant_id) as session:
            new = note_warnings(session, soon, at=at)
            outbox.emit_all(session, _told("drop_warned", new, at), at=at)
        self.done.warned += len(new)


def _asks(pool: Pool) -> bool:
    """Whether anything can happen to owned leads of this pool."""
    kept = (pool.protection, *pool.grades.values())
    days = [(one.follow_up_days, one.win_days) for one in kept]
    return pool.untouched_hours is not None or any(map(any, days))


def _told(what: str, drops: Sequence[Drop], at: datetime) -> list[Event]:
    return [
        Event(
            event_id=new_id(at),
            type=f"rightrep.lead.{what}",
            subject=drop.lead_id,
            time=at,
            data={
                "lead_id": drop.lead_id,
                "owner": drop.owner,
                "pool": drop.pool,
                "drops_at": drop.drops_at.isoformat(),
                "reason": drop.reason.name.lower(),
            },
        )
        for drop in drops
    ]
