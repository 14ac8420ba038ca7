"""A market to score pairs in: 20 lead, 10 rep and 5 pair columns, and models of it.

Four pair columns are win rates of the rep in a segment of the lead (20 industries, 30
regions, 12 products, 8 channels); the fifth is earlier contact, which two pairs per
lead have. Outcomes depend on all three sides, so that the trees split on all three.
"""

from dataclasses import dataclass

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from features.columns import (
    Affinity,
    Column,
    Contract,
    Float32Array,
    IntArray,
    Side,
    feature_rows,
)
from training.calibration import BetaCalibration

N_COLUMNS = {Side.LEAD: 20, Side.REP: 10, Side.PAIR: 5}
SEGMENTS = (20, 30, 12, 8)
"""Industries, regions, products, channels: the first four lead columns."""

CONTACTS_PER_LEAD = 2


@dataclass(frozen=True)
class Model:
    """Trees with their contract and calibration."""

    booster: lgb.Booster
    contract: Contract
    calibration: BetaCalibration


@dataclass(frozen=True)
class ScoredMarket:
    """Leads, reps and what is between them.

    Attributes:
        leads: float32 (n_leads, 20).
        reps: float32 (n_reps, 10).
        affinity: Pair columns.
    """

    leads: Float32Array
    reps: Float32Array
    affinity: Affinity

    def pairs(self, n: int, *, seed: int) -> tuple[IntArray, IntArray]:
        """Lead and rep of n pairs drawn by lot, one in ten with earlier contact."""
        draw = np.random.default_rng(seed)
        lead = draw.integers(0, len(self.leads), n)
        rep = draw.integers(0, len(self.reps), n)
        met = draw.integers(0, self.affinity.exception_lead.size, n // 10)
        lead[: met.size] = self.affinity.exception_lead[met]
        rep[: met.size] = self.affinity.exception_rep[met]
        order = draw.permutation(n)
        return lead[order], rep[order]

    def rows(self, lead: IntArray, rep: IntArray) -> Float32Array:
        """Whole feature rows of those pairs."""
        return feature_rows(self.leads, self.reps, self.affinity, lead=lead, rep=rep)


def contract() -> Contract:
    """The columns, the four segments of the lead being categories."""
    columns = [
        Column(
            name=f"{side}_{k}",
            side=side,
            unit="",
            meaning="",
            categorical=side is Side.LEAD and k < len(SEGMENTS),
        )
        for side, n in N_COLUMNS.items()
        for k in range(n)
    ]
    return Contract(tuple(columns))


def made_market(n_leads: int, n_reps: int, *, seed: int = 1) -> ScoredMarket:
    """Draw a market."""
    draw = np.random.default_rng(seed)
    segment = np.column_stack(
        [draw.integers(0, n, n_leads) for n in SEGMENTS] + [np.zeros(n_leads, np.int64)]
    )
    numbers = [
        draw.lognormal(size=(n_leads, 8)),
        draw.normal(size=(n_leads, 4)),
        draw.integers(0, 7, (n_leads, 1)),
        draw.integers(0, 24, (n_leads, 1)),
        draw.poisson(2, (n_leads, 1)),
        draw.integers(0, 2, (n_leads, 1)),
    ]
    leads = np.hstack([segment[:, :4], *numbers]).astype(np.float32)
    leads[:, 4:8][draw.random((n_leads, 4)) < 0.1] = np.nan
    reps = np.hstack(
        [
            draw.normal(size=(n_reps, 8)),
            draw.integers(0, 30, (n_reps, 1)),
            draw.poisson(8, (n_reps, 1)),
        ]
    ).astype(np.float32)
    rates = [draw.beta(3, 12, (n, n_reps)).astype(np.float32) for n in SEGMENTS]
    n_met = CONTACTS_PER_LEAD * n_leads
    affinity = Affinity(
        segment,
        (*rates, np.zeros((1, n_reps), dtype=np.float32)),
        np.sort(draw.integers(0, n_leads, n_met)),
        draw.integers(0, n_reps, n_met),
        np.full(n_met, 4),
        draw.integers(1, 6, n_met).astype(np.float32),
    )
    return ScoredMarket(leads, reps, affinity)


def trained(
    market: ScoredMarket,
    *,
    n_rows: int,
    n_trees: int,
    n_leaves: int = 31,
    weights: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> Model:
    """Train on drawn pairs whose outcomes depend on lead, rep and pair columns.

    Args:
        market: Where from.
        n_rows: Decisions.
        n_trees: Trees.
        n_leaves: Leaves of each.
        weights: How much each side matters.
    """
    rows = market.rows(*market.pairs(n_rows, seed=2))
    chance = 1 / (1 + np.exp(-_log_odds(rows, weights)))
    won = np.random.default_rng(3).random(n_rows) < chance
    parameters = {
        "objective": "binary",
        "num_leaves": n_leaves,
        "learning_rate": 0.05,
        "min_data_in_leaf": 50,
        "seed": 1,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    made = contract()
    data = lgb.Dataset(rows, won, categorical_feature=made.categorical())
    booster = lgb.train(parameters, data, n_trees)
    return Model(booster, made, BetaCalibration(1.2, 0.9, 0.1))


def _log_odds(
    rows: Float32Array, weights: tuple[float, float, float]
) -> NDArray[np.float64]:
    lead, rep, pair = np.split(rows.astype(np.float64), [20, 30], axis=1)
    of_lead = (
        0.5 * np.log(lead[:, 8])
        + 0.4 * np.sin(lead[:, 12])
        + 0.3 * lead[:, 13] * lead[:, 14]
        + 0.05 * (lead[:, 0] % 5)
        + 0.1 * lead[:, 19]
    )
    of_rep = (
        0.3 * rep[:, 0]
        + 0.2 * np.abs(rep[:, 1])
        + 0.1 * rep[:, 2] * rep[:, 3]
        + 0.3 * rep[:, 0] * (lead[:, 12] > 0)
    )
    of_pair = (
        4 * pair[:, 0]
        + 3 * pair[:, 1]
        + 2 * pair[:, 2] * lead[:, 13]
        + 2 * pair[:, 3]
        + 0.3 * pair[:, 4]
        - 1.8
    )
    total = weights[0] * of_lead + weights[1] * of_rep + weights[2] * of_pair
    return np.asarray(total - 2.0)
