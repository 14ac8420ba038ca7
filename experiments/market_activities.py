"""What reps and leads did: calls, messages, meetings, visits, page views, surveys."""

from dataclasses import dataclass

import numpy as np

from experiments import market_places as places
from experiments import market_world as world
from experiments.market_calendar import DAY, HOUR, Calendar
from experiments.market_leads import Leads
from experiments.market_past import FOREVER, Past
from experiments.market_reps import Reps
from experiments.market_settings import FloatArray, IntArray, MarketSettings
from experiments.market_story import Story
from experiments.market_truth import NOBODY, OPEN, WON

KINDS = ("call", "message", "meeting", "visit", "note", "page_view", "survey")
_CALL, _MESSAGE, _MEETING, _VISIT, _NOTE, _PAGE_VIEW, _SURVEY = range(len(KINDS))

RESULTS = ("reached", "no answer", "replied", "held")
_REACHED, _NO_ANSWER, _REPLIED, _HELD = range(len(RESULTS))

NOTES = (
    "客户希望下周收到报价",
    "预算冻结到四季度",
    "需要与技术部门再开一次会",
    "Asked for a reference customer of the same size.",
    "Budget frozen until Q4.",
    "Wants to see the migration plan first.",
)

_FOLLOW_UP_SHARE = np.array([0.46, 0.28, 0.10, 0.07, 0.09])
_VIEWS = 0.9
_SURVEYED = {"won": 0.30, "lost": 0.06}
_GPS_NOISE, _TOWN_RADIUS = 0.0006, 0.06  # degrees
_NOTHING = -1


@dataclass(frozen=True, eq=False, slots=True)
class Activities:
    """Activities in order of time; -1 and NaN where there is nothing.

    Attributes:
        lead: Lead.
        rep: Rep, or -1 when the lead acted alone.
        kind: Position in ``KINDS``.
        at: Instant.
        result: Position in ``RESULTS``, or -1.
        score: Satisfaction from 1 to 10, or NaN.
        latitude: Degrees, or NaN.
        longitude: Degrees, or NaN.
        note: Position in ``NOTES``, or -1.
    """

    lead: IntArray
    rep: IntArray
    kind: IntArray
    at: IntArray
    result: IntArray
    score: FloatArray
    latitude: FloatArray
    longitude: FloatArray
    note: IntArray


def positions(settings: MarketSettings, leads: Leads) -> FloatArray:
    """Where each lead's customer is: degrees north and east; (n_leads, 2)."""
    rng = settings.stream("positions")
    centre = np.array([(c.latitude, c.longitude) for c in places.CITIES])
    n_customers = int(leads.customer.max()) + 1
    around = rng.normal(0.0, _TOWN_RADIUS, (n_customers, 2))
    return np.asarray(centre[leads.city] + around[leads.customer])


def draw_activities(
    settings: MarketSettings,
    calendar: Calendar,
    leads: Leads,
    reps: Reps,
    past: Past,
    story: Story,
) -> Activities:
    """Everything that happened by the market's end."""
    parts = [
        _touches(settings, past, story),
        _follow_ups(settings, calendar, reps, past, story),
        _page_views(settings, leads),
        _surveys(settings, calendar, reps, past),
    ]
    joined = {
        name: np.concatenate([part[name] for part in parts])
        for name in ("lead", "rep", "kind", "at", "result", "score")
    }
    seen = np.flatnonzero(joined["at"] < calendar.end)
    order = seen[np.lexsort([joined["lead"][seen], joined["at"][seen]])]
    rows = {name: column[order] for name, column in joined.items()}
    latitude, longitude = _where(settings, leads, rows["lead"], rows["kind"])
    return Activities(
        lead=rows["lead"],
        rep=rows["rep"],
        kind=rows["kind"],
        at=rows["at"],
        result=rows["result"],
        score=rows["score"],
        latitude=latitude,
        longitude=longitude,
        note=_notes(settings, rows["kind"]),
    )


def _touches(
    settings: MarketSettings, past: Past, story: Story
) -> dict[str, np.ndarray]:
    """The first call or message after each decision."""
    rng = settings.stream("touches")
    called = rng.random(past.lead.size) < 0.7
    answered = rng.random(past.lead.size) < np.where(called, 0.65, 0.4)
    result = np.select(
        [called & answered, called, answered], [_REACHED, _NO_ANSWER, _REPLIED], -1
    )
    return _rows(
        past.lead,
        _owner_at(past, np.arange(past.lead.size), story.touched_at),
        np.where(called, _CALL, _MESSAGE),
        story.touched_at,
        result=result,
    )


def _follow_ups(
    settings: MarketSettings, calendar: Calendar, reps: Reps, past: Past, story: Story
) -> dict[str, np.ndarray]:
    """More of it the longer it takes, and the better it goes."""
    rng = settings.stream("follow-ups")
    lasted = (np.minimum(story.until, calendar.end) - story.touched_at).clip(0) / DAY
    wanted = settings.activities_per_lead * (0.3 + np.minimum(lasted / 40.0, 1.0))
    wanted *= np.where(past.result == WON, 1.3, 1.0)
    which = np.repeat(np.arange(past.lead.size), rng.poisson(wanted))
    span = (story.until - story.touched_at)[which]
    at = story.touched_at[which] + (rng.random(which.size) * span).astype(np.int64)
    rep = _owner_at(past, which, at)
    at = calendar.into_hours(at, reps.zone[rep], rng)
    kind = world.draw_codes(rng, _FOLLOW_UP_SHARE, which.size)
    answered = rng.random(which.size) < 0.55
    result = np.select(
        [kind == _NOTE, kind >= _MEETING, kind == _CALL],
        [_NOTHING, _HELD, np.where(answered, _REACHED, _NO_ANSWER)],
        np.where(answered, _REPLIED, _NOTHING),
    )
    inside = at < story.until[which]
    return _rows(
        past.lead[which[inside]],
        rep[inside],
        kind[inside],
        at[inside],
        result=result[inside],
    )


def _page_views(settings: MarketSettings, leads: Leads) -> dict[str, np.ndarray]:
    """Leads look at pages right after they arrive, good leads at more of them."""
    rng = settings.stream("page views")
    often = _VIEWS * np.exp(np.clip(0.35 * leads.apparent, -2.0, 2.0))
    lead = np.repeat(np.arange(leads.n_leads), rng.poisson(often))
    wait = rng.exponential(0.6 * DAY, lead.size).astype(np.int64) + 30
    alone = np.full(lead.size, NOBODY)
    return _rows(
        lead, alone, np.full(lead.size, _PAGE_VIEW), leads.created[lead] + wait
    )


def _surveys(
    settings: MarketSettings, calendar: Calendar, reps: Reps, past: Past
) -> dict[str, np.ndarray]:
    """Some customers are asked after the close; quick reps please a little more."""
    rng = settings.stream("surveys")
    asked = np.select(
        [past.result == WON, past.result == OPEN], [_SURVEYED["won"], 0.0],
        _SURVEYED["lost"],
    )  # fmt: skip
    which = np.flatnonzero(rng.random(past.lead.size) < asked)
    which = which[past.closed_at[which] < FOREVER]
    rep = past.owner[which]
    care = settings.stream("care").normal(0.0, 0.7, reps.n_reps)
    pleased = 6.2 + care[rep] - 0.4 * np.log(reps.response_hours[rep] / 3.0)
    pleased += np.where(past.result[which] == WON, 1.8, 0.0)
    score = np.clip(np.round(pleased + rng.normal(0.0, 1.3, which.size)), 1, 10)
    wait = rng.integers(4 * HOUR, 3 * DAY, which.size)
    at = np.minimum(past.closed_at[which], calendar.end) + wait
    rows = _rows(past.lead[which], rep, np.full(which.size, _SURVEY), at)
    return rows | {"score": score}


def _owner_at(past: Past, which: IntArray, at: IntArray) -> IntArray:
    """The rep who had the decision's lead at that instant."""
    moved = at >= past.moved_at[which]
    return np.where(moved, past.moved_to[which], past.rep[which])


def _where(
    settings: MarketSettings, leads: Leads, lead: IntArray, kind: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Positions of visits; NaN elsewhere."""
    noise = settings.stream("visits").normal(0.0, _GPS_NOISE, (lead.size, 2))
    seen = positions(settings, leads)[lead] + noise
    seen[kind != _VISIT] = np.nan
    return np.round(seen[:, 0], 5), np.round(seen[:, 1], 5)


def _notes(settings: MarketSettings, kind: IntArray) -> IntArray:
    rng = settings.stream("notes")
    return np.where(kind == _NOTE, rng.integers(0, len(NOTES), kind.size), _NOTHING)


def _rows(
    lead: IntArray,
    rep: IntArray,
    kind: IntArray,
    at: IntArray,
    *,
    result: IntArray | None = None,
) -> dict[str, np.ndarray]:
    return {
        "lead": lead,
        "rep": rep,
        "kind": kind,
        "at": at,
        "result": np.full(lead.size, _NOTHING) if result is None else result,
        "score": np.full(lead.size, np.nan),
    }
