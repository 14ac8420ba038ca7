"""Which of two records survives, and when two leads are one enquiry. Pure rules."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from rightrep.domain.lead import Stage

SAME_ENQUIRY = timedelta(days=30)
"""Leads of one person that are further apart are two enquiries."""

_ORDER = {stage: place for place, stage in enumerate(Stage)}
# A lost lead has not come further than an open one.
_ORDER[Stage.LOST] = -1


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """What decides which of two records survives.

    Attributes:
        record_id: Our id.
        stage: Furthest life-cycle stage; of a customer, that of its leads.
        created_at: When it was first known; aware UTC.
        owners: Reps who have it; of a customer, those who have its leads.
    """

    record_id: str
    stage: Stage
    created_at: datetime
    owners: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class Enquiry:
    """What tells one lead of a customer from another.

    Attributes:
        standing: What decides which survives.
        is_open: Whether it is neither won nor lost.
        product: Product interest, or None.
        people: Who asks: names, phones and addresses of the contact, normalised.
    """

    standing: Standing
    is_open: bool
    product: str | None
    people: frozenset[str]


def survivor(one: Standing, other: Standing) -> tuple[Standing, Standing]:
    """Which stands and which gives way: the furthest stage, then the oldest.

    Returns:
        (the survivor, the merged one).
    """
    first, second = sorted((one, other), key=_rank)
    return first, second


def have_two_owners(*standings: Standing) -> bool:
    """Whether different reps have them: then a person decides, not we."""
    return len(frozenset().union(*(standing.owners for standing in standings))) > 1


def furthest(stages: Iterable[Stage]) -> Stage:
    """The furthest of these stages; new where there is none."""
    return max(stages, key=lambda stage: _ORDER[stage], default=Stage.NEW)


def is_same_enquiry(one: Enquiry, other: Enquiry) -> bool:
    """Whether two leads of one customer are one enquiry that came twice.

    Both are open, came within ``SAME_ENQUIRY``, ask for the same product as far as is
    known, and somebody is known to be behind both: two people of one company who ask
    are two leads.
    """
    apart = abs(one.standing.created_at - other.standing.created_at)
    return (
        one.is_open
        and other.is_open
        and apart <= SAME_ENQUIRY
        and (None in (one.product, other.product) or one.product == other.product)
        and not one.people.isdisjoint(other.people)
    )


def _rank(standing: Standing) -> tuple[int, datetime, str]:
    return -_ORDER[standing.stage], standing.created_at, standing.record_id
