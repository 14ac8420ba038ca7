"""Deals over time: refits in time, strictly earlier history; what columns earn.

Lead-only, rep-only and pair side by side with intervals clustered by rep and week, on
demo markets whose reps differ and on the null world; and beside them what raw rep ids
in the trees do out of time. The pair model must not be worse than the lead-only one.

``--data FOLDER`` adds an imported tenant: a ``RIGHTREP_HOME`` with a database, such as
the one made by the commands in ``docs/mappings/maven.toml``.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.common import Figure, Row, options, publish
from experiments.simulate import ZONE, MarketSettings, simulate
from features.as_of import FloatArray
from features.columns import Column, Side
from features.history import History
from rightrep.domain.ids import TenantId
from rightrep.store import bulk
from rightrep.store.engine import Store
from rightrep.store.tenants import get_tenant, list_tenants
from training.backtest import Backtest, backtest, later_rows, refit_instants
from training.boosting import Rows, Trees
from training.evaluation import Gain, Interval, gain_of
from training.rows import TrainingRows, training_rows
from training.trial import try_part

N_REFITS = 4
MARKETS = {"usual reps": 1.0, "reps twice as unlike": 2.0, "null world": 0.0}
N_LEADS, QUICK_LEADS = 12_000, 4_000
REP_ID = Column(
    name="rep_id", side=Side.REP, unit="code", meaning="the rep", categorical=True
)


def main(argv: Sequence[str] | None = None) -> int:
    """Backtest every market, print and save the table."""
    asked = options(__doc__ or "", argv)
    n_leads = QUICK_LEADS if asked.quick else N_LEADS
    rows: list[Row] = []
    worst = np.inf
    for name, history, end, zone in _histories(n_leads, asked.data):
        starts = refit_instants(history, N_REFITS, end, zone=zone)
        found = backtest(history, starts, end, zone=zone)
        rows += _rows(name, found, _raw_ids(history, starts, end, zone))
        worst = min(worst, found.gain.high)
    return publish(
        Figure(
            name="deals_over_time",
            value=float(worst),
            bar=0.0,
            holds=bool(worst >= 0.0),
            rows=rows,
            title=f"{N_REFITS} refits in time, each judged by what came after",
            notes=[
                "gain: fall of log loss from lead-only, with its 95 % interval",
                "held to: no market shows that knowing the rep makes log loss worse "
                "(the upper end of no gain of the pair is below 0)",
                "raw rep ids: trees over the lead's columns and the rep's id as a "
                "category; a column of our own, the rating, takes their place",
            ],
            extra={"unit": "upper end of the pair's gain, the smallest"},
        ),
        quick=asked.quick,
    )


def _histories(
    n_leads: int, home: Path | None
) -> Iterator[tuple[str, History, pd.Timestamp, str]]:
    for name, rep_effect in MARKETS.items():
        market = simulate(
            MarketSettings(n_leads=n_leads, rep_effect=rep_effect, seed=7)
        )
        yield name, market.history(), pd.Timestamp(market.settings.end), ZONE
    if home is not None:
        store = Store(f"sqlite:///{(home / 'rightrep.db').absolute()}")
        yield from _imported(store)
        store.close()


def _imported(store: Store) -> Iterator[tuple[str, History, pd.Timestamp, str]]:
    for tenant_id in list_tenants(store):
        with store.read(TenantId(tenant_id)) as session:
            zone = get_tenant(session).time_zone
            history = History.of(bulk.read_history(session))
        end = history.outcomes["closed_at"].max()
        yield f"imported: {tenant_id}", history, pd.Timestamp(end), zone


def _raw_ids(
    history: History, starts: Sequence[pd.Timestamp], end: pd.Timestamp, zone: str
) -> Gain:
    """Gain over lead-only of trees that see the rep's id, out of time."""
    parts = []
    for start, until in zip(starts, [*starts[1:], end], strict=True):
        rows = training_rows(history, start, zone=zone)
        labels, leads, _ = later_rows(rows, until, end)
        of_lead = rows.contract.of(Side.LEAD)
        past = rows.columns[:, : len(of_lead)]
        with_id = (
            np.column_stack([past, rows.labels.rep]),
            np.column_stack([leads, labels.rep]),
        )
        chances = (
            _chances(rows, of_lead, past, leads),
            _chances(rows, (*of_lead, REP_ID), *with_id),
        )
        parts.append((labels.won, *chances, labels.rep, labels.week))
    return gain_of(*(np.concatenate(one) for one in zip(*parts, strict=True)))


def _chances(
    rows: TrainingRows,
    columns: Sequence[Column],
    past: NDArray[np.generic],
    new: NDArray[np.generic],
) -> FloatArray:
    """Chances of new rows by calibrated trees over past ones."""
    part = Rows(
        columns=np.ascontiguousarray(past, dtype=np.float32),
        won=rows.labels.won,
        weight=rows.labels.weight,
    )
    trees = Trees.usual(rows.labels.n_rows)
    model = try_part(part, columns, trees).part
    return model.chance(np.ascontiguousarray(new, dtype=np.float32))


def _rows(market: str, found: Backtest, raw_ids: Gain) -> list[Row]:
    gains = {"pair": found.gain, "lead_only + raw rep ids": raw_ids}
    rows: list[Row] = []
    for name in ("lead_only", "rep_only", "pair", "answer", "lead_only + raw rep ids"):
        side, gain = found.sides.get(name), gains.get(name)
        rows.append(
            {
                "market": market,
                "columns": name,
                "AUC": _said(side.auc, 3) if side else "-",
                "log loss": _said(side.log_loss, 4) if side else "-",
                "predicted less observed": _said(side.off, 3) if side else "-",
                "gain over lead-only": _said(gain, 4) if gain else "-",
            }
        )
    return rows


def _said(found: Interval, digits: int) -> str:
    ends = f"{found.low:.{digits}f}, {found.high:.{digits}f}"
    return f"{found.mean:.{digits}f} [{ends}]"


if __name__ == "__main__":
    raise SystemExit(main())
