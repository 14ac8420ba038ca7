"""What is known of leads and their customers, ready to be asked as of any instant."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.as_of import (
    FloatArray,
    IntArray,
    Log,
    Tally,
    Values,
    in_force,
    instants,
    missing,
    numbers,
    row_in_force,
    take,
)
from features.codes import Coded, codes_of, index_of
from features.history import Few, History, Table
from features.merges import Merges
from features.results import Results

TEXTS = (
    "industry",
    "region",
    "language",
    "product",
    "channel",
    "campaign",
    "stage",
    "grade",
)
"""Columns of a lead's version that are texts."""

NUMBERS = ("company_size", "budget", "deal_value")
"""Columns of a lead's version that are numbers."""

TOUCHES = ("call", "message", "meeting", "visit")
"""Kinds of activity in which a rep and a lead meet."""


@dataclass(frozen=True, eq=False)
class LeadFacts:
    """Leads, their versions, activities and customers.

    Attributes:
        ids: Lead ids; a lead's code is its place here.
        created_at: int64 (n_leads,).
        customer: Code of each lead's customer; a lead without one is its own.
        customer_ids: Customer ids by code.
        merges: Which leads are one and the same, and when.
        versions: Versions in force, by lead.
        valid_from: When each version became true; int64 (n_versions,).
        texts: Text columns of the versions.
        numbers: Number columns of the versions; float64 (n_versions,) each.
        attributes: The tenant's own fields as JSON; one per version.
        touches: Calls, messages, meetings and visits, by lead.
        page_views: Page views, by lead.
        surveys: Surveys with a score, by lead.
        survey_score: Score of each survey; float64.
        given: Decisions, by lead.
        arrivals: Leads, by customer.
        wins: Known wins, by customer: number, deal values stated when they were first
            known (major units of the tenant's currency), number of those stated.
        won: Wins when they were first known, by customer.
    """

    ids: pd.Index
    created_at: IntArray
    customer: IntArray
    customer_ids: pd.Index
    merges: Merges
    versions: Log
    valid_from: IntArray
    texts: Mapping[str, Coded]
    numbers: Mapping[str, FloatArray]
    attributes: Values
    touches: Log
    page_views: Log
    surveys: Log
    survey_score: FloatArray
    given: Log
    arrivals: Log
    wins: Tally
    won: Log

    @classmethod
    def of(cls, history: History | Few) -> "LeadFacts":
        """From a tenant's history, or from the part of it that concerns some leads."""
        leads, versions = history.leads, history.lead_versions
        ids = index_of(leads["lead_id"])
        created = instants(leads["created_at"])
        customers = Coded.of(_or_else(leads["customer_id"], leads["lead_id"]))
        customer = customers.code
        valid_from = instants(versions["valid_from"])
        standing = in_force(
            codes_of(ids, versions["lead_id"]),
            valid_from,
            instants(versions["recorded_at"]),
        )
        deal_value = numbers(versions["deal_value"])
        wins, won = _customer_wins(history, ids, customer, standing, deal_value)
        touches, page_views, surveys, score = _activities(history.activities, ids)
        return cls(
            ids=ids,
            created_at=created,
            customer=customer,
            customer_ids=customers.texts,
            merges=Merges.of(history.merges, ids),
            versions=standing,
            valid_from=valid_from,
            texts={name: Coded.of(versions[name]) for name in TEXTS},
            numbers={name: numbers(versions[name]) for name in NUMBERS},
            attributes=versions["attributes"],
            touches=touches,
            page_views=page_views,
            surveys=surveys,
            survey_score=score,
            given=_given(history.decisions, ids),
            arrivals=Log.of(customer, created),
            wins=wins,
            won=won,
        )


def _or_else(values: Values, others: Values) -> Values:
    """Values, and the others where they are missing."""
    if isinstance(values, np.ndarray):
        return np.where(missing(values), others, values)
    return values.fillna(pd.Series(others))


def _given(decisions: Table, ids: pd.Index) -> Log:
    known = np.maximum(
        instants(decisions["decided_at"]), instants(decisions["recorded_at"])
    )
    return Log.of(codes_of(ids, decisions["lead_id"]), known)


def _activities(activities: Table, ids: pd.Index) -> tuple[Log, Log, Log, FloatArray]:
    lead = codes_of(ids, activities["lead_id"])
    known = np.maximum(
        instants(activities["happened_at"]), instants(activities["recorded_at"])
    )
    kind = Coded.of(activities["kind"])
    score = numbers(activities["score"])
    touch = kind.is_one_of(TOUCHES)
    view = kind.is_one_of(["page_view"])
    survey = kind.is_one_of(["survey"]) & ~np.isnan(score)
    return (
        Log.of(np.where(touch, lead, -1), known),
        Log.of(np.where(view, lead, -1), known),
        Log.of(np.where(survey, lead, -1), known),
        score,
    )


def _customer_wins(
    history: History | Few,
    ids: pd.Index,
    customer: IntArray,
    versions: Log,
    deal_value: FloatArray,
) -> tuple[Tally, Log]:
    lead = codes_of(ids, history.outcomes["lead_id"])
    subject, at, change = Results.of(history.outcomes, lead).win_changes()
    who = customer[subject]
    # What a win added is what its being taken back takes away.
    _, first, again = np.unique(subject, return_index=True, return_inverse=True)
    version = row_in_force(versions, subject[first], at[first])[again]
    stated = np.nan_to_num(take(deal_value, version, np.nan))
    values = (change, change * stated, change * (stated > 0))
    return (
        Tally.of(who, at, [value.astype(np.float64) for value in values]),
        Log.of(np.where(change > 0, who, -1), at),
    )
