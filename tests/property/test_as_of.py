"""Features as of an instant do not depend on anything later.

Whatever is recorded after the instant is changed at random: dropped, rewritten, moved,
repeated. Nothing that is computed as of the instant may change.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from features.as_of import instant, instants
from features.columns import feature_rows
from features.health import customer_health
from features.history import Few, History
from features.known import Known, Own
from features.learn import learn_recipe
from features.profiles import (
    Batch,
    batch,
    contract_of,
    lead_rows,
    rep_and_pair_rows,
)
from features.recipe import Recipe
from features.standings import standings
from rightrep.domain.health import HealthRules
from rightrep.errors import InvalidInput
from tests.made_history import SPAN_DAYS, START, made_history
from training.dataset import labelled

RECIPE = Recipe(
    label_window_days=40,
    zone="America/New_York",
    categories={"industry": ("steel", "food"), "region": ("north",)},
    own_numbers=("seats",),
    own_categories={"plan": ("trial",)},
    deal_bands=(4_000.0, 9_000.0),
    size_bands=(50.0, 200.0),
)


@cache
def history() -> History:
    return made_history(seed=11, n_leads=150)


def known(found: History) -> Known:
    facts = Known.of(found, RECIPE)
    return facts.rated(chances(facts.own.decisions.ids))


def chances(ids: pd.Index) -> NDArray[np.float64]:
    """Any chance will do, as long as a decision has the same one every time."""
    return np.array([(hash(one) % 83) / 100.0 + 0.05 for one in ids])


@cache
def present() -> Known:
    return known(history())


instants_asked = st.integers(60 * 1440, SPAN_DAYS * 1440).map(
    lambda minutes: START + pd.Timedelta(minutes=minutes)
)


def changed(found: History, at: pd.Timestamp, seed: int) -> History:
    """The same up to an instant, and something else from there on."""
    rng = np.random.default_rng(seed)
    return replace(
        found,
        lead_versions=_later(found.lead_versions, at, rng, _other_attributes),
        rep_versions=_later(found.rep_versions, at, rng, _other_team),
        decisions=_later(found.decisions, at, rng, _other_rep),
        outcomes=_later(found.outcomes, at, rng, _other_result),
        activities=_later(found.activities, at, rng, _other_kind),
        ownership=_later(found.ownership, at, rng, _other_owner),
        merges=_undone_otherwise(
            _later(found.merges, at, rng, _other_survivor), at, rng
        ),
    )


Change = Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]
TIMES = (
    "valid_from",
    "recorded_at",
    "decided_at",
    "closed_at",
    "happened_at",
    "merged_at",
)


def _later(
    table: pd.DataFrame, at: pd.Timestamp, rng: np.random.Generator, change: Change
) -> pd.DataFrame:
    times = [name for name in TIMES if name in table.columns]
    later = (table[times].max(axis=1) > at).to_numpy()
    kept = table[later]
    kept = kept[rng.random(len(kept)) < 0.7]
    moved = change(kept.copy(), rng)
    shift = pd.to_timedelta(rng.integers(1, 90 * 1440, len(moved)), unit="min")
    for name in times:
        moved[name] = moved[name].where(moved[name] <= at, at + shift)
    return pd.concat([table[~later], moved], ignore_index=True)


def _shuffled(
    table: pd.DataFrame, names: list[str], rng: np.random.Generator
) -> pd.DataFrame:
    for name in names:
        table[name] = table[name].to_numpy()[rng.permutation(len(table))]
    return table


def _other_attributes(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    names = ["industry", "region", "product", "channel", "deal_value", "attributes"]
    return _shuffled(table, names, rng)


def _other_team(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    return _shuffled(table, ["team", "region", "languages", "products"], rng)


def _other_rep(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    return _shuffled(table, ["rep_id", "propensity"], rng)


def _other_result(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    flipped = rng.random(len(table)) < 0.5
    table["result"] = np.where(flipped, "won", "lost")
    return table


def _other_kind(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    return _shuffled(table, ["kind", "rep_id", "score"], rng)


def _other_owner(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    return _shuffled(table, ["previous_owner"], rng)


def _other_survivor(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    return _shuffled(table, ["survivor_id"], rng)


def _undone_otherwise(
    table: pd.DataFrame, at: pd.Timestamp, rng: np.random.Generator
) -> pd.DataFrame:
    later = table["undone_at"] > at
    shift = pd.to_timedelta(rng.integers(1, 90 * 1440, len(table)), unit="min")
    return table.assign(undone_at=table["undone_at"].mask(later, at + shift))


def everything(found: Known, at: pd.Timestamp) -> Batch:
    leads = found.own.leads
    there = leads.ids[leads.created_at <= instant(at)]
    return batch(found, at, list(there), list(found.own.rep_ids))


def assert_same(one: Batch, other: Batch) -> None:
    np.testing.assert_array_equal(one.leads, other.leads)
    np.testing.assert_array_equal(one.reps, other.reps)
    np.testing.assert_array_equal(one.deal_value, other.deal_value)
    lead, rep = np.divmod(
        np.arange(len(one.lead_ids) * len(one.rep_ids)), len(one.rep_ids)
    )
    np.testing.assert_array_equal(
        one.affinity.pairs(lead, rep), other.affinity.pairs(lead, rep)
    )


@settings(max_examples=30)
@given(at=instants_asked, seed=st.integers(0, 2**32))
def test_no_column_sees_what_comes_after_its_instant(
    at: pd.Timestamp, seed: int
) -> None:
    other = known(changed(history(), at, seed))

    assert_same(everything(present(), at), everything(other, at))


@settings(max_examples=10)
@given(at=instants_asked, seed=st.integers(0, 2**32), rep=st.integers(0, 7))
def test_no_rating_in_words_sees_what_comes_after_its_instant(
    at: pd.Timestamp, seed: int, rep: int
) -> None:
    other = known(changed(history(), at, seed))
    rep_id = str(present().own.rep_ids[rep])

    told, again = (standings(found, rep_id, at) for found in (present(), other))

    assert told == again


@settings(max_examples=30)
@given(at=instants_asked, seed=st.integers(0, 2**32))
def test_no_customers_health_sees_what_comes_after_its_instant(
    at: pd.Timestamp, seed: int
) -> None:
    other = changed(history(), at, seed)

    one, two = (customer_health(it, at, HealthRules()) for it in (history(), other))

    assert list(one.customer_ids) == list(two.customer_ids)
    np.testing.assert_allclose(one.score, two.score, rtol=1e-12)


@settings(max_examples=15)
@given(at=instants_asked, seed=st.integers(0, 2**32))
def test_no_label_and_no_recipe_sees_what_comes_after_its_instant(
    at: pd.Timestamp, seed: int
) -> None:
    end = instant(at)
    found = [Own.of(one) for one in (history(), changed(history(), at, seed))]
    labels = [labelled(one, RECIPE, end) for one in found]
    recipes = [learn_recipe(one, end) for one in found]
    judged = [
        dict(zip(one.decisions.ids[rows.decision], rows.won, strict=True))
        for one, rows in zip(found, labels, strict=True)
    ]

    assert judged[0] == judged[1]
    assert recipes[0] == recipes[1]


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32))
def test_a_row_recomputed_as_of_its_decision_is_the_row_it_was_trained_on(
    seed: int,
) -> None:
    found = present()
    decisions = found.own.decisions
    some = np.random.default_rng(seed).integers(len(decisions.ids), size=6)
    lead, rep, at = decisions.lead, decisions.rep, decisions.decided_at
    trained = np.hstack(
        [
            lead_rows(found, lead[some], at[some]),
            rep_and_pair_rows(found, lead[some], rep[some], at[some]),
        ]
    )

    for row, k in zip(trained, some, strict=True):
        as_of = pd.Timestamp(int(at[k]), unit="us", tz="UTC")
        asked = [str(found.own.leads.ids[lead[k]]), str(found.own.leads.ids[0])]
        made = batch(found, as_of, asked, list(found.own.rep_ids))
        pair = np.array([0]), np.array([rep[k]])
        again = feature_rows(
            made.leads, made.reps, made.affinity, lead=pair[0], rep=pair[1]
        )
        np.testing.assert_array_equal(again[0], row)


@settings(max_examples=10)
@given(at=instants_asked, seed=st.integers(0, 2**32))
def test_a_lead_looks_the_same_from_its_own_rows_as_from_the_whole_history(
    at: pd.Timestamp, seed: int
) -> None:
    found = present()
    leads = history().leads
    lead = leads.iloc[np.random.default_rng(seed).integers(len(leads))]
    part = part_of(history(), lead["lead_id"])
    reps = list(found.own.rep_ids)

    whole = batch(found, at, [lead["lead_id"]], reps)

    for rows in (part, few_of(part)):
        own = Own.of(rows, found.own.rep_ids)
        assert_same(whole, batch(found, at, [lead["lead_id"]], reps, own=own))


def few_of(found: History) -> Few:
    """The same rows as they come from the store for a few leads."""
    return Few(
        **{
            name: {column: as_array(frame[column]) for column in frame.columns}
            for name, frame in vars(found).items()
            if not name.startswith("rep")
        }
    )


def as_array(column: pd.Series) -> NDArray[Any]:
    if column.dtype.kind == "M":
        return instants(column)
    if column.dtype == "str":
        return np.array([None if x != x else x for x in column], dtype=object)
    return column.to_numpy(np.float64)


def test_a_few_leads_need_to_be_told_the_reps() -> None:
    with pytest.raises(InvalidInput, match="reps"):
        Own.of(few_of(part_of(history(), "lead-000001")))


def part_of(found: History, lead_id: str) -> History:
    """What concerns a lead, its merges and all their customers."""
    merges = found.merges
    together = {lead_id}
    for _ in range(3):
        touching = merges["lead_id"].isin(together) | merges["survivor_id"].isin(
            together
        )
        together |= set(
            merges.loc[touching, ["lead_id", "survivor_id"]].to_numpy().flat
        )
    leads = found.leads
    customers = leads.loc[leads["lead_id"].isin(together), "customer_id"].dropna()
    chosen = leads["lead_id"].isin(together) | leads["customer_id"].isin(customers)
    ids = leads.loc[chosen, "lead_id"]
    tables = {
        name: table[table["lead_id"].isin(ids)].reset_index(drop=True)
        for name, table in vars(found).items()
        if "lead_id" in table.columns
    }
    return History.of(tables)


def test_the_contract_has_as_many_columns_as_the_rows() -> None:
    found = present()
    made = everything(found, START + pd.Timedelta(days=200))
    contract = contract_of(RECIPE)

    n_pair = made.affinity.n_columns
    assert len(contract.names) == made.leads.shape[1] + made.reps.shape[1] + n_pair
