"""The standing holdout: leads kept on the control for good, whatever runs beside it.

It is kept as an experiment that stands: its control has the share that the setting
asks for, its treatment is everybody else, shared out as the rules or the running
experiment say. Another share is another record, drawn with the same salt, so that a
lead kept under the smaller share is kept under the larger one too.
"""

import re
import secrets
from datetime import datetime

from rightrep.domain.experiment import (
    AS_RULED,
    CONTROL,
    LOT,
    TREATMENT,
    Arm,
    Experiment,
    UnitKind,
)
from rightrep.store import models
from rightrep.store.experiments import (
    create_experiment,
    list_experiments,
    start_experiment,
    stop_experiment,
)
from rightrep.store.session import WriteSession
from serving.usecases.arm_covariates import MODEL_VERSION

_OURS = re.compile(r"holdout-\d+$")
"""Names of the setting's own records; another holdout is whoever's designed it."""


def keep_holdout(
    session: WriteSession, share: float, *, at: datetime, actor: str
) -> None:
    """Keep this share of leads on the control from now on; twice is once.

    Args:
        session: Where to write.
        share: Part of the leads; 0 ends the holdout.
        at: Now.
        actor: Who asks.

    Raises:
        Conflict: Somebody designed another holdout that stands.
    """
    before = [one for one in list_experiments(session) if _OURS.match(one.experiment)]
    standing = next((one for one in before if _stands(one)), None)
    if standing is not None:
        if _share(standing) == share:
            return
        because = f"The setting holdout_share is {share:g} now."
        stop_experiment(session, standing.experiment, at=at, because=because)
    if share > 0:
        name = f"holdout-{len(before) + 1}"
        salt = before[-1].salt if before else secrets.token_hex(16)
        present = models.champion(session)
        design = {} if present is None else {MODEL_VERSION: present.version}
        create_experiment(
            session,
            Experiment(
                experiment=name,
                unit_kind=UnitKind.LEAD,
                salt=salt,
                arms=[
                    Arm(arm=CONTROL, policy=LOT, share=share),
                    Arm(arm=TREATMENT, policy=AS_RULED, share=1.0 - share),
                ],
                design=design,
                actor=actor,
                created_at=at,
                standing=True,
            ),
        )
        start_experiment(session, name, at=at)


def _stands(one: Experiment) -> bool:
    return one.started_at is not None and one.stopped_at is None


def _share(one: Experiment) -> float:
    return next(arm.share for arm in one.arms if arm.arm == CONTROL)
