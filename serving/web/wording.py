"""How numbers, money and times are said: in the tenant's currency and time zone."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from math import ceil

from babel.dates import format_date, format_datetime, format_timedelta, get_timezone
from babel.numbers import format_currency, format_decimal, format_percent
from babel.units import format_unit

from rightrep.domain.money import Money, minor_digits
from rightrep.domain.routing import Objective
from rightrep.domain.tenant import Tenant

LOCALE = "en"
_DAY = {"en": "d MMM y", "zh": "y年M月d日"}
_MINUTE = {"en": "d MMM y, HH:mm", "zh": "y年M月d日 HH:mm"}
_WHOLE_FROM = 100
_MINUS = "−"
_DAYS_FROM_HOURS = 48
_SMALL_SHARE = 1e-4
_SECOND = timedelta(seconds=1)


class Say:
    """Figures of one page in words.

    Attributes:
        tenant: Whose currency and zone.
        objective: What values add up: money in minor units, or wins.
        locale: Language of numbers and dates.
        translate: Language of the words, from English.
    """

    def __init__(
        self,
        tenant: Tenant,
        *,
        objective: Objective = Objective.VALUE,
        locale: str = LOCALE,
        translate: Callable[[str], str] = str,
    ) -> None:
        """Prepare to speak.

        Args:
            tenant: Whose currency and zone.
            objective: What values add up.
            locale: Language of numbers and dates.
            translate: Language of the words, from English.
        """
        self.tenant = tenant
        self.objective = objective
        self.locale = locale
        self.translate = translate
        self._zone = get_timezone(tenant.time_zone)
        self._scale = 10 ** minor_digits(tenant.currency)

    def value(self, value: float) -> str:
        """An expected value, or the price of a slot."""
        if self.objective is Objective.VALUE:
            return self._money(value / self._scale, self.tenant.currency)
        wins = format_decimal(abs(value), "#,##0.00", self.locale)
        unit = self.translate("wins")
        return self._signed(f"{wins} {unit}", value)

    def more(self, value: float) -> str:
        """The same, with its sign."""
        return f"+{self.value(value)}" if value >= 0 else self.value(value)

    def more_percent(self, share: float, digits: int = 1) -> str:
        """A relative difference, with its sign."""
        said = self.percent(share, digits)
        return f"+{said}" if share >= 0 else said

    def money(self, amount: Money) -> str:
        """An amount in its own currency."""
        return self._money(float(amount.major), amount.currency)

    def major(self, amount: float) -> str:
        """An amount in major units of the tenant's currency."""
        return self._money(amount, self.tenant.currency)

    def minor(self, amount: float) -> str:
        """Minor units of the tenant's currency, such as a mean of several amounts."""
        return self._money(amount / self._scale, self.tenant.currency)

    def percent(self, share: float, digits: int = 1) -> str:
        """A share of 1."""
        pattern = f"#,##0.{'0' * digits}%" if digits else "#,##0%"
        return self._signed(format_percent(abs(share), pattern, self.locale), share)

    def gap(self, share: float) -> str:
        """A proven gap, rounded up: never less than what was proven."""
        digits = 4 if share < _SMALL_SHARE else 2
        step = 10.0 ** -(digits + 2)
        return self.percent(max(1, ceil(share / step)) * step, digits)

    def number(self, number: float) -> str:
        """A count."""
        return format_decimal(number, "#,##0.#", locale=self.locale)

    def ratio(self, ratio: float) -> str:
        """How many times as much."""
        return format_decimal(ratio, "0.00", locale=self.locale)

    def loss(self, loss: float) -> str:
        """A log loss, which differs in the last digits."""
        return format_decimal(loss, "0.0000", locale=self.locale)

    def when(self, at: datetime) -> str:
        """An instant, to the minute, in the tenant's zone."""
        return format_datetime(
            at, _MINUTE[self.locale], tzinfo=self._zone, locale=self.locale
        )

    def day(self, at: datetime | date) -> str:
        """A day in the tenant's zone."""
        local = at.astimezone(self._zone) if isinstance(at, datetime) else at
        return format_date(local, _DAY[self.locale], locale=self.locale)

    def ago(self, at: datetime, now: datetime) -> str:
        """How long ago, roughly."""
        gone = min(at - now, -_SECOND)
        return format_timedelta(gone, add_direction=True, locale=self.locale)

    def hours(self, hours: float) -> str:
        """How long, in minutes, hours or days."""
        amount, unit = hours / 24.0, "duration-day"
        if hours < 1.0:
            amount, unit = hours * 60.0, "duration-minute"
        elif hours < _DAYS_FROM_HOURS:
            amount, unit = hours, "duration-hour"
        digits = 0 if amount >= 10.0 or unit == "duration-minute" else 1
        # Babel's Chinese has the short words alone, and says so by the unit's own name.
        said = format_unit(round(amount, digits), unit, "long", locale=self.locale)
        if unit in said:
            said = format_unit(round(amount, digits), unit, "short", locale=self.locale)
        return said

    def _money(self, major: float, currency: str) -> str:
        is_whole = major == 0 or abs(major) >= _WHOLE_FROM
        digits = 0 if is_whole else minor_digits(currency)
        pattern = f"¤#,##0.{'0' * digits}" if digits else "¤#,##0"
        said = format_currency(
            abs(major), currency, pattern, locale=self.locale, currency_digits=False
        )
        return self._signed(said, major)

    def _signed(self, said: str, number: float) -> str:
        return f"{_MINUS}{said}" if number < 0 else said
