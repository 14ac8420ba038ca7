"""Where from? What each channel brought, what it cost, and where leads are lost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
from statsmodels.stats.proportion import (
    confint_proportions_2indep,
    proportion_confint,
)

from rightrep.domain.days import day_bounds, local_day
from rightrep.domain.lead import Stage
from rightrep.domain.outcome import Result
from rightrep.domain.tenant import Tenant
from rightrep.errors import InvalidInput
from rightrep.store.channel_costs import ChannelCost, list_channel_costs
from rightrep.store.cohorts import OPEN_STAGES, Cohort, read_cohort
from rightrep.store.models import PublishedModel, champion
from rightrep.store.rates import Rates, get_rates
from rightrep.store.session import ReadSession
from rightrep.store.tenants import get_tenant
from serving.usecases.board import window_days

LEVEL = 0.95
"""Of all rows of a table at once."""
CAMPAIGNS_SHOWN = 100
STEPS = (*OPEN_STAGES, Stage.WON)
"""Stages of the funnel, earliest first."""
_SUMMED = ("came", "won", "lost", "judged", "converted", "value")


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """What a channel, or one of its campaigns, brought.

    Attributes:
        channel: Its name; None for leads that name none.
        campaign: Name of the campaign; None for the whole channel.
        n_leads: Leads that came in the period.
        n_won: Won so far.
        n_lost: Lost so far.
        n_judged: Leads whose window has ended.
        n_converted: Leads among them won within it.
        low: Lower end of the interval of their share, all rows held at once; None
            where none is judged.
        high: Upper end.
        better: Whether it converts more than the rest does, else less; None where that
            cannot be said.
        value: Money won so far, major units of the tenant's currency.
        cost: Money spent, likewise; None where nothing was told.
    """

    channel: str | None
    campaign: str | None
    n_leads: int
    n_won: int
    n_lost: int
    n_judged: int
    n_converted: int
    low: float | None
    high: float | None
    better: bool | None
    value: float
    cost: float | None

    @property
    def conversion(self) -> float | None:
        """Share of the judged leads that was won within the window."""
        return self.n_converted / self.n_judged if self.n_judged else None

    @property
    def cost_per_lead(self) -> float | None:
        """Money spent for each lead that came."""
        return _over(self.cost, self.n_leads)

    @property
    def cost_per_win(self) -> float | None:
        """Money spent for each lead won so far."""
        return _over(self.cost, self.n_won)

    @property
    def earned(self) -> float | None:
        """Money won so far for each unit spent."""
        return None if self.cost is None else _over(self.value, self.cost)


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One stage of the funnel.

    Attributes:
        stage: The stage.
        reached: Leads that got as far.
        lost: Leads among them that were lost before the next stage.
        still_open: Leads among them that wait there.
    """

    stage: Stage
    reached: int
    lost: int
    still_open: int

    @property
    def lost_share(self) -> float:
        """Part of the leads that got as far and were lost there."""
        return self.lost / self.reached if self.reached else 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class ChannelsPage:
    """Channels, their campaigns and the funnel.

    Attributes:
        tenant: Whose.
        at: When it was read.
        days: Local days of the period, today the last of them.
        first: First instant of the period.
        only: The channel whose funnel is shown; None for all.
        window_days: Days after its arrival in which a lead's win counts.
        model: Whose label window that is; None without a model.
        channels: Most leads first.
        campaigns: Likewise, at most ``CAMPAIGNS_SHOWN``.
        total: All of them together.
        funnel: Its stages, earliest first.
        n_costs: Costs by channel and day that were told for the period.
        unpriced: Amounts that no rate turns into the tenant's currency.
    """

    tenant: Tenant
    at: datetime
    days: int
    first: datetime
    only: str | None
    window_days: int
    model: PublishedModel | None
    channels: Sequence[Source]
    campaigns: Sequence[Source]
    total: Source | None
    funnel: Sequence[Step]
    n_costs: int
    unpriced: int

    @property
    def worst_step(self) -> Step | None:
        """The stage at which most leads are lost; None where none is."""
        losing = [step for step in self.funnel if step.lost]
        return max(losing, key=lambda step: step.lost, default=None)

    @property
    def best_earner(self) -> Source | None:
        """The channel that earns most for each unit spent; None where none earns."""
        paid = [one for one in self.channels if one.earned]
        return max(paid, key=lambda one: one.earned or 0.0, default=None)


def read_channels(
    session: ReadSession, *, days: int, only: str | None, at: datetime
) -> ChannelsPage:
    """What the channels brought in the last days.

    Args:
        session: Where to read.
        days: Local days of the period, today the last of them; positive.
        only: The channel whose funnel is wanted; None for all.
        at: Now.
    """
    tenant = get_tenant(session)
    today = local_day(at, tenant.time_zone)
    first_day = today - timedelta(days=days - 1)
    first, _ = day_bounds(first_day, tenant.time_zone)
    model = champion(session)
    window = window_days(model)
    cohort = read_cohort(session, first=first, before=at + timedelta(microseconds=1))
    rates = get_rates(session, tenant.currency)
    told = list_channel_costs(session, first=first_day, last=today)
    costs, unpriced = _sums(told, rates)
    standing = _standing(cohort)
    leads = _leads(cohort, standing, at=at, window=timedelta(days=window))
    shown = leads if only is None else leads[leads["channel"] == only]
    return ChannelsPage(
        tenant=tenant,
        at=at,
        days=days,
        first=first,
        only=only,
        window_days=window,
        model=model,
        channels=_sources(leads, ["channel"], costs),
        campaigns=_sources(
            leads[leads["campaign"].notna()], ["channel", "campaign"], {}
        )[:CAMPAIGNS_SHOWN],
        total=_total(leads, costs),
        funnel=_funnel(shown),
        n_costs=len(told),
        unpriced=unpriced + _unpriced(standing),
    )


def _leads(
    cohort: Cohort, standing: pd.DataFrame, *, at: datetime, window: timedelta
) -> pd.DataFrame:
    """One row per lead: its channel now, how far it got, how it closed.

    Args:
        cohort: The leads.
        standing: Outcomes that stand.
        at: Now.
        window: Time that a lead has to be won.

    Returns:
        Columns channel, campaign, came (1), step (place in ``STEPS``), won, lost,
        judged, converted (bool) and value.
    """
    found: pd.DataFrame = cohort.leads.to_pandas().set_index("lead_id")
    closed = _closings(standing).reindex(found.index)
    won = closed["result"] == Result.WON.value
    judged = found["created_at"] + window <= pd.Timestamp(at)
    in_time = closed["closed_at"] - found["created_at"] <= window
    return found.assign(
        came=1,
        step=np.where(won, len(STEPS) - 1, found["furthest"]),
        won=won,
        lost=closed["result"] == Result.LOST.value,
        judged=judged,
        converted=judged & won & in_time,
        value=np.where(won, closed["value"], np.nan),
    )


def _standing(cohort: Cohort) -> pd.DataFrame:
    """Outcomes that no later one corrects."""
    told: pd.DataFrame = cohort.outcomes.to_pandas()
    return told[~told["event_id"].isin(told["replaces"].dropna())]


def _unpriced(standing: pd.DataFrame) -> int:
    return int((standing["value"].isna() & standing["value_currency"].notna()).sum())


def _closings(standing: pd.DataFrame) -> pd.DataFrame:
    """How each lead closed last, by lead."""
    ordered = standing.sort_values(["closed_at", "recorded_at"], kind="stable")
    return ordered.drop_duplicates("lead_id", keep="last").set_index("lead_id")


def _sums(costs: Sequence[ChannelCost], rates: Rates) -> tuple[dict[str, float], int]:
    """Money by channel in the tenant's currency, and amounts without a rate."""
    found: dict[str, float] = {}
    unpriced = 0
    for one in costs:
        cost = one.cost
        if cost.currency != rates.currency:
            try:
                rate = rates.on(cost.currency, one.day)
            except InvalidInput:
                unpriced += 1
                continue
            cost = cost.converted(rates.currency, rate)
        found[one.channel] = found.get(one.channel, 0.0) + float(cost.major)
    return found, unpriced


def _sources(
    leads: pd.DataFrame, by: list[str], costs: Mapping[str, float]
) -> list[Source]:
    """One for each channel, or campaign; channels that cost and brought nothing too."""
    sums = leads.groupby(by, dropna=False)[[*_SUMMED]].sum()
    every = _summed(leads)
    alpha = (1.0 - LEVEL) / max(len(sums), 1)
    found = []
    for key, row in zip(sums.index, sums.to_numpy(np.float64).tolist(), strict=True):
        counts = dict(zip(_SUMMED, row, strict=True))
        named = key if isinstance(key, tuple) else (key,)
        names = [one if isinstance(one, str) else None for one in (*named, None)]
        channel, campaign = names[:2]
        cost = None if channel is None else costs.get(channel)
        rest = {name: every[name] - counts[name] for name in _SUMMED}
        found.append(_source(counts, channel, campaign, cost, alpha=alpha, rest=rest))
    if by == ["channel"]:
        silent = costs.keys() - {one.channel for one in found}
        none = dict.fromkeys(_SUMMED, 0.0)
        found += [
            _source(none, name, None, costs[name], alpha=alpha, rest=None)
            for name in sorted(silent)
        ]
    return sorted(found, key=lambda one: (-one.n_leads, one.channel or ""))


def _total(leads: pd.DataFrame, costs: Mapping[str, float]) -> Source | None:
    if leads.empty and not costs:
        return None
    cost = sum(costs.values()) if costs else None
    return _source(_summed(leads), None, None, cost, alpha=1.0 - LEVEL, rest=None)


def _summed(leads: pd.DataFrame) -> Mapping[str, float]:
    return {name: float(leads[name].sum()) for name in _SUMMED}


def _source(
    counts: Mapping[str, float],
    channel: str | None,
    campaign: str | None,
    cost: float | None,
    *,
    alpha: float,
    rest: Mapping[str, float] | None,
) -> Source:
    """One row from the sums of its leads; ``rest`` are those of all other leads."""
    n_judged, n_converted = int(counts["judged"]), int(counts["converted"])
    low = high = better = None
    if n_judged:
        # Wilson (1927), which holds for few leads and shares near nothing too.
        low, high = map(
            float, proportion_confint(n_converted, n_judged, alpha, method="wilson")
        )
    if n_judged and rest is not None and rest["judged"]:
        # Newcombe (1998), method 10: the difference from two Wilson intervals.
        least, most = confint_proportions_2indep(
            n_converted,
            n_judged,
            rest["converted"],
            rest["judged"],
            "newcomb",
            alpha=alpha,
        )
        better = None if least <= 0.0 <= most else bool(least > 0.0)
    return Source(
        channel=channel,
        campaign=campaign,
        n_leads=int(counts["came"]),
        n_won=int(counts["won"]),
        n_lost=int(counts["lost"]),
        n_judged=n_judged,
        n_converted=n_converted,
        low=low,
        high=high,
        better=better,
        value=float(counts["value"]),
        cost=cost,
    )


def _funnel(leads: pd.DataFrame) -> list[Step]:
    """How many leads got how far, and what became of those that got no further."""
    n_steps = len(STEPS)
    step = leads["step"].to_numpy()
    at_end = np.bincount(step, minlength=n_steps)
    lost = np.bincount(step[leads["lost"].to_numpy()], minlength=n_steps)
    reached = at_end[::-1].cumsum()[::-1]
    is_open = ~(leads["won"] | leads["lost"]).to_numpy()
    waiting = np.bincount(step[is_open], minlength=n_steps)
    return [
        Step(
            stage=stage,
            reached=int(reached[k]),
            lost=int(lost[k]),
            still_open=int(waiting[k]),
        )
        for k, stage in enumerate(STEPS)
    ]


def _over(amount: float | None, count: float) -> float | None:
    return None if amount is None or not count else amount / count
