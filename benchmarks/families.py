"""Batches of every shape that makes an assignment solver slow or wrong.

Each family is a function of (n_leads, n_reps, draws); slots are equal to leads unless
its sentence says otherwise.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from optimizer.problem import IntArray, Problem

Values = NDArray[np.float32]
Draws = np.random.Generator
Family = Callable[[int, int, Draws], Problem]

BLOCKS = 10
SEGMENTS = 50
CLONES = 10


def drawn(family: str, n_leads: int, n_reps: int, *, seed: int = 0) -> Problem:
    """A batch of a family, float32 as the scorer hands it over."""
    return FAMILIES[family](n_leads, n_reps, np.random.default_rng(seed))


def slots(n_leads: int, n_reps: int, per_lead: float = 1.0) -> IntArray:
    """As even as whole slots can be."""
    total = int(n_leads * per_lead)
    share = np.full(n_reps, total // n_reps, np.int64)
    share[: total - share.sum()] += 1
    return share


def dense(n_leads: int, n_reps: int, draws: Draws) -> Problem:
    """Every pair has its own value."""
    return _open(_uniform(n_leads, n_reps, draws), slots(n_leads, n_reps))


def twice_the_slots(n_leads: int, n_reps: int, draws: Draws) -> Problem:
    """Every lead can be given, half of the slots stay open."""
    return _open(_uniform(n_leads, n_reps, draws), slots(n_leads, n_reps, 2.0))


def twice_the_leads(n_leads: int, n_reps: int, draws: Draws) -> Problem:
    """Every slot can be filled, half of the leads stay."""
    return _open(_uniform(n_leads, n_reps, draws), slots(n_leads, n_reps, 0.5))


def identical_reps(n_leads: int, n_reps: int, draws: Draws) -> Problem:
    """Groups of ten reps whom no lead tells apart."""
    kinds = _uniform(n_leads, max(n_reps // CLONES, 1), draws)
    value = np.repeat(kinds, CLONES, axis=1)[:, :n_reps]
    return _open(np.resize(value, (n_leads, n_reps)), slots(n_leads, n_reps))


def integer_scores(n_leads: int, n_reps: int, draws: Draws) -> Problem:
    """Whole scores from 0 to 100: ties everywhere."""
    value = draws.integers(0, 101, (n_leads, n_reps)).astype(np.float32)
    return _open(value, slots(n_leads, n_reps))


def five_grades(n_leads: int, n_reps: int, draws: Draws) -> Problem:
    """Whole scores from 1 to 5."""
    value = draws.integers(1, 6, (n_leads, n_reps)).astype(np.float32)
    return _open(value, slots(n_leads, n_reps))


def all_equal(n_leads: int, n_reps: int, draws: Draws) -> Problem:
    """Every plan is the best one."""
    del draws
    return _open(np.ones((n_leads, n_reps), np.float32), slots(n_leads, n_reps))


def sparse(n_leads: int, n_reps: int, draws: Draws) -> Problem:
    """A lead may go to one rep in twenty."""
    value = _uniform(n_leads, n_reps, draws)
    eligible = draws.random((n_leads, n_reps), dtype=np.float32) < 0.05
    return _limited(value, eligible, slots(n_leads, n_reps))


def load_floors(n_leads: int, n_reps: int, draws: Draws) -> Problem:
    """Twice the slots, and each rep owed up to an equal share."""
    value = _uniform(n_leads, n_reps, draws)
    floor = draws.integers(0, n_leads // n_reps + 1, n_reps)
    eligible = np.ones(value.shape, np.bool_)
    return Problem(value, eligible, slots(n_leads, n_reps, 2.0), floor)


def deal_values(n_leads: int, n_reps: int, draws: Draws) -> Problem:
    """Chance times deal value: log-normal deals, good reps good with all of them."""
    return _open(_deals(n_leads, n_reps, draws), slots(n_leads, n_reps))


def deal_values_few_slots(n_leads: int, n_reps: int, draws: Draws) -> Problem:
    """The same with a fifth of the leads too many and uneven slots."""
    value = _deals(n_leads, n_reps, draws)
    capacity = np.maximum(draws.poisson(0.8 * n_leads / n_reps, n_reps), 1)
    return _open(value, capacity)


def rank_one(n_leads: int, n_reps: int, draws: Draws) -> Problem:
    """Lead size times rep skill, exactly: everybody wants the same reps."""
    size = draws.lognormal(0, 1, n_leads)
    value = np.multiply.outer(size, draws.random(n_reps)).astype(np.float32)
    return _open(value, slots(n_leads, n_reps))


def blocks(n_leads: int, n_reps: int, draws: Draws) -> Problem:
    """Ten blocks of leads and reps, dear to cross, and some of them too full."""
    value = _uniform(n_leads, n_reps, draws) * np.float32(0.3)
    of_lead, of_rep = draws.integers(0, BLOCKS, n_leads), np.arange(n_reps) % BLOCKS
    value += np.float32(0.7) * (of_lead[:, None] == of_rep)
    return _open(value, slots(n_leads, n_reps))


def closed_blocks(n_leads: int, n_reps: int, draws: Draws) -> Problem:
    """Ten blocks that no lead may cross."""
    value = _uniform(n_leads, n_reps, draws)
    of_lead, of_rep = draws.integers(0, BLOCKS, n_leads), np.arange(n_reps) % BLOCKS
    return _limited(value, of_lead[:, None] == of_rep, slots(n_leads, n_reps))


def segments(n_leads: int, n_reps: int, draws: Draws) -> Problem:
    """Fifty kinds of leads, identical within: what a small model scores."""
    kinds = _uniform(SEGMENTS, n_reps, draws)
    value = kinds[draws.integers(0, SEGMENTS, n_leads)]
    return _open(value, slots(n_leads, n_reps))


def losses(n_leads: int, n_reps: int, draws: Draws) -> Problem:
    """Most pairs are worth less than nothing."""
    value = draws.standard_normal((n_leads, n_reps), dtype=np.float32)
    return _open(value - np.float32(1.5), slots(n_leads, n_reps))


def distances(n_leads: int, n_reps: int, draws: Draws) -> Problem:
    """Leads and reps on a map; near is good."""
    lead, rep = draws.random((n_leads, 2)), draws.random((n_reps, 2))
    apart = np.hypot(*(lead[:, None] - rep).transpose(2, 0, 1))
    return _open((1.5 - apart).astype(np.float32), slots(n_leads, n_reps))


def uneven_slots(n_leads: int, n_reps: int, draws: Draws) -> Problem:
    """A few reps have most of the slots, some have none."""
    value = _uniform(n_leads, n_reps, draws)
    weight = draws.pareto(1.2, n_reps) + 0.1
    capacity = np.floor(weight / weight.sum() * n_leads).astype(np.int64)
    capacity[: n_leads - capacity.sum()] += 1
    return _open(value, capacity)


FAMILIES: Mapping[str, Family] = {
    family.__name__: family
    for family in (
        dense,
        twice_the_slots,
        twice_the_leads,
        identical_reps,
        integer_scores,
        five_grades,
        all_equal,
        sparse,
        load_floors,
        deal_values,
        deal_values_few_slots,
        rank_one,
        blocks,
        closed_blocks,
        segments,
        losses,
        distances,
        uneven_slots,
    )
}


def _uniform(n_leads: int, n_reps: int, draws: Draws) -> Values:
    return draws.random((n_leads, n_reps), dtype=np.float32)


def _deals(n_leads: int, n_reps: int, draws: Draws) -> Values:
    lead, rep = draws.normal(0, 0.8, n_leads), draws.normal(0, 0.5, n_reps)
    fit = draws.standard_normal((n_leads, n_reps), dtype=np.float32)
    log_odds = np.add.outer(lead - 2, rep) + 0.3 * fit
    p_convert = 1 / (1 + np.exp(-log_odds))
    deal_value = draws.lognormal(8, 1.5, n_leads)
    return np.asarray(p_convert * deal_value[:, None], np.float32)


def _open(value: Values, capacity: IntArray) -> Problem:
    return _limited(value, np.ones(value.shape, np.bool_), capacity)


def _limited(value: Values, eligible: NDArray[np.bool_], capacity: IntArray) -> Problem:
    return Problem(value, eligible, capacity, np.zeros(len(capacity), np.int64))
