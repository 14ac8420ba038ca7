"""Leads and the versions of what is known about them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, overload

from sqlalchemy import RowMapping, bindparam, func, or_, select

from rightrep.domain.ids import ContactId, CustomerId, LeadId
from rightrep.domain.lead import (
    Lead,
    LeadAttributes,
    LeadKind,
    LeadVersion,
    Scalar,
    Stage,
)
from rightrep.domain.money import Money
from rightrep.errors import NotFound
from rightrep.store.guard import of_tenant
from rightrep.store.money import money_columns, money_of
from rightrep.store.schema import lead_versions, leads
from rightrep.store.session import ReadSession, WriteSession
from rightrep.store.sets import any_of, batches
from rightrep.store.versions import add_versions, in_force

_PLAIN = (
    "industry",
    "company_size",
    "region",
    "language",
    "product",
    "channel",
    "campaign",
    "grade",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class LeadRecord:
    """A lead without what changes about it.

    Attributes:
        lead_id: Our id.
        created_at: When the CRM made it; aware UTC.
        customer_id: Who is behind it, or None.
        contact_id: Which person there, or None.
        kind: Lead or work order; of a lead that is there it stays what it was.
    """

    lead_id: LeadId
    created_at: datetime
    customer_id: CustomerId | None = None
    contact_id: ContactId | None = None
    kind: LeadKind = LeadKind.LEAD


def save_leads(session: WriteSession, records: Sequence[LeadRecord]) -> None:
    """Make leads; of those that are there, set customer and contact where given."""
    statement = session.insert(leads)
    new = statement.excluded
    statement = statement.on_conflict_do_update(
        index_elements=[leads.c.tenant_id, leads.c.lead_id],
        set_={
            "customer_id": func.coalesce(new.customer_id, leads.c.customer_id),
            "contact_id": func.coalesce(new.contact_id, leads.c.contact_id),
        },
        where=or_(
            new.customer_id.is_distinct_from(leads.c.customer_id),
            new.contact_id.is_distinct_from(leads.c.contact_id),
        ),
    )
    for batch in batches(sorted(records, key=lambda record: record.lead_id)):
        session.execute(
            statement,
            [
                {
                    "lead_id": record.lead_id,
                    "created_at": record.created_at,
                    "customer_id": record.customer_id,
                    "contact_id": record.contact_id,
                    "kind": record.kind.value,
                }
                for record in batch
            ],
        )


def add_lead_versions(
    session: WriteSession,
    versions: Sequence[LeadVersion],
    *,
    corrected_at: datetime | None = None,
) -> int:
    """Add versions of leads that are there, where something changed.

    Args:
        session: Where to write.
        versions: Versions of one lead in the order they were told.
        corrected_at: When corrections become known; see ``add_versions``.

    Returns:
        Versions added.
    """
    rows = [version_row(version) for version in versions]
    return add_versions(session, lead_versions, rows, corrected_at=corrected_at)


def upsert_leads(session: WriteSession, given: Sequence[Lead], *, at: datetime) -> int:
    """Make leads or bring them up to date, as of ``at``.

    Returns:
        Leads of which something changed.
    """
    save_leads(
        session,
        [
            LeadRecord(
                lead_id=lead.lead_id,
                created_at=lead.created_at,
                customer_id=lead.customer_id,
                contact_id=lead.contact_id,
                kind=lead.kind,
            )
            for lead in given
        ],
    )
    return add_lead_versions(
        session,
        [
            LeadVersion(
                lead_id=lead.lead_id,
                valid_from=at,
                recorded_at=at,
                attributes=lead.attributes,
            )
            for lead in given
        ],
    )


def get_lead(session: ReadSession, lead_id: LeadId, *, as_of: datetime) -> Lead:
    """A lead as it was known at ``as_of``.

    Raises:
        NotFound: There is no such lead.
    """
    found = get_leads(session, [lead_id], as_of=as_of)
    if not found:
        raise NotFound("lead", lead_id)
    return found[0]


def arrivals(
    session: ReadSession, *, since: datetime, before: datetime
) -> list[tuple[LeadId, datetime]]:
    """Leads that the CRM made in a span of time, in order of arrival; no work orders.

    Args:
        session: Where to read.
        since: Start, included.
        before: End, left out.
    """
    rows = session.execute(_ARRIVALS, {"since": since, "before": before})
    return [(LeadId(row.lead_id), row.created_at) for row in rows]


def get_leads(
    session: ReadSession, lead_ids: Iterable[LeadId], *, as_of: datetime
) -> list[Lead]:
    """Leads as they were known at ``as_of``, in the order given; unknown ids left out.

    A lead of which nothing was known then has attributes without values.
    """
    return list(known_leads(session, lead_ids, as_of=as_of))


_Row = tuple[Sequence[Any], Sequence[Any] | None]
"""A lead, and its version in force."""


class KnownLeads(Sequence[Lead]):
    """Leads as they were known at an instant, each an object when somebody asks.

    A batch asks for a few columns; the objects take as long as reading their rows.
    """

    def __init__(self, rows: Sequence[_Row]) -> None:
        self._rows = rows

    @property
    def ids(self) -> list[LeadId]:
        """Ids, in order."""
        return [lead[0] for lead, _ in self._rows]

    @property
    def kinds(self) -> set[LeadKind]:
        """Kinds that there are among them."""
        return {LeadKind(kind) for kind in {lead[-1] for lead, _ in self._rows}}

    def column(self, name: str) -> list[Any]:
        """A plain attribute of each lead; None where it was not known."""
        place = _VERSION.index(name)
        return [None if known is None else known[place] for _, known in self._rows]

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, place: int) -> Lead: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Lead]: ...

    def __getitem__(self, place: int | slice) -> Lead | Sequence[Lead]:
        if isinstance(place, slice):
            return KnownLeads(self._rows[place])
        lead, known = self._rows[place]
        lead_id, customer_id, contact_id, created_at, kind = lead
        return Lead(
            lead_id=lead_id,
            customer_id=customer_id,
            contact_id=contact_id,
            created_at=created_at,
            attributes=_NOTHING if known is None else _known(*known[1:]),
            kind=LeadKind(kind),
        )

    def __iter__(self) -> Iterator[Lead]:
        return iter(self._all)

    @cached_property
    def _all(self) -> list[Lead]:
        return [self[place] for place in range(len(self))]


def known_leads(
    session: ReadSession, lead_ids: Iterable[LeadId], *, as_of: datetime
) -> KnownLeads:
    """The same as ``get_leads``, for who wants columns of many leads."""
    wanted = list(dict.fromkeys(lead_ids))
    found: dict[str, _Row] = {}
    for batch in batches(wanted):
        ids = {"ids": list(batch)}
        rows = session.execute(_IN_FORCE, {**ids, "as_of": as_of}).all()
        versions = {row[0]: row for row in rows}
        for row in session.execute(_LEADS, ids).all():
            found[row[0]] = row, versions.get(row[0])
    return KnownLeads([found[own] for own in wanted if own in found])


def get_lead_versions(session: ReadSession, lead_id: LeadId) -> list[LeadVersion]:
    """Every version of a lead, oldest first."""
    return [
        LeadVersion(
            lead_id=lead_id,
            valid_from=row["valid_from"],
            recorded_at=row["recorded_at"],
            attributes=_attributes(row),
        )
        for row in session.execute(_VERSIONS, {"ids": [lead_id]}).mappings()
    ]


def kinds_of(
    session: ReadSession, lead_ids: Iterable[LeadId]
) -> dict[LeadId, LeadKind]:
    """Kind of each of these leads; unknown ids are left out."""
    found: dict[LeadId, LeadKind] = {}
    wanted = list(dict.fromkeys(lead_ids))
    for batch in batches(wanted):
        for row in session.execute(_IDS, {"ids": list(batch)}):
            found[LeadId(row.lead_id)] = LeadKind(row.kind)
    return {own: found[own] for own in wanted if own in found}


def leads_alone(session: ReadSession, lead_ids: Iterable[LeadId]) -> list[LeadId]:
    """Those of these that are leads and no work orders, in the order given."""
    kind_of = kinds_of(session, lead_ids)
    return [own for own, kind in kind_of.items() if kind is LeadKind.LEAD]


def require_leads(session: ReadSession, lead_ids: Iterable[LeadId]) -> None:
    """Check that every one of these leads is there.

    Raises:
        NotFound: The first one that is not.
    """
    wanted = list(dict.fromkeys(lead_ids))
    known = kinds_of(session, wanted)
    for lead_id in wanted:
        if lead_id not in known:
            raise NotFound("lead", lead_id)


def version_row(version: LeadVersion) -> dict[str, Any]:
    """A version as a row of its table, its digest left out."""
    what = version.attributes
    return {
        "lead_id": version.lead_id,
        "valid_from": version.valid_from,
        "recorded_at": version.recorded_at,
        **{name: getattr(what, name) for name in _PLAIN},
        **money_columns("budget", what.budget),
        **money_columns("deal_value", what.deal_value),
        "stage": what.stage.value,
        "attributes": dict(what.attributes),
    }


def _attributes(row: RowMapping) -> LeadAttributes:
    return LeadAttributes(
        **{name: row[name] for name in _PLAIN},
        budget=money_of("budget", row),
        deal_value=money_of("deal_value", row),
        stage=Stage(row["stage"]),
        attributes=row["attributes"],
    )


def _known(
    budget: int | None,
    budget_currency: str,
    deal_value: int | None,
    deal_value_currency: str,
    stage: str,
    attributes: dict[str, Scalar],
    *plain: Any,  # noqa: ANN401 - as many as there are in ``_PLAIN``
) -> LeadAttributes:
    """A row of ``_IN_FORCE``; by place, since names cost more than the rest."""
    return LeadAttributes(
        **dict(zip(_PLAIN, plain, strict=True)),
        budget=None if budget is None else Money(budget, budget_currency),
        deal_value=None
        if deal_value is None
        else Money(deal_value, deal_value_currency),
        stage=Stage(stage),
        attributes=attributes,
    )


_NOTHING = LeadAttributes()
_LEADS = select(
    leads.c.lead_id,
    leads.c.customer_id,
    leads.c.contact_id,
    leads.c.created_at,
    leads.c.kind,
).where(of_tenant(leads), leads.c.lead_id.in_(any_of("ids")))
_IDS = select(leads.c.lead_id, leads.c.kind).where(
    of_tenant(leads), leads.c.lead_id.in_(any_of("ids"))
)
_VERSION = (
    "lead_id",
    "budget_minor",
    "budget_currency",
    "deal_value_minor",
    "deal_value_currency",
    "stage",
    "attributes",
    *_PLAIN,
)
_IN_FORCE = in_force(lead_versions, any_of("ids"))
_IN_FORCE = _IN_FORCE.with_only_columns(
    *(_IN_FORCE.selected_columns[name] for name in _VERSION)
)
_VERSIONS = (
    select(lead_versions)
    .where(of_tenant(lead_versions), lead_versions.c.lead_id.in_(any_of("ids")))
    .order_by(lead_versions.c.valid_from, lead_versions.c.recorded_at)
)
_ARRIVALS = (
    select(leads.c.lead_id, leads.c.created_at)
    .where(
        of_tenant(leads),
        leads.c.kind == LeadKind.LEAD.value,
        leads.c.created_at >= bindparam("since", type_=leads.c.created_at.type),
        leads.c.created_at < bindparam("before", type_=leads.c.created_at.type),
    )
    .order_by(leads.c.created_at, leads.c.lead_id)
)
