"""What tells one customer from another, in the form in which it is compared.

An identity is made once per customer. Its **keys** are hashes: two identities are
compared only where they share one, so that a million customers need no comparison of
all pairs. A phone, mailbox or domain that many customers share says nothing of who they
are: ``without_common`` takes it out.
"""

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

from rightrep.domain.customer import ContactPoint, PointKind
from rightrep.intake.companies import company_parts
from rightrep.intake.sounds import joined, sound_tokens
from rightrep.intake.tax_numbers import tax_number

MANY = 5
"""What more customers than this share is a switchboard, a role mailbox, a provider."""

MOST_BLOCK = 60
"""Customers under one key, above which the key says too little to compare them all."""

MOST_VALUES = 8
"""Phones, addresses and people of one customer that are compared."""

MOST_WORDS = 24
"""Words of one address that are compared."""

ROLES = frozenset((
    "info", "sales", "sale", "contact", "office", "admin", "administrator", "service",
    "services", "support", "help", "hello", "mail", "marketing", "hr", "jobs", "career",
    "careers", "post", "enquiries", "inquiries", "inquiry", "kefu", "xiaoshou",
    "kontakt", "vertrieb", "webmaster", "noreply", "no-reply", "postmaster", "accounts",
    "billing", "purchase", "purchasing", "reception", "team",
))  # fmt: skip
"""Mailboxes that a company has, not a person."""

FREE_MAIL = frozenset((
    "qq.com", "163.com", "126.com", "139.com", "189.cn", "sina.com", "sina.cn",
    "sohu.com", "foxmail.com", "aliyun.com", "yeah.net", "tom.com", "21cn.com",
    "vip.qq.com", "vip.163.com", "gmail.com", "googlemail.com", "outlook.com",
    "hotmail.com", "live.com", "msn.com", "yahoo.com", "yahoo.com.cn", "icloud.com",
    "me.com", "aol.com", "gmx.de", "gmx.net", "web.de", "t-online.de", "mail.ru",
    "proton.me", "protonmail.com",
))  # fmt: skip
"""Domains that say nothing of a company, however few customers have them."""

_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """A customer as it is compared; what is empty is not known.

    Attributes:
        customer_id: Our id.
        company: The company's name without legal form and place.
        sound: How that sounds, one code.
        order: The same with its parts sorted: alike when parts are swapped.
        place: Province, city or district in the company's name.
        people: How each contact's name sounds, parts sorted.
        person: How the first contact's name sounds.
        words: Latin words of the contacts' names.
        phones: Numbers in E.164 with extension, that few share.
        lines: The same without extension, widely shared ones among them.
        mail: Every e-mail address.
        emails: Addresses of people, that few share.
        domains: Mail domains of few customers.
        tax: Registration or tax number.
        address: How the address sounds.
        address_words: Words and numbers of the address.
    """

    customer_id: str
    company: str = ""
    sound: str = ""
    order: str = ""
    place: str = ""
    people: tuple[str, ...] = ()
    person: str = ""
    words: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    mail: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    tax: str = ""
    address: str = ""
    address_words: tuple[str, ...] = ()

    def digest(self) -> int:
        """A hash that changes with anything that is compared; 64 bits, signed."""
        return _hash("identity", repr(self))

    def without_common(self, common: Collection[int]) -> "Identity":
        """The same without the phones, addresses and domains that many share.

        Args:
            common: Keys of what more than ``MANY`` customers share.
        """
        return replace(
            self,
            phones=_few(self.phones, "phone", common),
            emails=_few(self.emails, "email", common),
            domains=_few(self.domains, "domain", common),
        )


def identify(
    customer_id: str,
    *,
    company: str | None = None,
    tax: str | None = None,
    address: str | None = None,
    people: Iterable[str] = (),
    points: Iterable[ContactPoint] = (),
) -> Identity:
    """A customer's identity.

    Args:
        customer_id: Our id.
        company: The company's name as the CRM writes it.
        tax: Its registration or tax number; one that cannot exist is passed over.
        address: Its address.
        people: Names of its contacts, the first known first.
        points: Phones and e-mail addresses; impossible ones are passed over.
    """
    parts = company_parts(company) if company else None
    sound = sound_tokens(parts.core) if parts else ()
    names = [sound_tokens(name) for name in list(people)[:MOST_VALUES]]
    found = [point for point in points if point.possible]
    phones = _values(found, PointKind.PHONE)
    emails = _values(found, PointKind.EMAIL)
    number = tax_number(tax) if tax else None
    where = sound_tokens(address) if address else ()
    return Identity(
        customer_id=customer_id,
        company=parts.core if parts else "",
        sound=joined(sound),
        order=joined(sorted(sound)),
        place=(parts.region or "") if parts else "",
        people=_distinct(joined(sorted(name)) for name in names),
        person=joined(names[0]) if names else "",
        words=_distinct(w for name in names for w in name if _is_word(w)),
        phones=phones,
        lines=_distinct(phone.partition(";")[0] for phone in phones),
        mail=emails,
        emails=_distinct(e for e in emails if e.partition("@")[0] not in ROLES),
        domains=_distinct(d for e in emails if (d := _domain(e)) not in FREE_MAIL),
        tax=number.value if number and number.problem is None else "",
        address=joined(where),
        address_words=tuple(dict.fromkeys(where))[:MOST_WORDS],
    )


def shared_keys(identity: Identity) -> list[int]:
    """Keys of what is no proof any more when many customers have it."""
    return [
        *(_hash("phone", phone) for phone in identity.phones),
        *(_hash("email", address) for address in identity.emails),
        *(_hash("domain", domain) for domain in identity.domains),
    ]


def blocking_keys(identity: Identity) -> list[int]:
    """Keys under which a customer is looked for: 64-bit hashes, each once."""
    found = {_hash(kind, value) for kind, value in _keys(identity)}
    return sorted(found.union(shared_keys(identity)))


def _keys(identity: Identity) -> Iterator[tuple[str, str]]:
    if identity.tax:
        yield "tax", identity.tax
    for line in identity.lines:
        yield "line", line
    if identity.sound:
        yield "order", identity.order
        for part in _company_parts(identity.sound):
            yield "company", part
    numbers = [w for w in identity.address_words if _NUMBER.fullmatch(w)]
    if len(numbers) > 1:
        yield "numbers", " ".join(sorted(numbers))
    for name in (*identity.people, *identity.words):
        for number in numbers[:3]:
            yield "person", f"{name} {number}"
    if identity.address and identity.person:
        yield "address", identity.address
        yield "name", identity.people[0]


def _company_parts(sound: str) -> Iterator[str]:
    """The whole name, and the name with one of its first parts left out.

    Of a Chinese name a part is one character; of a Latin one its ends are taken.
    """
    yield sound
    if sound[0].islower() or sound[0].isdigit():
        yield f"{sound[:5]}…"
        yield f"…{sound[-7:]}"
        return
    for k in range(0, min(len(sound), 8), 2):
        yield sound[:k] + sound[k + 2 :]
    if len(sound) > 8:
        yield f"{sound[:6]}…"


def _hash(kind: str, value: str) -> int:
    text = f"{kind} {value}".encode()
    raw = hashlib.blake2b(text, digest_size=8).digest()
    return int.from_bytes(raw, "big", signed=True)


def _few(
    values: tuple[str, ...], kind: str, common: Collection[int]
) -> tuple[str, ...]:
    return tuple(value for value in values if _hash(kind, value) not in common)


def _values(points: Iterable[ContactPoint], kind: PointKind) -> tuple[str, ...]:
    return _distinct(point.value for point in points if point.kind is kind)


def _distinct(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in values if value))[:MOST_VALUES]


def _domain(address: str) -> str:
    return address.rpartition("@")[2]


def _is_word(token: str) -> bool:
    return len(token) > 1 and token[0].islower()
