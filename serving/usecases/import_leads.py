"""Lead rows landed: customers, contacts, leads, versions, owners."""

from collections.abc import Hashable, Sequence
from dataclasses import fields
from datetime import datetime
from operator import attrgetter

from rightrep.domain.ids import LeadId, RepId
from rightrep.domain.lead import Lead, LeadAttributes, LeadKind, LeadVersion, Stage
from rightrep.intake.records import LeadRow
from rightrep.store.aliases import RecordKind, find_or_make_ids, resolve_many
from rightrep.store.fresh import add_leads
from rightrep.store.leads import LeadRecord, add_lead_versions, get_leads, save_leads
from rightrep.store.session import WriteSession
from serving.usecases.import_cleaning import (
    filled_attributes,
    save_marks,
    save_region_sources,
)
from serving.usecases.import_owners import ToldOwner, tell_owners
from serving.usecases.import_people import People, save_people
from serving.usecases.import_run import Landed, Run

TWICE = (
    "The file says something else of the same record and time in an earlier row. Keep "
    "one of them, or say in valid_from since when each is true."
)
OTHER_KIND = (
    "This id is known as a {}, and that never changes. Give the other one its own id."
)
_SHUT = frozenset({Stage.WON, Stage.LOST})
_plain = attrgetter(*(f.name for f in fields(LeadAttributes) if f.name != "attributes"))


def land_leads(
    session: WriteSession, rows: Sequence[LeadRow], run: Run
) -> Landed[LeadRow]:
    """Land a batch of lead rows.

    A row that says since when it is true is a version of its lead. One that does not is
    the lead's first version when the lead is new, true since it was made; of a lead
    that is known it is how the lead is now, and lands when that is news.

    Args:
        session: Where to write.
        rows: The rows, in the file's order.
        run: The import.
    """
    landed: Landed[LeadRow] = Landed()
    rows, reps = _with_known_owners(session, rows, run, landed)
    if not rows:
        return landed
    names = dict.fromkeys(row.external_id for row in rows)
    found, fresh = find_or_make_ids(
        session, RecordKind.LEAD, run.source, names, at=run.now
    )
    ids = {name: LeadId(own_id) for name, own_id in found.items()}
    old = [own_id for own_id in ids.values() if own_id not in fresh]
    known = {lead.lead_id: lead for lead in get_leads(session, old, as_of=run.now)}
    rows, kinds = _of_their_kind(rows, ids, known, landed)
    filled = filled_attributes(session, rows, ids, known, run)
    versions, rows = _versions(rows, filled.attributes, ids, known, run, landed)
    people = save_people(session, rows, ids, known, run)
    records = _records(rows, ids, known, people, kinds)
    new = _save(session, records, versions, fresh, run)
    save_region_sources(session, versions, filled)
    save_marks(session, rows, ids, people, run)
    told = _told(rows, ids, known, reps, run)
    changed = people.changed | tell_owners(session, told, known, run)
    if new < len(versions):
        # Which versions were new is not known: leads whose owner is news come on top.
        new = min(len(versions), new + len(changed))
    rest = changed - {version.lead_id for version in versions}
    landed.landed = new + sum(ids[row.external_id] in rest for row in rows)
    landed.unchanged = len(rows) - landed.landed
    told_of = ((row, ids[row.external_id]) for row in rows)
    landed.about = [(row, own) for row, own in told_of if own not in people.erased]
    return landed


def _with_known_owners(
    session: WriteSession,
    rows: Sequence[LeadRow],
    run: Run,
    landed: Landed[LeadRow],
) -> tuple[Sequence[LeadRow], dict[str, RepId]]:
    names = {row.owner for row in rows if row.owner is not None}
    if not names:
        return rows, {}
    found = resolve_many(session, RecordKind.REP, names, source=run.source)
    reps = {name: RepId(own_id) for name, own_id in found.items()}
    if len(reps) == len(names):
        return rows, reps
    kept = []
    for row in rows:
        if row.owner is None or row.owner in reps:
            kept.append(row)
        else:
            reason = f"There is no rep {row.owner!r}. Import the reps first."
            landed.refuse(row, "owner", reason)
    return kept, reps


def _of_their_kind(
    rows: Sequence[LeadRow],
    ids: dict[str, LeadId],
    known: dict[LeadId, Lead],
    landed: Landed[LeadRow],
) -> tuple[list[LeadRow], dict[LeadId, LeadKind]]:
    """Rows that leave each lead the kind that it was made with, and those kinds."""
    kind_of = {lead_id: lead.kind for lead_id, lead in known.items()}
    kept = []
    for row in rows:
        kind = kind_of.setdefault(ids[row.external_id], row.kind or LeadKind.LEAD)
        if row.kind in (None, kind):
            kept.append(row)
            continue
        landed.refuse(row, "kind", OTHER_KIND.format(kind.value))
    return kept, kind_of


def _versions(
    rows: Sequence[LeadRow],
    filled: Sequence[LeadAttributes],
    ids: dict[str, LeadId],
    known: dict[LeadId, Lead],
    run: Run,
    landed: Landed[LeadRow],
) -> tuple[list[LeadVersion], list[LeadRow]]:
    """The versions that rows tell, fills added, and the rows that can land."""
    latest: dict[LeadId, LeadAttributes] = {
        lead_id: lead.attributes for lead_id, lead in known.items()
    }
    versions: list[LeadVersion] = []
    kept: list[LeadRow] = []
    otherwise = run.told.otherwise(
        [(row.external_id, row.valid_from) for row in rows],
        [(row.owner, _body(row.attributes)) for row in rows],
    )
    for row, attributes, is_other in zip(rows, filled, otherwise, strict=True):
        lead_id = ids[row.external_id]
        is_new = lead_id not in known
        if is_other:
            landed.refuse(row, "external_id", TWICE)
            continue
        kept.append(row)
        says_now = row.valid_from is None and not is_new
        if says_now and latest[lead_id] == attributes:
            continue
        latest[lead_id] = attributes
        valid_from = _since(row, is_new=is_new, run=run)
        versions.append(
            LeadVersion(
                lead_id=lead_id,
                valid_from=valid_from,
                recorded_at=run.known_at(row.recorded_at, valid_from),
                attributes=attributes,
            )
        )
    return versions, kept


def _body(what: LeadAttributes) -> Hashable:
    return (_plain(what), *sorted(what.attributes.items()))


def _since(row: LeadRow, *, is_new: bool, run: Run) -> datetime:
    if row.valid_from is not None:
        return row.valid_from
    return row.created_at if is_new else (row.recorded_at or run.now)


def _records(
    rows: Sequence[LeadRow],
    ids: dict[str, LeadId],
    known: dict[LeadId, Lead],
    people: People,
    kinds: dict[LeadId, LeadKind],
) -> dict[LeadId, LeadRecord]:
    """Leads that are new, or of whom a customer or a contact is news."""
    records: dict[LeadId, LeadRecord] = {}
    for row in rows:
        lead_id = ids[row.external_id]
        lead = known.get(lead_id)
        customer = people.customer_of.get(lead_id)
        contact = people.contact_of.get(lead_id)
        if lead is None or (lead.customer_id, lead.contact_id) != (
            customer or lead.customer_id,
            contact or lead.contact_id,
        ):
            records[lead_id] = LeadRecord(
                lead_id=lead_id,
                created_at=row.created_at,
                customer_id=customer,
                contact_id=contact,
                kind=kinds[lead_id],
            )
    return records


def _save(
    session: WriteSession,
    records: dict[LeadId, LeadRecord],
    versions: Sequence[LeadVersion],
    fresh: set[str],
    run: Run,
) -> int:
    """Write leads and versions; returns the number of versions that were news."""
    first: dict[LeadId, LeadVersion] = {}
    later: list[LeadVersion] = []
    for version in versions:
        if version.lead_id in fresh and version.lead_id not in first:
            first[version.lead_id] = version
        else:
            later.append(version)
    add_leads(session, [records[lead_id] for lead_id in first], list(first.values()))
    old = [record for lead_id, record in records.items() if lead_id not in first]
    if old:
        save_leads(session, old)
    if later:
        return len(first) + add_lead_versions(session, later, corrected_at=run.now)
    return len(first)


def _told(
    rows: Sequence[LeadRow],
    ids: dict[str, LeadId],
    known: dict[LeadId, Lead],
    reps: dict[str, RepId],
    run: Run,
) -> dict[LeadId, list[ToldOwner]]:
    told: dict[LeadId, list[ToldOwner]] = {}
    owned = dict.fromkeys(run.owned, True)
    if not reps and not owned:
        return told
    for row in rows:
        lead_id = ids[row.external_id]
        left = owned.get(lead_id, False) and row.owner is None
        if row.valid_from is not None or row.owner is not None:
            owned[lead_id] = row.owner is not None
        if row.owner is None and not (left and row.valid_from is not None):
            continue
        told.setdefault(lead_id, []).append(
            ToldOwner(
                _since(row, is_new=lead_id not in known, run=run),
                None if row.owner is None else reps[row.owner],
                row.attributes.stage in _SHUT,
                left,
            )
        )
    here = set(ids.values())
    run.owned.clear()
    run.owned.update(
        lead for lead, is_owned in owned.items() if is_owned and lead in here
    )
    return told
