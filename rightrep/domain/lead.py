"""Leads: who may buy, and what was known about them when."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from rightrep.domain.ids import ContactId, CustomerId, LeadId
from rightrep.domain.money import Money

Scalar = str | int | float | bool | None


class LeadKind(StrEnum):
    """What somebody is to do for the customer; it never changes."""

    LEAD = "lead"
    """Win a sale."""
    TICKET = "ticket"
    """Settle a work order after the sale; there is no chance to win it."""


class Stage(StrEnum):
    """Life-cycle step, earliest first."""

    NEW = "new"
    CONTACTED = "contacted"
    QUALIFIED = "qualified"
    PROPOSAL = "proposal"
    NEGOTIATION = "negotiation"
    WON = "won"
    LOST = "lost"


@dataclass(frozen=True, kw_only=True, slots=True)
class LeadAttributes:
    """One version of what is known about a lead; every field may be unknown.

    Attributes:
        industry: Trade of the customer, as the tenant writes it.
        company_size: Employees.
        region: Sales region, as the tenant writes it.
        language: BCP 47 tag the lead speaks, such as ``zh`` or ``en``.
        product: Product interest.
        budget: What the lead says it can spend.
        deal_value: Money if won, as estimated before the outcome.
        channel: Where the lead came from.
        campaign: Which campaign of that channel.
        stage: Life-cycle step.
        grade: The customer's class, which sets protection days.
        attributes: The tenant's own fields, any JSON scalar.
    """

    industry: str | None = None
    company_size: float | None = None
    region: str | None = None
    language: str | None = None
    product: str | None = None
    budget: Money | None = None
    deal_value: Money | None = None
    channel: str | None = None
    campaign: str | None = None
    stage: Stage = Stage.NEW
    grade: str | None = None
    attributes: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class LeadVersion:
    """A lead's attributes from ``valid_from`` on, as known from ``recorded_at`` on.

    Attributes:
        lead_id: The lead.
        valid_from: When this became true; aware UTC.
        recorded_at: When it was known here; aware UTC. Reads ``as_of`` an instant see
            versions with both times at or before it.
        attributes: What was true.
    """

    lead_id: LeadId
    valid_from: datetime
    recorded_at: datetime
    attributes: LeadAttributes


@dataclass(frozen=True, kw_only=True, slots=True)
class Lead:
    """A person or company that may buy, owned by at most one rep.

    Attributes:
        lead_id: Our id.
        customer_id: Who is behind it, if known.
        contact_id: Which person there, if known.
        created_at: When the CRM made it; aware UTC.
        attributes: The version asked for.
        kind: Lead or work order.
    """

    lead_id: LeadId
    customer_id: CustomerId | None
    contact_id: ContactId | None
    created_at: datetime
    attributes: LeadAttributes
    kind: LeadKind = LeadKind.LEAD
