"""Everything known of a tenant, ready to be asked as of any instant.

``Own`` is what is known of leads and customers themselves; it can be made from the
whole history, or from the few rows that concern one arriving lead. ``Known`` is what
the whole history teaches: shares won, ratings, loads. Making ``Known`` takes a pass
over the history; asking it does not, so serving keeps one and asks it many times.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from features.as_of import FloatArray, IntArray
from features.codes import codes_of
from features.contacts import Contacts
from features.decision_facts import DecisionFacts
from features.history import Few, History
from features.lead_facts import LeadFacts
from features.market import Judgements, Market
from features.ratings import Ratings
from features.recipe import Recipe
from features.rep_facts import RepFacts
from features.segments import segments_of
from rightrep.errors import InvalidInput


@dataclass(frozen=True, eq=False)
class Own:
    """What is known of leads and their customers.

    Attributes:
        leads: The leads.
        decisions: The decisions on them.
        contacts: Who dealt with their customers.
        rep_ids: Rep ids by code.
    """

    leads: LeadFacts
    decisions: DecisionFacts
    contacts: Contacts
    rep_ids: pd.Index

    @classmethod
    def of(cls, history: History | Few, rep_ids: pd.Index | None = None) -> "Own":
        """From a history, whole or of some leads.

        Args:
            history: Leads with all leads of the same customers, their versions,
                decisions, outcomes and activities.
            rep_ids: Rep ids by code, ``Known.rep_ids`` where the history is partial;
                the history's own reps when not given.

        Raises:
            InvalidInput: A few leads come without rep ids.
        """
        if rep_ids is None:
            if isinstance(history, Few):
                raise InvalidInput("A few leads do not tell reps.", field="rep_ids")
            rep_ids = pd.Index(history.reps["rep_id"])
        leads = LeadFacts.of(history)
        decisions = DecisionFacts.of(history, leads, rep_ids)
        contacts = Contacts.of(history, leads, decisions, rep_ids)
        return cls(leads, decisions, contacts, rep_ids)


@dataclass(frozen=True, eq=False)
class Known:
    """What a whole history teaches, under one recipe.

    Attributes:
        recipe: What training fixed.
        own: The leads of the whole history.
        reps: The reps.
        judgements: What became of the decisions.
        market: Shares won and usual deal values.
        segments: Segment of each decision's lead as of the decision, by name.
        ratings: Rep ratings; None until ``rated``.
        p_lead: Chance that each decision's lead was won whoever took it; float64
            (n_decisions,), missing where unknown; None until ``rated``.
    """

    recipe: Recipe
    own: Own
    reps: RepFacts
    judgements: Judgements
    market: Market
    segments: Mapping[str, IntArray]
    ratings: Ratings | None = None
    p_lead: FloatArray | None = None

    @classmethod
    def of(cls, history: History, recipe: Recipe, own: Own | None = None) -> "Known":
        """From a whole history.

        Args:
            history: The tables.
            recipe: What training fixed.
            own: ``Own.of(history)``, where it has been made already.
        """
        own = Own.of(history) if own is None else own
        leads, decisions = own.leads, own.decisions
        judgements = Judgements.of(
            decisions, days=recipe.label_window_days, zone=recipe.zone
        )
        market = Market.of(
            leads, decisions, judgements, half_life_days=recipe.half_life_days
        )
        return cls(
            recipe=recipe,
            own=own,
            reps=RepFacts.of(
                history,
                leads,
                decisions,
                own.rep_ids,
                half_life_days=recipe.half_life_days,
            ),
            judgements=judgements,
            market=market,
            segments=segments_of(
                leads, leads, market, recipe, decisions.lead, decisions.decided_at
            ),
        )

    def rated(self, p_lead: FloatArray) -> "Known":
        """The same with rep ratings.

        Args:
            p_lead: Chance to win, whoever takes the lead, that a model trained on
                earlier decisions gave each decision; float64 (n_decisions,).

        Raises:
            InvalidInput: There is not one chance per decision.
        """
        if p_lead.shape != (len(self.own.decisions.ids),):
            raise InvalidInput(
                f"There are {len(self.own.decisions.ids)} decisions and "
                f"{p_lead.size} values of p_lead.",
                field="p_lead",
            )
        p_lead = np.asarray(p_lead, dtype=np.float64)
        ratings = Ratings.of(
            self.judgements,
            self.own.decisions,
            self.reps,
            self.segments,
            p_lead,
            half_life_days=self.recipe.rating_half_life_days,
            prior_leads=self.recipe.prior_leads,
        )
        return replace(self, ratings=ratings, p_lead=p_lead)

    def p_lead_of(self, by_decision: pd.Series) -> FloatArray:
        """Chances by decision id, put in the order of the decisions."""
        code = codes_of(pd.Index(by_decision.index), self.own.decisions.ids)
        out = np.full(code.size, np.nan)
        out[code >= 0] = by_decision.to_numpy(np.float64)[code[code >= 0]]
        return out
