"""Why each other rep was not chosen: one byte per rep, against a stored roster.

A plan of 100,000 leads and 1,000 reps has 10^8 reasons. The rep ids, in order, are
stored once per distinct roster; a decision keeps a compressed string of codes.
"""

import hashlib
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import select

from rightrep.domain.eligibility import CodeArray, Exclusion
from rightrep.domain.ids import RepId
from rightrep.errors import InvalidInput
from rightrep.store.guard import of_tenant
from rightrep.store.schema import rosters
from rightrep.store.session import ReadSession, WriteSession
from rightrep.store.sets import any_of


@dataclass(frozen=True, eq=False, slots=True)
class Exclusions:
    """Codes of some decisions.

    Attributes:
        reps: The roster, in order; n_reps ids.
        codes: ``Exclusion`` codes; uint8 (n_decisions, n_reps), 0 where the rep could
            have been chosen.
    """

    reps: Sequence[RepId]
    codes: CodeArray

    @classmethod
    def of(cls, excluded: Mapping[RepId, str]) -> "Exclusions":
        """Of one decision, from reasons by rep.

        Raises:
            InvalidInput: A reason has no code.
        """
        try:
            codes = [Exclusion[reason.upper()] for reason in excluded.values()]
        except KeyError as error:
            raise InvalidInput(
                f"{error.args[0]!r} is no reason to exclude a rep.", field="excluded"
            ) from error
        return cls(list(excluded), np.array([codes], dtype=np.uint8))


def save_roster(session: WriteSession, reps: Sequence[RepId]) -> str:
    """Keep the order of these reps.

    Returns:
        Version of the roster; the same reps in the same order have the same one.
    """
    version = hashlib.blake2b("\n".join(reps).encode(), digest_size=12).hexdigest()
    session.execute(
        session.insert_unless_there(rosters),
        {"roster": version, "rep_ids": list(reps)},
    )
    return version


def get_rosters(
    session: ReadSession, versions: Iterable[str]
) -> dict[str, Sequence[RepId]]:
    """Rep ids in order, by roster version."""
    found = session.execute(_ROSTERS, {"ids": sorted(set(versions))})
    return {row.roster: row.rep_ids for row in found}


def packed(codes: CodeArray) -> bytes:
    """One decision's codes as it keeps them."""
    return zlib.compress(codes.tobytes(), level=1)


def packed_rows(codes: CodeArray) -> list[bytes]:
    """The codes of many decisions; most share them with others."""
    known: dict[bytes, bytes] = {}
    packs = []
    for row in codes:
        key = row.tobytes()
        if key not in known:
            known[key] = packed(row)
        packs.append(known[key])
    return packs


def unpacked(packed_codes: bytes) -> CodeArray:
    """One decision's codes, in its roster's order; uint8 (n_reps,)."""
    return np.frombuffer(zlib.decompress(packed_codes), dtype=np.uint8)


def spelled_out(reps: Sequence[RepId], packed_codes: bytes) -> dict[RepId, str]:
    """The reason of every rep who could not be chosen, in the roster's order."""
    codes = unpacked(packed_codes).tolist()
    return {
        rep_id: Exclusion(code).name.lower()
        for rep_id, code in zip(reps, codes, strict=True)
        if code
    }


_ROSTERS = select(rosters.c.roster, rosters.c.rep_ids).where(
    of_tenant(rosters), rosters.c.roster.in_(any_of("ids"))
)
