"""Every kernel agrees with its plain NumPy twin."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from features.kernels import decay_in_place, latest_in_place, spans

IntArray = NDArray[np.int64]


def events(most: int = 30) -> st.SearchStrategy[tuple[IntArray, IntArray]]:
    """Keys and instants, sorted by key, then by instant."""
    pairs = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 50)), max_size=most)
    return pairs.map(sorted).map(
        lambda found: (
            np.array([key for key, _ in found], dtype=np.int64),
            np.array([at for _, at in found], dtype=np.int64),
        )
    )


@given(events(), st.data())
def test_a_decayed_sum_weighs_every_earlier_event_by_its_age(
    found: tuple[IntArray, IntArray], data: st.DataObject
) -> None:
    key, at = found
    shape = (key.size, 2)
    values = data.draw(hnp.arrays(np.float64, shape, elements=st.floats(-9, 9)))
    days = at.astype(np.float64)
    sums = values.copy()

    decay_in_place(key, days, 7.0, sums)

    for k in range(key.size):
        same = np.flatnonzero((key == key[k]) & (np.arange(key.size) <= k))
        kept = 0.5 ** ((days[k] - days[same]) / 7.0)
        np.testing.assert_allclose(sums[k], kept @ values[same], atol=1e-9)


@given(events(), st.data())
def test_the_latest_is_the_highest_so_far_and_of_equals_the_later(
    found: tuple[IntArray, IntArray], data: st.DataObject
) -> None:
    key, _ = found
    rank = data.draw(hnp.arrays(np.int64, key.size, elements=st.integers(0, 5)))
    best = np.empty(key.size, dtype=np.int64)

    latest_in_place(key, rank, best)

    for k in range(key.size):
        same = [i for i in range(k + 1) if key[i] == key[k]]
        assert best[k] == max(same, key=lambda i: (rank[i], i))


@given(
    events(),
    st.lists(st.tuples(st.integers(-1, 6), st.integers(-1, 60)), max_size=20),
    st.booleans(),
)
def test_a_span_counts_the_events_of_a_key_up_to_an_instant(
    found: tuple[IntArray, IntArray],
    asked: list[tuple[int, int]],
    searched: bool,
) -> None:
    key, at = found
    keys, starts = np.unique(key, return_index=True)
    starts = np.append(starts, key.size).astype(np.int64)
    slots = np.full(5, -1, dtype=np.int64)
    slots[keys] = np.arange(keys.size)
    wanted = np.array([k for k, _ in asked], dtype=np.int64)
    when = np.array([t for _, t in asked], dtype=np.int64)
    first, after = np.empty_like(wanted), np.empty_like(wanted)

    none = np.empty(0, dtype=np.int64)
    spans(keys, starts, none if searched else slots, at, wanted, when, first, after)

    counts = [int(((key == k) & (at <= t) & (k >= 0)).sum()) for k, t in asked]
    assert (after - first).tolist() == counts
