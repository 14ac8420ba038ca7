"""A demo market as the tables that features read: ``features.history.History``."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from experiments import market_places as places
from experiments import market_world as world
from experiments.market_activities import KINDS, RESULTS, Activities
from experiments.market_calendar import DAY, HOME_OFFSET, Calendar
from experiments.market_ids import market_ids
from experiments.market_leads import Leads
from experiments.market_past import CLAIM, FOREVER, POLICIES, Past
from experiments.market_records import STATUSES, Closes, RepVersions
from experiments.market_reps import Reps
from experiments.market_settings import BoolArray, FloatArray, IntArray, MarketSettings
from experiments.market_story import STAGES, Versions
from experiments.market_text import spell


def words(vocabulary: Sequence[str], codes: IntArray) -> pd.Series:
    """Codes spelled out; missing where the code is negative; dtype str."""
    return pd.Series(spell(vocabulary, codes).to_pandas(), dtype="str")


def instants(seconds: IntArray) -> pd.Series:
    """Seconds since 1970 as datetime64[us, UTC]."""
    stamps = seconds.astype("datetime64[s]").astype("datetime64[us]")
    return pd.Series(stamps).dt.tz_localize("UTC")


def attribute_texts(leads: Leads) -> pd.Series:
    """The tenant's own fields of each lead as a JSON object."""
    n_timelines = len(world.TIMELINES) + 1
    texts = [
        json.dumps(_own_fields(style, timeline))
        for style in (None, *world.STYLES)
        for timeline in (None, *world.TIMELINES)
    ]
    return words(texts, (leads.style + 1) * n_timelines + leads.timeline + 1)


def _own_fields(style: str | None, timeline: str | None) -> Mapping[str, str]:
    fields = {"buying_style": style, "timeline": timeline}
    return {name: value for name, value in fields.items() if value is not None}


@dataclass(frozen=True, eq=False, slots=True)
class Ids:
    """Our ids of everything in the market; each a column of dtype str."""

    lead: pd.Series
    customer: pd.Series
    rep: pd.Series
    decision: pd.Series
    outcome: pd.Series

    @classmethod
    def of(
        cls,
        settings: MarketSettings,
        calendar: Calendar,
        leads: Leads,
        reps: Reps,
        past: Past,
        seen: Closes,
    ) -> "Ids":
        """The same ids for the same settings."""
        first = np.flatnonzero(~leads.returning)
        hired = calendar.midnight + reps.hired * DAY
        return cls(
            lead=market_ids(settings, "leads", leads.created),
            customer=market_ids(settings, "customers", leads.created[first]),
            rep=market_ids(settings, "reps", hired),
            decision=market_ids(settings, "decisions", past.decided_at),
            outcome=market_ids(settings, "outcomes", seen.closed_at),
        )


def taken(column: pd.Series, codes: IntArray) -> pd.Series:
    """``column[codes]``; missing where the code is negative; a fresh index."""
    out = column.take(np.maximum(codes, 0)).reset_index(drop=True)
    if bool((codes < 0).any()):
        out = out.mask(codes < 0)
    return out


def lead_tables(leads: Leads, versions: Versions, ids: Ids) -> dict[str, pd.DataFrame]:
    """Tables ``leads`` and ``lead_versions``."""
    lead, at = versions.lead, instants(versions.valid_from)
    one = pd.DataFrame(
        {
            "lead_id": ids.lead,
            "customer_id": taken(ids.customer, leads.customer),
            "created_at": instants(leads.created),
        }
    )
    many = pd.DataFrame(
        {
            "lead_id": taken(ids.lead, lead),
            "valid_from": at,
            "recorded_at": at,
            "industry": words(world.INDUSTRIES, leads.industry[lead]),
            "company_size": np.where(versions.size_known, leads.size[lead], np.nan),
            "region": words(places.REGIONS, leads.region[lead]),
            "language": words(world.LANGUAGES, leads.language[lead]),
            "product": words(world.PRODUCTS, leads.product[lead]),
            "budget": versions.budget,
            "deal_value": versions.estimate,
            "channel": words(world.CHANNELS, leads.channel[lead]),
            "campaign": words(leads.campaigns, leads.campaign[lead]),
            "stage": words(STAGES, versions.stage),
            "grade": words(world.GRADES, leads.grade[lead]),
            "attributes": taken(attribute_texts(leads), lead),
        }
    )
    return {"leads": one, "lead_versions": many}


def rep_tables(
    calendar: Calendar, reps: Reps, versions: RepVersions, ids: Ids
) -> dict[str, pd.DataFrame]:
    """Tables ``reps`` and ``rep_versions``."""
    rep, at = versions.rep, instants(versions.valid_from)
    hired = calendar.midnight + reps.hired * DAY
    many = pd.DataFrame(
        {
            "rep_id": taken(ids.rep, rep),
            "valid_from": at,
            "recorded_at": at,
            "team": words(reps.teams, reps.team[rep]),
            "manager": taken(ids.rep, reps.manager[rep]),
            "region": words(places.REGIONS, reps.region[rep]),
            "languages": _json_lists(listed(world.LANGUAGES, reps.languages), rep),
            "products": _json_lists(allowed_products(reps), rep),
            "industries": _json_lists(listed(world.INDUSTRIES, reps.industries), rep),
            "hired_on": instants((hired + HOME_OFFSET)[rep]),
            "holding_limit": _halved(reps.holding_limit[rep], versions.ramp),
            "intake_per_day": _halved(reps.intake_per_day[rep], versions.ramp),
            "weight": np.where(versions.ramp, 0.5, 1.0),
            "status": words(STATUSES, versions.status),
        }
    )
    one = pd.DataFrame({"rep_id": ids.rep, "created_at": instants(hired)})
    return {"reps": one, "rep_versions": many}


def _halved(limit: IntArray, ramp: BoolArray) -> FloatArray:
    return np.where(ramp, (limit + 1) // 2, limit).astype(np.float64)


def listed(vocabulary: Sequence[str], has: BoolArray) -> list[list[str]]:
    """The words that each rep has."""
    return [[vocabulary[int(k)] for k in np.flatnonzero(row)] for row in has]


def allowed_products(reps: Reps) -> list[list[str]]:
    """Products each rep may sell; empty where it is all of them."""
    names = listed(world.PRODUCTS, reps.products)
    return [[] if len(some) == len(world.PRODUCTS) else some for some in names]


def _json_lists(lists: list[list[str]], rep: IntArray) -> pd.Series:
    return taken(pd.Series([json.dumps(some) for some in lists], dtype="str"), rep)


def event_tables(
    past: Past, seen: Closes, activities: Activities, ids: Ids, end: int
) -> dict[str, pd.DataFrame]:
    """Tables ``decisions``, ``outcomes``, ``activities`` and ``ownership``."""
    return {
        "decisions": _decisions(past, ids),
        "outcomes": _outcomes(past, seen, ids),
        "activities": _activities(activities, ids),
        "ownership": _ownership(past, ids, end),
    }


def _decisions(past: Past, ids: Ids) -> pd.DataFrame:
    decided = instants(past.decided_at)
    return pd.DataFrame(
        {
            "decision_id": ids.decision,
            "lead_id": taken(ids.lead, past.lead),
            "rep_id": taken(ids.rep, past.rep),
            "decided_at": decided,
            "recorded_at": decided,
            "policy": words(POLICIES, past.policy),
            "cause": "import",
            "propensity": past.propensity,
            "p_convert": np.nan,
        }
    )


def _outcomes(past: Past, seen: Closes, ids: Ids) -> pd.DataFrame:
    closed = instants(seen.closed_at)
    return pd.DataFrame(
        {
            "event_id": ids.outcome,
            "lead_id": taken(ids.lead, past.lead[seen.decision]),
            "decision_id": taken(ids.decision, seen.decision),
            "result": np.where(seen.won, "won", "lost"),
            "closed_at": closed,
            "recorded_at": closed,
            "value": seen.value,
            "replaces": taken(ids.outcome, seen.replaces),
        }
    )


def _activities(activities: Activities, ids: Ids) -> pd.DataFrame:
    happened = instants(activities.at)
    return pd.DataFrame(
        {
            "lead_id": taken(ids.lead, activities.lead),
            "rep_id": taken(ids.rep, activities.rep),
            "kind": words(KINDS, activities.kind),
            "happened_at": happened,
            "recorded_at": happened,
            "result": words(RESULTS, activities.result),
            "score": activities.score,
        }
    )


_EVENTS = ("assigned", "claimed", "transferred", "recycled", "dropped", "closed")


def _ownership(past: Past, ids: Ids, end: int) -> pd.DataFrame:
    """Who had which lead, from decisions, leavers, releases and closes."""
    size = past.lead.size
    nobody = np.full(size, -1)
    events = [
        (past.decided_at, (past.policy == CLAIM).astype(np.int64), past.rep, nobody),
        (past.moved_at, np.full(size, 2), past.moved_to, past.rep),
        (past.released_at, np.where(past.dropped, 4, 3), nobody, past.owner),
        (past.closed_at, np.full(size, 5), past.owner, past.owner),
    ]
    at, kind, owner, before = (np.concatenate(c) for c in zip(*events, strict=True))
    lead = np.tile(past.lead, len(events))
    order = np.lexsort([kind, lead, at])
    order = order[(at[order] < end) & (at[order] < FOREVER)]
    return pd.DataFrame(
        {
            "lead_id": taken(ids.lead, lead[order]),
            "kind": words(_EVENTS, kind[order]),
            "owner": taken(ids.rep, owner[order]),
            "previous_owner": taken(ids.rep, before[order]),
            "happened_at": instants(at[order]),
        }
    )
