"""Leads: made and brought up to date by the CRM; read back."""

from datetime import datetime

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from rightrep.domain.cleaning import TAX_NUMBER
from rightrep.domain.customer import ContactPoint
from rightrep.domain.ids import LeadId
from rightrep.domain.lead import Lead, LeadAttributes, LeadKind, Stage
from rightrep.domain.roles import Role
from rightrep.errors import InvalidInput, NotFound
from rightrep.intake.companies import company_key
from rightrep.intake.emails import email_points
from rightrep.intake.phones import phone_points
from rightrep.intake.records import LeadRow
from rightrep.intake.tax_numbers import tax_number
from rightrep.store import leads, ownership
from rightrep.store.aliases import RecordKind, resolve_lead, resolve_many
from rightrep.store.session import WriteSession
from rightrep.store.shares import shares_of
from rightrep.store.tenants import get_tenant
from serving.dependencies import Caller, Parts, Reading, Writing, allow
from serving.errors import may_raise
from serving.models import Body, Instant, Key, MoneyIn, MoneyOut, Text, Word
from serving.usecases.cleaning import Cleaning, cleaning_of
from serving.usecases.import_leads import land_leads
from serving.usecases.import_run import Run
from serving.usecases.linking import Arrival, arrive
from serving.usecases.service import serves

router = APIRouter(prefix="/v1/leads", tags=["leads"])

Scalar = str | int | float | bool | None


class LeadIn(Body):
    """A lead as the CRM knows it now; a field left out is not known."""

    external_id: Key
    created_at: Instant
    customer: Key | None = Field(default=None, description="The CRM's customer id.")
    company: Text | None = Field(default=None, examples=["上海明达科技有限公司"])
    contact_name: Text | None = None
    phone: Text | None = Field(default=None, examples=["138 0013 8000"])
    email: Text | None = None
    address: Text | None = None
    tax_number: Text | None = None
    industry: Text | None = None
    company_size: float | None = Field(default=None, ge=0, le=1e9)
    region: Text | None = None
    language: Text | None = Field(default=None, examples=["zh"])
    product: Text | None = None
    budget: MoneyIn | None = None
    deal_value: MoneyIn | None = None
    channel: Text | None = None
    campaign: Text | None = None
    stage: Word[Stage] = Stage.NEW
    grade: Text | None = None
    owner: Key | None = Field(default=None, description="The rep who has it already.")
    attributes: dict[Text, Scalar] = Field(
        default={}, max_length=100, description="The tenant's own fields."
    )
    kind: Word[LeadKind] | None = Field(
        default=None,
        description="ticket is a work order. It never changes: of a known lead, leave "
        "it out or say the same again; a new one is a lead by default.",
    )

    def to_row(self, place: int) -> LeadRow:
        """As an import has it, phones and e-mail addresses cleaned."""
        points: list[ContactPoint] = []
        if self.phone:
            points += phone_points(self.phone)
        if self.email:
            points += email_points(self.email)
        number = tax_number(self.tax_number) if self.tax_number else None
        return LeadRow(
            place=place,
            external_id=self.external_id,
            created_at=self.created_at,
            valid_from=None,
            recorded_at=None,
            customer=self.customer,
            company=self.company,
            company_key=company_key(self.company) if self.company else None,
            contact_name=self.contact_name,
            points=points,
            address=self.address,
            tax_number=number and number.value,
            tax_problem=number and number.problem,
            owner=self.owner,
            attributes=self._attributes(),
            kind=self.kind,
        )

    def _attributes(self) -> LeadAttributes:
        return LeadAttributes(
            industry=self.industry,
            company_size=self.company_size,
            region=self.region,
            language=self.language,
            product=self.product,
            budget=self.budget.to_domain() if self.budget else None,
            deal_value=self.deal_value.to_domain() if self.deal_value else None,
            channel=self.channel,
            campaign=self.campaign,
            stage=self.stage,
            grade=self.grade,
            attributes=self.attributes,
        )


class LeadsIn(Body):
    """Leads to make or to bring up to date."""

    source: Key = Field(default="crm", description="Whose ids these are.")
    leads: list[LeadIn] = Field(min_length=1, max_length=1_000)


class LeadIds(BaseModel):
    """A lead's two ids, and what its phone and e-mail look like."""

    external_id: str
    lead_id: str
    impossible: list[str] = Field(
        description="phone, email, tax_number: given, kept, and cannot exist."
    )


def _impossible(row: LeadRow) -> list[str]:
    found = {point.kind.value for point in row.points if not point.possible}
    return sorted(found | ({TAX_NUMBER} if row.tax_problem else set()))


class ArrivalOut(BaseModel):
    """Who is behind a lead, as far as that is known already."""

    known_customer: bool = Field(description="The customer had a lead before.")
    duplicate_of: str | None = Field(
        description="The same enquiry came before: this lead was merged into that one."
    )
    review: list[str] = Field(
        description="Duplicates that wait for a person; see /v1/duplicates."
    )
    kept_with: str | None = Field(
        description="The rep who has the customer and was given the lead."
    )
    not_kept: str | None = Field(
        description="Why that rep was not given it; it takes the ordinary way."
    )

    @classmethod
    def of(cls, arrival: Arrival) -> "ArrivalOut":
        """As callers see it."""
        kept = arrival.kept
        return cls(
            known_customer=arrival.is_known_customer,
            duplicate_of=arrival.duplicate_of,
            review=list(arrival.waiting),
            kept_with=kept.owner if kept and kept.given else None,
            not_kept=kept.reason if kept else None,
        )


class LandedOut(LeadIds):
    """A lead's two ids, what cannot exist of it, and who is behind it."""

    customer: ArrivalOut


class LeadsOut(BaseModel):
    """What became of the leads."""

    changed: int = Field(description="Leads of which something was news.")
    leads: list[LandedOut]


class ImpossibleOut(BaseModel):
    """A value of the people behind a lead that cannot exist."""

    field: str = Field(description="phone, email or tax_number.")
    reason: str


class FilledOut(BaseModel):
    """A field that nobody typed."""

    field: str
    source: str = Field(description="A register's name, or address.")
    filled_at: datetime


class LeadOut(BaseModel):
    """A lead as of now, without the people behind it."""

    lead_id: str
    kind: LeadKind
    created_at: datetime
    owner: str | None
    industry: str | None
    company_size: float | None
    region: str | None
    language: str | None
    product: str | None
    budget: MoneyOut | None
    deal_value: MoneyOut | None
    channel: str | None
    campaign: str | None
    stage: Stage
    grade: str | None
    attributes: dict[str, Scalar]
    impossible: list[ImpossibleOut]
    filled: list[FilledOut]

    @classmethod
    def of(cls, lead: Lead, owner: str | None, about: Cleaning) -> "LeadOut":
        """As callers see it."""
        known = lead.attributes
        return cls(
            lead_id=lead.lead_id,
            kind=lead.kind,
            created_at=lead.created_at,
            owner=owner,
            industry=known.industry,
            company_size=known.company_size,
            region=known.region,
            language=known.language,
            product=known.product,
            budget=MoneyOut.of(known.budget),
            deal_value=MoneyOut.of(known.deal_value),
            channel=known.channel,
            campaign=known.campaign,
            stage=known.stage,
            grade=known.grade,
            attributes=dict(known.attributes),
            impossible=[
                ImpossibleOut(field=mark.field, reason=mark.reason)
                for mark in about.marks
            ],
            filled=[
                FilledOut(field=one.field, source=one.source, filled_at=one.filled_at)
                for one in about.filled
            ],
        )


@router.post(
    "",
    response_model=LeadsOut,
    responses=may_raise(InvalidInput),
    dependencies=[Depends(allow(Role.SERVICE))],
)
def post_leads(body: LeadsIn, call: Writing) -> Response:
    """Make leads or bring them up to date; sending the same again changes nothing."""
    names = [lead.external_id for lead in body.leads]
    if len(set(names)) != len(names):
        raise InvalidInput(
            "One lead is named twice in this request.", field="leads.external_id"
        )
    rows = [lead.to_row(place) for place, lead in enumerate(body.leads)]

    def work(session: WriteSession) -> LeadsOut:
        run = Run(get_tenant(session), call.clock.now(), body.source)
        landed = land_leads(session, rows, run)
        if landed.refused:
            row, field, reason = landed.refused[0]
            raise InvalidInput(reason, field=f"leads.{row.place}.{field}")
        about = {row.external_id: LeadId(own) for row, own in landed.about}
        arrived = arrive(
            session,
            list(about.values()),
            at=run.now,
            actor=call.principal.key_id,
        )
        ids = resolve_many(session, RecordKind.LEAD, names, source=body.source)
        return LeadsOut(
            changed=landed.landed,
            leads=[
                LandedOut(
                    external_id=row.external_id,
                    lead_id=ids[row.external_id],
                    impossible=_impossible(row),
                    customer=ArrivalOut.of(
                        arrived[about[row.external_id]]
                        if row.external_id in about
                        else Arrival(LeadId(ids[row.external_id]))
                    ),
                )
                for row in rows
            ],
        )

    return call.once(work)


@router.get("/{lead_id}", responses=may_raise(NotFound))
def get_lead(lead_id: Key, session: Reading, caller: Caller, parts: Parts) -> LeadOut:
    """A lead as of now; a rep sees own and shared ones, and of customers they serve."""
    known, at = resolve_lead(session, lead_id), parts.clock.now()
    owned = ownership.get_owner(session, known)
    if caller.role is Role.REP and (owned is None or owned.owner != caller.rep_id):
        shares = shares_of(session, known, at=at)
        is_shared = any(one.rep_id == caller.rep_id for one in shares)
        if not is_shared and not serves(session, caller.rep_id, known):
            raise NotFound("lead", lead_id)
    lead = leads.get_lead(session, known, as_of=at)
    owner = None if owned is None else owned.owner
    return LeadOut.of(lead, owner, cleaning_of(session, lead))
