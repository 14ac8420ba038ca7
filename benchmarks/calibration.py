"""Calibration: does a chance of 20 % come true 20 % of the time?

By tenths, on decisions that came after the refits of a backtest; and on the pairs that
the optimal plan chose, against the simulator's true chances. A plan chooses the pairs
that its model overrates, so the second is held to less than the first.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.common import Figure, Row, options, publish
from experiments.simulate import ZONE, Market, MarketSettings, simulate
from features.as_of import FloatArray
from features.columns import feature_rows
from features.profiles import batch
from optimizer.policies import POLICIES
from optimizer.problem import UNASSIGNED, Problem
from training.backtest import backtest, refit_instants
from training.evaluation import Bin, calibration_error
from training.model import ConversionModel
from training.rows import training_rows

BAR = 0.02
"""Mean distance of predicted from observed over tenths, on later decisions."""

N_REFITS = 4
SEEDS, QUICK_SEEDS = (7, 8, 9), (7,)
N_LEADS, QUICK_LEADS = 12_000, 5_000


def main(argv: Sequence[str] | None = None) -> int:
    """Measure both, print and save the table."""
    asked = options(__doc__ or "", argv)
    seeds = QUICK_SEEDS if asked.quick else SEEDS
    markets = [
        simulate(
            MarketSettings(
                n_leads=QUICK_LEADS if asked.quick else N_LEADS,
                rep_effect=2.0,
                backlog_share=0.1,
                seed=seed,
            )
        )
        for seed in seeds
    ]
    later = _pooled([_later(market) for market in markets])
    every, chosen = zip(*(_chosen(market) for market in markets), strict=True)
    parts = {
        "later decisions": later,
        "every pair that waits": _tenths(*_joined(every)),
        "pairs that the plan chose": _tenths(*_joined(chosen)),
    }
    value = calibration_error(later)
    return publish(
        Figure(
            name="calibration",
            value=value,
            bar=BAR,
            holds=value <= BAR,
            rows=[row for name, bins in parts.items() for row in _rows(name, bins)],
            title=f"{len(markets)} demo markets, reps twice as unlike as usual",
            notes=[
                f"{name}: mean distance {calibration_error(bins):.4f}"
                for name, bins in parts.items()
            ]
            + ["later decisions are judged by outcomes, pairs by their true chances"],
            extra={
                "unit": "mean distance of predicted from observed, over tenths",
                "chosen": calibration_error(parts["pairs that the plan chose"]),
            },
        ),
        quick=asked.quick,
    )


def _later(market: Market) -> tuple[Bin, ...]:
    """Tenths of what refits predicted of the decisions after them."""
    history, end = market.history(), pd.Timestamp(market.settings.end)
    starts = refit_instants(history, N_REFITS, end, zone=ZONE)
    return backtest(history, starts, end, zone=ZONE).calibration


def _pooled(found: Sequence[tuple[Bin, ...]]) -> tuple[Bin, ...]:
    """The markets' tenths together, each weighing its rows."""
    pooled = []
    for same in zip(*found, strict=True):
        n_rows = np.array([one.n_rows for one in same])
        share = n_rows / n_rows.sum()
        pooled.append(
            Bin(
                n_rows=int(n_rows.sum()),
                p_mean=float(share @ [one.p_mean for one in same]),
                won_share=float(share @ [one.won_share for one in same]),
                error=float(np.sqrt(share**2 @ [one.error**2 for one in same])),
            )
        )
    return tuple(pooled)


_Pairs = tuple[FloatArray, FloatArray]
"""What was predicted and what is true of some pairs, same shape."""


def _chosen(market: Market) -> tuple[_Pairs, _Pairs]:
    """Every pair that waits, and those that the optimal plan chose."""
    end = pd.Timestamp(market.settings.end)
    rows = training_rows(market.history(), end, zone=ZONE)
    labels = rows.labels
    model = ConversionModel(rows.contract).fit(
        rows.columns,
        labels.won,
        rep=labels.rep,
        week=labels.week,
        propensity=labels.propensity,
    )
    known = rows.known.rated(rows.slices.of_decisions(rows.known))
    leads, reps = market.unassigned, market.available
    lead, rep = np.divmod(np.arange(leads.size * reps.size), reps.size)
    lead_ids = market.lead_ids.iloc[leads].tolist()
    rep_ids = market.rep_ids.iloc[reps].tolist()
    today = batch(known, end, lead_ids, rep_ids)
    pairs = feature_rows(today.leads, today.reps, today.affinity, lead=lead, rep=rep)
    p = model.predict_proba(pairs)[:, 1].reshape(leads.size, reps.size)
    truth = market.truth.grid(leads, reps, day=market.today).astype(np.float64)
    place = _plan(p, market, leads, reps)
    given = np.flatnonzero(place != UNASSIGNED)
    mine = (given, place[given])
    return (p.ravel(), truth.ravel()), (p[mine], truth[mine])


def _plan(
    p: FloatArray,
    market: Market,
    leads: NDArray[np.int64],
    reps: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Rep of each lead, every rep taking about as many."""
    capacity = np.full(reps.size, -(-leads.size // reps.size), dtype=np.int64)
    problem = Problem(
        value=p * market.leads.deal_value[leads][:, None],
        eligible=market.eligible(leads, reps),
        capacity=capacity,
        floor=np.zeros(reps.size, dtype=np.int64),
    )
    return POLICIES["optimal"](problem).rep_of


def _joined(parts: Sequence[_Pairs]) -> _Pairs:
    p, truth = zip(*parts, strict=True)
    return np.concatenate(p), np.concatenate(truth)


def _tenths(p: FloatArray, truth: FloatArray) -> tuple[Bin, ...]:
    """Tenths of the predictions, against true chances."""
    order = np.argsort(p, kind="stable")
    return tuple(
        Bin(
            n_rows=int(part.size),
            p_mean=float(p[part].mean()),
            won_share=float(truth[part].mean()),
            error=0.0,
        )
        for part in np.array_split(order, 10)
    )


def _rows(name: str, bins: Sequence[Bin]) -> list[Row]:
    return [
        {
            "on": name,
            "tenth": k,
            "n": one.n_rows,
            "predicted": one.p_mean,
            "observed": one.won_share,
            "off": one.p_mean - one.won_share,
        }
        for k, one in enumerate(bins, start=1)
    ]


if __name__ == "__main__":
    raise SystemExit(main())
