"""Marks: values that were given, are kept, and cannot exist."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from rightrep.domain.roles import Role
from rightrep.store.cleaning import list_marks
from serving.dependencies import Reading, allow

router = APIRouter(prefix="/v1/marks", tags=["leads"])


class Marked(StrEnum):
    """Fields that have marks."""

    PHONE = "phone"
    EMAIL = "email"
    TAX_NUMBER = "tax_number"


class MarkOut(BaseModel):
    """A value that cannot exist."""

    record_id: str = Field(description="Our id of the contact or customer.")
    field: Marked
    value: str
    reason: str
    marked_at: datetime


@router.get("", dependencies=[Depends(allow(Role.SERVICE, Role.MANAGER, Role.ANALYST))])
def get_marks(
    session: Reading,
    field: Marked | None = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000,
) -> list[MarkOut]:
    """Impossible values with their reasons, newest first."""
    found = list_marks(session, field=field and field.value, limit=limit)
    return [
        MarkOut(
            record_id=mark.record_id,
            field=Marked(mark.field),
            value=mark.value,
            reason=mark.reason,
            marked_at=mark.marked_at,
        )
        for mark in found
    ]
