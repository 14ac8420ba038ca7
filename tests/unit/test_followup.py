"""Due times: the hours that count are the owner's."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rightrep.domain.followup import (
    DueCounting,
    FollowUpRules,
    Stretch,
    TaskState,
    WorkTime,
    due_after,
    remind_from,
    response_of,
    task_of,
)
from rightrep.domain.hours import Calendar
from rightrep.domain.ids import LeadId, RepId
from rightrep.domain.rep import Leave, Shift
from rightrep.domain.tier import Tier
from rightrep.errors import InvalidInput

OFFICE = tuple(Shift(day, time(9), time(17)) for day in range(5))
BERLIN = WorkTime(shifts=OFFICE, zone="Europe/Berlin")
FRIDAY = datetime(2026, 3, 27, 14, tzinfo=UTC)  # 15:00 in Berlin; clocks change Sunday
HOURS = DueCounting.WORKING_HOURS
DAYS = DueCounting.WORKING_DAYS


def works(**changes: object) -> WorkTime:
    known = {"shifts": OFFICE, "zone": "Europe/Berlin", **changes}
    return WorkTime(**known)  # type: ignore[arg-type]


def stretch(**facts: datetime) -> Stretch:
    opened = facts.pop("opened_at", FRIDAY)
    return Stretch(
        task_id="t", lead_id=LeadId("l"), rep_id=RepId("r"), revision=1,
        opened_at=opened, **facts,
    )  # fmt: skip


def test_working_hours_stop_over_the_weekend_whatever_clocks_do() -> None:
    due = due_after(4, HOURS, BERLIN, FRIDAY)

    assert due == datetime(2026, 3, 30, 9, tzinfo=UTC)  # Monday 11:00, summer time


def test_a_day_of_working_days_ends_at_the_same_time_of_the_next_one() -> None:
    wednesday = datetime(2026, 3, 25, 14, tzinfo=UTC)

    assert due_after(24, DAYS, BERLIN, wednesday) == wednesday + timedelta(days=1)
    monday = datetime(2026, 3, 30, 13, tzinfo=UTC)  # 15:00 by then
    assert due_after(24, DAYS, BERLIN, FRIDAY) == monday


def test_plain_hours_count_nights_and_weekends() -> None:
    due = due_after(24, DueCounting.HOURS, BERLIN, FRIDAY)

    assert due == FRIDAY + timedelta(hours=24)


def test_leave_and_holidays_do_not_count_and_made_up_days_do() -> None:
    monday, tuesday = date(2026, 3, 30), date(2026, 3, 31)
    away = works(leave=(Leave(monday, monday),))
    holiday = works(calendar=Calendar(closed=frozenset({monday, tuesday})))
    made_up = works(calendar=Calendar(made_up=frozenset({date(2026, 3, 28)})))

    assert due_after(4, HOURS, away, FRIDAY).day == 31
    assert due_after(4, HOURS, holiday, FRIDAY) == datetime(2026, 4, 1, 9, tzinfo=UTC)
    assert due_after(4, HOURS, made_up, FRIDAY) == datetime(2026, 3, 28, 10, tzinfo=UTC)


def test_whoever_never_works_is_given_the_hours_of_a_clock() -> None:
    gone = works(leave=(Leave(date(2026, 1, 1), date(2028, 1, 1)),))

    assert due_after(24, HOURS, gone, FRIDAY) == FRIDAY + timedelta(hours=24)
    assert remind_from(date(2026, 3, 27), gone) == datetime(2026, 3, 26, 23, tzinfo=UTC)


@given(
    hours=st.floats(0.5, 120),
    since=st.timedeltas(timedelta(0), timedelta(days=40)).map(FRIDAY.__add__),
    counting=st.sampled_from([HOURS, DAYS]),
)
def test_exactly_the_hours_that_count_lie_before_the_due_time(
    hours: float, since: datetime, counting: DueCounting
) -> None:
    due = due_after(hours, counting, BERLIN, since)

    counted = timedelta(0)
    for start, end in BERLIN.spans(since, counting):
        if start >= due:
            break
        counted += min(end, due) - start
    assert abs(counted - timedelta(hours=hours)) < timedelta(milliseconds=1)


def test_a_reminder_comes_so_many_counted_hours_before() -> None:
    rules = FollowUpRules.of(
        {"follow_up": {"counting": "working_hours", "reminder_hours": 4}}
    )

    task = task_of(stretch(), Tier.OPPORTUNITY, 90, rules, BERLIN)

    assert task.due_at == datetime(2026, 4, 1, 13, tzinfo=UTC)
    assert task.remind_at == datetime(2026, 4, 1, 9, tzinfo=UTC)


def test_a_tier_with_no_more_hours_than_the_reminder_has_none() -> None:
    rules = FollowUpRules(reminder_hours=24)

    assert task_of(stretch(), Tier.OPPORTUNITY, 90, rules, BERLIN).remind_at is None


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"hours": {"warm": 3}}, "follow_up.hours.warm"),
        ({"hours": {"nurture": 0}}, "follow_up.hours.nurture"),
        ({"counting": "moons"}, "follow_up.counting"),
        ({"reminder_hours": "4"}, "follow_up.reminder_hours"),
        ({"colour": 1}, "follow_up.colour"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_by_name(
    given: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        FollowUpRules.of({"follow_up": given})

    assert refused.value.field == field


def test_settings_are_read_back_as_they_were_told() -> None:
    rules = FollowUpRules.of({"follow_up": {"hours": {"nurture": 500}}})

    assert FollowUpRules.of({"follow_up": rules.to_json()}) == rules


def test_what_was_first_says_what_became_of_a_task() -> None:
    rules, later = FollowUpRules(), FRIDAY + timedelta(hours=1)

    def state(**facts: datetime) -> TaskState:
        task = task_of(stretch(**facts), Tier.OPPORTUNITY, 90, rules, BERLIN)
        return task.state(FRIDAY + timedelta(days=9))

    assert state() is TaskState.OVERDUE
    assert state(touched_at=later, ended_at=later) is TaskState.DONE
    assert state(ended_at=FRIDAY, touched_at=later) is TaskState.PASSED_ON
    assert state(closed_at=later) is TaskState.CLOSED


def test_leads_that_went_away_in_time_are_not_judged_and_none_is_forgotten() -> None:
    rules = FollowUpRules(counting=DueCounting.HOURS)
    end = FRIDAY + timedelta(days=9)
    facts = [
        {"touched_at": FRIDAY + timedelta(hours=2)},
        {"touched_at": FRIDAY + timedelta(hours=30)},
        {"ended_at": FRIDAY + timedelta(hours=3)},
        {},
        {"opened_at": end},
    ]

    found = response_of(
        [task_of(stretch(**f), Tier.OPPORTUNITY, 90, rules, BERLIN) for f in facts],
        end,
    )

    assert (found.n_tasks, found.n_touched, found.n_judged) == (5, 2, 3)
    assert found.n_in_time == 1
    assert found.median_hours is None  # the third of five was never touched
    assert found.in_time_share == pytest.approx(1 / 3)


def test_without_tasks_nothing_is_said() -> None:
    found = response_of([], FRIDAY)

    assert (found.median_hours, found.in_time_share) == (None, None)
