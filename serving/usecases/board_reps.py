"""Who sells how, and who has room: every rep's rating beside the rep's load."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from features.standings import Standing
from rightrep.domain.ids import RepId, TenantId
from rightrep.domain.rep import Rep
from rightrep.domain.tenant import Tenant
from rightrep.errors import ModelUnavailable, NotFound
from rightrep.store.aliases import RecordKind, resolve
from rightrep.store.reps import get_reps
from rightrep.store.session import ReadSession
from rightrep.store.tenants import get_tenant
from serving.usecases.board import RepLoad, read_loads
from serving.usecases.board_names import Names, read_names
from serving.usecases.context import Context
from serving.usecases.rep_ratings import RepRating, TeamRating, rate_rep, rate_team


@dataclass(frozen=True, kw_only=True, slots=True)
class TeamPage:
    """Every rep who takes or holds leads.

    Attributes:
        tenant: Whose.
        at: When it was read.
        loads: What each holds and may hold, by name.
        rating: How often each wins; None without a model.
        names: What to call them.
    """

    tenant: Tenant
    at: datetime
    loads: Sequence[RepLoad]
    rating: TeamRating | None
    names: Names

    @property
    def standings(self) -> Mapping[str, Standing]:
        """Ratings by rep; empty without a model."""
        return {} if self.rating is None else self.rating.standings


@dataclass(frozen=True, kw_only=True, slots=True)
class RepPage:
    """One rep.

    Attributes:
        tenant: Whose.
        at: When it was read.
        rep: The record.
        rating: Overall and by segment; None without a model.
    """

    tenant: Tenant
    at: datetime
    rep: Rep
    rating: RepRating | None


def read_team(context: Context, tenant_id: TenantId, *, at: datetime) -> TeamPage:
    """Every rep's rating and load as of now."""
    with context.store.read(tenant_id) as session:
        tenant = get_tenant(session)
        loads = read_loads(session, tenant, None, at=at)
        ids = [load.rep_id for load in loads]
        names = read_names(session, reps=ids, leads=[], at=at, named=True)
    try:
        rating = rate_team(context, tenant_id, ids)
    except ModelUnavailable:
        rating = None
    return TeamPage(
        tenant=tenant,
        at=at,
        loads=sorted(loads, key=lambda load: (load.team or "", names.rep(load.rep_id))),
        rating=rating,
        names=names,
    )


def read_rep(
    context: Context, tenant_id: TenantId, key: str, *, at: datetime
) -> RepPage:
    """One rep by any id.

    Raises:
        NotFound: No such rep.
    """
    with context.store.read(tenant_id) as session:
        rep, tenant = _rep(session, key, at), get_tenant(session)
    try:
        rating = rate_rep(context, tenant_id, rep.rep_id)
    except ModelUnavailable:
        rating = None
    return RepPage(tenant=tenant, at=at, rep=rep, rating=rating)


def _rep(session: ReadSession, key: str, at: datetime) -> Rep:
    rep_id = RepId(resolve(session, RecordKind.REP, key))
    for rep in get_reps(session, [rep_id], as_of=at):
        return rep
    raise NotFound("rep", key)
