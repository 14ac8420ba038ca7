"""Outcomes outlive an erasure; what people say of them is kept where it can go."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rightrep.domain.ids import LeadId
from rightrep.domain.outcome import LONGEST_REASON, reason_code
from rightrep.intake.fields import Kind
from rightrep.store.activities import list_activities
from rightrep.store.engine import Store
from rightrep.store.erasure import erase_lead
from rightrep.store.outcomes import list_outcomes
from serving.usecases.imports import import_file
from tests.serving_parts import ACME, NOON, Served, serve

REMARK = "Wang Fang, 138 0013 8000, is ill until May."


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("price", "price"),
        ("  No budget ", "no_budget"),
        ("no-budget", "no_budget"),
        ("phase2", "phase2"),
        ("", None),
        ("13800138000", None),
        ("ask Wang Fang again", None),
        ("a@b.cn", None),
        ("太贵", None),
        (None, None),
    ],
)
def test_a_few_plain_words_are_a_code_and_anything_else_is_a_remark(
    words: str | None, code: str | None
) -> None:
    assert reason_code(words) == code


@given(words=st.text())
def test_a_code_is_its_own_code_and_short(words: str) -> None:
    code = reason_code(words)

    assert code is None or (reason_code(code) == code and len(code) <= LONGEST_REASON)


def notes(served: Served, lead: str) -> list[str | None]:
    with served.context.store.read(ACME) as session:
        return [one.note for one in list_activities(session, LeadId(lead))]


def reasons(served: Served, lead: str) -> list[str | None]:
    with served.context.store.read(ACME) as session:
        return [one.reason for one in list_outcomes(session, LeadId(lead))]


def outcome(**fields: object) -> dict[str, object]:
    told = {"event_id": "e1", "lead": "l1", "result": "lost"}
    return {"outcomes": [told | {"closed_at": "2026-03-02T10:00:00+08:00"} | fields]}


def test_a_remark_goes_into_a_note_and_is_erased_with_the_lead(
    store: Store, tmp_path: Path
) -> None:
    served = serve(store, tmp_path)
    [lead] = served.add_leads("l1")
    body = outcome(reason="No budget", note=REMARK)

    first = served.post("/v1/feedback/outcomes", body)
    again = served.post("/v1/feedback/outcomes", body)

    assert (first.json(), again.json()) == ({"recorded": [True]}, {"recorded": [False]})
    assert reasons(served, lead) == ["no_budget"]
    assert notes(served, lead) == [REMARK]
    with store.write(ACME) as session:
        erase_lead(session, LeadId(lead), actor="test", at=NOON)
    assert reasons(served, lead) == ["no_budget"]
    assert notes(served, lead) == [None]


def test_a_remark_sent_as_the_reason_is_refused_with_the_remedy(
    store: Store, tmp_path: Path
) -> None:
    served = serve(store, tmp_path)
    [lead] = served.add_leads("l1")

    answer = served.post("/v1/feedback/outcomes", outcome(reason=REMARK))

    assert answer.status_code == 422
    assert answer.json()["field"] == "reason"
    assert "`note`" in answer.json()["remedy"]
    assert "Wang" not in answer.text
    assert reasons(served, lead) == []


def test_an_imported_remark_becomes_a_note(store: Store, tmp_path: Path) -> None:
    served = serve(store, tmp_path)
    one, two = served.add_leads("l1", "l2")
    path = tmp_path / "outcomes.csv"
    path.write_text(
        "lead,result,closed_at,reason\n"
        f'l1,lost,2026-03-02,"{REMARK}"\nl2,lost,2026-03-02,no need\n',
        encoding="utf-8",
    )

    for landed in (2, 0):
        report = import_file(store, ACME, Kind.OUTCOMES, path, clock=served.clock)
        assert report.landed == landed

    assert (reasons(served, one), notes(served, one)) == ([None], [REMARK])
    assert (reasons(served, two), notes(served, two)) == (["no_need"], [])
