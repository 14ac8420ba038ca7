"""Next best reps asked for together are those asked for one by one, in that order."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rightrep.clock import FixedClock
from rightrep.domain.decision import Decision
from rightrep.domain.experiment import Arm, Experiment, UnitKind
from rightrep.domain.ids import LeadId, RepId
from rightrep.domain.plan import StoredPlan
from rightrep.domain.roles import Role
from rightrep.errors import RightRepError
from rightrep.store import prices
from rightrep.store.engine import Store
from rightrep.store.experiments import create_experiment, start_experiment
from rightrep.store.plans import save_plan
from rightrep.store.prices import PriceList
from serving.usecases.advice import Scores
from serving.usecases.context import Context
from serving.usecases.next_group import Asked, answer_together
from serving.usecases.next_rep import assign, propose
from serving.usecases.proposal import Proposal
from tests.drawn_market import DrawnModel
from tests.serving_parts import ACME, NOON, Served, serve

N_REPS = 5
RULES: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "none": (),
    "weighted": ({"policy": {"name": "weighted"}},),
    "most_free": ({"policy": {"name": "most_free"}},),
    "even": (
        {"policy": {"name": "least_loaded"}, "constraints": {"even_month": True}},
    ),
    "sticky": (
        {
            "when": {"op": "equals", "field": "region", "value": "S"},
            "policy": {"name": "sticky", "otherwise": "round_robin"},
        },
        {"candidates": {"teams": ["T0"]}, "policy": {"name": "optimal"}},
    ),
    "by hand": (
        {
            "when": {"op": "equals", "field": "region", "value": "S"},
            "policy": {"name": "by_hand"},
        },
        {"policy": {"name": "optimal"}},
    ),
}
ARMS = (
    Arm(arm="control", policy="round_robin_lot", share=0.5),
    Arm(arm="treatment", policy="optimal", share=0.5),
)
SPRING = Experiment(
    experiment="spring",
    unit_kind=UnitKind.LEAD,
    salt="s",
    arms=ARMS,
    design={"horizon_days": 30, "strata": ["region"], "model_version": "drawn"},
    actor="k",
    created_at=NOON,
)


PLAN = StoredPlan(
    plan_id="p1",
    policy="optimal",
    actor="k",
    as_of=NOON,
    created_at=NOON,
    problem={},
    baselines={},
)


class ByLead(DrawnModel):
    """Chances drawn by the ids of lead and rep, whoever is asked about beside them."""

    def scores(
        self, lead_ids: Sequence[LeadId], rep_ids: Sequence[RepId], **how: Any
    ) -> Scores:
        """The drawn chances."""
        draws = [
            np.random.default_rng(int(lead.replace("-", ""), 16)) for lead in lead_ids
        ]
        chance = np.array([draw.random(len(rep_ids)) for draw in draws])
        found = super().scores(lead_ids, rep_ids, **how)
        return replace(
            found,
            # Few different chances, so that there are ties.
            p_convert=(np.ceil(4 * chance) / 8).astype(np.float32),
            quality=chance[:, 0],
        )


@dataclass(frozen=True)
class World:
    """What a tenant has when the requests come.

    Attributes:
        limits: Fields of each rep.
        regions: Region of each lead.
        customers: Customer of each lead, or None.
        rules: Name of its rules.
        arms: Whether an experiment runs.
        step: Step of the prices in force; None without prices.
        routing: Routing settings.
        asked: The requests.
    """

    limits: Sequence[Mapping[str, int]]
    regions: Sequence[str]
    customers: Sequence[str | None]
    rules: str
    arms: bool
    step: float | None
    routing: Mapping[str, Any]
    asked: Sequence[Asked]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Small worlds in which slots, queues, loads and prices all bind."""
    n_leads = draw(st.integers(4, 9))
    limit = st.fixed_dictionaries(
        {},
        optional={
            "holding_limit": st.integers(1, 4),
            "intake_per_day": st.integers(1, 3),
            "intake_per_month": st.integers(1, 4),
        },
    )
    name = st.sampled_from([*(f"L{k}" for k in range(n_leads)), "unknown", "owned"])
    asked = st.builds(
        Asked,
        lead=name,
        actor=st.just("k"),
        dry_run=st.sampled_from([False] * 4 + [True]),
    )
    customer = st.sampled_from([None, None, "C0", "C1"])
    return World(
        limits=draw(st.lists(limit, min_size=N_REPS, max_size=N_REPS)),
        regions=draw(
            st.lists(st.sampled_from("SN"), min_size=n_leads, max_size=n_leads)
        ),
        customers=draw(st.lists(customer, min_size=n_leads, max_size=n_leads)),
        rules=draw(st.sampled_from(list(RULES))),
        arms=draw(st.booleans()),
        step=draw(st.sampled_from([None, 0.0, 9_000.0])),
        routing={
            "min_candidates": draw(st.integers(1, 3)),
            "waiting_gain": draw(st.sampled_from([0.0, 0.5])),
            "settling_days": draw(st.sampled_from([0.0, 30.0])),
        },
        asked=draw(st.lists(asked, min_size=2, max_size=12)),
    )


def settle(world: World, store: Store, home: Path) -> Served:
    """A tenant of this world."""
    served = serve(store, home, settings={"routing": dict(world.routing)})
    ids = []
    for j, fields in enumerate(world.limits):
        ids += served.add_reps(f"r{j}", team=f"T{j % 2}", **fields)
    for k, (region, customer) in enumerate(
        zip(world.regions, world.customers, strict=True)
    ):
        more = {} if customer is None else {"customer": customer}
        served.add_leads(f"L{k}", region=region, **more)
    served.add_leads("owned")
    served.next("owned")
    rules = [{"name": f"rule {k}", **rule} for k, rule in enumerate(RULES[world.rules])]
    if rules:
        body = {"rules": rules, "reason": "New"}
        sent = served.post("/v1/rules", body, role=Role.ADMIN)
        assert sent.status_code < 300, sent.text
        where = f"/v1/rules/{sent.json()['version']}/publish"
        assert served.post(where, {"reason": "Go"}, role=Role.ADMIN).status_code < 300
    with store.write(ACME) as session:
        if world.arms:
            create_experiment(session, SPRING)
            start_experiment(session, "spring", at=NOON)
        if world.step is not None:
            save_plan(session, PLAN)
            for arm in (prices.NO_ARM, "spring/control", "spring/treatment"):
                prices.publish_prices(session, listed(ids, world.step, arm))
    served.clock.move(timedelta(minutes=3))
    return served


def listed(ids: Sequence[str], step: float, arm: str) -> PriceList:
    return PriceList(
        plan_id=PLAN.plan_id,
        window_start=NOON,
        window_end=NOON + timedelta(days=1),
        published_at=NOON,
        expires_at=NOON + timedelta(hours=6),
        shadow_price={RepId(one): 10_000.0 * j for j, one in enumerate(ids)},
        arm=arm,
        step=step,
        planned={RepId(one): 0.1 * j for j, one in enumerate(ids)},
    )


def context_of(store: Store, home: Path, like: Served) -> Context:
    context = Context(
        like.context.settings.model_copy(update={"home": home}),
        store,
        FixedClock(like.clock.now()),
    )
    object.__setattr__(context, "advisers", ByLead({}))
    return context


def told(asked: Asked, proposal: Proposal, decision: Decision | None) -> bytes:
    """What an answer says, ids made on the way left out."""
    gone = decision is None and not asked.dry_run
    reps = proposal.situation.rep_ids
    return json.dumps(
        {
            "lead": proposal.situation.lead_ids[0],
            "rep": None if decision is None else decision.rep_id,
            "ranking": [] if gone else [reps[j] for j in proposal.ranking],
            "policy": proposal.policy,
            "propensity": str(proposal.propensity),
            "value": proposal.value.tolist(),
            "price": proposal.price.tolist(),
            "plan": proposal.plan_id,
            "fallback": proposal.fallback,
            "reason": proposal.reason,
            "rule": proposal.rule,
            "arm": str(proposal.arm_key),
            "codes": proposal.codes().tolist() if proposal.ranking else None,
            "excluded": proposal.excluded() if proposal.ranking else None,
        }
    ).encode()


def alone(context: Context, asked: Asked) -> bytes:
    """One request by itself; its refusal in words where it is refused."""
    try:
        proposal = propose(context, ACME, asked.lead)
        if asked.dry_run:
            return told(asked, proposal, None)
        with context.store.write(ACME) as session:
            at = context.clock.now()
            decision = assign(session, proposal, at=at, actor=asked.actor)
    except RightRepError as error:
        return f"{type(error).__name__} {asked.lead}".encode()
    return told(asked, proposal, decision)


def stored(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """What is in the tables that assignments write, made ids left out."""
    queries = {
        "decisions": "lead_id, rep_id, decided_at, policy, rule, experiment, arm, "
        "propensity, p_convert, value, shadow_price, runner_ups, exclusions",
        "ownership": "lead_id, owner, holding, since, taken_on, revision",
        "rep_load": "rep_id, held, tickets, last_given_at",
        "rep_day": "rep_id, local_day, taken, tickets",
        "arm_reps": "experiment, arm, rep_id, given, had_turn, last_given_at",
        "arm_days": "experiment, arm, rep_id, local_day, given",
        "experiment_units": "experiment, unit, arm, stratum, covariate, cluster",
        "events": "type, subject",
    }
    with store.connection() as connection:
        return {
            table: sorted(
                map(tuple, connection.exec_driver_sql(f"select {what} from {table}")),
                key=str,
            )
            for table, what in queries.items()
        }


@settings(max_examples=10)
@given(world=worlds())
def test_a_group_is_answered_as_its_requests_would_be_one_by_one(
    world: World,
    sqlite_template: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    home = tmp_path_factory.mktemp("world")
    one = Store(f"sqlite:///{shutil.copy(sqlite_template, home / 'one.db')}")
    served = settle(world, one, home)
    one.close()
    shutil.copy(home / "one.db", home / "all.db")
    together = Store(f"sqlite:///{home / 'all.db'}")
    order: list[Asked] = []

    def noted(asked: Asked, proposal: Proposal, decision: Decision | None) -> bytes:
        order.append(asked)
        return told(asked, proposal, decision)

    context = context_of(together, home, served)
    answers = answer_together(context, ACME, world.asked, tell=noted)
    by_self = [
        asked for asked, its in zip(world.asked, answers, strict=True) if its is None
    ]
    # By identity: two requests may say the same.
    rest = [alone(context, asked) for asked in by_self]
    found = sorted([one for one in answers if one is not None]) + rest

    single = context_of(one, home, served)
    wanted = [alone(single, asked) for asked in order]
    others = [alone(single, asked) for asked in by_self]

    assert found == sorted(wanted) + others
    # Only what is refused is left out.
    assert not any(one.startswith(b"{") for one in rest)
    assert stored(together) == stored(one)
    together.close()
    one.close()
