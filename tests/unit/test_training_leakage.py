"""A column that knows the outcome is named; an honest one is left in peace."""

import json

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from features.columns import Column, Side
from features.history import History
from rightrep.errors import InvalidInput
from tests.made_history import SPAN_DAYS, START, made_history
from training.boosting import Trees
from training.leakage import Leak, Sign, leaks_in, refuse, suspicious
from training.rows import training_rows

N = 2_000


def column(name: str, *, categorical: bool = False, unit: str = "number") -> Column:
    return Column(
        name=name, side=Side.LEAD, unit=unit, meaning=name, categorical=categorical
    )


def drawn(
    seed: int = 0,
) -> tuple[np.random.Generator, NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether each was won, and whether each has closed by now."""
    rng = np.random.default_rng(seed)
    won = rng.random(N) < 0.3
    return rng, won, won | (rng.random(N) < 0.7)


def found(
    one: Column,
    values: NDArray[np.float64],
    won: NDArray[np.bool_],
    closed: NDArray[np.bool_],
) -> list[Sign]:
    rows = values.astype(np.float32)[:, None]
    return [leak.sign for leak in suspicious([one], rows, won, closed)]


def test_a_column_that_orders_leads_too_well_is_named() -> None:
    rng, won, closed = drawn()

    weak = found(column("budget"), won + rng.normal(size=N), won, closed)
    strong = found(column("paid"), 5.0 * won + rng.normal(size=N), won, closed)
    turned = found(column("unpaid"), -5.0 * won + rng.normal(size=N), won, closed)

    assert (weak, strong, turned) == ([], [Sign.ALONE], [Sign.ALONE])


def test_a_category_that_only_won_leads_have_is_named() -> None:
    rng, won, closed = drawn()
    stage = column("stage", categorical=True, unit="code of new|customer")
    honest = np.where(rng.random(N) < 0.3, 2.0, 1.0)

    leaks = suspicious(
        [stage], np.where(won, 2.0, 1.0).astype(np.float32)[:, None], won, closed
    )

    assert found(stage, honest, won, closed) == []
    assert {leak.sign for leak in leaks} == {Sign.GROUP}
    assert "where it is 'customer', 0 of" in leaks[-1].in_words()


def test_a_blank_without_any_win_is_named_once_for_all_columns_that_share_it() -> None:
    rng, won, closed = drawn()
    account = np.where(~won & (rng.random(N) < 0.3), np.nan, rng.normal(size=N))
    both = np.column_stack([account, account + 1.0]).astype(np.float32)

    leaks = suspicious([column("size"), column("revenue")], both, won, closed)

    assert leaks[0].columns == ("size", "revenue")
    assert leaks[0].sign is Sign.GROUP
    assert leaks[0].in_words().startswith("size, revenue: where it is blank, 0 of")


def test_a_blank_that_only_makes_a_win_rarer_is_honest() -> None:
    rng, won, closed = drawn()
    blank = rng.random(N) < np.where(won, 0.1, 0.3)

    assert found(column("size"), np.where(blank, np.nan, 1.0), won, closed) == []


def test_a_column_filled_in_on_closing_is_named() -> None:
    rng, won, closed = drawn()
    blank = ~closed & (rng.random(N) < 0.6)

    signs = found(column("reason"), np.where(blank, np.nan, 1.0), won, closed)

    assert Sign.CLOSED in signs


def test_a_field_given_up_lately_is_honest_though_open_leads_are_late_ones() -> None:
    rng, won, _ = drawn()
    place = np.arange(N) / N
    closed = won | (rng.random(N) > place)
    blank = rng.random(N) < np.where(place > 0.7, 0.95, 0.05)

    assert found(column("fax"), np.where(blank, np.nan, 1.0), won, closed) == []


def test_blanks_on_a_handful_of_leads_prove_nothing() -> None:
    _, won, closed = drawn()
    values = np.ones(N)
    values[np.flatnonzero(~won)[:30]] = np.nan

    assert found(column("size"), values, won, closed) == []


def planted(**fields: object) -> History:
    """A history whose leads carry an own field made from how they ended."""
    history = made_history(seed=3, n_leads=900, oddities=False)
    outcomes = history.outcomes.sort_values("closed_at").set_index("lead_id")
    closed = outcomes["closed_at"].groupby(level=0).first()
    versions = history.lead_versions.copy()
    ends = versions["lead_id"].map(closed)

    def attributes(end: pd.Timestamp) -> str:
        own = {} if pd.isna(end) else {"closed_on": f"{end:%Y-%m-%d}"}
        return json.dumps(own | fields)

    versions["attributes"] = [attributes(end) for end in ends]
    versions.loc[0, "attributes"] = np.nan  # nothing is known of this one
    return History(**(vars(history) | {"lead_versions": versions}))


def leaks_of(history: History) -> tuple[Leak, ...]:
    rows = training_rows(
        history,
        START + pd.Timedelta(days=SPAN_DAYS),
        label_window_days=60,
        trees=Trees(n_trees=5, n_threads=1),
    )
    return leaks_in(rows)


def test_a_field_of_times_after_the_decision_is_named() -> None:
    later = [leak for leak in leaks_of(planted()) if leak.sign is Sign.LATER]

    assert [leak.columns for leak in later] == [("attributes.closed_on",)]
    assert "later than the decision" in later[0].words


def test_unix_times_after_the_decision_are_named_too() -> None:
    year_2030 = 1_893_456_000

    leaks = leaks_of(planted(seen_at=year_2030, seen_ms=year_2030 * 1000, seats=12))

    names = {leak.columns[0] for leak in leaks if leak.sign is Sign.LATER}
    assert names == {"attributes.closed_on", "attributes.seen_at", "attributes.seen_ms"}


def test_a_history_without_a_leak_has_no_warning() -> None:
    assert leaks_of(made_history(seed=3, n_leads=900, oddities=False)) == ()


def test_leaks_are_refused_where_that_is_asked_for() -> None:
    leak = Leak(("stage",), Sign.ALONE, "alone it orders leads too well.")

    refuse(())
    with pytest.raises(InvalidInput, match="stage: alone it orders") as refused:
        refuse([leak])

    assert refused.value.field == "stage"
    assert refused.value.remedy is not None
