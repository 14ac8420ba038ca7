"""The reps of a demo market: teams, skills, comings and goings.

Skills are log odds. What a column can tell of them (declared trades, region, tenure)
is a part; the rest shows only in outcomes.
"""

from dataclasses import dataclass

import numpy as np

from experiments import market_places as places
from experiments import market_world as world
from experiments.market_calendar import ZONES, Calendar
from experiments.market_settings import (
    BoolArray,
    FloatArray,
    IntArray,
    MarketSettings,
)

NEVER = 10**6
"""Day of what does not happen."""

RAMP_DAYS = 90
"""How long a newcomer has half the usual limits and weight."""

_TEAM_SIZE = 8
# One role per rep at most; shares of all reps.
_STAYS, _USUAL, _NEWCOMER, _LEAVER, _PAUSED, _PAUSED_NOW, _AWAY_NOW = range(7)
_ROLE_SHARE = {_NEWCOMER: 0.15, _LEAVER: 0.10, _PAUSED: 0.05}
_MANY = 10  # reps from which on one is paused and one on leave at the end
_LEAVES_PER_YEAR = 2.0
_OPEN_DAYS = 50.0  # mean days that a lead stays with its rep, roughly

# Log odds. Columns can tell about half of the variance between reps.
_SKILL = {"industry": 0.05, "product": 0.04, "size": 0.03}
_DECLARED, _SAME_REGION, _NO_LANGUAGE = 0.15, 0.12, -1.5
_LATENT, _GENERAL, _SENIOR, _WALK_PER_MONTH = 0.03, 0.04, 0.03, 0.015
_BEGINNER, _LEARNING_DAYS = -0.25, 90.0
_RESPONSE_EFFECT = -0.02


@dataclass(frozen=True, eq=False, slots=True)
class Reps:
    """The reps, one entry each.

    Attributes:
        region: Sales region.
        zone: Time zone, position in ``market_calendar.ZONES``.
        team: Team, position in ``teams``.
        teams: Names of the teams.
        manager: The rep who leads the team.
        hired: First day; negative before the history starts.
        left: First day away for good, or ``NEVER``.
        paused: First and last day on which the rep took no leads, or ``NEVER``;
            int64 (n_reps, 2).
        leave: Days away, first and last, padded with ``NEVER``; int64 (n_reps, k, 2).
        at_work: Whether the rep takes leads on that day, working days taken for
            granted; bool (n_days, n_reps).
        languages: Spoken; bool (n_reps, n_languages).
        products: Allowed to sell; bool (n_reps, n_products).
        industries: Declared as known; bool (n_reps, n_industries).
        senior: Length of service, standardised.
        holding_limit: Open leads at once, after the ramp.
        intake_per_day: Leads per day, after the ramp.
        response_hours: Usual working time to first touch; hours.
        skills: Log odds by segment: industry, product, size band, region, language;
            each (n_reps, n_codes).
        latent: The fit's side that no column holds; (n_reps, N_LATENT).
        ability: Log odds of the rep alone by day; (n_days, n_reps).
    """

    region: IntArray
    zone: IntArray
    team: IntArray
    teams: tuple[str, ...]
    manager: IntArray
    hired: IntArray
    left: IntArray
    paused: IntArray
    leave: IntArray
    at_work: BoolArray
    languages: BoolArray
    products: BoolArray
    industries: BoolArray
    senior: FloatArray
    holding_limit: IntArray
    intake_per_day: IntArray
    response_hours: FloatArray
    skills: tuple[FloatArray, ...]
    latent: FloatArray
    ability: FloatArray

    @property
    def n_reps(self) -> int:
        """Reps in the market, newcomers and leavers included."""
        return int(self.region.size)

    def in_ramp(self, day: int) -> BoolArray:
        """Who is a newcomer with half limits on that day; bool (n_reps,)."""
        return (self.hired >= 0) & (day < self.hired + RAMP_DAYS)

    def limit_on(self, day: int) -> IntArray:
        """Holding limit of each rep on that day; int64 (n_reps,)."""
        return np.where(
            self.in_ramp(day), (self.holding_limit + 1) // 2, self.holding_limit
        )


def draw_reps(settings: MarketSettings, calendar: Calendar) -> Reps:
    """All reps of the market, by region."""
    rng = settings.stream("reps")
    n = settings.n_reps
    region = _regions(n)
    role = _roles(rng, n)
    staying = role == _STAYS
    hired, left = _service(rng, role, calendar.n_days)
    paused = _pauses(rng, role, calendar.n_days)
    leave = _leaves(rng, role, calendar.n_days)
    team, teams = _teams(region)
    languages = _languages(rng, region, staying)
    industries, skills = _skills(settings, region, languages)
    years = np.log1p((calendar.n_days / 2 - hired).clip(0) / 365.0)
    senior = (years - years.mean()) / max(float(years.std()), 1e-9)
    response = np.exp(rng.normal(np.log(3.0), 0.6, n))
    holding, intake = _limits(rng, settings)
    return Reps(
        region=region,
        zone=_zones(rng, region),
        team=team,
        teams=teams,
        manager=_managers(team, hired, left),
        hired=hired,
        left=left,
        paused=paused,
        leave=leave,
        at_work=_at_work(calendar.n_days, hired, left, paused, leave),
        languages=languages,
        products=_products(rng, staying),
        industries=industries,
        senior=senior,
        holding_limit=holding,
        intake_per_day=intake,
        response_hours=response,
        skills=skills,
        latent=settings.stream("rep fit").normal(0.0, _LATENT, (n, world.N_LATENT)),
        ability=_ability(settings, calendar.n_days, hired, senior, response),
    )


def _regions(n: int) -> IntArray:
    """Reps in proportion to the leads' regions."""
    steps = np.cumsum(places.REGION_SHARE)
    middle = (np.arange(n) + 0.5) / n
    return np.minimum(np.searchsorted(steps, middle), len(places.REGIONS) - 1)


def _roles(rng: np.random.Generator, n: int) -> IntArray:
    """Who comes, goes or is away.

    The first and the last rep stay, speak every language and sell everything, so that
    in a market of any size every lead has somebody who may take it.
    """
    role = np.full(n, _USUAL)
    role[[0, -1]] = _STAYS
    wanted = [r for r, share in _ROLE_SHARE.items() for _ in range(round(share * n))]
    wanted += [_PAUSED_NOW, _AWAY_NOW] if n >= _MANY else []
    order = 1 + rng.permutation(n - 2)
    role[order[: len(wanted)]] = wanted
    return role


def _service(
    rng: np.random.Generator, role: IntArray, n_days: int
) -> tuple[IntArray, IntArray]:
    """First day, and first day away for good."""
    n = role.size
    # Nobody is hired before 1970, however early a market ends.
    hired = -(60 + rng.gamma(2.0, 450.0, n)).clip(0, 4_000).astype(np.int64)
    joins = rng.integers(n_days // 10, n_days * 9 // 10, n)
    goes = rng.integers(n_days * 3 // 10, n_days * 19 // 20, n)
    return (
        np.where(role == _NEWCOMER, joins, hired),
        np.where(role == _LEAVER, goes, NEVER),
    )


def _pauses(rng: np.random.Generator, role: IntArray, n_days: int) -> IntArray:
    """One pause for a few reps."""
    first = rng.integers(0, n_days, role.size)
    span = np.stack([first, first + rng.integers(10, 30, role.size)], axis=1)
    pauses = np.where((role == _PAUSED)[:, None], span, NEVER)
    pauses[role == _PAUSED_NOW] = [n_days - 8, n_days + 20]
    return pauses


def _leaves(rng: np.random.Generator, role: IntArray, n_days: int) -> IntArray:
    """Leave of 3 to 10 days, now and then."""
    n = role.size
    count = rng.poisson(_LEAVES_PER_YEAR * n_days / 365.0, n)
    count[role == _STAYS] = 0
    width = int(count.max(initial=0)) + 1
    first = rng.integers(0, n_days, (n, width))
    span = np.stack([first, first + rng.integers(2, 10, (n, width))], axis=2)
    leave = np.where((np.arange(width) < count[:, None])[:, :, None], span, NEVER)
    leave[role == _AWAY_NOW, -1] = [n_days - 3, n_days + 4]
    order = np.argsort(leave[:, :, 0], axis=1, kind="stable")
    return np.take_along_axis(leave, order[:, :, None], axis=1)


def _at_work(
    n_days: int, hired: IntArray, left: IntArray, paused: IntArray, leave: IntArray
) -> BoolArray:
    day = np.arange(n_days)[:, None]
    there = (day >= hired) & (day < left)
    there &= ~((day >= paused[:, 0]) & (day <= paused[:, 1]))
    for k in range(leave.shape[1]):
        there &= ~((day >= leave[:, k, 0]) & (day <= leave[:, k, 1]))
    return there


def _teams(region: IntArray) -> tuple[IntArray, tuple[str, ...]]:
    """Teams of up to eight within a region."""
    names: list[str] = []
    team = np.zeros(region.size, dtype=np.int64)
    for code, name in enumerate(places.REGIONS):
        members = np.flatnonzero(region == code)
        n_teams = -(-members.size // _TEAM_SIZE)
        for k in range(n_teams):
            team[members[k::n_teams]] = len(names)
            names.append(f"{name} {k + 1}" if n_teams > 1 else name)
    return team, tuple(names)


def _managers(team: IntArray, hired: IntArray, left: IntArray) -> IntArray:
    """The longest-serving member who stays leads the team."""
    rank = np.lexsort([hired, left != NEVER, team])
    starts = np.flatnonzero(np.diff(team[rank], prepend=-1))
    return rank[starts][team]


def _zones(rng: np.random.Generator, region: IntArray) -> IntArray:
    coast = np.where(rng.random(region.size) < 0.3, 2, 1)
    europe = ZONES.index("Europe/Berlin")
    abroad = np.where(region == places.ABROAD, coast, europe)
    return np.where(region < places.ABROAD, 0, abroad).astype(np.int64)


def _languages(
    rng: np.random.Generator, region: IntArray, staying: BoolArray
) -> BoolArray:
    home, europe = region < places.ABROAD, region == len(places.REGIONS) - 1
    draw = rng.random((region.size, 2))
    chinese = home | (~europe & (draw[:, 0] < 0.25))
    english = ~home | (draw[:, 0] < 0.3)
    german = (europe & (draw[:, 1] < 0.6)) | (draw[:, 1] < 0.03)
    return np.stack([chinese, english, german], axis=1) | staying[:, None]


def _products(rng: np.random.Generator, staying: BoolArray) -> BoolArray:
    """A quarter of the reps may sell a part of the products only."""
    shape = (staying.size, len(world.PRODUCTS))
    some = rng.random(shape) < 0.65
    some[:, :2] = True
    return some | (rng.random((staying.size, 1)) >= 0.25) | staying[:, None]


def _skills(
    settings: MarketSettings, region: IntArray, languages: BoolArray
) -> tuple[BoolArray, tuple[FloatArray, ...]]:
    """Declared trades, and log odds by segment; mean 0 over the reps where drawn."""
    rng = settings.stream("skills")
    widths = (len(world.INDUSTRIES), len(world.PRODUCTS), world.N_SIZE_BANDS)
    drawn = [
        rng.normal(0.0, spread, (region.size, width))
        for spread, width in zip(_SKILL.values(), widths, strict=True)
    ]
    declared = _two_each(rng, region.size, widths[0])
    drawn[0] += _DECLARED * declared
    here = region[:, None] == np.arange(len(places.REGIONS))
    tables = [table - table.mean(axis=0) for table in drawn]
    tables.append(np.where(here, _SAME_REGION, 0.0))
    tables.append(np.where(languages, 0.0, _NO_LANGUAGE))
    return declared, tuple(tables)


def _two_each(rng: np.random.Generator, n: int, width: int) -> BoolArray:
    rank = np.argsort(np.argsort(rng.random((n, width)), axis=1), axis=1)
    return np.asarray(rank < 2)


def _limits(
    rng: np.random.Generator, settings: MarketSettings
) -> tuple[IntArray, IntArray]:
    """Limits that the usual flow of leads fits into, and the backlog roughly."""
    backlog = settings.backlog_share * settings.n_leads / settings.n_reps
    flow = (settings.n_leads / settings.n_reps - backlog) / settings.days
    wide = rng.uniform(0.85, 1.15, settings.n_reps)
    holding = np.ceil((1.35 * flow * _OPEN_DAYS + 1.1 * backlog) * wide) + 3
    intake = np.ceil(1.25 * (backlog + flow) * wide) + 1
    return holding.astype(np.int64), intake.astype(np.int64)


def _ability(
    settings: MarketSettings,
    n_days: int,
    hired: IntArray,
    senior: FloatArray,
    response: FloatArray,
) -> FloatArray:
    """The rep alone: talent, tenure, learning, and a random walk over the days."""
    rng = settings.stream("ability")
    talent = rng.normal(0.0, _GENERAL, hired.size) + _SENIOR * senior
    talent += _RESPONSE_EFFECT * (np.log(response) - np.log(3.0))
    step = settings.drift * _WALK_PER_MONTH / np.sqrt(30.0)
    walk = np.cumsum(rng.normal(0.0, 1.0, (n_days, hired.size)) * step, axis=0)
    tenure = np.maximum(np.arange(n_days)[:, None] - hired, 0)
    return np.asarray(talent + walk + _BEGINNER * np.exp(-tenure / _LEARNING_DAYS))
