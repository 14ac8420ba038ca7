"""Figures in words, in every language of the pages."""

import pytest

from rightrep.domain.tenant import Tenant
from serving.web.wording import Say
from tests.serving_parts import ACME, NOON

ACME_IN_SHANGHAI = Tenant(
    tenant_id=ACME,
    name="Acme",
    time_zone="Asia/Shanghai",
    currency="CNY",
    created_at=NOON,
)


@pytest.mark.parametrize(
    ("hours", "english", "chinese"),
    [
        (0.5, "30 minutes", "30分钟"),
        (7.1, "7.1 hours", "7.1小时"),
        (21.0, "21 hours", "21小时"),
        (840.0, "35 days", "35天"),
    ],
)
def test_how_long_is_said_in_the_words_of_the_language(
    hours: float, english: str, chinese: str
) -> None:
    said = [
        Say(ACME_IN_SHANGHAI, locale=locale).hours(hours) for locale in ("en", "zh")
    ]

    assert said == [english, chinese]
