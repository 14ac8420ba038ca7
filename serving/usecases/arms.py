"""Which arm a lead belongs to, while an experiment runs or a holdout stands.

A lead is drawn by salted hash when it is first looked at for a decision, and stays in
that arm. Leads that a rule fixes (a rep by name, the rep who served the customer, a
manager, a pool) are no units, nor are work orders: no policy chooses among reps.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

import numpy as np

from experiments.bucketing import (
    arms_of_slices,
    arms_of_units,
    in_holdout,
    slice_of,
    team_day,
)
from optimizer.problem import UNASSIGNED, BoolArray, IntArray
from rightrep.domain.days import local_day
from rightrep.domain.experiment import (
    CONTROL,
    Arm,
    ArmOfUnit,
    Experiment,
    UnitKind,
)
from rightrep.domain.ids import LeadId
from rightrep.domain.lead import Lead
from rightrep.domain.rep import RepStatus
from rightrep.domain.rule_sets import NO_RULE, ByPolicy, Sticky
from rightrep.domain.slots import ArmKey, SlotPart, SlotSplit
from rightrep.errors import Conflict
from rightrep.store.experiments import (
    arms_of_leads,
    log_units,
    running_experiments,
)
from rightrep.store.session import ReadSession, WriteSession
from serving.usecases.ruling import Ruling
from serving.usecases.situation import Situation

NO_ARM = -1
"""Arm of a lead that is no unit."""
SLICE_HOURS = 4
"""Length of a slice of time where the design does not say."""


@dataclass(frozen=True)
class InForce:
    """What decides about arms now; one of the two at least.

    Attributes:
        experiment: The experiment that runs, or None.
        holdout: The one that keeps leads on the control for good, or None.
    """

    experiment: Experiment | None
    holdout: Experiment | None

    @cached_property
    def arms(self) -> list[tuple[Experiment, Arm]]:
        """Arms that leads are shared out by: the holdout's control comes first."""
        one, held = self.experiment, self.holdout
        kept = [] if held is None else [(held, _control(held))]
        if one is not None:
            return kept + [(one, arm) for arm in one.arms]
        return kept if held is None else [*kept, (held, _others(held))]

    @cached_property
    def keys(self) -> list[ArmKey]:
        """The same arms by name."""
        return [ArmKey(one.experiment, arm.arm) for one, arm in self.arms]

    @cached_property
    def by_share(self) -> SlotSplit:
        """Each arm's share of what there is for all together."""
        held = self.holdout
        rest = 1.0 if held is None else _others(held).share
        parts = tuple(
            SlotPart(arm.share if of is held else rest * arm.share, (key,))
            for (of, arm), key in zip(self.arms, self.keys, strict=True)
        )
        return SlotSplit(parts, self.arms[-1][0].salt)

    @cached_property
    def split(self) -> SlotSplit:
        """How every rep's slots are shared between these arms.

        Arms that take turns in time have the slots of their time together.
        """
        one, each = self.experiment, self.by_share
        if one is None or one.unit_kind is UnitKind.LEAD:
            return each
        kept = each.parts[: -len(one.arms)]
        turns = tuple(self.keys[len(kept) :])
        rest = 1.0 - sum(part.share for part in kept)
        return replace(each, parts=(*kept, SlotPart(rest, turns)))


@dataclass(frozen=True, eq=False)
class Drawn:
    """Arms of some leads.

    Attributes:
        in_force: What decides.
        place: Each lead's arm, as its place in ``in_force.arms``, or ``NO_ARM``; int64
            (n_leads,).
        units: Leads whose arms are not logged yet, by experiment, with the place of
            each in the situation.
    """

    in_force: InForce
    place: IntArray
    units: Mapping[str, Sequence[tuple[int, ArmOfUnit]]]

    def key_of(self, lead: int) -> ArmKey | None:
        """The arm of a lead; None for one that is no unit."""
        place = int(self.place[lead])
        return None if place == NO_ARM else self.in_force.keys[place]

    def only(self, leads: Collection[int]) -> "Drawn":
        """The same with nobody to log but some of the leads, by their places."""
        units = {
            name: mine
            for name, drawn in self.units.items()
            if (mine := [(i, unit) for i, unit in drawn if i in leads])
        }
        return replace(self, units=units)


def arms_in_force(session: ReadSession) -> InForce | None:
    """What decides about arms now; None where nothing does."""
    running = running_experiments(session)
    if not running:
        return None
    holdout = next((one for one in running if one.standing), None)
    experiment = next((one for one in running if not one.standing), None)
    return InForce(experiment, holdout)


def leads_of_arm(
    in_force: InForce, key: ArmKey, lead_ids: Sequence[LeadId]
) -> BoolArray:
    """Which leads an arm would have by their hash alone, for leads of other days.

    Arms that take turns in time would have all of their experiment's.

    Args:
        in_force: What decides.
        key: One of its arms.
        lead_ids: Leads; n_leads ids.
    """
    one, held = in_force.experiment, in_force.holdout
    kept = _keeps(held, lead_ids, {}, {})
    if held is not None and key == in_force.keys[0]:
        return kept
    mine = np.ones(len(lead_ids), dtype=np.bool_)
    if one is not None and one.unit_kind is UnitKind.LEAD:
        drawn = arms_of_units(lead_ids, one.arms, salt=one.salt)
        mine = drawn == [arm.arm for arm in one.arms].index(key.arm)
    return np.asarray(mine & ~kept)


def draw_arms(
    session: ReadSession,
    in_force: InForce,
    situation: Situation,
    ruling: Ruling | None,
    *,
    only_known: bool = False,
) -> Drawn:
    """Arms of a situation's leads; nothing is written.

    Args:
        session: Where to read.
        in_force: What decides.
        situation: The leads.
        ruling: What the rules say of them, or None.
        only_known: Draw no lead that has not been drawn before; those that the
            experiment has not drawn are of no arm, unless the holdout keeps them.
    """
    ids = situation.lead_ids
    one, held = in_force.experiment, in_force.holdout
    known = {} if one is None else arms_of_leads(session, one.experiment, ids)
    known_held = {} if held is None else arms_of_leads(session, held.experiment, ids)
    logged = np.array([i in known or i in known_held for i in ids], dtype=np.bool_)
    may = _chooses(situation, ruling, logged)
    keeps = _keeps(held, ids, known, known_held)
    if only_known:
        its = np.array([one is None or i in known for i in ids], dtype=np.bool_)
        may &= logged & (keeps | its)
    fresh, clusters = _fresh(one, situation, ruling)
    place = np.full(len(ids), NO_ARM, dtype=np.int64)
    units: dict[str, list[tuple[int, ArmOfUnit]]] = {}
    arm_place = {key: k for k, key in enumerate(in_force.keys)}

    def unit(of: Experiment, i: int, arm: str, cluster: str = "") -> None:
        stratum = _stratum(of, situation.leads[i])
        drawn = ArmOfUnit(unit=ids[i], arm=arm, stratum=stratum, cluster=cluster)
        units.setdefault(of.experiment, []).append((i, drawn))

    for i in np.flatnonzero(may).tolist():
        lead_id, kept = ids[i], bool(keeps[i])
        # Who was in the experiment before there was a holdout is not of the holdout.
        if held is not None and lead_id not in known_held and lead_id not in known:
            unit(held, i, CONTROL if kept else _others(held).arm)
        if kept and held is not None:
            place[i] = arm_place[ArmKey(held.experiment, CONTROL)]
        elif one is None:
            place[i] = len(arm_place) - 1
        else:
            arm = known.get(lead_id) or fresh[i]
            place[i] = arm_place[ArmKey(one.experiment, arm)]
            if lead_id not in known:
                unit(one, i, arm, clusters[i])
    return Drawn(in_force, place, units)


def log_drawn(
    session: WriteSession,
    drawn: Drawn,
    covariate: Mapping[str, Sequence[float] | None],
    *,
    at: datetime,
) -> set[str]:
    """Log leads that were drawn, in the transaction of what is done with them.

    Args:
        session: Where to write.
        drawn: The draws.
        covariate: What each experiment adjusts for, by its name; one number for each
            lead of the situation, or None.
        at: Now.

    Returns:
        Experiments that were stopped meanwhile: they draw nobody any more, and nothing
        may be done in their names with these leads.

    Raises:
        Conflict: Somebody else drew one of the leads for another arm meanwhile.
    """
    if not drawn.units:
        return set()
    running = {one.experiment for one in running_experiments(session)}
    for name, units in drawn.units.items():
        if name not in running:
            continue
        numbers = covariate.get(name)
        rows = [
            unit if numbers is None else _with(unit, float(numbers[i]))
            for i, unit in units
        ]
        stand = log_units(session, name, rows, at=at)
        for row in rows:
            if stand[row.unit] != row.arm:
                raise Conflict(
                    f"Lead {row.unit} was drawn for another arm meanwhile; ask again."
                )
    return set(drawn.units) - running


def _with(unit: ArmOfUnit, covariate: float) -> ArmOfUnit:
    return ArmOfUnit(
        unit=unit.unit,
        arm=unit.arm,
        stratum=unit.stratum,
        covariate=covariate if np.isfinite(covariate) else None,
        cluster=unit.cluster,
    )


def _control(held: Experiment) -> Arm:
    """The arm that a holdout keeps leads on."""
    return next(arm for arm in held.arms if arm.arm == CONTROL)


def _others(held: Experiment) -> Arm:
    """The arm of everybody else."""
    return next(arm for arm in held.arms if arm.arm != CONTROL)


def _chooses(
    situation: Situation, ruling: Ruling | None, logged: BoolArray
) -> BoolArray:
    """Leads for which a policy chooses among reps; bool (n_leads,)."""
    if ruling is None:
        return np.ones(len(situation.leads), dtype=np.bool_)
    choices = [rule.choice for rule in ruling.rule_set.rules]
    by_policy = [isinstance(choice, ByPolicy) for choice in choices]
    sticky = [isinstance(choice, Sticky) for choice in choices]
    rule = ruling.routed.rule
    returns = (ruling.past.previous_rep != UNASSIGNED) & ~logged
    chosen = np.array([*by_policy, False], dtype=np.bool_)[rule]
    chosen |= np.array([*sticky, False], dtype=np.bool_)[rule] & ~returns
    return np.asarray(chosen & (rule != NO_RULE))


def _keeps(
    held: Experiment | None,
    ids: Sequence[LeadId],
    known: Mapping[LeadId, str],
    known_held: Mapping[LeadId, str],
) -> BoolArray:
    """Leads that the holdout keeps on the control; bool (n_leads,)."""
    if held is None:
        return np.zeros(len(ids), dtype=np.bool_)
    drawn = in_holdout(ids, _control(held).share, salt=held.salt)
    return np.array(
        [
            known_held[lead] == CONTROL
            if lead in known_held
            else bool(hashed) and lead not in known
            for lead, hashed in zip(ids, drawn, strict=True)
        ],
        dtype=np.bool_,
    )


def _fresh(
    one: Experiment | None, situation: Situation, ruling: Ruling | None
) -> tuple[list[str], list[str]]:
    """The arm that each lead is drawn for now, and the cluster that it is drawn in."""
    ids = situation.lead_ids
    clusters = [""] * len(ids)
    if one is None or not ids:
        return clusters, clusters
    if one.unit_kind is UnitKind.LEAD:
        place = arms_of_units(ids, one.arms, salt=one.salt)
    elif one.unit_kind is UnitKind.TEAM_DAY:
        today = local_day(situation.at, situation.tenant.time_zone)
        teams = teams_of(situation, ruling)
        clusters = [team_day(team, today) for team in teams]
        place = arms_of_units(clusters, one.arms, salt=one.salt)
    else:
        hours = int(one.design.get("slice_hours", SLICE_HOURS))
        zone = situation.tenant.time_zone
        clusters = [slice_of(x.created_at, zone, hours) for x in situation.leads]
        place = arms_of_slices(clusters, salt=one.salt)
    return [one.arms[k].arm for k in place.tolist()], clusters


def teams_of(situation: Situation, ruling: Ruling | None) -> list[str]:
    """The team that all candidates of each lead's rule are of; empty where several.

    Args:
        situation: Leads and reps.
        ruling: What the rules say; without rules everybody who has not left is a
            candidate.
    """
    roster = situation.roster
    names = [one.team or "" for one in roster.attributes]
    here = np.array([one.status is not RepStatus.LEFT for one in roster.attributes])
    teams = sorted(set(names))
    of_team = np.array([[name == team for name in names] for team in teams])
    candidates = np.broadcast_to(here, (len(situation.leads), len(names)))
    if ruling is not None:
        candidates = ruling.routed.candidates & here
    if not names:
        return [""] * len(situation.leads)
    # The matrix product counts candidates of each team.
    counts = candidates.astype(np.int64) @ of_team.T.astype(np.int64)
    single = (counts > 0).sum(axis=1) == 1
    which = counts.argmax(axis=1)
    return [
        teams[k] if alone else ""
        for k, alone in zip(which.tolist(), single.tolist(), strict=True)
    ]


def _stratum(one: Experiment, lead: Lead) -> str:
    """Values of the attributes that the design compares within."""
    names = one.design.get("strata") or ()
    return " / ".join(str(getattr(lead.attributes, name) or "") for name in names)
