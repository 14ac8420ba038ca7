"""Leads apart from work orders, for whoever learns from leads or prices them."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Column, ColumnElement, Select, literal_column, select

from rightrep.domain.lead import LeadKind
from rightrep.store.guard import of_tenant
from rightrep.store.schema import leads

Count = TypeVar("Count", int, NDArray[np.int64])


def only_leads(lead_id: "Column[str]") -> "ColumnElement[bool]":
    """That a column names no work order."""
    return lead_id.not_in(TICKETS)


def of_kind(count: Count, tickets: Count, only: LeadKind | None) -> Count:
    """Leads of one kind, of so many of which some are work orders; None is of any."""
    if only is None:
        return count
    return tickets if only is LeadKind.TICKET else count - tickets


# Spelled out: an index of tickets alone is no use to a parameter.
TICKETS: "Select[tuple[str]]" = select(leads.c.lead_id).where(
    of_tenant(leads), leads.c.kind == literal_column(f"'{LeadKind.TICKET.value}'")
)
"""Ids of the tenant's work orders; few beside its leads."""
