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

    Only hashes are kept: two different rows are taken for one once in 10^13. They are
    in sorted runs of doubling length, so that a batch is looked up and added in a time
    that hardly grows with the file.
    """

    def __init__(self) -> None:
        self._runs: list[NDArray[np.int64]] = []

    def otherwise(
        self, keys: Sequence[Hashable], bodies: Sequence[Hashable]
    ) -> list[bool]:
        """Whether an earlier row said something else under a row's key.

        Args:
            keys: What each row of a batch is about.
            bodies: What it says.
        """
        told = np.array([list(map(hash, keys)), list(map(hash, bodies))], np.int64)
        names, first = np.unique(told[0], return_index=True)
        place = np.searchsorted(names, told[0])
        said = told[1, first]
        for run in self._runs:
            there = np.searchsorted(run[0], names).clip(max=run.shape[1] - 1)
            before = run[0, there] == names
            said = np.where(before, run[1, there], said)
        self._add(np.stack([names, said]))
        other: list[bool] = (said[place] != told[1]).tolist()
        return other

    def _add(self, run: NDArray[np.int64]) -> None:
        while self._runs and self._runs[-1].shape[1] <= run.shape[1]:
            joined = np.concatenate([self._runs.pop(), run], axis=1)
            run = joined[:, np.argsort(joined[0], kind="stable")]
        if run.size:
            self._runs.append(run)


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
        unmatched: Rows about nobody who is known; only a register has them.
        refused: Rows that cannot land, each with the field at fault and the reason.
        about: Our id of the lead or rep that each of the other rows is about, where its
            original may be kept.
    """

    landed: int = 0
    unchanged: int = 0
    unmatched: int = 0
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
