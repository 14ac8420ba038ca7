"""Where from? The page, its charts and its file."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from fastapi import Query, Response

from serving.usecases.board_channels import ChannelsPage, Step, read_channels
from serving.web.files import csv_file
from serving.web.page_route import Look, Looking, router
from serving.web.wording import Say

PERIODS = (30, 90, 180, 365)
"""Days that the page offers."""
MOST_DAYS = 1_100
Days = Annotated[int, Query(ge=1, le=MOST_DAYS)]
Channel = Annotated[str, Query(max_length=255)]

CSV_COLUMNS = (
    "channel",
    "campaign",
    "leads",
    "won",
    "lost",
    "judged_leads",
    "converted",
    "conversion",
    "conversion_low",
    "conversion_high",
    "window_days",
    "won_value",
    "cost",
    "cost_per_lead",
    "cost_per_win",
    "won_for_each_unit_spent",
    "currency",
    "first_instant",
    "as_of",
)


@router.get("/channels")
def get_channels(look: Looking, days: Days = 180, channel: Channel = "") -> Response:
    """What each channel brought, what it cost, and where leads are lost."""
    page = _page(look, days, channel)
    say = look.say(page.tenant)
    return look.show(
        "channels.html",
        page=page,
        periods=PERIODS,
        say=say,
        funnel_chart=_funnel_chart(page.funnel, say),
    )


@router.get("/channels.csv")
def get_channels_file(look: Looking, days: Days = 180) -> Response:
    """The same as a file for spreadsheets."""
    return csv_file("channels", CSV_COLUMNS, _rows(_page(look, days, "")))


def _page(look: Look, days: int, channel: str) -> ChannelsPage:
    with look.parts.store.read(look.tenant_id) as session:
        return read_channels(session, days=days, only=channel or None, at=look.at)


def _funnel_chart(funnel: Sequence[Step], say: Say) -> dict[str, Any] | None:
    """What became of the leads at each stage, and in words; None without leads."""
    if not any(step.reached for step in funnel):
        return None
    words = say.translate(
        "{stage}: {reached} got so far; {lost} lost here, {open} still here"
    )
    return {
        "names": [_stage(step, say) for step in funnel],
        "on": [step.reached - step.lost - step.still_open for step in funnel],
        "open": [step.still_open for step in funnel],
        "lost": [step.lost for step in funnel],
        "told": [
            words.format(
                stage=_stage(step, say),
                reached=say.number(step.reached),
                lost=say.number(step.lost),
                open=say.number(step.still_open),
            )
            for step in funnel
        ],
    }


def _stage(step: Step, say: Say) -> str:
    return say.translate(step.stage.value)


def _rows(page: ChannelsPage) -> Iterator[Sequence[object]]:
    for one in (*page.channels, *page.campaigns):
        yield (
            one.channel,
            one.campaign,
            one.n_leads,
            one.n_won,
            one.n_lost,
            one.n_judged,
            one.n_converted,
            one.conversion,
            one.low,
            one.high,
            page.window_days,
            one.value,
            one.cost,
            one.cost_per_lead,
            one.cost_per_win,
            one.earned,
            page.tenant.currency,
            page.first.isoformat(),
            page.at.isoformat(),
        )
