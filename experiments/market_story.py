"""What the CRM wrote about each lead, and when: the versions of its attributes.

What is written after a decision knows how things go: budgets rise on the way to a win
and shrink before a loss, the deal value is revised, company sizes are filled in for
those who get far. Whoever reads the last version for the time of the decision sees the
future.
"""

from dataclasses import dataclass

import numpy as np

from experiments.market_calendar import DAY, HOUR, Calendar
from experiments.market_leads import Leads
from experiments.market_past import FOREVER, Past
from experiments.market_reps import Reps
from experiments.market_settings import (
    BoolArray,
    FloatArray,
    IntArray,
    MarketSettings,
)
from experiments.market_truth import LOST, NOBODY, OPEN, WON

STAGES = (
    "new",
    "contacted",
    "qualified",
    "proposal",
    "negotiation",
    "won",
    "lost",
)

_CONTACTED, _QUALIFIED, _PROPOSAL, _NEGOTIATION, _WON_STAGE = 1, 2, 3, 4, 5
_KEEP = -2  # "as in the version before"
_LOST_DEPTH = np.array([0.35, 0.65, 0.87])  # reached contacted, qualified, proposal
_ENRICHED_SHARE = 0.08


@dataclass(frozen=True, eq=False, slots=True)
class Story:
    """When each decision was followed by which step; ``FOREVER`` where it never was.

    Attributes:
        touched_at: First touch by the rep.
        until: Close, release, or the end of the label window for what stays open.
        step_at: When the lead became contacted, qualified, proposal, negotiation;
            int64 (n_decisions, 4).
    """

    touched_at: IntArray
    until: IntArray
    step_at: IntArray


@dataclass(frozen=True, eq=False, slots=True)
class Versions:
    """Versions of lead attributes by lead and time; what is not here never changes.

    Attributes:
        lead: Lead.
        valid_from: Instant, rising within a lead.
        stage: Position in ``STAGES``.
        owner: Rep who has the lead, or -1.
        size_known: Whether the company size is filled in.
        budget: Major units; NaN where missing.
        estimate: Deal value as estimated then; major units, NaN where missing.
    """

    lead: IntArray
    valid_from: IntArray
    stage: IntArray
    owner: IntArray
    size_known: BoolArray
    budget: FloatArray
    estimate: FloatArray


def tell_story(
    settings: MarketSettings, calendar: Calendar, reps: Reps, past: Past
) -> Story:
    """Touches and steps between each decision and its close."""
    rng = settings.stream("story")
    until = np.minimum(past.closed_at, past.released_at)
    window = past.decided_at + settings.label_window_days * DAY
    until = np.where(until == FOREVER, window, until)
    touched = _first_touch(calendar, reps, past, until, rng)
    part = np.sort(rng.uniform(0.15, 0.95, (past.lead.size, 3)), axis=1)
    steps = touched[:, None] + (part * (until - touched)[:, None]).astype(np.int64)
    step_at = np.column_stack([touched, steps])
    reached = np.arange(_CONTACTED, _NEGOTIATION + 1) <= _depth(rng, past)[:, None]
    return Story(touched, until, np.where(reached, step_at, FOREVER))


def write_versions(
    settings: MarketSettings, calendar: Calendar, leads: Leads, past: Past, story: Story
) -> Versions:
    """All versions that were written by the market's end."""
    rng = settings.stream("versions")
    rows = _Rows()
    n = leads.n_leads
    rows.add(
        np.arange(n),
        leads.created,
        stage=np.zeros(n, dtype=np.int64),
        owner=np.full(n, NOBODY),
        size=leads.size_known,
        budget=leads.budget,
        estimate=leads.estimate,
    )
    _add_steps(rows, rng, leads, past, story)
    _add_moves(rows, past)
    enriched = np.flatnonzero(rng.random(n) < _ENRICHED_SHARE)
    wait = rng.integers(6 * HOUR, 3 * DAY, enriched.size)
    rows.add(
        enriched, leads.created[enriched] + wait, size=np.ones(enriched.size, np.bool_)
    )
    return rows.versions(calendar.end)


def _first_touch(
    calendar: Calendar,
    reps: Reps,
    past: Past,
    until: IntArray,
    rng: np.random.Generator,
) -> IntArray:
    """In the rep's working hours, by the rep's habit; always before the close."""
    usual = np.log(reps.response_hours[past.rep])
    hours = np.exp(usual + rng.normal(0.0, 0.7, past.rep.size))
    wanted = past.decided_at + 300 + (hours * HOUR).astype(np.int64)
    touched = calendar.into_hours(wanted, reps.zone[past.rep], rng)
    early = past.decided_at + (until - past.decided_at) // 2
    return np.where(touched < until, touched, early)


def _depth(rng: np.random.Generator, past: Past) -> IntArray:
    """The furthest open step each decision reached."""
    lost = _CONTACTED + np.searchsorted(_LOST_DEPTH, rng.random(past.lead.size))
    idle = np.where(rng.random(past.lead.size) < 0.7, _CONTACTED, _QUALIFIED)
    return np.select(
        [past.result == WON, past.result == OPEN], [_NEGOTIATION, idle], lost
    )


def _add_steps(
    rows: "_Rows", rng: np.random.Generator, leads: Leads, past: Past, story: Story
) -> None:
    """One version per step, and one for the close."""
    count = past.lead.size
    deal, won = leads.deal_value[past.lead], past.result == WON
    lost = past.result == LOST
    rise = np.select([won, lost], [0.15, -0.25], 0.0)
    budget = deal * np.exp(rise + rng.normal(0.0, 0.2, count))
    rise = np.select([won, lost], [0.03, -0.15], 0.0)
    estimate = deal * np.exp(rise + rng.normal(0.0, 0.12, count))
    known = np.ones(count, dtype=np.bool_)
    for column, stage in enumerate(range(_CONTACTED, _NEGOTIATION + 1)):
        rows.add(
            past.lead,
            story.step_at[:, column],
            stage=np.full(count, stage),
            owner=past.rep,
            size=known if stage == _QUALIFIED else None,
            budget=np.round(budget, -2) if stage == _QUALIFIED else None,
            estimate=np.round(estimate, -2) if stage == _PROPOSAL else None,
        )
    rows.add(past.lead, past.closed_at, stage=np.where(won, _WON_STAGE, _WON_STAGE + 1))


def _add_moves(rows: "_Rows", past: Past) -> None:
    """Owners who change without a decision."""
    moved = np.flatnonzero(past.moved_at < FOREVER)
    rows.add(past.lead[moved], past.moved_at[moved], owner=past.moved_to[moved])
    back = np.flatnonzero(past.released_at < FOREVER)
    nobody = np.full(back.size, NOBODY)
    rows.add(past.lead[back], past.released_at[back], owner=nobody)


class _Rows:
    """Changes collected, then put in order and carried forward within each lead."""

    def __init__(self) -> None:
        self._parts: list[dict[str, np.ndarray]] = []

    def add(
        self,
        lead: IntArray,
        at: IntArray,
        *,
        stage: IntArray | None = None,
        owner: IntArray | None = None,
        size: BoolArray | None = None,
        budget: FloatArray | None = None,
        estimate: FloatArray | None = None,
    ) -> None:
        """One row per lead; None leaves a column as it was."""
        keep = np.full(lead.size, _KEEP)
        part = {
            "lead": lead,
            "at": at,
            "stage": keep if stage is None else stage,
            "owner": keep if owner is None else owner,
            "size": np.zeros(lead.size, np.bool_) if size is None else size,
        }
        for name, amount in (("budget", budget), ("estimate", estimate)):
            part[name] = keep.astype(float) if amount is None else amount
        self._parts.append(part)

    def versions(self, end: int) -> Versions:
        """Everything dated before ``end``, one version per lead and second."""
        joined = {
            name: np.concatenate([part[name] for part in self._parts])
            for name in self._parts[0]
        }
        seen = np.flatnonzero(joined["at"] < end)
        order = seen[np.lexsort([joined["at"][seen], joined["lead"][seen]])]
        rows = {name: column[order] for name, column in joined.items()}
        lead, at = rows["lead"], rows["at"]
        last = np.append((lead[1:] != lead[:-1]) | (at[1:] != at[:-1]), True)
        starts = np.flatnonzero(np.diff(lead, prepend=-1))
        known = _known_since(rows["size"], starts, lead.size)
        return Versions(
            lead[last],
            at[last],
            _carried(rows["stage"])[last],
            _carried(rows["owner"])[last],
            known[last],
            _carried(rows["budget"])[last],
            _carried(rows["estimate"])[last],
        )


def _carried(column: np.ndarray) -> np.ndarray:
    """The last value set; each lead's first row sets all, so leads do not mix."""
    set_at = np.where(column != _KEEP, np.arange(column.size), 0)
    return np.asarray(column[np.maximum.accumulate(set_at)])


def _known_since(filled: BoolArray, starts: IntArray, size: int) -> BoolArray:
    """Whether a row of the same lead, up to this one, has filled the size in."""
    total = np.cumsum(filled)
    before: IntArray = np.repeat(
        total[starts] - filled[starts], np.diff(starts, append=size)
    )
    return np.asarray(total > before)
