"""The only reader of the wall clock."""

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Anything that can tell the time."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        return datetime.now(UTC)


class FixedClock:
    """A clock that stands still until it is moved; for tests and replays."""

    def __init__(self, at: datetime) -> None:
        if at.tzinfo is None:
            raise ValueError("A clock needs a time zone.")
        self._at = at.astimezone(UTC)

    def now(self) -> datetime:
        """The instant this clock was set to, in UTC."""
        return self._at

    def move(self, by: timedelta) -> None:
        """Let time pass."""
        self._at += by
