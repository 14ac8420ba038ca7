"""An experiment that an organisation ran before RightRep, out of what it imported.

Where a part of the old decisions was drawn by lot, whatever the organisation did with
the others can be held to that part: which lead went into the lot was chance. So the
draws are logged as units with the instants of their decisions, and the report is made
as of any other experiment.
"""

import secrets
from dataclasses import replace
from datetime import datetime, timedelta

import pandas as pd

from experiments.design import Design
from rightrep.domain.experiment import Arm, ArmOfUnit, Experiment, UnitKind
from rightrep.store import bulk
from rightrep.store import experiments as store
from rightrep.store.session import WriteSession

BY_LOT = Arm(arm="control", policy="random", share=0.25)
BY_HAND = Arm(arm="treatment", policy="by_hand", share=0.75)

_TOGETHER = timedelta(hours=2)
"""Decisions so close to each other are logged at once, with the first one's instant."""


def log_past_lottery(
    session: WriteSession,
    name: str,
    design: Design,
    *,
    since: datetime,
    at: datetime,
    because: str,
    lottery_share: float = BY_LOT.share,
) -> int:
    """Keep a past lottery as an experiment that ran until now.

    Args:
        session: Where to read and write.
        name: What to call it.
        design: Horizon and metric.
        since: From which first decisions on.
        at: Now, when it stops.
        because: Why it stops.
        lottery_share: Part of the leads that went into the lot, as was planned.

    Returns:
        Leads that were logged.

    Raises:
        Conflict: There is an experiment of this name, or one is running.
    """
    decisions = bulk.read_history(session)["decisions"].to_pandas()
    first = decisions.sort_values("decided_at").drop_duplicates("lead_id")
    first = first[(first["decided_at"] >= since) & (first["decided_at"] <= at)]
    store.create_experiment(session, _experiment(name, design, since, lottery_share))
    store.start_experiment(session, name, at=since)
    for _, group in first.groupby(first["decided_at"].dt.floor(_TOGETHER)):
        drawn = [
            ArmOfUnit(unit=lead_id, arm=BY_HAND.arm if pd.isna(chance) else BY_LOT.arm)
            for lead_id, chance in zip(
                group["lead_id"], group["propensity"], strict=True
            )
        ]
        started = group["decided_at"].min().to_pydatetime()
        store.log_units(session, name, drawn, at=started)
    store.stop_experiment(session, name, at=at, because=because)
    return len(first)


def _experiment(
    name: str, design: Design, since: datetime, lottery_share: float
) -> Experiment:
    return Experiment(
        experiment=name,
        unit_kind=UnitKind.LEAD,
        salt=secrets.token_hex(16),
        arms=(
            replace(BY_LOT, share=lottery_share),
            replace(BY_HAND, share=1 - lottery_share),
        ),
        design=design.to_json(),
        actor="import",
        created_at=since,
    )
