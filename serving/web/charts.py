"""What the charts are drawn from: plain data, put into the page as JSON."""

from collections.abc import Sequence
from typing import Any

from serving.usecases.board import PlanView, RepLoad
from serving.usecases.board_names import Names
from serving.web.wording import Say


def of_plan(plan: PlanView | None, say: Say) -> dict[str, Any] | None:
    """Expected value by policy, the plan first; None where nothing is expected.

    Returns:
        ``bars`` of name, words, value and label; ``bound`` or None; the plan's unit.
    """
    if plan is None or plan.header.value is None or not plan.baselines:
        return None
    header = plan.header
    value = {figure.policy: figure.value for figure in plan.baselines}
    value.pop(header.policy, None)
    value = {header.policy: plan.header.value, **value}
    return {
        "bars": [
            {
                "name": policy,
                "words": say.translate(policy.replace("_", " ")).capitalize(),
                "value": worth,
                "label": say.value(worth),
            }
            for policy, worth in value.items()
        ],
        "bound": header.bound,
    }


def of_loads(loads: Sequence[RepLoad], names: Names, say: Say) -> dict[str, Any] | None:
    """Leads held, leads given and limit of each rep, in words too; None without."""
    if not loads:
        return None
    return {
        "names": [names.rep(load.rep_id) for load in loads],
        "held": [load.held for load in loads],
        "given": [load.given for load in loads],
        "limit": [load.limit for load in loads],
        "told": [_told(load, names, say) for load in loads],
    }


def _told(load: RepLoad, names: Names, say: Say) -> str:
    limit = say.translate("none") if load.limit is None else say.number(load.limit)
    words = say.translate("{rep}: held {held}, the plan gives {given}, limit {limit}")
    return words.format(
        rep=names.rep(load.rep_id),
        held=say.number(load.held),
        given=say.number(load.given),
        limit=limit,
    )
