"""The situation a decision is made in: leads, roster, rules and what the model says.

Batch plans and one lead now look at the same situation, so they are one policy.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from optimizer.over_time import head_start
from optimizer.problem import FloatArray, Problem
from rightrep.domain.days import local_day
from rightrep.domain.eligibility import (
    CodeArray,
    Exclusion,
    LeadColumns,
    after_gift,
    exclusions,
)
from rightrep.domain.ids import LeadId, RepId
from rightrep.domain.lead import Lead, LeadKind
from rightrep.domain.ownership import OwnershipKind
from rightrep.domain.roster import Roster
from rightrep.domain.routing import Objective, Routing
from rightrep.domain.tenant import Tenant
from rightrep.errors import InvalidInput
from rightrep.store import leads, ownership, reps
from rightrep.store.leads import KnownLeads
from rightrep.store.session import ReadSession
from rightrep.store.tenants import get_tenant
from serving.usecases.advice import Chances
from serving.usecases.pool_cooling import cooling_reps

_DAY = 86_400.0
_ASKED = ("language", "region", "product")


@dataclass(frozen=True, eq=False)
class ArmShare:
    """What one arm of an experiment has of the reps, in place of all there is.

    Attributes:
        open_slots: Leads it may still give each rep; int64 (n_reps,).
        waited: Seconds since it last gave each rep a lead; float64 (n_reps,).
        load: Leads it gave each rep so far; int64 (n_reps,).
        had_turn: Who has had their turn in its cycle by lot; bool (n_reps,).
    """

    open_slots: NDArray[np.int64]
    waited: FloatArray
    load: NDArray[np.int64]
    had_turn: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Situation:
    """What is known when leads are given.

    Attributes:
        at: Now; aware UTC.
        tenant: Whose leads.
        routing: How the tenant wants them shared out.
        leads: The leads; n_leads entries.
        roster: Every rep; n_reps entries.
        codes: Why each pair may not be; uint8 (n_leads, n_reps), 0 is eligible.
        columns: Ids, and what eligibility asks of the leads; n_leads entries.
        waiting_days: Days each lead has had no owner, or None where waiting does not
            count; float64 (n_leads,).
        share: What the leads' arm has of the reps; None where there is no arm.
    """

    at: datetime
    tenant: Tenant
    routing: Routing
    leads: Sequence[Lead]
    roster: Roster
    codes: CodeArray
    columns: LeadColumns
    waiting_days: FloatArray | None = None
    share: ArmShare | None = None

    @property
    def kind(self) -> LeadKind:
        """Kind of the leads; they are of one."""
        return self.leads[0].kind if self.leads else LeadKind.LEAD

    @property
    def counted(self) -> LeadKind | None:
        """Kind of the leads that load and limits are about; None is any together."""
        return self.routing.counted(self.kind)

    @property
    def lead_ids(self) -> list[LeadId]:
        """Ids of the leads, in order."""
        return list(self.columns.lead_id)

    @property
    def rep_ids(self) -> tuple[RepId, ...]:
        """Ids of the reps, in order."""
        return self.roster.rep_ids

    @cached_property
    def eligible(self) -> NDArray[np.bool_]:
        """Pairs that may be; bool (n_leads, n_reps)."""
        return np.asarray(self.codes == Exclusion.ELIGIBLE)

    @property
    def open_slots(self) -> NDArray[np.int64]:
        """Leads each rep may still take; int64 (n_reps,)."""
        return (self.share or self.roster).open_slots

    @property
    def waited(self) -> FloatArray:
        """Seconds since each rep was last given a lead; float64 (n_reps,)."""
        return (self.share or self.roster).waited

    @property
    def load(self) -> NDArray[np.int64]:
        """Leads each rep has; int64 (n_reps,)."""
        return self.roster.held if self.share is None else self.share.load

    @property
    def settled(self) -> FloatArray:
        """How far each rep has settled in; float64 (n_reps,), in [0, 1]."""
        return self.roster.settled(self.at, self.routing.settling_days)

    def after_gift(self, rep: int) -> "Situation":
        """The same for the other leads, after a lead of this kind went to a rep."""
        roster = self.roster.after_gift(rep)
        codes = after_gift(self.codes, roster, rep)
        return replace(self, roster=roster, codes=codes)

    @property
    def waiting_weight(self) -> FloatArray:
        """What each lead's value counts for its waiting; float64 (n_leads,), >= 1."""
        if self.waiting_days is None:
            return np.ones(len(self.leads))
        return 1.0 + self.routing.waiting_gain * self.waiting_days

    def of_leads(self, rows: NDArray[np.int64]) -> "Situation":
        """The same of some of the leads, each at most once."""
        waiting = self.waiting_days
        return replace(
            self,
            leads=[self.leads[i] for i in rows.tolist()],
            codes=self.codes[rows],
            columns=rows_of(self.columns, rows),
            waiting_days=None if waiting is None else waiting[rows],
        )


def read_situation(
    session: ReadSession,
    lead_ids: Sequence[LeadId],
    *,
    at: datetime,
    barred: Mapping[RepId, Exclusion] | None = None,
) -> Situation:
    """What is known now about these leads and every rep.

    Args:
        session: Where to read.
        lead_ids: Leads of the tenant, of one kind; unknown ones are left out.
        at: Now.
        barred: Reps who may have none of them; None bars those who declined a lead and
            former owners who are cooling down, lead by lead.

    Raises:
        InvalidInput: There are leads and work orders among them.
    """
    found = leads.known_leads(session, lead_ids, as_of=at)
    return situation_of(session, found, at=at, barred=barred)


def situation_of(
    session: ReadSession,
    found: Sequence[Lead],
    *,
    at: datetime,
    barred: Mapping[RepId, Exclusion] | None = None,
) -> Situation:
    """The same of leads that have been read; see ``read_situation``.

    Raises:
        InvalidInput: There are leads and work orders among them.
    """
    tenant = get_tenant(session)
    kind = _one_kind(found)
    routing = Routing.of(tenant.settings)
    if kind is LeadKind.TICKET:
        # A lottery is to learn who wins; there is nothing to win here.
        routing = replace(routing, exploration_share=0.0)
    roster = reps.roster(
        session,
        as_of=at,
        local_day=local_day(at, tenant.time_zone),
        zone=tenant.time_zone,
        calendar=routing.calendar or None,
        only=routing.counted(kind),
    )
    columns = _columns(found)
    if barred is None:
        single = _barred(session, found, columns.lead_id, tenant, at)
    else:
        single = [(i, *one) for i in range(len(found)) for one in barred.items()]
    columns = replace(columns, barred=single)
    codes = exclusions(columns, roster, routing.eligibility, at=at)
    waiting = _waiting_days(session, found, at) if routing.waiting_gain else None
    return Situation(at, tenant, routing, found, roster, codes, columns, waiting)


def _one_kind(found: Sequence[Lead]) -> LeadKind:
    if isinstance(found, KnownLeads):
        kinds = found.kinds
    else:
        kinds = {lead.kind for lead in found}
    if len(kinds) > 1:
        raise InvalidInput(
            "Leads and work orders are shared out apart.",
            field="leads",
            remedy="Name leads alone, or work orders alone.",
        )
    return next(iter(kinds), LeadKind.LEAD)


def _columns(found: Sequence[Lead]) -> LeadColumns:
    """What eligibility asks of the leads, without an object for each of many."""
    if isinstance(found, KnownLeads):
        asked = {name: found.column(name) for name in _ASKED}
        return LeadColumns(lead_id=found.ids, **asked)
    known = [lead.attributes for lead in found]
    asked = {name: [getattr(one, name) for one in known] for name in _ASKED}
    return LeadColumns(lead_id=[lead.lead_id for lead in found], **asked)


def rows_of(columns: LeadColumns, chosen: NDArray[np.int64]) -> LeadColumns:
    """The columns of some leads."""
    place = {int(i): n for n, i in enumerate(chosen)}
    return LeadColumns(
        lead_id=[columns.lead_id[i] for i in chosen],
        language=[columns.language[i] for i in chosen],
        region=[columns.region[i] for i in chosen],
        product=[columns.product[i] for i in chosen],
        barred=[
            (place[i], rep_id, code) for i, rep_id, code in columns.barred if i in place
        ],
    )


def value_of(situation: Situation, scores: Chances | None) -> FloatArray:
    """Expected value of each pair: minor units, or chances to win, as the tenant asks.

    Args:
        situation: The leads and the reps.
        scores: What the model says; None makes every pair worth the same.

    Returns:
        float64 (n_leads, n_reps).
    """
    shape = situation.codes.shape
    if scores is None:
        return np.ones(shape)
    chance = scores.p_convert.astype(np.float64)
    if situation.routing.objective is Objective.CONVERSIONS:
        return chance
    return chance * scores.deal_value_minor[:, None]


def problem_of(
    situation: Situation, scores: Chances | None, *, seed: int = 0
) -> Problem:
    """The situation as arrays."""
    n_leads, n_reps = situation.codes.shape
    load, weight = situation.load, situation.roster.team.weight
    return Problem(
        value_of(situation, scores),
        situation.eligible,
        np.minimum(situation.open_slots, n_leads),
        np.zeros(n_reps, dtype=np.int64),
        load=load,
        weight=weight,
        waited=situation.waited,
        quality=None if scores is None else scores.quality,
        head_start=head_start(load, weight, situation.settled),
        had_turn=None if situation.share is None else situation.share.had_turn,
        seed=seed,
    )


def _waiting_days(
    session: ReadSession, found: Sequence[Lead], at: datetime
) -> FloatArray:
    """Days since each lead was made, or lost its last owner."""
    freed = ownership.free_since(session, [lead.lead_id for lead in found])
    since = [freed.get(lead.lead_id, lead.created_at) for lead in found]
    days = [(at - one).total_seconds() / _DAY for one in since]
    return np.maximum(np.array(days, dtype=np.float64), 0.0)


def _barred(
    session: ReadSession,
    found: Sequence[Lead],
    ids: Sequence[LeadId],
    tenant: Tenant,
    at: datetime,
) -> list[tuple[int, RepId, Exclusion]]:
    """Who declined a lead, or owned it before and is cooling down, does not get it."""
    declined = ownership.reps_who(session, OwnershipKind.DECLINED, ids)
    cooling = cooling_reps(session, found, tenant, at)
    place = {lead_id: i for i, lead_id in enumerate(ids)}
    return [
        (place[lead_id], rep_id, code)
        for code, reps_of in (
            (Exclusion.DECLINED, declined),
            (Exclusion.COOL_DOWN, cooling),
        )
        for lead_id, rep_ids in reps_of.items()
        for rep_id in rep_ids
    ]
