"""A challenger becomes champion by a rule, and the rule gives its reason."""

from dataclasses import replace

from training.evaluation import Metrics
from training.promotion import judge

CHAMPION = Metrics(
    n_rows=500, won_share=0.2, p_mean=0.205, log_loss=0.5, brier=0.15, auc=0.6
)


def test_the_first_model_is_champion() -> None:
    assert judge(CHAMPION, None).promoted


def test_a_challenger_that_predicts_as_well_is_promoted() -> None:
    verdict = judge(CHAMPION, CHAMPION)

    assert verdict.promoted
    assert "0.5000 against 0.5000" in verdict.reason


def test_a_challenger_that_predicts_worse_is_refused() -> None:
    verdict = judge(replace(CHAMPION, log_loss=0.501), CHAMPION)

    assert not verdict.promoted
    assert "worse" in verdict.reason


def test_a_challenger_whose_chances_are_off_is_refused() -> None:
    off = replace(CHAMPION, log_loss=0.49, p_mean=0.23)

    assert not judge(off, CHAMPION).promoted
    assert judge(off, replace(CHAMPION, p_mean=0.25)).promoted


def test_the_champion_stays_while_too_few_decisions_are_new_to_it() -> None:
    verdict = judge(CHAMPION, None, n_unseen=12)

    assert not verdict.promoted
    assert "12" in verdict.reason
