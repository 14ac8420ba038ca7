"""Questions asked at the same time are answered together."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from serving.usecases.together import MOST, Together


class Slow:
    """Answers with the double; the first call waits until it is let go."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.begun, self.go = threading.Event(), threading.Event()

    def __call__(self, questions: Sequence[int]) -> list[int]:
        self.sizes.append(len(questions))
        self.begun.set()
        self.go.wait(timeout=30)
        if 13 in questions:
            raise ValueError("13")
        return [2 * question for question in questions]


def ask_all(questions: Sequence[int], slow: Slow) -> list[int | str]:
    """Ask the first, and all others while it is being answered."""
    together = Together()

    def ask(question: int) -> int | str:
        try:
            return together.ask("k", question, slow)
        except ValueError as error:
            return str(error)

    with ThreadPoolExecutor(len(questions)) as threads:
        first = threads.submit(ask, questions[0])
        assert slow.begun.wait(timeout=30)
        others = [threads.submit(ask, question) for question in questions[1:]]
        while len(together._waiting["k"][1]) < len(others):
            threading.Event().wait(0.001)
        slow.go.set()
        return [first.result(), *(other.result() for other in others)]


def test_everybody_gets_the_own_answer_from_two_calls() -> None:
    slow = Slow()

    assert ask_all(range(1, 12), slow) == [2 * k for k in range(1, 12)]
    assert slow.sizes == [1, 10]


def test_one_that_fails_does_not_fail_the_others() -> None:
    slow = Slow()

    answers = ask_all([1, 2, 13, 4], slow)

    assert answers == [2, 4, "13", 8]


def test_no_more_than_a_batch_is_answered_at_once() -> None:
    slow = Slow()

    ask_all(range(100, 100 + MOST + 6), slow)

    assert slow.sizes == [1, MOST, 5]


def test_one_alone_is_answered_at_once_and_its_error_is_its_own() -> None:
    def answer(questions: Sequence[int]) -> list[int]:
        return [10 // question for question in questions]

    together = Together()

    assert together.ask("k", 5, answer) == 2
    with pytest.raises(ZeroDivisionError):
        together.ask("k", 0, answer)
    assert together.ask("other", 2, answer) == 5
