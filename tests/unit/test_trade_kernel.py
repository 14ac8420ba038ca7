"""The compiled trading of leads against its twin in plain Python, step for step."""

from dataclasses import dataclass

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from optimizer.problem import BoolArray, FloatArray, IntArray
from optimizer.trade_kernel import Rules, trade

LEAST_GAIN = 0.5


@dataclass(frozen=True)
class Case:
    """A plan within limits, in numbers whose sums are exact."""

    value: FloatArray
    quality: FloatArray
    active: BoolArray
    rules: Rules
    rep_of: IntArray
    penalty: float

    @property
    def n_reps(self) -> int:
        return len(self.rules.low)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_leads, n_reps, n_groups = rng.integers(1, 9), rng.integers(1, 5), 2
    active = rng.random((n_leads, n_reps)) < 0.8
    rep_of = np.array([_any(rng, np.flatnonzero(row)) for row in active], np.int64)
    group = rng.integers(0, n_groups, n_reps)
    load = np.bincount(rep_of[rep_of >= 0], minlength=n_reps)
    of_group = np.bincount(group, load, n_groups).astype(np.int64)
    low = rng.integers(0, 8, n_reps) / 16
    return Case(
        value=rng.integers(-1000, 100_000, (n_leads, n_reps)).astype(np.float64),
        quality=rng.integers(0, 16, n_leads) / 16,
        active=active,
        rules=Rules(
            np.maximum(load - rng.integers(0, 3, n_reps), 0),
            load + rng.integers(0, 3, n_reps),
            group,
            np.maximum(of_group - rng.integers(0, 3, n_groups), 0),
            of_group + rng.integers(0, 3, n_groups),
            low,
            low + rng.integers(0, 8, n_reps) / 16,
            rng.integers(1, 5, n_reps).astype(np.float64),
            bool(rng.random() < 0.5),
        ),
        rep_of=rep_of,
        penalty=float(rng.integers(0, 200_000)),
    )


def _any(rng: np.random.Generator, reps: IntArray) -> int:
    return int(rng.choice(np.append(reps, -1)))


def outside(case: Case, rep_of: IntArray) -> float:
    given_leads = rep_of >= 0
    of_rep = np.bincount(
        rep_of[given_leads], case.quality[given_leads], minlength=case.n_reps
    )
    total = of_rep.sum()
    above = np.maximum(of_rep - case.rules.share_high * total, 0)
    below = np.maximum(case.rules.share_low * total - of_rep, 0)
    return float(case.rules.dear @ (above + below))


def score(case: Case, rep_of: IntArray) -> float:
    leads = np.flatnonzero(rep_of >= 0)
    worth = case.value[leads, rep_of[leads]].sum()
    return float(worth - case.penalty * outside(case, rep_of))


def within(case: Case, rep_of: IntArray) -> bool:
    """Whether the limits on leads hold and only active pairs are used."""
    rules, leads = case.rules, np.flatnonzero(rep_of >= 0)
    load = np.bincount(rep_of[leads], minlength=case.n_reps)
    of_group = np.bincount(rules.group, load, len(rules.group_low))
    return bool(
        case.active[leads, rep_of[leads]].all()
        and ((load >= rules.low) & (load <= rules.high)).all()
        and ((of_group >= rules.group_low) & (of_group <= rules.group_high)).all()
    )


def best_step(case: Case, rep_of: IntArray, lead: int) -> tuple[float, IntArray]:
    """The plan after the best single step of a lead, tried one by one."""
    best, best_plan = LEAST_GAIN, rep_of
    others = [k for k in range(len(rep_of)) if rep_of[k] != rep_of[lead]]
    steps = [(lead, rep, None) for rep in range(-1, case.n_reps) if rep != rep_of[lead]]
    if not case.rules.may_stay:
        steps = [step for step in steps if step[1] >= 0 and rep_of[lead] >= 0]
    for mover, there, other in steps + [(lead, rep_of[k], k) for k in others]:
        after = rep_of.copy()
        after[mover] = there
        if other is not None:
            after[other] = rep_of[lead]
        gain = score(case, after) - score(case, rep_of)
        if gain > best and within(case, after):
            best, best_plan = gain, after
    return best, best_plan


@given(case=cases())
def test_trading_makes_the_best_step_of_each_lead_in_turn(case: Case) -> None:
    compiled, plan = case.rep_of.copy(), case.rep_of

    left = trade(
        case.value,
        case.quality,
        case.active,
        case.rules,
        compiled,
        case.penalty,
        LEAST_GAIN,
        1,
    )

    for lead in range(len(plan)):
        _, plan = best_step(case, plan, lead)
    assert score(case, compiled) == score(case, plan)
    assert left == outside(case, compiled)
    assert within(case, compiled)


@given(case=cases())
def test_when_trading_ends_no_single_step_gains(case: Case) -> None:
    rep_of = case.rep_of.copy()

    trade(
        case.value,
        case.quality,
        case.active,
        case.rules,
        rep_of,
        case.penalty,
        LEAST_GAIN,
        1000,
    )

    assert score(case, rep_of) >= score(case, case.rep_of)
    for lead in range(len(rep_of)):
        gain, _ = best_step(case, rep_of, lead)
        assert gain == LEAST_GAIN
