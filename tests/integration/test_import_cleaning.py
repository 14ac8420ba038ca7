"""What an import cleans: marks with reasons, regions from addresses, on both stores."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from rightrep.clock import FixedClock
from rightrep.domain.ids import LeadId
from rightrep.domain.lead import Lead
from rightrep.intake.fields import Kind
from rightrep.store.aliases import RecordKind, resolve
from rightrep.store.cleaning import list_marks
from rightrep.store.customers import get_customers
from rightrep.store.engine import Store
from rightrep.store.leads import get_lead, get_lead_versions
from rightrep.store.session import ReadSession
from rightrep.store.tenants import get_tenant, save_tenant
from serving.usecases.cleaning import Cleaning, cleaning_of
from serving.usecases.imports import ImportReport, import_file
from tests.intake_files import NOW, written
from tests.store_records import ACME, add_tenant

GOOD, BAD = "91110000600037341L", "911100006000373410"
LEADS = "external_id,created_at,company,tax_number,address,region,phone,email"


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture(autouse=True)
def _tenant(store: Store) -> None:
    add_tenant(store)


def land(
    store: Store, clock: FixedClock, folder: Path, text: str, kind: Kind = Kind.LEADS
) -> ImportReport:
    clock.move(timedelta(hours=1))
    return import_file(
        store, ACME, kind, written(folder, f"{kind}.csv", text), clock=clock
    )


def lead_of(session: ReadSession, clock: FixedClock, name: str = "L1") -> Lead:
    own = LeadId(resolve(session, RecordKind.LEAD, name))
    return get_lead(session, own, as_of=clock.now())


def about(store: Store, clock: FixedClock, name: str = "L1") -> Cleaning:
    with store.read(ACME) as session:
        return cleaning_of(session, lead_of(session, clock, name))


def region(store: Store, clock: FixedClock, name: str = "L1") -> str | None:
    with store.read(ACME) as session:
        return lead_of(session, clock, name).attributes.region


def test_every_impossible_value_is_kept_with_its_reason(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    text = f"{LEADS}\nL1,2026-01-02,甲公司,{BAD},,,1380013800,a@b\n"

    report = land(store, clock, tmp_path, text)
    again = land(store, clock, tmp_path, text)

    found = {
        mark.field: (mark.value, mark.reason) for mark in about(store, clock).marks
    }
    assert (report.marked, again.landed) == (1, 0)
    assert found["tax_number"] == (BAD, "its check digit is wrong (cn.uscc)")
    assert found["phone"] == ("1380013800", "not in any numbering plan")
    assert found["email"][0] == "a@b"
    with store.read(ACME) as session:
        assert [mark.value for mark in list_marks(session, field="phone")] == [
            "1380013800"
        ]
        assert len(list_marks(session)) == 3


def test_an_impossible_tax_number_identifies_nobody_and_gives_way(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    zeros = "0" * 18
    land(
        store,
        clock,
        tmp_path,
        f"{LEADS}\nL1,2026-01-02,甲公司,{zeros},,,,\nL2,2026-01-02,乙公司,{zeros},,,,\n",
    )
    with store.read(ACME) as session:
        one, two = (lead_of(session, clock, name) for name in ("L1", "L2"))
    assert one.customer_id is not None
    assert one.customer_id != two.customer_id

    land(store, clock, tmp_path, f"{LEADS}\nL1,2026-01-02,甲公司,{GOOD},,,,\n")

    with store.read(ACME) as session:
        (customer,) = get_customers(session, [one.customer_id])
    assert customer.tax_number == GOOD
    assert about(store, clock).marks == []
    assert [mark.value for mark in about(store, clock, "L2").marks] == [zeros]


def test_an_empty_region_is_filled_from_the_address_and_says_so(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    text = (
        f"{LEADS}\n"
        "L1,2026-01-02,甲公司,,深圳市南山区科技园路1号,,,\n"
        "L2,2026-01-02,乙公司,,深圳市南山区科技园路1号,South,,\n"
        "L3,2026-01-02,丙公司,,Main Street 1,,,\n"
    )

    land(store, clock, tmp_path, text)
    again = land(store, clock, tmp_path, text)

    assert [region(store, clock, f"L{n}") for n in (1, 2, 3)] == [
        "广东省",
        "South",
        None,
    ]
    assert [(f.field, f.source) for f in about(store, clock).filled] == [
        ("region", "address")
    ]
    assert about(store, clock, "L2").filled == []
    assert (again.landed, again.unchanged) == (0, 3)


def test_a_region_is_in_the_words_of_the_reps_where_they_have_one(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    land(store, clock, tmp_path, "external_id,region\nR1,深圳\n", Kind.REPS)

    land(store, clock, tmp_path, f"{LEADS}\nL1,2026-01-02,甲公司,,广东深圳南山区,,,\n")

    assert region(store, clock) == "深圳"


def test_a_region_typed_later_wins_and_is_typed(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    row = "L1,2026-01-02,甲公司,,深圳市南山区,"
    land(store, clock, tmp_path, f"{LEADS}\n{row},,\n")

    report = land(store, clock, tmp_path, f"{LEADS}\n{row}South,,\n")

    assert report.landed == 1
    assert region(store, clock) == "South"
    assert about(store, clock).filled == []
    with store.read(ACME) as session:
        versions = get_lead_versions(session, lead_of(session, clock).lead_id)
    assert [v.attributes.region for v in versions] == ["广东省", "South"]


def test_a_tenant_may_leave_regions_empty(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    with store.write(ACME) as session:
        tenant = get_tenant(session)
        settings = {**tenant.settings, "region_from_address": False}
        save_tenant(session, replace(tenant, settings=settings))

    land(store, clock, tmp_path, f"{LEADS}\nL1,2026-01-02,甲公司,,深圳市南山区,,,\n")

    assert region(store, clock) is None
