"""Rule sets: versions are only added; which one is in force moves between them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, select

from rightrep.errors import Conflict, NotFound
from rightrep.store.guard import of_tenant
from rightrep.store.moves import append_numbered
from rightrep.store.schema_plans import rule_set_moves, rule_sets
from rightrep.store.session import ReadSession, WriteSession

Rules = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredRules:
    """One version of a tenant's rule set.

    Attributes:
        version: Which one, from 1.
        rules: The ordered rules; JSON.
        actor: Who wrote it.
        reason: Why, in a sentence.
        created_at: When.
    """

    version: int
    rules: Rules
    actor: str
    reason: str
    created_at: datetime


def add_rule_set(
    session: WriteSession, rules: Rules, *, actor: str, reason: str, at: datetime
) -> int:
    """Keep a new version; it is not in force yet.

    Returns:
        Its version.

    Raises:
        Conflict: Somebody else added one at the same moment.
    """
    values = {
        "rules": [dict(rule) for rule in rules],
        "actor": actor,
        "reason": reason,
        "created_at": at,
    }
    return append_numbered(session, rule_sets, "version", values, within={})


def put_in_force(
    session: WriteSession, version: int, *, actor: str, reason: str, at: datetime
) -> None:
    """Route by this version from now on.

    Raises:
        NotFound: No such version.
        Conflict: Somebody else moved it at the same moment.
    """
    read_rule_set(session, version)
    values = {"version": version, "actor": actor, "reason": reason, "moved_at": at}
    append_numbered(session, rule_set_moves, "move", values, within={})


def roll_back_rules(
    session: WriteSession, *, actor: str, reason: str, at: datetime
) -> int:
    """Route by the version that was in force before the present one.

    Returns:
        The version now in force.

    Raises:
        Conflict: No other was in force before, or somebody else moved it meanwhile.
    """
    query = select(rule_set_moves.c.version).where(of_tenant(rule_set_moves))
    moves = session.execute(query.order_by(rule_set_moves.c.move.desc())).scalars()
    present, *past = moves.all() or [None]
    before: int | None = next((v for v in past if v != present), None)
    if before is None:
        raise Conflict("No other rule set was in force before.")
    put_in_force(session, before, actor=actor, reason=reason, at=at)
    return before


def rules_in_force(
    session: ReadSession, *, as_of: datetime | None = None
) -> StoredRules | None:
    """The version routing goes by, in one query; None when there never was one.

    Args:
        session: Whose.
        as_of: At this instant; now when not given.
    """
    query = _IN_FORCE
    if as_of is not None:
        query = query.where(rule_set_moves.c.moved_at <= as_of)
    row = session.execute(query).mappings().first()
    return None if row is None else StoredRules(**row)


def read_rule_set(session: ReadSession, version: int) -> StoredRules:
    """One version.

    Raises:
        NotFound: No such version.
    """
    query = _own().where(rule_sets.c.version == version)
    row = session.execute(query).mappings().first()
    if row is None:
        raise NotFound("rule set", str(version))
    return StoredRules(**row)


def list_rule_sets(session: ReadSession) -> list[StoredRules]:
    """Every version, the newest first."""
    query = _own().order_by(rule_sets.c.version.desc())
    return [StoredRules(**row) for row in session.execute(query).mappings()]


_SHOWN = tuple(rule_sets.c[name] for name in StoredRules.__slots__)
_IN_FORCE = (
    select(*_SHOWN)
    .join_from(
        rule_set_moves,
        rule_sets,
        and_(
            rule_sets.c.tenant_id == rule_set_moves.c.tenant_id,
            rule_sets.c.version == rule_set_moves.c.version,
        ),
    )
    .where(of_tenant(rule_set_moves))
    .order_by(rule_set_moves.c.move.desc())
    .limit(1)
)


def _own() -> "Select[Any]":
    return select(*_SHOWN).where(of_tenant(rule_sets))
