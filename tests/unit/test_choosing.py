"""From a situation to a plan."""

from datetime import UTC, datetime

import numpy as np
import pytest

from optimizer.problem import UNASSIGNED
from rightrep.domain.eligibility import Exclusion, LeadColumns
from rightrep.domain.ids import LeadId, RepId, TenantId
from rightrep.domain.lead import Lead, LeadAttributes
from rightrep.domain.rep import RepAttributes
from rightrep.domain.roster import Roster, RosterEntry
from rightrep.domain.routing import Routing
from rightrep.domain.tenant import Tenant
from rightrep.errors import InvalidInput
from serving.usecases.choosing import LOTTERY, choose_batch, runner_ups
from serving.usecases.situation import Situation

NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)


def situation(n_leads: int, n_reps: int, **routing: object) -> Situation:
    """Leads and reps without limits, everybody eligible."""
    return Situation(
        at=NOON,
        tenant=Tenant(tenant_id=TenantId("t"), name="t", created_at=NOON),
        routing=Routing(**routing),  # type: ignore[arg-type]
        leads=[
            Lead(
                lead_id=LeadId(f"l{i}"),
                customer_id=None,
                contact_id=None,
                created_at=NOON,
                attributes=LeadAttributes(),
            )
            for i in range(n_leads)
        ],
        roster=Roster.of(
            [
                RosterEntry(rep_id=RepId(f"r{j}"), attributes=RepAttributes())
                for j in range(n_reps)
            ]
        ),
        codes=np.zeros((n_leads, n_reps), dtype=np.uint8),
        columns=LeadColumns(
            lead_id=[LeadId(f"l{i}") for i in range(n_leads)],
            language=[None] * n_leads,
            region=[None] * n_leads,
            product=[None] * n_leads,
        ),
    )


def test_where_reps_do_not_differ_the_load_is_shared() -> None:
    class Same:
        """A model that sees no difference between reps."""

        p_convert = np.full((12, 4), 0.2, dtype=np.float32)
        deal_value_minor = np.linspace(1, 9, 12)
        quality = np.full(12, 0.2)

    chosen = choose_batch(
        situation(12, 4),
        Same(),  # type: ignore[arg-type]
        policy="optimal",
        seed=0,
    )

    assert np.bincount(chosen.plan.rep_of).tolist() == [3, 3, 3, 3]
    assert chosen.gap == pytest.approx(0, abs=1e-9)


def test_without_a_model_the_optimum_gives_way_to_the_fallback() -> None:
    chosen = choose_batch(situation(4, 2), None, policy="optimal", seed=0)

    assert set(chosen.policy) == {"least_loaded"}
    assert chosen.fallback == "no model"


def test_lottery_leads_are_drawn_before_the_policy_chooses() -> None:
    given = situation(200, 5, exploration_share=0.3, lottery_salt="s")

    chosen = choose_batch(given, None, policy="round_robin", seed=1)

    by_lot = np.array([name == LOTTERY for name in chosen.policy])
    assert 0.15 < by_lot.mean() < 0.45
    assert np.allclose(chosen.plan.propensity[by_lot], 0.2)
    assert bool(np.isnan(chosen.plan.propensity[~by_lot]).all())
    assert int((chosen.plan.rep_of == UNASSIGNED).sum()) == 0


def test_runner_ups_leave_out_the_chosen_and_the_excluded() -> None:
    given = situation(3, 4, runner_ups=3)
    given.codes[:, 2] = Exclusion.PAUSED

    chosen = choose_batch(given, None, policy="round_robin", seed=0)
    others = runner_ups(given, None, chosen)

    for i, row in enumerate(others):
        named = {rep_id for rep_id, *_ in row}
        assert named == {"r0", "r1", "r3"} - {f"r{chosen.plan.rep_of[i]}"}


def test_an_unknown_policy_is_refused_with_the_right_names() -> None:
    with pytest.raises(InvalidInput, match="round_robin"):
        choose_batch(situation(1, 1), None, policy="magic", seed=0)
