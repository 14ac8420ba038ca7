"""Cheating is noticed, honest months stay quiet, and every alarm has its numbers."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from experiments.market_cheating import START, PoolMonth, pool_month
from rightrep.domain.collusion import (
    Alarm,
    Brought,
    CheatingLimits,
    FollowUp,
    Move,
    Severity,
    Visit,
    _tail,
    barred_by_rings,
    empty_follow_ups,
    impossible_visits,
    junk_imports,
    rings,
)
from rightrep.domain.ids import LeadId, RepId
from rightrep.domain.ownership import OwnershipKind
from rightrep.errors import InvalidInput

LIMITS = CheatingLimits()


def found(month: PoolMonth) -> list[Alarm]:
    """Every alarm of a month."""
    return [
        *rings(month.moves, LIMITS),
        *empty_follow_ups(month.follow_ups, LIMITS),
        *impossible_visits(month.visits, LIMITS),
        *junk_imports(month.brought, LIMITS),
    ]


def passed(lead: str, takers: Sequence[str], *, hours: float = 10) -> list[Move]:
    """The lead is claimed and dropped by each of them in turn."""
    moves, at = [], START
    for taker in takers:
        for kind, owner, before in (
            (OwnershipKind.CLAIMED, RepId(taker), None),
            (OwnershipKind.DROPPED, None, RepId(taker)),
        ):
            moves.append(
                Move(
                    lead_id=LeadId(lead),
                    kind=kind,
                    owner=owner,
                    previous_owner=before,
                    at=at,
                )
            )
            at += timedelta(hours=hours)
    return moves


def crowd(n: int) -> list[Move]:
    """So many other reps who claim something."""
    return [move for k in range(n) for move in passed(f"other-{k}", [f"rep-{k}"])]


def test_planted_cheats_are_found_and_clean_months_stay_quiet() -> None:
    hits = planted = false = quiet = 0
    for seed in range(6):
        month = pool_month(seed, cheating=True)
        alarms = found(month)
        for kind, cheats in month.cheats.items():
            told = {frozenset(one.reps) for one in alarms if one.kind is kind}
            planted += len(cheats)
            hits += sum(cheat in told for cheat in cheats)
            false += len(told - set(cheats))
        quiet += len(found(pool_month(100 + seed, cheating=False)))
    assert hits >= 0.9 * planted
    assert false <= 1
    assert quiet <= 1


def test_two_reps_who_take_back_what_the_other_drops_are_a_ring() -> None:
    moves = [*crowd(40), *passed("x", "abab"), *passed("y", "baba")]
    (alarm,) = rings(moves, LIMITS)
    assert alarm.reps == ("a", "b")
    assert alarm.leads == ("x", "y")
    assert alarm.facts["returns"] == alarm.facts["chances"] == 2
    assert alarm.chance < LIMITS.surprise


def test_a_ring_of_three_is_one_alarm_with_the_three_of_them() -> None:
    moves = [*crowd(40), *passed("x", "abca"), *passed("y", "bcab")]
    (alarm,) = rings(moves, LIMITS)
    assert alarm.reps == ("a", "b", "c")


def test_one_retake_alone_or_a_slow_one_is_no_ring() -> None:
    assert rings([*crowd(40), *passed("x", "aba")], LIMITS) == []
    slow = [*passed("x", "abab", hours=100), *passed("y", "baba", hours=100)]
    assert rings([*crowd(40), *slow], LIMITS) == []


def test_in_a_team_of_three_retakes_are_no_surprise() -> None:
    assert rings([*crowd(1), *passed("x", "abab"), *passed("y", "baba")], LIMITS) == []


def test_a_manager_who_gives_the_lead_breaks_the_chain() -> None:
    moves = []
    for lead in "xy":
        story = passed(lead, "aba")
        given = [
            Move(
                lead_id=move.lead_id,
                kind=OwnershipKind.ASSIGNED,
                owner=move.owner,
                previous_owner=None,
                at=move.at,
            )
            if move.kind is OwnershipKind.CLAIMED
            else move
            for move in story
        ]
        moves += given
    assert rings([*crowd(40), *moves], LIMITS) == []


@given(st.integers(0, 30))
def test_the_order_in_which_moves_are_read_does_not_matter(turn: int) -> None:
    moves = [*crowd(20), *passed("x", "abab"), *passed("y", "baba")]
    turned = moves[turn:] + moves[:turn]
    assert rings(turned, LIMITS) == rings(moves, LIMITS)


def test_leads_of_a_ring_are_barred_for_its_reps_alone() -> None:
    moves = [*crowd(40), *passed("x", "abab"), *passed("y", "baba")]
    barred = barred_by_rings(rings(moves, LIMITS))
    assert barred == {LeadId(lead): frozenset("ab") for lead in "xy"}


def follow_up(rep: str, minutes: float | None, *, empty: bool, k: int = 0) -> FollowUp:
    """A follow-up so many minutes before the drop."""
    return FollowUp(
        lead_id=LeadId(f"lead-{rep}-{k}"),
        rep_id=RepId(rep),
        at=START + timedelta(hours=k),
        left=None if minutes is None else timedelta(minutes=minutes),
        empty=empty,
    )


def habits(n: int = 200) -> list[FollowUp]:
    """Others follow up days ahead, now and then late, a third of them empty."""
    return [
        follow_up(
            f"honest-{k % 9}", 30 if k % 50 == 0 else 4_000, empty=k % 3 == 0, k=k
        )
        for k in range(n)
    ]


def test_empty_follow_ups_in_the_last_hour_are_told_with_their_number() -> None:
    (alarm,) = empty_follow_ups(
        [*habits(), *(follow_up("idle", 20, empty=True, k=k) for k in range(11))],
        LIMITS,
    )
    assert alarm.reps == ("idle",)
    assert alarm.facts["empty"] == 11
    assert alarm.severity is Severity.MEDIUM


@pytest.mark.parametrize(
    ("minutes", "empty", "n"),
    [(20, False, 11), (4_000, True, 11), (None, True, 11), (20, True, 4)],
    ids=["says something", "in good time", "never drops", "too few"],
)
def test_follow_ups_that_mean_no_harm_raise_nothing(
    minutes: float | None, empty: bool, n: int
) -> None:
    made = [follow_up("busy", minutes, empty=empty, k=k) for k in range(n)]
    assert empty_follow_ups([*habits(), *made], LIMITS) == []


def visit(rep: str, at: datetime, latitude: float, k: int = 0) -> Visit:
    """A visit on one meridian."""
    return Visit(
        lead_id=LeadId(f"visited-{k}"),
        rep_id=RepId(rep),
        at=at,
        latitude=latitude,
        longitude=104.0,
    )


def test_a_hundred_kilometres_in_ten_minutes_are_impossible() -> None:
    late = START + timedelta(minutes=10)
    (alarm,) = impossible_visits(
        [visit("a", late, 31.9, 1), visit("a", START, 31.0)], LIMITS
    )
    assert alarm.facts["km"] == pytest.approx(100.1, abs=0.1)
    assert alarm.facts["minutes"] == pytest.approx(10)
    assert (
        impossible_visits([visit("a", START, 31.0), visit("b", late, 31.9, 1)], LIMITS)
        == []
    )
    same_house = [visit("a", START, 31.0), visit("a", START, 31.01, 1)]
    assert impossible_visits(same_house, LIMITS) == []


def brought(rep: str, n: int, junk: int, day: str = "2026-03-05") -> list[Brought]:
    """Leads of one rep and day, the first of them unusable."""
    return [
        Brought(
            lead_id=LeadId(f"own-{rep}-{day}-{k}"),
            rep_id=RepId(rep),
            at=START + timedelta(seconds=k),
            day=day,
            usable=k >= junk,
        )
        for k in range(n)
    ]


def test_a_list_that_nobody_could_call_is_told() -> None:
    others = [one for rep in "bcd" for one in brought(rep, 40, 4)]
    (alarm,) = junk_imports([*others, *brought("a", 60, 45)], LIMITS)
    assert alarm.reps == ("a",)
    assert alarm.facts["unusable"] == 45
    assert junk_imports([*others, *brought("a", 60, 7)], LIMITS) == []
    assert junk_imports([*others, *brought("a", 19, 19)], LIMITS) == []


@given(st.integers(0, 60), st.integers(0, 60), st.floats(0.001, 0.999))
def test_the_surprise_is_the_binomial_tail(seen: int, tried: int, rate: float) -> None:
    seen = min(seen, tried)
    assert _tail(seen, tried, rate) == pytest.approx(
        binom.sf(seen - 1, tried, rate), rel=1e-9, abs=1e-12
    )


def test_limits_that_make_no_sense_are_refused() -> None:
    with pytest.raises(InvalidInput, match="positive"):
        CheatingLimits(window_days=0)
    for name, value in (("surprise", 1.5), ("junk_least", "many"), ("joy", 1)):
        with pytest.raises(InvalidInput) as refused:
            CheatingLimits.of({"cheating": {name: value}})
        assert refused.value.field == f"cheating.{name}"
    assert CheatingLimits.of({}) == CheatingLimits()
