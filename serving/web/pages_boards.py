"""Pages that answer one question each: what is stuck, who sells how, what answers?"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated

from fastapi import Query, Response

from features.standings import Standing
from rightrep.errors import NotAllowed
from rightrep.store.alarms import RaisedAlarm
from serving.models import Key
from serving.usecases import (
    board_models,
    board_reps,
    board_stuck,
    board_trial,
    rep_ratings,
)
from serving.usecases.cheating import in_words
from serving.usecases.paces import Speed
from serving.web import charts
from serving.web.files import csv_file
from serving.web.page_route import Look, Looking, router
from serving.web.spoken import DRAWN, OF_MANAGERS

CSV_COLUMNS = (
    "rep_id",
    "rep",
    "team",
    "status",
    "on_leave",
    "held",
    "limit",
    "judged_leads",
    "won",
    "rating",
    "rating_low",
    "rating_high",
    "compared_with",
    "hours_to_touch",
    "touch_ratio",
    "touch_low",
    "touch_high",
    "hours_to_close",
    "close_ratio",
    "close_low",
    "close_high",
    "model_version",
    "as_of",
)


@router.get("/stuck")
def get_stuck(look: Looking) -> Response:
    """Leads without a rep, leads about to drop, alarms that are open."""
    with look.parts.store.read(look.tenant_id) as session:
        shown = board_stuck.read_stuck(session, at=look.at, named=look.named)
    names = look.called(shown.names)

    def told(raised: RaisedAlarm) -> str:
        return in_words(raised.alarm, name=names.rep, translate=look.translate)

    return look.show(
        "stuck.html",
        stuck=replace(shown, names=names),
        told=told,
        say=look.say(shown.tenant),
    )


@router.get("/reps")
def get_reps(look: Looking) -> Response:
    """Every rep's rating beside the rep's load."""
    page = _team(look)
    return look.show("reps.html", page=page, say=look.say(page.tenant))


@router.get("/reps.csv")
def get_reps_file(look: Looking) -> Response:
    """The same as a file for spreadsheets."""
    return csv_file("reps", CSV_COLUMNS, _rows(_team(look)))


@router.get("/reps/{rep_id}")
def get_rep(rep_id: Key, look: Looking) -> Response:
    """One rep's rating, overall and by segment, in words."""
    _require_manager(look)
    page = board_reps.read_rep(look.parts, look.tenant_id, rep_id, at=look.at)
    currency = page.tenant.currency

    def told(standing: Standing) -> str:
        return rep_ratings.in_words(standing, currency)[look.language]

    def leads(standing: Standing) -> str:
        return rep_ratings.leads_in_words(standing, currency, look.language)

    return look.show(
        "rep.html", page=page, told=told, leads=leads, say=look.say(page.tenant)
    )


@router.get("/models")
def get_models(look: Looking) -> Response:
    """Champion and challengers, and whether the champion still fits."""
    with look.parts.store.read(look.tenant_id) as session:
        page = board_models.read_models(session, at=look.at)
    return look.show("models.html", page=page, say=look.say(page.tenant))


@router.get("/better")
def get_better(
    look: Looking, experiment: Annotated[Key | None, Query()] = None
) -> Response:
    """Is it better? What may be concluded of an experiment today."""
    with look.parts.store.read(look.tenant_id) as session:
        page = board_trial.read_trial(session, name=experiment, at=look.at)
    say = look.say(page.tenant)
    return look.show(
        "better.html",
        page=page,
        say=say,
        kinds=DRAWN,
        effect_chart=charts.of_effect(page, say),
        wins_chart=charts.of_wins(page),
    )


def _team(look: Look) -> board_reps.TeamPage:
    _require_manager(look)
    return board_reps.read_team(look.parts, look.tenant_id, at=look.at)


def _require_manager(look: Look) -> None:
    if not look.named:
        raise NotAllowed(OF_MANAGERS)


def _rows(page: board_reps.TeamPage) -> Iterator[Sequence[object]]:
    for load in page.loads:
        found = page.standings.get(load.rep_id)
        pace = page.paces.of_rep.get(load.rep_id)
        yield (
            load.rep_id,
            page.names.rep(load.rep_id),
            load.team,
            load.status.value,
            int(load.on_leave),
            load.holds_now,
            load.limit,
            found and found.n_leads,
            found and found.n_won,
            found and found.ratio,
            found and found.low,
            found and found.high,
            found and ("team" if found.with_team else "all reps"),
            *_speed(None if pace is None else pace.touch),
            *_speed(None if pace is None else pace.close),
            page.rating and page.rating.model_version,
            page.at.isoformat(),
        )


def _speed(speed: Speed | None) -> Sequence[object]:
    if speed is None:
        return (None,) * 4
    return (speed.median_hours, speed.ratio, speed.low, speed.high)
