"""Whatever people and the clock do to pools, the store agrees with plain Python."""

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from rightrep.domain.lead import LeadKind
from rightrep.domain.outcome import Outcome, Result
from rightrep.domain.pools import Counting
from rightrep.domain.rep import Leave, Rep, RepAttributes
from rightrep.errors import CapacityReached, NotClaimable, RightRepError
from rightrep.store.engine import Store
from rightrep.store.outcomes import record_outcome
from rightrep.store.projection import rebuild_projection
from rightrep.store.public_pools import claims_on
from rightrep.store.reps import roster, upsert_reps
from serving.usecases.pool_views import coming_drops
from tests.contract.test_store_ownership import projection
from tests.pool_parts import BERLIN, START, Sales, sales

N_LEADS, N_REPS = 6, 3
TICKETS = range(4, N_LEADS)
HOLDING, CLAIMS = 3, 2
FRESH = timedelta(minutes=30)
FOLLOW_UP, WIN, COOL_DOWN = 2, 5, 1
LEAD, REP = st.integers(0, N_LEADS - 1), st.integers(0, N_REPS - 1)
BATCH = st.lists(LEAD, min_size=1, max_size=3, unique=True)
NUMBERS = itertools.count()


@dataclass
class Model:
    """Who has what since when, in plain Python.

    Leads 0 and 1 are in the pool "east", which is open to rep 0 alone; lead 2 is of
    grade A, which is protected for ever; leads 4 and 5 are work orders.
    """

    counting: Counting
    now: datetime = START
    owner: dict[int, int] = field(default_factory=dict)
    received: dict[int, datetime] = field(default_factory=dict)
    touched: dict[int, datetime] = field(default_factory=dict)
    entered: dict[int, datetime] = field(
        default_factory=lambda: dict.fromkeys(range(N_LEADS), START)
    )
    lost: dict[tuple[int, int], datetime] = field(default_factory=dict)
    locked: set[int] = field(default_factory=set)
    closed: set[int] = field(default_factory=set)
    away: dict[int, tuple[date, date]] = field(default_factory=dict)
    claims: Counter[tuple[int, date, str]] = field(default_factory=Counter)

    @property
    def today(self) -> date:
        """The tenant's day."""
        return self.now.astimezone(ZoneInfo(BERLIN)).date()

    @staticmethod
    def pool(lead: int) -> str:
        """The public pool of a lead."""
        if lead in TICKETS:
            return "tickets"
        return "east" if lead < 2 else "common"

    def end(self, since: datetime, days: int) -> datetime:
        """When days are over."""
        if self.counting is Counting.HOURS:
            return since + timedelta(hours=24 * days)
        last = since.astimezone(ZoneInfo(BERLIN)).date() + timedelta(days=days + 1)
        return datetime.combine(last, time(), ZoneInfo(BERLIN))

    def held(self, rep: int, among: range = range(N_LEADS)) -> int:
        """Open leads of a rep, work orders among them."""
        mine = (k for k, o in self.owner.items() if o == rep and k not in self.closed)
        return sum(lead in among for lead in mine)

    def is_away(self, rep: int) -> bool:
        """Whether the rep is on leave."""
        first, last = self.away.get(rep, (date.max, date.min))
        return first <= self.today <= last

    def obstacle(self, lead: int, rep: int) -> str | None:
        """Why a rep cannot claim a lead."""
        if lead in self.owner:
            return "owned"
        if lead in self.closed:
            return "closed"
        if self.pool(lead) == "east" and rep != 0:
            return "pool"
        lost = self.lost.get((lead, rep))
        if lost is not None and self.now < self.end(lost, COOL_DOWN):
            return "cool_down"
        return "fresh" if self.now < self.entered[lead] + FRESH else None

    def claim(self, leads: list[int], rep: int, *, atomic: bool) -> str | list[str]:
        """The refusal, or what comes back of the batch."""
        if self.is_away(rep):
            return "Conflict"
        found = [self.obstacle(lead, rep) for lead in leads]
        if any(found) and (atomic or len(leads) == 1):
            return f"NotClaimable {next(filter(None, found))}"
        free = [lead for lead, why in zip(leads, found, strict=True) if why is None]
        if free and self.held(rep) + len(free) > HOLDING:
            return "CapacityReached holding"
        wanted = Counter((rep, self.today, self.pool(lead)) for lead in free)
        if any(self.claims[key] + n > CLAIMS for key, n in wanted.items()):
            return "CapacityReached claims"
        self.claims += wanted
        for lead in free:
            self.give(lead, rep)
        return [why for why in found if why is not None]

    def by_hand(self, lead: int, rep: int, *, is_owned: bool) -> str | None:
        """The refusal of an assignment or a transfer; None when it is done."""
        if self.is_away(rep):
            return "Conflict"
        if is_owned and lead not in self.owner:
            return "Conflict"
        if self.owner.get(lead, rep if is_owned else None) == rep:
            return "AlreadyOwned"
        if not is_owned and lead in self.owner:
            return "AlreadyOwned"
        counts = not is_owned or lead not in self.closed
        if counts and self.held(rep) >= HOLDING:
            return "CapacityReached holding"
        if is_owned:
            self.lost[lead, self.owner[lead]] = self.now
        else:
            self.closed.discard(lead)  # who has it again counts it again
        self.give(lead, rep)
        return None

    def give(self, lead: int, rep: int) -> None:
        """A rep gets a lead."""
        self.owner[lead] = rep
        self.received[lead] = self.now

    def back(self, lead: int) -> None:
        """A lead goes back to its public pool."""
        self.lost[lead, self.owner.pop(lead)] = self.now
        self.entered[lead] = self.now

    def drops_at(self, lead: int) -> datetime | None:
        """When a lead drops back if nothing happens."""
        is_open = lead in self.owner and lead not in self.closed
        if not is_open or lead in self.locked or lead == 2:
            return None
        received = self.received[lead]
        touched = max(received, self.touched.get(lead, received))
        return min(self.end(touched, FOLLOW_UP), self.end(received, WIN))

    def due(self, until: datetime) -> dict[int, datetime]:
        """Leads that drop at or before an instant."""
        ends = {lead: self.drops_at(lead) for lead in range(N_LEADS)}
        return {lead: at for lead, at in ends.items() if at is not None and at <= until}


class Pools(RuleBasedStateMachine):
    """The store beside the model; each run is a tenant of its own."""

    store: Store
    home: Path
    steps = 0

    @initialize(counting=st.sampled_from(Counting))
    def begin(self, counting: Counting) -> None:
        self.shop: Sales = sales(
            self.store, self.home, tenant_id=f"tenant-{next(NUMBERS)}"
        )
        self.model = Model(counting)
        rules: dict[str, Any] = {
            "counting": counting.value,
            "protection": {"follow_up_days": FOLLOW_UP, "win_days": WIN},
            "grades": {"A": {}},
            "holding_limit": HOLDING,
            "claims_per_day": CLAIMS,
            "fresh_hours": FRESH.total_seconds() / 3600,
            "cool_down_days": COOL_DOWN,
        }
        self.shop.set_pool(**rules)
        self.shop.set_pool("east", leads={"region": ["East"]}, teams=["red"], **rules)
        self.shop.add_leads(2, region="East")
        self.shop.add_leads(1, grade="A")
        self.shop.set_pool("tickets", **rules)
        self.shop.add_leads(TICKETS.start - 3)
        self.shop.add_leads(len(TICKETS), LeadKind.TICKET, region="East")
        self.shop.add_reps(1, team="red")
        self.shop.add_reps(N_REPS - 1, team="blue")
        self.tick(hours=1)

    def tick(self, **span: float) -> None:
        self.shop.wait(**(span or {"minutes": 20}))
        self.model.now = self.shop.now
        type(self).steps += 1

    def outcome_of(self, act: "Iterator[object]") -> object:
        """What a call gives, or the name of what it raises."""
        try:
            return next(act)
        except CapacityReached as refused:
            return f"CapacityReached {refused.limit}"
        except NotClaimable as refused:
            return f"NotClaimable {refused.obstacle}"
        except RightRepError as refused:
            return type(refused).__name__

    @rule(leads=BATCH, rep=REP, atomic=st.booleans())
    def claim_some(self, leads: list[int], rep: int, atomic: bool) -> None:
        self.claim(leads, rep, atomic=atomic)

    def claim(self, leads: list[int], rep: int, *, atomic: bool) -> None:
        self.tick()

        def act() -> Iterator[object]:
            wanted = [self.shop.leads[lead] for lead in leads]
            done = self.shop.claim(self.shop.reps[rep], *wanted, atomic=atomic)
            yield [one.obstacle.value for one in done.left_out]

        expected = self.model.claim(leads, rep, atomic=atomic)
        assert self.outcome_of(act()) == expected

    @rule(lead=LEAD, rep=REP)
    def claim_one(self, lead: int, rep: int) -> None:
        """Most claims are of one lead."""
        self.claim([lead], rep, atomic=False)

    @rule(lead=LEAD, order=st.permutations(range(N_REPS)))
    def pass_round(self, lead: int, order: list[int]) -> None:
        """Reps take a lead and give it back, one after the other."""
        for rep in order:
            self.claim([lead], rep, atomic=False)
            self.drop(lead, rep)
            self.tick()

    @rule(lead=LEAD, rep=st.none() | REP)
    def drop(self, lead: int, rep: int | None) -> None:
        self.tick()
        owner = self.model.owner.get(lead)
        may = owner is not None and rep in (None, owner)

        def act() -> Iterator[object]:
            by = None if rep is None else self.shop.reps[rep]
            self.shop.drop(self.shop.leads[lead], by)
            yield None

        if may and lead not in self.model.locked:
            assert self.outcome_of(act()) is None
            self.model.back(lead)
        else:
            assert self.outcome_of(act()) == "Conflict"

    @rule(lead=LEAD, rep=REP, is_owned=st.booleans())
    def by_hand(self, lead: int, rep: int, is_owned: bool) -> None:
        self.tick()

        def act() -> Iterator[object]:
            do = self.shop.transfer if is_owned else self.shop.assign
            do(self.shop.leads[lead], self.shop.reps[rep])
            yield None

        expected = self.model.by_hand(lead, rep, is_owned=is_owned)
        assert self.outcome_of(act()) == expected

    @rule(lead=LEAD, rep=REP)
    def follow_up(self, lead: int, rep: int) -> None:
        self.tick()
        self.shop.follow_up(self.shop.leads[lead], self.shop.reps[rep])
        self.model.touched[lead] = self.model.now

    @rule(lead=LEAD)
    def lock(self, lead: int) -> None:
        self.tick()

        def act() -> Iterator[object]:
            self.shop.lock(self.shop.leads[lead])
            yield None

        if lead in self.model.owner:
            assert self.outcome_of(act()) is None
            self.model.locked.add(lead)
        else:
            assert self.outcome_of(act()) == "Conflict"

    @rule(lead=LEAD)
    def unlock(self, lead: int) -> None:
        self.tick()
        self.shop.unlock(self.shop.leads[lead])
        self.model.locked.discard(lead)

    @precondition(lambda self: len(self.model.closed) < 2)
    @rule(lead=LEAD)
    def lose(self, lead: int) -> None:
        """A lead is closed; while its owner keeps it, it no longer counts."""
        if lead not in self.model.owner or lead in self.model.closed:
            return
        self.tick()
        told = Outcome(
            event_id=f"lost at {self.model.now.isoformat()}",
            lead_id=self.shop.leads[lead],
            decision_id=None,
            result=Result.UNRESOLVED if lead in TICKETS else Result.LOST,
            closed_at=self.model.now,
            recorded_at=self.model.now,
        )
        with self.shop.write() as session:
            record_outcome(session, told)
        self.model.closed.add(lead)

    @rule(days=st.integers(0, 2))
    def leave(self, days: int) -> None:
        """The last rep is away from today on, or back."""
        self.tick()
        rep = N_REPS - 1
        today = self.model.today
        away = (today, today + timedelta(days=days - 1))
        known = RepAttributes(team="blue", leave=(Leave(*away),) if days else ())
        told = Rep(
            rep_id=self.shop.reps[rep],
            name="Rep",
            created_at=START,
            attributes=known,
        )
        with self.shop.write() as session:
            upsert_reps(session, [told], at=self.model.now)
        self.model.away[rep] = away
        self.tick()

    @rule(hours=st.sampled_from([1, 3, 10, 24, 40]))
    def wait(self, hours: int) -> None:
        self.tick(hours=hours)

    @rule(times=st.integers(1, 2))
    def recycle(self, times: int) -> None:
        """The clock strikes, perhaps twice."""
        self.tick()
        due = self.model.due(self.model.now)
        dropped = [self.shop.recycle().dropped for _ in range(times)]
        assert dropped == [len(due), 0][:times]
        for lead in due:
            self.model.back(lead)

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "model"):
            return
        leads, reps = self.shop.leads, self.shop.reps
        with self.shop.read() as session:
            entries = roster(session, as_of=self.model.now, local_day=self.model.today)
            apart = roster(
                session,
                as_of=self.model.now,
                local_day=self.model.today,
                only=LeadKind.TICKET,
            )
            claims = [claims_on(session, rep, self.model.today, BERLIN) for rep in reps]
            coming = coming_drops(session, reps, at=self.model.now, days=1)
        held = {entry.rep_id: entry.held for entry in entries}
        assert self.shop.owners() == {
            leads[lead]: reps[rep] for lead, rep in self.model.owner.items()
        }
        assert [held[rep] for rep in reps] == [
            self.model.held(rep) for rep in range(N_REPS)
        ]
        assert max(held.values()) <= HOLDING
        tickets = {entry.rep_id: entry.held for entry in apart}
        assert [tickets[rep] for rep in reps] == [
            self.model.held(rep, TICKETS) for rep in range(N_REPS)
        ]
        for rep, of_pool in enumerate(claims):
            for pool in ("east", "tickets", "common"):
                told = self.model.claims[rep, self.model.today, pool]
                assert of_pool.get(pool, 0) == told <= CLAIMS
        horizon = self.model.end(self.model.now, 1)
        assert {drop.lead_id: drop.drops_at for drop in coming} == {
            leads[lead]: at for lead, at in self.model.due(horizon).items()
        }

    def teardown(self) -> None:
        if not hasattr(self, "shop"):
            return
        with self.shop.write() as session:
            written = projection(session)
            rebuild_projection(session)
            assert projection(session) == written


def test_the_store_agrees_with_plain_python(store: Store, tmp_path: Path) -> None:
    class Machine(Pools):
        """The machine on this store."""

    Machine.store, Machine.home = store, tmp_path
    run_state_machine_as_test(
        Machine, settings=settings(max_examples=12, stateful_step_count=30)
    )
    assert Machine.steps > 100
