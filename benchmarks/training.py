"""Training at scale: from the log of decisions to a registered model.

Against the sum of the bare LightGBM fits that it needs, each on its ready matrix: the
lead-only models of ``p_lead`` in time, the lead part and the pair part twice (to judge,
then on all rows), the rep-only comparison. They are timed inside the same run, so the
ratio says what everything else costs: profiles as of every decision, calibration,
judging, leaks, the report, MLflow.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from unittest.mock import patch

import lightgbm
import pandas as pd

from benchmarks.common import Figure, Row, memory_mib, options, publish
from experiments.simulate import ZONE, Market, MarketSettings, simulate
from features.history import History
from training import retrain
from training.registry import log_training
from training.report import TrainingReport
from training.rows import training_rows

N_LEADS = 1_060_000
"""Leads, of which a few are undecided or too young: a million training rows."""

QUICK_LEADS = 21_000
N_REPS = 500
BAR = 1.5


@dataclass
class Spent:
    """Where the time of one training went.

    Attributes:
        total: Seconds from the history to the registered model.
        fits: Seconds of each call of ``lightgbm.train``, in order.
        rows: Seconds of making the training rows, fits left out.
        registering: Seconds of logging and registering.
        peak_mib: Peak memory above the history's, or 0 where it cannot be read.
        report: What was learnt.
    """

    total: float = 0.0
    fits: list[float] = field(default_factory=list)
    rows: float = 0.0
    registering: float = 0.0
    peak_mib: float = 0.0
    report: TrainingReport | None = None

    @property
    def bare(self) -> float:
        """Seconds of LightGBM alone."""
        return sum(self.fits)

    @property
    def ratio(self) -> float:
        """Everything, over LightGBM alone."""
        return self.total / self.bare


def main(argv: Sequence[str] | None = None) -> int:
    """Train, print and save the table."""
    asked = options(__doc__ or "", argv, repetitions=1, quick_repetitions=1)
    n_leads = QUICK_LEADS if asked.quick else N_LEADS
    market = _market(n_leads)
    history = market.history()
    _once(_market(2_000).history(), market.settings.end)  # kernels and imports
    runs = [_once(history, market.settings.end) for _ in range(asked.repetitions)]
    ratio = statistics.median(run.ratio for run in runs)
    run = min(runs, key=lambda one: abs(one.ratio - ratio))
    report = run.report
    assert report is not None
    n_columns = len(report.importances)
    n_rows = report.n_rows
    return publish(
        Figure(
            name="training",
            value=ratio,
            bar=BAR,
            holds=ratio <= BAR,
            rows=_rows(run),
            title=(
                f"{n_rows:,} decisions x {n_columns} columns, {N_REPS} reps: from the "
                "log to a registered model"
            ),
            notes=[
                f"{len(run.fits)} LightGBM fits; peak memory above the history "
                f"{run.peak_mib:,.0f} MiB, the feature rows alone are "
                f"{n_rows * n_columns * 4 / 2**20:,.0f} MiB",
                *report.findings(),
            ],
            extra={
                "unit": "times the sum of the bare LightGBM fits",
                "seconds": run.total,
                "bare_seconds": run.bare,
                "n_rows": n_rows,
                "n_columns": n_columns,
                "peak_mib": run.peak_mib,
            },
        ),
        quick=asked.quick,
    )


def _market(n_leads: int) -> Market:
    n_reps = max(min(N_REPS, n_leads // 100), 10)
    return simulate(
        MarketSettings(n_leads=n_leads, n_reps=n_reps, activities_per_lead=1.0, seed=3)
    )


def _once(history: History, end: datetime) -> Spent:
    spent = Spent()
    before = memory_mib("VmRSS", start_anew=True)
    with tempfile.TemporaryDirectory() as name, _timed(spent):
        folder = Path(name)
        start = time.perf_counter()
        trained = retrain.train(history, pd.Timestamp(end), folder, zone=ZONE)
        logging_from = time.perf_counter()
        log_training(
            trained,
            tracking_uri=f"sqlite:///{folder / 'mlflow.db'}",
            experiment="benchmark",
        )
        spent.total = time.perf_counter() - start
        spent.registering = time.perf_counter() - logging_from
    spent.peak_mib = max(memory_mib("VmHWM") - before, 0.0)
    spent.report = trained.report
    return spent


@contextmanager
def _timed(spent: Spent) -> Iterator[None]:
    """Times every fit, and the making of training rows around them."""
    fit: Callable[..., object] = lightgbm.train
    make_rows: Callable[..., object] = training_rows

    def timed_fit(*args: object, **words: object) -> object:
        start = time.perf_counter()
        found = fit(*args, **words)
        spent.fits.append(time.perf_counter() - start)
        return found

    def timed_rows(*args: object, **words: object) -> object:
        start, bare = time.perf_counter(), spent.bare
        found = make_rows(*args, **words)
        spent.rows = time.perf_counter() - start - (spent.bare - bare)
        return found

    with (
        patch.object(lightgbm, "train", timed_fit),
        patch.object(retrain, "training_rows", timed_rows),
    ):
        yield


def _rows(run: Spent) -> list[Row]:
    parts = {
        "profiles and labels, as of each decision": run.rows,
        "LightGBM, on ready matrices": run.bare,
        "calibrating, judging, leaks, report": run.total
        - run.rows
        - run.bare
        - run.registering,
        "logging and registering (MLflow)": run.registering,
        "all": run.total,
    }
    return [
        {"part": name, "seconds": spent, "x LightGBM": spent / run.bare}
        for name, spent in parts.items()
    ]


if __name__ == "__main__":
    raise SystemExit(main())
