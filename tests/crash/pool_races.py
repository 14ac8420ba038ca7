"""Processes that race for the same leads, and an account of what they left behind."""

import json
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy import func, select

from rightrep.store.engine import Store
from rightrep.store.guard import of_tenant
from rightrep.store.projection import rebuild_projection
from rightrep.store.public_pools import claims_on
from rightrep.store.reps import list_reps
from rightrep.store.schema import decisions, ownership, ownership_events
from rightrep.store.session import ReadSession
from tests.contract.test_store_ownership import projection
from tests.crash.pool_racer import LATER, TENANT
from tests.pool_parts import BERLIN, Sales, sales

HOLDING, CLAIMS = 12, 10


@dataclass(frozen=True, kw_only=True)
class Account:
    """What a race came to.

    Attributes:
        done: What the clients say happened, added up.
        over_holding: Reps who own more open leads than allowed.
        over_claims: Reps who claimed more leads of the day than allowed.
        doubled: Leads given to a rep while another one had them.
        unlogged: Claims acknowledged less claims in the events, and in the decisions.
        recycled_twice: Leads recycled again without having been owned between.
        is_rebuilt: Whether owners and loads are what the events add up to.
    """

    done: Counter[str]
    over_holding: int
    over_claims: int
    doubled: int
    unlogged: tuple[int, int]
    recycled_twice: int
    is_rebuilt: bool

    @property
    def broken(self) -> int:
        """Promises that were broken, in all."""
        return (
            self.over_holding
            + self.over_claims
            + self.doubled
            + sum(map(abs, self.unlogged))
            + self.recycled_twice
            + self.done["forgotten"]
            + (not self.is_rebuilt)
        )


def race(
    store: Store,
    home: Path,
    *,
    mode: str,
    leads: int = 120,
    reps: int = 8,
    processes: int = 3,
    threads: int = 1,
    steps: int = 25,
) -> Account:
    """Run clients side by side on one tenant and look at what is left.

    Args:
        store: A migrated, empty database.
        home: An empty folder.
        mode: ``claim``, or ``both ways``.
        leads: Leads to race for.
        reps: Reps who want them.
        processes: Processes at once.
        threads: Clients in each process.
        steps: Things each client does.
    """
    shop = sales(store, home, tenant_id=str(TENANT))
    _prepare(shop, leads, reps, mode)
    url = store.url.render_as_string(hide_password=False)
    command = [sys.executable, "-m", "tests.crash.pool_racer", url]
    options = [str(steps), str(threads), mode]
    racers = [
        subprocess.Popen(
            [*command, str(seed), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for seed in range(processes)
    ]
    done: Counter[str] = Counter()
    for racer in racers:
        said, error = racer.communicate(timeout=500)
        if racer.returncode != 0:
            raise RuntimeError(error.decode())
        done.update(json.loads(said))
    return _account(shop, done)


def _prepare(shop: Sales, leads: int, reps: int, mode: str) -> None:
    """Some leads are owned since the day before, and due."""
    made, sellers = shop.add_leads(leads), shop.add_reps(reps)
    if mode == "both ways":
        for k, rep in enumerate(sellers):
            shop.claim(rep, *made[4 * k : 4 * k + 4])
    shop.wait(seconds=(LATER - shop.now).total_seconds())
    shop.set_pool(
        holding_limit=HOLDING,
        claims_per_day=CLAIMS,
        counting="hours",
        protection={"follow_up_days": 1},
    )


def _account(shop: Sales, done: Counter[str]) -> Account:
    with shop.write() as session:
        written = projection(session)
        rebuild_projection(session)
        is_rebuilt = projection(session) == written
        held = session.execute(
            select(ownership.c.owner, func.count().label("held"))
            .where(of_tenant(ownership), ownership.c.holding)
            .group_by(ownership.c.owner)
        ).all()
        today = (LATER + timedelta(hours=1)).date()
        claimed = [
            sum(claims_on(session, rep.rep_id, today, BERLIN).values())
            for rep in list_reps(session, as_of=LATER)
        ]
        doubled, twice, events = _history(session)
        logged = session.execute(
            select(func.count())
            .select_from(decisions)
            .where(of_tenant(decisions), decisions.c.decided_at >= LATER)
        ).scalar_one()
    return Account(
        done=done,
        over_holding=sum(row.held > HOLDING for row in held),
        over_claims=sum(count > CLAIMS for count in claimed),
        doubled=doubled,
        unlogged=(done["claimed"] - events, done["claimed"] - logged),
        recycled_twice=twice,
        is_rebuilt=is_rebuilt,
    )


def _history(session: ReadSession) -> tuple[int, int, int]:
    """Claims of owned leads, recyclings of free ones, and claims in the race."""
    rows = session.execute(
        select(ownership_events)
        .where(of_tenant(ownership_events))
        .order_by(ownership_events.c.lead_id, ownership_events.c.revision)
    )
    owner: dict[str, str | None] = {}
    doubled = twice = claimed = 0
    for row in rows:
        present = owner.get(row.lead_id)
        doubled += row.kind == "claimed" and present is not None
        twice += row.kind == "recycled" and present is None
        claimed += row.kind == "claimed" and row.happened_at >= LATER
        owner[row.lead_id] = row.owner
    return doubled, twice, claimed
