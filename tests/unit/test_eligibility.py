"""Who may take which lead."""

from datetime import UTC, date, datetime, time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rightrep.domain.eligibility import (
    SENTENCES,
    EligibilityRules,
    Exclusion,
    LeadColumns,
    exclusions,
)
from rightrep.domain.hours import next_working_instant, works_within
from rightrep.domain.ids import LeadId, RepId
from rightrep.domain.rep import Leave, RepAttributes, RepStatus, Shift
from rightrep.domain.roster import UNLIMITED, Roster, RosterEntry

MONDAY_NOON_SHANGHAI = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
SHANGHAI = "Asia/Shanghai"
OFFICE = tuple(Shift(day, time(9), time(18)) for day in range(5))


def entry(name: str = "r", *, held: int = 0, taken: int = 0, **kw: Any) -> RosterEntry:
    return RosterEntry(
        rep_id=RepId(name),
        attributes=RepAttributes(**kw),
        held=held,
        taken_today=taken,
    )


def leads(*rows: tuple[str | None, str | None, str | None]) -> LeadColumns:
    return LeadColumns(
        lead_id=[LeadId(f"l{i}") for i in range(len(rows))],
        language=[row[0] for row in rows],
        region=[row[1] for row in rows],
        product=[row[2] for row in rows],
    )


def code(rep: RosterEntry, rules: EligibilityRules, **lead: str) -> Exclusion:
    one = leads((lead.get("language"), lead.get("region"), lead.get("product")))
    alone = Roster.of([rep], zone=SHANGHAI)
    grid = exclusions(one, alone, rules, at=MONDAY_NOON_SHANGHAI)
    return Exclusion(int(grid[0, 0]))


@pytest.mark.parametrize(
    ("rep", "lead", "why"),
    [
        (entry(), {}, Exclusion.ELIGIBLE),
        (entry(status=RepStatus.LEFT), {}, Exclusion.LEFT),
        (entry(status=RepStatus.PAUSED), {}, Exclusion.PAUSED),
        (
            entry(leave=(Leave(date(2026, 3, 1), date(2026, 3, 2)),)),
            {},
            Exclusion.ON_LEAVE,
        ),
        (entry(holding_limit=15, held=15), {}, Exclusion.HOLDING_LIMIT),
        (entry(holding_limit=15, held=14), {}, Exclusion.ELIGIBLE),
        (entry(intake_per_day=3, taken=3), {}, Exclusion.INTAKE_LIMIT),
        (entry(languages=frozenset({"en"})), {"language": "zh"}, Exclusion.LANGUAGE),
        (
            entry(languages=frozenset({"zh-CN"})),
            {"language": "zh"},
            Exclusion.ELIGIBLE,
        ),
        (entry(languages=frozenset()), {"language": "zh"}, Exclusion.ELIGIBLE),
        (entry(region="East"), {"region": "West"}, Exclusion.TERRITORY),
        (entry(products=frozenset({"CRM"})), {"product": "ERP"}, Exclusion.PRODUCT),
    ],
)
def test_each_rule_excludes_what_it_says_and_nothing_else(
    rep: RosterEntry, lead: dict[str, str], why: Exclusion
) -> None:
    assert code(rep, EligibilityRules(territory=True), **lead) is why


def test_a_rule_that_is_off_excludes_nobody() -> None:
    rep = entry(languages=frozenset({"en"}), region="East", products=frozenset({"A"}))
    off = EligibilityRules(language=False, territory=False, product=False)

    assert code(rep, off, language="zh", region="West", product="B") == 0


def test_working_hours_are_the_reps_own_zone() -> None:
    rules = EligibilityRules(within_hours=0)
    here = entry(shifts=OFFICE)
    in_new_york = entry(shifts=OFFICE, time_zone="America/New_York")

    assert code(here, rules) is Exclusion.ELIGIBLE
    assert code(in_new_york, rules) is Exclusion.OFF_HOURS
    assert code(in_new_york, EligibilityRules(within_hours=12)) is Exclusion.ELIGIBLE


def test_a_refused_pair_is_barred_for_that_lead_only() -> None:
    columns = LeadColumns(
        lead_id=[LeadId("a"), LeadId("b")],
        language=[None, None],
        region=[None, None],
        product=[None, None],
        barred=[(1, RepId("r"), Exclusion.DECLINED)],
    )

    alone = Roster.of([entry()], zone=SHANGHAI)
    grid = exclusions(columns, alone, EligibilityRules(), at=MONDAY_NOON_SHANGHAI)

    assert grid.tolist() == [[Exclusion.ELIGIBLE], [Exclusion.DECLINED]]


def test_every_code_has_a_sentence() -> None:
    assert set(SENTENCES) == set(Exclusion)


def test_open_slots_are_the_tighter_of_both_limits() -> None:
    roster = Roster.of(
        [
            entry(holding_limit=15, held=4, intake_per_day=5, taken=2),
            entry(holding_limit=3, held=9),
            entry(held=7),
        ]
    )

    assert roster.open_slots.tolist() == [3, 0, UNLIMITED]


words = st.sampled_from([None, "zh", "en", "de"])


@given(
    rows=st.lists(st.tuples(words, words, words), max_size=6),
    reps=st.lists(
        st.builds(
            entry,
            languages=st.frozensets(st.sampled_from(["zh", "en-GB"])),
            products=st.frozensets(st.sampled_from(["zh", "de"])),
            region=words,
            status=st.sampled_from(RepStatus),
        ),
        max_size=4,
    ),
)
def test_one_lead_is_the_same_rule_on_one_row(
    rows: list[tuple[str | None, str | None, str | None]], reps: list[RosterEntry]
) -> None:
    rules = EligibilityRules(territory=True)
    at, roster = MONDAY_NOON_SHANGHAI, Roster.of(reps, zone=SHANGHAI)

    grid = exclusions(leads(*rows), roster, rules, at=at)

    assert grid.shape == (len(rows), len(reps))
    for i, row in enumerate(rows):
        one = exclusions(leads(row), roster, rules, at=at)
        np.testing.assert_array_equal(grid[i], one[0])


def test_the_next_working_instant_skips_the_weekend_and_leave() -> None:
    friday_evening = datetime(2026, 3, 6, 11, 0, tzinfo=UTC)
    monday_off = (Leave(date(2026, 3, 9), date(2026, 3, 9)),)

    found = next_working_instant(OFFICE, monday_off, zone=SHANGHAI, at=friday_evening)

    assert found == datetime(2026, 3, 10, 1, 0, tzinfo=UTC)


def test_a_shift_over_a_clock_change_follows_the_wall_clock() -> None:
    # New York springs forward on 2026-03-08 at 02:00, a Sunday.
    sunday = (Shift(6, time(9), time(17)),)

    found = next_working_instant(
        sunday, (), zone="America/New_York", at=datetime(2026, 3, 8, 6, tzinfo=UTC)
    )

    assert found == datetime(2026, 3, 8, 13, 0, tzinfo=UTC)


def test_a_rep_who_never_works_is_never_available() -> None:
    away = (Leave(date(2026, 1, 1), date(2026, 12, 31)),)

    assert not works_within(
        (), away, zone=SHANGHAI, at=MONDAY_NOON_SHANGHAI, hours=10_000
    )
