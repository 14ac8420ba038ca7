"""Money as two columns, ``NAME_minor`` and ``NAME_currency``."""

from sqlalchemy import RowMapping

from rightrep.domain.money import Money


def money_columns(name: str, money: Money | None) -> dict[str, int | str | None]:
    """The two columns of an amount; both are null when there is none."""
    return {
        f"{name}_minor": None if money is None else money.minor,
        f"{name}_currency": None if money is None else money.currency,
    }


def money_of(name: str, row: RowMapping) -> Money | None:
    """The amount back from a row."""
    minor = row[f"{name}_minor"]
    return None if minor is None else Money(minor, row[f"{name}_currency"])
