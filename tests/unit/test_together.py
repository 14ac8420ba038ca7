"""Questions asked at the same time are answered together."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from serving.usecases.together import MOST, Together


class Slow:
    """Answers with the double; the first call waits until it is let go."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.begun, self.go = threading.Event(), threading.Event()

    def __call__(self, questions: Sequence[int]) -> list[int | None]:
        self.asked.append(list(questions))
        self.begun.set()
        self.go.wait(timeout=30)
        if 13 in questions:
            raise ValueError("13")
        return [None if question == 7 else 2 * question for question in questions]


def ask_all(questions: Sequence[int], slow: Slow) -> list[int | None]:
    """Ask the first, and all others in their order while it is being answered."""
    together = Together()

    def ask(question: int) -> int | None:
        return together.ask("k", question, slow)

    with ThreadPoolExecutor(len(questions)) as threads:
        answers = [threads.submit(ask, questions[0])]
        assert slow.begun.wait(timeout=30)
        for n_waiting, question in enumerate(questions[1:], start=1):
            answers.append(threads.submit(ask, question))
            while len(together._lines["k"]) < n_waiting:
                threading.Event().wait(0.001)
        slow.go.set()
        found = [answer.result() for answer in answers]
    assert together._lines == {}
    return found


def test_everybody_gets_the_own_answer_from_two_calls_in_the_order_asked() -> None:
    slow = Slow()

    assert ask_all(range(21, 32), slow) == [2 * k for k in range(21, 32)]
    assert slow.asked == [[21], list(range(22, 32))]


def test_one_that_fails_sends_those_beside_it_to_ask_by_themselves() -> None:
    assert ask_all([1, 2, 13, 4], Slow()) == [2, None, None, None]


def test_one_that_is_left_out_asks_by_itself_and_the_others_are_answered() -> None:
    assert ask_all([1, 2, 7, 4], Slow()) == [2, 4, None, 8]


def test_no_more_than_a_batch_is_answered_at_once() -> None:
    slow = Slow()

    ask_all(range(100, 100 + MOST + 6), slow)

    assert [len(some) for some in slow.asked] == [1, MOST, 5]


def test_questions_of_different_kinds_never_meet() -> None:
    slow = Slow()
    together = Together()

    with ThreadPoolExecutor(2) as threads:
        mine = threads.submit(together.ask, "mine", 1, slow)
        assert slow.begun.wait(timeout=30)
        slow.begun.clear()
        other = threads.submit(together.ask, "other", 2, slow)
        assert slow.begun.wait(timeout=30)
        slow.go.set()
        assert (mine.result(), other.result()) == (2, 4)

    assert sorted(slow.asked) == [[1], [2]]
