"""When a rep works, is back, and what a month allows."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rightrep.calendars import calendar_of, require_calendar
from rightrep.domain.hours import EVERY_WEEK, next_working_instant, works_within
from rightrep.domain.ids import RepId
from rightrep.domain.presence import (
    active_since,
    even_allowance,
    month_of,
    month_so_far,
    present_days,
)
from rightrep.domain.rep import Leave, RepAttributes, RepStatus, Shift
from rightrep.domain.roster import Roster, RosterEntry, back_since, micros
from rightrep.errors import InvalidInput

SHANGHAI = "Asia/Shanghai"
BERLIN = "Europe/Berlin"
NEW_YORK = "America/New_York"
OFFICE = tuple(Shift(day, time(9), time(18)) for day in range(5))
CHINA = calendar_of("CN", date(2026, 3, 1))


def local(
    zone: str, year: int, month: int, day: int, hour: int = 0, minute: int = 0
) -> datetime:
    """An instant as the zone's clocks show it, in UTC."""
    clock = time(hour, minute)
    return datetime.combine(date(year, month, day), clock, ZoneInfo(zone)).astimezone(
        UTC
    )


def first_hour(zone: str, at: datetime, code: str | None = None) -> str:
    """When somebody with office hours works next, as the zone's clocks show it."""
    calendar = calendar_of(code, at.date()) if code else EVERY_WEEK
    found = next_working_instant(OFFICE, (), zone=zone, at=at, calendar=calendar)
    assert found is not None
    return f"{found.astimezone(ZoneInfo(zone)):%m-%d %H}"


def test_spring_festival_is_not_worked_and_its_make_up_saturday_is() -> None:
    """2026: nine days off from Sunday 15 February, Saturday 28 is a working day."""
    friday_evening = local(SHANGHAI, 2026, 2, 13, 19)
    festival = local(SHANGHAI, 2026, 2, 16, 10)
    before_make_up = local(SHANGHAI, 2026, 2, 27, 19)

    assert first_hour(SHANGHAI, friday_evening, "CN") == "02-14 09"
    assert first_hour(SHANGHAI, festival) == "02-16 10"
    assert first_hour(SHANGHAI, festival, "CN") == "02-24 09"
    assert first_hour(SHANGHAI, before_make_up) == "03-02 09"
    assert first_hour(SHANGHAI, before_make_up, "CN") == "02-28 09"


def test_bavaria_has_holidays_that_germany_has_not() -> None:
    epiphany = local(BERLIN, 2026, 1, 6, 10)

    assert first_hour(BERLIN, epiphany, "DE") == "01-06 10"
    assert first_hour(BERLIN, epiphany, "DE-BY") == "01-07 09"


@pytest.mark.parametrize("code", ["", "XX", "china", "DE-ZZ", "DE-", "CN\x00"])
def test_an_unknown_calendar_is_refused(code: str) -> None:
    with pytest.raises(InvalidInput) as told:
        require_calendar(code)

    assert told.value.field == "calendar"


def test_within_hours_counts_real_hours_over_a_clock_change() -> None:
    """Berlin, 29 March 2026: the night from Saturday has one hour less."""
    late = (Shift(6, time(9), time(12)),)
    saturday_evening = local(BERLIN, 2026, 3, 28, 22)
    rule = {"zone": BERLIN, "at": saturday_evening}

    assert works_within(late, (), hours=10, **rule)  # type: ignore[arg-type]
    assert not works_within(late, (), hours=9.9, **rule)  # type: ignore[arg-type]


def test_a_shift_that_the_clocks_skip_is_not_worked() -> None:
    """New York, 8 March 2026: there is no half past two."""
    night = (Shift(6, time(2), time(3)), Shift(6, time(4), time(5)))
    at = local(NEW_YORK, 2026, 3, 8, 1)

    found = next_working_instant(night, (), zone=NEW_YORK, at=at)

    assert found == local(NEW_YORK, 2026, 3, 8, 4)


def test_a_shift_in_the_hour_that_comes_twice_begins_the_first_time() -> None:
    night = (Shift(6, time(1, 30), time(3)),)
    at = local(NEW_YORK, 2026, 11, 1, 0)

    found = next_working_instant(night, (), zone=NEW_YORK, at=at)

    assert found == local(NEW_YORK, 2026, 11, 1, 1, 30)


@given(
    minutes=st.integers(0, 366 * 24 * 60),
    zone=st.sampled_from([SHANGHAI, BERLIN, NEW_YORK]),
)
def test_the_next_working_hour_is_worked_and_nothing_before_it_is(
    minutes: int, zone: str
) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)

    found = next_working_instant(OFFICE, (), zone=zone, at=at, calendar=CHINA)

    assert found is not None
    here = found.astimezone(ZoneInfo(zone))
    assert here.date() not in CHINA.closed
    assert here.weekday() < 5 or here.date() in CHINA.made_up
    assert time(9) <= here.time() < time(18)
    if found > at:
        assert here.time() == time(9)
        before = at + (found - at) / 2
        assert not works_within(
            OFFICE, (), zone=zone, at=before, hours=0, calendar=CHINA
        )


JOINED = datetime(2026, 1, 10, tzinfo=UTC)
NOW = datetime(2026, 3, 2, 4, tzinfo=UTC)


def since(
    *changes: tuple[datetime, RepStatus], leave: tuple[Leave, ...] = ()
) -> datetime:
    """As a roster has it."""
    rep = RosterEntry(rep_id=RepId("r"), attributes=RepAttributes(leave=leave))
    team = Roster.of([rep], zone=SHANGHAI).team
    active = np.array([micros(active_since(JOINED, changes))])
    (found,) = back_since(team, active, NOW).tolist()
    return datetime.fromtimestamp(found / 1e6, UTC)


def test_a_rep_is_back_since_joining_resuming_or_the_day_after_leave() -> None:
    paused = datetime(2026, 2, 1, tzinfo=UTC)
    resumed = datetime(2026, 2, 9, tzinfo=UTC)
    away = Leave(date(2026, 2, 15), date(2026, 2, 28))
    coming = Leave(date(2026, 3, 2), date(2026, 3, 9))

    assert since() == JOINED
    assert since((paused, RepStatus.PAUSED), (resumed, RepStatus.ACTIVE)) == resumed
    assert since((JOINED, RepStatus.ACTIVE), (resumed, RepStatus.ACTIVE)) == JOINED
    assert since(leave=(away, coming)) == local(SHANGHAI, 2026, 3, 1)


def test_settling_in_takes_the_days_it_takes() -> None:
    roster = Roster.of(
        [
            RosterEntry(
                rep_id=RepId(str(days)),
                attributes=RepAttributes(),
                back_since=NOW - timedelta(days=days),
            )
            for days in (0, 15, 90)
        ]
    )

    assert roster.settled(NOW, 30).tolist() == [0.0, 0.5, 1.0]
    assert roster.settled(NOW, 0).tolist() == [1.0, 1.0, 1.0]


def test_a_rep_was_there_on_the_days_that_ended_so() -> None:
    """Paused on the third at noon, active again on the fifth, on leave today."""
    at = local(SHANGHAI, 2026, 3, 6, 12)
    changes = [
        (local(SHANGHAI, 2026, 3, 3, 12), RepStatus.PAUSED),
        (local(SHANGHAI, 2026, 3, 5, 12), RepStatus.ACTIVE),
    ]
    leave = (Leave(date(2026, 3, 6), date(2026, 3, 6)),)
    joined_at = local(SHANGHAI, 2026, 3, 2, 12)

    there = present_days(joined_at, changes, leave, month_so_far(at, SHANGHAI))

    assert there == [False, True, False, False, True, False]


@given(limit=st.integers(0, 400), month=st.integers(1, 12))
def test_a_month_allows_its_limit_exactly_and_evenly(limit: int, month: int) -> None:
    """Ten a month over thirty daily runs is ten: not none by rounding, not thirty."""
    first, n_days = month_of(date(2026, month, 5))
    given_so_far = 0
    most_on_a_day = 0
    for n in range(n_days):
        today = even_allowance(limit, first + timedelta(days=n)) - given_so_far
        given_so_far += today
        most_on_a_day = max(most_on_a_day, today)

    assert given_so_far == limit
    assert most_on_a_day <= limit // n_days + 1


def test_the_month_is_a_limit_like_the_others() -> None:
    entry = RosterEntry(
        rep_id=RepId("r"),
        attributes=RepAttributes(intake_per_month=10, intake_per_day=4),
        taken_this_month=8,
    )

    assert Roster.of([entry]).open_slots.tolist() == [2]
