"""A batch of leads and the reps who may take them, as arrays; and what was chosen."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rightrep.errors import InvalidInput

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

UNASSIGNED = -1
"""``rep_of`` of a lead that nobody takes."""


@dataclass(frozen=True, eq=False)
class Problem:
    """One batch as arrays; i over leads, j over reps.

    Attributes:
        value: Expected value of each pair; float (n_leads, n_reps), finite where
            eligible. float32 is kept as it is, anything else becomes float64.
        eligible: Pairs that may be chosen; bool (n_leads, n_reps).
        capacity: Slots each rep may still take in this window; int64 (n_reps,), >= 0.
        floor: Fewest leads owed to each rep in this window; int64 (n_reps,), in
            [0, capacity]. Hard.
        load: Leads each rep was already given in this window; int64 (n_reps,).
        weight: Wanted load relative to others; float64 (n_reps,), positive.
        waited: Seconds since each rep was last given a lead; float64 (n_reps,).
        previous_rep: Rep who served the lead's customer before, or -1;
            int64 (n_leads,).
        win_rate: Shrunk win rate of each rep; float64 (n_reps,), in [0, 1].
        group: Group (team, newcomers) of each rep; int64 (n_reps,).
        quality: Lead-only p of each lead; float64 (n_leads,), in [0, 1].
        credit: Leads each rep is behind its share by weight, from the days before;
            float64 (n_reps,). ``weighted`` takes it in place of the load.
        head_start: Leads counted on top of each rep's load, so that who joined or came
            back starts at the group's level; int64 (n_reps,).
        had_turn: Reps who have had their turn in the cycle of a round robin by lot;
            bool (n_reps,).
        seed: Seed of every draw a policy makes.

    Raises:
        InvalidInput: A shape, a range or a value above does not hold.
    """

    value: NDArray[np.floating]
    eligible: BoolArray
    capacity: IntArray
    floor: IntArray
    load: IntArray | None = field(default=None, kw_only=True)
    weight: FloatArray | None = field(default=None, kw_only=True)
    waited: FloatArray | None = field(default=None, kw_only=True)
    previous_rep: IntArray | None = field(default=None, kw_only=True)
    win_rate: FloatArray | None = field(default=None, kw_only=True)
    group: IntArray | None = field(default=None, kw_only=True)
    quality: FloatArray | None = field(default=None, kw_only=True)
    credit: FloatArray | None = field(default=None, kw_only=True)
    head_start: IntArray | None = field(default=None, kw_only=True)
    had_turn: BoolArray | None = field(default=None, kw_only=True)
    seed: int = field(default=0, kw_only=True)

    @property
    def n_leads(self) -> int:
        """Leads in the batch."""
        return int(self.value.shape[0])

    @property
    def n_reps(self) -> int:
        """Reps in the batch."""
        return int(self.value.shape[1])

    def __post_init__(self) -> None:
        value = np.asarray(self.value)
        if value.dtype != np.float32:
            value = np.asarray(value, dtype=np.float64)
        self._set("value", np.ascontiguousarray(value))
        if value.ndim != 2:
            raise InvalidInput("value must be a matrix of leads x reps.", field="value")
        self._set("eligible", np.ascontiguousarray(self.eligible, dtype=np.bool_))
        if self.eligible.shape != value.shape:
            raise InvalidInput(
                f"eligible is {self.eligible.shape}, value is {value.shape}.",
                field="eligible",
            )
        if not bool(np.isfinite(value).all(where=self.eligible)):
            raise InvalidInput(
                "value is not finite for an eligible pair.", field="value"
            )
        self._column("capacity", np.int64, self.n_reps, low=0)
        self._column("floor", np.int64, self.n_reps, low=0)
        if bool((self.floor > self.capacity).any()):
            j = int(np.argmax(self.floor > self.capacity))
            raise InvalidInput(
                f"Rep {j} is owed {self.floor[j]} leads and has "
                f"{self.capacity[j]} slots.",
                field="floor",
                remedy="Lower the floor or raise the capacity.",
            )
        self._column("load", np.int64, self.n_reps, low=0)
        self._column("weight", np.float64, self.n_reps, low=0.0)
        if self.weight is not None and bool((self.weight <= 0).any()):
            raise InvalidInput("Every weight must be positive.", field="weight")
        self._column("waited", np.float64, self.n_reps, low=None)
        self._column(
            "previous_rep", np.int64, self.n_leads, low=-1, high=self.n_reps - 1
        )
        self._column("win_rate", np.float64, self.n_reps, low=0.0, high=1.0)
        self._column("group", np.int64, self.n_reps, low=0)
        self._column("quality", np.float64, self.n_leads, low=0.0, high=1.0)
        self._column("credit", np.float64, self.n_reps, low=None)
        self._column("head_start", np.int64, self.n_reps, low=0)
        self._column("had_turn", np.bool_, self.n_reps, low=None)

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def _column(
        self,
        name: str,
        dtype: type[np.generic],
        length: int,
        *,
        low: float | None,
        high: float | None = None,
    ) -> None:
        given = getattr(self, name)
        if given is None:
            return
        raw = np.asarray(given)
        column = np.ascontiguousarray(raw, dtype=dtype)
        if column.shape != (length,):
            raise InvalidInput(
                f"{name} has shape {column.shape}, not ({length},).", field=name
            )
        if raw.dtype.kind == "f" and not bool(np.isfinite(raw).all()):
            raise InvalidInput(f"{name} is not finite everywhere.", field=name)
        if dtype is np.int64 and bool((column != raw).any()):
            raise InvalidInput(f"{name} must be whole numbers.", field=name)
        if low is not None and bool((column < low).any()):
            raise InvalidInput(f"{name} has an entry below {low}.", field=name)
        if high is not None and bool((column > high).any()):
            raise InvalidInput(f"{name} has an entry above {high}.", field=name)
        self._set(name, column)


@dataclass(frozen=True, eq=False)
class Plan:
    """What a policy chose, not yet acted on.

    Attributes:
        rep_of: Rep of each lead, or ``UNASSIGNED``; int64 (n_leads,).
        propensity: Probability of that rep known at its draw, in (0, 1]; NaN where
            nothing was drawn; float64 (n_leads,).
    """

    rep_of: IntArray
    propensity: FloatArray

    @classmethod
    def certain(cls, rep_of: IntArray) -> "Plan":
        """A plan in which nothing was drawn."""
        return cls(rep_of, np.full(rep_of.shape, np.nan))


@dataclass(frozen=True, eq=False)
class PricedPlan:
    """A plan with the proof of how good it is.

    Attributes:
        plan: What was chosen.
        shadow_price: Value lost if one open slot of the rep is taken,
            V(c) - V(c - e_j), net of the floor's price, so possibly negative; in units
            of value per slot; float64 (n_reps,). 0 for a rep with slots left and no
            binding floor.
        bound: Proven upper bound on the value of any plan, computed in float64 from
            the prices.
    """

    plan: Plan
    shadow_price: FloatArray
    bound: float
