"""Erasure: personal data goes, everywhere; what it taught stays, without a name.

Personal data lives in customers, contacts, notes and import originals, and in the names
that a CRM gave customers and contacts (an alias may be a company's name). Leads,
decisions, activities and outcomes carry our own ids and stay. People who sign in are
erased by ``people``. An erasure is logged without personal data, and ``scrub`` takes
what was removed off the disk.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Connection,
    Delete,
    NullPool,
    Table,
    create_engine,
    delete,
    insert,
    select,
    text,
)
from sqlalchemy.exc import OperationalError

from rightrep.domain.erasure import Erasure, ErasureCause, Original
from rightrep.domain.ids import CustomerId, LeadId, new_id
from rightrep.errors import NotFound, StoreUnavailable
from rightrep.store.aliases import RecordKind
from rightrep.store.engine import Store
from rightrep.store.guard import of_tenant
from rightrep.store.rows import insert_new
from rightrep.store.schema import (
    aliases,
    contact_points,
    contacts,
    customers,
    leads,
    notes,
)
from rightrep.store.schema_cleaning import marks, provenance
from rightrep.store.schema_duplicates import identities, identity_keys
from rightrep.store.schema_ops import erasures, import_originals
from rightrep.store.schema_people import people
from rightrep.store.session import ReadSession, WriteSession
from rightrep.store.sets import any_of, batches
from rightrep.store.subjects import Subject, subject_of

PATIENCE = timedelta(seconds=5)
"""How long ``scrub`` waits for others to leave the database to it."""


def keep_originals(
    session: WriteSession, originals: Iterable[Original], *, at: datetime
) -> None:
    """Keep rows of an import as they came, until their time is over.

    Lines that are there already stay as they are.
    """
    rows = [
        {name: getattr(original, name) for name in Original.__slots__} | {"kept_at": at}
        for original in originals
    ]
    insert_new(session, import_originals, rows)


def originals_of(session: ReadSession, entity_id: str) -> list[Original]:
    """The import rows that told of a record, oldest first."""
    query = (
        select(*(import_originals.c[name] for name in Original.__slots__))
        .where(of_tenant(import_originals), import_originals.c.entity_id == entity_id)
        .order_by(import_originals.c.kept_at, import_originals.c.line)
    )
    return [Original(**row) for row in session.execute(query).mappings()]


def erase_customer(
    session: WriteSession, customer_id: CustomerId, *, actor: str, at: datetime
) -> Erasure:
    """Remove all personal data of a customer, its contacts and its leads.

    Records merged with it are the same person or company, and lose theirs too.

    Args:
        session: Whose.
        customer_id: Our id.
        actor: Who asked.
        at: Now.

    Returns:
        What was removed, as it was logged.

    Raises:
        NotFound: No such customer; or it was erased before, and no lead is left of it.
    """
    subject = subject_of(session, RecordKind.CUSTOMER, customer_id)
    known = select(customers.c.customer_id).where(
        of_tenant(customers), customers.c.customer_id == customer_id
    )
    if len(subject.all()) == 1 and session.execute(known).first() is None:
        raise NotFound("customer", customer_id)
    return _erase(session, subject, customer_id, actor, at)


def erase_lead(
    session: WriteSession, lead_id: LeadId, *, actor: str, at: datetime
) -> Erasure:
    """Remove all personal data of whoever is behind a lead.

    Args:
        session: Whose.
        lead_id: Our id.
        actor: Who asked.
        at: Now.

    Returns:
        What was removed, as it was logged.

    Raises:
        NotFound: No such lead.
    """
    known = select(leads.c.lead_id).where(of_tenant(leads), leads.c.lead_id == lead_id)
    if session.execute(known).first() is None:
        raise NotFound("lead", lead_id)
    subject = subject_of(session, RecordKind.LEAD, lead_id)
    return _erase(session, subject, lead_id, actor, at)


def remove_subject(session: WriteSession, subject: Subject) -> dict[str, int]:
    """Remove the personal data of one person or company; the caller logs it.

    Returns:
        Rows removed, by what they held.
    """
    named = {kind: sorted(ids) for kind, ids in subject.ids.items()}
    every = subject.all()
    return {
        "contact_points": _remove(session, _POINTS, named[RecordKind.CONTACT]),
        "contacts": _remove(session, _CONTACTS, named[RecordKind.CONTACT]),
        "notes": _remove(session, _NOTES, named[RecordKind.LEAD]),
        "originals": _remove(session, _ORIGINALS, every),
        "marks": _remove(session, _MARKS, every),
        "provenance": _remove(session, _PROVENANCE, every),
        "keys": _remove(session, _KEYS, named[RecordKind.CUSTOMER]),
        "aliases": _remove(session, _ALIASES, every),
        "identities": _remove(session, _IDENTITIES, named[RecordKind.CUSTOMER]),
        "customers": _remove(session, _CUSTOMERS, named[RecordKind.CUSTOMER]),
    }


def log_erasure(session: WriteSession, erased: Erasure) -> None:
    """Keep the record of a removal; it is never changed."""
    row = {name: getattr(erased, name) for name in Erasure.__slots__}
    session.execute(insert(erasures), row)


def list_erasures(session: ReadSession, *, limit: int = 100) -> list[Erasure]:
    """Removals, the newest first."""
    query = (
        select(*(erasures.c[name] for name in Erasure.__slots__))
        .where(of_tenant(erasures))
        .order_by(erasures.c.erased_at.desc(), erasures.c.erasure_id.desc())
        .limit(limit)
    )
    return [
        Erasure(**{**row, "cause": ErasureCause(row["cause"])})
        for row in session.execute(query).mappings()
    ]


def scrub(store: Store) -> None:
    """Take what was removed off the disk: removed rows linger in a database's files.

    It rewrites the files (SQLite: the whole one, PostgreSQL: the tables that hold
    personal data), so it takes time and space in proportion and holds writers up.

    Raises:
        StoreUnavailable: Others are using the database; try again later.
    """
    engine = create_engine(
        store.url,
        isolation_level="AUTOCOMMIT",
        poolclass=NullPool,
        connect_args=_patient(store),
    )
    try:
        with engine.connect() as connection:
            _rewrite(connection)
    except OperationalError as error:
        raise StoreUnavailable(f"The files are not rewritten: {error.orig}") from error


def _patient(store: Store) -> dict[str, Any]:
    if store.url.get_backend_name() == "sqlite":
        return {"timeout": PATIENCE.total_seconds()}
    return {"options": f"-c lock_timeout={PATIENCE // timedelta(milliseconds=1)}"}


def _rewrite(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        for table in _PERSONAL:
            connection.execute(text(f"VACUUM (FULL) {table.name}"))
        return
    connection.execute(text("VACUUM"))
    emptied = connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)")).one()
    if emptied.busy:
        raise StoreUnavailable("Somebody is reading; the files are not rewritten yet.")


def _erase(
    session: WriteSession, subject: Subject, subject_id: str, actor: str, at: datetime
) -> Erasure:
    erased = Erasure(
        erasure_id=new_id(at),
        cause=ErasureCause.REQUEST,
        subject_id=subject_id,
        actor=actor,
        erased_at=at,
        counts=remove_subject(session, subject),
    )
    log_erasure(session, erased)
    return erased


def _remove(session: WriteSession, statement: Delete, ids: Sequence[str]) -> int:
    return sum(
        session.execute(statement, {"ids": list(batch)}).rowcount
        for batch in batches(ids)
    )


def _among(table: Table, column: str) -> Delete:
    return delete(table).where(of_tenant(table), table.c[column].in_(any_of("ids")))


_CUSTOMERS = _among(customers, "customer_id")
_CONTACTS = _among(contacts, "contact_id")
_POINTS = _among(contact_points, "contact_id")
_NOTES = _among(notes, "lead_id")
_ORIGINALS = _among(import_originals, "entity_id")
_MARKS = _among(marks, "record_id")
_PROVENANCE = _among(provenance, "record_id")
_KEYS = _among(identity_keys, "customer_id")
_IDENTITIES = _among(identities, "customer_id")
# A lead's alias is the CRM's id of it, which outcomes come under; a customer's or a
# contact's may be a name.
_ALIASES = _among(aliases, "id").where(
    aliases.c.kind.in_([RecordKind.CUSTOMER, RecordKind.CONTACT])
)
_PERSONAL = (
    customers, contacts, contact_points, notes, import_originals, aliases, marks,
    provenance, identity_keys, people,
)  # fmt: skip
