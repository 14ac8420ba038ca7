"""From what was observed to what a manager may conclude today.

Leads count by intention to treat: in the arm they were drawn for first, whoever gave
them to whom afterwards, and only once their horizon has passed, with what was won
within it. A lead that is still open then counts as not won.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from experiments.design import Design, Metric
from experiments.effects import (
    CONTROL,
    FEWEST_PER_CELL,
    TREATMENT,
    Effect,
    effect_of_clusters,
    effect_of_pairs,
    effect_of_units,
)
from experiments.moments import FloatArray, IntArray, Moments
from experiments.srm import Srm, srm
from rightrep.domain.experiment import UnitKind
from rightrep.errors import InvalidInput

TOP_SHARE = 0.01
"""Part of the won leads whose share of the money is told."""

MOST_LOOKS = 60
"""Days that the effect is told of, evenly spread, the last one among them."""

HEAVY = 0.5
"""The top won leads' share of the money above which it is called heavy-tailed."""


@dataclass(frozen=True, eq=False, kw_only=True, slots=True)
class Observed:
    """Leads of two arms whose horizon has passed; every field (n_leads,).

    Attributes:
        arm: ``CONTROL`` or ``TREATMENT``, as drawn first; int64.
        day: Day of the draw, as an ordinal; int64.
        won: Whether it was won within its horizon; bool.
        value: Money won within its horizon, minor units; float64, 0 where not won.
        stratum: Number of its stratum; int64, from 0.
        covariate: Lead-only p of the frozen model, logged at the draw; float64 in
            [0, 1], NaN where none was logged.
        cluster: Number of its team-day or slice; int64, from 0. Each lead its own where
            leads are drawn.
        pair: Number of its slice's pair; int64, from 0. Used for slices alone.
        guardrails: Further numbers of each lead by name, float64, NaN where unknown;
            more is worse.
    """

    arm: IntArray
    day: IntArray
    won: NDArray[np.bool_]
    value: FloatArray
    stratum: IntArray
    covariate: FloatArray
    cluster: IntArray
    pair: IntArray
    guardrails: dict[str, FloatArray] = field(default_factory=dict)

    @property
    def n_leads(self) -> int:
        """Leads."""
        return int(self.arm.size)


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """The effect as it stood at the end of one day.

    Attributes:
        day: The day of the last draw counted, as an ordinal.
        effect: The effect of all leads drawn up to it.
    """

    day: int
    effect: Effect


@dataclass(frozen=True, kw_only=True, slots=True)
class Guardrail:
    """A number that must not get worse; more is worse.

    Attributes:
        name: Its name, with its unit.
        effect: Treatment minus control.
        margin: How much worse it may get, in its unit.
    """

    name: str
    effect: Effect
    margin: float

    @property
    def broken(self) -> bool:
        """Whether it is worse by more than the margin for certain."""
        return self.effect.low > self.margin


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """Everything known of an experiment on one day.

    Attributes:
        metric: The one that the conclusion is about.
        effects: Effect on each metric; empty while there is too little or units are
            lost.
        looks: The main effect over time, oldest first; the last is that of today.
        guardrails: Numbers that must not get worse.
        srm: Whether the arms have their planned sizes.
        naive: Difference of the arms' means with nothing taken into account, for the
            main metric; NaN without leads.
        naive_relative: The same over the control's mean; NaN where that is not
            positive.
        n_waiting: Leads whose horizon has not passed.
        top_share: The money's part that the top won leads bring; NaN without money.
    """

    metric: Metric
    effects: dict[Metric, Effect]
    looks: Sequence[Look]
    guardrails: Sequence[Guardrail]
    srm: Srm
    naive: float
    naive_relative: float
    n_waiting: int
    top_share: float

    @property
    def main(self) -> Effect | None:
        """The effect that the conclusion is about."""
        return self.effects.get(self.metric)

    def in_words(self) -> str:
        """What may be concluded today, in plain sentences."""
        if self.srm.mismatch:
            return self.srm.in_words()
        main = self.main
        if main is None or not np.isfinite(main.low):
            return (
                "Too early to say anything: "
                f"{self.n_waiting:,} leads wait for their horizon to pass."
            )
        said = [_conclusion(main, self.metric)]
        said += [
            f"But {one.name} got worse by {one.effect.effect:.3g}, more than the "
            f"{one.margin:.3g} that was allowed."
            for one in self.guardrails
            if one.broken
        ]
        if self.metric is Metric.VALUE and self.top_share > HEAVY:
            said.append(
                f"One won lead in a hundred brings {self.top_share:.0%} of the money: "
                "conversions say more."
            )
        return " ".join(said)


def report(
    observed: Observed,
    design: Design,
    kind: UnitKind,
    *,
    drawn: IntArray,
    shares: FloatArray,
    guarded: Observed | None = None,
    n_waiting: int = 0,
) -> Report:
    """Work out everything that one day's page shows.

    Args:
        observed: Leads whose horizon has passed.
        design: What was promised before the start.
        kind: What was randomised.
        drawn: Units drawn for each arm on each day, of any age; int64 (n_days, 2).
        shares: Planned shares of the two arms; float64 (2,).
        guarded: Leads whose guardrails are known, which is long before their horizon
            has passed; None takes those of ``observed``.
        n_waiting: Leads whose horizon has not passed.
    """
    sizes = srm(drawn, shares)
    values = {
        Metric.CONVERSIONS: observed.won.astype(np.float64),
        Metric.VALUE: np.minimum(observed.value, design.value_cap or np.inf),
    }
    base, naive = _naive(observed.arm, values[design.metric])
    effects: dict[Metric, Effect] = {}
    looks: list[Look] = []
    guardrails: list[Guardrail] = []
    if not sizes.mismatch and _enough(observed, kind):
        for metric, value in values.items():
            effects[metric] = _effect(observed, value, design, kind)
        looks = _looks(observed, values[design.metric], design, kind)
        effects[design.metric] = looks[-1].effect
    if not sizes.mismatch:
        guardrails = _guardrails(observed if guarded is None else guarded, design, kind)
    return Report(
        metric=design.metric,
        effects=effects,
        looks=looks,
        guardrails=guardrails,
        srm=sizes,
        naive=naive,
        naive_relative=naive / base if base > 0 else float("nan"),
        n_waiting=n_waiting,
        top_share=_top_share(observed.value),
    )


def _effect(
    observed: Observed, value: FloatArray, design: Design, kind: UnitKind
) -> Effect:
    """The effect on one number of each lead, by the kind of its unit."""
    known = ~np.isnan(value)
    covariate = _covariate(observed, design)
    options = {"alpha": design.alpha, "n_optimal": design.n_optimal}
    if kind is UnitKind.LEAD:
        alone = np.zeros(int(known.sum()), dtype=np.int64)
        sums = _by_stratum(observed, value, covariate, known, alone)
        return effect_of_units(sums[0], **options)
    cluster, arm, pair = _clusters(observed)
    sums = Moments.of(
        value[known], covariate[known], group=cluster[known], n_groups=arm.size
    )
    if kind is UnitKind.TEAM_DAY:
        return effect_of_clusters(sums, arm, **options)
    return effect_of_pairs(sums, arm, pair, **options)


def _by_stratum(
    observed: Observed,
    value: FloatArray,
    covariate: FloatArray,
    known: NDArray[np.bool_],
    part: IntArray,
) -> Moments:
    """Sums of the known leads' parts, by stratum and arm; (n_parts, n_strata, 2)."""
    n_strata = int(observed.stratum.max(initial=0)) + 1
    n_parts = int(part.max(initial=0)) + 1
    cell = observed.stratum[known] * 2 + observed.arm[known]
    sums = Moments.of(
        value[known],
        covariate[known],
        group=part * 2 * n_strata + cell,
        n_groups=n_parts * 2 * n_strata,
    )
    return sums.reshape(n_parts, n_strata, 2)


def _clusters(observed: Observed) -> tuple[IntArray, IntArray, IntArray]:
    """Each lead's cluster, numbered without gaps, and the arm and pair of each."""
    _, first, cluster = np.unique(
        observed.cluster, return_index=True, return_inverse=True
    )
    _, pair = np.unique(observed.pair[first], return_inverse=True)
    return cluster, observed.arm[first], pair


def _covariate(observed: Observed, design: Design) -> FloatArray:
    """What is adjusted for; the mean where nothing was logged, 0 where not wanted."""
    if not design.adjust:
        return np.zeros(observed.n_leads)
    known = ~np.isnan(observed.covariate)
    mean = observed.covariate[known].mean() if known.any() else 0.0
    return np.where(known, observed.covariate, mean)


def _looks(
    observed: Observed, value: FloatArray, design: Design, kind: UnitKind
) -> list[Look]:
    """The effect at the end of some days from the first on which it can be told."""
    if kind is UnitKind.LEAD:
        return _looks_at_leads(observed, value, design)
    looks = []
    days = np.unique(observed.day)
    for day in days[_spread(days.size)].tolist():
        upto = _where(observed, observed.day <= day)
        if _enough(upto, kind):
            effect = _effect(upto, value[observed.day <= day], design, kind)
            looks.append(Look(day=day, effect=effect))
    return looks


def _looks_at_leads(
    observed: Observed, value: FloatArray, design: Design
) -> list[Look]:
    """The same from the sums of days, which add."""
    days, part = np.unique(observed.day, return_inverse=True)
    every = np.ones(observed.n_leads, dtype=np.bool_)
    covariate = _covariate(observed, design)
    upto = _by_stratum(observed, value, covariate, every, part).running()
    looks = []
    for place in _spread(days.size).tolist():
        sums = upto[place]
        if (sums.n.sum(axis=0) >= FEWEST_PER_CELL).all():
            effect = effect_of_units(
                sums, alpha=design.alpha, n_optimal=design.n_optimal
            )
            looks.append(Look(day=int(days[place]), effect=effect))
    return looks


def _spread(n_days: int) -> IntArray:
    """Places of at most ``MOST_LOOKS`` days."""
    places = np.linspace(0, n_days - 1, min(n_days, MOST_LOOKS)).round()
    return places.astype(np.int64)


def _where(observed: Observed, chosen: NDArray[np.bool_]) -> Observed:
    return Observed(
        **{
            name: getattr(observed, name)[chosen]
            for name in Observed.__slots__
            if name != "guardrails"
        }
    )


def _enough(observed: Observed, kind: UnitKind) -> bool:
    """Whether each arm has two independent units."""
    if kind is UnitKind.LEAD:
        return bool((np.bincount(observed.arm, minlength=2) >= FEWEST_PER_CELL).all())
    if kind is UnitKind.TIME_SLICE and np.unique(observed.pair).size < FEWEST_PER_CELL:
        return False
    return all(
        np.unique(observed.cluster[observed.arm == arm]).size >= FEWEST_PER_CELL
        for arm in (CONTROL, TREATMENT)
    )


def _guardrails(observed: Observed, design: Design, kind: UnitKind) -> list[Guardrail]:
    found = []
    for name, value in observed.guardrails.items():
        known = _where(observed, ~np.isnan(value))
        if _enough(known, kind):
            found.append(
                Guardrail(
                    name=name,
                    effect=_effect(observed, value, design, kind),
                    margin=float(design.margins.get(name, 0.0)),
                )
            )
    return found


def _naive(arm: IntArray, value: FloatArray) -> tuple[float, float]:
    """The control's mean, and the treatment's minus it."""
    if not (arm == CONTROL).any() or not (arm == TREATMENT).any():
        return float("nan"), float("nan")
    base = float(value[arm == CONTROL].mean())
    return base, float(value[arm == TREATMENT].mean()) - base


def _top_share(value: FloatArray) -> float:
    won = np.sort(value[value > 0])
    if won.size == 0:
        return float("nan")
    n_top = max(1, round(TOP_SHARE * won.size))
    return float(won[-n_top:].sum() / won.sum())


def _conclusion(main: Effect, metric: Metric) -> str:
    """The main sentence: what is known of the effect, at any look."""
    range_ = f"between {_signed(main.relative_low)} and {_signed(main.relative_high)}"
    if np.isnan(main.relative_low):
        range_ = f"between {main.low:+.3g} and {main.high:+.3g} a lead"
    if not main.concluded:
        return (
            f"Not decided: the effect on {metric.value} is {range_}, so neither arm is "
            "shown to be better. Looking again tomorrow is allowed."
        )
    word = "better" if main.low > 0 else "worse"
    return f"The treatment is {word}: its effect on {metric.value} is {range_}."


def _signed(share: float) -> str:
    return f"{share:+.1%}".replace("%", " %")


def two_arms(names: Sequence[str]) -> tuple[str, str]:
    """Control and treatment among an experiment's arms.

    Raises:
        InvalidInput: They are not two, or none is called control.
    """
    if len(names) != 2 or "control" not in names:
        raise InvalidInput(
            "A report compares two arms, one of them called control.",
            field="arms",
            remedy="Name the arms control and treatment.",
        )
    other = next(name for name in names if name != "control")
    return "control", other
