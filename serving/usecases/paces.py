"""Who is slow, and who is quick: first touch and cycle time against all other reps.

Every lead has the same time to be touched, and to close: what takes longer counts as
that long, so leads that still wait do not make a rep look quick. Half a year of leads
does not change within a day: paces are those as of its morning, kept in memory.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from experiments.shifts import shift
from rightrep.domain.days import day_bounds, local_day
from rightrep.domain.ids import RepId, TenantId
from rightrep.domain.tenant import Tenant
from rightrep.store.paces import first_ends, first_touches
from rightrep.store.session import ReadSession
from serving.usecases.kept import Kept

LEVEL = 0.95
"""Of all reps and both times at once."""
DAYS = 180
"""Leads given in so many days are looked at."""
TOUCH_CAP = timedelta(days=7)
FEWEST = 10
"""Leads below which nothing is said of a rep."""
_SHORTEST_HOURS = 1 / 60
_KEPT = 256

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Paces:
    """How quick every rep is.

    Attributes:
        at: As of when; the beginning of a local day.
        of_rep: By rep; those without leads are left out.
    """

    at: datetime
    of_rep: Mapping[RepId, Pace]


class PaceBook:
    """Paces by day, safe to share by threads."""

    def __init__(self) -> None:
        self._paces: Kept[tuple[TenantId, int, date], Paces] = Kept(_KEPT)

    def read(
        self, session: ReadSession, tenant: Tenant, *, window_days: int, at: datetime
    ) -> Paces:
        """How quick every rep was when the local day of ``at`` began.

        Args:
            session: Where to read.
            tenant: Whose.
            window_days: The label window; a lead is given twice as long to close.
            at: An instant of that day.
        """
        day = local_day(at, tenant.time_zone)
        morning = day_bounds(day, tenant.time_zone)[0]
        return self._paces.get(
            (tenant.tenant_id, window_days, day),
            lambda: _paces(session, window_days=window_days, at=morning),
        )


def _paces(session: ReadSession, *, window_days: int, at: datetime) -> Paces:
    cap = timedelta(days=2 * window_days)
    first = at - timedelta(days=DAYS)
    touches = first_touches(session, first=first, before=at - TOUCH_CAP)
    ends = first_ends(session, first=first - cap, before=at - cap)
    return _compared(_hours(touches, TOUCH_CAP), _hours(ends, cap), cap, at)


def _compared(
    touches: pd.DataFrame, ends: pd.DataFrame, cap: timedelta, at: datetime
) -> Paces:
    n_reps = max(len({*touches["rep_id"], *ends["rep_id"]}), 1)
    level = 1.0 - (1.0 - LEVEL) / (2 * n_reps)
    touched = _speeds(touches, TOUCH_CAP, level)
    closed = _speeds(ends, cap, level)
    of_rep = {
        RepId(rep): Pace(touch=touched.get(rep), close=closed.get(rep))
        for rep in {*touched, *closed}
    }
    return Paces(at=at, of_rep=of_rep)


def _hours(told: pa.Table, cap: timedelta) -> pd.DataFrame:
    """Hours from each decision to what came of it; capped.

    Returns:
        Columns rep_id and hours.
    """
    times: pd.DataFrame = told.to_pandas()
    apart: pd.Series[pd.Timedelta] = times["at"] - times["decided_at"]
    took = apart.dt.total_seconds() / 3600.0
    most = cap / timedelta(hours=1)
    hours = took.fillna(most).clip(lower=_SHORTEST_HOURS, upper=most)
    return pd.DataFrame({"rep_id": times["rep_id"], "hours": hours})


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
