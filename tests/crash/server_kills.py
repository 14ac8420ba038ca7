"""Servers killed under load: what they acknowledged is there, once, within limits."""

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import httpx

from rightrep.domain.ids import LeadId
from rightrep.store.engine import Store
from rightrep.store.ownership import get_events, get_owner
from rightrep.store.projection import rebuild_projection
from rightrep.store.reps import roster
from tests.servers import Server, running
from tests.serving_parts import ACME, NOON, Served


@dataclass(frozen=True)
class Tally:
    """What a run of kills found.

    Attributes:
        acknowledged: Leads whose assignment was answered with 200.
        lost: Those whose decision is not stored as it was answered.
        doubled: Leads that were given more than once.
        over: Reps above the holding limit.
        kills: Processes killed.
    """

    acknowledged: int
    lost: int
    doubled: int
    over: int
    kills: int


def kill_servers(
    served: Served,
    home: Path,
    *,
    n_leads: int,
    n_reps: int,
    holding_limit: int,
    kills: int,
    n_servers: int = 2,
    n_clients: int = 4,
    seed: int = 0,
    finish: bool = True,
) -> Tally:
    """Assign leads through servers that are killed at random moments.

    A client that got no answer sends the same request with the same key again, to any
    server, as a CRM would. Unless they are to ``finish``, clients ask for no further
    lead after the last kill.
    """
    served.add_reps(*(f"r{j}" for j in range(n_reps)), holding_limit=holding_limit)
    leads = [f"l{i}" for i in range(n_leads)]
    for start in range(0, n_leads, 500):
        served.add_leads(*leads[start : start + 500])
    url = served.context.store.url.render_as_string(hide_password=False)
    answers: dict[str, str | None] = {}
    waiting = leads.copy()
    lock = threading.Lock()
    rng = random.Random(seed)
    key = next(iter(served.keys.values()))
    with running(url, home, tenant=ACME, count=n_servers) as servers:
        clients = [
            threading.Thread(
                target=_assign_all, args=(servers, key, waiting, answers, lock, k)
            )
            for k in range(n_clients)
        ]
        for client in clients:
            client.start()
        killed = _kill_at_random(servers, clients, kills, rng)
        if not finish:
            with lock:
                waiting.clear()
        for client in clients:
            client.join()
    return _tally(served.context.store, answers, holding_limit, killed)


def _assign_all(
    servers: list[Server],
    key: str,
    waiting: list[str],
    answers: dict[str, str | None],
    lock: threading.Lock,
    seed: int,
) -> None:
    rng = random.Random(seed)
    bearer = {"Authorization": f"Bearer {key}"}
    with httpx.Client(headers=bearer, timeout=30) as client:
        while True:
            with lock:
                if not waiting:
                    return
                lead = waiting.pop()
            while lead not in answers:
                server = rng.choice(servers)
                try:
                    answer = client.post(
                        f"{server.url}/v1/assignments/next",
                        json={"lead": lead},
                        headers={"Idempotency-Key": f"give {lead}"},
                    )
                except httpx.HTTPError:
                    time.sleep(0.1)
                    continue
                if answer.status_code == 200:
                    answers[lead] = answer.json()["decision_id"]
                elif answer.status_code < 500:
                    raise AssertionError(answer.text)


def _kill_at_random(
    servers: list[Server],
    clients: list[threading.Thread],
    kills: int,
    rng: random.Random,
) -> int:
    done, restarts = 0, dict[str, threading.Thread]()
    while done < kills and any(client.is_alive() for client in clients):
        time.sleep(rng.uniform(0.1, 0.8))
        victim = rng.choice(servers)
        if victim.url in restarts:
            restarts[victim.url].join()
        victim.kill()
        done += 1
        restarts[victim.url] = threading.Thread(target=victim.start)
        restarts[victim.url].start()
    for restart in restarts.values():
        restart.join()
    return done


def _tally(
    store: Store, answers: dict[str, str | None], holding_limit: int, kills: int
) -> Tally:
    from rightrep.store.aliases import RecordKind, resolve_many
    from rightrep.store.decisions import list_decisions

    given: Counter[str] = Counter()
    stored: dict[str, str] = {}
    with store.read(ACME) as session:
        cursor = None
        while True:
            page = list_decisions(session, limit=500, cursor=cursor)
            for made in page.decisions:
                given[made.lead_id] += 1
                stored[made.decision_id] = made.lead_id
            cursor = page.cursor
            if cursor is None:
                break
        ids = resolve_many(session, RecordKind.LEAD, answers)
        lost = 0
        for lead, decision_id in answers.items():
            if decision_id is None:
                continue
            owned = get_owner(session, LeadId(ids[lead]))
            events = get_events(session, LeadId(ids[lead]))
            if (
                stored.get(decision_id) != ids[lead]
                or owned is None
                or owned.decision_id != decision_id
                or len(events) != 1
            ):
                lost += 1
        held = [
            entry.held for entry in roster(session, as_of=NOON, local_day=NOON.date())
        ]
    with store.write(ACME) as session:
        rebuild_projection(session)
        after = [
            entry.held for entry in roster(session, as_of=NOON, local_day=NOON.date())
        ]
    assert held == after, "the projection is not what its events say"
    return Tally(
        acknowledged=sum(answer is not None for answer in answers.values()),
        lost=lost,
        doubled=sum(count > 1 for count in given.values()),
        over=sum(count > holding_limit for count in held),
        kills=kills,
    )
