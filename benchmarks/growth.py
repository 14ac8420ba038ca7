"""Cost per pair as batches grow: leads 1,000 to 100,000, reps 50 to 1,000.

Each size is scored (500 trees of 31 leaves) and solved to a proven gap of 1e-6, slots
for as many leads. Values are chances to win times heavy-tailed deal values. The figure
is growth: the cost per pair of any size over that of any smaller one in its series. A
fixed cost that many pairs share makes small batches dearer and is printed, not counted.
"""

import itertools
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks._scored_market import Model, made_market, trained
from benchmarks.common import Figure, Row, options, publish, side_by_side
from features.columns import Float32Array
from optimizer.optimum import solve
from optimizer.problem import Problem
from optimizer.warming import warm as warm_solver
from training.scoring import PairScorer
from training.scoring import warm as warm_scorer

BAR = 1.25
N_REPS, N_LEADS = 500, 10_000
BY_LEADS = (1_000, 3_000, 10_000, 30_000, 100_000)
BY_REPS = (50, 100, 200, 500, 1_000)
QUICK_BY_LEADS, QUICK_BY_REPS = (1_000, 3_000, 10_000), (50, 100, 200)


@dataclass(frozen=True)
class Size:
    """One batch size, as measured.

    Attributes:
        series: What grows in it.
        n_leads: Leads.
        n_reps: Reps.
        scoring: Seconds to score every pair.
        solving: Seconds to the proven optimum.
    """

    series: str
    n_leads: int
    n_reps: int
    scoring: float
    solving: float

    @property
    def per_pair(self) -> float:
        """Nanoseconds per pair, scored and solved."""
        return (self.scoring + self.solving) / (self.n_leads * self.n_reps) * 1e9


def main(argv: Sequence[str] | None = None) -> int:
    """Measure both series, print and save the table."""
    asked = options(__doc__ or "", argv, repetitions=5, quick_repetitions=3)
    warm_scorer()
    warm_solver()
    model = _model(asked.quick)
    by_leads = QUICK_BY_LEADS if asked.quick else BY_LEADS
    by_reps = QUICK_BY_REPS if asked.quick else BY_REPS
    leads = _series(model, "leads", [(n, N_REPS) for n in by_leads], asked.repetitions)
    reps = _series(model, "reps", [(N_LEADS, n) for n in by_reps], asked.repetitions)
    worst = max(growth(leads), growth(reps))
    figure = Figure(
        name="growth",
        value=worst,
        bar=BAR,
        holds=worst <= BAR,
        rows=[_row(size) for size in (*leads, *reps)],
        title="Cost per pair, scored and solved, as batches grow",
        notes=(
            f"{model.booster.num_trees()} trees; slots for as many leads as there are.",
            "Growth: cost per pair of any size over that of any smaller one.",
            f"Growth with leads {growth(leads):.2f}, with reps {growth(reps):.2f}.",
        ),
        extra={"unit": "times the cost per pair of a smaller batch, the worst"},
    )
    return publish(figure, quick=asked.quick)


def growth(sizes: Sequence[Size]) -> float:
    """The most that a pair of a larger batch costs, over one of a smaller batch."""
    costs = [size.per_pair for size in sizes]
    return max(later / earlier for earlier, later in itertools.combinations(costs, 2))


def _model(quick: bool) -> Model:
    n_rows, n_trees = (20_000, 60) if quick else (200_000, 500)
    return trained(made_market(2_000, N_REPS), n_rows=n_rows, n_trees=n_trees)


def _series(
    model: Model, series: str, sizes: Sequence[tuple[int, int]], repetitions: int
) -> list[Size]:
    """Every size in turns, so that a busy moment of the machine hits all of them."""
    works = {}
    for size in sizes:
        works[size, "scoring"], works[size, "solving"] = _works(model, *size)
    named = {f"{size} {part}": work for (size, part), work in works.items()}
    took = side_by_side(named, repetitions)
    return [
        Size(series, *size, took[f"{size} scoring"], took[f"{size} solving"])
        for size in sizes
    ]


def _works(
    model: Model, n_leads: int, n_reps: int
) -> tuple[Callable[[], object], Callable[[], object]]:
    """Scoring every pair, and solving the batch."""
    market = made_market(n_leads, n_reps)
    scorer = PairScorer(model)
    problem = _problem(scorer.score(market.leads, market.reps, market.affinity))
    return (
        lambda: scorer.score(market.leads, market.reps, market.affinity),
        lambda: solve(problem),
    )


def _problem(p_convert: Float32Array) -> Problem:
    n_leads, n_reps = p_convert.shape
    deal_value = np.random.default_rng(5).lognormal(10, 1, (n_leads, 1))
    return Problem(
        p_convert * deal_value,
        np.ones((n_leads, n_reps), dtype=bool),
        np.full(n_reps, -(-n_leads // n_reps)),
        np.zeros(n_reps, dtype=np.int64),
    )


def _row(size: Size) -> Row:
    return {
        "grows": size.series,
        "leads x reps": f"{size.n_leads:,} x {size.n_reps:,}",
        "scoring s": size.scoring,
        "solving s": size.solving,
        "ns per pair": size.per_pair,
        "scoring ns": size.scoring / (size.n_leads * size.n_reps) * 1e9,
        "solving ns": size.solving / (size.n_leads * size.n_reps) * 1e9,
    }


if __name__ == "__main__":
    sys.exit(main())
