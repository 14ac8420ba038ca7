"""Every lead with every rep: pairs per second against LightGBM on the built pairs.

10,000 leads x 500 reps, 500 trees of 31 leaves. LightGBM and the other engines are
given a sample of the pairs as ready rows, which costs them nothing here, and are
extrapolated. Every model is checked too: the leaves, the chances, the memory.

Engines that want a Python of their own are timed when ``RIGHTREP_PEER_PYTHON`` names
it, several separated as in PATH.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._scored_market import (
    N_COLUMNS,
    Model,
    ScoredMarket,
    made_market,
    trained,
)
from benchmarks.common import (
    Figure,
    Row,
    memory_mib,
    options,
    publish,
    side_by_side,
)
from features.columns import Float32Array, Side
from training.scoring import PairScorer, warm

BAR = 50.0
ERROR_BAR = 1e-6
SPARE_BAR_MIB = 256.0


@dataclass(frozen=True)
class Work:
    """How much there is to do.

    Attributes:
        n_leads: Leads.
        n_reps: Reps.
        n_trees: Trees.
        n_rows: Rows that the models are trained on.
        n_sample: Pairs that the peers are given.
        n_compared: Leads of which every pair's leaves are compared.
    """

    n_leads: int = 10_000
    n_reps: int = 500
    n_trees: int = 500
    n_rows: int = 200_000
    n_sample: int = 50_000
    n_compared: int = 40


QUICK = Work(n_leads=2_000, n_trees=60, n_rows=20_000, n_sample=5_000, n_compared=4)

FAMILIES: Mapping[str, Mapping[str, Any]] = {
    "all sides": {},
    "pairs dominate": {"weights": (0.2, 0.2, 3.0)},
    "leads dominate": {"weights": (2.0, 0.3, 0.2)},
    "4 leaves a tree": {"n_leaves": 4},
    "127 leaves a tree": {"n_leaves": 127},
}
"""Models by what their trees look at; the first three have 31 leaves a tree."""

N_HELD = 3
"""Families that the bar is for."""


@dataclass(frozen=True)
class Family:
    """One family, as measured.

    Attributes:
        name: Its name.
        shares: Share of splits on lead, rep and pair columns, in words.
        per_second: Pairs per second by engine, ``RightRep`` first.
        same_leaves: Whether every compared pair ends in the same leaf of every tree.
        error: Largest difference of a chance on the sample.
        spare_mib: Peak memory above the answer, or 0 where it cannot be read.
        one_lead_ms: CPU time of one lead with all reps, median.
    """

    name: str
    shares: str
    per_second: Mapping[str, float]
    same_leaves: bool
    error: float
    spare_mib: float
    one_lead_ms: float

    @property
    def ratio(self) -> float:
        """Times LightGBM's pairs per second."""
        return self.per_second["RightRep"] / self.per_second["LightGBM"]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure every family, print and save the table."""
    asked = options("Pairs scored per second against LightGBM's.", argv)
    work = QUICK if asked.quick else Work()
    warm()
    market = made_market(work.n_leads, work.n_reps)
    families = [
        _family(name, how, market, work, asked.repetitions)
        for name, how in FAMILIES.items()
    ]
    worst = min(family.ratio for family in families[:N_HELD])
    exact = all(f.same_leaves and f.error <= ERROR_BAR for f in families)
    spare = max(family.spare_mib for family in families)
    figure = Figure(
        name="pair_scoring",
        value=worst,
        bar=BAR,
        holds=worst >= BAR and exact and spare <= SPARE_BAR_MIB,
        rows=[row for family in families for row in _rows(family, work)],
        title=(
            f"{work.n_leads:,} leads x {work.n_reps} reps, {work.n_trees} trees, "
            f"{os.cpu_count()} threads; other engines on {work.n_sample:,} ready rows"
        ),
        notes=_notes(families, work),
        extra={
            "unit": "times LightGBM's pairs per second, the worst of 31 leaves",
            "leaves_and_chances_agree": exact,
            "spare_mib": spare,
        },
    )
    return publish(figure, quick=asked.quick)


def _family(
    name: str,
    how: Mapping[str, Any],
    market: ScoredMarket,
    work: Work,
    repetitions: int,
) -> Family:
    model = trained(market, n_rows=work.n_rows, n_trees=work.n_trees, **how)
    scorer = PairScorer(model)
    spare, p_convert = _scored(scorer, market)
    lead, rep = market.pairs(work.n_sample, seed=4)
    rows = market.rows(lead, rep)
    raw = np.asarray(model.booster.predict(rows, raw_score=True))
    took = side_by_side(
        {
            "RightRep": lambda: scorer.score(
                market.leads, market.reps, market.affinity
            ),
            "LightGBM": lambda: model.booster.predict(rows, num_threads=os.cpu_count()),
        },
        repetitions,
    )
    if not how:
        took |= _peers(model, rows)
    n_pairs = {"RightRep": work.n_leads * work.n_reps}
    return Family(
        name,
        _shares(model),
        {name: n_pairs.get(name, len(rows)) / took[name] for name in took},
        _same_leaves(scorer, model, market, work.n_compared),
        float(np.abs(p_convert[lead, rep] - model.calibration.apply(raw)).max()),
        spare,
        _one_lead_ms(scorer, market),
    )


def _scored(scorer: PairScorer, market: ScoredMarket) -> tuple[float, Float32Array]:
    """Peak memory above the answer in MiB, and the answer."""
    before = memory_mib("VmRSS", start_anew=True)
    p_convert = scorer.score(market.leads, market.reps, market.affinity)
    spare = memory_mib("VmHWM") - before - p_convert.nbytes / 2**20
    return max(spare, 0.0), p_convert


def _same_leaves(
    scorer: PairScorer, model: Model, market: ScoredMarket, n_leads: int
) -> bool:
    some = slice(0, n_leads)
    found = scorer.leaves(market.leads[some], market.reps, market.affinity.rows(some))
    n_reps = len(market.reps)
    lead, rep = np.divmod(np.arange(n_leads * n_reps), n_reps)
    theirs = model.booster.predict(market.rows(lead, rep), pred_leaf=True)
    return bool((found.reshape(n_leads * n_reps, -1) == theirs).all())


def _one_lead_ms(scorer: PairScorer, market: ScoredMarket) -> float:
    times = []
    for i in range(100):
        one = slice(i, i + 1)
        affinity = market.affinity.rows(one)
        start = time.thread_time()
        scorer.score(market.leads[one], market.reps, affinity)
        times.append(time.thread_time() - start)
    return statistics.median(times) * 1000


def _shares(model: Model) -> str:
    """Share of splits on lead, rep and pair columns."""
    splits = model.booster.feature_importance("split")
    edges = np.cumsum([N_COLUMNS[side] for side in Side])[:-1]
    shares = [part.sum() / splits.sum() for part in np.split(splits, edges)]
    return " / ".join(f"{share:.0%}" for share in shares)


def _peers(model: Model, rows: Float32Array) -> dict[str, float]:
    """Seconds of the other engines that install, on a tenth of the rows."""
    some = rows[: len(rows) // 10]
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        trees, path = f"{folder}/model.txt", f"{folder}/rows.npy"
        model.booster.save_model(trees)
        np.save(path, some)
        script = str(Path(__file__).with_name("_peer.py"))
        others = os.environ.get("RIGHTREP_PEER_PYTHON", "").split(os.pathsep)
        for python in filter(None, [sys.executable, *others]):
            command = [python, script, trees, path, str(os.cpu_count())]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found |= json.loads(done.stdout.splitlines()[-1])
    return {name: 10 * seconds for name, seconds in found.items()}


def _rows(family: Family, work: Work) -> list[Row]:
    n_pairs = work.n_leads * work.n_reps
    return [
        {
            "model": family.name,
            "splits on lead / rep / pair": family.shares,
            "engine": engine,
            "seconds": n_pairs / per_second,
            "pairs/s": per_second,
            "x LightGBM": per_second / family.per_second["LightGBM"],
        }
        for engine, per_second in family.per_second.items()
    ]


def _notes(families: Sequence[Family], work: Work) -> list[str]:
    first = families[0]
    cpu = os.cpu_count() or 1
    each = 1e9 * cpu / (first.per_second["RightRep"] * work.n_trees)
    agree = all(family.same_leaves for family in families)
    return [
        f"the same leaf in every tree: {'yes' if agree else 'NO'}, every pair of "
        f"{work.n_compared} leads, every model",
        f"largest difference of a chance: {max(f.error for f in families):.1e}",
        f"peak memory above the answer: {max(f.spare_mib for f in families):.0f} MiB",
        f"one lead with {work.n_reps} reps: {first.one_lead_ms:.2f} ms of CPU time",
        f"{each:.3f} ns of one thread per pair and tree: a lookup of 16 pairs is bound "
        "by permutes, not by memory",
    ]


if __name__ == "__main__":
    sys.exit(main())
