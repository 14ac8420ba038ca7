"""A register of companies fills what is empty, says so, and overwrites nothing."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rightrep.clock import FixedClock
from rightrep.domain.customer import Customer
from rightrep.domain.ids import LeadId
from rightrep.domain.lead import LeadAttributes
from rightrep.intake.fields import Kind
from rightrep.store.aliases import RecordKind, resolve
from rightrep.store.customers import get_customers
from rightrep.store.engine import Store
from rightrep.store.leads import get_lead, get_lead_versions
from serving.cli import app
from serving.usecases.cleaning import cleaning_of
from serving.usecases.imports import ImportReport, import_file
from tests.intake_files import NOW, written
from tests.store_records import ACME, add_tenant

NUMBER, OTHER = "91110000600037341L", "91310000132200821H"
LEADS = "external_id,created_at,company,tax_number,industry,region,address"
REGISTER = "company,tax_number,industry,company_size,region,address"
LEAD = "L1,2026-01-02,明达科技有限公司"
ROW = f"明達科技股份有限公司,{NUMBER},software,250,,深圳市南山区科技路1号"


class Firm:
    """A tenant whose leads and registers are told file by file, an hour apart."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store = store
        self.folder = folder
        self.clock = FixedClock(NOW)

    def leads(self, *rows: str) -> ImportReport:
        return self._land(Kind.LEADS, [LEADS, *rows])

    def register(self, *rows: str, mapping: Path | None = None) -> ImportReport:
        return self._land(Kind.COMPANIES, [REGISTER, *rows], mapping)

    def _land(
        self, kind: Kind, lines: list[str], mapping: Path | None = None
    ) -> ImportReport:
        self.clock.move(timedelta(hours=1))
        path = written(self.folder, f"{kind}.csv", "\n".join(lines))
        return import_file(self.store, ACME, kind, path, mapping, clock=self.clock)

    def lead(self, name: str = "L1", as_of: datetime | None = None) -> LeadAttributes:
        with self.store.read(ACME) as session:
            own = LeadId(resolve(session, RecordKind.LEAD, name))
            return get_lead(session, own, as_of=as_of or self.clock.now()).attributes

    def customer(self, name: str = "L1") -> Customer:
        with self.store.read(ACME) as session:
            own = LeadId(resolve(session, RecordKind.LEAD, name))
            lead = get_lead(session, own, as_of=self.clock.now())
            assert lead.customer_id is not None
            (found,) = get_customers(session, [lead.customer_id])
        return found

    def filled(self, name: str = "L1") -> dict[str, str]:
        with self.store.read(ACME) as session:
            own = LeadId(resolve(session, RecordKind.LEAD, name))
            lead = get_lead(session, own, as_of=self.clock.now())
            return {f.field: f.source for f in cleaning_of(session, lead).filled}

    def versions(self, name: str = "L1") -> int:
        with self.store.read(ACME) as session:
            own = LeadId(resolve(session, RecordKind.LEAD, name))
            return len(get_lead_versions(session, own))


@pytest.fixture
def firm(store: Store, tmp_path: Path) -> Firm:
    add_tenant(store)
    return Firm(store, tmp_path)


def test_a_register_fills_what_is_empty_and_says_where_it_is_from(firm: Firm) -> None:
    firm.leads(f"{LEAD},,,,", "L2,2026-01-02,Other Ltd,,,,")

    report = firm.register(ROW, "Unknown GmbH,,retail,5,,")

    assert (report.read, report.landed, report.unmatched) == (2, 1, 1)
    lead = firm.lead()
    assert (lead.industry, lead.company_size, lead.region) == (
        "software",
        250,
        "广东省",
    )
    customer = firm.customer()
    assert (customer.name, customer.tax_number, customer.address) == (
        "明达科技有限公司",
        NUMBER,
        "深圳市南山区科技路1号",
    )
    assert firm.filled() == dict.fromkeys(
        ("address", "company_size", "industry", "region", "tax_number"), "register"
    )
    assert firm.lead("L2") == LeadAttributes()


def test_the_same_register_twice_changes_nothing(firm: Firm) -> None:
    firm.leads(f"{LEAD},,,,")
    firm.register(ROW)
    before = firm.lead(), firm.customer(), firm.versions()

    report = firm.register(ROW)

    assert (report.landed, report.unchanged) == (0, 1)
    assert (firm.lead(), firm.customer(), firm.versions()) == before


def test_nothing_a_user_typed_is_overwritten(firm: Firm) -> None:
    firm.leads(f"{LEAD},{NUMBER},machines,South,Street 1")

    firm.register(ROW)

    lead, customer = firm.lead(), firm.customer()
    assert (lead.industry, lead.region, customer.address) == (
        "machines",
        "South",
        "Street 1",
    )
    assert lead.company_size == 250
    assert firm.filled() == {"company_size": "register"}


def test_what_a_user_types_later_wins_and_stays(firm: Firm) -> None:
    firm.leads(f"{LEAD},,,,")
    firm.register(ROW)

    firm.leads(f"{LEAD},,machines,,Street 1")
    firm.register(ROW)

    assert firm.lead().industry == "machines"
    assert firm.customer().address == "Street 1"
    assert set(firm.filled()) == {"company_size", "region", "tax_number"}


def test_a_fill_stays_when_the_crm_sends_the_lead_without_it(firm: Firm) -> None:
    firm.leads(f"{LEAD},,,,")
    firm.register(ROW)

    again = firm.leads(f"{LEAD},,,,")

    assert (again.landed, again.unchanged) == (0, 1)
    assert firm.lead().industry == "software"


def test_a_fill_is_not_seen_as_of_an_earlier_time(firm: Firm) -> None:
    firm.leads(f"{LEAD},,,,")
    before = firm.clock.now()

    firm.register(ROW)

    assert firm.lead(as_of=before).industry is None


def test_a_register_brings_its_own_fills_up_to_date(firm: Firm) -> None:
    firm.leads(f"{LEAD},,,,")
    firm.register(ROW)

    firm.register(ROW.replace("250", "400"))

    assert firm.lead().company_size == 400


def test_numbers_that_differ_are_two_companies_whatever_their_names(
    firm: Firm,
) -> None:
    firm.leads(f"{LEAD},{OTHER},,,")

    report = firm.register(ROW)

    assert report.unmatched == 1
    assert firm.lead().industry is None


def test_a_row_of_a_register_that_makes_no_sense_is_refused(firm: Firm) -> None:
    firm.leads(f"{LEAD},,,,")

    report = firm.register(
        ",,software,1,,", f"明达科技,{NUMBER[:-1]}0,retail,1,,", ROW, ROW + "号"
    )

    assert (report.refused, report.landed) == (3, 1)
    assert report.rejects is not None
    reasons = report.rejects.read_text(encoding="utf-8-sig")
    for words in ("names no company", "check digit is wrong", "earlier row"):
        assert words in reasons


def test_a_mapping_names_the_register_and_its_columns(
    firm: Firm, tmp_path: Path
) -> None:
    firm.leads(f"{LEAD},,,,")
    mapping = written(
        tmp_path,
        "register.toml",
        '[companies]\nsource = "qcc"\n'
        '[companies.columns]\ncompany = "company"\nindustry = "address"\n',
    )

    firm.register(ROW, mapping=mapping)

    assert firm.filled() == {"industry": "qcc"}


def test_the_terminal_enriches_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIGHTREP_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    leads = written(tmp_path, "leads.csv", f"{LEADS}\n{LEAD},,,,\n")
    register = written(tmp_path, "register.csv", f"{REGISTER}\n{ROW}\nX Ltd,,a,1,,\n")
    runner = CliRunner()
    runner.invoke(app, ["import", "leads", str(leads)])

    result = runner.invoke(app, ["enrich", str(register)])

    assert result.exit_code == 0
    assert "companies: 2 rows read, 1 landed, 0 unchanged" in result.output
    assert "1 of companies not known here" in result.output
