"""Runner-ups as they are kept: JSON of [rep, p, value, price], best first."""

from collections.abc import Iterable

import orjson

from rightrep.domain.decision import RunnerUp
from rightrep.store.types import to_json


def runner_ups_text(ranked: Iterable[RunnerUp]) -> str:
    """Runner-ups as they are kept; a number that is NaN is null."""
    rows = [[r.rep_id, r.p_convert, r.value, r.shadow_price] for r in ranked]
    return to_json(rows)


def runner_ups_of(text: str) -> tuple[RunnerUp, ...]:
    """Runner-ups as they were kept, best first."""
    return tuple(
        RunnerUp(rep_id=rep_id, p_convert=p, value=value, shadow_price=price)
        for rep_id, p, value, price in orjson.loads(text)
    )
