"""A rep's day and the settings of handovers, from the terminal."""

import json
from pathlib import Path

from rightrep.domain.lead import LeadAttributes, LeadKind
from rightrep.domain.rep import RepAttributes
from serving.commands.common import opened
from serving.usecases.pools import assign
from tests.integration.test_cli import Terminal, terminal
from tests.store_records import add_leads, add_reps

__all__ = ["terminal"]

HERE = ("--latitude", "31.23", "--longitude", "121.47")
NEAR = {"latitude": 31.24, "longitude": 121.50}


def test_a_day_of_visits_is_printed_for_leads_or_for_work_orders(
    terminal: Terminal,
) -> None:
    context, tenant_id = opened()
    at = context.clock.now()
    known = LeadAttributes(attributes=NEAR)
    with context.store.write(tenant_id) as session:
        (rep,) = add_reps(session, 1, RepAttributes(), at)
        found = {kind: add_leads(session, 1, known, at, kind)[0] for kind in LeadKind}
        for lead in found.values():
            assign(session, lead, rep, at=at, actor="boss")

    asked = ("visits", rep, "--day", "2026-03-03", *HERE)
    code, leads, _ = terminal(*asked)
    tickets = terminal(*asked, "--kind", "ticket")[1]

    assert code == 0
    assert f"lead {found[LeadKind.LEAD]}" in leads
    assert f"lead {found[LeadKind.TICKET]}" not in leads
    assert f"lead {found[LeadKind.TICKET]}" in tickets


def test_a_day_that_is_none_is_refused(terminal: Terminal) -> None:
    code, out, err = terminal("visits", "x", "--day", "soon", *HERE)

    assert (code, out) == (1, "")
    assert "'soon' is no day" in err


def test_handover_settings_are_shown_and_set(
    terminal: Terminal, tmp_path: Path
) -> None:
    before = json.loads(terminal("handover", "settings")[1])
    file = tmp_path / "handover.json"
    file.write_text(json.dumps({"service_team": "care"}))

    after = json.loads(terminal("handover", "settings", "--set", str(file))[1])
    file.write_text(json.dumps({"service_policy": "optimal"}))
    code, _, err = terminal("handover", "settings", "--set", str(file))

    assert before["service_team"] == ""
    assert after == {**before, "service_team": "care"}
    assert code == 1
    assert "cannot be chosen by 'optimal'" in err
    assert json.loads(terminal("handover", "settings")[1]) == after
