"""Runner-ups as they are kept: JSON of [rep, p, value, price], best first."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import overload

import orjson

from rightrep.domain.decision import RunnerUp
from rightrep.store.types import to_json


class KeptRunnerUps(Sequence[RunnerUp]):
    """Runner-ups that were kept already, read when somebody looks at them.

    A plan's line hands its own on to the decision, where nobody does.

    Attributes:
        text: As ``runner_ups_text`` wrote them.
    """

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def _read(self) -> tuple[RunnerUp, ...]:
        return runner_ups_of(self.text)

    def __len__(self) -> int:
        return len(self._read)

    @overload
    def __getitem__(self, place: int) -> RunnerUp: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[RunnerUp]: ...

    def __getitem__(self, place: int | slice) -> RunnerUp | Sequence[RunnerUp]:
        return self._read[place]


def runner_ups_text(ranked: Iterable[RunnerUp]) -> str:
    """Runner-ups as they are kept; a number that is NaN is null."""
    if isinstance(ranked, KeptRunnerUps):
        return ranked.text
    rows = [[r.rep_id, r.p_convert, r.value, r.shadow_price] for r in ranked]
    return to_json(rows)


def runner_ups_of(text: str) -> tuple[RunnerUp, ...]:
    """Runner-ups as they were kept, best first."""
    return tuple(
        RunnerUp(rep_id=rep_id, p_convert=p, value=value, shadow_price=price)
        for rep_id, p, value, price in orjson.loads(text)
    )
