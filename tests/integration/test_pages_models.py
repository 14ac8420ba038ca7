"""Which model answers and why, from its records, in both languages."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from rightrep.domain.ids import new_id
from rightrep.store.drift import KeptDrift, keep_drift
from rightrep.store.engine import Store
from rightrep.store.models import PublishedModel, promote, publish_model
from serving.web.language import COOKIE, translations
from serving.web.spoken import recorded
from tests.integration.test_pages_board import read, signed_in
from tests.integration.test_pages_languages import ENGLISH_WORDS
from tests.serving_parts import ACME, NOON, Served, serve
from training.drift import ColumnDrift, DriftReport, ShareDrift
from training.evaluation import Metrics
from training.promotion import Randomised, Verdict, judge

GOOD = Metrics(
    n_rows=900, won_share=0.3, p_mean=0.31, log_loss=0.51, brier=0.2, auc=0.7
)
BAD = replace(GOOD, log_loss=0.6, p_mean=0.4)
MUCH = Randomised(n_rows=1_500, effective_n=400.0, champion=100.0, gain=3.0, low=-30.0)
VERDICTS = (
    judge(GOOD, None),
    judge(GOOD, BAD),
    judge(BAD, GOOD),
    judge(GOOD, BAD, n_unseen=7),
    judge(GOOD, BAD, randomised=MUCH),
)
COLUMN = ColumnDrift(
    name="channel",
    importance=0.2,
    psi=0.4,
    psi_limit=0.2,
    missing=0.5,
    missing_before=0.1,
    missing_limit=0.1,
    drifted=True,
    alarms=True,
)
SHARE = ShareDrift(n_rows=300, found=0.2, expected=0.31, limit=0.05, alarms=True)
CALM = DriftReport(
    as_of=NOON,
    n_rows=1_000,
    columns=(replace(COLUMN, alarms=False),),
    calibration=replace(SHARE, alarms=False),
    outcomes=None,
    outcome_days=20.0,
)
REPORTS = (
    CALM,
    replace(CALM, columns=()),
    replace(CALM, columns=(COLUMN,), calibration=SHARE, outcomes=SHARE),
    replace(CALM, columns=(replace(COLUMN, psi=0.1),)),
    replace(CALM, columns=(replace(COLUMN, missing=0.1),)),
)


@pytest.fixture
def served(store: Store, tmp_path: Path) -> Served:
    return signed_in(serve(store, tmp_path))


def publish(served: Served, version: str, verdict: Verdict, loss: float) -> None:
    """A version as retraining records it."""
    now = served.clock.now()
    checks = [
        {"name": check.name, "passed": check.passed, "words": check.words}
        for check in verdict.checks
    ]
    told = {"promoted": verdict.promoted, "reason": verdict.reason, "checks": checks}
    part = {"n_rows": 900, "auc": 0.7}
    model = PublishedModel(
        version=version,
        path="model.rr",
        sha256=version * 64,
        columns_version="c1",
        label_window_days=60,
        metrics={
            "lead_only": {**part, "log_loss": loss + 0.02},
            "rep_only": {**part, "log_loss": loss + 0.1},
            "pair": {**part, "log_loss": loss},
            "verdict": told,
        },
        data_hash="d",
        trained_as_of=now,
        published_at=now,
    )
    with served.context.store.write(ACME) as session:
        publish_model(session, model)
        if verdict.promoted:
            promote(session, version, actor="t", reason=verdict.reason, at=now)
    served.clock.move(timedelta(minutes=1))


def look(served: Served, version: str, report: DriftReport) -> str:
    """A look for drift, as watching records it; gives its id."""
    now = served.clock.now()
    kept = KeptDrift(
        report_id=new_id(now),
        version=version,
        as_of=now,
        alarmed=report.alarmed,
        report=report.to_json(),
    )
    with served.context.store.write(ACME) as session:
        keep_drift(session, kept)
    served.clock.move(timedelta(minutes=1))
    return kept.report_id


def test_without_a_model_the_page_says_how_to_train_one(served: Served) -> None:
    shown = read(served, "/models")

    assert "There is no model yet." in shown
    assert "rightrep train" in shown
    assert "No version was published yet." in shown


def test_every_version_says_why_it_was_promoted_or_refused(served: Served) -> None:
    publish(served, "1", VERDICTS[0], 0.5231)
    first = read(served, "/models")
    publish(served, "2", VERDICTS[2], 0.6)
    refused = read(served, "/models")
    publish(served, "3", VERDICTS[1], 0.5112)
    promoted = read(served, "/models")

    assert "Model 1 answers" in first
    assert "the lead only 0.5431 70.0% 900" in first
    assert "lead and rep 0.5231 70.0% 900" in first
    assert "Model 1 answers" in refused
    for check in VERDICTS[2].checks:
        assert check.words in refused
    assert "2 refused" in refused
    assert "Model 3 answers" in promoted
    assert "lead and rep 0.5112" in promoted
    assert "1 champion before" in promoted


def test_a_look_for_drift_is_told_with_its_record(served: Served) -> None:
    publish(served, "1", VERDICTS[0], 0.5)
    assert "Nobody has looked yet." in read(served, "/models")

    calm = look(served, "1", CALM)
    before = read(served, "/models")
    alarm = look(served, "1", REPORTS[2])
    after = read(served, "/models")

    assert "Models fits" in before
    assert "No drift in 1,000 decisions." in before
    assert "of 300 decisions since its training 20.0% were won" in before
    assert f"From look {calm}" in before
    assert "Models drifting" in after
    assert f"From look {alarm}" in after
    for sentence in REPORTS[2].alarms:
        assert sentence in after


def test_the_page_is_chinese_down_to_recorded_sentences(served: Served) -> None:
    for number, verdict in enumerate(VERDICTS):
        publish(served, str(number), verdict, 0.5)
    for report in REPORTS:
        look(served, "1", report)
    served.http.cookies.set(COOKIE, "zh")

    assert ENGLISH_WORDS.findall(read(served, "/models")) == []


@pytest.mark.parametrize(
    "sentence",
    [
        *(verdict.reason for verdict in VERDICTS),
        *(check.words for verdict in VERDICTS for check in verdict.checks),
        *(report.in_words() for report in REPORTS),
    ],
)
def test_whatever_is_said_of_a_model_is_said_in_chinese(sentence: str) -> None:
    told = recorded(sentence, translations("zh").gettext)

    assert ENGLISH_WORDS.findall(told) == []
    assert told != sentence
