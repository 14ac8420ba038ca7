"""Is it better? Every state of the page, from its records, in both languages."""

import json
import re
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from experiments.bucketing import arms_of_units
from rightrep.domain.experiment import Experiment
from rightrep.domain.outcome import Outcome, Result
from rightrep.domain.roles import Role
from rightrep.store.engine import Store
from rightrep.store.experiments import create_experiment, stop_experiment
from rightrep.store.outcomes import record_outcomes
from serving.commands.experiments import report_in_words
from serving.usecases.experiment_report import read_report
from serving.usecases.experiments import Wanted, designed
from serving.web.language import COOKIE
from tests import trial_parts
from tests.integration.test_pages_board import read, signed_in
from tests.integration.test_pages_languages import ENGLISH_WORDS
from tests.serving_parts import ACME, NOON, Served, serve

WEEK = {"horizon_days": 7, "n_optimal": 500}


@pytest.fixture
def served(sqlite_template: Path, tmp_path: Path) -> Iterator[Served]:
    """On SQLite alone: what a report reads is tested on both."""
    store = Store(f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'store.db')}")
    yield serve(store, tmp_path)
    store.close()


def shown_at(served: Served, path: str = "/better") -> str:
    """The page's text, to somebody who has just signed in."""
    return read(signed_in(served), path)


def started(served: Served, name: str = "spring", **design: object) -> Experiment:
    with served.context.store.write(ACME) as session:
        return trial_parts.running(
            session,
            Wanted(experiment=name, design={**WEEK, **design}),
            at=served.clock.now(),
        )


def run(served: Served, one: Experiment, control: float, treatment: float) -> None:
    """Ten days of leads, all judged by now."""
    end = trial_parts.run(
        served.context.store, ACME, one, days=10, per_day=50, won=(control, treatment)
    )
    served.clock.move(end + timedelta(days=8) - served.clock.now())


def chart(served: Served, name: str) -> dict[str, list[float]]:
    """The figures that a chart is drawn from."""
    text = served.http.get("/better").text
    found = re.search(rf'id="{name}-data">(.*?)</script>', text, flags=re.DOTALL)
    assert found is not None
    return dict(json.loads(found[1]))


def test_without_an_experiment_the_page_says_how_to_begin(served: Served) -> None:
    shown = shown_at(served)

    assert "Nobody knows yet: no experiment was designed." in shown
    assert "rightrep experiment power" in shown


def test_a_design_that_was_not_started_says_how_to_start_it(served: Served) -> None:
    with served.context.store.write(ACME) as session:
        wanted = Wanted(experiment="spring")
        create_experiment(session, designed(wanted, actor="t", at=NOON))

    shown = shown_at(served)

    assert "It was designed and not started." in shown
    assert "rightrep experiment start spring" in shown


def test_before_the_horizon_it_is_too_early_and_says_until_when(
    served: Served,
) -> None:
    one = started(served)
    with served.context.store.write(ACME) as session:
        leads = trial_parts.some_leads(session, 30, at=NOON)
        trial_parts.draw(session, one, leads, at=NOON)

    shown = shown_at(served)

    assert "Too early to say." in shown
    assert "30 leads still wait, and the first ones count from 9 Mar 2026 on." in shown
    assert "Known three days after the first leads were drawn." in shown


def test_the_conclusion_is_what_the_report_says_and_names_its_record(
    served: Served,
) -> None:
    run(served, started(served), 0.1, 0.5)

    shown = shown_at(served)
    report = served.get("/v1/experiments/spring/report", role=Role.ANALYST).json()

    effect = report["effects"]["conversions"]
    whole = f"+{effect['relative_low']:.0%} to +{effect['relative_high']:.0%}"
    assert f"Yes, it is better. “optimal” changes leads won by {whole}" in shown
    assert f"Leads won {effect['control_mean']:.1%}" in shown
    drawn = report["n_drawn"]
    assert (
        f"From experiment spring, {drawn['control']} + {drawn['treatment']} leads drawn"
        in shown
    )
    assert "GET /v1/experiments/spring/report" in shown
    drawn_effect = chart(served, "effect")
    assert drawn_effect["effect"][-1] == pytest.approx(effect["relative"] * 100, 0.01)
    wins = chart(served, "wins")["rows"]
    assert wins[-1]["treatment"] > wins[-1]["control"]  # type: ignore[index]


def test_a_correction_changes_the_page(served: Served) -> None:
    one = started(served)
    with served.context.store.write(ACME) as session:
        leads = trial_parts.some_leads(session, 200, at=NOON)
        treated = trial_parts.draw(session, one, leads, at=NOON)
        won = treated & (np.arange(200) % 2 == 0)
        told = trial_parts.close(session, leads, won, at=NOON + timedelta(days=1))
    served.clock.move(timedelta(days=9))
    before = shown_at(served)
    win = next(one for one in told if one.result is Result.WON)
    right = Outcome(
        event_id="right",
        lead_id=win.lead_id,
        decision_id=None,
        result=Result.LOST,
        closed_at=win.closed_at,
        recorded_at=served.clock.now(),
        replaces=win.event_id,
    )
    with served.context.store.write(ACME) as session:
        record_outcomes(session, [right])

    after = shown_at(served)

    n_treated, n_won = int(treated.sum()), int(won.sum())
    assert f"Leads won 0.0% {n_won / n_treated:.1%}" in before
    assert f"Leads won 0.0% {(n_won - 1) / n_treated:.1%}" in after


@pytest.mark.parametrize(
    ("control", "treatment", "words"),
    [(0.5, 0.1, "No, it is worse."), (0.3, 0.3, "Not decided yet.")],
)
def test_a_worse_policy_and_an_open_question_are_said_plainly(
    served: Served, control: float, treatment: float, words: str
) -> None:
    run(served, started(served), control, treatment)

    assert words in shown_at(served)


@pytest.mark.parametrize(
    ("control", "treatment", "words"),
    [(0.5, 0.0, "No, it is worse."), (0.0, 0.5, "Yes, it is better.")],
)
def test_where_an_arm_won_nothing_no_per_cent_is_made_up(
    served: Served, control: float, treatment: float, words: str
) -> None:
    run(served, started(served), control, treatment)

    shown = shown_at(served)
    with served.context.store.read(ACME) as session:
        found = read_report(session, "spring", at=served.clock.now())

    assert f"{words} One of the two has won nothing yet" in shown
    assert not re.findall(r"\bnan\b", f"{shown} {report_in_words(found)}".casefold())


def test_lost_leads_stop_the_page_and_show_the_sizes(served: Served) -> None:
    one = started(served)
    with served.context.store.write(ACME) as session:
        leads = trial_parts.some_leads(session, 400, at=NOON)
        arm = arms_of_units(leads, one.arms, salt=one.salt)
        kept = [lead for k, lead in enumerate(leads) if arm[k] == 0 or k % 3 == 0]
        trial_parts.draw(session, one, kept, at=NOON)
    served.clock.move(timedelta(days=20))

    shown = shown_at(served)

    n_control = int((arm == 0).sum())
    assert "Nothing may be concluded: leads were lost on the way." in shown
    assert f"control {len(kept) / 2:,.0f} {n_control}" in shown.replace(".0", "")
    assert "Conversions and money" not in shown
    assert "Not shown while leads are missing." in shown


def test_a_broken_guardrail_is_said_beside_the_conclusion(served: Served) -> None:
    one = started(served)
    with served.context.store.write(ACME) as session:
        reps = trial_parts.some_reps(session, 2, at=NOON)
        leads = trial_parts.some_leads(session, 300, at=NOON)
        treated = trial_parts.draw(session, one, leads, at=NOON)
        for hours, arm in ((1, False), (20, True)):
            mine = [lead for k, lead in enumerate(leads) if treated[k] == arm]
            at = NOON + timedelta(hours=hours)
            trial_parts.give(session, one, mine, reps, at=at, p_convert=0.4)
    served.clock.move(timedelta(days=5))

    shown = shown_at(served)

    assert "But a guardrail broke: hours to first decision is 20 under the" in shown
    assert "Hours to first decision 1 20 0 broken" in shown


def test_the_model_s_promise_is_shown_as_a_figure_that_lies(served: Served) -> None:
    run(served, started(served), 0.2, 0.2)

    shown = shown_at(served)
    naive = served.get("/v1/experiments/spring/report", role=Role.ANALYST).json()[
        "naive"
    ]

    assert naive["predicted"] == pytest.approx(0.4)
    assert f"What the model promised +{naive['promised']:.1%}" in shown
    assert "What not to quote" in shown


def test_past_experiments_stay_and_can_be_read(served: Served) -> None:
    winter = started(served, "winter")
    run(served, winter, 0.4, 0.1)
    with served.context.store.write(ACME) as session:
        at = served.clock.now()
        stop_experiment(session, "winter", at=at, because="it was worse")
    started(served, "spring")

    now, then = shown_at(served), shown_at(served, "/better?experiment=winter")

    assert "Is it better? spring running" in now
    assert "it was worse" in now
    assert "Is it better? winter stopped" in then
    assert "No, it is worse." in then
    assert served.http.get("/better?experiment=none").status_code == 404


def test_every_state_is_chinese(served: Served) -> None:
    served.http.cookies.set(COOKIE, "zh")
    served.add_reps("R1", "R2", intake_per_day=2)
    states = [signed_in(served).http.get("/better").text]
    winter = started(served, "winter", metric="value", margins={"share unassigned": 0})
    states.append(served.http.get("/better").text)
    run(served, winter, 0.1, 0.5)
    states.append(signed_in(served).http.get("/better").text)

    for text in states:
        bare = re.sub(r"<(script|code|pre)\b.*?</\1>", " ", text, flags=re.DOTALL)
        assert ENGLISH_WORDS.findall(re.sub(r"<[^>]+>", " ", bare)) == []
