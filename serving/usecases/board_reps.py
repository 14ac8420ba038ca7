"""Who sells how, and who has room: every rep's rating beside the rep's load."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from features.standings import Standing
from rightrep.domain.ids import RepId, TenantId
from rightrep.domain.rep import Rep, RepStatus
from rightrep.domain.tenant import Tenant
from rightrep.errors import ModelUnavailable, NotFound
from rightrep.store.aliases import resolve_rep
from rightrep.store.models import champion
from rightrep.store.reps import get_reps
from rightrep.store.session import ReadSession
from rightrep.store.tenants import get_tenant
from serving.usecases.board import RepLoad, read_loads, window_days
from serving.usecases.board_names import Names, read_names
from serving.usecases.context import Context
from serving.usecases.paces import Pace, Paces, Speed
from serving.usecases.rep_ratings import RepRating, TeamRating, rate_rep, rate_team


@dataclass(frozen=True, kw_only=True, slots=True)
class TeamPage:
    """Every rep who takes or holds leads.

    Attributes:
        tenant: Whose.
        at: When it was read.
        loads: What each holds and may hold, by team and name; those who are paused or
            left come last.
        rating: How often each wins; None without a model.
        paces: How quick each is, as of this morning.
        window_days: The label window.
        names: What to call them.
    """

    tenant: Tenant
    at: datetime
    loads: Sequence[RepLoad]
    rating: TeamRating | None
    paces: Paces
    window_days: int
    names: Names

    @property
    def standings(self) -> Mapping[str, Standing]:
        """Ratings by rep; empty without a model."""
        return {} if self.rating is None else self.rating.standings

    @property
    def unlike_in_rating(self) -> Sequence[RepId]:
        """Reps who measurably win more, or less, than their team, the best first."""
        here = [load.rep_id for load in self.loads if load.rep_id in self.standings]
        unlike = [rep_id for rep_id in here if self.standings[rep_id].differs]
        return sorted(unlike, key=lambda rep_id: -(self.standings[rep_id].ratio or 0.0))

    @property
    def unlike_in_touch(self) -> Sequence[RepId]:
        """Reps who measurably take longer, or less long, to the first touch."""
        return self._unlike(
            {rep_id: one.touch for rep_id, one in self.paces.of_rep.items()}
        )

    @property
    def unlike_in_closing(self) -> Sequence[RepId]:
        """Reps whose leads measurably take longer, or less long, to close."""
        return self._unlike(
            {rep_id: one.close for rep_id, one in self.paces.of_rep.items()}
        )

    def _unlike(self, speeds: Mapping[RepId, Speed | None]) -> Sequence[RepId]:
        """Those of the page who differ, the slowest first."""
        here = {load.rep_id for load in self.loads}
        found = {
            rep_id: speed.ratio or 0.0
            for rep_id, speed in speeds.items()
            if speed is not None and speed.differs and rep_id in here
        }
        return sorted(found, key=lambda rep_id: -found[rep_id])


@dataclass(frozen=True, kw_only=True, slots=True)
class RepPage:
    """One rep.

    Attributes:
        tenant: Whose.
        at: When it was read.
        rep: The record.
        load: What the rep holds and may hold.
        pace: How quick the rep is; None without leads.
        pace_at: As of when; the beginning of a local day.
        window_days: The label window.
        rating: Overall and by segment; None without a model.
    """

    tenant: Tenant
    at: datetime
    rep: Rep
    load: RepLoad | None
    pace: Pace | None
    pace_at: datetime
    window_days: int
    rating: RepRating | None

    @property
    def telling(self) -> Sequence[Standing]:
        """Overall, then segments in which the rep is measurably different, best first.

        Empty without a rating.
        """
        if self.rating is None:
            return ()
        first, *others = self.rating.standings
        unlike = [one for one in others if one.differs]
        return [first, *sorted(unlike, key=lambda one: -(one.ratio or 0.0))]

    @property
    def segments(self) -> Sequence[Standing]:
        """Every segment that is rated."""
        return () if self.rating is None else self.rating.standings[1:]


def read_team(context: Context, tenant_id: TenantId, *, at: datetime) -> TeamPage:
    """Every rep's rating and load as of now."""
    with context.store.read(tenant_id) as session:
        tenant = get_tenant(session)
        loads = read_loads(session, tenant, None, at=at)
        ids = [load.rep_id for load in loads]
        names = read_names(session, reps=ids, leads=[], at=at, named=True)
        window = window_days(champion(session))
        paces = context.paces.read(session, tenant, window_days=window, at=at)
    try:
        rating = rate_team(context, tenant_id, ids)
    except ModelUnavailable:
        rating = None
    return TeamPage(
        tenant=tenant,
        at=at,
        loads=sorted(
            loads,
            key=lambda load: (
                load.status is not RepStatus.ACTIVE,
                load.team or "",
                names.rep(load.rep_id),
            ),
        ),
        rating=rating,
        paces=paces,
        window_days=window,
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
        loads = read_loads(session, tenant, None, at=at, of=[rep.rep_id])
        window = window_days(champion(session))
        paces = context.paces.read(session, tenant, window_days=window, at=at)
    try:
        rating = rate_rep(context, tenant_id, rep.rep_id)
    except ModelUnavailable:
        rating = None
    return RepPage(
        tenant=tenant,
        at=at,
        rep=rep,
        load=next((load for load in loads if load.rep_id == rep.rep_id), None),
        pace=paces.of_rep.get(rep.rep_id),
        pace_at=paces.at,
        window_days=window,
        rating=rating,
    )


def _rep(session: ReadSession, key: str, at: datetime) -> Rep:
    rep_id = resolve_rep(session, key)
    for rep in get_reps(session, [rep_id], as_of=at):
        return rep
    raise NotFound("rep", key)
