"""What routes ask for, by name."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Annotated

from fastapi import Depends, Header, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from rightrep.domain.roles import Role
from rightrep.errors import InvalidInput
from rightrep.store.session import ReadSession
from serving.once import WriteCall, hash_of
from serving.security import Principal, sign_in
from serving.usecases.context import Context

_bearer = HTTPBearer(auto_error=False, description="An API key, `rr_...`.")


# What only looks at the request is async: FastAPI sends each plain function through a
# thread of the pool, at the price of a query.
async def get_context(request: Request) -> Context:
    """The parts of this process."""
    context: Context = request.app.state.context
    return context


Parts = Annotated[Context, Depends(get_context)]


def get_principal(
    parts: Parts,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Principal:
    """Who asks; every route under ``/v1`` depends on it."""
    return sign_in(parts.store, parts.clock, bearer.credentials if bearer else None)


Caller = Annotated[Principal, Depends(get_principal)]


def allow(*roles: Role) -> Callable[[Principal], Awaitable[None]]:
    """A dependency that refuses every role but these (and admin)."""

    async def check(caller: Caller) -> None:
        caller.require(*roles)

    return check


def get_reading(parts: Parts, caller: Caller) -> Iterator[ReadSession]:
    """One snapshot of the caller's tenant, closed before the answer leaves."""
    with parts.store.read(caller.tenant_id) as session:
        yield session


Reading = Annotated[ReadSession, Depends(get_reading, scope="function")]


async def get_body_hash(request: Request, caller: Caller) -> str:
    """Hash of who asks for what, to tell a retry from another request."""
    return hash_of(
        caller.key_id.encode(),
        request.method.encode(),
        request.url.path.encode(),
        await request.body(),
    )


async def get_write_call(
    parts: Parts,
    caller: Caller,
    body_hash: Annotated[str, Depends(get_body_hash)],
    idempotency_key: Annotated[
        str | None,
        Header(
            max_length=255,
            description="Same key and body, same answer, one effect; kept for 24 h.",
        ),
    ] = None,
) -> WriteCall:
    """One request that changes something."""
    if idempotency_key is not None and not idempotency_key.strip():
        raise InvalidInput("Idempotency-Key is empty.", field="Idempotency-Key")
    return WriteCall(parts.store, parts.clock, caller, idempotency_key, body_hash)


Writing = Annotated[WriteCall, Depends(get_write_call)]
