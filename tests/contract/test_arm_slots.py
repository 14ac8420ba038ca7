"""Slots of arms: kept apart in the database, counted with the decision."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rightrep.domain.decision import Decision
from rightrep.domain.ids import LeadId, RepId
from rightrep.domain.ownership import OwnershipKind
from rightrep.domain.slots import ArmKey, SlotPart, SlotSplit
from rightrep.errors import CapacityReached
from rightrep.store.arm_slots import ArmRep, part_counts, read_arm_reps, turns_after
from rightrep.store.capacity import Limits, pass_on, take_lead, take_leads
from rightrep.store.engine import Store
from rightrep.store.exclusions import Exclusions
from rightrep.store.experiments import create_experiment
from rightrep.store.ownership import release_lead
from tests.contract.test_ops_experiments import SPRING
from tests.store_records import (
    ACME,
    TODAY,
    add_leads,
    add_reps,
    add_tenant,
    at,
    decision,
)

CONTROL, TREATMENT = ArmKey("spring", "control"), ArmKey("spring", "treatment")
SPLIT = SlotSplit((SlotPart(0.5, (CONTROL,)), SlotPart(0.5, (TREATMENT,))), "salt")
FOUR = Limits(intake_per_day=4)


def prepare(
    store: Store, leads: int = 8, reps: int = 2
) -> tuple[list[LeadId], list[RepId]]:
    add_tenant(store)
    with store.write(ACME) as session:
        create_experiment(session, SPRING)
        return add_leads(session, leads), add_reps(session, reps)


def by(arm: ArmKey, lead_id: LeadId, rep_id: RepId, **more: Any) -> Decision:
    made = decision(lead_id, rep_id)
    return replace(made, experiment=arm.experiment, arm=arm.arm, **more)


def test_an_arm_stops_at_its_slots_and_the_other_has_its_own(store: Store) -> None:
    leads, [wang, _] = prepare(store)
    made = [by(CONTROL, lead, wang) for lead in leads[:3]]
    made += [by(TREATMENT, lead, wang) for lead in leads[3:6]]

    with store.write(ACME) as session:
        returned = take_leads(
            session, made, limits={wang: FOUR}, local_day=TODAY, split=SPLIT
        )

    assert [(one.decision.lead_id, str(one.why)) for one in returned] == [
        (leads[2], f"Rep {wang} has reached the arm limit."),
        (leads[5], f"Rep {wang} has reached the intake limit."),
    ]
    with store.read(ACME) as session:
        assert part_counts(session, SPLIT, [wang], TODAY).tolist() == [[2, 2]]


def test_what_goes_to_neither_arm_is_missing_from_both(store: Store) -> None:
    leads, [wang, _] = prepare(store)
    with store.write(ACME) as session:
        others = [decision(lead, wang) for lead in leads[:2]]
        take_leads(session, others, limits={wang: FOUR}, local_day=TODAY, split=SPLIT)
        take_lead(
            session,
            by(CONTROL, leads[2], wang),
            limits=FOUR,
            local_day=TODAY,
            split=SPLIT,
        )
        with pytest.raises(CapacityReached, match="arm limit"):
            take_lead(
                session,
                by(CONTROL, leads[3], wang),
                limits=FOUR,
                local_day=TODAY,
                split=SPLIT,
            )


def test_a_lead_that_is_passed_on_uses_a_slot_of_its_arm(store: Store) -> None:
    leads, [wang, li] = prepare(store)
    two = Limits(intake_per_day=2)
    with store.write(ACME) as session:
        take_lead(
            session, by(CONTROL, leads[0], li), limits=two, local_day=TODAY, split=SPLIT
        )
        take_lead(session, decision(leads[1], wang), limits=two, local_day=TODAY)

    with store.write(ACME) as session, pytest.raises(CapacityReached, match="arm"):
        pass_on(
            session,
            [by(CONTROL, leads[1], li)],
            held_by=wang,
            limits={li: two},
            local_day=TODAY,
            cause="untouched",
            split=SPLIT,
        )
    with store.write(ACME) as session:
        pass_on(
            session,
            [by(TREATMENT, leads[1], li)],
            held_by=wang,
            limits={li: two},
            local_day=TODAY,
            cause="untouched",
            split=SPLIT,
        )
        assert part_counts(session, SPLIT, [wang, li], TODAY).tolist() == [
            [0, 0],
            [1, 1],
        ]


def test_a_slot_that_is_given_back_counts_as_given_today(store: Store) -> None:
    leads, [wang, _] = prepare(store)
    holding = Limits(holding=2)
    with store.write(ACME) as session:
        take_lead(
            session,
            by(CONTROL, leads[0], wang),
            limits=holding,
            local_day=TODAY,
            split=SPLIT,
        )
        release_lead(
            session,
            leads[0],
            OwnershipKind.DROPPED,
            at=at(13),
            actor="k",
            cause="test",
            held_by=wang,
        )
        counts = part_counts(session, SPLIT, [wang], TODAY)
        assert counts.tolist() == [[1, 0]]
        assert SPLIT.left(np.array([2]), counts, [wang], TODAY).sum() == 2


def test_turns_of_a_cycle_are_what_the_logged_lots_say(store: Store) -> None:
    leads, reps = prepare(store, leads=4, reps=3)
    codes = np.array([[0, 0, 0], [1, 0, 0], [0, 0, 9]], dtype=np.uint8)
    gifts = [
        by(
            CONTROL,
            leads[k],
            reps[j],
            propensity=p,
            decided_at=at(k),
            recorded_at=at(k),
        )
        for k, (j, p) in enumerate([(0, 1 / 3), (1, 1 / 2), (0, 1 / 2)])
    ]

    for k, gift in enumerate(gifts):
        with store.write(ACME) as session:
            take_lead(
                session,
                gift,
                limits=Limits(),
                local_day=TODAY,
                exclusions=Exclusions(reps, codes[k : k + 1]),
                split=SPLIT,
            )

    # The third lot drew among the first two again: a new cycle began for them.
    turns = turns_after(gifts, Exclusions(reps, codes))
    assert turns == {reps[0]: True, reps[1]: False, reps[2]: False}
    with store.read(ACME) as session:
        assert read_arm_reps(session, CONTROL) == {
            reps[0]: ArmRep(2, had_turn=True, last_given_at=at(2)),
            reps[1]: ArmRep(1, had_turn=False, last_given_at=at(1)),
        }
        assert read_arm_reps(session, TREATMENT) == {}
