"""What the pages call reps and leads: as people know them, or without names."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from rightrep.domain.ids import LeadId, RepId
from rightrep.store.aliases import RecordKind, aliases_of
from rightrep.store.customers import get_customers
from rightrep.store.leads import get_leads
from rightrep.store.reps import get_reps
from rightrep.store.session import ReadSession

_SHORT = 8


@dataclass(frozen=True, kw_only=True)
class Names:
    """What to call the reps and leads of one page.

    Attributes:
        reps: Names of reps.
        leads: The CRM's ids of leads.
        companies: Names of the customers behind leads.
        translate: Language of the words, from English.
    """

    reps: Mapping[str, str]
    leads: Mapping[str, str]
    companies: Mapping[str, str]
    translate: Callable[[str], str] = str

    def rep(self, rep_id: str) -> str:
        """The rep's name, or the end of the rep's id."""
        unnamed = self.translate("rep {end}")
        return self.reps.get(rep_id) or unnamed.format(end=rep_id[-_SHORT:])

    def lead(self, lead_id: str) -> str:
        """The lead's id in the CRM, or the end of our own."""
        unnamed = self.translate("lead {end}")
        return self.leads.get(lead_id) or unnamed.format(end=lead_id[-_SHORT:])

    def company(self, lead_id: str) -> str | None:
        """Who is behind the lead, where it may be said and is known."""
        return self.companies.get(lead_id)


def read_names(
    session: ReadSession,
    *,
    reps: Iterable[RepId],
    leads: Iterable[LeadId],
    at: datetime,
    named: bool,
) -> Names:
    """Names of these reps and leads.

    Args:
        session: Where to read.
        reps: Reps on the page.
        leads: Leads on the page.
        at: Now.
        named: Whether the reader may see names. A CRM's ids may be names too, so
            without names there are our own ids only.
    """
    if not named:
        return Names(reps={}, leads={}, companies={})
    lead_ids = list(dict.fromkeys(leads))
    external = aliases_of(session, RecordKind.LEAD, lead_ids)
    return Names(
        reps={rep.rep_id: rep.name for rep in get_reps(session, reps, as_of=at)},
        leads={own: found[0][1] for own, found in external.items() if found},
        companies=_companies(session, lead_ids, at),
    )


def _companies(
    session: ReadSession, lead_ids: list[LeadId], at: datetime
) -> dict[str, str]:
    behind = {
        lead.lead_id: lead.customer_id
        for lead in get_leads(session, lead_ids, as_of=at)
        if lead.customer_id is not None
    }
    names = {
        customer.customer_id: customer.name
        for customer in get_customers(session, behind.values())
    }
    return {
        lead_id: name
        for lead_id, customer_id in behind.items()
        if (name := names.get(customer_id))
    }
