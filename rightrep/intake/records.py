"""Typed rows as records, one class per kind, ready to land.

They are named tuples: a frozen dataclass of 14 fields takes ten times as long to make.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from rightrep.domain.activity import ActivityKind
from rightrep.domain.customer import ContactPoint
from rightrep.domain.lead import LeadAttributes, LeadKind, Stage
from rightrep.domain.money import Money
from rightrep.domain.outcome import Result
from rightrep.domain.rep import RepAttributes, RepStatus
from rightrep.intake.companies import company_key
from rightrep.intake.fields import ATTRIBUTES, Kind
from rightrep.intake.tax_numbers import tax_number
from rightrep.intake.typed import TypedBatch

IMPORTED = "imported"


class LeadRow(NamedTuple):
    """One version of a lead, and who is behind it.

    Attributes:
        place: Index of the row in its batch, for refusals.
        external_id: The CRM's id.
        created_at: When the CRM made the lead; aware UTC.
        valid_from: Since when the row is true, or None when the file does not say.
        recorded_at: When it was known, or None when the file does not say.
        customer: The CRM's id of the customer, or None.
        company: The customer's name, or None.
        company_key: The name for comparing, or None.
        contact_name: The person, or None.
        points: Phones and e-mail addresses.
        address: The customer's address, or None.
        tax_number: Registration or tax number in the form to compare by, or None.
        tax_problem: Why there can be no such number, or None.
        owner: The CRM's id of the rep who has the lead, or None.
        attributes: What is known about the lead.
        kind: Lead or work order, or None when the file does not say.
    """

    place: int
    external_id: str
    created_at: datetime
    valid_from: datetime | None
    recorded_at: datetime | None
    customer: str | None
    company: str | None
    company_key: str | None
    contact_name: str | None
    points: Sequence[ContactPoint]
    address: str | None
    tax_number: str | None
    tax_problem: str | None
    owner: str | None
    attributes: LeadAttributes
    kind: LeadKind | None = None


class RepRow(NamedTuple):
    """One version of a rep; fields as in ``LeadRow``."""

    place: int
    external_id: str
    name: str
    valid_from: datetime | None
    recorded_at: datetime | None
    attributes: RepAttributes


class DecisionRow(NamedTuple):
    """One lead given to one rep; ``lead`` and ``rep`` are ids as the file has them."""

    place: int
    external_id: str | None
    lead: str
    rep: str
    decided_at: datetime
    recorded_at: datetime | None
    policy: str
    propensity: float | None


class OutcomeRow(NamedTuple):
    """How a lead closed; ids as the file has them."""

    place: int
    event_id: str
    lead: str
    result: Result
    closed_at: datetime
    recorded_at: datetime | None
    value: Money | None
    reason: str | None
    replaces: str | None
    decision: str | None


class ActivityRow(NamedTuple):
    """Something that happened between a rep and a lead; ids as the file has them."""

    place: int
    event_id: str
    lead: str
    rep: str | None
    kind: ActivityKind
    happened_at: datetime
    recorded_at: datetime | None
    result: str | None
    score: float | None
    latitude: float | None
    longitude: float | None
    note: str | None


class CompanyRow(NamedTuple):
    """A company as a register has it; fields as in ``LeadRow``."""

    place: int
    company: str | None
    company_key: str | None
    tax_number: str | None
    tax_problem: str | None
    address: str | None
    industry: str | None
    company_size: float | None
    region: str | None
    language: str | None


class CostRow(NamedTuple):
    """What a channel cost on one day."""

    place: int
    channel: str
    day: date
    cost: Money


Record = (
    CompanyRow | CostRow | LeadRow | RepRow | DecisionRow | OutcomeRow | ActivityRow
)


def lead_rows(batch: TypedBatch, currency: str) -> list[LeadRow]:
    """A batch of leads; amounts without a currency are of ``currency``."""
    companies = batch.column("company")
    columns = [
        batch.rows,
        *_columns(batch, "external_id created_at valid_from recorded_at customer"),
        companies,
        [None if name is None else company_key(name) for name in companies],
        batch.column("contact_name"),
        _both(batch.column("phone"), batch.column("email")),
        batch.column("address"),
        *_tax_numbers(batch),
        batch.column("owner"),
        _lead_attributes(batch, currency),
        [None if kind is None else LeadKind(kind) for kind in batch.column("kind")],
    ]
    return [LeadRow(*row) for row in zip(*columns, strict=True)]


def company_rows(batch: TypedBatch) -> list[CompanyRow]:
    """A batch of companies."""
    names = batch.column("company")
    columns = [
        batch.rows,
        names,
        [None if name is None else company_key(name) for name in names],
        *_tax_numbers(batch),
        *_columns(batch, "address industry company_size region language"),
    ]
    return [CompanyRow(*row) for row in zip(*columns, strict=True)]


def rep_rows(batch: TypedBatch) -> list[RepRow]:
    """A batch of reps."""
    ids = batch.column("external_id")
    names = batch.column("name")
    columns = [
        batch.rows,
        ids,
        [name or own for name, own in zip(names, ids, strict=True)],
        *_columns(batch, "valid_from recorded_at"),
        _rep_attributes(batch),
    ]
    return [RepRow(*row) for row in zip(*columns, strict=True)]


def decision_rows(batch: TypedBatch) -> list[DecisionRow]:
    """A batch of decisions."""
    columns = [
        batch.rows,
        *_columns(batch, "external_id lead rep decided_at recorded_at"),
        [policy or IMPORTED for policy in batch.column("policy")],
        batch.column("propensity"),
    ]
    return [DecisionRow(*row) for row in zip(*columns, strict=True)]


def outcome_rows(batch: TypedBatch, currency: str) -> list[OutcomeRow]:
    """A batch of outcomes; values without a currency are of ``currency``."""
    leads, results, times = _columns(batch, "lead result closed_at")
    columns = [
        batch.rows,
        _ids(batch, "event_id", Kind.OUTCOMES, leads, results, times),
        leads,
        [Result(result) for result in results],
        times,
        batch.column("recorded_at"),
        _money(batch, "value", currency),
        *_columns(batch, "reason replaces decision"),
    ]
    return [OutcomeRow(*row) for row in zip(*columns, strict=True)]


def activity_rows(batch: TypedBatch) -> list[ActivityRow]:
    """A batch of activities."""
    leads, reps, kinds, times = _columns(batch, "lead rep kind happened_at")
    results = batch.column("result")
    columns = [
        batch.rows,
        _ids(batch, "event_id", Kind.ACTIVITIES, leads, reps, kinds, times, results),
        leads,
        reps,
        [ActivityKind(kind) for kind in kinds],
        times,
        *_columns(batch, "recorded_at result score latitude longitude note"),
    ]
    return [ActivityRow(*row) for row in zip(*columns, strict=True)]


def cost_rows(batch: TypedBatch, currency: str) -> list[CostRow]:
    """A batch of costs; amounts without a currency are of ``currency``."""
    columns = [
        batch.rows,
        *_columns(batch, "channel day"),
        _money(batch, "cost", currency),
    ]
    return [CostRow(*row) for row in zip(*columns, strict=True)]


def _columns(batch: TypedBatch, names: str) -> list[Sequence[Any]]:
    return [batch.column(name) for name in names.split()]


def _tax_numbers(batch: TypedBatch) -> tuple[list[str | None], list[str | None]]:
    """Numbers, and what is wrong with them."""
    told = [None if t is None else tax_number(t) for t in batch.column("tax_number")]
    return [t and t.value for t in told], [t and t.problem for t in told]


def _both(
    phones: Sequence[Sequence[ContactPoint] | None],
    emails: Sequence[Sequence[ContactPoint] | None],
) -> list[tuple[ContactPoint, ...]]:
    return [(*(p or ()), *(e or ())) for p, e in zip(phones, emails, strict=True)]


def _lead_attributes(batch: TypedBatch, currency: str) -> Iterator[LeadAttributes]:
    columns = [
        *_columns(batch, "industry company_size region language product"),
        _money(batch, "budget", currency),
        _money(batch, "deal_value", currency),
        *_columns(batch, "channel campaign"),
        [
            Stage.NEW if stage is None else Stage(stage)
            for stage in batch.column("stage")
        ],
        batch.column("grade"),
        _own_fields(batch),
    ]
    # Spelled out: keywords from a dictionary take twice the time.
    for row in zip(*columns, strict=True):
        yield LeadAttributes(
            industry=row[0],
            company_size=row[1],
            region=row[2],
            language=row[3],
            product=row[4],
            budget=row[5],
            deal_value=row[6],
            channel=row[7],
            campaign=row[8],
            stage=row[9],
            grade=row[10],
            attributes=row[11],
        )


def _own_fields(batch: TypedBatch) -> Sequence[Mapping[str, Any]]:
    own = batch.own(ATTRIBUTES)
    if not own:
        return [{}] * len(batch.rows)
    return [
        {
            name: value
            for name, value in zip(own, values, strict=True)
            if value is not None
        }
        for values in zip(*own.values(), strict=True)
    ]


def _rep_attributes(batch: TypedBatch) -> Iterator[RepAttributes]:
    absent: Mapping[str, object] = {
        "team": None,
        "manager": None,
        "region": None,
        "languages": frozenset(),
        "products": frozenset(),
        "industries": frozenset(),
        "hired_on": None,
        "holding_limit": None,
        "intake_per_day": None,
        "intake_per_month": None,
        "weight": 1.0,
        "time_zone": None,
        "calendar": None,
        "shifts": (),
        "leave": (),
        "status": RepStatus.ACTIVE,
    }
    for row in zip(*(batch.column(name) for name in absent), strict=True):
        given = dict(zip(absent, row, strict=True))
        filled: dict[str, Any] = {
            name: absent[name] if value is None else value
            for name, value in given.items()
        }
        filled["status"] = RepStatus(filled["status"])
        yield RepAttributes(**filled)


def _money(batch: TypedBatch, name: str, currency: str) -> list[Money | None]:
    amounts: Sequence[Decimal | None] = batch.column(name)
    currencies: Sequence[str | None] = batch.column("currency")
    seen: dict[tuple[Decimal | None, str | None], Money | None] = {}
    for amount, own in set(zip(amounts, currencies, strict=True)):
        money = None if amount is None else Money.of(amount, own or currency)
        seen[amount, own] = money
    return [seen[pair] for pair in zip(amounts, currencies, strict=True)]


def _ids(
    batch: TypedBatch, name: str, kind: Kind, *parts: Sequence[object]
) -> list[str]:
    """The rows' own ids; made from their parts where a row has none."""
    return [
        given or _derived(kind, row)
        for given, *row in zip(batch.column(name), *parts, strict=True)
    ]


def _derived(kind: Kind, parts: Sequence[object]) -> str:
    body = "\x1f".join(
        part.isoformat() if isinstance(part, date) else str(part or "")
        for part in [kind, *parts]
    )
    digest = hashlib.blake2b(body.encode(), digest_size=16).hexdigest()
    return f"row-{digest}"
