"""The life of an experiment: designed, started, stopped; each once, each told of.

Nothing about it changes after the start: its arms, its salt and what it promises are
kept with the design, and the start adds the version of the model whose lead-only p is
logged with every unit.
"""

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from experiments.design import Design
from experiments.drawn import GUARDRAILS
from experiments.report import two_arms
from optimizer.policies import POLICIES
from rightrep.domain.experiment import (
    AS_RULED,
    CONTROL,
    LOT,
    TREATMENT,
    Arm,
    Experiment,
    UnitKind,
)
from rightrep.domain.routing import Routing
from rightrep.errors import Conflict, InvalidInput
from rightrep.store import experiments as store
from rightrep.store import models, outbox
from rightrep.store.session import WriteSession
from rightrep.store.tenants import get_tenant
from serving.usecases.pricing import ask_for_prices

STARTED = "rightrep.experiment.started"
STOPPED = "rightrep.experiment.stopped"

USUAL_ARMS = (
    Arm(arm=CONTROL, policy=LOT, share=0.5),
    Arm(arm=TREATMENT, policy="optimal", share=0.5),
)
"""What is compared where nobody says otherwise."""

STRATA = (
    "industry",
    "region",
    "language",
    "product",
    "channel",
    "campaign",
    "stage",
    "grade",
)
"""Lead attributes that arms can be compared within: those that are words."""

_NAME = re.compile(r"\w[\w .-]{0,62}")
_ASK_MODEL = ("optimal", "greedy")


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What somebody wants to find out.

    Attributes:
        experiment: Its name, unique in the tenant.
        unit_kind: What is randomised.
        arms: Control and treatment.
        design: What ``Design.of`` reads.
        standing: Whether it is a holdout, which runs beside any other.
    """

    experiment: str
    unit_kind: UnitKind = UnitKind.LEAD
    arms: Sequence[Arm] = USUAL_ARMS
    design: Mapping[str, Any] = field(default_factory=dict)
    standing: bool = False


def designed(wanted: Wanted, *, actor: str, at: datetime) -> Experiment:
    """The experiment that is wanted, checked; nothing is written.

    Raises:
        InvalidInput: It could not be run, or its report could not be trusted.
    """
    if not _NAME.fullmatch(wanted.experiment):
        raise InvalidInput(
            f"{wanted.experiment!r} is no name for an experiment.",
            field="experiment",
            remedy="Use up to 63 letters, digits, spaces, dots, '-' and '_'.",
        )
    design = Design.of(wanted.design)
    _require_arms(wanted)
    _require_known("strata", design.strata, STRATA)
    if design.strata and wanted.unit_kind is not UnitKind.LEAD:
        raise InvalidInput(
            "Arms are compared within strata where each lead is drawn by itself.",
            field="design.strata",
            remedy=f"Leave them out, or draw by {UnitKind.LEAD.value!r}.",
        )
    _require_known("margins", design.margins, GUARDRAILS)
    if design.model_version is not None:
        raise InvalidInput(
            "The start says which model is frozen.",
            field="design.model_version",
            remedy="Leave it out.",
        )
    return Experiment(
        experiment=wanted.experiment,
        unit_kind=wanted.unit_kind,
        salt=secrets.token_hex(16),
        arms=tuple(sorted(wanted.arms, key=lambda arm: arm.arm)),
        design=design.to_json(),
        actor=actor,
        created_at=at,
        standing=wanted.standing,
    )


def start(session: WriteSession, name: str, *, at: datetime) -> Experiment:
    """Give leads to its arms from now on; the champion of this moment is frozen.

    Raises:
        NotFound: No such experiment.
        Conflict: It was started before, another one is running, or an arm needs a model
            and none is published.
    """
    ready = store.read_experiment(session, name)
    present = models.champion(session)
    asking = sorted({arm.policy for arm in ready.arms} & set(_ASK_MODEL))
    if present is None and asking:
        raise Conflict(
            f"Policy {asking[0]!r} asks a model and none is published. "
            "Train one with `rightrep train`, then start."
        )
    design = Design.of(ready.design)
    if present is not None and design.adjust:
        design = replace(design, model_version=present.version)
    store.start_experiment(session, name, at=at, design=design.to_json())
    _tell(session, STARTED, ready, at, model_version=design.model_version)
    return store.read_experiment(session, name)


def stop(session: WriteSession, name: str, *, because: str, at: datetime) -> Experiment:
    """Give no more leads to its arms; what is logged stays and goes on being judged.

    Raises:
        NotFound: No such experiment.
        Conflict: It is not running.
        InvalidInput: No reason is given.
    """
    if not because.strip():
        raise InvalidInput("Say why it is stopped.", field="because")
    store.stop_experiment(session, name, at=at, because=because.strip())
    # Those of all slots stood still while each arm had its own.
    if Routing.of(get_tenant(session).settings).price_refresh_minutes > 0:
        ask_for_prices(session, at=at)
    stopped = store.read_experiment(session, name)
    _tell(session, STOPPED, stopped, at)
    return stopped


def arms_in_order(one: Experiment) -> tuple[Arm, Arm]:
    """Control and treatment.

    Raises:
        InvalidInput: They are not two, or none is called control.
    """
    by_name = {arm.arm: arm for arm in one.arms}
    control, treatment = two_arms(list(by_name))
    return by_name[control], by_name[treatment]


def _tell(
    session: WriteSession, kind: str, one: Experiment, at: datetime, **more: object
) -> None:
    said = {
        "experiment": one.experiment,
        "unit_kind": one.unit_kind.value,
        "arms": {arm.arm: arm.policy for arm in one.arms},
        **more,
    }
    outbox.emit(session, kind, said, at=at, subject=one.experiment)


def _require_arms(wanted: Wanted) -> None:
    names = [arm.arm for arm in wanted.arms]
    _, treatment = two_arms(names)
    if wanted.standing and treatment != TREATMENT:
        raise InvalidInput(
            f"A holdout keeps leads from an arm called {TREATMENT}.", field="arms"
        )
    policy = {arm.arm: arm.policy for arm in wanted.arms}
    if policy[CONTROL] != LOT:
        raise InvalidInput(
            f"The control is drawn by lot, not by {policy[CONTROL]!r}.",
            field="arms",
            remedy=f"Give it the policy {LOT!r}.",
        )
    known = (AS_RULED, *POLICIES)
    if policy[treatment] not in known:
        raise InvalidInput(
            f"There is no policy {policy[treatment]!r}.",
            field="arms",
            remedy=f"Give one of {', '.join(known)}.",
        )


def _require_known(
    name: str, given: Sequence[str] | Mapping[str, float], known: Sequence[str]
) -> None:
    for one in given:
        if one not in known:
            raise InvalidInput(
                f"{one!r} is none of the {name}.",
                field=f"design.{name}",
                remedy=f"Give {', '.join(known)}.",
            )
