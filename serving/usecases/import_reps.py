"""Rep rows landed: reps and their versions."""

from collections.abc import Sequence
from datetime import UTC, datetime, time

from rightrep.domain.days import zone_of
from rightrep.domain.ids import RepId
from rightrep.domain.rep import RepAttributes, RepVersion
from rightrep.intake.records import RepRow
from rightrep.store.aliases import RecordKind, ensure_ids
from rightrep.store.reps import RepRecord, add_rep_versions, get_reps, save_reps
from rightrep.store.session import WriteSession
from serving.usecases.import_leads import TWICE
from serving.usecases.import_run import Landed, Run

ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)
"""Since when a roster is true that does not say: history needs reps as they were."""


def land_reps(
    session: WriteSession, rows: Sequence[RepRow], run: Run
) -> Landed[RepRow]:
    """Land a batch of rep rows.

    A row that says since when it is true is a version. One that does not is, of a rep
    who is new, true since the rep was hired, or always; of a rep who is known it is how
    the rep is now, and lands when that is news.

    Args:
        session: Where to write.
        rows: The rows, in the file's order.
        run: The import.
    """
    landed: Landed[RepRow] = Landed()
    names = dict.fromkeys(row.external_id for row in rows)
    ids = ensure_ids(session, RecordKind.REP, run.source, names, at=run.now)
    known = {
        rep.rep_id: rep
        for rep in get_reps(
            session, [RepId(own_id) for own_id in ids.values()], as_of=run.now
        )
    }
    latest = {rep_id: rep.attributes for rep_id, rep in known.items()}
    named = {rep_id: rep.name for rep_id, rep in known.items()}
    records: dict[RepId, RepRecord] = {}
    versions: list[RepVersion] = []
    otherwise = run.told.otherwise(
        [(row.external_id, row.valid_from) for row in rows],
        [(row.name, row.attributes) for row in rows],
    )
    for row, is_other in zip(rows, otherwise, strict=True):
        rep_id = RepId(ids[row.external_id])
        if is_other:
            landed.refuse(row, "external_id", TWICE)
            continue
        landed.about.append((row, rep_id))
        since = _since(row, is_new=rep_id not in known, run=run)
        is_renamed = named.get(rep_id) != row.name
        if is_renamed:
            first = records[rep_id].created_at if rep_id in records else since
            records[rep_id] = RepRecord(
                rep_id=rep_id, name=row.name, created_at=min(first, since, run.now)
            )
            named[rep_id] = row.name
        if (
            row.valid_from is None
            and rep_id in known
            and latest[rep_id] == row.attributes
        ):
            landed.landed += is_renamed
            landed.unchanged += not is_renamed
            continue
        latest[rep_id] = row.attributes
        versions.append(_version(rep_id, row, since, run))
    save_reps(session, list(records.values()))
    new = add_rep_versions(session, versions, corrected_at=run.now)
    landed.landed += new
    landed.unchanged += len(versions) - new
    return landed


def _version(rep_id: RepId, row: RepRow, since: datetime, run: Run) -> RepVersion:
    return RepVersion(
        rep_id=rep_id,
        valid_from=since,
        recorded_at=run.known_at(row.recorded_at, since),
        attributes=row.attributes,
    )


def _since(row: RepRow, *, is_new: bool, run: Run) -> datetime:
    if row.valid_from is not None:
        return row.valid_from
    if is_new:
        return min(_hired(row.attributes, run), run.now)
    return row.recorded_at or run.now


def _hired(what: RepAttributes, run: Run) -> datetime:
    if what.hired_on is None:
        return ALWAYS
    zone = zone_of(what.time_zone or run.tenant.time_zone)
    return datetime.combine(what.hired_on, time(), zone).astimezone(UTC)
