"""What the next best reps of some leads are told from: read once, then kept up.

Leads that are asked about together share what is read and scored. They are given one
after another, so what one was given counts for those after it: ``after_gift`` does in
memory what the write of the gift does in the database.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from optimizer.online import paced
from optimizer.problem import FloatArray, IntArray
from rightrep.domain.decision import Decision
from rightrep.domain.ids import RepId
from rightrep.domain.lead import LeadKind
from rightrep.domain.slots import ArmKey
from rightrep.store import prices
from rightrep.store.arm_slots import arm_of
from rightrep.store.decisions import given_since
from rightrep.store.exclusions import Exclusions
from rightrep.store.prices import NO_ARM, PriceList
from rightrep.store.session import ReadSession
from serving.usecases.advice import Scores
from serving.usecases.arm_covariates import covariates
from serving.usecases.arm_views import Arming, read_arming
from serving.usecases.context import Context
from serving.usecases.lead_scores import scorer
from serving.usecases.planning import score
from serving.usecases.pricing import price_key
from serving.usecases.ruling import Ruling, ruled
from serving.usecases.situation import Situation


@dataclass(frozen=True, eq=False)
class Priced:
    """The last prices of all slots or of an arm's, and what was given since.

    Attributes:
        listed: As published, expired or not.
        price: Price of each rep's slot then; float64 (n_reps,).
        planned: Part of the leads expected from then on that each rep has slots for;
            float64 (n_reps,), in [0, 1].
        given: Leads given to each rep since, counted where prices move with them; int64
            (n_reps,).
    """

    listed: PriceList
    price: FloatArray
    planned: FloatArray
    given: IntArray

    @property
    def now(self) -> FloatArray:
        """Price of each rep's slot; float64 (n_reps,).

        Who gets leads faster than planned becomes dearer until prices are solved again,
        so that a run of leads does not fall on one rep.
        """
        return paced(self.price, self.planned, self.given, self.listed.step)

    def after_gift(self, decision: Decision, rep: int) -> "Priced":
        """The same after one more lead was given."""
        its = self.listed.arm in (NO_ARM, price_key(arm_of(decision)))
        if not its or decision.decided_at <= self.listed.published_at:
            return self
        given = self.given.copy()
        given[rep] += self.listed.step > 0
        return replace(self, given=given)


@dataclass(frozen=True, eq=False)
class Outlook:
    """What is known when leads of one kind and different customers need reps.

    Attributes:
        situation: The leads and every rep, under the rule set in force.
        ruling: What the rules say, or None.
        arming: Arms and where they stand; None where no experiment decides.
        prices: The last prices, by arm as price lists name it; without those that were
            never published.
        scores: What the model says, or None.
        cannot: Why it says nothing, or None.
        covariates: What units are logged with, by experiment.
    """

    situation: Situation
    ruling: Ruling | None
    arming: Arming | None
    prices: Mapping[str, Priced]
    scores: Scores | None
    cannot: str | None
    covariates: Mapping[str, Sequence[float] | None] = field(default_factory=dict)

    def priced(self, arm: ArmKey | None) -> Priced | None:
        """The last prices of an arm's slots, or of all; None without any."""
        return self.prices.get(price_key(arm))

    def after_gift(self, decision: Decision, rep: int, given: Exclusions) -> "Outlook":
        """The same for the leads after one that was given.

        Args:
            decision: The decision about it.
            rep: Place of its rep.
            given: The decision's exclusions.
        """
        ruling, arming = self.ruling, self.arming
        counts = self.situation.kind is LeadKind.LEAD
        return replace(
            self,
            situation=self.situation.after_gift(rep),
            ruling=None if ruling is None else ruling.after_gift(rep),
            arming=None if arming is None else arming.after_gift(decision, rep, given),
            prices={
                name: one.after_gift(decision, rep) if counts else one
                for name, one in self.prices.items()
            },
        )


def read_outlook(
    context: Context,
    session: ReadSession,
    situation: Situation,
    *,
    only_known: bool = False,
) -> Outlook:
    """Rules, arms, prices and scores of some leads.

    Args:
        context: The parts of this process.
        session: Where to read: one snapshot, since each costs as much as a query.
        situation: Leads of one kind, at least one.
        only_known: Draw no lead for an arm that has not been drawn before.
    """
    tenant_id, book = situation.tenant.tenant_id, context.win_rates
    scored = scorer(context, tenant_id)
    situation, ruling = ruled(session, situation, book, scored=scored)
    arming = read_arming(session, situation, ruling, book, only_known=only_known)
    scores, cannot = score(context, tenant_id, situation, session)
    return Outlook(
        situation=situation,
        ruling=ruling,
        arming=arming,
        prices=_prices(session, situation, arming),
        scores=scores,
        cannot=cannot,
    )


def with_covariates(context: Context, outlook: Outlook) -> Outlook:
    """The same with what units are logged with, where some are not logged yet."""
    arming = outlook.arming
    if arming is None or not arming.drawn.units:
        return outlook
    tenant_id = outlook.situation.tenant.tenant_id
    found = covariates(context, tenant_id, arming.drawn, outlook.scores)
    return replace(outlook, covariates=found)


def _prices(
    session: ReadSession, situation: Situation, arming: Arming | None
) -> dict[str, Priced]:
    arms: set[ArmKey | None] = {None}
    if arming is not None:
        arms = {arming.drawn.key_of(i) for i in range(len(situation.leads))}
    found = {}
    for arm in arms:
        listed = prices.latest_prices(session, situation.at, arm=price_key(arm))
        if listed is not None:
            found[listed.arm] = _priced(session, situation, listed, arm)
    return found


def _priced(
    session: ReadSession,
    situation: Situation,
    listed: PriceList,
    arm: ArmKey | None,
) -> Priced:
    given: Mapping[RepId, int] = {}
    if listed.step > 0:
        given = given_since(session, listed.published_at, arm=arm)
    ids = situation.rep_ids
    return Priced(
        listed=listed,
        price=np.array([listed.shadow_price.get(rep, 0.0) for rep in ids]),
        planned=np.array([listed.planned.get(rep, 0.0) for rep in ids]),
        given=np.array([given.get(rep, 0) for rep in ids], dtype=np.int64),
    )
