"""Messages with an id of the sender's: told twice, logged once."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table, select

from rightrep.errors import KeyReused
from rightrep.store.guard import of_tenant
from rightrep.store.rows import insert_new
from rightrep.store.session import WriteSession
from rightrep.store.sets import any_of, batches


def add_events(
    session: WriteSession, table: Table, rows: Sequence[Mapping[str, Any]]
) -> list[bool]:
    """Add the rows whose ``event_id`` is new.

    Args:
        session: Where to write.
        table: ``activities`` or ``outcomes``.
        rows: With ``event_id`` and ``digest``, the hash of what the sender said.

    Returns:
        Whether each was new.

    Raises:
        KeyReused: An id is known with another body.
    """
    new: list[bool] = []
    for batch in batches(rows):
        new += _add(session, table, batch)
    return new


def reused_ids(
    session: WriteSession, table: Table, rows: Sequence[Mapping[str, Any]]
) -> set[str]:
    """Event ids that are known with another body, or come twice with two bodies.

    ``add_events`` refuses them all together; this tells which they are.
    """
    reused: set[str] = set()
    told: dict[str, str] = {}
    for batch in batches(rows):
        told |= _digests(session, table, [row["event_id"] for row in batch])
        for row in batch:
            if told.setdefault(row["event_id"], row["digest"]) != row["digest"]:
                reused.add(row["event_id"])
    return reused


def _add(
    session: WriteSession, table: Table, rows: Sequence[Mapping[str, Any]]
) -> list[bool]:
    known = _digests(session, table, [row["event_id"] for row in rows])
    fresh = {row["event_id"]: row for row in rows if row["event_id"] not in known}
    added: set[str] = set()
    if fresh:
        added = insert_new(session, table, list(fresh.values()))
        known |= {event_id: row["digest"] for event_id, row in fresh.items()}
    if len(added) < len(fresh):  # another process was telling the same
        known |= _digests(session, table, list(fresh.keys() - added))
    for row in rows:
        if known[row["event_id"]] != row["digest"]:
            raise KeyReused(row["event_id"])
    return [_first(row["event_id"], added) for row in rows]


def _first(event_id: str, added: set[str]) -> bool:
    if event_id not in added:
        return False
    added.remove(event_id)
    return True


def _digests(
    session: WriteSession, table: Table, event_ids: Sequence[str]
) -> dict[str, str]:
    query = select(table.c.event_id, table.c.digest).where(
        of_tenant(table), table.c.event_id.in_(any_of("ids"))
    )
    rows = session.execute(query, {"ids": list(event_ids)})
    return {row.event_id: row.digest for row in rows}
