"""The canonical fields of each kind of file: what a mapping's fields are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from rightrep.domain.activity import ActivityKind
from rightrep.domain.lead import LeadKind, Stage
from rightrep.domain.outcome import Result
from rightrep.domain.rep import RepStatus


class Kind(StrEnum):
    """What a file's rows are."""

    LEADS = "leads"
    REPS = "reps"
    DECISIONS = "decisions"
    OUTCOMES = "outcomes"
    ACTIVITIES = "activities"
    COMPANIES = "companies"
    COSTS = "costs"


class Form(StrEnum):
    """How a cell is read."""

    KEY = "id"
    TEXT = "text"
    REMARK = "long text"
    INSTANT = "time"
    DATE = "date"
    NUMBER = "number"
    COUNT = "whole number"
    AMOUNT = "amount"
    CURRENCY = "currency"
    WORD = "word"
    TAGS = "list"
    LANGUAGE = "language"
    ZONE = "time zone"
    CALENDAR = "country"
    PHONE = "phone"
    EMAIL = "e-mail"
    SHIFTS = "working hours"
    LEAVE = "leave"
    SCALAR = "any value"


@dataclass(frozen=True, slots=True)
class Field:
    """One canonical field.

    Attributes:
        name: Its name, as a header or in a mapping.
        form: How its cells are read.
        about: What it means, in a phrase.
        required: Whether a row without it is refused.
        words: Allowed words of a ``WORD``; empty for other forms.
        lowest: Least allowed number, or None.
        highest: Greatest allowed number, or None.
        may_be_future: Whether a time later than now makes sense.
    """

    name: str
    form: Form
    about: str
    required: bool = False
    words: Sequence[str] = ()
    lowest: float | None = None
    highest: float | None = None
    may_be_future: bool = False


ATTRIBUTES = "attributes."
"""Prefix of a tenant's own fields of a lead: ``attributes.NAME``."""

MOST_EMPLOYEES = 10_000_000
MOST_LEADS = 1_000_000

_RECORDED = Field(
    "recorded_at",
    Form.INSTANT,
    "when this was known; the row's own time when absent",
)
_LEADS = (
    Field("external_id", Form.KEY, "the CRM's id of the lead", required=True),
    Field("created_at", Form.INSTANT, "when the CRM made the lead", required=True),
    Field(
        "valid_from",
        Form.INSTANT,
        "since when the row is true; several rows of one lead are its versions",
        may_be_future=True,
    ),
    _RECORDED,
    Field("customer", Form.KEY, "the CRM's id of the customer"),
    Field("company", Form.TEXT, "the customer's name"),
    Field("contact_name", Form.TEXT, "the person there"),
    Field("phone", Form.PHONE, "phone numbers; several may stand in one cell"),
    Field("email", Form.EMAIL, "e-mail addresses, likewise"),
    Field("address", Form.TEXT, "the customer's address"),
    Field("tax_number", Form.KEY, "registration or tax number"),
    Field("industry", Form.TEXT, "the customer's trade"),
    Field("company_size", Form.NUMBER, "employees", lowest=0, highest=MOST_EMPLOYEES),
    Field("region", Form.TEXT, "sales region"),
    Field("language", Form.LANGUAGE, "language the lead speaks: zh, en, de-CH"),
    Field("product", Form.TEXT, "product interest"),
    Field("budget", Form.AMOUNT, "what the lead says it can spend", lowest=0),
    Field("deal_value", Form.AMOUNT, "money if won, as estimated before", lowest=0),
    Field("currency", Form.CURRENCY, "of the amounts; the tenant's when absent"),
    Field("channel", Form.TEXT, "where the lead came from"),
    Field("campaign", Form.TEXT, "which campaign of that channel"),
    Field(
        "stage", Form.WORD, "life-cycle step", words=[stage.value for stage in Stage]
    ),
    Field("grade", Form.TEXT, "the customer's class"),
    Field("owner", Form.KEY, "the CRM's id of the rep who has the lead"),
    Field(
        "kind",
        Form.WORD,
        "lead, or ticket of a work order; a known lead's own when absent, else lead",
        words=[kind.value for kind in LeadKind],
    ),
)
_REPS = (
    Field("external_id", Form.KEY, "the CRM's id of the rep", required=True),
    Field("name", Form.TEXT, "how people call the rep; the id when absent"),
    Field(
        "valid_from",
        Form.INSTANT,
        "since when the row is true; several rows of one rep are versions",
        may_be_future=True,
    ),
    _RECORDED,
    Field("team", Form.TEXT, "team name"),
    Field("manager", Form.TEXT, "manager's name or id"),
    Field("region", Form.TEXT, "sales region"),
    Field("languages", Form.TAGS, "languages, separated by ;"),
    Field("products", Form.TAGS, "products the rep may sell; empty is all"),
    Field("industries", Form.TAGS, "trades the rep knows"),
    Field("hired_on", Form.DATE, "first day in the company"),
    Field(
        "holding_limit",
        Form.COUNT,
        "open leads the rep may own at once; empty is no limit",
        lowest=0,
        highest=MOST_LEADS,
    ),
    Field(
        "intake_per_day",
        Form.COUNT,
        "leads the rep may be given per day; empty is no limit",
        lowest=0,
        highest=MOST_LEADS,
    ),
    Field(
        "intake_per_month",
        Form.COUNT,
        "leads the rep may be given per month; empty is no limit",
        lowest=0,
        highest=MOST_LEADS,
    ),
    Field(
        "weight",
        Form.NUMBER,
        "wanted load relative to others; 1 when absent",
        lowest=0.001,
        highest=1000,
    ),
    Field("time_zone", Form.ZONE, "the rep's IANA zone; the tenant's when absent"),
    Field(
        "calendar", Form.CALENDAR, "whose holidays: CN, DE-BY; the tenant's when absent"
    ),
    Field("shifts", Form.SHIFTS, "mon-fri 09:00-18:00; sat 10:00-14:00"),
    Field("leave", Form.LEAVE, "2026-02-16/2026-02-22; 2026-05-01"),
    Field(
        "status",
        Form.WORD,
        "whether the rep takes leads; active when absent",
        words=[status.value for status in RepStatus],
    ),
)
_DECISIONS = (
    Field("external_id", Form.KEY, "the CRM's id; made from the row when absent"),
    Field("lead", Form.KEY, "the lead's id", required=True),
    Field("rep", Form.KEY, "the rep's id", required=True),
    Field("decided_at", Form.INSTANT, "when the rep was given the lead", required=True),
    _RECORDED,
    Field("policy", Form.TEXT, "how the rep was chosen; imported when absent"),
    Field(
        "propensity",
        Form.NUMBER,
        "probability of this rep, only where a lot was drawn",
        lowest=1e-12,
        highest=1,
    ),
)
_OUTCOMES = (
    Field("event_id", Form.KEY, "the sender's id; made from the row when absent"),
    Field("lead", Form.KEY, "the lead's id", required=True),
    Field(
        "result",
        Form.WORD,
        "how the lead closed",
        required=True,
        words=[result.value for result in Result],
    ),
    Field("closed_at", Form.INSTANT, "when it closed", required=True),
    _RECORDED,
    Field("value", Form.AMOUNT, "money won"),
    Field("currency", Form.CURRENCY, "of the value; the tenant's when absent"),
    Field("reason", Form.REMARK, "why: up to three plain words; else it is a note"),
    Field("replaces", Form.KEY, "event_id of the outcome this one corrects"),
    Field(
        "decision",
        Form.KEY,
        "id of the decision it judges; the last one before when absent",
    ),
)
_ACTIVITIES = (
    Field("event_id", Form.KEY, "the sender's id; made from the row when absent"),
    Field("lead", Form.KEY, "the lead's id", required=True),
    Field("rep", Form.KEY, "the rep's id; empty when the lead acted alone"),
    Field(
        "kind",
        Form.WORD,
        "what happened",
        required=True,
        words=[kind.value for kind in ActivityKind],
    ),
    Field("happened_at", Form.INSTANT, "when", required=True),
    _RECORDED,
    Field("result", Form.TEXT, "how it went, in the sender's words"),
    Field("score", Form.NUMBER, "satisfaction or NPS of a survey"),
    Field("latitude", Form.NUMBER, "degrees north", lowest=-90, highest=90),
    Field("longitude", Form.NUMBER, "degrees east", lowest=-180, highest=180),
    Field("note", Form.REMARK, "free text"),
)
_COMPANIES = (
    Field("company", Form.TEXT, "the name as registered"),
    Field("tax_number", Form.KEY, "registration or tax number"),
    Field("address", Form.TEXT, "the registered address"),
    Field("industry", Form.TEXT, "the company's trade"),
    Field("company_size", Form.NUMBER, "employees", lowest=0, highest=MOST_EMPLOYEES),
    Field("region", Form.TEXT, "sales region; from the address when absent"),
    Field("language", Form.LANGUAGE, "language the company speaks: zh, en, de-CH"),
)

_COSTS = (
    Field("channel", Form.TEXT, "the channel, as leads name it", required=True),
    Field("day", Form.DATE, "day of the tenant's zone", required=True),
    Field("cost", Form.AMOUNT, "money spent on that day", required=True, lowest=0),
    Field("currency", Form.CURRENCY, "of the cost; the tenant's when absent"),
)

FIELDS: Mapping[Kind, Mapping[str, Field]] = {
    kind: {field.name: field for field in fields}
    for kind, fields in (
        (Kind.LEADS, _LEADS),
        (Kind.REPS, _REPS),
        (Kind.DECISIONS, _DECISIONS),
        (Kind.OUTCOMES, _OUTCOMES),
        (Kind.ACTIVITIES, _ACTIVITIES),
        (Kind.COMPANIES, _COMPANIES),
        (Kind.COSTS, _COSTS),
    )
}
"""Fields of each kind by name, in the order of the documentation."""


def field_of(kind: Kind, name: str) -> Field | None:
    """The field of this name; a tenant's own ``attributes.NAME`` is one of a lead's."""
    known = FIELDS[kind].get(name)
    own = name.startswith(ATTRIBUTES) and len(name) > len(ATTRIBUTES)
    if known is None and own and kind is Kind.LEADS:
        return Field(name, Form.SCALAR, "the tenant's own field")
    return known
