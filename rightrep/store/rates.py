"""Exchange rates by day."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import bindparam, select

from rightrep.domain.money import Money
from rightrep.errors import InvalidInput
from rightrep.store.guard import of_tenant
from rightrep.store.schema import rates
from rightrep.store.session import ReadSession, WriteSession
from rightrep.store.sets import batches


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate:
    """What one unit of a currency is worth in another from a day on.

    Attributes:
        from_currency: ISO 4217 code of the unit.
        to_currency: ISO 4217 code of its worth.
        day: First day it holds, until the next rate's day.
        rate: Units of ``to_currency`` for one of ``from_currency``; positive.
    """

    from_currency: str
    to_currency: str
    day: date
    rate: Decimal


class Rates:
    """Rates into one currency.

    Attributes:
        currency: ISO 4217 code that money is converted to.
        by_currency: Days, ascending, and their rates, by the currency converted from.
    """

    def __init__(
        self, currency: str, by_currency: Mapping[str, tuple[list[date], list[Decimal]]]
    ) -> None:
        self.currency = currency
        self.by_currency = by_currency

    def on(self, from_currency: str, day: date) -> Decimal:
        """The rate that holds on a day; before the first known one, the first.

        Raises:
            InvalidInput: No rate of the currency is known.
        """
        if from_currency == self.currency:
            return Decimal(1)
        if from_currency not in self.by_currency:
            raise InvalidInput(
                f"No rate from {from_currency} to {self.currency} is known.",
                field="currency",
                remedy="Save one first.",
            )
        days, known = self.by_currency[from_currency]
        return known[max(0, bisect_right(days, day) - 1)]

    def convert(self, money: Money, day: date) -> Money:
        """Money in this currency, at the rate of a day.

        Raises:
            InvalidInput: No rate of its currency is known.
        """
        if money.currency == self.currency:
            return money
        return money.converted(self.currency, self.on(money.currency, day))


def save_rates(session: WriteSession, known: Sequence[Rate]) -> None:
    """Set rates; one of a day that is known is set anew.

    Raises:
        InvalidInput: A rate is not positive.
    """
    for rate in known:
        if not rate.rate > 0:
            raise InvalidInput("A rate is a positive number.", field="rate")
    statement = session.insert(rates)
    statement = statement.on_conflict_do_update(
        index_elements=list(rates.primary_key),
        set_={"rate": statement.excluded.rate},
    )
    rows = [
        {
            "from_currency": rate.from_currency,
            "to_currency": rate.to_currency,
            "day": rate.day,
            "rate": str(rate.rate),
        }
        for rate in known
    ]
    for batch in batches(rows):
        session.execute(statement, batch)


def get_rates(session: ReadSession, currency: str) -> Rates:
    """Every known rate into a currency."""
    found: dict[str, tuple[list[date], list[Decimal]]] = {}
    for row in session.execute(_INTO, {"currency": currency}):
        days, known = found.setdefault(row.from_currency, ([], []))
        days.append(row.day)
        known.append(Decimal(row.rate))
    return Rates(currency, found)


_INTO = (
    select(rates.c.from_currency, rates.c.day, rates.c.rate)
    .where(of_tenant(rates), rates.c.to_currency == bindparam("currency"))
    .order_by(rates.c.from_currency, rates.c.day)
)
