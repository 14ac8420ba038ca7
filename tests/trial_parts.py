"""An experiment in a store with its leads, drawn and judged as a test wants them."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from experiments.bucketing import arms_of_units
from rightrep.domain.decision import Cause, Decision
from rightrep.domain.experiment import ArmOfUnit, Experiment
from rightrep.domain.ids import DecisionId, LeadId, RepId, TenantId, derived_id, new_id
from rightrep.domain.lead import Lead, LeadAttributes
from rightrep.domain.money import Money
from rightrep.domain.outcome import Outcome, Result
from rightrep.domain.rep import Rep, RepAttributes
from rightrep.store.decisions import log_decisions
from rightrep.store.engine import Store
from rightrep.store.experiments import create_experiment, log_units, start_experiment
from rightrep.store.leads import upsert_leads
from rightrep.store.outcomes import record_outcomes
from rightrep.store.reps import upsert_reps
from rightrep.store.session import WriteSession
from serving.usecases.experiments import Wanted, designed

BoolArray = NDArray[np.bool_]


def running(
    session: WriteSession, wanted: Wanted, *, at: datetime, salt: str = "salt"
) -> Experiment:
    """An experiment that was designed and started at an instant."""
    made = designed(wanted, actor="test", at=at)
    fields = {name: getattr(made, name) for name in Experiment.__slots__}
    one = Experiment(**{**fields, "salt": salt})
    create_experiment(session, one)
    start_experiment(session, one.experiment, at=at)
    return one


def some_leads(
    session: WriteSession, count: int, *, at: datetime, of: str = ""
) -> list[LeadId]:
    """Leads of which nothing is known; the same ones each time, so the same arms."""
    ids = [LeadId(derived_id(at, f"{of} {k}")) for k in range(count)]
    made = [
        Lead(
            lead_id=lead_id,
            customer_id=None,
            contact_id=None,
            created_at=at,
            attributes=LeadAttributes(),
        )
        for lead_id in ids
    ]
    upsert_leads(session, made, at=at)
    return ids


def some_reps(session: WriteSession, count: int, *, at: datetime) -> list[RepId]:
    """Reps of one team without limits."""
    ids = sorted(RepId(new_id(at)) for _ in range(count))
    known = RepAttributes(team="North")
    made = [
        Rep(rep_id=rep_id, name=f"Rep {k}", created_at=at, attributes=known)
        for k, rep_id in enumerate(ids)
    ]
    upsert_reps(session, made, at=at)
    return ids


def draw(
    session: WriteSession,
    one: Experiment,
    lead_ids: Sequence[LeadId],
    *,
    at: datetime,
    strata: Sequence[str] = (),
    covariate: Sequence[float] = (),
) -> BoolArray:
    """Log the arm that each lead's hash gives it; gives who is treated."""
    arm = arms_of_units(lead_ids, one.arms, salt=one.salt)
    names = [one.arms[k].arm for k in arm.tolist()]
    log_units(
        session,
        one.experiment,
        [
            ArmOfUnit(
                unit=lead_id,
                arm=names[i],
                stratum=strata[i] if strata else "",
                covariate=covariate[i] if covariate else None,
            )
            for i, lead_id in enumerate(lead_ids)
        ],
        at=at,
    )
    return np.array([name != "control" for name in names])


def give(
    session: WriteSession,
    one: Experiment,
    lead_ids: Sequence[LeadId],
    reps: Sequence[RepId],
    *,
    at: datetime,
    p_convert: float | None = None,
) -> None:
    """Log one decision per lead, the reps taking turns."""
    made = [
        Decision(
            decision_id=DecisionId(new_id(at)),
            lead_id=lead_id,
            rep_id=reps[k % len(reps)],
            decided_at=at,
            recorded_at=at,
            cause=Cause.REQUEST,
            actor="test",
            policy="round_robin_lot",
            experiment=one.experiment,
            p_convert=p_convert,
        )
        for k, lead_id in enumerate(lead_ids)
    ]
    log_decisions(session, made)


def close(
    session: WriteSession,
    lead_ids: Sequence[LeadId],
    won: BoolArray,
    *,
    at: datetime,
    yuan: int = 1_000,
) -> list[Outcome]:
    """Tell how leads closed: won for so much, or lost."""
    told = [
        Outcome(
            event_id=new_id(at),
            lead_id=lead_id,
            decision_id=None,
            result=Result.WON if is_won else Result.LOST,
            closed_at=at,
            recorded_at=at,
            value=Money(yuan * 100, "CNY") if is_won else None,
        )
        for lead_id, is_won in zip(lead_ids, won.tolist(), strict=True)
    ]
    record_outcomes(session, told)
    return told


def run(
    store: Store,
    tenant_id: TenantId,
    one: Experiment,
    *,
    days: int,
    per_day: int,
    won: tuple[float, float],
    seed: int = 1,
    reps: Sequence[RepId] = (),
) -> datetime:
    """Leads of some days, each drawn, given and closed two days later.

    Args:
        store: Where.
        tenant_id: Whose.
        one: The experiment, running.
        days: Days of leads.
        per_day: Leads a day.
        won: Chance to be won under control and treatment.
        seed: Which leads are won.
        reps: Who gets them; new ones if nobody is named.

    Returns:
        The last instant at which something happened.
    """
    rng = np.random.default_rng(seed)
    start = one.started_at or one.created_at
    if not reps:
        with store.write(tenant_id) as session:
            reps = some_reps(session, 4, at=start)
    for day in range(days):
        at = start + timedelta(days=day, hours=1)
        with store.write(tenant_id) as session:
            leads = some_leads(session, per_day, at=at)
            treated = draw(session, one, leads, at=at)
            give(session, one, leads, reps, at=at + timedelta(hours=1), p_convert=0.4)
            is_won = rng.random(per_day) < np.where(treated, won[1], won[0])
            close(session, leads, is_won, at=at + timedelta(days=2))
    return at + timedelta(days=2)
