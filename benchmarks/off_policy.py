"""Off-policy estimates against the simulator's truth: do intervals keep their promise?

Leads of a demo market with the true chance of every pair. In each run some leads are
drawn from all, the lottery draws an eligible rep for each with its propensity, and the
true chance decides what comes of it. The evaluation policy gives each lead to the rep
that a flawed model likes best; its true value over all leads is known. A run counts
where the 95 % interval covers it. The naive figure, what the flawed model believes of
the pairs it picked, stands beside: it never pays for what the model overrates.
"""

import dataclasses
import sys
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import Figure, Row, options, publish
from experiments.off_policy import (
    Estimate,
    Lottery,
    best_of,
    cross_fitted,
    doubly_robust,
    ips,
    linear_in,
    snips,
)
from experiments.simulate import MarketSettings, batch, simulate

POOL, REPS = 10_000, 12
SAMPLE, QUICK_SAMPLE = 4_000, 2_000
RUNS, QUICK_RUNS = 1_000, 200
FLAW = 0.5
"""Spread of the model's error, in log odds of a pair."""
CLIP = 8.0
FEWEST, MOST = 0.93, 0.97
"""Shares of the runs that are to cover the truth."""

FloatArray = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class World:
    """What is true of every lead with every rep.

    Attributes:
        p_win: True chances; float64 (n_leads, n_reps).
        money: Money if won; float64 (n_leads,).
        eligible: Whom the lottery may draw; bool (n_leads, n_reps).
        model: The flawed model's chances; float64 (n_leads, n_reps).
    """

    p_win: FloatArray
    money: FloatArray
    eligible: NDArray[np.bool_]
    model: FloatArray


Estimator = Callable[[Lottery, FloatArray, FloatArray], Estimate]


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the lottery again and again, and count how often the truth is covered."""
    asked = options(__doc__ or "", argv, repetitions=1, quick_repetitions=1)
    runs, sample = (QUICK_RUNS, QUICK_SAMPLE) if asked.quick else (RUNS, SAMPLE)
    world = _world()
    rows = [
        row
        for reward, unit in (("conversions", False), ("money", True))
        for row in _compare(world, runs, sample, reward, in_money=unit)
    ]
    judged = [row for row in rows if row["held to the bar"]]
    worst = max(judged, key=lambda row: abs(_number(row["covered"]) - 0.95))
    value = _number(worst["covered"])
    # A quick run is judged with the noise that fewer runs have.
    slack = 0.0 if not asked.quick else 3 * np.sqrt(0.95 * 0.05 / runs)
    figure = Figure(
        name="off_policy",
        value=value,
        bar=FEWEST,
        holds=all(
            FEWEST - slack <= _number(row["covered"]) <= MOST + slack for row in judged
        ),
        rows=rows,
        title=f"{runs:,} lotteries of {sample:,} leads among {REPS} reps",
        notes=(
            "Covered: share of the runs whose 95 % interval holds the truth; to be "
            f"from {FEWEST} to {MOST}.",
            f"Clipped at {CLIP:g}: biased on purpose, so not held to the bar; the "
            "model answers for what is cut off.",
            "Naive: the mean of what the flawed model believes of its own choices.",
        ),
        extra={"unit": "share covered, worst estimator", "most": MOST},
    )
    return publish(figure, quick=asked.quick)


def _world() -> World:
    market = simulate(MarketSettings(n_leads=round(POOL * 1.1), n_reps=REPS))
    drawn = batch(market, POOL, REPS)
    some = drawn.eligible.any(axis=1)
    p_win = drawn.p_win[some].astype(np.float64)
    rng = np.random.default_rng(5)
    odds = np.log(p_win / (1.0 - p_win)) + rng.normal(0.0, FLAW, p_win.shape)
    return World(
        p_win, drawn.deal_value[some], drawn.eligible[some], 1 / (1 + np.exp(-odds))
    )


def _compare(
    world: World, runs: int, sample: int, reward: str, *, in_money: bool
) -> list[Row]:
    """One row per estimator, then the naive figure."""
    worth = world.money if in_money else np.ones(world.money.size)
    policy = best_of(world.model, world.eligible)
    truth = float(((policy * world.p_win).sum(axis=1) * worth).mean())
    found: dict[str, list[Estimate]] = {name: [] for name in _ESTIMATORS}
    rng = np.random.default_rng(11)
    for _ in range(runs):
        leads = rng.integers(0, worth.size, sample)
        lottery = _draw(world, leads, worth, rng)
        believed = world.model[leads] * worth[leads, None]
        for name, estimate in _ESTIMATORS.items():
            found[name].append(estimate(lottery, policy[leads], believed))
    believed = (policy * world.model).sum(axis=1) * worth
    return [
        *(_row(reward, name, every, truth) for name, every in found.items()),
        {
            "reward": reward,
            "estimator": "naive",
            "covered": None,
            "held to the bar": False,
            "off the truth (%)": round(100 * (float(believed.mean()) / truth - 1), 2),
            "half interval (%)": None,
            "effective sample": None,
            "overlap": None,
        },
    ]


def _draw(
    world: World, leads: NDArray[np.int64], worth: FloatArray, rng: np.random.Generator
) -> Lottery:
    """Any eligible rep with the same chance; then the truth decides."""
    eligible = world.eligible[leads]
    rep = np.argmax(np.where(eligible, rng.random(eligible.shape), -1.0), axis=1)
    won = rng.random(leads.size) < world.p_win[leads, rep]
    return Lottery(
        rep=rep,
        propensity=1.0 / eligible.sum(axis=1),
        reward=won * worth[leads],
        drawable=eligible,
    )


def _doubly_robust(
    lottery: Lottery, chance: FloatArray, believed: FloatArray
) -> Estimate:
    expected = cross_fitted(lottery, linear_in(lottery, believed))
    return doubly_robust(lottery, chance, expected)


def _clipped(lottery: Lottery, chance: FloatArray, believed: FloatArray) -> Estimate:
    expected = cross_fitted(lottery, linear_in(lottery, believed))
    return doubly_robust(lottery, chance, expected, clip=CLIP)


_CLIPPED = f"doubly robust, clipped at {CLIP:g}"
_ESTIMATORS: dict[str, Estimator] = {
    "ips": lambda lottery, chance, _: ips(lottery, chance),
    "snips": lambda lottery, chance, _: snips(lottery, chance),
    "doubly robust": _doubly_robust,
    _CLIPPED: _clipped,
}


def _row(reward: str, name: str, every: Sequence[Estimate], truth: float) -> Row:
    covered = [one.low <= truth <= one.high for one in every]
    values = np.array([one.value for one in every])
    halves = np.array([(one.high - one.low) / 2 for one in every])
    return {
        "reward": reward,
        "estimator": name,
        "covered": float(np.mean(covered)),
        "held to the bar": name != _CLIPPED,
        "off the truth (%)": round(100 * (float(values.mean()) / truth - 1), 2),
        "half interval (%)": round(100 * float(halves.mean()) / truth, 1),
        "effective sample": round(float(np.mean([one.effective_n for one in every]))),
        "overlap": float(np.mean([one.overlap for one in every])),
    }


def _number(value: object) -> float:
    return value if isinstance(value, float) else 0.0


if __name__ == "__main__":
    sys.exit(main())
