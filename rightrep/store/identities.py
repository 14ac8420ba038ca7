"""Who customers are, read for comparing, and the keys under which they are looked for.

A merged customer is part of its survivor: what is known of either is known of one. The
keys are hashes in an index, so that one arriving lead is compared with the few
customers that share one.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from typing import Any, NamedTuple

from sqlalchemy import Row, Select, bindparam, delete, func, literal, select

from rightrep.domain.customer import ContactPoint, PointKind
from rightrep.domain.ids import LeadId
from rightrep.domain.lead import LeadKind
from rightrep.intake.identity import Identity, identify
from rightrep.store.aliases import RecordKind, resolve_many
from rightrep.store.copying import copy_in
from rightrep.store.guard import of_tenant
from rightrep.store.schema import (
    contact_points,
    contacts,
    customers,
    leads,
    merges,
    outcomes,
    ownership,
)
from rightrep.store.schema_duplicates import identities, identity_keys
from rightrep.store.session import ReadSession, WriteSession
from rightrep.store.sets import any_of, batches


class Keyed(NamedTuple):
    """The keys of one customer.

    Attributes:
        digest: Hash of the identity they are of.
        keys: Blocking keys.
    """

    digest: int
    keys: Sequence[int]


@dataclass(slots=True)
class _Told:
    """What is known of one customer, its merged records included."""

    company: str | None = None
    tax: str | None = None
    address: str | None = None
    people: list[str] = field(default_factory=list)
    points: list[ContactPoint] = field(default_factory=list)


def read_identities(
    session: ReadSession, customer_ids: Iterable[str] | None = None
) -> Iterator[Identity]:
    """Identities of customers, each once; merged ones are in their survivor.

    Args:
        session: Where to read.
        customer_ids: Only these, which are nobody's merged record; all when None.
            Unknown and erased ones are left out.
    """
    if customer_ids is None:
        roots = standing_roots(session)
        every = session.execute(_ALL).scalars().all()
        wanted = [own for own in every if own not in roots]
    else:
        wanted = list(dict.fromkeys(customer_ids))
        roots = _merged_into(session, wanted)
    members = defaultdict(list)
    for merged, root in roots.items():
        members[root].append(merged)
    for batch in batches(wanted):
        root_of = {m: root for root in batch for m in (root, *members.get(root, ()))}
        yield from _identities(session, root_of)


def _merged_into(session: ReadSession, customer_ids: Sequence[str]) -> dict[str, str]:
    """Every record that was merged into one of these, and into which."""
    found: dict[str, str] = {}
    new = {own: own for own in customer_ids}
    while new:
        step: dict[str, str] = {}
        for batch in batches(list(new)):
            for row in session.execute(_INTO, {"ids": list(batch)}):
                step[row.merged_id] = new[row.survivor_id]
        new = {own: root for own, root in step.items() if own not in found}
        found |= new
    return found


def standing_roots(session: ReadSession) -> dict[str, str]:
    """The survivor that stands for each merged customer today."""
    step = {row.merged_id: row.survivor_id for row in session.execute(_STANDING)}
    return {merged: _last(merged, step) for merged in step}


def cluster_of(session: ReadSession, customer_id: str) -> list[str]:
    """A customer and every record that was merged into it, itself first."""
    return [customer_id, *_merged_into(session, [customer_id])]


def clusters_of(session: ReadSession, customer_ids: Sequence[str]) -> dict[str, str]:
    """The record that stands, by each of its own: itself and those merged into it.

    Args:
        session: Where to read.
        customer_ids: Records that stand.
    """
    return {own: own for own in customer_ids} | _merged_into(session, customer_ids)


def customers_with_past(session: ReadSession, customer_ids: Sequence[str]) -> set[str]:
    """Which of these customers have several leads, or records merged into them."""
    found = set(_merged_into(session, customer_ids).values())
    for batch in batches(customer_ids):
        found |= set(session.execute(_SEVERAL, {"ids": list(batch)}).scalars())
    return found


def leads_of_customers(
    session: ReadSession, customer_ids: Sequence[str]
) -> list[LeadId]:
    """Leads of these customers that are nobody's merged record."""
    found: list[LeadId] = []
    for batch in batches(customer_ids):
        found += session.execute(_LEADS, {"ids": list(batch)}).scalars()
    return found


def customers_of_leads(
    session: ReadSession, lead_ids: Sequence[LeadId]
) -> dict[LeadId, str]:
    """The customer that stands for each lead's today; leads without are left out."""
    found: dict[LeadId, str] = {}
    for batch in batches(lead_ids):
        for row in session.execute(_CUSTOMER_OF, {"ids": list(batch)}):
            found[row.lead_id] = row.customer_id
    roots = resolve_many(session, RecordKind.CUSTOMER, set(found.values()))
    return {lead: roots[own] for lead, own in found.items() if own in roots}


def digests(session: ReadSession) -> dict[str, int]:
    """Hash of the identity that each customer's keys are of."""
    return {row.customer_id: row.digest for row in session.execute(_DIGESTS)}


def digests_of(session: ReadSession, customer_ids: Sequence[str]) -> dict[str, int]:
    """The same of some customers; those without keys are left out."""
    found: dict[str, int] = {}
    for batch in batches(customer_ids):
        rows = session.execute(_DIGESTS_OF, {"ids": list(batch)})
        found |= {row.customer_id: row.digest for row in rows}
    return found


def about_how_many(session: ReadSession) -> int:
    """About how many customers have keys, within a tenth or so of the truth.

    Keys are hashes, spread evenly, so that a thousandth of their range holds about a
    thousandth of them: 1 ms where counting a million customers takes a hundred.
    """
    count: int = session.execute(_SLICE).scalar_one()
    return round(count * _SLICES / _KEYS_EACH)


def save_keys(session: WriteSession, keyed: Mapping[str, Keyed]) -> None:
    """Set the keys of customers, whatever they were before."""
    for batch in batches(sorted(keyed)):
        drop_keys(session, batch)
        rows = [(one, keyed[one].digest) for one in batch]
        copy_in(session, identities, ("customer_id", "digest"), rows)
        each = [(key, one) for one in batch for key in keyed[one].keys]
        copy_in(session, identity_keys, ("key", "customer_id"), each)


def drop_keys(session: WriteSession, customer_ids: Sequence[str]) -> int:
    """Forget the keys of customers.

    Returns:
        Customers that had some.
    """
    ids = {"ids": list(customer_ids)}
    session.execute(_DROP_KEYS, ids)
    return session.execute(_DROP, ids).rowcount


def common_keys(
    session: ReadSession, keys: Sequence[int], *, more_than: int
) -> set[int]:
    """Which of these keys more customers than that have."""
    given = {"keys": _texts(keys), "most": more_than}
    return set(session.execute(_COMMON, given).scalars())


def holders(
    session: ReadSession, keys: Sequence[int], *, most: int, but: str
) -> list[str]:
    """Customers who have one of these keys, those who share most of them first.

    Args:
        session: Where to read.
        keys: Blocking keys.
        most: At most so many customers.
        but: Never this one.
    """
    given = {"keys": _texts(keys)}
    # Counted here: grouped by customer, SQLite would walk the index of all customers.
    shared = Counter(session.execute(_HOLDERS, given).scalars())
    del shared[but]
    return sorted(shared, key=lambda own: (-shared[own], own))[:most]


def customers_to_look_at(session: ReadSession, *, within: timedelta) -> list[str]:
    """Customers of whose leads two may be one, or one may be its owner's.

    Args:
        session: Where to read.
        within: Open leads that came this near to each other may be one.
    """
    roots = standing_roots(session)
    told: dict[str, list[Row[Any]]] = defaultdict(list)
    for row in session.execute(_PAST):
        told[roots.get(row.customer_id, row.customer_id)].append(row)
    return [
        own
        for own, rows in told.items()
        if len(rows) > 1 and (_is_owned(rows) or _are_near(rows, within))
    ]


def _is_owned(rows: Sequence[Row[Any]]) -> bool:
    """Whether somebody has one of the leads, and nobody ever had another."""
    fresh = any(row.revision is None and not row.closed for row in rows)
    return fresh and any(row.owner is not None for row in rows)


def _are_near(rows: Sequence[Row[Any]], within: timedelta) -> bool:
    times = sorted(row.created_at for row in rows if not row.closed)
    return any(later - before <= within for before, later in pairwise(times))


def _identities(session: ReadSession, root_of: Mapping[str, str]) -> Iterator[Identity]:
    told: dict[str, _Told] = {}
    order = {own: place for place, own in enumerate(root_of)}
    for batch in batches(list(root_of)):
        ids = {"ids": list(batch)}
        rows = sorted(session.execute(_CUSTOMERS, ids), key=lambda r: order[r[0]])
        for row in rows:
            one = told.setdefault(root_of[row.customer_id], _Told())
            one.company = one.company or row.name
            one.tax = one.tax or row.tax_number
            one.address = one.address or row.address
        root_of_contact: dict[str, str] = {}
        for row in session.execute(_PEOPLE, ids):
            root = root_of[row.customer_id]
            if root in told:
                root_of_contact[row.contact_id] = root
                told[root].people += [row.name] if row.name else []
        # By contact: joined, SQLite would walk the points of every contact.
        for some in batches(list(root_of_contact)):
            points = defaultdict(list)
            for row in session.execute(_POINTS, {"ids": list(some)}):
                point = ContactPoint(PointKind(row.kind), row.value, row.possible)
                points[row.contact_id].append(point)
            for contact in some:
                told[root_of_contact[contact]].points += sorted(
                    points[contact], key=lambda point: (point.kind, point.value)
                )
    for own, one in told.items():
        yield identify(
            own,
            company=one.company,
            tax=one.tax,
            address=one.address,
            people=one.people,
            points=one.points,
        )


def _last(own: str, step: Mapping[str, str]) -> str:
    while own in step:
        own = step[own]
    return own


def _texts(keys: Iterable[int]) -> list[str]:
    return [str(key) for key in keys]


def _keyed() -> "Select[int]":
    """The keys of the parameter ``keys``, which comes as texts."""
    given = any_of("keys").subquery()
    return select(given.c.value.cast(identity_keys.c.key.type))


_MERGED = (
    of_tenant(merges),
    merges.c.kind == RecordKind.CUSTOMER.value,
    merges.c.undone_at.is_(None),
)
_STANDING = select(merges.c.merged_id, merges.c.survivor_id).where(*_MERGED)
_INTO = select(merges.c.merged_id, merges.c.survivor_id).where(
    *_MERGED, merges.c.survivor_id.in_(any_of("ids"))
)
_GONE = select(merges.c.merge_id).where(
    of_tenant(merges),
    merges.c.kind == RecordKind.LEAD.value,
    merges.c.merged_id == leads.c.lead_id,
    merges.c.undone_at.is_(None),
)
_LEADS = (
    select(leads.c.lead_id)
    .where(
        of_tenant(leads),
        leads.c.customer_id.in_(any_of("ids")),
        ~_GONE.exists(),
    )
    .order_by(leads.c.created_at, leads.c.lead_id)
)
_SEVERAL = (
    select(leads.c.customer_id)
    .where(of_tenant(leads), leads.c.customer_id.in_(any_of("ids")))
    .group_by(leads.c.customer_id)
    .having(func.count() > 1)
)
_CUSTOMER_OF = select(leads.c.lead_id, leads.c.customer_id).where(
    of_tenant(leads),
    leads.c.lead_id.in_(any_of("ids")),
    leads.c.customer_id.is_not(None),
)
_ALL = (
    select(customers.c.customer_id)
    .where(of_tenant(customers))
    .order_by(customers.c.customer_id)
)
_CUSTOMERS = select(
    customers.c.customer_id,
    customers.c.name,
    customers.c.tax_number,
    customers.c.address,
).where(of_tenant(customers), customers.c.customer_id.in_(any_of("ids")))
_PEOPLE = (
    select(contacts.c.customer_id, contacts.c.contact_id, contacts.c.name)
    .where(of_tenant(contacts), contacts.c.customer_id.in_(any_of("ids")))
    .order_by(contacts.c.created_at, contacts.c.contact_id)
)
# Sorted here: asked for in order, SQLite would walk the index of all points.
_POINTS = select(
    contact_points.c.contact_id,
    contact_points.c.kind,
    contact_points.c.value,
    contact_points.c.possible,
).where(of_tenant(contact_points), contact_points.c.contact_id.in_(any_of("ids")))
_DIGESTS = select(identities.c.customer_id, identities.c.digest).where(
    of_tenant(identities)
)
_DIGESTS_OF = _DIGESTS.where(identities.c.customer_id.in_(any_of("ids")))
_DROP = delete(identities).where(
    of_tenant(identities), identities.c.customer_id.in_(any_of("ids"))
)
_DROP_KEYS = delete(identity_keys).where(
    of_tenant(identity_keys), identity_keys.c.customer_id.in_(any_of("ids"))
)
_SLICES = 1_024
_KEYS_EACH = 12.7
"""Keys of one customer, the mean of a demo market's."""
_SLICE = (
    select(func.count())
    .select_from(identity_keys)
    .where(
        of_tenant(identity_keys),
        identity_keys.c.key >= literal(0, identity_keys.c.key.type),
        identity_keys.c.key < literal(2**64 // _SLICES, identity_keys.c.key.type),
    )
)
_COMMON = (
    select(identity_keys.c.key)
    .where(of_tenant(identity_keys), identity_keys.c.key.in_(_keyed()))
    .group_by(identity_keys.c.key)
    .having(func.count() > bindparam("most", type_=identity_keys.c.key.type))
)
_HOLDERS = select(identity_keys.c.customer_id).where(
    of_tenant(identity_keys), identity_keys.c.key.in_(_keyed())
)
_CLOSED = select(outcomes.c.event_id).where(
    of_tenant(outcomes), outcomes.c.lead_id == leads.c.lead_id
)
_PAST = (
    select(
        leads.c.customer_id,
        leads.c.created_at,
        ownership.c.owner,
        ownership.c.revision,
        _CLOSED.exists().label("closed"),
    )
    .select_from(
        leads.outerjoin(
            ownership,
            (ownership.c.tenant_id == leads.c.tenant_id)
            & (ownership.c.lead_id == leads.c.lead_id),
        )
    )
    .where(
        of_tenant(leads),
        leads.c.kind == LeadKind.LEAD.value,
        leads.c.customer_id.is_not(None),
        ~_GONE.exists(),
    )
)
