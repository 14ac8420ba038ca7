"""Rule sets kept, put in force, rolled back and compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from optimizer.policies import BY_VALUE
from rightrep.domain.conditions import kinds_of
from rightrep.domain.lead import LeadKind
from rightrep.domain.rule_sets import (
    ByPolicy,
    Change,
    Choice,
    RuleSet,
    Sticky,
    ToPool,
    compare,
)
from rightrep.errors import InvalidInput
from rightrep.store import outbox
from rightrep.store.aliases import RecordKind, resolve_many
from rightrep.store.pools import pools_in_force
from rightrep.store.rules import (
    StoredRules,
    add_rule_set,
    put_in_force,
    read_rule_set,
    roll_back_rules,
    rules_in_force,
)
from rightrep.store.session import ReadSession, WriteSession
from serving.rule_models import RuleIn, rule_set_of

TICKETS_ALONE = frozenset({LeadKind.TICKET})
PUBLISHED = "rightrep.rules.published"
"""Event: another rule set is in force."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What became of one rule.

    Attributes:
        name: The rule.
        change: Added, removed, changed, moved or the same.
    """

    name: str
    change: Change


def checked(session: ReadSession, rules: Sequence[RuleIn]) -> list[RuleIn]:
    """The same rules with our own ids of reps.

    Raises:
        InvalidInput: A rule names a rep or a pool that does not exist, or the model for
            work orders.
    """
    named = {rep for rule in rules for _, rep in rule.rep_ids()}
    own = resolve_many(session, RecordKind.REP, named)
    pools = {pool.pool for pool in pools_in_force(session)}
    for place, rule in enumerate(rules):
        for field, rep in rule.rep_ids():
            if rep not in own:
                raise InvalidInput(
                    f"Rule {rule.name!r} names a rep who does not exist.",
                    field=f"rules.{place}.{field}",
                    remedy="Send the rep first, or take the id out.",
                )
        choice = rule.policy.to_domain()
        _require_no_model(rule, place, choice)
        if isinstance(choice, ToPool) and choice.pool not in pools:
            raise InvalidInput(
                f"Rule {rule.name!r} names a pool that does not exist.",
                field=f"rules.{place}.policy.pool",
                remedy=f"Give one of {', '.join(sorted(pools))}.",
            )
    return [rule.with_reps(own.__getitem__) for rule in rules]


def _require_no_model(rule: RuleIn, place: int, choice: Choice) -> None:
    """Refuse a policy that goes by the model, in a rule for work orders alone.

    A rule for both kinds may name one: work orders then go by the fallback policy.
    """
    named = choice.name if isinstance(choice, ByPolicy) else None
    if isinstance(choice, Sticky):
        named = choice.otherwise
    if named in BY_VALUE and kinds_of(rule.to_domain().when) == TICKETS_ALONE:
        raise InvalidInput(
            f"Rule {rule.name!r} is for work orders, which have no chance to win.",
            field=f"rules.{place}.policy.name",
            remedy="Name a policy that needs no model, such as least_loaded.",
        )


def keep_rules(
    session: WriteSession,
    rules: Sequence[RuleIn],
    *,
    actor: str,
    reason: str,
    at: datetime,
) -> int:
    """Keep rules as a new version, not in force yet.

    Returns:
        Its version.

    Raises:
        InvalidInput: A rule names a rep or a pool that does not exist.
        Conflict: Somebody else added one at the same moment.
    """
    kept = [rule.to_json() for rule in checked(session, rules)]
    return add_rule_set(session, kept, actor=actor, reason=reason, at=at)


def publish_rules(
    session: WriteSession, version: int, *, actor: str, reason: str, at: datetime
) -> None:
    """Route by this version from now on, and tell.

    Raises:
        NotFound: No such version.
        InvalidInput: It names a rep or a pool that does not exist any more.
        Conflict: Somebody else moved it at the same moment.
    """
    checked(session, rule_models(read_rule_set(session, version)))
    put_in_force(session, version, actor=actor, reason=reason, at=at)
    _tell(session, version, at)


def restore_rules(
    session: WriteSession, *, actor: str, reason: str, at: datetime
) -> int:
    """Route by the version before the present one, and tell.

    Returns:
        The version now in force.

    Raises:
        Conflict: No other was in force before, or somebody else moved it meanwhile.
    """
    version = roll_back_rules(session, actor=actor, reason=reason, at=at)
    _tell(session, version, at)
    return version


def rule_models(kept: StoredRules) -> list[RuleIn]:
    """A kept version as it was sent."""
    return [RuleIn.model_validate(rule) for rule in kept.rules]


def rule_set_in_force(
    session: ReadSession, *, as_of: datetime | None = None
) -> RuleSet | None:
    """What routing goes by; None when there never was a rule set.

    Args:
        session: Whose.
        as_of: At this instant; now when not given.
    """
    kept = rules_in_force(session, as_of=as_of)
    return None if kept is None else rule_set_of(kept.version, kept.rules)


def differences(before: StoredRules | None, after: StoredRules) -> list[Difference]:
    """What becomes of each rule from one version to another; later rules' order."""
    old = () if before is None else rule_set_of(before.version, before.rules).rules
    new = rule_set_of(after.version, after.rules).rules
    return [Difference(name, change) for name, change in compare(old, new).items()]


def _tell(session: WriteSession, version: int, at: datetime) -> None:
    outbox.emit(session, PUBLISHED, {"version": version}, at=at, subject=str(version))
