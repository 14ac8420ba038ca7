"""Decisions, outcomes and activities of the past, landed.

They refer to leads and reps by the CRM's ids (or ours); a row that names an unknown one
is refused. Imported decisions were made by nobody here: their cause is "import", their
policy "imported" unless the file names one, and only a file that says so has a
propensity.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from rightrep.domain.activity import Activity
from rightrep.domain.decision import Cause, Decision
from rightrep.domain.ids import DecisionId, LeadId, RepId, derived_id
from rightrep.domain.outcome import Outcome, reason_code, remark_of
from rightrep.domain.ownership import OwnershipEvent, OwnershipKind
from rightrep.intake.records import ActivityRow, DecisionRow, OutcomeRow
from rightrep.store.activities import record_activities, reused_activities
from rightrep.store.aliases import RecordKind, add_aliases, resolve_many
from rightrep.store.decisions import log_decisions, made_decisions
from rightrep.store.outcomes import closed_leads, record_outcomes, reused_outcomes
from rightrep.store.ownership import add_ownership_events, close_leads
from rightrep.store.session import WriteSession
from serving.usecases.import_owners import OwnerHistory
from serving.usecases.import_run import ACTOR, Landed, Row, Run, land_or_refuse

_REUSED = (
    "{field} {key!r} was told before with other values. Correct an outcome with a new "
    "event_id and `replaces`; leave other records as they are."
)


def land_decisions(
    session: WriteSession, rows: Sequence[DecisionRow], run: Run
) -> Landed[DecisionRow]:
    """Land a batch of decisions, and who had the leads because of them.

    No capacity refuses what has happened. A lead that is still open is owned by the rep
    of its last decision.

    Args:
        session: Where to write.
        rows: The rows, in the file's order.
        run: The import.
    """
    landed: Landed[DecisionRow] = Landed()
    leads = _found(session, RecordKind.LEAD, (row.lead for row in rows), run)
    reps = _found(session, RecordKind.REP, (row.rep for row in rows), run)
    rows = _with_known(rows, "lead", leads, "leads", landed)
    rows = _with_known(rows, "rep", reps, "reps", landed)
    made = {
        row: _decision(row, LeadId(leads[row.lead]), RepId(reps[row.rep]), run)
        for row in rows
    }
    made = _with_own_ids(session, made, run, landed)
    new = log_decisions(session, list(made.values()))
    landed.landed += new
    landed.unchanged += len(made) - new
    landed.about = [(row, decision.lead_id) for row, decision in made.items()]
    if new:
        _own(session, list(made.values()), run)
    return landed


def land_outcomes(
    session: WriteSession, rows: Sequence[OutcomeRow], run: Run
) -> Landed[OutcomeRow]:
    """Land a batch of outcomes; each judges its decision and frees its lead's slot."""
    landed: Landed[OutcomeRow] = Landed()
    leads = _found(session, RecordKind.LEAD, (row.lead for row in rows), run)
    named = {row.decision for row in rows if row.decision is not None}
    decisions = _found(session, RecordKind.DECISION, named, run)
    rows = _with_known(rows, "lead", leads, "leads", landed)
    rows = _with_known(rows, "decision", decisions, "decisions", landed)
    # A correction is told after what it replaces.
    rows.sort(key=lambda row: row.replaces is not None)
    told = {row: _outcome(row, leads, decisions, run) for row in rows}
    reused = reused_outcomes(session, list(told.values()))
    rows = _without(rows, "event_id", reused, landed)
    land_or_refuse(
        session,
        rows,
        lambda some: _record_with_remarks(session, some, told),
        landed,
    )
    landed.about = [(row, leads[row.lead]) for row in rows]
    return landed


def land_activities(
    session: WriteSession, rows: Sequence[ActivityRow], run: Run
) -> Landed[ActivityRow]:
    """Land a batch of activities."""
    landed: Landed[ActivityRow] = Landed()
    leads = _found(session, RecordKind.LEAD, (row.lead for row in rows), run)
    named = {row.rep for row in rows if row.rep is not None}
    reps = _found(session, RecordKind.REP, named, run)
    rows = _with_known(rows, "lead", leads, "leads", landed)
    rows = _with_known(rows, "rep", reps, "reps", landed)
    told = {row: _activity(row, leads, reps, run) for row in rows}
    reused = reused_activities(session, list(told.values()))
    rows = _without(rows, "event_id", reused, landed)
    land_or_refuse(
        session,
        rows,
        lambda some: record_activities(session, [told[row] for row in some]),
        landed,
    )
    landed.about = [(row, leads[row.lead]) for row in rows]
    return landed


def _record_with_remarks(
    session: WriteSession,
    rows: Sequence[OutcomeRow],
    told: Mapping[OutcomeRow, Outcome],
) -> list[bool]:
    """Record outcomes; a reason that is no code becomes a note on the lead."""
    new = record_outcomes(session, [told[row] for row in rows])
    remarks = [
        remark_of(told[row], row.reason)
        for row in rows
        if row.reason is not None and told[row].reason is None
    ]
    record_activities(session, remarks)
    return new


def _found(
    session: WriteSession, kind: RecordKind, names: Iterable[str], run: Run
) -> Mapping[str, str]:
    return resolve_many(session, kind, names, source=run.source)


def _with_known(
    rows: Sequence[Row],
    field: str,
    known: Mapping[str, str],
    kind: str,
    landed: Landed[Row],
) -> list[Row]:
    kept = []
    for row in rows:
        name = getattr(row, field)
        if name is None or name in known:
            kept.append(row)
        else:
            reason = f"There is no {field} {name!r}. Import the {kind} first."
            landed.refuse(row, field, reason)
    return kept


def _without(
    rows: Sequence[Row], field: str, reused: set[str], landed: Landed[Row]
) -> list[Row]:
    kept = []
    for row in rows:
        key = getattr(row, field)
        if key in reused:
            landed.refuse(row, field, _REUSED.format(field=field, key=key))
        else:
            kept.append(row)
    return kept


def _decision(row: DecisionRow, lead_id: LeadId, rep_id: RepId, run: Run) -> Decision:
    name = row.external_id or f"{lead_id} {rep_id}"
    return Decision(
        decision_id=DecisionId(derived_id(row.decided_at, f"{run.source} {name}")),
        lead_id=lead_id,
        rep_id=rep_id,
        decided_at=row.decided_at,
        recorded_at=max(row.decided_at, run.known_at(row.recorded_at, row.decided_at)),
        cause=Cause.IMPORT,
        actor=ACTOR,
        policy=row.policy,
        propensity=row.propensity,
    )


def _with_own_ids(
    session: WriteSession,
    made: dict[DecisionRow, Decision],
    run: Run,
    landed: Landed[DecisionRow],
) -> dict[DecisionRow, Decision]:
    """Decisions whose CRM's id names no other one; the new ids become aliases."""
    named = {row.external_id for row in made if row.external_id is not None}
    known = _found(session, RecordKind.DECISION, named, run)
    aliases = dict(known)
    there = made_decisions(session, [d.decision_id for d in made.values()])
    kept: dict[DecisionRow, Decision] = {}
    news: dict[str, str] = {}
    for row, decision in made.items():
        own_id = decision.decision_id
        same = (decision.lead_id, decision.rep_id, decision.decided_at)
        name = row.external_id
        if (name is not None and aliases.setdefault(name, own_id) != own_id) or (
            there.setdefault(own_id, same) != same
        ):
            reason = _REUSED.format(field="external_id", key=name)
            landed.refuse(row, "external_id", reason)
            continue
        kept[row] = decision
        if name is not None and name not in known:
            news[name] = own_id
    add_aliases(session, RecordKind.DECISION, run.source, news, at=run.now)
    return kept


def _own(session: WriteSession, made: Sequence[Decision], run: Run) -> None:
    """The owners that decisions brought about; of closed leads the slot is free."""
    history = OwnerHistory(session, (decision.lead_id for decision in made))
    events = []
    for decision in sorted(made, key=lambda decision: decision.decided_at):
        event = OwnershipEvent(
            event_id=derived_id(decision.decided_at, f"{decision.decision_id} owns"),
            lead_id=decision.lead_id,
            kind=OwnershipKind.ASSIGNED,
            owner=decision.rep_id,
            previous_owner=history.state(decision.lead_id, decision.decided_at)[0],
            decision_id=decision.decision_id,
            cause=f"told by {run.source}",
            actor=ACTOR,
            happened_at=decision.decided_at,
        )
        history.add(event)
        events.append(event)
    add_ownership_events(session, events)
    last: dict[LeadId, datetime] = {}
    for decision in made:
        before = last.get(decision.lead_id, decision.decided_at)
        last[decision.lead_id] = max(before, decision.decided_at)
    closed = {
        lead_id: closed_at
        for lead_id, closed_at in closed_leads(session, last).items()
        if closed_at >= last[lead_id]
    }
    close_leads(session, closed, actor=ACTOR, cause="closed before it was imported")


def _outcome(
    row: OutcomeRow,
    leads: Mapping[str, str],
    decisions: Mapping[str, str],
    run: Run,
) -> Outcome:
    decision = None if row.decision is None else DecisionId(decisions[row.decision])
    return Outcome(
        event_id=row.event_id,
        lead_id=LeadId(leads[row.lead]),
        decision_id=decision,
        result=row.result,
        closed_at=row.closed_at,
        recorded_at=run.known_at(row.recorded_at, row.closed_at),
        value=row.value,
        reason=reason_code(row.reason),
        replaces=row.replaces,
    )


def _activity(
    row: ActivityRow, leads: Mapping[str, str], reps: Mapping[str, str], run: Run
) -> Activity:
    return Activity(
        event_id=row.event_id,
        kind=row.kind,
        lead_id=LeadId(leads[row.lead]),
        rep_id=None if row.rep is None else RepId(reps[row.rep]),
        happened_at=row.happened_at,
        recorded_at=run.known_at(row.recorded_at, row.happened_at),
        result=row.result,
        score=row.score,
        latitude=row.latitude,
        longitude=row.longitude,
        note=row.note,
    )
