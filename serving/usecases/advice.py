"""What a tenant's model says, kept in memory: the champion and what it knows.

Making it takes a pass over the tenant's history; asking it does not. So every process
keeps one per tenant and makes a new one when the champion moved, when a rep is unknown
to it, or when it is older than ``FRESH_FOR``; the history it was made of is kept too,
and only what is newer is read. Leads that are newer than it are read from the store
when they are asked about.
"""

import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property

import numpy as np
import pandas as pd
import structlog
from numpy.typing import NDArray

from features.codes import codes_of, known_codes
from features.columns import Float32Array, feature_rows
from features.history import Few, History
from features.known import Known, Own
from features.profiles import Batch, RepSide, batch, lead_rows, rep_side
from rightrep.clock import Clock
from rightrep.domain.ids import LeadId, RepId, TenantId
from rightrep.domain.money import minor_digits
from rightrep.errors import ModelUnavailable
from rightrep.store import models
from rightrep.store.engine import Store
from rightrep.store.few import read_few
from rightrep.store.kept import KeptHistory, read_kept
from rightrep.store.session import ReadSession
from rightrep.store.tenants import get_tenant
from serving.usecases.champions import Loaded, load_champion
from training.explain import Contribution, explain, explain_lead
from training.model import ConversionModel
from training.scoring import PairScorer
from training.words import Language

FRESH_FOR = timedelta(minutes=5)
REPS_FRESH_FOR = timedelta(seconds=30)
"""Rep columns are worked out again after that; what they are made of is as old as the
adviser anyway."""
FEW = 1_000
"""Up to so many leads are read from the store for each question."""

log = structlog.get_logger()


@dataclass(frozen=True, eq=False, kw_only=True)
class Chances:
    """What leads are shared out by.

    Attributes:
        p_convert: Chance to win within the label window; float32 (n_leads, n_reps).
        quality: Lead-only chance; float64 (n_leads,).
        deal_value_minor: Stated, else usual, deal value; minor units of the tenant's
            currency; float64 (n_leads,). 1 where nobody ever stated one.
    """

    p_convert: Float32Array
    quality: NDArray[np.float64]
    deal_value_minor: NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Scores(Chances):
    """What the model says about every pair of a situation.

    Attributes:
        model_version: Which model.
        columns_version: Contract of the feature rows.
        columns: Feature rows by side.
    """

    model_version: str
    columns_version: str
    columns: Batch

    def of_lead(self, lead: int) -> "Scores":
        """What it says about one of the leads."""
        one = slice(lead, lead + 1)
        return replace(
            self,
            p_convert=self.p_convert[one],
            quality=self.quality[one],
            deal_value_minor=self.deal_value_minor[one],
            columns=self.columns.of_lead(lead),
        )

    def of_leads(self, leads: NDArray[np.int64]) -> "Scores":
        """What it says about some of the leads, each at most once."""
        return replace(
            self,
            p_convert=self.p_convert[leads],
            quality=self.quality[leads],
            deal_value_minor=self.deal_value_minor[leads],
            columns=self.columns.of_leads(leads),
        )

    def feature_rows(
        self, lead: NDArray[np.int64], rep: NDArray[np.int64]
    ) -> Float32Array:
        """Whole feature rows of chosen pairs; float32 (n_pairs, n_columns)."""
        known = self.columns
        return feature_rows(known.leads, known.reps, known.affinity, lead=lead, rep=rep)


@dataclass(frozen=True, eq=False)
class Adviser:
    """One tenant's champion and what it knows as of an instant.

    Attributes:
        version: Version of the model: the champion, or the last good one.
        champion: Version of the champion it was made for.
        made_at: As of when it knows the history.
        model: The model.
        known: What the history teaches, rated.
        scorer: The trees, ready for every pair.
        currency: The tenant's.
        columns_version: Contract of the feature rows.
    """

    version: str
    champion: str
    made_at: datetime
    model: ConversionModel
    known: Known
    scorer: PairScorer
    currency: str
    columns_version: str
    _kept_reps: list[tuple[datetime, RepSide]] = field(default_factory=list)

    def scores(
        self,
        lead_ids: Sequence[LeadId],
        rep_ids: Sequence[RepId],
        *,
        at: datetime,
        own: Own | None = None,
    ) -> Scores:
        """Chances of every pair.

        Args:
            lead_ids: Leads known to the history, or to ``own``.
            rep_ids: Reps known to the history.
            at: As of when; aware.
            own: Facts of these leads, where they are newer.

        Raises:
            InvalidInput: A lead or a rep is unknown here.
        """
        return self._scored(
            batch(
                self.known,
                pd.Timestamp(at),
                lead_ids,
                rep_ids,
                own=own,
                reps=self._reps(rep_ids, at),
            )
        )

    def scores_at_arrival(
        self, lead_ids: Sequence[LeadId], rep_ids: Sequence[RepId], *, at: datetime
    ) -> Scores:
        """Chances of every pair if these leads arrived now: leads as they came.

        What happened to a lead since says nothing of the next one like it.

        Args:
            lead_ids: Leads known to the history.
            rep_ids: Reps known to the history.
            at: As of when the reps are looked at; aware.

        Raises:
            InvalidInput: A lead or a rep is unknown here.
        """
        found = batch(self.known, pd.Timestamp(at), lead_ids, rep_ids)
        own = self.known.own.leads
        lead = known_codes(own.ids, lead_ids, "lead")
        came = lead_rows(self.known, lead, own.created_at[lead])
        return self._scored(replace(found, leads=came))

    def quality_then(
        self, lead_ids: Sequence[LeadId], at: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Lead-only chances of leads as they were known at their own instants.

        Args:
            lead_ids: The leads, one for each instant.
            at: Microseconds since 1970 UTC; int64 (n_leads,).

        Returns:
            float64 (n_leads,); missing where the history does not know the lead yet.
        """
        code = codes_of(self.known.own.leads.ids, lead_ids)
        found, known = np.full(code.size, np.nan), code >= 0
        if known.any():
            rows = lead_rows(self.known, code[known], at[known])
            found[known] = self.model.p_lead(rows)
        return found

    @cached_property
    def lead_ids(self) -> frozenset[str]:
        """The leads that the history has."""
        return frozenset(self.known.own.leads.ids)

    def known_leads(self, lead_ids: Sequence[LeadId]) -> NDArray[np.bool_]:
        """Which of these leads the history has; bool (n_leads,)."""
        return np.array([one in self.lead_ids for one in lead_ids], dtype=np.bool_)

    def kept_reps(self, rep_ids: Sequence[RepId]) -> tuple[datetime, RepSide] | None:
        """Columns of exactly these reps and as of when; None where there are none."""
        for at, found in self._kept_reps:
            if list(found.rep_ids) == list(rep_ids):
                return at, found
        return None

    def _reps(self, rep_ids: Sequence[RepId], at: datetime) -> RepSide:
        """Rep columns as of now, or of less than ``REPS_FRESH_FOR`` before."""
        kept = self.kept_reps(rep_ids)
        if kept is not None and timedelta(0) <= at - kept[0] < REPS_FRESH_FOR:
            return kept[1]
        found = rep_side(self.known, pd.Timestamp(at), rep_ids)
        self._kept_reps[:] = [(at, found)]
        return found

    def _scored(self, found: Batch) -> Scores:
        deal_value = found.deal_value * 10 ** minor_digits(self.currency)
        return Scores(
            model_version=self.version,
            columns_version=self.columns_version,
            p_convert=self.scorer.score(found.leads, found.reps, found.affinity),
            quality=self.model.p_lead(found.leads),
            deal_value_minor=np.where(np.isfinite(deal_value), deal_value, 1.0),
            columns=found,
        )

    def explain(
        self, scores: Scores, lead: int, rep: int, language: Language
    ) -> list[Contribution]:
        """The largest contributions to one pair's chance, in the columns' words."""
        row = scores.feature_rows(np.array([lead]), np.array([rep]))
        found = explain(self.model, row, language=language, currency=self.currency)
        return found[0]

    def explain_lead(
        self, scores: Scores, lead: int, language: Language
    ) -> list[Contribution]:
        """The largest contributions to one lead's score, in the columns' words."""
        row = scores.columns.leads[lead : lead + 1]
        found = explain_lead(self.model, row, language=language, currency=self.currency)
        return found[0]


class Advisers:
    """The adviser of every tenant that asked; safe to share by threads."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._made: dict[TenantId, Adviser] = {}
        self._kept: dict[TenantId, KeptHistory] = {}
        self._locks: dict[TenantId, threading.Lock] = {}
        self._guard = threading.Lock()

    def get(
        self,
        tenant_id: TenantId,
        *,
        rep_ids: Sequence[RepId] = (),
        session: ReadSession | None = None,
    ) -> Adviser | None:
        """The tenant's adviser, made anew where it has to be; None without champion.

        Args:
            tenant_id: Whose.
            rep_ids: Reps that it must know.
            session: Where to read; one of its own when not given.

        Raises:
            ModelUnavailable: Neither the champion's file nor an earlier one is whole.
        """
        with self._reading(tenant_id, session) as reading:
            published = models.champion(reading)
        if published is None:
            return None
        now = self._clock.now()
        present = self._made.get(tenant_id)
        if present is not None and self._serves(present, published, rep_ids, now):
            return present
        making = self._lock(tenant_id)
        # While one thread makes the new adviser, the old one answers the others.
        if not making.acquire(blocking=not _knows(present, rep_ids)):
            return present
        try:
            present = self._made.get(tenant_id)
            if present is None or not self._serves(present, published, rep_ids, now):
                present = self._make(tenant_id, published, present, session)
                self._made[tenant_id] = present
            return present
        finally:
            making.release()

    def own_of(
        self,
        adviser: Adviser,
        tenant_id: TenantId,
        lead_ids: Sequence[LeadId],
        session: ReadSession | None = None,
    ) -> Own | None:
        """Facts of leads as they are in the store now.

        None when there are many: what the adviser knows is then fresh enough, and
        cheaper than reading them again.
        """
        if len(lead_ids) > FEW and adviser.lead_ids.issuperset(lead_ids):
            return None
        with self._reading(tenant_id, session) as reading:
            rows = read_few(reading, lead_ids, currency=adviser.currency)
        history = Few(**rows)
        return Own.of(history, adviser.known.own.rep_ids)

    def _serves(
        self,
        adviser: Adviser,
        published: models.PublishedModel,
        rep_ids: Sequence[RepId],
        now: datetime,
    ) -> bool:
        return (
            adviser.champion == published.version
            and now - adviser.made_at < FRESH_FOR
            and _knows(adviser, rep_ids)
        )

    def _reading(
        self, tenant_id: TenantId, session: ReadSession | None
    ) -> AbstractContextManager[ReadSession]:
        return self._store.read(tenant_id) if session is None else nullcontext(session)

    def _lock(self, tenant_id: TenantId) -> threading.Lock:
        with self._guard:
            return self._locks.setdefault(tenant_id, threading.Lock())

    def _make(
        self,
        tenant_id: TenantId,
        published: models.PublishedModel,
        present: Adviser | None,
        session: ReadSession | None,
    ) -> Adviser:
        at = self._clock.now()
        before = None if present is None else Loaded(present.version, present.model)
        loaded = load_champion(self._store, tenant_id, published, before)
        model = loaded.model
        with self._reading(tenant_id, session) as reading:
            currency = get_tenant(reading).currency
            kept = read_kept(reading, self._kept.get(tenant_id), at=at)
        self._kept[tenant_id] = kept
        origin, contract = model.origin, model.contract
        if origin is None or contract is None:
            raise ModelUnavailable("The champion does not say what it was made by.")
        known = origin.known(
            History.of(kept.tables),
            None
            if present is None or present.version != loaded.version
            else present.known,
            kept.stands_until,
        )
        log.info("adviser made", tenant=tenant_id, version=loaded.version)
        return Adviser(
            version=loaded.version,
            champion=published.version,
            made_at=at,
            model=model,
            known=known,
            scorer=PairScorer(model),
            currency=currency,
            columns_version=contract.version,
        )


def _knows(adviser: Adviser | None, rep_ids: Sequence[RepId]) -> bool:
    """Whether there is an adviser, and it knows all of these reps."""
    return adviser is not None and (
        adviser.kept_reps(rep_ids) is not None
        or all(rep_id in adviser.known.own.rep_ids for rep_id in rep_ids)
    )
