"""Several server processes at once: one owner per lead, no rep over a limit."""

import json
import subprocess
import sys
from collections import Counter
from datetime import date

import pytest
from sqlalchemy import func, select

from rightrep.store.arm_slots import given_by_arms
from rightrep.store.engine import Store
from rightrep.store.experiments import create_experiment
from rightrep.store.guard import of_tenant
from rightrep.store.projection import rebuild_projection
from rightrep.store.reps import roster, taken_since
from rightrep.store.schema import decisions, ownership, ownership_events
from rightrep.store.session import ReadSession
from tests.contract.store_racer import ARMS, PROCESSES, SHARE
from tests.contract.test_ops_experiments import SPRING
from tests.contract.test_store_ownership import projection
from tests.store_records import ACME, TODAY, add_leads, add_reps, add_tenant, at

HOLDING, INTAKE = 12, 10


def race(url: str, mode: str) -> Counter[str]:
    """Run the processes side by side; what they say happened, added up."""
    command = [sys.executable, "-m", "tests.contract.store_racer", url]
    racers = [
        subprocess.Popen(
            [*command, str(seed), str(HOLDING), str(INTAKE), mode],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for seed in range(PROCESSES)
    ]
    for racer in racers:
        assert racer.stdout is not None
        racer.stdout.readline()
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write(b"go\n")
        racer.stdin.flush()
    done: Counter[str] = Counter()
    for racer in racers:
        said, error = racer.communicate(timeout=300)
        assert racer.returncode == 0, error.decode()
        done += Counter(json.loads(said))
    return done


def prepare(store: Store, leads: int, reps: int) -> None:
    add_tenant(store)
    with store.write(ACME) as session:
        add_leads(session, leads)
        add_reps(session, reps)


def held_by_rep(session: ReadSession) -> dict[str, int]:
    counts = session.execute(
        select(ownership.c.owner, func.count().label("n_held"))
        .where(of_tenant(ownership), ownership.c.holding)
        .group_by(ownership.c.owner)
    )
    return {row.owner: row.n_held for row in counts}


@pytest.mark.parametrize("mode", ["take", "back and forth"])
def test_capacity_and_single_ownership_hold_between_processes(
    store: Store, store_url: str, mode: str
) -> None:
    prepare(store, leads=120, reps=8)

    done = race(store_url, mode)

    with store.write(ACME) as session:
        entries = roster(session, as_of=at(9), local_day=TODAY)
        held = {entry.rep_id: entry.held for entry in entries if entry.held}
        n_events = session.execute(
            select(func.count())
            .select_from(ownership_events)
            .where(of_tenant(ownership_events), ownership_events.c.kind == "assigned")
        ).scalar_one()
        n_decisions = session.execute(
            select(func.count()).select_from(decisions).where(of_tenant(decisions))
        ).scalar_one()
        written = projection(session)
        rebuild_projection(session)

        assert held_by_rep(session) == held
        assert max(held.values()) <= HOLDING
        assert max(entry.taken_today for entry in entries) <= INTAKE
        assert n_events == n_decisions == done["taken"]
        assert projection(session) == written
    assert done["returned"] > 0
    if mode == "take":
        # Every slot was wanted by every process.
        assert sum(held.values()) == done["taken"] == 8 * INTAKE
        assert done["intake"] > 0
    else:
        assert done["given back"] > 0


def test_no_arm_goes_over_its_slots_between_processes(
    store: Store, store_url: str
) -> None:
    prepare(store, leads=120, reps=8)
    with store.write(ACME) as session:
        create_experiment(session, SPRING)

    done = race(store_url, "arms")

    with store.read(ACME) as session:
        gave = given_by_arms(session, ["spring"], first=TODAY, last=TODAY)
        logged = session.execute(
            select(decisions.c.arm, decisions.c.rep_id, func.count().label("given"))
            .where(of_tenant(decisions))
            .group_by(decisions.c.arm, decisions.c.rep_id)
        )
        counted = {(row.arm, row.rep_id): row.given for row in logged}
    assert counted == {
        (arm.arm, rep): given
        for arm, by_rep in gave.items()
        for (rep, _), given in by_rep.items()
    }
    # Every slot of an arm was wanted by every process, and no rep was full: it was the
    # arms' slots that kept the others out.
    assert set(counted.values()) == {INTAKE * SHARE}
    assert len(counted) == len(ARMS) * 8
    assert done["arm"] > 0
    assert done["intake"] == done["holding"] == 0


def test_ten_a_month_are_ten_whoever_gives_them_on_whichever_day(
    store_url: str,
) -> None:
    """Four processes work through the same days together."""
    store, limit = Store(store_url), 10
    prepare(store, leads=80, reps=2)
    command = [sys.executable, "-m", "tests.contract.month_racer", store_url]
    givers = [
        subprocess.Popen(
            [*command, str(limit)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    months = {month: Counter[str]() for month in (3, 4)}
    for day in [date(2026, 3, d) for d in (2, 3, 30, 31)] + [date(2026, 4, 1)]:
        for giver in givers:
            assert giver.stdin is not None
            print(day.isoformat(), file=giver.stdin, flush=True)
        for giver in givers:
            assert giver.stdout is not None
            months[day.month].update(json.loads(giver.stdout.readline()))
    for giver in givers:
        giver.communicate(timeout=60)

    assert list(months[3].values()) == [limit, limit]
    assert list(months[4].values()) == [len(givers)] * 2
    with store.write(ACME) as session:
        for first, wanted in ((date(2026, 3, 1), limit + 4), (date(2026, 4, 1), 4)):
            assert set(taken_since(session, first).values()) == {wanted}
        written = projection(session)
        rebuild_projection(session)
        assert projection(session) == written
    store.close()
