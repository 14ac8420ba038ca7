"""What the charts are drawn from: plain data, put into the page as JSON."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.moments import FloatArray
from experiments.survival import Curve
from serving.usecases.board import PlanView, RepLoad
from serving.usecases.board_names import Names
from serving.usecases.board_trial import TrialPage
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


_ROOM = 0.75
"""The chart of an effect goes by so much of its last interval's width beyond it: all
that was uncertain on the first days would make the last ones a line."""

_STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500)
_MOST_STEPS = 6
_ROWS = 8


def of_effect(page: TrialPage, say: Say) -> dict[str, Any] | None:
    """The main effect over time, in per cent of the control; None without a look.

    Returns:
        ``days`` in words, ``effect``, ``low``, ``high``, and ``axis``: its ends and
        its step; what is beyond is cut off there.
    """
    looks = page.looks
    if not looks:
        return None
    ends = np.array(
        [
            [one.effect.relative, one.effect.relative_low, one.effect.relative_high]
            for one in looks
        ]
    )
    bottom, top, step = _axis(ends[-1])
    effect, low, high = np.clip(ends.T * 100, bottom, top).round(2).tolist()
    return {
        "days": [say.day(page.seen_on(one)) for one in looks],
        "effect": effect,
        "low": low,
        "high": high,
        "axis": [bottom, top, step],
    }


def _axis(last: FloatArray) -> tuple[int, int, int]:
    """Ends and step of an axis around 0 and the last interval, in per cent."""
    _, low, high = (last * 100).tolist()
    room = _ROOM * (high - low)
    bottom, top = min(low, 0.0) - room, max(high, 0.0) + room
    fits = (one for one in _STEPS if one * _MOST_STEPS >= top - bottom)
    step = next(fits, _STEPS[-1])
    return math.floor(bottom / step) * step, math.ceil(top / step) * step, step


def of_wins(page: TrialPage) -> dict[str, Any] | None:
    """Share won by each day after the draw, by arm; None before there is a day.

    Returns:
        ``days``; ``control`` and ``treatment``, each with ``share``, ``low``, ``high``
        in per cent; ``rows``: some days for a table, as shares.
    """
    control, treatment = (None, None) if page.found is None else page.found.curves
    if control is None or treatment is None:
        return None
    n_days = min(control.days.size, treatment.days.size)
    step = max(1, (n_days - 1) // _ROWS)
    return {
        "days": control.days[:n_days].tolist(),
        "control": _in_percent(control, n_days),
        "treatment": _in_percent(treatment, n_days),
        "rows": [
            {"day": day, **_row("control", control, day)}
            | _row("treatment", treatment, day)
            for day in range(step, n_days, step)
        ],
    }


def _in_percent(curve: Curve, n_days: int) -> dict[str, list[float]]:
    return {
        name: (getattr(curve, name)[:n_days] * 100).round(3).tolist()
        for name in ("share", "low", "high")
    }


def _row(arm: str, curve: Curve, day: int) -> dict[str, float]:
    return {
        arm: float(curve.share[day]),
        f"{arm}_low": float(curve.low[day]),
        f"{arm}_high": float(curve.high[day]),
    }
