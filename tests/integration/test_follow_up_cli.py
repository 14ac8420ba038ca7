"""Follow-up from the terminal: the same tasks, response times and weeks."""

from rightrep.domain.activity import Activity, ActivityKind
from rightrep.domain.ids import LeadId, RepId
from rightrep.store.activities import record_activity
from serving.commands.common import opened
from serving.usecases.pools import assign
from tests.integration.test_cli import Terminal, terminal
from tests.store_records import add_leads, add_reps

__all__ = ["terminal"]


def give() -> tuple[LeadId, RepId]:
    """A lead that a rep was just given."""
    context, tenant_id = opened()
    at = context.clock.now()
    with context.store.write(tenant_id) as session:
        (lead,), (rep,) = add_leads(session, 1, when=at), add_reps(session, 1, when=at)
        assign(session, lead, rep, at=at, actor="boss")
    return lead, rep


def touch(lead: LeadId, rep: RepId) -> None:
    context, tenant_id = opened()
    at = context.clock.now()
    told = Activity(
        event_id="a", kind=ActivityKind.CALL, lead_id=lead, rep_id=rep,
        happened_at=at, recorded_at=at,
    )  # fmt: skip
    with context.store.write(tenant_id) as session:
        record_activity(session, told)


def test_tasks_are_printed_until_they_are_done(
    terminal: Terminal,
) -> None:
    lead, rep = give()

    code, out, _ = terminal("follow-up", "tasks", "--rep", rep)
    assert code == 0
    assert f"follow_up lead {lead} rep {rep}" in out
    assert "1 tasks opened" in terminal("follow-up", "look")[1]
    touch(lead, rep)

    assert terminal("follow-up", "tasks")[1] == ""
    assert "1 of 1 touched" in terminal("follow-up", "response")[1]
    assert "1 call; 1 leads touched, 1 received" in terminal("follow-up", "week")[1]


def test_a_rep_and_a_team_at_once_are_refused(
    terminal: Terminal,
) -> None:
    _, rep = give()

    code, out, err = terminal("follow-up", "tasks", "--rep", rep, "--team", "x")

    assert (code, out) == (1, "")
    assert "Name a rep or a team" in err
