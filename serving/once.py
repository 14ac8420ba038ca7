"""Every POST that changes something, in one place: one transaction, one answer.

With an ``Idempotency-Key`` the key's row commits with the effect, and a retry gets the
stored answer. Refusals that a retry would meet again (4xx) are stored too; what was
rolled back (5xx) is not.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from fastapi import Response
from pydantic import BaseModel

from rightrep.clock import Clock
from rightrep.errors import RightRepError
from rightrep.store.engine import Store
from rightrep.store.idempotency import Answer, answer_once, stored_answer
from rightrep.store.session import WriteSession
from serving.errors import problem_of, status_of
from serving.security import Principal
from serving.stamp import Stamp

Prepared = TypeVar("Prepared")


@dataclass(frozen=True, slots=True)
class WriteCall:
    """One request that changes something.

    Attributes:
        store: The database.
        clock: The time.
        principal: Who asks.
        key: The ``Idempotency-Key``, or None.
        body_hash: Hash of who asks, method, path and body.
    """

    store: Store
    clock: Clock
    principal: Principal
    key: str | None
    body_hash: str

    def stamp(self) -> Stamp:
        """Now, and who asks."""
        return Stamp(at=self.clock.now(), actor=self.principal.key_id)

    def once(
        self, work: Callable[[WriteSession], BaseModel], *, status: int = 200
    ) -> Response:
        """Do the work in one transaction and answer with what it gives."""
        return self.prepared_once(
            lambda: None, lambda session, _: work(session), status=status
        )

    def prepared_once(
        self,
        prepare: Callable[[], Prepared],
        work: Callable[[WriteSession, Prepared], BaseModel],
        *,
        status: int = 200,
    ) -> Response:
        """The same with reading and scoring first, outside the transaction.

        Args:
            prepare: Reads and computes; not called when the answer is known.
            work: Writes, given what was prepared.
            status: Status of the answer when all went well.
        """
        known = self._known()
        if known is not None:
            return _response(known)
        try:
            prepared = prepare()
        except RightRepError as error:
            if self.key is None or not _is_final(error):
                raise
            refusal = _refusal(error)
            return self._write(lambda _: refusal)

        def effect(session: WriteSession) -> Answer:
            body = work(session, prepared)
            return Answer(status=status, body=body.model_dump_json().encode())

        return self._write(effect)

    def _known(self) -> Answer | None:
        if self.key is None:
            return None
        with self.store.read(self.principal.tenant_id) as session:
            return stored_answer(session, self.key, self.body_hash, at=self.clock.now())

    def _write(self, effect: Callable[[WriteSession], Answer]) -> Response:
        with self.store.write(self.principal.tenant_id) as session:
            if self.key is None:
                return _response(effect(session))

            def kept() -> Answer:
                try:
                    with session.savepoint():
                        return effect(session)
                except RightRepError as error:
                    if not _is_final(error):
                        raise
                    return _refusal(error)

            return _response(
                answer_once(
                    session, self.key, self.body_hash, kept, at=self.clock.now()
                )
            )


def hash_of(*parts: bytes) -> str:
    """SHA-256 over parts, each with its length, so that none can pose as two."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()


def _is_final(error: RightRepError) -> bool:
    return status_of(type(error))[0] < 500


def _refusal(error: RightRepError) -> Answer:
    response = problem_of(error)
    kept = {"content-type", "retry-after"}
    return Answer(
        status=response.status_code,
        body=bytes(response.body),
        headers={k: v for k, v in response.headers.items() if k in kept},
    )


def _response(answer: Answer) -> Response:
    headers = {"content-type": "application/json", **answer.headers}
    if answer.is_replayed:
        headers["idempotency-replayed"] = "true"
    return Response(answer.body, answer.status, headers=headers)
