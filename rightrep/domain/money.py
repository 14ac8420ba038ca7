"""Money: whole minor units and an ISO 4217 currency."""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from rightrep.errors import InvalidInput

# Minor digits that are not two (ISO 4217).
_DIGITS = {
    "BHD": 3, "CLP": 0, "ISK": 0, "JOD": 3, "JPY": 0, "KRW": 0, "KWD": 3, "LYD": 3,
    "OMR": 3, "PYG": 0, "RWF": 0, "TND": 3, "UGX": 0, "VND": 0, "VUV": 0, "XAF": 0,
    "XOF": 0, "XPF": 0,
}  # fmt: skip
_INT64 = 2**63 - 1


def minor_digits(currency: str) -> int:
    """Digits after the point in this currency: 2 for CNY, 0 for JPY, 3 for KWD."""
    return _DIGITS.get(currency, 2)


@dataclass(frozen=True, slots=True)
class Money:
    """An amount of one currency.

    Attributes:
        minor: Whole minor units (cents, fen); fits int64.
        currency: ISO 4217 code, three capital letters.
    """

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if len(self.currency) != 3 or not self.currency.isascii():
            raise InvalidInput(
                f"{self.currency!r} is not a currency code.",
                field="currency",
                remedy="Give an ISO 4217 code such as CNY or USD.",
            )
        if abs(self.minor) > _INT64:
            raise InvalidInput("The amount is too large to keep.", field="amount")

    @classmethod
    def of(cls, amount: Decimal | int | str, currency: str) -> "Money":
        """From major units: ``Money.of("12.30", "CNY")`` is 1,230 fen."""
        scale = Decimal(10) ** minor_digits(currency)
        minor = (Decimal(amount) * scale).quantize(Decimal(1), ROUND_HALF_EVEN)
        return cls(int(minor), currency)

    @property
    def major(self) -> Decimal:
        """The amount in major units."""
        return Decimal(self.minor).scaleb(-minor_digits(self.currency))

    def converted(self, currency: str, rate: Decimal) -> "Money":
        """In another currency, at ``rate`` units of it for one unit of this."""
        return Money.of(self.major * rate, currency)
