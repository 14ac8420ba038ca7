"""Every lead with every rep, without building the pairs.

Most splits of a tree look at the lead alone or at the rep alone, and most pair columns
are functions of (a segment of the lead, the rep). So each column is asked once: lead
columns once per lead, rep columns once per rep, pair columns once per row of their
tables; ``leaf_words`` says how the answers meet. What is left per pair and tree is to
AND a few words over all reps at once and to look the one leaf left up.

The few pairs that have a pair column of their own (earlier contact) are asked again,
one by one, in the same way.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from features.columns import Affinity, Column, Contract, Float32Array, IntArray, Side
from rightrep.errors import InvalidInput
from training import scoring_kernels as kernels
from training.calibration import BetaCalibration
from training.forest import read_forest
from training.leaf_counts import Band, LeafCounts, count_leaves
from training.leaf_lookup import ENTRIES
from training.leaf_words import LeafWords, WordArray, split_by_side
from training.scoring_batch import Batch, Block, Pairs, columns, padded

if TYPE_CHECKING:
    import lightgbm as lgb

FloatArray = NDArray[np.float64]
Finish = Callable[[FloatArray, IntArray, NDArray[Any]], None]

MOST_ERROR = 5e-7
"""Most that counting leaves in steps may move a chance; its float32 is off by 3e-8."""

BLOCK_PAIRS = 2**19
"""Pairs of a block: few enough for their counts, 2 MiB, to stay near; of 2^16 to 2^21,
this took the least time at 500 reps."""

SMALL_BATCH = 2**15
"""Pairs below which starting threads costs more than it saves."""

EXCEPTIONS_AT_ONCE = 4096


class Scorable(Protocol):
    """What a model must have to be scored; a ``ConversionModel`` does."""

    @property
    def booster(self) -> "lgb.Booster":
        """The trees, over whole feature rows."""

    @property
    def contract(self) -> Contract | None:
        """What the columns are."""

    @property
    def calibration(self) -> BetaCalibration:
        """From raw score to chance."""


class PairScorer:
    """Scores every lead with every rep by one model; safe to share between threads.

    Attributes:
        error: Most that counting leaves in steps moves a chance, proven from the trees.
    """

    def __init__(self, model: Scorable, *, n_threads: int = 0) -> None:
        """Read the model once.

        Args:
            model: A trained model.
            n_threads: Threads that a large batch is shared between; 0 takes all.

        Raises:
            InvalidInput: The model has no contract, has other columns than its
                contract or is of a kind that is not read: several classes, linear
                leaves, averaged trees.
        """
        if model.contract is None:
            raise InvalidInput("A model without a contract cannot be scored.")
        calibration = model.calibration
        slope = max(calibration.a, calibration.b) / 4
        self._contract = model.contract
        self._calibration = calibration
        self._words = split_by_side(read_forest(model.booster), model.contract)
        self._counts = count_leaves(self._words, most_error=MOST_ERROR / slope)
        self._by_use = _by_use(self._words)
        self._n_threads = n_threads or len(os.sched_getaffinity(0))
        self._left_by_rep = _LeftByRep(self._words)
        self.error = self._counts.error * slope

    def score(
        self, leads: Float32Array, reps: Float32Array, affinity: Affinity
    ) -> Float32Array:
        """Conversion probability of every pair.

        Args:
            leads: Lead columns in the contract's order; float32
                (n_leads, n_lead_columns).
            reps: Rep columns; float32 (n_reps, n_rep_columns).
            affinity: Pair columns.

        Returns:
            ``p_convert``, in [0, 1]; float32 (n_leads, n_reps).

        Raises:
            InvalidInput: A shape or an index does not fit.
        """
        parameters = self._calibration.a, self._calibration.b, self._calibration.c
        a, b, c = map(np.float32, parameters)

        def chances(raw: FloatArray, row: IntArray, to: Float32Array) -> None:
            kernels.chances(raw, a, b, c, row, to)

        batch = Batch.of(leads, reps, affinity, self._contract)
        out = np.empty((batch.n_leads, batch.n_reps), dtype=np.float32)
        self._fill(out, batch, self._counts, chances)
        return out

    def raw(
        self, leads: Float32Array, reps: Float32Array, affinity: Affinity
    ) -> FloatArray:
        """Raw score of every pair, before calibration; float64 (n_leads, n_reps).

        Arguments and errors are those of ``score``.
        """
        batch = Batch.of(leads, reps, affinity, self._contract)
        out = np.empty((batch.n_leads, batch.n_reps))
        self._fill(out, batch, self._counts, _as_they_are)
        return out

    def leaves(
        self, leads: Float32Array, reps: Float32Array, affinity: Affinity
    ) -> IntArray:
        """LightGBM's number of the leaf that each pair ends in, tree by tree.

        It goes the way of ``score``, one tree at a time. Arguments and errors are those
        of ``score``.

        Returns:
            int64 (n_leads, n_reps, n_trees).
        """
        batch = Batch.of(leads, reps, affinity, self._contract)
        words = self._words
        out = np.empty((words.n_trees, batch.n_leads, batch.n_reps))
        at = 0
        for tree, group in enumerate(words.group.tolist()):
            start, stop = words.start[group : group + 2].tolist()
            index = np.zeros((words.n_words, ENTRIES), dtype=np.int32)
            index[start:stop] = words.index[at : at + stop - start]
            at += stop - start
            band = Band(start, stop, step=1.0)
            counts = LeafCounts(index, (band,), middle=0.0, error=0.0)
            self._fill(out[tree], batch, counts, _as_they_are)
        return np.moveaxis(out, 0, 2).astype(np.int64)

    def _fill(
        self, out: NDArray[Any], batch: Batch, counts: LeafCounts, finish: Finish
    ) -> None:
        """Sum every block, then ask the exceptions again, on all threads."""
        left_by_rep = self._left_by_rep(batch.reps)

        def fill_block(lead: IntArray) -> None:
            raw = self._sum_block(
                batch.block(lead, self._by_use), left_by_rep, batch.n_reps, counts
            )
            finish(raw, lead, out)

        def fill_pairs(pairs: Pairs) -> None:
            raw = self._sum_pairs(pairs, counts)
            scored = np.empty(raw.shape, dtype=out.dtype)
            finish(raw, np.zeros(1, dtype=np.int64), scored)
            out[pairs.lead, pairs.rep] = scored[0, : pairs.lead.size]

        self._share_out(fill_block, self._blocks(batch))
        self._share_out(fill_pairs, list(batch.exceptions(EXCEPTIONS_AT_ONCE)))

    def _sum_block(
        self, block: Block, left_by_rep: WordArray, n_reps: int, counts: LeafCounts
    ) -> FloatArray:
        """Raw scores of some leads with all reps; float64 (n_leads, n_reps)."""
        words = self._words
        n_leads, width = block.lead.size, left_by_rep.shape[1]
        n_pair, n_rows = block.row.shape[0], block.tables.shape[0]
        desk = kernels.Desk.of(n_leads, n_rows, n_pair, width)
        total = np.zeros((n_leads, width), dtype=np.int32)
        constant = np.zeros(n_leads, dtype=np.int32)
        raw = np.full((n_leads, n_reps), counts.middle)
        for band in counts.bands:
            kernels.sum_block(
                band.start,
                band.stop,
                words.lead,
                words.pair,
                words.leaves,
                words.span,
                words.pair_span,
                counts.count,
                block.leads,
                block.run,
                block.shared,
                block.own,
                left_by_rep,
                block.tables,
                block.row,
                desk,
                total,
                constant,
            )
            kernels.fold(total, constant, band.step, raw)
        return raw

    def _sum_pairs(self, pairs: Pairs, counts: LeafCounts) -> FloatArray:
        """Raw scores of chosen pairs; float64 (1, n padded)."""
        words = self._words
        width = pairs.columns[0].shape[1]
        left = np.empty((1, width), dtype=np.uint32)
        total = np.zeros((1, width), dtype=np.int32)
        constant = np.zeros(1, dtype=np.int32)
        raw = np.full((1, width), counts.middle)
        sides = (words.lead, words.rep, words.pair)
        for band in counts.bands:
            kernels.sum_pairs(
                band.start,
                band.stop,
                sides,
                words.leaves,
                counts.count,
                pairs.columns,
                left,
                total,
            )
            kernels.fold(total, constant, band.step, raw)
        return raw

    def _blocks(self, batch: Batch) -> list[IntArray]:
        """Leads to take together: of the same segments where that can be.

        Then few rows of the pair columns' tables are asked per block.
        """
        n_leads, width = batch.n_leads, padded(batch.n_reps)
        if n_leads * width <= SMALL_BATCH:
            return [np.arange(n_leads)] if n_leads and width else []
        by_use = batch.affinity.segment[:, self._by_use[::-1]]
        order = np.lexsort(by_use.T) if by_use.size else np.arange(n_leads)
        most = max(1, BLOCK_PAIRS // width)
        n_rounds = -(-n_leads // (most * self._n_threads))
        return np.array_split(order, min(n_leads, n_rounds * self._n_threads))

    def _share_out(self, work: Callable[[Any], None], tasks: Sequence[Any]) -> None:
        n_threads = min(self._n_threads, len(tasks))
        if n_threads <= 1:
            for task in tasks:
                work(task)
            return
        with ThreadPoolExecutor(n_threads) as threads:
            for _ in threads.map(work, tasks):
                pass


class _LeftByRep:
    """Leaves that each rep leaves, kept while the reps stay the same."""

    def __init__(self, words: LeafWords) -> None:
        self._words = words
        self._last: tuple[bytes, WordArray] | None = None

    def __call__(self, reps: Float32Array) -> WordArray:
        """uint32 (n_words, n_reps padded).

        Args:
            reps: Rep columns; float32 (n_reps, n_rep_columns).
        """
        key = reps.tobytes()
        last = self._last
        if last is not None and last[0] == key:
            return last[1]
        width = padded(reps.shape[0])
        left = np.empty((self._words.n_words, width), dtype=np.uint32)
        by_column = columns(reps.T, width)
        kernels.leaves_left(self._words.rep, self._words.leaves, by_column, left)
        self._last = (key, left)
        return left


def warm() -> None:
    """Compile every kernel, so that no request waits for it; for install time."""
    import lightgbm as lgb

    rows = np.arange(120, dtype=np.float32).reshape(40, 3)
    data = lgb.Dataset(rows, label=np.arange(40) % 2, params={"verbosity": -1})
    parameters = {"objective": "binary", "min_data_in_leaf": 2, "verbosity": -1}
    contract = Contract(
        tuple(Column(name=side, side=side, unit="", meaning="") for side in Side)
    )
    model = _Model(lgb.train(parameters, data, 2), contract, BetaCalibration())
    one = np.zeros(1, dtype=np.int64)
    affinity = Affinity(
        np.zeros((2, 1), dtype=np.int64), (rows[:1, :1],), one, one, one, rows[0, :1]
    )
    PairScorer(model).score(rows[:2, :1], rows[:1, 1:2], affinity)


@dataclass(frozen=True)
class _Model:
    booster: "lgb.Booster"
    contract: Contract | None
    calibration: BetaCalibration


def _by_use(words: LeafWords) -> IntArray:
    """Pair columns, the one that most splits look at first."""
    asked = np.diff(words.pair.start).reshape(words.n_words, -1).sum(axis=0)
    return np.argsort(-asked, kind="stable")


def _as_they_are(raw: FloatArray, row: IntArray, out: FloatArray) -> None:
    out[row] = raw
