"""What is answered about experiments: powers and reports, as JSON can say them."""

import math
from collections.abc import Iterable
from datetime import date, datetime

from pydantic import BaseModel, Field

from experiments.design import Metric
from experiments.effects import Effect
from experiments.report import Guardrail
from experiments.survival import Curve
from serving.usecases.experiment_power import Power
from serving.usecases.experiment_report import Reported

_NOT_KNOWN = "Null where it is not known."


def number(value: float) -> float | None:
    """A number as JSON has it: null for what is infinite or not known."""
    return value if math.isfinite(value) else None


def _numbers(values: Iterable[float]) -> list[float]:
    return [round(float(value), 6) for value in values]


class SmallestOut(BaseModel):
    """The smallest relative effect that is found after some days of leads."""

    days: int
    at_any_look: float | None = Field(description="Null while there are too few.")
    at_the_end: float | None


class PowerOut(BaseModel):
    """What a design could find with leads like those so far."""

    words: str
    days: float | None = Field(
        description="Days of leads until relative_effect is found; null beyond three "
        "years."
    )
    smallest: list[SmallestOut]
    mean: float = Field(description="Metric per lead so far.")
    sd: float = Field(description="Per independent unit, adjusted.")
    explained: float = Field(description="Share of the variance adjusted away.")
    units_per_day: float
    n_leads: int = Field(description="Leads of the past that tell so.")
    warnings: list[str]

    @classmethod
    def of(cls, found: Power) -> "PowerOut":
        """As callers see it."""
        prior = found.prior
        return cls(
            words=found.in_words(),
            days=number(found.days),
            smallest=[
                SmallestOut(
                    days=one.days,
                    at_any_look=number(one.at_any_look),
                    at_the_end=number(one.at_the_end),
                )
                for one in found.smallest
            ],
            mean=prior.mean,
            sd=prior.sd,
            explained=prior.explained,
            units_per_day=prior.units_per_day,
            n_leads=prior.n_leads,
            warnings=list(found.warnings),
        )


class EffectOut(BaseModel):
    """Treatment minus control, per lead; money in minor units."""

    effect: float | None
    low: float | None = Field(description="Holds at all looks together.")
    high: float | None
    fixed_low: float | None = Field(description="For one look, at the planned end.")
    fixed_high: float | None
    relative: float | None
    relative_low: float | None
    relative_high: float | None
    control_mean: float | None
    treatment_mean: float | None
    n_control: int
    n_treatment: int
    n_independent: int
    explained: float | None
    alpha: float
    concluded: bool

    @classmethod
    def of(cls, found: Effect) -> "EffectOut":
        """As callers see it."""
        names = set(cls.model_fields) - {"concluded"}
        values = {name: getattr(found, name) for name in names}
        plain = {
            name: number(value) if isinstance(value, float) else value
            for name, value in values.items()
        }
        return cls(**plain, concluded=found.concluded)


class LookOut(BaseModel):
    """The main effect as it stood at the end of one day."""

    drawn_until: date = Field(description="Day of the last draw counted.")
    effect: EffectOut


class GuardrailOut(BaseModel):
    """A number that must not get worse; more is worse."""

    name: str
    effect: EffectOut
    margin: float
    broken: bool

    @classmethod
    def of(cls, found: Guardrail) -> "GuardrailOut":
        """As callers see it."""
        return cls(
            name=found.name,
            effect=EffectOut.of(found.effect),
            margin=found.margin,
            broken=found.broken,
        )


class SrmOut(BaseModel):
    """Whether the arms have the sizes that were planned."""

    p: float = Field(description="Always valid.")
    counts: list[int] = Field(description="Units of control and treatment.")
    shares: list[float]
    mismatch: bool = Field(description="No effect is reported.")


class CurveOut(BaseModel):
    """Share of an arm's leads won by each day after the draw."""

    days: list[int]
    share: list[float]
    low: list[float]
    high: list[float]
    at_risk: list[int] = Field(description="Leads followed so long, not yet won.")

    @classmethod
    def of(cls, found: Curve | None) -> "CurveOut | None":
        """As callers see it."""
        if found is None:
            return None
        return cls(
            days=found.days.tolist(),
            share=_numbers(found.share),
            low=_numbers(found.low),
            high=_numbers(found.high),
            at_risk=found.at_risk.tolist(),
        )


class NaiveOut(BaseModel):
    """Figures that lie, so that nobody has to work them out."""

    pooled: float | None = Field(
        description="Treatment's mean over control's minus one, nothing taken into "
        "account: a change of mix looks like an effect."
    )
    predicted: float | None = Field(
        description="Mean chance the model gave to the treatment's pairs."
    )
    observed: float | None = Field(description="Share of the control's leads won.")
    promised: float | None = Field(
        description="Predicted over observed minus one: a model that chooses the pairs "
        "it overrates always looks good."
    )


class SpreadOut(BaseModel):
    """Each arm's largest |share of leads - weight| over its reps."""

    control: float
    treatment: float


class ReportOut(BaseModel):
    """What may be concluded of an experiment today."""

    experiment: str
    at: datetime
    words: str
    metric: Metric
    effects: dict[Metric, EffectOut] = Field(
        description="Empty while there is too little, or units were lost."
    )
    looks: list[LookOut] = Field(description="Of the main metric, oldest first.")
    guardrails: list[GuardrailOut]
    load_spread: SpreadOut | None
    srm: SrmOut
    n_drawn: dict[str, int] = Field(description="Leads drawn, by arm.")
    n_waiting: int = Field(description="Leads whose horizon has not passed.")
    n_merged: int = Field(
        description="Leads merged into one drawn before; they count as not won."
    )
    time_to_win: dict[str, CurveOut | None]
    naive: NaiveOut
    couplings: list[str] = Field(description="What still ties the arms together.")
    warnings: list[str]

    @classmethod
    def of(cls, found: Reported) -> "ReportOut":
        """As callers see it."""
        told, sizes, naive = found.report, found.report.srm, found.naive
        names = [arm.arm for arm in found.arms]
        spread = found.spread
        return cls(
            experiment=found.experiment.experiment,
            at=found.at,
            words=told.in_words(),
            metric=told.metric,
            effects={name: EffectOut.of(one) for name, one in told.effects.items()},
            looks=[
                LookOut(
                    drawn_until=date.fromordinal(look.day),
                    effect=EffectOut.of(look.effect),
                )
                for look in told.looks
            ],
            guardrails=[GuardrailOut.of(rail) for rail in told.guardrails],
            load_spread=None
            if spread is None
            else SpreadOut(control=spread[0], treatment=spread[1]),
            srm=SrmOut(
                p=sizes.p,
                counts=list(sizes.counts),
                shares=list(sizes.shares),
                mismatch=sizes.mismatch,
            ),
            n_drawn=dict(zip(names, found.n_drawn, strict=True)),
            n_waiting=told.n_waiting,
            n_merged=found.n_merged,
            time_to_win={
                name: CurveOut.of(curve)
                for name, curve in zip(names, found.curves, strict=True)
            },
            naive=NaiveOut(
                pooled=number(naive.pooled),
                predicted=number(naive.predicted),
                observed=number(naive.observed),
                promised=number(naive.promised),
            ),
            couplings=list(found.couplings),
            warnings=list(found.warnings),
        )
