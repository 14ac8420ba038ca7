"""When recurring work is due next."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def next_multiple(after: datetime, every: timedelta) -> datetime:
    """The first instant later than ``after`` that is a multiple of ``every`` from 1970.

    So all processes agree on it, whenever each of them asks.

    Args:
        after: Aware instant.
        every: Positive.
    """
    return _EPOCH + ((after - _EPOCH) // every + 1) * every


def next_daily(after: datetime, at: time, zone: ZoneInfo) -> datetime:
    """The first instant later than ``after`` when the zone's clocks show ``at``.

    Where clocks skip ``at`` it is as long after midnight as on any other day; where
    they show it twice, it is the first time.

    Args:
        after: Aware instant.
        at: Wall-clock time without zone.
        zone: Whose clocks.

    Returns:
        An instant in UTC.
    """
    day = after.astimezone(zone).date()
    while True:
        due = datetime.combine(day, at, tzinfo=zone).astimezone(UTC)
        if due > after:
            return due
        day += timedelta(days=1)
