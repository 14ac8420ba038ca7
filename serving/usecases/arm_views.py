"""What each arm sees of the reps: its own slots, queue, loads, turns and floors.

An arm counts what it gave alone: the other's leads neither use up its slots nor move
its queue. What the arms cannot help sharing is in ``docs/arms.md``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from optimizer.problem import FloatArray, IntArray
from rightrep.domain.days import local_day
from rightrep.domain.decision import Decision
from rightrep.domain.eligibility import CodeArray, Exclusion
from rightrep.domain.experiment import AS_RULED, LOT, Arm, Experiment
from rightrep.domain.ids import RepId
from rightrep.domain.lead import LeadKind
from rightrep.domain.lottery import lottery_draw
from rightrep.domain.presence import month_so_far
from rightrep.domain.roster import UNLIMITED, micros
from rightrep.domain.routing import Routing, routing_of_arm
from rightrep.domain.rule_sets import ByPolicy, Routed, Sticky
from rightrep.domain.slots import ArmKey, split_slots
from rightrep.store.arm_slots import (
    ArmRep,
    arm_of,
    given_by_arms,
    part_counts,
    read_arm_reps,
    turns_after,
)
from rightrep.store.exclusions import Exclusions
from rightrep.store.session import ReadSession
from serving.usecases.arms import NO_ARM, Drawn, arms_in_force, draw_arms
from serving.usecases.fair_shares import FairTerms, read_terms, window
from serving.usecases.rule_inputs import Past
from serving.usecases.ruling import OVER_TIME, Ruling, by_one_policy, rule_on
from serving.usecases.situation import ArmShare, Situation
from serving.usecases.win_rates import WinRateBook

_SEED = 1 << 53


@dataclass(frozen=True, eq=False)
class Arming:
    """Leads drawn for arms, and where each arm stands with every rep.

    Attributes:
        drawn: The draws.
        ruling: What the rules say, or the one policy that goes over time; or None.
        given: Leads that each part of the slots gave each rep today; int64 (n_reps,
            n_parts).
        reps: What each arm of these leads gave each rep so far.
        days: Leads each such arm gave on each day of the month so far, where its policy
            asks; int64 (n_reps, n_days).
        fair: What is fair in each such arm, where fairness is asked for.
        wanting: Leads of each such arm that each rep could take, where they are shared
            out at once; int64 (n_reps,).
    """

    drawn: Drawn
    ruling: Ruling | None
    given: IntArray
    reps: Mapping[ArmKey, Mapping[RepId, ArmRep]]
    days: Mapping[ArmKey, IntArray] = field(default_factory=dict)
    fair: Mapping[ArmKey, FairTerms] = field(default_factory=dict)
    wanting: Mapping[ArmKey, IntArray] = field(default_factory=dict)

    @property
    def arms(self) -> list[tuple[int, Experiment, Arm]]:
        """Arms that have leads here, with their places."""
        held = self.drawn.in_force.arms
        places = np.unique(self.drawn.place[self.drawn.place != NO_ARM])
        return [(place, *held[place]) for place in places.tolist()]

    def after_gift(self, decision: Decision, rep: int, given: Exclusions) -> "Arming":
        """The same for the other leads, after one was given.

        Args:
            decision: The decision.
            rep: Place of its rep.
            given: Its exclusions, which say who a lot could have drawn.
        """
        ruling = None if self.ruling is None else self.ruling.after_gift(rep)
        key = arm_of(decision)
        if key is None:
            return replace(self, ruling=ruling)
        count, days = self.given.copy(), dict(self.days)
        count[rep, self.drawn.in_force.split.part_of(key) or 0] += 1
        if key in days:
            days[key] = days[key].copy()
            days[key][rep, -1] += 1
        reps = {**self.reps, key: _counted(self.reps[key], decision, given)}
        return replace(self, ruling=ruling, given=count, reps=reps, days=days)


def _counted(
    before: Mapping[RepId, ArmRep], decision: Decision, given: Exclusions
) -> dict[RepId, ArmRep]:
    """What an arm gave each rep, one more decision included."""
    after = dict(before)
    for rep, had_turn in turns_after([decision], given).items():
        after[rep] = replace(after.get(rep, ArmRep()), had_turn=had_turn)
    its = after[decision.rep_id]
    after[decision.rep_id] = replace(
        its, given=its.given + 1, last_given_at=decision.decided_at
    )
    return after


def read_arming(
    session: ReadSession,
    situation: Situation,
    ruling: Ruling | None,
    book: WinRateBook,
    *,
    only_known: bool = False,
    is_batch: bool = False,
) -> Arming | None:
    """What is in force for these leads; None where no experiment decides.

    Args:
        session: Where to read.
        situation: Leads and roster.
        ruling: What the rules say, or None.
        book: Win rates.
        only_known: Draw no lead that has not been drawn before.
        is_batch: Whether the leads are shared out at once, and fairly where that is
            asked for; else one after another.
    """
    if not situation.leads or situation.kind is not LeadKind.LEAD:
        return None
    in_force = arms_in_force(session)
    if in_force is None:
        return None
    drawn = draw_arms(session, in_force, situation, ruling, only_known=only_known)
    today = local_day(situation.at, situation.tenant.time_zone)
    given = part_counts(session, in_force.split, situation.rep_ids, today)
    found = Arming(drawn, ruling, given, {})
    keys = {in_force.keys[place]: arm for place, _, arm in found.arms}
    if ruling is None and not OVER_TIME.isdisjoint(a.policy for a in keys.values()):
        one = by_one_policy(min(OVER_TIME))
        ruling = rule_on(session, situation, one, book)[1]
    asking = [key for key, arm in keys.items() if _asks_for_days(arm, ruling)]
    return replace(
        found,
        ruling=ruling,
        reps={key: read_arm_reps(session, key) for key in keys},
        days=_days(session, situation, asking),
        fair=_fair(session, situation, drawn, keys) if is_batch else {},
        wanting={
            in_force.keys[place]: situation.eligible[drawn.place == place].sum(axis=0)
            for place, *_ in found.arms
        }
        if is_batch
        else {},
    )


def view_of(
    arming: Arming,
    situation: Situation,
    place: int,
    *,
    rows: IntArray,
    open_slots: IntArray,
) -> tuple[Situation, Ruling | None]:
    """Some leads of one arm as it sees them.

    Args:
        arming: Where the arms stand.
        situation: All leads.
        place: The arm's place in ``in_force.arms``.
        rows: Its leads; int64 (n_rows,).
        open_slots: Leads each rep may still take from anybody; int64 (n_reps,).
    """
    in_force = arming.drawn.in_force
    (experiment, arm), key = in_force.arms[place], in_force.keys[place]
    seen = situation.of_leads(rows)
    share = _share(arming, seen, experiment, key, open_slots)
    codes = seen.codes.copy()
    full = (codes == Exclusion.ELIGIBLE) & (share.open_slots < 1)
    codes[full & (open_slots > 0)] = Exclusion.ARM_LIMIT
    seen = replace(seen, share=share, codes=codes, routing=_routing(situation, arm))
    if arming.ruling is None:
        return seen, None
    ruling = ruling_of(_ruled_by(arm, arming.ruling), rows)
    return seen, replace(ruling, past=_past(arming, seen, key, ruling.past))


def ruling_of(ruling: Ruling, rows: IntArray) -> Ruling:
    """What the rules say of some leads."""
    routed = ruling.routed
    return replace(
        ruling,
        routed=Routed(routed.rule[rows], routed.candidates[rows]),
        past=replace(ruling.past, previous_rep=ruling.past.previous_rep[rows]),
        pools=[ruling.pools[i] for i in rows.tolist()] if ruling.pools else (),
    )


def seed_of(experiment: Experiment, arm: str, situation: Situation, seed: int) -> int:
    """Seed of an arm's draws: known to nobody who has not the experiment's salt."""
    what = f"{situation.at.isoformat()} {situation.lead_ids[0]} {seed}"
    return int(lottery_draw(what, f"{experiment.salt}\x00draws {arm}") * _SEED)


def codes_seen(codes: CodeArray, turns: CodeArray) -> CodeArray:
    """Codes with what a lot in turn saw: who is not excluded was drawn among.

    Args:
        codes: Before the lot; uint8 (n_leads, n_reps).
        turns: As ``policies.look_at_turns`` tells; uint8 (n_leads, n_reps).
    """
    named = np.array(
        [Exclusion.ARM_LIMIT, Exclusion.ELIGIBLE, Exclusion.HAD_TURN], dtype=np.uint8
    )
    return np.where(codes == Exclusion.ELIGIBLE, named[turns], codes)


def _routing(situation: Situation, arm: Arm) -> Routing:
    routing = routing_of_arm(situation.tenant.settings, arm.parameters)
    # Who draws every lead by lot needs no lottery beside it.
    return replace(routing, exploration_share=0.0) if arm.policy == LOT else routing


def _ruled_by(arm: Arm, ruling: Ruling) -> Ruling:
    """The rules with the arm's policy where they let one choose."""
    if arm.policy == AS_RULED:
        return ruling
    rules = tuple(
        replace(rule, choice=ByPolicy(arm.policy))
        if isinstance(rule.choice, ByPolicy | Sticky)
        else rule
        for rule in ruling.rule_set.rules
    )
    return replace(ruling, rule_set=replace(ruling.rule_set, rules=rules))


def _share(
    arming: Arming,
    situation: Situation,
    experiment: Experiment,
    key: ArmKey,
    open_slots: IntArray,
) -> ArmShare:
    given = arming.reps[key]
    of_rep = [given.get(rep, ArmRep()) for rep in situation.rep_ids]
    return ArmShare(
        open_slots=_part(arming, situation, key, open_slots),
        waited=_waited(situation, experiment, of_rep),
        load=np.array([one.given for one in of_rep], dtype=np.int64),
        had_turn=np.array([one.had_turn for one in of_rep], dtype=np.bool_),
    )


def _part(
    arming: Arming, situation: Situation, key: ArmKey, slots: IntArray
) -> IntArray:
    """The arm's part of slots that are open to all arms together; int64 (n_reps,).

    A batch may have leads of several arms that take turns in time: each has so many of
    a rep's slots as there are leads of it that the rep could take.
    """
    split = arming.drawn.in_force.split
    reps, today = situation.rep_ids, local_day(situation.at, situation.tenant.time_zone)
    part = split.part_of(key) or 0
    left = split.left(slots, arming.given, reps, today)[:, part]
    here = [arm for arm in split.parts[part].arms if arm in arming.wanting]
    if len(here) < 2:
        return np.asarray(left)
    wanting = np.column_stack([arming.wanting[arm] for arm in here])
    wanting[wanting.sum(axis=1) == 0] = 1
    lots = [f"{rep} {today.isoformat()} turns" for rep in reps]
    return split_slots(left, wanting, lots, salt=split.salt)[:, here.index(key)]


def _waited(
    situation: Situation, experiment: Experiment, given: Sequence[ArmRep]
) -> FloatArray:
    """Seconds since the arm gave each rep a lead, began, or the rep came back."""
    began = micros(experiment.started_at or situation.at)
    last = [
        began if one.last_given_at is None else micros(one.last_given_at)
        for one in given
    ]
    since = np.maximum(np.array(last, np.int64), situation.roster.back_since)
    return np.asarray((micros(situation.at) - since) / 1e6)


def _past(arming: Arming, situation: Situation, key: ArmKey, past: Past) -> Past:
    even = past.even_slots
    slots = np.where(np.isfinite(even), even, UNLIMITED).astype(np.int64)
    part = _part(arming, situation, key, slots)
    return replace(
        past,
        given=arming.days.get(key, past.given),
        even_slots=np.where(np.isfinite(even), part, np.inf),
    )


def _asks_for_days(arm: Arm, ruling: Ruling | None) -> bool:
    """Whether a policy of the arm takes what it gave over from the days before."""
    if arm.policy != AS_RULED or ruling is None:
        return arm.policy == "weighted"
    choices = [rule.choice for rule in ruling.rule_set.rules]
    return any(
        choice in (ByPolicy("weighted"), Sticky("weighted")) for choice in choices
    )


def _days(
    session: ReadSession, situation: Situation, keys: Sequence[ArmKey]
) -> dict[ArmKey, IntArray]:
    if not keys:
        return {}
    days = month_so_far(situation.at, situation.tenant.time_zone)
    names = {key.experiment for key in keys}
    gave = given_by_arms(session, names, first=min(days), last=max(days))
    return {
        key: np.array(
            [
                [gave.get(key, {}).get((rep, day), 0) for day in days]
                for rep in situation.rep_ids
            ],
            dtype=np.int64,
        )
        for key in keys
    }


def _fair(
    session: ReadSession,
    situation: Situation,
    drawn: Drawn,
    arms: Mapping[ArmKey, Arm],
) -> dict[ArmKey, FairTerms]:
    """Fairness rules of each arm, with its own counts and its share of the floors.

    Arms that take turns in time owe their shares too: each counts its own leads alone.
    """
    today = local_day(situation.at, situation.tenant.time_zone)
    split = drawn.in_force.by_share
    found = {}
    for key, arm in arms.items():
        terms = read_terms(
            session, replace(situation, routing=_routing(situation, arm))
        )
        if terms is None:
            continue
        gave = given_by_arms(
            session, [key.experiment], first=today - window(terms.rules), last=today
        )
        count = dict.fromkeys(situation.rep_ids, 0)
        for (rep, _), n_given in gave.get(key, {}).items():
            if rep in count:
                count[rep] += n_given
        owed = split.shared(terms.owed, situation.rep_ids, today)
        part = owed[:, split.part_of(key) or 0]
        found[key] = terms.of_arm(part, np.array(list(count.values()), dtype=np.int64))
    return found
