"""Demo markets with a known truth: for demos, tests, benchmarks and honest figures.

The same settings give the same market, byte for byte. Its outcomes come from
``Market.truth``, which knows the chance of every rep with every lead; no feature and no
optimiser ever sees it. With ``rep_effect=0`` the rep does not matter: the null world.

>>> market = small_market(seed=1)
>>> market.leads.n_leads, market.reps.n_reps, market.unassigned.size
(1500, 12, 90)

Modules, in the order things are made::

    market_settings, market_calendar      size, seed, end; days, holidays, office hours
    market_places, market_world           cities, trades, products, effects
    market_leads, market_reps             who comes, who is there
    market_truth                          the chance of every pair; letting it happen
    market_past                           the old organisation's decisions, day by day
    market_story, market_activities       versions of leads; what was done
    market_records, market_tables         what the CRM knows by the end, as ``History``
    market_names, _numbers, _people       companies, contacts, phones, credit codes
    market_exports, market_copies         files to import; untidy second records
    market                                all of it together
"""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from experiments.market import Market
from experiments.market_calendar import Calendar
from experiments.market_exports import cost_rows, write_files
from experiments.market_leads import draw_leads
from experiments.market_past import make_past
from experiments.market_reps import draw_reps
from experiments.market_settings import (
    CURRENCY,
    DEFAULT_END,
    ZONE,
    BoolArray,
    FloatArray,
    IntArray,
    MarketSettings,
)
from experiments.market_truth import NOBODY, WON, Ending, Truth, state_truth
from rightrep.errors import InvalidInput

__all__ = [
    "CURRENCY",
    "DEFAULT_END",
    "ZONE",
    "Batch",
    "DemoSummary",
    "Ending",
    "Market",
    "MarketSettings",
    "Truth",
    "batch",
    "kept_settings",
    "simulate",
    "small_market",
    "write_demo",
    "write_exports",
]

SETTINGS_FILE = "market.json"
"""What ``write_demo`` keeps of a market beside its files."""

_PRIOR_LEADS = 20.0


@dataclass(frozen=True, eq=False)
class Batch:
    """Leads to share out and reps to take them, with the truth; n leads, m reps.

    Field names are those of ``optimizer.problem.Problem`` where it has them.

    Attributes:
        leads: Positions in the market; int64 (n,).
        reps: Positions in the market; int64 (m,).
        p_win: True chance to win within the label window; float32 (n, m).
        deal_value: Expected money if won; float64 (n,).
        value: ``p_win`` x ``deal_value``; float32 (n, m).
        eligible: Whether language and product allow the pair; bool (n, m).
        capacity: Slots per rep, alike up to one, n in all; int64 (m,).
        load: Open leads at the market's end; int64 (m,).
        weight: Wanted load, 0.5 for newcomers; float64 (m,).
        waited: Seconds since the rep was last given a lead; float64 (m,).
        previous_rep: Position in ``reps`` of who served the customer before, or -1;
            int64 (n,).
        win_rate: Share of closed leads won, shrunk to the mean; float64 (m,).
        group: Team; int64 (m,).
        quality: Mean of ``p_win`` over the reps; float64 (n,).
    """

    leads: IntArray
    reps: IntArray
    p_win: NDArray[np.float32]
    deal_value: FloatArray
    value: NDArray[np.float32]
    eligible: BoolArray
    capacity: IntArray
    load: IntArray
    weight: FloatArray
    waited: FloatArray
    previous_rep: IntArray
    win_rate: FloatArray
    group: IntArray
    quality: FloatArray


@dataclass(frozen=True, kw_only=True)
class DemoSummary:
    """What ``write_demo`` wrote.

    Attributes:
        files: Path of each file, in the order to import them.
        rows: Rows of each file, the header left out.
        n_leads: Leads.
        n_reps: Reps.
        n_unassigned: Leads waiting for a rep at the end.
        n_open: Leads that a rep has open at the end.
        win_share: Part of all outcomes that were won.
        start: First instant of the market.
        end: Last instant of the market.
    """

    files: dict[str, Path]
    rows: dict[str, int]
    n_leads: int
    n_reps: int
    n_unassigned: int
    n_open: int
    win_share: float
    start: datetime
    end: datetime


def simulate(settings: MarketSettings) -> Market:
    """Make a market: its leads, reps and truth, then the past day by day."""
    calendar = Calendar.of(settings)
    leads = draw_leads(settings, calendar)
    reps = draw_reps(settings, calendar)
    truth = state_truth(settings, calendar, leads, reps)
    past = make_past(settings, calendar, leads, reps, truth)
    return Market(settings, calendar, leads, reps, past, truth)


def small_market(seed: int = 1, *, rep_effect: float = 1.0) -> Market:
    """A market that is made in a moment: 1,500 leads, 12 reps, 240 days."""
    return simulate(
        MarketSettings(
            n_leads=1_500, n_reps=12, days=240, seed=seed, rep_effect=rep_effect
        )
    )


def batch(
    market: Market, n_leads: int, n_reps: int, *, seed: int = 0, day: int | None = None
) -> Batch:
    """Some leads and reps of a market as arrays with their true values.

    Args:
        market: Where they come from.
        n_leads: Leads wanted, drawn at random from all; at most the market's.
        n_reps: Reps wanted, likewise.
        seed: Which ones.
        day: Day of the decision; None lets each lead be decided as it arrives, with
            the reps as they are then.

    Raises:
        InvalidInput: The market has fewer leads or reps.
    """
    rng = np.random.default_rng([market.settings.seed, seed])
    leads = _some(rng, market.leads.n_leads, n_leads, "n_leads")
    reps = _some(rng, market.reps.n_reps, n_reps, "n_reps")
    p_win = market.truth.grid(leads, reps, day=day)
    deal_value = market.leads.deal_value[leads]
    place = np.full(market.reps.n_reps + 1, NOBODY)
    place[reps] = np.arange(reps.size)
    return Batch(
        leads=leads,
        reps=reps,
        p_win=p_win,
        deal_value=deal_value,
        value=p_win * deal_value[:, None].astype(np.float32),
        eligible=market.eligible(leads, reps),
        capacity=_equal_slots(rng, n_leads, n_reps),
        load=market.held[reps],
        weight=np.where(market.reps.in_ramp(market.today)[reps], 0.5, 1.0),
        waited=_waited(market)[reps],
        previous_rep=place[market.truth.previous_rep[leads]],
        win_rate=_win_rates(market)[reps],
        group=market.reps.team[reps],
        quality=p_win.mean(axis=1, dtype=np.float64),
    )


def write_exports(market: Market, folder: Path) -> dict[str, Path]:
    """Write leads, reps, decisions, outcomes and activities as CSV files.

    Headers are the importer's canonical fields; no mapping is needed.

    Returns:
        Path of each file by kind.
    """
    return market.write_exports(folder)


def write_demo(folder: Path, settings: MarketSettings) -> DemoSummary:
    """Make a market and write it as the files an old CRM would export."""
    market = simulate(settings)
    tables = {**market.exports(), "costs": cost_rows(market.channel_costs())}
    files = write_files(folder, tables)
    told = asdict(settings) | {"end": settings.end.isoformat()}
    (folder / SETTINGS_FILE).write_text(json.dumps(told, indent=2))
    order = ("reps", "leads", "decisions", "outcomes", "activities", "costs")
    won = np.asarray(tables["outcomes"]["result"]) == "won"
    zone = settings.end.tzinfo
    return DemoSummary(
        files={name: files[name] for name in order},
        rows={name: tables[name].num_rows for name in order},
        n_leads=market.leads.n_leads,
        n_reps=market.reps.n_reps,
        n_unassigned=market.unassigned.size,
        n_open=int(market.held.sum()),
        win_share=float(won.mean()),
        start=datetime.fromtimestamp(market.calendar.midnight, zone),
        end=settings.end,
    )


def kept_settings(folder: Path) -> MarketSettings:
    """The settings of the market that ``write_demo`` wrote to a folder.

    They give the same market again, with its truth.

    Raises:
        InvalidInput: No market was written there.
    """
    try:
        told = json.loads((folder / SETTINGS_FILE).read_text())
        return MarketSettings(**told | {"end": datetime.fromisoformat(told["end"])})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InvalidInput(
            f"There is no demo market in {folder}.",
            remedy="Make one with `rightrep demo`.",
        ) from error


def _some(rng: np.random.Generator, there: int, wanted: int, field: str) -> IntArray:
    if not 0 <= wanted <= there:
        raise InvalidInput(
            f"{field} is {wanted}; the market has {there}.",
            field=field,
            remedy="Ask for fewer, or make a larger market.",
        )
    return np.sort(rng.choice(there, wanted, replace=False))


def _equal_slots(rng: np.random.Generator, n_leads: int, n_reps: int) -> IntArray:
    capacity = np.full(n_reps, n_leads // max(n_reps, 1), dtype=np.int64)
    capacity[rng.permutation(n_reps)[: n_leads - int(capacity.sum())]] += 1
    return capacity


def _waited(market: Market) -> FloatArray:
    """Since the start of the market for reps who never got a lead."""
    last = np.full(market.reps.n_reps, market.calendar.midnight)
    np.maximum.at(last, market.past.rep, market.past.decided_at)
    return (market.calendar.end - last).astype(np.float64)


def _win_rates(market: Market) -> FloatArray:
    past = market.past
    seen = past.closed_at < market.calendar.end
    closed = np.bincount(past.rep[seen], minlength=market.reps.n_reps)
    won = np.bincount(
        past.rep[seen & (past.result == WON)], minlength=market.reps.n_reps
    )
    mean = won.sum() / max(int(closed.sum()), 1)
    return np.asarray((won + _PRIOR_LEADS * mean) / (closed + _PRIOR_LEADS))
