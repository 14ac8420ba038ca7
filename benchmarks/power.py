"""Power: effects are found as often as the formula says, by either interval.

Experiments of planned length with a true effect from none to twice the smallest one
worth finding. For the fixed interval the formula is exact; for the one that may be
looked at every day it tells what a single look at the end finds, and daily looks find
a little more.
"""

import sys
from collections.abc import Sequence

import numpy as np
from scipy.stats import norm

from benchmarks.common import Figure, Row, options, publish
from experiments.design import Design, power_of
from experiments.effects import effect_of_units
from experiments.moments import Moments
from experiments.sequential import widening

RUNS, QUICK_RUNS = 1_000, 200
DAYS, PER_DAY = 30, 400
SHARES = (0.0, 0.5, 0.75, 1.0, 1.5, 2.0)
"""True effects, in smallest effects worth finding."""
BAR = 0.04
MEAN = 0.2


def main(argv: Sequence[str] | None = None) -> int:
    """Count how often each true effect is found."""
    asked = options(__doc__ or "", argv, repetitions=1, quick_repetitions=1)
    runs = QUICK_RUNS if asked.quick else RUNS
    n = DAYS * PER_DAY
    design = Design(n_optimal=n)
    sd = float(np.sqrt(MEAN * (1 - MEAN)))
    plan = power_of(design, mean=MEAN, sd=sd, units_per_day=PER_DAY, share=0.5)
    rows = [_row(share, plan.smallest(DAYS), design, runs) for share in SHARES]
    off = [abs(float(str(r["fixed"])) - float(str(r["formula"]))) for r in rows]
    worst = max(off)
    slack = 0.0 if runs == RUNS else 0.05
    return publish(
        Figure(
            name="power",
            value=round(worst, 4),
            bar=BAR,
            holds=worst <= BAR + slack,
            rows=rows,
            title=f"Share of {runs:,} experiments of {n:,} leads that find the effect",
            notes=(
                f"The smallest effect worth finding: {plan.smallest(DAYS):.1%} of the "
                f"control's {MEAN:.0%}; any look: at one of {DAYS} daily looks.",
            ),
            extra={"unit": "farthest from the formula"},
        ),
        quick=asked.quick,
    )


def _row(share: float, smallest: float, design: Design, runs: int) -> Row:
    effect = share * smallest * MEAN
    half = DAYS * PER_DAY / 2
    se = np.sqrt((MEAN * (1 - MEAN) + (MEAN + effect) * (1 - MEAN - effect)) / half)
    z = effect / se
    wide = float(widening(2 * half, alpha=design.alpha, n_optimal=design.n_optimal))
    fixed = at_end = any_look = 0
    for run in range(runs):
        looks = _looks(effect, design, np.random.default_rng([int(share * 100), run]))
        fixed += looks[-1][0]
        at_end += looks[-1][1]
        any_look += any(found for _, found in looks)
    limit = norm.ppf(1 - design.alpha / 2)
    return {
        "true effect": f"{share:g} x",
        "formula": round(float(norm.sf(limit - z) + norm.cdf(-limit - z)), 3),
        "fixed": fixed / runs,
        "formula, always valid": round(
            float(norm.sf(wide - z) + norm.cdf(-wide - z)), 3
        ),
        "at the end": at_end / runs,
        "at any look": any_look / runs,
    }


def _looks(
    effect: float, design: Design, rng: np.random.Generator
) -> list[tuple[bool, bool]]:
    """Whether the fixed and the always-valid interval exclude 0, day by day."""
    n = rng.binomial(PER_DAY, 0.5, DAYS)
    days = np.column_stack([PER_DAY - n, n]).astype(np.float64)
    won = rng.binomial(days.astype(np.int64), [MEAN, MEAN + effect]).astype(np.float64)
    found = []
    for size, wins in zip(np.cumsum(days, axis=0), np.cumsum(won, axis=0), strict=True):
        zero = np.zeros((1, 2))
        y = wins[None, :]
        sums = Moments(n=size[None, :], y=y, x=zero, yy=y, xx=zero, xy=zero)
        one = effect_of_units(sums, n_optimal=design.n_optimal)
        found.append((one.fixed_low > 0 or one.fixed_high < 0, one.concluded))
    return found


if __name__ == "__main__":
    sys.exit(main())
