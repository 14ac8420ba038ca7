"""Owned leads as the pool rules see them: a page of all of them, or some by id.

Nothing is kept beside the records: receipts come from the ownership events, follow-ups
from the activities, so a merge (or its undoing) recounts the clocks of both records by
itself. A lead's records are its own and those of leads merged into it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from sqlalchemy import (
    Column,
    ColumnElement,
    Integer,
    Label,
    Select,
    Text,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
)
from sqlalchemy import cast as sql_cast

from rightrep.domain.activity import ActivityKind
from rightrep.domain.ids import LeadId
from rightrep.domain.lead import LeadKind, Scalar
from rightrep.domain.outcome import Result
from rightrep.domain.ownership import OwnershipKind
from rightrep.domain.pools import CONDITIONS, OWN, Pool, attributes_asked, place_in
from rightrep.domain.protection import NEVER, Instants, PrivateLeads
from rightrep.store.aliases import RecordKind
from rightrep.store.arrow import INT, TEXT, TIME, read_table
from rightrep.store.guard import of_tenant
from rightrep.store.kinds import TICKETS
from rightrep.store.layouts import Types
from rightrep.store.schema import (
    activities,
    lead_versions,
    merges,
    outcomes,
    ownership,
    ownership_events,
    rep_load,
)
from rightrep.store.schema_pools import lead_locks
from rightrep.store.session import ReadSession
from rightrep.store.sets import any_of, batches
from rightrep.store.types import UtcDateTime
from rightrep.store.versions import in_force

Scope = Callable[["Column[Any]"], "ColumnElement[bool]"]


@dataclass(frozen=True, slots=True)
class _Reads:
    """The statements that read leads of one scope: a range of ids, or a list."""

    owned: "Select[Any]"
    members: "Select[Any]"
    known: "Select[Any]"
    known_with_own: "Select[Any]"
    received: "Select[Any]"
    followed_up: "Select[Any]"
    locked: "Select[Any]"
    won: "Select[Any]"


def private_page(
    session: ReadSession,
    pools: Sequence[Pool],
    *,
    as_of: datetime,
    after: str = "",
    limit: int = 20_000,
) -> tuple[PrivateLeads, str | None]:
    """The next owned leads in the order of their ids.

    Args:
        session: Where to read, in one snapshot.
        pools: The tenant's pools in order.
        as_of: The instant of the attributes.
        after: Last id of the page before.
        limit: Owned leads looked at; those that were won are then left out.

    Returns:
        The leads, and ``after`` of the next page; None after the last one.
    """
    page = {"after": after, "limit": limit}
    owned = read_table(session, _PAGE, _OWNED_TYPES, page)
    last = owned["lead_id"][-1].as_py() if owned.num_rows else after
    scope = {"after": after, "last": last}
    found = _read(session, pools, owned, _BY_RANGE, scope, as_of)
    return found, last if owned.num_rows == limit else None


def private_leads(
    session: ReadSession,
    pools: Sequence[Pool],
    lead_ids: Sequence[LeadId],
    *,
    as_of: datetime,
) -> PrivateLeads:
    """Those of these leads that are owned, and neither won nor lost."""
    scope = {"ids": list(lead_ids)}
    owned = read_table(session, _BY_IDS.owned, _OWNED_TYPES, scope)
    return _read(session, pools, owned, _BY_IDS, scope, as_of)


def held_in_all(session: ReadSession) -> int:
    """Owned leads that count against holding limits."""
    return int(session.execute(_HELD).scalar_one())


def groups_of(
    session: ReadSession, lead_ids: Sequence[LeadId]
) -> dict[LeadId, list[LeadId]]:
    """Each of these leads with all that were merged into it, itself first."""
    groups = {lead_id: [lead_id] for lead_id in lead_ids}
    for batch in batches(list(groups)):
        for row in session.execute(_BY_IDS.members, {"ids": list(batch)}):
            groups[row.root].append(row.lead_id)
    return groups


def _read(
    session: ReadSession,
    pools: Sequence[Pool],
    owned: pa.Table,
    reads: _Reads,
    scope: Mapping[str, Any],
    as_of: datetime,
) -> PrivateLeads:
    facts = _Facts.of(session, owned, reads, scope)
    known = _known(session, pools, owned["lead_id"], reads, {**scope, "as_of": as_of})
    leads = PrivateLeads(
        lead_id=owned["lead_id"].to_pylist(),
        owner=owned["owner"].to_pylist(),
        pool=place_in(pools, known, _tickets(owned)),
        grade=[None if grade is None else str(grade) for grade in known["grade"]],
        received_at=facts.received(),
        followed_up_at=facts.last(facts.table("followed_up", _LAST_TYPES)),
        locked=facts.named("locked"),
    )
    return leads.take(np.flatnonzero(~facts.named("won")))


@dataclass(frozen=True, eq=False)
class _Facts:
    """What is recorded of owned leads, and of those merged into them.

    Attributes:
        session: Where to read.
        owned: The leads; n_leads rows.
        reads: Statements of the leads' scope.
        scope: Its parameters.
        members: Leads merged into some lead of the scope.
        names: Ids of owned leads and members.
        row: Row in ``owned`` of each of these names; -1 is none.
    """

    session: ReadSession
    owned: pa.Table
    reads: _Reads
    scope: Mapping[str, Any]
    members: Sequence[str]
    names: pa.Array
    row: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        session: ReadSession,
        owned: pa.Table,
        reads: _Reads,
        scope: Mapping[str, Any],
    ) -> "_Facts":
        merged = read_table(session, reads.members, _MEMBER_TYPES, scope)
        own = owned["lead_id"].combine_chunks()
        names = pa.concat_arrays([own, merged["lead_id"].combine_chunks()])
        of_member = _places(merged["root"], own)
        row = np.concatenate([np.arange(len(own)), of_member])
        members = merged["lead_id"].to_pylist()
        return cls(session, owned, reads, scope, members, names, row)

    def table(self, what: str, types: Types) -> pa.Table:
        """Records of the scope and of its members."""
        found = read_table(self.session, getattr(self.reads, what), types, self.scope)
        if not self.members:
            return found
        of_members = {"ids": self.members}
        more = read_table(self.session, getattr(_BY_IDS, what), types, of_members)
        return pa.concat_tables([found, more])

    def rows(self, lead_ids: pa.ChunkedArray) -> NDArray[np.int64]:
        """Row in ``owned`` that each record is about; -1 is none."""
        place = _places(lead_ids, self.names)
        return np.where(place < 0, -1, self.row[place]) if len(self.row) else place

    def last(self, told: pa.Table, counts: NDArray[np.bool_] | None = None) -> Instants:
        """The latest ``at`` of each owned lead; NaT where there is none."""
        row = self.rows(told["lead_id"])
        keep = row >= 0 if counts is None else (row >= 0) & counts
        latest = np.full(self.owned.num_rows, NEVER).astype(np.int64)
        np.maximum.at(latest, row[keep], told["at"].cast(INT).to_numpy()[keep])
        return latest.astype("datetime64[us]")

    def received(self) -> Instants:
        """When each owner got the lead, or any lead merged into it, for good."""
        told = self.table("received", _RECEIVED_TYPES)
        row = self.rows(told["lead_id"])
        told = told.filter(pa.array(row >= 0))
        owner = self.owned["owner"].take(pa.array(row[row >= 0]))
        is_theirs = pc.equal(owner, told["owner"]).to_numpy()
        at = self.last(told, is_theirs)
        since = self.owned["since"].cast(INT).to_numpy().astype("datetime64[us]")
        return np.where(np.isnat(at), since, at)

    def named(self, what: str) -> NDArray[np.bool_]:
        """Whether there is such a record of each owned lead."""
        row = self.rows(self.table(what, _NAMED_TYPES)["lead_id"])
        is_there = np.zeros(self.owned.num_rows, dtype=np.bool_)
        is_there[row[row >= 0]] = True
        return is_there


def _known(
    session: ReadSession,
    pools: Sequence[Pool],
    lead_ids: pa.ChunkedArray,
    reads: _Reads,
    scope: Mapping[str, Any],
) -> dict[str, list[Scalar]]:
    """The grade, and the attributes that pools ask for; n_leads values each."""
    asked = attributes_asked(pools)
    own = [name for name in asked if name.startswith(OWN)]
    query = reads.known_with_own if own else reads.known
    types = dict.fromkeys(("lead_id", *CONDITIONS), TEXT)
    found = read_table(session, query, types | ({"own": TEXT} if own else {}), scope)
    place = pa.array(_places(lead_ids, found["lead_id"].combine_chunks()))
    place = pc.if_else(pc.less(place, 0), None, place)
    known = {name: found[name].take(place).to_pylist() for name in CONDITIONS}
    if own:
        fields = [
            {} if text is None else orjson.loads(text)
            for text in found["own"].take(place).to_pylist()
        ]
        for name in own:
            known[name] = [field.get(name.removeprefix(OWN)) for field in fields]
    return known


def _tickets(owned: pa.Table) -> NDArray[np.bool_]:
    """Which of these leads are work orders; bool (n_leads,)."""
    is_ticket = pc.equal(owned["kind"], LeadKind.TICKET.value)
    return np.asarray(is_ticket.to_numpy(), dtype=np.bool_)


def _places(wanted: pa.ChunkedArray, among: pa.Array) -> NDArray[np.int64]:
    """Where each value is among others; -1 is nowhere."""
    place = pc.fill_null(pc.index_in(wanted, among), -1)
    return np.asarray(place.to_numpy(), dtype=np.int64)


def _reads(scope: Scope) -> _Reads:
    events = ownership_events.c
    hands = or_(events.previous_owner.is_(None), events.previous_owner != events.owner)
    # An activity told ahead of its time counts from when it was told.
    touched_at = case(
        (activities.c.happened_at > activities.c.recorded_at, activities.c.recorded_at),
        else_=activities.c.happened_at,
    )
    later = outcomes.alias()
    replaced = select(later.c.event_id).where(
        of_tenant(later), later.c.replaces == outcomes.c.event_id
    )
    # Without a word about the owner: SQLite would go through every owned lead by index.
    among = select(ownership.c.lead_id).where(
        of_tenant(ownership), scope(ownership.c.lead_id)
    )
    versions = in_force(lead_versions, among).subquery()
    known = [versions.c[name] for name in ("lead_id", *CONDITIONS)]
    return _Reads(
        owned=_OWNED.where(scope(ownership.c.lead_id)),
        members=_members(scope),
        known=select(*known),
        known_with_own=select(*known, sql_cast(versions.c.attributes, Text)),
        received=select(events.lead_id, events.owner, _last(events.happened_at))
        .where(
            of_tenant(ownership_events),
            scope(events.lead_id),
            events.owner.is_not(None),
            hands,
            *(events.kind != kind.value for kind in _NOT_RECEIVED),
        )
        .group_by(events.lead_id, events.owner),
        followed_up=select(activities.c.lead_id, _last(touched_at))
        .where(
            of_tenant(activities),
            scope(activities.c.lead_id),
            activities.c.rep_id.is_not(None),
            *(activities.c.kind != kind.value for kind in _NOT_FOLLOWED_UP),
        )
        .group_by(activities.c.lead_id),
        locked=select(lead_locks.c.lead_id).where(
            of_tenant(lead_locks), scope(lead_locks.c.lead_id)
        ),
        won=select(outcomes.c.lead_id).where(
            of_tenant(outcomes),
            scope(outcomes.c.lead_id),
            outcomes.c.result == Result.WON.value,
            ~replaced.exists(),
        ),
    )


def _last(at: "ColumnElement[datetime]") -> "Label[datetime]":
    return func.max(at, type_=UtcDateTime()).label("at")


def _members(scope: Scope) -> "Select[Any]":
    """(root, lead) of standing merges into leads of a scope, through chains of them."""
    standing = and_(
        of_tenant(merges),
        merges.c.kind == RecordKind.LEAD.value,
        merges.c.undone_at.is_(None),
    )
    first = select(
        merges.c.survivor_id.label("root"), merges.c.merged_id.label("lead_id")
    ).where(standing, scope(merges.c.survivor_id))
    chased = first.cte("chased", recursive=True)
    step = select(chased.c.root, merges.c.merged_id).where(
        standing, merges.c.survivor_id == chased.c.lead_id
    )
    every = chased.union(step)
    return select(every.c.root, every.c.lead_id)


_NOT_RECEIVED = (OwnershipKind.MERGED, OwnershipKind.UNDONE)
"""After these it is as if the owner had always had the lead."""
_NOT_FOLLOWED_UP = (ActivityKind.PAGE_VIEW, ActivityKind.SURVEY)
"""These the lead does alone."""

_OWNED_TYPES = {"lead_id": TEXT, "owner": TEXT, "since": TIME, "kind": TEXT}
_MEMBER_TYPES = {"root": TEXT, "lead_id": TEXT}
_RECEIVED_TYPES = {"lead_id": TEXT, "owner": TEXT, "at": TIME}
_LAST_TYPES = {"lead_id": TEXT, "at": TIME}
_NAMED_TYPES = {"lead_id": TEXT}
_KIND = case(
    (ownership.c.lead_id.in_(TICKETS), LeadKind.TICKET.value),
    else_=LeadKind.LEAD.value,
).label("kind")
_OWNED = (
    select(ownership.c.lead_id, ownership.c.owner, ownership.c.since, _KIND)
    .where(of_tenant(ownership), ownership.c.owner.is_not(None), ownership.c.holding)
    .order_by(ownership.c.lead_id)
)
_HELD = select(func.coalesce(func.sum(rep_load.c.held), 0)).where(of_tenant(rep_load))
_PAGE = _OWNED.where(ownership.c.lead_id > bindparam("after")).limit(
    bindparam("limit", type_=Integer())
)
_BY_IDS = _reads(lambda column: column.in_(any_of("ids")))
_BY_RANGE = _reads(
    lambda column: and_(column > bindparam("after"), column <= bindparam("last"))
)
