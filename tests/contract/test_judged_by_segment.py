"""Leads won and lost are counted by what was known of the lead then."""

from rightrep.domain.lead import LeadAttributes, LeadVersion
from rightrep.domain.outcome import Outcome, Result
from rightrep.store.decisions import log_decisions
from rightrep.store.engine import Store
from rightrep.store.leads import add_lead_versions
from rightrep.store.outcomes import record_outcome
from rightrep.store.rule_facts import Judged, count_judged
from tests.store_records import (
    ACME,
    add_leads,
    add_reps,
    add_tenant,
    at,
    decision,
)


def test_a_lead_counts_in_the_segment_it_was_known_to_be_in(store: Store) -> None:
    add_tenant(store)
    with store.write(ACME) as session:
        (rep,) = add_reps(session, 1)
        steel, moved, unknown = (
            add_leads(session, 1, LeadAttributes(industry=one))[0]
            for one in ("steel", "steel", None)
        )
        for hours, industry in ((2, "food"), (9, "health")):
            version = LeadVersion(
                lead_id=moved,
                valid_from=at(hours),
                recorded_at=at(hours),
                attributes=LeadAttributes(industry=industry),
            )
            add_lead_versions(session, [version])
        for lead, result in (
            (steel, Result.WON),
            (moved, Result.LOST),
            (unknown, Result.WON),
        ):
            made = decision(lead, rep)
            log_decisions(session, [made])
            record_outcome(
                session,
                Outcome(
                    event_id=f"{lead} closed",
                    lead_id=lead,
                    decision_id=made.decision_id,
                    result=result,
                    closed_at=at(1),
                    recorded_at=at(1),
                ),
            )

        found = count_judged(session, "industry", as_of=at(5))
        together = count_judged(session, None, as_of=at(5))

    assert sorted(found, key=str) == sorted(
        [
            Judged(rep, "steel", 1, 1),
            Judged(rep, "food", 0, 1),
            Judged(rep, None, 1, 1),
        ],
        key=str,
    )
    assert together == [Judged(rep, None, 2, 3)]
