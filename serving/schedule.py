"""Recurring work, asked for in time: by any number of processes, done once.

An occurrence is a job whose key is its instant (``rightrep.store.jobs.schedule``), and
every process works out the same instants. So all of them ask, and one job is there.
"""

import threading
from collections.abc import Mapping
from datetime import datetime

import structlog

from rightrep.clock import Clock
from rightrep.domain.days import zone_of
from rightrep.domain.ids import TenantId
from rightrep.domain.schedule import schedule_of
from rightrep.errors import InvalidInput, RightRepError
from rightrep.store import jobs
from rightrep.store.engine import Store
from rightrep.store.tenants import get_tenant, list_tenants

log = structlog.get_logger()

Due = Mapping[str, datetime | None]
"""When each kind of recurring job is due next; None where it is off."""


class Scheduler:
    """Asks for the next occurrence of every tenant's recurring work."""

    def __init__(self, store: Store, clock: Clock) -> None:
        """Prepare to ask.

        Args:
            store: Where tenants and jobs are.
            clock: The time.
        """
        self._store = store
        self._clock = clock
        self._asked: dict[TenantId, Due] = {}

    def run(self, stop: threading.Event, *, idle_seconds: float = 30.0) -> None:
        """Ask until told to stop; a database that is away is asked again."""
        while not stop.is_set():
            try:
                self.ask()
            except RightRepError as error:
                log.warning("scheduler waits", error=type(error).__name__)
            stop.wait(idle_seconds)

    def ask(self) -> int:
        """Ask for what is due next, of every tenant; returns how much was new."""
        return sum(self._ask(tenant_id) for tenant_id in list_tenants(self._store))

    def _ask(self, tenant_id: TenantId) -> int:
        try:
            due = self._due(tenant_id)
        except InvalidInput as error:
            log.warning("schedule is unreadable", tenant=tenant_id, field=error.field)
            return 0
        if self._asked.get(tenant_id) == due:
            return 0
        at = self._clock.now()
        new = 0
        with self._store.write(tenant_id) as session:
            for kind, run_at in due.items():
                jobs.unschedule(session, kind, at=at, keep=run_at)
                if run_at is not None:
                    new += jobs.schedule(session, kind, {}, run_at=run_at, at=at).is_new
        self._asked[tenant_id] = due
        return new

    def _due(self, tenant_id: TenantId) -> Due:
        with self._store.read(tenant_id) as session:
            tenant = get_tenant(session)
        zone, now = zone_of(tenant.time_zone), self._clock.now()
        return {
            kind: None if recurs is None else recurs.next(now, zone)
            for kind, recurs in schedule_of(tenant.settings).items()
        }
