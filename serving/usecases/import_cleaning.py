"""What cleaning adds to lead rows: regions from addresses, fills kept, marks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rightrep.domain.cleaning import (
    FROM_ADDRESS,
    TAX_NUMBER,
    Mark,
    Provenance,
    is_filled,
)
from rightrep.domain.ids import LeadId
from rightrep.domain.lead import Lead, LeadAttributes, LeadVersion
from rightrep.intake.addresses import address_parts
from rightrep.intake.divisions import Division, short_name
from rightrep.intake.records import LeadRow
from rightrep.store.cleaning import (
    add_marks,
    add_provenance,
    provenance_of,
    rep_regions,
)
from rightrep.store.session import ReadSession, WriteSession
from serving.usecases.import_people import People
from serving.usecases.import_run import Run

REGION_FROM_ADDRESS = "region_from_address"
"""The tenant's setting; false leaves the region of a lead with an address empty."""


@dataclass(slots=True)
class Filled:
    """What rows say, with what is known where they say nothing.

    Attributes:
        attributes: Of each row.
        derived: Leads and the regions that their addresses told.
    """

    attributes: list[LeadAttributes] = field(default_factory=list)
    derived: set[tuple[LeadId, str]] = field(default_factory=set)


def region_of(address: str, words: frozenset[str]) -> str | None:
    """The region that an address is in, in the tenant's words where it has one.

    Args:
        address: As it was typed.
        words: Regions of the tenant's reps.

    Returns:
        The city or province as the reps' regions name it; else the province in full;
        None when the address tells none.
    """
    province, city, *_ = address_parts(address)
    if province is None:
        return None
    places = [Division(province, city)] if city else []
    names = [
        name
        for place in [*places, Division(province)]
        for name in (place.name, short_name(place))
        if name
    ]
    return next((name for name in names if name in words), province)


def filled_attributes(
    session: ReadSession,
    rows: Sequence[LeadRow],
    ids: Mapping[str, LeadId],
    known: Mapping[LeadId, Lead],
    run: Run,
) -> Filled:
    """What each row says, with what cleaning and registers know where it says nothing.

    A value that a register filled stays until a row says another.

    Args:
        session: Where to read.
        rows: The rows.
        ids: Our id of each lead.
        known: Leads that were there before.
        run: The import.
    """
    told = provenance_of(session, known) if known else {}
    wants = run.tenant.settings.get(REGION_FROM_ADDRESS, True) is True and any(
        row.address and row.attributes.region is None for row in rows
    )
    words = rep_regions(session) if wants else frozenset()
    filled = Filled()
    for row in rows:
        lead_id = ids[row.external_id]
        before = told.get(lead_id, {})
        news = _kept(row, known[lead_id].attributes, before) if before else {}
        if wants and row.address and row.attributes.region is None:
            region = region_of(row.address, words)
            if region is not None and not _is_registered(before, news):
                news["region"] = region
                filled.derived.add((lead_id, region))
        own = row.attributes
        filled.attributes.append(replace(own, **news) if news else own)
    return filled


def _kept(
    row: LeadRow, now: LeadAttributes, told: Mapping[str, Provenance]
) -> dict[str, Any]:
    """Fills in force that the row has nothing against."""
    return {
        name: one.value
        for name, one in told.items()
        if getattr(row.attributes, name) is None
        and is_filled(told, name, getattr(now, name))
        and (row.valid_from is None or row.valid_from >= one.filled_at)
    }


def _is_registered(told: Mapping[str, Provenance], news: Mapping[str, Any]) -> bool:
    """Whether a register told the region, which goes before the address."""
    return "region" in news and told["region"].source != FROM_ADDRESS


def save_region_sources(
    session: WriteSession, versions: Sequence[LeadVersion], filled: Filled
) -> None:
    """Say of the regions that addresses told that this is where they are from."""
    add_provenance(
        session,
        [
            Provenance(
                record_id=version.lead_id,
                field="region",
                value=version.attributes.region,
                source=FROM_ADDRESS,
                filled_at=version.valid_from,
            )
            for version in versions
            if version.attributes.region is not None
            and (version.lead_id, version.attributes.region) in filled.derived
        ],
    )


def save_marks(
    session: WriteSession,
    rows: Sequence[LeadRow],
    ids: Mapping[str, LeadId],
    people: People,
    run: Run,
) -> None:
    """Mark what rows give and cannot exist, at the contact or customer that has it."""
    add_marks(session, dict.fromkeys(_marks(rows, ids, people, run)))


def _marks(
    rows: Sequence[LeadRow], ids: Mapping[str, LeadId], people: People, run: Run
) -> Iterator[Mark]:
    for row in rows:
        lead_id = ids[row.external_id]
        contact = people.contact_of.get(lead_id)
        customer = people.customer_of.get(lead_id)
        if contact is not None:
            for point in row.points:
                if point.reason is not None:
                    kind = point.kind.value
                    yield _mark(contact, kind, point.value, point.reason, run)
        if customer is not None and row.tax_number and row.tax_problem:
            yield _mark(customer, TAX_NUMBER, row.tax_number, row.tax_problem, run)


def _mark(record_id: str, name: str, value: str, reason: str, run: Run) -> Mark:
    return Mark(
        record_id=record_id,
        field=name,
        value=value,
        reason=reason,
        marked_at=run.now,
    )
