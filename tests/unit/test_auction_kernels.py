"""The auction's compiled kernels against their twins in plain NumPy and Python."""

import heapq

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.families import drawn
from optimizer.auction import CLOSED
from optimizer.auction_kernels import (
    GROUPS,
    WIDTH,
    Batch,
    Held,
    Shortlists,
    hold_auction,
    largest,
    largest_listed,
    list_reps,
    margins,
    prove,
)
from optimizer.problem import FloatArray, IntArray, Problem
from tests.property.test_auction import batches

WIDE = ("dense", "sparse", "segments", "five_grades", "losses")
INCREMENT = 1e-3


@st.composite
def wide_batches(draw: st.DrawFn) -> Batch:
    """Few leads and more reps than a short list has room for."""
    n_reps = draw(st.sampled_from([1, 7, 63, 64, 65, 200, 500]))
    family = draw(st.sampled_from(WIDE))
    return as_batch(drawn(family, 9, n_reps, seed=draw(st.integers(0, 999))))


def as_batch(problem: Problem) -> Batch:
    masked = not problem.eligible.all()
    capacity = np.minimum(problem.capacity, problem.n_leads + 1)
    fields = problem.value, problem.eligible, masked, capacity, problem.floor
    return Batch(*fields, stay=-1e-12)


def prices(n_reps: int, seed: int) -> FloatArray:
    return np.append(np.random.default_rng(seed).random(n_reps), 0.0)


def listed(batch: Batch, price: FloatArray) -> Shortlists:
    n_leads = len(batch.value)
    lists = Shortlists(
        np.empty((n_leads, WIDTH), np.int32),
        np.empty((n_leads, WIDTH), batch.value.dtype),
        np.empty(n_leads, np.int32),
        np.empty(n_leads),
    )
    list_reps(batch, price, lists)
    return lists


def worth(batch: Batch, price: FloatArray) -> FloatArray:
    """Value after price of each pair, in float64; ``-inf`` where not allowed."""
    after = batch.value.astype(np.float64) - price[: batch.value.shape[1]]
    return np.where(batch.eligible, after, -np.inf)


def nothing_held(batch: Batch) -> Held:
    n_leads, n_reps = batch.value.shape
    return Held(
        np.full(n_leads, n_reps, np.int32),
        np.full(n_leads, batch.stay),
        np.zeros(n_reps, np.int64),
    )


@given(batch=wide_batches(), seed=st.integers(0, 99))
def test_a_short_list_leaves_out_nobody_worth_more_than_it_says(
    batch: Batch, seed: int
) -> None:
    price = prices(batch.value.shape[1], seed)

    lists = listed(batch, price)

    for lead, after in enumerate(worth(batch, price)):
        chosen = lists.rep[lead, : lists.length[lead]]
        left_out = np.delete(after, chosen)
        n_eligible = int(batch.eligible[lead].sum())
        assert len(set(chosen.tolist())) == len(chosen) >= min(GROUPS, n_eligible)
        assert batch.eligible[lead, chosen].all()
        assert (after[chosen] >= lists.left_out[lead]).all()
        assert left_out.max(initial=-np.inf) <= lists.left_out[lead]
        assert (lists.value[lead, : len(chosen)] == batch.value[lead, chosen]).all()


@given(batch=wide_batches(), seed=st.integers(0, 99))
def test_largest_and_margins(batch: Batch, seed: int) -> None:
    price = prices(batch.value.shape[1], seed)
    lists, margin = listed(batch, price), np.empty(len(batch.value))

    margins(lists, price, batch.stay, margin)

    places = np.column_stack([worth(batch, price), np.full((9, 2), batch.stay)])
    best_two = np.sort(places, axis=1)[:, -2:]
    used = np.arange(WIDTH) < lists.length[:, None]
    sizes = np.abs(batch.value.astype(np.float64))
    assert np.allclose(margin, np.diff(best_two)[:, 0])
    assert largest(batch) == sizes.max(where=batch.eligible, initial=0.0)
    assert largest_listed(lists) == np.abs(lists.value).max(where=used, initial=0.0)


@given(batch=wide_batches(), seed=st.integers(0, 99))
def test_prove_sums_what_leads_could_gain_and_lists_those_who_could(
    batch: Batch, seed: int
) -> None:
    price, held = prices(batch.value.shape[1], seed), nothing_held(batch)
    lists = listed(batch, np.zeros_like(price))

    gain, n_gaining = prove(batch, price, held, 1e-9, lists)

    best = worth(batch, price).max(axis=1)
    fresh, could = listed(batch, price), best > batch.stay + 1e-9
    assert gain == np.maximum(best, 0.0).sum() or np.isclose(gain, best[best > 0].sum())
    assert n_gaining == could.sum()
    assert (lists.left_out[could] == fresh.left_out[could]).all()


def auction_twin(batch: Batch, price: FloatArray) -> tuple[IntArray, FloatArray]:
    """The same auction, every row read whole, slots in Python's own heaps."""
    n_leads, n_reps = batch.value.shape
    rep_of, price = np.full(n_leads, n_reps), price.copy()
    slots: list[list[tuple[float, int]]] = [[] for _ in range(n_reps)]
    for first in range(n_leads):
        lead: int | None = first
        while lead is not None:
            after = np.append(worth(batch, price)[lead], [batch.stay, batch.stay])
            rep = int(after.argmax())
            if after[rep] <= batch.stay:
                break
            ahead = after[rep] - np.delete(after, rep).max()
            held, offer = slots[rep], (price[rep] + ahead + INCREMENT, lead)
            rep_of[lead] = rep
            lead = None
            room = batch.floor[rep] if price[rep] < 0 else batch.capacity[rep]
            if len(held) < room:
                heapq.heappush(held, offer)
            else:
                _, lead = heapq.heappushpop(held, offer) if room else offer
                rep_of[lead] = n_reps
            price[rep] = price_after(batch, rep, held, price[rep])
    return rep_of, price


def price_after(
    batch: Batch, rep: int, held: list[tuple[float, int]], price: float
) -> float:
    if len(held) < batch.floor[rep]:
        return price
    lowest = held[0][0]
    if len(held) < batch.capacity[rep]:
        lowest = min(lowest, 0.0)
    return max(price, lowest)


@given(
    problem=st.builds(
        drawn,
        st.sampled_from(["dense", "load_floors", "sparse", "losses", "deal_values"]),
        st.sampled_from([5, 40]),
        st.sampled_from([3, 9]),
        seed=st.integers(0, 999),
    ),
    start=st.sampled_from([-0.3, 0.0, 0.2]),
)
def test_the_auction_is_its_twin(problem: Problem, start: float) -> None:
    batch = as_batch(problem)
    first = np.where(batch.floor > 0, start, max(start, 0.0))
    price = np.append(np.where(batch.capacity > 0, first, CLOSED), 0.0)
    rep_of, price_then = auction_twin(batch, price)
    lists, held = listed(batch, price), nothing_held(batch)

    hold_auction(batch, price, lists, held, INCREMENT, 10**9)

    assert held.rep_of.tolist() == rep_of.tolist()
    assert np.allclose(price, price_then, atol=1e-12)


@given(problem=batches())
def test_the_auction_never_ends_over_capacity_and_gives_what_leads_asked_for(
    problem: Problem,
) -> None:
    batch = as_batch(problem)
    price = np.append(np.where(batch.capacity > 0, 0.0, CLOSED), 0.0)
    lists, held = listed(batch, price), nothing_held(batch)

    hold_auction(batch, price, lists, held, INCREMENT, 2 * problem.n_leads)

    given_to = held.rep_of < problem.n_reps
    leads = np.flatnonzero(given_to)
    load = np.bincount(held.rep_of[given_to], minlength=problem.n_reps)
    assert (load == held.load).all()
    assert (load <= batch.capacity).all()
    assert problem.eligible[leads, held.rep_of[leads]].all()
    assert (held.value_of[leads] == problem.value[leads, held.rep_of[leads]]).all()
    assert (price[:-1] >= 0).all()


def test_prices_double_their_increment_when_reps_tie() -> None:
    """Ten equal leads for nine equal slots: one increment at a time takes for ever."""
    problem = drawn("all_equal", 10, 3)
    batch = as_batch(problem)._replace(capacity=np.array([3, 3, 3]))

    bids = [bids_until_settled(batch, patience) for patience in (0, 10**9)]

    assert bids[0] < 200 < 2_000 < bids[1]


def bids_until_settled(batch: Batch, patience: int) -> int:
    price = np.zeros(batch.value.shape[1] + 1)
    lists, held = listed(batch, price), nothing_held(batch)
    return int(hold_auction(batch, price, lists, held, INCREMENT, patience))
