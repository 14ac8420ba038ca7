"""Public holidays, and the weekend days worked to make up for them.

The dates come from the ``holidays`` library, which is kept up as governments announce
them. On every day of 2018 to 2026 it agrees with ``chinesecalendar`` on which days
China works, make-up days included, so one library serves all countries.
"""

from datetime import date
from functools import lru_cache

import holidays

from rightrep.domain.hours import Calendar
from rightrep.errors import InvalidInput


def require_calendar(code: str, *, field: str = "calendar") -> str:
    """The same code, checked.

    Args:
        code: ISO 3166 country, ``CN``, or with a part of it, ``DE-BY``.
        field: Where it was given.

    Raises:
        InvalidInput: No calendar has this code.
    """
    country, _, part = code.partition("-")
    parts = holidays.list_supported_countries(include_aliases=False).get(country)
    if parts is None or (part and part not in parts) or code.endswith("-"):
        raise InvalidInput(
            "There is no holiday calendar of this code.",
            field=field,
            remedy="Give a country such as CN, or a part of one such as DE-BY.",
        )
    return code


def calendar_of(code: str, day: date) -> Calendar:
    """Days off and make-up days of the years around a day.

    Args:
        code: ISO 3166 country, or with a part of it.
        day: A day; its year and both beside it are covered.

    Raises:
        InvalidInput: No calendar has this code.
    """
    return _calendar(require_calendar(code), day.year)


@lru_cache(maxsize=256)
def _calendar(code: str, year: int) -> Calendar:
    country, _, part = code.partition("-")
    years = range(year - 1, year + 2)
    found = holidays.country_holidays(country, subdiv=part or None, years=years)
    return Calendar(
        closed=frozenset(found),
        made_up=frozenset(day for day in found.weekend_workdays if day.year in years),
    )
