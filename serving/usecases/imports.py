"""A file of the CRM's past or present, landed batch by batch.

Each batch is one transaction. An import that was killed is run again: what landed is
known by its ids and changes nothing, the rest lands.
"""

import gc
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rightrep.clock import Clock
from rightrep.domain.erasure import Original
from rightrep.domain.ids import TenantId
from rightrep.intake.cells import Refusal
from rightrep.intake.fields import Kind
from rightrep.intake.importing import OpenImport, RecordBatch, importing
from rightrep.intake.mapping import canonical, load_mapping
from rightrep.intake.rejects import Rejects
from rightrep.store.engine import Store
from rightrep.store.erasure import keep_originals
from rightrep.store.session import WriteSession
from rightrep.store.tenants import get_tenant
from serving.usecases.enriching import land_companies
from serving.usecases.import_costs import land_costs
from serving.usecases.import_history import (
    land_activities,
    land_decisions,
    land_outcomes,
)
from serving.usecases.import_leads import land_leads
from serving.usecases.import_reps import land_reps
from serving.usecases.import_run import Landed, Run

KEEP_ORIGINALS = "keep_originals"
"""The tenant's setting that keeps rows as they came; they are personal data."""

ORDER = (Kind.REPS, Kind.LEADS, Kind.DECISIONS, Kind.OUTCOMES, Kind.ACTIVITIES)
"""Order in which the files of one export land: later ones name earlier ones."""

Progress = Callable[[int, int, int], None]
"""Called after each batch with rows read, bytes read, and bytes in all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportReport:
    """What became of a file; ``read`` is the sum of the next five.

    Attributes:
        kind: What its rows were.
        read: Rows of the file, the header and blank lines left out.
        landed: Rows that changed something.
        unchanged: Rows that said what was known already.
        refused: Rows that cannot land; they are in the rejects file.
        skipped: Rows that the mapping's ``where`` left out.
        unmatched: Rows of a register about nobody who is known.
        marked: Lead rows with a phone, an e-mail address or a tax number that cannot
            exist.
        rejects: The rejects file, or None when nothing was refused.
        encoding: How the file's text was read; "" for Excel.
        seconds: Wall-clock time.
    """

    kind: Kind
    read: int
    landed: int
    unchanged: int
    refused: int
    skipped: int
    unmatched: int
    marked: int
    rejects: Path | None
    encoding: str
    seconds: float


_LAND: Mapping[Kind, Callable[[WriteSession, Sequence[Any], Run], Landed[Any]]] = {
    Kind.LEADS: land_leads,
    Kind.REPS: land_reps,
    Kind.DECISIONS: land_decisions,
    Kind.OUTCOMES: land_outcomes,
    Kind.ACTIVITIES: land_activities,
    Kind.COMPANIES: land_companies,
    Kind.COSTS: land_costs,
}


def import_file(
    store: Store,
    tenant_id: TenantId,
    kind: Kind,
    path: Path,
    mapping: Path | None = None,
    *,
    clock: Clock,
    progress: Progress | None = None,
    rejects: Path | None = None,
) -> ImportReport:
    """Land a file; bad rows are refused one by one, good ones land.

    Args:
        store: The database.
        tenant_id: Whose rows they are.
        kind: What they are.
        path: CSV, JSON lines, a JSON array or .xlsx; text may be gzipped.
        mapping: TOML file that says what the columns are; without one the headers are
            the canonical fields.
        clock: The time.
        progress: Told after each batch.
        rejects: Where refused rows go; beside the file when not given.

    Raises:
        InvalidInput: The mapping makes no sense, or the file cannot be read at all;
            nothing has landed then.
        NotFound: The tenant was never made.
        StoreUnavailable: The database does not answer.
    """
    begun = time.perf_counter()
    with store.read(tenant_id) as session:
        tenant = get_tenant(session)
    loaded = canonical(kind) if mapping is None else load_mapping(mapping, kind)
    refused_to = Rejects(rejects or rejects_path(path, kind))
    totals = _Totals()
    keeps = tenant.settings.get(KEEP_ORIGINALS) is True
    with (
        importing(
            path,
            loaded,
            now=clock.now(),
            time_zone=tenant.time_zone,
            currency=tenant.currency,
        ) as file,
        refused_to,
        _without_cycles(),
    ):
        run = Run(tenant, clock.now(), file.source)
        import_id = _hash_of(path) if keeps else ""
        for batch in file.batches():
            with store.write(tenant_id) as session:
                landed = _LAND[kind](session, batch.records, run)
                if keeps:
                    originals = _originals(batch, landed, kind, import_id)
                    keep_originals(session, originals, at=run.now)
            totals.add(batch, landed)
            refused_to.write(batch.header, _refusals(batch, landed, file))
            if progress is not None:
                progress(totals.read, batch.consumed, file.size)
    return ImportReport(
        kind=kind,
        read=totals.read,
        landed=totals.landed,
        unchanged=totals.unchanged,
        refused=refused_to.count,
        skipped=totals.skipped,
        unmatched=totals.unmatched,
        marked=totals.marked,
        rejects=refused_to.path if refused_to.count else None,
        encoding=file.encoding,
        seconds=time.perf_counter() - begun,
    )


def rejects_path(path: Path, kind: Kind) -> Path:
    """Where refused rows go unless told: beside it, ``crm.leads.rejects.csv``."""
    return path.with_name(f"{path.name.partition('.')[0]}.{kind}.rejects.csv")


@dataclass(slots=True)
class _Totals:
    read: int = 0
    landed: int = 0
    unchanged: int = 0
    skipped: int = 0
    unmatched: int = 0
    marked: int = 0

    def add(self, batch: RecordBatch, landed: Landed[Any]) -> None:
        self.read += batch.read
        self.landed += landed.landed
        self.unchanged += landed.unchanged
        self.skipped += batch.skipped
        self.unmatched += landed.unmatched
        self.marked += batch.marked


def _refusals(
    batch: RecordBatch, landed: Landed[Any], file: OpenImport
) -> list[Refusal]:
    """All refused rows of a batch in the order of their lines."""
    late = [
        batch.refuse(row, file.labels.get(field, field), reason)
        for row, field, reason in landed.refused
    ]
    return sorted([*batch.refused, *late], key=lambda refusal: refusal.line)


def _originals(
    batch: RecordBatch, landed: Landed[Any], kind: Kind, import_id: str
) -> list[Original]:
    kept = []
    for row, entity_id in landed.about:
        line, cells = batch.original(row)
        kept.append(
            Original(
                import_id=f"{kind}-{import_id}",
                line=line,
                kind=kind.value,
                entity_id=entity_id,
                raw=json.dumps(cells, ensure_ascii=False),
            )
        )
    return kept


def _hash_of(path: Path) -> str:
    """The same file is the same import: told twice, its rows are kept once."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:32]


@contextmanager
def _without_cycles() -> Iterator[None]:
    """No search for reference cycles meanwhile.

    Rows make none, and each search walks the thousands of a batch: 25 % of an import.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
