"""What each policy does with a few leads, in the order they came."""

import itertools
from fractions import Fraction

import numpy as np
import pytest

from optimizer.policies import (
    POLICIES,
    Policy,
    greedy,
    least_loaded,
    optimal,
    random,
    round_robin,
    round_robin_lot,
    weighted,
)
from optimizer.problem import UNASSIGNED, BoolArray, Problem

ALL = pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES.keys())


def batch(n_leads: int, n_reps: int, **fields: object) -> Problem:
    """Leads worth 1 to anybody, slots for all of them with every rep."""
    given: dict[str, object] = {
        "value": np.ones((n_leads, n_reps)),
        "eligible": np.ones((n_leads, n_reps), np.bool_),
        "capacity": np.full(n_reps, n_leads),
        "floor": np.zeros(n_reps, np.int64),
    }
    return Problem(**{**given, **fields})  # type: ignore[arg-type]


def test_the_registry_has_every_policy_of_the_product() -> None:
    assert {
        "round_robin",
        "round_robin_lot",
        "random",
        "least_loaded",
        "weighted",
        "greedy",
        "optimal",
    } <= set(POLICIES)


@ALL
def test_a_lead_nobody_may_take_stays_unassigned(policy: Policy) -> None:
    eligible = np.array([[True, True], [False, False], [True, True]])

    plan = policy(batch(3, 2, eligible=eligible))

    assert plan.rep_of[1] == UNASSIGNED
    assert (plan.rep_of[[0, 2]] != UNASSIGNED).all()


@ALL
def test_a_rep_without_slots_gets_nothing(policy: Policy) -> None:
    plan = policy(batch(3, 2, capacity=np.array([0, 2])))

    assert sorted(plan.rep_of) == [UNASSIGNED, 1, 1]


@ALL
def test_a_policy_leaves_the_problem_as_it_was(policy: Policy) -> None:
    problem = batch(4, 2, load=np.array([1, 0]), waited=np.array([5.0, 0.0]))
    before = [problem.capacity.copy(), problem.load, problem.waited, problem.eligible]
    kept = [np.array(column) for column in before]

    policy(problem)

    after = [problem.capacity, problem.load, problem.waited, problem.eligible]
    assert all((a == b).all() for a, b in zip(kept, after, strict=True))


def test_round_robin_begins_with_who_waited_longest() -> None:
    plan = round_robin(batch(6, 3, waited=np.array([10.0, 30.0, 20.0])))

    assert plan.rep_of.tolist() == [1, 2, 0, 1, 2, 0]


def test_round_robin_of_reps_who_waited_alike_begins_with_the_least_load() -> None:
    plan = round_robin(batch(3, 3, load=np.array([2, 1, 0])))

    assert plan.rep_of.tolist() == [2, 1, 0]


def test_round_robin_keeps_the_turn_of_a_rep_who_may_not_take_a_lead() -> None:
    """Rep 0 is passed over by the first lead and still comes next."""
    eligible = np.array([[False, True], [True, True], [True, True]])

    plan = round_robin(batch(3, 2, eligible=eligible, waited=np.array([9.0, 1.0])))

    assert plan.rep_of.tolist() == [1, 0, 1]


def test_round_robin_draws_a_lot_only_between_reps_nothing_tells_apart() -> None:
    first = [int(round_robin(batch(1, 3, seed=seed)).rep_of[0]) for seed in range(300)]

    assert min(np.bincount(first, minlength=3)) > 70


def test_greedy_serves_leads_in_order_of_arrival() -> None:
    """The first lead takes the slot that the second would have used better."""
    value = np.array([[2.0, 1.0], [9.0, 1.0]])

    plan = greedy(batch(2, 2, value=value, capacity=np.array([1, 1])))

    assert plan.rep_of.tolist() == [0, 1]


def test_optimal_gives_the_slot_to_the_lead_that_uses_it_best() -> None:
    value = np.array([[2.0, 1.0], [9.0, 1.0]])

    plan = optimal(batch(2, 2, value=value, capacity=np.array([1, 1])))

    assert plan.rep_of.tolist() == [1, 0]


def test_greedy_gives_a_tie_to_who_waited_longest() -> None:
    plan = greedy(batch(4, 3, waited=np.array([1.0, 2.0, 3.0])))

    assert plan.rep_of.tolist() == [2, 1, 0, 2]


def test_least_loaded_counts_the_leads_given_before() -> None:
    plan = least_loaded(batch(3, 2, load=np.array([0, 2]), waited=np.array([0, 9])))

    assert plan.rep_of.tolist() == [0, 0, 1]


def test_least_loaded_measures_load_by_weight() -> None:
    """Six leads against weights of 2 and 1: four and two."""
    plan = least_loaded(batch(6, 2, weight=np.array([2.0, 1.0])))

    assert np.bincount(plan.rep_of).tolist() == [4, 2]


@pytest.mark.parametrize("weight", [[1, 1], [5, 1, 1], [3, 2, 7, 1], [1, 10, 100]])
def test_weighted_is_exact_over_every_cycle(weight: list[int]) -> None:
    cycle = sum(weight)

    plan = weighted(batch(3 * cycle, len(weight), weight=np.array(weight)))

    for start in range(0, 3 * cycle, cycle):
        given = np.bincount(plan.rep_of[start : start + cycle], minlength=len(weight))
        assert given.tolist() == weight


def test_weighted_spreads_the_turns_of_a_heavy_rep() -> None:
    """Five, one and one: never all five in a row at the end."""
    plan = weighted(batch(7, 3, weight=np.array([5, 1, 1])))

    assert plan.rep_of.tolist()[:2] == [0, 0]
    assert 0 in plan.rep_of.tolist()[5:]


def test_weighted_first_gives_a_rep_what_it_is_behind() -> None:
    plan = weighted(batch(4, 2, load=np.array([4, 0])))

    assert plan.rep_of.tolist() == [1, 1, 1, 1]


def test_random_logs_one_over_the_reps_open_to_the_lead() -> None:
    eligible = np.array([[True, True, True], [True, False, True], [True, False, False]])

    plan = random(batch(3, 3, eligible=eligible, capacity=np.array([3, 3, 3])))

    assert plan.propensity.tolist() == [1 / 3, 1 / 2, 1.0]


@pytest.mark.parametrize("policy", [random, round_robin_lot])
def test_a_lead_that_stays_unassigned_was_not_drawn(policy: Policy) -> None:
    plan = policy(batch(2, 1, capacity=np.array([1])))

    assert plan.propensity[0] == 1.0
    assert np.isnan(plan.propensity[1])


def test_round_robin_by_lot_gives_everybody_one_turn_in_each_cycle() -> None:
    plan = round_robin_lot(batch(12, 4))

    for start in range(0, 12, 4):
        assert sorted(plan.rep_of[start : start + 4]) == [0, 1, 2, 3]


def test_round_robin_by_lot_logs_the_chance_among_those_with_a_turn_left() -> None:
    plan = round_robin_lot(batch(6, 3))

    assert plan.propensity.tolist() == [1 / 3, 1 / 2, 1.0] * 2


ELIGIBLE = np.array(
    [[True, True, False], [False, True, True], [True, True, True], [True, False, True]]
)


@pytest.mark.parametrize("policy", [random, round_robin_lot])
def test_logged_propensities_are_the_chances_of_the_draw(policy: Policy) -> None:
    """Of all runs whose plans began alike, each next rep has the share it was logged.

    The chances are found by drawing many times: every path through the batch is
    compared with its logged propensities within five standard errors.
    """
    problem = batch(4, 3, eligible=ELIGIBLE, capacity=np.array([1, 2, 2]))
    n_runs = 20_000
    seen: dict[tuple[int, ...], int] = {}
    logged: dict[tuple[int, ...], float] = {}
    for seed in range(n_runs):
        plan = policy(_with_seed(problem, seed))
        path = tuple(plan.rep_of.tolist())
        chance = float(np.prod(plan.propensity[plan.rep_of != UNASSIGNED]))
        seen[path] = seen.get(path, 0) + 1
        assert logged.setdefault(path, chance) == chance

    assert sum(logged.values()) == pytest.approx(1.0)
    for path, chance in logged.items():
        error = np.sqrt(chance * (1 - chance) / n_runs)
        assert abs(seen[path] / n_runs - chance) <= 5 * error


def test_chances_of_round_robin_by_lot_add_up_to_one_over_all_draws() -> None:
    """Walked through exactly: every draw is over reps equally likely, nobody else."""
    leaves = _walk(ELIGIBLE, [1, 2, 2], frozenset(), 0, Fraction(1), ())

    assert sum(chance for _, chance in leaves) == 1
    exact = dict(leaves)
    problem = batch(4, 3, eligible=ELIGIBLE, capacity=np.array([1, 2, 2]))
    for seed in range(500):
        plan = round_robin_lot(_with_seed(problem, seed))
        chance = np.prod(plan.propensity[plan.rep_of != UNASSIGNED])
        assert chance == pytest.approx(float(exact[tuple(plan.rep_of.tolist())]))


@ALL
def test_renaming_reps_changes_nobodys_expected_share(policy: Policy) -> None:
    """Three reps alike in all but their index get the same share over many seeds."""
    problem = batch(4, 3, capacity=np.array([2, 2, 2]))
    n_runs = 1500
    share = np.zeros(3)
    for seed in range(n_runs):
        share += np.bincount(policy(_with_seed(problem, seed)).rep_of, minlength=3)

    assert share / n_runs == pytest.approx(4 / 3, abs=0.1)


def _with_seed(problem: Problem, seed: int) -> Problem:
    return Problem(
        problem.value, problem.eligible, problem.capacity, problem.floor, seed=seed
    )


def _walk(
    eligible: BoolArray,
    slots: list[int],
    had_turn: frozenset[int],
    lead: int,
    chance: Fraction,
    path: tuple[int, ...],
) -> list[tuple[tuple[int, ...], Fraction]]:
    """Every run of round robin by lot with its chance, by plain recursion."""
    if lead == len(eligible):
        return [(path, chance)]
    open_to = [j for j in range(len(slots)) if eligible[lead, j] and slots[j] > 0]
    if not open_to:
        return _walk(eligible, slots, had_turn, lead + 1, chance, (*path, UNASSIGNED))
    drawn = [j for j in open_to if j not in had_turn]
    if not drawn:
        drawn, had_turn = open_to, had_turn - set(open_to)
    return list(
        itertools.chain.from_iterable(
            _walk(
                eligible,
                [slot - (k == j) for k, slot in enumerate(slots)],
                had_turn | {j},
                lead + 1,
                chance / len(drawn),
                (*path, j),
            )
            for j in drawn
        )
    )
