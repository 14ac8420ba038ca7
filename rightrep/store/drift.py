"""Drift reports: what each look at the champion found."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select

from rightrep.store.guard import of_tenant
from rightrep.store.schema_learning import drift_reports
from rightrep.store.session import ReadSession, WriteSession


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptDrift:
    """One look at a model.

    Attributes:
        report_id: Our id; later looks have greater ones.
        version: The model.
        as_of: Nothing later was seen.
        alarmed: Whether something had drifted.
        report: The whole report; JSON.
    """

    report_id: str
    version: str
    as_of: datetime
    alarmed: bool
    report: Mapping[str, Any]


def keep_drift(session: WriteSession, found: KeptDrift) -> None:
    """Write a look down."""
    row = {name: getattr(found, name) for name in KeptDrift.__slots__}
    session.execute(insert(drift_reports), row)


def list_drift(
    session: ReadSession, *, version: str | None = None, limit: int = 30
) -> list[KeptDrift]:
    """Looks, the newest first.

    Args:
        session: Whose.
        version: At this model only.
        limit: At most so many.
    """
    query = select(drift_reports).where(of_tenant(drift_reports))
    if version is not None:
        query = query.where(drift_reports.c.version == version)
    newest = query.order_by(
        drift_reports.c.as_of.desc(), drift_reports.c.report_id.desc()
    )
    rows = session.execute(newest.limit(limit)).mappings()
    return [
        KeptDrift(**{name: row[name] for name in KeptDrift.__slots__}) for row in rows
    ]
