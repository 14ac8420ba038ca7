"""What a rep's rating says, held to the demo market's truth."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from features.as_of import FloatArray, IntArray, instant
from features.shrinkage import LEVEL
from features.standings import FEWEST_LEADS, OVERALL, Judged, compare, standings
from tests.rated_markets import RatedMarket, rated_market


@dataclass(frozen=True, eq=False)
class Checked:
    """Ratios within the team that were told of, and the true ones."""

    ratio: FloatArray
    low: FloatArray
    high: FloatArray
    true: FloatArray

    @property
    def covered(self) -> float:
        """Share of true ratios inside their intervals."""
        return float(np.mean((self.low <= self.true) & (self.true <= self.high)))

    @property
    def differs(self) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
        """Which are told from 1."""
        return (self.low > 1.0) | (self.high < 1.0)


def checked(found: RatedMarket, segment: IntArray) -> Checked:
    """Every rep in every segment with enough judged leads to be told of."""
    judged = Judged.of(found.known, instant(found.at))
    true = found.true_ratios(segment)
    told = compare(judged, segment[judged.decision], np.arange(true.shape[0]))
    unit = segment[judged.decision] * judged.n_reps + judged.rep
    n_leads = np.bincount(unit[unit >= 0], judged.counts[unit >= 0], true.size)
    where = told.with_team & (n_leads >= FEWEST_LEADS)
    return Checked(
        told.ratio[where], told.low[where], told.high[where], true.ravel()[where]
    )


def overall(found: RatedMarket) -> IntArray:
    return np.zeros(len(found.known.own.decisions.ids), dtype=np.int64)


@pytest.mark.parametrize(
    ("rep_effect", "lottery_share"), [(1.0, 0.25), (1.0, 1.0), (2.0, 0.25)]
)
def test_intervals_hold_about_as_many_true_ratios_as_they_say(
    rep_effect: float, lottery_share: float
) -> None:
    covered, n = [], []
    for seed in (11, 12, 13):
        found = rated_market(
            seed=seed, rep_effect=rep_effect, lottery_share=lottery_share
        )
        for segment in (overall(found), found.known.segments["industry"]):
            part = checked(found, segment)
            covered.append(part.covered)
            n.append(part.true.size)

    assert sum(n) > 250
    assert LEVEL - 0.09 <= np.average(covered, weights=n) < 0.995


def test_where_the_rep_does_not_matter_nobody_is_said_to_differ() -> None:
    found = rated_market(seed=11, rep_effect=0.0)

    for segment in (overall(found), found.known.segments["industry"]):
        part = checked(found, segment)
        assert part.true == pytest.approx(np.ones(part.true.size))
        assert part.covered >= LEVEL
        assert not part.differs.any()


def test_reps_who_truly_win_much_more_often_are_told_from_their_team() -> None:
    found = rated_market(seed=11, rep_effect=6.0, lottery_share=1.0)

    part = checked(found, overall(found))

    assert part.differs.sum() >= 4
    assert np.array_equal(part.ratio[part.differs] > 1.0, part.true[part.differs] > 1.0)


def test_a_rep_is_rated_overall_first_then_in_the_segments_known_best() -> None:
    found = rated_market(seed=11)
    rep_id = str(found.known.own.rep_ids[0])

    told = standings(found.known, rep_id, pd.Timestamp(found.at))

    assert [one.scope for one in told].count(OVERALL) == 1
    assert told[0].scope == OVERALL
    industries = [one for one in told if one.scope == "industry"]
    counts = [one.n_leads for one in industries]
    assert counts == sorted(counts, reverse=True)
    assert sum(counts) <= told[0].n_leads
    assert all(one.n_won <= one.n_leads for one in told)
    assert all(one.n_drawn <= one.n_leads for one in told)
