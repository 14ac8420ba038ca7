"""E-mail addresses in lower case; what cannot be one is marked, never dropped."""

import re
from functools import lru_cache

from email_validator import EmailNotValidError, validate_email

from rightrep.domain.customer import ContactPoint, PointKind
from rightrep.intake.scripts import half_width

MOST_ADDRESSES = 10
_LONGEST = 254
_LONGEST_LOCAL = 64
_SEVERAL = re.compile(r"[;,|\s、]+")
_SLASH = re.compile(r"/(?=[^@/]+@)")
_AROUND = "<>()[]{}\"'“”‘’"
_LABEL = re.compile(
    r"(?:e-?mail|mail(?:to)?|邮箱|电子邮件|邮件)\s*[:=]\s*", re.IGNORECASE
)
_AT = re.compile(r"\s*(?:@|\(at\)|\[at\])\s*", re.IGNORECASE)
_DOMAIN_COMMA = re.compile(r"(@[\w-]+),(?=(?:com|cn|net|org|de)\b)", re.IGNORECASE)
_NAMED = re.compile(r"[^<>;,]*<([^<>@\s]+@[^<>\s]+)>")
_ATOM = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_PLAIN = re.compile(r"[A-Za-z0-9_+-][A-Za-z0-9._+-]*@[A-Za-z0-9.-]*[A-Za-z0-9]")


def email_points(text: str) -> tuple[ContactPoint, ...]:
    """The e-mail addresses in a cell, in order.

    Slips of the keyboard that leave no doubt are put right: full-width signs, spaces
    around the at-sign, "(at)", a comma for the point before "com", quotes and brackets
    around an address, a name before it ("Li Lei <li@acme.com>").

    Returns:
        Addresses in lower case. What is none comes as it was written, with ``possible``
        false and the reason.

    >>> [(point.value, point.possible) for point in email_points("Li@Acme.com; none")]
    [('li@acme.com', True), ('none', False)]
    """
    if _PLAIN.fullmatch(text):
        return (_point(text),)
    return tuple(dict.fromkeys(map(_point, _parts(text)[:MOST_ADDRESSES])))


def _parts(text: str) -> list[str]:
    plain = half_width(text).replace("。", ".")
    plain = _NAMED.sub(r"\1", _LABEL.sub("", plain))
    plain = _DOMAIN_COMMA.sub(r"\1.", _AT.sub("@", plain))
    parts = _SEVERAL.split(_SLASH.sub(";", plain))
    return [part.strip(_AROUND).rstrip(".:") or part for part in parts if part]


def email_problem(text: str) -> str | None:
    """Why a text cannot be an e-mail address, in words; None when it can."""
    try:
        validate_email(half_width(text), check_deliverability=False)
    except EmailNotValidError as error:
        return str(error)
    return None


def _point(text: str) -> ContactPoint:
    lower = text.lower()
    local, _, domain = lower.rpartition("@")
    if len(local) <= _LONGEST_LOCAL and _LOCAL.fullmatch(local) and lower.isascii():
        host = _domain(domain)
        fits = host is not None and len(lower) <= _LONGEST
        value = f"{local}@{host}" if fits else None
    else:
        value = _validated(lower)
    if value is not None:
        return ContactPoint(PointKind.EMAIL, value)
    why = email_problem(text) or f"longer than {_LONGEST} characters"
    return ContactPoint(PointKind.EMAIL, text[:_LONGEST], possible=False, reason=why)


@lru_cache(maxsize=1 << 14)
def _domain(domain: str) -> str | None:
    """The domain as the library writes it: 46 microseconds, once per domain."""
    found = _validated(f"a@{domain}")
    return None if found is None else found.removeprefix("a@")


def _validated(address: str) -> str | None:
    try:
        found = validate_email(address, check_deliverability=False)
    except EmailNotValidError:
        return None
    return found.normalized.lower()
