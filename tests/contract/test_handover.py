"""Handovers: previewed, moved once, given back; every lead has one owner throughout."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rightrep.domain.decision import Cause, Decision
from rightrep.domain.handover import Handover, HandoverLine, MoveState
from rightrep.domain.ids import LeadId, RepId
from rightrep.domain.outcome import Outcome, Result
from rightrep.domain.ownership import OwnershipKind
from rightrep.domain.rep import Leave, RepAttributes, RepStatus, RepVersion
from rightrep.errors import Conflict, InvalidInput, NotFound
from rightrep.store import handover as stored
from rightrep.store import outbox, ownership, reps
from rightrep.store.decisions import list_decisions
from rightrep.store.endpoints import add_endpoint
from rightrep.store.engine import Store
from rightrep.store.outcomes import record_outcome
from rightrep.store.projection import rebuild_projection
from serving.usecases import handover_moves
from serving.usecases.handover import HandoverRequest, keep_handover, preview_handover
from serving.usecases.handover_moves import commit_handover, undo_handover
from tests.contract.test_store_ownership import projection
from tests.pool_parts import Sales, sales


@pytest.fixture
def shop(store: Store, tmp_path: Path) -> Iterator[Sales]:
    """A tenant whose projection is, at the end, what its events add up to."""
    made = sales(store, tmp_path)
    yield made
    require_projection(made)


def require_projection(shop: Sales) -> None:
    with shop.write() as session:
        written = projection(session)
        rebuild_projection(session)
        assert projection(session) == written


def give(shop: Sales, rep: RepId, *leads: LeadId) -> None:
    """A rep owns leads."""
    for lead in leads:
        shop.assign(lead, rep)


def preview(
    shop: Sales,
    giver: RepId,
    *to: RepId,
    policy: str | None = "round_robin",
    **more: Any,
) -> str:
    """Preview a handover; gives its id."""
    request = HandoverRequest(
        from_reps=[giver],
        to_reps=to,
        policy=policy,
        reason="leaves",
        actor="boss",
        **more,
    )
    made = preview_handover(shop.context, shop.tenant_id, request)
    with shop.write() as session:
        keep_handover(session, made)
    return made.handover.handover_id


def commit(shop: Sales, handover_id: str) -> dict[MoveState, int]:
    return commit_handover(shop.context, shop.tenant_id, handover_id, actor="boss")


def undo(shop: Sales, handover_id: str) -> dict[MoveState, int]:
    return undo_handover(shop.context, shop.tenant_id, handover_id, actor="boss")


def lines(shop: Sales, handover_id: str) -> dict[LeadId, HandoverLine]:
    with shop.read() as session:
        return {one.lead_id: one for one in stored.read_lines(session, handover_id)}


def header(shop: Sales, handover_id: str) -> Handover:
    with shop.read() as session:
        return stored.read_handover(session, handover_id)


def status(shop: Sales, rep: RepId) -> RepStatus:
    with shop.read() as session:
        return reps.get_rep(session, rep, as_of=shop.now).attributes.status


def set_status(shop: Sales, rep: RepId, attributes: RepAttributes) -> None:
    told = RepVersion(
        rep_id=rep, valid_from=shop.now, recorded_at=shop.now, attributes=attributes
    )
    with shop.write() as session:
        reps.add_rep_versions(session, [told])


def close(shop: Sales, lead: LeadId) -> None:
    told = Outcome(
        event_id=f"closed {lead}",
        lead_id=lead,
        decision_id=None,
        result=Result.WON,
        closed_at=shop.now,
        recorded_at=shop.now,
    )
    with shop.write() as session:
        record_outcome(session, told)


def decisions(shop: Sales, lead: LeadId) -> list[Decision]:
    """Decisions about a lead, newest first."""
    with shop.read() as session:
        return list(list_decisions(session, limit=9, lead_id=lead).decisions)


def test_a_preview_says_who_would_get_what_and_moves_nothing(shop: Sales) -> None:
    leads, (giver, *heirs) = shop.add_leads(4), shop.add_reps(3)
    give(shop, giver, *leads)

    planned = lines(shop, preview(shop, giver, *heirs))

    assert {one.state for one in planned.values()} == {MoveState.PREVIEWED}
    assert sorted(one.to_rep or "" for one in planned.values()) == sorted(heirs * 2)
    assert shop.owners() == dict.fromkeys(leads, giver)


def test_a_handover_moves_each_lead_once_under_one_id(shop: Sales) -> None:
    leads, (giver, *heirs) = shop.add_leads(4), shop.add_reps(3)
    give(shop, giver, *leads)
    made = preview(shop, giver, *heirs)
    shop.wait(hours=1)

    first, again = commit(shop, made), commit(shop, made)

    assert first == again == {MoveState.MOVED: 4}
    assert shop.owners() == {
        lead: one.to_rep for lead, one in lines(shop, made).items()
    }
    with shop.read() as session:
        for lead in leads:
            *_, last = ownership.get_events(session, lead)
            assert (last.kind, last.cause) == (OwnershipKind.TRANSFERRED, "handover")
            newest = decisions(shop, lead)[0]
            assert newest.cause is Cause.HANDOVER
            assert newest.decision_id == last.decision_id
            assert newest.decision_id == lines(shop, made)[lead].decision_id


def test_the_filter_says_which_leads_go(shop: Sales) -> None:
    (giver, heir) = shop.add_reps(2)
    north, south = shop.add_leads(2, region="North"), shop.add_leads(1, region="South")
    give(shop, giver, *north, *south)

    commit(shop, preview(shop, giver, heir, leads={"region": ["North"]}))

    assert shop.owners() == {
        **dict.fromkeys(north, heir),
        **dict.fromkeys(south, giver),
    }


def test_a_lead_that_nobody_can_take_stays_and_the_reason_is_told(shop: Sales) -> None:
    (giver,) = shop.add_reps(1)
    (full,) = shop.add_reps(1, holding_limit=1)
    (mute,) = shop.add_reps(1, languages=frozenset({"fr"}), holding_limit=9)
    leads = shop.add_leads(3, language="de")
    give(shop, giver, *leads)

    made = preview(shop, giver, full, mute)
    commit(shop, made)

    left = [one for one in lines(shop, made).values() if one.to_rep is None]
    assert [set(one.why) for one in left] == [
        {
            "1 rep: Holds as many open leads as allowed.",
            "1 rep: Does not speak the lead's language.",
        }
    ] * 2
    assert sorted(shop.owners().values()) == sorted([giver, giver, full])


def test_what_a_rep_takes_over_is_no_intake_of_the_day(shop: Sales) -> None:
    (giver,) = shop.add_reps(1)
    (heir,) = shop.add_reps(1, intake_per_day=1, holding_limit=9)
    leads = shop.add_leads(4)
    give(shop, giver, *leads[:3])

    commit(shop, preview(shop, giver, heir))
    give(shop, heir, leads[3])

    assert set(shop.owners().values()) == {heir}


def test_closed_leads_stay_with_who_closed_them(shop: Sales) -> None:
    leads, (giver, heir) = shop.add_leads(2), shop.add_reps(2)
    give(shop, giver, *leads)
    close(shop, leads[0])

    made = preview(shop, giver, heir)
    close(shop, leads[1])

    assert list(lines(shop, made)) == [leads[1]]
    assert commit(shop, made) == {MoveState.CHANGED: 1}
    assert shop.owners() == dict.fromkeys(leads, giver)


def test_who_changed_since_the_preview_is_looked_at_again(shop: Sales) -> None:
    (giver, other, away), leads = shop.add_reps(3), shop.add_leads(2)
    give(shop, giver, *leads)
    made = preview(shop, giver, away)
    shop.transfer(leads[0], other)
    shop.wait(hours=1)
    today = date(2026, 3, 25)
    set_status(shop, away, RepAttributes(leave=(Leave(today, today),)))

    assert commit(shop, made) == {MoveState.CHANGED: 1, MoveState.EXCLUDED: 1}
    assert shop.owners() == {leads[0]: other, leads[1]: giver}


def test_a_limit_reached_since_the_preview_is_kept(shop: Sales) -> None:
    (giver,), leads = shop.add_reps(1), shop.add_leads(3)
    (heir,) = shop.add_reps(1, holding_limit=2)
    give(shop, giver, *leads[:2])
    made = preview(shop, giver, heir)
    give(shop, heir, leads[2])

    assert commit(shop, made) == {MoveState.FULL: 1, MoveState.MOVED: 1}


def test_undo_gives_back_exactly_what_has_not_moved_on(shop: Sales) -> None:
    leads, (giver, heir, other) = shop.add_leads(4), shop.add_reps(3)
    give(shop, giver, *leads)
    since = shop.since(leads[0])
    made = preview(shop, giver, heir)
    shop.wait(hours=1)
    commit(shop, made)
    shop.wait(days=1)
    shop.transfer(leads[1], other)
    close(shop, leads[2])
    shop.drop(leads[3])
    shop.claim(heir, leads[3])

    first, again = undo(shop, made), undo(shop, made)

    assert first == again == {MoveState.RETURNED: 1, MoveState.KEPT: 3}
    assert shop.owners() == {
        leads[0]: giver, leads[1]: other, leads[2]: heir, leads[3]: heir
    }  # fmt: skip
    assert shop.since(leads[0]) > since
    with shop.read() as session:
        owned = ownership.get_owner(session, leads[0])
    assert owned is not None
    assert owned.decision_id == decisions(shop, leads[0])[-1].decision_id


def test_undo_is_for_a_time_only(store: Store, tmp_path: Path) -> None:
    shop = sales(store, tmp_path, settings={"handover": {"undo_days": 2}})
    (lead,), (giver, heir) = shop.add_leads(1), shop.add_reps(2)
    give(shop, giver, lead)
    made = preview(shop, giver, heir)
    with pytest.raises(Conflict, match="not committed"):
        undo(shop, made)
    commit(shop, made)

    shop.wait(days=2, seconds=1)

    with pytest.raises(Conflict, match="could be undone until"):
        undo(shop, made)
    assert shop.owners() == {lead: heir}


def test_what_was_undone_is_not_committed_again(shop: Sales) -> None:
    (lead,), (giver, heir) = shop.add_leads(1), shop.add_reps(2)
    give(shop, giver, lead)
    made = preview(shop, giver, heir)
    commit(shop, made)
    undo(shop, made)

    with pytest.raises(Conflict, match="undone"):
        commit(shop, made)


def test_who_leaves_is_marked_so_by_the_commit_and_back_by_the_undo(
    shop: Sales,
) -> None:
    (lead,), (giver, heir) = shop.add_leads(1), shop.add_reps(2)
    give(shop, giver, lead)
    made = preview(shop, giver, heir, leaves=True)
    shop.wait(hours=1)
    assert status(shop, giver) is RepStatus.ACTIVE

    commit(shop, made)
    assert status(shop, giver) is RepStatus.LEFT
    shop.wait(hours=1)
    undo(shop, made)

    assert status(shop, giver) is RepStatus.ACTIVE
    assert shop.owners() == {lead: giver}


def test_a_killed_commit_goes_on_where_it_stopped(
    shop: Sales, monkeypatch: pytest.MonkeyPatch
) -> None:
    leads, (giver, heir) = shop.add_leads(5), shop.add_reps(2)
    give(shop, giver, *leads)
    made = preview(shop, giver, heir)
    monkeypatch.setattr(handover_moves, "AT_ONCE", 2)

    def die(_share: float, _words: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        commit_handover(shop.context, shop.tenant_id, made, actor="boss", report=die)

    assert commit(shop, made) == {MoveState.MOVED: 5}
    with shop.read() as session:
        moves = [
            one.kind for lead in leads for one in ownership.get_events(session, lead)
        ]
    assert moves.count(OwnershipKind.TRANSFERRED) == 5


def test_webhooks_hear_of_the_handover_and_of_every_lead(shop: Sales) -> None:
    (lead,), (giver, heir) = shop.add_leads(1), shop.add_reps(2)
    give(shop, giver, lead)
    with shop.write() as session:
        hook = add_endpoint(session, "https://crm.example/hook", at=shop.now)
    made = preview(shop, giver, heir)
    commit(shop, made)
    commit(shop, made)
    undo(shop, made)

    with shop.read() as session:
        told = outbox.list_deliveries(session, hook.endpoint.endpoint_id)
    assert sorted(one.type.removeprefix("rightrep.") for one in told) == [
        "handover.committed",
        "handover.previewed",
        "handover.undone",
        "lead.transferred",
        "lead.transferred",
    ]


def test_nonsense_is_refused_in_a_sentence(shop: Sales) -> None:
    (lead,), (giver, heir) = shop.add_leads(1), shop.add_reps(2)

    with pytest.raises(InvalidInput, match="nothing to hand over"):
        preview(shop, giver, heir)
    give(shop, giver, lead)
    with pytest.raises(InvalidInput, match="to themselves"):
        preview(shop, giver, giver)
    with pytest.raises(InvalidInput, match="no policy"):
        preview(shop, giver, heir, policy="best")
    with pytest.raises(InvalidInput, match="cannot ask for"):
        preview(shop, giver, heir, leads={"phone": ["1"]})
    with pytest.raises(NotFound):
        preview(shop, giver, RepId("nobody"))
    with pytest.raises(NotFound):
        commit(shop, "nothing")


@given(data=st.data())
@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_every_lead_has_one_owner_before_and_after(
    store: Store, tmp_path: Path, data: st.DataObject
) -> None:
    name = data.draw(st.uuids(), label="tenant").hex
    shop = sales(store, tmp_path, tenant_id=name)
    limits = data.draw(
        st.lists(st.none() | st.integers(0, 3), min_size=1, max_size=3), label="limits"
    )
    (giver,) = shop.add_reps(1)
    heirs = [shop.add_reps(1, holding_limit=limit)[0] for limit in limits]
    leads = shop.add_leads(data.draw(st.integers(1, 6), label="leads"))
    give(shop, giver, *leads)
    policy = data.draw(
        st.sampled_from(["round_robin", "least_loaded", "weighted", "optimal"]),
        label="policy",
    )
    before = shop.owners()

    made = preview(shop, giver, *heirs, policy=policy)
    commit(shop, made)

    after, planned = shop.owners(), lines(shop, made)
    assert set(after) == set(leads)
    assert after == {lead: one.to_rep or giver for lead, one in planned.items()}
    for heir, limit in zip(heirs, limits, strict=True):
        assert limit is None or list(after.values()).count(heir) <= limit
    require_projection(shop)
    undo(shop, made)
    assert shop.owners() == before
    require_projection(shop)


def test_two_that_commit_at_once_move_each_lead_once(
    shop: Sales, monkeypatch: pytest.MonkeyPatch
) -> None:
    leads, (giver, heir) = shop.add_leads(6), shop.add_reps(2)
    give(shop, giver, *leads)
    made = preview(shop, giver, heir)
    monkeypatch.setattr(handover_moves, "AT_ONCE", 1)

    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(commit, shop, made) for _ in range(2)]

    assert [one.result() for one in both] == [{MoveState.MOVED: 6}] * 2
    with shop.read() as session:
        moves = [
            one.kind for lead in leads for one in ownership.get_events(session, lead)
        ]
    assert moves.count(OwnershipKind.TRANSFERRED) == 6
