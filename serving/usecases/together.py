"""Questions that come while another is answered are answered together, at one cost.

As databases commit in groups: whoever finds nobody at work answers for all who wait.
"""

import threading
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Generic, TypeVar, cast

Question = TypeVar("Question")
Answer = TypeVar("Answer")

MOST = 64
"""Questions answered at once."""


class _Asked(Generic[Question, Answer]):
    """One question, and its answer once there is one."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self.is_done = False
        self._answer: Answer | None = None
        self._error: BaseException | None = None

    def done(
        self, answer: Answer | None = None, error: BaseException | None = None
    ) -> None:
        """Give the answer, or why there is none."""
        self._answer, self._error, self.is_done = answer, error, True

    def result(self) -> Answer:
        """The answer."""
        if self._error is not None:
            raise self._error
        return cast("Answer", self._answer)


class Together:
    """Brings questions of one kind together; safe to share between threads."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: dict[Hashable, tuple[threading.Lock, list[Any]]] = {}

    def ask(
        self,
        kind: Hashable,
        question: Question,
        answer: Callable[[Sequence[Question]], Sequence[Answer]],
    ) -> Answer:
        """The answer to one question.

        Args:
            kind: Only questions of equal kind are answered together; kept for good, so
                few there should be, such as one per tenant.
            question: What is asked.
            answer: Answers several questions of this kind, in order. Where it fails
                for several, each is asked alone, so that one cannot fail the others.
        """
        asked: _Asked[Question, Answer] = _Asked(question)
        with self._guard:
            at_work, waiting = self._waiting.setdefault(kind, (threading.Lock(), []))
            waiting.append(asked)
        with at_work:
            while not asked.is_done:
                with self._guard:
                    some = waiting[:MOST]
                    del waiting[:MOST]
                _answer(some, answer)
        return asked.result()


def _answer(
    some: Sequence[_Asked[Question, Answer]],
    answer: Callable[[Sequence[Question]], Sequence[Answer]],
) -> None:
    try:
        found = answer([one.question for one in some])
        for one, its in zip(some, found, strict=True):
            one.done(its)
    except Exception as error:  # noqa: BLE001 - raised again where it was asked
        if len(some) == 1:
            some[0].done(error=error)
            return
        for one in some:
            _answer([one], answer)
