"""Sessions: whose rows, which transaction."""

import pytest
from sqlalchemy import delete, insert, or_, select, text, update

from rightrep.clock import SystemClock
from rightrep.domain.ids import TenantId
from rightrep.errors import InvalidInput, StoreUnavailable
from rightrep.store.engine import Store
from rightrep.store.guard import TENANT, TenantMissing, of_tenant
from rightrep.store.schema import tenants
from rightrep.store.session import WriteSession

ACME = TenantId("acme")
OTHER = TenantId("other")


def add_tenant(store: Store, tenant_id: TenantId) -> None:
    with store.write(tenant_id) as session:
        session.execute(
            insert(tenants),
            {
                "name": tenant_id,
                "time_zone": "UTC",
                "currency": "USD",
                "settings": {},
                "created_at": SystemClock().now(),
            },
        )


def test_a_session_sees_its_own_tenant_only(store: Store) -> None:
    add_tenant(store, ACME)
    add_tenant(store, OTHER)

    with store.read(ACME) as session:
        names = session.execute(
            select(tenants.c.tenant_id).where(of_tenant(tenants))
        ).scalars()

        assert list(names) == [ACME]


@pytest.mark.parametrize(
    "statement",
    [
        select(tenants),
        select(tenants).where(tenants.c.tenant_id == "acme"),
        select(tenants).where(or_(tenants.c.tenant_id == TENANT, tenants.c.name == "")),
        select(tenants).where(~(tenants.c.tenant_id == TENANT)),
        select(tenants.alias()).where(of_tenant(tenants.alias())),
        select(tenants.c.name).where(
            of_tenant(tenants), tenants.c.name.in_(select(tenants.alias().c.name))
        ),
        delete(tenants),
        update(tenants).values(name="mine"),
        text("delete from tenants"),
        insert(tenants).from_select(["name"], select(tenants.c.name)),
        insert(tenants).values([{"name": "a"}, {"name": "b"}]),
    ],
    ids=lambda statement: type(statement).__name__,
)
def test_a_statement_without_its_tenant_is_refused(
    store: Store, statement: object
) -> None:
    with store.write(ACME) as session, pytest.raises(TenantMissing):
        session.execute(statement)  # type: ignore[arg-type]


def test_a_row_of_another_tenant_is_refused(store: Store) -> None:
    with store.write(ACME) as session, pytest.raises(TenantMissing):
        session.execute(insert(tenants), {"tenant_id": OTHER, "name": "theirs"})


def test_a_join_binds_the_joined_table_through_its_tenant(store: Store) -> None:
    add_tenant(store, ACME)
    twin = tenants.alias()
    joined = select(tenants.c.name).join_from(
        tenants, twin, twin.c.tenant_id == tenants.c.tenant_id
    )

    with store.read(ACME) as session:
        assert session.execute(joined.where(of_tenant(tenants))).scalars().all() == [
            ACME
        ]


def test_an_exception_undoes_the_whole_transaction(store: Store) -> None:
    def write_and_fail() -> None:
        with store.write(ACME) as session:
            session.execute(insert(tenants), _row())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_fail()

    with store.read(ACME) as session:
        assert session.execute(select(tenants).where(of_tenant(tenants))).all() == []


def test_a_savepoint_undoes_its_own_part_only(store: Store) -> None:
    def rename_and_fail(session: WriteSession) -> None:
        with session.savepoint():
            session.execute(
                update(tenants).where(of_tenant(tenants)).values(name="changed")
            )
            raise ZeroDivisionError

    with store.write(ACME) as session:
        session.execute(insert(tenants), _row())
        with pytest.raises(ZeroDivisionError):
            rename_and_fail(session)

    with store.read(ACME) as reading:
        found = reading.execute(select(tenants.c.name).where(of_tenant(tenants)))
        assert found.scalar_one() == "Acme"


def test_a_database_that_is_not_there_is_said_to_be_unavailable() -> None:
    nowhere = Store("postgresql://nobody@/none?host=/nonexistent")

    with pytest.raises(StoreUnavailable), nowhere.read(ACME):
        pass


@pytest.mark.parametrize("url", ["mysql://here/db", "sqlite://", "not a url"])
def test_a_url_of_no_known_database_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput):
        Store(url)


def _row() -> dict[str, object]:
    return {
        "name": "Acme",
        "time_zone": "UTC",
        "currency": "USD",
        "settings": {},
        "created_at": SystemClock().now(),
    }
