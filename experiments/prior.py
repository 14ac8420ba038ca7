"""What an experiment may count on, from leads that were given before it.

The history is read as if it had been an experiment with one arm: a lead is drawn with
its first decision and counts once its horizon has passed.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from experiments.bucketing import HOURS_A_DAY
from experiments.design import Design, Metric, PowerPlan, power_of
from experiments.drawn import DAY
from experiments.effects import FEWEST_PER_CELL
from experiments.evidence import Evidence, gather
from experiments.moments import FloatArray, IntArray
from experiments.report import Observed
from rightrep.domain.experiment import UnitKind
from rightrep.errors import InvalidInput

RECENT_DAYS = 90
"""Days that tell how many units come."""

JUDGED_DAYS = 365
"""Days of draws that tell how much is won."""

_ARM = "control"


@dataclass(frozen=True, kw_only=True, slots=True)
class Prior:
    """Leads of the past, as units of a design.

    Attributes:
        mean: Metric per lead.
        sd: Standard deviation per independent unit, on the scale of one lead, what the
            covariate explains taken away.
        plain_sd: The same with nothing taken away.
        units_per_day: Independent units a day.
        n_leads: Leads that tell so.
    """

    mean: float
    sd: float
    plain_sd: float
    units_per_day: float
    n_leads: int

    @property
    def explained(self) -> float:
        """Share of the variance that the covariate takes away, in [0, 1]."""
        return 1 - (self.sd / self.plain_sd) ** 2 if self.plain_sd > 0 else 0.0

    def power(self, design: Design, *, share: float) -> PowerPlan:
        """How much a design can find with units like these.

        Raises:
            InvalidInput: Nothing was won, or no lead was given of late.
        """
        if not self.units_per_day:
            raise InvalidInput(
                f"No lead was given in the last {RECENT_DAYS} days.",
                remedy="Send decisions, or import them.",
            )
        return power_of(
            design,
            mean=self.mean,
            sd=self.sd,
            units_per_day=self.units_per_day,
            share=share,
        )


def prior_of(
    events: Mapping[str, pd.DataFrame],
    design: Design,
    kind: UnitKind,
    *,
    at: int,
    zone: str,
    minor: int,
    team_of: Mapping[str, str],
    p_lead: "pd.Series[float] | None" = None,
) -> Prior:
    """Units, mean and spread of the past.

    Args:
        events: The tables of ``Evidence`` but the units, from the beginning on.
        design: What is promised.
        kind: What is randomised.
        at: Now; microseconds since 1970.
        zone: The tenant's IANA zone.
        minor: Minor units in one major unit of the tenant's currency.
        team_of: Team of each rep.
        p_lead: Lead-only chance of each decision by its id, or None without a model.
    """
    units = _units(events["decisions"], design, kind, zone, team_of, p_lead)
    drawn = gather(
        Evidence(units=units, **events), [_ARM], kind, zone=zone, minor=minor
    )
    recent = drawn.drawn_at > at - RECENT_DAYS * DAY
    first = int(drawn.drawn_at.min(initial=at))
    days = max(min(RECENT_DAYS, (at - first) / DAY), 1.0)
    since = at - (JUDGED_DAYS + design.horizon_days) * DAY
    seen = drawn.since(since).observed(at, horizon_days=design.horizon_days)
    mean, plain_sd, sd = _spread(seen, design, kind)
    return Prior(
        mean=mean,
        sd=sd,
        plain_sd=plain_sd,
        units_per_day=np.unique(drawn.cluster[recent]).size / days,
        n_leads=seen.n_leads,
    )


def _units(
    decisions: pd.DataFrame,
    design: Design,
    kind: UnitKind,
    zone: str,
    team_of: Mapping[str, str],
    p_lead: "pd.Series[float] | None",
) -> pd.DataFrame:
    """Each lead with its first decision, in the columns of a log of units."""
    first = decisions.sort_values("decided_at", kind="stable")
    first = first.drop_duplicates("lead_id", ignore_index=True)
    covariate = np.full(len(first), np.nan)
    if p_lead is not None:
        covariate = first["decision_id"].map(p_lead).to_numpy(np.float64)
    return pd.DataFrame(
        {
            "unit": first["lead_id"],
            "cluster": _cluster_names(first, design, kind, zone, team_of),
            "arm": _ARM,
            "stratum": "",
            "covariate": covariate,
            "logged_at": first["decided_at"],
        }
    )


def _cluster_names(
    first: pd.DataFrame,
    design: Design,
    kind: UnitKind,
    zone: str,
    team_of: Mapping[str, str],
) -> "pd.Series[str] | str":
    if kind is UnitKind.LEAD or first.empty:
        return ""
    local = first["decided_at"].astype("datetime64[us, UTC]").dt.tz_convert(zone)
    day = local.dt.strftime("%Y-%m-%d")
    if kind is UnitKind.TEAM_DAY:
        return day + " " + first["rep_id"].map(team_of).fillna("").astype(str)
    hours = local.dt.hour // design.slice_hours * design.slice_hours % HOURS_A_DAY
    return day + "T" + hours.astype(str).str.zfill(2)


def _spread(
    seen: Observed, design: Design, kind: UnitKind
) -> tuple[float, float, float]:
    """Mean per lead, and standard deviation per unit without and with adjusting."""
    value = seen.won.astype(np.float64)
    if design.metric is Metric.VALUE:
        value = np.minimum(seen.value, design.value_cap or np.inf)
    unit = seen.cluster if kind is not UnitKind.LEAD else np.arange(seen.n_leads)
    _, unit = np.unique(unit, return_inverse=True)
    if int(unit.max(initial=-1)) + 1 < FEWEST_PER_CELL:
        return 0.0, 0.0, 0.0
    off = value - value.mean()
    known = ~np.isnan(seen.covariate)
    rest = off
    if design.adjust and known.any():
        x = np.where(known, seen.covariate, seen.covariate[known].mean())
        x = x - x.mean()
        rest = off - (x @ off / max(float(x @ x), 1e-300)) * x
    return float(value.mean()), _sd(off, unit), _sd(rest, unit)


def _sd(off: FloatArray, unit: IntArray) -> float:
    """Standard deviation of the units' sums, over their mean size.

    The variance of a ratio of sums, linearised, is this one's square over the units.
    """
    sums, sizes = np.bincount(unit, off), np.bincount(unit)
    return float(sums.std(ddof=1) / sizes.mean())
