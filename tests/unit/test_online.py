"""One lead now: settings, forecasts and prices on cases worked out by hand."""

import numpy as np
import pytest

from experiments.simulate import small_market
from optimizer.forecast import Forecast, forecast_leads
from optimizer.futures import (
    LookAhead,
    Periods,
    balance_step,
    forecast_arrivals,
    price_futures,
    price_window,
)
from optimizer.online import Pacer, choose, draw_lottery
from optimizer.optimum import solve
from optimizer.problem import UNASSIGNED, FloatArray, Problem
from optimizer.verify import total_value
from rightrep.errors import InvalidInput

DAY = 86_400
EACH_DAY = Periods(
    edges=np.arange(0, 4 * DAY, DAY),
    kind=np.zeros(3, np.int64),
    window=np.arange(3),
)


@pytest.mark.parametrize(
    ("field", "value"),
    [("futures", 0), ("sample_leads", 0), ("pooled_from", 0), ("balance", -0.1)],
)
def test_a_look_ahead_out_of_range_is_refused_by_field(
    field: str, value: float
) -> None:
    with pytest.raises(InvalidInput) as caught:
        LookAhead(**{field: value})  # type: ignore[arg-type]

    assert caught.value.field == field


@pytest.mark.parametrize(("leads", "shape"), [(-1.0, 1.0), (1.0, 0.0), (np.nan, 1.0)])
def test_a_forecast_of_less_than_nothing_is_refused(leads: float, shape: float) -> None:
    with pytest.raises(InvalidInput):
        Forecast(leads, shape)


def test_futures_bring_as_many_leads_as_forecast_and_vary_as_it_is_unsure() -> None:
    rng = np.random.default_rng(0)

    sure = np.array([Forecast(100.0).draw(rng) for _ in range(4000)])
    unsure = np.array([Forecast(100.0, 4.0).draw(rng) for _ in range(4000)])

    assert sure.mean() == pytest.approx(100, rel=0.02)
    assert unsure.mean() == pytest.approx(100, rel=0.05)
    assert sure.var() == pytest.approx(100, rel=0.15)
    assert unsure.var() == pytest.approx(100 + 100**2 / 4, rel=0.15)


def test_a_holiday_is_forecast_from_earlier_holidays() -> None:
    ordinary, holiday = 0, 1
    count = np.array([20, 20, 4, 20, 20, 20])
    kind = np.array([ordinary, ordinary, holiday, ordinary, ordinary, ordinary])

    festive = forecast_leads(count, np.append(kind, holiday), np.arange(7))
    plain = forecast_leads(count, np.append(kind, ordinary), np.arange(7))

    assert festive.leads == pytest.approx(4)
    assert plain.leads == pytest.approx(20)


def test_recent_windows_count_more_than_old_ones() -> None:
    rising = np.array([10, 20, 30, 40])

    forecast = forecast_leads(rising, np.zeros(5, np.int64), np.arange(5))

    assert 25 < forecast.leads < 40


def test_a_first_window_goes_on_at_its_own_pace() -> None:
    """12 leads in one and a half periods make 20 in the two and a half to come."""
    forecast = forecast_leads(
        np.array([8, 4]), np.arange(4), np.zeros(4, np.int64), elapsed=0.5
    )

    assert forecast.leads == pytest.approx(20)


def test_a_kind_of_period_never_seen_brings_what_is_usual() -> None:
    forecast = forecast_leads(np.array([6, 6]), np.array([0, 0, 9]), np.arange(3))

    assert forecast.leads == pytest.approx(6)


def test_half_a_day_that_is_over_is_forecast_by_the_half_to_come() -> None:
    """Days of 10 leads; at noon 5 came, so 5 are to come."""
    every = DAY // 10
    arrived = np.arange(every // 2, 2 * DAY + DAY // 2, every)

    forecast = forecast_arrivals(arrived, EACH_DAY, now=2 * DAY + DAY // 2)

    assert forecast.leads == pytest.approx(5)


@pytest.mark.parametrize(
    ("now", "last", "field"),
    [(DAY, 0, "now"), (9 * DAY, 0, "now"), (2 * DAY, 3 * DAY, "arrived_at")],
)
def test_nothing_is_forecast_from_the_future(now: int, last: int, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        forecast_arrivals(np.array([last]), EACH_DAY, now=now)

    assert caught.value.field == field


def test_the_last_slot_costs_the_mean_of_the_one_lead_to_come() -> None:
    values = np.array([[10.0], [30.0]])

    price = price_futures(
        values,
        _One(1.0),
        np.array([1]),
        solve=solve,
        look_ahead=LookAhead(futures=800),
        rng=np.random.default_rng(1),
    )

    assert price.item() == pytest.approx(20, rel=0.08)


class _One(Forecast):
    """Exactly one lead."""

    def draw(self, rng: np.random.Generator) -> int:  # noqa: ARG002
        return 1


def test_a_rep_ahead_of_plan_becomes_dearer_and_one_behind_cheaper() -> None:
    pacer = Pacer(np.array([5.0, 5.0, 0.0]), np.array([5, 5, 5]), 10.0, step=1.0)

    pacer.note(0)
    pacer.note(UNASSIGNED)

    assert pacer.price.tolist() == pytest.approx([5.0, 4.0, 0.0])
    pacer.note(2)
    assert pacer.price[2] == pytest.approx(1.0)


def test_without_a_step_prices_stand() -> None:
    pacer = Pacer(np.array([5.0]), np.array([5]), 10.0, step=0.0)

    pacer.note(0)

    assert pacer.price.tolist() == [5.0]


def test_the_step_is_in_units_of_value_and_shrinks_with_the_window() -> None:
    arrivals, price = np.array([[9.0, np.nan], [5.0, 3.0]]), np.array([1.0, 1.0])

    step = balance_step(arrivals, price, Forecast(9.0), balance=0.5)

    assert step == pytest.approx(0.5 * (8 + 4) / 2 / 3)
    assert balance_step(arrivals, price, Forecast(9.0), balance=0.0) == 0.0


def test_floors_and_loads_know_what_the_lottery_gave() -> None:
    one = np.ones(1, np.int64)
    problem = Problem(np.zeros((2, 1)), np.ones((2, 1), np.bool_), 2 * one, one)

    plan, rest = draw_lottery(
        problem, np.array([True, False]), np.random.default_rng(0)
    )

    assert plan.rep_of.tolist() == [0, UNASSIGNED]
    assert rest.capacity.tolist() == [1]
    assert rest.floor.tolist() == [0]
    assert rest.load is not None
    assert rest.load.tolist() == [1]
    assert rest.eligible.tolist() == [[False], [True]]


def test_looking_ahead_earns_more_than_greedy_where_slots_are_scarce() -> None:
    """The demo market: prices from the first 1,000 leads, the next 300 given."""
    market = small_market()
    leads, reps = np.arange(1_300), np.arange(market.reps.n_reps)
    value = market.truth.expected_value(leads, reps).astype(np.float64)
    value[~market.eligible(leads, reps)] = np.nan
    slots = np.full(reps.size, 8)

    earned = {
        name: _earned(value, slots, repriced=repriced)
        for name, repriced in (("greedy", False), ("look ahead", True))
    }

    future = value[1_000:]
    eligible = np.isfinite(future)
    problem = Problem(np.where(eligible, future, 0.0), eligible, slots, slots * 0)
    best = total_value(problem, solve(problem).plan)
    assert earned["greedy"] < 0.9 * best
    assert 0.95 * best < earned["look ahead"] <= best


def _earned(value: FloatArray, slots: np.ndarray, *, repriced: bool) -> float:
    rng, left, total = np.random.default_rng(0), slots.copy(), 0.0
    price = np.zeros(slots.size)
    for lead in range(1_000, 1_300):
        if repriced and lead % 20 == 0:
            price = price_futures(
                value[:lead],
                Forecast(1_300 - lead),
                left,
                solve=solve,
                look_ahead=LookAhead(futures=4, sample_leads=800),
                rng=rng,
            )
        rep = choose(value[lead], np.isfinite(value[lead]), left, price).rep
        if rep != UNASSIGNED:
            left[rep] -= 1
            total += value[lead, rep]
    return total


def test_a_window_is_priced_from_its_arrivals_and_its_clock() -> None:
    arrived = np.arange(0, 2 * DAY + DAY // 2, DAY // 20)
    values = np.full((arrived.size, 2), 7.0)

    scarce = price_window(
        values,
        arrived,
        EACH_DAY,
        np.array([1, 1]),
        now=2 * DAY + DAY // 2,
        solve=solve,
        look_ahead=LookAhead(),
        rng=np.random.default_rng(0),
    )

    assert scarce.forecast.leads == pytest.approx(10, rel=0.1)
    assert scarce.shadow_price == pytest.approx([7.0, 7.0], rel=0.05)
    assert scarce.step >= 0


@pytest.mark.parametrize("pooled_from", [1, 500])
def test_leads_that_wait_are_part_of_every_future(pooled_from: int) -> None:
    nobody = np.empty((0, 2))
    standing = np.array([[9.0, 1.0], [8.0, 1.0], [7.0, 1.0]])

    price = price_futures(
        nobody,
        Forecast(0.0),
        np.array([2, 5]),
        solve=solve,
        look_ahead=LookAhead(futures=1, sample_leads=3, pooled_from=pooled_from),
        rng=np.random.default_rng(0),
        standing=standing,
    )

    assert price.tolist() == pytest.approx([7.0, 0.0])
