"""Decisions: added, never changed; listed, explained, found by lead."""

import math
from base64 import urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np
import orjson
from sqlalchemy import RowMapping, bindparam, func, select, tuple_

from rightrep.domain.decision import Cause, Decision, RunnerUp
from rightrep.domain.ids import DecisionId, LeadId, RepId
from rightrep.domain.slots import ArmKey
from rightrep.errors import InvalidInput, NotFound
from rightrep.store.exclusions import (
    Exclusions,
    get_rosters,
    packed_rows,
    save_roster,
    spelled_out,
    unpacked,
)
from rightrep.store.guard import of_tenant
from rightrep.store.kinds import only_leads
from rightrep.store.rows import add_made, insert_new
from rightrep.store.runner_ups import runner_ups_text
from rightrep.store.schema import decisions
from rightrep.store.session import ReadSession, WriteSession
from rightrep.store.sets import any_of, batches
from rightrep.store.types import from_micros, to_micros

_PLAIN = (
    "decision_id",
    "lead_id",
    "rep_id",
    "decided_at",
    "recorded_at",
    "actor",
    "policy",
    "rule_set",
    "rule",
    "experiment",
    "arm",
    "model_version",
    "fallback",
    "columns_version",
)
_NUMBERS = ("propensity", "p_convert", "value", "shadow_price")


@dataclass(frozen=True, slots=True)
class DecisionPage:
    """A run of decisions, newest first.

    Attributes:
        decisions: At most as many as were asked for.
        cursor: Where the next page starts; None after the last.
    """

    decisions: Sequence[Decision]
    cursor: str | None


def log_decisions(
    session: WriteSession,
    made: Sequence[Decision],
    *,
    exclusions: Exclusions | None = None,
    are_new: bool = False,
) -> int:
    """Add decisions; ids that are there already change nothing.

    Args:
        session: Where to write.
        made: The decisions.
        exclusions: Codes of each of them, in the same order; taken from
            ``Decision.excluded`` when not given.
        are_new: Whether their ids were made in this transaction.

    Returns:
        Decisions that were new.

    Raises:
        InvalidInput: The exclusions are not one row per decision.
    """
    rows = [_row(decision) for decision in made]
    if exclusions is not None:
        _pack(session, rows, exclusions)
    else:
        for row, decision in zip(rows, made, strict=True):
            if decision.excluded:
                _pack(session, [row], Exclusions.of(decision.excluded))
    if are_new:
        add_made(session, decisions, rows)
        return len(rows)
    return len(insert_new(session, decisions, rows))


def get_decision(session: ReadSession, decision_id: DecisionId) -> Decision:
    """A decision with every reason spelled out.

    Raises:
        NotFound: There is no such decision.
    """
    rows = session.execute(_ONE, {"decision_id": decision_id}).mappings().all()
    if not rows:
        raise NotFound("decision", decision_id)
    return _decisions(session, rows, reasons=True)[0]


def list_decisions(
    session: ReadSession,
    *,
    limit: int,
    cursor: str | None = None,
    lead_id: LeadId | None = None,
    rep_id: RepId | None = None,
    reasons: bool = False,
) -> DecisionPage:
    """Decisions, newest first.

    Args:
        session: Where to read.
        limit: Decisions on a page; positive.
        cursor: The page before's; None for the newest.
        lead_id: Of this lead only.
        rep_id: To this rep only.
        reasons: Whether exclusions are spelled out.

    Raises:
        InvalidInput: The cursor was not made here.
    """
    query = _NEWEST
    wanted: dict[str, Any] = {"limit": limit + 1}
    if lead_id is not None:
        query = query.where(decisions.c.lead_id == bindparam("lead_id"))
        wanted["lead_id"] = lead_id
    if rep_id is not None:
        query = query.where(decisions.c.rep_id == bindparam("rep_id"))
        wanted["rep_id"] = rep_id
    if cursor is not None:
        query = query.where(
            tuple_(bindparam("at", type_=_AT), bindparam("id")) > _POSITION
        )
        wanted["at"], wanted["id"] = _from_cursor(cursor)
    rows = session.execute(query, wanted).mappings().all()
    page = _decisions(session, rows[:limit], reasons=reasons)
    return DecisionPage(page, _to_cursor(page[-1]) if len(rows) > limit else None)


def made_decisions(
    session: ReadSession, decision_ids: Iterable[DecisionId]
) -> dict[DecisionId, tuple[LeadId, RepId, datetime]]:
    """Lead, rep and instant of each decision that is there."""
    found: dict[DecisionId, tuple[LeadId, RepId, datetime]] = {}
    for batch in batches(list(decision_ids)):
        for row in session.execute(_MADE, {"ids": list(batch)}):
            found[row.decision_id] = (row.lead_id, row.rep_id, row.decided_at)
    return found


def last_decisions(
    session: ReadSession, asked: Iterable[tuple[LeadId, datetime]]
) -> list[DecisionId | None]:
    """For each (lead, instant) the lead's last decision at or before the instant."""
    pairs = list(asked)
    made: dict[str, list[tuple[datetime, DecisionId]]] = defaultdict(list)
    for batch in batches(sorted({lead_id for lead_id, _ in pairs})):
        for row in session.execute(_OF_LEADS, {"ids": list(batch)}):
            made[row.lead_id].append((row.decided_at, row.decision_id))
    answers: list[DecisionId | None] = []
    for lead_id, at in pairs:
        mine = made[lead_id]
        place = bisect_right(mine, at, key=lambda decision: decision[0])
        answers.append(mine[place - 1][1] if place else None)
    return answers


def candidates_of(
    session: ReadSession, decision_ids: Iterable[DecisionId]
) -> dict[DecisionId, list[RepId]]:
    """Reps of the roster who were not excluded, by decision.

    Decisions without a roster, such as imported ones, are left out.
    """
    rows = [
        row
        for batch in batches(list(decision_ids))
        for row in session.execute(_EXCLUSIONS, {"ids": list(batch)})
    ]
    rosters = get_rosters(session, {row.roster for row in rows})
    return {
        row.decision_id: [
            rep_id
            for rep_id, code in zip(
                rosters[row.roster], unpacked(row.exclusions).tolist(), strict=True
            )
            if not code
        ]
        for row in rows
    }


def given_since(
    session: ReadSession, since: datetime, *, arm: ArmKey | None = None
) -> dict[RepId, int]:
    """Leads decided for each rep later than an instant.

    Imported decisions are left out, and those about work orders.

    Args:
        session: Where to read.
        since: The instant.
        arm: Only what this arm of an experiment gave.
    """
    query, asked = _GIVEN, {"since": since}
    if arm is not None:
        query, asked = _GIVEN_BY_ARM, {**asked, **asdict(arm)}
    rows = session.execute(query, asked)
    return {RepId(row.rep_id): int(row.given) for row in rows}


def _row(decision: Decision) -> dict[str, Any]:
    features = decision.feature_row
    return {
        **{name: getattr(decision, name) for name in _PLAIN},
        **{name: _number(getattr(decision, name)) for name in _NUMBERS},
        "cause": decision.cause.value,
        "feature_row": None if features is None else _float32_bytes(features),
        "runner_ups": orjson.Fragment(runner_ups_text(decision.runner_ups)),
        "roster": None,
        "exclusions": None,
    }


def _float32_bytes(features: "np.ndarray[Any, Any]") -> bytes:
    return np.ascontiguousarray(features, dtype="<f4").tobytes()


def _number(number: float | None) -> float | None:
    return None if number is None or math.isnan(number) else float(number)


def _pack(
    session: WriteSession, rows: Sequence[dict[str, Any]], exclusions: Exclusions
) -> None:
    if exclusions.codes.shape != (len(rows), len(exclusions.reps)):
        raise InvalidInput(
            f"Exclusions are {exclusions.codes.shape}, not one row for each of "
            f"{len(rows)} decisions and one column for each of "
            f"{len(exclusions.reps)} reps."
        )
    version = save_roster(session, exclusions.reps)
    packs = packed_rows(exclusions.codes)
    for row, pack in zip(rows, packs, strict=True):
        row["roster"], row["exclusions"] = version, pack


def _decisions(
    session: ReadSession, rows: Sequence[RowMapping], *, reasons: bool
) -> list[Decision]:
    rosters = get_rosters(session, _rosters_of(rows)) if reasons else {}
    return [_decision(row, rosters.get(row["roster"])) for row in rows]


def _rosters_of(rows: Sequence[RowMapping]) -> set[str]:
    return {row["roster"] for row in rows if row["roster"] is not None}


def _decision(row: RowMapping, roster: Sequence[RepId] | None) -> Decision:
    features = row["feature_row"]
    return Decision(
        **{name: row[name] for name in (*_PLAIN, *_NUMBERS, "roster")},
        cause=Cause(row["cause"]),
        feature_row=None if features is None else np.frombuffer(features, "<f4"),
        runner_ups=tuple(
            RunnerUp(rep_id=rep_id, p_convert=p, value=value, shadow_price=price)
            for rep_id, p, value, price in row["runner_ups"]
        ),
        excluded={} if roster is None else spelled_out(roster, row["exclusions"]),
    )


def _to_cursor(decision: Decision) -> str:
    text = f"{to_micros(decision.decided_at)}:{decision.decision_id}"
    return urlsafe_b64encode(text.encode()).decode()


def _from_cursor(cursor: str) -> tuple[datetime, str]:
    try:
        micros, decision_id = urlsafe_b64decode(cursor).decode().split(":")
        return from_micros(int(micros)), decision_id
    except (ValueError, OverflowError) as error:
        raise InvalidInput(
            "The cursor was not made here.",
            field="cursor",
            remedy="Give the cursor of the page before, unchanged, or none.",
        ) from error


_AT = decisions.c.decided_at.type
_POSITION = tuple_(decisions.c.decided_at, decisions.c.decision_id)
_GIVEN = (
    select(decisions.c.rep_id, func.count().label("given"))
    .where(
        of_tenant(decisions),
        decisions.c.decided_at > bindparam("since", type_=decisions.c.decided_at.type),
        decisions.c.cause != Cause.IMPORT.value,
        only_leads(decisions.c.lead_id),
    )
    .group_by(decisions.c.rep_id)
)
_GIVEN_BY_ARM = _GIVEN.where(
    decisions.c.experiment == bindparam("experiment"),
    decisions.c.arm == bindparam("arm"),
)
_ONE = select(decisions).where(
    of_tenant(decisions), decisions.c.decision_id == bindparam("decision_id")
)
_MADE = select(
    decisions.c.decision_id,
    decisions.c.lead_id,
    decisions.c.rep_id,
    decisions.c.decided_at,
).where(of_tenant(decisions), decisions.c.decision_id.in_(any_of("ids")))
_EXCLUSIONS = select(
    decisions.c.decision_id, decisions.c.roster, decisions.c.exclusions
).where(
    of_tenant(decisions),
    decisions.c.decision_id.in_(any_of("ids")),
    decisions.c.roster.is_not(None),
)
_NEWEST = (
    select(decisions)
    .where(of_tenant(decisions))
    .order_by(decisions.c.decided_at.desc(), decisions.c.decision_id.desc())
    .limit(bindparam("limit"))
)
_OF_LEADS = (
    select(decisions.c.lead_id, decisions.c.decided_at, decisions.c.decision_id)
    .where(of_tenant(decisions), decisions.c.lead_id.in_(any_of("ids")))
    .order_by(decisions.c.decided_at, decisions.c.decision_id)
)
