"""A backtest of a tenant's history, logged beside its trainings."""

from collections.abc import Sequence
from datetime import datetime

import pandas as pd

from features.history import History
from rightrep.domain.ids import TenantId
from rightrep.store import bulk
from rightrep.store.tenants import get_tenant
from serving.usecases.context import Context
from training.backtest import Backtest, backtest, refit_instants
from training.registry import log_backtest


def run_backtest(
    context: Context,
    tenant_id: TenantId,
    *,
    as_of: datetime,
    n_refits: int,
    refits: Sequence[datetime] = (),
) -> tuple[Backtest, str]:
    """Refit in the past, judge by what came after, and log what was found.

    Args:
        context: The parts of this process.
        tenant_id: Whose history.
        as_of: Outcomes are taken as known then.
        n_refits: Refits, spread so that equally many decisions judge each; at least 2.
        refits: When to refit instead, ascending.

    Returns:
        The backtest, and the id of its MLflow run.

    Raises:
        InvalidInput: The refits are too few, not ascending, or not before ``as_of``;
            one has too little to learn from, or nothing judges it.
        TooFewOutcomes: There is nothing to judge by at all.
    """
    with context.store.read(tenant_id) as session:
        tenant = get_tenant(session)
        history = History.of(bulk.read_history(session, recorded_until=as_of))
    end, window, zone = pd.Timestamp(as_of), tenant.label_window_days, tenant.time_zone
    instants = [pd.Timestamp(one) for one in refits] or refit_instants(
        history, n_refits, end, label_window_days=window, zone=zone
    )
    found = backtest(history, instants, end, label_window_days=window, zone=zone)
    run_id = log_backtest(
        found,
        as_of=as_of,
        tracking_uri=context.settings.tracking_uri,
        experiment=f"rightrep-{tenant_id}",
    )
    return found, run_id
