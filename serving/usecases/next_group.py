"""The next best reps of leads that are asked about at the same time.

They are read and scored together, given one after another in memory, and written in one
transaction, which is one wait for the disk. Every lead stands or falls by itself: what
cannot be answered here as it would be alone is left out, and is then asked alone, where
it gets its refusal or its own choice of what is left.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import structlog

from rightrep.domain.days import local_day
from rightrep.domain.decision import Decision
from rightrep.domain.ids import LeadId, TenantId
from rightrep.domain.lead import Lead
from rightrep.errors import Conflict, InvalidInput
from rightrep.store import leads, ownership
from rightrep.store.aliases import RecordKind, resolve_many
from rightrep.store.capacity import take_leads
from rightrep.store.exclusions import Exclusions
from rightrep.store.idempotency import Answer, answered_keys, keep_answers
from rightrep.store.session import ReadSession, WriteSession
from serving.usecases.arms import log_drawn
from serving.usecases.context import Context
from serving.usecases.next_rep import tell_assigned
from serving.usecases.outlook import Outlook, read_outlook, with_covariates
from serving.usecases.pricing import ask_for_prices
from serving.usecases.proposal import Proposal, propose_one
from serving.usecases.situation import situation_of

PATIENCE = timedelta(milliseconds=100)
"""How long a group waits for a request that was sent twice; one alone waits longer."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request for the next best rep.

    Attributes:
        lead: The lead's id, ours or a CRM's; a merged one means its survivor.
        actor: Who asks.
        dry_run: Whether it is told and not given.
        key: The ``Idempotency-Key``, or None.
        body_hash: Hash of who asks, method, path and body.
    """

    lead: str
    actor: str
    dry_run: bool = False
    key: str | None = None
    body_hash: str = ""


Tell = Callable[[Asked, Proposal, Decision | None], bytes]
"""The answer to one request."""


@dataclass(frozen=True, eq=False)
class _Made:
    """What one request of a group gets.

    Attributes:
        place: Its place in the group.
        asked: The request.
        lead: Place of its lead among those looked at.
        proposal: Who should have the lead.
        decision: Who is to be given it; None where nobody is, or in a dry run.
        body: The answer.
    """

    place: int
    asked: Asked
    lead: int
    proposal: Proposal
    decision: Decision | None
    body: bytes

    @property
    def exclusions(self) -> Exclusions:
        """Codes of the decision."""
        return _exclusions(self.proposal)


def answer_together(
    context: Context, tenant_id: TenantId, asked: Sequence[Asked], *, tell: Tell
) -> list[bytes | None]:
    """Answer requests as if they had come one after another, in their order.

    Leads of one customer, and leads and work orders, are looked at in turns, since what
    became of the first changes what is known of the second.

    Args:
        context: The parts of this process.
        tenant_id: Whose leads.
        asked: The requests.
        tell: Puts an answer in words, before it is written that it is so.

    Returns:
        The answers; None for what is to be asked by itself.
    """
    answers: list[bytes | None] = [None] * len(asked)
    waiting = list(range(len(asked)))
    try:
        while waiting:
            turn = _one_turn(context, tenant_id, asked, waiting, tell)
            if turn is None:
                break
            made, outlook, waiting = turn
            for one in _write(context, tenant_id, made, outlook):
                answers[one.place] = one.body
                if one.decision is not None:
                    _count(context, one.decision)
    except Exception:
        # What stands is told; the others are asked alone, and told why there.
        log.warning("a turn of a group failed", requests=len(waiting), exc_info=True)
    return answers


def _one_turn(
    context: Context,
    tenant_id: TenantId,
    asked: Sequence[Asked],
    waiting: Sequence[int],
    tell: Tell,
) -> tuple[list[_Made], Outlook, list[int]] | None:
    """Read, score and choose for the first of those who wait, and all who can go along.

    Returns:
        What each of them gets, what that was told from, and who still waits; None where
        nobody is left who can be answered here.
    """
    at = context.clock.now()
    with context.store.read(tenant_id) as session:
        found = _wanted(session, {place: asked[place] for place in waiting}, at)
        turn, later = _turn(found, asked)
        if not turn:
            return None
        situation = situation_of(session, [found[place] for place in turn], at=at)
        outlook = read_outlook(context, session, situation)
    outlook = with_covariates(context, outlook)
    made, now = [], outlook
    for lead, place in enumerate(turn):
        proposal, its = propose_one(now, lead), asked[place]
        decision = None
        if proposal.reason is None and not its.dry_run:
            chosen = proposal.ranking[0]
            decision = proposal.decision(chosen, at=at, actor=its.actor)
            now = now.after_gift(decision, chosen, _exclusions(proposal))
        body = tell(its, proposal, decision)
        made.append(_Made(place, its, lead, proposal, decision, body))
    return made, outlook, later


def _wanted(
    session: ReadSession, asked: Mapping[int, Asked], at: datetime
) -> dict[int, Lead]:
    """Leads that may be given, by the place of who asks."""
    own = _own_ids(session, [one.lead for one in asked.values()])
    keys = [one.key for one in asked.values() if one.key is not None]
    used = answered_keys(session, keys, at=at)
    ids = sorted({LeadId(one) for one in own.values()})
    owned = ownership.get_owners(session, ids)
    known = {lead.lead_id: lead for lead in leads.get_leads(session, ids, as_of=at)}
    found = {}
    for place, one in asked.items():
        lead_id = LeadId(own.get(one.lead, ""))
        if lead_id in known and lead_id not in owned and one.key not in used:
            found[place] = known[lead_id]
    return found


def _own_ids(session: ReadSession, names: Sequence[str]) -> dict[str, str]:
    """Our ids by name; names that mean nothing, or different leads, are left out."""
    try:
        return resolve_many(session, RecordKind.LEAD, names)
    except InvalidInput:
        if len(names) == 1:
            return {}
        each = [_own_ids(session, [name]) for name in names]
        return {name: own for found in each for name, own in found.items()}


def _turn(
    found: Mapping[int, Lead], asked: Sequence[Asked]
) -> tuple[list[int], list[int]]:
    """Places of those who are looked at now, and of those after them."""
    turn: list[int] = []
    later: list[int] = []
    seen: set[tuple[str, str]] = set()
    for place, lead in found.items():
        about = ("lead", lead.lead_id), ("customer", lead.customer_id)
        who = {(of, name) for of, name in (*about, ("key", asked[place].key)) if name}
        same_kind = not turn or lead.kind is found[turn[0]].kind
        if same_kind and seen.isdisjoint(who):
            turn.append(place)
            seen |= who
        else:
            later.append(place)
    return turn, later


def _write(
    context: Context, tenant_id: TenantId, made: Sequence[_Made], outlook: Outlook
) -> list[_Made]:
    """Write what was chosen; gives what stands.

    Raises:
        Conflict: Not all of it can be written together.
        KeyInUse: A request was answered elsewhere meanwhile.
    """
    dry = [one for one in made if one.asked.dry_run]
    rest = [one for one in made if not one.asked.dry_run]
    if not rest:
        return dry
    with context.store.write(tenant_id) as session:
        drawn = _log_drawn(session, rest, outlook)
        if any(one.proposal.asks_for_prices for one in rest):
            ask_for_prices(session, at=outlook.situation.at)
        stand = _given(session, rest, outlook)
        if drawn and len(stand) < len(rest):
            raise Conflict("A lead that was drawn went elsewhere meanwhile.")
        kept = {
            one.asked.key: (one.asked.body_hash, Answer(status=200, body=one.body))
            for one in stand
            if one.asked.key is not None
        }
        keep_answers(session, kept, at=outlook.situation.at, patience=PATIENCE)
    return [*dry, *stand]


def _log_drawn(session: WriteSession, made: Sequence[_Made], outlook: Outlook) -> bool:
    """Log leads that were drawn for arms; gives whether there were any."""
    if outlook.arming is None:
        return False
    drawn = outlook.arming.drawn.only({one.lead for one in made})
    if log_drawn(session, drawn, outlook.covariates, at=outlook.situation.at):
        raise Conflict("An experiment was stopped meanwhile.")
    return bool(drawn.units)


def _given(
    session: WriteSession, made: Sequence[_Made], outlook: Outlook
) -> list[_Made]:
    """Give the leads; those that somebody was faster with are left out."""
    gifts = [(one, one.decision) for one in made if one.decision is not None]
    if not gifts:
        return list(made)
    at, tenant = outlook.situation.at, outlook.situation.tenant
    decisions = [decision for _, decision in gifts]
    codes = np.concatenate([one.exclusions.codes for one, _ in gifts])
    returned = take_leads(
        session,
        decisions,
        limits={
            decision.rep_id: one.proposal.limits(one.proposal.ranking[0])
            for one, decision in gifts
        },
        local_day=local_day(at, tenant.time_zone),
        exclusions=Exclusions(outlook.situation.rep_ids, codes),
        split=None if outlook.arming is None else outlook.arming.drawn.in_force.split,
    )
    refused = {one.decision.lead_id for one in returned}
    tell_assigned(
        session, [one for one in decisions if one.lead_id not in refused], at=at
    )
    return [
        one
        for one in made
        if one.decision is None or one.decision.lead_id not in refused
    ]


def _count(context: Context, decision: Decision) -> None:
    context.metrics.decided(decision.policy, is_fallback=decision.fallback is not None)


def _exclusions(proposal: Proposal) -> Exclusions:
    return Exclusions(proposal.situation.rep_ids, proposal.codes())
