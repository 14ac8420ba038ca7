"""What a CRM tells us: outcomes and activities, once each; costs and rates."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import delete, func, select

from rightrep.domain.activity import Activity, ActivityKind
from rightrep.domain.ids import DecisionId, LeadId
from rightrep.domain.money import Money
from rightrep.domain.outcome import Outcome, Result
from rightrep.errors import Conflict, InvalidInput, KeyReused, NotFound
from rightrep.store.activities import (
    list_activities,
    record_activities,
    record_activity,
)
from rightrep.store.capacity import NO_LIMITS, take_lead
from rightrep.store.channel_costs import (
    ChannelCost,
    list_channel_costs,
    save_channel_costs,
)
from rightrep.store.decisions import log_decisions
from rightrep.store.engine import Store
from rightrep.store.guard import of_tenant
from rightrep.store.outcomes import (
    get_outcome,
    list_outcomes,
    record_outcome,
    record_outcomes,
    standing_outcome,
)
from rightrep.store.rates import Rate, get_rates, save_rates
from rightrep.store.reps import roster
from rightrep.store.schema import notes
from tests.store_records import ACME, NOON, TODAY, add_leads, add_reps, at, decision


def won(lead_id: LeadId, event_id: str = "e1", hours: float = 5) -> Outcome:
    return Outcome(
        event_id=event_id,
        lead_id=lead_id,
        decision_id=None,
        result=Result.WON,
        closed_at=at(hours),
        recorded_at=at(hours),
        value=Money(1_230, "CNY"),
        reason="good_fit",
    )


def call(lead_id: LeadId, event_id: str = "a1", hours: float = 1) -> Activity:
    return Activity(
        event_id=event_id,
        kind=ActivityKind.CALL,
        lead_id=lead_id,
        rep_id=None,
        happened_at=at(hours),
        recorded_at=at(hours),
        result="reached",
        score=9.0,
        latitude=31.2,
        longitude=121.5,
        note="喜欢 ERP",
    )


def test_an_outcome_told_twice_is_logged_once(store: Store) -> None:
    with store.write(ACME) as session:
        (lead_id,) = add_leads(session, 1)

        assert record_outcome(session, won(lead_id))
        later = replace(won(lead_id), recorded_at=at(8))
        assert not record_outcome(session, later)

        assert list_outcomes(session, lead_id) == [won(lead_id)]


def test_the_same_id_with_another_body_is_refused(store: Store) -> None:
    with store.write(ACME) as session:
        (lead_id,) = add_leads(session, 1)
        record_outcome(session, won(lead_id))
        record_activity(session, call(lead_id))

        with pytest.raises(KeyReused):
            record_outcome(session, replace(won(lead_id), result=Result.LOST))
        with pytest.raises(KeyReused):
            record_outcome(session, replace(won(lead_id), value=Money(1, "CNY")))
        with pytest.raises(KeyReused):
            record_activity(session, replace(call(lead_id), score=1.0))
        with pytest.raises(KeyReused):
            record_activity(session, replace(call(lead_id), note="another"))


def test_the_same_instant_in_another_zone_is_the_same_message(store: Store) -> None:
    with store.write(ACME) as session:
        (lead_id,) = add_leads(session, 1)
        record_outcome(session, won(lead_id))
        there = won(lead_id).closed_at.astimezone(ZoneInfo("Asia/Shanghai"))

        assert not record_outcome(session, replace(won(lead_id), closed_at=there))


def test_one_call_may_tell_the_same_thing_twice_but_not_two_things(
    store: Store,
) -> None:
    with store.write(ACME) as session:
        (lead_id,) = add_leads(session, 1)
        told = [call(lead_id), call(lead_id), call(lead_id, "a2")]

        assert record_activities(session, told) == [True, False, True]
        with pytest.raises(KeyReused):
            record_activities(session, [call(lead_id, "a3"), call(lead_id, "a3", 9)])


def test_an_outcome_judges_the_last_decision_before_it(store: Store) -> None:
    with store.write(ACME) as session:
        (lead_id,) = add_leads(session, 1)
        (rep_id,) = add_reps(session, 1)
        made = [decision(lead_id, rep_id, at(hours)) for hours in (1, 2, 6)]
        log_decisions(session, made)

        record_outcome(session, won(lead_id))
        record_outcome(session, won(lead_id, "e2", hours=0.5))

        assert get_outcome(session, "e1").decision_id == made[1].decision_id
        assert get_outcome(session, "e2").decision_id is None


def test_an_outcome_of_a_later_decision_does_not_change_the_message(
    store: Store,
) -> None:
    with store.write(ACME) as session:
        (lead_id,) = add_leads(session, 1)
        (rep_id,) = add_reps(session, 1)
        record_outcome(session, won(lead_id))
        log_decisions(session, [decision(lead_id, rep_id, at(1))])

        assert not record_outcome(session, won(lead_id))


def test_an_outcome_names_only_what_is_there_and_its_own(store: Store) -> None:
    with store.write(ACME) as session:
        lead_id, other = add_leads(session, 2)
        (rep_id,) = add_reps(session, 1)
        made = decision(other, rep_id)
        log_decisions(session, [made])
        record_outcome(session, won(other, "theirs"))
        mine = won(lead_id)

        for wrong, error in (
            (replace(mine, lead_id=LeadId("x")), NotFound),
            (replace(mine, decision_id=DecisionId("x")), NotFound),
            (replace(mine, decision_id=made.decision_id), InvalidInput),
            (replace(mine, replaces="x"), NotFound),
            (replace(mine, replaces="theirs"), InvalidInput),
            (replace(mine, replaces=mine.event_id), InvalidInput),
        ):
            with pytest.raises(error):
                record_outcome(session, wrong)
        with pytest.raises(NotFound):
            get_outcome(session, "e1")


def test_a_correction_replaces_an_outcome_and_both_are_kept(store: Store) -> None:
    with store.write(ACME) as session:
        (lead_id,) = add_leads(session, 1)
        first = won(lead_id)
        second = replace(
            first, event_id="e2", result=Result.LOST, value=None, replaces="e1"
        )
        assert standing_outcome(session, lead_id) is None
        record_outcomes(session, [first, second])

        assert standing_outcome(session, lead_id) == second
        assert list_outcomes(session, lead_id) == [first, second]
        assert not record_outcome(session, second)
        with pytest.raises(Conflict):
            record_outcome(session, replace(second, event_id="e3"))


def test_a_closed_lead_frees_the_slot_unless_it_is_told_not_to(store: Store) -> None:
    with store.write(ACME) as session:
        leads = add_leads(session, 2)
        (rep_id,) = add_reps(session, 1)
        for lead_id in leads:
            take_lead(
                session, decision(lead_id, rep_id), limits=NO_LIMITS, local_day=TODAY
            )

        record_outcome(session, won(leads[0]))
        record_outcome(session, won(leads[1], "e2"), frees_slot=False)

        (entry,) = roster(session, as_of=at(9), local_day=TODAY)
        assert entry.held == 1


def test_an_activity_comes_back_as_it_was_until_its_note_is_erased(
    store: Store,
) -> None:
    with store.write(ACME) as session:
        (lead_id,) = add_leads(session, 1)
        record_activity(session, call(lead_id))

        assert list_activities(session, lead_id) == [call(lead_id)]
        session.execute(delete(notes).where(of_tenant(notes)))
        assert list_activities(session, lead_id) == [replace(call(lead_id), note=None)]
        assert not record_activity(session, call(lead_id))
        assert (
            session.execute(
                select(func.count()).select_from(notes).where(of_tenant(notes))
            ).scalar_one()
            == 0
        )


def test_thousands_of_messages_land_once(store: Store) -> None:
    with store.write(ACME) as session:
        leads = add_leads(session, 6_000)
        outcomes = [won(lead_id, f"o{k}") for k, lead_id in enumerate(leads)]
        activities = [call(lead_id, f"a{k}") for k, lead_id in enumerate(leads)]

        assert all(record_outcomes(session, outcomes))
        assert all(record_activities(session, activities))
        assert not any(record_outcomes(session, outcomes))
        assert not any(record_activities(session, activities))


def test_a_day_s_cost_of_a_channel_can_be_set_anew(store: Store) -> None:
    def cost(day: int, minor: int) -> ChannelCost:
        return ChannelCost(
            channel="fair", day=date(2026, 3, day), cost=Money(minor, "CNY")
        )

    with store.write(ACME) as session:
        save_channel_costs(session, [cost(1, 100), cost(2, 200), cost(9, 900)])
        save_channel_costs(session, [cost(2, 250)])

        found = list_channel_costs(
            session, first=date(2026, 3, 1), last=date(2026, 3, 8)
        )

    assert found == [cost(1, 100), cost(2, 250)]


def test_money_is_converted_at_the_rate_of_its_day(store: Store) -> None:
    first, second = date(2026, 1, 1), date(2026, 2, 1)
    with store.write(ACME) as session:
        save_rates(
            session,
            [
                Rate(
                    from_currency="EUR", to_currency="CNY", day=day, rate=Decimal(rate)
                )
                for day, rate in ((first, "7.8"), (second, "7.123456789"))
            ],
        )
        rates = get_rates(session, "CNY")

    euro = Money(100, "EUR")
    assert rates.convert(euro, first - timedelta(1)) == Money(780, "CNY")
    assert rates.convert(euro, second - timedelta(1)) == Money(780, "CNY")
    assert rates.on("EUR", date(2027, 1, 1)) == Decimal("7.123456789")
    assert rates.convert(Money(5, "CNY"), first) == Money(5, "CNY")
    assert rates.on("CNY", first) == 1
    with pytest.raises(InvalidInput):
        rates.convert(Money(5, "USD"), first)


def test_a_rate_is_positive(store: Store) -> None:
    wrong = Rate(
        from_currency="EUR", to_currency="CNY", day=NOON.date(), rate=Decimal(0)
    )
    with store.write(ACME) as session, pytest.raises(InvalidInput):
        save_rates(session, [wrong])
