"""A challenger becomes champion by a rule, and the rule gives its reason."""

from dataclasses import replace

from training.evaluation import Metrics
from training.promotion import Randomised, judge

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


VALUED = Randomised(n_rows=3_000, effective_n=400.0, champion=50.0, gain=1.0, low=-2.0)


def test_a_challenger_that_earns_as_much_on_randomised_decisions_is_promoted() -> None:
    verdict = judge(CHAMPION, CHAMPION, randomised=VALUED)

    assert verdict.promoted
    assert "earns +2.0%, at worst -4.0%; a loss of 10% is allowed" in verdict.reason


def test_a_challenger_that_may_earn_less_than_the_margin_allows_is_refused() -> None:
    worse = replace(VALUED, low=-5.1)

    verdict = judge(CHAMPION, CHAMPION, randomised=worse)

    assert not verdict.promoted
    assert verdict.reason.startswith("On 3,000 randomised decisions")
    assert judge(CHAMPION, CHAMPION, randomised=worse, value_margin=0.2).promoted


def test_too_few_randomised_decisions_are_told_and_block_nothing() -> None:
    few = replace(VALUED, low=-50.0, effective_n=199.0)

    for found in (few, None):
        verdict = judge(CHAMPION, CHAMPION, randomised=found)
        assert verdict.promoted
        assert "Not enough randomised decisions" in verdict.reason
        assert [check.passed for check in verdict.checks] == [True, True, None]


def test_every_reason_against_a_challenger_is_given() -> None:
    bad = replace(CHAMPION, log_loss=0.6, p_mean=0.5)

    verdict = judge(bad, CHAMPION, randomised=replace(VALUED, low=-40.0))

    assert [check.passed for check in verdict.checks] == [False, False, False]
    assert all(check.words in verdict.reason for check in verdict.checks)
