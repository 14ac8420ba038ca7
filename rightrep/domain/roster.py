"""The roster: every rep as columns, as the rules see them.

What is known of reps changes seldom, what they were given with every lead. So a
``Team`` is made once and kept, and a ``Roster`` is a team with the present numbers.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from rightrep.domain.days import zone_of
from rightrep.domain.hours import EVERY_WEEK, Calendar, works_within
from rightrep.domain.ids import RepId
from rightrep.domain.rep import Leave, RepAttributes, RepStatus, Shift

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

UNLIMITED = 1 << 40
"""Leads that a rep without a limit may take."""
NEVER = -(1 << 62)
"""Instant before all others."""
STATUSES = tuple(RepStatus)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)
_ONE_DAY = timedelta(days=1)
_DAY = 86_400e6


@dataclass(frozen=True, kw_only=True, slots=True)
class RosterEntry:
    """One rep of a roster.

    Attributes:
        rep_id: The rep.
        attributes: What is known about the rep now.
        held: Open leads the rep owns.
        taken_today: Leads the rep was given on this local day.
        taken_this_month: Leads the rep was given in this local month; counted where
            there is a limit.
        waited_seconds: Time since the rep was last given a lead, joined or came back.
        joined_at: When the rep was first known, or None.
        back_since: Since when the rep has taken leads without a break, or None.
        calendar: Holidays of the rep.
    """

    rep_id: RepId
    attributes: RepAttributes
    held: int = 0
    taken_today: int = 0
    taken_this_month: int = 0
    waited_seconds: float = 0.0
    joined_at: datetime | None = None
    back_since: datetime | None = None
    calendar: Calendar = EVERY_WEEK


@dataclass(frozen=True, eq=False)
class Declared:
    """What reps declare of one kind; who declares nothing takes everything.

    Attributes:
        nothing: Who declares nothing; bool (n_reps,).
        by_value: Who declares a value; bool (n_reps,) each.
    """

    nothing: BoolArray
    by_value: Mapping[str, BoolArray]

    @classmethod
    def of(cls, declared: Sequence[frozenset[str]]) -> "Declared":
        """From what each rep declares."""
        values = frozenset[str]().union(*declared)
        return cls(
            np.array([not one for one in declared], dtype=np.bool_),
            {
                value: np.array([not one or value in one for one in declared], np.bool_)
                for value in values
            },
        )

    def allow(self, value: str) -> BoolArray:
        """Who takes a value; bool (n_reps,)."""
        return self.by_value.get(value, self.nothing)


class _WorkTime(NamedTuple):
    """When a rep works; many reps of a team have the same."""

    shifts: tuple[Shift, ...]
    leave: tuple[Leave, ...]
    zone: str
    calendar: Calendar


@dataclass(frozen=True, eq=False)
class Team:
    """Reps as columns, in order, without what changes with every lead.

    Attributes:
        rep_ids: The reps.
        attributes: What is known of each.
        joined_at: When each was first known, or None.
        calendars: Holidays of each.
        zones: IANA zone of each.
        status: Place of each status in ``STATUSES``; int64 (n_reps,).
        holding_limit: int64 (n_reps,), ``UNLIMITED`` without.
        intake_per_day: The same.
        intake_per_month: The same.
        weight: Wanted load relative to others; float64 (n_reps,).
        languages: Primary subtags.
        regions: At most one of each rep.
        products: Products.
    """

    rep_ids: tuple[RepId, ...]
    attributes: tuple[RepAttributes, ...]
    joined_at: tuple[datetime | None, ...]
    calendars: tuple[Calendar, ...]
    zones: tuple[str, ...]
    status: IntArray
    holding_limit: IntArray
    intake_per_day: IntArray
    intake_per_month: IntArray
    weight: FloatArray
    languages: Declared
    regions: Declared
    products: Declared

    @classmethod
    def of(
        cls,
        rep_ids: Sequence[RepId],
        attributes: Sequence[RepAttributes],
        *,
        joined_at: Sequence[datetime | None],
        calendars: Sequence[Calendar],
        zone: str,
    ) -> "Team":
        """From what is known of each rep.

        Args:
            rep_ids: The reps.
            attributes: What is known of them.
            joined_at: When each was first known, or None.
            calendars: Their holidays.
            zone: IANA zone of reps that have none of their own.
        """
        return cls(
            rep_ids=tuple(rep_ids),
            attributes=tuple(attributes),
            joined_at=tuple(joined_at),
            calendars=tuple(calendars),
            zones=tuple(one.time_zone or zone for one in attributes),
            status=np.array([STATUSES.index(a.status) for a in attributes], np.int64),
            holding_limit=_limits([one.holding_limit for one in attributes]),
            intake_per_day=_limits([one.intake_per_day for one in attributes]),
            intake_per_month=_limits([one.intake_per_month for one in attributes]),
            weight=np.array([one.weight for one in attributes], dtype=np.float64),
            languages=Declared.of(
                [frozenset(map(primary, one.languages)) for one in attributes]
            ),
            regions=Declared.of(
                [
                    frozenset() if one.region is None else frozenset({one.region})
                    for one in attributes
                ]
            ),
            products=Declared.of([one.products for one in attributes]),
        )

    @cached_property
    def place(self) -> Mapping[RepId, int]:
        """Place of each rep."""
        return {rep_id: j for j, rep_id in enumerate(self.rep_ids)}

    @cached_property
    def _away(self) -> tuple[IntArray, IntArray, IntArray]:
        """Rep, start and end of every leave; microseconds, the end left out."""
        spans = [
            (j, _midnight(away.first, zone), _midnight(away.last + _ONE_DAY, zone))
            for j, (rep, zone) in enumerate(
                zip(self.attributes, self.zones, strict=True)
            )
            for away in rep.leave
        ]
        rep, start, end = np.array(spans, np.int64).reshape(-1, 3).T
        return rep, start, end

    @cached_property
    def _work_times(self) -> tuple[IntArray, list[_WorkTime]]:
        """Which of the different working times each rep has, and those."""
        place: dict[_WorkTime, int] = {}
        of_rep = [
            place.setdefault(
                _WorkTime(rep.shifts, rep.leave, zone, calendar), len(place)
            )
            for rep, zone, calendar in zip(
                self.attributes, self.zones, self.calendars, strict=True
            )
        ]
        return np.array(of_rep, np.int64), list(place)

    def on_leave(self, at: datetime) -> BoolArray:
        """Who is away on the local day of an instant; bool (n_reps,)."""
        rep, start, end = self._away
        now = micros(at)
        away = np.zeros(len(self.rep_ids), dtype=np.bool_)
        away[rep[(start <= now) & (now < end)]] = True
        return away

    def back_from_leave(self, at: datetime) -> IntArray:
        """When each rep came back last, or ``NEVER``; microseconds (n_reps,)."""
        rep, _, end = self._away
        over = end <= micros(at)
        back = np.full(len(self.rep_ids), NEVER, dtype=np.int64)
        np.maximum.at(back, rep[over], end[over])
        return back

    def work_within(self, at: datetime, hours: float) -> BoolArray:
        """Who works at an instant or within hours after it; bool (n_reps,)."""
        of_rep, times = self._work_times
        works = [
            works_within(
                one.shifts,
                one.leave,
                zone=one.zone,
                at=at,
                hours=hours,
                calendar=one.calendar,
            )
            for one in times
        ]
        return np.array(works, dtype=np.bool_)[of_rep]


@dataclass(frozen=True, eq=False)
class Roster(Sequence[RosterEntry]):
    """Reps with what they were given; as a sequence, one entry per rep.

    Attributes:
        team: The reps.
        held: Open leads each rep owns; int64 (n_reps,).
        taken_today: Leads each was given on this local day; int64 (n_reps,).
        taken_this_month: Leads each was given in this local month, counted where
            somebody has a limit; int64 (n_reps,).
        waited: Seconds since each was last given a lead, joined or came back; float64
            (n_reps,).
        back_since: Since when each has taken leads without a break, or ``NEVER``;
            microseconds since 1970; int64 (n_reps,).
    """

    team: Team
    held: IntArray
    taken_today: IntArray
    taken_this_month: IntArray
    waited: FloatArray
    back_since: IntArray

    @classmethod
    def of(cls, entries: Sequence[RosterEntry], *, zone: str = "UTC") -> "Roster":
        """From one entry per rep.

        Args:
            entries: The reps.
            zone: IANA zone of reps that have none of their own.
        """
        since = [one.back_since for one in entries]
        return cls(
            team=Team.of(
                [one.rep_id for one in entries],
                [one.attributes for one in entries],
                joined_at=[one.joined_at for one in entries],
                calendars=[one.calendar for one in entries],
                zone=zone,
            ),
            held=np.array([one.held for one in entries], np.int64),
            taken_today=np.array([one.taken_today for one in entries], np.int64),
            taken_this_month=np.array(
                [one.taken_this_month for one in entries], np.int64
            ),
            waited=np.array([one.waited_seconds for one in entries], np.float64),
            back_since=np.array(
                [NEVER if one is None else micros(one) for one in since], np.int64
            ),
        )

    @property
    def rep_ids(self) -> tuple[RepId, ...]:
        """Ids of the reps, in order."""
        return self.team.rep_ids

    @property
    def attributes(self) -> tuple[RepAttributes, ...]:
        """What is known of each rep."""
        return self.team.attributes

    @cached_property
    def open_slots(self) -> IntArray:
        """Leads each rep may still take now; int64 (n_reps,)."""
        team = self.team
        room = np.minimum(
            team.intake_per_day - self.taken_today,
            team.intake_per_month - self.taken_this_month,
        )
        room = np.minimum(room, team.holding_limit - self.held)
        # A limit that counts down from "none" is still none.
        return np.where(room > UNLIMITED // 2, UNLIMITED, np.maximum(room, 0))

    def after_gift(self, rep: int) -> "Roster":
        """The same after one of the reps was given one more lead, just now."""
        more = np.zeros(len(self), dtype=np.int64)
        more[rep] = 1
        waited = self.waited.copy()
        waited[rep] = 0.0
        return replace(
            self,
            held=self.held + more,
            taken_today=self.taken_today + more,
            taken_this_month=self.taken_this_month + more,
            waited=waited,
        )

    def settled(self, at: datetime, settling_days: float) -> FloatArray:
        """How far each rep has settled in after joining or coming back.

        Args:
            at: Now.
            settling_days: Days it takes; 0 settles everybody at once.

        Returns:
            float64 (n_reps,), in [0, 1].
        """
        if settling_days <= 0:
            return np.ones(len(self))
        days = (micros(at) - self.back_since) / _DAY
        return np.minimum(days / settling_days, 1.0)

    @cached_property
    def _entries(self) -> tuple[RosterEntry, ...]:
        team = self.team
        columns = zip(
            team.rep_ids,
            team.attributes,
            team.joined_at,
            team.calendars,
            self.held.tolist(),
            self.taken_today.tolist(),
            self.taken_this_month.tolist(),
            self.waited.tolist(),
            self.back_since.tolist(),
            strict=True,
        )
        return tuple(
            RosterEntry(
                rep_id=rep_id,
                attributes=attributes,
                joined_at=joined_at,
                calendar=calendar,
                held=held,
                taken_today=today,
                taken_this_month=month,
                waited_seconds=waited,
                back_since=None if since == NEVER else _EPOCH + since * _TICK,
            )
            for (
                rep_id,
                attributes,
                joined_at,
                calendar,
                held,
                today,
                month,
                waited,
                since,
            ) in columns
        )

    def __len__(self) -> int:
        return len(self.team.rep_ids)

    @overload
    def __getitem__(self, place: int) -> RosterEntry: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[RosterEntry]: ...

    def __getitem__(self, place: int | slice) -> RosterEntry | Sequence[RosterEntry]:
        return self._entries[place]

    def __iter__(self) -> Iterator[RosterEntry]:
        return iter(self._entries)


def back_since(team: Team, active_since: IntArray, at: datetime) -> IntArray:
    """Since when each rep has taken leads without a break: joined, resumed, returned.

    Args:
        team: The reps.
        active_since: Since when each has been active; microseconds; int64 (n_reps,).
        at: Now; leave that ends later is not looked at.

    Returns:
        Microseconds since 1970, at most ``at``; int64 (n_reps,).
    """
    back = np.maximum(active_since, team.back_from_leave(at))
    return np.minimum(back, micros(at))


def primary(language: str) -> str:
    """``zh`` of ``zh-Hans-CN``, in lower case (BCP 47)."""
    return language.split("-", maxsplit=1)[0].lower()


def micros(at: datetime) -> int:
    """Whole microseconds since 1970 of an aware instant."""
    return (at - _EPOCH) // _TICK


def _limits(limits: Sequence[int | None]) -> IntArray:
    return np.array([UNLIMITED if one is None else one for one in limits], np.int64)


def _midnight(day: date, zone: str) -> int:
    """The first instant of a local day; microseconds since 1970."""
    return micros(datetime.combine(day, time(), zone_of(zone)))
