"""One of several processes that want the same leads and reps; see test_store_races.

    python -m tests.contract.store_racer URL SEED HOLDING INTAKE MODE

All begin when they are told to, with the same reps in the same order, each with leads
of its own: they meet at every one of them. Random moves follow; at the end everybody
offers every lead to every rep once, so that no slot stays open by luck, and every full
rep has refused somebody.
"""

import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rightrep.domain.decision import Decision
from rightrep.domain.ids import LeadId, RepId
from rightrep.domain.ownership import OwnershipKind
from rightrep.domain.slots import ArmKey, SlotPart, SlotSplit
from rightrep.errors import AlreadyOwned, CapacityReached, Conflict
from rightrep.store.bulk import open_leads
from rightrep.store.capacity import Limits, take_lead, take_leads
from rightrep.store.engine import Store
from rightrep.store.ownership import get_owners, release_lead
from rightrep.store.reps import list_reps
from tests.store_records import ACME, TODAY, at, decision

PROCESSES = 3
STEPS = 40

ARMS = ("control", "treatment")
SHARE = 0.4
"""Share of each arm that races; what is left is a third's, who takes nothing, so that
no rep is full before an arm is."""
SPLIT = SlotSplit(
    (
        *(SlotPart(SHARE, (ArmKey("spring", arm),)) for arm in ARMS),
        SlotPart(1 - 2 * SHARE, (ArmKey("holdout", "control"),)),
    ),
    "salt",
)
"""How slots are shared in the mode of arms."""


class Racer:
    """A server process in small."""

    def __init__(
        self, url: str, seed: int, limits: Limits, split: SlotSplit | None = None
    ) -> None:
        self.store = Store(url)
        self.rng = np.random.default_rng(seed)
        self.limits = limits
        self.split = split
        self.done: Counter[str] = Counter()
        with self.store.read(ACME) as session:
            self.leads = sorted(open_leads(session, as_of=at(0)))
            self.reps = sorted(rep.rep_id for rep in list_reps(session, as_of=at(0)))

    def decision(self, lead_id: LeadId, rep_id: RepId) -> Decision:
        """A decision, by the lead's arm where slots are shared: every other lead's."""
        made = decision(lead_id, rep_id)
        if self.split is None:
            return made
        arm = ARMS[self.leads.index(lead_id) % len(ARMS)]
        return replace(made, experiment="spring", arm=arm)

    def take(self) -> None:
        """One lead for the first of three reps who has a slot."""
        lead_id = LeadId(str(self.rng.choice(self.leads)))
        with self.store.write(ACME) as session:
            for rep in self.rng.permutation(self.reps)[:3]:
                made = self.decision(lead_id, RepId(str(rep)))
                try:
                    take_lead(
                        session,
                        made,
                        limits=self.limits,
                        local_day=TODAY,
                        split=self.split,
                    )
                except CapacityReached as full:
                    self.done[full.limit] += 1
                except AlreadyOwned:
                    self.done["owned"] += 1
                    return
                else:
                    self.done["taken"] += 1
                    return

    def plan(self) -> None:
        """Ten leads at once, in no order."""
        some = [LeadId(str(x)) for x in self.rng.permutation(self.leads)[:10]]
        self.commit(
            [
                self.decision(lead_id, RepId(str(self.rng.choice(self.reps))))
                for lead_id in some
            ]
        )

    def rush(self, seed: int) -> None:
        """All leads of our own to each of half the reps, as the others do with theirs.

        Whoever counts before the rep is locked counts what the others have not given.
        """
        mine = self.leads[seed::PROCESSES]
        for rep_id in self.reps[: len(self.reps) // 2]:
            self.commit([self.decision(lead_id, rep_id) for lead_id in mine])

    def offer_everything(self) -> None:
        """Every lead to every rep, in no order of reps."""
        for rep in self.rng.permutation(self.reps):
            self.commit([self.decision(x, RepId(str(rep))) for x in self.leads])

    def commit(self, made: Sequence[Decision]) -> None:
        """What can be carried out of a plan."""
        with self.store.write(ACME) as session:
            returned = take_leads(
                session,
                made,
                limits=dict.fromkeys(self.reps, self.limits),
                local_day=TODAY,
                split=self.split,
            )
        self.done["taken"] += len(made) - len(returned)
        self.done["returned"] += len(returned)
        for one in returned:
            if isinstance(one.why, CapacityReached):
                self.done[one.why.limit] += 1

    def give_back(self) -> None:
        """A lead that somebody has goes back."""
        with self.store.read(ACME) as session:
            owners = get_owners(session, self.leads)
        if not owners:
            return
        lead_id = LeadId(str(self.rng.choice(sorted(owners))))
        kinds = (OwnershipKind.DECLINED, OwnershipKind.DROPPED, OwnershipKind.CLOSED)
        kind = kinds[self.rng.integers(3)]
        try:
            with self.store.write(ACME) as session:
                release_lead(
                    session,
                    lead_id,
                    kind,
                    at=at(1),
                    actor="racer",
                    cause="race",
                    held_by=owners[lead_id].owner,
                )
        except Conflict:
            self.done["late"] += 1
        else:
            self.done["given back"] += 1


def main(url: str, seed: str, holding: str, intake: str, mode: str) -> None:
    """Race when told to, then say how often what happened."""
    split = SPLIT if mode == "arms" else None
    racer = Racer(url, int(seed), Limits(int(holding), int(intake)), split)
    moves = [racer.take, racer.plan]
    if mode == "back and forth":
        moves += [racer.give_back, racer.give_back]
    print("ready", flush=True)
    sys.stdin.readline()
    racer.rush(int(seed))
    for _ in range(STEPS):
        moves[racer.rng.integers(len(moves))]()
    racer.offer_everything()
    if mode == "back and forth":
        racer.give_back()
    racer.store.close()
    print(json.dumps(racer.done))


if __name__ == "__main__":
    main(*sys.argv[1:])
