"""An experiment on shared slots lies: the effect with and without splitting them.

Two arms that draw on the same reps' slots interfere: what the treatment takes, the
control cannot have, so the difference between them is not what going over from one to
the other would bring. Leads come by the day, as many as slots; values are expected
values, so nothing here is noise of outcomes. The truth is each policy alone on all
leads and all slots. With slots split between the arms what is left is that each policy
has fewer slots to choose from, which shrinks with slots per rep.
"""

import sys
from collections.abc import Sequence

import numpy as np

from benchmarks.common import Figure, Row, options, publish
from optimizer.policies import POLICIES
from optimizer.problem import UNASSIGNED, FloatArray, IntArray, Problem
from rightrep.domain.experiment import Arm
from rightrep.domain.slots import split_slots

REPS = 12
SLOTS = (1, 2, 3, 5, 10, 20)
ADVISED = 5
"""Slots per rep and day from which a split of slots is advised."""
DAYS, QUICK_DAYS = 400, 40
BAR = 0.1
CONTROL, TREATMENT = "round_robin_lot", "optimal"
ARMS = (
    Arm(arm="control", policy=CONTROL, share=0.5),
    Arm(arm="treatment", policy=TREATMENT, share=0.5),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Compare the effects by slots per rep."""
    asked = options(__doc__ or "", argv, repetitions=1, quick_repetitions=1)
    days = QUICK_DAYS if asked.quick else DAYS
    rows = [_row(slots, days) for slots in SLOTS]
    held = [row for row in rows if int(str(row["slots per rep"])) >= ADVISED]
    worst = max(abs(float(str(row["split, off by"]))) for row in held)
    return publish(
        Figure(
            name="split_bias",
            value=worst,
            bar=BAR,
            holds=worst <= BAR,
            rows=rows,
            title=f"Effect of the optimum over round robin, {REPS} reps, {days} days",
            notes=(
                "Effects are shares of the value under round robin on everything.",
                "Shared slots: the treatment's batch is planned first, then the "
                "control's leads go round on what is left.",
                f"The bar is for {ADVISED} slots per rep and more; below, whole "
                "team-days are the better unit.",
            ),
            extra={"unit": "share of the true effect, the worst from 5 slots on"},
        ),
        quick=asked.quick,
    )


def _row(slots: int, days: int) -> Row:
    totals = np.zeros((3, 2))
    count = np.zeros((3, 2))
    for day in range(days):
        rng = np.random.default_rng([slots, day])
        value = _values(rng, slots * REPS)
        treated = rng.random(len(value)) < 0.5
        open_slots = np.full(REPS, slots, dtype=np.int64)
        keys = [f"rep {j} day {day}" for j in range(REPS)]
        shares = [arm.share for arm in ARMS]
        split = split_slots(open_slots, shares, keys, salt="bias")
        seed = int(rng.integers(1 << 60))
        worlds = (
            (value, value, open_slots, open_slots),
            _shared(value, treated, open_slots, seed),
            (value[~treated], value[treated], split[:, 0], split[:, 1]),
        )
        for place, (control, treatment, first, second) in enumerate(worlds):
            totals[place] += (
                _worth(CONTROL, control, first, seed),
                _worth(TREATMENT, treatment, second, seed),
            )
            count[place] += len(control), len(treatment)
    mean = totals / count
    effect = (mean[:, 1] - mean[:, 0]) / mean[0, 0]
    return {
        "slots per rep": slots,
        "true effect": round(float(effect[0]), 4),
        "slots shared": round(float(effect[1]), 4),
        "shared, off by": round(float(effect[1] / effect[0] - 1), 3),
        "slots split": round(float(effect[2]), 4),
        "split, off by": round(float(effect[2] / effect[0] - 1), 3),
    }


def _values(rng: np.random.Generator, n_leads: int) -> FloatArray:
    """Deal value times a chance that depends on lead, rep and their fit."""
    deal = rng.lognormal(0, 0.7, (n_leads, 1))
    skill = np.random.default_rng(1).normal(0, 0.4, REPS)
    odds = rng.normal(-1.5, 0.7, (n_leads, 1)) + skill
    odds = odds + rng.normal(0, 0.5, (n_leads, REPS))
    return np.asarray(deal / (1 + np.exp(-odds)))


def _shared(
    value: FloatArray,
    treated: np.ndarray[tuple[int], np.dtype[np.bool_]],
    open_slots: IntArray,
    seed: int,
) -> tuple[FloatArray, FloatArray, IntArray, IntArray]:
    """The treatment's leads have every slot, the control's what they leave."""
    plan = POLICIES[TREATMENT](_problem(value[treated], open_slots, seed))
    given = plan.rep_of[plan.rep_of != UNASSIGNED]
    left = open_slots - np.bincount(given, minlength=REPS)
    return value[~treated], value[treated], left, open_slots


def _worth(policy: str, value: FloatArray, slots: IntArray, seed: int) -> float:
    plan = POLICIES[policy](_problem(value, slots, seed))
    given = np.flatnonzero(plan.rep_of != UNASSIGNED)
    return float(value[given, plan.rep_of[given]].sum())


def _problem(value: FloatArray, slots: IntArray, seed: int) -> Problem:
    return Problem(
        value,
        np.ones(value.shape, np.bool_),
        slots,
        np.zeros(REPS, np.int64),
        seed=seed,
    )


if __name__ == "__main__":
    sys.exit(main())
