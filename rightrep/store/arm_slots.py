"""What each arm gave: counted in the transaction that gives it.

Whoever takes leads for an arm has locked the loads of their reps (``capacity``), so
nobody else counts for these reps meanwhile, and any number of processes keep to an
arm's slots. The counts are a projection of the logged decisions.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

import numpy as np
from sqlalchemy import Insert, bindparam, func, select

from rightrep.domain.decision import Given
from rightrep.domain.ids import RepId
from rightrep.domain.roster import UNLIMITED
from rightrep.domain.slots import ArmKey, IntArray, SlotSplit
from rightrep.store.exclusions import Exclusions
from rightrep.store.guard import of_tenant
from rightrep.store.schema_arms import arm_days, arm_reps
from rightrep.store.session import ReadSession, WriteSession
from rightrep.store.sets import any_of


@dataclass(frozen=True, slots=True)
class ArmRep:
    """What one arm gave one rep so far.

    Attributes:
        given: Leads.
        had_turn: Whether the rep has had their turn in the arm's present cycle.
        last_given_at: When the last one was given, or None.
    """

    given: int = 0
    had_turn: bool = False
    last_given_at: datetime | None = None


@dataclass(slots=True)
class ArmRooms:
    """Slots that each part of a split may still give, while leads are taken.

    Attributes:
        split: The parts.
        left: By rep, one number per part.
    """

    split: SlotSplit
    left: dict[RepId, list[int]] = field(default_factory=dict)

    def is_full(self, decision: Given) -> bool:
        """Whether the decision's arm has no slot of its rep left."""
        part = self._part(decision)
        return part is not None and self.left[decision.rep_id][part] < 1

    def take(self, decision: Given) -> None:
        """Use up a slot of the decision's arm, if it has one."""
        part = self._part(decision)
        if part is not None:
            self.left[decision.rep_id][part] -= 1

    def _part(self, decision: Given) -> int | None:
        arm = arm_of(decision)
        return None if arm is None else self.split.part_of(arm)


NO_ARMS = ArmRooms(SlotSplit((), ""))
"""No experiment runs: nobody's slots are shared."""


def arm_of(decision: Given) -> ArmKey | None:
    """The arm that decided, or None."""
    if decision.experiment is None or decision.arm is None:
        return None
    return ArmKey(decision.experiment, decision.arm)


def given_by_arms(
    session: ReadSession, experiments: Iterable[str], *, first: date, last: date
) -> dict[ArmKey, dict[tuple[RepId, date], int]]:
    """Leads each arm gave each rep on each of some local days, both ends included."""
    asked = {"names": sorted(experiments), "first": first, "last": last}
    found: dict[ArmKey, dict[tuple[RepId, date], int]] = defaultdict(dict)
    for row in session.execute(_GIVEN, asked):
        found[ArmKey(row.experiment, row.arm)][row.rep_id, row.local_day] = row.given
    return found


def part_counts(
    session: ReadSession, split: SlotSplit, reps: Sequence[RepId], day: date
) -> IntArray:
    """Leads each part of a split gave each rep on a day; int64 (n_reps, n_parts)."""
    names = {arm.experiment for arm in split.arms}
    given = given_by_arms(session, names, first=day, last=day)
    count = np.zeros((len(reps), len(split.parts)), dtype=np.int64)
    place = {rep: j for j, rep in enumerate(reps)}
    for arm, by_rep in given.items():
        part = split.part_of(arm)
        if part is None:
            continue
        for (rep, _), n_given in by_rep.items():
            if rep in place:
                count[place[rep], part] += n_given
    return count


def read_arm_reps(session: ReadSession, arm: ArmKey) -> dict[RepId, ArmRep]:
    """What an arm gave each rep so far; reps without any are left out."""
    asked = {"experiment": arm.experiment, "arm": arm.arm}
    return {
        row.rep_id: ArmRep(row.given, row.had_turn, row.last_given_at)
        for row in session.execute(_REPS, asked)
    }


def arm_rooms(
    session: WriteSession, split: SlotSplit, rooms: Mapping[RepId, float], day: date
) -> ArmRooms:
    """Slots left of each part; the caller has locked the loads of these reps.

    Args:
        session: Where the leads are taken.
        split: How slots are shared.
        rooms: Leads each rep may still take today, whoever gives them.
        day: The local day.
    """
    reps = list(rooms)
    room = np.array([min(rooms[rep], UNLIMITED) for rep in reps], dtype=np.int64)
    given = part_counts(session, split, reps, day)
    left = split.left(np.maximum(room, 0), given, reps, day)
    return ArmRooms(split, dict(zip(reps, left.tolist(), strict=True)))


def count_gifts(
    session: WriteSession,
    made: Sequence[Given],
    exclusions: Exclusions | None,
    *,
    split: SlotSplit | None,
    day: date,
) -> None:
    """Count what arms gave, in the transaction of the decisions and in their order.

    Args:
        session: Where the decisions were logged.
        made: The decisions; those of no arm of the split are passed over.
        exclusions: Codes of each of them: who is not excluded was drawn among.
        split: How slots are shared, or None where no arm has any.
        day: The local day.
    """
    if split is None:
        return
    by_arm: dict[ArmKey, list[int]] = defaultdict(list)
    for place, decision in enumerate(made):
        arm = arm_of(decision)
        if arm is not None and split.part_of(arm) is not None:
            by_arm[arm].append(place)
    # In one order everywhere: a lot's turns are those of reps whom nobody has locked.
    for arm in sorted(by_arm, key=lambda key: (key.experiment, key.arm)):
        places = by_arm[arm]
        gifts = [made[place] for place in places]
        mine = None
        if exclusions is not None:
            mine = Exclusions(exclusions.reps, exclusions.codes[places])
        _count_days(session, arm, gifts, day)
        _count_reps(session, arm, gifts, turns_after(gifts, mine))


def turns_after(
    gifts: Sequence[Given], exclusions: Exclusions | None
) -> dict[RepId, bool]:
    """Who has had their turn in the cycle after some decisions of one arm.

    A rep has when the last lot that could have drawn them did.

    Args:
        gifts: The decisions, in order.
        exclusions: Codes of each of them, or None.

    Returns:
        By rep whom a lot could have drawn; the others' turns are as they were.
    """
    if exclusions is None:
        return {decision.rep_id: True for decision in gifts}
    reps, unknown = exclusions.reps, -1
    had = np.full(len(reps), unknown, dtype=np.int64)
    column = {rep: j for j, rep in enumerate(reps)}
    for decision, codes in zip(gifts, exclusions.codes, strict=True):
        # Without a propensity nothing was drawn: the winner had gone meanwhile.
        if decision.propensity is not None:
            had[codes == 0] = 0
        had[column[decision.rep_id]] = 1
    told = np.flatnonzero(had != unknown).tolist()
    return {reps[j]: bool(had[j]) for j in told}


def _count_days(
    session: WriteSession, arm: ArmKey, gifts: Sequence[Given], day: date
) -> None:
    count = Counter(decision.rep_id for decision in gifts)
    rows = [
        {**_key(arm, rep), "local_day": day, "given": count[rep]}
        for rep in sorted(count)
    ]
    adding = session.insert(arm_days)
    keys = list(arm_days.primary_key)
    more = {"given": arm_days.c.given + adding.excluded.given}
    session.execute(adding.on_conflict_do_update(index_elements=keys, set_=more), rows)


def _count_reps(
    session: WriteSession,
    arm: ArmKey,
    gifts: Sequence[Given],
    turns: Mapping[RepId, bool],
) -> None:
    known = read_arm_reps(session, arm)
    last = {decision.rep_id: decision.decided_at for decision in gifts}
    count = Counter(decision.rep_id for decision in gifts)
    rows = [
        {
            **_key(arm, rep),
            "given": count[rep],
            "had_turn": turns[rep],
            "last_given_at": last.get(rep),
        }
        for rep in sorted(turns)
        if count[rep] or turns[rep] != known.get(rep, ArmRep()).had_turn
    ]
    session.execute(_add_to_reps(session), rows)


def _add_to_reps(session: WriteSession) -> Insert:
    """Adds, and never sets: only reps who were given a lead are locked."""
    adding = session.insert(arm_reps)
    new = adding.excluded
    values = {
        "given": arm_reps.c.given + new.given,
        "had_turn": new.had_turn,
        "last_given_at": func.coalesce(new.last_given_at, arm_reps.c.last_given_at),
    }
    keys = list(arm_reps.primary_key)
    return adding.on_conflict_do_update(index_elements=keys, set_=values)


def _key(arm: ArmKey, rep: RepId) -> dict[str, str]:
    return {"experiment": arm.experiment, "arm": arm.arm, "rep_id": rep}


_DAY = arm_days.c.local_day
_GIVEN = (
    select(
        arm_days.c.experiment,
        arm_days.c.arm,
        arm_days.c.rep_id,
        _DAY,
        func.sum(arm_days.c.given).label("given"),
    )
    .where(
        of_tenant(arm_days),
        arm_days.c.experiment.in_(any_of("names")),
        _DAY.between(
            bindparam("first", type_=_DAY.type), bindparam("last", type_=_DAY.type)
        ),
    )
    .group_by(arm_days.c.experiment, arm_days.c.arm, arm_days.c.rep_id, _DAY)
)
_REPS = select(
    arm_reps.c.rep_id,
    arm_reps.c.given,
    arm_reps.c.had_turn,
    arm_reps.c.last_given_at,
).where(
    of_tenant(arm_reps),
    arm_reps.c.experiment == bindparam("experiment"),
    arm_reps.c.arm == bindparam("arm"),
)
