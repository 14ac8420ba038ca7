"""The rules of a rep's rating, on made-up records."""

from functools import cache

import numpy as np
import pandas as pd
import pytest

from features.known import Known
from features.recipe import Recipe
from features.shrinkage import Groups, Ratios, Record, ratios
from features.standings import OVERALL, Standing, standings
from rightrep.errors import InvalidInput
from serving.usecases.rep_ratings import in_words
from tests.made_history import SPAN_DAYS, START, made_history

END = START + pd.Timedelta(days=SPAN_DAYS)


@cache
def known(skill: float = 0.35) -> Known:
    found = made_history(seed=5, n_leads=900, skill=skill, oddities=False)
    facts = Known.of(found, Recipe(label_window_days=40, deal_bands=(8_000.0,)))
    return facts.rated(np.full(len(facts.own.decisions.ids), 0.35))


def compared(
    won: list[float], expected: list[float], *, team: list[int], drawn: bool = True
) -> Ratios:
    """Ratios of units in one wider group, all evidence drawn or all chosen."""
    rows = [won, [0.0] * len(won)], [expected, [0.0] * len(won)]
    one, two = (np.array(row if drawn else row[::-1]) for row in rows)
    groups = Groups(np.array(team), np.zeros(len(won), dtype=np.int64))
    return ratios(Record(one, two, 0.8 * two), groups)


def test_more_wins_than_expected_is_a_higher_ratio_shrunk_to_one() -> None:
    told = compared([40.0, 20.0, 20.0, 20.0], [20.0] * 4, team=[0] * 4)

    assert 1.0 < told.ratio[0] < 40.0 / 25.0
    assert (told.ratio[1:] < 1.0).all()
    assert (told.low < told.ratio).all()
    assert (told.ratio < told.high).all()


def test_the_longer_the_record_the_narrower_the_interval() -> None:
    short = compared([6.0, 6.0, 6.0], [6.0] * 3, team=[0] * 3)
    long = compared([60.0, 60.0, 60.0], [60.0] * 3, team=[0] * 3)

    assert long.high[0] - long.low[0] < short.high[0] - short.low[0]


def test_what_others_chose_is_believed_less_than_what_was_drawn() -> None:
    won, expected, team = [60.0, 30.0, 30.0, 30.0], [30.0] * 4, [0] * 4

    drawn = compared(won, expected, team=team, drawn=True)
    chosen = compared(won, expected, team=team, drawn=False)

    assert drawn.ratio[0] > chosen.ratio[0]


def test_a_rep_alone_in_a_team_is_compared_with_all() -> None:
    told = compared([40.0, 20.0, 20.0], [20.0] * 3, team=[0, 1, 1])

    assert told.with_team.tolist() == [False, True, True]
    assert told.ratio[0] > 1.0


def test_a_group_that_hardly_won_gives_no_ratio() -> None:
    told = compared([2.0, 1.0], [2.0, 2.0], team=[0, 0])

    assert np.isnan(told.ratio).all()
    assert np.isnan(told.low).all()


def test_a_rep_without_history_has_the_teams_rate_and_the_widest_interval() -> None:
    told = compared([0.0, 30.0, 30.0], [0.0, 30.0, 30.0], team=[0] * 3)

    assert told.ratio[0] == pytest.approx(1.0, abs=0.02)
    assert told.high[0] - told.low[0] == max(told.high - told.low)


def test_the_more_skilled_rep_stands_higher() -> None:
    last, first = (
        standings(known(), f"rep-{j:04}", END)[0].ratio or 0.0 for j in (0, 7)
    )

    assert last < first


def test_bands_are_told_by_their_ends() -> None:
    told = standings(known(), "rep-0003", END)

    bands = {one.band for one in told if one.scope == "deal_band"}
    assert bands == {(None, 8_000.0), (8_000.0, None)}


def test_before_anything_was_judged_there_is_nothing_to_compare() -> None:
    told = standings(known(), "rep-0003", START + pd.Timedelta(days=10))

    assert [(one.scope, one.ratio, one.n_leads) for one in told] == [(OVERALL, None, 0)]


def test_standings_of_an_unknown_rep_are_refused() -> None:
    with pytest.raises(InvalidInput, match="no rep 'nobody'"):
        standings(known(), "nobody", END)


def standing(**changes: object) -> Standing:
    usual: dict[str, object] = {
        "scope": "industry",
        "segment": "manufacturing",
        "band": None,
        "ratio": 1.42,
        "low": 1.21,
        "high": 1.63,
        "n_leads": 83,
        "n_won": 30,
        "n_drawn": 20,
        "with_team": True,
    }
    return Standing(**{**usual, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "en", "zh"),
    [
        (
            {},
            "wins manufacturing leads 1.4x the team's rate, ±0.2, 83 leads",
            "manufacturing行业线索赢单率是团队的 1.4 倍，±0.2，83 条线索",
        ),
        (
            {"scope": OVERALL, "segment": None, "low": 0.9, "ratio": 1.1, "high": 1.3},
            "wins leads 1.1x the team's rate, ±0.2, 83 leads"
            " (not measurably different)",
            "线索赢单率是团队的 1.1 倍，±0.2，83 条线索（无可测差异）",
        ),
        (
            {
                "scope": "deal_band",
                "segment": None,
                "band": (4_000.0, 9_000.0),
                "with_team": False,
            },
            "wins deals of 4,000 to 9,000 CNY 1.4x the rate of all reps, ±0.2, "
            "83 leads",
            "4,000 至 9,000 CNY的商机赢单率是全体销售的 1.4 倍，±0.2，83 条线索",
        ),
        (
            {"ratio": None, "low": None, "high": None},
            "manufacturing leads: too few wins to compare with anybody, 83 leads",
            "manufacturing行业线索：赢单太少，无从比较，83 条线索",
        ),
    ],
)
def test_a_standing_reads_as_a_sentence_in_two_languages(
    changes: dict[str, object], en: str, zh: str
) -> None:
    assert in_words(standing(**changes), "CNY") == {"en": en, "zh": zh}
