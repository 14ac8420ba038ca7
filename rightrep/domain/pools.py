"""Pools: which public pool a lead is in, who may claim there, and the pool's limits.

A lead with an owner is in that rep's private pool; a lead without owner is in the first
public pool of its kind, in the order of their positions, whose conditions its
attributes meet. The same pool says how long an owner keeps the lead (``protection``),
so an owned lead has a public pool too: the one it drops back to.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from rightrep.domain.given import require_known
from rightrep.domain.lead import Lead, LeadKind, Scalar
from rightrep.domain.rep import RepAttributes
from rightrep.errors import InvalidInput

COMMON = "common"
"""Name of the pool that takes every lead that no other pool takes."""
TICKETS = "tickets"
"""Name of the pool that takes every work order that no other pool takes."""
LAST: Mapping[str, LeadKind] = {TICKETS: LeadKind.TICKET, COMMON: LeadKind.LEAD}
"""Pools that are always there, asked last."""

CONDITIONS = (
    "campaign", "channel", "grade", "industry", "language", "product", "region",
    "stage",
)  # fmt: skip
"""What a condition may name; ``attributes.NAME`` is one of the tenant's own fields."""
OWN = "attributes."
Word = TypeVar("Word", bound=StrEnum)

MOST_DAYS = 3_650
MOST = 1_000_000


class Counting(StrEnum):
    """How days are counted."""

    CALENDAR_DAYS = "calendar_days"
    """Whole days of the tenant's zone: the day it begins on does not count."""
    HOURS = "hours"
    """24 hours each, from the very instant."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Protection:
    """How long an owner keeps a lead.

    Attributes:
        follow_up_days: Days since the later of receipt and last follow-up; None is for
            ever.
        win_days: Days since receipt in which the lead must be won; None is for ever.
    """

    follow_up_days: int | None = None
    win_days: int | None = None

    def __post_init__(self) -> None:
        """Check every range.

        Raises:
            InvalidInput: Days are not in [1, 3650].
        """
        for name in ("follow_up_days", "win_days"):
            _require_whole(getattr(self, name), name, least=1, most=MOST_DAYS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pool:
    """A public pool and what holds for its leads.

    Attributes:
        pool: Its name.
        kind: Leads are here, or work orders; never both.
        position: Pools are asked in this order; the first whose conditions hold has
            the lead.
        leads: Values that a lead's attribute must be one of, by attribute; every one
            must hold. None at all takes every lead.
        teams: Teams whose reps may claim here; empty is every team.
        regions: Regions whose reps may claim here; empty is every region.
        counting: How the days below are counted.
        protection: For grades that ``grades`` does not name.
        grades: Protection by customer grade.
        warning_days: A drop is told so many days ahead; 0 is not at all.
        holding_limit: Open leads that a rep to whom this pool is open may own, where
            the rep has no limit of their own; None is no limit.
        won_exempt: Whether a won lead stops counting against the holding limit.
        claims_per_day: Leads a rep may claim here on one local day; None is no limit.
        fresh_hours: Hours for which a lead that has just come here cannot be claimed.
        cool_down_days: Days for which nobody who owned a lead may claim it; None is no
            cool-down.
        untouched_hours: Hours after which a lead of a high score, not touched since
            receipt, goes to the next best rep; None is never.
        untouched_score: What is a high score; lead score, 0 to 100.
    """

    pool: str
    kind: LeadKind = LeadKind.LEAD
    position: int = 0
    leads: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict)
    teams: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()
    counting: Counting = Counting.CALENDAR_DAYS
    protection: Protection = field(default_factory=Protection)
    grades: Mapping[str, Protection] = field(default_factory=dict)
    warning_days: int = 3
    holding_limit: int | None = None
    won_exempt: bool = True
    claims_per_day: int | None = None
    fresh_hours: float = 0.0
    cool_down_days: int | None = None
    untouched_hours: float | None = None
    untouched_score: int = 80

    def __post_init__(self) -> None:
        """Check every range.

        Raises:
            InvalidInput: A name or a range above does not hold.
        """
        if not self.pool.strip():
            raise InvalidInput("A pool has a name.", field="pool")
        if self.pool in LAST and self.leads:
            raise InvalidInput(
                f"The pool {self.pool!r} takes what no other pool takes.",
                field="leads",
                remedy="Give the conditions to a pool of another name.",
            )
        if LAST.get(self.pool, self.kind) is not self.kind:
            raise InvalidInput(
                f"The pool {self.pool!r} has leads of kind {LAST[self.pool].value!r}.",
                field="kind",
                remedy="Give another kind to a pool of another name.",
            )
        for attribute, values in self.leads.items():
            _require_condition(attribute, values)
        _require_whole(self.warning_days, "warning_days", least=0, most=MOST_DAYS)
        _require_whole(self.cool_down_days, "cool_down_days", least=1, most=MOST_DAYS)
        _require_whole(self.holding_limit, "holding_limit", least=0, most=MOST)
        _require_whole(self.claims_per_day, "claims_per_day", least=0, most=MOST)
        _require_whole(self.untouched_score, "untouched_score", least=0, most=100)
        _require_whole(self.position, "position", least=0, most=MOST)
        _require_hours(self.fresh_hours, "fresh_hours")
        if self.untouched_hours is not None:
            _require_hours(self.untouched_hours, "untouched_hours")
        if type(self.won_exempt) is not bool:
            raise InvalidInput("won_exempt is true or false.", field="won_exempt")
        for name in ("warning_days", "position", "untouched_score"):
            if getattr(self, name) is None:
                raise InvalidInput(f"{name} is a number.", field=name)

    def protection_of(self, grade: str | None) -> Protection:
        """How long an owner keeps a lead of this grade."""
        return (
            self.protection
            if grade is None
            else self.grades.get(grade, self.protection)
        )

    @property
    def lets_go(self) -> bool:
        """Whether the clock ever takes a lead from an owner into this pool."""
        return any(
            kept.follow_up_days is not None or kept.win_days is not None
            for kept in (self.protection, *self.grades.values())
        )

    def is_open_to(self, rep: RepAttributes) -> bool:
        """Whether a rep may see and claim the leads here."""
        return (not self.teams or rep.team in self.teams) and (
            not self.regions or rep.region in self.regions
        )

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON; ``Pool.of`` reads them back."""
        told = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "pool"}
        return told | {
            "leads": {name: list(values) for name, values in self.leads.items()},
            "teams": sorted(self.teams),
            "regions": sorted(self.regions),
            "kind": self.kind.value,
            "counting": self.counting.value,
            "protection": _days(self.protection),
            "grades": {name: _days(kept) for name, kept in self.grades.items()},
        }

    @classmethod
    def of(cls, pool: str, settings: Mapping[str, Any]) -> "Pool":
        """From JSON; what is not set takes its default.

        Raises:
            InvalidInput: A setting is unknown or makes no sense.
        """
        given = require_known(
            settings, {f.name for f in fields(cls)} - {"pool"}, "pool"
        )
        given["kind"] = _word(
            LeadKind,
            given.get("kind") or LAST.get(pool, LeadKind.LEAD),
            "kind",
            "A pool has no leads of",
        )
        if "leads" in given:
            given["leads"] = {
                name: tuple(_listed(values, f"leads.{name}"))
                for name, values in _table(given["leads"], "leads").items()
            }
        for name in ("teams", "regions"):
            if name in given:
                given[name] = frozenset(map(str, _listed(given[name], name)))
        if "counting" in given:
            given["counting"] = _word(
                Counting, given["counting"], "counting", "Days cannot be counted as"
            )
        if "protection" in given:
            given["protection"] = _protection(given["protection"], "protection")
        if "grades" in given:
            given["grades"] = {
                name: _protection(kept, f"grades.{name}")
                for name, kept in _table(given["grades"], "grades").items()
            }
        return cls(pool=pool, **given)


def in_order(pools: Sequence[Pool]) -> list[Pool]:
    """The pools as they are asked: by position, then by name, ``LAST`` last."""
    named = [pool for pool in pools if pool.pool not in LAST]
    given = {pool.pool: pool for pool in pools}
    last = [given.get(name, Pool(pool=name, kind=kind)) for name, kind in LAST.items()]
    return [*sorted(named, key=lambda pool: (pool.position, pool.pool)), *last]


def is_own(attribute: str) -> bool:
    """Whether a condition names one of the tenant's own fields."""
    return attribute.startswith(OWN)


def attributes_asked(pools: Sequence[Pool]) -> list[str]:
    """Lead attributes that some pool's conditions name, ascending."""
    return sorted({attribute for pool in pools for attribute in pool.leads})


def place_in(
    pools: Sequence[Pool],
    columns: Mapping[str, Sequence[Scalar]],
    is_ticket: NDArray[np.bool_],
) -> NDArray[np.intp]:
    """Which public pool each lead is in, or would drop back to.

    Args:
        pools: From ``in_order``; the last ones take every lead of their kinds.
        columns: The attributes of ``attributes_asked``; n_leads values each.
        is_ticket: Which leads are work orders; bool (n_leads,).

    Returns:
        Index into ``pools``; (n_leads,).
    """
    n_leads = len(is_ticket)
    place = np.full(n_leads, len(pools) - 1, dtype=np.intp)
    is_open = np.ones(n_leads, dtype=np.bool_)
    for k, pool in enumerate(pools):
        mine = is_open & (is_ticket == (pool.kind is LeadKind.TICKET))
        for attribute, values in pool.leads.items():
            wanted = set(values)
            mine &= np.fromiter(
                (value in wanted for value in columns[attribute]), np.bool_, n_leads
            )
        place[mine] = k
        is_open &= ~mine
    return place


def place_of(pools: Sequence[Pool], leads: Sequence[Lead]) -> NDArray[np.intp]:
    """Which public pool each lead is in; index into ``pools``, (n_leads,)."""
    columns = {
        name: [_value(lead, name) for lead in leads] for name in attributes_asked(pools)
    }
    is_ticket = np.array([lead.kind is LeadKind.TICKET for lead in leads], np.bool_)
    return place_in(pools, columns, is_ticket)


def limited(rep: RepAttributes, pools: Sequence[Pool]) -> RepAttributes:
    """The rep with the holding limit that is in force.

    A rep without a limit of their own has the lowest one of the pools that are open to
    them.
    """
    if rep.holding_limit is not None:
        return rep
    limits = [
        pool.holding_limit
        for pool in pools
        if pool.holding_limit is not None and pool.is_open_to(rep)
    ]
    return replace(rep, holding_limit=min(limits)) if limits else rep


def _value(lead: Lead, name: str) -> Scalar:
    if is_own(name):
        return lead.attributes.attributes.get(name.removeprefix(OWN))
    value: Scalar = getattr(lead.attributes, name)
    return value


def _days(kept: Protection) -> dict[str, int | None]:
    return {"follow_up_days": kept.follow_up_days, "win_days": kept.win_days}


def _protection(given: object, where: str) -> Protection:
    return Protection(
        **require_known(given, {f.name for f in fields(Protection)}, where)
    )


def _word(words: type[Word], word: object, name: str, refusal: str) -> Word:
    try:
        return words(str(word))
    except ValueError:
        raise InvalidInput(
            f"{refusal} {word!r}.",
            field=name,
            remedy=f"Give one of {', '.join(words)}.",
        ) from None


def _table(given: object, where: str) -> Mapping[str, Any]:
    if not isinstance(given, Mapping) or not all(isinstance(n, str) for n in given):
        raise InvalidInput(f"{where} is a table of names and values.", field=where)
    return given


def _listed(given: object, where: str) -> Sequence[Any]:
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise InvalidInput(f"{where} is a list.", field=where)
    if not all(value is None or isinstance(value, Scalar) for value in given):
        raise InvalidInput(f"{where} lists single values.", field=where)
    return given


def _require_condition(attribute: str, values: Sequence[Scalar]) -> None:
    own = is_own(attribute) and len(attribute) > len(OWN)
    if attribute not in CONDITIONS and not own:
        raise InvalidInput(
            f"A pool cannot ask for {attribute!r}.",
            field=f"leads.{attribute}",
            remedy=f"Give one of {', '.join(CONDITIONS)}, or {OWN}NAME.",
        )
    if not values:
        raise InvalidInput(
            f"No value of {attribute} is given, so no lead could be in the pool.",
            field=f"leads.{attribute}",
        )


def _require_whole(value: object, name: str, *, least: int, most: int) -> None:
    if value is None:
        return
    if type(value) is not int or not least <= value <= most:
        raise InvalidInput(
            f"{name} is a whole number in [{least}, {most}].", field=name
        )


def _require_hours(value: object, name: str) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= float(str(value)) <= 24 * MOST_DAYS:
        raise InvalidInput(
            f"{name} is a number of hours in [0, {24 * MOST_DAYS}].", field=name
        )
