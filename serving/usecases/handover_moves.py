"""Handovers carried out, and undone: many small transactions, each lead once.

A run that was killed, or one that meets another process, goes on where lines are
unsettled: the handover's row is locked while a few hundred of its lines are.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from rightrep.domain.decision import Cause, Decision
from rightrep.domain.eligibility import Exclusion
from rightrep.domain.handover import Handover, HandoverLine, HandoverRules, MoveState
from rightrep.domain.ids import DecisionId, LeadId, RepId, TenantId, new_id
from rightrep.domain.rep import RepStatus, RepVersion
from rightrep.errors import Conflict
from rightrep.store import handover as stored
from rightrep.store import reps
from rightrep.store.leads import kinds_of
from rightrep.store.session import ReadSession, WriteSession
from rightrep.store.tenants import get_tenant
from serving.usecases.context import Context
from serving.usecases.handover import among
from serving.usecases.handover_events import tell_handover, tell_moves
from serving.usecases.lead_scores import scorer
from serving.usecases.ruling import ruled
from serving.usecases.situation import Situation, read_situation
from serving.worker import Effect, Handler, Task

HANDOVER, HANDOVER_UNDO = "handover", "handover_undo"
"""Kinds of jobs."""
AT_ONCE = 500
"""Leads moved in one transaction, so that nobody waits long for it."""

Report = Callable[[float, str], None]
_MAY_MOVE = frozenset({Exclusion.ELIGIBLE, Exclusion.HOLDING_LIMIT})
"""The limit is counted where leads are moved; everything else is looked at before."""


def handlers(context: Context) -> Mapping[str, Handler]:
    """What to do, by kind of job."""
    return {
        HANDOVER: lambda task: _job(context, task, commit_handover),
        HANDOVER_UNDO: lambda task: _job(context, task, undo_handover),
    }


def commit_handover(
    context: Context,
    tenant_id: TenantId,
    handover_id: str,
    *,
    actor: str,
    report: Report = lambda _share, _words: None,
) -> dict[MoveState, int]:
    """Move every lead that still can be moved; once, whoever asks how often.

    Returns:
        Leads by what became of them.

    Raises:
        NotFound: There is no such handover.
        Conflict: It was undone.
    """
    with context.store.write(tenant_id) as session:
        begin_commit(session, handover_id, at=context.clock.now(), actor=actor)
    while True:
        at = context.clock.now()
        with context.store.write(tenant_id) as session:
            handover = stored.lock_handover(session, handover_id)
            require_not_undone(handover)
            lines = _next(session, handover_id, MoveState.PREVIEWED)
            _move(context, session, handover, lines, at=at, actor=actor)
            if not lines:
                if handover.finished_at is None:
                    stored.save_progress(session, replace(handover, finished_at=at))
                    tell_handover(session, handover, "committed", at=at)
                return stored.count_lines(session, handover_id)
            states = stored.count_lines(session, handover_id)
        report(*_progress(states, MoveState.PREVIEWED))


def undo_handover(
    context: Context,
    tenant_id: TenantId,
    handover_id: str,
    *,
    actor: str,
    report: Report = lambda _share, _words: None,
) -> dict[MoveState, int]:
    """Give every lead back that has not closed or moved on since; once.

    Returns:
        Leads by what became of them.

    Raises:
        NotFound: There is no such handover.
        Conflict: It was never committed, or its time to undo is over.
    """
    with context.store.write(tenant_id) as session:
        begin_undo(session, handover_id, at=context.clock.now(), actor=actor)
    while True:
        at = context.clock.now()
        with context.store.write(tenant_id) as session:
            handover = stored.lock_handover(session, handover_id)
            lines = _next(session, handover_id, MoveState.MOVED)
            if not lines:
                return stored.count_lines(session, handover_id)
            settled = stored.return_lines(
                session, handover_id, lines, at=at, actor=actor
            )
            tell_moves(session, handover, settled, at=at)
            states = stored.count_lines(session, handover_id)
        # Outside the transaction: progress has one of its own, and would wait for ours.
        report(*_progress(states, MoveState.MOVED))


def begin_commit(
    session: WriteSession, handover_id: str, *, at: datetime, actor: str
) -> Handover:
    """Say that a handover is being committed, and mark who leaves; twice is once.

    Raises:
        NotFound: There is no such handover.
        Conflict: It was undone.
    """
    handover = stored.lock_handover(session, handover_id)
    require_not_undone(handover)
    if handover.committed_at is not None:
        return handover
    rules = HandoverRules.of(get_tenant(session).settings)
    before = _mark_left(session, handover, at) if handover.leaves else {}
    begun = replace(
        handover,
        status_before=before,
        committed_at=at,
        committed_by=actor,
        undo_until=at + rules.undo_for,
    )
    stored.save_progress(session, begun)
    return begun


def begin_undo(
    session: WriteSession, handover_id: str, *, at: datetime, actor: str
) -> Handover:
    """Say that a handover is being undone, and take back who left; twice is once.

    Raises:
        NotFound: There is no such handover.
        Conflict: It was never committed, or its time to undo is over.
    """
    handover = stored.lock_handover(session, handover_id)
    require_undoable(handover, at)
    if handover.undone_at is not None:
        return handover
    _take_back_left(session, handover, at)
    begun = replace(handover, undone_at=at, undone_by=actor)
    stored.save_progress(session, begun)
    tell_handover(session, begun, "undone", at=at)
    return begun


def require_not_undone(handover: Handover) -> None:
    """Refuse to commit what was undone.

    Raises:
        Conflict: It was undone.
    """
    if handover.undone_at is not None:
        raise Conflict(
            f"Handover {handover.handover_id} was undone; preview a new one."
        )


def require_undoable(handover: Handover, at: datetime) -> None:
    """Refuse to undo what was not done, or too long ago; what was begun goes on.

    Raises:
        Conflict: It was never committed, or its time to undo is over.
    """
    if handover.undo_until is None:
        raise Conflict(f"Handover {handover.handover_id} was not committed.")
    if handover.undone_at is None and at > handover.undo_until:
        until = handover.undo_until.isoformat(timespec="minutes")
        raise Conflict(
            f"Handover {handover.handover_id} could be undone until {until}. "
            "Preview one in the other direction."
        )


def _job(
    context: Context, task: Task, do: Callable[..., dict[MoveState, int]]
) -> Effect:
    """The job: its work is done in many small transactions, its end in one."""
    settled = do(
        context,
        task.tenant_id,
        task.args["handover_id"],
        actor=task.args["actor"],
        report=task.report,
    )
    return lambda _session: {state.value: count for state, count in settled.items()}


def _next(
    session: ReadSession, handover_id: str, state: MoveState
) -> list[HandoverLine]:
    return stored.read_lines(session, handover_id, state=state, limit=AT_ONCE)


def _progress(states: Mapping[MoveState, int], waiting: MoveState) -> tuple[float, str]:
    total, left = sum(states.values()), states.get(waiting, 0)
    return 0.9 * (total - left) / total, f"{left:,} leads left"


def _move(
    context: Context,
    session: WriteSession,
    handover: Handover,
    lines: Sequence[HandoverLine],
    *,
    at: datetime,
    actor: str,
) -> None:
    if not lines:
        return
    # Leads of one kind at a time; the others come with the next lines.
    kind_of = kinds_of(session, [line.lead_id for line in lines])
    kind = kind_of[lines[0].lead_id]
    lines = [line for line in lines if kind_of[line.lead_id] is kind]
    known = read_situation(session, [line.lead_id for line in lines], at=at)
    situation = among(known, {line.to_rep for line in lines if line.to_rep})
    if handover.rule_set is not None:
        version = handover.rule_set
        situation, _ = ruled(
            session,
            situation,
            context.win_rates,
            scored=scorer(context, situation.tenant.tenant_id),
            version=version,
        )
    settled = stored.move_lines(
        session,
        handover.handover_id,
        lines,
        _decisions(situation, handover, lines, actor),
        limits={
            entry.rep_id: entry.attributes.holding_limit for entry in situation.roster
        },
        only=situation.counted,
    )
    tell_moves(session, handover, settled, at=at)


def _decisions(
    situation: Situation,
    handover: Handover,
    lines: Sequence[HandoverLine],
    actor: str,
) -> dict[LeadId, Decision]:
    """The decision of each lead that its new rep may still take."""
    row = {lead_id: i for i, lead_id in enumerate(situation.lead_ids)}
    column = {rep_id: j for j, rep_id in enumerate(situation.rep_ids)}
    made = {}
    for line in lines:
        i = row.get(line.lead_id)
        j = None if line.to_rep is None else column.get(line.to_rep)
        if i is None or j is None or int(situation.codes[i, j]) not in _MAY_MOVE:
            continue
        made[line.lead_id] = Decision(
            decision_id=DecisionId(new_id(situation.at)),
            lead_id=line.lead_id,
            rep_id=situation.rep_ids[j],
            decided_at=situation.at,
            recorded_at=situation.at,
            cause=Cause.HANDOVER,
            actor=actor,
            policy=line.policy,
            rule_set=handover.rule_set,
            p_convert=line.p_convert,
            value=line.value,
            model_version=handover.model_version,
            fallback=handover.fallback,
        )
    return made


def _mark_left(
    session: WriteSession, handover: Handover, at: datetime
) -> dict[RepId, str]:
    """Mark the reps as left; gives the status each had before."""
    known = reps.get_reps(session, handover.from_reps, as_of=at)
    before = {
        rep.rep_id: rep.attributes.status
        for rep in known
        if rep.attributes.status is not RepStatus.LEFT
    }
    _set_status(session, dict.fromkeys(before, RepStatus.LEFT), at)
    return {rep_id: status.value for rep_id, status in before.items()}


def _take_back_left(session: WriteSession, handover: Handover, at: datetime) -> None:
    known = reps.get_reps(session, list(handover.status_before), as_of=at)
    still = {
        rep.rep_id: RepStatus(handover.status_before[rep.rep_id])
        for rep in known
        if rep.attributes.status is RepStatus.LEFT
    }
    _set_status(session, still, at)


def _set_status(
    session: WriteSession, wanted: Mapping[RepId, RepStatus], at: datetime
) -> None:
    known = reps.get_reps(session, list(wanted), as_of=at)
    versions = [
        RepVersion(
            rep_id=rep.rep_id,
            valid_from=at,
            recorded_at=at,
            attributes=replace(rep.attributes, status=wanted[rep.rep_id]),
        )
        for rep in known
    ]
    reps.add_rep_versions(session, versions)
