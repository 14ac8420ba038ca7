"""Registration and tax numbers: one form, and check digits verified (python-stdnum).

Only numbers whose kind their form tells are verified. Any other is kept as it is:
the world has hundreds of registers, and a number of one that we do not know is no
mistake.
"""

import re
from functools import lru_cache
from types import ModuleType
from typing import NamedTuple

from stdnum.ch import vat as ch_vat
from stdnum.cn import ric
from stdnum.eu import vat
from stdnum.exceptions import InvalidChecksum, ValidationError
from stdnum.gb import vat as gb_vat
from stdnum.iso7064 import mod_11_10
from stdnum.no import mva

from rightrep.intake.scripts import half_width

_FILLING = re.compile(r"[\s\-‐‑‒–—./·_]+")
_LABEL = re.compile(
    r"(?:统一社会信用代码|社会信用代码|纳税人识别号|税号|注册号|VAT(?:NO|ID)?|USTIDNR|USTID"
    r"|TAXID|TIN)[:：#]?"
)
_CHINESE = re.compile(r"[0-9A-Z]{18}", re.ASCII)
_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_DIGIT = {character: value for value, character in enumerate(_ALPHABET)}
_WEIGHTS = [3**place % 31 for place in range(17)]
_USCC = re.compile(rf"[1-9ANY][1-9][0-9]{{6}}[{_ALPHABET}]{{10}}")
_OLD_CHINESE = re.compile(r"\d{15}")
_BORN = re.compile(
    r"\d{6}(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dX]"
)
_VAT = re.compile(r"([A-Z]{2,3})[0-9A-Z+*]{4,14}")
_OTHER_VAT = {"GB": gb_vat, "CHE": ch_vat, "NO": mva}
_LEAST = 4
_CHECK_DIGIT = "its check digit is wrong"
_FORM = "it has not the form of"


class TaxNumber(NamedTuple):
    """A registration or tax number.

    Attributes:
        value: Upper case, half width, without separators: the form to compare by.
        kind: "cn.uscc" (统一社会信用代码), "cn.ric" (a sole trader's identity number),
            "cn.registration" (15 digits, before 2015), "vat.DE" and so on; None where
            the form does not tell.
        problem: Why it cannot exist, in words; None when it can.
    """

    value: str
    kind: str | None = None
    problem: str | None = None


@lru_cache(maxsize=1 << 14)
def tax_number(text: str) -> TaxNumber:
    """A number as it is compared, its kind, and what is wrong with it.

    >>> tax_number("9111 0000 6000 3734 1l")
    TaxNumber(value='91110000600037341L', kind='cn.uscc', problem=None)
    >>> tax_number("911100006000373410").problem
    'its check digit is wrong (cn.uscc)'
    """
    value = _compact(text)
    if len(value) < _LEAST or not any(map(str.isdigit, value)):
        return TaxNumber(
            value or half_width(text).strip(), None, "not a number of any register"
        )
    if len(set(value)) == 1:
        return TaxNumber(value, None, "one digit repeated")
    if _CHINESE.fullmatch(value):
        return _chinese(value)
    if _OLD_CHINESE.fullmatch(value):
        known = mod_11_10.is_valid(value)
        return TaxNumber(value, "cn.registration" if known else None)
    prefix = _VAT.match(value)
    if prefix is not None:
        return _vat(value, prefix[1])
    return TaxNumber(value)


def _compact(text: str) -> str:
    plain = _FILLING.sub("", half_width(half_width(text).upper()))
    return half_width(_LABEL.sub("", plain, count=1))


def _chinese(value: str) -> TaxNumber:
    """18 characters: a company's, or a person's where a date of birth stands in it."""
    problem = _uscc_problem(value)
    if problem is not None and _BORN.fullmatch(value):
        return TaxNumber(value, "cn.ric", _problem(ric, value, "cn.ric"))
    return TaxNumber(value, "cn.uscc", problem)


def _uscc_problem(value: str) -> str | None:
    """What is wrong with a 统一社会信用代码, by GB 32100-2015.

    python-stdnum's check costs 60 microseconds, and it refuses the letters that the
    registers of villages (N) and others (A, Y) begin with.
    """
    if not _USCC.fullmatch(value):
        return f"{_FORM} cn.uscc"
    total = sum(_DIGIT[c] * w for c, w in zip(value, _WEIGHTS, strict=False))
    right = _ALPHABET[-total % 31]
    return None if value[-1] == right else f"{_CHECK_DIGIT} (cn.uscc)"


def _vat(value: str, letters: str) -> TaxNumber:
    names = [p for p in _OTHER_VAT if letters.startswith(p)]
    if letters[:2].lower() in vat.MEMBER_STATES or letters[:2] == "EL":
        name, rules = letters[:2], vat
    elif names:
        name, rules = names[0], _OTHER_VAT[names[0]]
    else:
        return TaxNumber(value)
    problem = _problem(rules, value, f"vat.{name}")
    # Numbers of other registers may begin like a country, and then do not fit its form.
    if problem is None or problem.startswith(_CHECK_DIGIT):
        return TaxNumber(value, f"vat.{name}", problem)
    return TaxNumber(value)


def _problem(kind: ModuleType, value: str, name: str) -> str | None:
    try:
        kind.validate(value)
    except InvalidChecksum:
        return f"{_CHECK_DIGIT} ({name})"
    except ValidationError:
        return f"{_FORM} {name}"
    return None
