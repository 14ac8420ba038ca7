"""Who is asking, and what they may do."""

from dataclasses import dataclass

from rightrep.clock import Clock
from rightrep.domain.ids import RepId, TenantId
from rightrep.domain.roles import Role
from rightrep.errors import NotAllowed, NotSignedIn
from rightrep.store.engine import Store
from rightrep.store.keys import find_key


@dataclass(frozen=True, slots=True)
class Principal:
    """The holder of an API key.

    Attributes:
        tenant_id: Whose rows may be seen.
        key_id: Id of the key, the actor of what it does.
        role: What it may do.
        rep_id: The rep it speaks for, with role ``rep``; else None.
    """

    tenant_id: TenantId
    key_id: str
    role: Role
    rep_id: RepId | None

    def require(self, *roles: Role) -> None:
        """Refuse unless the role is one of these; an admin may do everything.

        Raises:
            NotAllowed: It is not.
        """
        if self.role is not Role.ADMIN and self.role not in roles:
            names = ", ".join(role.value for role in roles)
            raise NotAllowed(
                f"A key of role {self.role.value} may not do this; ask for one of "
                f"role {names}."
            )

    def require_rep(self, rep_id: RepId) -> None:
        """Refuse a rep who asks for somebody else's.

        Raises:
            NotAllowed: It is somebody else's.
        """
        if self.role is Role.REP and self.rep_id != rep_id:
            raise NotAllowed("A rep sees own leads only.")


def sign_in(store: Store, clock: Clock, token: str | None) -> Principal:
    """Who holds this key.

    Raises:
        NotSignedIn: No key, or one that is unknown, expired or revoked.
    """
    if not token:
        raise NotSignedIn("Send an API key: `Authorization: Bearer rr_...`.")
    with store.system_read() as session:
        key = find_key(session, token, at=clock.now())
    return Principal(key.tenant_id, key.key_id, key.role, key.rep_id)
