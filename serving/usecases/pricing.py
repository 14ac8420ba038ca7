"""Shadow prices between plans: solved again as the window runs down.

A window is ``price_hours`` long and begins with a plan, or where the one before ended.
As of now its futures are the leads that wait, and as many like those that came before
as are still expected (``optimizer.futures``); nothing later than now is read.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import compress
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from optimizer.futures import LookAhead, Periods, price_window
from optimizer.optimum import solve
from optimizer.problem import FloatArray, IntArray
from rightrep.domain.days import local_day
from rightrep.domain.eligibility import Exclusion
from rightrep.domain.experiment import AS_RULED, Arm
from rightrep.domain.ids import TenantId
from rightrep.domain.recurrence import next_multiple
from rightrep.domain.roster import UNLIMITED, Roster
from rightrep.domain.routing import Routing, routing_of_arm
from rightrep.domain.slots import ArmKey
from rightrep.store import bulk, jobs, leads, prices
from rightrep.store.arm_slots import part_counts
from rightrep.store.prices import NO_ARM, PriceList
from rightrep.store.session import ReadSession, WriteSession
from rightrep.store.tenants import get_tenant
from serving.usecases.advice import Scores
from serving.usecases.arms import InForce, arms_in_force, leads_of_arm
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
BY_PRICES = frozenset({"optimal", AS_RULED})
"""Policies of arms that go by prices, for some leads at least."""
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
        slots: Leads each rep may still be given in the window; int64 (n_reps,).
        arm: Whose leads and slots these are; None is everybody's.
    """

    last: PriceList
    waiting: Situation
    recent: Situation
    arrived_at: IntArray
    window: Window
    slots: IntArray
    arm: ArmKey | None


@dataclass(frozen=True, eq=False)
class PricedArm:
    """An arm whose policy goes by prices.

    Attributes:
        in_force: What decides about arms.
        key: The arm.
        arm: The same with its policy.
    """

    in_force: InForce
    key: ArmKey
    arm: Arm


def refresh_all(context: Context, tenant_id: TenantId) -> list[PriceList] | None:
    """Prices of every arm that goes by prices, or of all slots where no arm decides.

    Returns:
        None where some prices are wanted and there is nothing to price by.
    """
    with context.store.read(tenant_id) as session:
        in_force = arms_in_force(session)
    if in_force is None:
        fresh = refresh_prices(context, tenant_id)
        return None if fresh is None else [fresh]
    asking = [
        PricedArm(in_force, key, arm)
        for key, (_, arm) in zip(in_force.keys, in_force.arms, strict=True)
        if arm.policy in BY_PRICES
    ]
    found = [refresh_prices(context, tenant_id, arm) for arm in asking]
    if None in found:
        return None
    return [one for one in found if one is not None]


def refresh_prices(
    context: Context, tenant_id: TenantId, arm: PricedArm | None = None
) -> PriceList | None:
    """Prices as of now, not yet published.

    Args:
        context: The parts of this process.
        tenant_id: Whose.
        arm: Whose leads and slots alone; None is everybody's.

    Returns:
        None where there is nothing to price by: no plan yet, no reps, or no model.
    """
    at = context.clock.now()
    with context.store.read(tenant_id) as session:
        seen = _read(session, at, arm)
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
        known = seen.recent.of_leads(np.flatnonzero(recent_leads))
        scores = adviser.scores_at_arrival(known.lead_ids, known.rep_ids, at=at)
        recent = _values(known, scores, _NOT_ONLY_NOW)
    return _priced(seen, standing, recent)


def publish_refreshed(
    session: WriteSession, fresh: Sequence[PriceList], routing: Routing
) -> None:
    """Put refreshed prices in force and ask for the next ones."""
    for one in fresh:
        prices.publish_prices(session, one)
        ask_for_next(session, routing, at=one.published_at)


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


def price_key(arm: ArmKey | None) -> str:
    """Whose slots a price list is about: those of one arm, or all."""
    return NO_ARM if arm is None else f"{arm.experiment}/{arm.arm}"


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


def _read(session: ReadSession, at: datetime, arm: PricedArm | None) -> _Seen | None:
    key = None if arm is None else arm.key
    # The first prices of an arm go on where those of all slots stood.
    last = prices.latest_prices(session, at, arm=price_key(key))
    last = last or prices.latest_prices(session, at)
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
    waiting = bulk.open_leads(session, as_of=at)
    if arm is not None:
        its = leads_of_arm(arm.in_force, arm.key, [lead_id for lead_id, _ in came])
        came = list(compress(came, its))
        waiting = list(compress(waiting, leads_of_arm(arm.in_force, arm.key, waiting)))
    recent = [lead_id for lead_id, _ in came[-MEMORY_LEADS:]]
    standing = read_situation(session, waiting[-MOST_STANDING:], at=at)
    return _Seen(
        last=last,
        waiting=_as_arm(standing, arm),
        recent=_as_arm(read_situation(session, recent, at=at), arm),
        arrived_at=np.array([int(t.timestamp()) for _, t in came], dtype=np.int64),
        window=window,
        slots=_slots(session, standing, window.end, arm),
        arm=key,
    )


def _as_arm(situation: Situation, arm: PricedArm | None) -> Situation:
    """With the routing settings of an arm in place of the tenant's."""
    if arm is None:
        return situation
    routing = routing_of_arm(situation.tenant.settings, arm.arm.parameters)
    return replace(situation, routing=routing)


def _slots(
    session: ReadSession, situation: Situation, end: datetime, arm: PricedArm | None
) -> IntArray:
    """Leads each rep may still be given, by everybody or by one arm."""
    at, zone = situation.at, situation.tenant.time_zone
    slots = window_slots(situation.roster, at=at, end=end, zone=zone)
    if arm is None:
        return slots
    split, today = arm.in_force.split, local_day(at, zone)
    given = part_counts(session, split, situation.rep_ids, today)
    left = split.left(slots, given, situation.rep_ids, today)
    return np.asarray(left[:, split.part_of(arm.key) or 0])


def _values(
    situation: Situation, scores: Scores, codes: Sequence[Exclusion]
) -> FloatArray:
    """Values of pairs, NaN where the pair cannot be; float64 (n_leads, n_reps)."""
    may = np.isin(situation.codes, codes)
    return np.where(may, value_of(situation, scores), np.nan)


def _priced(seen: _Seen, standing: FloatArray, recent: FloatArray) -> PriceList:
    situation, window = seen.waiting, seen.window
    at, now = situation.at, int(situation.at.timestamp())
    slots = seen.slots
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
        arm=price_key(seen.arm),
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
