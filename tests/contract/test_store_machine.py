"""Whatever happens to leads, in whatever order, the store agrees with plain Python."""

import itertools
from collections import Counter
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from rightrep.domain.ids import LeadId, RepId, TenantId
from rightrep.domain.ownership import OwnershipKind
from rightrep.errors import AlreadyOwned, CapacityReached, Conflict
from rightrep.store.aliases import RecordKind
from rightrep.store.capacity import Limits, take_lead, take_leads
from rightrep.store.engine import Store
from rightrep.store.merges import merge, undo_merge
from rightrep.store.ownership import (
    close_leads,
    get_owners,
    release_lead,
    set_owners,
)
from rightrep.store.reps import roster
from tests.store_records import TODAY, add_leads, add_reps, at, decision

N_LEADS, N_REPS = 6, 3
LIMITS = Limits(holding=2, intake_per_day=3)
LEAD, REP = st.integers(0, N_LEADS - 1), st.integers(0, N_REPS - 1)
GIVEN_BACK = st.sampled_from(
    [OwnershipKind.DECLINED, OwnershipKind.DROPPED, OwnershipKind.RECYCLED]
)
NUMBERS = itertools.count()


class Model:
    """Who has what, in plain Python."""

    def __init__(self) -> None:
        self.owner: dict[int, int] = {}
        self.closed: set[int] = set()
        self.counted: set[int] = set()  # leads whose owner's intake of today they used
        self.taken: Counter[int] = Counter()

    def held(self, rep: int) -> int:
        """Open leads of a rep."""
        return sum(
            owner == rep and lead not in self.closed
            for lead, owner in self.owner.items()
        )

    def refusal(self, lead: int, rep: int) -> type[Exception] | None:
        """Why a rep cannot take a lead."""
        if lead in self.owner:
            return AlreadyOwned
        full = self.held(rep) >= 2 or self.taken[rep] >= 3
        return CapacityReached if full else None

    def give(self, lead: int, rep: int, *, counts: bool) -> None:
        """A rep gets a lead; a closed lead stays closed when it changes hands."""
        if lead not in self.owner:
            self.closed.discard(lead)
        self.owner[lead] = rep
        self.counted.discard(lead)
        if counts:
            self.counted.add(lead)
            self.taken[rep] += 1

    def take_away(self, lead: int, *, gives_back: bool) -> None:
        """Nobody has a lead any more."""
        rep = self.owner.pop(lead, None)
        if rep is not None and gives_back and lead in self.counted:
            self.taken[rep] -= 1
        self.counted.discard(lead)


class Ownership(RuleBasedStateMachine):
    """The store beside the model; each run is a tenant of its own."""

    store: Store

    @initialize()
    def begin(self) -> None:
        self.tenant = TenantId(f"tenant-{next(NUMBERS)}")
        self.model = Model()
        self.clock = 0.0
        self.merge_id: str | None = None
        with self.store.write(self.tenant) as session:
            self.leads = add_leads(session, N_LEADS)
            self.reps = add_reps(session, N_REPS)

    def tick(self) -> Any:
        self.clock += 0.01
        return at(self.clock)

    @rule(lead=LEAD, rep=REP)
    def take(self, lead: int, rep: int) -> None:
        expected = self.model.refusal(lead, rep)
        made = decision(self.leads[lead], self.reps[rep], self.tick())
        got: type[Exception] | None = None
        try:
            with self.store.write(self.tenant) as session:
                take_lead(session, made, limits=LIMITS, local_day=TODAY)
        except Conflict as refused:
            got = type(refused)
        assert got is expected
        if expected is None:
            self.model.give(lead, rep, counts=True)

    @rule(pairs=st.lists(st.tuples(LEAD, REP), max_size=8))
    def plan(self, pairs: list[tuple[int, int]]) -> None:
        now = self.tick()
        made = [decision(self.leads[i], self.reps[j], now) for i, j in pairs]
        with self.store.write(self.tenant) as session:
            returned = take_leads(
                session, made, limits=dict.fromkeys(self.reps, LIMITS), local_day=TODAY
            )
        expected = []
        for lead, rep in pairs:
            why = self.model.refusal(lead, rep)
            if why is None:
                self.model.give(lead, rep, counts=True)
            else:
                expected.append(why)
        assert [type(back.why) for back in returned] == expected

    @rule(lead=LEAD, kind=GIVEN_BACK)
    def give_back(self, lead: int, kind: OwnershipKind) -> None:
        self.release(lead, kind)
        declined = kind is OwnershipKind.DECLINED
        self.model.take_away(lead, gives_back=declined)

    @rule(lead=LEAD, rep=REP)
    def override(self, lead: int, rep: int) -> None:
        self.release(
            lead, OwnershipKind.OVERRIDDEN, owner=self.reps[rep], local_day=TODAY
        )
        if self.model.owner.get(lead) == rep:
            return
        was_closed = lead in self.model.closed and lead in self.model.owner
        self.model.take_away(lead, gives_back=True)
        self.model.give(lead, rep, counts=True)
        if was_closed:
            self.model.closed.add(lead)

    @rule(lead=LEAD)
    def close(self, lead: int) -> None:
        with self.store.write(self.tenant) as session:
            freed = close_leads(
                session, {self.leads[lead]: self.tick()}, actor="x", cause="won"
            )
        is_open = lead in self.model.owner and lead not in self.model.closed
        assert freed == is_open
        if is_open:
            self.model.closed.add(lead)

    @rule(lead=LEAD, rep=st.none() | REP)
    def tell(self, lead: int, rep: int | None) -> None:
        owner = None if rep is None else self.reps[rep]
        with self.store.write(self.tenant) as session:
            set_owners(
                session, {self.leads[lead]: owner}, at=self.tick(), actor="x", cause="y"
            )
        if rep is None:
            self.model.take_away(lead, gives_back=False)
        elif self.model.owner.get(lead) != rep:
            self.model.give(lead, rep, counts=False)

    @rule(pair=st.permutations(range(N_LEADS)))
    def merge_and_undo(self, pair: list[int]) -> None:
        """A merge that is undone at once leaves owners and load as they were."""
        ids = [self.leads[k] for k in pair[:2]]
        try:
            with self.store.write(self.tenant) as session:
                made = merge(
                    session, RecordKind.LEAD, *ids, at=self.tick(), actor="x", cause="y"
                )
        except Conflict:
            assert {self.model.owner[k] for k in pair[:2]} > {self.model.owner[pair[0]]}
            return
        with self.store.write(self.tenant) as session:
            undo_merge(session, made.merge_id, at=self.tick(), actor="x")
        if pair[0] in self.model.owner:
            # The lead was free between: a refusal gives no day's intake back any more.
            self.model.counted.discard(pair[0])

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "model"):
            return
        with self.store.read(self.tenant) as session:
            owners = get_owners(session, self.leads)
            entries = roster(session, as_of=at(99), local_day=TODAY)
        assert {
            self.leads[lead]: (self.reps[rep], lead not in self.model.closed)
            for lead, rep in self.model.owner.items()
        } == {lead: (found.owner, found.holding) for lead, found in owners.items()}
        assert [(e.held, e.taken_today) for e in entries] == [
            (self.model.held(rep), self.model.taken[rep]) for rep in range(N_REPS)
        ]

    def release(
        self,
        lead: int,
        kind: OwnershipKind,
        **more: Any,
    ) -> None:
        with self.store.write(self.tenant) as session:
            release_lead(
                session,
                LeadId(self.leads[lead]),
                kind,
                at=self.tick(),
                actor="x",
                cause="y",
                **more,
            )


def test_the_store_agrees_with_plain_python(store: Store) -> None:
    machine = type("Machine", (Ownership,), {"store": store})
    run_state_machine_as_test(
        machine, settings=settings(max_examples=25, stateful_step_count=20)
    )


def test_reps_are_named_in_the_order_of_their_ids(store: Store) -> None:
    with store.write(TenantId("order")) as session:
        reps: list[RepId] = add_reps(session, 5)

        assert [e.rep_id for e in roster(session, as_of=at(1), local_day=TODAY)] == reps
