"""Duplicates: pairs that may be one customer or one enquiry, and merges taken back."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from rightrep.domain.roles import Role
from rightrep.errors import Conflict, InvalidInput, NotFound
from rightrep.store import duplicates
from rightrep.store.aliases import RecordKind
from rightrep.store.duplicates import DuplicateState, Why
from rightrep.store.merges import Merge
from rightrep.store.session import WriteSession
from serving.dependencies import Reading, Writing, allow
from serving.errors import may_raise
from serving.models import Key
from serving.usecases.duplicates import (
    Asked,
    CustomerShown,
    accept,
    asked,
    merges_of,
    shown_customers,
    undo,
)
from serving.usecases.linking import ask_to_link

router = APIRouter(prefix="/v1", tags=["duplicates"])
_MAY_DECIDE = Depends(allow(Role.SERVICE, Role.MANAGER))
_MAY_SEE = Depends(allow(Role.SERVICE, Role.MANAGER, Role.ANALYST))


class ReasonOut(BaseModel):
    """What one field says about two records."""

    field: str = Field(examples=["phone"])
    words: str = Field(examples=["the same number"])
    bits: float = Field(description="Its weight; positive speaks for one customer.")


class CustomerOut(BaseModel):
    """A customer as a person compares it."""

    customer_id: str
    name: str | None
    tax_number: str | None
    address: str | None
    contacts: list[str]
    points: list[str] = Field(description="Phones and e-mail addresses.")

    @classmethod
    def of(cls, shown: CustomerShown) -> "CustomerOut":
        """As callers see it."""
        return cls(
            customer_id=shown.customer.customer_id,
            name=shown.customer.name,
            tax_number=shown.customer.tax_number,
            address=shown.customer.address,
            contacts=list(shown.contacts),
            points=list(shown.points),
        )


class DuplicateOut(BaseModel):
    """Two records that may be one."""

    duplicate_id: str
    kind: RecordKind = Field(description="customer or lead.")
    ids: list[str] = Field(description="The two records.")
    state: DuplicateState
    reason: Why = Field(description="Why it was not merged at once, or that it was.")
    bits: float | None = Field(description="What speaks for one customer, in bits.")
    reasons: list[ReasonOut] = Field(description="The largest first.")
    found_at: datetime
    decided_at: datetime | None
    decided_by: str | None
    merge_id: str | None

    @classmethod
    def of(cls, told: Asked) -> "DuplicateOut":
        """As callers see it."""
        pair = told.pair
        return cls(
            duplicate_id=pair.duplicate_id,
            kind=pair.kind,
            ids=[pair.left_id, pair.right_id],
            state=pair.state,
            reason=pair.reason,
            bits=pair.bits,
            reasons=[
                ReasonOut(field=r.field, words=r.words, bits=round(r.bits, 2))
                for r in told.reasons
            ],
            found_at=pair.found_at,
            decided_at=pair.decided_at,
            decided_by=pair.decided_by,
            merge_id=pair.merge_id,
        )


class DuplicatesOut(BaseModel):
    """A page of pairs."""

    duplicates: list[DuplicateOut] = Field(description="Those found first first.")
    next: str | None = Field(description="Give it as `after` for the next page.")


class ComparedOut(DuplicateOut):
    """Two records that may be one, with what is known of both customers."""

    customers: list[CustomerOut] = Field(
        description="What a person compares; empty for leads and for erased customers."
    )


class MergeOut(BaseModel):
    """One record that stands for two; both originals are kept."""

    merge_id: str
    kind: RecordKind
    merged_id: str
    survivor_id: str
    merged_at: datetime
    cause: str
    actor: str
    undone_at: datetime | None
    undone_by: str | None

    @classmethod
    def of(cls, made: Merge) -> "MergeOut":
        """As callers see it."""
        return cls.model_validate(made, from_attributes=True)


class LinkOut(BaseModel):
    """A run that compares all customers."""

    job_id: str
    is_new: bool = Field(description="False: one waits or runs already.")


class MergesOut(BaseModel):
    """Merges of one record."""

    merges: list[MergeOut] = Field(description="Oldest first; undone ones among them.")


@router.post(
    "/duplicates/search",
    response_model=LinkOut,
    status_code=202,
    dependencies=[_MAY_DECIDE],
)
def post_search(call: Writing) -> Response:
    """Have all customers compared: sure duplicates merge, likely ones wait."""

    def work(session: WriteSession) -> LinkOut:
        asked_for = ask_to_link(session, at=call.clock.now())
        return LinkOut(job_id=asked_for.job_id, is_new=asked_for.is_new)

    return call.once(work, status=202)


@router.get("/duplicates", responses=may_raise(NotFound), dependencies=[_MAY_SEE])
def get_duplicates(
    session: Reading,
    state: DuplicateState = DuplicateState.WAITING,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    after: Key | None = None,
) -> DuplicatesOut:
    """Pairs that wait for a person, or what became of others."""
    found = duplicates.list_duplicates(session, state, limit=limit, after=after)
    return DuplicatesOut(
        duplicates=[DuplicateOut.of(asked(pair)) for pair in found],
        next=found[-1].duplicate_id if len(found) == limit else None,
    )


@router.get(
    "/duplicates/{duplicate_id}",
    responses=may_raise(NotFound),
    dependencies=[_MAY_DECIDE],
)
def get_duplicate(duplicate_id: Key, session: Reading) -> ComparedOut:
    """One pair with what is known of both, to decide on."""
    pair = duplicates.get_duplicate(session, duplicate_id)
    told = DuplicateOut.of(asked(pair)).model_dump()
    shown = shown_customers(session, pair)
    return ComparedOut(**told, customers=[CustomerOut.of(one) for one in shown])


@router.post(
    "/duplicates/{duplicate_id}/accept",
    response_model=MergeOut,
    responses=may_raise(NotFound, Conflict, InvalidInput),
    dependencies=[_MAY_DECIDE],
)
def post_accept(duplicate_id: Key, call: Writing) -> Response:
    """Say that the two are one: they are merged, and nobody loses a lead."""

    def work(session: WriteSession) -> MergeOut:
        return MergeOut.of(accept(session, duplicate_id, **call.stamp()))

    return call.once(work)


@router.post(
    "/duplicates/{duplicate_id}/refuse",
    response_model=DuplicateOut,
    responses=may_raise(NotFound, Conflict),
    dependencies=[_MAY_DECIDE],
)
def post_refuse(duplicate_id: Key, call: Writing) -> Response:
    """Say that the two are two: nobody is asked again."""

    def work(session: WriteSession) -> DuplicateOut:
        duplicates.get_duplicate(session, duplicate_id)
        duplicates.refuse(session, duplicate_id, **call.stamp())
        return DuplicateOut.of(asked(duplicates.get_duplicate(session, duplicate_id)))

    return call.once(work)


@router.get(
    "/merges/{kind}/{record_id}",
    responses=may_raise(NotFound, InvalidInput),
    dependencies=[_MAY_SEE],
)
def get_merges(kind: RecordKind, record_id: Key, session: Reading) -> MergesOut:
    """Merges that a record gave way in or stood in."""
    found = merges_of(session, kind, record_id)
    return MergesOut(merges=[MergeOut.of(one) for one in found])


@router.post(
    "/merges/{merge_id}/undo",
    response_model=MergeOut,
    responses=may_raise(NotFound, Conflict),
    dependencies=[_MAY_DECIDE],
)
def post_undo(merge_id: Key, call: Writing) -> Response:
    """Take a merge back: both records stand again, each with its owner."""

    def work(session: WriteSession) -> MergeOut:
        return MergeOut.of(undo(session, merge_id, **call.stamp()))

    return call.once(work)
