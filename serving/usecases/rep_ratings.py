"""A rep's rating as people read it: how often the rep wins, over the team's rate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from features.as_of import instant
from features.codes import known_codes
from features.declare import compute
from features.known import Known
from features.rep_inputs import rep_inputs
from features.rep_profile import REP_FEATURES
from features.standings import Standing, overall, standings
from rightrep.domain.ids import RepId, TenantId
from rightrep.errors import ModelUnavailable
from rightrep.store.tenants import get_tenant
from serving.usecases.context import Context


@dataclass(frozen=True, kw_only=True, slots=True)
class ProfileColumn:
    """One rep column of the model.

    Attributes:
        column: Its name.
        words: What it says.
        unit: Its unit.
        value: None where it is missing.
    """

    column: str
    words: str
    unit: str
    value: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class RepRating:
    """What is known of how a rep sells.

    Attributes:
        rep_id: The rep.
        as_of: As of when; aware.
        model_version: Whose ``p_lead`` the wins are held against.
        currency: Of the bands of deal values.
        standings: Overall, then by segment.
        profile: Speed to first touch, load, tenure, satisfaction and the rest.
    """

    rep_id: RepId
    as_of: datetime
    model_version: str
    currency: str
    standings: Sequence[Standing]
    profile: Sequence[ProfileColumn]


@dataclass(frozen=True, kw_only=True, slots=True)
class TeamRating:
    """How often reps win over the rate of their teams, over all leads.

    Attributes:
        as_of: As of when; aware.
        model_version: Whose ``p_lead`` the wins are held against.
        standings: By rep.
    """

    as_of: datetime
    model_version: str
    standings: Mapping[str, Standing]


def rate_rep(context: Context, tenant_id: TenantId, rep_id: RepId) -> RepRating:
    """A rep's rating as of now.

    Raises:
        ModelUnavailable: There is no model, so nothing says what leads let expect.
    """
    adviser = context.advisers.get(tenant_id, rep_ids=[rep_id])
    if adviser is None:
        raise ModelUnavailable("No rating: no model was trained yet.")
    with context.store.read(tenant_id) as session:
        currency = get_tenant(session).currency
    at = context.clock.now()
    return RepRating(
        rep_id=rep_id,
        as_of=at,
        model_version=adviser.version,
        currency=currency,
        standings=standings(adviser.known, rep_id, pd.Timestamp(at)),
        profile=_profile(adviser.known, rep_id, pd.Timestamp(at)),
    )


def rate_team(
    context: Context, tenant_id: TenantId, rep_ids: Sequence[RepId]
) -> TeamRating | None:
    """Overall ratings of reps as of now; None where no model was trained.

    Raises:
        ModelUnavailable: No model's file is whole.
    """
    adviser = context.advisers.get(tenant_id, rep_ids=rep_ids)
    if adviser is None:
        return None
    at = context.clock.now()
    return TeamRating(
        as_of=at,
        model_version=adviser.version,
        standings=overall(adviser.known, pd.Timestamp(at)),
    )


def in_words(standing: Standing, currency: str) -> dict[str, str]:
    """What a standing says, by language: ``en`` and ``zh``.

    Args:
        standing: The standing.
        currency: ISO 4217 code of the bands of deal values.
    """
    place = "team" if standing.with_team else "all"
    return {
        language: _sentence(standing, phrases, phrases[place], currency)
        for language, phrases in _PHRASES.items()
    }


def leads_in_words(standing: Standing, currency: str, language: str) -> str:
    """The leads that a standing is about, such as "leads from referral"."""
    phrases = _PHRASES[language]
    return phrases[standing.scope].format(_value(standing, phrases, currency))


def _sentence(
    standing: Standing, phrases: Mapping[str, str], group: str, currency: str
) -> str:
    leads = phrases[standing.scope].format(_value(standing, phrases, currency))
    if standing.ratio is None or standing.low is None or standing.high is None:
        return phrases["unknown"].format(leads=leads, group=group, n=standing.n_leads)
    half = (standing.high - standing.low) / 2.0
    digits = 1 if half >= _WIDE else 2
    told = "ratio" if standing.n_leads else "newcomer"
    sentence = phrases[told].format(
        leads=leads,
        group=group,
        ratio=f"{standing.ratio:.{digits}f}",
        half=f"{half:.{digits}f}",
        n=f"{standing.n_leads:,}",
    )
    return sentence + ("" if standing.differs else phrases["same"])


def _value(standing: Standing, phrases: Mapping[str, str], currency: str) -> str:
    if standing.band is None:
        return standing.segment or ""
    low, high = standing.band
    unit = f" {currency}" if standing.scope == "deal_band" else phrases["people"]
    if low is None:
        return phrases["below"].format(f"{high:,.0f}{unit}")
    if high is None:
        return phrases["above"].format(f"{low:,.0f}{unit}")
    return phrases["between"].format(f"{low:,.0f}", f"{high:,.0f}{unit}")


def _profile(known: Known, rep_id: str, at: pd.Timestamp) -> list[ProfileColumn]:
    rep = known_codes(known.own.rep_ids, [rep_id], "rep")
    inputs, _ = rep_inputs(known, rep, np.array([instant(at)], dtype=np.int64))
    row = compute(REP_FEATURES, inputs, 1)[0]
    return [
        ProfileColumn(
            column=one.column.name,
            words=one.column.meaning,
            unit=one.column.unit,
            value=None if np.isnan(value) else float(value),
        )
        for one, value in zip(REP_FEATURES, row, strict=True)
    ]


_WIDE = 0.1
"""Half-widths from here on are told in tenths, others in hundredths."""

_PHRASES: Mapping[str, Mapping[str, str]] = {
    "en": {
        "overall": "leads",
        "industry": "{} leads",
        "region": "leads in {}",
        "product": "leads for {}",
        "channel": "leads from {}",
        "language": "leads in the language {}",
        "deal_band": "deals of {}",
        "size_band": "companies of {}",
        "below": "less than {}",
        "above": "{} and more",
        "between": "{} to {}",
        "people": " people",
        "team": "the team's rate",
        "all": "the rate of all reps",
        "ratio": "wins {leads} {ratio}x {group}, ±{half}, {n} leads",
        "newcomer": "has no judged leads yet: taken to win {leads} at {group}, ±{half}",
        "unknown": "{leads}: too few wins to compare with anybody, {n} leads",
        "same": " (not measurably different)",
    },
    "zh": {
        "overall": "线索",
        "industry": "{}行业线索",
        "region": "{}地区线索",
        "product": "{}产品线索",
        "channel": "{}渠道线索",
        "language": "{}语言线索",
        "deal_band": "{}的商机",
        "size_band": "规模{}的企业",
        "below": "低于 {}",
        "above": "{} 及以上",
        "between": "{} 至 {}",
        "people": " 人",
        "team": "团队",
        "all": "全体销售",
        "ratio": "{leads}赢单率是{group}的 {ratio} 倍，±{half}，{n} 条线索",
        "newcomer": "尚无已判定的线索：{leads}赢单率暂按{group}水平计，±{half}",
        "unknown": "{leads}：赢单太少，无从比较，{n} 条线索",
        "same": "（无可测差异）",
    },
}
