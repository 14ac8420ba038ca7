"""One of several processes that claim, drop, follow up and recycle the same leads.

    python -m tests.crash.pool_racer URL SEED STEPS THREADS MODE

In mode ``claim`` everybody only claims; in ``both ways`` leads come back as well, and
some processes are the clock. Each thread is one client. What happened is printed as
JSON; ``forgotten`` counts follow-ups that were acknowledged in time and did not keep
their lead.
"""

import json
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from pydantic import SecretStr

from rightrep.clock import FixedClock
from rightrep.domain.activity import Activity, ActivityKind
from rightrep.domain.ids import LeadId, RepId, TenantId, new_id
from rightrep.errors import CapacityReached, Conflict, StoreUnavailable
from rightrep.settings import Settings
from rightrep.store import activities, ownership, reps
from rightrep.store.engine import Store
from rightrep.store.public_pools import free_leads
from serving.usecases import pools
from serving.usecases.context import Context
from serving.usecases.pool_claims import claim
from serving.usecases.pool_recycling import recycle
from tests.pool_parts import START

TENANT = TenantId("acme")
LATER = START + timedelta(days=1)
"""When the race is run: leads owned since ``START`` are due."""


class Client:
    """One rep's browser, or the clock."""

    def __init__(self, context: Context, seed: int, mode: str) -> None:
        self.context = context
        self.rng = np.random.default_rng(seed)
        self.mode = mode
        self.done: Counter[str] = Counter()
        with context.store.read(TENANT) as session:
            self.leads = [lead for page in free_leads(session) for lead in page]
            self.reps = [r.rep_id for r in reps.list_reps(session, as_of=self.now)]
            held = [ownership.leads_of(session, rep_id) for rep_id in self.reps]
        self.leads = sorted({*self.leads, *(o.lead_id for own in held for o in own)})

    @property
    def now(self) -> datetime:
        """The time of the race."""
        return self.context.clock.now()

    def run(self, steps: int) -> None:
        """Do so many things."""
        moves = [self.claim]
        if self.mode == "both ways":
            moves += [self.claim, self.drop, self.follow_up, self.follow_up]
            moves += [self.recycle] * int(self.rng.integers(4) == 0)
        for _ in range(steps):
            try:
                moves[self.rng.integers(len(moves))]()
            except StoreUnavailable:
                self.done["waited too long"] += 1

    def claim(self) -> None:
        """Up to four leads for some rep."""
        rep = RepId(str(self.rng.choice(self.reps)))
        some = self.rng.choice(self.leads, int(self.rng.integers(1, 5)), replace=False)
        wanted = [LeadId(str(lead)) for lead in some]
        atomic = bool(self.rng.integers(4) == 0)
        self.done["claims"] += 1
        try:
            with self.context.store.write(TENANT) as session:
                got = claim(
                    session, rep, wanted, at=self.now, actor="racer", atomic=atomic
                )
        except CapacityReached as full:
            self.done[f"refused: {full.limit}"] += 1
        except Conflict:
            self.done["refused: taken"] += 1
        else:
            self.done["claimed"] += len(got.made)
            self.done["came back"] += len(got.left_out)

    def drop(self) -> None:
        """A lead that somebody has goes back."""
        lead = LeadId(str(self.rng.choice(self.leads)))
        try:
            with self.context.store.write(TENANT) as session:
                pools.drop(
                    session, lead, held_by=None, reason="race", at=self.now, actor="r"
                )
        except Conflict:
            self.done["not dropped"] += 1
        else:
            self.done["dropped"] += 1

    def follow_up(self) -> None:
        """A call; once it is acknowledged, the clock leaves the lead alone."""
        lead = LeadId(str(self.rng.choice(self.leads)))
        with self.context.store.write(TENANT) as session:
            activities.record_activity(session, self._call(lead))
        with self.context.store.read(TENANT) as session:
            before = len(ownership.get_events(session, lead))
        recycle(self.context, TENANT, actor="after a call")
        with self.context.store.read(TENANT) as session:
            since = ownership.get_events(session, lead)[before:]
        self.done["followed up"] += 1
        self.done["forgotten"] += any(event.kind == "recycled" for event in since)

    def recycle(self) -> None:
        """The clock strikes."""
        self.done["recycled"] += recycle(self.context, TENANT, actor="clock").dropped

    def _call(self, lead: LeadId) -> Activity:
        return Activity(
            event_id=new_id(self.now),
            kind=ActivityKind.CALL,
            lead_id=lead,
            rep_id=self.reps[0],
            happened_at=self.now,
            recorded_at=self.now,
        )


def main(url: str, seed: str, steps: str, threads: str, mode: str) -> None:
    """Race, then say how often what happened."""
    with tempfile.TemporaryDirectory() as home:
        parts = Settings(
            home=Path(home), database_url=SecretStr(url), tenant=str(TENANT)
        )
        context = Context(parts, Store(url), FixedClock(LATER))
        clients = [
            Client(context, 1_000 * int(seed) + k, mode) for k in range(int(threads))
        ]
        with ThreadPoolExecutor(len(clients)) as pool:
            list(pool.map(lambda client: client.run(int(steps)), clients))
        context.store.close()
    total: Counter[str] = Counter()
    for client in clients:
        total.update(client.done)
    sys.stdout.write(json.dumps(total))


if __name__ == "__main__":
    main(*sys.argv[1:])
