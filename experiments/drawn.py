"""The leads of two arms, each with what followed its draw; instants as microseconds."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.moments import FloatArray, IntArray
from experiments.report import Observed
from rightrep.domain.experiment import UnitKind

DAY = 86_400_000_000
"""Microseconds."""

HOUR = DAY // 24

GUARDED_HOURS = 72
"""Guardrails look at the hours after the draw up to this one, so that each lead's are
known after three days and a lead that nobody touches counts with all of them."""

TO_TOUCH = "hours to first touch"
TO_DECISION = "hours to first decision"
UNASSIGNED = "share unassigned"
OVERRIDDEN = "share overridden"
GUARDRAILS = (TO_TOUCH, TO_DECISION, UNASSIGNED, OVERRIDDEN)
"""Numbers of a lead's first hours that must not get worse; more is worse."""

NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, eq=False, kw_only=True)
class Drawn:
    """Every lead of two arms, one entry each; instants are microseconds since 1970.

    Attributes:
        arm: Place among the arms; int64 (n_leads,).
        drawn_at: When its arm was logged; int64 (n_leads,).
        day: The same as a day of the tenant's zone, an ordinal; int64 (n_leads,).
        stratum: Number of its stratum; int64 (n_leads,).
        covariate: What is adjusted for, NaN where none was logged; float64 (n_leads,).
        cluster: Number of its team-day or slice, of itself where leads are drawn;
            int64 (n_leads,).
        pair: Number of its slice's pair; int64 (n_leads,).
        is_first: Whether it is the first drawn of those merged with it; bool
            (n_leads,).
        won_at: When it was won, or ``NEVER``; int64 (n_leads,).
        value: Money of that win, minor units; float64 (n_leads,), 0 without.
        decided_at: First decision from the draw on, or ``NEVER``; int64 (n_leads,).
        rep: Who got it then, by number, -1 for nobody; int64 (n_leads,).
        reps: Ids by number.
        promised: What the model predicted for that pair, or NaN; float64 (n_leads,).
        touched_at: First touch from the draw on, or ``NEVER``; int64 (n_leads,).
        overridden_at: First override from the draw on, or ``NEVER``; int64 (n_leads,).
    """

    arm: IntArray
    drawn_at: IntArray
    day: IntArray
    stratum: IntArray
    covariate: FloatArray
    cluster: IntArray
    pair: IntArray
    is_first: NDArray[np.bool_]
    won_at: IntArray
    value: FloatArray
    decided_at: IntArray
    rep: IntArray
    reps: Sequence[str]
    promised: FloatArray
    touched_at: IntArray
    overridden_at: IntArray

    @property
    def n_leads(self) -> int:
        """Leads drawn."""
        return int(self.arm.size)

    def past(self, at: int, *, hours: float) -> NDArray[np.bool_]:
        """Leads drawn at least so many hours ago; bool (n_leads,)."""
        return np.asarray(self.drawn_at + int(hours * HOUR) <= at)

    def since(self, at: int) -> "Drawn":
        """Leads drawn at or after an instant."""
        return self._where(self.drawn_at >= at)

    def observed(self, at: int, *, horizon_days: int) -> Observed:
        """Leads whose horizon has passed, with what was won within it."""
        found = self._where(self.past(at, hours=24 * horizon_days))
        within = found.won_at - found.drawn_at < horizon_days * DAY
        won = (found.won_at != NEVER) & within
        return found.judged(won, np.where(won, found.value, 0.0))

    def guarded(self, at: int) -> Observed:
        """Leads whose first hours have passed, with the guardrails of those."""
        found = self._where(self.past(at, hours=GUARDED_HOURS) & self.is_first)
        nothing = np.zeros(found.n_leads)
        observed = found.judged(nothing.astype(np.bool_), nothing)
        return replace(observed, guardrails=found.guardrails())

    def per_day(self, kind: UnitKind) -> IntArray:
        """Units drawn for each arm on each day; int64 (n_days, 2)."""
        chosen: Any = slice(None)
        if kind is not UnitKind.LEAD:
            # The first lead of a cluster, by time, is when the cluster was drawn.
            order = np.argsort(self.drawn_at, kind="stable")
            _, first = np.unique(self.cluster[order], return_index=True)
            chosen = order[first]
        day, arm = self.day[chosen], self.arm[chosen]
        _, place = np.unique(day, return_inverse=True)
        n_days = int(place.max(initial=-1)) + 1
        counts = np.bincount(place * 2 + arm, minlength=2 * n_days)
        return counts.reshape(n_days, 2).astype(np.int64)

    def loads(self) -> IntArray:
        """Leads that each rep was given first in each arm; int64 (2, n_reps)."""
        given = self.rep >= 0
        n_reps = len(self.reps)
        cells = self.arm[given] * n_reps + self.rep[given]
        return np.bincount(cells, minlength=2 * n_reps).reshape(2, n_reps)

    def guardrails(self) -> dict[str, FloatArray]:
        """``GUARDRAILS`` by name; float64 (n_leads,), NaN where unknown."""
        decided, given = self._hours_to(self.decided_at), self.decided_at != NEVER
        in_time = given & (decided < GUARDED_HOURS)
        overridden = self._hours_to(self.overridden_at) < GUARDED_HOURS
        touched = self._hours_to(self.touched_at)
        if (self.touched_at == NEVER).all():
            # The CRM does not tell of touches.
            touched = np.full(self.n_leads, np.nan)
        return {
            TO_TOUCH: touched,
            TO_DECISION: decided,
            UNASSIGNED: 1.0 - in_time,
            OVERRIDDEN: np.where(in_time, overridden, np.nan),
        }

    def _hours_to(self, at: IntArray) -> FloatArray:
        """Hours from the draw on, at most ``GUARDED_HOURS``."""
        gone = (np.where(at == NEVER, self.drawn_at, at) - self.drawn_at) / HOUR
        return np.where(at == NEVER, GUARDED_HOURS, np.minimum(gone, GUARDED_HOURS))

    def judged(self, won: NDArray[np.bool_], value: FloatArray) -> Observed:
        """All of these leads, as won for so much or not.

        Args:
            won: Whether each counts as won; bool (n_leads,).
            value: Money that it counts with, minor units; float64 (n_leads,).
        """
        return Observed(
            arm=self.arm,
            day=self.day,
            won=won,
            value=value,
            stratum=self.stratum,
            covariate=self.covariate,
            cluster=self.cluster,
            pair=self.pair,
        )

    def _where(self, chosen: NDArray[np.bool_]) -> "Drawn":
        values = ((one.name, getattr(self, one.name)) for one in fields(self))
        chosen_values: dict[str, Any] = {
            name: value[chosen] if isinstance(value, np.ndarray) else value
            for name, value in values
        }
        return Drawn(**chosen_values)
