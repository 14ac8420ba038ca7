"""What the landing of one file's batches shares."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from rightrep.domain.ids import LeadId
from rightrep.domain.tenant import Tenant
from rightrep.errors import InvalidInput, RightRepError
from rightrep.intake.records import Record
from rightrep.store.session import WriteSession

ACTOR = "import"

Row = TypeVar("Row", bound=Record)


class Told:
    """What earlier rows of the file said: 16 bytes a row, however long its texts.

    Only hashes are kept: two different rows are taken for one once in 10^13.
    """

    def __init__(self) -> None:
        self._before: NDArray[np.int64] = np.empty((2, 0), dtype=np.int64)
        self._batch: dict[int, int] = {}

    def otherwise(self, key: Hashable, body: Hashable) -> bool:
        """Whether an earlier row said something else under this key; notes this one."""
        name, said = hash(key), hash(body)
        known = self._batch.get(name)
        if known is None:
            known = self._said(name)
        if known is None:
            self._batch[name] = said
        return known is not None and known != said

    def end_batch(self) -> None:
        """Move a batch's rows from a dictionary to where they take less room."""
        more = np.array([list(self._batch), list(self._batch.values())], dtype=np.int64)
        joined = np.concatenate([self._before, more], axis=1)
        self._before = joined[:, np.argsort(joined[0], kind="stable")]
        self._batch = {}

    def _said(self, name: int) -> int | None:
        names = self._before[0]
        place = int(np.searchsorted(names, name))
        if place < names.size and names[place] == name:
            return int(self._before[1, place])
        return None


@dataclass(frozen=True, slots=True)
class Run:
    """One import.

    Attributes:
        tenant: Whose.
        now: The present instant of the whole run; aware.
        source: The system whose ids the file has.
        told: What earlier rows of the file said.
        owned: Leads of the batch before whose last row named an owner: versions of one
            lead may be in two batches.
    """

    tenant: Tenant
    now: datetime
    source: str
    told: Told = field(default_factory=Told)
    owned: set[LeadId] = field(default_factory=set)

    def known_at(self, recorded_at: datetime | None, at: datetime) -> datetime:
        """When a row was known: as it says, else at its own time, never later than now.

        Imported history is taken at its word.
        """
        return min(at, self.now) if recorded_at is None else recorded_at


@dataclass(slots=True)
class Landed(Generic[Row]):
    """What became of a batch's records.

    Attributes:
        landed: Rows that changed something.
        unchanged: Rows that said what was known.
        refused: Rows that cannot land, each with the field at fault and the reason.
        about: Our id of the lead or rep that each of the other rows is about, where its
            original may be kept.
    """

    landed: int = 0
    unchanged: int = 0
    refused: list[tuple[Row, str, str]] = field(default_factory=list)
    about: list[tuple[Row, str]] = field(default_factory=list)

    def refuse(self, row: Row, field_name: str, reason: str) -> None:
        """Note a row that cannot land."""
        self.refused.append((row, field_name, reason))


def land_or_refuse(
    session: WriteSession,
    rows: Sequence[Row],
    land: Callable[[Sequence[Row]], Sequence[bool]],
    landed: Landed[Row],
) -> None:
    """Land rows together; when the store refuses, find out which it is by halves.

    Args:
        session: Where ``land`` writes; what a refused half wrote is undone.
        rows: The rows.
        land: Lands some of them, and says of each whether it was new.
        landed: Counts what became of them; modified in place.
    """
    if not rows:
        return
    try:
        with session.savepoint():
            new = land(rows)
    except RightRepError as error:
        if len(rows) > 1:
            half = len(rows) // 2
            land_or_refuse(session, rows[:half], land, landed)
            land_or_refuse(session, rows[half:], land, landed)
        else:
            where = error.field if isinstance(error, InvalidInput) else None
            landed.refuse(rows[0], where or "", str(error))
        return
    landed.landed += sum(new)
    landed.unchanged += len(new) - sum(new)
