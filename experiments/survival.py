"""Time to win by arm: the share won by each day after the draw, open leads censored.

One minus the Kaplan-Meier estimate. A lost lead is not taken out at its loss, which
would read as "might still be won" and overstate the share: it stays, as never to be
won, until the day of the report. With every lead's follow-up known this is the
cumulative incidence (Fine and Gray, 1999, "A proportional hazards model for the
subdistribution of a competing risk", complete data).
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm
from statsmodels.duration.survfunc import SurvfuncRight

from experiments.drawn import DAY, Drawn
from experiments.moments import FloatArray, IntArray

MOST_DAYS = 120


@dataclass(frozen=True, eq=False, kw_only=True)
class Curve:
    """Share of an arm's leads won by each day after their draw.

    Attributes:
        days: Days after the draw; int64 (n_days,), from 0.
        share: Won by the end of each; float64 (n_days,), in [0, 1].
        low: Lower end of its interval, day by day; float64 (n_days,).
        high: Upper end; float64 (n_days,).
        at_risk: Leads followed so long that were not won before; int64 (n_days,).
    """

    days: IntArray
    share: FloatArray
    low: FloatArray
    high: FloatArray
    at_risk: IntArray


def time_to_win(drawn: Drawn, arm: int, at: int, *, alpha: float) -> Curve | None:
    """The curve of one arm; None before any of its leads was followed for a day.

    Args:
        drawn: Every lead.
        arm: Place among the arms.
        at: Day of the report; microseconds since 1970.
        alpha: One minus the coverage of each day's interval.
    """
    mine = drawn.arm == arm
    ends = np.minimum(drawn.won_at[mine], at)
    gone = np.maximum(ends - drawn.drawn_at[mine], 0) / DAY
    won = drawn.won_at[mine] <= at
    last = min(int(gone.max(initial=0.0)), MOST_DAYS)
    if last < 1:
        return None
    found = SurvfuncRight(gone, won.astype(np.int64))
    days = np.arange(last + 1)
    place = np.searchsorted(found.surv_times, days, side="right") - 1
    # Place -1, before the first win, finds what is appended.
    share = np.append(1.0 - found.surv_prob, 0.0)[place]
    se = np.append(np.nan_to_num(found.surv_prob_se), 0.0)[place]
    wide = float(norm.isf(alpha / 2)) * se
    return Curve(
        days=days,
        share=share,
        low=np.maximum(share - wide, 0.0),
        high=np.minimum(share + wide, 1.0),
        at_risk=gone.size - np.searchsorted(np.sort(gone), days, side="left"),
    )
