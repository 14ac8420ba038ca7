"""Questions that come while another is answered are answered together, at one cost.

As databases commit in groups: whoever finds nobody at work answers for all who wait,
and then the first of those who came meanwhile does. Nobody waits for company.
"""

import threading
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Generic, TypeVar

import structlog

Question = TypeVar("Question")
Answer = TypeVar("Answer")

MOST = 64
"""Questions answered at once."""

log = structlog.get_logger()


class _Asked(Generic[Question, Answer]):
    """One question, its answer once there is one, and the bell of who waits for it."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self.answer: Answer | None = None
        self.is_done = False
        self.bell = threading.Event()


class Together:
    """Brings questions of one kind together; safe to share between threads."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._lines: dict[Hashable, deque[Any]] = {}

    def ask(
        self,
        kind: Hashable,
        question: Question,
        answer: Callable[[Sequence[Question]], Sequence[Answer | None]],
    ) -> Answer | None:
        """The answer to one question; None where it is to be asked by itself.

        Args:
            kind: Only questions of equal kind are answered together.
            question: What is asked.
            answer: Answers questions of this kind, in the order in which they came;
                None leaves one out. Where it fails, all of them are left out, so that
                no question can fail another.
        """
        asked: _Asked[Question, Answer] = _Asked(question)
        with self._guard:
            line = self._lines.get(kind)
            if line is None:
                self._lines[kind] = deque()
            else:
                line.append(asked)
        if line is not None:
            asked.bell.wait()
        if not asked.is_done:
            self._answer(kind, asked, answer)
        return asked.answer

    def _answer(
        self,
        kind: Hashable,
        first: _Asked[Question, Answer],
        answer: Callable[[Sequence[Question]], Sequence[Answer | None]],
    ) -> None:
        """Answer for all who wait, then ring for them and for who comes next."""
        with self._guard:
            line = self._lines[kind]
            some = [first, *(line.popleft() for _ in range(min(len(line), MOST - 1)))]
        try:
            found = answer([one.question for one in some])
            for one, its in zip(some, found, strict=True):
                one.answer = its
        except Exception:
            log.warning("not answered together", questions=len(some), exc_info=True)
        finally:
            for one in some:
                one.is_done = True
            with self._guard:
                following = line.popleft() if line else None
                if following is None:
                    del self._lines[kind]
            for one in (*some[1:], following):
                if one is not None:
                    one.bell.set()
