"""The null world, the model's part: where reps do not differ, nothing is to be found.

Demo markets whose outcomes do not depend on the rep at all, over many seeds. The pair
model must fall back to the lead-only one and the product must say that reps do not
differ measurably. A find is a 95 % interval above 0, so up to one in forty is chance.
Beside them, markets whose reps do differ, to show what is found there.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import binom

from benchmarks.common import Figure, Row, options, publish
from experiments.simulate import ZONE, MarketSettings, simulate
from training.evaluation import Gain
from training.model import ConversionModel
from training.rows import training_rows

N_SEEDS, QUICK_SEEDS = 40, 6
N_LEADS, QUICK_LEADS = 12_000, 5_000
WORLDS = {"null world": 0.0, "usual reps": 1.0, "reps twice as unlike": 2.0}
BY_CHANCE = 0.025
"""Share of null worlds in which a one-sided 2.5 % test finds something."""


def main(argv: Sequence[str] | None = None) -> int:
    """Count finds in every world, print and save the table."""
    asked = options(__doc__ or "", argv)
    n_seeds = QUICK_SEEDS if asked.quick else N_SEEDS
    n_leads = QUICK_LEADS if asked.quick else N_LEADS
    rows: list[Row] = []
    found: dict[str, int] = {}
    for name, rep_effect in WORLDS.items():
        few = n_seeds if rep_effect == 0.0 else max(n_seeds // 4, 2)
        gains = [_gain(n_leads, rep_effect, seed) for seed in range(few)]
        found[name] = sum(gain.low > 0.0 for gain in gains)
        rows.append(
            {
                "world": name,
                "seeds": few,
                "reps differ": found[name],
                "falls back to lead-only": few - found[name],
                "mean gain": float(np.mean([gain.mean for gain in gains])),
                "largest lower end": max(gain.low for gain in gains),
            }
        )
    most = int(binom.ppf(0.975, n_seeds, BY_CHANCE))
    return publish(
        Figure(
            name="null_model",
            value=float(found["null world"]),
            bar=float(most),
            holds=found["null world"] <= most,
            rows=rows,
            title=f"{n_leads:,} leads a market: does knowing the rep measurably help?",
            notes=[
                f"held to: at most {most} false finds in {n_seeds} null worlds, what a "
                "one-sided 2.5 % test gives in 97.5 of 100 such counts",
            ],
            extra={"unit": "false finds", "null_worlds": n_seeds},
        ),
        quick=asked.quick,
    )


def _gain(n_leads: int, rep_effect: float, seed: int) -> Gain:
    market = simulate(
        MarketSettings(
            n_leads=n_leads, rep_effect=rep_effect, seed=seed, activities_per_lead=1.0
        )
    )
    end = pd.Timestamp(market.settings.end)
    rows = training_rows(market.history(), end, zone=ZONE)
    labels = rows.labels
    model = ConversionModel(rows.contract, refit=False).fit(
        rows.columns,
        labels.won,
        rep=labels.rep,
        week=labels.week,
        propensity=labels.propensity,
    )
    return model.gain_


if __name__ == "__main__":
    raise SystemExit(main())
