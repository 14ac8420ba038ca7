"""Outcomes: the labels that retraining learns from."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, bindparam, func, select
from sqlalchemy.exc import IntegrityError

from rightrep.domain.ids import LeadId
from rightrep.domain.outcome import Outcome, Result, reason_code, why_not_result
from rightrep.domain.pools import place_of
from rightrep.errors import Conflict, InvalidInput, NotFound
from rightrep.store.decisions import last_decisions
from rightrep.store.events import add_events, reused_ids
from rightrep.store.guard import of_tenant
from rightrep.store.leads import get_leads, kinds_of
from rightrep.store.money import money_columns, money_of
from rightrep.store.ownership import close_leads
from rightrep.store.pools import pools_in_force
from rightrep.store.schema import decisions, outcomes
from rightrep.store.session import ReadSession, WriteSession
from rightrep.store.sets import any_of, batches, digest

_PLAIN = ("event_id", "lead_id", "decision_id", "closed_at", "recorded_at", "reason")
_BODY = (*_PLAIN, "replaces")


def record_outcome(
    session: WriteSession, outcome: Outcome, *, frees_slot: bool = True
) -> bool:
    """Log how a lead closed; a message seen before changes nothing.

    See ``record_outcomes``.

    Returns:
        Whether it was new.
    """
    return record_outcomes(session, [outcome], frees_slot=frees_slot)[0]


def record_outcomes(
    session: WriteSession, told: Sequence[Outcome], *, frees_slot: bool = True
) -> list[bool]:
    """Log how leads closed; messages seen before change nothing.

    An outcome without a decision judges the lead's last decision at or before its
    ``closed_at``.

    Args:
        session: Where to write.
        told: A correction comes after the outcome it replaces.
        frees_slot: Whether a closed lead stops counting against its owner's holding
            limit; a won one goes on where its pool says so.

    Returns:
        Whether each was new.

    Raises:
        NotFound: There is no such lead, decision or replaced outcome.
        InvalidInput: The decision or the replaced outcome is another lead's, a lead
            of its kind does not close so, or a reason is no code.
        KeyReused: An id is known with another body.
        Conflict: The replaced outcome was replaced by another one before.
    """
    _require_results(session, told)
    _require_codes(told)
    new: list[bool] = []
    for batch in batches(told):
        new += _record(session, batch)
    if frees_slot:
        closed = {
            outcome.lead_id: outcome.closed_at
            for outcome, is_new in zip(told, new, strict=True)
            if is_new
        }
        for lead_id in _still_counting(session, told, closed):
            del closed[lead_id]
        close_leads(session, closed, actor="outcome", cause="closed")
    return new


def reused_outcomes(session: WriteSession, told: Sequence[Outcome]) -> set[str]:
    """Event ids of these outcomes that are known with another body."""
    rows = [
        {"event_id": outcome.event_id, "digest": digest(_body(outcome))}
        for outcome in told
    ]
    return reused_ids(session, outcomes, rows)


def closed_leads(
    session: ReadSession, lead_ids: Iterable[LeadId]
) -> dict[LeadId, datetime]:
    """When each lead closed last, corrections applied; open ones are left out."""
    found: dict[LeadId, datetime] = {}
    for batch in batches(list(lead_ids)):
        for row in session.execute(_CLOSED, {"ids": list(batch)}):
            found[row.lead_id] = row.closed_at
    return found


def get_outcome(session: ReadSession, event_id: str) -> Outcome:
    """One outcome as it was told, replaced or not.

    Raises:
        NotFound: There is no such outcome.
    """
    row = session.execute(_ONE, {"event_id": event_id}).mappings().one_or_none()
    if row is None:
        raise NotFound("outcome", event_id)
    return _outcome(row)


def list_outcomes(session: ReadSession, lead_id: LeadId) -> list[Outcome]:
    """How a lead closed, in the order it was told; replaced ones are among them."""
    rows = session.execute(_OF_LEAD, {"lead_id": lead_id}).mappings()
    return [_outcome(row) for row in rows]


def standing_outcome(session: ReadSession, lead_id: LeadId) -> Outcome | None:
    """How a lead closed last, corrections applied; None while it is open."""
    told = list_outcomes(session, lead_id)
    replaced = {outcome.replaces for outcome in told}
    standing = [outcome for outcome in told if outcome.event_id not in replaced]
    return max(standing, key=lambda o: (o.closed_at, o.recorded_at), default=None)


def _still_counting(
    session: WriteSession, told: Sequence[Outcome], closed: Mapping[LeadId, datetime]
) -> set[LeadId]:
    """Leads that are won and in a pool that does not exempt them."""
    pools = pools_in_force(session)
    if not closed or all(pool.won_exempt for pool in pools):
        return set()
    last = {outcome.lead_id: outcome.result for outcome in told}
    won = [lead_id for lead_id in closed if last[lead_id] is Result.WON]
    known_at = max(outcome.recorded_at for outcome in told)
    found = get_leads(session, won, as_of=known_at)
    place = place_of(pools, found).tolist()
    pairs = zip(found, place, strict=True)
    return {lead.lead_id for lead, k in pairs if not pools[k].won_exempt}


def _record(session: WriteSession, told: Sequence[Outcome]) -> list[bool]:
    _require_decisions(session, told)
    _require_replaced(session, told)
    judged = last_decisions(session, [(o.lead_id, o.closed_at) for o in told])
    rows = []
    for outcome, last in zip(told, judged, strict=True):
        full = replace(outcome, decision_id=outcome.decision_id or last)
        # The hash is of what was said: the last decision may be another one later.
        rows.append({**_row(full), "digest": digest(_body(outcome))})
    try:
        return add_events(session, outcomes, rows)
    except IntegrityError as error:
        raise Conflict("Another correction came first; read it and decide.") from error


def _require_results(session: ReadSession, told: Sequence[Outcome]) -> None:
    kind_of = kinds_of(session, (outcome.lead_id for outcome in told))
    for outcome in told:
        if outcome.lead_id not in kind_of:
            raise NotFound("lead", outcome.lead_id)
        why_not = why_not_result(outcome.result, kind_of[outcome.lead_id])
        if why_not is not None:
            raise InvalidInput(why_not, field="result")


def _require_codes(told: Sequence[Outcome]) -> None:
    for outcome in told:
        if outcome.reason is not None and reason_code(outcome.reason) != outcome.reason:
            raise InvalidInput(
                f"The reason of outcome {outcome.event_id} is no code.",
                field="reason",
                remedy="Give up to three plain words such as no_budget; send anything "
                "else as a note.",
            )


def _require_decisions(session: WriteSession, told: Sequence[Outcome]) -> None:
    named = {o.decision_id: o for o in told if o.decision_id is not None}
    rows = session.execute(_DECISIONS, {"ids": list(named)}) if named else ()
    lead_of = {row.decision_id: row.lead_id for row in rows}
    for decision_id, outcome in named.items():
        if decision_id not in lead_of:
            raise NotFound("decision", decision_id)
        if lead_of[decision_id] != outcome.lead_id:
            raise InvalidInput(
                f"Decision {decision_id} is about another lead than {outcome.lead_id}.",
                field="decision_id",
            )


def _require_replaced(session: WriteSession, told: Sequence[Outcome]) -> None:
    named = [o for o in told if o.replaces is not None]
    if not named:
        return
    ids = {"ids": [o.replaces for o in named]}
    lead_of = {row.event_id: row.lead_id for row in session.execute(_LEAD_OF, ids)}
    lead_of |= {o.event_id: o.lead_id for o in told}
    replaced_by = {row.replaces: row.event_id for row in session.execute(_BY, ids)}
    for outcome in named:
        replaced = str(outcome.replaces)
        if replaced not in lead_of:
            raise NotFound("outcome", replaced)
        if lead_of[replaced] != outcome.lead_id or replaced == outcome.event_id:
            raise InvalidInput(
                f"Outcome {outcome.event_id} cannot replace {replaced}: it is about "
                "another lead, or itself.",
                field="replaces",
            )
        by = replaced_by.setdefault(replaced, outcome.event_id)
        if by != outcome.event_id:
            raise Conflict(f"Outcome {replaced} was replaced by {by} before.")


def _row(outcome: Outcome) -> dict[str, Any]:
    return {
        **{name: getattr(outcome, name) for name in _BODY},
        **money_columns("value", outcome.value),
        "result": outcome.result.value,
    }


def _body(outcome: Outcome) -> dict[str, Any]:
    return {k: v for k, v in _row(outcome).items() if k != "recorded_at"}


def _outcome(row: RowMapping) -> Outcome:
    return Outcome(
        **{name: row[name] for name in _BODY},
        value=money_of("value", row),
        result=Result(row["result"]),
    )


_ONE = select(outcomes).where(
    of_tenant(outcomes), outcomes.c.event_id == bindparam("event_id")
)
_OF_LEAD = (
    select(outcomes)
    .where(of_tenant(outcomes), outcomes.c.lead_id == bindparam("lead_id"))
    .order_by(outcomes.c.recorded_at, outcomes.c.closed_at, outcomes.c.event_id)
)
_LATER = outcomes.alias()
_CLOSED = (
    select(
        outcomes.c.lead_id,
        func.max(outcomes.c.closed_at, type_=outcomes.c.closed_at.type).label(
            "closed_at"
        ),
    )
    .where(
        of_tenant(outcomes),
        outcomes.c.lead_id.in_(any_of("ids")),
        ~select(_LATER.c.event_id)
        .where(of_tenant(_LATER), _LATER.c.replaces == outcomes.c.event_id)
        .exists(),
    )
    .group_by(outcomes.c.lead_id)
)
_LEAD_OF = select(outcomes.c.event_id, outcomes.c.lead_id).where(
    of_tenant(outcomes), outcomes.c.event_id.in_(any_of("ids"))
)
_BY = select(outcomes.c.replaces, outcomes.c.event_id).where(
    of_tenant(outcomes), outcomes.c.replaces.in_(any_of("ids"))
)
_DECISIONS = select(decisions.c.decision_id, decisions.c.lead_id).where(
    of_tenant(decisions), decisions.c.decision_id.in_(any_of("ids"))
)
