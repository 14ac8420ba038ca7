"""Months of pool life, honest or with cheats among the reps; the truth is known.

Honest reps claim free leads at random, drop what they cannot sell, follow up in working
hours, write something down more often than not, drive between visits and bring in leads
of which some are unusable. Cheats do all that too, and besides:

- a ring passes its own leads round among two or three reps, now and then losing one;
- an idler touches leads without a word in the last minutes before they drop;
- a traveller writes down visits in towns too far apart;
- an importer brings in a list that nobody could call.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np

from rightrep.domain.collusion import AlarmKind, Brought, FollowUp, Move, Visit
from rightrep.domain.ids import LeadId, RepId
from rightrep.domain.ownership import OwnershipKind

START = datetime(2026, 3, 2, tzinfo=UTC)
DAYS = 30
PROTECTION = timedelta(days=5)
TOWN = 30.66, 104.06
DEGREE_KM = 111.0


@dataclass(frozen=True, kw_only=True)
class PoolMonth:
    """What happened in one month, and who cheated.

    Attributes:
        moves: Changes of owners.
        follow_ups: Follow-ups of owned leads.
        visits: Visits with positions.
        brought: Leads that reps brought in.
        cheats: The reps planted, by what they do; a ring is one entry.
    """

    moves: list[Move] = field(default_factory=list)
    follow_ups: list[FollowUp] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)
    brought: list[Brought] = field(default_factory=list)
    cheats: dict[AlarmKind, list[frozenset[RepId]]] = field(default_factory=dict)


def pool_month(
    seed: int, *, n_reps: int = 24, n_leads: int = 600, cheating: bool
) -> PoolMonth:
    """Draw a month.

    Args:
        seed: Seed of every draw.
        n_reps: Reps; at least 12.
        n_leads: Leads that go through the pool.
        cheating: Whether two rings, an idler, a traveller and an importer are planted.
    """
    rng = np.random.default_rng(seed)
    reps = [RepId(f"rep-{k:03}") for k in range(n_reps)]
    month = PoolMonth()
    for k in range(n_leads):
        _honest_life(month, LeadId(f"lead-{k:05}"), reps, rng)
    for rep in reps:
        _honest_visits(month, rep, rng)
        _bring(month, rep, int(rng.integers(0, 60)), 0.15, rng)
    if cheating:
        _plant(month, [reps[int(k)] for k in rng.permutation(n_reps)], rng)
    return month


def _honest_life(
    month: PoolMonth, lead: LeadId, reps: Sequence[RepId], rng: np.random.Generator
) -> None:
    """A lead is claimed, followed up and perhaps dropped, a few times over."""
    at = START + timedelta(days=float(rng.uniform(0, DAYS - 8)))
    last: RepId | None = None
    for _ in range(int(rng.integers(1, 5))):
        at += timedelta(hours=float(rng.exponential(18)))
        others = [rep for rep in reps if rep != last]
        last = others[int(rng.integers(len(others)))]
        at = _held(month, lead, last, at, rng)


def _held(
    month: PoolMonth, lead: LeadId, rep: RepId, at: datetime, rng: np.random.Generator
) -> datetime:
    """One rep has the lead for a while; when it is free again."""
    _move(month, lead, OwnershipKind.CLAIMED, rep, None, at)
    due = at + PROTECTION
    for _ in range(int(rng.poisson(2))):
        at += timedelta(hours=float(rng.uniform(2, 100)))
        if at >= due:
            break
        month.follow_ups.append(
            FollowUp(
                lead_id=lead,
                rep_id=rep,
                at=at,
                left=due - at,
                empty=bool(rng.random() < 0.35),
            )
        )
        due = at + PROTECTION
    late = rng.random() < 0.3
    at = due if late else at + timedelta(hours=float(rng.uniform(1, 60)))
    kind = OwnershipKind.RECYCLED if late else OwnershipKind.DROPPED
    _move(month, lead, kind, None, rep, at)
    return at


def _honest_visits(month: PoolMonth, rep: RepId, rng: np.random.Generator) -> None:
    for day in range(0, DAYS, 3):
        at = START + timedelta(days=day, hours=1)
        place = np.array(TOWN) + rng.normal(0, 0.2, 2)
        for stop in range(int(rng.integers(1, 6))):
            goal = np.array(TOWN) + rng.normal(0, 0.2, 2)
            km = float(np.hypot(*(goal - place))) * DEGREE_KM
            at += timedelta(hours=0.3 + km / float(rng.uniform(20, 80)))
            place = goal
            _visit(month, rep, f"{day}-{stop}", at, (float(place[0]), float(place[1])))


def _bring(
    month: PoolMonth, rep: RepId, n: int, junk: float, rng: np.random.Generator
) -> None:
    day = int(rng.integers(0, DAYS))
    at = START + timedelta(days=day, hours=3)
    month.brought.extend(
        Brought(
            lead_id=LeadId(f"own-{rep}-{day}-{k}"),
            rep_id=rep,
            at=at + timedelta(seconds=k),
            day=at.date().isoformat(),
            usable=bool(rng.random() >= junk),
        )
        for k in range(n)
    )


def _plant(month: PoolMonth, reps: Sequence[RepId], rng: np.random.Generator) -> None:
    pair, three = list(reps[:2]), list(reps[2:5])
    for ring in (pair, three):
        for k in range(5):
            _round_trip(month, LeadId(f"kept-{ring[0]}-{k}"), ring, reps, rng)
    _idle(month, reps[5], rng)
    _travel(month, reps[6], rng)
    _bring(month, reps[7], 60, 0.7, rng)
    month.cheats.update(
        {
            AlarmKind.RING: [frozenset(pair), frozenset(three)],
            AlarmKind.EMPTY_FOLLOW_UPS: [frozenset(reps[5:6])],
            AlarmKind.IMPOSSIBLE_VISITS: [frozenset(reps[6:7])],
            AlarmKind.JUNK_IMPORTS: [frozenset(reps[7:8])],
        }
    )


def _round_trip(
    month: PoolMonth,
    lead: LeadId,
    ring: Sequence[RepId],
    reps: Sequence[RepId],
    rng: np.random.Generator,
) -> None:
    """The lead goes round once or twice; a stranger may be faster now and then."""
    at = START + timedelta(days=float(rng.uniform(0, 10)))
    for rep in [*list(ring) * int(rng.integers(1, 3)), ring[0]]:
        taker = rep if rng.random() < 0.9 else reps[int(rng.integers(len(reps)))]
        _move(month, lead, OwnershipKind.CLAIMED, taker, None, at)
        at += timedelta(hours=float(rng.uniform(20, 80)))
        _move(month, lead, OwnershipKind.DROPPED, None, taker, at)
        at += timedelta(minutes=float(rng.exponential(120)))


def _idle(month: PoolMonth, rep: RepId, rng: np.random.Generator) -> None:
    for k in range(12):
        at = START + timedelta(days=float(rng.uniform(1, DAYS - 1)))
        month.follow_ups.append(
            FollowUp(
                lead_id=LeadId(f"idle-{k}"),
                rep_id=rep,
                at=at,
                left=timedelta(minutes=float(rng.uniform(2, 55))),
                empty=True,
            )
        )


def _travel(month: PoolMonth, rep: RepId, rng: np.random.Generator) -> None:
    """Half an hour after one visit, another one 100 to 400 km away."""
    for k in range(4):
        at = START + timedelta(days=2 + 6 * k, hours=12)
        north = float(rng.uniform(1, 4))
        _visit(month, rep, f"here-{k}", at, TOWN)
        there = TOWN[0] + north, TOWN[1]
        _visit(month, rep, f"there-{k}", at + timedelta(minutes=30), there)


def _move(
    month: PoolMonth,
    lead: LeadId,
    kind: OwnershipKind,
    owner: RepId | None,
    before: RepId | None,
    at: datetime,
) -> None:
    month.moves.append(
        Move(lead_id=lead, kind=kind, owner=owner, previous_owner=before, at=at)
    )


def _visit(
    month: PoolMonth, rep: RepId, name: str, at: datetime, place: tuple[float, float]
) -> None:
    month.visits.append(
        Visit(
            lead_id=LeadId(f"visited-{rep}-{name}"),
            rep_id=rep,
            at=at,
            latitude=place[0],
            longitude=place[1],
        )
    )
