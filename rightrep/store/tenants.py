"""Tenants and their settings."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import insert, select, update

from rightrep.domain.days import zone_of
from rightrep.domain.ids import TenantId
from rightrep.domain.tenant import Tenant
from rightrep.errors import InvalidInput, NotFound
from rightrep.store.engine import Store
from rightrep.store.guard import of_tenant
from rightrep.store.schema import tenants
from rightrep.store.session import ReadSession, WriteSession

_OWN = select(tenants).where(of_tenant(tenants))


def create_tenant(store: Store, tenant: Tenant) -> bool:
    """Make a tenant, unless there is one of this id.

    Returns:
        Whether it was made; an existing one is left as it is.

    Raises:
        InvalidInput: The time zone or the currency is not one.
    """
    with store.write(tenant.tenant_id) as session:
        if session.execute(_OWN).first() is not None:
            return False
        session.execute(insert(tenants), _row(tenant))
        return True


def get_tenant(session: ReadSession) -> Tenant:
    """The session's tenant.

    Raises:
        NotFound: It was never made.
    """
    row = session.execute(_OWN).one_or_none()
    if row is None:
        raise NotFound("tenant", session.tenant_id)
    return Tenant(
        tenant_id=row.tenant_id,
        created_at=row.created_at,
        name=row.name,
        time_zone=row.time_zone,
        currency=row.currency,
        label_window_days=row.label_window_days,
        settings=row.settings,
    )


def save_tenant(session: WriteSession, tenant: Tenant) -> None:
    """Change the session's tenant; its id and birth stay as they are.

    Raises:
        InvalidInput: The time zone or the currency is not one, or the currency is to
            change, which would change the meaning of what was logged.
        NotFound: It was never made.
    """
    if get_tenant(session).currency != tenant.currency:
        raise InvalidInput(
            "A tenant's currency cannot change: logged values are in it.",
            field="currency",
        )
    row = _row(tenant)
    del row["tenant_id"], row["created_at"]
    session.execute(update(tenants).where(of_tenant(tenants)).values(row))


def save_settings(
    session: WriteSession, documents: Mapping[str, Mapping[str, Any]]
) -> None:
    """Put documents of settings in force, each as a whole; the other ones stay.

    Args:
        session: Whose.
        documents: Settings, checked, by the name of their document.
    """
    tenant = get_tenant(session)
    given = {name: dict(one) for name, one in documents.items()}
    save_tenant(session, replace(tenant, settings={**tenant.settings, **given}))


def list_tenants(store: Store) -> list[TenantId]:
    """Ids of all tenants, ascending."""
    with store.system_read() as session:
        found = session.execute(select(tenants.c.tenant_id).order_by("tenant_id"))
        return [TenantId(name) for name in found.scalars()]


def _row(tenant: Tenant) -> dict[str, object]:
    zone_of(tenant.time_zone)
    if len(tenant.currency) != 3 or not tenant.currency.isupper():
        raise InvalidInput(
            f"{tenant.currency!r} is not a currency code.",
            field="currency",
            remedy="Give an ISO 4217 code such as CNY or USD.",
        )
    return asdict(tenant)
