"""Numbers that must be right in form: telephones and Chinese credit codes.

Numbers of the United States, the United Kingdom and Germany lie in the ranges kept
free for fiction; China keeps none free, so those are only drawn, never looked up.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from experiments.market_settings import IntArray
from experiments.market_text import TEXT, digits, join, missing_where, spell

_MOBILE = (
    *(str(n) for n in range(130, 140) if n != 134),
    *("150", "151", "152", "153", "155", "156", "157", "158", "159"),
    *("177", "178", "180", "181", "182", "183", "185", "186", "187", "188", "189"),
    *("198", "199"),
)
# 555 is no exchange of subscribers in any American area.
_US_AREAS = (
    *("206", "212", "214", "216", "303", "305", "312", "317", "404", "412"),
    *("415", "503", "512", "602", "612", "615", "617", "702", "713", "816"),
)
# Ofcom: numbers for drama, up to their last three digits.
_GB_BLOCKS = (
    "20 7946 0",
    *(f"{area} 496 0" for area in (113, 114, 116, 117, 118, 121, 131, 141, 151, 161)),
    *("191 498 0", "28 9649 6", "29 2018 0"),
)
# Bundesnetzagentur: numbers for media; whatever follows the block stays inside it.
_DE_BLOCKS = ("30 23125 ", "40 66969 ", "69 90009 ", "89 99998 ", "221 4710 ")

# Steps without a common factor with the number of numbers: every customer gets one
# of their own, and neighbours look unrelated.
_STEP = 1_234_567_891

_CODE_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_CODE_WEIGHTS = np.array([pow(3, k, 31) for k in range(17)])
_ORGANISATION_WEIGHTS = np.array([3, 7, 9, 10, 5, 8, 4, 2])


def chinese_mobiles(serial: IntArray, start: int) -> pa.Array:
    """Mobile numbers, written in three ways; different serials, different numbers.

    Args:
        serial: Whole numbers from 0; int64 (n,).
        start: Shifts the whole sequence.
    """
    number = (serial * _STEP + start) % (len(_MOBILE) * 10**8)
    prefix = spell(_MOBILE, number // 10**8)
    half, rest = digits(number // 10**4 % 10**4, 4), digits(number % 10**4, 4)
    return pc.choose(
        pa.array(serial % 3),
        join(prefix, half, rest),
        join(prefix, " ", half, " ", rest),
        join("+86 ", prefix, "-", half, "-", rest),
    )


def chinese_landlines(serial: IntArray, start: int, area: pa.Array) -> pa.Array:
    """Land lines of eight digits behind an area code."""
    number = 20_000_000 + (serial * _STEP + start) % 60_000_000
    return join("0", area, "-", digits(number, 8))


def american_phones(serial: IntArray) -> pa.Array:
    """Numbers of exchange 555; 200,000 different ones."""
    number = (serial * 7_919 + 101) % (len(_US_AREAS) * 10_000)
    area = spell(_US_AREAS, number // 10_000)
    return join("+1 ", area, " 555 ", digits(number % 10_000, 4))


def british_phones(serial: IntArray) -> pa.Array:
    """Numbers for drama; missing from the 14,000th on, when there are no more."""
    return _from_blocks("+44 ", _GB_BLOCKS, 3, serial)


def german_phones(serial: IntArray) -> pa.Array:
    """Numbers for media; missing from the 50,000th on, when there are no more."""
    return _from_blocks("+49 ", _DE_BLOCKS, 4, serial)


def credit_codes(admin: IntArray, serial: IntArray, start: int) -> pa.Array:
    """Unified social credit codes of companies, with both check digits right.

    GB 32100-2015: 91, division code, organisation code (GB 11714), check character.

    Args:
        admin: Division codes of six digits; int64 (n,).
        serial: Whole numbers from 0; int64 (n,).
        start: Shifts the whole sequence.
    """
    body = (serial * _STEP + start) % 10**8
    organisation = _digits(body, 8)
    check = (11 - organisation @ _ORGANISATION_WEIGHTS % 11) % 11
    check = np.where(check == 10, _CODE_ALPHABET.index("X"), check)
    fixed = np.broadcast_to([9, 1], (serial.size, 2))
    places = np.column_stack([fixed, _digits(admin, 6), organisation, check])
    last = (31 - places @ _CODE_WEIGHTS % 31) % 31
    letters = np.frombuffer(_CODE_ALPHABET.encode(), dtype=np.uint8)
    text = np.ascontiguousarray(letters[np.column_stack([places, last])])
    return pa.array(text.view("S18").ravel().astype("U18"), TEXT)


def _digits(number: IntArray, width: int) -> IntArray:
    return np.asarray(number[:, None] // 10 ** np.arange(width - 1, -1, -1) % 10)


def _from_blocks(
    country: str, blocks: tuple[str, ...], width: int, serial: IntArray
) -> pa.Array:
    per_block = 10**width
    number = (serial * 7_919 + 101) % (len(blocks) * per_block)
    text = join(
        country, spell(blocks, number // per_block), digits(number % per_block, width)
    )
    return missing_where(text, serial >= len(blocks) * per_block)
