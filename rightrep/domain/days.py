"""Days of a time zone: what "today" is for limits that count by the day."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rightrep.errors import InvalidInput


def zone_of(name: str) -> ZoneInfo:
    """The IANA zone of this name.

    Raises:
        InvalidInput: There is none.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidInput(
            f"{name!r} is not a time zone.",
            field="time_zone",
            remedy="Give an IANA name such as Asia/Shanghai or Europe/Berlin.",
        ) from error


def local_day(at: datetime, zone: str) -> date:
    """The calendar day of an instant in a zone.

    Args:
        at: Aware instant.
        zone: IANA name.

    Raises:
        InvalidInput: There is no such zone.
        ValueError: The instant has no time zone.
    """
    if at.tzinfo is None:
        raise ValueError(f"{at.isoformat()} has no time zone.")
    return at.astimezone(zone_of(zone)).date()


def day_bounds(day: date, zone: str) -> tuple[datetime, datetime]:
    """The instants at which a local day starts and ends.

    A day on which clocks change has 23 or 25 hours (Lord Howe: 23.5 or 24.5). Where the
    change skips midnight, the day starts at the first instant that it has.

    Args:
        day: The calendar day.
        zone: IANA name.

    Returns:
        [start, end), aware, in UTC; the end is the next day's start.
    """
    return _start(day, zone_of(zone)), _start(day + timedelta(days=1), zone_of(zone))


def _start(day: date, zone: ZoneInfo) -> datetime:
    # fold=0 is the first of two midnights where clocks go back, and of a midnight that
    # is skipped it is the instant at which clocks go forward.
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)
