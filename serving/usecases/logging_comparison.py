"""A comparison as MLflow keeps it: one run around, one inside it for each policy."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson

from experiments.comparison import (
    Comparison,
    Side,
    fairness_plot,
    value_plot,
    weights_plot,
)
from rightrep.domain.ids import TenantId
from serving.usecases.context import Context
from training.registry import Sheet, log_sheets

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def log_comparison(context: Context, tenant_id: TenantId, found: Comparison) -> str:
    """Log a comparison beside the tenant's trainings.

    Args:
        context: The parts of this process.
        tenant_id: Whose.
        found: The comparison.

    Returns:
        The id of the run around the others.

    Raises:
        InvalidInput: MLflow is not installed.
    """
    shared = {"ground": found.ground, "baseline": found.baseline, **found.facts}
    plots = {"value.png": value_plot(found), "fairness.png": fairness_plot(found)}
    whole = Sheet(
        name=f"compare on {found.ground}",
        parameters=shared,
        metrics={"n_policies": float(len(found.sides))},
        texts={
            "comparison.txt": "\n".join(found.in_words()),
            "comparison.json": found.as_json().decode(),
            "comparison.csv": found.as_csv(),
        },
        figures=plots,
    )
    return log_sheets(
        whole,
        [_sheet(side, shared) for side in found.sides],
        tracking_uri=context.settings.tracking_uri,
        experiment=f"rightrep-{tenant_id}",
    )


def _sheet(side: Side, shared: Mapping[str, Any]) -> Sheet:
    """One policy: its figures, its rule set, and its weights where it has any."""
    known = {name: value for name, value in side.figures.items() if value is not None}
    texts = {} if side.said is None else {"said.txt": side.said}
    if side.rules is not None:
        texts["rules.json"] = orjson.dumps(
            side.rules, option=orjson.OPT_INDENT_2
        ).decode()
    figures: dict[str, Figure] = {}
    if side.weights is not None:
        figures["weights.png"] = weights_plot(side)
    return Sheet(
        name=side.name,
        parameters={"policy": side.name, **shared},
        metrics=known,
        texts=texts,
        figures=figures,
    )
