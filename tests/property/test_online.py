"""One lead now, looking ahead: rules that hold for any arrivals and any reps."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from optimizer.forecast import Forecast, forecast_leads
from optimizer.futures import LookAhead, Periods, balance_step, price_window
from optimizer.futures import price_futures as sampled_prices
from optimizer.online import Pacer, choose, draw_lottery, paced
from optimizer.optimum import solve
from optimizer.policies import POLICIES
from optimizer.problem import UNASSIGNED, FloatArray, IntArray, Problem
from optimizer.verify import total_value, violations
from tests.strategies_problem import problems, with_changes

ALONE = 1
"""A pool of one lead: every future is made of copies of it."""


def given_one_by_one(problem: Problem, price: FloatArray, step: float) -> IntArray:
    """The rep of each lead in order, with prices that the pacer moves."""
    slots = problem.capacity.copy()
    pacer = Pacer(price, slots, max(problem.n_leads, 1), step=step)
    chosen = []
    for value, eligible in zip(problem.value, problem.eligible, strict=True):
        rep = choose(value, eligible, slots, pacer.price).rep
        pacer.note(rep)
        if rep != UNASSIGNED:
            slots[rep] -= 1
        chosen.append(rep)
    return np.array(chosen, np.int64)


@given(
    problem=problems(),
    prices=hnp.arrays(np.float64, 4, elements=st.floats(0, 10)),
    step=st.floats(0, 5),
)
def test_capacity_is_never_exceeded_and_nobody_gets_what_they_may_not_have(
    problem: Problem, prices: FloatArray, step: float
) -> None:
    rep_of = given_one_by_one(problem, prices[: problem.n_reps], step)

    plan = POLICIES["greedy"](problem)
    no_floor = with_changes(problem, floor=problem.floor * 0)
    assert violations(no_floor, type(plan)(rep_of, plan.propensity)) == []


@given(
    notes=st.lists(st.integers(-1, 3), max_size=30),
    planned=hnp.arrays(np.int64, 4, elements=st.integers(0, 5)),
    step=st.floats(0, 0.1),
)
def test_counts_alone_tell_what_a_pacer_comes_to_in_any_order(
    notes: list[int], planned: IntArray, step: float
) -> None:
    high = np.full(4, 50.0)
    pacer = Pacer(high, planned, 10.0, step=step)
    for rep in notes:
        pacer.note(rep)

    given = np.bincount([rep for rep in notes if rep >= 0], minlength=4)
    share = np.minimum(planned / 10.0, 1.0)
    told = paced(high, share, given, step)
    # Leads that went to nobody are noted but leave no decision to count.
    nobody = notes.count(UNASSIGNED)
    assert told - step * nobody * share == pytest.approx(pacer.price)


def test_prices_never_fall_below_zero_by_pacing() -> None:
    idle = paced(np.array([0.5, 2.0]), np.array([1.0, 0.0]), np.array([0, 9]), 1.0)
    assert idle.tolist() == [0.0, 11.0]


@given(problem=problems())
def test_prices_of_zero_are_the_greedy_policy(problem: Problem) -> None:
    """Up to the tie rule, which greedy takes from who waited: values made distinct."""
    rank = np.arange(problem.value.size).reshape(problem.value.shape)
    distinct = with_changes(problem, value=rank[::-1].astype(np.float64))

    rep_of = given_one_by_one(distinct, np.zeros(problem.n_reps), 0.0)

    assert rep_of.tolist() == POLICIES["greedy"](distinct).rep_of.tolist()


@given(
    value=hnp.arrays(np.float64, 5, elements=st.integers(0, 2)),
    waited=hnp.arrays(np.float64, 5, elements=st.integers(0, 3)),
    slots=hnp.arrays(np.int64, 5, elements=st.integers(0, 2)),
    seed=st.integers(0, 99),
)
def test_ties_go_to_who_waited_longest(
    value: FloatArray, waited: FloatArray, slots: IntArray, seed: int
) -> None:
    everyone, free = np.ones(5, np.bool_), np.zeros(5)
    rng = np.random.default_rng(seed)

    choice = choose(value, everyone, slots, free, waited=waited, rng=rng)

    key = [(-value[j], -waited[j]) for j in choice.ranking]
    assert key == sorted(key)
    assert set(choice.ranking) == set(np.flatnonzero(slots))


@given(
    value=hnp.arrays(np.float64, 4, elements=st.integers(0, 1)),
    waited=hnp.arrays(np.float64, 4, elements=st.integers(0, 1)),
    order=st.permutations(range(4)),
)
def test_permuting_ids_changes_nobodys_expected_share(
    value: FloatArray, waited: FloatArray, order: list[int]
) -> None:
    def share(place: list[int]) -> FloatArray:
        """How often each rep is chosen, over every lot that can be drawn."""
        times = np.zeros(4)
        for lot in itertools.permutations(range(4)):
            choice = choose(
                value[place],
                np.ones(4, np.bool_),
                np.ones(4, np.int64),
                np.zeros(4),
                waited=waited[place],
                rng=_Lot(lot),
            )
            times[place[choice.rep]] += 1
        return times / 24

    assert share(list(range(4))) == pytest.approx(share(order))


class _Lot(np.random.Generator):
    """Draws one given permutation."""

    def __init__(self, lot: tuple[int, ...]) -> None:
        super().__init__(np.random.PCG64(0))
        self._lot = np.array(lot)

    def permutation(self, x: object, axis: int = 0) -> IntArray:
        assert (x, axis) == (4, 0)
        return self._lot


@given(
    value=st.floats(-5, 100),
    price=st.floats(0, 100),
)
def test_a_lead_worth_less_than_every_open_slot_waits(
    value: float, price: float
) -> None:
    one = np.ones(1, np.int64)
    arrays = np.array([value]), one > 0, one, np.array([price])

    kept, given_anyway = choose(*arrays), choose(*arrays, keep_losing=False)

    assert kept.rep == (UNASSIGNED if value - price < 0 else 0)
    assert given_anyway.rep == 0
    assert kept.net.tolist() == given_anyway.net.tolist() == [value - price]


@given(problem=problems(max_leads=5), seed=st.integers(0, 99))
def test_a_price_is_what_taking_one_slot_away_loses(
    problem: Problem, seed: int
) -> None:
    """One certain future: the pool itself, each lead once; by solving with a slot less.

    A pool as large as the future is drawn without replacement.
    """
    problem = with_changes(problem, floor=problem.floor * 0)
    pool = np.where(problem.eligible, problem.value, np.nan).astype(np.float64)
    priced = sampled_prices(
        pool,
        _Certain(problem.n_leads),
        problem.capacity,
        solve=solve,
        look_ahead=LookAhead(futures=1),
        rng=np.random.default_rng(seed),
    )

    best = total_value(problem, solve(problem).plan)
    for rep in np.flatnonzero(problem.capacity > 0):
        fewer = problem.capacity.copy()
        fewer[rep] -= 1
        less = with_changes(problem, capacity=fewer)
        lost = best - total_value(less, solve(less).plan)
        assert priced[rep] == pytest.approx(max(lost, 0.0), abs=1e-6, rel=1e-6)


class _Certain(Forecast):
    """A forecast whose every draw is its mean."""

    def draw(self, rng: np.random.Generator) -> int:  # noqa: ARG002
        return round(self.leads)


@given(
    leads=st.floats(0.5, 40),
    slots=hnp.arrays(np.int64, 3, elements=st.integers(0, 60)),
    pooled_from=st.sampled_from([1, 10_000]),
)
def test_a_slot_that_no_lead_will_fill_costs_nothing(
    leads: float, slots: IntArray, pooled_from: int
) -> None:
    """Copies of one lead that all reps win alike: scarce or free, nothing between."""
    price = sampled_prices(
        np.full((ALONE, 3), 7.0),
        Forecast(leads),
        slots,
        solve=solve,
        look_ahead=LookAhead(sample_leads=200, pooled_from=pooled_from),
        rng=np.random.default_rng(1),
    )

    assert ((price >= 0) & (price <= 7 + 1e-9)).all()
    if slots.sum() > 4 * leads + 20:
        assert price[slots > 0] == pytest.approx(0)
    if 0 < slots.sum() < leads / 4 - 5:
        assert price[slots > 0] == pytest.approx(7)


def test_nothing_known_or_nothing_to_come_makes_every_price_zero() -> None:
    known, slots = np.ones((3, 2)), np.ones(2, np.int64)
    for arrivals, leads in ((known[:0], 5.0), (known, 0.0)):
        price = sampled_prices(
            arrivals,
            Forecast(leads),
            slots,
            solve=solve,
            look_ahead=LookAhead(),
            rng=np.random.default_rng(0),
        )
        assert price.tolist() == [0.0, 0.0]
        step = balance_step(arrivals[:0], price, Forecast(leads), balance=1.0)
        assert step == 0.0


@given(
    n_windows=st.integers(1, 6),
    rates=st.lists(st.integers(0, 50), min_size=2, max_size=6),
    done=st.data(),
)
def test_windows_that_repeat_are_forecast_exactly(
    n_windows: int, rates: list[int], done: st.DataObject
) -> None:
    length = len(rates)
    n_done = done.draw(st.integers(0, length))
    kind = np.tile(np.arange(length), n_windows + 1)
    window = np.repeat(np.arange(n_windows + 1), length)
    count = np.array((rates * (n_windows + 1))[: n_windows * length + n_done])

    forecast = forecast_leads(count, kind, window)

    assert forecast.leads == pytest.approx(sum(rates[n_done:]))


@given(factor=st.floats(0.1, 5), rate=st.integers(20, 200))
def test_a_window_ahead_of_its_usual_pace_is_expected_to_stay_ahead(
    factor: float, rate: int
) -> None:
    rng = np.random.default_rng(rate)
    before = rng.negative_binomial(20, 20 / (20 + rate), size=10)
    kind, window = np.tile([0, 1], 6), np.repeat(np.arange(6), 2)
    usual = forecast_leads(before, kind, window)
    came = round(usual.leads / 2 * factor)

    after = forecast_leads(np.append(before, came), kind, window)

    half = forecast_leads(np.append(before, round(usual.leads / 2)), kind, window)
    assert (after.leads - half.leads) * (came - round(usual.leads / 2)) >= 0
    assert after.shape >= usual.shape


@given(problem=problems(), chosen=st.integers(0, 2**7 - 1), seed=st.integers(0, 999))
def test_the_lottery_and_the_rest_together_keep_every_capacity(
    problem: Problem, chosen: int, seed: int
) -> None:
    in_lottery = np.array([chosen >> i & 1 for i in range(problem.n_leads)], np.bool_)

    plan, rest = draw_lottery(problem, in_lottery, np.random.default_rng(seed))

    drawn = plan.rep_of != UNASSIGNED
    assert not drawn[~in_lottery].any()
    assert np.isfinite(plan.propensity).tolist() == drawn.tolist()
    assert ((plan.propensity > 0) & (plan.propensity <= 1))[drawn].all()
    both = np.where(in_lottery, plan.rep_of, POLICIES["greedy"](rest).rep_of)
    no_floor = with_changes(problem, floor=problem.floor * 0)
    assert violations(no_floor, type(plan)(both, plan.propensity)) == []


def test_a_propensity_is_how_often_the_draw_falls_on_that_rep() -> None:
    """Over many lotteries, leads with this chance go to each open rep that often."""
    eligible = np.array([[1, 1, 1, 0], [1, 1, 0, 0], [0, 1, 1, 1], [1, 1, 1, 1]]) > 0
    problem = Problem(
        np.zeros((4, 4)), eligible, np.array([1, 1, 2, 1]), np.zeros(4, np.int64)
    )
    rng, times = np.random.default_rng(3), 20_000
    weight, hits = np.zeros((4, 4)), np.zeros(4)

    for _ in range(times):
        plan, _ = draw_lottery(problem, np.ones(4, np.bool_), rng)
        given_leads = np.flatnonzero(plan.rep_of != UNASSIGNED)
        reps = plan.rep_of[given_leads]
        weight[given_leads, reps] += 1 / plan.propensity[given_leads]
        hits[given_leads] += 1

    # 1 / propensity makes every rep open to the lead count once: for lead 0 the mean
    # of the weights of rep j is the chance that rep j is open to it at its turn.
    open_to = weight / times
    assert (open_to[~eligible] == 0).all()
    assert (open_to <= 1 + 0.05).all()
    first_turn = open_to[3]
    assert first_turn == pytest.approx(open_by_enumeration(problem, 3), abs=0.03)


def open_by_enumeration(problem: Problem, lead: int) -> FloatArray:
    """Chance that each rep is eligible and open at one lead's turn, by all draws."""
    chance = np.zeros(problem.n_reps)
    orders = list(itertools.permutations(range(problem.n_leads)))
    for order in orders:
        _walk(problem, list(order), lead, problem.capacity, 1 / len(orders), chance)
    return chance


def _walk(
    problem: Problem,
    order: list[int],
    lead: int,
    slots: IntArray,
    p: float,
    chance: FloatArray,
) -> None:
    now, *later = order
    reps = np.flatnonzero(problem.eligible[now] & (slots > 0))
    if now == lead:
        chance[reps] += p
        return
    for rep in reps:
        left = slots.copy()
        left[rep] -= 1
        _walk(problem, later, lead, left, p / len(reps), chance)
    if len(reps) == 0:
        _walk(problem, later, lead, slots, p, chance)


@given(now=st.integers(200, 300), future=hnp.arrays(np.float64, (4, 2)))
def test_what_arrives_later_changes_no_price(now: int, future: FloatArray) -> None:
    """Two worlds that agree until now give the same prices, whatever follows."""
    rng = np.random.default_rng(now)
    known_at = np.sort(rng.integers(0, now, 60))
    values = np.vstack([rng.random((60, 2)), future])
    periods = Periods(
        edges=np.arange(0, 301, 20),
        kind=np.tile(np.arange(5), 3),
        window=np.repeat(np.arange(3), 5),
    )

    prices = [
        price_window(
            world[:60],
            known_at,
            periods,
            np.array([3, 2]),
            now=now,
            solve=solve,
            look_ahead=LookAhead(futures=2),
            rng=np.random.default_rng(0),
        ).shadow_price.tolist()
        for world in (values, values[:60])
    ]

    assert prices[0] == prices[1]
