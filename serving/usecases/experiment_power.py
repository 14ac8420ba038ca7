"""How long an experiment would have to run, from the tenant's own history."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from statistics import median

import pandas as pd

from experiments.design import Design, PowerPlan
from experiments.prior import Prior, prior_of
from rightrep.domain.days import local_day
from rightrep.domain.experiment import Experiment, UnitKind
from rightrep.domain.ids import TenantId
from rightrep.domain.lead import LeadKind
from rightrep.domain.money import minor_digits
from rightrep.domain.rep import RepStatus
from rightrep.domain.roster import RosterEntry
from rightrep.domain.routing import Routing
from rightrep.errors import InvalidInput, ModelUnavailable
from rightrep.store import reps
from rightrep.store.evidence import BEGINNING, read_events
from rightrep.store.session import ReadSession
from rightrep.store.tenants import get_tenant
from serving.usecases.context import Context
from serving.usecases.experiments import arms_in_order

FEWEST_SLOTS = 5
"""Slots per rep and day below which splitting them between arms costs too much of what
the policy could do (benchmarks/split_bias.py)."""

TUNED_DAYS = 60
"""Intervals are shortest after so many days, where the design does not say."""

LOOKS = (30, 60, 90)


@dataclass(frozen=True, kw_only=True, slots=True)
class Smallest:
    """The smallest relative effect that is found after some days of leads.

    Attributes:
        days: Days of leads.
        at_any_look: Looked at every day; infinite while there are too few units.
        at_the_end: Looked at once, then.
    """

    days: int
    at_any_look: float
    at_the_end: float


@dataclass(frozen=True, kw_only=True)
class Power:
    """What a design can find, and what speaks against it.

    Attributes:
        prior: What the history shows.
        plan: How much can be found in how long.
        smallest: After 30, 60 and 90 days.
        warnings: Sentences about the design.
    """

    prior: Prior
    plan: PowerPlan
    smallest: Sequence[Smallest]
    warnings: Sequence[str]

    @property
    def days(self) -> float:
        """Days of leads until the design's effect is found; may be infinite."""
        return self.plan.days_to(self.plan.design.relative_effect)

    def in_words(self) -> str:
        """What can be promised, in a sentence."""
        return self.plan.in_words()


def power_of(
    context: Context, tenant_id: TenantId, wanted: Experiment, *, tuned: bool = False
) -> Power:
    """What an experiment could find with leads like those so far.

    Args:
        context: The parts of this process.
        tenant_id: Whose history.
        wanted: The experiment, designed.
        tuned: Whether its intervals are tuned to the units that come, instead of those
            that the design says.

    Raises:
        InvalidInput: No lead was won in the history.
    """
    at = context.clock.now()
    design = Design.of(wanted.design)
    p_lead = _p_lead(context, tenant_id) if design.adjust else None
    with context.store.read(tenant_id) as session:
        prior = _prior(session, wanted, design, at, p_lead)
        warnings = warnings_of(session, wanted, at=at)
    if tuned:
        design = replace(design, n_optimal=max(prior.units_per_day * TUNED_DAYS, 100.0))
    _, treatment = arms_in_order(wanted)
    plan = prior.power(design, share=treatment.share)
    if design.adjust and p_lead is None:
        warnings = [*warnings, NO_MODEL]
    return Power(
        prior=prior,
        plan=plan,
        smallest=[
            Smallest(
                days=days,
                at_any_look=plan.smallest_at_any_look(days),
                at_the_end=plan.smallest(days),
            )
            for days in LOOKS
        ],
        warnings=warnings,
    )


def tuned(
    context: Context, tenant_id: TenantId, wanted: Experiment, *, given: bool
) -> tuple[Experiment, Power | None]:
    """The experiment with intervals tuned to the units that come, and its power.

    Args:
        context: The parts of this process.
        tenant_id: Whose history.
        wanted: The experiment, designed.
        given: Whether the design says what it is tuned for.

    Returns:
        No power where the history holds nothing to compare.
    """
    try:
        power = power_of(context, tenant_id, wanted, tuned=not given)
    except InvalidInput:
        return wanted, None
    return replace(wanted, design=power.plan.design.to_json()), power


NO_MODEL = (
    "No model is published, so nothing can be adjusted for: intervals will be wider."
)


def warnings_of(session: ReadSession, one: Experiment, *, at: datetime) -> list[str]:
    """What speaks against how the arms are split."""
    slots = slots_per_rep(session, at=at)
    if one.unit_kind is not UnitKind.LEAD or slots is None or slots >= FEWEST_SLOTS:
        return []
    return [
        f"Reps have {slots:g} slots a day; split between two arms, fewer than "
        f"{FEWEST_SLOTS} leave a policy little to choose from. Draw team-days instead."
    ]


def slots_per_rep(session: ReadSession, *, at: datetime) -> float | None:
    """Slots of the median active rep at the start of a day; None without limits."""
    tenant = get_tenant(session)
    roster = reps.roster(
        session,
        as_of=at,
        local_day=local_day(at, tenant.time_zone),
        zone=tenant.time_zone,
        only=Routing.of(tenant.settings).counted(LeadKind.LEAD),
    )
    active = [one for one in roster if one.attributes.status is RepStatus.ACTIVE]
    slots = [found for one in active if (found := _slots(one)) is not None]
    return float(median(slots)) if slots else None


def _slots(one: RosterEntry) -> int | None:
    what = one.attributes
    rooms = []
    if what.holding_limit is not None:
        rooms.append(max(0, what.holding_limit - one.held + one.taken_today))
    if what.intake_per_day is not None:
        rooms.append(what.intake_per_day)
    return min(rooms) if rooms else None


def team_of_reps(session: ReadSession, *, at: datetime) -> Mapping[str, str]:
    """Team of each rep who has one."""
    known = reps.list_reps(session, as_of=at)
    return {rep.rep_id: rep.attributes.team for rep in known if rep.attributes.team}


def _prior(
    session: ReadSession,
    wanted: Experiment,
    design: Design,
    at: datetime,
    p_lead: "pd.Series[float] | None",
) -> Prior:
    tenant = get_tenant(session)
    tables = read_events(session, BEGINNING, at=at)
    return prior_of(
        {name: table.to_pandas() for name, table in tables.items()},
        design,
        wanted.unit_kind,
        at=int(at.timestamp() * 1e6),
        zone=tenant.time_zone,
        minor=10 ** minor_digits(tenant.currency),
        team_of=team_of_reps(session, at=at),
        p_lead=p_lead,
    )


def _p_lead(context: Context, tenant_id: TenantId) -> "pd.Series[float] | None":
    """Lead-only chance of each past decision, from a model of earlier ones."""
    try:
        adviser = context.advisers.get(tenant_id)
    except ModelUnavailable:
        return None
    if adviser is None or adviser.known.p_lead is None:
        return None
    return pd.Series(adviser.known.p_lead, index=adviser.known.own.decisions.ids)
