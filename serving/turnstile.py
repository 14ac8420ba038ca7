"""A turnstile: few pass at once, few wait, and the rest are told to come again.

What is slow and open to strangers stands behind one. Requests share a fixed number of
threads, so not only the work is bounded but also how many of them stand in line.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rightrep.errors import TooManyTries

CROWDED = "Too many people are signing in at this moment. Try again in a few seconds."
_RETRY_SECONDS = 3


class Turnstile:
    """Lets ``at_once`` pass and ``waiting`` more wait."""

    def __init__(self, *, at_once: int, waiting: int) -> None:
        """Nobody is there yet."""
        self._room = threading.BoundedSemaphore(at_once + waiting)
        self._passing = threading.BoundedSemaphore(at_once)

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Pass, perhaps after a wait.

        Raises:
            TooManyTries: Too many wait already.
        """
        if not self._room.acquire(blocking=False):
            raise TooManyTries(CROWDED, retry_after_seconds=_RETRY_SECONDS)
        try:
            with self._passing:
                yield
        finally:
            self._room.release()
