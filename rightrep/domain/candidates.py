"""Candidates of a rule: the reps it may give a lead to, before eligibility.

All that a rule names must hold together; a rule that names nothing takes every rep who
has not left. What a rep does not declare, a rep does not have: a rep without products
may sell them all, and is still no match for one by declaration.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np

from rightrep.domain.ids import RepId
from rightrep.domain.lead import Scalar
from rightrep.domain.lead_table import (
    BoolArray,
    FieldKind,
    FloatArray,
    IntArray,
    LeadTable,
    folded,
    kind_of,
)
from rightrep.domain.rep import RepAttributes, RepStatus
from rightrep.domain.roster import RosterEntry
from rightrep.errors import InvalidInput

DECLARED: Mapping[str, Callable[[RepAttributes], frozenset[str]]] = {
    "team": lambda rep: _one(rep.team),
    "manager": lambda rep: _one(rep.manager),
    "region": lambda rep: _one(rep.region),
    "languages": lambda rep: frozenset(_tag(tag) for tag in rep.languages),
    "products": lambda rep: frozenset(map(folded, rep.products)),
    "industries": lambda rep: frozenset(map(folded, rep.industries)),
}
"""What a rep declares, by attribute, as it is compared."""

SEGMENTS = ("industry", "region", "language", "product", "channel", "campaign", "grade")
"""Lead fields by which win rates are learned."""


@dataclass(frozen=True, slots=True)
class Match:
    """The rep declares what the lead has; a lead without it matches nobody.

    Attributes:
        lead: A lead's field of texts.
        rep: A rep's attribute, of ``DECLARED``.

    Raises:
        InvalidInput: One of them does not exist, or cannot be compared.
    """

    lead: str
    rep: str

    def __post_init__(self) -> None:
        """Check both sides."""
        if kind_of(self.lead) not in (FieldKind.TEXT, FieldKind.SCALAR):
            raise InvalidInput("Only texts can be matched.", field="lead")
        _require_declared(self.rep)


@dataclass(frozen=True, slots=True)
class Skill:
    """The rep declares all of these, whatever the lead.

    Attributes:
        rep: A rep's attribute, of ``DECLARED``.
        has: At least one text.

    Raises:
        InvalidInput: There is no such attribute, or nothing is named.
    """

    rep: str
    has: tuple[str, ...]

    def __post_init__(self) -> None:
        """Check attribute and texts."""
        _require_declared(self.rep)
        if not self.has:
            raise InvalidInput("Name at least one.", field="has")


@dataclass(frozen=True, slots=True)
class WinRate:
    """The rep is good in the lead's segment, by the shrunk win rate.

    Attributes:
        segment: A lead's field, of ``SEGMENTS``; None takes all leads together.
        at_least: Least win rate, in [0, 1]; None is no bound.
        best: So many of the best of the other candidates, and who ties with the last
            of them; None takes all.

    Raises:
        InvalidInput: No such segment, or nothing is asked.
    """

    segment: str | None = None
    at_least: float | None = None
    best: int | None = None

    def __post_init__(self) -> None:
        """Check every range."""
        if self.segment is not None and self.segment not in SEGMENTS:
            raise InvalidInput(
                "Win rates are not learned by this field.",
                field="segment",
                remedy=f"Give one of {', '.join(SEGMENTS)}.",
            )
        if self.at_least is None and self.best is None:
            raise InvalidInput("Give at_least, best or both.", field="at_least")
        if self.at_least is not None and not 0 <= self.at_least <= 1:
            raise InvalidInput("A win rate is in [0, 1].", field="at_least")
        if self.best is not None and self.best < 1:
            raise InvalidInput("best is at least 1.", field="best")


@dataclass(frozen=True, slots=True)
class Tenure:
    """Days in the company; who has no hiring day does not pass.

    Attributes:
        at_least_days: Fewest days; None is no bound.
        below_days: Fewest days that are too many; None is no bound.

    Raises:
        InvalidInput: No number of days can pass.
    """

    at_least_days: int | None = None
    below_days: int | None = None

    def __post_init__(self) -> None:
        """Check the bounds."""
        if self.at_least_days is None and self.below_days is None:
            raise InvalidInput("Give one bound or both.", field="at_least_days")
        if (
            self.at_least_days is not None
            and self.below_days is not None
            and self.at_least_days >= self.below_days
        ):
            raise InvalidInput("No tenure is both.", field="below_days")


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidates:
    """Which reps; all parts together.

    Attributes:
        teams: One of these teams; empty asks for none.
        reps: One of these reps; empty asks for none.
        match: The rep declares what the lead has, each of them.
        skills: The rep declares them, each of them.
        tenure: Days in the company, or None.
        win_rate: How good the rep is, or None.
    """

    teams: tuple[str, ...] = ()
    reps: tuple[RepId, ...] = ()
    match: tuple[Match, ...] = ()
    skills: tuple[Skill, ...] = ()
    tenure: Tenure | None = None
    win_rate: WinRate | None = None


EVERYBODY = Candidates()
"""Every rep who has not left."""


@dataclass(frozen=True, eq=False)
class WinRates:
    """Shrunk win rates of the roster; see ``serving.usecases.win_rates``.

    Attributes:
        overall: Over all leads; float64 (n_reps,), in [0, 1].
        within: By segment, then by the folded value of its field, float64 (n_reps,); a
            value never judged takes ``overall``.
    """

    overall: FloatArray
    within: Mapping[str, Mapping[str, FloatArray]] = field(default_factory=dict)

    @classmethod
    def unknown(cls, n_reps: int) -> "WinRates":
        """Nobody was ever judged: everybody is as good."""
        return cls(np.zeros(n_reps))

    def of(self, segment: str | None, values: Sequence[Scalar]) -> FloatArray:
        """Win rate of each rep for each value; float64 (n_values, n_reps)."""
        known = {} if segment is None else self.within.get(segment, {})
        rows = [
            known.get(folded(value), self.overall)
            if isinstance(value, str)
            else self.overall
            for value in values
        ]
        return np.array(rows, dtype=np.float64).reshape(len(rows), self.overall.size)


@dataclass(frozen=True, eq=False)
class Staff:
    """The reps as rules see them.

    Attributes:
        entries: The reps; n_reps entries.
        today: Local day of the tenant.
        win_rates: How good they are.
    """

    entries: Sequence[RosterEntry]
    today: date
    win_rates: WinRates


def candidates_of(
    wanted: Candidates, leads: LeadTable, chosen: IntArray, staff: Staff
) -> BoolArray:
    """Who may be given each lead by a rule.

    Args:
        wanted: What the rule says.
        leads: All leads.
        chosen: Places of the leads that the rule matched; int64 (n_chosen,).
        staff: The reps.

    Returns:
        bool (n_chosen, n_reps).
    """
    alone = np.array(
        [_alone(wanted, entry, staff.today) for entry in staff.entries],
        dtype=np.bool_,
    )
    grid = np.broadcast_to(alone, (chosen.size, alone.size)).copy()
    for match in wanted.match:
        grid &= _matching(match, leads, chosen, staff)
    if wanted.win_rate is not None:
        grid &= _winning(wanted.win_rate, leads, chosen, staff, grid)
    return grid


def _alone(wanted: Candidates, entry: RosterEntry, today: date) -> bool:
    rep = entry.attributes
    if rep.status is RepStatus.LEFT:
        return False
    if wanted.reps and entry.rep_id not in wanted.reps:
        return False
    if wanted.teams and not _one(rep.team) & set(map(folded, wanted.teams)):
        return False
    for skill in wanted.skills:
        key = _tag if skill.rep == "languages" else folded
        if not set(map(key, skill.has)) <= DECLARED[skill.rep](rep):
            return False
    return wanted.tenure is None or _has_tenure(wanted.tenure, rep.hired_on, today)


def _has_tenure(wanted: Tenure, hired_on: date | None, today: date) -> bool:
    if hired_on is None:
        return False
    days = (today - hired_on).days
    return (wanted.at_least_days is None or days >= wanted.at_least_days) and (
        wanted.below_days is None or days < wanted.below_days
    )


def _matching(
    match: Match, leads: LeadTable, chosen: IntArray, staff: Staff
) -> BoolArray:
    column = leads.coded(match.lead)
    key = _tag if match.rep == "languages" else folded
    declared = [DECLARED[match.rep](entry.attributes) for entry in staff.entries]
    table = np.array(
        [
            [isinstance(value, str) and key(value) in has for has in declared]
            for value in column.values
        ],
        dtype=np.bool_,
    ).reshape(len(column.values), len(declared))
    nobody = np.zeros((1, len(declared)), dtype=np.bool_)
    return np.asarray(np.vstack([table, nobody])[column.code[chosen]])


def _winning(
    wanted: WinRate,
    leads: LeadTable,
    chosen: IntArray,
    staff: Staff,
    others: BoolArray,
) -> BoolArray:
    """Who is good enough among those who pass the other parts."""
    rates = staff.win_rates
    values: Sequence[Scalar] = ()
    code = np.full(chosen.size, -1, dtype=np.int64)
    if wanted.segment is not None:
        column = leads.coded(wanted.segment)
        values, code = column.values, column.code[chosen]
    by_value = rates.of(wanted.segment, [*values, None])
    rate = np.where(others, by_value[code], -1.0)
    passes = np.asarray(rate >= 0)
    if wanted.at_least is not None:
        passes &= rate >= wanted.at_least
    if wanted.best is not None and rate.shape[1] > wanted.best:
        last = -np.partition(-rate, wanted.best - 1, axis=1)[:, wanted.best - 1]
        passes &= rate >= last[:, None]
    return passes


def _require_declared(name: str) -> None:
    if name not in DECLARED:
        raise InvalidInput(
            "Reps declare nothing of this name.",
            field="rep",
            remedy=f"Give one of {', '.join(DECLARED)}.",
        )


def _one(text: str | None) -> frozenset[str]:
    return frozenset() if text is None else frozenset({folded(text)})


def _tag(language: str) -> str:
    """The language of a BCP 47 tag: ``zh`` of ``zh-CN``."""
    return folded(language).split("-", maxsplit=1)[0]
