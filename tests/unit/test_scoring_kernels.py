"""Every compiled kernel of pair scoring against its twin in plain NumPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from features.columns import Float32Array
from tests.scored_markets import AWKWARD, ODD_CATEGORIES
from training import scoring_kernels as kernels
from training.calibration import BetaCalibration
from training.forest import (
    AT_MOST,
    AT_MOST_NOT_ZERO,
    AT_MOST_OR_ZERO,
    IN_SET,
    NOT_ABOVE,
)
from training.leaf_lookup import ENTRIES, LANES, add_looked_up
from training.leaf_words import SPLIT, WordArray
from training.scoring_kernels import CountArray

seeds = st.integers(0, 2**32 - 1)


def answers(
    kind: int, threshold: np.float32, chosen: set[int], values: Float32Array
) -> list[bool]:
    """The twin of ``ask``: the question in words, value by value."""
    match kind:
        case _ if kind == AT_MOST:
            return [bool(x <= threshold) for x in values]
        case _ if kind == NOT_ABOVE:
            return [not x > threshold for x in values]
        case _ if kind == AT_MOST_OR_ZERO:
            return [bool(x <= threshold or x == 0 or np.isnan(x)) for x in values]
        case _ if kind == AT_MOST_NOT_ZERO:
            return [bool(x <= threshold and x != 0) for x in values]
    whole = [int(x) if np.isfinite(x) and x > -1 else -1 for x in values]
    return [category in chosen for category in whole]


def asked(
    kind: int, threshold: np.float32, chosen: set[int], values: Float32Array
) -> list[bool]:
    n_words = max(chosen, default=0) // 32 + 1
    sets = np.zeros(n_words, dtype=np.uint32)
    for category in chosen:
        sets[category // 32] |= np.uint32(1 << category % 32)
    split = np.zeros(1, dtype=SPLIT)
    split[0] = (0, kind, threshold, 0b10, 0b01, 0, n_words)
    left = np.full((1, values.size), 0b11, dtype=np.uint32)

    kernels.ask(split, 0, sets, values[None, :], 0, left, 0)

    assert set(left[0].tolist()) <= {0b10, 0b01}
    return [word == 0b10 for word in left[0].tolist()]


@pytest.mark.parametrize(
    "kind", [AT_MOST, NOT_ABOVE, AT_MOST_OR_ZERO, AT_MOST_NOT_ZERO]
)
@given(seed=seeds, threshold=st.sampled_from([*AWKWARD[1:], np.float32(0.25)]))
def test_ask_of_an_ordered_column(kind: int, seed: int, threshold: np.float32) -> None:
    draw = np.random.default_rng(seed)
    normal = draw.normal(size=40).astype(np.float32)
    values = np.where(draw.random(40) < 0.5, draw.choice(AWKWARD, 40), normal)

    found = asked(kind, threshold, set(), values)

    assert found == answers(kind, threshold, set(), values)


@given(
    seed=seeds,
    chosen=st.sets(st.sampled_from([0, 1, 2, 31, 32, 33, 127, 128, 129, 400])),
)
def test_ask_of_a_category(seed: int, chosen: set[int]) -> None:
    draw = np.random.default_rng(seed)
    codes = draw.integers(0, 200, 40).astype(np.float32)
    values = np.where(draw.random(40) < 0.5, draw.choice(ODD_CATEGORIES, 40), codes)

    found = asked(IN_SET, np.float32(0), chosen, values)

    assert found == answers(IN_SET, np.float32(0), chosen, values)


@njit(nogil=True)
def look_up(
    left: WordArray, mask: np.uint32, value: CountArray, total: CountArray
) -> None:
    add_looked_up(left, (0, 2), mask, value, 1, total, 1)


@given(seed=seeds, n=st.sampled_from([LANES, 3 * LANES]))
def test_lookup_adds_the_entry_of_the_one_bit_left(seed: int, n: int) -> None:
    draw = np.random.default_rng(seed)
    left = draw.integers(0, 2**31, (3, n)).astype(np.uint32)
    mask = np.uint32(1 << draw.integers(0, 31))
    value = draw.integers(-(2**20), 2**20, (2, ENTRIES)).astype(np.int32)
    value[:, 0] = 0
    total = draw.integers(-(2**20), 2**20, (2, n)).astype(np.int32)
    words = (left[0] & left[2] & mask).tolist()
    zeros = [32 - word.bit_length() for word in words]
    expected = total[1] + value[1, np.array(zeros) % ENTRIES]
    untouched = total[0].tolist()

    look_up(left, mask, value, total)

    assert total[1].tolist() == expected.tolist()
    assert total[0].tolist() == untouched


@given(seed=seeds)
def test_fold_moves_counts_to_raw_scores_and_leaves_nothing(seed: int) -> None:
    draw = np.random.default_rng(seed)
    total = draw.integers(-1000, 1000, (3, LANES)).astype(np.int32)
    constant = draw.integers(-1000, 1000, 3).astype(np.int32)
    raw = draw.normal(size=(3, 5))
    expected = raw + 0.25 * (total[:, :5].astype(np.float64) + constant[:, None])

    kernels.fold(total, constant, 0.25, raw)

    assert raw.tolist() == expected.tolist()
    assert not total[:, :5].any()
    assert not constant.any()


@given(
    seed=seeds,
    calibration=st.builds(
        BetaCalibration,
        a=st.floats(0.1, 4.0),
        b=st.floats(0.1, 4.0),
        c=st.floats(-5.0, 5.0),
    ),
    spread=st.sampled_from([0.01, 1.0, 5.0, 50.0, 1e4]),
)
def test_chances_are_the_calibrated_ones(
    seed: int, calibration: BetaCalibration, spread: float
) -> None:
    raw = np.random.default_rng(seed).normal(size=(3, 37)) * spread
    raw[0, :5] = [0.0, -0.0, 1e-30, -1e-30, 745.0]
    out = np.full((5, 37), np.nan, dtype=np.float32)
    a, b, c = map(np.float32, (calibration.a, calibration.b, calibration.c))

    kernels.chances(raw, a, b, c, np.array([4, 0, 2]), out)

    assert np.abs(out[[4, 0, 2]] - calibration.apply(raw)).max() < 4e-7
    assert np.isnan(out[[1, 3]]).all()


def test_chances_rise_with_the_raw_score() -> None:
    raw = np.linspace(-6, 6, 20_000)[None, :]
    out = np.empty(raw.shape, dtype=np.float32)
    one = np.float32(1)

    kernels.chances(raw, one, np.float32(0.7), one, np.zeros(1, dtype=np.int64), out)

    assert np.diff(out[0]).min() > -2e-7
