"""Tenants and their first key."""

from datetime import datetime

from rightrep.domain.ids import TenantId
from rightrep.domain.roles import Role
from rightrep.domain.tenant import Tenant
from rightrep.store.aliases import resolve_rep
from rightrep.store.keys import NewKey, create_key
from rightrep.store.tenants import create_tenant
from serving.usecases.context import Context


def prepare_store(
    context: Context,
    *,
    name: str | None = None,
    time_zone: str = "UTC",
    currency: str = "USD",
) -> TenantId:
    """Bring the database up to date and make the tenant of the settings.

    Args:
        context: The parts of this process.
        name: What people call the tenant; its id when not given.
        time_zone: IANA zone of a new tenant.
        currency: Currency of a new tenant.

    Returns:
        The tenant's id.
    """
    context.store.migrate()
    tenant_id = TenantId(context.settings.tenant)
    create_tenant(
        context.store,
        Tenant(
            tenant_id=tenant_id,
            name=name or tenant_id,
            time_zone=time_zone,
            currency=currency,
            created_at=context.clock.now(),
        ),
    )
    return tenant_id


def new_key(
    context: Context,
    tenant_id: TenantId,
    role: Role,
    name: str,
    *,
    rep_id: str | None = None,
    expires_at: datetime | None = None,
) -> NewKey:
    """Make an API key; its secret is told once.

    Args:
        context: The parts of this process.
        tenant_id: Whose.
        role: What its holder may do.
        name: What the tenant calls it.
        rep_id: The rep, by any of the rep's ids; with the role rep only.
        expires_at: From when it is refused.

    Raises:
        NotFound: No such rep.
    """
    with context.store.write(tenant_id) as session:
        return create_key(
            session,
            role,
            name,
            at=context.clock.now(),
            rep_id=None if rep_id is None else resolve_rep(session, rep_id),
            expires_at=expires_at,
        )
