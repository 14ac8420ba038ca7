"""Merges and their undoing, in any order, by any number of processes."""

import random
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rightrep.domain.ids import LeadId, RepId
from rightrep.domain.ownership import OwnershipKind
from rightrep.errors import Conflict, InvalidInput
from rightrep.store.aliases import RecordKind, resolve
from rightrep.store.engine import Store
from rightrep.store.merges import Merge, list_merges, merge, undo_merge
from rightrep.store.ownership import get_owners, release_lead, set_owners
from rightrep.store.projection import rebuild_projection
from rightrep.store.reps import roster
from tests.contract.test_store_ownership import projection
from tests.store_records import ACME, TODAY, add_leads, add_reps, add_tenant, at
from tests.threads import at_once

LEAD = RecordKind.LEAD
N = 5


class Book:
    """Five leads, two reps, and a clock that only goes on."""

    def __init__(self, store: Store, owners: list[int | None]) -> None:
        self.store, self.hours = store, 0.0
        with store.write(ACME) as session:
            self.leads = add_leads(session, N)
            self.reps = add_reps(session, 2)
            wanted: dict[LeadId, RepId | None] = {
                lead: self.reps[k]
                for lead, k in zip(self.leads, owners, strict=True)
                if k is not None
            }
            set_owners(session, wanted, at=at(0), actor="x", cause="told")

    def tick(self) -> float:
        self.hours += 1
        return self.hours

    def merge(self, one: int, other: int) -> Merge | None:
        try:
            with self.store.write(ACME) as session:
                return merge(
                    session,
                    LEAD,
                    self.leads[one],
                    self.leads[other],
                    at=at(self.tick()),
                    actor="x",
                    cause="y",
                )
        except (Conflict, InvalidInput):
            return None

    def undo(self, made: Merge) -> None:
        with self.store.write(ACME) as session:
            undo_merge(session, made.merge_id, at=at(self.tick()), actor="x")

    def owners(self) -> list[RepId | None]:
        with self.store.read(ACME) as session:
            found = get_owners(session, self.leads)
        return [found[x].owner if x in found else None for x in self.leads]

    def roots(self) -> list[int]:
        with self.store.read(ACME) as session:
            return [
                self.leads.index(LeadId(resolve(session, LEAD, lead)))
                for lead in self.leads
            ]

    def held(self) -> list[int]:
        with self.store.read(ACME) as session:
            entries = roster(session, as_of=at(self.hours), local_day=TODAY)
        return [entry.held for entry in entries if entry.rep_id in self.reps]


@pytest.fixture
def tenant(store: Store) -> Store:
    add_tenant(store)
    return store


@settings(max_examples=25)
@given(
    owners=st.lists(st.sampled_from([None, 0, 1]), min_size=N, max_size=N),
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("merge"), st.integers(0, N - 1), st.integers(0, N - 1)),
            st.tuples(st.just("undo"), st.integers(0, 9), st.just(0)),
        ),
        max_size=12,
    ),
    ending=st.randoms(use_true_random=False),
)
def test_any_order_of_merges_and_undos_keeps_owners_and_ends_where_it_began(
    tenant: Store,
    owners: list[int | None],
    steps: list[tuple[str, int, int]],
    ending: random.Random,
) -> None:
    book = Book(tenant, owners)
    first, held = book.owners(), book.held()
    standing: list[Merge] = []
    for what, one, other in steps:
        if what == "merge" and (made := book.merge(one, other)):
            standing.append(made)
        elif what == "undo" and one < len(standing):
            book.undo(standing.pop(one))
        roots, now = book.roots(), book.owners()
        for k in range(N):
            said = {first[j] for j in range(N) if roots[j] == k} - {None}
            assert len(said) <= 1, "two owners became one"
            assert now[k] == (said.pop() if said else None)
        assert sum(book.held()) == len({roots[k] for k in range(N) if first[k]})
    ending.shuffle(standing)
    for made in standing:
        book.undo(made)

    assert (book.owners(), book.held()) == (first, held)
    with tenant.write(ACME) as session:
        written = projection(session)
        rebuild_projection(session)
        assert projection(session) == written


def test_what_happened_after_a_merge_stands_when_it_is_undone(tenant: Store) -> None:
    book = Book(tenant, [0, None, None, None, None])
    made = book.merge(0, 1)
    assert made is not None
    with tenant.write(ACME) as session:
        release_lead(
            session,
            book.leads[1],
            OwnershipKind.TRANSFERRED,
            owner=book.reps[1],
            at=at(book.tick()),
            actor="x",
            cause="handover",
        )

    book.undo(made)

    assert book.owners()[:2] == [book.reps[0], book.reps[1]]
    assert book.held() == [1, 1]


def test_a_lead_given_back_after_a_merge_is_nobodys_until_the_merge_is_undone(
    tenant: Store,
) -> None:
    book = Book(tenant, [0, None, None, None, None])
    made = book.merge(0, 1)
    assert made is not None
    with tenant.write(ACME) as session:
        release_lead(
            session,
            book.leads[1],
            OwnershipKind.DROPPED,
            at=at(book.tick()),
            actor="x",
            cause="dropped",
        )
    assert book.owners()[:2] == [None, None]

    book.undo(made)

    assert book.owners()[:2] == [book.reps[0], None]


def test_leads_of_two_owners_are_not_merged(tenant: Store) -> None:
    book = Book(tenant, [0, 1, None, None, None])

    assert book.merge(0, 1) is None
    assert book.owners()[:2] == book.reps


def test_of_many_who_merge_one_pair_at_once_one_wins(tenant: Store) -> None:
    book = Book(tenant, [0, None, None, None, None])

    made: list[Merge | None] = []

    at_once(
        *[
            lambda: made.append(book.merge(0, 1)),
            lambda: made.append(book.merge(1, 0)),
        ]
        * 3
    )

    assert len([one for one in made if one is not None]) == 1
    with tenant.read(ACME) as session:
        assert len(list_merges(session, LEAD)) == 1
    assert sum(owner is not None for owner in book.owners()) == 1


def test_of_two_processes_that_merge_the_same_pair_one_wins(tenant: Store) -> None:
    book = Book(tenant, [0, None, None, None, None])
    url = tenant.url.render_as_string(hide_password=False)
    command = [
        sys.executable, "-m", "tests.contract.merge_racer", url, *book.leads[:2],
    ]  # fmt: skip

    racers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == b"ready\n"
    said = [racer.communicate(b"go\n")[0] for racer in racers]

    assert sorted(said) == [b"lost\n", b"won\n"]
    with tenant.read(ACME) as session:
        assert len(list_merges(session, LEAD)) == 1
