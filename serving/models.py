"""Types that several routes speak: strict, and nothing unknown is let in."""

from datetime import date, time
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Annotated, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
)

from rightrep.domain import money as domain

MAX_MAJOR = Decimal(10) ** 13


class Body(BaseModel):
    """A request body: strict types, no unknown field."""

    model_config = ConfigDict(extra="forbid", strict=True)


def text_only(value: object) -> object:
    """Refuse numbers where text is meant, such as a time stamp for a date."""
    if not isinstance(value, str | date | time | Enum):
        # Pydantic turns a ValueError into an answer, and lets a TypeError through.
        raise ValueError("must be text")  # noqa: TRY004
    return value


def _clean(value: str) -> str:
    if "\x00" in value:
        raise ValueError("must not contain a null character")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("must be whole Unicode characters")
    return value


def _amount(value: str) -> str:
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise ValueError("must be a decimal number such as '12.30'") from None
    if not number.is_finite() or abs(number) > MAX_MAJOR:
        raise ValueError(f"must be between -{MAX_MAJOR} and {MAX_MAJOR}")
    return value


After = Annotated[int, Field(ge=-1, lt=2**31)]
"""The line that a page begins after; -1 is before the first."""

Text = Annotated[str, Field(max_length=255), AfterValidator(_clean)]
"""A short text."""

LongText = Annotated[str, Field(max_length=10_000), AfterValidator(_clean)]
"""A remark."""

Key = Annotated[
    str,
    Field(min_length=1, max_length=128, examples=["00Q5g00000A1b2c"]),
    AfterValidator(_clean),
]
"""One of our ids, or the CRM's own id."""

Instant = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(text_only)]
"""RFC 3339 with a zone."""

E = TypeVar("E", bound=Enum)

Word = Annotated[E, Field(strict=False), BeforeValidator(text_only)]
"""One of a fixed set of words."""


class MoneyIn(Body):
    """An amount in major units, as text so that no digit is lost."""

    amount: Annotated[
        str,
        Field(max_length=24, examples=["12800.00"], pattern=r"^-?\d+(\.\d+)?$"),
        AfterValidator(_amount),
    ]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$", examples=["CNY"])]

    def to_domain(self) -> domain.Money:
        """The same in minor units."""
        return domain.Money.of(self.amount, self.currency)


class MoneyOut(BaseModel):
    """An amount in major units, as text."""

    amount: str = Field(examples=["12800.00"])
    currency: str = Field(examples=["CNY"])

    @classmethod
    def of(cls, money: domain.Money | None) -> "MoneyOut | None":
        """The same in major units."""
        if money is None:
            return None
        return cls(amount=str(money.major), currency=money.currency)
