"""Rules over columns: the first match wins, and one lead is the same on one row."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rightrep.domain.candidates import (
    Candidates,
    Match,
    Skill,
    Staff,
    WinRate,
    WinRates,
)
from rightrep.domain.conditions import (
    All,
    AnyOf,
    Condition,
    Contains,
    Dated,
    Empty,
    In,
    Not,
    Range,
)
from rightrep.domain.ids import RepId
from rightrep.domain.lead import Scalar
from rightrep.domain.lead_table import Coded, LeadTable
from rightrep.domain.rep import RepAttributes, RepStatus
from rightrep.domain.roster import RosterEntry
from rightrep.domain.rule_sets import NO_RULE, ByPolicy, Change, Rule, compare, route

NOW = datetime(2026, 3, 2, 4, tzinfo=UTC)
REGIONS = ["South", "ＳＯＵＴＨ ", "North", "", None]
OWN: list[Scalar] = ["south", 1, 1.0, True, "2026-03-10", "soon", None, 7.5]
NUMBERS = [None, 0.0, 5.0, 10.0]
AGES = [-40.0, -7.0, -0.5, None]

Lead = tuple[str | None, Scalar, float | None, float | None]
leads = st.lists(
    st.tuples(
        st.sampled_from(REGIONS),
        st.sampled_from(OWN),
        st.sampled_from(NUMBERS),
        st.sampled_from(AGES),
    ),
    max_size=6,
)


def table(rows: list[Lead]) -> LeadTable:
    """Leads with a region, an own field, a deal value and an age in days."""
    made = [None if age is None else NOW + timedelta(days=age) for *_, age in rows]
    return LeadTable(
        n_leads=len(rows),
        at=NOW,
        words={
            "region": Coded.of(row[0] for row in rows),
            "attributes.x": Coded.of(row[1] for row in rows),
        },
        numbers={
            "deal_value": np.array(
                [np.nan if row[2] is None else row[2] for row in rows], np.float64
            )
        },
        instants={
            "created_at": np.array(
                [None if at is None else at.replace(tzinfo=None) for at in made],
                dtype="datetime64[us]",
            )
        },
    )


tests_of_one_field: st.SearchStrategy[Condition] = st.one_of(
    st.builds(In, st.just("region"), st.sampled_from([("south",), ("North", "x")])),
    st.builds(
        In, st.just("attributes.x"), st.sampled_from([(1,), (True,), ("South", 7.5)])
    ),
    st.builds(In, st.just("deal_value"), st.just((5, 10.0))),
    st.builds(Range, st.just("deal_value"), st.just(0.0), st.just(10.0)),
    st.builds(Range, st.just("attributes.x"), st.just(1.0)),
    st.builds(Contains, st.just("region"), st.just("OUT")),
    st.builds(Empty, st.sampled_from(["region", "attributes.x", "deal_value"])),
    st.builds(Dated, st.just("created_at"), st.just(-7.0)),
    st.builds(Dated, st.just("attributes.x"), st.just(0.0), st.just(30.0)),
)
conditions: st.SearchStrategy[Condition] = st.recursive(
    tests_of_one_field,
    lambda inner: st.one_of(
        st.builds(lambda of: All(tuple(of)), st.lists(inner, max_size=3)),
        st.builds(lambda of: AnyOf(tuple(of)), st.lists(inner, min_size=1, max_size=3)),
        st.builds(Not, inner),
    ),
    max_leaves=5,
)
parts = st.builds(
    Candidates,
    teams=st.sampled_from([(), ("a",), ("A ", "b")]),
    match=st.sampled_from([(), (Match("region", "region"),)]),
    skills=st.sampled_from([(), (Skill("languages", ("de",)),)]),
    win_rate=st.sampled_from(
        [None, WinRate("region", best=1), WinRate(None, at_least=0.3)]
    ),
)
rules = st.lists(st.tuples(conditions, parts), max_size=4).map(
    lambda made: [
        Rule(name=f"r{n}", when=when, candidates=who, choice=ByPolicy("random"))
        for n, (when, who) in enumerate(made)
    ]
)
REPS = [
    RosterEntry(rep_id=RepId(name), attributes=RepAttributes(**fields))  # type: ignore[arg-type]
    for name, fields in {
        "one": {"team": "A", "region": "south", "languages": frozenset({"de-CH"})},
        "two": {"team": "b", "region": "North"},
        "left": {"team": "a", "region": "South", "status": RepStatus.LEFT},
        "three": {"languages": frozenset({"de"})},
    }.items()
]
RATES = WinRates(
    np.array([0.2, 0.4, 0.9, 0.3]),
    {"region": {"south": np.array([0.5, 0.1, 0.9, 0.5])}},
)
ROSTER = Staff(REPS, date(2026, 3, 2), RATES)


@given(rows=leads, made=rules)
def test_one_lead_alone_is_routed_as_among_many(
    rows: list[Lead], made: list[Rule]
) -> None:
    together = route(made, table(rows), ROSTER)

    for i, row in enumerate(rows):
        alone = route(made, table([row]), ROSTER)
        assert alone.rule[0] == together.rule[i]
        assert alone.candidates[0].tolist() == together.candidates[i].tolist()


@given(rows=leads, made=rules)
def test_the_first_rule_that_matches_decides(
    rows: list[Lead], made: list[Rule]
) -> None:
    columns = table(rows)

    routed = route(made, columns, ROSTER)

    holds = [rule.when.holds(columns) for rule in made]
    for i in range(len(rows)):
        first = next((n for n, one in enumerate(holds) if one[i]), NO_RULE)
        assert routed.rule[i] == first


@given(rows=leads, made=rules)
def test_who_left_is_no_candidate_and_no_rule_has_none(
    rows: list[Lead], made: list[Rule]
) -> None:
    routed = route(made, table(rows), ROSTER)

    assert not routed.candidates[:, 2].any()
    assert not routed.candidates[routed.rule == NO_RULE].any()
    assert not routed.is_empty[routed.rule == NO_RULE].any()


@given(rows=leads, condition=conditions)
def test_a_condition_or_its_opposite_holds(
    rows: list[Lead], condition: Condition
) -> None:
    columns = table(rows)

    holds, opposite = condition.holds(columns), Not(condition).holds(columns)

    assert (holds ^ opposite).all()
    assert not All((condition, Not(condition))).holds(columns).any()
    assert AnyOf((condition, Not(condition))).holds(columns).all()


@given(rows=leads)
def test_a_field_that_is_not_known_passes_empty_and_nothing_else(
    rows: list[Lead],
) -> None:
    columns = table(rows)
    asked: list[Condition] = [
        In("deal_value", (0, 5, 10)),
        Range("deal_value", below=99.0),
    ]

    empty = Empty("deal_value").holds(columns)

    assert empty.tolist() == [row[2] is None for row in rows]
    for condition in asked:
        assert (condition.holds(columns) == ~empty).all()


@given(made=rules, data=st.data())
def test_a_diff_tells_each_rule_once(made: list[Rule], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(made))
    kept = [rule for rule in shuffled if data.draw(st.booleans())]
    after = [
        replace(rule, reason="new") if data.draw(st.booleans()) else rule
        for rule in kept
    ]

    told = compare(made, after)

    assert set(told) == {rule.name for rule in made}
    for rule in made:
        mine = next((one for one in after if one.name == rule.name), None)
        if mine is None:
            assert told[rule.name] is Change.REMOVED
        elif mine != rule:
            assert told[rule.name] is Change.CHANGED
        else:
            assert told[rule.name] in (Change.SAME, Change.MOVED)
    assert compare(made, made) == {rule.name: Change.SAME for rule in made}
