"""Requests of a group keep their own keys, refusals and slots, on both databases."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from rightrep.errors import KeyInUse
from rightrep.store.decisions import list_decisions
from rightrep.store.engine import Store
from serving.routes.assignments import _told
from serving.usecases import next_group
from serving.usecases.next_group import Asked, answer_together
from tests.serving_parts import ACME, Served, serve

LEADS = [f"l{k}" for k in range(8)]


@pytest.fixture
def served(store: Store, tmp_path: Path) -> Served:
    """Three reps with three slots each, eight leads, no model."""
    served = serve(store, tmp_path)
    served.add_reps("ann", "bob", "cy", holding_limit=3)
    served.add_leads(*LEADS)
    return served


def asked(*names: str, keys: Sequence[str | None] | None = None) -> list[Asked]:
    return [
        Asked(lead=name, actor="k", key=key, body_hash=f"hash of {name}")
        for name, key in zip(names, keys or [None] * len(names), strict=True)
    ]


def group(served: Served, some: Sequence[Asked]) -> list[bytes | None]:
    return answer_together(served.context, ACME, some, tell=_told)


def given(served: Served) -> Counter[str]:
    """Leads that each rep was given."""
    with served.context.store.read(ACME) as session:
        made = list_decisions(session, limit=100).decisions
    return Counter(one.rep_id for one in made)


def test_a_group_goes_over_no_limit_and_says_who_gets_nobody(served: Served) -> None:
    more = served.add_leads("l8", "l9", "l10")

    answers = group(served, asked(*LEADS, *more))

    assert None not in answers
    assert sorted(given(served).values()) == [3, 3, 3]
    assert sum(b'"rep_id":null' in (one or b"") for one in answers[9:]) == 2


def test_what_is_refused_is_left_to_be_asked_alone(served: Served) -> None:
    served.next("l0")

    answers = group(served, asked("l0", "nobody", "l1", "l1", "l2"))

    assert [one is not None for one in answers] == [False, False, True, False, True]
    assert given(served).total() == 3


def test_an_answer_with_a_key_is_kept_with_its_lead(served: Served) -> None:
    some = asked("l0", "l1", "l2", keys=["a", None, "b"])

    first = group(served, some)
    again = group(served, some)

    assert None not in first
    # Used keys and owned leads are answered alone, where the kept answer is found.
    assert again == [None, None, None]
    assert given(served).total() == 3


def test_two_requests_of_one_key_have_one_effect(served: Served) -> None:
    answers = group(served, asked("l0", "l1", keys=["same", "same"]))

    assert [one is not None for one in answers] == [True, False]
    assert given(served).total() == 1


def test_a_group_that_fails_leaves_nothing_and_everybody_asks_alone(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def in_use(*_: object, **__: object) -> None:
        raise KeyInUse("a", retry_after_seconds=1)

    monkeypatch.setattr(next_group, "keep_answers", in_use)

    assert group(served, asked("l0", "l1", keys=["a", None])) == [None, None]
    assert given(served).total() == 0
    assert served.next("l0").status_code == 200


def test_over_http_everybody_gets_the_own_answer(served: Served) -> None:
    sent = [*LEADS, *LEADS[:4], "nobody"]

    def ask(name: str) -> Any:
        return served.next(name, headers={"Idempotency-Key": f"give {name}"})

    with ThreadPoolExecutor(len(sent)) as threads:
        answers = list(threads.map(ask, sent))

    decided: dict[str, set[str]] = {}
    for name, answer in zip(sent, answers, strict=True):
        expected = 404 if name == "nobody" else 200
        assert answer.status_code == expected, answer.text
        if expected == 200:
            decided.setdefault(name, set()).add(answer.json()["decision_id"])
    assert all(len(ids) == 1 for ids in decided.values())
    assert given(served).total() == len(LEADS)
