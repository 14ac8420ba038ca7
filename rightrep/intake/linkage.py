"""Whether two customers are one: match weights, their words, and the verdict.

The model is Fellegi and Sunter's (1969): each field's level of likeness weighs
``log2(m / u)`` bits, where m is its share among pairs of one customer and u its share
among pairs of two, and the bits add up. They were estimated by splink (``benchmarks.
linkage`` wrote the file), and serve batches and single leads alike.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files
from math import log2
from typing import Any

from rightrep.errors import InvalidInput
from rightrep.intake.identity import Identity
from rightrep.intake.linkage_fields import FIELDS, UNKNOWN, LinkField, compare

_COMPANY, _PHONE, _EMAIL, _TAX, _PERSON = (
    [field.name for field in FIELDS].index(name)
    for name in ("company", "lines", "mail", "tax", "person")
)
_OTHER_PLACE = 1
_SOUNDS_THE_SAME = 4
_OWN = 2
"""Level of a phone or a mail address that few have; below it is what many share."""


class Verdict(StrEnum):
    """What is to be done about two customers."""

    SURE = "sure"
    LIKELY = "likely"
    NO = "no"


@dataclass(frozen=True, slots=True)
class Reason:
    """What one field says.

    Attributes:
        field: What people call the field.
        words: How alike the two are in it.
        bits: What that weighs; positive speaks for one customer.
    """

    field: str
    words: str
    bits: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Weights:
    """A trained model.

    Attributes:
        m: Share of each level, worst first, among pairs of one customer, by field.
        u: The same among pairs of two.
        sure: Bits from which on two customers are one.
        likely: Bits from which on a person is asked.
        customers: Among how many customers both thresholds were chosen.
    """

    m: Mapping[str, Sequence[float]]
    u: Mapping[str, Sequence[float]]
    sure: float
    likely: float
    customers: int

    def among(self, customers: int) -> "Weights":
        """The same for so many customers.

        Who has twice as many to be mistaken for needs one bit more: the odds that two
        of n customers are one fall as 1 / n (Fellegi and Sunter's prior).
        """
        more = log2(max(customers / self.customers, 1.0))
        return replace(self, sure=self.sure + more, likely=self.likely + more)

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> "Weights":
        """From JSON.

        Raises:
            InvalidInput: A field or a level is missing, or a number makes no sense.
        """
        try:
            made = cls(
                m={field.name: told["fields"][field.name]["m"] for field in FIELDS},
                u={field.name: told["fields"][field.name]["u"] for field in FIELDS},
                sure=float(told["sure"]),
                likely=float(told["likely"]),
                customers=int(told["customers"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidInput(f"These are no linkage weights: {error!r}.") from error
        made._check()
        return made

    def to_json(self) -> dict[str, Any]:
        """What ``of`` reads."""
        return {
            "sure": self.sure,
            "likely": self.likely,
            "customers": self.customers,
            "fields": {
                name: {"m": list(self.m[name]), "u": list(self.u[name])}
                for name in self.m
            },
        }

    def bits(self, field: LinkField, level: int) -> float:
        """What a level of a field weighs; 0 where one side is not known."""
        if level == UNKNOWN:
            return 0.0
        return log2(self.m[field.name][level] / self.u[field.name][level])

    def _check(self) -> None:
        if self.customers < 1:
            raise InvalidInput("customers is positive.", field="customers")
        if self.likely > self.sure:
            raise InvalidInput("likely is at most sure.", field="likely")
        for field in FIELDS:
            for shares in (self.m[field.name], self.u[field.name]):
                if len(shares) != len(field.levels) + 1 or not all(
                    0 < share <= 1 for share in shares
                ):
                    raise InvalidInput(
                        f"{field.name} has {len(field.levels) + 1} shares in (0, 1].",
                        field=field.name,
                    )


@lru_cache
def default_weights() -> Weights:
    """The weights and thresholds that the product ships."""
    text = files("rightrep.intake").joinpath("linkage_weights.json").read_text("utf-8")
    return Weights.of(json.loads(text))


@dataclass(frozen=True, slots=True)
class Link:
    """Two customers compared.

    Attributes:
        left: Our id of one.
        right: Our id of the other.
        levels: Level of likeness of every field, in the order of ``FIELDS``.
        bits: What they weigh together.
        verdict: What is to be done.
    """

    left: str
    right: str
    levels: tuple[int, ...]
    bits: float
    verdict: Verdict


def link(a: Identity, b: Identity, weights: Weights) -> Link:
    """Compare two customers."""
    return judged(a.customer_id, b.customer_id, compare(a, b), weights)


def judged(left: str, right: str, levels: tuple[int, ...], weights: Weights) -> Link:
    """Weigh what was compared."""
    bits = sum(reason.bits for reason in explain(levels, weights))
    return Link(left, right, levels, bits, _verdict(levels, bits, weights))


def explain(levels: Sequence[int], weights: Weights) -> list[Reason]:
    """What every field that is known of both says, and what it weighs."""
    return [
        Reason(field.words, field.in_words(level), weights.bits(field, level))
        for field, level in zip(FIELDS, levels, strict=True)
        if level != UNKNOWN
    ]


def is_proof(levels: Sequence[int]) -> bool:
    """Whether the two have an identity in common that only one customer has.

    A tax number is proof. A phone or an address is, unless the companies' names, or
    where no company is known the people's, say otherwise: who changes the employer
    keeps the mobile, and couples share one.
    """
    if levels[_TAX] != UNKNOWN:
        return levels[_TAX] == 1
    if levels[_PHONE] != _OWN and levels[_EMAIL] != _OWN:
        return False
    if levels[_COMPANY] != UNKNOWN:
        return levels[_COMPANY] > _OTHER_PLACE
    return levels[_PERSON] != 0


def _verdict(levels: Sequence[int], bits: float, weights: Weights) -> Verdict:
    if is_proof(levels):
        return Verdict.SURE
    if bits < weights.likely:
        return Verdict.NO
    # Two registers' numbers, names or cities: never without a person. "Selvane
    # Construction" and "Rosvane Construction" are three letters apart.
    differs = levels[_TAX] == 0 or UNKNOWN < levels[_COMPANY] < _SOUNDS_THE_SAME
    return Verdict.SURE if bits >= weights.sure and not differs else Verdict.LIKELY
