"""One of several processes that want the same leads and reps; see test_store_races.

python -m tests.contract.store_racer URL SEED HOLDING INTAKE MODE
"""

import json
import sys
from collections import Counter
from dataclasses import replace

import numpy as np

from rightrep.domain.decision import Decision
from rightrep.domain.ids import LeadId, RepId
from rightrep.domain.lottery import lottery_draw
from rightrep.domain.ownership import OwnershipKind
from rightrep.domain.slots import ArmKey, SlotPart, SlotSplit
from rightrep.errors import AlreadyOwned, CapacityReached, Conflict
from rightrep.store.bulk import open_leads
from rightrep.store.capacity import Limits, take_lead, take_leads
from rightrep.store.engine import Store
from rightrep.store.ownership import get_owners, release_lead
from rightrep.store.reps import list_reps
from tests.store_records import ACME, TODAY, at, decision

STEPS = 40

SPLIT = SlotSplit(
    tuple(SlotPart(0.5, (ArmKey("spring", arm),)) for arm in ("control", "treatment")),
    "salt",
)
"""How slots are shared in the mode of arms."""


def by_arm(made: Decision) -> Decision:
    """The decision as the arm of its lead makes it."""
    even = lottery_draw(made.lead_id, "spring") < 0.5
    return replace(made, experiment="spring", arm="control" if even else "treatment")


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
            self.leads = open_leads(session, as_of=at(0))["lead_id"].to_pylist()
            self.reps = [rep.rep_id for rep in list_reps(session, as_of=at(0))]

    def decision(self, lead_id: LeadId, rep_id: RepId) -> Decision:
        """A decision, by the lead's arm where slots are shared."""
        made = decision(lead_id, rep_id)
        return made if self.split is None else by_arm(made)

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
        made = [
            self.decision(lead_id, RepId(str(self.rng.choice(self.reps))))
            for lead_id in some
        ]
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

    def give_back(self) -> None:
        """A lead that somebody has goes back, or to another rep."""
        lead_id = LeadId(str(self.rng.choice(self.leads)))
        with self.store.read(ACME) as session:
            owners = get_owners(session, [lead_id])
        if lead_id not in owners:
            return
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
    """Race, then say how often what happened."""
    split = SPLIT if mode == "arms" else None
    racer = Racer(url, int(seed), Limits(int(holding), int(intake)), split)
    moves = [racer.take, racer.plan]
    if mode == "back and forth":
        moves += [racer.give_back, racer.give_back]
    for _ in range(STEPS):
        moves[racer.rng.integers(len(moves))]()
    racer.store.close()
    sys.stdout.write(json.dumps(racer.done))


if __name__ == "__main__":
    main(*sys.argv[1:])
