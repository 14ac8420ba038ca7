"""Who is slow, and who is quick: first touch and cycle time against all other reps.

Every lead has the same time to be touched, and to close: what takes longer counts as
that long, so leads that still wait do not make a rep look quick.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from experiments.shifts import shift
from rightrep.domain.ids import RepId
from rightrep.store.paces import decision_times
from rightrep.store.session import ReadSession

LEVEL = 0.95
"""Of all reps and both times at once."""
DAYS = 180
"""Leads given in so many days are looked at."""
TOUCH_CAP = timedelta(days=7)
FEWEST = 10
"""Leads below which nothing is said of a rep."""
_SHORTEST_HOURS = 1 / 60

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Speed:
    """How long one thing takes a rep.

    Attributes:
        n_leads: Leads it was taken from.
        n_capped: Leads among them that took longer than they were given.
        median_hours: Half of the leads took less; the cap where half did not.
        capped: Whether half did not.
        ratio: How many times as long as it takes all other reps; None where there are
            too few leads to say.
        low: Lower end of its interval.
        high: Upper end.
    """

    n_leads: int
    n_capped: int
    median_hours: float
    capped: bool
    ratio: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def differs(self) -> bool:
        """Whether it measurably takes longer, or less long, than others."""
        if self.low is None or self.high is None:
            return False
        return self.low > 1.0 or self.high < 1.0

    @property
    def slower(self) -> bool:
        """Whether it measurably takes longer."""
        return self.low is not None and self.low > 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How quick a rep is.

    Attributes:
        touch: From being given a lead to the first follow-up; None without leads.
        close: From being given a lead to its end, won or lost; likewise.
    """

    touch: Speed | None
    close: Speed | None


def read_paces(
    session: ReadSession, *, window_days: int, at: datetime
) -> Mapping[RepId, Pace]:
    """How quick every rep is.

    Args:
        session: Where to read.
        window_days: The label window; a lead is given twice as long to close.
        at: Now.
    """
    cap = timedelta(days=2 * window_days)
    first = at - timedelta(days=DAYS) - cap
    times: pd.DataFrame = decision_times(session, first=first, before=at).to_pandas()
    recent = times[times["decided_at"] >= at - timedelta(days=DAYS)]
    touches = _hours(recent, "touched_at", TOUCH_CAP, at)
    closes = _hours(times, "closed_at", cap, at)
    n_reps = max(times["rep_id"].nunique(), 1)
    level = 1.0 - (1.0 - LEVEL) / (2 * n_reps)
    touched = _speeds(touches, TOUCH_CAP, level)
    closed = _speeds(closes, cap, level)
    return {
        RepId(rep): Pace(touch=touched.get(rep), close=closed.get(rep))
        for rep in {*touched, *closed}
    }


def _hours(
    times: pd.DataFrame, until: str, cap: timedelta, at: datetime
) -> pd.DataFrame:
    """Hours of the leads that had the whole time; capped.

    Returns:
        Columns rep_id and hours.
    """
    judged = times[times["decided_at"] <= at - cap]
    apart: pd.Series[pd.Timedelta] = judged[until] - judged["decided_at"]
    took = apart.dt.total_seconds() / 3600.0
    most = cap / timedelta(hours=1)
    hours = took.fillna(most).clip(lower=_SHORTEST_HOURS, upper=most)
    return pd.DataFrame({"rep_id": judged["rep_id"], "hours": hours})


def _speeds(hours: pd.DataFrame, cap: timedelta, level: float) -> dict[str, Speed]:
    logs = np.log(hours["hours"].to_numpy(dtype=np.float64))
    code, reps = pd.factorize(hours["rep_id"])
    most = float(np.log(cap / timedelta(hours=1)))
    return {
        str(rep): _speed(logs[code == k], logs[code != k], most, level)
        for k, rep in enumerate(reps)
    }


def _speed(own: FloatArray, others: FloatArray, most: float, level: float) -> Speed:
    median = float(np.median(own))
    found = shift(own, others, level=level) if own.size >= FEWEST else None
    ratio, low, high = (None, None, None) if found is None else np.exp(found).tolist()
    return Speed(
        n_leads=own.size,
        n_capped=int((own >= most).sum()),
        median_hours=float(np.exp(median)),
        capped=median >= most,
        ratio=ratio,
        low=low,
        high=high,
    )
