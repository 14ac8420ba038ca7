"""What a manager reads on the pages, and that it is what the records say."""

import re
from dataclasses import replace
from datetime import timedelta
from html import unescape
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from rightrep.domain.decision import Cause
from rightrep.domain.eligibility import Exclusion
from rightrep.domain.ids import LeadId, RepId, new_id
from rightrep.domain.plan import LineState, PlanRep, StoredPlan
from rightrep.domain.roles import Role
from rightrep.store import bulk, plans
from rightrep.store.decisions import list_decisions, log_decisions
from rightrep.store.engine import Store
from rightrep.store.exclusions import save_roster
from serving.web.wording import Say
from tests import board_market as market
from tests.serving_parts import ACME, Served, serve
from tests.store_records import decision

HOME = {"origin": "http://testserver"}
MINUTE = timedelta(minutes=1)


@pytest.fixture
def served(store: Store, tmp_path: Path) -> Served:
    return signed_in(serve(store, tmp_path))


def signed_in(served: Served, role: Role = Role.MANAGER) -> Served:
    served.http.post("/sign-in", data={"key": served.keys[role]}, headers=HOME)
    return served


def read(served: Served, path: str = "/") -> str:
    """A page's text: without tags, spaces as one."""
    answer = served.http.get(path)
    assert answer.status_code == 200, answer.text
    body = re.sub(r"<script.*?</script>", "", answer.text, flags=re.DOTALL)
    text = unescape(re.sub(r"<[^>]+>", " ", body))
    return re.sub(r"\s+([.;,:])", r"\1", re.sub(r"\s+", " ", text))


def planned(served: Served, leads: list[LeadId]) -> StoredPlan:
    with served.context.store.write(ACME) as session:
        return market.add_plan(session, leads, at=served.clock.now())


def kept(served: Served, **fields: object) -> StoredPlan:
    """A plan that only has a header."""
    now = served.clock.now()
    header = StoredPlan(
        plan_id=new_id(now),
        policy="optimal",
        actor="test",
        as_of=now,
        created_at=now,
        problem={"n_leads": 10, "assigned": 8},
        baselines={},
    )
    plan = replace(header, **fields)  # type: ignore[arg-type]
    with served.context.store.write(ACME) as session:
        plans.save_plan(session, plan)
    return plan


def test_an_empty_market_says_what_to_do(served: Served) -> None:
    shown = read(served)

    assert "There is no plan yet." in shown
    assert "rightrep plan" in shown
    assert "rightrep train" in shown
    assert "There are no reps yet." in shown
    assert "Nothing was decided yet." in shown
    assert "no model is in use" in shown
    assert "There is no plan yet." in read(served, "/unassigned")
    assert "Nothing was decided yet." in read(served, "/decisions")


def test_reps_show_their_load_before_any_plan(served: Served) -> None:
    market.settle_in(served, 4)
    taken = [served.next(f"L0000{k}") for k in (0, 2)]
    assert [answer.status_code for answer in taken] == [200, 200]

    shown = served.http.get("/").text

    assert shown.count("<tr>") - 1 == len(market.REPS)
    assert 'data-value="1"' in shown
    assert "There is no plan yet" in shown


def test_the_latest_plan_is_held_against_round_robin(served: Served) -> None:
    plan = planned(served, market.settle_in(served))
    assert plan.value is not None
    assert plan.bound is not None
    more = plan.value - plan.baselines["round_robin"]["value"]
    share = more / plan.baselines["round_robin"]["value"]

    shown = read(served)

    assert f"The optimal plan expects {yuan(plan.value)} from" in shown
    assert f"{share:.1%} more than round robin on the same leads and slots" in shown
    assert f"Beyond round robin +{yuan(more)}" in shown
    for name, figure in plan.baselines.items():
        words = name.replace("_", " ").capitalize()
        assert f"{words} {yuan(figure['value'])}" in shown
    assert f"No plan for these leads can expect more than {yuan(plan.bound)}" in shown
    assert "Expectations, not evidence." in shown
    assert f"From plan {plan.plan_id}, as of 2 Mar 2026, 12:00" in shown
    assert f"model {market.MODEL}" in shown


def test_a_new_plan_takes_the_place_of_the_one_before(served: Served) -> None:
    leads = market.settle_in(served)
    first = planned(served, leads[:15])
    served.clock.move(MINUTE)

    second = planned(served, leads[15:])

    shown = read(served)
    assert f"From plan {second.plan_id}" in shown
    assert first.plan_id not in shown
    earlier = read(served, f"/?plan={first.plan_id}")
    assert "An earlier plan" in earlier
    assert f"From plan {first.plan_id}" in earlier


def test_committing_a_plan_is_seen_at_once(served: Served) -> None:
    leads = market.settle_in(served)
    plan = planned(served, leads)
    assert "previewed: nothing is given yet" in read(served)
    served.clock.move(MINUTE)

    with served.context.store.write(ACME) as session:
        market.commit(session, plan, at=served.clock.now())

    with served.context.store.read(ACME) as session:
        counts = plans.count_lines(session, plan.plan_id)
    shown = read(served)
    assert "committed 2 Mar 2026, 12:01" in shown
    assert f"{counts[LineState.COMMITTED]} given" in shown
    assert f"{counts[LineState.UNASSIGNED]} without a rep" in shown
    assert "Nothing was decided yet." not in shown
    assert "Every reason" in shown


def test_a_plan_that_is_worse_is_said_to_be(served: Served) -> None:
    kept(served, value=90_000.0, baselines={"round_robin": {"value": 120_000.0}})

    shown = read(served)

    assert "25.0% less than round robin" in shown
    assert "−CN¥300" in shown


def test_a_plan_without_baseline_or_bound_claims_neither(served: Served) -> None:
    kept(served, value=90_000.0, policy="greedy")

    shown = read(served)

    assert "The greedy plan expects CN¥900 from 8 leads." in shown
    assert "more than" not in shown
    assert "there is nothing to compare with" in shown
    assert "Below the best" not in shown


def test_a_plan_with_a_lottery_claims_no_bound(served: Served) -> None:
    kept(
        served,
        value=90_000.0,
        baselines={"round_robin": {"value": 80_000.0}},
        problem={"n_leads": 10, "assigned": 8, "lottery": 3},
    )

    assert "3 leads were drawn by lot" in read(served)


def test_the_fallback_is_flagged_with_its_reason(served: Served) -> None:
    kept(served, policy="least_loaded", fallback="no model is published")

    shown = read(served)

    assert "The fallback policy made this plan (least loaded)" in shown
    assert "no model is published" in shown
    assert "there is no expected value to compare" in shown


def test_an_old_plan_is_said_to_be_old(served: Served) -> None:
    kept(served, value=90_000.0)
    assert "make a new one" not in read(served)

    served.clock.move(timedelta(days=3))

    signed_in(served)
    assert "This plan was made 3 days ago." in read(served)


def test_a_plan_that_counts_wins_is_told_in_wins(served: Served) -> None:
    kept(
        served,
        value=12.346,
        bound=12.4,
        gap=0.00443,
        baselines={"round_robin": {"value": 10.0}},
        problem={"n_leads": 90, "assigned": 80, "objective": "conversions"},
    )

    shown = read(served)

    assert "expects 12.35 wins from 80 leads: 23.5% more" in shown
    assert "more than 12.40 wins, by proof; this one is within 0.45% of that" in shown
    assert "CN¥" not in shown


def test_a_gap_is_never_told_smaller_than_it_is() -> None:
    say = Say.__new__(Say)
    say.locale = "en"

    told = [say.gap(gap) for gap in (0.0, 1e-9, 1.01e-6, 0.00031, 0.2)]

    assert told == ["0.0001%", "0.0001%", "0.0002%", "0.04%", "20.00%"]


def test_lines_that_retention_removed_are_not_called_assigned(served: Served) -> None:
    kept(served, value=90_000.0)

    assert "were removed by retention; its figures were kept" in read(served)


def test_load_is_told_per_rep_with_the_worth_of_a_slot(served: Served) -> None:
    plan = planned(served, market.settle_in(served, 60))
    with served.context.store.read(ACME) as session:
        meant = plans.read_plan_reps(session, plan.plan_id)
    dearest = max(meant, key=lambda rep: rep.shadow_price or 0.0)
    assert dearest.shadow_price

    shown = read(served)

    worth = yuan(dearest.shadow_price)
    assert f"with one slot fewer there, the plan would expect {worth} less" in shown
    for rep in market.REPS:
        mine = next(m for m in meant if m.capacity == rep.holding_limit)
        assert rep.name in shown
        assert f"{rep.team} 0 0" in shown
        told = f"+{mine.given} of {mine.capacity} {rep.holding_limit}"
        assert told in shown or not mine.given


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"capacity": 5, "given": 2, "shadow_price": 0.0}, "3 slots to spare"),
        ({"capacity": 5, "given": 4, "shadow_price": 0.0}, "1 slot to spare"),
        ({"capacity": 0, "given": 0, "shadow_price": 0.0}, "no open slot"),
        ({"capacity": 5, "given": 5, "shadow_price": None}, "not priced"),
        ({"capacity": 5, "given": 5, "shadow_price": 0.0}, "nothing"),
        ({"capacity": 5, "given": 5, "shadow_price": 123_400.0}, "CN¥1,234"),
        ({"capacity": 5, "given": 5, "shadow_price": -5e4}, "−CN¥500 kept for a floor"),
    ],
)
def test_the_worth_of_a_slot_is_told_in_words(
    served: Served, fields: dict[str, float], words: str
) -> None:
    rep = RepId(served.add_reps("r1")[0])
    now = served.clock.now()
    plan = StoredPlan(
        plan_id=new_id(now),
        policy="optimal",
        actor="test",
        as_of=now,
        created_at=now,
        value=1.0,
        problem={},
        baselines={},
    )
    meant = PlanRep(rep_id=rep, floor=0, load=0, **fields)  # type: ignore[arg-type]
    with served.context.store.write(ACME) as session:
        plans.save_plan(session, plan, [meant])

    assert words in read(served)


def test_a_rep_who_left_and_holds_nothing_is_not_listed(served: Served) -> None:
    served.add_reps("here")
    served.add_reps("gone", status="left")
    served.add_reps("away", status="paused")

    shown = read(served)

    assert "Rep here" in shown
    assert "Rep gone" not in shown
    assert "Rep away paused" in shown


def test_a_rep_who_is_away_takes_none_and_has_nothing_to_spare(served: Served) -> None:
    market.settle_in(served, 4)
    away = served.add_reps("r1", leave=[{"first": "2026-03-01", "last": "2026-03-09"}])
    with served.context.store.read(ACME) as session:
        leads = bulk.open_leads(session, as_of=served.clock.now())
    planned(served, leads)

    shown = read(served)

    assert away
    assert re.search(r"Rep r1 on leave .{0,20}takes none", shown)


def test_who_holds_a_lead_now_is_counted_now(served: Served) -> None:
    leads = market.settle_in(served, 60)
    plan = planned(served, leads)
    before = served.http.get("/").text
    with served.context.store.write(ACME) as session:
        market.commit(session, plan, at=served.clock.now())

    after = served.http.get("/").text

    held = re.compile(
        r'data-value="(\d+)">\1</td>\s*<td class="num" data-value="(\d+)"'
    )
    assert {int(now) for now, _ in held.findall(before)} == {0}
    assert sum(int(now) for now, _ in held.findall(after)) > 0
    assert {int(then) for _, then in held.findall(after)} == {0}


def test_unassigned_leads_name_their_reasons(served: Served) -> None:
    leads = market.settle_in(served, 60)
    plan = planned(served, leads)
    with served.context.store.read(ACME) as session:
        lines = plans.read_lines(session, plan.plan_id, state=LineState.UNASSIGNED)

    shown = read(served)

    assert f"{lines.num_rows} leads stay without a rep." in shown
    assert "1 rep: May take it; the slots went to other leads." in shown
    assert "8 reps: Does not speak the lead's language." in shown
    assert shown.count("Rep by rep") == 8


def test_an_unassigned_lead_can_be_looked_into_rep_by_rep(served: Served) -> None:
    leads = market.settle_in(served, 60)
    plan = planned(served, leads)
    with served.context.store.read(ACME) as session:
        lines = plans.read_lines(session, plan.plan_id, state=LineState.UNASSIGNED)
    lead_id = lines["lead_id"][0].as_py()

    shown = read(served, f"/leads/{lead_id}")

    assert "Nobody gets it." in shown
    assert all(rep.name in shown for rep in market.REPS)
    assert f"From plan {plan.plan_id}" in shown
    assert f"From lead {lead_id}" in shown


def test_every_unassigned_lead_is_on_exactly_one_page(served: Served) -> None:
    leads = [*market.settle_in(served, 100), *market.more_leads(served, 60, first=100)]
    plan = planned(served, leads)
    with served.context.store.read(ACME) as session:
        lines = plans.read_lines(session, plan.plan_id, state=LineState.UNASSIGNED)
    path: str | None = f"/unassigned?plan={plan.plan_id}"
    found: list[str] = []
    while path is not None:
        answer = served.http.get(path)
        found += re.findall(r'class="lead" href="/leads/([0-9a-f-]+)"', answer.text)
        onward = re.search(r'rel="next" href="([^"]+)"', answer.text)
        path = unescape(onward[1]) if onward else None

    assert found == lines["lead_id"].to_pylist()
    assert len(found) > 50


def test_a_lead_given_since_the_plan_says_to_whom(served: Served) -> None:
    leads = market.settle_in(served, 60)
    plan = planned(served, leads)
    with served.context.store.read(ACME) as session:
        lines = plans.read_lines(session, plan.plan_id, state=LineState.UNASSIGNED)
        lead_id = lines["lead_id"][0].as_py()
    assert "now with" not in read(served)

    answer = served.next(lead_id)

    assert answer.status_code == 200, answer.text
    shown = read(served)
    assert "now with" in shown
    assert "Owner nobody" not in read(served, f"/leads/{lead_id}")


def test_lines_without_kept_reasons_say_so(served: Served) -> None:
    leads = market.settle_in(served, 3)
    plan = kept(served, value=1.0)
    with served.context.store.write(ACME) as session:
        lines = pa.table({"lead_id": leads, "rep_id": pa.nulls(3, pa.string())})
        plans.save_lines(session, plan.plan_id, lines)

    shown = read(served)

    assert "3 leads stay without a rep." in shown
    assert "No reasons were kept." in shown


def test_a_single_reason_is_told_in_the_singular(served: Served) -> None:
    rep = served.add_reps("r1")
    lead = served.add_leads("L1")
    now = served.clock.now()
    with served.context.store.write(ACME) as session:
        roster = save_roster(session, [RepId(rep[0])])
    plan = kept(served, value=1.0, roster=roster, as_of=now)
    codes = np.array([[Exclusion.ON_LEAVE]], dtype=np.uint8)
    with served.context.store.write(ACME) as session:
        lines = pa.table({"lead_id": lead, "rep_id": pa.nulls(1, pa.string())})
        plans.save_lines(session, plan.plan_id, lines, exclusions=codes)

    shown = read(served)

    assert "1 lead stays without a rep." in shown
    assert "1 Nobody may take it. Most often: Is on leave." in shown
    assert "1 rep: Is on leave." in shown


def test_a_decision_is_on_the_page_as_soon_as_it_is_made(served: Served) -> None:
    market.settle_in(served, 4)
    assert "Nothing was decided yet." in read(served)

    made = served.next("L00001").json()

    shown = read(served)
    assert "L00001 Northwind Traders 1 → given to" in shown
    assert "The fallback policy answered: no model is published." in shown
    assert made["decision_id"] in served.http.get("/").text


def test_a_decision_tells_its_numbers_and_its_runner_ups(served: Served) -> None:
    plan = planned(served, market.settle_in(served, 20))
    with served.context.store.write(ACME) as session:
        market.commit(session, plan, at=served.clock.now())
    with served.context.store.read(ACME) as session:
        made = next(
            found
            for found in list_decisions(session, limit=20, reasons=True).decisions
            if found.runner_ups and found.excluded
        )
    assert made.p_convert is not None
    assert made.value is not None

    shown = read(served, f"/decisions/{made.decision_id}")

    assert f"Chance to win {made.p_convert:.1%}" in shown
    assert f"Expected value {yuan(made.value)}" in shown
    for other in made.runner_ups:
        assert f"{other.p_convert:.1%} {yuan(other.value or 0)}" in shown
    assert f"{len(made.excluded)} reps: Does not speak the lead's language." in shown
    assert f"From decision {made.decision_id}, model {market.MODEL}" in shown
    assert "Cause a plan was committed" in shown
    story = read(served, f"/leads/{made.lead_id}")
    assert "since 2 Mar 2026, 12:00" in story
    assert "Every reason" in story


def test_an_imported_decision_has_no_reason_and_says_so(served: Served) -> None:
    lead = LeadId(served.add_leads("L1")[0])
    rep = RepId(served.add_reps("r1")[0])
    made = replace(
        decision(lead, rep, served.clock.now()), cause=Cause.IMPORT, propensity=0.25
    )
    with served.context.store.write(ACME) as session:
        log_decisions(session, [made])

    shown = read(served)

    assert "Decided before RightRep; imported, so no reason was kept." in shown
    assert "Drawn by lot, with a chance of 25.0%." in shown
    story = read(served, f"/decisions/{made.decision_id}")
    assert "No exclusions were kept with this decision." in story
    assert "No runner-up was kept." in story


def test_decisions_are_paged_from_the_newest_to_the_oldest(served: Served) -> None:
    leads = [LeadId(x) for x in served.add_leads(*(f"L{k}" for k in range(60)))]
    rep = RepId(served.add_reps("r1")[0])
    made = [
        decision(lead, rep, served.clock.now() + k * MINUTE)
        for k, lead in enumerate(leads)
    ]
    with served.context.store.write(ACME) as session:
        log_decisions(session, made)

    first = served.http.get("/decisions").text
    onward = re.search(r'rel="next" href="([^"]+)"', first)
    assert onward is not None
    second = served.http.get(unescape(onward[1])).text

    pattern = r'class="lead" href="/leads/([0-9a-f-]+)"'
    found = re.findall(pattern, first) + re.findall(pattern, second)
    assert found == leads[::-1]
    assert "These are the oldest." in second


def test_a_lead_is_found_by_the_id_of_the_crm(served: Served) -> None:
    market.settle_in(served, 2)

    shown = read(served, "/leads/L00000")

    assert "L00000 上海明达科技有限公司 1" in shown
    assert "CN¥20,000, CRM Suite, East China, zh" in shown
    assert "Nothing was decided about this lead." in shown


def yuan(minor: float) -> str:
    """Money as the page says it."""
    major = minor / 100
    return f"CN¥{major:,.0f}" if abs(major) >= 100 or major == 0 else f"CN¥{major:,.2f}"
