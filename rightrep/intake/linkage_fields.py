"""The fields of two customers compared: levels of likeness, best first.

Each level is told twice, as SQL for a batch (splink on DuckDB) and as Python for one
customer; a property test holds the two together. Only whole numbers are compared, since
two libraries' floating-point likenesses differ in the last bit.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

from rightrep.intake.identity import Identity

Test = Callable[[Identity, Identity], bool]

UNKNOWN = -1
"""Level of a field that one of the two does not have."""


@dataclass(frozen=True, slots=True)
class Level:
    """One degree of likeness.

    Attributes:
        words: What it says of the two, after the field's name.
        sql: Whether it holds, of columns ``_l`` and ``_r``.
        holds: The same of two identities.
    """

    words: str
    sql: str
    holds: Test


@dataclass(frozen=True, slots=True)
class LinkField:
    """One thing that is compared.

    Attributes:
        name: Its column.
        words: What people call it.
        is_list: Whether the column is a list.
        levels: Degrees of likeness, best first.
        otherwise: What it says when none of them holds.
    """

    name: str
    words: str
    is_list: bool
    levels: Sequence[Level]
    otherwise: str

    @property
    def unknown_sql(self) -> str:
        """Whether one of the two does not have it."""
        if self.is_list:
            return f"len({self.name}_l) = 0 OR len({self.name}_r) = 0"
        return f"{self.name}_l = '' OR {self.name}_r = ''"

    def level(self, a: Identity, b: Identity) -> int:
        """Degree of likeness: the best is ``len(levels)``, the rest 0, unknown -1."""
        if not getattr(a, self.name) or not getattr(b, self.name):
            return UNKNOWN
        for place, level in enumerate(self.levels):
            if level.holds(a, b):
                return len(self.levels) - place
        return 0

    def in_words(self, level: int) -> str:
        """What a level says, in a phrase."""
        if level == UNKNOWN:
            return "not known of both"
        return self.levels[-level].words if level else self.otherwise


def _equal(name: str) -> tuple[str, Test]:
    def holds(a: Identity, b: Identity) -> bool:
        return bool(getattr(a, name) == getattr(b, name))

    return f"{name}_l = {name}_r", holds


def _shared(name: str) -> tuple[str, Test]:
    def holds(a: Identity, b: Identity) -> bool:
        return not set(getattr(a, name)).isdisjoint(getattr(b, name))

    return f"list_has_any({name}_l, {name}_r)", holds


def _near(name: str, part: int) -> tuple[str, Test]:
    """At most one edit in so many signs of the longer of the two."""

    def holds(a: Identity, b: Identity) -> bool:
        ours, theirs = getattr(a, name), getattr(b, name)
        most = max(len(ours), len(theirs)) // part
        return Levenshtein.distance(ours, theirs, score_cutoff=most) <= most

    longer = f"greatest(length({name}_l), length({name}_r))"
    return f"{part} * levenshtein({name}_l, {name}_r) <= {longer}", holds


def _begins(name: str, least: int) -> tuple[str, Test]:
    """One begins with the whole of the other, which has so many signs at least."""

    def holds(a: Identity, b: Identity) -> bool:
        short, long = sorted((getattr(a, name), getattr(b, name)), key=len)
        return len(short) >= least and bool(long.startswith(short))

    either = " OR ".join(
        f"(length({name}_{x}) >= {least} AND starts_with({name}_{y}, {name}_{x}))"
        for x, y in ("lr", "rl")
    )
    return f"({either})", holds


def _half_shared(name: str) -> tuple[str, Test]:
    """At least half of what either has, both have."""

    def holds(a: Identity, b: Identity) -> bool:
        ours, theirs = set(getattr(a, name)), set(getattr(b, name))
        return 3 * len(ours & theirs) >= len(ours) + len(theirs)

    both = f"len(list_intersect({name}_l, {name}_r))"
    return f"3 * {both} >= len({name}_l) + len({name}_r)", holds


def _one_place() -> tuple[str, Test]:
    def holds(a: Identity, b: Identity) -> bool:
        return not a.place or not b.place or a.place == b.place

    return "(place_l = '' OR place_r = '' OR place_l = place_r)", holds


def _said_place() -> tuple[str, Test]:
    def holds(a: Identity, b: Identity) -> bool:
        return a.place == b.place != ""

    return "(place_l = place_r AND place_l <> '')", holds


def _all(words: str, *tests: tuple[str, Test]) -> Level:
    def holds(a: Identity, b: Identity) -> bool:
        return all(test(a, b) for _, test in tests)

    return Level(words, " AND ".join(f"({sql})" for sql, _ in tests), holds)


def _any(*tests: tuple[str, Test]) -> tuple[str, Test]:
    def holds(a: Identity, b: Identity) -> bool:
        return any(test(a, b) for _, test in tests)

    return " OR ".join(f"({sql})" for sql, _ in tests), holds


_ALIKE = _any(_equal("sound"), _equal("order"))

FIELDS: Sequence[LinkField] = (
    LinkField(
        "company",
        "company",
        is_list=False,
        levels=(
            _all("the same name and place", _equal("company"), _said_place()),
            _all("the same name", _equal("company"), _one_place()),
            _all("a name that sounds the same", _ALIKE, _one_place()),
            _all("nearly the same name", _near("sound", 6), _one_place()),
            _all(
                "a similar name",
                _any(_near("sound", 3), _begins("sound", 4)),
                _one_place(),
            ),
            _all("the same name in another place", _ALIKE),
        ),
        otherwise="another name",
    ),
    LinkField(
        "lines",
        "phone",
        is_list=True,
        levels=(
            _all("the same number", _shared("phones")),
            _all("the same line or switchboard", _shared("lines")),
        ),
        otherwise="other numbers",
    ),
    LinkField(
        "mail",
        "e-mail",
        is_list=True,
        levels=(
            _all("the same address", _shared("emails")),
            _all("the same domain", _shared("domains")),
        ),
        otherwise="other addresses",
    ),
    LinkField(
        "tax",
        "tax number",
        is_list=False,
        levels=(_all("the same", _equal("tax")),),
        otherwise="another",
    ),
    LinkField(
        "person",
        "contact",
        is_list=False,
        levels=(
            _all("the same name", _shared("people")),
            _all("nearly the same name", _near("person", 5)),
            _all("a similar name", _any(_near("person", 3), _shared("words"))),
        ),
        otherwise="another name",
    ),
    LinkField(
        "address",
        "address",
        is_list=False,
        levels=(
            _all("the same", _equal("address")),
            _all("nearly the same", _near("address", 6)),
            _all("similar", _any(_near("address", 3), _half_shared("address_words"))),
        ),
        otherwise="another",
    ),
)


def compare(a: Identity, b: Identity) -> tuple[int, ...]:
    """Level of likeness of every field, in the order of ``FIELDS``."""
    return tuple(field.level(a, b) for field in FIELDS)
