"""Decisions: logged once, listed page by page, explained."""

from dataclasses import replace

import numpy as np
import pytest

from rightrep.domain.decision import Decision, RunnerUp
from rightrep.domain.ids import DecisionId, LeadId
from rightrep.errors import InvalidInput, NotFound
from rightrep.store.decisions import (
    get_decision,
    last_decisions,
    list_decisions,
    log_decisions,
)
from rightrep.store.engine import Store
from rightrep.store.exclusions import Exclusions
from tests.store_records import (
    ACME,
    NOON,
    add_leads,
    add_reps,
    at,
    decision,
    decisions,
)


def same(left: Decision, right: Decision) -> bool:
    """Equal, feature rows compared by value."""
    rows = [
        None if d.feature_row is None else d.feature_row.tolist() for d in (left, right)
    ]
    bare = [replace(d, feature_row=None, roster=None) for d in (left, right)]
    return rows[0] == rows[1] and bare[0] == bare[1]


def test_everything_about_a_decision_comes_back_as_it_was(store: Store) -> None:
    with store.write(ACME) as session:
        (lead_id,) = add_leads(session, 1)
        reps = add_reps(session, 4)
        full = replace(
            decision(lead_id, reps[0]),
            rule_set=3,
            rule="east",
            experiment="exp",
            arm="treatment",
            propensity=0.25,
            p_convert=0.125,
            value=1e6 / 3,
            shadow_price=-2.5,
            model_version="m1",
            fallback="no model",
            columns_version="abc",
            feature_row=np.array([1.5, 2.25, -0.1], dtype=np.float32),
            runner_ups=(
                RunnerUp(rep_id=reps[1], p_convert=0.1, value=7.0, shadow_price=None),
                RunnerUp(rep_id=reps[2], p_convert=None, value=None, shadow_price=0.0),
            ),
            excluded={reps[3]: "holding_limit", reps[2]: "language"},
        )
        log_decisions(session, [full])

        assert same(get_decision(session, full.decision_id), full)


def test_what_is_not_a_number_is_kept_as_unknown(store: Store) -> None:
    with store.write(ACME) as session:
        (lead_id,) = add_leads(session, 1)
        (rep_id,) = add_reps(session, 1)
        made = replace(decision(lead_id, rep_id), propensity=float("nan"))
        log_decisions(session, [made])

        assert get_decision(session, made.decision_id).propensity is None


def test_a_decision_logged_twice_is_there_once(store: Store) -> None:
    with store.write(ACME) as session:
        leads = add_leads(session, 6_000)
        made = decisions(leads, add_reps(session, 3))

        assert log_decisions(session, made[:10]) == 10
        assert log_decisions(session, made) == 5_990
        assert log_decisions(session, made) == 0


def test_decisions_are_listed_newest_first_and_page_by_page(store: Store) -> None:
    with store.write(ACME) as session:
        leads = add_leads(session, 2)
        reps = add_reps(session, 2)
        made = [decision(leads[k % 2], reps[k // 6], at(k // 3)) for k in range(12)]
        log_decisions(session, made)
        newest = sorted(made, key=lambda d: (d.decided_at, d.decision_id), reverse=True)

        pages, cursor = [], None
        while True:
            page = list_decisions(session, limit=5, cursor=cursor)
            pages.append(list(page.decisions))
            cursor = page.cursor
            if cursor is None:
                break

        assert [len(page) for page in pages] == [5, 5, 2]
        assert [d for page in pages for d in page] == newest
        of_lead = list_decisions(session, limit=50, lead_id=leads[0]).decisions
        assert of_lead == [d for d in newest if d.lead_id == leads[0]]
        both = list_decisions(session, limit=50, lead_id=leads[0], rep_id=reps[1])
        assert both.decisions == [d for d in of_lead if d.rep_id == reps[1]]
        exact = list_decisions(session, limit=12)
        assert exact.cursor is None


@pytest.mark.parametrize(
    "cursor", ["x", "MTI=", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OmE=", "é"]
)
def test_a_cursor_that_was_not_made_here_is_refused(store: Store, cursor: str) -> None:
    with store.read(ACME) as session, pytest.raises(InvalidInput) as refused:
        list_decisions(session, limit=5, cursor=cursor)

    assert refused.value.field == "cursor"


def test_reasons_are_spelled_out_when_asked_for(store: Store) -> None:
    with store.write(ACME) as session:
        leads = add_leads(session, 3)
        reps = add_reps(session, 3)
        made = decisions(leads, reps)
        codes = np.array([[0, 7, 8], [1, 0, 0], [0, 0, 0]], dtype=np.uint8)
        log_decisions(session, made, exclusions=Exclusions(reps, codes))

        plain = list_decisions(session, limit=3).decisions
        spelled = list_decisions(session, limit=3, reasons=True).decisions

        assert [d.excluded for d in plain] == [{}, {}, {}]
        by_lead = {d.lead_id: d.excluded for d in spelled}
        assert [by_lead[lead_id] for lead_id in leads] == [
            {reps[1]: "language", reps[2]: "territory"},
            {reps[0]: "left"},
            {},
        ]
        assert len({d.roster for d in spelled}) == 1


def test_exclusions_that_do_not_fit_are_refused(store: Store) -> None:
    with store.write(ACME) as session:
        leads = add_leads(session, 2)
        reps = add_reps(session, 2)
        short = Exclusions(reps, np.zeros((1, 2), dtype=np.uint8))

        with pytest.raises(InvalidInput):
            log_decisions(session, decisions(leads, reps), exclusions=short)
        with pytest.raises(InvalidInput):
            log_decisions(
                session,
                [replace(decision(leads[0], reps[0]), excluded={reps[1]: "mood"})],
            )


def test_the_last_decision_is_the_last_at_or_before_an_instant(store: Store) -> None:
    with store.write(ACME) as session:
        (lead_id,) = add_leads(session, 1)
        (rep_id,) = add_reps(session, 1)
        made = [decision(lead_id, rep_id, at(hours)) for hours in (3, 1, 2)]
        log_decisions(session, made)

        asked = [(lead_id, at(h)) for h in (0.5, 1, 2.5, 9)]
        found = last_decisions(session, [*asked, (LeadId("x"), NOON)])

    first, second, third = made[1], made[2], made[0]
    assert found == [
        None,
        first.decision_id,
        second.decision_id,
        third.decision_id,
        None,
    ]


def test_a_decision_that_is_not_there_is_not_found(store: Store) -> None:
    with store.read(ACME) as session, pytest.raises(NotFound):
        get_decision(session, DecisionId("x"))
