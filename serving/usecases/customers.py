"""What is known of customers when their records are compared: leads, stages, owners."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from rightrep.domain.ids import ContactId, CustomerId, LeadId
from rightrep.domain.lead import Lead, LeadKind, Stage
from rightrep.intake.merge import Enquiry, Standing, furthest
from rightrep.intake.scripts import simplified
from rightrep.store.customers import get_contacts, get_customers
from rightrep.store.identities import cluster_of, leads_of_customers
from rightrep.store.leads import get_leads
from rightrep.store.outcomes import closed_leads
from rightrep.store.ownership import Ownership, get_owners
from rightrep.store.session import ReadSession

_SHUT = frozenset({Stage.WON, Stage.LOST})


@dataclass(frozen=True, slots=True)
class CustomersLeads:
    """The leads of one customer, those of its merged records among them.

    Attributes:
        customer_id: The record that stands.
        created_at: When its oldest record was first known; aware UTC.
        leads: Its leads that are nobody's merged record, oldest first.
        owners: Who has each, where somebody has.
        closed: Those that are won or lost, and work orders that are closed.
        tickets: Who has each of its work orders; None where nobody has.
    """

    customer_id: str
    created_at: datetime
    leads: Sequence[Lead]
    owners: Mapping[LeadId, Ownership]
    closed: frozenset[LeadId]
    tickets: Mapping[LeadId, Ownership | None] = field(default_factory=dict)

    @property
    def standing(self) -> Standing:
        """What decides whether it survives."""
        held = (one.owner for one in self.owners.values() if one.holding)
        return Standing(
            record_id=self.customer_id,
            stage=furthest(lead.attributes.stage for lead in self.leads),
            created_at=self.created_at,
            owners=frozenset(held),
        )


def read_customer(
    session: ReadSession, customer_id: str, *, at: datetime
) -> CustomersLeads:
    """A customer's leads as of now.

    Args:
        session: Where to read.
        customer_id: The record that stands.
        at: Now.
    """
    members = [CustomerId(own) for own in cluster_of(session, customer_id)]
    known = [one.created_at for one in get_customers(session, members)]
    ids = leads_of_customers(session, members)
    every = sorted(
        get_leads(session, ids, as_of=at),
        key=lambda lead: (lead.created_at, lead.lead_id),
    )
    leads = [lead for lead in every if lead.kind is LeadKind.LEAD]
    tickets = [lead.lead_id for lead in every if lead.kind is LeadKind.TICKET]
    told = closed_leads(session, ids)
    shut = {x.lead_id for x in every if x.attributes.stage in _SHUT}
    owners = get_owners(session, ids)
    return CustomersLeads(
        customer_id=customer_id,
        created_at=min(known, default=at),
        leads=leads,
        owners={own: one for own, one in owners.items() if own not in tickets},
        closed=frozenset(shut.union(told)),
        tickets={own: owners.get(own) for own in tickets},
    )


def enquiries(session: ReadSession, of: CustomersLeads) -> list[Enquiry]:
    """The customer's leads as they are compared, oldest first."""
    people = _people(session, of.leads)
    return [
        Enquiry(
            standing=Standing(
                record_id=lead.lead_id,
                stage=lead.attributes.stage,
                created_at=lead.created_at,
                owners=_owners(of, lead.lead_id),
            ),
            is_open=lead.lead_id not in of.closed,
            product=lead.attributes.product,
            people=people.get(lead.contact_id or "", frozenset()),
        )
        for lead in of.leads
    ]


def _owners(of: CustomersLeads, lead_id: LeadId) -> frozenset[str]:
    owned = of.owners.get(lead_id)
    return frozenset() if owned is None else frozenset({owned.owner})


def _people(session: ReadSession, leads: Iterable[Lead]) -> dict[str, frozenset[str]]:
    """Names, phones and addresses by contact."""
    named = [ContactId(x.contact_id) for x in leads if x.contact_id is not None]
    found: dict[str, set[str]] = defaultdict(set)
    for contact in get_contacts(session, named):
        own = found[contact.contact_id]
        own.update(point.value for point in contact.points if point.possible)
        if contact.name:
            own.add(simplified(contact.name).casefold().replace(" ", ""))
    return {contact: frozenset(values) for contact, values in found.items()}
