"""Columns that know the outcome: an export with today's values under yesterday's dates.

As-of joins keep out what was recorded later. They cannot see that a file carries a
value under an earlier date than it had. What gives such a column away is how it goes
with outcomes: it tells them alone, it is blank where nothing was ever won, it is filled
in on closed leads only, or it holds times later than the decision.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import orjson
import pandas as pd

from features.as_of import (
    DAY,
    BoolArray,
    FloatArray,
    IntArray,
    instant,
    instants,
    take,
)
from features.columns import Column, Float32Array, Side
from features.lead_inputs import as_numbers, as_texts
from features.market import lead_version
from features.results import VOID
from rightrep.errors import InvalidInput
from training.evaluation import auc
from training.rows import TrainingRows

HIGHEST_AUC = 0.85
"""A single column that orders leads better than this is not believed: on demo markets
the best column reaches 0.60 and the whole model 0.69."""

FEWEST_EXPECTED = 20.0
"""Wins (or losses) that must be expected in a group before their absence is odd."""

MOST_OF_EXPECTED = 0.05
"""Share of the expected ones below which they count as absent."""

LEAST_EXCESS = 0.1
"""By how much open leads must be blank more often than closed ones of their time."""

LEAST_LATER = 0.2
"""Share of a field's times that must be later than the decision."""

_MOST_ROWS = 50_000
_FEWEST_ROWS = 20
_SIGMAS = 6.0
_TENTHS = 10
_SECONDS = (946_684_800, 4_102_444_800)  # the years 2000 to 2100 as Unix times
_DATE = r"^\d{4}-\d{2}-\d{2}"


class Sign(StrEnum):
    """What gave columns away."""

    ALONE = "tells the outcome alone"
    GROUP = "one group has one outcome only"
    CLOSED = "filled in on closed leads only"
    LATER = "holds times after the decision"


@dataclass(frozen=True, slots=True)
class Leak:
    """Columns that probably know the outcome, for one and the same reason.

    Attributes:
        columns: Their names; several where they are blank on the same leads.
        sign: What gave them away.
        words: The finding, as a sentence.
    """

    columns: tuple[str, ...]
    sign: Sign
    words: str

    def in_words(self) -> str:
        """Which columns, and why."""
        return f"{', '.join(self.columns)}: {self.words}"


def leaks_in(rows: TrainingRows) -> tuple[Leak, ...]:
    """Columns of training rows that probably know the outcome.

    At most 50,000 rows are looked at, spread evenly over time.

    Args:
        rows: Labelled decisions with their feature rows.
    """
    at = instant(rows.as_of)
    some = np.unique(
        np.linspace(
            0, rows.labels.n_rows - 1, min(rows.labels.n_rows, _MOST_ROWS)
        ).astype(np.int64)
    )
    labels = rows.labels.where(some)
    results = rows.known.own.decisions.results
    position = results.log.last(labels.decision, np.full(some.size, at))
    last = take(results.result, take(results.log.order, position, -1), VOID)
    found = suspicious(
        rows.contract.columns, rows.columns[some], labels.won, last != VOID
    )
    own = rows.known.own.leads
    version = lead_version(own, labels.lead, labels.decided_at)
    code, distinct = pd.factorize(own.attributes)
    text = take(code.astype(np.int64), version, -1)
    return (*found, *_later_fields(distinct.tolist(), text, labels.decided_at))


def refuse(leaks: Sequence[Leak]) -> None:
    """Refuse to learn from columns that know the outcome.

    Raises:
        InvalidInput: There is such a column.
    """
    if leaks:
        raise InvalidInput(
            f"{len(leaks)} signs that columns know the outcome; the first: "
            f"{leaks[0].in_words()}",
            field=leaks[0].columns[0],
            remedy="Leave them out of the import's mapping, or train without refusing.",
        )


def suspicious(
    columns: Sequence[Column], rows: Float32Array, won: BoolArray, closed: BoolArray
) -> tuple[Leak, ...]:
    """Columns whose values go with outcomes in a way that no honest column does.

    Args:
        columns: What each column is.
        rows: float32 (n_rows, n_columns), in order of time.
        won: Whether each was won within its label window; bool (n_rows,).
        closed: Whether each has closed by now, in whichever way; bool (n_rows,).
    """
    found = []
    blanks: dict[bytes, list[int]] = defaultdict(list)
    for k, column in enumerate(columns):
        values = rows[:, k]
        found += list(_of_values(column, values, won))
        blank = np.isnan(values)
        if column.side is Side.LEAD and blank.any() and not blank.all():
            blanks[np.packbits(blank).tobytes()].append(k)
    for same in blanks.values():
        names = tuple(columns[k].name for k in same)
        found += list(_of_blanks(names, np.isnan(rows[:, same[0]]), won, closed))
    return tuple(found)


def _of_values(column: Column, values: Float32Array, won: BoolArray) -> Iterator[Leak]:
    stated = ~np.isnan(values)
    if min(won[stated].sum(), (~won[stated]).sum()) < _FEWEST_ROWS:
        return
    if not column.categorical:
        alone = auc(won[stated], values[stated].astype(np.float64))
        alone = max(alone, 1.0 - alone)
        if alone > HIGHEST_AUC:
            words = f"alone it orders won and lost leads with an AUC of {alone:.2f}."
            yield Leak((column.name,), Sign.ALONE, words)
        return
    for code in np.unique(values[stated]):
        category = column.unit.removeprefix("code of ").split("|")
        name = category[int(code) - 1] if 1 <= code <= len(category) else "other"
        only = _one_outcome(values == code, stated & (values != code), won)
        if only:
            yield Leak((column.name,), Sign.GROUP, f"where it is {name!r}, {only}")


def _of_blanks(
    names: tuple[str, ...], blank: BoolArray, won: BoolArray, closed: BoolArray
) -> Iterator[Leak]:
    for group, name in ((blank, "blank"), (~blank, "stated")):
        words = _one_outcome(group, ~group, won)
        if words:
            yield Leak(names, Sign.GROUP, f"where it is {name}, {words}")
    expected, variance = _blanks_as_closed(blank, closed)
    n_open, n_blank = int((~closed).sum()), int((blank & ~closed).sum())
    excess = n_blank - expected
    if excess > max(LEAST_EXCESS * n_open, _SIGMAS * np.sqrt(variance), _FEWEST_ROWS):
        words = (
            f"blank on {n_blank / n_open:.0%} of the leads that are still open, on "
            f"{expected / n_open:.0%} of closed ones of the same time."
        )
        yield Leak(names, Sign.CLOSED, words)


def _one_outcome(group: BoolArray, rest: BoolArray, won: BoolArray) -> str | None:
    """Says so where a group lacks an outcome that it should have at the rest's rate."""
    if not rest.any():
        return None
    share, n = float(won[rest].mean()), int(group.sum())
    for name, seen, expected in (
        ("won", int(won[group].sum()), n * share),
        ("lost or open", int((~won[group]).sum()), n * (1.0 - share)),
    ):
        if expected >= FEWEST_EXPECTED and seen <= MOST_OF_EXPECTED * expected:
            among = share if name == "won" else 1.0 - share
            return f"{seen} of {n:,} leads are {name}; of the others {among:.0%} are."
    return None


def _blanks_as_closed(blank: BoolArray, closed: BoolArray) -> tuple[float, float]:
    """Blanks that open leads would have, were they as closed ones; and the variance.

    Compared within tenths of time, so that a field introduced or given up on the way
    is not taken for one that is filled in on closing.
    """
    expected = variance = 0.0
    for tenth in np.array_split(np.arange(blank.size), _TENTHS):
        n_closed, n_open = int(closed[tenth].sum()), int((~closed[tenth]).sum())
        if n_open == 0:
            continue
        n_blank = int(blank[tenth][closed[tenth]].sum())
        share = (n_blank + 0.5) / (n_closed + 1.0)
        expected += n_open * share
        variance += n_open * share * (1 - share) * (1 + n_open / (n_closed + 1.0))
    return expected, variance


def _later_fields(
    distinct: Sequence[str], text: IntArray, decided_at: IntArray
) -> Iterator[Leak]:
    """The tenant's own fields whose times are later than the decision.

    Args:
        distinct: Different values of the own fields, as JSON objects.
        text: Which of them each row has, or -1; int64 (n_rows,).
        decided_at: int64 (n_rows,), microseconds.
    """
    used, place = np.unique(text[text >= 0], return_inverse=True)
    if used.size == 0:
        return
    decided = decided_at[text >= 0]
    parsed = pd.DataFrame([orjson.loads(distinct[k]) for k in used], dtype=object)
    for name in parsed.columns:
        times = _times(parsed[name])[place]
        stated = ~np.isnan(times)
        later = times[stated] > decided[stated] + DAY
        if stated.sum() >= _FEWEST_ROWS and later.mean() >= LEAST_LATER:
            words = (
                f"{later.mean():.0%} of its {int(stated.sum()):,} times are later than "
                "the decision."
            )
            yield Leak((f"attributes.{name}",), Sign.LATER, words)


def _times(values: pd.Series) -> FloatArray:
    """Microseconds since 1970 of dates and Unix times; missing for anything else."""
    words = pd.Series(as_texts(values), dtype="str")
    dates = words.where(words.str.match(_DATE).fillna(value=False).astype(bool))
    parsed = pd.to_datetime(dates, utc=True, errors="coerce", format="ISO8601")
    out = instants(parsed).astype(np.float64)
    out[parsed.isna().to_numpy()] = np.nan
    numbers = as_numbers(values)
    for scale in (1.0, 1e-3):
        seconds = numbers * scale
        good = (seconds >= _SECONDS[0]) & (seconds <= _SECONDS[1])
        if good.any() and good.sum() == (~np.isnan(numbers)).sum():
            out[good] = seconds[good] * 1e6
    return out
