"""Recurring work is due at the same instants for everybody who asks."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rightrep.domain.schedule import DEFAULTS, Recurrence, schedule_of
from rightrep.errors import InvalidInput

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")
START = datetime(2026, 1, 1, tzinfo=UTC)
INSTANTS = st.timedeltas(timedelta(0), timedelta(days=700)).map(START.__add__)


def test_every_tenant_has_the_usual_schedule_from_the_start() -> None:
    assert schedule_of({}) == DEFAULTS
    assert {"retrain", "drift", "retention"} <= DEFAULTS.keys()


def test_every_seven_days_is_every_sunday() -> None:
    weekly = Recurrence(at=time(2), every_days=7)
    monday = datetime(2026, 3, 2, 4, tzinfo=UTC)

    due = weekly.next(monday, SHANGHAI)

    assert due == datetime(2026, 3, 7, 18, tzinfo=UTC)
    assert due.astimezone(SHANGHAI).strftime("%A %H:%M") == "Sunday 02:00"
    assert weekly.next(due, SHANGHAI) == due + timedelta(days=7)


@given(after=INSTANTS, days=st.integers(1, 30), hour=st.integers(0, 23))
def test_whoever_asks_before_an_occurrence_means_the_same_one(
    after: datetime, days: int, hour: int
) -> None:
    recurs = Recurrence(at=time(hour), every_days=days)

    due = recurs.next(after, BERLIN)

    assert due > after
    assert recurs.next(due - timedelta(seconds=1), BERLIN) == due
    assert recurs.next(after + (due - after) / 2, BERLIN) == due
    assert due.astimezone(BERLIN).toordinal() % days == 0


def test_settings_take_the_place_of_the_usual_ones_by_kind() -> None:
    found = schedule_of({"schedule": {"retrain": {"every_days": 1}, "drift": None}})

    assert found["retrain"] == Recurrence(at=DEFAULTS["retrain"].at, every_days=1)
    assert found["drift"] is None
    assert found["retention"] == DEFAULTS["retention"]


def test_work_by_the_hour_recurs_day_and_night_whatever_the_clocks_do() -> None:
    recurs = schedule_of({"schedule": {"recycle": {"every_hours": 6}}})["recycle"]
    assert recurs is not None
    before = datetime(2026, 3, 28, 21, 59, tzinfo=UTC)  # clocks go forward that night

    due = [before]
    for _ in range(3):
        due.append(recurs.next(due[-1], BERLIN))

    assert [at.hour for at in due[1:]] == [0, 6, 12]


@pytest.mark.parametrize(
    "wrong", [{"every_hours": 0}, {"every_hours": 1, "at": "02:00"}]
)
def test_hours_are_counted_alone_and_from_one(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        schedule_of({"schedule": {"recycle": wrong}})
