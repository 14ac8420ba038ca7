"""Reps: the salespeople a lead can be given to."""

from dataclasses import dataclass, field
from datetime import date, datetime, time
from enum import StrEnum

from rightrep.domain.ids import RepId


class RepStatus(StrEnum):
    """Whether a rep takes leads at all."""

    ACTIVE = "active"
    PAUSED = "paused"
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class Shift:
    """Working hours of one weekday in the rep's own time zone.

    Attributes:
        weekday: 0 is Monday, 6 is Sunday.
        start: First working minute.
        end: First minute after work; later than ``start``.
    """

    weekday: int
    start: time
    end: time


@dataclass(frozen=True, slots=True)
class Leave:
    """Days away, in the rep's own time zone.

    Attributes:
        first: First day away.
        last: Last day away.
    """

    first: date
    last: date


@dataclass(frozen=True, kw_only=True, slots=True)
class RepAttributes:
    """One version of what is known about a rep.

    Attributes:
        team: Team name.
        manager: Manager's name or id, as the tenant writes it.
        region: Sales region.
        languages: BCP 47 tags; empty means no limit is known.
        products: Products the rep may sell; empty means all.
        industries: Trades the rep knows; empty means none declared.
        hired_on: First day in the company.
        holding_limit: Open leads a rep may own at once; None is no limit.
        intake_per_day: Leads a rep may be given per day of the tenant's zone; None is
            no limit.
        intake_per_month: Leads a rep may be given per month of the tenant's zone; None
            is no limit.
        weight: Wanted load relative to others; positive.
        time_zone: IANA zone of the rep; None is the tenant's.
        calendar: Code of the rep's holidays, ``CN`` or ``DE-BY``; None is the tenant's.
        shifts: Working hours; empty means always.
        leave: Days away.
        status: Whether the rep takes leads.
    """

    team: str | None = None
    manager: str | None = None
    region: str | None = None
    languages: frozenset[str] = frozenset()
    products: frozenset[str] = frozenset()
    industries: frozenset[str] = frozenset()
    hired_on: date | None = None
    holding_limit: int | None = None
    intake_per_day: int | None = None
    intake_per_month: int | None = None
    weight: float = 1.0
    time_zone: str | None = None
    calendar: str | None = None
    shifts: tuple[Shift, ...] = ()
    leave: tuple[Leave, ...] = ()
    status: RepStatus = RepStatus.ACTIVE


@dataclass(frozen=True, kw_only=True, slots=True)
class RepVersion:
    """A rep's attributes from ``valid_from`` on, as known from ``recorded_at`` on."""

    rep_id: RepId
    valid_from: datetime
    recorded_at: datetime
    attributes: RepAttributes


@dataclass(frozen=True, kw_only=True, slots=True)
class Rep:
    """A salesperson a lead can be given to.

    Attributes:
        rep_id: Our id.
        name: How people call the rep.
        created_at: When the rep was first known here; aware UTC.
        attributes: The version asked for.
    """

    rep_id: RepId
    name: str
    created_at: datetime
    attributes: RepAttributes = field(default_factory=RepAttributes)
