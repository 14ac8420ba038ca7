"""Names of records: our own ids, a CRM's ids, and ids that were merged away."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    CTE,
    BindParameter,
    Column,
    Exists,
    Select,
    Table,
    and_,
    bindparam,
    select,
    union_all,
)

from rightrep.domain.ids import LeadId, RepId, is_id, new_ids
from rightrep.errors import InvalidInput, NotFound
from rightrep.store.copying import copy_in
from rightrep.store.guard import of_tenant
from rightrep.store.rows import insert_new
from rightrep.store.schema import (
    aliases,
    contacts,
    customers,
    decisions,
    leads,
    merges,
    reps,
)
from rightrep.store.session import ReadSession, WriteSession
from rightrep.store.sets import any_of, batches
from rightrep.store.types import to_micros

_COLUMNS = ("kind", "external_id", "source", "id", "created_at")


class RecordKind(StrEnum):
    """What an id names."""

    LEAD = "lead"
    REP = "rep"
    CUSTOMER = "customer"
    CONTACT = "contact"
    DECISION = "decision"


def ensure_ids(
    session: WriteSession,
    kind: RecordKind,
    source: str,
    external_ids: Iterable[str],
    *,
    at: datetime,
) -> dict[str, str]:
    """Our id for each of a CRM's ids, made where there is none yet.

    Two processes that make the same alias at once get the same id. A merged id stays
    its own: history goes to the record it was told of.

    Args:
        session: Where to write.
        kind: What the ids name.
        source: The CRM or file they come from.
        external_ids: The CRM's ids; repeated ones are looked up once.
        at: When new ids are made; aware.

    Returns:
        Our id by external id, for every one given.
    """
    return find_or_make_ids(session, kind, source, external_ids, at=at)[0]


def find_or_make_ids(
    session: WriteSession,
    kind: RecordKind,
    source: str,
    external_ids: Iterable[str],
    *,
    at: datetime,
) -> tuple[dict[str, str], set[str]]:
    """The same as ``ensure_ids``, and which of our ids were made here and now.

    A made id is nobody else's: its record can be added without asking what is there.
    """
    found: dict[str, str] = {}
    fresh: set[str] = set()
    for batch in batches(list(dict.fromkeys(external_ids))):
        known = _known(session, kind, source, batch)
        absent = [name for name in batch if name not in known]
        if absent:
            made = dict(zip(absent, new_ids(at, len(absent)), strict=True))
            known |= _made(session, kind, source, made, at)
            fresh |= {made[name] for name in absent if known[name] == made[name]}
        found |= known
    return found, fresh


def add_aliases(
    session: WriteSession,
    kind: RecordKind,
    source: str,
    ids: Mapping[str, str],
    *,
    at: datetime,
) -> None:
    """Give records a CRM's ids; an id that already names one goes on naming that.

    Args:
        session: Where to write.
        kind: What the ids name.
        source: The CRM or file they come from.
        ids: Our id by external id.
        at: When; aware.
    """
    for batch in batches(list(ids)):
        _add(session, kind, source, {name: ids[name] for name in batch}, at)


def resolve(
    session: ReadSession,
    kind: RecordKind,
    name: str,
    *,
    source: str | None = None,
) -> str:
    """Our id of the record that ``name`` means today.

    Args:
        session: Where to read.
        kind: What it names.
        name: Our id or a CRM's; a merged one answers with its survivor.
        source: Which CRM's; None is any.

    Raises:
        NotFound: It names nothing.
        InvalidInput: Two CRMs use the id for different records.
    """
    found = resolve_many(session, kind, [name], source=source)
    if name not in found:
        raise NotFound(kind.value, name)
    return found[name]


def resolve_lead(session: ReadSession, name: str) -> LeadId:
    """Our id of a lead, as ``resolve`` finds it."""
    return LeadId(resolve(session, RecordKind.LEAD, name))


def resolve_rep(session: ReadSession, name: str) -> RepId:
    """Our id of a rep, as ``resolve`` finds it."""
    return RepId(resolve(session, RecordKind.REP, name))


def resolve_many(
    session: ReadSession,
    kind: RecordKind,
    names: Iterable[str],
    *,
    source: str | None = None,
) -> dict[str, str]:
    """Our ids of the records that these names mean today.

    Args:
        session: Where to read.
        kind: What they name.
        names: Our ids or a CRM's; merged ones answer with their survivors.
        source: Which CRM's; None is any.

    Returns:
        Our id by name, without the names that name nothing.

    Raises:
        InvalidInput: Two CRMs use one id for different records.
    """
    found: dict[str, str] = {}
    for batch in batches(list(dict.fromkeys(names))):
        asked = {
            "names": list(batch),
            "own": [name for name in batch if is_id(name)],
            "kind": kind,
            "source": source,
        }
        rows = session.execute(_NAMED[kind], asked).all()
        # Following is a recursion, and few records were ever merged.
        if any(row.is_merged for row in rows):
            rows = session.execute(_RESOLVE[kind], asked).all()
        for row in rows:
            if found.setdefault(row.name, row.id) != row.id:
                raise InvalidInput(
                    f"{row.name!r} is the id of different {kind}s in two sources.",
                    remedy="Give RightRep's own id.",
                )
    return found


def aliases_of(
    session: ReadSession, kind: RecordKind, ids: Sequence[str]
) -> dict[str, list[tuple[str, str]]]:
    """Every (source, external id) of each record, by our id."""
    found: dict[str, list[tuple[str, str]]] = {own_id: [] for own_id in ids}
    for batch in batches(list(found)):
        for row in session.execute(_ALIASES, {"ids": list(batch), "kind": kind}):
            found[row.id].append((row.source, row.external_id))
    return found


def _add(
    session: WriteSession,
    kind: RecordKind,
    source: str,
    ids: Mapping[str, str],
    at: datetime,
) -> None:
    insert_new(
        session,
        aliases,
        [
            {
                "kind": kind,
                "source": source,
                "external_id": name,
                "id": own_id,
                "created_at": at,
            }
            for name, own_id in sorted(ids.items())
        ],
    )


def _made(
    session: WriteSession,
    kind: RecordKind,
    source: str,
    ids: Mapping[str, str],
    at: datetime,
) -> Mapping[str, str]:
    """Add names that were not there; another process may have been faster."""
    if session.is_postgresql:
        _add(session, kind, source, ids, at)
        return _known(session, kind, source, list(ids))
    # SQLite has one writer, and it is us.
    micros = to_micros(at)
    rows = [(kind.value, name, source, own_id, micros) for name, own_id in ids.items()]
    copy_in(session, aliases, _COLUMNS, rows)
    return ids


def _known(
    session: ReadSession, kind: RecordKind, source: str, names: Sequence[str]
) -> dict[str, str]:
    rows = session.execute(
        _KNOWN, {"names": list(names), "kind": kind, "source": source}
    )
    return {row.external_id: row.id for row in rows}


def _named(table: Table, own_id: "Column[str]") -> CTE:
    """(name, id) of every name given, before merges are followed."""
    own = select(own_id.label("name"), own_id.label("id")).where(
        of_tenant(table), own_id.in_(any_of("own"))
    )
    source: BindParameter[str] = bindparam("source", type_=aliases.c.source.type)
    alias = select(aliases.c.external_id, aliases.c.id).where(
        of_tenant(aliases),
        aliases.c.kind == bindparam("kind"),
        aliases.c.external_id.in_(any_of("names")),
        source.is_(None) | (aliases.c.source == source),
    )
    return union_all(own, alias).cte("named")


def _resolving(table: Table, own_id: "Column[str]") -> "Select[Any]":
    """Follow standing merges to their end; UNION stops at an id seen before."""
    named = _named(table, own_id)
    chased = select(named.c.name, named.c.id).cte("chased", recursive=True)
    merged = and_(
        of_tenant(merges),
        merges.c.kind == bindparam("kind"),
        merges.c.merged_id == chased.c.id,
        merges.c.undone_at.is_(None),
    )
    step = select(chased.c.name, merges.c.survivor_id).where(merged)
    every = chased.union(step)
    return select(every.c.name, every.c.id).where(~_is_merged(every))


def _naming(table: Table, own_id: "Column[str]") -> "Select[Any]":
    """What names mean before merges are followed, and whether any has to be."""
    named = _named(table, own_id)
    merged = _is_merged(named).label("is_merged")
    return select(named.c.name, named.c.id, merged)


def _is_merged(named: CTE) -> "Exists":
    """Whether a record was merged into another, for good so far."""
    last = merges.alias()
    onward = select(last.c.merge_id).where(
        of_tenant(last),
        last.c.kind == bindparam("kind"),
        last.c.merged_id == named.c.id,
        last.c.undone_at.is_(None),
    )
    return onward.exists()


_KEYS = {
    RecordKind.LEAD: (leads, leads.c.lead_id),
    RecordKind.REP: (reps, reps.c.rep_id),
    RecordKind.CUSTOMER: (customers, customers.c.customer_id),
    RecordKind.CONTACT: (contacts, contacts.c.contact_id),
    RecordKind.DECISION: (decisions, decisions.c.decision_id),
}
_NAMED = {kind: _naming(*key) for kind, key in _KEYS.items()}
_RESOLVE = {kind: _resolving(*key) for kind, key in _KEYS.items()}
_KNOWN = select(aliases.c.external_id, aliases.c.id).where(
    of_tenant(aliases),
    aliases.c.kind == bindparam("kind"),
    aliases.c.source == bindparam("source"),
    aliases.c.external_id.in_(any_of("names")),
)
_ALIASES = (
    select(aliases.c.id, aliases.c.source, aliases.c.external_id)
    .where(
        of_tenant(aliases),
        aliases.c.kind == bindparam("kind"),
        aliases.c.id.in_(any_of("ids")),
    )
    .order_by("id", "source", "external_id")
)
