"""Shadow prices between plans: solved again as the window runs down.

A window is ``price_hours`` long and begins with a plan, or where the one before ended.
As of now its futures are the leads that wait, and as many like those that came before
as are still expected (``optimizer.futures``); nothing later than now is read.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from optimizer.futures import LookAhead, Periods, price_window
from optimizer.optimum import solve
from optimizer.problem import FloatArray, IntArray
from rightrep.domain.days import local_day
from rightrep.domain.eligibility import Exclusion
from rightrep.domain.ids import TenantId
from rightrep.domain.recurrence import next_multiple
from rightrep.domain.roster import UNLIMITED, Roster
from rightrep.domain.routing import Routing
from rightrep.store import bulk, jobs, leads, prices
from rightrep.store.prices import PriceList
from rightrep.store.session import ReadSession, WriteSession
from rightrep.store.tenants import get_tenant
from serving.usecases.advice import Scores
from serving.usecases.context import Context
from serving.usecases.situation import Situation, read_situation, value_of

PRICES = "prices"
"""Kind of the job that solves prices again."""
MEMORY_LEADS = 2_000
"""Futures are drawn from so many leads, the last to arrive."""
MOST_STANDING = 8_000
"""Of more leads that wait, so many are looked at, the newest."""
KNOWN_SPAN = timedelta(weeks=8)
"""How far back arrivals are counted; at least ``LEAST_WINDOWS`` windows."""
LEAST_WINDOWS = 4
MISSED = 3
"""Prices expire after so many refreshes that did not come."""
_PERIOD = timedelta(hours=1)
_NOT_ONLY_NOW = (
    Exclusion.ELIGIBLE,
    Exclusion.HOLDING_LIMIT,
    Exclusion.INTAKE_LIMIT,
    Exclusion.OFF_HOURS,
    Exclusion.DECLINED,
    Exclusion.COOL_DOWN,
)
"""Codes that say nothing of another lead like this, later in the window."""


class Window(NamedTuple):
    """Start, included, and end, left out; aware UTC."""

    start: datetime
    end: datetime

    def at(self, when: datetime) -> "Window":
        """The window of this length that holds a later instant."""
        length = self.end - self.start
        return Window(*(t + (when - self.start) // length * length for t in self))


@dataclass(frozen=True, eq=False)
class _Seen:
    """What prices are worked out from, read in one snapshot.

    Attributes:
        last: The prices before, of whatever age.
        waiting: The leads that have no owner, and every rep.
        recent: The last leads to arrive, and every rep.
        arrived_at: Instants of arrival in the known span; seconds, int64.
        window: The window that the prices are for.
    """

    last: PriceList
    waiting: Situation
    recent: Situation
    arrived_at: IntArray
    window: Window


def refresh_prices(context: Context, tenant_id: TenantId) -> PriceList | None:
    """Prices as of now, not yet published.

    Returns:
        None where there is nothing to price by: no plan yet, no reps, or no model.
    """
    at = context.clock.now()
    with context.store.read(tenant_id) as session:
        seen = _read(session, at)
    if seen is None or not seen.waiting.roster:
        return None
    adviser = context.advisers.get(tenant_id, rep_ids=seen.waiting.rep_ids)
    if adviser is None:
        return None
    standing = recent = np.empty((0, len(seen.waiting.roster)))
    if seen.waiting.leads:
        ids = seen.waiting.lead_ids
        own = context.advisers.own_of(adviser, tenant_id, ids)
        found = adviser.scores(ids, seen.waiting.rep_ids, at=at, own=own)
        weight = seen.waiting.waiting_weight[:, None]
        standing = _values(seen.waiting, found, [Exclusion.ELIGIBLE]) * weight
    recent_leads = adviser.known_leads(seen.recent.lead_ids)
    if recent_leads.any():
        known = _only(seen.recent, recent_leads)
        scores = adviser.scores_at_arrival(known.lead_ids, known.rep_ids, at=at)
        recent = _values(known, scores, _NOT_ONLY_NOW)
    return _priced(seen, standing, recent)


def publish_refreshed(
    session: WriteSession, fresh: PriceList, routing: Routing
) -> None:
    """Put refreshed prices in force and ask for the next ones."""
    prices.publish_prices(session, fresh)
    ask_for_next(session, routing, at=fresh.published_at)


def ask_for_next(session: WriteSession, routing: Routing, *, at: datetime) -> None:
    """Have the prices solved again when their time comes; asking twice changes nothing.

    Args:
        session: Where to write.
        routing: How often.
        at: When the present ones were published.
    """
    if routing.price_refresh_minutes > 0:
        every = timedelta(minutes=routing.price_refresh_minutes)
        jobs.schedule(session, PRICES, {}, run_at=next_multiple(at, every), at=at)


def ask_for_prices(session: WriteSession, *, at: datetime) -> None:
    """Have the prices solved now, unless somebody asked already."""
    jobs.enqueue(session, PRICES, {}, at=at, open_key=PRICES)


def expiry(
    routing: Routing, *, published_at: datetime, window_end: datetime
) -> datetime:
    """From when prices are no longer good."""
    if routing.price_refresh_minutes == 0:
        return window_end
    minutes = MISSED * routing.price_refresh_minutes
    return min(window_end, published_at + timedelta(minutes=minutes))


def window_slots(roster: Roster, *, at: datetime, end: datetime, zone: str) -> IntArray:
    """Leads each rep may still take before a window ends; int64 (n_reps,).

    Every local day that begins until then brings its intake; the holding limit stands.
    """
    days = (local_day(end - timedelta(microseconds=1), zone) - local_day(at, zone)).days
    team = roster.team
    room = np.maximum(team.holding_limit - roster.held, 0)
    left = np.maximum(team.intake_per_day - roster.taken_today, 0)
    slots = np.minimum(room, left + team.intake_per_day * days)
    return np.where(slots > UNLIMITED // 2, UNLIMITED, slots)


def _read(session: ReadSession, at: datetime) -> _Seen | None:
    last = prices.latest_prices(session, at)
    if last is None:
        return None
    routing = Routing.of(get_tenant(session).settings)
    window = Window(last.window_start, last.window_end)
    if at >= window.end:
        length = timedelta(hours=routing.price_hours)
        window = Window(window.end, window.end + length).at(at)
    length = window.end - window.start
    since = window.start - max(KNOWN_SPAN // length, LEAST_WINDOWS) * length
    came = leads.arrivals(session, since=since, before=at)
    waiting = bulk.open_leads(session, as_of=at)["lead_id"].to_pylist()
    recent = [lead_id for lead_id, _ in came[-MEMORY_LEADS:]]
    return _Seen(
        last=last,
        waiting=read_situation(session, waiting[-MOST_STANDING:], at=at),
        recent=read_situation(session, recent, at=at),
        arrived_at=np.array([int(t.timestamp()) for _, t in came], dtype=np.int64),
        window=window,
    )


def _only(
    situation: Situation, chosen: "np.ndarray[tuple[int], np.dtype[np.bool_]]"
) -> Situation:
    """Some of the leads."""
    kept = [lead for lead, keep in zip(situation.leads, chosen, strict=True) if keep]
    return replace(situation, leads=kept, codes=situation.codes[chosen])


def _values(
    situation: Situation, scores: Scores, codes: Sequence[Exclusion]
) -> FloatArray:
    """Values of pairs, NaN where the pair cannot be; float64 (n_leads, n_reps)."""
    may = np.isin(situation.codes, codes)
    return np.where(may, value_of(situation, scores), np.nan)


def _priced(seen: _Seen, standing: FloatArray, recent: FloatArray) -> PriceList:
    situation, window = seen.waiting, seen.window
    at, now = situation.at, int(situation.at.timestamp())
    slots = window_slots(
        situation.roster, at=at, end=window.end, zone=situation.tenant.time_zone
    )
    found = price_window(
        recent,
        seen.arrived_at,
        periods_of(window, seen.arrived_at, zone=situation.tenant.time_zone),
        slots,
        now=now,
        solve=solve,
        look_ahead=LookAhead(),
        rng=np.random.default_rng(now),
        standing=standing,
    )
    price = found.shadow_price.tolist()
    expected = max(found.forecast.leads + len(standing), 1.0)
    planned = np.minimum(slots / expected, 1.0).tolist()
    # Later than the ones before even where a clock stands still.
    published_at = max(at, seen.last.published_at + timedelta(microseconds=1))
    return PriceList(
        plan_id=seen.last.plan_id,
        window_start=window.start,
        window_end=window.end,
        published_at=published_at,
        expires_at=expiry(
            situation.routing, published_at=published_at, window_end=window.end
        ),
        shadow_price=dict(zip(situation.rep_ids, price, strict=True)),
        step=found.step,
        planned=dict(zip(situation.rep_ids, planned, strict=True)),
    )


def periods_of(window: Window, arrived_at: IntArray, *, zone: str) -> Periods:
    """Hours, or less, of this window and of those before it in which leads came.

    Args:
        window: The present one.
        arrived_at: Instants of arrival, never falling; seconds, int64.
        zone: IANA zone whose hours of the week are alike.
    """
    start, end = (int(t.timestamp()) for t in window)
    length = max(end - start, 1)
    before = 0
    if arrived_at.size:
        # The window in which the first lead came was not whole.
        before = max((start - int(arrived_at[0])) // length, 0)
    each = math.ceil(length / _PERIOD.total_seconds())
    windows = np.repeat(np.arange(-before, 1), each)
    part = np.tile(np.arange(each), before + 1)
    begins = start + windows * length + part * length // each
    edges = np.append(begins, end)
    here = ZoneInfo(zone)
    local = [datetime.fromtimestamp(second, here) for second in begins.tolist()]
    kind = np.array([t.weekday() * 24 + t.hour for t in local], dtype=np.int64)
    return Periods(edges=edges, kind=kind, window=windows + before)
