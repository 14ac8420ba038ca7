"""Sessions: whose rows, which transaction."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import ColumnElement, delete, func, insert, or_, select, text, update
from sqlalchemy.exc import DBAPIError, StatementError

from rightrep.clock import SystemClock
from rightrep.domain.ids import TenantId
from rightrep.errors import InvalidInput, StoreUnavailable
from rightrep.store.engine import Store
from rightrep.store.guard import TENANT, TenantMissing, of_tenant
from rightrep.store.schema import tenants
from rightrep.store.session import WriteSession

ACME = TenantId("acme")
OTHER = TenantId("other")
OTHERS = tenants.alias()


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


@pytest.mark.parametrize(
    "condition",
    [
        tenants.c.name.in_(select(OTHERS.c.name).where(of_tenant(OTHERS))),
        ~select(OTHERS.c.name).where(of_tenant(OTHERS)).exists(),
        or_(
            tenants.c.name == "x",
            select(OTHERS.c.name).where(of_tenant(OTHERS)).exists(),
        ),
    ],
    ids=["in", "not exists", "or exists"],
)
def test_a_subquery_is_bound_by_its_own_condition(
    store: Store, condition: ColumnElement[bool]
) -> None:
    with store.read(ACME) as session:
        query = select(tenants).where(of_tenant(tenants), condition)
        assert session.execute(query).all() == []
        with pytest.raises(TenantMissing):
            session.execute(select(tenants).where(condition, tenants.c.name == "x"))


def test_a_read_session_cannot_write(store: Store) -> None:
    with store.read(ACME) as session, pytest.raises(DBAPIError):
        session.execute(insert(tenants), _row())


def test_a_read_session_sees_one_moment(store: Store) -> None:
    count = select(func.count()).select_from(tenants).where(of_tenant(tenants))
    with store.read(ACME) as session:
        before = session.execute(count).scalar_one()
        add_tenant(store, ACME)

        assert session.execute(count).scalar_one() == before


def test_text_is_run_for_the_tenant_that_it_names(store: Store) -> None:
    add_tenant(store, ACME)
    add_tenant(store, OTHER)
    query = text("select name from tenants where tenant_id = :the_tenant")

    with store.read(ACME) as session:
        assert session.execute(query).scalars().all() == [ACME]


def test_rows_can_be_copied_within_a_tenant_only(store: Store) -> None:
    columns = ["tenant_id", "name", "time_zone", "currency", "settings", "created_at"]
    theirs = select(*(OTHERS.c[name] for name in columns))

    with store.write(ACME) as session:
        mine = theirs.where(of_tenant(OTHERS))
        session.execute(insert(tenants).from_select(columns, mine))
        with pytest.raises(TenantMissing):
            session.execute(insert(tenants).from_select(columns, theirs))


def test_a_naive_time_is_refused(store: Store) -> None:
    naive = {**_row(), "created_at": datetime(2026, 1, 1)}  # noqa: DTZ001

    with store.write(ACME) as session, pytest.raises(StatementError, match="time zone"):
        session.execute(insert(tenants), naive)


def test_a_time_of_another_zone_comes_back_in_utc(store: Store) -> None:
    there = datetime(2026, 7, 1, 8, 30, 0, 1, tzinfo=ZoneInfo("Asia/Shanghai"))
    with store.write(ACME) as session:
        session.execute(insert(tenants), {**_row(), "created_at": there})

    with store.read(ACME) as reading:
        found = reading.execute(
            select(tenants.c.created_at).where(of_tenant(tenants))
        ).scalar_one()
        assert found == there
        assert found.tzinfo == UTC


def test_a_mistake_in_a_statement_is_not_called_an_outage(store: Store) -> None:
    wrong = text("select nothing from tenants where tenant_id = :the_tenant")

    with pytest.raises(DBAPIError), store.read(ACME) as session:
        session.execute(wrong)


def test_a_store_says_whether_it_is_there(store: Store) -> None:
    store.ping()

    with pytest.raises(StoreUnavailable):
        Store("sqlite:////nonexistent/folder/store.db").ping()


def test_a_database_without_tables_says_what_to_do(store: Store) -> None:
    gone = text("select name from gone where tenant_id = :the_tenant")

    with pytest.raises(StoreUnavailable, match="migrated"), store.read(ACME) as session:
        session.execute(gone)


def test_names_do_not_leak_into_error_messages(store: Store) -> None:
    wrong = text("select :name, nothing from tenants where tenant_id = :the_tenant")

    with pytest.raises(DBAPIError) as failed, store.read(ACME) as session:
        session.execute(wrong, {"name": "王芳"})

    assert "王芳" not in str(failed.value)


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
