"""Routing rules: written, tried, put in force, rolled back, compared."""

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, BeforeValidator, Field

from rightrep.domain.lead import LeadKind
from rightrep.domain.roles import Role
from rightrep.domain.rule_sets import Change, RuleSet
from rightrep.errors import Conflict, InvalidInput, NotFound
from rightrep.store.rules import (
    StoredRules,
    list_rule_sets,
    read_rule_set,
    rules_in_force,
)
from rightrep.store.session import WriteSession
from serving.dependencies import Caller, Parts, Reading, Writing, allow
from serving.errors import may_raise
from serving.models import Body, Text, Word, text_only
from serving.rule_models import RuleIn, RulesField, rule_set_of
from serving.usecases import rules
from serving.usecases.rules_dry_run import (
    MOST_LEADS,
    DryRun,
    Fate,
    Line,
    Told,
    dry_run,
)

router = APIRouter(prefix="/v1/rules", tags=["rules"])

Version = Annotated[int, Path(ge=1, lt=2**31)]
Day = Annotated[date, Field(strict=False), BeforeValidator(text_only)]
_READERS = [Depends(allow(Role.SERVICE, Role.MANAGER, Role.ANALYST))]
_EDITORS = [Depends(allow(Role.ADMIN))]


class RulesIn(Body):
    """A rule set to keep."""

    rules: RulesField
    reason: Text = Field(description="Why, for whoever looks at it later.")


class RuleSetHead(BaseModel):
    """One version, without its rules."""

    version: int
    in_force: bool
    actor: str
    reason: str
    created_at: datetime
    rules: int = Field(description="How many.")


class RuleSetList(BaseModel):
    """Every version, the newest first."""

    rule_sets: list[RuleSetHead]


class RuleSetOut(BaseModel):
    """One version with its rules."""

    version: int
    in_force: bool
    actor: str
    reason: str
    created_at: datetime
    rules: list[RuleIn]


class VersionOut(BaseModel):
    """A version of the rule set."""

    version: int


class MoveIn(Body):
    """Why another version is put in force."""

    reason: Text


class RuleChange(BaseModel):
    """What became of one rule."""

    name: str
    change: Change


class DiffOut(BaseModel):
    """What becomes of each rule; the later version's order, then what it lacks."""

    version: int
    against: int | None = Field(description="Null: no rule set.")
    changes: list[RuleChange]


class DryRunIn(Body):
    """Days to try a rule set on: written here, or a kept version."""

    rules: RulesField | None = Field(default=None, description="Or name a version.")
    version: int | None = Field(default=None, ge=1, lt=2**31)
    first: Day = Field(description="First local day.", examples=["2026-03-01"])
    last: Day | None = Field(default=None, description="Null is the first day alone.")
    limit: int = Field(default=500, ge=1, le=MOST_LEADS, description="Most leads.")
    kind: Word[LeadKind] = Field(
        default=LeadKind.LEAD, description="Leads, or work orders."
    )


class ToldOut(BaseModel):
    """What a rule set makes of one lead."""

    fate: Fate
    rule: str | None
    rep_id: str | None
    policy: str | None
    reason: str

    @classmethod
    def of(cls, told: Told) -> "ToldOut":
        """As callers see it."""
        return cls(
            fate=told.fate,
            rule=told.rule,
            rep_id=told.rep_id,
            policy=told.policy,
            reason=told.reason,
        )


class DryRunLine(BaseModel):
    """One lead of a dry run."""

    lead_id: str
    created_at: datetime
    changes: bool = Field(description="Fares otherwise than under the set in force.")
    told: ToldOut
    present: ToldOut | None = Field(description="Null: no rule set is in force.")

    @classmethod
    def of(cls, line: Line) -> "DryRunLine":
        """As callers see it."""
        return cls(
            lead_id=line.lead_id,
            created_at=line.created_at,
            changes=line.changes,
            told=ToldOut.of(line.told),
            present=None if line.present is None else ToldOut.of(line.present),
        )


class DryRunOut(BaseModel):
    """Who would have got what; nothing was written."""

    fates: dict[Fate, int] = Field(description="Leads by what becomes of them.")
    by_rule: dict[str, int] = Field(description="Leads by rule; 0: never matched.")
    by_rep: dict[str, int]
    changed: int = Field(description="Leads that fare otherwise than now.")
    is_cut: bool = Field(description="There were more leads than could be tried.")
    fallback: str | None = Field(description="Why no model answered, or null.")
    lines: list[DryRunLine]

    @classmethod
    def of(cls, run: DryRun) -> "DryRunOut":
        """As callers see it."""
        return cls(
            fates={fate: run.fates.get(fate, 0) for fate in Fate},
            by_rule=dict(run.by_rule),
            by_rep=dict(run.by_rep),
            changed=run.changed,
            is_cut=run.is_cut,
            fallback=run.fallback,
            lines=[DryRunLine.of(line) for line in run.lines],
        )


@router.get("", dependencies=_READERS)
def get_rule_sets(session: Reading) -> RuleSetList:
    """Every version of the rule set, the newest first."""
    present = rules_in_force(session)
    return RuleSetList(
        rule_sets=[
            RuleSetHead(
                version=kept.version,
                in_force=_is_same(kept, present),
                actor=kept.actor,
                reason=kept.reason,
                created_at=kept.created_at,
                rules=len(kept.rules),
            )
            for kept in list_rule_sets(session)
        ]
    )


@router.post(
    "",
    status_code=201,
    response_model=VersionOut,
    responses=may_raise(InvalidInput, Conflict),
    dependencies=_EDITORS,
)
def post_rules(body: RulesIn, call: Writing) -> Response:
    """Keep rules as a new version; it is not in force until it is published."""

    def work(session: WriteSession) -> VersionOut:
        version = rules.keep_rules(
            session,
            body.rules,
            reason=body.reason,
            **call.stamp(),
        )
        return VersionOut(version=version)

    return call.once(work, status=201)


@router.post(
    "/dry-run",
    responses=may_raise(InvalidInput, NotFound),
    dependencies=[Depends(allow(Role.MANAGER))],
)
def post_dry_run(body: DryRunIn, caller: Caller, parts: Parts) -> DryRunOut:
    """Try rules on the leads of past days; no row is written, no turn used up."""
    with parts.store.read(caller.tenant_id) as session:
        present = rules.rule_set_in_force(session)
        if body.rules is not None:
            sent = rules.checked(session, body.rules)
            tried = RuleSet(tuple(rule.to_domain() for rule in sent))
        elif body.version is not None:
            kept = read_rule_set(session, body.version)
            tried = rule_set_of(kept.version, kept.rules)
        else:
            raise InvalidInput(
                "Give rules, or the version of a rule set.", field="rules"
            )
    found = dry_run(
        parts,
        caller.tenant_id,
        tried,
        present,
        first=body.first,
        last=body.last or body.first,
        limit=body.limit,
        kind=body.kind,
    )
    return DryRunOut.of(found)


@router.post(
    "/rollback",
    response_model=VersionOut,
    responses=may_raise(Conflict),
    dependencies=_EDITORS,
)
def post_rollback(body: MoveIn, call: Writing) -> Response:
    """Put the version in force that was before the present one."""

    def work(session: WriteSession) -> VersionOut:
        version = rules.restore_rules(
            session,
            reason=body.reason,
            **call.stamp(),
        )
        return VersionOut(version=version)

    return call.once(work)


@router.get("/{version}", responses=may_raise(NotFound), dependencies=_READERS)
def get_rule_set(version: Version, session: Reading) -> RuleSetOut:
    """One version with its rules."""
    kept = read_rule_set(session, version)
    return RuleSetOut(
        version=kept.version,
        in_force=_is_same(kept, rules_in_force(session)),
        actor=kept.actor,
        reason=kept.reason,
        created_at=kept.created_at,
        rules=rules.rule_models(kept),
    )


@router.get("/{version}/diff", responses=may_raise(NotFound), dependencies=_READERS)
def get_diff(
    version: Version,
    session: Reading,
    against: Annotated[
        int | None,
        Query(ge=1, lt=2**31, description="Version; null is the one in force."),
    ] = None,
) -> DiffOut:
    """What a version changes, rule by rule."""
    after = read_rule_set(session, version)
    before = (
        rules_in_force(session) if against is None else read_rule_set(session, against)
    )
    return DiffOut(
        version=version,
        against=None if before is None else before.version,
        changes=[
            RuleChange(name=one.name, change=one.change)
            for one in rules.differences(before, after)
        ],
    )


@router.post(
    "/{version}/publish",
    response_model=VersionOut,
    responses=may_raise(NotFound, Conflict, InvalidInput),
    dependencies=_EDITORS,
)
def post_publish(version: Version, body: MoveIn, call: Writing) -> Response:
    """Route by this version from now on."""

    def work(session: WriteSession) -> VersionOut:
        rules.publish_rules(
            session,
            version,
            reason=body.reason,
            **call.stamp(),
        )
        return VersionOut(version=version)

    return call.once(work)


def _is_same(kept: StoredRules, present: StoredRules | None) -> bool:
    return present is not None and present.version == kept.version
