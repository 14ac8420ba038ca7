"""A register of companies fills what is not known of customers and their leads.

A customer is found by its tax number, else by the key of its name where the numbers do
not speak against it. What a user typed stays; what this register filled before is
brought up to date. Leads get a version, true and known from now on, so that nothing
computed as of an earlier time sees it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from rightrep.domain.cleaning import Provenance, is_filled
from rightrep.domain.customer import Customer
from rightrep.domain.ids import CustomerId, LeadId
from rightrep.domain.lead import Lead, LeadAttributes, LeadVersion
from rightrep.intake.records import CompanyRow
from rightrep.intake.tax_numbers import tax_number
from rightrep.store.cleaning import add_provenance, provenance_of, rep_regions
from rightrep.store.customers import (
    customers_named,
    get_customers,
    lead_ids_behind,
    save_customers,
)
from rightrep.store.leads import add_lead_versions, get_leads
from rightrep.store.session import WriteSession
from serving.usecases.import_cleaning import region_of
from serving.usecases.import_run import Landed, Run

OF_CUSTOMER = ("tax_number", "address")
OF_LEAD = ("industry", "company_size", "region", "language")
TWICE = (
    "The register says something else of the same company in an earlier row. Keep one "
    "of them."
)


@dataclass(slots=True)
class Known:
    """What is known of the companies of some rows; brought up to date by fills.

    Attributes:
        source: The register.
        now: The present; aware.
        customers: By our id.
        leads: By our ids of their customer and of them.
        told: Where values came from, by record and field.
        filled: Fills to be written.
        changed: Customers and leads with fills to be written.
    """

    source: str
    now: datetime
    customers: dict[CustomerId, Customer]
    leads: dict[CustomerId, dict[LeadId, Lead]]
    told: dict[str, dict[str, Provenance]]
    filled: list[Provenance] = field(default_factory=list)
    changed: set[str] = field(default_factory=set)


def land_companies(
    session: WriteSession, rows: Sequence[CompanyRow], run: Run
) -> Landed[CompanyRow]:
    """Fill customers and leads from a batch of a register's rows.

    Args:
        session: Where to write.
        rows: The rows, in the file's order.
        run: The import; its source is what provenance names.
    """
    landed: Landed[CompanyRow] = Landed()
    rows = _sound(rows, run, landed)
    matches = _matches(session, rows)
    known = _known(session, {own for found in matches for own in found}, run)
    words = rep_regions(session)
    for row, found in zip(rows, matches, strict=True):
        news = [_fill(known, own, row, words) for own in found]
        landed.unmatched += not found
        landed.landed += any(news)
        landed.unchanged += bool(found) and not any(news)
    _save(session, known)
    return landed


def _sound(
    rows: Sequence[CompanyRow], run: Run, landed: Landed[CompanyRow]
) -> list[CompanyRow]:
    """Rows that name a company, with a number that can be, and only once."""
    otherwise = run.told.otherwise(
        [row.tax_number or row.company_key for row in rows], [row[1:] for row in rows]
    )
    kept = []
    for row, is_other in zip(rows, otherwise, strict=True):
        if row.tax_problem is not None:
            landed.refuse(
                row, "tax_number", f"There is no such number: {row.tax_problem}."
            )
        elif row.tax_number is None and row.company_key is None:
            landed.refuse(
                row, "company", "The row names no company. Fill its name or number."
            )
        elif is_other:
            landed.refuse(row, "company", TWICE)
        else:
            kept.append(row)
    return kept


def _matches(
    session: WriteSession, rows: Sequence[CompanyRow]
) -> list[list[CustomerId]]:
    """The customers that each row is about; in a register a name may be of several."""
    taxes = {row.tax_number for row in rows if row.tax_number is not None}
    keys = {row.company_key for row in rows if row.company_key is not None}
    by_tax = customers_named(session, taxes, by="tax_number")
    by_key = customers_named(session, keys)
    numbers = {
        customer.customer_id: customer.tax_number
        for customer in get_customers(
            session, (c for named in by_key.values() for c in named)
        )
    }
    matches = []
    for row in rows:
        found = dict.fromkeys(by_tax.get(row.tax_number or "", ()))
        for own in by_key.get(row.company_key or "", ()):
            if own in numbers and _may_be(numbers[own], row.tax_number):
                found[own] = None
        matches.append(list(found))
    return matches


def _may_be(typed: str | None, registered: str | None) -> bool:
    """Whether numbers leave it open that two companies of one name are one."""
    if typed is None or registered is None or typed == registered:
        return True
    return tax_number(typed).problem is not None


def _known(session: WriteSession, found: Iterable[CustomerId], run: Run) -> Known:
    customers = {c.customer_id: c for c in get_customers(session, found)}
    leads: dict[CustomerId, dict[LeadId, Lead]] = {own: {} for own in customers}
    ids = lead_ids_behind(session, customers)
    for lead in get_leads(session, ids, as_of=run.now):
        if lead.customer_id is not None:
            leads[lead.customer_id][lead.lead_id] = lead
    told = provenance_of(session, [*customers, *ids])
    return Known(run.source, run.now, customers, leads, told)


def _fill(
    known: Known, own: CustomerId, row: CompanyRow, words: frozenset[str]
) -> bool:
    """Fill a customer and its leads from a row; whether anything was news."""
    says = {name: getattr(row, name) for name in (*OF_CUSTOMER, *OF_LEAD)}
    if row.region is None and row.address is not None:
        says["region"] = region_of(row.address, words)
    customer = known.customers[own]
    news = _news(known, own, customer, says, OF_CUSTOMER)
    known.customers[own] = replace(customer, **news)
    is_new = bool(news)
    for lead_id, lead in known.leads[own].items():
        news = _news(known, lead_id, lead.attributes, says, OF_LEAD)
        attributes = replace(lead.attributes, **news)
        known.leads[own][lead_id] = replace(lead, attributes=attributes)
        is_new = is_new or bool(news)
    return is_new


def _news(
    known: Known,
    record_id: str,
    having: Customer | LeadAttributes,
    says: Mapping[str, Any],
    names: Sequence[str],
) -> dict[str, Any]:
    """What a row tells of fields that are empty, or that this register filled."""
    told = known.told.setdefault(record_id, {})
    news = {}
    for name in names:
        had, value = getattr(having, name), says[name]
        is_ours = is_filled(told, name, had) and told[name].source == known.source
        if value is not None and value != had and (had is None or is_ours):
            news[name] = value
            told[name] = Provenance(
                record_id=record_id,
                field=name,
                value=value,
                source=known.source,
                filled_at=known.now,
            )
            known.filled.append(told[name])
    if news:
        known.changed.add(record_id)
    return news


def _save(session: WriteSession, known: Known) -> None:
    changed = [c for own, c in known.customers.items() if own in known.changed]
    if changed:
        save_customers(session, changed)
    add_lead_versions(
        session,
        [
            LeadVersion(
                lead_id=lead.lead_id,
                valid_from=known.now,
                recorded_at=known.now,
                attributes=lead.attributes,
            )
            for leads in known.leads.values()
            for lead in leads.values()
            if lead.lead_id in known.changed
        ],
    )
    add_provenance(session, known.filled)
