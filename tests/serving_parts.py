"""A served tenant for tests: real store, fixed clock, keys of every role."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from pydantic import SecretStr
from starlette.testclient import TestClient

from rightrep.clock import FixedClock
from rightrep.domain.ids import TenantId
from rightrep.domain.roles import Role
from rightrep.domain.tenant import Tenant
from rightrep.settings import Settings
from rightrep.store.engine import Store
from rightrep.store.tenants import create_tenant
from serving.app import create_app
from serving.passwords import Passwords
from serving.usecases.context import Context
from serving.usecases.jobs import handlers
from serving.usecases.tenancy import new_key
from serving.worker import Worker

NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
"""Monday noon in Shanghai."""

ACME = TenantId("acme")

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""Hashes as the real one does, in no time; tests of the real one say so."""


@dataclass
class Served:
    """One tenant behind the API."""

    context: Context
    clock: FixedClock
    http: TestClient
    keys: dict[Role, str]

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        role: Role = Role.SERVICE,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """One request; gives the response."""
        secret = self.keys[role] if key is None else key
        sent = {"Authorization": f"Bearer {secret}", **(headers or {})}
        return self.http.request(method, path, json=body, headers=sent)

    def post(self, path: str, body: object, **more: Any) -> Any:
        """A POST."""
        return self.call("POST", path, body, **more)

    def get(self, path: str, **more: Any) -> Any:
        """A GET."""
        return self.call("GET", path, **more)

    def add_reps(self, *names: str, **fields: object) -> list[str]:
        """Reps of these external ids; gives our ids."""
        rows = [
            {"external_id": name, "name": f"Rep {name}", **fields} for name in names
        ]
        answer = self.post("/v1/reps", {"reps": rows})
        assert answer.status_code == 200, answer.text
        return [rep["rep_id"] for rep in answer.json()["reps"]]

    def add_leads(self, *names: str, **fields: object) -> list[str]:
        """Leads of these external ids; gives our ids."""
        rows = [
            {"external_id": name, "created_at": "2026-03-01T08:00:00+08:00", **fields}
            for name in names
        ]
        answer = self.post("/v1/leads", {"leads": rows})
        assert answer.status_code == 200, answer.text
        return [lead["lead_id"] for lead in answer.json()["leads"]]

    def next(self, lead: str, **more: Any) -> Any:
        """Ask for the next best rep and take it."""
        return self.post("/v1/assignments/next", {"lead": lead}, **more)

    def work(self) -> bool:
        """Do one job, as a worker would."""
        doing = Worker(
            self.context.store,
            handlers(self.context),
            clock=self.clock,
            name="test",
        )
        return doing.work_once()


def serve(
    store: Store,
    home: Path,
    *,
    tenant_id: TenantId = ACME,
    settings: Mapping[str, Any] | None = None,
    environment: Mapping[str, Any] | None = None,
) -> Served:
    """Put a new tenant of a database behind the API.

    Args:
        store: The database.
        home: Folder of everything else.
        tenant_id: The new tenant.
        settings: The tenant's own settings.
        environment: More of what is set from outside.
    """
    clock = FixedClock(NOON)
    create_tenant(
        store,
        Tenant(
            tenant_id=tenant_id,
            name=tenant_id,
            time_zone="Asia/Shanghai",
            currency="CNY",
            settings=settings or {},
            created_at=NOON,
        ),
    )
    url = store.url.render_as_string(hide_password=False)
    context = Context(
        Settings(
            home=home,
            database_url=SecretStr(url),
            tenant=tenant_id,
            webhooks_allow_private=True,
            **(environment or {}),
        ),
        store,
        clock,
        passwords=Passwords(QUICK),
    )
    keys: dict[Role, str] = {
        role: new_key(context, tenant_id, role, role.value).secret
        for role in Role
        if role is not Role.REP
    }
    return Served(context, clock, TestClient(create_app(context)), keys)
