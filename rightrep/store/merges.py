"""Two records that are one: merged by a dated row, undone by dating its end.

Nothing is moved or removed. The merged id answers with its survivor (``aliases``), its
history keeps its own id, and readers of history resolve merges as of their instant.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime

from sqlalchemy import RowMapping, bindparam, insert, select, update

from rightrep.domain.ids import LeadId, RepId, new_id
from rightrep.domain.ownership import OwnershipKind
from rightrep.errors import Conflict, InvalidInput, NotFound
from rightrep.store.aliases import RecordKind, resolve
from rightrep.store.guard import of_tenant
from rightrep.store.projection import Change, Owned, apply, lock_leads, not_before
from rightrep.store.schema import contacts, customers, merges, ownership_events
from rightrep.store.session import ReadSession, WriteSession
from rightrep.store.sets import any_of

_Move = tuple[LeadId, RepId | None, bool]
_BY_MERGE = "merge "
"""How the causes of ownership events begin that a merge, or its undoing, wrote."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Merge:
    """One record found to be another.

    Attributes:
        merge_id: Our id.
        kind: What was merged.
        merged_id: The id that answers with the survivor.
        survivor_id: The record that stands for both.
        merged_at: When; aware UTC.
        cause: Why.
        actor: Who did it.
        undone_at: When it was undone, or None.
        undone_by: Who undid it, or None.
    """

    merge_id: str
    kind: RecordKind
    merged_id: str
    survivor_id: str
    merged_at: datetime
    cause: str
    actor: str
    undone_at: datetime | None = None
    undone_by: str | None = None


def merge(
    session: WriteSession,
    kind: RecordKind,
    merged_id: str,
    survivor_id: str,
    *,
    at: datetime,
    actor: str,
    cause: str,
) -> Merge:
    """Make one record stand for two.

    A merged lead's owner goes to a survivor who has none, so that nobody loses a lead
    by a merge; two leads of one owner become one, and count as one.

    Args:
        session: Where to write.
        kind: What is merged.
        merged_id: Our id of the record that gives way.
        survivor_id: Our id of the record that stands.
        at: When; aware.
        actor: Who does it.
        cause: Why.

    Raises:
        NotFound: One of the two is not there.
        InvalidInput: They are one already, in either direction, one is a lead and the
            other a work order, or records of this kind are not merged.
        Conflict: Two reps own them: a person must choose first.
    """
    states = _lock(session, kind, merged_id, survivor_id)
    for own_id in (merged_id, survivor_id):
        if resolve(session, kind, own_id) != own_id:
            raise InvalidInput(f"{kind.value.title()} {own_id} was merged before.")
    if merged_id == survivor_id:
        raise InvalidInput(f"{kind.value.title()} {merged_id} is one record already.")
    if len({state.kind for state in states.values()}) > 1:
        raise InvalidInput("A lead and a work order are never one record.")
    made = Merge(
        merge_id=new_id(at),
        kind=kind,
        merged_id=merged_id,
        survivor_id=survivor_id,
        merged_at=at,
        cause=cause,
        actor=actor,
    )
    session.execute(insert(merges), asdict(made))
    if states:
        _join_owners(session, states, made)
    return made


def undo_merge(
    session: WriteSession, merge_id: str, *, at: datetime, actor: str
) -> Merge:
    """Take a merge back: both records stand again, each with its owner.

    What happened to either since stands. The owner whom the merge brought to the
    survivor, or to whoever the survivor was merged into later, leaves it, unless a
    merge that stands brings the same one.

    Args:
        session: Where to write.
        merge_id: The merge.
        at: When; aware.
        actor: Who does it.

    Raises:
        NotFound: There is no such merge.
        Conflict: It was undone before, or its survivor is being merged.
    """
    made = _merge(session, merge_id)
    onward = _onward(session, made)
    states = _lock(session, made.kind, made.merged_id, *onward)
    if _onward(session, made) != onward:
        raise Conflict("Its survivor was merged just now: try again.")
    undone = session.execute(
        _UNDO, {"of": merge_id, "at": max(at, made.merged_at), "by": actor}
    )
    if not undone.rowcount:
        raise Conflict(f"Merge {merge_id} was undone before.")
    if states:
        root = LeadId(onward[-1])
        _part_owners(session, states, replace(made, actor=actor), root, at)
    return _merge(session, merge_id)


def list_merges(
    session: ReadSession, kind: RecordKind, record_id: str | None = None
) -> list[Merge]:
    """Merges, undone ones among them, oldest first.

    Args:
        session: Where to read.
        kind: What was merged.
        record_id: Only those that this record gave way or stood in.
    """
    query = _OF_KIND
    wanted: dict[str, object] = {"kind": kind.value}
    if record_id is not None:
        query = query.where(
            (merges.c.merged_id == bindparam("record_id"))
            | (merges.c.survivor_id == bindparam("record_id"))
        )
        wanted["record_id"] = record_id
    return [_of(row) for row in session.execute(query, wanted).mappings()]


def _lock(session: WriteSession, kind: RecordKind, *ids: str) -> dict[LeadId, Owned]:
    """Keep others from merging the same records; the owners of leads."""
    if kind is RecordKind.LEAD:
        return lock_leads(session, [LeadId(own_id) for own_id in ids])
    if kind not in _OWN_ID:
        raise InvalidInput(f"A {kind.value} cannot be merged.", field="kind")
    own_id = _OWN_ID[kind]
    session.execute(
        select(own_id)
        .where(of_tenant(own_id.table), own_id.in_(any_of("ids")))
        .order_by(own_id)
        .with_for_update(key_share=True),
        {"ids": list(ids)},
    )
    return {}


def _join_owners(
    session: WriteSession, states: dict[LeadId, Owned], made: Merge
) -> None:
    merged, survivor = LeadId(made.merged_id), LeadId(made.survivor_id)
    theirs, ours = states[merged].owner, states[survivor].owner
    if theirs is None:
        return
    if ours not in (None, theirs):
        raise Conflict(
            f"Lead {merged} belongs to rep {theirs} and lead {survivor} to rep {ours}: "
            "give both to one rep, then merge."
        )
    moves: list[_Move] = [(merged, None, False)]
    if ours is None:
        moves.append((survivor, theirs, states[merged].holding))
    _move(session, states, moves, made, kind=OwnershipKind.MERGED, at=made.merged_at)


def _part_owners(
    session: WriteSession,
    states: dict[LeadId, Owned],
    made: Merge,
    root: LeadId,
    at: datetime,
) -> None:
    """Give both sides the owners that they have without this merge."""
    merged = LeadId(made.merged_id)
    theirs = _claimed(session, merged)
    moves: list[_Move] = []
    brought = states[root].owner is not None and _claims(session, [root])[root] is None
    if brought and _claimed(session, root) is None:
        moves.append((root, None, False))
    if states[merged].owner is None and theirs is not None:
        moves.append((merged, *theirs))
    _move(session, states, moves, made, kind=OwnershipKind.UNDONE, at=at)


def _claimed(session: ReadSession, root: LeadId) -> tuple[RepId, bool] | None:
    """Who has a lead and the leads merged into it, and whether the lead is held."""
    members = _members(session, root)
    claims = _claims(session, members)
    return next((claims[own] for own in members if claims[own] is not None), None)


def _members(session: ReadSession, root: LeadId) -> list[LeadId]:
    """A lead and every lead that was merged into it, itself first."""
    found, new = [root], [root]
    while new:
        new = [LeadId(own) for own in session.execute(_INTO, {"ids": new}).scalars()]
        found += new
    return found


def _claims(
    session: ReadSession, lead_ids: Sequence[LeadId]
) -> dict[LeadId, tuple[RepId, bool] | None]:
    """Who would have each lead had there been no merges, and whether it is held."""
    claims: dict[LeadId, tuple[RepId, bool] | None] = dict.fromkeys(lead_ids)
    for row in session.execute(_OWN_EVENTS, {"ids": list(lead_ids)}):
        owned = row.owner is not None
        claims[row.lead_id] = (row.owner, row.holding) if owned else None
    return claims


def _onward(session: ReadSession, made: Merge) -> list[str]:
    """The survivor and what it was merged into since, the last one standing."""
    found = [made.survivor_id]
    while True:
        step = {"merged_id": found[-1], "kind": made.kind.value}
        onward = session.execute(_STEP, step).scalar_one_or_none()
        if onward is None:
            return found
        found.append(onward)


def _move(
    session: WriteSession,
    states: dict[LeadId, Owned],
    moves: Sequence[_Move],
    made: Merge,
    *,
    kind: OwnershipKind,
    at: datetime,
) -> None:
    changes = [
        Change(
            lead_id=lead_id,
            kind=kind,
            owner=owner,
            at=not_before(at, states[lead_id]),
            actor=made.actor,
            cause=_cause(made),
            holding=holding,
        )
        for lead_id, owner, holding in moves
    ]
    apply(session, states, changes)


def _cause(made: Merge) -> str:
    return f"{_BY_MERGE}{made.merge_id}"


def _merge(session: ReadSession, merge_id: str) -> Merge:
    row = session.execute(_ONE, {"merge_id": merge_id}).mappings().one_or_none()
    if row is None:
        raise NotFound("merge", merge_id)
    return _of(row)


def _of(row: RowMapping) -> Merge:
    names = [field.name for field in fields(Merge) if field.name != "kind"]
    return Merge(**{name: row[name] for name in names}, kind=RecordKind(row["kind"]))


_OWN_ID = {
    RecordKind.CUSTOMER: customers.c.customer_id,
    RecordKind.CONTACT: contacts.c.contact_id,
}
_ONE = select(merges).where(
    of_tenant(merges), merges.c.merge_id == bindparam("merge_id")
)
_OF_KIND = (
    select(merges)
    .where(of_tenant(merges), merges.c.kind == bindparam("kind"))
    .order_by(merges.c.merged_at, merges.c.merge_id)
)
_UNDO = (
    update(merges)
    .where(
        of_tenant(merges),
        merges.c.merge_id == bindparam("of"),
        merges.c.undone_at.is_(None),
    )
    .values(
        undone_at=bindparam("at", type_=merges.c.undone_at.type),
        undone_by=bindparam("by"),
    )
)
_INTO = select(merges.c.merged_id).where(
    of_tenant(merges),
    merges.c.kind == RecordKind.LEAD.value,
    merges.c.survivor_id.in_(any_of("ids")),
    merges.c.undone_at.is_(None),
)
_STEP = select(merges.c.survivor_id).where(
    of_tenant(merges),
    merges.c.kind == bindparam("kind"),
    merges.c.merged_id == bindparam("merged_id"),
    merges.c.undone_at.is_(None),
)
_OWN_EVENTS = (
    select(
        ownership_events.c.lead_id,
        ownership_events.c.owner,
        ownership_events.c.holding,
    )
    .where(
        of_tenant(ownership_events),
        ownership_events.c.lead_id.in_(any_of("ids")),
        ~(
            ownership_events.c.kind.in_([OwnershipKind.MERGED, OwnershipKind.UNDONE])
            & ownership_events.c.cause.startswith(_BY_MERGE)
        ),
    )
    .order_by(
        ownership_events.c.lead_id,
        ownership_events.c.happened_at,
        ownership_events.c.revision,
    )
)
