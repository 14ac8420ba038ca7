"""The mix-shift trap: arms of another mix are no effect, whatever the pooled rate says.

Weekday on 900 leads 90 won, off 100 / 10; weekend on 100 / 2, off 900 / 18: within
weekdays and within weekends nothing differs. The pooled figure says +229 %.
"""

import sys
from collections.abc import Sequence

import numpy as np

from benchmarks.common import Figure, options, publish
from experiments.effects import effect_of_units
from experiments.moments import Moments

CELLS = {
    "weekday": ((100, 10), (900, 90)),
    "weekend": ((900, 18), (100, 2)),
}
"""Leads and won leads of control and treatment, by stratum."""


def main(argv: Sequence[str] | None = None) -> int:
    """Compare the pooled figure with the report's."""
    asked = options(__doc__ or "", argv, repetitions=1, quick_repetitions=1)
    n, won = np.moveaxis(np.array(list(CELLS.values()), dtype=np.float64), 2, 0)
    zero = np.zeros_like(n)
    sums = Moments(n=n, y=won, x=zero, yy=won, xx=zero, xy=zero)
    effect = effect_of_units(sums, n_optimal=2_000)
    rate = won.sum(axis=0) / n.sum(axis=0)
    pooled = float(rate[1] / rate[0] - 1)
    return publish(
        Figure(
            name="mix_shift",
            value=abs(effect.relative),
            bar=0.0,
            holds=abs(effect.relative) < 1e-12,
            rows=[
                {"figure": "pooled", "relative effect": f"{pooled:+.0%}"},
                {
                    "figure": "the report's",
                    "relative effect": f"{effect.relative:+.0%}",
                },
            ],
            title="2,000 leads, two strata, no effect in either",
            extra={"unit": "relative effect", "pooled": pooled},
        ),
        quick=asked.quick,
    )


if __name__ == "__main__":
    sys.exit(main())
