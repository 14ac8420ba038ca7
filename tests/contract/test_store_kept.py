"""A history kept and brought up to date is the one that reading it all would give."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from features.as_of import instant
from features.history import TABLES, History
from features.known import Known
from features.profiles import lead_rows
from features.recipe import Recipe
from rightrep.domain.activity import Activity, ActivityKind
from rightrep.domain.ids import CustomerId, LeadId, RepId, new_id
from rightrep.domain.lead import LeadAttributes, LeadKind, LeadVersion
from rightrep.domain.money import Money
from rightrep.domain.outcome import Outcome, Result
from rightrep.domain.ownership import OwnershipEvent, OwnershipKind
from rightrep.store.activities import record_activity
from rightrep.store.aliases import RecordKind
from rightrep.store.bulk import read_history
from rightrep.store.decisions import log_decisions
from rightrep.store.engine import Store
from rightrep.store.kept import KeptHistory, read_kept
from rightrep.store.leads import LeadRecord, add_lead_versions, save_leads
from rightrep.store.merges import merge, undo_merge
from rightrep.store.outcomes import record_outcome
from rightrep.store.ownership import add_ownership_events
from rightrep.store.rates import Rate, save_rates
from rightrep.store.session import WriteSession
from tests.store_records import ACME, NOON, add_leads, add_reps, add_tenant, decision

RECIPE = Recipe(label_window_days=3, deal_bands=(500.0,), zone="Asia/Shanghai")
INDUSTRIES = ("steel", "food", None)


class Office:
    """An organisation whose records grow by chance."""

    def __init__(self, store: Store, seed: int) -> None:
        self.store = store
        self.rng = np.random.default_rng(seed)
        self.now = NOON
        self.n_events = 0
        with store.write(ACME) as session:
            self.reps = add_reps(session, 3)
            self.leads = add_leads(session, 4)
        self.merge_id: str | None = None

    def does(self) -> None:
        """A few things, of which each was recorded now or long ago."""
        for _ in range(int(self.rng.integers(0, 5))):
            self.now += timedelta(minutes=int(self.rng.integers(1, 3_000)))
            deed = DEEDS[int(self.rng.integers(len(DEEDS)))]
            past = self.rng.random() < 0.2
            when = self.now - timedelta(days=float(self.rng.random() * 5)) * past
            with self.store.write(ACME) as session:
                deed(self, session, when)

    def lead(self) -> LeadId:
        return self.leads[int(self.rng.integers(len(self.leads)))]

    def rep(self) -> RepId:
        return self.reps[int(self.rng.integers(len(self.reps)))]

    def event_id(self) -> str:
        self.n_events += 1
        return f"event-{self.n_events}"

    def comes(self, session: WriteSession, when: datetime) -> None:
        if self.rng.random() < 0.2:
            add_leads(session, 1, when=when, kind=LeadKind.TICKET)
        else:
            self.leads += add_leads(session, 1, when=when)

    def changes(self, session: WriteSession, when: datetime) -> None:
        known = LeadAttributes(
            industry=INDUSTRIES[int(self.rng.integers(3))],
            deal_value=Money(int(self.rng.integers(1, 1_000)) * 100, "EUR"),
        )
        version = LeadVersion(
            lead_id=self.lead(), valid_from=when, recorded_at=when, attributes=known
        )
        add_lead_versions(session, [version])

    def is_given(self, session: WriteSession, when: datetime) -> None:
        made = decision(self.lead(), self.rep(), when)
        log_decisions(session, [made])
        event = OwnershipEvent(
            event_id=new_id(when),
            lead_id=made.lead_id,
            kind=OwnershipKind.ASSIGNED,
            owner=made.rep_id,
            previous_owner=None,
            decision_id=made.decision_id,
            cause="given",
            actor="x",
            happened_at=when,
        )
        add_ownership_events(session, [event])

    def is_called(self, session: WriteSession, when: datetime) -> None:
        record_activity(
            session,
            Activity(
                event_id=self.event_id(),
                kind=ActivityKind.CALL,
                lead_id=self.lead(),
                rep_id=self.rep(),
                happened_at=when,
                recorded_at=when,
            ),
        )

    def closes(self, session: WriteSession, when: datetime) -> None:
        record_outcome(
            session,
            Outcome(
                event_id=self.event_id(),
                lead_id=self.lead(),
                decision_id=None,
                result=Result.WON if self.rng.random() < 0.5 else Result.LOST,
                closed_at=when,
                recorded_at=when,
                value=None,
            ),
        )

    def is_told_whose(self, session: WriteSession, when: datetime) -> None:
        customer = CustomerId(f"customer-{int(self.rng.integers(3))}")
        record = LeadRecord(lead_id=self.lead(), created_at=when, customer_id=customer)
        save_leads(session, [record])

    def is_merged(self, session: WriteSession, _: datetime) -> None:
        """One merge at a time, undone by the next one."""
        if self.merge_id is not None:
            undo_merge(session, self.merge_id, at=self.now, actor="x")
            self.merge_id = None
            return
        one, other = self.rng.permutation(len(self.leads))[:2].tolist()
        made = merge(
            session,
            RecordKind.LEAD,
            self.leads[one],
            self.leads[other],
            at=self.now,
            actor="x",
            cause="y",
        )
        self.merge_id = made.merge_id


DEEDS: Sequence[Callable[[Office, WriteSession, datetime], None]] = (
    *(Office.comes, Office.changes, Office.is_called, Office.is_given) * 3,
    *(Office.closes, Office.is_told_whose, Office.is_merged),
)


def rows(frame: pd.DataFrame) -> list[tuple[object, ...]]:
    """Every row as text, in an order of its own."""
    plain = frame.astype("str")
    return sorted(plain.itertuples(index=False, name=None))


def known(history: History) -> Known:
    return Known.of(history, RECIPE)


def columns_of(known: Known) -> dict[str, np.ndarray[tuple[int], np.dtype[np.float32]]]:
    """Lead columns of every decision, as of the decision."""
    decisions = known.own.decisions
    found = lead_rows(known, decisions.lead, decisions.decided_at)
    return dict(zip(decisions.ids, found, strict=True))


@pytest.mark.parametrize("seed", range(4))
def test_a_kept_history_is_the_one_that_was_read_anew(store: Store, seed: int) -> None:
    add_tenant(store)
    office = Office(store, seed)
    kept: KeptHistory | None = None
    before: dict[str, np.ndarray[tuple[int], np.dtype[np.float32]]] = {}
    n_stood = 0
    for _ in range(8):
        office.does()
        with store.read(ACME) as session:
            kept = read_kept(session, kept, at=office.now)
            anew = History.of(read_history(session))
        history = History.of(kept.tables)

        for name in TABLES:
            assert rows(getattr(history, name)) == rows(getattr(anew, name)), name
        columns = columns_of(known(history))
        for decision_id, row in columns_of(known(anew)).items():
            np.testing.assert_array_equal(columns[decision_id], row)
        # What stands is not worked out again: it has to be what it was.
        stands = kept.stands_until
        if stands is not None:
            decisions = known(history).own.decisions
            old = decisions.decided_at < instant(pd.Timestamp(stands))
            for decision_id in decisions.ids[old]:
                np.testing.assert_array_equal(columns[decision_id], before[decision_id])
                n_stood += 1
        before = columns
    assert n_stood > 0


def test_what_is_kept_is_not_read_again(store: Store) -> None:
    add_tenant(store)
    office = Office(store, 1)
    office.now += timedelta(hours=1)
    with store.read(ACME) as session:
        kept = read_kept(session, None, at=office.now)
        again = read_kept(session, kept, at=office.now)

    assert kept.stands_until is None
    assert again.stands_until == office.now


def test_another_rate_lets_nothing_stand(store: Store) -> None:
    add_tenant(store)
    office = Office(store, 1)
    office.now += timedelta(hours=1)
    with store.read(ACME) as session:
        kept = read_kept(session, None, at=office.now)
    rate = Rate(
        from_currency="EUR",
        to_currency="USD",
        day=office.now.date(),
        rate=Decimal("1.1"),
    )
    with store.write(ACME) as session:
        save_rates(session, [rate])

    with store.read(ACME) as session:
        assert read_kept(session, kept, at=office.now).stands_until is None
