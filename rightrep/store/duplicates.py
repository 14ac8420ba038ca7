"""Pairs of records that may be one: found, waiting for a person, merged or refused.

A pair is kept once, whichever of the two was found first, and what a person said of it
is final: a refused pair is not asked about again, nor is one whose merge was undone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Update,
    bindparam,
    func,
    or_,
    select,
    update,
)

from rightrep.domain.ids import derived_id
from rightrep.errors import Conflict, NotFound
from rightrep.store.aliases import RecordKind
from rightrep.store.guard import of_tenant
from rightrep.store.rows import insert_new
from rightrep.store.schema_duplicates import duplicates
from rightrep.store.session import ReadSession, WriteSession
from rightrep.store.sets import any_of, batches


class DuplicateState(StrEnum):
    """What became of a pair."""

    WAITING = "waiting"
    MERGED = "merged"
    REFUSED = "refused"


class Why(StrEnum):
    """Why a pair was kept, and not merged at once."""

    SURE = "sure"
    LIKELY = "likely"
    TWO_OWNERS = "two owners"


@dataclass(frozen=True, kw_only=True, slots=True)
class Duplicate:
    """Two records that may be one.

    Attributes:
        duplicate_id: Our id of the pair.
        kind: Customers or leads.
        left_id: The one whose id comes first.
        right_id: The other.
        levels: How alike they are in each field, in the order of
            ``linkage_fields.FIELDS``; empty for leads of one customer.
        bits: What that weighs; None for leads.
        reason: Why it was kept.
        state: What became of it.
        found_at: When it was found; aware UTC.
        decided_at: When it was merged or refused, or None.
        decided_by: Who did, or None.
        merge_id: The merge, or None.
    """

    duplicate_id: str
    kind: RecordKind
    left_id: str
    right_id: str
    levels: Sequence[int]
    bits: float | None
    reason: Why
    state: DuplicateState
    found_at: datetime
    decided_at: datetime | None = None
    decided_by: str | None = None
    merge_id: str | None = None


def found_pair(
    kind: RecordKind,
    one: str,
    other: str,
    *,
    levels: Sequence[int] = (),
    bits: float | None = None,
    reason: Why,
    at: datetime,
) -> Duplicate:
    """A pair as it is found; the same two records always have the same id."""
    left, right = sorted((one, other))
    return Duplicate(
        duplicate_id=derived_id(_EPOCH, f"{kind} {left} {right}"),
        kind=kind,
        left_id=left,
        right_id=right,
        levels=tuple(levels),
        bits=bits,
        reason=reason,
        state=DuplicateState.WAITING,
        found_at=at,
    )


def save_duplicates(session: WriteSession, found: Iterable[Duplicate]) -> set[str]:
    """Keep pairs; those that are there stay as they are.

    Returns:
        Ids of those that were new.
    """
    rows = [
        {**asdict(one), "levels": list(one.levels)}
        for one in {one.duplicate_id: one for one in found}.values()
    ]
    return insert_new(session, duplicates, rows)


def get_duplicate(session: ReadSession, duplicate_id: str) -> Duplicate:
    """One pair.

    Raises:
        NotFound: There is no such pair.
    """
    row = session.execute(_ONE, {"id": duplicate_id}).mappings().one_or_none()
    if row is None:
        raise NotFound("duplicate", duplicate_id)
    return _of(row)


def list_duplicates(
    session: ReadSession,
    state: DuplicateState,
    *,
    limit: int = 100,
    after: str | None = None,
) -> list[Duplicate]:
    """Pairs in one state, those found first first.

    Args:
        session: Where to read.
        state: Waiting, merged or refused.
        limit: At most so many.
        after: Only those behind this pair.

    Raises:
        NotFound: There is no pair ``after``.
    """
    query = _IN_STATE.limit(limit)
    given: dict[str, object] = {"state": state.value}
    if after is not None:
        last = get_duplicate(session, after)
        query = query.where(
            or_(
                duplicates.c.found_at > last.found_at,
                (duplicates.c.found_at == last.found_at)
                & (duplicates.c.duplicate_id > last.duplicate_id),
            )
        )
    return [_of(row) for row in session.execute(query, given).mappings()]


def duplicates_of(session: ReadSession, record_ids: Sequence[str]) -> list[Duplicate]:
    """Every pair that one of these records is in, those found first first."""
    found: dict[str, Duplicate] = {}
    for batch in batches(list(record_ids)):
        for side in (_ON_THE_LEFT, _ON_THE_RIGHT):
            for row in session.execute(side, {"ids": list(batch)}).mappings():
                found.setdefault(row["duplicate_id"], _of(row))
    return sorted(found.values(), key=lambda one: (one.found_at, one.duplicate_id))


def known_pairs(session: ReadSession) -> set[tuple[str, str]]:
    """Pairs that a person is asked about, or was, as (left, right)."""
    rows = session.execute(_KNOWN, {"merged": DuplicateState.MERGED.value})
    return {(row.left_id, row.right_id) for row in rows}


def count_duplicates(session: ReadSession, state: DuplicateState) -> int:
    """How many pairs are in a state."""
    count: int = session.execute(_COUNT, {"state": state.value}).scalar_one()
    return count


def refuse(
    session: WriteSession, duplicate_id: str, *, at: datetime, actor: str
) -> None:
    """Say that a waiting pair is two.

    Raises:
        Conflict: It does not wait (any more).
    """
    given = {"id": duplicate_id, "at": at, "by": actor}
    if not session.execute(_REFUSE_WAITING, given).rowcount:
        raise Conflict(f"Duplicate {duplicate_id} was decided before.")


def mark_merged(
    session: WriteSession,
    duplicate_id: str,
    merge_id: str,
    *,
    at: datetime,
    actor: str,
) -> None:
    """Say that a waiting pair was merged.

    Raises:
        Conflict: It does not wait (any more).
    """
    given = {"id": duplicate_id, "at": at, "by": actor, "into": merge_id}
    if not session.execute(_MERGE, given).rowcount:
        raise Conflict(f"Duplicate {duplicate_id} was decided before.")


def refuse_undone(
    session: WriteSession, merge_id: str, found: Duplicate, *, at: datetime, actor: str
) -> None:
    """Remember that two records are two after their merge was undone.

    Args:
        session: Where to write.
        merge_id: The merge that was undone.
        found: The pair, kept when it was not there.
        at: When; aware.
        actor: Who undid it.
    """
    wanted = {"merge": merge_id, "at": at, "by": actor}
    if session.execute(_REFUSE_UNDONE, wanted).rowcount:
        return
    save_duplicates(session, [found])
    session.execute(_REFUSE, {"id": found.duplicate_id, "at": at, "by": actor})


def _of(row: RowMapping) -> Duplicate:
    told: dict[str, Any] = {field.name: row[field.name] for field in fields(Duplicate)}
    return Duplicate(
        **{
            **told,
            "kind": RecordKind(told["kind"]),
            "reason": Why(told["reason"]),
            "state": DuplicateState(told["state"]),
            "levels": tuple(told["levels"]),
        }
    )


def _decided(state: DuplicateState, *where: "ColumnElement[bool]") -> Update:
    return (
        update(duplicates)
        .where(of_tenant(duplicates), *where)
        .values(
            state=state.value,
            decided_at=bindparam("at", type_=duplicates.c.decided_at.type),
            decided_by=bindparam("by"),
        )
    )


_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
_ONE = select(duplicates).where(
    of_tenant(duplicates), duplicates.c.duplicate_id == bindparam("id")
)
_IN_STATE = (
    select(duplicates)
    .where(of_tenant(duplicates), duplicates.c.state == bindparam("state"))
    .order_by(duplicates.c.found_at, duplicates.c.duplicate_id)
)
# Both kinds are named, and each side asked on its own, for the sake of the indexes.
_OF_ANY_KIND = select(duplicates).where(
    of_tenant(duplicates),
    duplicates.c.kind.in_([RecordKind.CUSTOMER.value, RecordKind.LEAD.value]),
)
_ON_THE_LEFT = _OF_ANY_KIND.where(duplicates.c.left_id.in_(any_of("ids")))
_ON_THE_RIGHT = _OF_ANY_KIND.where(duplicates.c.right_id.in_(any_of("ids")))
_KNOWN = select(duplicates.c.left_id, duplicates.c.right_id).where(
    of_tenant(duplicates), duplicates.c.state != bindparam("merged")
)
_COUNT = (
    select(func.count())
    .select_from(duplicates)
    .where(of_tenant(duplicates), duplicates.c.state == bindparam("state"))
)
_THIS = duplicates.c.duplicate_id == bindparam("id")
_WAITS = duplicates.c.state == DuplicateState.WAITING.value
_REFUSE = _decided(DuplicateState.REFUSED, _THIS)
_REFUSE_WAITING = _decided(DuplicateState.REFUSED, _THIS, _WAITS)
_REFUSE_UNDONE = _decided(
    DuplicateState.REFUSED, duplicates.c.merge_id == bindparam("merge")
)
_MERGE = _decided(DuplicateState.MERGED, _THIS, _WAITS).values(
    merge_id=bindparam("into")
)
