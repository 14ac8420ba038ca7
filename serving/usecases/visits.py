"""A rep's day of visits: own leads as a route, and leads of public pools on the way.

Where a lead is, when it can be visited and for how long is told with the request, or
stands among the lead's own fields: ``latitude``, ``longitude``, ``visit_from``,
``visit_until`` (wall-clock times of the rep's zone) and ``visit_minutes``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from itertools import islice

import numpy as np

from optimizer.problem import FloatArray
from optimizer.visits import (
    Nearby,
    Stops,
    VisitDay,
    VisitPlan,
    nearby,
    plan_visits,
)
from rightrep.domain.days import zone_of
from rightrep.domain.followup import DueCounting, WorkTime
from rightrep.domain.ids import LeadId, RepId, TenantId
from rightrep.domain.lead import Lead, LeadKind
from rightrep.domain.pools import place_of
from rightrep.domain.positions import great_circle_km
from rightrep.errors import Conflict, NotFound
from rightrep.store import leads, ownership
from rightrep.store.public_pools import free_leads
from rightrep.store.session import ReadSession
from rightrep.store.tenants import get_tenant
from serving.usecases.context import Context
from serving.usecases.followup import work_times
from serving.usecases.planning import score
from serving.usecases.pool_claims import Claimant, look
from serving.usecases.situation import read_situation, value_of

MOST_STOPS = 200
"""Own leads on one day's table; those that came to the rep last are left out."""
POOL_PAGES = 20
"""Pages of a thousand public leads looked through."""
NEAREST = 100
"""Public leads asked what they would cost, those of the least detour."""
SEARCH = timedelta(seconds=1)
_DAY = 86_400

Position = tuple[float, float]
"""Degrees north, degrees east."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stop:
    """Where and when a lead can be visited.

    Attributes:
        position: Where.
        minutes: Time spent there; None is the request's.
        opens: Earliest start of the visit, by the clocks there; None is any.
        closes: Latest start; None is any.
    """

    position: Position
    minutes: int | None = None
    opens: time | None = None
    closes: time | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class VisitRequest:
    """One rep's day.

    Attributes:
        day: The day, by the rep's clocks.
        start: Where the day starts.
        end: Where it ends; None is where it starts.
        minutes: Time spent with a lead that names none.
        max_extra_minutes: Longest detour for a public lead, its visit included.
        given: Leads to visit; empty is every open lead of the rep with a position.
        kind: Leads, or work orders, of which each is worth the same.
    """

    day: date
    start: Position
    end: Position | None = None
    minutes: int = 45
    max_extra_minutes: int = 60
    given: Mapping[LeadId, Stop] = field(default_factory=dict)
    kind: LeadKind = LeadKind.LEAD


@dataclass(frozen=True, eq=False, kw_only=True)
class DayPlan:
    """The route of one day.

    Attributes:
        leads: Leads with a position; n_stops entries.
        plan: The route over them.
        pool: Public leads the rep may claim that fit the route, with what each costs.
        unplaced: Own leads of which nobody knows where they are.
        midnight: Where the day's seconds are counted from; local wall clock.
    """

    leads: Sequence[LeadId]
    plan: VisitPlan
    pool: Sequence[tuple[LeadId, Nearby]]
    unplaced: Sequence[LeadId]
    midnight: datetime

    def at(self, seconds: int) -> datetime:
        """An instant of the day."""
        return self.midnight + timedelta(seconds=int(seconds))


def plan_day(
    context: Context, tenant_id: TenantId, rep_id: RepId, asked: VisitRequest
) -> DayPlan:
    """The route over a rep's leads that earns the most expected value.

    Raises:
        NotFound: There is no such rep, or a lead given is not the rep's.
        Conflict: The rep does not work on that day.
    """
    at = context.clock.now()
    with context.store.read(tenant_id) as session:
        works = work_times(session, get_tenant(session), at).get(rep_id)
        if works is None:
            raise NotFound("rep", rep_id)
        own = _own(session, rep_id, asked, at)
        public = _claimable(session, rep_id, asked.kind, at)
        situation = read_situation(session, [one.lead_id for one in own], at=at)
    stop_of = {
        one.lead_id: asked.given.get(one.lead_id) or stop_of_lead(one) for one in own
    }
    placed = {own_id: stop for own_id, stop in stop_of.items() if stop is not None}
    scores, _ = score(context, tenant_id, situation)
    values = value_of(situation, scores)
    row = {lead_id: i for i, lead_id in enumerate(situation.lead_ids)}
    j = situation.rep_ids.index(rep_id)
    prize = np.array([values[row[lead_id], j] for lead_id in placed], np.float64)
    day = _day(asked, works, _stops(list(placed.values()), prize, asked.minutes))
    plan = plan_visits(day, time_limit=SEARCH)
    return DayPlan(
        leads=list(placed),
        plan=plan,
        pool=_on_the_way(context, tenant_id, rep_id, asked, (day, plan), public),
        unplaced=[lead_id for lead_id, stop in stop_of.items() if stop is None],
        midnight=datetime.combine(asked.day, time(), zone_of(works.zone)),
    )


def stop_of_lead(lead: Lead) -> Stop | None:
    """Where and when a lead can be visited, by its own fields; None is not known."""
    known = lead.attributes.attributes
    north, east = known.get("latitude"), known.get("longitude")
    if not (_is_within(north, 90) and _is_within(east, 180)):
        return None
    minutes = known.get("visit_minutes")
    usual = type(minutes) is int and 0 <= minutes <= _DAY // 60
    return Stop(
        position=(float(str(north)), float(str(east))),
        minutes=int(str(minutes)) if usual else None,
        opens=_time(known.get("visit_from")),
        closes=_time(known.get("visit_until")),
    )


def _is_within(value: object, most: float) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and -most <= float(str(value)) <= most


def _time(text: object) -> time | None:
    try:
        at = time.fromisoformat(str(text))
    except ValueError:
        return None
    return at if at.tzinfo is None else None


def _own(
    session: ReadSession, rep_id: RepId, asked: VisitRequest, at: datetime
) -> list[Lead]:
    """Leads to visit.

    Raises:
        NotFound: A lead given is not the rep's.
    """
    held = [one.lead_id for one in ownership.leads_of(session, rep_id, holding=True)]
    kind_of = leads.kinds_of(session, held)
    mine = [lead_id for lead_id in held if kind_of[lead_id] is asked.kind]
    for lead_id in asked.given.keys() - set(mine):
        raise NotFound("lead", lead_id)
    wanted = list(asked.given) or mine
    found = leads.get_leads(session, wanted, as_of=at)
    if asked.given:
        return found
    placed = [one for one in found if stop_of_lead(one) is not None][:MOST_STOPS]
    return [*placed, *(one for one in found if stop_of_lead(one) is None)]


def _claimable(
    session: ReadSession, rep_id: RepId, kind: LeadKind, at: datetime
) -> list[Lead]:
    """Leads of a kind with a position in public pools that are open to the rep."""
    asking = Claimant.of(session, rep_id, at)
    found: list[Lead] = []
    for page in islice(free_leads(session, kind=kind), POOL_PAGES):
        known = leads.get_leads(session, page, as_of=at)
        place = place_of(asking.pools, known)
        found += [
            lead
            for lead, k in zip(known, place.tolist(), strict=True)
            if stop_of_lead(lead) is not None and asking.pools[k].is_open_to(asking.rep)
        ]
    return found


def _day(asked: VisitRequest, works: WorkTime, stops: Stops) -> VisitDay:
    """The working day around the stops.

    Raises:
        Conflict: The rep does not work on that day.
    """
    here = zone_of(works.zone)
    midnight = datetime.combine(asked.day, time(), here)
    spans = [
        (start.astimezone(here), end.astimezone(here))
        for start, end in islice(works.spans(midnight, DueCounting.WORKING_HOURS), 50)
        if start.astimezone(here).date() == asked.day
    ]
    if not spans:
        raise Conflict(f"The rep does not work on {asked.day}.")
    first, last = spans[0][0], spans[-1][1]
    ends = last.date() > asked.day
    return VisitDay(
        stops=stops,
        start=asked.start,
        end=asked.end or asked.start,
        day_start=_seconds(first.time()),
        day_end=_DAY if ends else _seconds(last.time()),
    )


def _stops(told: Sequence[Stop], prize: FloatArray, minutes: int) -> Stops:
    return Stops(
        latitude=np.array([stop.position[0] for stop in told], np.float64),
        longitude=np.array([stop.position[1] for stop in told], np.float64),
        service_seconds=np.array(
            [60 * (minutes if s.minutes is None else s.minutes) for s in told], np.int64
        ),
        opens=np.array([_seconds(stop.opens or time()) for stop in told], np.int64),
        closes=np.array(
            [_DAY if s.closes is None else _seconds(s.closes) for s in told], np.int64
        ),
        prize=np.maximum(prize, 0.0),
    )


def _seconds(at: time) -> int:
    return at.hour * 3_600 + at.minute * 60 + at.second


def _on_the_way(
    context: Context,
    tenant_id: TenantId,
    rep_id: RepId,
    asked: VisitRequest,
    made: tuple[VisitDay, VisitPlan],
    public: Sequence[Lead],
) -> list[tuple[LeadId, Nearby]]:
    """Public leads that fit the route and that the rep may claim, cheapest first."""
    day, plan = made
    told = [(lead, stop) for lead in public if (stop := stop_of_lead(lead)) is not None]
    if not told:
        return []
    places = _stops([stop for _, stop in told], np.zeros(len(told)), asked.minutes)
    close = np.argsort(_detours(day, plan, places), kind="stable")[:NEAREST]
    near = [told[k] for k in close.tolist()]
    others = _stops([stop for _, stop in near], np.zeros(len(near)), asked.minutes)
    fit = nearby(day, plan, others, max_extra_seconds=60 * asked.max_extra_minutes)
    with context.store.read(tenant_id) as session:
        asking = Claimant.of(session, rep_id, context.clock.now())
        found = [near[place.stop][0] for place in fit]
        if not found:
            return []
        place_in_pool = place_of(asking.pools, found)
        codes = asking.codes(found)
        out = {
            one.lead_id
            for one in look(session, asking, found, place_in_pool, codes, {})
        }
    return [
        (lead.lead_id, place)
        for lead, place in zip(found, fit, strict=True)
        if lead.lead_id not in out
    ]


def _detours(day: VisitDay, plan: VisitPlan, places: Stops) -> FloatArray:
    """Kilometres more that each place adds to the route, over the sphere; (n,)."""
    visited = day.stops.latitude[plan.order], day.stops.longitude[plan.order]
    north = np.concatenate([[day.start[0]], visited[0], [day.end[0]]])
    east = np.concatenate([[day.start[1]], visited[1], [day.end[1]]])
    legs = great_circle_km((north[:-1], east[:-1]), (north[1:], east[1:]))
    way = great_circle_km(
        (places.latitude[:, None], places.longitude[:, None]), (north, east)
    )
    return np.asarray((way[:, :-1] + way[:, 1:] - legs).min(axis=1))
