"""The tree of exchanges against what it stands for: cheapest ways to give up a slot."""

import numpy as np
from hypothesis import assume, given

from optimizer.auction import CLOSED, solve_auction
from optimizer.auction_kernels import Batch, Held
from optimizer.exchange_kernels import (
    Tree,
    Watch,
    new_tree,
    plant,
    refresh,
    slot_price,
    sweep,
)
from optimizer.problem import Problem
from optimizer.verify import loads
from tests.property.test_auction import batches, largest
from tests.unit.test_auction_kernels import as_batch, listed

TOLERANCE = 1e-11


def planted(problem: Problem) -> tuple[Batch, Held, Tree]:
    """The best plan's tree, grown from its prices."""
    result = solve_auction(problem, exact=True)
    batch = as_batch(problem)._replace(stay=0.0)
    rep_of = np.where(result.plan.rep_of < 0, problem.n_reps, result.plan.rep_of)
    value = np.column_stack([problem.value, np.zeros(problem.n_leads)])
    value_of = value[np.arange(problem.n_leads), rep_of]
    held = Held(rep_of.astype(np.int32), value_of, loads(problem, result.plan).copy())
    price = np.where(problem.capacity > 0, result.shadow_price, CLOSED)
    tree = new_tree(np.append(price, 0.0))
    plant(batch, listed(batch, tree.price), held, 0.0, tree)
    return batch, held, tree


def depth(tree: Tree, rep: int) -> int:
    root, steps = len(tree.price) - 1, 0
    while rep != root:
        rep, steps = int(tree.parent[rep]), steps + 1
        assert steps < len(tree.price), "the tree has a round"
    return steps


@given(problem=batches())
def test_every_rep_hangs_from_the_root_and_its_price_is_its_way_there(
    problem: Problem,
) -> None:
    _, held, tree = planted(problem)
    price, root = tree.price, problem.n_reps

    for rep in np.flatnonzero(problem.capacity > 0):
        parent, lead = int(tree.parent[rep]), int(tree.lead[rep])
        assert depth(tree, int(rep)) >= 1
        if lead < 0:
            assert parent == root
            assert held.load[rep] < problem.capacity[rep]
            assert price[rep] == 0.0
        else:
            there = 0.0 if parent == root else problem.value[lead, parent]
            assert held.rep_of[lead] == rep
            assert tree.worth[rep] == there
            way = price[parent] + held.value_of[lead] - there
            assert np.isclose(price[rep], way, rtol=0, atol=TOLERANCE * scale(problem))


@given(problem=batches())
def test_the_tree_of_the_best_plan_has_its_shadow_prices(problem: Problem) -> None:
    assume(not problem.floor.any())
    expected = solve_auction(problem, exact=True).shadow_price

    _, _, tree = planted(problem)

    slots = problem.capacity > 0
    apart = np.abs(tree.price[:-1] - expected)[slots]
    assert apart.max(initial=0.0) <= 1e-9 * scale(problem)


@given(problem=batches())
def test_refreshed_prices_are_the_same_prices(problem: Problem) -> None:
    _, held, tree = planted(problem)
    before = tree.price.copy()

    refresh(held, tree, 0.0)

    assert np.allclose(tree.price, before, rtol=0, atol=TOLERANCE * scale(problem))


@given(problem=batches())
def test_a_sweep_never_makes_a_plan_worse_and_keeps_every_limit(
    problem: Problem,
) -> None:
    """From a plan that gives nobody anything, sweep by sweep."""
    batch = as_batch(problem)._replace(floor=np.zeros_like(problem.floor))
    held, tree, watch = from_nothing(batch)
    lists = listed(batch, tree.price)
    values = [0.0]
    for _ in range(20):
        sweep(batch, lists, held, tree, watch, 0.0, 1e-11 * scale(problem), full=True)
        given_to = held.rep_of < problem.n_reps
        values.append(float(held.value_of[given_to].sum()))
        load = np.bincount(held.rep_of[given_to], minlength=problem.n_reps)
        assert (load == held.load).all()
        assert (load <= problem.capacity).all()

    assert (np.diff(values) >= -1e-9 * scale(problem)).all()


def from_nothing(batch: Batch) -> tuple[Held, Tree, Watch]:
    n_leads, n_reps = batch.value.shape
    held = Held(
        np.full(n_leads, n_reps, np.int32),
        np.full(n_leads, batch.stay),
        np.zeros(n_reps, np.int64),
    )
    tree = new_tree(np.append(np.where(batch.capacity > 0, 0.0, CLOSED), 0.0))
    plant(batch, listed(batch, tree.price), held, 0.0, tree)
    watch = Watch(np.full(n_leads, -1.0), np.zeros(n_leads), np.zeros(1))
    return held, tree, watch


def test_a_slot_that_is_owed_a_lead_pays_for_it() -> None:
    batch = Batch(
        np.ones((3, 1)),
        np.ones((3, 1), np.bool_),
        False,
        np.array([3]),
        np.array([2]),
        0.0,
    )

    prices = [slot_price(batch, load, 0, 7.0) for load in range(3)]

    assert prices == [-7.0, -7.0, 0.0]


def scale(problem: Problem) -> float:
    return max(largest(problem), 1.0)
