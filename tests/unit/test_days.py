"""Days of a zone, the days on which clocks change among them."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rightrep.domain.days import day_bounds, local_day, zone_of
from rightrep.errors import InvalidInput

ZONES = [
    "UTC",
    "Asia/Shanghai",
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",
    "Asia/Beirut",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Africa/Cairo",
]


@pytest.mark.parametrize(
    ("day", "zone", "hours"),
    [
        (date(2026, 3, 29), "Europe/Berlin", 23),
        (date(2026, 10, 25), "Europe/Berlin", 25),
        (date(2026, 10, 26), "Europe/Berlin", 24),
        (date(2026, 4, 5), "Australia/Lord_Howe", 24.5),
        (date(2026, 10, 4), "Australia/Lord_Howe", 23.5),
        # Clocks skip midnight itself.
        (date(2018, 11, 4), "America/Sao_Paulo", 23),
        (date(2018, 2, 17), "America/Sao_Paulo", 25),
    ],
)
def test_a_day_on_which_clocks_change_is_shorter_or_longer(
    day: date, zone: str, hours: float
) -> None:
    start, end = day_bounds(day, zone)

    assert end - start == timedelta(hours=hours)


def test_a_day_that_a_zone_skipped_is_empty() -> None:
    start, end = day_bounds(date(2011, 12, 30), "Pacific/Apia")

    assert start == end


@given(
    at=st.datetimes(
        min_value=datetime(2012, 1, 1),  # noqa: DTZ001 - made aware below
        max_value=datetime(2035, 1, 1),  # noqa: DTZ001
    ),
    zone=st.sampled_from(ZONES),
)
def test_every_instant_lies_in_its_own_day(at: datetime, zone: str) -> None:
    instant = at.replace(tzinfo=UTC)

    start, end = day_bounds(local_day(instant, zone), zone)

    assert start <= instant < end


@given(day=st.dates(date(2012, 1, 1), date(2035, 1, 1)), zone=st.sampled_from(ZONES))
def test_days_follow_each_other_without_gap(day: date, zone: str) -> None:
    _, end = day_bounds(day, zone)
    start, _ = day_bounds(day + timedelta(days=1), zone)

    assert end == start
    assert local_day(start, zone) == day + timedelta(days=1)
    assert local_day(start - timedelta(microseconds=1), zone) == day


@pytest.mark.parametrize("name", ["Mars/Base", "", "../etc/passwd", "/etc/passwd"])
def test_a_zone_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        zone_of(name)


def test_an_instant_without_zone_has_no_day() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        local_day(datetime(2026, 1, 1), "UTC")  # noqa: DTZ001
