"""Experiments: designed, started, looked at every morning, stopped."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from experiments.design import Metric
from rightrep.domain.experiment import Arm, Experiment, UnitKind
from rightrep.domain.roles import Role
from rightrep.errors import Conflict, InvalidInput, NotFound
from rightrep.store import experiments as store
from rightrep.store.session import WriteSession
from serving.dependencies import Caller, Parts, Reading, Writing, allow
from serving.errors import may_raise
from serving.models import Body, Key, Text, Word
from serving.routes.experiment_answers import PowerOut, ReportOut
from serving.usecases import experiments
from serving.usecases.experiment_power import Power, power_of, tuned
from serving.usecases.experiment_report import read_report
from serving.usecases.experiments import USUAL_ARMS, Wanted

router = APIRouter(prefix="/v1/experiments", tags=["experiments"])
_READERS = Depends(allow(Role.MANAGER, Role.ANALYST))
_MANAGERS = Depends(allow(Role.MANAGER))

Share = Annotated[float, Field(gt=0, lt=1)]


class ArmIn(Body):
    """One of the two policies compared."""

    arm: Text = Field(examples=["treatment"], description="One is called control.")
    policy: Text = Field(
        examples=["optimal"], description="The control's is round_robin_lot."
    )
    share: Share = Field(description="Part of the units; together 1.")
    parameters: dict[Text, Any] = Field(
        default={}, description="What the policy is called with."
    )

    def to_domain(self) -> Arm:
        """As the domain has it."""
        return Arm(
            arm=self.arm,
            policy=self.policy,
            share=self.share,
            parameters=self.parameters,
        )


class DesignIn(Body):
    """What is promised; what is left out takes its default."""

    metric: Word[Metric] = Metric.CONVERSIONS
    horizon_days: Annotated[int, Field(ge=1, le=1_095)] = 30
    alpha: Share = 0.05
    power: Share = 0.8
    relative_effect: Annotated[float, Field(gt=0, le=100)] = 0.1
    n_optimal: Annotated[float, Field(gt=0, le=1e12)] | None = Field(
        default=None,
        description="Units the intervals are tuned for; those of 60 days by default.",
    )
    strata: list[Text] = Field(default=[], max_length=2, examples=[["region"]])
    adjust: bool = True
    value_cap: Annotated[int, Field(ge=1, le=2**53)] | None = Field(
        default=None, description="Deals count with at most this, in minor units."
    )
    slice_hours: Annotated[int, Field(ge=1, le=24)] = 4
    margins: dict[Text, Annotated[float, Field(ge=0, le=1e9)]] = Field(
        default={},
        max_length=10,
        examples=[{"hours to first touch": 1.0}],
        description="How much worse each guardrail may get.",
    )


class ExperimentIn(Body):
    """What is to be found out."""

    experiment: Key = Field(examples=["spring"], description="Its name.")
    unit_kind: Word[UnitKind] = UnitKind.LEAD
    arms: list[ArmIn] | None = Field(
        default=None,
        max_length=2,
        description="Half control, half the policy optimal when left out.",
    )
    design: DesignIn = DesignIn()
    standing: bool = Field(
        default=False, description="A holdout, which runs beside any other."
    )

    def to_wanted(self) -> Wanted:
        """As the use case has it."""
        given = None if self.arms is None else [arm.to_domain() for arm in self.arms]
        return Wanted(
            experiment=self.experiment,
            unit_kind=self.unit_kind,
            arms=USUAL_ARMS if given is None else given,
            design=self.design.model_dump(mode="json", exclude_none=True),
            standing=self.standing,
        )


class ArmOut(BaseModel):
    """One of the policies compared."""

    arm: str
    policy: str
    share: float
    parameters: dict[str, Any]


class ExperimentOut(BaseModel):
    """An experiment as it was designed, and how far it is."""

    experiment: str
    unit_kind: UnitKind
    arms: list[ArmOut]
    design: dict[str, Any]
    standing: bool
    actor: str
    created_at: datetime
    started_at: datetime | None
    stopped_at: datetime | None
    stopped_because: str | None

    @classmethod
    def of(cls, one: Experiment) -> "ExperimentOut":
        """As callers see it; the salt stays here."""
        return cls(
            experiment=one.experiment,
            unit_kind=one.unit_kind,
            arms=[
                ArmOut(
                    arm=arm.arm,
                    policy=arm.policy,
                    share=arm.share,
                    parameters=dict(arm.parameters),
                )
                for arm in one.arms
            ],
            design=dict(one.design),
            standing=one.standing,
            actor=one.actor,
            created_at=one.created_at,
            started_at=one.started_at,
            stopped_at=one.stopped_at,
            stopped_because=one.stopped_because,
        )


class DesignedOut(ExperimentOut):
    """A design that was kept, with what it can find."""

    can_find: PowerOut | None = Field(
        description="Null where the history holds nothing to compare."
    )


class ExperimentsOut(BaseModel):
    """Experiments."""

    experiments: list[ExperimentOut] = Field(description="The newest first.")


class StopIn(Body):
    """Why it is stopped."""

    because: Annotated[Text, Field(min_length=1)] = Field(
        examples=["enough is known: the treatment wins more"]
    )


@router.post(
    "",
    response_model=DesignedOut,
    status_code=201,
    responses=may_raise(Conflict, InvalidInput),
    dependencies=[_MANAGERS],
)
def post_experiment(body: ExperimentIn, call: Writing, parts: Parts) -> Response:
    """Keep a design; leads are not given to its arms before the start."""

    def prepare() -> tuple[Experiment, Power | None]:
        at, principal = call.clock.now(), call.principal
        one = experiments.designed(body.to_wanted(), actor=principal.key_id, at=at)
        given = body.design.n_optimal is not None
        return tuned(parts, principal.tenant_id, one, given=given)

    def work(
        session: WriteSession, prepared: tuple[Experiment, Power | None]
    ) -> DesignedOut:
        one, power = prepared
        store.create_experiment(session, one)
        return DesignedOut(
            **ExperimentOut.of(one).model_dump(),
            can_find=None if power is None else PowerOut.of(power),
        )

    return call.prepared_once(prepare, work, status=201)


@router.post(
    "/power",
    responses=may_raise(InvalidInput),
    dependencies=[_READERS],
)
def post_power(body: ExperimentIn, parts: Parts, caller: Caller) -> PowerOut:
    """What a design could find, from the history so far; writes nothing."""
    at = parts.clock.now()
    one = experiments.designed(body.to_wanted(), actor=caller.key_id, at=at)
    unsaid = body.design.n_optimal is None
    return PowerOut.of(power_of(parts, caller.tenant_id, one, tuned=unsaid))


@router.get("", dependencies=[_READERS])
def get_experiments(
    session: Reading,
    running: Annotated[bool, Query(description="Those that run only.")] = False,
) -> ExperimentsOut:
    """Every experiment, the newest first."""
    found = (store.running_experiments if running else store.list_experiments)(session)
    return ExperimentsOut(experiments=[ExperimentOut.of(one) for one in found])


@router.get("/{experiment}", responses=may_raise(NotFound), dependencies=[_READERS])
def get_experiment(experiment: Key, session: Reading) -> ExperimentOut:
    """One experiment as it was designed."""
    return ExperimentOut.of(store.read_experiment(session, experiment))


@router.post(
    "/{experiment}/start",
    response_model=ExperimentOut,
    responses=may_raise(NotFound, Conflict),
    dependencies=[_MANAGERS],
)
def post_start(experiment: Key, call: Writing) -> Response:
    """Give leads to its arms from now on; freezes the champion of this moment."""

    def work(session: WriteSession) -> ExperimentOut:
        at = call.clock.now()
        return ExperimentOut.of(experiments.start(session, experiment, at=at))

    return call.once(work)


@router.post(
    "/{experiment}/stop",
    response_model=ExperimentOut,
    responses=may_raise(NotFound, Conflict, InvalidInput),
    dependencies=[_MANAGERS],
)
def post_stop(experiment: Key, body: StopIn, call: Writing) -> Response:
    """Give no more leads to its arms; those drawn go on being judged."""

    def work(session: WriteSession) -> ExperimentOut:
        at = call.clock.now()
        stopped = experiments.stop(session, experiment, because=body.because, at=at)
        return ExperimentOut.of(stopped)

    return call.once(work)


@router.get(
    "/{experiment}/report",
    responses=may_raise(NotFound, Conflict),
    dependencies=[_READERS],
)
def get_report(experiment: Key, session: Reading, parts: Parts) -> ReportOut:
    """What may be concluded today; looking every day is allowed."""
    return ReportOut.of(read_report(session, experiment, at=parts.clock.now()))
