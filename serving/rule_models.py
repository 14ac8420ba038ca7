"""Rules as JSON: what is sent, kept and shown, checked when it is written."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from rightrep.domain import candidates as reps_of
from rightrep.domain import conditions as asking
from rightrep.domain import rule_sets as rules_of
from rightrep.domain.ids import RepId
from rightrep.errors import InvalidInput
from serving.faults import faults_of
from serving.models import Text

MAX_RULES = 500
_MOST = 1e15
_LEVELS = 2 * asking.MAX_DEPTH

Number = Annotated[float, Field(ge=-_MOST, le=_MOST, allow_inf_nan=False)]
Scalar = bool | Number | Text
Days = Annotated[int, Field(ge=0, le=36_525)]
Domain = TypeVar("Domain")


class _Part(BaseModel, ABC):
    """A part of a rule: strict, and checked by the domain at once."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="after")
    def _makes_sense(self) -> "_Part":
        try:
            self.to_domain()
        except InvalidInput as error:
            raise PydanticCustomError(
                "no_sense",
                "{told}",
                {"told": str(error).rstrip("."), "at": error.field},
            ) from None
        return self

    @abstractmethod
    def to_domain(self) -> Any:  # noqa: ANN401 - each part has its own
        """The same in RightRep's own terms."""


class AllIn(_Part):
    """Every part holds."""

    op: Literal["all"]
    of: Annotated[list["InnerIn"], Field(min_length=1, max_length=50)]

    def to_domain(self) -> asking.All:
        """The same in RightRep's own terms."""
        return asking.All(tuple(part.to_domain() for part in self.of))


class AnyIn(_Part):
    """At least one part holds."""

    op: Literal["any"]
    of: Annotated[list["InnerIn"], Field(min_length=1, max_length=50)]

    def to_domain(self) -> asking.AnyOf:
        """The same in RightRep's own terms."""
        return asking.AnyOf(tuple(part.to_domain() for part in self.of))


class NotIn(_Part):
    """The part does not hold."""

    op: Literal["not"]
    of: "InnerIn"

    def to_domain(self) -> asking.Not:
        """The same in RightRep's own terms."""
        return asking.Not(self.of.to_domain())


class EqualsIn(_Part):
    """The field has this value."""

    op: Literal["equals"]
    field: Text
    value: Scalar

    def to_domain(self) -> asking.In:
        """The same in RightRep's own terms."""
        return asking.In(self.field, (self.value,))


class InIn(_Part):
    """The field has one of these values."""

    op: Literal["in"]
    field: Text
    values: Annotated[list[Scalar], Field(min_length=1, max_length=10_000)]

    def to_domain(self) -> asking.In:
        """The same in RightRep's own terms."""
        return asking.In(self.field, tuple(self.values))


class RangeIn(_Part):
    """The number is at least one bound and below the other."""

    op: Literal["range"]
    field: Text
    at_least: Number | None = None
    below: Number | None = None

    def to_domain(self) -> asking.Range:
        """The same in RightRep's own terms."""
        return asking.Range(self.field, self.at_least, self.below)


class ContainsIn(_Part):
    """The text has this text in it."""

    op: Literal["contains"]
    field: Text
    text: Text

    def to_domain(self) -> asking.Contains:
        """The same in RightRep's own terms."""
        return asking.Contains(self.field, self.text)


class EmptyIn(_Part):
    """The field is not known."""

    op: Literal["empty"]
    field: Text

    def to_domain(self) -> asking.Empty:
        """The same in RightRep's own terms."""
        return asking.Empty(self.field)


class DateIn(_Part):
    """The time lies within a span around now, in days of 24 hours."""

    op: Literal["date"]
    field: Text
    from_days: Number | None = Field(default=None, description="-7: a week ago.")
    to_days: Number | None = Field(default=None, description="30: in 30 days.")

    def to_domain(self) -> asking.Dated:
        """The same in RightRep's own terms."""
        return asking.Dated(self.field, self.from_days, self.to_days)


ConditionIn = Annotated[
    AllIn | AnyIn | NotIn | EqualsIn | InIn | RangeIn | ContainsIn | EmptyIn | DateIn,
    Field(discriminator="op"),
]


InnerIn = Annotated[
    ConditionIn,
    # The document stays a tree: who generates requests from it never comes to an end.
    WithJsonSchema(
        {
            "type": "object",
            "description": "A condition, of the same kinds as `when`.",
            "required": ["op"],
            "properties": {"op": {"type": "string"}},
        }
    ),
]


class MatchIn(_Part):
    """The rep declares what the lead has."""

    lead: Text
    rep: Text

    def to_domain(self) -> reps_of.Match:
        """The same in RightRep's own terms."""
        return reps_of.Match(self.lead, self.rep)


class SkillIn(_Part):
    """The rep declares all of these."""

    rep: Text
    has: Annotated[list[Text], Field(min_length=1, max_length=100)]

    def to_domain(self) -> reps_of.Skill:
        """The same in RightRep's own terms."""
        return reps_of.Skill(self.rep, tuple(self.has))


class TenureIn(_Part):
    """Days in the company."""

    at_least_days: Days | None = None
    below_days: Days | None = None

    def to_domain(self) -> reps_of.Tenure:
        """The same in RightRep's own terms."""
        return reps_of.Tenure(self.at_least_days, self.below_days)


class WinRateIn(_Part):
    """The rep is good in the lead's segment."""

    segment: Text | None = None
    at_least: Annotated[float, Field(ge=0, le=1)] | None = None
    best: Annotated[int, Field(ge=1, le=1_000)] | None = None

    def to_domain(self) -> reps_of.WinRate:
        """The same in RightRep's own terms."""
        return reps_of.WinRate(self.segment, self.at_least, self.best)


class CandidatesIn(_Part):
    """Which reps; all parts together."""

    teams: Annotated[list[Text], Field(max_length=1_000)] = []
    reps: Annotated[list[Text], Field(max_length=10_000)] = []
    match: Annotated[list[MatchIn], Field(max_length=20)] = []
    skills: Annotated[list[SkillIn], Field(max_length=20)] = []
    tenure: TenureIn | None = None
    win_rate: WinRateIn | None = None

    def to_domain(self) -> reps_of.Candidates:
        """The same in RightRep's own terms."""
        return reps_of.Candidates(
            teams=tuple(self.teams),
            reps=tuple(map(RepId, self.reps)),
            match=tuple(part.to_domain() for part in self.match),
            skills=tuple(part.to_domain() for part in self.skills),
            tenure=None if self.tenure is None else self.tenure.to_domain(),
            win_rate=None if self.win_rate is None else self.win_rate.to_domain(),
        )


PlainPolicy = Literal[
    "round_robin", "round_robin_lot", "random", "weighted", "least_loaded",
    "most_free", "performance", "greedy", "optimal",
]  # fmt: skip


class PolicyIn(_Part):
    """A policy chooses among the candidates."""

    name: PlainPolicy

    def to_domain(self) -> rules_of.ByPolicy:
        """The same in RightRep's own terms."""
        return rules_of.ByPolicy(self.name)


class StickyIn(_Part):
    """The rep who served the customer before; else a policy chooses."""

    name: Literal["sticky"]
    otherwise: PlainPolicy | None = Field(
        default="round_robin", description="Null leaves the lead waiting."
    )

    def to_domain(self) -> rules_of.Sticky:
        """The same in RightRep's own terms."""
        return rules_of.Sticky(self.otherwise)


class FixedIn(_Part):
    """Always this rep."""

    name: Literal["fixed"]
    rep: Text

    def to_domain(self) -> rules_of.Fixed:
        """The same in RightRep's own terms."""
        return rules_of.Fixed(RepId(self.rep))


class ByHandIn(_Part):
    """A manager assigns."""

    name: Literal["by_hand"]

    def to_domain(self) -> rules_of.ByHand:
        """The same in RightRep's own terms."""
        return rules_of.ByHand()


class PoolIn(_Part):
    """The lead goes to a pool."""

    name: Literal["pool"]
    pool: Text

    def to_domain(self) -> rules_of.ToPool:
        """The same in RightRep's own terms."""
        return rules_of.ToPool(self.pool)


ChoiceIn = Annotated[
    PolicyIn | StickyIn | FixedIn | ByHandIn | PoolIn, Field(discriminator="name")
]


class ConstraintsIn(_Part):
    """Hard rules in place of the tenant's own; what is left out stays."""

    language: bool | None = None
    territory: bool | None = None
    product: bool | None = None
    within_hours: Annotated[float, Field(ge=0, le=24 * 14)] | None = Field(
        default=None, description="Null asks for no working hours."
    )
    even_month: bool = Field(
        default=False, description="Spread the intake per month over its days."
    )

    def to_domain(self) -> rules_of.Constraints:
        """The same in RightRep's own terms."""
        given = {
            name: getattr(self, name)
            for name in ("language", "territory", "product")
            if getattr(self, name) is not None
        }
        if "within_hours" in self.model_fields_set:
            given["within_hours"] = self.within_hours
        return rules_of.Constraints(eligibility=given, even_month=self.even_month)


def _not_too_deep(value: object) -> object:
    """Refuse conditions within conditions before anything walks down there."""
    level, here = 0, [value]
    while here:
        level += 1
        if level > _LEVELS:
            raise PydanticCustomError(
                "too_deep",
                "Conditions stand within one another up to {depth} times",
                {"depth": asking.MAX_DEPTH},
            )
        here = [
            inner
            for part in here
            for inner in (
                part.values()
                if isinstance(part, dict)
                else part
                if isinstance(part, list)
                else ()
            )
            if isinstance(inner, dict | list)
        ]
    return value


class RuleIn(_Part):
    """One rule; the first that matches a lead decides."""

    name: Annotated[Text, Field(min_length=1, examples=["Key accounts"])]
    when: Annotated[ConditionIn | None, BeforeValidator(_not_too_deep)] = Field(
        default=None, description="Null is every lead."
    )
    candidates: CandidatesIn = Field(
        default_factory=CandidatesIn, description="Nothing named is every rep."
    )
    policy: ChoiceIn
    constraints: ConstraintsIn = Field(default_factory=ConstraintsIn)
    reason: Text = Field(default="", description="Why; reps and managers read it.")
    of_pool: Text | None = Field(
        default=None,
        description="Asked about leads alone that a rule before sent to this pool.",
    )

    @model_validator(mode="after")
    def _stays_there(self) -> "RuleIn":
        """Refuse to send leads on from pool to pool."""
        if self.of_pool is not None and isinstance(self.policy, PoolIn):
            raise PydanticCustomError(
                "two_steps", "A pool's own rule names a rep or a policy, and no pool"
            )
        return self

    def to_domain(self) -> rules_of.Rule:
        """The same in RightRep's own terms."""
        return rules_of.Rule(
            name=self.name,
            when=asking.ALWAYS if self.when is None else self.when.to_domain(),
            candidates=self.candidates.to_domain(),
            choice=self.policy.to_domain(),
            constraints=self.constraints.to_domain(),
            reason=self.reason,
            of_pool=self.of_pool,
        )

    def rep_ids(self) -> list[tuple[str, str]]:
        """Every rep it names, with the field that names it."""
        named = [
            (f"candidates.reps.{place}", rep)
            for place, rep in enumerate(self.candidates.reps)
        ]
        if isinstance(self.policy, FixedIn):
            named.append(("policy.rep", self.policy.rep))
        return named

    def with_reps(self, own_id: Callable[[str], str]) -> "RuleIn":
        """The same with our own ids of reps."""
        changes: dict[str, object] = {}
        if self.candidates.reps:
            reps = [own_id(rep) for rep in self.candidates.reps]
            changes["candidates"] = self.candidates.model_copy(update={"reps": reps})
        if isinstance(self.policy, FixedIn):
            rep = own_id(self.policy.rep)
            changes["policy"] = self.policy.model_copy(update={"rep": rep})
        return self.model_copy(update=changes)

    def to_json(self) -> dict[str, Any]:
        """What is kept: what was said, and nothing that was not."""
        return self.model_dump(mode="json", exclude_unset=True)


def _unique_names(rules: list[RuleIn]) -> list[RuleIn]:
    """Refuse two rules of one name: decisions could not say which it was."""
    seen: set[str] = set()
    for rule in rules:
        if rule.name in seen:
            raise PydanticCustomError(
                "same_name", "Two rules have the same name; give each its own"
            )
        seen.add(rule.name)
    return rules


def _reached(rules: list[RuleIn]) -> list[RuleIn]:
    """Refuse a pool's own rule where no rule sends leads to the pool."""
    sent_to = {rule.policy.pool for rule in rules if isinstance(rule.policy, PoolIn)}
    for rule in rules:
        if rule.of_pool is not None and rule.of_pool not in sent_to:
            raise PydanticCustomError(
                "not_reached",
                "Rule {name} is of pool {pool}, to which no rule sends leads",
                {"name": repr(rule.name), "pool": repr(rule.of_pool)},
            )
    return rules


RulesField = Annotated[
    list[RuleIn],
    Field(min_length=1, max_length=MAX_RULES),
    AfterValidator(_unique_names),
    AfterValidator(_reached),
]
_RULES: TypeAdapter[list[RuleIn]] = TypeAdapter(RulesField)


def read_rules(given: object) -> list[RuleIn]:
    """Rules of a file, or as they are kept.

    Raises:
        InvalidInput: They are no rules; the field and the remedy are named.
    """
    try:
        return _RULES.validate_python(given)
    except ValidationError as error:
        located = [
            {**fault, "loc": ("body", *fault["loc"])} for fault in error.errors()
        ]
        first = faults_of(located, given)[0]
        field = first["field"].replace("body", "rules", 1)
        raise InvalidInput(f"{field}: {first['message']}.", field=field) from None


def rule_set_of(
    version: int | None, rules: Sequence[Mapping[str, Any]]
) -> rules_of.RuleSet:
    """A kept rule set in RightRep's own terms."""
    return rules_of.RuleSet(
        tuple(rule.to_domain() for rule in read_rules(list(rules))), version
    )
