"""Phone numbers as E.164; what cannot be a number is marked, never dropped.

libphonenumber (its Python port) is the authority. A call costs 45 microseconds, so the
plain cases, digits that match the numbering plan of the main region of a country code
as they stand, are settled by that plan's own patterns in one or two; a property test
holds both ways to the same answer.
"""

import re
import unicodedata
from functools import lru_cache

import phonenumbers
from phonenumbers import (
    COUNTRY_CODE_TO_REGION_CODE,
    NumberParseException,
    PhoneMetadata,
    PhoneNumber,
    PhoneNumberFormat,
    ValidationResult,
)

from rightrep.domain.customer import ContactPoint, PointKind
from rightrep.errors import InvalidInput

DEFAULT_REGION = "CN"
MOST_NUMBERS = 10
_LONGEST = 128
_FILLING = str.maketrans("", "", " -.()\u00a0\u2010\u2011\u2012\u2013")
_SEVERAL = re.compile(r"[,/|\n、，；]|;(?!ext=)|\s+or\s+|或", re.IGNORECASE)
_EXTENSION = re.compile(r"\s*(?:转|轉|分机|分機|内线|內線)\s*[:：]?\s*(\d{1,8})$")
_DASHED_EXTENSION = re.compile(
    r"(\(?0\d{2,3}\)?[- ]?\d{7,8}|[48]00[- ]?\d{3}[- ]?\d{4})-(\d{1,6})"
)
_TYPES = (
    "mobile", "fixed_line", "toll_free", "shared_cost", "uan", "voip", "pager",
    "personal_number", "premium_rate", "voicemail",
)  # fmt: skip
_WHY = {
    ValidationResult.TOO_SHORT: "too short",
    ValidationResult.TOO_LONG: "too long",
    ValidationResult.INVALID_LENGTH: "of a wrong length",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "without its area code",
    ValidationResult.INVALID_COUNTRY_CODE: "of no known country",
}


def known_region(region: str) -> str:
    """A region that numbers without a country code may be of.

    Raises:
        InvalidInput: There is no such region.
    """
    if region not in phonenumbers.SUPPORTED_REGIONS:
        raise InvalidInput(
            f"{region!r} is not a region of phone numbers.",
            field="phone_region",
            remedy='Give a two-letter country code such as "CN" or "US".',
        )
    return region


def phone_points(text: str, region: str = DEFAULT_REGION) -> tuple[ContactPoint, ...]:
    """The phone numbers in a cell, in order.

    Args:
        text: One number or several (``;``, ``/``, ``、``), with extensions.
        region: Two-letter country that numbers without a country code are of.

    Returns:
        E.164, ``+861062345678;ext=12`` with an extension. What is no number comes as it
        was written, with ``possible`` false.

    >>> [point.value for point in phone_points("138-0013-8000 / 010-62345678转12")]
    ['+8613800138000', '+861062345678;ext=12']
    """
    quick = _quick(text, region)
    if quick is not None:
        return (ContactPoint(PointKind.PHONE, quick),)
    return _points(text, region)


def phone_problem(text: str, region: str = DEFAULT_REGION) -> str | None:
    """Why a text cannot be a phone number, in words; None when it can."""
    number = _parsed(text, region)
    if number is None:
        return "not a phone number"
    if phonenumbers.is_valid_number(number):
        return None
    result = phonenumbers.is_possible_number_with_reason(number)
    return _WHY.get(result, "not in any numbering plan")


@lru_cache(maxsize=1 << 15)
def _points(text: str, region: str) -> tuple[ContactPoint, ...]:
    plain = unicodedata.normalize("NFKC", text).strip()
    parts = [part.strip() for part in _SEVERAL.split(plain) if part.strip()]
    if len(parts) > 1:
        found = [_point(part, region) for part in parts[:MOST_NUMBERS]]
        return tuple(dict.fromkeys(found))
    whole = _e164(plain, region)
    if whole is not None:
        return (ContactPoint(PointKind.PHONE, whole),)
    matches = phonenumbers.PhoneNumberMatcher(plain, region)
    inside = [_formatted(match.number) for _, match in zip(range(10), matches)]  # noqa: B905
    if inside:
        return tuple(
            ContactPoint(PointKind.PHONE, value) for value in dict.fromkeys(inside)
        )
    return (_impossible(plain, region),)


def _point(text: str, region: str) -> ContactPoint:
    value = _e164(text, region)
    if value is None:
        return _impossible(text, region)
    return ContactPoint(PointKind.PHONE, value)


def _impossible(text: str, region: str) -> ContactPoint:
    why = phone_problem(text, region)
    return ContactPoint(PointKind.PHONE, text[:_LONGEST], possible=False, reason=why)


def _e164(text: str, region: str) -> str | None:
    number = _parsed(text, region)
    if number is None or not phonenumbers.is_valid_number(number):
        return None
    return _formatted(number)


def _parsed(text: str, region: str) -> PhoneNumber | None:
    dashed = _DASHED_EXTENSION.fullmatch(text)
    if dashed is not None:
        text = f"{dashed[1]} ext. {dashed[2]}"
    try:
        return phonenumbers.parse(_EXTENSION.sub(r" ext. \1", text), region)
    except NumberParseException:
        return None


def _formatted(number: PhoneNumber) -> str:
    value: str = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    return f"{value};ext={number.extension}" if number.extension else value


def _quick(text: str, region: str) -> str | None:
    digits = text.translate(_FILLING)
    if not digits.isascii() or len(text) - len(digits) > 6:
        return None
    if digits[:1] == "+":
        code = next((digits[1:n] for n in (2, 3, 4) if digits[1:n] in _CODES), "")
        national = digits[1 + len(code) :]
    else:
        code, national = _code_of(region), digits
    plan = _plan(code) if code else None
    if plan is None or not national.isdigit() or text[:1] == "(":
        return None
    prefix, general, kinds = plan
    if national[0] == "0" or (prefix is not None and prefix.match(national)):
        return None
    if general.fullmatch(national) and kinds.fullmatch(national):
        return f"+{code}{national}"
    return None


_CODES = frozenset(str(code) for code in COUNTRY_CODE_TO_REGION_CODE)


@lru_cache
def _code_of(region: str) -> str:
    """The country code of which this is the main region, or ""."""
    code = phonenumbers.country_code_for_region(region)
    main = COUNTRY_CODE_TO_REGION_CODE.get(code, ("",))[0]
    return str(code) if main == region else ""


@lru_cache
def _plan(
    code: str,
) -> tuple[re.Pattern[str] | None, re.Pattern[str], re.Pattern[str]] | None:
    """National prefix, all numbers and numbers in use of a code's main region."""
    region = COUNTRY_CODE_TO_REGION_CODE[int(code)][0]
    plan = PhoneMetadata.metadata_for_region(region, None)
    if plan is None or plan.leading_digits is not None:
        return None
    kinds = [getattr(plan, kind) for kind in ("general_desc", *_TYPES)]
    general, *patterns = [
        kind.national_number_pattern
        for kind in kinds
        if kind is not None and kind.national_number_pattern
    ]
    prefix = plan.national_prefix_for_parsing
    return (
        re.compile(prefix) if prefix else None,
        re.compile(general),
        re.compile("|".join(f"(?:{pattern})" for pattern in patterns)),
    )
