"""Everything that happened to a lead, from its records, newest first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import pairwise

from rightrep.domain.activity import Activity
from rightrep.domain.decision import Decision
from rightrep.domain.ids import RepId
from rightrep.domain.lead import Lead, LeadVersion
from rightrep.domain.outcome import Outcome
from rightrep.domain.ownership import OwnershipEvent
from rightrep.store.activities import list_activities
from rightrep.store.aliases import RecordKind
from rightrep.store.leads import get_lead_versions
from rightrep.store.merges import Merge, list_merges
from rightrep.store.outcomes import list_outcomes
from rightrep.store.ownership import get_events
from rightrep.store.session import ReadSession

SHOWN = 200

Told = Activity | Decision | Lead | LeadVersion | Merge | Outcome | OwnershipEvent


class What(StrEnum):
    """What kind of thing happened."""

    CAME = "came"
    STAGE = "stage"
    OWNERSHIP = "ownership"
    DECISION = "decision"
    ACTIVITY = "activity"
    OUTCOME = "outcome"
    MERGE = "merge"
    PARTING = "parting"
    """A merge was undone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Happening:
    """One thing that happened to a lead.

    Attributes:
        at: When; aware UTC.
        what: Of which kind.
        record: What says so.
        record_id: The record's id; None where its lead and time are.
        replaced: Whether a later record corrected it.
    """

    at: datetime
    what: What
    record: Told
    record_id: str | None
    replaced: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class LeadHistory:
    """What happened to a lead.

    Attributes:
        happenings: The newest ``SHOWN``, newest first.
        total: How many there are.
    """

    happenings: Sequence[Happening]
    total: int

    @property
    def people(self) -> list[RepId]:
        """Reps who appear in it."""
        found: list[RepId | None] = []
        for one in self.happenings:
            record = one.record
            if isinstance(record, OwnershipEvent):
                found += [record.owner, record.previous_owner]
            elif isinstance(record, Activity | Decision):
                found.append(record.rep_id)
        return [rep_id for rep_id in found if rep_id is not None]


def read_history(
    session: ReadSession, lead: Lead, decisions: Sequence[Decision]
) -> LeadHistory:
    """A lead's history.

    Args:
        session: Where to read.
        lead: The lead.
        decisions: Its decisions.
    """
    found = [
        Happening(at=lead.created_at, what=What.CAME, record=lead, record_id=None),
        *_stages(session, lead),
        *(
            Happening(
                at=event.happened_at,
                what=What.OWNERSHIP,
                record=event,
                record_id=event.event_id,
            )
            for event in get_events(session, lead.lead_id)
        ),
        *(
            Happening(
                at=made.decided_at,
                what=What.DECISION,
                record=made,
                record_id=made.decision_id,
            )
            for made in decisions
        ),
        *(
            Happening(
                at=one.happened_at,
                what=What.ACTIVITY,
                record=one,
                record_id=one.event_id,
            )
            for one in list_activities(session, lead.lead_id)
        ),
        *_outcomes(session, lead),
        *_merges(session, lead),
    ]
    # What came later in the list follows from what came before it at the same instant.
    found.sort(key=lambda one: one.at)
    return LeadHistory(happenings=found[::-1][:SHOWN], total=len(found))


def _stages(session: ReadSession, lead: Lead) -> Iterator[Happening]:
    """Changes of the life-cycle step."""
    versions = get_lead_versions(session, lead.lead_id)
    for before, after in pairwise(versions):
        if before.attributes.stage != after.attributes.stage:
            yield Happening(
                at=after.valid_from, what=What.STAGE, record=after, record_id=None
            )


def _outcomes(session: ReadSession, lead: Lead) -> Iterator[Happening]:
    told = list_outcomes(session, lead.lead_id)
    replaced = {outcome.replaces for outcome in told}
    for outcome in told:
        yield Happening(
            at=outcome.closed_at,
            what=What.OUTCOME,
            record=outcome,
            record_id=outcome.event_id,
            replaced=outcome.event_id in replaced,
        )


def _merges(session: ReadSession, lead: Lead) -> Iterator[Happening]:
    for made in list_merges(session, RecordKind.LEAD, lead.lead_id):
        yield Happening(
            at=made.merged_at, what=What.MERGE, record=made, record_id=made.merge_id
        )
        if made.undone_at is not None:
            yield Happening(
                at=made.undone_at,
                what=What.PARTING,
                record=made,
                record_id=made.merge_id,
            )
