"""Second, untidy records of known customers: what a matcher has to find.

Each change is something people and systems do to a record, named so that a report can
say which of them cost precision or recall. They were written down before any matcher.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from experiments import market_names as names
from experiments import market_places as places
from rightrep.errors import InvalidInput

Change = Callable[[str, np.random.Generator], str]

_CITIES = tuple(
    city.name.removesuffix("市") for city in places.CITIES if city.admin_code
)
_PAIRS = (
    "华華 远遠 恒恆 达達 宁寧 凯凱 诚誠 云雲 联聯 铭銘 锐銳 汇匯 创創 维維 腾騰 机機 "
    "软軟 网網 络絡 医醫 疗療 药藥 讯訊 训訓 务務 业業 团團 责責 设設 筑築 饰飾 电電 "
    "贸貿 连連 锁鎖 场場 链鏈 货貨 运運 资資 赁賃 馆館 饮飲 号號 区區 东東 广廣 庆慶 "
    "苏蘇 陈陳 张張 刘劉 杨楊 赵趙 黄黃 吴吳 孙孫 罗羅 郑鄭 谢謝 韩韓 冯馮 萧蕭 邓鄧 "
    "许許 伟偉 静靜 丽麗 强強 军軍 艳艷 涛濤 刚剛 兰蘭 晓曉 轩軒 备備 术術 询詢 应應 "
    "装裝 游遊 咨諮 锦錦 汉漢 滨濱 龙龍 岳嶽 "
)
_TRADITIONAL = str.maketrans({pair[0]: pair[1] for pair in _PAIRS.split()})
_WIDE = str.maketrans({chr(c): chr(c + 0xFEE0) for c in range(0x21, 0x7F)})
_OTHER_FORM = {
    "股份有限公司": "有限公司",
    "集团有限公司": "集团",
    "有限责任公司": "有限公司",
    "有限公司": "有限责任公司",
    "Inc.": "Incorporated",
    "LLC": "Inc.",
    "Ltd": "Limited",
    "PLC": "plc",
    "GmbH": "Gesellschaft mbH",
    "AG": "Aktiengesellschaft",
}


def drop_form(company: str, _rng: np.random.Generator) -> str:
    """Leave the legal form out.

    >>> drop_form("上海华远机械有限公司", np.random.default_rng(0))
    '上海华远机械'
    """
    form = _form_of(company)
    return company.removesuffix(form).rstrip() if form else company


def other_form(company: str, _rng: np.random.Generator) -> str:
    """Write another legal form, or the same one otherwise."""
    form = _form_of(company)
    return company.removesuffix(form) + _OTHER_FORM[form] if form else company


def traditional(text: str, _rng: np.random.Generator) -> str:
    """Write traditional characters.

    >>> traditional("上海华远软件", np.random.default_rng(0))
    '上海華遠軟件'
    """
    return text.translate(_TRADITIONAL)


def full_width(text: str, _rng: np.random.Generator) -> str:
    """Write full-width letters, digits and signs."""
    return text.translate(_WIDE)


def move_city(company: str, rng: np.random.Generator) -> str:
    """Leave the city out, put it in brackets behind the brand, or add 市."""
    for city in _CITIES:
        if company.startswith(city):
            rest = company.removeprefix(city)
            ways = (rest, f"{city}市{rest}", f"{rest[:2]}（{city}）{rest[2:]}")
            return ways[int(rng.integers(0, len(ways)))]
    return company


def homophone(company: str, rng: np.random.Generator) -> str:
    """Write one character as another that sounds the same.

    >>> homophone("上海瑞达机械", np.random.default_rng(1))
    '上海睿达机械'
    """
    alike = [(k, c) for k, c in enumerate(company) if len(_sounds_like(c)) > 1]
    if not alike:
        return company
    place, character = alike[int(rng.integers(0, len(alike)))]
    others = [c for c in _sounds_like(character) if c != character]
    chosen = others[int(rng.integers(0, len(others)))]
    return company[:place] + chosen + company[place + 1 :]


def swap(text: str, rng: np.random.Generator) -> str:
    """Swap two neighbouring characters."""
    if len(text) < 3:
        return text
    k = int(rng.integers(1, len(text) - 1))
    return text[: k - 1] + text[k] + text[k - 1] + text[k + 1 :]


def lose_one(text: str, rng: np.random.Generator) -> str:
    """Leave one character out."""
    if len(text) < 4:
        return text
    k = int(rng.integers(1, len(text)))
    return text[:k] + text[k + 1 :]


def respace(text: str, rng: np.random.Generator) -> str:
    """Change case and put spaces where they do not matter."""
    k = int(rng.integers(1, max(len(text), 2)))
    return f" {text[:k]} {text[k:]}".upper()


def upper_case(text: str, _rng: np.random.Generator) -> str:
    """Write capital letters."""
    return text.upper()


def add_extension(phone: str, rng: np.random.Generator) -> str:
    """Give the phone an extension."""
    return f"{phone} ext. {rng.integers(10, 999)}"


def repunctuate(phone: str, _rng: np.random.Generator) -> str:
    """Write the number with other signs between its groups."""
    return phone.replace(" ", "-") if " " in phone else phone.replace("-", " ")


def drop_province(address: str, _rng: np.random.Generator) -> str:
    """Start the address with the city."""
    head, mark, tail = address.partition("省")
    return tail if mark and len(head) < 4 else address


CHANGES: Mapping[str, tuple[str, Change]] = {
    "drop_form": ("company", drop_form),
    "other_form": ("company", other_form),
    "traditional": ("company", traditional),
    "full_width": ("company", full_width),
    "move_city": ("company", move_city),
    "homophone": ("company", homophone),
    "swap": ("company", swap),
    "lose_one": ("company", lose_one),
    "respace": ("company", respace),
    "traditional_address": ("address", traditional),
    "drop_province": ("address", drop_province),
    "typo_in_address": ("address", lose_one),
    "add_extension": ("phone", add_extension),
    "repunctuate": ("phone", repunctuate),
    "full_width_phone": ("phone", full_width),
    "upper_case": ("email", upper_case),
    "swap_name": ("contact_name", swap),
}
"""Every change by name: which column it touches, and what it does."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Untidiness:
    """How untidy copies are.

    Attributes:
        changes: Mean number of changes per copy, besides what is left out; > 0.
        missing: Chance that a field of the original is left out, each but the
            company; [0, 1].
        colleague: Chance that somebody else of the same company is named, without
            phone and mail address; [0, 1].
    """

    changes: float = 2.0
    missing: float = 0.35
    colleague: float = 0.3


def untidy_copies(
    contacts: pd.DataFrame,
    count: int,
    *,
    seed: int = 0,
    untidiness: Untidiness | None = None,
) -> pd.DataFrame:
    """Second records of customers drawn without repetition.

    Args:
        contacts: ``Market.contacts()``; the customer's number is the row.
        count: Copies wanted; at most the customers.
        seed: Which customers, and which changes.
        untidiness: How much is changed; the usual amount when None.

    Returns:
        The columns of ``contacts``, and customer (the true number) and changes (names
        of what was done, separated by spaces).

    Raises:
        InvalidInput: There are fewer customers.
    """
    if not 0 <= count <= len(contacts):
        raise InvalidInput(
            f"count is {count}; there are {len(contacts)} customers.", field="count"
        )
    rng = np.random.default_rng([seed, 1_000_003])
    how = untidiness or Untidiness()
    customer = np.sort(rng.choice(len(contacts), count, replace=False))
    strangers = contacts.iloc[rng.permutation(len(contacts))[:count]]
    copies = [
        _copy(original, stranger, rng, how)
        for original, stranger in zip(
            contacts.iloc[customer].to_dict("records"),
            strangers.to_dict("records"),
            strict=True,
        )
    ]
    frame = pd.DataFrame(copies, columns=[*contacts.columns, "changes"], dtype="str")
    return frame.assign(customer=customer)


def _copy(
    original: Mapping[object, object],
    stranger: Mapping[object, object],
    rng: np.random.Generator,
    how: Untidiness,
) -> dict[str, object]:
    copy: dict[str, object] = {str(name): value for name, value in original.items()}
    done: list[str] = []
    if rng.random() < how.colleague:
        done.append("colleague")
        copy |= {
            "contact_name": stranger["contact_name"],
            "phone": None,
            "email": None,
        }
    for name in list(copy):
        if name != "company" and rng.random() < how.missing:
            copy[name] = None
    order = rng.permutation(len(CHANGES))[: 1 + rng.poisson(max(how.changes - 1, 0))]
    for name in [list(CHANGES)[k] for k in order]:
        column, change = CHANGES[name]
        before = copy[column]
        if isinstance(before, str) and (after := change(before, rng)) != before:
            copy[column] = after
            done.append(name)
    return copy | {"changes": " ".join(done)}


def _form_of(company: str) -> str:
    """The longest legal form that the name ends in, or nothing."""
    found = [form for form in _OTHER_FORM if company.endswith(form)]
    return max(found, key=len, default="")


def _sounds_like(character: str) -> list[str]:
    if character not in names.BRANDS:
        return []
    reading = names.BRAND_READINGS[names.BRANDS.index(character)]
    pairs = zip(names.BRANDS, names.BRAND_READINGS, strict=True)
    return [other for other, sound in pairs if sound == reading]
