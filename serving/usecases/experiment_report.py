"""What is known of an experiment today: read, joined, worked out; nothing is written.

Everything is read in one snapshot as Arrow and joined in columns, so that a hundred
thousand leads take seconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from experiments.design import Design
from experiments.drawn import Drawn
from experiments.effects import CONTROL, TREATMENT
from experiments.evidence import Evidence, gather
from experiments.moments import FloatArray
from experiments.report import Observed, Report, report
from experiments.survival import Curve, time_to_win
from rightrep.domain.experiment import Arm, Experiment, UnitKind
from rightrep.domain.ids import RepId
from rightrep.domain.money import minor_digits
from rightrep.domain.tenant import Tenant
from rightrep.errors import Conflict
from rightrep.store import experiments as store
from rightrep.store import reps
from rightrep.store.evidence import read_evidence
from rightrep.store.session import ReadSession
from rightrep.store.tenants import get_tenant
from serving.usecases.experiment_power import warnings_of
from serving.usecases.experiments import arms_in_order

COUPLINGS: Mapping[UnitKind, Sequence[str]] = {
    UnitKind.LEAD: (
        "Reps work for both arms: slots can be split between them, attention cannot.",
        "A lead that a rep keeps from one arm fills the holding limit for the other.",
        "A lead that drops into a public pool may be claimed by anybody.",
    ),
    UnitKind.TEAM_DAY: (
        "Leads of yesterday's arm still take up a team's time today.",
        "A lead that a rep keeps from one arm fills the holding limit for the other.",
        "A lead that drops into a public pool may be claimed by anybody.",
    ),
    UnitKind.TIME_SLICE: (
        "Leads of the slice before still take up the reps' time.",
        "A lead that a rep keeps from one arm fills the holding limit for the other.",
        "A lead that drops into a public pool may be claimed by anybody.",
    ),
}
"""What still ties the arms together, by what is randomised."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Naive:
    """Figures that lie, shown beside the effect so that nobody works them out alone.

    Attributes:
        pooled: Treatment's mean over control's minus one, nothing taken into account:
            a change of mix between days or strata looks like an effect. NaN without.
        predicted: Mean p_convert that the model gave to the treatment's pairs, on leads
            whose horizon has passed: a model that chooses the pairs it overrates always
            looks good. NaN without.
        observed: Share of the control's leads that was won. NaN without.
    """

    pooled: float
    predicted: float
    observed: float

    @property
    def promised(self) -> float:
        """Predicted over observed minus one; NaN without."""
        return self.predicted / self.observed - 1 if self.observed > 0 else float("nan")


@dataclass(frozen=True, eq=False, kw_only=True)
class Reported:
    """An experiment on one day.

    Attributes:
        tenant: Whose.
        experiment: The record.
        design: What was promised.
        at: When it was read; aware UTC.
        arms: Control and treatment.
        report: Effects, guardrails, sizes of the arms.
        n_drawn: Leads drawn for each arm.
        n_merged: Leads that were merged into one drawn earlier.
        curves: Share won by day after the draw, by arm; None before there is a day.
        spread: Each arm's max |share of leads - weight| over its reps; None while an
            arm gave no lead.
        naive: Figures that lie.
        couplings: What still ties the arms together.
        warnings: What speaks against how they are split.
    """

    tenant: Tenant
    experiment: Experiment
    design: Design
    at: datetime
    arms: tuple[Arm, Arm]
    report: Report
    n_drawn: tuple[int, int]
    n_merged: int
    curves: tuple[Curve | None, Curve | None]
    spread: tuple[float, float] | None
    naive: Naive
    couplings: Sequence[str]
    warnings: Sequence[str]


def read_report(session: ReadSession, name: str, *, at: datetime) -> Reported:
    """Everything that is known of an experiment at an instant.

    Raises:
        NotFound: No such experiment.
        Conflict: It was not started.
    """
    one = store.read_experiment(session, name)
    if one.started_at is None or one.started_at > at:
        raise Conflict(f"Experiment {name!r} was not started; there is no report.")
    return report_of(session, one, at=at)


def report_of(session: ReadSession, one: Experiment, *, at: datetime) -> Reported:
    """The same of an experiment that was read already and has been started."""
    tenant, design = get_tenant(session), Design.of(one.design)
    arms, now = arms_in_order(one), int(at.timestamp() * 1e6)
    tables = read_evidence(session, one, at=at)
    drawn = gather(
        Evidence(**{name: table.to_pandas() for name, table in tables.items()}),
        [arm.arm for arm in arms],
        one.unit_kind,
        zone=tenant.time_zone,
        minor=10 ** minor_digits(tenant.currency),
    )
    observed = drawn.observed(now, horizon_days=design.horizon_days)
    found = report(
        observed,
        design,
        one.unit_kind,
        drawn=drawn.per_day(one.unit_kind),
        shares=np.array([arm.share for arm in arms]),
        guarded=drawn.guarded(now),
        n_waiting=drawn.n_leads - observed.n_leads,
    )
    counts = np.bincount(drawn.arm, minlength=2)
    return Reported(
        tenant=tenant,
        experiment=one,
        design=design,
        at=at,
        arms=arms,
        report=found,
        n_drawn=(int(counts[CONTROL]), int(counts[TREATMENT])),
        n_merged=int((~drawn.is_first).sum()),
        curves=(
            time_to_win(drawn, CONTROL, now, alpha=design.alpha),
            time_to_win(drawn, TREATMENT, now, alpha=design.alpha),
        ),
        spread=load_spread(drawn, _weights(session, drawn.reps, at)),
        naive=_naive(drawn, observed, found, now, design.horizon_days),
        couplings=COUPLINGS[one.unit_kind],
        warnings=warnings_of(session, one, at=at),
    )


def load_spread(drawn: Drawn, weights: FloatArray) -> tuple[float, float] | None:
    """Each arm's max |share of its leads - weight| over the reps of either.

    Args:
        drawn: Every lead.
        weights: Wanted load of each rep of ``drawn.reps``; float64 (n_reps,).

    Returns:
        Of control and treatment; None while one of them gave no lead.
    """
    loads = drawn.loads()
    used = loads.sum(axis=0) > 0
    loads, weights = loads[:, used], weights[used]
    if not loads.sum(axis=1).all() or weights.sum() <= 0:
        return None
    shares = loads / loads.sum(axis=1, keepdims=True)
    off = np.abs(shares - weights / weights.sum()).max(axis=1)
    return float(off[CONTROL]), float(off[TREATMENT])


def _weights(
    session: ReadSession, rep_ids: Sequence[str], at: datetime
) -> NDArray[np.float64]:
    known = {
        rep.rep_id: rep.attributes.weight for rep in reps.list_reps(session, as_of=at)
    }
    return np.array([known.get(RepId(one), 1.0) for one in rep_ids], dtype=np.float64)


def _naive(
    drawn: Drawn, observed: Observed, found: Report, now: int, horizon_days: int
) -> Naive:
    """What a spreadsheet and what the model alone would say."""
    past = drawn.past(now, hours=24 * horizon_days)
    promised = drawn.promised[past & (drawn.arm == TREATMENT)]
    promised = promised[~np.isnan(promised)]
    won = observed.won[observed.arm == CONTROL]
    return Naive(
        pooled=found.naive_relative,
        predicted=float(promised.mean()) if promised.size else float("nan"),
        observed=float(won.mean()) if won.size else float("nan"),
    )
