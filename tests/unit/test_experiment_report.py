"""What an experiment promises, and what may be concluded from it."""

import doctest
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from experiments import design as design_module
from experiments.design import Design, Metric, power_of
from experiments.report import MOST_LOOKS, Observed, Report, report, two_arms
from rightrep.domain.experiment import UnitKind
from rightrep.errors import InvalidInput

HALVES = np.array([0.5, 0.5])


def observed(
    effect: float = 0.0, n_leads: int = 8_000, *, seed: int = 1, **changed: Any
) -> Observed:
    """Leads of 60 days and 8 teams; the treatment wins more by this much."""
    rng = np.random.default_rng(seed)
    arm, day = rng.integers(0, 2, n_leads), np.sort(rng.integers(0, 60, n_leads))
    p_lead = rng.beta(2, 12, n_leads)
    won = rng.random(n_leads) < p_lead * (1 + effect * arm)
    fields: dict[str, Any] = {
        "arm": arm,
        "day": day,
        "won": won,
        "value": np.where(won, rng.lognormal(8, 0.5, n_leads), 0.0),
        "stratum": rng.integers(0, 3, n_leads),
        "covariate": p_lead,
        "cluster": np.arange(n_leads),
        "pair": np.zeros(n_leads, np.int64),
    }
    return Observed(**fields | changed)


def told(seen: Observed, **options: Any) -> Report:
    """The report on leads drawn one by one."""
    drawn = np.array([np.bincount(seen.arm, minlength=2)])
    wanted = Design(**options) if options else Design()
    return report(seen, wanted, UnitKind.LEAD, drawn=drawn, shares=HALVES, n_waiting=7)


def test_a_large_effect_is_concluded_with_its_interval() -> None:
    found = told(observed(effect=0.6))
    main = found.main
    assert main is not None
    assert main.low > 0
    assert "better" in found.in_words()
    assert found.looks[-1].effect == main


@pytest.mark.parametrize("metric", Metric)
def test_a_look_is_what_was_told_on_that_day(metric: Metric) -> None:
    seen = observed(effect=0.3)
    look = told(seen, metric=metric).looks[30]
    kept = seen.day <= look.day

    then = told(
        Observed(
            **{
                name: getattr(seen, name)[kept]
                for name in Observed.__slots__
                if name != "guardrails"
            }
        ),
        metric=metric,
    ).main

    assert then is not None
    assert look.effect.effect == pytest.approx(then.effect, rel=1e-9)
    assert look.effect.low == pytest.approx(then.low, rel=1e-9)
    assert look.effect.n_treatment == then.n_treatment


@pytest.mark.parametrize("kind", [UnitKind.LEAD, UnitKind.TEAM_DAY])
def test_a_long_experiment_is_told_by_some_of_its_days_and_today(
    kind: UnitKind,
) -> None:
    seen = observed(day=np.sort(np.random.default_rng(1).integers(0, 400, 8_000)))
    clustered = replace(seen, cluster=seen.day * 2 + seen.arm)
    drawn = np.array([np.bincount(seen.arm, minlength=2)])

    looks = report(clustered, Design(), kind, drawn=drawn, shares=HALVES).looks

    assert 50 < len(looks) <= MOST_LOOKS
    assert looks[-1].day == seen.day.max()


def test_nothing_is_concluded_that_the_range_told_does_not_say() -> None:
    found = told(observed(effect=0.6))
    main = found.main
    assert main is not None
    close = replace(main, low=1e-5, relative_low=-1e-3)

    words = replace(found, effects={found.metric: close}).in_words()

    assert words.startswith("Not decided: the effect on conversions is between -0.1 %")
    assert replace(close, relative_low=1e-3).concluded
    assert replace(close, relative_low=np.nan).concluded


def test_without_an_effect_nothing_is_decided_and_looking_again_is_allowed() -> None:
    found = told(observed())
    assert "Not decided" in found.in_words()
    assert all(not look.effect.concluded for look in found.looks)


def test_lost_units_stop_the_report() -> None:
    seen = observed()
    kept = (seen.arm == 0) | (np.arange(seen.n_leads) % 4 > 0)
    lost = Observed(
        **{
            name: getattr(seen, name)[kept]
            for name in Observed.__slots__
            if name != "guardrails"
        }
    )
    found = told(lost)
    assert found.effects == {}
    assert "no effect is reported" in found.in_words()


def test_a_few_leads_say_that_it_is_too_early() -> None:
    assert "7 leads wait" in told(observed(n_leads=40)).in_words()
    assert "Too early" in told(observed(n_leads=1)).in_words()


def test_the_covariate_makes_the_interval_shorter_and_missing_ones_do_no_harm() -> None:
    seen = observed(n_leads=20_000)
    with_it, without = told(seen), told(seen, adjust=False)
    holes = np.where(np.arange(20_000) % 10 == 0, np.nan, seen.covariate)
    patched = told(observed(n_leads=20_000, covariate=holes))
    assert with_it.main is not None
    assert without.main is not None
    assert patched.main is not None
    assert with_it.main.se < patched.main.se < without.main.se


def test_a_guardrail_that_got_worse_is_said_beside_the_conclusion() -> None:
    seen = observed(effect=0.6)
    hours = np.random.default_rng(3).gamma(2, 2, seen.n_leads)
    slower = observed(
        effect=0.6, guardrails={"hours to first touch": hours + 3.0 * seen.arm}
    )
    found = told(slower, margins={"hours to first touch": 1.0})
    assert "But hours to first touch got worse by" in found.in_words()
    allowed = told(slower, margins={"hours to first touch": 5.0})
    assert "got worse" not in allowed.in_words()


def test_a_heavy_tail_is_told_and_a_cap_cuts_it() -> None:
    seen = observed(n_leads=4_000)
    value = np.where(seen.won, 1.0, 0.0)
    value[np.flatnonzero(seen.won)[:4]] = 10_000.0
    heavy = observed(n_leads=4_000, value=value)
    found = told(heavy, metric=Metric.VALUE)
    assert "conversions say more" in found.in_words()
    capped = told(heavy, metric=Metric.VALUE, value_cap=5)
    assert found.main is not None
    assert capped.main is not None
    assert capped.main.se < found.main.se / 10


@pytest.mark.parametrize("kind", [UnitKind.TEAM_DAY, UnitKind.TIME_SLICE])
def test_clusters_are_what_is_independent_where_clusters_are_drawn(
    kind: UnitKind,
) -> None:
    rng = np.random.default_rng(4)
    n_clusters = 120
    arm_of = np.tile([0, 1], n_clusters // 2)
    cluster = np.repeat(np.arange(n_clusters), 50)
    n_leads = cluster.size
    day_effect = rng.normal(0, 0.1, n_clusters)
    won = rng.random(n_leads) < np.clip(0.3 + day_effect[cluster], 0, 1)
    seen = observed(
        n_leads=n_leads,
        arm=arm_of[cluster],
        cluster=cluster,
        pair=cluster // 2,
        won=won,
        covariate=np.full(n_leads, np.nan),
    )
    drawn = np.array([[n_clusters // 2] * 2])
    found = report(seen, Design(), kind, drawn=drawn, shares=HALVES).main
    blind = told(seen).main
    assert found is not None
    assert blind is not None
    assert found.n_independent == (n_clusters if kind is UnitKind.TEAM_DAY else 60)
    assert found.se > 1.5 * blind.se


def test_a_design_is_read_as_it_was_written_and_checked() -> None:
    written = Design(metric=Metric.VALUE, strata=("region",), margins={"x": 1.5})
    assert Design.of(written.to_json()) == written
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"metric": "joy"}, "metric"),
        ({"horizon": 3}, "horizon"),
        ({"horizon_days": 0}, "horizon_days"),
        ({"alpha": "often"}, "alpha"),
        ({"slice_hours": 5}, "slice_hours"),
        ({"strata": ["a", "b", "c"]}, "strata"),
    ]
    for bad, name in wrong:
        with pytest.raises(InvalidInput) as refused:
            Design.of(bad)
        assert refused.value.field == name


def test_the_days_an_effect_needs_are_those_after_which_it_is_found() -> None:
    assert doctest.testmod(design_module).failed == 0
    plan = power_of(Design(), mean=0.2, sd=0.4, units_per_day=200, share=0.5)
    days = plan.days_to(0.1)
    assert plan.smallest_at_any_look(days) == pytest.approx(0.1, rel=1e-3)
    assert plan.smallest(days) < 0.1
    never = replace(plan, units_per_day=0.1)
    assert math.isinf(never.days_to(0.1))
    assert "not found within three years" in never.in_words()
    with pytest.raises(InvalidInput, match="nothing to compare"):
        power_of(Design(), mean=0.0, sd=0.0, units_per_day=10, share=0.5)


def test_the_smallest_effect_is_found_as_often_as_the_power_says() -> None:
    rng = np.random.default_rng(8)
    plan = power_of(Design(), mean=1.0, sd=2.0, units_per_day=1_000, share=0.5)
    found = 0
    for _ in range(400):
        control, treatment = rng.normal(1, 2, 500), rng.normal(1, 2, 500)
        treatment += plan.smallest(1)
        se = np.sqrt(control.var(ddof=1) / 500 + treatment.var(ddof=1) / 500)
        found += bool(treatment.mean() - control.mean() > 1.96 * se)
    assert 290 <= found <= 350


def test_a_report_compares_a_control_with_one_other_arm() -> None:
    assert two_arms(["treatment", "control"]) == ("control", "treatment")
    with pytest.raises(InvalidInput, match="called control"):
        two_arms(["one", "two"])
