"""What was worked out once and is asked for again, kept in memory."""

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Kept(Generic[Key, Value]):
    """The newest values by key, safe to share by threads.

    What a key stands for never changes, so nothing is ever made anew: a key names the
    day, or the version, that its value is of.
    """

    def __init__(self, most: int) -> None:
        """Empty.

        Args:
            most: Values kept; the oldest go first.
        """
        self._most = most
        self._values: dict[Key, Value] = {}
        self._guard = threading.Lock()

    def get(self, key: Key, make: Callable[[], Value]) -> Value:
        """The value of a key; made where it is not kept, by each thread that asks."""
        try:
            return self._values[key]
        except KeyError:
            made = make()
        with self._guard:
            while len(self._values) >= self._most:
                del self._values[next(iter(self._values))]
            self._values[key] = made
        return made
