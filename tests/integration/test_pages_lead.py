"""Why? A lead's page tells everything that happened, and what was known when."""

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rightrep.domain.decision import Cause, Decision
from rightrep.domain.ids import DecisionId, LeadId, RepId, new_id
from rightrep.domain.roles import Role
from rightrep.store.aliases import RecordKind
from rightrep.store.decisions import list_decisions, log_decisions
from rightrep.store.engine import Store
from rightrep.store.merges import merge
from rightrep.store.models import PublishedModel, publish_model
from serving.usecases.champions import load_published
from serving.web.language import COOKIE
from tests.contract.test_model_contract import trained
from tests.integration.test_pages_board import read, signed_in
from tests.integration.test_pages_languages import ENGLISH_WORDS
from tests.integration.test_pages_stuck import about_to_drop, act
from tests.serving_parts import ACME, Served, serve
from tests.store_records import decision
from training.explain import explain
from training.model_file import save_model
from training.words import Language

MINUTE = timedelta(minutes=1)
VERSION = "then"


@pytest.fixture
def served(store: Store, tmp_path: Path) -> Served:
    load_published.cache_clear()
    return signed_in(serve(store, tmp_path))


def happenings(served: Served, lead: str) -> list[str]:
    """What the page says happened, newest first, each in a line."""
    text = served.http.get(f"/leads/{lead}").text
    part = text.split('class="rows history"')[1].split("</ol>")[0]
    lines = [re.sub(r"<[^>]+>", " ", item) for item in part.split("<li")[1:]]
    return [" ".join(line.split(">", 1)[-1].split()) for line in lines]


def predicted(served: Served, folder: Path) -> Decision:
    """A decision with the row and the model it was made with."""
    model, rows = trained()
    path = folder / "then.zip"
    published = PublishedModel(
        version=VERSION,
        path=str(path),
        sha256=save_model(model, path),
        columns_version=rows.contract.version,
        label_window_days=60,
        metrics={},
        data_hash="d" * 16,
        trained_as_of=served.clock.now(),
        published_at=served.clock.now(),
    )
    lead, rep = LeadId(served.add_leads("L1")[0]), RepId(served.add_reps("r1")[0])
    made = replace(
        decision(lead, rep, served.clock.now()),
        policy="optimal",
        p_convert=0.2,
        model_version=VERSION,
        columns_version=rows.contract.version,
        feature_row=rows.columns[7],
    )
    with served.context.store.write(ACME) as session:
        publish_model(session, published)
        log_decisions(session, [made])
    return made


def test_what_raised_the_chance_is_told_from_the_decisions_own_row(
    served: Served, tmp_path: Path
) -> None:
    made = predicted(served, tmp_path)
    model, rows = trained()
    (parts,) = explain(model, rows.columns[7:8], largest=8, currency="CNY")

    pages = [read(served, "/leads/L1"), read(served, f"/decisions/{made.decision_id}")]

    for shown in pages:
        assert "What made the chance 20.0%" in shown
        for part in parts:
            assert " ".join(part.words.split()) in shown
        assert f"what was known then: {VERSION}, {rows.contract.version}." in shown


def test_another_row_of_the_same_model_is_explained_otherwise(
    served: Served, tmp_path: Path
) -> None:
    made = predicted(served, tmp_path)
    _, rows = trained()
    before = read(served, "/leads/L1")
    served.clock.move(MINUTE)
    later = replace(
        made,
        decision_id=DecisionId(new_id(served.clock.now())),
        decided_at=served.clock.now(),
        recorded_at=served.clock.now(),
        feature_row=rows.columns[400],
    )
    with served.context.store.write(ACME) as session:
        log_decisions(session, [later])

    after = read(served, "/leads/L1")

    def told(page: str) -> str:
        told, _, _ = page.partition("Against the mean")
        return told.partition("What made")[2]

    assert told(before) != told(after)


def test_words_of_the_columns_are_chinese_on_a_chinese_page(
    served: Served, tmp_path: Path
) -> None:
    predicted(served, tmp_path)
    model, rows = trained()
    (parts,) = explain(
        model, rows.columns[7:8], largest=8, language=Language.CHINESE, currency="CNY"
    )
    served.http.cookies.set(COOKIE, "zh")

    shown = read(served, "/leads/L1")

    assert all(" ".join(part.words.split()) in shown for part in parts)
    bare = re.sub(r"\bL1\b|then", "", shown)
    assert ENGLISH_WORDS.findall(bare) == []


@pytest.mark.parametrize("harm", ["gone", "damaged"])
def test_a_model_that_cannot_be_read_is_told_and_breaks_nothing(
    served: Served, tmp_path: Path, harm: str
) -> None:
    predicted(served, tmp_path)
    path = tmp_path / "then.zip"
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes(b"no model")

    shown = read(served, "/leads/L1")

    assert "What made the chance 20.0%" in shown
    assert "The model" in shown.split("What made the chance")[1]
    assert "Times the odds" not in shown


def test_the_owners_outcomes_and_activities_are_told_newest_first(
    served: Served,
) -> None:
    about_to_drop(served)
    served.clock.move(MINUTE)
    act(served, "L1", "12:10", "call", 30.0)
    served.clock.move(timedelta(hours=1))
    body = {"event_id": "o1", "lead": "L1", "result": "lost", "reason": "no budget"}
    outcome = {**body, "closed_at": "2026-03-02T13:00:00+08:00"}
    served.post("/v1/feedback/outcomes", {"outcomes": [outcome]})

    told = happenings(served, "L1")

    order = ["Lost : no budget", "Call, Rep wang", "claimed the lead", "The lead came"]
    places = [next(k for k, line in enumerate(told) if x in line) for x in order]
    assert places == sorted(places)
    assert any("From record o1" in line for line in told)
    assert "Lost" not in str(happenings(served, "L2"))


def test_a_correction_stands_beside_what_it_corrects(served: Served) -> None:
    served.add_leads("L1")
    for event, result, replaces in (("o1", "won", None), ("o2", "lost", "o1")):
        served.clock.move(MINUTE)
        outcome = {
            "event_id": event,
            "lead": "L1",
            "result": result,
            "closed_at": served.clock.now().isoformat(),
            "replaces": replaces,
        }
        answer = served.post("/v1/feedback/outcomes", {"outcomes": [outcome]})
        assert answer.status_code == 201, answer.text

    newest, older, *_ = (x for x in happenings(served, "L1") if "record o" in x)

    assert newest.startswith("Lost")
    assert "corrected later" not in newest
    assert older.startswith("Won corrected later")


def test_a_new_stage_is_told_with_its_day(served: Served) -> None:
    served.add_leads("L1", stage="new")
    served.clock.move(timedelta(days=1))
    signed_in(served)

    served.add_leads("L1", stage="proposal")

    assert happenings(served, "L1")[0].startswith("Stage: proposal 3 Mar 2026")


def test_the_rule_that_matched_is_named(served: Served) -> None:
    lead, rep = LeadId(served.add_leads("L1")[0]), RepId(served.add_reps("r1")[0])
    made = replace(
        decision(lead, rep, served.clock.now()),
        cause=Cause.BATCH,
        rule_set=3,
        rule="big deals",
    )
    with served.context.store.write(ACME) as session:
        log_decisions(session, [made])

    shown = read(served, "/leads/L1")

    assert "Why Rep r1?" in shown
    assert "Rule big deals of rule set 3 matched." in shown
    assert "Decided for Rep r1" in shown


def test_who_could_not_take_it_is_told_rep_by_rep(served: Served) -> None:
    served.add_reps("able", languages=["zh"])
    served.add_reps("mute", languages=["de"])
    served.add_leads("L1", language="zh")
    served.next("L1")

    shown = read(served, "/leads/L1")

    with served.context.store.read(ACME) as session:
        (made,) = list_decisions(session, limit=9, reasons=True).decisions
    assert len(made.excluded) == 1
    assert "1 rep: Does not speak the lead's language. Rep mute" in shown


def test_a_merge_and_its_undoing_are_told(served: Served) -> None:
    own, other = served.add_leads("L1", "L2")
    made = merged(served, other, own)
    assert "A duplicate was merged into it" in str(happenings(served, own))

    served.clock.move(MINUTE)
    served.post(f"/v1/merges/{made}/undo", {}, role=Role.MANAGER)

    told = str(happenings(served, own))
    assert "A merge was undone" in told


def merged(served: Served, gone: str, stays: str) -> Any:
    """Merge two leads; gives the merge's id."""
    with served.context.store.write(ACME) as session:
        return merge(
            session,
            RecordKind.LEAD,
            gone,
            stays,
            at=served.clock.now(),
            actor="test",
            cause="a person said so",
        ).merge_id


def test_an_analyst_reads_why_without_names(store: Store, tmp_path: Path) -> None:
    served = signed_in(serve(store, tmp_path), Role.ANALYST)
    about_to_drop(served)
    found = served.get("/v1/leads/L1").json()

    assert "wang" not in served.http.get(f"/leads/{found['lead_id']}").text
