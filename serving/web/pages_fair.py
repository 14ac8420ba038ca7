"""Is it fair? The page, its charts and its file."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Any

from fastapi import Query, Response

from serving.usecases.board_fair import FairPage, Part, read_fair
from serving.usecases.trade_off import Curve
from serving.web.files import csv_file
from serving.web.page_route import Look, Looking, router
from serving.web.wording import Say

PERIODS = (7, 30, 90)
"""Days that the page offers."""
MOST_DAYS = 366
Days = Annotated[int, Query(ge=1, le=MOST_DAYS)]

CSV_COLUMNS = (
    "of",
    "id",
    "name",
    "team",
    "leads_given",
    "weight_share",
    "load_share",
    "quality_share",
    "quality_ratio",
    "quality_ratio_low",
    "quality_ratio_high",
    "leads_rated",
    "first_instant",
    "as_of",
    "model_version",
)


@router.get("/fair")
def get_fair(look: Looking, days: Days = 30) -> Response:
    """Load and quality by rep and team, and what more fairness would cost."""
    page = _page(look, days)
    say = look.say(page.tenant)
    say_plan = look.say(page.tenant, page.plan.objective) if page.plan else say
    return look.show(
        "fair.html",
        page=page,
        periods=PERIODS,
        say=say,
        say_plan=say_plan,
        shares_chart=_shares_chart(page, say),
        curve_chart=_curve_chart(page.curve, say_plan),
    )


@router.get("/fair.csv")
def get_fair_file(look: Looking, days: Days = 30) -> Response:
    """The same as a file for spreadsheets."""
    return csv_file("fair", CSV_COLUMNS, _rows(_page(look, days)))


def _page(look: Look, days: int) -> FairPage:
    page = read_fair(
        look.parts, look.tenant_id, days=days, at=look.at, named=look.named
    )
    return replace(page, names=look.called(page.names))


def _shares_chart(page: FairPage, say: Say) -> dict[str, Any] | None:
    """Shares of each rep who takes leads, and the weight's; None without."""
    parts = [one for one in page.reps if one.load_share is not None]
    if not parts:
        return None
    return {
        "names": [page.names.rep(one.key) for one in parts],
        "load": [one.load_share for one in parts],
        "quality": [one.quality_share for one in parts],
        "weight": [one.weight_share for one in parts],
        "told": [_told(page, one, say) for one in parts],
    }


def _told(page: FairPage, part: Part, say: Say) -> str:
    words = say.translate(
        "{rep}: {load} of leads, {quality} of quality, weight {weight}"
    )
    return words.format(
        rep=page.names.rep(part.key),
        load=say.percent(part.load_share or 0.0),
        quality="–" if part.quality_share is None else say.percent(part.quality_share),
        weight=say.percent(part.weight_share or 0.0),
    )


def _curve_chart(curve: Curve | None, say: Say) -> dict[str, Any] | None:
    """Value over the best there is, against spread; None where nothing is to choose."""
    if curve is None or not curve_bends(curve):
        return None
    best = max(curve.value, *(point.value for point in curve.points))
    words = say.translate("spread {spread}, {value} of the best value")

    def told(spread: float, value: float) -> str:
        return words.format(spread=say.percent(spread), value=say.percent(value / best))

    points = sorted(curve.points, key=lambda point: (point.spread, point.value))
    return {
        "points": [[point.spread, point.value / best] for point in points],
        "told": [told(point.spread, point.value) for point in points],
        "plan": [curve.spread, curve.value / best],
        "labels": {"x": say.translate("spread"), "y": say.translate("of the best")},
    }


def curve_bends(curve: Curve) -> bool:
    """Whether the dial changes the spread at all."""
    return len({round(point.spread, 6) for point in curve.points}) > 1


def _rows(page: FairPage) -> Iterator[Sequence[object]]:
    tables = (("rep", page.reps), ("team", page.teams))
    for what, parts in tables:
        for one in parts:
            yield (
                what,
                one.key,
                page.names.rep(one.key) if what == "rep" else one.key,
                one.team,
                one.load,
                one.weight_share,
                one.load_share,
                one.quality_share,
                one.ratio,
                one.low,
                one.high,
                one.n_rated,
                page.first.isoformat(),
                page.at.isoformat(),
                page.model_version,
            )
