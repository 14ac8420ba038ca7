"""Randomised decisions tell what giving leads as a model would has earned."""

from collections.abc import Mapping
from functools import cache

import numpy as np
import pandas as pd
import pytest

from experiments.simulate import ZONE, Market, MarketSettings, simulate
from features.as_of import instant
from rightrep.domain.ids import DecisionId, RepId
from serving.usecases.judging import lottery_ids, randomised_value
from training.contest import FEWEST, Contest, Contestant, hold
from training.dataset import labelled
from training.model import ConversionModel
from training.promotion import ENOUGH
from training.retrain import train

pytestmark = pytest.mark.long


class Contrary(Contestant):
    """Likes best whom the model likes least."""

    def chances(self, lead: np.ndarray, rep: np.ndarray, at: np.ndarray) -> np.ndarray:
        return 1.0 - super().chances(lead, rep, at)


@cache
def market() -> Market:
    return simulate(
        MarketSettings(
            n_leads=9_000,
            n_reps=6,
            rep_effect=6.0,
            lottery_share=0.9,
            activities_per_lead=0.5,
            seed=2,
        )
    )


@cache
def middle() -> pd.Timestamp:
    return pd.Timestamp(market().settings.end) - pd.Timedelta(days=240)


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory) -> ConversionModel:
    folder = tmp_path_factory.mktemp("champion")
    return train(market().history(), middle(), folder, zone=ZONE).model


def contest_of(model: ConversionModel, other: type[Contestant]) -> Contest:
    """The model against itself or its contrary, on what came after it."""
    origin = model.origin
    assert origin is not None
    known = origin.known(market().history())
    labels = labelled(known.own, origin.recipe, instant(end()))
    later = np.flatnonzero(labels.window_end > instant(middle()))
    return Contest(Contestant(model, known), other(model, known), labels.where(later))


def end() -> pd.Timestamp:
    return pd.Timestamp(market().settings.end)


@cache
def candidates() -> Mapping[DecisionId, list[RepId]]:
    """Whom each lottery of the past could have drawn."""
    found, past = market(), market().past
    every = np.arange(found.reps.n_reps)
    may = found.eligible(past.lead, every) & found.reps.at_work[past.day]
    ids = found.history().decisions["decision_id"]
    names = found.rep_ids.to_numpy()
    return {
        DecisionId(ids.iloc[k]): [RepId(name) for name in names[may[k]]]
        for k in np.flatnonzero(~np.isnan(past.propensity))
    }


def test_a_model_earns_as_much_as_itself_for_sure(champion: ConversionModel) -> None:
    found = randomised_value(
        contest_of(champion, Contestant), candidates(), in_money=False
    )

    assert found is not None
    assert found.effective_n > ENOUGH
    assert (found.gain, found.low) == (0.0, 0.0)


def test_choosing_the_contrary_is_found_to_earn_less(
    champion: ConversionModel,
) -> None:
    contest = contest_of(champion, Contrary)

    found = randomised_value(contest, candidates(), in_money=False)

    assert found is not None
    labels = contest.labels
    drawn = np.isfinite(labels.propensity)
    assert found.champion > labels.won[drawn].mean()
    assert found.gain < 0
    assert found.low < -0.1 * found.champion


def test_lotteries_that_do_not_say_whom_they_could_draw_do_not_count(
    champion: ConversionModel,
) -> None:
    contest = contest_of(champion, Contestant)
    every = lottery_ids(contest)
    one_short = {name: candidates()[name][1:] for name in every}

    assert randomised_value(contest, {}, in_money=True) is None
    doubtful = randomised_value(contest, one_short, in_money=True)
    assert doubtful is None or doubtful.n_rows < 0.05 * len(every)
    half = {name: candidates()[name] for name in every[::2]}
    found = randomised_value(contest, half, in_money=True)
    assert found is not None
    assert found.n_rows <= len(half) < len(every)


def test_both_models_are_judged_by_what_neither_had_learnt_from(
    champion: ConversionModel, tmp_path_factory: pytest.TempPathFactory
) -> None:
    asked: list[pd.Timestamp] = []

    def rehearse(as_of: pd.Timestamp) -> ConversionModel:
        asked.append(as_of)
        folder = tmp_path_factory.mktemp("rehearsal")
        return train(market().history(), as_of, folder, zone=ZONE).model

    found = hold(champion, market().history(), end(), rehearse)

    assert isinstance(found, Contest)
    assert found.labels.n_rows >= FEWEST
    assert middle() < asked[0]
    assert found.labels.window_end.min() > instant(asked[0])
    assert found.metrics(found.champion).n_rows == found.labels.n_rows
    soon = middle() + pd.Timedelta(days=3)
    few = hold(champion, market().history(), soon, rehearse)
    assert isinstance(few, int)
    assert few < FEWEST
