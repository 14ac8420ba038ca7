"""After the sale: a won customer goes to a service rep, and the win stays the seller's.

Who serves is chosen by a policy that counts customers, as others count leads.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import structlog

from optimizer.problem import UNASSIGNED
from rightrep.domain.handover import HandoverRules, why_nobody
from rightrep.domain.ids import LeadId, RepId
from rightrep.domain.rep import RepStatus
from rightrep.domain.roster import Roster, RosterEntry
from rightrep.errors import Conflict, InvalidInput, NotFound
from rightrep.store import outbox
from rightrep.store.identities import customers_of_leads
from rightrep.store.service import (
    ServiceRep,
    customers_served,
    service_rep_of,
    service_reps_of,
    set_service_rep,
)
from rightrep.store.session import ReadSession, WriteSession
from rightrep.store.tenants import get_tenant
from serving.usecases.choosing import choose_batch
from serving.usecases.handover import among
from serving.usecases.situation import Situation, read_situation

log = structlog.get_logger()

SERVED = "rightrep.customer.served"
ACTOR = "outcome"


@dataclass(frozen=True, kw_only=True, slots=True)
class Serving:
    """Who looks after a customer, or would from a win on.

    Attributes:
        customer_id: The customer.
        rep_id: The rep; None where nobody does or can.
        since: Since when; None where it is not so yet.
        why: Why nobody can, in sentences.
    """

    customer_id: str
    rep_id: RepId | None
    since: datetime | None = None
    why: Sequence[str] = ()


def look_at_service(session: ReadSession, lead_id: LeadId, *, at: datetime) -> Serving:
    """Who looks after a lead's customer, or would if the lead were won now.

    Raises:
        NotFound: The lead has no customer.
    """
    customer = customers_of_leads(session, [lead_id]).get(lead_id)
    if customer is None:
        raise NotFound("customer of lead", lead_id)
    rules = HandoverRules.of(get_tenant(session).settings)
    return _look(session, {customer: lead_id}, rules, at=at)[0]


def hand_to_service(
    session: WriteSession, won: Sequence[LeadId], *, at: datetime
) -> list[ServiceRep]:
    """Give customers of won leads to service reps; who has one keeps it.

    Settings that cannot be read are logged and no reason to refuse an outcome.

    Returns:
        Who looks after a customer from now on.
    """
    try:
        rules = HandoverRules.of(get_tenant(session).settings)
    except InvalidInput as error:
        log.warning("no service rep", field=error.field)
        return []
    if not rules.service_team:
        return []
    # The first win of a customer is the one that gives it away.
    first = {c: lead for lead, c in reversed(customers_of_leads(session, won).items())}
    given = []
    for looked in _look(session, first, rules, at=at):
        if looked.rep_id is None or looked.since is not None:
            continue
        made = ServiceRep(
            customer_id=looked.customer_id,
            rep_id=looked.rep_id,
            lead_id=first[looked.customer_id],
            policy=rules.service_policy,
            since=at,
            actor=ACTOR,
        )
        try:
            set_service_rep(session, made)
        except Conflict:
            # Another win of the customer was faster: it has its service rep.
            continue
        _tell(session, made)
        given.append(made)
    return given


def serves(session: ReadSession, rep_id: RepId | None, lead_id: LeadId) -> bool:
    """Whether a rep looks after a lead's customer."""
    customer = customers_of_leads(session, [lead_id]).get(lead_id)
    if customer is None:
        return False
    known = service_rep_of(session, customer)
    return known is not None and known.rep_id == rep_id


def _look(
    session: ReadSession,
    lead_of: Mapping[str, LeadId],
    rules: HandoverRules,
    *,
    at: datetime,
) -> list[Serving]:
    """Who looks after customers, or would; all of them read and chosen together.

    Args:
        session: Where to read.
        lead_of: One lead of each customer, all of one kind.
        rules: Whom customers go to.
        at: Now.
    """
    known = service_reps_of(session, list(lead_of))
    found = read_situation(session, list(lead_of.values()), at=at)
    here = {
        entry.rep_id
        for entry in found.roster
        if entry.attributes.status is not RepStatus.LEFT
    }
    served = {c: one for c, one in known.items() if one.rep_id in here}
    waiting = {lead for c, lead in lead_of.items() if c not in served}
    rows = np.flatnonzero([lead in waiting for lead in found.lead_ids])
    chosen = _choose(session, found.of_leads(rows), rules) if rows.size else {}
    return [
        Serving(customer_id=c, rep_id=served[c].rep_id, since=served[c].since)
        if c in served
        else Serving(customer_id=c, rep_id=chosen[lead][0], why=chosen[lead][1])
        for c, lead in lead_of.items()
    ]


def _choose(
    session: ReadSession, found: Situation, rules: HandoverRules
) -> dict[LeadId, tuple[RepId | None, Sequence[str]]]:
    """Rep of each lead's customer, or why there is none."""
    if not rules.service_team:
        return dict.fromkeys(found.lead_ids, (None, ("No service team is set.",)))
    team = {
        entry.rep_id
        for entry in found.roster
        if entry.attributes.team == rules.service_team
    }
    if not team:
        why = f"Nobody is in the service team {rules.service_team!r}."
        return dict.fromkeys(found.lead_ids, (None, (why,)))
    served = customers_served(session)
    entries = [_by_customers(entry, served, found.at) for entry in found.roster]
    roster = Roster.of(entries, zone=found.tenant.time_zone)
    situation = among(replace(found, roster=roster), team)
    chosen = choose_batch(situation, None, policy=rules.service_policy, seed=0)
    return {
        lead_id: (None, why_nobody(situation.codes[i]))
        if j == UNASSIGNED
        else (situation.rep_ids[j], ())
        for i, (lead_id, j) in enumerate(
            zip(situation.lead_ids, chosen.plan.rep_of.tolist(), strict=True)
        )
    }


def _by_customers(
    entry: RosterEntry, served: dict[RepId, tuple[int, datetime]], at: datetime
) -> RosterEntry:
    """A rep with customers in place of leads: load, and time since the last one."""
    customers, waited = 0, entry.waited_seconds
    if entry.rep_id in served:
        customers, latest = served[entry.rep_id]
        waited = max(0.0, (at - latest).total_seconds())
    unlimited = replace(entry.attributes, holding_limit=None)
    return replace(entry, attributes=unlimited, held=customers, waited_seconds=waited)


def _tell(session: WriteSession, made: ServiceRep) -> None:
    data = {
        "customer_id": made.customer_id,
        "rep_id": made.rep_id,
        "lead_id": made.lead_id,
    }
    outbox.emit(session, SERVED, data, at=made.since, subject=made.customer_id)
