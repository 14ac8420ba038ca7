"""Lead files landed on both databases: versions, people, owners, rejects."""

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rightrep.clock import FixedClock
from rightrep.domain.customer import PointKind
from rightrep.domain.ids import LeadId, RepId, TenantId
from rightrep.domain.lead import LeadAttributes, Stage
from rightrep.errors import InvalidInput, NotFound
from rightrep.intake.fields import Kind
from rightrep.store.aliases import RecordKind, resolve
from rightrep.store.customers import customers_named, get_contacts, get_customers
from rightrep.store.engine import Store
from rightrep.store.erasure import erase_lead, originals_of
from rightrep.store.leads import get_lead, get_lead_versions, get_leads
from rightrep.store.ownership import get_events, get_owner
from rightrep.store.session import ReadSession
from rightrep.store.tenants import get_tenant, save_tenant
from serving.usecases.imports import ImportReport, import_file
from tests.intake_files import NOW, written
from tests.store_records import ACME, add_tenant

HEADER = "external_id,created_at,company,phone,region,stage"


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture(autouse=True)
def _tenant(store: Store) -> None:
    add_tenant(store)


def land(
    store: Store, clock: FixedClock, folder: Path, text: str, kind: Kind = Kind.LEADS
) -> ImportReport:
    path = written(folder, f"{kind}.csv", text)
    return import_file(store, ACME, kind, path, clock=clock)


def lead_id(session: ReadSession, name: str) -> LeadId:
    return LeadId(resolve(session, RecordKind.LEAD, name))


def answered(report: ImportReport) -> tuple[int, int, int]:
    assert report.read == (
        report.landed + report.unchanged + report.refused + report.skipped
    )
    return report.landed, report.unchanged, report.refused


def test_a_new_lead_is_true_since_it_was_made(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    made = datetime(2026, 1, 2, 9, tzinfo=UTC)

    report = land(
        store, clock, tmp_path, f"{HEADER}\nL1,2026-01-02T09:00Z,Acme Ltd,,North,\n"
    )

    assert answered(report) == (1, 0, 0)
    with store.read(ACME) as session:
        (version,) = get_lead_versions(session, lead_id(session, "L1"))
        lead = get_lead(session, version.lead_id, as_of=made)
    assert (version.valid_from, version.recorded_at) == (made, made)
    assert lead.created_at == made
    assert lead.attributes == LeadAttributes(region="North")


def test_the_same_file_twice_changes_nothing(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    text = (
        f"{HEADER},contact_name,email,tax_number,attributes.a\n"
        "L1,2026-01-02,Acme Ltd,13800138000,North,new,Li,li@acme.com,,x\n"
        "L2,2026-01-03,Acme Limited,12345,South,contacted,,,,\n"
    )
    first = land(store, clock, tmp_path, text)
    clock.move(timedelta(hours=1))

    again = land(store, clock, tmp_path, text)

    assert answered(first) == (2, 0, 0)
    assert answered(again) == (0, 2, 0)
    with store.read(ACME) as session:
        assert len(get_lead_versions(session, lead_id(session, "L1"))) == 1


def test_a_later_file_says_how_a_lead_is_now(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    land(store, clock, tmp_path, f"{HEADER}\nL1,2026-01-02,,,North,new\n")
    clock.move(timedelta(days=1))

    report = land(
        store, clock, tmp_path, f"{HEADER}\nL1,2026-01-02,,,North,qualified\n"
    )

    assert answered(report) == (1, 0, 0)
    with store.read(ACME) as session:
        own = lead_id(session, "L1")
        first, second = get_lead_versions(session, own)
        before = get_lead(session, own, as_of=NOW)
    assert before.attributes.stage is Stage.NEW
    assert (second.valid_from, second.recorded_at) == (clock.now(), clock.now())
    assert first.attributes.stage is Stage.NEW


def test_a_lead_may_go_back_to_what_it_was(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    for stage in ("new", "contacted", "new"):
        land(store, clock, tmp_path, f"{HEADER}\nL1,2026-01-02,,,North,{stage}\n")
        clock.move(timedelta(days=1))

    with store.read(ACME) as session:
        versions = get_lead_versions(session, lead_id(session, "L1"))
    assert [v.attributes.stage for v in versions] == ["new", "contacted", "new"]


def test_rows_with_valid_from_are_versions_known_at_their_own_time(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    text = (
        "external_id,created_at,valid_from,stage,recorded_at\n"
        "L1,2026-01-02,2026-01-05,contacted,\n"
        "L1,2026-01-02,,new,\n"
        "L1,2026-01-02,2026-01-09,qualified,2026-01-20\n"
    )

    report = land(store, clock, tmp_path, text)

    assert answered(report) == (3, 0, 0)
    with store.read(ACME) as session:
        own = lead_id(session, "L1")
        versions = get_lead_versions(session, own)
        seen = get_lead(session, own, as_of=datetime(2026, 1, 10, tzinfo=UTC))
    assert [(v.valid_from.day, v.recorded_at.day) for v in versions] == [
        (2, 2),
        (5, 5),
        (9, 20),
    ]
    assert seen.attributes.stage is Stage.CONTACTED


def test_a_correction_is_known_from_the_import_on(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    header = "external_id,created_at,valid_from,region\n"
    land(store, clock, tmp_path, f"{header}L1,2026-01-02,2026-01-02,Nroth\n")
    clock.move(timedelta(days=1))

    report = land(store, clock, tmp_path, f"{header}L1,2026-01-02,2026-01-02,North\n")

    assert answered(report) == (1, 0, 0)
    with store.read(ACME) as session:
        own = lead_id(session, "L1")
        assert get_lead(session, own, as_of=NOW).attributes.region == "Nroth"
        assert get_lead(session, own, as_of=clock.now()).attributes.region == "North"


def test_two_rows_that_contradict_each_other_are_refused_from_the_second_on(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    text = (
        f"{HEADER}\nL1,2026-01-02,,,North,\nL1,2026-01-02,,,South,\n"
        "L1,2026-01-02,,,North,\n"
    )

    report = land(store, clock, tmp_path, text)
    again = land(store, clock, tmp_path, text)

    assert answered(report) == (1, 1, 1)
    assert answered(again) == (0, 2, 1)
    assert report.rejects is not None
    rejected = report.rejects.read_text(encoding="utf-8-sig")
    (reject,) = csv.DictReader(rejected.splitlines())
    assert (reject["rejected_line"], reject["rejected_column"]) == ("3", "external_id")


def test_contradictions_are_found_over_batches(
    store: Store, clock: FixedClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rightrep.intake.csv_reader.BATCH_ROWS", 3)
    rows = [f"L{i},2026-01-02,,,North," for i in range(10)]
    text = "\n".join([HEADER, *rows, "L0,2026-01-02,,,South,", *rows, ""])

    report = land(store, clock, tmp_path, text)

    assert answered(report) == (10, 10, 1)


def test_bad_rows_are_refused_by_line_and_the_rejects_can_be_put_right(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    text = (
        f"{HEADER}\nL1,2026-01-02,=HYPERLINK(1),,North,\nL2,soon,@SUM,,North,\n"
        '"L3",2026-01-02,"two\nlines",,North,hot\nL4,2026-01-02\n'
    )
    report = land(store, clock, tmp_path, text)

    assert answered(report) == (1, 0, 3)
    assert report.rejects == tmp_path / "leads.leads.rejects.csv"
    rejected = report.rejects.read_text(encoding="utf-8-sig")
    rows = list(csv.DictReader(rejected.splitlines(keepends=True)))
    assert [(r["rejected_line"], r["rejected_column"]) for r in rows] == [
        ("3", "created_at"),
        ("4", "stage"),
        ("6", ""),
    ]
    assert rows[0]["company"] == "'@SUM"
    assert rows[1]["company"] == "two\nlines"

    righted = rejected.replace("soon", "2026-01-02").replace(",hot", ",new")
    second = land(store, clock, tmp_path, righted)

    assert answered(second) == (2, 0, 1)
    with store.read(ACME) as session:
        (lead,) = get_leads(session, [lead_id(session, "L2")], as_of=NOW)
        assert lead.customer_id is not None
        (customer,) = get_customers(session, [lead.customer_id])
    assert customer.name == "@SUM"


def test_a_file_without_bad_rows_leaves_no_rejects_and_removes_old_ones(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    land(store, clock, tmp_path, f"{HEADER}\nL1,soon,,,,\n")
    assert (tmp_path / "leads.leads.rejects.csv").exists()

    report = land(store, clock, tmp_path, f"{HEADER}\nL1,2026-01-02,,,,\n")

    assert report.rejects is None
    assert (
        sorted(path.name for path in tmp_path.iterdir() if "reject" in path.name) == []
    )


def test_a_file_refused_as_a_whole_lands_nothing(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput, match="no column 'created_at'"):
        land(store, clock, tmp_path, "external_id\nL1\n")

    with store.read(ACME) as session, pytest.raises(NotFound):
        lead_id(session, "L1")


def test_an_unknown_tenant_is_refused(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    path = written(tmp_path, "a.csv", f"{HEADER}\n")

    with pytest.raises(NotFound, match="tenant"):
        import_file(store, TenantId("nobody"), Kind.LEADS, path, clock=clock)


def test_companies_of_one_name_are_one_customer_and_keep_what_they_have(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    text = (
        "external_id,created_at,company,address,tax_number,grade\n"
        "L1,2026-01-02,Acme Trading Co. Ltd,,,A\n"
        "L2,2026-01-03,ACME TRADING LIMITED,Main St,91330106568192068C,B\n"
        "L3,2026-01-03,Other,,91330106568192068C,\n"
    )
    land(store, clock, tmp_path, text)

    with store.read(ACME) as session:
        found = customers_named(session, ["acmetrading"])["acmetrading"]
        (customer,) = get_customers(session, found)
        leads = get_leads(
            session, [lead_id(session, name) for name in ("L1", "L2", "L3")], as_of=NOW
        )
    assert customer.name == "Acme Trading Co. Ltd"
    assert (customer.address, customer.grade) == ("Main St", "A")
    assert {lead.customer_id for lead in leads} == {customer.customer_id}


def test_a_customers_own_id_comes_before_its_name(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    text = (
        "external_id,created_at,customer,company\n"
        "L1,2026-01-02,C1,Acme\nL2,2026-01-02,C2,Acme\nL3,2026-01-02,C1,Acme Corp\n"
    )
    land(store, clock, tmp_path, text)

    with store.read(ACME) as session:
        leads = get_leads(
            session, [lead_id(session, name) for name in ("L1", "L2", "L3")], as_of=NOW
        )
    one, two, three = (lead.customer_id for lead in leads)
    assert one == three != two


def test_phones_land_as_e164_and_impossible_ones_are_marked_not_dropped(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    text = (
        "external_id,created_at,contact_name,phone,email\n"
        "L1,2026-01-02,李雷,138-0013-8000 / 12345,li@acme.com\n"
    )

    report = land(store, clock, tmp_path, text)

    assert report.marked == 1
    with store.read(ACME) as session:
        lead = get_lead(session, lead_id(session, "L1"), as_of=NOW)
        assert lead.contact_id is not None
        (contact,) = get_contacts(session, [lead.contact_id])
    assert contact.name == "李雷"
    points = {(p.kind, p.value, p.possible) for p in contact.points}
    assert points == {
        (PointKind.PHONE, "+8613800138000", True),
        (PointKind.PHONE, "12345", False),
        (PointKind.EMAIL, "li@acme.com", True),
    }


def test_a_new_phone_of_a_known_lead_is_added(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    land(store, clock, tmp_path, f"{HEADER}\nL1,2026-01-02,Acme,13800138000,,\n")

    report = land(store, clock, tmp_path, f"{HEADER}\nL1,2026-01-02,,13900139000,,\n")

    assert answered(report) == (1, 0, 0)
    with store.read(ACME) as session:
        lead = get_lead(session, lead_id(session, "L1"), as_of=NOW)
        assert lead.contact_id is not None
        (contact,) = get_contacts(session, [lead.contact_id])
    assert {p.value for p in contact.points} == {"+8613800138000", "+8613900139000"}


def test_who_was_erased_does_not_come_back_with_the_same_file(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    text = f"{HEADER}\nL1,2026-01-02,Acme,13800138000,North,\n"
    land(store, clock, tmp_path, text)
    with store.write(ACME) as session:
        own = lead_id(session, "L1")
        erase_lead(session, own, actor="test", at=NOW)

    land(store, clock, tmp_path, text)

    with store.read(ACME) as session:
        lead = get_lead(session, own, as_of=NOW)
        assert get_contacts(session, [lead.contact_id] if lead.contact_id else []) == []
        assert customers_named(session, ["acme"]) == {}


def test_originals_are_kept_only_where_the_tenant_says_so(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    text = f"{HEADER}\nL1,2026-01-02,Acme,13800138000,North,\n"
    land(store, clock, tmp_path, text)
    with store.write(ACME) as session:
        assert originals_of(session, lead_id(session, "L1")) == []
        tenant = get_tenant(session)
        save_tenant(
            session,
            type(tenant)(
                tenant_id=tenant.tenant_id,
                created_at=tenant.created_at,
                name=tenant.name,
                settings={"keep_originals": True},
            ),
        )

    for _ in range(2):
        land(store, clock, tmp_path, text)

    with store.read(ACME) as session:
        (original,) = originals_of(session, lead_id(session, "L1"))
    assert original.line == 2
    assert '"phone": "13800138000"' in original.raw


def test_owners_of_open_leads_hold_them_whatever_their_limit(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    reps = "external_id,holding_limit\nR1,1\n"
    land(store, clock, tmp_path, reps, Kind.REPS)
    text = (
        "external_id,created_at,stage,owner\nL1,2026-01-02,new,R1\n"
        "L2,2026-01-02,contacted,R1\nL3,2026-01-02,won,R1\nL4,2026-01-02,new,\n"
        "L5,2026-01-02,new,R9\n"
    )

    report = land(store, clock, tmp_path, text)
    again = land(store, clock, tmp_path, text)

    assert answered(report) == (4, 0, 1)
    assert answered(again) == (0, 4, 1)
    assert report.rejects is not None
    assert "There is no rep 'R9'" in report.rejects.read_text(encoding="utf-8-sig")
    with store.read(ACME) as session:
        own = {name: lead_id(session, name) for name in ("L1", "L2", "L3", "L4")}
        owned = {name: get_owner(session, own[name]) for name in own}
    assert owned["L4"] is None
    assert {n: o.holding for n, o in owned.items() if o} == {
        "L1": True,
        "L2": True,
        "L3": False,
    }


def test_versions_tell_who_had_a_lead_when(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    land(store, clock, tmp_path, "external_id\nR1\nR2\n", Kind.REPS)
    text = (
        "external_id,created_at,valid_from,stage,owner\n"
        "L1,2026-01-02,2026-01-02,new,\n"
        "L1,2026-01-02,2026-01-03,contacted,R1\n"
        "L1,2026-01-02,2026-01-04,qualified,R1\n"
        "L1,2026-01-02,2026-01-05,qualified,\n"
        "L1,2026-01-02,2026-01-06,proposal,R2\n"
        "L1,2026-01-02,2026-01-07,proposal,R1\n"
        "L1,2026-01-02,2026-01-08,lost,R1\n"
    )

    land(store, clock, tmp_path, text)
    again = land(store, clock, tmp_path, text)

    assert answered(again) == (0, 7, 0)
    with store.read(ACME) as session:
        r1, r2 = (RepId(resolve(session, RecordKind.REP, n)) for n in ("R1", "R2"))
        events = get_events(session, lead_id(session, "L1"))
    assert [(e.happened_at.day, e.kind, e.owner, e.previous_owner) for e in events] == [
        (3, "assigned", r1, None),
        (5, "dropped", None, r1),
        (6, "assigned", r2, None),
        (7, "transferred", r1, r2),
        (8, "closed", r1, r1),
    ]


def test_versions_of_one_lead_in_two_batches_tell_the_same(
    store: Store, clock: FixedClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rightrep.intake.csv_reader.BATCH_ROWS", 2)
    land(store, clock, tmp_path, "external_id\nR1\n", Kind.REPS)
    text = (
        "external_id,created_at,valid_from,stage,owner\n"
        "L1,2026-01-02,2026-01-02,new,\n"
        "L1,2026-01-02,2026-01-03,contacted,R1\n"
        "L1,2026-01-02,2026-01-05,contacted,\n"
    )

    for _ in range(2):
        land(store, clock, tmp_path, text)

    with store.read(ACME) as session:
        events = get_events(session, lead_id(session, "L1"))
    assert [(e.happened_at.day, e.kind) for e in events] == [
        (3, "assigned"),
        (5, "dropped"),
    ]


def test_a_later_file_moves_a_lead_now_and_an_empty_owner_says_nothing(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    land(store, clock, tmp_path, "external_id\nR1\nR2\n", Kind.REPS)
    header = "external_id,created_at,owner\n"
    land(store, clock, tmp_path, f"{header}L1,2026-01-02,R1\n")
    clock.move(timedelta(days=1))
    land(store, clock, tmp_path, f"{header}L1,2026-01-02,\n")
    report = land(store, clock, tmp_path, f"{header}L1,2026-01-02,R2\n")

    assert answered(report) == (1, 0, 0)
    with store.read(ACME) as session:
        r2 = resolve(session, RecordKind.REP, "R2")
        owned = get_owner(session, lead_id(session, "L1"))
    assert owned is not None
    assert (owned.owner, owned.since) == (r2, clock.now())


def test_progress_is_told_after_every_batch(
    store: Store, clock: FixedClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rightrep.intake.csv_reader.BATCH_ROWS", 10)
    rows = "".join(f"L{i},2026-01-02,,,North,\n" for i in range(25))
    path = written(tmp_path, "leads.csv", f"{HEADER}\n{rows}")
    told: list[tuple[int, int, int]] = []

    import_file(
        store,
        ACME,
        Kind.LEADS,
        path,
        clock=clock,
        progress=lambda *done: told.append(done),
    )

    assert [rows for rows, _, _ in told] == [10, 20, 25]
    assert told[-1][1] == told[-1][2] == path.stat().st_size


def test_an_import_that_was_stopped_goes_on_when_it_is_run_again(
    store: Store, clock: FixedClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rightrep.intake.csv_reader.BATCH_ROWS", 10)
    rows = "".join(f"L{i},2026-01-02,C{i},,North,\n" for i in range(30))
    path = written(tmp_path, "leads.csv", f"{HEADER}\n{rows}")

    def stop(rows: int, _done: int, _total: int) -> None:
        if rows == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_file(store, ACME, Kind.LEADS, path, clock=clock, progress=stop)
    report = import_file(store, ACME, Kind.LEADS, path, clock=clock)

    assert answered(report) == (10, 20, 0)
