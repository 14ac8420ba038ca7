"""The leads of a demo market: when they come, who is behind them, what they are worth.

Columns of ``Leads`` are arrays over leads in order of arrival; codes are positions in
the tuples of ``experiments.market_world``, -1 where nothing is known.
"""

from dataclasses import dataclass

import numpy as np

from experiments import market_places as places
from experiments import market_world as world
from experiments.market_calendar import DAY, HOUR, Calendar
from experiments.market_settings import (
    BoolArray,
    FloatArray,
    IntArray,
    MarketSettings,
)

_REPEAT_SHARE = 0.18
_BASE_DEAL = 60_000.0
_TAIL_SHARE, _TAIL_INDEX, _TAIL_END = 0.06, 1.6, 40.0
_MISSING = {"style": 0.2, "timeline": 0.25, "estimate": 0.12, "budget": 0.35}
_SIZE_KNOWN = 0.55
_RETURNING, _LARGE_DEAL = 0.25, 0.12  # log odds; the latter per log of money


@dataclass(frozen=True, eq=False, slots=True)
class Leads:
    """The leads, one entry each, in order of arrival.

    Attributes:
        created: Instant of arrival, never falling; seconds since 1970 UTC.
        backlog: Whether it arrived in the last days and is unassigned at the end.
        customer: Customer behind it, numbered from 0 by first arrival.
        returning: Whether the customer had an earlier lead.
        city: Where the customer is.
        region: The city's sales region.
        language: Language of the customer.
        industry: Trade of the customer.
        size: Employees, whole.
        size_band: Band of ``size``.
        size_known: Whether ``size`` is in the CRM from the start.
        product: Product interest.
        channel: Where the lead came from.
        campaign: Campaign in ``campaigns``, or -1.
        campaigns: Names of the campaigns.
        style: Buying style as noted, or -1.
        timeline: When it says it will buy, or -1.
        grade: Class of the customer.
        deal_value: Expected money if won; major units, positive.
        estimate: The CRM's first estimate of it; NaN where missing.
        budget: The budget first named; NaN where missing.
        latent: The fit's side that no column holds; (n_leads, N_LATENT).
        logit: The lead's own part of the log odds, without the market's level.
        apparent: What a manager sees of ``logit``, standardised.
    """

    created: IntArray
    backlog: BoolArray
    customer: IntArray
    returning: BoolArray
    city: IntArray
    region: IntArray
    language: IntArray
    industry: IntArray
    size: IntArray
    size_band: IntArray
    size_known: BoolArray
    product: IntArray
    channel: IntArray
    campaign: IntArray
    campaigns: tuple[str, ...]
    style: IntArray
    timeline: IntArray
    grade: IntArray
    deal_value: FloatArray
    estimate: FloatArray
    budget: FloatArray
    latent: FloatArray
    logit: FloatArray
    apparent: FloatArray

    @property
    def n_leads(self) -> int:
        """Leads in the market."""
        return int(self.created.size)


@dataclass(frozen=True, eq=False, slots=True)
class _Customers:
    """What leads have from their customers, one entry per lead."""

    first: IntArray
    city: IntArray
    language: IntArray
    industry: IntArray
    size: IntArray


def draw_leads(settings: MarketSettings, calendar: Calendar) -> Leads:
    """All leads of the market, the backlog last."""
    rng = settings.stream("leads")
    created, backlog = _arrivals(settings, calendar, rng)
    n = created.size
    elapsed = (created - created[0]) / max(1, calendar.end - int(created[0]))
    who = _customers(settings, rng, elapsed)
    band = np.searchsorted(world.SIZE_BANDS, who.size, side="right").astype(np.int64)
    product = world.draw_codes(rng, world.PRODUCT_SHARE, n)
    trend = world.CHANNEL_DRIFT * settings.drift
    channel = _drifting(rng, world.CHANNEL_SHARE, trend, elapsed)
    campaign, campaigns, pull = _campaigns(settings, calendar, channel, created)
    timeline = world.draw_codes(rng, world.TIMELINE_SHARE, n)
    style = rng.integers(0, len(world.STYLES), n)[who.first]
    deal = _deal_values(rng, who.size, who.industry, product)
    asks = world.CHANNEL_EFFECT[channel] + pull + world.TIMELINE_EFFECT[timeline]
    logit, apparent = _logits(settings, who, product=product, deal=deal, asks=asks)
    return Leads(
        created=created,
        backlog=backlog,
        customer=_numbered(who.first),
        returning=who.first != np.arange(n),
        city=who.city,
        region=places.CITY_REGION[who.city],
        language=who.language,
        industry=who.industry,
        size=who.size,
        size_band=band,
        size_known=rng.random(n) < _SIZE_KNOWN,
        product=product,
        channel=channel,
        campaign=campaign,
        campaigns=campaigns,
        style=_hidden(rng, style, _MISSING["style"]),
        timeline=_hidden(rng, timeline, _MISSING["timeline"]),
        grade=_grades(rng, band)[who.first],
        deal_value=deal,
        estimate=_noted(rng, deal, spread=0.25, missing=_MISSING["estimate"]),
        budget=_noted(rng, 0.95 * deal, spread=0.3, missing=_MISSING["budget"]),
        latent=_latent(settings, style, who.industry),
        logit=logit,
        apparent=apparent,
    )


def _customers(
    settings: MarketSettings, rng: np.random.Generator, elapsed: FloatArray
) -> _Customers:
    first = _first_leads(rng, elapsed.size)
    city, language = _places(rng, first)
    trend = world.INDUSTRY_DRIFT * settings.drift
    industry = _drifting(rng, world.INDUSTRY_SHARE, trend, elapsed)[first]
    return _Customers(first, city, language, industry, _sizes(rng, industry, first))


def _arrivals(
    settings: MarketSettings, calendar: Calendar, rng: np.random.Generator
) -> tuple[IntArray, BoolArray]:
    """Instants of arrival, and which belong to the backlog of the last days."""
    n_backlog = round(settings.backlog_share * settings.n_leads)
    n_before = settings.n_leads - n_backlog
    span = calendar.n_days - 1 - settings.backlog_days
    growth = 1.0 + 0.3 * settings.drift * np.arange(span) / span
    day = world.draw_codes(rng, calendar.arrivals()[:span] * growth, n_before)
    before = calendar.midnight + day * DAY + calendar.time_of_day(rng, n_before)
    late = _late_arrivals(settings, calendar, rng, n_backlog)
    created = np.concatenate([np.sort(before), np.sort(late)])
    return created, np.arange(created.size) >= n_before


def _late_arrivals(
    settings: MarketSettings,
    calendar: Calendar,
    rng: np.random.Generator,
    count: int,
) -> IntArray:
    """Instants in the last ``backlog_days`` x 24 hours, at usual hours of the day."""
    first = calendar.end - settings.backlog_days * DAY
    start = calendar.midnight + (calendar.n_days - 2 - settings.backlog_days) * DAY
    # One day more than needed on either side, then cut: whole days keep the profile.
    many = start + rng.integers(0, settings.backlog_days + 3, 20 * count + 200) * DAY
    many += calendar.time_of_day(rng, many.size)
    inside = many[(many >= first) & (many < calendar.end - HOUR // 2)]
    return inside[:count]


def _first_leads(rng: np.random.Generator, count: int) -> IntArray:
    """The first lead of each lead's customer; itself for a new customer."""
    here = np.arange(count)
    back = (here * np.sqrt(rng.random(count))).astype(np.int64)
    first = np.where(rng.random(count) < _REPEAT_SHARE, back, here)
    while bool((first[first] != first).any()):
        first = first[first]
    return first


def _numbered(first: IntArray) -> IntArray:
    _, customer = np.unique(first, return_inverse=True)
    return customer.astype(np.int64)


def _places(rng: np.random.Generator, first: IntArray) -> tuple[IntArray, IntArray]:
    """City and language of each lead's customer."""
    in_region = np.bincount(places.CITY_REGION)
    share = (places.REGION_SHARE / in_region)[places.CITY_REGION]
    city = world.draw_codes(rng, share, first.size)
    language = np.zeros(first.size, dtype=np.int64)
    for country, spoken in world.LANGUAGE_SHARE.items():
        here = np.flatnonzero(places.CITY_COUNTRY[city] == country)
        language[here] = world.draw_codes(rng, spoken, here.size)
    return city[first], language[first]


def _drifting(
    rng: np.random.Generator, share: FloatArray, trend: FloatArray, elapsed: FloatArray
) -> IntArray:
    """Codes whose shares change by ``exp(trend)`` over the market (Gumbel-max)."""
    level = np.log(share) + trend * (elapsed[:, None] - 0.5)
    return np.asarray(np.argmax(level + rng.gumbel(size=level.shape), axis=1))


def _sizes(rng: np.random.Generator, industry: IntArray, first: IntArray) -> IntArray:
    spread = 1.1 * rng.standard_normal(first.size)[first]
    size = np.exp(world.INDUSTRY_SIZE[industry] + spread)
    return np.asarray(np.maximum(size, 2.0).astype(np.int64))


def _campaigns(
    settings: MarketSettings, calendar: Calendar, channel: IntArray, created: IntArray
) -> tuple[IntArray, tuple[str, ...], FloatArray]:
    """One campaign per channel and quarter where the channel has any.

    Returns:
        The campaign of each lead, the names, and its effect on the log odds.
    """
    quarter = calendar.quarter[calendar.day_of(created)]
    n_quarters = int(calendar.quarter[calendar.n_days - 1] - calendar.quarter[0]) + 1
    code = channel * n_quarters + quarter - calendar.quarter[0]
    names = tuple(
        f"{name} {q // 4}-Q{q % 4 + 1}"
        for name in world.CHANNELS
        for q in range(calendar.quarter[0], calendar.quarter[0] + n_quarters)
    )
    has = world.CHANNEL_HAS_CAMPAIGNS[channel]
    pull = settings.stream("campaigns").normal(0.0, 0.2, len(names))
    return np.where(has, code, -1), names, np.where(has, pull[code], 0.0)


def _deal_values(
    rng: np.random.Generator, size: IntArray, industry: IntArray, product: IntArray
) -> FloatArray:
    """Log-normal by size, trade and product, a few lifted by a Pareto factor."""
    log_deal = (
        np.log(_BASE_DEAL)
        + 0.35 * (np.log(size) - world.INDUSTRY_SIZE[industry])
        + world.INDUSTRY_DEAL[industry]
        + world.PRODUCT_DEAL[product]
        + rng.normal(0.0, 0.6, size.size)
    )
    tail = rng.random(size.size) < _TAIL_SHARE
    factor = np.minimum(1.0 + rng.pareto(_TAIL_INDEX, size.size), _TAIL_END)
    log_deal += np.where(tail, np.log(factor), 0.0)
    return np.asarray(np.maximum(np.round(np.exp(log_deal), -2), 1_000.0))


def _logits(
    settings: MarketSettings,
    who: _Customers,
    *,
    product: IntArray,
    deal: FloatArray,
    asks: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """The lead's own log odds, and the part of them that a manager sees.

    Besides the plain effects of columns (``asks`` are those of the lead alone) there is
    the appeal of each product to each trade, the customer's loyalty, and what nobody
    wrote down.
    """
    rng = settings.stream("lead quality")
    n = deal.size
    plain = asks + world.INDUSTRY_EFFECT[who.industry] + world.PRODUCT_EFFECT[product]
    plain += np.where(who.first != np.arange(n), _RETURNING, 0.0)
    plain -= _LARGE_DEAL * (np.log(deal) - np.log(_BASE_DEAL))
    table = rng.normal(0.0, 0.25, (len(world.INDUSTRIES), len(world.PRODUCTS)))
    loyalty = rng.normal(0.0, 0.35, n)[who.first]
    unwritten = rng.normal(0.0, 0.45, n)
    logit = plain + table[who.industry, product] + loyalty + unwritten
    apparent = plain + 0.5 * unwritten + rng.normal(0.0, 0.3, n)
    return logit, (apparent - apparent.mean()) / apparent.std()


def _latent(
    settings: MarketSettings, style: IntArray, industry: IntArray
) -> FloatArray:
    """What makes a rep fit, partly told by the buying style and the trade."""
    rng = settings.stream("latent")
    of_style = rng.normal(0.0, 1.0, (len(world.STYLES), world.N_LATENT))
    of_trade = rng.normal(0.0, 0.5, (len(world.INDUSTRIES), world.N_LATENT))
    own = rng.normal(0.0, 0.6, (style.size, world.N_LATENT))
    return of_style[style] + of_trade[industry] + own


def _grades(rng: np.random.Generator, band: IntArray) -> IntArray:
    """Class A to C: the larger the customer, the likelier an A."""
    worth = band + rng.normal(0.0, 0.6, band.size)
    return np.where(worth > 2.2, 0, np.where(worth > 0.8, 1, 2)).astype(np.int64)


def _hidden(rng: np.random.Generator, code: IntArray, missing: float) -> IntArray:
    return np.where(rng.random(code.size) < missing, -1, code)


def _noted(
    rng: np.random.Generator, amount: FloatArray, *, spread: float, missing: float
) -> FloatArray:
    noted = np.round(amount * np.exp(rng.normal(0.0, spread, amount.size)), -2)
    noted = np.maximum(noted, 500.0)
    return np.where(rng.random(amount.size) < missing, np.nan, noted)
