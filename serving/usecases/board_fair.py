"""Is it fair? Who was given how much of the leads, and of the good ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.stats import norm

from rightrep.domain.days import day_bounds, local_day
from rightrep.domain.ids import LeadId, RepId, TenantId
from rightrep.domain.job import Job
from rightrep.domain.tenant import Tenant
from rightrep.errors import ModelUnavailable
from rightrep.store import bulk
from rightrep.store.session import ReadSession
from rightrep.store.tenants import get_tenant
from serving.usecases.board import PlanView, RepLoad, find_plan, read_loads, view_plan
from serving.usecases.board_names import Names, read_names
from serving.usecases.context import Context
from serving.usecases.trade_off import Curve, job_of

LEVEL = 0.95
"""Of all reps at once: one in twenty pages names somebody whom only luck set apart."""
MOST_RATED = 20_000
"""Quality is that of the newest so many decisions."""

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """What somebody was given in the period: a rep, or a team.

    Attributes:
        key: Id of the rep, or name of the team.
        team: Name of the team, or None.
        load: Leads given.
        n_rated: Leads among them whose quality is known.
        quality: Sum of their lead-only chances.
        weight_share: Part of the weights; None where no leads are taken now.
        load_share: Part of the leads given to those who take leads now; None likewise.
        quality_share: Part of the quality given to them; None likewise and unrated.
        ratio: Quality of a lead, over that of a lead of all; None where unrated.
        low: Lower end of its interval, all reps held at once; None likewise.
        high: Upper end.
    """

    key: str
    team: str | None
    load: int
    n_rated: int
    quality: float
    weight_share: float | None
    load_share: float | None
    quality_share: float | None
    ratio: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def off(self) -> float | None:
        """Load share beyond the weight's."""
        if self.load_share is None or self.weight_share is None:
            return None
        return self.load_share - self.weight_share

    @property
    def leads_differ(self) -> bool:
        """Whether the leads were better or worse than luck explains."""
        if self.low is None or self.high is None:
            return False
        return self.low > 1.0 or self.high < 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class FairPage:
    """Load and quality by rep and team, and what more fairness would cost.

    Attributes:
        tenant: Whose.
        at: When it was read.
        days: Local days of the period, today the last of them.
        first: First instant of the period.
        reps: Every rep who takes leads or was given some; by team and name.
        loads: Whether each of them takes leads, by rep.
        teams: The same over teams.
        n_given: Leads given in the period.
        n_rated: Leads among them whose quality is known.
        model_version: Whose lead-only chances; None without a model.
        plan: The latest plan, or None.
        curve: Its trade-off curve, or None.
        job: The job that works the curve out, or None.
        names: What to call the reps.
    """

    tenant: Tenant
    at: datetime
    days: int
    first: datetime
    reps: Sequence[Part]
    loads: dict[RepId, RepLoad]
    teams: Sequence[Part]
    n_given: int
    n_rated: int
    model_version: str | None
    plan: PlanView | None
    curve: Curve | None
    job: Job | None
    names: Names

    @property
    def furthest(self) -> Part | None:
        """The rep whose load share is furthest from the weight."""
        if not self.n_given:
            return None
        taking = [one for one in self.reps if one.off is not None]
        return max(taking, key=lambda one: abs(one.off or 0.0), default=None)

    @property
    def unlike(self) -> Sequence[Part]:
        """Reps whose leads were better or worse than luck explains; best first."""
        found = [one for one in self.reps if one.leads_differ]
        return sorted(found, key=lambda one: -(one.ratio or 0.0))


def read_fair(
    context: Context, tenant_id: TenantId, *, days: int, at: datetime, named: bool
) -> FairPage:
    """Shares of the last days, and the latest plan's curve.

    Args:
        context: The parts of this process.
        tenant_id: Whose.
        days: Local days of the period, today the last of them; positive.
        at: Now.
        named: Whether the reader may see names.
    """
    with context.store.read(tenant_id) as session:
        tenant = get_tenant(session)
        today = local_day(at, tenant.time_zone)
        first, _ = day_bounds(today - timedelta(days=days - 1), tenant.time_zone)
        given = bulk.decisions_between(session, first=first, before=at + _MOMENT)
        loads = _everybody(session, tenant, given, at=at)
        names = read_names(session, reps=loads, leads=[], at=at, named=named)
        header = find_plan(session, None)
        plan = None if header is None else view_plan(session, header)
        asked = None if header is None else job_of(session, header.plan_id)
    quality, version = _quality(context, tenant_id, given)
    shares = _Shares(loads, given, quality)
    rated = int((~np.isnan(quality)).sum())
    return FairPage(
        tenant=tenant,
        at=at,
        days=days,
        first=first,
        reps=sorted(
            shares.by_rep(), key=lambda one: (one.team or "", names.rep(one.key))
        ),
        loads=loads,
        teams=shares.by_team(),
        n_given=given.num_rows,
        n_rated=rated,
        model_version=version,
        plan=plan,
        curve=None if header is None else Curve.of(header),
        job=asked,
        names=names,
    )


_MOMENT = timedelta(microseconds=1)


def _everybody(
    session: ReadSession, tenant: Tenant, given: pa.Table, *, at: datetime
) -> dict[RepId, RepLoad]:
    """Every rep who is here, or was given a lead in the period."""
    had = set(given["rep_id"].to_pylist())
    found = read_loads(session, tenant, None, at=at, of=had)
    return {
        load.rep_id: load for load in found if load.takes_leads or load.rep_id in had
    }


def _quality(
    context: Context, tenant_id: TenantId, given: pa.Table
) -> tuple[FloatArray, str | None]:
    """Lead-only chance of each lead as it was given, and whose; NaN where unknown."""
    quality = np.full(given.num_rows, np.nan)
    try:
        adviser = context.advisers.get(tenant_id)
    except ModelUnavailable:
        adviser = None
    if adviser is None:
        return quality, None
    newest = given.slice(max(0, given.num_rows - MOST_RATED))
    if newest.num_rows:
        lead_ids = [LeadId(lead) for lead in newest["lead_id"].to_pylist()]
        at = newest["decided_at"].cast(pa.int64()).to_numpy()
        quality[-newest.num_rows :] = adviser.quality_then(lead_ids, at)
    return quality, adviser.version


class _Shares:
    """Sums by rep, and their parts of the whole."""

    def __init__(
        self, loads: dict[RepId, RepLoad], given: pa.Table, quality: FloatArray
    ) -> None:
        self._loads = list(loads.values())
        place = {load.rep_id: j for j, load in enumerate(self._loads)}
        rep = np.array([place[one] for one in given["rep_id"].to_pylist()], np.int64)
        n_reps, known = len(self._loads), ~np.isnan(quality)
        self.load = np.bincount(rep, minlength=n_reps)
        self.rated = np.bincount(rep[known], minlength=n_reps)
        self.quality = np.bincount(rep[known], quality[known], minlength=n_reps)
        self.takes = np.array([one.takes_leads for one in self._loads], dtype=np.bool_)
        weight = np.array([load.weight for load in self._loads], dtype=np.float64)
        self.weight = np.where(self.takes, weight, 0.0)
        self._mean = float(quality[known].mean()) if known.any() else np.nan
        self._sd = float(quality[known].std()) if known.any() else np.nan

    def by_rep(self) -> list[Part]:
        """One part for each rep, with how much better the leads were."""
        width = float(norm.ppf(1.0 - (1.0 - LEVEL) / (2 * max(self._n_rated, 1))))
        return [
            self._part(load.rep_id, load.team, np.array([j]), width)
            for j, load in enumerate(self._loads)
        ]

    def by_team(self) -> list[Part]:
        """One part for each team; those without one are left out."""
        teams = sorted({load.team for load in self._loads if load.team})
        return [self._part(team, team, self._of(team), None) for team in teams]

    @property
    def _n_rated(self) -> int:
        return int((self.rated > 0).sum())

    def _of(self, team: str) -> NDArray[np.int64]:
        members = [load.team == team for load in self._loads]
        return np.flatnonzero(members)

    def _part(
        self, key: str, team: str | None, who: NDArray[np.int64], width: float | None
    ) -> Part:
        takes = bool(self.takes[who].any())
        n_rated, quality = int(self.rated[who].sum()), float(self.quality[who].sum())
        ratio = low = high = None
        if n_rated and self._mean > 0:
            ratio = quality / n_rated / self._mean
        if ratio is not None and width is not None:
            half = width * self._sd / np.sqrt(n_rated) / self._mean
            low, high = ratio - half, ratio + half
        return Part(
            key=key,
            team=team,
            load=int(self.load[who].sum()),
            n_rated=n_rated,
            quality=quality,
            weight_share=_share(self.weight, who, self.takes) if takes else None,
            load_share=_share(self.load, who, self.takes) if takes else None,
            quality_share=_share(self.quality, who, self.takes) if takes else None,
            ratio=ratio,
            low=low,
            high=high,
        )


def _share(
    amount: NDArray[np.generic], who: NDArray[np.int64], takes: NDArray[np.bool_]
) -> float | None:
    """The part of these in what all who take leads have; None where that is nothing."""
    mine = np.where(takes, amount.astype(np.float64), 0.0)
    total = float(mine.sum())
    return float(mine[who].sum()) / total if total > 0 else None
