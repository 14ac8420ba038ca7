"""What the loop keeps: looks at the champion, candidates of lotteries, what recurs."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import delete
from sqlalchemy.exc import DBAPIError

from rightrep.domain.eligibility import Exclusion
from rightrep.domain.ids import TenantId, new_id
from rightrep.domain.job import JobState
from rightrep.store.decisions import candidates_of, log_decisions
from rightrep.store.drift import KeptDrift, keep_drift, list_drift
from rightrep.store.engine import Store
from rightrep.store.exclusions import Exclusions
from rightrep.store.guard import of_tenant
from rightrep.store.jobs import enqueue, list_jobs, schedule, unschedule
from rightrep.store.models import publish_model
from rightrep.store.schema_learning import drift_reports
from tests.contract.test_ops_models import MODEL
from tests.store_records import add_leads, add_reps, add_tenant, decision

ACME = TenantId("acme")
OTHER = TenantId("other")
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


def looked(store: Store, hours: int, *, version: str = "1") -> KeptDrift:
    found = KeptDrift(
        report_id=new_id(NOW + hours * HOUR),
        version=version,
        as_of=NOW + hours * HOUR,
        alarmed=hours > 0,
        report={"in_words": "No drift.", "columns": []},
    )
    with store.write(ACME) as session:
        publish_model(session, replace(MODEL, version=version))
        keep_drift(session, found)
    return found


def test_looks_come_back_newest_first_and_by_version(store: Store) -> None:
    kept = [looked(store, 0), looked(store, 2), looked(store, 1, version="2")]

    with store.read(ACME) as session:
        assert list_drift(session) == [kept[1], kept[2], kept[0]]
        assert list_drift(session, version="1", limit=1) == [kept[1]]
    with store.read(OTHER) as session:
        assert list_drift(session) == []


def test_a_look_is_never_rewritten(store: Store) -> None:
    looked(store, 0)

    with pytest.raises(DBAPIError), store.write(ACME) as session:
        session.execute(delete(drift_reports).where(of_tenant(drift_reports)))


def test_what_recurs_can_be_taken_back_until_it_is_due(store: Store) -> None:
    tomorrow, later = NOW + timedelta(days=1), NOW + timedelta(days=2)
    with store.write(ACME) as session:
        for run_at in (NOW - HOUR, tomorrow, later):
            schedule(session, "drift", {}, run_at=run_at, at=NOW)
        enqueue(session, "drift", {}, at=NOW, run_at=tomorrow)

    with store.write(ACME) as session:
        assert unschedule(session, "drift", at=NOW, keep=later) == 1
        assert schedule(session, "drift", {}, run_at=tomorrow, at=NOW).is_new

    with store.read(ACME) as session:
        waiting = list_jobs(session, kind="drift", state=JobState.QUEUED)
    assert sorted(job.run_at for job in waiting) == [
        NOW - HOUR,
        tomorrow,
        tomorrow,
        later,
    ]


def test_reps_who_were_not_excluded_are_the_ones_that_could_be_drawn(
    store: Store,
) -> None:
    codes = np.array([[0, 0, Exclusion.LANGUAGE]], dtype=np.uint8)
    add_tenant(store, ACME)
    with store.write(ACME) as session:
        reps = add_reps(session, 3)
        lead, other = add_leads(session, 2)
        drawn = replace(decision(lead, reps[0]), propensity=0.5)
        log_decisions(session, [drawn], exclusions=Exclusions(reps, codes))
        bare = decision(other, reps[1])
        log_decisions(session, [bare])

    with store.read(ACME) as session:
        found = candidates_of(session, [drawn.decision_id, bare.decision_id])

    assert found == {drawn.decision_id: [reps[0], reps[1]]}
