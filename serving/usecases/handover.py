"""Handovers previewed: who would get which lead, and which ones nobody can take.

The leads are shared out as any batch is, by the same policies, among the candidates
alone. What a rep takes over is no intake: holding limits count, those of the day and
the month do not, and working hours do not matter.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np

from optimizer.problem import UNASSIGNED
from rightrep.domain.eligibility import exclusions
from rightrep.domain.handover import (
    Handover,
    HandoverLine,
    MoveState,
    chosen_by,
    why_nobody,
)
from rightrep.domain.ids import LeadId, RepId, TenantId, new_id
from rightrep.domain.lead import LeadKind, Scalar
from rightrep.domain.rep import RepStatus
from rightrep.domain.roster import Roster, RosterEntry
from rightrep.errors import InvalidInput, NotFound
from rightrep.store import handover as stored
from rightrep.store import leads, ownership, reps
from rightrep.store.aliases import resolve_rep
from rightrep.store.outcomes import closed_leads
from rightrep.store.session import ReadSession, WriteSession
from serving.usecases.advice import Scores
from serving.usecases.choosing import Chosen, choose_batch
from serving.usecases.context import Context
from serving.usecases.handover_events import tell_handover
from serving.usecases.lead_scores import scorer
from serving.usecases.planning import RULES, score
from serving.usecases.pool_views import team
from serving.usecases.ruling import OVER_TIME, Ruling, by_one_policy, rule_on, ruled
from serving.usecases.situation import Situation, read_situation

MOST_LEADS = 20_000
"""Leads in one handover."""


@dataclass(frozen=True, kw_only=True)
class HandoverRequest:
    """Which leads go where.

    Attributes:
        from_reps: Whose leads.
        to_reps: Who may get them; none is everybody else.
        policy: Name of a policy; None is the rules in force, or the tenant's policy.
        leads: Values that a lead's attribute must be one of, by attribute; none takes
            every open lead.
        leaves: Whether the reps leave: the commit marks them so.
        reason: Why, in words.
        actor: Who asks.
        seed: Seed of every draw.
    """

    from_reps: Sequence[RepId]
    to_reps: Sequence[RepId] = ()
    policy: str | None = None
    leads: Mapping[str, Sequence[Scalar]] = field(default_factory=dict)
    leaves: bool = False
    reason: str
    actor: str
    seed: int = 0


@dataclass(frozen=True, eq=False)
class MadeHandover:
    """A handover not yet kept.

    Attributes:
        handover: The whole.
        lines: Its leads.
    """

    handover: Handover
    lines: Sequence[HandoverLine]


def preview_handover(
    context: Context, tenant_id: TenantId, request: HandoverRequest
) -> MadeHandover:
    """Work out who would get which lead; nothing is written.

    Raises:
        InvalidInput: There is no such policy or condition, nobody to give leads to,
            no lead to give, or more than fit into one handover.
        NotFound: One of the reps is not there.
    """
    at = context.clock.now()
    with context.store.read(tenant_id) as session:
        targets = _targets(session, request, at)
        owners = _open_leads(session, request, at)
        kind_of = leads.kinds_of(session, owners)
    headers: list[Handover] = []
    lines: list[HandoverLine] = []
    given: Counter[RepId] = Counter()
    for kind in LeadKind:
        mine = [lead_id for lead_id in owners if kind_of[lead_id] is kind]
        if not mine:
            continue
        with context.store.read(tenant_id) as session:
            read = _after(read_situation(session, mine, at=at), given)
            found = among(read, targets)
            situation, ruling = _ruled(context, session, found, request.policy)
        scores, no_model = score(context, tenant_id, situation)
        chosen = choose_batch(
            situation,
            scores,
            policy=request.policy or situation.routing.policy,
            seed=request.seed,
            no_model=no_model,
            ruling=ruling,
        )
        headers.append(_header(situation, scores, chosen, request))
        lines += _lines(situation, scores, chosen, owners, first=len(lines))
        given.update(line.to_rep for line in lines if line.to_rep is not None)
    return MadeHandover(headers[0], lines)


def _after(situation: Situation, given: Mapping[RepId, int]) -> Situation:
    """A situation after reps were given leads of another kind in the same handover."""
    if situation.counted is not None:
        return situation
    more = np.array([given.get(rep, 0) for rep in situation.rep_ids], np.int64)
    roster = replace(situation.roster, held=situation.roster.held + more)
    return replace(situation, roster=roster)


def reps_named(
    session: ReadSession,
    names: Sequence[str],
    of_team: str | None,
    *,
    at: datetime,
    may_have_left: bool = False,
) -> list[RepId]:
    """Reps by our id or the CRM's own, and every rep of a team.

    Args:
        session: Where to read.
        names: Reps that are named.
        of_team: The team, or None.
        at: Now.
        may_have_left: Whether those of the team who left are among them.

    Raises:
        NotFound: There is no such rep, or nobody in the team.
    """
    named = [resolve_rep(session, name) for name in names]
    if of_team is None:
        return named
    members = team(session, of_team, at=at)
    known = reps.get_reps(session, members, as_of=at)
    here = [
        one.rep_id
        for one in known
        if may_have_left or one.attributes.status is not RepStatus.LEFT
    ]
    return list(dict.fromkeys([*named, *here]))


def keep_handover(session: WriteSession, made: MadeHandover) -> None:
    """Write a previewed handover down, and tell webhooks of it."""
    stored.save_handover(session, made.handover, made.lines)
    tell_handover(session, made.handover, "previewed", at=made.handover.created_at)


def among(situation: Situation, targets: Iterable[RepId]) -> Situation:
    """A situation with these reps alone, and as a handover looks at them."""
    wanted = set(targets)
    heirs = [_heir(one) for one in situation.roster if one.rep_id in wanted]
    roster = Roster.of(heirs, zone=situation.tenant.time_zone)
    rules = replace(situation.routing.eligibility, within_hours=None)
    codes = exclusions(situation.columns, roster, rules, at=situation.at)
    # A lottery is to learn from leads that come, not from customers who stay.
    routing = replace(situation.routing, eligibility=rules, exploration_share=0.0)
    return replace(situation, roster=roster, codes=codes, routing=routing)


def _heir(entry: RosterEntry) -> RosterEntry:
    unlimited = replace(entry.attributes, intake_per_day=None, intake_per_month=None)
    return replace(entry, attributes=unlimited)


def _targets(
    session: ReadSession, request: HandoverRequest, at: datetime
) -> list[RepId]:
    if not request.from_reps:
        raise InvalidInput("Say whose leads are handed over.", field="from_reps")
    known = {one.rep_id for one in reps.list_reps(session, as_of=at)}
    for rep_id in (*request.from_reps, *request.to_reps):
        if rep_id not in known:
            raise NotFound("rep", rep_id)
    both = sorted(set(request.from_reps) & set(request.to_reps))
    if both:
        raise InvalidInput(
            f"Rep {both[0]} cannot hand leads over to themselves.",
            field="to_reps",
            remedy="Name other reps, or another team.",
        )
    targets = set(request.to_reps) or known - set(request.from_reps)
    if not targets:
        raise InvalidInput("There is no other rep to take leads.", field="to_reps")
    return sorted(targets)


def _open_leads(
    session: ReadSession, request: HandoverRequest, at: datetime
) -> dict[LeadId, RepId]:
    """Owner of each lead that is to move, longest owned first."""
    owned = [
        one
        for rep_id in dict.fromkeys(request.from_reps)
        for one in ownership.leads_of(session, rep_id)
    ]
    closed = closed_leads(session, [one.lead_id for one in owned])
    owner = {one.lead_id: one.owner for one in owned if one.lead_id not in closed}
    known = leads.get_leads(session, list(owner), as_of=at)
    wanted = chosen_by(request.leads, known)
    found = {
        lead.lead_id: owner[lead.lead_id]
        for lead, is_wanted in zip(known, wanted.tolist(), strict=True)
        if is_wanted
    }
    if not found:
        raise InvalidInput(
            "These reps have no such open lead, so there is nothing to hand over.",
            field="leads" if owner else "from_reps",
        )
    if len(found) > MOST_LEADS:
        raise InvalidInput(
            f"{len(found):,} leads are more than one handover moves ({MOST_LEADS:,}).",
            field="leads",
            remedy="Hand over part of them, by a condition on leads.",
        )
    return found


def _ruled(
    context: Context, session: ReadSession, situation: Situation, policy: str | None
) -> tuple[Situation, Ruling | None]:
    """Under the rules in force where no policy is named; see ``planning``."""
    ruling = None
    if policy is None:
        scored = scorer(context, situation.tenant.tenant_id)
        situation, ruling = ruled(session, situation, context.win_rates, scored=scored)
    name = policy or situation.routing.policy
    if ruling is None and name in OVER_TIME:
        rules = by_one_policy(name)
        ruling = rule_on(session, situation, rules, context.win_rates)[1]
    return situation, ruling


def _header(
    situation: Situation,
    scores: Scores | None,
    chosen: Chosen,
    request: HandoverRequest,
) -> Handover:
    version = None if chosen.ruling is None else chosen.ruling.rule_set.version
    asked = request.policy or situation.routing.policy
    return Handover(
        handover_id=new_id(situation.at),
        created_at=situation.at,
        actor=request.actor,
        reason=request.reason,
        policy=asked if version is None else RULES,
        from_reps=list(dict.fromkeys(request.from_reps)),
        to_reps=situation.rep_ids,
        leads={name: list(values) for name, values in request.leads.items()},
        leaves=request.leaves,
        rule_set=version,
        model_version=None if scores is None else scores.model_version,
        fallback=chosen.fallback,
    )


def _lines(
    situation: Situation,
    scores: Scores | None,
    chosen: Chosen,
    owners: Mapping[LeadId, RepId],
    *,
    first: int,
) -> list[HandoverLine]:
    lines = []
    for i, lead_id in enumerate(situation.lead_ids):
        j = int(chosen.plan.rep_of[i])
        given = j != UNASSIGNED
        told = given and scores is not None
        lines.append(
            HandoverLine(
                line=first + i,
                lead_id=lead_id,
                from_rep=owners[lead_id],
                to_rep=situation.rep_ids[j] if given else None,
                state=MoveState.PREVIEWED if given else MoveState.UNASSIGNED,
                why=() if given else _why(situation, chosen, i),
                policy=chosen.policy[i],
                p_convert=float(scores.p_convert[i, j]) if told and scores else None,
                value=float(chosen.problem.value[i, j]) if told else None,
            )
        )
    return lines


def _why(situation: Situation, chosen: Chosen, lead: int) -> tuple[str, ...]:
    by_rule = None if chosen.ruling is None else chosen.ruling.why_not(lead)
    return why_nobody(situation.codes[lead]) if by_rule is None else (by_rule,)
