"""What a column says of one row, in words: in English or in Chinese."""

from dataclasses import replace
from enum import StrEnum

import numpy as np

from features.columns import Column
from training.words_zh import CHINESE, OWN_FIELD


class Language(StrEnum):
    """A language that explanations speak."""

    ENGLISH = "en"
    CHINESE = "zh"


MONEY = "money"
"""The unit of columns of money, and its name where no currency is told."""
_OWN_FIELD = "your own field "
_WHOLE_FROM = 1_000


def say(
    column: Column, value: np.float32, language: Language, currency: str = MONEY
) -> str:
    """A column with its value, such as "deal value: 12,000 CNY".

    Args:
        column: What the value is of.
        value: As in a feature row; NaN where it is missing.
        language: Language of the words.
        currency: What money is in: the tenant's ISO 4217 code.
    """
    if column.unit in (MONEY, f"log {MONEY}"):
        column = replace(column, unit=column.unit.replace(MONEY, currency))
    if language is Language.CHINESE:
        return _chinese(column, value)
    if np.isnan(value):
        return f"{column.meaning}: not known ({column.missing})"
    return f"{column.meaning}: {_english_value(column, float(value))}"


def in_chinese(english: str) -> str:
    """A meaning, unit or reason in Chinese; as it is where nobody translated it."""
    if english.startswith(_OWN_FIELD):
        return OWN_FIELD + english.removeprefix(_OWN_FIELD)
    return CHINESE.get(english, english)


def _english_value(column: Column, value: float) -> str:
    if column.categorical:
        return _category(column, int(value)) or "another one"
    if column.unit == "0 or 1":
        return "yes" if value else "no"
    return _number(column.unit, value)


def _chinese(column: Column, value: np.float32) -> str:
    meaning = in_chinese(column.meaning)
    if np.isnan(value):
        return f"{meaning}：未知（{in_chinese(column.missing)}）"
    if column.categorical:
        return f"{meaning}：{_category(column, int(value)) or '其他'}"
    if column.unit == "0 or 1":
        return f"{meaning}：{'是' if value else '否'}"
    number = _number(column.unit, float(value))
    unit = column.unit.removeprefix("log ")
    return f"{meaning}：{number.replace(unit, in_chinese(unit))}"


def _number(unit: str, value: float) -> str:
    if unit == "share":
        return f"{value:.1%}"
    if unit.startswith("log "):
        return f"{_plain(float(np.expm1(value)))} {unit.removeprefix('log ')}"
    return f"{_plain(value)} {unit}"


def _plain(value: float) -> str:
    """Four digits or so, and never a power of ten."""
    return f"{value:,.0f}" if abs(value) >= _WHOLE_FROM else f"{value:,.4g}"


def _category(column: Column, code: int) -> str | None:
    """The category's own text: the unit of such a column lists them by code."""
    categories = column.unit.removeprefix("code of ").split("|")
    return categories[code - 1] if 1 <= code <= len(categories) else None
