"""Columns speak in words, in English and in Chinese."""

import re

import numpy as np
import pytest

from features.columns import Column, Side
from features.profiles import contract_of
from features.recipe import Recipe
from training.words import Language, in_chinese, say

RECIPE = Recipe(
    label_window_days=30,
    categories={"industry": ("steel", "retail")},
    own_numbers=("seats",),
    own_categories={"plan": ("trial",)},
)
COLUMNS = {column.name: column for column in contract_of(RECIPE).columns}
HAN = re.compile(r"[\u4e00-\u9fff]")


@pytest.mark.parametrize("column", COLUMNS.values(), ids=COLUMNS.keys())
def test_every_column_speaks_chinese(column: Column) -> None:
    """A column added in English only is found here: add it to ``words_zh``."""
    assert HAN.search(in_chinese(column.meaning)), column.meaning
    assert HAN.search(in_chinese(column.missing)), column.missing


@pytest.mark.parametrize(
    ("name", "value", "english", "chinese"),
    [
        ("industry", 2, "the customer's trade: retail", "客户所属行业：retail"),
        ("industry", 9, "the customer's trade: another one", "客户所属行业：其他"),
        ("deal_value_stated", 1, "whether the deal value is stated: yes", "：是"),
        ("recent_win_rate", 0.125, "won lately: 12.5%", "近期整体赢单率：12.5%"),
        ("log_company_size", np.log1p(80.0), "company size: 80 employees", "80 人"),
        ("touches", 3, "contacts so far: 3 count", "累计跟进次数：3 次"),
        (
            "log_budget",
            np.nan,
            "budget: not known (budget is not stated)",
            "预算：未知（未填写预算）",
        ),
        ("attributes.seats", 12, "your own field seats: 12", "自定义字段seats：12"),
    ],
)
def test_a_value_is_said_with_its_meaning(
    name: str, value: float, english: str, chinese: str
) -> None:
    column = COLUMNS[name]

    assert english in say(column, np.float32(value), Language.ENGLISH)
    assert chinese in say(column, np.float32(value), Language.CHINESE)


def test_what_nobody_translated_is_said_in_english() -> None:
    column = Column(name="new", side=Side.LEAD, unit="days", meaning="a new thing")

    assert say(column, np.float32(2), Language.CHINESE) == "a new thing：2 天"
