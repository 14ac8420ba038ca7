"""Cheating with pools: what honest chance does not explain, with the evidence.

Four things are noticed, each a pure function from what happened to alarms:

- ``rings``: reps pass leads around, A drops, B takes and drops, A retakes, or by way of
  more reps. One retake can be chance; a ring takes back more than chance would give it.
- ``empty_follow_ups``: follow-ups without content just before a lead would drop back,
  more of them than the other reps' habits explain;
- ``impossible_visits``: visits farther apart than their times allow;
- ``junk_imports``: a rep brings in leads that nobody could call, by the dozen.

An alarm is a question to a manager, never a verdict. How surprising it is comes from a
binomial tail: the chance of at least so many if the rep were like the others.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Any

import numpy as np

from rightrep.domain.given import require_known, require_number
from rightrep.domain.ids import LeadId, RepId
from rightrep.domain.ownership import OwnershipKind
from rightrep.domain.positions import great_circle_km
from rightrep.errors import InvalidInput

SETTING = "cheating"
"""Name of the limits among ``Tenant.settings``."""

MOST = 1e6
_AWAY = frozenset({OwnershipKind.DROPPED, OwnershipKind.RECYCLED})
_TINY = 1e-12


class AlarmKind(StrEnum):
    """What looks like cheating."""

    RING = "ring"
    EMPTY_FOLLOW_UPS = "empty_follow_ups"
    IMPOSSIBLE_VISITS = "impossible_visits"
    JUNK_IMPORTS = "junk_imports"


class Severity(StrEnum):
    """How soon a manager should look."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


@dataclass(frozen=True, kw_only=True, slots=True)
class CheatingLimits:
    """From where on something is noticed.

    Attributes:
        window_days: How far back is looked; positive.
        pass_hours: A dropped lead taken by another rep within this time was passed on.
        ring_returns: Fewest returns of leads to a rep through the same reps.
        last_minutes: A follow-up is late in the last minutes before the drop.
        empty_least: Fewest empty late follow-ups.
        visit_kmh: Nobody travels faster, straight distances over time between visits.
        visit_km: Distances below are taken for an inexact position.
        junk_least: Fewest unusable leads of one rep and day.
        surprise: Chance under honest habits below which an alarm is raised; in (0, 1).

    Raises:
        InvalidInput: A number makes no sense.
    """

    window_days: int = 30
    pass_hours: float = 72.0
    ring_returns: int = 2
    last_minutes: float = 60.0
    empty_least: int = 5
    visit_kmh: float = 150.0
    visit_km: float = 2.0
    junk_least: int = 20
    surprise: float = 0.001

    def __post_init__(self) -> None:
        for name in CheatingLimits.__slots__:
            high = 1.0 if name == "surprise" else MOST
            require_number(getattr(self, name), f"{SETTING}.{name}", low=0.0, high=high)
            if not getattr(self, name) > 0:
                raise InvalidInput(f"{name} is positive.", field=f"{SETTING}.{name}")

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "CheatingLimits":
        """From a tenant's settings; what is not set takes its default.

        Raises:
            InvalidInput: A name is unknown or a value makes no sense.
        """
        names = {one.name for one in fields(cls)}
        return cls(**require_known(settings.get(SETTING, {}), names, SETTING))


@dataclass(frozen=True, kw_only=True, slots=True)
class Alarm:
    """Something that a manager should look at.

    Attributes:
        kind: What it looks like.
        reps: Who is concerned, sorted.
        leads: The leads it is seen on, sorted.
        first_at: When it began.
        last_at: When it was last seen.
        severity: How soon to look.
        chance: Chance of at least this under honest habits; in [0, 1].
        facts: Numbers of the evidence, by name.
    """

    kind: AlarmKind
    reps: tuple[RepId, ...]
    leads: tuple[LeadId, ...]
    first_at: datetime
    last_at: datetime
    severity: Severity
    chance: float
    facts: Mapping[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Move:
    """One change of a lead's owner.

    Attributes:
        lead_id: The lead.
        kind: What happened.
        owner: Who has it afterwards, or None.
        previous_owner: Who had it before, or None.
        at: When.
    """

    lead_id: LeadId
    kind: OwnershipKind
    owner: RepId | None
    previous_owner: RepId | None
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class FollowUp:
    """One follow-up of an owned lead.

    Attributes:
        lead_id: The lead.
        rep_id: Who followed up.
        at: When.
        left: Time until the lead would have dropped back; None where it would not.
        empty: Whether it says nothing: no result, no note, no score.
    """

    lead_id: LeadId
    rep_id: RepId
    at: datetime
    left: timedelta | None
    empty: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Visit:
    """A visit with its position, in degrees."""

    lead_id: LeadId
    rep_id: RepId
    at: datetime
    latitude: float
    longitude: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Brought:
    """A lead that a rep brought in.

    Attributes:
        lead_id: The lead.
        rep_id: Who had it first.
        at: When.
        day: The tenant's local day, in ISO form.
        usable: Whether anybody could call or write: a contact that is not impossible.
    """

    lead_id: LeadId
    rep_id: RepId
    at: datetime
    day: str
    usable: bool


def rings(moves: Iterable[Move], limits: CheatingLimits) -> list[Alarm]:
    """Reps among whom leads go round.

    A chain is a lead dropped by one rep and taken by another within ``pass_hours``,
    once or more often in a row. Each time its last rep drops the lead, whoever takes it
    next either closes the ring (has dropped it in this chain) or does not. Honest reps
    are taken to claim a free lead all equally likely.

    Args:
        moves: What happened within the window, in any order.
        limits: From where on it is noticed.
    """
    of_lead: dict[LeadId, list[Move]] = defaultdict(list)
    takers: set[RepId] = set()
    for move in moves:
        of_lead[move.lead_id].append(move)
        if move.kind is OwnershipKind.CLAIMED and move.owner is not None:
            takers.add(move.owner)
    tried: Counter[frozenset[RepId]] = Counter()
    returned: dict[frozenset[RepId], list[tuple[LeadId, datetime]]] = defaultdict(list)
    for lead_id, story in of_lead.items():
        for chain, closes, at in _chances(story, limits):
            tried[chain] += 1
            if closes:
                returned[chain].append((lead_id, at))
    return [
        _ring(chain, found, tried[chain], len(takers))
        for chain, found in returned.items()
        if len(found) >= limits.ring_returns
        and _tail(len(found), tried[chain], _by_chance(len(takers))) < limits.surprise
    ]


def _chances(
    story: list[Move], limits: CheatingLimits
) -> Iterable[tuple[frozenset[RepId], bool, datetime]]:
    """Each time a passed-on lead is free: who could close which ring, and who did."""
    story.sort(key=lambda move: move.at)
    chain: list[RepId] = []
    for free, taken in pairwise(story):
        passed = _passed(free, taken, timedelta(hours=limits.pass_hours))
        if passed is None:
            chain = chain if taken.kind in _AWAY else []
            continue
        dropper, taker = passed
        if not chain or chain[-1] != dropper:
            chain = [*chain, dropper]
        for start, head in enumerate(chain[:-1]):
            yield frozenset(chain[start:]), head == taker, taken.at
        if taker in chain:
            chain = []


def _passed(free: Move, taken: Move, patience: timedelta) -> tuple[RepId, RepId] | None:
    """Who dropped the lead and who took it at once; None where it was not so."""
    if free.kind not in _AWAY or taken.kind is not OwnershipKind.CLAIMED:
        return None
    if free.previous_owner is None or taken.owner is None:
        return None
    return (
        (free.previous_owner, taken.owner) if taken.at - free.at <= patience else None
    )


def _by_chance(n_takers: int) -> float:
    """Chance that an honest taker of a free lead is the one who closes the ring."""
    return 1.0 / max(n_takers - 1, 1)


def _ring(
    chain: frozenset[RepId],
    found: Sequence[tuple[LeadId, datetime]],
    n_tried: int,
    n_takers: int,
) -> Alarm:
    leads = {lead_id for lead_id, _ in found}
    times = [at for _, at in found]
    by_chance = _by_chance(n_takers)
    return Alarm(
        kind=AlarmKind.RING,
        reps=tuple(sorted(chain)),
        leads=tuple(sorted(leads)),
        first_at=min(times),
        last_at=max(times),
        severity=_graded(len(found), 3, 6),
        chance=_tail(len(found), n_tried, by_chance),
        facts={
            "returns": len(found),
            "chances": n_tried,
            "expected": n_tried * by_chance,
            "leads": len(leads),
        },
    )


def empty_follow_ups(
    follow_ups: Iterable[FollowUp], limits: CheatingLimits
) -> list[Alarm]:
    """Reps who keep leads by follow-ups without content in the last minutes.

    Args:
        follow_ups: Those of the window.
        limits: From where on it is noticed.
    """
    late = timedelta(minutes=limits.last_minutes)
    total: Counter[RepId] = Counter()
    bad: dict[RepId, list[FollowUp]] = defaultdict(list)
    for one in follow_ups:
        total[one.rep_id] += 1
        if one.empty and one.left is not None and timedelta(0) < one.left <= late:
            bad[one.rep_id].append(one)
    alarms = []
    for rep_id, found in bad.items():
        rate = _others_rate(
            len(found), total[rep_id], sum(map(len, bad.values())), total.total()
        )
        chance = _tail(len(found), total[rep_id], rate)
        if len(found) >= limits.empty_least and chance < limits.surprise:
            alarms.append(
                Alarm(
                    kind=AlarmKind.EMPTY_FOLLOW_UPS,
                    reps=(rep_id,),
                    leads=tuple(sorted({one.lead_id for one in found})),
                    first_at=min(one.at for one in found),
                    last_at=max(one.at for one in found),
                    severity=_graded(len(found), 10, 20),
                    chance=chance,
                    facts={
                        "empty": len(found),
                        "follow_ups": total[rep_id],
                        "expected": total[rep_id] * rate,
                        "minutes": limits.last_minutes,
                    },
                )
            )
    return alarms


def impossible_visits(visits: Iterable[Visit], limits: CheatingLimits) -> list[Alarm]:
    """Reps whose visits follow one another faster than anybody travels.

    Args:
        visits: Those of the window that have a position.
        limits: From where on it is noticed.
    """
    of_rep: dict[RepId, list[Visit]] = defaultdict(list)
    for visit in visits:
        of_rep[visit.rep_id].append(visit)
    alarms = []
    for rep_id, made in of_rep.items():
        made.sort(key=lambda visit: (visit.at, visit.lead_id))
        legs = [(a, b, *_leg(a, b)) for a, b in pairwise(made)]
        wrong = [
            leg
            for leg in legs
            if leg[2] > limits.visit_km and leg[2] > leg[3] * limits.visit_kmh
        ]
        if not wrong:
            continue
        farthest = max(wrong, key=lambda leg: leg[2])
        alarms.append(
            Alarm(
                kind=AlarmKind.IMPOSSIBLE_VISITS,
                reps=(rep_id,),
                leads=tuple(sorted({v.lead_id for leg in wrong for v in leg[:2]})),
                first_at=wrong[0][0].at,
                last_at=wrong[-1][1].at,
                severity=_graded(len(wrong), 3, 6),
                chance=0.0,
                facts={
                    "legs": len(wrong),
                    "visits": len(made),
                    "km": farthest[2],
                    "minutes": 60 * farthest[3],
                },
            )
        )
    return alarms


def _leg(start: Visit, end: Visit) -> tuple[float, float]:
    """Kilometres over the sphere, and hours, between two visits."""
    places = [(np.array(v.latitude), np.array(v.longitude)) for v in (start, end)]
    km = float(great_circle_km(*places))
    return km, (end.at - start.at).total_seconds() / 3600


def junk_imports(brought: Iterable[Brought], limits: CheatingLimits) -> list[Alarm]:
    """Reps who bring in leads that nobody could call, by the dozen on one day.

    Args:
        brought: Leads of the window that reps brought in.
        limits: From where on it is noticed.
    """
    all_of: dict[tuple[RepId, str], list[Brought]] = defaultdict(list)
    total: Counter[RepId] = Counter()
    junk: Counter[RepId] = Counter()
    for one in brought:
        all_of[one.rep_id, one.day].append(one)
        total[one.rep_id] += 1
        junk[one.rep_id] += not one.usable
    alarms = []
    for (rep_id, _), found in all_of.items():
        bad = [one for one in found if not one.usable]
        rate = _others_rate(junk[rep_id], total[rep_id], junk.total(), total.total())
        chance = _tail(len(bad), len(found), rate)
        if len(bad) >= limits.junk_least and chance < limits.surprise:
            alarms.append(
                Alarm(
                    kind=AlarmKind.JUNK_IMPORTS,
                    reps=(rep_id,),
                    leads=tuple(sorted(one.lead_id for one in bad)),
                    first_at=min(one.at for one in bad),
                    last_at=max(one.at for one in bad),
                    severity=_graded(len(bad), 50, 200),
                    chance=chance,
                    facts={
                        "unusable": len(bad),
                        "brought": len(found),
                        "expected": len(found) * rate,
                    },
                )
            )
    return alarms


def barred_by_rings(alarms: Iterable[Alarm]) -> dict[LeadId, frozenset[RepId]]:
    """Who may not take each lead again: the reps of the rings it went round in."""
    barred: dict[LeadId, frozenset[RepId]] = {}
    for alarm in alarms:
        if alarm.kind is AlarmKind.RING:
            for lead_id in alarm.leads:
                barred[lead_id] = barred.get(lead_id, frozenset()) | set(alarm.reps)
    return barred


def _others_rate(mine: int, my_total: int, everybody: int, total: int) -> float:
    """Share among the other reps, with one more of each kind so that it is never 0."""
    return (everybody - mine + 1) / (total - my_total + 2)


def _tail(n_seen: int, n_tried: int, rate: float) -> float:
    """Chance of at least so many among so many tries, each with this chance."""
    if rate >= 1:
        return 1.0
    log = math.log(max(rate, _TINY)), math.log1p(-rate)
    terms = [
        math.lgamma(n_tried + 1)
        - math.lgamma(k + 1)
        - math.lgamma(n_tried - k + 1)
        + k * log[0]
        + (n_tried - k) * log[1]
        for k in range(n_seen, n_tried + 1)
    ]
    return min(1.0, math.fsum(map(math.exp, terms)))


def _graded(n_seen: int, medium: int, high: int) -> Severity:
    if n_seen >= high:
        return Severity.HIGH
    return Severity.MEDIUM if n_seen >= medium else Severity.LOW
